/* SPDX-License-Identifier: Apache-2.0 */
/* One write: what admission, webhooks, the strategy and quotas have to say of it. */
#include "apiserver/rest/change-private.h"

#include "apiserver/admission/admission.h"
#include "apiserver/auth/authz.h"

#include "api/check.h"

void change_strategy(struct change *x)
{
	struct call *c = x->c;

	x->sc = (struct strategy_call){
		.rs = c->srv->conf.resources,
		.objects = x->o,
		.sub = x->scale ? "" : c->rq.subresource,
		.a = call_work(c),
		.now = call_now(c),
		.user = c->user,
		.dry_run = c->q.dry_run,
	};
}

/* What the plugins look at; created: there is none of old. */
static void admission_of(struct change *x, const struct doc *old, struct admission_call *ret)
{
	struct call *c = x->c;

	*ret = (struct admission_call){
		.sc = &x->sc,
		.op = old ? ADMISSION_UPDATE : ADMISSION_CREATE,
		.ns = change_ns_of(c),
		.sub = c->sub ? c->sub->name : "",
		.name = x->name ? x->name : "",
		.obj = &x->obj,
		.old = old,
		.authz = c->srv->conf.authz,
		.about = &c->about,
		.images = &c->images,
	};
}

static int admit_again(struct hook_ask *k, struct err *err)
{
	struct change *x = k->arg;

	return change_admit(x, x->live ? &x->old : NULL, err);
}

const struct doc *change_options(struct call *c, const char *kind)
{
	struct arena *a = call_work(c);
	struct doc *d = doc_new_object(a);

	doc_set_str(a, d, "kind", kind);
	doc_set_str(a, d, "apiVersion", "meta.k8s.io/v1");
	if (c->q.dry_run)
		doc_append_str(a, doc_set_array(a, d, "dryRun"), "All");
	if (*c->q.field_manager)
		doc_set_str(a, d, "fieldManager", c->q.field_manager);
	if (c->q.validation != VALIDATION_WARN)
		doc_set_str(a, d, "fieldValidation",
			    c->q.validation == VALIDATION_STRICT ? "Strict" : "Ignore");
	return d;
}

void change_ask(struct change *x, enum hook_op op, bool own, const char *options)
{
	struct call *c = x->c;
	const struct api_kind *k = x->o->kind;
	const bool of_namespace = !*k->group->group && strcmp(k->resource, "namespaces") == 0;

	x->asks = true;
	x->kept = x->home->kind;
	x->ask = (struct hook_ask){
		.c = c,
		.op = op,
		.asked = c->resource,
		.ns = of_namespace ? x->name : change_ns_of(c),
		.name = x->prefix ? "" : x->name,
		.sub = c->sub ? c->sub->name : "",
		.obj = own		   ? &x->body
		       : op == HOOK_DELETE ? NULL
					   : &x->obj,
		.old = op == HOOK_CREATE ? NULL
		       : own		 ? &x->view
					 : &x->old,
		.own = own ? x->type : NULL,
		.stored = own ? NULL : k,
		.options = options ? change_options(c, options) : NULL,
		.made = op == HOOK_CREATE && !own,
		.generated = x->prefix != NULL,
		.dry_run = c->q.dry_run,
		.again = own || op == HOOK_DELETE ? NULL : admit_again,
		.arg = x,
	};
}

int change_admit(struct change *x, const struct doc *old, struct err *err)
{
	struct admission_call ac;
	int r;

	admission_of(x, old, &ac);
	if (x->prefix) /* upstream makes the name later */
		ac.name = x->prefix;
	r = admission_mutate(x->c->srv->conf.admission, &ac, err);
	x->soon = r < 0 && ac.soon;
	return r;
}

static void tell_warnings(struct change *x)
{
	for (size_t i = 0; i < x->sc.nwarnings; i++)
		call_warn(x->c, x->sc.warnings[i]);
}

/* They outlive this attempt. */
static void keep_notes(struct call *c, const struct admission_call *ac)
{
	for (size_t i = 0; i < ac->nnotes; i++)
		call_note(c, ac->notes[i].key, ac->notes[i].value);
}

int change_check(struct change *x, struct err *err)
{
	const struct doc *old = x->live ? &x->old : NULL;
	struct arena *a = call_work(x->c);
	int r = api_check(x->c->srv->conf.api, x->o->kind, x->sc.sub, &x->obj, old, a, err);

	if (r == 0)
		r = authz_guard(x->c->srv->conf.authz, &x->c->user, x->o->kind, &x->obj, old, a,
				&x->c->about, err);
	if (r == 0)
		r = strategy_commit(&x->sc, &x->obj, old, err);
	x->judged = true;
	return r < 0 ? r : arena_exceeded(a) ? arena_quota(a, err) : 0;
}

int change_judge(struct change *x, struct err *err)
{
	const struct doc *old = x->live ? &x->old : NULL;
	struct admission_call ac;
	int r;

	admission_of(x, old, &ac);
	r = admission_validate(x->c->srv->conf.admission, &ac, err);
	keep_notes(x->c, &ac);
	if (r < 0)
		return r;
	strategy_warnings(&x->sc, &x->obj, old);
	tell_warnings(x);
	x->allotted = x->sc.nmore;
	return arena_exceeded(ac.sc->a) ? arena_quota(ac.sc->a, err) : 0;
}

int change_charge(struct change *x, struct err *err)
{
	struct admission_call ac;

	admission_of(x, x->live ? &x->old : NULL, &ac);
	return admission_charge(x->c->srv->conf.admission, &ac, err);
}

int change_commit_removal(struct change *x, struct err *err)
{
	change_strategy(x);
	x->sc.sub = "";
	return strategy_commit(&x->sc, NULL, &x->old, err);
}
