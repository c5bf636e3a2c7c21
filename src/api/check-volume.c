/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of volumes: exactly one source each, and what each source asks. Those of pods and of
 * PersistentVolumes differ in a few: where both have a source, they share its row. */
#include "api/check-volume.h"

#include <ctype.h>

#define MODE_MAX 0777

static bool is_given(const struct doc *d)
{
	return doc_slice(d).n > 0;
}

/* ---- paths and modes ---- */

bool path_has_backstep(struct slice path)
{
	for (size_t i = 0; i + 2 <= path.n; i++)
		if (path.p[i] == '.' && path.p[i + 1] == '.' && (i == 0 || path.p[i - 1] == '/') &&
		    (i + 2 == path.n || path.p[i + 2] == '/'))
			return true;
	return false;
}

static void check_no_backstep(struct check *c, const struct path *p, const struct doc *path)
{
	if (path_has_backstep(doc_slice(path)))
		check_invalid(c, p, path, "must not contain '..'");
}

void check_descending(struct check *c, const struct path *p, const struct doc *path)
{
	if (slice_starts(doc_slice(path), SLICE("/")))
		check_invalid(c, p, path, "must be a relative path");
	check_no_backstep(c, p, path);
}

void check_local(struct check *c, const struct path *p, const struct doc *path)
{
	struct slice s = doc_slice(path);

	check_descending(c, p, path);
	if (slice_starts(s, SLICE("..")) && s.n > 2 && s.p[2] != '/')
		check_invalid(c, p, path, "must not start with '..'");
}

void check_mode(struct check *c, const struct path *p, const struct doc *obj, const char *field)
{
	const struct path at = PATH(p, field);
	const struct doc *mode = doc_get(obj, field);

	if (mode && (check_number(mode) < 0 || check_number(mode) > MODE_MAX))
		check_invalid(c, &at, mode,
			      "must be a number between 0 and 0777 (octal), both inclusive");
}

void check_key_to_path(struct check *c, const struct path *p, const struct doc *item)
{
	const struct path path = PATH(p, "path");

	(void)check_has(c, p, item, "key", "");
	(void)check_has(c, p, item, "path", "");
	check_local(c, &path, doc_get(item, "path"));
	check_mode(c, p, item, "mode");
}

static void check_items(struct check *c, const struct path *p, const struct doc *source)
{
	const struct path list = PATH(p, "items");
	const struct doc *items = doc_get(source, "items");

	for (size_t i = 0; i < doc_len(items); i++) {
		const struct path at = PATH_INDEX(&list, i);

		check_key_to_path(c, &at, doc_at(items, i));
	}
}

/* ---- sources with more than fields ---- */

static void check_empty_dir(struct check *c, const struct path *p, const struct doc *s,
			    const struct volume *v)
{
	const struct path limit = PATH(p, "sizeLimit");

	(void)v;
	if (slice_starts(doc_slice(doc_get(s, "sizeLimit")), SLICE("-")))
		check_forbidden(c, &limit, "SizeLimit field must be a valid resource quantity");
}

static void check_host_path(struct check *c, const struct path *p, const struct doc *s,
			    const struct volume *v)
{
	static const char *const types[] = {
		"",	"BlockDevice",	"CharDevice", "Directory", "DirectoryOrCreate",
		"File", "FileOrCreate", "Socket",     NULL
	};
	const struct path path = PATH(p, "path"), type = PATH(p, "type");

	(void)v;
	if (!check_has(c, p, s, "path", ""))
		return;
	check_no_backstep(c, &path, doc_get(s, "path"));
	check_one_of(c, &type, doc_get(s, "type"), types, false);
}

static void check_git(struct check *c, const struct path *p, const struct doc *s,
		      const struct volume *v)
{
	const struct path dir = PATH(p, "directory");

	(void)v;
	check_descending(c, &dir, doc_get(s, "directory"));
}

static void check_files(struct check *c, const struct path *p, const struct doc *s,
			const struct volume *v)
{
	(void)v;
	check_mode(c, p, s, "defaultMode");
	check_items(c, p, s);
}

static void check_nfs(struct check *c, const struct path *p, const struct doc *s,
		      const struct volume *v)
{
	const struct path path = PATH(p, "path");

	(void)v;
	if (!slice_starts(doc_slice(doc_get(s, "path")), SLICE("/")))
		check_invalid(c, &path, doc_get(s, "path"), "must be an absolute path");
}

static bool all_alnum(struct slice s, const char *also)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && !strchr(also, s.p[i]))
			return false;
	return s.n > 0;
}

/* iqn.2001-04.com.example:name */
static bool is_iqn(struct slice s)
{
	static const char form[] = "iqn.0000-00.";
	size_t head = sizeof(form) - 1;
	const char *colon;

	if (s.n <= head)
		return false;
	for (size_t i = 0; i < head; i++)
		if (form[i] == '0' ? !isdigit((unsigned char)s.p[i]) : s.p[i] != form[i])
			return false;
	colon = memchr(s.p, ':', s.n);
	if (!colon || !all_alnum(slice_of(s.p + head, (size_t)(colon - s.p) - head), "-."))
		return false;
	for (const char *q = colon + 1; q < s.p + s.n; q++)
		if (strchr(",;*&$| \t\r\n\f\v", *q))
			return false;
	return colon + 1 < s.p + s.n;
}

static bool is_initiator(struct slice s)
{
	if (slice_starts(s, SLICE("iqn")))
		return is_iqn(s);
	if (s.n == 20 && slice_starts(s, SLICE("eui")))
		return all_alnum(slice_of(s.p + 4, 16), "");
	return s.n == 36 && slice_starts(s, SLICE("naa")) && all_alnum(slice_of(s.p + 4, 32), "");
}

static void check_initiator(struct check *c, const struct path *p, const struct doc *name,
			    const struct volume *v)
{
	struct slice s = doc_slice(name);
	bool known = slice_starts(s, SLICE("iqn")) || slice_starts(s, SLICE("eui")) ||
		     slice_starts(s, SLICE("naa"));

	if (!name || (known && is_initiator(s)))
		return;
	check_invalid(c, p, name, "%s",
		      known || v->persistent
			      ? "must be valid format"
			      : "must be valid format starting with iqn, eui, or naa");
}

#define ISCSI_NAME_MAX 64

static void check_iscsi(struct check *c, const struct path *p, const struct doc *s,
			const struct volume *v)
{
	const struct path iqn = PATH(p, "iqn"), initiator = PATH(p, "initiatorname"),
			  secret = PATH(p, "secretRef"), name = PATH(v->at, "name"),
			  portal = PATH(p, "targetportal");
	const struct doc *target = doc_get(s, "targetPortal");
	const struct doc label = doc_borrow(v->name.n ? v->name.p : "", v->name.n);
	bool auth = doc_true(doc_get(s, "chapAuthDiscovery")) ||
		    doc_true(doc_get(s, "chapAuthSession"));

	if (is_given(doc_get(s, "iqn")))
		check_initiator(c, &iqn, doc_get(s, "iqn"), v);
	if (auth && !doc_get(s, "secretRef"))
		check_required(c, &secret, "");
	if (v->persistent && doc_get(s, "secretRef"))
		(void)check_has(c, &secret, doc_get(s, "secretRef"), "name", "");
	check_initiator(c, &initiator, doc_get(s, "initiatorName"), v);
	if (doc_get(s, "initiatorName") && v->name.n + 1 + doc_slice(target).n > ISCSI_NAME_MAX)
		check_invalid(c, v->persistent ? &portal : &name, v->persistent ? target : &label,
			      "Total length of <volume name>:<iscsi.targetPortal> must be under 64 "
			      "characters if iscsi.initiatorName is specified.");
}

static void check_fc(struct check *c, const struct path *p, const struct doc *s,
		     const struct volume *v)
{
	const struct path wwns = PATH(p, "targetWWNs"), lun = PATH(p, "lun");
	const struct doc *t = doc_get(s, "targetWWNs");
	bool ids = doc_len(doc_get(s, "wwids")) > 0;

	(void)v;
	if (doc_len(t) == 0 && !ids)
		check_required(c, &wwns, "must specify either targetWWNs or wwids, but not both");
	if (doc_len(t) > 0 && ids)
		check_invalid(c, &wwns, t,
			      "targetWWNs and wwids can not be specified simultaneously");
	if (doc_len(t) == 0)
		return;
	if (!doc_get(s, "lun"))
		check_required(c, &lun, "lun is required if targetWWNs is specified");
	check_range(c, &lun, doc_get(s, "lun"), 0, 255);
}

static void check_flocker(struct check *c, const struct path *p, const struct doc *s,
			  const struct volume *v)
{
	const struct path at = PATH(p, "datasetName");
	const struct doc *name = doc_get(s, "datasetName");
	bool id = is_given(doc_get(s, "datasetUUID"));

	(void)v;
	if (!is_given(name) && !id)
		check_required(c, p, "one of datasetName and datasetUUID is required");
	if (is_given(name) && id)
		check_invalid_text(c, p, SLICE("resource"),
				   "datasetName and datasetUUID can not be specified "
				   "simultaneously");
	if (is_given(name) && memchr(name->s, '/', name->n))
		check_invalid(c, &at, name, "must not contain '/'");
}

static bool are_host_ports(struct slice s)
{
	while (s.n > 0) {
		const char *comma = memchr(s.p, ',', s.n);
		size_t n = comma ? (size_t)(comma - s.p) : s.n;
		const char *colon = memchr(s.p, ':', n);
		bool v6 = s.p[0] == '[';

		if (!colon || (!v6 && memchr(colon + 1, ':', n - (size_t)(colon + 1 - s.p))) ||
		    (v6 && !memmem(s.p, n, "]:", 2)))
			return false;
		if (!comma)
			return true;
		s = slice_of(comma + 1, s.n - n - 1);
	}
	return false;
}

static void check_quobyte(struct check *c, const struct path *p, const struct doc *s,
			  const struct volume *v)
{
	static const char why[] = "must be a host:port pair or multiple pairs separated by commas";
	const struct path registry = PATH(p, "registry"), tenant = PATH(p, "tenant");
	const struct doc *r = doc_get(s, "registry");

	(void)v;
	if (!is_given(r))
		check_required(c, &registry, why);
	else if (doc_slice(doc_get(s, "tenant")).n >= 65)
		check_required(c, &tenant,
			       "must be a UUID and may not exceed a length of 64 characters");
	else if (!are_host_ports(doc_slice(r)))
		check_invalid(c, &registry, r, "%s", why);
	(void)check_has(c, p, s, "volume", "");
}

static bool is_reserved(struct slice option)
{
	char text[300];
	const char *slash = option.p ? memchr(option.p, '/', option.n) : NULL;
	size_t n = MIN(slash ? (size_t)(slash - option.p) : option.n, sizeof(text) - 1);

	text[0] = '.';
	for (size_t i = 0; option.p && i < n; i++)
		text[i + 1] = (char)tolower((unsigned char)option.p[i]);
	n++;
	return (n >= 14 && memcmp(text + n - 14, ".kubernetes.io", 14) == 0) ||
	       (n >= 7 && memcmp(text + n - 7, ".k8s.io", 7) == 0);
}

static void check_flex(struct check *c, const struct path *p, const struct doc *s,
		       const struct volume *v)
{
	const struct path options = PATH(p, "options");

	(void)v;
	DOC_EACH_MEMBER (key, value, doc_get(s, "options")) {
		const struct path at = PATH_KEY(&options, doc_slice(key));

		(void)value;
		if (is_reserved(doc_slice(key)))
			check_invalid(c, &at, key,
				      "kubernetes.io and k8s.io namespaces are reserved");
	}
}

static void check_azure_disk(struct check *c, const struct path *p, const struct doc *s,
			     const struct volume *v)
{
	static const char *const managed[] = {
		"/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/"
		"disks/{disk-id}",
		NULL
	};
	static const char *const blob[] = { "https://{account-name}.blob.core.windows.net/"
					    "{container-name}/{disk-name}.vhd",
					    NULL };
	const struct path at = PATH(p, "diskURI");
	const struct doc *kind = doc_get(s, "kind"), *uri = doc_get(s, "diskURI");
	bool is_managed = doc_str_is(kind, "Managed");

	(void)v;
	if (kind && !slice_starts(doc_slice(uri),
				  is_managed ? SLICE("/subscriptions/") : SLICE("https://")))
		check_unsupported(c, &at, uri, is_managed ? managed : blob);
}

static void check_driver(struct check *c, const struct path *p, const struct doc *driver)
{
	char lower[260];
	size_t n = MIN(doc_slice(driver).n, sizeof(lower));
	const char *why;

	if (n == 0)
		check_required(c, p, "");
	if (n > 63)
		check_too_long(c, p, 63);
	for (size_t i = 0; i < n; i++)
		lower[i] = (char)tolower((unsigned char)driver->s[i]);
	why = form_dns_subdomain(slice_of(lower, n));
	if (why)
		check_invalid(c, p, driver, "%s", why);
}

static void check_csi(struct check *c, const struct path *p, const struct doc *s,
		      const struct volume *v)
{
	static const char *const secrets[] = { "controllerPublishSecretRef",
					       "controllerExpandSecretRef", "nodePublishSecretRef",
					       "nodeExpandSecretRef" };
	static const struct field_rule rules[] = {
		{ .field = "name", .required = true, .form = form_dns_subdomain },
		{ .field = "namespace", .required = true, .form = form_dns_label },
		{ 0 },
	};
	const struct path driver = PATH(p, "driver"), node = PATH(p, "nodePublishSecretRef"),
			  name_at = PATH(p, "name");
	const struct doc *secret = doc_get(s, "nodePublishSecretRef");

	check_driver(c, &driver, doc_get(s, "driver"));
	if (!v->persistent) {
		if (secret && check_has(c, &node, secret, "name", ""))
			check_optional_text(c, &name_at, doc_get(secret, "name"),
					    form_dns_subdomain);
		return;
	}
	(void)check_has(c, p, s, "volumeHandle", "");
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		const struct path at = PATH(p, secrets[i]);

		if (doc_get(s, secrets[i]))
			check_fields(c, &at, doc_get(s, secrets[i]), rules);
	}
}

static void check_ephemeral(struct check *c, const struct path *p, const struct doc *s,
			    const struct volume *v)
{
	const struct path template = PATH(p, "volumeClaimTemplate"), name_at = PATH(v->at, "name");
	struct slice pod = doc_slice(doc_get(v->meta, "name"));
	const struct doc label = doc_borrow(v->name.n ? v->name.p : "", v->name.n);
	char claim[600];
	const char *why;
	int n;

	if (!doc_get(s, "volumeClaimTemplate"))
		check_required(c, &template, "");
	else
		check_claim_template(c, &template, doc_get(s, "volumeClaimTemplate"));
	if (pod.n == 0 || v->name.n == 0)
		return;
	n = snprintf(claim, sizeof(claim), "%.*s-%.*s", (int)MIN(pod.n, (size_t)256), pod.p,
		     (int)MIN(v->name.n, (size_t)256), v->name.p);
	why = form_dns_subdomain(slice_of(claim, (size_t)n));
	if (why)
		check_invalid(c, &name_at, &label, "PVC name \"%s\": %s", claim, why);
}

static void check_image(struct check *c, const struct path *p, const struct doc *s,
			const struct volume *v)
{
	const struct path policy = PATH(p, "pullPolicy");

	if (v->opts & POD_IS_POD)
		(void)check_has(c, p, s, "reference", "");
	check_one_of(c, &policy, doc_get(s, "pullPolicy"), check_pull_policies, true);
}

static void check_glusterfs(struct check *c, const struct path *p, const struct doc *s,
			    const struct volume *v)
{
	const struct path at = PATH(p, "endpointsNamespace");
	const struct doc *ns = v->persistent ? doc_get(s, "endpointsNamespace") : NULL;

	if (ns && ns->n == 0)
		check_invalid(c, &at, ns,
			      "if the endpointnamespace is set, it must be a valid namespace name");
	check_optional_text(c, &at, ns, form_dns_label);
}

/* Volumes of others name their secrets with a namespace. */
static void check_secret_place(struct check *c, const struct path *p, const struct doc *s,
			       const struct volume *v)
{
	const struct path secret = PATH(p, "secretRef");
	const struct doc *ref = doc_get(s, "secretRef");

	if (!ref)
		return;
	(void)check_has(c, &secret, ref, "name", "");
	if (v->persistent)
		(void)check_has(c, &secret, ref, "namespace", "");
}

static void check_azure_file(struct check *c, const struct path *p, const struct doc *s,
			     const struct volume *v)
{
	const struct path at = PATH(p, "secretNamespace");
	const struct doc *ns = doc_get(s, "secretNamespace");

	if (v->persistent && doc_is(ns, DOC_STRING) && ns->n == 0)
		check_required(c, &at, "");
}

static void check_local_volume(struct check *c, const struct path *p, const struct doc *s,
			       const struct volume *v)
{
	const struct path path = PATH(p, "path"), affinity = PATH(v->at, "nodeAffinity");

	if (check_has(c, p, s, "path", ""))
		check_no_backstep(c, &path, doc_get(s, "path"));
	if (!doc_get(v->spec, "nodeAffinity"))
		check_required(c, &affinity, "Local volume requires node affinity");
}

/* ---- the table ---- */

static const struct field_rule git_rules[] = { { .field = "repository", .required = true }, { 0 } };
/* Zero, which is left out, is "the whole disk"; upstream's words leave it out too. */
static const struct field_rule gce_rules[] = { { .field = "pdName", .required = true }, { 0 } };
static const struct field_rule id_rules[] = { { .field = "volumeID", .required = true }, { 0 } };
static const struct field_rule secret_rules[] = { { .field = "secretName", .required = true },
						  { 0 } };
static const struct field_rule name_rules[] = { { .field = "name", .required = true }, { 0 } };
static const struct field_rule nfs_rules[] = {
	{ .field = "server", .required = true },
	{ .field = "path", .required = true },
	{ 0 },
};
static const struct field_rule iscsi_rules[] = {
	{ .field = "targetPortal", .required = true },
	{ .field = "iqn", .required = true },
	{ .field = "lun", .number = true, .lo = 0, .hi = 255 },
	{ 0 },
};
static const struct field_rule glusterfs_rules[] = {
	{ .field = "endpoints", .required = true },
	{ .field = "path", .required = true },
	{ 0 },
};
static const struct field_rule claim_rules[] = { { .field = "claimName", .required = true },
						 { 0 } };
static const struct field_rule rbd_rules[] = {
	{ .field = "monitors", .required = true },
	{ .field = "image", .required = true },
	{ 0 },
};
static const struct field_rule monitor_rules[] = { { .field = "monitors", .required = true },
						   { 0 } };
static const struct field_rule driver_rules[] = { { .field = "driver", .required = true }, { 0 } };
static const struct field_rule azure_file_rules[] = {
	{ .field = "secretName", .required = true },
	{ .field = "shareName", .required = true },
	{ 0 },
};
static const char *const caching_modes[] = { "None", "ReadOnly", "ReadWrite", NULL };
static const char *const disk_kinds[] = { "Dedicated", "Managed", "Shared", NULL };
static const struct field_rule azure_disk_rules[] = {
	{ .field = "diskName", .required = true },
	{ .field = "diskURI", .required = true },
	{ .field = "cachingMode", .values = caching_modes },
	{ .field = "kind", .values = disk_kinds },
	{ 0 },
};
static const struct field_rule vsphere_rules[] = { { .field = "volumePath", .required = true },
						   { 0 } };
static const struct field_rule photon_rules[] = { { .field = "pdID", .required = true }, { 0 } };
static const struct field_rule scaleio_rules[] = {
	{ .field = "gateway", .required = true },
	{ .field = "system", .required = true },
	{ .field = "volumeName", .required = true },
	{ 0 },
};
static const struct field_rule storageos_rules[] = {
	{ .field = "volumeName", .required = true, .form = form_dns_label },
	{ .field = "volumeNamespace", .form = form_dns_label },
	{ 0 },
};

static void check_partition(struct check *c, const struct path *p, const struct doc *s,
			    const struct volume *v)
{
	const struct path at = PATH(p, "partition");
	const struct doc *n = doc_get(s, "partition");

	(void)v;
	if (n && (check_number(n) < 0 || check_number(n) > 255))
		check_invalid(c, &at, n, "must be between 1 and 255, inclusive");
}

static const struct source {
	const char *field;
	const char *inside; /* upstream's name of it in errors, when it differs */
	const char *second; /* the same of "more than 1" */
	const struct field_rule *rules;
	void (*more)(struct check *c, const struct path *p, const struct doc *source,
		     const struct volume *v);
} sources[] = {
	{ "emptyDir", NULL, NULL, NULL, check_empty_dir },
	{ "hostPath", NULL, NULL, NULL, check_host_path },
	{ "gitRepo", NULL, NULL, git_rules, check_git },
	{ "gcePersistentDisk", "persistentDisk", NULL, gce_rules, check_partition },
	{ "awsElasticBlockStore", NULL, NULL, id_rules, check_partition },
	{ "secret", NULL, NULL, secret_rules, check_files },
	{ "nfs", NULL, NULL, nfs_rules, check_nfs },
	{ "iscsi", NULL, NULL, iscsi_rules, check_iscsi },
	{ "glusterfs", NULL, NULL, glusterfs_rules, check_glusterfs },
	{ "flocker", NULL, NULL, NULL, check_flocker },
	{ "persistentVolumeClaim", NULL, NULL, claim_rules, NULL },
	{ "rbd", NULL, NULL, rbd_rules, NULL },
	{ "cinder", NULL, NULL, id_rules, check_secret_place },
	{ "cephfs", NULL, "cephFS", monitor_rules, NULL },
	{ "quobyte", NULL, NULL, NULL, check_quobyte },
	{ "downwardAPI", NULL, "downwarAPI", NULL, check_downward },
	{ "fc", NULL, NULL, NULL, check_fc },
	{ "flexVolume", NULL, NULL, driver_rules, check_flex },
	{ "configMap", NULL, NULL, name_rules, check_files },
	{ "azureFile", NULL, NULL, azure_file_rules, check_azure_file },
	{ "vsphereVolume", NULL, NULL, vsphere_rules, NULL },
	{ "photonPersistentDisk", NULL, NULL, photon_rules, NULL },
	{ "portworxVolume", NULL, NULL, id_rules, NULL },
	{ "azureDisk", NULL, NULL, azure_disk_rules, check_azure_disk },
	{ "storageos", NULL, NULL, storageos_rules, check_secret_place },
	{ "projected", NULL, NULL, NULL, check_projected },
	{ "scaleIO", NULL, NULL, scaleio_rules, NULL },
	{ "csi", NULL, NULL, NULL, check_csi },
	{ "ephemeral", NULL, NULL, NULL, check_ephemeral },
	{ "image", NULL, NULL, NULL, check_image },
	{ "local", NULL, NULL, NULL, check_local_volume },
};

void check_source(struct check *c, const struct doc *obj, const struct volume *v)
{
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		const struct source *s = &sources[i];
		const struct doc *d = doc_get(obj, s->field);
		const struct path at = PATH(v->at, s->inside ? s->inside : s->field),
				  second = PATH(v->at, s->second ? s->second : s->field);

		if (!d)
			continue;
		if (found) {
			check_forbidden(c, &second, "may not specify more than 1 volume type");
			continue;
		}
		found = true;
		if (s->rules)
			check_fields(c, &at, d, s->rules);
		if (s->more)
			s->more(c, &at, d, v);
	}
	if (!found)
		check_required(c, v->at, "must specify a volume type");
}

bool volume_is_source(struct slice field)
{
	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		if (slice_is(field, sources[i].field))
			return true;
	return false;
}

/* ---- the volumes of a pod ---- */

/* Is this the name of a claim that is made for one of the pod's volumes? */
static bool is_made(const struct doc *volumes, const struct doc *meta, struct slice claim)
{
	struct slice pod = doc_slice(doc_get(meta, "name"));

	DOC_EACH (v, volumes) {
		struct slice name = doc_slice(doc_get(v, "name"));

		if (doc_get(v, "ephemeral") && pod.n > 0 && claim.n == pod.n + 1 + name.n &&
		    memcmp(claim.p, pod.p, pod.n) == 0 && claim.p[pod.n] == '-' &&
		    (name.n == 0 || memcmp(claim.p + pod.n + 1, name.p, name.n) == 0))
			return true;
	}
	return false;
}

void check_volumes(struct check *c, const struct path *p, const struct doc *volumes,
		   const struct doc *meta, unsigned opts)
{
	static const struct field_rule rules[] = {
		{ .field = "name", .required = true, .form = form_dns_label },
		{ 0 },
	};

	if (!(opts & POD_IS_POD))
		meta = NULL;
	for (size_t i = 0; i < doc_len(volumes); i++) {
		const struct path at = PATH_INDEX(p, i), pvc = PATH(&at, "persistentVolumeClaim"),
				  claim_at = PATH(&pvc, "claimName");
		const struct doc *d = doc_at(volumes, i),
				 *claim = doc_find(d, "persistentVolumeClaim.claimName");
		const struct volume v = {
			.at = &at, .name = doc_slice(doc_get(d, "name")), .meta = meta, .opts = opts
		};

		check_source(c, d, &v);
		check_fields(c, &at, d, rules);
		if (is_given(claim) && is_made(volumes, meta, doc_slice(claim)))
			check_invalid(c, &claim_at, claim,
				      "must not reference a PVC that gets created for an ephemeral "
				      "volume");
	}
	check_unique(c, p, volumes, "name");
}
