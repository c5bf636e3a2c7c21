/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A template run. `at` is the node that messages name: which one that is, Go's evaluator decides
 * by the order in which it sets it, and this one sets it in the same places.
 *
 * A value that was taken out of a list or map is `boxed` until a pipeline ends, or a function
 * takes it out.
 */
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"
#include "expr/go-text.h"
#include "expr/gotemplate-private.h"

#include <stdarg.h>
#include <stdio.h>

#define ARGS_FEW 6
#define MESSAGE_MAX (64u << 10) /* before it is cut */

/* What a walk gives besides errors. */
enum { GO_ON, BREAK, CONTINUE };

struct variable {
	struct slice name;
	struct gotemplate_value v;
};

struct run {
	const struct gotemplate *set;
	const struct gotemplate_job *job;
	struct err *err;
	const struct gt_template *template;
	const struct gt_node *at;
	struct variable *vars;
	size_t nvars, cap;
	size_t base; /* where those of this template begin */
	unsigned depth;
	uint64_t steps;
};

/* What a command is given besides its own words. */
struct given {
	const struct gotemplate_value *dot,
		*final; /* final: the pipeline's value so far, or NULL */
};

static int eval_pipe(struct run *x, const struct gotemplate_value *dot, const struct gt_node *pipe,
		     struct gotemplate_value *ret);
static int walk_list(struct run *x, const struct gotemplate_value *dot, const struct gt_node *list);
static int eval_arg(struct run *x, const struct gotemplate_value *dot, char type,
		    const struct gt_node *n, struct gotemplate_value *ret);

/* ---- messages ---- */

static void add_place(const struct run *x, struct buf *out)
{
	const struct gt_template *t = x->template;
	unsigned line = 1, column = x->at->pos;

	for (uint32_t i = 0; i < x->at->pos && i < t->text.n; i++)
		if (t->text.p[i] == '\n') {
			line++;
			column = x->at->pos - i - 1;
		}
	(void)buf_addf(out, "template: %.*s:%u:%u: executing ", (int)t->file.n, t->file.p, line,
		       column);
	(void)go_quote(out, t->name, false);
	(void)buf_adds(out, " at <");
	(void)gt_write(x->at, out);
	(void)buf_adds(out, ">: ");
}

static int fail_as(struct run *x, enum err_code code, const char *message)
{
	CLEANUP(buf_fini) struct buf place = BUF_INIT(MESSAGE_MAX);

	add_place(x, &place);
	return err_set(x->err, code, "%s%s", buf_str(&place), message);
}

PRINTF(2, 3) static int fail(struct run *x, const char *fmt, ...)
{
	char text[sizeof(x->err->msg)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)fail_as(x, ERR_INVALID, text);
	return -ERR_INVALID;
}

static int fail_written(struct run *x, const char *before, const struct gt_node *n)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(MESSAGE_MAX);

	(void)gt_write(n, &text);
	return fail(x, "%s%s", before, buf_str(&text));
}

static int fail_key(struct run *x, const char *before, struct slice key)
{
	CLEANUP(buf_fini) struct buf quoted = BUF_INIT(MESSAGE_MAX);

	(void)go_quote(&quoted, key, false);
	return fail(x, "%s%s", before, buf_str(&quoted));
}

static int step(struct run *x)
{
	if (++x->steps > GOTEMPLATE_STEPS_MAX)
		return fail_as(x, ERR_TOO_LARGE, "the template takes too many steps");
	return 0;
}

/* One level deeper; the caller counts it down. */
static int enter(struct run *x)
{
	int r = step(x);

	if (r < 0)
		return r;
	if (x->depth == GOTEMPLATE_DEPTH_MAX) {
		(void)fail(x, "exceeded maximum template depth (%d)", GOTEMPLATE_DEPTH_MAX);
		x->err->code = ERR_TOO_LARGE;
		return -ERR_TOO_LARGE;
	}
	x->depth++;
	return 0;
}

static int output_full(struct run *x)
{
	return fail_as(x, ERR_QUOTA, "the output is too large");
}

/* ---- values ---- */

static const struct gotemplate_value nothing = { .type = GOTEMPLATE_NIL };

struct gotemplate_value gotemplate_value_of(const struct doc *d, unsigned flags)
{
	struct gotemplate_value v = { .type = GOTEMPLATE_NIL };

	switch (d ? d->type : DOC_NULL) {
	case DOC_BOOL:
		v = (struct gotemplate_value){ .type = GOTEMPLATE_BOOL, .truth = d->n };
		break;
	case DOC_STRING:
		v = (struct gotemplate_value){ .type = GOTEMPLATE_STRING, .s = doc_slice(d) };
		break;
	case DOC_ARRAY: v = (struct gotemplate_value){ .type = GOTEMPLATE_LIST, .d = d }; break;
	case DOC_OBJECT: v = (struct gotemplate_value){ .type = GOTEMPLATE_MAP, .d = d }; break;
	case DOC_NUMBER:
		v.type = d->mark ? d->mark : GOTEMPLATE_INT64;
		if (v.type != GOTEMPLATE_FLOAT64 && (d->mark || !(flags & GOTEMPLATE_FLOATS)) &&
		    d->flags & DOC_INT && doc_int64(d, &v.i) == 0)
			break;
		v.type = GOTEMPLATE_FLOAT64;
		(void)doc_double(d, &v.f);
		break;
	default: break;
	}
	return v;
}

struct doc gotemplate_doc_of(const struct gotemplate_value *v, struct arena *a)
{
	struct doc d = doc_null();

	switch (v->type) {
	case GOTEMPLATE_NIL: break;
	case GOTEMPLATE_BOOL: return doc_bool(v->truth);
	case GOTEMPLATE_INT:
	case GOTEMPLATE_INT64:
	case GOTEMPLATE_UINT8: d = doc_int(a, v->i); break;
	case GOTEMPLATE_FLOAT64: d = doc_num(a, v->f); break;
	case GOTEMPLATE_STRING: return doc_borrow(v->s.p, v->s.n);
	case GOTEMPLATE_LIST:
	case GOTEMPLATE_MAP: return *v->d;
	}
	d.mark = (uint8_t)v->type;
	return d;
}

bool gotemplate_true(const struct gotemplate_value *v)
{
	switch (v->type) {
	case GOTEMPLATE_NIL: return false;
	case GOTEMPLATE_BOOL: return v->truth;
	case GOTEMPLATE_FLOAT64: return v->f != 0;
	case GOTEMPLATE_STRING: return v->s.n > 0;
	case GOTEMPLATE_LIST:
	case GOTEMPLATE_MAP: return doc_len(v->d) > 0;
	default: return v->i != 0;
	}
}

/* What a message calls the type of a value that may stand in a box. */
static const char *type_of(const struct gotemplate_value *v)
{
	return v->boxed ? "interface {}" : gotemplate_type_name(v);
}

static struct gotemplate_value boxed(const struct run *x, const struct doc *d)
{
	struct gotemplate_value v = gotemplate_value_of(d, x->job->flags);

	v.boxed = true;
	return v;
}

/* ---- variables ---- */

static int push(struct run *x, struct slice name, const struct gotemplate_value *v)
{
	if (x->nvars == x->cap) {
		size_t cap = x->cap ? 2 * x->cap : 32;
		struct variable *more =
			arena_grow(x->job->a, x->vars, x->cap * sizeof(*more), cap * sizeof(*more));

		if (!more)
			return arena_quota(x->job->a, x->err);
		x->vars = more;
		x->cap = cap;
	}
	x->vars[x->nvars++] = (struct variable){ name, *v };
	return 0;
}

/* NULL: it is not there, and the error is filled. */
static struct variable *find_variable(struct run *x, struct slice name)
{
	for (size_t i = x->nvars; i-- > x->base;)
		if (slice_eq(x->vars[i].name, name))
			return &x->vars[i];
	(void)fail(x, "undefined variable: %.*s", (int)name.n, name.p);
	return NULL;
}

static int assign(struct run *x, struct slice name, const struct gotemplate_value *v)
{
	struct variable *var = find_variable(x, name);

	if (!var)
		return -ERR_INVALID;
	var->v = *v;
	return 0;
}

/* ---- fields ---- */

/* v becomes its member. */
static int eval_field(struct run *x, struct slice name, bool has_args, struct gotemplate_value *v)
{
	unsigned flags = x->job->flags;
	const struct doc *found;

	if (v->type == GOTEMPLATE_NIL && !v->boxed) {
		if (flags & GOTEMPLATE_MISSING_ERROR)
			return fail_key(x, "nil data; no entry for key ", name);
		return 0;
	}
	if (v->type == GOTEMPLATE_NIL)
		return fail(x, "nil pointer evaluating interface {}.%.*s", (int)name.n, name.p);
	if (v->type != GOTEMPLATE_MAP)
		return fail(x, "can't evaluate field %.*s in type %s", (int)name.n, name.p,
			    type_of(v));
	if (has_args)
		return fail(x, "%.*s is not a method but has arguments", (int)name.n, name.p);
	found = doc_getn(v->d, name);
	if (!found && flags & GOTEMPLATE_MISSING_ERROR)
		return fail_key(x, "map has no entry for key ", name);
	*v = found || flags & GOTEMPLATE_MISSING_ZERO ? boxed(x, found) : nothing;
	return 0;
}

static int eval_fields(struct run *x, const struct gt_node *n, uint32_t first, bool has_args,
		       struct gotemplate_value *v)
{
	int r = 0;

	for (uint32_t i = first; i < n->nnames && r == 0; i++)
		r = eval_field(x, n->names[i], has_args && i + 1 == n->nnames, v);
	return r;
}

static int not_a_function(struct run *x, const struct gt_node *first, bool has_args)
{
	return has_args ? fail_written(x, "can't give argument to non-function ", first) : 0;
}

static int eval_variable(struct run *x, const struct gt_node *n, bool has_args,
			 struct gotemplate_value *ret)
{
	const struct variable *var;

	x->at = n;
	var = find_variable(x, n->names[0]);
	if (!var)
		return -ERR_INVALID;
	*ret = var->v;
	return n->nnames == 1 ? not_a_function(x, n, has_args)
			      : eval_fields(x, n, 1, has_args, ret);
}

static int eval_chain(struct run *x, const struct gotemplate_value *dot, const struct gt_node *n,
		      bool has_args, struct gotemplate_value *ret)
{
	int r;

	x->at = n;
	r = eval_arg(x, dot, 0, n->first, ret);
	return r < 0 ? r : eval_fields(x, n, 0, has_args, ret);
}

/* ---- arguments ---- */

/* The types of parameters by their letters; NIL: any. */
static const struct param {
	char letter;
	const char *name;
	enum gotemplate_type type;
	bool nil;
	const char *literal; /* what a literal must be */
} params[] = {
	{ 'a', "interface {}", GOTEMPLATE_NIL, true, NULL },
	{ 'b', "bool", GOTEMPLATE_BOOL, false, "bool" },
	{ 'f', "float64", GOTEMPLATE_FLOAT64, false, "float" },
	{ 'i', "int", GOTEMPLATE_INT, false, "integer" },
	{ 'l', "[]interface {}", GOTEMPLATE_LIST, true, NULL },
	{ 'm', "map[string]interface {}", GOTEMPLATE_MAP, true, NULL },
	{ 's', "string", GOTEMPLATE_STRING, false, "string" },
	{ 'v', "reflect.Value", GOTEMPLATE_NIL, true, NULL },
};

/* NULL: of no type ("0"). */
static const struct param *param_of(char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(params); i++)
		if (params[i].letter == letter)
			return &params[i];
	return NULL;
}

/* Makes v what a parameter of that type takes. */
static int check_type(struct run *x, char letter, struct gotemplate_value *v)
{
	const struct param *p = param_of(letter);

	if (!p || letter == 'v')
		return 0;
	if (v->type == GOTEMPLATE_NIL && !v->boxed)
		return p->nil ? 0 : fail(x, "invalid value; expected %s", p->name);
	if (p->type != GOTEMPLATE_NIL && v->type != p->type)
		return fail(x, "wrong type for value; expected %s; got %s", p->name,
			    v->type == GOTEMPLATE_NIL ? "interface {}" : gotemplate_type_name(v));
	v->boxed = false;
	return 0;
}

static int eval_literal(struct run *x, const struct gt_node *n, struct gotemplate_value *ret)
{
	x->at = n;
	if (n->type == GT_NUMBER && n->overflow)
		return fail(x, "%.*s overflows int", (int)n->text.n, n->text.p);
	*ret = n->value;
	return 0;
}

/* A literal for a parameter that has a type: a number may stand for several. */
static int eval_typed(struct run *x, const struct param *p, const struct gt_node *n,
		      struct gotemplate_value *ret)
{
	char what[64];

	if (!p->literal) {
		CLEANUP(buf_fini) struct buf text = BUF_INIT(MESSAGE_MAX);

		(void)gt_write(n, &text);
		return fail(x, "can't handle %s for arg of type %s", buf_str(&text), p->name);
	}
	*ret = n->value;
	if (n->type == GT_NUMBER && p->type == GOTEMPLATE_INT && n->whole)
		*ret = (struct gotemplate_value){ .type = GOTEMPLATE_INT, .i = n->i };
	if (n->type == GT_NUMBER && p->type == GOTEMPLATE_FLOAT64 && ret->type == GOTEMPLATE_INT)
		*ret = (struct gotemplate_value){ .type = GOTEMPLATE_FLOAT64,
						  .f = n->overflow ? (double)(uint64_t)n->i
								   : (double)n->i };
	if (ret->type == p->type && !(p->type == GOTEMPLATE_INT && !n->whole))
		return 0;
	(void)snprintf(what, sizeof(what), "expected %s; found ", p->literal);
	return fail_written(x, what, n);
}

static int eval_function(struct run *x, const struct gt_node *ident, const struct gt_node *command,
			 const struct given *given, struct gotemplate_value *ret);

static int eval_arg(struct run *x, const struct gotemplate_value *dot, char type,
		    const struct gt_node *n, struct gotemplate_value *ret)
{
	const struct given given = { .dot = dot };
	const struct param *p = param_of(type);
	int r = 0;

	x->at = n;
	switch (n->type) {
	case GT_DOT: *ret = *dot; break;
	case GT_NIL:
		*ret = nothing;
		return p && !p->nil ? fail(x, "cannot assign nil to %s", p->name) : 0;
	case GT_FIELD:
		*ret = *dot;
		r = eval_fields(x, n, 0, false, ret);
		break;
	case GT_VARIABLE: r = eval_variable(x, n, false, ret); break;
	case GT_PIPE: r = eval_pipe(x, dot, n, ret); break;
	case GT_IDENT: r = eval_function(x, n, NULL, &given, ret); break;
	case GT_CHAIN: r = eval_chain(x, dot, n, false, ret); break;
	default:
		return !p || type == 'a' || type == 'v' ? eval_literal(x, n, ret)
							: eval_typed(x, p, n, ret);
	}
	return r < 0 ? r : check_type(x, type, ret);
}

/* ---- functions ---- */

struct arity {
	size_t letters; /* of the row */
	bool variadic;
};

static struct arity arity_of(const struct gotemplate_func *f)
{
	size_t n = strlen(f->params);
	bool variadic = slice_ends(slice_of(f->params, n), SLICE("..."));

	return (struct arity){ variadic ? n - 3 : n, variadic };
}

static int check_count(struct run *x, const struct gotemplate_func *f, size_t words, bool final)
{
	struct arity a = arity_of(f);
	size_t n = words + final;

	if (a.variadic && n + 1 < a.letters)
		return fail(x, "wrong number of args for %s: want at least %zu got %zu", f->name,
			    a.letters - 1, words);
	if (!a.variadic && n != a.letters)
		return fail(x, "wrong number of args for %s: want %zu got %zu", f->name, a.letters,
			    n);
	return 0;
}

/* "and", "or": up to the first that decides. */
static int eval_logic(struct run *x, bool stop_at, const struct gt_node *arg,
		      const struct given *given, struct gotemplate_value *ret)
{
	for (; arg; arg = arg->next) {
		int r = eval_arg(x, given->dot, 'v', arg, ret);

		if (r < 0 || gotemplate_true(ret) == stop_at)
			return r;
	}
	if (given->final)
		*ret = *given->final;
	return 0;
}

static int run_function(struct run *x, const struct gotemplate_func *f, const struct gt_node *at,
			struct gotemplate_call *c, struct gotemplate_value *ret)
{
	struct err err = ERR_INIT;
	int r;

	c->a = x->job->a;
	c->user = x->job->user;
	c->flags = x->job->flags;
	c->err = &err;
	*ret = nothing;
	r = f->run(c, ret);
	if (r == 0 && !arena_exceeded(c->a))
		return 0;
	if (r == 0)
		r = arena_quota(c->a, &err);
	x->at = at;
	(void)err_wrap(&err, "error calling %s", f->name);
	return fail_as(x, (enum err_code) - r, err.msg);
}

static int eval_args(struct run *x, const struct gotemplate_func *f, const struct gt_node *arg,
		     const struct given *given, struct gotemplate_value *v)
{
	struct arity a = arity_of(f);
	size_t i = 0;
	int r = 0;

	for (; arg && r == 0; arg = arg->next, i++)
		r = eval_arg(x, given->dot, f->params[MIN(i, a.letters - 1)], arg, &v[i]);
	if (r == 0 && given->final) {
		v[i] = *given->final;
		r = check_type(x, f->params[MIN(i, a.letters - 1)], &v[i]);
	}
	return r;
}

/* `command`: the words of which ident is the first; NULL: it stands alone as an argument. */
static int eval_function(struct run *x, const struct gt_node *ident, const struct gt_node *command,
			 const struct given *given, struct gotemplate_value *ret)
{
	const struct gotemplate_func *f = ident->func;
	const struct gt_node *args = command ? ident->next : NULL;
	struct gotemplate_value few[ARGS_FEW], *v = few;
	struct gotemplate_call c = { .n = given->final != NULL, .words = args };
	int r;

	x->at = ident;
	for (const struct gt_node *arg = args; arg; arg = arg->next)
		c.n++;
	r = check_count(x, f, c.n - (given->final != NULL), given->final);
	if (r < 0)
		return r;
	if (!f->run)
		return eval_logic(x, f->name[0] == 'o', args, given, ret);
	if (c.n > ARGS_FEW)
		v = ARENA_ARRAY(x->job->a, struct gotemplate_value, c.n);
	if (!v)
		return arena_quota(x->job->a, x->err);
	r = eval_args(x, f, args, given, v);
	c.v = v;
	return r < 0 ? r : run_function(x, f, command ? command : ident, &c, ret);
}

/* ---- pipelines ---- */

static int eval_command(struct run *x, const struct gt_node *command, const struct given *given,
			struct gotemplate_value *ret)
{
	const struct gt_node *first = command->first;
	bool has_args = first->next || given->final;
	int r = step(x);

	if (r < 0)
		return r;
	switch (first->type) {
	case GT_FIELD:
		x->at = first;
		*ret = *given->dot;
		return eval_fields(x, first, 0, has_args, ret);
	case GT_CHAIN: return eval_chain(x, given->dot, first, has_args, ret);
	case GT_IDENT: return eval_function(x, first, command, given, ret);
	case GT_PIPE:
		r = not_a_function(x, first, has_args);
		return r < 0 ? r : eval_pipe(x, given->dot, first, ret);
	case GT_VARIABLE: return eval_variable(x, first, has_args, ret);
	default: break;
	}
	x->at = first;
	r = not_a_function(x, first, has_args);
	if (r < 0)
		return r;
	if (first->type == GT_NIL)
		return fail(x, "nil is not a command");
	if (first->type != GT_DOT)
		return eval_literal(x, first, ret);
	*ret = *given->dot;
	return 0;
}

static int eval_decls(struct run *x, const struct gt_node *pipe, const struct gotemplate_value *v)
{
	int r = 0;

	for (const struct gt_node *d = pipe->decl; d && r == 0; d = d->next)
		r = pipe->assigns ? assign(x, d->names[0], v) : push(x, d->names[0], v);
	return r;
}

static int eval_pipe(struct run *x, const struct gotemplate_value *dot, const struct gt_node *pipe,
		     struct gotemplate_value *ret)
{
	struct given given = { .dot = dot };
	struct gotemplate_value v;
	int r;

	*ret = nothing;
	if (!pipe)
		return 0;
	x->at = pipe;
	r = enter(x);
	if (r < 0)
		return r;
	for (const struct gt_node *c = pipe->first; c && r == 0; c = c->next) {
		r = eval_command(x, c, &given, &v);
		if (r < 0)
			break;
		*ret = v;
		ret->boxed = false;
		given.final = ret;
	}
	x->depth--;
	return r < 0 ? r : eval_decls(x, pipe, ret);
}

/* ---- actions ---- */

static int print_action(struct run *x, const struct gotemplate_value *dot, const struct gt_node *n)
{
	struct gotemplate_value v;
	struct err err = ERR_INIT;
	int r = eval_pipe(x, dot, n->pipe, &v);

	if (r < 0 || n->pipe->decl)
		return r;
	x->at = n;
	if (v.type == GOTEMPLATE_NIL)
		r = buf_adds(x->job->out, "<no value>");
	else
		r = gotemplate_print(&v, x->job->flags, x->job->out, &err);
	if (r == 0)
		return 0;
	return err.code == ERR_TOO_LARGE ? fail_as(x, err.code, err.msg) : output_full(x);
}

static int walk_branch(struct run *x, const struct gotemplate_value *dot, const struct gt_node *n)
{
	struct gotemplate_value v;
	size_t mark = x->nvars;
	int r = eval_pipe(x, dot, n->pipe, &v);

	if (r < 0)
		return r;
	if (gotemplate_true(&v))
		r = walk_list(x, n->type == GT_WITH ? &v : dot, n->list);
	else if (n->other)
		r = walk_list(x, dot, n->other);
	x->nvars = mark;
	return r;
}

static int walk_call(struct run *x, const struct gotemplate_value *dot, const struct gt_node *n)
{
	const struct gt_template *caller = x->template, *t = gt_find(x->set->templates, n->text);
	size_t base = x->base, mark;
	struct gotemplate_value v;
	int r;

	x->at = n;
	if (!t) {
		CLEANUP(buf_fini) struct buf name = BUF_INIT(MESSAGE_MAX);

		(void)go_quote(&name, n->text, false);
		return fail(x, "template %s not defined", buf_str(&name));
	}
	r = eval_pipe(x, dot, n->pipe, &v);
	if (r < 0)
		return r;
	mark = x->nvars;
	x->base = mark;
	x->template = t;
	r = push(x, SLICE("$"), &v);
	if (r == 0)
		r = walk_list(x, &v, t->root);
	x->template = caller;
	x->nvars = mark;
	x->base = base;
	return r;
}

/* One round of a loop. */
static int walk_round(struct run *x, const struct gt_node *n, const struct gotemplate_value *index,
		      const struct gotemplate_value *v)
{
	const struct gt_node *decl = n->pipe->decl, *second = decl ? decl->next : NULL;
	size_t mark = x->nvars;
	int r = 0;

	if (decl && n->pipe->assigns) {
		r = assign(x, decl->names[0], second ? index : v);
		if (r == 0 && second)
			r = assign(x, second->names[0], v);
	} else if (decl) {
		x->vars[mark - 1].v = *v;
		if (second)
			x->vars[mark - 2].v = *index;
	}
	if (r == 0)
		r = walk_list(x, v, n->list);
	x->nvars = mark;
	return r == CONTINUE ? GO_ON : r;
}

static int walk_elements(struct run *x, const struct gt_node *n, const struct doc *list)
{
	struct gotemplate_value index = { .type = GOTEMPLATE_INT };
	int r = GO_ON;

	DOC_EACH (e, list) {
		struct gotemplate_value v = boxed(x, e);

		r = walk_round(x, n, &index, &v);
		if (r != GO_ON)
			return r;
		index.i++;
	}
	return r;
}

static int walk_members(struct run *x, const struct gt_node *n, const struct doc *map)
{
	CLEANUP_FREE const struct doc **keys = gt_sorted(map);
	int r = GO_ON;

	for (size_t i = 0; i < doc_len(map) && r == GO_ON; i++) {
		struct gotemplate_value key = { .type = GOTEMPLATE_STRING,
						.s = doc_slice(keys[i]) };
		struct gotemplate_value v = boxed(x, keys[i] + 1);

		r = walk_round(x, n, &key, &v);
	}
	return r;
}

static int walk_count(struct run *x, const struct gt_node *n, const struct gotemplate_value *count)
{
	struct gotemplate_value v = *count;
	int r = GO_ON;

	if (n->pipe->decl && n->pipe->decl->next)
		return fail(x, "can't use %lld to iterate over more than one variable",
			    (long long)count->i);
	for (v.i = 0; v.i < count->i && r == GO_ON; v.i++)
		r = walk_round(x, n, &nothing, &v);
	return r;
}

static int fail_range(struct run *x, const struct gotemplate_value *v)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(MESSAGE_MAX);

	(void)gotemplate_print(v, x->job->flags, &text, NULL);
	return fail(x, "range can't iterate over %s", buf_str(&text));
}

/* 1: there was nothing to walk. */
static int walk_range_in(struct run *x, const struct gt_node *n, const struct gotemplate_value *v)
{
	int r;

	switch (v->type) {
	case GOTEMPLATE_NIL: return 1;
	case GOTEMPLATE_LIST: r = walk_elements(x, n, v->d); return r < 0 ? r : doc_len(v->d) == 0;
	case GOTEMPLATE_MAP: r = walk_members(x, n, v->d); return r < 0 ? r : doc_len(v->d) == 0;
	case GOTEMPLATE_INT:
	case GOTEMPLATE_INT64:
	case GOTEMPLATE_UINT8:
		if (!(x->job->flags & GOTEMPLATE_RANGE_INTS))
			return fail_range(x, v);
		r = walk_count(x, n, v);
		return r < 0 ? r : v->i <= 0;
	default: return fail_range(x, v);
	}
}

static int walk_range(struct run *x, const struct gotemplate_value *dot, const struct gt_node *n)
{
	struct gotemplate_value v;
	size_t mark = x->nvars;
	int r;

	x->at = n;
	r = eval_pipe(x, dot, n->pipe, &v);
	if (r == 0)
		r = walk_range_in(x, n, &v);
	if (r == 1)
		r = n->other ? walk_list(x, dot, n->other) : GO_ON;
	x->nvars = mark;
	return r;
}

static int walk(struct run *x, const struct gotemplate_value *dot, const struct gt_node *n)
{
	x->at = n;
	switch (n->type) {
	case GT_TEXT:
		if (buf_add(x->job->out, n->text.p, n->text.n) < 0)
			return output_full(x);
		return step(x);
	case GT_ACTION: return print_action(x, dot, n);
	case GT_IF:
	case GT_WITH: return walk_branch(x, dot, n);
	case GT_RANGE: return walk_range(x, dot, n);
	case GT_TEMPLATE: return walk_call(x, dot, n);
	case GT_BREAK: return BREAK;
	default: return CONTINUE;
	}
}

/* GO_ON, BREAK, CONTINUE, or an error. */
static int walk_list(struct run *x, const struct gotemplate_value *dot, const struct gt_node *list)
{
	int r = enter(x);

	if (r < 0)
		return r;
	for (const struct gt_node *n = list->first; n && r == GO_ON; n = n->next)
		r = walk(x, dot, n);
	x->depth--;
	return r;
}

int gotemplate_run(const struct gotemplate *set, const struct gotemplate_job *job, struct err *err)
{
	struct err none = ERR_INIT;
	struct run x = { .set = set, .job = job, .err = err ? err : &none };
	struct gotemplate_value dot = gotemplate_value_of(job->data, job->flags);
	int r;

	x.template = gt_find(set->templates, job->name);
	if (!x.template) {
		CLEANUP(buf_fini) struct buf name = BUF_INIT(MESSAGE_MAX);

		(void)go_quote(&name, job->name, false);
		return err_set(err, ERR_NOT_FOUND, "template: no template %s in the set",
			       buf_str(&name));
	}
	x.at = x.template->root;
	r = push(&x, SLICE("$"), &dot);
	return r < 0 ? r : walk_list(&x, &dot, x.template->root);
}
