/* SPDX-License-Identifier: Apache-2.0 */
/*
 * History goes: up to a revision that was asked for, or by age and number.
 *
 * One job at a time on the writer, each of a bounded number of rows, so that commits go in between:
 * the first raises meta.compacted, the others walk the log from meta.cleaned on; a row found there
 * makes the row before it of the same key superfluous. Ages are known from marks: the newest
 * revision and the time, noted now and then.
 */
#include "base/clock.h"
#include "base/log.h"
#include "store/sqlite.h"

#define STEP_ROWS 512
#define AGE_PARTS 10 /* history may be older than asked by so much of it */
#define MARK_MIN (10 * NS_PER_MS)
#define MARK_MAX (30 * NS_PER_SEC)
#define RETRY NS_PER_SEC

struct sq_task {
	struct list link;
	struct store_later later;
};
_Static_assert(sizeof(struct sq_task) <= sizeof(((struct store_task *)0)->private_), "sq_task");

static struct store_task *task_of(struct sq_task *p)
{
	return (struct store_task *)(void *)((char *)p - offsetof(struct store_task, private_));
}

/* ---- on the writer ---- */

struct doomed {
	int64_t id, prev;
	bool removed;
};

/* Notes the time of the newest revision; tells up to where history is old enough to go. */
static int mark(struct sq *s, struct db_conn *c, int64_t revision, struct err *err)
{
	const int64_t now = clock_real();
	int r;

	/* After the clock was set back, marks of the future would never age. */
	r = db_exec(c, err, "DELETE FROM marks WHERE time>?", "i", now);
	if (r >= 0)
		r = db_exec(c, err, "INSERT OR IGNORE INTO marks VALUES(?,?)", "ii", revision, now);
	if (r >= 0)
		r = db_query_int(c, &s->job_aged, err,
				 "SELECT max(revision) FROM marks WHERE time<=?", "i",
				 now - s->o.keep_age);
	if (r >= 0)
		r = db_exec(c, err, "DELETE FROM marks WHERE revision<?", "i", s->job_aged);
	s->job_marked = revision;
	return r < 0 ? r : 0;
}

static int collect(struct db_conn *c, int64_t after, int64_t limit, struct doomed *ret,
		   struct err *err)
{
	CLEANUP(db_row_done) struct db_row *q = NULL;
	int64_t removed;
	int n = 0, r;

	r = db_query(c, &q, err, "SELECT id,prev,removed FROM log WHERE id>? AND id<? ORDER BY id",
		     "ii", after, SQ_FIRST_ID(limit + 1));
	while (r >= 0 && n < STEP_ROWS) {
		r = db_row_next(q, err);
		if (r <= 0)
			return r < 0 ? r : n;
		db_row_get(q, "iii", &ret[n].id, &ret[n].prev, &removed);
		ret[n++].removed = removed;
	}
	return r < 0 ? r : n;
}

static int drop(struct db_conn *c, const struct doomed *d, struct err *err)
{
	int r = 0;

	if (d->prev)
		r = db_exec(c, err, "DELETE FROM log WHERE id=?", "i", d->prev);
	if (r < 0 || !d->removed)
		return r;
	r = db_exec(c, err, "DELETE FROM cur WHERE key=(SELECT key FROM log WHERE id=?1) AND id=?1",
		    "i", d->id);
	return r < 0 ? r : db_exec(c, err, "DELETE FROM log WHERE id=?", "i", d->id);
}

/* One step of cleaning, up to job_limit. */
static int clean_step(struct sq *s, struct db_conn *c, struct err *err)
{
	struct doomed d[STEP_ROWS] __attribute__((uninitialized));
	int64_t at = 0;
	int n, r = 0;

	r = db_query_int(c, &at, err, "SELECT cleaned FROM meta", "");
	if (r < 0)
		return r;
	n = collect(c, at, s->job_limit, d, err);
	for (int i = 0; i < n && r >= 0; i++)
		r = drop(c, &d[i], err);
	if (n < 0 || r < 0)
		return n < 0 ? n : r;
	at = n == STEP_ROWS ? d[n - 1].id : MAX(at, SQ_FIRST_ID(s->job_limit + 1) - 1);
	s->job_cleaned = SQ_REVISION_OF(at + 1) - 1;
	return db_exec(c, err, "UPDATE meta SET cleaned=?", "i", at);
}

static int clean_run(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct sq *s = CONTAINER_OF(j, struct sq, clean);
	int64_t revision;
	int r = sq_meta(c, &revision, &s->job_compacted, err);

	s->job_aged = 0;
	s->job_cleaned = s->cleaned;
	if (r >= 0 && s->mark_due)
		r = mark(s, c, revision, err);
	if (r < 0)
		return r;
	/* Invariant (2): durable first, rows go from the next step on. */
	if (s->job_target > s->job_compacted) {
		s->job_compacted = s->job_target;
		return db_exec(c, err, "UPDATE meta SET compacted=?", "i", s->job_target);
	}
	return s->job_limit > s->cleaned ? clean_step(s, c, err) : 0;
}

/* ---- on the loop ---- */

static int64_t mark_every(const struct sq *s)
{
	return MAX(MIN(s->o.keep_age / AGE_PARTS, MARK_MAX), MARK_MIN);
}

static int64_t clean_limit(const struct sq *s)
{
	int64_t limit = s->compacted;
	struct sq_pin *p;

	LIST_FOREACH (p, &s->pins, struct sq_pin, link)
		limit = MIN(limit, p->revision);
	return limit;
}

static void tasks_finish(struct sq *s)
{
	struct list now;
	struct sq_task *p;

	list_init(&now);
	LIST_FOREACH (p, &s->compacting, struct sq_task, link) {
		if (task_of(p)->revision > s->cleaned)
			continue;
		list_del(&p->link);
		list_append(&now, &p->link);
	}
	while ((p = LIST_FIRST(&now, struct sq_task, link))) {
		list_del(&p->link);
		task_of(p)->done(task_of(p));
	}
}

static void tasks_fail(struct sq *s, const struct err *err)
{
	struct sq_task *p;
	struct list now;

	/* What a done() asks for is tried anew. */
	list_init(&now);
	while ((p = LIST_FIRST(&s->compacting, struct sq_task, link))) {
		list_del(&p->link);
		list_append(&now, &p->link);
	}
	while ((p = LIST_FIRST(&now, struct sq_task, link))) {
		list_del(&p->link);
		task_of(p)->err = *err;
		task_of(p)->result = err_ret(err);
		task_of(p)->done(task_of(p));
	}
}

static void set_target(struct sq *s, int64_t target)
{
	s->target = MAX(s->target, target);
}

static void clean_done(struct db_job *j)
{
	struct sq *s = CONTAINER_OF(j, struct sq, clean);

	s->cleaning = false;
	if (j->result < 0) {
		if (list_empty(&s->compacting))
			log_warn("store '%s': history stays: %s", s->path, j->err.msg);
		s->target = s->compacted;
		tasks_fail(s, &j->err);
		if (!atomic_load(&s->closing))
			timer_set_after(&s->care, RETRY);
		return;
	}
	if (s->mark_due)
		s->marked = s->job_marked;
	s->mark_due = false;
	s->compacted = MAX(s->compacted, s->job_compacted);
	s->cleaned = MAX(s->cleaned, s->job_cleaned);
	set_target(s, s->job_aged);
	if (atomic_load(&s->closing))
		return;
	tasks_finish(s);
	sq_care_kick(s);
}

static void clean_start(struct sq *s)
{
	s->cleaning = true;
	s->job_target = s->target;
	s->job_limit = clean_limit(s);
	s->clean.run = clean_run;
	s->clean.done = clean_done;
	db_write(s->db, &s->clean);
}

static int on_care(struct timer *t)
{
	struct sq *s = CONTAINER_OF(t, struct sq, care);

	s->mark_due = true;
	if (!s->cleaning)
		clean_start(s);
	return 0;
}

void sq_care_kick(struct sq *s)
{
	const int64_t slack = (int64_t)(s->o.keep_revisions / 8);
	const int64_t least = s->revision - (int64_t)s->o.keep_revisions;

	if (atomic_load(&s->closing))
		return;
	if (least - slack > s->compacted)
		set_target(s, least);
	if (!timer_armed(&s->care) && (s->revision > s->marked || s->compacted < s->marked))
		timer_set_after(&s->care, mark_every(s));
	if (!s->cleaning && (s->target > s->compacted || clean_limit(s) > s->cleaned))
		clean_start(s);
}

static void end_task(struct store_later *l)
{
	struct store_task *t = task_of(CONTAINER_OF(l, struct sq_task, later));

	t->done(t);
}

void sq_compact(struct store *st, struct store_task *t)
{
	struct sq *s = sq_of(st);
	struct sq_task *p = (struct sq_task *)(void *)t->private_;

	if (t->revision <= s->revision && t->revision > s->cleaned) {
		list_append(&s->compacting, &p->link);
		set_target(s, t->revision);
		sq_care_kick(s);
		return;
	}
	if (t->revision > s->revision)
		t->result = err_set(&t->err, ERR_BAD_REQUEST,
				    "compact up to revision %lld: it is %lld now",
				    (long long)t->revision, (long long)s->revision);
	store_later(st, &p->later, end_task);
}

void sq_care_init(struct sq *s)
{
	list_init(&s->pins);
	list_init(&s->compacting);
	timer_init(&s->care, s->base.loop, on_care);
}

void sq_care_fini(struct sq *s)
{
	struct err err = ERR_INIT;

	(void)err_set(&err, ERR_UNAVAILABLE, "the store is being closed");
	tasks_fail(s, &err);
	timer_fini(&s->care);
}
