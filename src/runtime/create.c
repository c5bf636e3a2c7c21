/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creation of a container, the parent's side: a table of steps, each undone when a later one fails,
 * so that a failed create leaves no process, mount, cgroup, namespace, fd or file.
 *
 * (1) init is cloned before the cgroups exist: the kernel makes its network namespace and mounts on
 * one CPU while the cgroups are made on another. It joins before anything of the container runs in
 * it. (2) Whatever fails after the clone is undone through init's pidfd; init also dies with us
 * (parent death signal, or the closed socket).
 */
#include "runtime/create-private.h"
#include "runtime/notify.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/step.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define ARENA_MAX (64u << 20)

/* ---- before init ---- */

static void rerun_poststop(struct create *c)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(RT_CONFIG_MAX);
	struct err err = ERR_INIT;

	if (!c->hooked || !c->conf.hooks.kind[HOOK_POSTSTOP].n)
		return;
	c->view.status = RT_STOPPED;
	c->view.pid = 0;
	if (state_view_json(&c->view, false, &b, &err) < 0 ||
	    hooks_run(&c->conf.hooks, HOOK_POSTSTOP, buf_slice(&b), &err) < 0)
		rt_warn(c->host, "%s", err.msg);
}

static int step_state(void *arg, struct err *err)
{
	struct create *c = arg;

	int r = state_make_dir(c->host, c->o->id, &c->dirfd, err);

	if (r < 0 || !(c->o->flags & RT_NOTIFY) || !notify_host())
		return r;
	r = notify_prepare(&c->conf, c->dirfd, c->arena, err);
	if (r < 0)
		(void)state_remove(c->host, c->o->id, c->dirfd, NULL); /* the first counts */
	return r;
}

static void undo_state(void *arg)
{
	struct create *c = arg;
	struct err err = ERR_INIT;

	rerun_poststop(c);
	if (state_remove(c->host, c->o->id, c->dirfd, &err) < 0)
		rt_warn(c->host, "left behind: %s", err.msg);
}

/* By its /proc name a socket fits into sun_path however long the state root is. */
static int step_listen(void *arg, struct err *err)
{
	struct create *c = arg;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (!(c->o->flags & RT_LISTEN))
		return 0;
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/start.sock", c->dirfd);
	c->in.listen = sys_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (c->in.listen < 0 || sys_bind(c->in.listen, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    sys_listen(c->in.listen, 1) < 0)
		return err_sys(err, "make the socket for start");
	return 0;
}

static int step_seccomp(void *arg, struct err *err)
{
	struct create *c = arg;
	int r;

	r = lsm_check(c->conf.process, c->conf.lin.mount_label, err);
	if (r >= 0)
		r = limits_of_conf(c->conf.lin.resources, c->arena, &c->limits, err);
	return r < 0 ? r : seccomp_of_conf(c->host, &c->conf, c->arena, &c->prog, err);
}

/* ---- init and what it needs ---- */

static void undo_clone(void *arg)
{
	create_kill_init(arg);
}

int create_set_oom_score(const struct create *c, struct err *err)
{
	const struct conf_process *p = c->conf.process;
	char text[16];
	int r;

	if (!p || !p->oom_score_adj.set)
		return 0;
	(void)snprintf(text, sizeof(text), "%d", (int)p->oom_score_adj.v);
	r = proc_write_attr(c->proc.pid, "oom_score_adj", text, err);
	if (r < 0 && err && (err->sys == EACCES || err->sys == EPERM)) {
		rt_warn(c->host,
			"process.oomScoreAdj %s left as it is: lowering it needs CAP_SYS_RESOURCE",
			text);
		return 0;
	}
	return r;
}

static uint32_t rdt_made(const struct create *c)
{
	return (c->conf.lin.rdt ? RDT_USED : 0) | (c->rdt.made_class ? RDT_CLASS : 0) |
	       (c->rdt.made_group ? RDT_GROUP : 0);
}

static int step_maps(void *arg, struct err *err)
{
	struct create *c = arg;
	struct ns_id_map *u, *g;
	int r;

	/* Before init makes itself undumpable: later only root could. */
	r = create_set_oom_score(c, err);
	if (r < 0 || !conf_ns_new(&c->conf, NS_USER))
		return r;
	r = idmap_copy(c->arena, &c->conf.lin.uids, &u, err);
	if (r >= 0)
		r = idmap_copy(c->arena, &c->conf.lin.gids, &g, err);
	if (r >= 0)
		r = rt_write_maps(c->proc.pid, u, c->conf.lin.uids.n, g, c->conf.lin.gids.n, err);
	return r < 0 ? r : sync_send(c->sock, SYNC_GO, 0, -1, err);
}

/* ---- cgroup and resctrl ---- */

static int step_cgroup(void *arg, struct err *err)
{
	struct create *c = arg;
	const struct group_want w = {
		.host = c->host,
		.conf = &c->conf,
		.limits = &c->limits,
		.id = c->o->id,
		.pid = c->proc.pid,
		.state = c->dirfd,
		/* That takes no lock of the whole machine (tell_cgroup). From a user namespace it
		 * may not, before 5.16. */
		.enter = !c->in.user_ns,
	};
	int r;

	r = group_create(&w, &c->group, err);
	if (r >= 0)
		r = group_save(&c->group, &c->saved, err);
	if (r < 0) {
		create_kill_init(c);
		(void)group_destroy(&c->group, KILL_MS,
				    NULL); /* the first failure is the one to tell */
	}
	return r;
}

static void undo_cgroup(void *arg)
{
	struct create *c = arg;
	struct err err = ERR_INIT;

	create_kill_init(c);
	if (group_destroy(&c->group, KILL_MS, &err) < 0)
		rt_warn(c->host, "left behind: %s", err.msg);
}

/* Unasked, so that neither waits for the other more than it must. */
static int tell_cgroup(struct create *c, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(6000); /* what a message holds */
	struct err why = ERR_INIT;
	int fds[CGROUP_ENTER_FDS_MAX];
	struct sync_cgroup cg = { .fds = fds };
	int r = c->group.cgroup ? rt_cgroup_dirs(c->group.cgroup, &b, &why) : 0;

	if (c->group.cgroup && !c->in.user_ns) {
		cg.n = cgroup_enter_fds(c->group.cgroup, fds, ARRAY_LEN(fds));
		cg.fill = group_fill_pages(&c->limits);
	}
	if (b.p)
		b.p[b.n] = '\0';
	cg.dirs = buf_str(&b);
	if (r >= 0)
		r = sync_send_cgroup(c->sock, &cg, &why);
	/* Init has ended: what it said before is the failure to tell (rt_serve). */
	if (r >= 0 || why.sys == EPIPE || why.sys == ECONNRESET)
		return 0;
	if (err)
		*err = why;
	return r;
}

static void undo_rdt(void *arg)
{
	struct create *c = arg;
	struct err err = ERR_INIT;

	if (rdt_made(c) & (RDT_CLASS | RDT_GROUP) &&
	    rdt_remove(c->conf.lin.rdt, c->o->id, rdt_made(c), &err) < 0)
		rt_warn(c->host, "left behind: %s", err.msg);
}

static int step_rdt(void *arg, struct err *err)
{
	struct create *c = arg;
	int r = 0;

	if (c->conf.lin.rdt)
		r = rdt_apply(c->conf.lin.rdt, c->o->id, c->proc.pid, &c->rdt, err);
	if (r < 0)
		undo_rdt(c);
	return r;
}

/* ---- until it is ready ---- */

static int on_hooks(void *arg, struct err *err)
{
	struct create *c = arg;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(RT_CONFIG_MAX);
	int r;

	c->hooked = true;
	r = netdev_move(&c->conf, c->proc.pid, err);
	if (r >= 0)
		r = state_view_json(&c->view, false, &b, err);
	if (r >= 0)
		r = hooks_run(&c->conf.hooks, HOOK_PRESTART, buf_slice(&b), err);
	if (r >= 0)
		r = hooks_run(&c->conf.hooks, HOOK_CREATE_RUNTIME, buf_slice(&b), err);
	return r < 0 ? r : sync_send(c->sock, SYNC_GO, c->proc.pid, -1, err);
}

static int step_setup(void *arg, struct err *err)
{
	struct create *c = arg;
	int r;

	c->hooked = hooks_mask(&c->conf.hooks) & (1u << HOOK_CREATE_CONTAINER);
	c->view.pid = c->proc.pid;
	c->serve = (struct serve){ .host = c->host,
				   .sock = c->sock,
				   .on_hooks = on_hooks,
				   .arg = c,
				   .conf = &c->conf,
				   .view = &c->view,
				   .console = -1 };
	r = tell_cgroup(c, err);
	if (r < 0)
		return r;
	r = rt_serve(&c->serve, err);
	if (r == 0)
		r = err_set(err, ERR_SYSTEM,
			    "the container's init has ended before it was ready (killed?)");
	if (r >= 0 && c->in.proc_ns >= 0)
		r = create_join(c, err);
	if (r >= 0 && !c->in.user_ns)
		r = group_widen(&c->group, &c->limits, err);
	if (r >= 0)
		r = rt_give_console(&c->serve, c->o->console_socket, c->o->flags, &c->console, err);
	fd_close(c->serve.console);
	return r < 0 ? r : 0;
}

/* ---- what stays ---- */

static int step_record(void *arg, struct err *err)
{
	struct create *c = arg;
	char created[CLOCK_TEXT_MAX];
	struct state s = {
		.oci_version = c->conf.oci_version,
		.id = c->o->id,
		.bundle = c->bundle,
		.rootfs = c->rootfs,
		.created = clock_rfc3339nano(created, clock_real()),
		.owner = geteuid() == 0 ? "root" : "",
		.cgroup = c->group.cgroup ? buf_str(&c->saved) : NULL,
		.pid = c->proc.pid,
		.hooks = hooks_mask(&c->conf.hooks) | rdt_made(c),
		.notify = c->prog.notify,
		.process = c->conf.process,
		.config = c->text,
	};
	int r;

	r = proc_start_time(c->proc.pid, &c->start, NULL, err);
	s.start = c->start;
	return r < 0 ? r : state_write(c->dirfd, &s, err);
}

static int step_pid_file(void *arg, struct err *err)
{
	struct create *c = arg;

	return c->o->pid_file ? rt_write_pid_file(c->o->pid_file, c->proc.pid, err) : 0;
}

static void undo_pid_file(void *arg)
{
	struct create *c = arg;

	if (c->o->pid_file)
		(void)sys_unlinkat(AT_FDCWD, c->o->pid_file, 0); /* its reader may have been it */
}

/* Init may live on without us. */
static int step_release(void *arg, struct err *err)
{
	struct create *c = arg;
	const char *receiver = conf_annotation(&c->conf, "run.oci.pidfd_receiver");
	int r = receiver ? rt_send_fd(receiver, c->proc.pidfd, "pidfd", err) : 0;

	return r < 0 || c->in.listen < 0 ? r : sync_send(c->sock, SYNC_GO, 0, -1, err);
}

static const struct step create_steps[] = {
	{ "state", step_state, undo_state },
	{ "start socket", step_listen, NULL }, /* goes with the state directory */
	{ "namespaces", create_step_namespaces, NULL },
	{ "seccomp", step_seccomp, NULL },
	{ "clone", create_step_clone, undo_clone },
	{ "id maps", step_maps, NULL },
	{ "cgroup", step_cgroup, undo_cgroup },
	{ "resctrl", step_rdt, undo_rdt },
	{ "container", step_setup, NULL }, /* mounts and namespaces die with init */
	{ "record", step_record, NULL },
	{ "pid file", step_pid_file, undo_pid_file },
	{ "release", step_release, NULL },
};

/* ---- the call ---- */

static void prepare_init(struct create *c)
{
	const struct conf_process *p = c->conf.process;

	c->view = (struct state_view){ .oci_version = c->conf.oci_version,
				       .id = c->o->id,
				       .bundle = c->bundle,
				       .status = RT_CREATED,
				       .annotations = &c->conf.annotations };
	c->in.conf = &c->conf;
	c->in.process = p;
	c->in.seccomp = &c->prog;
	c->in.arena = c->arena;
	c->in.id = c->o->id;
	c->in.bundle = c->bundle;
	c->in.rootfs = c->rootfs;
	c->in.view = c->view;
	memcpy(c->in.stdio, c->o->stdio, sizeof(c->in.stdio));
	c->in.rows = c->o->rows || !p ? c->o->rows : p->console.height;
	c->in.cols = c->o->cols || !p ? c->o->cols : p->console.width;
	c->in.listen_fds = rt_listen_fds();
	c->in.keep_fds = c->in.listen_fds + c->o->preserve_fds;
	c->in.flags = c->o->flags;
}

static struct rt_record *record_of(const struct create *c)
{
	struct rt_record *k = malloc(sizeof(*k));

	if (!k)
		abort();
	*k = (struct rt_record){ .pid = c->proc.pid,
				 .start = c->start,
				 .process = c->conf.process,
				 .cgroup = c->group.cgroup ? strdup(buf_str(&c->saved)) : NULL };
	if (c->group.cgroup && !k->cgroup)
		abort();
	return k;
}

static int run(struct create *c, struct rt_container **ret, struct err *err)
{
	struct rt_container *rc;
	int r;

	r = rt_check_id(c->o->id, err);
	if (r >= 0)
		r = create_load(c, err);
	if (r >= 0)
		r = create_check_console(c, err);
	if (r >= 0)
		r = rt_check_kept_fds(rt_listen_fds() + c->o->preserve_fds, err);
	if (r >= 0)
		r = rt_check_rootless(&c->conf, err);
	/* See init.c (2); inherited by the clone. Another user could not write its maps then. */
	if (r >= 0 && geteuid() == 0)
		r = proc_set_dumpable(false, err);
	if (r < 0)
		return r;
	prepare_init(c);
	r = step_run(create_steps, ARRAY_LEN(create_steps), c, err);
	if (r < 0)
		return r;

	rc = calloc(1, sizeof(*rc));
	if (!rc)
		abort();
	*rc = (struct rt_container){ .host = c->host,
				     .id = strdup(c->o->id),
				     .dirfd = STEAL_FD(c->dirfd),
				     .pid = c->proc.pid,
				     .pidfd = STEAL_FD(c->proc.pidfd),
				     .console = STEAL_FD(c->console),
				     .start_fd = -1,
				     .child = true,
				     .hooks = hooks_mask(&c->conf.hooks) | rdt_made(c) };
	if (!rc->id)
		abort();
	if (c->in.listen < 0)
		rc->start_fd = STEAL_FD(c->sock);
	if (c->in.listen < 0 && !rc->hooks && !c->prog.notify)
		rc->record = record_of(c);
	state_unlock(rc->dirfd);
	*ret = rc;
	return 0;
}

int rt_create(const struct rt_host *h, const struct rt_create *o, struct rt_container **ret,
	      struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("config.json", ARENA_MAX);
	struct create *c = arena_alloc(a, sizeof(*c));
	int r;

	if (!c)
		return arena_quota(a, err);
	c->host = h;
	c->o = o;
	c->arena = a;
	c->in = INIT_INIT;
	c->dirfd = c->sock = c->console = c->rdt.dir = -1;
	c->proc.pidfd = -1;
	c->saved = BUF_INIT(65536);
	r = run(c, ret, err);
	if (r < 0 && err)
		err->causes = NULL; /* they were in the arena */

	fd_close(c->dirfd);
	fd_close(c->sock);
	fd_close(c->console);
	fd_close(c->in.listen);
	rdt_fini(&c->rdt);
	hooks_close(&c->conf.hooks);
	for (size_t i = 0; c->in.idmaps && i < c->conf.mounts.n; i++)
		fd_close(c->in.idmaps[i]);
	for (int k = 0; k < NS_KINDS; k++)
		fd_close(c->in.ns_fd[k]);
	fd_close(c->in.proc_ns);
	proc_fini(&c->proc);
	group_fini(&c->group);
	buf_fini(&c->saved);
	seccomp_prog_fini(&c->prog);
	return r < 0 ? r : 0;
}
