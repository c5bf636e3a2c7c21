/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pods/eviction: a pod goes when its disruption budget allows it. What a budget gives is taken from
 * its status in the transaction that deletes the pod, so that it is not given twice.
 */
#include "api/selector.h"
#include "apiserver/strategy/strategy-private.h"
#include "doc/json.h"

#include <stdio.h>

#define DISRUPTED_MAX 2000
#define CAUSE "DisruptionBudget"
#define REFUSED "Cannot evict pod as it would violate the pod's disruption budget."
#define BEHIND "is still being processed by the server."

/* ---- which budget ---- */

static bool selects(struct strategy_call *c, const struct doc *budget, const struct doc *pod)
{
	struct selector s;
	bool none = false;

	return selector_object(doc_find(budget, "spec.selector"), c->a, &s, &none, NULL) == 0 &&
	       !none && selector_match_labels(&s, doc_find(pod, "metadata.labels"));
}

/* The only budget that selects the pod, and its item; *ret NULL: none does. */
static int find_budget(struct strategy_call *c, const struct collection *budgets,
		       const struct doc *pod, struct doc **ret, const struct item **ret_item,
		       struct err *err)
{
	CLEANUP(cache_view_unref) struct cache_view *view = cache_now(budgets->cache);
	const struct slice namespace = strategy_text(pod, "metadata.namespace");
	const char *prefix = arena_printf(c->a, "%.*s/", (int)namespace.n, namespace.p);
	struct cache_iter it;
	struct item *item;

	*ret = NULL;
	if (!prefix)
		return arena_quota(c->a, err);
	cache_iter_init(&it, view, slice_str(prefix), SLICE(""));
	while ((item = cache_iter_next(&it))) {
		const struct json_options copy = { .copy = true };
		struct doc *d = NULL;

		if (json_read(c->a, item_json(item), &copy, &d, err) < 0)
			return err_ret(err);
		if (!selects(c, d, pod))
			continue;
		if (*ret)
			return err_set(err, ERR_SYSTEM,
				       "This pod has more than one PodDisruptionBudget, which the "
				       "eviction subresource does not support.");
		*ret = d;
		*ret_item = item;
	}
	return 0;
}

/* ---- what it says ---- */

static int refuse(struct strategy_call *c, const char *why, struct err *err)
{
	struct cause *cause = ARENA_NEW(c->a, struct cause);
	int r = err_set(err, ERR_QUOTA, REFUSED);

	if (cause && why && err) {
		*cause = (struct cause){ .field = "", .reason = CAUSE, .detail = why };
		err->causes = cause;
	}
	return r;
}

unsigned eviction_retry_after(const struct err *err)
{
	const struct cause *cause = err->causes;

	return err->code == ERR_QUOTA && cause && strcmp(cause->reason, CAUSE) == 0 &&
			       slice_ends(slice_str(cause->detail), SLICE(BEHIND))
		       ? 10
		       : 0;
}

static const char *why_not(struct strategy_call *c, const struct doc *budget)
{
	const char *name = doc_cstr(c->a, doc_find(budget, "metadata.name"));
	const int64_t healthy = strategy_int(budget, "status.currentHealthy"),
		      desired = strategy_int(budget, "status.desiredHealthy");
	const struct doc *condition =
		strategy_condition(doc_find(budget, "status.conditions"), "DisruptionAllowed");
	const struct slice words = strategy_text(condition, "message"),
			   reason = strategy_text(condition, "reason");
	const bool told = strategy_is(condition, "status", "False") && words.n > 0;

	if (told && slice_is(reason, "SyncFailed"))
		return arena_printf(c->a,
				    "The disruption budget %s does not allow evicting pods "
				    "currently because it failed sync: %.*s",
				    name, (int)words.n, words.p);
	if (healthy <= desired)
		return arena_printf(c->a,
				    "The disruption budget %s needs %lld healthy pods and has %lld "
				    "currently",
				    name, (long long)desired, (long long)healthy);
	if (told)
		return arena_printf(c->a,
				    "The disruption budget %s does not allow evicting pods "
				    "currently (%.*s): %.*s",
				    name, (int)reason.n, reason.p, (int)words.n, words.p);
	return arena_printf(c->a, "The disruption budget %s does not allow evicting pods currently",
			    name);
}

static int check_budget(struct strategy_call *c, const struct doc *budget, struct err *err)
{
	const char *name = doc_cstr(c->a, doc_find(budget, "metadata.name"));

	if (strategy_int(budget, "status.observedGeneration") <
	    strategy_int(budget, "metadata.generation"))
		return refuse(c, arena_printf(c->a, "The disruption budget %s " BEHIND, name), err);
	if (strategy_int(budget, "status.disruptionsAllowed") < 0)
		return err_set(err, ERR_FORBIDDEN,
			       "poddisruptionbudget.policy \"%s\" is forbidden: pdb disruptions "
			       "allowed is negative",
			       name);
	if (doc_len(doc_find(budget, "status.disruptedPods")) > DISRUPTED_MAX)
		return err_set(err, ERR_FORBIDDEN,
			       "poddisruptionbudget.policy \"%s\" is forbidden: DisruptedPods map "
			       "too big - too many evictions not confirmed by PDB controller",
			       name);
	if (strategy_int(budget, "status.disruptionsAllowed") == 0)
		return refuse(c, why_not(c, budget), err);
	return 0;
}

/* ---- what it gives ---- */

static void set_condition(struct strategy_call *c, const struct api_type *t, struct doc *budget)
{
	const struct api_type *of = strategy_type(t, "status.conditions");
	struct doc *list = doc_find(budget, "status.conditions"), *old, one = doc_object();
	const struct doc *since;

	if (!list)
		list = strategy_put(t, budget, c->a, "status.conditions", doc_array());
	old = strategy_condition(list, "DisruptionAllowed");
	since = strategy_is(old, "status", "False") ? doc_get(old, "lastTransitionTime") : NULL;
	(void)strategy_put(of, &one, c->a, "type", DOC_LIT("DisruptionAllowed"));
	(void)strategy_put(of, &one, c->a, "status", DOC_LIT("False"));
	(void)strategy_put(of, &one, c->a, "lastTransitionTime", since ? *since : strategy_now(c));
	(void)strategy_put(of, &one, c->a, "reason", DOC_LIT("InsufficientPods"));
	(void)strategy_put(of, &one, c->a, "message", DOC_LIT(""));
	if (strategy_int(budget, "status.observedGeneration") != 0)
		(void)strategy_put(of, &one, c->a, "observedGeneration",
				   *doc_find(budget, "status.observedGeneration"));
	if (old)
		*old = one;
	else
		(void)doc_append(c->a, list, one);
}

/* One less, and the pod that took it. */
static void take_one(struct strategy_call *c, const struct api_type *t, struct doc *budget,
		     const char *pod)
{
	const int64_t left = strategy_int(budget, "status.disruptionsAllowed") - 1;
	struct doc *pods = doc_find(budget, "status.disruptedPods");

	(void)strategy_put(t, budget, c->a, "status.disruptionsAllowed", doc_int(c->a, left));
	if (left == 0)
		set_condition(c, t, budget);
	if (!pods)
		pods = strategy_put(t, budget, c->a, "status.disruptedPods", doc_object());
	strategy_map_put(c->a, pods, pod, strategy_now(c), false);
}

/* ---- all ---- */

static bool is_over(const struct doc *pod)
{
	return strategy_is(pod, "status.phase", "Succeeded") ||
	       strategy_is(pod, "status.phase", "Failed") ||
	       strategy_is(pod, "status.phase", "Pending") ||
	       doc_find(pod, "metadata.deletionTimestamp");
}

/* Nothing is lost by a pod that is not ready, when the budget says so or has enough without it. */
static bool is_unhealthy(const struct doc *pod, const struct doc *budget)
{
	const struct doc *ready = strategy_condition(doc_find(pod, "status.conditions"), "Ready");
	const int64_t desired = strategy_int(budget, "status.desiredHealthy");

	if (strategy_is(ready, "status", "True"))
		return false;
	return strategy_is(budget, "spec.unhealthyPodEvictionPolicy", "AlwaysAllow") ||
	       (desired > 0 && strategy_int(budget, "status.currentHealthy") >= desired);
}

int eviction_allow(struct strategy_call *c, const struct doc *pod, const struct doc *eviction,
		   struct err *err)
{
	const struct collection *budgets =
		resources_objects(c->rs, "policy", "poddisruptionbudgets");
	const char *name = doc_cstr(c->a, doc_find(pod, "metadata.name"));
	const struct item *item = NULL;
	struct doc *budget;
	int r;

	if (!slice_eq(strategy_text(eviction, "metadata.name"), slice_str(name)))
		return err_set(err, ERR_BAD_REQUEST,
			       "name in URL does not match name in Eviction object");
	c->nmore = 0;
	if (is_over(pod) || !budgets)
		return 0;
	r = find_budget(c, budgets, pod, &budget, &item, err);
	if (r < 0 || !budget || is_unhealthy(pod, budget))
		return r;
	r = check_budget(c, budget, err);
	if (r < 0)
		return r;
	take_one(c, budgets->kind->type, budget, name);
	/* As stored: the revision is the store's. */
	(void)strategy_drop(budget, "metadata.resourceVersion");
	c->more[c->nmore++] =
		(struct strategy_more){ (struct collection *)(uintptr_t)budgets,
					arena_strndup(c->a, item_key(item).p, item_key(item).n),
					budget, item_revision(item) };
	return arena_exceeded(c->a) ? arena_quota(c->a, err) : 0;
}

void eviction_mark(struct strategy_call *c, struct doc *pod)
{
	const struct doc *copy = doc_copy_shared(c->a, pod);

	if (!copy)
		return;
	*pod = *copy;
	strategy_pod_condition(c, pod, "DisruptionTarget", "True", "EvictionByEvictionAPI",
			       "Eviction API: evicting");
}
