/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading what is stored: everything at the start, a prefix for a cache that comes later, and
 * everything again when the store's watch lost its place.
 *
 * One range at one revision; then the latest changes before it are replayed into the windows
 * (not when reading again), so that watchers which come back after a restart go on where they were.
 * A cache that comes later is read as of the world's revision; events that come meanwhile wait in
 * its queue.
 */
#include "apiserver/objects/cache-private.h"

#include "base/log.h"

#define HISTORY 4096	      /* revisions */
#define HISTORY_ONE 1024      /* of one cache: hundreds may come after a start */
#define HISTORY_CHANGES 32768 /* more (large transactions, leases that end) are not worth it */

/* A change of the past, with a reference to its cache. */
struct past {
	struct cache *cache;
	struct change ch;
};

enum load_what { LOAD_START, LOAD_AGAIN, LOAD_CACHE };
struct load {
	struct store_range range;
	struct store_watch history;
	struct list link;
	struct world *world; /* NULL: nobody wants it */
	enum load_what what;
	struct cache *cache; /* LOAD_CACHE */
	bool reading, watching;
	unsigned damaged;
	struct err err; /* of the first damaged value */
	/* history */
	struct map last; /* key (owned by the entries) to its newest struct past_item */
	struct past *past;
	size_t npast, cap, seen;
	int64_t from;
};
struct past_item {
	struct item *item; /* a reference; NULL: removed */
	char key[];
};

static void last_clear(struct load *l)
{
	struct past_item *p;

	for (size_t i = 0; (p = map_next(&l->last, &i, NULL));) {
		item_unref(p->item);
		free(p);
	}
	map_fini(&l->last);
	map_init(&l->last);
}

static void past_clear(struct load *l)
{
	for (size_t i = 0; i < l->npast; i++) {
		item_unref(l->past[i].ch.old);
		item_unref(l->past[i].ch.new);
		cache_unref(l->past[i].cache);
	}
	l->npast = 0;
	last_clear(l);
}

static void load_free(struct load *l)
{
	past_clear(l);
	map_fini(&l->last);
	free(l->past);
	free(l);
}

/* The range ends at its next value when it is still being read. */
void load_drop(struct load *l)
{
	if (!l)
		return;
	list_del(&l->link);
	if (l->watching)
		store_unwatch(l->world->conf.store, &l->history);
	l->watching = false;
	if (l->cache)
		l->cache->load = NULL;
	l->cache = NULL;
	l->world = NULL;
	past_clear(l);
	if (!l->reading)
		load_free(l);
}

void loads_drop(struct world *w)
{
	struct load *l;

	while ((l = LIST_FIRST(&w->loads, struct load, link)))
		load_drop(l);
}

/* ---- values ---- */

static struct tree *tree_of(const struct load *l, struct cache *c)
{
	return l->what == LOAD_AGAIN ? &c->fresh : &c->tree;
}

static bool wanted(const struct load *l, const struct cache *c)
{
	return l->what == LOAD_CACHE ? c == l->cache : c->loading;
}

static void damaged(struct load *l, struct slice key, const struct err *err)
{
	if (l->damaged++ == 0)
		l->err = *err;
	if (l->what != LOAD_START)
		world_damage(l->world, key, err);
}

static int on_value(struct store_range *r, const struct store_kv *kv)
{
	struct load *l = CONTAINER_OF(r, struct load, range);
	struct err err ERR_RAW;
	struct item *i, *old;
	struct cache *c;
	struct slice key;

	if (!l->world)
		return -ERR_UNAVAILABLE;
	c = world_route(l->world, kv->key, &key);
	if (!c || !wanted(l, c))
		return 0;
	err_clear(&err);
	if (cache_item(c, kv->key, kv->value, kv->mod_revision, &i, &err) < 0) {
		damaged(l, kv->key, &err);
		return 0;
	}
	if (l->what != LOAD_AGAIN)
		cache_account(c, i, true);
	old = tree_put(tree_of(l, c), i);
	if (old && l->what != LOAD_AGAIN) /* twice: the store's fault, not our end */
		cache_account(c, old, false);
	item_unref(old);
	return 0;
}

/* ---- history ---- */

static void finish(struct load *l);

static void past_add(struct load *l, struct cache *c, const struct change *ch)
{
	if (l->npast == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 256;
		l->past = reallocarray(l->past, l->cap, sizeof(*l->past));
		if (!l->past)
			abort();
	}
	l->past[l->npast++] = (struct past){ cache_ref(c), *ch };
}

/* Notes what the key is from here on; takes the reference. */
static void last_set(struct load *l, struct slice key, struct item *item)
{
	struct past_item *p = map_get(&l->last, key);

	if (!p) {
		p = malloc(sizeof(*p) + key.n);
		if (!p)
			abort();
		memcpy(p->key, key.p, key.n);
		p->item = NULL;
		(void)map_put(&l->last, slice_of(p->key, key.n), p);
	}
	item_unref(p->item);
	p->item = item;
}

/* The value before the event, or behind it; NULL: there is none. */
static int past_item(struct load *l, struct cache *c, const struct store_event *e, bool before,
		     struct item **ret, struct err *err)
{
	const int64_t revision = before ? e->prev_revision : e->kv.mod_revision;
	const struct past_item *p = map_get(&l->last, e->kv.key);
	const size_t n = c->prefix.n;
	struct item *i = p ? p->item : NULL;

	*ret = NULL;
	if (before ? !revision : e->removed)
		return 0;
	if (!i || i->revision != revision)
		i = tree_get(c->tree.root, slice_of(e->kv.key.p + n, e->kv.key.n - n));
	if (i && i->revision == revision) {
		*ret = item_ref(i);
		return 0;
	}
	return cache_item(c, e->kv.key, before ? e->prev : e->kv.value, revision, ret, err);
}

static void past_event(struct load *l, const struct store_event *e)
{
	CLEANUP(item_unref) struct item *old = NULL;
	CLEANUP(item_unref) struct item *new = NULL;
	struct change ch = { .revision = e->kv.mod_revision };
	struct err err ERR_RAW;
	struct slice key;
	struct cache *c = world_route(l->world, e->kv.key, &key);

	err_clear(&err);
	if (!c || !wanted(l, c) || ch.revision > l->range.revision_now)
		return;
	if (past_item(l, c, e, true, &old, &err) < 0 || past_item(l, c, e, false, &new, &err) < 0) {
		/* Windows have no holes: they begin behind what cannot be read. */
		past_clear(l);
		l->from = ch.revision;
		return;
	}
	if (!old && !new)
		return;
	last_set(l, e->kv.key, new ? item_ref(new) : NULL);
	ch.old = STEAL(old);
	ch.new = STEAL(new);
	past_add(l, c, &ch);
}

static void on_history(struct store_watch *h, const struct store_event *v, size_t n,
		       int64_t revision)
{
	struct load *l = CONTAINER_OF(h, struct load, history);

	l->seen += n;
	if (l->seen > HISTORY_CHANGES) {
		past_clear(l);
		l->from = revision = l->range.revision_now;
		n = 0;
	}
	for (size_t i = 0; i < n; i++)
		past_event(l, &v[i]);
	if (revision < l->range.revision_now)
		return;
	l->watching = false;
	store_unwatch(l->world->conf.store, h);
	finish(l);
}

static void on_history_end(struct store_watch *h, const struct err *err)
{
	struct load *l = CONTAINER_OF(h, struct load, history);

	l->watching = false;
	past_clear(l);
	l->from = l->range.revision_now;
	finish(l);
}

/* False: there is no history to read. */
static bool history(struct load *l)
{
	struct world *w = l->world;
	const int64_t revision = l->range.revision_now;
	const int64_t back = l->what == LOAD_CACHE ? HISTORY_ONE : HISTORY;
	struct store_stats s;
	struct err err ERR_RAW;

	err_clear(&err);
	l->from = revision;
	if (l->what == LOAD_AGAIN)
		return false;
	store_get_stats(w->conf.store, &s);
	l->history = (struct store_watch){ .prefix = l->range.prefix,
					   .after = MAX(MAX(s.compacted, revision - back), 1),
					   .events = on_history,
					   .end = on_history_end };
	if (l->history.after >= revision)
		return false;
	l->watching = store_watch(w->conf.store, &l->history, &err) == 0;
	if (l->watching)
		l->from = l->history.after;
	return l->watching;
}

/* ---- the end: first reading ---- */

static void past_push(struct load *l)
{
	for (size_t i = 0; i < l->npast; i++) {
		struct past *p = &l->past[i];

		if (p->cache->state == CACHE_REMOVED)
			continue;
		window_push(p->cache, p->ch.revision, STEAL(p->ch.old), STEAL(p->ch.new));
		p->cache->untold = p->cache->window.head;
	}
	past_clear(l);
}

static void load_new(struct world *w)
{
	for (size_t i = 0; i < w->ncaches; i++)
		if (w->caches[i]->state == CACHE_NEW)
			load_cache(w, w->caches[i]);
}

static void start_end(struct load *l)
{
	struct world *w = l->world;

	past_push(l);
	for (size_t i = 0; i < w->ncaches; i++) {
		struct cache *c = w->caches[i];

		if (!c->loading)
			continue;
		c->loading = false;
		c->state = CACHE_READY;
		c->window.oldest = MAX(c->window.oldest, l->from);
	}
	w->revision = w->told = l->range.revision_now;
	w->ready = true;
	load_drop(l);
	world_watch(w);
	load_new(w); /* those that were added meanwhile */
	w->start_done(w->start_arg, 0, NULL);
}

static void start_fail(struct load *l)
{
	struct world *w = l->world;
	struct err err = l->range.result < 0 ? l->range.err : l->err;
	int r;

	if (l->range.result < 0)
		r = err_wrap(&err, "read what is stored");
	else
		r = err_wrap(&err, "%u values that are stored cannot be read, the first",
			     l->damaged);
	for (size_t i = 0; i < w->ncaches; i++) {
		w->caches[i]->loading = false;
		cache_empty(w->caches[i]);
	}
	w->started = false;
	load_drop(l);
	w->start_done(w->start_arg, r, &err);
}

/* ---- the end: one cache ---- */

static void cache_end(struct load *l)
{
	struct cache *c = l->cache;

	past_push(l);
	c->window.oldest = MAX(c->window.oldest, l->from);
	c->state = CACHE_READY;
	waits_of(c->world, c);
	load_drop(l);
	for (size_t i = 0; i < c->nqueue; i++) {
		struct queued *q = &c->queue[i];

		cache_change(c, slice_of(q->key, q->nkey), STEAL(q->item), q->revision);
	}
	cache_queue_drop(c);
	c->untold = c->window.head; /* nobody watches yet */
	if (!list_empty(&c->dirty)) {
		list_del(&c->dirty);
		cache_unref(c);
	}
}

static void cache_fail(struct load *l)
{
	struct world *w = l->world;
	struct cache *c = l->cache;
	struct err err = l->range.err;

	cache_empty(c);
	cache_queue_drop(c);
	(void)err_wrap(&err, "read %.*s", (int)c->prefix.n, c->prefix.p);
	load_drop(l);
	world_fail(w, &err); /* tried again */
}

/* ---- the end: again ---- */

struct found {
	struct cache *cache;
	struct item *item; /* NULL: removed */
	struct slice key;
	int64_t revision;
};
struct differences {
	struct found *v;
	size_t n, cap;
};

static void differ(struct differences *d, struct cache *c, struct item *item, struct slice key,
		   int64_t revision)
{
	if (d->n == d->cap) {
		d->cap = d->cap ? 2 * d->cap : 64;
		d->v = reallocarray(d->v, d->cap, sizeof(*d->v));
		if (!d->v)
			abort();
	}
	d->v[d->n++] = (struct found){ c, item, key, revision };
}

static void compare(struct differences *d, struct cache *c, int64_t now)
{
	struct tree_iter was, is;
	struct item *a, *b;

	tree_iter_init(&was, c->tree.root, SLICE(""), c->tree.count);
	tree_iter_init(&is, c->fresh.root, SLICE(""), c->fresh.count);
	a = tree_iter_next(&was);
	b = tree_iter_next(&is);
	while (a || b) {
		int o = !b ? -1 : !a ? 1 : slice_order(item_key(a), item_key(b));

		if (o < 0)
			differ(d, c, NULL, item_key(a), now);
		else if (o > 0 || a->revision != b->revision)
			/* Older than what is known: the store was put back. */
			differ(d, c, b, item_key(b),
			       b->revision > c->world->revision ? b->revision : now);
		if (o <= 0)
			a = tree_iter_next(&was);
		if (o >= 0)
			b = tree_iter_next(&is);
	}
}

static int by_revision(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return (x->revision > y->revision) - (x->revision < y->revision);
}

/* The store was put back: what anyone knows of it may never have been. */
static void forget_all(struct world *w, int64_t revision)
{
	struct err err = ERR_INIT;

	(void)err_set(&err, ERR_GONE, "too old resource version: the store begins anew at %lld",
		      (long long)revision);
	for (size_t i = 0; i < w->ncaches; i++) {
		watches_end(w->caches[i], &err);
		views_drop(w->caches[i]);
		window_clear(w->caches[i], revision);
	}
	w->gap_from = w->gap_to = 0;
}

/* One gap is remembered: what was before the one before goes. */
static void note_gap(struct world *w, int64_t now)
{
	for (size_t i = 0; w->gap_to && i < w->ncaches; i++) {
		struct cache *c = w->caches[i];

		window_clear(c, w->revision);
		watches_passed(c);
	}
	w->gap_from = w->revision;
	w->gap_to = now;
}

static void again_end(struct load *l)
{
	struct world *w = l->world;
	const int64_t now = l->range.revision_now;
	struct differences d = { 0 };
	const bool back = now < w->revision;

	for (size_t i = 0; i < w->ncaches; i++)
		if (w->caches[i]->loading)
			compare(&d, w->caches[i], now);
	if (d.n)
		qsort(d.v, d.n, sizeof(*d.v), by_revision);
	if (back)
		forget_all(w, now);
	else if (now > w->revision)
		note_gap(w, now);
	for (size_t i = 0; i < d.n; i++) {
		struct found *f = &d.v[i];
		struct item *item = f->item ? item_ref(f->item) : NULL;
		CLEANUP(buf_fini) struct buf key = BUF_INIT(STORE_KEY_MAX);

		(void)buf_add(&key, f->key.p, f->key.n); /* the item that has it may go */
		cache_change(f->cache, buf_slice(&key), item, f->revision);
	}
	free(d.v);
	for (size_t i = 0; i < w->ncaches; i++) {
		struct cache *c = w->caches[i];

		if (back)
			window_clear(c, now);
		if (c->loading)
			tree_unref(STEAL(c->fresh.root), &c->memory);
		c->fresh.count = 0;
		c->loading = false;
	}
	w->again = false;
	load_drop(l);
	world_advance(w, now);
	world_watch(w);
	load_new(w);
}

static void again_fail(struct load *l)
{
	struct world *w = l->world;
	struct err err = l->range.err;

	for (size_t i = 0; i < w->ncaches; i++) {
		struct cache *c = w->caches[i];

		tree_unref(STEAL(c->fresh.root), &c->memory);
		c->fresh.count = 0;
		c->loading = false;
	}
	load_drop(l);
	world_fail(w, &err);
}

/* ---- all ---- */

static void finish(struct load *l)
{
	static void (*const ends[])(struct load *) = { start_end, again_end, cache_end };

	ends[l->what](l);
}

static void on_range(struct store_range *r)
{
	static void (*const fails[])(struct load *) = { start_fail, again_fail, cache_fail };
	struct load *l = CONTAINER_OF(r, struct load, range);

	l->reading = false;
	if (!l->world) {
		load_free(l);
		return;
	}
	if (l->what == LOAD_CACHE)
		r->revision_now = r->revision; /* as of then */
	if (r->result < 0 || (l->damaged && l->what == LOAD_START))
		fails[l->what](l);
	else if (!history(l))
		finish(l);
}

static struct load *load_new_of(struct world *w, enum load_what what)
{
	struct load *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	l->world = w;
	l->what = what;
	map_init(&l->last);
	list_append(&w->loads, &l->link);
	l->range = (struct store_range){ .prefix = SLICE("/registry/"),
					 .each = on_value,
					 .done = on_range };
	return l;
}

static void read_all(struct world *w, enum load_what what)
{
	struct load *l = load_new_of(w, what);

	for (size_t i = 0; i < w->ncaches; i++)
		w->caches[i]->loading = what == LOAD_START || w->caches[i]->state == CACHE_READY;
	l->reading = true;
	store_range(w->conf.store, &l->range);
}

void load_start(struct world *w)
{
	read_all(w, LOAD_START);
}

void load_again(struct world *w)
{
	struct load *l;

	LIST_FOREACH (l, &w->loads, struct load, link)
		if (l->what == LOAD_AGAIN)
			return; /* under way */
	/* Those that are being read began at a revision that may be gone. */
	for (size_t i = 0; i < w->ncaches; i++) {
		struct cache *c = w->caches[i];

		if (c->state != CACHE_LOADING)
			continue;
		load_drop(c->load);
		cache_empty(c);
		cache_queue_drop(c);
		c->state = CACHE_NEW;
	}
	w->again = true;
	read_all(w, LOAD_AGAIN);
}

void load_cache(struct world *w, struct cache *c)
{
	struct load *l;

	load_drop(c->load);
	cache_empty(c);
	cache_queue_drop(c);
	c->state = CACHE_NEW;
	if (w->again)
		return; /* behind it */
	l = load_new_of(w, LOAD_CACHE);
	l->cache = c;
	c->load = l;
	c->state = CACHE_LOADING;
	l->range.prefix = c->prefix;
	l->range.revision = w->revision;
	l->reading = true;
	store_range(w->conf.store, &l->range);
}
