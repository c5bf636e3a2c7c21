/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of config.json; the rules that no row can say are in conf-check.c. Rows follow the order
 * in which engines write the properties, since that decodes fastest. What is not for Linux has a
 * row too, so that it can be refused by name.
 */
#include "runtime/conf.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"
#include "linux/sys.h"

#include <string.h>

const char *const hook_names[HOOK_KINDS + 1] = {
	"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
	NULL
};

/* Order of enum ns_kind: a value is 1 + its kind. */
static const char *const ns_kinds[] = { "user",	  "ipc",  "uts",   "network", "pid",
					"cgroup", "time", "mount", NULL };
/* Order of RLIMIT_*, the same on every architecture we build for but mips and sparc. */
static const char *const rlimit_names[] = {
	"RLIMIT_CPU",
	"RLIMIT_FSIZE",
	"RLIMIT_DATA",
	"RLIMIT_STACK",
	"RLIMIT_CORE",
	"RLIMIT_RSS",
	"RLIMIT_NPROC",
	"RLIMIT_NOFILE",
	"RLIMIT_MEMLOCK",
	"RLIMIT_AS",
	"RLIMIT_LOCKS",
	"RLIMIT_SIGPENDING",
	"RLIMIT_MSGQUEUE",
	"RLIMIT_NICE",
	"RLIMIT_RTPRIO",
	"RLIMIT_RTTIME",
	NULL,
};
/* 1 + the kernel's number; 4 was never used for a policy but ISO, which Linux does not have. */
static const char *const sched_names[] = { "SCHED_OTHER",    "SCHED_FIFO", "SCHED_RR",
					   "SCHED_BATCH",    "SCHED_ISO",  "SCHED_IDLE",
					   "SCHED_DEADLINE", NULL };
static const char *const ioprio_names[] = { "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE",
					    "IOPRIO_CLASS_IDLE", NULL };
static const char *const device_types[] = { "c", "b", "u", "p", NULL };
static const char *const devrule_types[] = { "a", "c", "b", NULL };
static const char *const propagations[] = { "shared",	  "rshared",	 "slave",
					    "rslave",	  "private",	 "rprivate",
					    "unbindable", "runbindable", NULL };
static const char *const personas[] = { "LINUX", "LINUX32", NULL };
/* 1 + the kernel's number. */
const char *const conf_mempolicies[] = { "MPOL_DEFAULT",
					 "MPOL_PREFERRED",
					 "MPOL_BIND",
					 "MPOL_INTERLEAVE",
					 "MPOL_LOCAL",
					 "MPOL_PREFERRED_MANY",
					 "MPOL_WEIGHTED_INTERLEAVE",
					 NULL };
const char *const conf_mempolicy_flags[] = { "MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES",
					     "MPOL_F_STATIC_NODES", NULL };

static const struct schema_field idmap_rows[] = {
	F_INT(struct conf_idmap, container, "containerID", SCHEMA_REQUIRED, 0, 0),
	F_INT(struct conf_idmap, host, "hostID", SCHEMA_REQUIRED, 0, 0),
	F_INT(struct conf_idmap, size, "size", SCHEMA_REQUIRED, 1, UINT32_MAX),
};
static const struct schema idmap_schema = SCHEMA("id mapping", struct conf_idmap, idmap_rows);

static const struct schema_field mount_rows[] = {
	F_STR(struct conf_mount, destination, "destination", SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0),
	F_STR(struct conf_mount, type, "type", 0, 0),
	F_STR(struct conf_mount, source, "source", 0, 0),
	F_LIST_STR(struct conf_mount, options, "options", 0, 0),
	F_LIST_OBJ(struct conf_mount, uids, "uidMappings", &idmap_schema, 0, .max = 340),
	F_LIST_OBJ(struct conf_mount, gids, "gidMappings", &idmap_schema, 0, .max = 340),
};
static const struct schema mount_schema = SCHEMA("mount", struct conf_mount, mount_rows);

static const struct schema_field rlimit_rows[] = {
	F_ENUM(struct conf_rlimit, type, "type", rlimit_names, SCHEMA_REQUIRED),
	F_INT(struct conf_rlimit, hard, "hard", SCHEMA_REQUIRED, 0, 0),
	F_INT(struct conf_rlimit, soft, "soft", SCHEMA_REQUIRED, 0, 0),
};
static const struct schema rlimit_schema = SCHEMA("rlimit", struct conf_rlimit, rlimit_rows);

static const struct schema_field caps_rows[] = {
	F_LIST_STR(struct conf_caps, bounding, "bounding", 0, 0),
	F_LIST_STR(struct conf_caps, effective, "effective", 0, 0),
	F_LIST_STR(struct conf_caps, inheritable, "inheritable", 0, 0),
	F_LIST_STR(struct conf_caps, permitted, "permitted", 0, 0),
	F_LIST_STR(struct conf_caps, ambient, "ambient", 0, 0),
};
static const struct schema caps_schema = SCHEMA("capabilities", struct conf_caps, caps_rows);

static const struct schema_field user_rows[] = {
	F_INT(struct conf_user, uid, "uid", 0, 0, 0),
	F_INT(struct conf_user, gid, "gid", 0, 0, 0),
	F_OPT_UINT(struct conf_user, umask, "umask", 0, 0, 0777),
	F_LIST_INT(struct conf_user, groups, "additionalGids", 0, .max = 65536),
	F_STR(struct conf_user, username, "username", 0, 0),
};
static const struct schema user_schema = SCHEMA("user", struct conf_user, user_rows);

static const struct schema_field console_rows[] = {
	F_INT(struct conf_console, height, "height", 0, 0, 0),
	F_INT(struct conf_console, width, "width", 0, 0, 0),
};
static const struct schema console_schema =
	SCHEMA("consoleSize", struct conf_console, console_rows);

static const struct schema_field sched_rows[] = {
	F_ENUM(struct conf_scheduler, policy, "policy", sched_names, SCHEMA_REQUIRED),
	F_INT(struct conf_scheduler, nice, "nice", 0, 0, 0),
	F_INT(struct conf_scheduler, priority, "priority", 0, 0, 0),
	F_LIST_STR(struct conf_scheduler, flags, "flags", 0, 0),
	F_INT(struct conf_scheduler, runtime, "runtime", 0, 0, 0),
	F_INT(struct conf_scheduler, deadline, "deadline", 0, 0, 0),
	F_INT(struct conf_scheduler, period, "period", 0, 0, 0),
};
static const struct schema sched_schema = SCHEMA("scheduler", struct conf_scheduler, sched_rows);

static const struct schema_field ioprio_rows[] = {
	F_ENUM(struct conf_ioprio, class, "class", ioprio_names, SCHEMA_REQUIRED),
	F_INT(struct conf_ioprio, priority, "priority", 0, 0, 7),
};
static const struct schema ioprio_schema = SCHEMA("ioPriority", struct conf_ioprio, ioprio_rows);

static const struct schema_field affinity_rows[] = {
	F_STR(struct conf_affinity, initial, "initial", 0, 0),
	F_STR(struct conf_affinity, final, "final", 0, 0),
};
static const struct schema affinity_schema =
	SCHEMA("execCPUAffinity", struct conf_affinity, affinity_rows);

static const struct schema_field process_rows[] = {
	F_BOOL(struct conf_process, terminal, "terminal", 0),
	F_OBJ_IN(struct conf_process, console, "consoleSize", &console_schema, 0),
	F_OBJ_IN(struct conf_process, user, "user", &user_schema, 0),
	F_LIST_STR(struct conf_process, args, "args", 0, 0),
	F_STR(struct conf_process, command_line, "commandLine", 0, 0),
	F_LIST_STR(struct conf_process, env, "env", 0, 0),
	F_STR(struct conf_process, cwd, "cwd", SCHEMA_REQUIRED, FORMAT_ABS_PATH),
	F_OBJ(struct conf_process, caps, "capabilities", &caps_schema, 0),
	F_LIST_OBJ(struct conf_process, rlimits, "rlimits", &rlimit_schema, 0,
		   .list = SCHEMA_LIST_MAP, .list_keys = "type"),
	F_BOOL(struct conf_process, no_new_privs, "noNewPrivileges", 0),
	F_STR(struct conf_process, apparmor, "apparmorProfile", 0, 0),
	F_OPT_INT(struct conf_process, oom_score_adj, "oomScoreAdj", 0, -1000, 1000),
	F_STR(struct conf_process, selinux, "selinuxLabel", 0, 0),
	F_OBJ(struct conf_process, scheduler, "scheduler", &sched_schema, 0),
	F_OBJ(struct conf_process, ioprio, "ioPriority", &ioprio_schema, 0),
	F_OBJ(struct conf_process, affinity, "execCPUAffinity", &affinity_schema, 0),
};
static const struct schema process_schema = SCHEMA("process", struct conf_process, process_rows);

static const struct schema_field hook_rows[] = {
	F_STR(struct conf_hook, path, "path", SCHEMA_REQUIRED, FORMAT_ABS_PATH),
	F_LIST_STR(struct conf_hook, args, "args", 0, 0),
	F_LIST_STR(struct conf_hook, env, "env", 0, 0),
	F_OPT_INT(struct conf_hook, timeout, "timeout", 0, 1, INT32_MAX),
};
static const struct schema hook_schema = SCHEMA("hook", struct conf_hook, hook_rows);
#define HOOKS_ROW(i, key) F_LIST_OBJ(struct conf_hooks, kind[i], key, &hook_schema, 0)
static const struct schema_field hooks_rows[] = {
	HOOKS_ROW(HOOK_PRESTART, "prestart"),
	HOOKS_ROW(HOOK_CREATE_RUNTIME, "createRuntime"),
	HOOKS_ROW(HOOK_CREATE_CONTAINER, "createContainer"),
	HOOKS_ROW(HOOK_START_CONTAINER, "startContainer"),
	HOOKS_ROW(HOOK_POSTSTART, "poststart"),
	HOOKS_ROW(HOOK_POSTSTOP, "poststop"),
};
static const struct schema hooks_schema = SCHEMA("hooks", struct conf_hooks, hooks_rows);

static const struct schema_field ns_rows[] = {
	F_ENUM(struct conf_ns, type, "type", ns_kinds, SCHEMA_REQUIRED),
	F_STR(struct conf_ns, path, "path", 0, 0),
};
static const struct schema ns_schema = SCHEMA("namespace", struct conf_ns, ns_rows);

static const struct schema_field offset_rows[] = {
	F_INT(struct conf_offset, secs, "secs", 0, 0, 0),
	F_INT(struct conf_offset, nanosecs, "nanosecs", 0, 0, 999999999),
};
static const struct schema offset_schema = SCHEMA("time offset", struct conf_offset, offset_rows);

/* dev_t of the kernel: 12 and 20 bits. */
#define DEV_MAJOR_MAX 0xfff
#define DEV_MINOR_MAX 0xfffff
static const struct schema_field device_rows[] = {
	F_STR(struct conf_device, path, "path", SCHEMA_REQUIRED, FORMAT_ABS_PATH),
	F_ENUM_STR(struct conf_device, type, "type", device_types, SCHEMA_REQUIRED),
	F_INT(struct conf_device, major, "major", 0, 0, DEV_MAJOR_MAX),
	F_INT(struct conf_device, minor, "minor", 0, 0, DEV_MINOR_MAX),
	F_OPT_UINT(struct conf_device, mode, "fileMode", 0, 0, UINT32_MAX),
	F_OPT_UINT(struct conf_device, uid, "uid", 0, 0, UINT32_MAX),
	F_OPT_UINT(struct conf_device, gid, "gid", 0, 0, UINT32_MAX),
};
static const struct schema device_schema = SCHEMA("device", struct conf_device, device_rows);

static const struct schema_field devrule_rows[] = {
	F_BOOL(struct conf_devrule, allow, "allow", SCHEMA_REQUIRED),
	F_ENUM_STR(struct conf_devrule, type, "type", devrule_types, 0),
	F_OPT_INT(struct conf_devrule, major, "major", 0, -1, UINT32_MAX),
	F_OPT_INT(struct conf_devrule, minor, "minor", 0, -1, UINT32_MAX),
	F_STR(struct conf_devrule, access, "access", 0, 0),
};
static const struct schema devrule_schema =
	SCHEMA("device rule", struct conf_devrule, devrule_rows);

static const struct schema_field memory_rows[] = {
	F_OPT_INT(struct conf_memory, limit, "limit", 0, -1, INT64_MAX),
	F_OPT_INT(struct conf_memory, reservation, "reservation", 0, -1, INT64_MAX),
	F_OPT_INT(struct conf_memory, swap, "swap", 0, -1, INT64_MAX),
	F_OPT_INT(struct conf_memory, kernel, "kernel", 0, -1, INT64_MAX),
	F_OPT_INT(struct conf_memory, kernel_tcp, "kernelTCP", 0, -1, INT64_MAX),
	F_OPT_UINT(struct conf_memory, swappiness, "swappiness", 0, 0, 0),
	F_OPT_BOOL(struct conf_memory, disable_oom_killer, "disableOOMKiller", 0),
	F_OPT_BOOL(struct conf_memory, use_hierarchy, "useHierarchy", 0),
	F_OPT_BOOL(struct conf_memory, check_before_update, "checkBeforeUpdate", 0),
};
static const struct schema memory_schema = SCHEMA("memory", struct conf_memory, memory_rows);

static const struct schema_field cpu_rows[] = {
	F_OPT_UINT(struct conf_cpu, shares, "shares", 0, 0, INT64_MAX),
	F_OPT_INT(struct conf_cpu, quota, "quota", 0, 0, 0),
	F_OPT_UINT(struct conf_cpu, burst, "burst", 0, 0, INT64_MAX),
	F_OPT_UINT(struct conf_cpu, period, "period", 0, 0, INT64_MAX),
	F_OPT_INT(struct conf_cpu, rt_runtime, "realtimeRuntime", 0, 0, 0),
	F_OPT_UINT(struct conf_cpu, rt_period, "realtimePeriod", 0, 0, INT64_MAX),
	F_STR(struct conf_cpu, cpus, "cpus", 0, 0),
	F_STR(struct conf_cpu, mems, "mems", 0, 0),
	F_OPT_INT(struct conf_cpu, idle, "idle", 0, 0, 1),
};
static const struct schema cpu_schema = SCHEMA("cpu", struct conf_cpu, cpu_rows);

static const struct schema_field pids_rows[] = {
	F_OPT_INT(struct conf_pids, limit, "limit", 0, -1, INT64_MAX),
};
static const struct schema pids_schema = SCHEMA("pids", struct conf_pids, pids_rows);

static const struct schema_field weight_dev_rows[] = {
	F_INT(struct conf_weight_dev, major, "major", SCHEMA_REQUIRED, 0, 0),
	F_INT(struct conf_weight_dev, minor, "minor", SCHEMA_REQUIRED, 0, 0),
	F_OPT_UINT(struct conf_weight_dev, weight, "weight", 0, 0, 65535),
	F_OPT_UINT(struct conf_weight_dev, leaf_weight, "leafWeight", 0, 0, 65535),
};
static const struct schema weight_dev_schema =
	SCHEMA("weightDevice", struct conf_weight_dev, weight_dev_rows);
static const struct schema_field throttle_rows[] = {
	F_INT(struct conf_throttle, major, "major", SCHEMA_REQUIRED, 0, 0),
	F_INT(struct conf_throttle, minor, "minor", SCHEMA_REQUIRED, 0, 0),
	F_INT(struct conf_throttle, rate, "rate", SCHEMA_REQUIRED, 0, 0),
};
static const struct schema throttle_schema =
	SCHEMA("throttle", struct conf_throttle, throttle_rows);
static const struct schema_field blkio_rows[] = {
	F_OPT_UINT(struct conf_blkio, weight, "weight", 0, 0, 65535),
	F_OPT_UINT(struct conf_blkio, leaf_weight, "leafWeight", 0, 0, 65535),
	F_LIST_OBJ(struct conf_blkio, weight_devs, "weightDevice", &weight_dev_schema, 0),
	F_LIST_OBJ(struct conf_blkio, rbps, "throttleReadBpsDevice", &throttle_schema, 0),
	F_LIST_OBJ(struct conf_blkio, wbps, "throttleWriteBpsDevice", &throttle_schema, 0),
	F_LIST_OBJ(struct conf_blkio, riops, "throttleReadIOPSDevice", &throttle_schema, 0),
	F_LIST_OBJ(struct conf_blkio, wiops, "throttleWriteIOPSDevice", &throttle_schema, 0),
};
static const struct schema blkio_schema = SCHEMA("blockIO", struct conf_blkio, blkio_rows);

static const struct schema_field hugepage_rows[] = {
	F_STR(struct conf_hugepage, size, "pageSize", SCHEMA_REQUIRED, FORMAT_FILE_NAME),
	F_INT(struct conf_hugepage, limit, "limit", SCHEMA_REQUIRED, 0, 0),
};
static const struct schema hugepage_schema =
	SCHEMA("hugepageLimit", struct conf_hugepage, hugepage_rows);
static const struct schema_field prio_rows[] = {
	F_STR(struct conf_prio, name, "name", SCHEMA_REQUIRED, 0),
	F_INT(struct conf_prio, priority, "priority", SCHEMA_REQUIRED, 0, 0),
};
static const struct schema prio_schema = SCHEMA("priority", struct conf_prio, prio_rows);
static const struct schema_field netres_rows[] = {
	F_OPT_UINT(struct conf_netres, class_id, "classID", 0, 0, UINT32_MAX),
	F_LIST_OBJ(struct conf_netres, priorities, "priorities", &prio_schema, 0),
};
static const struct schema netres_schema = SCHEMA("network", struct conf_netres, netres_rows);
static const struct schema_field rdma_rows[] = {
	F_OPT_UINT(struct conf_rdma, handles, "hcaHandles", 0, 0, UINT32_MAX),
	F_OPT_UINT(struct conf_rdma, objects, "hcaObjects", 0, 0, UINT32_MAX),
};
static const struct schema rdma_schema = SCHEMA("rdma", struct conf_rdma, rdma_rows);

static const struct schema_field resources_rows[] = {
	F_LIST_OBJ(struct conf_resources, devices, "devices", &devrule_schema, 0),
	F_OBJ(struct conf_resources, memory, "memory", &memory_schema, 0),
	F_OBJ(struct conf_resources, cpu, "cpu", &cpu_schema, 0),
	F_OBJ(struct conf_resources, pids, "pids", &pids_schema, 0),
	F_OBJ(struct conf_resources, blkio, "blockIO", &blkio_schema, 0),
	F_LIST_OBJ(struct conf_resources, hugepages, "hugepageLimits", &hugepage_schema, 0),
	F_OBJ(struct conf_resources, network, "network", &netres_schema, 0),
	F_MAP_OBJ(struct conf_resources, rdma, "rdma", &rdma_schema, 0),
	F_MAP_STR(struct conf_resources, unified, "unified", 0, .key_format = FORMAT_FILE_NAME),
};
static const struct schema resources_schema =
	SCHEMA("resources", struct conf_resources, resources_rows);

static const struct schema_field seccomp_arg_rows[] = {
	F_INT(struct conf_seccomp_arg, index, "index", SCHEMA_REQUIRED, 0, 5),
	F_INT(struct conf_seccomp_arg, value, "value", SCHEMA_REQUIRED, 0, 0),
	F_INT(struct conf_seccomp_arg, value_two, "valueTwo", 0, 0, 0),
	F_STR(struct conf_seccomp_arg, op, "op", SCHEMA_REQUIRED, 0),
};
static const struct schema seccomp_arg_schema =
	SCHEMA("args", struct conf_seccomp_arg, seccomp_arg_rows);
static const struct schema_field seccomp_call_rows[] = {
	F_LIST_STR(struct conf_seccomp_call, names, "names", SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0),
	F_STR(struct conf_seccomp_call, action, "action", SCHEMA_REQUIRED, 0),
	F_LIST_OBJ(struct conf_seccomp_call, args, "args", &seccomp_arg_schema, 0, .max = 32),
	F_OPT_UINT(struct conf_seccomp_call, errno_ret, "errnoRet", 0, 0, 65535),
};
static const struct schema seccomp_call_schema =
	SCHEMA("syscalls", struct conf_seccomp_call, seccomp_call_rows);
static const struct schema_field seccomp_rows[] = {
	F_STR(struct conf_seccomp, def_action, "defaultAction", SCHEMA_REQUIRED, 0),
	F_OPT_UINT(struct conf_seccomp, def_errno, "defaultErrnoRet", 0, 0, 65535),
	F_LIST_STR(struct conf_seccomp, arches, "architectures", 0, 0),
	F_LIST_STR(struct conf_seccomp, flags, "flags", 0, 0),
	F_STR(struct conf_seccomp, listener_path, "listenerPath", 0, 0),
	F_STR(struct conf_seccomp, listener_metadata, "listenerMetadata", 0, 0),
	F_LIST_OBJ(struct conf_seccomp, calls, "syscalls", &seccomp_call_schema, 0),
};
static const struct schema seccomp_schema = SCHEMA("seccomp", struct conf_seccomp, seccomp_rows);

static const struct schema_field personality_rows[] = {
	F_ENUM_STR(struct conf_personality, domain, "domain", personas, SCHEMA_REQUIRED),
	F_LIST_STR(struct conf_personality, flags, "flags", 0, 0),
};
static const struct schema personality_schema =
	SCHEMA("personality", struct conf_personality, personality_rows);

static const struct schema_field rdt_rows[] = {
	F_STR(struct conf_rdt, clos, "closID", 0, 0),
	F_LIST_STR(struct conf_rdt, schemata, "schemata", 0, 0),
	F_STR(struct conf_rdt, l3, "l3CacheSchema", 0, 0),
	F_STR(struct conf_rdt, mem_bw, "memBwSchema", 0, 0),
	F_BOOL(struct conf_rdt, monitoring, "enableMonitoring", 0),
	F_BOOL(struct conf_rdt, cmt, "enableCMT", 0),
	F_BOOL(struct conf_rdt, mbm, "enableMBM", 0),
};
static const struct schema rdt_schema = SCHEMA("intelRdt", struct conf_rdt, rdt_rows);

static const struct schema_field mempolicy_rows[] = {
	F_ENUM(struct conf_mempolicy, mode, "mode", conf_mempolicies, SCHEMA_REQUIRED),
	F_STR(struct conf_mempolicy, nodes, "nodes", 0, 0),
	F_LIST_ENUM(struct conf_mempolicy, flags, "flags", conf_mempolicy_flags, 0),
};
static const struct schema mempolicy_schema =
	SCHEMA("memoryPolicy", struct conf_mempolicy, mempolicy_rows);

static const struct schema_field netdev_rows[] = {
	F_STR(struct conf_netdev, name, "name", 0, 0),
};
static const struct schema netdev_schema = SCHEMA("netDevice", struct conf_netdev, netdev_rows);

static const struct schema_field linux_rows[] = {
	F_LIST_OBJ(struct conf_linux, uids, "uidMappings", &idmap_schema, 0, .max = 340),
	F_LIST_OBJ(struct conf_linux, gids, "gidMappings", &idmap_schema, 0, .max = 340),
	F_MAP_STR(struct conf_linux, sysctl, "sysctl", 0),
	F_OBJ(struct conf_linux, resources, "resources", &resources_schema, 0),
	F_STR(struct conf_linux, cgroups_path, "cgroupsPath", 0, 0),
	F_LIST_OBJ(struct conf_linux, namespaces, "namespaces", &ns_schema, 0,
		   .list = SCHEMA_LIST_MAP, .list_keys = "type"),
	F_LIST_OBJ(struct conf_linux, devices, "devices", &device_schema, 0),
	F_OBJ(struct conf_linux, seccomp, "seccomp", &seccomp_schema, 0),
	F_ENUM_STR(struct conf_linux, rootfs_propagation, "rootfsPropagation", propagations, 0),
	F_LIST_STR(struct conf_linux, masked, "maskedPaths", 0, FORMAT_ABS_PATH),
	F_LIST_STR(struct conf_linux, readonly, "readonlyPaths", 0, FORMAT_ABS_PATH),
	F_STR(struct conf_linux, mount_label, "mountLabel", 0, 0),
	F_OBJ(struct conf_linux, rdt, "intelRdt", &rdt_schema, 0),
	F_OBJ(struct conf_linux, personality, "personality", &personality_schema, 0),
	F_MAP_OBJ(struct conf_linux, time_offsets, "timeOffsets", &offset_schema, 0),
	F_MAP_OBJ(struct conf_linux, net_devices, "netDevices", &netdev_schema, 0),
	F_OBJ(struct conf_linux, mempolicy, "memoryPolicy", &mempolicy_schema, 0),
};
static const struct schema linux_schema = SCHEMA("linux", struct conf_linux, linux_rows);

static const struct schema_field root_rows[] = {
	F_STR(struct conf_root, path, "path", SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0),
	F_BOOL(struct conf_root, readonly, "readonly", 0),
};
static const struct schema root_schema = SCHEMA("root", struct conf_root, root_rows);

static const struct schema_field conf_rows[] = {
	F_STR(struct conf, oci_version, "ociVersion", SCHEMA_REQUIRED, FORMAT_SEMVER),
	F_OBJ(struct conf, process, "process", &process_schema, 0),
	F_OBJ(struct conf, root, "root", &root_schema, SCHEMA_REQUIRED),
	F_STR(struct conf, hostname, "hostname", 0, 0, .max = 64),
	F_STR(struct conf, domainname, "domainname", 0, 0, .max = 64),
	F_LIST_OBJ(struct conf, mounts, "mounts", &mount_schema, 0),
	F_OBJ_IN(struct conf, hooks, "hooks", &hooks_schema, 0),
	F_MAP_STR(struct conf, annotations, "annotations", 0),
	F_OBJ_IN(struct conf, lin, "linux", &linux_schema, 0),
	F_DOC(struct conf, solaris, "solaris", 0),
	F_DOC(struct conf, windows, "windows", 0),
	F_DOC(struct conf, vm, "vm", 0),
	F_DOC(struct conf, zos, "zos", 0),
	F_DOC(struct conf, freebsd, "freebsd", 0),
};
static const struct schema conf_schema = SCHEMA("config", struct conf, conf_rows);

static const struct schema_field part_hooks_rows[] = {
	HOOKS_ROW(HOOK_START_CONTAINER, "startContainer"),
};
static const struct schema part_hooks_schema = SCHEMA("hooks", struct conf_hooks, part_hooks_rows);
static const struct schema_field part_linux_rows[] = {
	F_OBJ(struct conf_linux, personality, "personality", &personality_schema, 0),
	F_OBJ(struct conf_linux, mempolicy, "memoryPolicy", &mempolicy_schema, 0),
};
static const struct schema part_linux_schema = SCHEMA("linux", struct conf_linux, part_linux_rows);
static const struct schema_field part_rows[] = {
	F_STR(struct conf, oci_version, "ociVersion", 0, 0),
	F_OBJ_IN(struct conf, hooks, "hooks", &part_hooks_schema, 0),
	F_MAP_STR(struct conf, annotations, "annotations", 0),
	F_OBJ_IN(struct conf, lin, "linux", &part_linux_schema, 0),
};
static const struct schema part_schema = SCHEMA("config", struct conf, part_rows);

const struct conf_ns *conf_ns(const struct conf *c, enum ns_kind k)
{
	for (size_t i = 0; i < c->lin.namespaces.n; i++)
		if (c->lin.namespaces.v[i].type == (int)k + 1)
			return &c->lin.namespaces.v[i];
	return NULL;
}

bool conf_ns_new(const struct conf *c, enum ns_kind k)
{
	const struct conf_ns *ns = conf_ns(c, k);

	return ns && !ns->path;
}

const char *conf_annotation(const struct conf *c, const char *key)
{
	return str_map_get(&c->annotations, key);
}

static int conf_decode(const struct doc *d, struct arena *a, struct conf *ret, struct err *err)
{
	int r;

	r = schema_decode(&conf_schema, d, a, ret, NULL, err);
	if (r < 0)
		return err_wrap(err, "config.json");
	/* Engines write "" for what they leave out (Go strings): the same as absent. */
	if (ret->hostname && !ret->hostname[0])
		ret->hostname = NULL;
	if (ret->domainname && !ret->domainname[0])
		ret->domainname = NULL;
	for (size_t i = 0; i < ret->lin.namespaces.n; i++)
		if (ret->lin.namespaces.v[i].path && !ret->lin.namespaces.v[i].path[0])
			ret->lin.namespaces.v[i].path = NULL;
	r = conf_check(ret, a, err);
	return r < 0 ? err_wrap(err, "config.json") : 0;
}

/* A config is a few KB; a value or key takes two words. */
static const struct json_options read_options = { .max_depth = 64, .max_nodes = 1u << 20 };

int conf_read(struct slice text, struct arena *a, struct conf *ret, struct err *err)
{
	struct doc *d;
	int r;

	r = json_read(a, text, &read_options, &d, err);
	if (r < 0)
		return err_wrap(err, "config.json");
	return conf_decode(d, a, ret, err);
}

int conf_read_resources(struct slice text, struct arena *a, struct conf_resources *ret,
			struct err *err)
{
	struct doc *d;
	int r;

	r = json_read(a, text, &read_options, &d, err);
	if (r >= 0)
		r = schema_decode(&resources_schema, d, a, ret, NULL, err);
	return r < 0 ? err_wrap(err, "resources") : 0;
}

int conf_write_process(const struct conf_process *p, struct arena *a, struct buf *out,
		       struct err *err)
{
	struct doc d;
	int r = schema_encode(&process_schema, p, a, &d, err);

	return r < 0 ? r : json_write(&d, NULL, out, err);
}

int conf_read_process(struct slice text, struct arena *a, struct conf_process *ret, struct err *err)
{
	struct doc *d;
	int r;

	r = json_read(a, text, &read_options, &d, err);
	if (r >= 0)
		r = schema_decode(&process_schema, d, a, ret, NULL, err);
	if (r >= 0)
		r = conf_check_process(ret, err);
	return r < 0 ? err_wrap(err, "process") : 0;
}

int conf_write_part(const struct conf *c, bool hooks, struct arena *a, struct buf *out,
		    struct err *err)
{
	const char *groups = conf_annotation(c, "run.oci.keep_original_groups");
	struct str_pair kept = { "run.oci.keep_original_groups", groups };
	struct conf part = { .oci_version = c->oci_version,
			     .lin = { .personality = c->lin.personality,
				      .mempolicy = c->lin.mempolicy } };
	struct doc d;
	int r;

	if (hooks) {
		part.annotations = c->annotations;
		part.hooks = c->hooks;
	} else if (groups) {
		part.annotations = (struct str_map){ &kept, 1 };
	}
	r = schema_encode(&part_schema, &part, a, &d, err);
	return r < 0 ? r : json_write(&d, NULL, out, err);
}

int conf_read_part(struct slice text, struct arena *a, struct conf *ret, struct err *err)
{
	struct doc *d;
	int r = json_read(a, text, &read_options, &d, err);

	return r < 0 ? r : schema_decode(&part_schema, d, a, ret, NULL, err);
}
