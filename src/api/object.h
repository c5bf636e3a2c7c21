/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects as they come in: from bytes to the canonical document of a kind.
 *
 * What api_admit gives is what upstream's typed decoding, its defaults of single fields and its
 * encoding would give: members in the order of the table, maps in that of their keys, nothing
 * unknown, zero values gone but for those that are always written (defaults that are such, too),
 * nulls in lists and maps the zero of what stands there, quantities, times and durations in one
 * form. So two objects that mean the same are the same bytes.
 *
 * Spec: Kubernetes API concepts (field validation); encoding/json as sigs.k8s.io/json has it.
 */
#pragma once

#include "api/api.h"

struct arena;
struct doc;
struct err;

#define API_STRAYS_MAX 64

/* Fields that the kind does not have, and such as were written twice: told or refused by the
 * caller, as fieldValidation has it. */
struct api_strays {
	size_t n;		       /* all; the first API_STRAYS_MAX are in v */
	const char *v[API_STRAYS_MAX]; /* `unknown field "spec.foo"` */
};
/* One more, in upstream's words; a is the arena of the message. */
void api_stray(struct api_strays *s, struct arena *a, const char *what, const char *path);

enum {
	API_NO_DEFAULTS = 1 << 0, /* leave absent what the table has a default for */
	API_PARTIAL = 1 << 1,	  /* part of an object (applied configurations, patches): nothing
				     absent is added, empty values and nulls stay */
};

/*
 * The canonical document of `d` under a type, in `a`; strings are borrowed from d. `d` may share
 * nodes with the result and is not to be used after. -ERR_BAD_REQUEST with upstream's words for
 * what does not fit its type ("json: cannot unmarshal string into Go struct field
 * PodSpec.spec.hostNetwork of type bool"); -ERR_QUOTA when the arena is full. strays may be NULL.
 */
int api_admit(const struct api_type *t, const struct doc *d, struct arena *a, unsigned flags,
	      struct api_strays *strays, struct doc *ret, struct err *err);
/* The members of a map (labels, data) by their keys, as they stand in canonical documents. */
void api_sort_map(struct doc *map);
