/* SPDX-License-Identifier: Apache-2.0 */
/* One request before admission policies: what their expressions see, and how they are run. */
#include "apiserver/rest/policy-run.h"

#include "api/admission-types.h"
#include "api/match-condition.h"
#include "apiserver/objects/codec.h"
#include "base/arena.h"

#include <string.h>

#define SCRATCH_MAX (64u << 20)
#define STACK_MAX (2u << 20) /* of variables that need others, besides the last one's own */

enum policy_state { UNKNOWN, BUSY, KNOWN };

int policy_call_asks(const struct policy_call *c, struct err *err)
{
	return cel_authz_waits(&c->authz) || c->k->c->converted.open
		       ? err_set(err, ERR_UNAVAILABLE, "a webhook has yet to be asked")
		       : 0;
}

/* ---- a request ---- */

static bool is_namespace(const struct resource *r)
{
	return strcmp(r->kind->resource, "namespaces") == 0 && !*r->kind->group->group;
}

int policy_call_init(struct policy_call *c, struct policy_desk *d, struct hook_ask *k,
		     bool mutating, struct err *err)
{
	struct resources *rs = k->c->srv->conf.resources;

	*c = (struct policy_call){ .desk = d, .k = k, .mutating = mutating, .a = call_work(k->c) };
	c->match = hook_ask_match(k);
	cel_authz_init(&c->authz, k->c->srv->conf.authz, &k->c->user);
	if (!*k->ns || is_namespace(k->asked))
		return 0;
	c->ns = resources_get(rs, "", "namespaces", "", k->ns);
	return c->ns ? 0 : err_set(err, ERR_NOT_FOUND, "namespaces \"%s\" not found", k->ns);
}

void policy_call_changed(struct policy_call *c)
{
	c->views = NULL;
	c->match.obj = c->k->obj;
}

int policy_call_view(struct policy_call *c, const struct resource *as, struct policy_view **ret,
		     struct err *err)
{
	struct policy_view *v = c->views;

	while (v && v->view.as != as)
		v = v->next;
	if (!v) {
		v = ARENA_NEW(c->a, struct policy_view);
		if (!v)
			return arena_quota(c->a, err);
		if (hook_view(c->k, as, c->mutating, &v->view, err) < 0 ||
		    cel_value_of(v->view.review.obj, NULL, c->a, &v->obj, err) < 0 ||
		    cel_value_of(v->view.review.old, NULL, c->a, &v->old, err) < 0)
			return err_wrap(err, "failed to convert object version");
		v->next = c->views;
		c->views = v;
	}
	*ret = v;
	return 0;
}

int policy_call_doc(struct policy_call *c, const struct item *i, const struct doc **ret,
		    struct err *err)
{
	struct doc *d = ARENA_NEW(c->a, struct doc);

	if (!d || codec_parse(i, c->a, d, err) < 0)
		return d ? err_ret(err) : arena_quota(c->a, err);
	if (c->mutating) /* what it becomes part of may wait for webhooks, and the item go */
		d = doc_copy(c->a, d);
	*ret = d;
	return d ? 0 : arena_quota(c->a, err);
}

int policy_call_match(struct policy_call *c, const struct policy *p, const struct resource **ret,
		      struct err *err)
{
	return hook_criteria_match(&p->on, &c->match, ret, err);
}

int policy_call_binds(struct policy_call *c, const struct policy_binding *b, struct err *err)
{
	const struct resource *as;

	return b->everywhere ? 1 : hook_criteria_match(&b->on, &c->match, &as, err);
}

/* ---- what is made when it is asked for ---- */

static int field_of(const struct doc *d, const struct cel_type *t, struct slice field,
		    struct arena *a, struct cel_value *ret, struct err *err)
{
	const struct doc *v = doc_getn(d, field);

	if (!v)
		return 1;
	return cel_value_of(v, t->fields->find(t->fields->arg, field, a), a, ret, err);
}

static int get_request(void *arg, struct slice field, struct arena *a, struct cel_value *ret,
		       struct err *err)
{
	struct policy_run *r = arg;
	struct policy_view *v = r->view;

	if (!v->request)
		v->request = review_request(&v->view.review, r->c->a);
	if (!v->request)
		return arena_quota(r->c->a, err);
	return field_of(v->request, r->vars[POLICY_REQUEST].type, field, a, ret, err);
}

static int get_namespace(void *arg, struct slice field, struct arena *a, struct cel_value *ret,
			 struct err *err)
{
	struct policy_run *r = arg;
	struct policy_call *c = r->c;

	if (!c->space && policy_call_doc(c, c->ns, &c->space, err) < 0)
		return err_ret(err);
	return field_of(c->space, r->vars[POLICY_NAMESPACE].type, field, a, ret, err);
}

static size_t stack_used(const struct policy_run *r)
{
	const char *here = __builtin_frame_address(0);

	return (size_t)(here > r->base ? here - r->base : r->base - here);
}

static int run_variable(struct policy_run *r, const struct policy_named *v, struct cel_value *ret,
			struct err *err)
{
	const struct cel_vars vars = { .v = r->vars, .n = POLICY_VARS };
	struct cel_budget budget = { .left = r->budget.left > r->spent ? r->budget.left - r->spent
								       : 0 };
	int n;

	if (stack_used(r) > STACK_MAX)
		return err_set(err, ERR_INVALID,
			       "composited variable \"%s\" fails to evaluate: variables need one "
			       "another too deep",
			       v->name);
	n = cel_run(v->expr.prog, &vars, &budget, r->a, ret, err);
	r->spent += budget.used;
	r->broke |= n == -ERR_QUOTA;
	if (n == 0)
		return 0;
	return err_wrap(err, "composited variable \"%s\" fails to evaluate", v->name);
}

static int get_variable(void *arg, struct slice field, struct arena *a, struct cel_value *ret,
			struct err *err)
{
	struct policy_run *r = arg;
	const struct policy_named *v = policy_find(r->p->scope, field);
	size_t at, n;

	(void)a;
	if (!v)
		return 1;
	at = (size_t)(v - policy_variables(r->p->scope, &n));
	if (r->state[at] == KNOWN) {
		*ret = r->values[at];
		return 0;
	}
	if (!v->expr.prog)
		return err_set(err, ERR_INVALID, "composited variable \"%s\" fails to compile: %s",
			       v->name, v->expr.error);
	/* Two of one name: the later one sees the earlier as itself. */
	if (r->state[at] == BUSY)
		return err_set(err, ERR_INVALID,
			       "composited variable \"%s\" fails to evaluate: it needs itself",
			       v->name);
	r->state[at] = BUSY;
	if (run_variable(r, v, &r->values[at], err) < 0) {
		r->state[at] = UNKNOWN;
		return err_ret(err);
	}
	r->state[at] = KNOWN;
	*ret = r->values[at];
	return 0;
}

/* ---- a run ---- */

static void set_authorizers(struct policy_run *r)
{
	const struct hook_ask *k = r->c->k;
	const struct cel_check about = {
		.group = slice_str(k->asked->kind->group->group),
		.resource = slice_str(k->asked->kind->resource),
		.subresource = slice_str(k->sub),
		.ns = slice_str(k->ns),
		.name = slice_str(k->name),
	};

	r->vars[POLICY_AUTHORIZER] = cel_authz_value(&r->c->authz, r->a);
	r->vars[POLICY_ABOUT] = cel_authz_request(&r->c->authz, &about, r->a);
}

int policy_run_init(struct policy_run *r, struct policy_call *c, const struct policy *p,
		    struct policy_view *view, const struct doc *param, struct err *err)
{
	const struct cel_type *variables = cel_type_of(CEL_T_OBJECT);
	size_t n;

	*r = (struct policy_run){ .c = c, .p = p, .view = view, .param = param };
	r->a = arena_new("an admission policy", SCRATCH_MAX);
	r->base = __builtin_frame_address(0);
	(void)policy_variables(p->scope, &n);
	r->values = ARENA_ARRAY(r->a, struct cel_value, n + 1);
	r->state = ARENA_ARRAY(r->a, uint8_t, n + 1);
	r->variables = (struct cel_getter){ get_variable, r };
	r->request = (struct cel_getter){ get_request, r };
	r->space = (struct cel_getter){ get_namespace, r };
	r->vars[POLICY_OBJECT] = view->obj;
	r->vars[POLICY_OLD] = view->old;
	r->vars[POLICY_REQUEST] = cel_object(&r->request, &admission_request_type);
	r->vars[POLICY_NAMESPACE] =
		c->ns ? cel_object(&r->space, &admission_namespace_type) : cel_null();
	r->vars[POLICY_VARIABLES] = cel_object(&r->variables, variables);
	r->vars[POLICY_PARAMS] = cel_null();
	set_authorizers(r);
	if (arena_exceeded(r->a))
		return arena_quota(r->a, err);
	return param ? cel_value_of(param, NULL, r->a, &r->vars[POLICY_PARAMS], err) : 0;
}

void policy_run_fini(struct policy_run *r)
{
	if (r->a)
		arena_free(r->a);
}

static int out_of_budget(struct err *err)
{
	return err_set(err, ERR_QUOTA,
		       "validation failed due to running out of cost budget, no further "
		       "validation rules will be run");
}

int policy_eval(struct policy_run *r, const struct policy_expr *e, struct cel_value *ret,
		const char **why, struct err *err)
{
	const struct cel_vars vars = { .v = r->vars, .n = POLICY_VARS };
	int n;

	*why = NULL;
	if (!e->prog) {
		*why = arena_printf(r->a, "compilation error: %s", e->error);
		return *why ? 1 : arena_quota(r->a, err);
	}
	r->spent = 0;
	n = cel_run(e->prog, &vars, &r->budget, r->a, ret, err);
	if (policy_call_asks(r->c, err) < 0)
		return err_ret(err);
	if (r->broke || r->spent > r->budget.left)
		return arena_exceeded(r->a) ? arena_quota(r->a, err) : out_of_budget(err);
	r->budget.left -= r->spent;
	r->spent = 0;
	if (n == 0 || n == -ERR_QUOTA)
		return n;
	*why = arena_printf(r->a, "expression '%s' resulted in error: %s", e->text, err->msg);
	err_clear(err);
	return *why ? 1 : arena_quota(r->a, err);
}

/* One that is false decides, whatever others failed of. */
static int run_conditions(struct policy_run *r, const char **ret_why, unsigned *ret_failed,
			  struct err *err)
{
	for (size_t i = 0; i < r->p->nconditions; i++) {
		struct cel_value v;
		const char *why;
		int n = policy_eval(r, &r->p->conditions[i].expr, &v, &why, err);

		if (n < 0)
			return n;
		if (n == 0 && v.kind == CEL_T_BOOL && !v.b)
			return 0;
		if (n > 0) {
			*ret_why = *ret_why ? arena_printf(r->a, "%s, %s", *ret_why, why) : why;
			++*ret_failed;
		}
	}
	return 1;
}

int policy_conditions(struct policy_run *r, struct err *err)
{
	const char *why = NULL;
	unsigned failed = 0;
	int n;

	if (!r->p->nconditions)
		return 1;
	r->budget = (struct cel_budget){ .left = MATCH_COST_MAX };
	n = run_conditions(r, &why, &failed, err);
	if (n == -ERR_UNAVAILABLE)
		return n;
	if (n < 0 || (n > 0 && failed)) {
		if (r->p->fails_open) {
			err_clear(err);
			return 0;
		}
		if (n > 0)
			n = err_set(err, ERR_INVALID, failed > 1 ? "[%s]" : "%s", why);
	}
	return n;
}
