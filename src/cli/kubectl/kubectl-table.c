/* SPDX-License-Identifier: Apache-2.0 */
/* Columns as kubectl lays them out (Go's tabwriter: 6 wide at least, three blanks), and ages. */
#include "cli/kubectl/kubectl.h"

#include "base/clock.h"

#include <stdio.h>

#define MIN_WIDTH 6
#define PADDING 3

/* Characters, not bytes: what continues one counts nothing. */
static size_t width_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

void columns_print(struct columns *c, const char *const *cells, size_t rows, size_t n,
		   struct buf *out)
{
	if (c->n != n)
		*c = (struct columns){ .n = n };
	for (size_t i = 0; i < rows * n; i++) {
		size_t at = i % n, w = MAX(width_of(cells[i]) + PADDING, (size_t)MIN_WIDTH);

		if (at < ARRAY_LEN(c->width))
			c->width[at] = MAX(c->width[at], w);
	}
	for (size_t i = 0; i < rows * n; i++) {
		size_t at = i % n, w = at < ARRAY_LEN(c->width) ? c->width[at] : 0;
		size_t have = width_of(cells[i]);

		buf_adds(out, cells[i]);
		if (at + 1 == n)
			buf_addc(out, '\n');
		else
			buf_addf(out, "%*s", (int)(w > have ? w - have : 1), "");
	}
}

static const char *two(char *dst, int64_t a, char ua, int64_t b, char ub)
{
	if (b)
		(void)snprintf(dst, 32, "%lld%c%lld%c", (long long)a, ua, (long long)b, ub);
	else
		(void)snprintf(dst, 32, "%lld%c", (long long)a, ua);
	return dst;
}

const char *kubectl_duration(char dst[32], int64_t s)
{
	int64_t m = s / 60, h = m / 60, d = h / 24;

	if (s < -1)
		return "<invalid>";
	if (s < 120)
		return two(dst, MAX(s, (int64_t)0), 's', 0, 0);
	if (m < 10)
		return two(dst, m, 'm', s % 60, 's');
	if (m < 180)
		return two(dst, m, 'm', 0, 0);
	if (h < 8)
		return two(dst, h, 'h', m % 60, 'm');
	if (h < 48)
		return two(dst, h, 'h', 0, 0);
	if (d < 8)
		return two(dst, d, 'd', h % 24, 'h');
	if (d < 2 * 365)
		return two(dst, d, 'd', 0, 0);
	if (d < 8 * 365)
		return two(dst, d / 365, 'y', d % 365, 'd');
	return two(dst, d / 365, 'y', 0, 0);
}

const char *kubectl_age(char dst[32], struct slice when)
{
	int64_t ns;

	if (!when.n || clock_parse_rfc3339(when, &ns, NULL) < 0 || ns == CLOCK_ZERO)
		return "<unknown>";
	return kubectl_duration(dst, (clock_real() - ns) / NS_PER_SEC);
}
