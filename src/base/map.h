/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash map from byte-string keys to pointers: open addressing, seeded hash (flooding-safe), heap
 * memory. Keys are borrowed: they must live as long as their entry (usually a field of the value).
 * Iteration order is unspecified; entries may be deleted during iteration, not added.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

struct map_entry {
	struct slice key; /* key.p == NULL: free slot */
	void *value;
	uint64_t hash;
};

struct map {
	struct map_entry *slots;
	size_t cap, used, tombs;
};

void map_init(struct map *m);
void map_fini(struct map *m); /* values are the caller's business */
DEFINE_CLEANUP_EMBEDDED(struct map, map_fini)
void *map_get(const struct map *m, struct slice key); /* NULL = absent */
/* Of the key that both are with one byte between them. NULL also when it is longer than 511. */
void *map_get_pair(const struct map *m, const char *a, char between, const char *b);
/* Sets, returns the old value or NULL. value must not be NULL. */
void *map_put(struct map *m, struct slice key, void *value);
void *map_del(struct map *m, struct slice key); /* returns the removed value or NULL */
size_t map_count(const struct map *m);
/* for (size_t i = 0; (v = map_next(&m, &i, &key)); ) — key may be NULL. */
void *map_next(const struct map *m, size_t *iter, struct slice *key);
