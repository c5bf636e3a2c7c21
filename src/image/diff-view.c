/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several directories seen as one, as overlay shows them, without a mount: a name is taken from the
 * topmost layer that has it, a whiteout (character device 0:0) or anything that is no directory
 * ends the search below it, an opaque directory too. No name is resolved through a symbolic link.
 */
#include "base/err.h"
#include "base/fd.h"
#include "image/diff.h"
#include "linux/sys.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

void diff_view_init(struct diff_view *v, const int *layers, size_t n)
{
	v->layers = layers;
	v->n = n;
	v->path[0] = '\0';
	for (size_t i = 0; i < DIFF_LAYERS_MAX; i++)
		v->open[i] = -1;
}

static void close_all(struct diff_view *v)
{
	for (size_t i = 0; i < v->n; i++)
		fd_close(STEAL_FD(v->open[i]));
}

void diff_view_fini(struct diff_view *v)
{
	close_all(v);
}

void diff_view_enter(struct diff_view *v, const char *path)
{
	if (strcmp(path, v->path) == 0)
		return;
	close_all(v);
	(void)str_copy(v->path, sizeof(v->path), path);
}

int diff_view_dir(struct diff_view *v, unsigned i)
{
	const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
				      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
						 RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV };

	if (v->open[i] < 0)
		v->open[i] = sys_openat2(v->layers[i], v->path[0] ? v->path : ".", &how);
	return v->open[i];
}

/* What went away while a container works is as if it had never been there. */
static bool gone(void)
{
	return errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
}

bool diff_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static bool has_mark(int fd, const char *name, const char *value)
{
	char text[4] = "";
	ssize_t n = fgetxattr(fd, name, text, sizeof(text));

	if (!value)
		return n >= 0 || errno == ERANGE;
	return n == (ssize_t)strlen(value) && memcmp(text, value, (size_t)n) == 0;
}

int diff_is_opaque(int fd)
{
	return has_mark(fd, "trusted.overlay.opaque", "y") ||
	       has_mark(fd, "user.overlay.opaque", "y") ||
	       has_mark(fd, "user.fuseoverlayfs.opaque", "y");
}

/* 1 = there */
static int look(struct diff_view *v, unsigned i, const char *name, struct stat *ret,
		struct err *err)
{
	int dir = diff_view_dir(v, i);

	if (dir >= 0 && sys_fstatat(dir, name, ret, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	if (gone())
		return 0;
	return err_sys(err, "look at '/%s%s%s'", v->path, v->path[0] ? "/" : "", name);
}

int diff_view_find(struct diff_view *v, const struct diff_set *s, const char *name, bool raw,
		   struct stat *ret, struct err *err)
{
	for (unsigned k = 0; k < s->n; k++) {
		int r = look(v, s->v[k], name, ret, err);

		if (r < 0)
			return -2;
		if (r)
			return !raw && diff_is_whiteout(ret) ? -1 : s->v[k];
	}
	return -1;
}

/* Adds layer i if it has the directory: 1 = and those below it show through. */
static int merge_one(struct diff_view *v, unsigned i, const char *name, struct diff_set *ret,
		     struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct stat st;
	int r = look(v, i, name, &st, err);

	if (r <= 0)
		return r < 0 ? r : 1;
	if (!S_ISDIR(st.st_mode))
		return 0;
	fd = sys_openat(diff_view_dir(v, i), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
			0);
	if (fd < 0)
		return gone() ? 1
			      : err_sys(err, "open directory '/%s%s%s'", v->path,
					v->path[0] ? "/" : "", name);
	if (has_mark(fd, "trusted.overlay.redirect", NULL) ||
	    has_mark(fd, "user.overlay.redirect", NULL))
		return err_set(err, ERR_UNSUPPORTED,
			       "directory '/%s%s%s' was renamed by overlay's redirect_dir, which "
			       "layers cannot say; mount overlay with redirect_dir=off",
			       v->path, v->path[0] ? "/" : "", name);
	ret->v[ret->n++] = (unsigned char)i;
	return !diff_is_opaque(fd);
}

int diff_view_subset(struct diff_view *v, const struct diff_set *s, const char *name,
		     struct diff_set *ret, struct err *err)
{
	int r = 1;

	ret->n = 0;
	for (unsigned k = 0; k < s->n && r > 0; k++)
		r = merge_one(v, s->v[k], name, ret, err);
	return r < 0 ? r : 0;
}

int diff_view_names(struct diff_view *v, unsigned i, struct buf *names, struct err *err)
{
	int dir = diff_view_dir(v, i), fd, r = 0;
	struct dirent *de;
	DIR *d;

	if (dir < 0)
		return gone() ? 0 : err_sys(err, "open directory '/%s'", v->path);
	fd = sys_openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return err_sys(err, "read directory '/%s'", v->path);
	}
	while (r == 0 && (errno = 0, de = readdir(d))) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 ||
		    strcmp(de->d_name, ".wh..wh..opq") == 0) /* fuse-overlayfs's second mark */
			continue;
		buf_adds(names, de->d_name);
		if (buf_addc(names, '\0') < 0)
			r = err_set(err, ERR_TOO_LARGE, "directory '/%s' has too many names",
				    v->path);
	}
	if (r == 0 && errno)
		r = err_sys(err, "read directory '/%s'", v->path);
	(void)closedir(d); /* only read from */
	return r;
}
