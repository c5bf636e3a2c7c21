/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selectors: "app in (a,b),tier!=x,!old" over labels, "metadata.name=a,status.phase!=Running" over
 * fields, and meta.LabelSelector objects. Compiled once, matched against documents.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct api_kind;
struct arena;
struct doc;
struct err;

enum selector_op {
	SELECT_EQUAL,	  /* also == */
	SELECT_NOT_EQUAL, /* true when the key is absent */
	SELECT_IN,
	SELECT_NOT_IN, /* true when the key is absent */
	SELECT_EXISTS,
	SELECT_ABSENT,
	SELECT_GREATER, /* the label is an integer above the value */
	SELECT_LESS,
};

struct selector_term {
	struct slice key;
	enum selector_op op;
	const struct slice *values; /* sorted */
	size_t n;
};

/* No terms: everything matches. */
struct selector {
	const struct selector_term *terms;
	size_t n;
};

#define SELECTOR_TERMS_MAX 1024

/* A label selector's text; memory is the arena's, texts are borrowed. -ERR_BAD_REQUEST with
 * upstream's words ("unable to parse requirement: ..."). */
int selector_labels(struct slice text, struct arena *a, struct selector *ret, struct err *err);
/* meta.LabelSelector: NULL selects nothing (ret->none), {} everything. -ERR_INVALID. */
int selector_object(const struct doc *d, struct arena *a, struct selector *ret, bool *ret_none,
		    struct err *err);
/* A field selector's text: = == != only; backslashes before , = and \ . -ERR_BAD_REQUEST. */
int selector_fields(struct slice text, struct arena *a, struct selector *ret, struct err *err);
/* Every key is one that the kind has: metadata.name, metadata.namespace and kind->selectable;
 * -ERR_BAD_REQUEST "field label not supported: x". */
int selector_check_fields(const struct selector *s, const struct api_kind *kind, struct err *err);

/* labels: the object (map) of labels, or NULL. */
bool selector_match_labels(const struct selector *s, const struct doc *labels);
/* obj: the whole object; keys are paths in it, absent ones are "". */
bool selector_match_fields(const struct selector *s, const struct doc *obj);
/* One term on a value as text; there: the label exists (a field always does). */
bool selector_match_term(const struct selector_term *t, bool there, struct slice v);
/* The value that key must equal, when the selector says so: metadata.name of a watch of one. */
bool selector_requires(const struct selector *s, const char *key, struct slice *ret);
/* The canonical text: terms sorted by key, values sorted. 0 or -ERR_QUOTA. */
int selector_print(const struct selector *s, struct buf *out);
