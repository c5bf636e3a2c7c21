/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/outward/given.h"

#include "base/err.h"
#include "base/fd.h"
#include "linux/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct given {
	char *path;
	int fd;		  /* the file as it was when it could be opened last */
	struct stat last; /* of what was read */
	bool read;
};

int given_absolute(const char *path, char **ret, struct err *err)
{
	char cwd[PATH_MAX];
	CLEANUP(buf_fini) struct buf b = BUF_INIT(2 * PATH_MAX);

	*ret = NULL;
	if (!path)
		return 0;
	if (path[0] != '/') {
		if (!getcwd(cwd, sizeof(cwd)))
			return err_sys(err, "file '%s': working directory", path);
		(void)buf_addf(&b, "%s/", cwd);
	}
	if (buf_adds(&b, path) < 0)
		return err_set(err, ERR_INVALID, "path '%.100s...' is too long", path);
	*ret = buf_steal(&b);
	return 0;
}

static int open_it(const char *path, bool absolute, struct given **ret, struct err *err)
{
	CLEANUP(given_free) struct given *g = calloc(1, sizeof(*g));
	struct stat st;

	if (!g)
		abort();
	g->fd = -1;
	if (absolute && given_absolute(path, &g->path, err) < 0)
		return err_ret(err);
	if (!absolute)
		g->path = strdup(path);
	if (!g->path)
		abort();
	g->fd = sys_openat(AT_FDCWD, g->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	if (g->fd < 0 || fstat(g->fd, &st) < 0)
		return err_sysc(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, errno,
				"open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "'%s' is not a file", path);
	*ret = STEAL(g);
	return 0;
}

int given_open(const char *path, struct given **ret, struct err *err)
{
	return open_it(path, true, ret, err);
}

int given_open_own(const char *path, struct given **ret, struct err *err)
{
	return open_it(path, false, ret, err);
}

int given_open_any(const char *path, struct given **ret, struct err *err)
{
	return path[0] == '/' ? given_open(path, ret, err) : given_open_own(path, ret, err);
}

void given_free(struct given *g)
{
	if (!g)
		return;
	fd_close(g->fd);
	free(g->path);
	free(g);
}

const char *given_path(const struct given *g)
{
	return g->path;
}

static int read_all(int fd, struct buf *out, const char *path, struct err *err)
{
	size_t begin = out->n;
	off_t at = 0;

	for (;;) {
		char piece[16384];
		ssize_t n = pread(fd, piece, sizeof(piece), at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read '%s'", path);
		if (n == 0)
			return 0;
		at += n;
		if (out->n - begin + (size_t)n > GIVEN_MAX || buf_add(out, piece, (size_t)n) < 0)
			return err_set(err, ERR_TOO_LARGE, "'%s' is too large", path);
	}
}

int given_read(struct given *g, struct buf *out, struct err *err)
{
	CLEANUP(fd_close)
	int fd = sys_openat(AT_FDCWD, g->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	int sys = errno;
	struct stat st;

	/* Not ours to open any more: what was opened first tells what is written in place. */
	if (fd < 0 && sys != EACCES && sys != EPERM)
		return err_sysc(err, sys == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, sys, "open '%s'",
				g->path);
	if (fd >= 0) {
		fd_close(g->fd);
		g->fd = STEAL_FD(fd);
	}
	if (fstat(g->fd, &st) < 0)
		return err_sys(err, "look at '%s'", g->path);
	if (st.st_nlink == 0)
		return err_sysc(err, ERR_SYSTEM, sys,
				"open '%s', which took the place of what was read at the start",
				g->path);
	if (read_all(g->fd, out, g->path, err) < 0)
		return err_ret(err);
	g->last = st;
	g->read = true;
	return 0;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool given_changed(const struct given *g)
{
	struct stat st;

	if (!g->read)
		return true;
	if (stat(g->path, &st) < 0 && fstat(g->fd, &st) < 0)
		return false;
	return !same(&st, &g->last);
}
