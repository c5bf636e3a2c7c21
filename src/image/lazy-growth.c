/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing tree. `at` is the place of the stream, a path; of two paths the lesser is the one whose
 * first differing part is lesser, so what is in a directory stands between it and the next name.
 * Whiteouts may stand by their own name or by the one that they hide: those who make layers do
 * both.
 */
#include "image/lazy-growth.h"

#include "base/err.h"
#include "base/hash.h"
#include "image/lazy-index.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEEN_INODE 1u
#define SEEN_NAMES 2u
#define OPAQUE_ENTRY SLICE(".wh..wh..opq")

struct lazy_growth {
	struct lazy_tree *tree;
	struct lazy_told *told;
	struct tar_reader *tar;
	bool base, begun, unsorted, ended, again;
	bool proven; /* a file came, and stood in order: neither directories nor whiteouts alone
			come first */
	char at[TAR_NAME_MAX + 1];
	uint32_t dir; /* the innermost directory that the stream is in */
	/* The sparse file at work, and the end of what others left. */
	bool sparse;
	int holes;
	uint64_t hole_at, holes_done;
	struct lazy_entry_room room;
};

/* ---- what was told ---- */

static uint64_t key_of(uint32_t dir, struct slice name)
{
	uint64_t h = hash_bytes(name.p, name.n) + dir * 0x9e3779b97f4a7c15ull;

	return h ? h : 1;
}

/* The slot that has the key, or the free one where it belongs. The table is never full. */
static uint64_t *slot_of(const struct lazy_growth *g, uint64_t key)
{
	size_t i = key % LAZY_TOLD_SLOTS;

	while (g->told->absent[i] && g->told->absent[i] != key)
		i = (i + 1) % LAZY_TOLD_SLOTS;
	return &g->told->absent[i];
}

static bool told_absent(const struct lazy_growth *g, uint32_t dir, struct slice name)
{
	return *slot_of(g, key_of(dir, name)) != 0;
}

static bool told(const struct lazy_growth *g, uint32_t ino, unsigned what)
{
	return ino < LAZY_GROWTH_ENTRIES && (g->told->seen[ino] & what);
}

/* ---- places ---- */

static int part_cmp(struct slice a, struct slice b)
{
	int r = memcmp(a.p, b.p, MIN(a.n, b.n));

	return r ? r : (a.n > b.n) - (a.n < b.n);
}

static int path_cmp(const char *a, const char *b)
{
	struct slice x = slice_str(a), y = slice_str(b);

	while (x.n && y.n) {
		int r = part_cmp(slice_split(&x, '/'), slice_split(&y, '/'));

		if (r)
			return r;
	}
	return (x.n > 0) - (y.n > 0);
}

static unsigned depth_of(const struct lazy_tree *t, uint32_t dir)
{
	unsigned n = 0;

	for (; dir != LAZY_ROOT; dir = lazy_tree_inode(t, dir)->parent)
		n++;
	return n;
}

/* Is the stream in `dir`? Then *ret_part is the name in it where the stream is; empty: at the entry
 * of the directory itself. */
static bool stands_in(const struct lazy_growth *g, uint32_t dir, struct slice *ret_part)
{
	unsigned here = depth_of(g->tree, g->dir), there = depth_of(g->tree, dir);
	struct slice rest = slice_str(g->at);
	uint32_t at = g->dir;

	for (unsigned i = there; i < here; i++)
		at = lazy_tree_inode(g->tree, at)->parent;
	if (there > here || at != dir)
		return false;
	for (unsigned i = 0; i < there; i++)
		(void)slice_split(&rest, '/');
	*ret_part = rest.n ? slice_split(&rest, '/') : (struct slice){ "", 0 };
	return true;
}

static bool passed(const struct lazy_growth *g, uint32_t dir, struct slice name)
{
	char hidden[256 + 4] = ".wh.";
	struct slice part;

	if (!stands_in(g, dir, &part))
		return true;
	if (part_cmp(part, name) <= 0 || name.n > 255)
		return false;
	memcpy(hidden + 4, name.p, name.n);
	return g->base || part_cmp(part, slice_of(hidden, name.n + 4)) > 0;
}

/* ---- telling ---- */

static bool may_guess(const struct lazy_growth *g)
{
	return g->proven && !g->unsorted && g->told->nabsent < LAZY_TOLD_SLOTS / 2;
}

bool lazy_growth_lacks(const struct lazy_growth *g, uint32_t dir, struct slice name)
{
	return g->ended || told_absent(g, dir, name) || told(g, dir, SEEN_NAMES) ||
	       (may_guess(g) && passed(g, dir, name));
}

bool lazy_growth_tell_absent(struct lazy_growth *g, uint32_t dir, struct slice name)
{
	uint64_t *slot;

	if (!lazy_growth_lacks(g, dir, name))
		return false;
	slot = slot_of(g, key_of(dir, name));
	if (g->ended || *slot || told(g, dir, SEEN_NAMES))
		return true;
	*slot = key_of(dir, name);
	g->told->nabsent++;
	return true;
}

bool lazy_growth_tell_plain(struct lazy_growth *g, uint32_t dir)
{
	uint64_t *slot = slot_of(g, key_of(dir, OPAQUE_ENTRY));

	if (g->base || g->ended || *slot)
		return true;
	if (!may_guess(g) || !passed(g, dir, OPAQUE_ENTRY))
		return false;
	*slot = key_of(dir, OPAQUE_ENTRY);
	g->told->nabsent++;
	return true;
}

bool lazy_growth_tell_inode(struct lazy_growth *g, uint32_t ino)
{
	const struct lazy_inode *n = lazy_tree_inode(g->tree, ino);

	if (g->ended || told(g, ino, SEEN_INODE))
		return true;
	if ((ino == LAZY_ROOT && !g->begun) || (n->implicit && (!g->base || g->unsorted)))
		return false;
	g->told->seen[ino] |= SEEN_INODE;
	return true;
}

bool lazy_growth_tell_names(struct lazy_growth *g, uint32_t dir)
{
	struct slice part;

	if (g->ended || told(g, dir, SEEN_NAMES))
		return true;
	if (!may_guess(g) || stands_in(g, dir, &part))
		return false;
	g->told->seen[dir] |= SEEN_NAMES;
	return true;
}

/* ---- entries ---- */

static int differs(const struct tar_entry *e, struct err *err)
{
	return err_set(err, ERR_CONFLICT,
		       "its entry '%.300s' stands where none was expected any more: something else "
		       "was said of it",
		       e->name);
}

static bool same_xattrs(const struct lazy_growth *g, const struct lazy_inode *n,
			const struct tar_entry *e)
{
	struct lazy_inode own = *n;
	struct slice name, value;
	unsigned i;

	own.opaque = false; /* its mark is no attribute of the entry's */
	for (i = 0; lazy_tree_xattr(g->tree, &own, i, &name, &value); i++)
		if (i >= e->nxattrs || !slice_is(name, e->xattrs[i].name) ||
		    !slice_eq(value, e->xattrs[i].value))
			return false;
	return i == e->nxattrs;
}

static bool same_dir(const struct lazy_growth *g, const struct lazy_inode *n,
		     const struct tar_entry *e)
{
	return n->mode == (S_IFDIR | e->mode) && n->uid == e->uid && n->gid == e->gid &&
	       n->mtime_s == e->mtime_s && n->mtime_ns == e->mtime_ns && same_xattrs(g, n, e);
}

static bool is_false_name(const struct lazy_growth *g, uint32_t dir, struct slice name)
{
	return told_absent(g, dir, name) || told(g, dir, SEEN_NAMES);
}

/* Of a name in `dir`: is what was told of it false from now on? */
static bool breaks(const struct lazy_growth *g, uint32_t dir, struct slice name,
		   const struct tar_entry *e)
{
	const struct lazy_inode *n;
	uint32_t ino;

	if (slice_eq(name, OPAQUE_ENTRY))
		return !g->base && told_absent(g, dir, name);
	if (slice_starts(name, SLICE(".wh."))) {
		name = slice_of(name.p + 4, name.n - 4);
		ino = lazy_tree_lookup(g->tree, dir, name);
		if (g->base)
			return false;
		return ino ? told_absent(g, ino, OPAQUE_ENTRY) : is_false_name(g, dir, name);
	}
	ino = name.n ? lazy_tree_lookup(g->tree, dir, name) : LAZY_ROOT;
	if (!ino)
		return is_false_name(g, dir, name);
	n = lazy_tree_inode(g->tree, ino);
	if (S_ISDIR(n->mode) && e->type == TAR_DIR)
		return told(g, ino, SEEN_INODE) && !same_dir(g, n, e);
	return told(g, ino, SEEN_INODE) || told(g, dir, SEEN_NAMES);
}

static int check_told(const struct lazy_growth *g, const struct tar_entry *e, struct err *err)
{
	struct slice rest = slice_str(e->name), part = slice_split(&rest, '/');
	uint32_t dir = LAZY_ROOT;

	for (; rest.p; part = slice_split(&rest, '/')) {
		uint32_t ino = lazy_tree_lookup(g->tree, dir, part);

		if (!ino)
			return is_false_name(g, dir, part) ? differs(e, err) : 0;
		if (!S_ISDIR(lazy_tree_inode(g->tree, ino)->mode))
			return 0; /* refused by the tree */
		dir = ino;
	}
	return breaks(g, dir, part, e) ? differs(e, err) : 0;
}

static struct slice last_part(const char *name, size_t *ret_before)
{
	const char *slash = strrchr(name, '/');

	*ret_before = slash ? (size_t)(slash - name) + 1 : 0;
	return slice_str(name + *ret_before);
}

/* By the name that a whiteout hides; "" for what is none. */
static void hidden_path(const char *name, char dst[TAR_NAME_MAX + 1])
{
	size_t before;
	struct slice base = last_part(name, &before);

	dst[0] = '\0';
	if (!slice_starts(base, SLICE(".wh.")))
		return;
	memcpy(dst, name, before);
	memcpy(dst + before, base.p + 4, base.n - 4 + 1);
}

static void step(struct lazy_growth *g, const struct tar_entry *e, uint32_t parent)
{
	char hidden[TAR_NAME_MAX + 1];
	const char *to = NULL;
	size_t before;
	struct slice base = last_part(e->name, &before);
	bool whiteout = slice_starts(base, SLICE(".wh."));

	g->begun = true;
	/* It stands behind its directory's entry, or by its name: nothing is known by it. */
	if (slice_eq(base, OPAQUE_ENTRY))
		return;
	hidden_path(e->name, hidden);
	if (path_cmp(e->name, g->at) >= 0)
		to = e->name;
	/* Of two readings that fit the lesser: it promises less. */
	if (hidden[0] && path_cmp(hidden, g->at) >= 0 && (!to || path_cmp(hidden, to) < 0))
		to = hidden;
	if (!to && !g->proven && e->type != TAR_REG)
		to = e->name; /* devices and the like that were put before the walk */
	if (!to) {
		g->unsorted = true;
		return;
	}
	memcpy(g->at, to, strlen(to) + 1);
	g->proven |= e->type == TAR_REG && !whiteout;
	g->dir = e->type == TAR_DIR && base.n && !whiteout ? lazy_tree_lookup(g->tree, parent, base)
							   : parent;
}

/* The directory that the entry is in; it is there. */
static uint32_t parent_of(const struct lazy_growth *g, const struct tar_entry *e)
{
	struct slice rest = slice_str(e->name), part = slice_split(&rest, '/');
	uint32_t dir = LAZY_ROOT;

	for (; rest.p; part = slice_split(&rest, '/'))
		dir = lazy_tree_lookup(g->tree, dir, part);
	return dir;
}

/* What only the layers below could tell. */
static int check_served(const struct lazy_growth *g, const struct tar_entry *e, uint32_t parent,
			struct err *err)
{
	if (lazy_tree_inode(g->tree, LAZY_ROOT)->opaque)
		return err_set(err, ERR_UNSUPPORTED, "the layer hides all layers below it");
	if (!g->base && !g->unsorted && lazy_tree_inode(g->tree, parent)->implicit)
		return err_set(err, ERR_UNSUPPORTED,
			       "the layer has no entry for the directory of '%.300s', whose "
			       "attributes are those of the layers below",
			       e->name);
	if (lazy_tree_inodes(g->tree) + 2 >= LAZY_GROWTH_ENTRIES)
		return err_set(err, ERR_TOO_LARGE, "the layer has more than %u files",
			       LAZY_GROWTH_ENTRIES);
	return 0;
}

static bool is_left_out(const char *name)
{
	struct slice rest = slice_str(name), part;

	while (rest.p) {
		part = slice_split(&rest, '/');
		if (slice_starts(part, SLICE(".wh..wh.")) && !slice_eq(part, OPAQUE_ENTRY))
			return true;
	}
	return false;
}

static int add(struct lazy_growth *g, const struct tar_entry *e, struct err *err)
{
	uint32_t parent;
	int r = g->again ? 0 : check_told(g, e, err);

	if (r >= 0)
		r = lazy_tree_add(g->tree, e, err);
	if (r < 0 || is_left_out(e->name))
		return r;
	parent = parent_of(g, e);
	r = check_served(g, e, parent, err);
	if (r >= 0)
		step(g, e, parent);
	return r;
}

static int on_entry(void *ctx, const struct tar_entry *e, struct err *err)
{
	struct lazy_growth *g = ctx;
	struct tar_entry clean;
	int r = lazy_entry_clean(e, &g->room, &clean, err);

	if (r < 0)
		return r;
	g->sparse = e->sparse;
	if (e->sparse && g->holes < 0)
		return err_set(err, ERR_UNSUPPORTED, "'%.300s' is a sparse file", e->name);
	if (e->sparse) {
		g->hole_at = g->holes_done;
		clean.size = e->real_size;
		clean.offset = LAZY_HOLES + g->hole_at;
	}
	return add(g, &clean, err);
}

static int on_data(void *ctx, const void *p, size_t n, struct err *err)
{
	struct lazy_growth *g = ctx;

	if (!g->sparse)
		return 0;
	if (pwrite(g->holes, p, n, (off_t)g->hole_at) != (ssize_t)n)
		return err_sys(err, "write a sparse file");
	g->hole_at += n;
	return 0;
}

static int on_hole(void *ctx, uint64_t n, struct err *err)
{
	struct lazy_growth *g = ctx;

	(void)err;
	g->hole_at += n;
	return 0;
}

static int on_end(void *ctx, struct err *err)
{
	struct lazy_growth *g = ctx;

	(void)err;
	if (g->sparse)
		g->holes_done = g->hole_at;
	g->sparse = false;
	return 0;
}

/* ---- life ---- */

struct lazy_growth *lazy_growth_new(bool base, int holes, struct lazy_told *told)
{
	static const struct tar_ops ops = { on_entry, on_data, on_hole, on_end };
	struct lazy_growth *g = calloc(1, sizeof(*g));

	if (!g)
		abort();
	g->tree = lazy_tree_new(base);
	g->tar = tar_reader_new(&(struct tar_limits){ 0 }, &ops, g);
	g->told = told;
	g->base = base;
	g->holes = holes;
	g->dir = LAZY_ROOT;
	return g;
}

void lazy_growth_free(struct lazy_growth *g)
{
	if (!g)
		return;
	tar_reader_free(g->tar);
	lazy_tree_free(g->tree);
	free(g);
}

void lazy_growth_again(struct lazy_growth *g, bool on)
{
	g->again = on;
}

int lazy_growth_push(struct lazy_growth *g, const void *p, size_t n, struct err *err)
{
	return tar_reader_push(g->tar, p, n, err);
}

int lazy_growth_finish(struct lazy_growth *g, struct err *err)
{
	int r = tar_reader_finish(g->tar, err);

	if (r >= 0)
		r = lazy_tree_finish(g->tree, err);
	if (r >= 0)
		g->ended = true;
	return r;
}

const struct lazy_tree *lazy_growth_tree(const struct lazy_growth *g)
{
	return g->tree;
}

bool lazy_growth_ended(const struct lazy_growth *g)
{
	return g->ended;
}

bool lazy_growth_sorted(const struct lazy_growth *g)
{
	return !g->unsorted;
}

uint64_t lazy_growth_holes(const struct lazy_growth *g)
{
	return g->holes_done;
}
