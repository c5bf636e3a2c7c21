/* SPDX-License-Identifier: Apache-2.0 */
/* Private to typed*.c: what the table says of one value, and the elements of a list by their keys.
 */
#pragma once

#include "api/api.h"
#include "api/fields.h"
#include "api/typed.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"

enum shape_kind {
	SHAPE_LEAF,
	SHAPE_OBJECT, /* struct or map */
	SHAPE_LIST,
	SHAPE_ANY, /* objects are granular, all else is a leaf */
};

struct shape {
	uint8_t kind;
	bool atomic;
	bool keep;			/* unknown members are kept and are ANY */
	uint8_t list;			/* enum schema_list */
	uint8_t scalar;			/* LEAF: enum schema_type */
	uint16_t hint;			/* of a struct: the row to look at first */
	const char *keys;		/* of a list's elements, separated by blanks */
	const struct api_type *type;	/* of a struct */
	const struct schema_field *row; /* of a map or list */
	const struct api_note *note;	/* of that row, or NULL */
};

struct shape shape_root(const struct api_type *t);
/* 1: a field of the table; 0: an element of a map or a field that is kept; -1: neither. */
int shape_member(struct shape *s, struct slice name, struct shape *ret);
struct shape shape_element(const struct shape *list);

/* Is this value walked as an object? */
static inline bool shape_is_object(const struct shape *s, const struct doc *v)
{
	return s->kind == SHAPE_OBJECT || (s->kind == SHAPE_ANY && doc_is(v, DOC_OBJECT));
}

struct typed {
	struct arena *a;
	struct err *err;
	struct buf b; /* scratch for keys */
	unsigned depth;
};
#define TYPED_BUF (2u * FIELDS_KEY_MAX)
int typed_down(struct typed *t); /* one level; -ERR_TOO_LARGE. The caller counts up again. */
int typed_done(struct typed *t, int r);

struct item {
	struct slice key;    /* "k:...", "v:..." */
	const struct doc *v; /* of the first with this key */
	uint32_t times;	     /* of the first; 0 in others */
	uint32_t first;	     /* the index of the first */
	uint32_t last;	     /* of the first: the index of the last */
	uint32_t next;	     /* the index of the next with this key; 0 = none */
	bool used;	     /* for the caller */
};
struct items {
	struct item *v;
	size_t n;
	struct map by;
};
/* `list` may be NULL or no array: then there are none. */
int items_init(struct items *x, struct typed *t, const struct shape *s, const struct doc *list);
struct item *items_find(const struct items *x, struct slice key);
static inline void items_fini(struct items *x)
{
	map_fini(&x->by);
}
DEFINE_CLEANUP_EMBEDDED(struct items, items_fini)

/* Members of an object by name; cheap when they are asked for in their order. */
struct lookup {
	const struct doc *obj;
	size_t next;
	struct map by;
	bool mapped;
};
static inline void lookup_init(struct lookup *l, const struct doc *obj)
{
	*l = (struct lookup){ .obj = obj };
}
const struct doc *lookup_get(struct lookup *l, const struct doc *key);
static inline void lookup_fini(struct lookup *l)
{
	if (l->mapped)
		map_fini(&l->by);
}
DEFINE_CLEANUP_EMBEDDED(struct lookup, lookup_fini)
