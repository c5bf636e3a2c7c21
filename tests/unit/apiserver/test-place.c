/* SPDX-License-Identifier: Apache-2.0 */
/* The role's directory and its lock, files for others, files that were given. */
#include "../doc/doc-check.h"

#include "apiserver/outside.h"
#include "apiserver/outward/given.h"
#include "apiserver/place.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct dir {
	char top[64], path[96];
	int back; /* tests go elsewhere */
};

static struct dir dir(void)
{
	struct dir d = { .top = "/tmp/teu-place-XXXXXX" };

	assert_non_null(mkdtemp(d.top));
	d.back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return d;
}

static void dir_fini(struct dir *d)
{
	assert_int_equal(fchdir(d->back), 0);
	close(d->back);
	assert_int_equal(fd_remove_tree(AT_FDCWD, d->top, NULL), 0);
}

static const char *in(struct dir *d, const char *name)
{
	(void)snprintf(d->path, sizeof(d->path), "%s/%s", d->top, name);
	return d->path;
}

static void write_file(struct dir *d, const char *name, const char *text)
{
	assert_int_equal(fd_replace_file(AT_FDCWD, in(d, name), text, strlen(text), 0600, NULL), 0);
}

static void assert_file(struct dir *d, const char *name, const char *text)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);

	assert_int_equal(fd_read_file(AT_FDCWD, in(d, name), &b, NULL), 0);
	assert_string_equal(buf_str(&b), text);
}

static void a_place_is_made_and_held_by_one(void **state)
{
	const struct place_want make = { .make = true, .lock = true }, look = { 0 };
	struct dir d = dir();
	struct place p = PLACE_INIT, q = PLACE_INIT;
	struct err err = ERR_INIT;
	struct stat st;
	char cwd[128];

	assert_int_equal(place_open(d.top, &look, &p, &err), -ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "no API server was started with this --root"));
	assert_int_equal(place_open(d.top, &make, &p, &err), 0);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_string_equal(cwd, in(&d, "apiserver"));
	assert_int_equal(stat(".", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(place_open(d.top, &make, &q, &err), -ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "runs with --root"));
	/* looking needs no lock */
	assert_int_equal(place_open(d.top, &look, &q, &err), 0);
	place_fini(&q);
	place_fini(&p);
	assert_int_equal(place_open(d.top, &make, &p, &err), 0);
	place_fini(&p);
	dir_fini(&d);
}

static void what_a_killed_process_left_is_swept(void **state)
{
	const struct place_want make = { .make = true, .lock = true }, look = { 0 };
	struct dir d = dir();
	struct place p = PLACE_INIT;

	assert_int_equal(place_open(d.top, &make, &p, NULL), 0);
	place_fini(&p);
	assert_int_equal(mkdir(in(&d, "apiserver/pki"), 0700), 0);
	write_file(&d, "apiserver/.x.12.tmp", "");
	write_file(&d, "apiserver/pki/.ca.key.12.tmp", "");
	write_file(&d, "apiserver/pki/ca.key", "k");
	assert_int_equal(place_open(d.top, &look, &p, NULL), 0);
	place_fini(&p);
	assert_int_equal(access(in(&d, "apiserver/.x.12.tmp"), F_OK), 0);
	assert_int_equal(place_open(d.top, &make, &p, NULL), 0);
	assert_int_equal(access(in(&d, "apiserver/.x.12.tmp"), F_OK), -1);
	assert_int_equal(access(in(&d, "apiserver/pki/.ca.key.12.tmp"), F_OK), -1);
	assert_int_equal(access(in(&d, "apiserver/pki/ca.key"), F_OK), 0);
	place_fini(&p);
	dir_fini(&d);
}

static void paths_become_absolute(void **state)
{
	struct dir d = dir();
	char *p = NULL;

	assert_int_equal(given_absolute(NULL, &p, NULL), 0);
	assert_null(p);
	assert_int_equal(given_absolute("/a/b", &p, NULL), 0);
	assert_string_equal(p, "/a/b");
	free(p);
	assert_int_equal(chdir(d.top), 0);
	assert_int_equal(given_absolute("b", &p, NULL), 0);
	assert_string_equal(p, in(&d, "b"));
	free(p);
	dir_fini(&d);
}

static void files_for_others(void **state)
{
	struct dir d = dir();
	char pid[32];

	(void)snprintf(pid, sizeof(pid), "%d\n", getpid());
	for (int child = 0; child < 2; child++) {
		CLEANUP(outside_free) struct outside *o = NULL;
		char kc[96];
		struct stat st;

		(void)str_copy(kc, sizeof(kc), in(&d, child ? "kc1" : "kc0"));
		assert_int_equal(outside_new(kc, in(&d, "pid"), child, &o, NULL), 0);
		assert_int_equal(access(kc, F_OK), -1);
		assert_int_equal(outside_write(o, SLICE("one"), NULL), 0);
		assert_file(&d, child ? "kc1" : "kc0", "one");
		assert_file(&d, "pid", pid);
		assert_int_equal(stat(kc, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(outside_renew(o, SLICE("second"), NULL), 0);
		assert_file(&d, child ? "kc1" : "kc0", "second");
		outside_remove_pid(o);
		assert_int_equal(access(in(&d, "pid"), F_OK), -1);
	}
	dir_fini(&d);
}

static void what_others_cannot_be_given_is_told(void **state)
{
	struct dir d = dir();

	for (int child = 0; child < 2; child++) {
		CLEANUP(outside_free) struct outside *o = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(outside_new(in(&d, "none/kc"), NULL, child, &o, NULL), 0);
		assert_true(outside_write(o, SLICE("one"), &err) < 0);
		assert_non_null(strstr(err.msg, "--kubeconfig-out"));
	}
	{
		/* nobody asks it: it ends with us */
		CLEANUP(outside_free) struct outside *o = NULL;

		assert_int_equal(outside_new(in(&d, "kc"), NULL, true, &o, NULL), 0);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	dir_fini(&d);
}

/* A user that may not open it any more reads on what was opened, but not what took its place. */
static int reads_on(struct dir *d, struct given *g)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(100);
	struct err err = ERR_INIT;

	if (setresuid(65431, 65431, 65431) < 0)
		return 1;
	if (!given_changed(g) || given_read(g, &b, &err) < 0 || !slice_is(buf_slice(&b), "two"))
		return 2;
	return given_changed(g) ? 3 : 0;
}

static void a_given_file_is_read_on(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(100);
	CLEANUP(given_free) struct given *g = NULL;
	struct dir d = dir();
	struct err err = ERR_INIT;
	int status, fd;

	assert_int_equal(given_open(in(&d, "none"), &g, &err), -ERR_NOT_FOUND);
	assert_int_equal(given_open(d.top, &g, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "is not a file"));
	write_file(&d, "f", "one");
	assert_int_equal(given_open(in(&d, "f"), &g, &err), 0);
	assert_string_equal(given_path(g), in(&d, "f"));
	assert_true(given_changed(g));
	assert_int_equal(given_read(g, &b, &err), 0);
	assert_string_equal(buf_str(&b), "one");
	assert_false(given_changed(g));
	fd = open(in(&d, "f"), O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "two", 3), 3);
	close(fd);
	if (geteuid() == 0) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(reads_on(&d, g));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	write_file(&d, "f", "three");
	assert_true(given_changed(g));
	buf_clear(&b);
	assert_int_equal(given_read(g, &b, &err), 0);
	assert_string_equal(buf_str(&b), "three");
	assert_int_equal(unlink(in(&d, "f")), 0);
	assert_int_equal(given_read(g, &b, &err), -ERR_NOT_FOUND);
	dir_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_place_is_made_and_held_by_one),
		CASE(what_a_killed_process_left_is_swept),
		CASE(paths_become_absolute),
		CASE(files_for_others),
		CASE(what_others_cannot_be_given_is_told),
		CASE(a_given_file_is_read_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
