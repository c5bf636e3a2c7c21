/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of `teu-oci`: what engines (containerd's shim, conmon, dockerd) run, one row per
 * command.
 *
 * Errors go to --log (text or JSON, as runc's) and as a plain line to stderr. What belongs to a
 * later stage is listed and refused by name.
 */
#include "runtime/rt.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/cmd.h"
#include "base/fd.h"
#include "base/log.h"
#include "doc/json.h"
#include "linux/proc.h"
#include "linux/sys.h"
#include "runtime/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT_DEFAULT "/run/teu-oci"

static const char *const log_formats[] = { "text", "json", NULL };
static const char *const yes_no[] = { "true", "false", "auto", NULL };
static const char *const managers[] = { "cgroupfs", NULL };
static const char *const outputs[] = { "table", "json", NULL };

/* ---- global ---- */

struct global {
	const char *root, *log, *log_format, *rootless, *manager;
	bool debug;
	struct rt_host host;
	int log_fd;
};

static const struct opt global_opts[] = {
	OPT(struct global, STR, root, "root", 0, "directory of container state"),
	OPT(struct global, STR, log, "log", 0, "file that errors and warnings are added to"),
	OPT_CHOICE(struct global, log_format, "log-format", 0, log_formats, "text or json"),
	OPT(struct global, BOOL, debug, "debug", 0, "log more"),
	OPT_CHOICE(struct global, rootless, "rootless", 0, yes_no, "true is not supported yet"),
	OPT_CHOICE(struct global, manager, "cgroup-manager", 0, managers, "only cgroupfs"),
	OPT_NOT_SUPPORTED(BOOL, "systemd-cgroup", 0,
			  "cgroups are made in the file system, not by systemd"),
	OPT_NOT_SUPPORTED(STR, "criu", 0, "checkpoint and restore come later"),
	OPT_END
};

static const char *stamp(char dst[CLOCK_TEXT_MAX])
{
	int64_t now = clock_real();

	return clock_rfc3339nano(dst, now - now % NS_PER_SEC);
}

static void log_line(struct global *g, const char *level, const char *msg)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(16384);
	char time[CLOCK_TEXT_MAX];

	if (g->log_fd < 0)
		return;
	if (g->log_format && !strcmp(g->log_format, "json")) {
		buf_addf(&b, "{\"level\":\"%s\",\"msg\":", level);
		(void)json_write_string(&b, slice_str(msg), false);
		buf_addf(&b, ",\"time\":\"%s\"}\n", stamp(time));
	} else {
		buf_addf(&b, "time=\"%s\" level=%s msg=", stamp(time), level);
		(void)json_write_string(&b, slice_str(msg), false);
		buf_addc(&b, '\n');
	}
	(void)fd_write_all(g->log_fd, b.p,
			   b.n); /* a log that cannot be written must not fail the command */
}

static void on_warn(void *arg, const char *msg)
{
	struct global *g = arg;

	log_line(g, "warning", msg);
	if (g->log_fd < 0)
		dprintf(2, "teu-oci: warning: %s\n", msg);
}

static int before(struct cmd_call *call, struct err *err)
{
	struct global *g = call->global;

	g->log_fd = -1;
	if (g->log) {
		g->log_fd = sys_openat(AT_FDCWD, g->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
				       0644);
		if (g->log_fd < 0)
			return err_sys(err, "open the log '%s'", g->log);
	}
	log_setup("oci", 2, g->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
	g->host = (struct rt_host){ .root = g->root && g->root[0] ? g->root : ROOT_DEFAULT,
				    .warn = on_warn,
				    .arg = g };
	if (g->rootless && !strcmp(g->rootless, "true"))
		return err_set(err, ERR_UNSUPPORTED, "--rootless=true is not supported yet");
	if (geteuid() != 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "running as uid %u is not supported yet: run as root",
			       (unsigned)geteuid());
	return 0;
}

static int finish(struct cmd_call *call, int r, struct err *err)
{
	struct global *g = call->global;

	if (r >= 0)
		return r;
	log_line(g, "error", err->msg);
	dprintf(2, "teu-oci: %s\n", err->msg);
	return rt_exit_code(err);
}

/* ---- create, run, start ---- */

struct create_opts {
	const char *bundle, *console, *pid_file;
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
		OPT_NOT_SUPPORTED(STR, "pidfd-socket", 0, "hand-over of a pidfd comes later")

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
	struct rt_create c = RT_CREATE_INIT;

	if (o->preserve < 0 || o->preserve > 64)
		return err_set(err, ERR_INVALID, "--preserve-fds %lld: 0 to 64 are possible",
			       (long long)o->preserve);
	c.id = call->args[0];
	c.bundle = o->bundle;
	c.console_socket = o->console;
	c.pid_file = o->pid_file;
	c.preserve_fds = (unsigned)o->preserve;
	c.flags = flags | (o->no_pivot ? RT_NO_PIVOT : 0) | (o->no_keyring ? RT_NO_NEW_KEYRING : 0);
	if (flags & RT_RAW_CONSOLE)
		relay_size(&c.rows, &c.cols);
	return rt_create(&g->host, &c, ret, err);
}

static int create_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	int r;

	r = create_of(call, RT_LISTEN, &c, err);
	return finish(call, r, err);
}

static int start_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	struct global *g = call->global;
	int r;

	r = rt_open(&g->host, call->args[0], &c, err);
	if (r >= 0)
		r = rt_start(c, err);
	return finish(call, r, err);
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
		return finish(call, r, err);
	r = rt_start(c, err);
	if (r < 0) {
		(void)rt_delete(c, true, NULL); /* the failure of the start is the one to tell */
		return finish(call, r, err);
	}
	return finish(call, o->detach ? 0 : foreground(c, o->keep, signals, err), err);
}

/* ---- state, kill, delete, pause ---- */

static int state_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(RT_CONFIG_MAX);
	struct global *g = call->global;
	int r;

	r = rt_open(&g->host, call->args[0], &c, err);
	if (r >= 0)
		r = rt_state_json(c, true, &out, err);
	if (r >= 0)
		buf_addc(&out, '\n');
	if (r >= 0 && fd_write_all(1, out.p, out.n) < 0)
		r = err_sys(err, "write the state");
	return finish(call, r, err);
}

struct kill_opts {
	bool all;
};
static const struct opt kill_opts[] = {
	OPT(struct kill_opts, BOOL, all, "all", 'a', "to every process of its cgroup"), OPT_END
};

static int kill_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	struct kill_opts *o = call->opts;
	struct global *g = call->global;
	int r, signo = SIGTERM;

	r = call->nargs > 1 ? rt_signal(call->args[1], &signo, err) : 0;
	if (r >= 0)
		r = rt_open(&g->host, call->args[0], &c, err);
	if (r >= 0)
		r = rt_kill(c, signo, o->all, err);
	return finish(call, r, err);
}

struct delete_opts {
	bool force;
};
static const struct opt delete_opts[] = { OPT(struct delete_opts, BOOL, force, "force", 'f',
					      "kill it first; an unknown id is no error"),
					  OPT_END };

/* A directory that a killed create left has no record to open. */
static int delete_broken(struct global *g, const char *id, struct err *err)
{
	struct rt_container c = { .host = &g->host,
				  .id = (char *)id,
				  .dirfd = -1,
				  .pidfd = -1,
				  .console = -1,
				  .start_fd = -1 };
	int r;

	r = state_open_dir(&g->host, id, false, &c.dirfd, err);
	if (r == -ERR_NOT_FOUND)
		return 0;
	if (r >= 0)
		r = rt_delete(&c, true, err);
	fd_close(c.dirfd);
	return r;
}

static int delete_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	struct delete_opts *o = call->opts;
	struct global *g = call->global;
	int r;

	r = rt_open(&g->host, call->args[0], &c, err);
	if (r == -ERR_NOT_FOUND && o->force)
		return finish(call, delete_broken(g, call->args[0], err), err);
	if (r >= 0)
		r = rt_delete(c, o->force, err);
	return finish(call, r, err);
}

static int freeze(struct cmd_call *call, bool frozen, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	struct global *g = call->global;
	int r;

	r = rt_open(&g->host, call->args[0], &c, err);
	if (r >= 0)
		r = rt_pause(c, frozen, err);
	return finish(call, r, err);
}

static int pause_run(struct cmd_call *call, struct err *err)
{
	return freeze(call, true, err);
}

static int resume_run(struct cmd_call *call, struct err *err)
{
	return freeze(call, false, err);
}

/* ---- exec ---- */

struct exec_opts {
	const char *process, *console, *pid_file, *cwd, *user;
	struct opt_list env, groups, caps;
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
	OPT_NOT_SUPPORTED(STR, "process-label", 0, "give it in the file of --process"),
	OPT_NOT_SUPPORTED(STR, "apparmor", 0, "give it in the file of --process"),
	OPT_NOT_SUPPORTED(LIST, "cgroup", 0, "a process joins the container's own cgroup"),
	OPT_NOT_SUPPORTED(STR, "pidfd-socket", 0, "hand-over of a pidfd comes later"),
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
	int r;

	if (o->preserve < 0 || o->preserve > 64)
		return err_set(err, ERR_INVALID, "--preserve-fds %lld: 0 to 64 are possible",
			       (long long)o->preserve);
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
	struct global *g = call->global;
	struct rt_exec x = RT_EXEC_INIT;
	struct rt_proc p = { .pidfd = -1, .console = -1 };
	int r;

	r = exec_request(call, &file, &x, err);
	if (r >= 0)
		r = rt_open(&g->host, call->args[0], &c, err);
	if (r >= 0 && !o->detach)
		r = relay_signals(&signals, err);
	if (r >= 0)
		r = rt_exec(c, &x, &p, err);
	if (r >= 0 && !o->detach)
		r = relay_wait(p.pidfd, p.console, signals, err);
	fd_close(p.pidfd);
	fd_close(p.console);
	return finish(call, r, err);
}

/* ---- list, ps, features, spec ---- */

struct list_opts {
	const char *format;
	bool quiet;
};
static const struct opt list_opts[] = {
	OPT_CHOICE(struct list_opts, format, "format", 'f', outputs, "table or json"),
	OPT(struct list_opts, BOOL, quiet, "quiet", 'q', "only the ids"), OPT_END
};

struct listing {
	struct arena *arena;
	struct buf *out;
	const struct list_opts *o;
	struct doc *json;
	struct err *err;
};

static int list_one(struct rt_container *c, void *arg)
{
	struct listing *l = arg;
	struct rt_info i;
	struct doc *d, *notes;

	if (rt_info(c, l->arena, &i, NULL) < 0) /* deleted while we looked */
		return 0;
	if (l->o->quiet) {
		buf_addf(l->out, "%s\n", i.id);
	} else if (!l->json) {
		buf_addf(l->out, "%-36s %-10d %-10s %-40s %-32s %s\n", i.id, (int)i.pid,
			 rt_status_name(i.status), i.bundle, i.created, i.owner);
	} else {
		d = doc_append_object(l->arena, l->json);
		doc_set_str(l->arena, d, "ociVersion", i.oci_version);
		doc_set_str(l->arena, d, "id", i.id);
		doc_set_int(l->arena, d, "pid", i.pid);
		doc_set_str(l->arena, d, "status", rt_status_name(i.status));
		doc_set_str(l->arena, d, "bundle", i.bundle);
		doc_set_str(l->arena, d, "rootfs", i.rootfs);
		doc_set_str(l->arena, d, "created", i.created);
		if (i.annotations.n && json_read(l->arena, i.annotations, NULL, &notes, NULL) >= 0)
			doc_set(l->arena, d, "annotations", *notes);
		doc_set_str(l->arena, d, "owner", i.owner);
	}
	return 0;
}

static int list_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(64u << 20);
	struct list_opts *o = call->opts;
	struct global *g = call->global;
	bool json = o->format && !strcmp(o->format, "json") && !o->quiet;
	CLEANUP(arena_free) struct arena *a = arena_new("list of containers", 64u << 20);
	struct listing l = {
		.arena = a, .out = &out, .o = o, .json = json ? doc_new_array(a) : NULL
	};
	int r;

	if (!json && !o->quiet)
		buf_addf(&out, "%-36s %-10s %-10s %-40s %-32s %s\n", "ID", "PID", "STATUS",
			 "BUNDLE", "CREATED", "OWNER");
	r = rt_list(&g->host, list_one, &l, err);
	if (r >= 0 && json)
		r = json_write(l.json, NULL, &out, err);
	if (r >= 0 && json)
		buf_addc(&out, '\n');
	if (r >= 0 && (out.full || arena_exceeded(a)))
		r = err_set(err, ERR_TOO_LARGE, "the list of containers is too long");
	if (r >= 0 && fd_write_all(1, buf_str(&out), out.n) < 0)
		r = err_sys(err, "write the list");
	return finish(call, r, err);
}

static int ps_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(16u << 20);
	struct list_opts *o = call->opts;
	struct global *g = call->global;
	bool json = o->format && !strcmp(o->format, "json");
	size_t n = 0;
	pid_t *v;
	int r;

	if (!json)
		return finish(
			call,
			err_set(err, ERR_UNSUPPORTED, "ps: only --format json is supported yet"),
			err);
	r = rt_open(&g->host, call->args[0], &c, err);
	if (r >= 0)
		r = rt_pids(c, call->arena, &v, &n, err);
	buf_addc(&out, '[');
	for (size_t i = 0; r >= 0 && i < n; i++)
		buf_addf(&out, "%s%d", i ? "," : "", (int)v[i]);
	buf_adds(&out, "]\n");
	if (r >= 0 && fd_write_all(1, out.p, out.n) < 0)
		r = err_sys(err, "write the list");
	return finish(call, r, err);
}

static int features_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1u << 20);
	int r;

	r = rt_features(&out, err);
	if (r >= 0)
		buf_addc(&out, '\n');
	if (r >= 0 && fd_write_all(1, out.p, out.n) < 0)
		r = err_sys(err, "write the features");
	return finish(call, r, err);
}

static int later_run(struct cmd_call *call, struct err *err)
{
	return finish(call,
		      err_set(err, ERR_UNSUPPORTED, "%s is not supported yet", call->cmd->path),
		      err);
}

static const struct opt ps_opts[] = { OPT_CHOICE(struct list_opts, format, "format", 'f', outputs,
						 "json (table comes later)"),
				      OPT_END };

#define CMD(path_, args_, help_, T, opts_, min_, max_, fn)                  \
	{                                                                   \
		.path = path_, .args = args_, .help = help_, .opts = opts_, \
		.opts_size = sizeof(T), .min = min_, .max = max_, .run = fn \
	}
struct none {
	char unused;
};

static const struct cmd create_cmd =
	CMD("create", "[OPTIONS] ID", "Make a container that waits for its start",
	    struct create_opts, create_opts, 1, 1, create_run);
static const struct cmd start_cmd = CMD("start", "ID", "Run the program of a created container",
					struct none, NULL, 1, 1, start_run);
static const struct cmd run_cmd = CMD("run", "[OPTIONS] ID", "Create, start, wait and delete",
				      struct create_opts, run_opts, 1, 1, run_run);
static const struct cmd state_cmd =
	CMD("state", "ID", "Print a container's state as JSON", struct none, NULL, 1, 1, state_run);
static const struct cmd kill_cmd =
	CMD("kill", "[OPTIONS] ID [SIGNAL]", "Send a signal (default TERM) to init",
	    struct kill_opts, kill_opts, 1, 2, kill_run);
static const struct cmd delete_cmd = CMD("delete", "[OPTIONS] ID", "Remove a stopped container",
					 struct delete_opts, delete_opts, 1, 1, delete_run);
static const struct cmd exec_cmd = {
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
static const struct cmd list_cmd =
	CMD("list", "[OPTIONS]", "List containers", struct list_opts, list_opts, 0, 0, list_run);
static const struct cmd ps_cmd = CMD("ps", "[OPTIONS] ID", "List the processes of a container",
				     struct list_opts, ps_opts, 1, UINT8_MAX, ps_run);
static const struct cmd pause_cmd = CMD("pause", "ID", "Freeze all processes of a container",
					struct none, NULL, 1, 1, pause_run);
static const struct cmd resume_cmd =
	CMD("resume", "ID", "Thaw a paused container", struct none, NULL, 1, 1, resume_run);
static const struct cmd features_cmd = CMD("features", "", "Print what this runtime can do as JSON",
					   struct none, NULL, 0, 0, features_run);
#define LATER(path_)                                                                    \
	{                                                                               \
		.path = path_, .args = "...", .help = "not supported yet", .min = 0,    \
		.max = UINT8_MAX, .opts_size = 1, .flags = CMD_HIDDEN | CMD_OPTS_FIRST, \
		.run = later_run                                                        \
	}
static const struct cmd update_cmd = LATER("update");
static const struct cmd events_cmd = LATER("events");
static const struct cmd spec_cmd = LATER("spec");
static const struct cmd checkpoint_cmd = LATER("checkpoint");
static const struct cmd restore_cmd = LATER("restore");

static const struct cmd *const cmds[] = {
	&create_cmd, &start_cmd,  &run_cmd,  &state_cmd,      &kill_cmd,    &delete_cmd,
	&exec_cmd,   &list_cmd,	  &ps_cmd,   &pause_cmd,      &resume_cmd,  &features_cmd,
	&update_cmd, &events_cmd, &spec_cmd, &checkpoint_cmd, &restore_cmd,
};
static const struct cmd_program program = {
	.name = "teu-oci",
	.summary = "OCI container runtime",
	.version = TEU_VERSION,
	.global_opts = global_opts,
	.global_size = sizeof(struct global),
	.cmds = cmds,
	.ncmds = ARRAY_LEN(cmds),
	.usage_status = 1,
};

static const char *const with_value[] = { "--root",	      "--log", "--log-format", "--rootless",
					  "--cgroup-manager", NULL };

/* Index of the command's word in argv, 0 when there is none: needed before options are parsed. */
static int find_word(int argc, char **argv, const struct cmd **ret)
{
	*ret = NULL;
	for (int i = 1; i < argc; i++) {
		if (str_is_one_of(argv[i], with_value)) {
			i++;
		} else if (argv[i][0] != '-') {
			for (size_t k = 0; k < ARRAY_LEN(cmds); k++)
				if (!strcmp(cmds[k]->path, argv[i]))
					*ret = cmds[k];
			return i;
		}
	}
	return 0;
}

static int print_version(void)
{
	printf("teu-oci version %s\nspec: %s\n", TEU_VERSION, RT_SPEC_VERSION);
	return 0;
}

int rt_main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	const struct cmd *cmd;
	int word, status;

	for (int i = 1; i < argc && argv[i][0] == '-'; i++)
		if (!strcmp(argv[i], "--version") || !strcmp(argv[i], "-v"))
			return print_version();
	word = find_word(argc, argv, &cmd);
	/* The arguments of a command that comes later are cut off: its own options meet no parser,
	 * only the refusal. */
	if (cmd && cmd->run == later_run) {
		argc = word + 1;
		argv[argc] = NULL;
	}
	if (cmd && (cmd->run == create_run || cmd->run == run_run || cmd->run == exec_run) &&
	    rt_protect_self(argv, &err) < 0) {
		dprintf(2, "teu-oci: %s\n", err.msg);
		return 1;
	}
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	status = cmd_main(&program, argc, argv, before, &err);
	if (status >= 0)
		return status;
	dprintf(2, "teu-oci: %s\n", err.msg); /* by before(): no command has told it */
	return rt_exit_code(&err);
}
