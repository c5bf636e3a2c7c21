/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to cache*.c: how items lie in memory, the tree, windows, and the world's parts.
 *
 * A batch of the store's events goes through in phases (cache-world.c): windows are trimmed, all
 * events go into trees and windows, then watchers are told from the windows, then flushed, then who
 * waits for the revision is called. So a callback always sees whole revisions, and who catches up
 * goes the same way as who was live.
 */
#pragma once

#include "apiserver/objects/cache.h"
#include "base/map.h"
#include "store/store.h"

struct node;

/* ---- where things are in an object (cache-shape.c) ---- */

#define SHAPE_SLOTS_MAX 64
#define SHAPE_NONE 0xff

/* A name on the way to a selectable field. */
struct shape_step {
	struct slice name;
	uint16_t down, next; /* 1 + index of the first below, of the next beside; 0 = none */
	uint8_t slot;	     /* or SHAPE_NONE */
};
/* A field as selectors call it. */
struct shape_field {
	struct slice name;
	uint8_t slot, other; /* SHAPE_NONE: nowhere; `other` when the first is empty */
	bool never;	     /* upstream lists it, but has no value for it */
	struct slice absent;
};
/* Of a kind; shared by its items, which may outlive the cache. */
struct shape {
	unsigned refs;
	bool namespaced;
	bool alone; /* a webhook makes other versions: these have fields of their own */
	uint8_t nslots;
	uint16_t nsteps, nfields;
	struct shape_step *steps; /* the first is the first at the top */
	struct shape_field *fields;
	struct slice head; /* {"kind":"Pod","apiVersion":"v1", */
	char *text;	   /* all names */
};
/* Versions of a custom kind that differ in their names only have the fields of all of them. */
struct shape *shape_new(const struct api_kind *kind);
struct shape *shape_ref(struct shape *s);
void shape_unref(struct shape *s);
bool shape_same(const struct shape *a, const struct shape *b); /* items fit both */
const struct shape_field *shape_field(const struct shape *s, struct slice name);

struct item_field {
	uint32_t at; /* in the JSON; 0 = absent */
	uint32_t n : 31;
	uint32_t escaped : 1; /* a string with backslashes */
};
/* What one reading of a stored object found; places are those of the bytes read. */
struct scan {
	uint32_t at, cut; /* resourceVersion goes to `at`, in the place of `cut` bytes */
	const char *before, *after;
	uint32_t labels, nlabels;
	struct item_field fields[SHAPE_SLOTS_MAX];
};
/* json begins with shape->head. -ERR_INVALID tells what is wrong where. */
int shape_scan(const struct shape *s, struct slice json, struct scan *ret, struct err *err);

/* ---- items (cache-item.c) ---- */

struct item_form {
	struct list link; /* of the world, oldest first */
	struct item_form *next;
	struct item *item;
	struct world *world;
	uint32_t id, n;
	char p[];
};
struct item {
	uint32_t refs, njson : 31, filled : 1; /* filled: see item_stored */
	int64_t revision;
	struct shape *shape;
	struct item_form *forms;
	uint32_t labels, nlabels;
	uint32_t at; /* of the first digit of resourceVersion */
	uint16_t nkey, nspace;
	/* shape->nslots; then the key, then the JSON; of a filled one its length and bytes as they
	 * were stored */
	struct item_field fields[];
};
static inline const char *item_bytes(const struct item *i)
{
	return (const char *)(i->fields + i->shape->nslots);
}
/* stored: open, begins with the shape's head and "metadata". */
int item_make(struct shape *s, struct slice key, struct slice stored, int64_t revision,
	      struct item **ret, struct err *err);
/* What `stored` lacked was filled in (struct cache_form.fills): it is kept with the item, which is
 * new, for when the kind changes. Takes i. */
struct item *item_keep_stored(struct item *i, struct slice stored);
/* That, or the JSON. */
struct slice item_stored(const struct item *i);
size_t item_memory(const struct item *i);
/* The text of a selectable field as it stands in the JSON. */
struct slice item_field(const struct item *i, struct slice name, bool *ret_escaped);
struct slice item_slot(const struct item *i, const struct shape_field *f, bool *ret_escaped);
void forms_init(struct world *w);
void forms_fini(struct world *w);

/* A JSON string's inside as text; false: it does not fit n bytes. */
bool text_decode(struct slice raw, char *out, size_t n, size_t *ret_n);
/* The labels one by one as `key=value`, decoded into out; *at begins as 0. Those that do not fit
 * are left out. False: there are no more. */
bool labels_next(struct slice labels, size_t *at, char *out, size_t n, size_t *ret_n);

/* ---- trees (cache-tree.c) ---- */

struct tree {
	struct node *root; /* NULL: empty */
	size_t count;
	size_t *memory; /* of all nodes; shared with snapshots */
};
struct item *tree_get(const struct node *root, struct slice key);
/* Takes the reference; gives back the one of the item before, or NULL. */
struct item *tree_put(struct tree *t, struct item *i);
struct item *tree_del(struct tree *t, struct slice key);
struct node *tree_ref(struct node *n);
void tree_unref(struct node *n, size_t *memory);
size_t tree_rank(const struct node *root, struct slice key); /* how many are before it */
int slice_order(struct slice a, struct slice b);

#define TREE_DEPTH_MAX 12
struct tree_iter {
	size_t at, end; /* numbers of items */
	unsigned depth;
	struct {
		const struct node *node;
		unsigned i;
	} path[TREE_DEPTH_MAX];
};
void tree_iter_init(struct tree_iter *it, const struct node *root, struct slice from, size_t end);
struct item *tree_iter_next(struct tree_iter *it);

/* ---- windows (cache-window.c) ---- */

struct change {
	int64_t revision;
	struct item *old, *new; /* NULL: was not there; is gone */
	struct item *gone;	/* `old` at this revision, when someone had to be told */
};
struct window {
	struct change *v; /* number i is at v[i & (cap - 1)] */
	size_t cap;
	uint64_t tail, head; /* numbers: the first that is there, the next */
	uint64_t bytes;
	int64_t oldest; /* changes behind it are all there */
};
static inline struct change *window_at(const struct window *n, uint64_t number)
{
	return &n->v[number & (n->cap - 1)];
}
/* Takes the references. */
void window_push(struct cache *c, int64_t revision, struct item *old, struct item *new);
uint64_t window_find(const struct window *n, int64_t after); /* the first behind a revision */
struct item *change_gone(struct cache *c, struct change *ch);
void window_trim(struct world *w); /* to the bounds */
void window_clear(struct cache *c, int64_t oldest);
void window_drop_cache(struct world *w, struct cache *c); /* nothing of it is in the order */

struct cache_view {
	unsigned refs;
	struct cache *cache;
	struct node *root;
	size_t count;
	int64_t revision;
	struct list kept; /* of the cache */
	int64_t until;
	uint64_t replaced; /* the cache's when it was taken */
};
void views_trim(struct world *w);
void views_drop(struct cache *c);
int views_timer(struct timer *t); /* those whose time is over */

/* ---- watches (cache-watch.c) ---- */

enum watch_state { WATCH_OVER, WATCH_LIVE, WATCH_BLOCKED, WATCH_BEHIND };
struct watch_group {
	struct list watches;
	unsigned busy;
	uint16_t nkey;
	char key[];
};
struct watch {
	struct list link;	   /* of its group, of the blocked, of those behind */
	struct list flush;	   /* was told something */
	struct watch_group *group; /* live: NULL = the plain list */
	int64_t after;
	uint64_t at; /* not live: the next change in the window */
	uint8_t state;
};
#define SLOT_NAME 0xfe
struct watches {
	struct list plain, blocked, behind; /* blocked: by their place */
	struct map groups;
	unsigned keys, prefixes, names, labels, slots[SHAPE_SLOTS_MAX];
	unsigned n;
	uint64_t told;
};
void watches_init(struct cache *c);
void watches_fini(struct cache *c);
void watches_tell(struct cache *c);   /* what is in the window and was not told */
void watches_flush(struct world *w);  /* those that were told */
void watches_passed(struct cache *c); /* ends those that the window left behind */
void watches_end(struct cache *c, const struct err *err); /* all; at the end of the round */
void watches_run(struct deferred *d);

/* ---- caches, the world ---- */

enum cache_state { CACHE_NEW, CACHE_LOADING, CACHE_READY, CACHE_REMOVED };
/* An event that came while the cache was being read. */
struct queued {
	int64_t revision;
	struct item *item; /* NULL: removed */
	char *key;
	size_t nkey;
};
struct cache {
	unsigned refs;
	struct world *world;
	enum cache_state state;
	struct slice prefix;
	struct cache *outer; /* whose prefix begins this one's */
	const struct api_kind *kind;
	struct shape *shape;
	struct shape *other;		 /* of the latest object in another version; may be NULL */
	struct cache_form form, sealing; /* of sealing: open and seal */
	void *arg;
	struct tree tree, fresh; /* fresh: while everything is read again */
	size_t memory;		 /* of nodes */
	uint64_t items_bytes, json_bytes, replaced;
	struct window window;
	bool telling, loading;	  /* loading: a reading of everything is for it too */
	bool filled;		  /* the kind's defaults are filled in */
	bool keeps;		  /* items that stand otherwise in the store: item_keep_stored */
	uint64_t untold;	  /* number of the first change that watchers were not told of */
	struct list dirty, grown; /* of the world: to be told, to be trimmed */
	struct watches watches;
	struct list ending; /* its watches are to end with end_err */
	struct err *end_err;
	struct list kept;
	struct queued *queue;
	size_t nqueue;
	struct load *load;
};
struct cache *cache_ref(struct cache *c);
void cache_unref(struct cache *c);
/* An item of stored bytes. key: the store's. */
int cache_item(struct cache *c, struct slice key, struct slice stored, int64_t revision,
	       struct item **ret, struct err *err);
/* The same of what is not sealed. */
int cache_item_open(struct cache *c, struct slice key, struct slice open, int64_t revision,
		    struct item **ret, struct err *err);
/* Tree and window; watchers are told by watches_tell. item (taken) NULL: removed. */
void cache_change(struct cache *c, struct slice key, struct item *item, int64_t revision);
void cache_account(struct cache *c, const struct item *i, bool more);
void cache_empty(struct cache *c);
void cache_queue_drop(struct cache *c);
void cache_store_key(const struct cache *c, struct slice key, struct buf *out);

struct place {
	struct cache *cache; /* NULL: dropped already */
	uint64_t number;
};
struct world {
	struct world_conf conf;
	struct cache_form sealing;
	struct cache **caches; /* by prefix */
	size_t ncaches, cap;
	struct cache *last; /* that an event was for */
	int64_t revision;
	int64_t told; /* all watchers were told up to here, or stand in the window */
	bool started, ready, watching;
	bool again;		  /* the watch lost its place: everything is to be read */
	bool nested;		  /* a cache lies within another's prefix */
	int64_t gap_from, gap_to; /* what was between is not known: everything was read again */
	struct store_watch watch;
	struct err error;
	struct timer retry;
	int64_t delay;
	void (*start_done)(void *arg, int result, struct err *err);
	void *start_arg;
	struct list loads;
	struct buf open, foreign;
	struct map damaged; /* keys (owned) that cannot be read */
	struct err damage;
	struct list dirty, grown;
	/* windows: all changes in the order in which they came */
	struct place *order;
	size_t order_cap;
	uint64_t order_tail, order_head;
	uint64_t window_bytes;
	/* kept views */
	struct timer keep;
	uint64_t replaced, replaced_seen;
	size_t nkept;
	/* forms */
	struct list forms;
	uint64_t forms_bytes;
	struct deferred forms_over;
	/* watches */
	struct list flush, ending;
	struct cache_watch *current; /* in a callback; NULL when it ended meanwhile */
	bool dispatching;
	struct deferred run;
	/* waiting */
	struct list waits, next_asks, cache_waits;
	struct ask *ask;
	/* writes */
	struct list writes, write_ends, leases;
	struct deferred write_end;
};
struct cache *world_route(struct world *w, struct slice key, struct slice *ret_key);
void world_damage(struct world *w, struct slice key, const struct err *err);
void world_repaired(struct world *w, struct slice key);
/* The phases of a batch behind the changes: told, flushed, waiters called. */
void world_advance(struct world *w, int64_t revision);
void world_fail(struct world *w, const struct err *err);
void world_watch(struct world *w);

/* cache-load.c */
struct load;
void load_start(struct world *w);		   /* everything, the first time */
void load_again(struct world *w);		   /* everything, told as changes */
void load_cache(struct world *w, struct cache *c); /* one that was added later */
void load_drop(struct load *l);			   /* its world or cache goes */
void loads_drop(struct world *w);

/* cache-wait.c */
void waits_due(struct world *w);
void waits_of(struct world *w, const struct cache *c); /* it is read, or removed */
void waits_end(struct world *w);

/* cache-write.c */
void writes_init(struct world *w);
void writes_fini(struct world *w);
