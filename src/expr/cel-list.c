/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and sets (cel-go's and Kubernetes'), optional values. */
#include "expr/cel-private.h"

#include <stdlib.h>

#define RANGE_MAX 1000000 /* lists.range() */

static struct cel_value *room(struct cel_run *r, uint64_t n)
{
	struct cel_value *v = n < UINT32_MAX ? ARENA_ARRAY(r->a, struct cel_value, n) : NULL;

	if (!v)
		(void)cel_quota(r);
	return v;
}

/* All elements, those of a document made into values. */
static const struct cel_value *elements(struct cel_run *r, const struct cel_value *list)
{
	struct cel_value *v;

	if (list->rep == CEL_REP_NATIVE)
		return list->list;
	v = room(r, list->n);
	for (uint32_t i = 0; v && i < list->n; i++)
		if (!cel_list_at(r, list, i, &v[i]))
			return NULL;
	return v;
}

/* ---- Kubernetes' lists ---- */

static bool is_sorted(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct cel_value a, b;
	int order;

	*ret = cel_bool(true);
	for (uint32_t i = 0; i < v->n; i++, a = b) {
		if (!cel_list_at(r, v, i, &b))
			return false;
		if (i == 0)
			continue;
		if (!cel_compare(&a, &b, &order))
			return cel_no_overload(r);
		if (order > 0)
			ret->b = false;
	}
	return true;
}

static bool extreme(struct cel_run *r, const struct cel_value *v, int sign, const char *name,
		    struct cel_value *ret)
{
	struct cel_value one;
	int order;

	if (!v->n)
		return cel_fail(r, "%s called on empty list", name);
	if (!cel_list_at(r, v, 0, ret))
		return false;
	for (uint32_t i = 1; i < v->n; i++) {
		if (!cel_list_at(r, v, i, &one))
			return false;
		if (!cel_compare(&one, ret, &order))
			return cel_no_overload(r);
		if (order * sign > 0)
			*ret = one;
	}
	return true;
}

static bool list_min(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return extreme(r, v, -1, "min", ret);
}

static bool list_max(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return extreme(r, v, 1, "max", ret);
}

static bool add_one(struct cel_run *r, struct cel_value *sum, const struct cel_value *one)
{
	bool over = false;

	if (one->kind != sum->kind)
		return cel_no_overload(r);
	if (sum->kind == CEL_T_DOUBLE)
		sum->d += one->d;
	else if (sum->kind == CEL_T_UINT)
		over = __builtin_add_overflow(sum->u, one->u, &sum->u);
	else
		over = __builtin_add_overflow(sum->i, one->i, &sum->i);
	return !over || cel_fail(r, "%s overflow",
				 sum->kind == CEL_T_DURATION ? "duration"
				 : sum->kind == CEL_T_UINT   ? "unsigned integer"
							     : "integer");
}

static bool sum_as(struct cel_run *r, const struct cel_value *v, struct cel_value zero,
		   struct cel_value *ret)
{
	struct cel_value one;

	for (uint32_t i = 0; i < v->n; i++) {
		if (!cel_list_at(r, v, i, &one))
			return false;
		if (i == 0 && (cel_is_number(one.kind) || one.kind == CEL_T_DURATION))
			zero.kind = one.kind; /* all zeros are bits of zero */
		if (!add_one(r, &zero, &one))
			return false;
	}
	*ret = zero;
	return true;
}

static bool sum_int(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return sum_as(r, v, cel_int(0), ret);
}

static bool sum_uint(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return sum_as(r, v, cel_uint(0), ret);
}

static bool sum_double(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return sum_as(r, v, cel_double(0), ret);
}

static bool sum_span(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return sum_as(r, v, (struct cel_value){ .kind = CEL_T_DURATION }, ret);
}

static bool index_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct cel_value one;
	int n = 0;

	*ret = cel_int(-1);
	for (uint32_t i = 0; i < v[0].n && n == 0; i++) {
		if (!cel_list_at(r, &v[0], i, &one))
			return false;
		n = cel_equal(r, &one, &v[1]);
		if (n == 1)
			*ret = cel_int(i);
	}
	return n >= 0;
}

static bool last_index_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct cel_value one;
	int n = 0;

	*ret = cel_int(-1);
	for (uint32_t i = v[0].n; i > 0 && n == 0; i--) {
		if (!cel_list_at(r, &v[0], i - 1, &one))
			return false;
		n = cel_equal(r, &one, &v[1]);
		if (n == 1)
			*ret = cel_int((int64_t)i - 1);
	}
	return n >= 0;
}

/* ---- sets ---- */

/* 1, 0, -1. */
static int has(struct cel_run *r, const struct cel_value *list, const struct cel_value *x)
{
	struct cel_value one;
	int n = 0;

	for (uint32_t i = 0; i < list->n && n == 0; i++)
		n = cel_list_at(r, list, i, &one) ? cel_equal(r, &one, x) : -1;
	return n;
}

static int has_all(struct cel_run *r, const struct cel_value *list, const struct cel_value *of)
{
	struct cel_value one;
	int n = 1;

	for (uint32_t i = 0; i < of->n && n == 1; i++)
		n = cel_list_at(r, of, i, &one) ? has(r, list, &one) : -1;
	return n;
}

static bool sets_contains(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	int n = has_all(r, &v[0], &v[1]);

	*ret = cel_bool(n == 1);
	return n >= 0;
}

static bool sets_equivalent(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	int n = has_all(r, &v[0], &v[1]);

	if (n == 1)
		n = has_all(r, &v[1], &v[0]);
	*ret = cel_bool(n == 1);
	return n >= 0;
}

static bool sets_intersects(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct cel_value one;
	int n = 0;

	for (uint32_t i = 0; i < v[0].n && n == 0; i++)
		n = cel_list_at(r, &v[0], i, &one) ? has(r, &v[1], &one) : -1;
	*ret = cel_bool(n == 1);
	return n >= 0;
}

/* ---- cel-go's lists ---- */

static bool slice(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	int64_t from = v[1].i, to = v[2].i;
	struct cel_value *list;

	if (from < 0 || to < 0)
		return cel_fail(r, "cannot slice(%lld, %lld), negative indexes not supported",
				(long long)from, (long long)to);
	if (from > to)
		return cel_fail(r,
				"cannot slice(%lld, %lld), start index must be less than or equal "
				"to end index",
				(long long)from, (long long)to);
	if (to > (int64_t)v[0].n)
		return cel_fail(r, "cannot slice(%lld, %lld), list is length %u", (long long)from,
				(long long)to, v[0].n);
	list = room(r, (uint64_t)(to - from));
	if (!list)
		return false;
	for (int64_t i = from; i < to; i++)
		if (!cel_list_at(r, &v[0], (size_t)i, &list[i - from]))
			return false;
	*ret = cel_list_value(list, (size_t)(to - from));
	return true;
}

struct flat {
	struct cel_run *r;
	struct cel_value *v;
	uint32_t n, cap;
};

static bool flatten_into(struct flat *f, const struct cel_value *list, int64_t depth)
{
	struct cel_value one;

	for (uint32_t i = 0; i < list->n; i++) {
		if (!cel_list_at(f->r, list, i, &one))
			return false;
		if (one.kind == CEL_T_LIST && depth > 0) {
			if (!cel_work(f->r, 1) || !flatten_into(f, &one, depth - 1))
				return false;
			continue;
		}
		if (f->n == f->cap) {
			uint32_t cap = f->cap ? f->cap * 2 : 16;

			f->v = arena_grow(f->r->a, f->v, f->cap * sizeof(*f->v),
					  cap * sizeof(*f->v));
			if (!f->v)
				return cel_quota(f->r);
			f->cap = cap;
		}
		f->v[f->n++] = one;
	}
	return true;
}

static bool flatten_to(struct cel_run *r, const struct cel_value *v, int64_t depth,
		       struct cel_value *ret)
{
	struct flat f = { .r = r };

	if (depth < 0)
		return cel_fail(r, "level must be non-negative");
	/* Deeper than a document can be: then all is flat. */
	if (!flatten_into(&f, v, MIN(depth, (int64_t)600)))
		return false;
	*ret = cel_list_value(f.v, f.n);
	return cel_charge(r, f.n);
}

static bool flatten(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return flatten_to(r, &v[0], 1, ret);
}

static bool flatten_depth(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return flatten_to(r, &v[0], v[1].i, ret);
}

static bool range(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct cel_value *list;

	/* Charged before it is made. */
	if (v[0].i > RANGE_MAX)
		return cel_cancel(r);
	list = v[0].i > 0 ? room(r, (uint64_t)v[0].i) : NULL;
	if (v[0].i > 0 && !list)
		return false;
	for (int64_t i = 0; i < v[0].i; i++)
		list[i] = cel_int(i);
	*ret = cel_list_value(list, (size_t)MAX(v[0].i, (int64_t)0));
	return true;
}

static bool reverse(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct cel_value *list = room(r, v->n);

	for (uint32_t i = 0; list && i < v->n; i++)
		if (!cel_list_at(r, v, i, &list[v->n - 1 - i]))
			return false;
	*ret = cel_list_value(list, v->n);
	return list != NULL;
}

static bool distinct(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct cel_value *list = room(r, v->n), one;
	struct cel_value so_far = cel_list_value(list, 0);

	for (uint32_t i = 0; list && i < v->n; i++) {
		int n = cel_list_at(r, v, i, &one) ? has(r, &so_far, &one) : -1;

		if (n < 0)
			return false;
		if (n == 0)
			list[so_far.n++] = one;
	}
	*ret = so_far;
	return list != NULL;
}

/* All of one kind that has an order was looked at before. */
static int by_order(const void *a, const void *b)
{
	int order = 0;

	(void)cel_compare(a, b, &order);
	return order;
}

static bool sort(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	const struct cel_value *from = elements(r, v);
	struct cel_value *list = room(r, v->n);
	int order;

	if (!from || !list)
		return v->n == 0 ? (*ret = cel_list_value(list, 0), true) : false;
	for (uint32_t i = 0; i < v->n; i++) {
		if (from[i].kind != from[0].kind || !cel_compare(&from[0], &from[i], &order))
			return cel_fail(r, "list elements must have the same type");
		list[i] = from[i];
	}
	if (!cel_work(r, (uint64_t)v->n * 32))
		return false;
	qsort(list, v->n, sizeof(*list), by_order);
	*ret = cel_list_value(list, v->n);
	return true;
}

static bool end_of(struct cel_run *r, const struct cel_value *v, bool last, struct cel_value *ret)
{
	struct cel_value one;
	bool ok = true;

	if (!v->n) {
		*ret = cel_none();
		return true;
	}
	if (!cel_list_at(r, v, last ? v->n - 1 : 0, &one))
		return false;
	*ret = cel_some(r, &one, &ok);
	return ok;
}

static bool first(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return end_of(r, v, false, ret);
}

static bool last(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return end_of(r, v, true, ret);
}

#define LIST_OF(K)                                                    \
	static const struct cel_type list_##K = { .kind = CEL_T_LIST, \
						  .name = "list",     \
						  .of = { &cel_types[CEL_T_##K] } }
LIST_OF(INT);
LIST_OF(UINT);
LIST_OF(DOUBLE);
LIST_OF(BOOL);
LIST_OF(STRING);
LIST_OF(BYTES);
LIST_OF(TIMESTAMP);
LIST_OF(DURATION);

#define ORDERED(name, fn, charge, result, self)                              \
	CEL_M(name, fn, result(INT), charge, self(INT)),                     \
		CEL_M(name, fn, result(UINT), charge, self(UINT)),           \
		CEL_M(name, fn, result(DOUBLE), charge, self(DOUBLE)),       \
		CEL_M(name, fn, result(BOOL), charge, self(BOOL)),           \
		CEL_M(name, fn, result(DURATION), charge, self(DURATION)),   \
		CEL_M(name, fn, result(TIMESTAMP), charge, self(TIMESTAMP)), \
		CEL_M(name, fn, result(STRING), charge, self(STRING)),       \
		CEL_M(name, fn, result(BYTES), charge, self(BYTES))
#define SELF(K) &list_##K
#define ELEMENT(K) &cel_types[CEL_T_##K]
#define TRUTH(K) CEL_BOOLEAN

const struct cel_function cel_lib_list[] = {
	ORDERED("isSorted", is_sorted, TRAVERSE, TRUTH, SELF),
	ORDERED("min", list_min, TRAVERSE, ELEMENT, SELF),
	ORDERED("max", list_max, TRAVERSE, ELEMENT, SELF),
	CEL_M("sum", sum_int, CEL_INTEGER, TRAVERSE, &list_INT),
	CEL_M("sum", sum_uint, CEL_UNSIGNED, TRAVERSE, &list_UINT),
	CEL_M("sum", sum_double, CEL_REAL, TRAVERSE, &list_DOUBLE),
	CEL_M("sum", sum_span, CEL_SPAN, TRAVERSE, &list_DURATION),
	CEL_M("indexOf", index_of, CEL_INTEGER, TRAVERSE, &cel_list_a, &cel_var_a),
	CEL_M("lastIndexOf", last_index_of, CEL_INTEGER, TRAVERSE, &cel_list_a, &cel_var_a),
	CEL_F("sets.contains", sets_contains, CEL_BOOLEAN, PRODUCT, &cel_list_a, &cel_list_a),
	CEL_F("sets.equivalent", sets_equivalent, CEL_BOOLEAN, PRODUCT_TWICE, &cel_list_a,
	      &cel_list_a),
	CEL_F("sets.intersects", sets_intersects, CEL_BOOLEAN, PRODUCT, &cel_list_a, &cel_list_a),
	CEL_M("slice", slice, &cel_list_a, MAKE_LIST, &cel_list_a, CEL_INTEGER, CEL_INTEGER),
	CEL_M("flatten", flatten, &cel_list_a, MAKE_LIST, &cel_list_list_a),
	CEL_M("flatten", flatten_depth, &cel_types[CEL_T_LIST], MAKE_LIST, &cel_types[CEL_T_LIST],
	      CEL_INTEGER),
	CEL_F("lists.range", range, &cel_list_int, MAKE_LIST, CEL_INTEGER),
	CEL_M("reverse", reverse, &cel_list_a, MAKE_LIST, &cel_list_a),
	CEL_M("distinct", distinct, &cel_list_a, SORT, &cel_list_a),
	ORDERED("sort", sort, SORT, SELF, SELF),
	CEL_M("first", first, &cel_optional_a, ONE, &cel_list_a),
	CEL_M("last", last, &cel_optional_a, ONE, &cel_list_a),
	CEL_END,
};

/* ---- optional values ---- */

static bool opt_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	bool ok = true;

	*ret = cel_some(r, v, &ok);
	return ok;
}

static bool opt_none(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	(void)r;
	(void)v;
	*ret = cel_none();
	return true;
}

static bool is_zero(const struct cel_value *v)
{
	switch (v->kind) {
	case CEL_T_NULL: return true;
	case CEL_T_BOOL: return !v->b;
	case CEL_T_INT:
	case CEL_T_UINT:
	case CEL_T_DURATION: return v->i == 0;
	case CEL_T_DOUBLE: return v->d == 0;
	case CEL_T_STRING:
	case CEL_T_BYTES:
	case CEL_T_LIST:
	case CEL_T_MAP: return v->n == 0;
	case CEL_T_OBJECT: return v->rep != CEL_REP_CALL && v->n == 0;
	case CEL_T_TIMESTAMP: return v->i == 0 && v->n == 0;
	case CEL_T_OPTIONAL: return !v->opt;
	default: return false;
	}
}

static bool opt_non_zero(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return is_zero(v) ? opt_none(r, v, ret) : opt_of(r, v, ret);
}

static bool has_value(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	(void)r;
	*ret = cel_bool(v->opt != NULL);
	return true;
}

static bool value(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	if (!v->opt)
		return cel_fail(r, "optional.none() dereference");
	*ret = *v->opt;
	return true;
}

static bool or_other(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	(void)r;
	*ret = v[0].opt ? v[0] : v[1];
	return true;
}

static bool or_value(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	(void)r;
	*ret = v[0].opt ? *v[0].opt : v[1];
	return true;
}

static bool unwrap(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct cel_value *list = room(r, v->n), one;
	uint32_t n = 0;

	for (uint32_t i = 0; list && i < v->n; i++) {
		if (!cel_list_at(r, v, i, &one))
			return false;
		if (one.kind != CEL_T_OPTIONAL)
			return cel_no_overload(r);
		if (one.opt)
			list[n++] = *one.opt;
	}
	*ret = cel_list_value(list, n);
	return list != NULL;
}

const struct cel_function cel_lib_optional[] = {
	{ .name = "optional.none", .fn = opt_none, .ret = &cel_optional_a },
	CEL_F("optional.of", opt_of, &cel_optional_a, ONE, &cel_var_a),
	CEL_F("optional.ofNonZeroValue", opt_non_zero, &cel_optional_a, ONE, &cel_var_a),
	CEL_F("optional.unwrap", unwrap, &cel_list_a, ONE, &cel_list_optional_a),
	CEL_M("unwrapOpt", unwrap, &cel_list_a, ONE, &cel_list_optional_a),
	CEL_M("hasValue", has_value, CEL_BOOLEAN, ONE, &cel_optional_a),
	CEL_M("value", value, &cel_var_a, ONE, &cel_optional_a),
	CEL_M("or", or_other, &cel_optional_a, ONE, &cel_optional_a, &cel_optional_a),
	CEL_M("orValue", or_value, &cel_var_a, ONE, &cel_optional_a, &cel_var_a),
	CEL_END,
};
