/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishing what an import made: renames into blobs/ and snapshots/, and rows, in one write
 * transaction. The transaction is what keeps a collector (of any process) away from files that have
 * no row yet. When the commit fails the files are taken back out; when the process dies first, the
 * next collection removes them.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "image/lazy.h"
#include "image/private.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>

static int exists(struct db_conn *c, const char *sql, const char *digest, struct err *err)
{
	int64_t one;

	return db_query_int(c, &one, err, sql, "t", digest);
}

static int has_blob(struct db_conn *c, const char *digest, struct err *err)
{
	return exists(c, "SELECT 1 FROM blobs WHERE digest = ?", digest, err);
}

static int has_layer(struct db_conn *c, const char *chain, struct err *err)
{
	return exists(c, "SELECT 1 FROM layers WHERE chain = ?", chain, err);
}

static int put_blob(struct image_publish *p, struct db_conn *c, struct image_new_blob *b,
		    struct err *err)
{
	int r;

	r = has_blob(c, b->digest, err);
	if (r)
		return r < 0 ? r : 0; /* another import was first: its bytes are the same */
	if (!b->file[0])
		return err_set(err, ERR_UNAVAILABLE, "blob '%s' was removed meanwhile; try again",
			       b->digest);
	r = image_store_step(p->is, "blob", err);
	if (r < 0)
		return r;
	if (!b->moved) {
		int dir = image_lease_dirfd(p->lease, err);

		if (dir < 0)
			return dir;
		/* Over a file without row, if a publisher died here before. */
		if (sys_renameat(dir, b->file, image_blob_dir(p->is, b->digest),
				 IMAGE_HEX(b->digest)) < 0)
			return err_sys(err, "publish blob '%s'", b->digest);
		b->moved = true;
	}
	return db_exec(c, err, "INSERT INTO blobs VALUES (?, ?, ?, ?)", "titi", b->digest,
		       (int64_t)b->size, b->media, clock_real());
}

/* A short name of its own: overlay's options must fit a page on kernels that take them as one
 * string. */
static int make_link(struct image_publish *p, struct image_new_layer *l, struct err *err)
{
	char target[96];

	snprintf(target, sizeof(target), "../snapshots/%s", IMAGE_HEX(l->chain));
	for (int i = 0; i < 16; i++) {
		random_hex(l->link, 8);
		if (sys_symlinkat(target, p->is->links, l->link) == 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	return err_sys(err, "make the short name of snapshot '%s'", l->chain);
}

static int move_snapshot(struct image_publish *p, struct image_new_layer *l, struct err *err)
{
	const char *name = IMAGE_HEX(l->chain);
	char trash[40] = "gc-";
	int dir = image_lease_dirfd(p->lease, err);

	if (dir < 0)
		return dir;
	/* Of a publisher that died between its rename and its commit. */
	random_hex(trash + 3, 32);
	if (sys_renameat(p->is->snapshots, name, p->is->ingest, trash) < 0 && errno != ENOENT)
		return err_sys(err, "move a stale snapshot '%s' away", l->chain);
	if (sys_renameat(dir, l->dir, p->is->snapshots, name) < 0)
		return err_sys(err, "publish snapshot '%s'", l->chain);
	l->moved = true;
	return make_link(p, l, err);
}

static int put_layer(struct image_publish *p, struct db_conn *c, struct image_new_layer *l,
		     struct err *err)
{
	int r;

	r = has_layer(c, l->chain, err);
	if (r > 0 && l->dir[0] && !l->lazy)
		r = lazy_publish_whole(p, c, l, err) < 0 ? err_ret(err) : 1;
	if (r >= 0 && l->index[0] && lazy_publish_index(c, l, err) < 0)
		return err_ret(err);
	if (r)
		return r < 0 ? r : 0;
	if (l->lazy && l->dir[0])
		return lazy_publish_new(p, c, l, err);
	if (!l->dir[0])
		return err_set(err, ERR_UNAVAILABLE, "layer '%s' was removed meanwhile; try again",
			       l->chain);
	r = image_store_step(p->is, "layer", err);
	if (r < 0)
		return r;
	if (!l->moved) {
		r = move_snapshot(p, l, err);
		if (r < 0)
			return r;
	}
	return db_exec(c, err, "INSERT INTO layers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", "ttttiiti",
		       l->chain, l->diff, l->parent[0] ? l->parent : NULL, l->blob,
		       (int64_t)l->size, (int64_t)l->opaque, l->link, clock_real());
}

static int put_parts(struct db_conn *c, const struct image_new_image *n, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < n->nparts && r >= 0; i++)
		r = db_exec(c, err, "INSERT OR REPLACE INTO index_images VALUES (?, ?, ?, ?)",
			    "tttt", n->parts[i].index, n->parts[i].manifest, n->id,
			    n->parts[i].platform);
	return r;
}

/* What a name of the index means alone: this machine's image, or else the one that comes now. */
static int pick_image(struct db_conn *c, const struct image_new_image *n, const char *index,
		      char ret_id[IMAGE_DIGEST_MAX], struct err *err)
{
	int r = index ? index_choose(c, index, manifest_host_platform, ret_id, err) : 0;

	if (r == 0)
		(void)str_copy(ret_id, IMAGE_DIGEST_MAX, n->id);
	return MIN(r, 0);
}

static int put_names(struct db_conn *c, const struct image_new_image *n, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < n->nnames && r >= 0; i++) {
		const char *index = n->name_index ? n->name_index[i] : NULL;
		char id[IMAGE_DIGEST_MAX];
		struct image_name name;

		r = image_name_parse(n->names[i], &name, err);
		if (r >= 0)
			r = pick_image(c, n, index, id, err);
		if (r < 0)
			return r;
		image_name_default_tag(&name);
		r = db_exec(c, err,
			    "INSERT INTO refs(repo, tag, image, updated, idx) VALUES"
			    " (?, ?, ?, ?, ?) ON CONFLICT(repo, tag) DO UPDATE SET image ="
			    " excluded.image, updated = excluded.updated, idx = excluded.idx",
			    "tttit", name.name, name.tag, id, clock_real(), index);
	}
	return r;
}

/* A name by digest, and the manifest that it leads to. */
static int put_digest(struct db_conn *c, const struct image_new_image *n, struct err *err)
{
	char id[IMAGE_DIGEST_MAX];
	int r;

	if (!n->digest[0])
		return 0;
	r = pick_image(c, n, n->nparts ? n->digest : NULL, id, err);
	if (r >= 0)
		r = db_exec(c, err,
			    "INSERT INTO digests VALUES (?, ?, ?) ON CONFLICT(repo, digest) DO"
			    " UPDATE SET image = excluded.image",
			    "ttt", n->repo, n->digest, id);
	return r < 0 ? r
		     : db_exec(c, err, "UPDATE images SET manifest = ? WHERE id = ?", "tt",
			       n->manifest, n->id);
}

static int put_image(struct db_conn *c, const struct image_new_image *n, struct err *err)
{
	int64_t size = 0;
	int r;

	r = db_exec(c, err, "INSERT OR IGNORE INTO images VALUES (?, ?, ?, ?, 0, ?, ?)", "ttiitt",
		    n->id, n->manifest, n->created, clock_real(), n->os, n->arch);
	for (size_t i = 0; i < n->nblobs && r >= 0; i++)
		r = db_exec(c, err, "INSERT OR IGNORE INTO image_blobs VALUES (?, ?)", "tt", n->id,
			    n->blobs[i]);
	for (size_t i = 0; i < n->nchains && r >= 0; i++)
		r = db_exec(c, err, "INSERT OR IGNORE INTO image_layers VALUES (?, ?, ?)", "tit",
			    n->id, (int64_t)i, n->chains[i]);
	if (r >= 0)
		r = db_query_int(
			c, &size, err,
			"SELECT sum(layers.size) FROM image_layers JOIN layers USING (chain)"
			" WHERE image = ?",
			"t", n->id);
	if (r >= 0)
		r = db_exec(c, err, "UPDATE images SET size = ? WHERE id = ?", "it", size, n->id);
	if (r >= 0)
		r = put_parts(c, n, err);
	if (r >= 0)
		r = put_digest(c, n, err);
	return r < 0 ? r : put_names(c, n, err);
}

static int run_publish(void *ctx, struct db_conn *c, struct err *err)
{
	struct image_publish *p = ctx;
	int r = 0;

	for (size_t i = 0; i < p->nblobs && r >= 0; i++)
		r = put_blob(p, c, &p->blobs[i], err);
	for (size_t i = 0; i < p->nlayers && r >= 0; i++)
		r = put_layer(p, c, &p->layers[i], err);
	/* keeps (1) of store.h: the new names are on disk before the rows that rely on them. */
	for (size_t i = 0; i < IMAGE_DIGEST_ALGS && r >= 0; i++)
		r = fd_fsync_dir(p->is->blobs[i], err);
	if (r >= 0)
		r = fd_fsync_dir(p->is->snapshots, err);
	if (r >= 0)
		r = fd_fsync_dir(p->is->links, err);
	for (size_t i = 0; i < p->nimages && r >= 0; i++)
		r = put_image(c, &p->images[i], err);
	if (r >= 0)
		r = image_gc_doubt_lease(c, image_lease_id(p->lease), err);
	if (r >= 0)
		r = db_exec(c, err, "DELETE FROM leases WHERE id = ?", "t",
			    image_lease_id(p->lease));
	return r < 0 ? r : image_store_step(p->is, "commit", err);
}

/* In a write transaction again: what was moved and has no row goes. */
static int run_undo(void *ctx, struct db_conn *c, struct err *err)
{
	struct image_publish *p = ctx;
	char trash[40] = "gc-";

	for (size_t i = 0; i < p->nblobs; i++)
		if (p->blobs[i].moved && has_blob(c, p->blobs[i].digest, err) == 0)
			(void)sys_unlinkat(image_blob_dir(p->is, p->blobs[i].digest),
					   IMAGE_HEX(p->blobs[i].digest), 0);
	for (size_t i = 0; i < p->nlayers; i++) {
		struct image_new_layer *l = &p->layers[i];

		if (!l->moved || has_layer(c, l->chain, err) != 0)
			continue;
		random_hex(trash + 3, 32);
		(void)sys_renameat(p->is->snapshots, IMAGE_HEX(l->chain), p->is->ingest, trash);
		if (l->link[0])
			(void)sys_unlinkat(p->is->links, l->link, 0);
	}
	return 0;
}

int image_publish(struct image_publish *p, struct err *err)
{
	struct image_gc_result res = { 0 };
	int r;

	r = image_store_step(p->is, "publish", err);
	if (r < 0)
		return r;
	r = db_write_wait(p->is->db, run_publish, p, err);
	if (r >= 0)
		return 0;
	/* A failure of this is healed by the next collection. */
	(void)db_write_wait(p->is->db, run_undo, p, NULL);
	image_gc_sweep(p->is, &res);
	return r;
}
