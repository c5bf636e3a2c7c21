/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of amounts, and what a pod's containers come to. Spec: component-helpers/resource. */
#include "apiserver/admission/admission-private.h"

#include "base/err.h"

struct quantity *amounts_get(const struct amounts *l, struct slice name)
{
	for (size_t i = 0; i < l->n; i++)
		if (slice_eq(l->v[i].name, name))
			return &l->v[i].q;
	return NULL;
}

void amounts_put(struct amounts *l, struct slice name, const struct quantity *q)
{
	struct quantity *there = amounts_get(l, name);
	struct amount *v;

	if (there) {
		*there = *q;
		return;
	}
	if (l->n % 8 == 0) {
		v = arena_grow(l->a, l->v, l->n * sizeof(*v), (l->n + 8) * sizeof(*v));
		if (!v)
			return;
		l->v = v;
	}
	l->v[l->n++] = (struct amount){ name, *q };
}

void amounts_add(struct amounts *l, const struct amounts *more)
{
	for (size_t i = 0; i < more->n; i++) {
		struct quantity *there = amounts_get(l, more->v[i].name);

		if (there)
			quantity_add(there, &more->v[i].q);
		else
			amounts_put(l, more->v[i].name, &more->v[i].q);
	}
}

static void take_larger(struct amounts *l, const struct amounts *other)
{
	for (size_t i = 0; i < other->n; i++) {
		const struct quantity *there = amounts_get(l, other->v[i].name);

		if (!there || quantity_cmp(&other->v[i].q, there) > 0)
			amounts_put(l, other->v[i].name, &other->v[i].q);
	}
}

struct amounts amounts_read(struct arena *a, const struct doc *map)
{
	struct amounts l = { .a = a };

	DOC_EACH_MEMBER (key, value, map) {
		struct quantity q;

		if (quantity_parse(doc_slice(value), &q))
			amounts_put(&l, doc_slice(key), &q);
	}
	return l;
}

bool amounts_is_extended(struct slice name)
{
	return slice_has(name, '/') && !slice_has_text(name, SLICE("kubernetes.io/")) &&
	       !slice_starts(name, SLICE("requests."));
}

/* ---- a pod ---- */

struct tally {
	struct arena *a;
	const struct doc *pod;
	const char *which;
	unsigned flags;
};

static const struct doc *status_of(const struct tally *t, const struct doc *container,
				   const char *list)
{
	DOC_EACH (s, doc_find(t->pod, list))
		if (strategy_same_at(s, container, "name"))
			return s;
	return NULL;
}

/* A resize that will never be done does not count. */
static bool is_infeasible(const struct doc *pod)
{
	return strategy_is(
		strategy_condition(doc_find(pod, "status.conditions"), "PodResizePending"),
		"reason", "Infeasible");
}

static struct amounts of_container(const struct tally *t, const struct doc *container,
				   const char *statuses)
{
	const struct doc *mine = doc_get(doc_get(container, "resources"), t->which);
	struct amounts l = amounts_read(t->a, mine), given;
	const struct doc *status;

	if (!(t->flags & AMOUNTS_STATUS) || !statuses)
		return l;
	status = status_of(t, container, statuses);
	if (!doc_get(status, "resources"))
		return l;
	if (is_infeasible(t->pod))
		l.n = 0;
	given = amounts_read(t->a, doc_get(doc_get(status, "resources"), t->which));
	take_larger(&l, &given);
	if (strcmp(t->which, "requests") == 0) {
		given = amounts_read(t->a, doc_get(status, "allocatedResources"));
		take_larger(&l, &given);
	}
	return l;
}

static void of_init_containers(const struct tally *t, struct amounts *sum)
{
	struct amounts beside = { .a = t->a }, most = { .a = t->a };

	DOC_EACH (d, doc_find(t->pod, "spec.initContainers")) {
		const bool stays = strategy_is(d, "restartPolicy", "Always");
		struct amounts mine =
			of_container(t, d, stays ? "status.initContainerStatuses" : NULL);

		if (stays) {
			amounts_add(sum, &mine);
			amounts_add(&beside, &mine);
			take_larger(&most, &beside);
		} else {
			amounts_add(&mine, &beside);
			take_larger(&most, &mine);
		}
	}
	take_larger(sum, &most);
}

static void add_overhead(const struct tally *t, struct amounts *sum)
{
	const struct amounts over = amounts_read(t->a, doc_find(t->pod, "spec.overhead"));
	const struct quantity zero = { 0 };

	if (strcmp(t->which, "requests") == 0) {
		amounts_add(sum, &over);
		return;
	}
	/* What has no limit still has none. */
	for (size_t i = 0; i < over.n; i++) {
		struct quantity *there = amounts_get(sum, over.v[i].name);

		if (there && quantity_cmp(there, &zero) != 0)
			quantity_add(there, &over.v[i].q);
	}
}

struct amounts amounts_of_pod(struct arena *a, const struct doc *pod, const char *which,
			      unsigned flags)
{
	const struct tally t = { a, pod, which, flags };
	struct amounts sum = { .a = a };

	DOC_EACH (d, doc_find(pod, "spec.containers")) {
		const struct amounts mine = of_container(&t, d, "status.containerStatuses");

		amounts_add(&sum, &mine);
	}
	of_init_containers(&t, &sum);
	DOC_EACH_MEMBER (key, value, doc_get(doc_find(pod, "spec.resources"), which)) {
		struct slice name = doc_slice(key);
		struct quantity q;

		if ((slice_is(name, "cpu") || slice_is(name, "memory") ||
		     slice_starts(name, SLICE("hugepages-"))) &&
		    quantity_parse(doc_slice(value), &q))
			amounts_put(&sum, name, &q);
	}
	if (flags & AMOUNTS_OVERHEAD)
		add_overhead(&t, &sum);
	return sum;
}
