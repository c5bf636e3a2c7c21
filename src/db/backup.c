/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of a database that is in use. The connection holds one read transaction all the while, so
 * the copy is of one moment and never begins anew when others write; the log cannot be reset
 * meanwhile.
 */
#define TEU_RAW_SYSCALLS /* link(2), unlink(2) of names beside the caller's */
#include "db/db.h"

#include "base/fd.h"
#include "base/hash.h"
#include "db/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <unistd.h>

#define STEP_PAGES 256

static int copy_pages(struct db_conn *c, sqlite3 *to, const char *path, const atomic_bool *stop,
		      struct err *err)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", c->sq, "main");
	struct db_conn dst = { .sq = to, .path = path };
	int rc, end;

	if (!b)
		return db_conn_err(&dst, sqlite3_errcode(to), err, "begin the copy");
	do {
		rc = stop && atomic_load(stop) ? SQLITE_INTERRUPT
					       : sqlite3_backup_step(b, STEP_PAGES);
	} while (rc == SQLITE_OK);
	end = sqlite3_backup_finish(b);
	if (rc == SQLITE_INTERRUPT)
		return err_set(err, ERR_UNAVAILABLE, "copy to '%s': ended before it was whole",
			       path);
	if (rc == SQLITE_DONE && end == SQLITE_OK)
		return 0;
	/* Reading fails on our side, writing on the other's. */
	if (end == SQLITE_OK || (rc & 0xff) == SQLITE_CORRUPT)
		return db_conn_err(c, rc, err, "copy");
	return db_conn_err(&dst, end, err, "copy");
}

static int copy_into(struct db_conn *c, const char *path, const atomic_bool *stop, struct err *err)
{
	CLEANUP(db_snapshot_end) struct db_snapshot snap = { 0 };
	struct db_conn dst = { .path = path };
	int64_t pages;
	int r, rc;

	rc = sqlite3_open_v2(path, &dst.sq,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
			     db_conn_vfs(path, false));
	r = rc == SQLITE_OK ? 0 : db_conn_err(&dst, rc, err, "open");
	if (r == 0) /* its name comes when it is synced: no journal of its own */
		r = db_conn_run(&dst, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;", err);
	if (r == 0)
		r = db_snapshot_begin(c, &snap, err);
	if (r == 0) /* the snapshot begins with the first read */
		r = db_query_int(c, &pages, err, "PRAGMA schema_version", "");
	if (r >= 0)
		r = copy_pages(c, dst.sq, path, stop, err);
	db_conn_close(&dst);
	return r < 0 ? r : 0;
}

/* Synced, then under its own name, which nobody had. */
static int give_name(const char *tmp, const char *path, int fd, struct err *err)
{
	CLEANUP_FREE char *copy = strdup(path);
	CLEANUP(fd_close) int dir = -1;

	if (!copy)
		abort();
	if (fsync(fd) < 0)
		return err_sys(err, "sync '%s'", tmp);
	if (link(tmp, path) < 0)
		return errno == EEXIST
			       ? err_sysc(err, ERR_EXISTS, EEXIST, "'%s' is there already", path)
			       : err_sys(err, "name '%s'", path);
	dir = openat(AT_FDCWD, dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fd_fsync_dir(dir, err) < 0) {
		(void)unlink(path);
		return dir < 0 ? err_sys(err, "open the folder of '%s'", path) : err_ret(err);
	}
	return 0;
}

int db_backup(struct db_conn *c, const char *path, const atomic_bool *stop, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	char id[9], tmp[4096];
	int r;

	random_hex(id, 8);
	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.new-%s", path, id) >= sizeof(tmp))
		return err_set(err, ERR_INVALID, "the path '%s' is too long", path);
	if (access(path, F_OK) == 0)
		return err_sysc(err, ERR_EXISTS, EEXIST, "'%s' is there already", path);
	fd = openat(AT_FDCWD, tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, "create '%s'", tmp);
	r = copy_into(c, tmp, stop, err);
	if (r == 0)
		r = give_name(tmp, path, fd, err);
	(void)unlink(tmp);
	return r;
}
