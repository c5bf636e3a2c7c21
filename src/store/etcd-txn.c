/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits: guards are compares of mod_revision, the other branch reads the guarded keys, so that
 * one round trip tells which guard did not hold.
 *
 * (1) done() of a commit comes after its events went to the watches of this process: answer and
 *     events come on different streams, so an answer that is ahead is held.
 * (2) A commit that was sent, not answered and sent again finds its own change behind its guards:
 *     each key then has the bytes that were to be written. That is success. When they have others,
 *     its change may have been there and be overwritten: nobody knows, and that is said.
 */
#include "base/clock.h"
#include "base/err.h"
#include "store/etcd.h"

#include <stdlib.h>

enum { TXN_COMPARE = 1, TXN_SUCCESS = 2, TXN_FAILURE = 3 };
enum { COMPARE_TARGET = 2, COMPARE_KEY = 3, COMPARE_MOD = 6, TARGET_MOD = 2 };
enum { OP_RANGE = 1, OP_PUT = 2, OP_REMOVE = 3 };
enum { PUT_KEY = 1, PUT_VALUE = 2, PUT_LEASE = 3, REMOVE_KEY = 1 };
enum { ANSWER_HEADER = 1, ANSWER_SUCCEEDED = 2, ANSWER_RESPONSES = 3 };

struct etcd_txn {
	struct list link; /* of e->held */
	struct store_txn *t;
	struct timer timer;
	struct etcd *e;
};

static void finish(struct etcd_txn *x)
{
	struct store_txn *t = x->t;

	list_del(&x->link);
	timer_fini(&x->timer);
	free(x);
	t->done(t);
}

/* ---- the request ---- */

static void put_guard(struct pb_writer *w, const struct store_guard *g)
{
	size_t before = pb_size(w);

	pb_field_varint(w, COMPARE_MOD, (uint64_t)g->mod_revision);
	pb_field_bytes(w, COMPARE_KEY, g->key);
	pb_field_varint(w, COMPARE_TARGET, TARGET_MOD);
	pb_field_message(w, TXN_COMPARE, before);
}

static void put_op(struct pb_writer *w, const struct store_op *op)
{
	size_t before = pb_size(w), inner = before;

	if (op->remove) {
		pb_field_bytes(w, REMOVE_KEY, op->key);
	} else {
		if (op->lease)
			pb_field_varint(w, PUT_LEASE, (uint64_t)op->lease);
		pb_field_bytes(w, PUT_VALUE, op->value);
		pb_field_bytes(w, PUT_KEY, op->key);
	}
	pb_field_message(w, op->remove ? OP_REMOVE : OP_PUT, inner);
	pb_field_message(w, TXN_SUCCESS, before);
}

static void put_look(struct pb_writer *w, const struct store_guard *g)
{
	const struct etcd_range_request r = { .key = g->key };
	size_t before = pb_size(w);

	etcd_put_range(w, &r);
	pb_field_message(w, OP_RANGE, before);
	pb_field_message(w, TXN_FAILURE, before);
}

static void put_txn(struct pb_writer *w, const struct store_txn *t)
{
	for (size_t i = t->nguards; i-- > 0;)
		put_look(w, &t->guards[i]);
	for (size_t i = t->nops; i-- > 0;)
		put_op(w, &t->ops[i]);
	for (size_t i = t->nguards; i-- > 0;)
		put_guard(w, &t->guards[i]);
}

/* ---- the answer ---- */

struct looked {
	struct store_txn *t;
	size_t guard;
	bool found;
	struct store_kv kv;
};

static int take_kv(void *arg, const struct store_kv *kv)
{
	struct looked *l = arg;

	l->found = true;
	l->kv = *kv;
	return 0;
}

static const struct store_op *op_of(const struct store_txn *t, struct slice key)
{
	for (size_t i = 0; i < t->nops; i++) {
		if (slice_eq(t->ops[i].key, key))
			return &t->ops[i];
	}
	return NULL;
}

/* keeps (2): what the guarded key has is what we were to write. */
static bool is_ours(const struct looked *l, struct slice key)
{
	const struct store_op *op = op_of(l->t, key);

	if (!op)
		return false;
	return op->remove ? !l->found : l->found && slice_eq(op->value, l->kv.value);
}

/* The answers of the other branch: one range for each guard, in order. */
static int read_looks(struct etcd *e, struct store_txn *t, struct slice answer, bool repeated,
		      struct err *err)
{
	struct pb_reader r = pb_reader(answer);
	struct looked l = { .t = t };
	struct pb_field f;
	bool ours = repeated, told = false;
	int64_t newest = 0;

	while (pb_next(&r, &f) > 0) {
		struct pb_reader op = pb_reader(f.bytes);
		struct etcd_range_answer a;
		struct pb_field g;
		const struct store_guard *guard;

		if (f.number != ANSWER_RESPONSES || f.type != PB_BYTES || l.guard >= t->nguards)
			continue;
		guard = &t->guards[l.guard];
		l.found = false;
		if (pb_next(&op, &g) <= 0 || g.type != PB_BYTES ||
		    etcd_read_range(e, g.bytes, take_kv, &l, &a, err) < 0)
			return etcd_malformed("answer of a commit", &op, err);
		if ((l.found ? l.kv.mod_revision : 0) != guard->mod_revision && !told) {
			told = true;
			t->failed = l.guard;
			t->exists = l.found;
			t->current = l.kv;
		}
		ours = ours && is_ours(&l, guard->key);
		newest = MAX(newest, l.found ? l.kv.mod_revision : 0);
		l.guard++;
	}
	if (!told)
		return etcd_malformed("answer of a commit whose guards did not hold", &r, err);
	/* Ours may have been done, and be overwritten since: who believed that nothing was done
	 * would do it twice. */
	if (repeated && !ours)
		return err_set(err, ERR_UNAVAILABLE,
			       "etcd: the connection broke under the commit, and its keys have "
			       "changed: it may have been done or not");
	t->result = ours ? 0 : 1;
	if (ours && newest)
		t->revision = newest;
	return 0;
}

int etcd_read_txn(struct etcd *e, struct store_txn *t, struct slice answer, bool repeated,
		  struct err *err)
{
	struct pb_reader r = pb_reader(answer);
	struct pb_field f;
	bool succeeded = false;
	int got;

	while ((got = pb_next(&r, &f)) > 0) {
		if (f.number == ANSWER_HEADER && f.type == PB_BYTES)
			t->revision = etcd_header(e, f.bytes);
		else if (f.number == ANSWER_SUCCEEDED && f.type == PB_VARINT)
			succeeded = f.v != 0;
	}
	if (got < 0)
		return etcd_malformed("answer of a commit", &r, err);
	return succeeded ? 0 : read_looks(e, t, answer, repeated, err);
}

/* ---- (1) ---- */

void etcd_release(struct etcd *e)
{
	int64_t told = etcd_watches_told(e);
	struct list ready;
	struct etcd_txn *x;

	list_init(&ready);
	LIST_FOREACH (x, &e->held, struct etcd_txn, link) {
		if (x->t->revision <= told) {
			list_del(&x->link);
			list_append(&ready, &x->link);
		}
	}
	while ((x = LIST_FIRST(&ready, struct etcd_txn, link)))
		finish(x);
}

static int held_too_long(struct timer *timer)
{
	struct etcd_txn *x = CONTAINER_OF(timer, struct etcd_txn, timer);
	struct store_txn *t = x->t;

	t->result =
		err_set(&t->err, ERR_UNAVAILABLE,
			"etcd: the commit of revision %lld is done, but its events did not come; "
			"the watch's connection is broken",
			(long long)t->revision);
	finish(x);
	return 0;
}

static void hold(struct etcd_txn *x)
{
	list_append(&x->e->held, &x->link);
	timer_set_after(&x->timer, x->e->time);
	deferred_call(&x->e->release);
}

void etcd_held_end(struct etcd *e)
{
	struct etcd_txn *x;

	while ((x = LIST_FIRST(&e->held, struct etcd_txn, link)))
		finish(x); /* it is committed; nobody is left to be told of events */
}

static void on_answer(struct etcd_call *c, int result, struct slice answer, struct err *err)
{
	struct etcd_txn *x = c->arg;
	struct store_txn *t = x->t;

	t->result = result;
	if (result == 0 && etcd_read_txn(c->e, t, answer, c->repeated, err) < 0)
		t->result = err_ret(err);
	if (t->result < 0) {
		t->err = *err;
		finish(x);
		return;
	}
	c->e->commits += t->result == 0;
	/* `current` lives in the answer: such a one ends now. */
	if (t->result == 0 && t->nops && !c->e->base.closing)
		hold(x);
	else
		finish(x);
}

/* A second sending does nothing when the first was carried out: its revision is another one then.
 * That a key is not there may become true again, and the change be made twice. */
static bool all_guarded(const struct store_txn *t)
{
	for (size_t i = 0; i < t->nops; i++) {
		bool found = false;

		for (size_t k = 0; k < t->nguards && !found; k++)
			found = t->guards[k].mod_revision > 0 &&
				slice_eq(t->guards[k].key, t->ops[i].key);
		if (!found)
			return false;
	}
	return true;
}

void etcd_commit(struct store *s, struct store_txn *t)
{
	struct pb_writer w = PB_WRITER_INIT(ETCD_MESSAGE_MAX);
	struct etcd *e = etcd_of(s);
	struct etcd_txn *x = calloc(1, sizeof(*x));
	struct etcd_call *c;

	if (!x)
		abort();
	x->t = t;
	x->e = e;
	list_init(&x->link);
	timer_init(&x->timer, s->loop, held_too_long);
	put_txn(&w, t);
	c = etcd_call_new(e, ETCD_KV, &etcd_txn_method, &w, on_answer, x);
	c->twice = all_guarded(t);
	etcd_call_start(c);
}
