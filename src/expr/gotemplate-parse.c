/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From words to trees. A {{define}} or {{block}} is read by a parser of its own, from the same
 * words: it has its own variables, and lines of its messages are those of the word it read last.
 */
#include "base/arena.h"
#include "base/err.h"
#include "expr/go-text.h"
#include "expr/gotemplate-private.h"

#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_MAX (64u << 10) /* before it is cut */
#define COMMANDS_MAX 10000	/* of a pipeline */

struct names {
	struct slice *v;
	size_t n, cap;
};

struct parse {
	struct arena *a;
	struct err *err;
	const struct gotemplate *set;
	struct gt_lexer *lex;
	struct gt_template *new; /* the tree that is made; those of the text before it */
	struct gt_template **made;
	struct gt_token token[3]; /* read ahead: the newest first */
	unsigned ahead;
	struct names vars;
	uint32_t action_line; /* 0: outside of actions */
	unsigned ranges, depth;
};

static int parse_list(struct parse *p, struct gt_node **ret, struct gt_node **ret_end);
static int parse_pipe(struct parse *p, const char *context, enum gt_word end, struct gt_node **ret);
static int parse_branch(struct parse *p, enum gt_type type, struct gt_node **ret);

/* ---- messages ---- */

PRINTF(2, 3) static void complain(struct parse *p, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)err_set(p->err, ERR_INVALID, "template: %.*s:%u: %s", (int)MIN(p->new->file.n, 200u),
		      p->new->file.p, p->token[0].line, text);
}

/* Analysers see that it is never 0. */
#define bad(p, ...) (complain((p), __VA_ARGS__), -(int)ERR_INVALID)

static int no_memory(struct parse *p)
{
	(void)arena_quota(p->a, p->err);
	return -ERR_QUOTA;
}

/* At most ten characters of a word, quoted. */
static void write_token(const struct gt_token *t, struct buf *out)
{
	size_t n = 0;

	if (t->word == GT_EOF) {
		(void)buf_adds(out, "EOF");
	} else if (t->word > GT_KEYWORD) {
		(void)buf_addf(out, "<%.*s>", (int)t->text.n, t->text.p);
	} else if (t->text.n > 10) {
		for (unsigned chars = 0; chars < 10 && n < t->text.n; chars++)
			for (n++; n < t->text.n && (t->text.p[n] & 0xc0) == 0x80;)
				n++;
		(void)go_quote(out, slice_of(t->text.p, n), false);
		(void)buf_adds(out, "...");
	} else {
		(void)go_quote(out, t->text, false);
	}
}

static int unexpected(struct parse *p, const struct gt_token *t, const char *context)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(MESSAGE_MAX);
	int file = (int)MIN(p->new->file.n, 200u);

	if (t->word != GT_ERROR) {
		write_token(t, &text);
		return bad(p, "unexpected %s in %s", buf_str(&text), context);
	}
	if (p->action_line == 0 || p->action_line == t->line)
		return bad(p, "%.*s", (int)t->text.n, t->text.p);
	return bad(p, "%.*s%s started at %.*s:%u", (int)t->text.n, t->text.p,
		   slice_ends(t->text, SLICE(" action")) ? "" : " in action", file, p->new->file.p,
		   p->action_line);
}

/* ---- words ---- */

static struct gt_token next(struct parse *p)
{
	if (p->ahead)
		p->ahead--;
	else
		p->token[0] = gt_next(p->lex);
	return p->token[p->ahead];
}

static struct gt_token peek(struct parse *p)
{
	struct gt_token t = next(p);

	p->ahead++;
	return t;
}

static struct gt_token next_word(struct parse *p)
{
	struct gt_token t;

	do
		t = next(p);
	while (t.word == GT_SPACE);
	return t;
}

static struct gt_token peek_word(struct parse *p)
{
	struct gt_token t = next_word(p);

	p->ahead++;
	return t;
}

static int expect(struct parse *p, enum gt_word word, const char *context)
{
	struct gt_token t = next_word(p);

	return t.word == word ? 0 : unexpected(p, &t, context);
}

/* ---- nodes ---- */

/* *ret is NULL past the arena: then the caller fails. */
static int make(struct parse *p, enum gt_type type, uint32_t pos, struct gt_node **ret)
{
	struct gt_node *n = ARENA_NEW(p->a, struct gt_node);

	if (!n)
		return no_memory(p);
	n->type = type;
	n->pos = pos;
	*ret = n;
	return 0;
}

static void append(struct gt_node *to, struct gt_node *n)
{
	if (to->last)
		to->last->next = n;
	else
		to->first = n;
	to->last = n;
}

static int add_name(struct parse *p, struct gt_node *n, struct slice name)
{
	struct slice *more = arena_grow(p->a, n->names, n->nnames * sizeof(name),
					(n->nnames + 1) * sizeof(name));

	if (!more)
		return no_memory(p);
	n->names = more;
	n->names[n->nnames++] = name;
	return 0;
}

static struct slice without_dot(struct slice s)
{
	return slice_of(s.p + 1, s.n - 1);
}

/* ---- variables ---- */

static int declare(struct parse *p, struct slice name)
{
	struct names *v = &p->vars;

	if (v->n == v->cap) {
		size_t cap = v->cap ? 2 * v->cap : 16;
		struct slice *more =
			arena_grow(p->a, v->v, v->cap * sizeof(name), cap * sizeof(name));

		if (!more)
			return no_memory(p);
		v->v = more;
		v->cap = cap;
	}
	v->v[v->n++] = name;
	return 0;
}

static bool is_declared(const struct parse *p, struct slice name)
{
	for (size_t i = p->vars.n; i-- > 0;)
		if (slice_eq(p->vars.v[i], name))
			return true;
	return false;
}

static int make_variable(struct parse *p, const struct gt_token *t, struct gt_node **ret)
{
	int r = make(p, GT_VARIABLE, t->pos, ret);

	return r < 0 ? r : add_name(p, *ret, t->text);
}

/* ---- literals ---- */

/* What is written in quotes; its text is copied. */
static int unquote(struct parse *p, struct slice literal, struct slice *ret)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(literal.n * 3 + 1);

	if (go_unquote(literal, &b) < 0)
		return bad(p, "invalid syntax");
	*ret = slice_of(arena_strndup(p->a, buf_str(&b), b.n), b.n);
	return ret->p ? 0 : no_memory(p);
}

static int read_char(struct parse *p, struct slice text, struct gt_node *n)
{
	struct slice rest = slice_of(text.p + 1, text.n - 1);
	struct go_char c;

	if (!go_unquote_char(&rest, '\'', &c))
		return bad(p, "invalid syntax");
	if (!slice_is(rest, "'"))
		return bad(p, "malformed character constant: %.*s", (int)text.n, text.p);
	n->value = (struct gotemplate_value){ .type = GOTEMPLATE_INT, .i = c.c };
	n->whole = true;
	n->i = c.c;
	return 0;
}

static bool is_exact_int(double d)
{
	return d >= -9223372036854775808.0 && d < 9223372036854775808.0 && (double)(int64_t)d == d;
}

static bool has_any(struct slice s, const char *set)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] && strchr(set, s.p[i]))
			return true;
	return false;
}

/* Whole numbers: an int, or one that only an unsigned has. */
static bool read_whole(struct slice text, struct gt_node *n)
{
	bool minus;
	uint64_t u;

	if (!go_integer(text, &minus, &u))
		return false;
	n->whole = u <= (uint64_t)INT64_MAX + minus;
	n->overflow = !n->whole;
	n->i = minus ? (int64_t)-u : (int64_t)u;
	n->value = (struct gotemplate_value){ .type = GOTEMPLATE_INT, .i = n->i };
	return n->whole || (*text.p != '-' && *text.p != '+');
}

static int read_number(struct parse *p, const struct gt_token *t, struct gt_node *n)
{
	CLEANUP(buf_fini) struct buf quoted = BUF_INIT(MESSAGE_MAX);
	double d;

	n->text = t->text;
	if (t->word == GT_CHAR_CONSTANT)
		return read_char(p, t->text, n);
	if (t->word == GT_COMPLEX || t->text.p[t->text.n - 1] == 'i')
		return bad(p, "imaginary numbers are not supported: %.*s", (int)t->text.n,
			   t->text.p);
	if (read_whole(t->text, n))
		return 0;
	(void)go_quote(&quoted, t->text, false);
	n->overflow = false;
	if (!go_double(t->text, &d))
		return bad(p, "illegal number syntax: %s", buf_str(&quoted));
	if (!has_any(t->text, ".eEpP"))
		return bad(p, "integer overflow: %s", buf_str(&quoted));
	n->value = (struct gotemplate_value){ .type = GOTEMPLATE_FLOAT64, .f = d };
	n->whole = is_exact_int(d);
	n->i = n->whole ? (int64_t)d : 0;
	return 0;
}

/* ---- terms ---- */

static const struct gotemplate_func *find_func(const struct parse *p, struct slice name)
{
	const struct gotemplate_func *tables[] = { p->set->funcs, gt_builtins };

	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (const struct gotemplate_func *f = tables[i]; f && f->name; f++)
			if (slice_is(name, f->name))
				return f;
	return NULL;
}

static int parse_ident(struct parse *p, const struct gt_token *t, struct gt_node **ret)
{
	int r = make(p, GT_IDENT, t->pos, ret);

	if (r < 0)
		return r;
	(*ret)->text = t->text;
	(*ret)->func = find_func(p, t->text);
	if (!(*ret)->func)
		return bad(p, "function \"%.*s\" not defined", (int)t->text.n, t->text.p);
	return 0;
}

static int parse_parens(struct parse *p, struct gt_node **ret)
{
	int r;

	if (++p->depth > GOTEMPLATE_NEST_MAX)
		return bad(p, "max expression depth exceeded");
	r = parse_pipe(p, "parenthesized pipeline", GT_RIGHT_PAREN, ret);
	p->depth--;
	return r;
}

static int parse_variable(struct parse *p, const struct gt_token *t, struct gt_node **ret)
{
	if (!is_declared(p, t->text))
		return bad(p, "undefined variable \"%.*s\"", (int)t->text.n, t->text.p);
	return make_variable(p, t, ret);
}

static int parse_literal(struct parse *p, const struct gt_token *t, struct gt_node **ret)
{
	bool number =
		t->word == GT_CHAR_CONSTANT || t->word == GT_COMPLEX || t->word == GT_WORD_NUMBER;
	struct gt_node *n;
	int r = make(p,
		     number		       ? GT_NUMBER
		     : t->word == GT_WORD_BOOL ? GT_BOOL
					       : GT_STRING,
		     t->pos, ret);

	if (r < 0)
		return r;
	n = *ret;
	n->text = t->text;
	if (number)
		return read_number(p, t, n);
	n->value.type = t->word == GT_WORD_BOOL ? GOTEMPLATE_BOOL : GOTEMPLATE_STRING;
	if (t->word == GT_WORD_BOOL)
		n->value.truth = slice_is(t->text, "true");
	return t->word == GT_WORD_BOOL ? 0 : unquote(p, t->text, &n->value.s);
}

/* 1: the next word is no term. */
static int parse_term(struct parse *p, struct gt_node **ret)
{
	struct gt_token t = next_word(p);
	int r;

	switch (t.word) {
	case GT_IDENTIFIER: return parse_ident(p, &t, ret);
	case GT_WORD_DOT: return make(p, GT_DOT, t.pos, ret);
	case GT_WORD_NIL: return make(p, GT_NIL, t.pos, ret);
	case GT_WORD_VARIABLE: return parse_variable(p, &t, ret);
	case GT_WORD_FIELD:
		r = make(p, GT_FIELD, t.pos, ret);
		return r < 0 ? r : add_name(p, *ret, without_dot(t.text));
	case GT_WORD_BOOL:
	case GT_CHAR_CONSTANT:
	case GT_COMPLEX:
	case GT_WORD_NUMBER:
	case GT_WORD_STRING:
	case GT_RAW_STRING: return parse_literal(p, &t, ret);
	case GT_LEFT_PAREN: return parse_parens(p, ret);
	default: p->ahead++; return 1;
	}
}

/* The node that fields behind a term go to. 1: it is a literal. */
static int begin_chain(struct parse *p, struct gt_node *term, struct gt_node **ret)
{
	uint32_t pos = peek(p).pos;
	int r;

	switch (term->type) {
	case GT_FIELD:
	case GT_VARIABLE:
		term->pos = pos;
		*ret = term;
		return 0;
	case GT_BOOL:
	case GT_STRING:
	case GT_NUMBER:
	case GT_NIL:
	case GT_DOT: return 1;
	default:
		r = make(p, GT_CHAIN, pos, ret);
		if (r == 0)
			(*ret)->first = term;
		return r;
	}
}

/* A term and the fields behind it. 1: the next word is no operand. */
static int parse_operand(struct parse *p, struct gt_node **ret)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(MESSAGE_MAX), quoted = BUF_INIT(MESSAGE_MAX);
	struct gt_node *term, *n;
	int r = parse_term(p, &term), literal;

	if (r != 0)
		return r;
	*ret = term;
	if (peek(p).word != GT_WORD_FIELD)
		return 0;
	literal = begin_chain(p, term, &n);
	if (literal < 0)
		return literal;
	while (r == 0 && peek(p).word == GT_WORD_FIELD) {
		struct gt_token t = next(p);

		r = literal ? 0 : add_name(p, n, without_dot(t.text));
	}
	if (!literal) {
		*ret = n;
		return r;
	}
	(void)gt_write(term, &text);
	(void)go_quote(&quoted, buf_slice(&text), false);
	return bad(p, "unexpected . after term %s", buf_str(&quoted));
}

/* ---- pipelines ---- */

/* Operands up to a "|", which is read, or the end, which is not. */
static int parse_command(struct parse *p, struct gt_node **ret)
{
	struct gt_token t;
	int r = make(p, GT_COMMAND, peek_word(p).pos, ret);

	if (r < 0)
		return r;
	do {
		struct gt_node *n = NULL;

		(void)peek_word(p);
		r = parse_operand(p, &n);
		if (r < 0)
			return r;
		if (r == 0)
			append(*ret, n);
		t = next(p);
	} while (t.word == GT_SPACE);
	if (t.word == GT_RIGHT_DELIM || t.word == GT_RIGHT_PAREN)
		p->ahead++;
	else if (t.word != GT_WORD_PIPE)
		return unexpected(p, &t, "operand");
	return (*ret)->first ? 0 : bad(p, "empty command");
}

/* A variable that is read, with what is read ahead behind it, is given back. */
static void give_back(struct parse *p, struct gt_token var, struct gt_token behind)
{
	p->token[1] = var;
	p->ahead = 2;
	if (behind.word == GT_SPACE) {
		p->token[1] = behind;
		p->token[2] = var;
		p->ahead = 3;
	}
}

static int add_decl(struct parse *p, struct gt_node *pipe, const struct gt_token *t)
{
	struct gt_node *n, **to = &pipe->decl;
	int r = make_variable(p, t, &n);

	if (r < 0)
		return r;
	while (*to)
		to = &(*to)->next;
	*to = n;
	return declare(p, t->text);
}

/* "$x :=", "$x =", "$i, $x :=" at the start of a pipeline. */
static int parse_decls(struct parse *p, struct gt_node *pipe, const char *context)
{
	bool range = strcmp(context, "range") == 0;

	for (unsigned n = 1; peek_word(p).word == GT_WORD_VARIABLE; n++) {
		struct gt_token var = next_word(p), behind = peek(p), word = peek_word(p);
		enum gt_word after;
		int r;

		if (word.word != GT_ASSIGN && word.word != GT_DECLARE &&
		    !(word.word == GT_CHAR && slice_is(word.text, ","))) {
			give_back(p, var, behind);
			return 0;
		}
		(void)next_word(p);
		pipe->assigns = word.word == GT_ASSIGN;
		r = add_decl(p, pipe, &var);
		if (r < 0 || word.word != GT_CHAR)
			return r;
		if (!range || n > 1)
			return bad(p, "too many declarations in %s", context);
		after = peek_word(p).word;
		if (after != GT_WORD_VARIABLE && after != GT_RIGHT_DELIM && after != GT_RIGHT_PAREN)
			return bad(p, "range can only initialize variables");
	}
	return 0;
}

/* All commands but the first must be able to take a value. */
static int check_pipe(struct parse *p, const struct gt_node *pipe, const char *context)
{
	unsigned stage = 1;

	if (!pipe->first)
		return bad(p, "missing value for %s", context);
	for (const struct gt_node *c = pipe->first->next; c; c = c->next) {
		stage++;
		switch (c->first->type) {
		case GT_BOOL:
		case GT_DOT:
		case GT_NIL:
		case GT_NUMBER:
		case GT_STRING: return bad(p, "non executable command in pipeline stage %u", stage);
		default: break;
		}
	}
	return 0;
}

static bool begins_operand(enum gt_word w)
{
	switch (w) {
	case GT_WORD_BOOL:
	case GT_CHAR_CONSTANT:
	case GT_COMPLEX:
	case GT_WORD_DOT:
	case GT_WORD_FIELD:
	case GT_IDENTIFIER:
	case GT_WORD_NUMBER:
	case GT_WORD_NIL:
	case GT_RAW_STRING:
	case GT_WORD_STRING:
	case GT_WORD_VARIABLE:
	case GT_LEFT_PAREN: return true;
	default: return false;
	}
}

/* Up to `end`, which is read. */
static int parse_pipe(struct parse *p, const char *context, enum gt_word end, struct gt_node **ret)
{
	int r = make(p, GT_PIPE, peek_word(p).pos, ret);

	if (r == 0)
		r = parse_decls(p, *ret, context);
	for (unsigned commands = 0; r == 0; commands++) {
		struct gt_token t = next_word(p);
		struct gt_node *c;

		if (t.word == end)
			return check_pipe(p, *ret, context);
		if (!begins_operand(t.word))
			return unexpected(p, &t, context);
		if (commands == COMMANDS_MAX)
			return bad(p, "pipeline too long");
		p->ahead++;
		r = parse_command(p, &c);
		if (r == 0)
			append(*ret, c);
	}
	return r;
}

/* ---- actions ---- */

static bool is_space_text(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr(" \t\n\v\f\r", s.p[i]) || !s.p[i])
			return false;
	return true;
}

static bool is_empty(const struct gt_node *list)
{
	for (const struct gt_node *n = list->first; n; n = n->next)
		if (n->type != GT_TEXT || !is_space_text(n->text))
			return false;
	return true;
}

struct gt_template *gt_find(struct gt_template *list, struct slice name)
{
	for (; list; list = list->next)
		if (slice_eq(list->name, name))
			return list;
	return NULL;
}

/* A template of this text: the second of a name must be empty, or the first. */
static int add_template(struct parse *p)
{
	struct gt_template *old = gt_find(*p->made, p->new->name);

	if (!old) {
		p->new->next = *p->made;
		*p->made = p->new;
	} else if (is_empty(old->root)) {
		old->root = p->new->root;
	} else if (!is_empty(p->new->root)) {
		CLEANUP(buf_fini) struct buf name = BUF_INIT(MESSAGE_MAX);

		(void)go_quote(&name, p->new->name, false);
		return bad(p, "template: multiple definition of template %s", buf_str(&name));
	}
	return 0;
}

/* The body of a {{define}} or {{block}}, up to its end, read by the parser `in`. */
static int parse_body(struct parse *p, struct parse *in, const char *context)
{
	struct gt_node *end;
	int r = parse_list(in, &in->new->root, &end);

	if (r < 0)
		return r;
	if (end->type != GT_END)
		return bad(strcmp(context, "define clause") == 0 ? in : p,
			   "unexpected {{else}} in %s", context);
	return add_template(in);
}

static int begin_body(struct parse *p, struct parse *in)
{
	*in = (struct parse){ .a = p->a,
			      .err = p->err,
			      .set = p->set,
			      .lex = p->lex,
			      .made = p->made,
			      .depth = p->depth + 1 };
	in->new = ARENA_NEW(p->a, struct gt_template);
	if (!in->new)
		return no_memory(p);
	in->new->file = p->new->file;
	in->new->text = p->new->text;
	if (in->depth > GOTEMPLATE_NEST_MAX)
		return bad(p, "more than %d blocks in one another", GOTEMPLATE_NEST_MAX);
	return declare(in, SLICE("$"));
}

static int parse_define(struct parse *p)
{
	static const char context[] = "define clause";
	struct gt_token t;
	struct parse in;
	int r = begin_body(p, &in);

	if (r < 0)
		return r;
	t = next_word(&in);
	if (t.word != GT_WORD_STRING && t.word != GT_RAW_STRING)
		return unexpected(&in, &t, context);
	r = unquote(&in, t.text, &in.new->name);
	if (r == 0)
		r = expect(&in, GT_RIGHT_DELIM, context);
	return r < 0 ? r : parse_body(p, &in, context);
}

/* The name and the pipeline of {{template}} or {{block}}. */
static int parse_call(struct parse *p, const char *context, bool must, struct gt_node **ret)
{
	struct gt_token t = next_word(p);
	int r = make(p, GT_TEMPLATE, t.pos, ret);

	if (r < 0)
		return r;
	if (t.word != GT_WORD_STRING && t.word != GT_RAW_STRING)
		return unexpected(p, &t, context);
	r = unquote(p, t.text, &(*ret)->text);
	if (r < 0)
		return r;
	if (!must && next_word(p).word == GT_RIGHT_DELIM)
		return 0;
	if (!must)
		p->ahead++;
	return parse_pipe(p, context, GT_RIGHT_DELIM, &(*ret)->pipe);
}

static int parse_block(struct parse *p, struct gt_node **ret)
{
	static const char context[] = "block clause";
	struct parse in;
	int r = parse_call(p, context, true, ret);

	if (r == 0)
		r = begin_body(p, &in);
	if (r != 0)
		return r;
	in.new->name = (*ret)->text;
	return parse_body(p, &in, context);
}

static int parse_else(struct parse *p, struct gt_node **ret)
{
	struct gt_token t = peek_word(p);
	int r = make(p, GT_ELSE, t.pos, ret);

	/* "else if" is left to the branch that it belongs to */
	if (r < 0 || t.word == GT_WORD_IF || t.word == GT_WORD_WITH)
		return r;
	return expect(p, GT_RIGHT_DELIM, "else");
}

/* {{break}}, {{continue}} */
static int parse_jump(struct parse *p, enum gt_type type, uint32_t pos, struct gt_node **ret)
{
	const char *text = type == GT_BREAK ? "{{break}}" : "{{continue}}";
	struct gt_token t = next_word(p);

	if (t.word != GT_RIGHT_DELIM)
		return unexpected(p, &t, text);
	if (p->ranges == 0)
		return bad(p, "%s outside {{range}}", text);
	return make(p, type, pos, ret);
}

static int parse_pipe_action(struct parse *p, struct gt_node **ret)
{
	int r = make(p, GT_ACTION, peek(p).pos, ret);

	return r < 0 ? r : parse_pipe(p, "command", GT_RIGHT_DELIM, &(*ret)->pipe);
}

static int parse_action(struct parse *p, struct gt_node **ret)
{
	struct gt_token t = next_word(p);
	int r;

	switch (t.word) {
	case GT_WORD_BLOCK: return parse_block(p, ret);
	case GT_WORD_BREAK: return parse_jump(p, GT_BREAK, t.pos, ret);
	case GT_WORD_CONTINUE: return parse_jump(p, GT_CONTINUE, t.pos, ret);
	case GT_WORD_ELSE: return parse_else(p, ret);
	case GT_WORD_END:
		r = expect(p, GT_RIGHT_DELIM, "end");
		return r < 0 ? r : make(p, GT_END, t.pos, ret);
	case GT_WORD_IF: return parse_branch(p, GT_IF, ret);
	case GT_WORD_RANGE: return parse_branch(p, GT_RANGE, ret);
	case GT_WORD_TEMPLATE: return parse_call(p, "template clause", false, ret);
	case GT_WORD_WITH: return parse_branch(p, GT_WITH, ret);
	default: p->ahead++; return parse_pipe_action(p, ret);
	}
}

static int parse_text_or_action(struct parse *p, struct gt_node **ret)
{
	struct gt_token t = next_word(p);
	int r;

	if (t.word == GT_WORD_TEXT) {
		r = make(p, GT_TEXT, t.pos, ret);
		if (r == 0)
			(*ret)->text = t.text;
		return r;
	}
	if (t.word != GT_LEFT_DELIM)
		return unexpected(p, &t, "input");
	p->action_line = t.line;
	r = parse_action(p, ret);
	p->action_line = 0;
	return r;
}

/* Up to {{end}} or {{else}}, which is *ret_end. */
static int parse_list(struct parse *p, struct gt_node **ret, struct gt_node **ret_end)
{
	int r = make(p, GT_LIST, peek_word(p).pos, ret);

	while (r == 0 && peek_word(p).word != GT_EOF) {
		struct gt_node *n;

		r = parse_text_or_action(p, &n);
		if (r == 0 && (n->type == GT_END || n->type == GT_ELSE)) {
			*ret_end = n;
			return 0;
		}
		if (r == 0)
			append(*ret, n);
	}
	return r < 0 ? r : bad(p, "unexpected EOF");
}

/* Behind {{else}}: another list, or one branch of the same sort that takes this one's end. */
static int parse_other(struct parse *p, struct gt_node *branch, uint32_t pos)
{
	enum gt_word word = branch->type == GT_IF     ? GT_WORD_IF
			    : branch->type == GT_WITH ? GT_WORD_WITH
						      : GT_KEYWORD;
	struct gt_node *n;
	int r;

	if (peek(p).word == word) {
		(void)next(p);
		r = make(p, GT_LIST, pos, &branch->other);
		if (r == 0)
			r = parse_branch(p, branch->type, &n);
		if (r == 0)
			append(branch->other, n);
		return r;
	}
	r = parse_list(p, &branch->other, &n);
	if (r == 0 && n->type != GT_END)
		return bad(p, "expected end; found {{else}}");
	return r;
}

static int parse_branch_in(struct parse *p, enum gt_type type, struct gt_node **ret)
{
	const char *context = type == GT_IF ? "if" : type == GT_RANGE ? "range" : "with";
	struct gt_node *end;
	int r = make(p, type, 0, ret);

	if (r == 0)
		r = parse_pipe(p, context, GT_RIGHT_DELIM, &(*ret)->pipe);
	if (r < 0)
		return r;
	(*ret)->pos = (*ret)->pipe->pos;
	p->ranges += type == GT_RANGE;
	r = parse_list(p, &(*ret)->list, &end);
	p->ranges -= type == GT_RANGE;
	return r == 0 && end->type == GT_ELSE ? parse_other(p, *ret, end->pos) : r;
}

static int parse_branch(struct parse *p, enum gt_type type, struct gt_node **ret)
{
	size_t vars = p->vars.n;
	int r;

	if (++p->depth > GOTEMPLATE_NEST_MAX)
		return bad(p, "more than %d blocks in one another", GOTEMPLATE_NEST_MAX);
	r = parse_branch_in(p, type, ret);
	p->depth--;
	p->vars.n = vars;
	return r;
}

/* ---- texts ---- */

/* "{{" and "define" are read; else both are given back. */
static bool at_define(struct parse *p)
{
	struct gt_token delim;

	if (peek(p).word != GT_LEFT_DELIM)
		return false;
	delim = next(p);
	if (next_word(p).word == GT_WORD_DEFINE)
		return true;
	p->token[1] = delim;
	p->ahead = 2;
	return false;
}

static int parse_text(struct parse *p)
{
	int r = make(p, GT_LIST, peek(p).pos, &p->new->root);

	while (r == 0 && peek(p).word != GT_EOF) {
		struct gt_node *n;

		if (at_define(p)) {
			r = parse_define(p);
			continue;
		}
		r = parse_text_or_action(p, &n);
		if (r == 0 && (n->type == GT_END || n->type == GT_ELSE))
			return bad(p, "unexpected %s", n->type == GT_END ? "{{end}}" : "{{else}}");
		if (r == 0)
			append(p->new->root, n);
	}
	return r < 0 ? r : add_template(p);
}

/* What a text has made goes into the set: in place of older ones, unless it is empty. */
static void take_in(struct gotemplate *set, struct gt_template *made)
{
	for (struct gt_template *t = made, *next_t; t; t = next_t) {
		struct gt_template *old = gt_find(set->templates, t->name);

		next_t = t->next;
		if (!old) {
			t->next = set->templates;
			set->templates = t;
		} else if (!is_empty(t->root)) {
			t->next = old->next;
			*old = *t;
		}
	}
}

int gotemplate_new(struct arena *a, const struct gotemplate_func *funcs, struct gotemplate **ret,
		   struct err *err)
{
	struct gotemplate *set = ARENA_NEW(a, struct gotemplate);

	if (!set)
		return arena_quota(a, err);
	set->a = a;
	set->funcs = funcs;
	*ret = set;
	return 0;
}

int gotemplate_parse(struct gotemplate *set, struct slice name, struct slice text, struct err *err)
{
	struct gt_lexer lex = { .a = set->a, .line = 1 };
	struct gt_template *made = NULL, *new = ARENA_NEW(set->a, struct gt_template);
	struct parse p = {
		.a = set->a, .err = err, .set = set, .lex = &lex, .new = new, .made = &made
	};
	struct err none;
	int r;

	if (text.n > GOTEMPLATE_TEXT_MAX)
		return err_set(err, ERR_TOO_LARGE, "a template of more than %u bytes",
			       GOTEMPLATE_TEXT_MAX);
	lex.in = slice_of(arena_strndup(set->a, text.n ? text.p : "", text.n), text.n);
	if (!new || !lex.in.p)
		return arena_quota(set->a, err);
	new->name = slice_of(arena_strndup(set->a, name.n ? name.p : "", name.n), name.n);
	new->file = new->name;
	new->text = lex.in;
	if (!new->name.p)
		return arena_quota(set->a, err);
	if (!err)
		p.err = &none;
	r = declare(&p, SLICE("$"));
	if (r == 0)
		r = parse_text(&p);
	if (r == 0)
		take_in(set, made);
	return r;
}
