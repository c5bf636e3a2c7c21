/* SPDX-License-Identifier: Apache-2.0 */
/* What the schema-*.c files (and yaml.c, for base64) share; not for other folders. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "doc/schema.h"

#include <sys/types.h>

#define SCHEMA_CAUSES_DEFAULT 32
#define SCHEMA_DEPTH_MAX 128 /* tables may be recursive; this bounds the C stack */

/* One step of the path to the value at hand; steps live on the C stack. */
struct schema_step {
	const struct schema_step *up;
	struct slice name; /* {NULL,0}: `index` counts */
	size_t index;
	bool key; /* a map's key rather than a field */
};

struct schema_ctx {
	struct arena *a;
	const struct schema_opts *o; /* never NULL */
	const struct schema_step *at;
	struct cause *first, **tail;
	unsigned max, total; /* causes kept at most, causes seen */
	unsigned depth;
	bool quota; /* the arena is full: stop */
};

void schema_ctx_init(struct schema_ctx *c, struct arena *a, const struct schema_opts *o);
/* Turns what was collected into err. 0 when nothing was. */
int schema_ctx_result(struct schema_ctx *c, const struct schema *s, struct err *err);
/* The current path with `field` at its end ("" = none); NULL when the arena is full. */
char *schema_path(struct schema_ctx *c, const char *field);

/* The row of a list's or map's elements; `room` holds it when it has to be made. */
const struct schema_field *schema_elem(const struct schema_field *f, struct schema_field *room);
/* Bytes that a row's value takes in a C struct, and in the entry of a MAP_OF. */
size_t schema_value_size(const struct schema_field *f);
size_t schema_entry_size(const struct schema_field *f);

/* Bytes written to `out` (room for in.n / 4 * 3), or -1: not base64 with padding. */
ssize_t schema_base64_decode(struct slice in, char *out);
/* Bytes written to `out` (room for (in.n + 2) / 3 * 4). */
size_t schema_base64_encode(struct slice in, char *out);
