/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches: who is shown which change.
 *
 * A live one stands in one list: of its key, of its prefix, of a value that a field or a label must
 * have, or the plain list; a change is shown to the lists that it can matter to. One without room,
 * or that begins in the past, stands at a number of the window, and goes through what follows by
 * itself, asked the same question (tell), until it is live.
 */
#include "apiserver/objects/cache-private.h"

#include <assert.h>

#define AT_ONCE 1024  /* changes that one behind looks at before others get their turn */
#define VALUE_MAX 255 /* longer values of fields are not in the index */

_Static_assert(sizeof(struct watch) <= sizeof(((struct cache_watch *)0)->private_), "watch");

static struct watch *watch_of(struct cache_watch *w)
{
	return (struct watch *)(void *)w->private_;
}

static struct cache_watch *outer_of(struct watch *x)
{
	return (struct cache_watch *)(void *)((char *)x - offsetof(struct cache_watch, private_));
}

/* All of `from`, which is then empty. */
static void list_move(struct list *to, struct list *from)
{
	list_init(to);
	if (list_empty(from))
		return;
	list_add_after(from->prev, to);
	list_del(from);
}

/* ---- the index ---- */

struct index_key {
	uint16_t n;
	char p[2 + STORE_KEY_MAX];
};

static bool index_key(struct index_key *k, char kind, uint8_t slot, struct slice text)
{
	if (text.n > STORE_KEY_MAX)
		return false;
	k->p[0] = kind;
	k->p[1] = (char)slot;
	memcpy(k->p + 2, text.n ? text.p : "", text.n);
	k->n = (uint16_t)(2 + text.n);
	return true;
}

static struct watch_group *group_find(const struct cache *c, const struct index_key *k)
{
	return map_get(&c->watches.groups, slice_of(k->p, k->n));
}

static unsigned *group_counter(struct cache *c, const char *key)
{
	struct watches *s = &c->watches;
	const uint8_t slot = (uint8_t)key[1];

	if (key[0] == 'k')
		return &s->keys;
	if (key[0] == 'p')
		return &s->prefixes;
	if (key[0] == 'l')
		return &s->labels;
	return slot == SLOT_NAME ? &s->names : &s->slots[slot];
}

static struct watch_group *group_get(struct cache *c, const struct index_key *k)
{
	struct watch_group *g = group_find(c, k);

	if (g)
		return g;
	g = malloc(sizeof(*g) + k->n);
	if (!g)
		abort();
	*g = (struct watch_group){ .nkey = k->n };
	list_init(&g->watches);
	memcpy(g->key, k->p, k->n);
	(void)map_put(&c->watches.groups, slice_of(g->key, g->nkey), g);
	++*group_counter(c, g->key);
	return g;
}

static void group_put(struct cache *c, struct watch_group *g)
{
	if (g->busy || !list_empty(&g->watches))
		return;
	(void)map_del(&c->watches.groups, slice_of(g->key, g->nkey));
	--*group_counter(c, g->key);
	free(g);
}

static bool is_namespace(struct slice prefix)
{
	return prefix.n > 1 && memchr(prefix.p, '/', prefix.n) == prefix.p + prefix.n - 1;
}

/* prefix + name as a key of the index. */
static bool name_key(struct index_key *k, struct slice prefix, struct slice name)
{
	char key[STORE_KEY_MAX];

	if (prefix.n + name.n > sizeof(key))
		return false;
	memcpy(key, prefix.n ? prefix.p : "", prefix.n);
	memcpy(key + prefix.n, name.n ? name.p : "", name.n);
	return index_key(k, 'k', 0, slice_of(key, prefix.n + name.n));
}

/* One of the fields that must have a value. */
static bool field_key(const struct cache *c, const struct selector *s, struct index_key *k)
{
	for (size_t i = 0; s && i < s->n; i++) {
		const struct selector_term *t = &s->terms[i];
		const struct shape_field *f = shape_field(c->shape, t->key);

		if (f && f->slot != SHAPE_NONE && f->other == SHAPE_NONE && t->n == 1 &&
		    (t->op == SELECT_EQUAL || t->op == SELECT_IN) && t->values[0].n <= VALUE_MAX)
			return index_key(k, 'f', f->slot, t->values[0]);
	}
	return false;
}

/* One of the labels that must have a value. */
static bool label_key(const struct selector *s, struct index_key *k)
{
	char text[STORE_KEY_MAX];

	for (size_t i = 0; s && i < s->n; i++) {
		const struct selector_term *t = &s->terms[i];
		const size_t n = t->key.n;

		if (t->n != 1 || (t->op != SELECT_EQUAL && t->op != SELECT_IN) ||
		    n + 1 + t->values[0].n > sizeof(text))
			continue;
		memcpy(text, t->key.p, n);
		text[n] = '=';
		memcpy(text + n + 1, t->values[0].n ? t->values[0].p : "", t->values[0].n);
		return index_key(k, 'l', 0, slice_of(text, n + 1 + t->values[0].n));
	}
	return false;
}

/* The list that the watch waits in. */
static bool watch_key(const struct cache *c, const struct cache_watch *w, struct index_key *k)
{
	const bool whole = !c->shape->namespaced || is_namespace(w->prefix);
	struct slice v;

	if (w->key.n)
		return index_key(k, 'k', 0, w->key);
	if (w->fields && selector_requires(w->fields, "metadata.name", &v))
		return whole ? name_key(k, w->prefix, v) : index_key(k, 'f', SLOT_NAME, v);
	if (is_namespace(w->prefix))
		return index_key(k, 'p', 0, w->prefix);
	return field_key(c, w->fields, k) || label_key(w->labels, k);
}

static void go_live(struct cache *c, struct watch *x)
{
	struct index_key k __attribute__((uninitialized));

	x->state = WATCH_LIVE;
	x->group = watch_key(c, outer_of(x), &k) ? group_get(c, &k) : NULL;
	list_append(x->group ? &x->group->watches : &c->watches.plain, &x->link);
}

/* Out of whichever list it is in. */
static void leave(struct cache *c, struct watch *x)
{
	list_del(&x->link);
	if (x->group)
		group_put(c, x->group);
	x->group = NULL;
}

/* ---- telling one ---- */

static bool concerns(const struct cache_watch *w, const struct item *i)
{
	const struct slice key = item_key(i);

	if (w->key.n)
		return slice_eq(key, w->key) && item_match(i, w->labels, w->fields);
	return slice_starts(key, w->prefix) && item_match(i, w->labels, w->fields);
}

/* Nothing that it selects by has changed: an update of something else, as most are. */
static bool was_alike(const struct cache_watch *w, const struct change *ch)
{
	return !w->fields && ch->new &&slice_eq(item_labels(ch->old), item_labels(ch->new));
}

/* 1: it was told and has no room for more; -1: it is over. */
static int tell(struct cache *c, struct watch *x, struct change *ch)
{
	struct cache_watch *w = outer_of(x);
	struct world *world = c->world;
	const bool now = ch->new &&concerns(w, ch->new);
	const bool before = ch->old && (was_alike(w, ch) ? now : concerns(w, ch->old));
	enum cache_change what = before && now ? CACHE_MODIFIED : now ? CACHE_ADDED : CACHE_DELETED;
	int r;

	if ((!before && !now) || ch->revision <= x->after)
		return 0;
	c->watches.told++;
	if (list_empty(&x->flush))
		list_append(&world->flush, &x->flush);
	world->current = w;
	w->before = ch->old;
	r = w->change(w, what, now ? ch->new : change_gone(c, ch));
	if (world->current != w)
		return -1;
	world->current = NULL;
	return r > 0;
}

/* It stands at a number from here on; the list is in their order. */
static void block(struct cache *c, struct watch *x, uint64_t at)
{
	struct list *pos = c->watches.blocked.prev;

	leave(c, x);
	x->state = WATCH_BLOCKED;
	x->at = at;
	x->after = MAX(x->after, window_at(&c->window, at - 1)->revision - 1);
	while (pos != &c->watches.blocked && LIST_ENTRY(pos, struct watch, link)->at > at)
		pos = pos->prev;
	list_add_after(pos, &x->link);
}

/* ---- telling all that are live ---- */

/* The callbacks may begin and end watches, of this list too. */
static void tell_list(struct cache *c, struct list *l, uint64_t number)
{
	struct list todo;

	list_move(&todo, l);
	while (!list_empty(&todo)) {
		struct watch *x = LIST_FIRST(&todo, struct watch, link);

		list_del(&x->link);
		list_append(l, &x->link);
		/* Nothing is pushed while they are told: the place stays. */
		if (tell(c, x, window_at(&c->window, number)) > 0)
			block(c, x, number + 1);
	}
}

static void tell_group(struct cache *c, const struct index_key *k, uint64_t number)
{
	struct watch_group *g = group_find(c, k);

	if (!g)
		return;
	g->busy++;
	tell_list(c, &g->watches, number);
	g->busy--;
	group_put(c, g);
}

/* An item in another version has its fields elsewhere. */
static bool slot_key(const struct cache *c, const struct item *i, uint8_t slot,
		     const struct shape_field *f, struct index_key *k)
{
	char text[2 * VALUE_MAX];
	bool escaped = false;
	struct slice v;
	size_t n;

	if (!i)
		return false;
	if (!f)
		v = item_name(i);
	else
		v = i->shape == c->shape ? item_slot(i, f, &escaped)
					 : item_field(i, f->name, &escaped);
	if (escaped) {
		if (!text_decode(v, text, sizeof(text), &n))
			return false;
		v = slice_of(text, n);
	}
	return index_key(k, 'f', slot, v);
}

/* The lists of the value before and of the one now. */
static void tell_slot(struct cache *c, uint8_t slot, const struct shape_field *f, uint64_t number)
{
	const struct change *ch = window_at(&c->window, number);
	struct index_key a __attribute__((uninitialized)), b __attribute__((uninitialized));
	const bool now = slot_key(c, ch->new, slot, f, &a),
		   before = slot_key(c, ch->old, slot, f, &b);

	if (now)
		tell_group(c, &a, number);
	if (before && !(now && slice_eq(slice_of(a.p, a.n), slice_of(b.p, b.n))))
		tell_group(c, &b, number);
}

static void tell_slots(struct cache *c, uint64_t number)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < c->shape->nfields; i++) {
		const struct shape_field *f = &c->shape->fields[i];

		if (f->slot == SHAPE_NONE || f->other != SHAPE_NONE || seen >> f->slot & 1 ||
		    !c->watches.slots[f->slot])
			continue;
		seen |= 1ull << f->slot;
		tell_slot(c, f->slot, f, number);
	}
	if (c->watches.names)
		tell_slot(c, SLOT_NAME, NULL, number);
}

static bool has_pair(struct slice labels, struct slice pair)
{
	char text[STORE_KEY_MAX] __attribute__((uninitialized));
	size_t at = 0, n;

	while (labels_next(labels, &at, text, sizeof(text), &n))
		if (slice_eq(slice_of(text, n), pair))
			return true;
	return false;
}

/* The lists of its labels; `but`: those were told. */
static void tell_labels(struct cache *c, struct slice labels, struct slice but, uint64_t number)
{
	char text[STORE_KEY_MAX] __attribute__((uninitialized));
	struct index_key k __attribute__((uninitialized));
	size_t at = 0, n;

	while (labels_next(labels, &at, text, sizeof(text), &n))
		if (!has_pair(but, slice_of(text, n)) && index_key(&k, 'l', 0, slice_of(text, n)))
			tell_group(c, &k, number);
}

static void tell_labelled(struct cache *c, uint64_t number)
{
	const struct change *ch = window_at(&c->window, number);
	const struct slice none = { 0 };
	struct slice now = ch->new ? item_labels(ch->new) : none;
	struct slice before = ch->old ? item_labels(ch->old) : none;

	tell_labels(c, now, none, number);
	if (!slice_eq(now, before))
		tell_labels(c, before, now, number);
}

static void tell_change(struct cache *c, uint64_t number)
{
	const struct change *ch = window_at(&c->window, number);
	const struct slice key = item_key(ch->new ? ch->new : ch->old);
	const char *slash = memchr(key.p, '/', key.n);
	struct index_key k __attribute__((uninitialized));

	if (c->watches.keys && index_key(&k, 'k', 0, key))
		tell_group(c, &k, number);
	if (c->watches.prefixes && slash &&
	    index_key(&k, 'p', 0, slice_of(key.p, (size_t)(slash - key.p) + 1)))
		tell_group(c, &k, number);
	tell_slots(c, number);
	if (c->watches.labels)
		tell_labelled(c, number);
	tell_list(c, &c->watches.plain, number);
}

void watches_tell(struct cache *c)
{
	c->telling = true;
	for (; c->untold < c->window.head && c->state == CACHE_READY; c->untold++)
		if (c->watches.n && !c->end_err)
			tell_change(c, c->untold);
	c->telling = false;
}

void watches_flush(struct world *w)
{
	struct list todo;

	list_move(&todo, &w->flush);
	while (!list_empty(&todo)) {
		struct watch *x = LIST_FIRST(&todo, struct watch, flush);

		list_del(&x->flush);
		if (outer_of(x)->flush)
			outer_of(x)->flush(outer_of(x));
	}
}

/* ---- the end ---- */

static void forget(struct cache_watch *w)
{
	struct watch *x = watch_of(w);
	struct cache *c = w->cache;

	if (c->world->current == w)
		c->world->current = NULL;
	leave(c, x);
	list_del(&x->flush);
	x->state = WATCH_OVER;
	c->watches.n--;
	w->cache = NULL;
	cache_unref(c);
}

void cache_unwatch(struct cache_watch *w)
{
	if (w->cache)
		forget(w);
}

static int too_old(const struct cache *c, int64_t after, struct err *err)
{
	const int64_t oldest = c->window.oldest;

	return err_set(err, ERR_GONE, "too old resource version: %lld (%lld)", (long long)after,
		       (long long)(after < oldest ? oldest : c->world->gap_to));
}

/* All up to this was told. */
static int64_t stands_at(const struct cache *c, const struct watch *x)
{
	const struct window *n = &c->window;

	if (x->at < n->tail)
		return x->after;
	return x->at < n->head ? window_at(n, x->at)->revision - 1 : c->world->revision;
}

static void pass(struct cache *c, struct watch *x)
{
	struct cache_watch *w = outer_of(x);
	struct err err ERR_RAW;

	err_clear(&err);
	(void)too_old(c, x->after, &err);
	forget(w);
	if (w->end)
		w->end(w, &err);
}

void watches_passed(struct cache *c)
{
	struct watch *x;

	(void)cache_ref(c);
	while ((x = LIST_FIRST(&c->watches.blocked, struct watch, link)) && x->at < c->window.tail)
		pass(c, x);
	cache_unref(c);
}

/* ---- catching up ---- */

static void behind(struct cache *c, struct watch *x)
{
	leave(c, x);
	x->state = WATCH_BEHIND;
	list_append(&c->watches.behind, &x->link);
	deferred_call(&c->world->run);
}

/* One turn; it goes to the end of the list when there is more. */
static void catch_up(struct cache *c, struct watch *x)
{
	struct window *n = &c->window;

	if (x->at < n->tail) {
		pass(c, x);
		return;
	}
	for (unsigned i = 0; i < AT_ONCE && x->at < n->head; i++) {
		struct change *ch = window_at(n, x->at++);
		int r = tell(c, x, ch);

		if (r < 0)
			return;
		if (r > 0) {
			block(c, x, x->at);
			return;
		}
		x->after = MAX(x->after, ch->revision - 1); /* the end tells how far it came */
	}
	leave(c, x);
	if (x->at == n->head)
		go_live(c, x);
	else
		behind(c, x);
}

static void run_cache(struct cache *c)
{
	struct list todo;

	list_move(&todo, &c->watches.behind);
	while (!list_empty(&todo)) {
		struct watch *x = LIST_FIRST(&todo, struct watch, link);

		list_del(&x->link);
		list_append(&c->watches.behind, &x->link);
		catch_up(c, x);
	}
}

/* Any of a cache that goes; NULL: none. */
static struct watch *any(struct cache *c)
{
	struct watches *s = &c->watches;
	struct list *const lists[] = { &s->plain, &s->blocked, &s->behind };
	struct watch_group *g;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (!list_empty(lists[i]))
			return LIST_FIRST(lists[i], struct watch, link);
	for (size_t i = 0; (g = map_next(&s->groups, &i, NULL));)
		if (!list_empty(&g->watches))
			return LIST_FIRST(&g->watches, struct watch, link);
	return NULL;
}

static void end_all(struct cache *c)
{
	struct err *err = STEAL(c->end_err);
	struct watch *x;

	list_del(&c->ending);
	while ((x = any(c))) {
		struct cache_watch *w = outer_of(x);

		forget(w);
		if (w->end)
			w->end(w, err);
	}
	free(err);
	cache_unref(c);
}

void watches_end(struct cache *c, const struct err *err)
{
	if (!c->watches.n || c->end_err)
		return;
	c->end_err = malloc(sizeof(*err));
	if (!c->end_err)
		abort();
	*c->end_err = *err;
	list_append(&c->world->ending, &c->ending);
	(void)cache_ref(c);
	deferred_call(&c->world->run);
}

void watches_run(struct deferred *d)
{
	struct world *w = CONTAINER_OF(d, struct world, run);
	struct cache *c;

	while ((c = LIST_FIRST(&w->ending, struct cache, ending)))
		end_all(c);
	for (size_t i = 0; i < w->ncaches; i++) {
		c = w->caches[i];
		if (list_empty(&c->watches.behind))
			continue;
		(void)cache_ref(c); /* a callback may remove it; another may take its place */
		run_cache(c);
		cache_unref(c);
	}
	watches_flush(w);
}

void watches_init(struct cache *c)
{
	list_init(&c->watches.plain);
	list_init(&c->watches.blocked);
	list_init(&c->watches.behind);
	map_init(&c->watches.groups);
}

void watches_fini(struct cache *c)
{
	assert(c->watches.n == 0);
	map_fini(&c->watches.groups);
}

/* ---- calls ---- */

int cache_watch(struct cache *c, struct cache_watch *w, int64_t after, struct err *err)
{
	struct world *world = c->world;
	struct watch *x = watch_of(w);

	*x = (struct watch){ .after = after };
	list_init(&x->link);
	list_init(&x->flush);
	w->cache = NULL;
	if (c->state != CACHE_READY || c->end_err)
		return err_set(err, ERR_UNAVAILABLE, "%.*s is not read yet", (int)c->prefix.n,
			       c->prefix.p);
	if (after < c->window.oldest || (after > world->gap_from && after < world->gap_to))
		return too_old(c, after, err);
	w->cache = cache_ref(c);
	c->watches.n++;
	x->at = window_find(&c->window, after);
	if (x->at == c->window.head)
		go_live(c, x);
	else
		behind(c, x);
	return 0;
}

void cache_watch_resume(struct cache_watch *w)
{
	if (w->cache && watch_of(w)->state == WATCH_BLOCKED)
		behind(w->cache, watch_of(w));
}

int64_t cache_watch_revision(const struct cache_watch *w)
{
	struct watch *x = watch_of((struct cache_watch *)(uintptr_t)w);
	const struct cache *c = w->cache;

	if (!c)
		return x->after;
	if (x->state == WATCH_LIVE)
		return MAX(x->after, c->world->told);
	return MAX(x->after, stands_at(c, x));
}

bool cache_watch_is_within(const struct cache_watch *w)
{
	const struct watch *x = watch_of((struct cache_watch *)(uintptr_t)w);
	const struct window *n = w->cache ? &w->cache->window : NULL;
	int64_t before;

	if (!n || x->state == WATCH_LIVE || x->at < n->tail || x->at == n->head)
		return false;
	before = x->at > n->tail ? window_at(n, x->at - 1)->revision : n->oldest;
	return window_at(n, x->at)->revision == before;
}
