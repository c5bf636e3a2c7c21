/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of documents share: cmocka in its needed order, an arena per case, reading that
 * must succeed. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

#include <string.h>

#define ARENA_MAX (256u << 20)
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static inline int setup(void **state)
{
	*state = arena_new("test", ARENA_MAX);
	return 0;
}

static inline int teardown(void **state)
{
	arena_free(*state);
	return 0;
}

static inline struct doc *must_read(struct arena *a, const char *text)
{
	struct err err = ERR_INIT;
	struct doc *d = NULL;
	int r = json_read(a, slice_str(text), NULL, &d, &err);

	if (r != 0)
		print_error("%s: %s\n", text, err.msg);
	assert_int_equal(r, 0);
	return d;
}

static inline const char *written(struct arena *a, const struct doc *d,
				  const struct json_style *style)
{
	struct err err = ERR_INIT;
	struct slice s = { 0 };

	assert_int_equal(json_print(a, d, style, &s, &err), 0);
	assert_int_equal(strlen(s.p), s.n);
	return s.p;
}

/* The document, written, is this text. */
#define assert_doc(a, d, text) assert_string_equal(written(a, d, NULL), text)
