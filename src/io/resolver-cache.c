/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that are kept: the messages themselves, by question, until their TTL is over or others
 * are asked for more often. A full cache gives up what was not used for longest.
 */
#include "io/resolver-impl.h"
#include "io/stream-impl.h"

#define MESSAGE_MAX 4096

struct slice cache_key(struct slice name, uint16_t type, char *key)
{
	for (size_t i = 0; i < name.n; i++)
		key[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
	key[name.n] = (char)(type >> 8);
	key[name.n + 1] = (char)type;
	return slice_of(key, name.n + 2);
}

static void drop(struct resolver *r, struct cache_entry *e)
{
	(void)map_del(&r->cache, e->key);
	list_del(&e->link);
	free(e);
}

const struct cache_entry *resolver_cache_get(struct resolver *r, struct slice key)
{
	struct cache_entry *e = map_get(&r->cache, key);

	if (!e)
		return NULL;
	if (e->expires <= loop_now(r->loop)) {
		drop(r, e);
		return NULL;
	}
	list_del(&e->link);
	list_append(&r->cache_lru, &e->link);
	return e;
}

void resolver_cache_put(struct resolver *r, struct slice key, struct slice message, int64_t ttl)
{
	struct cache_entry *e = map_get(&r->cache, key);

	if (e)
		drop(r, e);
	if (ttl <= 0 || message.n > MESSAGE_MAX)
		return;
	while (map_count(&r->cache) >= r->conf.cache_max)
		drop(r, LIST_FIRST(&r->cache_lru, struct cache_entry, link));
	e = io_alloc(sizeof(*e) + message.n + key.n);
	memcpy(e->bytes, message.p, message.n);
	memcpy(e->bytes + message.n, key.p, key.n);
	e->n = message.n;
	e->key = slice_of(e->bytes + message.n, key.n);
	e->born = loop_now(r->loop);
	e->expires = e->born + ttl;
	(void)map_put(&r->cache, e->key, e);
	list_append(&r->cache_lru, &e->link);
}

void resolver_cache_clear(struct resolver *r)
{
	struct cache_entry *e;

	while ((e = LIST_FIRST(&r->cache_lru, struct cache_entry, link)))
		drop(r, e);
}
