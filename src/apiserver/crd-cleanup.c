/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All objects of a definition that goes: those without finalizers are removed, a transaction of
 * many at a time; others are marked as being deleted and waited for. What appears meanwhile is
 * removed, too.
 */
#include "apiserver/crd-private.h"

#include "api/defaults.h"
#include "base/clock.h"
#include "base/err.h"

#include <assert.h>
#include <stdlib.h>

#define READY_NS (50 * NS_PER_MS)
#define RETRY_NS NS_PER_SEC

struct crd_cleanup {
	struct resources *rs;
	struct cache *cache;
	struct deferred look;
	struct timer again;
	struct cache_watch watch;
	struct crd_write write;
	void (*done)(void *arg, const struct err *err);
	void *arg;
	bool watching, stopped;
};

static void ended(struct crd_cleanup *x, const struct err *err)
{
	void (*done)(void *, const struct err *) = x->done;
	void *arg = x->arg;

	/* done() may stop us */
	done(arg, err);
}

/* The object as it waits for its finalizers, when it has some. */
static int mark(struct crd_cleanup *x, struct item *i, struct arena *a, struct err *err)
{
	const struct api_type *meta = api_type(resources_api(x->rs), API_META, "ObjectMeta");
	struct doc d, *m;
	int64_t generation = 0;
	int r = codec_parse(i, a, &d, err);

	if (r < 0)
		return r;
	m = doc_get(&d, "metadata");
	if (doc_len(doc_get(m, "finalizers")) == 0)
		return crd_write_add(&x->write, x->cache, item_key(i), NULL, item_revision(i), err);
	if (doc_is(doc_get(m, "deletionTimestamp"), DOC_STRING))
		return 0; /* it is waited for already */
	api_set(meta, m, a, "deletionTimestamp", crd_time(a, clock_real() / NS_PER_SEC));
	api_set(meta, m, a, "deletionGracePeriodSeconds", doc_int(a, 0));
	if (doc_int64(doc_get(m, "generation"), &generation) == 0 && generation > 0)
		api_set(meta, m, a, "generation", doc_int(a, generation + 1));
	if (arena_exceeded(a))
		return arena_quota(a, err);
	return crd_write_add(&x->write, x->cache, item_key(i), &d, item_revision(i), err);
}

/* Also of what is not metadata's: mark() looks closer. */
static bool has_finalizers(const struct item *i)
{
	struct slice json = item_tail(i);

	return slice_has_text(json, SLICE("\"finalizers\":["));
}

/* The next objects, as many as a transaction takes. */
static int collect(struct crd_cleanup *x, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("objects that are removed", CRD_DOC_MAX);
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(x->cache);
	struct cache_iter it;
	struct item *i;
	int r = 0;

	cache_iter_init(&it, v, SLICE(""), SLICE(""));
	while (r == 0 && x->write.n < CRD_OPS_MAX && (i = cache_iter_next(&it))) {
		if (has_finalizers(i))
			r = mark(x, i, a, err);
		else
			r = crd_write_add(&x->write, x->cache, item_key(i), NULL, item_revision(i),
					  err);
	}
	return r;
}

/* ---- what changes ---- */

static int on_change(struct cache_watch *w, enum cache_change what, struct item *i)
{
	deferred_call(&CONTAINER_OF(w, struct crd_cleanup, watch)->look);
	return 0;
}

static void on_end(struct cache_watch *w, const struct err *err)
{
	struct crd_cleanup *x = CONTAINER_OF(w, struct crd_cleanup, watch);

	x->watching = false; /* the next look begins anew */
	deferred_call(&x->look);
}

static bool watch(struct crd_cleanup *x)
{
	struct err err = ERR_INIT;

	if (x->watching)
		return true;
	x->watch = (struct cache_watch){ .prefix = SLICE(""), .change = on_change, .end = on_end };
	x->watching =
		cache_watch(x->cache, &x->watch, world_revision(resources_world(x->rs)), &err) == 0;
	return x->watching;
}

/* ---- one look ---- */

static void look(struct deferred *d)
{
	struct crd_cleanup *x = CONTAINER_OF(d, struct crd_cleanup, look);
	struct err err = ERR_INIT;

	if (x->write.busy || x->stopped)
		return;
	/* one that is still read tells nothing; nor is it known what there is */
	if (!cache_ready(x->cache) || !watch(x)) {
		timer_set_after(&x->again, READY_NS);
		return;
	}
	if (cache_count(x->cache) == 0) {
		ended(x, NULL);
		return;
	}
	if (collect(x, &err) < 0) {
		crd_write_drop(&x->write);
		timer_set_after(&x->again, RETRY_NS);
		ended(x, &err);
	} else if (x->write.n) {
		crd_write_go(&x->write, resources_world(x->rs));
	} /* else all that is left waits for finalizers: the watch tells */
}

static void free_it(struct crd_cleanup *x)
{
	deferred_fini(&x->look);
	timer_fini(&x->again);
	free(x);
}

static void on_written(struct crd_write *w)
{
	struct crd_cleanup *x = w->arg;

	if (x->stopped) {
		free_it(x);
		return;
	}
	if (w->write.result < 0)
		timer_set_after(&x->again, RETRY_NS);
	else
		deferred_call(&x->look);
}

static int on_timer(struct timer *t)
{
	deferred_call(&CONTAINER_OF(t, struct crd_cleanup, again)->look);
	return 0;
}

struct crd_cleanup *crd_cleanup_start(struct resources *rs, struct loop *loop,
				      struct collection *objects,
				      void (*done)(void *arg, const struct err *err), void *arg)
{
	struct crd_cleanup *x = calloc(1, sizeof(*x));

	assert(x);
	*x = (struct crd_cleanup){ .rs = rs, .cache = objects->cache, .done = done, .arg = arg };
	x->write.done = on_written;
	x->write.arg = x;
	deferred_init(&x->look, loop, look);
	timer_init(&x->again, loop, on_timer);
	deferred_call(&x->look);
	return x;
}

void crd_cleanup_stop(struct crd_cleanup *x)
{
	if (!x)
		return;
	if (x->watching)
		cache_unwatch(&x->watch);
	if (x->write.busy) {
		/* the write has us until it is over */
		x->stopped = true;
		timer_clear(&x->again);
		return;
	}
	free_it(x);
}
