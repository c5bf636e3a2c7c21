/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The birth of a container's init: its namespaces, joined or new, and the clone.
 *
 * Who joins a user namespace must do so before its other namespaces are made, and who makes one
 * must have joined the others before. In both cases a process in between, the stage, joins and then
 * clones init as its sibling (CLONE_PARENT).
 */
#include "runtime/create-private.h"

#include "base/fd.h"
#include "linux/sys.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* ---- namespaces ---- */

static int open_joined(struct create *c, enum ns_kind k, struct err *err)
{
	const struct conf_ns *ns = conf_ns(&c->conf, k);
	CLEANUP(fd_close) int own = -1;
	int r;

	if (!ns || !ns->path)
		return 0;
	r = ns_open(ns->path, k, &c->in.ns_fd[k], err);
	if (r < 0 || (k != NS_USER && k != NS_PID))
		return r;
	/* The user namespace we are in cannot be joined again (EINVAL), and need not; nor the pid
	 * namespace. */
	r = ns_open_of(0, k, &own, err);
	if (r >= 0)
		r = ns_same(own, c->in.ns_fd[k], err);
	if (r == 1)
		fd_close(c->in.ns_fd[k]);
	else if (k == NS_PID && !fault_omits("outside"))
		c->in.proc_ns = c->in.ns_fd[k]; /* by create_join() */
	if (r == 1 || (k == NS_PID && c->in.proc_ns >= 0))
		c->in.ns_fd[k] = -1;
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

int create_step_namespaces(void *arg, struct err *err)
{
	struct create *c = arg;
	bool joins = false;
	int r;

	for (int k = 0; k < NS_KINDS; k++) {
		r = open_joined(c, k, err);
		if (r < 0)
			return err_wrap(err, "linux.namespaces: %s", ns_types[k].name);
		joins = joins || (k != NS_USER && c->in.ns_fd[k] >= 0);
	}
	c->in.user_ns = conf_ns_new(&c->conf, NS_USER) || c->in.ns_fd[NS_USER] >= 0;
	/* Who joins a user namespace must do so before its other namespaces are made, and who makes
	 * one must have joined the others before: in both cases by a process in between. */
	c->stage = c->in.ns_fd[NS_USER] >= 0 || c->in.ns_fd[NS_PID] >= 0 ||
		   (conf_ns_new(&c->conf, NS_USER) && joins);
	return idmap_make(&c->in, err);
}

/* ---- the clone ---- */

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

	/* Of another user than root: its members would rule us. */
	if (geteuid() != 0 && c->in.ns_fd[NS_USER] >= 0)
		r = proc_set_dumpable(false, &err);
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

void create_kill_init(struct create *c)
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

int create_step_clone(void *arg, struct err *err)
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
			     : proc_clone(&(struct proc_clone){ .flags = clone_flags(&c->conf),
								.fn = init_main,
								.arg = &c->in,
								.cgroup_fd = -1 },
					  &c->proc, err);
	leave_time_ns(c);
	fd_close(c->in.sync);
	c->in.sync = -1;
	return r;
}
