/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of cgroup-*.c share. Tests may look too; nobody else does. */
#pragma once

#include "base/cleanup.h"
#include "linux/cgroup.h"

#include <limits.h>

enum { CGROUP_HIERARCHIES_MAX = 24, CGROUP_DEPTH_MAX = 64 };

/* In v2 these need no controller: a file of every directory, or a program attached to it. */
#define CGROUP_V2_ALWAYS \
	(CGROUP_BIT(CPUACCT) | CGROUP_BIT(DEVICES) | CGROUP_BIT(FREEZER) | CGROUP_BIT(PERF_EVENT))

/* One mounted hierarchy. */
struct cgroup_hier {
	char name[64];	      /* as in /proc/self/cgroup; "unified" for v2 */
	char *mount;	      /* absolute path of the mount */
	uint32_t controllers; /* that it can limit; of v2 known when it is open */
	bool v2;
	bool looked; /* for the mount */
	int fd;	     /* O_PATH of the mount; -1 = not looked for, or not mounted */
};

struct cgroup_layout {
	int root; /* borrowed, -1 = real */
	struct cgroup_hier hiers[CGROUP_HIERARCHIES_MAX];
	unsigned n;
	char *own; /* the caller's v2 cgroup, or NULL */
};

/* The cgroup's directory in one hierarchy. */
struct cgroup_part {
	const struct cgroup_hier *hier;
	uint32_t controllers; /* with effect here */
	unsigned made;	      /* how many of the path's last components are ours */
	int dir;	      /* -1: gone */
	int procs;	      /* cgroup.procs for writing, or -1 */
};

struct cgroup {
	struct cgroup_layout *layout;
	char full[PATH_MAX + 1]; /* "/a/b" */
	char *path;		 /* full + 1: relative to each mount */
	struct cgroup_part parts[CGROUP_HIERARCHIES_MAX];
	unsigned n;
};

const char *cgroup_controller_name(enum cgroup_controller c);
/* Mask of a line "cpu io memory" (v2) or "cpu,cpuacct" (v1). */
uint32_t cgroup_parse_controllers(const char *text, bool v2);
const struct cgroup_part *cgroup_part_of(const struct cgroup *cg, enum cgroup_controller c);
const struct cgroup_part *cgroup_v2_part(const struct cgroup *cg);
/* The directory to ask for members: v2, or a v1 one. NULL if the handle has none. */
const struct cgroup_part *cgroup_main_part(const struct cgroup *cg);

/* 1 = open, 0 = not mounted: not ours to use. Looked for once, when it is wanted. */
int cgroup_hier_open(struct cgroup_layout *l, struct cgroup_hier *h, struct err *err);
/* The parents among the last `made` components, deepest first, if nobody else is in them. -1 with
 * errno. */
int cgroup_remove_parents(const struct cgroup_hier *h, const char *path, unsigned made);

/* Makes or takes over the path in one hierarchy: the handle's new last part, also on failure. */
int cgroup_make_part(struct cgroup *cg, const struct cgroup_hier *h, uint32_t want,
		     struct err *err);
/* Closes the last part and removes what it made. */
void cgroup_drop_part(struct cgroup *cg);
/* Asks the kernel again which controllers work in it. */
void cgroup_part_refresh(struct cgroup_part *p);
/* Processes of one directory and below: 0, or -1 with errno. cgroup_by_pid is for qsort. */
int cgroup_pids_of(int dir, pid_t *pids, size_t max, size_t *ret_n);
int cgroup_by_pid(const void *a, const void *b);

/* Small files. read: NUL-terminated, without the last newline; length or -1 with errno. */
ssize_t cgroup_read(int dir, const char *file, char *buf, size_t n);
int cgroup_write(int dir, const char *file, const char *value); /* 0, or -1 with errno */
int cgroup_read_u64(int dir, const char *file,
		    uint64_t *ret); /* "max" and v1's "none" = UINT64_MAX */
/* Value of "key N" in a file of such lines. */
int cgroup_read_key(int dir, const char *file, const char *key, uint64_t *ret);

/* Copies cpus and mems of the parent where the child has none: v1 lets nobody in before. */
int cgroup_v1_inherit_cpuset(int parent, int child, struct err *err);
/* Switches controllers on for the children of dir. With `lenient` what fails is left out. */
int cgroup_v2_enable(int dir, uint32_t want, bool lenient, struct err *err);
int cgroup_v1_apply(struct cgroup *cg, const struct cgroup_part *p, enum cgroup_controller c,
		    const struct cgroup_limits *lim, struct err *err);
int cgroup_v2_apply(struct cgroup *cg, const struct cgroup_part *p, enum cgroup_controller c,
		    const struct cgroup_limits *lim, struct err *err);
/* Writes one limit; errors name the OCI field, file, value and cgroup. */
int cgroup_put(const struct cgroup *cg, const struct cgroup_part *p, const char *field,
	       const char *file, const char *value, struct err *err);
int cgroup_put_num(const struct cgroup *cg, const struct cgroup_part *p, const char *field,
		   const char *file, int64_t v, struct err *err);
/* For an update of memory.limit: refused before anything is written when more is in use (`file`
 * tells). */
int cgroup_check_usage(const struct cgroup *cg, const struct cgroup_part *p, const char *file,
		       int64_t limit, struct err *err);
bool cgroup_has(const struct cgroup_part *p, const char *file);

/* eBPF program of the ordered rules. Instructions are struct bpf_insn; at most CGROUP_BPF_MAX. */
struct bpf_insn;
enum { CGROUP_BPF_MAX = 4096 };
int cgroup_bpf_build(const struct cgroup_device *rules, size_t n, struct bpf_insn *out,
		     size_t *ret_n, struct err *err);
/* Loads and attaches it to a v2 directory, then detaches what we had attached there before. */
int cgroup_bpf_set(int dir, const struct cgroup_device *rules, size_t n, struct err *err);
int cgroup_check_device(const struct cgroup_device *d, struct err *err);
