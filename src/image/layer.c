/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the directory that the helper made of a layer to what the driver keeps. First what the
 * helper has no right to or does not know (marks): opaque directories, attributes and files of the
 * layers below, which are all there by now. Then, for a driver of whole trees, the layer is laid
 * over a copy of the tree below.
 */
#include "base/err.h"
#include "base/fd.h"
#include "image/diff.h"
#include "image/driver.h"
#include "image/import-priv.h"
#include "image/report.h"
#include "image/tree.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

/* ---- the layers below ---- */

static int open_layer_dir(struct image_import *im, const struct image_new_layer *l, int *ret,
			  struct err *err)
{
	char mnt[IMAGE_DIGEST_MAX + 16];

	if (l->lazy) { /* through the mount that serves it */
		snprintf(mnt, sizeof(mnt), l->dir[0] ? "%s/mnt" : "lazy/%s/mnt",
			 l->dir[0] ? l->dir : IMAGE_HEX(l->chain));
		*ret = sys_openat(l->dir[0] ? im->dir : im->is->dir, mnt,
				  O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
		return *ret < 0 ? err_sys(err, "open '%s'", mnt) : 0;
	}
	if (l->dir[0])
		return path_open_beneath(im->dir, l->dir, O_RDONLY | O_DIRECTORY, 0, ret, err);
	return path_open_beneath(im->is->snapshots, IMAGE_HEX(l->chain), O_RDONLY | O_DIRECTORY, 0,
				 ret, err);
}

/* A layer on top of all that it is seen with. */
struct stack {
	int fds[DIFF_LAYERS_MAX];
	unsigned n;
};

static void stack_fini(struct stack *s)
{
	for (unsigned i = 1; i < s->n; i++) /* the first is borrowed */
		fd_close(s->fds[i]);
	s->n = 0;
}
DEFINE_CLEANUP_EMBEDDED(struct stack, stack_fini)

static int open_stack(struct image_import *im, const struct image_new_layer *l, int target,
		      struct stack *s, struct err *err)
{
	int r = 0;

	s->fds[s->n++] = target;
	/* Overlay does not heed the mark on the root of a layer: the list of layers does. */
	while (r >= 0 && l->parent[0] && !diff_is_opaque(s->fds[s->n - 1])) {
		l = import_find_layer(im, l->parent);
		if (!l)
			break;
		if (s->n == DIFF_LAYERS_MAX)
			return err_set(err, ERR_TOO_LARGE, "more than %d layers", DIFF_LAYERS_MAX);
		r = open_layer_dir(im, l, &s->fds[s->n], err);
		s->n += r >= 0;
		if (im->is->driver->whole)
			break; /* its tree is all of them */
	}
	return r;
}

/* ---- attributes ---- */

/* A directory that the layer names only as a part of other names keeps what the layers below gave
 * it. */
static int inherit(const struct stack *s, int fd, const char *path, struct err *err)
{
	for (unsigned i = 1; i < s->n; i++) {
		CLEANUP(fd_close) int lower = -1;
		struct stat st;

		if (path_open_beneath(s->fds[i], path, O_RDONLY | O_DIRECTORY, 0, &lower, NULL) < 0)
			continue;
		if (tree_copy_attributes(lower, fd, err) < 0)
			return err_ret(err);
		if (fstat(lower, &st) < 0 ||
		    futimens(fd, (struct timespec[]){ st.st_atim, st.st_mtim }) < 0)
			return err_sys(err, "take over the times of directory '%s'", path);
		return 0;
	}
	return 0;
}

/* ---- targets of hard links ---- */

/* The directory of `path` in each layer that shows it: the view stands in it; *ret_base is the
 * last part. */
static int enter_parent(struct diff_view *v, const char *path, struct diff_set *set,
			const char **ret_base, struct err *err)
{
	char at[DIFF_PATH_MAX + 1] = "", part[256];
	struct slice rest = slice_str(path), name;
	int r = 0;

	for (unsigned i = 0; i < v->n; i++)
		set->v[set->n++] = (unsigned char)i;
	while (r >= 0) {
		struct diff_set next;

		name = slice_split(&rest, '/');
		if (!rest.p)
			break;
		snprintf(part, sizeof(part), "%.*s", (int)name.n, name.p);
		r = diff_view_subset(v, set, part, &next, err);
		*set = next;
		snprintf(at + strlen(at), sizeof(at) - strlen(at), "%s%s", *at ? "/" : "", part);
		diff_view_enter(v, at);
	}
	*ret_base = name.p;
	return r;
}

static int copy_file(int dir, const char *name, int to, const struct stat *st, struct err *err)
{
	CLEANUP(fd_close) int from = -1;
	int r;

	from = sys_openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (from < 0)
		return err_sys(err, "open the target of a hard link");
	r = tree_copy_data(from, to, err);
	if (r >= 0)
		r = tree_copy_attributes(from, to, err);
	if (r < 0)
		return r;
	return futimens(to, (struct timespec[]){ st->st_atim, st->st_mtim }) < 0
		       ? err_sys(err, "set the time of a file")
		       : 0;
}

static int fill(const struct stack *s, const char *path, int to, struct err *err)
{
	struct diff_set set = { 0 };
	struct diff_view v;
	struct stat st;
	const char *base = NULL;
	int r, i = -1;

	diff_view_init(&v, s->fds, s->n);
	r = enter_parent(&v, path, &set, &base, err);
	if (r >= 0 && set.n && set.v[0] == 0) /* the empty file itself, in this layer */
		memmove(set.v, set.v + 1, --set.n);
	if (r >= 0)
		i = diff_view_find(&v, &set, base, false, &st, err);
	if (i == -2)
		r = err_ret(err);
	else if (r >= 0 && i < 0)
		r = err_set(err, ERR_INVALID,
			    "the target of a hard link, '%.300s', is neither in this layer nor "
			    "below it",
			    path);
	else if (r >= 0 && !S_ISREG(st.st_mode))
		r = err_set(err, ERR_INVALID,
			    "the target of a hard link, '%.300s', is a %s of a lower layer; only "
			    "links to regular files of lower layers are supported",
			    path, S_ISDIR(st.st_mode) ? "directory" : "link or special file");
	if (r >= 0)
		r = copy_file(diff_view_dir(&v, (unsigned)i), base, to, &st, err);
	diff_view_fini(&v);
	return r;
}

/* The empty file, at its own name or at that of the link: 1, 0 = a later entry took its place. */
static int open_placeholder(int target, const char *path, uint64_t ino, int *ret)
{
	CLEANUP(fd_close) int fd = -1;
	struct stat st;

	if (path_open_beneath(target, path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW, 0, &fd, NULL) < 0 ||
	    fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_ino != ino || st.st_size)
		return 0;
	*ret = STEAL_FD(fd);
	return 1;
}

static int copy_up(const struct stack *s, const char *mark, const char *other, struct err *err)
{
	struct slice rest = slice_str(mark + 1), ino = slice_split(&rest, ' ');
	CLEANUP(fd_close) int fd = -1;
	uint64_t n;

	if (str_uint64(ino, &n, NULL) < 0 || !rest.p || !rest.n || rest.n > DIFF_PATH_MAX ||
	    other[0] != UNPACK_MARK_COPY_AT)
		return err_set(err, ERR_INVALID, "the helper's report is damaged");
	if (!open_placeholder(s->fds[0], rest.p, n, &fd) &&
	    !open_placeholder(s->fds[0], other + 1, n, &fd))
		return 0;
	return fill(s, rest.p, fd, err);
}

/* ---- marks ---- */

static int apply_opaque(struct image_import *im, struct image_new_layer *l, int target,
			const char *path, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;

	if (path_open_beneath(target, path[0] ? path : ".", O_RDONLY | O_DIRECTORY, 0, &fd, NULL) <
	    0)
		return 0; /* replaced by a later entry of the layer */
	l->opaque |= !path[0];
	return fsetxattr(fd, driver_opaque_name(im->is), "y", 1, 0) < 0
		       ? err_sys(err, "mark directory '%s' opaque", path)
		       : 0;
}

static int apply_mark(const struct stack *s, const char *mark, const char *other, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	const char *path = mark + 1;

	switch (mark[0]) {
	case UNPACK_MARK_OPAQUE:
	case UNPACK_MARK_COPY_AT: return 0;
	case UNPACK_MARK_COPY_UP: return copy_up(s, mark, other, err);
	case UNPACK_MARK_IMPLICIT: break;
	default: return err_set(err, ERR_INVALID, "the helper's report is damaged");
	}
	if (path_open_beneath(s->fds[0], path[0] ? path : ".", O_RDONLY | O_DIRECTORY, 0, &fd,
			      NULL) < 0)
		return 0;
	return inherit(s, fd, path[0] ? path : ".", err);
}

/* Each mark ends in a NUL and is at most a letter, a number and a path. */
static int check_marks(struct slice marks, struct err *err)
{
	while (marks.n) {
		size_t n = strnlen(marks.p, marks.n);

		if (n == marks.n || n < 1 || n > 4097 + 24)
			return err_set(err, ERR_INVALID, "the helper's report is damaged");
		marks = slice_of(marks.p + n + 1, marks.n - n - 1);
	}
	return 0;
}

static int apply_marks(struct image_import *im, struct image_new_layer *l, int target,
		       struct slice marks, struct err *err)
{
	CLEANUP(stack_fini) struct stack s = { 0 };
	const char *p, *end = marks.p + marks.n;
	int r = check_marks(marks, err);

	/* What is opaque decides what can be seen below. */
	for (p = marks.p; r >= 0 && p < end; p += strlen(p) + 1)
		if (p[0] == UNPACK_MARK_OPAQUE)
			r = apply_opaque(im, l, target, p + 1, err);
	if (r >= 0)
		r = open_stack(im, l, target, &s, err);
	for (p = marks.p; r >= 0 && p < end; p += strlen(p) + 1) {
		const char *other = p;

		while (p[0] == UNPACK_MARK_COPY_UP && other < end &&
		       other[0] != UNPACK_MARK_COPY_AT)
			other += strlen(other) + 1;
		r = apply_mark(&s, p, other < end ? other : "", err);
	}
	return r;
}

/* ---- whole trees ---- */

static int new_tree(struct image_import *im, const struct image_new_layer *l, const char *name,
		    struct err *err)
{
	const struct image_driver *d = im->is->driver;
	const struct image_new_layer *below;

	if (!l->parent[0])
		return d->create(im->dir, name, err);
	below = import_find_layer(im, l->parent);
	if (below && below->dir[0])
		return d->copy(im->dir, below->dir, im->dir, name, err);
	return d->copy(im->is->snapshots, IMAGE_HEX(l->parent), im->dir, name, err);
}

static int make_whole(struct image_import *im, struct image_new_layer *l, int target,
		      struct err *err)
{
	CLEANUP(fd_close) int tree = -1;
	char name[32];
	int r;

	snprintf(name, sizeof(name), "t%zu", im->nfiles++);
	r = new_tree(im, l, name, err);
	if (r >= 0)
		r = path_open_beneath(im->dir, name, O_RDONLY | O_DIRECTORY, 0, &tree, err);
	if (r >= 0)
		r = tree_apply(target, tree, TREE_MOVE, err);
	if (r >= 0)
		r = fd_remove_tree(im->dir, l->dir, err);
	if (r < 0)
		return r;
	l->opaque = false;
	(void)str_copy(l->dir, sizeof(l->dir), name);
	return 0;
}

int import_finish_layer(struct image_import *im, struct image_new_layer *l, int target,
			struct slice marks, struct err *err)
{
	int r = marks.n ? apply_marks(im, l, target, marks, err) : 0;

	return r < 0 || !im->is->driver->whole ? r : make_whole(im, l, target, err);
}
