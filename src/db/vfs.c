/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite's own way to files, but for names (db_conn_vfs), and for what a steady database takes:
 *
 * A commit that makes the log longer syncs the bytes and then the file's new length: two writes of
 * the disk, one after the other. Within a length that the file has already it is one. So zeros are
 * written ahead, a step at a time; SQLite takes them for the end of the log (a frame's checksum is
 * never that of zeros). In steps that are a stall of a millisecond: eight times as much at once
 * took seven, and 5,000 commits a second then have 35 behind each.
 *
 * A checkpoint writes megabytes into the database and syncs them at the end; a commit's sync that
 * comes then waits for all of them. So they are synced in pieces, between which commits have the
 * disk.
 */
#include "base/str.h"
#include "db/conn.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#define STEP (1 << 20)
#define PIECE (512 << 10)

/* SQLite keeps pointers to them for good. */
static struct {
	sqlite3_vfs *base, relative, ahead, ahead_relative;
} all;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- names ---- */

/* A link at the end is refused, as SQLITE_OPEN_NOFOLLOW asks of SQLite's own. */
static int full_name(sqlite3_vfs *v, const char *name, int n, char *out)
{
	struct stat st;

	if (!str_copy(out, (size_t)n, name))
		return SQLITE_CANTOPEN;
	if (lstat(name, &st) < 0)
		return errno == ENOENT ? SQLITE_OK : SQLITE_CANTOPEN;
	return S_ISLNK(st.st_mode) ? SQLITE_CANTOPEN : SQLITE_OK;
}

/* ---- a log laid out ahead, a database synced in pieces ---- */

/* Behind SQLite's own part of an open file. */
struct ahead {
	sqlite3_io_methods methods;
	const sqlite3_io_methods *base;
	sqlite3_int64 size; /* of a log; -1: not known */
	int unsynced;	    /* bytes of a database */
};

static struct ahead *ahead_of(sqlite3_file *f)
{
	return (struct ahead *)(void *)((char *)f + all.base->szOsFile);
}

/* Best effort: a disk that is full tells it of the write itself. */
static void lay_out(sqlite3_file *f, struct ahead *l, sqlite3_int64 end)
{
	static const char zeros[65536];
	sqlite3_int64 to;

	if (l->size < 0 && l->base->xFileSize(f, &l->size) != SQLITE_OK)
		return;
	to = MAX(l->size + STEP, end) / STEP * STEP;
	to += to < end ? STEP : 0;
	while (l->size < to) {
		const sqlite3_int64 n = MIN(to - l->size, (sqlite3_int64)sizeof(zeros));

		if (l->base->xWrite(f, zeros, (int)n, l->size) != SQLITE_OK) {
			l->size = -1;
			return;
		}
		l->size += n;
	}
}

static int log_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	struct ahead *l = ahead_of(f);

	if (l->size < at + n)
		lay_out(f, l, at + n);
	return l->base->xWrite(f, p, n, at);
}

static int log_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	struct ahead *l = ahead_of(f);

	l->size = -1;
	return l->base->xTruncate(f, size);
}

static int db_write_in_pieces(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	struct ahead *l = ahead_of(f);
	int rc = l->base->xWrite(f, p, n, at);

	l->unsynced += n;
	if (rc != SQLITE_OK || l->unsynced < PIECE)
		return rc;
	l->unsynced = 0;
	return l->base->xSync(f, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
}

static int open_ahead(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	int rc = all.base->xOpen(all.base, name, f, flags, ret_flags);
	struct ahead *l = ahead_of(f);

	if (rc != SQLITE_OK || !(flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB)) || !f->pMethods)
		return rc;
	*l = (struct ahead){ .methods = *f->pMethods, .base = f->pMethods, .size = -1 };
	if (flags & SQLITE_OPEN_WAL) {
		l->methods.xWrite = log_write;
		l->methods.xTruncate = log_truncate;
	} else {
		l->methods.xWrite = db_write_in_pieces;
	}
	f->pMethods = &l->methods;
	return rc;
}

static void set_up(void)
{
	all.base = sqlite3_vfs_find(NULL);
	all.relative = all.ahead = all.ahead_relative = *all.base;
	all.relative.zName = "teu-relative";
	all.ahead.zName = "teu-ahead";
	all.ahead_relative.zName = "teu-ahead-relative";
	all.relative.xFullPathname = all.ahead_relative.xFullPathname = full_name;
	all.ahead.xOpen = all.ahead_relative.xOpen = open_ahead;
	all.ahead.szOsFile = all.ahead_relative.szOsFile += (int)sizeof(struct ahead);
	/* Cannot fail: no memory is taken. */
	(void)sqlite3_vfs_register(&all.relative, 0);
	(void)sqlite3_vfs_register(&all.ahead, 0);
	(void)sqlite3_vfs_register(&all.ahead_relative, 0);
}

const char *db_conn_vfs(const char *path, bool ahead)
{
	if (path[0] == '/' && !ahead)
		return NULL;
	(void)sqlite3_initialize();
	(void)pthread_once(&once, set_up);
	if (!ahead)
		return all.relative.zName;
	return path[0] == '/' ? all.ahead.zName : all.ahead_relative.zName;
}
