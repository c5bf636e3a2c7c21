/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fetching process of a layer that is served while it comes for the first time: the blob from
 * its beginning into its file, and what it decompresses to into a pipe to the serving process. A
 * download that broke off goes on where it was; a process that follows one which died decompresses
 * the file again, and leaves out what the serving one has.
 */
#include "base/err.h"
#include "base/fd.h"
#include "image/inflate.h"
#include "image/lazy-priv.h"
#include "image/manifest.h"
#include "linux/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define PIECE (256 * 1024)
#define HEAD 8		   /* bytes that tell a compression */
#define ZSTD_WINDOW_LOG 27 /* as inflate.c */

struct stream {
	struct lazy_server *s;
	int out;
	char head[HEAD];
	uint64_t in, skip; /* of the blob: bytes taken; of the tar: bytes that are not sent again */
	enum inflate_kind kind;
	bool known; /* kind is */
	z_stream z;
	ZSTD_DCtx *zstd;
	bool ended, over; /* a member of gzip did; and what follows is none */
	size_t zstd_rc;
	bool broken; /* the blob is no stream that can be gone on with */
	unsigned char *room;
};

static int emit(struct stream *st, const void *p, size_t n, struct err *err)
{
	size_t left_out = (size_t)MIN(st->skip, (uint64_t)n);

	st->skip -= left_out;
	return fd_write_all(st->out, (const char *)p + left_out, n - left_out) < 0
		       ? err_sys(err, "hand on the decompressed stream")
		       : 0;
}

/* ---- decompressing ---- */

static int feed_gzip(struct stream *st, const char *p, size_t n, struct err *err)
{
	z_stream *z = &st->z;
	int rc, r;

	z->next_in = (unsigned char *)(uintptr_t)p;
	z->avail_in = (unsigned)n;
	do {
		if (st->ended && z->avail_in) {
			st->over |= *z->next_in != 0x1f; /* zeros or rubbish, as inflate.c */
			st->ended = false;
			inflateReset(z);
		}
		if (st->over)
			return 0;
		z->next_out = st->room;
		z->avail_out = PIECE;
		rc = inflate(z, Z_NO_FLUSH);
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			return err_set(err, ERR_INVALID, "gzip stream is damaged: %s",
				       z->msg ? z->msg : "bad data");
		r = emit(st, st->room, PIECE - z->avail_out, err);
		if (r < 0)
			return r;
		st->ended = rc == Z_STREAM_END;
	} while (z->avail_in || (!z->avail_out && !st->ended));
	return 0;
}

static int feed_zstd(struct stream *st, const char *p, size_t n, struct err *err)
{
	ZSTD_inBuffer in = { p, n, 0 };
	ZSTD_outBuffer out;
	int r;

	do {
		out = (ZSTD_outBuffer){ st->room, PIECE, 0 };
		st->zstd_rc = ZSTD_decompressStream(st->zstd, &out, &in);
		if (ZSTD_isError(st->zstd_rc))
			return err_set(err, ERR_INVALID, "zstd stream is damaged: %s",
				       ZSTD_getErrorName(st->zstd_rc));
		r = emit(st, st->room, out.pos, err);
		if (r < 0)
			return r;
	} while (in.pos < in.size || (out.pos == PIECE && st->zstd_rc));
	return 0;
}

static int feed(struct stream *st, const char *p, size_t n, struct err *err)
{
	if (!n)
		return 0;
	switch (st->kind) {
	case INFLATE_GZIP: return feed_gzip(st, p, n, err);
	case INFLATE_ZSTD: return feed_zstd(st, p, n, err);
	default: return emit(st, p, n, err);
	}
}

static int begin(struct stream *st, size_t nhead, struct err *err)
{
	st->kind = inflate_sniff(st->head, nhead);
	if (st->kind > INFLATE_ZSTD)
		return err_set(err, ERR_UNSUPPORTED, "the layer is compressed with %s",
			       inflate_name(st->head, nhead));
	if (st->kind == INFLATE_GZIP && inflateInit2(&st->z, 15 + 16) != Z_OK)
		abort();
	if (st->kind == INFLATE_ZSTD) {
		st->zstd_rc = 1;
		st->zstd = ZSTD_createDCtx();
		if (!st->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(st->zstd, ZSTD_d_windowLogMax,
								     ZSTD_WINDOW_LOG)))
			abort();
	}
	st->known = true;
	return feed(st, st->head, nhead, err);
}

/* The next bytes of the blob. */
static int take(struct stream *st, const char *p, size_t n, struct err *err)
{
	size_t want = (size_t)MIN(st->s->conf.size, (uint64_t)HEAD), have, part;
	int r = 0;

	if (!st->known) {
		have = (size_t)st->in;
		part = MIN(want - have, n);
		memcpy(st->head + have, p, part);
		st->in += part;
		p += part;
		n -= part;
		if (st->in == want)
			r = begin(st, want, err);
	}
	if (r >= 0) {
		st->in += n;
		r = feed(st, p, n, err);
	}
	st->broken |= r < 0;
	return r;
}

static int finish(struct stream *st, struct err *err)
{
	bool whole = st->kind == INFLATE_GZIP	? st->ended || st->over
		     : st->kind == INFLATE_ZSTD ? st->zstd_rc == 0
						: true;

	st->broken |= !whole;
	return whole ? 0 : err_set(err, ERR_INVALID, "the layer's stream ends too early");
}

/* ---- the blob ---- */

static int on_bytes(void *ctx, struct slice bytes, struct err *err)
{
	struct stream *st = ctx;
	int r;

	if (pwrite(st->s->blob, bytes.p, bytes.n, (off_t)st->in) != (ssize_t)bytes.n)
		return err_sys(err, "write a blob");
	r = take(st, bytes.p, bytes.n, err);
	atomic_store(&st->s->flow->blob_done, st->in);
	return r;
}

/* What another process fetched before. */
static int catch_up(struct stream *st, struct err *err)
{
	uint64_t to = atomic_load(&st->s->flow->blob_done);
	CLEANUP_FREE char *p = malloc(PIECE);
	int r = 0;

	if (!p)
		abort();
	while (st->in < to && r >= 0) {
		ssize_t n = pread(st->s->blob, p, (size_t)MIN(to - st->in, (uint64_t)PIECE),
				  (off_t)st->in);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(err, "read a blob again");
		r = take(st, p, (size_t)n, err);
	}
	return r;
}

static int run(struct stream *st, struct err *err)
{
	const struct lazy_conf *c = &st->s->conf;
	const struct manifest_desc d = { .digest = c->digest, .size = (int64_t)c->size };
	int r = catch_up(st, err);

	if (r >= 0)
		r = remote_blob(st->s->remote, c->repo, &d, st->in, on_bytes, st, err);
	if (r < 0) /* all came, and have another digest */
		st->broken |= err->code == ERR_INVALID && st->in == c->size;
	return r < 0 ? r : finish(st, err);
}

_Noreturn void lazy_stream(struct lazy_server *s, int line, int out)
{
	struct stream st = {
		.s = s, .out = out, .skip = atomic_load(&s->flow->plain_done), .room = malloc(PIECE)
	};
	uint32_t chunk;

	if (!st.room)
		abort();
	while (fd_read_full(line, &chunk, sizeof(chunk)) == (ssize_t)sizeof(chunk)) {
		struct lazy_fetched f = { .chunk = chunk };
		struct err err = ERR_INIT;

		if (run(&st, &err) < 0) {
			f.code = (uint32_t)err.code;
			f.final = st.broken;
			(void)str_copy(f.msg, sizeof(f.msg), err.msg);
		}
		if (fd_write_all(line, &f, sizeof(f)) < 0)
			break;
	}
	_exit(0);
}
