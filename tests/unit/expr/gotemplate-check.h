/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of Go's templates share: data, two functions of a caller, rows of templates. */
#pragma once

#include "../doc/doc-check.h"

#include "base/hash.h"
#include "expr/gotemplate.h"

static const char check_data[] =
	"{\"apiVersion\":\"v1\",\"i\":3,\"neg\":-7,\"z\":0,\"f\":1.5,\"big\":1000000.5,"
	"\"huge\":12345678901234567890,\"e\":1e21,\"s\":\"h\xc3\xa4l<l>o \\\"q\\\"\",\"es\":\"\","
	"\"t\":true,\"fa\":false,\"n\":null,\"l\":[1,\"two\",3.5,null,{\"a\":{\"b\":2}},[1,[2]]],"
	"\"m\":{\"b\":1,\"a\":\"x\",\"c\":{},\"d\":null},\"el\":[],\"em\":{},\"k-y\":4,"
	"\"items\":[{\"n\":\"p1\",\"v\":1},{\"n\":\"p2\",\"v\":2.0}]}";

struct row {
	const char *template, *text;
	const char *error; /* NULL: none */
};

static int check_exists(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	ret->type = GOTEMPLATE_BOOL;
	ret->truth = c->n == 1 && c->v[0].type != GOTEMPLATE_NIL;
	return 0;
}

static int check_base64decode(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	char *text = arena_alloc(c->a, c->v[0].s.n + 4);

	ret->type = GOTEMPLATE_STRING;
	ret->s = slice_of(text, 0);
	return base64_decode(text, &ret->s.n, c->v[0].s) < 0
		       ? err_set(c->err, ERR_INVALID, "base64 decode failed: no base64")
		       : 0;
}

static const struct gotemplate_func check_funcs[] = {
	{ "exists", "aa...", check_exists },
	{ "base64decode", "s", check_base64decode },
	{ 0 },
};

/* The error, or "". */
static const char *check_run(struct arena *a, const char *template, unsigned flags, struct buf *out)
{
	struct gotemplate_job job = { .name = SLICE("output"), .flags = flags, .a = a, .out = out };
	struct gotemplate *set;
	struct err err = ERR_INIT;

	job.data = must_read(a, check_data);
	assert_int_equal(gotemplate_new(a, check_funcs, &set, &err), 0);
	if (gotemplate_parse(set, job.name, slice_str(template), &err) == 0)
		(void)gotemplate_run(set, &job, &err);
	return arena_strdup(a, err.msg);
}

static inline void run_rows_with(struct arena *a, const struct row *rows, size_t n, unsigned flags)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 16);
		const char *error = check_run(a, rows[i].template, flags, &out);

		if (strcmp(buf_str(&out), rows[i].text) != 0 ||
		    strcmp(error, rows[i].error ? rows[i].error : "") != 0)
			fail_msg("%s: '%s' and \"%s\", not '%s' and \"%s\"", rows[i].template,
				 buf_str(&out), error, rows[i].text,
				 rows[i].error ? rows[i].error : "");
	}
}

static inline void run_rows(struct arena *a, const struct row *rows, size_t n)
{
	run_rows_with(a, rows, n, 0);
}
