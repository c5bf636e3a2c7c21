/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/doc: finding the bytes of a string that JSON or UTF-8 gives a meaning, 16 at a
 * time where the machine can. DOC_SCALAR forces the plain loop (tests build the folder both ways).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(DOC_SCALAR)
#include <emmintrin.h>
#define TEXT_SSE2 1
#elif defined(__aarch64__) && !defined(DOC_SCALAR)
#include <arm_neon.h>
#define TEXT_NEON 1
#endif

/* Not plain: controls, quote, backslash, anything outside ASCII. */
static inline bool text_special(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\' || c >= 0x80;
}

/* First byte in [p, end) that is not plain, or end. Never reads past end. */
static inline const char *text_skip_plain(const char *p, const char *end)
{
#if TEXT_SSE2
	while (end - p >= 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		/* Signed compare: bytes from 0x80 up are negative, so one test finds them and the
		 * controls. */
		__m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20));
		__m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
		__m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
		int mask = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, quote), slash));

		if (mask)
			return p + __builtin_ctz((unsigned)mask);
		p += 16;
	}
#elif TEXT_NEON
	while (end - p >= 16) {
		uint8x16_t v = vld1q_u8((const uint8_t *)p);
		uint8x16_t bad = vcltq_s8(vreinterpretq_s8_u8(v), vdupq_n_s8(0x20));
		uint64_t mask;

		bad = vorrq_u8(bad, vceqq_u8(v, vdupq_n_u8('"')));
		bad = vorrq_u8(bad, vceqq_u8(v, vdupq_n_u8('\\')));
		/* Four bits per byte: NEON has no movemask. */
		mask = vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(bad), 4)),
				     0);
		if (mask)
			return p + (__builtin_ctzll(mask) >> 2);
		p += 16;
	}
#endif
	while (p < end && !text_special((unsigned char)*p))
		p++;
	return p;
}

/*
 * Length of the well-formed sequence at p (1 to 4), 0 for none: overlong forms, surrogates and all
 * above U+10FFFF have none. Unicode 15, table 3-7.
 */
static inline unsigned text_utf8(const char *p, const char *end)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t n = (size_t)(end - p);

	if (u[0] < 0x80)
		return 1;
	if (u[0] < 0xc2 || n < 2 || (u[1] & 0xc0) != 0x80)
		return 0;
	if (u[0] < 0xe0)
		return 2;
	if (n < 3 || (u[2] & 0xc0) != 0x80)
		return 0;
	if (u[0] < 0xf0)
		return (u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ? 0 : 3;
	if (u[0] > 0xf4 || n < 4 || (u[3] & 0xc0) != 0x80)
		return 0;
	return (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f) ? 0 : 4;
}

/* Would these bytes stand in JSON as they are? */
static inline bool text_clean(const char *p, size_t n)
{
	const char *end = p + n;

	while ((p = text_skip_plain(p, end)) < end) {
		unsigned len = (unsigned char)*p >= 0x80 ? text_utf8(p, end) : 0;

		if (len == 0)
			return false;
		p += len;
	}
	return true;
}
