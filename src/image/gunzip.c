/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invariants: (1) `bits` holds nbits valid bits, and above them nothing but what the bytes at `in`
 * say, so filling up is an OR that may be repeated; (2) past the end of the input zeros are given
 * out and counted in `pad`: bits used beyond the real ones show as pad > nbits; (3) a symbol is
 * decoded only with room for the longest match and the slack of a copy in the window.
 */
#include "image/gunzip.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

#include <endian.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#define IN_SIZE (128u << 10)
#define BACK 8u /* bytes that stay before g->in */
#define WINDOW 32768u
#define OUT_SIZE (256u << 10)
#define MATCH_MAX 258u
#define SLACK 32u /* copies go by whole words */

#define LIT_ROOT 11u
#define DIST_ROOT 8u
#define CODE_MAX 15u
#define LIT_SYMS 288u
#define DIST_SYMS 32u
#define LIT_TABLE ((1u << LIT_ROOT) + LIT_SYMS * (1u << (CODE_MAX - LIT_ROOT)))
#define DIST_TABLE ((1u << DIST_ROOT) + DIST_SYMS * (1u << (CODE_MAX - DIST_ROOT)))

/* An entry: value << 16 | kind | extra bits << 8 | bits of the code. */
enum { E_LITERAL = 0x8000, E_SUB = 0x4000, E_END = 0x2000, E_BAD = 0x1000, E_SPECIAL = 0x7000 };

struct gz {
	const struct gunzip_io *io;
	const uint8_t *in, *in_end;
	uint64_t bits;
	unsigned nbits, pad;
	bool eof;
	size_t at, from; /* in out: next byte; first one that was not written yet */
	size_t low;	 /* first byte of this member that is still there */
	uint32_t crc, size;
	uint32_t lit[LIT_TABLE], dist[DIST_TABLE];
	uint8_t ib[BACK + IN_SIZE], out[WINDOW + OUT_SIZE + MATCH_MAX + SLACK];
};

static int damaged(struct err *err, const char *what)
{
	return err_set(err, ERR_INVALID, "gzip stream is damaged: %s", what);
}

static int cut(struct err *err)
{
	return err_set(err, ERR_INVALID, "gzip stream ends too early");
}

/* ---- input ---- */

static int more_input(struct gz *g, struct err *err)
{
	size_t left = (size_t)(g->in_end - g->in);
	ssize_t n;

	if (g->eof)
		return 0;
	memmove(g->ib, g->in - BACK, left + BACK); /* align() may take so many back */
	g->in = g->ib + BACK;
	g->in_end = g->in + left;
	n = g->io->read(g->io->ctx, g->ib + BACK + left, IN_SIZE - left, err);
	if (n < 0)
		return err_ret(err);
	g->eof = n == 0;
	g->in_end += n;
	return 0;
}

/* At least 56 bits, of which those past the end are zeros; keeps (2). */
static int fill_slowly(struct gz *g, struct err *err)
{
	if (g->pad > g->nbits)
		return cut(err);
	while (g->in_end - g->in < 8 && !g->eof)
		if (more_input(g, err) < 0)
			return err_ret(err);
	while (g->nbits < 56) { /* 63 at most: more could not be shifted by */
		if (g->in < g->in_end)
			g->bits |= (uint64_t)*g->in++ << g->nbits;
		else
			g->pad += 8;
		g->nbits += 8;
	}
	return 0;
}

/* n <= 32 */
static int take(struct gz *g, unsigned n, uint32_t *ret, struct err *err)
{
	if (g->nbits < n && fill_slowly(g, err) < 0)
		return err_ret(err);
	*ret = (uint32_t)(g->bits & ((1ull << n) - 1));
	g->bits >>= n;
	g->nbits -= n;
	return g->pad > g->nbits ? cut(err) : 0;
}

/* To a border of bytes, and what was taken too many goes back. */
static void align(struct gz *g)
{
	g->nbits -= g->pad;
	g->in -= g->nbits / 8;
	g->pad = g->nbits = 0;
	g->bits = 0;
}

/* ---- output ---- */

static int flush(struct gz *g, struct err *err)
{
	size_t n = g->at - g->from;
	const uint8_t *p = g->out + g->from;

	g->from = g->at;
	g->crc = libdeflate_crc32(g->crc, p, n);
	g->size += (uint32_t)n;
	return n ? g->io->write(g->io->ctx, p, n, err) : 0;
}

/* Only the window stays. */
static int slide(struct gz *g, struct err *err)
{
	size_t by = g->at - MIN(g->at, (size_t)WINDOW);

	if (flush(g, err) < 0)
		return err_ret(err);
	memmove(g->out, g->out + by, g->at - by);
	g->at -= by;
	g->from = g->at;
	g->low -= MIN(g->low, by);
	return 0;
}

/* ---- tables ---- */

static unsigned reversed(unsigned code, unsigned len)
{
	unsigned r = 0;

	for (; len; len--, code >>= 1)
		r = r << 1 | (code & 1);
	return r;
}

/* Of a literal or length code's symbols. */
static uint32_t lit_entry(unsigned sym)
{
	static const uint16_t base[] = { 3,  4,	 5,  6,	  7,   8,   9,	 10,  11, 13,
					 15, 17, 19, 23,  27,  31,  35,	 43,  51, 59,
					 67, 83, 99, 115, 131, 163, 195, 227, 258 };

	if (sym < 256)
		return sym << 16 | E_LITERAL;
	if (sym == 256)
		return E_END;
	if (sym > 285)
		return E_BAD;
	sym -= 257;
	return (uint32_t)base[sym] << 16 | (sym < 8 || sym == 28 ? 0 : (sym - 4) / 4) << 8;
}

static uint32_t dist_entry(unsigned sym)
{
	unsigned extra = sym < 4 ? 0 : sym / 2 - 1;

	if (sym > 29)
		return E_BAD;
	return (sym < 2 ? sym + 1 : ((2 + (sym & 1)) << extra) + 1) << 16 | extra << 8;
}

static uint32_t plain_entry(unsigned sym)
{
	return sym << 16 | E_LITERAL;
}

struct code {
	uint32_t *table;
	size_t size; /* entries */
	unsigned root;
	uint32_t (*entry)(unsigned sym);
};

/* Entries of one code word: all that end in its reversed bits. Long ones get a table of their own
 * for the bits after the first `root`. */
static void put_code(const struct code *c, unsigned code, unsigned len, unsigned max, uint32_t e,
		     size_t *next)
{
	unsigned r = reversed(code, len), sub = max - c->root;
	size_t base;

	if (len <= c->root) {
		for (size_t i = r; i < 1u << c->root; i += 1u << len)
			c->table[i] = e | len;
		return;
	}
	r &= (1u << len) - 1;
	if (!(c->table[r & ((1u << c->root) - 1)] & E_SUB)) {
		for (size_t i = 0; i < 1u << sub; i++)
			c->table[*next + i] = E_BAD;
		c->table[r & ((1u << c->root) - 1)] =
			(uint32_t)*next << 16 | E_SUB | sub << 8 | c->root;
		*next += 1u << sub;
	}
	base = c->table[r & ((1u << c->root) - 1)] >> 16;
	for (size_t i = r >> c->root; i < 1u << sub; i += 1u << (len - c->root))
		c->table[base + i] = e | (len - c->root);
}

/* Canonical codes (RFC 1951, 3.2.2). -1 = too many words, or too few. */
static int build(const struct code *c, const uint8_t *lens, unsigned n, bool may_be_short)
{
	unsigned count[CODE_MAX + 1] = { 0 }, next[CODE_MAX + 2] = { 0 }, max = 0;
	size_t free_at = 1u << c->root;
	int left = 1;

	for (unsigned i = 0; i < n; i++)
		count[lens[i]]++;
	count[0] = 0;
	for (unsigned l = 1; l <= CODE_MAX; l++) {
		left = 2 * left - (int)count[l];
		if (left < 0)
			return -1;
		if (count[l])
			max = l;
		next[l + 1] = (next[l] + count[l]) << 1;
	}
	/* One word of one bit, or none at all, is what short blocks have. */
	if (left > 0 && !(may_be_short && max <= 1))
		return -1;
	for (size_t i = 0; i < 1u << c->root; i++)
		c->table[i] = E_BAD;
	for (unsigned i = 0; i < n; i++)
		if (lens[i])
			put_code(c, next[lens[i]]++, lens[i], max, c->entry(i), &free_at);
	return 0;
}

static int read_lengths(struct gz *g, uint8_t *lens, unsigned n, struct err *err)
{
	const uint32_t *table = g->dist; /* borrowed: its own comes later */
	unsigned i = 0;

	while (i < n) {
		uint32_t e, extra = 0, again;
		uint8_t value = 0;

		if (g->nbits < 14 && fill_slowly(g, err) < 0)
			return err_ret(err);
		e = table[g->bits & 127];
		if (e & E_BAD)
			return damaged(err, "bad code of code lengths");
		g->bits >>= e & 0xff;
		g->nbits -= e & 0xff;
		e >>= 16;
		if (e < 16) {
			lens[i++] = (uint8_t)e;
			continue;
		}
		if (e == 16 && i == 0)
			return damaged(err, "a length is repeated before the first");
		if (take(g, e == 16 ? 2 : e == 17 ? 3 : 7, &extra, err) < 0)
			return err_ret(err);
		again = extra + (e == 18 ? 11 : 3);
		value = e == 16 ? lens[i - 1] : 0;
		if (again > n - i)
			return damaged(err, "too many code lengths");
		memset(lens + i, value, again);
		i += again;
	}
	return 0;
}

static int build_both(struct gz *g, const uint8_t *lens, unsigned nlit, unsigned ndist,
		      struct err *err)
{
	const struct code lit = { g->lit, LIT_TABLE, LIT_ROOT, lit_entry };
	const struct code dist = { g->dist, DIST_TABLE, DIST_ROOT, dist_entry };

	if (!lens[256])
		return damaged(err, "no code for the end of a block");
	if (build(&lit, lens, nlit, true) < 0)
		return damaged(err, "bad set of literal and length codes");
	if (build(&dist, lens + nlit, ndist, true) < 0)
		return damaged(err, "bad set of distance codes");
	return 0;
}

static int dynamic_tables(struct gz *g, struct err *err)
{
	static const uint8_t order[] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
					 11, 4,	 12, 3, 13, 2, 14, 1, 15 };
	const struct code lengths = { g->dist, DIST_TABLE, 7, plain_entry };
	uint8_t lens[LIT_SYMS + DIST_SYMS] = { 0 }, small[19] = { 0 };
	uint32_t nlit, ndist, nsmall, v;

	if (take(g, 5, &nlit, err) < 0 || take(g, 5, &ndist, err) < 0 ||
	    take(g, 4, &nsmall, err) < 0)
		return err_ret(err);
	nlit += 257;
	ndist += 1;
	if (nlit > 286 || ndist > 30)
		return damaged(err, "too many length or distance symbols");
	for (unsigned i = 0; i < nsmall + 4; i++) {
		if (take(g, 3, &v, err) < 0)
			return err_ret(err);
		small[order[i]] = (uint8_t)v;
	}
	if (build(&lengths, small, 19, false) < 0)
		return damaged(err, "bad set of code lengths");
	if (read_lengths(g, lens, nlit + ndist, err) < 0)
		return err_ret(err);
	return build_both(g, lens, nlit, ndist, err);
}

static int fixed_tables(struct gz *g, struct err *err)
{
	uint8_t lens[LIT_SYMS + DIST_SYMS];

	memset(lens, 8, 144);
	memset(lens + 144, 9, 112);
	memset(lens + 256, 7, 24);
	memset(lens + 280, 8, 8);
	memset(lens + LIT_SYMS, 5, DIST_SYMS);
	return build_both(g, lens, LIT_SYMS, DIST_SYMS, err);
}

/* ---- blocks ---- */

static inline void copy_match(uint8_t *to, size_t dist, size_t len)
{
	const uint8_t *from = to - dist;
	uint8_t *end = to + len;

	if (dist >= 8) { /* by words, up to 7 bytes too many: keeps (3) */
		do {
			memcpy(to, from, 8);
			to += 8;
			from += 8;
		} while (to < end);
	} else if (dist == 1) {
		memset(to, *from, len);
	} else {
		while (to < end)
			*to++ = *from++;
	}
}

#define USE(n)                \
	do {                  \
		bits >>= (n); \
		nbits -= (n); \
	} while (0)
#define LOW(n) ((uint32_t)bits & ((1u << (n)) - 1))

/* keeps (1) */
#define FILL()                                          \
	do {                                            \
		uint64_t word;                          \
                                                        \
		if (g->in_end - in >= 8) {              \
			memcpy(&word, in, 8);           \
			bits |= le64toh(word) << nbits; \
			in += (63 - nbits) >> 3;        \
			nbits |= 56;                    \
		} else {                                \
			g->bits = bits;                 \
			g->nbits = nbits;               \
			g->in = in;                     \
			if (fill_slowly(g, err) < 0)    \
				return err_ret(err);    \
			bits = g->bits;                 \
			nbits = g->nbits;               \
			in = g->in;                     \
		}                                       \
	} while (0)

static int coded_block(struct gz *g, struct err *err)
{
	const size_t full = WINDOW + OUT_SIZE - 4;
	const uint8_t *in = g->in;
	uint64_t bits = g->bits;
	unsigned nbits = g->nbits;
	size_t at = g->at;
	uint32_t e, len, dist;

	for (;;) {
		if (at > full) {
			g->at = at;
			if (slide(g, err) < 0)
				return err_ret(err);
			at = g->at;
		}
		FILL();
		e = g->lit[LOW(LIT_ROOT)];
		if (e & E_LITERAL) {
			USE(e & 0xff);
			g->out[at++] = (uint8_t)(e >> 16);
			e = g->lit[LOW(LIT_ROOT)];
			if (e & E_LITERAL) {
				USE(e & 0xff);
				g->out[at++] = (uint8_t)(e >> 16);
				e = g->lit[LOW(LIT_ROOT)];
				if (e & E_LITERAL) {
					USE(e & 0xff);
					g->out[at++] = (uint8_t)(e >> 16);
					continue;
				}
			}
			FILL();
		}
		if (e & E_SUB) {
			USE(LIT_ROOT);
			e = g->lit[(e >> 16) + LOW((e >> 8) & 15)];
		}
		USE(e & 0xff);
		if (e & E_LITERAL) {
			g->out[at++] = (uint8_t)(e >> 16);
			continue;
		}
		if (e & E_SPECIAL)
			break;
		len = (e >> 16) + LOW((e >> 8) & 15);
		USE((e >> 8) & 15);
		e = g->dist[LOW(DIST_ROOT)];
		if (e & E_SUB) {
			USE(DIST_ROOT);
			e = g->dist[(e >> 16) + LOW((e >> 8) & 15)];
		}
		if (e & E_SPECIAL)
			return damaged(err, "bad distance code");
		USE(e & 0xff);
		dist = (e >> 16) + LOW((e >> 8) & 15);
		USE((e >> 8) & 15);
		if (dist > at - g->low)
			return damaged(err, "a distance goes back too far");
		copy_match(g->out + at, dist, len);
		at += len;
	}
	g->in = in;
	g->bits = bits;
	g->nbits = nbits;
	g->at = at;
	if (g->pad > nbits)
		return cut(err);
	return e & E_END ? 0 : damaged(err, "bad literal or length code");
}

static int stored_block(struct gz *g, struct err *err)
{
	uint32_t len, check;

	align(g);
	if (take(g, 16, &len, err) < 0 || take(g, 16, &check, err) < 0)
		return err_ret(err);
	if (len != (check ^ 0xffff))
		return damaged(err, "bad length of a stored block");
	align(g);
	while (len) {
		size_t n;

		if (g->in == g->in_end && more_input(g, err) < 0)
			return err_ret(err);
		if (g->in == g->in_end)
			return cut(err);
		if (g->at >= WINDOW + OUT_SIZE && slide(g, err) < 0)
			return err_ret(err);
		n = MIN((size_t)len, (size_t)(g->in_end - g->in));
		n = MIN(n, WINDOW + OUT_SIZE - g->at);
		memcpy(g->out + g->at, g->in, n);
		g->at += n;
		g->in += n;
		len -= (uint32_t)n;
	}
	return 0;
}

static int blocks(struct gz *g, struct err *err)
{
	uint32_t last = 0, type;
	int r = 0;

	while (!last && r >= 0) {
		if (take(g, 1, &last, err) < 0 || take(g, 2, &type, err) < 0)
			return err_ret(err);
		if (type == 0)
			r = stored_block(g, err);
		else if (type == 3)
			r = damaged(err, "bad type of a block");
		else
			r = type == 1 ? fixed_tables(g, err) : dynamic_tables(g, err);
		if (r >= 0 && type)
			r = coded_block(g, err);
	}
	return r;
}

/* ---- members ---- */

static int header_byte(struct gz *g, uint32_t *ret, struct err *err)
{
	uint8_t c;

	if (take(g, 8, ret, err) < 0)
		return err_ret(err);
	c = (uint8_t)*ret;
	g->crc = libdeflate_crc32(g->crc, &c, 1);
	return 0;
}

static int skip_text(struct gz *g, struct err *err)
{
	uint32_t c = 1;
	int r = 0;

	while (c && r >= 0)
		r = header_byte(g, &c, err);
	return r;
}

static int header(struct gz *g, struct err *err)
{
	enum { HCRC = 2, EXTRA = 4, NAME = 8, COMMENT = 16, RESERVED = 0xe0 };
	uint32_t b[10], lo, hi, c, have;
	int r = 0;

	g->crc = libdeflate_crc32(0, NULL, 0);
	for (size_t i = 0; i < 10 && r >= 0; i++)
		r = header_byte(g, &b[i], err);
	if (r < 0)
		return r;
	if (b[0] != 0x1f || b[1] != 0x8b || b[2] != 8 || (b[3] & RESERVED))
		return damaged(err, "bad header");
	if (b[3] & EXTRA) {
		if (header_byte(g, &lo, err) < 0 || header_byte(g, &hi, err) < 0)
			return err_ret(err);
		for (c = lo | hi << 8; c && r >= 0; c--)
			r = header_byte(g, &lo, err);
	}
	if (r >= 0 && (b[3] & NAME))
		r = skip_text(g, err);
	if (r >= 0 && (b[3] & COMMENT))
		r = skip_text(g, err);
	have = g->crc & 0xffff;
	if (r >= 0 && (b[3] & HCRC))
		r = take(g, 16, &c, err) < 0 ? err_ret(err)
		    : c != have		     ? damaged(err, "bad header")
					     : 0;
	return r;
}

static int member(struct gz *g, struct err *err)
{
	uint32_t crc, size;

	if (header(g, err) < 0)
		return err_ret(err);
	g->crc = libdeflate_crc32(0, NULL, 0);
	g->size = 0;
	g->low = g->from = g->at;
	if (blocks(g, err) < 0 || flush(g, err) < 0)
		return err_ret(err);
	align(g);
	if (take(g, 32, &crc, err) < 0 || take(g, 32, &size, err) < 0)
		return err_ret(err);
	align(g);
	if (crc != g->crc)
		return damaged(err, "bad checksum");
	return size == g->size ? 0 : damaged(err, "bad size");
}

int gunzip_run(const struct gunzip_io *io, struct err *err)
{
	CLEANUP_FREE struct gz *g = malloc(sizeof(*g));
	int r;

	if (!g)
		abort();
	memset(g, 0, offsetof(struct gz, lit));
	memset(g->ib, 0, BACK);
	g->io = io;
	g->in = g->in_end = g->ib + BACK;
	do {
		r = member(g, err);
		if (r >= 0 && g->in == g->in_end)
			r = more_input(g, err);
		if (r < 0)
			return r;
	} while (g->in < g->in_end && *g->in == 0x1f);
	return g->in < g->in_end;
}
