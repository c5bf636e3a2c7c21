/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects under their types as server-side apply sees them: which fields there are, what changed
 * between two, what a merge gives, what is left without some.
 *
 * Structs and maps are granular unless the table says atomic; lists are atomic unless it says set
 * or map (their elements then have keys; a key that is absent has the default of its field). What
 * the table does not describe (JSON, unknown fields that are kept) is granular where it is an
 * object and atomic where it is a list. A raw extension is one value.
 *
 * Sets are those of fields.h. Documents given are as read (any depth up to the maximum, any order);
 * results share nodes with what was given, and go elsewhere (*ret is none of the arguments). All
 * time is linear but for the sorting of steps.
 *
 * Errors of all: -ERR_INVALID for objects that do not fit (no element may lack all its keys, no set
 * may hold a list), -ERR_TOO_LARGE past FIELDS_DEPTH_MAX, -ERR_QUOTA.
 *
 * Spec: structured-merge-diff, package typed (for facts).
 */
#pragma once

#include "doc/doc.h"

struct api_type;
struct arena;
struct buf;
struct err;

/*
 * Does the object fit its type? -ERR_INVALID with upstream's words, all of them in one message:
 * `.spec.foo: field not declared in schema`; duplicate elements are refused. The message may be
 * longer than err holds: *ret_text (may be NULL) is the whole.
 */
int typed_check(const struct api_type *t, const struct doc *obj, struct arena *a,
		const char **ret_text, struct err *err);

/* The fields that an object mentions. */
int typed_fields(const struct api_type *t, const struct doc *obj, struct arena *a, struct doc *ret,
		 struct err *err);

struct typed_diff {
	struct doc added, modified, removed; /* no field is in two of them */
};
int typed_compare(const struct api_type *t, const struct doc *from, const struct doc *to,
		  struct arena *a, struct typed_diff *ret, struct err *err);

/*
 * `live` with what `applied` says: leaves and atomic values are replaced, others joined. Elements
 * stand as in `applied`; others of `live` keep their place among those.
 */
int typed_merge(const struct api_type *t, const struct doc *live, const struct doc *applied,
		struct arena *a, struct doc *ret, struct err *err);

/* The object without the fields of a set and all below them. Objects and lists that lose all are
 * gone; elements that stay keep their keys. */
int typed_remove(const struct api_type *t, const struct doc *obj, const struct doc *set,
		 struct arena *a, struct doc *ret, struct err *err);
/* Only the fields of a set, with the keys of the elements they are in. */
int typed_extract(const struct api_type *t, const struct doc *obj, const struct doc *set,
		  struct arena *a, struct doc *ret, struct err *err);

/* The set with the structs that its fields are in: with a.b also a, when the table names a. */
struct doc typed_named(const struct api_type *t, const struct doc *set, struct arena *a);
/* The set with what is below values that are atomic (by now) replaced by those values. */
struct doc typed_settle(const struct api_type *t, const struct doc *set, struct arena *a);

/* The atomic lists, maps and structs that an object sets (".spec.args, .spec.selector"), appended;
 * false: there are none. */
bool typed_atomics(const struct api_type *t, const struct doc *obj, struct buf *out);
