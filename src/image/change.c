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

#define TOGETHER_MAX 512 /* images of one index; what is above stays, without a name */

struct image_change {
	struct db_job job;
	struct image_store *is;
	struct image_found found;
	struct image_name name; /* of the new tag */
	char text[1100];
	bool force;
	char platforms[IMAGE_PLATFORMS_MAX][104];
	size_t nplatforms;
	char (*ids)[IMAGE_DIGEST_MAX]; /* of images that may go: the found one first */
	size_t nids;
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

/* The id of the image that a name means alone stands for all that the name means. */
static int index_of_id(struct db_conn *c, struct image_found *f, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *index;
	int r;

	r = db_query(c, &row, err,
		     "SELECT idx FROM refs WHERE image = ? AND idx IS NOT NULL ORDER BY updated"
		     " DESC LIMIT 1",
		     "t", f->id);
	if (r >= 0)
		r = db_row_next(row, err);
	if (r <= 0)
		return r;
	db_row_get(row, "t", &index);
	(void)str_copy(f->index, sizeof(f->index), index);
	return 0;
}

static int run_tag(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct image_change *ch = CONTAINER_OF(j, struct image_change, job);
	struct image_found *f = &ch->found;
	int r;

	if (ch->early.code) {
		if (err)
			*err = ch->early;
		return err_ret(&ch->early);
	}
	r = image_find(c, ch->text, f, err);
	if (r >= 0 && f->by_id)
		r = index_of_id(c, f, err);
	return r < 0 ? r
		     : db_exec(c, err,
			       "INSERT INTO refs(repo, tag, image, updated, idx) VALUES"
			       " (?, ?, ?, ?, ?) ON CONFLICT(repo, tag) DO UPDATE SET image ="
			       " excluded.image, updated = excluded.updated, idx = excluded.idx",
			       "tttit", ch->name.name, ch->name.tag, f->id, clock_real(),
			       f->index[0] ? f->index : NULL);
}

static void tag_done(struct db_job *j)
{
	struct image_change *ch = CONTAINER_OF(j, struct image_change, job);

	ch->done(ch->ctx, j->result, &j->err);
	free(ch);
}

void image_tag(struct image_store *is, const char *source, const char *target, image_done_fn *done,
	       void *ctx)
{
	struct image_change *ch = change_new(is);

	(void)str_copy(ch->text, sizeof(ch->text),
		       source); /* longer than any valid name: cut ones are refused */
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

static int list_names(struct image_change *ch, struct db_conn *c, const char *sql, const char *id,
		      bool digest, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	int r;

	r = db_query(c, &row, err, sql, "t", id);
	while (r >= 0 && (r = db_row_next(row, err)) > 0)
		r = add_untagged(&ch->rm, row, digest);
	return r;
}

static void add_deleted(struct image_removal *rm, const char *digest)
{
	if (rm->ndeleted < ARRAY_LEN(rm->deleted)) /* only the list is cut */
		(void)str_copy(rm->deleted[rm->ndeleted++], IMAGE_DIGEST_MAX, digest);
}

/* Layers that only this image used, top first. */
static int list_layers(struct image_change *ch, struct db_conn *c, const char *id, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *chain;
	int r;

	add_deleted(&ch->rm, id);
	r = db_query(c, &row, err,
		     "SELECT chain FROM image_layers AS mine WHERE image = ?1 AND NOT EXISTS "
		     "(SELECT 1 FROM image_layers"
		     " WHERE chain = mine.chain AND image != ?1) ORDER BY pos DESC",
		     "t", id);
	while (r >= 0 && (r = db_row_next(row, err)) > 0) {
		db_row_get(row, "t", &chain);
		add_deleted(&ch->rm, chain);
	}
	return r < 0 ? r : 0;
}

static int delete_image(struct image_change *ch, struct db_conn *c, const char *id, struct err *err)
{
	int r = image_mount_check(ch->is, c, id, err);

	if (r >= 0)
		r = list_names(ch, c,
			       "SELECT repo, tag FROM refs WHERE image = ? ORDER BY repo, tag", id,
			       false, err);
	if (r >= 0)
		r = list_names(
			ch, c,
			"SELECT repo, digest FROM digests WHERE image = ? ORDER BY repo, digest",
			id, true, err);
	if (r >= 0)
		r = list_layers(ch, c, id, err);
	if (r >= 0)
		r = image_gc_doubt_image(c, id, err);
	if (r >= 0)
		r = db_exec(c, err, "DELETE FROM images WHERE id = ?", "t", id);
	return r < 0 ? r : image_gc_rows(c, GC_MAX, err);
}

/* How many names mean the image, alone or by platform; or how many repositories have such. */
#define MEANING(what)                                                                  \
	"SELECT count(" what ") FROM refs WHERE image = ?1 OR idx IN (SELECT idx FROM" \
	" index_images WHERE image = ?1)"

static int collect(struct image_change *ch, struct db_conn *c, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const struct image_found *f = &ch->found;
	const char *id;
	int r;

	ch->nids = 0;
	(void)str_copy(ch->ids[ch->nids++], IMAGE_DIGEST_MAX, f->id);
	r = db_query(c, &row, err,
		     "SELECT DISTINCT image FROM index_images WHERE image != ?1 AND (idx = ?2 OR"
		     " (?3 AND idx IN (SELECT idx FROM refs WHERE image = ?1))) LIMIT ?4",
		     "ttii", f->id, f->index, (int64_t)f->by_id, (int64_t)(TOGETHER_MAX - 1));
	while (r >= 0 && (r = db_row_next(row, err)) > 0) {
		db_row_get(row, "t", &id);
		(void)str_copy(ch->ids[ch->nids++], IMAGE_DIGEST_MAX, id);
	}
	return r;
}

static int drop_tag(struct image_change *ch, struct db_conn *c, struct err *err)
{
	int r = db_exec(c, err, "DELETE FROM refs WHERE repo = ? AND tag = ?", "tt",
			ch->found.name.name, ch->found.name.tag);

	if (r >= 0)
		image_name_familiar(&ch->found.name, ch->rm.untagged[ch->rm.nuntagged++]);
	return r;
}

/* All names that mean the found image alone, and those of the index that was named. */
#define DROPPED "FROM refs WHERE image = ?1 OR (?2 != '' AND idx = ?2)"
static int drop_names(struct image_change *ch, struct db_conn *c, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const struct image_found *f = &ch->found;
	int r;

	r = db_query(c, &row, err, "SELECT repo, tag " DROPPED " ORDER BY repo, tag", "tt", f->id,
		     f->index);
	while (r >= 0 && (r = db_row_next(row, err)) > 0)
		r = add_untagged(&ch->rm, row, false);
	return r < 0 ? r : db_exec(c, err, "DELETE " DROPPED, "tt", f->id, f->index);
}

/* What has no name any more goes; the found image also with other names, if it was meant itself. */
static int delete_nameless(struct image_change *ch, struct db_conn *c, bool itself, struct err *err)
{
	int64_t names = 0;
	int r = 0;

	for (size_t i = 0; i < ch->nids && r >= 0; i++) {
		r = db_query_int(c, &names, err, MEANING("*"), "t", ch->ids[i]);
		if (r >= 0 && itself && i == 0 && names)
			r = index_hand_over(c, ch->ids[i], err);
		if (r >= 0 && (!names || (itself && i == 0)))
			r = delete_image(ch, c, ch->ids[i], err);
	}
	return MIN(r, 0);
}

/* The images for the platforms, whatever names mean them. */
static int remove_platforms(struct image_change *ch, struct db_conn *c, struct err *err)
{
	struct image_found f;
	int r = 0;

	for (size_t i = 0; i < ch->nplatforms && r >= 0; i++) {
		r = image_find_platform(c, ch->text, ch->platforms[i], &f, err);
		if (r >= 0)
			r = index_hand_over(c, f.id, err);
		if (r >= 0)
			r = delete_image(ch, c, f.id, err);
	}
	return r;
}

static int run_remove(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct image_change *ch = CONTAINER_OF(j, struct image_change, job);
	struct image_found *f = &ch->found;
	int64_t repos = 0;
	int r;

	ch->rm.nuntagged = ch->rm.ndeleted = 0;
	if (ch->early.code) {
		if (err)
			*err = ch->early;
		return err_ret(&ch->early);
	}
	if (ch->nplatforms)
		return remove_platforms(ch, c, err);
	r = image_find(c, ch->text, f, err);
	if (r >= 0)
		r = db_query_int(c, &repos, err, MEANING("DISTINCT repo"), "t", f->id);
	if (r < 0)
		return r;
	if (f->by_id && repos > 1 && !ch->force)
		return err_set(err, ERR_CONFLICT,
			       "conflict: unable to delete %.12s (must be forced) - image is "
			       "referenced in multiple"
			       " repositories",
			       IMAGE_HEX(f->id));
	r = collect(ch, c, err);
	if (r >= 0)
		r = f->by_id || f->name.digest[0] ? drop_names(ch, c, err) : drop_tag(ch, c, err);
	return r < 0 ? r : delete_nameless(ch, c, f->by_id || f->name.digest[0], err);
}

static int run_remove_files(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct image_change *ch = CONTAINER_OF(j, struct image_change, job);

	return image_gc_files(ch->is, c, GC_MAX, &ch->gc, err);
}

static void remove_end(struct image_change *ch, int result, const struct err *err)
{
	ch->removed(ch->ctx, result, &ch->rm, err);
	free(ch->ids);
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

void image_remove(struct image_store *is, const char *text, const struct strv *platforms,
		  bool force, image_removed_fn *done, void *ctx)
{
	struct image_change *ch = change_new(is);

	ch->ids = calloc(TOGETHER_MAX, sizeof(*ch->ids));
	if (!ch->ids)
		abort();
	(void)str_copy(ch->text, sizeof(ch->text),
		       text); /* longer than any valid name: cut ones are refused */
	for (size_t i = 0; platforms && i < platforms->n; i++)
		if (i == IMAGE_PLATFORMS_MAX ||
		    !str_copy(ch->platforms[ch->nplatforms++], sizeof(ch->platforms[0]),
			      platforms->v[i])) {
			err_set(&ch->early, ERR_BAD_REQUEST,
				"more than %d platforms, or one with a long name",
				IMAGE_PLATFORMS_MAX);
			break;
		}
	ch->force = force;
	ch->removed = done;
	ch->ctx = ctx;
	ch->job.run = run_remove;
	ch->job.done = rows_done;
	db_write(is->db, &ch->job);
}
