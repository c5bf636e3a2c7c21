/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/db: a connection, its cached statements, and SQLite's result codes as our errors.
 */
#pragma once

#include "db/db.h"

#include <sqlite3.h>

#define DB_CACHED_MAX 64u /* power of two */

struct db_row {
	struct db_conn *conn;
	const char *sql; /* key by address; NULL = free slot */
	sqlite3_stmt *stmt;
	bool busy, cached;
};

struct db_conn {
	sqlite3 *sq;
	const char *path; /* borrowed from struct db: for messages */
	struct db_row cached[DB_CACHED_MAX];
};

/* How SQLite reaches `path`: NULL is its usual way, which looks at each part of an absolute path. A
 * relative one is taken as it is: a process that gave up root may not pass the directories above
 * the one it stands in. ahead: the log is laid out ahead (db_options.steady). */
const char *db_conn_vfs(const char *path, bool ahead);
/* Maps the connection's last failure. `what` says what was tried. */
int db_conn_err(struct db_conn *c, int rc, struct err *err, const char *what);
/* SQL without parameters or results, not cached. */
int db_conn_run(struct db_conn *c, const char *sql, struct err *err);
void db_conn_close(struct db_conn *c);
