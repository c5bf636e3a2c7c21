/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decompression of a stream: gzip (RFC 1952, several members) by gunzip.c, zstd (RFC 8878,
 * skippable frames too) by libzstd, xz by liblzma, bzip2 by libbz2 (both: several streams). Runs
 * only inside the fenced helper; the size of what comes out is bounded by its reader.
 */
#include "image/inflate.h"

#include "base/err.h"
#include "base/fd.h"
#include "image/gunzip.h"

#include <bzlib.h>
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define IN_SIZE (128 * 1024)
#define OUT_SIZE (256 * 1024)
#define LZMA_MEMORY (256u << 20) /* xz -9 needs 65 MiB; the helper has 512 MiB of addresses */
#define ZSTD_WINDOW_LOG 27	 /* 128 MiB: what zstd -19 --long writes by default */

struct stream {
	int in, out;
	unsigned char *ib, *ob;
	size_t have;
	uint64_t bytes;
};

static bool starts(const void *p, size_t n, const void *magic, size_t m)
{
	return n >= m && memcmp(p, magic, m) == 0;
}

const char *inflate_name(const void *p, size_t n)
{
	if (starts(p, n, "\x1f\x8b", 2))
		return "gzip";
	if (starts(p, n, "\x28\xb5\x2f\xfd", 4))
		return "zstd";
	if (starts(p, n,
		   "\xfd"
		   "7zXZ",
		   5))
		return "xz";
	if (starts(p, n, "BZh", 3))
		return "bzip2";
	if (starts(p, n, "\x04\x22\x4d\x18", 4))
		return "lz4";
	if (n >= 4 && (((const unsigned char *)p)[0] & 0xf0) == 0x50 &&
	    starts((const char *)p + 1, n - 1, "\x2a\x4d\x18", 3))
		return "zstd"; /* a skippable frame */
	return "none";
}

enum inflate_kind inflate_sniff(const void *p, size_t n)
{
	static const struct {
		const char *name;
		enum inflate_kind kind;
	} kinds[] = { { "none", INFLATE_PLAIN },
		      { "gzip", INFLATE_GZIP },
		      { "zstd", INFLATE_ZSTD },
		      { "xz", INFLATE_XZ },
		      { "bzip2", INFLATE_BZIP2 } };
	const char *name = inflate_name(p, n);

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(name, kinds[i].name) == 0)
			return kinds[i].kind;
	return INFLATE_OTHER;
}

static int fill(struct stream *s, struct err *err)
{
	ssize_t n;

	do
		n = read(s->in, s->ib, IN_SIZE);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "read the compressed stream");
	s->have = (size_t)n;
	return n > 0;
}

static int put(struct stream *s, size_t n, struct err *err)
{
	s->bytes += n;
	return fd_write_all(s->out, s->ob, n) < 0 ? err_sys(err, "hand on the decompressed stream")
						  : 0;
}

static ssize_t gzip_read(void *ctx, void *p, size_t n, struct err *err)
{
	struct stream *s = ctx;
	ssize_t got;

	if (s->have) { /* read to tell the compression by */
		n = MIN(n, s->have);
		memcpy(p, s->ib, n);
		s->have -= n;
		memmove(s->ib, s->ib + n, s->have);
		return (ssize_t)n;
	}
	do
		got = read(s->in, p, n);
	while (got < 0 && errno == EINTR);
	return got < 0 ? err_sys(err, "read the compressed stream") : got;
}

static int gzip_write(void *ctx, const void *p, size_t n, struct err *err)
{
	struct stream *s = ctx;

	s->bytes += n;
	return fd_write_all(s->out, p, n) < 0 ? err_sys(err, "hand on the decompressed stream") : 0;
}

static int run_gzip(struct stream *s, struct err *err)
{
	const struct gunzip_io io = { gzip_read, gzip_write, s };
	int r = gunzip_run(&io, err);

	/* Zeros or rubbish after the last member: gzip(1) ignores them too. */
	if (r > 0)
		while (fill(s, NULL) > 0)
			;
	return r < 0 ? r : 0;
}

static int run_zstd(struct stream *s, struct err *err)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();
	ZSTD_inBuffer in = { s->ib, s->have, 0 };
	size_t rc = 1;
	int r = 1;

	if (!z || ZSTD_isError(ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG)))
		abort();
	for (;;) {
		ZSTD_outBuffer out = { s->ob, OUT_SIZE, 0 };

		if (in.pos == in.size) {
			r = fill(s, err);
			if (r <= 0)
				break;
			in = (ZSTD_inBuffer){ s->ib, s->have, 0 };
		}
		rc = ZSTD_decompressStream(z, &out, &in);
		if (ZSTD_isError(rc)) {
			r = err_set(err, ERR_INVALID, "zstd stream is damaged: %s",
				    ZSTD_getErrorName(rc));
			break;
		}
		r = put(s, out.pos, err);
		/* A full output buffer may leave more inside the decoder without any input left. */
		while (r >= 0 && out.pos == OUT_SIZE && in.pos == in.size && rc != 0) {
			out.pos = 0;
			rc = ZSTD_decompressStream(z, &out, &in);
			if (ZSTD_isError(rc))
				r = err_set(err, ERR_INVALID, "zstd stream is damaged: %s",
					    ZSTD_getErrorName(rc));
			else
				r = put(s, out.pos, err);
		}
		if (r < 0)
			break;
	}
	ZSTD_freeDCtx(z);
	if (r == 0 && rc != 0)
		return err_set(err, ERR_INVALID, "zstd stream ends too early");
	return r;
}

static int lzma_bad(lzma_ret rc, struct err *err)
{
	if (rc == LZMA_MEMLIMIT_ERROR)
		return err_set(err, ERR_TOO_LARGE,
			       "xz stream needs more than %u MiB of memory to be unpacked",
			       LZMA_MEMORY >> 20);
	return err_set(err, ERR_INVALID,
		       rc == LZMA_OPTIONS_ERROR ? "xz stream uses a filter that is not known"
		       : rc == LZMA_BUF_ERROR	? "xz stream ends too early"
						: "xz stream is damaged");
}

static int run_xz(struct stream *s, struct err *err)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_action action = LZMA_RUN;
	lzma_ret rc = LZMA_OK;
	int r = 1;

	if (lzma_stream_decoder(&z, LZMA_MEMORY, LZMA_CONCATENATED) != LZMA_OK)
		abort();
	z.next_in = s->ib;
	z.avail_in = s->have;
	while (r >= 0 && rc != LZMA_STREAM_END) {
		if (z.avail_in == 0 && action == LZMA_RUN) {
			r = fill(s, err);
			if (r < 0)
				break;
			action = r ? LZMA_RUN : LZMA_FINISH;
			z.next_in = s->ib;
			z.avail_in = s->have;
		}
		z.next_out = s->ob;
		z.avail_out = OUT_SIZE;
		rc = lzma_code(&z, action);
		r = rc == LZMA_OK || rc == LZMA_STREAM_END ? put(s, OUT_SIZE - z.avail_out, err)
							   : lzma_bad(rc, err);
	}
	lzma_end(&z);
	return r < 0 ? r : 0;
}

/* What follows the last stream is ignored when it begins otherwise, as bzip2(1) does. */
static int run_bzip2(struct stream *s, struct err *err)
{
	bz_stream z = { 0 };
	bool open = false;
	int r = 1, rc;

	z.next_in = (char *)s->ib;
	z.avail_in = (unsigned)s->have;
	for (;;) {
		if (z.avail_in == 0) {
			r = fill(s, err);
			if (r <= 0)
				break;
			z.next_in = (char *)s->ib;
			z.avail_in = (unsigned)s->have;
		}
		if (!open && s->bytes && *z.next_in != 'B') {
			while ((r = fill(s, NULL)) > 0)
				;
			r = 0;
			break;
		}
		if (!open && BZ2_bzDecompressInit(&z, 0, 0) != BZ_OK)
			abort();
		open = true;
		z.next_out = (char *)s->ob;
		z.avail_out = OUT_SIZE;
		rc = BZ2_bzDecompress(&z);
		r = rc == BZ_OK || rc == BZ_STREAM_END
			    ? put(s, OUT_SIZE - z.avail_out, err)
			    : err_set(err, ERR_INVALID, "bzip2 stream is damaged");
		if (r < 0)
			break;
		if (rc == BZ_STREAM_END) {
			BZ2_bzDecompressEnd(&z);
			open = false;
		}
	}
	if (open)
		BZ2_bzDecompressEnd(&z);
	return r == 0 && open ? err_set(err, ERR_INVALID, "bzip2 stream ends too early") : r;
}

int inflate_fd(int in, int out, uint64_t *ret_bytes, struct err *err)
{
	CLEANUP_FREE unsigned char *ib = malloc(IN_SIZE);
	CLEANUP_FREE unsigned char *ob = malloc(OUT_SIZE);
	struct stream s = { .in = in, .out = out, .ib = ib, .ob = ob };
	int r;

	if (!ib || !ob)
		abort();
	r = fill(&s, err);
	if (r < 0)
		return r;
	switch (inflate_sniff(ib, s.have)) {
	case INFLATE_GZIP: r = run_gzip(&s, err); break;
	case INFLATE_ZSTD: r = run_zstd(&s, err); break;
	case INFLATE_XZ: r = run_xz(&s, err); break;
	case INFLATE_BZIP2: r = run_bzip2(&s, err); break;
	default: return err_set(err, ERR_INVALID, "stream is not compressed");
	}
	*ret_bytes = s.bytes;
	return r;
}
