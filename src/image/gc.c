/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Garbage collection, online: nothing here looks at more than a bounded number of rows or names in
 * one transaction. Whoever takes a reference away notes what may have lost its last one (`doubt`),
 * in the same commit. Settling a doubt moves the row of what is really unused to `trash`; files of
 * trash go in a later transaction. Between the two commits another process may publish the same
 * digest again: it then finds no row and moves its own copy over the old file, and the second
 * transaction sees its row. Trees are only renamed inside a transaction and deleted after it. Files
 * that have neither row nor trash (their publisher died before its commit) are looked for when a
 * dead lease was found, since a publisher holds one, and by a full collection.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/log.h"
#include "image/driver.h"
#include "image/lazy.h"
#include "image/private.h"
#include "linux/sys.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define BATCH 512

struct gc {
	struct image_store *is;
	struct image_gc_result res;
	char after[IMAGE_DIGEST_MAX]; /* the last row that a batch has seen */
	int64_t seen;		      /* by the last batch */
	bool layers;		      /* which table */
};

/* Calls fn for each name in the directory but . and .. */
static int each_name(int dirfd, int (*fn)(void *ctx, const char *name, struct err *err), void *ctx,
		     struct err *err)
{
	DIR *d;
	struct dirent *de;
	int fd = sys_openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), r = 0;

	d = fd >= 0 ? fdopendir(fd) : NULL;
	if (!d) {
		r = err_sys(err, "list a directory of the store");
		fd_close(fd);
		return r;
	}
	while (r >= 0 && (errno = 0, de = readdir(d)))
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			r = fn(ctx, de->d_name, err);
	if (r >= 0 && errno)
		r = err_sys(err, "list a directory of the store");
	closedir(d);
	return r < 0 ? r : 0;
}

/* ---- doubts: what may have lost its last reference ---- */

static int has(struct db_conn *c, const char *sql, const char *digest, struct err *err)
{
	int64_t one;

	return db_query_int(c, &one, err, sql, "t", digest);
}

/* 1 = something needs the blob. */
static int blob_used(struct db_conn *c, const char *digest, struct err *err)
{
	static const char *const by[] = {
		"SELECT 1 FROM image_blobs WHERE digest = ?",
		"SELECT 1 FROM layers WHERE blob = ?",
		"SELECT 1 FROM repo_blobs WHERE digest = ?",
		"SELECT 1 FROM manifests WHERE digest = ?",
		"SELECT 1 FROM lazy_indexes WHERE blob = ?",
		"SELECT 1 FROM lease_items WHERE kind = 0 AND digest = ?",
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(by) && r == 0; i++)
		r = has(c, by[i], digest, err);
	return r;
}

/* 1 = something needs the layer. */
static int layer_used(struct db_conn *c, const char *chain, struct err *err)
{
	static const char *const by[] = {
		"SELECT 1 FROM image_layers WHERE chain = ?",
		"SELECT 1 FROM layers WHERE parent = ?",
		"SELECT 1 FROM lease_items WHERE kind = 1 AND digest = ?",
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(by) && r == 0; i++)
		r = has(c, by[i], chain, err);
	return r;
}

static int drop_blob(struct db_conn *c, const char *digest, struct err *err)
{
	int r;

	r = db_exec(
		c, err,
		"INSERT OR IGNORE INTO trash SELECT 0, digest, NULL FROM blobs WHERE digest = ?",
		"t", digest);
	return r < 0 ? r : db_exec(c, err, "DELETE FROM blobs WHERE digest = ?", "t", digest);
}

/* The layer below it and its blob are in doubt then. */
static int drop_layer(struct db_conn *c, const char *chain, struct err *err)
{
	int r;

	r = db_exec(
		c, err,
		"INSERT OR REPLACE INTO trash SELECT 1, chain, link FROM layers WHERE chain = ?",
		"t", chain);
	if (r >= 0)
		r = db_exec(c, err,
			    "INSERT OR IGNORE INTO doubt SELECT 1, parent FROM layers"
			    " WHERE chain = ? AND parent IS NOT NULL",
			    "t", chain);
	if (r >= 0)
		r = db_exec(c, err,
			    "INSERT OR IGNORE INTO doubt SELECT 0, blob FROM layers"
			    " WHERE chain = ? AND blob IS NOT NULL",
			    "t", chain);
	return r < 0 ? r : db_exec(c, err, "DELETE FROM layers WHERE chain = ?", "t", chain);
}

static int settle(struct db_conn *c, int64_t kind, const char *digest, struct err *err)
{
	int r;

	if (kind == IMAGE_ITEM_BLOB) {
		r = blob_used(c, digest, err);
		if (r == 0)
			r = drop_blob(c, digest, err);
	} else {
		r = layer_used(c, digest, err);
		if (r == 0)
			r = drop_layer(c, digest, err);
	}
	return r < 0 ? r
		     : db_exec(c, err, "DELETE FROM doubt WHERE kind = ? AND digest = ?", "it",
			       kind, digest);
}

/* Takes the first row of a table of kind and digest: 1, or 0 at its end. */
static int first_row(struct db_conn *c, const char *sql, int64_t *kind,
		     char digest[IMAGE_DIGEST_MAX], char link[16], struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *text, *name = NULL;
	int r;

	r = db_query(c, &row, err, sql, "");
	if (r >= 0)
		r = db_row_next(row, err);
	if (r <= 0)
		return r;
	db_row_get(row, "itt", kind, &text, &name);
	(void)str_copy(digest, IMAGE_DIGEST_MAX, text);
	(void)str_copy(link, 16, name ? name : "");
	return 1;
}

int image_gc_rows(struct db_conn *c, unsigned max, struct err *err)
{
	char digest[IMAGE_DIGEST_MAX], link[16];
	int64_t kind;
	int r = 1;

	/* Layers first: they put their blobs in doubt. */
	for (; max && r > 0; max--) {
		r = first_row(c, "SELECT kind, digest, NULL FROM doubt ORDER BY kind DESC LIMIT 1",
			      &kind, digest, link, err);
		if (r > 0)
			r = settle(c, kind, digest, err) < 0 ? err_ret(err) : 1;
	}
	return r;
}

int image_gc_doubt_image(struct db_conn *c, const char *id, struct err *err)
{
	int r;

	r = db_exec(c, err,
		    "INSERT OR IGNORE INTO doubt SELECT 0, digest FROM image_blobs WHERE image = ?",
		    "t", id);
	return r < 0 ? r
		     : db_exec(c, err,
			       "INSERT OR IGNORE INTO doubt SELECT 1, chain FROM image_layers"
			       " WHERE image = ?",
			       "t", id);
}

int image_gc_doubt_lease(struct db_conn *c, const char *id, struct err *err)
{
	return db_exec(c, err,
		       "INSERT OR IGNORE INTO doubt SELECT kind, digest FROM lease_items"
		       " WHERE lease = ? AND kind < 2",
		       "t", id);
}

/* ---- dead leases ---- */

static int drop_lease(struct db_conn *c, const char *id, struct err *err)
{
	int r;

	r = image_gc_doubt_lease(c, id, err);
	return r < 0 ? r : db_exec(c, err, "DELETE FROM leases WHERE id = ?", "t", id);
}

static int drop_dead_leases(struct image_store *is, struct db_conn *c, uint64_t *ret_n,
			    struct err *err)
{
	char dead[64][33];
	size_t n;

	do {
		CLEANUP(db_row_done) struct db_row *row = NULL;
		const char *id, *boot;
		int r;

		n = 0;
		r = db_query(c, &row, err, "SELECT id, boot FROM leases", "");
		while (r >= 0 && (r = db_row_next(row, err)) > 0 && n < ARRAY_LEN(dead)) {
			db_row_get(row, "tt", &id, &boot);
			if (image_lease_dead(is, id, boot))
				(void)str_copy(dead[n++], sizeof(dead[0]), id);
		}
		for (size_t i = 0; r >= 0 && i < n; i++)
			r = drop_lease(c, dead[i], err);
		if (r < 0)
			return r;
		*ret_n += n;
	} while (n == ARRAY_LEN(dead));
	return 0;
}

static int run_leases(void *ctx, struct db_conn *c, struct err *err)
{
	struct gc *g = ctx;

	g->res.leases = 0;
	if (lazy_expire(c, err) < 0)
		return err_ret(err);
	return drop_dead_leases(g->is, c, &g->res.leases, err);
}

/* ---- files of what is trash ---- */

static int remove_blob(struct image_store *is, const char *digest, struct image_gc_result *res,
		       struct err *err)
{
	int dir = image_blob_dir(is, digest);
	struct stat st = { 0 };

	(void)sys_fstatat(dir, IMAGE_HEX(digest), &st, AT_SYMLINK_NOFOLLOW); /* for the count */
	if (sys_unlinkat(dir, IMAGE_HEX(digest), 0) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "remove blob '%s'", digest);
	res->blobs++;
	res->bytes += (uint64_t)st.st_size;
	return 0;
}

static int remove_snapshot(struct image_store *is, const char *chain, struct image_gc_result *res,
			   struct err *err)
{
	char trash[40] = "gc-";

	random_hex(trash + 3, 32);
	if (sys_renameat(is->snapshots, IMAGE_HEX(chain), is->ingest, trash) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "move snapshot '%s' away", chain);
	res->snapshots++;
	return 0;
}

static int remove_files(struct image_store *is, struct db_conn *c, int64_t kind, const char *digest,
			const char *link, struct image_gc_result *res, struct err *err)
{
	bool blob = kind == IMAGE_ITEM_BLOB;
	int r;

	/* Published again meanwhile? */
	r = has(c,
		blob ? "SELECT 1 FROM blobs WHERE digest = ?"
		     : "SELECT 1 FROM layers WHERE chain = ?",
		digest, err);
	if (r == 0)
		r = blob ? remove_blob(is, digest, res, err)
			 : remove_snapshot(is, digest, res, err);
	if (r >= 0 && link[0] && has(c, "SELECT 1 FROM layers WHERE link = ?", link, err) == 0 &&
	    sys_unlinkat(is->links, link, 0) < 0 && errno != ENOENT)
		return err_sys(err, "remove link '%s'", link);
	return r < 0 ? r
		     : db_exec(c, err, "DELETE FROM trash WHERE kind = ? AND digest = ?", "it",
			       kind, digest);
}

int image_gc_files(struct image_store *is, struct db_conn *c, unsigned max,
		   struct image_gc_result *res, struct err *err)
{
	char digest[IMAGE_DIGEST_MAX], link[16];
	int64_t kind;
	int r = 1;

	for (; max && r > 0; max--) {
		r = first_row(c, "SELECT kind, digest, link FROM trash LIMIT 1", &kind, digest,
			      link, err);
		if (r > 0)
			r = remove_files(is, c, kind, digest, link, res, err) < 0 ? err_ret(err)
										  : 1;
	}
	return r;
}

static int run_rows(void *ctx, struct db_conn *c, struct err *err)
{
	return image_gc_rows(c, BATCH, err);
}

static int run_files(void *ctx, struct db_conn *c, struct err *err)
{
	struct gc *g = ctx;
	struct image_gc_result was = g->res;
	int r = image_gc_files(g->is, c, BATCH, &g->res, err);

	if (r < 0)
		g->res = was;
	return r;
}

/* Everything noted so far, batch by batch: others write between. */
static int clear_notes(struct gc *g, struct err *err)
{
	int r;

	do
		r = db_write_wait(g->is->db, run_rows, g, err);
	while (r > 0);
	while (r >= 0 && (r = db_write_wait(g->is->db, run_files, g, err)) > 0)
		;
	return r;
}

/* ---- all rows in doubt: for what no deleter has noted ---- */

static int run_doubt_all(void *ctx, struct db_conn *c, struct err *err)
{
	struct gc *g = ctx;
	CLEANUP(db_row_done) struct db_row *row = NULL;
	char last[IMAGE_DIGEST_MAX] = "";
	const char *digest;
	int64_t n = 0;
	int r;

	r = db_query(
		c, &row, err,
		g->layers ? "SELECT chain FROM layers WHERE chain > ? ORDER BY chain LIMIT 512"
			  : "SELECT digest FROM blobs WHERE digest > ? ORDER BY digest LIMIT 512",
		"t", g->after);
	while (r >= 0 && (r = db_row_next(row, err)) > 0) {
		db_row_get(row, "t", &digest);
		(void)str_copy(last, sizeof(last), digest);
		n++;
		r = db_exec(c, err, "INSERT OR IGNORE INTO doubt VALUES (?, ?)", "it",
			    (int64_t)(g->layers ? IMAGE_ITEM_SNAPSHOT : IMAGE_ITEM_BLOB), last);
	}
	if (r >= 0 && n)
		(void)str_copy(g->after, sizeof(g->after), last);
	return r < 0 ? r : n > 0;
}

static int doubt_all(struct gc *g, bool layers, struct err *err)
{
	int r;

	g->layers = layers;
	g->after[0] = '\0';
	do {
		r = db_write_wait(g->is->db, run_doubt_all, g, err);
		if (r > 0 && clear_notes(g, err) < 0)
			return err_ret(err);
	} while (r > 0);
	return r;
}

/* ---- files without a row: of a publisher that died ---- */

#define NAMES 256
struct orphans {
	struct gc *g;
	int (*check)(struct orphans *o, struct db_conn *c, const char *name, struct err *err);
	enum image_digest_alg alg;
	unsigned n;
	char names[NAMES][SHA512_HEX_LEN + 1];
};

static int check_file(struct orphans *o, struct db_conn *c, const char *name, bool blob,
		      struct err *err)
{
	char digest[IMAGE_DIGEST_MAX + 8];
	int r;

	snprintf(digest, sizeof(digest), "%s:%s", image_digest_names[o->alg], name);
	if (!image_digest_valid(slice_str(digest)))
		return 0; /* not ours: left alone */
	r = has(c,
		blob ? "SELECT 1 FROM blobs WHERE digest = ?"
		     : "SELECT 1 FROM layers WHERE chain = ?",
		digest, err);
	if (r)
		return r;
	return blob ? remove_blob(o->g->is, digest, &o->g->res, err)
		    : remove_snapshot(o->g->is, digest, &o->g->res, err);
}

static int check_blob(struct orphans *o, struct db_conn *c, const char *name, struct err *err)
{
	return check_file(o, c, name, true, err);
}

static int check_snapshot(struct orphans *o, struct db_conn *c, const char *name, struct err *err)
{
	return check_file(o, c, name, false, err);
}

static int check_link(struct orphans *o, struct db_conn *c, const char *name, struct err *err)
{
	int r;

	r = has(c, "SELECT 1 FROM layers WHERE link = ?", name, err);
	if (r)
		return r;
	if (sys_unlinkat(o->g->is->links, name, 0) < 0 && errno != ENOENT)
		return err_sys(err, "remove link '%s'", name);
	return 0;
}

static int run_orphans(void *ctx, struct db_conn *c, struct err *err)
{
	struct orphans *o = ctx;
	int r = 0;

	for (unsigned i = 0; i < o->n && r >= 0; i++)
		r = o->check(o, c, o->names[i], err);
	return r;
}

static int flush_orphans(struct orphans *o, struct err *err)
{
	int r = o->n ? db_write_wait(o->g->is->db, run_orphans, o, err) : 0;

	o->n = 0;
	return r;
}

static int note_name(void *ctx, const char *name, struct err *err)
{
	struct orphans *o = ctx;

	if (!str_copy(o->names[o->n], sizeof(o->names[0]), name))
		return 0; /* not ours */
	return ++o->n == NAMES ? flush_orphans(o, err) : 0;
}

static int find_orphans(struct gc *g, struct err *err)
{
	struct image_store *is = g->is;
	const struct {
		int dir;
		enum image_digest_alg alg;
		int (*check)(struct orphans *o, struct db_conn *c, const char *name,
			     struct err *err);
	} places[] = {
		{ is->blobs[IMAGE_SHA256], IMAGE_SHA256, check_blob },
		{ is->blobs[IMAGE_SHA512], IMAGE_SHA512, check_blob },
		{ is->snapshots, IMAGE_SHA256, check_snapshot },
		{ is->links, IMAGE_SHA256, check_link },
	};
	CLEANUP_FREE struct orphans *o = calloc(1, sizeof(*o));
	int r = 0;

	if (!o)
		abort();
	o->g = g;
	for (size_t i = 0; i < ARRAY_LEN(places) && r >= 0; i++) {
		o->check = places[i].check;
		o->alg = places[i].alg;
		r = each_name(places[i].dir, note_name, o, err);
		if (r >= 0)
			r = flush_orphans(o, err);
	}
	return r;
}

/* ---- trees ---- */

struct scan {
	struct image_store *is;
	struct image_gc_result *res;
};

static int sweep_one(void *ctx, const char *name, struct err *err)
{
	struct scan *s = ctx;
	bool trash = strncmp(name, "gc-", 3) == 0;

	if (!trash && !image_lease_dead(s->is, name, NULL))
		return 0;
	/* Best effort: what cannot be removed now is tried at the next collection. */
	if (driver_remove_tree(s->is->ingest, name, NULL) >= 0)
		s->res->ingests += !trash;
	return 0;
}

static int sweep_lease(void *ctx, const char *name, struct err *err)
{
	struct scan *s = ctx;

	s->res->leases += image_lease_dead(s->is, name, NULL); /* unlinks the file of a dead one */
	return 0;
}

void image_gc_sweep(struct image_store *is, struct image_gc_result *res)
{
	struct scan s = { is, res };

	(void)each_name(is->ingest, sweep_one, &s, NULL);
	(void)each_name(is->leases, sweep_lease, &s, NULL);
}

static void *sweep_main(void *arg)
{
	struct image_store *is = arg;
	struct image_gc_result res = { 0 };

	image_gc_sweep(is, &res);
	pthread_mutex_lock(&is->lock);
	is->sweeping = false;
	pthread_cond_broadcast(&is->idle);
	pthread_mutex_unlock(&is->lock);
	return NULL;
}

void image_gc_sweep_start(struct image_store *is)
{
	pthread_attr_t attr;
	pthread_t t;
	sigset_t all, old;
	bool start;

	pthread_mutex_lock(&is->lock);
	start = !is->sweeping;
	is->sweeping = true;
	pthread_mutex_unlock(&is->lock);
	if (!start)
		return; /* what that one passed by already is left to the next */
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&t, &attr, sweep_main, is) != 0)
		sweep_main(is);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
}

void image_gc_sweep_wait(struct image_store *is)
{
	pthread_mutex_lock(&is->lock);
	while (is->sweeping)
		pthread_cond_wait(&is->idle, &is->lock);
	pthread_mutex_unlock(&is->lock);
}

static int collect(struct image_store *is, bool all, struct image_gc_result *ret, struct err *err)
{
	struct gc g = { .is = is };
	struct image_gc_result swept = { 0 };
	int r;

	r = db_write_wait(is->db, run_leases, &g, err);
	image_gc_sweep(is, &swept);
	if (r >= 0 && (all || g.res.leases || swept.leases || swept.ingests))
		r = find_orphans(&g, err);
	if (r >= 0 && all)
		r = doubt_all(&g, true, err);
	if (r >= 0 && all)
		r = doubt_all(&g, false, err);
	if (r >= 0)
		r = clear_notes(&g, err);
	if (r < 0)
		return err_wrap(err, "collect garbage in '%s'", is->path);
	g.res.ingests += swept.ingests;
	image_gc_sweep(is, &g.res);
	if (ret)
		*ret = g.res;
	return 0;
}

int image_gc_notes(struct image_store *is, struct image_gc_result *ret, struct err *err)
{
	struct gc g = { .is = is };
	int r = clear_notes(&g, err);

	image_gc_sweep(is, &g.res);
	*ret = g.res;
	return r;
}

int image_store_gc(struct image_store *is, struct image_gc_result *ret, struct err *err)
{
	return collect(is, true, ret, err);
}

int image_gc_recover(struct image_store *is, struct err *err)
{
	return collect(is, false, NULL, err);
}
