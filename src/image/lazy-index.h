/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/image: the index of a plain layer, by which a part of it can be read without the
 * rest: what its tar holds and where, places at which its decompressor can begin, and a sha256 of
 * the uncompressed bytes between two such places (a chunk).
 *
 * File, version 1: "TEULZX1\n", u64 size of what follows uncompressed, then that as one zstd frame:
 * u8 compression, u8 flags, then LEB128 numbers: size of the layer's blob, of its tar, number of
 * points, of entries; the points; the entries in the tar's order. An index is foreign: whoever
 * reads one bounds and checks everything, and believes a chunk's bytes only when they have its
 * sha256. Where a decompressor can begin: in a plain tar anywhere; in gzip at the border of a
 * deflate block, with the 32 KiB before it (RFC 1951); in zstd at a frame. A layer whose places lie
 * more than LAZY_CHUNK_MAX apart (one large zstd frame) has a sequential index: its table alone is
 * of use. Not thread safe; a finished struct lazy_index is immutable.
 */
#pragma once

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/str.h"
#include "image/tar.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

#define LAZY_MEDIA "application/vnd.teu.layer.index.v1"
/* Bytes of tar between two points, at least; of large layers more, behind the first of them. */
#define LAZY_SPAN (2u << 20)
#define LAZY_SPAN_LARGE (8u << 20)
#define LAZY_LARGE (1ull << 30)
#define LAZY_CHUNK_MAX (64u << 20)
#define LAZY_POINTS_MAX 2048
#define LAZY_ENTRIES_MAX (1u << 20)
#define LAZY_WINDOW 32768u
#define LAZY_FILE_MAX (64u << 20)

enum lazy_kind { LAZY_PLAIN, LAZY_GZIP, LAZY_ZSTD };
#define LAZY_KINDS 3

struct lazy_point {
	uint64_t out, in; /* offsets in the tar, and of the first whole byte in the blob */
	uint8_t bits;	  /* gzip: so many high bits of the byte before `in` come first */
	bool inside;	  /* gzip: inside a member; else its header follows */
	const unsigned char *window; /* the bytes of tar before `out`; inside a member alone */
	uint32_t window_len;
	unsigned char sha256[SHA256_LEN]; /* of the tar from here to the next point */
};

struct lazy_index {
	enum lazy_kind kind;
	bool sequential; /* no points */
	uint64_t blob_size, plain_size;
	struct lazy_point *points;
	size_t npoints, nentries;
	struct slice entries; /* encoded */
	char *memory;	      /* that all points into */
};

/* -ERR_INVALID names what is wrong, -ERR_UNSUPPORTED another version. */
int lazy_index_read(struct slice file, struct lazy_index **ret, struct err *err);
void lazy_index_free(struct lazy_index *ix);
DEFINE_CLEANUP(struct lazy_index *, lazy_index_free)

/* Each entry in order: names are clean (tar_name_clean), `offset` is that of the data in the tar.
 * The entry is borrowed during the call; negative ends it. */
typedef int lazy_entry_fn(void *ctx, const struct tar_entry *e, struct err *err);
int lazy_index_each(const struct lazy_index *ix, lazy_entry_fn *fn, void *ctx, struct err *err);

/* Chunk i: bytes of tar, and the range of the blob that it is made of. */
uint64_t lazy_chunk_size(const struct lazy_index *ix, size_t i);
void lazy_chunk_range(const struct lazy_index *ix, size_t i, uint64_t *from, uint64_t *n);
/* The chunk that has this offset of the tar (< plain_size). */
size_t lazy_chunk_at(const struct lazy_index *ix, uint64_t offset);
/* Decompresses chunk i from the bytes of its range into `out` (lazy_chunk_size bytes). -ERR_INVALID
 * when they do not give it. */
int lazy_chunk_inflate(const struct lazy_index *ix, size_t i, const void *in, size_t n, void *out,
		       struct err *err);
/* -ERR_INVALID when the bytes are not those of the chunk. */
int lazy_chunk_check(const struct lazy_index *ix, size_t i, const void *plain, struct err *err);

/* ---- making one ---- */

struct lazy_writer {
	struct buf points, entries;
	size_t npoints, nentries;
	uint64_t out, last; /* bytes of tar seen; where the last point is */
	uint64_t last_in;
	struct sha256 hash;    /* since the last point */
	bool sequential, full; /* full: too many entries */
};
void lazy_writer_init(struct lazy_writer *w);
void lazy_writer_fini(struct lazy_writer *w);
DEFINE_CLEANUP_EMBEDDED(struct lazy_writer, lazy_writer_fini)
/* A place to begin at the bytes of tar seen so far; p->window may be NULL. */
/* So far from the last one that another is wanted. */
static inline uint64_t lazy_writer_span(const struct lazy_writer *w)
{
	return w->out < LAZY_LARGE ? LAZY_SPAN : LAZY_SPAN_LARGE;
}
void lazy_writer_point(struct lazy_writer *w, const struct lazy_point *p);
/* The next bytes of tar. */
void lazy_writer_data(struct lazy_writer *w, const void *p, size_t n);
int lazy_writer_entry(struct lazy_writer *w, const struct tar_entry *e, struct err *err);
/* The file's bytes. -ERR_TOO_LARGE when there can be no index of this layer. */
int lazy_writer_finish(struct lazy_writer *w, enum lazy_kind kind, uint64_t blob_size,
		       struct buf *ret, struct err *err);

/* An entry as an index tells it: clean names, only attributes that are kept, size and offset of
 * files alone. In `room`, and borrowed of *e. -ERR_INVALID: names that are none, or owners. */
struct lazy_entry_room {
	char name[TAR_NAME_MAX + 1], link[TAR_NAME_MAX + 1];
	struct tar_xattr xattrs[TAR_XATTRS_MAX];
};
int lazy_entry_clean(const struct tar_entry *e, struct lazy_entry_room *room, struct tar_entry *ret,
		     struct err *err);

/* All of `in` to `out`, decompressed (plain bytes as they are), while its index is made. An index
 * that cannot be made is no failure: *ret is empty then. */
int lazy_build_fd(int in, int out, struct buf *ret, uint64_t *ret_bytes, struct err *err);
