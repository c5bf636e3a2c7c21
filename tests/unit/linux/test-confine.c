/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon out of root: whose its directory is, and what it can do afterwards (in a child). */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "linux/caps.h"
#include "linux/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define UID 65431

static void users_are_read(void **state)
{
	static const char *const wrong[] = { "0", "x", "1:0", "1:", "", "-1", "99999999999" };
	struct err err = ERR_INIT;
	uid_t uid;
	gid_t gid;

	assert_int_equal(confine_parse_user("reserved", 7, &uid, &gid, &err), 0);
	assert_int_equal(uid, 7);
	assert_int_equal(gid, 7);
	assert_int_equal(confine_parse_user("12", 7, &uid, &gid, &err), 0);
	assert_int_equal(gid, 12);
	assert_int_equal(confine_parse_user("12:34", 7, &uid, &gid, &err), 0);
	assert_int_equal(gid, 34);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(confine_parse_user(wrong[i], 7, &uid, &gid, &err),
				 -ERR_BAD_REQUEST);
		assert_non_null(strstr(err.msg, "--user"));
	}
}

struct dirs {
	char top[64], own[80], other[80];
};

static void dirs_init(struct dirs *d)
{
	strcpy(d->top, "/tmp/teu-confine-XXXXXX");
	assert_non_null(mkdtemp(d->top));
	snprintf(d->own, sizeof(d->own), "%s/own", d->top);
	snprintf(d->other, sizeof(d->other), "%s/other", d->top);
	assert_int_equal(mkdir(d->other, 0777), 0);
}

static void dirs_fini(struct dirs *d)
{
	assert_int_equal(fd_remove_tree(AT_FDCWD, d->top, NULL), 0);
}

static void a_directory_is_taken_when_it_is_new_or_empty(void **state)
{
	struct err err = ERR_INIT;
	struct dirs d;
	struct stat st;
	char file[96];

	if (geteuid() != 0)
		skip();
	dirs_init(&d);
	assert_int_equal(confine_take_dir(d.own, UID, UID, &err), 0);
	assert_int_equal(stat(d.own, &st), 0);
	assert_int_equal(st.st_uid, UID);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(confine_take_dir(d.own, UID, UID, &err), 0);
	/* empty and root's */
	assert_int_equal(confine_take_dir(d.other, UID, UID, &err), 0);
	assert_int_equal(stat(d.other, &st), 0);
	assert_int_equal(st.st_uid, UID);
	/* somebody else's */
	assert_int_equal(confine_take_dir(d.own, UID + 1, UID, &err), -ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "belongs to uid 65431: chown -R 65432:65431"));
	/* root's, with something in it */
	assert_int_equal(chown(d.other, 0, 0), 0);
	snprintf(file, sizeof(file), "%s/x", d.other);
	assert_int_equal(mkdir(file, 0700), 0);
	assert_int_equal(confine_take_dir(d.other, UID, UID, &err), -ERR_CONFLICT);
	dirs_fini(&d);
}

/* The exit status names the first thing that is not as it should be. */
static int confined(const struct dirs *d)
{
	const struct confine_path paths[] = { { d->own, CONFINE_STORE, false },
					      { NULL, CONFINE_READ, false } };
	const struct confine f = {
		.drop = true, .uid = UID, .gid = UID, .paths = paths, .npaths = ARRAY_LEN(paths)
	};
	struct err err = ERR_INIT;
	char file[112];
	struct caps c;
	int fd;

	if (confine_take_dir(d->own, UID, UID, &err) < 0 || chdir(d->own) < 0)
		return 1;
	if (confine_enter(&f, &err) < 0)
		return 2;
	if (getuid() != UID || geteuid() != UID || getegid() != UID || getgroups(0, NULL) != 0)
		return 3;
	if (caps_self(&c, &err) < 0 ||
	    (c.effective | c.permitted | c.inheritable | c.bounding | c.ambient) != 0)
		return 4;
	if (setuid(0) == 0)
		return 5;
	/* the directory above may not be passed: relative names work */
	fd = open("file", O_RDWR | O_CREAT, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || mkdir("dir", 0700) < 0 || unlink("file") < 0)
		return 6;
	snprintf(file, sizeof(file), "%s/x", d->other);
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 1 &&
	    (open(file, O_WRONLY | O_CREAT, 0600) >= 0 || open("/etc/passwd", O_RDONLY) >= 0))
		return 7;
	if (execl("/bin/true", "true", NULL) == 0 || errno != EPERM)
		return 8;
	if (socket(AF_INET, SOCK_DGRAM, 0) >= 0 || errno != EPERM)
		return 9;
	return 0;
}

static void nothing_is_left_of_root(void **state)
{
	struct dirs d;
	pid_t pid;
	int status;

	if (geteuid() != 0)
		skip();
	dirs_init(&d);
	assert_int_equal(chmod(d.other, 0777), 0);
	pid = fork();
	if (pid == 0)
		_exit(confined(&d));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	dirs_fini(&d);
}

static int outward(const struct dirs *d)
{
	const struct confine_path paths[] = { { "/nowhere/at/all", CONFINE_READ, false } };
	struct confine f = { .drop = true, .uid = UID, .gid = UID, .outward = true };
	struct err err = ERR_INIT;

	f.paths = paths;
	f.npaths = 1;
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 1 &&
	    (confine_enter(&f, &err) == 0 || !strstr(err.msg, "/nowhere/at/all") || getuid() != 0))
		return 1; /* it fails before anything was given up */
	f.npaths = 0;
	if (confine_enter(&f, &err) < 0)
		return 2;
	return socket(AF_INET, SOCK_DGRAM, 0) >= 0 ? 0 : 3;
}

static void who_speaks_first_may(void **state)
{
	struct dirs d;
	pid_t pid;
	int status;

	if (geteuid() != 0)
		skip();
	dirs_init(&d);
	pid = fork();
	if (pid == 0)
		_exit(outward(&d));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	dirs_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_are_read),
		cmocka_unit_test(a_directory_is_taken_when_it_is_new_or_empty),
		cmocka_unit_test(nothing_is_left_of_root),
		cmocka_unit_test(who_speaks_first_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
