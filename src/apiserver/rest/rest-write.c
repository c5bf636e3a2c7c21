/* SPDX-License-Identifier: Apache-2.0 */
/* The way of one write (rest-write.h): attempts, who is asked, what is stored and answered. */
#include "apiserver/rest/change-private.h"

#define JSON_MAX (8u << 20) /* an object as it is stored (store.h) */
#define EVENT_TTL 3600

/* ---- life ---- */

static void change_end(struct change *x)
{
	struct call *c = x->c;

	timer_fini(&x->pause);
	item_unref(STEAL(x->live));
	for (size_t i = 0; i < ARRAY_LEN(x->json); i++)
		buf_fini(&x->json[i]);
	call_drop(c); /* x is in its arena */
}

static void change_fail(struct change *x, struct err *err)
{
	struct call *c = x->c;

	if (!c->about.name && c->about.resource) /* else it is not about the object */
		c->about.name = x->name && *x->name ? x->name : c->rq.name;
	call_fail(c, err);
	change_end(x);
}

void change_broken(struct change *x)
{
	struct err err = ERR_INIT;

	(void)arena_quota(x->c->a, &err);
	change_fail(x, &err);
}

static void answer_item(struct change *x, struct item *i)
{
	struct call *c = x->c;
	struct doc view;
	struct err err ERR_RAW;

	if (i) {
		call_item(c, x->created ? 201 : 200, i);
		return;
	}
	err_clear(&err);
	if (codec_convert(x->o->kind, c->resource->kind, &x->obj, call_work(c), &view, &err) < 0)
		call_fail(c, &err);
	else
		call_doc(c, x->created ? 201 : 200, &view, c->resource->kind->type);
}

static int on_pause(struct timer *t)
{
	change_run(CONTAINER_OF(t, struct change, pause));
	return 0;
}

/* What it lacks is being made by ourselves: it is prepared again in a moment. */
static bool pauses(struct change *x)
{
	if (!x->soon || x->pauses == CHANGE_PAUSES_MAX)
		return false;
	x->soon = false;
	x->pauses++;
	x->tries--;
	timer_set_after(&x->pause, CHANGE_PAUSE);
	return true;
}

static void set_home(struct change *x, struct collection *o)
{
	x->home = x->o = o;
	if (!custom_webhook(o->kind))
		return;
	x->own = *o;
	x->own.kind = x->c->resource->kind;
	x->o = &x->own;
}

int change_home(struct change *x, struct err *err)
{
	struct collection *o;
	int r = call_objects(x->c, &o, err);

	if (r == 0)
		set_home(x, o);
	return r;
}

struct change *change_new(struct call *c, int (*prepare)(struct change *x, struct err *err))
{
	struct change *x = ARENA_NEW(c->a, struct change);
	struct err err ERR_RAW;
	struct collection *o;

	err_clear(&err);
	if (!x || call_objects(c, &o, &err) < 0) {
		if (!x)
			(void)arena_quota(c->a, &err);
		call_fail(c, &err);
		return NULL;
	}
	x->c = call_hold(c);
	set_home(x, o);
	x->type = c->resource->kind->type;
	x->api_version = c->resource->kind->group->api_version;
	x->kind = c->resource->kind->kind;
	x->prepare = prepare;
	x->answer = answer_item;
	x->tries_max = CHANGE_TRIES_MAX;
	timer_init(&x->pause, c->srv->conf.loop, on_pause);
	for (size_t i = 0; i < ARRAY_LEN(x->json); i++)
		x->json[i] = BUF_INIT(JSON_MAX);
	return x;
}
int change_bytes(const struct doc *d, struct buf *out, struct err *err)
{
	buf_clear(out);
	return codec_store(d, out, err);
}

/* ---- writing ---- */

/* The object in the version that is stored: a webhook may have to be asked. */
static int to_home(struct change *x, struct doc *ret, struct err *err)
{
	struct call *c = x->c;

	if (x->o != &x->own) {
		*ret = x->obj;
		return 0;
	}
	return call_convert(c, x->o->kind, x->home->kind, &x->obj, call_work(c), ret, err);
}

static int fill_op(struct change *x, size_t i, struct cache_op *op, const struct doc *obj,
		   struct err *err)
{
	int r = 0;

	buf_clear(&x->json[i]);
	if (obj)
		r = change_bytes(obj, &x->json[i], err);
	op->json = buf_slice(&x->json[i]);
	return r;
}

static int fill_ops(struct change *x, struct err *err)
{
	struct call *c = x->c;
	struct cache_op *op = &x->ops[0];
	struct doc stored;
	int r = x->remove ? 0 : to_home(x, &stored, err);

	if (r < 0)
		return r;
	*op = (struct cache_op){
		.cache = x->home->cache,
		.key = call_key(c, change_ns_of(c), x->name),
		.expect = x->live ? item_revision(x->live) : 0,
		.ttl = x->o->strategy->flags & STRATEGY_TTL ? EVENT_TTL : 0,
	};
	r = fill_op(x, 0, op, x->remove ? NULL : &stored, err);
	for (size_t i = 0; r == 0 && i < x->sc.nmore; i++) {
		const struct strategy_more *m = &x->sc.more[i];

		op = &x->ops[i + 1];
		*op = (struct cache_op){ .cache = m->objects->cache,
					 .key = slice_str(m->key),
					 .expect = m->expect };
		r = fill_op(x, i + 1, op, m->obj, err);
	}
	return r;
}

static void finish_change(struct change *x);

/* Someone was faster. */
static void again(struct change *x)
{
	struct call *c = x->c;
	struct err err = ERR_INIT;

	if (x->created && x->w.failed == 0 && c->rq.verb == VERB_CREATE) {
		if (x->prefix && x->tries < CHANGE_NAME_TRIES) {
			change_run(x);
			return;
		}
		(void)(x->prefix ? status_generate_exists(&err, &c->about, x->name)
				 : status_exists(&err, &c->about, x->name));
		change_fail(x, &err);
		return;
	}
	/* What is written beside it (a quota) was: somebody else got on, so this ends. */
	if (x->asks && x->w.failed > x->allotted && !c->answered) {
		x->sc.nmore = x->allotted; /* webhooks need not be asked again */
		finish_change(x);
		return;
	}
	if (x->w.failed > 0)
		x->tries--;
	if (x->tries < x->tries_max) {
		change_run(x);
		return;
	}
	(void)status_conflict(&err, &c->about, x->name, STATUS_MODIFIED);
	change_fail(x, &err);
}

static void written(struct cache_write *w)
{
	struct change *x = CONTAINER_OF(w, struct change, w);

	if (w->result < 0) {
		change_fail(x, &w->err);
	} else if (w->result == 1) {
		again(x);
	} else {
		if (!x->c->answered)
			x->answer(x, x->ops[0].result);
		change_end(x);
	}
}

static void store(struct change *x);

static void store_again(void *arg, bool given_up)
{
	if (given_up)
		change_end(arg);
	else
		store(arg);
}

static void store(struct change *x)
{
	struct err err ERR_RAW;
	struct collection *o;
	int r;

	err_clear(&err);
	/* The definition may have gone while a webhook converted. */
	r = x->o == &x->own ? call_objects(x->c, &o, &err) : 0;
	if (r == 0)
		r = fill_ops(x, &err);
	if (call_asks(x->c, store_again, x))
		return;
	if (r < 0) {
		change_fail(x, &err);
		return;
	}
	x->w = (struct cache_write){ .ops = x->ops, .n = 1 + x->sc.nmore, .done = written };
	cache_write(x->c->srv->conf.world, &x->w);
}

/* ---- the way ---- */

static void run(struct change *x);

static void run_again(void *arg, bool given_up)
{
	if (given_up)
		change_end(arg);
	else
		run(arg);
}

static void concluded(struct change *x, int r, struct err *err)
{
	struct call *c = x->c;

	if (r < 0) {
		if (!pauses(x))
			change_fail(x, err);
	} else if (r == 1) {
		x->answer(x, x->live);
		change_end(x);
	} else if (c->q.dry_run) {
		x->answer(x, NULL);
		change_end(x);
	} else {
		store(x);
	}
}

static void finish_change(struct change *x)
{
	struct err err ERR_RAW;
	int r;

	err_clear(&err);
	r = x->finish ? x->finish(x, &err) : 0;
	if (!call_asks(x->c, run_again, x))
		concluded(x, r, &err);
}

/* The client has gone, or its time is up, while webhooks are asked. */
static void stop_asking(struct call *c)
{
	struct change *x = c->verb;

	hook_ask_cancel(&x->ask);
	change_end(x);
}

/* What was prepared may have been overtaken while others were asked. 1: it has to begin anew. */
static int look_again(struct change *x, struct err *err)
{
	struct collection *o;
	int r = call_objects(x->c, &o, err);

	return r < 0 ? r : o != x->home || o->kind != x->kept;
}

static void judge(struct change *x);

static void judge_again(void *arg, bool given_up)
{
	if (given_up)
		change_end(arg);
	else
		judge(arg);
}

/* Webhooks that change things are not asked again when only this waits. */
static void judge(struct change *x)
{
	struct call *c = x->c;
	struct err err ERR_RAW;
	int r;

	err_clear(&err);
	r = x->judged ? change_judge(x, &err) : 0;
	if (call_asks(c, judge_again, x))
		return;
	if (r != 0) {
		concluded(x, r, &err);
		return;
	}
	x->settled = true;
	c->stop = stop_asking;
	hook_ask_validate(&x->ask);
}

static void asked(struct hook_ask *k, int result, struct err *err)
{
	struct change *x = k->arg;
	struct call *c = x->c;
	CLEANUP(call_drop) struct call *held = call_hold(c);
	const bool first = !x->settled;

	(void)held;
	c->stop = NULL;
	if (result < 0 && k->denied.type != DOC_NULL) {
		hook_ask_fail(k, err);
		change_end(x);
		return;
	}
	if (result == 0)
		result = look_again(x, err);
	if (result == 1) {
		change_run(x);
		return;
	}
	if (result == 0 && first && x->settle)
		result = x->settle(x, err);
	if (call_asks(c, run_again, x))
		return;
	if (result != 0) {
		concluded(x, result, err);
		return;
	}
	if (first)
		judge(x);
	else
		finish_change(x);
}

static void ask(struct change *x)
{
	struct call *c = x->c;

	x->settled = false;
	x->ask.done = asked;
	c->verb = x;
	c->stop = stop_asking;
	hook_ask_mutate(&x->ask);
}

/* What an earlier attempt noted for the log is not so any more. */
static void forget_notes(struct change *x)
{
	struct call *c = x->c;

	if (!x->noted) {
		x->noted = true;
		x->notes = ARENA_ARRAY(c->a, struct apiaudit_note, c->nnotes);
		x->nnotes = x->notes ? c->nnotes : 0;
		for (size_t i = 0; i < x->nnotes; i++)
			x->notes[i] = c->notes[i];
	}
	for (size_t i = 0; i < x->nnotes; i++)
		c->notes[i] = x->notes[i];
	c->nnotes = x->nnotes;
}

void change_run(struct change *x)
{
	x->uid[0] = '\0';
	x->made_name = NULL;
	x->now = 0;
	run(x);
}

static void run(struct change *x)
{
	struct call *c = x->c;
	struct err err ERR_RAW;
	int r;

	err_clear(&err);
	x->tries++;
	x->remove = x->created = x->applied = x->clear = x->asks = x->judged = false;
	x->settle = x->finish = NULL;
	x->sc.nmore = 0;
	forget_notes(x);
	if (c->answered) { /* the client has gone: what it asked for is not tried again */
		change_end(x);
		return;
	}
	(void)call_work_again(c);
	c->about = status_about(c->resource->kind);
	c->about.kind = x->kind;
	r = x->prepare(x, &err);
	if (call_asks(c, run_again, x)) {
		x->tries--;
		return;
	}
	if (r == 0 && x->asks)
		ask(x);
	else
		concluded(x, r, &err);
}
