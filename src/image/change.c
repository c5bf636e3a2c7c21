/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tagging and removing: each one job of the database's writer, told by done(). Removing goes in two
 * commits, rows and then files (gc.c says why), and the trees are deleted by a thread afterwards.
 */
#include "base/clock.h"
#include "base/err.h"
#include "image/mounts.h"
#include "image/private.h"

#include <string.h>

/* An image has a few hundred parts at most; what is left of others' notes waits for the next. */
#define GC_MAX 2048

struct image_change {
	struct db_job job;
	struct image_store *is;
	char id[IMAGE_DIGEST_MAX];
	struct image_name name;
	char text[1100];
	bool force;
	struct image_removal rm;
	struct image_gc_result gc;
	image_done_fn *done;
	image_removed_fn *removed;
	void *ctx;
	struct err early; /* found wrong before the job: told the same way */
};

static struct image_change *change_new(struct image_store *is)
{
	struct image_change *ch = calloc(1, sizeof(*ch));

	if (!ch)
		abort();
	ch->is = is;
	return ch;
}

/* ---- tag ---- */

static int run_tag(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct image_change *ch = CONTAINER_OF(j, struct image_change, job);
	int64_t one;
	int r;

	if (ch->early.code) {
		if (err)
			*err = ch->early;
		return err_ret(&ch->early);
	}
	r = db_query_int(c, &one, err, "SELECT 1 FROM images WHERE id = ?", "t", ch->id);
	if (r <= 0)
		return r < 0 ? r : err_set(err, ERR_NOT_FOUND, "No such image: %s", ch->id);
	return db_exec(c, err,
		       "INSERT INTO refs VALUES (?, ?, ?, ?) ON CONFLICT(repo, tag) DO UPDATE"
		       " SET image = excluded.image, updated = excluded.updated",
		       "ttti", ch->name.name, ch->name.tag, ch->id, clock_real());
}

static void tag_done(struct db_job *j)
{
	struct image_change *ch = CONTAINER_OF(j, struct image_change, job);

	ch->done(ch->ctx, j->result, &j->err);
	free(ch);
}

void image_tag(struct image_store *is, const struct image *img, const char *target,
	       image_done_fn *done, void *ctx)
{
	struct image_change *ch = change_new(is);

	(void)str_copy(ch->id, sizeof(ch->id), image_id(img));
	ch->done = done;
	ch->ctx = ctx;
	if (image_name_parse(target, &ch->name, &ch->early) == 0 && ch->name.digest[0])
		err_set(&ch->early, ERR_BAD_REQUEST,
			"refusing to create a tag with a digest reference");
	image_name_default_tag(&ch->name);
	ch->job.run = run_tag;
	ch->job.done = tag_done;
	db_write(is->db, &ch->job);
}

/* ---- remove ---- */

static int add_untagged(struct image_removal *rm, struct db_row *row, bool digest)
{
	struct image_name n = { 0 };
	const char *repo, *what;

	if (rm->nuntagged == ARRAY_LEN(rm->untagged))
		return 0; /* only the list is cut */
	db_row_get(row, "tt", &repo, &what);
	(void)str_copy(n.name, sizeof(n.name), repo);
	(void)str_copy(digest ? n.digest : n.tag, digest ? sizeof(n.digest) : sizeof(n.tag), what);
	image_name_familiar(&n, rm->untagged[rm->nuntagged++]);
	return 0;
}

static int list_names(struct image_change *ch, struct db_conn *c, const char *sql, bool digest,
		      struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	int r;

	r = db_query(c, &row, err, sql, "t", ch->id);
	while (r >= 0 && (r = db_row_next(row, err)) > 0)
		r = add_untagged(&ch->rm, row, digest);
	return r;
}

/* Layers that only this image used, top first. */
static int list_layers(struct image_change *ch, struct db_conn *c, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *chain;
	int r;

	(void)str_copy(ch->rm.deleted[ch->rm.ndeleted++], IMAGE_DIGEST_MAX, ch->id);
	r = db_query(c, &row, err,
		     "SELECT chain FROM image_layers AS mine WHERE image = ?1 AND NOT EXISTS "
		     "(SELECT 1 FROM image_layers"
		     " WHERE chain = mine.chain AND image != ?1) ORDER BY pos DESC",
		     "t", ch->id);
	while (r >= 0 && (r = db_row_next(row, err)) > 0 &&
	       ch->rm.ndeleted < ARRAY_LEN(ch->rm.deleted)) {
		db_row_get(row, "t", &chain);
		(void)str_copy(ch->rm.deleted[ch->rm.ndeleted++], IMAGE_DIGEST_MAX, chain);
	}
	return r < 0 ? r : 0;
}

static int delete_image(struct image_change *ch, struct db_conn *c, struct err *err)
{
	int r = image_mount_check(ch->is, c, ch->id, err);

	if (r >= 0)
		r = list_names(ch, c,
			       "SELECT repo, tag FROM refs WHERE image = ? ORDER BY repo, tag",
			       false, err);
	if (r >= 0)
		r = list_names(
			ch, c,
			"SELECT repo, digest FROM digests WHERE image = ? ORDER BY repo, digest",
			true, err);
	if (r >= 0)
		r = list_layers(ch, c, err);
	if (r >= 0)
		r = image_gc_doubt_image(c, ch->id, err);
	if (r >= 0)
		r = db_exec(c, err, "DELETE FROM images WHERE id = ?", "t", ch->id);
	return r < 0 ? r : image_gc_rows(c, GC_MAX, err);
}

/* Takes one name away. 1 = others are left. */
static int untag(struct image_change *ch, struct db_conn *c, struct err *err)
{
	int64_t left = 0;
	int r;

	r = db_query_int(c, &left, err, "SELECT count(*) FROM refs WHERE image = ?", "t", ch->id);
	if (r < 0 || left <= 1)
		return r < 0 ? r : 0;
	r = db_exec(c, err, "DELETE FROM refs WHERE repo = ? AND tag = ?", "tt", ch->name.name,
		    ch->name.tag);
	if (r >= 0)
		image_name_familiar(&ch->name, ch->rm.untagged[ch->rm.nuntagged++]);
	return r < 0 ? r : 1;
}

static int run_remove(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct image_change *ch = CONTAINER_OF(j, struct image_change, job);
	int64_t repos = 0, tags = 0;
	bool by_id;
	int r;

	ch->rm.nuntagged = ch->rm.ndeleted = 0;
	r = image_find(c, ch->text, ch->id, &by_id, &ch->name, err);
	if (r < 0)
		return r;
	r = db_query_int(c, &repos, err, "SELECT count(DISTINCT repo) FROM refs WHERE image = ?",
			 "t", ch->id);
	if (r >= 0)
		r = db_query_int(c, &tags, err, "SELECT count(*) FROM refs WHERE image = ?", "t",
				 ch->id);
	if (r < 0)
		return r;
	if (by_id && repos > 1 && !ch->force)
		return err_set(err, ERR_CONFLICT,
			       "conflict: unable to delete %.12s (must be forced) - image is "
			       "referenced in multiple"
			       " repositories",
			       IMAGE_HEX(ch->id));
	if (!by_id && !ch->name.digest[0]) {
		r = untag(ch, c, err);
		if (r)
			return r < 0 ? r : 0;
	}
	return delete_image(ch, c, err);
}

static int run_remove_files(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct image_change *ch = CONTAINER_OF(j, struct image_change, job);

	return image_gc_files(ch->is, c, GC_MAX, &ch->gc, err);
}

static void remove_end(struct image_change *ch, int result, const struct err *err)
{
	ch->removed(ch->ctx, result, &ch->rm, err);
	free(ch);
}

static void files_done(struct db_job *j)
{
	struct image_change *ch = CONTAINER_OF(j, struct image_change, job);

	/* The image is gone whatever became of its files: the next collection finds them again. */
	image_gc_sweep_start(ch->is);
	remove_end(ch, 0, &j->err);
}

static void rows_done(struct db_job *j)
{
	struct image_change *ch = CONTAINER_OF(j, struct image_change, job);

	if (j->result < 0 || ch->rm.ndeleted == 0) {
		remove_end(ch, j->result, &j->err);
		return;
	}
	ch->job = (struct db_job){ .run = run_remove_files, .done = files_done };
	db_write(ch->is->db, &ch->job);
}

void image_remove(struct image_store *is, const char *text, bool force, image_removed_fn *done,
		  void *ctx)
{
	struct image_change *ch = change_new(is);

	(void)str_copy(ch->text, sizeof(ch->text),
		       text); /* longer than any valid name: cut ones are refused */
	ch->force = force;
	ch->removed = done;
	ch->ctx = ctx;
	ch->job.run = run_remove;
	ch->job.done = rows_done;
	db_write(is->db, &ch->job);
}
