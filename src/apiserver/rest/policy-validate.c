/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ValidatingAdmissionPolicy: all policies judge; the first decision that denies is what the client
 * is told, warnings and the audit log have theirs all.
 */
#include "apiserver/rest/policy-run.h"

#include "base/arena.h"
#include "base/clock.h"
#include "doc/json.h"

#include <string.h>

#define MESSAGE_MAX 5120u    /* of messageExpression */
#define NOTE_MAX (10u << 10) /* of an audit annotation */
#define FAILURES_MAX 50	     /* told in the annotation of failures */
#define FAILURE_KEY "validation.policy.admission.k8s.io/validation_failure"

struct judging {
	struct policy_call c;
	bool denied;
	const char *message, *reason; /* of the first that denies */
	struct doc failures;
};

/* What one policy with one parameter found. */
struct ruling {
	struct judging *j;
	const struct policy_member *m;
	const struct policy_binding *b;
	struct policy_run run;
	const char **notes; /* by annotation: what is told, joined; NULL: nothing */
};

/* ---- decisions ---- */

static void deny(struct judging *j, const struct policy *p, const struct policy_binding *b,
		 const char *message, const char *reason)
{
	struct arena *a = j->c.a;

	if (j->denied)
		return;
	j->denied = true;
	j->reason = reason;
	j->message = b ? arena_printf(a,
				      "ValidatingAdmissionPolicy '%s' with binding '%s' denied "
				      "request: %s",
				      p->name, b->name, message)
		       : arena_printf(a, "ValidatingAdmissionPolicy '%s' denied request: %s",
				      p->name, message);
}

/* The policy or binding cannot be used as it is. */
static void misconfigured(struct judging *j, const struct policy *p, const struct policy_binding *b,
			  const struct err *err)
{
	if (!p->fails_open)
		deny(j, p, b,
		     arena_printf(j->c.a, "failed to configure %s: %s", b ? "binding" : "policy",
				  err->msg),
		     "Invalid");
}

static void count(const struct ruling *g, const char *error, const char *action, int64_t ns)
{
	const struct policy_count n = { .c = &g->j->c,
					.policy = g->m->policy->name,
					.binding = g->b->name,
					.error = error,
					.action = action,
					.ns = ns };

	policy_count(&n);
}

static void add_failure(struct ruling *g, size_t index, const char *message)
{
	struct arena *a = g->j->c.a;
	struct doc *d, *actions;

	if (doc_len(&g->j->failures) >= FAILURES_MAX)
		return;
	d = doc_append_object(a, &g->j->failures);
	doc_set_str(a, d, "message", message);
	doc_set_str(a, d, "policy", g->b->policy);
	doc_set_str(a, d, "binding", g->b->name);
	doc_set_int(a, d, "expressionIndex", (int64_t)index);
	actions = doc_set_array(a, d, "validationActions");
	for (const char *const *s = g->b->listed; *s; s++)
		doc_append_str(a, actions, *s);
}

/* A validation that does not hold, or (reason NULL) could not be evaluated. */
static void failed(struct ruling *g, size_t index, const char *message, const char *reason,
		   int64_t ns)
{
	const char *error = reason ? "invalid_error" : policy_error_type(message);
	struct call *call = g->j->c.k->c;

	if (!reason && g->m->policy->fails_open) {
		count(g, error, "allow", ns);
		return;
	}
	if (g->b->actions & POLICY_DENY) {
		deny(g->j, g->m->policy, g->b, message, reason ? reason : "Invalid");
		count(g, error, "deny", ns);
	}
	if (g->b->actions & POLICY_AUDITED) {
		add_failure(g, index, message);
		count(g, error, "audit", ns);
	}
	if (g->b->actions & POLICY_WARN) {
		call_warn(call,
			  arena_printf(g->j->c.a,
				       "Validation failed for ValidatingAdmissionPolicy '%s' with "
				       "binding '%s': %s",
				       g->m->policy->name, g->b->name, message));
		count(g, error, "warn", ns);
	}
}

/* ---- messages ---- */

/* What messageExpression says; NULL: nothing that can be told. -ERR_QUOTA. */
static int made_message(struct ruling *g, const struct policy_check *k, const char **ret,
			struct err *err)
{
	struct cel_value v;
	const char *why;
	struct slice s;
	int n;

	*ret = NULL;
	if (!k->words.text)
		return 0;
	n = policy_eval(&g->run, &k->words, &v, &why, err);
	if (n < 0)
		return n;
	if (n > 0 || v.kind != CEL_T_STRING)
		return 0;
	s = slice_trim(cel_slice(&v));
	if (s.n && s.n <= MESSAGE_MAX && !memchr(s.p, '\n', s.n) && !memchr(s.p, '\0', s.n))
		*ret = arena_strndup(g->j->c.a, s.p, s.n);
	return 0;
}

static const char *fixed_message(struct ruling *g, const struct policy_check *k)
{
	struct slice s = slice_trim(slice_str(k->message));

	if (s.n)
		return arena_strndup(g->j->c.a, s.p, s.n);
	s = slice_trim(slice_str(k->expr.text));
	return arena_printf(g->j->c.a, "failed expression: %.*s", (int)s.n, s.p);
}

/* ---- validations ---- */

struct outcome {
	const char *message, *reason; /* message NULL: it holds; reason NULL: an error */
	int64_t ns;
};

static int evaluate(struct ruling *g, struct outcome *v, struct err *err)
{
	const struct policy *p = g->m->policy;

	for (size_t i = 0; i < p->nchecks; i++) {
		int64_t since = clock_mono();
		struct cel_value value;
		const char *why;
		int n = policy_eval(&g->run, &p->checks[i].expr, &value, &why, err);

		if (n < 0)
			return n;
		v[i].ns = clock_mono() - since;
		if (n > 0)
			v[i].message = arena_strdup(g->j->c.a, why);
		else if (value.kind != CEL_T_BOOL || !value.b)
			v[i].reason = p->checks[i].reason;
	}
	return 0;
}

/* Messages are paid of what the validations left; without it all that failed are errors. */
static int put_messages(struct ruling *g, struct outcome *v, struct err *err)
{
	const struct policy *p = g->m->policy;
	const char *broke = NULL;

	for (size_t i = 0; i < p->nchecks; i++) {
		int n;

		if (!v[i].reason)
			continue;
		n = broke ? 0 : made_message(g, &p->checks[i], &v[i].message, err);
		if (n == -ERR_UNAVAILABLE)
			return n;
		if (n < 0) {
			broke = arena_printf(g->j->c.a, "failed messageExpression: %s", err->msg);
			err_clear(err);
		}
		if (broke) {
			v[i].message = broke;
			v[i].reason = NULL;
		} else if (!v[i].message) {
			v[i].message = fixed_message(g, &p->checks[i]);
		}
		if (!v[i].message)
			return arena_quota(g->j->c.a, err);
	}
	return 0;
}

static int validate(struct ruling *g, struct err *err)
{
	const struct policy *p = g->m->policy;
	struct outcome *v = ARENA_ARRAY(g->j->c.a, struct outcome, p->nchecks);
	int n;

	if (!v)
		return arena_quota(g->j->c.a, err);
	g->run.budget = (struct cel_budget){ .left = POLICY_COST_MAX };
	n = evaluate(g, v, err);
	if (n == 0)
		n = put_messages(g, v, err);
	if (n < 0)
		return n;
	for (size_t i = 0; i < p->nchecks; i++)
		if (v[i].message)
			failed(g, i, v[i].message, v[i].reason, v[i].ns);
	return 0;
}

/* ---- audit annotations ---- */

/* Of several parameters: each value once, joined. */
static void join_note(struct ruling *g, const char **to, struct slice value)
{
	struct slice rest = slice_str(*to ? *to : "");

	value.n = MIN(value.n, NOTE_MAX);
	while (rest.n) {
		const char *at = memmem(rest.p, rest.n, ", ", 2);
		size_t n = at ? (size_t)(at - rest.p) : rest.n;

		if (slice_eq(slice_of(rest.p, n), value))
			return;
		rest = at ? slice_of(at + 2, rest.n - n - 2) : slice_of(rest.p, 0);
	}
	*to = arena_printf(g->j->c.a, "%s%s%.*s", *to ? *to : "", *to ? ", " : "", (int)value.n,
			   value.p);
}

static void note_failed(struct ruling *g, const char *why, int64_t ns)
{
	if (g->m->policy->fails_open)
		return;
	deny(g->j, g->m->policy, g->b, why, "Invalid");
	count(g, policy_error_type(why), "deny", ns);
}

static int annotate(struct ruling *g, struct err *err)
{
	const struct policy *p = g->m->policy;

	g->run.budget = (struct cel_budget){ .left = POLICY_COST_MAX };
	for (size_t i = 0; i < p->nnotes; i++) {
		int64_t since = clock_mono();
		struct cel_value v;
		const char *why;
		struct slice s;
		int n = policy_eval(&g->run, &p->notes[i].expr, &v, &why, err);

		if (n < 0)
			return n;
		if (n > 0) {
			note_failed(g, why, clock_mono() - since);
			continue;
		}
		s = v.kind == CEL_T_STRING ? slice_trim(cel_slice(&v)) : slice_of("", 0);
		if (s.n)
			join_note(g, &g->notes[i], s);
	}
	return 0;
}

static void publish(struct judging *j, const struct policy *p, const char *const *notes)
{
	for (size_t i = 0; i < p->nnotes; i++)
		if (notes[i])
			call_note(j->c.k->c,
				  arena_printf(j->c.a, "%s/%s", p->name, p->notes[i].key),
				  notes[i]);
}

static void publish_failures(struct judging *j)
{
	struct slice text;

	if (doc_len(&j->failures) && json_print(j->c.a, &j->failures, NULL, &text, NULL) == 0)
		call_note(j->c.k->c, FAILURE_KEY, text.p);
}

/* ---- policies ---- */

/* One policy with one parameter. Negative: the request cannot be judged at all. */
static int rule(struct ruling *g, struct policy_view *view, const struct doc *param,
		struct err *err)
{
	int n = policy_run_init(&g->run, &g->j->c, g->m->policy, view, param, err);

	if (n == 0)
		n = policy_conditions(&g->run, err);
	if (n > 0)
		n = validate(g, err);
	else if (n == 0)
		goto out;
	if (n == 0)
		n = annotate(g, err);
	if (n < 0 && n != -ERR_UNAVAILABLE) {
		failed(g, 0, arena_strdup(g->j->c.a, err->msg), NULL, 0);
		err_clear(err);
		n = 0;
	}
out:
	policy_run_fini(&g->run);
	return n == 0 && arena_exceeded(g->j->c.a) ? arena_quota(g->j->c.a, err) : n;
}

static int judge_binding(struct ruling *g, const struct resource *as, struct err *err)
{
	const struct policy *p = g->m->policy;
	struct policy_params params;
	struct policy_view *view;
	int n = policy_call_binds(&g->j->c, g->b, err);

	if (n > 0)
		n = policy_params_get(&g->j->c, p, g->b, &params, err);
	else if (n == 0)
		return 0;
	if (n == 0 && params.n)
		n = policy_call_view(&g->j->c, as, &view, err);
	if (n < 0 && policy_call_asks(&g->j->c, err) < 0)
		return err_ret(err);
	if (n < 0) {
		misconfigured(g->j, p, g->b, err);
		err_clear(err);
		return 0;
	}
	for (size_t i = 0; i < params.n; i++)
		if (rule(g, view, params.v[i], err) < 0)
			return err_ret(err);
	return 0;
}

static int judge(struct judging *j, const struct policy_member *m, struct err *err)
{
	const struct policy *p = m->policy;
	struct ruling g = { .j = j, .m = m };
	const struct resource *as = NULL;
	struct resource *param;
	int n = policy_call_match(&j->c, p, &as, err);

	if (n > 0 && policy_param_kind(&j->c, p, &param, err) < 0)
		n = err_ret(err);
	if (n < 0) {
		misconfigured(j, p, NULL, err);
		err_clear(err);
	}
	if (n <= 0)
		return 0;
	g.notes = ARENA_ARRAY(j->c.a, const char *, p->nnotes);
	if (!g.notes)
		return arena_quota(j->c.a, err);
	for (size_t i = 0; i < m->nbindings; i++) {
		g.b = m->bindings[i];
		if (judge_binding(&g, as, err) < 0)
			return err_ret(err);
	}
	publish(j, p, g.notes);
	return 0;
}

static int code_of(const char *reason)
{
	static const struct {
		const char *reason;
		int code;
	} rows[] = { { "Forbidden", 403 },
		     { "Unauthorized", 401 },
		     { "RequestEntityTooLarge", 413 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(reason, rows[i].reason) == 0)
			return rows[i].code;
	return 422;
}

int policy_desk_validate(struct policy_desk *d, struct hook_ask *k, struct err *err)
{
	CLEANUP(policy_set_unref) struct policy_set *set = NULL;
	struct judging j = { .failures = doc_array() };
	const struct policy_member *m;
	struct policy_walk w;
	size_t at;

	if (!d->on[0] || policy_is_exempt(k->asked->kind))
		return 0;
	set = policy_configs_get(d->configs, false);
	if (!policy_set_size(set))
		return 0;
	w = policy_set_walk(set, k->asked->kind->resource);
	m = policy_set_next(&w, &at);
	if (!m)
		return 0;
	if (policy_call_init(&j.c, d, k, false, err) < 0)
		return err_ret(err);
	for (; m; m = policy_set_next(&w, &at))
		if (judge(&j, m, err) < 0)
			return err_ret(err);
	publish_failures(&j);
	if (!j.denied)
		return 0;
	return policy_deny(&j.c,
			   &(struct policy_denial){ .message = policy_forbidden(&j.c, j.message),
						    .reason = j.reason,
						    .code = code_of(j.reason),
						    .causes = &j.message,
						    .ncauses = 1 },
			   err);
}
