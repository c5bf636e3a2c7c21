/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods: what a new one begins with (phase, class of service, selectors completed by its labels),
 * what each subresource may change, how long it may take to end.
 */
#include "apiserver/strategy/strategy-private.h"

#include "api/quantity.h"

#include <stdarg.h>

static const char *const container_lists[] = { "initContainers", "containers",
					       "ephemeralContainers" };

/* ---- features that are off ---- */

/* Does a container's lifecycle name a signal? drop: not any more. */
static bool stop_signals(const struct doc *spec, bool drop)
{
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(container_lists); i++)
		DOC_EACH (d, doc_get(spec, container_lists[i])) {
			struct doc *lifecycle = doc_get(d, "lifecycle");

			if (!doc_get(lifecycle, "stopSignal"))
				continue;
			found = true;
			if (drop && doc_remove(lifecycle, "stopSignal") && doc_len(lifecycle) == 0)
				(void)doc_remove(d, "lifecycle");
		}
	return found;
}

static bool projections(const struct doc *spec, const char *source, bool drop)
{
	bool found = false;

	DOC_EACH (volume, doc_get(spec, "volumes"))
		DOC_EACH (d, doc_find(volume, "projected.sources"))
			if (doc_get(d, source)) {
				found = true;
				if (drop)
					(void)doc_remove(d, source);
			}
	return found;
}

/* Container stop signals, trust bundles and certificates in volumes, groups of pods. */
void strategy_trim_pod(struct doc *spec, const struct doc *old)
{
	static const char *const sources[] = { "clusterTrustBundle", "podCertificate" };

	if (!stop_signals(old, false))
		(void)stop_signals(spec, true);
	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		if (!projections(old, sources[i], false))
			(void)projections(spec, sources[i], true);
	if (!doc_get(old, "schedulingGroup"))
		(void)strategy_drop(spec, "schedulingGroup");
}

static const char *const status_lists[] = { "containerStatuses", "initContainerStatuses",
					    "ephemeralContainerStatuses" };

static bool volume_states(const struct doc *status, bool drop)
{
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(status_lists); i++)
		DOC_EACH (d, doc_get(status, status_lists[i]))
			DOC_EACH (mount, doc_get(d, "volumeMounts"))
				if (doc_get(mount, "volumeStatus")) {
					found = true;
					if (drop)
						(void)doc_remove(mount, "volumeStatus");
				}
	return found;
}

static void trim_status(struct doc *status, const struct doc *old)
{
#define NODE_CLAIMS "nodeAllocatableResourceClaimStatuses"
	if (!volume_states(old, false))
		(void)volume_states(status, true);
	if (!doc_get(old, NODE_CLAIMS))
		(void)strategy_drop(status, NODE_CLAIMS);
}

/* ---- class of service ---- */

struct amounts {
	struct quantity v[2]; /* cpu, memory */
	bool set[2];
};
static const char *const counted[2] = { "cpu", "memory" };

/* Adds what is above zero of a list of amounts; true: both were. */
static bool add_amounts(struct amounts *sum, const struct doc *list)
{
	const struct quantity zero = { 0 };
	unsigned n = 0;

	for (size_t i = 0; i < 2; i++) {
		struct quantity q;

		if (!quantity_parse(doc_slice(doc_get(list, counted[i])), &q) ||
		    quantity_cmp(&q, &zero) <= 0)
			continue;
		n++;
		if (sum->set[i])
			quantity_add(&sum->v[i], &q);
		else
			sum->v[i] = q;
		sum->set[i] = true;
	}
	return n == 2;
}

const char *strategy_class_of_service(const struct doc *spec)
{
	struct amounts requests = { 0 }, limits = { 0 };
	const struct doc *whole = doc_get(spec, "resources");
	bool guaranteed = true;

	if (whole) {
		(void)add_amounts(&requests, doc_get(whole, "requests"));
		if (!add_amounts(&limits, doc_get(whole, "limits")) &&
		    doc_len(doc_get(whole, "limits")) > 0)
			guaranteed = false;
	}
	for (size_t i = 0; !whole && i < 2; i++)
		DOC_EACH (d, doc_get(spec, container_lists[i])) {
			(void)add_amounts(&requests, doc_find(d, "resources.requests"));
			if (!add_amounts(&limits, doc_find(d, "resources.limits")))
				guaranteed = false;
		}
	if (!requests.set[0] && !requests.set[1] && !limits.set[0] && !limits.set[1])
		return "BestEffort";
	for (size_t i = 0; i < 2; i++)
		if (requests.set[i] != limits.set[i] ||
		    (requests.set[i] && quantity_cmp(&requests.v[i], &limits.v[i]) != 0))
			guaranteed = false;
	return guaranteed ? "Guaranteed" : "Burstable";
}

/* ---- selectors that the pod's labels complete ---- */

static bool has_expression(const struct doc *list, const struct doc *expression)
{
	DOC_EACH (d, list)
		if (doc_equal(d, expression))
			return true;
	return false;
}

/* keys: names of labels whose values the selector is to have, or not to have. A repeated call finds
 * its own expressions there. */
static void add_keys(struct strategy_call *c, struct doc *selector, const struct doc *keys,
		     const char *op, const struct doc *labels)
{
	DOC_EACH (key, keys) {
		const struct doc *value = doc_getn(labels, doc_slice(key));
		struct doc *list = doc_get(selector, "matchExpressions"), one = doc_object();

		if (!value)
			continue;
		if (!list)
			list = doc_set(c->a, selector, "matchExpressions", doc_array());
		(void)doc_set(c->a, &one, "key", *key);
		(void)doc_set_str(c->a, &one, "operator", op);
		(void)doc_append(c->a, doc_set_array(c->a, &one, "values"), *value);
		if (!has_expression(list, &one))
			(void)doc_append(c->a, list, one);
	}
}

static void complete_term(struct strategy_call *c, struct doc *term, const struct doc *labels)
{
	struct doc *selector = doc_get(term, "labelSelector");

	if (!selector)
		return;
	add_keys(c, selector, doc_get(term, "matchLabelKeys"), "In", labels);
	add_keys(c, selector, doc_get(term, "mismatchLabelKeys"), "NotIn", labels);
}

static void complete_selectors(struct strategy_call *c, struct doc *obj)
{
	static const char *const affinities[] = { "podAffinity", "podAntiAffinity" };
	const struct doc *labels = doc_find(obj, "metadata.labels");

	for (size_t i = 0; i < ARRAY_LEN(affinities); i++) {
		const struct doc *d = doc_get(doc_find(obj, "spec.affinity"), affinities[i]);

		DOC_EACH (term, doc_get(d, "preferredDuringSchedulingIgnoredDuringExecution"))
			complete_term(c, doc_get(term, "podAffinityTerm"), labels);
		DOC_EACH (term, doc_get(d, "requiredDuringSchedulingIgnoredDuringExecution"))
			complete_term(c, term, labels);
	}
	DOC_EACH (d, doc_find(obj, "spec.topologySpreadConstraints"))
		complete_term(c, d, labels);
}

/* ---- profiles of AppArmor ---- */

struct doc *strategy_apparmor(struct arena *a, struct slice annotation)
{
	static const char local[] = "localhost/";
	struct doc *d = doc_new_object(a);

	if (slice_is(annotation, "unconfined")) {
		(void)doc_set_str(a, d, "type", "Unconfined");
	} else if (slice_is(annotation, "runtime/default")) {
		(void)doc_set_str(a, d, "type", "RuntimeDefault");
	} else if (slice_starts(annotation, slice_str(local)) && annotation.n > sizeof(local) - 1) {
		(void)doc_set_str(a, d, "type", "Localhost");
		(void)doc_set_strn(a, d, "localhostProfile", annotation.p + sizeof(local) - 1,
				   annotation.n - (sizeof(local) - 1));
	} else {
		return NULL;
	}
	return d;
}

/* A name that may stand in the field: no blanks around it, not too long. */
static bool is_profile(const struct doc *profile)
{
	struct slice name = strategy_text(profile, "localhostProfile");

	return name.n == slice_trim(name).n && name.n <= 4095;
}

/* Annotations of old clients become the field. */
static void take_profile(struct strategy_call *c, struct doc *obj, const struct doc *podwide,
			 struct doc *container, const struct api_type *t)
{
	const char *key = arena_printf(c->a, STRATEGY_APPARMOR "%.*s",
				       (int)strategy_text(container, "name").n,
				       strategy_text(container, "name").p);
	const struct doc *annotation =
		key ? doc_get(doc_find(obj, "metadata.annotations"), key) : NULL;
	struct doc *profile;

	if (!annotation || doc_find(container, "securityContext.appArmorProfile"))
		return;
	profile = strategy_apparmor(c->a, doc_slice(annotation));
	if (profile && is_profile(profile)) {
		if (podwide && doc_equal(profile, podwide))
			return;
		(void)strategy_put(t, container, c->a, "securityContext.appArmorProfile", *profile);
	}
	strategy_warn(c, "metadata.annotations[%s]: " STRATEGY_APPARMOR_WARNING, key);
}

static void take_profiles(struct strategy_call *c, struct doc *obj)
{
	const struct api_type *spec = strategy_type(c->objects->kind->type, "spec");
	const struct doc *podwide = doc_find(obj, "spec.securityContext.appArmorProfile");

	if (strategy_is(obj, "spec.os.name", "windows"))
		return;
	for (size_t i = 0; i < ARRAY_LEN(container_lists); i++)
		DOC_EACH (d, doc_get(doc_get(obj, "spec"), container_lists[i]))
			take_profile(c, obj, podwide, d, strategy_type(spec, container_lists[i]));
}

/* ---- conditions ---- */

void strategy_pod_condition(struct strategy_call *c, struct doc *pod, const char *type,
			    const char *status, const char *reason, const char *message)
{
	const struct api_type *t = strategy_type(c->objects->kind->type, "status.conditions");
	struct doc *list = doc_find(pod, "status.conditions"), *old, one = doc_object();
	const struct doc *since;

	if (!list)
		list = strategy_set(c, pod, "status.conditions", doc_array());
	old = strategy_condition(list, type);
	since = strategy_is(old, "status", status) ? doc_get(old, "lastTransitionTime") : NULL;
	(void)strategy_put(t, &one, c->a, "type", doc_str(c->a, type));
	(void)strategy_put(t, &one, c->a, "status", doc_str(c->a, status));
	(void)strategy_put(t, &one, c->a, "lastProbeTime", doc_null());
	(void)strategy_put(t, &one, c->a, "lastTransitionTime", since ? *since : strategy_now(c));
	if (reason)
		(void)strategy_put(t, &one, c->a, "reason", doc_str(c->a, reason));
	if (message)
		(void)strategy_put(t, &one, c->a, "message", doc_str(c->a, message));
	if (old)
		*old = one;
	else
		(void)doc_append(c->a, list, one);
}

/* ---- a new pod ---- */

static int create_pod(struct strategy_call *c, struct doc *obj, struct err *err)
{
	(void)err;
	(void)strategy_set_text(c, obj, "status.phase", "Pending");
	(void)strategy_set_text(c, obj, "status.qosClass",
				strategy_class_of_service(doc_get(obj, "spec")));
	strategy_trim_pod(doc_get(obj, "spec"), NULL);
	if (doc_len(doc_find(obj, "spec.schedulingGates")) > 0)
		strategy_pod_condition(c, obj, "PodScheduled", "False", "SchedulingGated",
				       "Scheduling is blocked due to non-empty scheduling gates");
	complete_selectors(c, obj);
	take_profiles(c, obj);
	return 0;
}

/* ---- what subresources may change ---- */

static void keep_owners(struct strategy_call *c, struct doc *obj, const struct doc *old)
{
	strategy_keep(c->objects->kind->type, obj, old, c->a, "metadata.ownerReferences");
}

static const struct doc *nth_of_type(const struct doc *list, const struct doc *type, size_t n)
{
	DOC_EACH (d, list)
		if (strategy_same(doc_get(d, "type"), type) && n-- == 0)
			return d;
	return NULL;
}

/* Clients that do not know observedGeneration do not take it away. */
static void keep_observed(struct strategy_call *c, struct doc *obj, const struct doc *old)
{
	const struct api_type *t = strategy_type(c->objects->kind->type, "status.conditions");
	const struct doc *list = doc_find(obj, "status.conditions"),
			 *was = doc_find(old, "status.conditions");

	if (strategy_int(obj, "status.observedGeneration") == 0)
		strategy_keep(c->objects->kind->type, obj, old, c->a, "status.observedGeneration");
	for (size_t i = 0; i < doc_len(list); i++) {
		struct doc *d = doc_at(list, i);
		const struct doc *same;
		size_t before = 0;

		for (size_t j = 0; j < i; j++)
			before += strategy_same_at(doc_at(list, j), d, "type");
		same = nth_of_type(was, doc_get(d, "type"), before);
		if (strategy_int(d, "observedGeneration") == 0 &&
		    doc_get(same, "observedGeneration"))
			(void)strategy_put(t, d, c->a, "observedGeneration",
					   *doc_get(same, "observedGeneration"));
	}
}

static void update_status(struct strategy_call *c, struct doc *obj, const struct doc *old)
{
	keep_owners(c, obj, old);
	if (strategy_text(obj, "status.qosClass").n == 0)
		strategy_keep(c->objects->kind->type, obj, old, c->a, "status.qosClass");
	keep_observed(c, obj, old);
	trim_status(doc_get(obj, "status"), doc_get(old, "status"));
}

/* metadata of old but for managedFields, and the deletion that goes on. */
static void keep_metadata(struct strategy_call *c, struct doc *obj, const struct doc *old)
{
	static const char *const kept[] = { "metadata.generation", "metadata.labels",
					    "metadata.annotations", "metadata.finalizers" };

	keep_owners(c, obj, old);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		strategy_keep(c->objects->kind->type, obj, old, c->a, kept[i]);
}

/* spec becomes old's but for one member, which is *mine, or none. */
static void keep_spec_but(struct strategy_call *c, struct doc *obj, const struct doc *old,
			  const char *field, const struct doc *mine)
{
	const struct api_type *t = strategy_type(c->objects->kind->type, "spec");
	struct doc *copy = doc_copy_shared(c->a, doc_get(old, "spec")), value;

	if (!copy)
		return;
	if (mine) {
		value = *mine;
		(void)strategy_put(t, copy, c->a, field, value);
	} else {
		(void)strategy_drop(copy, field);
	}
	(void)strategy_set(c, obj, "spec", *copy);
}

/* Same containers in the same order? Else checking tells what is wrong. */
static bool same_names(const struct doc *x, const struct doc *y)
{
	if (doc_len(x) != doc_len(y))
		return false;
	for (size_t i = 0; i < doc_len(x); i++)
		if (!strategy_same_at(doc_at(x, i), doc_at(y, i), "name"))
			return false;
	return true;
}

/* A copy of old's containers with the new resources and policies. */
static struct doc *resized(struct strategy_call *c, const struct doc *list, const struct doc *old,
			   const struct api_type *t)
{
	struct doc *copy;

	if (!list || !same_names(list, old))
		return list ? doc_copy_shared(c->a, list) : NULL;
	copy = doc_copy_shared(c->a, old);
	for (size_t i = 0; copy && i < doc_len(copy); i++) {
		strategy_keep(t, doc_at(copy, i), doc_at(list, i), c->a, "resources");
		strategy_keep(t, doc_at(copy, i), doc_at(list, i), c->a, "resizePolicy");
	}
	return copy;
}

static void update_resize(struct strategy_call *c, struct doc *obj, const struct doc *old)
{
	const struct api_type *t = strategy_type(c->objects->kind->type, "spec");
	const struct doc *spec = doc_get(obj, "spec"), *was = doc_get(old, "spec");
	struct doc *lists[2];

	for (size_t i = 0; i < 2; i++)
		if (doc_len(doc_get(spec, container_lists[i])) !=
		    doc_len(doc_get(was, container_lists[i])))
			return;
	for (size_t i = 0; i < 2; i++)
		lists[i] = resized(c, doc_get(spec, container_lists[i]),
				   doc_get(was, container_lists[i]),
				   strategy_type(t, container_lists[i]));
	keep_spec_but(c, obj, old, "resources", doc_get(spec, "resources"));
	for (size_t i = 0; i < 2; i++)
		if (lists[i])
			(void)strategy_put(t, doc_get(obj, "spec"), c->a, container_lists[i],
					   *lists[i]);
	keep_metadata(c, obj, old);
}

static int update_pod(struct strategy_call *c, struct doc *obj, const struct doc *old,
		      struct err *err)
{
	(void)err;
	if (strategy_sub(c, "status")) {
		update_status(c, obj, old);
		return 0;
	}
	if (strategy_sub(c, "ephemeralcontainers")) {
		keep_spec_but(c, obj, old, "ephemeralContainers",
			      doc_find(obj, "spec.ephemeralContainers"));
		keep_metadata(c, obj, old);
	} else if (strategy_sub(c, "resize")) {
		update_resize(c, obj, old);
	}
	strategy_trim_pod(doc_get(obj, "spec"), doc_get(old, "spec"));
	return 0;
}

/* ---- the end ---- */

static int64_t grace_of(const struct doc *pod, const struct doc *options)
{
	const struct doc *asked = doc_get(options, "gracePeriodSeconds");
	int64_t seconds = asked ? check_number(asked)
				: strategy_int(pod, "spec.terminationGracePeriodSeconds");

	if (strategy_text(pod, "spec.nodeName").n == 0 ||
	    strategy_is(pod, "status.phase", "Failed") ||
	    strategy_is(pod, "status.phase", "Succeeded") || seconds == 0)
		return -1;
	return seconds < 0 ? 1 : seconds;
}

static void warn_pod(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	const struct path status = PATH(NULL, "status"), pods = PATH(&status, "podIPs"),
			  hosts = PATH(&status, "hostIPs");

	if (strategy_sub(c, "status")) {
		strategy_warn_ips_in(c, &pods, doc_find(obj, "status.podIPs"));
		strategy_warn_ips_in(c, &hosts, doc_find(obj, "status.hostIPs"));
	}
	/* Pods are hardly updated by people. */
	if (old)
		return;
	strategy_warn_pod_name(c, obj, "the Pod's hostname");
	strategy_warn_pod(c, NULL, obj);
}

const struct strategy strategy_pod[] = {
	{ "", "pods", STRATEGY_GENERATION | STRATEGY_GRACEFUL, create_pod, update_pod,
	  .warn = warn_pod, .grace = grace_of },
	{ 0 },
};
