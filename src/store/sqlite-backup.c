/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backup, restore, and the reading of everything. The work is done on a thread of its own with a
 * connection of its own; the writer and the readers go on.
 */
#include "base/fd.h"
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESTORE_GAP 1000000000LL

struct task {
	struct work work;
	struct sq *s;
	struct store_task *t;
};

static int own_open(const char *path, struct db **ret, struct err *err)
{
	struct db_options o = { .path = path,
				.app_id = SQ_APP_ID,
				.schema = sq_schema,
				.nschema = sq_nschema,
				.read_only = true };

	return db_open(&o, ret, err);
}

/* ---- verification ---- */

static int verify_pages(struct db_conn *c, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *q = NULL;
	const char *text = NULL;
	int r;

	r = db_query(c, &q, err, "PRAGMA integrity_check(1)", "");
	if (r >= 0)
		r = db_row_next(q, err);
	if (r < 0)
		return r;
	if (r > 0)
		db_row_get(q, "t", &text);
	if (!text || strcmp(text, "ok") != 0)
		return sq_damaged(err, "%s", text ? text : "it cannot be checked");
	return 0;
}

/* A row of log against the others: its key is known, and what it was written over is there. */
static int verify_row(struct db_conn *c, const struct sq_row *row, int64_t cleaned, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *hold = NULL;
	const long long rev = SQ_REVISION_OF(row->id);
	struct sq_row prev;
	int64_t newest = 0;
	int r;

	r = db_query_int(c, &newest, err, "SELECT id FROM cur WHERE key=?", "b", row->key);
	if (r < 0)
		return r;
	if (newest < row->id)
		return sq_damaged(err, "the key of the row of revision %lld is not known", rev);
	if (row->prev >= row->id || row->created > rev)
		return sq_damaged(err, "the row of revision %lld is older than what it followed",
				  rev);
	if (row->id <= cleaned && newest != row->id && row->removed)
		return sq_damaged(err, "the removal of revision %lld should be gone", rev);
	if (!row->prev || row->id <= cleaned)
		return 0;
	r = sq_log_get(c, row->prev, &prev, &hold, err);
	if (r < 0)
		return r;
	if (r == 0 && (row->removed || row->created < rev || row->prev > cleaned))
		return sq_damaged(err, "what revision %lld was written over is gone", rev);
	if (r > 0 && !slice_eq(prev.key, row->key))
		return sq_damaged(err, "revision %lld was written over another key", rev);
	return 0;
}

static int verify_log(struct db_conn *c, const atomic_bool *stop, int64_t cleaned, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *q = NULL;
	struct sq_row row;
	int r;

	r = db_query(c, &q, err, "SELECT " SQ_LOG_COLUMNS " FROM log NOT INDEXED ORDER BY id", "");
	while (r >= 0) {
		if (stop && atomic_load(stop))
			return err_set(err, ERR_UNAVAILABLE, "the store is being closed");
		r = sq_log_next(q, &row, err);
		if (r <= 0)
			break;
		r = verify_row(c, &row, cleaned, err);
	}
	return r;
}

/* Every key's newest row is there and says the same. */
static int verify_cur(struct db_conn *c, struct err *err)
{
	int64_t n = 0;
	int r;

	r = db_query_int(
		c, &n, err,
		"SELECT count(*) FROM cur LEFT JOIN log ON log.id=cur.id WHERE log.id IS NULL"
		" OR log.key<>cur.key OR log.created<>cur.created OR log.lease<>cur.lease"
		" OR log.removed<>cur.removed",
		"");
	if (r >= 0 && n)
		return sq_damaged(err, "%lld keys do not fit their newest rows", (long long)n);
	if (r >= 0)
		r = db_query_int(c, &n, err,
				 "SELECT count(*) FROM cur WHERE lease<>0 AND lease NOT IN"
				 " (SELECT id FROM leases)",
				 "");
	if (r >= 0 && n)
		return sq_damaged(err, "%lld keys hang on leases that are not known", (long long)n);
	return r < 0 ? r : 0;
}

int sq_verify_all(struct db *db, const atomic_bool *stop, struct err *err)
{
	CLEANUP(db_snapshot_end) struct db_snapshot snap = { 0 };
	struct db_conn *c = db_reader(db);
	int64_t revision, compacted, cleaned = 0;
	int r = db_snapshot_begin(c, &snap, err);

	if (r >= 0)
		r = verify_pages(c, err);
	if (r >= 0)
		r = sq_meta(c, &revision, &compacted, err);
	if (r >= 0)
		r = db_query_int(c, &cleaned, err, "SELECT cleaned FROM meta", "");
	if (r >= 0 && cleaned >= SQ_FIRST_ID(compacted + 1))
		return sq_damaged(err, "more is cleaned than compacted");
	if (r >= 0)
		r = verify_cur(c, err);
	if (r >= 0)
		r = verify_log(c, stop, cleaned, err);
	return r < 0 ? r : 0;
}

/* ---- tasks ---- */

static void verify_run(struct work *w)
{
	struct task *k = CONTAINER_OF(w, struct task, work);
	CLEANUP(db_close) struct db *db = NULL;
	int r = own_open(k->s->path, &db, &k->t->err);

	if (r >= 0)
		r = sq_verify_all(db, &k->s->closing, &k->t->err);
	k->t->result = r < 0 ? err_wrap(&k->t->err, "verify '%s'", k->s->path) : 0;
}

static void backup_run(struct work *w)
{
	struct task *k = CONTAINER_OF(w, struct task, work);
	CLEANUP(db_close) struct db *db = NULL;
	int r = own_open(k->s->path, &db, &k->t->err);

	if (r >= 0)
		r = db_backup(db_reader(db), k->t->path, &k->s->closing, &k->t->err);
	k->t->result = r < 0 ? err_wrap(&k->t->err, "backup of '%s'", k->s->path) : 0;
}

static void task_done(struct work *w)
{
	struct task *k = CONTAINER_OF(w, struct task, work);
	struct store_task *t = k->t;

	free(k);
	t->done(t);
}

static void submit(struct store *st, struct store_task *t, void (*run)(struct work *w))
{
	struct sq *s = sq_of(st);
	struct task *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		abort();
	k->s = s;
	k->t = t;
	r = work_submit(s->carer, &k->work, run, task_done, &t->err);
	if (r >= 0)
		return; /* it may have run already: the result is its own */
	t->result = r;
	k->work.done = task_done;
	loop_post(st->loop, &k->work.post);
}

void sq_backup(struct store *st, struct store_task *t)
{
	submit(st, t, backup_run);
}

void sq_verify(struct store *st, struct store_task *t)
{
	submit(st, t, verify_run);
}

/* ---- restore ---- */

static int no_file(const char *path, struct err *err)
{
	struct stat sb;

	if (lstat(path, &sb) == 0)
		return err_sysc(err, ERR_EXISTS, EEXIST,
				"'%s' is there already: move it away first", path);
	return errno == ENOENT ? 0 : err_sys(err, "look for '%s'", path);
}

/* The files that a store has beside it, and that would be taken for this one's. */
static int nothing_beside(const char *path, struct err *err)
{
	static const char *const tails[] = { "", "-wal", "-shm", "-journal" };
	char name[4096];

	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		int r;

		if ((size_t)snprintf(name, sizeof(name), "%s%s", path, tails[i]) >= sizeof(name))
			return err_set(err, ERR_INVALID, "the path '%s' is too long", path);
		r = no_file(name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int is_backup(const char *path, struct err *err)
{
	char name[4096];
	struct stat sb;

	if (stat(path, &sb) < 0)
		return errno == ENOENT
			       ? err_sysc(err, ERR_NOT_FOUND, ENOENT, "there is no '%s'", path)
			       : err_sys(err, "look for '%s'", path);
	if ((size_t)snprintf(name, sizeof(name), "%s-wal", path) >= sizeof(name))
		return err_set(err, ERR_INVALID, "the path '%s' is too long", path);
	if (lstat(name, &sb) == 0 && sb.st_size > 0)
		return err_set(err, ERR_INVALID,
			       "'%s' has a log beside it: it is a store in use, or a part of one, "
			       "not a backup",
			       path);
	return 0;
}

/* Clients that saw revisions behind the backup's must not take new ones for those. */
static int leap(void *ctx, struct db_conn *c, struct err *err)
{
	int64_t revision, compacted;
	int r = sq_meta(c, &revision, &compacted, err);

	return r < 0 ? r
		     : db_exec(c, err, "UPDATE meta SET compacted=?", "i", revision + RESTORE_GAP);
}

/* From the backup into a file of our own, checked, and only then under the store's name. */
static int restore_into(const char *backup, const char *tmp, const char *path, struct err *err)
{
	CLEANUP(db_close) struct db *from = NULL;
	CLEANUP(db_close) struct db *copy = NULL;
	struct db_options o = {
		.path = tmp, .app_id = SQ_APP_ID, .schema = sq_schema, .nschema = sq_nschema
	};
	int r = own_open(backup, &from, err);

	if (r >= 0)
		r = sq_verify_all(from, NULL, err);
	if (r >= 0)
		r = db_backup(db_reader(from), tmp, NULL, err);
	if (r >= 0)
		r = db_open(&o, &copy, err);
	if (r >= 0)
		r = db_write_wait(copy, leap, NULL, err);
	return r >= 0 ? db_backup(db_reader(copy), path, NULL, err) : r;
}

int store_restore(const char *backup, const char *path, struct err *err)
{
	char tmp[4096];
	int r = is_backup(backup, err);

	if (r >= 0)
		r = nothing_beside(path, err);
	if (r < 0)
		return err_wrap(err, "restore '%s'", path);
	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.restore", path) >= sizeof(tmp))
		return err_set(err, ERR_INVALID, "the path '%s' is too long", path);
	(void)unlink(tmp); /* of one that was killed */
	r = restore_into(backup, tmp, path, err);
	(void)unlink(tmp);
	return r < 0 ? err_wrap(err, "restore '%s' from '%s'", path, backup) : 0;
}
