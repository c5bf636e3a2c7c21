/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket frames: nothing here knows connections. */
#include "io/ws-frame.h"

#include "base/hash.h"

#include <endian.h>

int ws_head_parse(struct ws_head *h, const char *p, size_t n)
{
	const unsigned char *b = (const unsigned char *)p;
	unsigned len, size = 2;
	uint64_t v;

	if (n < 2)
		return 0;
	len = b[1] & 127u;
	size += (len == 126 ? 2 : len == 127 ? 8 : 0) + (b[1] & 128 ? 4 : 0);
	if (n < size)
		return 0;
	v = len;
	if (len == 126) {
		v = (unsigned)b[2] << 8 | b[3];
		if (v < 126)
			return -1;
	} else if (len == 127) {
		memcpy(&v, b + 2, 8);
		v = be64toh(v);
		if (v < 65536 || v > INT64_MAX)
			return -1;
	}
	*h = (struct ws_head){ .length = v,
			       .op = b[0] & 15,
			       .rsv = b[0] >> 4 & 7,
			       .fin = b[0] & WS_FIN,
			       .masked = b[1] & 128 };
	if (h->masked)
		memcpy(h->key, b + size - 4, 4);
	return (int)size;
}

size_t ws_head_put(char dst[WS_HEAD_MAX], unsigned op_and_fin, uint64_t length,
		   const unsigned char *key)
{
	unsigned char mask = key ? 128 : 0, *b = (unsigned char *)dst;
	uint64_t wide = htobe64(length);
	size_t n = 2;

	b[0] = (unsigned char)op_and_fin;
	if (length < 126) {
		b[1] = mask | (unsigned char)length;
	} else if (length < 65536) {
		b[1] = mask | 126;
		b[2] = (unsigned char)(length >> 8);
		b[3] = (unsigned char)length;
		n = 4;
	} else {
		b[1] = mask | 127;
		memcpy(b + 2, &wide, 8);
		n = 10;
	}
	if (key) {
		memcpy(b + n, key, 4);
		n += 4;
	}
	return n;
}

void ws_mask(char *dst, const char *src, size_t n, const unsigned char key[4], uint64_t phase)
{
	unsigned char turned[8];
	uint64_t wide, v[4];
	size_t i = 0;

	for (unsigned k = 0; k < 8; k++)
		turned[k] = key[(phase + k) & 3];
	memcpy(&wide, turned, 8);
	for (; i + sizeof(v) <= n; i += sizeof(v)) { /* two vector registers at a time */
		memcpy(v, src + i, sizeof(v));
		for (unsigned k = 0; k < ARRAY_LEN(v); k++)
			v[k] ^= wide;
		memcpy(dst + i, v, sizeof(v));
	}
	for (; i + 8 <= n; i += 8) {
		memcpy(v, src + i, 8);
		v[0] ^= wide;
		memcpy(dst + i, v, 8);
	}
	for (; i < n; i++)
		dst[i] = (char)(src[i] ^ (char)turned[i & 7]);
}

/* ---- UTF-8 ---- */

/* How many plain ASCII bytes stand at the beginning, by words. */
static size_t ascii_run(const unsigned char *b, size_t n)
{
	size_t i = 0;
	uint64_t v[4];

	for (; i + sizeof(v) <= n; i += sizeof(v)) {
		memcpy(v, b + i, sizeof(v));
		if ((v[0] | v[1] | v[2] | v[3]) & 0x8080808080808080u)
			break;
	}
	while (i < n && b[i] < 0x80)
		i++;
	return i;
}

/* What may follow a first byte (Unicode, table 3-7): the second byte's range excludes overlong
 * forms, surrogates and what is past the last plane. */
static bool utf8_lead(struct ws_utf8 *u, unsigned char c)
{
	if (c < 0xc2 || c > 0xf4)
		return false;
	u->need = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	u->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	u->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	return true;
}

bool ws_utf8_step(struct ws_utf8 *u, const char *p, size_t n)
{
	const unsigned char *b = (const unsigned char *)p;
	size_t i = 0;

	while (i < n) {
		if (u->need == 0) {
			i += ascii_run(b + i, n - i);
			if (i < n && !utf8_lead(u, b[i++]))
				return false;
			continue;
		}
		if (b[i] < u->low || b[i] > u->high)
			return false;
		u->low = 0x80;
		u->high = 0xbf;
		u->need--;
		i++;
	}
	return true;
}

/* ---- close codes ---- */

bool ws_close_code_ok(unsigned code)
{
	/* 1004 is reserved, 1005, 1006 and 1015 only tell what did not come; the others by the IANA
	 * registry. */
	return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
	       (code >= 3000 && code <= 4999);
}

/* ---- the handshake's hash ---- */

static uint32_t rol(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

/* FIPS 180-4, 6.1. RFC 6455 fixes SHA-1; nothing secret hangs on it. */
static void sha1_block(uint32_t h[5], const unsigned char *p)
{
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (unsigned i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
		       (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
	for (unsigned i = 16; i < 80; i++)
		w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (unsigned i = 0; i < 80; i++) {
		uint32_t f = i < 20   ? (b & c) | (~b & d)
			     : i < 40 ? b ^ c ^ d
			     : i < 60 ? (b & c) | (b & d) | (c & d)
				      : b ^ c ^ d;
		uint32_t k = i < 20   ? 0x5a827999
			     : i < 40 ? 0x6ed9eba1
			     : i < 60 ? 0x8f1bbcdc
				      : 0xca62c1d6;
		uint32_t t = rol(a, 5) + f + e + k + w[i];

		e = d;
		d = c;
		c = rol(b, 30);
		b = a;
		a = t;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void ws_accept_key(char dst[WS_ACCEPT_LEN + 1], struct slice key)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint32_t h[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
	unsigned char text[128] = { 0 }, digest[20];
	size_t n = MIN(key.n, (size_t)24), blocks;

	memcpy(text, key.p, n);
	memcpy(text + n, guid, sizeof(guid) - 1);
	n += sizeof(guid) - 1;
	text[n] = 0x80;
	blocks = n + 9 > 64 ? 2 : 1;
	text[64 * blocks - 2] = (unsigned char)(n * 8 >> 8);
	text[64 * blocks - 1] = (unsigned char)(n * 8);
	for (size_t i = 0; i < blocks; i++)
		sha1_block(h, text + 64 * i);
	for (unsigned i = 0; i < 20; i++)
		digest[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i & 3)));
	base64_encode(dst, digest, sizeof(digest));
}
