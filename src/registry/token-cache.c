/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens that were verified, by their digest: the signature of the same token is checked once. An
 * entry is good until its token expires, and only under the policy it was verified by: a reload, a
 * revocation, other keys make all of them strangers. Bounded; the oldest goes.
 */
#include "registry/auth.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"

#include <stdlib.h>

#define TOKENS_MAX 256
#define ENTRY_ARENA_MAX (1u << 20)

struct token_entry {
	struct list link; /* most recent first; empty when it was let go of */
	unsigned refs;
	unsigned char digest[SHA256_LEN];
	struct arena *arena;
	struct who who;
	int64_t expires; /* seconds */
	uint64_t generation;
};

struct token_cache {
	struct map map;
	struct list recent;
	size_t n;
};

struct token_cache *token_cache_new(void)
{
	struct token_cache *k = calloc(1, sizeof(*k));

	if (!k)
		abort();
	map_init(&k->map);
	list_init(&k->recent);
	return k;
}

static void unref(void *arg)
{
	struct token_entry *e = arg;

	if (--e->refs)
		return;
	arena_free(e->arena);
	free(e);
}

static struct slice key_of(const struct token_entry *e)
{
	return slice_of((const char *)e->digest, sizeof(e->digest));
}

static void drop(struct token_cache *k, struct token_entry *e)
{
	(void)map_del(&k->map, key_of(e));
	list_del(&e->link);
	k->n--;
	unref(e);
}

void token_cache_free(struct token_cache *k)
{
	struct token_entry *e;

	if (!k)
		return;
	while ((e = LIST_FIRST(&k->recent, struct token_entry, link)))
		drop(k, e);
	map_fini(&k->map);
	free(k);
}

struct token_entry *token_entry_new(struct slice token)
{
	struct token_entry *e = calloc(1, sizeof(*e));
	struct sha256 h;

	if (!e)
		abort();
	e->refs = 1;
	e->arena = arena_new("a token", ENTRY_ARENA_MAX);
	list_init(&e->link);
	sha256_init(&h);
	sha256_update(&h, token.p, token.n);
	sha256_final(&h, e->digest);
	return e;
}

void token_entry_free(struct token_entry *e)
{
	if (e)
		unref(e);
}

struct arena *token_entry_arena(struct token_entry *e)
{
	return e->arena;
}

/* Its strings live with the entry, which the request now holds. */
static int use(struct token_entry *e, struct arena *a, struct who *ret)
{
	if (arena_defer(a, unref, e) < 0)
		return -1;
	e->refs++;
	*ret = e->who;
	return 0;
}

bool token_cache_get(struct token_cache *k, struct slice token, uint64_t generation,
		     struct arena *a, struct who *ret)
{
	unsigned char digest[SHA256_LEN];
	struct token_entry *e;
	struct sha256 h;

	sha256_init(&h);
	sha256_update(&h, token.p, token.n);
	sha256_final(&h, digest);
	e = map_get(&k->map, slice_of((const char *)digest, sizeof(digest)));
	if (!e)
		return false;
	if (e->generation != generation || clock_real() / NS_PER_SEC >= e->expires) {
		drop(k, e);
		return false;
	}
	list_del(&e->link);
	list_prepend(&k->recent, &e->link);
	return use(e, a, ret) == 0;
}

int token_cache_put(struct token_cache *k, struct token_entry *e, const struct who *who,
		    int64_t expires, uint64_t generation, struct arena *a, struct who *ret)
{
	struct token_entry *old = map_get(&k->map, key_of(e));

	e->who = *who;
	e->expires = expires;
	e->generation = generation;
	if (old)
		drop(k, old);
	(void)map_put(&k->map, key_of(e), e);
	list_prepend(&k->recent, &e->link);
	e->refs++;
	k->n++;
	if (k->n > TOKENS_MAX)
		drop(k, LIST_ENTRY(k->recent.prev, struct token_entry, link));
	return use(e, a, ret);
}
