/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of what places a pod: node selectors, affinity, tolerations, spreading. */
#include "api/check-pod.h"

static void check_label_name(struct check *c, const struct path *p, const struct doc *key)
{
	const char *why = form_qualified_name(doc_slice(key));

	if (why)
		check_invalid(c, p, key, "%s", why);
}

/* ---- node selectors ---- */

static bool is_any(const struct doc *d, const char *a, const char *b)
{
	return doc_str_is(d, a) || doc_str_is(d, b);
}

static void check_expression(struct check *c, const struct path *p, const struct doc *r,
			     bool any_value)
{
	const struct path op = PATH(p, "operator"), values = PATH(p, "values"),
			  key = PATH(p, "key");
	const struct doc *o = doc_get(r, "operator"), *list = doc_get(r, "values");

	if (is_any(o, "In", "NotIn")) {
		if (doc_len(list) == 0)
			check_required(c, &values,
				       "must be specified when `operator` is 'In' or 'NotIn'");
	} else if (is_any(o, "Exists", "DoesNotExist")) {
		if (doc_len(list) > 0)
			check_forbidden(c, &values,
					"may not be specified when `operator` is 'Exists' or "
					"'DoesNotExist'");
	} else if (is_any(o, "Gt", "Lt")) {
		if (doc_len(list) != 1)
			check_required(c, &values,
				       "must be specified single value when `operator` is 'Lt' or "
				       "'Gt'");
	} else {
		check_invalid(c, &op, o, "not a valid selector operator");
	}
	check_label_name(c, &key, doc_get(r, "key"));
	if (!any_value)
		check_each_text(c, &values, list, form_label_value);
}

static void check_node_field(struct check *c, const struct path *p, const struct doc *r)
{
	const struct path op = PATH(p, "operator"), values = PATH(p, "values"),
			  key = PATH(p, "key");
	const struct doc *o = doc_get(r, "operator"), *list = doc_get(r, "values"),
			 *k = doc_get(r, "key");

	if (!is_any(o, "In", "NotIn"))
		check_invalid(c, &op, o, "not a valid selector operator");
	else if (doc_len(list) != 1)
		check_required(c, &values,
			       "must be only one value when `operator` is 'In' or 'NotIn' for node "
			       "field selector");
	if (doc_str_is(k, "metadata.name"))
		check_each_text(c, &values, list, form_dns_subdomain);
	else
		check_invalid(c, &key, k, "not a valid field selector key");
}

/* any_value: what is only preferred may compare with what no label can be. */
static void check_node_term(struct check *c, const struct path *p, const struct doc *term,
			    bool any_value)
{
	const struct path labels = PATH(p, "matchExpressions"), fields = PATH(p, "matchFields");
	const struct doc *l = doc_get(term, "matchExpressions"), *f = doc_get(term, "matchFields");

	for (size_t i = 0; i < doc_len(l); i++) {
		const struct path at = PATH_INDEX(&labels, i);

		check_expression(c, &at, doc_at(l, i), any_value);
	}
	for (size_t i = 0; i < doc_len(f); i++) {
		const struct path at = PATH_INDEX(&fields, i);

		check_node_field(c, &at, doc_at(f, i));
	}
}

void check_node_selector(struct check *c, const struct path *p, const struct doc *selector)
{
	const struct path list = PATH(p, "nodeSelectorTerms");
	const struct doc *terms = doc_get(selector, "nodeSelectorTerms");

	if (doc_len(terms) == 0)
		check_required(c, &list, "must have at least one node selector term");
	for (size_t i = 0; i < doc_len(terms); i++) {
		const struct path at = PATH_INDEX(&list, i);

		check_node_term(c, &at, doc_at(terms, i), false);
	}
}

/* ---- topology selectors (of storage classes) ---- */

static void check_topology_label(struct check *c, const struct path *p, const struct doc *r)
{
	const struct path values = PATH(p, "values"), key = PATH(p, "key");
	const struct doc *list = doc_get(r, "values");

	if (doc_len(list) == 0)
		check_required(c, &values, "");
	for (size_t i = 1; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(&values, i);

		for (size_t j = 0; j < i; j++)
			if (doc_equal(doc_at(list, i), doc_at(list, j))) {
				check_duplicate(c, &at, doc_at(list, i));
				break;
			}
	}
	check_label_name(c, &key, doc_get(r, "key"));
}

void check_topology_terms(struct check *c, const struct path *p, const struct doc *terms)
{
	for (size_t i = 0; i < doc_len(terms); i++) {
		const struct path at = PATH_INDEX(p, i), list = PATH(&at, "matchLabelExpressions");
		const struct doc *labels = doc_get(doc_at(terms, i), "matchLabelExpressions");

		for (size_t j = 0; j < doc_len(labels); j++) {
			const struct path label = PATH_INDEX(&list, j);

			check_topology_label(c, &label, doc_at(labels, j));
		}
		check_unique(c, &list, labels, "key");
		for (size_t j = 0; j < i; j++)
			if (doc_equal(doc_at(terms, i), doc_at(terms, j))) {
				check_duplicate(c, &at, NULL);
				break;
			}
	}
}

/* ---- affinity ---- */

static bool has_text(const struct doc *list, const struct doc *text)
{
	DOC_EACH (x, list)
		if (doc_equal(x, text))
			return true;
	return false;
}

static bool selector_has_key(const struct doc *selector, const struct doc *key)
{
	if (doc_getn(doc_get(selector, "matchLabels"), doc_slice(key)))
		return true;
	DOC_EACH (r, doc_get(selector, "matchExpressions"))
		if (doc_equal(doc_get(r, "key"), key))
			return true;
	return false;
}

static void check_label_keys(struct check *c, const struct path *p, const struct doc *keys,
			     const struct doc *selector)
{
	if (doc_len(keys) == 0)
		return;
	if (!selector)
		check_forbidden(c, p, "must not be specified when labelSelector is not set");
	else
		check_each_text(c, p, keys, form_qualified_name);
}

/* Keys of which the server made expressions may not be in the selector a second time. */
static void check_keys_twice(struct check *c, const struct path *p, const struct doc *keys,
			     const struct doc *selector)
{
	const struct doc *list = doc_get(selector, "matchExpressions");

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct doc *key = doc_get(doc_at(list, i), "key");
		bool twice = doc_getn(doc_get(selector, "matchLabels"), doc_slice(key));

		for (size_t j = 0; j < i; j++)
			twice |= doc_equal(doc_get(doc_at(list, j), "key"), key);
		for (size_t j = 0; twice && j < doc_len(keys); j++) {
			const struct path at = PATH_INDEX(p, j);

			if (doc_equal(doc_at(keys, j), key))
				check_invalid(c, &at, key,
					      "exists in both matchLabelKeys and labelSelector");
		}
	}
}

static void check_affinity_term(struct check *c, const struct path *p, const struct doc *term)
{
	const struct path selector = PATH(p, "labelSelector"),
			  namespaces = PATH(p, "namespaceSelector"), ns = PATH(p, "namespace"),
			  match = PATH(p, "matchLabelKeys"),
			  mismatch = PATH(p, "mismatchLabelKeys"),
			  topology = PATH(p, "topologyKey");
	const struct doc *s = doc_get(term, "labelSelector"), *m = doc_get(term, "matchLabelKeys"),
			 *mm = doc_get(term, "mismatchLabelKeys"),
			 *key = doc_get(term, "topologyKey");

	check_label_selector(c, &selector, s);
	check_label_selector(c, &namespaces, doc_get(term, "namespaceSelector"));
	DOC_EACH (name, doc_get(term, "namespaces")) {
		const char *why = form_dns_label(doc_slice(name));

		if (why)
			check_invalid(c, &ns, name, "%s", why);
	}
	check_label_keys(c, &match, m, s);
	check_label_keys(c, &mismatch, mm, s);
	check_keys_twice(c, p, m, s);
	for (size_t i = 0; i < doc_len(m); i++) {
		const struct path at = PATH_INDEX(&match, i);

		if (has_text(mm, doc_at(m, i)))
			check_invalid(c, &at, doc_at(m, i),
				      "exists in both matchLabelKeys and mismatchLabelKeys");
	}
	if (doc_slice(key).n == 0)
		check_required(c, &topology, "can not be empty");
	check_label_name(c, &topology, key);
}

static void check_weight(struct check *c, const struct path *p, const struct doc *term)
{
	const struct path at = PATH(p, "weight");
	int64_t w = check_number(doc_get(term, "weight"));

	if (w < 1 || w > 100)
		check_invalid(c, &at, doc_get(term, "weight"), "must be in the range 1-100");
}

#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"

static void check_pod_affinity(struct check *c, const struct path *p, const struct doc *a)
{
	const struct path must = PATH(p, REQUIRED), want = PATH(p, PREFERRED);
	const struct doc *m = doc_get(a, REQUIRED), *w = doc_get(a, PREFERRED);

	for (size_t i = 0; i < doc_len(m); i++) {
		const struct path at = PATH_INDEX(&must, i);

		check_affinity_term(c, &at, doc_at(m, i));
	}
	for (size_t i = 0; i < doc_len(w); i++) {
		const struct path at = PATH_INDEX(&want, i), term = PATH(&at, "podAffinityTerm");

		check_weight(c, &at, doc_at(w, i));
		check_affinity_term(c, &term, doc_get(doc_at(w, i), "podAffinityTerm"));
	}
}

static void check_node_affinity(struct check *c, const struct path *p, const struct doc *a)
{
	const struct path must = PATH(p, REQUIRED), want = PATH(p, PREFERRED);
	const struct doc *w = doc_get(a, PREFERRED);

	if (doc_get(a, REQUIRED))
		check_node_selector(c, &must, doc_get(a, REQUIRED));
	for (size_t i = 0; i < doc_len(w); i++) {
		const struct path at = PATH_INDEX(&want, i), term = PATH(&at, "preference");

		check_weight(c, &at, doc_at(w, i));
		check_node_term(c, &term, doc_get(doc_at(w, i), "preference"), true);
	}
}

void check_affinity(struct check *c, const struct path *p, const struct doc *affinity)
{
	const struct path node = PATH(p, "nodeAffinity"), pod = PATH(p, "podAffinity"),
			  anti = PATH(p, "podAntiAffinity");

	check_node_affinity(c, &node, doc_get(affinity, "nodeAffinity"));
	check_pod_affinity(c, &pod, doc_get(affinity, "podAffinity"));
	check_pod_affinity(c, &anti, doc_get(affinity, "podAntiAffinity"));
}

/* ---- tolerations ---- */

static const char *const effects[] = { "NoSchedule", "PreferNoSchedule", "NoExecute", NULL };

static bool is_integer(struct slice s)
{
	struct doc d;
	int64_t v;

	return doc_number_parse(s, &d) && (d.flags & DOC_INT) && doc_int64(&d, &v) == 0;
}

static void check_toleration_value(struct check *c, const struct path *p, const struct doc *t)
{
	static const char *const operators[] = { "Equal", "Exists", "Gt", "Lt", NULL };
	const struct path at = PATH(p, "operator"), number_at = PATH(p, "value");
	const struct doc *op = doc_get(t, "operator"), *value = doc_get(t, "value");
	const char *why = form_label_value(doc_slice(value));

	if (!op || op->n == 0 || doc_str_is(op, "Equal")) {
		if (why)
			check_invalid(c, &at, value, "%s", why);
	} else if (doc_str_is(op, "Exists")) {
		if (doc_slice(value).n > 0)
			check_invalid(c, &at, value,
				      "value must be empty when `operator` is 'Exists'");
	} else if (is_any(op, "Gt", "Lt")) {
		if (!is_integer(doc_slice(value)))
			check_invalid(c, &number_at, value,
				      "must be an integer when `operator` is 'Gt' or 'Lt'");
	} else {
		check_unsupported(c, &at, op, operators);
	}
}

static void check_toleration(struct check *c, const struct path *p, const struct doc *t)
{
	const struct path key = PATH(p, "key"), op = PATH(p, "operator"),
			  effect = PATH(p, "effect");
	const struct doc *k = doc_get(t, "key"), *e = doc_get(t, "effect");

	if (doc_slice(k).n > 0)
		check_label_name(c, &key, k);
	else if (!doc_str_is(doc_get(t, "operator"), "Exists"))
		check_invalid(c, &op, doc_get(t, "operator"),
			      "operator must be Exists when `key` is empty, which means \"match "
			      "all values and all keys\"");
	if (doc_get(t, "tolerationSeconds") && !doc_str_is(e, "NoExecute"))
		check_invalid(c, &effect, e,
			      "effect must be 'NoExecute' when `tolerationSeconds` is set");
	check_toleration_value(c, p, t);
	check_one_of(c, &effect, e, effects, false);
}

void check_tolerations(struct check *c, const struct path *p, const struct doc *list)
{
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i);

		check_toleration(c, &at, doc_at(list, i));
	}
}

/* Taints of a node; upstream tells them below metadata. */
void check_taints(struct check *c, const struct path *p, const struct doc *list)
{
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i), key = PATH(&at, "key"),
				  value = PATH(&at, "value"), effect = PATH(&at, "effect");
		const struct doc *t = doc_at(list, i), *k = doc_get(t, "key"),
				 *e = doc_get(t, "effect");

		check_label_name(c, &key, k);
		check_optional_text(c, &value, doc_get(t, "value"), form_label_value);
		check_one_of(c, &effect, e, effects, true);
		for (size_t j = 0; j < i; j++)
			if (doc_equal(doc_get(doc_at(list, j), "key"), k) &&
			    doc_equal(doc_get(doc_at(list, j), "effect"), e)) {
				check_duplicate(c, &at, t);
				break;
			}
	}
}

/* ---- spreading ---- */

static void check_spread_keys(struct check *c, const struct path *p, const struct doc *keys,
			      const struct doc *selector)
{
	if (doc_len(keys) > 0 && !selector)
		check_forbidden(c, p, "must not be specified when labelSelector is not set");
	check_each_text(c, p, keys, form_qualified_name);
	for (size_t i = 0; i < doc_len(keys); i++) {
		const struct path at = PATH_INDEX(p, i);

		if (selector_has_key(selector, doc_at(keys, i)))
			check_invalid(c, &at, doc_at(keys, i),
				      "exists in both matchLabelKeys and labelSelector");
	}
}

static void check_min_domains(struct check *c, const struct path *p, const struct doc *s)
{
	const struct path at = PATH(p, "minDomains");
	const struct doc *min = doc_get(s, "minDomains"), *what = doc_get(s, "whenUnsatisfiable");

	if (!min)
		return;
	if (check_number(min) <= 0)
		check_invalid(c, &at, min, "must be greater than zero");
	if (!doc_str_is(what, "DoNotSchedule"))
		check_invalid(c, &at, min,
			      "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not "
			      "%.*s",
			      (int)doc_slice(what).n, doc_slice(what).p);
}

static void check_spread(struct check *c, const struct path *p, const struct doc *s)
{
	static const char *const actions[] = { "DoNotSchedule", "ScheduleAnyway", NULL };
	static const char *const policies[] = { "Honor", "Ignore", NULL };
	static const struct field_rule rules[] = {
		{ .field = "nodeAffinityPolicy", .values = policies },
		{ .field = "nodeTaintsPolicy", .values = policies },
		{ 0 },
	};
	const struct path skew = PATH(p, "maxSkew"), what = PATH(p, "whenUnsatisfiable"),
			  keys = PATH(p, "matchLabelKeys"), selector = PATH(p, "labelSelector");

	if (check_number(doc_get(s, "maxSkew")) <= 0)
		check_invalid(c, &skew, doc_get(s, "maxSkew"), "must be greater than zero");
	(void)check_has(c, p, s, "topologyKey", "can not be empty");
	check_exactly_one_of(c, &what, doc_get(s, "whenUnsatisfiable"), actions);
	check_min_domains(c, p, s);
	check_fields(c, p, s, rules);
	check_spread_keys(c, &keys, doc_get(s, "matchLabelKeys"), doc_get(s, "labelSelector"));
	check_label_selector(c, &selector, doc_get(s, "labelSelector"));
}

static bool same_spread(const struct doc *a, const struct doc *b)
{
	return doc_equal(doc_get(a, "topologyKey"), doc_get(b, "topologyKey")) &&
	       doc_equal(doc_get(a, "whenUnsatisfiable"), doc_get(b, "whenUnsatisfiable"));
}

void check_spreads(struct check *c, const struct path *p, const struct doc *list)
{
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i),
				  pair = PATH(&at, "{topologyKey, whenUnsatisfiable}");
		const struct doc *s = doc_at(list, i);

		check_spread(c, &at, s);
		for (size_t j = i + 1; j < doc_len(list); j++)
			if (same_spread(s, doc_at(list, j))) {
				struct slice k = doc_slice(doc_get(s, "topologyKey")),
					     w = doc_slice(doc_get(s, "whenUnsatisfiable"));
				char text[512];
				int n = snprintf(text, sizeof(text), "{%.*s, %.*s}", (int)k.n, k.p,
						 (int)w.n, w.p);
				const struct doc d =
					doc_borrow(text, MIN((size_t)n, sizeof(text) - 1));

				check_duplicate(c, &pair, &d);
				break;
			}
	}
}
