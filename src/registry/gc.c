/* SPDX-License-Identifier: Apache-2.0 */
/* Once in a while: uploads that nobody goes on with, and what no manifest has. On a worker, beside
 * the requests. */
#include "registry/private.h"

#include <time.h>

#define TICK (60 * NS_PER_SEC)
#define UPLOAD_AGE (24 * 3600 * NS_PER_SEC)
#define UPLOAD_OPEN (120 * NS_PER_SEC)

static void gc_run(struct work *w)
{
	struct registry *g = CONTAINER_OF(w, struct registry, gc);
	struct err err = ERR_INIT;

	if ((!g->gc_job.dry_run && content_uploads_expire(g->store, UPLOAD_AGE, &err) < 0) ||
	    content_gc(g->store, &g->gc_job, &err) < 0)
		g->gc_err = err;
}

/* Who asked for it and waits. */
static void answer_gc(struct registry *g)
{
	struct stream *s = STEAL(g->gc_asked);
	const struct content_gc *j = &g->gc_job;

	if (!s)
		return;
	if (g->gc_err.code)
		(void)stream_replyf(s, 500, "text/plain", "%s\n", g->gc_err.msg);
	else
		(void)stream_replyf(
			s, 200, "application/json",
			"{\"dryRun\":%s,\"stopped\":%s,\"manifests\":%llu,\"blobs\":%llu,"
			"\"filesRemoved\":%llu,\"bytesFreed\":%llu}",
			j->dry_run ? "true" : "false", j->stopped ? "true" : "false",
			(unsigned long long)j->manifests, (unsigned long long)j->blobs,
			(unsigned long long)j->store.blobs, (unsigned long long)j->store.bytes);
	stream_unref(s);
}

static void gc_done(struct work *w)
{
	struct registry *g = CONTAINER_OF(w, struct registry, gc);
	char freed[32];

	g->gc_runs = false;
	answer_gc(g);
	if (g->gc_err.code)
		log_kv(LOG_LEVEL_ERROR, "collection failed", "error", g->gc_err.msg, NULL);
	else if (g->gc_job.blobs || g->gc_job.manifests)
		log_kv(LOG_LEVEL_INFO, "collected", "freed",
		       str_human_size(freed, sizeof(freed), g->gc_job.store.bytes), NULL);
	if (g->gc_job.dry_run)
		return;
	count(g, COUNT_COLLECTED, "runs", 1);
	count(g, COUNT_COLLECTED, "manifests", (double)g->gc_job.manifests);
	count(g, COUNT_COLLECTED, "blobs", (double)g->gc_job.blobs);
	count(g, COUNT_COLLECTED, "bytes", (double)g->gc_job.store.bytes);
	cache_clear(g->cache);
	if (!g->gc_job.dry_run)
		hooks_collected(g, g->gc_job.manifests, g->gc_job.blobs, g->gc_job.store.bytes);
}

bool gc_stop(struct registry *g)
{
	atomic_store(&g->gc_stop, true);
	return g->gc_runs;
}

bool gc_in_window(int from, int to, int minute)
{
	if (from == to)
		return true;
	return from < to ? minute >= from && minute < to : minute >= from || minute < to;
}

static bool is_time(const struct registry *g)
{
	time_t now = (time_t)(clock_real() / NS_PER_SEC);
	struct tm tm;

	return !localtime_r(&now, &tm) ||
	       gc_in_window(g->conf.gc_from, g->conf.gc_to, tm.tm_hour * 60 + tm.tm_min);
}

static void begin_gc(struct registry *g, bool dry_run)
{
	struct err err = ERR_INIT;

	g->gc_job = (struct content_gc){ .grace = g->conf.gc_grace,
					 .untagged = g->conf.gc_untagged,
					 .dry_run = dry_run,
					 .stop = &g->gc_stop };
	atomic_store(&g->gc_stop, false);
	g->gc_by_clock = false;
	g->gc_err = ERR_INIT;
	g->gc_runs = true;
	if (work_submit(g->pool, &g->gc, gc_run, gc_done, &err) < 0)
		g->gc_runs = false; /* busy: at the next tick */
}

void gc_now(struct registry *g)
{
	if (!g->gc_runs)
		begin_gc(g, false);
}

void gc_ask(struct registry *g, struct stream *s, bool dry_run)
{
	if (g->gc_runs) {
		(void)stream_replyf(s, 409, "text/plain", "a collection goes on already\n");
		return;
	}
	begin_gc(g, dry_run);
	if (g->gc_runs)
		g->gc_asked = stream_ref(s);
	else
		(void)stream_replyf(s, 503, "text/plain", "too busy: try again\n");
}

static int on_tick(struct timer *t)
{
	struct registry *g = CONTAINER_OF(t, struct registry, tick);
	int64_t now = clock_mono();

	uploads_close_idle(g, now - UPLOAD_OPEN);
	upkeep_tick(g->upkeep);
	hooks_tick(g);
	if (g->conf.gc_every > 0 && now >= g->gc_next && !g->gc_runs && is_time(g)) {
		g->gc_next = now + g->conf.gc_every;
		begin_gc(g, false);
		g->gc_by_clock = true;
	} else if (g->gc_runs && g->gc_by_clock && !is_time(g)) {
		(void)gc_stop(g); /* its time is over */
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
