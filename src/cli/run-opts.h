/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of `run` and `create`, and the body of POST /containers/create that they stand for.
 * What is not given is not sent: the engine knows its defaults.
 */
#pragma once

#include "base/cmd.h"

#include <stdbool.h>

struct arena;
struct doc;
struct err;

struct run_opts {
	struct opt_list add_host, annotation, attach, cap_add, cap_drop, device, device_rule, dns,
		dns_option, dns_search, env, env_file, expose, group_add, label, label_file,
		log_opt, mount, read_bps, read_iops, write_bps, write_iops, security_opt, sysctl,
		tmpfs, ulimit, volume;
	const char *cgroup_parent, *cgroupns, *cidfile, *cpuset_cpus, *cpuset_mems, *detach_keys,
		*domainname, *entrypoint, *hostname, *ipc, *log_driver, *name, *network, *pid,
		*platform, *pull, *restart, *runtime, *stop_signal, *user, *userns, *uts, *workdir;
	int64_t blkio_weight, cpu_period, cpu_quota, cpu_shares, memory, memory_reservation,
		memory_swap, memory_swappiness, oom_score_adj, pids_limit, shm_size, stop_timeout;
	double cpus;
	bool detach, interactive, no_healthcheck, oom_kill_disable, privileged, quiet, lazy,
		lazy_early, read_only, rm, sig_proxy, tty;
	bool has_swappiness, has_stop_timeout, has_pids_limit, has_entrypoint, has_sig_proxy,
		has_oom_kill_disable;
};
extern const struct opt run_opts[], create_opts[];

/* What of the container's streams the client joins. */
struct run_attach {
	bool in, out, err;
};

/*
 * args: image, command... INVALID or UNSUPPORTED names the option. The environment and files that
 * options name are read here. rows and cols: of our terminal, 0 = none.
 */
int run_body(struct arena *a, const struct run_opts *o, char *const *args, unsigned rows,
	     unsigned cols, struct doc **ret, struct err *err);
/* CONFLICT for options that exclude each other. */
int run_attach_of(const struct run_opts *o, struct run_attach *ret, struct err *err);

/* Lines of --env-file: "K=V", "K" from our environment, "#" comments. Appends to the array. */
int run_env_file(struct arena *a, const char *path, struct doc *env, struct err *err);
/* "K=V" as it is, "K" with its value here, nothing if it has none. */
int run_env_add(struct arena *a, struct doc *env, const char *word, struct err *err);
