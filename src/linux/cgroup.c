/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a cgroup's directories: making, recording, finding again.
 *
 * Invariants: (1) what a handle made is counted per hierarchy, as trailing components; (2) only
 * these are removed; (3) a parent that others moved into stays (rmdir says so); (4) a parent that
 * another handle removed between our mkdirs is made again.
 */
#include "linux/cgroup.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "linux/cgroup-priv.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>

enum { RETRIES = 16 };

static struct cgroup *handle_new(struct cgroup_layout *l)
{
	struct cgroup *cg = calloc(1, sizeof(*cg));

	if (!cg)
		abort();
	cg->layout = l;
	cg->full[0] = '/';
	cg->path = cg->full + 1;
	return cg;
}

void cgroup_free(struct cgroup *cg)
{
	if (!cg)
		return;
	for (unsigned i = 0; i < cg->n; i++) {
		fd_close(cg->parts[i].dir);
		fd_close(cg->parts[i].procs);
	}
	free(cg);
}

/* Single slashes, no ".." and nothing that /proc/PID/cgroup could not show. */
static int normalise(const char *path, char out[PATH_MAX], struct err *err)
{
	size_t used = 0, depth = 0;

	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");

		if (n && memchr(p, '\n', n))
			return err_set(err, ERR_INVALID, "cgroup path has a line break");
		if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return err_set(err, ERR_INVALID, "cgroup path '%s' has a '%.*s'", path,
				       (int)n, p);
		if (n > NAME_MAX || used + n + 2 > PATH_MAX || ++depth > CGROUP_DEPTH_MAX)
			return err_set(err, ERR_INVALID,
				       "cgroup path of %zu bytes is too long or too deep",
				       strlen(path));
		if (n) {
			if (used)
				out[used++] = '/';
			memcpy(out + used, p, n);
			used += n;
		}
		p += n;
		p += strspn(p, "/");
	}
	out[used] = 0;
	if (!used)
		return err_set(err, ERR_INVALID, "cgroup path '%s' names no cgroup of its own",
			       path);
	return 0;
}

void cgroup_part_refresh(struct cgroup_part *p)
{
	char text[256];

	p->controllers = p->hier->controllers;
	if (!p->hier->v2 || p->dir < 0)
		return;
	p->controllers &= CGROUP_V2_ALWAYS | CGROUP_BIT(UNIFIED);
	if (cgroup_read(p->dir, "cgroup.controllers", text, sizeof(text)) >= 0)
		p->controllers |= cgroup_parse_controllers(text, true);
}

int cgroup_remove_parents(const struct cgroup_hier *h, const char *path, unsigned made)
{
	char part[PATH_MAX];

	(void)str_copy(part, sizeof(part), path);
	for (unsigned i = 1; i < made; i++) {
		char *slash = strrchr(part, '/');

		if (!slash)
			break;
		*slash = 0;
		if (sys_unlinkat(h->fd, part, AT_REMOVEDIR) < 0 && errno != ENOENT)
			return errno == EBUSY || errno == ENOTEMPTY ? 0 : -1;
	}
	return 0;
}

static int remove_made(const struct cgroup_hier *h, const char *path, unsigned made)
{
	if (made && sys_unlinkat(h->fd, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -1;
	return cgroup_remove_parents(h, path, made);
}

/* One component: make or find, enter. -1 with errno; ENOENT = the parent was removed meanwhile. */
static int step_into(struct cgroup_part *p, int *dir, const char *name)
{
	int fd;

	if (sys_mkdirat(*dir, name, 0755) == 0)
		p->made++;
	else if (errno == EEXIST)
		p->made = 0; /* all before it was there too, or another made it for us: not ours (1)
			      */
	else
		return -1;
	fd = sys_openat(*dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0) {
		int saved = errno;

		if (p->made) {
			(void)unlinkat(*dir, name, AT_REMOVEDIR);
			p->made--;
		}
		errno = saved;
		return -1;
	}
	fd_close(p->dir);
	p->dir = fd;
	*dir = fd;
	return 0;
}

/* 1 = start over */
static int make_path(struct cgroup *cg, struct cgroup_part *p, uint32_t want, struct err *err)
{
	char name[NAME_MAX + 1], done[PATH_MAX] = "";
	const char *rest = cg->path;
	int dir = p->hier->fd, r = 0;

	p->made = 0;
	while (*rest) {
		size_t n = strcspn(rest, "/");
		int parent = dir == p->hier->fd ? dir : fd_dup(dir);

		memcpy(name, rest, n);
		name[n] = 0;
		rest += n;
		rest += *rest == '/';
		if (p->hier->v2)
			r = cgroup_v2_enable(parent, want & p->hier->controllers,
					     want == CGROUP_ALL, err);
		if (r == 0 && step_into(p, &dir, name) < 0)
			r = errno == ENOENT
				    ? 1
				    : err_sys(err, "make cgroup '%s/%s'", p->hier->mount, cg->path);
		else if (r == 0)
			(void)snprintf(done + strlen(done), sizeof(done) - strlen(done), "%s%s",
				       *done ? "/" : "", name);
		if (r == 0 && !p->hier->v2 && p->hier->controllers & CGROUP_BIT(CPUSET))
			r = cgroup_v1_inherit_cpuset(parent, dir, err);
		if (parent != p->hier->fd)
			fd_close(parent);
		if (r != 0) {
			(void)remove_made(p->hier, done, p->made);
			p->made = 0;
			return r;
		}
	}
	return 0;
}

/* Where only the last component is missing, which is the rule below an engine's own parent. */
static bool make_last(const struct cgroup *cg, struct cgroup_part *p)
{
	const struct cgroup_hier *h = p->hier;

	if (h->v2 || h->controllers & CGROUP_BIT(CPUSET) || sys_mkdirat(h->fd, cg->path, 0755) < 0)
		return false;
	p->made = 1;
	p->dir = sys_openat(h->fd, cg->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (p->dir >= 0)
		return true;
	(void)unlinkat(h->fd, cg->path, AT_REMOVEDIR);
	p->made = 0;
	return false;
}

/* cgroup-v2.rst "Threads": below a threaded cgroup there are only such, for threads of processes
 * that live above. */
static int check_domain(const struct cgroup *cg, const struct cgroup_part *p, struct err *err)
{
	char type[64];

	/* A kernel without the file (before 4.14) has no threaded ones. */
	if (cgroup_read(p->dir, "cgroup.type", type, sizeof(type)) < 0)
		return 0;
	if (!strcmp(type, "domain") || !strcmp(type, "domain threaded"))
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "cgroup '%s' is of type '%s', because a parent is threaded: whole processes "
		       "cannot be moved into it; choose another linux.cgroupsPath",
		       cg->full, type);
}

int cgroup_make_part(struct cgroup *cg, const struct cgroup_hier *h, uint32_t want, struct err *err)
{
	struct cgroup_part *p = &cg->parts[cg->n];
	char names[200];
	int r;

	*p = (struct cgroup_part){ .hier = h, .dir = -1, .procs = -1 };
	cg->n++;
	r = make_last(cg, p) ? 0 : 1;
	for (int i = 0; r == 1 && i < RETRIES; i++)
		r = make_path(cg, p, want, err); /* (4) */
	if (r == 1)
		return err_set(err, ERR_CONFLICT,
			       "make cgroup '%s/%s': a parent keeps being removed", h->mount,
			       cg->path);
	if (r == 0 && h->v2)
		r = check_domain(cg, p, err);
	if (r < 0)
		return r;
	cgroup_part_refresh(p);
	if (want != CGROUP_ALL && (want & h->controllers & ~p->controllers))
		return err_set(err, ERR_UNSUPPORTED,
			       "cgroup '%s/%s': controller %s cannot be switched on", h->mount,
			       cg->path,
			       cgroup_mask_names(want & h->controllers & ~p->controllers, names,
						 sizeof(names)));
	return 0;
}

void cgroup_drop_part(struct cgroup *cg)
{
	struct cgroup_part *p = &cg->parts[--cg->n];

	(void)remove_made(p->hier, cg->path, p->made);
	fd_close(p->dir);
	fd_close(p->procs);
}

static void unmake(struct cgroup *cg)
{
	for (unsigned i = 0; i < cg->n; i++)
		(void)remove_made(cg->parts[i].hier, cg->path, cg->parts[i].made);
}

/* Is it one of those asked for? 1 with the hierarchy open. Of v2 alone there is one directory,
 * which also kills and freezes: always. */
static int wanted_hier(struct cgroup_layout *l, struct cgroup_hier *h, uint32_t want,
		       struct err *err)
{
	uint32_t elsewhere = 0;
	int r;

	if (!h->v2)
		return want & h->controllers ? cgroup_hier_open(l, h, err) : 0;
	for (unsigned i = 0; i < l->n; i++)
		elsewhere |= l->hiers[i].v2 ? 0 : l->hiers[i].controllers;
	if (!(want & ~elsewhere) && cgroup_layout_has_v1(l))
		return 0;
	r = cgroup_hier_open(l, h, err);
	if (r <= 0 || want == CGROUP_ALL || (want & h->controllers))
		return r;
	return !cgroup_layout_has_v1(l);
}

int cgroup_create(struct cgroup_layout *l, const char *path, uint32_t want, struct cgroup **ret,
		  struct err *err)
{
	CLEANUP(cgroup_free) struct cgroup *cg = handle_new(l);
	uint32_t missing;
	char names[200];
	int r;

	r = normalise(path, cg->path, err);
	if (r < 0)
		return r;
	missing = want == CGROUP_ALL ? 0 : want & ~cgroup_layout_have(l, want);
	if (missing)
		return err_set(err, ERR_UNSUPPORTED,
			       "cgroup '/%s': this machine has no controller %s", cg->path,
			       cgroup_mask_names(missing, names, sizeof(names)));
	for (unsigned i = 0; i < l->n; i++) {
		r = wanted_hier(l, &l->hiers[i], want, err);
		if (r > 0)
			r = cgroup_make_part(cg, &l->hiers[i], want, err);
		if (r < 0) {
			unmake(cg);
			return r;
		}
	}
	*ret = STEAL(cg);
	return 0;
}

int cgroup_save(const struct cgroup *cg, struct buf *out, struct err *err)
{
	for (unsigned i = 0; i < cg->n; i++)
		(void)buf_addf(out, "%s:%u ", cg->parts[i].hier->name, cg->parts[i].made);
	if (buf_addf(out, "/%s", cg->path) < 0)
		return err_set(err, ERR_QUOTA, "cgroup '/%s': no room for its description",
			       cg->path);
	return 0;
}

static struct cgroup_hier *find_hier(struct cgroup_layout *l, struct slice name)
{
	for (unsigned i = 0; i < l->n; i++)
		if (slice_is(name, l->hiers[i].name))
			return &l->hiers[i];
	return NULL;
}

static int open_part(struct cgroup *cg, struct slice item, struct err *err)
{
	struct slice name = slice_split(&item, ':');
	struct cgroup_hier *h = find_hier(cg->layout, name);
	struct cgroup_part *p = &cg->parts[cg->n];
	struct err why = ERR_INIT;
	uint64_t made = 0;
	int r;

	if (str_uint64(item, &made, NULL) < 0 || made > CGROUP_DEPTH_MAX ||
	    cg->n == CGROUP_HIERARCHIES_MAX)
		return err_set(err, ERR_INVALID, "saved cgroup: '%.*s' is not <hierarchy>:<number>",
			       (int)name.n, name.p);
	r = h ? cgroup_hier_open(cg->layout, h, err) : 0;
	if (r <= 0)
		return r; /* 0 = unmounted since: nothing of it can be left that we could reach */
	*p = (struct cgroup_part){ .hier = h, .made = (unsigned)made, .dir = -1, .procs = -1 };
	cg->n++;
	r = path_open_beneath(h->fd, cg->path, O_PATH | O_DIRECTORY, 0, &p->dir, &why);
	if (r < 0 && why.code != ERR_NOT_FOUND) {
		if (err)
			*err = why;
		return r;
	}
	cgroup_part_refresh(p);
	return 0;
}

int cgroup_open(struct cgroup_layout *l, const char *saved, struct cgroup **ret, struct err *err)
{
	CLEANUP(cgroup_free) struct cgroup *cg = handle_new(l);
	const char *path = *saved == '/' ? saved : strstr(saved, " /");
	struct slice list;
	int r;

	if (!path)
		return err_set(err, ERR_INVALID, "saved cgroup '%.80s' has no path", saved);
	list = slice_of(saved, (size_t)(path - saved));
	r = normalise(path + (*path == ' '), cg->path, err);
	while (r == 0 && list.n) {
		struct slice item = slice_split(&list, ' ');

		if (item.n)
			r = open_part(cg, item, err);
	}
	if (r < 0)
		return r;
	*ret = STEAL(cg);
	return 0;
}

const char *cgroup_path(const struct cgroup *cg)
{
	return cg->full;
}

uint32_t cgroup_controllers(const struct cgroup *cg)
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < cg->n; i++)
		if (cg->parts[i].dir >= 0)
			mask |= cg->parts[i].controllers;
	return mask;
}

const struct cgroup_part *cgroup_part_of(const struct cgroup *cg, enum cgroup_controller c)
{
	for (unsigned i = 0; i < cg->n; i++)
		if (cg->parts[i].dir >= 0 && cg->parts[i].controllers & 1u << c)
			return &cg->parts[i];
	return NULL;
}

const struct cgroup_part *cgroup_v2_part(const struct cgroup *cg)
{
	for (unsigned i = 0; i < cg->n; i++)
		if (cg->parts[i].dir >= 0 && cg->parts[i].hier->v2)
			return &cg->parts[i];
	return NULL;
}

const struct cgroup_part *cgroup_main_part(const struct cgroup *cg)
{
	const struct cgroup_part *p = cgroup_v2_part(cg);

	/* Every process is in the first: it is older than what cgroup_extend() may be filling. */
	for (unsigned i = 0; !p && i < cg->n; i++)
		if (cg->parts[i].dir >= 0)
			p = &cg->parts[i];
	return p;
}

bool cgroup_is_v2(const struct cgroup *cg)
{
	return cg->n == 1 && cg->parts[0].hier->v2;
}

int cgroup_v2_fd(const struct cgroup *cg)
{
	const struct cgroup_part *p = cgroup_v2_part(cg);

	return p ? p->dir : -1;
}

int cgroup_dir_fd(const struct cgroup *cg, enum cgroup_controller c)
{
	const struct cgroup_part *p = cgroup_part_of(cg, c);

	return p ? p->dir : -1;
}

int cgroup_dir_path(const struct cgroup *cg, enum cgroup_controller c, char *buf, size_t len,
		    struct err *err)
{
	const struct cgroup_part *p = cgroup_part_of(cg, c);
	int n;

	if (!p)
		return err_set(err, ERR_NOT_FOUND, "cgroup '/%s' has no %s", cg->path,
			       cgroup_controller_name(c));
	n = snprintf(buf, len, "%s/%s", p->hier->mount, cg->path);
	if (n < 0 || (size_t)n >= len)
		return err_set(err, ERR_TOO_LARGE, "path of cgroup '/%s' is longer than %zu bytes",
			       cg->path, len - 1);
	return 0;
}

ssize_t cgroup_read_file(const struct cgroup *cg, enum cgroup_controller c, const char *file,
			 char *buf, size_t n)
{
	const struct cgroup_part *p = cgroup_part_of(cg, c);
	ssize_t got;

	if (!p) {
		errno = ENOENT;
		return -1;
	}
	got = cgroup_read(p->dir, file, buf, n);
	if (got >= 0 && (size_t)got == n - 1) {
		errno = E2BIG;
		return -1;
	}
	return got;
}

bool cgroup_controller_is_v2(const struct cgroup *cg, enum cgroup_controller c)
{
	const struct cgroup_part *p = cgroup_part_of(cg, c);

	return p && p->hier->v2;
}
