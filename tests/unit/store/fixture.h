/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store of a kind in a folder of its own, and requests that are waited for. The suite speaks only
 * through store.h; a kind is a row of `kinds`.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "store/store.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef STORE_ETCD
#include "etcd-server.h"
#endif

struct fix {
	char dir[64], path[96], other[96];
	struct loop *loop;
	struct store *s;
	struct err err;
	int64_t keep_age;
	uint64_t keep_revisions;
#ifdef STORE_ETCD
	struct etcd_server etcd;
#endif
};

#ifdef STORE_ETCD
/* It takes a moment until a new cluster has a leader. */
static inline int fix_try(struct fix *f)
{
	struct store_etcd_options o = { .loop = f->loop };
	const int64_t end = clock_mono() + 60 * NS_PER_SEC;
	int r;

	if (!f->etcd.n)
		etcd_begin(&f->etcd, f->dir, 1);
	o.endpoints = f->etcd.urls;
	o.nendpoints = f->etcd.n;
	do {
		f->err = ERR_INIT;
		r = store_open_etcd(&o, &f->s, &f->err);
		if (r < 0)
			(void)poll(NULL, 0, 20);
	} while (r == -ERR_UNAVAILABLE && clock_mono() < end);
	return r;
}
#else
static inline int fix_try(struct fix *f)
{
	struct store_sqlite_options o = { .loop = f->loop,
					  .path = f->path,
					  .keep_age = f->keep_age,
					  .keep_revisions = f->keep_revisions };

	return store_open_sqlite(&o, &f->s, &f->err);
}
#endif

static inline void fix_open(struct fix *f)
{
	if (fix_try(f) < 0)
		fail_msg("%s", f->err.msg);
}

static inline void fix_close(struct fix *f)
{
	store_close(f->s);
	f->s = NULL;
}

static inline int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/teu-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/store.db", f->dir);
	snprintf(f->other, sizeof(f->other), "%s/other.db", f->dir);
	assert_int_equal(loop_new(&f->loop, &f->err), 0);
	fix_open(f);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fix *f = *state;

	store_close(f->s);
	loop_free(f->loop);
#ifdef STORE_ETCD
	etcd_end(&f->etcd);
#endif
	assert_int_equal(fd_remove_tree(AT_FDCWD, f->dir, &f->err), 0);
	free(f);
	return 0;
}

static inline void assert_err(const struct err *err, enum err_code code, const char *part)
{
	if (err->code != code || !strstr(err->msg, part))
		fail_msg("error %s '%s', wanted %s '%s'", err_code_name(err->code), err->msg,
			 err_code_name(code), part);
}

/* Turns the loop until the flag is up. */
static inline void wait_for(struct fix *f, const bool *flag)
{
	const int64_t end = clock_mono() + 60 * NS_PER_SEC;

	while (!*flag) {
		assert_true(loop_step(f->loop, NS_PER_SEC, &f->err) >= 0);
		assert_true(clock_mono() < end);
	}
}

/* ---- commits ---- */

struct txn {
	struct store_txn t;
	bool done;
	char current[64];
};

static inline void on_txn(struct store_txn *t)
{
	struct txn *x = CONTAINER_OF(t, struct txn, t);

	if (t->result == 1 && t->exists)
		snprintf(x->current, sizeof(x->current), "%.*s", (int)t->current.value.n,
			 t->current.value.p);
	x->done = true;
}

static inline int commit(struct fix *f, struct txn *x)
{
	x->done = false;
	x->t.done = on_txn;
	store_commit(f->s, &x->t);
	assert_false(x->done); /* never from within the call */
	wait_for(f, &x->done);
	return x->t.result;
}

/* Revision of the commit. value NULL: removes. */
static inline int64_t put_lease(struct fix *f, const char *key, const char *value, int64_t lease)
{
	struct store_op op = {
		.remove = !value, .key = slice_str(key), .value = slice_str(value), .lease = lease
	};
	struct txn x = { .t = { .ops = &op, .nops = 1 } };

	if (commit(f, &x) != 0)
		fail_msg("%s: %s", key, x.t.err.msg);
	return x.t.revision;
}

static inline int64_t put(struct fix *f, const char *key, const char *value)
{
	return put_lease(f, key, value, 0);
}

/* ---- ranges ---- */

struct rng {
	struct store_range r;
	bool done;
	int stop_at; /* each() fails there; 0 = never */
	int n;
	struct buf text; /* "key=value@mod " */
};

static inline int on_each(struct store_range *r, const struct store_kv *kv)
{
	struct rng *x = CONTAINER_OF(r, struct rng, r);

	if (++x->n == x->stop_at)
		return -ERR_QUOTA;
	return buf_addf(&x->text, "%.*s=%.*s@%lld ", (int)kv->key.n, kv->key.p, (int)kv->value.n,
			kv->value.p, (long long)kv->mod_revision);
}

static inline void on_range(struct store_range *r)
{
	CONTAINER_OF(r, struct rng, r)->done = true;
}

static inline int range(struct fix *f, struct rng *x)
{
	x->done = false;
	x->n = 0;
	buf_fini(&x->text);
	x->text = BUF_INIT(1 << 24);
	x->r.each = on_each;
	x->r.done = on_range;
	store_range(f->s, &x->r);
	assert_false(x->done);
	wait_for(f, &x->done);
	return x->r.result;
}

static inline void assert_range(struct fix *f, const char *prefix, int64_t revision,
				const char *want)
{
	struct rng x = { .r = { .prefix = slice_str(prefix), .revision = revision } };

	if (range(f, &x) < 0)
		fail_msg("%s", x.r.err.msg);
	assert_string_equal(buf_str(&x.text), want);
	buf_fini(&x.text);
}

/* ---- watches ---- */

struct wat {
	struct store_watch w;
	struct fix *f;
	bool flag; /* something came */
	bool ended;
	struct err end;
	int64_t revision;
	int calls, n;
	struct buf text; /* "+key=value@mod" or "-key@mod", "<prev@rev" */
};

static inline void on_events(struct store_watch *w, const struct store_event *v, size_t n,
			     int64_t revision)
{
	struct wat *x = CONTAINER_OF(w, struct wat, w);

	assert_true(revision >= x->revision);
	for (size_t i = 0; i < n; i++) {
		const struct store_kv *kv = &v[i].kv;

		assert_true(kv->mod_revision <= revision);
		(void)buf_addf(&x->text, "%c%.*s=%.*s@%lld", v[i].removed ? '-' : '+',
			       (int)kv->key.n, kv->key.p, (int)kv->value.n, kv->value.p,
			       (long long)kv->mod_revision);
		if (v[i].prev_revision)
			(void)buf_addf(&x->text, "<%.*s@%lld", (int)v[i].prev.n, v[i].prev.p,
				       (long long)v[i].prev_revision);
		(void)buf_addc(&x->text, ' ');
	}
	x->revision = revision;
	x->calls++;
	x->n += (int)n;
	x->flag = true;
}

static inline void on_end(struct store_watch *w, const struct err *err)
{
	struct wat *x = CONTAINER_OF(w, struct wat, w);

	x->ended = x->flag = true;
	x->end = *err;
}

static inline void watch(struct fix *f, struct wat *x, const char *prefix, int64_t after)
{
	*x = (struct wat){ .f = f, .text = BUF_INIT(1 << 24) };
	x->w = (struct store_watch){
		.prefix = slice_str(prefix), .after = after, .events = on_events, .end = on_end
	};
	assert_int_equal(store_watch(f->s, &x->w, &f->err), 0);
	assert_false(x->flag);
}

static inline void wait_revision(struct fix *f, struct wat *x, int64_t revision)
{
	while (x->revision < revision && !x->ended) {
		x->flag = false;
		wait_for(f, &x->flag);
	}
}

static inline void unwatch(struct fix *f, struct wat *x)
{
	if (!x->ended)
		store_unwatch(f->s, &x->w);
	buf_fini(&x->text);
}

/* ---- leases and tasks ---- */

struct lse {
	struct store_lease l;
	bool done;
};

static inline void on_lease(struct store_lease *l)
{
	CONTAINER_OF(l, struct lse, l)->done = true;
}

static inline int lease(struct fix *f, struct lse *x)
{
	x->done = false;
	x->l.done = on_lease;
	store_lease(f->s, &x->l);
	assert_false(x->done);
	wait_for(f, &x->done);
	return x->l.result;
}

struct tsk {
	struct store_task t;
	bool done;
};

static inline void on_task(struct store_task *t)
{
	CONTAINER_OF(t, struct tsk, t)->done = true;
}

typedef void task_call(struct store *s, struct store_task *t);
static inline int task(struct fix *f, task_call *call, struct tsk *x)
{
	x->done = false;
	x->t.done = on_task;
	call(f->s, &x->t);
	assert_false(x->done);
	wait_for(f, &x->done);
	return x->t.result;
}

static inline void compact(struct fix *f, int64_t revision)
{
	struct tsk x = { .t.revision = revision };

	if (task(f, store_compact, &x) < 0)
		fail_msg("%s", x.t.err.msg);
}

static inline void verify(struct fix *f)
{
	struct tsk x = { 0 };

	if (task(f, store_verify, &x) < 0)
		fail_msg("%s", x.t.err.msg);
}
