/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup of a container, whoever made it.
 *
 * linux.cgroupsPath says where: for the file system "/absolute" (below each hierarchy's mount) or
 * "relative" (the same; for a caller without rights there, below its own cgroup); for systemd
 * "slice:prefix:name", which is the scope prefix-name.scope of that slice. What is recorded of it
 * is the text of group_save(): cgroup_save()'s, with "unit:<s|u>:<name> " before it if systemd is
 * to be asked to remove it. A caller that is not root of the machine and may not make cgroups runs
 * its container without one, unless limits are asked for.
 */
#pragma once

#include "linux/cgroup.h"
#include "runtime/runtime.h"

struct conf;
struct err;
struct buf;

struct group {
	struct cgroup_layout *layout;
	struct cgroup *cgroup; /* NULL = none */
	char unit[256];	       /* systemd's name for it; "" = ours */
	bool user_bus;	       /* of the user's own manager */
};
#define GROUP_INIT ((struct group){ 0 })

/* What a new one depends on; all borrowed for the call. */
struct group_want {
	const struct rt_host *host;
	const struct conf *conf;
	const struct cgroup_limits *limits;
	const char *id;
	pid_t pid;  /* the container's init, waiting */
	int state;  /* directory of the record: takes the note of what is about to be made */
	bool enter; /* init enters by itself (its files are opened); else it is moved here */
};

/* Makes it, limits it, and (without `enter`) moves pid in. g->cgroup stays NULL where none is
 * possible or wanted. On failure too g holds what was made: end init, then group_destroy(). */
int group_create(const struct group_want *w, struct group *g, struct err *err);
int group_open(const char *saved, struct group *g, struct err *err);
int group_save(const struct group *g, struct buf *out, struct err *err);
/* group_save()'s text as it will be once the cgroup also has the controllers `want` (bits). */
int group_save_extended(const struct group *g, uint32_t want, struct buf *out, struct err *err);
/* New limits for what runs; all controllers must be there. */
int group_update(struct group *g, const struct cgroup_limits *limits, struct err *err);
/* Kills who is left in it and removes it, within timeout_ms. */
int group_destroy(struct group *g, int timeout_ms, struct err *err);
/* A memory limit of hardly more than the kernel charges at once (narrow.c): how many pages init has
 * to fill when it has entered, 0 = nothing is special; the limit until then; the real one. */
unsigned group_fill_pages(const struct cgroup_limits *l);
int group_narrow(struct group *g, const struct cgroup_limits *l, struct err *err);
int group_widen(struct group *g, const struct cgroup_limits *l, struct err *err);
/* Moves a process into cgroups below it: "[controller,...:]path" each, NULL-terminated. */
int subgroup_enter(struct group *g, const char *const *list, pid_t pid, struct err *err);
void group_fini(struct group *g);
DEFINE_CLEANUP_EMBEDDED(struct group, group_fini)
