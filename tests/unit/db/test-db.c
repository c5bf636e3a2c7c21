/* SPDX-License-Identifier: Apache-2.0 */
/* The database: opening, migrating, refusing, writing in groups, failing alone, surviving kill -9.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "db/db.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define APP 0x54455354u

static const char *const schema[] = {
	"CREATE TABLE t(k TEXT PRIMARY KEY, v INTEGER, b BLOB);",
	"CREATE TABLE u(x INTEGER REFERENCES v(y)); CREATE TABLE v(y INTEGER PRIMARY KEY);",
};

struct fix {
	char dir[64], path[96];
	struct loop *loop;
	struct db *db;
	struct err err;
};

static void open_db(struct fix *f, unsigned n)
{
	struct db_options o = {
		.path = f->path, .app_id = APP, .schema = schema, .nschema = n, .loop = f->loop
	};

	assert_int_equal(db_open(&o, &f->db, &f->err), 0);
}

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/teu-db-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/test.db", f->dir);
	assert_int_equal(loop_new(&f->loop, &f->err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	db_close(f->db);
	loop_free(f->loop);
	assert_int_equal(fd_remove_tree(AT_FDCWD, f->dir, &f->err), 0);
	free(f);
	return 0;
}

static void assert_err(const struct err *err, enum err_code code, const char *part)
{
	assert_int_equal(err->code, code);
	if (!strstr(err->msg, part))
		fail_msg("'%s' does not hold '%s'", err->msg, part);
}

static int64_t count(struct fix *f)
{
	int64_t n = -1;

	assert_int_equal(db_query_int(db_reader(f->db), &n, &f->err, "SELECT count(*) FROM t", ""),
			 1);
	return n;
}

struct put {
	struct db_job job;
	char key[16];
	int fail_with;
	int *order, seen;
};

static int run_put(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct put *p = CONTAINER_OF(j, struct put, job);
	int r = db_exec(c, err, "INSERT INTO t(k, v) VALUES (?, ?)", "ti", p->key, (int64_t)7);

	if (r >= 0 && p->fail_with)
		return err_set(err, ERR_CONFLICT, "job %s does not want to", p->key);
	return r < 0 ? r : 3;
}

static void on_done(struct db_job *j)
{
	struct put *p = CONTAINER_OF(j, struct put, job);

	p->seen = ++*p->order;
}

static void run_until(struct fix *f, int *n, int want)
{
	while (*n < want)
		assert_true(loop_step(f->loop, 5 * NS_PER_SEC, &f->err) == 1);
}

static void it_opens_migrates_and_binds_every_type(void **state)
{
	struct fix *f = *state;
	struct db_row *row;
	struct stat st;
	const char *k;
	struct slice b;
	int64_t v;

	open_db(f, 1);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	db_close(f->db);
	open_db(f, 2);
	assert_int_equal(db_query(db_reader(f->db), &row, &f->err,
				  "SELECT ?1 AS a, ?2 AS b, ?3 AS c, ?4 AS d", "tibn", "text",
				  (int64_t)-5, slice_of("\0x", 2)),
			 0);
	assert_int_equal(db_row_next(row, &f->err), 1);
	db_row_get(row, "tibn", &k, &v, &b);
	assert_string_equal(k, "text");
	assert_int_equal(v, -5);
	assert_true(slice_eq(b, slice_of("\0x", 2)));
	assert_int_equal(db_row_next(row, &f->err), 0);
	db_row_done(row);
}

static void jobs_of_one_moment_share_a_commit_and_come_back_in_order(void **state)
{
	struct fix *f = *state;
	struct put p[100] = { 0 };
	struct db_stats st;
	int order = 0;

	open_db(f, 2);
	for (int i = 0; i < 100; i++) {
		snprintf(p[i].key, sizeof(p[i].key), "k%d", i);
		p[i].order = &order;
		p[i].job.run = run_put;
		p[i].job.done = on_done;
		db_write(f->db, &p[i].job);
	}
	run_until(f, &order, 100);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(p[i].job.result, 3);
		assert_int_equal(p[i].seen, i + 1);
	}
	db_get_stats(f->db, &st);
	assert_int_equal(st.jobs, 100);
	assert_true(st.commits < 50);
	assert_int_equal(count(f), 100);
}

static void a_failing_job_is_rolled_back_alone(void **state)
{
	struct fix *f = *state;
	struct put p[3] = { 0 };
	int order = 0;

	open_db(f, 2);
	for (int i = 0; i < 3; i++) {
		snprintf(p[i].key, sizeof(p[i].key), "k%d", i);
		p[i].fail_with = i == 1;
		p[i].order = &order;
		p[i].job.run = run_put;
		p[i].job.done = on_done;
		db_write(f->db, &p[i].job);
	}
	run_until(f, &order, 3);
	assert_int_equal(p[0].job.result, 3);
	assert_int_equal(p[1].job.result, -ERR_CONFLICT);
	assert_err(&p[1].job.err, ERR_CONFLICT, "job k1 does not want to");
	assert_int_equal(p[2].job.result, 3);
	assert_int_equal(count(f), 2);
}

static int put_key(void *ctx, struct db_conn *c, struct err *err)
{
	return db_exec(c, err, "INSERT INTO t(k) VALUES (?)", "t", (const char *)ctx);
}

static int put_orphan(void *ctx, struct db_conn *c, struct err *err)
{
	return db_exec(c, err, "INSERT INTO u VALUES (9)", "");
}

static void constraints_have_codes_of_their_own(void **state)
{
	struct fix *f = *state;

	open_db(f, 2);
	assert_int_equal(db_write_wait(f->db, put_key, (void *)"a", &f->err), 0);
	assert_int_equal(db_write_wait(f->db, put_key, (void *)"a", &f->err), -ERR_EXISTS);
	assert_err(&f->err, ERR_EXISTS, "UNIQUE constraint failed: t.k");
	assert_int_equal(db_write_wait(f->db, put_orphan, NULL, &f->err), -ERR_CONFLICT);
	assert_err(&f->err, ERR_CONFLICT, "FOREIGN KEY constraint failed");
	assert_int_equal(count(f), 1);
}

static int put_via_reader(void *ctx, struct db_conn *c, struct err *err)
{
	struct fix *f = ctx;

	return db_exec(db_reader(f->db), err, "DELETE FROM t", "");
}

static void the_reader_cannot_write(void **state)
{
	struct fix *f = *state;

	open_db(f, 2);
	assert_int_equal(put_via_reader(f, NULL, &f->err), -ERR_SYSTEM);
	assert_err(&f->err, ERR_SYSTEM, "readonly");
}

static void a_snapshot_does_not_see_later_commits(void **state)
{
	struct fix *f = *state;
	struct db_snapshot s;

	open_db(f, 2);
	assert_int_equal(db_snapshot_begin(db_reader(f->db), &s, &f->err), 0);
	assert_int_equal(count(f), 0);
	assert_int_equal(db_write_wait(f->db, put_key, (void *)"a", &f->err), 0);
	assert_int_equal(count(f), 0);
	db_snapshot_end(&s);
	assert_int_equal(count(f), 1);
}

static void jobs_queued_at_close_are_done_and_told(void **state)
{
	struct fix *f = *state;
	struct put p[20] = { 0 };
	int order = 0;

	open_db(f, 2);
	for (int i = 0; i < 20; i++) {
		snprintf(p[i].key, sizeof(p[i].key), "k%d", i);
		p[i].order = &order;
		p[i].job.run = run_put;
		p[i].job.done = on_done;
		db_write(f->db, &p[i].job);
	}
	db_close(f->db);
	f->db = NULL;
	run_until(f, &order, 20);
	open_db(f, 2);
	assert_int_equal(count(f), 20);
}

static void ends_of_a_stopped_loop_are_told_at_close(void **state)
{
	struct fix *f = *state;
	struct put p[20] = { 0 };
	struct db_stats st = { 0 };
	int order = 0;

	open_db(f, 2);
	for (int i = 0; i < 20; i++) {
		snprintf(p[i].key, sizeof(p[i].key), "k%d", i);
		p[i].order = &order;
		p[i].job.run = run_put;
		p[i].job.done = on_done;
		db_write(f->db, &p[i].job);
	}
	/* What db_write_wait waited for came behind them: they are written, and posted. */
	assert_int_equal(db_write_wait(f->db, put_key, (void *)"last", &f->err), 0);
	db_get_stats(f->db, &st);
	assert_int_equal(st.jobs, 21);
	assert_int_equal(order, 0);
	db_close(f->db);
	f->db = NULL;
	assert_int_equal(order, 20);
}

static void the_log_is_checkpointed_when_nothing_waits(void **state)
{
	struct fix *f = *state;
	struct db_stats st = { 0 };

	open_db(f, 2);
	assert_int_equal(db_write_wait(f->db, put_key, (void *)"a", &f->err), 0);
	for (int64_t end = clock_mono() + 5 * NS_PER_SEC; clock_mono() < end && !st.checkpoints;) {
		(void)loop_step(f->loop, 20 * NS_PER_MS, &f->err);
		db_get_stats(f->db, &st);
	}
	assert_int_equal(st.checkpoints, 1);
}

/* 4,000 rows of 1 KB: more than a thousand pages. */
static int put_many(void *ctx, struct db_conn *c, struct err *err)
{
	const int64_t first = *(const int64_t *)ctx;
	static char kb[1024];
	int r = 0;

	for (int64_t i = first; i < first + 4000 && r >= 0; i++) {
		char key[32];

		snprintf(key, sizeof(key), "key-%lld", (long long)i);
		r = db_exec(c, err, "INSERT INTO t(k,v,b) VALUES(?,?,?)", "tib", key, i,
			    slice_of(kb, sizeof(kb)));
	}
	return r;
}

static void copy_file(const char *from, const char *to)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "cp '%s' '%s'", from, to);
	assert_int_equal(system(cmd), 0);
}

static int64_t rows(struct db *db)
{
	int64_t n = -1;

	assert_int_equal(db_query_int(db_reader(db), &n, NULL, "SELECT count(*) FROM t", ""), 1);
	return n;
}

static void a_steady_log_is_laid_out_ahead_and_copied_beside_writes(void **state)
{
	struct fix *f = *state;
	struct db_options o = { .path = f->path,
				.app_id = APP,
				.schema = schema,
				.nschema = 2,
				.loop = f->loop,
				.steady = true };
	struct db_stats st = { 0 };
	char log[110], copy[110], copy_log[120];
	struct stat s;

	snprintf(log, sizeof(log), "%s-wal", f->path);
	snprintf(copy, sizeof(copy), "%s/copy.db", f->dir);
	snprintf(copy_log, sizeof(copy_log), "%s-wal", copy);
	assert_int_equal(db_open(&o, &f->db, &f->err), 0);
	assert_int_equal(db_write_wait(f->db, put_key, (void *)"a", &f->err), 0);
	assert_int_equal(stat(log, &s), 0);
	assert_int_equal(s.st_size, 1 << 20);
	/* As a kill leaves them: zeros behind the last commit are its end. */
	copy_file(f->path, copy);
	copy_file(log, copy_log);
	for (int64_t i = 0; i < 4; i++)
		assert_int_equal(db_write_wait(f->db, put_many, &(int64_t){ i * 4000 }, &f->err),
				 0);
	assert_int_equal(rows(f->db), 16001);
	for (int64_t end = clock_mono() + 5 * NS_PER_SEC; clock_mono() < end && !st.checkpoints;) {
		(void)loop_step(f->loop, 20 * NS_PER_MS, &f->err);
		db_get_stats(f->db, &st);
	}
	assert_true(st.checkpoints > 0);
	assert_int_equal(stat(log, &s), 0);
	assert_int_equal(s.st_size % (1 << 20), 0);
	db_close(f->db);
	assert_int_equal(stat(log, &s), -1);
	assert_int_equal(db_open(&o, &f->db, &f->err), 0);
	assert_int_equal(rows(f->db), 16001);
	db_close(f->db);
	o.path = copy;
	assert_int_equal(db_open(&o, &f->db, &f->err), 0);
	assert_int_equal(rows(f->db), 1);
}

static int refuse(struct fix *f, unsigned n, struct err *err)
{
	struct db_options o = { .path = f->path, .app_id = APP, .schema = schema, .nschema = n };
	struct db *db = NULL;
	int r = db_open(&o, &db, err);

	assert_null(db);
	return r;
}

static void write_file(const char *path, const void *p, size_t n)
{
	FILE *fp = fopen(path, "w");

	assert_non_null(fp);
	assert_int_equal(fwrite(p, 1, n, fp), n);
	fclose(fp);
}

static size_t read_file(const char *path, char *p, size_t n)
{
	FILE *fp = fopen(path, "r");
	size_t k;

	assert_non_null(fp);
	k = fread(p, 1, n, fp);
	fclose(fp);
	return k;
}

static void a_newer_version_is_refused_and_left_alone(void **state)
{
	struct fix *f = *state;

	open_db(f, 2);
	db_close(f->db);
	f->db = NULL;
	assert_int_equal(refuse(f, 1, &f->err), -ERR_UNSUPPORTED);
	assert_err(&f->err, ERR_UNSUPPORTED, "has version 2, this program knows up to 1");
	open_db(f, 2);
}

static void a_foreign_database_is_refused_and_left_alone(void **state)
{
	struct fix *f = *state;
	static char before[65536], after[65536];
	struct db_options o = { .path = f->path, .app_id = 77, .schema = schema, .nschema = 1 };
	size_t n;

	assert_int_equal(db_open(&o, &f->db, &f->err), 0);
	db_close(f->db);
	f->db = NULL;
	n = read_file(f->path, before, sizeof(before));
	assert_int_equal(refuse(f, 2, &f->err), -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "belongs to another program");
	assert_int_equal(read_file(f->path, after, sizeof(after)), n);
	assert_memory_equal(before, after, n);
}

static void a_damaged_database_is_refused_and_left_alone(void **state)
{
	struct fix *f = *state;
	static char rubbish[8192], after[8192];

	memset(rubbish, 'x', sizeof(rubbish));
	write_file(f->path, rubbish, sizeof(rubbish));
	assert_int_equal(refuse(f, 2, &f->err), -ERR_INVALID);
	assert_err(&f->err, ERR_INVALID, "not a database; it was left as it is");
	assert_int_equal(read_file(f->path, after, sizeof(after)), sizeof(after));
	assert_memory_equal(rubbish, after, sizeof(after));
}

static void a_failed_migration_changes_nothing(void **state)
{
	static const char *const broken[] = { "CREATE TABLE t(k);", "CREATE TABLE nonsense(" };
	struct fix *f = *state;
	struct db_options o = { .path = f->path, .app_id = APP, .schema = broken, .nschema = 1 };
	struct db *db = NULL;

	assert_int_equal(db_open(&o, &db, &f->err), 0);
	db_close(db);
	db = NULL;
	o.nschema = 2;
	assert_int_equal(db_open(&o, &db, &f->err), -ERR_SYSTEM);
	assert_err(&f->err, ERR_SYSTEM, "migration to version 2");
	o.nschema = 1;
	assert_int_equal(db_open(&o, &db, &f->err), 0);
	db_close(db);
}

/* Child: writes rows one after the other, tells each after its commit. Killed in the middle. */
static void writer_child(const char *path, int fd)
{
	struct db_options o = { .path = path, .app_id = APP, .schema = schema, .nschema = 2 };
	struct db *db;
	struct err err;

	if (db_open(&o, &db, &err) < 0)
		_exit(1);
	for (unsigned i = 0;; i++) {
		char key[16];

		snprintf(key, sizeof(key), "c%u", i);
		if (db_write_wait(db, put_key, key, &err) < 0 ||
		    write(fd, &i, sizeof(i)) != sizeof(i))
			_exit(1);
	}
}

static void what_was_told_as_done_survives_kill_9(void **state)
{
	struct fix *f = *state;
	unsigned last = 0, v;
	int p[2], status;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0)
		writer_child(f->path, p[1]);
	close(p[1]);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(read(p[0], &v, sizeof(v)), sizeof(v));
		last = v;
	}
	kill(pid, SIGKILL);
	while (read(p[0], &v, sizeof(v)) == sizeof(v))
		last = v;
	close(p[0]);
	waitpid(pid, &status, 0);
	open_db(f, 2);
	assert_true(count(f) >= (int64_t)last + 1 && count(f) <= (int64_t)last + 2);
}

static void two_processes_take_turns(void **state)
{
	struct fix *f = *state;
	int status, p[2], go[2];
	unsigned v;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	assert_int_equal(pipe(go), 0);
	pid = fork(); /* while there is one thread */
	if (pid == 0) {
		close(go[1]);
		if (read(go[0], &v, 1) != 1)
			_exit(1);
		writer_child(f->path, p[1]);
	}
	close(p[1]);
	close(go[0]);
	open_db(f, 2);
	assert_int_equal(write(go[1], "", 1), 1);
	close(go[1]);
	for (int i = 0; i < 50; i++) {
		char key[16];

		snprintf(key, sizeof(key), "p%d", i);
		assert_int_equal(db_write_wait(f->db, put_key, key, &f->err), 0);
	}
	assert_int_equal(read(p[0], &v, sizeof(v)), sizeof(v));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(p[0]);
	assert_true(count(f) > 50);
}

/* In a directory of its own below one that it may not pass. */
static int relative_child(struct fix *f)
{
	struct db_options o = { .path = "own.db", .app_id = APP, .schema = schema, .nschema = 1 };
	struct db *db;

	if (chdir(f->dir) < 0 || mkdir("own", 0700) < 0 ||
	    (geteuid() == 0 && chown("own", 65534, 65534) < 0) || chdir("own") < 0 ||
	    (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0))
		return 1;
	if (db_open(&o, &db, &f->err) < 0)
		return 2;
	if (db_backup(db_reader(db), "copy.db", NULL, &f->err) < 0)
		return 3;
	db_close(db);
	if (access("own.db", F_OK) < 0 || access("copy.db", F_OK) < 0 ||
	    symlink("own.db", "link.db") < 0)
		return 4;
	o.path = "link.db";
	return db_open(&o, &db, &f->err) < 0 ? 0 : 5;
}

static void a_relative_path_needs_nothing_of_the_directories_above(void **state)
{
	struct fix *f = *state;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int r = relative_child(f);

		if (r > 1)
			fprintf(stderr, "step %d: %s\n", r, f->err.msg);
		_exit(r);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void a_copy_is_of_one_moment_and_never_half(void **state)
{
	struct fix *f = *state;
	atomic_bool stop = true;
	char copy[128];
	struct db *db;
	struct db_options o = {
		.path = copy, .app_id = APP, .schema = schema, .nschema = 1, .read_only = true
	};
	int64_t n = 0;

	snprintf(copy, sizeof(copy), "%s/copy.db", f->dir);
	open_db(f, 1);
	assert_int_equal(db_backup(db_reader(f->db), copy, &stop, &f->err), -ERR_UNAVAILABLE);
	assert_int_equal(access(copy, F_OK), -1);
	assert_int_equal(db_backup(db_reader(f->db), copy, NULL, &f->err), 0);
	assert_int_equal(db_backup(db_reader(f->db), copy, NULL, &f->err), -ERR_EXISTS);
	assert_err(&f->err, ERR_EXISTS, "is there already");
	assert_int_equal(db_open(&o, &db, &f->err), 0);
	assert_true(db_query_int(db_reader(db), &n, &f->err, "SELECT count(*) FROM t", "") > 0);
	db_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(it_opens_migrates_and_binds_every_type),
		T(jobs_of_one_moment_share_a_commit_and_come_back_in_order),
		T(a_failing_job_is_rolled_back_alone),
		T(constraints_have_codes_of_their_own),
		T(the_reader_cannot_write),
		T(a_snapshot_does_not_see_later_commits),
		T(jobs_queued_at_close_are_done_and_told),
		T(ends_of_a_stopped_loop_are_told_at_close),
		T(the_log_is_checkpointed_when_nothing_waits),
		T(a_steady_log_is_laid_out_ahead_and_copied_beside_writes),
		T(a_newer_version_is_refused_and_left_alone),
		T(a_foreign_database_is_refused_and_left_alone),
		T(a_damaged_database_is_refused_and_left_alone),
		T(a_failed_migration_changes_nothing),
		T(what_was_told_as_done_survives_kill_9),
		T(two_processes_take_turns),
		T(a_relative_path_needs_nothing_of_the_directories_above),
		T(a_copy_is_of_one_moment_and_never_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
