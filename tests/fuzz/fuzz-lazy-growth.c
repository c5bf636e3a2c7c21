/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's tree while it grows. The input is a script: entries of a tar with few names, in any
 * order, and questions between them. However that goes, what was told of a layer that ended well is
 * true at its end; and so it is when the tree is made anew in the middle. The rest of the input is
 * taken as tar as it is.
 */
#include "base/err.h"
#include "image/lazy-growth.h"
#include "image/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TOLD_MAX 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct answer {
	enum { ABSENT, PLAIN, INODE, NAMES } kind;
	uint32_t ino;
	char name[8];
	struct lazy_inode was;
	size_t names;
};

struct run {
	const uint8_t *p, *end;
	bool base;
	struct buf tar;
	size_t pushed;
	struct lazy_growth *g;
	struct answer answers[TOLD_MAX];
	size_t n;
};

static struct lazy_told told;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static uint8_t next(struct run *x)
{
	return x->p < x->end ? *x->p++ : 0;
}

static int to_buf(void *ctx, const void *p, size_t n, struct err *err)
{
	(void)err;
	must(buf_add(ctx, p, n) >= 0);
	return 0;
}

static size_t count_names(const struct lazy_tree *t, uint32_t dir)
{
	const struct lazy_name *at;
	size_t n = 0;

	for (uint32_t i = lazy_tree_inode(t, dir)->first; i; i = at->next) {
		at = lazy_tree_name(t, i);
		n += !at->gone;
	}
	return n;
}

/* Up to three parts out of few. */
static void name_of(struct run *x, char dst[64])
{
	static const char *const parts[] = { "a", "b", "-", "c", ".wh.a", ".wh.b", ".wh..wh..opq",
					     "d" };
	uint8_t b = next(x);
	unsigned depth = MIN(b >> 6, 2u);
	size_t n = 0;

	for (unsigned i = 0; i < depth; i++)
		n += (size_t)snprintf(dst + n, 64 - n, "%s/", parts[(b >> (2 * i)) & 3]);
	snprintf(dst + n, 64 - n, "%s", parts[next(x) & 7]);
}

/* 0 = not there; ret_dir: the directory that it is or would be in, or 0. */
static uint32_t find(const struct run *x, const char *path, uint32_t *ret_dir)
{
	const struct lazy_tree *t = lazy_growth_tree(x->g);
	struct slice rest = slice_str(path), part = slice_split(&rest, '/');
	uint32_t dir = LAZY_ROOT;

	for (; rest.p && dir; part = slice_split(&rest, '/')) {
		dir = lazy_tree_lookup(t, dir, part);
		if (dir && !S_ISDIR(lazy_tree_inode(t, dir)->mode))
			dir = 0;
	}
	*ret_dir = dir;
	return dir ? lazy_tree_lookup(t, dir, part) : 0;
}

/* What would be refused comes seldom: it ends the run. */
static bool makes_sense(const struct run *x, const struct tar_entry *e)
{
	uint32_t dir, ino;

	(void)find(x, e->name, &dir);
	if (!dir || strcmp(e->name, ".wh..wh..opq") == 0)
		return false;
	if (e->type != TAR_HARD)
		return true;
	ino = find(x, e->link, &dir);
	return ino && S_ISREG(lazy_tree_inode(lazy_growth_tree(x->g), ino)->mode) &&
	       strcmp(e->link, e->name) != 0;
}

static void add(struct run *x)
{
	char name[64], link[64] = "";
	uint8_t b = next(x);
	struct tar_entry e = { .name = name, .link = link, .mode = b & 32 ? 0700 : 0755 };
	struct tar_writer w;
	struct err err;

	name_of(x, name);
	e.type = b % 5 < 2 ? TAR_DIR : b % 5 < 4 ? TAR_REG : TAR_HARD;
	if (e.type == TAR_HARD)
		name_of(x, link);
	e.size = e.type == TAR_REG ? b >> 4 : 0;
	if (!makes_sense(x, &e) && next(x) < 250)
		return;
	tar_writer_init(&w, to_buf, &x->tar);
	must(tar_writer_entry(&w, &e, &err) >= 0);
	if (e.size)
		must(tar_writer_data(&w, "0123456789abcdef", e.size, &err) >= 0);
}

/* A directory that the kernel was told of. */
static uint32_t known_dir(struct run *x)
{
	size_t from = next(x);

	for (size_t i = 0; i < x->n; i++) {
		const struct answer *q = &x->answers[(from + i) % (x->n + 1)];

		if ((from + i) % (x->n + 1) < x->n && q->kind == INODE && S_ISDIR(q->was.mode))
			return q->ino;
	}
	return LAZY_ROOT;
}

static void question(struct run *x)
{
	static const char *const names[] = { "a", "b", "-", "c", "d", "e" };
	const struct lazy_tree *t = lazy_growth_tree(x->g);
	uint8_t b = next(x);
	struct answer q = { .kind = PLAIN, .ino = known_dir(x) };
	uint32_t ino = lazy_tree_lookup(t, q.ino, slice_str(names[(b >> 2) % 6]));
	bool yes = false;

	if (x->n == TOLD_MAX)
		return;
	(void)str_copy(q.name, sizeof(q.name), names[(b >> 2) % 6]);
	if (b % 4 < 2) { /* a look-up */
		q.kind = ino ? INODE : ABSENT;
		q.ino = ino ? ino : q.ino;
		yes = ino ? lazy_growth_tell_inode(x->g, ino)
			  : lazy_growth_tell_absent(x->g, q.ino, slice_str(q.name));
	} else if (b % 4 == 2) {
		q.kind = NAMES;
		yes = lazy_growth_tell_names(x->g, q.ino);
	} else {
		yes = !lazy_tree_inode(t, q.ino)->opaque && lazy_growth_tell_plain(x->g, q.ino);
	}
	q.was = *lazy_tree_inode(t, q.ino);
	q.names = S_ISDIR(q.was.mode) ? count_names(t, q.ino) : 0;
	if (yes)
		x->answers[x->n++] = q;
}

static void check(const struct run *x)
{
	const struct lazy_tree *t = lazy_growth_tree(x->g);

	for (size_t i = 0; i < x->n; i++) {
		const struct answer *q = &x->answers[i];
		const struct lazy_inode *now = lazy_tree_inode(t, q->ino);

		if (q->kind == ABSENT)
			must(!lazy_tree_lookup(t, q->ino, slice_str(q->name)));
		else if (q->kind == PLAIN)
			must(x->base || !now->opaque);
		else if (q->kind == NAMES)
			must(count_names(t, q->ino) == q->names);
		else
			must(now->mode == q->was.mode && now->size == q->was.size &&
			     now->offset == q->was.offset && now->nlink >= 1);
	}
}

static bool push(struct run *x)
{
	size_t from = x->pushed;

	x->pushed = x->tar.n;
	return lazy_growth_push(x->g, x->tar.p + from, x->tar.n - from, NULL) >= 0;
}

static bool anew(struct run *x)
{
	lazy_growth_free(x->g);
	x->g = lazy_growth_new(x->base, -1, &told);
	lazy_growth_again(x->g, true);
	must(lazy_growth_push(x->g, x->tar.p, x->pushed, NULL) >= 0);
	lazy_growth_again(x->g, false);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run x;
	bool ok = true;

	memset(&told, 0, sizeof(told));
	x = (struct run){ .p = data, .end = data + size, .tar = BUF_INIT(8u << 20) };
	x.base = next(&x) & 1;
	x.g = lazy_growth_new(x.base, -1, &told);
	for (int i = 0; i < 500 && x.p < x.end && ok; i++) {
		uint8_t b = next(&x);

		if (b == 255)
			break;
		if (b % 16 == 15)
			ok = anew(&x);
		else if (b % 2)
			question(&x);
		else
			add(&x), ok = push(&x);
	}
	if (ok && x.p < x.end)
		ok = lazy_growth_push(x.g, x.p, (size_t)(x.end - x.p), NULL) >= 0;
	if (ok && lazy_growth_finish(x.g, NULL) >= 0)
		check(&x);
	lazy_growth_free(x.g);
	buf_fini(&x.tar);
	return 0;
}
