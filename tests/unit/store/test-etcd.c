/* SPDX-License-Identifier: Apache-2.0 */
/* What only a cluster can do: members that die under readers, writers and watchers; users;
 * snapshots; members compared. */
#define STORE_ETCD
#include "fixture.h"
#include "store/etcd.h"

#include <spawn.h>

static int three(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/teu-etcd-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->other, sizeof(f->other), "%s/snapshot.db", f->dir);
	assert_int_equal(loop_new(&f->loop, &f->err), 0);
	etcd_begin(&f->etcd, f->dir, 3);
	fix_open(f);
	*state = f;
	return 0;
}

/* The answer of a program of etcd's. */
static int run(const char *const *argv)
{
	pid_t pid;
	int status;

	assert_int_equal(posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void ctl(struct fix *f, const char *a, const char *b, const char *c, const char *d)
{
	char program[600], url[80];
	const char *const argv[] = { program, url, "--command-timeout=30s", a, b, c, d, NULL };

	snprintf(program, sizeof(program), "%sctl", f->etcd.program);
	snprintf(url, sizeof(url), "--endpoints=%s", f->etcd.url[0]);
	(void)setenv("ETCDCTL_API", "3", 1);
	assert_int_equal(run(argv), 0);
}

static int64_t put_guarded(struct fix *f, const char *key, const char *value, int64_t expect)
{
	struct store_guard g = { slice_str(key), expect };
	struct store_op op = { .key = slice_str(key), .value = slice_str(value) };
	struct txn x = { .t = { .guards = &g, .nguards = 1, .ops = &op, .nops = 1 } };

	if (commit(f, &x) != 0)
		fail_msg("%s=%s: %d %s %s", key, value, x.t.result, x.t.err.msg, x.current);
	return x.t.revision;
}

static void members_die_and_nobody_notices(void **state)
{
	struct fix *f = *state;
	struct buf want = BUF_INIT(1 << 20);
	int64_t rev = 0;
	struct wat x;

	watch(f, &x, "/k", 0);
	for (int i = 0; i < 120; i++) {
		char value[16];
		int64_t before = rev;

		/* One of three is away at any time, each in turn, also the one that is asked. */
		if (i % 40 == 10)
			etcd_kill(&f->etcd, (size_t)i / 40);
		if (i % 40 == 30)
			etcd_start(&f->etcd, (size_t)i / 40);
		snprintf(value, sizeof(value), "%d", i);
		rev = put_guarded(f, "/k", value, before);
		assert_true(rev > before);
		(void)buf_addf(&want, "+/k=%d@%lld", i, (long long)rev);
		if (i)
			(void)buf_addf(&want, "<%d@%lld", i - 1, (long long)before);
		(void)buf_addc(&want, ' ');
		assert_string_equal(buf_str(&x.text), buf_str(&want));
	}
	unwatch(f, &x);
	buf_fini(&want);
	verify(f);
}

static void more_at_once_than_a_connection_has_streams(void **state)
{
	static struct txn t[400];
	static struct store_op op[400];
	static char keys[400][16];
	struct fix *f = *state;
	struct wat x;

	watch(f, &x, "/m/", 0);
	for (int i = 0; i < 400; i++) {
		snprintf(keys[i], sizeof(keys[i]), "/m/%d", i);
		op[i] = (struct store_op){ .key = slice_str(keys[i]), .value = SLICE("v") };
		t[i] = (struct txn){ .t = { .ops = &op[i], .nops = 1, .done = on_txn } };
		store_commit(f->s, &t[i].t);
	}
	for (int i = 0; i < 400; i++) {
		wait_for(f, &t[i].done);
		if (t[i].t.result != 0)
			fail_msg("%d: %s", i, t[i].t.err.msg);
	}
	assert_int_equal(x.n, 400);
	unwatch(f, &x);
}

static void a_range_of_many_pages_is_of_one_revision(void **state)
{
	struct fix *f = *state;
	struct rng x = { .r = { .prefix = SLICE("/n/") } };
	struct store_op ops[100];
	char keys[100][16];
	struct txn t = { .t = { .ops = ops, .nops = 100 } };

	for (int k = 0; k < 20; k++) {
		for (int i = 0; i < 100; i++) {
			snprintf(keys[i], sizeof(keys[i]), "/n/%04d", k * 100 + i);
			ops[i] =
				(struct store_op){ .key = slice_str(keys[i]), .value = SLICE("v") };
		}
		assert_int_equal(commit(f, &t), 0);
	}
	assert_int_equal(range(f, &x), 0);
	assert_int_equal(x.n, 2000);
	assert_false(x.r.more);
	x.r.limit = 700;
	x.r.from = SLICE("/n/0500");
	x.r.revision = x.r.revision_now - 5;
	assert_int_equal(range(f, &x), 0);
	assert_int_equal(x.n, 700);
	assert_true(x.r.more);
	assert_int_equal(x.r.total, 2000 - 500 - 500 - 700); /* five hundreds were not there yet */
	assert_true(strncmp(buf_str(&x.text), "/n/0500=v@", 10) == 0);
	buf_fini(&x.text);
}

static void users_are_known_by_tokens_that_are_renewed(void **state)
{
	struct fix *f = *state;
	struct store_etcd_options o = { .loop = f->loop,
					.endpoints = f->etcd.urls,
					.nendpoints = 3,
					.user = "root",
					.password = "secret" };
	struct wat x;

	ctl(f, "user", "add", "root:secret", NULL);
	ctl(f, "user", "grant-role", "root", "root");
	ctl(f, "auth", "enable", NULL, NULL);
	fix_close(f);
	f->err = ERR_INIT;
	o.password = "wrong";
	assert_int_equal(store_open_etcd(&o, &f->s, &f->err), -ERR_UNAUTHORIZED);
	assert_null(strstr(f->err.msg, "wrong"));
	o.password = "secret";
	f->err = ERR_INIT;
	if (store_open_etcd(&o, &f->s, &f->err) < 0)
		fail_msg("%s", f->err.msg);
	watch(f, &x, "k", 0);
	put(f, "k", "1");
	for (size_t i = 0; i < 3; i++) /* members forget their tokens when they end */
		etcd_kill(&f->etcd, i);
	for (size_t i = 0; i < 3; i++)
		etcd_start(&f->etcd, i);
	(void)put_guarded(f, "l", "2", 0);
	assert_true(put_guarded(f, "k2", "3", 0) > 0);
	assert_int_equal(x.n, 2);
	unwatch(f, &x);
}

static void a_snapshot_is_etcds_own(void **state)
{
	struct fix *f = *state;
	struct tsk x = { .t.path = f->other };

	put(f, "a", "1");
	if (task(f, store_backup, &x) < 0)
		fail_msg("%s", x.t.err.msg);
	ctl(f, "snapshot", "status", f->other, NULL);
	assert_int_equal(task(f, store_backup, &x), -ERR_EXISTS);
	assert_err(&x.t.err, ERR_EXISTS, "snapshot.db");
	x.t.path = "/nowhere/at/all";
	assert_int_equal(task(f, store_backup, &x), -ERR_SYSTEM);
	assert_err(&x.t.err, ERR_SYSTEM, "/nowhere/at");
}

static void closing_ends_what_waits(void **state)
{
	struct fix *f = *state;
	struct store_op op = { .key = SLICE("k"), .value = SLICE("v") };
	struct txn t = { .t = { .ops = &op, .nops = 1, .done = on_txn } };
	struct rng r = { .r = { .each = on_each, .done = on_range } };
	struct wat x;

	watch(f, &x, "", 0);
	store_commit(f->s, &t.t);
	store_range(f->s, &r.r);
	fix_close(f);
	assert_true(t.done && r.done);
	assert_int_equal(t.t.result, -ERR_UNAVAILABLE);
	assert_int_equal(r.r.result, -ERR_UNAVAILABLE);
	assert_false(x.ended);
	buf_fini(&x.text);
	buf_fini(&r.text);
	fix_open(f);
}

static void without_a_quorum_writes_end_in_time(void **state)
{
	struct fix *f = *state;
	struct store_op op = { .key = SLICE("k"), .value = SLICE("v") };
	struct txn t = { .t = { .ops = &op, .nops = 1 } };
	struct store_etcd_options o = {
		.loop = f->loop, .endpoints = f->etcd.urls, .nendpoints = 3, .time = NS_PER_SEC
	};

	fix_close(f);
	if (store_open_etcd(&o, &f->s, &f->err) < 0)
		fail_msg("%s", f->err.msg);
	etcd_kill(&f->etcd, 1);
	etcd_kill(&f->etcd, 2);
	assert_true(commit(f, &t) < 0);
	assert_non_null(strstr(t.t.err.msg, "etcd at http://127.0.0.1:"));
	etcd_start(&f->etcd, 1);
	for (int i = 0; i < 40 && commit(f, &t) < 0; i++)
		;
	assert_int_equal(t.t.result, 0);
}

static void nobody_there_is_told_of_each(void **state)
{
	static const char *const urls[] = { "http://127.0.0.1:1", "http://127.0.0.1:2" },
				 *const odd[] = { "ftp://x" },
				 *const tls[] = { "https://127.0.0.1:1" };
	struct fix f = { .s = NULL };
	struct store_etcd_options o = { .endpoints = urls, .nendpoints = 2 };

	(void)state;
	assert_int_equal(loop_new(&f.loop, &f.err), 0);
	o.loop = f.loop;
	assert_int_equal(store_open_etcd(&o, &f.s, &f.err), -ERR_UNAVAILABLE);
	assert_err(&f.err, ERR_UNAVAILABLE, "127.0.0.1:1");
	assert_err(&f.err, ERR_UNAVAILABLE, "127.0.0.1:2");
	o.nendpoints = 0;
	assert_int_equal(store_open_etcd(&o, &f.s, &f.err), -ERR_INVALID);
	o = (struct store_etcd_options){ .loop = f.loop, .endpoints = odd, .nendpoints = 1 };
	assert_int_equal(store_open_etcd(&o, &f.s, &f.err), -ERR_INVALID);
	assert_err(&f.err, ERR_INVALID, "ftp://x");
	o.endpoints = tls;
	assert_int_equal(store_open_etcd(&o, &f.s, &f.err), -ERR_INVALID);
	assert_err(&f.err, ERR_INVALID, "no CA");
	loop_free(f.loop);
}

/* The other branch of a transaction: guards did not hold, "k" has `value` at revision 7. */
static void put_looked(struct pb_writer *w, const char *value)
{
	const size_t begin = pb_size(w); /* messages are written from their end */

	pb_field_bytes(w, 5, slice_str(value));
	pb_field_varint(w, 3, 7);
	pb_field_varint(w, 2, 5);
	pb_field_bytes(w, 1, SLICE("k"));
	pb_field_message(w, 2, begin);
	pb_field_message(w, 1, begin);
	pb_field_message(w, 3, begin);
}

static void a_commit_that_was_sent_again_is_done_or_unknown(void **state)
{
	const struct store_guard guard = { SLICE("k"), 5 };
	const struct store_op op = { .key = SLICE("k"), .value = SLICE("mine") };
	static const struct {
		const char *value;
		bool repeated;
		int r, result;
	} rows[] = {
		{ "theirs", false, 0, 1 },
		{ "mine", false, 0, 1 },
		{ "mine", true, 0, 0 },
		{ "theirs", true, -ERR_UNAVAILABLE, 0 }, /* over ours, or instead of it */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(pb_writer_fini) struct pb_writer w = PB_WRITER_INIT(4096);
		struct store_txn t = { .guards = &guard, .nguards = 1, .ops = &op, .nops = 1 };
		struct etcd e = { .revision = 1 };
		struct err err = ERR_INIT;

		put_looked(&w, rows[i].value);
		assert_int_equal(etcd_read_txn(&e, &t, pb_written(&w), rows[i].repeated, &err),
				 rows[i].r);
		assert_int_equal(t.result, rows[i].result);
		if (rows[i].r < 0)
			assert_err(&err, ERR_UNAVAILABLE, "may have been done or not");
		else if (t.result == 0)
			assert_int_equal(t.revision, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define THREE(name) cmocka_unit_test_setup_teardown(name, three, teardown)
		THREE(members_die_and_nobody_notices),
		THREE(more_at_once_than_a_connection_has_streams),
		THREE(a_range_of_many_pages_is_of_one_revision),
		THREE(users_are_known_by_tokens_that_are_renewed),
		THREE(a_snapshot_is_etcds_own),
		THREE(closing_ends_what_waits),
		THREE(without_a_quorum_writes_end_in_time),
		cmocka_unit_test(nobody_there_is_told_of_each),
		cmocka_unit_test(a_commit_that_was_sent_again_is_done_or_unknown),
	};
	struct etcd_server look;

	etcd_find(&look);
	etcd_network();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
