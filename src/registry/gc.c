/* SPDX-License-Identifier: Apache-2.0 */
/* Once in a while: uploads that nobody goes on with, and what no manifest has. On a worker, beside
 * the requests. */
#include "registry/private.h"

#define TICK (60 * NS_PER_SEC)
#define UPLOAD_AGE (24 * 3600 * NS_PER_SEC)
#define UPLOAD_OPEN (120 * NS_PER_SEC)

static void gc_run(struct work *w)
{
	struct registry *g = CONTAINER_OF(w, struct registry, gc);
	struct err err = ERR_INIT;

	if (content_uploads_expire(g->store, UPLOAD_AGE, &err) < 0 ||
	    content_gc(g->store, &g->gc_job, &err) < 0)
		g->gc_err = err;
}

static void gc_done(struct work *w)
{
	struct registry *g = CONTAINER_OF(w, struct registry, gc);
	char freed[32];

	g->gc_runs = false;
	if (g->gc_err.code)
		log_kv(LOG_LEVEL_ERROR, "collection failed", "error", g->gc_err.msg, NULL);
	else if (g->gc_job.blobs || g->gc_job.manifests)
		log_kv(LOG_LEVEL_INFO, "collected", "freed",
		       str_human_size(freed, sizeof(freed), g->gc_job.store.bytes), NULL);
	count(g, COUNT_COLLECTED, "runs", 1);
	count(g, COUNT_COLLECTED, "manifests", (double)g->gc_job.manifests);
	count(g, COUNT_COLLECTED, "blobs", (double)g->gc_job.blobs);
	count(g, COUNT_COLLECTED, "bytes", (double)g->gc_job.store.bytes);
	cache_clear(g->cache);
}

static void begin_gc(struct registry *g)
{
	struct err err = ERR_INIT;

	g->gc_job =
		(struct content_gc){ .grace = g->conf.gc_grace, .untagged = g->conf.gc_untagged };
	g->gc_err = ERR_INIT;
	g->gc_runs = true;
	if (work_submit(g->pool, &g->gc, gc_run, gc_done, &err) < 0)
		g->gc_runs = false; /* busy: at the next tick */
}

void gc_now(struct registry *g)
{
	if (!g->gc_runs)
		begin_gc(g);
}

static int on_tick(struct timer *t)
{
	struct registry *g = CONTAINER_OF(t, struct registry, tick);
	int64_t now = clock_mono();

	uploads_close_idle(g, now - UPLOAD_OPEN);
	if (g->conf.gc_every > 0 && now >= g->gc_next && !g->gc_runs) {
		g->gc_next = now + g->conf.gc_every;
		begin_gc(g);
	}
	timer_set(t, now + TICK);
	return 0;
}

void gc_begin(struct registry *g)
{
	if (!g->conf.gc_every)
		g->conf.gc_every = 3600 * NS_PER_SEC;
	if (!g->conf.gc_grace)
		g->conf.gc_grace = 24 * 3600 * NS_PER_SEC;
	g->gc_next = clock_mono() + MIN(g->conf.gc_every, TICK);
	timer_init(&g->tick, g->loop, on_tick);
	timer_set(&g->tick, clock_mono() + TICK);
}

void gc_end(struct registry *g)
{
	timer_fini(&g->tick);
}
