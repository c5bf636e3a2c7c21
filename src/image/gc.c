/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Garbage collection: rows first, durably; then, in a second write transaction, files without rows.
 * Between the two commits another process may publish the same digest again: it then finds no row
 * and moves its own copy over the old file, and the second transaction sees its row. Trees are only
 * renamed inside the transaction and deleted after it.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/log.h"
#include "image/private.h"
#include "linux/sys.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

struct gc {
	struct image_store *is;
	struct image_gc_result res;
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

/* ---- rows ---- */

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
			r = db_exec(c, err, "DELETE FROM leases WHERE id = ?", "t", dead[i]);
		if (r < 0)
			return r;
		*ret_n += n;
	} while (n == ARRAY_LEN(dead));
	return 0;
}

int image_gc_rows(struct image_store *is, struct db_conn *c, struct err *err)
{
	int r;

	do { /* a layer goes before the one below it */
		r = db_exec(c, err,
			    "DELETE FROM layers WHERE chain NOT IN (SELECT chain FROM image_layers)"
			    " AND NOT EXISTS (SELECT 1 FROM lease_items WHERE kind = 1 AND digest "
			    "= layers.chain)"
			    " AND NOT EXISTS (SELECT 1 FROM layers AS up WHERE up.parent = "
			    "layers.chain)",
			    "");
		if (r < 0)
			return r;
	} while (db_changes(c) > 0);
	return db_exec(c, err,
		       "DELETE FROM blobs WHERE digest NOT IN (SELECT digest FROM image_blobs)"
		       " AND digest NOT IN (SELECT blob FROM layers WHERE blob IS NOT NULL)"
		       " AND NOT EXISTS (SELECT 1 FROM lease_items WHERE kind = 0 AND digest = "
		       "blobs.digest)",
		       "");
}

static int run_rows(void *ctx, struct db_conn *c, struct err *err)
{
	struct gc *g = ctx;
	int r;

	g->res = (struct image_gc_result){ 0 };
	r = drop_dead_leases(g->is, c, &g->res.leases, err);
	return r < 0 ? r : image_gc_rows(g->is, c, err);
}

/* ---- files ---- */

struct scan {
	struct image_store *is;
	struct db_conn *c;
	struct image_gc_result *res;
	enum image_digest_alg alg;
};

/* 1 = a row or a live lease wants it. */
static int wanted(struct scan *s, const char *sql, const char *lease_sql, const char *name,
		  struct err *err)
{
	char digest[IMAGE_DIGEST_MAX + 8];
	int64_t one;
	int r;

	snprintf(digest, sizeof(digest), "%s:%s", image_digest_names[s->alg], name);
	if (!image_digest_valid(slice_str(digest)))
		return 1; /* not ours: left alone */
	r = db_query_int(s->c, &one, err, sql, "t", digest);
	if (r == 0)
		r = db_query_int(s->c, &one, err, lease_sql, "t", digest);
	return r;
}

static int scan_blob(void *ctx, const char *name, struct err *err)
{
	struct scan *s = ctx;
	struct stat st = { 0 };
	int r;

	r = wanted(s, "SELECT 1 FROM blobs WHERE digest = ?",
		   "SELECT 1 FROM lease_items WHERE kind = 0 AND digest = ?", name, err);
	if (r)
		return r;
	(void)sys_fstatat(s->is->blobs[s->alg], name, &st,
			  AT_SYMLINK_NOFOLLOW); /* only for the count */
	if (sys_unlinkat(s->is->blobs[s->alg], name, 0) < 0 && errno != ENOENT)
		return err_sys(err, "remove blob '%s'", name);
	s->res->blobs++;
	s->res->bytes += (uint64_t)st.st_size;
	return 0;
}

static int scan_snapshot(void *ctx, const char *name, struct err *err)
{
	struct scan *s = ctx;
	char trash[40] = "gc-";
	int r;

	r = wanted(s, "SELECT 1 FROM layers WHERE chain = ?",
		   "SELECT 1 FROM lease_items WHERE kind = 1 AND digest = ?", name, err);
	if (r)
		return r;
	random_hex(trash + 3, 32);
	if (sys_renameat(s->is->snapshots, name, s->is->ingest, trash) < 0)
		return err_sys(err, "move snapshot '%s' away", name);
	s->res->snapshots++;
	return 0;
}

static int scan_link(void *ctx, const char *name, struct err *err)
{
	struct scan *s = ctx;
	int64_t one;
	int r;

	r = db_query_int(s->c, &one, err, "SELECT 1 FROM layers WHERE link = ?", "t", name);
	if (r)
		return r;
	if (sys_unlinkat(s->is->links, name, 0) < 0 && errno != ENOENT)
		return err_sys(err, "remove link '%s'", name);
	return 0;
}

int image_gc_files(struct image_store *is, struct db_conn *c, struct image_gc_result *res,
		   struct err *err)
{
	struct scan s = { is, c, res, IMAGE_SHA256 };
	int r = 0;

	for (unsigned i = 0; i < IMAGE_DIGEST_ALGS && r >= 0; i++) {
		s.alg = (enum image_digest_alg)i;
		r = each_name(is->blobs[i], scan_blob, &s, err);
	}
	s.alg = IMAGE_SHA256; /* of chain ids */
	if (r >= 0)
		r = each_name(is->snapshots, scan_snapshot, &s, err);
	if (r >= 0)
		r = each_name(is->links, scan_link, &s, err);
	return r;
}

static int run_files(void *ctx, struct db_conn *c, struct err *err)
{
	struct gc *g = ctx;

	return image_gc_files(g->is, c, &g->res, err);
}

/* ---- trees ---- */

static int sweep_one(void *ctx, const char *name, struct err *err)
{
	struct scan *s = ctx;
	bool trash = strncmp(name, "gc-", 3) == 0;

	if (!trash && !image_lease_dead(s->is, name, NULL))
		return 0;
	/* Best effort: what cannot be removed now is tried at the next collection. */
	if (fd_remove_tree(s->is->ingest, name, NULL) >= 0)
		s->res->ingests += !trash;
	return 0;
}

static int sweep_lease(void *ctx, const char *name, struct err *err)
{
	struct scan *s = ctx;

	(void)image_lease_dead(s->is, name, NULL); /* unlinks the file of a dead one */
	return 0;
}

void image_gc_sweep(struct image_store *is, struct image_gc_result *res)
{
	struct scan s = { is, NULL, res, IMAGE_SHA256 };

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

int image_store_gc(struct image_store *is, struct image_gc_result *ret, struct err *err)
{
	struct gc g = { .is = is };
	int r;

	r = db_write_wait(is->db, run_rows, &g, err);
	if (r >= 0)
		r = db_write_wait(is->db, run_files, &g, err);
	if (r < 0)
		return err_wrap(err, "collect garbage in '%s'", is->path);
	image_gc_sweep(is, &g.res);
	if (ret)
		*ret = g.res;
	return 0;
}
