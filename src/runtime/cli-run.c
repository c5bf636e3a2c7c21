/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that start programs: create, start, run, exec. */
#include "runtime/cli.h"

#include "base/arena.h"
#include "base/fd.h"
#include "linux/proc.h"
#include "runtime/notify.h"
#include "runtime/relay.h"

#include <string.h>

bool cli_enters_container(const struct cmd *cmd)
{
	return cmd == &cli_create || cmd == &cli_run || cmd == &cli_exec || cmd == &cli_restore;
}

/* ---- create, run, start ---- */

struct create_opts {
	const char *bundle, *config, *console, *pid_file, *pidfd_socket;
	bool no_pivot, no_keyring, detach, keep, no_subreaper;
	int64_t preserve;
};

#define CREATE_OPTS                                                            \
	OPT(struct create_opts, STR, bundle, "bundle", 'b',                    \
	    "directory with config.json (default: here)"),                     \
		OPT(struct create_opts, STR, console, "console-socket", 0,     \
		    "socket that gets the terminal's master fd"),              \
		OPT(struct create_opts, STR, pid_file, "pid-file", 0,          \
		    "file to write the pid of init to"),                       \
		OPT(struct create_opts, BOOL, no_pivot, "no-pivot", 0,         \
		    "do not use pivot_root (for a ramdisk)"),                  \
		OPT(struct create_opts, BOOL, no_keyring, "no-new-keyring", 0, \
		    "keep the caller's session keyring"),                      \
		OPT(struct create_opts, INT, preserve, "preserve-fds", 0,      \
		    "how many fds from 3 on are passed in"),                   \
		OPT(struct create_opts, STR, config, "config", 'f',            \
		    "config file (default: config.json of the bundle)"),       \
		OPT(struct create_opts, STR, pidfd_socket, "pidfd-socket", 0,  \
		    "socket that gets a pidfd of init")

static const struct opt create_opts[] = { CREATE_OPTS, OPT_END };
static const struct opt run_opts[] = {
	CREATE_OPTS, OPT(struct create_opts, BOOL, detach, "detach", 'd', "return when it runs"),
	OPT(struct create_opts, BOOL, keep, "keep", 0, "keep the state after its end"),
	OPT(struct create_opts, BOOL, no_subreaper, "no-subreaper", 0,
	    "orphans of the container are not ours"),
	OPT_END
};

static int create_of(struct cmd_call *call, uint32_t flags, struct rt_container **ret,
		     struct err *err)
{
	struct create_opts *o = call->opts;
	struct global *g = call->global;
	CLEANUP(buf_fini) struct buf config = BUF_INIT(RT_CONFIG_MAX);
	struct rt_create c = RT_CREATE_INIT;
	int r = cli_check_preserve(o->preserve, err);

	if (r >= 0 && o->config)
		r = fd_read_file(AT_FDCWD, o->config, &config, err);
	if (r < 0)
		return r;
	if (o->config)
		c.config = slice_of(buf_str(&config), config.n);
	c.id = call->args[0];
	c.bundle = o->bundle;
	c.console_socket = o->console;
	c.pid_file = o->pid_file;
	c.preserve_fds = (unsigned)o->preserve;
	c.flags = flags | RT_NOTIFY | (o->no_pivot ? RT_NO_PIVOT : 0) |
		  (o->no_keyring ? RT_NO_NEW_KEYRING : 0);
	if (flags & RT_RAW_CONSOLE)
		relay_size(&c.rows, &c.cols);
	r = rt_create(&g->host, &c, ret, err);
	if (r < 0 || !o->pidfd_socket)
		return r;
	r = rt_send_fd(o->pidfd_socket, (*ret)->pidfd, "pidfd", err);
	if (r < 0)
		(void)rt_delete(*ret, true, NULL); /* nobody would know of it */
	return r;
}

static int create_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	int r;

	r = create_of(call, RT_LISTEN, &c, err);
	return cli_finish(call, r, err);
}

/* With $NOTIFY_SOCKET `start` returns when the program is ready, as a service manager expects. */
static int start(struct rt_container *c, bool wait, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	int r = notify_listen(c, &fd, err);

	if (r >= 0)
		r = rt_start(c, err);
	if (r < 0 || fd < 0)
		return r;
	return wait ? notify_wait(c, fd, err) : notify_watch(c, fd, err);
}

static int start_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	int r = cli_open(call, &c, err);

	if (r >= 0)
		r = start(c, true, err);
	return cli_finish(call, r, err);
}

static int foreground(struct rt_container *c, bool keep, int signals, struct err *err)
{
	struct err del = ERR_INIT;
	int code;

	code = relay_wait(c->pidfd, c->console, signals, err);
	if (!keep && rt_delete(c, true, &del) < 0 && code >= 0) {
		*err = del;
		return err_ret(err);
	}
	return code;
}

static int run_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	CLEANUP(fd_close) int signals = -1;
	struct create_opts *o = call->opts;
	int r = 0;

	if (!o->detach) {
		r = relay_signals(&signals, err);
		if (r >= 0 && !o->no_subreaper)
			r = proc_set_subreaper(true, err);
	}
	if (r >= 0)
		r = create_of(call, o->detach || o->console ? 0 : RT_RAW_CONSOLE, &c, err);
	if (r < 0)
		return cli_finish(call, r, err);
	r = start(c, o->detach, err);
	if (r < 0) {
		(void)rt_delete(c, true, NULL); /* the failure of the start is the one to tell */
		return cli_finish(call, r, err);
	}
	return cli_finish(call, o->detach ? 0 : foreground(c, o->keep, signals, err), err);
}

/* ---- exec ---- */

struct exec_opts {
	const char *process, *console, *pid_file, *cwd, *user, *label, *apparmor, *pidfd_socket;
	struct opt_list env, groups, caps, cgroups;
	bool detach, tty, nnp, ignore_paused;
	int64_t preserve;
};
static const struct opt exec_opts[] = {
	OPT(struct exec_opts, STR, process, "process", 'p', "file with the process as JSON"),
	OPT(struct exec_opts, BOOL, detach, "detach", 'd', "return when it runs"),
	OPT(struct exec_opts, BOOL, tty, "tty", 't', "with a terminal"),
	OPT(struct exec_opts, STR, console, "console-socket", 0,
	    "socket that gets the terminal's master fd"),
	OPT(struct exec_opts, STR, pid_file, "pid-file", 0, "file to write the pid to"),
	OPT(struct exec_opts, STR, cwd, "cwd", 0, "working directory"),
	OPT(struct exec_opts, LIST, env, "env", 'e', "NAME=VALUE to add"),
	OPT(struct exec_opts, STR, user, "user", 'u', "uid[:gid]"),
	OPT(struct exec_opts, LIST, groups, "additional-gids", 'g', "supplementary group"),
	OPT(struct exec_opts, LIST, caps, "cap", 'c', "capability to add"),
	OPT(struct exec_opts, BOOL, nnp, "no-new-privs", 0, "set no_new_privs"),
	OPT(struct exec_opts, INT, preserve, "preserve-fds", 0,
	    "how many fds from 3 on are passed in"),
	OPT(struct exec_opts, BOOL, ignore_paused, "ignore-paused", 0,
	    "also in a paused container"),
	OPT(struct exec_opts, STR, label, "process-label", 0, "SELinux label"),
	OPT(struct exec_opts, STR, apparmor, "apparmor", 0, "AppArmor profile"),
	OPT(struct exec_opts, LIST, cgroups, "cgroup", 0,
	    "[CONTROLLER[,...]:]PATH below the container's cgroup"),
	OPT(struct exec_opts, STR, pidfd_socket, "pidfd-socket", 0,
	    "socket that gets a pidfd of the process"),
	OPT_END
};

/* NULL-terminated copy; NULL when the list is empty. */
static const char *const *terminated(struct arena *a, const struct opt_list *l)
{
	const char **v;

	if (!l->n)
		return NULL;
	v = ARENA_ARRAY(a, const char *, l->n + 1);
	for (size_t i = 0; v && i < l->n; i++)
		v[i] = l->v[i];
	return v;
}

static const char *joined(struct arena *a, const struct opt_list *l)
{
	const char *s = NULL;

	for (size_t i = 0; i < l->n; i++)
		s = s ? arena_printf(a, "%s,%s", s, l->v[i]) : l->v[i];
	return s;
}

static int exec_request(struct cmd_call *call, struct buf *file, struct rt_exec *x, struct err *err)
{
	struct exec_opts *o = call->opts;
	int r = cli_check_preserve(o->preserve, err);

	if (r < 0)
		return r;
	if (o->process) {
		if (call->nargs > 1)
			return err_set(err, ERR_INVALID,
				       "exec: --process and a command exclude one another");
		r = fd_read_file(AT_FDCWD, o->process, file, err);
		if (r < 0)
			return err_wrap(err, "--process");
		x->process = buf_slice(file);
		if (!x->process.p)
			return err_set(err, ERR_INVALID, "--process '%s' is empty", o->process);
	} else if (call->nargs < 2) {
		return err_set(err, ERR_INVALID, "exec: a command or --process is needed");
	}
	x->args = (const char *const *)call->args + 1;
	x->cwd = o->cwd;
	x->env = terminated(call->arena, &o->env);
	x->caps = terminated(call->arena, &o->caps);
	x->groups = joined(call->arena, &o->groups);
	x->user = o->user;
	x->label = o->label;
	x->apparmor = o->apparmor;
	x->cgroups = terminated(call->arena, &o->cgroups);
	x->no_new_privs = o->nnp ? 1 : -1;
	x->terminal = o->tty ? 1 : -1;
	x->console_socket = o->console;
	x->pid_file = o->pid_file;
	x->preserve_fds = (unsigned)o->preserve;
	x->flags = (o->ignore_paused ? RT_IGNORE_PAUSED : 0) |
		   (o->detach || o->console ? 0 : RT_RAW_CONSOLE);
	if (x->flags & RT_RAW_CONSOLE)
		relay_size(&x->rows, &x->cols);
	return 0;
}

static int exec_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	CLEANUP(buf_fini) struct buf file = BUF_INIT(RT_CONFIG_MAX);
	CLEANUP(fd_close) int signals = -1;
	struct exec_opts *o = call->opts;
	struct rt_exec x = RT_EXEC_INIT;
	struct rt_proc p = { .pidfd = -1, .console = -1 };
	int r;

	r = exec_request(call, &file, &x, err);
	if (r >= 0)
		r = cli_open(call, &c, err);
	if (r >= 0 && !o->detach)
		r = relay_signals(&signals, err);
	if (r >= 0)
		r = rt_exec(c, &x, &p, err);
	if (r >= 0 && o->pidfd_socket) {
		r = rt_send_fd(o->pidfd_socket, p.pidfd, "pidfd", err);
		if (r < 0)
			(void)proc_signal(p.pidfd, SIGKILL, NULL); /* nobody would know of it */
	}
	if (r >= 0 && !o->detach)
		r = relay_wait(p.pidfd, p.console, signals, err);
	fd_close(p.pidfd);
	fd_close(p.console);
	return cli_finish(call, r, err);
}

const struct cmd cli_create =
	CLI_CMD("create", "[OPTIONS] ID", "Make a container that waits for its start",
		struct create_opts, create_opts, 1, 1, create_run);
const struct cmd cli_start = CLI_CMD("start", "ID", "Run the program of a created container",
				     struct cli_none, NULL, 1, 1, start_run);
const struct cmd cli_run = CLI_CMD("run", "[OPTIONS] ID", "Create, start, wait and delete",
				   struct create_opts, run_opts, 1, 1, run_run);
const struct cmd cli_exec = {
	.path = "exec",
	.args = "[OPTIONS] ID [COMMAND [ARG...]]",
	.help = "Run a further process in a container",
	.opts = exec_opts,
	.opts_size = sizeof(struct exec_opts),
	.min = 1,
	.max = UINT8_MAX,
	.flags = CMD_OPTS_FIRST,
	.run = exec_run,
};
