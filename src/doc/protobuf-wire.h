/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire format itself: a reader of tags and values over a slice, and a writer that fills a
 * buffer from its end, so that a message's length is known when it is written. For tables use
 * protobuf.h; this is for its files and for the few messages that are not worth one.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum pb_type {
	PB_VARINT = 0,
	PB_FIXED64 = 1,
	PB_BYTES = 2,
	PB_GROUP = 3,
	PB_END_GROUP = 4,
	PB_FIXED32 = 5,
};
#define PB_FIELD_MAX ((1u << 29) - 1)

/* ---- reading ---- */

struct pb_reader {
	const unsigned char *p, *end;
	const char *why; /* static text once something was wrong */
};

struct pb_field {
	uint32_t number;
	enum pb_type type;
	uint64_t v;		    /* VARINT, FIXED32, FIXED64 */
	struct slice bytes;	    /* BYTES */
	const unsigned char *start; /* of its tag */
};

static inline struct pb_reader pb_reader(struct slice s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	return (struct pb_reader){ .p = p, .end = p ? p + s.n : p };
}
/* False: r->why is set. At most ten bytes, the tenth at most 1. */
bool pb_varint_slow(struct pb_reader *r, uint64_t *ret);
static inline bool pb_varint(struct pb_reader *r, uint64_t *ret)
{
	if (__builtin_expect(r->p < r->end && *r->p < 0x80, 1)) {
		*ret = *r->p++;
		return true;
	}
	return pb_varint_slow(r, ret);
}
/* 1 = a field, 0 = the end, -1 = wrong (r->why). Groups are wrong. */
int pb_next(struct pb_reader *r, struct pb_field *f);
static inline int64_t pb_unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}
static inline uint64_t pb_zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

/* ---- writing, from the end ---- */

struct pb_writer {
	char *base;
	size_t cap, at; /* the bytes are at [at, cap) */
	size_t max;
	bool full;
};
#define PB_WRITER_INIT(maximum) ((struct pb_writer){ .max = (maximum) })
void pb_writer_fini(struct pb_writer *w);
DEFINE_CLEANUP_EMBEDDED(struct pb_writer, pb_writer_fini)
static inline size_t pb_size(const struct pb_writer *w)
{
	return w->cap - w->at;
}
static inline struct slice pb_written(const struct pb_writer *w)
{
	return w->base ? slice_of(w->base + w->at, pb_size(w)) : (struct slice){ NULL, 0 };
}
bool pb_grow(struct pb_writer *w, size_t n);
/* Room for n bytes in front of what is there; NULL past the maximum (latched in `full`). */
static inline char *pb_room(struct pb_writer *w, size_t n)
{
	if (__builtin_expect(w->at < n || !w->base, 0) && !pb_grow(w, n))
		return NULL;
	w->at -= n;
	return w->base + w->at;
}
void pb_put_varint(struct pb_writer *w, uint64_t v);
void pb_put_fixed32(struct pb_writer *w, uint32_t v);
void pb_put_fixed64(struct pb_writer *w, uint64_t v);
static inline void pb_put_raw(struct pb_writer *w, struct slice s)
{
	char *d = pb_room(w, s.n);

	if (d && s.n)
		memcpy(d, s.p, s.n);
}
static inline void pb_put_tag(struct pb_writer *w, uint32_t number, enum pb_type type)
{
	pb_put_varint(w, (uint64_t)number << 3 | type);
}
/* Whole fields; the last field of a message is put first. */
static inline void pb_field_varint(struct pb_writer *w, uint32_t number, uint64_t v)
{
	pb_put_varint(w, v);
	pb_put_tag(w, number, PB_VARINT);
}
static inline void pb_field_bytes(struct pb_writer *w, uint32_t number, struct slice s)
{
	pb_put_raw(w, s);
	pb_put_varint(w, s.n);
	pb_put_tag(w, number, PB_BYTES);
}
/* Closes a message whose first written byte was put when pb_size was `before`. */
static inline void pb_field_message(struct pb_writer *w, uint32_t number, size_t before)
{
	pb_put_varint(w, pb_size(w) - before);
	pb_put_tag(w, number, PB_BYTES);
}
