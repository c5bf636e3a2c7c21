/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache when things go wrong: a store whose watch breaks off, that loses history, refuses
 * requests or is slow; and damaged values. The store is the real one behind a kind of our own.
 */
#include "cache-fix.h"

#include "base/log.h"
#include "store/private.h"

#include <errno.h>

struct fake {
	struct store base;
	struct store *real;
	struct store_watch *watch; /* the world's newest */
	bool no_watch;		   /* watches cannot begin */
	int refuse;		   /* so many requests to come end with `err` */
	struct err err;
	unsigned watches, ranges, leases;
	int64_t lease; /* of the last commit */
	struct list refused;
	struct deferred later;
};

struct refusal {
	struct list link;
	void (*end)(struct fake *f, void *request);
	void *request;
};

static struct fake *fake_of(const struct store *s)
{
	return CONTAINER_OF((struct store *)(uintptr_t)s, struct fake, base);
}

static void run_refused(struct deferred *d)
{
	struct fake *f = CONTAINER_OF(d, struct fake, later);
	struct refusal *r;

	while ((r = LIST_FIRST(&f->refused, struct refusal, link))) {
		list_del(&r->link);
		r->end(f, r->request);
		free(r);
	}
}

static bool refuses(struct fake *f, void *request, void (*end)(struct fake *f, void *request))
{
	struct refusal *r;

	if (!f->refuse)
		return false;
	f->refuse--;
	r = malloc(sizeof(*r));
	assert_non_null(r);
	*r = (struct refusal){ .end = end, .request = request };
	list_append(&f->refused, &r->link);
	deferred_call(&f->later);
	return true;
}

#define REFUSAL(type, name)                                 \
	static void name##_refused(struct fake *f, void *p) \
	{                                                   \
		type *r = p;                                \
                                                            \
		r->err = f->err;                            \
		r->result = err_ret(&f->err);               \
		r->done(r);                                 \
	}
REFUSAL(struct store_txn, txn)
REFUSAL(struct store_range, range)
REFUSAL(struct store_lease, lease)

static int64_t fake_revision(const struct store *s)
{
	return store_revision(fake_of(s)->real);
}

static void fake_commit(struct store *s, struct store_txn *t)
{
	fake_of(s)->lease = t->nops ? t->ops[0].lease : 0;
	if (!refuses(fake_of(s), t, txn_refused))
		store_commit(fake_of(s)->real, t);
}

static void fake_range(struct store *s, struct store_range *r)
{
	fake_of(s)->ranges++;
	if (!refuses(fake_of(s), r, range_refused))
		store_range(fake_of(s)->real, r);
}

static int fake_watch(struct store *s, struct store_watch *w, struct err *err)
{
	struct fake *f = fake_of(s);

	f->watches++;
	if (f->no_watch)
		return err_set(err, ERR_UNAVAILABLE, "no watches today");
	f->watch = w;
	return store_watch(f->real, w, err);
}

static void fake_unwatch(struct store *s, struct store_watch *w)
{
	store_unwatch(fake_of(s)->real, w);
}

static void fake_progress(struct store *s, struct store_watch *w)
{
	store_progress(fake_of(s)->real, w);
}

static void fake_lease(struct store *s, struct store_lease *l)
{
	fake_of(s)->leases++;
	if (!refuses(fake_of(s), l, lease_refused))
		store_lease(fake_of(s)->real, l);
}

static void fake_stats(struct store *s, struct store_stats *ret)
{
	store_get_stats(fake_of(s)->real, ret);
}

static const struct store_kind fake_kind = {
	.revision = fake_revision,
	.commit = fake_commit,
	.range = fake_range,
	.watch = fake_watch,
	.unwatch = fake_unwatch,
	.progress = fake_progress,
	.lease = fake_lease,
	.stats = fake_stats,
};

struct ffix {
	struct cfix x;
	struct fake fake;
};

static int fake_setup(void **state)
{
	struct ffix *y = calloc(1, sizeof(*y));
	void *f;

	assert_non_null(y);
	setup(&f);
	y->x.f = f;
	y->fake.real = y->x.f->s;
	list_init(&y->fake.refused);
	store_init(&y->fake.base, &fake_kind, y->x.f->loop);
	deferred_init(&y->fake.later, y->x.f->loop, run_refused);
	*state = y;
	return 0;
}

/* The world sees the fake, the fixture's own requests go to the real one. */
static int fake_try(struct ffix *y)
{
	struct store *real = y->x.f->s;
	int r;

	y->x.f->s = &y->fake.base;
	r = world_try(&y->x);
	y->x.f->s = real;
	return r;
}

static void fake_open(struct ffix *y)
{
	if (fake_try(y) < 0)
		fail_msg("%s", y->x.err.msg);
}

static int fake_teardown(void **state)
{
	struct ffix *y = *state;
	void *f = y->x.f;

	world_close(&y->x);
	run_refused(&y->fake.later);
	deferred_fini(&y->fake.later);
	store_fini(&y->fake.base);
	teardown(&f);
	free(y);
	return 0;
}

static void break_watch(struct ffix *y, enum err_code code)
{
	struct store_watch *w = y->fake.watch;
	struct err err = ERR_INIT;

	(void)err_set(&err, code, "broken");
	store_unwatch(y->fake.real, w);
	w->end(w, &err);
}

static void put_pod(struct ffix *y, const char *key, const char *node)
{
	char full[64];

	snprintf(full, sizeof(full), "/registry/pods/%s", key);
	put(y->x.f, full, node ? pod_json(key, "", node) : NULL);
}

static void until_revision(struct ffix *y, int64_t revision)
{
	while (world_revision(y->x.w) < revision)
		assert_true(loop_step(y->x.f->loop, NS_PER_SEC, &y->x.err) >= 0);
}

/* ---- the watch ---- */

static void a_watch_that_breaks_off_goes_on_from_where_it_was(void **state)
{
	struct ffix *y = *state;
	struct cw c = { 0 };

	fake_open(y);
	cw_start(&y->x, &c, "", world_revision(y->x.w));
	put_pod(y, "a/a", "");
	until_revision(y, 2);
	y->fake.no_watch = true;
	break_watch(y, ERR_UNAVAILABLE);
	assert_err(world_error(y->x.w), ERR_UNAVAILABLE, "broken");
	put_pod(y, "a/b", "");
	put_pod(y, "a/a", NULL);
	while (y->fake.watches < 3) /* at the start, and tried in vain */
		assert_true(loop_step(y->x.f->loop, NS_PER_SEC, &y->x.err) >= 0);
	assert_err(world_error(y->x.w), ERR_UNAVAILABLE, "no watches today");
	assert_int_equal(world_revision(y->x.w), 2);
	y->fake.no_watch = false;
	until_revision(y, 4);
	assert_null(world_error(y->x.w));
	assert_string_equal(buf_str(&c.text), "+a/a@2 +a/b@3 -a/a@4 ");
	cw_stop(&c);
}

static void lost_history_is_read_again_and_told_as_changes(void **state)
{
	struct ffix *y = *state;
	struct cw live = { 0 }, slow = { .room = 1 };
	struct cache_view *v;
	struct err err = ERR_INIT;

	fake_open(y);
	cw_start(&y->x, &live, "", 1);
	cw_start(&y->x, &slow, "", 1);
	put_pod(y, "a/gone", "");
	put_pod(y, "a/same", "");
	put_pod(y, "a/other", "");
	until_revision(y, 4);
	settle(&y->x);
	y->fake.no_watch = true;
	break_watch(y, ERR_UNAVAILABLE);
	put_pod(y, "a/gone", NULL);
	put_pod(y, "a/new", "");
	put_pod(y, "a/brief", "");
	put_pod(y, "a/brief", NULL);
	put_pod(y, "a/other", "n1");
	compact(y->x.f, 8);
	y->fake.no_watch = false;
	until_revision(y, 9);
	settle(&y->x);
	/* By revision; what is gone has that of the reading. */
	assert_string_equal(buf_str(&live.text),
			    "+a/gone@2 +a/same@3 +a/other@4 +a/new@6 -a/gone@9 *a/other@9 ");
	assert_string_equal(buf_str(&slow.text), "+a/gone@2 ");
	slow.room = -1;
	cache_watch_resume(&slow.w);
	settle(&y->x);
	assert_string_equal(buf_str(&slow.text), buf_str(&live.text));
	assert_int_equal(cache_count(y->x.pods), 3);
	/* Of the time between nothing is known. */
	assert_int_equal(cache_at(y->x.pods, 6, &v, &err), -ERR_GONE);
	assert_int_equal(cache_at(y->x.pods, 4, &v, &err), 0);
	cache_view_unref(v);
	cw_stop(&slow);
	assert_int_equal(cw_try(&y->x, &slow, "", 6), -ERR_GONE);
	assert_err(&y->x.err, ERR_GONE, "too old resource version: 6 (9)");
	cw_stop(&live);
	/* A second time: what was before the first is gone. */
	y->fake.no_watch = true;
	break_watch(y, ERR_UNAVAILABLE);
	put_pod(y, "a/last", "");
	compact(y->x.f, 10);
	y->fake.no_watch = false;
	until_revision(y, 10);
	assert_int_equal(cw_try(&y->x, &slow, "", 4), -ERR_GONE);
	cw_start(&y->x, &slow, "", 9);
	settle(&y->x);
	assert_non_null(strstr(buf_str(&slow.text), "+a/last@10 "));
	cw_stop(&slow);
}

static void a_reading_again_that_fails_is_tried_again(void **state)
{
	struct ffix *y = *state;

	fake_open(y);
	(void)err_set(&y->fake.err, ERR_SYSTEM, "no luck");
	y->fake.refuse = 1;
	break_watch(y, ERR_GONE);
	put_pod(y, "a/a", "");
	while (!y->fake.refuse && y->fake.ranges < 2)
		assert_true(loop_step(y->x.f->loop, NS_PER_SEC, &y->x.err) >= 0);
	until_revision(y, 2);
	assert_int_equal(y->fake.ranges, 3);
	assert_int_equal(cache_count(y->x.pods), 1);
}

static void a_store_that_was_put_back_ends_all_watches(void **state)
{
	struct ffix *y = *state;
	struct cw c = { 0 };
	struct store *first;

	fake_open(y);
	put_pod(y, "a/a", "");
	put_pod(y, "a/b", "");
	until_revision(y, 3);
	cw_start(&y->x, &c, "", 3);
	/* Another store, as if restored from before. */
	first = y->x.f->s;
	snprintf(y->x.f->path, sizeof(y->x.f->path), "%s/second.db", y->x.f->dir);
	fix_open(y->x.f);
	y->fake.real = first;
	break_watch(y, ERR_BAD_REQUEST);
	store_close(first);
	y->fake.real = y->x.f->s;
	y->fake.refuse = 0;
	put_pod(y, "a/b", "n9");
	while (world_revision(y->x.w) != 2 || !c.over)
		assert_true(loop_step(y->x.f->loop, NS_PER_SEC, &y->x.err) >= 0);
	assert_err(&c.err, ERR_GONE, "begins anew");
	assert_int_equal(cache_count(y->x.pods), 1);
	assert_int_equal(pod_put(&y->x, "a/c", "", ""), 3);
	cw_stop(&c);
}

/* ---- requests ---- */

static void a_start_tells_what_the_store_said(void **state)
{
	struct ffix *y = *state;

	(void)err_set(&y->fake.err, ERR_INVALID, "the store is damaged");
	y->fake.refuse = 1;
	assert_int_equal(fake_try(y), -ERR_INVALID);
	assert_err(&y->x.err, ERR_INVALID, "read what is stored: the store is damaged");
	assert_false(cache_ready(y->x.pods));
	/* And may be tried again. */
	y->x.started = false;
	world_start(y->x.w, on_start, &y->x);
	wait_for(y->x.f, &y->x.started);
	assert_int_equal(y->x.result, 0);
	assert_true(cache_ready(y->x.pods));
}

static void a_write_that_the_store_refuses_is_told(void **state)
{
	struct ffix *y = *state;
	struct wr r = { 0 };

	fake_open(y);
	(void)err_sysc(&y->fake.err, ERR_SYSTEM, ENOSPC, "commit");
	y->fake.refuse = 1;
	assert_int_equal(wr_do(&y->x, &r, y->x.pods, "a/a", pod_json("a/a", "", ""), 0),
			 -ERR_SYSTEM);
	assert_err(&r.w.err, ERR_SYSTEM, "No space left");
	assert_int_equal(r.w.err.sys, ENOSPC);
	assert_null(cache_get(y->x.pods, SLICE("a/a")));
	assert_int_equal(wr_do(&y->x, &r, y->x.pods, "a/a", pod_json("a/a", "", ""), 0), 0);
}

static void leases_are_shared_and_made_anew(void **state)
{
	struct ffix *y = *state;
	struct wr r[3] = { 0 };
	struct store_stats s;

	fake_open(y);
	for (size_t i = 0; i < 3; i++) {
		r[i].op.ttl = 3600;
		wr_start(&y->x, &r[i], y->x.pods, i ? i > 1 ? "a/c" : "a/b" : "a/a",
			 pod_json("a/x", "", ""), 0);
	}
	for (size_t i = 0; i < 3; i++) {
		wait_for(y->x.f, &r[i].done);
		assert_int_equal(r[i].w.result, 0);
	}
	assert_int_equal(y->fake.leases, 1);
	store_get_stats(y->fake.real, &s);
	assert_int_equal(s.leases, 1);
	r[0].op.ttl = 10; /* another time, another lease */
	assert_int_equal(
		wr_do(&y->x, &r[0], y->x.pods, "a/a", pod_json("a/a", "", ""), CACHE_ANY_REVISION),
		0);
	assert_int_equal(y->fake.leases, 2);
	/* It was over before its time: once more, with a new one. */
	(void)err_set(&y->fake.err, ERR_NOT_FOUND, "lease 1 is over");
	y->fake.refuse = 1;
	r[0].op.ttl = 10;
	assert_int_equal(
		wr_do(&y->x, &r[0], y->x.pods, "a/a", pod_json("a/a", "", ""), CACHE_ANY_REVISION),
		0);
	assert_int_equal(y->fake.leases, 3);
	/* None is to be had. */
	(void)err_set(&y->fake.err, ERR_SYSTEM, "no lease");
	y->fake.refuse = 1;
	r[0].op.ttl = 77;
	assert_int_equal(
		wr_do(&y->x, &r[0], y->x.pods, "a/a", pod_json("a/a", "", ""), CACHE_ANY_REVISION),
		-ERR_SYSTEM);
	assert_err(&r[0].w.err, ERR_SYSTEM, "ask for a lease: no lease");
}

static void a_key_goes_with_its_lease(void **state)
{
	struct ffix *y = *state;
	struct cw c = { 0 };
	struct wr r = { .op.ttl = 1 };
	struct lse l = { 0 };

	fake_open(y);
	cw_start(&y->x, &c, "", 1);
	assert_int_equal(wr_do(&y->x, &r, y->x.pods, "a/a", pod_json("a/a", "", ""), 0), 0);
	assert_true(y->fake.lease != 0);
	l.l.id = y->fake.lease; /* ended now, not in two seconds */
	assert_int_equal(lease(y->x.f, &l), 0);
	until_revision(y, 3);
	assert_int_equal(cache_count(y->x.pods), 0);
	assert_string_equal(buf_str(&c.text), "+a/a@2 -a/a@3 ");
	cw_stop(&c);
}

/* ---- waiting ---- */

struct wt {
	struct world_wait w;
	bool done;
	int result;
	struct err err;
};

static void on_wait(struct world_wait *w, int result, struct err *err)
{
	struct wt *t = CONTAINER_OF(w, struct wt, w);

	t->done = true;
	t->result = result;
	if (err)
		t->err = *err;
}

static void wait_start(struct ffix *y, struct wt *t, int64_t revision)
{
	*t = (struct wt){ .w.done = on_wait };
	world_wait(y->x.w, &t->w, revision);
}

static void who_waits_for_the_present_of_a_shared_store_asks_it(void **state)
{
	struct ffix *y = *state;
	struct wt a, b, c;
	unsigned ranges;

	y->x.conf.shared = true;
	fake_open(y);
	ranges = y->fake.ranges;
	put_pod(y, "a/a", "");
	wait_start(y, &a, 0);
	wait_start(y, &b, 0); /* not sure that the first reading began after it: the next */
	wait_start(y, &c, 0);
	assert_false(a.done);
	wait_for(y->x.f, &a.done);
	wait_for(y->x.f, &b.done);
	wait_for(y->x.f, &c.done);
	assert_int_equal(a.result + b.result + c.result, 0);
	assert_int_equal(y->fake.ranges - ranges, 2);
	assert_int_equal(world_revision(y->x.w), 2);
	/* It cannot be asked. */
	(void)err_set(&y->fake.err, ERR_SYSTEM, "no answer");
	y->fake.refuse = 1;
	wait_start(y, &a, 0);
	wait_for(y->x.f, &a.done);
	assert_int_equal(a.result, -ERR_UNAVAILABLE);
	assert_err(&a.err, ERR_UNAVAILABLE, "ask the store for its revision: no answer");
	wait_start(y, &a, 0);
	world_unwait(&a.w);
	settle(&y->x);
	assert_false(a.done);
}

static void keys_of_others_are_no_reason_to_wait(void **state)
{
	struct ffix *y = *state;
	struct wt a;

	fake_open(y);
	wait_start(y, &a, 1);
	assert_true(a.done);		/* within the call */
	put(y->x.f, "/elsewhere", "x"); /* no event for us */
	wait_start(y, &a, 0);
	wait_for(y->x.f, &a.done);
	assert_int_equal(a.result, 0);
	assert_int_equal(world_revision(y->x.w), 2);
	wait_start(y, &a, 3);
	assert_false(a.done);
	put_pod(y, "a/a", "");
	wait_for(y->x.f, &a.done);
	assert_int_equal(a.result, 0);
}

static void what_is_yet_to_come_is_not_waited_for_for_ever(void **state)
{
	struct ffix *y = *state;
	struct wt a, b;

	fake_open(y);
	wait_start(y, &a, 1000);
	wait_start(y, &b, 2000);
	timer_set(&a.w.timer, 0);
	wait_for(y->x.f, &a.done);
	assert_int_equal(a.result, -ERR_TIMEOUT);
	assert_err(&a.err, ERR_TIMEOUT, "Too large resource version: 1000, current: 1");
	world_close(&y->x); /* who waits is told */
	assert_true(b.done);
	assert_err(&b.err, ERR_UNAVAILABLE, "is being stopped");
	fake_open(y);
}

static void writes_end_though_their_events_do_not_come(void **state)
{
	struct ffix *y = *state;
	struct wr r = { 0 }, d = { 0 };

	fake_open(y);
	put_pod(y, "a/b", "");
	until_revision(y, 2);
	y->fake.no_watch = true;
	break_watch(y, ERR_UNAVAILABLE);
	wr_start(&y->x, &r, y->x.pods, "a/a", pod_json("a/a", "", ""), 0);
	wr_start(&y->x, &d, y->x.pods, "a/b", "", 2);
	while (store_revision(y->fake.real) < 4)
		assert_true(loop_step(y->x.f->loop, NS_PER_SEC, &y->x.err) >= 0);
	settle(&y->x);
	assert_false(r.done);
	world_close(&y->x); /* it is written, though nobody could be told */
	assert_true(r.done && d.done);
	assert_int_equal(r.w.result, 0);
	assert_int_equal(r.revision, 3);
	assert_non_null(strstr(r.json, "\"resourceVersion\":\"3\""));
	assert_int_equal(d.revision, 4);
	y->fake.no_watch = false;
	fake_open(y);
}

/* ---- damaged values ---- */

static void a_start_names_damaged_values(void **state)
{
	struct ffix *y = *state;

	put(y->x.f, "/registry/pods/a/bad", "{\"kind\":\"Pod\"");
	put(y->x.f, "/registry/pods/a/cut",
	    "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{");
	assert_int_equal(fake_try(y), -ERR_INVALID);
	assert_err(&y->x.err, ERR_INVALID, "2 values");
	assert_err(&y->x.err, ERR_INVALID, "key '/registry/pods/a/bad': not an object");
	put(y->x.f, "/registry/pods/a/bad", NULL);
	put(y->x.f, "/registry/pods/a/cut", NULL);
	world_close(&y->x);
	fake_open(y);
}

static void a_damaged_value_is_not_there_until_it_is_mended(void **state)
{
	struct ffix *y = *state;
	struct cw c = { 0 };

	fake_open(y);
	cw_start(&y->x, &c, "", 1);
	put_pod(y, "a/a", "");
	put(y->x.f, "/registry/pods/a/a", "rubbish");
	until_revision(y, 3);
	assert_err(world_error(y->x.w), ERR_INVALID, "key '/registry/pods/a/a'");
	assert_null(cache_get(y->x.pods, SLICE("a/a")));
	put_pod(y, "a/a", "n1");
	until_revision(y, 4);
	assert_null(world_error(y->x.w));
	assert_string_equal(buf_str(&c.text), "+a/a@2 -a/a@3 +a/a@4 ");
	cw_stop(&c);
}

static void history_begins_behind_what_cannot_be_read(void **state)
{
	struct ffix *y = *state;
	struct cw c = { 0 };

	put_pod(y, "a/a", "");
	put(y->x.f, "/registry/pods/a/b", "rubbish");
	put_pod(y, "a/b", "");
	put_pod(y, "a/c", "");
	fake_open(y);
	assert_int_equal(cw_try(&y->x, &c, "", 3), -ERR_GONE);
	cw_start(&y->x, &c, "", 4);
	settle(&y->x);
	assert_string_equal(buf_str(&c.text), "+a/c@5 ");
	cw_stop(&c);
}

/* So many changes are not replayed: watches begin at the start then. */
static void history_of_too_many_changes_is_left_out(void **state)
{
	enum { ROUNDS = 32768 / STORE_OPS_MAX + 1 };
	struct ffix *y = *state;
	struct store_op ops[STORE_OPS_MAX] = { 0 };
	static char keys[STORE_OPS_MAX][40];
	struct txn x[ROUNDS] = { 0 };
	struct cw c = { 0 };

	for (size_t i = 0; i < STORE_OPS_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "/registry/pods/a/%zu", i);
		ops[i].key = slice_str(keys[i]);
		ops[i].value = SLICE("{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{}}");
	}
	for (size_t i = 0; i < ROUNDS; i++) {
		x[i].t = (struct store_txn){ .ops = ops, .nops = STORE_OPS_MAX, .done = on_txn };
		store_commit(y->x.f->s, &x[i].t);
	}
	for (size_t i = 0; i < ROUNDS; i++)
		wait_for(y->x.f, &x[i].done);
	fake_open(y);
	assert_int_equal(cache_count(y->x.pods), STORE_OPS_MAX);
	assert_int_equal(cw_try(&y->x, &c, "", ROUNDS), -ERR_GONE);
	cw_start(&y->x, &c, "", ROUNDS + 1);
	cw_stop(&c);
}

static void a_write_of_what_is_no_object_is_refused(void **state)
{
	struct ffix *y = *state;
	struct wr r = { 0 };

	fake_open(y);
	assert_int_equal(wr_do(&y->x, &r, y->x.pods, "a/a", "{\"kind\":\"Node\"}", 0),
			 -ERR_INVALID);
	assert_err(&r.w.err, ERR_INVALID, "key '/registry/pods/a/a': not an object");
	assert_int_equal(store_revision(y->fake.real), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
		T(a_watch_that_breaks_off_goes_on_from_where_it_was),
		T(lost_history_is_read_again_and_told_as_changes),
		T(a_reading_again_that_fails_is_tried_again),
		T(a_store_that_was_put_back_ends_all_watches),
		T(a_start_tells_what_the_store_said),
		T(a_write_that_the_store_refuses_is_told),
		T(leases_are_shared_and_made_anew),
		T(a_key_goes_with_its_lease),
		T(who_waits_for_the_present_of_a_shared_store_asks_it),
		T(keys_of_others_are_no_reason_to_wait),
		T(what_is_yet_to_come_is_not_waited_for_for_ever),
		T(writes_end_though_their_events_do_not_come),
		T(a_start_names_damaged_values),
		T(a_damaged_value_is_not_there_until_it_is_mended),
		T(history_begins_behind_what_cannot_be_read),
		T(history_of_too_many_changes_is_left_out),
		T(a_write_of_what_is_no_object_is_refused),
	};

	log_setup("test", -1, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
