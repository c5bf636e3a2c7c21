/* SPDX-License-Identifier: Apache-2.0 */
/* SPDY/3.1 frames and compressed header blocks. */
#include "io/spdy-frame.h"

#include "base/arena.h"
#include "base/err.h"
#include "io/http1.h"

#include <endian.h>

/* ---- frames ---- */

uint32_t spdy_u32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return be32toh(v);
}

void spdy_put_u32(char *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, 4);
}

int spdy_head_parse(struct spdy_head *h, const char p[SPDY_HEAD])
{
	uint32_t first = spdy_u32(p), second = spdy_u32(p + 4);

	h->flags = (uint8_t)(second >> 24);
	h->length = second & 0xffffff;
	h->type = SPDY_DATA;
	h->id = first;
	if (!(first & 0x80000000u))
		return 0;
	h->type = (enum spdy_type)(first & 0xffff);
	h->id = 0;
	/* Type 0 would read as data. */
	return (first >> 16 & 0x7fff) == 3 && h->type != SPDY_DATA ? 0 : -1;
}

void spdy_data_put(char dst[SPDY_HEAD], uint32_t id, unsigned flags, size_t n)
{
	spdy_put_u32(dst, id);
	spdy_put_u32(dst + 4, flags << 24 | (uint32_t)n);
}

void spdy_control_put(char dst[SPDY_HEAD], enum spdy_type type, unsigned flags, size_t n)
{
	spdy_put_u32(dst, 0x80030000u | type);
	spdy_put_u32(dst + 4, flags << 24 | (uint32_t)n);
}

/* ---- the dictionary (2.6.10.1): words with their lengths in front, then a bare text ---- */

#define DICTIONARY_LEN 1423u

static const char dictionary_words[] =
	"options|head|post|put|delete|trace|accept|accept-charset|accept-encoding|accept-language|"
	"accept-ranges|age|allow|authorization|cache-control|connection|content-base|"
	"content-encoding|content-language|content-length|content-location|content-md5|"
	"content-range|content-type|date|etag|expect|expires|from|host|if-match|if-modified-since|"
	"if-none-match|if-range|if-unmodified-since|last-modified|location|max-forwards|pragma|"
	"proxy-authenticate|proxy-authorization|range|referer|retry-after|server|te|trailer|"
	"transfer-encoding|upgrade|user-agent|vary|via|warning|www-authenticate|method|get|status|"
	"200 OK|version|HTTP/1.1|url|public|set-cookie|keep-alive|origin";
static const char dictionary_text[] =
	"100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
	"203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
	"401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
	"503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, "
	"Tue, "
	"Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
	"application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age="
	"gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

static size_t make_dictionary(char dst[DICTIONARY_LEN])
{
	struct slice rest = slice_of(dictionary_words, sizeof(dictionary_words) - 1);
	size_t n = 0;

	while (rest.p) {
		struct slice w = slice_split(&rest, '|');

		spdy_put_u32(dst + n, (uint32_t)w.n);
		memcpy(dst + n + 4, w.p, w.n);
		n += 4 + w.n;
	}
	memcpy(dst + n, dictionary_text, sizeof(dictionary_text) - 1);
	return n + sizeof(dictionary_text) - 1;
}

/* ---- header blocks ---- */

int spdy_zlib_init(struct spdy_zlib *z, struct err *err)
{
	char dictionary[DICTIONARY_LEN];

	/* A window of 2 KiB holds the dictionary; what is sent here is small. */
	z->out_ready = deflateInit2(&z->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 11, 2,
				    Z_DEFAULT_STRATEGY) == Z_OK;
	z->in_ready = inflateInit(&z->in) == Z_OK;
	if (!z->out_ready || !z->in_ready)
		abort(); /* nothing else can be wrong but memory */
	if (deflateSetDictionary(&z->out, (const Bytef *)dictionary,
				 (uInt)make_dictionary(dictionary)) != Z_OK)
		return err_set(err, ERR_SYSTEM, "SPDY: zlib does not take the dictionary");
	return 0;
}

void spdy_zlib_fini(struct spdy_zlib *z)
{
	/* They complain about what was not flushed; nobody wants it. */
	if (z->out_ready)
		(void)deflateEnd(&z->out);
	if (z->in_ready)
		(void)inflateEnd(&z->in);
	z->out_ready = z->in_ready = false;
}

static void put_text(struct buf *b, struct slice s, bool lower)
{
	char n[4];

	spdy_put_u32(n, (uint32_t)s.n);
	(void)buf_add(b, n, sizeof(n)); /* a full buffer is found at the end */
	(void)buf_add(b, s.p, s.n);
	for (size_t i = 0; lower && !b->full && i < s.n; i++) {
		char *c = b->p + b->n - s.n + i;

		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	}
}

static int deflate_block(z_stream *z, struct slice plain, struct buf *out)
{
	z->next_in = (Bytef *)(uintptr_t)plain.p;
	z->avail_in = (uInt)plain.n;
	do {
		if (!buf_room(out, 1024))
			return -ERR_QUOTA;
		z->next_out = (Bytef *)out->p + out->n;
		z->avail_out = 1024;
		if (deflate(z, Z_SYNC_FLUSH) < 0)
			return -ERR_SYSTEM;
		out->n += 1024 - z->avail_out;
	} while (z->avail_out == 0);
	return 0;
}

int spdy_headers_put(struct spdy_zlib *z, const struct http_header *h, size_t n, struct buf *out,
		     struct err *err)
{
	CLEANUP(buf_fini) struct buf plain = BUF_INIT(1 << 20);
	char count[4];

	for (size_t i = 0; i < n; i++) {
		if (!h1_is_token(h[i].name) || !h1_is_value(h[i].value))
			return err_set(err, ERR_INVALID, "SPDY: header '%.*s' is malformed",
				       (int)MIN(h[i].name.n, (size_t)100), h[i].name.p);
	}
	spdy_put_u32(count, (uint32_t)n);
	(void)buf_add(&plain, count, sizeof(count));
	for (size_t i = 0; i < n; i++) {
		put_text(&plain, h[i].name, true);
		put_text(&plain, h[i].value, false);
	}
	if (plain.full || deflate_block(&z->out, buf_slice(&plain), out) < 0)
		return err_set(err, ERR_QUOTA, "SPDY: the headers are too large");
	return 0;
}

#define STEP 2048u

static int inflate_block(struct spdy_zlib *z, struct slice block, size_t size_max,
			 struct buf *plain, struct err *err)
{
	char dictionary[DICTIONARY_LEN];
	int r;

	z->in.next_in = (Bytef *)(uintptr_t)block.p;
	z->in.avail_in = (uInt)block.n;
	for (;;) {
		if (plain->n > size_max || !buf_room(plain, STEP))
			return err_set(err, ERR_TOO_LARGE,
				       "SPDY: a header block inflates to more than %zu bytes",
				       size_max);
		z->in.next_out = (Bytef *)plain->p + plain->n;
		z->in.avail_out = STEP;
		r = inflate(&z->in, Z_SYNC_FLUSH);
		plain->n += STEP - z->in.avail_out;
		if (r == Z_NEED_DICT &&
		    inflateSetDictionary(&z->in, (const Bytef *)dictionary,
					 (uInt)make_dictionary(dictionary)) == Z_OK)
			continue;
		if (r == Z_MEM_ERROR)
			abort();
		if (r == Z_BUF_ERROR || (r == Z_OK && z->in.avail_out > 0))
			break;
		if (r != Z_OK)
			return err_set(
				err, ERR_BAD_REQUEST,
				"SPDY: a header block is no continuation of the zlib stream");
	}
	return z->in.avail_in == 0 ? 0
				   : err_set(err, ERR_BAD_REQUEST,
					     "SPDY: a header block has bytes behind its end");
}

/* Takes a text with its length; {NULL,0} when there is none. */
static struct slice get_text(struct slice *rest)
{
	struct slice s = { 0 };
	uint32_t n;

	if (rest->n < 4)
		return s;
	n = spdy_u32(rest->p);
	if (n > rest->n - 4)
		return s;
	s = slice_of(rest->p + 4, n);
	*rest = slice_of(rest->p + 4 + n, rest->n - 4 - n);
	return s;
}

/* SPDY's own names begin with a colon. */
static bool is_name(struct slice s)
{
	if (s.n > 1 && s.p[0] == ':')
		s = slice_of(s.p + 1, s.n - 1);
	return h1_is_token(s);
}

static int too_many(struct err *err, size_t n_max)
{
	return err_set(err, ERR_TOO_LARGE, "SPDY: more than %zu headers", n_max);
}

/* rest, in the arena, is cut into headers. */
static int read_block(struct slice rest, struct arena *a, size_t n_max, struct spdy_headers *ret,
		      struct err *err)
{
	struct spdy_headers h = { .v = ARENA_ARRAY(a, struct http_header, n_max) };
	uint32_t count = rest.n >= 4 ? spdy_u32(rest.p) : 0;

	if (!h.v)
		return arena_quota(a, err);
	if (rest.n < 4)
		return err_set(err, ERR_BAD_REQUEST, "SPDY: a header block without a count");
	rest = slice_of(rest.p + 4, rest.n - 4);
	if (count > n_max)
		return too_many(err, n_max);
	while (count-- > 0) {
		struct slice name = get_text(&rest), value = get_text(&rest);

		if (!value.p || !is_name(name))
			return err_set(err, ERR_BAD_REQUEST, "SPDY: a malformed header");
		while (value.p) { /* several values are parted by NULs */
			struct slice one = slice_split(&value, '\0');

			if (!h1_is_value(one))
				return err_set(err, ERR_BAD_REQUEST, "SPDY: a malformed header");
			if (h.n == n_max)
				return too_many(err, n_max);
			h.v[h.n++] = (struct http_header){ name, one };
		}
	}
	if (rest.n > 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "SPDY: a header block has bytes behind its end");
	*ret = h;
	return 0;
}

int spdy_headers_get(struct spdy_zlib *z, struct slice block, struct arena *a, size_t size_max,
		     size_t n_max, struct spdy_headers *ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf plain = BUF_INIT(size_max + STEP);
	char *copy;
	int r;

	r = inflate_block(z, block, size_max, &plain, err);
	if (r < 0)
		return r;
	copy = arena_strndup(a, buf_str(&plain), plain.n);
	if (!copy)
		return arena_quota(a, err);
	return read_block(slice_of(copy, plain.n), a, n_max, ret, err);
}
