/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of Events: one kind in two groups, whose fields have other names. */
#include "api/check-core.h"

#define NAME_MAX_BYTES 128
#define NOTE_MAX_BYTES 1024

/* Names of the same field in v1 and in events.k8s.io/v1; errors have v1's. */
static const char *const names[][2] = {
	{ "involvedObject", "regarding" },
	{ "reason", "reason" },
	{ "message", "note" },
	{ "source", "deprecatedSource" },
	{ "firstTimestamp", "deprecatedFirstTimestamp" },
	{ "lastTimestamp", "deprecatedLastTimestamp" },
	{ "count", "deprecatedCount" },
	{ "type", "type" },
	{ "eventTime", "eventTime" },
	{ "action", "action" },
	{ "related", "related" },
	{ "reportingController", "reportingController" },
	{ "reportingInstance", "reportingInstance" },
};

static bool is_new(const struct check *c)
{
	return c->kind->group->group[0] != '\0';
}

static const struct doc *field(const struct check *c, const struct doc *event, const char *name)
{
	if (!is_new(c))
		return doc_get(event, strcmp(name, "reportingController") == 0
					      ? "reportingComponent"
					      : name);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i][0], name) == 0)
			return doc_get(event, names[i][1]);
	return doc_get(event, name);
}

static bool is_time(const struct doc *d)
{
	return doc_slice(d).n > 0;
}

static void check_place(struct check *c, const struct doc *event)
{
	const struct path object = PATH(NULL, "involvedObject"), at = PATH(&object, "namespace");
	const struct doc *ns = doc_get(field(c, event, "involvedObject"), "namespace"),
			 *own = doc_find(event, "metadata.namespace");
	bool dated = is_time(field(c, event, "eventTime"));
	bool ok = doc_str_is(own, "default") || (dated && doc_str_is(own, "kube-system"));

	if (doc_slice(ns).n > 0)
		ok = dated || doc_equal(ns, own);
	if (!ok)
		check_invalid(c, &at, ns, "does not match event.namespace");
}

static void check_size(struct check *c, const struct doc *event, const char *name, size_t max,
		       bool required)
{
	const struct path at = PATH(NULL, name);
	size_t n = doc_slice(field(c, event, name)).n;

	if (n == 0 && required)
		check_required(c, &at, "");
	if (n > max)
		check_invalid(c, &at, NULL, "can have at most %zu characters", max);
}

static void check_dated(struct check *c, const struct doc *event)
{
	const struct path at = PATH(NULL, "reportingController");
	const struct doc *who = field(c, event, "reportingController");
	const char *why = form_qualified_name(doc_slice(who));

	if (doc_slice(who).n == 0)
		check_required(c, &at, "");
	if (why)
		check_invalid(c, &at, who, "%s", why);
	check_size(c, event, "reportingInstance", NAME_MAX_BYTES, true);
	check_size(c, event, "action", NAME_MAX_BYTES, true);
	check_size(c, event, "reason", NAME_MAX_BYTES, true);
	check_size(c, event, "message", NOTE_MAX_BYTES, false);
}

/* ---- what events.k8s.io/v1 asks beyond ---- */

static void check_series(struct check *c, const struct doc *event)
{
	const struct path count_at = PATH(NULL, "series.count"),
			  time_at = PATH(NULL, "series.lastObservedTime");
	const struct doc *series = doc_get(event, "series"), *count = doc_get(series, "count");
	int64_t n = 0;

	if (!series)
		return;
	if (count)
		(void)doc_int64(count, &n);
	if (n < 2)
		check_invalid(c, &count_at, NULL, "should be at least 2");
	if (!is_time(doc_get(series, "lastObservedTime")))
		check_required(c, &time_at, "");
}

static void check_new_event(struct check *c, const struct doc *event)
{
	static const char *const unset[] = { "firstTimestamp", "lastTimestamp", "count", "source" };
	const struct path time_at = PATH(NULL, "eventTime"), type_at = PATH(NULL, "type");
	const struct doc *type = doc_get(event, "type");

	check_series(c, event);
	if (!is_time(doc_get(event, "eventTime")))
		check_required(c, &time_at, "");
	if (!doc_str_is(type, "Normal") && !doc_str_is(type, "Warning"))
		check_invalid(c, &type_at, NULL, "has invalid value: %.*s", (int)doc_slice(type).n,
			      doc_slice(type).p);
	for (size_t i = 0; i < ARRAY_LEN(unset); i++) {
		const struct path at = PATH(NULL, unset[i]);
		const struct doc *v = field(c, event, unset[i]);

		if (v && v->type != DOC_NULL && v->n > 0)
			check_invalid(c, &at, NULL, "needs to be unset");
	}
}

static void check_event_update(struct check *c, const struct doc *event)
{
	static const struct doc none = { .type = DOC_NULL };
	const struct doc *now = doc_get(event, "series"), *was = doc_get(c->old, "series");

	if (!doc_equal(now ? now : &none, was ? was : &none))
		check_series(c, event);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct path at = PATH(NULL, names[i][0]);

		check_immutable(c, &at, field(c, event, names[i][0]),
				field(c, c->old, names[i][0]));
	}
}

void check_event(struct check *c, const struct doc *obj, const char *sub)
{
	(void)sub;
	check_place(c, obj);
	if (is_time(field(c, obj, "eventTime")))
		check_dated(c, obj);
	if (is_new(c) && c->old)
		check_event_update(c, obj);
	else if (is_new(c))
		check_new_event(c, obj);
}
