/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defaults that follow from other fields; those of a single field stand in kinds/. Each function
 * gets an object whose own defaults and whose parts are complete.
 */
#include "api/defaults.h"

#include "api/object.h"
#include "api/quantity.h"
#include "base/arena.h"
#include "base/hash.h"
#include "doc/doc.h"

#include <time.h>

struct fix {
	const struct api_type *t;
	struct doc *obj;
	struct arena *a;
};

static struct doc *get(const struct fix *x, const char *field)
{
	return doc_get(x->obj, field);
}

static bool is(const struct fix *x, const char *field, const char *text)
{
	return doc_str_is(get(x, field), text);
}

static bool is_empty(const struct doc *d)
{
	return !d || d->type == DOC_NULL || d->n == 0;
}

void api_set(const struct api_type *t, struct doc *obj, struct arena *a, const char *field,
	     struct doc value)
{
	const struct schema_field *f = schema_find(&t->schema, slice_str(field), 0, false);
	struct doc *old = doc_get(obj, field), *kids;
	uint32_t at = 0;

	if (old) {
		*old = value;
		return;
	}
	if (!f || !doc_is(obj, DOC_OBJECT))
		return;
	while (at < obj->n) {
		const struct doc *key = doc_key_at(obj, at);
		const struct schema_field *g =
			schema_find(&t->schema, slice_of(key->s, key->n), at, false);

		if (g && g > f)
			break;
		at++;
	}
	kids = arena_alloc_raw(a, 2 * ((size_t)obj->n + 1) * sizeof(*kids), 16);
	if (!kids)
		return;
	if (obj->n) {
		memcpy(kids, obj->kids, 2 * (size_t)at * sizeof(*kids));
		memcpy(kids + 2 * (size_t)at + 2, obj->kids + 2 * (size_t)at,
		       2 * (size_t)(obj->n - at) * sizeof(*kids));
	}
	kids[2 * at] = (struct doc){
		.type = DOC_STRING, .flags = DOC_CLEAN | DOC_CSTR, .n = f->len, .s = f->name
	};
	kids[2 * at + 1] = value;
	obj->kids = kids;
	obj->room = 0;
	obj->n++;
}

static void set(struct fix *x, const char *field, struct doc value)
{
	api_set(x->t, x->obj, x->a, field, value);
}

static void set_text(struct fix *x, const char *field, const char *text)
{
	set(x, field, doc_borrow(text, strlen(text)));
}

static void set_int(struct fix *x, const char *field, int64_t v)
{
	set(x, field, doc_int(x->a, v));
}

/* The same fix on a part of the object. */
static struct fix part(const struct fix *x, struct doc *obj, const char *field)
{
	const struct schema_field *f = schema_find(&x->t->schema, slice_str(field), 0, false);

	return (struct fix){ f ? api_note_of(x->t, f)->type : x->t, obj, x->a };
}

/* ---- amounts of resources ---- */

/* Nothing finer than a thousandth is kept of them. */
static void fix_amounts(struct fix *x)
{
	for (unsigned i = 0; i < x->t->schema.n; i++) {
		const struct schema_field *f = &x->t->schema.fields[i];
		char text[QUANTITY_TEXT_MAX];
		struct quantity q;

		if (f->type != SCHEMA_MAP || f->elem_type != SCHEMA_QUANTITY)
			continue;
		DOC_EACH_MEMBER (key, value, get(x, f->name)) {
			(void)key;
			if (quantity_parse(doc_slice(value), &q) && quantity_round_milli(&q))
				*value = doc_strn(x->a, text, quantity_print(&q, text));
		}
	}
}

/* ---- pods ---- */

static void fix_container(struct fix *x)
{
	if (is_empty(get(x, "imagePullPolicy")))
		set_text(x, "imagePullPolicy",
			 api_image_is_latest(doc_slice(get(x, "image"))) ? "Always"
									 : "IfNotPresent");
}

static void fix_volume(struct fix *x)
{
	struct doc *image = get(x, "image");
	struct fix inner;

	if (x->obj->n <= 1 && (x->obj->n == 0 || get(x, "name")))
		set(x, "emptyDir", doc_object());
	if (!doc_is(image, DOC_OBJECT) || !is_empty(doc_get(image, "pullPolicy")))
		return;
	inner = part(x, image, "image");
	set_text(&inner, "pullPolicy",
		 api_image_is_latest(doc_slice(doc_get(image, "reference"))) ? "Always"
									     : "IfNotPresent");
}

static struct doc object_or_new(struct doc *d)
{
	return doc_is(d, DOC_OBJECT) ? *d : doc_object();
}

/* Members of `from` that the map *to does not have. */
static void fill(struct arena *a, struct doc *to, const struct doc *from)
{
	DOC_EACH_MEMBER (key, value, from)
		if (!doc_getn(to, doc_slice(key)))
			doc_add_node(a, to, *key, *value);
	api_sort_map(to);
}

/* An old field for the one value that a list of now begins with: what is in it alone, or differs,
 * was meant. `member`: of the list's objects; NULL: they are texts. */
static void fix_first(struct fix *x, const char *one, const char *list, const char *member)
{
	const struct doc *old = get(x, one), *first = doc_at(get(x, list), 0);
	struct doc all = doc_array(), object = doc_object();

	if (first && member)
		first = doc_get(first, member);
	if (is_empty(old) && !is_empty(first)) {
		set(x, one, *first);
	} else if (!is_empty(old) && !(first && slice_eq(doc_slice(old), doc_slice(first)))) {
		if (member)
			(void)doc_set(x->a, &object, member, *old);
		(void)doc_append(x->a, &all, member ? object : *old);
		set(x, list, all);
	}
}

/* An account's name has an older name; the one of today counts. */
static void fix_pod_spec(struct fix *x)
{
	const struct doc *name = get(x, "serviceAccountName"), *old = get(x, "serviceAccount");

	fix_amounts(x);
	if (!is_empty(name))
		set(x, "serviceAccount", *name);
	else if (!is_empty(old))
		set(x, "serviceAccountName", *old);
}

static void fix_pod_status(struct fix *x)
{
	fix_amounts(x);
	fix_first(x, "podIP", "podIPs", "ip");
}

/* What was written as text is kept as all data is. */
static void fix_secret(struct fix *x)
{
	struct doc data = object_or_new(get(x, "data"));

	DOC_EACH_MEMBER (key, value, get(x, "stringData")) {
		struct doc *there = doc_getn(&data, doc_slice(key));
		size_t n = BASE64_LEN(value->n);
		char *text = arena_alloc_raw(x->a, n + 1, 1);

		if (!text)
			return;
		base64_encode(text, value->s, value->n);
		if (there)
			*there = doc_borrow(text, n);
		else
			doc_add_node(x->a, &data, *key, doc_borrow(text, n));
	}
	if (!doc_remove(x->obj, "stringData"))
		return;
	api_sort_map(&data);
	if (data.n)
		set(x, "data", data);
}

static void fix_node_spec(struct fix *x)
{
	fix_first(x, "podCIDR", "podCIDRs", NULL);
}

/* Requests that are not there are the limits; in pods, not in templates. */
static void fix_requests(struct fix *spec, const char *list)
{
	DOC_EACH (c, get(spec, list)) {
		struct fix container = part(spec, c, list);
		struct doc *res = get(&container, "resources"), *limits = doc_get(res, "limits");
		struct doc requests = object_or_new(doc_get(res, "requests"));
		struct fix inner = part(&container, res, "resources");

		if (is_empty(limits))
			continue;
		fill(spec->a, &requests, limits);
		set(&inner, "requests", requests);
	}
}

static void fix_host_ports(struct fix *spec, const char *list)
{
	DOC_EACH (c, get(spec, list)) {
		struct fix container = part(spec, c, list);

		DOC_EACH (p, get(&container, "ports")) {
			struct fix port = part(&container, p, "ports");
			struct doc *number = get(&port, "containerPort");

			if (number && !get(&port, "hostPort"))
				set(&port, "hostPort", *number);
		}
	}
}

/* --- resources of a whole pod --- */

static bool is_huge(struct slice name)
{
	return slice_starts(name, SLICE("hugepages-"));
}

static bool is_pod_level(struct slice name)
{
	return slice_is(name, "cpu") || slice_is(name, "memory") || is_huge(name);
}

static struct quantity quantity_in(const struct doc *resources, const char *which,
				   struct slice name)
{
	struct doc *q = doc_getn(doc_get(resources, which), name);
	struct quantity ret = { 0 };

	if (q)
		(void)quantity_parse(doc_slice(q), &ret);
	return ret;
}

/* What the containers need together: those that run side by side, or the largest init container
 * with the sidecars started before it. */
static struct quantity needed(const struct doc *spec, const char *which, struct slice name)
{
	struct quantity sum = { 0 }, sidecars = { 0 }, largest = { 0 };

	DOC_EACH (c, doc_get(spec, "containers")) {
		struct quantity q = quantity_in(doc_get(c, "resources"), which, name);

		quantity_add(&sum, &q);
	}
	DOC_EACH (c, doc_get(spec, "initContainers")) {
		struct quantity q = quantity_in(doc_get(c, "resources"), which, name);

		if (doc_str_is(doc_get(c, "restartPolicy"), "Always")) {
			quantity_add(&sum, &q);
			quantity_add(&sidecars, &q);
			q = sidecars;
		} else {
			quantity_add(&q, &sidecars);
		}
		if (quantity_cmp(&q, &largest) > 0)
			largest = q;
	}
	return quantity_cmp(&sum, &largest) >= 0 ? sum : largest;
}

static void add_needed(struct fix *x, const struct doc *spec, const char *which, bool huge,
		       const struct doc *names, const struct doc *not_in, struct doc *to)
{
	DOC_EACH_MEMBER (key, value, names) {
		struct slice name = doc_slice(key);
		char text[QUANTITY_TEXT_MAX];
		struct quantity q;

		(void)value;
		if (!is_pod_level(name) || is_huge(name) != huge || doc_getn(to, name) ||
		    doc_getn(not_in, name))
			continue;
		q = needed(spec, which, name);
		doc_add_node(x->a, to, *key, doc_strn(x->a, text, quantity_print(&q, text)));
	}
}

static void add_all_needed(struct fix *x, const struct doc *spec, const char *which, bool huge,
			   const struct doc *not_in, struct doc *to)
{
	static const char *const lists[] = { "containers", "initContainers" };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		DOC_EACH (c, doc_get(spec, lists[i]))
			add_needed(x, spec, which, huge, doc_get(doc_get(c, "resources"), which),
				   not_in, to);
}

/* Limits of huge pages from the containers', then requests from theirs or from the limits. */
static void fix_pod_resources(struct fix *x)
{
	struct doc *res = get(x, "resources");
	struct fix inner = part(x, res, "resources");
	struct doc limits = object_or_new(doc_get(res, "limits"));
	struct doc requests = object_or_new(doc_get(res, "requests"));

	if (!res || (!limits.n && !requests.n))
		return;
	add_all_needed(x, x->obj, "limits", true, &requests, &limits);
	if (limits.n)
		set(&inner, "limits", limits);
	if (!limits.n)
		return;
	add_all_needed(x, x->obj, "requests", false, NULL, &requests);
	DOC_EACH_MEMBER (key, value, &limits)
		if (is_pod_level(doc_slice(key)) && !doc_getn(&requests, doc_slice(key)))
			doc_add_node(x->a, &requests, *key, *value);
	if (requests.n)
		set(&inner, "requests", requests);
}

static void fix_pod(struct fix *x)
{
	struct doc *spec = get(x, "spec");
	struct fix inner = part(x, spec, "spec");

	if (!doc_is(spec, DOC_OBJECT))
		return;
	fix_requests(&inner, "containers");
	fix_requests(&inner, "initContainers");
	fix_pod_resources(&inner);
	if (!doc_get(spec, "enableServiceLinks"))
		set(&inner, "enableServiceLinks", doc_bool(true));
	if (doc_true(doc_get(spec, "hostNetwork"))) {
		fix_host_ports(&inner, "containers");
		fix_host_ports(&inner, "initContainers");
	}
}

/* ---- core ---- */

static void fix_controller(struct fix *x)
{
	struct doc *spec = get(x, "spec"), *meta = get(x, "metadata");
	struct doc *labels = doc_find(spec, "template.metadata.labels");
	struct fix in_spec = part(x, spec, "spec"), in_meta = part(x, meta, "metadata");

	if (is_empty(labels))
		return;
	if (is_empty(doc_get(spec, "selector")))
		set(&in_spec, "selector", *labels);
	if (is_empty(doc_get(meta, "labels")))
		set(&in_meta, "labels", *labels);
}

static void fix_service_ports(struct fix *x)
{
	DOC_EACH (p, get(x, "ports")) {
		struct doc *target = doc_get(p, "targetPort"), *port = doc_get(p, "port");
		int64_t v = 1;

		if (target && port &&
		    (target->n == 0 ||
		     (doc_is(target, DOC_NUMBER) && doc_int64(target, &v) == 0 && v == 0)))
			*target = *port;
	}
}

static bool is_external(const struct fix *x)
{
	return is(x, "type", "LoadBalancer") || is(x, "type", "NodePort") ||
	       (is(x, "type", "ClusterIP") && !is_empty(get(x, "externalIPs")));
}

static void fix_service_spec(struct fix *x)
{
	bool client = is(x, "sessionAffinity", "ClientIP");

	if (is(x, "sessionAffinity", "None"))
		doc_remove(x->obj, "sessionAffinityConfig");
	if (client && !doc_find(get(x, "sessionAffinityConfig"), "clientIP.timeoutSeconds")) {
		struct doc config = doc_object();

		doc_set_int(x->a, doc_set_object(x->a, &config, "clientIP"), "timeoutSeconds",
			    10800);
		set(x, "sessionAffinityConfig", config);
	}
	fix_service_ports(x);
	if (is_external(x) && is_empty(get(x, "externalTrafficPolicy")))
		set_text(x, "externalTrafficPolicy", "Cluster");
	if (!get(x, "internalTrafficPolicy") && !is(x, "type", "ExternalName"))
		set_text(x, "internalTrafficPolicy", "Cluster");
	if (is(x, "type", "LoadBalancer") && !get(x, "allocateLoadBalancerNodePorts"))
		set(x, "allocateLoadBalancerNodePorts", doc_bool(true));
}

static void fix_service(struct fix *x)
{
	struct fix status = part(x, get(x, "status"), "status");
	struct fix balancer = part(&status, get(&status, "loadBalancer"), "loadBalancer");

	if (!doc_str_is(doc_find(x->obj, "spec.type"), "LoadBalancer"))
		return;
	DOC_EACH (i, get(&balancer, "ingress")) {
		struct fix point = part(&balancer, i, "ingress");

		if (!is_empty(get(&point, "ip")) && !get(&point, "ipMode"))
			set_text(&point, "ipMode", "VIP");
	}
}

static void fix_namespace(struct fix *x)
{
	struct doc *meta = get(x, "metadata"), *name = doc_get(meta, "name");
	struct fix inner = part(x, meta, "metadata");
	struct doc labels = object_or_new(doc_get(meta, "labels"));

	if (is_empty(name))
		return;
	doc_set(x->a, &labels, "kubernetes.io/metadata.name", *name);
	api_sort_map(&labels);
	set(&inner, "labels", labels);
}

/* Of the object alone: the spec within an attachment of storage has none. */
static void fix_persistent_volume(struct fix *x)
{
	struct doc *spec = get(x, "spec");
	struct fix inner = part(x, spec, "spec");

	if (is_empty(doc_get(spec, "persistentVolumeReclaimPolicy")))
		set_text(&inner, "persistentVolumeReclaimPolicy", "Retain");
	if (!doc_get(spec, "volumeMode"))
		set_text(&inner, "volumeMode", "Filesystem");
}

static void fix_node_status(struct fix *x)
{
	struct doc *capacity = get(x, "capacity");

	fix_amounts(x);
	if (!is_empty(capacity) && !get(x, "allocatable"))
		set(x, "allocatable", *capacity);
}

static void fix_limit(struct fix *x)
{
	struct doc def, request;

	fix_amounts(x);
	if (!is(x, "type", "Container"))
		return;
	def = object_or_new(get(x, "default"));
	request = object_or_new(get(x, "defaultRequest"));
	fill(x->a, &def, get(x, "max"));
	fill(x->a, &request, &def);
	fill(x->a, &request, get(x, "min"));
	if (def.n)
		set(x, "default", def);
	if (request.n)
		set(x, "defaultRequest", request);
}

/* ---- apps and batch ---- */

/* A rolling update has its parameters. */
static void fix_rolling(struct fix *x)
{
	struct fix inner;

	if (!is(x, "type", "RollingUpdate") || get(x, "rollingUpdate"))
		return;
	set(x, "rollingUpdate", doc_object());
	inner = part(x, get(x, "rollingUpdate"), "rollingUpdate");
	for (unsigned i = 0; inner.obj && i < inner.t->schema.n; i++) {
		const struct schema_field *f = &inner.t->schema.fields[i];
		struct doc *v = f->def ? schema_default_value(x->a, f) : NULL;

		if (v)
			set(&inner, f->name, *v);
	}
}

static void fix_set_update(struct fix *x)
{
	if (!is_empty(get(x, "type")))
		return;
	set_text(x, "type", "RollingUpdate");
	fix_rolling(x);
}

/* Claims of a set's pods say their kind. */
static void fix_set_spec(struct fix *x)
{
	DOC_EACH (c, get(x, "volumeClaimTemplates")) {
		struct fix claim = part(x, c, "volumeClaimTemplates");

		set_text(&claim, "kind", "PersistentVolumeClaim");
		set_text(&claim, "apiVersion", "v1");
	}
}

static void fix_job(struct fix *x)
{
	struct doc *spec = get(x, "spec"), *meta = get(x, "metadata");
	struct doc *labels = doc_find(spec, "template.metadata.labels");
	struct fix in_spec = part(x, spec, "spec"), in_meta = part(x, meta, "metadata");

	if (!doc_get(spec, "completions") && !doc_get(spec, "parallelism"))
		set_int(&in_spec, "completions", 1);
	if (!doc_get(spec, "parallelism"))
		set_int(&in_spec, "parallelism", 1);
	if (!doc_get(spec, "backoffLimit"))
		set_int(&in_spec, "backoffLimit",
			doc_get(spec, "backoffLimitPerIndex") ? INT32_MAX : 6);
	if (!is_empty(labels) && is_empty(doc_get(meta, "labels")))
		set(&in_meta, "labels", *labels);
	if (!doc_get(spec, "completionMode"))
		set_text(&in_spec, "completionMode", "NonIndexed");
	if (!doc_get(spec, "suspend"))
		set(&in_spec, "suspend", doc_bool(false));
	if (!doc_get(spec, "podReplacementPolicy"))
		set_text(&in_spec, "podReplacementPolicy",
			 doc_get(spec, "podFailurePolicy") ? "Failed" : "TerminatingOrFailed");
}

/* ---- autoscaling ---- */

static struct doc scaling_policy(struct arena *a, const char *type, int64_t value)
{
	struct doc p = doc_object();

	doc_set_str(a, &p, "type", type);
	doc_set_int(a, &p, "value", value);
	doc_set_int(a, &p, "periodSeconds", 15);
	return p;
}

static void fix_rules(struct fix *x, const char *which, bool up)
{
	struct doc rules = object_or_new(get(x, which)), list = doc_array();
	struct fix inner = part(x, &rules, which);

	if (up && !doc_get(&rules, "stabilizationWindowSeconds"))
		set_int(&inner, "stabilizationWindowSeconds", 0);
	if (!doc_get(&rules, "selectPolicy"))
		set_text(&inner, "selectPolicy", "Max");
	if (!doc_get(&rules, "policies")) {
		if (up)
			doc_append(x->a, &list, scaling_policy(x->a, "Pods", 4));
		doc_append(x->a, &list, scaling_policy(x->a, "Percent", 100));
		set(&inner, "policies", list);
	}
	set(x, which, rules);
}

static void fix_behavior(struct fix *x)
{
	fix_rules(x, "scaleUp", true);
	fix_rules(x, "scaleDown", false);
}

static void fix_autoscaler_spec(struct fix *x)
{
	struct doc list = doc_array(), *metric, *resource, *target;

	if (!is_empty(get(x, "metrics")))
		return;
	metric = doc_append_object(x->a, &list);
	doc_set_str(x->a, metric, "type", "Resource");
	resource = doc_set_object(x->a, metric, "resource");
	doc_set_str(x->a, resource, "name", "cpu");
	target = doc_set_object(x->a, resource, "target");
	doc_set_str(x->a, target, "type", "Utilization");
	doc_set_int(x->a, target, "averageUtilization", 80);
	set(x, "metrics", list);
}

/* ---- the other groups ---- */

static void fix_network_policy(struct fix *x)
{
	struct doc list = doc_array();

	if (!is_empty(get(x, "policyTypes")))
		return;
	doc_append_str(x->a, &list, "Ingress");
	if (!is_empty(get(x, "egress")))
		doc_append_str(x->a, &list, "Egress");
	set(x, "policyTypes", list);
}

static void fix_subject(struct fix *x)
{
	if (is_empty(get(x, "apiGroup")) && (is(x, "kind", "User") || is(x, "kind", "Group")))
		set_text(x, "apiGroup", "rbac.authorization.k8s.io");
}

static void fix_device_request(struct fix *x)
{
	if (is(x, "allocationMode", "ExactCount") && !get(x, "count"))
		set_int(x, "count", 1);
}

static void fix_taint(struct fix *x)
{
	struct schema_time now = { .set = true, .sec = time(NULL) };
	char text[40];

	if (!get(x, "timeAdded"))
		set(x, "timeAdded", doc_str(x->a, schema_format_time(&now, text)));
}

static void fix_names(struct fix *x)
{
	struct slice kind = doc_slice(get(x, "kind"));
	char *text;

	if (kind.n == 0)
		return;
	text = arena_alloc(x->a, kind.n + 5);
	if (!text)
		return;
	if (is_empty(get(x, "singular"))) {
		for (size_t i = 0; i < kind.n; i++)
			text[i] = (char)(kind.p[i] >= 'A' && kind.p[i] <= 'Z' ? kind.p[i] + 32
									      : kind.p[i]);
		set(x, "singular", doc_strn(x->a, text, kind.n));
	}
	if (is_empty(get(x, "listKind"))) {
		memcpy(text, kind.p, kind.n);
		memcpy(text + kind.n, "List", 5);
		set(x, "listKind", doc_strn(x->a, text, kind.n + 4));
	}
}

static void fix_definition(struct fix *x)
{
	struct doc *status = get(x, "status"), list = doc_array();
	struct fix inner = part(x, status, "status");

	if (!status || !is_empty(doc_get(status, "storedVersions")))
		return;
	DOC_EACH (v, doc_find(x->obj, "spec.versions"))
		if (doc_true(doc_get(v, "storage")) && !list.n)
			doc_append(x->a, &list, *doc_get(v, "name"));
	if (list.n)
		set(&inner, "storedVersions", list);
}

/* ---- binding ---- */

#define CORE "io.k8s.api.core.v1."
#define APPS "io.k8s.api.apps.v1."
#define CRDS "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."

static const struct {
	const char *definition;
	void (*fix)(struct fix *x);
} fixes[] = {
	{ CORE "PersistentVolumeSpec", fix_amounts },
	{ CORE "PersistentVolumeClaimStatus", fix_amounts },
	{ CORE "ResourceRequirements", fix_amounts },
	{ CORE "VolumeResourceRequirements", fix_amounts },
	{ CORE "ContainerStatus", fix_amounts },
	{ CORE "PodSpec", fix_pod_spec },
	{ CORE "PodStatus", fix_pod_status },
	{ CORE "NodeSpec", fix_node_spec },
	{ CORE "Secret", fix_secret },
	{ CORE "ResourceQuotaSpec", fix_amounts },
	{ CORE "ResourceQuotaStatus", fix_amounts },
	{ "io.k8s.api.node.v1.Overhead", fix_amounts },
	{ CORE "Container", fix_container },
	{ CORE "EphemeralContainer", fix_container },
	{ CORE "Volume", fix_volume },
	{ CORE "Pod", fix_pod },
	{ CORE "ReplicationController", fix_controller },
	{ CORE "ServiceSpec", fix_service_spec },
	{ CORE "Service", fix_service },
	{ CORE "Namespace", fix_namespace },
	{ CORE "PersistentVolume", fix_persistent_volume },
	{ CORE "NodeStatus", fix_node_status },
	{ CORE "LimitRangeItem", fix_limit },
	{ APPS "DeploymentStrategy", fix_rolling },
	{ APPS "DaemonSetUpdateStrategy", fix_rolling },
	{ APPS "StatefulSetUpdateStrategy", fix_set_update },
	{ APPS "StatefulSetSpec", fix_set_spec },
	{ "io.k8s.api.batch.v1.Job", fix_job },
	{ "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec", fix_autoscaler_spec },
	{ "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerBehavior", fix_behavior },
	{ "io.k8s.api.networking.v1.NetworkPolicySpec", fix_network_policy },
	{ "io.k8s.api.rbac.v1.Subject", fix_subject },
	{ "io.k8s.api.resource.v1.ExactDeviceRequest", fix_device_request },
	{ "io.k8s.api.resource.v1.DeviceSubRequest", fix_device_request },
	{ "io.k8s.api.resource.v1.DeviceTaint", fix_taint },
	{ CRDS "CustomResourceDefinitionNames", fix_names },
	{ CRDS "CustomResourceDefinition", fix_definition },
};

unsigned api_defaults_find(const char *definition)
{
	for (unsigned i = 0; i < ARRAY_LEN(fixes); i++)
		if (strcmp(fixes[i].definition, definition) == 0)
			return i + 1;
	return 0;
}

void api_defaults_run(const struct api_type *t, struct doc *obj, struct arena *a)
{
	struct fix x = { t, obj, a };

	if (t->fix)
		fixes[t->fix - 1].fix(&x);
}
