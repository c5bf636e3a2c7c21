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
#include "runtime/group.h"
#include "runtime/notify.h"
#include "runtime/rt.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/step.h"
#include "linux/mount.h"
#include "linux/path.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define ARENA_MAX (64u << 20)
#define KILL_MS 10000

struct create {
	const struct rt_host *host;
	const struct rt_create *o;
	struct arena *arena;
	struct conf conf;
	struct slice text;
	char bundle[PATH_MAX], rootfs[PATH_MAX];
	int dirfd, sock, user_fd;
	struct group group;
	struct cgroup_limits limits;
	struct buf saved; /* of the cgroup */
	struct seccomp_prog prog;
	struct init in;
	struct proc proc;
	uint64_t start; /* of init */
	struct serve serve;
	struct state_view view;
	int console;
	bool stage, hooked, time_ns;
	struct rdt rdt;
};

/* ---- helpers that exec shares ---- */

void rt_warn(const struct rt_host *h, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (!h->warn)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	h->warn(h->arg, text);
}

unsigned rt_listen_fds(void)
{
	const char *text = getenv("LISTEN_FDS");
	uint64_t n;

	return text && str_uint64(slice_str(text), &n, NULL) == 0 && n <= 64 ? (unsigned)n : 0;
}

int rt_check_kept_fds(unsigned n, struct err *err)
{
	if (n > 64)
		return err_set(err, ERR_INVALID, "%u preserved fds: at most 64 are possible", n);
	for (unsigned i = 0; i < n; i++)
		if (sys_fcntl(3 + (int)i, F_GETFD, 0) < 0)
			return err_set(err, ERR_INVALID, "fd %u is to be preserved but is not open",
				       3 + i);
	return 0;
}

int rt_send_fd(const char *path, int what, const char *word, struct err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	CLEANUP(fd_close) int fd = -1;
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ctl = { 0 };
	struct iovec iov = { (char *)word, strlen(word) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = ctl.buf,
			    .msg_controllen = sizeof(ctl.buf) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	if (!str_copy(sa.sun_path, sizeof(sa.sun_path), path))
		return err_set(err, ERR_INVALID, "socket '%s': the path is too long for a socket",
			       path);
	fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sys_connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(err, "connect to the socket '%s'", path);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &what, sizeof(int));
	if (sys_sendmsg(fd, &m, MSG_NOSIGNAL) < 0)
		return err_sys(err, "send a fd to the socket '%s'", path);
	return 0;
}

/* Written beside and renamed: whoever waits for the file never reads half a number. */
int rt_write_pid_file(const char *path, pid_t pid, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	char tmp[PATH_MAX], text[16];

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.teu-new", path) >= sizeof(tmp))
		return err_set(err, ERR_INVALID, "pid file '%s': the path is too long", path);
	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	fd = sys_openat(AT_FDCWD, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(err, "make the pid file '%s'", path);
	if (fd_write_all(fd, text, strlen(text)) < 0 ||
	    sys_renameat(AT_FDCWD, tmp, AT_FDCWD, path) < 0) {
		int r = err_sys(err, "write the pid file '%s'", path);

		(void)unlink(tmp);
		return r;
	}
	return 0;
}

int rt_clone(uint64_t flags, int pid_ns, int (*fn)(void *), void *arg, struct proc *ret,
	     struct err *err)
{
	struct proc_clone pc = { .flags = flags, .fn = fn, .arg = arg, .cgroup_fd = -1 };
	CLEANUP(fd_close) int own = -1;
	int r;

	if (pid_ns < 0)
		return proc_clone(&pc, ret, err);
	/* setns to a pid namespace moves only children to come; ours to come later belong here
	 * again. */
	r = ns_open_of(0, NS_PID, &own, err);
	if (r >= 0)
		r = ns_join(pid_ns, NS_PID, err);
	if (r < 0)
		return r;
	r = proc_clone(&pc, ret, err);
	if (ns_join(own, NS_PID, r < 0 ? NULL : err) < 0 && r >= 0) {
		(void)proc_signal(ret->pidfd, SIGKILL, NULL); /* it may have ended already */
		(void)proc_wait(ret->pidfd, -1, &(struct proc_exit){ 0 }, NULL);
		proc_fini(ret);
		return -ERR_SYSTEM;
	}
	return r;
}

int rt_serve(struct serve *s, struct err *err)
{
	for (;;) {
		struct sync_msg m;
		int r = sync_recv(s->sock, &m, err);

		if (r <= 0)
			return r;
		switch (m.type) {
		case SYNC_READY: return 1;
		case SYNC_WARN: rt_warn(s->host, "%s", m.text); break;
		case SYNC_ERROR:
			if (err)
				*err = m.err;
			return m.err.code ? -(int)m.err.code : -ERR_SYSTEM;
		case SYNC_CONSOLE:
			fd_close(s->console);
			s->console = STEAL_FD(m.fd);
			break;
		case SYNC_NOTIFY:
			r = s->conf ? seccomp_send_listener(s->conf, s->view, m.fd, err) : 0;
			break;
		case SYNC_PID:
			if (!s->born || m.fd < 0) {
				r = err_set(err, ERR_SYSTEM, "a process of which nothing is known");
				break;
			}
			*s->born = (struct proc){ .pid = (pid_t)m.number, .pidfd = STEAL_FD(m.fd) };
			return 1;
		case SYNC_HOOKS: r = s->on_hooks ? s->on_hooks(s->arg, err) : -ERR_SYSTEM; break;
		default:
			r = err_set(err, ERR_SYSTEM, "message %u from init is none of ours",
				    m.type);
		}
		fd_close(m.fd);
		if (r < 0)
			return r;
	}
}

int rt_give_console(struct serve *s, const char *socket, uint32_t flags, int *ret, struct err *err)
{
	int r = 0;

	*ret = -1;
	if (s->console < 0)
		return 0;
	if (flags & RT_RAW_CONSOLE)
		*ret = STEAL_FD(s->console);
	else if (socket && rt_send_fd(socket, s->console, "/dev/ptmx", err) < 0) /* peers' word */
		r = err_wrap(err, "console socket");
	fd_close(s->console);
	s->console = -1;
	return r;
}

/* ---- steps ---- */

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

static int open_joined(struct create *c, enum ns_kind k, struct err *err)
{
	const struct conf_ns *ns = conf_ns(&c->conf, k);
	CLEANUP(fd_close) int own = -1;
	int r;

	if (!ns || !ns->path)
		return 0;
	r = ns_open(ns->path, k, &c->in.ns_fd[k], err);
	if (r < 0 || k != NS_USER)
		return r;
	/* The one we are in cannot be joined again (EINVAL), and need not. */
	r = ns_open_of(0, NS_USER, &own, err);
	if (r >= 0)
		r = ns_same(own, c->in.ns_fd[k], err);
	if (r == 1) {
		fd_close(c->in.ns_fd[k]);
		c->in.ns_fd[k] = -1;
	}
	return r < 0 ? r : 0;
}

static int make_time_ns(struct create *c, struct err *err)
{
	struct ns_time_offset mono = { 0 }, boot = { 0 };

	if (!conf_ns_new(&c->conf, NS_TIME))
		return 0;
	for (size_t i = 0; i < c->conf.lin.time_offsets.n; i++) {
		const struct conf_offset *o = &c->conf.lin.time_offsets.v[i].value;
		struct ns_time_offset *to =
			!strcmp(c->conf.lin.time_offsets.v[i].key, "monotonic") ? &mono : &boot;

		*to = (struct ns_time_offset){ true, o->secs, o->nanosecs };
	}
	/* Like a pid namespace: for children only. Offsets can be set until the first one is in it.
	 */
	if (sys_unshare(CLONE_NEWTIME) < 0)
		return errno == EINVAL && !ns_supported(NS_TIME)
			       ? err_set(err, ERR_UNSUPPORTED,
					 "linux.namespaces: time: this kernel has no time "
					 "namespaces (CONFIG_TIME_NS)")
			       : err_sys(err, "make a time namespace");
	c->time_ns = true;
	return mono.set || boot.set ? ns_write_time_offsets(0, &mono, &boot, err) : 0;
}

static void leave_time_ns(struct create *c)
{
	int own = -1;

	if (!c->time_ns)
		return;
	if (ns_open_of(0, NS_TIME, &own, NULL) >= 0)
		(void)ns_join(
			own, NS_TIME,
			NULL); /* our own: else later children would be in the container's time */
	fd_close(own);
	c->time_ns = false;
}

static int step_namespaces(void *arg, struct err *err)
{
	struct create *c = arg;
	bool joins = false;
	int r;

	for (int k = 0; k < NS_KINDS; k++) {
		r = open_joined(c, k, err);
		if (r < 0)
			return err_wrap(err, "linux.namespaces: %s", ns_types[k].name);
		joins = joins || (k != NS_USER && k != NS_PID && c->in.ns_fd[k] >= 0);
	}
	c->in.user_ns = conf_ns_new(&c->conf, NS_USER) || c->in.ns_fd[NS_USER] >= 0;
	/* Who joins a user namespace must do so before its other namespaces are made, and who makes
	 * one must have joined the others before: in both cases by a process in between. */
	c->stage = c->in.ns_fd[NS_USER] >= 0 || (conf_ns_new(&c->conf, NS_USER) && joins);
	return idmap_make(&c->in, err);
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

static uint64_t clone_flags(const struct conf *c)
{
	static const enum ns_kind kinds[] = { NS_USER, NS_IPC, NS_UTS, NS_PID, NS_MOUNT };
	uint64_t f = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (conf_ns_new(c, kinds[i]))
			f |= ns_types[kinds[i]].flag;
	return f;
}

/* Joins, then makes the real init as its sibling. */
static int stage_main(void *arg)
{
	struct create *c = arg;
	struct err err = ERR_INIT;
	struct proc p = { .pidfd = -1 };
	int r = 0;

	for (int k = 0; r >= 0 && k < NS_KINDS; k++) {
		if (c->in.ns_fd[k] < 0)
			continue;
		r = ns_join(c->in.ns_fd[k], k, &err);
		fd_close(c->in.ns_fd[k]);
		c->in.ns_fd[k] = -1;
	}
	if (r >= 0)
		r = proc_clone(&(struct proc_clone){ .flags = clone_flags(&c->conf) | CLONE_PARENT,
						     .fn = init_main,
						     .arg = &c->in,
						     .cgroup_fd = -1 },
			       &p, &err);
	if (r >= 0)
		r = sync_send(c->in.sync, SYNC_PID, p.pid, -1, &err);
	if (r < 0) {
		sync_send_error(c->in.sync, &err);
		return 1;
	}
	return 0;
}

static void kill_init(struct create *c)
{
	struct proc_exit e;

	if (c->proc.pidfd < 0)
		return;
	(void)proc_signal(c->proc.pidfd, SIGKILL, NULL); /* may have ended by itself */
	(void)proc_wait(c->proc.pidfd, -1, &e, NULL);
	proc_fini(&c->proc);
	c->proc.pidfd = -1;
}

static int clone_by_stage(struct create *c, struct err *err)
{
	CLEANUP(proc_fini) struct proc stage = { .pidfd = -1 };
	struct proc_exit e;
	struct sync_msg m;
	int r;

	r = proc_clone(&(struct proc_clone){ .fn = stage_main, .arg = c, .cgroup_fd = -1 }, &stage,
		       err);
	if (r < 0)
		return r;
	/* Its copy of the socket is still open here: an end is seen by the process, not by the
	 * socket. */
	fd_close(c->in.sync);
	c->in.sync = -1;
	r = sync_recv(c->sock, &m, err);
	if (r > 0 && m.type == SYNC_ERROR) {
		if (err)
			*err = m.err;
		r = -(int)m.err.code;
	} else if (r >= 0 && (r == 0 || m.type != SYNC_PID)) {
		r = err_set(err, ERR_SYSTEM, "the process that joins namespaces has failed");
	}
	if (r >= 0) {
		c->proc.pid = (pid_t)m.number;
		r = proc_pidfd(c->proc.pid, &c->proc.pidfd, err);
		if (r < 0) { /* it is our child all the same: it ends with its socket */
			siginfo_t si;

			fd_close(c->sock);
			c->sock = -1;
			(void)waitid(P_PID, (id_t)c->proc.pid, &si, WEXITED);
		}
	}
	(void)proc_wait(stage.pidfd, -1, &e, NULL); /* ends by itself at once */
	return r < 0 ? r : 0;
}

static int step_clone(void *arg, struct err *err)
{
	struct create *c = arg;
	int pair[2], r;

	if (sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "make a socket pair");
	c->sock = c->in.other = pair[0];
	c->in.state_dir = c->dirfd;
	c->in.sync = pair[1];
	r = make_time_ns(c, err);
	if (r >= 0)
		r = c->stage ? clone_by_stage(c, err)
			     : rt_clone(clone_flags(&c->conf), c->in.ns_fd[NS_PID], init_main,
					&c->in, &c->proc, err);
	leave_time_ns(c);
	fd_close(c->in.sync);
	c->in.sync = -1;
	return r;
}

static void undo_clone(void *arg)
{
	kill_init(arg);
}

static int set_oom_score(const struct rt_host *h, pid_t pid, const struct conf_process *p,
			 struct err *err)
{
	char text[16];
	int r;

	if (!p || !p->oom_score_adj.set)
		return 0;
	(void)snprintf(text, sizeof(text), "%d", (int)p->oom_score_adj.v);
	r = proc_write_attr(pid, "oom_score_adj", text, err);
	if (r < 0 && err && (err->sys == EACCES || err->sys == EPERM)) {
		rt_warn(h,
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

static void undo_rdt(void *arg)
{
	struct create *c = arg;
	struct err err = ERR_INIT;

	if (rdt_made(c) & (RDT_CLASS | RDT_GROUP) &&
	    rdt_remove(c->conf.lin.rdt, c->o->id, rdt_made(c), &err) < 0)
		rt_warn(c->host, "left behind: %s", err.msg);
}

static int step_maps(void *arg, struct err *err)
{
	struct create *c = arg;
	struct ns_id_map *u, *g;
	int r;

	/* Before init makes itself undumpable: later only root could. */
	r = set_oom_score(c->host, c->proc.pid, c->conf.process, err);
	if (r < 0 || !conf_ns_new(&c->conf, NS_USER))
		return r;
	r = idmap_copy(c->arena, &c->conf.lin.uids, &u, err);
	if (r >= 0)
		r = idmap_copy(c->arena, &c->conf.lin.gids, &g, err);
	if (r >= 0)
		r = rt_write_maps(c->proc.pid, u, c->conf.lin.uids.n, g, c->conf.lin.gids.n, err);
	return r < 0 ? r : sync_send(c->sock, SYNC_GO, 0, -1, err);
}

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
		kill_init(c);
		(void)group_destroy(&c->group, KILL_MS,
				    NULL); /* the first failure is the one to tell */
	}
	return r;
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

static void undo_cgroup(void *arg)
{
	struct create *c = arg;
	struct err err = ERR_INIT;

	kill_init(c);
	if (group_destroy(&c->group, KILL_MS, &err) < 0)
		rt_warn(c->host, "left behind: %s", err.msg);
}

int rt_cgroup_dirs(const struct cgroup *cg, struct buf *out, struct err *err)
{
	size_t tail = strlen(cgroup_path(cg));
	char path[8192];

	for (unsigned k = 0; k < CGROUP_CONTROLLER_COUNT; k++) {
		size_t at = out->n;
		const char *slash;
		size_t n;

		if (cgroup_dir_fd(cg, k) < 0)
			continue;
		if (cgroup_dir_path(cg, k, path, sizeof(path), err) < 0)
			return err_ret(err);
		if (cgroup_is_v2(cg)) {
			buf_addf(out, " %s\n", path);
			break;
		}
		n = strlen(path);
		if (n <= tail)
			continue;
		slash = memrchr(path, '/', n - tail);
		if (!slash)
			continue;
		buf_addf(out, "%.*s %s\n", (int)(n - tail - (size_t)(slash + 1 - path)), slash + 1,
			 path);
		/* Two controllers of one hierarchy give the same line twice. */
		if (out->n > at && memmem(out->p, at, out->p + at, out->n - at))
			out->n = at;
	}
	return out->full ? err_set(err, ERR_TOO_LARGE, "the cgroup's paths are too long") : 0;
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
	if (r >= 0 && !c->in.user_ns)
		r = group_widen(&c->group, &c->limits, err);
	if (r >= 0)
		r = rt_give_console(&c->serve, c->o->console_socket, c->o->flags, &c->console, err);
	fd_close(c->serve.console);
	return r < 0 ? r : 0;
}

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
	{ "namespaces", step_namespaces, NULL },
	{ "seccomp", step_seccomp, NULL },
	{ "clone", step_clone, undo_clone },
	{ "id maps", step_maps, NULL },
	{ "cgroup", step_cgroup, undo_cgroup },
	{ "resctrl", step_rdt, undo_rdt },
	{ "container", step_setup, NULL }, /* mounts and namespaces die with init */
	{ "record", step_record, NULL },
	{ "pid file", step_pid_file, undo_pid_file },
	{ "release", step_release, NULL },
};

/* ---- the call ---- */

/* Absolute, and no component of it is empty, "." or "..". */
static bool is_plain(const char *path)
{
	struct slice rest = slice_str(path), part;

	if (path[0] != '/' || !path[1] || strlen(path) >= PATH_MAX)
		return false;
	(void)slice_split(&rest, '/');
	while (rest.p) {
		part = slice_split(&rest, '/');
		if (!part.n || slice_is(part, ".") || slice_is(part, ".."))
			return false;
	}
	return true;
}

/* realpath() by one call where the path has no links, else by two, instead of one per component. */
static int real_dir(const char *path, char out[PATH_MAX])
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				      .resolve = RESOLVE_NO_SYMLINKS };
	CLEANUP(fd_close) int fd = is_plain(path) ? sys_openat2(AT_FDCWD, path, &how) : -1;

	if (fd >= 0) {
		(void)str_copy(out, PATH_MAX, path); /* fits */
		return 0;
	}
	fd = sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (path_name_of_fd(fd, out, PATH_MAX, NULL) < 0 || out[0] != '/')
		return realpath(path, out) ? 0 : -1; /* no /proc, or not below our root */
	return 0;
}

static int read_config(struct create *c, const char *path, struct err *err)
{
	/* O_NONBLOCK: a pipe that nobody writes to would be waited for without end. */
	CLEANUP(fd_close)
	int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	struct stat st;
	ssize_t n;
	char *text;

	if (fd < 0)
		return err_sysc(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, errno,
				"open '%s'", path);
	if (sys_fstat(fd, &st) < 0)
		return err_sys(err, "look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "'%s' is not a regular file", path);
	/* A file that grows meanwhile is read up to the maximum. */
	n = MIN(st.st_size, (off_t)RT_CONFIG_MAX);
	text = arena_alloc_raw(c->arena, (size_t)n + 1, 1);
	if (!text)
		return arena_quota(c->arena, err);
	n = fd_read_full(fd, text, (size_t)n + 1);
	if (n < 0)
		return err_sys(err, "read '%s'", path);
	c->text = slice_of(text, (size_t)n);
	return 0;
}

static int load(struct create *c, struct err *err)
{
	char path[PATH_MAX + 16];
	const char *root;
	int r;

	if (real_dir(c->o->bundle ? c->o->bundle : ".", c->bundle) < 0)
		return err_sys(err, "bundle '%s'", c->o->bundle ? c->o->bundle : ".");
	c->text = c->o->config;
	if (!c->text.p) {
		(void)snprintf(path, sizeof(path), "%s/config.json", c->bundle);
		r = read_config(c, path, err);
		if (r < 0)
			return r;
	}
	if (c->text.n > RT_CONFIG_MAX)
		return err_set(err, ERR_TOO_LARGE, "config.json is larger than %d bytes",
			       RT_CONFIG_MAX);
	r = conf_read(c->text, c->arena, &c->conf, err);
	if (r >= 0 && hooks_mask(&c->conf.hooks))
		r = hooks_open(&c->conf, err);
	if (r < 0)
		return r;
	root = c->conf.root->path;
	if ((size_t)snprintf(path, sizeof(path), root[0] == '/' ? "%s" : "%.0s%s/%s", root,
			     c->bundle, root) >= PATH_MAX)
		return err_set(err, ERR_INVALID, "root.path is too long");
	if (real_dir(path, c->rootfs) < 0)
		return errno == ENOTDIR ? err_set(err, ERR_INVALID,
						  "root.path '%s' is not a directory", path)
					: err_sys(err, "root.path '%s'", path);
	if (!strcmp(c->rootfs, "/"))
		return err_set(err, ERR_INVALID, "root.path is the host's root directory");
	return 0;
}

static int check_console(const struct create *c, struct err *err)
{
	bool tty = c->conf.process && c->conf.process->terminal;
	bool asked = c->o->console_socket || (c->o->flags & RT_RAW_CONSOLE);

	if (tty && !asked)
		return err_set(
			err, ERR_INVALID,
			"process.terminal is true: a console socket is needed (--console-socket)");
	if (!tty && c->o->console_socket)
		return err_set(err, ERR_INVALID,
			       "a console socket is given but process.terminal is false");
	return 0;
}

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
		r = load(c, err);
	if (r >= 0)
		r = check_console(c, err);
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
	proc_fini(&c->proc);
	group_fini(&c->group);
	buf_fini(&c->saved);
	seccomp_prog_fini(&c->prog);
	return r < 0 ? r : 0;
}
