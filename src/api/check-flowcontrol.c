/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of flowcontrol.apiserver.k8s.io/v1. */
#include "api/check-parts.h"

#define PRECEDENCE_MAX 10000
#define QUEUES_MAX 10000000

static const struct path in_spec = PATH(NULL, "spec"), in_status = PATH(NULL, "status");

/* ---- what both have ---- */

static void check_flow_conditions(struct check *c, const struct doc *obj)
{
	const struct path at = PATH(&in_status, "conditions");
	const struct doc *list = doc_find(obj, "status.conditions");

	check_unique(c, &at, list, "type");
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i);

		if (!part_full(doc_at(list, i), "type"))
			part_required(c, &one, "type", "must not be empty");
	}
}

/* ---- FlowSchema ---- */

static void check_account(struct check *c, const struct path *p, const struct doc *account)
{
	part_text(c, p, account, "name",
		  doc_str_is(doc_get(account, "name"), "*") ? form_any : form_dns_subdomain);
	if (!part_full(account, "namespace"))
		part_required(c, p, "namespace", "must specify namespace for service account");
	part_optional(c, p, account, "namespace", form_dns_label);
}

static void check_flow_subject(struct check *c, const struct path *p, const struct doc *subject)
{
	static const char *const kinds[] = { "Group", "ServiceAccount", "User", NULL };
	static const struct {
		const char *kind, *field, *missing, *strange;
	} rows[] = {
		{ "ServiceAccount", "serviceAccount",
		  "serviceAccount is required when subject kind is 'ServiceAccount'",
		  "serviceAccount is forbidden when subject kind is not 'ServiceAccount'" },
		{ "User", "user", "user is required when subject kind is 'User'",
		  "user is forbidden when subject kind is not 'User'" },
		{ "Group", "group", "group is required when subject kind is 'Group'",
		  "group is forbidden when subject kind is not 'Group'" },
	};
	const struct doc *kind = doc_get(subject, "kind");

	if (!doc_str_is(kind, "User") && !doc_str_is(kind, "Group") &&
	    !doc_str_is(kind, "ServiceAccount")) {
		part_one_of(c, p, subject, "kind", kinds, false);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct path at = PATH(p, rows[i].field);
		const struct doc *v = doc_get(subject, rows[i].field);

		if (!doc_str_is(kind, rows[i].kind)) {
			if (v)
				check_forbidden(c, &at, "%s", rows[i].strange);
		} else if (!v) {
			check_required(c, &at, rows[i].missing);
		} else if (i == 0) {
			check_account(c, &at, v);
		} else if (!part_full(v, "name")) {
			part_required(c, &at, "name", "");
		}
	}
}

static void check_verbs(struct check *c, const struct path *p, const struct doc *rule)
{
	static const char *const verbs[] = { "create", "delete", "deletecollection",
					     "get",    "list",	 "patch",
					     "proxy",  "update", "watch",
					     NULL };
	const struct path at = PATH(p, "verbs");
	const struct doc *list = doc_get(rule, "verbs");
	bool known = true;

	if (doc_len(list) == 0)
		check_required(c, &at, "verbs must contain at least one value");
	part_alone(c, p, rule, "verbs", "verbs");
	if (part_has_text(list, "*"))
		return;
	DOC_EACH (v, list) {
		size_t i = 0;

		while (verbs[i] && !doc_str_is(v, verbs[i]))
			i++;
		known = known && verbs[i];
	}
	if (!known)
		check_unsupported(c, &at, list, verbs);
}

static void check_namespaces(struct check *c, const struct path *p, const struct doc *rule)
{
	const struct path at = PATH(p, "namespaces");
	const struct doc *list = doc_get(rule, "namespaces");

	if (doc_len(list) == 0 && !doc_true(doc_get(rule, "clusterScope")))
		check_required(c, &at,
			       "resource rules that are not cluster scoped must supply at least "
			       "one namespace");
	part_alone(c, p, rule, "namespaces", "namespaces");
	for (size_t i = 0; !part_has_text(list, "*") && i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i);
		const char *why = form_dns_label(doc_slice(doc_at(list, i)));

		if (why)
			check_invalid(c, &one, doc_at(list, i),
				      "each member of this list must be '*' or a DNS-1123 label; "
				      "%s",
				      why);
	}
}

static void check_resource_rule(struct check *c, const struct path *p, const struct doc *rule)
{
	check_verbs(c, p, rule);
	if (!part_full(rule, "apiGroups"))
		part_required(c, p, "apiGroups",
			      "resource rules must supply at least one api group");
	part_alone(c, p, rule, "apiGroups", "api groups");
	if (!part_full(rule, "resources"))
		part_required(c, p, "resources",
			      "resource rules must supply at least one resource");
	part_alone(c, p, rule, "resources", "resources");
	check_namespaces(c, p, rule);
}

static const char *form_url(struct slice s)
{
	const char *star = s.n ? memchr(s.p, '*', s.n) : NULL;

	if (s.n == 0)
		return "must not be empty";
	if (slice_is(s, "/"))
		return NULL;
	if (*s.p != '/')
		return "must start with slash";
	if (memchr(s.p, ' ', s.n))
		return "must not contain white-space";
	if (memmem(s.p, s.n, "//", 2))
		return "must not contain double slash";
	if (star && (star != s.p + s.n - 1 || star[-1] != '/'))
		return "wildcard can only do suffix matching";
	return NULL;
}

static void check_url_rule(struct check *c, const struct path *p, const struct doc *rule)
{
	const struct path at = PATH(p, "nonResourceURLs");
	const struct doc *list = doc_get(rule, "nonResourceURLs");

	check_verbs(c, p, rule);
	if (doc_len(list) == 0)
		check_required(c, &at, "nonResourceURLs must contain at least one value");
	part_alone(c, p, rule, "nonResourceURLs", "non-resource URLs");
	if (!part_has_text(list, "*"))
		check_each_text(c, &at, list, form_url);
}

typedef void check_element(struct check *c, const struct path *p, const struct doc *d);

static void check_each(struct check *c, const struct path *p, const struct doc *obj,
		       const char *field, check_element *f)
{
	const struct path at = PATH(p, field);
	const struct doc *list = doc_get(obj, field);

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i);

		f(c, &one, doc_at(list, i));
	}
}

static void check_flow_rule(struct check *c, const struct path *p, const struct doc *rule)
{
	if (!part_full(rule, "subjects"))
		part_required(c, p, "subjects", "subjects must contain at least one value");
	check_each(c, p, rule, "subjects", check_flow_subject);
	if (!part_full(rule, "resourceRules") && !part_full(rule, "nonResourceRules"))
		check_required(c, p,
			       "at least one of resourceRules and nonResourceRules has to be "
			       "non-empty");
	check_each(c, p, rule, "resourceRules", check_resource_rule);
	check_each(c, p, rule, "nonResourceRules", check_url_rule);
}

static void check_precedence(struct check *c, const struct doc *obj)
{
	const struct doc *spec = doc_get(obj, "spec");
	int64_t v = part_number(spec, "matchingPrecedence");

	if (v <= 0)
		part_bad_number(c, &in_spec, spec, "matchingPrecedence",
				"must be a positive value");
	if (v > PRECEDENCE_MAX)
		part_invalid(c, &in_spec, spec, "matchingPrecedence", "must not be greater than %d",
			     PRECEDENCE_MAX);
	if (v == 1 && !doc_str_is(doc_find(obj, "metadata.name"), "exempt"))
		part_invalid(c, &in_spec, spec, "matchingPrecedence",
			     "only the schema named 'exempt' may have matchingPrecedence 1");
}

static void check_flow_schema(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const methods[] = { "ByNamespace", "ByUser", NULL };
	const struct path method = PATH(&in_spec, "distinguisherMethod"),
			  level = PATH(&in_spec, "priorityLevelConfiguration");
	const struct doc *spec = doc_get(obj, "spec"),
			 *name = doc_find(spec, "priorityLevelConfiguration");

	if (strcmp(sub, "status") != 0) {
		check_precedence(c, obj);
		if (part_set(spec, "distinguisherMethod"))
			part_one_of(c, &method, doc_get(spec, "distinguisherMethod"), "type",
				    methods, false);
		if (!part_full(name, "name"))
			part_required(c, &level, "name", "must reference a priority level");
		part_optional(c, &level, name, "name", form_dns_subdomain);
		check_each(c, &in_spec, spec, "rules", check_flow_rule);
	}
	check_flow_conditions(c, obj);
}

/* ---- PriorityLevelConfiguration ---- */

/* Bits that a hash needs to deal `hand` of `deck` cards. */
static unsigned entropy(int64_t deck, int64_t hand)
{
	double v = 1;
	unsigned bits = 0;

	for (int64_t i = 0; i < hand && bits <= 60; i++)
		v *= (double)(deck - i);
	for (; v > 1 && bits <= 1000; bits++)
		v /= 2;
	return bits;
}

static void check_queuing(struct check *c, const struct path *p, const struct doc *queuing)
{
	int64_t queues = part_number(queuing, "queues"), hand = part_number(queuing, "handSize");

	if (part_number(queuing, "queueLengthLimit") <= 0)
		part_bad_number(c, p, queuing, "queueLengthLimit", "must be positive");
	if (queues <= 0)
		part_bad_number(c, p, queuing, "queues", "must be positive");
	else if (queues > QUEUES_MAX)
		part_invalid(c, p, queuing, "queues", "must not be greater than %d", QUEUES_MAX);
	if (hand <= 0)
		part_bad_number(c, p, queuing, "handSize", "must be positive");
	else if (hand > queues)
		part_invalid(c, p, queuing, "handSize", "should not be greater than queues (%lld)",
			     (long long)queues);
	else if (hand > 60 || entropy(queues, hand) > 60)
		part_invalid(c, p, queuing, "handSize",
			     "required entropy bits of deckSize %lld and handSize %lld should not "
			     "be greater than 60",
			     (long long)queues, (long long)hand);
}

static void check_response(struct check *c, const struct path *p, const struct doc *response)
{
	static const char *const types[] = { "Queue", "Reject", NULL };
	const struct path at = PATH(p, "queuing");
	const struct doc *type = doc_get(response, "type"), *queuing = doc_get(response, "queuing");

	if (doc_str_is(type, "Reject")) {
		if (queuing)
			check_forbidden(c, &at,
					"must be nil if limited.limitResponse.type is not Limited");
	} else if (doc_str_is(type, "Queue")) {
		if (queuing)
			check_queuing(c, &at, queuing);
		else
			check_required(c, &at,
				       "must not be empty if limited.limitResponse.type is "
				       "Limited");
	} else {
		part_one_of(c, p, response, "type", types, false);
	}
}

static void check_lendable(struct check *c, const struct path *p, const struct doc *d)
{
	int64_t v = part_number(d, "lendablePercent");

	if (v < 0 || v > 100)
		part_invalid(c, p, d, "lendablePercent", "must be between 0 and 100, inclusive");
}

static void check_limited(struct check *c, const struct path *p, const struct doc *limited)
{
	const struct path response = PATH(p, "limitResponse");

	if (part_number(limited, "nominalConcurrencyShares") < 0)
		part_invalid(c, p, limited, "nominalConcurrencyShares",
			     "must be a non-negative integer");
	check_response(c, &response, doc_get(limited, "limitResponse"));
	check_lendable(c, p, limited);
	if (part_number(limited, "borrowingLimitPercent") < 0)
		part_invalid(c, p, limited, "borrowingLimitPercent",
			     "if specified, must be a non-negative integer");
}

static void check_exempt(struct check *c, const struct path *p, const struct doc *exempt)
{
	if (part_number(exempt, "nominalConcurrencyShares") < 0)
		part_invalid(c, p, exempt, "nominalConcurrencyShares",
			     "must be a non-negative integer");
	check_lendable(c, p, exempt);
}

static void check_level(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const types[] = { "Exempt", "Limited", NULL };
	const struct path limited = PATH(&in_spec, "limited"), exempt = PATH(&in_spec, "exempt");
	const struct doc *spec = doc_get(obj, "spec"), *type = doc_get(spec, "type"),
			 *l = doc_get(spec, "limited"), *e = doc_get(spec, "exempt");
	bool is_exempt = doc_str_is(type, "Exempt"), is_limited = doc_str_is(type, "Limited");

	check_flow_conditions(c, obj);
	if (strcmp(sub, "status") == 0)
		return;
	if (doc_str_is(doc_find(obj, "metadata.name"), "exempt") != is_exempt)
		part_invalid(c, &in_spec, spec, "type",
			     "type must be 'Exempt' if and only if `name` is 'exempt'");
	if (!is_exempt && !is_limited)
		part_one_of(c, &in_spec, spec, "type", types, false);
	if (is_exempt && l)
		check_forbidden(c, &limited, "must be nil if the type is not Limited");
	if (is_limited && e)
		check_forbidden(c, &exempt, "must be nil if the type is Limited");
	if (is_exempt && e)
		check_exempt(c, &exempt, e);
	if (is_limited && !l)
		check_required(c, &limited, "must not be empty when type is Limited");
	if (is_limited && l)
		check_limited(c, &limited, l);
}

const struct check_kind check_flowcontrol[] = {
	{ "flowcontrol.apiserver.k8s.io", "FlowSchema", check_flow_schema, NULL },
	{ "flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", check_level, NULL },
	{ NULL, NULL, NULL, NULL },
};
