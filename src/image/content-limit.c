/* SPDX-License-Identifier: Apache-2.0 */
/* How much repositories may have: counted by the database's triggers, checked within changes. */
#include "base/arena.h"
#include "image/content.h"
#include "image/private.h"

#define SUMS "SELECT coalesce(sum(bytes), 0), coalesce(sum(manifests), 0), coalesce(sum(tags), 0)"

/* What a limit counts has now. */
static int read_used(struct db_conn *c, const char *repo, const struct content_limit *l,
		     struct content_more *ret, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	int r;

	/* No name has a byte above "~". */
	if (l->prefix)
		r = db_query(c, &row, err, SUMS " FROM repos WHERE name >= ?1 AND name < ?1 || '~'",
			     "t", l->prefix);
	else
		r = db_query(c, &row, err, SUMS " FROM repos WHERE name = ?", "t", repo);
	if (r >= 0)
		r = db_row_next(row, err);
	if (r > 0)
		db_row_get(row, "iii", &ret->bytes, &ret->manifests, &ret->tags);
	return r < 0 ? r : 0;
}

static int check_one(const char *repo, const struct content_limit *l, const char *what,
		     const int64_t n[3], struct err *err)
{
	int64_t used = n[0], more = n[1], max = n[2];

	if (max < 0 || more <= 0 || (used <= max && more <= max - used))
		return 0;
	if (l->prefix)
		return err_set(err, ERR_QUOTA,
			       "quota: repositories '%s*' together have %lld %s of at most %lld, "
			       "and this would add %lld",
			       l->prefix, (long long)used, what, (long long)max, (long long)more);
	return err_set(err, ERR_QUOTA,
		       "quota: repository '%s' has %lld %s of at most %lld, and this would add "
		       "%lld",
		       repo, (long long)used, what, (long long)max, (long long)more);
}

int content_limits_check(struct db_conn *c, const char *repo, const struct content_limits *lim,
			 struct content_more more, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < lim->n && r >= 0; i++) {
		const struct content_limit *l = &lim->v[i];
		struct content_more used = { 0 };

		r = read_used(c, repo, l, &used, err);
		if (r >= 0)
			r = check_one(repo, l, "bytes",
				      (const int64_t[]){ used.bytes, more.bytes, l->bytes }, err);
		if (r >= 0)
			r = check_one(
				repo, l, "manifests",
				(const int64_t[]){ used.manifests, more.manifests, l->manifests },
				err);
		if (r >= 0)
			r = check_one(repo, l, "tags",
				      (const int64_t[]){ used.tags, more.tags, l->tags }, err);
	}
	return r;
}

int content_limits_check_blob(struct db_conn *c, const char *repo, const char *digest, int64_t size,
			      const struct content_limits *lim, struct err *err)
{
	struct content_more more = { .bytes = size };
	int64_t one;
	int r;

	if (!lim->n)
		return 0;
	r = db_query_int(c, &one, err,
			 "SELECT 1 FROM repos JOIN repo_blobs ON repo = id WHERE name = ?"
			 " AND digest = ?",
			 "tt", repo, digest);
	if (r != 0)
		return r < 0 ? r : 0;
	if (size < 0)
		r = db_query_int(c, &more.bytes, err, "SELECT size FROM blobs WHERE digest = ?",
				 "t", digest);
	return r < 0 ? r : content_limits_check(c, repo, lim, more, err);
}

int content_limits_dup(struct arena *a, const struct content_limits *lim,
		       struct content_limits *ret, struct err *err)
{
	struct content_limit *v;

	*ret = (struct content_limits){ 0 };
	if (!lim || !lim->n)
		return 0;
	v = ARENA_ARRAY(a, struct content_limit, lim->n);
	for (size_t i = 0; v && i < lim->n; i++) {
		v[i] = lim->v[i];
		v[i].prefix = v[i].prefix ? arena_strdup(a, v[i].prefix) : NULL;
	}
	if (!v || arena_exceeded(a))
		return arena_quota(a, err);
	*ret = (struct content_limits){ v, lim->n };
	return 0;
}

int content_used(struct image_store *is, const char *repo, const struct content_limit *l,
		 int64_t ret[3], struct err *err)
{
	struct content_more used = { 0 };
	int r = read_used(db_reader(is->db), repo, l, &used, err);

	ret[0] = used.bytes;
	ret[1] = used.manifests;
	ret[2] = used.tags;
	return r;
}

int content_room(struct image_store *is, const char *repo, const struct content_limits *lim,
		 int64_t *ret, struct err *err)
{
	int64_t room = INT64_MAX;
	int r = 0;

	for (size_t i = 0; i < lim->n && r >= 0; i++) {
		struct content_more used = { 0 };

		if (lim->v[i].bytes < 0)
			continue;
		r = read_used(db_reader(is->db), repo, &lim->v[i], &used, err);
		room = MIN(room, MAX(lim->v[i].bytes - used.bytes, (int64_t)0));
	}
	*ret = room;
	return r < 0 ? r : 0;
}
