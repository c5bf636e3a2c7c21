/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HorizontalPodAutoscalers: what each metric is and what it should be. Version 1 has the use of
 * CPUs in fields of its own, behind the others, which stand as JSON in annotations.
 */
#include "apiserver/objects/columns-cell.h"
#include "apiserver/objects/columns-private.h"

#include "base/arena.h"
#include "doc/doc.h"
#include "doc/json.h"

#define SHOWN 2 /* metrics */

/* A value of a metric, as it should be or as it is. */
struct value {
	const struct doc *value, *average, *use;
	bool there;
};

static const struct metric_kind {
	const char *type, *member;
	bool named;   /* the name of the resource stands in front */
	bool average; /* only an average can be said */
	bool use;     /* in percent of what is requested, unless an average is said */
} kinds[] = {
	{ "External", "external", .named = false },
	{ "Pods", "pods", .average = true },
	{ "Object", "object", .named = false },
	{ "Resource", "resource", .named = true, .use = true },
	{ "ContainerResource", "containerResource", .named = true, .use = true },
};

static const struct doc *set(const struct doc *d, const char *key)
{
	const struct doc *v = doc_get(d, key);

	return v && v->type != DOC_NULL ? v : NULL;
}

/* `inner`: "target" or "current"; version 1 has the values beside each other: "targetValue". */
static struct value read_value(const struct doc *m, const char *inner)
{
	const struct doc *in = doc_get(m, inner);
	bool target = inner[0] == 't';
	struct value v = { set(in, "value"), set(in, "averageValue"), set(in, "averageUtilization"),
			   doc_is(m, DOC_OBJECT) };

	if (!v.value)
		v.value = set(m, target ? "targetValue" : "currentValue");
	if (!v.average)
		v.average = set(m, target ? "targetAverageValue" : "currentAverageValue");
	if (!v.average)
		v.average = set(m, "averageValue"); /* of objects, in version 1 */
	if (!v.use)
		v.use = set(m, target ? "targetAverageUtilization" : "currentAverageUtilization");
	return v;
}

static void put_amount(struct buf *b, const struct doc *d)
{
	struct slice s = doc_is(d, DOC_NUMBER) ? slice_of(d->s, d->n) : doc_slice(d);

	if (d)
		(void)buf_add(b, s.p, s.n);
	else
		(void)buf_adds(b, "<nil>");
}

static void put_use(struct buf *b, const struct doc *use, const char *other)
{
	if (doc_is(use, DOC_NUMBER)) /* annotations may hold anything */
		(void)buf_addf(b, "%.*s%%", (int)use->n, use->s);
	else
		(void)buf_adds(b, other);
}

/* "20Mi/50Mi", "10%/80%", "5/10 (avg)" */
static void put_values(struct buf *b, const struct metric_kind *k, const struct value *is,
		       const struct value *want)
{
	bool average = want->average || k->average;

	if (k->use && !average) {
		put_use(b, is->use, CELL_UNKNOWN);
		(void)buf_addc(b, '/');
		put_use(b, want->use, "<auto>");
		return;
	}
	/* Only where both forms may stand an average that is not there is unknown. */
	if (!is->there || (average && !k->use && !k->average && !is->average))
		(void)buf_adds(b, CELL_UNKNOWN);
	else
		put_amount(b, average ? is->average : is->value);
	(void)buf_addc(b, '/');
	put_amount(b, average ? want->average : want->value);
	if (average && !k->use && !k->average)
		(void)buf_adds(b, " (avg)");
}

static void put_metric(struct buf *b, const struct doc *spec, const struct doc *status)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct metric_kind *k = &kinds[i];
		const struct doc *want = doc_get(spec, k->member), *is = doc_get(status, k->member);
		struct value w, v;

		if (!doc_str_is(doc_get(spec, "type"), k->type))
			continue;
		if (k->named) {
			struct slice name = cell_get(want, "name");

			(void)buf_add(b, name.p, name.n);
			(void)buf_adds(b, ": ");
		}
		w = read_value(want, "target");
		v = read_value(is, "current");
		put_values(b, k, &v, &w);
		return;
	}
	(void)buf_adds(b, "<unknown type>");
}

static void row(struct cells *c, const struct doc *specs, const struct doc *statuses)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);
	struct slice kind = cell_get(c->obj, "spec.scaleTargetRef.kind");
	struct slice name = cell_get(c->obj, "spec.scaleTargetRef.name");
	size_t n = doc_len(specs);

	for (size_t i = 0; i < MIN(n, (size_t)SHOWN); i++) {
		if (i)
			(void)buf_adds(&b, ", ");
		put_metric(&b, doc_at(specs, i), doc_at(statuses, i));
	}
	if (n > SHOWN)
		(void)buf_addf(&b, " + %zu more...", n - SHOWN);
	cell_name(c);
	cell_printf(c, "%.*s/%.*s", (int)kind.n, kind.n ? kind.p : "", (int)name.n,
		    name.n ? name.p : "");
	cell_buf(c, &b, CELL_NONE);
	if (cell_is_set(c->obj, "spec.minReplicas"))
		cell_printf(c, "%lld", (long long)cell_get_int(c->obj, "spec.minReplicas"));
	else
		cell_word(c, CELL_UNSET);
	cell_number(c, "spec.maxReplicas");
	cell_number(c, "status.currentReplicas");
	cell_age(c);
}

void columns_autoscaler_v2(struct cells *c)
{
	row(c, doc_find(c->obj, "spec.metrics"), doc_find(c->obj, "status.currentMetrics"));
}

/* ---- version 1 ---- */

#define DEFAULT_USE 80 /* percent of the CPUs requested, when nothing is said */

/* The list in an annotation; NULL for none, and for one that cannot be read. */
static struct doc *annotated(struct cells *c, const char *key)
{
	struct doc *list = NULL;
	struct slice text = doc_slice(doc_get(doc_find(c->obj, "metadata.annotations"), key));

	if (text.n && json_read(c->a, text, NULL, &list, NULL) == 0 && doc_is(list, DOC_ARRAY))
		return list;
	return NULL;
}

static void add_cpu(struct cells *c, struct doc *list, const struct doc *use, const char *member)
{
	struct doc *it;

	if (!doc_is(use, DOC_NUMBER))
		return;
	it = doc_append_object(c->a, list);
	doc_set_str(c->a, it, "type", "Resource");
	it = doc_set_object(c->a, it, "resource");
	doc_set_str(c->a, it, "name", "cpu");
	doc_set(c->a, it, member, *use);
}

/* What the field says stands behind the others; of what is, the annotation knows all. */
void columns_autoscaler_v1(struct cells *c)
{
	const struct doc usual = doc_int(c->a, DEFAULT_USE);
	struct doc *specs = annotated(c, "autoscaling.alpha.kubernetes.io/metrics");
	struct doc *statuses = annotated(c, "autoscaling.alpha.kubernetes.io/current-metrics");

	if (!specs)
		specs = doc_new_array(c->a);
	add_cpu(c, specs, doc_find(c->obj, "spec.targetCPUUtilizationPercentage"),
		"targetAverageUtilization");
	if (doc_len(specs) == 0)
		add_cpu(c, specs, &usual, "targetAverageUtilization");
	if (!statuses) {
		statuses = doc_new_array(c->a);
		add_cpu(c, statuses, doc_find(c->obj, "status.currentCPUUtilizationPercentage"),
			"currentAverageUtilization");
	}
	row(c, specs, statuses);
}
