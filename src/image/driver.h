/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/image: storage drivers. A layer is always unpacked into a directory in the form of
 * overlay's upper directories (whiteouts, opaque marks), several layers side by side. A driver of
 * layers keeps it so; a driver of whole trees lays it over a copy of the tree below, and its
 * containers' roots are copies of the topmost tree.
 *
 * A store belongs to the driver that made its first layer (file <store>/driver). Blocking but for
 * the names; any thread.
 */
#pragma once

#include <stdbool.h>

struct arena;
struct err;
struct image_rootfs;
struct image_store;

struct image_driver {
	const char *name;
	const char *docker; /* its name in docker's API and daemon.json */
	bool whole;	    /* keeps whole trees */
	/* Does it work for a store in directory dir (open as fd)? Leaves nothing. */
	int (*probe)(const char *dir, int fd, struct err *err);
	/* Whole trees: a new one, empty or as `from`; away with one (0 if absent). NULL else. */
	int (*create)(int dir, const char *name, struct err *err);
	int (*copy)(int from_dir, const char *from, int dir, const char *name, struct err *err);
	int (*remove)(int dir, const char *name, struct err *err);
	/* The root at rf->mount, for drivers that mount before the runtime does; NULL else. */
	int (*mount)(const struct image_rootfs *rf, struct err *err);
};

extern const struct image_driver driver_overlay, driver_fuse, driver_btrfs, driver_copy;

/* NULL, "auto" or a name (also docker's). Sets is->driver, is->why and is->userxattr. */
int driver_choose(struct image_store *is, const char *asked, struct err *err);
/* Away with a tree of any kind below `dir`; 0 if absent. */
int driver_remove_tree(int dir, const char *name, struct err *err);
/* Are we root of a user namespace that is not the machine's? */
bool driver_in_userns(void);
/* The attribute by which overlay knows an opaque directory here. */
const char *driver_opaque_name(const struct image_store *is);
