/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making the index of a layer while it is decompressed. Runs inside the fenced helper, in the place
 * of inflate.c's loops: places to begin are seen only by who drives the decompressor block by
 * block.
 */
#include "base/err.h"
#include "base/fd.h"
#include "image/inflate.h"
#include "image/lazy-index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define IN_SIZE (128 * 1024)
#define OUT_SIZE (256 * 1024)
#define ZSTD_WINDOW_LOG 27 /* as inflate.c */

struct builder {
	int in, out;
	unsigned char *ib, *ob;
	size_t have;	/* in ib */
	uint64_t taken; /* bytes of the blob read so far, with those in ib */
	struct lazy_writer w;
	struct tar_reader *tar;
	bool no_index; /* its tar is none: the unpacker will tell */
};

static int on_entry(void *ctx, const struct tar_entry *e, struct err *err)
{
	struct builder *b = ctx;

	return lazy_writer_entry(&b->w, e, err);
}

/* 1 = there are bytes in ib. */
static int fill(struct builder *b, struct err *err)
{
	ssize_t n;

	do
		n = read(b->in, b->ib, IN_SIZE);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "read the compressed stream");
	b->have = (size_t)n;
	b->taken += (size_t)n;
	return n > 0;
}

static int hand_on(struct builder *b, const unsigned char *p, size_t n, struct err *err)
{
	if (!n)
		return 0;
	lazy_writer_data(&b->w, p, n);
	if (!b->no_index && tar_reader_push(b->tar, p, n, NULL) < 0)
		b->no_index = true;
	return fd_write_all(b->out, p, n) < 0 ? err_sys(err, "hand on the decompressed stream") : 0;
}

static bool wants_point(const struct builder *b)
{
	return b->w.out - b->w.last >= lazy_writer_span(&b->w);
}

/* ---- plain ---- */

static int run_plain(struct builder *b, struct err *err)
{
	int r = 1;

	lazy_writer_point(&b->w, &(struct lazy_point){ 0 });
	for (; r > 0; r = r < 0 ? r : fill(b, err)) {
		for (size_t at = 0; at < b->have && r > 0;) {
			uint64_t done = b->w.out - b->w.last, span = lazy_writer_span(&b->w),
				 room = span - MIN(done, span);
			size_t n = (size_t)MIN(room, (uint64_t)(b->have - at));

			if (!room) {
				lazy_writer_point(&b->w, &(struct lazy_point){ .in = b->w.out });
				continue;
			}
			r = hand_on(b, b->ib + at, n, err) < 0 ? err_ret(err) : 1;
			at += n;
			if (b->w.sequential) /* too many: no more points are taken */
				b->w.last = b->w.out;
		}
	}
	return r;
}

/* ---- gzip ---- */

static void gzip_point(struct builder *b, z_stream *z)
{
	CLEANUP_FREE unsigned char *window = malloc(LAZY_WINDOW);
	struct lazy_point p = { .in = b->taken - z->avail_in,
				.bits = z->data_type & 7,
				.inside = true,
				.window = window };
	unsigned n = LAZY_WINDOW;

	if (!window)
		abort();
	/* The window begins with the member: places whose 32 KiB reach before it are passed over.
	 */
	if (inflateGetDictionary(z, window, &n) != Z_OK || n != MIN(b->w.out, LAZY_WINDOW))
		return;
	p.window_len = n;
	lazy_writer_point(&b->w, &p);
}

static int gzip_step(struct builder *b, z_stream *z, bool *ret_end, struct err *err)
{
	int rc, r;

	z->next_out = b->ob;
	z->avail_out = OUT_SIZE;
	rc = inflate(z, Z_BLOCK);
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return err_set(err, ERR_INVALID, "gzip stream is damaged: %s",
			       z->msg ? z->msg : "bad data");
	r = hand_on(b, b->ob, OUT_SIZE - z->avail_out, err);
	if (r < 0)
		return r;
	*ret_end = rc == Z_STREAM_END;
	if (!*ret_end && (z->data_type & 128) && !(z->data_type & 64) && wants_point(b))
		gzip_point(b, z);
	return 0;
}

static int gzip_between(struct builder *b, z_stream *z, struct err *err)
{
	int r = 1;

	if (*z->next_in == 0x1f) {
		inflateReset(z);
		if (wants_point(b))
			lazy_writer_point(&b->w,
					  &(struct lazy_point){ .in = b->taken - z->avail_in });
		return 1;
	}
	while (r > 0) /* zeros or rubbish behind the last member, as inflate.c */
		r = fill(b, err);
	return r;
}

static int run_gzip(struct builder *b, struct err *err)
{
	z_stream z = { .next_in = b->ib, .avail_in = (unsigned)b->have };
	bool ended = false;
	int r = 1;

	if (inflateInit2(&z, 15 + 16) != Z_OK)
		abort();
	lazy_writer_point(&b->w, &(struct lazy_point){ 0 });
	while (r > 0) {
		if (!z.avail_in) {
			r = fill(b, err);
			z.next_in = b->ib;
			z.avail_in = (unsigned)b->have;
		}
		if (r > 0 && ended)
			r = gzip_between(b, &z, err);
		if (r > 0)
			r = gzip_step(b, &z, &ended, err) < 0 ? err_ret(err) : 1;
	}
	inflateEnd(&z);
	return r == 0 && !ended ? err_set(err, ERR_INVALID, "gzip stream ends too early") : r;
}

/* ---- zstd ---- */

static int zstd_step(struct builder *b, ZSTD_DCtx *z, ZSTD_inBuffer *in, size_t *ret_rc,
		     struct err *err)
{
	ZSTD_outBuffer out = { b->ob, OUT_SIZE, 0 };

	*ret_rc = ZSTD_decompressStream(z, &out, in);
	if (ZSTD_isError(*ret_rc))
		return err_set(err, ERR_INVALID, "zstd stream is damaged: %s",
			       ZSTD_getErrorName(*ret_rc));
	if (hand_on(b, b->ob, out.pos, err) < 0)
		return err_ret(err);
	return out.pos == OUT_SIZE && *ret_rc; /* more may be inside the decoder */
}

static int run_zstd(struct builder *b, struct err *err)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();
	ZSTD_inBuffer in = { b->ib, b->have, 0 };
	size_t rc = 1;
	bool more = false;
	int r = 1;

	if (!z || ZSTD_isError(ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG)))
		abort();
	lazy_writer_point(&b->w, &(struct lazy_point){ 0 });
	while (r > 0) {
		if (in.pos == in.size && !more) {
			r = fill(b, err);
			in = (ZSTD_inBuffer){ b->ib, b->have, 0 };
			if (r <= 0)
				break;
		}
		if (rc == 0 && !more && wants_point(b))
			lazy_writer_point(
				&b->w, &(struct lazy_point){ .in = b->taken - b->have + in.pos });
		r = zstd_step(b, z, &in, &rc, err);
		more = r > 0;
		r = r < 0 ? r : 1;
	}
	ZSTD_freeDCtx(z);
	return r == 0 && rc ? err_set(err, ERR_INVALID, "zstd stream ends too early") : r;
}

/* ---- all ---- */

static void finish(struct builder *b, enum lazy_kind kind, struct buf *ret)
{
	if (!b->no_index && tar_reader_finish(b->tar, NULL) < 0)
		b->no_index = true;
	if (b->no_index || lazy_writer_finish(&b->w, kind, b->taken, ret, NULL) < 0)
		buf_clear(ret);
}

static int run(struct builder *b, struct buf *ret, struct err *err)
{
	int r = fill(b, err);
	enum lazy_kind kind = LAZY_PLAIN;

	if (r < 0)
		return r;
	switch (inflate_sniff(b->ib, b->have)) {
	case INFLATE_GZIP:
		kind = LAZY_GZIP;
		r = run_gzip(b, err);
		break;
	case INFLATE_ZSTD:
		kind = LAZY_ZSTD;
		r = run_zstd(b, err);
		break;
	case INFLATE_PLAIN: r = r ? run_plain(b, err) : 0; break;
	default:
		return err_set(err, ERR_UNSUPPORTED, "stream is compressed with %s",
			       inflate_name(b->ib, b->have));
	}
	if (r >= 0)
		finish(b, kind, ret);
	return r;
}

int lazy_build_fd(int in, int out, struct buf *ret, uint64_t *ret_bytes, struct err *err)
{
	static const struct tar_ops ops = { on_entry, NULL, NULL };
	CLEANUP_FREE unsigned char *ib = malloc(IN_SIZE);
	CLEANUP_FREE unsigned char *ob = malloc(OUT_SIZE);
	struct builder b = { .in = in, .out = out, .ib = ib, .ob = ob };
	int r;

	if (!ib || !ob)
		abort();
	lazy_writer_init(&b.w);
	b.tar = tar_reader_new(&(struct tar_limits){ 0 }, &ops, &b);
	r = run(&b, ret, err);
	*ret_bytes = b.w.out;
	tar_reader_free(b.tar);
	lazy_writer_fini(&b.w);
	return r;
}
