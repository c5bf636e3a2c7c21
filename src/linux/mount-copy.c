/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small recursive copy by directory fds. The size of the tmpfs bounds it (ENOSPC); the depth is
 * bounded here, because each level holds two fds.
 */
#include "linux/mount-copy.h"

#include "base/err.h"
#include "base/fd.h"
#include "linux/sys.h"

#include <dirent.h>
#include <string.h>

enum { DEPTH_MAX = 64 };

static int copy_dir(int from, int to, int depth, struct err *err);

static int copy_bytes(int in, int out)
{
	char chunk[16384];
	ssize_t n;

	while ((n = sys_read(in, chunk, sizeof(chunk))) > 0)
		if (fd_write_all(out, chunk, (size_t)n) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}

static int copy_file(int from, int to, const char *name, const struct stat *st, struct err *err)
{
	CLEANUP(fd_close) int in = -1;
	CLEANUP(fd_close) int out = -1;
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	in = sys_openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (in < 0)
		return err_sys(err, "copy up '%s'", name);
	out = sys_openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0 || copy_bytes(in, out) < 0 || futimens(out, times) < 0)
		return err_sys(err, "copy up '%s'", name);
	return 0;
}

static int copy_link(int from, int to, const char *name, struct err *err)
{
	char target[4096];
	ssize_t n = sys_readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_sys(err, "copy up link '%s'", name);
	target[n] = 0;
	return sys_symlinkat(target, to, name) < 0 ? err_sys(err, "copy up link '%s'", name) : 0;
}

static int copy_subdir(int from, int to, const char *name, int depth, struct err *err)
{
	CLEANUP(fd_close) int in = -1;
	CLEANUP(fd_close) int out = -1;

	in = sys_openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (in < 0 || sys_mkdirat(to, name, 0700) < 0)
		return err_sys(err, "copy up directory '%s'", name);
	out = sys_openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (out < 0)
		return err_sys(err, "copy up directory '%s'", name);
	return copy_dir(in, out, depth + 1, err);
}

static int copy_entry(int from, int to, const char *name, int depth, struct err *err)
{
	struct stat st;
	int r = 0;

	if (sys_fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "copy up '%s'", name);
	switch (st.st_mode & S_IFMT) {
	case S_IFDIR: r = copy_subdir(from, to, name, depth, err); break;
	case S_IFREG: r = copy_file(from, to, name, &st, err); break;
	case S_IFLNK: r = copy_link(from, to, name, err); break;
	case S_IFSOCK: return 0; /* nobody listens behind a copy */
	default:
		if (sys_mknodat(to, name, st.st_mode & (S_IFMT | 0600), st.st_rdev) < 0)
			r = err_sys(err, "copy up device '%s'", name);
	}
	if (r < 0)
		return r;
	if (sys_fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "copy up: owner of '%s'", name);
	/* After chown, which clears the set-id bits. */
	if (!S_ISLNK(st.st_mode) && sys_fchmodat(to, name, st.st_mode & 07777) < 0)
		return err_sys(err, "copy up: mode of '%s'", name);
	return 0;
}

static int copy_dir(int from, int to, int depth, struct err *err)
{
	int fd, r = 0;
	struct dirent *e;
	DIR *d;

	if (depth > DEPTH_MAX)
		return err_set(err, ERR_INVALID, "copy up: directories nest deeper than %d",
			       DEPTH_MAX);
	fd = sys_openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, "copy up: read directory");
	d = fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return err_sys(err, "copy up: read directory");
	}
	while (r == 0 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = copy_entry(from, to, e->d_name, depth, err);
	closedir(d);
	return r;
}

int mount_copy_tree(int from, int to, struct err *err)
{
	struct stat st;
	int r = copy_dir(from, to, 0, err);

	if (r < 0)
		return r;
	if (sys_fstat(from, &st) < 0 ||
	    sys_fchownat(to, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0)
		return err_sys(err, "copy up: owner of the directory");
	return 0;
}
