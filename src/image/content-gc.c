/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collection in repositories: manifests that nothing leads to, then blobs that no manifest has.
 * Batch by batch, so that pushes go on; what is younger than the grace stays, since a push brings
 * blobs before their manifest. What leaves its last repository is noted for gc.c.
 */
#include "base/clock.h"
#include "image/content.h"
#include "image/private.h"

#include <string.h>

#define BATCH 256

struct sweep {
	struct image_store *is;
	struct content_gc *gc;
	int64_t before; /* only what is older */
	int64_t repo;	/* the last row seen */
	char digest[IMAGE_DIGEST_MAX];
	uint64_t taken;
	/* of one batch */
	unsigned n;
	struct {
		int64_t repo;
		char digest[IMAGE_DIGEST_MAX];
	} rows[BATCH];
};

static int list_rows(struct sweep *s, struct db_conn *c, const char *sql, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *digest;
	int r;

	s->n = 0;
	r = db_query(c, &row, err, sql, "iti", s->repo, s->digest, s->before);
	while (r >= 0 && (r = db_row_next(row, err)) > 0 && s->n < BATCH) {
		db_row_get(row, "it", &s->rows[s->n].repo, &digest);
		(void)str_copy(s->rows[s->n].digest, IMAGE_DIGEST_MAX, digest);
		s->n++;
	}
	return r < 0 ? r : 0;
}

static int take_rows(struct sweep *s, struct db_conn *c, const char *sql, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; i < s->n && r >= 0 && !s->gc->dry_run; i++) {
		r = db_exec(c, err, sql, "it", s->rows[i].repo, s->rows[i].digest);
		if (r >= 0)
			r = content_doubt(c, s->rows[i].digest, err);
	}
	return r;
}

static int run_manifests(void *ctx, struct db_conn *c, struct err *err)
{
	struct sweep *s = ctx;
	int r;

	r = list_rows(
		s, c,
		"SELECT repo, digest FROM manifests AS m WHERE (repo, digest) > (?, ?) AND "
		"pushed < ?"
		" AND NOT EXISTS (SELECT 1 FROM tags AS t WHERE t.repo = m.repo AND t.digest = "
		"m.digest)"
		" AND NOT EXISTS (SELECT 1 FROM manifest_parts AS p WHERE p.repo = m.repo AND "
		"p.part = m.digest)"
		" AND (subject IS NULL OR NOT EXISTS (SELECT 1 FROM manifests AS of WHERE "
		"of.repo = m.repo AND of.digest = m.subject))"
		" ORDER BY repo, digest LIMIT 256",
		err);
	return r < 0 ? r
		     : take_rows(s, c, "DELETE FROM manifests WHERE repo = ? AND digest = ?", err);
}

static int run_blobs(void *ctx, struct db_conn *c, struct err *err)
{
	struct sweep *s = ctx;
	int r;

	r = list_rows(
		s, c,
		"SELECT repo, digest FROM repo_blobs AS b WHERE (repo, digest) > (?, ?) AND "
		"linked < ?"
		" AND NOT EXISTS (SELECT 1 FROM manifest_parts AS p WHERE p.repo = b.repo AND "
		"p.part = b.digest)"
		" ORDER BY repo, digest LIMIT 256",
		err);
	return r < 0 ? r
		     : take_rows(s, c, "DELETE FROM repo_blobs WHERE repo = ? AND digest = ?", err);
}

static bool must_stop(struct sweep *s)
{
	if (s->gc->stop && atomic_load(s->gc->stop))
		s->gc->stopped = true;
	return s->gc->stopped;
}

static int sweep(struct sweep *s, int (*run)(void *ctx, struct db_conn *c, struct err *err),
		 struct err *err)
{
	int r;

	s->repo = 0;
	s->digest[0] = '\0';
	s->taken = 0;
	do {
		if (must_stop(s))
			return 0;
		r = db_write_wait(s->is->db, run, s, err);
		if (r < 0)
			return r;
		s->taken += s->n;
		if (s->n) {
			s->repo = s->rows[s->n - 1].repo;
			(void)str_copy(s->digest, sizeof(s->digest), s->rows[s->n - 1].digest);
		}
	} while (s->n == BATCH);
	return 0;
}

static int run_empty_repos(void *ctx, struct db_conn *c, struct err *err)
{
	struct sweep *s = ctx;

	return db_exec(c, err,
		       "DELETE FROM repos WHERE created < ?"
		       " AND NOT EXISTS (SELECT 1 FROM manifests WHERE repo = repos.id)"
		       " AND NOT EXISTS (SELECT 1 FROM repo_blobs WHERE repo = repos.id)",
		       "i", s->before);
}

int content_gc(struct image_store *is, struct content_gc *gc, struct err *err)
{
	CLEANUP_FREE struct sweep *s = calloc(1, sizeof(*s));
	int r = 0;

	if (!s)
		abort();
	s->is = is;
	s->gc = gc;
	s->before = clock_real() - gc->grace;
	gc->manifests = gc->blobs = 0;
	gc->stopped = false;
	/* An index that goes frees what it lists: until a round takes nothing. */
	do {
		if (!gc->untagged)
			break;
		r = sweep(s, run_manifests, err);
		gc->manifests += s->taken;
	} while (r >= 0 && s->taken && !gc->dry_run && !gc->stopped);
	if (r >= 0)
		r = sweep(s, run_blobs, err);
	gc->blobs = s->taken;
	if (r >= 0 && !gc->dry_run)
		r = db_write_wait(is->db, run_empty_repos, s, err);
	if (r >= 0 && !gc->dry_run && !must_stop(s))
		r = image_gc_notes(is, &gc->store, err);
	return r < 0 ? err_wrap(err, "collect garbage of repositories") : 0;
}
