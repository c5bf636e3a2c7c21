/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests at hand: what clients ask for again and again is answered without a look at the
 * database or a file. Any change clears it all, which keeps it simple and right; a read fills it.
 */
#include "registry/private.h"

#include <stdio.h>
#include <string.h>

struct entry {
	struct list link; /* most recent first */
	struct cached *m;
	char *key;
};

struct cache {
	struct map map; /* "repo\nref" -> struct entry */
	struct list recent;
	size_t bytes, max;
};

#define KEY_MAX (CONTENT_NAME_MAX + IMAGE_DIGEST_MAX + 8)

struct cache *cache_new(size_t bytes_max)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	map_init(&c->map);
	list_init(&c->recent);
	c->max = bytes_max;
	return c;
}

void cached_unref(struct cached *m)
{
	if (m && --m->refs == 0)
		free(m);
}

static size_t cost(const struct entry *e)
{
	return e->m->bytes.n + sizeof(*e->m) + sizeof(*e) + 2 * KEY_MAX;
}

static void drop(struct cache *c, struct entry *e)
{
	map_del(&c->map, slice_str(e->key));
	list_del(&e->link);
	c->bytes -= cost(e);
	cached_unref(e->m);
	free(e->key);
	free(e);
}

void cache_clear(struct cache *c)
{
	struct entry *e;

	while ((e = LIST_FIRST(&c->recent, struct entry, link)))
		drop(c, e);
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	cache_clear(c);
	map_fini(&c->map);
	free(c);
}

static struct slice key_of(char key[KEY_MAX], const char *repo, const char *ref)
{
	int n = snprintf(key, KEY_MAX, "%s\n%s", repo, ref);

	return slice_of(key, MIN((size_t)n, (size_t)KEY_MAX - 1));
}

struct cached *cache_find(struct cache *c, const char *repo, const char *ref)
{
	char key[KEY_MAX];
	struct entry *e = map_get(&c->map, key_of(key, repo, ref));

	if (!e)
		return NULL;
	list_del(&e->link);
	list_prepend(&c->recent, &e->link);
	e->m->refs++;
	return e->m;
}

struct cached *cache_put(struct cache *c, const char *repo, const char *ref,
			 const struct content_manifest *m)
{
	size_t media = strlen(m->media) + 1;
	struct cached *n = calloc(1, sizeof(*n) + media + m->bytes.n);
	struct entry *e = calloc(1, sizeof(*e)), *old;
	char key[KEY_MAX], *p;

	if (!n || !e)
		abort();
	p = (char *)(n + 1);
	n->refs = 2;
	n->media = p;
	n->bytes = slice_of(p + media, m->bytes.n);
	memcpy(p, m->media, media);
	memcpy(p + media, m->bytes.p, m->bytes.n);
	(void)str_copy(n->digest, sizeof(n->digest), m->digest);
	(void)key_of(key, repo, ref);
	e->m = n;
	e->key = strdup(key);
	if (!e->key)
		abort();
	old = map_get(&c->map, slice_str(key));
	if (old)
		drop(c, old);
	(void)map_put(&c->map, slice_str(e->key), e);
	list_prepend(&c->recent, &e->link);
	c->bytes += cost(e);
	while (c->bytes > c->max)
		drop(c, LIST_ENTRY(c->recent.prev, struct entry, link));
	return n;
}
