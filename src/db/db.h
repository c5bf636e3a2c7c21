/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite, thin: open and migrate, statements in one call, and one writer thread with group commit.
 *
 * A struct db holds two connections: the reader, used only by the thread that opened it (the
 * loop's), and the writer, used only by the db's own thread. A write is a job: its run() is called
 * on the writer thread inside a transaction that it shares with other waiting jobs, each in a
 * savepoint of its own; done() comes back on the loop after the commit is durable (WAL, synchronous
 * FULL). A reader that looks after done() sees the job's rows. Several processes may open one file:
 * transactions are short, the busy time-out covers them. A database that is damaged, foreign or of
 * a newer version is refused, never changed.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct db_conn;
struct db_row;

struct db_options {
	const char *path; /* a relative one goes by the working directory, which then stays */
	uint32_t app_id;  /* SQLite application_id: another program's database is refused */
	const char *const *schema; /* ordered migrations; the i-th (from 1) leads to user_version i.
				      Static text */
	unsigned nschema;
	struct loop *loop;  /* where done() runs; NULL = done() runs on the writer thread */
	unsigned cache_kib; /* page cache of each connection; 0 = 256 */
	unsigned busy_ms;   /* wait for another process's transaction; 0 = 10000 */
	unsigned batch_max; /* jobs in one commit; 0 = 256 */
	unsigned page_size; /* of a file that is made; 0 = 4096 */
	bool read_only;	    /* no writer thread, no migration */
	/* Written all the time: checkpoints have a thread of their own, so that no write waits for
	 * one; and the log's file grows in steps of 1 MiB and more, so that a commit need not also
	 * sync its new length. */
	bool steady;
};

/* Creates the file (mode 0600) if absent, migrates. -ERR_UNSUPPORTED: newer version; -ERR_INVALID:
 * damaged or foreign. */
int db_open(const struct db_options *o, struct db **ret, struct err *err);
/* On the loop's thread: runs what is queued, waits for it, checkpoints, closes. Every done() that
 * was not called yet is called here, also of a loop that has stopped (with what else was posted to
 * it). */
void db_close(struct db *db);
DEFINE_CLEANUP(struct db *, db_close)

/* The opening thread's connection, for synchronous reads. */
struct db_conn *db_reader(struct db *db);

/* Statements. `sql` must be static text: the prepared statement is cached under its address.
 * `types` has one letter per bound '?' (db_exec, db_query) or per column from the first on
 * (db_row_get): bind                                   column i      int64_t int64_t * t      const
 * char * (NULL = SQL NULL)         const char ** (NULL if NULL) s      struct slice, as text struct
 * slice * b      struct slice, as blob                  struct slice * d      double double * n
 * nothing: SQL NULL                      nothing: column is skipped Column text and blobs are
 * borrowed until the next db_row_next or db_row_done. */
int db_exec(struct db_conn *c, struct err *err, const char *sql, const char *types, ...);
/* Opens a query. Several may be open on a connection, but each SQL text only once at a time. */
int db_query(struct db_conn *c, struct db_row **ret, struct err *err, const char *sql,
	     const char *types, ...);
int db_row_next(struct db_row *row, struct err *err); /* 1 = a row, 0 = end */
void db_row_get(struct db_row *row, const char *types, ...);
void db_row_done(struct db_row *row); /* NULL is fine */
DEFINE_CLEANUP(struct db_row *, db_row_done)
/* First column of the first row: 1 and *ret, 0 if there is no row or it is NULL. */
int db_query_int(struct db_conn *c, int64_t *ret, struct err *err, const char *sql,
		 const char *types, ...);
int64_t db_changes(struct db_conn *c); /* rows changed by the last db_exec */
int64_t db_last_id(struct db_conn *c); /* rowid of the last insert */

/* A transaction on the caller's own terms is not offered: writes are jobs. A reader that must see
 * one state in several queries brackets them. */
struct db_snapshot {
	struct db_conn *conn;
};
int db_snapshot_begin(struct db_conn *c, struct db_snapshot *ret, struct err *err);
void db_snapshot_end(struct db_snapshot *s);
DEFINE_CLEANUP_EMBEDDED(struct db_snapshot, db_snapshot_end)

/* Copies the database as it is now into a new file `path` (0600), in steps: others write on. It is
 * written under a name of its own, synced and then given its name: -ERR_EXISTS when there is one,
 * and nothing is left behind on failure (but a process that was killed leaves "<path>.new-*").
 * `stop` may end it from another thread (-ERR_UNAVAILABLE); NULL = never. */
int db_backup(struct db_conn *c, const char *path, const atomic_bool *stop, struct err *err);

/* A write. Embedded in its owner, which keeps it alive until done(). */
struct db_job {
	struct post post;    /* private */
	struct db_job *next; /* private */
	struct db *db;	     /* private */
	/* Writer thread, inside the transaction. Negative with err filled: this job alone is rolled
	 * back. Must not wait for the loop. May be called again after a rollback of the shared
	 * transaction: sets all its outputs anew. */
	int (*run)(struct db_job *j, struct db_conn *c, struct err *err);
	/* After the commit (or the failure); j->result and j->err tell. NULL = nobody waits. */
	void (*done)(struct db_job *j);
	int result; /* run's own value when committed, or negative */
	struct err err;
};
void db_write(struct db *db, struct db_job *j);
/* Blocks until fn is committed: for worker threads and for start-up, not for a loop that serves.
 * Any thread but the writer. */
int db_write_wait(struct db *db, int (*fn)(void *ctx, struct db_conn *c, struct err *err),
		  void *ctx, struct err *err);

struct db_stats {
	uint64_t jobs, commits, failed, checkpoints;
};
void db_get_stats(struct db *db, struct db_stats *ret);
