/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of base share: cmocka in its needed order, and checks of errors by code and words.
 */
#pragma once

/* cmocka needs these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

#include <dirent.h>
#include <string.h>

/* The call failed with this code, and the message has these words. */
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
		if (got_ != 0)                                 \
			fail_msg("got %d: %s", got_, err.msg); \
	} while (0)

#define assert_words(text, words)                                     \
	do {                                                          \
		if (!strstr((text), (words)))                         \
			fail_msg("'%s' lacks '%s'", (text), (words)); \
	} while (0)

/* Open fds of this process, the directory stream's own included: compare two calls. */
static inline int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}
