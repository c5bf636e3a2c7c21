/* SPDX-License-Identifier: Apache-2.0 */
/* What `kubectl explain` prints of an OpenAPI v3 document; private to kubectl-explain.c and tests.
 */
#pragma once

#include "doc/doc.h"

struct arena;
struct err;
struct resource;

#define EXPLAIN_DEPTH 64 /* schemas in each other; what is deeper is not shown */

struct explain {
	struct arena *arena;
	const struct doc *document;
	bool recursive; /* names only */
	struct buf *out;
};
/* A kind, or the field at path in it. NOT_FOUND: what stands in out before it stays there. */
int explain_kind(const struct explain *e, const struct resource *r, const char *const *path,
		 size_t n, struct err *err);
/* Breaks lines at blanks so that none is longer than limit characters, if it can be. */
void explain_wrap(struct slice text, size_t limit, struct buf *out);
