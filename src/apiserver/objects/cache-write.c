/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes: one transaction of the store each, and their way back through its events.
 *
 *	checked, sealed -> leases, if any -> store_commit -> the cache has caught up -> done()
 *
 * Objects that go by themselves share leases: one for each time to live and some seconds of
 * writing, as upstream does (lease_manager.go), so that an event is not a lease.
 */
#include "apiserver/objects/cache-private.h"

#include "base/clock.h"

#include <assert.h>

#define LEASE_SHARE_MAX 60 /* s */
#define LEASE_USES 4096	   /* keys: what the store removes at once */
#define SEALED_MAX (2 * STORE_VALUE_MAX)

struct write_op {
	struct buf key, sealed;
	struct item *before; /* of a removal */
	struct cache *cache; /* a reference */
};
struct write {
	struct list link; /* of the world's or a lease's waiting ones, or of those that end */
	struct world *world;
	struct cache_write *x; /* NULL: nobody waits any more */
	struct store_txn txn;
	struct world_wait wait;
	struct store_guard *guards;
	struct store_op *ops;
	struct write_op *v;
	size_t *guarded; /* number of the op of each guard */
	bool again;	 /* its lease was over: the second try */
};

/* A lease of the store, used for some time. */
struct lease {
	struct list link;
	int64_t ttl, id; /* id 0: asked for */
	int64_t until;	 /* monotonic: used up to then */
	unsigned uses;
	struct list writes; /* that wait for it */
	struct lease_ask *ask;
};
struct lease_ask {
	struct store_lease l;
	struct world *world; /* NULL: it has gone */
	struct lease *lease;
};

static void write_free(struct write *y)
{
	const size_t n = y->txn.nops;

	list_del(&y->link);
	for (size_t i = 0; i < n; i++) {
		buf_fini(&y->v[i].key);
		buf_fini(&y->v[i].sealed);
		item_unref(y->v[i].before);
		cache_unref(y->v[i].cache);
	}
	free(y->v);
	free(y->ops);
	free(y->guards);
	free(y->guarded);
	free(y);
}

/* done() may free the request, and write again. */
static void write_done(struct write *y)
{
	struct cache_write *x = y->x;
	const size_t n = x->n;
	CLEANUP_FREE struct item **results = calloc(n + 1, sizeof(*results));

	if (!results)
		abort();
	for (size_t i = 0; i < n; i++)
		results[i] = x->ops[i].result;
	write_free(y);
	x->done(x);
	for (size_t i = 0; i < n; i++)
		item_unref(results[i]);
}

static void run_ends(struct deferred *d)
{
	struct world *w = CONTAINER_OF(d, struct world, write_end);
	struct list todo;
	struct write *y;

	list_init(&todo);
	while ((y = LIST_FIRST(&w->write_ends, struct write, link))) {
		list_del(&y->link);
		list_append(&todo, &y->link);
	}
	while ((y = LIST_FIRST(&todo, struct write, link)))
		write_done(y);
}

/* Never from within cache_write. */
static void end_later(struct write *y, int result)
{
	y->x->result = result;
	list_del(&y->link);
	list_append(&y->world->write_ends, &y->link);
	deferred_call(&y->world->write_end);
}

/* ---- results ---- */

static struct item *in_window(struct cache *c, struct slice key, int64_t revision)
{
	struct window *n = &c->window;

	for (uint64_t i = window_find(n, revision - 1); i < n->head; i++) {
		struct change *ch = window_at(n, i);

		if (ch->revision != revision)
			return NULL;
		if (slice_eq(item_key(ch->new ? ch->new : ch->old), key))
			return item_ref(ch->new ? ch->new : change_gone(c, ch));
	}
	return NULL;
}

/* As it went into the cache; when that has forgotten it already, made once more. */
static struct item *op_result(struct write *y, size_t i)
{
	const struct cache_op *op = &y->x->ops[i];
	const int64_t revision = y->txn.revision;
	struct item *is = cache_get(op->cache, op->key);

	if (is && is->revision == revision && op->json.n)
		return item_ref(is);
	is = in_window(op->cache, op->key, revision);
	if (is)
		return is;
	if (!op->json.n)
		return y->v[i].before ? item_at(y->v[i].before, revision) : NULL;
	return item_make(op->cache->shape, op->key, op->json, revision, &is, NULL) < 0 ? NULL : is;
}

static void on_caught_up(struct world_wait *wait, int result, struct err *err)
{
	struct write *y = CONTAINER_OF(wait, struct write, wait);
	struct cache_write *x = y->x;

	if (x->result == 1 && result < 0) {
		/* What it is now cannot be looked at. */
		x->result = result;
		x->err = *err;
	}
	for (size_t i = 0; x->result == 0 && i < x->n; i++)
		x->ops[i].result = op_result(y, i);
	write_done(y);
}

/* ---- the commit ---- */

static void go(struct write *y);

/* The lease was over before its time (the clock was set): one more try with a new one. */
static bool lease_over(struct write *y)
{
	struct world *w = y->world;
	struct lease *l;

	if (y->txn.result != -ERR_NOT_FOUND || y->again)
		return false;
	y->again = true;
	for (size_t i = 0; i < y->txn.nops; i++)
		LIST_FOREACH (l, &w->leases, struct lease, link)
			if (l->id && l->id == y->ops[i].lease)
				l->until = 0;
	go(y);
	return true;
}

static void on_commit(struct store_txn *t)
{
	struct write *y = CONTAINER_OF(t, struct write, txn);
	struct cache_write *x = y->x;

	if (lease_over(y))
		return;
	x->result = t->result;
	x->revision = t->revision;
	if (t->result < 0) {
		x->err = t->err;
		write_done(y);
		return;
	}
	if (t->result == 1)
		x->failed = y->guarded[t->failed];
	y->wait.done = on_caught_up;
	world_wait(y->world, &y->wait, t->revision);
}

/* ---- leases ---- */

static int64_t share_time(int64_t ttl)
{
	return MAX(MIN(ttl / 20, LEASE_SHARE_MAX), 1);
}

static void lease_free(struct lease *l)
{
	list_del(&l->link);
	free(l);
}

/* Those that wait go on, or fail with err. */
static void lease_answered(struct lease *l, const struct err *err)
{
	struct list todo;
	struct write *y;

	list_init(&todo);
	while ((y = LIST_FIRST(&l->writes, struct write, link))) {
		list_del(&y->link);
		list_append(&todo, &y->link);
	}
	if (err)
		lease_free(l);
	while ((y = LIST_FIRST(&todo, struct write, link))) {
		list_del(&y->link);
		if (!err) {
			go(y);
			continue;
		}
		y->x->err = *err;
		y->x->result = err_wrap(&y->x->err, "ask for a lease");
		write_done(y);
	}
}

static void on_lease(struct store_lease *s)
{
	struct lease_ask *a = CONTAINER_OF(s, struct lease_ask, l);
	struct world *w = a->world;
	struct lease *l = a->lease;

	if (w) {
		l->ask = NULL;
		l->id = s->id;
		lease_answered(l, s->result < 0 ? &s->err : NULL);
	} else {
		lease_free(l);
	}
	free(a);
}

static struct lease *lease_ask(struct world *w, int64_t ttl)
{
	const int64_t share = share_time(ttl);
	struct lease_ask *a = calloc(1, sizeof(*a));
	struct lease *l = calloc(1, sizeof(*l));

	if (!a || !l)
		abort();
	l->ttl = ttl;
	l->until = clock_mono() + share * NS_PER_SEC;
	list_init(&l->writes);
	list_append(&w->leases, &l->link);
	a->world = w;
	a->lease = l;
	a->l.ttl = ttl + share;
	a->l.done = on_lease;
	l->ask = a;
	store_lease(w->conf.store, &a->l);
	return l;
}

/* One that is there or asked for. */
static struct lease *lease_get(struct world *w, int64_t ttl)
{
	const int64_t now = clock_mono();
	struct lease *l;

	LIST_FOREACH (l, &w->leases, struct lease, link)
		if (l->id && (l->until <= now || l->uses >= LEASE_USES))
			lease_free(l); /* it lives on in the store */
	LIST_FOREACH (l, &w->leases, struct lease, link)
		if (l->ttl == ttl)
			return l;
	return lease_ask(w, ttl);
}

/* All that it takes is there: commits. Else it waits for the next lease and comes again. */
static void go(struct write *y)
{
	list_del(&y->link);
	for (size_t i = 0; i < y->txn.nops; i++) {
		const int64_t ttl = y->x->ops[i].ttl;
		struct lease *l;

		if (!ttl || y->ops[i].remove)
			continue;
		l = lease_get(y->world, ttl);
		if (!l->id) {
			list_append(&l->writes, &y->link);
			return;
		}
		l->uses++;
		y->ops[i].lease = l->id;
	}
	list_append(&y->world->writes, &y->link);
	store_commit(y->world->conf.store, &y->txn);
}

/* ---- a write begins ---- */

static int op_value(struct write *y, size_t i, struct err *err)
{
	const struct cache_op *op = &y->x->ops[i];
	const struct cache *c = op->cache;
	struct scan scan __attribute__((uninitialized));
	struct write_op *v = &y->v[i];
	const struct slice key = buf_slice(&v->key);
	bool used = false;
	int r;

	y->ops[i].value = op->json;
	r = shape_scan(c->shape, op->json, &scan, err);
	if (r == 0 && c->sealing.seal)
		r = c->sealing.seal(c->sealing.arg, key, op->json, &v->sealed, &used, err);
	if (used)
		y->ops[i].value = buf_slice(&v->sealed);
	return r < 0 ? err_wrap(err, "key '%.*s'", (int)key.n, key.p) : 0;
}

static int op_begin(struct write *y, size_t i, struct err *err)
{
	struct cache_op *op = &y->x->ops[i];
	struct write_op *v = &y->v[i];
	struct store_op *o = &y->ops[i];

	op->result = NULL;
	v->cache = cache_ref(op->cache);
	v->key = BUF_INIT(1u << 20);
	v->sealed = BUF_INIT(SEALED_MAX);
	cache_store_key(op->cache, op->key, &v->key);
	o->key = buf_slice(&v->key);
	if (op->expect != CACHE_ANY_REVISION) {
		y->guarded[y->txn.nguards] = i;
		y->guards[y->txn.nguards++] = (struct store_guard){ o->key, op->expect };
	}
	if (op->cache->state == CACHE_REMOVED)
		return err_set(err, ERR_UNAVAILABLE, "%.*s is no longer served",
			       (int)op->cache->prefix.n, op->cache->prefix.p);
	if (op->json.n)
		return op_value(y, i, err);
	o->remove = true;
	v->before = cache_get(op->cache, op->key);
	if (v->before)
		(void)item_ref(v->before);
	return 0;
}

void cache_write(struct world *w, struct cache_write *x)
{
	struct write *y = calloc(1, sizeof(*y));
	int r = 0;

	err_clear(&x->err);
	x->result = 0;
	x->failed = 0;
	x->revision = 0;
	if (!y)
		abort();
	y->world = w;
	y->x = x;
	list_init(&y->link);
	y->txn.done = on_commit;
	y->guards = calloc(x->n + 1, sizeof(*y->guards));
	y->ops = calloc(x->n + 1, sizeof(*y->ops));
	y->v = calloc(x->n + 1, sizeof(*y->v));
	y->guarded = calloc(x->n + 1, sizeof(*y->guarded));
	if (!y->guards || !y->ops || !y->v || !y->guarded)
		abort();
	y->txn.guards = y->guards;
	y->txn.ops = y->ops;
	for (; y->txn.nops < x->n && r == 0; y->txn.nops++)
		r = op_begin(y, y->txn.nops, &x->err);
	for (size_t i = y->txn.nops; i < x->n; i++)
		x->ops[i].result = NULL;
	if (r == 0 && !w->ready)
		r = err_set(&x->err, ERR_UNAVAILABLE, "the store is not read yet");
	if (r < 0)
		end_later(y, r);
	else
		go(y);
}

bool world_writing(const struct world *w)
{
	for (const struct list *l = w->leases.next; l != &w->leases; l = l->next)
		if (!list_empty(&LIST_ENTRY(l, const struct lease, link)->writes))
			return true;
	return !list_empty(&w->writes) || !list_empty(&w->write_ends);
}

void writes_init(struct world *w)
{
	list_init(&w->writes);
	list_init(&w->write_ends);
	list_init(&w->leases);
	deferred_init(&w->write_end, w->conf.loop, run_ends);
}

void writes_fini(struct world *w)
{
	struct lease *l;

	assert(list_empty(&w->writes) && list_empty(&w->write_ends));
	while ((l = LIST_FIRST(&w->leases, struct lease, link))) {
		assert(list_empty(&l->writes));
		list_del(&l->link);
		if (l->ask)
			l->ask->world = NULL; /* its answer frees both */
		else
			lease_free(l);
	}
	deferred_fini(&w->write_end);
}
