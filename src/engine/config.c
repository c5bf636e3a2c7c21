/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of docker's create body, and the one list of what is refused by name.
 * Rows stand in the order in which docker writes them, which is the order of inspect.
 */
#include "engine/config.h"

#include "base/arena.h"
#include "base/err.h"

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

static int check_mounts(const struct host_config *h, struct err *err)
{
	for (size_t i = 0; i < h->mounts.n; i++) {
		const struct mount_spec *m = &h->mounts.v[i];

		if (!is_set(m->type))
			return err_set(err, ERR_BAD_REQUEST,
				       "invalid mount config: mount type is required");
		if (strcmp(m->type, "bind") != 0 && strcmp(m->type, "tmpfs") != 0)
			return err_set(err, ERR_UNSUPPORTED,
				       "Mounts[%zu]: mounts of type '%s' are not supported yet; "
				       "bind and tmpfs are",
				       i, m->type);
		if (!is_set(m->target) || m->target[0] != '/')
			return err_set(err, ERR_BAD_REQUEST,
				       "invalid mount config for type \"%s\": invalid mount path: "
				       "'%s' mount path must be absolute",
				       m->type, m->target ? m->target : "");
		if (strcmp(m->type, "bind") == 0 && (!is_set(m->source) || m->source[0] != '/'))
			return err_set(err, ERR_BAD_REQUEST,
				       "invalid mount config for type \"bind\": invalid mount "
				       "path: '%s' mount path must be absolute",
				       m->source ? m->source : "");
		if (strcmp(m->type, "tmpfs") == 0 && is_set(m->source))
			return err_set(err, ERR_BAD_REQUEST,
				       "invalid mount config for type \"tmpfs\": field Source must "
				       "not be specified");
	}
	for (size_t i = 0; i < h->binds.n; i++) {
		struct slice rest = slice_str(h->binds.v[i]);
		struct slice src = slice_split(&rest, ':');

		if (src.n == 0 || rest.n == 0)
			return err_set(err, ERR_BAD_REQUEST, "invalid volume specification: '%s'",
				       h->binds.v[i]);
		if (src.p[0] != '/')
			return err_set(err, ERR_UNSUPPORTED,
				       "Binds: '%s': named volumes are not supported yet; bind a "
				       "directory of the host",
				       h->binds.v[i]);
	}
	return 0;
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
	if (h->nano_cpus < 0 || h->nano_cpus > 1024LL * 1000000000LL)
		return err_set(err, ERR_BAD_REQUEST, "range of CPUs is from 0.01 to 1024.00");
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
	if (h->blkio_weight && h->blkio_weight < 10)
		return err_set(err, ERR_BAD_REQUEST, "range of blkio weight is from 10 to 1000");
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
	return 0;
}

static int check_spec(const struct create_spec *s, struct err *err)
{
	int r;

	r = refuse_unsupported(s, err);
	if (r < 0)
		return r;
	r = check_mounts(&s->host, err);
	if (r < 0)
		return r;
	r = check_resources(&s->host, err);
	if (r < 0)
		return r;
	return check_policy(&s->host, err);
}

/* ---- reading and writing ---- */

/* docker takes a plain string where Cmd or Entrypoint is a list of one. */
static void string_to_list(struct doc *obj, struct arena *a, const char *key)
{
	struct doc *v = doc_get(obj, key);
	struct doc one = doc_array();

	if (!doc_is(v, DOC_STRING))
		return;
	doc_append(a, &one, *v);
	*v = one;
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
	string_to_list(copy, a, "Cmd");
	string_to_list(copy, a, "Entrypoint");
	if (arena_exceeded(a))
		return arena_quota(a, err);
	host = doc_get(copy, "HostConfig");
	net = doc_get(copy, "NetworkingConfig");
	r = decode_parts(copy, doc_is(host, DOC_OBJECT) ? host : NULL,
			 doc_is(net, DOC_OBJECT) ? net : NULL, a, ret, err);
	if (r < 0)
		return r;
	return check_spec(ret, err);
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
