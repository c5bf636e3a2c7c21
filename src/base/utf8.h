/* SPDX-License-Identifier: Apache-2.0 */
/* Code points of UTF-8 text. */
#pragma once

#include "base/str.h"

#define UTF8_BAD 0xfffd

/* The code point at the start of a text that is not empty, and its bytes; a byte that begins none
 * is UTF8_BAD and one byte. */
static inline uint32_t utf8_next(struct slice s, size_t *ret_n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s.p;
	unsigned n = *p < 0x80 ? 1 : *p >= 0xf0 && *p < 0xf5 ? 4 : *p >= 0xe0 && *p < 0xf0 ? 3 : 2;
	uint32_t c = n == 1 ? *p : *p & (0xffu >> (n + 1));

	*ret_n = 1;
	if (n == 1)
		return c;
	if (*p < 0xc2 || *p > 0xf4 || n > s.n)
		return UTF8_BAD;
	for (unsigned i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return UTF8_BAD;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return UTF8_BAD;
	*ret_n = n;
	return c;
}

/* All of it is UTF-8. */
static inline bool utf8_valid(struct slice s)
{
	for (size_t i = 0, n; i < s.n; i += n)
		if (utf8_next(slice_of(s.p + i, s.n - i), &n) == UTF8_BAD && n == 1)
			return false;
	return true;
}

/* Its bytes; 1 to 4. */
static inline size_t utf8_put(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}
