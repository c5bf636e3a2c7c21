/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/store: the embedded kind.
 *
 * Threads: the loop's owns struct sq; the writer (src/db) runs batches; one reader thread runs
 * steps of ranges and replays; one more thread runs backups and verifications. What they share is
 * the queue of writes (under its lock), `closing` and `want_prev`.
 *
 * Rows: `log` has every version of every key under id = revision << 16 | number in the revision,
 * with its value, the id of the version before it (`prev`) and a checksum. `cur` has for each key
 * the id of its newest version, also when that is a removal which is not compacted yet. What a key
 * was at a revision is found by walking `prev` back.
 *
 * (1) A row of log goes when its successor, or, of a removal, itself is at or below `compacted`; so
 * every list at a revision >= compacted, and every event after it with its value before, can be
 * told. (2) meta.compacted is durable before the first such row goes; meta.cleaned (an id) tells
 * how far. (3) No revision in `pins` is cleaned past: a reading that began is finished.
 */
#pragma once

#include "base/map.h"
#include "base/work.h"
#include "db/db.h"
#include "store/private.h"

#include <pthread.h>
#include <stdatomic.h>

#define SQ_APP_ID 0x54455553u
#define SQ_SHIFT 16
#define SQ_EXPIRE_MAX 4096    /* keys that go in one revision */
#define SQ_BATCH_MAX 256      /* requests in one commit */
#define SQ_BATCH_SOON 16      /* so many wait for nothing */
#define SQ_PACE_NS 1500000    /* from the beginning of a batch to that of a small one */
#define SQ_PEAK_NS 20000000   /* the busiest moment is looked for in the last one to two of these */
#define SQ_CHUNK (256u << 10) /* bytes that a step of a reading hands over */
#define SQ_VISIT_MAX 8192     /* rows that it looks at */
#define SQ_REVISION_OF(id) ((id) >> SQ_SHIFT)
#define SQ_FIRST_ID(rev) ((rev) << SQ_SHIFT)

struct sq;
struct sq_batch;

struct sq_event {
	struct store_event e;
	int64_t prev_id;
};

/* A request to the writer. */
struct sq_write {
	struct sq_write *next;
	struct sq *s;
	/* Writer thread. Negative fails (and rolls back) all of the batch: for the database's own
	 * failures. What is wrong with the request it notes there, having written nothing. */
	int (*run)(struct sq_write *w, struct sq_batch *b, struct db_conn *c, struct err *err);
	/* Loop. err: the batch failed. */
	void (*finish)(struct sq_write *w, const struct err *err);
};

struct sq_batch {
	struct db_job job;
	struct sq *s;
	struct sq_write *list;
	size_t nlist;
	bool taken, with_prev;
	/* set by each run */
	int64_t revision; /* of the last change so far */
	struct sq_event *ev;
	size_t nev, cap;
	int64_t keys; /* how many more there are */
	uint64_t commits, leases_made, leases_gone;
	struct sq_copy *copies;
};
struct sq_copy {
	struct sq_copy *next;
	char p[];
};

struct sq_pin {
	struct list link;
	int64_t revision;
};

/* Watches of one prefix. */
struct sq_group {
	struct slice prefix;
	struct list watches;
	struct store_event *hits; /* of the batch that is handed out */
	size_t nhits, cap;
	struct sq_group *next_hit;
	unsigned busy;
};

struct sq_watch {
	struct list link, all; /* of the group, of the store */
	struct sq *s;
	struct sq_group *group;
	int64_t sent;		  /* all up to here was told */
	struct sq_replay *replay; /* NULL: live */
	bool asked;
};

/* Of the loop's thread. When the next batch begins: see sqlite-write.c. */
struct sq_pace {
	unsigned unanswered;	    /* queued, or in a batch */
	unsigned peak, peak_before; /* of unanswered, in this window and the one before */
	int64_t window, begun;	    /* when they began: this window; the newest batch */
	struct timer timer;
};

struct sq {
	struct store base;
	struct store_sqlite_options o;
	char *path;
	int lock_fd;
	struct db *db, *rdb;
	struct work_pool *reader, *carer;
	atomic_bool closing;
	atomic_uint want_prev;

	pthread_mutex_t lock; /* guards the four behind it */
	struct sq_write *head, **tail;
	unsigned queued;
	bool pump_queued;
	bool disk_trouble;
	struct deferred pump;
	struct sq_pace pace;
	unsigned unpumped; /* writes that were queued since */

	int64_t revision, compacted;
	struct list pins;
	struct store_stats stats;

	struct map groups;
	struct list watches;
	unsigned lengths[STORE_KEY_MAX + 1]; /* groups whose prefix has this length */
	unsigned short used[STORE_KEY_MAX + 1];
	unsigned nused;
	struct timer progress;
	struct deferred asked;

	struct timer expiry;
	struct sq_write expire;
	bool expiring;
	int64_t next_expiry; /* real clock; 0 = none */

	struct timer care;
	struct db_job clean;
	bool cleaning;
	bool mark_due;
	int64_t target;	 /* history goes up to here */
	int64_t cleaned; /* has gone up to here (revision) */
	int64_t marked;	 /* the newest revision whose time was noted */
	/* in and out of `clean` */
	int64_t job_target, job_limit, job_compacted, job_cleaned, job_aged, job_marked;
	struct list compacting; /* of struct sq_task */
};

static inline struct sq *sq_of(const struct store *s)
{
	return CONTAINER_OF((struct store *)(uintptr_t)s, struct sq, base);
}

extern const char *const sq_schema[];
extern const unsigned sq_nschema;
extern const struct store_kind sq_kind;

/* ---- sqlite-row.c: rows of both tables, on any connection ---- */

struct sq_row {
	int64_t id, prev, created, lease;
	bool removed;
	struct slice key, value;
};
int64_t sq_row_sum(const struct sq_row *row);
/* 1 and the row; 0: there is none; -ERR_INVALID: it is damaged. Valid until *hold is done. */
int sq_log_get(struct db_conn *c, int64_t id, struct sq_row *ret, struct db_row **hold,
	       struct err *err);
/* The next row of a query of SQ_LOG_COLUMNS; checks it. */
#define SQ_LOG_COLUMNS "id,prev,created,lease,removed,key,value,sum"
int sq_log_next(struct db_row *q, struct sq_row *ret, struct err *err);
int sq_meta(struct db_conn *c, int64_t *ret_revision, int64_t *ret_compacted, struct err *err);
int sq_damaged(struct err *err, const char *fmt, ...) PRINTF(2, 3);

/* ---- sqlite-write.c ---- */

void sq_write_init(struct sq *s); /* behind store_init */
void sq_write_fini(struct sq *s);
void sq_write_queue(struct sq *s, struct sq_write *w);
void sq_pump(struct deferred *d);
void sq_write_reject(struct sq *s); /* what no batch took any more */
void sq_commit(struct store *st, struct store_txn *t);
/* Copies into the batch: lives until its requests are finished. */
struct slice sq_batch_copy(struct sq_batch *b, struct slice v);
int sq_remove_key(struct sq_batch *b, struct db_conn *c, int64_t id, const struct sq_row *old,
		  struct err *err);

/* ---- sqlite-lease.c ---- */

void sq_lease(struct store *st, struct store_lease *l);
int sq_expiry_start(struct sq *s, struct err *err);
int sq_lease_alive(struct db_conn *c, int64_t lease, struct err *err); /* 1, 0 */

/* ---- sqlite-read.c ---- */

void sq_range(struct store *st, struct store_range *r);
void sq_pin(struct sq *s, struct sq_pin *p, int64_t revision);
void sq_unpin(struct sq *s, struct sq_pin *p);
/* An event or row on its way to the loop: numbers, then the bytes. */
struct sq_packed {
	int64_t mod, created, lease, prev_revision;
	uint32_t nkey, nvalue, nprev;
	bool removed;
};
int sq_pack(struct buf *b, const struct sq_packed *p, struct slice key, struct slice value,
	    struct slice prev);
const char *sq_unpack(const char *at, struct sq_packed *p, struct store_event *ret);

/* ---- sqlite-watch.c ---- */

int sq_watch(struct store *st, struct store_watch *w, struct err *err);
void sq_unwatch(struct store *st, struct store_watch *w);
void sq_progress(struct store *st, struct store_watch *w);
void sq_watch_init(struct sq *s);
void sq_watch_fini(struct sq *s);
void sq_dispatch(struct sq *s, struct sq_batch *b);
bool sq_slice_in(struct slice key, struct slice prefix);

/* ---- sqlite-care.c ---- */

void sq_care_init(struct sq *s);
void sq_care_fini(struct sq *s);
void sq_care_kick(struct sq *s); /* the revision, the pins or `compacted` changed */
void sq_compact(struct store *st, struct store_task *t);

/* ---- sqlite-backup.c ---- */

void sq_backup(struct store *st, struct store_task *t);
void sq_verify(struct store *st, struct store_task *t);
int sq_verify_all(struct db *db, const atomic_bool *stop, struct err *err);
