/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A revisioned key-value store with watch: each transaction that changes something is one revision;
 * a key has the revision of its creation and of its last change. Two kinds: embedded, over SQLite
 * (store_open_sqlite), and the members of an etcd cluster (store_open_etcd), which several servers
 * share. A kind is a table of calls (private.h); one suite of tests runs on both.
 *
 * Everything is asynchronous on one loop; requests are embedded in their owners, which keep them
 * and the bytes they point to until done() (the loop, never from within the call that started it).
 * A commit's done() comes after its bytes are durable, and after its events went to the watches of
 * this process. A request that is not well formed ends with -ERR_INVALID or -ERR_TOO_LARGE in
 * done(). Revisions begin at 1 (empty). Spec: etcd v3 API (rpc.proto, kv.proto).
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct store;

#define STORE_KEY_MAX 1024
#define STORE_VALUE_MAX (8u << 20)
#define STORE_OPS_MAX 128
#define STORE_GUARDS_MAX 128
#define STORE_TXN_MAX (64u << 20) /* bytes of all keys and values of a transaction */

struct store_kv {
	struct slice key, value;
	int64_t create_revision, mod_revision;
	int64_t lease; /* 0 = none */
};

/* ---- opening ---- */

struct store_sqlite_options {
	struct loop *loop;
	const char *path;   /* of the database file; made (0600) when it is not there */
	uint32_t cache_kib; /* page cache of each of three connections; 0 = 1024 */
	/* History is kept for watches and lists at a revision: this long (ns; 0 = 5 min), but not
	 * more than this many revisions (0 = 1,000,000) and an eighth. It goes by itself. */
	int64_t keep_age;
	uint64_t keep_revisions;
};
/* -ERR_INVALID: damaged or not ours; -ERR_UNSUPPORTED: of a newer version; -ERR_UNAVAILABLE:
 * another process has it open. Nothing is changed then, and the message tells the way back
 * (store_restore). */
int store_open_sqlite(const struct store_sqlite_options *o, struct store **ret, struct err *err);

struct resolver;
struct tls_conf;
#define STORE_ENDPOINTS_MAX 16
/* All is copied or referenced. */
struct store_etcd_options {
	struct loop *loop;
	/* "https://10.0.0.1:2379", "http://etcd-0.example:2379": asked in turn, the next one when
	 * one does not answer. */
	const char *const *endpoints;
	size_t nendpoints;
	struct tls_conf *tls;	     /* of a client; for https. NULL: none */
	struct resolver *resolver;   /* of names; borrowed for the store's life. NULL: numeric */
	const char *user, *password; /* NULL: no authentication */
	int64_t time;		     /* of a request, over all endpoints, ns; 0 = 10 s */
};
/*
 * etcd through its v3 gRPC API (3.4 and later): reads are linearizable; a key is etcd's key. Waits
 * for the first answer of an endpoint: -ERR_UNAVAILABLE tells of each why it gave none.
 * What differs from the embedded kind: history goes when anyone compacts, also under a long range
 * (-ERR_GONE); a commit that was sent and not answered ends with -ERR_UNAVAILABLE, unless its
 * guards tell that it was done; store_backup writes etcd's own snapshot (etcdctl snapshot restore);
 * store_verify compares what the members have; a watch goes on after a lost connection by itself.
 */
int store_open_etcd(const struct store_etcd_options *o, struct store **ret, struct err *err);

/* Requests that are under way are finished or end with -ERR_UNAVAILABLE before this returns, and so
 * does what their done() asks for. Watches end without a word. Not from within a callback. */
void store_close(struct store *s);
DEFINE_CLEANUP(struct store *, store_close)

/* The newest revision known here (an own commit, an answer, an event). */
int64_t store_revision(const struct store *s);

/* ---- transactions ---- */

/* The key was last changed at this revision; 0: it is not there. */
struct store_guard {
	struct slice key;
	int64_t mod_revision;
};
struct store_op {
	bool remove; /* of the key, which need not be there */
	struct slice key, value;
	int64_t lease;
};
struct store_txn {
	const struct store_guard *guards;
	size_t nguards;
	const struct store_op *ops; /* no key twice; nothing changed = no revision is taken */
	size_t nops;
	void (*done)(struct store_txn *t);
	/* results */
	/* 0: committed; 1: a guard did not hold, nothing was done; negative: nothing was done, err
	 * tells (-ERR_NOT_FOUND: a lease that is over; -ERR_SYSTEM with sys ENOSPC: disk full). */
	int result;
	struct err err;
	int64_t revision;	 /* of the commit, or of the answer */
	size_t failed;		 /* result 1: the guard that did not hold, */
	bool exists;		 /* and its key as it is now */
	struct store_kv current; /* valid during done() */
	void *private_[16];
};
void store_commit(struct store *s, struct store_txn *t);

/* ---- reading ---- */

struct store_range {
	struct slice prefix; /* of the keys; with `exact` the key itself */
	struct slice from;   /* the first key, within the prefix; empty = the prefix's first */
	int64_t revision;    /* as it was then; 0 = now, including all commits acknowledged before.
			      * However long the reading takes, it is of one revision. */
	size_t limit;	     /* at most; 0 = all */
	bool exact, keys_only, count_only;
	bool count; /* also how many there are behind the last one given */
	/* In order of keys; the bytes are valid during the call. Negative ends the reading with it.
	 */
	int (*each)(struct store_range *r, const struct store_kv *kv);
	void (*done)(struct store_range *r);
	/* results */
	/* 0; -ERR_GONE: that revision is compacted; -ERR_BAD_REQUEST: it is yet to come;
	 * -ERR_INVALID: what was read is damaged. */
	int result;
	struct err err;
	int64_t revision_now; /* of the store when the reading began */
	int64_t total;	      /* count, count_only: keys behind the last one given */
	bool more;	      /* there are further keys behind the last one given */
	void *private_[16];
};
void store_range(struct store *s, struct store_range *r);

/* ---- watching ---- */

struct store_event {
	bool removed;
	struct store_kv kv;    /* removed: the key, and the revision of its removal */
	struct slice prev;     /* its value before; empty when there was none */
	int64_t prev_revision; /* 0: it was not there */
};
struct store_watch {
	struct slice prefix;
	int64_t after; /* events of later revisions; 0 = from now on (of commits not yet done) */
	bool no_prev;  /* `prev` of events may stay empty: cheaper */
	/* All events of one or more whole revisions, in order; bytes are valid during the call. n
	 * == 0: progress, nothing happened up to `revision`; at most once a second, when asked
	 * (store_progress), and when a watch with `after` has reached the present. */
	void (*events)(struct store_watch *w, const struct store_event *v, size_t n,
		       int64_t revision);
	/* It is over, not by store_unwatch: -ERR_GONE (`after` is compacted; start again from a
	 * list), -ERR_BAD_REQUEST (`after` is yet to come), -ERR_INVALID (history is damaged). */
	void (*end)(struct store_watch *w, const struct err *err);
	void *private_[16];
};
int store_watch(struct store *s, struct store_watch *w, struct err *err);
void store_unwatch(struct store *s,
		   struct store_watch *w); /* also from within events(), not end() */
/* events() is called soon, at the latest with n == 0, up to what is acknowledged by now. */
void store_progress(struct store *s, struct store_watch *w);

/* ---- leases: keys that go by themselves ---- */

struct store_lease {
	int64_t id;  /* in: 0 = a new one, else keep it alive; out */
	int64_t ttl; /* seconds; in: of a new one; 0 with an id: revoke it; out: as granted */
	void (*done)(struct store_lease *l);
	int result; /* -ERR_NOT_FOUND: it is over */
	struct err err;
	void *private_[16];
};
/* Grants, keeps alive (its time begins anew) or revokes. When a lease is over its keys are removed,
 * as one revision (up to 4096 keys; those of leases that end together share it). Its time is the
 * real clock's and goes on while the store is closed. A key that is written without it leaves it.
 */
void store_lease(struct store *s, struct store_lease *l);

/* ---- care ---- */

struct store_task {
	int64_t revision; /* compact: history before it goes; lists at it and watches after it work
			   */
	const char *path; /* backup: a new file, whole and consistent, taken while writes go on */
	void (*done)(struct store_task *t);
	int result;
	struct err err;
	void *private_[16];
};
/* Without stopping anyone: lists and replays that began before are finished first. Done already: 0.
 * Yet to come: -ERR_BAD_REQUEST. */
void store_compact(struct store *s, struct store_task *t);
/* -ERR_EXISTS: there is such a file. When it fails, or the process is killed, no file is left under
 * that name. */
void store_backup(struct store *s, struct store_task *t);
/* Every page and row is read: -ERR_INVALID names what is damaged. */
void store_verify(struct store *s, struct store_task *t);
/* Makes `path` from a backup that it verifies first; -ERR_EXISTS when there is a store already.
 * Blocking. The revisions go on far (10^9) behind the backup's, and history is compacted up to
 * there: a client that saw revisions which are lost starts again from a list. */
int store_restore(const char *backup, const char *path, struct err *err);

struct store_stats {
	int64_t revision, compacted; /* the oldest that can be read is `compacted` */
	uint64_t keys, bytes;	     /* of the file or the server's database */
	uint64_t commits, events, watches, leases;
};
void store_get_stats(struct store *s, struct store_stats *ret);
