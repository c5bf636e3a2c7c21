/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world: caches by prefix, the store's events, and what a batch of them sets off.
 *
 * (1) `revision` is of all caches that are ready: their trees have everything up to it. (2) `told`
 * follows it when all watchers were shown the batch. (3) Nothing is pushed to a window while
 * watchers are called.
 */
#include "apiserver/objects/cache-private.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>

#define REGISTRY SLICE("/registry/")
#define WINDOW_BYTES (32u << 20)
#define WINDOW_CHANGES 65536
#define FORMS_BYTES (16u << 20)
#define DELAY_MIN (100 * NS_PER_MS)
#define DELAY_MAX (5 * NS_PER_SEC)
#define SCRATCH_MAX (256u << 20)

/* ---- caches ---- */

struct cache *cache_ref(struct cache *c)
{
	c->refs++;
	return c;
}

static void account(struct cache *c, const struct item *i, bool more)
{
	const size_t memory = item_memory(i);

	c->items_bytes += more ? memory : -memory;
	c->json_bytes += more ? i->njson : -(uint64_t)i->njson;
	if (!more) {
		c->replaced += memory;
		c->world->replaced += memory;
	}
}

void cache_account(struct cache *c, const struct item *i, bool more)
{
	account(c, i, more);
}

void cache_empty(struct cache *c)
{
	tree_unref(STEAL(c->tree.root), &c->memory);
	tree_unref(STEAL(c->fresh.root), &c->memory);
	c->tree.count = c->fresh.count = 0;
	c->items_bytes = c->json_bytes = 0;
}

void cache_queue_drop(struct cache *c)
{
	for (size_t i = 0; i < c->nqueue; i++) {
		item_unref(c->queue[i].item);
		free(c->queue[i].key);
	}
	free(STEAL(c->queue));
	c->nqueue = 0;
}

void cache_unref(struct cache *c)
{
	if (!c || --c->refs)
		return;
	cache_queue_drop(c);
	window_drop_cache(c->world, c);
	window_clear(c, 0);
	free(c->window.v);
	cache_empty(c);
	watches_fini(c);
	list_del(&c->dirty);
	list_del(&c->grown);
	shape_unref(c->shape);
	shape_unref(c->other);
	free((char *)(uintptr_t)c->prefix.p);
	free(c);
}

void *cache_arg(const struct cache *c)
{
	return c->arg;
}

bool cache_ready(const struct cache *c)
{
	return c->state == CACHE_READY;
}

struct item *cache_get(const struct cache *c, struct slice key)
{
	return tree_get(c->tree.root, key);
}

size_t cache_count(const struct cache *c)
{
	return c->tree.count;
}

uint64_t cache_generation(const struct cache *c)
{
	return c->window.head << 1 | cache_ready(c);
}

void cache_store_key(const struct cache *c, struct slice key, struct buf *out)
{
	(void)buf_add(out, c->prefix.p, c->prefix.n);
	(void)buf_add(out, key.p, key.n);
}

bool cache_is_stale(const struct cache *c, struct slice key)
{
	CLEANUP(buf_fini) struct buf store_key = BUF_INIT(1u << 16);

	if (!c->sealing.stale)
		return false;
	cache_store_key(c, key, &store_key);
	return c->sealing.stale(c->sealing.arg, buf_slice(&store_key));
}

/* ---- which cache ---- */

/* The last cache whose prefix is not behind the key; 0: none, else 1 + its place. */
static size_t find_place(const struct world *w, struct slice key)
{
	size_t low = 0, high = w->ncaches;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (slice_order(w->caches[mid]->prefix, key) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct cache *world_route(struct world *w, struct slice key, struct slice *ret_key)
{
	struct cache *c = w->last;
	size_t at;

	if (!c || !slice_starts(key, c->prefix) || w->nested) {
		at = find_place(w, key);
		c = at ? w->caches[at - 1] : NULL;
		while (c && !slice_starts(key, c->prefix))
			c = c->outer;
	}
	if (!c)
		return NULL;
	w->last = c;
	*ret_key = slice_of(key.p + c->prefix.n, key.n - c->prefix.n);
	return c;
}

/* Whose prefix begins whose: what begins a prefix stands before it, and all between begin so. */
static void nest(struct world *w)
{
	w->last = NULL;
	w->nested = false;
	for (size_t i = 0; i < w->ncaches; i++) {
		struct cache *c = w->caches[i], *o = i ? w->caches[i - 1] : NULL;

		while (o && !slice_starts(c->prefix, o->prefix))
			o = o->outer;
		c->outer = o;
		w->nested |= o != NULL;
	}
}

struct cache *world_add(struct world *w, const struct cache_conf *conf)
{
	struct cache *c = calloc(1, sizeof(*c));
	const size_t n = strlen(conf->prefix);
	char *prefix = malloc(n + 1);
	size_t at;

	if (!c || !prefix)
		abort();
	memcpy(prefix, conf->prefix, n + 1);
	*c = (struct cache){ .refs = 1,
			     .world = w,
			     .prefix = slice_of(prefix, n),
			     .kind = conf->kind,
			     .shape = shape_new(conf->kind),
			     .form = conf->form,
			     .arg = conf->arg };
	c->sealing = c->form.open || c->form.seal ? c->form : w->sealing;
	c->tree.memory = c->fresh.memory = &c->memory;
	c->filled = c->form.fills && c->form.fills(c->kind);
	list_init(&c->dirty);
	list_init(&c->grown);
	list_init(&c->ending);
	list_init(&c->kept);
	watches_init(c);
	if (w->ncaches == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 64;
		w->caches = reallocarray(w->caches, w->cap, sizeof(struct cache *));
		if (!w->caches)
			abort();
	}
	at = find_place(w, c->prefix);
	memmove(&w->caches[at + 1], &w->caches[at], (w->ncaches - at) * sizeof(struct cache *));
	w->caches[at] = c;
	w->ncaches++;
	nest(w);
	if (w->ready)
		load_cache(w, c);
	return c;
}

void world_remove(struct world *w, struct cache *c)
{
	struct err err = ERR_INIT;
	size_t at = find_place(w, c->prefix);

	while (w->caches[at - 1] != c) /* of two with one prefix */
		at--;
	memmove(&w->caches[at - 1], &w->caches[at], (w->ncaches - at) * sizeof(struct cache *));
	w->ncaches--;
	nest(w);
	load_drop(c->load);
	views_drop(c);
	c->state = CACHE_REMOVED;
	(void)err_set(&err, ERR_GONE, "%.*s is no longer served", (int)c->prefix.n, c->prefix.p);
	watches_end(c, &err);
	waits_of(w, c);
	cache_unref(c);
}

/* ---- a kind changes ---- */

static bool fills(const struct cache *c)
{
	return c->form.fills && c->form.fills(c->kind);
}

/* The item as the new shape has it. NULL: it cannot be read any more. */
static struct item *item_anew(struct cache *c, const struct item *i)
{
	CLEANUP(buf_fini) struct buf key = BUF_INIT(SCRATCH_MAX);
	struct err err = ERR_INIT;
	struct item *n;

	cache_store_key(c, item_key(i), &key);
	if (cache_item_open(c, buf_slice(&key), item_stored(i), i->revision, &n, &err) == 0)
		return n;
	world_damage(c->world, buf_slice(&key), &err);
	return NULL;
}

/* All items in a tree, with the shape of now. */
static void tree_anew(struct cache *c, struct tree *t, bool counted)
{
	struct tree fresh = { .memory = &c->memory };
	struct tree_iter it;
	struct item *i, *n;

	tree_iter_init(&it, t->root, SLICE(""), t->count);
	while ((i = tree_iter_next(&it))) {
		n = item_anew(c, i);
		if (counted)
			account(c, i, false);
		if (!n)
			continue;
		if (counted)
			account(c, n, true);
		item_unref(tree_put(&fresh, n));
	}
	tree_unref(t->root, &c->memory);
	*t = fresh;
}

void cache_set_kind(struct cache *c, const struct api_kind *kind)
{
	struct shape *s = shape_new(kind);
	const bool filled = c->filled;
	struct err err = ERR_INIT;

	assert(!c->telling);
	c->kind = kind;
	shape_unref(STEAL(c->other));
	c->filled = fills(c);
	if (shape_same(s, c->shape) && !filled && !c->filled && !c->keeps) {
		shape_unref(s);
		return;
	}
	shape_unref(c->shape);
	c->shape = s;
	if (c->load) { /* what it read so far is of the old kind */
		load_cache(c->world, c);
		return;
	}
	views_drop(c);
	tree_anew(c, &c->tree, true);
	tree_anew(c, &c->fresh, false);
	window_clear(c, c->world->revision);
	(void)err_set(&err, ERR_GONE, "the definition of %.*s changed", (int)c->prefix.n,
		      c->prefix.p);
	watches_end(c, &err);
}

/* ---- values ---- */

/* Of bytes as they are to be kept: in the stored version, or in another one. */
static struct shape *shape_for(struct cache *c, struct slice open)
{
	const struct api_kind *k;

	if (!c->form.kind_of || slice_starts(open, c->shape->head))
		return c->shape;
	if (c->other && slice_starts(open, c->other->head))
		return c->other;
	k = c->form.kind_of(c->kind, open);
	if (!k)
		return c->shape;
	shape_unref(c->other);
	return c->other = shape_new(k);
}

int cache_item_open(struct cache *c, struct slice key, struct slice open, int64_t revision,
		    struct item **ret, struct err *err)
{
	struct world *w = c->world;
	const struct slice below = slice_of(key.p + c->prefix.n, key.n - c->prefix.n),
			   stored = open;
	int r;

	if (c->form.foreign && (!slice_starts(open, shape_for(c, open)->head) || c->filled)) {
		buf_clear(&w->foreign);
		r = c->form.foreign(c->form.arg, c->kind, open, &w->foreign, err);
		if (r < 0)
			return err_wrap(err, "key '%.*s'", (int)key.n, key.p);
		open = buf_slice(&w->foreign);
	}
	r = item_make(shape_for(c, open), below, open, revision, ret, err);
	if (r < 0)
		return err_wrap(err, "key '%.*s'", (int)key.n, key.p);
	if ((c->filled || c->form.kind_of) && !slice_eq(stored, open)) {
		*ret = item_keep_stored(*ret, stored);
		c->keeps = true;
	}
	return 0;
}

int cache_item(struct cache *c, struct slice key, struct slice stored, int64_t revision,
	       struct item **ret, struct err *err)
{
	struct world *w = c->world;
	bool used = false;
	int r;

	if (c->sealing.open) {
		buf_clear(&w->open);
		r = (c->sealing.open)(c->sealing.arg, key, stored, &w->open, &used, err);
		if (r < 0)
			return err_wrap(err, "key '%.*s'", (int)key.n, key.p);
	}
	return cache_item_open(c, key, used ? buf_slice(&w->open) : stored, revision, ret, err);
}

/* A value that cannot be read is as if it were not there; world_error names it until it goes. */
void world_damage(struct world *w, struct slice key, const struct err *err)
{
	char *copy;

	log_warn("cache: %s", err->msg);
	w->damage = *err;
	if (map_get(&w->damaged, key))
		return;
	copy = malloc(key.n + 1);
	if (!copy)
		abort();
	memcpy(copy, key.p, key.n);
	copy[key.n] = '\0';
	(void)map_put(&w->damaged, slice_of(copy, key.n), copy);
}

void world_repaired(struct world *w, struct slice key)
{
	if (map_count(&w->damaged))
		free(map_del(&w->damaged, key));
}

const struct err *world_error(const struct world *w)
{
	if (w->error.code)
		return &w->error;
	return map_count(&w->damaged) ? &w->damage : NULL;
}

/* ---- events ---- */

void cache_change(struct cache *c, struct slice key, struct item *item, int64_t revision)
{
	struct item *old;

	if (item) {
		account(c, item, true);
		old = tree_put(&c->tree, item_ref(item));
	} else {
		old = tree_del(&c->tree, key);
		if (!old)
			return;
	}
	if (old)
		account(c, old, false);
	window_push(c, revision, old, item);
	if (list_empty(&c->dirty)) {
		(void)cache_ref(c);
		list_append(&c->world->dirty, &c->dirty);
	}
}

static void queue_event(struct cache *c, struct slice key, struct item *item, int64_t revision)
{
	struct queued *q;

	c->queue = reallocarray(c->queue, c->nqueue + 1, sizeof(*c->queue));
	if (!c->queue)
		abort();
	q = &c->queue[c->nqueue++];
	*q = (struct queued){ revision, item, malloc(key.n + 1), key.n };
	if (!q->key)
		abort();
	memcpy(q->key, key.p, key.n);
}

static void apply(struct world *w, const struct store_event *e)
{
	const int64_t revision = e->kv.mod_revision;
	struct item *item = NULL;
	struct err err ERR_RAW;
	struct slice key;
	struct cache *c = world_route(w, e->kv.key, &key);

	if (!c || revision <= w->revision || c->state == CACHE_NEW)
		return;
	world_repaired(w, e->kv.key);
	err_clear(&err);
	if (!e->removed && cache_item(c, e->kv.key, e->kv.value, revision, &item, &err) < 0)
		world_damage(w, e->kv.key, &err);
	if (c->state == CACHE_LOADING)
		queue_event(c, key, item, revision);
	else
		cache_change(c, key, item, revision);
}

void world_advance(struct world *w, int64_t revision)
{
	struct cache *c;

	w->revision = revision;
	w->dispatching = true;
	while ((c = LIST_FIRST(&w->dirty, struct cache, dirty))) {
		list_del(&c->dirty);
		watches_tell(c);
		cache_unref(c);
	}
	w->told = revision;
	w->dispatching = false;
	watches_flush(w);
	waits_due(w);
	views_trim(w);
}

static void on_events(struct store_watch *watch, const struct store_event *v, size_t n,
		      int64_t revision)
{
	struct world *w = CONTAINER_OF(watch, struct world, watch);

	w->error.code = ERR_NONE;
	w->delay = DELAY_MIN;
	/* Not behind the batch: writers look for what they wrote in the windows. */
	if (n)
		window_trim(w);
	for (size_t i = 0; i < n; i++)
		apply(w, &v[i]);
	if (revision > w->revision)
		world_advance(w, revision);
}

/* ---- the store's watch ---- */

static void try_later(struct world *w)
{
	timer_set_after(&w->retry, w->delay);
	w->delay = MIN(2 * w->delay, DELAY_MAX);
}

void world_fail(struct world *w, const struct err *err)
{
	w->error = *err;
	try_later(w);
}

static void on_end(struct store_watch *watch, const struct err *err)
{
	struct world *w = CONTAINER_OF(watch, struct world, watch);

	log_warn("cache: the watch of the store ended: %s", err->msg);
	w->watching = false;
	w->error = *err;
	if (err->code == ERR_GONE || err->code == ERR_BAD_REQUEST)
		load_again(w);
	else
		try_later(w);
}

void world_watch(struct world *w)
{
	struct err err = ERR_INIT;

	w->watch = (struct store_watch){ .prefix = REGISTRY,
					 .after = w->revision,
					 .no_prev = true,
					 .events = on_events,
					 .end = on_end };
	w->watching = store_watch(w->conf.store, &w->watch, &err) == 0;
	if (!w->watching)
		world_fail(w, &err);
}

static int on_retry(struct timer *t)
{
	struct world *w = CONTAINER_OF(t, struct world, retry);

	if (w->again)
		load_again(w);
	else if (!w->watching)
		world_watch(w);
	for (size_t i = 0; i < w->ncaches; i++)
		if (w->caches[i]->state == CACHE_LOADING && !w->caches[i]->load)
			load_cache(w, w->caches[i]);
	return 0;
}

void world_start(struct world *w, void (*done)(void *arg, int result, struct err *err), void *arg)
{
	assert(!w->started);
	w->started = true;
	w->start_done = done;
	w->start_arg = arg;
	load_start(w);
}

int64_t world_revision(const struct world *w)
{
	return w->revision;
}

bool world_is_shared(const struct world *w)
{
	return w->conf.shared;
}

struct loop *world_loop(const struct world *w)
{
	return w->conf.loop;
}

/* ---- the world itself ---- */

struct world *world_new(const struct world_conf *conf)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->conf = *conf;
	if (!w->conf.window_bytes)
		w->conf.window_bytes = WINDOW_BYTES;
	if (!w->conf.window_changes)
		w->conf.window_changes = WINDOW_CHANGES;
	if (!w->conf.forms_bytes)
		w->conf.forms_bytes = FORMS_BYTES;
	if (conf->sealing)
		w->sealing = *conf->sealing;
	w->delay = DELAY_MIN;
	w->open = w->foreign = BUF_INIT(SCRATCH_MAX);
	map_init(&w->damaged);
	list_init(&w->loads);
	list_init(&w->dirty);
	list_init(&w->grown);
	list_init(&w->flush);
	list_init(&w->ending);
	list_init(&w->waits);
	list_init(&w->cache_waits);
	list_init(&w->next_asks);
	timer_init(&w->retry, conf->loop, on_retry);
	timer_init(&w->keep, conf->loop, views_timer);
	deferred_init(&w->run, conf->loop, watches_run);
	forms_init(w);
	writes_init(w);
	return w;
}

static void damaged_free(struct world *w)
{
	char *key;

	for (size_t i = 0; (key = map_next(&w->damaged, &i, NULL));)
		free(key);
	map_fini(&w->damaged);
}

void world_free(struct world *w)
{
	if (!w)
		return;
	if (w->watching)
		store_unwatch(w->conf.store, &w->watch);
	loads_drop(w);
	waits_end(w);
	writes_fini(w);
	while (w->ncaches)
		world_remove(w, w->caches[w->ncaches - 1]);
	watches_run(&w->run); /* of caches that were removed in this round */
	forms_fini(w);
	timer_fini(&w->retry);
	timer_fini(&w->keep);
	deferred_fini(&w->run);
	damaged_free(w);
	buf_fini(&w->open);
	buf_fini(&w->foreign);
	free(w->order);
	free(w->caches);
	free(w);
}

/* ---- figures ---- */

static void add_stats(const struct cache *c, struct cache_stats *s)
{
	s->objects += c->tree.count;
	s->json_bytes += c->json_bytes;
	s->memory_bytes += c->items_bytes + c->memory;
	s->watches += c->watches.n;
	s->changes += c->watches.told;
	s->window += c->window.head - c->window.tail;
	s->window_bytes += c->window.bytes;
	s->oldest = MAX(s->oldest, c->window.oldest);
}

void cache_get_stats(const struct cache *c, struct cache_stats *ret)
{
	*ret = (struct cache_stats){ 0 };
	add_stats(c, ret);
}

void world_get_stats(const struct world *w, struct cache_stats *ret)
{
	*ret = (struct cache_stats){ .forms_bytes = w->forms_bytes };
	for (size_t i = 0; i < w->ncaches; i++)
		add_stats(w->caches[i], ret);
}
