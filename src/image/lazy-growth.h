/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/image: the files of one layer while its tar streams in for the first time, and
 * what may be said of those that did not come yet.
 *
 * What came is told at once. What did not come is not there when the stream has passed its place,
 * if the tar is sorted as those who walk directories make it: a directory's entry, then what is in
 * it, names in the order of their bytes. That is believed from the first regular file on, and as
 * long as each entry stands so; from the first that does not, all that is not here has to be waited
 * for. Before that file other entries may stand anywhere: some tools put devices first. All that
 * was told is remembered: an entry that makes it false ends the growth. Names for which nothing was
 * told may come in any order.
 *
 * What is told is kept apart from the rest, in memory that outlives a process: a growth that is
 * made anew of the same bytes keeps every promise of the one before. Not thread safe.
 */
#pragma once

#include "image/lazy-tree.h"

struct err;
struct lazy_growth;

#define LAZY_TOLD_SLOTS (1u << 18)
#define LAZY_GROWTH_ENTRIES (1u << 20)
/* Offsets from here on are places in the file of sparse files' bytes. */
#define LAZY_HOLES (1ull << 62)

/* All zeros at first; its processes must share the seed of hash_bytes(). */
struct lazy_told {
	uint32_t nabsent;
	uint64_t absent[LAZY_TOLD_SLOTS];	 /* hashes of names that are not there; 0 = free */
	unsigned char seen[LAZY_GROWTH_ENTRIES]; /* by inode: its attributes; its list of names */
};

/* base: the lowest layer. `told` is borrowed. `holes`: a file for the bytes of sparse files, which
 * are written where they belong, or -1: a layer with one is refused. */
struct lazy_growth *lazy_growth_new(bool base, int holes, struct lazy_told *told);
void lazy_growth_free(struct lazy_growth *g);
DEFINE_CLEANUP(struct lazy_growth *, lazy_growth_free)
/* While it is on, what is pushed came before, and all was told behind it. */
void lazy_growth_again(struct lazy_growth *g, bool on);
/* The next bytes of tar. -ERR_CONFLICT: something else was told before; -ERR_INVALID as unpacking
 * would refuse it; -ERR_UNSUPPORTED what cannot be served without the layers below. After an error
 * nothing more may be told. */
int lazy_growth_push(struct lazy_growth *g, const void *p, size_t n, struct err *err);
/* There are no more: all that did not come is not there. */
int lazy_growth_finish(struct lazy_growth *g, struct err *err);

const struct lazy_tree *lazy_growth_tree(const struct lazy_growth *g);
bool lazy_growth_ended(const struct lazy_growth *g);
bool lazy_growth_sorted(const struct lazy_growth *g);
/* Bytes of the file of sparse files that are final. */
uint64_t lazy_growth_holes(const struct lazy_growth *g);

/* May it be told? Nothing is remembered. */
bool lazy_growth_lacks(const struct lazy_growth *g, uint32_t dir, struct slice name);
/* The same, remembered if so: a name that is not there; that a directory is not opaque; attributes
 * of an inode; all names of a directory. */
bool lazy_growth_tell_absent(struct lazy_growth *g, uint32_t dir, struct slice name);
bool lazy_growth_tell_plain(struct lazy_growth *g, uint32_t dir);
bool lazy_growth_tell_inode(struct lazy_growth *g, uint32_t ino);
bool lazy_growth_tell_names(struct lazy_growth *g, uint32_t dir);
