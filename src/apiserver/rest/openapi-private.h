/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to openapi*.c: the operations of one path, made from the tables, and their two forms.
 * All memory is the arena's of one path.
 */
#pragma once

#include "api/openapi.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct doc;
struct err;

#define OPERATION_PARAMS_MAX 32
#define OPERATIONS_MAX 8 /* of a path: one a method */

enum { STATUS_OK = 1, STATUS_CREATED = 2, STATUS_ACCEPTED = 4 };

struct operation_param {
	const char *name, *in;	/* "query", "path", "body" */
	const char *type, *doc; /* NULL of a body */
	const char *body;	/* the body's definition */
	bool required;
};

struct operation {
	const char *method, *id, *doc, *tag;
	const char *action;			       /* NULL: no resource's */
	const char *group, *version, *kind;	       /* with an action */
	const char *const *consumes, *const *produces; /* NULL-terminated; NULL: not said */
	const char *result;			       /* its definition; NULL: a string */
	unsigned statuses;
	struct operation_param params[OPERATION_PARAMS_MAX];
	size_t n;
};

struct path_item {
	const char *path;
	struct operation ops[OPERATIONS_MAX];
	size_t n;
};

/* Takes one path; the item dies when it returns. Negative ends the walk. */
struct path_sink {
	const struct api *api;
	struct arena *a; /* of one path: reset behind each */
	int (*path)(struct path_sink *s, const struct path_item *item, struct err *err);
};

/* What OpenAPI's sources have paths for; each gives them to the sink. */
int operations_of_kind(struct path_sink *s, const struct api_kind *k, struct err *err);
int operations_of_version(struct path_sink *s, const struct api_group *g, struct err *err);
int operations_of_group(struct path_sink *s, const char *group, struct err *err);

/* Paths that no group has. */
struct path_root {
	const char *document; /* "api", "version": of version 3 */
	const char *path, *id, *doc, *tag;
	const char *const *consumes, *const *produces;
	const char *result;
};
extern const struct path_root path_roots[];
extern const size_t npath_roots;
int operations_of_root(struct path_sink *s, const struct path_root *r, struct err *err);

/* The item as it stands under its path. params: v2's `parameters`, filled with those that are
 * shared; in version 3 NULL. */
void path_item_write(const struct path_item *item, enum api_openapi v, struct arena *a,
		     struct doc *params, struct arena *params_arena, struct doc *ret);
