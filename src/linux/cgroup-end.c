/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a cgroup's directories, and handing them to a user. The numbers are the invariants of
 * cgroup.c.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "linux/cgroup-priv.h"
#include "linux/sys.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* rmdir, waiting while the last processes leave: they do so only after their parent saw them end.
 */
static int rmdir_wait(int dir, const char *name, int64_t end)
{
	int ms = 1;

	while (sys_unlinkat(dir, name, AT_REMOVEDIR) < 0) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY || now_ms() >= end)
			return -1;
		(void)poll(NULL, 0, ms);
		ms = MIN(ms * 2, 20);
	}
	return 0;
}

/* Cgroups that the container made inside its own. */
static int remove_children(int dir, int depth, int64_t end)
{
	int fd = sys_openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), r = 0;
	struct dirent *e;
	DIR *d;

	if (fd < 0)
		return -1;
	d = fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return -1;
	}
	while (r == 0 && (e = readdir(d))) {
		CLEANUP(fd_close) int child = -1;

		if (e->d_type != DT_DIR || !strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		child = sys_openat(dir, e->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
				   0);
		if (child < 0 || depth == CGROUP_DEPTH_MAX ||
		    remove_children(child, depth + 1, end) < 0)
			r = -1;
		if (r == 0)
			r = rmdir_wait(dir, e->d_name, end);
	}
	closedir(d);
	return r;
}

static int remove_leaf(const struct cgroup *cg, const struct cgroup_part *p, int64_t end)
{
	/* Nearly always it is empty. */
	if (sys_unlinkat(p->hier->fd, cg->path, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (p->dir >= 0 && remove_children(p->dir, 0, end) < 0 && errno != ENOENT)
		return -1;
	return rmdir_wait(p->hier->fd, cg->path, end);
}

static int destroy_part(struct cgroup *cg, struct cgroup_part *p, int64_t end, struct err *err)
{
	pid_t pid = 0;
	size_t n = 0;

	if (p->made == 0)
		return 0; /* (2) */
	if (remove_leaf(cg, p, end) < 0 || cgroup_remove_parents(p->hier, cg->path, p->made) < 0) {
		int saved = errno;

		if (saved == EBUSY && cgroup_pids(cg, &pid, 1, &n, NULL) == 0 && n > 0)
			return err_sysc(err, ERR_CONFLICT, saved,
					"remove cgroup '%s%s': %zu processes are in it (one is %d)",
					p->hier->mount, cg->full, n, (int)pid);
		return err_sysc(err, saved == EBUSY ? ERR_CONFLICT : ERR_SYSTEM, saved,
				"remove cgroup '%s%s'", p->hier->mount, cg->full);
	}
	fd_close(p->dir);
	fd_close(p->procs);
	p->dir = p->procs = -1;
	p->made = 0;
	return 0;
}

void cgroup_adopt(struct cgroup *cg)
{
	for (unsigned i = 0; i < cg->n; i++)
		cg->parts[i].made = MAX(cg->parts[i].made, 1u);
}

int cgroup_destroy(struct cgroup *cg, int timeout_ms, struct err *err)
{
	int64_t end = now_ms() + timeout_ms;
	int ret = 0;

	/* One that fails does not keep the others: the first error counts. */
	for (unsigned i = 0; i < cg->n; i++) {
		int r = destroy_part(cg, &cg->parts[i], end, ret ? NULL : err);

		if (!ret)
			ret = r;
	}
	return ret;
}

int cgroup_delegate(struct cgroup *cg, uid_t uid, gid_t gid, struct err *err)
{
	const struct cgroup_part *p = cgroup_v2_part(cg);
	char text[4096] = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads";
	char *rest = text, *file;

	if (!p)
		return err_set(err, ERR_UNSUPPORTED,
			       "cgroup '/%s': only cgroup v2 can be handed to a user", cg->path);
	if (cg->layout->root < 0) {
		char list[4096];

		if (cgroup_read(AT_FDCWD, "/sys/kernel/cgroup/delegate", list, sizeof(list)) > 0)
			(void)str_copy(text, sizeof(text), list);
	}
	if (sys_fchownat(p->dir, "", uid, gid, AT_EMPTY_PATH) < 0)
		return err_sys(err, "hand cgroup '/%s' to user %u", cg->path, (unsigned)uid);
	while ((file = strsep(&rest, "\n")))
		if (*file && sys_fchownat(p->dir, file, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno != ENOENT)
			return err_sys(err, "hand '%s' of cgroup '/%s' to user %u", file, cg->path,
				       (unsigned)uid);
	return 0;
}
