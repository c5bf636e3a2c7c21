/* SPDX-License-Identifier: Apache-2.0 */
/* The front of all kinds: the form of requests is checked here, once. */
#include "store/store.h"

#include "store/private.h"

#include <assert.h>

/* What the front keeps in a request that it answers itself. */
#define FRONT(type, name)                                                              \
	static void name##_end(struct store_later *l)                                  \
	{                                                                              \
		type *r = (type *)(void *)((char *)l - offsetof(type, private_));      \
                                                                                       \
		r->done(r);                                                            \
	}                                                                              \
	static void name##_reject(struct store *s, type *r)                            \
	{                                                                              \
		store_later(s, (struct store_later *)(void *)r->private_, name##_end); \
	}                                                                              \
	_Static_assert(sizeof(struct store_later) <= sizeof(((type *)0)->private_), #name)

FRONT(struct store_txn, txn);
FRONT(struct store_range, range);
FRONT(struct store_lease, lease);
FRONT(struct store_task, task);

static void run_later(struct deferred *d)
{
	struct store *s = CONTAINER_OF(d, struct store, later_call);
	struct list now;
	struct store_later *l;

	/* Taken over first: what a done() asks for waits for the next round. */
	list_init(&now);
	while ((l = LIST_FIRST(&s->later, struct store_later, link))) {
		list_del(&l->link);
		list_append(&now, &l->link);
	}
	while ((l = LIST_FIRST(&now, struct store_later, link))) {
		list_del(&l->link);
		l->fn(l);
	}
}

void store_init(struct store *s, const struct store_kind *kind, struct loop *loop)
{
	s->kind = kind;
	s->loop = loop;
	list_init(&s->later);
	deferred_init(&s->later_call, loop, run_later);
}

void store_fini(struct store *s)
{
	while (!list_empty(&s->later))
		run_later(&s->later_call);
	deferred_fini(&s->later_call);
}

void store_later(struct store *s, struct store_later *l, void (*fn)(struct store_later *l))
{
	l->fn = fn;
	list_append(&s->later, &l->link);
	deferred_call(&s->later_call);
}

/* ---- the form of requests ---- */

static int check_key(struct slice key, struct err *err)
{
	if (key.n == 0)
		return err_set(err, ERR_INVALID, "a key is empty");
	if (key.n > STORE_KEY_MAX)
		return err_set(err, ERR_TOO_LARGE, "a key of %zu bytes: more than %d", key.n,
			       STORE_KEY_MAX);
	return 0;
}

static int check_op(const struct store_txn *t, size_t i, struct err *err)
{
	const struct store_op *op = &t->ops[i];
	int r = check_key(op->key, err);

	if (r < 0)
		return r;
	if (op->value.n > STORE_VALUE_MAX)
		return err_set(err, ERR_TOO_LARGE, "key '%.*s': a value of %zu bytes: more than %u",
			       (int)op->key.n, op->key.p, op->value.n, STORE_VALUE_MAX);
	if (op->remove && (op->value.n || op->lease))
		return err_set(err, ERR_INVALID, "key '%.*s': a removal has no value and no lease",
			       (int)op->key.n, op->key.p);
	for (size_t k = 0; k < i; k++)
		if (slice_eq(t->ops[k].key, op->key))
			return err_set(err, ERR_INVALID, "key '%.*s' twice in a transaction",
				       (int)op->key.n, op->key.p);
	return 0;
}

static int check_txn(const struct store_txn *t, struct err *err)
{
	size_t bytes = 0;
	int r = 0;

	if (t->nops > STORE_OPS_MAX || t->nguards > STORE_GUARDS_MAX)
		return err_set(
			err, ERR_TOO_LARGE,
			"a transaction of %zu operations and %zu guards: more than %d and %d",
			t->nops, t->nguards, STORE_OPS_MAX, STORE_GUARDS_MAX);
	for (size_t i = 0; i < t->nguards && r == 0; i++)
		r = check_key(t->guards[i].key, err);
	for (size_t i = 0; i < t->nops && r == 0; i++) {
		r = check_op(t, i, err);
		bytes += t->ops[i].key.n + t->ops[i].value.n;
	}
	if (r == 0 && bytes > STORE_TXN_MAX)
		return err_set(err, ERR_TOO_LARGE, "a transaction of %zu bytes: more than %u",
			       bytes, STORE_TXN_MAX);
	return r;
}

static int check_range(const struct store_range *r, struct err *err)
{
	if (r->prefix.n > STORE_KEY_MAX || r->from.n > STORE_KEY_MAX + 1)
		return err_set(err, ERR_TOO_LARGE, "a range's key is longer than %d bytes",
			       STORE_KEY_MAX);
	if (r->revision < 0)
		return err_set(err, ERR_INVALID, "revision %lld", (long long)r->revision);
	if (r->exact && r->prefix.n == 0)
		return err_set(err, ERR_INVALID, "a key is empty");
	if (!r->exact && r->from.n && !slice_starts(r->from, r->prefix))
		return err_set(err, ERR_INVALID, "'%.*s' is not within the prefix '%.*s'",
			       (int)r->from.n, r->from.p, (int)r->prefix.n, r->prefix.p);
	return 0;
}

static int check_lease(const struct store_lease *l, struct err *err)
{
	if (l->ttl < 0 || l->ttl > INT32_MAX || (l->id == 0 && l->ttl == 0))
		return err_set(err, ERR_INVALID, "a lease of %lld s", (long long)l->ttl);
	return 0;
}

static int check_open(const struct store *s, struct err *err)
{
	return s->closing ? err_set(err, ERR_UNAVAILABLE, "the store is being closed") : 0;
}

/* ---- calls ---- */

void store_close(struct store *s)
{
	if (s)
		(s->kind->close)(s);
}

int64_t store_revision(const struct store *s)
{
	return s->kind->revision(s);
}

void store_commit(struct store *s, struct store_txn *t)
{
	err_clear(&t->err);
	t->revision = 0;
	t->failed = 0;
	t->exists = false;
	t->result = check_txn(t, &t->err);
	if (t->result == 0)
		t->result = check_open(s, &t->err);
	if (t->result < 0)
		txn_reject(s, t);
	else
		s->kind->commit(s, t);
}

void store_range(struct store *s, struct store_range *r)
{
	err_clear(&r->err);
	r->revision_now = r->total = 0;
	r->more = false;
	r->result = check_range(r, &r->err);
	if (r->result == 0)
		r->result = check_open(s, &r->err);
	if (r->result < 0)
		range_reject(s, r);
	else
		s->kind->range(s, r);
}

int store_watch(struct store *s, struct store_watch *w, struct err *err)
{
	if (w->prefix.n > STORE_KEY_MAX)
		return err_set(err, ERR_TOO_LARGE, "a watch's prefix of %zu bytes: more than %d",
			       w->prefix.n, STORE_KEY_MAX);
	if (w->after < 0)
		return err_set(err, ERR_INVALID, "revision %lld", (long long)w->after);
	if (s->closing)
		return check_open(s, err);
	return s->kind->watch(s, w, err);
}

void store_unwatch(struct store *s, struct store_watch *w)
{
	s->kind->unwatch(s, w);
}

void store_progress(struct store *s, struct store_watch *w)
{
	s->kind->progress(s, w);
}

void store_lease(struct store *s, struct store_lease *l)
{
	err_clear(&l->err);
	l->result = check_lease(l, &l->err);
	if (l->result == 0)
		l->result = check_open(s, &l->err);
	if (l->result < 0)
		lease_reject(s, l);
	else
		s->kind->lease(s, l);
}

/* The form of a task: `bad` tells what is wrong with it. */
static bool task_ok(struct store *s, struct store_task *t, const char *bad)
{
	err_clear(&t->err);
	t->result = bad ? err_set(&t->err, ERR_INVALID, "%s", bad) : check_open(s, &t->err);
	if (t->result < 0)
		task_reject(s, t);
	return t->result == 0;
}

void store_compact(struct store *s, struct store_task *t)
{
	if (task_ok(s, t, t->revision > 0 ? NULL : "compact: no revision"))
		s->kind->compact(s, t);
}

void store_backup(struct store *s, struct store_task *t)
{
	if (task_ok(s, t, t->path && *t->path ? NULL : "backup: no path"))
		s->kind->backup(s, t);
}

void store_verify(struct store *s, struct store_task *t)
{
	if (task_ok(s, t, NULL))
		s->kind->verify(s, t);
}

void store_get_stats(struct store *s, struct store_stats *ret)
{
	s->kind->stats(s, ret);
}
