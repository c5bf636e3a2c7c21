/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/objects/codec-metrics.h"

#include "api/object.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"
#include "doc/json.h"

#include <string.h>

#define IN "autoscaling.alpha.kubernetes.io/"
#define METRICS IN "metrics"
#define CURRENT IN "current-metrics"
#define BEHAVIOR IN "behavior"
#define CONDITIONS IN "conditions"

#define DEFAULT_UTILIZATION 80

/* ---- metrics ---- */

/* One member of a metric's source: its place in v2, its name in v1. */
struct move {
	const char *source, *outer, *v2, *v1;
	bool always; /* v1 has it as a value: absent is "0" */
};

static const struct move specs[] = {
	{ "object", NULL, "describedObject", "target", false },
	{ "object", "metric", "name", "metricName", false },
	{ "object", "target", "value", "targetValue", true },
	{ "object", "metric", "selector", "selector", false },
	{ "object", "target", "averageValue", "averageValue", false },
	{ "pods", "metric", "name", "metricName", false },
	{ "pods", "target", "averageValue", "targetAverageValue", true },
	{ "pods", "metric", "selector", "selector", false },
	{ "resource", NULL, "name", "name", false },
	{ "resource", "target", "averageUtilization", "targetAverageUtilization", false },
	{ "resource", "target", "averageValue", "targetAverageValue", false },
	{ "containerResource", NULL, "name", "name", false },
	{ "containerResource", "target", "averageUtilization", "targetAverageUtilization", false },
	{ "containerResource", "target", "averageValue", "targetAverageValue", false },
	{ "containerResource", NULL, "container", "container", false },
	{ "external", "metric", "name", "metricName", false },
	{ "external", "metric", "selector", "metricSelector", false },
	{ "external", "target", "value", "targetValue", false },
	{ "external", "target", "averageValue", "targetAverageValue", false },
	{ NULL, NULL, NULL, NULL, false },
};

static const struct move statuses[] = {
	{ "object", NULL, "describedObject", "target", false },
	{ "object", "metric", "name", "metricName", false },
	{ "object", "current", "value", "currentValue", true },
	{ "object", "metric", "selector", "selector", false },
	{ "object", "current", "averageValue", "averageValue", false },
	{ "pods", "metric", "name", "metricName", false },
	{ "pods", "current", "averageValue", "currentAverageValue", true },
	{ "pods", "metric", "selector", "selector", false },
	{ "resource", NULL, "name", "name", false },
	{ "resource", "current", "averageUtilization", "currentAverageUtilization", false },
	{ "resource", "current", "averageValue", "currentAverageValue", true },
	{ "containerResource", NULL, "name", "name", false },
	{ "containerResource", "current", "averageUtilization", "currentAverageUtilization",
	  false },
	{ "containerResource", "current", "averageValue", "currentAverageValue", true },
	{ "containerResource", NULL, "container", "container", false },
	{ "external", "metric", "name", "metricName", false },
	{ "external", "metric", "selector", "metricSelector", false },
	{ "external", "current", "value", "currentValue", true },
	{ "external", "current", "averageValue", "currentAverageValue", false },
	{ NULL, NULL, NULL, NULL, false },
};

static void copy(struct arena *a, struct doc *obj, const char *key, const struct doc *value)
{
	if (value && value->type != DOC_NULL)
		doc_set(a, obj, key, *value);
}

static void source_to_v1(const struct move *rows, struct slice name, const struct doc *from,
			 struct arena *a, struct doc *to)
{
	for (const struct move *m = rows; m->source; m++) {
		const struct doc *v = doc_get(m->outer ? doc_get(from, m->outer) : from, m->v2);

		if (!slice_is(name, m->source))
			continue;
		if (v)
			doc_set(a, to, m->v1, *v);
		else if (m->always)
			doc_set(a, to, m->v1, DOC_LIT("0"));
	}
}

static struct doc *member(struct arena *a, struct doc *obj, const char *name)
{
	struct doc *d = doc_get(obj, name);

	return d ? d : doc_set_object(a, obj, name);
}

/* The type of a target that v1 does not name. */
static const char *target_type(struct slice source, const struct doc *v1)
{
	if (slice_is(source, "object"))
		return doc_get(v1, "averageValue") ? "AverageValue" : "Value";
	if (slice_is(source, "external"))
		return doc_get(v1, "targetValue") ? "Value" : "AverageValue";
	return doc_get(v1, "targetAverageUtilization") ? "Utilization" : "AverageValue";
}

static void source_to_v2(const struct move *rows, struct slice name, const struct doc *from,
			 struct arena *a, struct doc *to)
{
	if (rows == specs)
		doc_set_str(a, member(a, to, "target"), "type", target_type(name, from));
	for (const struct move *m = rows; m->source; m++) {
		const struct doc *v = doc_get(from, m->v1);

		if (slice_is(name, m->source) && v && v->type != DOC_NULL)
			doc_set(a, m->outer ? member(a, to, m->outer) : to, m->v2, *v);
	}
}

/* A metric: type, and a source under its own name. */
static struct doc metric(const struct move *rows, bool to_v1, const struct doc *from,
			 struct arena *a)
{
	struct doc to = doc_object();

	DOC_EACH_MEMBER (key, value, from) {
		struct doc *source;

		if (value->type != DOC_OBJECT) {
			doc_add_node(a, &to, *key, *value);
			continue;
		}
		source = doc_add_node(a, &to, *key, doc_object());
		(to_v1 ? source_to_v1 : source_to_v2)(rows, doc_slice(key), value, a, source);
	}
	return to;
}

static struct doc metrics(const struct move *rows, bool to_v1, const struct doc *from,
			  struct arena *a)
{
	struct doc list = doc_array();

	DOC_EACH (m, from)
		doc_append(a, &list, metric(rows, to_v1, m, a));
	return list;
}

static bool is_cpu(const struct doc *m)
{
	return doc_str_is(doc_get(m, "type"), "Resource") &&
	       doc_str_is(doc_find(m, "resource.name"), "cpu");
}

/* ---- behavior: members with the names of upstream's internal type ---- */

static const char *const rule_names[][2] = {
	{ "StabilizationWindowSeconds", "stabilizationWindowSeconds" },
	{ "SelectPolicy", "selectPolicy" },
	{ "Policies", "policies" },
	{ "Tolerance", "tolerance" },
	{ NULL, NULL },
};
static const char *const policy_names[][2] = {
	{ "Type", "type" },
	{ "Value", "value" },
	{ "PeriodSeconds", "periodSeconds" },
	{ NULL, NULL },
};
static const char *const behavior_names[][2] = {
	{ "ScaleUp", "scaleUp" },
	{ "ScaleDown", "scaleDown" },
	{ NULL, NULL },
};
typedef const char *const name_pair[2];

static struct doc renamed(const name_pair *names, bool inside, const struct doc *from,
			  struct arena *a);

static struct doc renamed_value(const name_pair *names, bool inside, const struct doc *v,
				struct arena *a)
{
	struct doc list = doc_array();

	if (names == behavior_names && v->type == DOC_OBJECT)
		return renamed(rule_names, inside, v, a);
	if (names != rule_names || v->type != DOC_ARRAY)
		return *v;
	DOC_EACH (p, v)
		doc_append(a, &list, renamed(policy_names, inside, p, a));
	return list;
}

/* inside: to the internal names, what is absent as null; else from either. */
static struct doc renamed(const name_pair *names, bool inside, const struct doc *from,
			  struct arena *a)
{
	struct doc to = doc_object();

	for (const name_pair *n = names; (*n)[0]; n++) {
		const struct doc *v = doc_get(from, (*n)[1]);

		if (!v && !inside)
			v = doc_get(from, (*n)[0]);
		if (v && v->type != DOC_NULL)
			doc_set(a, &to, (*n)[!inside], renamed_value(names, inside, v, a));
		else if (inside)
			doc_set_null(a, &to, (*n)[0]);
	}
	return to;
}

/* ---- annotations ---- */

static bool is_ours(const struct doc *key)
{
	static const char *const keys[] = { METRICS, CURRENT, BEHAVIOR, CONDITIONS };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (doc_str_is(key, keys[i]))
			return true;
	return false;
}

/* metadata without ours; *annotations is where those of the result go. */
static struct doc metadata_of(const struct doc *d, struct arena *a, struct doc *annotations)
{
	struct doc meta = doc_object();

	*annotations = doc_object();
	DOC_EACH_MEMBER (key, value, doc_get(d, "metadata"))
		if (!doc_str_is(key, "annotations"))
			doc_add_node(a, &meta, *key, *value);
	DOC_EACH_MEMBER (key, value, doc_find(d, "metadata.annotations"))
		if (!is_ours(key))
			doc_add_node(a, annotations, *key, *value);
	return meta;
}

static void put_text(struct arena *a, struct doc *annotations, const char *key,
		     const struct doc *value)
{
	struct slice text;

	if (json_print(a, value, NULL, &text, NULL) == 0)
		doc_set(a, annotations, key, doc_borrow(text.p, text.n));
}

/* The JSON of an annotation; NULL: there is none. */
static const struct doc *read_text(const struct doc *d, const char *key, struct arena *a)
{
	const struct doc *text = doc_get(doc_find(d, "metadata.annotations"), key);
	struct json_options opt = { .copy = true };
	struct doc *v;

	if (!doc_is(text, DOC_STRING) || json_read(a, doc_slice(text), &opt, &v, NULL) < 0)
		return NULL;
	return v;
}

static int finish(struct arena *a, const struct doc *d, struct doc meta, struct doc annotations,
		  struct doc spec, struct doc status, struct doc *ret, struct err *err)
{
	*ret = doc_object();
	copy(a, ret, "kind", doc_get(d, "kind"));
	copy(a, ret, "apiVersion", doc_get(d, "apiVersion"));
	if (annotations.n)
		doc_set(a, &meta, "annotations", annotations);
	doc_set(a, ret, "metadata", meta);
	doc_set(a, ret, "spec", spec);
	doc_set(a, ret, "status", status);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static void copy_members(struct arena *a, struct doc *to, const struct doc *from,
			 const char *const *names)
{
	for (; *names; names++)
		copy(a, to, *names, doc_get(from, *names));
}

static const char *const spec_members[] = { "scaleTargetRef", "minReplicas", "maxReplicas", NULL };
static const char *const status_members[] = { "observedGeneration", "lastScaleTime",
					      "currentReplicas", "desiredReplicas", NULL };

/* ---- to v1 ---- */

static struct doc spec_to_v1(const struct doc *from, struct arena *a, struct doc *annotations)
{
	const struct doc *behavior = doc_get(from, "behavior");
	struct doc spec = doc_object(), rest = doc_array(), text;
	bool first = true;

	copy_members(a, &spec, from, spec_members);
	DOC_EACH (m, doc_get(from, "metrics")) {
		const struct doc *use = doc_find(m, "resource.target.averageUtilization");

		if (is_cpu(m) && first)
			copy(a, &spec, "targetCPUUtilizationPercentage", use);
		first = first && !is_cpu(m);
		if (!is_cpu(m) || !use)
			doc_append(a, &rest, metric(specs, true, m, a));
	}
	if (rest.n)
		put_text(a, annotations, METRICS, &rest);
	if (doc_is(behavior, DOC_OBJECT)) {
		text = renamed(behavior_names, true, behavior, a);
		put_text(a, annotations, BEHAVIOR, &text);
	}
	return spec;
}

static struct doc status_to_v1(const struct doc *from, struct arena *a, struct doc *annotations)
{
	const struct doc *current = doc_get(from, "currentMetrics");
	const struct doc *conditions = doc_get(from, "conditions");
	struct doc status = doc_object(), list;

	copy_members(a, &status, from, status_members);
	DOC_EACH (m, current)
		if (is_cpu(m))
			copy(a, &status, "currentCPUUtilizationPercentage",
			     doc_find(m, "resource.current.averageUtilization"));
	if (doc_len(current)) {
		list = metrics(statuses, true, current, a);
		put_text(a, annotations, CURRENT, &list);
	}
	if (doc_len(conditions))
		put_text(a, annotations, CONDITIONS, conditions);
	return status;
}

int codec_autoscaler_to_v1(const struct doc *d, struct arena *a, struct doc *ret, struct err *err)
{
	struct doc annotations, meta = metadata_of(d, a, &annotations);
	struct doc spec = spec_to_v1(doc_get(d, "spec"), a, &annotations);
	struct doc status = status_to_v1(doc_get(d, "status"), a, &annotations);

	return finish(a, d, meta, annotations, spec, status, ret, err);
}

/* ---- to v2 ---- */

/* Sets a member that came of an annotation when it is what the table wants there. */
static bool set_fitting(const struct api_kind *v2, const char *part, struct arena *a,
			struct doc *to, const char *key, struct doc value)
{
	const struct schema_field *f = schema_find(&v2->type->schema, slice_str(part), 0, false);
	struct doc one = doc_object(), out;

	doc_set(a, &one, key, value);
	if (!f || api_admit(api_type_of(f->sub), &one, a, API_PARTIAL, NULL, &out, NULL) < 0)
		return false;
	doc_set(a, to, key, value);
	return true;
}

static struct doc cpu_metric(struct arena *a, const char *value, const struct doc *utilization)
{
	struct doc m = doc_object(), *resource, *target;

	doc_set_str(a, &m, "type", "Resource");
	resource = doc_set_object(a, &m, "resource");
	doc_set_str(a, resource, "name", "cpu");
	target = doc_set_object(a, resource, value);
	if (strcmp(value, "target") == 0)
		doc_set_str(a, target, "type", "Utilization");
	if (target && utilization)
		doc_set(a, target, "averageUtilization", *utilization);
	return m;
}

static struct doc spec_to_v2(const struct api_kind *v2, const struct doc *d, struct arena *a)
{
	const struct doc *from = doc_get(d, "spec"), *text = read_text(d, METRICS, a);
	const struct doc *use = doc_get(from, "targetCPUUtilizationPercentage");
	struct doc spec = doc_object(), list = doc_array(), percent;

	copy_members(a, &spec, from, spec_members);
	if (doc_is(text, DOC_ARRAY)) {
		list = metrics(specs, false, text, a);
		if (!set_fitting(v2, "spec", a, &spec, "metrics", list))
			list = doc_array();
	}
	if (use && use->type != DOC_NULL)
		doc_append(a, &list, cpu_metric(a, "target", use));
	if (!list.n) {
		percent = doc_int(a, DEFAULT_UTILIZATION);
		doc_append(a, &list, cpu_metric(a, "target", &percent));
	}
	doc_set(a, &spec, "metrics", list);
	text = read_text(d, BEHAVIOR, a);
	if (doc_is(text, DOC_OBJECT)) {
		struct doc behavior = renamed(behavior_names, false, text, a);

		if (behavior.n)
			(void)set_fitting(v2, "spec", a, &spec, "behavior", behavior);
	}
	return spec;
}

static struct doc status_to_v2(const struct api_kind *v2, const struct doc *d, struct arena *a)
{
	const struct doc *from = doc_get(d, "status"), *text = read_text(d, CURRENT, a);
	const struct doc *use = doc_get(from, "currentCPUUtilizationPercentage");
	struct doc status = doc_object(), list = doc_array();
	bool told = false;

	copy_members(a, &status, from, status_members);
	if (doc_is(text, DOC_ARRAY))
		told = set_fitting(v2, "status", a, &status, "currentMetrics",
				   metrics(statuses, false, text, a));
	if (!told && use && use->type != DOC_NULL) {
		doc_append(a, &list, cpu_metric(a, "current", use));
		doc_set(a, &status, "currentMetrics", list);
	}
	text = read_text(d, CONDITIONS, a);
	if (doc_is(text, DOC_ARRAY))
		(void)set_fitting(v2, "status", a, &status, "conditions", *text);
	return status;
}

int codec_autoscaler_to_v2(const struct api_kind *v2, const struct doc *d, struct arena *a,
			   struct doc *ret, struct err *err)
{
	struct doc annotations, meta = metadata_of(d, a, &annotations);

	return finish(a, d, meta, annotations, spec_to_v2(v2, d, a), status_to_v2(v2, d, a), ret,
		      err);
}
