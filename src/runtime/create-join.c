/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's init in a pid namespace that is there already.
 *
 * Who is a member of that namespace and has CAP_SYS_PTRACE rules whatever is born in it, before it
 * has become the program. So the namespaces and the root are made by a process outside of it, the
 * maker; then a fresh image of this program joins them as for an exec (join.c), gives up its rights
 * and clones the container's process into the pid namespace. That waits for the start with the
 * job's memory, the container's rights, a socket. The maker ends.
 */
#include "base/fd.h"
#include "linux/sys.h"
#include "runtime/create-private.h"
#include "runtime/join.h"

#include <stdio.h>
#include <string.h>

/* The terminal's other side, by the one that the maker has sent. */
static int open_terminal(struct create *c, struct init *in, struct err *err)
{
	if (c->serve.console < 0)
		return 0;
	in->stdio[0] = sys_ioctl(c->serve.console, TIOCGPTPEER,
				 (void *)(uintptr_t)(O_RDWR | O_NOCTTY | O_CLOEXEC));
	if (in->stdio[0] < 0)
		return err_sys(err, "open the terminal");
	in->stdio[1] = in->stdio[2] = in->stdio[0];
	return 0;
}

static int start_joiner(struct create *c, struct init *in, struct proc *joiner, struct err *err)
{
	const struct join j = {
		.pid_ns = in->proc_ns,
		.create = true,
	};
	int pair[2], r;

	if (sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "make a socket pair");
	c->sock = c->serve.sock = pair[0];
	in->sync = pair[1];
	r = join_start(&j, in, joiner, err);
	fd_close(pair[1]);
	return r;
}

/* As exec.c's settle(): into the cgroup, and what else goes by its pid. */
static int settle(struct create *c, bool user_ns, struct err *err)
{
	int fds[CGROUP_ENTER_FDS_MAX];
	struct sync_cgroup cg = { .fds = fds };
	char pid[16];
	int r = create_set_oom_score(c, err);

	if (r >= 0 && c->conf.lin.rdt)
		r = rdt_add(c->conf.lin.rdt, c->o->id, c->proc.pid, &c->rdt, err);
	(void)snprintf(pid, sizeof(pid), "%d", (int)c->proc.pid);
	cg.dirs = pid;
	if (r >= 0 && c->group.cgroup &&
	    (user_ns || join_needs_help(c->group.cgroup, c->conf.process))) {
		r = cgroup_add(c->group.cgroup, c->proc.pid, err);
	} else if (r >= 0 && c->group.cgroup) {
		r = cgroup_open_procs(c->group.cgroup, err);
		cg.n = r < 0 ? 0 : cgroup_enter_fds(c->group.cgroup, fds, ARRAY_LEN(fds));
		cg.fill = group_fill_pages(&c->limits);
	}
	if (r >= 0)
		r = sync_send_cgroup(c->sock, &cg, err);
	if (r >= 0)
		r = rt_serve(&c->serve, err);
	if (r == 0)
		r = err_set(err, ERR_SYSTEM,
			    "the container's init has ended before it was ready (killed?)");
	return r < 0 ? r : 0;
}

static int join(struct create *c, const struct proc *maker, struct init *in, struct err *err)
{
	struct proc joiner = { .pidfd = -1 };
	int pid_ns = -1, r;

	in->target = maker->pidfd;
	in->root = -1;
	in->user_ns = false;
	r = join_targets(&c->conf, maker->pid, in, &pid_ns, err);
	fd_close(pid_ns); /* the maker's is ours */
	if (r >= 0)
		r = open_terminal(c, in, err);
	if (r >= 0)
		r = start_joiner(c, in, &joiner, err);
	if (r >= 0)
		r = join_await(&c->serve, &joiner, &c->proc, err);
	if (r >= 0) {
		c->view.pid = c->proc.pid;
		r = settle(c, in->user_ns, err);
	}
	fd_close(in->root);
	if (c->serve.console >= 0)
		fd_close(in->stdio[0]);
	return r < 0 ? r : 0;
}

int create_join(struct create *c, struct err *err)
{
	struct proc maker = c->proc;
	struct conf_process process;
	struct init in = c->in;
	int sock = c->sock, r; /* the maker ends with it */

	c->proc = (struct proc){ .pidfd = -1 };
	if (in.process) {
		process = *in.process;
		process.affinity = NULL; /* of an exec alone */
		in.process = &process;
	}
	in.proc_ns = c->in.proc_ns;
	r = join(c, &maker, &in, err);
	(void)proc_signal(maker.pidfd, SIGKILL, NULL); /* may have ended by itself */
	fd_close(sock);
	if (sock == c->sock)
		c->sock = -1;
	(void)proc_wait(maker.pidfd, -1, &(struct proc_exit){ 0 }, NULL);
	proc_fini(&maker);
	return r;
}
