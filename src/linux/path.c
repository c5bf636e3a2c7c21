/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening below a directory fd: openat2 first, else the walk.
 *
 * The walk keeps a stack of the directories it is in, so ".." needs no lookup (a directory moved
 * meanwhile cannot lead it out) and stops at the root. A link's target is put in front of what is
 * still to go. Both ways give up after 40 links (ELOOP). The walk checks nothing twice: each
 * component is opened with O_NOFOLLOW and judged by its fd.
 */
#include "linux/path.h"

#include "base/err.h"
#include "base/fd.h"
#include "linux/sys.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#ifndef PROC_SUPER_MAGIC
#define PROC_SUPER_MAGIC 0x9fa0
#endif

enum {
	LINKS_MAX = 40,
	DEPTH_MAX = 512, /* directories held open by the walk */
	RETRIES = 32,	 /* openat2 answers EAGAIN when a rename races with ".." */
};

struct walk {
	int dirs[DEPTH_MAX]; /* dirs[0] is the root, borrowed */
	int depth;	     /* index of the current directory */
	int links;
	char rest[2 * PATH_MAX];
};

static void walk_up(struct walk *w)
{
	if (w->depth > 0)
		fd_close(w->dirs[w->depth--]);
}

static void walk_fini(struct walk *w)
{
	while (w->depth > 0)
		walk_up(w);
}

/* Cuts the first component off w->rest into name. False at the end. *last: nothing but slashes
 * follows. */
static bool walk_next(struct walk *w, char name[NAME_MAX + 1], bool *last)
{
	size_t start = strspn(w->rest, "/"), n = strcspn(w->rest + start, "/");
	size_t after = start + n;

	if (n == 0)
		return false;
	if (n > NAME_MAX)
		n = NAME_MAX; /* the open fails with what the cut name gives; such a name cannot
				 exist */
	memcpy(name, w->rest + start, n);
	name[n] = 0;
	*last = w->rest[after + strspn(w->rest + after, "/")] == 0;
	memmove(w->rest, w->rest + after, strlen(w->rest + after) + 1);
	return true;
}

/* Puts the target of the link `fd` (O_PATH|O_NOFOLLOW) in front of the rest. */
static int walk_link(struct walk *w, int fd)
{
	char target[PATH_MAX];
	ssize_t n = sys_readlinkat(fd, "", target, sizeof(target) - 1);
	struct statfs sf;
	size_t rest = strlen(w->rest);

	if (n < 0)
		return -1;
	if (fstatfs(fd, &sf) == 0 && sf.f_type == PROC_SUPER_MAGIC) {
		errno = ELOOP; /* could be a magic link; openat2 says the same of those */
		return -1;
	}
	if (++w->links > LINKS_MAX || (size_t)n + rest + 2 > sizeof(w->rest)) {
		errno = ELOOP;
		return -1;
	}
	memmove(w->rest + n + 1, w->rest, rest + 1);
	memcpy(w->rest, target, (size_t)n);
	w->rest[n] = '/';
	if (target[0] == '/')
		walk_fini(w);
	return 0;
}

static int walk_push(struct walk *w, int fd)
{
	if (w->depth + 1 >= DEPTH_MAX) {
		fd_close(fd);
		errno = ENAMETOOLONG;
		return -1;
	}
	w->dirs[++w->depth] = fd;
	return 0;
}

/* The current directory with the flags asked for: what "." opens. */
static int walk_open_here(struct walk *w, int flags)
{
	return sys_openat(w->dirs[w->depth], ".", flags | O_CLOEXEC, 0);
}

static int walk_run(struct walk *w, int flags)
{
	char name[NAME_MAX + 1];
	bool last;

	while (walk_next(w, name, &last)) {
		CLEANUP(fd_close) int fd = -1;
		struct stat st;

		if (!strcmp(name, "."))
			continue;
		if (!strcmp(name, "..")) {
			walk_up(w);
			continue;
		}
		fd = sys_openat(w->dirs[w->depth], name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
		if (fd < 0 || sys_fstat(fd, &st) < 0)
			return -1;
		if (S_ISLNK(st.st_mode) && !(last && (flags & O_NOFOLLOW) && (flags & O_PATH))) {
			if (last && (flags & O_NOFOLLOW)) {
				errno = ELOOP;
				return -1;
			}
			if (walk_link(w, fd) < 0)
				return -1;
			continue;
		}
		if (last && !S_ISDIR(st.st_mode)) {
			if (flags & O_DIRECTORY) {
				errno = ENOTDIR;
				return -1;
			}
			if (flags & O_PATH)
				return STEAL_FD(fd);
			/* A race that swaps a link in here ends in ELOOP. */
			return sys_openat(w->dirs[w->depth], name, flags | O_NOFOLLOW | O_CLOEXEC,
					  0);
		}
		if (!S_ISDIR(st.st_mode)) {
			errno = ENOTDIR;
			return -1;
		}
		if (walk_push(w, STEAL_FD(fd)) < 0)
			return -1;
	}
	return walk_open_here(w, flags);
}

static int open_by_walk(int root, const char *path, int flags)
{
	CLEANUP_FREE struct walk *w = malloc(sizeof(*w));
	int fd;

	if (!w)
		abort();
	if (strlen(path) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	w->depth = 0;
	w->links = 0;
	w->dirs[0] = root;
	memcpy(w->rest, path, strlen(path) + 1);
	fd = walk_run(w, flags);
	walk_fini(w);
	return fd;
}

static bool no_openat2(void)
{
	/* EPERM: container managers of old refuse unknown calls that way. */
	return errno == ENOSYS || errno == EPERM;
}

/* fd or -1 with errno */
static int open_in(int root, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int fd = -1;

	for (int i = 0; i < RETRIES; i++) {
		fd = sys_openat2(root, *path ? path : ".", &how);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (fd < 0 && no_openat2())
		return open_by_walk(root, path, flags);
	return fd;
}

/* Fills err for a failed open: absence has a code of its own. */
static int open_failed(const char *what, const char *path, struct err *err)
{
	if (errno == ENOENT || errno == ENOTDIR)
		return err_sysc(err, ERR_NOT_FOUND, errno, "%s '%s'", what, path);
	if (errno == ELOOP)
		return err_sysc(err, ERR_INVALID, errno,
				"%s '%s' (a link is in the way that may not be followed, or there "
				"are too many)",
				what, path);
	return err_sys(err, "%s '%s'", what, path);
}

int path_open_in(int root, const char *path, int flags, int *ret_fd, struct err *err)
{
	int fd = open_in(root, path, flags);

	if (fd < 0)
		return open_failed("open in root", path, err);
	*ret_fd = fd;
	return 0;
}

/* Component walk without any link; the last component is opened with the flags. */
static int beneath_by_walk(int dir, const char *path, int flags, mode_t mode)
{
	CLEANUP(fd_close) int cur = -1;
	const char *p = path;

	if (*p == '/') {
		errno = EXDEV;
		return -1;
	}
	for (;;) {
		char name[NAME_MAX + 1];
		size_t n = strcspn(p, "/"), skip = n + strspn(p + n, "/");
		int at = cur >= 0 ? cur : dir, next;

		if (n > NAME_MAX) {
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, p, n);
		name[n] = 0;
		if (!strcmp(name, "..")) {
			errno = EXDEV;
			return -1;
		}
		p += skip;
		if (*p == 0)
			return sys_openat(at, n ? name : ".", flags | O_NOFOLLOW | O_CLOEXEC, mode);
		next = sys_openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
		if (next < 0) {
			struct stat st;

			/* O_PATH says "not a directory" of a link; openat2 says ELOOP. */
			if (errno == ENOTDIR &&
			    sys_fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
				errno = S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
			return -1;
		}
		fd_close(cur);
		cur = next;
	}
}

int path_open_beneath(int dir, const char *path, int flags, mode_t mode, int *ret_fd,
		      struct err *err)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
				.mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? mode
											      : 0,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	int fd = -1;

	for (int i = 0; i < RETRIES; i++) {
		fd = sys_openat2(dir, path, &how);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (fd < 0 && no_openat2())
		fd = beneath_by_walk(dir, path, flags, mode);
	if (fd < 0 && errno == EXDEV)
		return err_set(err, ERR_INVALID, "open '%s': leads out of its directory", path);
	if (fd < 0 && errno == EEXIST)
		return err_sysc(err, ERR_EXISTS, errno, "create '%s'", path);
	if (fd < 0)
		return open_failed("open", path, err);
	*ret_fd = fd;
	return 0;
}

/* Longest existing leading directory of path: an O_PATH fd, and where in path the missing part
 * begins. */
static int open_existing(int root, const char *path, size_t *ret_done)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	for (;;) {
		int fd;

		memcpy(part, path, len);
		part[len] = 0;
		fd = open_in(root, part, O_PATH | O_DIRECTORY);
		if (fd >= 0 || errno != ENOENT || len == 0) {
			*ret_done = len;
			return fd;
		}
		while (len > 0 && part[len - 1] == '/')
			len--;
		while (len > 0 && part[len - 1] != '/')
			len--;
	}
}

/* Makes one directory and opens it. The name is new or another's: a link in its place is not
 * followed. 1 = made. */
static int mkdir_one(int *dir, const char *name, mode_t mode)
{
	int made = 1, fd;

	if (sys_mkdirat(*dir, name, mode) < 0) {
		if (errno != EEXIST)
			return -1;
		made = 0;
	}
	fd = sys_openat(*dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0) {
		int saved = errno;

		if (made)
			(void)unlinkat(*dir, name, AT_REMOVEDIR);
		errno = saved;
		return -1;
	}
	fd_close(*dir);
	*dir = fd;
	return made;
}

/* -1 with errno; ".." past a missing directory means nothing safe, so it is EINVAL. */
static int make_rest(int *dir, const char *rest, mode_t mode)
{
	int made = 0;

	for (;;) {
		char name[NAME_MAX + 1];
		size_t n;

		rest += strspn(rest, "/");
		n = strcspn(rest, "/");
		if (n == 0)
			return made;
		if (n > NAME_MAX) {
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, rest, n);
		name[n] = 0;
		rest += n;
		if (!strcmp(name, "."))
			continue;
		if (!strcmp(name, "..")) {
			errno = EINVAL;
			return -1;
		}
		made = mkdir_one(dir, name, rest[strspn(rest, "/")] ? 0755 : mode);
		if (made < 0)
			return -1;
	}
}

static int mkdir_failed(const char *path, struct err *err)
{
	if (errno == ENOTDIR)
		return err_sysc(err, ERR_CONFLICT, errno,
				"make directory '%s' (a file or a dangling link is in the way)",
				path);
	return open_failed("make directory", path, err);
}

int path_mkdir_in(int root, const char *path, mode_t mode, int *ret_fd, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	size_t done;
	int made;

	if (strlen(path) >= PATH_MAX)
		return err_set(err, ERR_INVALID, "make directory: path is longer than %d bytes",
			       PATH_MAX - 1);
	fd = open_existing(root, path, &done);
	if (fd < 0)
		return mkdir_failed(path, err);
	made = make_rest(&fd, path + done, mode);
	if (made < 0)
		return mkdir_failed(path, err);
	*ret_fd = STEAL_FD(fd);
	return made;
}

int path_parent_in(int root, const char *path, bool make, int *ret_dir, char *name, size_t name_len,
		   struct err *err)
{
	char dir[PATH_MAX];
	size_t end = strlen(path), start;
	int r;

	while (end > 0 && path[end - 1] == '/')
		end--;
	start = end;
	while (start > 0 && path[start - 1] != '/')
		start--;
	if (end >= sizeof(dir) || end - start >= name_len || end - start > NAME_MAX)
		return err_set(err, ERR_INVALID, "path of %zu bytes is too long", end);
	memcpy(name, path + start, end - start);
	name[end - start] = 0;
	if (end == start || !strcmp(name, ".") || !strcmp(name, ".."))
		return err_set(err, ERR_INVALID, "path '%s' does not end in a name", path);
	memcpy(dir, path, start);
	dir[start] = 0;
	if (make)
		r = path_mkdir_in(root, dir, 0755, ret_dir, err);
	else
		r = path_open_in(root, dir, O_PATH | O_DIRECTORY, ret_dir, err);
	return r < 0 ? r : 0;
}

int path_touch_in(int root, const char *path, mode_t mode, int *ret_fd, struct err *err)
{
	CLEANUP(fd_close) int dir = -1;
	CLEANUP(fd_close) int fd = -1;
	char name[NAME_MAX + 1];
	int r;

	fd = open_in(root, path, O_PATH);
	if (fd >= 0) {
		*ret_fd = STEAL_FD(fd);
		return 0;
	}
	if (errno != ENOENT)
		return open_failed("make file", path, err);
	r = path_parent_in(root, path, true, &dir, name, sizeof(name), err);
	if (r < 0)
		return r;
	/* O_EXCL: a dangling link is not followed (its end may be outside). */
	fd = sys_openat(dir, name, O_CREAT | O_EXCL | O_RDONLY | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0 && errno == EEXIST)
		return err_sysc(err, ERR_CONFLICT, errno,
				"make file '%s' (a dangling link is in the way)", path);
	if (fd < 0)
		return err_sys(err, "make file '%s'", path);
	fd_close(STEAL_FD(fd));
	fd = sys_openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0) {
		r = err_sys(err, "open new file '%s'", path);
		(void)unlinkat(dir, name, 0);
		return r;
	}
	*ret_fd = STEAL_FD(fd);
	return 1;
}

const char *path_of_fd(int fd, char buf[PATH_FD_LEN])
{
	(void)snprintf(buf, PATH_FD_LEN, "/proc/self/fd/%d", fd);
	return buf;
}

int path_check_procfs(int fd, struct err *err)
{
	struct statfs sf;

	if ((fd >= 0 ? fstatfs(fd, &sf) : statfs("/proc", &sf)) < 0)
		return err_sys(err, "look at /proc");
	if (sf.f_type != PROC_SUPER_MAGIC)
		return err_set(err, ERR_FORBIDDEN,
			       "/proc is not procfs: refusing to read or write through it");
	return 0;
}

int path_reopen(int fd, int flags, int *ret_fd, struct err *err)
{
	char path[PATH_FD_LEN];
	int r = path_check_procfs(-1, err), n;

	if (r < 0)
		return r;
	n = sys_openat(AT_FDCWD, path_of_fd(fd, path), flags | O_CLOEXEC, 0);
	if (n < 0)
		return err_sys(err, "reopen '%s'", path);
	*ret_fd = n;
	return 0;
}

int path_name_of_fd(int fd, char *buf, size_t len, struct err *err)
{
	char path[PATH_FD_LEN];
	ssize_t n = sys_readlinkat(AT_FDCWD, path_of_fd(fd, path), buf, len - 1);

	if (n < 0)
		return err_sys(err, "read link '%s'", path);
	if ((size_t)n >= len - 1)
		return err_set(err, ERR_TOO_LARGE, "name of fd %d is longer than %zu bytes", fd,
			       len - 2);
	buf[n] = 0;
	return 0;
}
