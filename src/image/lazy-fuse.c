/* SPDX-License-Identifier: Apache-2.0 */
/* The table of operations. A handler appends the reply's body, or returns a negative errno. */
#include "image/lazy-fuse.h"

#include "image/lazy-growth.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/stat.h>

#define FOR_EVER (365ull * 86400)
#define WAIT 1

struct request {
	const struct lazy_fs *fs;
	const struct fuse_in_header *h;
	const struct lazy_inode *node; /* NULL: the kernel named none that there is */
	const char *body;
	size_t n;
	struct buf *out;
};

typedef int answer_fn(struct request *q);

static void fill_attr(struct fuse_attr *a, uint64_t ino, const struct lazy_inode *n)
{
	*a = (struct fuse_attr){ .ino = ino,
				 .size = S_ISDIR(n->mode) ? 4096 : n->size,
				 .blocks = (n->size + 511) / 512,
				 .atime = (uint64_t)n->mtime_s,
				 .mtime = (uint64_t)n->mtime_s,
				 .ctime = (uint64_t)n->mtime_s,
				 .atimensec = n->mtime_ns,
				 .mtimensec = n->mtime_ns,
				 .ctimensec = n->mtime_ns,
				 .mode = n->mode,
				 .nlink = n->nlink,
				 .uid = n->uid,
				 .gid = n->gid,
				 .rdev = n->rdev,
				 .blksize = 4096 };
}

static bool grows(const struct request *q)
{
	return q->fs->growth && !lazy_growth_ended(q->fs->growth);
}

/* Links to a file may still come, which its count tells. */
static uint64_t attr_valid(const struct request *q, uint64_t ino)
{
	return grows(q) && !S_ISDIR(lazy_tree_inode(q->fs->tree, ino)->mode) ? 0 : FOR_EVER;
}

static void fill_entry(const struct request *q, struct fuse_entry_out *e, uint32_t ino)
{
	*e = (struct fuse_entry_out){ .nodeid = ino, .generation = 1, .entry_valid = FOR_EVER };
	e->attr_valid = FOR_EVER;
	if (ino)
		e->attr_valid = attr_valid(q, ino);
	if (ino)
		fill_attr(&e->attr, ino, lazy_tree_inode(q->fs->tree, ino));
}

/* ---- operations ---- */

static int do_init(struct request *q)
{
	const struct fuse_init_in *in = (const void *)q->body;
	struct fuse_init_out out = { .major = FUSE_KERNEL_VERSION,
				     .minor = FUSE_KERNEL_MINOR_VERSION,
				     .max_background = 64,
				     .congestion_threshold = 48,
				     .max_write = 4096,
				     .max_pages = LAZY_READ_MAX / 4096,
				     .time_gran = 1 };

	if (in->major != FUSE_KERNEL_VERSION || in->minor < 31)
		return -EPROTO;
	out.minor = MIN(in->minor, out.minor);
	out.max_readahead = MIN(in->max_readahead, LAZY_READ_MAX);
	out.flags =
		in->flags & (FUSE_ASYNC_READ | FUSE_PARALLEL_DIROPS | FUSE_DO_READDIRPLUS |
			     FUSE_READDIRPLUS_AUTO | FUSE_CACHE_SYMLINKS | FUSE_NO_OPEN_SUPPORT |
			     FUSE_NO_OPENDIR_SUPPORT | FUSE_MAX_PAGES | FUSE_POSIX_ACL);
	(void)buf_add(q->out, &out, sizeof(out));
	return 0;
}

static int do_lookup(struct request *q)
{
	struct slice name = { q->body, strnlen(q->body, q->n) };
	struct fuse_entry_out e;
	uint32_t dir = (uint32_t)q->h->nodeid, ino = lazy_tree_lookup(q->fs->tree, dir, name);
	struct lazy_growth *g = q->fs->growth;

	if (g && !(ino ? lazy_growth_tell_inode(g, ino) : lazy_growth_tell_absent(g, dir, name)))
		return WAIT;
	/* Node 0 with a time is a "not there" that the kernel may remember. */
	fill_entry(q, &e, ino);
	(void)buf_add(q->out, &e, sizeof(e));
	return 0;
}

static int do_getattr(struct request *q)
{
	struct fuse_attr_out out = { .attr_valid = attr_valid(q, q->h->nodeid) };

	if (q->fs->growth && !lazy_growth_tell_inode(q->fs->growth, (uint32_t)q->h->nodeid))
		return WAIT;
	fill_attr(&out.attr, q->h->nodeid, q->node);
	(void)buf_add(q->out, &out, sizeof(out));
	return 0;
}

static int do_readlink(struct request *q)
{
	if (!S_ISLNK(q->node->mode))
		return -EINVAL;
	(void)buf_add(q->out, lazy_tree_text(q->fs->tree, q->node->link), q->node->size);
	return 0;
}

static int do_read(struct request *q)
{
	const struct fuse_read_in *in = (const void *)q->body;
	uint64_t left;
	size_t n;
	int r;

	if (!S_ISREG(q->node->mode))
		return -EINVAL;
	left = in->offset < q->node->size ? q->node->size - in->offset : 0;
	n = (size_t)MIN(MIN((uint64_t)in->size, (uint64_t)LAZY_READ_MAX), left);
	if (!n)
		return 0;
	if (!buf_room(q->out, n))
		return -EIO;
	r = q->fs->data(q->fs->ctx, q->node->offset + in->offset, n, q->out->p + q->out->n);
	if (r == 0)
		q->out->n += n;
	return r;
}

/* ---- directories ---- */

/* Room for one more record within what the kernel asked for; its name is behind `head` bytes. */
static bool add_record(struct request *q, size_t limit, const struct fuse_entry_out *plus,
		       const struct fuse_dirent *d, const char *name)
{
	size_t n = FUSE_DIRENT_SIZE(d) + (plus ? sizeof(*plus) : 0);
	char *p;

	if (q->out->n + n > limit)
		return false;
	if (!buf_room(q->out, n))
		return false;
	p = q->out->p + q->out->n;
	memset(p, 0, n);
	q->out->n += n;
	if (plus) {
		memcpy(p, plus, sizeof(*plus));
		p += sizeof(*plus);
	}
	memcpy(p, d, FUSE_NAME_OFFSET);
	memcpy(p + FUSE_NAME_OFFSET, name, d->namelen);
	return true;
}

static bool add_name(struct request *q, size_t limit, bool plus, uint64_t cookie, uint32_t ino,
		     struct slice name)
{
	const struct lazy_inode *n = lazy_tree_inode(q->fs->tree, ino);
	struct fuse_dirent d = { .ino = ino,
				 .off = cookie,
				 .namelen = (uint32_t)name.n,
				 .type = (n->mode & S_IFMT) >> 12 };
	struct fuse_entry_out e = { 0 };

	if (plus && cookie > 2 && (!q->fs->growth || lazy_growth_tell_inode(q->fs->growth, ino)))
		fill_entry(q, &e, ino);
	return add_record(q, limit, plus ? &e : NULL, &d, name.p);
}

/* Cookies: 1 behind ".", 2 behind "..", then a name's number + 2. */
static int list(struct request *q, bool plus)
{
	const struct fuse_read_in *in = (const void *)q->body;
	size_t limit = q->out->n + MIN(in->size, LAZY_READ_MAX);
	const struct lazy_name *at;
	uint64_t from = in->offset;
	uint32_t i;

	if (!S_ISDIR(q->node->mode))
		return -ENOTDIR;
	if (q->fs->growth && !lazy_growth_tell_names(q->fs->growth, (uint32_t)q->h->nodeid))
		return WAIT;
	if (from == 0 && !add_name(q, limit, plus, 1, (uint32_t)q->h->nodeid, SLICE(".")))
		return 0;
	if (from <= 1 && !add_name(q, limit, plus, 2, q->node->parent, SLICE("..")))
		return 0;
	at = from > 2 ? lazy_tree_name(q->fs->tree, (uint32_t)(from - 2)) : NULL;
	if (from > 2 && (!at || at->dir != q->h->nodeid))
		return from > UINT32_MAX ? -EINVAL : 0;
	for (i = at ? at->next : q->node->first; i; i = at->next) {
		at = lazy_tree_name(q->fs->tree, i);
		if (!at->gone &&
		    !add_name(q, limit, plus, i + 2ull, at->ino,
			      slice_of(lazy_tree_text(q->fs->tree, at->name), at->name_len)))
			break;
	}
	return 0;
}

static int do_readdir(struct request *q)
{
	return list(q, false);
}

static int do_readdirplus(struct request *q)
{
	return list(q, true);
}

/* ---- attributes ---- */

static int size_or(struct request *q, uint32_t asked, struct slice value)
{
	const struct fuse_getxattr_out out = { .size = (uint32_t)value.n };

	if (!asked)
		(void)buf_add(q->out, &out, sizeof(out));
	else if (value.n > asked)
		return -ERANGE;
	else
		(void)buf_add(q->out, value.p, value.n);
	return 0;
}

static int do_getxattr(struct request *q)
{
	const struct fuse_getxattr_in *in = (const void *)q->body;
	const char *p = q->body + sizeof(*in);
	struct slice name = { p, strnlen(p, q->n - sizeof(*in)) }, have, value;

	/* Asked for at each exec; this answer is the last that is ever asked for. */
	if (!lazy_tree_has_xattrs(q->fs->tree) && !grows(q))
		return -ENOSYS;
	for (unsigned i = 0; lazy_tree_xattr(q->fs->tree, q->node, i, &have, &value); i++)
		if (slice_eq(have, name))
			return size_or(q, in->size, value);
	if (grows(q) && S_ISDIR(q->node->mode) && slice_is(name, LAZY_OPAQUE) &&
	    !lazy_growth_tell_plain(q->fs->growth, (uint32_t)q->h->nodeid))
		return WAIT;
	return -ENODATA;
}

static int do_listxattr(struct request *q)
{
	const struct fuse_getxattr_in *in = (const void *)q->body;
	CLEANUP(buf_fini) struct buf names = BUF_INIT(65536);
	struct slice name, value;

	for (unsigned i = 0; lazy_tree_xattr(q->fs->tree, q->node, i, &name, &value); i++) {
		(void)buf_add(&names, name.p, name.n);
		if (buf_addc(&names, '\0') < 0)
			return -E2BIG;
	}
	return size_or(q, in->size, buf_slice(&names));
}

static int do_statfs(struct request *q)
{
	const struct fuse_statfs_out out = { .st = { .blocks = lazy_tree_bytes(q->fs->tree) / 4096 +
							       1,
						     .files = lazy_tree_inodes(q->fs->tree),
						     .bsize = 4096,
						     .frsize = 4096,
						     .namelen = 255 } };

	(void)buf_add(q->out, &out, sizeof(out));
	return 0;
}

static int do_nothing(struct request *q)
{
	(void)q;
	return 0;
}

static int do_refuse(struct request *q)
{
	(void)q;
	return -EROFS;
}

/* ---- table ---- */

static const struct op {
	answer_fn *fn;
	uint16_t least; /* bytes of body */
	bool no_node;
} ops[] = {
	[FUSE_LOOKUP] = { do_lookup, 2, false },
	[FUSE_GETATTR] = { do_getattr, 0, false },
	[FUSE_SETATTR] = { do_refuse, 0, false },
	[FUSE_READLINK] = { do_readlink, 0, false },
	[FUSE_SYMLINK] = { do_refuse, 0, false },
	[FUSE_MKNOD] = { do_refuse, 0, false },
	[FUSE_MKDIR] = { do_refuse, 0, false },
	[FUSE_UNLINK] = { do_refuse, 0, false },
	[FUSE_RMDIR] = { do_refuse, 0, false },
	[FUSE_RENAME] = { do_refuse, 0, false },
	[FUSE_LINK] = { do_refuse, 0, false },
	[FUSE_READ] = { do_read, sizeof(struct fuse_read_in), false },
	[FUSE_WRITE] = { do_refuse, 0, false },
	[FUSE_STATFS] = { do_statfs, 0, true },
	[FUSE_RELEASE] = { do_nothing, 0, true },
	[FUSE_SETXATTR] = { do_refuse, 0, false },
	[FUSE_GETXATTR] = { do_getxattr, sizeof(struct fuse_getxattr_in) + 1, false },
	[FUSE_LISTXATTR] = { do_listxattr, sizeof(struct fuse_getxattr_in), false },
	[FUSE_REMOVEXATTR] = { do_refuse, 0, false },
	[FUSE_INIT] = { do_init, 16, true },
	[FUSE_READDIR] = { do_readdir, sizeof(struct fuse_read_in), false },
	[FUSE_RELEASEDIR] = { do_nothing, 0, true },
	[FUSE_CREATE] = { do_refuse, 0, false },
	[FUSE_DESTROY] = { do_nothing, 0, true },
	[FUSE_FALLOCATE] = { do_refuse, 0, false },
	[FUSE_READDIRPLUS] = { do_readdirplus, sizeof(struct fuse_read_in), false },
	[FUSE_RENAME2] = { do_refuse, 0, false },
	[FUSE_TMPFILE] = { do_refuse, 0, false },
};

static void put_head(struct buf *out, uint64_t unique, int error)
{
	const struct fuse_out_header h = { .len = sizeof(h), .error = error, .unique = unique };

	buf_clear(out);
	(void)buf_add(out, &h, sizeof(h));
}

uint64_t lazy_fuse_unique(const void *request)
{
	return ((const struct fuse_in_header *)request)->unique;
}

void lazy_fuse_error(const void *request, int error, struct buf *out)
{
	put_head(out, lazy_fuse_unique(request), error);
}

void lazy_fuse_forget_bytes(uint64_t ino, struct buf *out)
{
	const struct fuse_notify_inval_inode_out what = { .ino = ino }; /* length 0: to its end */

	put_head(out, 0, FUSE_NOTIFY_INVAL_INODE);
	(void)buf_add(out, &what, sizeof(what));
	memcpy(out->p, &(uint32_t){ (uint32_t)out->n }, sizeof(uint32_t));
}

static int dispatch(struct request *q)
{
	const struct op *op = q->h->opcode < ARRAY_LEN(ops) ? &ops[q->h->opcode] : NULL;

	if (!op || !op->fn)
		return -ENOSYS; /* OPEN and OPENDIR too: the kernel then does without, and caches */
	if (q->n < op->least)
		return -EINVAL;
	q->node = lazy_tree_inode(q->fs->tree, q->h->nodeid);
	if (!op->no_node && (!q->node || !q->node->mode))
		return -ESTALE;
	if (!op->no_node && q->fs->failed)
		return -EIO;
	return op->fn(q);
}

enum lazy_verdict lazy_fuse_answer(const struct lazy_fs *fs, const void *request, size_t n,
				   struct buf *out, uint64_t *ret_unique)
{
	const struct fuse_in_header *h = request;
	struct request q = { .fs = fs, .h = h, .out = out };
	uint32_t len;
	int r;

	if (n < sizeof(*h) || h->len < sizeof(*h) || h->len > n)
		return LAZY_BROKEN;
	q.body = (const char *)(h + 1);
	q.n = h->len - sizeof(*h);
	if (h->opcode == FUSE_FORGET || h->opcode == FUSE_BATCH_FORGET)
		return LAZY_SILENT;
	if (h->opcode == FUSE_INTERRUPT && q.n >= sizeof(struct fuse_interrupt_in)) {
		*ret_unique = ((const struct fuse_interrupt_in *)q.body)->unique;
		return LAZY_INTERRUPT;
	}
	put_head(out, h->unique, 0);
	r = dispatch(&q);
	if (r == WAIT && !fs->stalled)
		return LAZY_WAIT;
	if (r == WAIT)
		r = -EIO;
	if (r < 0) {
		put_head(out, h->unique, r);
		return LAZY_ANSWER;
	}
	len = (uint32_t)out->n;
	memcpy(out->p, &len, sizeof(len));
	return LAZY_ANSWER;
}
