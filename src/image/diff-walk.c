/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk over what differs, and its two products: tar and list. Depth costs heap, not stack or
 * descriptors: directories are opened anew by name, never through a link.
 * Invariants: (1) a directory comes before what is in it, names in byte order, so equal files give
 * equal bytes; (2) an entry's data has the size its header says, whatever happens to the file
 * meanwhile; (3) no file is opened but regular ones, and what was opened is looked at again.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/map.h"
#include "image/diff.h"
#include "image/tar.h"
#include "linux/sys.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define NAMES_MAX (128u << 20) /* bytes of the names of one directory */
#define DEPTH_MAX 2048
#define OUT_SIZE (256u << 10)
#define LINKS_MAX (2u << 20) /* files with several names */
#define XATTR_MAX 65536

struct frame {
	size_t len;		 /* of the directory's path */
	struct diff_set nw, old; /* what shows it: the new view, the base */
	struct buf names;
	const char **v;
	size_t n, at;
	struct stat st;
	int layer;    /* that shows it */
	bool pending; /* not told yet: it is, when something in it is */
	bool gone;    /* a list: all of it is deleted */
	bool both;    /* names of the base count too */
};

struct link {
	struct {
		dev_t dev;
		ino_t ino;
	} key;
	char path[];
};

struct walk {
	struct diff_view view;
	enum image_diff_kind kind;
	bool list;
	struct frame *f;
	size_t depth, cap;
	char path[DIFF_PATH_MAX + 2]; /* of the entry at hand; one more for a directory's slash */
	struct map links;
	size_t nlinks;
	struct tar_writer tar;
	struct image_diff_result res;
	char *out, *data;
	size_t fill;
};

/* One entry at hand. */
struct item {
	const char *name;
	int layer, base; /* the layer that shows it in the new view, in the base; -1 = none */
	struct stat st, was;
};

static struct frame *top(struct walk *w)
{
	return &w->f[w->depth - 1];
}

/* ---- output ---- */

static int flush(struct walk *w, struct err *err)
{
	size_t n = w->fill;

	w->fill = 0;
	if (n && fd_write_all(1, w->out, n) < 0)
		return errno == EPIPE
			       ? err_set(err, ERR_UNAVAILABLE, "the reader of the layer has gone")
			       : err_sys(err, "write the layer");
	return 0;
}

static int put(void *ctx, const void *p, size_t n, struct err *err)
{
	struct walk *w = ctx;
	int r = 0;

	if (n > OUT_SIZE - w->fill)
		r = flush(w, err);
	if (r < 0)
		return r;
	if (n >= OUT_SIZE) {
		if (fd_write_all(1, p, n) < 0)
			return errno == EPIPE ? err_set(err, ERR_UNAVAILABLE,
							"the reader of the layer has gone")
					      : err_sys(err, "write the layer");
		return 0;
	}
	memcpy(w->out + w->fill, p, n);
	w->fill += n;
	return 0;
}

/* ---- tar entries ---- */

static bool kept_xattr(const char *name)
{
	struct slice s = slice_str(name);

	return slice_is(s, "security.capability") || slice_starts(s, SLICE("system.posix_acl_")) ||
	       (slice_starts(s, SLICE("user.")) && !slice_starts(s, SLICE("user.overlay.")) &&
		!slice_starts(s, SLICE("user.fuseoverlayfs.")));
}

static int by_xattr(const void *a, const void *b)
{
	const struct tar_xattr *x = a, *y = b;

	return strcmp(x->name, y->name);
}

struct xattrs {
	char names[XATTR_MAX];
	struct tar_xattr v[TAR_XATTRS_MAX];
	struct buf values;
	size_t n;
};

static int add_xattr(struct walk *w, struct xattrs *x, int fd, const char *name, struct err *err)
{
	ssize_t n;

	if (x->n == TAR_XATTRS_MAX || !buf_room(&x->values, XATTR_MAX))
		return err_set(err, ERR_TOO_LARGE, "'/%s' has too many extended attributes",
			       w->path);
	n = fgetxattr(fd, name, x->values.p + x->values.n, XATTR_MAX);
	if (n < 0 && errno == ENODATA)
		return 0;
	if (n < 0)
		return err_sys(err, "read extended attribute '%s' of '/%s'", name, w->path);
	/* The buffer may move: an offset for now. */
	x->v[x->n++] = (struct tar_xattr){ name, slice_of((char *)x->values.n, (size_t)n) };
	x->values.n += (size_t)n;
	return 0;
}

static int read_xattrs(struct walk *w, int fd, struct xattrs *x, struct err *err)
{
	ssize_t n = flistxattr(fd, x->names, sizeof(x->names));
	int r = 0;

	if (n < 0 && errno == ENOTSUP)
		return 0;
	if (n < 0)
		return err_sys(err, "list the extended attributes of '/%s'", w->path);
	for (ssize_t at = 0; at < n && r >= 0; at += (ssize_t)strlen(x->names + at) + 1) {
		if (strcmp(x->names + at, "trusted.overlay.metacopy") == 0)
			return err_set(err, ERR_UNSUPPORTED,
				       "'/%s' has its data in a lower layer, by overlay's "
				       "metacopy; mount overlay with metacopy=off",
				       w->path);
		if (kept_xattr(x->names + at))
			r = add_xattr(w, x, fd, x->names + at, err);
	}
	for (size_t i = 0; i < x->n; i++)
		x->v[i].value.p = x->values.p + (size_t)x->v[i].value.p;
	qsort(x->v, x->n, sizeof(x->v[0]), by_xattr);
	return r;
}

static struct tar_entry entry_of(const struct walk *w, const struct stat *st)
{
	return (struct tar_entry){ .name = w->path,
				   .link = "",
				   .mode = st->st_mode & 07777,
				   .uid = st->st_uid,
				   .gid = st->st_gid,
				   .uname = "",
				   .gname = "",
				   .mtime_s = st->st_mtim.tv_sec };
}

static int put_entry(struct walk *w, struct tar_entry *e, int fd, struct err *err)
{
	struct xattrs *x = fd < 0 ? NULL : malloc(sizeof(*x));
	int r = 0;

	if (fd >= 0 && !x)
		abort();
	if (x) {
		x->n = 0;
		x->values = BUF_INIT(8u << 20);
		r = read_xattrs(w, fd, x, err);
		e->xattrs = x->v;
		e->nxattrs = x->n;
	}
	if (r >= 0)
		r = tar_writer_entry(&w->tar, e, err);
	w->res.entries++;
	if (x)
		buf_fini(&x->values);
	free(x);
	return r;
}

/* keeps (2) */
static int put_data(struct walk *w, int fd, uint64_t size, struct err *err)
{
	int r = 0;

	w->res.bytes += size;
	while (size && r >= 0) {
		size_t want = (size_t)MIN(size, (uint64_t)OUT_SIZE);
		ssize_t n = sys_read(fd, w->data, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read '/%s'", w->path);
		if (n == 0) {
			memset(w->data, 0, want);
			n = (ssize_t)want;
		}
		r = tar_writer_data(&w->tar, w->data, (size_t)n, err);
		size -= (uint64_t)n;
	}
	return r;
}

static bool went(void)
{
	return errno == ENOENT || errno == ELOOP || errno == ENOTDIR || errno == ENXIO;
}

static int put_file(struct walk *w, const struct item *it, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct tar_entry e;
	struct stat st;
	int r;

	fd = sys_openat(diff_view_dir(&w->view, (unsigned)it->layer), it->name,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	if (fd < 0)
		return went() ? 0 : err_sys(err, "open '/%s'", w->path);
	if (sys_fstat(fd, &st) < 0)
		return err_sys(err, "look at '/%s'", w->path);
	if (!S_ISREG(st.st_mode)) /* keeps (3) */
		return 0;
	e = entry_of(w, &st);
	e.type = TAR_REG;
	e.size = (uint64_t)st.st_size;
	r = put_entry(w, &e, fd, err);
	return r < 0 ? r : put_data(w, fd, e.size, err);
}

static int put_symlink(struct walk *w, const struct item *it, struct err *err)
{
	struct tar_entry e = entry_of(w, &it->st);
	char target[PATH_MAX + 1];
	ssize_t n = sys_readlinkat(diff_view_dir(&w->view, (unsigned)it->layer), it->name, target,
				   sizeof(target) - 1);

	if (n < 0)
		return went() || errno == EINVAL ? 0 : err_sys(err, "read link '/%s'", w->path);
	target[n] = '\0';
	e.type = TAR_SYM;
	e.mode = 0777;
	e.link = target;
	return put_entry(w, &e, -1, err);
}

static int put_special(struct walk *w, const struct item *it, struct err *err)
{
	struct tar_entry e = entry_of(w, &it->st);

	e.type = S_ISCHR(it->st.st_mode)   ? TAR_CHAR
		 : S_ISBLK(it->st.st_mode) ? TAR_BLOCKDEV
					   : TAR_FIFO;
	if (e.type != TAR_FIFO) {
		e.major = major(it->st.st_rdev);
		e.minor = minor(it->st.st_rdev);
	}
	return put_entry(w, &e, -1, err);
}

/* A directory by its path: the one at hand is not open when its parents are told late. */
static int put_dir(struct walk *w, size_t len, int layer, const struct stat *st, struct err *err)
{
	const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
				      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	CLEANUP(fd_close) int fd = -1;
	char kept = w->path[len], kept2 = w->path[len + 1];
	struct tar_entry e = entry_of(w, st);
	int r;

	w->path[len] = '\0';
	fd = sys_openat2(w->view.layers[layer], len ? w->path : ".", &how);
	if (fd < 0 && !went())
		return err_sys(err, "open directory '/%s'", w->path);
	memcpy(w->path + len, "/", 2);
	e.type = TAR_DIR;
	e.name = len ? w->path : "./";
	r = put_entry(w, &e, fd, err);
	w->path[len] = kept;
	w->path[len + 1] = kept2;
	return r;
}

/* An empty file that says something about the lower layers. */
static int put_mark(struct walk *w, size_t dir_len, const char *prefix, const char *name,
		    struct err *err)
{
	char path[DIFF_PATH_MAX + 32];
	struct tar_entry e = { .type = TAR_REG, .name = path, .link = "", .mode = 0 };

	(void)snprintf(path, sizeof(path), "%.*s%s%s%s", (int)dir_len, w->path, dir_len ? "/" : "",
		       prefix, name);
	w->res.entries++;
	return tar_writer_entry(&w->tar, &e, err);
}

/* ---- list ---- */

static int tell(struct walk *w, char change, char type, uint64_t size, uint64_t hidden,
		struct err *err)
{
	char head[80];
	int n = snprintf(head, sizeof(head), "%c%c%llu %llu /", change, type,
			 (unsigned long long)size, (unsigned long long)hidden);
	int r = put(w, head, (size_t)n, err);

	w->res.entries++;
	w->res.bytes += size;
	return r < 0 ? r : put(w, w->path, strlen(w->path) + 1, err);
}

/* ---- hard links ---- */

/* 1 = *ret is the first name of this file; 0 = this is its first. */
static int first_name(struct walk *w, const struct stat *st, const char **ret, struct err *err)
{
	struct link *l = calloc(1, sizeof(*l) + strlen(w->path) + 1), *old;
	struct slice key;

	if (!l)
		abort();
	l->key.dev = st->st_dev;
	l->key.ino = st->st_ino;
	memcpy(l->path, w->path, strlen(w->path) + 1);
	key = slice_of((const char *)&l->key, sizeof(l->key));
	old = map_get(&w->links, key);
	if (old) {
		free(l);
		*ret = old->path;
		return 1;
	}
	if (w->nlinks == LINKS_MAX) {
		free(l);
		return err_set(err, ERR_TOO_LARGE, "more than %u files have several names",
			       LINKS_MAX);
	}
	w->nlinks++;
	(void)map_put(&w->links, key, l);
	return 0;
}

static int put_hard(struct walk *w, const char *target, const struct item *it, struct err *err)
{
	struct tar_entry e = entry_of(w, &it->st);

	e.type = TAR_HARD;
	e.link = target;
	return put_entry(w, &e, -1, err);
}

/* ---- what differs ---- */

/* What a directory or file is, its data apart: equal sizes and times stand for equal data. */
static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
	       a->st_rdev == b->st_rdev && (S_ISDIR(a->st_mode) || a->st_size == b->st_size) &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int flush_pending(struct walk *w, struct err *err)
{
	int r = 0;

	for (size_t i = 1; i < w->depth && r >= 0; i++) {
		struct frame *f = &w->f[i];

		if (!f->pending)
			continue;
		f->pending = false;
		r = put_dir(w, f->len, f->layer, &f->st, err);
	}
	return r;
}

/* `docker diff` names the directory of what came or went. */
static int tell_parent(struct walk *w, struct err *err)
{
	struct frame *f = top(w);
	char kept = w->path[f->len];
	int r;

	if (!f->pending)
		return 0;
	f->pending = false;
	w->path[f->len] = '\0';
	r = tell(w, 'C', 'd', 0, 0, err);
	w->path[f->len] = kept;
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int sort_names(struct frame *f, struct err *err)
{
	size_t n = 0, k = 0;

	for (size_t at = 0; at < f->names.n; at += strlen(f->names.p + at) + 1)
		n++;
	if (!n)
		return 0;
	f->v = calloc(n, sizeof(*f->v));
	if (!f->v)
		return err_set(err, ERR_QUOTA, "not enough memory for a directory of %zu names", n);
	for (size_t at = 0; at < f->names.n; at += strlen(f->names.p + at) + 1)
		f->v[k++] = f->names.p + at;
	qsort(f->v, n, sizeof(*f->v), by_name);
	for (size_t i = 0; i < n; i++)
		if (!f->n || strcmp(f->v[f->n - 1], f->v[i]) != 0)
			f->v[f->n++] = f->v[i];
	return 0;
}

/* Into the directory at w->path; the sets and the rest of *f are filled in but for the names. */
static int push(struct walk *w, const struct frame *from, struct err *err)
{
	struct frame *f;
	int r = 0;

	if (w->depth == DEPTH_MAX)
		return err_set(err, ERR_TOO_LARGE, "'/%.200s...' is more than %u directories deep",
			       w->path, DEPTH_MAX);
	if (w->depth == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 32;

		f = realloc(w->f, cap * sizeof(*f));
		if (!f)
			abort();
		w->f = f;
		w->cap = cap;
	}
	f = &w->f[w->depth++];
	*f = *from;
	f->names = BUF_INIT(NAMES_MAX);
	diff_view_enter(&w->view, w->path);
	for (unsigned i = 0; i < f->nw.n && r >= 0; i++)
		r = diff_view_names(&w->view, f->nw.v[i], &f->names, err);
	for (unsigned i = 0; (f->both || f->gone) && i < f->old.n && r >= 0; i++)
		r = diff_view_names(&w->view, f->old.v[i], &f->names, err);
	return r < 0 ? r : sort_names(f, err);
}

static void pop(struct walk *w)
{
	struct frame *f = top(w);

	buf_fini(&f->names);
	free(f->v);
	w->depth--;
}

/* The lower directory that cannot be seen any more, for a list. */
static int push_gone(struct walk *w, const struct item *it, struct err *err)
{
	struct frame next = { .len = strlen(w->path), .gone = true };
	int r = diff_view_subset(&w->view, &top(w)->old, it->name, &next.old, err);

	return r < 0 ? r : push(w, &next, err);
}

static uint64_t data_of(const struct stat *st)
{
	return S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
}

static int deleted(struct walk *w, const struct item *it, struct err *err)
{
	struct frame *f = top(w);
	int r;

	if (!w->list) {
		r = flush_pending(w, err);
		return r < 0 ? r : put_mark(w, f->len, ".wh.", it->name, err);
	}
	r = f->gone ? 0 : tell_parent(w, err);
	if (r >= 0)
		r = tell(w, f->gone ? 'd' : 'D', S_ISDIR(it->was.st_mode) ? 'd' : '-', 0,
			 data_of(&it->was), err);
	return r >= 0 && S_ISDIR(it->was.st_mode) ? push_gone(w, it, err) : r;
}

static int is_opaque(struct walk *w, const struct item *it)
{
	CLEANUP(fd_close) int fd = -1;

	fd = sys_openat(diff_view_dir(&w->view, (unsigned)it->layer), it->name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	return fd >= 0 && diff_is_opaque(fd);
}

static int tell_dir(struct walk *w, const struct item *it, struct frame *next, struct err *err)
{
	char change = it->base < 0 ? 'A' : 'C';
	int r;

	next->pending = change == 'C' && S_ISDIR(it->was.st_mode) && same(&it->st, &it->was);
	if (next->pending)
		return 0;
	r = change == 'A' ? tell_parent(w, err) : 0;
	return r < 0 ? r : tell(w, change, 'd', 0, it->base < 0 ? 0 : data_of(&it->was), err);
}

static int tar_dir(struct walk *w, const struct item *it, struct frame *next, bool opaque,
		   struct err *err)
{
	int r;

	next->pending = w->kind == IMAGE_DIFF_COMPARE && next->old.n && same(&it->st, &it->was);
	if (next->pending)
		return 0;
	r = flush_pending(w, err);
	if (r >= 0)
		r = put_dir(w, next->len, it->layer, &it->st, err);
	if (r >= 0 && opaque && next->old.n) {
		r = put_mark(w, next->len, ".wh..wh..opq", "", err);
		next->old.n = 0;
	}
	return r;
}

static int directory(struct walk *w, const struct item *it, struct err *err)
{
	struct frame *f = top(w);
	struct frame next = { .len = strlen(w->path), .st = it->st, .layer = it->layer };
	bool opaque = w->kind == IMAGE_DIFF_LAYER && is_opaque(w, it);
	int r;

	r = diff_view_subset(&w->view, &f->nw, it->name, &next.nw, err);
	if (r >= 0 && it->base >= 0)
		r = diff_view_subset(&w->view, &f->old, it->name, &next.old, err);
	if (r < 0)
		return r;
	next.both = w->kind == IMAGE_DIFF_COMPARE || (w->list && opaque);
	r = w->list ? tell_dir(w, it, &next, err) : tar_dir(w, it, &next, opaque, err);
	return r < 0 ? r : push(w, &next, err);
}

static int check_name(struct walk *w, const struct item *it, struct err *err)
{
	if (w->kind == IMAGE_DIFF_MERGED || w->list || strncmp(it->name, ".wh.", 4) != 0)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "'/%s' cannot be in a layer: a name that begins with .wh. means that "
		       "something was removed; rename it",
		       w->path);
}

static char type_of(mode_t m)
{
	return S_ISREG(m) ? 'f' : S_ISLNK(m) ? 'l' : 's';
}

static int tell_file(struct walk *w, const struct item *it, bool again, struct err *err)
{
	bool hidden_dir = it->base >= 0 && S_ISDIR(it->was.st_mode);
	int r = it->base < 0 ? tell_parent(w, err) : 0;

	if (r >= 0)
		r = tell(w, it->base < 0 ? 'A' : 'C', again ? 'h' : type_of(it->st.st_mode),
			 again ? 0 : data_of(&it->st), it->base < 0 ? 0 : data_of(&it->was), err);
	return r >= 0 && hidden_dir ? push_gone(w, it, err) : r;
}

static int file(struct walk *w, const struct item *it, struct err *err)
{
	const char *first = NULL;
	int r = 0, again = 0;

	if (w->kind == IMAGE_DIFF_COMPARE && it->base >= 0 && same(&it->st, &it->was))
		return 0;
	if (S_ISSOCK(it->st.st_mode) && !w->list)
		return 0; /* means nothing without its process */
	if (it->st.st_nlink > 1)
		again = first_name(w, &it->st, &first, err);
	if (again < 0)
		return again;
	if (w->list)
		return tell_file(w, it, again, err);
	r = flush_pending(w, err);
	if (r < 0)
		return r;
	if (again)
		return put_hard(w, first, it, err);
	if (S_ISREG(it->st.st_mode))
		return put_file(w, it, err);
	return S_ISLNK(it->st.st_mode) ? put_symlink(w, it, err) : put_special(w, it, err);
}

static int one(struct walk *w, struct frame *f, struct err *err)
{
	struct item it = { .name = f->v[f->at++], .layer = -1, .base = -1 };
	size_t n = strlen(it.name);
	bool raw = w->kind != IMAGE_DIFF_MERGED;
	int r;

	if (f->len + 1 + n > DIFF_PATH_MAX)
		return err_set(err, ERR_TOO_LARGE, "'/%.200s...' is longer than %u bytes", w->path,
			       DIFF_PATH_MAX);
	w->path[f->len] = '\0';
	diff_view_enter(&w->view, w->path);
	if (f->len)
		w->path[f->len] = '/';
	memcpy(w->path + f->len + (f->len != 0), it.name, n + 1);
	it.layer = diff_view_find(&w->view, &f->nw, it.name, raw, &it.st, err);
	if (it.layer > -2)
		it.base = diff_view_find(&w->view, &f->old, it.name, false, &it.was, err);
	if (it.layer == -2 || it.base == -2)
		return err_ret(err);
	if (it.layer >= 0 && raw && diff_is_whiteout(&it.st)) {
		if (w->kind == IMAGE_DIFF_COMPARE)
			return err_set(err, ERR_UNSUPPORTED,
				       "'/%s': a character device 0:0 cannot be in a layer",
				       w->path);
		it.layer = -1;
	}
	if (it.layer < 0)
		return it.base < 0 ? 0 : deleted(w, &it, err);
	r = check_name(w, &it, err);
	if (r < 0)
		return r;
	return S_ISDIR(it.st.st_mode) ? directory(w, &it, err) : file(w, &it, err);
}

/* ---- the job ---- */

/* Of the root only what tells it from the base is said. */
static int put_root(struct walk *w, const struct frame *root, struct err *err)
{
	struct stat was = { .st_mode = S_IFDIR | 0755 };

	if (root->old.n && sys_fstat(w->view.layers[root->old.v[0]], &was) < 0)
		return err_sys(err, "look at the root of a layer");
	if (root->st.st_mode == was.st_mode && root->st.st_uid == was.st_uid &&
	    root->st.st_gid == was.st_gid)
		return 0;
	return put_dir(w, 0, 0, &root->st, err);
}

static int begin(struct walk *w, struct err *err)
{
	struct frame root = { .both = w->kind == IMAGE_DIFF_COMPARE };
	size_t n = w->view.n;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		struct diff_set *s = i == 0 || w->kind == IMAGE_DIFF_MERGED ? &root.nw : &root.old;

		s->v[s->n++] = (unsigned char)i;
	}
	if (sys_fstat(w->view.layers[0], &root.st) < 0)
		return err_sys(err, "look at the root of a layer");
	if (!w->list)
		r = put_root(w, &root, err);
	return r < 0 ? r : push(w, &root, err);
}

static int walk(struct walk *w, struct err *err)
{
	int r = begin(w, err);

	while (r >= 0 && w->depth) {
		struct frame *f = top(w);

		if (f->at == f->n)
			pop(w);
		else
			r = one(w, f, err);
	}
	if (r >= 0 && !w->list)
		r = tar_writer_finish(&w->tar, err);
	return r < 0 ? r : flush(w, err);
}

static void walk_free(struct walk *w)
{
	struct link *l;

	while (w->depth)
		pop(w);
	for (size_t i = 0; (l = map_next(&w->links, &i, NULL));)
		free(l);
	map_fini(&w->links);
	diff_view_fini(&w->view);
	free(w->f);
	free(w->out);
	free(w->data);
	free(w);
}

int diff_run(unsigned flags, struct image_diff_result *ret, struct err *err)
{
	struct walk *w = calloc(1, sizeof(*w));
	int layers[DIFF_LAYERS_MAX];
	size_t n = flags >> 16;
	int r;

	if (!w)
		abort();
	for (size_t i = 0; i < n; i++)
		layers[i] = DIFF_FD_FIRST + (int)i;
	w->kind = (enum image_diff_kind)(flags & 0xff);
	w->list = flags & DIFF_FLAG_LIST;
	w->out = malloc(OUT_SIZE);
	w->data = malloc(OUT_SIZE);
	if (!w->out || !w->data)
		abort();
	map_init(&w->links);
	diff_view_init(&w->view, layers, n);
	tar_writer_init(&w->tar, put, w);
	r = walk(w, err);
	*ret = w->res;
	walk_free(w);
	return r;
}
