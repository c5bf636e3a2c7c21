/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening, migration, and the writer thread.
 *
 * The writer takes all waiting jobs (up to batch_max) into one transaction. Invariants:
 * (1) done() is called only after COMMIT has returned, which with synchronous=FULL means that the
 * WAL is on disk; (2) a job that fails is rolled back to its own savepoint, the others of the batch
 * commit; (3) when the shared transaction itself is lost (disk full, I/O error, COMMIT refused),
 * each job of the batch is run again in a transaction of its own, so that one job cannot fail
 * another. Checkpoints run when no job waits, or past WAL_FORCE pages: never between a job and its
 * done().
 */
#include "db/db.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "db/keeper.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define BUSY_MS 10000
#define CACHE_KIB 256
#define BATCH_MAX 256
#define WAL_FORCE 4096 /* pages: 16 MiB of log */
#define IDLE_MS 50     /* quiet time before a checkpoint */
/* Of a steady database: the same, for the next write comes soon; pages of log that are not worth a
 * checkpoint then, and that are at any time. */
#define STEADY_IDLE_MS 1000
#define LOG_SMALL 128
#define LOG_LARGE 1024
#define STACK_SIZE (256 * 1024)

struct db {
	struct db_conn reader, writer;
	struct db_options o;
	char *path;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake, finished;
	struct db_job *head, **tail;
	struct db_job *late; /* done during close: called by db_close */
	bool closing;
	struct db_stats stats;
	int wal_pages; /* writer thread only, as what is behind it */
	int ask_at;    /* so many pages, and the keeper is asked */
	struct keeper keeper;
};

/* What db_write_wait waits with. */
struct wait_job {
	struct db_job job;
	int (*fn)(void *ctx, struct db_conn *c, struct err *err);
	void *ctx;
	bool finished;
};

/* ---- opening ---- */

static int conn_open(struct db *db, struct db_conn *c, bool query_only, struct err *err)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
	char sql[256];
	int rc;

	c->path = db->path;
	rc = sqlite3_open_v2(db->path, &c->sq, flags, db_conn_vfs(db->path, db->o.steady));
	if (rc != SQLITE_OK)
		return db_conn_err(c, rc, err, "open");
	sqlite3_extended_result_codes(c->sq, 1);
	sqlite3_busy_timeout(c->sq, (int)db->o.busy_ms);
	/* Small slots: a connection of the engine's must not cost 120 KB before its first row. */
	(void)sqlite3_db_config(c->sq, SQLITE_DBCONFIG_LOOKASIDE, NULL, 256, 64);
	(void)sqlite3_db_config(c->sq, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(c->sq, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_snprintf(sizeof(sql), sql,
			 "PRAGMA page_size=%u;"
			 "PRAGMA cache_size=-%u; PRAGMA mmap_size=0; PRAGMA foreign_keys=ON;"
			 "PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; PRAGMA query_only=%d;",
			 db->o.page_size ? db->o.page_size : 4096, db->o.cache_kib, query_only);
	return db_conn_run(c, sql, err);
}

static int pragma_int(struct db_conn *c, const char *sql, int64_t *ret, struct err *err)
{
	int r = db_query_int(c, ret, err, sql, "");

	return r < 0 ? r : 0;
}

/* Whose file is it? 1 = fresh, 0 = ours. */
static int identify(struct db *db, struct db_conn *c, int64_t *ret_version, struct err *err)
{
	int64_t app = 0, version = 0, objects = 0;
	int r;

	r = pragma_int(c, "PRAGMA application_id", &app, err);
	if (r < 0)
		return r;
	r = pragma_int(c, "PRAGMA user_version", &version, err);
	if (r < 0)
		return r;
	r = pragma_int(c, "SELECT count(*) FROM sqlite_schema", &objects, err);
	if (r < 0)
		return r;
	*ret_version = version;
	if (app == 0 && version == 0 && objects == 0)
		return 1;
	if (app != (int64_t)(int32_t)db->o.app_id)
		return err_set(err, ERR_INVALID,
			       "database '%s': belongs to another program (application id 0x%x)",
			       db->path, (unsigned)app);
	if (version > (int64_t)db->o.nschema || version < 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "database '%s': has version %lld, this program knows up to %u; use "
			       "the newer"
			       " program that wrote it",
			       db->path, (long long)version, db->o.nschema);
	return 0;
}

static int migrate_from(struct db *db, int64_t version, struct err *err)
{
	struct db_conn *c = &db->writer;
	char sql[96];
	int r;

	for (int64_t i = version; i < (int64_t)db->o.nschema; i++) {
		r = db_conn_run(c, db->o.schema[i], err);
		if (r < 0)
			return err_wrap(err, "migration to version %lld", (long long)i + 1);
	}
	sqlite3_snprintf(sizeof(sql), sql, "PRAGMA application_id=%d; PRAGMA user_version=%u;",
			 (int)db->o.app_id, db->o.nschema);
	return db_conn_run(c, sql, err);
}

static int migrate(struct db *db, struct err *err)
{
	struct db_conn *c = &db->writer;
	int64_t version;
	int r;

	/* The look before the lock keeps a plain open free of a write transaction. */
	r = identify(db, c, &version, err);
	if (r < 0)
		return r;
	if (version == (int64_t)db->o.nschema && r == 0)
		return 0;
	r = db_conn_run(c, "BEGIN IMMEDIATE", err);
	if (r < 0)
		return r;
	r = identify(db, c, &version, err);
	if (r >= 0 && version < (int64_t)db->o.nschema)
		r = migrate_from(db, version, err);
	if (r >= 0)
		r = db_conn_run(c, "COMMIT", err);
	if (r < 0)
		(void)sqlite3_exec(c->sq, "ROLLBACK", NULL, NULL, NULL);
	return r < 0 ? r : 0;
}

static int on_wal(void *ctx, sqlite3 *sq, const char *name, int pages)
{
	struct db *db = ctx;

	if (pages < db->wal_pages)
		db->ask_at = LOG_LARGE; /* it began anew */
	db->wal_pages = pages;
	return SQLITE_OK;
}

static int set_wal(struct db *db, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *mode = NULL;
	int r;

	r = db_query(&db->writer, &row, err, "PRAGMA journal_mode=WAL", "");
	if (r >= 0)
		r = db_row_next(row, err);
	if (r < 0)
		return r;
	db_row_get(row, "t", &mode);
	if (!mode || strcmp(mode, "wal") != 0)
		return err_set(
			err, ERR_UNSUPPORTED,
			"database '%s': the file system cannot hold a write-ahead log (mode '%s')",
			db->path, mode ? mode : "none");
	sqlite3_wal_hook(db->writer.sq, on_wal, db); /* also switches automatic checkpoints off */
	return 0;
}

/* SQLite would make the file 0644. -wal and -shm take over the mode of the file. */
static int create_file(const char *path, struct err *err)
{
	CLEANUP(fd_close)
	int fd = openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? err_sys(err, "open database '%s'", path) : 0;
}

/* ---- the writer ---- */

static int job_wait_run(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct wait_job *w = CONTAINER_OF(j, struct wait_job, job);

	return w->fn(w->ctx, c, err);
}

static void post_done(struct post *p)
{
	struct db_job *j = CONTAINER_OF(p, struct db_job, post);

	j->done(j);
}

static void deliver(struct db *db, struct db_job *j)
{
	bool failed = j->result < 0;

	pthread_mutex_lock(&db->lock);
	db->stats.jobs++;
	db->stats.failed += failed;
	if (j->run == job_wait_run) {
		CONTAINER_OF(j, struct wait_job, job)->finished = true;
		pthread_cond_broadcast(&db->finished);
		pthread_mutex_unlock(&db->lock);
		return;
	}
	if (db->closing && j->done && db->o.loop) {
		j->next = db->late;
		db->late = j;
		j = NULL;
	}
	pthread_mutex_unlock(&db->lock);
	if (!j || !j->done)
		return;
	if (!db->o.loop) {
		j->done(j);
		return;
	}
	j->post.fn = post_done;
	loop_post(db->o.loop, &j->post);
}

static void deliver_all(struct db *db, struct db_job *list)
{
	for (struct db_job *next; list; list = next) {
		next = list->next; /* the job may be gone once delivered */
		deliver(db, list);
	}
}

/* Runs one job inside the open transaction. false: the transaction is lost. */
static bool run_in_batch(struct db *db, struct db_job *j)
{
	struct db_conn *c = &db->writer;

	j->err = ERR_INIT;
	j->result = db_exec(c, &j->err, "SAVEPOINT job", "");
	if (j->result < 0)
		return !sqlite3_get_autocommit(c->sq);
	j->result = j->run(j, c, &j->err);
	if (sqlite3_get_autocommit(c->sq))
		return false;
	if (j->result < 0 && db_exec(c, NULL, "ROLLBACK TO job", "") < 0)
		return false;
	return db_exec(c, NULL, "RELEASE job", "") >= 0;
}

/* One job in a transaction of its own; j->result tells. */
static void run_alone(struct db *db, struct db_job *j)
{
	struct db_conn *c = &db->writer;
	int r;

	j->err = ERR_INIT;
	j->result = db_exec(c, &j->err, "BEGIN IMMEDIATE", "");
	if (j->result < 0)
		return;
	j->result = j->run(j, c, &j->err);
	if (j->result >= 0) {
		r = db_exec(c, &j->err, "COMMIT", "");
		if (r < 0)
			j->result = r;
	}
	if (j->result < 0 && !sqlite3_get_autocommit(c->sq))
		(void)db_exec(c, NULL, "ROLLBACK", "");
}

/* All jobs in one transaction. false: nothing of it was committed and every job must be run anew.
 */
static bool run_together(struct db *db, struct db_job *list)
{
	struct db_conn *c = &db->writer;

	list->err = ERR_INIT;
	list->result = db_exec(c, &list->err, "BEGIN IMMEDIATE", "");
	if (list->result < 0) {
		/* The lock was waited for once already: trying again for each would only add up. */
		for (struct db_job *j = list->next; j; j = j->next) {
			j->err = list->err;
			j->result = list->result;
		}
		return true;
	}
	for (struct db_job *j = list; j; j = j->next)
		if (!run_in_batch(db, j))
			goto lost;
	if (db_exec(c, NULL, "COMMIT", "") >= 0)
		return true;
lost:
	if (!sqlite3_get_autocommit(c->sq))
		(void)db_exec(c, NULL, "ROLLBACK", "");
	return false;
}

static void run_batch(struct db *db, struct db_job *list)
{
	uint64_t commits = 1;

	if (!list->next) {
		run_alone(db, list);
	} else if (!run_together(db, list)) {
		commits = 0;
		for (struct db_job *j = list; j; j = j->next, commits++)
			run_alone(db, j);
	}
	pthread_mutex_lock(&db->lock);
	db->stats.commits += commits;
	pthread_mutex_unlock(&db->lock);
	deliver_all(db, list);
}

/* Best effort: a reader in the way only leaves more log for the next time. */
static void checkpoint(struct db *db)
{
	(void)sqlite3_wal_checkpoint_v2(db->writer.sq, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	db->wal_pages = 0;
	sqlite3_db_release_memory(db->writer.sq);
	pthread_mutex_lock(&db->lock);
	db->stats.checkpoints++;
	pthread_mutex_unlock(&db->lock);
}

/* Up to batch_max jobs; NULL at the end, or with *idle set after a quiet time that a checkpoint can
 * use. */
static struct db_job *take_batch(struct db *db, bool want_idle, bool *idle)
{
	const int64_t wait_ms = db->keeper.started ? STEADY_IDLE_MS : IDLE_MS;
	struct db_job *list, *last;
	struct timespec ts;
	int64_t until;

	*idle = false;
	pthread_mutex_lock(&db->lock);
	until = clock_mono() + wait_ms * NS_PER_MS;
	ts = (struct timespec){ .tv_sec = until / NS_PER_SEC, .tv_nsec = until % NS_PER_SEC };
	while (!db->head && !db->closing && !*idle) {
		if (!want_idle)
			pthread_cond_wait(&db->wake, &db->lock);
		else if (pthread_cond_timedwait(&db->wake, &db->lock, &ts) == ETIMEDOUT)
			*idle = !db->head && !db->closing;
	}
	list = last = db->head;
	for (unsigned n = 1; last && last->next && n < db->o.batch_max; n++)
		last = last->next;
	if (last) {
		db->head = last->next;
		last->next = NULL;
		if (!db->head)
			db->tail = &db->head;
	}
	pthread_mutex_unlock(&db->lock);
	return list;
}

/* A small log stays: its next commit need not begin it anew, which takes one more sync. */
static void keep(struct db *db, bool idle)
{
	if (db->wal_pages >= (idle ? LOG_SMALL : db->ask_at)) {
		keeper_ask(&db->keeper);
		db->ask_at = db->wal_pages + LOG_LARGE;
	}
	if (idle) {
		db->wal_pages = 0; /* nothing to do until the next commit tells */
		sqlite3_db_release_memory(db->writer.sq);
	} else if (db->wal_pages > LOG_SMALL && keeper_has_rest(&db->keeper)) {
		checkpoint(db);
	}
}

static void *writer_main(void *arg)
{
	struct db *db = arg;
	struct db_job *list;
	bool idle;

	for (;;) {
		list = take_batch(db, db->wal_pages > 0, &idle);
		if (list)
			run_batch(db, list);
		else if (!idle)
			break;
		if (db->keeper.started)
			keep(db, idle);
		else if (idle || db->wal_pages > WAL_FORCE)
			checkpoint(db);
	}
	return NULL;
}

static int writer_start(struct db *db, struct err *err)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals belong to the loop's thread */
	r = pthread_create(&db->thread, &attr, writer_main, db);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (r)
		return err_sysc(err, ERR_SYSTEM, r, "database '%s': start the writer thread",
				db->path);
	db->started = true;
	(void)pthread_setname_np(db->thread, "db-writer");
	return 0;
}

static void cond_init_mono(pthread_cond_t *c)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(c, &attr);
	pthread_condattr_destroy(&attr);
}

static struct db *db_new(const struct db_options *o)
{
	struct db *db = calloc(1, sizeof(*db));

	if (!db)
		abort();
	db->o = *o;
	db->o.cache_kib = o->cache_kib ? o->cache_kib : CACHE_KIB;
	db->o.busy_ms = o->busy_ms ? o->busy_ms : BUSY_MS;
	db->o.batch_max = o->batch_max ? o->batch_max : BATCH_MAX;
	db->path = strdup(o->path);
	if (!db->path)
		abort();
	db->o.path = db->path;
	db->tail = &db->head;
	pthread_mutex_init(&db->lock, NULL);
	cond_init_mono(&db->wake);
	cond_init_mono(&db->finished);
	return db;
}

/* Before the writer, which asks it. */
static int open_keeper(struct db *db, struct err *err)
{
	int r;

	if (!db->o.steady)
		return 0;
	db->ask_at = LOG_LARGE;
	r = conn_open(db, &db->keeper.conn, false, err);
	return r < 0 ? r : keeper_start(&db->keeper, STACK_SIZE, err);
}

static int open_writer(struct db *db, struct err *err)
{
	int r;

	r = create_file(db->path, err);
	if (r < 0)
		return r;
	r = conn_open(db, &db->writer, false, err);
	if (r < 0)
		return r;
	/* Look before the first write (also that of the WAL mode): a foreign file stays untouched.
	 */
	r = identify(db, &db->writer, &(int64_t){ 0 }, err);
	if (r < 0)
		return r;
	r = set_wal(db, err);
	if (r < 0)
		return r;
	return migrate(db, err);
}

int db_open(const struct db_options *o, struct db **ret, struct err *err)
{
	CLEANUP(db_close) struct db *db = db_new(o);
	int64_t version;
	int r;

	if (!o->read_only) {
		r = open_writer(db, err);
		if (r < 0)
			return r;
	}
	r = conn_open(db, &db->reader, true, err);
	if (r < 0)
		return r;
	r = identify(db, &db->reader, &version, err);
	if (r < 0)
		return r;
	if (o->read_only && version != (int64_t)o->nschema)
		return err_set(err, ERR_UNSUPPORTED, "database '%s': has the old version %lld",
			       o->path, (long long)version);
	if (!o->read_only) {
		r = open_keeper(db, err);
		if (r == 0)
			r = writer_start(db, err);
		if (r < 0)
			return r;
	}
	*ret = STEAL(db);
	return 0;
}

/* A loop that has stopped runs nothing by itself: ends, and what they own, would be lost. */
static void run_posted(struct db *db)
{
	if (db->o.loop)
		loop_run_posts(db->o.loop);
}

void db_close(struct db *db)
{
	struct db_job *late = NULL, *rev = NULL;

	if (!db)
		return;
	if (db->started) {
		run_posted(db); /* while their ends may still write */
		pthread_mutex_lock(&db->lock);
		db->closing = true;
		pthread_cond_broadcast(&db->wake);
		pthread_mutex_unlock(&db->lock);
		pthread_join(db->thread, NULL);
		run_posted(db); /* of before closing was set, so older than those that are late */
		late = db->late;
	}
	for (struct db_job *next; late; late = next) { /* oldest first */
		next = late->next;
		late->next = rev;
		rev = late;
	}
	for (struct db_job *next; rev; rev = next) {
		next = rev->next;
		rev->done(rev);
	}
	keeper_stop(&db->keeper); /* the writer, which asks it, has ended */
	db_conn_close(&db->keeper.conn);
	db_conn_close(&db->reader);
	db_conn_close(&db->writer); /* the last connection checkpoints and removes the log */
	pthread_mutex_destroy(&db->lock);
	pthread_cond_destroy(&db->wake);
	pthread_cond_destroy(&db->finished);
	free(db->path);
	free(db);
}

struct db_conn *db_reader(struct db *db)
{
	return &db->reader;
}

/* ---- queueing ---- */

void db_write(struct db *db, struct db_job *j)
{
	assert(db->started && j->run);
	j->next = NULL;
	j->db = db;
	pthread_mutex_lock(&db->lock);
	assert(!db->closing);
	*db->tail = j;
	db->tail = &j->next;
	pthread_mutex_unlock(&db->lock);
	pthread_cond_signal(&db->wake); /* not before: it would wake up to wait for the lock */
}

int db_write_wait(struct db *db, int (*fn)(void *ctx, struct db_conn *c, struct err *err),
		  void *ctx, struct err *err)
{
	struct wait_job w = { .job.run = job_wait_run, .fn = fn, .ctx = ctx };

	db_write(db, &w.job);
	pthread_mutex_lock(&db->lock);
	while (!w.finished)
		pthread_cond_wait(&db->finished, &db->lock);
	pthread_mutex_unlock(&db->lock);
	if (w.job.result < 0 && err)
		*err = w.job.err;
	return w.job.result;
}

void db_get_stats(struct db *db, struct db_stats *ret)
{
	pthread_mutex_lock(&db->lock);
	*ret = db->stats;
	pthread_mutex_unlock(&db->lock);
	ret->checkpoints += atomic_load(&db->keeper.passes);
}
