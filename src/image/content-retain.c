/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retention: one transaction for each repository, in which its tags are listed, the caller chooses,
 * and what he chose goes. A manifest goes with its last tag, and takes along what only it led to:
 * the manifests of an index, what refers to it, and companions by name.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "image/content.h"
#include "image/private.h"

#include <string.h>

#define NAMES 64
#define LIST_MAX (256u << 20) /* arena of one repository's tags */

struct retain {
	struct image_store *is;
	struct content_retain *job;
	char after[CONTENT_NAME_MAX + 1];
	/* of one batch of names */
	char names[NAMES][CONTENT_NAME_MAX + 1];
	size_t names_n;
	/* of one repository */
	const char *repo;
	int64_t id;
	struct arena *arena;
	struct content_tag *v;
	size_t n, cap;
	/* manifests that lost something: each is looked at once more */
	LIST_OF(const char *) work;
	size_t work_cap;
	/* as the transaction begins: it may be run again */
	size_t was_n;
	uint64_t was_tags, was_manifests;
};

/* ---- lists ---- */

static void *grow(struct arena *a, void *v, size_t n, size_t *cap, size_t size)
{
	size_t more = n < *cap ? *cap : *cap * 2 + 64;
	void *p = n < *cap ? v : arena_grow(a, v, *cap * size, more * size);

	*cap = p ? more : *cap;
	return p;
}

/* "sha256-<hex>", with ".sig" and the like behind it or not. */
static bool is_companion(const char *tag)
{
	size_t n = strspn(tag, "abcdefghijklmnopqrstuvwxyz0123456789");

	if (tag[n] != '-' || strncmp(tag, "sha", 3) != 0)
		return false;
	n = strcspn(tag + n + 1, ".");
	tag = strchr(tag, '-') + 1;
	return (n == 64 || n == 128) && hex_is_lower(slice_of(tag, n));
}

static int add_tag(struct retain *t, struct db_row *row, struct err *err)
{
	struct content_tag *v;
	const char *tag, *digest;
	int64_t referred;

	v = grow(t->arena, t->v, t->n, &t->cap, sizeof(*v));
	if (!v)
		return arena_quota(t->arena, err);
	t->v = v;
	v = &t->v[t->n++];
	*v = (struct content_tag){ 0 };
	db_row_get(row, "ttiii", &tag, &digest, &v->pushed, &v->pulled, &referred);
	v->tag = tag ? arena_strdup(t->arena, tag) : NULL;
	v->digest = arena_strdup(t->arena, digest);
	v->referred = referred != 0;
	v->companion = tag && is_companion(tag);
	return arena_exceeded(t->arena) ? arena_quota(t->arena, err) : 0;
}

#define REFERRED                                                                                  \
	"EXISTS (SELECT 1 FROM manifests AS s WHERE s.repo = m.repo AND s.subject = m.digest) OR" \
	" EXISTS (SELECT 1 FROM tags AS s WHERE s.repo = m.repo AND s.tag >="                     \
	"  replace(m.digest, ':', '-') AND s.tag < replace(m.digest, ':', '-') || '/'"            \
	"  AND s.digest <> m.digest)"
#define LED_TO                                                                                    \
	"EXISTS (SELECT 1 FROM tags AS t WHERE t.repo = m.repo AND t.digest = m.digest) OR"       \
	" EXISTS (SELECT 1 FROM manifest_parts AS p WHERE p.repo = m.repo AND p.part = m.digest)" \
	" OR (m.subject IS NOT NULL AND EXISTS (SELECT 1 FROM manifests AS s WHERE"               \
	"  s.repo = m.repo AND s.digest = m.subject))"

static int list_tags(struct retain *t, struct db_conn *c, struct err *err)
{
	static const char *const sql[] = {
		"SELECT t.tag, m.digest, t.updated, max(t.pulled, m.pulled), " REFERRED
		" FROM tags AS t JOIN manifests AS m USING (repo, digest) WHERE t.repo = ?",
		"SELECT NULL, m.digest, m.pushed, m.pulled, " REFERRED
		" FROM manifests AS m WHERE m.repo = ? AND NOT (" LED_TO ")",
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(sql) && r >= 0; i++) {
		CLEANUP(db_row_done) struct db_row *row = NULL;

		r = db_query(c, &row, err, sql[i], "i", t->id);
		while (r >= 0 && (r = db_row_next(row, err)) > 0)
			r = add_tag(t, row, err);
	}
	return r;
}

static int push_work(struct retain *t, const char *digest, struct err *err)
{
	void *v = grow(t->arena, t->work.v, t->work.n, &t->work_cap, sizeof(char *));
	const char *text = arena_strdup(t->arena, digest);

	if (!v || !text)
		return arena_quota(t->arena, err);
	t->work.v = v;
	t->work.v[t->work.n++] = text;
	return 0;
}

static int push_all(struct retain *t, struct db_conn *c, const char *sql, const char *digest,
		    struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *text;
	int r = db_query(c, &row, err, sql, "it", t->id, digest);

	while (r >= 0 && (r = db_row_next(row, err)) > 0) {
		db_row_get(row, "t", &text);
		r = push_work(t, text, err);
	}
	return r;
}

/* ---- dropping ---- */

static void tell_dropped(struct retain *t, const char *tag, const char *digest)
{
	struct content_retain *job = t->job;

	if (tag)
		job->tags++;
	else
		job->manifests++;
	if (job->n == CONTENT_DROPPED_MAX)
		return;
	job->v[job->n++] = (struct content_dropped){
		.repo = arena_strdup(job->arena, t->repo),
		.tag = tag ? arena_strdup(job->arena, tag) : NULL,
		.digest = arena_strdup(job->arena, digest),
	};
}

static int note_dropped(struct retain *t, struct db_conn *c, const char *tag, const char *digest,
			struct err *err)
{
	tell_dropped(t, tag, digest);
	return db_exec(c, err, "INSERT INTO dropped(repo, tag, digest, at) VALUES (?, ?, ?, ?)",
		       "ttti", t->repo, tag, digest, clock_real());
}

/* Companions by name of a manifest that goes. */
static int drop_companions(struct retain *t, struct db_conn *c, const char *digest, struct err *err)
{
	int r = push_all(t, c,
			 "SELECT digest FROM tags WHERE repo = ?1 AND tag >= replace(?2, ':', '-')"
			 " AND tag < replace(?2, ':', '-') || '/'",
			 digest, err);

	return r < 0 ? r
		     : db_exec(c, err,
			       "DELETE FROM tags WHERE repo = ?1 AND tag >= replace(?2, ':', '-')"
			       " AND tag < replace(?2, ':', '-') || '/'",
			       "it", t->id, digest);
}

/* Goes if nothing leads to it any more. */
static int drop_manifest(struct retain *t, struct db_conn *c, const char *digest, struct err *err)
{
	int64_t one;
	int r = db_query_int(c, &one, err,
			     "SELECT 1 FROM manifests AS m WHERE m.repo = ? AND m.digest = ?"
			     " AND NOT (" LED_TO ")",
			     "it", t->id, digest);

	if (r <= 0)
		return r;
	r = push_all(t, c,
		     "SELECT part FROM manifest_parts AS p JOIN manifests AS m ON m.repo = p.repo"
		     " AND m.digest = p.part WHERE p.repo = ? AND p.digest = ?",
		     digest, err);
	if (r >= 0)
		r = push_all(t, c, "SELECT digest FROM manifests WHERE repo = ? AND subject = ?",
			     digest, err);
	if (r >= 0)
		r = drop_companions(t, c, digest, err);
	if (r >= 0)
		r = db_exec(c, err, "DELETE FROM manifests WHERE repo = ? AND digest = ?", "it",
			    t->id, digest);
	if (r >= 0)
		r = content_doubt(c, digest, err);
	return r < 0 ? r : note_dropped(t, c, NULL, digest, err);
}

static int drop_chosen(struct retain *t, struct db_conn *c, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < t->n && r >= 0; i++) {
		const struct content_tag *v = &t->v[i];

		if (!v->drop)
			continue;
		if (v->tag) {
			r = note_dropped(t, c, v->tag, v->digest, err);
			if (r >= 0)
				r = db_exec(c, err, "DELETE FROM tags WHERE repo = ? AND tag = ?",
					    "it", t->id, v->tag);
		}
		if (r >= 0)
			r = push_work(t, v->digest, err);
	}
	while (t->work.n > 0 && r >= 0)
		r = drop_manifest(t, c, t->work.v[--t->work.n], err);
	return r < 0 ? r : 0;
}

/* What it would be: the counts are exact, but for what goes along with a manifest. */
static void tell_chosen(struct retain *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].drop)
			tell_dropped(t, t->v[i].tag, t->v[i].digest);
}

static int run_repo(void *ctx, struct db_conn *c, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("tags of a repository", LIST_MAX);
	struct retain *t = ctx;
	int r;

	t->arena = a;
	t->v = NULL;
	t->n = t->cap = t->work_cap = 0;
	t->work.v = NULL;
	t->work.n = 0;
	t->job->n = t->was_n;
	t->job->tags = t->was_tags;
	t->job->manifests = t->was_manifests;
	r = content_repo_id(c, t->repo, false, &t->id, err);
	if (r > 0)
		r = list_tags(t, c, err);
	if (r < 0 || !t->n)
		return r;
	t->job->choose(t->job->ctx, t->repo, t->v, t->n);
	if (t->job->dry_run)
		tell_chosen(t);
	else
		r = drop_chosen(t, c, err);
	return arena_exceeded(t->job->arena) ? arena_quota(t->job->arena, err) : r;
}

static int run_names(void *ctx, struct db_conn *c, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	struct retain *t = ctx;
	const char *name;
	int r = db_query(c, &row, err,
			 "SELECT name FROM repos WHERE name > ? ORDER BY name LIMIT 64", "t",
			 t->after);

	t->names_n = 0;
	while (r >= 0 && (r = db_row_next(row, err)) > 0) {
		db_row_get(row, "t", &name);
		(void)str_copy(t->names[t->names_n++], sizeof(t->names[0]), name);
	}
	return r;
}

static int one_batch(struct retain *t, struct err *err)
{
	int r = db_write_wait(t->is->db, run_names, t, err);

	for (size_t i = 0; i < t->names_n && r >= 0; i++) {
		t->repo = t->names[i];
		t->was_n = t->job->n;
		t->was_tags = t->job->tags;
		t->was_manifests = t->job->manifests;
		r = db_write_wait(t->is->db, run_repo, t, err);
		if (r < 0)
			err_wrap(err, "repository '%s'", t->repo);
	}
	if (t->names_n)
		(void)str_copy(t->after, sizeof(t->after), t->names[t->names_n - 1]);
	return r;
}

int content_retain(struct image_store *is, struct content_retain *job, struct err *err)
{
	CLEANUP_FREE struct retain *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		abort();
	t->is = is;
	t->job = job;
	job->n = 0;
	job->tags = job->manifests = 0;
	job->v = ARENA_ARRAY(job->arena, struct content_dropped, CONTENT_DROPPED_MAX);
	if (!job->v)
		return arena_quota(job->arena, err);
	do
		r = one_batch(t, err);
	while (r >= 0 && t->names_n == NAMES);
	return r < 0 ? err_wrap(err, "retention") : 0;
}

/* ---- what waits to be told ---- */

int content_dropped_list(struct image_store *is, int64_t after, struct arena *a,
			 struct content_dropped *v, size_t max, size_t *ret_n, int64_t *ret_last,
			 struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *repo, *tag, *digest;
	int64_t last = after;
	size_t n = 0;
	int r;

	r = db_query(db_reader(is->db), &row, err,
		     "SELECT id, repo, tag, digest, at FROM dropped WHERE id > ? ORDER BY id"
		     " LIMIT ?",
		     "ii", after, (int64_t)max);
	while (r >= 0 && (r = db_row_next(row, err)) > 0) {
		db_row_get(row, "ittti", &last, &repo, &tag, &digest, &v[n].at);
		v[n].repo = arena_strdup(a, repo);
		v[n].tag = tag ? arena_strdup(a, tag) : NULL;
		v[n++].digest = arena_strdup(a, digest);
	}
	if (r >= 0 && arena_exceeded(a))
		r = arena_quota(a, err);
	if (r < 0)
		return r;
	*ret_n = n;
	*ret_last = last;
	return 0;
}

struct forget {
	struct db_job job;
	int64_t last;
};

static int run_forget(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct forget *f = CONTAINER_OF(j, struct forget, job);

	return db_exec(c, err, "DELETE FROM dropped WHERE id <= ?", "i", f->last);
}

static void forget_done(struct db_job *j)
{
	free(CONTAINER_OF(j, struct forget, job)); /* what is left is told once more */
}

void content_dropped_forget(struct image_store *is, int64_t last)
{
	struct forget *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	*f = (struct forget){ .job = { .run = run_forget, .done = forget_done }, .last = last };
	db_write(is->db, &f->job);
}
