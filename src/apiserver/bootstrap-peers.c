/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our key is written once under a lease; the lease alone is renewed, which takes no revision. When
 * it is over all the same (the store was away too long) both begin anew. What others write is known
 * from the cache; their values (upstream's are protobuf) matter as little as upstream's reading of
 * them: the key is the address.
 */
#include "apiserver/bootstrap-peers.h"

#include "apiserver/objects/resource.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "store/store.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define RETRY NS_PER_SEC

struct peers {
	struct resources *rs;
	struct store *store;
	const struct collection *objects;
	char *address;
	int64_t ttl, lease; /* lease 0: none yet */
	bool there, left;
	struct timer timer;
	struct ask *ask; /* under way */
	struct cache_watch watch;
	bool watching;
	void (*changed)(void *arg);
	void *arg;
};

/* A request of the store; outlives us when it must. */
struct ask {
	struct peers *p; /* NULL: nobody waits */
	struct store_lease lease;
	struct store_txn txn;
	struct store_op op;
	struct buf key, value;
};

/* ---- our own key ---- */

static void ask_free(struct ask *a)
{
	if (a->p)
		a->p->ask = NULL;
	buf_fini(&a->key);
	buf_fini(&a->value);
	free(a);
}

static struct ask *ask_new(struct peers *p)
{
	struct ask *a = calloc(1, sizeof(*a));

	if (!a)
		abort();
	a->p = p;
	a->key = BUF_INIT(STORE_KEY_MAX);
	a->value = BUF_INIT(4096);
	p->ask = a;
	return a;
}

static void failed(struct peers *p, const struct err *err)
{
	log_kv(LOG_LEVEL_WARN, "the server's address could not be told to other servers", "error",
	       err->msg, NULL);
	timer_set_after(&p->timer, RETRY);
}

static void on_put(struct store_txn *t)
{
	struct ask *a = CONTAINER_OF(t, struct ask, txn);
	struct peers *p = a->p;

	if (p && t->result < 0) {
		p->lease = 0;
		failed(p, &t->err);
	} else if (p) {
		p->there = true;
		timer_set_after(&p->timer, p->ttl * NS_PER_SEC / 3);
	}
	ask_free(a);
}

static void put(struct peers *p)
{
	struct ask *a = ask_new(p);

	(void)buf_addf(&a->key, "%s%s", p->objects->prefix, p->address);
	(void)buf_addf(&a->value,
		       "{\"kind\":\"Endpoints\",\"apiVersion\":\"v1\",\"metadata\":{},"
		       "\"subsets\":[{\"addresses\":[{\"ip\":\"%s\"}]}]}",
		       p->address);
	a->op = (struct store_op){ .key = buf_slice(&a->key),
				   .value = buf_slice(&a->value),
				   .lease = p->lease };
	a->txn = (struct store_txn){ .ops = &a->op, .nops = 1, .done = on_put };
	store_commit(p->store, &a->txn);
}

static void on_lease(struct store_lease *l)
{
	struct ask *a = CONTAINER_OF(l, struct ask, lease);
	struct peers *p = a->p;

	if (p && l->result == -ERR_NOT_FOUND && p->lease) {
		p->lease = 0;
		p->there = false;
		timer_set_after(&p->timer, 0);
	} else if (p && l->result < 0) {
		failed(p, &l->err);
	} else if (p) {
		p->lease = l->id;
		if (p->there)
			timer_set_after(&p->timer, p->ttl * NS_PER_SEC / 3);
	}
	ask_free(a);
	if (p && p->lease && !p->there && !timer_armed(&p->timer))
		put(p);
}

/* Grants the lease, or keeps it alive. */
static int on_timer(struct timer *t)
{
	struct peers *p = CONTAINER_OF(t, struct peers, timer);
	struct ask *a;

	if (p->ask)
		return 0;
	a = ask_new(p);
	a->lease = (struct store_lease){ .id = p->lease, .ttl = p->ttl, .done = on_lease };
	store_lease(p->store, &a->lease);
	return 0;
}

/* ---- the others ---- */

static int on_change(struct cache_watch *w, enum cache_change what, struct item *item)
{
	struct peers *p = CONTAINER_OF(w, struct peers, watch);

	/* Taken out by others while its lease lives. */
	if (what == CACHE_DELETED && p->there && slice_eq(item_key(item), slice_str(p->address))) {
		p->there = false;
		timer_set_after(&p->timer, 0);
	}
	if (what != CACHE_MODIFIED)
		p->changed(p->arg);
	return 0;
}

static void on_flush(struct cache_watch *w)
{
	(void)w;
}

static void follow(struct peers *p);

static void on_end(struct cache_watch *w, const struct err *why)
{
	struct peers *p = CONTAINER_OF(w, struct peers, watch);

	p->watching = false;
	if (why->code == ERR_GONE) {
		follow(p);
		p->changed(p->arg);
	}
}

static void follow(struct peers *p)
{
	p->watch = (struct cache_watch){ .change = on_change, .flush = on_flush, .end = on_end };
	p->watching = cache_watch(p->objects->cache, &p->watch,
				  world_revision(resources_world(p->rs)), NULL) == 0;
}

/* ---- life ---- */

struct peers *peers_new(struct resources *rs, struct store *store, const char *address, int64_t ttl,
			void (*changed)(void *arg), void *arg)
{
	struct peers *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->rs = rs;
	p->store = store;
	p->objects = resources_objects(rs, "", RESOURCES_SERVERS);
	p->address = strdup(address);
	if (!p->address)
		abort();
	p->ttl = ttl;
	p->changed = changed;
	p->arg = arg;
	timer_init(&p->timer, world_loop(resources_world(rs)), on_timer);
	timer_set_after(&p->timer, 0);
	follow(p);
	return p;
}

struct removal {
	struct cache_write write;
	struct cache_op op;
	char key[64];
};

static void removed(struct cache_write *w)
{
	free(CONTAINER_OF(w, struct removal, write)); /* failed: it goes with its lease */
}

void peers_leave(struct peers *p)
{
	struct removal *r;

	if (p->left)
		return;
	p->left = true;
	timer_clear(&p->timer);
	if (p->watching)
		cache_unwatch(&p->watch);
	p->watching = false;
	if (p->ask)
		p->ask->p = NULL;
	p->ask = NULL;
	if (!p->there || world_error(resources_world(p->rs)))
		return;
	r = calloc(1, sizeof(*r));
	if (!r)
		abort();
	(void)str_copy(r->key, sizeof(r->key), p->address);
	r->op = (struct cache_op){ .cache = p->objects->cache,
				   .key = slice_str(r->key),
				   .expect = CACHE_ANY_REVISION };
	r->write = (struct cache_write){ .ops = &r->op, .n = 1, .done = removed };
	cache_write(resources_world(p->rs), &r->write);
}

void peers_free(struct peers *p)
{
	if (!p)
		return;
	peers_leave(p);
	timer_fini(&p->timer);
	free(p->address);
	free(p);
}

/* ---- who is there ---- */

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static bool is_wanted(const char *address, int v6)
{
	unsigned char bytes[16];
	const bool six = strchr(address, ':') != NULL;

	return inet_pton(six ? AF_INET6 : AF_INET, address, bytes) == 1 &&
	       (v6 < 0 || six == (v6 == 1));
}

const char *const *peers_addresses(const struct peers *p, struct arena *a, int v6)
{
	CLEANUP(cache_view_unref) struct cache_view *view = cache_now(p->objects->cache);
	const char **list =
		ARENA_ARRAY(a, const char *, cache_count(p->objects->cache) + 2); /* zeroed */
	const struct item *item;
	struct cache_iter it;
	bool own = false;
	size_t n = 0;

	if (!list)
		return NULL;
	cache_iter_init(&it, view, SLICE(""), SLICE(""));
	while ((item = cache_iter_next(&it))) {
		const char *address = arena_strndup(a, item_key(item).p, item_key(item).n);

		if (!address)
			return NULL;
		if (!is_wanted(address, v6))
			continue;
		own |= strcmp(address, p->address) == 0;
		list[n++] = address;
	}
	if (!own && is_wanted(p->address, v6))
		list[n++] = p->address;
	qsort(list, n, sizeof(*list), by_text);
	return list;
}
