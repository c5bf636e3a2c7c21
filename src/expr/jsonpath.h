/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSONPath as kubectl has it: templates of text and paths in braces,
 *
 *	{range .items[*]}{.metadata.name}{"\t"}{.spec['a\.b'].x[-1:]}{"\n"}{end}
 *
 * with fields (.a, ['a'], dots in them escaped), indices and slices ([1], [1:3:2], [-1]), [*] and
 * .*, descent (..), unions ([0,2], ['a','b']), filters ([?(@.x=="y")], [?(@.x)]; == != < <= > >=),
 * text, numbers and truth values; "$" and "@" are the value at hand.
 *
 * Compiled once into an arena, constant from then on. Members of maps come in the document's order
 * (Go's has none). Spec: client-go, util/jsonpath (for facts); kubectl's reference.
 */
#pragma once

#include "base/str.h"

struct arena;
struct doc;
struct err;
struct jsonpath;

/* A template. -ERR_INVALID with upstream's words: "unclosed action", "unrecognized identifier x";
 * -ERR_TOO_LARGE, -ERR_QUOTA. */
int jsonpath_compile(struct slice text, struct arena *a, const struct jsonpath **ret,
		     struct err *err);
/* One path, with or without its braces and leading dot: ".spec.x", "spec.x", "{.spec.x}"; as for
 * columns. */
int jsonpath_compile_path(struct slice text, struct arena *a, const struct jsonpath **ret,
			  struct err *err);

enum {
	JSONPATH_MISSING_OK = 1 << 0, /* members that are not there give nothing, no error */
	JSONPATH_JSON = 1 << 1,	      /* print: results as an array of JSON, indented */
};

/* Values that were found, in order; they lie in the document or in the compiled path. */
struct jsonpath_found {
	const struct doc *const *v;
	size_t n;
};
/*
 * What the first text or path of the template finds: all there is for a single path. -ERR_NOT_FOUND
 * "x is not found"; -ERR_INVALID "array index out of bounds: index 3, length 1" and others;
 * -ERR_TOO_LARGE past JSONPATH_VALUES_MAX; -ERR_QUOTA.
 */
#define JSONPATH_VALUES_MAX (1u << 20)
int jsonpath_find(const struct jsonpath *p, const struct doc *d, unsigned flags, struct arena *a,
		  struct jsonpath_found *ret, struct err *err);
/* The whole template's text, appended to out; errors as above. */
int jsonpath_print(const struct jsonpath *p, const struct doc *d, unsigned flags, struct arena *a,
		   struct buf *out, struct err *err);
/* One value as templates print it: text bare, objects and lists as JSON. */
int jsonpath_print_value(const struct doc *v, struct buf *out, struct err *err);
