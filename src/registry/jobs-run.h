/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who does the jobs of one queue (registry/jobs.h): a few at once, each of another lane, the oldest
 * of a lane first. What fails is tried again with back-off and jitter, and is dead after so many
 * tries. Private to src/registry; on the loop's thread.
 */
#pragma once

#include "base/list.h"
#include "base/loop.h"
#include "registry/jobs.h"

struct runner;

/* One job under way. */
struct run {
	struct list link; /* private */
	struct runner *runner;
	struct arena *arena; /* the job's, and whatever its doer needs; freed at the end */
	struct job job;
	int64_t wait; /* of its doer, before run_end: not tried again for so long at least, ns */
	bool ended;   /* private */
};

struct runner_conf {
	const char *queue; /* copied */
	unsigned at_once;
	unsigned tries_max; /* then it is dead */
	int64_t first, max; /* back-off, ns */
	size_t arena_max;   /* bytes of a run's arena */
	/* Begins a job; its doer calls run_end, now or later, once. */
	void (*start)(void *ctx, struct run *run);
	void *ctx;
};

struct runner *runner_new(struct loop *l, struct jobs *j, const struct runner_conf *conf);
/* No new job begins. Those under way end by run_end or run_drop, before their jobs_close. */
void runner_stop(struct runner *r);
/* After jobs_close. NULL is fine. */
void runner_free(struct runner *r);
/* Looks for jobs of this lane at the end of this round of the loop; NULL = of every lane. */
void runner_poke(struct runner *r, const char *lane);
/* Lets back-off be: the next try is now. */
void runner_hurry(struct runner *r);

enum run_result {
	RUN_DONE,
	RUN_FAILED, /* of this job alone */
	RUN_AWAY,   /* the other side is not there: no other job is tried before this one's time */
	RUN_HOPELESS, /* never again: dead at once */
};
void run_end(struct run *run, enum run_result result, const char *error);
/* Given up since the process ends: it is done again by the next one. */
void run_drop(struct run *run);

struct runner_stat {
	unsigned running;
	uint64_t done, failed; /* since the start */
	int64_t last_done;     /* ns since 1970; 0 = none yet */
	uint64_t looked;       /* lanes that were looked at */
	char error[256];       /* of the last failure; "" = none, or it went well since */
};
struct runner_stat runner_stat(const struct runner *r);
