/* SPDX-License-Identifier: Apache-2.0 */
/* Warnings of pods and of templates of pods. */
#include "apiserver/strategy/strategy-private.h"

#include "base/map.h"

#include <stdio.h>

struct pod {
	struct strategy_call *c;
	const struct path *meta, *at; /* paths of metadata and of spec */
	const struct doc *annotations, *spec;
	bool template;
};

/* ---- placement ---- */

static void warn_selector(const struct pod *x)
{
	const struct path p = PATH(x->at, "nodeSelector");

	DOC_EACH_MEMBER (key, value, doc_get(x->spec, "nodeSelector")) {
		const struct path at = PATH_KEY(&p, doc_slice(key));
		const char *words = strategy_node_label(doc_slice(key));

		(void)value;
		if (words)
			strategy_warn_at(x->c, &at, "%s", words);
	}
}

#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"

static void warn_node_affinity(const struct pod *x)
{
	const struct path affinity = PATH(x->at, "affinity"),
			  node = PATH(&affinity, "nodeAffinity"), required = PATH(&node, REQUIRED),
			  terms = PATH(&required, "nodeSelectorTerms"),
			  preferred = PATH(&node, PREFERRED);
	const struct doc *d = doc_find(x->spec, "affinity.nodeAffinity"),
			 *hard = doc_get(doc_get(d, REQUIRED), "nodeSelectorTerms"),
			 *soft = doc_get(d, PREFERRED);

	for (size_t i = 0; i < doc_len(hard); i++) {
		const struct path at = PATH_INDEX(&terms, i);

		strategy_warn_term(x->c, &at, doc_at(hard, i), false);
	}
	for (size_t i = 0; i < doc_len(soft); i++) {
		const struct path one = PATH_INDEX(&preferred, i), at = PATH(&one, "preference");

		strategy_warn_term(x->c, &at, doc_get(doc_at(soft, i), "preference"), true);
	}
}

static void warn_no_selector(const struct pod *x, const struct path *term, const struct doc *d)
{
	const struct path at = PATH(term, "labelSelector");

	if (!doc_get(d, "labelSelector"))
		strategy_warn_at(x->c, &at, "a null labelSelector results in matching no pod");
}

static void warn_spread(const struct pod *x)
{
	const struct path p = PATH(x->at, "topologySpreadConstraints");
	const struct doc *list = doc_get(x->spec, "topologySpreadConstraints");

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&p, i), at = PATH(&one, "topologyKey");
		const struct slice key = strategy_text(doc_at(list, i), "topologyKey");
		const char *words = strategy_node_label(key);

		if (words)
			strategy_warn_at(x->c, &at, "%.*s is %s", (int)key.n, key.p, words);
		warn_no_selector(x, &one, doc_at(list, i));
	}
}

static void warn_pod_affinity(const struct pod *x, const char *which)
{
	const struct path affinity = PATH(x->at, "affinity"), p = PATH(&affinity, which),
			  required = PATH(&p, REQUIRED), preferred = PATH(&p, PREFERRED);
	const struct doc *d = doc_get(doc_get(x->spec, "affinity"), which),
			 *hard = doc_get(d, REQUIRED), *soft = doc_get(d, PREFERRED);

	for (size_t i = 0; i < doc_len(hard); i++) {
		const struct path at = PATH_INDEX(&required, i);

		warn_no_selector(x, &at, doc_at(hard, i));
	}
	for (size_t i = 0; i < doc_len(soft); i++) {
		const struct path one = PATH_INDEX(&preferred, i),
				  at = PATH(&one, "podAffinityTerm");

		warn_no_selector(x, &at, doc_get(doc_at(soft, i), "podAffinityTerm"));
	}
}

/* ---- volumes ---- */

static void warn_sources(const struct pod *x)
{
	static const struct {
		const char *field, *told, *words;
	} old[] = {
		{ "photonPersistentDisk", "photonPersistentDisk",
		  "deprecated in v1.11, non-functional in v1.16+" },
		{ "gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+" },
		{ "scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+" },
		{ "flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+" },
		{ "storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+" },
		{ "quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+" },
		{ "glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+" },
		{ "cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+" },
		{ "rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+" },
	};
	const struct path p = PATH(x->at, "volumes");
	const struct doc *list = doc_get(x->spec, "volumes");

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&p, i), ephemeral = PATH(&one, "ephemeral"),
				  template = PATH(&ephemeral, "volumeClaimTemplate"),
				  spec = PATH(&template, "spec");
		const struct doc *v = doc_at(list, i);

		for (size_t j = 0; j < ARRAY_LEN(old); j++) {
			const struct path at = PATH(&one, old[j].told);

			if (doc_get(v, old[j].field))
				strategy_warn_at(x->c, &at, "%s", old[j].words);
		}
		strategy_warn_claim(x->c, &spec, doc_find(v, "ephemeral.volumeClaimTemplate.spec"));
	}
}

/* Files of one volume, each with what it comes from. */
#define FILES_MAX 128
struct file {
	struct slice path;
	const char *source; /* "" */
};
struct files {
	const struct pod *x;
	struct slice volume;
	const char *kind; /* "ConfigMap \"a\"", "Projected" */
	size_t n;
	struct file v[FILES_MAX];
};

static bool is_below(struct slice path, struct slice above)
{
	return path.n >= above.n && memcmp(path.p, above.p, above.n) == 0 &&
	       (path.n == above.n || path.p[above.n] == '/');
}

static void print_file(char *dst, size_t n, const struct file *f)
{
	(void)snprintf(dst, n, *f->source ? "\"%.*s\" (%s)" : "\"%.*s\"", (int)f->path.n, f->path.p,
		       f->source);
}

static void add_file(struct files *files, struct slice path, const char *source)
{
	char mine[512], other[512];
	struct file f = { path, source };

	while (f.path.n > 0 && f.path.p[f.path.n - 1] == '/')
		f.path.n--;
	for (size_t i = 0; f.path.n > 0 && i < files->n; i++) {
		const struct file *o = &files->v[i];

		if (o->path.n == 0 || (!is_below(o->path, f.path) && !is_below(f.path, o->path)))
			continue;
		print_file(mine, sizeof(mine), &f);
		print_file(other, sizeof(other), o);
		strategy_warn(files->x->c, "volume \"%.*s\" (%s): overlapping paths: %s with %s",
			      (int)files->volume.n, files->volume.p, files->kind, mine, other);
	}
	if (files->n < FILES_MAX)
		files->v[files->n++] = f;
}

static void add_items(struct files *files, const struct doc *items, const char *source)
{
	DOC_EACH (d, items)
		add_file(files, strategy_text(d, "path"), source);
}

static const char *quoted(const struct pod *x, const char *kind, struct slice name)
{
	const char *s = arena_printf(x->c->a, "%s \"%.*s\"", kind, (int)name.n, name.p);

	return s ? s : "";
}

static void add_certificate(struct files *files, const struct doc *d)
{
	static const char *const parts[][2] = {
		{ "certificateChainPath", "PodCertificate chain" },
		{ "keyPath", "PodCertificate key" },
		{ "credentialBundlePath", "PodCertificate credential bundle" },
	};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (strategy_text(d, parts[i][0]).n > 0)
			add_file(files, strategy_text(d, parts[i][0]), parts[i][1]);
}

static void add_projection(struct files *files, const struct doc *d)
{
	const struct pod *x = files->x;
	const struct doc *bundle = doc_get(d, "clusterTrustBundle");

	if (doc_find(d, "configMap.items"))
		add_items(files, doc_find(d, "configMap.items"),
			  quoted(x, "ConfigMap", strategy_text(d, "configMap.name")));
	else if (doc_find(d, "secret.items"))
		add_items(files, doc_find(d, "secret.items"),
			  quoted(x, "Secret", strategy_text(d, "secret.name")));
	else if (doc_find(d, "downwardAPI.items"))
		add_items(files, doc_find(d, "downwardAPI.items"), "DownwardAPI");
	else if (doc_get(d, "serviceAccountToken"))
		add_file(files, strategy_text(d, "serviceAccountToken.path"),
			 "ServiceAccountToken");
	else if (bundle)
		add_file(files, strategy_text(bundle, "path"),
			 quoted(x, "ClusterTrustBundle",
				strategy_text(bundle,
					      doc_get(bundle, "name") ? "name" : "signerName")));
	else
		add_certificate(files, doc_get(d, "podCertificate"));
}

static void warn_files(struct files *files, const struct doc *v)
{
	const struct pod *x = files->x;

	files->volume = strategy_text(v, "name");
	files->n = 0;
	if (doc_find(v, "configMap.items")) {
		files->kind = quoted(x, "ConfigMap", strategy_text(v, "configMap.name"));
		add_items(files, doc_find(v, "configMap.items"), "");
	} else if (doc_find(v, "secret.items")) {
		files->kind = quoted(x, "Secret", strategy_text(v, "secret.secretName"));
		add_items(files, doc_find(v, "secret.items"), "");
	} else if (doc_find(v, "downwardAPI.items")) {
		files->kind = "DownwardAPI";
		add_items(files, doc_find(v, "downwardAPI.items"), "");
	}
	files->kind = "Projected";
	DOC_EACH (d, doc_find(v, "projected.sources")) {
		if (doc_len(d) == 0)
			strategy_warn(x->c, "volume \"%.*s\" (Projected) has no sources provided",
				      (int)files->volume.n, files->volume.p);
		add_projection(files, d);
	}
}

/* ---- lists of names ---- */

/* Values that come twice, of members of a list: "duplicate name". */
static void warn_twice(const struct pod *x, const char *list_name, const char *field)
{
	const struct path p = PATH(x->at, list_name);
	const struct doc *list = doc_get(x->spec, list_name);

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&p, i), at = PATH(&one, field);
		const struct slice value = strategy_text(doc_at(list, i), field);
		bool twice = false;

		for (size_t j = 0; j < i && !twice; j++)
			twice = slice_eq(strategy_text(doc_at(list, j), field), value);
		if (twice)
			strategy_warn_at(x->c, &at, "duplicate %s \"%.*s\"", field, (int)value.n,
					 value.p);
	}
}

static void warn_empty_names(const struct pod *x)
{
	const struct path p = PATH(x->at, "imagePullSecrets");
	const struct doc *list = doc_get(x->spec, "imagePullSecrets");

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&p, i), at = PATH(&one, "name");

		if (strategy_text(doc_at(list, i), "name").n == 0)
			strategy_warn_at(x->c, &at, "invalid empty name \"\"");
	}
}

/* ---- annotations ---- */

static const char *const seccomp_words =
	"non-functional in v1.27+; use the \"seccompProfile\" field instead";

static void warn_annotation(const struct pod *x, const char *key, const char *words)
{
	const struct path p = PATH(x->meta, "annotations"), at = PATH_KEY(&p, slice_str(key));

	if (doc_get(x->annotations, key))
		strategy_warn_at(x->c, &at, "%s", words);
}

static void warn_annotations(const struct pod *x)
{
	warn_annotation(x, "scheduler.alpha.kubernetes.io/critical-pod",
			"non-functional in v1.16+; use the \"priorityClassName\" field instead");
	warn_annotation(x, "security.alpha.kubernetes.io/sysctls",
			"non-functional in v1.11+; use the \"sysctls\" field instead");
	warn_annotation(x, "security.alpha.kubernetes.io/unsafe-sysctls",
			"non-functional in v1.11+; use the \"sysctls\" field instead");
}

static void warn_profiles(const struct pod *x, const struct doc *container)
{
	const struct doc *podwide = doc_find(x->spec, "securityContext.appArmorProfile"),
			 *annotation, *profile;
	const struct slice name = strategy_text(container, "name");
	char key[320];

	(void)snprintf(key, sizeof(key), "container.seccomp.security.alpha.kubernetes.io/%.*s",
		       (int)name.n, name.p);
	if (!doc_find(container, "securityContext.seccompProfile"))
		warn_annotation(x, key, seccomp_words);
	if (!x->template || doc_find(container, "securityContext.appArmorProfile"))
		return;
	(void)snprintf(key, sizeof(key), STRATEGY_APPARMOR "%.*s", (int)name.n, name.p);
	annotation = doc_get(x->annotations, key);
	profile = annotation ? strategy_apparmor(x->c->a, doc_slice(annotation)) : NULL;
	if (!podwide || !profile || !doc_equal(podwide, profile))
		warn_annotation(x, key, STRATEGY_APPARMOR_WARNING);
}

/* ---- containers ---- */

typedef void each_container(const struct pod *x, const struct path *p, const struct doc *container,
			    void *arg);

static void each(const struct pod *x, each_container *fn, void *arg)
{
	static const char *const lists[] = { "initContainers", "containers",
					     "ephemeralContainers" };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct path p = PATH(x->at, lists[i]);
		const struct doc *list = doc_get(x->spec, lists[i]);

		for (size_t j = 0; j < doc_len(list); j++) {
			const struct path at = PATH_INDEX(&p, j);

			fn(x, &at, doc_at(list, j), arg);
		}
	}
}

static void warn_env(const struct pod *x, const struct path *container, const struct doc *list)
{
	const struct path p = PATH(container, "env");
	CLEANUP(map_fini) struct map names;

	map_init(&names);
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(&p, i);
		const struct doc *d = doc_at(list, i);
		const struct slice name = strategy_text(d, "name"),
				   value = strategy_text(d, "value");
		const char *ref;

		if (!map_get(&names, name)) {
			(void)map_put(&names, name, (void *)(uintptr_t)d);
			continue;
		}
		ref = arena_printf(x->c->a, "$(%.*s)", (int)name.n, name.p);
		if (!ref)
			return;
		/* X="$(X):more" builds on the value before. */
		if (doc_get(d, "valueFrom") || slice_is(value, ref) ||
		    !slice_has_text(value, slice_str(ref)))
			strategy_warn_at(x->c, &at,
					 "hides previous definition of \"%.*s\", which may be "
					 "dropped when using apply",
					 (int)name.n, name.p);
	}
}

static void warn_container(const struct pod *x, const struct path *p, const struct doc *container,
			   void *arg)
{
	const struct path resources = PATH(p, "resources"), limits = PATH(&resources, "limits"),
			  requests = PATH(&resources, "requests");
	const struct doc *most = doc_find(container, "resources.limits"),
			 *least = doc_find(container, "resources.requests");

	(void)arg;
	warn_profiles(x, container);
	strategy_warn_fraction(x->c, &limits, most, "memory");
	strategy_warn_fraction(x->c, &requests, least, "memory");
	strategy_warn_fraction(x->c, &limits, most, "ephemeral-storage");
	strategy_warn_fraction(x->c, &requests, least, "ephemeral-storage");
	warn_env(x, p, doc_get(container, "env"));
}

/* All ports of the pod so far, with their paths. */
#define PORTS_MAX 256
struct ports {
	size_t n;
	struct {
		const struct doc *d;
		const char *path;
	} v[PORTS_MAX];
};

static void warn_overlap(const struct pod *x, const char *mine, const struct doc *d,
			 const char *other, const struct doc *o)
{
	const struct slice ip = strategy_text(d, "hostIP"), oip = strategy_text(o, "hostIP");
	const int64_t host = strategy_int(d, "hostPort"), ohost = strategy_int(o, "hostPort");

	if (strategy_int(d, "containerPort") != strategy_int(o, "containerPort") ||
	    !strategy_same_at(d, o, "protocol"))
		return;
	if (host == ohost && slice_eq(ip, oip))
		strategy_warn(x->c, "%s: duplicate port definition with %s", mine, other);
	else if (host == 0 || ohost == 0)
		strategy_warn(x->c, "%s: overlapping port definition with %s", mine, other);
	else if (host == ohost && (ip.n == 0) != (oip.n == 0))
		strategy_warn(x->c, "%s: dangerously ambiguous port definition with %s", mine,
			      other);
}

static void warn_ports(const struct pod *x, const struct path *p, const struct doc *container,
		       void *arg)
{
	const struct path list_at = PATH(p, "ports");
	const struct doc *list = doc_get(container, "ports");
	struct ports *ports = arg;

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(&list_at, i);
		const struct doc *d = doc_at(list, i);
		const char *path = strategy_path(x->c->a, &at);
		const struct slice ip = strategy_text(d, "hostIP"), name = strategy_text(d, "name"),
				   protocol = strategy_text(d, "protocol");

		if (ip.n > 0 && strategy_int(d, "hostPort") == 0)
			strategy_warn(x->c,
				      "%s: hostIP set without hostPort: {Name:%.*s HostPort:0 "
				      "ContainerPort:%lld Protocol:%.*s HostIP:%.*s}",
				      path, (int)name.n, name.p,
				      (long long)strategy_int(d, "containerPort"), (int)protocol.n,
				      protocol.p, (int)ip.n, ip.p);
		for (size_t j = 0; j < ports->n; j++)
			warn_overlap(x, path, d, ports->v[j].path, ports->v[j].d);
		if (ports->n < PORTS_MAX) {
			ports->v[ports->n].d = d;
			ports->v[ports->n++].path = path;
		}
	}
}

static void warn_port_names(const struct pod *x, const struct ports *ports)
{
	for (size_t i = 0; i < ports->n; i++) {
		const struct slice name = strategy_text(ports->v[i].d, "name");

		for (size_t j = 0; name.n > 0 && j < i; j++)
			if (slice_eq(strategy_text(ports->v[j].d, "name"), name)) {
				strategy_warn(x->c,
					      "%s: duplicate port name \"%.*s\" with %s, services "
					      "and probes that select ports by name will use %s",
					      ports->v[i].path, (int)name.n, name.p,
					      ports->v[j].path, ports->v[j].path);
				break;
			}
	}
}

/* ---- all ---- */

static void warn_spec(const struct pod *x)
{
	const struct path overhead = PATH(x->at, "overhead"), dns = PATH(x->at, "dnsConfig"),
			  servers = PATH(&dns, "nameservers"), aliases = PATH(x->at, "hostAliases"),
			  grace = PATH(x->at, "terminationGracePeriodSeconds");
	struct ports *ports = ARENA_NEW(x->c->a, struct ports);
	struct files *files = ARENA_NEW(x->c->a, struct files);

	if (!ports || !files)
		return;
	files->x = x;
	warn_selector(x);
	warn_node_affinity(x);
	warn_spread(x);
	warn_annotations(x);
	warn_sources(x);
	DOC_EACH (v, doc_get(x->spec, "volumes"))
		warn_files(files, v);
	warn_twice(x, "hostAliases", "ip");
	warn_twice(x, "imagePullSecrets", "name");
	warn_empty_names(x);
	strategy_warn_fraction(x->c, &overhead, doc_get(x->spec, "overhead"), "memory");
	strategy_warn_fraction(x->c, &overhead, doc_get(x->spec, "overhead"), "ephemeral-storage");
	if (!doc_find(x->spec, "securityContext.seccompProfile"))
		warn_annotation(x, "seccomp.security.alpha.kubernetes.io/pod", seccomp_words);
	each(x, warn_container, NULL);
	each(x, warn_ports, ports);
	warn_port_names(x, ports);
	if (strategy_int(x->spec, "terminationGracePeriodSeconds") < 0)
		strategy_warn_at(x->c, &grace,
				 "must be >= 0; negative values are invalid and will be treated "
				 "as 1");
	warn_pod_affinity(x, "podAffinity");
	warn_pod_affinity(x, "podAntiAffinity");
	strategy_warn_ips(x->c, &servers, doc_find(x->spec, "dnsConfig.nameservers"));
	strategy_warn_ips_in(x->c, &aliases, doc_get(x->spec, "hostAliases"));
}

void strategy_warn_pod(struct strategy_call *c, const struct path *p, const struct doc *pod)
{
	const struct path meta = PATH(p, "metadata"), spec = PATH(p, "spec");
	const struct pod x = { .c = c,
			       .meta = &meta,
			       .at = &spec,
			       .annotations = doc_find(pod, "metadata.annotations"),
			       .spec = doc_get(pod, "spec"),
			       .template = p != NULL };

	if (pod)
		warn_spec(&x);
}

void strategy_warn_template(struct strategy_call *c, const struct doc *obj, const char *path)
{
	const struct path p = PATH(NULL, path);

	strategy_warn_pod(c, &p, doc_find(obj, path));
}
