/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json as structs, filled through schema tables. Spec: runtime-spec 1.3.0, config.md and
 * config-linux.md.
 *
 * Every property of the spec has a row. What this runtime cannot do yet is refused by name when it
 * is set (conf_check), never ignored; properties the spec does not know are ignored, as it demands.
 * All of it lives in the arena given to conf_read.
 */
#pragma once

#include "base/str.h"
#include "doc/schema.h"
#include "linux/ns.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;

/* Order of kinds as they run; bit n in struct rt_container.hooks. */
enum hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_KINDS
};
extern const char *const hook_names[HOOK_KINDS + 1];
/* Spellings that the schema takes, NULL-terminated: for `features` too. */
extern const char *const conf_mempolicies[], *const conf_mempolicy_flags[];

struct conf_hook {
	const char *path;
	struct strs args, env;
	struct opt_int timeout; /* seconds */
};
struct conf_hooks {
	LIST_OF(struct conf_hook) kind[HOOK_KINDS];
	int out[2]; /* 1 + fd of a file for their stdout and stderr, 0 = none (hooks_open) */
};

struct conf_ns {
	int type;	  /* 1 + enum ns_kind */
	const char *path; /* NULL = new */
};
struct conf_idmap {
	uint32_t container, host, size;
};
struct idmaps {
	struct conf_idmap *v;
	size_t n;
};

struct conf_mount {
	const char *destination, *type, *source;
	struct strs options;
	struct idmaps uids, gids;
};

struct conf_device {
	const char *type, *path;
	int64_t major, minor;
	struct opt_uint mode, uid, gid;
};

struct conf_rlimit {
	int type; /* 1 + RLIMIT_* */
	uint64_t soft, hard;
};
struct conf_caps {
	struct strs bounding, effective, inheritable, permitted, ambient;
};
struct conf_user {
	uint32_t uid, gid;
	struct opt_uint umask;
	LIST_OF(uint32_t) groups;
	const char *username;
};
struct conf_scheduler {
	int policy; /* 1 + index in sched_names */
	int32_t nice, priority;
	struct strs flags;
	uint64_t runtime, deadline, period;
};
struct conf_ioprio {
	int class; /* 1 RT, 2 BE, 3 IDLE: the kernel's numbers */
	int32_t priority;
};
struct conf_console {
	uint16_t height, width;
};
struct conf_affinity {
	const char *initial, *final; /* CPU lists; NULL or "" = as it is */
};
struct conf_process {
	bool terminal;
	struct conf_console console;
	const char *cwd;
	struct strs env, args;
	const char *command_line;
	struct conf_user user;
	struct conf_caps *caps; /* NULL = none at all */
	LIST_OF(struct conf_rlimit) rlimits;
	bool no_new_privs;
	const char *apparmor, *selinux;
	struct opt_int oom_score_adj;
	struct conf_scheduler *scheduler;
	struct conf_ioprio *ioprio;
	struct conf_affinity *affinity; /* of exec */
};

struct conf_offset {
	int64_t secs;
	uint32_t nanosecs;
};

/* linux.resources */
struct conf_devrule {
	bool allow;
	const char *type;
	struct opt_int major, minor;
	const char *access;
};
struct conf_memory {
	struct opt_int limit, reservation, swap, kernel, kernel_tcp;
	struct opt_uint swappiness;
	struct opt_bool disable_oom_killer, use_hierarchy, check_before_update;
};
struct conf_cpu {
	struct opt_uint shares, period, burst, rt_period;
	struct opt_int quota, rt_runtime, idle;
	const char *cpus, *mems;
};
struct conf_weight_dev {
	int64_t major, minor;
	struct opt_uint weight, leaf_weight;
};
struct conf_throttle {
	int64_t major, minor;
	uint64_t rate;
};
struct throttles {
	struct conf_throttle *v;
	size_t n;
};
struct conf_blkio {
	struct opt_uint weight, leaf_weight;
	LIST_OF(struct conf_weight_dev) weight_devs;
	struct throttles rbps, wbps, riops, wiops;
};
struct conf_hugepage {
	const char *size;
	uint64_t limit;
};
struct conf_prio {
	const char *name;
	uint32_t priority;
};
struct conf_netres {
	struct opt_uint class_id;
	LIST_OF(struct conf_prio) priorities;
};
struct conf_rdma {
	struct opt_uint handles, objects;
};
struct conf_pids {
	struct opt_int limit;
};
struct conf_resources {
	LIST_OF(struct conf_devrule) devices;
	struct conf_memory *memory;
	struct conf_cpu *cpu;
	struct conf_pids *pids;
	struct conf_blkio *blkio;
	LIST_OF(struct conf_hugepage) hugepages;
	struct conf_netres *network;
	MAP_OF(struct conf_rdma) rdma;
	struct str_map unified;
};

/* linux.seccomp */
struct conf_seccomp_arg {
	uint32_t index;
	uint64_t value, value_two;
	const char *op;
};
struct conf_seccomp_call {
	struct strs names;
	const char *action;
	struct opt_uint errno_ret;
	LIST_OF(struct conf_seccomp_arg) args;
};
struct conf_seccomp {
	const char *def_action;
	struct opt_uint def_errno;
	struct strs arches, flags;
	const char *listener_path, *listener_metadata;
	LIST_OF(struct conf_seccomp_call) calls;
};

struct conf_personality {
	const char *domain;
	struct strs flags;
};

struct conf_rdt {
	const char *clos; /* NULL = the container's id, made by us; "/" = the default class */
	const char *l3, *mem_bw;
	struct strs schemata;
	bool monitoring;
	bool cmt, mbm; /* of 1.1 to 1.2: refused */
};
struct conf_mempolicy {
	int mode; /* 1 + MPOL_* */
	const char *nodes;
	LIST_OF(int) flags; /* 1: NUMA_BALANCING, 2: RELATIVE_NODES, 3: STATIC_NODES */
};
struct conf_netdev {
	const char *name; /* in the container; NULL or "" = as on the host */
};

struct conf_linux {
	LIST_OF(struct conf_ns) namespaces;
	struct idmaps uids, gids;
	MAP_OF(struct conf_offset) time_offsets;
	LIST_OF(struct conf_device) devices;
	MAP_OF(struct conf_netdev) net_devices;
	struct conf_rdt *rdt;
	struct conf_mempolicy *mempolicy;
	const char *cgroups_path;
	struct conf_resources *resources;
	struct str_map sysctl;
	struct conf_seccomp *seccomp;
	const char *rootfs_propagation;
	struct strs masked, readonly;
	const char *mount_label;
	struct conf_personality *personality;
};

struct conf_root {
	const char *path;
	bool readonly;
};

struct conf {
	const char *oci_version;
	struct conf_root *root;
	LIST_OF(struct conf_mount) mounts;
	struct conf_process *process; /* NULL: can be created, not started */
	const char *hostname, *domainname;
	struct conf_hooks hooks;
	struct str_map annotations;
	struct conf_linux lin; /* not "linux": gcc defines that word */
	const struct doc *solaris, *windows, *vm, *zos, *freebsd;
};

/* Parses, decodes and checks. ERR_INVALID with all causes, ERR_UNSUPPORTED naming the property. */
int conf_read(struct slice text, struct arena *a, struct conf *ret, struct err *err);
/* The object linux.resources alone, as an update gets it. */
int conf_read_resources(struct slice text, struct arena *a, struct conf_resources *ret,
			struct err *err);
/* Appended as JSON: conf_read_process() of it gives an equal one. */
struct buf;
int conf_write_process(const struct conf_process *p, struct arena *a, struct buf *out,
		       struct err *err);
/* The little of a config that whoever joins a container needs (join.c): personality, memory policy,
 * what is told by annotation; with `hooks` also those of the start, and all annotations. */
int conf_write_part(const struct conf *c, bool hooks, struct arena *a, struct buf *out,
		    struct err *err);
int conf_read_part(struct slice text, struct arena *a, struct conf *ret, struct err *err);
/* A process object alone (`exec --process`). */
int conf_read_process(struct slice text, struct arena *a, struct conf_process *ret,
		      struct err *err);
/* The rules between fields (conf-check.c); `a` for what they rewrite (options "idmap=..."). */
int conf_check(struct conf *c, struct arena *a, struct err *err);
int conf_check_process(const struct conf_process *p, struct err *err);

const struct conf_ns *conf_ns(const struct conf *c,
			      enum ns_kind k); /* NULL = not listed: the caller's own */
/* Listed without a path. */
bool conf_ns_new(const struct conf *c, enum ns_kind k);
const char *conf_annotation(const struct conf *c, const char *key);
