/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What calls cost while they run, and what a program may cost at most by the sizes that types give.
 *
 * The numbers are cel-go's and Kubernetes': a name or a field is 1, a list 10, a map 30, an object
 * 40, a string's traversal a tenth of its length, a pattern a quarter of its length.
 */
#include "base/err.h"
#include "expr/cel-private.h"

#define COST_LIST 10
#define COST_MAP 30
#define COST_OBJECT 40
#define COST_CHECK 350000 /* two checks of an authorizer fit into a call */
#define TRAVERSAL 0.1
#define PATTERN 0.25
#define FORMAT_PATTERN 128 /* what a named format is estimated as */
#define FORMAT_NAME 64

/* ---- numbers that stay at their end ---- */

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t times(uint64_t a, uint64_t b)
{
	uint64_t x = 0;

	return __builtin_mul_overflow(a, b, &x) ? UINT64_MAX : x;
}

/* Rounded up. */
static uint64_t part(uint64_t n, double factor)
{
	double x = (double)n * factor;
	uint64_t whole;

	if (n == UINT64_MAX || x >= 18446744073709549568.0)
		return UINT64_MAX;
	whole = (uint64_t)x;
	return whole + ((double)whole < x);
}

/* ---- of a run ---- */

static uint64_t traversal(struct cel_run *r, const struct cel_value *v, unsigned depth)
{
	struct cel_value key, one;
	uint64_t cost = 0;

	if (depth == 0 || !cel_work(r, 1))
		return 1;
	switch (v->kind) {
	case CEL_T_STRING:
	case CEL_T_BYTES: return v->n / 10;
	case CEL_T_LIST:
		for (uint32_t i = 0; i < v->n && !r->fatal; i++)
			cost += cel_list_at(r, v, i, &one) ? traversal(r, &one, depth - 1) : 0;
		return cost;
	case CEL_T_MAP:
	case CEL_T_OBJECT:
		for (uint32_t i = 0; v->rep != CEL_REP_CALL && i < v->n && !r->fatal; i++)
			if (cel_map_at(r, v, i, &key, &one))
				cost += traversal(r, &key, depth - 1) +
					traversal(r, &one, depth - 1);
		return cost;
	default: return 1;
	}
}

/* Counting the code points of a long text is work too, for a comparison with a short one. */
static uint64_t size_of(struct cel_run *r, const struct cel_value *v)
{
	(void)cel_work(r, v->kind == CEL_T_STRING ? v->n / 16 : 0);
	return cel_size(v);
}

static uint64_t call_cost(struct cel_run *r, const struct cel_function *f,
			  const struct cel_value *v, const struct cel_value *ret)
{
	uint64_t a, b;

	if (f->charge == CEL_CHARGE_ONE)
		return 1;
	if (f->charge == CEL_CHARGE_TRAVERSE)
		return traversal(r, &v[0], 64);
	a = f->n > 0 ? size_of(r, &v[0]) : 0;
	b = f->n > 1 ? size_of(r, &v[1]) : 0;
	switch ((enum cel_charge)f->charge) {
	case CEL_CHARGE_SCAN:
	case CEL_CHARGE_SCAN_ONE: return part(a, TRAVERSAL);
	case CEL_CHARGE_TWICE: return part(a, 2 * TRAVERSAL);
	case CEL_CHARGE_EQUAL: return v->kind >= CEL_T_QUANTITY ? 1 : part(MIN(a, b), TRAVERSAL);
	case CEL_CHARGE_CONCAT: return part(plus(a, b), TRAVERSAL);
	case CEL_CHARGE_MATCH: return times(part(a + 1, TRAVERSAL), part(b, PATTERN));
	case CEL_CHARGE_CONTAINS: return times(part(a, TRAVERSAL), part(b, TRAVERSAL));
	case CEL_CHARGE_IN: return b;
	case CEL_CHARGE_JOIN: return part(cel_size(ret), 2 * TRAVERSAL);
	case CEL_CHARGE_CHECK: return COST_CHECK;
	case CEL_CHARGE_SELECTOR:
		return COST_LIST + part(b, TRAVERSAL) +
		       times(part(b, 0.5), COST_LIST + COST_OBJECT);
	case CEL_CHARGE_HOLDS: return part(2 * a, TRAVERSAL);
	case CEL_CHARGE_HOLDS_TEXT: return part(2 * a, TRAVERSAL) + part(b, TRAVERSAL);
	case CEL_CHARGE_HOLDS_NET: return part(2 * a, TRAVERSAL) + part(a, TRAVERSAL) + 1;
	case CEL_CHARGE_HOLDS_NET_TEXT:
		return part(2 * a, TRAVERSAL) + part(a, TRAVERSAL) + 1 + part(b, TRAVERSAL);
	case CEL_CHARGE_VALIDATE:
		return times(part(b + 1, TRAVERSAL), part(cel_format_size(&v[0]), PATTERN));
	case CEL_CHARGE_PRODUCT: return plus(1, times(a, b));
	case CEL_CHARGE_PRODUCT_TWICE: return plus(1, times(2, times(a, b)));
	case CEL_CHARGE_MAKE_LIST: return plus(1 + COST_LIST, cel_size(ret));
	case CEL_CHARGE_SORT: return plus(1 + COST_LIST, times(2, times(a, a)));
	default: return 1;
	}
}

bool cel_charge_call(struct cel_run *r, const struct cel_function *f, const struct cel_value *args,
		     const struct cel_value *ret)
{
	uint64_t cost = call_cost(r, f, args, ret);

	r->cost = plus(r->cost, cost);
	return (r->cost <= r->limit && !r->fatal) || cel_cancel(r);
}

/* ---- of a program ---- */

/* What is known of a part: its cost, its size, the sizes of what it holds. */
struct guess {
	struct cel_cost cost, size, key, item;
};

struct estimator {
	struct guess *locals; /* by slot; without their cost */
};

static struct cel_cost fixed(uint64_t n)
{
	return (struct cel_cost){ n, n };
}

static const struct cel_cost unknown = { 0, UINT64_MAX };

static struct cel_cost sum(struct cel_cost a, struct cel_cost b)
{
	return (struct cel_cost){ plus(a.min, b.min), plus(a.max, b.max) };
}

static struct cel_cost product(struct cel_cost a, struct cel_cost b)
{
	return (struct cel_cost){ times(a.min, b.min), times(a.max, b.max) };
}

static struct cel_cost scaled(struct cel_cost a, double factor)
{
	return (struct cel_cost){ part(a.min, factor), part(a.max, factor) };
}

static struct cel_cost either(struct cel_cost a, struct cel_cost b)
{
	return (struct cel_cost){ MIN(a.min, b.min), MAX(a.max, b.max) };
}

static struct cel_cost size_of_type(const struct cel_type *t)
{
	switch (t->kind) {
	case CEL_T_NULL:
	case CEL_T_TYPE:
	case CEL_T_BOOL:
	case CEL_T_INT:
	case CEL_T_UINT:
	case CEL_T_DOUBLE:
	case CEL_T_TIMESTAMP:
	case CEL_T_DURATION: return fixed(1);
	case CEL_T_FORMAT: return (struct cel_cost){ 1, FORMAT_NAME };
	case CEL_T_QUANTITY:
	case CEL_T_SEMVER:
	case CEL_T_IP:
	case CEL_T_CIDR:
	case CEL_T_AUTHORIZER:
	case CEL_T_PATH_CHECK:
	case CEL_T_GROUP_CHECK:
	case CEL_T_RESOURCE_CHECK:
	case CEL_T_DECISION: return fixed(1);
	case CEL_T_OPTIONAL: return size_of_type(t->of[0]);
	default: return t->max ? (struct cel_cost){ 0, t->max } : unknown;
	}
}

static struct guess guess_of_type(const struct cel_type *t)
{
	struct guess g = { .size = size_of_type(t), .key = unknown, .item = unknown };

	if (t->kind == CEL_T_LIST)
		g.item = size_of_type(t->of[0]);
	if (t->kind == CEL_T_LIST)
		g.key = fixed(1);
	if (t->kind == CEL_T_MAP) {
		g.key = size_of_type(t->of[0]);
		g.item = size_of_type(t->of[1]);
	}
	return g;
}

static struct guess estimate(struct estimator *e, const struct cel_node *n);

static struct guess of_literal(struct guess g, uint64_t size)
{
	g.size = fixed(size);
	return g;
}

static struct guess of_ident(struct estimator *e, const struct cel_node *n)
{
	const struct cel_bound_ident *b = n->bound;
	struct guess g = b->is == CEL_IDENT_LOCAL ? e->locals[b->slot] : guess_of_type(n->type);

	g.cost = fixed(1);
	return g;
}

static struct guess of_member(struct estimator *e, const struct cel_node *n)
{
	struct guess of = estimate(e, n->args[0]), g = guess_of_type(n->type);
	uint8_t kind = n->args[0]->type->kind;

	g.cost = of.cost;
	if (n->kind == CEL_INDEX) {
		g.cost = sum(sum(g.cost, estimate(e, n->args[1]).cost), fixed(1));
		/* What a literal holds is known better than by its type. */
		if (g.size.max == UINT64_MAX)
			g.size = of.item;
	} else if (n->kind == CEL_SELECT && (kind != CEL_T_DYN || n->optional)) {
		g.cost = sum(g.cost, fixed(1));
	}
	return g;
}

static struct guess of_list(struct estimator *e, const struct cel_node *n)
{
	struct guess g = { .size = fixed(n->n), .key = fixed(1), .item = { UINT64_MAX, 0 } };

	for (uint32_t i = 0; i < n->n; i++) {
		struct guess one = estimate(e, n->args[i]);

		g.cost = sum(g.cost, one.cost);
		g.item = either(g.item, one.size);
	}
	if (!n->n)
		g.item.min = 0;
	g.cost = sum(g.cost, fixed(COST_LIST));
	return g;
}

static struct guess of_map(struct estimator *e, const struct cel_node *n)
{
	struct guess g = { .size = fixed(n->n / 2),
			   .key = { UINT64_MAX, 0 },
			   .item = { UINT64_MAX, 0 } };

	for (uint32_t i = 0; i + 1 < n->n; i += 2) {
		struct guess key = estimate(e, n->args[i]), one = estimate(e, n->args[i + 1]);

		g.cost = sum(g.cost, sum(key.cost, one.cost));
		g.key = either(g.key, key.size);
		g.item = either(g.item, one.size);
	}
	if (!n->n)
		g.key.min = g.item.min = 0;
	g.cost = sum(g.cost, fixed(COST_MAP));
	return g;
}

static struct guess of_struct(struct estimator *e, const struct cel_node *n)
{
	struct guess g = guess_of_type(n->type);

	for (uint32_t i = 0; i < n->n; i++)
		g.cost = sum(g.cost, estimate(e, n->args[i]).cost);
	g.cost = sum(g.cost, fixed(COST_OBJECT));
	return g;
}

/* ---- calls ---- */

static struct cel_cost replaced(const struct guess *a)
{
	struct cel_cost s = a[0].size, old = a[1].size, with = a[2].size, count = { 0, 0 },
			kept = { 0, 0 };

	if (old.min == 0) {
		count.max = plus(s.max, 1);
		kept.max = s.max;
	} else if (with.max <= old.min) {
		kept.max = s.max;
	} else {
		count.max = s.max == UINT64_MAX ? s.max : s.max / old.min + (s.max % old.min > 0);
	}
	if (old.max == 0) {
		count.min = plus(s.min, 1);
		kept.min = s.min;
	} else if (old.max <= with.min) {
		kept.min = s.min;
	} else {
		count.min = s.min / old.max + (s.min % old.max > 0);
	}
	return sum(product(count, with), kept);
}

static struct cel_cost traversed(const struct cel_node *n, const struct guess *a)
{
	const struct cel_type *t = n->args[0]->type;
	struct cel_cost one = fixed(1);

	if (t->kind != CEL_T_LIST)
		return scaled(a[0].size, TRAVERSAL);
	if (t->of[0]->kind == CEL_T_STRING || t->of[0]->kind == CEL_T_BYTES)
		one.max = plus(one.max, part(a[0].item.max, TRAVERSAL));
	return product(a[0].size, one);
}

static struct cel_cost compared(const struct guess *a)
{
	uint64_t least = MIN(a[0].size.max, a[1].size.max);

	return scaled((struct cel_cost){ least > 0, least }, TRAVERSAL);
}

static struct cel_cost charge_of(const struct cel_node *n, const struct cel_function *f,
				 const struct guess *a)
{
	static const struct cel_cost address = { 4, 16 }; /* bytes of one */

	switch ((enum cel_charge)f->charge) {
	case CEL_CHARGE_SCAN: return scaled(a[0].size, TRAVERSAL);
	case CEL_CHARGE_SCAN_ONE: return scaled(a[1].size, TRAVERSAL);
	case CEL_CHARGE_TWICE: return scaled(a[0].size, 2 * TRAVERSAL);
	case CEL_CHARGE_EQUAL: return compared(a);
	case CEL_CHARGE_CONCAT: return scaled(sum(a[0].size, a[1].size), TRAVERSAL);
	case CEL_CHARGE_MATCH:
		return product(scaled(sum(a[0].size, fixed(1)), TRAVERSAL),
			       scaled(a[1].size, PATTERN));
	case CEL_CHARGE_CONTAINS:
		return product(scaled(a[0].size, TRAVERSAL), scaled(a[1].size, TRAVERSAL));
	case CEL_CHARGE_IN: return a[1].size;
	case CEL_CHARGE_TRAVERSE: return traversed(n, a);
	case CEL_CHARGE_JOIN: {
		struct cel_cost by = f->n > 1 ? a[1].size : fixed(0), l = a[0].size;

		l.min -= l.min > 0;
		l.max -= l.max > 0 && l.max != UINT64_MAX;
		return scaled(sum((struct cel_cost){ 0, times(a[0].size.max, a[0].item.max) },
				  product(by, l)),
			      TRAVERSAL);
	}
	case CEL_CHARGE_CHECK: return fixed(COST_CHECK);
	case CEL_CHARGE_SELECTOR:
		return sum(fixed(COST_LIST),
			   sum(scaled(a[1].size, TRAVERSAL),
			       product(scaled(a[1].size, 0.5), fixed(COST_LIST + COST_OBJECT))));
	case CEL_CHARGE_HOLDS: return scaled(sum(address, address), TRAVERSAL);
	case CEL_CHARGE_HOLDS_TEXT:
		return sum(scaled(sum(address, address), TRAVERSAL), scaled(a[1].size, TRAVERSAL));
	case CEL_CHARGE_HOLDS_NET:
		return sum(scaled(sum(address, address), TRAVERSAL),
			   sum(scaled(address, TRAVERSAL), fixed(1)));
	case CEL_CHARGE_HOLDS_NET_TEXT:
		return sum(sum(scaled(sum(address, address), TRAVERSAL),
			       sum(scaled(address, TRAVERSAL), fixed(1))),
			   scaled(a[1].size, TRAVERSAL));
	case CEL_CHARGE_VALIDATE:
		return scaled(scaled(a[1].size, TRAVERSAL), FORMAT_PATTERN * PATTERN);
	case CEL_CHARGE_PRODUCT: return sum(fixed(1), product(a[0].size, a[1].size));
	case CEL_CHARGE_PRODUCT_TWICE:
		return sum(fixed(1), product(fixed(2), product(a[0].size, a[1].size)));
	case CEL_CHARGE_MAKE_LIST: return sum(fixed(1 + COST_LIST), a[0].size);
	case CEL_CHARGE_SORT:
		return sum(fixed(1 + COST_LIST), product(fixed(2), product(a[0].size, a[0].size)));
	default: return fixed(1);
	}
}

/* Size of a result, when it follows from those of the arguments. */
static void size_of_result(const struct cel_function *f, const struct cel_node *n,
			   const struct guess *a, struct guess *g)
{
	if (strcmp(f->name, "_+_") == 0 && f->ret->kind >= CEL_T_STRING &&
	    f->ret->kind <= CEL_T_LIST && f->ret->kind != CEL_T_TIMESTAMP &&
	    f->ret->kind != CEL_T_DURATION) {
		g->size = sum(a[0].size, a[1].size);
		g->item = either(a[0].item, a[1].item);
		g->key = either(a[0].key, a[1].key);
	} else if (strcmp(f->name, "replace") == 0) {
		g->size = replaced(a);
	} else if (strcmp(f->name, "strings.quote") == 0) {
		g->size = (struct cel_cost){ plus(a[0].size.min, 2),
					     plus(times(a[0].size.max, 2), 2) };
	} else if (strcmp(f->name, "bytes") == 0) {
		g->size = (struct cel_cost){ a[0].size.min, times(a[0].size.max, 4) };
	} else if (strcmp(f->name, "split") == 0 || strcmp(f->name, "find") == 0 ||
		   strcmp(f->name, "findAll") == 0) {
		g->size = (struct cel_cost){ 0, a[0].size.max };
		if (f->n > 2 && n->args[2]->kind == CEL_INT && n->args[2]->i >= 0)
			g->size.max = MIN(g->size.max, (uint64_t)n->args[2]->i);
		g->item = (struct cel_cost){ 0, a[0].size.max };
	} else if (strcmp(f->name, "join") == 0) {
		g->size = (struct cel_cost){ 0, times(charge_of(n, f, a).max, 10) };
	} else if (strcmp(f->name, "lists.range") == 0) {
		g->size = n->args[0]->kind == CEL_INT && n->args[0]->i >= 0
				  ? fixed((uint64_t)n->args[0]->i)
				  : unknown;
		g->item = fixed(1);
	} else if ((f->charge == CEL_CHARGE_SCAN && n->type->kind <= CEL_T_MAP) ||
		   n->type->kind == CEL_T_URL || f->charge == CEL_CHARGE_SORT ||
		   f->charge == CEL_CHARGE_MAKE_LIST || strcmp(f->name, "dyn") == 0) {
		g->size = a[0].size;
		g->item = a[0].item;
		g->key = a[0].key;
	}
}

static struct guess of_ternary(const struct guess *a)
{
	return (struct guess){ .cost = sum(a[0].cost, either(a[1].cost, a[2].cost)),
			       .size = either(a[1].size, a[2].size),
			       .key = either(a[1].key, a[2].key),
			       .item = either(a[1].item, a[2].item) };
}

static struct guess of_call(struct estimator *e, const struct cel_node *n)
{
	const struct cel_bound_call *b = n->bound;
	struct guess a[CEL_ARGS_MAX] = { 0 }, g = guess_of_type(n->type);
	struct cel_cost args = fixed(0), charge = { UINT64_MAX, 0 };

	if (b->op == CEL_OP_AND || b->op == CEL_OP_OR) { /* of any number of arguments */
		a[0] = estimate(e, n->args[0]);
		for (uint32_t i = 1; i < n->n; i++) {
			a[1] = estimate(e, n->args[i]);
			a[0].cost.max = plus(a[0].cost.max, a[1].cost.max);
		}
		return (struct guess){ .size = fixed(1), .cost = a[0].cost };
	}
	for (uint32_t i = 0; i < n->n; i++) {
		a[i] = estimate(e, n->args[i]);
		args = sum(args, a[i].cost);
	}
	if (b->op == CEL_OP_IF)
		return of_ternary(a);
	for (uint32_t i = 0; i < b->n; i++) {
		struct cel_cost one = charge_of(n, b->v[i], a);

		if (strcmp(b->v[i]->name, "lists.range") == 0) {
			struct guess range = g;

			size_of_result(b->v[i], n, a, &range);
			one = sum(fixed(1 + COST_LIST), range.size);
		}
		charge = either(charge, one);
	}
	if (b->n)
		size_of_result(b->v[0], n, a, &g);
	g.cost = sum(args, charge);
	return g;
}

/* ---- macros ---- */

/* What one round costs beside the condition and the result, and what surrounds the rounds. */
static struct cel_cost round_cost(const struct cel_node *n, struct cel_cost condition,
				  struct cel_cost result)
{
	struct cel_cost step;

	switch ((enum cel_fold)n->fold) {
	case CEL_ALL: return (struct cel_cost){ 3, plus(3, condition.max) };
	case CEL_EXISTS: return (struct cel_cost){ 4, plus(4, condition.max) };
	case CEL_EXISTS_ONE: return sum(condition, (struct cel_cost){ 1, 2 });
	case CEL_FILTER: return sum(condition, (struct cel_cost){ 1, 3 + COST_LIST });
	case CEL_TRANSFORM_MAP: step = sum(result, fixed(3)); break;
	case CEL_TRANSFORM_ENTRY: step = sum(result, fixed(2)); break;
	default: step = sum(result, fixed(2 + COST_LIST)); break;
	}
	return n->args[1] ? sum(condition, either(step, fixed(1))) : step;
}

static uint64_t around(const struct cel_node *n)
{
	switch ((enum cel_fold)n->fold) {
	case CEL_ALL:
	case CEL_EXISTS: return 1;
	case CEL_EXISTS_ONE: return 2;
	case CEL_TRANSFORM_MAP:
	case CEL_TRANSFORM_ENTRY: return COST_MAP + 1;
	default: return COST_LIST + 1;
	}
}

static struct guess of_optional(struct guess range, struct guess result)
{
	struct cel_cost some = sum(sum(range.cost, result.cost), fixed(COST_LIST + 2));

	result.cost = sum(sum(range.cost, fixed(1)), either(some, fixed(1)));
	return result;
}

/* A variable over what has this size. */
static struct guess local(struct cel_cost size, const struct cel_type *t)
{
	struct guess g = guess_of_type(t);

	g.size = size;
	return g;
}

static struct guess of_fold(struct estimator *e, const struct cel_node *n)
{
	struct guess range = estimate(e, n->args[0]), condition = { 0 }, result = { 0 },
		     g = guess_of_type(n->type);
	struct guess *vars = &e->locals[*(const uint32_t *)n->bound];
	const struct cel_type *t = n->args[0]->type, *dyn = CEL_DYN;
	bool two = n->vars[1].n > 0, map = t->kind == CEL_T_MAP;

	if (two || map)
		vars[0] = local(range.key, map ? t->of[0] : dyn);
	if (two)
		vars[1] = local(range.item, t->of[0] ? t->of[map] : dyn);
	else if (!map)
		vars[0] = local(range.item, t->of[0] ? t->of[0] : dyn);
	if (n->fold == CEL_OPT_MAP || n->fold == CEL_OPT_FLAT_MAP)
		vars[0] = local(range.size, t->of[0] ? t->of[0] : dyn);
	if (n->args[1])
		condition = estimate(e, n->args[1]);
	if (n->args[2])
		result = estimate(e, n->args[2]);
	if (n->fold == CEL_OPT_MAP || n->fold == CEL_OPT_FLAT_MAP)
		return of_optional(range, result);
	g.cost = sum(sum(range.cost, fixed(around(n))),
		     product(range.size, round_cost(n, condition.cost, result.cost)));
	if (n->fold == CEL_SORT_BY)
		g.cost = sum(g.cost, product(fixed(2), product(range.size, range.size)));
	if (n->type->kind == CEL_T_BOOL)
		return g;
	g.size = range.size;
	g.key = map ? range.key : g.key;
	g.item = n->fold == CEL_FILTER || n->fold == CEL_SORT_BY ? vars[0].size : result.size;
	return g;
}

static struct guess of_bind(struct estimator *e, const struct cel_node *n)
{
	struct guess value = estimate(e, n->args[0]), body;

	e->locals[*(const uint32_t *)n->bound] = value;
	body = estimate(e, n->args[1]);
	body.cost = sum(body.cost, sum(value.cost, fixed(COST_LIST)));
	return body;
}

static struct guess estimate(struct estimator *e, const struct cel_node *n)
{
	struct guess none = guess_of_type(n->type);

	switch ((enum cel_node_kind)n->kind) {
	case CEL_STRING: return of_literal(none, cel_runes(n->s));
	case CEL_BYTES: return of_literal(none, n->s.n);
	case CEL_NULL:
	case CEL_BOOL:
	case CEL_INT:
	case CEL_UINT:
	case CEL_DOUBLE: return of_literal(none, 1);
	case CEL_IDENT: return of_ident(e, n);
	case CEL_SELECT:
	case CEL_HAS:
	case CEL_INDEX: return of_member(e, n);
	case CEL_CALL: return of_call(e, n);
	case CEL_LIST: return of_list(e, n);
	case CEL_MAP: return of_map(e, n);
	case CEL_STRUCT: return of_struct(e, n);
	case CEL_FOLD: return of_fold(e, n);
	case CEL_BIND: return of_bind(e, n);
	}
	return none;
}

struct cel_cost cel_estimate(const struct cel_prog *p, struct arena *a)
{
	struct estimator e = { .locals = ARENA_ARRAY(a, struct guess, p->locals + 2) };

	/* Past the arena's maximum: the caller asks it. */
	return e.locals ? estimate(&e, p->ast.root).cost : unknown;
}
