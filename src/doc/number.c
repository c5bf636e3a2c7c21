/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers by value, from their text. A text is seen as 0.DDD x 10^exp, where DDD is the stretch
 * between its first and last digit that is not zero (a '.' may lie in it): no digits are copied and
 * none is ever lost.
 */
#include "doc/number.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define EXP_LIMIT INT64_C(1000000000000000000)
#define EXP_EXACT (EXP_LIMIT / 10) /* up to here no exponent can have been saturated */

struct decimal {
	bool neg;
	const char *p, *end; /* the stretch; empty for zero */
	int64_t exp;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p;
}

const char *number_scan(const char *p, const char *end, uint8_t *flags)
{
	const char *digits;
	uint8_t f = DOC_INT;

	if (p < end && *p == '-') {
		f |= DOC_NEG;
		p++;
	}
	digits = p;
	p = skip_digits(p, end);
	if (p == digits || (*digits == '0' && p - digits > 1))
		return NULL;
	if (p < end && *p == '.') {
		digits = ++p;
		p = skip_digits(p, end);
		if (p == digits)
			return NULL;
		f &= (uint8_t)~DOC_INT;
	}
	if (p < end && (*p | 0x20) == 'e') {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		digits = p;
		p = skip_digits(p, end);
		if (p == digits)
			return NULL;
		f = (uint8_t)((f & ~DOC_INT) | DOC_EXP);
	}
	*flags = f;
	return p;
}

/* Saturates: exponents beyond 10^18 count as one. */
static int64_t read_exponent(const char *p, const char *end)
{
	bool neg = p < end && *p == '-';
	int64_t v = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	for (; p < end; p++)
		v = v >= EXP_LIMIT / 10 ? EXP_LIMIT : v * 10 + (*p - '0');
	return neg ? -v : v;
}

static struct decimal decimal_of(const char *p, size_t n)
{
	const char *end = p + n, *dot = NULL, *mantissa_end = p, *last = NULL;
	struct decimal d = { 0 };
	int64_t exp = 0;

	if (p < end && *p == '-') {
		d.neg = true;
		p++;
	}
	for (mantissa_end = p; mantissa_end < end && (*mantissa_end | 0x20) != 'e';
	     mantissa_end++) {
		char c = *mantissa_end;

		if (c == '.')
			dot = mantissa_end;
		else if (c != '0') {
			last = mantissa_end;
			if (!d.p)
				d.p = mantissa_end;
		}
	}
	if (!d.p) {
		d.neg = false;
		d.p = d.end = p;
		return d;
	}
	d.end = last + 1;
	if (mantissa_end < end)
		exp = read_exponent(mantissa_end + 1, end);
	if (!dot)
		dot = mantissa_end;
	/* Digits before the point, or minus the zeros between the point and the first digit. */
	d.exp = exp + (d.p < dot ? dot - d.p : dot + 1 - d.p);
	return d;
}

/* Next digit of the stretch; 0 past its end, as the value has it. */
static char decimal_next(struct decimal *d)
{
	if (d->p < d->end && *d->p == '.')
		d->p++;
	return d->p < d->end ? *d->p++ : '0';
}

static size_t decimal_digits(const struct decimal *d)
{
	size_t n = (size_t)(d->end - d->p);

	return n - (n && memchr(d->p, '.', n) ? 1 : 0);
}

static int magnitude_cmp(struct decimal a, struct decimal b)
{
	bool za = a.p == a.end, zb = b.p == b.end;

	if (za || zb)
		return (int)zb - (int)za;
	if (a.exp != b.exp)
		return a.exp < b.exp ? -1 : 1;
	while (a.p < a.end || b.p < b.end) {
		char ca = decimal_next(&a), cb = decimal_next(&b);

		if (ca != cb)
			return ca < cb ? -1 : 1;
	}
	return 0;
}

int doc_number_cmp(const struct doc *a, const struct doc *b)
{
	struct decimal x, y;

	if (a->n == b->n && memcmp(a->s, b->s, a->n) == 0)
		return 0;
	x = decimal_of(a->s, a->n);
	y = decimal_of(b->s, b->n);
	if (x.neg != y.neg)
		return x.neg ? -1 : 1;
	return x.neg ? -magnitude_cmp(x, y) : magnitude_cmp(x, y);
}

/* 0 exact; 1 cut or clamped to UINT64_MAX. */
static int magnitude(struct decimal *d, uint64_t *ret)
{
	uint64_t v = 0;

	if (d->p == d->end || d->exp <= 0) {
		*ret = 0;
		return d->p < d->end;
	}
	for (int64_t i = 0; i < d->exp; i++) {
		if (d->exp > 20 || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(decimal_next(d) - '0'), &v)) {
			*ret = UINT64_MAX;
			return 1;
		}
	}
	*ret = v;
	return d->p < d->end;
}

int doc_uint64(const struct doc *d, uint64_t *ret)
{
	struct decimal x;
	int r;

	if (!doc_is(d, DOC_NUMBER))
		return -ERR_INVALID;
	x = decimal_of(d->s, d->n);
	r = magnitude(&x, ret);
	if (x.neg) {
		*ret = 0;
		r = 1;
	}
	return r;
}

int doc_int64(const struct doc *d, int64_t *ret)
{
	struct decimal x;
	uint64_t v, most;
	int r;

	if (!doc_is(d, DOC_NUMBER))
		return -ERR_INVALID;
	x = decimal_of(d->s, d->n);
	most = (uint64_t)INT64_MAX + x.neg;
	r = magnitude(&x, &v);
	if (v > most) {
		v = most;
		r = 1;
	}
	*ret = x.neg ? (int64_t)(0 - v) : (int64_t)v;
	return r;
}

/* The shortest text that reads back as v; a buffer of 32 bytes. */
static size_t shortest(char *dst, double v)
{
	int n = 0;

	/* Any 15 digits survive a normal double; the subnormal ones hold fewer. */
	for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
		n = snprintf(dst, 32, "%.*g", digits, v);
		if (strtod(dst, NULL) == v)
			break;
	}
	return (size_t)n;
}

int doc_double(const struct doc *d, double *ret)
{
	CLEANUP_FREE char *heap = NULL;
	char local[128], *p = local, text[32];
	struct doc back;
	double v;

	if (!doc_is(d, DOC_NUMBER))
		return -ERR_INVALID;
	/* strtod wants a NUL, and the text has none. */
	if (d->n >= sizeof(local)) {
		p = heap = malloc((size_t)d->n + 1);
		if (!p)
			abort();
	}
	memcpy(p, d->s, d->n);
	p[d->n] = '\0';
	v = strtod(p, NULL);
	*ret = v;
	if (!isfinite(v))
		return 1;
	back = (struct doc){ .type = DOC_NUMBER, .n = (uint32_t)shortest(text, v), .s = text };
	return doc_number_cmp(d, &back) != 0;
}

static char *put_digits(char *w, struct decimal *d, size_t n)
{
	while (n--)
		*w++ = decimal_next(d);
	return w;
}

/* ECMAScript Number::toString (7.1.12.1): k digits, the point after n of them. */
size_t number_format(char *dst, const char *text, size_t len)
{
	struct decimal d = decimal_of(text, len);
	int64_t k = (int64_t)decimal_digits(&d), n = d.exp;
	char *w = dst;

	if (n > EXP_EXACT || n < -EXP_EXACT) {
		memcpy(dst, text, len);
		return len;
	}
	if (d.neg)
		*w++ = '-';
	if (k == 0) {
		*w++ = '0';
	} else if (n > 0 && n <= 21) {
		w = put_digits(w, &d, (size_t)n);
		if (k > n) {
			*w++ = '.';
			w = put_digits(w, &d, (size_t)(k - n));
		}
	} else if (n > -6 && n <= 0) {
		*w++ = '0';
		*w++ = '.';
		for (int64_t i = n; i < 0; i++)
			*w++ = '0';
		w = put_digits(w, &d, (size_t)k);
	} else {
		*w++ = decimal_next(&d);
		if (k > 1) {
			*w++ = '.';
			w = put_digits(w, &d, (size_t)(k - 1));
		}
		w += snprintf(w, 24, "e%+lld", (long long)(n - 1));
	}
	return (size_t)(w - dst);
}

bool doc_number_parse(struct slice text, struct doc *ret)
{
	uint8_t flags = 0;

	if (text.n == 0 || text.n > UINT32_MAX ||
	    number_scan(text.p, text.p + text.n, &flags) != text.p + text.n)
		return false;
	*ret = (struct doc){
		.type = DOC_NUMBER, .flags = flags, .n = (uint32_t)text.n, .s = text.p
	};
	return true;
}

static struct doc number_text(struct arena *a, const char *text, size_t n)
{
	char *p = arena_alloc_raw(a, n + 1, 1);
	struct doc d;

	if (!p)
		return doc_null();
	memcpy(p, text, n);
	p[n] = '\0';
	return doc_number_parse((struct slice){ p, n }, &d) ? d : doc_null();
}

struct doc doc_int(struct arena *a, int64_t v)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%lld", (long long)v);

	return number_text(a, text, (size_t)n);
}

struct doc doc_uint(struct arena *a, uint64_t v)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)v);

	return number_text(a, text, (size_t)n);
}

struct doc doc_num(struct arena *a, double v)
{
	char text[32], form[NUMBER_FORMAT_MAX(32)];

	if (!isfinite(v))
		return doc_null();
	return number_text(a, form, number_format(form, text, shortest(text, v)));
}
