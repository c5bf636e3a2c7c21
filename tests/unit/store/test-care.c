/* SPDX-License-Identifier: Apache-2.0 */
/* Compaction, backup, restore, verification, damage, full disks, closing. */
#include "fixture.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void reopen(struct fix *f)
{
	fix_close(f);
	fix_open(f);
}

/* ---- compaction ---- */

static void history_goes_and_the_present_stays(void **state)
{
	struct fix *f = *state;
	struct rng x = { .r = { .prefix = SLICE(""), .revision = 4 } };
	struct store_stats st;

	put(f, "a", "1");
	put(f, "b", "1");
	put(f, "a", "2");
	put(f, "b", NULL);
	put(f, "c", "1");
	put(f, "b", "2");
	compact(f, 5);
	assert_int_equal(range(f, &x), -ERR_GONE);
	assert_err(&x.r.err, ERR_GONE, "5 is the oldest");
	assert_range(f, "", 5, "a=2@4 ");
	assert_range(f, "", 6, "a=2@4 c=1@6 ");
	assert_range(f, "", 0, "a=2@4 b=2@7 c=1@6 ");
	store_get_stats(f->s, &st);
	assert_int_equal(st.compacted, 5);
	assert_int_equal(st.keys, 3);
	assert_int_equal(st.revision, 7);
	verify(f);
	compact(f, 7);
	compact(f, 3); /* done already */
	assert_range(f, "", 7, "a=2@4 b=2@7 c=1@6 ");
	reopen(f);
	assert_int_equal(store_revision(f->s), 7);
	assert_range(f, "", 0, "a=2@4 b=2@7 c=1@6 ");
	verify(f);
	buf_fini(&x.text);
}

static void what_is_removed_and_compacted_leaves_nothing_but_the_revision(void **state)
{
	struct fix *f = *state;
	struct tsk t = { .t.revision = 4 };

	put(f, "a", "1");
	put(f, "a", NULL);
	assert_int_equal(task(f, store_compact, &t), -ERR_BAD_REQUEST);
	t.t.revision = 0;
	assert_int_equal(task(f, store_compact, &t), -ERR_INVALID);
	compact(f, 3);
	reopen(f);
	assert_int_equal(store_revision(f->s), 3);
	assert_int_equal(put(f, "a", "2"), 4);
	assert_range(f, "", 3, "");
	verify(f);
}

static void many_versions(struct fix *f, int n)
{
	static struct txn x[512];
	static struct store_op op[512];
	static char keys[512][8];

	for (int at = 0; at < n; at += 512) {
		for (int i = 0; i < 512; i++) {
			snprintf(keys[i], sizeof(keys[i]), "k%d", i % 7);
			op[i] = (struct store_op){ .key = slice_str(keys[i]),
						   .value = SLICE("value"),
						   .remove = false };
			x[i] = (struct txn){ .t = { .ops = &op[i], .nops = 1, .done = on_txn } };
			store_commit(f->s, &x[i].t);
		}
		for (int i = 0; i < 512; i++)
			wait_for(f, &x[i].done);
	}
}

static void writers_go_on_while_history_goes(void **state)
{
	struct fix *f = *state;
	struct tsk t = { .t = { .done = on_task } };

	many_versions(f, 4096);
	t.t.revision = store_revision(f->s);
	store_compact(f->s, &t.t);
	for (int i = 0; !t.done; i++)
		assert_int_equal(put(f, "new", "x"), 4098 + i);
	assert_int_equal(t.t.result, 0);
	assert_true(store_revision(f->s) > 4098);
	verify(f);
}

static void wait_compacted(struct fix *f, int64_t least)
{
	const int64_t end = clock_mono() + 60 * NS_PER_SEC;
	struct store_stats st = { 0 };

	while (st.compacted < least) {
		assert_true(loop_step(f->loop, 100 * NS_PER_MS, &f->err) >= 0);
		assert_true(clock_mono() < end);
		store_get_stats(f->s, &st);
	}
}

static void history_goes_by_number(void **state)
{
	struct fix *f = *state;

	f->keep_revisions = 100;
	reopen(f);
	many_versions(f, 1024);
	wait_compacted(f, 1025 - 100 - 100 / 8 - 1);
	verify(f);
}

static void history_goes_by_age(void **state)
{
	struct fix *f = *state;
	struct store_stats st;

	f->keep_age = 3600 * NS_PER_SEC;
	reopen(f);
	put(f, "k", "1");
	put(f, "k", "2");
	f->keep_age = 20 * NS_PER_MS;
	reopen(f);
	wait_compacted(f, 3);
	store_get_stats(f->s, &st);
	assert_int_equal(st.compacted, 3);
	assert_range(f, "", 0, "k=2@3 ");
}

/* ---- backup and restore ---- */

static void backup(struct fix *f)
{
	struct tsk t = { .t.path = f->other };

	if (task(f, store_backup, &t) < 0)
		fail_msg("%s", t.t.err.msg);
}

static void a_backup_is_whole_while_writes_go_on(void **state)
{
	struct fix *f = *state;
	struct tsk t = { .t = { .path = f->other, .done = on_task } };
	struct stat sb;
	int64_t first, rev;

	many_versions(f, 2048);
	first = store_revision(f->s);
	store_backup(f->s, &t.t);
	while (!t.done)
		rev = put(f, "during", "x");
	if (t.t.result < 0)
		fail_msg("%s", t.t.err.msg);
	assert_int_equal(stat(f->other, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0600);
	assert_int_equal(task(f, store_backup, &t), -ERR_EXISTS);
	fix_close(f);
	assert_int_equal(unlink(f->path), 0);
	if (store_restore(f->other, f->path, &f->err) < 0)
		fail_msg("%s", f->err.msg);
	fix_open(f);
	/* no client may take a new revision for one that is lost */
	assert_true(store_revision(f->s) >= first + 1000000000);
	assert_true(put(f, "after", "x") > rev);
	verify(f);
}

static void clients_of_before_a_restore_begin_anew(void **state)
{
	struct fix *f = *state;
	struct wat x;
	int64_t lost;

	put(f, "a", "1");
	backup(f);
	lost = put(f, "a", "2");
	fix_close(f);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(store_restore(f->other, f->path, &f->err), 0);
	fix_open(f);
	assert_range(f, "", 0, "a=1@2 ");
	watch(f, &x, "", lost);
	wait_for(f, &x.ended);
	assert_err(&x.end, ERR_GONE, "compacted");
	unwatch(f, &x);
	verify(f);
}

static void restore_refuses_what_it_must(void **state)
{
	struct fix *f = *state;
	char third[128];

	snprintf(third, sizeof(third), "%s/third", f->dir);
	put(f, "a", "1");
	backup(f);
	assert_int_equal(store_restore(f->other, f->path, &f->err), -ERR_EXISTS);
	assert_err(&f->err, ERR_EXISTS, "move it away");
	assert_int_equal(store_restore(f->path, third, &f->err), -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "log beside it");
	assert_int_equal(store_restore("/nonexistent/x", third, &f->err), -ERR_NOT_FOUND);
	assert_int_equal(
		fd_replace_file(AT_FDCWD, f->other, "not a database at all", 21, 0600, &f->err), 0);
	assert_int_equal(store_restore(f->other, third, &f->err), -ERR_INVALID);
	assert_int_equal(access(third, F_OK), -1);
}

/* ---- damage ---- */

/* Changes the byte in the middle of the text where it stands in the file. */
static void damage(const char *path, const char *text)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 26);
	char *at;

	assert_int_equal(fd_read_file(AT_FDCWD, path, &b, NULL), 0);
	at = memmem(b.p, b.n, text, strlen(text));
	assert_non_null(at);
	at[strlen(text) / 2] ^= 1;
	assert_int_equal(fd_replace_file(AT_FDCWD, path, b.p, b.n, 0600, NULL), 0);
}

static void a_changed_byte_is_found_when_it_is_read(void **state)
{
	struct fix *f = *state;
	struct rng x = { .r = { .prefix = SLICE("key") } };
	struct tsk t = { 0 };
	struct wat w;

	put(f, "key", "a value that will not stay as it is");
	fix_close(f);
	damage(f->path, "a value that will not stay as it is");
	fix_open(f);
	assert_int_equal(range(f, &x), -ERR_INVALID);
	assert_err(&x.r.err, ERR_INVALID, "restore a backup");
	assert_int_equal(task(f, store_verify, &t), -ERR_INVALID);
	assert_err(&t.t.err, ERR_INVALID, "revision 2 is not as it was written");
	watch(f, &w, "key", 1);
	wait_for(f, &w.ended);
	assert_err(&w.end, ERR_INVALID, "damaged");
	unwatch(f, &w);
	buf_fini(&x.text);
	backup(f); /* of the pages: it is what it is, */
	fix_close(f);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(store_restore(f->other, f->path, &f->err),
			 -ERR_INVALID); /* but not used */
	assert_int_equal(access(f->path, F_OK), -1);
	fix_open(f);
}

static void a_damaged_file_is_refused_and_left_alone(void **state)
{
	struct fix *f = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);

	put(f, "key", "v");
	fix_close(f);
	damage(f->path, "SQLite format 3");
	assert_int_equal(fd_read_file(AT_FDCWD, f->path, &b, NULL), 0);
	assert_int_equal(fix_try(f), -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "backup");
	assert_int_equal(fd_read_file(AT_FDCWD, f->path, &after, NULL), 0);
	assert_true(slice_eq(buf_slice(&b), buf_slice(&after)));
}

static void a_page_of_rubbish_is_found(void **state)
{
	struct fix *f = *state;
	struct tsk t = { 0 };
	struct stat sb;
	char rubbish[4096];
	int fd;

	many_versions(f, 2048);
	fix_close(f);
	memset(rubbish, 0xa5, sizeof(rubbish));
	fd = openat(AT_FDCWD, f->path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(fd, &sb), 0);
	assert_int_equal(pwrite(fd, rubbish, sizeof(rubbish), (sb.st_size / 2) & ~8191),
			 sizeof(rubbish));
	fd_close(fd);
	if (fix_try(f) < 0) {
		assert_err(&f->err, ERR_INVALID, "backup");
		return;
	}
	assert_int_equal(task(f, store_verify, &t), -ERR_INVALID);
}

/* ---- trouble ---- */

static void one_process_at_a_time(void **state)
{
	struct fix *f = *state, second = *f;

	assert_int_equal(fix_try(&second), -ERR_UNAVAILABLE);
	assert_err(&second.err, ERR_UNAVAILABLE, "another process");
	put(f, "k", "v");
}

static void closing_ends_what_is_under_way(void **state)
{
	struct fix *f = *state;
	struct store_op op = { .key = SLICE("k"), .value = SLICE("v") };
	struct txn t = { .t = { .ops = &op, .nops = 1, .done = on_txn } };
	struct rng r = { .r = { .each = on_each, .done = on_range }, .text = BUF_INIT(1 << 20) };
	struct tsk v = { .t.done = on_task };
	struct lse l = { .l = { .ttl = 5, .done = on_lease } };
	struct wat w;

	put(f, "a", "1");
	watch(f, &w, "", 1);
	store_commit(f->s, &t.t);
	store_range(f->s, &r.r);
	store_verify(f->s, &v.t);
	store_lease(f->s, &l.l);
	fix_close(f);
	assert_true(t.done && r.done && v.done && l.done);
	assert_true(r.r.result == -ERR_UNAVAILABLE || r.n == 1);
	assert_false(w.ended);
	buf_fini(&w.text);
	buf_fini(&r.text);
	fix_open(f);
	assert_range(f, "k", 0, t.t.result == 0 ? "k=v@3 " : "");
}

struct again {
	struct txn t;
	struct store *s;
	int asked;
};

static void ask_again(struct store_txn *t)
{
	struct again *a = CONTAINER_OF(CONTAINER_OF(t, struct txn, t), struct again, t);

	a->t.done = true;
	if (a->asked++ == 0) {
		a->t.done = false;
		store_commit(a->s, t);
	}
}

static void what_is_asked_for_while_closing_ends_too(void **state)
{
	struct fix *f = *state;
	struct store_op op = { .key = SLICE("k"), .value = SLICE("v") };
	struct again a = { .t.t = { .ops = &op, .nops = 1, .done = ask_again }, .s = f->s };

	store_commit(f->s, &a.t.t);
	fix_close(f);
	assert_true(a.t.done);
	assert_int_equal(a.asked, 2);
	assert_int_equal(a.t.t.result, -ERR_UNAVAILABLE);
}

/* In a process of its own: its mount namespace goes with it. */
static int on_a_small_disk(struct fix *f)
{
	static char big[300000];
	struct store_op op = { .key = SLICE("big"), .value = { big, sizeof(big) } };
	struct txn t = { .t = { .ops = &op, .nops = 1 } };
	int64_t last = 1, n = 0;
	char want[64];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", f->dir, "tmpfs", 0, "size=4m") < 0)
		return 77;
	fix_open(f);
	put(f, "small", "1");
	while (commit(f, &t) == 0 && ++n < 100)
		last = t.t.revision;
	assert_int_equal(t.t.result, -ERR_SYSTEM);
	assert_int_equal(t.t.err.sys, ENOSPC);
	assert_err(&t.t.err, ERR_SYSTEM, "No space left on device");
	assert_err(&t.t.err, ERR_SYSTEM, "writes go on by themselves");
	assert_int_equal(store_revision(f->s), last);
	assert_range(f, "small", 0, "small=1@2 ");
	assert_int_equal(mount("none", f->dir, "tmpfs", MS_REMOUNT, "size=64m"), 0);
	assert_int_equal(put(f, "small", "2"), last + 1); /* it goes on */
	verify(f);
	snprintf(want, sizeof(want), "small=2@%lld ", (long long)last + 1);
	reopen(f);
	assert_range(f, "small", 0, want);
	fix_close(f);
	return 0;
}

static void a_full_disk_fails_the_commit_and_the_store_goes_on(void **state)
{
	struct fix *f = *state;
	int status;
	pid_t pid;

	fix_close(f);
	pid = fork();
	if (pid == 0)
		_exit(on_a_small_disk(f));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fix_open(f);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("skipped: mounting is not permitted\n");
		skip();
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(history_goes_and_the_present_stays),
		T(what_is_removed_and_compacted_leaves_nothing_but_the_revision),
		T(writers_go_on_while_history_goes),
		T(history_goes_by_number),
		T(history_goes_by_age),
		T(a_backup_is_whole_while_writes_go_on),
		T(clients_of_before_a_restore_begin_anew),
		T(restore_refuses_what_it_must),
		T(a_changed_byte_is_found_when_it_is_read),
		T(a_damaged_file_is_refused_and_left_alone),
		T(a_page_of_rubbish_is_found),
		T(one_process_at_a_time),
		T(closing_ends_what_is_under_way),
		T(what_is_asked_for_while_closing_ends_too),
		T(a_full_disk_fails_the_commit_and_the_store_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
