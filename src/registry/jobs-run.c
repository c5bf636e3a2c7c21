/* SPDX-License-Identifier: Apache-2.0 */
/* Doing the jobs of a queue. */
#include "registry/jobs-run.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LANES_AT_ONCE 256 /* looked at before other work has its turn */
#define FRESH_MAX 64

/*
 * Which lanes are looked at: those that got a job or lost one (fresh), those whose time has come
 * (the database finds them by it), and all of them, one round, at the start or when many changed.
 * So lanes that wait cost nothing, however many there are.
 */
struct runner {
	struct loop *loop;
	struct jobs *jobs;
	struct runner_conf conf;
	char queue[JOBS_NAME_MAX];
	struct list runs;
	struct deferred pump;
	struct timer timer;
	char *fresh[FRESH_MAX];
	unsigned fresh_n;
	bool scanning, again; /* a round over all lanes; another one behind it */
	char cursor[512];     /* the lane that the round saw last */
	int64_t away_until;   /* ns since 1970 */
	bool stopped;
	struct runner_stat stat;
};

static void on_pump(struct deferred *d);

static int on_timer(struct timer *t)
{
	struct runner *r = CONTAINER_OF(t, struct runner, timer);

	if (!r->stopped)
		deferred_call(&r->pump);
	return 0;
}

struct runner *runner_new(struct loop *l, struct jobs *j, const struct runner_conf *conf)
{
	struct runner *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	r->loop = l;
	r->jobs = j;
	r->conf = *conf;
	(void)str_copy(r->queue, sizeof(r->queue), conf->queue);
	r->conf.queue = r->queue;
	list_init(&r->runs);
	deferred_init(&r->pump, l, on_pump);
	timer_init(&r->timer, l, on_timer);
	return r;
}

void runner_stop(struct runner *r)
{
	if (!r)
		return;
	r->stopped = true;
	deferred_fini(&r->pump);
	timer_fini(&r->timer);
}

void runner_free(struct runner *r)
{
	if (!r)
		return;
	runner_stop(r);
	assert(list_empty(&r->runs));
	while (r->fresh_n)
		free(r->fresh[--r->fresh_n]);
	free(r);
}

static void begin_round(struct runner *r)
{
	if (r->scanning)
		r->again = true;
	else
		r->cursor[0] = '\0';
	r->scanning = true;
}

static bool is_fresh(const struct runner *r, const char *lane)
{
	for (unsigned i = 0; i < r->fresh_n; i++)
		if (strcmp(r->fresh[i], lane) == 0)
			return true;
	return false;
}

void runner_poke(struct runner *r, const char *lane)
{
	if (r->stopped)
		return;
	if (!lane || r->fresh_n == FRESH_MAX)
		begin_round(r);
	else if (!is_fresh(r, lane) && !(r->fresh[r->fresh_n++] = strdup(lane)))
		abort();
	deferred_call(&r->pump);
}

void runner_hurry(struct runner *r)
{
	r->away_until = 0;
	runner_poke(r, NULL);
}

static bool is_busy(const struct runner *r, const char *lane)
{
	struct run *run;

	LIST_FOREACH (run, &r->runs, struct run, link)
		if (strcmp(run->job.lane, lane) == 0)
			return true;
	return false;
}

static void wake_at(struct runner *r, int64_t when)
{
	int64_t left = MAX(when - clock_real(), 0);

	if (!timer_armed(&r->timer) || r->timer.due > clock_mono() + left)
		timer_set_after(&r->timer, left);
}

static void start(struct runner *r, struct arena *a_taken, const struct job *job)
{
	struct run *run = ARENA_NEW(a_taken, struct run);

	if (!run)
		abort();
	*run = (struct run){ .runner = r, .arena = a_taken, .job = *job };
	list_append(&r->runs, &run->link);
	r->stat.running++;
	r->conf.start(r->conf.ctx, run);
}

/* The nth of those whose time has come and whose lane is not busy. */
static int find_due(struct runner *r, int64_t now, struct arena *a, struct job *job,
		    struct err *err)
{
	int n = 1;

	for (unsigned i = 0; i <= r->stat.running && n > 0; i++) {
		n = jobs_due(r->jobs, r->queue, now, i, a, job, err);
		if (n > 0 && !is_busy(r, job->lane))
			return 1;
	}
	return MIN(n, 0);
}

/* 1 = *job, of a lane that is busy or not. 0 = a lane without any. */
static int find_next(struct runner *r, int64_t now, struct arena *a, struct job *job, bool *end,
		     struct err *err)
{
	int n = 0;

	*end = false;
	if (r->fresh_n) {
		CLEANUP_FREE char *lane = r->fresh[0];

		memmove(r->fresh, r->fresh + 1, --r->fresh_n * sizeof(*r->fresh));
		return jobs_lane_head(r->jobs, r->queue, lane, a, job, err);
	}
	n = find_due(r, now, a, job, err);
	if (n != 0)
		return n;
	if (r->scanning) {
		n = jobs_head(r->jobs, r->queue, r->cursor, a, job, err);
		(void)str_copy(r->cursor, sizeof(r->cursor), n > 0 ? job->lane : "");
		r->scanning = n > 0 || r->again;
		r->again = n > 0 && r->again;
		return n;
	}
	*end = true;
	return 0;
}

/* False: nothing more to look at. */
static bool look(struct runner *r, int64_t now)
{
	CLEANUP(arena_free) struct arena *a = arena_new("job", r->conf.arena_max);
	struct err err = ERR_INIT;
	struct job job;
	bool end;
	int n = find_next(r, now, a, &job, &end, &err);

	if (n < 0)
		log_kv(LOG_LEVEL_ERROR, "queue is not readable", "queue", r->queue, "error",
		       err.msg, NULL);
	r->stat.looked += !end;
	if (n > 0 && job.due <= now && !is_busy(r, job.lane))
		start(r, STEAL(a), &job);
	return n >= 0 && !end;
}

static void on_pump(struct deferred *d)
{
	struct runner *r = CONTAINER_OF(d, struct runner, pump);
	int64_t now = clock_real(), due;

	for (unsigned i = 0; i < LANES_AT_ONCE; i++) {
		if (r->stopped || r->stat.running >= r->conf.at_once)
			return; /* the end of one looks again */
		if (r->away_until > now) {
			wake_at(r, r->away_until);
			return;
		}
		if (look(r, now))
			continue;
		if (jobs_next_due(r->jobs, r->queue, now, &due, NULL) > 0)
			wake_at(r, due);
		return;
	}
	wake_at(r, now); /* many lanes: others have their turn first */
}

/* ---- the end of a job ---- */

static void forget(struct run *run)
{
	run->runner->stat.running--;
	list_del(&run->link);
	arena_free(run->arena); /* run lies in it */
}

static void settled(void *ctx, int result, const struct err *err)
{
	struct run *run = ctx;
	struct runner *r = run->runner;
	CLEANUP_FREE char *lane = strdup(run->job.lane);

	if (result < 0)
		log_kv(LOG_LEVEL_ERROR, "what became of a job is not kept: it is done again",
		       "queue", r->queue, "error", err->msg, NULL);
	forget(run);
	runner_poke(r, lane);
}

void run_end(struct run *run, enum run_result result, const char *error)
{
	struct runner *r = run->runner;
	struct jobs_failure f = { .id = run->job.id, .error = error ? error : "" };
	unsigned tries = run->job.tries + 1;

	assert(!run->ended);
	run->ended = true;
	if (result == RUN_DONE) {
		r->stat.done++;
		r->stat.last_done = clock_real();
		r->stat.error[0] = '\0';
		r->away_until = 0;
		jobs_done(r->jobs, r->queue, run->job.id, settled, run);
		return;
	}
	r->stat.failed++;
	(void)str_copy(r->stat.error, sizeof(r->stat.error), f.error);
	f.dead = result == RUN_HOPELESS || tries >= r->conf.tries_max;
	f.due = MAX(jobs_next_try(tries, r->conf.first, r->conf.max), clock_real() + run->wait);
	if (result == RUN_AWAY)
		r->away_until = f.due;
	log_kv(f.dead ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, f.dead ? "job is given up" : "job failed",
	       "queue", r->queue, "repository", run->job.lane, "error", f.error, NULL);
	jobs_failed(r->jobs, r->queue, &f, settled, run);
}

void run_drop(struct run *run)
{
	assert(!run->ended);
	run->ended = true;
	forget(run);
}

struct runner_stat runner_stat(const struct runner *r)
{
	return r->stat;
}
