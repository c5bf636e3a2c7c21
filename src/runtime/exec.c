/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A further process in a container, the side of who asks: join.c enters the namespaces; the process
 * is in the cgroup before the program is there.
 *
 * What the process is comes whole from the caller (engines do so) or is the container's own process
 * with changes. Seccomp always is the container's.
 */
#include "runtime/group.h"
#include "runtime/join.h"
#include "runtime/rt.h"

#include "base/arena.h"
#include "base/fd.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX (64u << 20)

struct exec {
	struct rt_container *c;
	const struct rt_exec *o;
	struct arena *arena;
	struct state s;
	struct conf conf;
	struct conf_process process;
	struct seccomp_prog prog;
	struct group group;
	struct init in;
	struct proc joiner, proc;
	struct serve serve;
	struct state_view view;
	int sock, pidfd, pid_ns;
};

static int merge_env(struct exec *e, struct err *err)
{
	const struct strs *old = &e->process.env;
	size_t more = 0, n = 0;
	const char **v;

	while (e->o->env && e->o->env[more])
		more++;
	if (!more)
		return 0;
	v = ARENA_ARRAY(e->arena, const char *, old->n + more);
	if (!v)
		return arena_quota(e->arena, err);
	for (size_t i = 0; i < old->n; i++) {
		bool replaced = false;

		for (size_t k = 0; k < more; k++) {
			size_t len = strcspn(e->o->env[k], "=");

			replaced = replaced || (!strncmp(old->v[i], e->o->env[k], len) &&
						old->v[i][len] == '=');
		}
		if (!replaced)
			v[n++] = old->v[i];
	}
	for (size_t k = 0; k < more; k++)
		v[n++] = e->o->env[k];
	e->process.env = (struct strs){ v, n };
	return 0;
}

static int parse_user(struct exec *e, struct err *err)
{
	struct slice rest = slice_str(e->o->user), part = slice_split(&rest, ':');
	uint64_t uid, gid = 0;

	if (str_uint64(part, &uid, NULL) < 0 || uid > UINT32_MAX - 1 ||
	    (rest.p && (str_uint64(rest, &gid, NULL) < 0 || gid > UINT32_MAX - 1)))
		return err_set(err, ERR_INVALID,
			       "user '%s' is not of the form uid[:gid] in numbers", e->o->user);
	e->process.user.uid = (uint32_t)uid;
	e->process.user.gid = (uint32_t)gid;
	e->process.user.groups.n = 0;
	return 0;
}

static int parse_groups(struct exec *e, struct err *err)
{
	struct slice rest = slice_str(e->o->groups);
	size_t n = 1, k = 0;
	uint32_t *v;

	for (const char *p = e->o->groups; *p; p++)
		n += *p == ',';
	v = ARENA_ARRAY(e->arena, uint32_t, n);
	if (!v)
		return arena_quota(e->arena, err);
	while (rest.p) {
		uint64_t g;

		if (str_uint64(slice_split(&rest, ','), &g, NULL) < 0 || g > UINT32_MAX - 1)
			return err_set(err, ERR_INVALID,
				       "groups '%s': numbers with commas between them are wanted",
				       e->o->groups);
		v[k++] = (uint32_t)g;
	}
	e->process.user.groups.v = v;
	e->process.user.groups.n = k;
	return 0;
}

static int more_caps(struct exec *e, const struct strs *old, struct strs *ret, struct err *err)
{
	size_t more = 0;
	const char **v;

	while (e->o->caps[more])
		more++;
	v = ARENA_ARRAY(e->arena, const char *, old->n + more);
	if (!v)
		return arena_quota(e->arena, err);
	for (size_t i = 0; i < old->n; i++)
		v[i] = old->v[i];
	for (size_t i = 0; i < more; i++)
		v[old->n + i] = e->o->caps[i];
	*ret = (struct strs){ v, old->n + more };
	return 0;
}

static int all_caps(struct exec *e, struct conf_caps *c, struct err *err)
{
	const char **v = ARENA_ARRAY(e->arena, const char *, caps_known());

	if (!v)
		return arena_quota(e->arena, err);
	for (unsigned i = 0; i < caps_known(); i++)
		v[i] = caps_name(i);
	c->bounding = c->permitted = c->effective = (struct strs){ v, caps_known() };
	return 0;
}

static int change_caps(struct exec *e, struct err *err)
{
	struct conf_caps *c;
	int r = 0;

	if (!e->o->caps && !(e->o->flags & RT_EXEC_PRIVILEGED))
		return 0;
	c = ARENA_NEW(e->arena, struct conf_caps);
	if (!c)
		return arena_quota(e->arena, err);
	if (e->process.caps)
		*c = *e->process.caps;
	if (e->o->flags & RT_EXEC_PRIVILEGED)
		r = all_caps(e, c, err);
	if (r >= 0 && e->o->caps) {
		r = more_caps(e, &c->bounding, &c->bounding, err);
		if (r >= 0)
			r = more_caps(e, &c->permitted, &c->permitted, err);
		if (r >= 0)
			r = more_caps(e, &c->effective, &c->effective, err);
	}
	e->process.caps = c;
	return r;
}

static void labels(struct exec *e)
{
	if (e->o->label)
		e->process.selinux = e->o->label;
	if (e->o->apparmor)
		e->process.apparmor = e->o->apparmor;
}

/* The process: whole from the caller, or the container's own with changes. */
static int make_process(struct exec *e, struct err *err)
{
	const struct rt_exec *o = e->o;
	size_t n = 0;
	int r;

	if (o->process.p) {
		r = conf_read_process(o->process, e->arena, &e->process, err);
		if (r >= 0 && o->terminal >= 0)
			e->process.terminal = o->terminal;
		labels(e);
		return r < 0 ? r : change_caps(e, err);
	}
	if (e->conf.process)
		e->process = *e->conf.process;
	else
		e->process.cwd = "/";
	while (o->args && o->args[n])
		n++;
	e->process.args = (struct strs){ (const char **)o->args, n };
	e->process.terminal = o->terminal > 0;
	if (o->cwd)
		e->process.cwd = o->cwd;
	if (e->process.cwd[0] != '/')
		return err_set(err, ERR_INVALID, "working directory '%s' is not an absolute path",
			       e->process.cwd);
	if (o->no_new_privs >= 0)
		e->process.no_new_privs = o->no_new_privs;
	labels(e);
	r = merge_env(e, err);
	if (r >= 0 && o->user)
		r = parse_user(e, err);
	if (r >= 0 && o->groups)
		r = parse_groups(e, err);
	if (r >= 0)
		r = change_caps(e, err);
	return r < 0 ? r : conf_check_process(&e->process, err);
}

static int load(struct exec *e, struct err *err)
{
	struct rt_container *c = e->c;
	bool tty, asked = e->o->console_socket || (e->o->flags & RT_RAW_CONSOLE);
	int r;

	r = state_read(c->dirfd, e->arena, &e->s, err);
	if (r >= 0)
		r = proc_open(e->s.pid, e->s.start, &e->pidfd, err);
	if (r == -ERR_NOT_FOUND && e->s.id)
		return err_set(err, ERR_CONFLICT,
			       "cannot exec in a stopped container: container not running");
	if (r >= 0)
		r = conf_read(e->s.config, e->arena, &e->conf, err);
	if (r >= 0)
		r = make_process(e, err);
	if (r >= 0)
		r = lsm_check(&e->process, NULL, err);
	if (r >= 0)
		r = rt_check_kept_fds(rt_listen_fds() + e->o->preserve_fds, err);
	if (r < 0)
		return r;
	tty = e->process.terminal;
	if (tty && !asked)
		return err_set(err, ERR_INVALID,
			       "a terminal needs a console socket (--console-socket)");
	if (!tty && e->o->console_socket)
		return err_set(err, ERR_INVALID,
			       "a console socket is given but no terminal is asked for");
	return seccomp_of_conf(c->host, &e->conf, e->arena, &e->prog, err);
}

static int open_cgroup(struct exec *e, struct err *err)
{
	int r;

	if (!e->s.cgroup)
		return 0;
	r = group_open(e->s.cgroup, &e->group, err);
	if (r < 0)
		return r;
	if (!(e->o->flags & RT_IGNORE_PAUSED) && cgroup_frozen(e->group.cgroup, NULL) > 0)
		return err_set(
			err, ERR_CONFLICT,
			"cannot exec in a paused container (use --ignore-paused to override)");
	return 0;
}

static int open_namespaces(struct exec *e, struct err *err)
{
	int r = join_targets(&e->conf, e->s.pid, &e->in, &e->pid_ns, err);

	if (r < 0)
		return r;
	/* They were opened by its number: that was its own if it still lives. */
	if (proc_poll(e->pidfd, 0, NULL) != 1)
		return err_set(err, ERR_CONFLICT,
			       "cannot exec in a stopped container: container not running");
	return 0;
}

static void prepare_init(struct exec *e)
{
	e->in.conf = &e->conf;
	e->in.process = &e->process;
	e->in.seccomp = &e->prog;
	e->in.arena = e->arena;
	e->in.id = e->c->id;
	e->in.exec = true;
	e->in.target = e->pidfd;
	memcpy(e->in.stdio, e->o->stdio, sizeof(e->in.stdio));
	e->in.rows = e->o->rows ? e->o->rows : e->process.console.height;
	e->in.cols = e->o->cols ? e->o->cols : e->process.console.width;
	e->in.listen_fds = rt_listen_fds();
	e->in.keep_fds = e->in.listen_fds + e->o->preserve_fds;
	e->in.flags = e->o->flags | RT_NO_NEW_KEYRING; /* it shares the container's */
}

static void kill_process(struct exec *e)
{
	if (e->proc.pidfd < 0)
		return;
	(void)proc_signal(e->proc.pidfd, SIGKILL, NULL); /* may have ended by itself */
	(void)proc_wait(e->proc.pidfd, -1, &(struct proc_exit){ 0 }, NULL);
}

static int start(struct exec *e, struct err *err)
{
	const struct join j = {
		.pid_ns = e->pid_ns,
	};
	int pair[2], r;

	if (sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "make a socket pair");
	e->sock = pair[0];
	e->in.sync = pair[1];
	r = join_start(&j, &e->in, &e->joiner, err);
	fd_close(e->in.sync);
	e->in.sync = -1;
	if (r < 0)
		return r;
	e->view = (struct state_view){ .oci_version = e->s.oci_version,
				       .id = e->s.id,
				       .bundle = e->s.bundle,
				       .status = RT_RUNNING,
				       .annotations = &e->conf.annotations };
	e->serve = (struct serve){ .host = e->c->host,
				   .sock = e->sock,
				   .conf = e->prog.notify ? &e->conf : NULL,
				   .view = &e->view,
				   .console = -1 };
	r = join_await(&e->serve, &e->joiner, &e->proc, err);
	e->view.pid = e->proc.pid;
	return r;
}

/* The parent's part while the child enters: cgroup, score, then the word to go on. */
static int settle(struct exec *e, int *ret_console, struct err *err)
{
	struct err gone = ERR_INIT;
	int fds[CGROUP_ENTER_FDS_MAX];
	struct sync_cgroup cg = { .dirs = "", .fds = fds };
	int r = 0;

	if (e->o->cgroups) {
		r = subgroup_enter(&e->group, e->o->cgroups, e->proc.pid, err);
	} else if (e->group.cgroup &&
		   (e->in.user_ns || join_needs_help(e->group.cgroup, &e->process))) {
		r = cgroup_add(e->group.cgroup, e->proc.pid, err);
	} else if (e->group.cgroup) {
		r = cgroup_open_procs(e->group.cgroup, err);
		cg.n = r < 0 ? 0 : cgroup_enter_fds(e->group.cgroup, fds, ARRAY_LEN(fds));
	}
	if (r >= 0 && e->process.oom_score_adj.set) {
		char text[16];

		(void)snprintf(text, sizeof(text), "%d", (int)e->process.oom_score_adj.v);
		if (proc_write_attr(e->proc.pid, "oom_score_adj", text, NULL) < 0)
			rt_warn(e->c->host, "process.oomScoreAdj %s left as it is", text);
	}
	/* Before the word to go on: a program that is fast must find its pid in the file when it
	 * looks. */
	if (r >= 0 && e->o->pid_file)
		r = rt_write_pid_file(e->o->pid_file, e->proc.pid, err);
	if (r < 0)
		return r;
	/* EPIPE: it has failed already, and why is still in the socket. */
	if (sync_send_cgroup(e->sock, &cg, &gone) < 0 && gone.sys != EPIPE) {
		if (err)
			*err = gone;
		return err_ret(&gone);
	}
	r = rt_serve(&e->serve, err);
	return r < 0 ? r
		     : rt_give_console(&e->serve, e->o->console_socket, e->o->flags, ret_console,
				       err);
}

static int run(struct exec *e, struct rt_proc *ret, struct err *err)
{
	int console = -1, r;

	r = proc_set_dumpable(false, err); /* see init.c (2) */
	if (r >= 0)
		r = load(e, err);
	if (r >= 0)
		r = open_cgroup(e, err);
	if (r >= 0)
		r = open_namespaces(e, err);
	if (r < 0)
		return r;
	prepare_init(e);
	r = start(e, err);
	if (r >= 0)
		r = settle(e, &console, err);
	fd_close(e->serve.console);
	if (r < 0) {
		kill_process(e);
		if (e->o->pid_file)
			(void)unlink(e->o->pid_file); /* ours, if it is there */
		return r;
	}
	*ret = (struct rt_proc){ e->proc.pid, STEAL_FD(e->proc.pidfd), console };
	return 0;
}

int rt_exec(struct rt_container *c, const struct rt_exec *o, struct rt_proc *ret, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("exec", ARENA_MAX);
	struct exec *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		abort();
	e->c = c;
	e->o = o;
	e->arena = a;
	e->in = INIT_INIT;
	e->sock = e->pidfd = e->pid_ns = e->proc.pidfd = e->joiner.pidfd = -1;
	e->serve.console = -1;
	r = run(e, ret, err);
	if (r < 0 && err)
		err->causes = NULL; /* they were in the arena */
	fd_close(e->sock);
	fd_close(e->pidfd);
	fd_close(e->pid_ns);
	fd_close(e->in.root);
	proc_fini(&e->proc);
	group_fini(&e->group);
	seccomp_prog_fini(&e->prog);
	free(e);
	return r < 0 ? r : 0;
}
