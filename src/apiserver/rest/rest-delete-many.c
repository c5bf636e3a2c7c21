/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DELETE of a collection: the objects of a view that the selectors take, some of them at a time.
 * The answer is the list as it was.
 *
 * Where a webhook makes the version that is asked for, all of them are converted before the first
 * goes: one that fails leaves all of them, as upstream's list does that comes before the deletions.
 *
 * Each object goes in a transaction of its own, though many are under way together: a watcher that
 * breaks off goes on behind the last revision it was told of, and would never hear of a second
 * object that went at that revision.
 *
 * Webhooks are asked about one after the other, as upstream's one worker does it. An object that
 * changed meanwhile is looked at, and asked about, anew; one that went is none of ours. Deletions
 * that are done stay when a later one fails, as upstream's do. `limit` is the size of upstream's
 * pages, all of which it goes through: it changes nothing.
 */
#include "apiserver/rest/gather.h"
#include "apiserver/rest/rest-delete.h"

#include <stdlib.h>
#include <string.h>

#define OPS_MAX 100 /* at a time */
#define JSON_MAX (8u << 20)
#define TRIES_MAX 16

/* One object, and what is written with it. */
struct part {
	struct many *m;
	struct item *item;
	struct cache_write w;
};

struct many {
	struct call *call;
	struct collection *o;
	struct delete_options opt;
	struct cache_view *view;
	struct cache_iter it;
	struct gather gather; /* where a webhook converts, instead of `it`: */
	bool made;
	struct item **own; /* referenced, as they are answered; in order of keys */
	size_t nown, at;
	struct item *items[OPS_MAX]; /* of this time; the view's, or of `own` */
	size_t nitems;
	unsigned tries;
	struct hook_ask ask; /* webhooks, about one of them at a time */
	struct doc old;
	size_t nasked;
	bool settled, inside, more;
	int64_t agreed[OPS_MAX]; /* the revision that they were asked about; 0: it is gone */
	struct strategy_call sc;
	struct part parts[OPS_MAX];
	size_t nparts, pending;
	bool failed; /* the first that did, by err */
	struct err err;
	struct cache_op ops[OPS_MAX];
	struct buf json[OPS_MAX];
	size_t nops;
	struct deferred again;
};

static void many_end(struct many *m)
{
	struct call *c = m->call;

	c->stop = NULL;
	hook_ask_cancel(&m->ask);
	deferred_fini(&m->again);
	gather_fini(&m->gather);
	for (size_t i = 0; i < m->nown; i++)
		item_unref(m->own[i]);
	free(m->own);
	for (size_t i = 0; i < OPS_MAX; i++)
		buf_fini(&m->json[i]);
	cache_view_unref(m->view);
	free(m);
	call_drop(c);
}

static void many_fail(struct many *m, struct err *err)
{
	m->call->stop = NULL; /* an answer may end the exchange at once */
	call_fail(m->call, err);
	many_end(m);
}

static int add_op(struct many *m, struct cache_op op, const struct doc *obj, struct err *err)
{
	struct buf *b = &m->json[m->nops];
	int r;

	buf_clear(b);
	r = obj ? codec_store(obj, b, err) : 0;
	op.json = buf_slice(b);
	m->ops[m->nops++] = op;
	return r;
}

static int add_more(struct many *m, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->sc.nmore; i++) {
		const struct strategy_more *x = &m->sc.more[i];
		const struct cache_op op = { .cache = x->objects->cache,
					     .key = slice_str(x->key),
					     .expect = x->expect };

		r = add_op(m, op, x->obj, err);
	}
	return r;
}

/* 1: it is not what webhooks were asked about. */
static int add_item(struct many *m, struct item *seen, int64_t agreed, struct err *err)
{
	struct call *c = m->call;
	struct item *now = cache_get(m->o->cache, item_key(seen));
	struct cache_op op = { .cache = m->o->cache };
	enum delete_outcome outcome = DELETE_PENDING;
	struct doc old, obj;
	int r;

	if (!now)
		return 0;
	if (item_revision(now) != agreed)
		return 1;
	op.key = item_key(seen);
	op.expect = item_revision(now);
	r = codec_parse(now, call_work(c), &old, err);
	if (r == 0)
		r = delete_plan(c, m->o, now, &old, &m->opt, &obj, &outcome, err);
	if (r < 0 || outcome == DELETE_PENDING)
		return r;
	if (outcome == DELETE_UPDATE)
		return add_op(m, op, &obj, err);
	m->sc = (struct strategy_call){ .rs = c->srv->conf.resources,
					.objects = m->o,
					.sub = "",
					.a = call_work(c),
					.now = call_now(c),
					.user = c->user };
	r = strategy_commit(&m->sc, NULL, &old, err);
	if (r == 0)
		r = add_op(m, op, NULL, err);
	return r < 0 ? r : add_more(m, err);
}

static struct item *next_item(struct many *m)
{
	struct call *c = m->call;
	struct item *i;

	if (m->made)
		return m->at < m->nown ? m->own[m->at++] : NULL;
	do
		i = cache_iter_next(&m->it);
	while (i && !item_match(i, &c->q.labels, &c->q.fields));
	return i;
}

/* next_item is the one of this key. */
static void go_back(struct many *m, struct slice key)
{
	if (!m->made)
		cache_iter_init(&m->it, m->view, m->it.prefix, key);
	while (m->made && m->at > 0 && slice_cmp(item_key(m->own[m->at - 1]), key) >= 0)
		m->at--;
}

/* The next of the view that are wanted; 0: there are none. */
static size_t take_items(struct many *m)
{
	struct item *i;

	m->nitems = 0;
	m->tries = 0;
	while (m->nitems < OPS_MAX / (1 + STRATEGY_MORE_MAX) * 4 && (i = next_item(m)))
		m->items[m->nitems++] = i;
	return m->nitems;
}

static void step(struct many *m);

/* All are done: what was not as expected is tried again. */
static void all_written(struct many *m)
{
	struct err err = ERR_INIT;

	/* They may be in each other's way (what is written beside Services): then one gets on. */
	if (m->nitems < m->nparts)
		m->tries = 0;
	if (m->failed) {
		many_fail(m, &m->err);
	} else if (m->nitems && ++m->tries == TRIES_MAX) {
		(void)status_conflict(&err, &m->call->about, "", STATUS_MODIFIED);
		many_fail(m, &err);
	} else {
		step(m);
	}
}

static void written(struct cache_write *w)
{
	struct part *p = CONTAINER_OF(w, struct part, w);
	struct many *m = p->m;

	if (w->result < 0 && !m->failed) {
		m->failed = true;
		m->err = w->err;
	} else if (w->result > 0) {
		m->items[m->nitems++] = p->item;
	}
	if (--m->pending == 0)
		all_written(m);
}

static void finish(struct many *m)
{
	struct call *c = m->call;
	struct cache_view *view = cache_view_ref(m->view);
	struct item **own = STEAL(m->own);
	const size_t n = m->nown;
	const bool made = m->made;

	m->nown = 0;
	many_end(m);
	if (made)
		rest_list_items(c, view, own, n);
	else
		rest_list_view(c, view);
}

static int plan_item(struct many *m, size_t i, struct err *err)
{
	struct item *item = m->items[i];
	struct part *p = &m->parts[m->nparts];
	const size_t first = m->nops;
	int r = add_item(m, item, m->agreed[i], err);

	if (r != 0 || m->nops == first)
		return r;
	*p = (struct part){ .m = m,
			    .item = item,
			    .w = { .ops = m->ops + first, .n = m->nops - first, .done = written } };
	m->nparts++;
	return 0;
}

/* Those of m->items that are there are planned, as long as they fit. */
static int plan(struct many *m, struct err *err)
{
	size_t changed = 0;
	int r = 0;

	m->nops = m->nparts = 0;
	(void)call_work_again(m->call);
	for (size_t i = 0; r == 0 && i < m->nitems; i++) {
		if (m->nops + 1 + STRATEGY_MORE_MAX > OPS_MAX) {
			/* The rest is of the next time: again from here. */
			go_back(m, item_key(m->items[i]));
			break;
		}
		r = plan_item(m, i, err);
		if (r > 0) {
			m->items[changed++] = m->items[i];
			r = 0;
		}
	}
	m->nitems = changed;
	return r;
}

static void write_parts(struct many *m)
{
	m->pending = m->nparts;
	for (size_t i = 0; i < m->nparts; i++)
		cache_write(m->call->srv->conf.world, &m->parts[i].w);
}

/* All have been asked about. */
static void go_on(struct many *m)
{
	struct err err = ERR_INIT;

	m->call->stop = NULL; /* writes are not given up */
	if (plan(m, &err) < 0)
		many_fail(m, &err);
	else if (!m->nops || m->opt.dry_run)
		deferred_call(&m->again);
	else
		write_parts(m);
}

static void ask_all(struct many *m);

static void asked(struct hook_ask *k, int result, struct err *err)
{
	struct many *m = k->arg;

	if (result < 0) {
		m->call->stop = NULL;
		hook_ask_fail(k, err);
		many_end(m);
		return;
	}
	if (!m->settled) {
		m->settled = true;
		hook_ask_validate(k);
		return;
	}
	m->nasked++;
	if (m->inside)
		m->more = true;
	else
		ask_all(m);
}

static int set_ask(struct many *m, struct item *now, struct err *err)
{
	struct call *c = m->call;
	const bool of_namespace = strcmp(m->o->kind->resource, "namespaces") == 0;
	struct slice name = item_name(now), ns = of_namespace ? name : item_namespace(now);
	struct arena *a = call_work_again(c);

	m->settled = false;
	m->ask = (struct hook_ask){
		.c = c,
		.op = HOOK_DELETE,
		.asked = c->resource,
		.ns = arena_strndup(a, ns.n ? ns.p : "", ns.n),
		.name = arena_strndup(a, name.p, name.n),
		.sub = "",
		.old = &m->old,
		.stored = m->o->kind,
		.options = delete_options_doc(c, &m->opt),
		.dry_run = m->opt.dry_run,
		.done = asked,
		.arg = m,
	};
	return m->ask.ns && m->ask.name ? codec_parse(now, a, &m->old, err) : arena_quota(a, err);
}

/* m may be over behind it: then the call is answered. false: it waits, or is over. */
static bool ask_one(struct many *m)
{
	struct item *now = cache_get(m->o->cache, item_key(m->items[m->nasked]));
	struct call *c = m->call;
	struct err err = ERR_INIT;

	m->agreed[m->nasked] = now ? item_revision(now) : 0;
	if (!now) {
		m->nasked++;
		return true;
	}
	if (set_ask(m, now, &err) < 0) {
		many_fail(m, &err);
		return false;
	}
	m->inside = true;
	m->more = false;
	hook_ask_mutate(&m->ask);
	if (c->answered)
		return false;
	m->inside = false;
	return m->more;
}

static void stop_asking(struct call *c)
{
	many_end(c->verb);
}

static void ask_all(struct many *m)
{
	struct call *c = m->call;
	struct collection *o;
	struct err err = ERR_INIT;

	if (call_objects(c, &o, &err) < 0) {
		many_fail(m, &err);
		return;
	}
	while (m->nasked < m->nitems)
		if (!ask_one(m))
			return;
	go_on(m);
}

static void step(struct many *m)
{
	struct call *c = m->call;
	CLEANUP(call_drop) struct call *held = call_hold(c);

	(void)held;
	if (c->answered) { /* gone */
		many_end(m);
		return;
	}
	if (!m->nitems && !take_items(m)) {
		finish(m);
		return;
	}
	m->nasked = 0;
	c->verb = m;
	c->stop = stop_asking;
	ask_all(m);
}

static void again(struct deferred *d)
{
	step(CONTAINER_OF(d, struct many, again));
}

static void gathered(struct gather *g, int result, struct err *err)
{
	struct many *m = CONTAINER_OF(g, struct many, gather);

	if (result < 0) {
		many_fail(m, err);
		return;
	}
	m->own = gather_take(g, &m->nown);
	m->made = true;
	step(m);
}

static void gather(struct many *m)
{
	struct call *c = m->call;

	m->gather = (struct gather){
		.call = c, .view = m->view, .prefix = m->it.prefix, .done = gathered
	};
	c->verb = m;
	c->stop = stop_asking;
	gather_begin(&m->gather);
}

static struct slice prefix_of(struct call *c)
{
	const char *ns = c->resource->kind->namespaced ? c->rq.namespace_ : "";

	return *ns ? slice_str(arena_printf(c->a, "%s/", ns)) : SLICE("");
}

static void begin(struct call *c)
{
	struct many *m = calloc(1, sizeof(*m));
	struct err err = ERR_INIT;
	struct slice prefix = prefix_of(c);
	int r;

	if (!m || !prefix.p) {
		free(m);
		(void)err_set(&err, ERR_QUOTA, "the request does not fit its memory");
		call_fail(c, &err);
		return;
	}
	m->call = call_hold(c);
	deferred_init(&m->again, c->srv->conf.loop, again);
	for (size_t i = 0; i < OPS_MAX; i++)
		m->json[i] = BUF_INIT(JSON_MAX);
	r = delete_read_options(c, &m->opt, &err);
	if (r == 0)
		r = call_objects(c, &m->o, &err);
	if (r < 0) {
		many_fail(m, &err);
		return;
	}
	rest_delete_warn(c, &m->opt);
	/* What it says lies in the work arena, which is emptied each time. */
	m->opt.propagation = arena_strdup(c->a, m->opt.propagation);
	m->opt.uid = arena_strdup(c->a, m->opt.uid);
	m->opt.revision = arena_strdup(c->a, m->opt.revision);
	m->view = cache_now(m->o->cache);
	cache_iter_init(&m->it, m->view, prefix, SLICE(""));
	if (custom_webhook(c->resource->kind))
		gather(m);
	else
		step(m);
}

static void wait(struct call *c)
{
	call_wait(c, 0, begin);
}

/* Which objects there were is not asked again: what goes is what is there now. */
static int check_query(struct call *c, struct err *err)
{
	if (*c->q.continue_)
		return status_bad_request(
			err, &c->about,
			"continue is not supported for DELETE of a collection: leave it out");
	if (c->q.match == MATCH_EXACT)
		return status_bad_request(err, &c->about,
					  "resourceVersionMatch: Exact is not supported for DELETE "
					  "of a collection: leave it out");
	return 0;
}

void rest_delete_collection(struct call *c)
{
	unsigned flags = c->resource->kind->custom ? CODEC_NO_PROTO : 0;
	struct err err ERR_RAW;

	err_clear(&err);
	if (call_choose(c, flags, &err) < 0 || call_media(c, 0, &err) < 0 ||
	    selector_check_fields(&c->q.fields, c->resource->kind, &err) < 0 ||
	    check_query(c, &err) < 0)
		call_fail(c, &err);
	else
		call_body(c, wait);
}
