/* SPDX-License-Identifier: Apache-2.0 */
/* What store.h says of transactions, ranges, watches and leases, sentence by sentence. */
#include "fixture.h"

/* ---- transactions ---- */

static void a_change_is_one_revision_and_nothing_is_none(void **state)
{
	struct fix *f = *state;
	struct store_op ops[] = {
		{ .key = SLICE("/a"), .value = SLICE("1") },
		{ .key = SLICE("/b"), .value = SLICE("2") },
		{ .key = SLICE("/c"), .remove = true },
	};
	struct txn x = { .t = { .ops = ops, .nops = 3 } };

	assert_int_equal(store_revision(f->s), 1);
	assert_int_equal(commit(f, &x), 0);
	assert_int_equal(x.t.revision, 2);
	assert_int_equal(store_revision(f->s), 2);
	assert_range(f, "", 0, "/a=1@2 /b=2@2 ");
	x.t.ops = ops + 2;
	x.t.nops = 1;
	assert_int_equal(commit(f, &x), 0);
	assert_int_equal(x.t.revision, 2);
	x.t.nops = 0;
	assert_int_equal(commit(f, &x), 0);
	assert_int_equal(x.t.revision, 2);
	assert_int_equal(put(f, "/a", "1"), 3); /* the same value is a change */
	assert_int_equal(put(f, "/a", NULL), 4);
	assert_range(f, "", 0, "/b=2@2 ");
	verify(f);
}

static void a_key_keeps_the_revision_of_its_creation_until_it_is_removed(void **state)
{
	struct fix *f = *state;
	struct store_guard g = { .key = SLICE("k"), .mod_revision = 99 };
	struct txn x = { .t = { .guards = &g, .nguards = 1 } };

	put(f, "k", "a");
	put(f, "k", "b");
	assert_int_equal(commit(f, &x), 1);
	assert_int_equal(x.t.current.create_revision, 2);
	assert_int_equal(x.t.current.mod_revision, 3);
	put(f, "k", NULL);
	put(f, "k", "c");
	assert_int_equal(commit(f, &x), 1);
	assert_int_equal(x.t.current.create_revision, 5);
}

static void a_guard_that_does_not_hold_changes_nothing_and_tells_the_key(void **state)
{
	struct fix *f = *state;
	struct store_guard g[] = { { SLICE("/new"), 0 }, { SLICE("/a"), 7 } };
	struct store_op op = { .key = SLICE("/new"), .value = SLICE("x") };
	struct txn x = { .t = { .guards = g, .nguards = 2, .ops = &op, .nops = 1 } };
	int64_t rev = put(f, "/a", "now");

	assert_int_equal(commit(f, &x), 1);
	assert_int_equal(x.t.failed, 1);
	assert_true(x.t.exists);
	assert_string_equal(x.current, "now");
	assert_int_equal(x.t.revision, rev);
	assert_range(f, "", 0, "/a=now@2 ");
	g[1].mod_revision = rev;
	assert_int_equal(commit(f, &x), 0);
	assert_int_equal(x.t.revision, rev + 1);
	assert_int_equal(commit(f, &x), 1); /* it is there by now */
	assert_int_equal(x.t.failed, 0);
	g[0].key = SLICE("/none");
	g[0].mod_revision = 3;
	assert_int_equal(commit(f, &x), 1);
	assert_false(x.t.exists);
}

static void commits_at_once_share_and_do_not_disturb_each_other(void **state)
{
	struct fix *f = *state;
	struct store_guard absent = { SLICE("/one"), 0 };
	static struct txn x[100];
	struct store_op ops[100];
	char keys[100][16];
	int won = 0;

	for (int i = 0; i < 100; i++) {
		snprintf(keys[i], sizeof(keys[i]), "/k%03d", i);
		ops[i] = (struct store_op){ .key = slice_str(i % 2 ? "/one" : keys[i]),
					    .value = slice_str(keys[i]) };
		x[i] = (struct txn){ .t = { .ops = &ops[i], .nops = 1, .done = on_txn } };
		if (i % 2) {
			x[i].t.guards = &absent;
			x[i].t.nguards = 1;
		}
		store_commit(f->s, &x[i].t);
	}
	for (int i = 0; i < 100; i++) {
		wait_for(f, &x[i].done);
		won += i % 2 && x[i].t.result == 0;
#ifndef STORE_ETCD /* keeps no order among those that are under way together */
		assert_int_equal(x[i].t.result, i % 2 && i != 1 ? 1 : 0);
#endif
	}
	assert_int_equal(won, 1);
	assert_int_equal(store_revision(f->s), 1 + 51);
	verify(f);
}

/* Behind many that were under way together, few are a batch of their own after a moment. */
static void who_comes_alone_behind_many_is_not_left_waiting(void **state)
{
	static const size_t crowds[] = { 40, 1, 1, 3, 1, 40, 2, 1 };
	struct fix *f = *state;
	static struct txn x[40];
	struct store_op op = { .key = SLICE("/a"), .value = SLICE("v") };
	int64_t revision = store_revision(f->s);

	for (size_t i = 0; i < ARRAY_LEN(crowds); i++) {
		for (size_t n = 0; n < crowds[i]; n++) {
			x[n] = (struct txn){ .t = { .ops = &op, .nops = 1, .done = on_txn } };
			store_commit(f->s, &x[n].t);
		}
		for (size_t n = 0; n < crowds[i]; n++) {
			wait_for(f, &x[n].done);
			assert_int_equal(x[n].t.result, 0);
		}
		revision += (int64_t)crowds[i];
		assert_int_equal(store_revision(f->s), revision);
	}
	verify(f);
}

static void requests_that_are_not_well_formed_are_refused(void **state)
{
	struct fix *f = *state;
	CLEANUP_FREE char *big = calloc(1, STORE_VALUE_MAX + 1);
	struct store_op ops[] = { { .key = SLICE("a") }, { .key = SLICE("a") } };
	static struct store_op many[STORE_OPS_MAX + 1];
	struct txn x = { .t = { .ops = ops, .nops = 2 } };
	struct rng r = { .r = { .prefix = SLICE("/a"), .from = SLICE("/b") } };

	assert_int_equal(commit(f, &x), -ERR_INVALID);
	assert_err(&x.t.err, ERR_INVALID, "twice");
	ops[0].key = SLICE("");
	assert_int_equal(commit(f, &x), -ERR_INVALID);
	ops[0] = (struct store_op){ .key = slice_of(big, STORE_KEY_MAX + 1) };
	assert_int_equal(commit(f, &x), -ERR_TOO_LARGE);
	ops[0] =
		(struct store_op){ .key = SLICE("a"), .value = slice_of(big, STORE_VALUE_MAX + 1) };
	x.t.nops = 1;
	assert_int_equal(commit(f, &x), -ERR_TOO_LARGE);
	ops[0] = (struct store_op){ .key = SLICE("a"), .remove = true, .value = SLICE("v") };
	assert_int_equal(commit(f, &x), -ERR_INVALID);
	x.t.ops = many;
	x.t.nops = STORE_OPS_MAX + 1;
	assert_int_equal(commit(f, &x), -ERR_TOO_LARGE);
	assert_int_equal(range(f, &r), -ERR_INVALID);
	assert_err(&r.r.err, ERR_INVALID, "not within");
	assert_int_equal(store_revision(f->s), 1);
#ifdef STORE_ETCD /* has a limit of its own, 1.5 MiB */
	ops[0] = (struct store_op){ .key = SLICE("a"), .value = slice_of(big, 2u << 20) };
	x.t.ops = ops;
	x.t.nops = 1;
	assert_int_equal(commit(f, &x), -ERR_TOO_LARGE);
	assert_err(&x.t.err, ERR_TOO_LARGE, "etcd at http");
	return;
#endif
	/* at the limits all is well */
	ops[0] = (struct store_op){ .key = slice_of(big, STORE_KEY_MAX),
				    .value = slice_of(big, STORE_VALUE_MAX) };
	x.t.ops = ops;
	x.t.nops = 1;
	assert_int_equal(commit(f, &x), 0);
	verify(f);
}

/* ---- ranges ---- */

static void ranges_begin_end_and_count(void **state)
{
	struct fix *f = *state;
	struct rng x = { .r = { .prefix = SLICE("/p/"), .limit = 2 } };
	const char *const keys[] = { "/o", "/p/a", "/p/b", "/p/c", "/p/d", "/p", "/q", "/p/\xff" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		put(f, keys[i], "v");
	assert_int_equal(range(f, &x), 0);
	assert_string_equal(buf_str(&x.text), "/p/a=v@3 /p/b=v@4 ");
	assert_true(x.r.more);
	assert_int_equal(x.r.revision_now, 9);
	x.r.from = SLICE("/p/b\0");
	x.r.from.n = 5;
	x.r.count = true;
	assert_int_equal(range(f, &x), 0);
	assert_string_equal(buf_str(&x.text), "/p/c=v@5 /p/d=v@6 ");
	assert_true(x.r.more);
	assert_int_equal(x.r.total, 1);
	x.r.limit = 3;
	assert_int_equal(range(f, &x), 0);
	assert_false(x.r.more);
	assert_int_equal(x.r.total, 0);
	x.r.from = (struct slice){ 0 };
	x.r.count_only = true;
	assert_int_equal(range(f, &x), 0);
	assert_int_equal(x.r.total, 5);
	assert_int_equal(x.n, 0);
	x = (struct rng){ .r = { .prefix = SLICE("/p"), .exact = true, .keys_only = true },
			  .text = x.text };
	assert_int_equal(range(f, &x), 0);
	assert_string_equal(buf_str(&x.text), "/p=@7 ");
	x.r.prefix = SLICE("/none");
	assert_int_equal(range(f, &x), 0);
	assert_int_equal(x.n, 0);
	buf_fini(&x.text);
}

static void a_prefix_of_highest_bytes_has_an_end(void **state)
{
	struct fix *f = *state;

	put(f, "\xff\xff", "a");
	put(f, "\xff\xff\xff", "b");
	put(f, "\xfe", "c");
	assert_range(f, "\xff\xff", 0, "\xff\xff=a@2 \xff\xff\xff=b@3 ");
	assert_range(f, "\xfe", 0, "\xfe=c@4 ");
}

static void the_past_reads_as_it_was(void **state)
{
	struct fix *f = *state;
	struct rng x = { .r = { .prefix = SLICE(""), .revision = 4, .count_only = true } };

	put(f, "a", "1");
	put(f, "b", "2");
	put(f, "a", NULL);
	put(f, "a", "3");
	put(f, "a", "4");
	put(f, "b", NULL);
	assert_range(f, "", 1, "");
	assert_range(f, "", 2, "a=1@2 ");
	assert_range(f, "", 3, "a=1@2 b=2@3 ");
	assert_range(f, "", 4, "b=2@3 ");
	assert_range(f, "", 5, "a=3@5 b=2@3 ");
	assert_range(f, "", 7, "a=4@6 ");
	assert_int_equal(range(f, &x), 0);
	assert_int_equal(x.r.total, 1);
	x.r.revision = 8;
	assert_int_equal(range(f, &x), -ERR_BAD_REQUEST);
	assert_err(&x.r.err, ERR_BAD_REQUEST, "yet to come");
}

static void the_reader_may_end_a_range(void **state)
{
	struct fix *f = *state;
	struct rng x = { .r.prefix = SLICE(""), .stop_at = 2 };

	put(f, "a", "1");
	put(f, "b", "1");
	put(f, "c", "1");
	assert_int_equal(range(f, &x), -ERR_QUOTA);
	assert_int_equal(x.n, 2);
	buf_fini(&x.text);
}

#ifndef STORE_ETCD
struct mixed {
	struct rng x;
	struct fix *f;
	struct txn t[8];
	struct store_op op[8];
	unsigned n;
	size_t bytes;
};

static int write_meanwhile(struct store_range *r, const struct store_kv *kv)
{
	struct mixed *m = CONTAINER_OF(CONTAINER_OF(r, struct rng, r), struct mixed, x);

	assert_true(kv->value.n == 60000 && kv->value.p[0] == 'o');
	m->bytes += kv->value.n;
	if (m->x.n++ % 2 == 0 && m->n < 8) { /* what is read later has changed by then */
		static const char *const keys[] = { "k19", "k18", "k17", "k16",
						    "k15", "k20", "k21", "k22" };

		m->op[m->n] = (struct store_op){ .key = slice_str(keys[m->n]),
						 .value = SLICE("new"),
						 .remove = false };
		m->t[m->n].t = (struct store_txn){ .ops = &m->op[m->n], .nops = 1, .done = on_txn };
		store_commit(m->f->s, &m->t[m->n].t);
		m->n++;
	}
	return 0;
}

static void a_long_range_is_of_one_revision_while_others_write_and_compact(void **state)
{
	struct fix *f = *state;
	struct mixed m = { .f = f };
	struct tsk c = { .t.done = on_task };
	struct store_op op = { .value = { calloc(1, 60000), 60000 } };
	struct txn t = { .t = { .ops = &op, .nops = 1 } };

	memset((char *)(uintptr_t)op.value.p, 'o', 60000);
	for (int i = 0; i < 20; i++) {
		char key[8];

		snprintf(key, sizeof(key), "k%02d", i);
		op.key = slice_str(key);
		assert_int_equal(commit(f, &t), 0);
	}
	m.x.r = (struct store_range){ .prefix = SLICE("k"),
				      .each = write_meanwhile,
				      .done = on_range };
	store_range(f->s, &m.x.r);
	while (!m.x.done) {
		assert_true(loop_step(f->loop, NS_PER_SEC, &f->err) >= 0);
		if (m.n == 8 && m.t[7].done && !c.t.revision) {
			c.t.revision = store_revision(f->s);
			store_compact(f->s, &c.t);
		}
	}
	assert_int_equal(m.x.r.result, 0);
	assert_int_equal(m.x.n, 20);
	assert_int_equal(m.bytes, 20 * 60000);
	for (unsigned i = 0; i < m.n; i++)
		wait_for(f, &m.t[i].done);
	if (c.t.revision)
		wait_for(f, &c.done);
	free((char *)(uintptr_t)op.value.p);
	verify(f);
}

#endif

/* ---- watches ---- */

static void a_watch_sees_later_events_of_its_prefix_with_values_before(void **state)
{
	struct fix *f = *state;
	struct wat x, all;

	put(f, "/a/1", "x");
	watch(f, &x, "/a/", 0);
	watch(f, &all, "", 0);
	put(f, "/a/1", "y");
	put(f, "/b/1", "z");
	put(f, "/a/1", NULL);
	put(f, "/a/1", "w");
	wait_revision(f, &x, 6);
	wait_revision(f, &all, 6);
	assert_string_equal(buf_str(&x.text), "+/a/1=y@3<x@2 -/a/1=@5<y@3 +/a/1=w@6 ");
	assert_int_equal(all.n, 4);
	unwatch(f, &x);
	unwatch(f, &all);
	put(f, "/a/1", "after");
}

static void events_come_before_the_answer(void **state)
{
	struct fix *f = *state;
	struct wat x;

	watch(f, &x, "k", 0);
	put(f, "k", "v");
	assert_string_equal(buf_str(&x.text), "+k=v@2 ");
	unwatch(f, &x);
}

static void a_watch_from_a_revision_joins_history_and_present(void **state)
{
	struct fix *f = *state;
	struct wat x[20];
	char key[16], want[32];

	put(f, "k", "1");
	for (int i = 0; i < 20; i++) {
		watch(f, &x[i], "k", 1 + i);
		snprintf(key, sizeof(key), "k%d", i);
		put(f, key, "v");
	}
	for (int i = 0; i < 20; i++) {
		wait_revision(f, &x[i], 22);
		assert_int_equal(x[i].n, 21 - i); /* none twice, none left out */
		snprintf(want, sizeof(want), i ? "+k%d=v@%d " : "+k=1@2 ", i - 1, 2 + i);
		assert_memory_equal(buf_str(&x[i].text), want, strlen(want));
		unwatch(f, &x[i]);
	}
}

static void a_watch_that_has_nothing_to_replay_is_told_where_it_is(void **state)
{
	struct fix *f = *state;
	struct wat x;

	put(f, "k", "1");
	watch(f, &x, "other", 1);
	wait_revision(f, &x, 2);
	assert_int_equal(x.n, 0);
	assert_int_equal(x.calls, 1);
	unwatch(f, &x);
}

static void progress_comes_when_asked_and_by_itself(void **state)
{
	struct fix *f = *state;
	struct wat x;

	watch(f, &x, "quiet", 0);
	store_progress(f->s, &x.w);
	assert_int_equal(x.calls, 0);
	wait_for(f, &x.flag);
	assert_int_equal(x.revision, 1);
	put(f, "loud", "1");
	wait_revision(f, &x, 2);
	assert_int_equal(x.n, 0);
	unwatch(f, &x);
}

static void events_of_a_revision_are_never_split(void **state)
{
	struct fix *f = *state;
	static char big[40000];
	char keys[20][8];
	struct store_op ops[20];
	struct txn t = { .t = { .ops = ops, .nops = 20 } };
	struct wat x;

	memset(big, 'b', sizeof(big) - 1);
	for (int i = 0; i < 20; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%02d", i);
		ops[i] = (struct store_op){ .key = slice_str(keys[i]), .value = slice_str(big) };
	}
	assert_int_equal(commit(f, &t), 0);
	assert_int_equal(commit(f, &t), 0);
	watch(f, &x, "k", 1);
	while (x.revision < 3) {
		int before = x.n;

		x.flag = false;
		wait_for(f, &x.flag);
		assert_int_equal((x.n - before) % 20, 0);
	}
	assert_int_equal(x.n, 40);
	unwatch(f, &x);
}

static void a_watch_of_what_is_gone_or_to_come_ends(void **state)
{
	struct fix *f = *state;
	struct wat x;

	for (int i = 0; i < 5; i++)
		put(f, "k", "v");
	compact(f, 4);
#ifdef STORE_ETCD /* the revision of the compaction itself is still told */
	watch(f, &x, "k", 2);
#else
	watch(f, &x, "k", 3);
#endif
	wait_for(f, &x.ended);
	assert_err(&x.end, ERR_GONE, "compacted");
	unwatch(f, &x);
	watch(f, &x, "k", 4);
	wait_revision(f, &x, 6);
	assert_string_equal(buf_str(&x.text), "+k=v@5<v@4 +k=v@6<v@5 ");
	unwatch(f, &x);
	watch(f, &x, "k", 7);
	wait_for(f, &x.ended);
	assert_err(&x.end, ERR_BAD_REQUEST, "yet to come");
	unwatch(f, &x);
}

#ifndef STORE_ETCD
static void end_both(struct store_watch *w, const struct store_event *v, size_t n, int64_t revision)
{
	struct wat *x = CONTAINER_OF(w, struct wat, w);

	on_events(w, v, n, revision);
	store_unwatch(x->f->s, w);
	store_unwatch(x->f->s, &(x + 1)->w);
	watch(x->f, x + 2, "k", 0);
}

static void a_callback_may_end_and_begin_watches(void **state)
{
	struct fix *f = *state;
	struct wat x[3];

	watch(f, &x[0], "k", 0);
	watch(f, &x[1], "k", 0);
	x[0].w.events = end_both;
	put(f, "k", "1");
	assert_int_equal(x[0].n, 1);
	assert_int_equal(x[1].n, 0);
	put(f, "k", "2");
	assert_int_equal(x[0].n, 1);
	assert_string_equal(buf_str(&x[2].text), "+k=2@3<1@2 ");
	unwatch(f, &x[2]);
	buf_fini(&x[0].text);
	buf_fini(&x[1].text);
}

#endif

static void a_watch_without_values_before_is_cheaper(void **state)
{
	struct fix *f = *state;
	struct wat x;

	put(f, "k", "1");
	watch(f, &x, "k", 0);
	store_unwatch(f->s, &x.w);
	x.w.no_prev = true;
	assert_int_equal(store_watch(f->s, &x.w, &f->err), 0);
	put(f, "k", "2");
	assert_string_equal(buf_str(&x.text), "+k=2@3<@2 ");
	unwatch(f, &x);
}

static void an_unwatched_replay_is_silent(void **state)
{
	struct fix *f = *state;
	struct wat x;

	put(f, "k", "1");
	watch(f, &x, "k", 1);
	unwatch(f, &x);
	put(f, "k", "2");
	assert_range(f, "k", 0, "k=2@3 ");
	assert_int_equal(x.calls, 0);
}

/* ---- leases ---- */

/* "a" and "b" under a lease of a second, or of as many as it takes a busy machine. */
static int64_t put_short_lived(struct fix *f)
{
	struct store_op ops[] = { { .key = SLICE("a"), .value = SLICE("1") },
				  { .key = SLICE("b"), .value = SLICE("2") } };
	struct txn t = { .t = { .ops = ops, .nops = 2 } };
	struct lse l = { .l.ttl = 1 };

	for (;; l.l.ttl *= 2) {
		l.l.id = 0;
		assert_int_equal(lease(f, &l), 0);
		assert_true(l.l.id > 0);
		ops[0].lease = ops[1].lease = l.l.id;
		if (commit(f, &t) == 0)
			return l.l.id;
		assert_err(&t.t.err, ERR_NOT_FOUND, "is over");
	}
}

static void keys_go_when_their_lease_is_over(void **state)
{
	struct fix *f = *state;
	struct lse l = { .l.ttl = 1 };
	struct wat x;

	watch(f, &x, "", 0);
	l.l.id = put_short_lived(f);
	wait_revision(f, &x, 3);
	assert_string_equal(buf_str(&x.text), "+a=1@2 +b=2@2 -a=@3<1@2 -b=@3<2@2 ");
	assert_range(f, "", 0, "");
	assert_int_equal(lease(f, &l), -ERR_NOT_FOUND);
	assert_err(&l.l.err, ERR_NOT_FOUND, "is over");
	unwatch(f, &x);
	verify(f);
}

static void a_lease_is_kept_alive_and_revoked(void **state)
{
	struct fix *f = *state;
	struct lse l = { .l.ttl = 3600 };
	struct store_op op = { .key = SLICE("k"), .value = SLICE("v"), .lease = 12345 };
	struct txn t = { .t = { .ops = &op, .nops = 1 } };
	struct store_stats st;

	assert_int_equal(commit(f, &t), -ERR_NOT_FOUND);
	assert_int_equal(store_revision(f->s), 1);
	assert_int_equal(lease(f, &l), 0);
	l.l.ttl = 1;
	assert_int_equal(lease(f, &l), 0);
	assert_int_equal(l.l.ttl, 3600); /* as granted */
	put_lease(f, "k", "v", l.l.id);
	put_lease(f, "c", "3", l.l.id);
	put(f, "c", "4"); /* leaves it */
#ifndef STORE_ETCD	  /* figures come later there, and none of leases */
	store_get_stats(f->s, &st);
	assert_int_equal(st.leases, 1);
#endif
	l.l.ttl = 0;
	assert_int_equal(lease(f, &l), 0);
	assert_range(f, "", 0, "c=4@4 ");
	assert_int_equal(store_revision(f->s), 5);
	assert_int_equal(lease(f, &l), -ERR_NOT_FOUND);
	l.l = (struct store_lease){ .ttl = -1 };
	assert_int_equal(lease(f, &l), -ERR_INVALID);
	store_get_stats(f->s, &st);
	assert_int_equal(st.leases, 0);
#ifdef STORE_ETCD
	while (st.keys != 1 || st.bytes == 0) {
		assert_true(loop_step(f->loop, NS_PER_SEC, &f->err) >= 0);
		store_get_stats(f->s, &st);
	}
#endif
	assert_int_equal(st.keys, 1);
	verify(f);
}

static void leases_go_on_while_the_store_is_closed(void **state)
{
	struct fix *f = *state;
	struct lse longer = { .l.ttl = 3600 };
	struct wat x;

	assert_int_equal(lease(f, &longer), 0);
	put_lease(f, "z", "1", longer.l.id);
	put_short_lived(f);
	fix_close(f);
	fix_open(f);
	watch(f, &x, "a", 3);
	wait_revision(f, &x, 4);
	while (x.n == 0) {
		x.flag = false;
		wait_for(f, &x.flag);
	}
	assert_string_equal(buf_str(&x.text), "-a=@4<1@3 ");
	assert_range(f, "", 0, "z=1@2 ");
	unwatch(f, &x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(a_change_is_one_revision_and_nothing_is_none),
		T(a_key_keeps_the_revision_of_its_creation_until_it_is_removed),
		T(a_guard_that_does_not_hold_changes_nothing_and_tells_the_key),
		T(commits_at_once_share_and_do_not_disturb_each_other),
		T(who_comes_alone_behind_many_is_not_left_waiting),
		T(requests_that_are_not_well_formed_are_refused),
		T(ranges_begin_end_and_count),
		T(a_prefix_of_highest_bytes_has_an_end),
		T(the_past_reads_as_it_was),
		T(the_reader_may_end_a_range),
#ifndef STORE_ETCD /* there a compaction ends it (store.h) */
		T(a_long_range_is_of_one_revision_while_others_write_and_compact),
#endif
		T(a_watch_sees_later_events_of_its_prefix_with_values_before),
		T(events_come_before_the_answer),
		T(a_watch_from_a_revision_joins_history_and_present),
		T(a_watch_that_has_nothing_to_replay_is_told_where_it_is),
		T(progress_comes_when_asked_and_by_itself),
		T(events_of_a_revision_are_never_split),
		T(a_watch_of_what_is_gone_or_to_come_ends),
#ifndef STORE_ETCD /* no order among watches */
		T(a_callback_may_end_and_begin_watches),
#endif
		T(a_watch_without_values_before_is_cheaper),
		T(an_unwatched_replay_is_silent),
		T(keys_go_when_their_lease_is_over),
		T(a_lease_is_kept_alive_and_revoked),
		T(leases_go_on_while_the_store_is_closed),
	};

#ifdef STORE_ETCD
	struct etcd_server look;

	etcd_find(&look);
	etcd_network();
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
