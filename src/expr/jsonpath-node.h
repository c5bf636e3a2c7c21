/* SPDX-License-Identifier: Apache-2.0 */
/* Private to jsonpath*.c: a compiled template. */
#pragma once

#include "doc/doc.h"

enum node_type {
	NODE_VALUE, /* text or a literal: `value` */
	NODE_LIST,  /* one after the other: `kids` */
	NODE_FIELD,
	NODE_SLICE,
	NODE_FILTER, /* `kids` op `right` */
	NODE_ALL,
	NODE_DESCENT,
	NODE_UNION, /* of lists: `kids` */
	NODE_RANGE,
	NODE_END,
};

enum filter_op { OP_EXISTS, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE };

struct bound {
	bool known, derived; /* derived: the end of a single index */
	int64_t v;
};

struct node {
	enum node_type type;
	enum filter_op op;
	struct node *next;
	struct node *kids, *last; /* the first and the last of them */
	struct node *right;	  /* FILTER: its list */
	struct doc value;
	struct slice name;
	struct bound bounds[3]; /* from, to, step */
};

struct jsonpath {
	struct node root; /* NODE_LIST of lists and texts */
};
