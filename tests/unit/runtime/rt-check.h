/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the runtime share: checks of errors by code and words, a scratch state root. */
#pragma once

/* cmocka needs these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/fd.h"
#include "runtime/rt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define assert_err(call, want, words)                                                             \
	do {                                                                                      \
		err = ERR_INIT;                                                                   \
		int got_ = (call);                                                                \
		if (got_ != -(int)(want) || err.code != (want) || !strstr(err.msg, (words)))      \
			fail_msg("got %d (%s) '%s', wanted %s with '%s'", got_,                   \
				 err_code_name(err.code), err.msg, err_code_name(want), (words)); \
	} while (0)

#define assert_ok(call)                                        \
	do {                                                   \
		err = ERR_INIT;                                \
		int got_ = (call);                             \
		if (got_ < 0)                                  \
			fail_msg("got %d: %s", got_, err.msg); \
	} while (0)

#define assert_words(text, words)                                     \
	do {                                                          \
		if (!strstr((text), (words)))                         \
			fail_msg("'%s' lacks '%s'", (text), (words)); \
	} while (0)

/* A state root that does not exist yet, below a fresh directory. */
static inline char *scratch_root(void)
{
	static char dir[64], root[80];

	(void)snprintf(dir, sizeof(dir), "/tmp/teu-rt-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(root, sizeof(root), "%s/root", dir);
	return root;
}

static inline void scratch_remove(char *root)
{
	*strrchr(root, '/') = '\0';
	assert_int_equal(fd_remove_tree(-100 /* AT_FDCWD */, root, NULL), 0);
}
