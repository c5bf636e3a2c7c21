/* SPDX-License-Identifier: Apache-2.0 */
/* The durable queue: rows, their writers, and who waits for them. */
#include "registry/jobs.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/str.h"
#include "db/db.h"
#include "io/retry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APP_ID 0x54455552 /* TEUR */
#define ERROR_MAX 500

static const char *const schema[] = {
	"CREATE TABLE jobs(id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL,"
	" lane TEXT NOT NULL, body TEXT NOT NULL, made INTEGER NOT NULL,"
	" tries INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL DEFAULT 0,"
	" dead INTEGER NOT NULL DEFAULT 0, error TEXT);"
	"CREATE INDEX jobs_lanes ON jobs(queue, dead, lane, id);"
	/* What the pull-through cache holds, and when it was last wanted: through-keep.c. */
	"CREATE TABLE kept(repo TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,"
	" used INTEGER NOT NULL, PRIMARY KEY(repo, digest)) WITHOUT ROWID;"
	"CREATE INDEX kept_used ON kept(used);",
	/* Only the oldest of a lane can have failed and wait. */
	"CREATE INDEX jobs_due ON jobs(queue, due) WHERE dead = 0 AND due > 0;",
};

struct queue {
	struct list link;
	struct jobs_stat n;
	char name[JOBS_NAME_MAX];
};

/* Who waits for all that was added before. */
struct waiter {
	struct list link;
	uint64_t seq;
	jobs_then_fn *fn;
	void *ctx;
};

struct jobs {
	struct db *db;
	struct list queues, waiters;
	jobs_added_fn *added;
	void *ctx;
	uint64_t began, ended; /* adds; they end in the order they begin */
	struct err failed;     /* of an add since the last waiter was told */
};

/* One write. Lies in its own memory, with its texts behind it. */
struct change {
	struct db_job job;
	struct jobs *j;
	struct queue *q;
	const char *lane, *body, *error;
	int64_t id, due;
	bool dead, full;
	int64_t changed; /* rows */
	jobs_then_fn *fn;
	void *ctx;
};

static struct queue *queue_of(struct jobs *j, const char *name)
{
	struct queue *q;

	LIST_FOREACH (q, &j->queues, struct queue, link)
		if (strcmp(q->name, name) == 0)
			return q;
	q = calloc(1, sizeof(*q));
	if (!q)
		abort();
	(void)str_copy(q->name, sizeof(q->name), name);
	list_append(&j->queues, &q->link);
	return q;
}

/* ---- life ---- */

static int count_rows(struct jobs *j, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	int r = db_query(db_reader(j->db), &row, err,
			 "SELECT queue, dead, count(*) FROM jobs GROUP BY queue, dead", "");

	while (r >= 0 && (r = db_row_next(row, err)) > 0) {
		const char *name;
		int64_t dead, n;
		struct queue *q;

		db_row_get(row, "tii", &name, &dead, &n);
		q = queue_of(j, name);
		*(dead ? &q->n.dead : &q->n.waiting) = n;
	}
	return r;
}

int jobs_open(const char *path, struct loop *l, jobs_added_fn *added, void *ctx, struct jobs **ret,
	      struct err *err)
{
	CLEANUP(jobs_close) struct jobs *j = calloc(1, sizeof(*j));
	const struct db_options o = { .path = path,
				      .app_id = APP_ID,
				      .schema = schema,
				      .nschema = ARRAY_LEN(schema),
				      .loop = l };
	int r;

	if (!j)
		abort();
	list_init(&j->queues);
	list_init(&j->waiters);
	j->added = added;
	j->ctx = ctx;
	r = db_open(&o, &j->db, err);
	if (r >= 0)
		r = count_rows(j, err);
	if (r < 0)
		return err_wrap(err, "the registry's queue");
	*ret = STEAL(j);
	return 0;
}

void jobs_close(struct jobs *j)
{
	struct err gone = ERR_INIT;
	struct waiter *w;
	struct queue *q;

	if (!j)
		return;
	j->added = NULL;
	db_close(j->db);
	err_set(&gone, ERR_UNAVAILABLE, "the registry ends");
	LIST_FOREACH (w, &j->waiters, struct waiter, link) {
		w->fn(w->ctx, -ERR_UNAVAILABLE, &gone);
		free(w);
	}
	LIST_FOREACH (q, &j->queues, struct queue, link)
		free(q);
	free(j);
}

struct db *jobs_db(struct jobs *j)
{
	return j->db;
}

/* ---- changes ---- */

static struct change *change_new(struct jobs *j, const char *queue, const char *lane,
				 const char *body, const char *error)
{
	const char *const texts[] = { lane, body, error };
	size_t n = sizeof(struct change), len[3] = { 0 };
	struct change *ch;
	const char **to[3];
	char *p;

	for (size_t i = 0; i < 3; i++)
		n += len[i] = texts[i] ? strlen(texts[i]) + 1 : 0;
	ch = calloc(1, n);
	if (!ch)
		abort();
	ch->j = j;
	ch->q = queue_of(j, queue);
	p = (char *)(ch + 1);
	to[0] = &ch->lane;
	to[1] = &ch->body;
	to[2] = &ch->error;
	for (size_t i = 0; i < 3; i++, p += len[i - 1])
		if (texts[i])
			*to[i] = memcpy(p, texts[i], len[i]);
	return ch;
}

static void tell(struct jobs *j)
{
	struct waiter *w;

	while ((w = LIST_FIRST(&j->waiters, struct waiter, link)) && w->seq <= j->ended) {
		struct err why = j->failed;

		list_del(&w->link);
		w->fn(w->ctx, why.code ? err_ret(&why) : 0, &why);
		free(w);
	}
	if (list_empty(&j->waiters) && j->began == j->ended)
		j->failed = (struct err)ERR_INIT;
}

static int run_add(struct db_job *job, struct db_conn *c, struct err *err)
{
	struct change *ch = CONTAINER_OF(job, struct change, job);
	int r = 0;

	ch->changed = 0;
	if (ch->full) {
		r = db_exec(c, err,
			    "DELETE FROM jobs WHERE id = (SELECT id FROM jobs WHERE queue = ?"
			    " AND dead = 1 ORDER BY id LIMIT 1)",
			    "t", ch->q->name);
		ch->changed = db_changes(c);
	}
	return r < 0 ? r
		     : db_exec(c, err,
			       "INSERT INTO jobs(queue, lane, body, made) VALUES (?, ?, ?, ?)",
			       "ttti", ch->q->name, ch->lane, ch->body, clock_real());
}

static void add_done(struct db_job *job)
{
	struct change *ch = CONTAINER_OF(job, struct change, job);
	struct jobs *j = ch->j;

	j->ended++;
	if (job->result < 0) {
		ch->q->n.waiting--;
		j->failed = job->err;
		log_kv(LOG_LEVEL_ERROR, "event is not queued", "queue", ch->q->name, "error",
		       job->err.msg, NULL);
	} else if (ch->full) {
		ch->q->n.dead -= ch->changed;
	}
	tell(j);
	if (j->added)
		j->added(j->ctx, ch->q->name, ch->lane);
	free(ch);
}

void jobs_add(struct jobs *j, const char *queue, const char *lane, const char *body)
{
	struct queue *q = queue_of(j, queue);
	bool full = q->n.waiting + q->n.dead >= JOBS_MAX;
	struct change *ch;

	if (full && q->n.dead == 0) {
		if (q->n.lost++ % 1000 == 0)
			log_kv(LOG_LEVEL_ERROR, "queue is full, events are lost", "queue", queue,
			       "repository", lane, NULL);
		return;
	}
	ch = change_new(j, queue, lane, body, NULL);
	ch->full = full;
	ch->job.run = run_add;
	ch->job.done = add_done;
	q->n.waiting++;
	j->began++;
	db_write(j->db, &ch->job);
}

void jobs_then(struct jobs *j, jobs_then_fn *fn, void *ctx)
{
	struct err none = ERR_INIT;
	struct waiter *w;

	if (j->began == j->ended) {
		fn(ctx, 0, &none);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	*w = (struct waiter){ .seq = j->began, .fn = fn, .ctx = ctx };
	list_append(&j->waiters, &w->link);
}

/* ---- what becomes of a job ---- */

static int run_end(struct db_job *job, struct db_conn *c, struct err *err)
{
	struct change *ch = CONTAINER_OF(job, struct change, job);
	int r = ch->lane ? db_exec(c, err,
				   "DELETE FROM jobs WHERE queue = ? AND dead = 0 AND lane = ?",
				   "tt", ch->q->name, ch->lane)
			 : db_exec(c, err, "DELETE FROM jobs WHERE id = ?", "i", ch->id);

	ch->changed = db_changes(c);
	return r;
}

static int run_fail(struct db_job *job, struct db_conn *c, struct err *err)
{
	struct change *ch = CONTAINER_OF(job, struct change, job);
	int r = db_exec(c, err,
			"UPDATE jobs SET tries = tries + 1, due = ?, dead = ?, error = ?"
			" WHERE id = ? AND dead = 0",
			"iiti", ch->due, (int64_t)ch->dead, ch->error, ch->id);

	ch->changed = db_changes(c);
	return r;
}

static void end_done(struct db_job *job)
{
	struct change *ch = CONTAINER_OF(job, struct change, job);

	if (job->result >= 0 && (ch->dead || job->run == run_end)) {
		ch->q->n.waiting -= ch->changed;
		ch->q->n.dead += ch->dead ? ch->changed : 0;
	}
	if (ch->fn)
		ch->fn(ch->ctx, job->result, &job->err);
	free(ch);
}

void jobs_done(struct jobs *j, const char *queue, int64_t id, jobs_then_fn *fn, void *ctx)
{
	struct change *ch = change_new(j, queue, NULL, NULL, NULL);

	ch->id = id;
	ch->fn = fn;
	ch->ctx = ctx;
	ch->job.run = run_end;
	ch->job.done = end_done;
	db_write(j->db, &ch->job);
}

void jobs_forget(struct jobs *j, const char *queue, const char *lane)
{
	struct change *ch = change_new(j, queue, lane, NULL, NULL);

	ch->job.run = run_end;
	ch->job.done = end_done;
	db_write(j->db, &ch->job);
}

void jobs_failed(struct jobs *j, const char *queue, const struct jobs_failure *f, jobs_then_fn *fn,
		 void *ctx)
{
	char error[ERROR_MAX];
	struct change *ch;

	(void)str_copy(error, sizeof(error), f->error);
	ch = change_new(j, queue, NULL, NULL, error);
	ch->id = f->id;
	ch->due = f->due;
	ch->dead = f->dead;
	ch->fn = fn;
	ch->ctx = ctx;
	ch->job.run = run_fail;
	ch->job.done = end_done;
	db_write(j->db, &ch->job);
}

int64_t jobs_next_try(unsigned tries, int64_t first, int64_t max)
{
	const struct retry_policy p = { .attempts_max = 2, .first = first, .max = max };
	struct backoff b;

	backoff_init(&b, &p, 0);
	b.policy.first = MIN(first << MIN(tries ? tries - 1 : 0, 20u), max);
	return clock_real() + backoff_next(&b);
}

/* ---- reads ---- */

#define HEAD "SELECT id, lane, body, tries, made, due FROM jobs WHERE queue = ? AND dead = 0 "

static int read_job(struct db_row *row, struct arena *a, struct job *ret, struct err *err)
{
	const char *lane, *body;
	int64_t tries;
	int r = db_row_next(row, err);

	if (r <= 0)
		return r;
	db_row_get(row, "ittiii", &ret->id, &lane, &body, &tries, &ret->made, &ret->due);
	ret->lane = arena_strdup(a, lane);
	ret->body = arena_strdup(a, body);
	ret->tries = (unsigned)tries;
	return ret->lane && ret->body ? 1 : arena_quota(a, err);
}

int jobs_head(struct jobs *j, const char *queue, const char *after, struct arena *a,
	      struct job *ret, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	int r = db_query(db_reader(j->db), &row, err, HEAD "AND lane > ? ORDER BY lane, id LIMIT 1",
			 "tt", queue, after);

	return r < 0 ? r : read_job(row, a, ret, err);
}

int jobs_lane_head(struct jobs *j, const char *queue, const char *lane, struct arena *a,
		   struct job *ret, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	int r = db_query(db_reader(j->db), &row, err, HEAD "AND lane = ? ORDER BY id LIMIT 1", "tt",
			 queue, lane);

	return r < 0 ? r : read_job(row, a, ret, err);
}

int jobs_due(struct jobs *j, const char *queue, int64_t now, unsigned nth, struct arena *a,
	     struct job *ret, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	int r = db_query(db_reader(j->db), &row, err,
			 HEAD "AND due > 0 AND due <= ? ORDER BY due LIMIT 1 OFFSET ?", "tii",
			 queue, now, (int64_t)nth);

	return r < 0 ? r : read_job(row, a, ret, err);
}

int jobs_next_due(struct jobs *j, const char *queue, int64_t now, int64_t *ret, struct err *err)
{
	return db_query_int(
		db_reader(j->db), ret, err,
		"SELECT due FROM jobs WHERE queue = ? AND dead = 0 AND due > 0 AND due > ?"
		" ORDER BY due LIMIT 1",
		"ti", queue, now);
}

struct jobs_stat jobs_stat(struct jobs *j, const char *queue)
{
	return queue_of(j, queue)->n;
}

int jobs_dead(struct jobs *j, const char *queue, struct arena *a, struct dead_job *v, size_t max,
	      size_t *ret_n, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	int r = db_query(db_reader(j->db), &row, err,
			 "SELECT id, lane, error, body, tries, made FROM jobs WHERE queue = ?"
			 " AND dead = 1 ORDER BY id DESC LIMIT ?",
			 "ti", queue, (int64_t)max);

	*ret_n = 0;
	while (r >= 0 && (r = db_row_next(row, err)) > 0) {
		struct dead_job *d = &v[(*ret_n)++];
		const char *lane, *error, *body;
		int64_t tries;

		db_row_get(row, "itttii", &d->id, &lane, &error, &body, &tries, &d->made);
		d->tries = (unsigned)tries;
		d->lane = arena_strdup(a, lane);
		d->error = arena_strdup(a, error ? error : "");
		d->body = arena_strdup(a, body);
		if (arena_exceeded(a))
			return arena_quota(a, err);
	}
	return r;
}

/* ---- the dead ---- */

static int run_hurry(struct db_job *job, struct db_conn *c, struct err *err)
{
	struct change *ch = CONTAINER_OF(job, struct change, job);

	return db_exec(c, err, "UPDATE jobs SET due = 0 WHERE queue = ? AND dead = 0", "t",
		       ch->q->name);
}

static int run_revive(struct db_job *job, struct db_conn *c, struct err *err)
{
	struct change *ch = CONTAINER_OF(job, struct change, job);
	int r = db_exec(c, err,
			"UPDATE jobs SET dead = 0, tries = 0, due = 0 WHERE queue = ? AND dead = 1",
			"t", ch->q->name);

	ch->changed = db_changes(c);
	return r;
}

static int run_drop(struct db_job *job, struct db_conn *c, struct err *err)
{
	struct change *ch = CONTAINER_OF(job, struct change, job);
	int r = db_exec(c, err, "DELETE FROM jobs WHERE queue = ? AND dead = 1", "t", ch->q->name);

	ch->changed = db_changes(c);
	return r;
}

static void revive_done(struct db_job *job)
{
	struct change *ch = CONTAINER_OF(job, struct change, job);
	struct jobs *j = ch->j;

	if (job->result >= 0 && job->run != run_hurry) {
		ch->q->n.dead -= ch->changed;
		ch->q->n.waiting += job->run == run_revive ? ch->changed : 0;
	}
	if (j->added)
		j->added(j->ctx, ch->q->name, NULL);
	free(ch);
}

static void write_all(struct jobs *j, const char *queue,
		      int (*run)(struct db_job *job, struct db_conn *c, struct err *err))
{
	struct change *ch = change_new(j, queue, NULL, NULL, NULL);

	ch->job.run = run;
	ch->job.done = revive_done;
	db_write(j->db, &ch->job);
}

void jobs_hurry(struct jobs *j, const char *queue)
{
	write_all(j, queue, run_hurry);
}

void jobs_revive(struct jobs *j, const char *queue)
{
	write_all(j, queue, run_hurry);
	write_all(j, queue, run_revive);
}

void jobs_drop_dead(struct jobs *j, const char *queue)
{
	write_all(j, queue, run_drop);
}
