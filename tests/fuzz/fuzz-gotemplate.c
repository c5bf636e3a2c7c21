/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options (the first byte), a template, a NUL, and the document that it is run on. Whatever
 * compiles runs in bounds and twice to the same.
 */
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"
#include "expr/gotemplate.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_same(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	struct doc *list = doc_new_array(c->a);

	for (size_t i = 0; i < c->n; i++)
		(void)doc_append(c->a, list, gotemplate_doc_of(&c->v[i], c->a));
	*ret = (struct gotemplate_value){ .type = GOTEMPLATE_LIST, .d = list };
	return list ? 0 : arena_quota(c->a, c->err);
}

static const struct gotemplate_func funcs[] = { { "list", "a...", run_same }, { 0 } };

static int run_once(const struct gotemplate *set, struct gotemplate_job job, struct buf *out,
		    struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("run", 1u << 20);
	int r;

	job.a = a;
	job.out = out;
	r = gotemplate_run(set, &job, err);
	assert(r == 0 || (r == -(int)err->code && err->msg[0]));
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 16u << 20);
	CLEANUP(buf_fini) struct buf one = BUF_INIT(1 << 16), two = BUF_INIT(1 << 16);
	struct slice all = slice_of((const char *)data, size), template;
	struct gotemplate_job job = { .name = SLICE("t") };
	struct gotemplate *set;
	struct err err = ERR_INIT;
	struct doc *d;
	int r;

	if (size < 2)
		return 0;
	all = slice_of(all.p + 1, all.n - 1);
	template = slice_split(&all, '\0');
	if (!all.p)
		all = SLICE("{\"a\":[1,{\"b\":\"x\"},null,2.5],\"c\":{\"d\":true}}");
	if (json_read(a, all, NULL, &d, &err) < 0 || gotemplate_new(a, funcs, &set, &err) < 0)
		return 0;
	r = gotemplate_parse(set, SLICE("t"), template, &err);
	assert(r == 0 || (r == -(int)err.code && err.msg[0]));
	if (r < 0)
		return 0;
	job.data = d;
	job.flags = data[0] & 15;
	r = run_once(set, job, &one, &err);
	assert(run_once(set, job, &two, &err) == r);
	assert(slice_eq(buf_slice(&one), buf_slice(&two)));
	return 0;
}
