/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What objects count for in quotas: which names of resources a kind answers to, what one object
 * uses of them, whether it falls under a quota's scopes. Spec: pkg/quota/v1.
 */
#include "apiserver/admission/admission-quota.h"

#include "base/clock.h"
#include "base/err.h"

#include <stdio.h>

#define CLASS_SUFFIX ".storageclass.storage.k8s.io/"

static const struct quantity zero = { 0 };

static struct quantity whole(int64_t n)
{
	return (struct quantity){ .nano = (__int128)n * 1000000000, .form = QUANTITY_DECIMAL };
}

static void put(struct amounts *l, const char *name, const struct quantity *q)
{
	if (name && q)
		amounts_put(l, slice_str(name), q);
}

static bool is_one_of(struct slice s, const char *const *list)
{
	for (; *list; list++)
		if (slice_is(s, *list))
			return true;
	return false;
}

/* ---- counts of objects ---- */

static const struct {
	const char *resource, *name;
} short_names[] = { { "configmaps", "configmaps" },
		    { "resourcequotas", "resourcequotas" },
		    { "replicationcontrollers", "replicationcontrollers" },
		    { "secrets", "secrets" },
		    { "pods", "pods" },
		    { "services", "services" },
		    { "persistentvolumeclaims", "persistentvolumeclaims" } };

const char *usage_count_name(const struct api_kind *k, struct arena *a)
{
	return *k->group->group ? arena_printf(a, "count/%s.%s", k->resource, k->group->group)
				: arena_printf(a, "count/%s", k->resource);
}

static const char *short_name(const struct api_kind *k)
{
	for (size_t i = 0; !*k->group->group && i < ARRAY_LEN(short_names); i++)
		if (strcmp(short_names[i].resource, k->resource) == 0)
			return short_names[i].name;
	return NULL;
}

/* ---- pods ---- */

static bool has_prefix(struct slice s, const char *prefix)
{
	return slice_starts(s, slice_str(prefix));
}

static bool pod_answers(struct slice name)
{
	static const char *const names[] = { "cpu",
					     "memory",
					     "ephemeral-storage",
					     "requests.cpu",
					     "requests.memory",
					     "requests.ephemeral-storage",
					     "limits.cpu",
					     "limits.memory",
					     "limits.ephemeral-storage",
					     "pods",
					     NULL };

	if (is_one_of(name, names) || has_prefix(name, "hugepages-") ||
	    has_prefix(name, "requests.hugepages-") ||
	    has_prefix(name, "requests.deviceclass.resource.kubernetes.io/"))
		return true;
	return has_prefix(name, "requests.") && slice_has(name, '/') &&
	       !slice_has_text(name, SLICE("kubernetes.io/"));
}

/* One that ended, or should have by now, uses nothing but its place. */
static bool is_over(const struct doc *pod, int64_t now)
{
	const struct doc *grace = doc_find(pod, "metadata.deletionGracePeriodSeconds"),
			 *at = doc_find(pod, "metadata.deletionTimestamp");
	int64_t then;

	if (strategy_is(pod, "status.phase", "Failed") ||
	    strategy_is(pod, "status.phase", "Succeeded"))
		return true;
	return at && grace && clock_parse_rfc3339(doc_slice(at), &then, NULL) == 0 &&
	       now > then / NS_PER_SEC + check_number(grace);
}

static void use_requests(struct amounts *l, const struct amounts *requests)
{
	static const char *const both[] = { "cpu", "memory", "ephemeral-storage", NULL };

	for (size_t i = 0; i < requests->n; i++) {
		struct slice name = requests->v[i].name;
		const bool pages = has_prefix(name, "hugepages-");

		if (is_one_of(name, both) || pages)
			amounts_put(l, name, &requests->v[i].q);
		if (is_one_of(name, both) || pages || amounts_is_extended(name))
			put(l, arena_printf(l->a, "requests.%.*s", (int)name.n, name.p),
			    &requests->v[i].q);
	}
}

static void use_limits(struct amounts *l, const struct amounts *limits)
{
	put(l, "limits.cpu", amounts_get(limits, SLICE("cpu")));
	put(l, "limits.memory", amounts_get(limits, SLICE("memory")));
	put(l, "limits.ephemeral-storage", amounts_get(limits, SLICE("ephemeral-storage")));
}

static void pod_uses(struct amounts *l, const struct doc *pod, int64_t now)
{
	const struct quantity one = whole(1);
	struct amounts sum;

	if (is_over(pod, now))
		return;
	put(l, "pods", &one);
	sum = amounts_of_pod(l->a, pod, "requests", AMOUNTS_OVERHEAD | AMOUNTS_STATUS);
	use_requests(l, &sum);
	sum = amounts_of_pod(l->a, pod, "limits", AMOUNTS_OVERHEAD | AMOUNTS_STATUS);
	use_limits(l, &sum);
}

bool usage_is_bounded(const struct doc *pod)
{
	const struct doc *deadline = doc_find(pod, "spec.activeDeadlineSeconds");

	return deadline && check_number(deadline) >= 0;
}

static bool looks_abroad(const struct doc *affinity)
{
	DOC_EACH (t, doc_get(affinity, "requiredDuringSchedulingIgnoredDuringExecution"))
		if (doc_len(doc_get(t, "namespaces")) || doc_get(t, "namespaceSelector"))
			return true;
	DOC_EACH (w, doc_get(affinity, "preferredDuringSchedulingIgnoredDuringExecution")) {
		const struct doc *t = doc_get(w, "podAffinityTerm");

		if (doc_len(doc_get(t, "namespaces")) || doc_get(t, "namespaceSelector"))
			return true;
	}
	return false;
}

/* A value that may be absent (empty) against Exists, DoesNotExist, In, NotIn. */
static bool meets(const struct doc *term, struct slice value)
{
	bool in = false;

	DOC_EACH (v, doc_get(term, "values"))
		in |= slice_eq(doc_slice(v), value);
	if (strategy_is(term, "operator", "In"))
		return value.n && in;
	if (strategy_is(term, "operator", "NotIn"))
		return !value.n || !in;
	if (strategy_is(term, "operator", "DoesNotExist"))
		return !value.n;
	return value.n;
}

static bool pod_meets(const struct doc *pod, struct slice scope, const struct doc *term)
{
	if (slice_is(scope, "Terminating"))
		return usage_is_bounded(pod);
	if (slice_is(scope, "NotTerminating"))
		return !usage_is_bounded(pod);
	if (slice_is(scope, "BestEffort"))
		return strategy_is(pod, "status.qosClass", "BestEffort");
	if (slice_is(scope, "NotBestEffort"))
		return !strategy_is(pod, "status.qosClass", "BestEffort");
	if (slice_is(scope, "PriorityClass"))
		return meets(term, strategy_text(pod, "spec.priorityClassName"));
	return slice_is(scope, "CrossNamespacePodAffinity") &&
	       (looks_abroad(doc_find(pod, "spec.affinity.podAffinity")) ||
		looks_abroad(doc_find(pod, "spec.affinity.podAntiAffinity")));
}

/* ---- services ---- */

static bool service_answers(struct slice name)
{
	static const char *const names[] = { "services", "services.loadbalancers",
					     "services.nodeports", NULL };

	return is_one_of(name, names);
}

static void service_uses(struct amounts *l, const struct doc *service)
{
	const bool balanced = strategy_is(service, "spec.type", "LoadBalancer");
	const struct doc *ports = doc_find(service, "spec.ports"),
			 *wants = doc_find(service, "spec.allocateLoadBalancerNodePorts");
	int64_t n = 0;

	if (strategy_is(service, "spec.type", "NodePort") ||
	    (balanced && (!wants || doc_true(wants))))
		n = (int64_t)doc_len(ports);
	else if (balanced)
		DOC_EACH (p, ports)
			n += strategy_int(p, "nodePort") != 0;
	put(l, "services", &(struct quantity){ whole(1).nano, QUANTITY_DECIMAL });
	put(l, "services.nodeports", &(struct quantity){ whole(n).nano, QUANTITY_DECIMAL });
	put(l, "services.loadbalancers",
	    &(struct quantity){ whole(balanced).nano, QUANTITY_DECIMAL });
}

/* ---- claims ---- */

static bool claim_answers(struct slice name)
{
	return slice_is(name, "persistentvolumeclaims") || slice_is(name, "requests.storage") ||
	       slice_ends(name, SLICE(CLASS_SUFFIX "persistentvolumeclaims")) ||
	       slice_ends(name, SLICE(CLASS_SUFFIX "requests.storage"));
}

/* Whole bytes of what is asked for, or was given when that is more. */
static bool storage_of(const struct doc *claim, struct quantity *ret)
{
	const struct doc *given = doc_find(claim, "status.allocatedResources.storage");
	struct quantity q;

	if (!quantity_parse(strategy_text(claim, "spec.resources.requests.storage"), ret))
		return false;
	if (given && quantity_parse(doc_slice(given), &q) && quantity_cmp(&q, ret) > 0)
		*ret = q;
	if (ret->nano % 1000000000)
		ret->nano = whole(quantity_units(ret)).nano;
	return true;
}

static void claim_uses(struct amounts *l, const struct doc *claim)
{
	const struct doc *old = doc_get(doc_find(claim, "metadata.annotations"),
					"volume.beta.kubernetes.io/storage-class");
	struct slice class = old ? doc_slice(old) : strategy_text(claim, "spec.storageClassName");
	const struct quantity one = whole(1);
	struct quantity size;
	bool sized = storage_of(claim, &size);

	put(l, "persistentvolumeclaims", &one);
	if (sized)
		put(l, "requests.storage", &size);
	if (!class.n)
		return;
	put(l,
	    arena_printf(l->a, "%.*s" CLASS_SUFFIX "persistentvolumeclaims", (int)class.n, class.p),
	    &one);
	if (sized)
		put(l,
		    arena_printf(l->a, "%.*s" CLASS_SUFFIX "requests.storage", (int)class.n,
				 class.p),
		    &size);
}

static bool claim_meets(const struct doc *claim, struct slice scope, const struct doc *term)
{
	static const char *const paths[] = {
		"spec.volumeAttributesClassName", "status.currentVolumeAttributesClassName",
		"status.modifyVolumeStatus.targetVolumeAttributesClassName"
	};
	bool named = false, met = false;

	if (!slice_is(scope, "VolumeAttributesClass"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct slice name = strategy_text(claim, paths[i]);

		named |= name.n > 0;
		met |= name.n > 0 && meets(term, name);
	}
	return named ? met : meets(term, SLICE(""));
}

/* ---- all ---- */

enum usage_kind usage_kind(const struct api_kind *k)
{
	if (*k->group->group)
		return USAGE_COUNT;
	if (strcmp(k->resource, "pods") == 0)
		return USAGE_POD;
	if (strcmp(k->resource, "services") == 0)
		return USAGE_SERVICE;
	return strcmp(k->resource, "persistentvolumeclaims") == 0 ? USAGE_CLAIM : USAGE_COUNT;
}

bool usage_answers(const struct api_kind *k, struct slice name)
{
	const enum usage_kind kind = usage_kind(k);
	const char *alias = short_name(k);
	struct slice rest = name;

	if (has_prefix(name, "count/")) {
		rest = slice_of(name.p + 6, name.n - 6);
		if (!*k->group->group)
			return slice_is(rest, k->resource);
		return slice_starts(rest, slice_str(k->resource)) &&
		       rest.n == strlen(k->resource) + 1 + strlen(k->group->group) &&
		       rest.p[strlen(k->resource)] == '.' &&
		       slice_ends(rest, slice_str(k->group->group));
	}
	if (kind == USAGE_POD)
		return pod_answers(name);
	if (kind == USAGE_SERVICE)
		return service_answers(name);
	if (kind == USAGE_CLAIM)
		return claim_answers(name);
	return alias && slice_is(name, alias);
}

struct amounts usage_of(const struct api_kind *k, const struct doc *obj, int64_t now,
			struct arena *a)
{
	const enum usage_kind kind = usage_kind(k);
	const struct quantity one = whole(1);
	struct amounts l = { .a = a };

	put(&l, usage_count_name(k, a), &one);
	if (kind == USAGE_POD)
		pod_uses(&l, obj, now);
	else if (kind == USAGE_SERVICE)
		service_uses(&l, obj);
	else if (kind == USAGE_CLAIM)
		claim_uses(&l, obj);
	else
		put(&l, short_name(k), &one);
	return l;
}

bool usage_meets(const struct api_kind *k, const struct doc *obj, struct slice scope,
		 const struct doc *term)
{
	const enum usage_kind kind = usage_kind(k);

	if (kind == USAGE_POD)
		return pod_meets(obj, scope, term);
	return kind == USAGE_CLAIM && claim_meets(obj, scope, term);
}

bool usage_in_scope(const struct api_kind *k, const struct doc *obj, const struct doc *quota)
{
	bool met = true;

	DOC_EACH (s, doc_find(quota, "spec.scopes"))
		met = met && usage_meets(k, obj, doc_slice(s), NULL);
	DOC_EACH (t, doc_find(quota, "spec.scopeSelector.matchExpressions"))
		met = met && usage_meets(k, obj, strategy_text(t, "scopeName"), t);
	return met;
}

/* ---- what has to be specified ---- */

static bool specifies(const struct doc *container, struct slice name)
{
	const bool limit = has_prefix(name, "limits.");
	const struct doc *list =
		doc_find(container, limit ? "resources.limits" : "resources.requests");
	struct slice rest = name;

	(void)slice_split(&rest, '.');
	return doc_getn(list, rest.p ? rest : name);
}

const char *usage_missing(const struct doc *pod, const struct amounts *hard, struct arena *a)
{
	static const char *const asked[] = { "cpu",    "limits.cpu",   "limits.memory",
					     "memory", "requests.cpu", "requests.memory",
					     NULL };
	static const char *const lists[] = { "spec.containers", "spec.initContainers" };
	CLEANUP(buf_fini) struct buf text = BUF_INIT(64u << 10);

	if (doc_len(doc_find(pod, "spec.resources")))
		return NULL;
	for (size_t i = 0; asked[i]; i++) {
		struct doc names = doc_object();
		const char *sep = "";

		if (!amounts_get(hard, slice_str(asked[i])))
			continue;
		for (size_t l = 0; l < ARRAY_LEN(lists); l++)
			DOC_EACH (d, doc_find(pod, lists[l]))
				if (!specifies(d, slice_str(asked[i])))
					strategy_map_put(a, &names, doc_cstr(a, doc_get(d, "name")),
							 doc_null(), true);
		if (!doc_len(&names))
			continue;
		(void)buf_addf(&text, "%s%s for: ", text.n ? "; " : "", asked[i]);
		DOC_EACH_MEMBER (key, value, &names) {
			(void)value;
			(void)buf_addf(&text, "%s%.*s", sep, (int)key->n, key->s);
			sep = ",";
		}
	}
	return text.n ? arena_strdup(a, buf_str(&text)) : NULL;
}

bool usage_is_zero(const struct quantity *q)
{
	return quantity_cmp(q, &zero) == 0;
}
