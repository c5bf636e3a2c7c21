/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of src/client share. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "doc/json.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static inline int arena_setup(void **state)
{
	*state = arena_new("test", 64u << 20);
	return 0;
}

static inline int arena_teardown(void **state)
{
	arena_free(*state);
	return 0;
}

#define ARENA_CASE(f) cmocka_unit_test_setup_teardown(f, arena_setup, arena_teardown)

static inline const char *json_of(struct arena *a, const struct doc *d)
{
	struct slice s;

	assert_non_null(d);
	assert_int_equal(json_print(a, d, NULL, &s, NULL), 0);
	return s.p;
}

static inline struct doc *doc_of(struct arena *a, const char *json)
{
	struct doc *d;

	assert_int_equal(json_read(a, slice_str(json), NULL, &d, NULL), 0);
	return d;
}

#define assert_part(text, part)                                      \
	do {                                                         \
		if (!strstr(text, part))                             \
			fail_msg("'%s' is not in '%s'", part, text); \
	} while (0)

/* A folder of its own, and files in it. */
static inline const char *folder(struct arena *a)
{
	char *dir = arena_strdup(a, "/tmp/test-client-XXXXXX");

	assert_non_null(mkdtemp(dir));
	return dir;
}

static inline const char *file(struct arena *a, const char *dir, const char *name, const char *text)
{
	const char *path = arena_printf(a, "%s/%s", dir, name);

	if (text)
		assert_int_equal(fd_replace_file(AT_FDCWD, path, text, strlen(text), 0644, NULL),
				 0);
	return path;
}

static inline const char *text_of(struct arena *a, const char *path)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);

	assert_int_equal(fd_read_file(AT_FDCWD, path, &b, NULL), 0);
	return arena_strndup(a, buf_str(&b), b.n);
}
