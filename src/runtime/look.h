/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One look at a container: its record, whether it lives, and its cgroup when that is asked for.
 * What life.c, update.c and stats.c begin with.
 */
#pragma once

#include "runtime/group.h"
#include "runtime/rt.h"

/* What one call needs to know. Zero-initialise; look_fini() (or its cleaner) unlocks and frees. */
struct look {
	struct arena *arena;
	struct state s;
	struct group group; /* group.cgroup NULL = none, or not asked for */
	enum rt_status status;
	bool locked;
	int dirfd;
};

enum {
	LOOK_LOCK = 1,	 /* the container's lock, until look_fini */
	LOOK_FROZEN = 2, /* tell paused from running */
	LOOK_ALL = 4,	 /* config and names too, not only what the process's creator knows */
};

int look(struct rt_container *c, unsigned flags, struct look *l, struct err *err);
/* Opens the cgroup; 0 also when the container has none. */
int look_cgroup(struct look *l, struct err *err);
/* The cgroup also gets the controllers `want` (bits): recorded first. For who holds the lock. */
int look_extend(struct rt_container *c, struct look *l, uint32_t want, struct err *err);
void look_fini(struct look *l);
DEFINE_CLEANUP_EMBEDDED(struct look, look_fini)
