/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of mounts, one for each; those of an earlier boot go when the next one comes. */
#include "image/mounts.h"

#include "image/private.h"

struct one {
	struct image_store *is;
	const char *id, *path;
};

static int run_add(void *ctx, struct db_conn *c, struct err *err)
{
	const struct one *o = ctx;
	int64_t there;
	int r;

	r = db_query_int(c, &there, err, "SELECT 1 FROM images WHERE id = ?", "t", o->id);
	if (r <= 0)
		return r < 0 ? r : err_set(err, ERR_NOT_FOUND, "No such image: %s", o->id);
	r = db_exec(c, err, "DELETE FROM mounts WHERE boot != ?", "t", o->is->boot);
	return r < 0 ? r
		     : db_exec(c, err, "INSERT INTO mounts(image, boot, path) VALUES (?, ?, ?)",
			       "ttt", o->id, o->is->boot, o->path);
}

int image_mount_add(struct image_store *is, const struct image *img, const char *path,
		    struct err *err)
{
	struct one o = { is, image_id(img), path };
	int r = db_write_wait(is->db, run_add, &o, err);

	return r < 0 ? r : 0;
}

static int run_drop(void *ctx, struct db_conn *c, struct err *err)
{
	const struct one *o = ctx;
	int r = db_exec(c, err,
			"DELETE FROM mounts WHERE id = (SELECT max(id) FROM mounts WHERE path = ?1"
			" AND boot = ?2)",
			"tt", o->path, o->is->boot);

	return r < 0 ? r : db_changes(c) > 0;
}

int image_mount_drop(struct image_store *is, const char *path, struct err *err)
{
	struct one o = { is, NULL, path };

	return db_write_wait(is->db, run_drop, &o, err);
}

int image_mount_check(struct image_store *is, struct db_conn *c, const char *id, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *path;
	int r;

	r = db_query(c, &row, err,
		     "SELECT path FROM mounts WHERE image = ? AND boot = ? ORDER BY id LIMIT 1",
		     "tt", id, is->boot);
	if (r >= 0)
		r = db_row_next(row, err);
	if (r <= 0)
		return r;
	db_row_get(row, "t", &path);
	return err_set(err, ERR_CONFLICT,
		       "conflict: unable to delete %.12s (cannot be forced) - image is mounted on "
		       "'%s'; first: teu image unmount '%s'",
		       IMAGE_HEX(id), path, path);
}
