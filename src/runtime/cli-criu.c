/* SPDX-License-Identifier: Apache-2.0 */
/* Commands by criu: checkpoint, restore. */
#include "runtime/cli.h"

#include "base/fd.h"
#include "linux/proc.h"
#include "runtime/criu.h"
#include "runtime/relay.h"

#include <string.h>

/* Order of cgroup_modes. */
static const enum criu_cgroups cgroup_values[] = { CRIU_CG_SOFT, CRIU_CG_FULL, CRIU_CG_STRICT,
						   CRIU_CG_IGNORE };
static const char *const cgroup_modes[] = { "soft", "full", "strict", "ignore", NULL };

struct criu_cli {
	struct criu_opts c;
	const char *cgroups, *status_fd, *bundle, *console, *pid_file;
	struct opt_list empty_ns;
	bool detach, no_pivot, no_subreaper;
};

#define COMMON_OPTS                                                                               \
	OPT(struct criu_cli, STR, c.images, "image-path", 0, "directory of the images"),          \
		OPT(struct criu_cli, STR, c.work, "work-path", 0, "directory of criu's log"),     \
		OPT(struct criu_cli, BOOL, c.tcp_established, "tcp-established", 0,               \
		    "keep open TCP connections"),                                                 \
		OPT(struct criu_cli, BOOL, c.ext_unix_sk, "ext-unix-sk", 0,                       \
		    "keep Unix sockets of others"),                                               \
		OPT(struct criu_cli, BOOL, c.shell_job, "shell-job", 0, "keep a terminal"),       \
		OPT(struct criu_cli, BOOL, c.file_locks, "file-locks", 0, "keep file locks"),     \
		OPT(struct criu_cli, BOOL, c.link_remap, "link-remap", 0, "keep unlinked files"), \
		OPT(struct criu_cli, BOOL, c.lazy_pages, "lazy-pages", 0,                         \
		    "memory comes when it is used"),                                              \
		OPT(struct criu_cli, BOOL, c.auto_dedup, "auto-dedup", 0,                         \
		    "drop what later images have"),                                               \
		OPT(struct criu_cli, LIST, empty_ns, "empty-ns", 0,                               \
		    "network: leave its content out"),                                            \
		OPT_CHOICE(struct criu_cli, cgroups, "manage-cgroups-mode", 0, cgroup_modes,      \
			   "what criu does with cgroups")

static const struct opt checkpoint_opts[] = {
	COMMON_OPTS,
	OPT(struct criu_cli, STR, c.parent, "parent-path", 0, "images of an earlier pre-dump"),
	OPT(struct criu_cli, BOOL, c.leave_running, "leave-running", 0, "it runs on"),
	OPT(struct criu_cli, BOOL, c.tcp_skip_in_flight, "tcp-skip-in-flight", 0,
	    "leave TCP connections out that are being made"),
	OPT(struct criu_cli, BOOL, c.pre_dump, "pre-dump", 0, "memory only, it runs on"),
	OPT(struct criu_cli, STR, c.page_server, "page-server", 0, "ADDRESS:PORT that takes pages"),
	OPT(struct criu_cli, STR, status_fd, "status-fd", 0,
	    "fd that is told when pages are ready"),
	OPT_END
};
static const struct opt restore_opts[] = {
	COMMON_OPTS,
	OPT(struct criu_cli, STR, bundle, "bundle", 'b',
	    "directory with config.json (default: here)"),
	OPT(struct criu_cli, STR, console, "console-socket", 0,
	    "socket that gets the terminal's master fd"),
	OPT(struct criu_cli, STR, pid_file, "pid-file", 0, "file to write the pid of init to"),
	OPT(struct criu_cli, BOOL, detach, "detach", 'd', "return when it runs"),
	OPT(struct criu_cli, BOOL, no_subreaper, "no-subreaper", 0,
	    "orphans of the container are not ours"),
	OPT(struct criu_cli, BOOL, no_pivot, "no-pivot", 0, "refused: criu always pivots"),
	OPT(struct criu_cli, BOOL, c.tcp_close, "tcp-close", 0, "close TCP connections"),
	OPT(struct criu_cli, STR, c.lsm_profile, "lsm-profile", 0, "type:label for its processes"),
	OPT(struct criu_cli, STR, c.lsm_mount_context, "lsm-mount-context", 0,
	    "SELinux context for its mounts"),
	OPT_END
};

static int finish_opts(struct cmd_call *call, struct criu_opts *c, struct err *err)
{
	struct criu_cli *o = call->opts;
	struct global *g = call->global;
	uint64_t fd;

	*c = o->c;
	c->program = g->criu;
	c->status_fd = -1;
	c->cgroups = CRIU_CG_SOFT;
	for (size_t i = 0; o->cgroups && i < ARRAY_LEN(cgroup_values); i++)
		if (!strcmp(o->cgroups, cgroup_modes[i]))
			c->cgroups = cgroup_values[i];
	for (size_t i = 0; i < o->empty_ns.n; i++) {
		if (strcmp(o->empty_ns.v[i], "network"))
			return err_set(err, ERR_INVALID, "--empty-ns '%s': only network can be",
				       o->empty_ns.v[i]);
		c->empty_net = true;
	}
	if (!o->status_fd)
		return 0;
	if (str_uint64(slice_str(o->status_fd), &fd, NULL) < 0 || fd < 3 || fd > 1023 ||
	    fd_set_cloexec((int)fd, true) < 0)
		return err_set(err, ERR_INVALID, "--status-fd '%s' is not an open fd above 2",
			       o->status_fd);
	c->status_fd = (int)fd;
	return 0;
}

static int checkpoint_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	struct criu_opts opts;
	int r;

	r = finish_opts(call, &opts, err);
	if (r >= 0)
		r = cli_open(call, &c, err);
	if (r >= 0)
		r = rt_checkpoint(c, &opts, err);
	return cli_finish(call, r, err);
}

static int restore_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	CLEANUP(fd_close) int signals = -1;
	struct rt_create create = RT_CREATE_INIT;
	struct criu_cli *o = call->opts;
	struct global *g = call->global;
	struct criu_opts opts;
	int r;

	create.id = call->args[0];
	create.bundle = o->bundle;
	create.console_socket = o->console;
	create.pid_file = o->pid_file;
	create.flags = o->detach || o->console ? 0 : RT_RAW_CONSOLE;
	r = finish_opts(call, &opts, err);
	if (r >= 0 && o->no_pivot)
		r = err_set(err, ERR_UNSUPPORTED,
			    "restore --no-pivot: criu enters a restored root by pivot_root(2) "
			    "alone; leave the option out");
	if (r >= 0 && !o->detach)
		r = relay_signals(&signals, err);
	if (r >= 0 && !o->detach && !o->no_subreaper)
		r = proc_set_subreaper(true, err);
	if (r >= 0)
		r = rt_restore(&g->host, &create, &opts, &c, err);
	if (r >= 0 && !o->detach) {
		r = relay_wait(c->pidfd, c->console, signals, err);
		if (rt_delete(c, true, r < 0 ? NULL : err) < 0 && r >= 0)
			r = err_ret(err);
	}
	return cli_finish(call, r, err);
}

const struct cmd cli_checkpoint =
	CLI_CMD("checkpoint", "[OPTIONS] ID", "Write a running container to images (by criu)",
		struct criu_cli, checkpoint_opts, 1, 1, checkpoint_run);
const struct cmd cli_restore =
	CLI_CMD("restore", "[OPTIONS] ID", "Make a container of images (by criu)", struct criu_cli,
		restore_opts, 1, 1, restore_run);
