/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases: rows with the time (real clock) at which they end. One timer waits for the next end; what
 * has ended goes by a write of the store's own, at most SQ_EXPIRE_MAX keys in a revision.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "store/sqlite.h"

#define LOOK_AGAIN (60 * NS_PER_SEC) /* the real clock may be set */
#define RETRY NS_PER_SEC

struct sq_lease_req {
	struct sq_write w;
	int64_t id, ttl; /* as asked */
	int64_t ends;	 /* of the one granted or kept; 0: none */
};
_Static_assert(sizeof(struct sq_lease_req) <= sizeof(((struct store_lease *)0)->private_), "");

static struct store_lease *lease_of(struct sq_write *w)
{
	return (struct store_lease *)(void *)((char *)w - offsetof(struct store_lease, private_));
}

int sq_lease_alive(struct db_conn *c, int64_t lease, struct err *err)
{
	int64_t id;

	return db_query_int(c, &id, err, "SELECT id FROM leases WHERE id=?", "i", lease);
}

/* ---- the timer ---- */

static void expiry_set(struct sq *s, int64_t ends)
{
	int64_t delay;

	s->next_expiry = ends;
	if (!ends) {
		timer_clear(&s->expiry);
		return;
	}
	delay = ends - clock_real();
	timer_set_after(&s->expiry, MAX(MIN(delay, LOOK_AGAIN), 0));
}

static int on_expiry(struct timer *t)
{
	struct sq *s = CONTAINER_OF(t, struct sq, expiry);

	if (s->expiring)
		return 0;
	if (clock_real() < s->next_expiry) {
		expiry_set(s, s->next_expiry);
		return 0;
	}
	s->expiring = true;
	sq_write_queue(s, &s->expire);
	return 0;
}

/* ---- the end of leases ---- */

/* Removes keys of one lease, at most *left; *id is the next row's. 1: none is left. */
static int remove_keys(struct sq_batch *b, struct db_conn *c, int64_t lease, int64_t *id,
		       size_t *left, struct err *err)
{
	for (;; --*left, ++*id) {
		CLEANUP(db_row_done) struct db_row *q = NULL;
		struct sq_row old = { 0 };
		int r;

		r = db_query(c, &q, err,
			     "SELECT key,id,created FROM cur WHERE lease=? AND lease<>0 LIMIT 1",
			     "i", lease);
		if (r >= 0)
			r = db_row_next(q, err);
		if (r <= 0)
			return r < 0 ? r : 1;
		if (!*left)
			return 0;
		db_row_get(q, "bii", &old.key, &old.id, &old.created);
		old.key = sq_batch_copy(b, old.key);
		db_row_done(STEAL(q));
		old.lease = lease;
		r = sq_remove_key(b, c, *id, &old, err);
		if (r < 0)
			return r;
	}
}

/* One lease: its keys in as many revisions as it takes, then itself. */
static int end_lease(struct sq_batch *b, struct db_conn *c, int64_t lease, int64_t *id,
		     size_t *left, struct err *err)
{
	int r;

	for (;;) {
		r = remove_keys(b, c, lease, id, left, err);
		if (r != 0)
			break;
		b->revision++;
		*id = SQ_FIRST_ID(b->revision + 1);
		*left = SQ_EXPIRE_MAX;
	}
	if (r < 0)
		return r;
	b->leases_gone++;
	return db_exec(c, err, "DELETE FROM leases WHERE id=?", "i", lease);
}

static int next_end(struct db_conn *c, int64_t *ret, struct err *err)
{
	int r;

	*ret = 0;
	r = db_query_int(c, ret, err, "SELECT min(ends) FROM leases", "");
	return r < 0 ? r : 0;
}

static int expire_run(struct sq_write *w, struct sq_batch *b, struct db_conn *c, struct err *err)
{
	const int64_t now = clock_real(), before = b->revision;
	int64_t id = SQ_FIRST_ID(before + 1), lease, ends;
	size_t left = SQ_EXPIRE_MAX;
	int r;

	/* One revision's worth; the timer comes again at once for more. */
	for (int n = 0; left && n < SQ_EXPIRE_MAX && b->revision == before; n++) {
		r = db_query_int(c, &lease, err,
				 "SELECT id FROM leases WHERE ends<=? ORDER BY ends LIMIT 1", "i",
				 now);
		if (r == 0)
			break;
		if (r > 0)
			r = end_lease(b, c, lease, &id, &left, err);
		if (r < 0)
			return r;
	}
	b->revision += id > SQ_FIRST_ID(b->revision + 1);
	r = next_end(c, &ends, err);
	w->s->next_expiry = ends; /* the loop leaves it alone while `expiring` */
	return r;
}

static void expire_finish(struct sq_write *w, const struct err *err)
{
	struct sq *s = w->s;

	s->expiring = false;
	if (atomic_load(&s->closing))
		return;
	if (!err) {
		expiry_set(s, s->next_expiry);
		return;
	}
	log_warn("store '%s': leases that are over stay: %s", s->path, err->msg);
	timer_set_after(&s->expiry, RETRY);
}

int sq_expiry_start(struct sq *s, struct err *err)
{
	int64_t n = 0, ends;
	int r;

	timer_init(&s->expiry, s->base.loop, on_expiry);
	s->expire.run = expire_run;
	s->expire.finish = expire_finish;
	r = db_query_int(db_reader(s->db), &n, err, "SELECT count(*) FROM leases", "");
	if (r >= 0)
		r = next_end(db_reader(s->db), &ends, err);
	if (r < 0)
		return r;
	s->stats.leases = (uint64_t)n;
	expiry_set(s, ends);
	return 0;
}

/* ---- requests ---- */

static int grant(struct sq_batch *b, struct db_conn *c, struct store_lease *l, int64_t *ret_ends,
		 struct err *err)
{
	*ret_ends = clock_real() + l->ttl * NS_PER_SEC;
	do {
		l->id = (int64_t)(random_u64() >> 1);
	} while (l->id == 0);
	b->leases_made++;
	return db_exec(c, err, "INSERT INTO leases(id,ttl,ends) VALUES(?,?,?)", "iii", l->id,
		       l->ttl, *ret_ends);
}

static int keep(struct db_conn *c, struct store_lease *l, int64_t *ret_ends, struct err *err)
{
	int64_t ttl;
	int r = db_query_int(c, &ttl, err, "SELECT ttl FROM leases WHERE id=?", "i", l->id);

	if (r <= 0)
		return r;
	l->ttl = ttl;
	*ret_ends = clock_real() + ttl * NS_PER_SEC;
	return db_exec(c, err, "UPDATE leases SET ends=? WHERE id=?", "ii", *ret_ends, l->id);
}

static int end_now(struct sq_batch *b, struct db_conn *c, struct store_lease *l, struct err *err)
{
	int64_t id = SQ_FIRST_ID(b->revision + 1);
	size_t left = SQ_EXPIRE_MAX;
	int r = end_lease(b, c, l->id, &id, &left, err);

	b->revision += id > SQ_FIRST_ID(b->revision + 1);
	return r;
}

static int lease_run(struct sq_write *w, struct sq_batch *b, struct db_conn *c, struct err *err)
{
	struct sq_lease_req *q = CONTAINER_OF(w, struct sq_lease_req, w);
	struct store_lease *l = lease_of(w);
	int r;

	q->ends = 0;
	l->result = 0;
	l->id = q->id; /* a batch may run twice */
	l->ttl = q->ttl;
	r = l->id ? sq_lease_alive(c, l->id, err) : 1;
	if (r < 0)
		return r;
	if (r == 0) {
		l->result = err_set(&l->err, ERR_NOT_FOUND, "lease %lld is over", (long long)l->id);
		return 0;
	}
	if (!l->id)
		return grant(b, c, l, &q->ends, err);
	return l->ttl ? keep(c, l, &q->ends, err) : end_now(b, c, l, err);
}

static void lease_finish(struct sq_write *w, const struct err *err)
{
	struct sq_lease_req *q = CONTAINER_OF(w, struct sq_lease_req, w);
	struct store_lease *l = lease_of(w);
	struct sq *s = w->s;

	if (err) {
		l->err = *err;
		l->result = err_ret(err);
	} else if (q->ends && !s->expiring && (!s->next_expiry || q->ends < s->next_expiry)) {
		expiry_set(s, q->ends);
	}
	l->done(l);
}

void sq_lease(struct store *st, struct store_lease *l)
{
	struct sq_lease_req *q = (struct sq_lease_req *)(void *)l->private_;

	q->id = l->id;
	q->ttl = l->ttl;
	q->w.run = lease_run;
	q->w.finish = lease_finish;
	sq_write_queue(sq_of(st), &q->w);
}
