/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open addressing with linear probing. A deleted entry becomes a tombstone (value NULL, key not
 * NULL) unless the next slot is free, so that nothing moves while someone iterates. At most 3/4 of
 * the slots are in use.
 */
#include "base/map.h"

#include "base/hash.h"

#include <assert.h>

#define MAP_FIRST 16u

void map_init(struct map *m)
{
	*m = (struct map){ 0 };
}

void map_fini(struct map *m)
{
	free(m->slots);
	map_init(m);
}

/* The empty key must not look like a free slot. */
static struct slice real_key(struct slice key)
{
	return key.p ? key : SLICE("");
}

static struct map_entry *map_find(const struct map *m, struct slice key, uint64_t hash)
{
	size_t mask = m->cap - 1;

	if (!m->cap)
		return NULL;
	for (size_t i = hash & mask; m->slots[i].key.p; i = (i + 1) & mask) {
		struct map_entry *e = &m->slots[i];

		if (e->value && e->hash == hash && slice_eq(e->key, key))
			return e;
	}
	return NULL;
}

void *map_get(const struct map *m, struct slice key)
{
	struct map_entry *e;

	if (!m->used)
		return NULL;
	key = real_key(key);
	e = map_find(m, key, hash_bytes(key.p, key.n));
	return e ? e->value : NULL;
}

void *map_get_pair(const struct map *m, const char *a, char between, const char *b)
{
	const size_t n = strlen(a), k = strlen(b);
	char key[512];

	if (n + 1 + k >= sizeof(key))
		return NULL;
	memcpy(key, a, n);
	key[n] = between;
	memcpy(key + n + 1, b, k);
	return map_get(m, slice_of(key, n + 1 + k));
}

static void map_insert(struct map *m, struct map_entry new)
{
	size_t mask = m->cap - 1, i = new.hash &mask;

	while (m->slots[i].value)
		i = (i + 1) & mask;
	if (m->slots[i].key.p)
		m->tombs--;
	m->slots[i] = new;
	m->used++;
}

static void map_rehash(struct map *m, size_t cap)
{
	struct map old = *m;

	*m = (struct map){ .slots = calloc(cap, sizeof(*m->slots)), .cap = cap };
	if (!m->slots)
		abort();
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].value)
			map_insert(m, old.slots[i]);
	free(old.slots);
}

void *map_put(struct map *m, struct slice key, void *value)
{
	struct map_entry *e;
	uint64_t hash;
	void *old;

	assert(value);
	key = real_key(key);
	hash = hash_bytes(key.p, key.n);
	e = map_find(m, key, hash);
	if (e) {
		old = e->value;
		e->key = key; /* the old key may live in the old value */
		e->value = value;
		return old;
	}
	if ((m->used + m->tombs + 1) * 4 > m->cap * 3)
		map_rehash(m, m->used * 2 >= m->cap ? MAX(m->cap * 2, MAP_FIRST) : m->cap);
	map_insert(m, (struct map_entry){ key, value, hash });
	return NULL;
}

void *map_del(struct map *m, struct slice key)
{
	struct map_entry *e;
	void *old;

	key = real_key(key);
	e = m->used ? map_find(m, key, hash_bytes(key.p, key.n)) : NULL;
	if (!e)
		return NULL;
	old = e->value;
	*e = (struct map_entry){ 0 };
	m->used--;
	if (m->slots[(size_t)(e - m->slots + 1) & (m->cap - 1)].key.p) {
		e->key = SLICE(""); /* the key's owner may free it now */
		m->tombs++;
	}
	return old;
}

size_t map_count(const struct map *m)
{
	return m->used;
}

void *map_next(const struct map *m, size_t *iter, struct slice *key)
{
	while (*iter < m->cap) {
		const struct map_entry *e = &m->slots[(*iter)++];

		if (!e->value)
			continue;
		if (key)
			*key = e->key;
		return e->value;
	}
	return NULL;
}
