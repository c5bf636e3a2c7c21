/* SPDX-License-Identifier: Apache-2.0 */
/* What repositories have, and when it was pulled last. */
#include "base/arena.h"
#include "image/content.h"
#include "image/private.h"

#include <string.h>

/* ---- pulls ---- */

struct pulls {
	struct db_job job;
	struct content_pull *v;
	size_t n;
};

static int note_one(struct db_conn *c, const struct content_pull *p, struct err *err)
{
	int64_t repo;
	int r = content_repo_id(c, p->repo, false, &repo, err);

	if (r <= 0)
		return r; /* gone meanwhile */
	r = db_exec(c, err,
		    "UPDATE manifests SET pulled = max(pulled, ?3) WHERE repo = ?1 AND digest = ?2",
		    "iti", repo, p->digest, p->when);
	if (r >= 0 && !strchr(p->ref, ':'))
		r = db_exec(c, err,
			    "UPDATE tags SET pulled = max(pulled, ?3) WHERE repo = ?1 AND tag = ?2",
			    "iti", repo, p->ref, p->when);
	return r;
}

static int run_pulls(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct pulls *p = CONTAINER_OF(j, struct pulls, job);
	int r = 0;

	for (size_t i = 0; i < p->n && r >= 0; i++)
		r = note_one(c, &p->v[i], err);
	return r < 0 ? r : 0;
}

static void pulls_done(struct db_job *j)
{
	struct pulls *p = CONTAINER_OF(j, struct pulls, job);

	free(p->v);
	free(p);
}

void content_note_pulls(struct image_store *is, struct content_pull *v_taken, size_t n)
{
	struct pulls *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->v = v_taken;
	p->n = n;
	p->job = (struct db_job){ .run = run_pulls, .done = pulls_done };
	db_write(is->db, &p->job);
}

/* ---- use ---- */

struct usage {
	struct content_usage_page *p;
	size_t n;
	bool more;
};

static int list_repos(struct usage *u, struct db_conn *c, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *name;
	int r = db_query(c, &row, err,
			 "SELECT name, created, bytes, manifests, tags FROM repos WHERE name > ?"
			 " ORDER BY name LIMIT ?",
			 "ti", u->p->after ? u->p->after : "", (int64_t)u->p->max + 1);

	u->n = 0;
	u->more = false;
	while (r >= 0 && (r = db_row_next(row, err)) > 0) {
		struct content_usage *v = &u->p->v[u->n];

		if (u->n == u->p->max) {
			u->more = true;
			return 0;
		}
		*v = (struct content_usage){ 0 };
		db_row_get(row, "tiiii", &name, &v->created, &v->bytes, &v->manifests, &v->tags);
		v->repo = arena_strdup(u->p->arena, name);
		if (!v->repo)
			return arena_quota(u->p->arena, err);
		u->n++;
	}
	return r;
}

/* Some other repository, or an image or layer of the engine on this machine, has it. */
#define ELSEWHERE                                                                              \
	"(EXISTS (SELECT 1 FROM repo_blobs AS o WHERE o.digest = b.digest AND o.repo <> ?1)"   \
	" OR EXISTS (SELECT 1 FROM manifests AS o WHERE o.digest = b.digest AND o.repo <> ?1)" \
	" OR EXISTS (SELECT 1 FROM image_blobs AS o WHERE o.digest = b.digest)"                \
	" OR EXISTS (SELECT 1 FROM layers AS o WHERE o.blob = b.digest))"

static int fill_repo(struct content_usage *v, struct db_conn *c, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	int64_t repo;
	int r = content_repo_id(c, v->repo, false, &repo, err);

	if (r <= 0)
		return r;
	r = db_query_int(c, &v->blobs, err, "SELECT count(*) FROM repo_blobs WHERE repo = ?", "i",
			 repo);
	if (r >= 0)
		r = db_query_int(c, &v->shared, err,
				 "SELECT coalesce(sum(size), 0) FROM (SELECT digest, size FROM "
				 "repo_blobs JOIN blobs USING(digest) WHERE repo = ?1 UNION ALL "
				 "SELECT digest, size FROM manifests WHERE repo = ?1) AS b"
				 " WHERE " ELSEWHERE,
				 "i", repo);
	if (r >= 0)
		r = db_query(c, &row, err,
			     "SELECT coalesce(max(pushed), 0), coalesce(max(pulled), 0) FROM "
			     "manifests WHERE repo = ?",
			     "i", repo);
	if (r >= 0)
		r = db_row_next(row, err);
	if (r > 0)
		db_row_get(row, "ii", &v->pushed, &v->pulled);
	return r < 0 ? r : 0;
}

static int run_usage(void *ctx, struct db_conn *c, struct err *err)
{
	struct usage *u = ctx;
	int r = list_repos(u, c, err);

	for (size_t i = 0; i < u->n && r >= 0; i++)
		r = fill_repo(&u->p->v[i], c, err);
	return r < 0 ? r : 0;
}

int content_usage(struct image_store *is, struct content_usage_page *p, struct err *err)
{
	struct usage u = { .p = p };
	int r;

	p->v = ARENA_ARRAY(p->arena, struct content_usage, p->max + 1);
	if (!p->v)
		return arena_quota(p->arena, err);
	r = db_write_wait(is->db, run_usage, &u, err);
	p->n = u.n;
	p->more = u.more;
	return r < 0 ? err_wrap(err, "what repositories have") : 0;
}
