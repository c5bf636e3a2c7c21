/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the tests of src/linux. */
#pragma once

/* cmocka needs the four before it, in this order. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/err.h"
#include "base/fd.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, make_tree, drop_tree)

static inline void assert_ok_at(int r, const struct err *err, const char *file, int line)
{
	if (r < 0) {
		print_error("%s:%d: unexpected error %s: %s\n", file, line,
			    err_code_name(err->code), err->msg);
		_fail(file, line);
	}
}
#define assert_ok(call, err) assert_ok_at((call), (err), __FILE__, __LINE__)

static inline void assert_fails_at(int r, struct err *err, enum err_code code, const char *part,
				   const char *file, int line)
{
	if (r >= 0 || err->code != code || !strstr(err->msg, part)) {
		print_error("%s:%d: got %d, %s: '%s'; wanted %s with '%s'\n", file, line, r,
			    err_code_name(err->code), err->msg, err_code_name(code), part);
		_fail(file, line);
	}
	*err = ERR_INIT;
}
#define assert_fails(call, err, code, part) \
	assert_fails_at((call), (err), (code), (part), __FILE__, __LINE__)

static inline void strcpy_to(char *dst, size_t n, const char *src)
{
	(void)snprintf(dst, n, "%s", src);
}

static inline void put_file(int dir, const char *path, const char *text)
{
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static inline void get_file(int dir, const char *path, char *text, size_t n)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	assert_true(fd >= 0);
	got = fd_read_full(fd, text, n - 1);
	assert_true(got >= 0);
	text[got] = 0;
	if (got > 0 && text[got - 1] == '\n')
		text[got - 1] = 0;
	close(fd);
}

/* A mount namespace of our own; skips the test when we may not have one. */
static inline void own_mounts(void)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0) {
		print_message("skipped: needs root for a mount namespace\n");
		skip();
	}
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
}
