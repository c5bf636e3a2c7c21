/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A template or a pattern (the first byte tells), a NUL, and what it is run on. Whatever compiles
 * runs in bounds and twice to the same.
 */
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"
#include "expr/jsonpath.h"
#include "expr/regex.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run_pattern(struct arena *a, struct slice pattern, struct slice text)
{
	const struct regex *x = NULL;
	struct err err = ERR_INIT;

	if (regex_compile(pattern, a, &x, &err) < 0) {
		assert(err.code && err.msg[0]);
		return;
	}
	assert(regex_match(x, text) == regex_match(x, text));
}

static void run_template(struct arena *a, struct slice template, struct slice json)
{
	CLEANUP(buf_fini) struct buf one = BUF_INIT(1 << 16), two = BUF_INIT(1 << 16);
	const struct jsonpath *p = NULL;
	struct jsonpath_found found;
	struct err err = ERR_INIT;
	struct doc *d;
	int r, s;

	if (json_read(a, json, NULL, &d, &err) < 0)
		return;
	err = ERR_INIT;
	if (jsonpath_compile(template, a, &p, &err) == 0) {
		r = jsonpath_print(p, d, JSONPATH_MISSING_OK, a, &one, &err);
		s = jsonpath_print(p, d, JSONPATH_MISSING_OK, a, &two, &err);
		assert(r != 0 || s != 0 || one.n == two.n);
		(void)jsonpath_print(p, d, JSONPATH_JSON, a, &two, &err);
	}
	err = ERR_INIT;
	if (jsonpath_compile_path(template, a, &p, &err) == 0)
		(void)jsonpath_find(p, d, 0, a, &found, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 16u << 20);
	struct slice all = slice_of((const char *)data, size), first;

	if (size < 2)
		return 0;
	all = slice_of(all.p + 1, all.n - 1);
	first = slice_split(&all, '\0');
	if (!all.p)
		all = SLICE("{\"a\":[1,{\"b\":\"x\"}]}");
	if (data[0] == '/')
		run_pattern(a, first, all);
	else
		run_template(a, first, all);
	return 0;
}
