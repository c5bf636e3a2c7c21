/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int dir = -1;
static char dir_path[] = "/tmp/teu-fd-XXXXXX";

static int setup(void **state)
{
	str_copy(dir_path, sizeof(dir_path), "/tmp/teu-fd-XXXXXX");
	if (!mkdtemp(dir_path))
		return -1;
	dir = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0;
}

static int teardown(void **state)
{
	struct err err = ERR_INIT;

	fd_close(dir);
	assert_ok(fd_remove_tree(AT_FDCWD, dir_path, &err));
	assert_int_equal(access(dir_path, F_OK), -1);
	return 0;
}

static bool there(const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void touch(const char *name)
{
	int fd = openat(dir, name, O_CREAT | O_WRONLY, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void close_keeps_errno_and_takes_none(void **state)
{
	errno = EBUSY;
	fd_close(-1);
	fd_close(dup(0));
	fd_close(12345);
	assert_int_equal(errno, EBUSY);
}

static void *slow_reader(void *arg)
{
	static char got[300000];

	usleep(20000);
	return (void *)(intptr_t)fd_read_full(*(int *)arg, got, sizeof(got));
}

static void whole_reads_and_writes_wait_on_nonblocking_fds(void **state)
{
	static char data[300000];
	pthread_t th;
	void *got;
	int p[2];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(fd_set_nonblock(p[0], true), 0);
	assert_int_equal(fd_set_nonblock(p[1], true), 0);
	assert_int_equal(pthread_create(&th, NULL, slow_reader, &p[0]), 0);
	assert_int_equal(fd_write_all(p[1], data, sizeof(data)), 0);
	close(p[1]);
	pthread_join(th, &got);
	assert_int_equal((intptr_t)got, sizeof(data));
	close(p[0]);
	assert_int_equal(fd_write_all(p[0], "x", 1), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(fd_read_full(p[0], data, 1), -1);
}

static void files_are_read_up_to_the_maximum(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1000);
	CLEANUP(buf_fini) struct buf proc = BUF_INIT(100000);
	struct err err = ERR_INIT;
	char data[1001];

	memset(data, 'x', sizeof(data));
	assert_ok(fd_replace_file(dir, "f", data, 1000, 0600, &err));
	assert_ok(fd_read_file(dir, "f", &b, &err));
	assert_int_equal(b.n, 1000);
	assert_err(fd_read_file(dir, "f", &b, &err), ERR_TOO_LARGE, "larger than 1000 bytes");
	buf_clear(&b);
	assert_ok(fd_replace_file(dir, "f", data, 1001, 0600, &err));
	assert_err(fd_read_file(dir, "f", &b, &err), ERR_TOO_LARGE, "'f'");
	buf_clear(&b);
	assert_ok(fd_replace_file(dir, "f", "", 0, 0600, &err));
	assert_ok(fd_read_file(dir, "f", &b, &err));
	assert_int_equal(b.n, 0);
	assert_ok(fd_read_file(AT_FDCWD, "/proc/self/status", &proc, &err));
	assert_words(buf_str(&proc), "Name:");
	assert_err(fd_read_file(dir, "absent", &b, &err), ERR_NOT_FOUND, "open 'absent'");
	assert_int_equal(err.sys, ENOENT);
	assert_err(fd_read_file(dir, ".", &b, &err), ERR_SYSTEM, "directory");
}

static int entries(const char *name)
{
	CLEANUP(fd_close) int fd = openat(dir, name, O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(fd_dup(fd));
	int n = -2;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void several_files_are_replaced_at_once(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(100);
	struct err err = ERR_INIT;
	const struct fd_file v[] = { { "many-a", "one", 3, 0600 },
				     { "many-b", "", 0, 0644 },
				     { "many-c", "three", 5, 0400 } };
	const struct fd_file bad[] = { { "many-a", "new", 3, 0600 },
				       { "many-dir", "x", 1, 0600 },
				       { "many-c", "new", 3, 0600 } };
	struct stat st;

	assert_ok(fd_replace_files(dir, v, 3, &err));
	assert_ok(fd_read_file(dir, "many-c", &b, &err));
	assert_string_equal(buf_str(&b), "three");
	assert_int_equal(fstatat(dir, "many-c", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	assert_int_equal(fstatat(dir, "many-b", &st, 0), 0);
	assert_int_equal(st.st_size, 0);
	/* in order: what comes behind the failure is as it was, and nothing else is left */
	assert_int_equal(mkdirat(dir, "many-dir", 0700), 0);
	assert_err(fd_replace_files(dir, bad, 3, &err), ERR_SYSTEM, "rename to 'many-dir'");
	buf_clear(&b);
	assert_ok(fd_read_file(dir, "many-a", &b, &err));
	assert_string_equal(buf_str(&b), "new");
	buf_clear(&b);
	assert_ok(fd_read_file(dir, "many-c", &b, &err));
	assert_string_equal(buf_str(&b), "three");
	assert_ok(fd_replace_files(dir, NULL, 0, &err));
}

static void replace_is_whole_and_leaves_nothing_else(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1000);
	struct err err = ERR_INIT;
	struct stat st;
	mode_t old = umask(077);

	assert_ok(fd_replace_file(dir, "state", "one", 3, 0644, &err));
	assert_ok(fd_replace_file(dir, "state", "two", 3, 0644, &err));
	umask(old);
	assert_ok(fd_read_file(dir, "state", &b, &err));
	assert_string_equal(buf_str(&b), "two");
	assert_int_equal(fstatat(dir, "state", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(entries("."), 1);
	assert_int_equal(mkdirat(dir, "sub", 0700), 0);
	assert_ok(fd_replace_file(dir, "sub/x", "y", 1, 0600, &err));
	/* A directory of that name: rename fails, the temporary file goes. */
	assert_err(fd_replace_file(dir, "sub", "y", 1, 0600, &err), ERR_SYSTEM, "rename to 'sub'");
	assert_int_equal(entries("."), 2);
	assert_int_equal(entries("sub"), 1);
	assert_err(fd_replace_file(dir, "no/x", "y", 1, 0600, &err), ERR_NOT_FOUND, "open 'no'");
}

static void descriptor_flags_change(void **state)
{
	CLEANUP(fd_close) int fd = fd_dup(dir);
	struct err err = ERR_INIT;

	assert_true(fd >= 3);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fd_set_cloexec(fd, false), 0);
	assert_false(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fd_dup(-1), -1);
	assert_int_equal(fd_set_nonblock(-1, true), -1);
	assert_ok(fd_fsync_dir(AT_FDCWD, &err));
	assert_err(fd_fsync_dir(-1, &err), ERR_SYSTEM, "fsync");
}

static void parents_are_made_as_needed(void **state)
{
	struct err err = ERR_INIT;
	struct stat st;

	assert_ok(fd_mkdir_p(dir, "a/b//c/", 0700, &err));
	assert_ok(fd_mkdir_p(dir, "a/b/c", 0700, &err));
	assert_ok(fd_mkdir_p(AT_FDCWD, "/", 0700, &err));
	assert_int_equal(fstatat(dir, "a/b/c", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstatat(dir, "a/b", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	touch("file");
	assert_err(fd_mkdir_p(dir, "file", 0700, &err), ERR_CONFLICT, "Not a directory");
	assert_err(fd_mkdir_p(dir, "file/x", 0700, &err), ERR_SYSTEM, "Not a directory");
}

static void trees_go_and_link_targets_stay(void **state)
{
	struct err err = ERR_INIT;
	char name[32];

	assert_ok(fd_mkdir_p(dir, "keep/inner", 0700, &err));
	touch("keep/inner/file");
	assert_ok(fd_mkdir_p(dir, "tree/a/b", 0700, &err));
	assert_int_equal(symlinkat("../keep", dir, "tree/link"), 0);
	assert_int_equal(symlinkat("../../../keep/inner", dir, "tree/a/b/link"), 0);
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "tree/a/file-%d", i);
		touch(name);
		if (i % 10)
			continue;
		snprintf(name, sizeof(name), "tree/a/dir-%d", i);
		assert_int_equal(mkdirat(dir, name, 0700), 0);
		snprintf(name, sizeof(name), "tree/a/dir-%d/x", i);
		touch(name);
	}
	int before = count_fds();

	assert_ok(fd_remove_tree(dir, "tree/", &err));
	assert_int_equal(count_fds(), before);
	assert_false(there("tree"));
	assert_true(there("keep/inner/file"));
	assert_int_equal(symlinkat("keep", dir, "top-link"), 0);
	assert_ok(fd_remove_tree(dir, "top-link", &err));
	assert_true(there("keep/inner/file"));
	assert_ok(fd_remove_tree(dir, "absent", &err));
	assert_ok(fd_remove_tree(dir, "absent/below", &err));
	assert_ok(fd_remove_tree(dir, "keep/inner/file", &err));
	assert_err(fd_remove_tree(dir, "keep/..", &err), ERR_INVALID, "not a name");
	assert_err(fd_remove_tree(dir, ".", &err), ERR_INVALID, "not a name");
}

static void a_very_deep_tree_needs_few_fds(void **state)
{
	struct err err = ERR_INIT;
	int at = fd_dup(dir), before;

	/* Deeper than PATH_MAX can say; a few levels have a neighbour to return for. */
	for (int i = 0; i < 3000; i++) {
		int next;

		assert_int_equal(mkdirat(at, "d", 0700), 0);
		if (i % 100 == 0) {
			assert_int_equal(mkdirat(at, "e", 0700), 0);
			assert_int_equal(mkdirat(at, "e/f", 0700), 0);
		}
		next = openat(at, "d", O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(at);
		at = next;
	}
	close(at);
	before = count_fds();
	assert_ok(fd_remove_tree(dir, "d", &err));
	assert_int_equal(count_fds(), before);
	assert_false(there("d"));
}

static void directories_that_deny_their_owner_go_too(void **state)
{
	struct err err = ERR_INIT;
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(fchmod(dir, 0777), 0);
	pid = fork();
	if (pid == 0) {
		/* Without root's rights, as in a rootless engine. */
		if (setresuid(65534, 65534, 65534) < 0 || mkdirat(dir, "p", 0700) < 0 ||
		    mkdirat(dir, "p/closed", 0700) < 0 || mkdirat(dir, "p/closed/x", 0700) < 0 ||
		    mkdirat(dir, "p/closed/x/y", 0700) < 0 ||
		    fchmodat(dir, "p/closed/x", 0555, 0) < 0 || fchmodat(dir, "p/closed", 0, 0) < 0)
			_exit(2);
		_exit(fd_remove_tree(dir, "p", &err) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(there("p"));
}

static void mounts_are_not_crossed(void **state)
{
	struct err err = ERR_INIT;
	int status;
	pid_t pid;

	assert_ok(fd_mkdir_p(dir, "tree/mnt", 0700, &err));
	assert_ok(fd_mkdir_p(dir, "precious", 0700, &err));
	touch("precious/file");
	pid = fork();
	if (pid == 0) {
		char from[64], to[64];

		snprintf(from, sizeof(from), "%s/precious", dir_path);
		snprintf(to, sizeof(to), "%s/tree/mnt", dir_path);
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount(from, to, NULL, MS_BIND, NULL) < 0)
			_exit(77);
		if (fd_remove_tree(AT_FDCWD, to, &err) != -ERR_CONFLICT)
			_exit(1);
		if (fd_remove_tree(dir, "tree", &err) != -ERR_CONFLICT ||
		    !strstr(err.msg, "mount point"))
			_exit(2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(there("precious/file"));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_keeps_errno_and_takes_none),
		cmocka_unit_test(whole_reads_and_writes_wait_on_nonblocking_fds),
		CASE(files_are_read_up_to_the_maximum),
		CASE(replace_is_whole_and_leaves_nothing_else),
		CASE(several_files_are_replaced_at_once),
		CASE(descriptor_flags_change),
		CASE(parents_are_made_as_needed),
		CASE(trees_go_and_link_targets_stay),
		CASE(a_very_deep_tree_needs_few_fds),
		CASE(directories_that_deny_their_owner_go_too),
		CASE(mounts_are_not_crossed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
