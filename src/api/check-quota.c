/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of ResourceQuotas and LimitRanges. */
#include "api/check-core.h"
#include "api/quantity.h"

#define TEXT(d) (int)doc_slice(d).n, doc_slice(d).p

static bool in_list(struct slice s, const char *const *list)
{
	for (; *list; list++)
		if (slice_is(s, *list))
			return true;
	return false;
}

/* ---- ResourceQuota ---- */

static void check_hard(struct check *c, const struct path *p, const struct doc *map)
{
	DOC_EACH_MEMBER (key, value, map) {
		const struct path at = PATH_KEY(p, doc_slice(key));
		struct slice name = doc_slice(key);
		bool plain = !slice_has(name, '/');

		(void)check_resource_name(c, &at, name);
		if (plain && !resource_is_quota(name))
			check_invalid_text(c, &at, name, "must be a standard resource for quota");
		check_resource_quantity(c, &at, name, value);
	}
}

static const char *const pods_only[] = { "pods", NULL };
static const char *const pods_and_compute[] = {
	"pods",		 "cpu",		 "memory",	    "limits.cpu",
	"limits.memory", "requests.cpu", "requests.memory", NULL
};
static const char *const claims_only[] = { "persistentvolumeclaims", "requests.storage", NULL };

/* What a scope may limit. */
static const struct scope {
	const char *name;
	const char *const *resources;
	bool exists; /* with no operator but Exists */
} scopes[] = {
	{ "Terminating", pods_and_compute, true },
	{ "NotTerminating", pods_and_compute, true },
	{ "BestEffort", pods_only, true },
	{ "NotBestEffort", pods_and_compute, true },
	{ "PriorityClass", pods_and_compute, false },
	{ "CrossNamespacePodAffinity", pods_and_compute, true },
	{ "VolumeAttributesClass", claims_only, false },
};

static const struct scope *scope_of(const struct doc *name)
{
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++)
		if (doc_str_is(name, scopes[i].name))
			return &scopes[i];
	return NULL;
}

/* value: of the errors; unknown_at, unknown: where and what when there is no such scope. */
static const struct scope *check_scope(struct check *c, const struct path *p,
				       const struct doc *name, const struct doc *spec,
				       const struct doc *value)
{
	const struct scope *s = scope_of(name);

	DOC_EACH_MEMBER (key, amount, doc_get(spec, "hard")) {
		(void)amount;
		if (s && resource_is_quota(doc_slice(key)) &&
		    !in_list(doc_slice(key), s->resources))
			check_invalid(c, p, value, "unsupported scope applied to resource");
	}
	return s;
}

static bool has_scope(const struct doc *list, const char *field, const char *name)
{
	DOC_EACH (s, list)
		if (doc_str_is(field ? doc_get(s, field) : s, name))
			return true;
	return false;
}

static void check_opposites(struct check *c, const struct path *p, const struct doc *list,
			    const char *field, const struct doc *value)
{
	static const char *const pairs[][2] = { { "BestEffort", "NotBestEffort" },
						{ "Terminating", "NotTerminating" } };

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (has_scope(list, field, pairs[i][0]) && has_scope(list, field, pairs[i][1]))
			check_invalid(c, p, value, "conflicting scopes");
}

static void check_scope_requirement(struct check *c, const struct path *p, const struct doc *r,
				    const struct doc *spec)
{
	const struct path name_at = PATH(p, "scopeName"), op_at = PATH(p, "operator"),
			  values_at = PATH(p, "values");
	const struct doc *name = doc_get(r, "scopeName"), *op = doc_get(r, "operator"),
			 *values = doc_get(r, "values");
	const struct scope *s;

	if (!scope_of(name))
		check_invalid(c, &name_at, name, "unsupported scope");
	s = check_scope(c, p, name, spec, doc_get(spec, "scopeSelector"));
	if (s && s->exists && !doc_str_is(op, "Exists"))
		check_invalid(
			c, &op_at, op,
			"must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
			"ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
			"ResourceQuotaScopeNotBestEffort or "
			"ResourceQuotaScopeCrossNamespacePodAffinity");
	if (doc_str_is(op, "In") || doc_str_is(op, "NotIn")) {
		if (doc_len(values) == 0)
			check_required(c, &values_at,
				       "must be at least one value when `operator` is 'In' or "
				       "'NotIn' for scope selector");
	} else if (doc_str_is(op, "Exists") || doc_str_is(op, "DoesNotExist")) {
		if (doc_len(values) > 0)
			check_invalid(c, &values_at, values,
				      "must be no value when `operator` is 'Exist' or "
				      "'DoesNotExist' for scope selector");
	} else {
		check_invalid(c, &op_at, op, "not a valid selector operator");
	}
}

static void check_scopes(struct check *c, const struct path *p, const struct doc *spec)
{
	static const struct doc none = { .type = DOC_NULL };
	const struct path list_at = PATH(p, "scopes"), selector = PATH(p, "scopeSelector"),
			  terms_at = PATH(&selector, "matchExpressions");
	const struct doc *list = doc_get(spec, "scopes"),
			 *terms = doc_find(spec, "scopeSelector.matchExpressions");

	DOC_EACH (name, list) {
		if (!scope_of(name))
			check_invalid(c, &list_at, list, "unsupported scope");
		(void)check_scope(c, &list_at, name, spec, list);
	}
	check_opposites(c, &list_at, list, NULL, list);
	DOC_EACH (term, terms)
		check_scope_requirement(c, &terms_at, term, spec);
	check_opposites(c, &terms_at, terms, "scopeName", list ? list : &none);
}

static bool has_all(const struct doc *a, const struct doc *b)
{
	DOC_EACH (x, a) {
		bool found = false;

		DOC_EACH (y, b)
			found |= doc_equal(x, y);
		if (!found)
			return false;
	}
	return true;
}

void check_quota(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path spec = PATH(NULL, "spec"), hard = PATH(&spec, "hard"),
			  scopes_at = PATH(&spec, "scopes"), status = PATH(NULL, "status"),
			  status_hard = PATH(&status, "hard"), used = PATH(&status, "used");
	const struct doc *s = doc_get(obj, "spec"), *list = doc_get(s, "scopes"),
			 *was = doc_find(c->old, "spec.scopes");
	bool in_status = strcmp(sub, "status") == 0;

	if (!in_status) {
		check_hard(c, &hard, doc_get(s, "hard"));
		check_scopes(c, &spec, s);
	}
	if (in_status || !c->old) {
		check_hard(c, &status_hard, doc_find(obj, "status.hard"));
		check_hard(c, &used, doc_find(obj, "status.used"));
	}
	if (c->old && !in_status && (!has_all(list, was) || !has_all(was, list)))
		check_invalid(c, &scopes_at, list, "field is immutable");
}

/* ---- LimitRange ---- */

enum { MIN_VALUE, MAX_VALUE, DEFAULT, REQUEST, RATIO, LISTS };
static const char *const lists[LISTS] = {
	[MIN_VALUE] = "min",
	[MAX_VALUE] = "max",
	[DEFAULT] = "default",
	[REQUEST] = "defaultRequest",
	[RATIO] = "maxLimitRequestRatio",
};

/* Of one resource: what each list says. */
struct limits {
	const struct doc *text[LISTS];
	struct quantity q[LISTS];
};

static void check_order(struct check *c, const struct path *p, const struct limits *l,
			struct slice name)
{
	static const struct order {
		uint8_t low, high; /* the first may not be above the second */
		uint8_t at, value; /* whose path and value the error has */
		const char *low_name, *high_name;
	} orders[] = {
		{ MIN_VALUE, MAX_VALUE, MIN_VALUE, MIN_VALUE, "min value", "max value" },
		{ MIN_VALUE, REQUEST, REQUEST, REQUEST, "min value", "default request value" },
		{ REQUEST, MAX_VALUE, REQUEST, REQUEST, "default request value", "max value" },
		{ REQUEST, DEFAULT, REQUEST, REQUEST, "default request value",
		  "default limit value" },
		{ MIN_VALUE, DEFAULT, DEFAULT, MIN_VALUE, "min value", "default value" },
		{ DEFAULT, MAX_VALUE, DEFAULT, MAX_VALUE, "default value", "max value" },
	};

	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		const struct order *o = &orders[i];
		const struct path list = PATH(p, lists[o->at]), at = PATH_KEY(&list, name);

		if (l->text[o->low] && l->text[o->high] &&
		    quantity_cmp(&l->q[o->low], &l->q[o->high]) > 0)
			check_invalid(c, &at, l->text[o->value], "%s %.*s is greater than %s %.*s",
				      o->low_name, TEXT(l->text[o->low]), o->high_name,
				      TEXT(l->text[o->high]));
	}
}

static void check_ratio(struct check *c, const struct path *p, const struct limits *l,
			struct slice name)
{
	static const struct quantity one = { .nano = 1000000000 };
	const struct path list = PATH(p, lists[RATIO]), at = PATH_KEY(&list, name);
	const struct doc *ratio = l->text[RATIO];
	double most;

	if (!ratio)
		return;
	if (quantity_cmp(&l->q[RATIO], &one) < 0)
		check_invalid(c, &at, ratio, "ratio %.*s is less than 1", TEXT(ratio));
	if (!l->text[MIN_VALUE] || !l->text[MAX_VALUE])
		return;
	most = (double)l->q[MAX_VALUE].nano / (double)l->q[MIN_VALUE].nano;
	if ((double)l->q[RATIO].nano / 1e9 > most)
		check_invalid(c, &at, ratio, "ratio %.*s is greater than max/min = %f", TEXT(ratio),
			      most);
}

static void check_limits_of(struct check *c, const struct path *p, const struct doc *item,
			    struct slice name)
{
	const struct path list = PATH(p, lists[REQUEST]), at = PATH_KEY(&list, name);
	bool pod = doc_str_is(doc_get(item, "type"), "Pod");
	struct limits l = { 0 };

	for (unsigned i = 0; i < LISTS; i++) {
		if (pod && (i == DEFAULT || i == REQUEST))
			continue;
		l.text[i] = doc_getn(doc_get(item, lists[i]), name);
		if (l.text[i])
			(void)quantity_parse(doc_slice(l.text[i]), &l.q[i]);
	}
	check_order(c, p, &l, name);
	check_ratio(c, p, &l, name);
	if (!resource_is_overcommitted(name) && l.text[DEFAULT] && l.text[REQUEST] &&
	    quantity_cmp(&l.q[DEFAULT], &l.q[REQUEST]) != 0)
		check_invalid(c, &at, l.text[REQUEST],
			      "default value %.*s must equal to defaultRequest value %.*s in %.*s",
			      TEXT(l.text[DEFAULT]), TEXT(l.text[REQUEST]), (int)name.n, name.p);
}

static void check_limit_names(struct check *c, const struct path *p, const struct doc *item,
			      unsigned which)
{
	static const char pods[] = "may not be specified when `type` is 'Pod'";
	const struct path list = PATH(p, lists[which]);
	const struct doc *type = doc_get(item, "type");
	bool pod = doc_str_is(type, "Pod");

	if (pod && (which == DEFAULT || which == REQUEST)) {
		check_has_not(c, p, item, lists[which], pods);
		return;
	}
	DOC_EACH_MEMBER (key, value, doc_get(item, lists[which])) {
		const struct path at = PATH_KEY(&list, doc_slice(key));
		bool first = true;

		(void)value;
		if (pod || doc_str_is(type, "Container"))
			check_container_resource_name(c, &at, doc_slice(key));
		else
			(void)check_resource_name(c, &at, doc_slice(key));
		for (unsigned i = 0; i < which; i++)
			first &= !doc_getn(doc_get(item, lists[i]), doc_slice(key));
		if (first)
			check_limits_of(c, p, item, doc_slice(key));
	}
}

static void check_limit_type(struct check *c, const struct path *p, const struct doc *item)
{
	static const char *const types[] = { "Pod", "Container", "PersistentVolumeClaim", NULL };
	const struct path at = PATH(p, "type");
	const struct doc *type = doc_get(item, "type");
	struct slice s = doc_slice(type);
	const char *why = form_qualified_name(s);

	if (!why && !slice_has(s, '/') && !in_list(s, types))
		why = "must be a standard limit type or fully qualified";
	if (why)
		check_invalid(c, &at, type, "%s", why);
}

void check_limit_range(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path spec = PATH(NULL, "spec"), list = PATH(&spec, "limits");
	const struct doc *items = doc_find(obj, "spec.limits");

	(void)sub;
	for (size_t i = 0; i < doc_len(items); i++) {
		const struct path at = PATH_INDEX(&list, i), limits = PATH(&at, "limits");
		const struct doc *item = doc_at(items, i);

		check_limit_type(c, &at, item);
		for (unsigned k = 0; k < LISTS; k++)
			check_limit_names(c, &at, item, k);
		if (doc_str_is(doc_get(item, "type"), "PersistentVolumeClaim") &&
		    !doc_get(doc_get(item, "min"), "storage") &&
		    !doc_get(doc_get(item, "max"), "storage"))
			check_required(c, &limits,
				       "either minimum or maximum storage value is required, but "
				       "neither was provided");
	}
	check_unique(c, &list, items, "type");
}
