/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"
#include "expr/go-text.h"
#include "expr/jsonpath-node.h"
#include "expr/jsonpath.h"

#define DESCENT_MAX 1024

struct values {
	const struct doc **v;
	size_t n, cap;
};

struct eval {
	struct arena *a;
	struct err *err;
	unsigned flags;
	size_t total; /* values put in any set */
	/* printing: where the results of each text and path go; NULL: only the first is wanted */
	struct buf *out;
};

static int eval_list(struct eval *x, const struct node *list, const struct values *in,
		     struct values *out);

static int put(struct eval *x, struct values *to, const struct doc *v)
{
	if (++x->total > JSONPATH_VALUES_MAX)
		return err_set(x->err, ERR_TOO_LARGE, "a path finds more than %u values",
			       JSONPATH_VALUES_MAX);
	if (to->n == to->cap) {
		size_t cap = to->cap ? 2 * to->cap : 4;
		const struct doc **v2 =
			arena_grow(x->a, to->v, to->cap * sizeof(*v2), cap * sizeof(*v2));

		if (!v2)
			return arena_quota(x->a, x->err);
		to->v = v2;
		to->cap = cap;
	}
	to->v[to->n++] = v;
	return 0;
}

/* Go's name of what a value is. */
static const char *go_type(const struct doc *v)
{
	switch (v->type) {
	case DOC_BOOL: return "bool";
	case DOC_NUMBER: return v->flags & DOC_INT ? "int64" : "float64";
	case DOC_STRING: return "string";
	case DOC_ARRAY: return "[]interface {}";
	default: return "map[string]interface {}";
	}
}

/* ---- steps ---- */

static int eval_field(struct eval *x, const struct node *n, const struct values *in,
		      struct values *out)
{
	for (size_t i = 0; i < in->n; i++) {
		const struct doc *v = doc_getn(in->v[i], n->name);
		int r = v ? put(x, out, v) : 0;

		if (r < 0)
			return r;
	}
	if (out->n == 0 && in->n && !(x->flags & JSONPATH_MISSING_OK))
		return err_set(x->err, ERR_NOT_FOUND, "%.*s is not found",
			       (int)MIN(n->name.n, (size_t)256), n->name.p);
	return 0;
}

static int slice_list(struct eval *x, const struct node *n, const struct doc *v, struct values *out)
{
	const struct bound *b = n->bounds;
	int64_t len = v->n, from = b[0].known ? b[0].v : 0, to = b[1].known ? b[1].v : len, step;
	int r = 0;

	if (from < 0)
		from += len;
	if (to < 0 || (to == 0 && b[1].derived))
		to += len;
	if (from == to)
		return 0;
	if (from >= len || from < 0 || to > len || to < 0)
		return err_set(
			x->err, ERR_INVALID, "array index out of bounds: index %lld, length %lld",
			(long long)(from >= len || from < 0 ? from : to - 1), (long long)len);
	if (from > to)
		return err_set(x->err, ERR_INVALID,
			       "starting index %lld is greater than ending index %lld",
			       (long long)from, (long long)to);
	step = b[2].known ? b[2].v : 1;
	if (step <= 0)
		return err_set(x->err, ERR_INVALID, "step must be > 0");
	for (; from < to && r == 0; from += step)
		r = put(x, out, doc_at(v, (size_t)from));
	return r;
}

static int eval_slice(struct eval *x, const struct node *n, const struct values *in,
		      struct values *out)
{
	int r = 0;

	for (size_t i = 0; i < in->n && r == 0; i++) {
		const struct doc *v = in->v[i];

		if (v->type == DOC_NULL)
			continue;
		if (v->type != DOC_ARRAY)
			return err_set(x->err, ERR_INVALID, "%s is not array or slice", go_type(v));
		r = slice_list(x, n, v, out);
	}
	return r;
}

static int put_children(struct eval *x, const struct doc *v, struct values *out)
{
	int r = 0;

	for (size_t i = 0; i < doc_len(v) && r == 0; i++)
		r = put(x, out, v->type == DOC_ARRAY ? doc_at(v, i) : doc_value_at(v, i));
	return r;
}

static int eval_all(struct eval *x, const struct values *in, struct values *out)
{
	int r = 0;

	for (size_t i = 0; i < in->n && r == 0; i++)
		r = put_children(x, in->v[i], out);
	return r;
}

/* The value and all containers below it. */
static int descend(struct eval *x, const struct doc *v, struct values *out, unsigned depth)
{
	int r;

	if (doc_len(v) == 0)
		return 0;
	if (depth > DESCENT_MAX)
		return err_set(x->err, ERR_TOO_LARGE, "a document of more than %d levels",
			       DESCENT_MAX);
	r = put(x, out, v);
	for (size_t i = 0; i < doc_len(v) && r == 0; i++)
		r = descend(x, v->type == DOC_ARRAY ? doc_at(v, i) : doc_value_at(v, i), out,
			    depth + 1);
	return r;
}

static int eval_union(struct eval *x, const struct node *n, const struct values *in,
		      struct values *out)
{
	int r = 0;

	for (const struct node *l = n->kids; l && r == 0; l = l->next) {
		struct values some = { 0 };

		r = eval_list(x, l, in, &some);
		for (size_t i = 0; i < some.n && r == 0; i++)
			r = put(x, out, some.v[i]);
	}
	return r;
}

/* ---- filters ---- */

static bool is_whole(const struct doc *v)
{
	return v->type == DOC_NUMBER && v->flags & DOC_INT;
}

/* Negative, 0, positive; or *bad: the two cannot be compared. */
static int compare(const struct doc *l, const struct doc *r, bool *bad)
{
	*bad = l->type != r->type || l->type >= DOC_ARRAY || l->type == DOC_NULL ||
	       (l->type == DOC_NUMBER && is_whole(l) != is_whole(r));
	if (*bad)
		return 0;
	if (l->type == DOC_NUMBER)
		return doc_number_cmp(l, r);
	if (l->type == DOC_BOOL)
		return (l->n != 0) != (r->n != 0);
	return slice_cmp(doc_slice(l), doc_slice(r));
}

static int pass(struct eval *x, enum filter_op op, const struct doc *l, const struct doc *r)
{
	bool bad;
	int c = compare(l, r, &bad);

	if (bad && l->type == r->type && l->type != DOC_NUMBER)
		return err_set(x->err, ERR_INVALID, "invalid type for comparison");
	if (bad)
		return err_set(x->err, ERR_INVALID, "incompatible types for comparison");
	if (l->type == DOC_BOOL && op > OP_NE)
		return err_set(x->err, ERR_INVALID, "invalid type for comparison");
	switch (op) {
	case OP_EQ: return c == 0;
	case OP_NE: return c != 0;
	case OP_LT: return c < 0;
	case OP_LE: return c <= 0;
	case OP_GT: return c > 0;
	default: return c >= 0;
	}
}

/* Of one element: 1 it passes, 0 not. */
static int filter_one(struct eval *x, const struct node *n, const struct doc *v)
{
	const struct values one = { .v = &v, .n = 1 };
	struct values left = { 0 }, right = { 0 };
	int r = eval_list(x, n, &one, &left);

	if (n->op == OP_EXISTS) {
		if (r == -ERR_QUOTA || r == -ERR_TOO_LARGE)
			return r;
		if (r < 0)
			*x->err = (struct err){ 0 };
		return r == 0 && left.n > 0;
	}
	if (r < 0 || left.n == 0)
		return r;
	r = left.n > 1 ? 0 : eval_list(x, n->right, &one, &right);
	if (r < 0)
		return r;
	if (left.n > 1 || right.n > 1)
		return err_set(x->err, ERR_INVALID, "can only compare one element at a time");
	return right.n ? pass(x, n->op, left.v[0], right.v[0]) : 0;
}

static int eval_filter(struct eval *x, const struct node *n, const struct values *in,
		       struct values *out)
{
	for (size_t i = 0; i < in->n; i++) {
		if (in->v[i]->type != DOC_ARRAY)
			return err_set(x->err, ERR_INVALID,
				       "%s is not array or slice and cannot be filtered",
				       go_type(in->v[i]));
		DOC_EACH (v, in->v[i]) {
			int r = filter_one(x, n, v);

			if (r > 0)
				r = put(x, out, v);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* ---- lists of steps ---- */

static int eval_node(struct eval *x, const struct node *n, const struct values *in,
		     struct values *out)
{
	int r = 0;

	switch (n->type) {
	case NODE_VALUE:
		/* a text stands alone, numbers and truth values stand for each value */
		if (n->value.type == DOC_STRING)
			return put(x, out, &n->value);
		for (size_t i = 0; i < in->n && r == 0; i++)
			r = put(x, out, &n->value);
		return r;
	case NODE_LIST: return eval_list(x, n, in, out);
	case NODE_FIELD: return eval_field(x, n, in, out);
	case NODE_SLICE: return eval_slice(x, n, in, out);
	case NODE_FILTER: return eval_filter(x, n, in, out);
	case NODE_ALL: return eval_all(x, in, out);
	case NODE_DESCENT:
		for (size_t i = 0; i < in->n && r == 0; i++)
			r = descend(x, in->v[i], out, 0);
		return r;
	case NODE_UNION: return eval_union(x, n, in, out);
	case NODE_RANGE: *out = *in; return 0;
	case NODE_END: return 0;
	}
	return 0;
}

static int eval_list(struct eval *x, const struct node *list, const struct values *in,
		     struct values *out)
{
	struct values at = *in;

	for (const struct node *n = list->kids; n; n = n->next) {
		struct values next = { 0 };
		int r = eval_node(x, n, &at, &next);

		if (r < 0)
			return r;
		at = next;
	}
	*out = at;
	return 0;
}

int jsonpath_find(const struct jsonpath *p, const struct doc *d, unsigned flags, struct arena *a,
		  struct jsonpath_found *ret, struct err *err)
{
	struct eval x = { .a = a, .err = err, .flags = flags };
	const struct values root = { .v = &d, .n = 1 };
	struct values found = { 0 };
	int r = p->root.kids ? eval_node(&x, p->root.kids, &root, &found) : 0;

	if (r == 0)
		*ret = (struct jsonpath_found){ found.v, found.n };
	return r;
}

/* ---- printing ---- */

static int print_double(const struct doc *v, struct buf *out)
{
	char text[GO_DOUBLE_TEXT];
	double x = 0;

	(void)doc_double(v, &x);
	return buf_add(out, text, go_double_text(x, text));
}

int jsonpath_print_value(const struct doc *v, struct buf *out, struct err *err)
{
	static const struct json_style go = { .order = JSON_SORTED, .html = true };
	int r;

	switch (v->type) {
	case DOC_NULL: r = buf_adds(out, "<nil>"); break;
	case DOC_BOOL: r = buf_adds(out, v->n ? "true" : "false"); break;
	case DOC_STRING: r = buf_add(out, v->s, v->n); break;
	case DOC_NUMBER:
		r = v->flags & DOC_INT ? buf_add(out, v->s, v->n) : print_double(v, out);
		break;
	default: return json_write(v, &go, out, err);
	}
	return r < 0 ? err_set(err, ERR_QUOTA, "what is printed does not fit its memory") : 0;
}

static int print_json(struct eval *x, const struct values *v)
{
	static const struct json_style go = { .indent = "    ",
					      .order = JSON_SORTED,
					      .html = true };
	struct doc list = doc_array();
	int r;

	for (size_t i = 0; i < v->n; i++)
		doc_append(x->a, &list, *v->v[i]);
	if (arena_exceeded(x->a))
		return arena_quota(x->a, x->err);
	r = json_write(&list, &go, x->out, x->err);
	return r < 0 ? r : buf_addc(x->out, '\n');
}

static int print(struct eval *x, const struct values *v)
{
	int r = 0;

	if (x->flags & JSONPATH_JSON)
		return print_json(x, v);
	for (size_t i = 0; i < v->n && r == 0; i++) {
		r = i ? buf_addc(x->out, ' ') : 0;
		if (r == 0)
			r = jsonpath_print_value(v->v[i], x->out, x->err);
	}
	return r;
}

static bool has(const struct node *list, enum node_type type)
{
	for (const struct node *n = list->type == NODE_LIST ? list->kids : NULL; n; n = n->next)
		if (n->type == type)
			return true;
	return false;
}

/* The node that ends the range which begins before n. */
static const struct node *end_of(const struct node *n)
{
	for (unsigned open = 1; n; n = n->next) {
		open += has(n, NODE_RANGE);
		if (has(n, NODE_END) && --open == 0)
			return n;
	}
	return NULL;
}

/* From n up to `end` for one value at hand. Ranges are at most as deep as the parser lets them. */
static int print_block(struct eval *x, const struct node *n, const struct node *end,
		       const struct doc *d)
{
	const struct values root = { .v = &d, .n = 1 };
	int r = 0;

	for (; n && n != end && r == 0; n = n->next) {
		struct values found = { 0 };

		r = eval_node(x, n, &root, &found);
		if (r < 0)
			return r;
		if (has(n, NODE_RANGE)) {
			const struct node *stop = end_of(n->next);

			for (size_t i = 0; i < found.n && r == 0; i++)
				r = print_block(x, n->next, stop, found.v[i]);
			n = stop;
		} else {
			r = print(x, &found);
		}
		if (!n)
			break;
	}
	return r;
}

int jsonpath_print(const struct jsonpath *p, const struct doc *d, unsigned flags, struct arena *a,
		   struct buf *out, struct err *err)
{
	struct eval x = { .a = a, .err = err, .flags = flags, .out = out };
	int r = print_block(&x, p->root.kids, NULL, d);

	return r == -ERR_QUOTA && err && !err->code
		       ? err_set(err, ERR_QUOTA, "what is printed does not fit its memory")
		       : r;
}
