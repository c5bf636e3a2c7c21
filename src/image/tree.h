/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/image: a directory tree laid over another one, for drivers that keep whole trees.
 * Nothing is resolved through a symbolic link and no mount is crossed, so trees may hold what a
 * hostile archive put there; nobody else may change them meanwhile. Blocking, any thread.
 *
 * Kept: owner, mode, times, hard links within the tree, holes, extended attributes (overlay's own
 * marks apart). Data is shared with the source where the file system can (FICLONE), else copied by
 * the kernel.
 */
#pragma once

#include <stdbool.h>

struct err;

enum tree_flags {
	TREE_MOVE = 1, /* the source is used up: what is no directory is renamed when it can be */
	TREE_KEEP_ROOT = 2, /* the attributes of the upper directory itself are not taken over */
};

/* `from` is in the form of overlay's upper directories: whiteouts and opaque marks take away what
 * `to` has; a directory over a directory keeps what is in it, all else is replaced. `to` may be
 * empty: then it becomes a copy. */
int tree_apply(int from, int to, unsigned flags, struct err *err);

/* One regular file's bytes, with its holes, from the beginning of both files. */
int tree_copy_data(int from, int to, struct err *err);
/* Owner, mode and extended attributes, but no times. */
int tree_copy_attributes(int from, int to, struct err *err);
/* 1 = files of this directory can share their data. */
int tree_can_clone(int dir, struct err *err);
