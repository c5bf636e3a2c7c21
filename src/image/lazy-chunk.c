/* SPDX-License-Identifier: Apache-2.0 */
/* One chunk of a layer out of the bytes of its range: from a point of the index to the next. */
#include "base/err.h"
#include "image/lazy-index.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define TRAILER 8 /* of a gzip member: crc and size, RFC 1952 */

uint64_t lazy_chunk_size(const struct lazy_index *ix, size_t i)
{
	uint64_t end = i + 1 < ix->npoints ? ix->points[i + 1].out : ix->plain_size;

	return end - ix->points[i].out;
}

void lazy_chunk_range(const struct lazy_index *ix, size_t i, uint64_t *from, uint64_t *n)
{
	uint64_t end = i + 1 < ix->npoints ? ix->points[i + 1].in : ix->blob_size;

	*from = ix->points[i].in - (ix->points[i].bits ? 1 : 0);
	*n = end - *from;
}

size_t lazy_chunk_at(const struct lazy_index *ix, uint64_t offset)
{
	size_t low = 0, high = ix->npoints;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (ix->points[mid].out <= offset)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static int bad(size_t i, struct err *err, const char *what)
{
	return err_set(err, ERR_INVALID, "chunk %zu of the layer: %s", i, what);
}

/* The rest of the member that the point lies in. 1 = it ended: z->next_in is at what follows. */
static int rest_of_member(z_stream *z, const struct lazy_point *p)
{
	int rc;

	if (p->bits) {
		if (!z->avail_in)
			return -1;
		if (inflatePrime(z, p->bits, *z->next_in >> (8 - p->bits)) != Z_OK)
			return -1;
		z->next_in++;
		z->avail_in--;
	}
	if (p->window_len && inflateSetDictionary(z, p->window, p->window_len) != Z_OK)
		return -1;
	rc = inflate(z, Z_SYNC_FLUSH);
	if (rc != Z_STREAM_END)
		return rc == Z_OK || rc == Z_BUF_ERROR ? 0 : -1;
	if (z->avail_in < TRAILER)
		return z->avail_out ? -1 : 0;
	z->next_in += TRAILER;
	z->avail_in -= TRAILER;
	return 1;
}

static int whole_members(z_stream *z)
{
	int rc = Z_STREAM_END;

	while (rc == Z_STREAM_END && z->avail_out && z->avail_in) {
		if (inflateReset2(z, 15 + 16) != Z_OK)
			return -1;
		rc = inflate(z, Z_SYNC_FLUSH);
	}
	return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR ? 0 : -1;
}

static int inflate_gzip(const struct lazy_index *ix, size_t i, const void *in, size_t n, void *out,
			struct err *err)
{
	const struct lazy_point *p = &ix->points[i];
	z_stream z = { .next_in = (unsigned char *)(uintptr_t)in,
		       .avail_in = (unsigned)n,
		       .next_out = out,
		       .avail_out = (unsigned)lazy_chunk_size(ix, i) };
	int r = 1;

	if (inflateInit2(&z, p->inside ? -15 : 15 + 16) != Z_OK)
		abort();
	if (p->inside)
		r = rest_of_member(&z, p);
	if (r > 0)
		r = whole_members(&z);
	if (z.avail_out)
		r = -1;
	inflateEnd(&z);
	return r < 0 ? bad(i, err, "the bytes that came cannot be decompressed") : 0;
}

static int inflate_zstd(const struct lazy_index *ix, size_t i, const void *in, size_t n, void *out,
			struct err *err)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();
	ZSTD_inBuffer from = { in, n, 0 };
	ZSTD_outBuffer to = { out, lazy_chunk_size(ix, i), 0 };
	size_t rc = 1, before = SIZE_MAX;

	if (!z || ZSTD_isError(ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, 27)))
		abort();
	while (to.pos < to.size && !ZSTD_isError(rc) && before != to.pos + from.pos) {
		before = to.pos + from.pos;
		rc = ZSTD_decompressStream(z, &to, &from);
	}
	ZSTD_freeDCtx(z);
	return ZSTD_isError(rc) || to.pos < to.size
		       ? bad(i, err, "the bytes that came cannot be decompressed")
		       : 0;
}

int lazy_chunk_check(const struct lazy_index *ix, size_t i, const void *plain, struct err *err)
{
	unsigned char sum[SHA256_LEN];
	struct sha256 s;

	sha256_init(&s);
	sha256_update(&s, plain, lazy_chunk_size(ix, i));
	sha256_final(&s, sum);
	return memcmp(sum, ix->points[i].sha256, sizeof(sum)) == 0
		       ? 0
		       : bad(i, err, "its bytes do not have the sha256 that the index says");
}

int lazy_chunk_inflate(const struct lazy_index *ix, size_t i, const void *in, size_t n, void *out,
		       struct err *err)
{
	uint64_t from, want;
	int r = 0;

	lazy_chunk_range(ix, i, &from, &want);
	if (n != want || want > UINT32_MAX)
		return bad(i, err, "another number of bytes came");
	if (ix->kind == LAZY_GZIP)
		r = inflate_gzip(ix, i, in, n, out, err);
	else if (ix->kind == LAZY_ZSTD)
		r = inflate_zstd(ix, i, in, n, out, err);
	else if (n != lazy_chunk_size(ix, i))
		r = bad(i, err, "another number of bytes came");
	else
		memcpy(out, in, n);
	return r < 0 ? r : lazy_chunk_check(ix, i, out, err);
}
