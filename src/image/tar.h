/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tar as a stream: a reader that is fed bytes and calls back per entry and per piece of data, and a
 * writer.
 *
 * Reader: ustar, pax (local and global, SCHILY.xattr), GNU long names and links, base-256 numbers,
 * old V7, sparse files (GNU 'S'; pax GNU.sparse.* 0.0, 0.1, 1.0). Multi-volume and unknown critical
 * types are refused by name. Memory is bounded by struct tar_limits whatever the input says;
 * nothing of the input is trusted: names are handed out as they stand (tar_name_clean judges them),
 * sizes are only counted. Not thread safe.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define TAR_BLOCK 512
#define TAR_NAME_MAX 4096
#define TAR_XATTRS_MAX 64
#define TAR_SEGMENTS_MAX (256u << 10) /* pieces of one sparse file */

enum tar_type { TAR_REG, TAR_HARD, TAR_SYM, TAR_CHAR, TAR_BLOCKDEV, TAR_DIR, TAR_FIFO };

struct tar_xattr {
	const char *name; /* "user.x", NUL-terminated */
	struct slice value;
};

struct tar_entry {
	enum tar_type type;
	const char *name;	   /* as written; not empty, no NUL inside */
	const char *link;	   /* target of TAR_HARD and TAR_SYM, else "" */
	uint64_t size;		   /* data bytes that follow (only TAR_REG) */
	bool sparse;		   /* the data has holes: see tar_ops.hole */
	uint64_t real_size;	   /* of the file: size, unless it is sparse */
	uint32_t mode;		   /* permission bits and suid, sgid, sticky */
	int64_t uid, gid;	   /* 0 .. 2^32-2 */
	const char *uname, *gname; /* "" when not given */
	int64_t mtime_s, atime_s;
	uint32_t mtime_ns, atime_ns;
	bool has_atime;
	uint32_t major, minor;
	struct tar_xattr *xattrs;
	size_t nxattrs;
	uint64_t offset; /* of the data in the stream */
};

struct tar_limits {
	uint64_t total_max;   /* stream bytes; 0 = 64 GiB */
	uint64_t entries_max; /* 0 = 4 million */
	size_t header_max;    /* pax and GNU header data of one entry; 0 = 1 MiB */
};

struct tar_ops {
	/* Entry is borrowed during the call. Negative ends the read with that error. */
	int (*entry)(void *ctx, const struct tar_entry *e, struct err *err);
	/* Data of the last TAR_REG entry, in order, in pieces; NULL = not wanted. */
	int (*data)(void *ctx, const void *p, size_t n, struct err *err);
	/* A sparse file: so many zero bytes that are not in the stream come here, between the data.
	 * NULL = not wanted. */
	int (*hole)(void *ctx, uint64_t n, struct err *err);
	/* All data of the last entry was given (also for entries without data); NULL = not wanted.
	 */
	int (*end)(void *ctx, struct err *err);
};

struct tar_reader;
struct tar_reader *tar_reader_new(const struct tar_limits *limits, const struct tar_ops *ops,
				  void *ctx);
void tar_reader_free(struct tar_reader *t);
DEFINE_CLEANUP(struct tar_reader *, tar_reader_free)
/* Any number of bytes at a time. After an error every call fails. Bytes after the end-of-archive
 * mark are ignored. */
int tar_reader_push(struct tar_reader *t, const void *p, size_t n, struct err *err);
/* Instead of pushing: passes over data of the current entry, at most `max` bytes; the number passed
 * over. */
uint64_t tar_reader_skip(struct tar_reader *t, uint64_t max);
/* End of input: -ERR_INVALID inside an entry. A missing end mark at an entry border is accepted, as
 * GNU tar does. */
int tar_reader_finish(struct tar_reader *t, struct err *err);

/* Normalises a member name in place to a relative path without "." and empty parts: "./a//b/" gives
 * "a/b", "." and "/" give "". Leading slashes are dropped. -ERR_INVALID for "..", a part over 255
 * bytes, over TAR_NAME_MAX or 1024 parts. */
int tar_name_clean(const char *name, char dst[TAR_NAME_MAX + 1], struct err *err);

/* Writer: ustar, with pax headers where ustar cannot say it (long names, big numbers, xattrs,
 * fractions of seconds). */
struct tar_writer {
	int (*sink)(void *ctx, const void *p, size_t n, struct err *err);
	void *ctx;
	uint64_t left; /* data bytes the current entry still needs */
	uint64_t size; /* of the current entry */
};
void tar_writer_init(struct tar_writer *w,
		     int (*sink)(void *ctx, const void *p, size_t n, struct err *err), void *ctx);
int tar_writer_entry(struct tar_writer *w, const struct tar_entry *e, struct err *err);
int tar_writer_data(struct tar_writer *w, const void *p, size_t n,
		    struct err *err);			      /* pads at the entry's end */
int tar_writer_finish(struct tar_writer *w, struct err *err); /* two zero blocks */
