/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of docker's create body, and the one list of what is refused by name.
 * Rows stand in the order in which docker writes them, which is the order of inspect.
 */
#include "engine/config.h"

#include "base/arena.h"
#include "base/err.h"
#include "network/network.h"
#include "runtime/runtime.h"

#include <unistd.h>

#define EMIT SCHEMA_EMIT
#define NUL SCHEMA_EMIT_NULL

#define C struct container_config
static const struct schema_field healthcheck_rows[] = {
	F_LIST_STR(struct healthcheck, test, "Test", 0, FORMAT_NONE),
	F_INT(struct healthcheck, interval, "Interval", 0, 0, 0),
	F_INT(struct healthcheck, timeout, "Timeout", 0, 0, 0),
	F_INT(struct healthcheck, start_period, "StartPeriod", 0, 0, 0),
	F_INT(struct healthcheck, start_interval, "StartInterval", 0, 0, 0),
	F_INT(struct healthcheck, retries, "Retries", 0, 0, 0),
};
static const struct schema healthcheck_schema =
	SCHEMA("Healthcheck", struct healthcheck, healthcheck_rows);

static const struct schema_field config_rows[] = {
	F_STR(C, hostname, "Hostname", EMIT, FORMAT_NONE, .max = 253),
	F_STR(C, domainname, "Domainname", EMIT, FORMAT_NONE, .max = 253),
	F_STR(C, user, "User", EMIT, FORMAT_NONE),
	F_BOOL(C, attach_stdin, "AttachStdin", EMIT),
	F_BOOL(C, attach_stdout, "AttachStdout", EMIT),
	F_BOOL(C, attach_stderr, "AttachStderr", EMIT),
	F_DOC(C, exposed_ports, "ExposedPorts", 0),
	F_BOOL(C, tty, "Tty", EMIT),
	F_BOOL(C, open_stdin, "OpenStdin", EMIT),
	F_BOOL(C, stdin_once, "StdinOnce", EMIT),
	F_LIST_STR(C, env, "Env", EMIT, FORMAT_NONE, .max = 16384),
	F_LIST_STR(C, cmd, "Cmd", NUL, FORMAT_NONE, .max = 16384),
	F_OBJ(C, healthcheck, "Healthcheck", &healthcheck_schema, 0),
	F_BOOL(C, args_escaped, "ArgsEscaped", 0),
	F_STR(C, image, "Image", EMIT, FORMAT_NONE),
	F_DOC(C, volumes, "Volumes", NUL),
	F_STR(C, workdir, "WorkingDir", EMIT, FORMAT_NONE),
	F_LIST_STR(C, entrypoint, "Entrypoint", NUL, FORMAT_NONE, .max = 16384),
	F_BOOL(C, network_disabled, "NetworkDisabled", 0),
	F_STR(C, mac, "MacAddress", 0, FORMAT_NONE),
	F_LIST_STR(C, on_build, "OnBuild", NUL, FORMAT_NONE),
	F_MAP_STR(C, labels, "Labels", EMIT),
	F_STR(C, stop_signal, "StopSignal", 0, FORMAT_NONE),
	F_OPT_INT(C, stop_timeout, "StopTimeout", 0, 0, 0),
	F_LIST_STR(C, shell, "Shell", 0, FORMAT_NONE),
};
const struct schema container_config_schema = SCHEMA("Config", C, config_rows);
#undef C

static const struct schema_field log_rows[] = {
	F_STR(struct log_config, type, "Type", EMIT, FORMAT_NONE),
	F_MAP_STR(struct log_config, config, "Config", EMIT),
};
static const struct schema log_schema = SCHEMA("LogConfig", struct log_config, log_rows);

static const struct schema_field restart_rows[] = {
	F_STR(struct restart_policy, name, "Name", EMIT, FORMAT_NONE),
	F_INT(struct restart_policy, max_retries, "MaximumRetryCount", EMIT, 0, 0),
};
static const struct schema restart_schema =
	SCHEMA("RestartPolicy", struct restart_policy, restart_rows);

static const struct schema_field bind_rows[] = {
	F_STR(struct bind_options, propagation, "Propagation", 0, FORMAT_NONE),
	F_BOOL(struct bind_options, non_recursive, "NonRecursive", 0),
	F_BOOL(struct bind_options, create_mountpoint, "CreateMountpoint", 0),
	F_BOOL(struct bind_options, ro_non_recursive, "ReadOnlyNonRecursive", 0),
	F_BOOL(struct bind_options, ro_force_recursive, "ReadOnlyForceRecursive", 0),
};
static const struct schema bind_schema = SCHEMA("BindOptions", struct bind_options, bind_rows);

static const struct schema_field tmpfs_rows[] = {
	F_INT(struct tmpfs_options, size, "SizeBytes", 0, 0, INT64_MAX),
	F_OPT_UINT(struct tmpfs_options, mode, "Mode", 0, 0, 07777),
	F_DOC(struct tmpfs_options, options, "Options", 0),
};
static const struct schema tmpfs_schema = SCHEMA("TmpfsOptions", struct tmpfs_options, tmpfs_rows);

static const struct schema_field mount_rows[] = {
	F_STR(struct mount_spec, type, "Type", 0, FORMAT_NONE),
	F_STR(struct mount_spec, source, "Source", 0, FORMAT_NONE),
	F_STR(struct mount_spec, target, "Target", 0, FORMAT_NONE),
	F_BOOL(struct mount_spec, read_only, "ReadOnly", 0),
	F_STR(struct mount_spec, consistency, "Consistency", 0, FORMAT_NONE),
	F_OBJ(struct mount_spec, bind, "BindOptions", &bind_schema, 0),
	F_DOC(struct mount_spec, volume, "VolumeOptions", 0),
	F_DOC(struct mount_spec, image, "ImageOptions", 0),
	F_OBJ(struct mount_spec, tmpfs, "TmpfsOptions", &tmpfs_schema, 0),
	F_DOC(struct mount_spec, cluster, "ClusterOptions", 0),
};
static const struct schema mount_schema = SCHEMA("Mount", struct mount_spec, mount_rows);

static const struct schema_field weight_rows[] = {
	F_STR(struct weight_device, path, "Path", 0, FORMAT_NONE),
	F_INT(struct weight_device, weight, "Weight", 0, 0, 1000),
};
static const struct schema weight_schema =
	SCHEMA("WeightDevice", struct weight_device, weight_rows);

static const struct schema_field throttle_rows[] = {
	F_STR(struct throttle_device, path, "Path", 0, FORMAT_NONE),
	F_INT(struct throttle_device, rate, "Rate", 0, 0, 0),
};
static const struct schema throttle_schema =
	SCHEMA("ThrottleDevice", struct throttle_device, throttle_rows);

static const struct schema_field device_rows[] = {
	F_STR(struct device_spec, host, "PathOnHost", 0, FORMAT_NONE),
	F_STR(struct device_spec, container, "PathInContainer", 0, FORMAT_NONE),
	F_STR(struct device_spec, permissions, "CgroupPermissions", 0, FORMAT_NONE),
};
static const struct schema device_schema = SCHEMA("Device", struct device_spec, device_rows);

static const struct schema_field ulimit_rows[] = {
	F_STR(struct ulimit_spec, name, "Name", SCHEMA_REQUIRED, FORMAT_NONE),
	F_INT(struct ulimit_spec, hard, "Hard", EMIT, -1, INT64_MAX),
	F_INT(struct ulimit_spec, soft, "Soft", EMIT, -1, INT64_MAX),
};
static const struct schema ulimit_schema = SCHEMA("Ulimit", struct ulimit_spec, ulimit_rows);

#define H struct host_config
static const struct schema_field host_rows[] = {
	F_LIST_STR(H, binds, "Binds", NUL, FORMAT_NONE, .max = 1024),
	F_STR(H, container_id_file, "ContainerIDFile", EMIT, FORMAT_NONE),
	F_OBJ(H, log, "LogConfig", &log_schema, 0),
	F_STR(H, network_mode, "NetworkMode", EMIT, FORMAT_NONE),
	F_DOC(H, port_bindings, "PortBindings", 0),
	F_OBJ_IN(H, restart, "RestartPolicy", &restart_schema, EMIT),
	F_BOOL(H, auto_remove, "AutoRemove", EMIT),
	F_STR(H, volume_driver, "VolumeDriver", EMIT, FORMAT_NONE),
	F_LIST_STR(H, volumes_from, "VolumesFrom", NUL, FORMAT_NONE),
	F_LIST_INT(H, console_size, "ConsoleSize", 0, .max = 2),
	F_MAP_STR(H, annotations, "Annotations", 0),
	F_LIST_STR(H, cap_add, "CapAdd", NUL, FORMAT_NONE, .max = 128),
	F_LIST_STR(H, cap_drop, "CapDrop", NUL, FORMAT_NONE, .max = 128),
	F_STR(H, cgroupns_mode, "CgroupnsMode", EMIT, FORMAT_NONE),
	F_LIST_STR(H, dns, "Dns", EMIT, FORMAT_IP, .max = 64),
	F_LIST_STR(H, dns_options, "DnsOptions", EMIT, FORMAT_NONE, .max = 64),
	F_LIST_STR(H, dns_search, "DnsSearch", EMIT, FORMAT_NONE, .max = 64),
	F_LIST_STR(H, extra_hosts, "ExtraHosts", NUL, FORMAT_NONE, .max = 4096),
	F_LIST_STR(H, group_add, "GroupAdd", NUL, FORMAT_NONE, .max = 1024),
	F_STR(H, ipc_mode, "IpcMode", EMIT, FORMAT_NONE),
	F_STR(H, cgroup, "Cgroup", EMIT, FORMAT_NONE),
	F_LIST_STR(H, links, "Links", NUL, FORMAT_NONE),
	F_INT(H, oom_score_adj, "OomScoreAdj", EMIT, -1000, 1000),
	F_STR(H, pid_mode, "PidMode", EMIT, FORMAT_NONE),
	F_BOOL(H, privileged, "Privileged", EMIT),
	F_BOOL(H, publish_all, "PublishAllPorts", EMIT),
	F_BOOL(H, read_only, "ReadonlyRootfs", EMIT),
	F_LIST_STR(H, security_opt, "SecurityOpt", NUL, FORMAT_NONE, .max = 64),
	F_MAP_STR(H, storage_opt, "StorageOpt", 0),
	F_MAP_STR(H, tmpfs, "Tmpfs", 0),
	F_STR(H, uts_mode, "UTSMode", EMIT, FORMAT_NONE),
	F_STR(H, userns_mode, "UsernsMode", EMIT, FORMAT_NONE),
	F_INT(H, shm_size, "ShmSize", EMIT, 0, INT64_MAX),
	F_MAP_STR(H, sysctls, "Sysctls", 0),
	F_STR(H, runtime, "Runtime", 0, FORMAT_NONE),
	F_STR(H, isolation, "Isolation", EMIT, FORMAT_NONE),
	F_INT(H, cpu_shares, "CpuShares", EMIT, 0, 262144),
	F_INT(H, memory, "Memory", EMIT, 0, 0),
	F_INT(H, nano_cpus, "NanoCpus", EMIT, 0, 0),
	F_STR(H, cgroup_parent, "CgroupParent", EMIT, FORMAT_NONE),
	F_INT(H, blkio_weight, "BlkioWeight", EMIT, 0, 1000),
	F_LIST_OBJ(H, blkio_weight_device, "BlkioWeightDevice", &weight_schema, EMIT, .max = 256),
	F_LIST_OBJ(H, read_bps, "BlkioDeviceReadBps", &throttle_schema, EMIT, .max = 256),
	F_LIST_OBJ(H, write_bps, "BlkioDeviceWriteBps", &throttle_schema, EMIT, .max = 256),
	F_LIST_OBJ(H, read_iops, "BlkioDeviceReadIOps", &throttle_schema, EMIT, .max = 256),
	F_LIST_OBJ(H, write_iops, "BlkioDeviceWriteIOps", &throttle_schema, EMIT, .max = 256),
	F_INT(H, cpu_period, "CpuPeriod", EMIT, 0, 0),
	F_INT(H, cpu_quota, "CpuQuota", EMIT, 0, 0),
	F_INT(H, cpu_rt_period, "CpuRealtimePeriod", EMIT, 0, 0),
	F_INT(H, cpu_rt_runtime, "CpuRealtimeRuntime", EMIT, 0, 0),
	F_STR(H, cpuset_cpus, "CpusetCpus", EMIT, FORMAT_NONE),
	F_STR(H, cpuset_mems, "CpusetMems", EMIT, FORMAT_NONE),
	F_LIST_OBJ(H, devices, "Devices", &device_schema, EMIT, .max = 1024),
	F_LIST_STR(H, device_cgroup_rules, "DeviceCgroupRules", NUL, FORMAT_NONE, .max = 1024),
	F_DOC(H, device_requests, "DeviceRequests", NUL),
	F_INT(H, kernel_memory, "KernelMemory", 0, 0, 0),
	F_INT(H, kernel_memory_tcp, "KernelMemoryTCP", 0, 0, 0),
	F_INT(H, memory_reservation, "MemoryReservation", EMIT, 0, 0),
	F_INT(H, memory_swap, "MemorySwap", EMIT, 0, 0),
	F_OPT_INT(H, memory_swappiness, "MemorySwappiness", NUL, -1, 100),
	F_OPT_BOOL(H, oom_kill_disable, "OomKillDisable", NUL),
	F_OPT_BOOL(H, init, "Init", 0),
	F_OPT_INT(H, pids_limit, "PidsLimit", NUL, 0, 0),
	F_LIST_OBJ(H, ulimits, "Ulimits", &ulimit_schema, EMIT, .max = 32),
	F_INT(H, cpu_count, "CpuCount", EMIT, 0, 0),
	F_INT(H, cpu_percent, "CpuPercent", EMIT, 0, 0),
	F_INT(H, io_max_iops, "IOMaximumIOps", EMIT, 0, 0),
	F_INT(H, io_max_bandwidth, "IOMaximumBandwidth", EMIT, 0, 0),
	F_LIST_OBJ(H, mounts, "Mounts", &mount_schema, 0, .max = 1024),
	F_DOC(H, masked_paths, "MaskedPaths", 0),
	F_DOC(H, readonly_paths, "ReadonlyPaths", 0),
};
const struct schema host_config_schema = SCHEMA("HostConfig", H, host_rows);
#undef H

static const struct schema_field ipam_rows[] = {
	F_STR(struct ipam_config, ipv4, "IPv4Address", 0, FORMAT_NONE),
	F_STR(struct ipam_config, ipv6, "IPv6Address", 0, FORMAT_NONE),
	F_LIST_STR(struct ipam_config, link_local, "LinkLocalIPs", 0, FORMAT_NONE),
};
static const struct schema ipam_schema = SCHEMA("IPAMConfig", struct ipam_config, ipam_rows);

static const struct schema_field endpoint_rows[] = {
	F_OBJ(struct endpoint_config, ipam, "IPAMConfig", &ipam_schema, 0),
	F_LIST_STR(struct endpoint_config, links, "Links", 0, FORMAT_NONE),
	F_LIST_STR(struct endpoint_config, aliases, "Aliases", 0, FORMAT_NONE),
	F_STR(struct endpoint_config, mac, "MacAddress", 0, FORMAT_NONE),
	F_MAP_STR(struct endpoint_config, driver_opts, "DriverOpts", 0),
	F_INT(struct endpoint_config, gw_priority, "GwPriority", 0, 0, 0),
};
static const struct schema endpoint_schema =
	SCHEMA("EndpointsConfig", struct endpoint_config, endpoint_rows);

static const struct schema_field networking_rows[] = {
	F_MAP_OBJ(struct networking_config, endpoints, "EndpointsConfig", &endpoint_schema, 0),
};
const struct schema networking_config_schema =
	SCHEMA("NetworkingConfig", struct networking_config, networking_rows);

/* ---- what this engine does not do ---- */

static bool given(const struct doc *d)
{
	return d && (doc_len(d) > 0 || (!doc_is(d, DOC_ARRAY) && !doc_is(d, DOC_OBJECT)));
}

static bool is_set(const char *s)
{
	return s && *s;
}

static bool custom_health(const struct create_spec *s)
{
	const struct healthcheck *h = s->config.healthcheck;

	return h && h->test.n > 0 && strcmp(h->test.v[0], "NONE") != 0;
}

static bool other_isolation(const char *s)
{
	return is_set(s) && strcmp(s, "default") != 0;
}

static bool other_runtime(const char *s)
{
	static const char *const ours[] = { "teu", "teu-oci", "runc", "io.containerd.runc.v2",
					    NULL };

	return is_set(s) && !str_is_one_of(s, ours);
}

/* Refused by name: the field, whether the request sets it, and what a person can do instead. */
struct refusal {
	const char *field;
	bool (*is_set)(const struct create_spec *s);
	const char *why;
};

#define REFUSE(id, cond)                                     \
	static bool refuse_##id(const struct create_spec *s) \
	{                                                    \
		return cond;                                 \
	}
REFUSE(health, custom_health(s))
REFUSE(volumes, given(s->config.volumes))
REFUSE(ports, given(s->host.port_bindings) || s->host.publish_all)
REFUSE(volume_driver, is_set(s->host.volume_driver))
REFUSE(volumes_from, s->host.volumes_from.n > 0)
REFUSE(links, s->host.links.n > 0)
REFUSE(storage_opt, s->host.storage_opt.n > 0)
REFUSE(device_requests, given(s->host.device_requests))
REFUSE(cgroup, is_set(s->host.cgroup))
REFUSE(isolation, other_isolation(s->host.isolation))
REFUSE(runtime, other_runtime(s->host.runtime))
REFUSE(userns, is_set(s->host.userns_mode) && strcmp(s->host.userns_mode, "host") != 0)
REFUSE(windows,
       s->host.cpu_count || s->host.cpu_percent || s->host.io_max_iops || s->host.io_max_bandwidth)
REFUSE(kernel_memory, s->host.kernel_memory || s->host.kernel_memory_tcp)
REFUSE(init, s->host.init.set && s->host.init.v)
REFUSE(weight_device, s->host.blkio_weight_device.n > 0)
REFUSE(mac, is_set(s->config.mac))
REFUSE(rt, s->host.cpu_rt_period || s->host.cpu_rt_runtime)

static const struct refusal refusals[] = {
	{ "Healthcheck", refuse_health,
	  "health checks are not supported yet; use --no-healthcheck" },
	{ "Volumes", refuse_volumes,
	  "anonymous volumes are not supported yet; bind a directory of the host" },
	{ "PortBindings", refuse_ports,
	  "published ports are not supported yet; reach the container by its address or use "
	  "--network host" },
	{ "VolumeDriver", refuse_volume_driver, "volume drivers are not supported yet" },
	{ "VolumesFrom", refuse_volumes_from, "volumes are not supported yet" },
	{ "Links", refuse_links, "links are not supported" },
	{ "StorageOpt", refuse_storage_opt, "storage options are not supported" },
	{ "DeviceRequests", refuse_device_requests, "device requests (--gpus) are not supported" },
	{ "Cgroup", refuse_cgroup, "a cgroup given by name is not supported" },
	{ "Isolation", refuse_isolation, "only the default isolation exists on Linux" },
	{ "Runtime", refuse_runtime, "the only runtime is teu-oci" },
	{ "UsernsMode", refuse_userns, "user namespace remapping is not supported yet" },
	{ "CpuCount", refuse_windows, "CpuCount, CpuPercent and IOMaximum* are for Windows" },
	{ "KernelMemory", refuse_kernel_memory,
	  "kernel memory limits are not supported by current kernels" },
	{ "Init", refuse_init, "an init process (--init) is not supported yet" },
	{ "BlkioWeightDevice", refuse_weight_device,
	  "weights per device are not supported; "
	  "BlkioWeight is" },
	{ "MacAddress", refuse_mac, "fixed MAC addresses are not supported yet" },
	{ "CpuRealtimeRuntime", refuse_rt, "realtime scheduling limits are not supported" },
};

static int refuse_unsupported(const struct create_spec *s, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		if (refusals[i].is_set(s))
			return err_set(err, ERR_UNSUPPORTED, "%s: %s", refusals[i].field,
				       refusals[i].why);
	return 0;
}

/* ---- rules that no row can say ---- */

static int check_path(const char *type, const char *path, struct err *err)
{
	if (!is_set(path) || path[0] != '/')
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid mount config for type \"%s\": invalid mount path: '%s' "
			       "mount path must be absolute",
			       type, path ? path : "");
	if (path[strspn(path, "/")] == '\0')
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid mount config for type \"%s\": invalid specification: "
			       "destination can't be '/'",
			       type);
	return 0;
}

static int check_propagation(const char *p, struct err *err)
{
	static const char *const words[] = { "private", "rprivate", "shared", "rshared",
					     "slave",	"rslave",   NULL };

	if (is_set(p) && !str_is_one_of(p, words))
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid mount config for type \"bind\": invalid propagation: %s",
			       p);
	return 0;
}

/* [["noexec"],["uid","1000"]] */
static int check_tmpfs_options(const struct tmpfs_options *t, struct err *err)
{
	bool bad;

	if (!t || !t->options)
		return 0;
	bad = !doc_is(t->options, DOC_ARRAY) && !doc_is(t->options, DOC_NULL);
	DOC_EACH (o, t->options) {
		bad |= doc_len_of(o, DOC_ARRAY) < 1 || doc_len_of(o, DOC_ARRAY) > 2;
		DOC_EACH (word, o)
			bad |= !doc_is(word, DOC_STRING) || word->n == 0 ||
			       memchr(word->s, ',', word->n) || memchr(word->s, 0, word->n);
	}
	if (bad)
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid mount config for type \"tmpfs\": Options is a list of "
			       "[name] and [name, value]");
	return 0;
}

static int check_mount(const struct mount_spec *m, size_t i, struct err *err)
{
	int r;

	if (!is_set(m->type))
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid mount config: mount type is required");
	if (strcmp(m->type, "bind") != 0 && strcmp(m->type, "tmpfs") != 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "Mounts[%zu]: mounts of type '%s' are not supported yet; bind and "
			       "tmpfs are",
			       i, m->type);
	if (given(m->volume) || given(m->image) || given(m->cluster))
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid mount config for type \"%s\": options of another type "
			       "must not be specified",
			       m->type);
	r = check_path(m->type, m->target, err);
	if (r < 0)
		return r;
	if (strcmp(m->type, "tmpfs") == 0) {
		if (is_set(m->source))
			return err_set(err, ERR_BAD_REQUEST,
				       "invalid mount config for type \"tmpfs\": field Source must "
				       "not be specified");
		if (m->bind)
			return err_set(err, ERR_BAD_REQUEST,
				       "invalid mount config for type \"tmpfs\": field "
				       "BindOptions must not be specified");
		return check_tmpfs_options(m->tmpfs, err);
	}
	if (m->tmpfs)
		return err_set(
			err, ERR_BAD_REQUEST,
			"invalid mount config for type \"bind\": field TmpfsOptions must not "
			"be specified");
	if (!is_set(m->source) || m->source[0] != '/')
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid mount config for type \"bind\": invalid mount path: '%s' "
			       "mount path must be absolute",
			       m->source ? m->source : "");
	return check_propagation(m->bind ? m->bind->propagation : NULL, err);
}

/* "SRC:DST[:mode,mode]", docker's -v */
static int check_bind(const char *text, struct slice *ret_dst, struct err *err)
{
	static const char *const modes[] = { "ro",	"rw",	      "z",	"Z",
					     "private", "rprivate",   "shared", "rshared",
					     "slave",	"rslave",     "nocopy", "delegated",
					     "cached",	"consistent", NULL };
	struct slice rest = slice_str(text);
	struct slice src = slice_split(&rest, ':'), dst = slice_split(&rest, ':');

	if (src.n == 0 || dst.n == 0)
		return err_set(err, ERR_BAD_REQUEST, "invalid volume specification: '%s'", text);
	if (src.p[0] != '/')
		return err_set(err, ERR_UNSUPPORTED,
			       "Binds: '%s': named volumes are not supported yet; bind a "
			       "directory of the host",
			       text);
	if (dst.p[0] != '/')
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid volume specification: '%s': invalid mount path: '%.*s' "
			       "mount path must be absolute",
			       text, (int)dst.n, dst.p);
	if (strspn(dst.p, "/") >= dst.n)
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid volume specification: '%s': invalid specification: "
			       "destination can't be '/'",
			       text);
	while (rest.p && rest.n) {
		struct slice m = slice_split(&rest, ',');
		bool known = false;

		for (size_t i = 0; modes[i]; i++)
			known |= slice_is(m, modes[i]);
		if (!known)
			return err_set(err, ERR_BAD_REQUEST, "invalid mode: %.*s", (int)m.n, m.p);
	}
	*ret_dst = dst;
	return 0;
}

static struct slice without_slashes(struct slice s)
{
	while (s.n > 1 && s.p[s.n - 1] == '/')
		s.n--;
	return s;
}

/* Mounts and Binds share their targets; a Tmpfs of the same path gives way, as in docker. */
static int check_duplicates(const struct slice *at, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (slice_eq(at[i], at[j]))
				return err_set(err, ERR_BAD_REQUEST, "Duplicate mount point: %.*s",
					       (int)at[i].n, at[i].p);
	return 0;
}

static int check_mounts(const struct host_config *h, struct arena *a, struct err *err)
{
	struct slice *at = ARENA_ARRAY(a, struct slice, h->mounts.n + h->binds.n);
	size_t n = 0;
	int r;

	if (!at)
		return arena_quota(a, err);
	for (size_t i = 0; i < h->mounts.n; i++) {
		r = check_mount(&h->mounts.v[i], i, err);
		if (r < 0)
			return r;
		at[n++] = without_slashes(slice_str(h->mounts.v[i].target));
	}
	for (size_t i = 0; i < h->binds.n; i++) {
		r = check_bind(h->binds.v[i], &at[n], err);
		if (r < 0)
			return r;
		at[n] = without_slashes(at[n]);
		n++;
	}
	for (size_t i = 0; i < h->tmpfs.n; i++) {
		r = check_path("tmpfs", h->tmpfs.v[i].key, err);
		if (r < 0)
			return r;
	}
	return check_duplicates(at, n, err);
}

/* ---- processors ---- */

static int check_set(const char *what, const char *s, struct err *err)
{
	if (is_set(s) && (s[strspn(s, "0123456789,-")] || !strpbrk(s, "0123456789")))
		return err_set(err, ERR_BAD_REQUEST, "Invalid value %s for cpuset %s", s, what);
	return 0;
}

static int check_cpus(const struct host_config *h, struct err *err)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int r;

	if (h->nano_cpus < 0 || (h->nano_cpus && h->nano_cpus < 10000000) ||
	    (cpus > 0 && h->nano_cpus > cpus * 1000000000LL))
		return err_set(err, ERR_BAD_REQUEST,
			       "range of CPUs is from 0.01 to %ld.00, as there are only %ld CPUs "
			       "available",
			       cpus, cpus);
	if (h->nano_cpus && (h->cpu_period || h->cpu_quota))
		return err_set(err, ERR_BAD_REQUEST,
			       "Conflicting options: Nano CPUs and CPU Period or Quota cannot both "
			       "be set");
	if (h->cpu_period && (h->cpu_period < 1000 || h->cpu_period > 1000000))
		return err_set(err, ERR_BAD_REQUEST,
			       "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than "
			       "1s (i.e. 1000000)");
	if (h->cpu_quota > 0 && h->cpu_quota < 1000)
		return err_set(err, ERR_BAD_REQUEST,
			       "CPU cfs quota can not be less than 1ms (i.e. 1000)");
	r = check_set("cpus", h->cpuset_cpus, err);
	return r < 0 ? r : check_set("mems", h->cpuset_mems, err);
}

static int check_resources(const struct host_config *h, struct err *err)
{
	if (h->memory && h->memory < 6 * 1024 * 1024)
		return err_set(err, ERR_BAD_REQUEST, "Minimum memory limit allowed is 6MB");
	if (h->memory > 0 && h->memory_swap > 0 && h->memory_swap < h->memory)
		return err_set(
			err, ERR_BAD_REQUEST,
			"Minimum memoryswap limit should be larger than memory limit, see usage");
	if (h->memory == 0 && h->memory_swap > 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "You should always set the Memory limit when using Memoryswap "
			       "limit, see usage");
	if (h->memory > 0 && h->memory_reservation > h->memory)
		return err_set(err, ERR_BAD_REQUEST,
			       "Minimum memory limit can not be less than memory reservation "
			       "limit, see usage");
	if (h->pids_limit.set && h->pids_limit.v < -1)
		return err_set(err, ERR_BAD_REQUEST, "PidsLimit: %lld is no limit; -1 is none",
			       (long long)h->pids_limit.v);
	if (h->blkio_weight && h->blkio_weight < 10)
		return err_set(err, ERR_BAD_REQUEST, "range of blkio weight is from 10 to 1000");
	if (h->cgroup_parent && strstr(h->cgroup_parent, ".."))
		return err_set(err, ERR_BAD_REQUEST, "CgroupParent '%s' must not hold '..'",
			       h->cgroup_parent);
	return check_cpus(h, err);
}

/* ---- names and modes ---- */

static bool is_container_mode(const char *s)
{
	return s && strncmp(s, "container:", 10) == 0 && s[10];
}

static int check_modes(const struct host_config *h, struct err *err)
{
	static const char *const ipc[] = { "", "private", "shareable", "host", "none", NULL };
	static const char *const cgroupns[] = { "", "private", "host", NULL };

	/* /dev/shm is a mount of the other's mount namespace: it cannot be bound from here. */
	if (is_container_mode(h->ipc_mode))
		return err_set(
			err, ERR_UNSUPPORTED,
			"IpcMode '%s': sharing the IPC of another container is not supported "
			"yet; private, shareable, host and none are",
			h->ipc_mode);
	if (h->ipc_mode && !str_is_one_of(h->ipc_mode, ipc))
		return err_set(err, ERR_BAD_REQUEST, "invalid IPC mode: %s", h->ipc_mode);
	if (is_set(h->pid_mode) && strcmp(h->pid_mode, "host") != 0 &&
	    !is_container_mode(h->pid_mode))
		return err_set(err, ERR_BAD_REQUEST, "invalid PID mode: %s", h->pid_mode);
	if (is_set(h->uts_mode) && strcmp(h->uts_mode, "host") != 0)
		return err_set(err, ERR_BAD_REQUEST, "invalid UTS mode: %s", h->uts_mode);
	if (h->cgroupns_mode && !str_is_one_of(h->cgroupns_mode, cgroupns))
		return err_set(err, ERR_BAD_REQUEST, "invalid cgroup namespace mode: %s",
			       h->cgroupns_mode);
	return 0;
}

/* What cannot be had together with somebody else's network or host name. */
static int check_sharing(const struct create_spec *s, struct err *err)
{
	const struct host_config *h = &s->host;
	bool container = is_container_mode(h->network_mode);
	const char *why = NULL;

	if (is_set(s->config.hostname) && h->uts_mode && strcmp(h->uts_mode, "host") == 0)
		why = "hostname and the UTS mode";
	else if (container && is_set(s->config.hostname))
		why = "hostname and the network mode";
	else if (container && h->dns.n)
		why = "dns and the network mode";
	else if (container && h->extra_hosts.n)
		why = "custom host-to-IP mapping and the network mode";
	else if (container && given(s->config.exposed_ports))
		why = "port exposing and the container type network mode";
	if (why)
		return err_set(err, ERR_BAD_REQUEST, "conflicting options: %s", why);
	return 0;
}

static int check_endpoints(const struct create_spec *s, struct err *err)
{
	for (size_t i = 0; i < s->networking.endpoints.n; i++) {
		const struct endpoint_config *ep = &s->networking.endpoints.v[i].value;
		const char *key = s->networking.endpoints.v[i].key;
		struct network_mode asked, mode;
		int r;

		r = network_mode_parse(key, &asked, err);
		if (r == 0)
			r = network_mode_parse(s->host.network_mode ? s->host.network_mode : "",
					       &mode, err);
		if (r < 0)
			return r;
		if (asked.kind != mode.kind ||
		    strcmp(asked.ref ? asked.ref : "", mode.ref ? mode.ref : "") != 0)
			return err_set(
				err, ERR_UNSUPPORTED,
				"NetworkingConfig: only the network of NetworkMode ('%s') is "
				"supported, not '%s' too",
				s->host.network_mode ? s->host.network_mode : "default", key);
		if (ep->ipam &&
		    (is_set(ep->ipam->ipv4) || is_set(ep->ipam->ipv6) || ep->ipam->link_local.n))
			return err_set(err, ERR_BAD_REQUEST,
				       "user specified IP address is supported on user defined "
				       "networks only");
		if (ep->aliases.n)
			return err_set(err, ERR_BAD_REQUEST,
				       "network-scoped alias is supported only for containers in "
				       "user defined networks");
		if (ep->links.n || is_set(ep->mac) || ep->driver_opts.n)
			return err_set(err, ERR_UNSUPPORTED,
				       "NetworkingConfig of '%s': links, MAC addresses and driver "
				       "options are not supported yet",
				       key);
	}
	return 0;
}

static bool all_strings(const struct doc *d)
{
	if (d && !doc_is(d, DOC_NULL) && !doc_is(d, DOC_ARRAY))
		return false;
	DOC_EACH (v, d)
		if (!doc_is(v, DOC_STRING) || v->n == 0 || v->s[0] != '/')
			return false;
	return true;
}

static int check_process(const struct create_spec *s, struct err *err)
{
	const struct container_config *c = &s->config;
	int signo;

	if (is_set(c->stop_signal) && rt_signal(c->stop_signal, &signo, err) < 0)
		return err_set(err, ERR_BAD_REQUEST, "invalid signal: %s", c->stop_signal);
	for (size_t i = 0; i < c->env.n; i++)
		if (!*c->env.v[i] || c->env.v[i][0] == '=')
			return err_set(err, ERR_BAD_REQUEST, "invalid environment variable: %s",
				       c->env.v[i]);
	if (is_set(c->workdir) && c->workdir[0] != '/')
		return err_set(err, ERR_BAD_REQUEST,
			       "the working directory '%s' is invalid, it needs to be an absolute "
			       "path",
			       c->workdir);
	if (c->exposed_ports && !doc_is(c->exposed_ports, DOC_OBJECT) &&
	    !doc_is(c->exposed_ports, DOC_NULL))
		return err_set(err, ERR_BAD_REQUEST, "ExposedPorts is an object: {\"80/tcp\": {}}");
	if (!all_strings(s->host.masked_paths) || !all_strings(s->host.readonly_paths))
		return err_set(err, ERR_BAD_REQUEST,
			       "MaskedPaths and ReadonlyPaths are lists of absolute paths");
	for (size_t i = 0; i < s->host.console_size.n; i++)
		if (s->host.console_size.v[i] < 0 || s->host.console_size.v[i] > UINT16_MAX)
			return err_set(err, ERR_BAD_REQUEST,
				       "ConsoleSize: height and width are 0 to 65535");
	return 0;
}

static int check_ulimits(const struct host_config *h, struct err *err)
{
	static const char *const names[] = { "core",   "cpu",	     "data",	 "fsize",
					     "locks",  "memlock",    "msgqueue", "nice",
					     "nofile", "nproc",	     "rss",	 "rtprio",
					     "rttime", "sigpending", "stack",	 NULL };

	for (size_t i = 0; i < h->ulimits.n; i++) {
		const struct ulimit_spec *u = &h->ulimits.v[i];

		if (!str_is_one_of(u->name, names))
			return err_set(err, ERR_BAD_REQUEST, "invalid ulimit type: %s", u->name);
		if (u->hard >= 0 && (u->soft < 0 || u->soft > u->hard))
			return err_set(err, ERR_BAD_REQUEST,
				       "ulimit soft limit must be less than or equal to hard "
				       "limit: %lld > %lld",
				       (long long)u->soft, (long long)u->hard);
	}
	return 0;
}

/* ---- log ---- */

/* "10", "10k", "10m", "10g", "10MB" */
static int log_number(const char *text, int64_t *ret)
{
	static const char units[] = "kmg";
	struct slice s = slice_str(text);
	struct err ignored = ERR_INIT;
	int64_t unit = 1;

	if (s.n > 1 && (s.p[s.n - 1] | 32) == 'b')
		s.n--;
	if (s.n > 1) {
		const char *u = memchr(units, s.p[s.n - 1] | 32, 3);

		for (long i = u ? u - units : -1; i >= 0; i--)
			unit *= 1024;
		s.n -= u != NULL;
	}
	return str_int64(s, ret, &ignored) < 0 || *ret < 1 ||
			       __builtin_mul_overflow(*ret, unit, ret)
		       ? -1
		       : 0;
}

int64_t log_option(const struct host_config *h, const char *key, int64_t fallback)
{
	const char *text = h->log ? str_map_get(&h->log->config, key) : NULL;
	int64_t v;

	return text && log_number(text, &v) == 0 ? v : fallback;
}

static int check_log_options(const struct log_config *log, struct err *err)
{
	const char *files = str_map_get(&log->config, "max-file"),
		   *size = str_map_get(&log->config, "max-size");
	int64_t v;

	if (size && log_number(size, &v) < 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid value for max-size: '%s': a size such as 10m", size);
	if (files && (log_number(files, &v) < 0 || v > 1000))
		return err_set(err, ERR_BAD_REQUEST,
			       "max-file cannot be less than 1 (at most "
			       "1000): '%s'",
			       files);
	return 0;
}

static int check_policy(const struct host_config *h, struct err *err)
{
	static const char *const policies[] = { "",	      "no", "always", "unless-stopped",
						"on-failure", NULL };
	static const char *const drivers[] = { "", "json-file", "none", NULL };
	static const char *const log_options[] = { "max-size", "max-file", NULL };
	const char *name = h->restart.name ? h->restart.name : "";

	if (!str_is_one_of(name, policies))
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid restart policy: unknown policy '%s'; use one of 'no', "
			       "'always', 'on-failure', or 'unless-stopped'",
			       name);
	if (h->restart.max_retries < 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid restart policy: maximum retry count cannot be negative");
	if (h->restart.max_retries && strcmp(name, "on-failure") != 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid restart policy: maximum retry count can only be used with "
			       "'on-failure'");
	if (h->auto_remove && *name && strcmp(name, "no") != 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "can't create 'AutoRemove' container with restart policy");
	for (size_t i = 0; i < h->annotations.n; i++)
		if (strncmp(h->annotations.v[i].key, "io.teu.", 7) == 0)
			return err_set(err, ERR_BAD_REQUEST,
				       "annotation '%s': names with io.teu. are the engine's own",
				       h->annotations.v[i].key);
	if (!h->log)
		return 0;
	if (!str_is_one_of(h->log->type ? h->log->type : "", drivers))
		return err_set(
			err, ERR_UNSUPPORTED,
			"LogConfig: log driver '%s' is not supported; json-file and none are",
			h->log->type);
	for (size_t i = 0; i < h->log->config.n; i++)
		if (!str_is_one_of(h->log->config.v[i].key, log_options))
			return err_set(err, ERR_UNSUPPORTED,
				       "LogConfig: log option '%s' is not supported; max-size and "
				       "max-file are",
				       h->log->config.v[i].key);
	return check_log_options(h->log, err);
}

static int check_spec(const struct create_spec *s, struct arena *a, struct err *err)
{
	int r;

	r = refuse_unsupported(s, err);
	if (r < 0)
		return r;
	r = check_mounts(&s->host, a, err);
	if (r == 0)
		r = check_resources(&s->host, err);
	if (r == 0)
		r = check_ulimits(&s->host, err);
	if (r == 0)
		r = check_modes(&s->host, err);
	if (r == 0)
		r = check_sharing(s, err);
	if (r == 0)
		r = check_endpoints(s, err);
	if (r == 0)
		r = check_process(s, err);
	return r < 0 ? r : check_policy(&s->host, err);
}

/* ---- reading and writing ---- */

/* As Go: member names in any case. docker takes a plain string where Cmd or Entrypoint is a list of
 * one. */
static void string_to_list(struct doc *obj, struct arena *a, struct slice key)
{
	DOC_EACH_MEMBER (k, v, obj) {
		struct doc one = doc_array();

		if (!slice_ieq(doc_slice(k), key) || !doc_is(v, DOC_STRING))
			continue;
		doc_append(a, &one, *v);
		*v = one;
	}
}

static int decode_parts(const struct doc *config, const struct doc *host, const struct doc *net,
			struct arena *a, struct create_spec *ret, struct err *err)
{
	struct schema_opts o = { .icase = true, .code = ERR_BAD_REQUEST };
	static const struct doc empty = { .type = DOC_OBJECT };
	int r;

	*ret = (struct create_spec){ 0 };
	r = schema_decode(&container_config_schema, config, a, &ret->config, &o, err);
	if (r < 0)
		return r;
	o.root = "HostConfig";
	r = schema_decode(&host_config_schema, host ? host : &empty, a, &ret->host, &o, err);
	if (r < 0)
		return r;
	o.root = "NetworkingConfig";
	return schema_decode(&networking_config_schema, net ? net : &empty, a, &ret->networking, &o,
			     err);
}

int create_spec_decode(const struct doc *d, struct arena *a, struct create_spec *ret,
		       struct err *err)
{
	struct doc *copy, *host, *net;
	int r;

	if (!doc_is(d, DOC_OBJECT))
		return err_set(err, ERR_BAD_REQUEST,
			       "config cannot be empty in order to create a container");
	copy = doc_copy_shared(a, d);
	string_to_list(copy, a, SLICE("Cmd"));
	string_to_list(copy, a, SLICE("Entrypoint"));
	if (arena_exceeded(a))
		return arena_quota(a, err);
	host = doc_get(copy, "HostConfig");
	net = doc_get(copy, "NetworkingConfig");
	r = decode_parts(copy, doc_is(host, DOC_OBJECT) ? host : NULL,
			 doc_is(net, DOC_OBJECT) ? net : NULL, a, ret, err);
	if (r < 0)
		return r;
	return check_spec(ret, a, err);
}

int create_spec_encode(const struct create_spec *s, struct arena *a, struct doc *config,
		       struct doc *host, struct err *err)
{
	int r;

	r = schema_encode(&container_config_schema, &s->config, a, config, err);
	if (r < 0)
		return r;
	return schema_encode(&host_config_schema, &s->host, a, host, err);
}

int create_spec_load(const struct doc *config, const struct doc *host, struct arena *a,
		     struct create_spec *ret, struct err *err)
{
	return decode_parts(config, host, NULL, a, ret, err);
}
