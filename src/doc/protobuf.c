/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocol buffers under schema tables: what both directions share, the way to C structs, and
 * streams of messages with their length in front.
 */
#include "doc/protobuf.h"

#include "base/arena.h"
#include "doc/protobuf-private.h"
#include "doc/schema-private.h"

#include <stdarg.h>
#include <stdio.h>

void protobuf_ctx_init(struct protobuf_ctx *c, const struct schema *s, struct arena *a,
		       const struct protobuf_opts *o, struct err *err)
{
	unsigned max = o->depth_max ? o->depth_max : PROTOBUF_DEPTH_DEFAULT;

	*c = (struct protobuf_ctx){ .a = a, .o = o, .title = s->name, .err = err };
	c->depth_max = MIN(max, (unsigned)PROTOBUF_DEPTH_DEFAULT);
}

static void add_path(struct buf *b, const struct protobuf_step *at)
{
	if (!at)
		return;
	add_path(b, at->up);
	if (at->name.p)
		(void)buf_addf(b, "%s%.*s", b->n ? "." : "", (int)MIN(at->name.n, (size_t)64),
			       at->name.p);
	else
		(void)buf_addf(b, "[%zu]", at->index);
}

int protobuf_fail(const struct protobuf_ctx *c, enum err_code code, const char *fmt, ...)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(512);
	char text[256];
	va_list ap;

	add_path(&path, c->at);
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(c->err, code, "%s message of '%s': %s%s%s", c->a ? "decode" : "encode",
		       c->title, buf_str(&path), path.n ? ": " : "", text);
}

int protobuf_full(const struct protobuf_ctx *c)
{
	return arena_quota(c->a, c->err);
}

const struct schema_field *protobuf_elem(const struct schema_field *f, struct schema_field *room)
{
	if (f->elem_row)
		return f->elem;
	*room = *schema_elem(f, room);
	room->wire = f->wire;
	if (protobuf_is_wrapped_list(f))
		room->wire &= (uint8_t)~SCHEMA_PB_KIND;
	return room;
}

enum pb_type protobuf_wire_type(const struct schema_field *f)
{
	static const uint8_t types[] = {
		[SCHEMA_PB_NONE] = PB_VARINT,	  [SCHEMA_PB_VARINT] = PB_VARINT,
		[SCHEMA_PB_ZIGZAG] = PB_VARINT,	  [SCHEMA_PB_FIXED32] = PB_FIXED32,
		[SCHEMA_PB_FIXED64] = PB_FIXED64, [SCHEMA_PB_BYTES] = PB_BYTES,
		[SCHEMA_PB_MESSAGE] = PB_BYTES,
	};
	unsigned kind = protobuf_kind(f);

	switch ((enum schema_type)f->type) {
	case SCHEMA_BOOL:
	case SCHEMA_INT: return (enum pb_type)types[kind];
	case SCHEMA_DOUBLE: return kind == SCHEMA_PB_NONE ? PB_FIXED64 : (enum pb_type)types[kind];
	case SCHEMA_ENUM: return kind == SCHEMA_PB_VARINT ? PB_VARINT : PB_BYTES;
	default: return PB_BYTES;
	}
}

int protobuf_decode_struct(const struct schema *s, struct slice wire, struct arena *a, void *out,
			   struct err *err)
{
	struct doc *d = doc_new_object(a);
	int r;

	if (!d)
		return arena_quota(a, err);
	r = protobuf_decode(s, wire, a, NULL, d, err);
	if (r == 0)
		r = schema_decode(s, d, a, out, NULL, err);
	return r;
}

int protobuf_encode_struct(const struct schema *s, const void *in, struct arena *a, struct buf *out,
			   struct err *err)
{
	struct doc d;
	int r;

	r = schema_encode(s, in, a, &d, err);
	if (r == 0)
		r = protobuf_encode(s, &d, NULL, out, err);
	return r;
}

int protobuf_delimited(struct slice *in, size_t max, struct slice *ret, struct err *err)
{
	struct pb_reader r = pb_reader(*in);
	uint64_t n;

	if (!pb_varint(&r, &n)) {
		if (in->n < 10)
			return 0;
		return err_set(err, ERR_BAD_REQUEST, "message length: %s", r.why);
	}
	if (n > max)
		return err_set(err, ERR_TOO_LARGE, "a message of %llu bytes, at most %zu",
			       (unsigned long long)n, max);
	if (n > (size_t)(r.end - r.p))
		return 0;
	*ret = slice_of((const char *)r.p, (size_t)n);
	r.p += n;
	*in = slice_of((const char *)r.p, (size_t)(r.end - r.p));
	return 1;
}
