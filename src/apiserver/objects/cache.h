/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All objects of the store in memory, as they are served: canonical JSON bytes with a small index,
 * immutable and counted; for each group-resource a copy-on-write tree in order of keys, and the
 * window of its latest changes. GET, LIST and WATCH read only this; writes go to the store, come
 * back as its events, and are in here before a write's done().
 *
 *	struct world        one store, all caches: one reading at the start, one watch afterwards
 *	struct cache        the objects of one group-resource ("/registry/pods/")
 *	struct item         one object at one revision
 *	struct cache_view   all objects of a cache at one revision; costs nothing to take
 *	struct cache_watch  what changes behind a revision
 *
 * A watcher has no queue: it stands at a place in its cache's window, and is told again from there
 * when it has room; one that the window has passed ends with -ERR_GONE. So a slow one costs others
 * nothing. Not thread safe: all on the loop's thread.
 */
#pragma once

#include "api/selector.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct api_kind;
struct cache;
struct cache_form;
struct cache_view;
struct item;
struct store;
struct world;

/* ---- one object ---- */

struct item *item_ref(struct item *i);
void item_unref(struct item *i); /* NULL is fine */
DEFINE_CLEANUP(struct item *, item_unref)

/* Below the cache's prefix: "default/web-0", "node-1". */
struct slice item_key(const struct item *i);
struct slice item_namespace(const struct item *i); /* empty: cluster-scoped */
struct slice item_name(const struct item *i);
int64_t item_revision(const struct item *i); /* of its last change; of a removed one, its removal */
/* {"kind":"Pod","apiVersion":"v1","metadata":{...,"resourceVersion":"7"},...}, in the version it is
 * stored in. Members stand in the order of the tables. */
struct slice item_json(const struct item *i);
/* The same from the key "metadata" on, without kind and apiVersion: `"metadata":{...}...}`. A list
 * of built-in objects has "{" and this for each. */
struct slice item_tail(const struct item *i);
/* The same object at another revision: of its removal. */
struct item *item_at(const struct item *i, int64_t revision);
/* The store has it in another version, which a write brings to the stored one. */
bool item_is_older(const struct item *i);
/* The store has the very bytes of item_json: no other version, no default that is lacking. */
bool item_is_as_stored(const struct item *i);
/* The value of metadata.labels as JSON; empty without labels. */
struct slice item_labels(const struct item *i);
/* No terms match everything. Fields: metadata.name, metadata.namespace and the kind's. */
bool item_match(const struct item *i, const struct selector *labels, const struct selector *fields);

/*
 * The same object in other bytes (protobuf, another version): made once by whoever needs it first,
 * kept with the item as long as the world's budget for such has room (the oldest go first). `id` is
 * the codec's. item_form: empty when there is none. item_keep_form: bytes are copied; the result is
 * valid while the caller has the item and does not return to the loop.
 */
struct slice item_form(struct world *w, struct item *i, uint32_t id);
struct slice item_keep_form(struct world *w, struct item *i, uint32_t id, struct slice bytes);

/* ---- all of it ---- */

struct world_conf {
	struct loop *loop;
	struct store *store;
	bool shared; /* other servers write to the store too: "most recent" asks it */
	/* Zero is the default in brackets. */
	uint64_t window_bytes;	 /* of all windows, old versions included [32 MiB] */
	uint64_t window_changes; /* of one cache [65,536] */
	uint64_t forms_bytes;	 /* of other encodings [16 MiB] */
	/* open and seal (with their arg) of every cache whose own form has none: encryption at
	 * rest. NULL: none. Copied. */
	const struct cache_form *sealing;
};
struct world *world_new(const struct world_conf *conf);
/* Every view, watch and write of it is over; the store is closed afterwards. Items may live on. */
void world_free(struct world *w);
DEFINE_CLEANUP(struct world *, world_free)

/* How objects stand in the store when that is not our plain JSON. All may be NULL. Bytes given back
 * are in `out`. */
struct cache_form {
	/* From stored bytes (sealed) to open ones, and back; key: the store's. */
	int (*open)(void *arg, struct slice key, struct slice stored, struct buf *out,
		    bool *ret_used, struct err *err); /* ret_used false: `stored` is open */
	int (*seal)(void *arg, struct slice key, struct slice open, struct buf *out, bool *ret_used,
		    struct err *err);
	/* What is not `{"kind":"K","apiVersion":"V","metadata":` of the kind that is stored:
	 * upstream's protobuf, another version. Gives canonical JSON in the stored version. */
	int (*foreign)(void *arg, const struct api_kind *kind, struct slice bytes, struct buf *out,
		       struct err *err);
	/* Objects may stand in another version of the kind: which one `bytes` (open, canonical) are
	 * in; NULL: `kind`. Such are kept as they are, with the fields that their own version
	 * selects by. NULL: all are in the stored version. */
	const struct api_kind *(*kind_of)(const struct api_kind *kind, struct slice bytes);
	/* Sealed otherwise than seal would do it now: a write that changes nothing is made all the
	 * same. NULL: never. */
	bool (*stale)(void *arg, struct slice key);
	/* Is `foreign` to see every object of this kind? For defaults that came after an object was
	 * stored; a change of the kind then always has all objects made anew. NULL: never. */
	bool (*fills)(const struct api_kind *kind);
	void *arg;
};

struct cache_conf {
	const char *prefix;	     /* "/registry/pods/"; copied */
	const struct api_kind *kind; /* as stored; borrowed for the cache's life */
	struct cache_form form;
	void *arg; /* cache_arg() */
};
/* Before world_start, or at any time afterwards: then it reads its prefix (cache_ready tells). */
struct cache *world_add(struct world *w, const struct cache_conf *conf);
/* Its watches end with -ERR_GONE; what is stored stays. The cache lives until its last view ends.
 */
void world_remove(struct world *w, struct cache *c);
void *cache_arg(const struct cache *c);
/* The kind of a custom resource changed (selectable fields, storage version): what is there is
 * indexed anew. */
void cache_set_kind(struct cache *c, const struct api_kind *kind);

/* Reads everything, then watches. done once: 0, or what the store said (damaged values are named).
 * Later the store's watch may break off (etcd): it is begun anew by itself, from where it stood;
 * when that is gone, everything is read again and told as changes; meanwhile world_error has the
 * reason. */
void world_start(struct world *w, void (*done)(void *arg, int result, struct err *err), void *arg);
const struct err *world_error(const struct world *w); /* NULL: all is well */
bool world_is_shared(const struct world *w);
struct loop *world_loop(const struct world *w);
int64_t world_revision(const struct world *w); /* all up to it is in here */
bool cache_ready(const struct cache *c);

/* Waits until everything up to `revision` is in here; 0: up to what was acknowledged by anyone
 * before the call. done may run within the call; else later, also with -ERR_TIMEOUT (3 s: it is
 * yet to come) and -ERR_UNAVAILABLE. */
struct world_wait {
	void (*done)(struct world_wait *x, int result, struct err *err);
	struct world *world; /* from here on private */
	struct list link;
	struct timer timer;
	struct cache *cache;
	int64_t revision;
	void *private_[32];
};
void world_wait(struct world *w, struct world_wait *x, int64_t revision);
void world_unwait(struct world_wait *x); /* done() is not called */
/* Waits until the objects of a cache that came late are read; 0 also when it is removed. Else as
 * world_wait, never within the call. */
void cache_wait(struct cache *c, struct world_wait *x);

/* ---- reading ---- */

/* Borrowed from the tree: item_ref what outlives the return to the loop. NULL: not there. */
struct item *cache_get(const struct cache *c, struct slice key);
size_t cache_count(const struct cache *c);
/* Grows with every change of what is there: for who keeps what was made of all of it. */
uint64_t cache_generation(const struct cache *c);
/* It should be written again although it has not changed (struct cache_form.stale). */
bool cache_is_stale(const struct cache *c, struct slice key);

struct cache_view *cache_now(struct cache *c);
/* As it was at a revision. -ERR_GONE: neither the window nor a kept view reaches back to it;
 * -ERR_TIMEOUT: it is yet to come (world_wait first). */
int cache_at(struct cache *c, int64_t revision, struct cache_view **ret, struct err *err);
/* For `continue`: cache_at of its revision works for five minutes (bounded: the oldest go). */
void cache_keep(struct cache_view *v);
struct cache_view *cache_view_ref(struct cache_view *v);
void cache_view_unref(struct cache_view *v);
DEFINE_CLEANUP(struct cache_view *, cache_view_unref)
int64_t cache_view_revision(const struct cache_view *v); /* the world's when it was taken */

/* In order of keys, those that begin with `prefix` ("", "default/"), from `from` on when it is not
 * empty. The view outlives it; prefix and from are borrowed for its life. */
struct cache_iter {
	struct cache_view *view;
	struct slice prefix;
	void *private_[34];
};
void cache_iter_init(struct cache_iter *it, struct cache_view *v, struct slice prefix,
		     struct slice from);
struct item *cache_iter_next(struct cache_iter *it); /* borrowed from the view; NULL: the end */
/* How many are left, this prefix only: O(log n). */
size_t cache_iter_left(const struct cache_iter *it);

/* ---- writing ---- */

#define CACHE_ANY_REVISION (-1)

struct cache_op {
	struct cache *cache;
	struct slice key;  /* below the prefix */
	struct slice json; /* canonical, stored version, without resourceVersion; empty = remove */
	/* It was last changed at this revision; 0: it is not there; CACHE_ANY_REVISION. */
	int64_t expect;
	int64_t ttl;	     /* seconds until it goes by itself; 0 = never (events: 3600) */
	struct item *result; /* result 0: as written or removed, with its revision (NULL: nothing
				was there to remove); referenced by the write, given back
				after done() */
};
/* One transaction on one or more objects; durable and seen by all watchers of this process before
 * done(). Embedded in the request, which keeps it and what it points to until then. */
struct cache_write {
	struct cache_op *ops;
	size_t n;
	void (*done)(struct cache_write *w);
	/* 0; 1: ops[failed] was not as expected (nothing was written), look again: the cache has
	 * caught up with it; negative with err: nothing is known to be written. */
	int result;
	struct err err;
	size_t failed;
	int64_t revision;
	void *private_[64];
};
void cache_write(struct world *w, struct cache_write *x);
/* Some are under way. */
bool world_writing(const struct world *w);

/* ---- watching ---- */

enum cache_change { CACHE_ADDED, CACHE_MODIFIED, CACHE_DELETED };

struct cache_watch {
	/* Set by the owner before cache_watch, borrowed for its life. */
	struct slice prefix; /* of keys; "" = all, "default/" */
	struct slice key;    /* one object; empty = those of the prefix */
	const struct selector *labels, *fields;
	/*
	 * What an object that begins or ceases to match the selectors does is CACHE_ADDED or
	 * CACHE_DELETED here. A deleted item is its last state with the revision of the change.
	 * 0: go on; 1: taken, but there is no room for more now (cache_watch_resume).
	 */
	int (*change)(struct cache_watch *w, enum cache_change what, struct item *item);
	/* Once after one or more change(): whoever collects bytes sends them now. */
	void (*flush)(struct cache_watch *w);
	/* It is over: -ERR_GONE ("too old resource version: 3 (7)") or the cache went. Not from
	 * within cache_watch. */
	void (*end)(struct cache_watch *w, const struct err *err);
	struct item *before; /* during change(): the object as it was; NULL: it was not there */
	struct cache *cache; /* from here on private */
	void *private_[10];
};
/* Changes of later revisions than `after`. -ERR_GONE: the window does not reach back to it. */
int cache_watch(struct cache *c, struct cache_watch *w, int64_t after, struct err *err);
void cache_unwatch(struct cache_watch *w); /* also from within its callbacks; idempotent */
void cache_watch_resume(struct cache_watch *w);
/* All changes up to this one were told to it: what a bookmark says. */
int64_t cache_watch_revision(const struct cache_watch *w);
/* It stands between changes of one revision (a lease's keys go together): who comes back with the
 * last one that it was told would miss the rest. */
bool cache_watch_is_within(const struct cache_watch *w);

struct cache_stats {
	uint64_t objects, json_bytes, memory_bytes; /* memory: items and trees, estimated */
	uint64_t watches, changes;		    /* changes: told to watchers since the start */
	uint64_t window, window_bytes, forms_bytes;
	int64_t oldest; /* revision that a watch can begin behind */
};
void cache_get_stats(const struct cache *c, struct cache_stats *ret);
void world_get_stats(const struct world *w, struct cache_stats *ret); /* sums */
