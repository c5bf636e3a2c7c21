/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of policies and bindings to their compiled form. */
#include "apiserver/admission/policy-set.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

static const char *text(struct arena *a, const struct doc *d, const char *field)
{
	const char *s = doc_cstr(a, doc_get(d, field));

	return s ? s : "";
}

static struct policy_expr compile(const struct policy *p, enum policy_use use, const struct doc *d,
				  const char *field)
{
	return policy_compile(p->scope, use, doc_slice(doc_get(d, field)));
}

static int read_scope(const struct doc *spec, struct arena *a, struct policy *p, struct err *err)
{
	const struct doc *kind = doc_get(spec, "paramKind"), *list = doc_get(spec, "variables");
	unsigned has = (kind ? POLICY_HAS_PARAMS : 0) | (doc_len(list) ? POLICY_HAS_VARIABLES : 0);

	if (kind) {
		p->param_version = text(a, kind, "apiVersion");
		p->param_kind = text(a, kind, "kind");
	}
	if (policy_scope_new(a, has, NULL, &p->scope, err) < 0)
		return err_ret(err);
	DOC_EACH (v, list)
		(void)policy_variable(p->scope, text(a, v, "name"),
				      doc_slice(doc_get(v, "expression")));
	return 0;
}

static void read_conditions(const struct doc *list, struct arena *a, struct policy *p)
{
	struct policy_condition *v = ARENA_ARRAY(a, struct policy_condition, doc_len(list));

	for (size_t i = 0; v && i < doc_len(list); i++)
		v[i] = (struct policy_condition){
			.name = text(a, doc_at(list, i), "name"),
			.expr = compile(p, POLICY_MATCH, doc_at(list, i), "expression"),
		};
	p->conditions = v;
	p->nconditions = doc_len(list);
}

static void read_checks(const struct doc *list, struct arena *a, struct policy *p)
{
	struct policy_check *v = ARENA_ARRAY(a, struct policy_check, doc_len(list));

	for (size_t i = 0; v && i < doc_len(list); i++) {
		const struct doc *d = doc_at(list, i);
		const char *reason = text(a, d, "reason");

		v[i] = (struct policy_check){
			.expr = compile(p, POLICY_VALIDATION, d, "expression"),
			.message = text(a, d, "message"),
			.reason = *reason ? reason : "Invalid",
		};
		if (doc_slice(doc_get(d, "messageExpression")).n)
			v[i].words = compile(p, POLICY_MESSAGE, d, "messageExpression");
	}
	p->checks = v;
	p->nchecks = doc_len(list);
}

static void read_notes(const struct doc *list, struct arena *a, struct policy *p)
{
	struct policy_note *v = ARENA_ARRAY(a, struct policy_note, doc_len(list));

	for (size_t i = 0; v && i < doc_len(list); i++)
		v[i] = (struct policy_note){
			.key = text(a, doc_at(list, i), "key"),
			.expr = compile(p, POLICY_AUDIT, doc_at(list, i), "valueExpression"),
		};
	p->notes = v;
	p->nnotes = doc_len(list);
}

static void read_changes(const struct doc *list, struct arena *a, struct policy *p)
{
	struct policy_change *v = ARENA_ARRAY(a, struct policy_change, doc_len(list));

	for (size_t i = 0; v && i < doc_len(list); i++) {
		const struct doc *d = doc_at(list, i);
		bool json = doc_str_is(doc_get(d, "patchType"), "JSONPatch");

		v[i].json = json;
		v[i].expr = compile(p, json ? POLICY_JSON_PATCH : POLICY_APPLY,
				    doc_get(d, json ? "jsonPatch" : "applyConfiguration"),
				    "expression");
	}
	p->changes = v;
	p->nchanges = doc_len(list);
}

int policy_of_object(const struct doc *obj, struct arena *a, struct policy *ret, struct err *err)
{
	const struct doc *spec = doc_get(obj, "spec"), *match = doc_get(spec, "matchConstraints");
	struct policy p = { .name = text(a, doc_get(obj, "metadata"), "name") };

	p.fails_open = doc_str_is(doc_get(spec, "failurePolicy"), "Ignore");
	p.again = doc_str_is(doc_get(spec, "reinvocationPolicy"), "IfNeeded");
	if (hook_criteria_read(match, doc_get(match, "resourceRules"),
			       doc_get(match, "excludeResourceRules"), a, &p.on, err) < 0 ||
	    read_scope(spec, a, &p, err) < 0)
		return err_wrap(err, "policy '%s'", p.name);
	p.on.any = true;
	read_conditions(doc_get(spec, "matchConditions"), a, &p);
	read_checks(doc_get(spec, "validations"), a, &p);
	read_notes(doc_get(spec, "auditAnnotations"), a, &p);
	read_changes(doc_get(spec, "mutations"), a, &p);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	*ret = p;
	return 0;
}

/* ---- bindings ---- */

static void read_actions(const struct doc *list, struct arena *a, struct policy_binding *b)
{
	static const char *const names[] = { "Deny", "Warn", "Audit" };
	const char **v = ARENA_ARRAY(a, const char *, doc_len(list) + 1);
	size_t n = 0;

	DOC_EACH (x, list) {
		const char *s = doc_cstr(a, x);

		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			b->actions |= doc_str_is(x, names[i]) ? 1u << i : 0;
		if (v && s)
			v[n++] = s;
	}
	b->listed = v;
}

static int read_ref(const struct doc *ref, struct arena *a, struct policy_binding *b,
		    struct err *err)
{
	const struct doc *selector = doc_get(ref, "selector");

	b->param_name = text(a, ref, "name");
	b->param_ns = text(a, ref, "namespace");
	if (!ref)
		return 0;
	b->has_ref = true;
	b->by_selector = !*b->param_name && selector;
	b->deny_missing = !doc_str_is(doc_get(ref, "parameterNotFoundAction"), "Allow");
	return b->by_selector ? selector_object(selector, a, &b->params, &b->no_params, err) : 0;
}

int policy_binding_of_object(const struct doc *obj, struct arena *a, struct policy_binding *ret,
			     struct err *err)
{
	const struct doc *spec = doc_get(obj, "spec"), *match = doc_get(spec, "matchResources");
	struct policy_binding b = { .name = text(a, doc_get(obj, "metadata"), "name"),
				    .policy = text(a, spec, "policyName"),
				    .everywhere = !match };

	if (hook_criteria_read(match, doc_get(match, "resourceRules"),
			       doc_get(match, "excludeResourceRules"), a, &b.on, err) < 0 ||
	    read_ref(doc_get(spec, "paramRef"), a, &b, err) < 0)
		return err_wrap(err, "binding '%s'", b.name);
	b.on.any = true;
	read_actions(doc_get(spec, "validationActions"), a, &b);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	*ret = b;
	return 0;
}
