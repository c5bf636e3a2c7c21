/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs run: a walk over the checked tree.
 *
 * A step that fails says so in the run and gives false; && || and the macros made of them may
 * absorb that. What is fatal (cost, memory) is absorbed by nothing. Each step is charged as
 * cel-go does; see cel-cost.c for calls.
 */
#include "base/err.h"
#include "expr/cel-private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define COST_LIST 10
#define COST_MAP 30
#define COST_STRUCT 40

/* ---- failures ---- */

bool cel_fail(struct cel_run *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(r->failure.msg, sizeof(r->failure.msg), fmt, ap);
	va_end(ap);
	r->failure.at = r->at;
	return false;
}

bool cel_no_overload(struct cel_run *r)
{
	return cel_fail(r, "no such overload");
}

bool cel_quota(struct cel_run *r)
{
	r->fatal = ERR_QUOTA;
	return false;
}

bool cel_cancel(struct cel_run *r)
{
	r->fatal = ERR_TOO_LARGE;
	return false;
}

/* ---- names and fields ---- */

static bool eval_ident(struct cel_run *r, const struct cel_node *n, struct cel_value *ret)
{
	const struct cel_bound_ident *b = n->bound;

	switch ((enum cel_ident)b->is) {
	case CEL_IDENT_LOCAL:
		*ret = r->locals[b->slot];
		if (ret->kind == CEL_T_ERROR) { /* see eval_bind */
			r->failure = *(const struct cel_failure *)ret->p;
			return false;
		}
		break;
	case CEL_IDENT_TYPE:
		*ret = (struct cel_value){ .kind = CEL_T_TYPE, .t = b->t };
		return true;
	case CEL_IDENT_VAR:
		if (b->slot >= r->vars->n || r->vars->v[b->slot].kind == CEL_T_DYN) {
			r->at = n->at;
			return cel_fail(r, "no such attribute(s): %.*s", (int)n->name.n, n->name.p);
		}
		*ret = r->vars->v[b->slot];
		break;
	}
	return cel_charge(r, 1);
}

static bool no_such_key(struct cel_run *r, const struct cel_node *n, struct slice name)
{
	r->at = n->at;
	return cel_fail(r, "no such key: %.*s", (int)MIN(name.n, (size_t)100), name.p);
}

/* Wraps what was found; found 0: nothing. */
static bool wrap(struct cel_run *r, int found, struct cel_value *ret)
{
	bool ok = true;

	if (found < 0)
		return false;
	*ret = found ? cel_some(r, ret, &ok) : cel_none();
	return ok;
}

/* A field whose type the checker knows is not asked for it again. */
static int field(struct cel_run *r, const struct cel_node *n, const struct cel_value *v,
		 struct cel_value *ret)
{
	const struct cel_type *t = n->args[0]->type;
	const struct doc *d;

	if (v->rep == CEL_REP_DOC && v->kind == CEL_T_OBJECT && n->kind == CEL_SELECT &&
	    !n->optional && t->kind == CEL_T_OBJECT) {
		d = doc_getn(v->doc, n->name);
		if (!cel_work(r, v->doc->n / 4))
			return -1;
		if (!d)
			return 0;
		return cel_from_doc(r, d, n->type, ret) ? 1 : -1;
	}
	/* The static type is dyn, but the value's own type may still have the field escaped. */
	if (v->kind == CEL_T_OBJECT && v->type && t->kind != CEL_T_OBJECT)
		return cel_field(r, v, cel_unescape(n->name, r->a), ret);
	return cel_field(r, v, n->name, ret);
}

/* What an optional holds; false: nothing. What is found in it is optional, too. */
static bool open_optional(struct cel_value *v, bool *optional)
{
	if (v->kind != CEL_T_OPTIONAL)
		return true;
	if (!v->opt)
		return false;
	*v = *v->opt;
	*optional = true;
	return true;
}

static bool eval_select(struct cel_run *r, const struct cel_node *n, struct cel_value *ret)
{
	struct cel_value v;
	bool optional = n->optional;
	int found;

	if (!cel_eval(r, n->args[0], &v) || !cel_charge(r, 1))
		return false;
	r->at = n->at;
	if (!open_optional(&v, &optional)) {
		*ret = v;
		return true;
	}
	if (v.kind != CEL_T_MAP && v.kind != CEL_T_OBJECT)
		return no_such_key(r, n, n->name);
	found = field(r, n, &v, ret);
	if (optional)
		return wrap(r, found, ret);
	return found == 0 ? no_such_key(r, n, n->name) : found > 0;
}

static bool eval_has(struct cel_run *r, const struct cel_node *n, struct cel_value *ret)
{
	struct cel_value v;
	int found = 0;

	if (!cel_eval(r, n->args[0], &v))
		return false;
	r->at = n->at;
	if (v.kind == CEL_T_OPTIONAL) {
		if (!v.opt) {
			*ret = cel_bool(false);
			return true;
		}
		v = *v.opt;
	}
	if (v.kind != CEL_T_MAP && v.kind != CEL_T_OBJECT)
		return no_such_key(r, n, n->name);
	if (v.kind == CEL_T_OBJECT && v.type && n->args[0]->type->kind != CEL_T_OBJECT)
		found = cel_field(r, &v, cel_unescape(n->name, r->a), NULL);
	else
		found = cel_field(r, &v, n->name, NULL);
	*ret = cel_bool(found > 0);
	return found >= 0;
}

/* A whole number as an index, of any numeric type. */
static bool as_index(const struct cel_value *k, int64_t *ret)
{
	if (k->kind == CEL_T_INT)
		*ret = k->i;
	else if (k->kind == CEL_T_UINT)
		*ret = k->u > INT64_MAX ? INT64_MAX : (int64_t)k->u;
	else if (k->kind == CEL_T_DOUBLE && k->d >= -1e15 && k->d <= 1e15 &&
		 (double)(int64_t)k->d == k->d)
		*ret = (int64_t)k->d;
	else
		return false;
	return true;
}

static int index_value(struct cel_run *r, const struct cel_value *v, const struct cel_value *key,
		       struct cel_value *ret)
{
	int64_t i;

	if (v->kind == CEL_T_LIST) {
		if (!as_index(key, &i)) {
			(void)cel_fail(r, "unsupported index type '%s' in list",
				       cel_types[key->kind].name);
			return -1;
		}
		if (i < 0 || i >= (int64_t)v->n)
			return 0;
		return cel_list_at(r, v, (size_t)i, ret) ? 1 : -1;
	}
	if (v->kind == CEL_T_MAP || (v->kind == CEL_T_OBJECT && key->kind == CEL_T_STRING))
		return cel_lookup(r, v, key, ret);
	(void)cel_no_overload(r);
	return -1;
}

static bool eval_index(struct cel_run *r, const struct cel_node *n, struct cel_value *ret)
{
	struct cel_value v, key;
	bool optional = n->optional;
	char text[256];
	int found;

	if (!cel_eval(r, n->args[0], &v) || !cel_eval(r, n->args[1], &key) || !cel_charge(r, 1))
		return false;
	r->at = n->at;
	if (!open_optional(&v, &optional)) {
		*ret = v;
		return true;
	}
	found = index_value(r, &v, &key, ret);
	if (optional)
		return wrap(r, found, ret);
	if (found == 0)
		return cel_fail(
			r, v.kind == CEL_T_LIST ? "index out of bounds: %s" : "no such key: %s",
			cel_value_text(&key, text, sizeof(text)));
	return found > 0;
}

/* ---- literals ---- */

/* What an element with "?" adds: 1, nothing: 0; -1: it is no optional. */
static int take_optional(struct cel_run *r, struct cel_value *v)
{
	if (v->kind != CEL_T_OPTIONAL) {
		(void)cel_fail(r,
			       "cannot initialize optional list element from non-optional value");
		return -1;
	}
	if (!v->opt)
		return 0;
	*v = *v->opt;
	return 1;
}

static bool eval_list(struct cel_run *r, const struct cel_node *n, struct cel_value *ret)
{
	struct cel_value *v;
	uint32_t count = 0;

	if (n->bound) { /* all constant: free, as cel-go's optimizer makes it */
		*ret = cel_list_value(n->bound, n->n);
		return true;
	}
	v = ARENA_ARRAY(r->a, struct cel_value, n->n);
	if (!v)
		return cel_quota(r);
	for (uint32_t i = 0; i < n->n; i++) {
		int take = 1;

		if (!cel_eval(r, n->args[i], &v[count]))
			return false;
		r->at = n->args[i]->at;
		if (n->optionals && n->optionals[i])
			take = take_optional(r, &v[count]);
		if (take < 0)
			return false;
		count += (uint32_t)take;
	}
	*ret = cel_list_value(v, count);
	return n->n == 0 || cel_charge(r, COST_LIST);
}

static bool eval_map(struct cel_run *r, const struct cel_node *n, struct cel_value *ret)
{
	struct cel_map *m = cel_map_new(r, n->n / 2);

	if (!m)
		return false;
	for (uint32_t i = 0; i + 1 < n->n; i += 2) {
		struct cel_value key, value;
		char text[256];
		int take = 1;

		if (!cel_eval(r, n->args[i], &key) || !cel_eval(r, n->args[i + 1], &value))
			return false;
		r->at = n->args[i]->at;
		if (n->optionals && n->optionals[i / 2])
			take = take_optional(r, &value);
		if (take > 0)
			take = cel_map_add(r, m, &key, &value) - 1;
		else if (take == 0)
			continue;
		if (take == -1)
			return cel_fail(r, "Failed with repeated key: %s",
					cel_value_text(&key, text, sizeof(text)));
		if (take < 0)
			return false;
	}
	*ret = cel_map_value(m);
	return cel_charge(r, COST_MAP);
}

static bool eval_struct(struct cel_run *r, const struct cel_node *n, struct cel_value *ret)
{
	struct cel_map *m = cel_map_new(r, n->n);

	if (!m)
		return false;
	for (uint32_t i = 0; i < n->n; i++) {
		struct cel_value key = cel_string(n->fields[i]), value;
		int take = 1;

		if (!cel_eval(r, n->args[i], &value))
			return false;
		r->at = n->args[i]->at;
		if (n->optionals && n->optionals[i])
			take = take_optional(r, &value);
		if (take < 0 || (take > 0 && cel_map_add(r, m, &key, &value) < 0))
			return false;
	}
	*ret = cel_map_value(m);
	ret->kind = CEL_T_OBJECT;
	ret->type = n->type;
	return cel_charge(r, COST_STRUCT);
}

/* ---- calls ---- */

/* && and ||: one that decides is enough, wherever an error stands. */
static bool eval_logic(struct cel_run *r, const struct cel_node *n, bool decides,
		       struct cel_value *ret)
{
	struct cel_failure first ERR_RAW;
	bool failed = false;

	for (uint32_t i = 0; i < n->n; i++) {
		bool ok = cel_eval(r, n->args[i], ret);

		if (r->fatal)
			return false;
		if (ok && ret->kind == CEL_T_BOOL) {
			if (ret->b == decides)
				return true;
			continue;
		}
		if (ok) {
			r->at = n->args[i]->at;
			(void)cel_no_overload(r);
		}
		if (!failed)
			first = r->failure;
		failed = true;
	}
	if (failed) {
		r->failure = first;
		return false;
	}
	*ret = cel_bool(!decides);
	return true;
}

/* A name that a ternary chooses costs nothing in cel-go. */
static bool eval_branch(struct cel_run *r, const struct cel_node *n, struct cel_value *ret)
{
	if (!cel_eval(r, n, ret))
		return false;
	if (n->kind == CEL_IDENT && r->cost)
		r->cost--;
	return true;
}

static bool eval_if(struct cel_run *r, const struct cel_node *n, struct cel_value *ret)
{
	struct cel_value v;

	if (!cel_eval(r, n->args[0], &v))
		return false;
	if (v.kind != CEL_T_BOOL) {
		r->at = n->at;
		return cel_no_overload(r);
	}
	return eval_branch(r, n->args[v.b ? 1 : 2], ret);
}

static bool kind_fits(const struct cel_type *t, const struct cel_value *v)
{
	return t->kind == CEL_T_DYN || t->kind == CEL_T_VAR || t->kind == v->kind ||
	       (t->kind == CEL_T_MAP && v->kind == CEL_T_OBJECT && v->rep != CEL_REP_CALL);
}

static bool eval_call(struct cel_run *r, const struct cel_node *n, struct cel_value *ret)
{
	const struct cel_bound_call *b = n->bound;
	struct cel_value args[CEL_ARGS_MAX] ERR_RAW;

	if (b->op == CEL_OP_AND || b->op == CEL_OP_OR)
		return eval_logic(r, n, b->op == CEL_OP_OR, ret);
	if (b->op == CEL_OP_IF)
		return eval_if(r, n, ret);
	for (uint32_t i = 0; i < n->n; i++) {
		if (!cel_eval(r, n->args[i], &args[i]))
			return false;
		if (b->op == CEL_OP_ELSE && args[0].kind == CEL_T_OPTIONAL && args[0].opt) {
			*ret = n->name.n == 2 ? args[0] : *args[0].opt;
			return cel_charge(r, 1);
		}
	}
	r->at = n->at;
	r->regex = b->regex;
	for (uint32_t i = 0; i < b->n; i++) {
		const struct cel_function *f = b->v[i];
		uint32_t k = 0;

		while (k < f->n && kind_fits(f->args[k], &args[k]))
			k++;
		if (k < f->n)
			continue;
		return f->fn(r, args, ret) && cel_charge_call(r, f, args, ret);
	}
	return cel_no_overload(r);
}

/* ---- macros ---- */

struct fold {
	const struct cel_node *n;
	struct cel_value range;
	uint32_t i;
	struct cel_value *vars; /* its locals */
	bool two;
};

/* Puts the next element into the variables. */
static bool fold_next(struct cel_run *r, struct fold *f)
{
	struct cel_value key;

	if (f->range.kind == CEL_T_LIST) {
		if (f->two)
			f->vars[0] = cel_int(f->i);
		return cel_list_at(r, &f->range, f->i++, &f->vars[f->two]);
	}
	if (!cel_map_at(r, &f->range, f->i++, &key, f->two ? &f->vars[1] : NULL))
		return false;
	f->vars[0] = key;
	return true;
}

/* A condition: 1, 0, or -1 with the failure. */
static int holds(struct cel_run *r, const struct cel_node *n)
{
	struct cel_value v;

	if (!n)
		return 1;
	if (!cel_eval(r, n, &v))
		return -1;
	if (v.kind == CEL_T_BOOL)
		return v.b;
	r->at = n->at;
	(void)cel_no_overload(r);
	return -1;
}

/* all, exists: costs as the && or || that cel-go writes them as. */
static bool fold_logic(struct cel_run *r, struct fold *f, struct cel_value *ret)
{
	bool decides = f->n->fold == CEL_EXISTS, failed = false;
	struct cel_failure first ERR_RAW;

	while (f->i < f->range.n) {
		int h;

		if (!cel_charge(r, decides ? 4 : 3))
			return false;
		h = fold_next(r, f) ? holds(r, f->n->args[1]) : -1;
		if (r->fatal)
			return false;
		if (h < 0 && !failed) {
			failed = true;
			first = r->failure;
		} else if (h == decides) {
			*ret = cel_bool(decides);
			/* cel-go finds out when it begins the next round. */
			return cel_charge(r, 1 + (f->i < f->range.n ? 2 + decides : 0));
		}
	}
	if (failed) {
		r->failure = first;
		return false;
	}
	*ret = cel_bool(!decides);
	return cel_charge(r, 1);
}

static bool fold_one(struct cel_run *r, struct fold *f, struct cel_value *ret)
{
	uint32_t count = 0;

	while (f->i < f->range.n) {
		int h = fold_next(r, f) ? holds(r, f->n->args[1]) : -1;

		if (h < 0 || (h && !cel_charge(r, 2)))
			return false;
		count += h > 0;
	}
	*ret = cel_bool(count == 1);
	return cel_charge(r, 2);
}

static bool fold_list(struct cel_run *r, struct fold *f, struct cel_value *ret)
{
	const struct cel_node *result = f->n->args[2];
	struct cel_value *v = NULL, one;
	uint32_t n = 0, cap = 0;

	while (f->i < f->range.n) {
		int h = fold_next(r, f) ? holds(r, f->n->args[1]) : -1;

		if (h < 0)
			return false;
		if (!h)
			continue;
		if (result ? !cel_eval(r, result, &one) : !cel_charge(r, 1))
			return false;
		if (n == cap) {
			uint32_t more = cap ? cap * 2 : MIN(f->range.n, 64u);

			v = arena_grow(r->a, v, cap * sizeof(*v), more * sizeof(*v));
			if (!v)
				return cel_quota(r);
			cap = more;
		}
		v[n++] = result ? one : f->vars[0];
		if (!cel_charge(r, 2 + COST_LIST))
			return false;
	}
	*ret = cel_list_value(v, n);
	return cel_charge(r, 1);
}

static bool add_entry(struct cel_run *r, const struct fold *f, struct cel_map *m,
		      const struct cel_value *key, const struct cel_value *value)
{
	char text[256];
	int n = cel_map_add(r, m, key, value);

	r->at = f->n->at;
	if (n == 0)
		return cel_fail(r, "insert failed: key %s already exists",
				cel_value_text(key, text, sizeof(text)));
	return n > 0 && cel_charge(r, f->n->fold == CEL_TRANSFORM_MAP ? 3 : 2);
}

static bool fold_map(struct cel_run *r, struct fold *f, struct cel_value *ret)
{
	struct cel_map *m = cel_map_new(r, MIN(f->range.n, 64u));
	struct cel_value one, key, value;

	while (m && f->i < f->range.n) {
		int h = fold_next(r, f) ? holds(r, f->n->args[1]) : -1;

		if (h < 0 || (h && !cel_eval(r, f->n->args[2], &one)))
			return false;
		if (!h)
			continue;
		if (f->n->fold == CEL_TRANSFORM_MAP) {
			if (!add_entry(r, f, m, &f->vars[0], &one))
				return false;
			continue;
		}
		if (one.kind != CEL_T_MAP)
			return cel_no_overload(r);
		for (uint32_t i = 0; i < one.n; i++)
			if (!cel_map_at(r, &one, i, &key, &value) ||
			    !add_entry(r, f, m, &key, &value))
				return false;
	}
	if (!m)
		return false;
	*ret = cel_map_value(m);
	return cel_charge(r, COST_MAP + 1);
}

static bool eval_opt_map(struct cel_run *r, const struct cel_node *n, struct fold *f,
			 struct cel_value *ret)
{
	struct cel_value v;
	bool ok = true;

	if (f->range.kind != CEL_T_OPTIONAL)
		return cel_no_overload(r);
	if (!f->range.opt) {
		*ret = f->range;
		return cel_charge(r, 2);
	}
	f->vars[0] = *f->range.opt;
	if (!cel_eval(r, n->args[2], &v))
		return false;
	if (n->fold == CEL_OPT_MAP)
		v = cel_some(r, &v, &ok);
	else if (v.kind != CEL_T_OPTIONAL)
		return cel_no_overload(r);
	*ret = v;
	return ok && cel_charge(r, 4);
}

/* ---- sortBy ---- */

struct keyed {
	struct cel_value key, value;
};

static void merge(struct keyed *v, struct keyed *room, size_t half, size_t n)
{
	size_t i = 0, j = half, at = 0;
	int order;

	while (i < half || j < n) {
		order = 0;
		if (i < half && j < n)
			(void)cel_compare(&v[i].key, &v[j].key, &order); /* looked at before */
		if (j == n || (i < half && order <= 0))
			room[at++] = v[i++];
		else
			room[at++] = v[j++];
	}
	memcpy(v, room, n * sizeof(*v));
}

static void sort_keyed(struct keyed *v, struct keyed *room, size_t n)
{
	if (n < 2)
		return;
	sort_keyed(v, room, n / 2);
	sort_keyed(v + n / 2, room, n - n / 2);
	merge(v, room, n / 2, n);
}

static bool eval_sort_by(struct cel_run *r, const struct cel_node *n, struct fold *f,
			 struct cel_value *ret)
{
	size_t count = f->range.n;
	struct keyed *v;
	struct cel_value *list = ARENA_ARRAY(r->a, struct cel_value, count);
	int order;

	if (f->range.kind != CEL_T_LIST)
		return cel_no_overload(r);
	v = ARENA_ARRAY(r->a, struct keyed, 2 * count);
	if (!v || !list)
		return cel_quota(r);
	for (size_t i = 0; i < count; i++) {
		if (!fold_next(r, f) || !cel_charge(r, 2 + COST_LIST))
			return false;
		v[i].value = f->vars[0];
		if (!cel_eval(r, n->args[2], &v[i].key))
			return false;
		r->at = n->at;
		if (v[i].key.kind != v[0].key.kind || !cel_compare(&v[0].key, &v[i].key, &order))
			return cel_fail(r, "list elements must have the same type");
	}
	if (!cel_charge(r, 1 + COST_LIST + count) || !cel_work(r, count * 32))
		return false;
	sort_keyed(v, v + count, count);
	for (size_t i = 0; i < count; i++)
		list[i] = v[i].value;
	*ret = cel_list_value(list, count);
	return true;
}

static bool eval_fold(struct cel_run *r, const struct cel_node *n, struct cel_value *ret)
{
	struct fold f = { .n = n, .two = n->vars[1].n > 0 };

	if (!cel_eval(r, n->args[0], &f.range))
		return false;
	f.vars = r->locals + *(const uint32_t *)n->bound;
	r->at = n->at;
	if (n->fold == CEL_OPT_MAP || n->fold == CEL_OPT_FLAT_MAP)
		return eval_opt_map(r, n, &f, ret);
	if (f.range.kind != CEL_T_LIST &&
	    ((f.range.kind != CEL_T_MAP && f.range.kind != CEL_T_OBJECT) ||
	     f.range.rep == CEL_REP_CALL))
		return cel_no_overload(r);
	switch ((enum cel_fold)n->fold) {
	case CEL_ALL:
	case CEL_EXISTS: return fold_logic(r, &f, ret);
	case CEL_EXISTS_ONE: return fold_one(r, &f, ret);
	case CEL_TRANSFORM_MAP:
	case CEL_TRANSFORM_ENTRY: return fold_map(r, &f, ret);
	case CEL_SORT_BY: return eval_sort_by(r, n, &f, ret);
	default: return fold_list(r, &f, ret);
	}
}

static bool eval_bind(struct cel_run *r, const struct cel_node *n, struct cel_value *ret)
{
	struct cel_value v;
	struct cel_failure *failure;

	/* An error of what is not used is none: it waits in the variable. */
	if (!cel_eval(r, n->args[0], &v)) {
		if (r->fatal)
			return false;
		failure = ARENA_NEW(r->a, struct cel_failure);
		if (!failure)
			return cel_quota(r);
		*failure = r->failure;
		v = cel_opaque(CEL_T_ERROR, failure);
	}
	r->locals[*(const uint32_t *)n->bound] = v;
	return cel_eval(r, n->args[1], ret);
}

bool cel_eval(struct cel_run *r, const struct cel_node *n, struct cel_value *ret)
{
	switch ((enum cel_node_kind)n->kind) {
	case CEL_NULL: *ret = cel_null(); return true;
	case CEL_BOOL: *ret = cel_bool(n->b); return true;
	case CEL_INT: *ret = cel_int(n->i); return true;
	case CEL_UINT: *ret = cel_uint(n->u); return true;
	case CEL_DOUBLE: *ret = cel_double(n->d); return true;
	case CEL_STRING: *ret = cel_string(n->s); return true;
	case CEL_BYTES: *ret = cel_bytes(n->s.p, n->s.n); return true;
	case CEL_IDENT: return eval_ident(r, n, ret);
	case CEL_SELECT: return eval_select(r, n, ret);
	case CEL_HAS: return eval_has(r, n, ret);
	case CEL_INDEX: return eval_index(r, n, ret);
	case CEL_CALL: return eval_call(r, n, ret);
	case CEL_LIST: return eval_list(r, n, ret);
	case CEL_MAP: return eval_map(r, n, ret);
	case CEL_STRUCT: return eval_struct(r, n, ret);
	case CEL_FOLD: return eval_fold(r, n, ret);
	case CEL_BIND: return eval_bind(r, n, ret);
	}
	return cel_no_overload(r);
}

/* ---- programs ---- */

int cel_compile(const struct cel_env *env, struct slice text, const struct cel_type *want,
		struct arena *a, const struct cel_prog **ret, struct err *err)
{
	struct cel_prog *p = ARENA_NEW(a, struct cel_prog);
	char *copy, name[200];
	int n;

	if (!p)
		return arena_quota(a, err);
	if (text.n > CEL_TEXT_MAX)
		return err_set(err, ERR_TOO_LARGE, "expression of %zu bytes: more than %u", text.n,
			       CEL_TEXT_MAX);
	copy = arena_strndup(a, text.p ? text.p : "", text.n);
	if (!copy)
		return arena_quota(a, err);
	p->env = env;
	n = cel_parse(slice_of(copy, text.n), a, &p->ast, err);
	if (n == 0)
		n = cel_check(p, a, err);
	if (n < 0)
		return n;
	if (want && !cel_type_same(p->type, want))
		return err_set(err, ERR_INVALID, "must evaluate to %s",
			       cel_type_text(want, name, sizeof(name)));
	p->cost = cel_estimate(p, a);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	*ret = p;
	return 0;
}

const struct cel_type *cel_prog_type(const struct cel_prog *p)
{
	return p->type;
}

struct cel_cost cel_prog_cost(const struct cel_prog *p)
{
	return p->cost;
}

static bool uses(const struct cel_node *n, unsigned var)
{
	const struct cel_bound_ident *b = n->bound;

	if (n->kind == CEL_IDENT)
		return b->is == CEL_IDENT_VAR && b->slot == var;
	for (uint32_t i = 0; i < n->n; i++)
		if (n->args[i] && uses(n->args[i], var))
			return true;
	return false;
}

bool cel_prog_uses(const struct cel_prog *p, unsigned var)
{
	return uses(p->ast.root, var);
}

static bool reads(const struct cel_node *n, unsigned var, struct slice field)
{
	const bool member = n->kind == CEL_SELECT || n->kind == CEL_HAS;

	if (member && slice_eq(n->name, field) && n->args[0]->kind == CEL_IDENT &&
	    uses(n->args[0], var))
		return true;
	for (uint32_t i = 0; i < n->n; i++)
		if (n->args[i] && reads(n->args[i], var, field))
			return true;
	return false;
}

bool cel_prog_reads(const struct cel_prog *p, unsigned var, struct slice field)
{
	return reads(p->ast.root, var, field);
}

static int finish(struct cel_run *r, struct cel_budget *b, bool ok, struct err *err)
{
	uint64_t left = b->left;

	b->used = r->cost;
	b->left = r->cost > left ? 0 : left - r->cost;
	if (r->fatal == ERR_TOO_LARGE && r->cost > left)
		return err_set(err, ERR_QUOTA,
			       "validation failed due to running out of cost budget, no further "
			       "validation rules will be run");
	if (r->fatal == ERR_TOO_LARGE)
		return err_set(err, ERR_TOO_LARGE,
			       "operation cancelled: actual cost limit exceeded");
	if (r->fatal)
		return arena_exceeded(r->a) ? arena_quota(r->a, err)
					    : err_set(err, r->fatal, "%s", r->failure.msg);
	return ok ? 0 : err_set(err, ERR_INVALID, "%s", r->failure.msg);
}

int cel_run(const struct cel_prog *p, const struct cel_vars *vars, struct cel_budget *budget,
	    struct arena *a, struct cel_value *ret, struct err *err)
{
	struct cel_value few[8] = { 0 }, v;
	struct cel_budget own = CEL_BUDGET_INIT, *b = budget ? budget : &own;
	struct cel_run r ERR_RAW;
	bool ok;

	r = (struct cel_run){ .p = p, .vars = vars, .a = a, .locals = few };
	r.limit = MIN(b->call ? b->call : CEL_COST_CALL_MAX, b->left);
	if (p->locals > ARRAY_LEN(few)) {
		r.locals = ARENA_ARRAY(a, struct cel_value, p->locals);
		if (!r.locals)
			return arena_quota(a, err);
	}
	ok = cel_eval(&r, p->ast.root, &v);
	/* What a branch gave back may not hide that the limit was passed. */
	if (r.fatal)
		ok = false;
	if (ok)
		*ret = v;
	return finish(&r, b, ok, err);
}
