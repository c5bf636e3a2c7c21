/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a tree to a program: names become variables, calls get their overloads, all parts get types.
 *
 * Open types (of an empty list, of a function's A) are variables that get bound while assignments
 * are tried; what a failed try has bound is undone by the trail.
 */
#include "base/err.h"
#include "expr/cel-private.h"
#include "expr/regex.h"

#include <stdarg.h>
#include <stdio.h>

#define VARS_MAX 100000
/* Types share their parts, so one that is short to write may be very long to walk. */
#define STEPS_MAX 2000000
#define T(kind) (&cel_types[CEL_T_##kind])

struct scope {
	struct slice name;
	uint32_t slot;
	const struct cel_type *type;
};

struct undo {
	uint32_t var;
	const struct cel_type *old;
};

struct check {
	struct cel_prog *p;
	const struct cel_env *env;
	struct arena *a;
	struct err *err;
	int fatal; /* -code: the rest is not looked at */
	unsigned depth, errors;
	bool mixed; /* literals may mix types */
	uint32_t steps;
	const struct cel_type **bound; /* of variables; NULL: open */
	uint32_t vars, vars_cap;
	struct undo *trail;
	uint32_t ntrail, trail_cap;
	struct scope *scopes;
	uint32_t nscopes, scopes_cap, slots;
};

static const struct cel_type *check(struct check *c, struct cel_node *n);

/* ---- errors ---- */

static bool quota(struct check *c)
{
	if (!c->fatal)
		c->fatal = arena_quota(c->a, c->err);
	return false;
}

/* One below the other, as far as there is room. */
static const struct cel_type *report(struct check *c, uint32_t at, const char *fmt, ...)
	PRINTF(3, 4);
static const struct cel_type *report(struct check *c, uint32_t at, const char *fmt, ...)
{
	char text[512];
	struct err one = ERR_INIT;
	va_list ap;
	size_t n, more;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->errors++;
	if (!c->err || c->fatal)
		return T(ERROR);
	(void)cel_error(c->p->ast.text, at, &one, "%s", text);
	if (c->errors == 1) {
		*c->err = one;
		return T(ERROR);
	}
	n = strlen(c->err->msg);
	more = strlen(one.msg);
	if (n + more + 2 < sizeof(c->err->msg)) {
		c->err->msg[n] = '\n';
		memcpy(c->err->msg + n + 1, one.msg, more + 1);
	}
	return T(ERROR);
}

static void *grow(struct check *c, void *p, uint32_t *cap, uint32_t n, size_t size)
{
	if (n < *cap)
		return p;
	p = arena_grow(c->a, p, *cap * size, (*cap * 2 + 16) * size);
	if (!p) {
		(void)quota(c);
		return NULL;
	}
	*cap = *cap * 2 + 16;
	return p;
}

static bool step(struct check *c)
{
	if (++c->steps <= STEPS_MAX)
		return true;
	if (!c->fatal)
		c->fatal = err_set(c->err, ERR_TOO_LARGE,
				   "ERROR: <input>: types of the expression are too large");
	return false;
}

/* ---- open types ---- */

static const struct cel_type *new_var(struct check *c)
{
	struct cel_type *t = ARENA_NEW(c->a, struct cel_type);
	const struct cel_type **bound =
		c->vars < VARS_MAX ? grow(c, c->bound, &c->vars_cap, c->vars, sizeof(*bound))
				   : NULL;

	if (!t || !bound) {
		(void)quota(c);
		return T(DYN);
	}
	c->bound = bound;
	*t = (struct cel_type){ .kind = CEL_T_VAR, .name = "_var", .var = c->vars };
	c->bound[c->vars++] = NULL;
	return t;
}

static void bind(struct check *c, uint32_t var, const struct cel_type *t)
{
	struct undo *trail = grow(c, c->trail, &c->trail_cap, c->ntrail, sizeof(*trail));

	if (!trail)
		return;
	c->trail = trail;
	c->trail[c->ntrail++] = (struct undo){ var, c->bound[var] };
	c->bound[var] = t;
}

static void undo(struct check *c, uint32_t to)
{
	while (c->ntrail > to) {
		c->ntrail--;
		c->bound[c->trail[c->ntrail].var] = c->trail[c->ntrail].old;
	}
}

/* A type with what is known put in; open ones stay, or become dyn. */
static const struct cel_type *resolve(struct check *c, const struct cel_type *t, bool dyn)
{
	const struct cel_type *of[2] = { NULL, NULL };
	struct cel_type *made;

	if (!step(c))
		return T(DYN);
	while (t->kind == CEL_T_VAR && c->bound[t->var])
		t = c->bound[t->var];
	if (t->kind == CEL_T_VAR)
		return dyn ? T(DYN) : t;
	if (!t->of[0])
		return t;
	for (size_t i = 0; i < 2; i++)
		of[i] = t->of[i] ? resolve(c, t->of[i], dyn) : NULL;
	if (of[0] == t->of[0] && of[1] == t->of[1])
		return t;
	made = ARENA_NEW(c->a, struct cel_type);
	if (!made) {
		(void)quota(c);
		return T(DYN);
	}
	*made = *t;
	made->of[0] = of[0];
	made->of[1] = of[1];
	return made;
}

/* A signature's type with variables of this call. */
static const struct cel_type *instance(struct check *c, const struct cel_type *t,
				       const struct cel_type *fresh[2])
{
	struct cel_type *made;

	if (t->kind == CEL_T_VAR) {
		if (!fresh[t->var])
			fresh[t->var] = new_var(c);
		return fresh[t->var];
	}
	if (!t->of[0])
		return t;
	made = ARENA_NEW(c->a, struct cel_type);
	if (!made) {
		(void)quota(c);
		return T(DYN);
	}
	*made = *t;
	made->of[0] = instance(c, t->of[0], fresh);
	made->of[1] = t->of[1] ? instance(c, t->of[1], fresh) : NULL;
	return made;
}

static bool occurs(struct check *c, uint32_t var, const struct cel_type *in)
{
	if (!step(c))
		return true;
	while (in->kind == CEL_T_VAR && c->bound[in->var] && in->var != var)
		in = c->bound[in->var];
	if (in->kind == CEL_T_VAR)
		return in->var == var;
	return (in->of[0] && occurs(c, var, in->of[0])) || (in->of[1] && occurs(c, var, in->of[1]));
}

static bool is_dyn(const struct cel_type *t)
{
	return t->kind == CEL_T_DYN || t->kind == CEL_T_ERROR;
}

/* Is a as general as b, or more so? */
static bool more_general(struct check *c, const struct cel_type *a, const struct cel_type *b)
{
	if (!step(c) || is_dyn(a) || a->kind == CEL_T_VAR)
		return true;
	if (is_dyn(b) || b->kind == CEL_T_VAR || a->kind != b->kind)
		return false;
	if (a->kind == CEL_T_TYPE)
		return true;
	if (a->kind == CEL_T_OBJECT)
		return cel_type_same(a, b);
	for (size_t i = 0; i < 2; i++)
		if (a->of[i] && b->of[i] && !more_general(c, a->of[i], b->of[i]))
			return false;
	return true;
}

static bool unify(struct check *c, const struct cel_type *a, const struct cel_type *b);

/* var := t, or both as what it is already. */
static bool unify_var(struct check *c, const struct cel_type *var, const struct cel_type *t)
{
	const struct cel_type *now = c->bound[var->var];

	if (t->kind == CEL_T_VAR && t->var == var->var)
		return true;
	if (!now) {
		if (occurs(c, var->var, t))
			return false;
		bind(c, var->var, t);
		return true;
	}
	if (!unify(c, t, now))
		return false;
	if (more_general(c, t, now) && !more_general(c, now, t) && !occurs(c, var->var, t))
		bind(c, var->var, t);
	return true;
}

static bool takes_null(const struct cel_type *t)
{
	return t->kind == CEL_T_NULL || t->kind == CEL_T_TIMESTAMP || t->kind == CEL_T_DURATION ||
	       (t->kind >= CEL_T_OBJECT && t->kind != CEL_T_TYPE);
}

/* May a value of type a stand where b is wanted? */
static bool unify(struct check *c, const struct cel_type *a, const struct cel_type *b)
{
	if (!step(c))
		return false;
	if (b->kind == CEL_T_VAR)
		return unify_var(c, b, a);
	if (a->kind == CEL_T_VAR)
		return unify_var(c, a, b);
	if (is_dyn(a) || is_dyn(b))
		return true;
	if (a->kind == CEL_T_NULL)
		return takes_null(b);
	if (b->kind == CEL_T_NULL)
		return takes_null(a);
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case CEL_T_OBJECT: return cel_type_same(a, b);
	case CEL_T_LIST:
	case CEL_T_OPTIONAL: return unify(c, a->of[0], b->of[0]);
	case CEL_T_MAP: return unify(c, a->of[0], b->of[0]) && unify(c, a->of[1], b->of[1]);
	default: return true;
	}
}

static bool assignable(struct check *c, const struct cel_type *a, const struct cel_type *b)
{
	uint32_t trail = c->ntrail;

	if (unify(c, a, b))
		return true;
	undo(c, trail);
	return false;
}

/* The type of what may be of two types: elements of a literal. */
static const struct cel_type *join(struct check *c, const struct cel_node *n,
				   const struct cel_type *before, const struct cel_type *t)
{
	char one[200], two[200];

	if (!before)
		return t;
	if (assignable(c, before, t) && (before->kind == CEL_T_NULL || t->kind == CEL_T_NULL))
		return before->kind == CEL_T_NULL ? t : before;
	if (assignable(c, before, t))
		return more_general(c, before, t) ? before : t;
	if (c->mixed)
		return T(DYN);
	return report(c, n->at, "expected type '%s' but found '%s'",
		      cel_type_text(resolve(c, before, true), one, sizeof(one)),
		      cel_type_text(resolve(c, t, true), two, sizeof(two)));
}

static void want(struct check *c, const struct cel_node *n, const struct cel_type *wanted,
		 const struct cel_type *t)
{
	char one[200], two[200];

	if (!assignable(c, t, wanted))
		(void)report(c, n->at, "expected type '%s' but found '%s'",
			     cel_type_text(resolve(c, wanted, true), one, sizeof(one)),
			     cel_type_text(resolve(c, t, true), two, sizeof(two)));
}

/* ---- names ---- */

static const struct scope *find_local(const struct check *c, struct slice name)
{
	for (uint32_t i = c->nscopes; i > 0; i--)
		if (slice_eq(c->scopes[i - 1].name, name))
			return &c->scopes[i - 1];
	return NULL;
}

static bool push_local(struct check *c, struct slice name, const struct cel_type *t, uint32_t *slot)
{
	struct scope *s = grow(c, c->scopes, &c->scopes_cap, c->nscopes, sizeof(*s));

	if (!s)
		return false;
	c->scopes = s;
	*slot = c->slots++;
	c->p->locals = MAX(c->p->locals, c->slots);
	c->scopes[c->nscopes++] = (struct scope){ name, *slot, t };
	return true;
}

static void pop_locals(struct check *c, uint32_t n)
{
	c->nscopes -= n;
	c->slots -= n;
}

static const struct cel_type *named_type(const struct check *c, struct slice name)
{
	static const struct {
		const char *name;
		uint8_t kind;
	} rows[] = {
		{ "google.protobuf.Timestamp", CEL_T_TIMESTAMP },
		{ "google.protobuf.Duration", CEL_T_DURATION },
		{ "null_type", CEL_T_NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (slice_is(name, rows[i].name))
			return &cel_types[rows[i].kind];
	for (unsigned k = 0; k < CEL_T_VAR; k++)
		if (k != CEL_T_DYN && k != CEL_T_NULL && k != CEL_T_OBJECT &&
		    k != CEL_T_TIMESTAMP && k != CEL_T_DURATION &&
		    slice_is(name, cel_types[k].name))
			return &cel_types[k];
	for (uint32_t i = 0; i < c->env->ntypes; i++)
		if (slice_is(name, c->env->types[i]->name))
			return c->env->types[i];
	return c->env->flags & CEL_ENV_PATCH ? cel_patch_type(name, c->a) : NULL;
}

static bool find_name(struct check *c, struct slice name, struct cel_bound_ident *ret,
		      const struct cel_type **type)
{
	const struct cel_type *t;

	for (uint32_t i = 0; i < c->env->nvars; i++) {
		if (slice_eq(c->env->vars[i].name, name)) {
			*ret = (struct cel_bound_ident){ .is = CEL_IDENT_VAR, .slot = i };
			*type = c->env->vars[i].type;
			return true;
		}
	}
	t = named_type(c, name);
	if (!t)
		return false;
	*ret = (struct cel_bound_ident){ .is = CEL_IDENT_TYPE, .t = t };
	*type = t;
	return true;
}

/* A name, below the container first; -1 of room: never, names are short. */
static bool find_global(struct check *c, struct slice name, struct cel_bound_ident *ret,
			const struct cel_type **type)
{
	struct slice in = slice_str(c->env->container);
	char text[512];

	if (name.n && name.p[0] == '.')
		return find_name(c, slice_of(name.p + 1, name.n - 1), ret, type);
	while (in.n) {
		int n = snprintf(text, sizeof(text), "%.*s.%.*s", (int)in.n, in.p, (int)name.n,
				 name.p);

		if (n > 0 && (size_t)n < sizeof(text) &&
		    find_name(c, slice_of(text, (size_t)n), ret, type))
			return true;
		while (in.n && in.p[in.n - 1] != '.')
			in.n--;
		in.n -= in.n > 0;
	}
	return find_name(c, name, ret, type);
}

static const struct cel_type *put_ident(struct check *c, struct cel_node *n,
					const struct cel_bound_ident *b, const struct cel_type *t)
{
	struct cel_bound_ident *bound = ARENA_NEW(c->a, struct cel_bound_ident);
	struct cel_type *of;

	if (!bound) {
		(void)quota(c);
		return T(ERROR);
	}
	*bound = *b;
	n->kind = CEL_IDENT;
	n->bound = bound;
	if (b->is != CEL_IDENT_TYPE)
		return t;
	of = ARENA_NEW(c->a, struct cel_type);
	if (!of) {
		(void)quota(c);
		return T(ERROR);
	}
	*of = (struct cel_type){ .kind = CEL_T_TYPE, .name = "type", .of = { t } };
	return of;
}

static const struct cel_type *check_ident(struct check *c, struct cel_node *n)
{
	const struct scope *s = find_local(c, n->name);
	struct cel_bound_ident b;
	const struct cel_type *t;

	if (s) {
		b = (struct cel_bound_ident){ .is = CEL_IDENT_LOCAL, .slot = s->slot };
		return put_ident(c, n, &b, s->type);
	}
	if (find_global(c, n->name, &b, &t))
		return put_ident(c, n, &b, t);
	return report(c, n->at, "undeclared reference to '%.*s' (in container '%s')",
		      (int)n->name.n, n->name.p, c->env->container);
}

/* "a.b.c" of a chain of plain names; false when it is none, or too long for a name. */
static bool chain(const struct cel_node *n, char *text, size_t size, struct slice *ret,
		  struct slice *first)
{
	size_t at = size;

	for (;;) {
		if (n->name.n + 1 > at || n->optional)
			return false;
		at -= n->name.n;
		memcpy(text + at, n->name.p, n->name.n);
		if (n->kind == CEL_IDENT)
			break;
		text[--at] = '.';
		n = n->args[0];
		if (n->kind != CEL_IDENT && n->kind != CEL_SELECT)
			return false;
	}
	*first = n->name;
	*ret = slice_of(text + at, size - at);
	return true;
}

static bool is_optional(const struct cel_type *t)
{
	return t->kind == CEL_T_OPTIONAL;
}

static const struct cel_type *optional_of(struct check *c, const struct cel_type *t)
{
	const struct cel_type *o = cel_type_optional(c->a, t);

	if (!o)
		(void)quota(c);
	return o ? o : T(ERROR);
}

/* Type of a field; *name becomes the document's. */
static const struct cel_type *field_type(struct check *c, const struct cel_node *n,
					 const struct cel_type *t, struct slice *name)
{
	struct slice plain = cel_unescape(*name, c->a);
	const struct cel_type *f;

	if (!t->fields)
		return T(DYN);
	f = t->fields->find(t->fields->arg, plain, c->a);
	if (f) {
		*name = plain;
		return f;
	}
	if (arena_exceeded(c->a))
		(void)quota(c);
	return report(c, n->at, "undefined field '%.*s'", (int)name->n, name->p);
}

static const struct cel_type *check_field(struct check *c, struct cel_node *n)
{
	const struct cel_type *t = resolve(c, check(c, n->args[0]), false), *f = T(DYN);
	bool optional = is_optional(t);
	char text[200];

	if (optional)
		t = resolve(c, t->of[0], false);
	switch (t->kind) {
	case CEL_T_MAP: f = resolve(c, t->of[1], false); break;
	case CEL_T_OBJECT: f = field_type(c, n, t, &n->name); break;
	case CEL_T_VAR: (void)assignable(c, T(DYN), t); break;
	case CEL_T_DYN:
	case CEL_T_ERROR: break;
	default:
		(void)report(c, n->at, "type '%s' does not support field selection",
			     cel_type_text(t, text, sizeof(text)));
		break;
	}
	if (n->kind == CEL_HAS)
		return T(BOOL);
	return optional || n->optional ? optional_of(c, f) : f;
}

static const struct cel_type *check_select(struct check *c, struct cel_node *n)
{
	char text[512];
	struct slice name, first;
	struct cel_bound_ident b;
	const struct cel_type *t;

	if (n->kind == CEL_SELECT && chain(n, text, sizeof(text), &name, &first) &&
	    !find_local(c, first) && find_global(c, name, &b, &t))
		return put_ident(c, n, &b, t);
	return check_field(c, n);
}

/* ---- calls ---- */

static const struct cel_function *const *libraries(size_t *n)
{
	static const struct cel_function *const all[] = {
		cel_lib_core, cel_lib_convert,	cel_lib_time, cel_lib_string, cel_lib_format_text,
		cel_lib_list, cel_lib_optional, cel_lib_net,  cel_lib_kube,   cel_lib_authorizer,
	};

	*n = ARRAY_LEN(all);
	return all;
}

#define OVERLOADS_MAX 32

struct overloads {
	const struct cel_function *v[OVERLOADS_MAX];
	uint32_t n;
};

static void find_in(const struct cel_function *f, struct slice name, struct overloads *ret)
{
	for (; f->name; f++)
		if (slice_is(name, f->name) && ret->n < OVERLOADS_MAX)
			ret->v[ret->n++] = f;
}

/* Functions of a name, of any style. */
static void find_functions(const struct check *c, struct slice name, struct overloads *ret)
{
	size_t n;
	const struct cel_function *const *all = libraries(&n);

	ret->n = 0;
	for (size_t i = 0; i < n; i++)
		find_in(all[i], name, ret);
	if (c->env->flags & CEL_ENV_PATCH)
		find_in(cel_lib_patch, name, ret);
}

static void print_types(struct check *c, const struct cel_node *n, const struct cel_type **t,
			char *dst, size_t size)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(size - 1);
	char one[160];

	if (n->target)
		(void)buf_addf(&b, "%s.", cel_type_text(resolve(c, t[0], true), one, sizeof(one)));
	(void)buf_addc(&b, '(');
	for (uint32_t first = n->target ? 1 : 0, i = first; i < n->n && i < CEL_ARGS_MAX + 2; i++)
		(void)buf_addf(&b, "%s%s", i > first ? ", " : "",
			       cel_type_text(resolve(c, t[i], true), one, sizeof(one)));
	(void)buf_addc(&b, ')');
	(void)str_copy(dst, size, buf_str(&b)); /* cut is fine in a message */
}

static bool overload_fits(struct check *c, const struct cel_function *f, const struct cel_type **t,
			  const struct cel_type **ret)
{
	const struct cel_type *fresh[2] = { NULL, NULL };
	uint32_t trail = c->ntrail;

	for (uint32_t i = 0; i < f->n; i++) {
		if (!unify(c, t[i], instance(c, f->args[i], fresh))) {
			undo(c, trail);
			return false;
		}
	}
	*ret = resolve(c, instance(c, f->ret, fresh), false);
	return true;
}

/* Text of an argument that is a literal. */
static const struct cel_node *literal(const struct cel_node *n, uint32_t i)
{
	return i < n->n && n->args[i]->kind == CEL_STRING ? n->args[i] : NULL;
}

/* Patterns, times and durations that are literals must be good ones: found now, not in each run. */
static bool check_literals(struct check *c, const struct cel_node *n, struct cel_bound_call *b)
{
	bool matches = slice_is(n->name, "matches") || slice_is(n->name, "find") ||
		       slice_is(n->name, "findAll");
	const struct cel_node *text = literal(n, matches ? 1 : 0);
	struct cel_value v;
	struct err err = ERR_INIT;

	if (!text)
		return true;
	if (matches && b->v[0]->args[0]->kind == CEL_T_STRING) {
		if (regex_compile(text->s, c->a, &b->regex, &err) < 0) {
			(void)report(c, text->at, "invalid matches argument: %s", err.msg);
			return false;
		}
	} else if (slice_is(n->name, "timestamp") && cel_time_parse(text->s, &v) < 0) {
		(void)report(c, text->at, "invalid timestamp argument");
		return false;
	} else if (slice_is(n->name, "duration") && cel_duration_parse(text->s, &v) < 0) {
		(void)report(c, text->at, "invalid duration argument");
		return false;
	}
	return true;
}

static const struct cel_type *check_overloads(struct check *c, struct cel_node *n,
					      const struct overloads *all)
{
	const struct cel_type *t[CEL_ARGS_MAX + 2] = { NULL }, *ret = NULL, *one = NULL;
	struct cel_bound_call *b = ARENA_NEW(c->a, struct cel_bound_call);
	const struct cel_function **v = ARENA_ARRAY(c->a, const struct cel_function *, all->n + 1);
	char signature[512];

	if (!b || !v) {
		(void)quota(c);
		return T(ERROR);
	}
	*b = (struct cel_bound_call){ .v = v };
	for (uint32_t i = 0; i < n->n; i++)
		*(i < ARRAY_LEN(t) ? &t[i] : &one) = n->args[i]->type;
	for (uint32_t i = 0; i < all->n; i++) {
		const struct cel_function *f = all->v[i];

		if (f->n != n->n || f->member != n->target || !overload_fits(c, f, t, &one))
			continue;
		v[b->n++] = f;
		if (!ret)
			ret = one;
		else if (!is_dyn(ret) && !cel_type_same(ret, one))
			ret = T(DYN);
	}
	n->bound = b;
	if (n->target && (slice_is(n->name, "or") || slice_is(n->name, "orValue")))
		b->op = CEL_OP_ELSE;
	if (ret)
		return check_literals(c, n, b) ? ret : T(ERROR);
	print_types(c, n, t, signature, sizeof(signature));
	return report(c, n->at, "found no matching overload for '%.*s' applied to '%s'",
		      (int)n->name.n, n->name.p, signature);
}

static const struct cel_type *check_logic(struct check *c, struct cel_node *n, enum cel_op op)
{
	struct cel_bound_call *b = ARENA_NEW(c->a, struct cel_bound_call);

	if (!b) {
		(void)quota(c);
		return T(ERROR);
	}
	b->op = op;
	n->bound = b;
	for (uint32_t i = 0; i < n->n; i++)
		want(c, n->args[i], T(BOOL), n->args[i]->type);
	return T(BOOL);
}

static const struct cel_type *check_ternary(struct check *c, struct cel_node *n)
{
	struct cel_bound_call *b = ARENA_NEW(c->a, struct cel_bound_call);
	const struct cel_type *t[3], *var = new_var(c);
	uint32_t trail = c->ntrail;
	char text[512];

	if (!b) {
		(void)quota(c);
		return T(ERROR);
	}
	b->op = CEL_OP_IF;
	n->bound = b;
	for (size_t i = 0; i < 3; i++)
		t[i] = n->args[i]->type;
	if (unify(c, t[0], T(BOOL)) && unify(c, t[1], var) && unify(c, t[2], var))
		return resolve(c, var, false);
	undo(c, trail);
	print_types(c, n, t, text, sizeof(text));
	return report(c, n->at, "found no matching overload for '_?_:_' applied to '%s'", text);
}

/* "a.b.f" as one function's name: the target is no value then. */
static bool check_namespaced(struct check *c, struct cel_node *n, struct overloads *all)
{
	char text[512];
	struct slice name, first;
	size_t at;

	if (!n->target || (n->args[0]->kind != CEL_IDENT && n->args[0]->kind != CEL_SELECT) ||
	    !chain(n->args[0], text, sizeof(text) - n->name.n - 1, &name, &first) ||
	    n->name.n > 100 || find_local(c, first))
		return false;
	at = (size_t)(name.p - text) + name.n;
	text[at] = '.';
	memcpy(text + at + 1, n->name.p, n->name.n);
	name = slice_of(name.p, name.n + 1 + n->name.n);
	if (name.p[0] == '.')
		name = slice_of(name.p + 1, name.n - 1);
	find_functions(c, name, all);
	if (!all->n)
		return false;
	n->name = slice_str(all->v[0]->name);
	n->args++;
	n->n--;
	n->target = false;
	return true;
}

static const struct cel_type *check_call(struct check *c, struct cel_node *n)
{
	struct overloads all;
	bool mixed = c->mixed;

	if (!check_namespaced(c, n, &all))
		find_functions(c,
			       n->name.n && n->name.p[0] == '.'
				       ? slice_of(n->name.p + 1, n->name.n - 1)
				       : n->name,
			       &all);
	c->mixed = mixed || (n->target && slice_is(n->name, "format"));
	for (uint32_t i = 0; i < n->n; i++)
		(void)check(c, n->args[i]);
	c->mixed = mixed;
	if (c->fatal)
		return T(ERROR);
	if (slice_is(n->name, "_&&_") || slice_is(n->name, "_||_"))
		return check_logic(c, n, n->name.p[1] == '&' ? CEL_OP_AND : CEL_OP_OR);
	if (slice_is(n->name, "_?_:_"))
		return check_ternary(c, n);
	if (!all.n)
		return report(c, n->at, "undeclared reference to '%.*s' (in container '%s')",
			      (int)n->name.n, n->name.p, c->env->container);
	return check_overloads(c, n, &all);
}

static const struct cel_type *check_index(struct check *c, struct cel_node *n)
{
	static const struct cel_function rows[] = {
		{ .args = { &cel_list_a, &cel_types[CEL_T_INT] }, .ret = &cel_var_a, .n = 2 },
		{ .args = { &cel_map_ab, &cel_var_a }, .ret = &cel_var_b, .n = 2 },
	};
	const struct cel_type *t[CEL_ARGS_MAX], *ret = NULL, *one;
	char text[512];
	bool optional;

	t[0] = resolve(c, check(c, n->args[0]), false);
	t[1] = check(c, n->args[1]);
	optional = is_optional(t[0]);
	if (optional)
		t[0] = t[0]->of[0];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (overload_fits(c, &rows[i], t, &one))
			ret = !ret || (!is_dyn(ret) && cel_type_same(ret, one)) ? one : T(DYN);
	}
	if (ret)
		return optional || n->optional ? optional_of(c, ret) : ret;
	print_types(c, n, t, text, sizeof(text));
	return report(c, n->at, "found no matching overload for '%s' applied to '%s'",
		      n->optional ? "_[?_]" : "_[_]", text);
}

/* ---- literals ---- */

/* The type inside of an element that was written with "?". */
static const struct cel_type *unwrap(struct check *c, const struct cel_node *n,
				     const struct cel_type *t)
{
	char one[200];

	t = resolve(c, t, false);
	if (is_optional(t))
		return t->of[0];
	if (!is_dyn(t))
		(void)report(c, n->at, "expected type 'optional_type(%s)' but found '%s'",
			     cel_type_text(t, one, sizeof(one)), one);
	return t;
}

static bool constant(const struct cel_node *n, struct cel_value *ret)
{
	switch ((enum cel_node_kind)n->kind) {
	case CEL_NULL: *ret = cel_null(); return true;
	case CEL_BOOL: *ret = cel_bool(n->b); return true;
	case CEL_INT: *ret = cel_int(n->i); return true;
	case CEL_UINT: *ret = cel_uint(n->u); return true;
	case CEL_DOUBLE: *ret = cel_double(n->d); return true;
	case CEL_STRING: *ret = cel_string(n->s); return true;
	case CEL_BYTES: *ret = cel_bytes(n->s.p, n->s.n); return true;
	default: return false;
	}
}

/* A list of constants is made once. */
static void fold_list(struct check *c, struct cel_node *n)
{
	struct cel_value *v;

	if (n->optionals || !n->n)
		return;
	v = ARENA_ARRAY(c->a, struct cel_value, n->n);
	if (!v) {
		(void)quota(c);
		return;
	}
	for (uint32_t i = 0; i < n->n; i++)
		if (!constant(n->args[i], &v[i]))
			return;
	n->bound = v;
}

static const struct cel_type *check_list(struct check *c, struct cel_node *n)
{
	const struct cel_type *of = NULL, *t;

	for (uint32_t i = 0; i < n->n && !c->fatal; i++) {
		t = check(c, n->args[i]);
		if (n->optionals && n->optionals[i])
			t = unwrap(c, n->args[i], t);
		of = join(c, n->args[i], of, t);
	}
	t = cel_type_list(c->a, of ? of : new_var(c));
	if (!t)
		(void)quota(c);
	fold_list(c, n);
	return t ? t : T(ERROR);
}

static const struct cel_type *check_map(struct check *c, struct cel_node *n)
{
	const struct cel_type *key = NULL, *value = NULL, *t;

	for (uint32_t i = 0; i + 1 < n->n && !c->fatal; i += 2) {
		key = join(c, n->args[i], key, check(c, n->args[i]));
		t = check(c, n->args[i + 1]);
		if (n->optionals && n->optionals[i / 2])
			t = unwrap(c, n->args[i + 1], t);
		value = join(c, n->args[i + 1], value, t);
	}
	t = cel_type_map(c->a, key ? key : new_var(c), value ? value : new_var(c));
	if (!t)
		(void)quota(c);
	return t ? t : T(ERROR);
}

static const struct cel_type *check_struct(struct check *c, struct cel_node *n)
{
	struct cel_bound_ident b;
	const struct cel_type *t, *f, *v;
	char one[200], two[200];

	if (!find_global(c, n->name, &b, &t))
		return report(c, n->at, "undeclared reference to '%.*s' (in container '%s')",
			      (int)n->name.n, n->name.p, c->env->container);
	if (b.is != CEL_IDENT_TYPE)
		return report(c, n->at, "'%s' is not a type", t->name);
	if (t->kind != CEL_T_OBJECT)
		return report(c, n->at, "'%s' is not a message type", t->name);
	for (uint32_t i = 0; i < n->n && !c->fatal; i++) {
		f = field_type(c, n->args[i], t, &n->fields[i]);
		v = check(c, n->args[i]);
		if (n->optionals && n->optionals[i])
			v = unwrap(c, n->args[i], v);
		if (!assignable(c, v, f))
			(void)report(c, n->args[i]->at,
				     "expected type of field '%.*s' is '%s' but provided type is "
				     "'%s'",
				     (int)n->fields[i].n, n->fields[i].p,
				     cel_type_text(f, one, sizeof(one)),
				     cel_type_text(resolve(c, v, true), two, sizeof(two)));
	}
	return t;
}

/* ---- macros ---- */

/* Types of the variables of a fold over a range. */
static void range_types(struct check *c, const struct cel_node *n, const struct cel_type *range,
			const struct cel_type *t[2])
{
	bool two = n->vars[1].n > 0;
	char text[200];

	switch (range->kind) {
	case CEL_T_LIST:
		t[0] = two ? T(INT) : range->of[0];
		t[1] = range->of[0];
		return;
	case CEL_T_MAP:
		t[0] = range->of[0];
		t[1] = range->of[1];
		return;
	case CEL_T_VAR:
		(void)assignable(c, T(DYN), range);
		t[0] = t[1] = T(DYN);
		return;
	case CEL_T_DYN:
	case CEL_T_ERROR: t[0] = t[1] = T(DYN); return;
	default:
		t[0] = t[1] = T(ERROR);
		(void)report(c, n->args[0]->at,
			     "expression of type '%s' cannot be range of a comprehension (must be "
			     "list, map, or dynamic)",
			     cel_type_text(range, text, sizeof(text)));
		return;
	}
}

static const struct cel_type *list_of(struct check *c, const struct cel_type *t)
{
	const struct cel_type *l = cel_type_list(c->a, t);

	if (!l)
		(void)quota(c);
	return l ? l : T(ERROR);
}

/* A range that must be an optional: the type in it. */
static const struct cel_type *optional_range(struct check *c, const struct cel_node *n,
					     const struct cel_type *range)
{
	char text[200];

	if (is_optional(range))
		return range->of[0];
	if (is_dyn(range) || range->kind == CEL_T_VAR)
		return T(DYN);
	return report(c, n->at, "found no matching overload for 'hasValue' applied to '%s.()'",
		      cel_type_text(range, text, sizeof(text)));
}

static bool is_comparable(const struct cel_type *t)
{
	return (t->kind >= CEL_T_BOOL && t->kind <= CEL_T_DURATION) || is_dyn(t) ||
	       t->kind == CEL_T_VAR;
}

static const struct cel_type *entry_type(struct check *c, const struct cel_node *n,
					 const struct cel_type *t)
{
	char text[200];

	t = resolve(c, t, false);
	if (t->kind == CEL_T_MAP || is_dyn(t))
		return t->kind == CEL_T_MAP ? t : T(MAP);
	return report(c, n->at, "expected type 'map(dyn, dyn)' but found '%s'",
		      cel_type_text(t, text, sizeof(text)));
}

static const struct cel_type *fold_type(struct check *c, const struct cel_node *n,
					const struct cel_type *range, const struct cel_type *of[2],
					const struct cel_type *t)
{
	const struct cel_type *ret;
	char text[200];

	switch ((enum cel_fold)n->fold) {
	case CEL_ALL:
	case CEL_EXISTS:
	case CEL_EXISTS_ONE: return T(BOOL);
	case CEL_FILTER: return list_of(c, of[0]);
	case CEL_MAP_LIST:
	case CEL_TRANSFORM_LIST: return list_of(c, t);
	case CEL_TRANSFORM_MAP: ret = cel_type_map(c->a, of[0], t); return ret ? ret : T(ERROR);
	case CEL_TRANSFORM_ENTRY: return entry_type(c, n->args[2], t);
	case CEL_OPT_MAP: return optional_of(c, t);
	case CEL_OPT_FLAT_MAP:
		t = resolve(c, t, false);
		if (is_optional(t) || is_dyn(t))
			return is_optional(t) ? t : T(OPTIONAL);
		return report(c, n->args[2]->at,
			      "expected type 'optional_type(dyn)' but found '%s'",
			      cel_type_text(t, text, sizeof(text)));
	case CEL_SORT_BY:
		t = resolve(c, t, false);
		if (!is_comparable(t) || (range->kind != CEL_T_LIST && !is_dyn(range)))
			return report(c, n->at,
				      "found no matching overload for 'sortBy' applied to keys of "
				      "type '%s'",
				      cel_type_text(t, text, sizeof(text)));
		return range->kind == CEL_T_LIST ? range : T(LIST);
	}
	return T(ERROR);
}

static const struct cel_type *check_fold(struct check *c, struct cel_node *n)
{
	const struct cel_type *range = resolve(c, check(c, n->args[0]), false), *of[2], *t = NULL;
	bool opt = n->fold == CEL_OPT_MAP || n->fold == CEL_OPT_FLAT_MAP;
	uint32_t nvars = n->vars[1].n ? 2 : 1, slot = 0, *slots;

	if (opt)
		of[0] = of[1] = optional_range(c, n, range);
	else
		range_types(c, n, range, of);
	slots = ARENA_NEW(c->a, uint32_t);
	if (!slots || c->fatal) {
		(void)quota(c);
		return T(ERROR);
	}
	for (uint32_t i = 0; i < nvars; i++) {
		if (!push_local(c, n->vars[i], of[i], &slot))
			return T(ERROR);
		if (i == 0)
			*slots = slot; /* the second is the next */
	}
	n->bound = slots;
	if (n->args[1])
		want(c, n->args[1], T(BOOL), check(c, n->args[1]));
	if (n->args[2])
		t = check(c, n->args[2]);
	pop_locals(c, nvars);
	return c->fatal ? T(ERROR) : fold_type(c, n, range, of, t);
}

static const struct cel_type *check_bind(struct check *c, struct cel_node *n)
{
	const struct cel_type *t = check(c, n->args[0]);
	uint32_t *slot = ARENA_NEW(c->a, uint32_t);

	if (!slot || c->fatal) {
		(void)quota(c);
		return T(ERROR);
	}
	if (!push_local(c, n->vars[0], t, slot))
		return T(ERROR);
	n->bound = slot;
	t = check(c, n->args[1]);
	pop_locals(c, 1);
	return t;
}

static const struct cel_type *check_node(struct check *c, struct cel_node *n)
{
	switch ((enum cel_node_kind)n->kind) {
	case CEL_NULL: return T(NULL);
	case CEL_BOOL: return T(BOOL);
	case CEL_INT: return T(INT);
	case CEL_UINT: return T(UINT);
	case CEL_DOUBLE: return T(DOUBLE);
	case CEL_STRING: return T(STRING);
	case CEL_BYTES: return T(BYTES);
	case CEL_IDENT: return check_ident(c, n);
	case CEL_SELECT:
	case CEL_HAS: return check_select(c, n);
	case CEL_INDEX: return check_index(c, n);
	case CEL_CALL: return check_call(c, n);
	case CEL_LIST: return check_list(c, n);
	case CEL_MAP: return check_map(c, n);
	case CEL_STRUCT: return check_struct(c, n);
	case CEL_FOLD: return check_fold(c, n);
	case CEL_BIND: return check_bind(c, n);
	}
	return T(ERROR);
}

static const struct cel_type *check(struct check *c, struct cel_node *n)
{
	if (c->fatal)
		return T(ERROR);
	if (++c->depth > CEL_TREE_MAX) {
		c->fatal = err_set(c->err, ERR_TOO_LARGE,
				   "ERROR: <input>: expression recursion limit exceeded: %d",
				   CEL_TREE_MAX);
		return T(ERROR);
	}
	n->type = check_node(c, n);
	c->depth--;
	return n->type;
}

/* Each node is put into the tree once, but for what macros share. */
static void close_types(struct check *c, struct cel_node *n)
{
	if (!n)
		return;
	n->type = resolve(c, n->type ? n->type : T(DYN), true);
	for (uint32_t i = 0; i < n->n; i++)
		close_types(c, n->args[i]);
}

int cel_check(struct cel_prog *p, struct arena *a, struct err *err)
{
	struct err own = ERR_INIT;
	struct check c = { .p = p,
			   .env = p->env,
			   .a = a,
			   .err = err ? err : &own,
			   .mixed = p->env->flags & CEL_ENV_MIXED };

	(void)check(&c, p->ast.root);
	if (!c.fatal && !c.errors)
		close_types(&c, p->ast.root);
	if (c.fatal)
		return c.fatal;
	if (c.errors)
		return -ERR_INVALID;
	p->type = p->ast.root->type;
	return 0;
}
