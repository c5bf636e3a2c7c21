/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes: a static table of method and path pattern, compiled once into a tree of path segments.
 *
 * Pattern: "/containers/{id}/json" ({id} is one non-empty segment), "/images/{name:.*}/json" or
 * "{name...}" (greedy: one or more segments, slashes included; at most one per pattern). Where
 * several match, at the first segment that differs a literal wins over {one} over {greedy}; a row
 * that has the method wins over one that has not. HEAD falls back to GET. Immutable after
 * router_new: may be shared by threads.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct route_match;
struct router;
struct stream;

typedef void route_fn(struct stream *s, const struct route_match *m, void *arg);

struct route {
	const char *method; /* "GET"; NULL = any */
	const char *pattern;
	route_fn *fn;
	uint32_t flags;	  /* the caller's */
	const void *data; /* the caller's */
};

#define ROUTE_PARAMS_MAX 6

struct route_match {
	const struct route *route; /* NULL when nothing matched */
	size_t params_n;
	struct {
		const char *name;
		const char *value; /* in the arena given, NUL-terminated */
	} params[ROUTE_PARAMS_MAX];
	const char *allow; /* after ROUTE_NO_METHOD: "GET, HEAD, POST", in the arena */
};

enum route_result { ROUTE_FOUND, ROUTE_NO_PATH /* 404 */, ROUTE_NO_METHOD /* 405 */ };

/* rows are borrowed for the router's life. INVALID names a pattern that is malformed or there
 * twice. */
int router_new(const struct route *rows, size_t n, struct router **ret, struct err *err);
void router_free(struct router *r);
DEFINE_CLEANUP(struct router *, router_free)

/* path: decoded, begins with "/"; a caller that strips a prefix ("/v1.50") passes the rest. Values
 * are copied to a. */
enum route_result router_match(const struct router *r, const char *method, const char *path,
			       struct arena *a, struct route_match *ret);
/* Value of {name}; never NULL for a name of the pattern, NULL else. */
const char *route_param(const struct route_match *m, const char *name);
