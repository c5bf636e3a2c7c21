/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An update that limits what was not limited before needs a hierarchy (v1) or a controller (v2)
 * that the cgroup was made without.
 */
#include "base/err.h"
#include "base/fd.h"
#include "linux/cgroup-priv.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIDS_MAX = 65536, ROUNDS = 64 };

/* In v2 nothing is made: each parent on the way switches on what the next is to have. */
static int enable_v2(struct cgroup *cg, struct cgroup_part *p, uint32_t want, struct err *err)
{
	char path[PATH_MAX], names[200];
	char *slash = path;
	int r = 0;

	(void)snprintf(path, sizeof(path), "%s", cg->path);
	r = cgroup_v2_enable(p->hier->fd, want, false, err);
	while (r == 0 && (slash = strchr(slash, '/'))) {
		CLEANUP(fd_close) int dir = -1;

		*slash = 0;
		r = path_open_beneath(p->hier->fd, path, O_PATH | O_DIRECTORY, 0, &dir, err);
		if (r == 0)
			r = cgroup_v2_enable(dir, want, false, err);
		*slash++ = '/';
	}
	if (r < 0)
		return err_wrap(err, "cgroup '%s'", cg->full);
	cgroup_part_refresh(p);
	if (want & p->hier->controllers & ~p->controllers)
		return err_set(err, ERR_UNSUPPORTED,
			       "cgroup '%s': controller %s cannot be switched on", cg->full,
			       cgroup_mask_names(want & p->hier->controllers & ~p->controllers,
						 names, sizeof(names)));
	return 0;
}

static bool in_list(const pid_t *list, size_t n, pid_t pid)
{
	return bsearch(&pid, list, n, sizeof(pid), cgroup_by_pid);
}

/* One that forks meanwhile has a child in the old place: again until a round finds nobody new. */
static int follow(const struct cgroup *cg, const struct cgroup_part *p, struct err *err)
{
	CLEANUP_FREE pid_t *v = calloc(2 * (size_t)PIDS_MAX, sizeof(*v));
	size_t n = 0, known = 0;
	char text[16];
	int r;

	if (!v)
		abort();
	for (int round = 0; round < ROUNDS; round++) {
		pid_t *now = v + PIDS_MAX;
		bool moved = false;

		r = cgroup_pids(cg, now, PIDS_MAX, &n, err);
		if (r < 0)
			return r;
		if (n > PIDS_MAX)
			break;
		for (size_t i = 0; i < n; i++) {
			if (in_list(v, known, now[i]))
				continue;
			(void)snprintf(text, sizeof(text), "%d", (int)now[i]);
			if (cgroup_write(p->dir, "cgroup.procs", text) < 0 && errno != ESRCH)
				return err_sys(err, "move process %d into cgroup '%s%s'",
					       (int)now[i], p->hier->mount, cg->full);
			moved = true;
		}
		if (!moved)
			return 0;
		memcpy(v, now, n * sizeof(*v));
		known = n;
		qsort(v, known, sizeof(*v), cgroup_by_pid);
	}
	return err_set(err, ERR_CONFLICT,
		       "move the processes of cgroup '%s' (%zu): new ones keep coming", cg->full,
		       n);
}

/* The processes are listed by what the handle had before: the new part holds none yet. */
static int add_part(struct cgroup *cg, const struct cgroup_hier *h, uint32_t want, struct err *err)
{
	struct cgroup_part *p = &cg->parts[cg->n];
	int r;

	r = cgroup_make_part(cg, h, want, err);
	if (r < 0)
		return r;
	cg->n--;
	if (cg->n > 0)
		r = follow(cg, p, err);
	cg->n++;
	return r;
}

static bool in_handle(const struct cgroup *cg, const struct cgroup_hier *h)
{
	for (unsigned i = 0; i < cg->n; i++)
		if (cg->parts[i].hier == h)
			return true;
	return false;
}

/* Parts from `first` on, which this call has made. Who was moved into them goes back to the root
 * of that hierarchy, or rmdir would fail. */
static void drop_parts(struct cgroup *cg, unsigned first)
{
	while (cg->n > first) {
		struct cgroup_part *p = &cg->parts[cg->n - 1];
		CLEANUP_FREE pid_t *v = calloc(PIDS_MAX, sizeof(*v));
		size_t n = 0;
		char text[16];

		if (v && p->dir >= 0 && cgroup_pids_of(p->dir, v, PIDS_MAX, &n) == 0)
			for (size_t i = 0; i < n && i < PIDS_MAX; i++) {
				(void)snprintf(text, sizeof(text), "%d", (int)v[i]);
				(void)cgroup_write(p->hier->fd, "cgroup.procs", text);
			}
		cgroup_drop_part(cg);
	}
}

int cgroup_extend(struct cgroup *cg, uint32_t want, struct err *err)
{
	struct cgroup_layout *l = cg->layout;
	const unsigned first = cg->n;
	uint32_t missing = want & ~cgroup_controllers(cg);
	char names[200];
	int r = 0;

	if (!missing)
		return 0;
	if (missing & ~cgroup_layout_have(l, missing))
		return err_set(err, ERR_UNSUPPORTED,
			       "cgroup '%s': this machine has no controller %s", cg->full,
			       cgroup_mask_names(missing & ~cgroup_layout_have(l, missing), names,
						 sizeof(names)));
	for (unsigned i = 0; r == 0 && i < l->n; i++) {
		struct cgroup_hier *h = &l->hiers[i];

		if (!(h->controllers & missing) || cgroup_hier_open(l, h, NULL) <= 0)
			continue;
		if (!in_handle(cg, h)) {
			r = add_part(cg, h, missing & h->controllers, err);
			continue;
		}
		for (unsigned k = 0; r == 0 && h->v2 && k < cg->n; k++)
			if (cg->parts[k].hier == h)
				r = enable_v2(cg, &cg->parts[k], missing & h->controllers, err);
	}
	if (r < 0)
		drop_parts(cg, first);
	return r;
}
