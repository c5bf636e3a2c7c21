/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits: all that wait become one transaction of the writer thread.
 *
 * A batch takes what is queued when its turn on the writer comes, so it grows while the one before
 * it is synced. A batch that fails (disk full) is tried again request by request, so that no
 * request fails for another.
 *
 * A commit costs as much as many rows, so small ones do not follow each other at once: until
 * SQ_PACE_NS after the one before began, a batch waits for half as many requests as were lately
 * under way together. More than those rarely come: who writes again when it is answered is found by
 * that number (one alone never waits, many are in two halves, one asked for while the other is
 * written), and a stream from outside goes at the pace.
 */
#include "store/sqlite.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>

struct sq_txn {
	struct sq_write w;
};
_Static_assert(sizeof(struct sq_txn) <= sizeof(((struct store_txn *)0)->private_), "sq_txn");

static struct store_txn *txn_of(struct sq_write *w)
{
	return (struct store_txn *)(void *)((char *)w - offsetof(struct store_txn, private_));
}

/* ---- batches ---- */

struct slice sq_batch_copy(struct sq_batch *b, struct slice v)
{
	struct sq_copy *c = malloc(sizeof(*c) + v.n + 1);

	if (!c)
		abort();
	if (v.n)
		memcpy(c->p, v.p, v.n);
	c->next = b->copies;
	b->copies = c;
	return slice_of(c->p, v.n);
}

static void batch_reset(struct sq_batch *b)
{
	for (struct sq_copy *c = b->copies, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	b->copies = NULL;
	b->nev = 0;
	b->keys = 0;
	b->commits = b->leases_made = b->leases_gone = 0;
}

static void batch_free(struct sq_batch *b)
{
	batch_reset(b);
	free(b->ev);
	free(b);
}

static struct sq_event *batch_event(struct sq_batch *b)
{
	if (b->nev == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 32;
		b->ev = reallocarray(b->ev, b->cap, sizeof(*b->ev));
		if (!b->ev)
			abort();
	}
	return &b->ev[b->nev++];
}

static void batch_take(struct sq_batch *b)
{
	struct sq *s = b->s;
	struct sq_write *last;

	if (b->taken)
		return;
	b->taken = true;
	pthread_mutex_lock(&s->lock);
	b->list = last = s->head;
	b->nlist = last ? 1 : 0;
	while (last && last->next && b->nlist < SQ_BATCH_MAX) {
		last = last->next;
		b->nlist++;
	}
	if (last) {
		s->head = last->next;
		last->next = NULL;
		if (!s->head)
			s->tail = &s->head;
	}
	s->queued -= (unsigned)b->nlist;
	s->pump_queued = false;
	pthread_mutex_unlock(&s->lock);
}

static int batch_run(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct sq_batch *b = CONTAINER_OF(j, struct sq_batch, job);
	int64_t compacted;
	int r;

	batch_take(b);
	batch_reset(b);
	b->with_prev = atomic_load(&b->s->want_prev) > 0;
	r = sq_meta(c, &b->revision, &compacted, err);
	for (struct sq_write *w = b->list; w && r >= 0; w = w->next)
		r = w->run(w, b, c, err);
	return r < 0 ? r : 0;
}

static void batch_done(struct db_job *j);

static struct sq_batch *batch_start(struct sq *s, struct sq_write *alone)
{
	struct sq_batch *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	b->s = s;
	b->job.run = batch_run;
	b->job.done = batch_done;
	if (alone) {
		b->list = alone;
		b->nlist = 1;
		b->taken = true;
		alone->next = NULL;
	}
	db_write(s->db, &b->job);
	return b;
}

/* Puts the requests of a failed batch back, each to be run alone. */
static void batch_split(struct sq_batch *b)
{
	for (struct sq_write *w = b->list, *next; w; w = next) {
		next = w->next;
		batch_start(b->s, w);
	}
}

static bool is_of_disk(int sys)
{
	return sys == ENOSPC || sys == EDQUOT || sys == EROFS || sys == EIO;
}

/* Said once at each turn: every commit of a full disk fails. */
static void tell_disk(struct sq *s, const struct err *err)
{
	bool trouble = err && is_of_disk(err->sys);

	if (trouble && !s->disk_trouble)
		log_error("store '%s': nothing can be written, reads go on: %s", s->path, err->msg);
	else if (!err && s->disk_trouble)
		log_info("store '%s': its disk takes writes again", s->path);
	if (trouble || !err)
		s->disk_trouble = trouble;
}

static void batch_finish(struct sq_batch *b)
{
	struct sq *s = b->s;

	if (b->job.result >= 0) {
		s->stats.keys += (uint64_t)b->keys;
		s->stats.commits += b->commits;
		s->stats.leases += b->leases_made - b->leases_gone;
		s->stats.events += b->nev;
		s->revision = MAX(s->revision, b->revision);
		if (b->nev && !atomic_load(&s->closing))
			sq_dispatch(s, b);
	}
	tell_disk(s, b->job.result < 0 ? &b->job.err : NULL);
	for (struct sq_write *w = b->list, *next; w; w = next) {
		next = w->next; /* the request may be gone once finished */
		s->pace.unanswered--;
		w->finish(w, b->job.result < 0 ? &b->job.err : NULL);
	}
	if (b->nev)
		sq_care_kick(s);
}

static void batch_done(struct db_job *j)
{
	struct sq_batch *b = CONTAINER_OF(j, struct sq_batch, job);
	struct sq *s = b->s;

	if (b->job.result < 0 && b->nlist > 1 && !atomic_load(&s->closing))
		batch_split(b);
	else
		batch_finish(b);
	batch_free(b);
	if (!atomic_load(&s->closing))
		deferred_call(&s->pump);
}

/* ---- when a batch begins ---- */

static void pace_note(struct sq_pace *p)
{
	const int64_t now = clock_mono();

	if (now - p->window > SQ_PEAK_NS) {
		p->peak_before = now - p->window > 2 * SQ_PEAK_NS ? 0 : p->peak;
		p->peak = 0;
		p->window = now;
	}
	p->unanswered++;
	p->peak = MAX(p->peak, p->unanswered);
}

/* Whether so many are a batch now. */
static bool pace_due(const struct sq_pace *p, unsigned queued, int64_t now)
{
	const unsigned many = MIN((MAX(p->peak, p->peak_before) + 1) / 2, SQ_BATCH_SOON);

	return queued >= many || now - p->begun >= SQ_PACE_NS;
}

void sq_pump(struct deferred *d)
{
	struct sq *s = CONTAINER_OF(d, struct sq, pump);
	const int64_t now = clock_mono();
	bool wanted, due;

	s->unpumped = 0;
	pthread_mutex_lock(&s->lock);
	wanted = s->head && !s->pump_queued;
	due = pace_due(&s->pace, s->queued, now) || atomic_load(&s->closing);
	s->pump_queued |= wanted && due;
	pthread_mutex_unlock(&s->lock);
	if (!wanted)
		return;
	if (!due) {
		timer_set(&s->pace.timer, s->pace.begun + SQ_PACE_NS);
		return;
	}
	timer_clear(&s->pace.timer);
	s->pace.begun = now;
	batch_start(s, NULL);
}

static int on_pace(struct timer *t)
{
	sq_pump(&CONTAINER_OF(t, struct sq, pace.timer)->pump);
	return 0;
}

void sq_write_init(struct sq *s)
{
	s->tail = &s->head;
	pthread_mutex_init(&s->lock, NULL);
	deferred_init(&s->pump, s->base.loop, sq_pump);
	timer_init(&s->pace.timer, s->base.loop, on_pace);
}

void sq_write_fini(struct sq *s)
{
	timer_fini(&s->pace.timer);
	deferred_fini(&s->pump);
	pthread_mutex_destroy(&s->lock);
}

/* The end of the round starts the batch: the requests of one round share it. */
void sq_write_queue(struct sq *s, struct sq_write *w)
{
	w->s = s;
	w->next = NULL;
	pthread_mutex_lock(&s->lock);
	*s->tail = w;
	s->tail = &w->next;
	s->queued++;
	pthread_mutex_unlock(&s->lock);
	pace_note(&s->pace);
	/* Many: the writer begins while the round brings more. */
	if (++s->unpumped == SQ_BATCH_SOON)
		sq_pump(&s->pump);
	else
		deferred_call(&s->pump);
}

void sq_write_reject(struct sq *s)
{
	struct err err = ERR_INIT;
	struct sq_write *w;

	(void)err_set(&err, ERR_UNAVAILABLE, "the store is being closed");
	while ((w = s->head)) {
		s->head = w->next;
		s->pace.unanswered--;
		w->finish(w, &err);
	}
}

/* ---- a commit ---- */

/* The newest version of a key. 0: never seen, or compacted away. */
static int cur_get(struct db_conn *c, struct slice key, struct sq_row *ret, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *q = NULL;
	int64_t removed;
	int r;

	*ret = (struct sq_row){ .key = key };
	r = db_query(c, &q, err, "SELECT id,created,lease,removed FROM cur WHERE key=?", "b", key);
	if (r >= 0)
		r = db_row_next(q, err);
	if (r <= 0)
		return r;
	db_row_get(q, "iiii", &ret->id, &ret->created, &ret->lease, &removed);
	ret->removed = removed;
	return 1;
}

static int guard_failed(struct sq_batch *b, struct db_conn *c, struct store_txn *t, size_t i,
			const struct sq_row *cur, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *hold = NULL;
	struct sq_row row;
	int r;

	t->result = 1;
	t->failed = i;
	t->revision = b->revision;
	t->exists = cur->id && !cur->removed;
	if (!t->exists)
		return 0;
	r = sq_log_get(c, cur->id, &row, &hold, err);
	if (r <= 0)
		return r < 0 ? r : sq_damaged(err, "a key's newest row is gone");
	t->current = (struct store_kv){
		.key = t->guards[i].key,
		.value = sq_batch_copy(b, row.value),
		.create_revision = row.created,
		.mod_revision = SQ_REVISION_OF(row.id),
		.lease = row.lease,
	};
	return 0;
}

/* Guards' keys are mostly the operations' too: looked up once. */
struct found {
	struct sq_row rows[STORE_GUARDS_MAX];
};

/* 1: they hold. */
static int check_guards(struct sq_batch *b, struct db_conn *c, struct store_txn *t, struct found *f,
			struct err *err)
{
	for (size_t i = 0; i < t->nguards; i++) {
		const struct store_guard *g = &t->guards[i];
		struct sq_row *cur = &f->rows[i];
		int r = cur_get(c, g->key, cur, err);

		if (r < 0)
			return r;
		if ((cur->removed ? 0 : SQ_REVISION_OF(cur->id)) != g->mod_revision)
			return guard_failed(b, c, t, i, cur, err);
	}
	return 1;
}

/* 1: all leases are alive. */
static int check_leases(struct db_conn *c, struct store_txn *t, struct err *err)
{
	int r = 1;

	for (size_t i = 0; i < t->nops && r > 0; i++) {
		if (!t->ops[i].lease || t->ops[i].remove)
			continue;
		r = sq_lease_alive(c, t->ops[i].lease, err);
		if (r == 0)
			t->result = err_set(&t->err, ERR_NOT_FOUND, "lease %lld is over",
					    (long long)t->ops[i].lease);
	}
	return r;
}

static int put_rows(struct db_conn *c, const struct sq_row *row, bool known, struct err *err)
{
	int64_t removed = row->removed;
	int r;

	r = db_exec(c, err,
		    "INSERT INTO log(id,prev,created,lease,removed,sum,key,value)"
		    " VALUES(?,?,?,?,?,?,?,?)",
		    "iiiiiibb", row->id, row->prev, row->created, row->lease, removed,
		    sq_row_sum(row), row->key, row->value);
	if (r < 0)
		return r;
	if (known)
		return db_exec(c, err,
			       "UPDATE cur SET id=?,created=?,lease=?,removed=? WHERE key=?",
			       "iiiib", row->id, row->created, row->lease, removed, row->key);
	return db_exec(c, err, "INSERT INTO cur(id,created,lease,removed,key) VALUES(?,?,?,?,?)",
		       "iiiib", row->id, row->created, row->lease, removed, row->key);
}

/* The event of a row that was written over `old`. */
static int note_event(struct sq_batch *b, struct db_conn *c, const struct sq_row *row,
		      const struct sq_row *old, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *hold = NULL;
	struct sq_event *ev = batch_event(b);
	struct sq_row prev;
	int r;

	*ev = (struct sq_event){
		.e = {
			.removed = row->removed,
			.kv = { .key = row->key,
				.value = row->value,
				.create_revision = row->created,
				.mod_revision = SQ_REVISION_OF(row->id),
				.lease = row->lease },
		},
	};
	if (!old->id || old->removed)
		return 0;
	ev->e.prev_revision = SQ_REVISION_OF(old->id);
	if (!b->with_prev)
		return 0;
	r = sq_log_get(c, old->id, &prev, &hold, err);
	if (r <= 0)
		return r < 0 ? r : sq_damaged(err, "a key's newest row is gone");
	ev->e.prev = sq_batch_copy(b, prev.value);
	return 0;
}

int sq_remove_key(struct sq_batch *b, struct db_conn *c, int64_t id, const struct sq_row *old,
		  struct err *err)
{
	struct sq_row row = { .id = id, .prev = old->id, .removed = true, .key = old->key };
	int r = put_rows(c, &row, true, err);

	b->keys--;
	return r < 0 ? r : note_event(b, c, &row, old, err);
}

static int apply_op(struct sq_batch *b, struct db_conn *c, const struct store_op *op, int64_t *id,
		    const struct sq_row *old, struct err *err)
{
	bool there = old->id && !old->removed;
	struct sq_row row = { .id = *id, .prev = old->id, .key = op->key, .value = op->value };
	int r;

	if (op->remove && !there)
		return 0;
	++*id;
	if (op->remove)
		return sq_remove_key(b, c, row.id, old, err);
	row.created = there ? old->created : SQ_REVISION_OF(row.id);
	row.lease = op->lease;
	r = put_rows(c, &row, old->id != 0, err);
	b->keys += !there;
	return r < 0 ? r : note_event(b, c, &row, old, err);
}

static int apply_ops(struct sq_batch *b, struct db_conn *c, struct store_txn *t,
		     const struct found *f, struct err *err)
{
	const int64_t first = SQ_FIRST_ID(b->revision + 1);
	int64_t id = first;
	int r = 0;

	for (size_t i = 0; i < t->nops && r >= 0; i++) {
		const struct sq_row *old = NULL;
		struct sq_row mine;

		for (size_t g = 0; g < t->nguards && !old; g++)
			if (slice_eq(t->guards[g].key, t->ops[i].key))
				old = &f->rows[g];
		if (!old) {
			r = cur_get(c, t->ops[i].key, &mine, err);
			old = &mine;
		}
		if (r >= 0)
			r = apply_op(b, c, &t->ops[i], &id, old, err);
	}
	if (id > first) {
		b->revision++;
		b->commits++;
	}
	t->revision = b->revision;
	return r;
}

static int txn_run(struct sq_write *w, struct sq_batch *b, struct db_conn *c, struct err *err)
{
	struct store_txn *t = txn_of(w);
	struct found f __attribute__((uninitialized));
	int r;

	t->result = 0;
	t->exists = false;
	r = check_guards(b, c, t, &f, err);
	if (r > 0)
		r = check_leases(c, t, err);
	if (r > 0)
		r = apply_ops(b, c, t, &f, err);
	return r;
}

static void txn_finish(struct sq_write *w, const struct err *err)
{
	struct store_txn *t = txn_of(w);

	if (err) {
		t->err = *err;
		t->result = err_wrap(&t->err, "nothing was committed");
		if (is_of_disk(err->sys))
			t->result = err_hint(&t->err, "writes go on by themselves when its disk "
						      "takes them again");
	}
	t->done(t);
}

void sq_commit(struct store *st, struct store_txn *t)
{
	struct sq_txn *p = (struct sq_txn *)(void *)t->private_;

	p->w.run = txn_run;
	p->w.finish = txn_finish;
	sq_write_queue(sq_of(st), &p->w);
}
