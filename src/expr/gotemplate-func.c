/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that every template has. */
#include "base/arena.h"
#include "base/err.h"
#include "base/utf8.h"
#include "doc/doc.h"
#include "expr/go-text.h"
#include "expr/gotemplate-private.h"

#define TEXT_MAX (64u << 20)
#define MESSAGE_MAX (64u << 10) /* before it is cut */

#define REFLECT_TYPE "reflect: call of reflect.Value.Type on zero Value"

static bool is_container(const struct gotemplate_value *v)
{
	return v->type == GOTEMPLATE_LIST || v->type == GOTEMPLATE_MAP;
}

static bool is_integer(const struct gotemplate_value *v)
{
	return v->type == GOTEMPLATE_INT || v->type == GOTEMPLATE_INT64 ||
	       v->type == GOTEMPLATE_UINT8;
}

/* ---- index, slice, len, call ---- */

/* A place in a list or text of `most` elements; the place behind the last one passes. As in Go,
 * slice takes none out of its box. */
static int read_place(const struct gotemplate_call *c, const struct gotemplate_value *v,
		      size_t most, size_t *ret)
{
	if (v->type == GOTEMPLATE_NIL && !v->boxed)
		return err_set(c->err, ERR_INVALID, "cannot index slice/array with nil");
	if (v->boxed || !is_integer(v))
		return err_set(c->err, ERR_INVALID, "cannot index slice/array with type %s",
			       v->boxed ? "interface {}" : gotemplate_type_name(v));
	if (v->i < 0 || (uint64_t)v->i > most)
		return err_set(c->err, ERR_INVALID, "index out of range: %lld", (long long)v->i);
	*ret = (size_t)v->i;
	return 0;
}

static int index_text(const struct gotemplate_call *c, const struct gotemplate_value *place,
		      struct gotemplate_value *item)
{
	size_t i;
	int r = read_place(c, place, item->s.n, &i);

	if (r < 0)
		return r;
	if (i == item->s.n)
		return err_set(c->err, ERR_INVALID, "reflect: string index out of range");
	*item = (struct gotemplate_value){ .type = GOTEMPLATE_UINT8,
					   .i = (unsigned char)item->s.p[i] };
	return 0;
}

static int index_list(const struct gotemplate_call *c, const struct gotemplate_value *place,
		      struct gotemplate_value *item)
{
	size_t i;
	int r = read_place(c, place, doc_len(item->d), &i);

	if (r < 0)
		return r;
	if (i == doc_len(item->d))
		return err_set(c->err, ERR_INVALID, "reflect: slice index out of range");
	*item = gotemplate_value_of(doc_at(item->d, i), c->flags);
	item->boxed = true;
	return 0;
}

static int index_map(const struct gotemplate_call *c, const struct gotemplate_value *key,
		     struct gotemplate_value *item)
{
	if (key->type == GOTEMPLATE_NIL)
		return err_set(c->err, ERR_INVALID, "value is nil; should be of type string");
	if (key->type != GOTEMPLATE_STRING)
		return err_set(c->err, ERR_INVALID, "value has type %s; should be string",
			       gotemplate_type_name(key));
	*item = gotemplate_value_of(doc_getn(item->d, key->s), c->flags);
	item->boxed = true;
	return 0;
}

static int run_index(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	int r = 0;

	*ret = gt_unboxed(&c->v[0]);
	if (ret->type == GOTEMPLATE_NIL)
		return err_set(c->err, ERR_INVALID, "index of untyped nil");
	for (size_t i = 1; i < c->n && r == 0; i++) {
		struct gotemplate_value place = gt_unboxed(&c->v[i]);

		switch (ret->type) {
		case GOTEMPLATE_NIL: return err_set(c->err, ERR_INVALID, "index of nil pointer");
		case GOTEMPLATE_STRING: r = index_text(c, &place, ret); break;
		case GOTEMPLATE_LIST: r = index_list(c, &place, ret); break;
		case GOTEMPLATE_MAP: r = index_map(c, &place, ret); break;
		default:
			return err_set(c->err, ERR_INVALID, "can't index item of type %s",
				       gotemplate_type_name(ret));
		}
	}
	return r;
}

/* From and to of what is sliced. A list's capacity is its length here. */
static int read_bounds(const struct gotemplate_call *c, size_t most, size_t bounds[3])
{
	bounds[0] = 0;
	bounds[1] = bounds[2] = most;
	for (size_t i = 1; i < c->n; i++) {
		int r = read_place(c, &c->v[i], most, &bounds[i - 1]);

		if (r < 0)
			return r;
	}
	for (int i = 0; i < 2; i++)
		if (bounds[i] > bounds[i + 1])
			return err_set(c->err, ERR_INVALID, "invalid slice index: %zu > %zu",
				       bounds[i], bounds[i + 1]);
	return 0;
}

static int run_slice(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	size_t bounds[3];
	struct doc *part;
	int r;

	*ret = gt_unboxed(&c->v[0]);
	if (ret->type == GOTEMPLATE_NIL)
		return err_set(c->err, ERR_INVALID, "slice of untyped nil");
	if (c->n > 4)
		return err_set(c->err, ERR_INVALID, "too many slice indexes: %zu", c->n - 1);
	if (ret->type == GOTEMPLATE_STRING && c->n == 4)
		return err_set(c->err, ERR_INVALID, "cannot 3-index slice a string");
	if (ret->type != GOTEMPLATE_STRING && ret->type != GOTEMPLATE_LIST)
		return err_set(c->err, ERR_INVALID, "can't slice item of type %s",
			       gotemplate_type_name(ret));
	r = read_bounds(c, ret->type == GOTEMPLATE_STRING ? ret->s.n : doc_len(ret->d), bounds);
	if (r < 0)
		return r;
	if (ret->type == GOTEMPLATE_STRING) {
		ret->s = slice_of(ret->s.p + bounds[0], bounds[1] - bounds[0]);
		return 0;
	}
	part = doc_new(c->a, doc_array());
	if (!part)
		return arena_quota(c->a, c->err);
	part->kids = ret->d->kids + bounds[0];
	part->n = (uint32_t)(bounds[1] - bounds[0]);
	ret->d = part;
	return 0;
}

static int run_len(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	const struct gotemplate_value *v = &c->v[0];

	ret->type = GOTEMPLATE_INT;
	if (v->type == GOTEMPLATE_STRING)
		ret->i = (int64_t)v->s.n;
	else if (is_container(v))
		ret->i = (int64_t)doc_len(v->d);
	else if (v->type == GOTEMPLATE_NIL)
		return err_set(c->err, ERR_INVALID, "%s",
			       v->boxed ? "len of nil pointer" : REFLECT_TYPE);
	else
		return err_set(c->err, ERR_INVALID, "len of type %s", gotemplate_type_name(v));
	return 0;
}

/* There are no functions among values. */
static int run_call(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(MESSAGE_MAX);

	(void)ret;
	if (c->v[0].type == GOTEMPLATE_NIL)
		return err_set(c->err, ERR_INVALID, "call of nil");
	if (c->words)
		(void)gt_write(c->words, &text);
	else
		(void)buf_addf(&text, "<%s Value>", gotemplate_type_name(&c->v[0]));
	return err_set(c->err, ERR_INVALID, "non-function %s of type %s", buf_str(&text),
		       gotemplate_type_name(&c->v[0]));
}

/* ---- comparison ---- */

enum kind { KIND_OTHER, KIND_TRUTH, KIND_INT, KIND_FLOAT, KIND_STRING };

/* A byte compares with other integers as one of them. */
static enum kind kind_of(const struct gotemplate_value *v)
{
	switch (v->type) {
	case GOTEMPLATE_BOOL: return KIND_TRUTH;
	case GOTEMPLATE_INT:
	case GOTEMPLATE_INT64:
	case GOTEMPLATE_UINT8: return KIND_INT;
	case GOTEMPLATE_FLOAT64: return KIND_FLOAT;
	case GOTEMPLATE_STRING: return KIND_STRING;
	default: return KIND_OTHER;
	}
}

/* Two containers, or one and nil. */
static int equal_others(const struct gotemplate_call *c, const struct gotemplate_value *l,
			const struct gotemplate_value *r)
{
	CLEANUP(buf_fini) struct buf left = BUF_INIT(MESSAGE_MAX), right = BUF_INIT(MESSAGE_MAX);

	if (l->type == GOTEMPLATE_NIL || r->type == GOTEMPLATE_NIL)
		return l->type == r->type;
	(void)gt_print_verb(l, 's', c->flags, &left);
	(void)gt_print_verb(r, l->type == r->type ? 's' : 'v', c->flags, &right);
	if (l->type == r->type)
		return err_set(c->err, ERR_INVALID, "non-comparable type %s: %s", buf_str(&right),
			       gotemplate_type_name(r));
	return err_set(c->err, ERR_INVALID, "non-comparable types %s: %s, %s: %s", buf_str(&left),
		       gotemplate_type_name(l), gotemplate_type_name(r), buf_str(&right));
}

/* 1 they are, 0 not. */
static int equal(const struct gotemplate_call *c, const struct gotemplate_value *l,
		 const struct gotemplate_value *r)
{
	if (kind_of(l) != kind_of(r))
		return l->type == GOTEMPLATE_NIL || r->type == GOTEMPLATE_NIL
			       ? 0
			       : err_set(c->err, ERR_INVALID, "incompatible types for comparison");
	switch (kind_of(l)) {
	case KIND_TRUTH: return l->truth == r->truth;
	case KIND_INT: return l->i == r->i;
	case KIND_FLOAT: return l->f == r->f;
	case KIND_STRING: return slice_eq(l->s, r->s);
	default: return equal_others(c, l, r);
	}
}

static int less(const struct gotemplate_call *c, const struct gotemplate_value *l,
		const struct gotemplate_value *r)
{
	static const char bad_type[] = "invalid type for comparison";

	if (kind_of(l) == KIND_OTHER || kind_of(r) == KIND_OTHER)
		return err_set(c->err, ERR_INVALID, "%s", bad_type);
	if (kind_of(l) != kind_of(r))
		return err_set(c->err, ERR_INVALID, "incompatible types for comparison");
	switch (kind_of(l)) {
	case KIND_INT: return l->i < r->i;
	case KIND_FLOAT: return l->f < r->f;
	case KIND_STRING: return slice_cmp(l->s, r->s) < 0;
	default: return err_set(c->err, ERR_INVALID, "%s", bad_type);
	}
}

static int less_or_equal(const struct gotemplate_call *c, const struct gotemplate_value *l,
			 const struct gotemplate_value *r)
{
	int is = less(c, l, r);

	return is ? is : equal(c, l, r);
}

/* `is` is 0, 1 or an error. */
static int give_truth(int is, bool inverse, struct gotemplate_value *ret)
{
	ret->type = GOTEMPLATE_BOOL;
	ret->truth = (is == 1) != inverse;
	return is < 0 ? is : 0;
}

static int run_eq(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	int is = 0;

	if (c->n == 1)
		return err_set(c->err, ERR_INVALID, "missing argument for comparison");
	for (size_t i = 1; i < c->n && is == 0; i++)
		is = equal(c, &c->v[0], &c->v[i]);
	return give_truth(is, false, ret);
}

static int run_ne(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	return give_truth(equal(c, &c->v[0], &c->v[1]), true, ret);
}

static int run_lt(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	return give_truth(less(c, &c->v[0], &c->v[1]), false, ret);
}

static int run_le(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	return give_truth(less_or_equal(c, &c->v[0], &c->v[1]), false, ret);
}

static int run_gt(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	return give_truth(less_or_equal(c, &c->v[0], &c->v[1]), true, ret);
}

static int run_ge(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	return give_truth(less(c, &c->v[0], &c->v[1]), true, ret);
}

static int run_not(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	return give_truth(gotemplate_true(&c->v[0]), true, ret);
}

/* ---- escapes ---- */

/* How one code point of a text is written. */
typedef void (*escape_fn)(struct buf *out, uint32_t c, struct slice bytes);

static void escape_html(struct buf *out, uint32_t c, struct slice bytes)
{
	switch (c) {
	case 0: (void)buf_adds(out, "\xef\xbf\xbd"); break;
	case '"': (void)buf_adds(out, "&#34;"); break;
	case '\'': (void)buf_adds(out, "&#39;"); break;
	case '&': (void)buf_adds(out, "&amp;"); break;
	case '<': (void)buf_adds(out, "&lt;"); break;
	case '>': (void)buf_adds(out, "&gt;"); break;
	default: (void)buf_add(out, bytes.p, bytes.n);
	}
}

static void escape_js(struct buf *out, uint32_t c, struct slice bytes)
{
	if (c == '\\' || c == '\'' || c == '"')
		(void)buf_addf(out, "\\%c", (int)c);
	else if (c == '<' || c == '>' || c == '&' || c == '=' || c < ' ' ||
		 (c >= 0x80 && !go_is_print(c)))
		(void)buf_addf(out, "\\u%04X", c);
	else
		(void)buf_add(out, bytes.p, bytes.n);
}

static void escape_query(struct buf *out, uint32_t c, struct slice bytes)
{
	bool plain = c < 0x80 && ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
				  (c && strchr("-_.~", (int)c)));

	if (plain)
		(void)buf_addc(out, (char)c);
	else if (c == ' ')
		(void)buf_addc(out, '+');
	else
		for (size_t i = 0; i < bytes.n; i++)
			(void)buf_addf(out, "%%%02X", (unsigned char)bytes.p[i]);
}

/* What is printed of all arguments together, escaped. */
static int escape(const struct gotemplate_call *c, escape_fn fn, struct gotemplate_value *ret)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(TEXT_MAX);
	struct gotemplate_call all = *c;
	struct gotemplate_value *v = ARENA_ARRAY(c->a, struct gotemplate_value, c->n);
	int r;

	if (!v)
		return arena_quota(c->a, c->err);
	for (size_t i = 0; i < c->n; i++) {
		v[i] = c->v[i];
		if (v[i].type == GOTEMPLATE_NIL)
			v[i] = (struct gotemplate_value){ .type = GOTEMPLATE_STRING,
							  .s = SLICE("<no value>") };
	}
	all.v = v;
	r = gt_sprint(&all, ret);
	if (r < 0)
		return r;
	for (size_t i = 0, n; i < ret->s.n && !out.full; i += n) {
		uint32_t code = utf8_next(slice_of(ret->s.p + i, ret->s.n - i), &n);

		fn(&out, code, slice_of(ret->s.p + i, n));
	}
	if (out.full)
		return err_set(c->err, ERR_QUOTA, "a text of more than %u bytes", TEXT_MAX);
	ret->s = slice_of(arena_strndup(c->a, buf_str(&out), out.n), out.n);
	return ret->s.p ? 0 : arena_quota(c->a, c->err);
}

static int run_html(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	return escape(c, escape_html, ret);
}

static int run_js(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	return escape(c, escape_js, ret);
}

static int run_urlquery(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	return escape(c, escape_query, ret);
}

const struct gotemplate_func gt_builtins[] = {
	{ "and", "vv...", NULL },
	{ "call", "vv...", run_call },
	{ "eq", "vv...", run_eq },
	{ "ge", "vv", run_ge },
	{ "gt", "vv", run_gt },
	{ "html", "a...", run_html },
	{ "index", "vv...", run_index },
	{ "js", "a...", run_js },
	{ "le", "vv", run_le },
	{ "len", "v", run_len },
	{ "lt", "vv", run_lt },
	{ "ne", "vv", run_ne },
	{ "not", "v", run_not },
	{ "or", "vv...", NULL },
	{ "print", "a...", gt_sprint },
	{ "printf", "sa...", gt_sprintf },
	{ "println", "a...", gt_sprintln },
	{ "slice", "vv...", run_slice },
	{ "urlquery", "a...", run_urlquery },
	{ 0 },
};
