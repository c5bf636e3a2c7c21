/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of the other groups: certificates, networking, admission, storage, devices, policies. */
#include "apiserver/strategy/strategy-private.h"

/* ---- certificates.k8s.io ---- */

static void set_texts(struct strategy_call *c, struct doc *obj, const char *path,
		      const char *const *list)
{
	struct doc array = doc_array();

	for (; list && *list; list++)
		(void)doc_append_str(c->a, &array, *list);
	if (array.n)
		(void)strategy_set(c, obj, path, array);
	else
		(void)strategy_drop(obj, path);
}

static void set_text(struct strategy_call *c, struct doc *obj, const char *path, const char *text)
{
	if (text && *text)
		(void)strategy_set_text(c, obj, path, text);
	else
		(void)strategy_drop(obj, path);
}

/* Who asks, as the server knows it. */
static int create_request(struct strategy_call *c, struct doc *obj, struct err *err)
{
	(void)err;
	set_text(c, obj, "spec.username", c->user.name);
	set_text(c, obj, "spec.uid", c->user.uid);
	set_texts(c, obj, "spec.groups", c->user.groups);
	if (doc_len(c->user.extra) > 0)
		(void)strategy_set(c, obj, "spec.extra", *c->user.extra);
	else
		(void)strategy_drop(obj, "spec.extra");
	return 0;
}

static bool has_no_time(const struct doc *d, const char *field)
{
	const struct doc *t = doc_get(d, field);

	return !t || t->type == DOC_NULL;
}

static void set_times(struct strategy_call *c, struct doc *obj, const struct doc *old)
{
	const struct api_type *t = strategy_type(c->objects->kind->type, "status.conditions");

	DOC_EACH (d, doc_find(obj, "status.conditions")) {
		struct doc since = strategy_now(c);

		if (has_no_time(d, "lastUpdateTime"))
			(void)strategy_put(t, d, c->a, "lastUpdateTime", since);
		if (!has_no_time(d, "lastTransitionTime"))
			continue;
		DOC_EACH (o, doc_find(old, "status.conditions"))
			if (strategy_same_at(o, d, "type") && strategy_same_at(o, d, "status") &&
			    !has_no_time(o, "lastTransitionTime")) {
				since = *doc_get(o, "lastTransitionTime");
				break;
			}
		(void)strategy_put(t, d, c->a, "lastTransitionTime", since);
	}
}

static size_t count_type(const struct doc *list, const char *type)
{
	size_t n = 0;

	DOC_EACH (d, list)
		n += strategy_is(d, "type", type);
	return n;
}

/* A signer writes status and cannot approve; checking tells when there are more or fewer. */
static void keep_verdicts(struct doc *obj, const struct doc *old, const char *type)
{
	struct doc *list = doc_find(obj, "status.conditions");
	const struct doc *was = doc_find(old, "status.conditions");
	size_t at = 0;

	if (count_type(list, type) != count_type(was, type))
		return;
	DOC_EACH (d, list) {
		if (!strategy_is(d, "type", type))
			continue;
		while (!strategy_is(doc_at(was, at), "type", type))
			at++;
		*d = *doc_at(was, at++);
	}
}

static int update_request(struct strategy_call *c, struct doc *obj, const struct doc *old,
			  struct err *err)
{
	const struct api_type *t = c->objects->kind->type;
	struct doc conditions = doc_null();

	(void)err;
	strategy_keep(t, obj, old, c->a, "spec");
	if (strategy_sub(c, "status")) {
		keep_verdicts(obj, old, "Approved");
		keep_verdicts(obj, old, "Denied");
		set_times(c, obj, old);
	} else if (strategy_sub(c, "approval")) {
		struct doc *status = doc_copy_shared(c->a, doc_get(old, "status"));

		set_times(c, obj, old);
		if (doc_find(obj, "status.conditions"))
			conditions = *doc_find(obj, "status.conditions");
		(void)strategy_set(c, obj, "status", status ? *status : doc_object());
		if (doc_len(&conditions) > 0)
			(void)strategy_set(c, obj, "status.conditions", conditions);
		else
			(void)strategy_drop(obj, "status.conditions");
	}
	return 0;
}

/* ---- networking.k8s.io, discovery.k8s.io ---- */

static void warn_ingress(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
#define INGRESS_CLASS "kubernetes.io/ingress.class"
	if (strategy_sub(c, "status"))
		strategy_warn_balancer(c, obj);
	else if (!old && doc_get(doc_find(obj, "metadata.annotations"), INGRESS_CLASS) &&
		 !doc_find(obj, "spec.ingressClassName"))
		strategy_warn(c, "annotation \"" INGRESS_CLASS "\" is deprecated, please use "
				 "'spec.ingressClassName' instead");
}

static void warn_blocks(struct strategy_call *c, const struct doc *obj, const char *direction,
			const char *peers)
{
	const struct path spec = PATH(NULL, "spec"), p = PATH(&spec, direction);
	const struct doc *rules = doc_get(doc_get(obj, "spec"), direction);

	for (size_t i = 0; i < doc_len(rules); i++) {
		const struct path rule = PATH_INDEX(&p, i), list_at = PATH(&rule, peers);
		const struct doc *list = doc_get(doc_at(rules, i), peers);

		for (size_t j = 0; j < doc_len(list); j++) {
			const struct path peer = PATH_INDEX(&list_at, j),
					  block_at = PATH(&peer, "ipBlock"),
					  cidr = PATH(&block_at, "cidr"),
					  except_at = PATH(&block_at, "except");
			const struct doc *block = doc_get(doc_at(list, j), "ipBlock"),
					 *except = doc_get(block, "except");

			strategy_warn_cidr(c, &cidr, doc_get(block, "cidr"));
			for (size_t k = 0; k < doc_len(except); k++) {
				const struct path at = PATH_INDEX(&except_at, k);

				strategy_warn_cidr(c, &at, doc_at(except, k));
			}
		}
	}
}

static void warn_policy(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	(void)old;
	warn_blocks(c, obj, "ingress", "from");
	warn_blocks(c, obj, "egress", "to");
}

/* v1 has no deprecatedTopology that may be written. */
static void drop_topology(struct doc *obj)
{
	DOC_EACH (d, doc_get(obj, "endpoints"))
		(void)strategy_drop(d, "deprecatedTopology");
}

static int create_slice(struct strategy_call *c, struct doc *obj, struct err *err)
{
	(void)c;
	(void)err;
	drop_topology(obj);
	return 0;
}

static bool was_on(const struct doc *old, const struct doc *node)
{
	DOC_EACH (d, doc_get(old, "endpoints"))
		if (strategy_same(
			    doc_get(doc_get(d, "deprecatedTopology"), "kubernetes.io/hostname"),
			    node))
			return true;
	return false;
}

static int update_slice(struct strategy_call *c, struct doc *obj, const struct doc *old,
			struct err *err)
{
	const struct api_type *t = strategy_type(c->objects->kind->type, "endpoints");

	(void)err;
	if (strategy_same_at(obj, old, "endpoints"))
		return 0;
	DOC_EACH (d, doc_get(obj, "endpoints")) {
		const struct doc *node =
			doc_get(doc_get(d, "deprecatedTopology"), "kubernetes.io/hostname");

		if (node && !doc_get(d, "nodeName") && was_on(old, node))
			(void)strategy_put(t, d, c->a, "nodeName", *node);
	}
	drop_topology(obj);
	return 0;
}

static void warn_slice(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	const struct path p = PATH(NULL, "endpoints");
	const struct doc *list = doc_get(obj, "endpoints"),
			 *by = doc_get(doc_find(obj, "metadata.labels"),
				       "endpointslice.kubernetes.io/managed-by");

	if (!old && strategy_is(obj, "addressType", "FQDN"))
		strategy_warn(c, "spec.addressType: FQDN endpoints are deprecated");
	if (doc_str_is(by, "endpointslice-controller.k8s.io") ||
	    doc_str_is(by, "endpointslicemirroring-controller.k8s.io"))
		return;
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&p, i), at = PATH(&one, "addresses");

		strategy_warn_ips(c, &at, doc_get(doc_at(list, i), "addresses"));
	}
}

/* ---- storage.k8s.io, node.k8s.io ---- */

/* Counted from the first change on, not from the beginning. */
static int update_driver(struct strategy_call *c, struct doc *obj, const struct doc *old,
			 struct err *err)
{
#define PREVENT "spec.preventPodSchedulingIfMissing"
	const int64_t n = strategy_int(old, "metadata.generation");

	(void)err;
	if (!doc_find(old, PREVENT))
		(void)strategy_drop(obj, PREVENT);
	if (!strategy_same_at(obj, old, "spec"))
		(void)strategy_set(c, obj, "metadata.generation", doc_int(c->a, n + 1));
	return 0;
}

static int create_driver(struct strategy_call *c, struct doc *obj, struct err *err)
{
	(void)c;
	(void)err;
	(void)strategy_drop(obj, PREVENT);
	return 0;
}

static void warn_driver(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	if (doc_len(doc_find(obj, "spec.tokenRequests")) > 0 &&
	    !doc_find(obj, "spec.serviceAccountTokenInSecrets") &&
	    !(old && strategy_same_at(obj, old, "spec.tokenRequests")))
		strategy_warn(c, "spec.serviceAccountTokenInSecrets is unset; if supported by this "
				 "CSI driver, set to true to prevent possible logging of tokens in "
				 "volume attributes");
}

static void warn_class(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	const struct path p = PATH(NULL, "allowedTopologies");
	const struct doc *terms = doc_get(obj, "allowedTopologies");

	(void)old;
	for (size_t i = 0; i < doc_len(terms); i++) {
		const struct path term = PATH_INDEX(&p, i),
				  list_at = PATH(&term, "matchLabelExpressions");
		const struct doc *list = doc_get(doc_at(terms, i), "matchLabelExpressions");

		for (size_t j = 0; j < doc_len(list); j++) {
			const struct path one = PATH_INDEX(&list_at, j), at = PATH(&one, "key");
			const char *words =
				strategy_node_label(strategy_text(doc_at(list, j), "key"));

			if (words)
				strategy_warn_at(c, &at, "%s", words);
		}
	}
}

static void warn_capacity(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	const struct path p = PATH(NULL, "nodeTopology");
	const struct doc *topology = doc_get(obj, "nodeTopology");

	(void)old;
	strategy_warn_term(c, &p, topology, false);
	DOC_EACH_MEMBER (key, value, doc_get(topology, "matchLabels")) {
		const char *words = strategy_node_label(doc_slice(key));

		(void)value;
		if (words)
			strategy_warn(c, "nodeTopology.matchLabels.%s: %s", doc_cstr(c->a, key),
				      words);
	}
}

static void warn_runtime(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	(void)old;
	DOC_EACH_MEMBER (key, value, doc_find(obj, "scheduling.nodeSelector")) {
		const char *words = strategy_node_label(doc_slice(key));

		(void)value;
		if (words)
			strategy_warn(c, "scheduling.nodeSelector: %s", words);
	}
}

/* ---- coordination.k8s.io ---- */

static const char *const elected[] = { "spec.strategy", "spec.preferredHolder" };

static int create_lease(struct strategy_call *c, struct doc *obj, struct err *err)
{
	(void)c;
	(void)err;
	for (size_t i = 0; i < ARRAY_LEN(elected); i++)
		(void)strategy_drop(obj, elected[i]);
	return 0;
}

static int update_lease(struct strategy_call *c, struct doc *obj, const struct doc *old,
			struct err *err)
{
	(void)c;
	(void)err;
	for (size_t i = 0; i < ARRAY_LEN(elected); i++)
		if (!doc_find(old, elected[i]))
			(void)strategy_drop(obj, elected[i]);
	return 0;
}

/* ---- resource.k8s.io ---- */

/* Names of a device that is given to one, or shared by some. */
static const char *const device[] = { "driver", "pool", "device", "shareID" };

static bool has_device(const struct doc *list, const struct doc *one)
{
	DOC_EACH (d, list) {
		bool same = true;

		for (size_t i = 0; i < ARRAY_LEN(device); i++)
			same = same && strategy_same_at(d, one, device[i]);
		if (same)
			return true;
	}
	return false;
}

/* What is said of devices goes with their allocation. */
static int update_device_claim(struct strategy_call *c, struct doc *obj, const struct doc *old,
			       struct err *err)
{
#define RESULTS "status.allocation.devices.results"
	struct doc *list = doc_find(obj, "status.devices");

	(void)err;
	if (!strategy_sub(c, "status"))
		return 0;
	for (size_t i = doc_len(list); i-- > 0;)
		if (has_device(doc_find(old, RESULTS), doc_at(list, i)) &&
		    !has_device(doc_find(obj, RESULTS), doc_at(list, i)))
			(void)doc_remove_at(list, i);
	if (list && doc_len(list) == 0)
		(void)strategy_drop(obj, "status.devices");
	return 0;
}

static const char *const lists_of_values[] = { "bools", "ints", "strings", "versions" };
#define MAPPINGS "nodeAllocatableResourceMappings"

static bool has_lists(const struct doc *slice, bool drop)
{
	bool found = false;

	DOC_EACH (d, doc_find(slice, "spec.devices"))
		DOC_EACH_MEMBER (key, value, doc_get(d, "attributes"))
			for (size_t i = 0; i < ARRAY_LEN(lists_of_values); i++) {
				(void)key;
				if (!doc_get(value, lists_of_values[i]))
					continue;
				found = true;
				if (drop)
					(void)doc_remove(value, lists_of_values[i]);
			}
	return found;
}

static bool has_mappings(const struct doc *slice, bool drop)
{
	bool found = false;

	DOC_EACH (d, doc_find(slice, "spec.devices"))
		if (doc_get(d, MAPPINGS)) {
			found = true;
			if (drop)
				(void)doc_remove(d, MAPPINGS);
		}
	return found;
}

static int update_device_slice(struct strategy_call *c, struct doc *obj, const struct doc *old,
			       struct err *err)
{
	(void)c;
	(void)err;
	if (!has_lists(old, false))
		(void)has_lists(obj, true);
	if (!has_mappings(old, false))
		(void)has_mappings(obj, true);
	return 0;
}

static int create_device_slice(struct strategy_call *c, struct doc *obj, struct err *err)
{
	return update_device_slice(c, obj, NULL, err);
}

static void warn_device_slice(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	const struct slice driver = strategy_text(obj, "spec.driver");

	(void)old;
	for (size_t i = 0; i < driver.n; i++)
		if (driver.p[i] >= 'A' && driver.p[i] <= 'Z') {
			strategy_warn(c,
				      "spec.driver: driver names should be lowercase; \"%.*s\" "
				      "contains uppercase characters",
				      (int)driver.n, driver.p);
			return;
		}
}

/* ---- scheduling.k8s.io ---- */

static int create_priority(struct strategy_call *c, struct doc *obj, struct err *err)
{
	(void)err;
	(void)strategy_set(c, obj, "metadata.generation", doc_int(c->a, 1));
	return 0;
}

#define ADMISSION "admissionregistration.k8s.io"
#define NETWORKING "networking.k8s.io"
#define RBAC "rbac.authorization.k8s.io"
#define FLOW "flowcontrol.apiserver.k8s.io"
#define STORAGE "storage.k8s.io"
#define DEVICES "resource.k8s.io"
#define REVISION STRATEGY_NEEDS_REVISION
#define COUNTED STRATEGY_GENERATION
#define UPSERT STRATEGY_CREATE_ON_UPDATE

const struct strategy strategy_rest[] = {
	{ "certificates.k8s.io", "certificatesigningrequests", 0, create_request, update_request },
	{ NETWORKING, "ingresses", COUNTED, .warn = warn_ingress },
	{ NETWORKING, "ingressclasses", COUNTED },
	{ NETWORKING, "networkpolicies", COUNTED, .warn = warn_policy },
	{ NETWORKING, "servicecidrs", STRATEGY_STATUS_META },
	{ "discovery.k8s.io", "endpointslices", COUNTED | STRATEGY_COUNTS_LABELS, create_slice,
	  update_slice, .warn = warn_slice },
	{ "policy", "poddisruptionbudgets", COUNTED | REVISION },
	{ ADMISSION, "mutatingwebhookconfigurations", COUNTED | REVISION,
	  .warn = strategy_warn_static },
	{ ADMISSION, "validatingwebhookconfigurations", COUNTED | REVISION,
	  .warn = strategy_warn_static },
	{ ADMISSION, "mutatingadmissionpolicies", COUNTED | REVISION,
	  .warn = strategy_warn_static },
	{ ADMISSION, "mutatingadmissionpolicybindings", COUNTED | REVISION,
	  .warn = strategy_warn_static },
	{ ADMISSION, "validatingadmissionpolicies", COUNTED | REVISION | STRATEGY_STATUS_META,
	  .warn = strategy_warn_static },
	{ ADMISSION, "validatingadmissionpolicybindings", COUNTED | REVISION,
	  .warn = strategy_warn_static },
	{ FLOW, "flowschemas", COUNTED | STRATEGY_STATUS_ALL_META },
	{ FLOW, "prioritylevelconfigurations", COUNTED | STRATEGY_STATUS_ALL_META },
	{ "coordination.k8s.io", "leases", UPSERT | REVISION, create_lease, update_lease },
	{ "node.k8s.io", "runtimeclasses", UPSERT | REVISION, .warn = warn_runtime },
	{ "scheduling.k8s.io", "priorityclasses", 0, create_priority },
	{ RBAC, "roles", UPSERT },
	{ RBAC, "rolebindings", UPSERT },
	{ RBAC, "clusterroles", UPSERT },
	{ RBAC, "clusterrolebindings", UPSERT },
	{ "storagemigration.k8s.io", "storageversionmigrations",
	  REVISION | STRATEGY_STATUS_ALL_META },
	{ STORAGE, "csidrivers", REVISION, create_driver, update_driver, .warn = warn_driver },
	{ STORAGE, "csinodes", REVISION },
	{ STORAGE, "csistoragecapacities", REVISION, .warn = warn_capacity },
	{ STORAGE, "storageclasses", .warn = warn_class },
	{ STORAGE, "volumeattachments", REVISION | STRATEGY_STATUS_META },
	{ DEVICES, "deviceclasses", COUNTED },
	{ DEVICES, "resourceclaims", STRATEGY_STATUS_META, .update = update_device_claim },
	{ DEVICES, "resourceslices", COUNTED, create_device_slice, update_device_slice,
	  .warn = warn_device_slice },
	/* Definitions of custom kinds and of API services. */
	{ "apiextensions.k8s.io", "customresourcedefinitions", COUNTED | REVISION,
	  strategy_create_definition, strategy_update_definition,
	  .warn = strategy_warn_definition },
	{ "apiregistration.k8s.io", "apiservices", REVISION | STRATEGY_STATUS_META },
	{ 0 },
};
