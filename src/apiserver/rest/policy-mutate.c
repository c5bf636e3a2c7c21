/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MutatingAdmissionPolicy: what is bound to the request is found first, then each changes what the
 * ones before it made. In the second round only those that want to know of changes behind them.
 */
#include "apiserver/rest/policy-run.h"

#include "api/typed.h"
#include "base/arena.h"
#include "base/clock.h"
#include "doc/patch.h"

#include <stdio.h>
#include <string.h>

#define ERRORS_MAX 64

/* A policy with a binding and a parameter. */
struct invocation {
	const struct policy *p;
	const struct policy_binding *b;
	const struct resource *as;
	const struct doc *param;
};

/* What was run in the first round, for the second. */
struct ran {
	struct ran *next;
	const char *key;
	bool before, again; /* it wants to know of later changes; there was one */
};

struct policy_rounds {
	unsigned round;
	struct ran *ran;
	const struct doc *last; /* the object as the first round left it */
};

struct changing {
	struct policy_call c;
	struct policy_rounds *rounds;
	struct invocation *v;
	size_t n, cap;
	const char *errors[ERRORS_MAX];
	size_t nerrors;
	const char *reason; /* of the first */
};

/* ---- errors ---- */

static void add_error(struct changing *x, const struct policy *p, const struct policy_binding *b,
		      const char *reason, const char *message)
{
	struct arena *a = x->c.a;

	if (p->fails_open || x->nerrors == ERRORS_MAX)
		return;
	if (x->nerrors == 0)
		x->reason = reason;
	x->errors[x->nerrors++] =
		b ? arena_printf(a, "policy '%s' with binding '%s' denied request: %s", p->name,
				 b->name, message)
		  : arena_printf(a, "policy \"%s\" denied request: %s", p->name, message);
}

static void misconfigured(struct changing *x, const struct policy *p,
			  const struct policy_binding *b, struct err *err)
{
	add_error(x, p, b, "Forbidden",
		  arena_printf(x->c.a, "failed to configure %s: %s", b ? "binding" : "policy",
			       err->msg));
	err_clear(err);
}

static int refuse(struct changing *x, struct err *err)
{
	if (!x->nerrors)
		return 0;
	return policy_deny(&x->c,
			   &(struct policy_denial){ .message = x->errors[0],
						    .reason = x->reason,
						    .code = 403,
						    .causes = x->errors,
						    .ncauses = x->nerrors },
			   err);
}

/* ---- who is asked ---- */

static int add_invocation(struct changing *x, const struct invocation *v, struct err *err)
{
	if (x->n == x->cap) {
		size_t cap = x->cap ? x->cap * 2 : 8;

		x->v = arena_grow(x->c.a, x->v, x->cap * sizeof(*x->v), cap * sizeof(*x->v));
		if (!x->v)
			return arena_quota(x->c.a, err);
		x->cap = cap;
	}
	x->v[x->n++] = *v;
	return 0;
}

static int find_bound(struct changing *x, const struct policy *p, const struct policy_binding *b,
		      const struct resource *as, struct err *err)
{
	struct policy_params params = { .n = 0 };
	int n = policy_call_binds(&x->c, b, err);

	if (n > 0)
		n = policy_params_get(&x->c, p, b, &params, err);
	if (n < 0) {
		misconfigured(x, p, b, err);
		return 0;
	}
	for (size_t i = 0; i < params.n; i++) {
		const struct invocation v = { p, b, as, params.v[i] };

		if (add_invocation(x, &v, err) < 0)
			return err_ret(err);
	}
	return 0;
}

static int find_all(struct changing *x, struct policy_walk *w, const struct policy_member *m,
		    struct err *err)
{
	size_t at;

	for (; m; m = policy_set_next(w, &at)) {
		const struct resource *as = NULL;
		struct resource *param;
		int n = policy_call_match(&x->c, m->policy, &as, err);

		if (n > 0 && policy_param_kind(&x->c, m->policy, &param, err) < 0)
			n = err_ret(err);
		if (n < 0)
			misconfigured(x, m->policy, NULL, err);
		for (size_t i = 0; n > 0 && i < m->nbindings; i++)
			if (find_bound(x, m->policy, m->bindings[i], as, err) < 0)
				return err_ret(err);
	}
	return 0;
}

/* ---- rounds ---- */

static struct ran *find_ran(struct changing *x, const struct invocation *v)
{
	const struct doc *meta = doc_get(v->param, "metadata");
	struct slice ns = doc_slice(doc_get(meta, "namespace")),
		     name = doc_slice(doc_get(meta, "name"));
	const char *key = arena_printf(x->c.a, "%s/%s/%.*s/%.*s", v->p->name, v->b->name, (int)ns.n,
				       ns.n ? ns.p : "", (int)name.n, name.n ? name.p : "");
	struct ran *r = x->rounds->ran;

	while (key && r && strcmp(r->key, key) != 0)
		r = r->next;
	if (key && !r) {
		r = ARENA_NEW(x->c.a, struct ran);
		if (!r)
			return NULL;
		*r = (struct ran){ .next = x->rounds->ran, .key = key };
		x->rounds->ran = r;
	}
	return key ? r : NULL;
}

static void all_before_again(struct policy_rounds *rounds)
{
	for (struct ran *r = rounds->ran; r; r = r->next) {
		r->again |= r->before;
		r->before = false;
	}
}

/* ---- one mutation ---- */

/* As server-side apply joins it. 1: *why. */
static int apply(struct policy_run *r, const struct cel_value *v, struct doc *to, const char **why,
		 struct err *err)
{
	CLEANUP(buf_fini) struct buf atomics = BUF_INIT(4096);
	const struct hook_view *view = &r->view->view;
	const struct hook_ask *k = r->c->k;
	const struct api_type *type = k->own ? k->own : view->as->kind->type;
	struct doc patch, all = doc_object();
	const char *text = NULL;
	static const char *const kept[] = { "kind", "apiVersion" };

	if (cel_patch_check(v, err) < 0 || cel_value_doc(v, r->c->a, &patch, err) < 0) {
		*why = arena_strdup(r->c->a, err->msg);
		return 1;
	}
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (doc_get(&view->obj, kept[i]))
			doc_set(r->c->a, &all, kept[i], *doc_get(&view->obj, kept[i]));
	DOC_EACH_MEMBER (key, value, &patch)
		if (!doc_get(&all, "kind") ||
		    (!doc_str_is(key, "kind") && !doc_str_is(key, "apiVersion")))
			doc_add_node(r->c->a, &all, *key, *value);
	if (typed_check(type, &all, r->c->a, &text, err) < 0)
		*why = arena_printf(r->c->a,
				    "error applying patch: failed to convert patch object to "
				    "typed object: %s",
				    text ? text : err->msg);
	else if (typed_atomics(type, &all, &atomics))
		*why = arena_printf(r->c->a,
				    "error applying patch: invalid ApplyConfiguration: may not "
				    "mutate atomic arrays, maps or structs: %s",
				    buf_str(&atomics));
	else if (typed_merge(type, &view->obj, &all, r->c->a, to, err) < 0)
		*why = arena_printf(r->c->a, "error applying patch: failed to merge patch: %s",
				    err->msg);
	err_clear(err);
	return *why != NULL;
}

/* 1: *why; 2: a test of it does not hold, nothing is changed. */
static int patch(struct policy_run *r, const struct cel_value *v, struct doc *to, const char **why,
		 struct err *err)
{
	struct doc ops, *out;
	int n;

	if (cel_patch_operations(v, r->c->a, &ops, err) < 0) {
		*why = arena_strdup(r->c->a, err->msg);
		return 1;
	}
	n = patch_apply(r->c->a, &r->view->view.obj, &ops, NULL, &out, err);
	if (n < 0) {
		*why = arena_printf(r->c->a, "JSON Patch: %s", err->msg);
		err_clear(err);
		return n == -ERR_CONFLICT ? 2 : 1;
	}
	*to = *out;
	return 0;
}

/* 0; 1: *why, which denies; negative: the request fails. */
static int mutate(struct changing *x, struct policy_run *r, const struct policy_change *m,
		  const char **why, struct err *err)
{
	char who[HOOK_WHO_MAX];
	struct cel_value v;
	bool changed = false;
	struct doc to;
	int n;

	r->budget = (struct cel_budget){ .left = POLICY_COST_MAX };
	if (!m->expr.prog) { /* in the compiler's own words */
		*why = m->expr.error;
		return 1;
	}
	*why = NULL;
	n = policy_eval(r, &m->expr, &v, why, err);
	if (n == -ERR_UNAVAILABLE)
		return n;
	if (n < 0) {
		*why = arena_strdup(x->c.a, err->msg);
		err_clear(err);
		return 1;
	}
	if (n == 0)
		n = m->json ? patch(r, &v, &to, why, err) : apply(r, &v, &to, why, err);
	if (n > 0) {
		err_clear(err);
		*why = n == 2 ? NULL : arena_strdup(x->c.a, *why ? *why : "no memory");
		return n == 2 ? 0 : 1;
	}
	(void)snprintf(who, sizeof(who), "policy '%.253s'", r->p->name);
	n = hook_view_take_strictly(x->c.k, &r->view->view, &to, who, &changed, err);
	if (n < 0) {
		const char *words = arena_strdup(x->c.a, err->msg);

		return status_internal(err, &x->c.k->c->about, "%s", words ? words : who);
	}
	if (changed) {
		x->c.k->changed = true;
		policy_call_changed(&x->c);
	}
	return 0;
}

static int begin(struct changing *x, const struct invocation *v, struct policy_run *r,
		 struct err *err)
{
	struct policy_view *view;

	r->a = NULL;
	if (policy_call_view(&x->c, v->as, &view, err) < 0)
		return err_ret(err);
	return policy_run_init(r, &x->c, v->p, view, v->param, err);
}

static int run_mutations(struct changing *x, const struct invocation *v, struct err *err)
{
	for (size_t i = 0; i < v->p->nchanges; i++) {
		struct policy_count count = {
			.c = &x->c, .policy = v->p->name, .binding = v->b->name, .error = "no_error"
		};
		int64_t since = clock_mono();
		const char *why = NULL;
		struct policy_run r;
		int n = begin(x, v, &r, err);

		if (n == 0)
			n = mutate(x, &r, &v->p->changes[i], &why, err);
		policy_run_fini(&r);
		if (n != 0)
			count.error = policy_error_type(why ? why : "");
		count.ns = clock_mono() - since;
		policy_count(&count);
		if (n < 0)
			return n;
		if (n > 0)
			add_error(x, v->p, v->b, "Invalid", why ? why : "no memory");
	}
	return 0;
}

static int conditions_hold(struct changing *x, const struct invocation *v, struct err *err)
{
	struct policy_run r;
	int n = begin(x, v, &r, err);

	if (n == 0)
		n = policy_conditions(&r, err);
	policy_run_fini(&r);
	return n;
}

static int invoke(struct changing *x, const struct invocation *v, struct err *err)
{
	const struct doc before = *x->c.k->obj;
	struct ran *ran = find_ran(x, v);
	int n;

	if (!ran)
		return arena_quota(x->c.a, err);
	n = conditions_hold(x, v, err);
	if (n == -ERR_UNAVAILABLE)
		return n;
	if (n < 0) {
		if (arena_exceeded(x->c.a))
			return arena_quota(x->c.a, err);
		add_error(x, v->p, v->b, "Invalid", arena_strdup(x->c.a, err->msg));
		err_clear(err);
		return 0;
	}
	if (n == 0 || (x->rounds->round && !ran->again))
		return 0;
	if (run_mutations(x, v, err) < 0)
		return err_ret(err);
	if (!doc_equal(&before, x->c.k->obj))
		all_before_again(x->rounds);
	ran->before |= v->p->again;
	return 0;
}

/* ---- the request ---- */

static int begin_round(struct changing *x, struct err *err)
{
	struct hook_ask *k = x->c.k;

	if (!k->rounds) {
		k->rounds = ARENA_NEW(x->c.a, struct policy_rounds);
		if (!k->rounds)
			return arena_quota(x->c.a, err);
	} else {
		k->rounds->round = 1;
		if (!k->rounds->last || !doc_equal(k->rounds->last, k->obj))
			all_before_again(k->rounds);
	}
	x->rounds = k->rounds;
	return 0;
}

static int run_all(struct changing *x, struct policy_walk *w, const struct policy_member *first,
		   struct err *err)
{
	int n = find_all(x, w, first, err);

	for (size_t i = 0; n == 0 && i < x->n; i++)
		n = invoke(x, &x->v[i], err);
	return n;
}

int policy_desk_mutate(struct policy_desk *d, struct hook_ask *k, struct err *err)
{
	CLEANUP(policy_set_unref) struct policy_set *set = NULL;
	struct changing x = { .n = 0 };
	const struct policy_member *m;
	struct policy_walk w;
	struct doc before;
	size_t at;
	int n;

	if (!d->on[1] || !k->obj || policy_is_exempt(k->asked->kind))
		return 0;
	set = policy_configs_get(d->configs, true);
	if (!policy_set_size(set))
		return 0;
	w = policy_set_walk(set, k->asked->kind->resource);
	m = policy_set_next(&w, &at);
	if (!m)
		return 0;
	before = *k->obj;
	if (policy_call_init(&x.c, d, k, true, err) < 0 || begin_round(&x, err) < 0)
		return err_ret(err);
	n = run_all(&x, &w, m, err);
	if (n < 0) {
		*k->obj = before; /* it may be begun anew */
		return n;
	}
	x.rounds->last = doc_copy_shared(x.c.a, k->obj);
	return arena_exceeded(x.c.a) ? arena_quota(x.c.a, err) : refuse(&x, err);
}
