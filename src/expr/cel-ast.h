/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to cel*.c: an expression as a tree in an arena. Macros (has, all, map, cel.bind, ...) are
 * nodes of their own, made by the parser.
 * Spec: CEL language definition; cel-go's parser for limits and messages.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct cel_type;
struct err;

#define CEL_DEPTH_MAX 250	   /* of nested expressions, as cel-go */
#define CEL_TEXT_MAX (100u * 1024) /* bytes of an expression */
#define CEL_NODES_MAX 100000

enum cel_node_kind {
	CEL_NULL,
	CEL_BOOL,
	CEL_INT,
	CEL_UINT,
	CEL_DOUBLE,
	CEL_STRING,
	CEL_BYTES,
	CEL_IDENT,  /* name: "a", ".a" for one that is looked up from the root */
	CEL_SELECT, /* a.name; with `optional` a.?name */
	CEL_HAS,    /* has(a.name) */
	CEL_INDEX,  /* a[b]; with `optional` a[?b] */
	CEL_CALL,   /* name(args), a.name(args): operators too ("_+_", "!_", "_?_:_") */
	CEL_LIST,
	CEL_MAP,    /* args: key, value, key, value */
	CEL_STRUCT, /* name{field: value}: args are values, `fields` names */
	CEL_FOLD,   /* all, exists, ...: see below */
	CEL_BIND,   /* cel.bind(var, a, b) */
};

/* What a fold does with the elements of a list or the keys of a map. */
enum cel_fold {
	CEL_ALL,
	CEL_EXISTS,
	CEL_EXISTS_ONE,
	CEL_MAP_LIST, /* map(x, t), map(x, p, t) */
	CEL_FILTER,
	CEL_TRANSFORM_LIST, /* transformList(i, v, t), (i, v, p, t) */
	CEL_TRANSFORM_MAP,
	CEL_TRANSFORM_ENTRY, /* transformMapEntry */
	CEL_OPT_MAP,	     /* optional.optMap(x, t) */
	CEL_OPT_FLAT_MAP,
	CEL_SORT_BY, /* sortBy(x, key) */
};

struct cel_node {
	uint8_t kind;
	uint8_t fold;
	bool optional;
	bool target; /* CEL_CALL: args[0] is what stands before the dot */
	uint32_t at; /* offset in the text */
	uint32_t n;
	uint32_t id; /* counted from 0: for what is kept of each node elsewhere */
	union {
		bool b;
		int64_t i;
		uint64_t u;
		double d;
		struct slice s;	   /* STRING (UTF-8), BYTES */
		struct slice name; /* IDENT, SELECT, HAS, CALL, STRUCT, BIND */
	};
	/*
	 * SELECT, HAS: a. INDEX: a, b. CALL: arguments. FOLD: the range, then the condition (NULL:
	 * none), then the result (NULL: none). BIND: value, body.
	 */
	struct cel_node **args;
	struct slice *fields; /* STRUCT */
	bool *optionals;      /* LIST, MAP (by entry), STRUCT: those written with "?"; NULL: none */
	struct slice vars[2]; /* FOLD: names; the second may be empty */
	const struct cel_type *type; /* the checker's */
	const void *bound;	     /* the checker's: overload, variable */
};

/* One parsed expression; nodes are in the arena, the text is borrowed for their life. */
struct cel_ast {
	struct slice text;
	struct cel_node *root;
	uint32_t nodes;
};

/*
 * -ERR_INVALID in cel-go's form: "ERROR: <input>:1:5: Syntax error: ..." with the line and a mark
 * under it. -ERR_TOO_LARGE: depth, nodes, length; -ERR_QUOTA: the arena.
 */
int cel_parse(struct slice text, struct arena *a, struct cel_ast *ret, struct err *err);

/* A message at a place of the text: "ERROR: <input>:LINE:COL: ...\n | line\n | ...^" */
int cel_error(struct slice text, uint32_t at, struct err *err, const char *fmt, ...) PRINTF(4, 5);

/* ---- tokens ---- */

enum cel_token_kind {
	TOKEN_END,
	TOKEN_IDENT,
	TOKEN_QUOTED, /* `a-b`: a field's name */
	TOKEN_INT,
	TOKEN_UINT,
	TOKEN_DOUBLE,
	TOKEN_STRING,
	TOKEN_BYTES,
	TOKEN_OP, /* text: "==", "&&", "(", ... */
};

struct cel_token {
	enum cel_token_kind kind;
	bool minus; /* the parser's: INT, DOUBLE with a minus before them */
	uint32_t at, end;
	struct slice text; /* as written; IDENT, OP */
	struct slice s;	   /* STRING, BYTES: the value */
	uint64_t u;	   /* INT (its magnitude), UINT */
	double d;
};

struct cel_lexer {
	struct slice text;
	uint32_t at;
	struct arena *a;
};
int cel_next(struct cel_lexer *l, struct cel_token *ret, struct err *err);
