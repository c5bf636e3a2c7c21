/* SPDX-License-Identifier: Apache-2.0 */
/* Slices, number readers and growing buffers on the heap. A true out-of-memory aborts. */
#include "base/str.h"

#include "base/err.h"

#include <assert.h>
#include <stdio.h>

#define BUF_FIRST 64u

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

bool slice_ieq(struct slice a, struct slice b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
	while (s.n && blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool slice_starts(struct slice s, struct slice prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool slice_ends(struct slice s, struct slice suffix)
{
	return s.n >= suffix.n &&
	       (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

struct slice slice_split(struct slice *rest, char sep)
{
	struct slice head = *rest;
	const char *at = head.n ? memchr(head.p, sep, head.n) : NULL;

	if (!at) {
		*rest = (struct slice){ 0 };
		return head;
	}
	head.n = (size_t)(at - head.p);
	rest->p += head.n + 1;
	rest->n -= head.n + 1;
	return head;
}

static int digits(struct slice s, unsigned base, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n == 0)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d = (unsigned)(unsigned char)s.p[i] - '0';

		if (d >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v) || v > max)
			return -1;
	}
	*ret = v;
	return 0;
}

/* Text from outside in a message: bounded; control characters are the printer's business. */
static int bad_number(struct slice s, const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID, "'%.*s' is not %s", (int)MIN(s.n, (size_t)64),
		       s.p ? s.p : "", what);
}

int str_uint64(struct slice s, uint64_t *ret, struct err *err)
{
	if (digits(s, 10, UINT64_MAX, ret) < 0)
		return bad_number(s, "a whole number from 0 to 18446744073709551615", err);
	return 0;
}

int str_int64(struct slice s, int64_t *ret, struct err *err)
{
	bool minus = s.n && s.p[0] == '-';
	struct slice rest = minus ? slice_of(s.p + 1, s.n - 1) : s;
	uint64_t v;

	if (digits(rest, 10, (uint64_t)INT64_MAX + minus, &v) < 0)
		return bad_number(s, "a whole number of 64 bits", err);
	*ret = minus ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

int str_octal(struct slice s, uint32_t *ret, struct err *err)
{
	uint64_t v;

	if (digits(s, 8, UINT32_MAX, &v) < 0)
		return bad_number(s, "an octal number", err);
	*ret = (uint32_t)v;
	return 0;
}

bool str_copy(char *dst, size_t n, const char *src)
{
	size_t len = strnlen(src, n);
	bool fits = len < n;

	assert(n);
	if (!fits)
		len = n - 1;
	memcpy(dst, src, len);
	dst[len] = '\0';
	return fits;
}

bool str_is_one_of(const char *s, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(s, *list) == 0)
			return true;
	return false;
}

void buf_fini(struct buf *b)
{
	free(b->p);
	*b = BUF_INIT(b->max);
}

char *buf_room(struct buf *b, size_t n)
{
	size_t cap;
	char *p;

	if (b->full || n > b->max - b->n || b->n + n == SIZE_MAX) {
		b->full = true;
		return NULL;
	}
	if (b->n + n < b->cap)
		return b->p;
	/* One byte more than the payload: the NUL. */
	cap = MAX(b->n + n + 1, MIN(b->cap * 2, b->max < SIZE_MAX / 2 ? b->max + 1 : b->cap * 2));
	cap = MAX(cap, BUF_FIRST);
	p = realloc(b->p, cap);
	if (!p)
		abort();
	b->p = p;
	b->cap = cap;
	p[b->n] = '\0';
	return p;
}

int buf_add(struct buf *b, const void *p, size_t n)
{
	if (!buf_room(b, n))
		return -ERR_QUOTA;
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
	return 0;
}

int buf_adds(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_addc(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_addv(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(b->cap ? b->p + b->n : NULL, b->cap - b->n, fmt, ap);
	if (n < 0 || b->full || (size_t)n >= b->cap - b->n || (size_t)n > b->max - b->n) {
		/* Did not fit: forget what was printed, make room, print again. */
		if (b->cap)
			b->p[b->n] = '\0';
		if (n < 0)
			b->full = true;
		if (n < 0 || !buf_room(b, (size_t)n)) {
			va_end(again);
			return -ERR_QUOTA;
		}
		(void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again); /* same length again */
	}
	va_end(again);
	b->n += (size_t)n;
	return 0;
}

int buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = buf_addv(b, fmt, ap);
	va_end(ap);
	return r;
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->n);
	if (n == 0)
		return;
	b->n -= n;
	memmove(b->p, b->p + n, b->n);
	b->p[b->n] = '\0';
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->full = false;
	if (b->p)
		b->p[0] = '\0';
}

char *buf_steal(struct buf *b)
{
	char *p = b->p;

	if (!p) {
		p = calloc(1, 1);
		if (!p)
			abort();
	}
	*b = BUF_INIT(b->max);
	return p;
}

const char *buf_str(const struct buf *b)
{
	return b->p ? b->p : "";
}

struct slice buf_slice(const struct buf *b)
{
	return (struct slice){ buf_str(b), b->n };
}

const char *str_human_size(char *dst, size_t n, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)bytes;
	unsigned u = 0;

	while (v >= 1024 && u + 1 < ARRAY_LEN(units)) {
		v /= 1024;
		u++;
	}
	(void)snprintf(dst, n, "%.4g%s", v, units[u]); /* fits in 32 bytes */
	return dst;
}
