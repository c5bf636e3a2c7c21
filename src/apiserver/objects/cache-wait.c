/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting until the caches are as new as a revision, or as what anyone was told is written.
 *
 * Of a store that others write to, the present is asked for with a small reading that begins after
 * the call; all who come while one is under way share the next.
 */
#include "apiserver/objects/cache-private.h"

#include "base/clock.h"

#include <assert.h>

#define WAIT (3 * NS_PER_SEC)
#define ASKED SLICE("/registry/health") /* need not be there */

struct ask {
	struct store_range range;
	struct world *world; /* NULL: it has gone */
	struct list waiters;
};

static void leave(struct world_wait *x)
{
	list_del(&x->link);
	timer_fini(&x->timer);
	cache_unref(STEAL(x->cache));
}

static void end(struct world_wait *x, int result, struct err *err)
{
	leave(x);
	x->done(x, result, err);
}

static int on_timer(struct timer *t)
{
	struct world_wait *x = CONTAINER_OF(t, struct world_wait, timer);
	struct err err = ERR_INIT;
	int r;

	if (x->cache && (cache_ready(x->cache) || x->cache->state == CACHE_REMOVED)) {
		end(x, 0, NULL);
		return 0;
	}
	if (x->cache)
		r = err_set(&err, ERR_TIMEOUT, "%.*s was not read in time", (int)x->cache->prefix.n,
			    x->cache->prefix.p);
	else if (x->revision)
		r = err_set(&err, ERR_TIMEOUT, "Too large resource version: %lld, current: %lld",
			    (long long)x->revision, (long long)x->world->revision);
	else
		r = err_set(&err, ERR_TIMEOUT, "the store did not tell its revision in time");
	end(x, r, &err);
	return 0;
}

void waits_due(struct world *w)
{
	struct list todo;
	struct world_wait *x;

	/* done() may wait for more, and end others. */
	list_init(&todo);
	LIST_FOREACH (x, &w->waits, struct world_wait, link)
		if (x->revision <= w->revision) {
			list_del(&x->link);
			list_append(&todo, &x->link);
		}
	while ((x = LIST_FIRST(&todo, struct world_wait, link)))
		end(x, 0, NULL);
}

/* For the revision that it knows now; the caller has it in no list. */
static void wait_for(struct world *w, struct world_wait *x)
{
	assert(w);
	if (x->revision <= w->revision) {
		end(x, 0, NULL);
		return;
	}
	list_append(&w->waits, &x->link);
	if (w->watching) /* what others write is no event of ours: it asks how far that is */
		store_progress(w->conf.store, &w->watch);
}

/* ---- asking the store ---- */

static void ask_start(struct world *w);

static void on_asked(struct store_range *r)
{
	struct ask *a = CONTAINER_OF(r, struct ask, range);
	struct world *w = a->world;
	struct world_wait *x;

	if (w)
		w->ask = NULL;
	while ((x = LIST_FIRST(&a->waiters, struct world_wait, link))) {
		list_del(&x->link);
		x->revision = r->revision_now;
		if (r->result < 0) {
			struct err err = r->err;

			(void)err_wrap(&err, "ask the store for its revision");
			err.code = ERR_UNAVAILABLE;
			end(x, -ERR_UNAVAILABLE, &err);
		} else {
			wait_for(w, x);
		}
	}
	free(a);
	if (w && !w->ask && !list_empty(&w->next_asks))
		ask_start(w);
}

static void ask_start(struct world *w)
{
	struct ask *a = calloc(1, sizeof(*a));
	struct world_wait *x;

	if (!a)
		abort();
	a->world = w;
	list_init(&a->waiters);
	while ((x = LIST_FIRST(&w->next_asks, struct world_wait, link))) {
		list_del(&x->link);
		list_append(&a->waiters, &x->link);
	}
	a->range = (struct store_range){
		.prefix = ASKED, .exact = true, .count_only = true, .done = on_asked
	};
	w->ask = a;
	store_range(w->conf.store, &a->range);
}

/* ---- calls ---- */

void world_wait(struct world *w, struct world_wait *x, int64_t revision)
{
	x->world = w;
	x->cache = NULL;
	x->revision = revision;
	list_init(&x->link);
	timer_init(&x->timer, w->conf.loop, on_timer);
	if (!w->ready) {
		struct err err = ERR_INIT;

		end(x, err_set(&err, ERR_UNAVAILABLE, "the store is not read yet"), &err);
		return;
	}
	timer_set_after(&x->timer, WAIT);
	if (revision || !w->conf.shared) {
		if (!revision)
			x->revision = store_revision(w->conf.store);
		wait_for(w, x);
		return;
	}
	list_append(&w->next_asks, &x->link);
	if (!w->ask)
		ask_start(w);
}

void world_unwait(struct world_wait *x)
{
	leave(x);
}

void cache_wait(struct cache *c, struct world_wait *x)
{
	struct world *w = c->world;

	x->world = w;
	x->cache = cache_ref(c);
	x->revision = 0;
	list_init(&x->link);
	list_append(&w->cache_waits, &x->link);
	timer_init(&x->timer, w->conf.loop, on_timer);
	timer_set_after(&x->timer, cache_ready(c) ? 0 : WAIT);
}

/* In a round of their own: who changes the cache is not done with it. */
void waits_of(struct world *w, const struct cache *c)
{
	struct world_wait *x;

	LIST_FOREACH (x, &w->cache_waits, struct world_wait, link)
		if (x->cache == c)
			timer_set_after(&x->timer, 0);
}

static void end_list(struct list *l)
{
	struct world_wait *x;

	while ((x = LIST_FIRST(l, struct world_wait, link))) {
		struct err err = ERR_INIT;

		end(x, err_set(&err, ERR_UNAVAILABLE, "the server is being stopped"), &err);
	}
}

void waits_end(struct world *w)
{
	w->ready = false;
	end_list(&w->waits);
	end_list(&w->next_asks);
	end_list(&w->cache_waits);
	if (w->ask) {
		w->ask->world = NULL;
		end_list(&w->ask->waiters);
	}
}
