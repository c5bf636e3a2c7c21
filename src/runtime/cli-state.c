/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about what is there: state, kill, delete, pause, resume, list, ps. */
#include "runtime/cli.h"

#include "base/arena.h"
#include "base/fd.h"
#include "doc/json.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <string.h>

extern char **environ;
static const char *const outputs[] = { "table", "json", NULL };

static int state_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(RT_CONFIG_MAX);
	int r;

	r = cli_open(call, &c, err);
	if (r >= 0)
		r = rt_state_json(c, true, &out, err);
	buf_addc(&out, '\n');
	if (r >= 0)
		r = cli_print(&out, err);
	return cli_finish(call, r, err);
}

struct kill_opts {
	bool all;
};
static const struct opt kill_opts[] = {
	OPT(struct kill_opts, BOOL, all, "all", 'a', "to every process of its cgroup"),
	OPT_NOT_SUPPORTED(BOOL, "regex", 'r', "name the container"), OPT_END
};

static int kill_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	struct kill_opts *o = call->opts;
	int r, signo = SIGTERM;

	r = call->nargs > 1 ? rt_signal(call->args[1], &signo, err) : 0;
	if (r >= 0)
		r = cli_open(call, &c, err);
	if (r >= 0)
		r = rt_kill(c, signo, o->all, err);
	return cli_finish(call, r, err);
}

struct delete_opts {
	bool force;
};
static const struct opt delete_opts[] = {
	OPT(struct delete_opts, BOOL, force, "force", 'f',
	    "kill it first; an unknown id is no error"),
	OPT_NOT_SUPPORTED(BOOL, "regex", 'r', "name the container"), OPT_END
};

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

	r = cli_open(call, &c, err);
	if (r == -ERR_NOT_FOUND && o->force)
		return cli_finish(call, delete_broken(g, call->args[0], err), err);
	if (r >= 0)
		r = rt_delete(c, o->force, err);
	return cli_finish(call, r, err);
}

static int freeze(struct cmd_call *call, bool frozen, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	int r;

	r = cli_open(call, &c, err);
	if (r >= 0)
		r = rt_pause(c, frozen, err);
	return cli_finish(call, r, err);
}

static int pause_run(struct cmd_call *call, struct err *err)
{
	return freeze(call, true, err);
}

static int resume_run(struct cmd_call *call, struct err *err)
{
	return freeze(call, false, err);
}

/* ---- list ---- */

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
	if (r >= 0 && arena_exceeded(a))
		r = arena_quota(a, err);
	if (r >= 0)
		r = cli_print(&out, err);
	return cli_finish(call, r, err);
}

/* ---- ps ---- */

struct ps_opts {
	const char *format;
};
static const struct opt ps_opts[] = { OPT_CHOICE(struct ps_opts, format, "format", 'f', outputs,
						 "table (of ps) or json (pids)"),
				      OPT_END };

struct ps_child {
	char **argv;
	int out;
	int error; /* errno of a failed exec */
};

/* Shares our memory: only system calls. */
static int ps_child(void *arg)
{
	static const char *const dirs[] = { "/bin/ps", "/usr/bin/ps" };
	struct ps_child *c = arg;

	(void)proc_reset_signals(NULL); /* it would run all the same */
	if (sys_dup3(c->out, 1, 0) >= 0)
		for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
			sys_execveat(AT_FDCWD, dirs[i], c->argv, environ, 0);
	c->error = errno;
	return 127;
}

/* The host's ps with the caller's options (-ef without any), as runc does. */
static int ps_output(struct cmd_call *call, struct buf *out, struct err *err)
{
	static char *const usual[] = { "ps", "-ef", NULL };
	struct proc p = { .pidfd = -1 };
	struct proc_exit e = { 0 };
	struct ps_child c = { 0 };
	int fds[2], r;
	ssize_t n;

	c.argv = (char **)(call->nargs > 1 ? call->args : usual);
	if (call->nargs > 1)
		c.argv[0] = "ps";
	if (sys_pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe for ps");
	c.out = fds[1];
	r = proc_clone(
		&(struct proc_clone){ .fn = ps_child, .arg = &c, .cgroup_fd = -1, .shared = true },
		&p, err);
	fd_close(fds[1]);
	do {
		n = r >= 0 && buf_room(out, 4096) ? read(fds[0], out->p + out->n, 4096) : 0;
		out->n += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	fd_close(fds[0]);
	if (r >= 0)
		r = proc_wait(p.pidfd, -1, &e, err);
	proc_fini(&p);
	if (r < 0)
		return r;
	if (c.error)
		return err_sysc(err, ERR_UNAVAILABLE, c.error,
				"run ps (use --format json where there is none)");
	if (e.signalled || e.status)
		return err_set(err, ERR_SYSTEM, "ps has failed with status %d", e.status);
	return out->full ? err_set(err, ERR_TOO_LARGE, "the output of ps is too long") : 0;
}

/* The n-th word of a line; the first is 0. */
static struct slice word(struct slice line, unsigned n)
{
	for (;; n--) {
		size_t skip = 0, len = 0;

		while (skip < line.n && strchr(" \t", line.p[skip]))
			skip++;
		while (skip + len < line.n && !strchr(" \t", line.p[skip + len]))
			len++;
		if (!n || skip + len == line.n)
			return n ? slice_of(NULL, 0) : slice_of(line.p + skip, len);
		line = slice_of(line.p + skip + len, line.n - skip - len);
	}
}

static bool has_pid(const pid_t *v, size_t n, struct slice text)
{
	uint64_t pid;

	if (str_uint64(text, &pid, NULL) < 0)
		return false;
	while (n && (uint64_t)v[n - 1] != pid)
		n--;
	return n;
}

/* Its heading, and the lines of our pids. */
static int ps_table(struct cmd_call *call, const pid_t *v, size_t n, struct buf *out,
		    struct err *err)
{
	CLEANUP(buf_fini) struct buf all = BUF_INIT(64u << 20);
	struct slice rest, line, name;
	unsigned column = 0;
	int r;

	r = ps_output(call, &all, err);
	if (r < 0)
		return r;
	rest = buf_slice(&all);
	line = slice_split(&rest, '\n');
	do
		name = word(line, column++);
	while (name.p && !slice_is(name, "PID"));
	if (!name.p)
		return err_set(err, ERR_INVALID, "ps: its output has no column PID");
	for (bool head = true; line.p; head = false, line = slice_split(&rest, '\n'))
		if (head || has_pid(v, n, word(line, column - 1)))
			buf_addf(out, "%.*s\n", (int)line.n, line.p);
	return 0;
}

static int ps_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(64u << 20);
	struct ps_opts *o = call->opts;
	size_t n = 0;
	pid_t *v;
	int r;

	r = cli_open(call, &c, err);
	if (r >= 0)
		r = rt_pids(c, call->arena, &v, &n, err);
	if (r >= 0 && (!o->format || strcmp(o->format, "json"))) {
		r = ps_table(call, v, n, &out, err);
	} else if (r >= 0) {
		buf_addc(&out, '[');
		for (size_t i = 0; i < n; i++)
			buf_addf(&out, "%s%d", i ? "," : "", (int)v[i]);
		buf_adds(&out, "]\n");
	}
	if (r >= 0)
		r = cli_print(&out, err);
	return cli_finish(call, r, err);
}

const struct cmd cli_state = CLI_CMD("state", "ID", "Print a container's state as JSON",
				     struct cli_none, NULL, 1, 1, state_run);
const struct cmd cli_kill =
	CLI_CMD("kill", "[OPTIONS] ID [SIGNAL]", "Send a signal (default TERM) to init",
		struct kill_opts, kill_opts, 1, 2, kill_run);
const struct cmd cli_delete = CLI_CMD("delete", "[OPTIONS] ID", "Remove a stopped container",
				      struct delete_opts, delete_opts, 1, 1, delete_run);
const struct cmd cli_pause = CLI_CMD("pause", "ID", "Freeze all processes of a container",
				     struct cli_none, NULL, 1, 1, pause_run);
const struct cmd cli_resume =
	CLI_CMD("resume", "ID", "Thaw a paused container", struct cli_none, NULL, 1, 1, resume_run);
const struct cmd cli_list = CLI_CMD("list", "[OPTIONS]", "List containers", struct list_opts,
				    list_opts, 0, 0, list_run);
const struct cmd cli_ps = {
	.path = "ps",
	.args = "[OPTIONS] ID [PS-OPTION...]",
	.help = "List the processes of a container",
	.opts = ps_opts,
	.opts_size = sizeof(struct ps_opts),
	.min = 1,
	.max = UINT8_MAX,
	.flags = CMD_OPTS_FIRST,
	.run = ps_run,
};
