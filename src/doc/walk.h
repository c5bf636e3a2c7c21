/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/doc: an explicit stack for walking trees of any depth, and an index over the
 * members of large objects. Both are heap scratch of one call; running out of memory aborts
 * (STYLE 4.4).
 */
#pragma once

#include "doc/doc.h"

#include "base/hash.h"

#include <stdlib.h>

struct walk_frame {
	const struct doc *a; /* next node to visit */
	const struct doc *end;
	const void *b; /* the caller's: the peer of `a`, or where its copy goes */
	uint64_t aux;
};

struct walk {
	struct walk_frame *frames;
	size_t n, cap;
	struct walk_frame local[24];
};

static inline void walk_init(struct walk *w)
{
	w->frames = w->local;
	w->cap = sizeof(w->local) / sizeof(w->local[0]);
	w->n = 0;
}

static inline void walk_fini(struct walk *w)
{
	if (w->frames != w->local)
		free(w->frames);
}

static inline struct walk_frame *walk_top(struct walk *w)
{
	return &w->frames[w->n - 1];
}

static inline void walk_push(struct walk *w, struct walk_frame f)
{
	if (w->n == w->cap) {
		struct walk_frame *p = w->frames == w->local ? NULL : w->frames;

		p = reallocarray(p, w->cap * 2, sizeof(*p));
		if (!p)
			abort();
		if (w->frames == w->local)
			memcpy(p, w->local, sizeof(w->local));
		w->frames = p;
		w->cap *= 2;
	}
	w->frames[w->n++] = f;
}

/* Nodes in the run of a container's children. */
static inline size_t walk_width(const struct doc *d)
{
	return d->type == DOC_OBJECT ? 2 * (size_t)d->n : d->type == DOC_ARRAY ? d->n : 0;
}

static inline bool walk_has_kids(const struct doc *d)
{
	return d->type >= DOC_ARRAY && d->n > 0;
}

#define INDEX_LINEAR 24 /* up to here a linear look is as fast as the table */

/* Members of one object by key; the object must not change meanwhile. */
struct index {
	const struct doc *obj;
	uint32_t *slots; /* member + 1; NULL: few members, look linearly */
	size_t mask;
};

static inline void index_init(struct index *x, const struct doc *obj)
{
	size_t cap = 64;

	*x = (struct index){ .obj = obj };
	if (!doc_is(obj, DOC_OBJECT) || obj->n <= INDEX_LINEAR)
		return;
	while (cap < 2 * (size_t)obj->n)
		cap *= 2;
	x->slots = calloc(cap, sizeof(*x->slots));
	if (!x->slots)
		abort();
	x->mask = cap - 1;
	for (uint32_t i = 0; i < obj->n; i++) {
		const struct doc *key = doc_key_at(obj, i);
		size_t at = hash_bytes(key->s, key->n) & x->mask;

		while (x->slots[at])
			at = (at + 1) & x->mask;
		x->slots[at] = i + 1;
	}
}

static inline void index_fini(struct index *x)
{
	free(x->slots);
}

/* The value, NULL when absent. */
static inline struct doc *index_get(const struct index *x, const struct doc *key)
{
	if (!x->slots)
		return doc_getn(x->obj, (struct slice){ key->s, key->n });
	for (size_t at = hash_bytes(key->s, key->n) & x->mask; x->slots[at];
	     at = (at + 1) & x->mask) {
		const struct doc *k = doc_key_at(x->obj, x->slots[at] - 1);

		if (k->n == key->n && memcmp(k->s, key->s, k->n) == 0)
			return doc_value_at(x->obj, x->slots[at] - 1);
	}
	return NULL;
}
