/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers laid one over the other, names only. A node is a path that some layer had; what happens to
 * it is counted where it happens. A whiteout or an opaque directory acts on lower layers alone,
 * wherever it stands in its own.
 */
#include "image/layer-tree.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/map.h"
#include "doc/json.h"
#include "image/tar.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 4000000
#define OPAQUE ".wh..wh..opq"

struct node {
	const char *path; /* "etc/hosts"; "" = root */
	struct node *parent, *child, *sibling;
	uint64_t size, wasted;
	unsigned layer, times;
	bool here, dir;
};

struct laying {
	struct arena *a;
	struct map nodes;
	struct node root;
	struct tree_layer *layer;
	struct tree_file **end;
	unsigned at; /* number of the layer, from 1 */
	struct image_tree *tree;
	struct tar_reader *tar;
};

/* ---- nodes ---- */

static struct node *find(struct laying *l, struct slice path)
{
	return path.n ? map_get(&l->nodes, path) : &l->root;
}

static struct node *make(struct laying *l, const char *path)
{
	struct node *last = NULL, *n = &l->root;
	const char *end = path;

	assert(l);
	while (*end) {
		struct slice part;

		end = strchr(end, '/');
		end = end ? end : path + strlen(path);
		part = slice_of(path, (size_t)(end - path));
		last = n;
		n = find(l, part);
		if (!n) {
			n = ARENA_NEW(l->a, struct node);
			if (!n)
				return NULL;
			n->path = arena_strndup(l->a, part.p, part.n);
			if (!n->path)
				return NULL;
			n->parent = last;
			n->sibling = last->child;
			last->child = n;
			(void)map_put(&l->nodes, slice_str(n->path), n);
		}
		end += *end == '/';
	}
	return n;
}

/* Its bytes are not seen any more. */
static uint64_t hide(struct laying *l, struct node *n)
{
	if (!n->here || n->layer >= l->at)
		return 0;
	n->here = false;
	n->wasted += n->size;
	n->times += !n->dir;
	l->tree->wasted += n->size;
	return n->size;
}

/* All below `top` (and itself, if so), of lower layers. No recursion: names may be deep. */
static uint64_t hide_tree(struct laying *l, struct node *top, bool itself)
{
	uint64_t bytes = itself ? hide(l, top) : 0;
	struct node *n = top->child;

	while (n) {
		bytes += hide(l, n);
		if (n->child) {
			n = n->child;
			continue;
		}
		while (n != top && !n->sibling)
			n = n->parent;
		n = n == top ? NULL : n->sibling;
	}
	return bytes;
}

/* ---- entries ---- */

static int note(struct laying *l, char change, char type, const char *path, uint64_t size,
		struct err *err)
{
	struct tree_file *f = ARENA_NEW(l->a, struct tree_file);

	if (!f)
		return arena_quota(l->a, err);
	*f = (struct tree_file){ .change = change, .type = type, .size = size };
	f->path = arena_printf(l->a, "/%s", path);
	if (!f->path)
		return arena_quota(l->a, err);
	*l->end = f;
	l->end = &f->next;
	if (type != 'd') {
		l->layer->added += change == 'A';
		l->layer->changed += change == 'C';
		l->layer->removed += change == 'D';
	}
	return 0;
}

/* 1 = it was a whiteout. */
static int whiteout(struct laying *l, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	struct slice dir = slice_of(path, slash ? (size_t)(slash - path) : 0);
	struct node *n;
	const char *target;
	uint64_t bytes;

	assert(l);
	if (strncmp(base, ".wh.", 4) != 0)
		return 0;
	if (strcmp(base, OPAQUE) == 0) {
		n = find(l, dir);
		bytes = n ? hide_tree(l, n, false) : 0;
		target = arena_printf(l->a, "%.*s/*", (int)dir.n, dir.p);
		if (!target)
			return arena_quota(l->a, err);
		return bytes && note(l, 'D', '-', target, bytes, err) < 0 ? err_ret(err) : 1;
	}
	target = arena_printf(l->a, "%.*s%s%s", (int)dir.n, dir.p, dir.n ? "/" : "", base + 4);
	if (!target)
		return arena_quota(l->a, err);
	n = find(l, slice_str(target));
	if (!n || n->layer == l->at)
		return 1; /* of nothing, or of what the layer has itself */
	return note(l, 'D', '-', target, hide_tree(l, n, true), err) < 0 ? err_ret(err) : 1;
}

static int take_entry(void *ctx, const struct tar_entry *e, struct err *err)
{
	static const char types[] = {
		[TAR_REG] = 'f',      [TAR_HARD] = 'h', [TAR_SYM] = 'l', [TAR_CHAR] = 's',
		[TAR_BLOCKDEV] = 's', [TAR_DIR] = 'd',	[TAR_FIFO] = 's'
	};
	char path[TAR_NAME_MAX + 1];
	struct laying *l = ctx;
	struct node *n;
	bool was;
	int r;

	r = tar_name_clean(e->name, path, err);
	if (r < 0 || !path[0])
		return r;
	r = whiteout(l, path, err);
	if (r)
		return r < 0 ? r : 0;
	n = make(l, path);
	if (!n)
		return arena_quota(l->a, err);
	was = n->here && n->layer < l->at;
	if (n->here && n->layer == l->at) { /* twice in one layer: the last one counts */
		l->layer->bytes -= n->size;
		l->tree->bytes -= n->size;
	}
	if (e->type != TAR_DIR)
		(void)hide_tree(l, n, true);
	else if (was && !n->dir)
		(void)hide(l, n);
	n->here = true;
	n->dir = e->type == TAR_DIR;
	n->layer = l->at;
	n->size = e->type == TAR_REG ? e->real_size : 0;
	l->layer->bytes += n->size;
	l->tree->bytes += n->size;
	return note(l, was ? 'C' : 'A', types[e->type], path, n->size, err);
}

static int take_bytes(void *ctx, struct slice bytes, struct err *err)
{
	struct laying *l = ctx;

	return tar_reader_push(l->tar, bytes.p, bytes.n, err);
}

static int read_layer(struct laying *l, struct place *p, const struct tree_options *o,
		      const struct manifest_desc *d, struct err *err)
{
	static const struct tar_ops ops = { .entry = take_entry };
	const struct tar_limits limits = { .entries_max = ENTRIES_MAX };
	CLEANUP(tar_reader_free) struct tar_reader *t = tar_reader_new(&limits, &ops, l);
	CLEANUP(fd_close) int fd = -1;
	struct place_blob b;
	int r;

	l->tar = t;
	r = place_blob(p, d, NULL, NULL, &b, err);
	if (r < 0)
		return r;
	fd = b.fd;
	r = place_inflate(o->conf, &b, take_bytes, l, err);
	return r < 0 ? r : tar_reader_finish(t, err);
}

/* ---- the whole ---- */

/* The commands of the history rows that made layers, in order. */
static int name_layers(struct place *p, const struct manifest *doc, struct arena *a,
		       struct image_tree *t, struct err *err)
{
	struct doc *config = NULL;
	struct slice bytes;
	size_t i = 0;
	int r;

	r = place_blob_bytes(p, &doc->config, a, &bytes, err);
	if (r >= 0)
		r = json_read(a, bytes, &(struct json_options){ .copy = true }, &config, err);
	if (r < 0)
		return err_wrap(err, "config '%s'", doc->config.digest);
	DOC_EACH (it, doc_get(config, "history")) {
		const char *text = doc_cstr(a, doc_get(it, "created_by"));

		if (doc_true(doc_get(it, "empty_layer")))
			continue;
		if (i < t->n)
			t->layers[i++].command = text ? text : "";
	}
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	const struct tree_waste *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return strcmp(x->path, y->path);
}

static int list_wastes(struct laying *l, struct err *err)
{
	struct image_tree *t = l->tree;
	struct node *n;
	size_t at = 0;

	t->wastes = ARENA_ARRAY(l->a, struct tree_waste, map_count(&l->nodes) + 1);
	if (!t->wastes)
		return arena_quota(l->a, err);
	while ((n = map_next(&l->nodes, &at, NULL)))
		if (n->wasted) {
			const char *path = arena_printf(l->a, "/%s", n->path);

			if (!path)
				return arena_quota(l->a, err);
			t->wastes[t->nwastes++] = (struct tree_waste){ path, n->wasted, n->times };
		}
	qsort(t->wastes, t->nwastes, sizeof(*t->wastes), by_bytes);
	return 0;
}

static int read_all(struct laying *l, struct place *p, const struct tree_options *o,
		    const struct manifest *doc, struct err *err)
{
	struct image_tree *t = l->tree;
	int r = 0;

	for (size_t i = 0; i < doc->n && r >= 0; i++) {
		const struct manifest_desc *d = &doc->parts[i];

		if (o->told)
			o->told(o->ctx, i, doc->n);
		l->at = (unsigned)i + 1;
		l->layer = &t->layers[i];
		l->end = &l->layer->files;
		l->layer->digest = d->digest;
		l->layer->media = d->media;
		l->layer->packed = (uint64_t)d->size;
		r = read_layer(l, p, o, d, err);
		if (r < 0)
			return err_wrap(err, "layer %zu (%s)", i, d->digest);
		t->user += i ? l->layer->bytes : 0;
	}
	return list_wastes(l, err);
}

int image_tree_read(struct place *p, const struct tree_options *o, struct arena *a,
		    struct image_tree *ret, struct err *err)
{
	struct image_tree t = { 0 };
	struct laying l = { .a = a, .tree = &t, .root = { .path = "", .dir = true } };
	struct place_manifest m;
	struct manifest doc;
	int r;

	r = place_image(p, o->platform, a, &m, &doc, err);
	if (r < 0)
		return r;
	if (doc.artifact_type && strcmp(doc.artifact_type, MEDIA_OCI_CONFIG) != 0 &&
	    strcmp(doc.artifact_type, MEDIA_DOCKER_CONFIG) != 0)
		return err_set(err, ERR_UNSUPPORTED, "it is no image but an artifact (%.200s)",
			       doc.artifact_type);
	t.n = doc.n;
	t.layers = ARENA_ARRAY(a, struct tree_layer, doc.n + 1);
	if (!t.layers)
		return arena_quota(a, err);
	for (size_t i = 0; i < t.n; i++)
		t.layers[i].command = "";
	r = name_layers(p, &doc, a, &t, err);
	map_init(&l.nodes);
	if (r >= 0)
		r = read_all(&l, p, o, &doc, err);
	map_fini(&l.nodes);
	if (r >= 0)
		*ret = t;
	return r;
}

double image_tree_efficiency(const struct image_tree *t)
{
	return t->bytes ? (double)(t->bytes - t->wasted) / (double)t->bytes : 1;
}
