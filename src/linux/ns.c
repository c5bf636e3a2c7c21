/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of namespaces, and the few files through which they are set up.
 *
 * Everything that reads or writes /proc checks on the open fd that it is procfs (or nsfs): a
 * container's mounts must not be able to catch a uid_map write.
 */
#include "linux/ns.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "linux/path.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif

enum {
	MAP_LINES_MAX = 340,  /* user_namespaces(7) */
	MAP_BYTES_MAX = 4095, /* one write, less than a page */
};

const struct ns_type ns_types[NS_KINDS] = {
	[NS_USER] = { "user", "user", CLONE_NEWUSER },
	[NS_IPC] = { "ipc", "ipc", CLONE_NEWIPC },
	[NS_UTS] = { "uts", "uts", CLONE_NEWUTS },
	[NS_NET] = { "network", "net", CLONE_NEWNET },
	[NS_PID] = { "pid", "pid", CLONE_NEWPID },
	[NS_CGROUP] = { "cgroup", "cgroup", CLONE_NEWCGROUP },
	[NS_TIME] = { "time", "time", CLONE_NEWTIME },
	[NS_MOUNT] = { "mount", "mnt", CLONE_NEWNS },
};

int ns_find(const char *name)
{
	for (int i = 0; i < NS_KINDS; i++)
		if (!strcmp(ns_types[i].name, name))
			return i;
	return -1;
}

static const char *name_of_flag(uint64_t flag)
{
	for (int i = 0; i < NS_KINDS; i++)
		if (ns_types[i].flag == flag)
			return ns_types[i].name;
	return "unknown";
}

int ns_open(const char *path, enum ns_kind kind, int *ret_fd, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct statfs sf;
	int flag;

	/* O_NONBLOCK: the path is given from outside and may be a FIFO. */
	fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_sysc(err, ERR_NOT_FOUND, errno, "%s namespace '%s'", ns_types[kind].name,
				path);
	if (fd < 0)
		return err_sys(err, "open %s namespace '%s'", ns_types[kind].name, path);
	if (fstatfs(fd, &sf) < 0)
		return err_sys(err, "look at %s namespace '%s'", ns_types[kind].name, path);
	if (sf.f_type != NSFS_MAGIC)
		return err_set(err, ERR_INVALID, "%s namespace '%s': the file is not a namespace",
			       ns_types[kind].name, path);
	flag = sys_ioctl(fd, NS_GET_NSTYPE, NULL);
	if (flag < 0)
		return err_sys(err, "ask for the kind of namespace '%s'", path);
	if ((uint64_t)(unsigned)flag != ns_types[kind].flag)
		return err_set(err, ERR_INVALID, "namespace '%s' is of kind %s, not %s", path,
			       name_of_flag((unsigned)flag), ns_types[kind].name);
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int ns_open_of(pid_t pid, enum ns_kind kind, int *ret_fd, struct err *err)
{
	char path[64];

	if (pid)
		(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, ns_types[kind].proc);
	else
		(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", ns_types[kind].proc);
	return ns_open(path, kind, ret_fd, err);
}

int ns_join(int fd, enum ns_kind kind, struct err *err)
{
	if (sys_setns(fd, (int)ns_types[kind].flag) < 0)
		return err_sys(err, "join %s namespace", ns_types[kind].name);
	return 0;
}

int ns_same(int a, int b, struct err *err)
{
	struct stat x, y;

	if (sys_fstat(a, &x) < 0 || sys_fstat(b, &y) < 0)
		return err_sys(err, "compare namespaces");
	return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool ns_supported(enum ns_kind kind)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", ns_types[kind].proc);
	return faccessat(AT_FDCWD, path, F_OK, 0) == 0;
}

static bool overlap(uint32_t a, uint32_t b, const struct ns_id_map *x, const struct ns_id_map *y)
{
	return (uint64_t)a < (uint64_t)b + y->count && (uint64_t)b < (uint64_t)a + x->count;
}

/* The kernel checks the same and says EINVAL; here the message can name the line. */
static int check_map(const char *what, const struct ns_id_map *m, size_t n, struct err *err)
{
	if (n == 0 || n > MAP_LINES_MAX)
		return err_set(err, ERR_INVALID, "%s mappings: %zu entries, must be 1 to %d", what,
			       n, MAP_LINES_MAX);
	for (size_t i = 0; i < n; i++) {
		if (m[i].count == 0 || (uint64_t)m[i].inside + m[i].count > UINT32_MAX ||
		    (uint64_t)m[i].outside + m[i].count > UINT32_MAX)
			return err_set(err, ERR_INVALID,
				       "%s mapping %zu: size %u is 0 or passes the last id", what,
				       i, m[i].count);
		for (size_t j = 0; j < i; j++)
			if (overlap(m[i].inside, m[j].inside, &m[i], &m[j]) ||
			    overlap(m[i].outside, m[j].outside, &m[i], &m[j]))
				return err_set(err, ERR_INVALID, "%s mappings %zu and %zu overlap",
					       what, j, i);
	}
	return 0;
}

static int write_map(pid_t pid, const char *file, const struct ns_id_map *m, size_t n,
		     struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(MAP_BYTES_MAX);

	for (size_t i = 0; i < n; i++)
		(void)buf_addf(&b, "%u %u %u\n", m[i].inside, m[i].outside, m[i].count);
	if (b.full)
		return err_set(err, ERR_INVALID,
			       "%s: the mappings need more than the %d bytes the kernel takes",
			       file, MAP_BYTES_MAX);
	return proc_write_attr(pid, file, buf_str(&b), err);
}

static int write_maps(pid_t pid, const struct ns_id_map *uids, size_t n_uids,
		      const struct ns_id_map *gids, size_t n_gids, bool deny, struct err *err)
{
	int r = 0;

	if (deny)
		r = proc_write_attr(pid, "setgroups", "deny", err);
	if (r == 0)
		r = write_map(pid, "gid_map", gids, n_gids, err);
	if (r < 0 && !deny && err->sys == EPERM) {
		/* Unprivileged: the kernel wants setgroups off before it takes one's own gid. */
		r = proc_write_attr(pid, "setgroups", "deny", err);
		if (r == 0)
			r = write_map(pid, "gid_map", gids, n_gids, err);
	}
	if (r == 0)
		r = write_map(pid, "uid_map", uids, n_uids, err);
	if (r < 0 && err->sys == EPERM)
		return err_hint(
			err,
			"without CAP_SETUID only the own id can be mapped, one entry of size 1");
	return r;
}

int ns_write_maps(pid_t pid, const struct ns_id_map *uids, size_t n_uids,
		  const struct ns_id_map *gids, size_t n_gids, bool deny_setgroups, struct err *err)
{
	struct err own = ERR_INIT;
	int r;

	if (!err)
		err = &own; /* write_maps decides by the errno */
	r = check_map("uid", uids, n_uids, err);
	if (r == 0)
		r = check_map("gid", gids, n_gids, err);
	if (r == 0)
		r = write_maps(pid, uids, n_uids, gids, n_gids, deny_setgroups, err);
	return r;
}

static int wait_to_be_killed(void *arg)
{
	(void)sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	for (;;)
		(void)pause();
	return 0;
}

int ns_user_make(const struct ns_id_map *uids, size_t n_uids, const struct ns_id_map *gids,
		 size_t n_gids, int *ret_fd, struct err *err)
{
	const struct proc_clone c = { .flags = CLONE_NEWUSER,
				      .fn = wait_to_be_killed,
				      .cgroup_fd = -1 };
	__attribute__((cleanup(proc_fini_cleanup_))) struct proc p = { .pidfd = -1 };
	int r;

	r = proc_clone(&c, &p, err);
	if (r < 0)
		return err_wrap(err, "new user namespace");
	r = ns_write_maps(p.pid, uids, n_uids, gids, n_gids, false, err);
	if (r == 0)
		r = ns_open_of(p.pid, NS_USER, ret_fd, err);
	/* Not through the seam: a helper process must not stay behind a fault that has been
	 * reported already. */
	(void)syscall(SYS_pidfd_send_signal, p.pidfd, SIGKILL, NULL, 0);
	while (waitid(P_PIDFD, (id_t)p.pidfd, &(siginfo_t){ 0 }, WEXITED) < 0 && errno == EINTR)
		;
	return r < 0 ? err_wrap(err, "user namespace for an idmapped mount") : 0;
}

static int add_offset(struct buf *b, const char *clock, const struct ns_time_offset *o,
		      struct err *err)
{
	if (!o || !o->set)
		return 0;
	if (o->nanosecs > 999999999)
		return err_set(err, ERR_INVALID, "time offset of %s: nanosecs %u is over 999999999",
			       clock, o->nanosecs);
	return buf_addf(b, "%s %lld %u\n", clock, (long long)o->secs, o->nanosecs);
}

int ns_write_time_offsets(pid_t pid, const struct ns_time_offset *monotonic,
			  const struct ns_time_offset *boottime, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(256);
	int r;

	r = add_offset(&b, "monotonic", monotonic, err);
	if (r == 0)
		r = add_offset(&b, "boottime", boottime, err);
	if (r < 0 || b.n == 0)
		return r;
	return proc_write_attr(pid, "timens_offsets", buf_str(&b), err);
}
