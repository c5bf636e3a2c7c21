/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the etcd kind. One unary request is an etcd_call: bytes there, bytes back, sent to the
 * next endpoint when one does not answer. Messages are few and plain: they are written and read
 * with doc/protobuf-wire.h, so that values are not copied through documents.
 *
 * Field numbers: etcd api/etcdserverpb/rpc.proto, api/mvccpb/kv.proto.
 */
#pragma once

#include "base/list.h"
#include "base/loop.h"
#include "doc/protobuf-wire.h"
#include "io/grpc.h"
#include "store/private.h"

#define ETCD_MESSAGE_MAX (128u << 20)
#define ETCD_KV "etcdserverpb.KV"
#define ETCD_WATCH "etcdserverpb.Watch"
#define ETCD_LEASE "etcdserverpb.Lease"
#define ETCD_AUTH "etcdserverpb.Auth"
#define ETCD_MAINTENANCE "etcdserverpb.Maintenance"

struct etcd_endpoint {
	char *url;
	struct grpc_client *cl;
};

struct etcd {
	struct store base;
	struct etcd_endpoint *endpoints;
	size_t n, current;
	int64_t time;
	char *user, *password, *token;
	struct etcd_call *authenticating;
	int64_t revision;
	struct list calls;   /* struct etcd_call */
	struct list watches; /* struct etcd_watch */
	struct list held;    /* struct etcd_txn: done, their events not yet told */
	struct list tasks;   /* struct etcd_task with a stream */
	struct deferred release;
	uint64_t commits, events, keys, bytes;
	int64_t compacted;
	bool asking_stats;
};
static inline struct etcd *etcd_of(struct store *s)
{
	return CONTAINER_OF(s, struct etcd, base);
}

/* ---- etcd-call.c ---- */

struct etcd_call {
	struct list link;
	struct etcd *e;
	const char *service;
	const struct grpc_method *m;
	struct buf request, answer;
	bool answered;
	bool twice;    /* may be sent again although an earlier one may have been carried out */
	bool repeated; /* it was */
	bool renewed;  /* a new token was fetched for it */
	bool fixed;    /* asks one endpoint only */
	size_t endpoint;
	unsigned tries;
	int64_t due;
	struct grpc_call *call;
	struct timer timer;
	/* Once; the call is freed after it. answer: the message, when result is 0. */
	void (*done)(struct etcd_call *c, int result, struct slice answer, struct err *err);
	void *arg;
};
/* Takes the request's bytes from w. Never calls done() from within. */
struct etcd_call *etcd_call_new(struct etcd *e, const char *service, const struct grpc_method *m,
				struct pb_writer *w,
				void (*done)(struct etcd_call *c, int result, struct slice answer,
					     struct err *err),
				void *arg);
void etcd_call_start(struct etcd_call *c);
/* Ends all with -ERR_UNAVAILABLE. */
void etcd_calls_end(struct etcd *e);
/* A status of etcd's as an error of ours: compacted is GONE, a revision to come BAD_REQUEST, ... */
int etcd_error(enum grpc_code code, const char *message, const char *endpoint, struct err *err);
/* A stream to the endpoint whose turn it is, with the token. */
int etcd_stream(struct etcd *e, const char *service, const struct grpc_method *m,
		struct grpc_call **ret, struct err *err);
void etcd_next_endpoint(struct etcd *e);
/* Gives a call up: none of its callbacks run any more. *c is NULL afterwards, and may be before. */
void etcd_drop(struct grpc_call **c);
/* An answer's header: the revision is noted. */
int64_t etcd_header(struct etcd *e, struct slice header);
int etcd_malformed(const char *what, const struct pb_reader *r, struct err *err);

extern const struct grpc_method etcd_range_method, etcd_txn_method, etcd_compact_method,
	etcd_watch_method, etcd_grant_method, etcd_revoke_method, etcd_keep_alive_method,
	etcd_status_method, etcd_hash_method, etcd_alarm_method, etcd_snapshot_method,
	etcd_authenticate_method;

/* ---- etcd-wire.c ---- */

int etcd_read_kv(struct slice wire, struct store_kv *ret, struct err *err);
/* RangeResponse. each may be NULL. */
struct etcd_range_answer {
	int64_t revision, count;
	bool more;
	size_t n;
};
int etcd_read_range(struct etcd *e, struct slice wire,
		    int (*each)(void *arg, const struct store_kv *kv), void *arg,
		    struct etcd_range_answer *ret, struct err *err);
struct etcd_range_request {
	struct slice key, end; /* end empty: the key alone; "\0": no end */
	int64_t limit, revision;
	bool keys_only, count_only;
};
/* The message's fields, last first (protobuf-wire.h). */
void etcd_put_range(struct pb_writer *w, const struct etcd_range_request *r);
/* The end of a prefix's keys, in `out` (STORE_KEY_MAX bytes): "\0" when there is none. */
struct slice etcd_prefix_end(struct slice prefix, char *out);

/* ---- answers, for their owners and for fuzzing ---- */

/* Fills t's results; repeated: it was sent more than once. */
int etcd_read_txn(struct etcd *e, struct store_txn *t, struct slice answer, bool repeated,
		  struct err *err);
int etcd_read_lease(struct etcd *e, struct store_lease *l, struct slice answer, struct err *err);
struct etcd_watch_answer {
	bool canceled, fragment;
	int64_t compacted; /* why it was canceled, or 0 */
	struct slice reason;
};
int etcd_read_watch(struct slice wire, struct etcd_watch_answer *ret, struct err *err);
int etcd_read_event(struct slice wire, bool no_prev, struct store_event *ret, struct err *err);

/* ---- the rest ---- */

void etcd_commit(struct store *s, struct store_txn *t);
/* Those whose events have been told to all watches end. */
void etcd_release(struct etcd *e);
void etcd_held_end(struct etcd *e);
void etcd_range(struct store *s, struct store_range *r);
int etcd_watch(struct store *s, struct store_watch *w, struct err *err);
void etcd_unwatch(struct store *s, struct store_watch *w);
void etcd_progress(struct store *s, struct store_watch *w);
/* The lowest revision that a watch has told its owner of; INT64_MAX: none is behind anything. */
int64_t etcd_watches_told(const struct etcd *e);
void etcd_watches_end(struct etcd *e);
void etcd_lease(struct store *s, struct store_lease *l);
void etcd_compact(struct store *s, struct store_task *t);
void etcd_backup(struct store *s, struct store_task *t);
void etcd_verify(struct store *s, struct store_task *t);
void etcd_stats(struct store *s, struct store_stats *ret);
void etcd_tasks_end(struct etcd *e);
