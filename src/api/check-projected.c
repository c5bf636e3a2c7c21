/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of what a pod says of itself to its containers (downward API), and of projected volumes. */
#include "api/check-volume.h"
#include "api/quantity.h"

static bool in_list(struct slice s, const char *const *list)
{
	for (; *list; list++)
		if (slice_is(s, *list))
			return true;
	return false;
}

/* ---- fieldRef ---- */

/* metadata.labels['key']: the path before, and the key. */
static bool split_key(struct slice s, struct slice *path, struct slice *key)
{
	const char *open = s.n ? memmem(s.p, s.n, "['", 2) : NULL;

	if (!open || s.n < 4 || s.p[s.n - 1] != ']' || s.p[s.n - 2] != '\'' ||
	    open + 2 > s.p + s.n - 2)
		return false;
	*path = slice_of(s.p, (size_t)(open - s.p));
	*key = slice_of(open + 2, (size_t)(s.p + s.n - 2 - (open + 2)));
	return true;
}

/* Every label that a field of a pod has in this version. */
static bool is_label(struct slice path)
{
	static const char *const labels[] = { "metadata.annotations",
					      "metadata.labels",
					      "metadata.name",
					      "metadata.namespace",
					      "metadata.uid",
					      "spec.nodeName",
					      "spec.restartPolicy",
					      "spec.serviceAccountName",
					      "spec.schedulerName",
					      "status.phase",
					      "status.hostIP",
					      "status.hostIPs",
					      "status.podIP",
					      "status.podIPs",
					      "spec.host",
					      NULL };

	return in_list(path, labels);
}

static void check_subscript(struct check *c, const struct path *p, struct slice path,
			    struct slice key)
{
	char lower[512];
	const char *why;

	if (!slice_is(path, "metadata.annotations") && !slice_is(path, "metadata.labels")) {
		check_invalid_text(c, p, path, "does not support subscript");
		return;
	}
	key.n = MIN(key.n, sizeof(lower));
	for (size_t i = 0; i < key.n; i++)
		lower[i] = (char)(key.p[i] >= 'A' && key.p[i] <= 'Z' ? key.p[i] + 32 : key.p[i]);
	if (slice_is(path, "metadata.annotations"))
		key.p = lower;
	why = form_qualified_name(key);
	if (why)
		check_invalid_text(c, p, key, "%s", why);
}

void check_field_ref(struct check *c, const struct path *p, const struct doc *ref,
		     const char *const *fields)
{
	const struct path at = PATH(p, "fieldPath");
	const struct doc *field = doc_get(ref, "fieldPath");
	struct slice path = doc_slice(field), key;
	bool sub;

	if (!check_has(c, p, ref, "apiVersion", "") || !check_has(c, p, ref, "fieldPath", ""))
		return;
	sub = split_key(doc_slice(field), &path, &key);
	if (!is_label(path))
		check_invalid(c, &at, field,
			      "error converting fieldPath: field label not supported: %.*s",
			      (int)path.n, path.p);
	else if (sub)
		check_subscript(c, p, path, key);
	else if (!in_list(path, fields))
		check_unsupported(c, &at, field, fields);
}

/* ---- resourceFieldRef ---- */

#define SIZES "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei"

static const struct divisor {
	const char *ends; /* of the resource */
	const char *const *values;
	const char *why;
} divisors[] = {
	{ ".cpu", (const char *const[]){ "1m", "1", NULL },
	  "only divisor's values 1m and 1 are supported with the cpu resource" },
	{ ".memory", NULL,
	  "only divisor's values " SIZES " are supported with the memory resource" },
	{ ".ephemeral-storage", NULL,
	  "only divisor's values " SIZES
	  " are supported with the local ephemeral storage resource" },
	{ ".hugepages-", NULL,
	  "only divisor's values " SIZES " are supported with the hugepages resource" },
};

static const char *const sizes[] = { "1",   "1k",  "1M",  "1G",	 "1T",	"1P",  "1E",
				     "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei", NULL };

static void check_divisor(struct check *c, const struct path *p, const struct doc *ref)
{
	const struct path at = PATH(p, "divisor");
	struct slice resource = doc_slice(doc_get(ref, "resource")),
		     value = doc_slice(doc_get(ref, "divisor"));
	struct quantity q;

	if (!quantity_parse(value, &q) || q.nano == 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(divisors); i++) {
		const struct divisor *d = &divisors[i];

		if (resource.n && memmem(resource.p, resource.n, d->ends, strlen(d->ends)) &&
		    !in_list(value, d->values ? d->values : sizes))
			check_invalid_text(c, &at, resource, "%s", d->why);
	}
}

void check_resource_ref(struct check *c, const struct path *p, const struct doc *ref,
			bool in_volume)
{
	static const char *const resources[] = { "limits.cpu",
						 "limits.ephemeral-storage",
						 "limits.memory",
						 "requests.cpu",
						 "requests.ephemeral-storage",
						 "requests.memory",
						 NULL };
	const struct path at = PATH(p, "resource");
	const struct doc *resource = doc_get(ref, "resource");
	struct slice s = doc_slice(resource);

	if ((!in_volume || check_has(c, p, ref, "containerName", "")) &&
	    check_has(c, p, ref, "resource", "") &&
	    !slice_starts(s, SLICE("requests.hugepages-")) &&
	    !slice_starts(s, SLICE("limits.hugepages-")))
		check_one_of(c, &at, resource, resources, true);
	check_divisor(c, p, ref);
}

/* ---- the downward API as files ---- */

static const char *const volume_fields[] = { "metadata.annotations", "metadata.labels",
					     "metadata.name",	     "metadata.namespace",
					     "metadata.uid",	     NULL };

/* Upstream tells all files of a list at the list's owner. */
static void check_file(struct check *c, const struct path *p, const struct doc *file)
{
	const struct path path = PATH(p, "path"), field = PATH(p, "fieldRef"),
			  resource = PATH(p, "resourceFieldRef");
	const struct doc *f = doc_get(file, "fieldRef"), *r = doc_get(file, "resourceFieldRef");

	(void)check_has(c, p, file, "path", "");
	check_local(c, &path, doc_get(file, "path"));
	if (f)
		check_field_ref(c, &field, f, volume_fields);
	if (f && r)
		check_invalid_text(c, p, SLICE("resource"),
				   "fieldRef and resourceFieldRef can not be specified "
				   "simultaneously");
	else if (r)
		check_resource_ref(c, &resource, r, true);
	else if (!f)
		check_required(c, p, "one of fieldRef and resourceFieldRef is required");
	check_mode(c, p, file, "mode");
}

void check_downward(struct check *c, const struct path *p, const struct doc *source,
		    const struct volume *v)
{
	(void)v;
	check_mode(c, p, source, "defaultMode");
	DOC_EACH (file, doc_get(source, "items"))
		check_file(c, p, file);
}

/* ---- projected volumes ---- */

/* example.com/name */
static const char *form_signer_name(struct slice s)
{
	const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
	struct slice domain = slice_of(s.p, slash ? (size_t)(slash - s.p) : 0);
	const char *why;

	if (!slash || memchr(slash + 1, '/', s.n - domain.n - 1))
		return "must be a fully qualified domain and path of the form "
		       "'example.com/signer-name'";
	why = form_dns_subdomain(domain);
	if (why)
		return why;
	if (!memchr(domain.p, '.', domain.n))
		return "should be a domain with at least two segments separated by dots";
	return form_dns_subdomain(slice_of(slash + 1, s.n - domain.n - 1));
}

/* Of a bundle of a signer: example.com:signer:name. */
static const char *form_bundle_name(struct slice s)
{
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == ':')
			return form_dns_subdomain(slice_of(s.p + i, s.n - i));
	return form_dns_subdomain(s);
}

struct projection {
	const struct path *volume;
	struct doc *paths; /* all files so far */
};

/* value: of the error, or NULL: the path. */
static void check_path_once(struct check *c, struct projection *j, const struct doc *path,
			    const struct doc *value)
{
	if (doc_slice(path).n == 0)
		return;
	DOC_EACH (x, j->paths)
		if (doc_equal(x, path)) {
			check_invalid(c, j->volume, value ? value : path,
				      "conflicting duplicate paths");
			return;
		}
	(void)doc_append(c->a, j->paths, *path);
}

static void check_keys_of(struct check *c, const struct path *p, const struct doc *source,
			  struct projection *j)
{
	const struct path list = PATH(p, "items");
	const struct doc *items = doc_get(source, "items");

	(void)check_has(c, p, source, "name", "");
	for (size_t i = 0; i < doc_len(items); i++) {
		const struct path at = PATH_INDEX(&list, i);
		const struct doc *item = doc_at(items, i);

		check_key_to_path(c, &at, item);
		check_path_once(c, j, doc_get(item, "path"), doc_get(source, "name"));
	}
}

static void check_downward_of(struct check *c, const struct path *p, const struct doc *source,
			      struct projection *j)
{
	DOC_EACH (file, doc_get(source, "items")) {
		check_file(c, p, file);
		check_path_once(c, j, doc_get(file, "path"), NULL);
	}
}

static void check_token_of(struct check *c, const struct path *p, const struct doc *source,
			   struct projection *j)
{
	const struct path at = PATH(p, "expirationSeconds"), path = PATH(j->volume, "path");
	const struct doc *seconds = doc_get(source, "expirationSeconds");
	int64_t n = check_number(seconds);

	if (n < 600)
		check_invalid(c, &at, seconds, "may not specify a duration less than 10 minutes");
	if (n > (int64_t)1 << 32)
		check_invalid(c, &at, seconds,
			      "may not specify a duration larger than 2^32 seconds");
	/* Without the source's part of the path, as upstream tells it. */
	if (check_has(c, j->volume, source, "path", ""))
		check_local(c, &path, doc_get(source, "path"));
}

static void check_bundle_of(struct check *c, const struct path *p, const struct doc *source,
			    struct projection *j)
{
	const struct path name_at = PATH(p, "name"), signer_at = PATH(p, "signerName"),
			  selector = PATH(p, "labelSelector"), path = PATH(p, "path");
	const struct doc *name = doc_get(source, "name"), *signer = doc_get(source, "signerName"),
			 *labels = doc_get(source, "labelSelector");

	if (name && signer) {
		check_invalid(c, p, source, "only one of name and signerName may be used");
	} else if (name) {
		(void)check_has(c, p, source, "name", "must be a valid object name");
		check_optional_text(c, &name_at, name, form_bundle_name);
		if (labels)
			check_invalid(c, &selector, labels,
				      "labelSelector must be unset if name is specified");
	} else if (signer) {
		(void)check_has(c, p, source, "signerName", "must be a valid signer name");
		check_optional_text(c, &signer_at, signer, form_signer_name);
		check_label_selector(c, &selector, labels);
	} else {
		check_required(c, p, "either name or signerName must be specified");
	}
	(void)check_has(c, p, source, "path", "");
	check_local(c, &path, doc_get(source, "path"));
	check_path_once(c, j, doc_get(source, "path"), NULL);
}

static void check_certificate_of(struct check *c, const struct path *p, const struct doc *source,
				 struct projection *j)
{
	static const char *const keys[] = { "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519",
					    "RSA3072",	 "RSA4096",   NULL };
	static const char *const files[] = { "credentialBundlePath", "keyPath",
					     "certificateChainPath" };
	static const struct field_rule rules[] = {
		{ .field = "signerName", .required = true, .form = form_signer_name },
		{ .field = "keyType", .required = true, .values = keys },
		{ .field = "maxExpirationSeconds", .number = true, .lo = 3600, .hi = 7862400 },
		{ 0 },
	};
	bool any = false;

	check_fields(c, p, source, rules);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const struct path at = PATH(p, files[i]);
		const struct doc *path = doc_get(source, files[i]);

		any |= doc_slice(path).n > 0;
		check_local(c, &at, path);
		check_path_once(c, j, path, NULL);
	}
	if (!any)
		check_required(c, p,
			       "specify at least one of credentialBundlePath, keyPath, and "
			       "certificateChainPath");
}

static const struct {
	const char *field;
	void (*check)(struct check *c, const struct path *p, const struct doc *source,
		      struct projection *j);
} projections[] = {
	{ "secret", check_keys_of },
	{ "configMap", check_keys_of },
	{ "downwardAPI", check_downward_of },
	{ "serviceAccountToken", check_token_of },
	{ "clusterTrustBundle", check_bundle_of },
	{ "podCertificate", check_certificate_of },
};

void check_projected(struct check *c, const struct path *p, const struct doc *source,
		     const struct volume *v)
{
	const struct path list = PATH(p, "sources");
	const struct doc *sources = doc_get(source, "sources");
	struct projection j = { .volume = p, .paths = doc_new_array(c->a) };

	(void)v;
	check_mode(c, p, source, "defaultMode");
	for (size_t i = 0; i < doc_len(sources); i++) {
		const struct path at = PATH_INDEX(&list, i);
		unsigned n = 0;

		for (size_t k = 0; k < ARRAY_LEN(projections); k++) {
			const struct path one = PATH(&at, projections[k].field);
			const struct doc *d = doc_get(doc_at(sources, i), projections[k].field);

			if (!d)
				continue;
			n++;
			projections[k].check(c, &one, d, &j);
		}
		if (n > 1)
			check_forbidden(c, &at,
					"may not specify more than 1 volume type per source");
	}
}
