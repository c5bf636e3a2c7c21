/* SPDX-License-Identifier: Apache-2.0 */
/* Private to gotemplate*.c: words, trees, the printer of values. */
#pragma once

#include "expr/gotemplate.h"

/* ---- words ---- */

enum gt_word {
	GT_ERROR, /* text: the message */
	GT_WORD_BOOL,
	GT_CHAR,
	GT_CHAR_CONSTANT,
	GT_COMPLEX,
	GT_ASSIGN,
	GT_DECLARE,
	GT_EOF,
	GT_WORD_FIELD,
	GT_IDENTIFIER,
	GT_LEFT_DELIM,
	GT_LEFT_PAREN,
	GT_WORD_NUMBER,
	GT_WORD_PIPE,
	GT_RAW_STRING,
	GT_RIGHT_DELIM,
	GT_RIGHT_PAREN,
	GT_SPACE,
	GT_WORD_STRING,
	GT_WORD_TEXT,
	GT_WORD_VARIABLE,
	GT_KEYWORD, /* those below are */
	GT_WORD_BLOCK,
	GT_WORD_BREAK,
	GT_WORD_CONTINUE,
	GT_WORD_DEFINE,
	GT_WORD_DOT,
	GT_WORD_ELSE,
	GT_WORD_END,
	GT_WORD_IF,
	GT_WORD_NIL,
	GT_WORD_RANGE,
	GT_WORD_TEMPLATE,
	GT_WORD_WITH,
};

struct gt_token {
	enum gt_word word;
	uint32_t pos, line;
	struct slice text;
};

struct gt_lexer {
	struct arena *a;
	struct slice in;
	size_t pos, start;
	uint32_t line; /* of start */
	unsigned parens;
	bool inside; /* of an action */
};

struct gt_token gt_next(struct gt_lexer *l);

/* ---- trees ---- */

enum gt_type {
	GT_ACTION,
	GT_BOOL,
	GT_BREAK,
	GT_CHAIN, /* first: what stands before the fields */
	GT_COMMAND,
	GT_CONTINUE,
	GT_DOT,
	GT_ELSE, /* GT_ELSE and GT_END only while parsing */
	GT_END,
	GT_FIELD,
	GT_IF,
	GT_IDENT, /* func */
	GT_LIST,
	GT_NIL,
	GT_NUMBER,
	GT_PIPE,
	GT_RANGE,
	GT_STRING,
	GT_TEMPLATE,
	GT_TEXT,
	GT_VARIABLE,
	GT_WITH,
};

struct gt_node {
	enum gt_type type;
	uint32_t pos;
	struct gt_node *next;
	struct slice text; /* as it was written; TEMPLATE: the name, TEXT: the text */
	union {
		struct { /* ACTION, IF, RANGE, TEMPLATE, WITH */
			struct gt_node *pipe, *list, *other;
		};
		struct { /* LIST, PIPE: commands, COMMAND: arguments, CHAIN: what it begins with */
			struct gt_node *first, *last;
			struct gt_node *decl; /* PIPE: variables */
			bool assigns;
		};
		const struct gotemplate_func *func; /* IDENT */
		struct gotemplate_value value;	    /* BOOL, NUMBER, STRING */
	};
	struct slice *names; /* CHAIN, FIELD, VARIABLE: its own name first */
	uint32_t nnames;
	bool whole;    /* NUMBER: an int could have it: */
	int64_t i;     /* NUMBER */
	bool overflow; /* NUMBER: no int has it */
};

/* A template's row in its set. */
struct gt_template {
	struct gt_template *next;
	struct slice name, text;
	struct slice file; /* name of the text it stands in */
	struct gt_node *root;
};

struct gotemplate {
	struct arena *a;
	const struct gotemplate_func *funcs;
	struct gt_template *templates;
};

struct gt_template *gt_find(struct gt_template *list, struct slice name);
/* A node as Go writes it in messages. */
int gt_write(const struct gt_node *n, struct buf *out);

/* ---- functions ---- */

/* Those that evaluate their arguments themselves have no `run`. */
extern const struct gotemplate_func gt_builtins[];

/* ---- fmt ---- */

/* As reflect.Value and its kinds: what does not stand in a box. */
static inline struct gotemplate_value gt_unboxed(const struct gotemplate_value *v)
{
	struct gotemplate_value x = *v;

	x.boxed = false;
	return x;
}

int gt_sprint(const struct gotemplate_call *c, struct gotemplate_value *ret);
int gt_sprintln(const struct gotemplate_call *c, struct gotemplate_value *ret);
int gt_sprintf(const struct gotemplate_call *c, struct gotemplate_value *ret);
/* One value with a verb, no flags: for messages. */
int gt_print_verb(const struct gotemplate_value *v, char verb, unsigned flags, struct buf *out);
/* The members of a map by name, in memory that the caller frees. NULL: there are none. */
const struct doc **gt_sorted(const struct doc *map);
