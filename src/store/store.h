/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A revisioned key-value store with watch: each transaction that changes something is one revision;
 * a key has the revision of its creation and of its last change. Two kinds stand behind one table:
 * an embedded one over SQLite (store_open_sqlite) and etcd through its v3 gRPC API
 * (store_open_etcd), with the same meaning, so that one suite of tests runs on both.
 *
 * Everything is asynchronous on one loop; requests are embedded in their owners, which keep them
 * and the bytes they point to until done() (the loop, never from within the call that started it).
 * A commit's done() comes after its bytes are durable. Spec: etcd v3 API (rpc.proto, kv.proto).
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

struct store_kv {
	struct slice key, value;
	int64_t create_revision, mod_revision;
	int64_t lease; /* 0 = none */
};

/* ---- opening ---- */

struct store_sqlite_options {
	struct loop *loop;
	const char *path;   /* of the database file; made (0600) when it is not there */
	uint32_t cache_kib; /* 0 = 2048 */
	/* History is kept for watches and lists at a revision: at least this long (ns; 0 = 5 min),
	 * at most this many revisions (0 = 1,000,000). */
	int64_t keep_age;
	uint64_t keep_revisions;
};
/* -ERR_INVALID: damaged or not ours; -ERR_UNSUPPORTED: of a newer version. Nothing is changed then,
 * and the message tells the way back (store_restore). */
int store_open_sqlite(const struct store_sqlite_options *o, struct store **ret, struct err *err);

struct tls_conf;
struct store_etcd_options {
	struct loop *loop;
	const char *const *endpoints; /* "https://10.0.0.1:2379"; NULL-terminated; tried in turn */
	const char *ca_file, *cert_file, *key_file; /* NULL = none */
	const char *user, *password;		    /* NULL = none */
};
/* Connects when first used; requests wait for a server up to 5 s, then fail (-ERR_UNAVAILABLE). */
int store_open_etcd(const struct store_etcd_options *o, struct store **ret, struct err *err);

/* Requests that are under way end with -ERR_UNAVAILABLE; what was acknowledged is durable. */
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
	const struct store_op *ops; /* no key twice */
	size_t nops;
	void (*done)(struct store_txn *t);
	/* results */
	int result; /* 0: committed; 1: a guard did not hold, nothing was done; negative: err */
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
	int64_t revision; /* as it was then; 0 = now, including all commits acknowledged before */
	size_t limit;	  /* at most; 0 = all */
	bool exact, keys_only, count_only;
	bool count; /* also how many there are behind the last one given */
	/* In order of keys; the bytes are valid during the call. Negative ends the reading with it.
	 */
	int (*each)(struct store_range *r, const struct store_kv *kv);
	void (*done)(struct store_range *r);
	/* results */
	int result; /* 0; -ERR_GONE: that revision is compacted; -ERR_INVALID: it is yet to come */
	struct err err;
	int64_t revision_now; /* of the store when it was read */
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
	int64_t after; /* events of later revisions; 0 = from now on */
	/* All events of one or more whole revisions, in order; bytes are valid during the call. n
	 * == 0: progress, nothing happened up to `revision`. */
	void (*events)(struct store_watch *w, const struct store_event *v, size_t n,
		       int64_t revision);
	/* It is over, not by store_unwatch: -ERR_GONE (compacted; start again from a list),
	 * -ERR_UNAVAILABLE. */
	void (*end)(struct store_watch *w, const struct err *err);
	void *private_[16];
};
int store_watch(struct store *s, struct store_watch *w, struct err *err);
void store_unwatch(struct store *s, struct store_watch *w);

/* ---- leases: keys that go by themselves ---- */

struct store_lease {
	int64_t id;  /* in: 0 = a new one; out */
	int64_t ttl; /* seconds; 0 with an id: revoke it, with its keys */
	void (*done)(struct store_lease *l);
	int result; /* -ERR_NOT_FOUND: it is over */
	struct err err;
	void *private_[16];
};
/* Grants, or keeps alive (its time begins anew). */
void store_lease(struct store *s, struct store_lease *l);

/* ---- care ---- */

struct store_task {
	int64_t revision; /* compact: history up to here goes; without stopping anyone */
	const char *path; /* backup: a new file, whole and consistent, taken while writes go on */
	void (*done)(struct store_task *t);
	int result;
	struct err err;
	void *private_[16];
};
void store_compact(struct store *s, struct store_task *t);
void store_backup(struct store *s, struct store_task *t);
/* Every page and row is read: -ERR_INVALID names what is damaged. */
void store_verify(struct store *s, struct store_task *t);
/* Makes `path` from a backup; -ERR_EXISTS when there is a store already. Blocking. */
int store_restore(const char *backup, const char *path, struct err *err);

struct store_stats {
	int64_t revision, compacted; /* the oldest that can be read is compacted + 1 */
	uint64_t keys, bytes;	     /* of the file or the server's database */
	uint64_t commits, events, watches, leases;
};
void store_get_stats(struct store *s, struct store_stats *ret);
