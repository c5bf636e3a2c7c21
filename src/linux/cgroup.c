/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding the hierarchies, and the life of a cgroup's directories.
 *
 * Hierarchies are looked for where every distribution mounts them (/sys/fs/cgroup,
 * .../<controllers>, .../unified), each when it is first wanted; mountinfo, which is long on a
 * machine with thousands of containers, is read only if one is not there. Invariants: (1) what a
 * handle made is counted per hierarchy, as trailing components; (2) only these are removed; (3) a
 * parent that others moved into stays (rmdir says so); (4) a parent that another handle removed
 * between our mkdirs is made again.
 */
#include "linux/cgroup.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "linux/cgroup-priv.h"
#include "linux/mount.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>

enum {
	RETRIES = 16,
	DEPTH_MAX = 64,
	CGROUP1_MAGIC = 0x27e0eb,
	CGROUP2_MAGIC = 0x63677270,
};

static const struct {
	const char *v1, *v2;
} controllers[] = {
#define X(id, v1, v2) { v1, v2 },
	CGROUP_CONTROLLERS(X)
#undef X
};

/* In v2 these need no controller: a file of every directory, or a program attached to it. */
#define V2_ALWAYS \
	(CGROUP_BIT(CPUACCT) | CGROUP_BIT(DEVICES) | CGROUP_BIT(FREEZER) | CGROUP_BIT(PERF_EVENT))

const char *cgroup_controller_name(enum cgroup_controller c)
{
	return *controllers[c].v1 ? controllers[c].v1 : "cgroup v2";
}

const char *cgroup_mask_names(uint32_t mask, char *buf, size_t n)
{
	size_t used = 0;

	buf[0] = 0;
	for (int c = 0; c < CGROUP_CONTROLLER_COUNT; c++)
		if (mask & 1u << c && used < n)
			used += (size_t)snprintf(buf + used, n - used, "%s%s", used ? ", " : "",
						 cgroup_controller_name(c));
	return buf;
}

uint32_t cgroup_parse_controllers(const char *text, bool v2)
{
	uint32_t mask = 0;

	while (*text) {
		size_t n = strcspn(text, ", \n");

		for (int c = 0; c < CGROUP_CONTROLLER_COUNT; c++) {
			const char *name = v2 ? controllers[c].v2 : controllers[c].v1;

			if (name && n && strlen(name) == n && !memcmp(name, text, n))
				mask |= 1u << c;
		}
		text += n;
		text += strspn(text, ", \n");
	}
	return mask;
}

/* ---- small files ---- */

ssize_t cgroup_read(int dir, const char *file, char *buf, size_t n)
{
	CLEANUP(fd_close) int fd = sys_openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	size_t used = 0;
	ssize_t got;

	if (fd < 0)
		return -1;
	while (used < n - 1 && (got = sys_read(fd, buf + used, n - 1 - used)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		used += (size_t)got;
	}
	buf[used] = 0;
	if (used > 0 && buf[used - 1] == '\n')
		buf[--used] = 0;
	return (ssize_t)used;
}

int cgroup_write(int dir, const char *file, const char *value)
{
	CLEANUP(fd_close)
	int fd = sys_openat(dir, file, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0);
	ssize_t r;

	if (fd < 0)
		return -1;
	do
		r = sys_write(fd, value, strlen(value));
	while (r < 0 && errno == EINTR);
	return r < 0 ? -1 : 0;
}

static int parse_u64(const char *s, uint64_t *ret)
{
	unsigned long long v;

	if (!strncmp(s, "max", 3)) {
		*ret = UINT64_MAX;
		return 0;
	}
	if (sscanf(s, "%llu", &v) != 1) {
		errno = EBADMSG;
		return -1;
	}
	*ret = v;
	return 0;
}

int cgroup_read_u64(int dir, const char *file, uint64_t *ret)
{
	char text[64];

	if (cgroup_read(dir, file, text, sizeof(text)) < 0)
		return -1;
	return parse_u64(text, ret);
}

int cgroup_read_key(int dir, const char *file, const char *key, uint64_t *ret)
{
	char text[8192], *rest = text, *line;
	size_t n = strlen(key);

	if (cgroup_read(dir, file, text, sizeof(text)) < 0)
		return -1;
	while ((line = strsep(&rest, "\n")))
		if (!strncmp(line, key, n) && line[n] == ' ')
			return parse_u64(line + n + 1, ret);
	errno = ENODATA;
	return -1;
}

/* ---- layout ---- */

static int open_dir(int root, const char *path)
{
	/* Below a test's root paths are relative. */
	while (root >= 0 && *path == '/')
		path++;
	return sys_openat(root >= 0 ? root : AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

/* Is it what it should be? A test's tree has no magic, only the file that makes v2. */
static bool dir_is(const struct cgroup_layout *l, int fd, bool v2)
{
	struct statfs sf;

	if (l->root >= 0)
		return (faccessat(fd, "cgroup.controllers", F_OK, 0) == 0) == v2;
	return fstatfs(fd, &sf) == 0 && sf.f_type == (v2 ? CGROUP2_MAGIC : CGROUP1_MAGIC);
}

static bool open_at(const struct cgroup_layout *l, struct cgroup_hier *h, const char *mount)
{
	int fd = open_dir(l->root, mount);

	if (fd >= 0 && dir_is(l, fd, h->v2)) {
		h->mount = strdup(mount);
		if (!h->mount)
			abort();
		h->fd = fd;
		return true;
	}
	fd_close(fd);
	return false;
}

/* /sys/fs/cgroup/<list>, or <first of list> (links to the joint mount), or <X> of "name=X". */
static bool open_usual(const struct cgroup_layout *l, struct cgroup_hier *h)
{
	char path[128];
	const char *dir = strncmp(h->name, "name=", 5) ? h->name : h->name + 5;

	if (h->v2)
		return open_at(l, h, "/sys/fs/cgroup") || open_at(l, h, "/sys/fs/cgroup/unified");
	(void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", dir);
	if (open_at(l, h, path))
		return true;
	(void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%.*s", (int)strcspn(dir, ","), dir);
	return strchr(dir, ',') && open_at(l, h, path);
}

struct search {
	const struct cgroup_layout *l;
	struct cgroup_hier *h;
};

static int found_in_mountinfo(const struct mount_info *mi, void *arg)
{
	const struct search *s = arg;
	size_t n = strcspn(s->h->name, ",");

	if (s->h->v2)
		return !strcmp(mi->fstype, "cgroup2") && open_at(s->l, s->h, mi->target);
	if (strcmp(mi->fstype, "cgroup") != 0)
		return 0;
	/* Super options are "rw,cpu,cpuacct": look for the first controller as a whole word. */
	for (const char *p = mi->super; *p;) {
		size_t len = strcspn(p, ",");

		if (len == n && !memcmp(p, s->h->name, n))
			return open_at(s->l, s->h, mi->target);
		p += len;
		p += *p == ',';
	}
	return 0;
}

static bool has_v1(struct cgroup_layout *l);

/* 1 = open, 0 = not mounted: not ours to use. Looked for once, when it is wanted: nine hierarchies
 * of which a container uses two are 50 us. */
static int hier_open(struct cgroup_layout *l, struct cgroup_hier *h, struct err *err)
{
	struct search s = { .l = l, .h = h };
	char text[256];
	int r = 0;

	if (h->looked)
		return h->fd >= 0;
	if (!open_usual(l, h))
		r = mount_each(l->root, found_in_mountinfo, &s, err);
	if (r < 0)
		return err_wrap(err, "find the cgroups");
	h->looked = true;
	if (!h->v2 || h->fd < 0)
		return h->fd >= 0;
	if (cgroup_read(h->fd, "cgroup.controllers", text, sizeof(text)) >= 0)
		h->controllers = cgroup_parse_controllers(text, true) | CGROUP_BIT(UNIFIED);
	if (!has_v1(l))
		h->controllers |= V2_ALWAYS;
	return 1;
}

static bool has_v1(struct cgroup_layout *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (!l->hiers[i].v2 && hier_open(l, &l->hiers[i], NULL) > 0)
			return true;
	return false;
}

static struct cgroup_hier *v2_hier(struct cgroup_layout *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->hiers[i].v2)
			return hier_open(l, &l->hiers[i], NULL) > 0 ? &l->hiers[i] : NULL;
	return NULL;
}

/* One line of /proc/self/cgroup, "4:memory:/path". */
static int add_line(struct cgroup_layout *l, char *line, struct err *err)
{
	char *rest = line, *id = strsep(&rest, ":"), *list = strsep(&rest, ":");
	struct cgroup_hier *h = &l->hiers[l->n];

	if (!list)
		return err_set(err, ERR_SYSTEM, "'/proc/self/cgroup' has a line of unknown form");
	h->v2 = !strcmp(id, "0");
	if (l->n == CGROUP_HIERARCHIES_MAX ||
	    !str_copy(h->name, sizeof(h->name), h->v2 ? "unified" : list))
		return 0;
	h->fd = -1;
	h->controllers = h->v2 ? 0 : cgroup_parse_controllers(list, false);
	l->n++;
	return 0;
}

/* The whole file in nearly every case; a longer one goes to the heap. */
static char *read_own(int root, char *text, size_t size, struct buf *b, struct err *err)
{
	const char *path = root >= 0 ? "proc/self/cgroup" : "/proc/self/cgroup";
	ssize_t n = cgroup_read(root >= 0 ? root : AT_FDCWD, path, text, size);

	if (n >= 0 && (size_t)n < size - 2)
		return text;
	if (n < 0 && errno == ENOENT && root < 0) {
		*text = 0; /* a kernel without cgroups */
		return text;
	}
	if (fd_read_file(root >= 0 ? root : AT_FDCWD, path, b, err) < 0)
		return NULL;
	return b->p;
}

int cgroup_layout_new(int root, struct cgroup_layout **ret, struct err *err)
{
	CLEANUP(cgroup_layout_free) struct cgroup_layout *l = calloc(1, sizeof(*l));
	CLEANUP(buf_fini) struct buf b = BUF_INIT(64 * 1024);
	char text[4096], *rest, *line;
	int r;

	if (!l)
		abort();
	l->root = root;
	rest = read_own(root, text, sizeof(text), &b, err);
	if (!rest)
		return err_wrap(err, "find the cgroups");
	while (rest && (line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		r = add_line(l, line, err);
		if (r < 0)
			return err_wrap(err, "find the cgroups");
	}
	*ret = STEAL(l);
	return 0;
}

void cgroup_layout_free(struct cgroup_layout *l)
{
	if (!l)
		return;
	for (unsigned i = 0; i < l->n; i++) {
		fd_close(l->hiers[i].fd);
		free(l->hiers[i].mount);
	}
	free(l);
}

enum cgroup_mode cgroup_layout_mode(struct cgroup_layout *l)
{
	if (has_v1(l))
		return v2_hier(l) ? CGROUP_HYBRID : CGROUP_V1;
	return v2_hier(l) ? CGROUP_V2 : CGROUP_NONE;
}

bool cgroup_layout_has_v1(struct cgroup_layout *l)
{
	return has_v1(l);
}

uint32_t cgroup_layout_have(struct cgroup_layout *l, uint32_t mask)
{
	const struct cgroup_hier *v2;
	uint32_t have = 0;

	for (unsigned i = 0; i < l->n; i++) {
		struct cgroup_hier *h = &l->hiers[i];

		if (!h->v2 && (h->controllers & mask) && hier_open(l, h, NULL) > 0)
			have |= h->controllers;
	}
	/* A controller is in one hierarchy only. */
	v2 = mask & ~have ? v2_hier(l) : NULL;
	return (have | (v2 ? v2->controllers : 0)) & mask;
}

uint32_t cgroup_layout_controllers(struct cgroup_layout *l)
{
	return cgroup_layout_have(l, CGROUP_ALL);
}

/* ---- handle ---- */

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
		if (n > NAME_MAX || used + n + 2 > PATH_MAX || ++depth > DEPTH_MAX)
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

static void part_refresh(struct cgroup *cg, struct cgroup_part *p)
{
	char text[256];

	p->controllers = p->hier->controllers;
	if (!p->hier->v2 || p->dir < 0)
		return;
	p->controllers &= V2_ALWAYS | CGROUP_BIT(UNIFIED);
	if (cgroup_read(p->dir, "cgroup.controllers", text, sizeof(text)) >= 0)
		p->controllers |= cgroup_parse_controllers(text, true);
}

/* The parents among the last `made` components, deepest first, if nobody else is in them (3). */
static int remove_parents(const struct cgroup_hier *h, const char *path, unsigned made)
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
	return remove_parents(h, path, made);
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

static int make_part(struct cgroup *cg, const struct cgroup_hier *h, uint32_t want, struct err *err)
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
	if (r < 0)
		return r;
	part_refresh(cg, p);
	if (want != CGROUP_ALL && (want & h->controllers & ~p->controllers))
		return err_set(err, ERR_UNSUPPORTED,
			       "cgroup '%s/%s': controller %s cannot be switched on", h->mount,
			       cg->path,
			       cgroup_mask_names(want & h->controllers & ~p->controllers, names,
						 sizeof(names)));
	return 0;
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
		return want & h->controllers ? hier_open(l, h, err) : 0;
	for (unsigned i = 0; i < l->n; i++)
		elsewhere |= l->hiers[i].v2 ? 0 : l->hiers[i].controllers;
	if (!(want & ~elsewhere) && has_v1(l))
		return 0;
	r = hier_open(l, h, err);
	if (r <= 0 || want == CGROUP_ALL || (want & h->controllers))
		return r;
	return !has_v1(l);
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
			r = make_part(cg, &l->hiers[i], want, err);
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

	if (str_uint64(item, &made, NULL) < 0 || made > DEPTH_MAX ||
	    cg->n == CGROUP_HIERARCHIES_MAX)
		return err_set(err, ERR_INVALID, "saved cgroup: '%.*s' is not <hierarchy>:<number>",
			       (int)name.n, name.p);
	r = h ? hier_open(cg->layout, h, err) : 0;
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
	part_refresh(cg, p);
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

	if (!p)
		p = cgroup_part_of(cg, CGROUP_FREEZER);
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

/* ---- end ---- */

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
		if (child < 0 || depth == DEPTH_MAX || remove_children(child, depth + 1, end) < 0)
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
	if (remove_leaf(cg, p, end) < 0 || remove_parents(p->hier, cg->path, p->made) < 0) {
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
