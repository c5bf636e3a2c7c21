/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements: prepare once under the address of their text, bind and read columns by a string of
 * type letters.
 *
 * A cached statement is reset as soon as its row is done, so that no read transaction outlives the
 * caller's interest in it (a forgotten one would keep the WAL from being checkpointed).
 */
#include "db/conn.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static enum err_code code_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT: return ERR_INVALID;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return ERR_UNAVAILABLE;
	case SQLITE_TOOBIG: return ERR_TOO_LARGE;
	case SQLITE_CONSTRAINT:
		if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY)
			return ERR_EXISTS;
		return ERR_CONFLICT;
	default: return ERR_SYSTEM;
	}
}

int db_conn_err(struct db_conn *c, int rc, struct err *err, const char *what)
{
	int sys = c->sq ? sqlite3_system_errno(c->sq) : 0, ext = rc;
	const char *text = c->sq ? sqlite3_errmsg(c->sq) : sqlite3_errstr(rc);
	int r;

	rc &= 0xff;
	if (rc == SQLITE_FULL)
		r = err_sysc(err, ERR_SYSTEM, ENOSPC, "database '%s': %s", c->path, what);
	else if ((rc == SQLITE_IOERR || rc == SQLITE_CANTOPEN) && sys)
		r = err_sysc(err, ERR_SYSTEM, sys, "database '%s': %s: %s", c->path, what, text);
	else
		r = err_set(err, code_of(ext), "database '%s': %s: %s", c->path, what, text);
	if (code_of(rc) == ERR_INVALID)
		r = err_hint(err, "it was left as it is; move it away or restore a copy");
	return r;
}

int db_conn_run(struct db_conn *c, const char *sql, struct err *err)
{
	int rc = sqlite3_exec(c->sq, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_conn_err(c, rc, err, sql);
}

void db_conn_close(struct db_conn *c)
{
	for (size_t i = 0; i < DB_CACHED_MAX; i++)
		sqlite3_finalize(c->cached[i].stmt);
	memset(c->cached, 0, sizeof(c->cached));
	sqlite3_close(c->sq);
	c->sq = NULL;
}

/* The slot of this text, a free one, or NULL when the table is full. */
static struct db_row *slot_find(struct db_conn *c, const char *sql)
{
	size_t h = ((uintptr_t)sql >> 3) * 0x9e3779b1u;

	for (size_t i = 0; i < DB_CACHED_MAX; i++) {
		struct db_row *row = &c->cached[(h + i) & (DB_CACHED_MAX - 1)];

		if (!row->sql || row->sql == sql)
			return row;
	}
	return NULL;
}

static int row_prepare(struct db_conn *c, const char *sql, struct db_row **ret, struct err *err)
{
	struct db_row *row = slot_find(c, sql);
	int rc;

	if (row && row->sql) {
		assert(!row->busy);
		*ret = row;
		return 0;
	}
	if (!row) {
		row = calloc(1, sizeof(*row));
		if (!row)
			abort();
	} else {
		row->cached = true;
	}
	rc = sqlite3_prepare_v3(c->sq, sql, -1, row->cached ? SQLITE_PREPARE_PERSISTENT : 0,
				&row->stmt, NULL);
	if (rc != SQLITE_OK) {
		int r = db_conn_err(c, rc, err, sql);

		if (!row->cached)
			free(row);
		else
			row->cached = false;
		return r;
	}
	row->conn = c;
	row->sql = sql;
	*ret = row;
	return 0;
}

static int bind_one(sqlite3_stmt *st, int i, char type, va_list *ap)
{
	struct slice s;
	const char *t;

	switch (type) {
	case 'i': return sqlite3_bind_int64(st, i, va_arg(*ap, int64_t));
	case 'd': return sqlite3_bind_double(st, i, va_arg(*ap, double));
	case 't':
		t = va_arg(*ap, const char *);
		return sqlite3_bind_text(st, i, t, -1, SQLITE_STATIC);
	case 's':
		s = va_arg(*ap, struct slice);
		return sqlite3_bind_text64(st, i, s.p ? s.p : "", s.n, SQLITE_STATIC, SQLITE_UTF8);
	case 'b':
		s = va_arg(*ap, struct slice);
		return sqlite3_bind_blob64(st, i, s.p ? s.p : "", s.n, SQLITE_STATIC);
	case 'n': return sqlite3_bind_null(st, i);
	default: assert(!"type letter"); return SQLITE_MISUSE;
	}
}

static int row_open(struct db_conn *c, struct db_row **ret, struct err *err, const char *sql,
		    const char *types, va_list *ap)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	int r, rc;

	r = row_prepare(c, sql, &row, err);
	if (r < 0)
		return r;
	row->busy = true;
	assert((size_t)sqlite3_bind_parameter_count(row->stmt) == strlen(types));
	for (int i = 0; types[i]; i++) {
		rc = bind_one(row->stmt, i + 1, types[i], ap);
		if (rc != SQLITE_OK)
			return db_conn_err(c, rc, err, sql);
	}
	*ret = STEAL(row);
	return 0;
}

void db_row_done(struct db_row *row)
{
	if (!row)
		return;
	row->busy = false;
	if (row->cached) {
		sqlite3_reset(row->stmt);
		sqlite3_clear_bindings(row->stmt);
		return;
	}
	sqlite3_finalize(row->stmt);
	free(row);
}

int db_row_next(struct db_row *row, struct err *err)
{
	int rc = sqlite3_step(row->stmt);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return db_conn_err(row->conn, rc, err, row->sql);
}

static struct slice column_slice(sqlite3_stmt *st, int i, char type)
{
	const char *p =
		type == 's' ? (const char *)sqlite3_column_text(st, i) : sqlite3_column_blob(st, i);

	return slice_of(p, (size_t)sqlite3_column_bytes(st, i));
}

void db_row_get(struct db_row *row, const char *types, ...)
{
	va_list ap;

	assert((size_t)sqlite3_column_count(row->stmt) >= strlen(types));
	va_start(ap, types);
	for (int i = 0; types[i]; i++) {
		switch (types[i]) {
		case 'i': *va_arg(ap, int64_t *) = sqlite3_column_int64(row->stmt, i); break;
		case 'd': *va_arg(ap, double *) = sqlite3_column_double(row->stmt, i); break;
		case 't':
			*va_arg(ap, const char **) =
				(const char *)sqlite3_column_text(row->stmt, i);
			break;
		case 's':
		case 'b': *va_arg(ap, struct slice *) = column_slice(row->stmt, i, types[i]); break;
		case 'n': break;
		default: assert(!"type letter");
		}
	}
	va_end(ap);
}

int db_query(struct db_conn *c, struct db_row **ret, struct err *err, const char *sql,
	     const char *types, ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = row_open(c, ret, err, sql, types, &ap);
	va_end(ap);
	return r;
}

int db_exec(struct db_conn *c, struct err *err, const char *sql, const char *types, ...)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	va_list ap;
	int r;

	va_start(ap, types);
	r = row_open(c, &row, err, sql, types, &ap);
	va_end(ap);
	while (r >= 0) {
		r = db_row_next(row, err);
		if (r == 0)
			return 0;
	}
	return r;
}

int db_query_int(struct db_conn *c, int64_t *ret, struct err *err, const char *sql,
		 const char *types, ...)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	va_list ap;
	int r;

	va_start(ap, types);
	r = row_open(c, &row, err, sql, types, &ap);
	va_end(ap);
	if (r < 0)
		return r;
	r = db_row_next(row, err);
	if (r <= 0)
		return r;
	if (sqlite3_column_type(row->stmt, 0) == SQLITE_NULL)
		return 0;
	*ret = sqlite3_column_int64(row->stmt, 0);
	return 1;
}

int64_t db_changes(struct db_conn *c)
{
	return sqlite3_changes64(c->sq);
}

int64_t db_last_id(struct db_conn *c)
{
	return sqlite3_last_insert_rowid(c->sq);
}

int db_snapshot_begin(struct db_conn *c, struct db_snapshot *ret, struct err *err)
{
	int r = db_exec(c, err, "BEGIN DEFERRED", "");

	if (r < 0)
		return r;
	ret->conn = c;
	return 0;
}

void db_snapshot_end(struct db_snapshot *s)
{
	/* A read transaction has nothing to lose: COMMIT only ends it. */
	if (s->conn)
		(void)db_exec(s->conn, NULL, "COMMIT", "");
	s->conn = NULL;
}
