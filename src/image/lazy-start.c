/* SPDX-License-Identifier: Apache-2.0 */
/* Starting the server of one layer: its mount, its socket, its process. */
#include "base/err.h"
#include "base/fd.h"
#include "image/lazy.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>

#define FD_HIGH (LAZY_FDS + 2) /* above every number that the child uses */

struct birth {
	const char *program, *label;
	char *env[9]; /* how the internet is reached, and nothing else */
	int fds[LAZY_FDS];
};

/* Runs on the parent's memory until exec. */
static int child_main(void *arg)
{
	const struct birth *b = arg;
	char *argv[] = { (char *)"teu", (char *)IMAGE_LAZY_ROLE, (char *)(uintptr_t)b->label,
			 NULL };

	if (proc_reset_signals(NULL) < 0)
		return 126;
	for (int i = 0; i < LAZY_FDS; i++)
		if (i != STDERR_FILENO && sys_dup3(b->fds[i], i, 0) < 0)
			return 126;
	if (proc_fds_cloexec(LAZY_FDS, NULL, 0, false, NULL) < 0)
		return 126;
	sys_execveat(AT_FDCWD, b->program, argv, b->env, 0);
	return 127;
}

static void copy_proxies(struct birth *b)
{
	static const char *const names[] = { "HTTPS_PROXY=", "https_proxy=", "HTTP_PROXY=",
					     "http_proxy=",  "ALL_PROXY=",   "all_proxy=",
					     "NO_PROXY=",    "no_proxy=" };
	size_t n = 0;

	for (char **e = environ; *e; e++)
		for (size_t i = 0; i < ARRAY_LEN(names) && n + 1 < ARRAY_LEN(b->env); i++)
			if (strncmp(*e, names[i], strlen(names[i])) == 0)
				b->env[n++] = *e;
}

static int high(int fd)
{
	int copy = fd < 0 ? -1 : sys_fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);

	fd_close(fd);
	return copy;
}

/* ---- mount ---- */

static void mount_path(int dir, const char *name, char path[64])
{
	snprintf(path, 64, "/proc/self/fd/%d/%s", dir, name);
}

void lazy_unmount(const char *path)
{
	(void)sys_umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW); /* not mounted: as it should be */
}

static int mount_fuse(int dir, int *ret, struct err *err)
{
	char path[64], options[128];

	*ret = high(sys_openat(AT_FDCWD, "/dev/fuse", O_RDWR | O_CLOEXEC, 0));
	if (*ret < 0)
		return err_sys(err, "open '/dev/fuse', which a lazy start needs");
	if (sys_mkdirat(dir, "mnt", 0755) < 0 && errno != EEXIST)
		return err_sys(err, "make a mount point");
	mount_path(dir, "mnt", path);
	/* The kernel checks modes itself; every user may look, as through a container's overlay. */
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other", *ret);
	if (sys_mount("teu-lazy", path, "fuse.teu-lazy", MS_RDONLY | MS_NODEV | MS_NOSUID,
		      options) < 0)
		return err_sys(err, "mount a file system of its own (FUSE)");
	return 0;
}

/* ---- descriptors ---- */

static int listen_at(int dir, int *ret, struct err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	mount_path(dir, "sock", sa.sun_path);
	*ret = high(sys_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	if (sys_unlinkat(dir, "sock", 0) < 0 && errno != ENOENT)
		return err_sys(err, "remove an old socket");
	if (*ret < 0 || sys_bind(*ret, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    sys_listen(*ret, 8) < 0)
		return err_sys(err, "make a socket");
	return 0;
}

int lazy_connect(int dir, int *ret)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	mount_path(dir, "sock", sa.sun_path);
	*ret = sys_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*ret < 0)
		return -1;
	if (sys_connect(*ret, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return 0;
	fd_close(STEAL_FD(*ret));
	return -1;
}

/* In memory: it has credentials. */
static int conf_fd(const struct lazy_conf *c, int *ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(0);
	int r = lazy_conf_write(c, &b, err);

	*ret = -1;
	if (r < 0)
		return r;
	*ret = high(memfd_create("lazy", MFD_CLOEXEC));
	if (*ret < 0 || fd_write_all(*ret, b.p, b.n) < 0 || lseek(*ret, 0, SEEK_SET) < 0)
		r = err_sys(err, "hand on the configuration");
	explicit_bzero(b.p, b.n);
	return r;
}

static int hear(int in, struct lazy_report *rep, struct err *err)
{
	if (fd_read_full(in, rep, sizeof(*rep)) != (ssize_t)sizeof(*rep) ||
	    rep->magic != LAZY_REPORT_MAGIC || rep->code >= ERR_CODE_COUNT)
		return err_set(err, ERR_SYSTEM, "the lazy server ended without a report");
	rep->msg[sizeof(rep->msg) - 1] = '\0';
	if (rep->code)
		return err_set(err, (enum err_code)rep->code, "%s", rep->msg);
	return 0;
}

static int spawn(struct birth *b, struct lazy_report *rep, struct err *err)
{
	struct proc_clone pc = { .fn = child_main, .arg = b, .cgroup_fd = -1, .shared = true };
	CLEANUP(fd_close) int in = -1;
	struct proc_exit x;
	struct proc p;
	int ends[2], r;

	if (sys_pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	in = ends[0];
	b->fds[LAZY_FD_REPORT] = high(ends[1]);
	r = b->fds[LAZY_FD_REPORT] < 0 ? err_sys(err, "make a pipe") : proc_clone(&pc, &p, err);
	fd_close(STEAL_FD(b->fds[LAZY_FD_REPORT]));
	if (r < 0)
		return r;
	r = hear(in, rep, err);
	(void)proc_wait(p.pidfd, -1, &x, NULL); /* it is the server's parent, and ends at once */
	proc_fini(&p);
	return r;
}

int lazy_start(int dir, const char *program, const char *label, const struct lazy_conf *c,
	       struct lazy_report *ret, struct err *err)
{
	struct birth b = { .program = program, .label = label };
	char path[64];
	int r;

	for (size_t i = 0; i < ARRAY_LEN(b.fds); i++)
		b.fds[i] = -1;
	copy_proxies(&b);
	b.fds[0] = high(sys_openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0));
	b.fds[1] = sys_fcntl(b.fds[0], F_DUPFD_CLOEXEC, FD_HIGH);
	b.fds[LAZY_FD_DIR] = sys_fcntl(dir, F_DUPFD_CLOEXEC, FD_HIGH);
	r = b.fds[1] < 0 || b.fds[LAZY_FD_DIR] < 0 ? err_sys(err, "duplicate a descriptor") : 0;
	if (r >= 0)
		r = listen_at(dir, &b.fds[LAZY_FD_LISTEN], err);
	if (r >= 0)
		r = conf_fd(c, &b.fds[LAZY_FD_CONF], err);
	if (r >= 0) {
		r = mount_fuse(dir, &b.fds[LAZY_FD_FUSE], err);
		if (r >= 0)
			r = spawn(&b, ret, err);
		mount_path(dir, "mnt", path);
		if (r < 0)
			lazy_unmount(path);
	}
	for (size_t i = 0; i < ARRAY_LEN(b.fds); i++)
		fd_close(b.fds[i]);
	return r < 0 ? err_wrap(err, "lazy start of layer '%s'", c->digest) : 0;
}
