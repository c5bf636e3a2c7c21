/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An update that limits what was not limited before needs a hierarchy (v1) or a controller (v2)
 * that the cgroup was made without.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
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

/* One that forks meanwhile has a child in the old place: again until a round finds nobody new. Who
 * is there already is left alone, so that it costs little to make sure. */
static int follow(const struct cgroup *cg, const struct cgroup_part *p, struct err *err)
{
	CLEANUP_FREE pid_t *v = calloc(2 * (size_t)PIDS_MAX, sizeof(*v));
	size_t n = 0, known = 0;
	char text[16];
	int r;

	if (!v)
		abort();
	if (cgroup_pids_of(p->dir, v, PIDS_MAX, &known) < 0)
		return err_sys(err, "list the processes of cgroup '%s%s'", p->hier->mount,
			       cg->full);
	known = MIN(known, (size_t)PIDS_MAX);
	qsort(v, known, sizeof(*v), cgroup_by_pid);
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

static struct cgroup_part *part_in(const struct cgroup *cg, const struct cgroup_hier *h)
{
	for (unsigned i = 0; i < cg->n; i++)
		if (cg->parts[i].hier == h)
			return (struct cgroup_part *)&cg->parts[i];
	return NULL;
}

/* A v1 directory that is recorded and not there: whoever was to make it was killed. */
static bool is_gone(const struct cgroup_part *p, uint32_t missing)
{
	return p->dir < 0 && !p->hier->v2 && p->hier->controllers & missing;
}

static void forget_gone(struct cgroup *cg, uint32_t missing)
{
	unsigned n = 0;

	for (unsigned i = 0; i < cg->n; i++)
		if (!is_gone(&cg->parts[i], missing))
			cg->parts[n++] = cg->parts[i];
	cg->n = n;
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

static int check_have(const struct cgroup *cg, uint32_t missing, struct err *err)
{
	uint32_t lacks = missing & ~cgroup_layout_have(cg->layout, missing);
	char names[200];

	return !lacks ? 0
		      : err_set(err, ERR_UNSUPPORTED,
				"cgroup '%s': this machine has no controller %s", cg->full,
				cgroup_mask_names(lacks, names, sizeof(names)));
}

/* One that was killed on its way has left processes behind. */
static int follow_all(const struct cgroup *cg, uint32_t want, struct err *err)
{
	const struct cgroup_part *from = cgroup_main_part(cg);
	int r = 0;

	for (unsigned i = 0; r == 0 && i < cg->n; i++) {
		const struct cgroup_part *p = &cg->parts[i];

		if (p != from && p->dir >= 0 && !p->hier->v2 && p->controllers & want)
			r = follow(cg, p, err);
	}
	return r;
}

static int extend_by(struct cgroup *cg, struct cgroup_hier *h, uint32_t missing, struct err *err)
{
	struct cgroup_part *p;

	if (!(h->controllers & missing) || cgroup_hier_open(cg->layout, h, NULL) <= 0)
		return 0;
	p = part_in(cg, h);
	if (!p)
		return add_part(cg, h, missing & h->controllers, err);
	return h->v2 ? enable_v2(cg, p, missing & h->controllers, err) : 0;
}

int cgroup_extend(struct cgroup *cg, uint32_t want, struct err *err)
{
	uint32_t missing = want & ~cgroup_controllers(cg);
	unsigned first;
	int r;

	r = follow_all(cg, want, err);
	if (r < 0 || !missing)
		return r;
	r = check_have(cg, missing, err);
	if (r < 0)
		return r;
	forget_gone(cg, missing);
	first = cg->n;
	for (unsigned i = 0; r == 0 && i < cg->layout->n; i++)
		r = extend_by(cg, &cg->layout->hiers[i], missing, err);
	if (r < 0)
		drop_parts(cg, first);
	return r;
}

/* How many of the path's last components a hierarchy does not have yet. */
static unsigned count_absent(const struct cgroup *cg, const struct cgroup_hier *h)
{
	char path[PATH_MAX];
	unsigned n = 0;
	struct stat st;
	char *slash;

	(void)str_copy(path, sizeof(path), cg->path);
	while (sys_fstatat(h->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		n++;
		slash = strrchr(path, '/');
		if (!slash)
			break;
		*slash = 0;
	}
	return n;
}

int cgroup_save_extended(const struct cgroup *cg, uint32_t want, struct buf *out, struct err *err)
{
	uint32_t missing = want & ~cgroup_controllers(cg);
	int r = check_have(cg, missing, err);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < cg->n; i++)
		if (!is_gone(&cg->parts[i], missing))
			(void)buf_addf(out, "%s:%u ", cg->parts[i].hier->name, cg->parts[i].made);
	for (unsigned i = 0; i < cg->layout->n; i++) {
		struct cgroup_hier *h = &cg->layout->hiers[i];
		const struct cgroup_part *p = part_in(cg, h);

		if (h->controllers & missing && (!p || is_gone(p, missing)) &&
		    cgroup_hier_open(cg->layout, h, NULL) > 0)
			(void)buf_addf(out, "%s:%u ", h->name, count_absent(cg, h));
	}
	return buf_addf(out, "/%s", cg->path) < 0 ? err_set(err, ERR_QUOTA,
							    "cgroup '/%s': no room for its "
							    "description",
							    cg->path)
						  : 0;
}
