/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: whatever is accepted is written and read back the same, in every style; modes agree with
 * one another. The first byte chooses the options, the rest is the text.
 */
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void round_trip(struct arena *a, const struct doc *d, const struct json_style *style)
{
	static const struct json_options deep = { .max_depth = 100000, .dup = JSON_DUP_ERROR };
	struct err err = ERR_INIT;
	struct slice s = { 0 };
	struct doc *back;

	if (json_print(a, d, style, &s, &err) < 0) {
		must(err.code == ERR_QUOTA);
		return;
	}
	if (json_read(a, s, &deep, &back, &err) < 0)
		must(err.code == ERR_QUOTA);
	else
		must(doc_equal(d, back));
}

static void numbers(const struct doc *d)
{
	uint64_t u;
	int64_t i;
	double f;

	if (d->type == DOC_NUMBER) {
		must(doc_int64(d, &i) >= 0 && doc_uint64(d, &u) >= 0 && doc_double(d, &f) >= 0);
		must(doc_number_cmp(d, d) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct json_style styles[] = {
		{ 0 },
		{ .indent = "  " },
		{ .order = JSON_SORTED },
		{ .order = JSON_CANONICAL, .html = true },
		{ .indent = "\t", .prefix = " ", .order = JSON_SORTED },
	};
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 8u << 20);
	struct json_dups dups = { 0 };
	struct json_options opt = { .max_depth = 2000, .max_nodes = 100000, .dups = &dups };
	struct err err = ERR_INIT;
	struct doc *d;
	size_t used;
	int r;

	if (size == 0)
		return 0;
	opt.copy = data[0] & 1;
	opt.replace = data[0] & 2;
	opt.consumed = data[0] & 4 ? &used : NULL;
	opt.dup = (data[0] >> 3) % 3;
	r = json_read(a, slice_of((const char *)data + 1, size - 1), &opt, &d, &err);
	must(r >= 0 ? !err.code && (r == 0 || opt.consumed) : err.code && err.msg[0]);
	if (r != 0)
		return 0;
	must(!opt.consumed || used <= size - 1);
	numbers(d);
	DOC_EACH (it, d)
		numbers(it);
	must(doc_equal(d, d));
	for (size_t i = 0; i < ARRAY_LEN(styles); i++)
		round_trip(a, d, &styles[i]);
	d = doc_copy(a, d);
	if (d)
		round_trip(a, d, NULL);
	return 0;
}
