/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Breadth first over the directories of the source, each opened anew by its path, so depth costs
 * neither stack nor descriptors. Times of directories are set last: every entry made in one
 * changes them.
 */
#include "image/tree.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/map.h"
#include "image/diff.h"
#include "linux/sys.h"

#include <dirent.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#define DIRS_MAX (256u << 20) /* bytes of the paths of all directories */
#define TIMES sizeof(struct timespec[2])
#define COPY_STEP (1u << 30)
#define XATTRS_MAX 65536

struct link {
	struct {
		dev_t dev;
		ino_t ino;
	} key;
	char path[]; /* in `to` */
};

struct apply {
	int from, to; /* roots */
	int src, dst; /* the directory at hand */
	unsigned flags;
	bool cannot_move;
	const char *path; /* of the directory at hand, in dirs */
	/* Of each directory: its times as they were (moving things away changes them), its path and
	 * a NUL. */
	struct buf dirs;
	struct map links;
};

static int failed(const struct apply *a, const char *name, const char *what, struct err *err)
{
	return err_sys(err, "%s '%s%s%s'", what, a->path, *a->path ? "/" : "", name);
}

static int open_dir(int root, const char *path)
{
	const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
				      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
						 RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV };

	return sys_openat2(root, path[0] ? path : ".", &how);
}

/* ---- one file ---- */

static int copy_range(int from, int to, off_t at, off_t end, struct err *err)
{
	off_t in = at, out = at;

	while (in < end) {
		ssize_t n = copy_file_range(from, &in, to, &out,
					    (size_t)MIN(end - in, (off_t)COPY_STEP), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 &&
		    (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP))
			return 1;
		if (n < 0)
			return err_sys(err, "copy a file");
		if (n == 0)
			break;
	}
	return 0;
}

static int copy_by_hand(int from, int to, off_t at, off_t end, struct err *err)
{
	CLEANUP_FREE char *buf = malloc(1 << 18);

	if (!buf)
		abort();
	while (at < end) {
		ssize_t n = pread(from, buf, (size_t)MIN(end - at, (off_t)1 << 18), at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read a file");
		if (n == 0)
			break;
		if (lseek(to, at, SEEK_SET) < 0 || fd_write_all(to, buf, (size_t)n) < 0)
			return err_sys(err, "copy a file");
		at += n;
	}
	return 0;
}

int tree_copy_data(int from, int to, struct err *err)
{
	struct stat st;
	off_t at = 0, end;
	int r;

	if (sys_fstat(from, &st) < 0)
		return err_sys(err, "look at a file");
	if (st.st_size == 0 || ioctl(to, FICLONE, from) == 0)
		return 0;
	while (at < st.st_size) {
		at = lseek(from, at, SEEK_DATA);
		if (at < 0 && errno == ENXIO)
			break;
		end = at < 0 ? st.st_size : lseek(from, at, SEEK_HOLE);
		if (at < 0 || end < 0) { /* a file system that knows no holes */
			at = MAX(at, 0);
			end = st.st_size;
		}
		r = copy_range(from, to, at, end, err);
		if (r > 0)
			r = copy_by_hand(from, to, at, end, err);
		if (r < 0)
			return r;
		at = end;
	}
	return ftruncate(to, st.st_size) < 0 ? err_sys(err, "set the size of a copy") : 0;
}

static bool kept_xattr(const char *name)
{
	struct slice s = slice_str(name);

	return !slice_starts(s, SLICE("trusted.overlay.")) &&
	       !slice_starts(s, SLICE("user.overlay."));
}

static int copy_xattrs(int from, int to, struct err *err)
{
	CLEANUP_FREE char *names = malloc(2 * XATTRS_MAX);
	ssize_t n, k;

	if (!names)
		abort();
	n = flistxattr(from, names, XATTRS_MAX);
	if (n < 0)
		return errno == ENOTSUP ? 0 : err_sys(err, "list extended attributes");
	for (char *p = names; p < names + n; p += strlen(p) + 1) {
		if (!kept_xattr(p))
			continue;
		k = fgetxattr(from, p, names + XATTRS_MAX, XATTRS_MAX);
		if (k < 0 && (errno == ENODATA || errno == ENOTSUP))
			continue;
		if (k < 0)
			return err_sys(err, "read extended attribute '%s'", p);
		/* Labels of a security module are the system's to give. */
		if (fsetxattr(to, p, names + XATTRS_MAX, (size_t)k, 0) < 0 && errno != ENOTSUP &&
		    strncmp(p, "security.selinux", 16) != 0)
			return err_sys(err, "set extended attribute '%s'", p);
	}
	return 0;
}

/* Order: chown clears set-uid bits and capabilities. */
int tree_copy_attributes(int from, int to, struct err *err)
{
	struct stat st;

	if (sys_fstat(from, &st) < 0 || fchown(to, st.st_uid, st.st_gid) < 0 ||
	    sys_fchmod(to, st.st_mode & 07777) < 0)
		return err_sys(err, "copy owner and mode");
	return copy_xattrs(from, to, err);
}

static int copy_file(struct apply *a, const char *name, struct err *err)
{
	CLEANUP(fd_close) int from = -1, to = -1;
	struct stat st;
	int r;

	from = sys_openat(a->src, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	to = from < 0 ? -1
		      : sys_openat(a->dst, name,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0 || sys_fstat(from, &st) < 0)
		return failed(a, name, "copy", err);
	r = tree_copy_data(from, to, err);
	if (r >= 0)
		r = tree_copy_attributes(from, to, err);
	if (r < 0)
		return err_wrap(err, "'%s/%s'", a->path, name);
	return futimens(to, (struct timespec[]){ st.st_atim, st.st_mtim }) < 0
		       ? failed(a, name, "set the time of", err)
		       : 0;
}

/* Links, devices, pipes, sockets. They carry no attributes of users. */
static int copy_other(struct apply *a, const char *name, const struct stat *st, struct err *err)
{
	const struct timespec ts[] = { st->st_atim, st->st_mtim };
	char target[PATH_MAX + 1];
	ssize_t n;
	int r;

	if (S_ISLNK(st->st_mode)) {
		n = sys_readlinkat(a->src, name, target, sizeof(target) - 1);
		if (n < 0)
			return failed(a, name, "read link", err);
		target[n] = '\0';
		r = sys_symlinkat(target, a->dst, name);
	} else {
		r = sys_mknodat(a->dst, name, st->st_mode & (S_IFMT | 0777), st->st_rdev);
	}
	if (r < 0 || sys_fchownat(a->dst, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (!S_ISLNK(st->st_mode) && sys_fchmodat(a->dst, name, st->st_mode & 07777) < 0) ||
	    utimensat(a->dst, name, ts, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(a, name, "copy", err);
	return 0;
}

/* ---- hard links ---- */

/* 1 = made as a link to the copy of its first name. */
static int link_again(struct apply *a, const char *name, const struct stat *st, struct err *err)
{
	size_t len = strlen(a->path) + strlen(name) + 2;
	struct link *l = calloc(1, sizeof(*l) + len), *old;
	CLEANUP(fd_close) int dir = -1;
	const char *slash;
	struct slice key;

	if (!l)
		abort();
	l->key.dev = st->st_dev;
	l->key.ino = st->st_ino;
	snprintf(l->path, len, "%s%s%s", a->path, *a->path ? "/" : "", name);
	key = slice_of((const char *)&l->key, sizeof(l->key));
	old = map_get(&a->links, key);
	if (!old) {
		(void)map_put(&a->links, key, l);
		return 0;
	}
	free(l);
	slash = strrchr(old->path, '/');
	if (slash) {
		char parent[PATH_MAX];

		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - old->path), old->path);
		dir = open_dir(a->to, parent);
	}
	if ((slash && dir < 0) ||
	    linkat(slash ? dir : a->to, slash ? slash + 1 : old->path, a->dst, name, 0) < 0)
		return failed(a, name, "link", err);
	return 1;
}

/* ---- one directory ---- */

static int remove_in(struct apply *a, const char *name, struct err *err)
{
	return fd_remove_tree(a->dst, name, err);
}

static int move_or_copy(struct apply *a, const char *name, const struct stat *st, struct err *err)
{
	int r;

	if ((a->flags & TREE_MOVE) && !a->cannot_move) {
		if (sys_renameat(a->src, name, a->dst, name) == 0)
			return 0;
		if (errno != EXDEV)
			return failed(a, name, "move", err);
		a->cannot_move = true; /* another subvolume */
	}
	r = st->st_nlink > 1 ? link_again(a, name, st, err) : 0;
	if (r)
		return r < 0 ? r : 0;
	return S_ISREG(st->st_mode) ? copy_file(a, name, err) : copy_other(a, name, st, err);
}

static int enter_later(struct apply *a, const char *name, const struct stat *st, struct err *err)
{
	const struct timespec ts[] = { st->st_atim, st->st_mtim };
	size_t at = (size_t)(a->path - a->dirs.p);

	buf_add(&a->dirs, ts, sizeof(ts));
	if (a->dirs.p[at])
		buf_addf(&a->dirs, "%s/%s", a->dirs.p + at, name);
	else
		buf_adds(&a->dirs, name);
	if (buf_addc(&a->dirs, '\0') < 0)
		return err_set(err, ERR_TOO_LARGE, "a tree has too many directories");
	a->path = a->dirs.p + at; /* the buffer may have moved */
	return 0;
}

static int apply_name(struct apply *a, const char *name, struct err *err)
{
	struct stat st, was;
	bool there;
	int r = 0;

	if (sys_fstatat(a->src, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(a, name, "look at", err);
	there = sys_fstatat(a->dst, name, &was, AT_SYMLINK_NOFOLLOW) == 0;
	if (there && !(S_ISDIR(st.st_mode) && S_ISDIR(was.st_mode)))
		r = remove_in(a, name, err);
	if (r < 0 || diff_is_whiteout(&st))
		return r;
	if (!S_ISDIR(st.st_mode))
		return move_or_copy(a, name, &st, err);
	if (!(there && S_ISDIR(was.st_mode)) && sys_mkdirat(a->dst, name, 0700) < 0)
		return failed(a, name, "make directory", err);
	return enter_later(a, name, &st, err);
}

static int each_name(struct apply *a, int dir,
		     int (*fn)(struct apply *, const char *, struct err *), struct err *err)
{
	int fd = sys_openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (!d) {
		fd_close(fd);
		return failed(a, "", "read directory", err);
	}
	while (r >= 0 && (errno = 0, de = readdir(d)))
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			r = fn(a, de->d_name, err);
	if (r >= 0 && errno)
		r = failed(a, "", "read directory", err);
	(void)closedir(d); /* only read from */
	return r;
}

static int apply_dir(struct apply *a, struct err *err)
{
	int r = 0;

	if (diff_is_opaque(a->src))
		r = each_name(a, a->dst, remove_in, err);
	if (r >= 0)
		r = each_name(a, a->src, apply_name, err);
	if (r >= 0 && (*a->path || !(a->flags & TREE_KEEP_ROOT)))
		r = tree_copy_attributes(a->src, a->dst, err);
	return r;
}

static int each_dir(struct apply *a, int (*fn)(struct apply *, struct err *), struct err *err)
{
	int r = 0;

	for (size_t at = 0; at < a->dirs.n && r >= 0; at += strlen(a->dirs.p + at) + 1) {
		CLEANUP(fd_close) int src = -1, dst = -1;

		at += TIMES;
		a->path = a->dirs.p + at;
		src = open_dir(a->from, a->path);
		dst = open_dir(a->to, a->path);
		if (src < 0 || dst < 0)
			return failed(a, "", "open directory", err);
		a->src = src;
		a->dst = dst;
		r = fn(a, err);
	}
	return r;
}

static int dir_times(struct apply *a, struct err *err)
{
	struct timespec ts[2];

	if (!*a->path && (a->flags & TREE_KEEP_ROOT))
		return 0;
	memcpy(ts, a->path - TIMES, TIMES);
	if (futimens(a->dst, ts) < 0)
		return failed(a, "", "set the time of directory", err);
	return 0;
}

int tree_apply(int from, int to, unsigned flags, struct err *err)
{
	struct apply a = { .from = from, .to = to, .flags = flags };
	struct timespec ts[2];
	struct stat st;
	struct link *l;
	int r;

	if (sys_fstat(from, &st) < 0)
		return err_sys(err, "look at a tree");
	ts[0] = st.st_atim;
	ts[1] = st.st_mtim;
	a.dirs = BUF_INIT(DIRS_MAX);
	map_init(&a.links);
	buf_add(&a.dirs, ts, TIMES);
	buf_addc(&a.dirs, '\0');
	r = each_dir(&a, apply_dir, err);
	if (r >= 0)
		r = each_dir(&a, dir_times, err);
	for (size_t i = 0; (l = map_next(&a.links, &i, NULL));)
		free(l);
	map_fini(&a.links);
	buf_fini(&a.dirs);
	return r < 0 ? err_wrap(err, "lay one tree over another") : 0;
}

int tree_can_clone(int dir, struct err *err)
{
	CLEANUP(fd_close) int a = -1, b = -1;
	char block[4096] = "x";

	a = sys_openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	b = sys_openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (a < 0 || b < 0)
		return errno == EOPNOTSUPP || errno == EISDIR ? 0
							      : err_sys(err, "try to share data");
	if (fd_write_all(a, block, sizeof(block)) < 0)
		return err_sys(err, "try to share data");
	return ioctl(b, FICLONE, a) == 0;
}
