/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slices (borrowed bytes with a length) and growing byte buffers with a maximum.
 *
 * A buffer past its maximum drops what does not fit, latches `full`, and every later append fails
 * too: one check at the end is enough. Appends return 0 or -ERR_QUOTA. The bytes are always
 * NUL-terminated.
 */
#pragma once

#include "base/cleanup.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct arena;
struct err;

struct slice {
	const char *p;
	size_t n;
};

#define SLICE(lit) ((struct slice){ (lit), sizeof(lit) - 1 })
static inline struct slice slice_str(const char *s)
{
	return (struct slice){ s, s ? strlen(s) : 0 };
}
static inline struct slice slice_of(const char *p, size_t n)
{
	return (struct slice){ p, n };
}
static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
/* By bytes; of two where one begins the other, the shorter first. */
static inline int slice_cmp(struct slice a, struct slice b)
{
	int d = a.n && b.n ? memcmp(a.p, b.p, a.n < b.n ? a.n : b.n) : 0;

	return d ? d : (a.n > b.n) - (a.n < b.n);
}
static inline bool slice_is(struct slice a, const char *s)
{
	return a.n == strlen(s) && (a.n == 0 || memcmp(a.p, s, a.n) == 0);
}
bool slice_ieq(struct slice a, struct slice b); /* ASCII case-insensitive */
struct slice slice_trim(struct slice s);	/* ASCII space and tab at both ends */
/* Also of nothing ({NULL,0}): false. */
static inline bool slice_has(struct slice s, char c)
{
	return s.p && memchr(s.p, c, s.n);
}
static inline bool slice_has_text(struct slice s, struct slice text)
{
	return s.p && memmem(s.p, s.n, text.p, text.n);
}
bool slice_starts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
/* Cuts *rest at the first `sep`: returns what is before it, *rest becomes what is after it; at the
 * end *rest becomes {NULL,0}. A {NULL,0} input gives {NULL,0}. */
struct slice slice_split(struct slice *rest, char sep);

/* Whole-string number readers: no sign games, no blanks, no overflow. 0 or -ERR_INVALID (err
 * filled, names the text). */
int str_int64(struct slice s, int64_t *ret, struct err *err);
int str_uint64(struct slice s, uint64_t *ret, struct err *err);
int str_octal(struct slice s, uint32_t *ret, struct err *err);

/* Copies with truncation, always terminates (n > 0). Returns false if cut. */
bool str_copy(char *dst, size_t n, const char *src);
bool str_is_one_of(const char *s, const char *const *list); /* NULL-terminated list */

struct buf {
	char *p;    /* NULL until the first append */
	size_t n;   /* bytes used, without the NUL */
	size_t cap; /* bytes allocated */
	size_t max; /* payload maximum */
	bool full;
};

#define BUF_INIT(maximum) ((struct buf){ .max = (maximum) })
void buf_fini(struct buf *b); /* frees; the buffer is empty and usable again */
DEFINE_CLEANUP_EMBEDDED(struct buf, buf_fini)
int buf_add(struct buf *b, const void *p, size_t n);
int buf_adds(struct buf *b, const char *s);
int buf_addc(struct buf *b, char c);
int buf_addf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
int buf_addv(struct buf *b, const char *fmt, va_list ap);
/* Room for at least n more bytes; write at b->p + b->n, then b->n += written. NULL past the
 * maximum. */
char *buf_room(struct buf *b, size_t n);
void buf_consume(struct buf *b, size_t n); /* drops the first n bytes */
void buf_clear(struct buf *b);		   /* n = 0, full = false, keeps the memory */
char *buf_steal(struct buf *b);		   /* heap string, caller frees; never NULL */
const char *buf_str(const struct buf *b);  /* "" when empty */
struct slice buf_slice(const struct buf *b);

/* "1.5GiB" style for people; buffer of at least 32 bytes; returns it. */
const char *str_human_size(char *dst, size_t n, uint64_t bytes);
