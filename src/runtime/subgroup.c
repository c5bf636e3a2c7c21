/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cgroup below the container's, for a further process of it (exec --cgroup): made by who manages
 * the container from inside, so its path is looked up below the container's directory only.
 */
#include "runtime/group.h"

#include "base/fd.h"
#include "linux/path.h"
#include "linux/sys.h"
#include "runtime/rt.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static int enter_one(int dir, const char *path, const char *pid, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	char file[PATH_MAX];
	int r;

	if ((size_t)snprintf(file, sizeof(file), "%s/cgroup.procs", path) >= sizeof(file))
		return err_set(err, ERR_INVALID, "the path is too long");
	r = path_open_in(dir, file, O_WRONLY | O_CLOEXEC, &fd, err);
	if (r >= 0 && sys_write(fd, pid, strlen(pid)) < 0)
		r = err_sys(err, "enter it");
	return r;
}

/* "cpu,memory:" says which hierarchies of v1 are meant. */
static bool is_meant(struct slice list, const char *name)
{
	while (list.p)
		if (slice_is(slice_split(&list, ','), name))
			return true;
	return false;
}

static int enter(const struct cgroup *cg, const char *text, const char *pid, struct err *err)
{
#define X(id, v1, v2) v1,
	static const char *const names[] = { CGROUP_CONTROLLERS(X) };
#undef X
	const char *colon = strchr(text, ':');
	struct slice list = slice_of(colon ? text : NULL, colon ? (size_t)(colon - text) : 0);
	const char *path = colon ? colon + 1 : text;
	bool found = false;

	if (colon && cgroup_is_v2(cg))
		return err_set(err, ERR_INVALID, "controllers can be named with cgroup v1 only");
	if (!path[0])
		return err_set(err, ERR_INVALID, "the path is empty");
	for (unsigned k = 0; k < CGROUP_CONTROLLER_COUNT; k++) {
		int dir = cgroup_dir_fd(cg, k), r;

		if (dir < 0 || (list.p && !is_meant(list, names[k])))
			continue;
		r = enter_one(dir, path, pid, err);
		if (r < 0)
			return r;
		found = true;
	}
	return found ? 0 : err_set(err, ERR_NOT_FOUND, "the container has no such controller");
}

int subgroup_enter(struct group *g, const char *const *list, pid_t pid, struct err *err)
{
	char text[16];
	int r = 0;

	if (!g->cgroup)
		return err_set(err, ERR_UNSUPPORTED, "--cgroup: the container has no cgroup");
	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	/* In v1 the hierarchies that are not named; in v2 there may be no process in it. */
	if (!cgroup_is_v2(g->cgroup))
		r = cgroup_add(g->cgroup, pid, err);
	for (; r >= 0 && *list; list++) {
		r = enter(g->cgroup, *list, text, err);
		if (r < 0)
			(void)err_wrap(err, "--cgroup '%s'", *list);
	}
	return r;
}
