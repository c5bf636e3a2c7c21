/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of CEL and what every value has: + - * / %, order, equality, in, size, type. */
#include "expr/cel-private.h"
#include "expr/regex.h"

#include <math.h>

/* ---- arithmetic ---- */

static bool int_overflow(struct cel_run *r)
{
	return cel_fail(r, "integer overflow");
}

static bool uint_overflow(struct cel_run *r)
{
	return cel_fail(r, "unsigned integer overflow");
}

#define CHECKED(name, builtin, kind, field, value, overflow)                                  \
	static bool name(struct cel_run *r, const struct cel_value *v, struct cel_value *ret) \
	{                                                                                     \
		kind x;                                                                       \
		if (builtin(v[0].field, v[1].field, &x))                                      \
			return overflow(r);                                                   \
		*ret = value(x);                                                              \
		return true;                                                                  \
	}
CHECKED(add_int, __builtin_add_overflow, int64_t, i, cel_int, int_overflow)
CHECKED(sub_int, __builtin_sub_overflow, int64_t, i, cel_int, int_overflow)
CHECKED(mul_int, __builtin_mul_overflow, int64_t, i, cel_int, int_overflow)
CHECKED(add_uint, __builtin_add_overflow, uint64_t, u, cel_uint, uint_overflow)
CHECKED(sub_uint, __builtin_sub_overflow, uint64_t, u, cel_uint, uint_overflow)
CHECKED(mul_uint, __builtin_mul_overflow, uint64_t, u, cel_uint, uint_overflow)

#define REAL(name, op)                                                                        \
	static bool name(struct cel_run *r, const struct cel_value *v, struct cel_value *ret) \
	{                                                                                     \
		(void)r;                                                                      \
		*ret = cel_double(v[0].d op v[1].d);                                          \
		return true;                                                                  \
	}
REAL(add_double, +)
REAL(sub_double, -)
REAL(mul_double, *)

static bool div_double(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	double a = v[0].d, b = v[1].d;

	(void)r;
	/* IEEE 754, said in a way that has no undefined behaviour in C. */
	if (b == 0)
		*ret = cel_double(
			a == 0 || isnan(a)
				? (double)NAN
				: copysign(INFINITY,
					   (signbit(a) != 0) != (signbit(b) != 0) ? -1.0 : 1.0));
	else
		*ret = cel_double(a / b);
	return true;
}

static bool div_int(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	if (v[1].i == 0)
		return cel_fail(r, "division by zero");
	if (v[0].i == INT64_MIN && v[1].i == -1)
		return int_overflow(r);
	*ret = cel_int(v[0].i / v[1].i);
	return true;
}

static bool mod_int(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	if (v[1].i == 0)
		return cel_fail(r, "modulus by zero");
	if (v[0].i == INT64_MIN && v[1].i == -1)
		return int_overflow(r);
	*ret = cel_int(v[0].i % v[1].i);
	return true;
}

static bool div_uint(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	if (v[1].u == 0)
		return cel_fail(r, "division by zero");
	*ret = cel_uint(v[0].u / v[1].u);
	return true;
}

static bool mod_uint(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	if (v[1].u == 0)
		return cel_fail(r, "modulus by zero");
	*ret = cel_uint(v[0].u % v[1].u);
	return true;
}

static bool neg_int(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	if (v[0].i == INT64_MIN)
		return int_overflow(r);
	*ret = cel_int(-v[0].i);
	return true;
}

static bool neg_double(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	(void)r;
	*ret = cel_double(-v[0].d);
	return true;
}

static bool not_bool(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	(void)r;
	*ret = cel_bool(!v[0].b);
	return true;
}

/* ---- joining ---- */

static bool add_text(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	size_t n = (size_t)v[0].n + v[1].n;
	char *p = n < UINT32_MAX ? arena_alloc_raw(r->a, n, 1) : NULL;

	if (!p)
		return cel_quota(r);
	if (v[0].n)
		memcpy(p, v[0].s, v[0].n);
	if (v[1].n)
		memcpy(p + v[0].n, v[1].s, v[1].n);
	*ret = cel_bytes(p, n);
	ret->kind = v[0].kind;
	return true;
}

/* Are two elements one, as the list's type has it? */
static int same_element(struct cel_run *r, const struct cel_type *t, const struct cel_value *a,
			const struct cel_value *b)
{
	if (t->list != CEL_LIST_MAP)
		return cel_equal(r, a, b);
	for (const char *const *k = t->keys; k && *k; k++) {
		struct cel_value x, y;
		int in_a = cel_field(r, a, slice_str(*k), &x);
		int in_b = cel_field(r, b, slice_str(*k), &y), n;

		if (r->fatal)
			return -1;
		if ((in_a == 1) != (in_b == 1))
			return 0;
		n = in_a == 1 ? cel_equal(r, &x, &y) : 1;
		if (n != 1)
			return n;
	}
	return 1;
}

/* x-kubernetes-list-type set and map: what is there is kept in place, or replaced there. */
static bool join_keyed(struct cel_run *r, const struct cel_type *t, struct cel_value *all,
		       size_t *n, const struct cel_value *more)
{
	struct cel_value one;
	size_t first = *n;

	for (uint32_t i = 0; i < more->n; i++) {
		size_t at = 0;
		int same = 0;

		if (!cel_list_at(r, more, i, &one))
			return false;
		for (; at < first; at++) {
			same = same_element(r, t, &all[at], &one);
			if (same)
				break;
		}
		if (same < 0)
			return false;
		if (!same)
			all[(*n)++] = one;
		else if (t->list == CEL_LIST_MAP)
			all[at] = one;
	}
	return true;
}

static bool add_list(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	size_t n = (size_t)v[0].n + v[1].n, count = v[0].n;
	struct cel_value *all = n < UINT32_MAX ? ARENA_ARRAY(r->a, struct cel_value, n) : NULL;

	if (!all)
		return cel_quota(r);
	for (uint32_t i = 0; i < v[0].n; i++)
		if (!cel_list_at(r, &v[0], i, &all[i]))
			return false;
	if (v[0].type && v[0].type->list != CEL_LIST_ATOMIC) {
		if (!join_keyed(r, v[0].type, all, &count, &v[1]))
			return false;
	} else {
		for (uint32_t i = 0; i < v[1].n; i++)
			if (!cel_list_at(r, &v[1], i, &all[count++]))
				return false;
	}
	*ret = cel_list_value(all, count);
	ret->type = v[0].type;
	return true;
}

/* ---- order, equality ---- */

static bool compare(struct cel_run *r, const struct cel_value *v, bool less, bool equal,
		    struct cel_value *ret)
{
	int order;

	if (cel_compare(&v[0], &v[1], &order))
		*ret = cel_bool(order < 0 ? less : order > 0 ? !less : equal);
	else if (cel_is_number(v[0].kind) && cel_is_number(v[1].kind))
		*ret = cel_bool(false); /* NaN */
	else
		return cel_no_overload(r);
	return true;
}

static bool lt(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return compare(r, v, true, false, ret);
}

static bool le(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return compare(r, v, true, true, ret);
}

static bool gt(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return compare(r, v, false, false, ret);
}

static bool ge(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return compare(r, v, false, true, ret);
}

static bool eq(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	int n = cel_equal(r, &v[0], &v[1]);

	*ret = cel_bool(n == 1);
	return n >= 0;
}

static bool ne(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	int n = cel_equal(r, &v[0], &v[1]);

	*ret = cel_bool(n != 1);
	return n >= 0;
}

static bool in_list(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct cel_value one;
	int n = 0;

	for (uint32_t i = 0; i < v[1].n && n == 0; i++) {
		if (!cel_list_at(r, &v[1], i, &one))
			return false;
		n = cel_equal(r, &v[0], &one);
	}
	*ret = cel_bool(n == 1);
	return n >= 0;
}

static bool in_map(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	int n = cel_lookup(r, &v[1], &v[0], NULL);

	*ret = cel_bool(n == 1);
	return n >= 0;
}

/* ---- of every value ---- */

static bool size(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	*ret = cel_int((int64_t)cel_size(&v[0]));
	return v[0].kind != CEL_T_STRING || cel_work(r, v[0].n / 8);
}

static bool type(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	(void)r;
	*ret = (struct cel_value){ .kind = CEL_T_TYPE, .t = cel_type_of_value(&v[0]) };
	return true;
}

static bool dyn(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	(void)r;
	*ret = v[0];
	return true;
}

#define S CEL_TEXT
#define Y CEL_OCTETS
#define I CEL_INTEGER
#define U CEL_UNSIGNED
#define D CEL_REAL
#define B CEL_BOOLEAN

#define COMPARE(name, fn)                                                         \
	CEL_F(name, fn, B, ONE, B, B), CEL_F(name, fn, B, ONE, I, I),             \
		CEL_F(name, fn, B, ONE, I, D), CEL_F(name, fn, B, ONE, I, U),     \
		CEL_F(name, fn, B, ONE, U, U), CEL_F(name, fn, B, ONE, U, D),     \
		CEL_F(name, fn, B, ONE, U, I), CEL_F(name, fn, B, ONE, D, D),     \
		CEL_F(name, fn, B, ONE, D, I), CEL_F(name, fn, B, ONE, D, U),     \
		CEL_F(name, fn, B, EQUAL, S, S), CEL_F(name, fn, B, EQUAL, Y, Y), \
		CEL_F(name, fn, B, ONE, CEL_TIME, CEL_TIME),                      \
		CEL_F(name, fn, B, ONE, CEL_SPAN, CEL_SPAN)

const struct cel_function cel_lib_core[] = {
	CEL_F("_+_", add_text, Y, CONCAT, Y, Y),
	CEL_F("_+_", add_double, D, ONE, D, D),
	CEL_F("_+_", add_int, I, ONE, I, I),
	CEL_F("_+_", add_list, &cel_list_a, ONE, &cel_list_a, &cel_list_a),
	CEL_F("_+_", add_text, S, CONCAT, S, S),
	CEL_F("_+_", add_uint, U, ONE, U, U),
	CEL_F("_-_", sub_double, D, ONE, D, D),
	CEL_F("_-_", sub_int, I, ONE, I, I),
	CEL_F("_-_", sub_uint, U, ONE, U, U),
	CEL_F("_*_", mul_double, D, ONE, D, D),
	CEL_F("_*_", mul_int, I, ONE, I, I),
	CEL_F("_*_", mul_uint, U, ONE, U, U),
	CEL_F("_/_", div_double, D, ONE, D, D),
	CEL_F("_/_", div_int, I, ONE, I, I),
	CEL_F("_/_", div_uint, U, ONE, U, U),
	CEL_F("_%_", mod_int, I, ONE, I, I),
	CEL_F("_%_", mod_uint, U, ONE, U, U),
	CEL_F("-_", neg_double, D, ONE, D),
	CEL_F("-_", neg_int, I, ONE, I),
	CEL_F("!_", not_bool, B, ONE, B),
	COMPARE("_<_", lt),
	COMPARE("_<=_", le),
	COMPARE("_>_", gt),
	COMPARE("_>=_", ge),
	CEL_F("_==_", eq, B, EQUAL, &cel_var_a, &cel_var_a),
	CEL_F("_!=_", ne, B, EQUAL, &cel_var_a, &cel_var_a),
	CEL_F("@in", in_list, B, IN, &cel_var_a, &cel_list_a),
	CEL_F("@in", in_map, B, ONE, &cel_var_a, &cel_map_ab),
	CEL_F("size", size, I, ONE, Y),
	CEL_F("size", size, I, ONE, &cel_list_a),
	CEL_F("size", size, I, ONE, &cel_map_ab),
	CEL_F("size", size, I, ONE, S),
	CEL_M("size", size, I, ONE, Y),
	CEL_M("size", size, I, ONE, &cel_list_a),
	CEL_M("size", size, I, ONE, &cel_map_ab),
	CEL_M("size", size, I, ONE, S),
	CEL_F("type", type, &cel_type_a, ONE, &cel_var_a),
	CEL_F("dyn", dyn, CEL_DYN, ONE, &cel_var_a),
	CEL_END,
};
