/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes and text codings. SHA-256 (FIPS 180-4) and CRC-32C (RFC 3720 B.4) pick the CPU's
 * instructions at run time and fall back to portable code; both give the same bits. SipHash-1-3
 * keys the maps.
 */
#include "base/hash.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/random.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_X86 1
#endif

static uint64_t load64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v; /* the seed is random, so byte order does not matter for what uses this */
}

/* ---- SipHash-1-3 ---- */

static pthread_once_t seed_once = PTHREAD_ONCE_INIT;
static uint64_t seed[2];

static void seed_init(void)
{
	random_bytes(seed, sizeof(seed));
}

static inline uint64_t rotl64(uint64_t v, int n)
{
	return v << n | v >> (64 - n);
}

struct sip {
	uint64_t a, b, c, d;
};

static inline void sip_round(struct sip *s)
{
	s->a += s->b;
	s->c += s->d;
	s->b = rotl64(s->b, 13) ^ s->a;
	s->d = rotl64(s->d, 16) ^ s->c;
	s->a = rotl64(s->a, 32);
	s->c += s->b;
	s->a += s->d;
	s->b = rotl64(s->b, 17) ^ s->c;
	s->d = rotl64(s->d, 21) ^ s->a;
	s->c = rotl64(s->c, 32);
}

uint64_t hash_bytes(const void *data, size_t n)
{
	const unsigned char *p = data, *end = p + (n & ~(size_t)7);
	uint64_t last = (uint64_t)n << 56;
	struct sip s;

	pthread_once(&seed_once, seed_init);
	s.a = seed[0] ^ 0x736f6d6570736575u;
	s.b = seed[1] ^ 0x646f72616e646f6du;
	s.c = seed[0] ^ 0x6c7967656e657261u;
	s.d = seed[1] ^ 0x7465646279746573u;
	for (; p != end; p += 8) {
		uint64_t m = load64(p);

		s.d ^= m;
		sip_round(&s);
		s.a ^= m;
	}
	for (unsigned i = 0; i < (n & 7); i++)
		last |= (uint64_t)p[i] << (8 * i);
	s.d ^= last;
	sip_round(&s);
	s.a ^= last;
	s.c ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.a ^ s.b ^ s.c ^ s.d;
}

uint64_t hash_stable(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

/* ---- SHA-256 ---- */

/* FIPS 180-4, 4.2.2. */
static const _Alignas(16) uint32_t sha_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static inline uint32_t rotr(uint32_t v, int n)
{
	return v >> n | v << (32 - n);
}

static uint32_t load_be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store_be32(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 24);
	p[1] = (unsigned char)(v >> 16);
	p[2] = (unsigned char)(v >> 8);
	p[3] = (unsigned char)v;
}

void sha256_blocks_portable_(uint32_t h[8], const unsigned char *p, size_t blocks)
{
	uint32_t w[64], v[8];

	for (; blocks; blocks--, p += 64) {
		for (int i = 0; i < 16; i++)
			w[i] = load_be32(p + 4 * i);
		for (int i = 16; i < 64; i++) {
			uint32_t x = w[i - 15], y = w[i - 2];

			w[i] = w[i - 16] + w[i - 7] + (rotr(x, 7) ^ rotr(x, 18) ^ x >> 3) +
			       (rotr(y, 17) ^ rotr(y, 19) ^ y >> 10);
		}
		memcpy(v, h, sizeof(v));
		for (int i = 0; i < 64; i++) {
			uint32_t e = v[4], a = v[0], t1, t2;

			t1 = v[7] + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) +
			     ((e & v[5]) ^ (~e & v[6])) + sha_k[i] + w[i];
			t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) +
			     ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
			memmove(v + 1, v, 7 * sizeof(v[0]));
			v[4] += t1;
			v[0] = t1 + t2;
		}
		for (int i = 0; i < 8; i++)
			h[i] += v[i];
	}
}

#ifdef HAVE_X86
/*
 * The SHA instructions keep the state as {a,b,e,f} and {c,d,g,h}, high word first. Four rounds are
 * one pair of sha256rnds2; msg1/msg2 with the shifted sum make the next four words of the schedule.
 */
__attribute__((target("sha,ssse3,sse4.1"))) static void sha_blocks_ni(uint32_t h[8],
								      const unsigned char *p,
								      size_t blocks)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
	__m128i lo = _mm_loadu_si128((const __m128i *)h);
	__m128i hi = _mm_loadu_si128((const __m128i *)(h + 4));
	__m128i t = _mm_shuffle_epi32(lo, 0xb1), abef, cdgh;

	hi = _mm_shuffle_epi32(hi, 0x1b);
	abef = _mm_alignr_epi8(t, hi, 8);
	cdgh = _mm_blend_epi16(hi, t, 0xf0);
	for (; blocks; blocks--, p += 64) {
		__m128i abef0 = abef, cdgh0 = cdgh, w[4];

#pragma GCC unroll 16
		for (int i = 0; i < 16; i++) {
			__m128i m, k = _mm_load_si128((const __m128i *)(sha_k + 4 * i));

			if (i < 4) {
				m = _mm_loadu_si128((const __m128i *)(p + 16 * i));
				m = _mm_shuffle_epi8(m, swap);
			} else {
				__m128i w1 = w[(i - 3) & 3], w2 = w[(i - 2) & 3],
					w3 = w[(i - 1) & 3];

				m = _mm_sha256msg1_epu32(w[i & 3], w1);
				m = _mm_add_epi32(m, _mm_alignr_epi8(w3, w2, 4));
				m = _mm_sha256msg2_epu32(m, w3);
			}
			w[i & 3] = m;
			m = _mm_add_epi32(m, k);
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, m);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(m, 0x0e));
		}
		abef = _mm_add_epi32(abef, abef0);
		cdgh = _mm_add_epi32(cdgh, cdgh0);
	}
	t = _mm_shuffle_epi32(abef, 0x1b);
	cdgh = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128((__m128i *)h, _mm_blend_epi16(t, cdgh, 0xf0));
	_mm_storeu_si128((__m128i *)(h + 4), _mm_alignr_epi8(cdgh, t, 8));
}

/* CPUID through the registers itself: __builtin_cpu_supports does not know SHA in every compiler.
 */
static void cpuid(unsigned leaf, unsigned r[4])
{
	__asm__("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(0));
}

enum { CPU_ASKED = 1, CPU_SHA = 2, CPU_CRC = 4 };

static _Atomic unsigned known; /* features, once they were asked for */

/* CPUID traps in a virtual machine (tens of microseconds), so it is asked once. */
static unsigned cpu_features(void)
{
	unsigned top[4], one[4], seven[4] = { 0 };
	unsigned f = atomic_load_explicit(&known, memory_order_relaxed);

	if (f)
		return f;
	f = CPU_ASKED;
	cpuid(0, top);
	cpuid(1, one);
	if (top[0] >= 7)
		cpuid(7, seven);
	if ((seven[1] >> 29 & 1) && (one[2] >> 19 & 1) &&
	    (one[2] >> 9 & 1)) /* SHA, SSE4.1, SSSE3 */
		f |= CPU_SHA;
	if (one[2] >> 20 & 1) /* SSE4.2 */
		f |= CPU_CRC;
	atomic_store_explicit(&known, f, memory_order_relaxed);
	return f;
}
#endif

static void sha_blocks(uint32_t h[8], const unsigned char *p, size_t blocks)
{
#ifdef HAVE_X86
	if (cpu_features() & CPU_SHA) {
		sha_blocks_ni(h, p, blocks);
		return;
	}
#endif
	sha256_blocks_portable_(h, p, blocks);
}

void sha256_init(struct sha256 *s)
{
	/* FIPS 180-4, 5.3.3. */
	static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	memcpy(s->h, start, sizeof(start));
	s->total = 0;
	s->fill = 0;
}

void sha256_update(struct sha256 *s, const void *data, size_t n)
{
	const unsigned char *p = data;
	size_t take;

	s->total += n;
	if (s->fill) {
		take = MIN(n, 64 - s->fill);
		memcpy(s->block + s->fill, p, take);
		s->fill += take;
		p += take;
		n -= take;
		if (s->fill < 64)
			return;
		sha_blocks(s->h, s->block, 1);
		s->fill = 0;
	}
	if (n >= 64)
		sha_blocks(s->h, p, n / 64);
	s->fill = n % 64;
	if (s->fill)
		memcpy(s->block, p + n - s->fill, s->fill);
}

void sha256_final(struct sha256 *s, unsigned char out[SHA256_LEN])
{
	uint64_t bits = s->total * 8;

	s->block[s->fill++] = 0x80;
	if (s->fill > 56) {
		memset(s->block + s->fill, 0, 64 - s->fill);
		sha_blocks(s->h, s->block, 1);
		s->fill = 0;
	}
	memset(s->block + s->fill, 0, 56 - s->fill);
	store_be32(s->block + 56, (uint32_t)(bits >> 32));
	store_be32(s->block + 60, (uint32_t)bits);
	sha_blocks(s->h, s->block, 1);
	for (int i = 0; i < 8; i++)
		store_be32(out + 4 * i, s->h[i]);
}

void sha256_hex(const void *p, size_t n, char hex[SHA256_HEX_LEN + 1])
{
	unsigned char out[SHA256_LEN];
	struct sha256 s;

	sha256_init(&s);
	sha256_update(&s, p, n);
	sha256_final(&s, out);
	hex_encode(hex, out, sizeof(out));
}

/* ---- CRC-32C ---- */

/* Half a byte at a time: 64 bytes of table, for the rare CPU without the instruction. */
uint32_t crc32c_portable_(uint32_t crc, const void *data, size_t n)
{
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	const unsigned char *p = data;

	crc = ~crc;
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

#ifdef HAVE_X86
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse(uint32_t crc, const void *data,
							     size_t n)
{
	const unsigned char *p = data;
	uint64_t c = ~crc;

	for (; n >= 8; n -= 8, p += 8)
		c = _mm_crc32_u64(c, load64(p));
	for (; n; n--, p++)
		c = _mm_crc32_u8((uint32_t)c, *p);
	return ~(uint32_t)c;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
#ifdef HAVE_X86
	/*
	 * A few hundred bytes are done before the CPU has said what it can; who has many short
	 * ones (rows of the store) asks it after some of them.
	 */
	static _Atomic unsigned calls;
	const bool worth = n >= 1024 || atomic_load_explicit(&known, memory_order_relaxed) ||
			   atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) >= 16;

	if (worth && (cpu_features() & CPU_CRC))
		return crc32c_sse(crc, p, n);
#endif
	return crc32c_portable_(crc, p, n);
}

/* ---- hex and base64 ---- */

void hex_encode(char *dst, const void *p, size_t n)
{
	const unsigned char *s = p;

	for (size_t i = 0; i < n; i++) {
		*dst++ = "0123456789abcdef"[s[i] >> 4];
		*dst++ = "0123456789abcdef"[s[i] & 15];
	}
	*dst = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_decode(void *dst, struct slice hex)
{
	unsigned char *d = dst;

	if (hex.n % 2)
		return -1;
	for (size_t i = 0; i < hex.n; i += 2) {
		int a = hex_digit(hex.p[i]), b = hex_digit(hex.p[i + 1]);

		if (a < 0 || b < 0)
			return -1;
		*d++ = (unsigned char)(a << 4 | b);
	}
	return 0;
}

bool hex_is_lower(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return true;
}

void base64_encode(char *dst, const void *p, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *s = p;

	for (; n >= 3; n -= 3, s += 3) {
		*dst++ = digits[s[0] >> 2];
		*dst++ = digits[(s[0] & 3) << 4 | s[1] >> 4];
		*dst++ = digits[(s[1] & 15) << 2 | s[2] >> 6];
		*dst++ = digits[s[2] & 63];
	}
	if (n) {
		unsigned second = n == 2 ? s[1] : 0;

		*dst++ = digits[s[0] >> 2];
		*dst++ = digits[(s[0] & 3) << 4 | second >> 4];
		*dst++ = n == 2 ? digits[(second & 15) << 2] : '=';
		*dst++ = '=';
	}
	*dst = '\0';
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

int base64_decode(void *dst, size_t *ret_n, struct slice text)
{
	unsigned char *d = dst;
	uint32_t acc = 0;
	size_t n = text.n;

	/* Padding is optional, but if there it completes the last group. */
	if (n && n % 4 == 0 && text.p[n - 1] == '=')
		n -= text.p[n - 2] == '=' ? 2 : 1;
	if (n % 4 == 1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int v = base64_digit(text.p[i]);

		if (v < 0)
			return -1;
		acc = acc << 6 | (uint32_t)v;
		if (i % 4)
			*d++ = (unsigned char)(acc >> (6 - i % 4 * 2));
	}
	/* Left-over bits must be zero, or two texts would decode to the same bytes. */
	if ((n % 4 == 2 && (acc & 15)) || (n % 4 == 3 && (acc & 3)))
		return -1;
	*ret_n = (size_t)(d - (unsigned char *)dst);
	return 0;
}

bool mem_equal_ct(const void *a, const void *b, size_t n)
{
	const volatile unsigned char *x = a, *y = b;
	unsigned char diff = 0;

	for (size_t i = 0; i < n; i++)
		diff |= x[i] ^ y[i];
	return diff == 0;
}

/* ---- random ---- */

void random_bytes(void *p, size_t n)
{
	char *d = p;

	while (n) {
		ssize_t got = getrandom(d, MIN(n, (size_t)256), 0);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			abort();
		}
		d += got;
		n -= (size_t)got;
	}
}

uint64_t random_u64(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return v;
}

void random_hex(char *dst, size_t n)
{
	unsigned char raw[64];

	while (n) {
		size_t take = MIN(n / 2, sizeof(raw));

		if (!take)
			break;
		random_bytes(raw, take);
		hex_encode(dst, raw, take);
		dst += 2 * take;
		n -= 2 * take;
	}
	*dst = '\0';
}

void random_uuid(char dst[UUID_TEXT_MAX])
{
	static const struct {
		unsigned char to, from, n;
	} parts[] = { { 0, 0, 8 }, { 9, 8, 4 }, { 14, 12, 4 }, { 19, 16, 4 }, { 24, 20, 12 } };
	char hex[33];

	random_hex(hex, 32);
	hex[12] = '4'; /* the version; below, the variant */
	hex[16] = "89ab"[hex[16] & 3];
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		memcpy(dst + parts[i].to, hex + parts[i].from, parts[i].n);
		dst[parts[i].to + parts[i].n] = '-';
	}
	dst[UUID_TEXT_MAX - 1] = '\0';
}
