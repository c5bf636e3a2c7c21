/* SPDX-License-Identifier: Apache-2.0 */
/* Repositories: reads, and changes as jobs. Uploads are upload.c, collection content-gc.c. */
#include "image/content.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "doc/json.h"
#include "image/manifest.h"
#include "image/private.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>

#define MANIFEST_MAX (64u << 20) /* arena of one manifest */

/* ---- names ---- */

static bool word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Between two words: ".", "_", "__", or any number of "-". */
static bool part_ok(struct slice s)
{
	size_t i = 0;

	while (i < s.n) {
		size_t begin = i;

		while (i < s.n && word_char(s.p[i]))
			i++;
		if (i == begin)
			return false;
		if (i == s.n)
			return true;
		begin = i;
		while (i < s.n && s.p[i] == s.p[begin] && strchr("._-", s.p[i]))
			i++;
		if (i == begin || (s.p[begin] == '.' && i - begin > 1) ||
		    (s.p[begin] == '_' && i - begin > 2))
			return false;
	}
	return false;
}

bool content_name_ok(struct slice name)
{
	struct slice rest = name;

	if (!name.n || name.n > CONTENT_NAME_MAX)
		return false;
	while (rest.p)
		if (!part_ok(slice_split(&rest, '/')))
			return false;
	return true;
}

bool content_tag_ok(struct slice tag)
{
	if (!tag.n || tag.n > CONTENT_TAG_MAX)
		return false;
	for (size_t i = 0; i < tag.n; i++) {
		char c = tag.p[i];

		if (!word_char(c) && !(c >= 'A' && c <= 'Z') && c != '_' &&
		    (i == 0 || (c != '.' && c != '-')))
			return false;
	}
	return true;
}

/* ---- reads ---- */

int content_blob(struct image_store *is, const char *repo, const char *digest, uint64_t *ret_size,
		 struct err *err)
{
	int64_t size;
	int r;

	r = db_query_int(db_reader(is->db), &size, err,
			 "SELECT size FROM repos JOIN repo_blobs ON repo = id JOIN blobs USING "
			 "(digest) WHERE name = ? AND digest = ?",
			 "tt", repo, digest);
	if (r == 0)
		return err_set(err, ERR_NOT_FOUND, "repository '%s' has no blob '%s'", repo,
			       digest);
	if (r > 0)
		*ret_size = (uint64_t)size;
	return r < 0 ? r : 0;
}

int64_t content_blob_linked(struct image_store *is, const char *repo, const char *digest)
{
	int64_t linked;
	int r = db_query_int(db_reader(is->db), &linked, NULL,
			     "SELECT linked FROM repos JOIN repo_blobs ON repo = id"
			     " WHERE name = ? AND digest = ?",
			     "tt", repo, digest);

	return r > 0 ? linked : 0;
}

static int read_manifest(struct image_store *is, struct arena *a, struct content_manifest *m,
			 struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	uint64_t size;
	ssize_t n;
	char *p;
	int r;

	r = image_blob_open(is, m->digest, &fd, &size, err);
	if (r < 0)
		return r;
	p = arena_alloc(a, size + 1);
	if (!p)
		return arena_quota(a, err);
	n = fd_read_full(fd, p, size);
	if (n < 0)
		return err_sys(err, "read manifest '%s'", m->digest);
	m->bytes = slice_of(p, (size_t)n);
	if (!image_digest_matches(m->digest, m->bytes))
		return err_set(err, ERR_INVALID, "manifest '%s' is damaged: push it again",
			       m->digest);
	return 0;
}

int content_manifest(struct image_store *is, const char *repo, const char *ref, struct arena *a,
		     struct content_manifest *ret, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *digest, *media;
	int r;

	if (strchr(ref, ':'))
		r = db_query(db_reader(is->db), &row, err,
			     "SELECT digest, media FROM repos JOIN manifests ON repo = id"
			     " WHERE name = ? AND digest = ?",
			     "tt", repo, ref);
	else
		r = db_query(db_reader(is->db), &row, err,
			     "SELECT digest, media FROM repos JOIN tags AS t ON t.repo = id JOIN "
			     "manifests USING (repo, digest) WHERE name = ? AND tag = ?",
			     "tt", repo, ref);
	if (r >= 0)
		r = db_row_next(row, err);
	if (r == 0)
		return err_set(err, ERR_NOT_FOUND, "repository '%s' has no manifest '%s'", repo,
			       ref);
	if (r < 0)
		return r;
	db_row_get(row, "tt", &digest, &media);
	(void)str_copy(ret->digest, sizeof(ret->digest), digest);
	ret->media = arena_strdup(a, media);
	if (!ret->media)
		return arena_quota(a, err);
	return read_manifest(is, a, ret, err);
}

static int fill_page(struct db_row *row, struct arena *a, struct content_page *p, struct err *err)
{
	size_t cap = 0;
	int r;

	p->names = (struct strs){ 0 };
	p->more = false;
	while ((r = db_row_next(row, err)) > 0) {
		const char *name;

		if (p->names.n == p->max) {
			p->more = true;
			return 0;
		}
		if (p->names.n == cap) {
			p->names.v = arena_grow(a, p->names.v, cap * sizeof(char *),
						(cap + 64) * 2 * sizeof(char *));
			cap = (cap + 64) * 2;
		}
		db_row_get(row, "t", &name);
		name = arena_strdup(a, name);
		if (!name || !p->names.v)
			return arena_quota(a, err);
		p->names.v[p->names.n++] = name;
	}
	return r;
}

static int64_t page_limit(size_t max)
{
	return max < INT32_MAX ? (int64_t)max + 1 : INT32_MAX;
}

int content_tags(struct image_store *is, const char *repo, struct arena *a, struct content_page *p,
		 struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	struct db_conn *c = db_reader(is->db);
	int64_t id;
	int r;

	r = db_query_int(c, &id, err, "SELECT id FROM repos WHERE name = ?", "t", repo);
	if (r == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no repository '%s'", repo);
	if (r > 0)
		r = db_query(c, &row, err,
			     "SELECT tag FROM tags WHERE repo = ? AND tag > ? ORDER BY tag LIMIT ?",
			     "iti", id, p->after ? p->after : "", page_limit(p->max));
	return r < 0 ? r : fill_page(row, a, p, err);
}

int content_repos(struct image_store *is, struct arena *a, struct content_page *p, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	int r;

	r = db_query(db_reader(is->db), &row, err,
		     "SELECT name FROM repos WHERE name > ? ORDER BY name LIMIT ?", "ti",
		     p->after ? p->after : "", page_limit(p->max));
	return r < 0 ? r : fill_page(row, a, p, err);
}

static int take_referrer(struct db_row *row, struct arena *a, struct content_referrer *ref,
			 struct err *err)
{
	const char *digest, *media, *artifact, *notes;
	int64_t size;

	db_row_get(row, "ttitt", &digest, &media, &size, &artifact, &notes);
	*ref = (struct content_referrer){ .digest = arena_strdup(a, digest),
					  .media = arena_strdup(a, media),
					  .size = (uint64_t)size,
					  .artifact_type =
						  artifact ? arena_strdup(a, artifact) : NULL,
					  .annotations = notes ? arena_strdup(a, notes) : NULL };
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

int content_referrers(struct image_store *is, const char *repo, struct arena *a,
		      struct content_referrers *q, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	size_t cap = 0;
	int r;

	q->v = NULL;
	q->n = 0;
	q->more = false;
	r = db_query(db_reader(is->db), &row, err,
		     "SELECT digest, media, size, artifact, annotations FROM repos JOIN manifests "
		     "ON repo = id WHERE name = ?1 AND subject = ?2 AND digest > ?3"
		     " AND (?4 IS NULL OR artifact = ?4) ORDER BY digest LIMIT ?5",
		     "tttti", repo, q->digest, q->after ? q->after : "", q->artifact_type,
		     page_limit(q->max));
	while (r >= 0 && (r = db_row_next(row, err)) > 0) {
		if (q->n == q->max) {
			q->more = true;
			return 0;
		}
		if (q->n == cap) {
			q->v = arena_grow(a, q->v, cap * sizeof(*q->v),
					  (cap + 16) * 2 * sizeof(*q->v));
			cap = (cap + 16) * 2;
			if (!q->v)
				return arena_quota(a, err);
		}
		r = take_referrer(row, a, &q->v[q->n++], err);
	}
	return r;
}

/* ---- changes ---- */

static void change_done(struct db_job *j)
{
	struct content_change *ch = CONTAINER_OF(j, struct content_change, job);

	ch->done(ch->ctx, ch, j->result, &j->err);
	arena_free(ch->arena);
}

/* The change lies in its own arena. */
static struct content_change *change_new(struct image_store *is, const char *repo, const char *ref,
					 content_done_fn *done, void *ctx)
{
	struct arena *a = arena_new("content", MANIFEST_MAX);
	struct content_change *ch = ARENA_NEW(a, struct content_change);

	if (!ch)
		abort();
	*ch = (struct content_change){ .is = is, .done = done, .ctx = ctx, .arena = a };
	ch->job.done = change_done;
	ch->repo = arena_strdup(a, repo);
	ch->ref = arena_strdup(a, ref);
	if (!ch->repo || !ch->ref)
		abort();
	return ch;
}

static int run_refused(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct content_change *ch = CONTAINER_OF(j, struct content_change, job);

	if (err)
		*err = ch->refused;
	return err_ret(&ch->refused);
}

int content_repo_id(struct db_conn *c, const char *repo, bool make, int64_t *ret, struct err *err)
{
	int r = 0;

	if (make)
		r = db_exec(c, err, "INSERT OR IGNORE INTO repos(name, created) VALUES (?, ?)",
			    "ti", repo, clock_real());
	if (r >= 0)
		r = db_query_int(c, ret, err, "SELECT id FROM repos WHERE name = ?", "t", repo);
	return r;
}

static int exists(struct db_conn *c, const char *sql, int64_t repo, const char *what,
		  struct err *err)
{
	int64_t one;

	return db_query_int(c, &one, err, sql, "it", repo, what);
}

#define HAS_BLOB "SELECT 1 FROM repo_blobs WHERE repo = ? AND digest = ?"
#define HAS_MANIFEST "SELECT 1 FROM manifests WHERE repo = ? AND digest = ?"

static int check_part(struct content_change *ch, struct db_conn *c, int64_t repo,
		      const struct manifest_desc *d, struct err *err)
{
	int r;

	if (ch->sparse || manifest_is_foreign(d))
		return 0;
	r = exists(c, HAS_BLOB, repo, d->digest, err);
	if (r == 0)
		r = exists(c, HAS_MANIFEST, repo, d->digest, err);
	if (r == 0)
		return err_set(err, ERR_NOT_FOUND, "%s", d->digest);
	return r < 0 ? r : 0;
}

static int check_parts(struct content_change *ch, struct db_conn *c, int64_t repo, struct err *err)
{
	const struct manifest *m = ch->manifest;
	int r = 0;

	if (m->kind == MANIFEST_IMAGE)
		r = check_part(ch, c, repo, &m->config, err);
	for (size_t i = 0; i < m->n && r >= 0; i++)
		r = check_part(ch, c, repo, &m->parts[i], err);
	return r;
}

/* The file, then the row; the directory is synced by the caller. */
static int put_bytes(struct content_change *ch, struct db_conn *c, struct err *err)
{
	int dir = image_blob_dir(ch->is, ch->digest), r;
	CLEANUP(fd_close) int fd = -1;
	char temp[40] = "m-";
	int64_t one;

	r = db_query_int(c, &one, err, "SELECT 1 FROM blobs WHERE digest = ?", "t", ch->digest);
	if (r)
		return r;
	random_hex(temp + 2, 32);
	fd = sys_openat(ch->dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(err, "create a file in '%s/ingest'", ch->is->path);
	if (fd_write_all(fd, ch->bytes.p, ch->bytes.n) < 0 || sys_fsync(fd) < 0)
		r = err_sys(err, "write manifest '%s'", ch->digest);
	else if (sys_renameat(ch->dir, temp, dir, IMAGE_HEX(ch->digest)) < 0)
		r = err_sys(err, "publish manifest '%s'", ch->digest);
	if (r < 0) {
		(void)sys_unlinkat(ch->dir, temp, 0);
		return r;
	}
	r = fd_fsync_dir(dir, err);
	return r < 0 ? r
		     : db_exec(c, err, "INSERT INTO blobs VALUES (?, ?, ?, ?)", "titi", ch->digest,
			       (int64_t)ch->bytes.n, ch->manifest->media, clock_real());
}

static int put_part_row(struct content_change *ch, struct db_conn *c, int64_t repo,
			const char *part, struct err *err)
{
	return db_exec(c, err, "INSERT OR IGNORE INTO manifest_parts VALUES (?, ?, ?)", "itt", repo,
		       ch->digest, part);
}

static int put_rows(struct content_change *ch, struct db_conn *c, int64_t repo, struct err *err)
{
	const struct manifest *m = ch->manifest;
	int64_t now = clock_real();
	int r;

	r = exists(c, HAS_MANIFEST, repo, ch->digest, err);
	if (r < 0)
		return r;
	ch->created = r == 0;
	r = db_exec(
		c, err,
		"INSERT INTO manifests VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT(repo, digest)"
		" DO UPDATE SET pushed = excluded.pushed",
		"ittittti", repo, ch->digest, m->media, (int64_t)ch->bytes.n, ch->subject,
		ch->subject ? m->artifact_type : NULL, ch->annotations, now);
	if (r >= 0 && m->kind == MANIFEST_IMAGE)
		r = put_part_row(ch, c, repo, m->config.digest, err);
	for (size_t i = 0; i < m->n && r >= 0; i++)
		r = put_part_row(ch, c, repo, m->parts[i].digest, err);
	return r;
}

/* Where the tag leads, if elsewhere: in *ret (arena); else NULL. */
static int tag_was(struct content_change *ch, struct db_conn *c, int64_t repo, const char *tag,
		   const char **ret, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *digest;
	int r;

	*ret = NULL;
	r = db_query(c, &row, err, "SELECT digest FROM tags WHERE repo = ? AND tag = ?", "it", repo,
		     tag);
	if (r >= 0)
		r = db_row_next(row, err);
	if (r <= 0)
		return r;
	db_row_get(row, "t", &digest);
	if (strcmp(digest, ch->digest) != 0)
		*ret = arena_strdup(ch->arena, digest);
	return 0;
}

static int put_tag(struct content_change *ch, struct db_conn *c, int64_t repo, size_t i,
		   struct err *err)
{
	const char *tag = ch->tags[i];
	int r = tag_was(ch, c, repo, tag, &ch->was[i], err);

	if (r < 0)
		return r;
	if (ch->immutable && ch->was[i])
		return err_set(err, ERR_CONFLICT,
			       "tag '%s' of repository '%s' is immutable and names another "
			       "manifest",
			       tag, ch->repo);
	return db_exec(
		c, err,
		"INSERT INTO tags VALUES (?, ?, ?, ?, 0) ON CONFLICT(repo, tag) DO UPDATE SET"
		" digest = excluded.digest, updated = excluded.updated",
		"itti", repo, tag, ch->digest, clock_real());
}

/* What the put would add, before anything of it is done. */
static int check_limits(struct content_change *ch, struct db_conn *c, int64_t repo, struct err *err)
{
	struct content_more more = { 0 };
	int r;

	if (!ch->limits.n)
		return 0;
	r = exists(c, HAS_MANIFEST, repo, ch->digest, err);
	if (r == 0)
		more = (struct content_more){ .bytes = (int64_t)ch->bytes.n, .manifests = 1 };
	for (size_t i = 0; i < ch->ntags && r >= 0; i++) {
		r = exists(c, "SELECT 1 FROM tags WHERE repo = ? AND tag = ?", repo, ch->tags[i],
			   err);
		more.tags += r == 0;
	}
	return r < 0 ? r : content_limits_check(c, ch->repo, &ch->limits, more, err);
}

static int run_put(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct content_change *ch = CONTAINER_OF(j, struct content_change, job);
	int64_t repo = 0;
	int r;

	r = content_repo_id(c, ch->repo, true, &repo, err);
	if (r >= 0)
		r = check_parts(ch, c, repo, err);
	if (r >= 0)
		r = check_limits(ch, c, repo, err);
	if (r >= 0)
		r = put_bytes(ch, c, err);
	if (r >= 0)
		r = put_rows(ch, c, repo, err);
	for (size_t i = 0; i < ch->ntags && r >= 0; i++)
		r = put_tag(ch, c, repo, i, err);
	return r < 0 ? r : 0;
}

static int annotations_text(struct content_change *ch, struct err *err)
{
	const struct str_map *m = &ch->manifest->annotations;
	struct doc *d = doc_new_object(ch->arena);
	struct slice text;
	int r;

	if (!ch->subject || !m->n)
		return 0;
	for (size_t i = 0; i < m->n; i++)
		doc_set_str(ch->arena, d, m->v[i].key, m->v[i].value);
	r = json_print(ch->arena, d, NULL, &text, err);
	ch->annotations = text.p;
	return r;
}

/* The digest that its bytes have, which must be the one they were pushed by. */
static int name_bytes(struct content_change *ch, bool by_digest, struct err *err)
{
	struct image_hash h;

	image_hash_init(&h, by_digest ? image_digest_alg(ch->ref) : IMAGE_SHA256);
	image_hash_update(&h, ch->bytes.p, ch->bytes.n);
	image_hash_final(&h, ch->digest);
	if (by_digest && strcmp(ch->digest, ch->ref) != 0)
		return err_set(err, ERR_INVALID, "digest: the manifest has %s, not %s", ch->digest,
			       ch->ref);
	return 0;
}

static int prepare_put(struct content_change *ch, const struct content_put *put, struct err *err)
{
	bool by_digest = strchr(put->ref, ':') != NULL;
	char *bytes = arena_alloc(ch->arena, put->bytes.n + 1);
	int r = 0;

	if (!bytes)
		return arena_quota(ch->arena, err);
	memcpy(bytes, put->bytes.p ? put->bytes.p : "", put->bytes.n);
	ch->bytes = slice_of(bytes, put->bytes.n);
	ch->manifest = ARENA_NEW(ch->arena, struct manifest);
	if (!ch->manifest || put->ntags + !by_digest > CONTENT_TAGS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d tags in one push",
			       CONTENT_TAGS_MAX);
	if (by_digest)
		r = image_digest_check(slice_str(put->ref), err);
	else
		ch->tags[ch->ntags++] = ch->ref;
	for (size_t i = 0; i < put->ntags; i++)
		ch->tags[ch->ntags++] = arena_strdup(ch->arena, put->tags[i]);
	if (r >= 0)
		r = manifest_parse(ch->arena, ch->bytes, put->media, ch->manifest, err);
	if (r >= 0)
		r = name_bytes(ch, by_digest, err);
	if (r < 0)
		return r;
	ch->subject = ch->manifest->subject ? ch->manifest->subject->digest : NULL;
	ch->immutable = put->immutable;
	ch->sparse = put->sparse;
	r = content_limits_dup(ch->arena, &put->limits, &ch->limits, err);
	return r < 0 ? r : annotations_text(ch, err);
}

void content_put_manifest(struct image_store *is, const struct content_put *put,
			  content_done_fn *done, void *ctx)
{
	struct content_change *ch = change_new(is, put->repo, put->ref, done, ctx);

	ch->dir = image_store_publish_dir(is, &ch->refused);
	ch->job.run = ch->dir < 0 || prepare_put(ch, put, &ch->refused) < 0 ? run_refused : run_put;
	db_write(is->db, &ch->job);
}

/* ---- deletes and mounts ---- */

static int need_repo(struct content_change *ch, struct db_conn *c, int64_t *ret, struct err *err)
{
	int r = content_repo_id(c, ch->repo, false, ret, err);

	return r == 0 ? err_set(err, ERR_NOT_FOUND, "there is no repository '%s'", ch->repo) : r;
}

int content_doubt(struct db_conn *c, const char *digest, struct err *err)
{
	return db_exec(c, err, "INSERT OR IGNORE INTO doubt VALUES (0, ?)", "t", digest);
}

static int run_delete_manifest(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct content_change *ch = CONTAINER_OF(j, struct content_change, job);
	bool by_digest = strchr(ch->ref, ':') != NULL;
	int64_t repo;
	int r;

	r = need_repo(ch, c, &repo, err);
	if (r < 0)
		return r;
	if (by_digest)
		r = db_exec(c, err, "DELETE FROM manifests WHERE repo = ? AND digest = ?", "it",
			    repo, ch->ref);
	else
		r = db_exec(c, err, "DELETE FROM tags WHERE repo = ? AND tag = ?", "it", repo,
			    ch->ref);
	if (r >= 0 && db_changes(c) == 0)
		return err_set(err, ERR_NOT_FOUND, "repository '%s' has no manifest '%s'", ch->repo,
			       ch->ref);
	if (r >= 0 && by_digest)
		r = content_doubt(c, ch->ref, err);
	return r;
}

void content_delete_manifest(struct image_store *is, const char *repo, const char *ref,
			     content_done_fn *done, void *ctx)
{
	struct content_change *ch = change_new(is, repo, ref, done, ctx);

	ch->job.run = run_delete_manifest;
	db_write(is->db, &ch->job);
}

static int run_delete_blob(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct content_change *ch = CONTAINER_OF(j, struct content_change, job);
	int64_t repo;
	int r;

	r = need_repo(ch, c, &repo, err);
	if (r >= 0)
		r = exists(c, "SELECT 1 FROM manifest_parts WHERE repo = ? AND part = ?", repo,
			   ch->ref, err);
	if (r > 0)
		return err_set(err, ERR_CONFLICT,
			       "a manifest of repository '%s' has blob '%s': delete that first",
			       ch->repo, ch->ref);
	if (r >= 0)
		r = db_exec(c, err, "DELETE FROM repo_blobs WHERE repo = ? AND digest = ?", "it",
			    repo, ch->ref);
	if (r >= 0 && db_changes(c) == 0)
		return err_set(err, ERR_NOT_FOUND, "repository '%s' has no blob '%s'", ch->repo,
			       ch->ref);
	return r < 0 ? r : content_doubt(c, ch->ref, err);
}

void content_delete_blob(struct image_store *is, const char *repo, const char *digest,
			 content_done_fn *done, void *ctx)
{
	struct content_change *ch = change_new(is, repo, digest, done, ctx);

	ch->job.run = run_delete_blob;
	db_write(is->db, &ch->job);
}

static int run_evict(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct content_change *ch = CONTAINER_OF(j, struct content_change, job);
	int64_t repo, n;
	int r;

	r = need_repo(ch, c, &repo, err);
	if (r >= 0)
		r = db_exec(c, err, "DELETE FROM manifests WHERE repo = ? AND digest = ?", "it",
			    repo, ch->ref);
	n = db_changes(c);
	if (r >= 0)
		r = db_exec(c, err, "DELETE FROM repo_blobs WHERE repo = ? AND digest = ?", "it",
			    repo, ch->ref);
	if (r >= 0 && n + db_changes(c) == 0)
		return err_set(err, ERR_NOT_FOUND, "repository '%s' has no '%s'", ch->repo,
			       ch->ref);
	return r < 0 ? r : content_doubt(c, ch->ref, err);
}

void content_evict(struct image_store *is, const char *repo, const char *digest,
		   content_done_fn *done, void *ctx)
{
	struct content_change *ch = change_new(is, repo, digest, done, ctx);

	ch->job.run = run_evict;
	db_write(is->db, &ch->job);
}

int content_link_blob(struct db_conn *c, const char *repo, const char *digest, struct err *err)
{
	int64_t id = 0;
	int r;

	r = content_repo_id(c, repo, true, &id, err);
	return r < 0 ? r
		     : db_exec(c, err,
			       "INSERT INTO repo_blobs VALUES (?, ?, ?) ON CONFLICT(repo, digest) "
			       "DO"
			       " UPDATE SET linked = excluded.linked",
			       "iti", id, digest, clock_real());
}

static int run_mount(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct content_change *ch = CONTAINER_OF(j, struct content_change, job);
	int64_t one;
	int r;

	if (ch->from)
		r = db_query_int(c, &one, err,
				 "SELECT 1 FROM repos JOIN repo_blobs ON repo = id WHERE name = ?"
				 " AND digest = ?",
				 "tt", ch->from, ch->ref);
	else
		r = db_query_int(c, &one, err, "SELECT 1 FROM repo_blobs WHERE digest = ?", "t",
				 ch->ref);
	if (r == 0)
		return err_set(err, ERR_NOT_FOUND, "repository '%s' has no blob '%s'",
			       ch->from ? ch->from : "(any)", ch->ref);
	(void)str_copy(ch->digest, sizeof(ch->digest), ch->ref);
	if (r >= 0)
		r = content_limits_check_blob(c, ch->repo, ch->ref, -1, &ch->limits, err);
	return r < 0 ? r : content_link_blob(c, ch->repo, ch->ref, err);
}

void content_mount(struct image_store *is, const char *repo, const char *digest, const char *from,
		   const struct content_limits *lim, content_done_fn *done, void *ctx)
{
	struct content_change *ch = change_new(is, repo, digest, done, ctx);

	ch->from = from ? arena_strdup(ch->arena, from) : NULL;
	ch->job.run = run_mount;
	if (content_limits_dup(ch->arena, lim, &ch->limits, &ch->refused) < 0)
		ch->job.run = run_refused;
	db_write(is->db, &ch->job);
}
