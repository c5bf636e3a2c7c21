/* SPDX-License-Identifier: Apache-2.0 */
#include "api/quantity.h"

#include <stdio.h>
#include <string.h>

#define NANO ((__int128)1000000000)
#define MAX_NANO ((__int128)INT64_MAX * NANO)
/* Past this, another digit changes nothing: the value is cut. */
#define MANTISSA_MAX ((__int128)1 << 100)

static __int128 cut(__int128 v)
{
	return v > MAX_NANO ? MAX_NANO : v < -MAX_NANO ? -MAX_NANO : v;
}

struct number {
	__int128 mantissa;
	int exponent; /* of ten */
	bool inexact; /* digits were dropped behind the mantissa */
};

/* Digits with at most one point. The end, or NULL when there is no digit. */
static const char *read_number(const char *p, const char *end, struct number *n)
{
	bool point = false, any = false;

	for (; p < end; p++) {
		if (*p == '.' && !point) {
			point = true;
			continue;
		}
		if (*p < '0' || *p > '9')
			break;
		any = true;
		if (n->mantissa < MANTISSA_MAX) {
			n->mantissa = n->mantissa * 10 + (*p - '0');
			n->exponent -= point;
		} else {
			n->inexact |= *p != '0';
			n->exponent += !point;
		}
	}
	return any ? p : NULL;
}

static bool read_exponent(const char *p, const char *end, int *ret)
{
	bool neg = p < end && *p == '-';
	int v = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	if (p == end)
		return false;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return false;
		v = MIN(v * 10 + (*p - '0'), 100000);
	}
	*ret = neg ? -v : v;
	return true;
}

/* The suffix: powers of ten and of two. */
static bool read_suffix(const char *p, const char *end, int *ten, int *two,
			enum quantity_form *form)
{
	static const char decimal[] = "num kMGTPE", binary[] = "KMGTPE";
	size_t n = (size_t)(end - p);
	const char *at;

	*ten = *two = 0;
	*form = QUANTITY_DECIMAL;
	if (n == 0)
		return true;
	if (n == 1 && *p != ' ' && (at = strchr(decimal, *p)) && *at) {
		*ten = 3 * (int)(at - decimal) - 9;
		return true;
	}
	if (n == 2 && p[1] == 'i' && (at = strchr(binary, *p)) && *at) {
		*two = 10 * (int)(at - binary + 1);
		*form = QUANTITY_BINARY;
		return true;
	}
	*form = QUANTITY_EXPONENT;
	return (*p == 'e' || *p == 'E') && read_exponent(p + 1, end, ten);
}

/* mantissa * 10^ten * 2^two, rounded away from zero, cut. */
static __int128 scaled(struct number n, int ten, int two)
{
	__int128 v = n.mantissa;
	bool rest = n.inexact;

	if (v == 0 && !rest)
		return 0;
	for (; two > 0 && v <= MAX_NANO; two--)
		v *= 2;
	for (; ten > 0 && v <= MAX_NANO; ten--)
		v *= 10;
	for (; ten < 0 && (v || ten > -64); ten++) {
		rest |= v % 10 != 0;
		v /= 10;
	}
	return cut(v + rest);
}

bool quantity_parse(struct slice s, struct quantity *ret)
{
	const char *p = s.n ? s.p : "", *end = p + s.n;
	bool neg = s.n > 0 && *p == '-';
	struct number n = { 0 };
	enum quantity_form form;
	int ten, two;

	if (s.n > 0 && (*p == '-' || *p == '+'))
		p++;
	p = read_number(p, end, &n);
	if (!p || !read_suffix(p, end, &ten, &two, &form))
		return false;
	ret->nano = scaled(n, ten + n.exponent + 9, two);
	ret->nano = neg ? -ret->nano : ret->nano;
	ret->form = form;
	return true;
}

/* ---- printing ---- */

static unsigned print_int(__int128 v, const char *suffix, char *dst)
{
	char digits[QUANTITY_TEXT_MAX];
	char *p = digits + sizeof(digits);
	bool neg = v < 0;

	*--p = '\0';
	do {
		int d = (int)(v % 10);

		*--p = (char)('0' + (d < 0 ? -d : d));
		v /= 10;
	} while (v);
	return (unsigned)snprintf(dst, QUANTITY_TEXT_MAX, "%s%s%s", neg ? "-" : "", p, suffix);
}

static unsigned print_binary(__int128 units, char *dst)
{
	static const char suffix[][3] = { "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };
	unsigned i = 0;

	while (i < 6 && units % 1024 == 0) {
		units /= 1024;
		i++;
	}
	return print_int(units, suffix[i], dst);
}

static unsigned print_decimal(__int128 nano, bool exponent, char *dst)
{
	static const char suffix[][2] = { "n", "u", "m", "", "k", "M", "G", "T", "P", "E" };
	char e[8] = "";
	int i = 0;

	while (i < 9 && nano % 1000 == 0) {
		nano /= 1000;
		i++;
	}
	if (!exponent)
		return print_int(nano, suffix[i], dst);
	if (i != 3)
		(void)snprintf(e, sizeof(e), "e%d", 3 * i - 9);
	return print_int(nano, e, dst);
}

unsigned quantity_print(const struct quantity *q, char dst[QUANTITY_TEXT_MAX])
{
	bool small = q->nano > -1024 * NANO && q->nano < 1024 * NANO;

	if (q->nano == 0)
		return print_int(0, "", dst);
	if (q->form == QUANTITY_BINARY && !small && q->nano % NANO == 0)
		return print_binary(q->nano / NANO, dst);
	return print_decimal(q->nano, q->form == QUANTITY_EXPONENT, dst);
}

/* ---- arithmetic ---- */

int quantity_cmp(const struct quantity *a, const struct quantity *b)
{
	return (a->nano > b->nano) - (a->nano < b->nano);
}

void quantity_add(struct quantity *a, const struct quantity *b)
{
	if (a->nano == 0)
		a->form = b->form;
	a->nano = cut(a->nano + b->nano);
}

void quantity_sub(struct quantity *a, const struct quantity *b)
{
	if (a->nano == 0)
		a->form = b->form;
	a->nano = cut(a->nano - b->nano);
}

static int64_t rounded(__int128 nano, __int128 unit)
{
	__int128 v = nano / unit;

	if (nano % unit)
		v += nano > 0 ? 1 : -1;
	return v > INT64_MAX ? INT64_MAX : v < -INT64_MAX ? -INT64_MAX : (int64_t)v;
}

int64_t quantity_units(const struct quantity *q)
{
	return rounded(q->nano, NANO);
}

int64_t quantity_milli(const struct quantity *q)
{
	return rounded(q->nano, NANO / 1000);
}

bool quantity_round_milli(struct quantity *q)
{
	__int128 unit = NANO / 1000, over = q->nano % unit;

	if (over == 0)
		return false;
	q->nano = cut(q->nano - over + (over > 0 ? unit : -unit));
	return true;
}
