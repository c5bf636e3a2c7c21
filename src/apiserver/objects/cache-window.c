/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows: the latest changes of each cache, in a ring; and the past, made from them or kept.
 *
 * All windows share a budget of bytes. `order` has every change of every cache in the order in
 * which they came, so that the oldest of all go first, however many each cache has.
 */
#include "apiserver/objects/cache-private.h"

#include "base/clock.h"

#include <assert.h>

#define KEEP_TIME (300 * NS_PER_SEC)
#define KEEP_MAX 1024	     /* views */
#define KEEP_LOOK (1u << 20) /* bytes replaced until the next look */

/* ---- changes ---- */

static void ring_grow(struct window *n)
{
	const size_t cap = n->cap ? n->cap * 2 : 16;
	struct change *v = calloc(cap, sizeof(*v));

	if (!v)
		abort();
	for (uint64_t i = n->tail; i < n->head; i++)
		v[i & (cap - 1)] = *window_at(n, i);
	free(n->v);
	n->v = v;
	n->cap = cap;
}

static void order_push(struct world *w, struct cache *c, uint64_t number)
{
	if (w->order_head - w->order_tail == w->order_cap) {
		const size_t cap = w->order_cap ? w->order_cap * 2 : 64;
		struct place *v = calloc(cap, sizeof(*v));

		if (!v)
			abort();
		for (uint64_t i = w->order_tail; i < w->order_head; i++)
			v[i & (cap - 1)] = w->order[i & (w->order_cap - 1)];
		free(w->order);
		w->order = v;
		w->order_cap = cap;
	}
	w->order[w->order_head++ & (w->order_cap - 1)] = (struct place){ c, number };
}

static void charge(struct cache *c, size_t bytes)
{
	c->window.bytes += bytes;
	c->world->window_bytes += bytes;
}

void window_push(struct cache *c, int64_t revision, struct item *old, struct item *new)
{
	struct window *n = &c->window;

	if (n->head > n->tail) /* in order, whatever a store tells */
		revision = MAX(revision, window_at(n, n->head - 1)->revision);
	if (n->head - n->tail == n->cap)
		ring_grow(n);
	order_push(c->world, c, n->head);
	*window_at(n, n->head++) = (struct change){ .revision = revision, .old = old, .new = new };
	/* The new one is the tree's or the next change's. */
	charge(c, sizeof(struct change) + (old ? item_memory(old) : 0));
	if (n->head - n->tail > c->world->conf.window_changes && list_empty(&c->grown))
		list_append(&c->world->grown, &c->grown);
}

struct item *change_gone(struct cache *c, struct change *ch)
{
	if (!ch->gone) {
		ch->gone = item_at(ch->old, ch->revision);
		charge(c, item_memory(ch->gone));
	}
	return ch->gone;
}

static void window_pop(struct cache *c)
{
	struct window *n = &c->window;
	struct change *ch = window_at(n, n->tail++);
	size_t bytes = sizeof(*ch) + (ch->old ? item_memory(ch->old) : 0) +
		       (ch->gone ? item_memory(ch->gone) : 0);

	n->oldest = MAX(n->oldest, ch->revision);
	n->bytes -= bytes;
	c->world->window_bytes -= bytes;
	item_unref(ch->old);
	item_unref(ch->new);
	item_unref(ch->gone);
}

uint64_t window_find(const struct window *n, int64_t after)
{
	uint64_t low = n->tail, high = n->head;

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;

		if (window_at(n, mid)->revision <= after)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Of the order's oldest change, when its window has it still. */
static void order_pop(struct world *w)
{
	struct place *at = &w->order[w->order_tail++ & (w->order_cap - 1)];

	if (at->cache && at->number >= at->cache->window.tail) {
		assert(at->number == at->cache->window.tail);
		window_pop(at->cache);
		watches_passed(at->cache);
	}
}

static void trim_count(struct cache *c)
{
	struct window *n = &c->window;

	list_del(&c->grown);
	while (n->head - n->tail > c->world->conf.window_changes)
		window_pop(c);
	watches_passed(c);
}

void window_trim(struct world *w)
{
	struct cache *c;

	while ((c = LIST_FIRST(&w->grown, struct cache, grown)))
		trim_count(c);
	while (w->window_bytes > w->conf.window_bytes && w->order_tail < w->order_head)
		order_pop(w);
	/* What the caches' own bounds have dropped already. */
	while (w->order_tail < w->order_head) {
		struct place *at = &w->order[w->order_tail & (w->order_cap - 1)];

		if (at->cache && at->number >= at->cache->window.tail)
			break;
		w->order_tail++;
	}
}

void window_clear(struct cache *c, int64_t oldest)
{
	while (c->window.tail < c->window.head)
		window_pop(c);
	c->window.oldest = oldest;
	c->untold = c->window.head;
}

void window_drop_cache(struct world *w, struct cache *c)
{
	for (uint64_t i = w->order_tail; i < w->order_head; i++) {
		struct place *at = &w->order[i & (w->order_cap - 1)];

		if (at->cache == c)
			at->cache = NULL;
	}
}

/* ---- views ---- */

static struct cache_view *view_new(struct cache *c, struct node *root_taken, size_t count,
				   int64_t revision)
{
	struct cache_view *v = malloc(sizeof(*v));

	if (!v)
		abort();
	*v = (struct cache_view){ .refs = 1,
				  .cache = cache_ref(c),
				  .root = root_taken,
				  .count = count,
				  .revision = revision,
				  .replaced = c->replaced };
	list_init(&v->kept);
	return v;
}

struct cache_view *cache_view_ref(struct cache_view *v)
{
	v->refs++;
	return v;
}

void cache_view_unref(struct cache_view *v)
{
	struct cache *c;

	if (!v || --v->refs)
		return;
	c = v->cache;
	tree_unref(v->root, &c->memory);
	free(v);
	cache_unref(c);
}

int64_t cache_view_revision(const struct cache_view *v)
{
	return v->revision;
}

struct cache_view *cache_now(struct cache *c)
{
	return view_new(c, tree_ref(c->tree.root), c->tree.count, c->world->revision);
}

/* The kept view that is nearest behind the revision, or NULL. */
static struct cache_view *kept_behind(const struct cache *c, int64_t revision)
{
	struct cache_view *v, *best = NULL;

	LIST_FOREACH (v, &c->kept, struct cache_view, kept)
		if (v->revision >= revision && (!best || v->revision < best->revision))
			best = v;
	return best;
}

/* The tree of `from`, without what came behind the revision. */
static struct cache_view *undo(struct cache *c, const struct cache_view *from, int64_t revision)
{
	struct tree t = { .root = tree_ref(from ? from->root : c->tree.root),
			  .count = from ? from->count : c->tree.count,
			  .memory = &c->memory };
	struct window *n = &c->window;
	uint64_t i = from ? window_find(n, from->revision) : n->head;

	for (uint64_t first = window_find(n, revision); i > first; i--) {
		const struct change *ch = window_at(n, i - 1);

		if (ch->old)
			item_unref(tree_put(&t, item_ref(ch->old)));
		else
			item_unref(tree_del(&t, item_key(ch->new)));
	}
	return view_new(c, t.root, t.count, revision);
}

int cache_at(struct cache *c, int64_t revision, struct cache_view **ret, struct err *err)
{
	struct world *w = c->world;
	struct cache_view *kept;

	if (c->state != CACHE_READY)
		return err_set(err, ERR_UNAVAILABLE, "%.*s is not read yet", (int)c->prefix.n,
			       c->prefix.p);
	if (revision > w->revision)
		return err_set(err, ERR_TIMEOUT, "Too large resource version: %lld, current: %lld",
			       (long long)revision, (long long)w->revision);
	kept = kept_behind(c, revision);
	if (kept && kept->revision == revision) {
		*ret = cache_view_ref(kept);
		return 0;
	}
	if (revision < c->window.oldest || (revision > w->gap_from && revision < w->gap_to))
		return err_set(err, ERR_GONE,
			       "The provided resource version is too old: %lld (%lld)",
			       (long long)revision, (long long)MAX(c->window.oldest, w->gap_to));
	*ret = undo(c, kept, revision);
	return 0;
}

/* ---- kept views ---- */

static void keep_end(struct cache_view *v)
{
	list_del(&v->kept);
	v->cache->world->nkept--;
	cache_view_unref(v);
}

/* How much would go with the oldest view of a cache, at most: what was replaced since. */
static uint64_t kept_bytes(const struct cache *c, struct cache_view **ret)
{
	*ret = LIST_FIRST(&c->kept, struct cache_view, kept);
	return *ret ? c->replaced - (*ret)->replaced : 0;
}

/* Drops the one that holds most. False: all is within the bounds. */
static bool keep_step(struct world *w)
{
	struct cache_view *most = NULL, *oldest = NULL;
	uint64_t sum = 0, size = 0;

	for (size_t i = 0; i < w->ncaches; i++) {
		struct cache_view *v;
		uint64_t n = kept_bytes(w->caches[i], &v);

		sum += n;
		if (v && n >= size) {
			size = n;
			most = v;
		}
		if (v && (!oldest || v->until < oldest->until))
			oldest = v;
	}
	if (w->nkept > KEEP_MAX)
		most = oldest;
	else if (sum <= w->conf.window_bytes)
		return false;
	keep_end(most);
	return true;
}

void views_trim(struct world *w)
{
	if (!w->nkept || w->replaced - w->replaced_seen < KEEP_LOOK)
		return;
	w->replaced_seen = w->replaced;
	while (w->nkept && keep_step(w))
		;
}

void views_drop(struct cache *c)
{
	struct cache_view *v;

	while ((v = LIST_FIRST(&c->kept, struct cache_view, kept)))
		keep_end(v);
}

/* Those of each cache end in the order in which they were kept. */
int views_timer(struct timer *t)
{
	struct world *w = CONTAINER_OF(t, struct world, keep);
	const int64_t now = loop_now(w->conf.loop);
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < w->ncaches; i++) {
		struct cache_view *v;

		while ((v = LIST_FIRST(&w->caches[i]->kept, struct cache_view, kept)) &&
		       v->until <= now)
			keep_end(v);
		if (v)
			next = MIN(next, v->until);
	}
	if (next != INT64_MAX)
		timer_set(t, next);
	return 0;
}

void cache_keep(struct cache_view *v)
{
	struct world *w = v->cache->world;

	if (v->cache->state == CACHE_REMOVED)
		return;
	if (list_empty(&v->kept)) {
		(void)cache_view_ref(v);
		w->nkept++;
	}
	list_del(&v->kept);
	list_append(&v->cache->kept, &v->kept);
	v->until = loop_now(w->conf.loop) + KEEP_TIME;
	if (!timer_armed(&w->keep))
		timer_set(&w->keep, v->until);
	while (w->nkept > KEEP_MAX)
		(void)keep_step(w);
}

/* ---- walking ---- */

struct walk {
	struct tree_iter it;
};
_Static_assert(sizeof(struct walk) <= sizeof(((struct cache_iter *)0)->private_), "walk");

static struct walk *walk_of(struct cache_iter *it)
{
	return (struct walk *)(void *)it->private_;
}

/* How many are before the first key behind all that begin with the prefix. */
static size_t prefix_end(const struct cache_view *v, struct slice prefix)
{
	char key[STORE_KEY_MAX];
	size_t n = MIN(prefix.n, sizeof(key));

	memcpy(key, prefix.n ? prefix.p : "", n);
	while (n && (unsigned char)key[n - 1] == 0xff)
		n--;
	if (!n)
		return v->count;
	key[n - 1]++;
	return tree_rank(v->root, slice_of(key, n));
}

void cache_iter_init(struct cache_iter *it, struct cache_view *v, struct slice prefix,
		     struct slice from)
{
	it->view = v;
	it->prefix = prefix;
	if (slice_order(from, prefix) < 0)
		from = prefix;
	tree_iter_init(&walk_of(it)->it, v->root, from, prefix_end(v, prefix));
}

struct item *cache_iter_next(struct cache_iter *it)
{
	return tree_iter_next(&walk_of(it)->it);
}

size_t cache_iter_left(const struct cache_iter *it)
{
	const struct tree_iter *t = &walk_of((struct cache_iter *)(uintptr_t)it)->it;

	return t->end > t->at ? t->end - t->at : 0;
}
