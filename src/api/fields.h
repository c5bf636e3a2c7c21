/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of fields in the form of FieldsV1, worked on as the documents they are.
 *
 * A set is an object; each member leads one step down:
 *	f:NAME		a member of an object or map
 *	k:{"a":1}	the element of a list with these keys (compact JSON, names sorted)
 *	v:"x"		the element of a list of scalars that has this value
 *	i:3		the element at this place
 * The step itself is in the set when its value is {} or has the member ".". The root is never in.
 *
 * Canonical sets have their steps in upstream's order ("." first, then f, k, v, i; keys and values
 * by value, not by text), no "." alone, and are at most FIELDS_DEPTH_MAX deep. What this header
 * takes is canonical, unless it says otherwise; what it gives is, too, and shares nodes with what
 * it took: none of them is to be changed afterwards. Past the arena's maximum the results are
 * incomplete: ask arena_exceeded() before using them.
 *
 * Spec: Kubernetes' managedFields; structured-merge-diff, package fieldpath (for facts).
 */
#pragma once

#include "doc/doc.h"

struct arena;
struct err;

#define FIELDS_DEPTH_MAX 256
#define FIELDS_KEY_MAX 65536

/*
 * Any FieldsV1 as a canonical set; steps of unknown kinds are left out, as upstream has it.
 * -ERR_INVALID for what is no set, -ERR_TOO_LARGE when it is too deep, -ERR_QUOTA.
 */
int fields_read(const struct doc *d, struct arena *a, struct doc *ret, struct err *err);

enum fields_op {
	FIELDS_UNION,
	FIELDS_INTERSECTION,
	FIELDS_DIFFERENCE, /* x without the steps that are in y; what is below them stays */
	FIELDS_OUTSIDE,	   /* x without the steps that are in y and all below them */
	FIELDS_WITHIN,	   /* of x what lies at or below a step that is in y; the step "*" of y is
			      any step */
};
struct doc fields_join(enum fields_op op, const struct doc *x, const struct doc *y,
		       struct arena *a);

static inline bool fields_empty(const struct doc *set)
{
	return doc_len(set) == 0;
}
bool fields_equal(const struct doc *x, const struct doc *y);
size_t fields_count(const struct doc *set);

/* Of a step's value: is the step in the set, has it steps below? */
static inline bool fields_member(const struct doc *value)
{
	return value->n == 0 || (doc_key_at(value, 0)->n == 1 && doc_key_at(value, 0)->s[0] == '.');
}
static inline bool fields_inner(const struct doc *value)
{
	return value->n > 1 || (value->n == 1 && !fields_member(value));
}
/* The value of a step, NULL when there is none: fields_step(set, 'f', name). Logarithmic. */
const struct doc *fields_step(const struct doc *set, char kind, struct slice text);
/* Steps as they stand in the set, NULL at the end: fields_has(s, "f:spec", "f:replicas", NULL). */
bool fields_has(const struct doc *set, ...) __attribute__((sentinel));

/*
 * Calls fn with each field of the set, those of a level before what is below them, in upstream's
 * words: `.spec.containers[name="a"].image`, `.metadata.finalizers[="x"]`. The text is NUL
 * terminated and valid during the call. Stops at the first result that is not 0, and gives it.
 */
int fields_each(const struct doc *set, int (*fn)(void *arg, struct slice path), void *arg);
/* One step in those words, appended; 0 or -ERR_QUOTA. */
int fields_print(struct buf *b, struct slice step);

/* ---- for builders of sets ---- */

/* One level being built: steps in any order, each once. */
struct fields_node {
	bool member;
	struct doc steps;
};
#define FIELDS_NODE ((struct fields_node){ .steps = { .type = DOC_OBJECT } })
/* "f:" and the name, or `text` as it is when kind is 0 (borrowed). */
struct doc fields_key(char kind, struct slice text, struct arena *a);
/* Adds the step unless neither it nor anything below it is in the set. Finishes `n`. */
void fields_add(struct fields_node *to, struct doc key, struct fields_node *n, struct arena *a);
/* The level's value, sorted. */
struct doc fields_close(struct fields_node *n, struct arena *a);
/* The order of steps: negative, 0 or positive. */
int fields_cmp(struct slice x, struct slice y);
