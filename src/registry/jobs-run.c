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

struct runner {
	struct loop *loop;
	struct jobs *jobs;
	struct runner_conf conf;
	char queue[JOBS_NAME_MAX];
	struct list runs;
	struct deferred pump;
	struct timer timer;
	char cursor[512];   /* the lane that was looked at last */
	int64_t away_until; /* ns since 1970 */
	int64_t next_due;   /* of those that were seen in this round over the lanes */
	unsigned idle;	    /* rounds over all lanes since the last job began */
	bool stopped;
	struct runner_stat stat;
};

static void on_pump(struct deferred *d);

static int on_timer(struct timer *t)
{
	runner_poke(CONTAINER_OF(t, struct runner, timer));
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
	free(r);
}

void runner_poke(struct runner *r)
{
	if (!r->stopped)
		deferred_call(&r->pump);
}

void runner_hurry(struct runner *r)
{
	r->away_until = 0;
	runner_poke(r);
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

/* 1 = a lane was seen, 0 = there are no more behind the cursor. */
static int look(struct runner *r, int64_t now)
{
	CLEANUP(arena_free) struct arena *a = arena_new("job", r->conf.arena_max);
	struct err err = ERR_INIT;
	struct job job;
	int n = jobs_head(r->jobs, r->queue, r->cursor, a, &job, &err);

	if (n <= 0) {
		if (n < 0)
			log_kv(LOG_LEVEL_ERROR, "queue is not readable", "queue", r->queue, "error",
			       err.msg, NULL);
		return 0;
	}
	(void)str_copy(r->cursor, sizeof(r->cursor), job.lane);
	if (is_busy(r, job.lane))
		return 1;
	if (job.due > now)
		r->next_due = MIN(r->next_due, job.due);
	else
		start(r, STEAL(a), &job);
	return 1;
}

/* Round and round over the lanes, from where it was left; one round finds all that are due. */
static void on_pump(struct deferred *d)
{
	struct runner *r = CONTAINER_OF(d, struct runner, pump);
	int64_t now = clock_real();
	unsigned wrapped = r->cursor[0] ? 0 : 1;

	if (r->away_until > now) {
		wake_at(r, r->away_until);
		return;
	}
	r->next_due = INT64_MAX;
	for (unsigned i = 0; i < LANES_AT_ONCE; i++) {
		if (r->stopped || r->stat.running >= r->conf.at_once || r->away_until > now)
			return; /* its end looks again */
		if (look(r, now))
			continue;
		r->cursor[0] = '\0';
		if (wrapped++) {
			if (r->next_due != INT64_MAX)
				wake_at(r, r->next_due);
			return;
		}
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

	if (result < 0)
		log_kv(LOG_LEVEL_ERROR, "what became of a job is not kept: it is done again",
		       "queue", r->queue, "error", err->msg, NULL);
	forget(run);
	runner_poke(r);
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
