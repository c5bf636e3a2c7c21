/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar of CEL, by recursive descent; macros become nodes of their own.
 *
 * Operators are calls by the names that the language's own definition gives them: "_&&_", "_+_",
 * "!_", "-_", "_?_:_", "@in", "_[_]" is CEL_INDEX. Chains of && and || are kept as calls of many
 * arguments, so that a long one is not deep.
 */
#include "base/arena.h"
#include "base/err.h"
#include "expr/cel-ast.h"

struct parser {
	struct cel_lexer lexer;
	struct cel_token t; /* the next one */
	struct arena *a;
	struct err *err;
	unsigned depth;
	uint32_t nodes;
};

/* Nodes of a list while it grows. */
struct args {
	struct cel_node **v;
	uint32_t n, cap;
};

static struct cel_node *parse_expr(struct parser *p);

/* ---- tokens and nodes ---- */

static bool advance(struct parser *p)
{
	return cel_next(&p->lexer, &p->t, p->err) >= 0;
}

static bool is_op(const struct parser *p, const char *op)
{
	return p->t.kind == TOKEN_OP && slice_is(p->t.text, op);
}

/* True when it was there, and taken; an error of the token behind it shows later. */
static bool take(struct parser *p, const char *op)
{
	if (p->err->code || !is_op(p, op))
		return false;
	(void)advance(p);
	return true;
}

static struct cel_node *fail(struct parser *p, uint32_t at, const char *what)
{
	if (!p->err->code)
		(void)cel_error(p->lexer.text, at, p->err, "Syntax error: %s", what);
	return NULL;
}

static struct cel_node *unexpected(struct parser *p, const char *wanted)
{
	char what[200];

	if (p->t.kind == TOKEN_END)
		(void)snprintf(what, sizeof(what), "mismatched input '<EOF>' expecting %s", wanted);
	else
		(void)snprintf(what, sizeof(what), "mismatched input '%.*s' expecting %s",
			       (int)MIN(p->t.text.n, (size_t)60), p->t.text.p, wanted);
	return fail(p, p->t.at, what);
}

static bool expect(struct parser *p, const char *op)
{
	char wanted[8];

	if (take(p, op))
		return !p->err->code;
	(void)snprintf(wanted, sizeof(wanted), "'%s'", op);
	(void)unexpected(p, wanted);
	return false;
}

static struct cel_node *node(struct parser *p, enum cel_node_kind kind, uint32_t at)
{
	struct cel_node *n = ARENA_NEW(p->a, struct cel_node);

	if (p->err->code)
		return NULL;
	if (!n) {
		(void)arena_quota(p->a, p->err);
		return NULL;
	}
	if (p->nodes >= CEL_NODES_MAX) {
		(void)err_set(p->err, ERR_TOO_LARGE, "expression of more than %d parts",
			      CEL_NODES_MAX);
		return NULL;
	}
	n->kind = (uint8_t)kind;
	n->at = at;
	n->id = p->nodes++;
	return n;
}

static bool push(struct parser *p, struct args *x, struct cel_node *n)
{
	if (!n)
		return false;
	if (x->n == x->cap) {
		uint32_t cap = x->cap ? x->cap * 2 : 4;
		struct cel_node **v = arena_grow(p->a, x->v, x->cap * sizeof(struct cel_node *),
						 cap * sizeof(struct cel_node *));

		if (!v) {
			(void)arena_quota(p->a, p->err);
			return false;
		}
		x->v = v;
		x->cap = cap;
	}
	x->v[x->n++] = n;
	return true;
}

static struct cel_node *with_args(struct parser *p, struct cel_node *n, struct cel_node *a,
				  struct cel_node *b, struct cel_node *c)
{
	struct args x = { 0 };

	if (!n || (a && !push(p, &x, a)) || (b && !push(p, &x, b)) || (c && !push(p, &x, c)))
		return NULL;
	n->args = x.v;
	n->n = x.n;
	return n;
}

static struct cel_node *call(struct parser *p, uint32_t at, const char *name, struct cel_node *a,
			     struct cel_node *b, struct cel_node *c)
{
	struct cel_node *n = node(p, CEL_CALL, at);

	if (n)
		n->name = slice_str(name);
	return with_args(p, n, a, b, c);
}

/* ---- macros ---- */

static bool is_plain_ident(const struct cel_node *n)
{
	return n->kind == CEL_IDENT && n->name.n && n->name.p[0] != '.';
}

static struct cel_node *make_fold(struct parser *p, const struct cel_node *from, enum cel_fold fold,
				  struct cel_node **args, unsigned vars, struct cel_node *condition,
				  struct cel_node *result)
{
	struct cel_node *n = node(p, CEL_FOLD, from->at);

	if (!n)
		return NULL;
	for (unsigned i = 0; i < vars; i++) {
		if (!is_plain_ident(args[1 + i]))
			return fail(p, args[1 + i]->at, "argument must be a simple name");
		n->vars[i] = args[1 + i]->name;
	}
	if (vars == 2 && slice_eq(n->vars[0], n->vars[1]))
		return fail(p, args[2]->at, "cannot have two variables of one name");
	n->fold = (uint8_t)fold;
	n->args = ARENA_ARRAY(p->a, struct cel_node *, 3);
	if (!n->args) {
		(void)arena_quota(p->a, p->err);
		return NULL;
	}
	n->args[0] = args[0];
	n->args[1] = condition;
	n->args[2] = result;
	n->n = 3;
	return n;
}

static const struct macro {
	const char *name;
	uint8_t nargs; /* behind the target */
	uint8_t vars;
	uint8_t fold;
	bool condition, result; /* in this order behind the variables */
} macros[] = {
	{ "all", 2, 1, CEL_ALL, true, false },
	{ "exists", 2, 1, CEL_EXISTS, true, false },
	{ "exists_one", 2, 1, CEL_EXISTS_ONE, true, false },
	{ "existsOne", 2, 1, CEL_EXISTS_ONE, true, false },
	{ "map", 2, 1, CEL_MAP_LIST, false, true },
	{ "map", 3, 1, CEL_MAP_LIST, true, true },
	{ "filter", 2, 1, CEL_FILTER, true, false },
	{ "all", 3, 2, CEL_ALL, true, false },
	{ "exists", 3, 2, CEL_EXISTS, true, false },
	{ "existsOne", 3, 2, CEL_EXISTS_ONE, true, false },
	{ "exists_one", 3, 2, CEL_EXISTS_ONE, true, false },
	{ "transformList", 3, 2, CEL_TRANSFORM_LIST, false, true },
	{ "transformList", 4, 2, CEL_TRANSFORM_LIST, true, true },
	{ "transformMap", 3, 2, CEL_TRANSFORM_MAP, false, true },
	{ "transformMap", 4, 2, CEL_TRANSFORM_MAP, true, true },
	{ "transformMapEntry", 3, 2, CEL_TRANSFORM_ENTRY, false, true },
	{ "transformMapEntry", 4, 2, CEL_TRANSFORM_ENTRY, true, true },
	{ "optMap", 2, 1, CEL_OPT_MAP, false, true },
	{ "optFlatMap", 2, 1, CEL_OPT_FLAT_MAP, false, true },
	{ "sortBy", 2, 1, CEL_SORT_BY, false, true },
};

/* cel.bind(x, value, body) */
static struct cel_node *make_bind(struct parser *p, const struct cel_node *from,
				  struct cel_node **args)
{
	struct cel_node *n = node(p, CEL_BIND, from->at);

	if (!n)
		return NULL;
	if (!is_plain_ident(args[1]))
		return fail(p, args[1]->at, "cel.bind() variable names must be simple identifiers");
	n->vars[0] = args[1]->name;
	return with_args(p, n, args[2], args[3], NULL);
}

static struct cel_node *expand_member(struct parser *p, struct cel_node *n)
{
	const struct cel_node *target = n->args[0];

	if (is_plain_ident(target) && slice_is(target->name, "cel") && slice_is(n->name, "bind") &&
	    n->n == 4)
		return make_bind(p, n, n->args);
	for (size_t i = 0; i < ARRAY_LEN(macros); i++) {
		const struct macro *m = &macros[i];
		struct cel_node **rest;

		if (!slice_is(n->name, m->name) || n->n != 1u + m->nargs)
			continue;
		rest = n->args + 1 + m->vars;
		return make_fold(p, n, (enum cel_fold)m->fold, n->args, m->vars,
				 m->condition ? rest[0] : NULL,
				 m->result ? rest[m->condition] : NULL);
	}
	return n;
}

static struct cel_node *expand_global(struct parser *p, struct cel_node *n)
{
	struct cel_node *arg;

	if (!slice_is(n->name, "has") || n->n != 1)
		return n;
	arg = n->args[0];
	if (arg->kind != CEL_SELECT || arg->optional)
		return fail(p, arg->at, "invalid argument to has() macro");
	arg->kind = CEL_HAS;
	return arg;
}

/* ---- lists of expressions ---- */

/* Up to `close`, which is taken. optionals NULL: "?" is not allowed. trailing: a comma may be last.
 */
static bool parse_list(struct parser *p, const char *close, struct args *x, bool **optionals,
		       bool trailing)
{
	bool *marks = NULL;
	uint32_t cap = 0;

	while (!is_op(p, close)) {
		bool optional = optionals && take(p, "?");

		if (!push(p, x, parse_expr(p)))
			return false;
		if (optional && x->cap > cap) {
			marks = arena_grow(p->a, marks, cap, x->cap);
			cap = x->cap;
			if (!marks) {
				(void)arena_quota(p->a, p->err);
				return false;
			}
		}
		if (optional && marks)
			marks[x->n - 1] = true;
		if (!take(p, ","))
			break;
		if (is_op(p, close) && !trailing) {
			(void)unexpected(p, "an expression");
			return false;
		}
	}
	if (marks && cap < x->cap) {
		marks = arena_grow(p->a, marks, cap, x->cap);
		if (!marks) {
			(void)arena_quota(p->a, p->err);
			return false;
		}
	}
	if (optionals)
		*optionals = marks;
	return expect(p, close);
}

static struct cel_node *parse_list_literal(struct parser *p, uint32_t at)
{
	struct cel_node *n = node(p, CEL_LIST, at);
	struct args x = { 0 };

	if (!n || !parse_list(p, "]", &x, &n->optionals, true))
		return NULL;
	n->args = x.v;
	n->n = x.n;
	return n;
}

/* Marks of entries; grown by doubling as args are. */
static bool mark(struct parser *p, struct cel_node *n, uint32_t entry, uint32_t *cap)
{
	if (entry >= *cap) {
		uint32_t more = MAX(entry + 1, *cap * 2);

		n->optionals = arena_grow(p->a, n->optionals, *cap, more);
		if (!n->optionals) {
			(void)arena_quota(p->a, p->err);
			return false;
		}
		*cap = more;
	}
	return true;
}

static struct cel_node *parse_map_literal(struct parser *p, uint32_t at)
{
	struct cel_node *n = node(p, CEL_MAP, at);
	struct args x = { 0 };
	uint32_t cap = 0;

	while (n && !is_op(p, "}")) {
		bool optional = take(p, "?");

		if (!mark(p, n, x.n / 2, &cap))
			return NULL;
		n->optionals[x.n / 2] = optional;
		if (!push(p, &x, parse_expr(p)) || !expect(p, ":") || !push(p, &x, parse_expr(p)))
			return NULL;
		if (!take(p, ","))
			break;
	}
	if (!n || !expect(p, "}"))
		return NULL;
	n->args = x.v;
	n->n = x.n;
	return n;
}

static bool take_field(struct parser *p, struct slice *ret)
{
	if (p->t.kind == TOKEN_IDENT)
		*ret = p->t.text;
	else if (p->t.kind == TOKEN_QUOTED)
		*ret = p->t.s;
	else
		return unexpected(p, "a field's name") != NULL;
	return advance(p);
}

static struct cel_node *parse_struct(struct parser *p, struct slice name, uint32_t at)
{
	struct cel_node *n = node(p, CEL_STRUCT, at);
	struct args x = { 0 };
	uint32_t cap = 0, fields = 0;

	while (n && !is_op(p, "}")) {
		bool optional = take(p, "?");
		struct slice field;

		if (!mark(p, n, x.n, &cap) || !take_field(p, &field) || !expect(p, ":"))
			return NULL;
		n->optionals[x.n] = optional;
		if (x.n >= fields) {
			n->fields = arena_grow(p->a, n->fields, fields * sizeof(struct slice),
					       (x.n + 8) * sizeof(struct slice));
			fields = x.n + 8;
			if (!n->fields) {
				(void)arena_quota(p->a, p->err);
				return NULL;
			}
		}
		n->fields[x.n] = field;
		if (!push(p, &x, parse_expr(p)))
			return NULL;
		if (!take(p, ","))
			break;
	}
	if (!n || !expect(p, "}"))
		return NULL;
	n->name = name;
	n->args = x.v;
	n->n = x.n;
	return n;
}

/* ---- primaries ---- */

static bool is_reserved(struct slice s)
{
	static const char *const words[] = { "as",   "break",	 "const",     "continue", "else",
					     "for",  "function", "if",	      "import",	  "let",
					     "loop", "package",	 "namespace", "return",	  "var",
					     "void", "while",	 NULL };

	for (size_t i = 0; words[i]; i++)
		if (slice_is(s, words[i]))
			return true;
	return false;
}

static struct cel_node *literal_word(struct parser *p, uint32_t at)
{
	struct slice s = p->t.text;
	struct cel_node *n;

	if (slice_is(s, "null")) {
		n = node(p, CEL_NULL, at);
	} else {
		n = node(p, CEL_BOOL, at);
		if (n)
			n->b = slice_is(s, "true");
	}
	return n && advance(p) ? n : NULL;
}

/* "a.b.C" of a tree of selects, when it is followed by "{": the name of a message. */
static bool qualified_name(struct parser *p, const struct cel_node *n, struct slice *ret)
{
	const struct cel_node *first = n;

	while (first->kind == CEL_SELECT && !first->optional)
		first = first->args[0];
	if (first->kind != CEL_IDENT || n->kind == CEL_HAS)
		return false;
	*ret = slice_of(p->lexer.text.p + first->at,
			(size_t)(n->name.p + n->name.n - (p->lexer.text.p + first->at)));
	return true;
}

static struct cel_node *parse_call(struct parser *p, uint32_t at, struct slice name)
{
	struct cel_node *n = node(p, CEL_CALL, at);
	struct args x = { 0 };

	if (!n || !parse_list(p, ")", &x, NULL, false))
		return NULL;
	n->name = name;
	n->args = x.v;
	n->n = x.n;
	return expand_global(p, n);
}

static struct cel_node *parse_ident(struct parser *p)
{
	uint32_t at = p->t.at;
	bool root = take(p, ".");
	struct slice s = p->t.text;
	struct cel_node *n;

	if (p->t.kind != TOKEN_IDENT)
		return unexpected(p, "a name");
	if (!root && (slice_is(s, "true") || slice_is(s, "false") || slice_is(s, "null")))
		return literal_word(p, at);
	if (slice_is(s, "in") || slice_is(s, "true") || slice_is(s, "false") || slice_is(s, "null"))
		return unexpected(p, "a name");
	if (is_reserved(s))
		return fail(p, p->t.at, "reserved identifier");
	if (root) /* the dot belongs to the name */
		s = slice_of(p->lexer.text.p + at, (size_t)(s.p + s.n - (p->lexer.text.p + at)));
	if (!advance(p))
		return NULL;
	if (take(p, "("))
		return parse_call(p, at, s);
	n = node(p, CEL_IDENT, at);
	if (n)
		n->name = s;
	return n;
}

static struct cel_node *parse_literal(struct parser *p)
{
	const struct cel_token t = p->t;
	struct cel_node *n = node(p, CEL_NULL, t.at);

	if (!n)
		return NULL;
	switch (t.kind) {
	case TOKEN_INT:
		if (t.u > (uint64_t)INT64_MAX && !t.minus) {
			(void)cel_error(p->lexer.text, t.at, p->err, "invalid int literal");
			return NULL;
		}
		n->kind = CEL_INT;
		n->i = (int64_t)(t.minus ? -t.u : t.u);
		break;
	case TOKEN_UINT:
		n->kind = CEL_UINT;
		n->u = t.u;
		break;
	case TOKEN_DOUBLE:
		n->kind = CEL_DOUBLE;
		n->d = t.minus ? -t.d : t.d;
		break;
	case TOKEN_STRING:
	case TOKEN_BYTES:
		n->kind = t.kind == TOKEN_BYTES ? CEL_BYTES : CEL_STRING;
		n->s = t.s;
		break;
	default: return unexpected(p, "an expression");
	}
	return advance(p) ? n : NULL;
}

static struct cel_node *parse_primary(struct parser *p)
{
	uint32_t at = p->t.at;
	struct cel_node *n;

	if (take(p, "(")) {
		n = parse_expr(p);
		return n && expect(p, ")") ? n : NULL;
	}
	if (take(p, "["))
		return p->err->code ? NULL : parse_list_literal(p, at);
	if (take(p, "{"))
		return p->err->code ? NULL : parse_map_literal(p, at);
	if (p->t.kind == TOKEN_IDENT || is_op(p, "."))
		return parse_ident(p);
	return parse_literal(p);
}

/* ---- members ---- */

static struct cel_node *parse_method(struct parser *p, struct cel_node *target, uint32_t at,
				     struct slice name)
{
	struct cel_node *n = node(p, CEL_CALL, at);
	struct args x = { 0 };

	if (!n || !push(p, &x, target) || !parse_list(p, ")", &x, NULL, false))
		return NULL;
	n->name = name;
	n->target = true;
	n->args = x.v;
	n->n = x.n;
	return expand_member(p, n);
}

/* Errors point at the dot, or at the parenthesis of a call. */
static struct cel_node *parse_select(struct parser *p, struct cel_node *target, uint32_t at)
{
	bool optional = take(p, "?"), quoted = p->t.kind == TOKEN_QUOTED;
	struct slice name = SLICE("");
	struct cel_node *n;

	if (!take_field(p, &name))
		return NULL;
	if (!optional && !quoted && is_op(p, "(")) {
		at = p->t.at;
		(void)take(p, "(");
		return parse_method(p, target, at, name);
	}
	n = with_args(p, node(p, CEL_SELECT, at), target, NULL, NULL);
	if (!n)
		return NULL;
	n->name = name;
	n->optional = optional;
	return n;
}

static struct cel_node *parse_index(struct parser *p, struct cel_node *target, uint32_t at)
{
	bool optional = take(p, "?");
	struct cel_node *key = parse_expr(p), *n;

	if (!key || !expect(p, "]"))
		return NULL;
	n = with_args(p, node(p, CEL_INDEX, at), target, key, NULL);
	if (n)
		n->optional = optional;
	return n;
}

static struct cel_node *parse_member(struct parser *p)
{
	struct cel_node *n = parse_primary(p);
	unsigned links = 0;

	while (n && !p->err->code) {
		uint32_t at = p->t.at;
		struct slice name = SLICE("");

		/* A chain is as deep as it is long. */
		if (++links > CEL_DEPTH_MAX * 4)
			return fail(p, at, "a chain of too many members");
		if (take(p, "."))
			n = parse_select(p, n, at);
		else if (take(p, "["))
			n = parse_index(p, n, at);
		else if (is_op(p, "{") && qualified_name(p, n, &name) && take(p, "{"))
			n = parse_struct(p, name, n->at);
		else
			return n;
	}
	return p->err->code ? NULL : n;
}

/* "!" and "-", any number of one of them. A minus before a number belongs to it. */
static struct cel_node *parse_unary(struct parser *p)
{
	uint32_t at = p->t.at;
	unsigned n = 0;
	bool minus = is_op(p, "-");
	struct cel_node *x;

	while (take(p, minus ? "-" : "!"))
		n++;
	if (p->err->code)
		return NULL;
	if (minus && n == 1 && (p->t.kind == TOKEN_INT || p->t.kind == TOKEN_DOUBLE)) {
		p->t.minus = true;
		return parse_member(p);
	}
	x = parse_member(p);
	if (n % 2 && x)
		x = call(p, at, minus ? "-_" : "!_", x, NULL, NULL);
	return x;
}

/* ---- operators ---- */

struct level {
	const char *const *ops;	  /* as written */
	const char *const *names; /* as called */
};

static const char
	*const mul_ops[] = { "*", "/", "%", NULL },
	       *const mul_names[] = { "_*_", "_/_", "_%_" }, *const add_ops[] = { "+", "-", NULL },
	       *const add_names[] = { "_+_", "_-_" }, *const rel_ops[] = { "<",	 "<=", ">=", ">",
									   "==", "!=", NULL },
	       *const rel_names[] = { "_<_", "_<=_", "_>=_", "_>_", "_==_", "_!=_" };
static const struct level levels[] = {
	{ rel_ops, rel_names },
	{ add_ops, add_names },
	{ mul_ops, mul_names },
};

static const char *take_op(struct parser *p, const struct level *l, bool in)
{
	for (size_t i = 0; l->ops[i]; i++)
		if (take(p, l->ops[i]))
			return l->names[i];
	if (in && p->t.kind == TOKEN_IDENT && slice_is(p->t.text, "in"))
		return advance(p) ? "@in" : NULL;
	return NULL;
}

static struct cel_node *parse_binary(struct parser *p, size_t level)
{
	struct cel_node *n =
		level == ARRAY_LEN(levels) ? parse_unary(p) : parse_binary(p, level + 1);
	unsigned links = 0;

	while (n && level < ARRAY_LEN(levels)) {
		uint32_t at = p->t.at;
		const char *op = take_op(p, &levels[level], level == 0);
		struct cel_node *right;

		if (p->err->code)
			return NULL;
		if (!op)
			return n;
		if (++links > CEL_DEPTH_MAX * 4)
			return fail(p, at, "a chain of too many operators");
		right = parse_binary(p, level + 1);
		n = right ? call(p, at, op, n, right, NULL) : NULL;
	}
	return n;
}

static struct cel_node *parse_logic(struct parser *p, bool any)
{
	struct cel_node *first = any ? parse_logic(p, false) : parse_binary(p, 0), *n;
	uint32_t at = p->t.at;
	struct args x = { 0 };

	if (!first || !is_op(p, any ? "||" : "&&"))
		return first;
	if (!push(p, &x, first))
		return NULL;
	while (take(p, any ? "||" : "&&"))
		if (!push(p, &x, any ? parse_logic(p, false) : parse_binary(p, 0)))
			return NULL;
	n = node(p, CEL_CALL, at);
	if (!n)
		return NULL;
	n->name = any ? SLICE("_||_") : SLICE("_&&_");
	n->args = x.v;
	n->n = x.n;
	return n;
}

static struct cel_node *parse_expr(struct parser *p)
{
	struct cel_node *n, *yes, *no;
	uint32_t at;

	if (p->err->code)
		return NULL;
	if (++p->depth > CEL_DEPTH_MAX) {
		(void)err_set(p->err, ERR_TOO_LARGE,
			      "ERROR: <input>: expression recursion limit exceeded: %d",
			      CEL_DEPTH_MAX);
		return NULL;
	}
	n = parse_logic(p, true);
	at = p->t.at;
	if (n && take(p, "?")) {
		yes = parse_logic(p, true);
		if (!yes || !expect(p, ":"))
			return NULL;
		no = parse_expr(p);
		n = no ? call(p, at, "_?_:_", n, yes, no) : NULL;
	}
	p->depth--;
	return p->err->code ? NULL : n;
}

int cel_parse(struct slice text, struct arena *a, struct cel_ast *ret, struct err *err)
{
	struct err own = ERR_INIT;
	struct parser p = { .lexer = { .text = text, .a = a }, .a = a, .err = err ? err : &own };
	struct cel_node *root;

	p.err->code = ERR_NONE;
	if (text.n > CEL_TEXT_MAX)
		return err_set(err, ERR_TOO_LARGE, "expression of %zu bytes: more than %u", text.n,
			       CEL_TEXT_MAX);
	if (!advance(&p))
		return err_ret(p.err);
	root = parse_expr(&p);
	if (root && p.t.kind != TOKEN_END)
		(void)unexpected(&p, "<EOF>");
	if (p.err->code)
		return err_ret(p.err);
	*ret = (struct cel_ast){ .text = text, .root = root, .nodes = p.nodes };
	return 0;
}
