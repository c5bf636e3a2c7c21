/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of admissionregistration.k8s.io/v1. All expressions in CEL are compiled. */
#include "api/check-parts.h"
#include "api/match-condition.h"
#include "api/policy.h"

#include "base/arena.h"
#include "base/err.h"

#define CONDITION_BYTES (16u << 20)
#define POLICY_BYTES (32u << 20) /* all expressions of one */

static const struct path in_spec = PATH(NULL, "spec");

static bool is_blank(const struct doc *text)
{
	struct slice s = doc_slice(text);

	for (size_t i = 0; i < s.n; i++)
		if (!strchr(" \t\r\n", s.p[i]))
			return false;
	return true;
}

static bool has_lines(const struct doc *text)
{
	struct slice s = slice_trim(doc_slice(text));

	return s.n && (memchr(s.p, '\n', s.n) || memchr(s.p, '\r', s.n));
}

/* ---- rules ---- */

static bool has_both(const struct doc *list, struct slice s, size_t i, bool of_resource)
{
	struct slice sub = s, resource = slice_split(&sub, '/');

	for (size_t j = 0; sub.p && j < i; j++) {
		struct slice other = doc_slice(doc_at(list, j)), name = slice_split(&other, '/');

		if (!other.p)
			continue;
		if (of_resource ? slice_eq(name, resource) && slice_is(other, "*")
				: slice_eq(other, sub) && slice_is(name, "*"))
			return true;
	}
	return false;
}

static void check_resources_of(struct check *c, const struct path *p, const struct doc *list)
{
	bool star = part_has_text(list, "*"), plain = false;

	if (doc_len(list) == 0)
		check_required(c, p, "");
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i);
		const struct doc *v = doc_at(list, i);
		struct slice s = doc_slice(v), sub = s, name = slice_split(&sub, '/');

		if (s.n == 0) {
			check_required(c, &at, "");
			continue;
		}
		plain = plain || (!sub.p && !slice_is(s, "*"));
		if (has_both(list, s, i, true))
			check_invalid(c, &at, v, "if '%.*s/*' is present, must not specify %.*s",
				      (int)name.n, name.p, (int)s.n, s.p);
		if (has_both(list, s, i, false))
			check_invalid(c, &at, v, "if '*/%.*s' is present, must not specify %.*s",
				      (int)sub.n, sub.p, (int)s.n, s.p);
	}
	if (doc_len(list) > 1 && part_has_text(list, "*/*"))
		check_invalid(c, p, list, "if '*/*' is present, must not specify other resources");
	if (star && plain)
		check_invalid(c, p, list,
			      "if '*' is present, must not specify other resources without "
			      "subresources");
}

static void check_rule(struct check *c, const struct path *p, const struct doc *rule)
{
	const struct path versions = PATH(p, "apiVersions"), resources = PATH(p, "resources");
	const struct doc *v = doc_get(rule, "apiVersions");

	if (!part_full(rule, "operations"))
		part_required(c, p, "operations", "");
	part_alone(c, p, rule, "operations", "operations");
	if (!part_full(rule, "apiGroups"))
		part_required(c, p, "apiGroups", "");
	part_alone(c, p, rule, "apiGroups", "API groups");
	if (!part_full(rule, "apiVersions"))
		part_required(c, p, "apiVersions", "");
	part_alone(c, p, rule, "apiVersions", "API versions");
	for (size_t i = 0; i < doc_len(v); i++) {
		const struct path at = PATH_INDEX(&versions, i);

		if (doc_at(v, i)->n == 0)
			check_required(c, &at, "");
	}
	check_resources_of(c, &resources, doc_get(rule, "resources"));
}

/* ---- webhooks ---- */

/* One that compiles to a bool. */
static void check_condition(struct check *c, const struct path *p, const struct doc *text)
{
	CLEANUP(arena_free) struct arena *a = arena_new("a match condition", CONDITION_BYTES);
	const struct path at = PATH(p, "expression");
	const struct cel_prog *prog;
	struct err err = ERR_INIT;
	struct cel_env *env;

	if (match_env_new(a, &env, &err) < 0 ||
	    match_compile(env, doc_slice(text), a, &prog, &err) < 0)
		check_invalid(c, &at, text, "compilation failed: %s", err.msg);
}

/* One of a policy. */
static void check_expr(struct check *c, const struct path *at, struct policy_scope *s,
		       enum policy_use use, const struct doc *text)
{
	struct policy_expr e = policy_compile(s, use, doc_slice(text));

	if (e.error)
		check_invalid(c, at, text, "%s", e.error);
}

/* s: of a policy; NULL: of a webhook. */
static void check_match_conditions(struct check *c, const struct path *p, const struct doc *obj,
				   struct policy_scope *s)
{
	const struct path at = PATH(p, "matchConditions");
	const struct doc *list = doc_get(obj, "matchConditions");

	if (doc_len(list) > 64)
		check_too_many(c, &at, doc_len(list), 64);
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i), expression = PATH(&one, "expression");
		const struct doc *text = doc_get(doc_at(list, i), "expression");

		if (is_blank(text))
			check_required(c, &expression, "");
		else if (s)
			check_expr(c, &expression, s, POLICY_MATCH, text);
		else
			check_condition(c, &one, text);
		part_text(c, &one, doc_at(list, i), "name", form_qualified_name);
	}
	check_unique(c, &at, list, "name");
}

static void check_hook(struct check *c, const struct path *p, const struct doc *hook)
{
	static const char *const effects[] = { "None", "NoneOnDryRun", NULL };
	const struct path rules = PATH(p, "rules"), client = PATH(p, "clientConfig"),
			  versions = PATH(p, "admissionReviewVersions");
	const struct doc *list = doc_get(hook, "rules");
	int64_t timeout = part_number(hook, "timeoutSeconds");

	part_text(c, p, hook, "name", form_full_name);
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&rules, i);

		check_rule(c, &one, doc_at(list, i));
	}
	if (!part_set(hook, "sideEffects"))
		part_required(c, p, "sideEffects", "must specify one of None, NoneOnDryRun");
	else if (!doc_str_is(doc_get(hook, "sideEffects"), "None"))
		part_one_of(c, p, hook, "sideEffects", effects, false);
	if (part_set(hook, "timeoutSeconds") && (timeout > 30 || timeout < 1))
		part_invalid(c, p, hook, "timeoutSeconds",
			     "the timeout value must be between 1 and 30 seconds");
	part_selector(c, p, hook, "namespaceSelector");
	part_selector(c, p, hook, "objectSelector");
	part_client(c, &client, doc_get(hook, "clientConfig"));
	check_match_conditions(c, p, hook, NULL);
	part_review_versions(c, &versions, doc_get(hook, "admissionReviewVersions"),
			     "must specify one of v1, v1beta1");
}

static void check_hook_values(struct check *c, const struct path *p, const struct doc *hook)
{
	static const char *const failures[] = { "Fail", "Ignore", NULL };
	static const char *const matches[] = { "Equivalent", "Exact", NULL };
	static const char *const again[] = { "IfNeeded", "Never", NULL };
	static const char *const scopes[] = { "*", "Cluster", "Namespaced", NULL };
	static const char *const operations[] = {
		"*", "CONNECT", "CREATE", "DELETE", "UPDATE", NULL
	};
	const struct path rules = PATH(p, "rules");
	const struct doc *list = doc_get(hook, "rules");

	part_maybe_one_of(c, p, hook, "failurePolicy", failures);
	part_maybe_one_of(c, p, hook, "matchPolicy", matches);
	part_maybe_one_of(c, p, hook, "reinvocationPolicy", again);
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&rules, i), ops = PATH(&one, "operations");
		const struct doc *o = doc_get(doc_at(list, i), "operations");

		part_maybe_one_of(c, &one, doc_at(list, i), "scope", scopes);
		for (size_t j = 0; j < doc_len(o); j++) {
			const struct path op = PATH_INDEX(&ops, j);

			check_exactly_one_of(c, &op, doc_at(o, j), operations);
		}
	}
}

static void check_webhooks(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path at = PATH(NULL, "webhooks");
	const struct doc *hooks = doc_get(obj, "webhooks");

	(void)sub;
	for (size_t i = 0; i < doc_len(hooks); i++) {
		const struct path one = PATH_INDEX(&at, i);

		check_hook_values(c, &one, doc_at(hooks, i));
		check_hook(c, &one, doc_at(hooks, i));
	}
	check_unique(c, &at, hooks, "name");
}

/* ---- policies ---- */

static void check_param_kind(struct check *c, const struct doc *spec)
{
	const struct path at = PATH(&in_spec, "paramKind");
	const struct doc *kind = doc_get(spec, "paramKind"), *gv = doc_get(kind, "apiVersion");
	struct slice version = doc_slice(gv), group = { 0 };

	if (!kind)
		return;
	if (!part_full(kind, "apiVersion"))
		part_required(c, &at, "apiVersion", "");
	if (version.n && memchr(version.p, '/', version.n)) {
		group = slice_split(&version, '/');
		if (memchr(version.p, '/', version.n))
			part_invalid(c, &at, kind, "apiVersion",
				     "unexpected GroupVersion string: %.*s", (int)gv->n, gv->s);
		else if (version.n == 0)
			part_invalid(c, &at, kind, "apiVersion", "version must be specified");
	}
	if (group.n && form_dns_subdomain(group))
		part_invalid(c, &at, kind, "apiVersion", "%s", form_dns_subdomain(group));
	if (version.n && form_dns1035_label(version) && !memchr(version.p, '/', version.n))
		part_invalid(c, &at, kind, "apiVersion", "%s", form_dns1035_label(version));
	part_text(c, &at, kind, "kind", form_dns1035_lower);
}

static void check_named_rules(struct check *c, const struct path *p, const struct doc *match,
			      const char *field)
{
	const struct path at = PATH(p, field);
	const struct doc *list = doc_get(match, field);

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i), names = PATH(&one, "resourceNames");
		const struct doc *r = doc_at(list, i);

		check_each_text(c, &names, doc_get(r, "resourceNames"), form_path_segment);
		part_unique_texts(c, &names, doc_get(r, "resourceNames"));
		check_rule(c, &one, r);
	}
}

static void check_match(struct check *c, const struct path *p, const struct doc *match)
{
	static const char *const needed[] = { "matchPolicy", "namespaceSelector",
					      "objectSelector" };

	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!part_set(match, needed[i]))
			part_required(c, p, needed[i], "");
	part_selector(c, p, match, "namespaceSelector");
	part_selector(c, p, match, "objectSelector");
	check_named_rules(c, p, match, "resourceRules");
	check_named_rules(c, p, match, "excludeResourceRules");
}

static bool is_identifier(struct slice s)
{
	static const char *const reserved[] = { "true",	    "false",	 "null",     "in",   "as",
						"break",    "const",	 "continue", "else", "for",
						"function", "if",	 "import",   "let",  "loop",
						"package",  "namespace", "return",   "var",  "void",
						"while" };

	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (slice_is(s, reserved[i]))
			return false;
	return schema_format_ok(FORMAT_C_IDENTIFIER, s);
}

static void check_variables(struct check *c, const struct doc *spec, struct policy_scope *s)
{
	const struct path at = PATH(&in_spec, "variables");
	const struct doc *list = doc_get(spec, "variables");

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i), expression = PATH(&one, "expression");
		const struct doc *v = doc_at(list, i), *text = doc_get(v, "expression");
		const char *name = doc_cstr(c->a, doc_get(v, "name"));
		struct policy_expr e;

		if (is_blank(doc_get(v, "name")))
			part_required(c, &one, "name", "name is not specified");
		else if (!is_identifier(doc_slice(doc_get(v, "name"))))
			part_invalid(c, &one, v, "name", "name is not a valid CEL identifier");
		if (is_blank(text)) {
			check_required(c, &expression, "expression is not specified");
			continue;
		}
		e = policy_variable(s, name ? name : "", doc_slice(text));
		if (e.error)
			check_invalid(c, &expression, text, "%s", e.error);
	}
}

static void check_validation(struct check *c, const struct path *p, const struct doc *v,
			     struct policy_scope *s)
{
	static const char *const reasons[] = { "Forbidden", "Invalid", "RequestEntityTooLarge",
					       "Unauthorized", NULL };
	const struct path expression = PATH(p, "expression"), words = PATH(p, "messageExpression");

	if (is_blank(doc_get(v, "expression")))
		check_required(c, &expression, "expression is not specified");
	else
		check_expr(c, &expression, s, POLICY_VALIDATION, doc_get(v, "expression"));
	if (part_full(v, "messageExpression") && is_blank(doc_get(v, "messageExpression")))
		part_invalid(c, p, v, "messageExpression", "must be non-empty if specified");
	else if (part_full(v, "messageExpression"))
		check_expr(c, &words, s, POLICY_MESSAGE, doc_get(v, "messageExpression"));
	if (part_full(v, "message") && is_blank(doc_get(v, "message")))
		part_invalid(c, p, v, "message", "message must be non-empty if specified");
	else if (has_lines(doc_get(v, "message")))
		part_invalid(c, p, v, "message", "message must not contain line breaks");
	part_maybe_one_of(c, p, v, "reason", reasons);
}

static void check_audit(struct check *c, const struct doc *obj, struct policy_scope *s)
{
	const struct path at = PATH(&in_spec, "auditAnnotations");
	const struct doc *list = doc_find(obj, "spec.auditAnnotations"),
			 *name = doc_find(obj, "metadata.name");

	if (doc_len(list) > 20)
		check_invalid(c, &at, list, "must not have more than 20 auditAnnotations");
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i), key = PATH(&one, "key"),
				  value = PATH(&one, "valueExpression");
		const struct doc *a = doc_at(list, i), *k = doc_get(a, "key");
		const char *text = name ? arena_printf(c->a, "%.*s/%.*s", (int)name->n, name->s,
						       k ? (int)k->n : 0, k ? k->s : "")
					: NULL;

		if (!text)
			check_invalid(c, &key, k, "requires metadata.name be non-empty");
		else if (form_qualified_name(slice_str(text)))
			check_invalid_text(c, &key, slice_str(text), "%s",
					   form_qualified_name(slice_str(text)));
		if (is_blank(doc_get(a, "valueExpression")))
			part_required(c, &one, "valueExpression",
				      "valueExpression is not specified");
		else if (doc_get(a, "valueExpression")->n > 5120)
			part_required(c, &one, "valueExpression",
				      "must not exceed 5120 bytes in length");
		else
			check_expr(c, &value, s, POLICY_AUDIT, doc_get(a, "valueExpression"));
	}
	check_unique(c, &at, list, "key");
}

/* NULL: the arena is full, which is told. */
static struct policy_scope *scope_of(struct check *c, const struct doc *spec, struct arena *a)
{
	unsigned has = (doc_get(spec, "paramKind") ? POLICY_HAS_PARAMS : 0) |
		       (part_full(spec, "variables") ? POLICY_HAS_VARIABLES : 0);
	struct policy_scope *s = NULL;
	struct err err = ERR_INIT;

	if (policy_scope_new(a, has, NULL, &s, &err) < 0)
		check_forbidden(c, &in_spec, "%s", err.msg);
	return s;
}

static void check_policy_head(struct check *c, const struct doc *spec, struct policy_scope *s)
{
	const struct path at = PATH(&in_spec, "matchConstraints");
	const struct doc *match = doc_get(spec, "matchConstraints");

	if (!part_set(spec, "failurePolicy"))
		part_required(c, &in_spec, "failurePolicy", "");
	check_param_kind(c, spec);
	if (!match) {
		check_required(c, &at, "");
	} else {
		check_match(c, &at, match);
		if (!part_full(match, "resourceRules"))
			part_required(c, &at, "resourceRules", "");
	}
	check_match_conditions(c, &in_spec, spec, s);
	check_variables(c, spec, s);
}

static void check_validating_policy(struct check *c, const struct doc *obj, const char *sub)
{
	CLEANUP(arena_free) struct arena *a = arena_new("a policy", POLICY_BYTES);
	static const char none[] = "validations or auditAnnotations must contain at least one item";
	const struct path at = PATH(&in_spec, "validations"), status = PATH(NULL, "status"),
			  conditions = PATH(&status, "conditions");
	const struct doc *spec = doc_get(obj, "spec"), *list = doc_get(spec, "validations");
	struct policy_scope *s;

	if (strcmp(sub, "status") == 0) {
		part_conditions(c, &conditions, doc_find(obj, "status.conditions"));
		return;
	}
	s = scope_of(c, spec, a);
	if (!s)
		return;
	check_policy_head(c, spec, s);
	if (doc_len(list) == 0 && !part_full(spec, "auditAnnotations")) {
		part_required(c, &in_spec, "validations", none);
		part_required(c, &in_spec, "auditAnnotations", none);
	}
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i);

		check_validation(c, &one, doc_at(list, i), s);
	}
	check_audit(c, obj, s);
	if (arena_exceeded(a))
		check_forbidden(c, &in_spec,
				"expressions that take more than %u MiB of memory are not "
				"supported",
				POLICY_BYTES >> 20);
}

static void check_mutation(struct check *c, const struct path *p, const struct doc *m,
			   struct policy_scope *s)
{
	static const struct {
		const char *type, *field, *shown, *detail;
		enum policy_use use;
	} rows[] = { { "ApplyConfiguration", "applyConfiguration", "{applyConfiguration}",
		       "must be specified when patchType is ApplyConfiguration", POLICY_APPLY },
		     { "JSONPatch", "jsonPatch", "{jsonPatch}",
		       "must be specified when patchType is JSONPatch", POLICY_JSON_PATCH } };
	const struct doc *type = doc_get(m, "patchType");

	if (!part_full(m, "patchType"))
		part_required(c, p, "patchType", "");
	for (size_t i = 0; part_full(m, "patchType") && i < ARRAY_LEN(rows); i++) {
		const struct path at = PATH(p, rows[i].field), text = PATH(&at, "expression");
		bool chosen = doc_str_is(type, rows[i].type);
		const struct doc *v = doc_get(m, rows[i].field);
		const struct doc *e = doc_get(v, "expression");

		if (chosen && !v)
			check_required(c, &at, rows[i].detail);
		else if (chosen && is_blank(e))
			check_required(c, &text, "");
		else if (chosen)
			check_expr(c, &text, s, rows[i].use, e);
		else if (v)
			check_invalid_text(c, &at, slice_str(rows[i].shown),
					   "must not be specified when patchType is %.*s",
					   (int)type->n, type->s);
	}
}

/* Nothing can be changed of what is deleted. */
static void check_mutable(struct check *c, const struct path *p, const struct doc *match)
{
	static const char *const operations[] = { "*", "CONNECT", "CREATE", "UPDATE", NULL };
	const struct path rules = PATH(p, "resourceRules"), at = PATH(&rules, "operations");

	DOC_EACH (rule, doc_get(match, "resourceRules"))
		DOC_EACH (op, doc_get(rule, "operations"))
			check_exactly_one_of(c, &at, op, operations);
}

static void check_mutating_policy(struct check *c, const struct doc *obj, const char *sub)
{
	CLEANUP(arena_free) struct arena *a = arena_new("a policy", POLICY_BYTES);
	const struct path at = PATH(&in_spec, "mutations"),
			  match = PATH(&in_spec, "matchConstraints");
	const struct doc *spec = doc_get(obj, "spec"), *list = doc_get(spec, "mutations");

	struct policy_scope *s = scope_of(c, spec, a);

	(void)sub;
	if (!s)
		return;
	check_policy_head(c, spec, s);
	check_mutable(c, &match, doc_get(spec, "matchConstraints"));
	if (doc_len(list) == 0)
		check_required(c, &at, "mutations must contain at least one item");
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i);

		check_mutation(c, &one, doc_at(list, i), s);
	}
	if (!part_full(spec, "reinvocationPolicy"))
		part_required(c, &in_spec, "reinvocationPolicy", "");
}

/* ---- bindings ---- */

static void check_param_ref(struct check *c, const struct doc *spec)
{
	static const char *const actions[] = { "Deny", "Allow", NULL };
	const struct path at = PATH(&in_spec, "paramRef");
	const struct doc *ref = doc_get(spec, "paramRef");
	bool named = part_full(ref, "name"), selected = part_set(ref, "selector");

	if (!ref)
		return;
	part_optional(c, &at, ref, "name", form_path_segment);
	if (named && selected)
		part_forbidden(c, &at, "name", "name and selector are mutually exclusive");
	part_selector(c, &at, ref, "selector");
	if (named && selected)
		part_forbidden(c, &at, "selector", "name and selector are mutually exclusive");
	if (!named && !selected)
		check_required(c, &at, "one of name or selector must be specified");
	part_one_of(c, &at, ref, "parameterNotFoundAction", actions, true);
}

static void check_policy_binding(struct check *c, const struct doc *obj, const char *sub)
{
	const bool mutating = c->kind->kind[0] == 'M';
	/* upstream's name of it in errors lacks a letter */
	const struct path match = PATH(&in_spec, mutating ? "matchResources" : "matchResouces"),
			  at = PATH(&in_spec, "validationActions");
	const struct doc *spec = doc_get(obj, "spec"),
			 *actions = doc_get(spec, "validationActions");

	(void)sub;
	part_text(c, &in_spec, spec, "policyName", form_dns_subdomain);
	check_param_ref(c, spec);
	if (part_set(spec, "matchResources"))
		check_match(c, &match, doc_get(spec, "matchResources"));
	if (mutating) {
		check_mutable(c, &match, doc_get(spec, "matchResources"));
		return;
	}
	part_unique_texts(c, &at, actions);
	if (part_has_text(actions, "Deny") && part_has_text(actions, "Warn"))
		check_invalid(c, &at, actions,
			      "must not contain both Deny and Warn (repeating the same validation "
			      "failure information in the API response and headers serves no "
			      "purpose)");
	if (doc_len(actions) == 0)
		check_required(c, &at, "at least one validation action is required");
}

#define GROUP "admissionregistration.k8s.io"

const struct check_kind check_admission[] = {
	{ GROUP, "ValidatingWebhookConfiguration", check_webhooks, NULL, .own_values = true },
	{ GROUP, "MutatingWebhookConfiguration", check_webhooks, NULL, .own_values = true },
	{ GROUP, "ValidatingAdmissionPolicy", check_validating_policy, NULL },
	{ GROUP, "MutatingAdmissionPolicy", check_mutating_policy, NULL },
	{ GROUP, "ValidatingAdmissionPolicyBinding", check_policy_binding, NULL },
	{ GROUP, "MutatingAdmissionPolicyBinding", check_policy_binding, NULL },
	{ NULL, NULL, NULL, NULL },
};
