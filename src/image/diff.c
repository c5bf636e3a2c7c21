/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The starter's side of reading layers: each directory becomes a mount of its own that nobody else
 * sees (read-only, no devices, set-uid, programs or links), and goes to the helper as a descriptor.
 */
#include "image/diff.h"

#include "base/err.h"
#include "base/fd.h"
#include "image/helper.h"
#include "image/private.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIST_LINE_MAX (DIFF_PATH_MAX + 128)

struct opened {
	int fds[DIFF_LAYERS_MAX];
	size_t n;
};

static void opened_fini(struct opened *o)
{
	for (size_t i = 0; i < o->n; i++)
		fd_close(o->fds[i]);
	o->n = 0;
}
DEFINE_CLEANUP_EMBEDDED(struct opened, opened_fini)

static int open_layer(const char *path, int *ret, struct err *err)
{
	const struct sys_mount_attr attr = { .set = SYS_ATTR_RDONLY | SYS_ATTR_NODEV |
						    SYS_ATTR_NOSUID | SYS_ATTR_NOEXEC |
						    SYS_ATTR_NOSYMFOLLOW };
	CLEANUP(fd_close) int tree = -1;

	tree = sys_open_tree(AT_FDCWD, path, SYS_OPEN_TREE_CLONE | SYS_OPEN_TREE_CLOEXEC);
	if (tree >= 0 && sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0 && errno != ENOSYS)
		return err_sys(err, "restrict the mount of layer '%s'", path);
	/* Older kernels: the fence's other parts stand. */
	if (tree < 0 && errno == ENOSYS)
		tree = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (tree < 0)
		return err_sys(err, "open layer '%s'", path);
	*ret = STEAL_FD(tree);
	return 0;
}

static int open_layers(const struct strv *dirs, struct opened *o, struct err *err)
{
	int r = 0;

	if (!dirs->n || dirs->n > DIFF_LAYERS_MAX)
		return err_set(err, ERR_TOO_LARGE, "%zu layers; there can be 1 to %u", dirs->n,
			       DIFF_LAYERS_MAX);
	for (; o->n < dirs->n && r >= 0; o->n += r >= 0)
		r = open_layer(dirs->v[o->n], &o->fds[o->n], err);
	return r;
}

static int start(struct image_store *is, unsigned flags, const struct opened *o, const int *out,
		 struct helper *h, struct err *err)
{
	const struct helper_start hs = { .program = is->helper,
					 .mode = "diff",
					 .input = o->fds[0], /* never read */
					 .output = !out,
					 .output_to = out,
					 .root = o->fds[0],
					 .flags = flags | (unsigned)o->n << 16,
					 .extra = o->fds,
					 .nextra = o->n };

	return helper_start(&hs, h, err);
}

int image_diff_tar(struct image_store *is, enum image_diff_kind kind, const struct strv *dirs,
		   int out, struct image_diff_result *ret, struct err *err)
{
	CLEANUP(helper_result_fini) struct helper_result res = { 0 };
	CLEANUP(opened_fini) struct opened o = { 0 };
	struct helper h;
	int r;

	r = open_layers(dirs, &o, err);
	if (r >= 0)
		r = start(is, kind, &o, &out, &h, err);
	if (r >= 0)
		r = helper_finish(&h, &res, err);
	if (r >= 0 && ret)
		*ret = (struct image_diff_result){ res.entries, res.bytes };
	return r;
}

/* ---- list ---- */

/* "<change><type><size> <hidden> <path>" */
static int parse_line(const char *line, struct image_diff_item *it)
{
	struct slice rest = slice_str(line + 2), size, hidden;

	if (!line[0] || !strchr("ACDd", line[0]) || !line[1] || !strchr("fdlhs-", line[1]))
		return -1;
	size = slice_split(&rest, ' ');
	hidden = slice_split(&rest, ' ');
	if (str_uint64(size, &it->size, NULL) < 0 || str_uint64(hidden, &it->hidden, NULL) < 0 ||
	    !rest.p || rest.p[0] != '/')
		return -1;
	it->change = line[0];
	it->type = line[1];
	it->path = rest.p;
	return 0;
}

static int take_lines(struct buf *b, image_diff_fn *fn, void *ctx, struct err *err)
{
	size_t at = 0, n;
	int r = 0;

	while (r >= 0 && (n = strnlen(b->p + at, b->n - at)) < b->n - at) {
		struct image_diff_item it;

		if (parse_line(b->p + at, &it) < 0)
			return err_set(err, ERR_INVALID, "the helper's list is damaged");
		r = fn(ctx, &it, err);
		at += n + 1;
	}
	buf_consume(b, at);
	return r;
}

static int read_list(int fd, image_diff_fn *fn, void *ctx, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(2u * LIST_LINE_MAX + 65536);
	int r = 0;

	while (r >= 0) {
		ssize_t n = -1;

		if (!buf_room(&b, LIST_LINE_MAX))
			return err_set(err, ERR_INVALID, "the helper's list is damaged");
		n = read(fd, b.p + b.n, LIST_LINE_MAX);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read the list of changes");
		if (n == 0)
			return b.n ? err_set(err, ERR_INVALID, "the helper's list is cut off") : 0;
		b.n += (size_t)n;
		r = take_lines(&b, fn, ctx, err);
	}
	return r;
}

int image_diff_list(struct image_store *is, enum image_diff_kind kind, const struct strv *dirs,
		    image_diff_fn *fn, void *ctx, struct err *err)
{
	CLEANUP(helper_result_fini) struct helper_result res = { 0 };
	CLEANUP(opened_fini) struct opened o = { 0 };
	struct err late = ERR_INIT;
	struct helper h;
	int r, end;

	r = open_layers(dirs, &o, err);
	if (r >= 0)
		r = start(is, kind | DIFF_FLAG_LIST, &o, NULL, &h, err);
	if (r < 0)
		return r;
	r = read_list(h.out, fn, ctx, err);
	if (r < 0) {
		helper_kill(&h);
		return r;
	}
	end = helper_finish(&h, &res, &late);
	if (end < 0 && err)
		*err = late;
	return end;
}
