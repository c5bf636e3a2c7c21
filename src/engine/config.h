/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container is asked to be: docker's Config, HostConfig and NetworkingConfig as structs with
 * one schema table each, read from request bodies, kept in engine.db as the same JSON, and written
 * back by inspect. Names and meaning: Docker Engine API 1.50. Not thread safe; a decoded spec
 * borrows from its arena.
 */
#pragma once

#include "doc/schema.h"

struct arena;
struct doc;
struct err;
struct image;

struct healthcheck {
	struct strs test;
	int64_t interval, timeout, start_period, start_interval; /* ns */
	int64_t retries;
};

struct container_config {
	const char *hostname, *domainname, *user;
	bool attach_stdin, attach_stdout, attach_stderr, tty, open_stdin, stdin_once;
	const struct doc *exposed_ports; /* {"80/tcp": {}} */
	struct strs env;
	struct strs cmd, entrypoint;
	struct healthcheck *healthcheck;
	bool args_escaped, network_disabled;
	const char *image;
	const struct doc *volumes; /* {"/data": {}} */
	const char *workdir, *mac;
	struct strs on_build;
	struct str_map labels;
	const char *stop_signal;
	struct opt_int stop_timeout; /* seconds */
	struct strs shell;
};

struct log_config {
	const char *type;
	struct str_map config;
};
struct restart_policy {
	const char *name; /* "", "no", "always", "unless-stopped", "on-failure" */
	int64_t max_retries;
};
struct bind_options {
	const char *propagation;
	bool non_recursive, create_mountpoint, ro_non_recursive, ro_force_recursive;
};
struct tmpfs_options {
	int64_t size;
	struct opt_uint mode;
	const struct doc *options; /* [["noexec"],["uid","1000"]] */
};
struct mount_spec {
	const char *type, *source, *target, *consistency;
	bool read_only;
	struct bind_options *bind;
	struct tmpfs_options *tmpfs;
	const struct doc *volume, *image, *cluster; /* present = refused by name */
};
struct device_spec {
	const char *host, *container, *permissions;
};
struct weight_device {
	const char *path;
	int64_t weight;
};
struct throttle_device {
	const char *path;
	uint64_t rate;
};
struct ulimit_spec {
	const char *name;
	int64_t soft, hard; /* -1 = unlimited */
};

struct host_config {
	struct strs binds;
	const char *container_id_file;
	struct log_config *log;
	const char *network_mode;
	const struct doc *port_bindings;
	struct restart_policy restart;
	bool auto_remove, privileged, publish_all, read_only;
	const char *volume_driver;
	struct strs volumes_from;
	LIST_OF(struct mount_spec) mounts;
	LIST_OF(int64_t) console_size; /* height, width */
	struct str_map annotations;
	struct strs cap_add, cap_drop;
	const char *cgroupns_mode;
	struct strs dns, dns_options, dns_search, extra_hosts, group_add, links;
	const char *ipc_mode, *cgroup, *pid_mode, *uts_mode, *userns_mode, *runtime, *isolation;
	int64_t oom_score_adj;
	struct strs security_opt;
	struct str_map storage_opt;
	struct str_map tmpfs;
	int64_t shm_size;
	struct str_map sysctls;
	const struct doc *masked_paths, *readonly_paths; /* null = the default set, [] = none */
	/* Resources */
	int64_t cpu_shares, memory, nano_cpus, cpu_period, cpu_quota, cpu_rt_period, cpu_rt_runtime;
	const char *cgroup_parent, *cpuset_cpus, *cpuset_mems;
	int64_t blkio_weight, kernel_memory, kernel_memory_tcp, memory_reservation, memory_swap;
	LIST_OF(struct weight_device) blkio_weight_device;
	LIST_OF(struct throttle_device) read_bps, write_bps, read_iops, write_iops;
	LIST_OF(struct device_spec) devices;
	struct strs device_cgroup_rules;
	const struct doc *device_requests;
	struct opt_int memory_swappiness, pids_limit;
	struct opt_bool oom_kill_disable, init;
	LIST_OF(struct ulimit_spec) ulimits;
	int64_t cpu_count, cpu_percent, io_max_iops, io_max_bandwidth; /* Windows */
};

struct ipam_config {
	const char *ipv4, *ipv6;
	struct strs link_local;
};
struct endpoint_config {
	struct ipam_config *ipam;
	struct strs links, aliases;
	const char *mac;
	struct str_map driver_opts;
	int64_t gw_priority;
};
struct networking_config {
	MAP_OF(struct endpoint_config) endpoints;
};

struct create_spec {
	struct container_config config;
	struct host_config host;
	struct networking_config networking;
	const char *platform; /* "os[/arch[/variant]]" of the image; NULL = any. Not of the body */
};

extern const struct schema container_config_schema, host_config_schema, networking_config_schema;

/*
 * Reads the body of POST /containers/create (Config's fields with HostConfig and NetworkingConfig
 * beside them), checks it whole and refuses by name what this engine does not do. ret borrows from
 * d and a. Fails with BAD_REQUEST (message as docker's where clients show it) or UNSUPPORTED.
 */
int create_spec_decode(const struct doc *d, struct arena *a, struct create_spec *ret,
		       struct err *err);
/* A number of LogConfig.Config, checked by decode: bytes ("10m") or files. */
int64_t log_option(const struct host_config *h, const char *key, int64_t fallback);
/* The two objects of inspect (and of engine.db): every field docker shows, in its order. */
int create_spec_encode(const struct create_spec *s, struct arena *a, struct doc *config,
		       struct doc *host, struct err *err);
/* Back from engine.db: the two objects (trusted as far as decode trusts). */
int create_spec_load(const struct doc *config, const struct doc *host, struct arena *a,
		     struct create_spec *ret, struct err *err);
