/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of src/cli share. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "doc/doc.h"
#include "doc/json.h"

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

	assert_int_equal(json_print(a, d, NULL, &s, NULL), 0);
	return s.p;
}

static inline struct doc *doc_of(struct arena *a, const char *text)
{
	struct json_options o = { .copy = true };
	struct doc *d;

	assert_int_equal(json_read(a, slice_str(text), &o, &d, NULL), 0);
	return d;
}

static inline void assert_part(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text);
}
