/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A procfs of a pid namespace in which we are not, before Linux 6.17.
 *
 * procfs shows the pid namespace of whoever calls fsopen("proc"); all that comes after may be done
 * by another. So a process is born in the namespace for that one call, and sends what it has opened
 * back. Its neighbours can rule it (join.c): it is a fresh image of this program with a socket, an
 * empty root, nobody's uid, and the right to fsopen in a user namespace of its own alone. What it
 * sends is checked by who mounts it (mount_proc_of).
 */
#include "runtime/rt.h"

#include "base/fd.h"
#include "linux/mount.h"
#include "linux/proc.h"
#include "linux/sys.h"
#include "runtime/join.h"

#include <stdio.h>

#define NOBODY 65534

/* ---- who asks for it ---- */

struct helper {
	int sock, pid_ns;
	char *argv[6];
};

/* Shares our memory until its exec. */
static int helper_main(void *arg)
{
	struct helper *h = arg;
	const int keep[] = { h->sock, h->pid_ns };

	if (proc_fds_cloexec(0, keep, ARRAY_LEN(keep), true, NULL) < 0 ||
	    sys_fcntl(h->sock, F_SETFD, 0) < 0 || sys_fcntl(h->pid_ns, F_SETFD, 0) < 0)
		return 1;
	sys_execveat(AT_FDCWD, "/proc/self/exe", h->argv, join_environ(), 0);
	return 1;
}

static int ask(struct init *in, const char *how, int *ret_fd, struct err *err)
{
	CLEANUP(proc_fini) struct proc p = { .pidfd = -1 };
	char sock[16], ns[16];
	struct helper h = { .pid_ns = in->proc_ns,
			    .argv = { (char[]){ "teu-oci" }, (char[]){ JOIN_WORD }, (char *)how,
				      sock, ns } };
	struct sync_msg m;
	int pair[2], r;

	if (sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "make a socket pair");
	h.sock = pair[1];
	(void)snprintf(sock, sizeof(sock), "%d", h.sock);
	(void)snprintf(ns, sizeof(ns), "%d", h.pid_ns);
	r = proc_clone(
		&(struct proc_clone){
			.fn = helper_main, .arg = &h, .shared = true, .cgroup_fd = -1 },
		&p, err);
	fd_close(pair[1]);
	if (r >= 0) {
		r = sync_recv(pair[0], &m, err);
		if (r > 0 && m.type == SYNC_ERROR) {
			if (err)
				*err = m.err;
			r = m.err.code ? -(int)m.err.code : -ERR_SYSTEM;
		} else if (r == 0 || (r > 0 && m.fd < 0)) {
			r = err_set(err, ERR_SYSTEM, "no answer from the pid namespace");
		}
		(void)proc_wait(p.pidfd, -1, &(struct proc_exit){ 0 }, NULL); /* at once */
	}
	fd_close(pair[0]);
	if (r < 0)
		return r;
	*ret_fd = m.fd;
	return 0;
}

int join_proc_context(struct init *in, int *ret_fd, struct err *err)
{
	struct err why = ERR_INIT;
	int r = ask(in, JOIN_PROC, ret_fd, &why);

	if (r == 0)
		return 0;
	sync_send_warn(in->sync,
		       "the pid namespace that is joined could rule the runtime for a "
		       "moment: a procfs was opened in it with the runtime's rights, since "
		       "user namespaces are not to be had");
	return ask(in, JOIN_PROC_BARE, ret_fd, err);
}

/* ---- the fresh image ---- */

static int opener(void *arg)
{
	const int *sock = arg;
	struct err err = ERR_INIT;
	int fs = sys_fsopen("proc", SYS_FSOPEN_CLOEXEC);

	if (fs < 0) {
		err_sys(&err, "open procfs in the pid namespace");
		sync_send_error(*sock, &err);
		return 1;
	}
	return sync_send(*sock, SYNC_GO, 0, fs, NULL) < 0;
}

/* No file of the host below its root. */
static int empty_root(struct err *err)
{
	CLEANUP(fd_close) int root = -1;

	if (sys_unshare(CLONE_NEWNS) < 0)
		return err_sys(err, "make a mount namespace");
	if (mount_propagate("/", MS_REC | MS_PRIVATE, err) < 0)
		return err_ret(err);
	if (sys_mount("none", "/proc", "tmpfs", MS_RDONLY, "size=4k") < 0)
		return err_sys(err, "mount an empty root");
	root = sys_openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (root < 0)
		return err_sys(err, "open an empty root");
	return mount_pivot(root, true, err);
}

/* All that could be taken from it: the ids (not there in a user namespace: EINVAL), the rights. */
static int become_nobody(struct err *err)
{
	(void)syscall(SYS_setgroups, 0, NULL); /* may be denied in a user namespace */
	if ((sys_setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	     sys_setresuid(NOBODY, NOBODY, NOBODY) < 0) &&
	    errno != EINVAL)
		return err_sys(err, "become nobody");
	return caps_apply(&(struct caps){ 0 }, err);
}

int join_proc_main(int sock, int pid_ns, bool own_user_ns)
{
	CLEANUP(proc_fini) struct proc p = { .pidfd = -1 };
	struct err err = ERR_INIT;
	int r;

	r = proc_set_dumpable(false, &err);
	if (r >= 0)
		r = ns_join(pid_ns, NS_PID, &err);
	fd_close(pid_ns);
	if (r >= 0)
		r = empty_root(&err);
	if (r >= 0 && own_user_ns)
		r = become_nobody(&err);
	if (r >= 0)
		r = proc_clone(&(struct proc_clone){ .flags = own_user_ns
								      ? CLONE_NEWUSER | CLONE_NEWNS
								      : 0,
						     .fn = opener,
						     .arg = &sock,
						     .cgroup_fd = -1 },
			       &p, &err);
	if (r >= 0)
		(void)proc_wait(p.pidfd, -1, &(struct proc_exit){ 0 }, NULL); /* it has told */
	else
		sync_send_error(sock, &err);
	return r < 0;
}
