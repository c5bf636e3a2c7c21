/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/outside.h"
#include "apiserver/outward/given.h"

#include "apiserver/place.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/frame.h"
#include "crypto/aead.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE = 1, WRITTEN = 2, FAILED = 3 };

struct outside {
	char *kubeconfig, *pid_file; /* absolute; NULL: none */
	struct proc child;
	int sock; /* -1: no child */
	int file; /* the kubeconfig as it was written */
	pid_t pid;
};

/* ---- writing, as whoever may ---- */

static int write_all(struct outside *o, struct slice kubeconfig, struct err *err)
{
	char pid[32];
	int n = snprintf(pid, sizeof(pid), "%d\n", o->pid);

	if (o->kubeconfig) {
		if (fd_replace_file(AT_FDCWD, o->kubeconfig, kubeconfig.p, kubeconfig.n, 0600,
				    err) < 0)
			return err_wrap(err, "--kubeconfig-out");
		fd_close(o->file);
		o->file = sys_openat(AT_FDCWD, o->kubeconfig, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
	}
	if (o->pid_file && fd_replace_file(AT_FDCWD, o->pid_file, pid, (size_t)n, 0644, err) < 0)
		return err_wrap(err, "--pid-file");
	return 0;
}

/* ---- the child ---- */

/* Waits for the one frame; the end of the stream is the server's death. */
static int serve(struct outside *o)
{
	CLEANUP(frame_fini) struct frame f = { 0 };
	CLEANUP_FREE char *buf = malloc(FRAME_PAYLOAD_MAX);
	struct err err = ERR_INIT;
	struct pollfd p = { .fd = o->sock, .events = POLLIN };
	int r;

	if (!buf)
		return 1;
	while ((r = frame_recv(o->sock, buf, FRAME_PAYLOAD_MAX, &f, &err)) == 0)
		(void)poll(&p, 1, -1);
	if (r < 0 || f.head.type != WRITE)
		return 1;
	r = write_all(o, slice_of((const char *)f.payload, f.head.len), &err);
	if (r < 0)
		return frame_send(o->sock, 1, FAILED, 0, err.msg, strlen(err.msg), NULL, 0, NULL) <
		       0;
	return frame_send(o->sock, 1, WRITTEN, 0, NULL, 0, &o->file, o->file >= 0, NULL) < 0;
}

static int child_main(void *arg)
{
	struct outside *o = arg;

	(void)proc_fds_cloexec(3, &o->sock, 1, true, NULL); /* best effort: all is closed soon */
	return serve(o);
}

static int start_child(struct outside *o, struct err *err)
{
	CLEANUP(fd_close) int mine = -1;
	int pair[2];
	struct proc_clone c = { .fn = child_main, .arg = o, .cgroup_fd = -1 };
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "make a socket pair");
	mine = pair[0];
	o->sock = pair[1];
	r = proc_clone(&c, &o->child, err);
	fd_close(o->sock);
	o->sock = r < 0 ? -1 : STEAL_FD(mine);
	return r < 0 ? err_wrap(err, "start who writes files for others") : 0;
}

static int ask_child(struct outside *o, struct slice kubeconfig, struct err *err)
{
	CLEANUP(frame_fini) struct frame f = { 0 };
	CLEANUP_FREE char *buf = malloc(FRAME_PAYLOAD_MAX);
	struct pollfd p = { .fd = o->sock, .events = POLLIN };
	int r;

	if (!buf)
		abort();
	r = frame_send(o->sock, 1, WRITE, 0, kubeconfig.p, kubeconfig.n, NULL, 0, err);
	while (r == 0) {
		(void)poll(&p, 1, -1);
		r = frame_recv(o->sock, buf, FRAME_PAYLOAD_MAX, &f, err);
	}
	if (r < 0)
		return err_wrap(err, "files for others");
	if (f.head.type == FAILED)
		return err_set(err, ERR_SYSTEM, "%.*s", (int)f.head.len, f.payload);
	o->file = frame_take_fd(&f, 0);
	return 0;
}

static void end_child(struct outside *o)
{
	struct proc_exit e;

	if (o->sock < 0)
		return;
	fd_close(STEAL_FD(o->sock));
	(void)proc_wait(o->child.pidfd, -1, &e, NULL); /* it ends with the stream */
	proc_fini(&o->child);
}

/* ---- all ---- */

int outside_new(const char *kubeconfig, const char *pid_file, bool child, struct outside **ret,
		struct err *err)
{
	CLEANUP(outside_free) struct outside *o = calloc(1, sizeof(*o));

	if (!o)
		abort();
	o->sock = o->file = o->child.pidfd = -1;
	o->pid = getpid();
	if (given_absolute(kubeconfig, &o->kubeconfig, err) < 0 ||
	    given_absolute(pid_file, &o->pid_file, err) < 0)
		return err_ret(err);
	if (child && (kubeconfig || pid_file) && start_child(o, err) < 0)
		return err_ret(err);
	*ret = STEAL(o);
	return 0;
}

void outside_free(struct outside *o)
{
	if (!o)
		return;
	end_child(o);
	fd_close(o->file);
	free(o->kubeconfig);
	free(o->pid_file);
	free(o);
}

int outside_write(struct outside *o, struct slice kubeconfig, struct err *err)
{
	int r;

	if (kubeconfig.n > OUTSIDE_MAX)
		return err_set(err, ERR_TOO_LARGE, "the kubeconfig is too large");
	if (o->sock < 0)
		return write_all(o, kubeconfig, err);
	r = ask_child(o, kubeconfig, err);
	end_child(o);
	return r;
}

int outside_renew(struct outside *o, struct slice kubeconfig, struct err *err)
{
	struct err own = ERR_INIT;

	if (!o->kubeconfig ||
	    fd_replace_file(AT_FDCWD, o->kubeconfig, kubeconfig.p, kubeconfig.n, 0600, &own) == 0)
		return 0;
	if (o->file < 0 || own.sys == ENOSPC)
		return err_set(err, own.code, "--kubeconfig-out: %s", own.msg);
	if (pwrite(o->file, kubeconfig.p, kubeconfig.n, 0) != (ssize_t)kubeconfig.n ||
	    ftruncate(o->file, (off_t)kubeconfig.n) < 0 || fsync(o->file) < 0)
		return err_sys(err, "--kubeconfig-out: write '%s'", o->kubeconfig);
	return 0;
}

void outside_remove_pid(struct outside *o)
{
	if (o->pid_file)
		(void)unlink(o->pid_file); /* best effort: the directory may be root's */
}
