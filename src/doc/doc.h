/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The document: one JSON value as a tree of 16-byte nodes in an arena.
 *
 * Readers (json.h, yaml.h) and programs build the same tree. An array is one contiguous run of
 * nodes; an object is one contiguous run of alternating key and value nodes, in the order written.
 * Strings and numbers are slices: of the text read (which must outlive the document, unless the
 * reader was told to copy it) or of the arena. Numbers keep their exact text.
 *
 * Builders never fail loudly: past the arena's maximum they return NULL, and every builder accepts
 * NULL where it expects a container (and does nothing). So a program builds a whole document and
 * asks arena_exceeded() once at the end. Keys and strings given by programs are copied into the
 * arena.
 *
 * Adding to a container may move its children: pointers into it are invalid after doc_set, doc_add,
 * doc_append, doc_insert and doc_remove on that same container (never on others). A node may be
 * copied by plain assignment: both copies then share children, so change only one of them.
 * Not thread safe while it changes; a finished document may be read by many threads.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

enum doc_type {
	DOC_NULL = 0, /* a zeroed node is null */
	DOC_BOOL,
	DOC_NUMBER,
	DOC_STRING,
	DOC_ARRAY,
	DOC_OBJECT,
};

enum doc_flag {
	DOC_CLEAN = 1, /* string: valid UTF-8 that needs no escape in JSON */
	DOC_CSTR = 2,  /* string: a NUL follows the bytes and none is among them */
	DOC_INT = 4,   /* number: digits only, no fraction and no exponent */
	DOC_NEG = 8,   /* number: has a minus sign */
	DOC_EXP = 16,  /* number: has an exponent */
	DOC_PLAIN = 32 /* string: from a plain (unquoted) YAML scalar; JSON never sets it */
};

struct doc {
	uint8_t type;  /* enum doc_type */
	uint8_t flags; /* enum doc_flag */
	uint8_t room;  /* container: it holds 2^room children (members); 0 = exactly n */
	uint8_t mark;  /* 0 from readers and builders; free for whoever walks the tree */
	uint32_t n;    /* bytes of string or number, children, members, or the bool */
	union {
		const char *s;	  /* string (may lack a NUL, see DOC_CSTR), number */
		struct doc *kids; /* array: n nodes; object: 2n nodes, key value key value */
	};
};
_Static_assert(sizeof(void *) != 8 || sizeof(struct doc) == 16, "a node is two words");

/* ---- Looking ---- */

static inline bool doc_is(const struct doc *d, enum doc_type type)
{
	return d && d->type == type;
}
const char *doc_type_name(const struct doc *d); /* "object"; "nothing" for NULL */

/* Each is false, 0 or empty when d is NULL or of another type. */
static inline bool doc_true(const struct doc *d)
{
	return doc_is(d, DOC_BOOL) && d->n;
}
static inline size_t doc_len(const struct doc *d)
{
	return doc_is(d, DOC_ARRAY) || doc_is(d, DOC_OBJECT) ? d->n : 0;
}
static inline struct slice doc_slice(const struct doc *d)
{
	return doc_is(d, DOC_STRING) ? (struct slice){ d->s, d->n } : (struct slice){ NULL, 0 };
}
static inline bool doc_str_is(const struct doc *d, const char *s)
{
	return doc_is(d, DOC_STRING) && slice_is(doc_slice(d), s);
}

/*
 * The string as a C string: the node's own bytes when DOC_CSTR, else a copy in the arena. NULL when
 * d is no string, holds a NUL byte, or the arena is exceeded (arena_exceeded tells which).
 */
const char *doc_cstr(struct arena *a, const struct doc *d);

/* Element of an array, NULL past its end or when d is no array. */
static inline struct doc *doc_at(const struct doc *d, size_t i)
{
	return doc_is(d, DOC_ARRAY) && i < d->n ? &d->kids[i] : NULL;
}

/* Value of a member, NULL when absent or when d is no object (or NULL): lookups chain. Linear. */
struct doc *doc_get(const struct doc *d, const char *key);
struct doc *doc_getn(const struct doc *d, struct slice key);
/* Path of literals: "spec.containers.0.name" (a number is an index in arrays). No escapes; see
 * pointer.h. */
struct doc *doc_find(const struct doc *d, const char *path);

/* Key and value of the i-th member (i < doc_len). */
static inline struct doc *doc_key_at(const struct doc *obj, size_t i)
{
	return &obj->kids[2 * i];
}
static inline struct doc *doc_value_at(const struct doc *obj, size_t i)
{
	return &obj->kids[2 * i + 1];
}

/* Walks an array; nothing happens for NULL or another type. `it` is declared by the macro (struct
 * doc *). */
#define DOC_EACH(it, arr)                                                      \
	for (struct doc *it = doc_len_of(arr, DOC_ARRAY) ? (arr)->kids : NULL, \
			*it##_end = it ? it + (arr)->n : NULL;                 \
	     it != it##_end; it++)
/* Walks an object: key and value are declared by the macro (struct doc *). */
#define DOC_EACH_MEMBER(key, value, obj)                                         \
	for (struct doc *key = doc_len_of(obj, DOC_OBJECT) ? (obj)->kids : NULL, \
			*value = key ? key + 1 : NULL,                           \
			*key##_end = key ? key + 2 * (size_t)(obj)->n : NULL;    \
	     key != key##_end; key += 2, value = key + 1)
static inline size_t doc_len_of(const struct doc *d, enum doc_type type)
{
	return doc_is(d, type) ? d->n : 0;
}

/* ---- Numbers ---- */

/*
 * The value as an integer, also for "1.0" and "1e3". 0: exact. 1: *ret is the nearest (cut towards
 * zero, clamped to the range). -ERR_INVALID: d is no number, *ret untouched.
 */
int doc_int64(const struct doc *d, int64_t *ret);
int doc_uint64(const struct doc *d, uint64_t *ret);
/* 0: the shortest text of *ret is the same number. 1: digits, or the whole magnitude, were lost. */
int doc_double(const struct doc *d, double *ret);
/* By value, exactly: 1 = 1.0 = 10e-1. Both must be numbers. Negative, 0 or positive. */
int doc_number_cmp(const struct doc *a, const struct doc *b);
/* Is this text a number of RFC 8259? Then *ret is a node that borrows it. */
bool doc_number_parse(struct slice text, struct doc *ret);

/* ---- Nodes by value (for doc_set, doc_append, plain assignment) ---- */

static inline struct doc doc_null(void)
{
	return (struct doc){ .type = DOC_NULL };
}
static inline struct doc doc_bool(bool b)
{
	return (struct doc){ .type = DOC_BOOL, .n = b };
}
static inline struct doc doc_array(void)
{
	return (struct doc){ .type = DOC_ARRAY };
}
static inline struct doc doc_object(void)
{
	return (struct doc){ .type = DOC_OBJECT };
}
/* These copy into the arena; past its maximum (or for strings of 4 GiB) they give null and latch
 * it. */
struct doc doc_int(struct arena *a, int64_t v);
struct doc doc_uint(struct arena *a, uint64_t v);
struct doc doc_num(struct arena *a, double v);	    /* shortest text; not finite = null */
struct doc doc_str(struct arena *a, const char *s); /* NULL gives null */
struct doc doc_strn(struct arena *a, const char *p, size_t n);
/* Borrows bytes that live as long as the arena (literals, other strings of the same document). */
struct doc doc_borrow(const char *p, size_t n);
#define DOC_LIT(lit) doc_borrow((lit), sizeof(lit) - 1)

/* ---- Building ---- */

/* A new root. NULL past the arena's maximum. */
struct doc *doc_new(struct arena *a, struct doc value);
struct doc *doc_new_object(struct arena *a);
struct doc *doc_new_array(struct arena *a);

/*
 * Sets a member: replaces the value of the key, or adds it at the end. Returns the value's slot.
 * NULL when obj is NULL or no object, or past the arena's maximum.
 */
struct doc *doc_set(struct arena *a, struct doc *obj, const char *key, struct doc value);
struct doc *doc_setn(struct arena *a, struct doc *obj, struct slice key, struct doc value);
/* As doc_setn without looking for the key: the caller knows that it is new. */
struct doc *doc_add(struct arena *a, struct doc *obj, struct slice key, struct doc value);
/* As doc_add with a key node that is taken as it is (borrowed bytes and flags). */
struct doc *doc_add_node(struct arena *a, struct doc *obj, struct doc key, struct doc value);

struct doc *doc_set_str(struct arena *a, struct doc *obj, const char *key, const char *s);
struct doc *doc_set_strn(struct arena *a, struct doc *obj, const char *key, const char *p,
			 size_t n);
struct doc *doc_set_strf(struct arena *a, struct doc *obj, const char *key, const char *fmt, ...)
	PRINTF(4, 5);
struct doc *doc_set_int(struct arena *a, struct doc *obj, const char *key, int64_t v);
struct doc *doc_set_uint(struct arena *a, struct doc *obj, const char *key, uint64_t v);
struct doc *doc_set_bool(struct arena *a, struct doc *obj, const char *key, bool v);
struct doc *doc_set_null(struct arena *a, struct doc *obj, const char *key);
struct doc *doc_set_object(struct arena *a, struct doc *obj,
			   const char *key); /* empty; fill through the slot */
struct doc *doc_set_array(struct arena *a, struct doc *obj, const char *key);

/* Adds at the end of an array; insert: before element i (i == length appends). The slot, or NULL as
 * above. */
struct doc *doc_append(struct arena *a, struct doc *arr, struct doc value);
struct doc *doc_append_str(struct arena *a, struct doc *arr, const char *s);
struct doc *doc_append_object(struct arena *a, struct doc *arr);
struct doc *doc_insert(struct arena *a, struct doc *arr, size_t i, struct doc value);

/* Order of the rest is kept. False when there is none. */
bool doc_remove(struct doc *obj, const char *key);
bool doc_removen(struct doc *obj, struct slice key);
bool doc_remove_at(struct doc *arr, size_t i);

/* ---- Whole trees (no recursion on the C stack: any depth is fine) ---- */

/* Deep copy, strings and numbers too: shares nothing with src. NULL past the arena's maximum, and
 * of NULL. */
struct doc *doc_copy(struct arena *a, const struct doc *src);
/* As doc_copy but strings and numbers stay borrowed from src's owner. */
struct doc *doc_copy_shared(struct arena *a, const struct doc *src);
/* Equal by value: order of members is irrelevant, numbers compare as doc_number_cmp. NULL (what a
 * lookup did not find) equals NULL only. */
bool doc_equal(const struct doc *a, const struct doc *b);
/* Bytes that doc_copy would take of an arena, counted up to `limit` (then > limit is returned). */
size_t doc_size(const struct doc *d, size_t limit);
