/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes and names in growing arrays; names are found by a hash of directory and name. */
#include "image/lazy-tree.h"

#include "base/err.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define TEXT_MAX (256u << 20)

struct lazy_tree {
	struct lazy_inode *inodes;
	struct lazy_name *names;
	size_t ninodes, inodes_cap, nnames, names_cap;
	uint32_t *table; /* indexes into names, 0 = free */
	size_t table_cap;
	struct buf text;
	bool base, xattrs;
	uint64_t bytes;
	/* The last entry's directory: layers come directory by directory. */
	char dir_path[TAR_NAME_MAX + 1];
	uint32_t dir;
};

static void *grow(void *p, size_t *cap, size_t used, size_t size)
{
	if (used < *cap)
		return p;
	*cap = *cap ? 2 * *cap : 1024;
	p = realloc(p, *cap * size);
	if (!p)
		abort();
	return p;
}

static uint32_t add_text(struct lazy_tree *t, const char *p, size_t n)
{
	uint32_t at = (uint32_t)t->text.n;

	(void)buf_add(&t->text, p, n); /* full is asked by whoever added */
	(void)buf_addc(&t->text, '\0');
	return at;
}

static struct lazy_inode *new_inode(struct lazy_tree *t, uint32_t mode, uint32_t *ret)
{
	struct lazy_inode *n;

	t->inodes = grow(t->inodes, &t->inodes_cap, t->ninodes, sizeof(*t->inodes));
	n = &t->inodes[t->ninodes];
	*n = (struct lazy_inode){ .mode = mode, .nlink = 1 };
	*ret = (uint32_t)t->ninodes++;
	return n;
}

struct lazy_tree *lazy_tree_new(bool base)
{
	struct lazy_tree *t = calloc(1, sizeof(*t));
	uint32_t ino;

	if (!t)
		abort();
	t->text = BUF_INIT(TEXT_MAX);
	(void)buf_addc(&t->text, '\0');
	t->base = base;
	(void)new_inode(t, 0, &ino); /* 0 is no inode, and no name */
	new_inode(t, S_IFDIR | 0755, &ino)->parent = LAZY_ROOT;
	t->names = grow(t->names, &t->names_cap, t->nnames, sizeof(*t->names));
	t->names[t->nnames++] = (struct lazy_name){ .gone = true };
	t->dir = LAZY_ROOT;
	return t;
}

void lazy_tree_free(struct lazy_tree *t)
{
	if (!t)
		return;
	free(t->inodes);
	free(t->names);
	free(t->table);
	buf_fini(&t->text);
	free(t);
}

/* ---- names ---- */

static size_t slot_of(const struct lazy_tree *t, uint32_t dir, struct slice name)
{
	return (hash_bytes(name.p, name.n) ^ dir * 0x9e3779b97f4a7c15ull) & (t->table_cap - 1);
}

static struct slice text_of(const struct lazy_tree *t, const struct lazy_name *n)
{
	return slice_of(t->text.p + n->name, n->name_len);
}

/* The living name, or 0. */
static uint32_t find(const struct lazy_tree *t, uint32_t dir, struct slice name)
{
	if (!t->table_cap)
		return 0;
	for (size_t s = slot_of(t, dir, name); t->table[s]; s = (s + 1) & (t->table_cap - 1)) {
		const struct lazy_name *n = &t->names[t->table[s]];

		if (!n->gone && n->dir == dir && slice_eq(text_of(t, n), name))
			return t->table[s];
	}
	return 0;
}

static void insert(struct lazy_tree *t, uint32_t i)
{
	const struct lazy_name *n = &t->names[i];
	size_t s = slot_of(t, n->dir, text_of(t, n));

	while (t->table[s])
		s = (s + 1) & (t->table_cap - 1);
	t->table[s] = i;
}

static void grow_table(struct lazy_tree *t)
{
	if (2 * t->nnames < t->table_cap)
		return;
	free(t->table);
	t->table_cap = t->table_cap ? 2 * t->table_cap : 2048;
	t->table = calloc(t->table_cap, sizeof(*t->table));
	if (!t->table)
		abort();
	for (uint32_t i = 1; i < t->nnames; i++)
		if (!t->names[i].gone)
			insert(t, i);
}

static void add_name(struct lazy_tree *t, uint32_t dir, struct slice name, uint32_t ino)
{
	uint32_t i = (uint32_t)t->nnames;
	struct lazy_inode *d = &t->inodes[dir];

	t->names = grow(t->names, &t->names_cap, t->nnames, sizeof(*t->names));
	t->names[i] = (struct lazy_name){ .ino = ino, .dir = dir, .name_len = (uint32_t)name.n };
	t->names[i].name = add_text(t, name.p, name.n);
	if (d->last)
		t->names[d->last].next = i;
	else
		d->first = i;
	d->last = i;
	t->nnames++;
	grow_table(t);
	if (!find(t, dir, name))
		insert(t, i);
}

static bool is_dir(const struct lazy_tree *t, uint32_t ino)
{
	return S_ISDIR(t->inodes[ino].mode);
}

static bool is_whiteout(const struct lazy_inode *n)
{
	return S_ISCHR(n->mode) && n->rdev == 0;
}

/* ---- paths ---- */

static int refuse(const struct tar_entry *e, struct err *err, const char *what)
{
	return err_set(err, ERR_INVALID, "layer entry '%.300s': %s", e->name, what);
}

/* The directory `path`, made where it is missing if e is given. 0 = there is none. */
static uint32_t walk(struct lazy_tree *t, struct slice path, bool make)
{
	uint32_t at = LAZY_ROOT;

	while (path.n) {
		struct slice part = slice_split(&path, '/');
		uint32_t i = find(t, at, part), ino;

		if (i && !is_dir(t, t->names[i].ino))
			return 0;
		if (!i && !make)
			return 0;
		if (!i) {
			struct lazy_inode *n = new_inode(t, S_IFDIR | 0755, &ino);

			n->implicit = true;
			n->parent = at;
			add_name(t, at, part, ino);
		}
		at = i ? t->names[i].ino : ino;
	}
	return at;
}

static int parent_of(struct lazy_tree *t, const struct tar_entry *e, const char **ret_base,
		     uint32_t *ret, struct err *err)
{
	const char *slash = strrchr(e->name, '/');
	size_t n = slash ? (size_t)(slash - e->name) : 0;

	*ret_base = slash ? slash + 1 : e->name;
	if (strlen(t->dir_path) != n || memcmp(t->dir_path, e->name, n) != 0 || !t->dir) {
		t->dir = walk(t, slice_of(e->name, n), true);
		if (!t->dir)
			return refuse(e, err, "lies below something that is no directory");
		memcpy(t->dir_path, e->name, n);
		t->dir_path[n] = '\0';
	}
	*ret = t->dir;
	return 0;
}

/* ---- entries ---- */

static void add_xattrs(struct lazy_tree *t, struct lazy_inode *n, const struct tar_entry *e)
{
	uint32_t count = (uint32_t)e->nxattrs;

	n->xattrs = 0;
	if (!count)
		return;
	t->xattrs = true;
	n->xattrs = (uint32_t)t->text.n;
	(void)buf_add(&t->text, &count, sizeof(count));
	for (size_t i = 0; i < e->nxattrs; i++) {
		const struct tar_xattr *x = &e->xattrs[i];
		uint32_t lens[2] = { (uint32_t)strlen(x->name), (uint32_t)x->value.n };

		(void)buf_add(&t->text, lens, sizeof(lens));
		(void)buf_add(&t->text, x->name, lens[0]);
		(void)buf_add(&t->text, x->value.p, lens[1]);
	}
}

static void fill(struct lazy_tree *t, struct lazy_inode *n, const struct tar_entry *e)
{
	n->uid = (uint32_t)e->uid;
	n->gid = (uint32_t)e->gid;
	n->mtime_s = e->mtime_s;
	n->mtime_ns = e->mtime_ns;
	n->implicit = false;
	add_xattrs(t, n, e);
}

/* Takes away what has the name: 1 if it was a whiteout. */
static int make_room(struct lazy_tree *t, uint32_t dir, struct slice base)
{
	uint32_t i = find(t, dir, base);
	struct lazy_inode *n;

	if (!i)
		return 0;
	n = &t->inodes[t->names[i].ino];
	t->names[i].gone = true;
	n->nlink -= n->nlink > 0;
	if (S_ISDIR(n->mode))
		t->dir = 0; /* the remembered directory may be below it */
	return is_whiteout(n);
}

static void add_dir(struct lazy_tree *t, uint32_t dir, struct slice base, const struct tar_entry *e)
{
	uint32_t i = base.n ? find(t, dir, base) : 0, ino = base.n ? 0 : LAZY_ROOT;
	bool opaque = false;

	if (i && is_dir(t, t->names[i].ino))
		ino = t->names[i].ino;
	if (!ino) {
		opaque = make_room(t, dir, base);
		new_inode(t, 0, &ino)->parent = dir;
		add_name(t, dir, base, ino);
	}
	t->inodes[ino].mode = S_IFDIR | e->mode;
	t->inodes[ino].opaque |= opaque;
	t->xattrs |= opaque;
	fill(t, &t->inodes[ino], e);
}

static int add_special(struct lazy_tree *t, uint32_t dir, struct slice base,
		       const struct tar_entry *e, struct err *err)
{
	static const mode_t kinds[] = {
		[TAR_REG] = S_IFREG,	  [TAR_SYM] = S_IFLNK,	[TAR_CHAR] = S_IFCHR,
		[TAR_BLOCKDEV] = S_IFBLK, [TAR_FIFO] = S_IFIFO, [TAR_DIR] = S_IFDIR,
		[TAR_HARD] = S_IFREG
	};
	struct lazy_inode *n;
	uint32_t ino;

	if (e->type == TAR_CHAR && !e->major && !e->minor)
		return refuse(
			e, err,
			"character device 0:0 is overlay's whiteout and not allowed in a layer");
	if (e->type == TAR_SYM && strlen(e->link) > 4095)
		return refuse(e, err, "the target of the link is longer than 4095 bytes");
	(void)make_room(t, dir, base);
	n = new_inode(t, kinds[e->type] | (e->type == TAR_SYM ? 0777 : e->mode), &ino);
	fill(t, n, e);
	if (e->type == TAR_REG) {
		n->size = e->size;
		n->offset = e->offset;
		t->bytes += e->size;
	} else if (e->type == TAR_SYM) {
		n->size = strlen(e->link);
		n->link = add_text(t, e->link, n->size);
	} else if (e->type != TAR_FIFO) {
		n->rdev = (uint32_t)((e->minor & 0xff) | (e->major << 8) |
				     ((e->minor & ~0xffu) << 12)); /* new_encode_dev() */
	}
	add_name(t, dir, base, ino);
	return 0;
}

static int add_hard(struct lazy_tree *t, uint32_t dir, struct slice base, const struct tar_entry *e,
		    struct err *err)
{
	const char *slash = strrchr(e->link, '/');
	uint32_t from = walk(t, slice_of(e->link, slash ? (size_t)(slash - e->link) : 0), false);
	uint32_t i = from ? find(t, from, slice_str(slash ? slash + 1 : e->link)) : 0, ino;

	if (!e->link[0] || strcmp(e->link, e->name) == 0)
		return refuse(e, err, "is a hard link to itself or to the root");
	if (!i || is_whiteout(&t->inodes[t->names[i].ino]))
		return refuse(e, err, "the target of the hard link is not in this layer");
	ino = t->names[i].ino;
	if (is_dir(t, ino))
		return refuse(e, err, "is a hard link to a directory");
	t->inodes[ino].nlink++; /* before room is made: it may be the same inode */
	(void)make_room(t, dir, base);
	add_name(t, dir, base, ino);
	return 0;
}

static int add_whiteout(struct lazy_tree *t, uint32_t dir, struct slice name,
			const struct tar_entry *e, struct err *err)
{
	uint32_t i, ino;

	if (!name.n || slice_is(name, ".") || slice_is(name, ".."))
		return refuse(e, err, "is a whiteout of no possible name");
	if (t->base)
		return 0;
	i = find(t, dir, name);
	if (i) { /* what this layer has itself stays, and as a directory hides those below */
		if (is_dir(t, t->names[i].ino))
			t->inodes[t->names[i].ino].opaque = t->xattrs = true;
		return 0;
	}
	(void)new_inode(t, S_IFCHR, &ino);
	add_name(t, dir, name, ino);
	return 0;
}

/* 1 = leave out, as unpack.c does. */
static int check_parts(const struct tar_entry *e, struct err *err)
{
	struct slice rest = slice_str(e->name), part;

	while (rest.p) {
		part = slice_split(&rest, '/');
		if (slice_starts(part, SLICE(".wh..wh.")) && !slice_is(part, ".wh..wh..opq"))
			return 1;
		if (rest.p && slice_starts(part, SLICE(".wh.")))
			return refuse(e, err, "lies below a whiteout");
	}
	return 0;
}

static int add(struct lazy_tree *t, const struct tar_entry *e, struct err *err)
{
	const char *base;
	struct slice name;
	uint32_t dir;
	int r = parent_of(t, e, &base, &dir, err);

	if (r < 0)
		return r;
	name = slice_str(base);
	if (slice_is(name, ".wh..wh..opq")) {
		t->inodes[dir].opaque |= !t->base;
		t->xattrs |= !t->base;
		return 0;
	}
	if (slice_starts(name, SLICE(".wh.")))
		return add_whiteout(t, dir, slice_of(name.p + 4, name.n - 4), e, err);
	if (!name.n && e->type != TAR_DIR)
		return refuse(e, err, "the root is no directory");
	if (e->type == TAR_DIR)
		add_dir(t, dir, name, e);
	else if (e->type == TAR_HARD)
		return add_hard(t, dir, name, e, err);
	else
		return add_special(t, dir, name, e, err);
	return 0;
}

int lazy_tree_add(struct lazy_tree *t, const struct tar_entry *e, struct err *err)
{
	int r = check_parts(e, err);

	if (r == 0)
		r = add(t, e, err);
	if (r >= 0 && t->text.full)
		r = err_set(err, ERR_TOO_LARGE, "layer has too many names to be served");
	return MIN(r, 0);
}

int lazy_tree_finish(struct lazy_tree *t, struct err *err)
{
	if (t->inodes[LAZY_ROOT].opaque)
		return err_set(err, ERR_UNSUPPORTED,
			       "the layer hides all layers below it; it is pulled as a whole");
	for (size_t i = 1; i < t->nnames && !t->base; i++)
		if (!t->names[i].gone && t->inodes[t->names[i].ino].implicit)
			return err_set(
				err, ERR_UNSUPPORTED,
				"the layer has no entry for its directory '%.200s', whose "
				"attributes are those of the layers below; it is pulled as a "
				"whole",
				lazy_tree_text(t, t->names[i].name));
	return 0;
}

/* ---- reading ---- */

const struct lazy_inode *lazy_tree_inode(const struct lazy_tree *t, uint64_t ino)
{
	return ino && ino < t->ninodes ? &t->inodes[ino] : NULL;
}

uint32_t lazy_tree_lookup(const struct lazy_tree *t, uint32_t dir, struct slice name)
{
	return t->names[find(t, dir, name)].ino;
}

const struct lazy_name *lazy_tree_name(const struct lazy_tree *t, uint32_t i)
{
	return i && i < t->nnames ? &t->names[i] : NULL;
}

const char *lazy_tree_text(const struct lazy_tree *t, uint32_t at)
{
	return t->text.p + at;
}

bool lazy_tree_xattr(const struct lazy_tree *t, const struct lazy_inode *n, unsigned i,
		     struct slice *name, struct slice *value)
{
	const char *p = t->text.p + n->xattrs;
	uint32_t count = 0, lens[2];

	if (n->opaque && i-- == 0) {
		*name = SLICE(LAZY_OPAQUE);
		*value = SLICE("y");
		return true;
	}
	if (n->xattrs)
		memcpy(&count, p, sizeof(count));
	if (i >= count)
		return false;
	p += sizeof(count);
	for (;; i--) {
		memcpy(lens, p, sizeof(lens));
		p += sizeof(lens);
		if (!i)
			break;
		p += (size_t)lens[0] + lens[1];
	}
	*name = slice_of(p, lens[0]);
	*value = slice_of(p + lens[0], lens[1]);
	return true;
}

bool lazy_tree_has_xattrs(const struct lazy_tree *t)
{
	return t->xattrs;
}

size_t lazy_tree_inodes(const struct lazy_tree *t)
{
	return t->ninodes - 2;
}

uint64_t lazy_tree_bytes(const struct lazy_tree *t)
{
	return t->bytes;
}
