/* SPDX-License-Identifier: Apache-2.0 */
/* File descriptors, whole files and trees. */
#include "base/fd.h"

#include "base/err.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

void fd_close(int fd)
{
	int saved = errno;

	/* Linux releases the number also when close fails, so there is nothing to repeat or report.
	 */
	if (fd >= 0)
		(void)close(fd);
	errno = saved;
}

static int fd_wait(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	while (poll(&p, 1, -1) < 0)
		if (errno != EINTR)
			return -1;
	return 0;
}

ssize_t fd_read_full(int fd, void *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = read(fd, (char *)p + done, n - done);

		if (r == 0)
			break;
		if (r > 0)
			done += (size_t)r;
		else if (errno == EAGAIN && fd_wait(fd, POLLIN) < 0)
			return -1;
		else if (errno != EINTR && errno != EAGAIN)
			return -1;
	}
	return (ssize_t)done;
}

int fd_write_all(int fd, const void *p, size_t n)
{
	const char *s = p;

	while (n) {
		ssize_t r = write(fd, s, n);

		if (r >= 0) {
			s += r;
			n -= (size_t)r;
		} else if (errno == EAGAIN) {
			if (fd_wait(fd, POLLOUT) < 0)
				return -1;
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

static int open_retry(int dirfd, const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = openat(dirfd, path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

static int open_failed(const char *path, struct err *err)
{
	enum err_code code = errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;

	return err_sysc(err, code, errno, "open '%s'", path);
}

int fd_read_file(int dirfd, const char *path, struct buf *b, struct err *err)
{
	CLEANUP(fd_close) int fd = open_retry(dirfd, path, O_RDONLY | O_NOCTTY, 0);

	if (fd < 0)
		return open_failed(path, err);
	for (;;) {
		size_t room = MIN(b->max - b->n, (size_t)65536);
		char extra, *to = &extra;
		ssize_t r;

		/* At the maximum one more byte tells whether the file ends here. */
		if (room) {
			struct stat st;

			/* Sizes of files in proc are 0; a wrong guess costs one more read. */
			if (b->cap - b->n < 2 && fstat(fd, &st) == 0 && st.st_size > 0)
				room = MIN((size_t)st.st_size + 1, b->max - b->n);
			else
				room = MIN(room, MAX(b->cap - b->n, (size_t)4097) - 1);
			if (!buf_room(b, room))
				return err_set(err, ERR_TOO_LARGE, "read '%s': buffer is full",
					       path);
			to = b->p + b->n;
		}
		r = read(fd, to, room ? room : 1);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_sys(err, "read '%s'", path);
		if (r == 0)
			break;
		if (!room)
			return err_set(err, ERR_TOO_LARGE, "read '%s': larger than %zu bytes", path,
				       b->max);
		b->n += (size_t)r;
		b->p[b->n] = '\0';
	}
	return 0;
}

int fd_fsync_dir(int dirfd, struct err *err)
{
	CLEANUP(fd_close) int own = -1;

	if (dirfd == AT_FDCWD) {
		own = open_retry(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY, 0);
		if (own < 0)
			return err_sys(err, "open the current directory");
		dirfd = own;
	}
	if (fsync(dirfd) < 0)
		return err_sys(err, "fsync a directory");
	return 0;
}

static int fill_new(int fd, const char *name, const void *p, size_t n, mode_t mode, struct err *err)
{
	if (fd_write_all(fd, p, n) < 0)
		return err_sys(err, "write '%s'", name);
	return fchmod(fd, mode) < 0 ? err_sys(err, "set the mode of '%s'", name) : 0;
}

static int write_new(int fd, const char *name, const void *p, size_t n, mode_t mode,
		     struct err *err)
{
	if (fill_new(fd, name, p, n, mode, err) < 0)
		return err_ret(err);
	return fsync(fd) < 0 ? err_sys(err, "fsync '%s'", name) : 0;
}

/* A file beside `last` that gets its name later. The name is cut rather than repeated: both must
 * fit NAME_MAX. */
static int open_new(int parent, const char *last, char tmp[NAME_MAX + 1], struct err *err)
{
	char rnd[17];
	int fd;

	random_hex(rnd, 16);
	(void)snprintf(tmp, NAME_MAX + 1, ".%.100s.%s.tmp", last, rnd);
	fd = open_retry(parent, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0)
		(void)err_sys(err, "create a temporary file for '%s'", last);
	return fd;
}

int fd_replace_file(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
		    struct err *err)
{
	CLEANUP(fd_close) int parent = -1;
	CLEANUP(fd_close) int fd = -1;
	char dir[PATH_MAX], tmp[NAME_MAX + 1];
	const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;
	int r;

	if (!str_copy(dir, sizeof(dir), slash ? name : "."))
		return err_set(err, ERR_INVALID, "replace '%s': path is too long", name);
	if (slash)
		dir[MAX(slash - name, 1)] = '\0';
	parent = open_retry(dirfd, dir, O_RDONLY | O_DIRECTORY, 0);
	if (parent < 0)
		return open_failed(dir, err);
	fd = open_new(parent, last, tmp, err);
	if (fd < 0)
		return -ERR_SYSTEM;
	r = write_new(fd, name, p, n, mode, err);
	if (r == 0 && renameat(parent, tmp, parent, last) < 0)
		r = err_sys(err, "rename to '%s'", name);
	if (r < 0) {
		(void)unlinkat(parent, tmp, 0); /* the first failure is the one to tell */
		return r;
	}
	r = fd_fsync_dir(parent, err);
	return r < 0 ? err_wrap(err, "replace '%s'", name) : 0;
}

struct new_file {
	int fd;
	char tmp[NAME_MAX + 1];
};

static int name_files(int dirfd, const struct fd_file *v, struct new_file *f, size_t n,
		      struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (fsync(f[i].fd) < 0)
			return err_sys(err, "fsync '%s'", v[i].name);
	for (size_t i = 0; i < n; i++) {
		if (renameat(dirfd, f[i].tmp, dirfd, v[i].name) < 0)
			return err_sys(err, "rename to '%s'", v[i].name);
		f[i].tmp[0] = '\0';
	}
	return fd_fsync_dir(dirfd, err);
}

int fd_replace_files(int dirfd, const struct fd_file *v, size_t n, struct err *err)
{
	struct new_file *f = calloc(n + 1, sizeof(*f));
	size_t made = 0;
	int r = 0;

	if (!f)
		abort();
	for (; made < n && r == 0; made++) {
		struct new_file *x = &f[made];

		x->fd = open_new(dirfd, v[made].name, x->tmp, err);
		if (x->fd < 0) {
			r = -ERR_SYSTEM;
			break;
		}
		r = fill_new(x->fd, v[made].name, v[made].p, v[made].n, v[made].mode, err);
		/* Begins to write and gives it its place on the disk, so that the first fsync
		 * settles that of all; where it is not to be had, each settles its own. */
		(void)sync_file_range(x->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	}
	if (r == 0)
		r = name_files(dirfd, v, f, n, err);
	for (size_t i = 0; i < made; i++) {
		fd_close(f[i].fd);
		if (f[i].tmp[0])
			(void)unlinkat(dirfd, f[i].tmp, 0); /* the first failure is told */
	}
	free(f);
	return r;
}

int fd_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	return fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

int fd_set_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
}

int fd_dup(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static int mkdir_one(int dirfd, const char *path, mode_t mode, bool last, struct err *err)
{
	struct stat st;

	if (mkdirat(dirfd, path, mode) == 0)
		return 0;
	if (errno != EEXIST && errno != EROFS)
		return err_sys(err, "make directory '%s'", path);
	if (fstatat(dirfd, path, &st, 0) < 0)
		return err_sys(err, "make directory '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return err_sysc(err, ERR_CONFLICT, ENOTDIR, "make directory '%s'", path);
	return 0;
}

int fd_mkdir_p(int dirfd, const char *path, mode_t mode, struct err *err)
{
	char p[PATH_MAX];
	size_t n;

	if (!str_copy(p, sizeof(p), path))
		return err_set(err, ERR_INVALID, "make directory '%s': path is too long", path);
	for (n = strlen(p); n > 1 && p[n - 1] == '/'; n--)
		p[n - 1] = '\0';
	/* Most often only the last part is missing, or nothing. */
	if (mkdirat(dirfd, p, mode) == 0)
		return 0;
	if (errno != ENOENT)
		return mkdir_one(dirfd, p, mode, true, err);
	for (size_t i = 1; i < n; i++) {
		int r;

		if (p[i] != '/' || p[i - 1] == '/')
			continue;
		p[i] = '\0';
		r = mkdir_one(dirfd, p, 0755, false, err);
		if (r < 0)
			return r;
		p[i] = '/';
	}
	return mkdir_one(dirfd, p, mode, true, err);
}

/* ---- fd_remove_tree ---- */

/* Levels from here on do not keep their fd: going back up opens "..", checked to be the directory
 * we came from. */
#define KEPT_LEVELS 48
/* How often a directory that would not become empty is read again (someone adds, or offsets were
 * stale). */
#define RESCANS 3

struct level {
	int fd; /* -1: reopen by ".." */
	dev_t dev;
	ino_t ino;
	off_t at; /* directory offset to go on from */
	unsigned rescans;
	char *name; /* in the parent level */
};

struct remover {
	struct level *v;
	size_t n, cap;
	const char *what; /* for messages */
	const char *last; /* the name in top */
	int top;	  /* where the tree hangs */
	_Alignas(8) char batch[16384];
};

struct dirent_raw { /* getdents64(2) */
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

static void remover_fini(struct remover *rm)
{
	for (size_t i = 0; i < rm->n; i++) {
		fd_close(rm->v[i].fd);
		free(rm->v[i].name);
	}
	free(rm->v);
	fd_close(rm->top);
}
DEFINE_CLEANUP_EMBEDDED(struct remover, remover_fini)

static int remove_failed(const struct remover *rm, const char *name, struct err *err)
{
	if (errno == EXDEV || errno == EBUSY)
		return err_sysc(err, ERR_CONFLICT, errno,
				"remove '%s': '%s' is a mount point; unmount it first", rm->what,
				name);
	return err_sys(err, "remove '%s': at '%s'", rm->what, name);
}

/* A directory, never through a link, never across a mount. */
static int open_dir(int parent, const char *name)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS };
	int fd;

	do
		fd = (int)syscall(SYS_openat2, parent, name, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd;
}

/* A directory that denies its owner: without DAC override (rootless) removal needs rwx on it. */
static bool force_mode(int parent, const char *name)
{
	CLEANUP(fd_close) int fd = -1;
	char proc[32];

	fd = open_retry(parent, name, O_PATH | O_NOFOLLOW | O_DIRECTORY, 0);
	if (fd < 0)
		return false;
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd); /* fits */
	return chmod(proc, 0700) == 0;
}

static int descend(struct remover *rm, int parent, const char *name, struct err *err)
{
	struct level *v = rm->v;
	struct stat st;
	int fd = open_dir(parent, name);

	if (fd < 0 && errno == EACCES && force_mode(parent, name))
		fd = open_dir(parent, name);
	if (fd < 0)
		return errno == ENOENT ? 0 : remove_failed(rm, name, err);
	if (fstat(fd, &st) < 0) {
		fd_close(fd);
		return remove_failed(rm, name, err);
	}
	if (rm->n == rm->cap) {
		rm->cap = MAX(rm->cap * 2, (size_t)16);
		v = reallocarray(rm->v, rm->cap, sizeof(*v));
		if (!v)
			abort();
		rm->v = v;
	}
	if (rm->n > KEPT_LEVELS) {
		fd_close(v[rm->n - 1].fd);
		v[rm->n - 1].fd = -1;
	}
	v[rm->n] = (struct level){ fd, st.st_dev, st.st_ino, 0, 0, strdup(name) };
	if (!v[rm->n++].name)
		abort();
	return 1;
}

/* Makes the level below the top usable again before the top is closed. */
static int reopen_parent(struct remover *rm, struct err *err)
{
	struct level *top = &rm->v[rm->n - 1], *up = top - 1;
	struct stat st;

	if (rm->n < 2 || up->fd >= 0)
		return 0;
	up->fd = open_dir(top->fd, "..");
	if (up->fd < 0 || fstat(up->fd, &st) < 0)
		return remove_failed(rm, "..", err);
	if (st.st_dev != up->dev || st.st_ino != up->ino)
		return err_set(err, ERR_CONFLICT,
			       "remove '%s': '%s' was moved meanwhile; try again", rm->what,
			       top->name);
	if (lseek(up->fd, up->at, SEEK_SET) < 0)
		return remove_failed(rm, up->name, err);
	return 0;
}

/* The top level has no more entries: remove it and go up. */
static int ascend(struct remover *rm, struct err *err)
{
	struct level *top = &rm->v[rm->n - 1];
	int r = reopen_parent(rm, err), parent;

	if (r < 0)
		return r;
	parent = rm->n > 1 ? top[-1].fd : rm->top;
	if (unlinkat(parent, top->name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
		if ((errno == ENOTEMPTY || errno == EEXIST) && top->rescans++ < RESCANS) {
			top->at = 0;
			if (lseek(top->fd, 0, SEEK_SET) == 0)
				return 0;
		}
		return remove_failed(rm, top->name, err);
	}
	fd_close(top->fd);
	free(top->name);
	rm->n--;
	return 0;
}

static bool is_dots(const char *s)
{
	return s[0] == '.' && (!s[1] || (s[1] == '.' && !s[2]));
}

/* 0 = gone; 1 = a directory that is not empty. */
static int remove_one(struct remover *rm, int fd, const char *name, bool maybe_dir, struct err *err)
{
	int flags = maybe_dir ? AT_REMOVEDIR : 0;

	if (unlinkat(fd, name, flags) == 0 || errno == ENOENT)
		return 0;
	/* The directory itself may deny writing (rootless); it is ours to open. */
	if (errno == EACCES) {
		if (fchmod(fd, 0700) == 0 && unlinkat(fd, name, flags) == 0)
			return 0;
		errno = errno == EBADF ? EACCES
				       : errno; /* the top is O_PATH and not ours to change */
	}
	if (maybe_dir && (errno == ENOTEMPTY || errno == EEXIST))
		return 1;
	/* The type was unknown or changed: try as the other kind, once. */
	if (maybe_dir ? errno == ENOTDIR : errno == EISDIR) {
		if (unlinkat(fd, name, maybe_dir ? 0 : AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (!maybe_dir && (errno == ENOTEMPTY || errno == EEXIST))
			return 1;
	}
	return remove_failed(rm, name, err);
}

/* Removes what one getdents call gives, up to the first directory to descend into. */
static int remove_batch(struct remover *rm, struct err *err)
{
	struct level *top = &rm->v[rm->n - 1];
	long got = syscall(SYS_getdents64, top->fd, rm->batch, sizeof(rm->batch));
	int fd = top->fd;

	if (got < 0)
		return remove_failed(rm, top->name, err);
	if (got == 0)
		return ascend(rm, err);
	for (long i = 0; i < got;) {
		struct dirent_raw *d = (struct dirent_raw *)(rm->batch + i);
		int r;

		i += d->reclen;
		if (is_dots(d->name))
			continue;
		r = remove_one(rm, fd, d->name, d->type == 4 /* DT_DIR */, err);
		if (r <= 0) {
			if (r < 0)
				return r;
			continue;
		}
		/* Later we go on behind this entry: the rest of the batch is read again. */
		top->at = d->off;
		if (lseek(fd, top->at, SEEK_SET) < 0)
			return remove_failed(rm, d->name, err);
		r = descend(rm, fd, d->name, err);
		if (r != 0)
			return r;
	}
	return 0;
}

/* The last part of a path and a fd of what it lies in: links and mounts on the way there are the
 * caller's. */
static int split_path(struct remover *rm, int dirfd, char *path, size_t n, struct err *err)
{
	char *slash;

	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
	slash = strrchr(path, '/');
	if (!slash) {
		rm->top = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
		if (dirfd == AT_FDCWD)
			rm->top = open_retry(dirfd, ".", O_PATH | O_DIRECTORY, 0);
		rm->last = path;
	} else {
		*slash = '\0';
		rm->top = open_retry(dirfd, slash == path ? "/" : path, O_PATH | O_DIRECTORY, 0);
		rm->last = slash + 1;
	}
	if (is_dots(rm->last) || !*rm->last)
		return err_set(err, ERR_INVALID, "remove '%s': not a name of a file", rm->what);
	if (rm->top < 0 && errno != ENOENT)
		return remove_failed(rm, path, err);
	return 0;
}

int fd_remove_tree(int dirfd, const char *name, struct err *err)
{
	CLEANUP(remover_fini) struct remover rm;
	char path[PATH_MAX];
	int r;

	rm.v = NULL;
	rm.n = rm.cap = 0;
	rm.what = name;
	rm.top = -1;
	if (!str_copy(path, sizeof(path), name))
		return err_set(err, ERR_INVALID, "remove '%s': path is too long", name);
	r = split_path(&rm, dirfd, path, strlen(path), err);
	if (r < 0 || rm.top < 0)
		return r;
	r = remove_one(&rm, rm.top, rm.last, false, err);
	if (r == 1)
		r = descend(&rm, rm.top, rm.last, err);
	while (r >= 0 && rm.n)
		r = remove_batch(&rm, err);
	return r < 0 ? r : 0;
}
