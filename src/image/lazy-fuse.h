/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/image: one request of the kernel's FUSE protocol (linux/fuse.h, 7.31 and later)
 * answered from a layer's tree. No state but the tree: node ids are inode numbers, nothing is
 * counted, so a request may be answered twice, or by another process than the one that read it.
 * Read-only: what would change something is EROFS, what is not known ENOSYS. No system call is made
 * here.
 */
#pragma once

#include "base/str.h"
#include "image/lazy-tree.h"

#include <stdbool.h>
#include <stdint.h>

#define LAZY_READ_MAX (1u << 20) /* bytes of one READ */
#define LAZY_REQUEST_MAX 8192	 /* the kernel's least buffer; no request we let come is longer */
#define LAZY_REPLY_MAX (LAZY_READ_MAX + 4096)

struct lazy_growth;

struct lazy_fs {
	const struct lazy_tree *tree;
	struct lazy_growth *growth; /* the tree is its; NULL: all of it is here */
	bool stalled;		    /* what would be waited for is EIO: it does not come */
	bool failed; /* the layer is not what it was said to be: all but its mount's end is EIO */
	/* Bytes of the tar: 0; 1 = not here yet, they are asked for; or a negative errno. */
	int (*data)(void *ctx, uint64_t offset, size_t n, char *dst);
	void *ctx;
};

enum lazy_verdict {
	LAZY_ANSWER,	/* out is the reply */
	LAZY_SILENT,	/* none is due */
	LAZY_WAIT,	/* ask again when more is here */
	LAZY_INTERRUPT, /* *ret_unique is the request that nobody waits for any more */
	LAZY_BROKEN,	/* no request */
};
/* out has room for LAZY_REPLY_MAX. */
enum lazy_verdict lazy_fuse_answer(const struct lazy_fs *fs, const void *request, size_t n,
				   struct buf *out, uint64_t *ret_unique);
/* What nobody has asked for: the kernel forgets the bytes that it has of a file. Whoever writes it
 * may wait for reads of that file, so it must not be who answers those. */
void lazy_fuse_forget_bytes(uint64_t ino, struct buf *out);
/* A reply that is an error alone. */
void lazy_fuse_error(const void *request, int error, struct buf *out);
uint64_t lazy_fuse_unique(const void *request);
