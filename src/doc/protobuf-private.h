/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the protobuf-*.c files share: how a row looks on the wire, paths for messages, and the types
 * that are messages on the wire and one value in the document (protobuf-special.c).
 */
#pragma once

#include "base/err.h"
#include "doc/doc.h"
#include "doc/protobuf-wire.h"
#include "doc/protobuf.h"
#include "doc/schema.h"

/* One step of the path to the value at hand; steps live on the C stack. */
struct protobuf_step {
	const struct protobuf_step *up;
	struct slice name; /* {NULL,0}: `index` counts */
	size_t index;
};

/* What both directions carry along. */
struct protobuf_ctx {
	struct arena *a; /* decode: of the document; encode: NULL */
	const struct protobuf_opts *o;
	const struct protobuf_step *at;
	const char *title; /* of the outermost table */
	struct err *err;
	unsigned depth, depth_max;
};

void protobuf_ctx_init(struct protobuf_ctx *c, const struct schema *s, struct arena *a,
		       const struct protobuf_opts *o, struct err *err);
/* "<verb> <title>: <path>: ..."; returns -code. */
int protobuf_fail(const struct protobuf_ctx *c, enum err_code code, const char *fmt, ...)
	PRINTF(3, 4);
int protobuf_full(const struct protobuf_ctx *c); /* the arena is exceeded */

/* The element's row of a list or map, with its wire. */
const struct schema_field *protobuf_elem(const struct schema_field *f, struct schema_field *room);
/* The wire type of one value of this row (of a list: of an element; message where it is one). */
enum pb_type protobuf_wire_type(const struct schema_field *f);
/* A number whose zero is written as nothing: varint or fixed. */
static inline bool protobuf_is_scalar(const struct schema_field *f)
{
	return protobuf_wire_type(f) != PB_BYTES;
}
static inline unsigned protobuf_kind(const struct schema_field *f)
{
	return f->wire & SCHEMA_PB_KIND;
}
/* One of two members, by the value's own type. */
static inline bool protobuf_is_union(const struct schema_field *f)
{
	return protobuf_kind(f) >= SCHEMA_PB_OR_BOOL;
}
/* A list that is one message {items=1} rather than a repeated field. */
static inline bool protobuf_is_wrapped_list(const struct schema_field *f)
{
	return f->type == SCHEMA_LIST && protobuf_kind(f) == SCHEMA_PB_MESSAGE;
}

/* ---- numbers (protobuf-special.c) ---- */

/* The value of a BOOL, INT, DOUBLE or numbered ENUM from its wire bits; 0 or -code. */
int protobuf_read_number(struct protobuf_ctx *c, const struct schema_field *f, uint64_t bits,
			 struct doc *ret);
/* The wire bits of a node, as protobuf_wire_type has it; 0 or -code. */
int protobuf_number_bits(struct protobuf_ctx *c, const struct schema_field *f, const struct doc *d,
			 uint64_t *ret);
void protobuf_put_bits(struct pb_writer *w, enum pb_type type, uint64_t bits);

/* ---- messages that are one value ---- */

/* Does the row's type have one? Objects, lists and maps have none. */
bool protobuf_is_special(const struct schema_field *f);
/* ret NULL type: the value is absent (an empty time). */
int protobuf_read_special(struct protobuf_ctx *c, const struct schema_field *f, struct slice wire,
			  struct doc *ret);
/* The message's bytes without tag and length. */
int protobuf_put_special(struct protobuf_ctx *c, struct pb_writer *w, const struct schema_field *f,
			 const struct doc *d);

/* The same of a value that is not there, all parts of it. */
void protobuf_put_zero(struct pb_writer *w, const struct schema_field *f);

/* protobuf_kube_decode with more options; o->find is there. */
int protobuf_kube_object(struct slice body, struct arena *a, const struct protobuf_opts *o,
			 struct doc *ret, struct err *err);

/* A string field: checks UTF-8 and borrows. */
int protobuf_read_string(struct protobuf_ctx *c, struct slice s, struct doc *ret);
