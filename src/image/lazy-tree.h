/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/image: the files of one layer as an overlay's lower directory shows them, made out
 * of tar entries one after the other by the rules of unpack.c: what comes later replaces what is
 * there (but a directory a directory), whiteouts become character devices 0:0, opaque directories
 * get a mark, hard links are one inode. Paths are walked here and never resolved by a kernel, so no
 * symbolic link is followed. Not thread safe; numbers are stable for the life of the tree.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"
#include "image/tar.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct lazy_tree;

#define LAZY_ROOT 1u /* inode number; 0 is none */
#define LAZY_OPAQUE "trusted.overlay.opaque"

struct lazy_inode {
	uint32_t mode; /* with the type */
	uint32_t uid, gid, nlink, rdev, mtime_ns;
	int64_t mtime_s;
	uint64_t size, offset; /* of a regular file: bytes, and where they are in the tar */
	uint32_t link;	       /* of a symbolic link: lazy_tree_text() */
	uint32_t xattrs;       /* lazy_tree_xattr() */
	uint32_t first, last;  /* of a directory: its names, see lazy_tree_name() */
	uint32_t parent;       /* of a directory */
	bool opaque, implicit; /* implicit: made for what lies in it, no entry of its own so far */
};

struct lazy_name {
	uint32_t ino, dir, next; /* next: the directory's next name, 0 = last */
	uint32_t name, name_len; /* lazy_tree_text() */
	bool gone;
};

/* base: the lowest layer, whose whiteouts have nothing to hide. */
struct lazy_tree *lazy_tree_new(bool base);
void lazy_tree_free(struct lazy_tree *t);
DEFINE_CLEANUP(struct lazy_tree *, lazy_tree_free)
/* The entry's name is clean (lazy_index_each). -ERR_INVALID as unpacking would refuse it. */
int lazy_tree_add(struct lazy_tree *t, const struct tar_entry *e, struct err *err);
/* All entries came: -ERR_UNSUPPORTED when a directory has no entry of its own above another layer
 * (its attributes are those of the layers below, which are not seen here), or the root is opaque.
 */
int lazy_tree_finish(struct lazy_tree *t, struct err *err);

const struct lazy_inode *lazy_tree_inode(const struct lazy_tree *t, uint64_t ino); /* NULL = none */
uint32_t lazy_tree_lookup(const struct lazy_tree *t, uint32_t dir, struct slice name);
const struct lazy_name *lazy_tree_name(const struct lazy_tree *t, uint32_t i); /* NULL past all */
const char *lazy_tree_text(const struct lazy_tree *t, uint32_t at);
/* The i-th extended attribute, or false. Opaque directories have overlay's mark as one. */
bool lazy_tree_xattr(const struct lazy_tree *t, const struct lazy_inode *n, unsigned i,
		     struct slice *name, struct slice *value);
bool lazy_tree_has_xattrs(const struct lazy_tree *t); /* any at all */
size_t lazy_tree_inodes(const struct lazy_tree *t);
uint64_t lazy_tree_bytes(const struct lazy_tree *t); /* of regular files, as they came */
