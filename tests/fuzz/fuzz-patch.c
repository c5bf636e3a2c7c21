/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patches: two values one after the other, document and patch. An array is a JSON Patch, all else a
 * merge patch. Neither input may change, and the difference of two objects must lead from one to
 * the other.
 */
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"
#include "doc/patch.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* Merge patches cannot set null: only documents without it come back the same. */
static bool has_null(const struct doc *d)
{
	DOC_EACH_MEMBER (key, value, d)
		if (value->type == DOC_NULL || has_null(value))
			return true;
	return false;
}

static void there_and_back(struct arena *a, const struct doc *from, const struct doc *to)
{
	struct doc *diff, *back;

	if (patch_merge_diff(a, from, to, &diff, NULL) < 0 ||
	    patch_merge(a, from, diff, &back, NULL) < 0)
		must(arena_exceeded(a));
	else if (!has_null(from) && !has_null(to))
		must(doc_equal(back, to));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 8u << 20);
	struct slice text = slice_of((const char *)data, size);
	struct doc *d, *p, *out, *d_was, *p_was;
	struct err err = ERR_INIT;
	size_t used = 0;
	struct json_options opt = { .consumed = &used, .max_depth = 200, .max_nodes = 20000 };
	int r;

	if (json_read(a, text, &opt, &d, &err) != 0)
		return 0;
	text = slice_of(text.p + used, text.n - used);
	if (json_read(a, text, &opt, &p, &err) != 0)
		return 0;
	d_was = doc_copy(a, d);
	p_was = doc_copy(a, p);
	if (!d_was || !p_was)
		return 0;
	r = p->type == DOC_ARRAY ? patch_apply(a, d, p, NULL, &out, &err)
				 : patch_merge(a, d, p, &out, &err);
	must(r <= 0 && (r == 0) == (err.code == ERR_NONE));
	must(doc_equal(d, d_was) && doc_equal(p, p_was));
	if (r == 0)
		there_and_back(a, d, out);
	return 0;
}
