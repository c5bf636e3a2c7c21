/* SPDX-License-Identifier: Apache-2.0 */
/*
 * (1) A task is in `todo`, or running, or its timer is armed; it is in `tasks` in any case.
 * (2) Those that run keep us: `end` is called when there are none.
 */
#include "apiserver/strategy/own-follow.h"

#include "base/arena.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define TASK_MEMORY (32u << 20)

/* ---- tasks ---- */

static void task_free(struct own_task *t)
{
	(void)map_del(&t->f->tasks, slice_str(t->key));
	list_del(&t->link);
	timer_fini(&t->later);
	free(t);
}

static void enqueue(struct own_task *t)
{
	timer_clear(&t->later);
	list_del(&t->link);
	list_append(&t->f->todo, &t->link);
	deferred_call(&t->f->look);
}

static int on_later(struct timer *timer)
{
	enqueue(CONTAINER_OF(timer, struct own_task, later));
	return 0;
}

static struct own_task *find(const struct own_follow *f, struct slice key)
{
	return map_get(&f->tasks, key);
}

static struct own_task *task_new(struct own_follow *f, struct slice key)
{
	struct own_task *t = calloc(1, sizeof(*t) + key.n + 1);

	if (!t)
		abort();
	t->f = f;
	if (key.n)
		memcpy(t->key, key.p, key.n);
	list_init(&t->link);
	timer_init(&t->later, f->loop, on_later);
	(void)map_put(&f->tasks, slice_of(t->key, key.n), t);
	return t;
}

void own_follow_add(struct own_follow *f, struct slice key)
{
	struct own_task *t = find(f, key);

	if (f->stopped)
		return;
	if (!t)
		t = task_new(f, key);
	if (t->running)
		t->again = true;
	else if (list_empty(&t->link))
		enqueue(t);
}

void own_follow_add_later(struct own_follow *f, struct slice key)
{
	struct own_task *t = find(f, key);

	if (t)
		t->again |= t->running;
	else if (!f->stopped)
		timer_set_after(&task_new(f, key)->later, OWN_RETRY_MIN);
}

/* ---- one turn ---- */

/* keeps (2) */
static void finish(struct own_follow *f)
{
	assert(map_count(&f->tasks) == 0);
	map_fini(&f->tasks);
	if (f->end)
		f->end(f);
}

static void try_later(struct own_task *t, const struct err *err)
{
	const int64_t delay = OWN_RETRY_MIN << MIN(t->failures, 6u);

	t->failures++;
	log_kv(LOG_LEVEL_WARN, "an object was not written, it is tried again", "of", t->f->what,
	       "key", t->key, "error", err->msg, NULL);
	timer_set_after(&t->later, MIN(delay, OWN_RETRY_MAX));
}

static void task_end(struct own_task *t, int result, const struct err *err)
{
	struct own_follow *f = t->f;
	const bool again = t->again;

	arena_free(STEAL(t->a));
	t->running = t->again = false;
	f->running--;
	if (f->stopped) {
		task_free(t);
		if (!f->running)
			finish(f);
		return;
	}
	if (result >= 0)
		t->failures = 0;
	if (result < 0)
		try_later(t, err);
	else if (again)
		enqueue(t);
	else if (result == OWN_LATER)
		timer_set_after(&t->later, OWN_RETRY_MIN);
	else
		task_free(t);
	deferred_call(&f->look);
}

static void on_put(struct own_put *p)
{
	task_end(p->arg, MIN(p->result, 0), &p->err);
}

void own_task_put(struct own_task *t)
{
	t->put.rs = t->f->rs;
	t->put.done = on_put;
	t->put.arg = t;
	own_put(&t->put);
}

static void begin(struct own_task *t)
{
	struct err err = ERR_INIT;
	int r;

	list_del(&t->link);
	t->a = arena_new("what is done of objects", TASK_MEMORY);
	t->running = true;
	t->f->running++;
	r = t->f->run(t, &err);
	if (r != OWN_WRITES)
		task_end(t, r, &err);
}

static void look(struct deferred *d)
{
	struct own_follow *f = CONTAINER_OF(d, struct own_follow, look);
	const unsigned max = MAX(f->at_once, 1u);

	for (unsigned i = 0; i < OWN_TURN_MAX && f->running < max && !list_empty(&f->todo); i++)
		begin(LIST_FIRST(&f->todo, struct own_task, link));
	if (f->running < max && !list_empty(&f->todo))
		deferred_call(&f->look);
	else if (!f->running && list_empty(&f->todo) && f->rest)
		f->rest(f);
}

/* ---- what changes ---- */

static int on_change(struct cache_watch *w, enum cache_change what, struct item *i)
{
	struct own_watch *x = CONTAINER_OF(w, struct own_watch, watch);

	x->source->change(x->f, what, i);
	return 0;
}

static const struct selector everything;

static void tell(struct own_watch *x)
{
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(x->cache);
	struct cache_iter all;

	cache_iter_init(&all, v, SLICE(""), SLICE(""));
	for (struct item *i; (i = cache_iter_next(&all));)
		if (item_match(i, &everything, x->watch.fields))
			x->source->change(x->f, CACHE_ADDED, i);
}

void own_follow_tell(struct own_follow *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->watches[i].cache)
			tell(&f->watches[i]);
}

static void on_end(struct cache_watch *w, const struct err *why);

/* Watches first: what is told then is not older. */
static int watch(struct own_watch *x, struct err *err)
{
	const struct selector *fields = x->source->fields;

	x->watch = (struct cache_watch){ .prefix = SLICE(""),
					 .labels = &everything,
					 .fields = fields ? fields : &everything,
					 .change = on_change,
					 .end = on_end };
	if (cache_watch(x->cache, &x->watch, world_revision(resources_world(x->f->rs)), err) < 0)
		return err_ret(err);
	x->on = true;
	return 0;
}

/* Those that have ended; and all, or what they are of, is looked at anew. */
static void watch_again(struct own_follow *f)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < f->n; i++) {
		struct own_watch *x = &f->watches[i];

		if (x->on || !x->cache)
			continue;
		if (watch(x, &err) < 0) {
			log_kv(LOG_LEVEL_ERROR, "objects are not followed", "of", f->what, "error",
			       err.msg, NULL);
			timer_set_after(&f->rewatch, OWN_RETRY_MIN);
		} else if (f->all) {
			f->all(f);
		} else {
			tell(x);
		}
	}
}

static int on_rewatch(struct timer *t)
{
	watch_again(CONTAINER_OF(t, struct own_follow, rewatch));
	return 0;
}

static void on_end(struct cache_watch *w, const struct err *why)
{
	struct own_watch *x = CONTAINER_OF(w, struct own_watch, watch);

	(void)why; /* the window has passed it */
	x->on = false;
	watch_again(x->f);
}

/* ---- life ---- */

static int watch_all(struct own_follow *f, struct err *err)
{
	for (size_t i = 0; i < f->n; i++) {
		struct own_watch *x = &f->watches[i];
		const struct own_source *s = &f->sources[i];
		struct collection *o = resources_objects(f->rs, s->group, s->resource);

		*x = (struct own_watch){ .f = f, .source = s, .cache = o ? o->cache : NULL };
		if (!o && !s->optional)
			return err_set(err, ERR_NOT_FOUND, "%s are not served", s->resource);
		if (o && watch(x, err) < 0)
			return err_ret(err);
	}
	return 0;
}

/* What is not being done. */
static void drop_waiting(struct own_follow *f)
{
	struct own_task *t;

	for (size_t i = 0; (t = map_next(&f->tasks, &i, NULL));)
		if (!t->running)
			task_free(t);
}

static void stop(struct own_follow *f)
{
	f->stopped = true;
	for (size_t i = 0; i < f->n; i++)
		if (f->watches[i].on)
			cache_unwatch(&f->watches[i].watch);
	deferred_fini(&f->look);
	timer_fini(&f->rewatch);
	drop_waiting(f);
}

int own_follow_start(struct own_follow *f, struct err *err)
{
	assert(f->n <= OWN_SOURCES_MAX);
	map_init(&f->tasks);
	list_init(&f->todo);
	deferred_init(&f->look, f->loop, look);
	timer_init(&f->rewatch, f->loop, on_rewatch);
	if (watch_all(f, err) < 0) {
		stop(f);
		map_fini(&f->tasks);
		return err_ret(err);
	}
	if (f->all)
		f->all(f);
	else
		own_follow_tell(f);
	deferred_call(&f->look); /* rest() is told, too, when there is nothing */
	return 0;
}

void own_follow_stop(struct own_follow *f)
{
	if (f->stopped)
		return;
	stop(f);
	if (!f->running)
		finish(f);
}

bool own_follow_idle(const struct own_follow *f)
{
	return map_count(&f->tasks) == 0;
}
