/* SPDX-License-Identifier: Apache-2.0 */
/* The wire format of protocol buffers: what protobuf-wire.h does not do inline. */
#include "doc/protobuf-wire.h"

#include <stdlib.h>

bool pb_varint_slow(struct pb_reader *r, uint64_t *ret)
{
	const unsigned char *p = r->p;
	uint64_t v = 0;

	for (unsigned shift = 0; p < r->end; shift += 7) {
		unsigned char c = *p++;

		if (shift == 63 && c > 1) {
			r->why = "a number of more than 64 bits";
			return false;
		}
		v |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80) {
			r->p = p;
			*ret = v;
			return true;
		}
	}
	r->why = "cut off within a number";
	return false;
}

static bool fixed(struct pb_reader *r, size_t n, uint64_t *ret)
{
	uint64_t v = 0;

	if ((size_t)(r->end - r->p) < n) {
		r->why = "cut off within a fixed-size number";
		return false;
	}
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)r->p[i] << 8 * i;
	r->p += n;
	*ret = v;
	return true;
}

static bool bytes(struct pb_reader *r, struct slice *ret)
{
	uint64_t n;

	if (!pb_varint(r, &n))
		return false;
	if (n > (size_t)(r->end - r->p)) {
		r->why = "a length beyond the end";
		return false;
	}
	*ret = slice_of((const char *)r->p, (size_t)n);
	r->p += n;
	return true;
}

int pb_next(struct pb_reader *r, struct pb_field *f)
{
	uint64_t tag;
	bool ok;

	if (r->p == r->end)
		return 0;
	f->start = r->p;
	if (!pb_varint(r, &tag))
		return -1;
	if (tag >> 3 == 0 || tag >> 3 > PB_FIELD_MAX) {
		r->why = "a field number out of range";
		return -1;
	}
	f->number = (uint32_t)(tag >> 3);
	f->type = (enum pb_type)(tag & 7);
	switch (f->type) {
	case PB_VARINT: ok = pb_varint(r, &f->v); break;
	case PB_FIXED64: ok = fixed(r, 8, &f->v); break;
	case PB_BYTES: ok = bytes(r, &f->bytes); break;
	case PB_FIXED32: ok = fixed(r, 4, &f->v); break;
	case PB_GROUP:
	case PB_END_GROUP:
		r->why = "a group, which is not supported";
		ok = false;
		break;
	default:
		r->why = "a wire type that does not exist";
		ok = false;
		break;
	}
	return ok ? 1 : -1;
}

void pb_writer_fini(struct pb_writer *w)
{
	free(w->base);
	*w = PB_WRITER_INIT(w->max);
}

bool pb_grow(struct pb_writer *w, size_t n)
{
	size_t used = pb_size(w), cap = MAX(w->cap * 2, (size_t)512);
	char *base;

	if (w->full || n > w->max || used > w->max - n) {
		w->full = true;
		return false;
	}
	while (cap - used < n)
		cap *= 2;
	base = malloc(cap);
	if (!base)
		abort();
	if (used && w->base)
		memcpy(base + cap - used, w->base + w->at, used);
	free(w->base);
	w->base = base;
	w->cap = cap;
	w->at = cap - used;
	return true;
}

void pb_put_varint(struct pb_writer *w, uint64_t v)
{
	size_t n = 1;
	char *d;

	for (uint64_t rest = v >> 7; rest; rest >>= 7)
		n++;
	d = pb_room(w, n);
	if (!d)
		return;
	for (; n > 1; n--, v >>= 7)
		*d++ = (char)(v | 0x80);
	*d = (char)v;
}

void pb_put_fixed32(struct pb_writer *w, uint32_t v)
{
	char *d = pb_room(w, 4);

	for (unsigned i = 0; d && i < 4; i++)
		d[i] = (char)(v >> 8 * i);
}

void pb_put_fixed64(struct pb_writer *w, uint64_t v)
{
	char *d = pb_room(w, 8);

	for (unsigned i = 0; d && i < 8; i++)
		d[i] = (char)(v >> 8 * i);
}
