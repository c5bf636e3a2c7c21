/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that must be done some day although we may die first: a durable queue for webhooks and
 * replication, in a database of the registry's own (<root>/registry.db). Private to src/registry.
 *
 * A job belongs to a queue ("hook/NAME", "copy/NAME") and to a lane of it, the repository. Its
 * runner does the oldest job of a lane before the next one of that lane: order is kept by
 * repository, and a repository that waits holds up no other. A job is done at least once: it leaves
 * the database after it was done, so one that was under way when we died is done again. What fails
 * too often becomes a dead letter: kept and shown until it is retried or dropped.
 *
 * A queue holds at most JOBS_MAX jobs. In a full one a new job takes the place of the oldest dead
 * letter; without any it is lost, counted and logged: a receiver that has been away for so long
 * does not stop pushes.
 *
 * Reads and calls are for the loop's thread; changes are durable when their call back runs.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct db;
struct err;
struct jobs;
struct loop;

#define JOBS_MAX 100000
#define JOBS_NAME_MAX 128

struct job {
	int64_t id;
	const char *lane, *body; /* arena */
	unsigned tries;		 /* that have failed */
	int64_t made, due;	 /* ns since 1970 */
};

typedef void jobs_then_fn(void *ctx, int result, const struct err *err);

/* Runs on the loop whenever a job is durable (of this lane), or many may have become due: lane
 * NULL. */
typedef void jobs_added_fn(void *ctx, const char *queue, const char *lane);
int jobs_open(const char *path, struct loop *l, jobs_added_fn *added, void *ctx, struct jobs **ret,
	      struct err *err);
void jobs_close(struct jobs *j); /* NULL is fine; call backs that wait run with UNAVAILABLE */
DEFINE_CLEANUP(struct jobs *, jobs_close)
/* The database, for tables of other files of this folder (jobs.c has the schema). */
struct db *jobs_db(struct jobs *j);

/* Adds one; copied. */
void jobs_add(struct jobs *j, const char *queue, const char *lane, const char *body);
/* Runs fn when all that was added so far is durable (0), or could not be kept (negative). At once
 * when nothing is under way. */
void jobs_then(struct jobs *j, jobs_then_fn *fn, void *ctx);

/* The oldest living job of the first lane behind `after` ("" = the first): 1, or 0 = there is none.
 */
int jobs_head(struct jobs *j, const char *queue, const char *after, struct arena *a,
	      struct job *ret, struct err *err);
/* The oldest living job of one lane. */
int jobs_lane_head(struct jobs *j, const char *queue, const char *lane, struct arena *a,
		   struct job *ret, struct err *err);
/* Of the jobs that failed and are due at `now`, the nth by its time: 1, or 0 = there is none. */
int jobs_due(struct jobs *j, const char *queue, int64_t now, unsigned nth, struct arena *a,
	     struct job *ret, struct err *err);
/* When the next one behind `now` is due: 1, or 0 = there is none. */
int jobs_next_due(struct jobs *j, const char *queue, int64_t now, int64_t *ret, struct err *err);
/* All of a lane are gone when what is added later is durable; nobody runs them. */
void jobs_forget(struct jobs *j, const char *queue, const char *lane);
/* It is done: gone for good when fn runs. */
void jobs_done(struct jobs *j, const char *queue, int64_t id, jobs_then_fn *fn, void *ctx);
/* It failed: to be tried again at `due` (ns since 1970), or never (dead). */
struct jobs_failure {
	int64_t id, due;
	bool dead;
	const char *error;
};
void jobs_failed(struct jobs *j, const char *queue, const struct jobs_failure *f, jobs_then_fn *fn,
		 void *ctx);
/* When the next try of job with so many failed ones is, ns since 1970: doubling from `first` up to
 * `max`, with jitter. */
int64_t jobs_next_try(unsigned tries, int64_t first, int64_t max);

struct jobs_stat {
	int64_t waiting, dead, lost;
};
struct jobs_stat jobs_stat(struct jobs *j, const char *queue);
/* Dead letters, newest first, at most max. */
struct dead_job {
	int64_t id, made;
	const char *lane, *error, *body;
	unsigned tries;
};
int jobs_dead(struct jobs *j, const char *queue, struct arena *a, struct dead_job *v, size_t max,
	      size_t *ret_n, struct err *err);
/* All that wait for their time are due now. */
void jobs_hurry(struct jobs *j, const char *queue);
/* And all dead letters live again. */
void jobs_revive(struct jobs *j, const char *queue);
/* All dead letters go. */
void jobs_drop_dead(struct jobs *j, const char *queue);
