/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding the hierarchies, and reading and writing their small files.
 *
 * Hierarchies are looked for where every distribution mounts them (/sys/fs/cgroup,
 * .../<controllers>, .../unified), each when it is first wanted: nine of which a container uses two
 * are 50 us. mountinfo, which is long on a machine with thousands of containers, is read only if
 * one is not there.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "linux/cgroup-priv.h"
#include "linux/mount.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

enum {
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

int cgroup_hier_open(struct cgroup_layout *l, struct cgroup_hier *h, struct err *err)
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
	if (!cgroup_layout_has_v1(l))
		h->controllers |= CGROUP_V2_ALWAYS;
	return 1;
}

bool cgroup_layout_has_v1(struct cgroup_layout *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (!l->hiers[i].v2 && cgroup_hier_open(l, &l->hiers[i], NULL) > 0)
			return true;
	return false;
}

static struct cgroup_hier *v2_hier(struct cgroup_layout *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->hiers[i].v2)
			return cgroup_hier_open(l, &l->hiers[i], NULL) > 0 ? &l->hiers[i] : NULL;
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
	if (h->v2 && rest && !l->own) {
		l->own = strdup(strcmp(rest, "/") != 0 ? rest : "");
		if (!l->own)
			abort();
	}
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
	free(l->own);
	free(l);
}

enum cgroup_mode cgroup_layout_mode(struct cgroup_layout *l)
{
	if (cgroup_layout_has_v1(l))
		return v2_hier(l) ? CGROUP_HYBRID : CGROUP_V1;
	return v2_hier(l) ? CGROUP_V2 : CGROUP_NONE;
}

uint32_t cgroup_layout_have(struct cgroup_layout *l, uint32_t mask)
{
	const struct cgroup_hier *v2;
	uint32_t have = 0;

	for (unsigned i = 0; i < l->n; i++) {
		struct cgroup_hier *h = &l->hiers[i];

		if (!h->v2 && (h->controllers & mask) && cgroup_hier_open(l, h, NULL) > 0)
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

int cgroup_layout_own(const struct cgroup_layout *l, char *buf, size_t n)
{
	return l->own && str_copy(buf, n, l->own) ? 0 : -1;
}
