/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups, v1, v2 and the mix of both ("hybrid"), behind one handle.
 *
 * A cgroup path is relative to the mount of each hierarchy, with or without a leading "/". A handle
 * makes directories only along its own path, remembers how many of them it made, and removes only
 * these. cgroup_save() gives one line of text from which any later process gets the same handle. In
 * v1 and hybrid each controller is a hierarchy that costs 0.1 ms per container: ask only for those
 * with a limit. cgroup_enter() neither allocates nor opens, so it may run in a CLONE_VM child; all
 * else is for the parent. Semantics of the values: OCI runtime-spec config-linux.md "Control
 * groups"; conversions for v2 as in runc >= 1.3.2.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct cgroup;
struct cgroup_layout;
struct err;

enum cgroup_mode { CGROUP_NONE, CGROUP_V1, CGROUP_V2, CGROUP_HYBRID };

/* name as the kernel spells it in v1, name in v2's cgroup.controllers (NULL: no such file there) */
#define CGROUP_CONTROLLERS(X)             \
	X(CPU, "cpu", "cpu")              \
	X(CPUACCT, "cpuacct", NULL)       \
	X(CPUSET, "cpuset", "cpuset")     \
	X(MEMORY, "memory", "memory")     \
	X(DEVICES, "devices", NULL)       \
	X(FREEZER, "freezer", NULL)       \
	X(BLKIO, "blkio", "io")           \
	X(PIDS, "pids", "pids")           \
	X(HUGETLB, "hugetlb", "hugetlb")  \
	X(NET_CLS, "net_cls", NULL)       \
	X(NET_PRIO, "net_prio", NULL)     \
	X(PERF_EVENT, "perf_event", NULL) \
	X(RDMA, "rdma", "rdma")           \
	X(MISC, "misc", "misc")           \
	X(SYSTEMD, "name=systemd", NULL)  \
	X(UNIFIED, "", NULL) /* the v2 tree itself, also in hybrid mode */

enum cgroup_controller {
#define X(id, v1, v2) CGROUP_##id,
	CGROUP_CONTROLLERS(X)
#undef X
		CGROUP_CONTROLLER_COUNT
};
#define CGROUP_BIT(id) (1u << CGROUP_##id)
#define CGROUP_ALL UINT32_MAX /* whatever there is */

/* Finds the mounted hierarchies. `root` >= 0 looks below that directory for sys/fs/cgroup and proc
 * (tests), -1 = the real ones. A machine without any gives mode CGROUP_NONE, not an error. */
int cgroup_layout_new(int root, struct cgroup_layout **ret, struct err *err);
void cgroup_layout_free(struct cgroup_layout *l);
DEFINE_CLEANUP(struct cgroup_layout *, cgroup_layout_free)
/* Mounts are looked for when first asked about: ask for no more than is used. */
enum cgroup_mode cgroup_layout_mode(struct cgroup_layout *l);
bool cgroup_layout_has_v1(struct cgroup_layout *l);	     /* mode is V1 or HYBRID */
uint32_t cgroup_layout_controllers(struct cgroup_layout *l); /* CGROUP_BITs: limits possible here */
uint32_t cgroup_layout_have(struct cgroup_layout *l, uint32_t mask); /* those of mask */
/* Names of all bits in mask, "memory, pids". */
const char *cgroup_mask_names(uint32_t mask, char *buf, size_t n);
/* The caller's own v2 cgroup, "/a/b" ("" for the root): 0, or -1 if there is no v2 or no room. */
int cgroup_layout_own(const struct cgroup_layout *l, char *buf, size_t n);

/* Makes (or takes over, if there) the path in the hierarchies of `want`. With CGROUP_ALL what
 * cannot be had is left out; a controller asked for by its bit and missing fails with UNSUPPORTED.
 * In v2 the controllers are switched on along the path. INVALID for a path with "..", empty, longer
 * than 4095. The layout must outlive the handle. On failure nothing that it made is left. */
int cgroup_create(struct cgroup_layout *l, const char *path, uint32_t want, struct cgroup **ret,
		  struct err *err);
/* From cgroup_save()'s text. Directories that are gone meanwhile are left out (all gone: still a
 * handle, which destroys to nothing). Malformed text: INVALID. */
int cgroup_open(struct cgroup_layout *l, const char *saved, struct cgroup **ret, struct err *err);
void cgroup_free(struct cgroup *cg); /* closes; the directories stay */
DEFINE_CLEANUP(struct cgroup *, cgroup_free)

/* "<hierarchy>:<made> ... <path>": one line, no quotes or backslashes unless the path has them. */
int cgroup_save(const struct cgroup *cg, struct buf *out, struct err *err);
const char *cgroup_path(const struct cgroup *cg);     /* "/a/b" */
uint32_t cgroup_controllers(const struct cgroup *cg); /* that have effect in this handle */
bool cgroup_is_v2(const struct cgroup *cg);	      /* one v2 directory and nothing else */
int cgroup_v2_fd(const struct cgroup *cg); /* borrowed directory fd for CLONE_INTO_CGROUP, or -1 */
/* Directory fd of the hierarchy that holds the controller; borrowed; -1 if not in this handle. */
int cgroup_dir_fd(const struct cgroup *cg, enum cgroup_controller c);
/* Absolute path of the same (as the caller's mounts show it). NOT_FOUND if not in this handle. */
int cgroup_dir_path(const struct cgroup *cg, enum cgroup_controller c, char *buf, size_t len,
		    struct err *err);

/* Limits. A field is written only if set. */
struct cgroup_num {
	bool set;
	int64_t v;
};
#define CGROUP_NUM(x) ((struct cgroup_num){ true, (x) })

enum { CGROUP_READ = 1, CGROUP_WRITE = 2, CGROUP_MKNOD = 4, CGROUP_RWM = 7 };
struct cgroup_device {
	bool allow;
	char type;	      /* 'a', 'b', 'c' */
	int64_t major, minor; /* -1 = any */
	unsigned access;      /* CGROUP_READ.. */
};
struct cgroup_weight {
	int64_t major, minor;
	struct cgroup_num weight, leaf_weight;
};
enum cgroup_throttle_kind {
	CGROUP_READ_BPS,
	CGROUP_WRITE_BPS,
	CGROUP_READ_IOPS,
	CGROUP_WRITE_IOPS
};
struct cgroup_throttle {
	enum cgroup_throttle_kind kind;
	int64_t major, minor;
	uint64_t rate;
};
struct cgroup_hugepage {
	const char *size; /* "2MB" */
	uint64_t limit;
};
struct cgroup_priority {
	const char *name;
	uint32_t priority;
};
struct cgroup_rdma {
	const char *device;
	struct cgroup_num handles, objects;
};
struct cgroup_pair {
	const char *file, *value;
};

struct cgroup_limits {
	struct {
		struct cgroup_num limit, reservation, swap, kernel, kernel_tcp,
			swappiness; /* -1 = none */
		struct cgroup_num disable_oom_killer, use_hierarchy,
			check_before_update; /* booleans */
	} memory;
	struct {
		struct cgroup_num shares, quota, burst, period, rt_runtime, rt_period, idle;
		const char *cpus, *mems; /* NULL = unset */
	} cpu;
	struct cgroup_num pids; /* -1 = no limit */
	struct {
		struct cgroup_num weight, leaf_weight;
		const struct cgroup_weight *devices;
		size_t n_devices;
		const struct cgroup_throttle *throttle;
		size_t n_throttle;
	} io;
	const struct cgroup_device *devices;
	size_t n_devices;
	const struct cgroup_hugepage *hugepages;
	size_t n_hugepages;
	struct {
		struct cgroup_num class_id;
		const struct cgroup_priority *priorities;
		size_t n_priorities;
	} network;
	const struct cgroup_rdma *rdma;
	size_t n_rdma;
	const struct cgroup_pair *unified;
	size_t n_unified;
};

/* Which controllers these limits need: what to pass to cgroup_create. */
uint32_t cgroup_limits_need(const struct cgroup_limits *lim);
/* Writes all that is set. The error names the OCI field ("linux.resources.memory.limit"), the file
 * and the value. For a running container too (update): memory and swap are written in the order
 * that the kernel accepts. */
int cgroup_apply(struct cgroup *cg, const struct cgroup_limits *lim, struct err *err);
/* OCI cpu.shares (2..262144) to cpu.weight (1..10000), the curve with 1024 -> 100. */
uint64_t cgroup_weight_of_shares(uint64_t shares);

/*
 * Members. Entering is cheap, adding another process is not: the kernel then takes a lock over all
 * forks of the machine, and waits for an RCU grace period (5-15 ms here) unless it did so just now.
 * Only a task that moves itself alone ("0" into v1's `tasks`) is spared that, so the caller of
 * cgroup_enter must be single-threaded.
 */
int cgroup_open_procs(struct cgroup *cg, struct err *err);  /* makes cgroup_enter possible */
int cgroup_enter(const struct cgroup *cg, struct err *err); /* the calling process joins */
/* The files of cgroup_open_procs, borrowed: whoever writes "0" to each of them has entered. */
unsigned cgroup_enter_fds(const struct cgroup *cg, int *fds, unsigned max);
#define CGROUP_ENTER_FDS_MAX 24
int cgroup_add(struct cgroup *cg, pid_t pid, struct err *err);
/* Pids in the cgroup and below it, as seen from here; at most `max` are written, *ret_n is how many
 * there are. */
int cgroup_pids(const struct cgroup *cg, pid_t *pids, size_t max, size_t *ret_n, struct err *err);
/* 1 if some process is in it or below. */
int cgroup_populated(const struct cgroup *cg, struct err *err);
/* SIGKILL to all of them until none is left; TIMEOUT after timeout_ms (the message gives a pid that
 * is left). Any other signal is sent once to each. */
int cgroup_kill(struct cgroup *cg, int timeout_ms, struct err *err);
int cgroup_signal(struct cgroup *cg, int sig, struct err *err);
/* TIMEOUT (thawed again) if not frozen after timeout_ms. UNSUPPORTED without a freezer in the
 * handle. */
int cgroup_freeze(struct cgroup *cg, int timeout_ms, struct err *err);
int cgroup_thaw(struct cgroup *cg, struct err *err);
int cgroup_frozen(const struct cgroup *cg, struct err *err); /* 1 if frozen or freezing */

/* Out of memory. The fd reports by epoll with *ret_events: v1 an eventfd (EPOLLIN: read 8 bytes),
 * v2 memory.events (EPOLLPRI: read from offset 0). UNSUPPORTED without memory in the handle. */
int cgroup_oom_watch(const struct cgroup *cg, int *ret_fd, uint32_t *ret_events, struct err *err);
int cgroup_oom_kills(const struct cgroup *cg, uint64_t *ret, struct err *err);

/* What the files tell; 0 where the controller is missing, UINT64_MAX for "no limit". */
struct cgroup_stats {
	uint64_t cpu_ns, cpu_user_ns, cpu_system_ns;
	uint64_t cpu_periods, cpu_throttled, cpu_throttled_ns;
	uint64_t memory, memory_peak, memory_limit, memory_failures, memory_inactive_file,
		memory_anon, memory_file;
	uint64_t swap;
	uint64_t pids, pids_limit;
	uint64_t io_read_bytes, io_write_bytes, io_reads, io_writes;
};
int cgroup_stats(const struct cgroup *cg, struct cgroup_stats *ret, struct err *err);

/* One file of the directory that holds controller c ("memory.stat"), NUL-terminated and without the
 * last newline: its length, or -1 with errno (ENOENT also when the handle has no such controller,
 * E2BIG when it is longer than n - 1). */
ssize_t cgroup_read_file(const struct cgroup *cg, enum cgroup_controller c, const char *file,
			 char *buf, size_t n);
/* Is c in this handle by cgroup v2? False also if it is not there at all. */
bool cgroup_controller_is_v2(const struct cgroup *cg, enum cgroup_controller c);

/* Adds hierarchies to a handle, for an update that limits what was not limited before: as
 * cgroup_create does for new ones, then every process that is in the cgroup is moved into these
 * too, also where an earlier call was killed on its way. What is there already counts as done. On
 * failure the handle is as before. */
int cgroup_extend(struct cgroup *cg, uint32_t want, struct err *err);
/* What cgroup_save() is going to say after a cgroup_extend(): to be recorded before that makes
 * anything, so that it is removed also if the caller is killed meanwhile. */
int cgroup_save_extended(const struct cgroup *cg, uint32_t want, struct buf *out, struct err *err);

/* The handle's own directories (not its parents) count as made by it: cgroup_destroy() removes
 * them. For who was killed before it could record what it had made. */
void cgroup_adopt(struct cgroup *cg);

/* Removes what the handle made, children first, waiting up to timeout_ms for processes that are
 * just ending. Parents that it made go if they are empty. CONFLICT if processes are left. */
int cgroup_destroy(struct cgroup *cg, int timeout_ms, struct err *err);

/* Hands the directory to a user of a user namespace (v2 delegation): directory and the files of
 * /sys/kernel/cgroup/delegate. UNSUPPORTED in v1. */
int cgroup_delegate(struct cgroup *cg, uid_t uid, gid_t gid, struct err *err);
