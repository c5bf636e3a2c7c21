/* SPDX-License-Identifier: Apache-2.0 */
#include "api/selector.h"

#include "api/api.h"
#include "api/check.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#include <stdlib.h>

#define VALUES_MAX 4096

struct parse {
	const char *p, *end;
	struct arena *a;
	struct selector_term *terms;
	size_t n;
	struct err *err;
};

static int bad(struct parse *x, const char *fmt, struct slice what)
{
	(void)err_set(x->err, ERR_BAD_REQUEST, fmt, (int)MIN(what.n, (size_t)128),
		      what.n ? what.p : "");
	return err_wrap(x->err, "unable to parse requirement");
}

static int full(struct parse *x)
{
	return err_set(x->err, ERR_QUOTA, "the selector does not fit its memory");
}

static int new_term(struct parse *x, struct selector_term **ret)
{
	if (x->n == SELECTOR_TERMS_MAX)
		return err_set(x->err, ERR_BAD_REQUEST, "a selector of more than %d requirements",
			       SELECTOR_TERMS_MAX);
	if ((x->n & (x->n - 1)) == 0) {
		size_t old = x->n * sizeof(*x->terms), cap = x->n ? 2 * x->n : 1;

		x->terms = x->n ? arena_grow(x->a, x->terms, old, cap * sizeof(*x->terms))
				: arena_alloc(x->a, sizeof(*x->terms));
		if (!x->terms)
			return full(x);
	}
	*ret = &x->terms[x->n++];
	return 0;
}

static int cmp_slices(const void *a, const void *b)
{
	return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static int set_values(struct parse *x, struct selector_term *t, const struct slice *v, size_t n)
{
	struct slice *copy = arena_alloc(x->a, n * sizeof(*copy));

	if (!copy)
		return full(x);
	memcpy(copy, v, n * sizeof(*copy));
	qsort(copy, n, sizeof(*copy), cmp_slices);
	t->values = copy;
	t->n = n;
	return 0;
}

/* ---- labels as text ---- */

static void skip_blanks(struct parse *x)
{
	while (x->p < x->end && (*x->p == ' ' || *x->p == '\t' || *x->p == '\r' || *x->p == '\n'))
		x->p++;
}

static bool take(struct parse *x, char c)
{
	skip_blanks(x);
	if (x->p == x->end || *x->p != c)
		return false;
	x->p++;
	return true;
}

static struct slice word(struct parse *x)
{
	const char *from;

	skip_blanks(x);
	from = x->p;
	while (x->p < x->end && !strchr("=!(),<> \t\r\n", *x->p))
		x->p++;
	return slice_of(from, (size_t)(x->p - from));
}

static int check_key(struct parse *x, struct slice key)
{
	const char *why = form_qualified_name(key);

	if (key.n == 0)
		return bad(x, "found '%.*s', expected: !, identifier, or 'end of string'",
			   slice_of(x->p, x->p < x->end));
	if (why)
		return err_set(x->err, ERR_BAD_REQUEST, "key: Invalid value: \"%.*s\": %s",
			       (int)MIN(key.n, (size_t)320), key.p, why);
	return 0;
}

static int check_value(struct parse *x, struct slice key, struct slice v)
{
	const char *why = form_label_value(v);

	return why ? err_set(x->err, ERR_BAD_REQUEST,
			     "values[0][%.*s]: Invalid value: \"%.*s\": %s",
			     (int)MIN(key.n, (size_t)320), key.p, (int)MIN(v.n, (size_t)320), v.p,
			     why)
		   : 0;
}

/* (a,b) behind in and notin. */
static int read_set(struct parse *x, struct selector_term *t)
{
	struct slice v[64], *more = v;
	size_t n = 0, cap = ARRAY_LEN(v);
	int r;

	if (!take(x, '('))
		return bad(x, "found '%.*s' expected: '('", slice_of(x->p, x->p < x->end));
	do {
		if (n == VALUES_MAX)
			return err_set(x->err, ERR_BAD_REQUEST, "a selector of more than %d values",
				       VALUES_MAX);
		if (n == cap) {
			struct slice *wider = arena_alloc(x->a, VALUES_MAX * sizeof(*wider));

			if (!wider)
				return full(x);
			memcpy(wider, more, n * sizeof(*wider));
			more = wider;
			cap = VALUES_MAX;
		}
		more[n] = word(x);
		r = check_value(x, t->key, more[n]);
		if (r < 0)
			return r;
		n++;
	} while (take(x, ','));
	if (!take(x, ')'))
		return bad(x, "found '%.*s', expected: ',', or ')'", slice_of(x->p, x->p < x->end));
	return set_values(x, t, more, n);
}

static int read_one(struct parse *x, struct selector_term *t, enum selector_op op)
{
	struct slice v = word(x);
	int r = check_value(x, t->key, v);
	struct doc number;
	int64_t i;

	t->op = op;
	if (r == 0 && op >= SELECT_GREATER &&
	    (!doc_number_parse(v, &number) || doc_int64(&number, &i) != 0))
		return bad(x, "for 'Gt', 'Lt' operators, the value must be an integer, not '%.*s'",
			   v);
	return r < 0 ? r : set_values(x, t, &v, 1);
}

static int read_operator(struct parse *x, struct selector_term *t)
{
	struct parse before;
	struct slice op;

	skip_blanks(x);
	if (x->p == x->end || *x->p == ',') {
		t->op = SELECT_EXISTS;
		return 0;
	}
	if (take(x, '=')) {
		if (x->p < x->end && *x->p == '=')
			x->p++;
		return read_one(x, t, SELECT_EQUAL);
	}
	if (take(x, '>'))
		return read_one(x, t, SELECT_GREATER);
	if (take(x, '<'))
		return read_one(x, t, SELECT_LESS);
	before = *x;
	if (take(x, '!') && take(x, '='))
		return read_one(x, t, SELECT_NOT_EQUAL);
	*x = before;
	op = word(x);
	t->op = slice_is(op, "in") ? SELECT_IN : SELECT_NOT_IN;
	if (t->op == SELECT_NOT_IN && !slice_is(op, "notin"))
		return bad(x, "found '%.*s', expected: in, notin, =, ==, !=, gt, lt", op);
	return read_set(x, t);
}

static int read_term(struct parse *x)
{
	struct selector_term *t;
	bool absent = take(x, '!');
	struct slice key = word(x);
	int r = check_key(x, key);

	if (r == 0)
		r = new_term(x, &t);
	if (r < 0)
		return r;
	t->key = key;
	if (absent) {
		t->op = SELECT_ABSENT;
		return 0;
	}
	return read_operator(x, t);
}

static int cmp_terms(const void *a, const void *b)
{
	return slice_cmp(((const struct selector_term *)a)->key,
			 ((const struct selector_term *)b)->key);
}

int selector_labels(struct slice text, struct arena *a, struct selector *ret, struct err *err)
{
	struct parse x = { text.p, text.p + text.n, a, NULL, 0, err };
	int r = 0;

	skip_blanks(&x);
	while (r == 0 && x.p < x.end) {
		r = read_term(&x);
		skip_blanks(&x);
		if (r == 0 && x.p < x.end && !take(&x, ','))
			r = bad(&x, "found '%.*s', expected: ',' or 'end of string'", word(&x));
		else if (r == 0 && x.p > text.p && x.p[-1] == ',' && x.p == x.end)
			r = bad(&x, "found '%.*s', expected: identifier after ','",
				slice_of("", 0));
	}
	if (r < 0)
		return r;
	if (x.n > 1)
		qsort(x.terms, x.n, sizeof(*x.terms), cmp_terms);
	*ret = (struct selector){ x.terms, x.n };
	return 0;
}

/* ---- meta.LabelSelector ---- */

static int object_expression(struct parse *x, const struct doc *e)
{
	static const struct {
		const char *name;
		enum selector_op op;
	} ops[] = { { "In", SELECT_IN },
		    { "NotIn", SELECT_NOT_IN },
		    { "Exists", SELECT_EXISTS },
		    { "DoesNotExist", SELECT_ABSENT } };
	const struct doc *op = doc_get(e, "operator"), *list = doc_get(e, "values");
	struct selector_term *t;
	struct slice *v;
	int r = new_term(x, &t);

	if (r < 0)
		return r;
	t->key = doc_slice(doc_get(e, "key"));
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (!doc_str_is(op, ops[i].name))
			continue;
		t->op = ops[i].op;
		v = arena_alloc(x->a, (doc_len(list) + 1) * sizeof(*v));
		if (!v)
			return full(x);
		for (size_t j = 0; j < doc_len(list); j++)
			v[j] = doc_slice(doc_at(list, j));
		return set_values(x, t, v, doc_len(list));
	}
	return err_set(x->err, ERR_INVALID, "\"%.*s\" is not a valid label selector operator",
		       (int)doc_slice(op).n, doc_slice(op).p);
}

int selector_object(const struct doc *d, struct arena *a, struct selector *ret, bool *ret_none,
		    struct err *err)
{
	struct parse x = { NULL, NULL, a, NULL, 0, err };
	struct selector_term *t;
	int r = 0;

	*ret = (struct selector){ NULL, 0 };
	*ret_none = !doc_is(d, DOC_OBJECT);
	DOC_EACH_MEMBER (key, value, doc_get(d, "matchLabels")) {
		struct slice v = doc_slice(value);

		r = new_term(&x, &t);
		if (r < 0)
			return r;
		t->key = doc_slice(key);
		t->op = SELECT_EQUAL;
		r = set_values(&x, t, &v, 1);
		if (r < 0)
			return r;
	}
	DOC_EACH (e, doc_get(d, "matchExpressions")) {
		r = object_expression(&x, e);
		if (r < 0)
			return r;
	}
	if (x.n > 1)
		qsort(x.terms, x.n, sizeof(*x.terms), cmp_terms);
	*ret = (struct selector){ x.terms, x.n };
	return 0;
}

/* ---- fields as text ---- */

/* Up to a character of `stop` that no backslash precedes; without the backslashes. */
static int field_word(struct parse *x, const char *stop, struct slice *ret)
{
	char *out = arena_alloc_raw(x->a, (size_t)(x->end - x->p) + 1, 1);
	size_t n = 0;

	if (!out)
		return full(x);
	while (x->p < x->end && !strchr(stop, *x->p)) {
		if (*x->p == '\\') {
			x->p++;
			if (x->p == x->end || !strchr("\\,=", *x->p))
				return err_set(x->err, ERR_BAD_REQUEST,
					       "invalid field selector: invalid escape sequence");
		}
		out[n++] = *x->p++;
	}
	*ret = slice_of(out, n);
	return 0;
}

static int field_term(struct parse *x)
{
	struct selector_term *t;
	struct slice key, value;
	bool not = false;
	int r = field_word(x, ",=!", &key);

	if (r < 0)
		return r;
	if (x->p < x->end && *x->p == '!') {
		not = true;
		x->p++;
	}
	if (x->p == x->end || *x->p != '=')
		return err_set(x->err, ERR_BAD_REQUEST,
			       "invalid selector: '%.*s'; can't understand '%.*s'", (int)key.n,
			       key.p, (int)key.n, key.p);
	x->p++;
	if (!not &&x->p < x->end && *x->p == '=')
		x->p++;
	r = field_word(x, ",", &value);
	if (r == 0)
		r = new_term(x, &t);
	if (r != 0)
		return r;
	t->key = key;
	t->op = not ? SELECT_NOT_EQUAL : SELECT_EQUAL;
	return set_values(x, t, &value, 1);
}

int selector_fields(struct slice text, struct arena *a, struct selector *ret, struct err *err)
{
	struct parse x = { text.p, text.p + text.n, a, NULL, 0, err };
	int r = 0;

	while (r == 0 && x.p < x.end) {
		if (*x.p != ',')
			r = field_term(&x);
		if (r == 0 && x.p < x.end)
			x.p++; /* the comma */
	}
	*ret = (struct selector){ x.terms, x.n };
	return r;
}

int selector_check_fields(const struct selector *s, const struct api_kind *kind, struct err *err)
{
	for (size_t i = 0; i < s->n; i++) {
		struct slice key = s->terms[i].key;
		bool known = slice_is(key, "metadata.name") ||
			     (kind->namespaced && slice_is(key, "metadata.namespace"));

		for (size_t j = 0; !known && kind->selectable[j]; j++)
			known = slice_is(key, kind->selectable[j]);
		if (!known)
			return err_set(err, ERR_BAD_REQUEST, "field label not supported: %.*s",
				       (int)MIN(key.n, (size_t)256), key.p);
	}
	return 0;
}

/* ---- matching ---- */

static bool has_value(const struct selector_term *t, struct slice v)
{
	if (t->n < 8) {
		for (size_t i = 0; i < t->n; i++)
			if (slice_eq(t->values[i], v))
				return true;
		return false;
	}
	return bsearch(&v, t->values, t->n, sizeof(v), cmp_slices) != NULL;
}

static bool compares(const struct selector_term *t, struct slice v)
{
	struct doc label, bound;
	int64_t l, b;

	if (!doc_number_parse(v, &label) || doc_int64(&label, &l) != 0 || t->n == 0 ||
	    !doc_number_parse(t->values[0], &bound) || doc_int64(&bound, &b) != 0)
		return false;
	return t->op == SELECT_GREATER ? l > b : l < b;
}

bool selector_match_term(const struct selector_term *t, bool there, struct slice v)
{
	switch (t->op) {
	case SELECT_EQUAL:
	case SELECT_IN: return there && has_value(t, v);
	case SELECT_NOT_EQUAL:
	case SELECT_NOT_IN: return !there || !has_value(t, v);
	case SELECT_EXISTS: return there;
	case SELECT_ABSENT: return !there;
	case SELECT_GREATER:
	case SELECT_LESS: return there && compares(t, v);
	}
	return false;
}

bool selector_match_labels(const struct selector *s, const struct doc *labels)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct doc *v = doc_getn(labels, s->terms[i].key);

		if (!selector_match_term(&s->terms[i], v != NULL, doc_slice(v)))
			return false;
	}
	return true;
}

/* The value at a path of names: texts as they are, booleans and numbers as they are written. */
static struct slice field_text(const struct doc *obj, struct slice path)
{
	while (path.n && obj) {
		const char *dot = memchr(path.p, '.', path.n);
		size_t n = dot ? (size_t)(dot - path.p) : path.n;

		obj = doc_getn(obj, slice_of(path.p, n));
		path = dot ? slice_of(dot + 1, path.n - n - 1) : slice_of("", 0);
	}
	if (doc_is(obj, DOC_BOOL))
		return obj->n ? SLICE("true") : SLICE("false");
	if (doc_is(obj, DOC_STRING) || doc_is(obj, DOC_NUMBER))
		return slice_of(obj->s, obj->n);
	return slice_of("", 0);
}

bool selector_match_fields(const struct selector *s, const struct doc *obj)
{
	for (size_t i = 0; i < s->n; i++)
		if (!selector_match_term(&s->terms[i], true, field_text(obj, s->terms[i].key)))
			return false;
	return true;
}

bool selector_requires(const struct selector *s, const char *key, struct slice *ret)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct selector_term *t = &s->terms[i];

		if (t->n == 1 && (t->op == SELECT_EQUAL || t->op == SELECT_IN) &&
		    slice_is(t->key, key)) {
			*ret = t->values[0];
			return true;
		}
	}
	return false;
}

/* ---- printing ---- */

static void print_term(const struct selector_term *t, struct buf *out)
{
	static const char *const ops[] = { "=", "!=", " in (", " notin (", "", "", ">", "<" };
	bool set = t->op == SELECT_IN || t->op == SELECT_NOT_IN;

	(void)buf_addf(out, "%s%.*s%s", t->op == SELECT_ABSENT ? "!" : "", (int)t->key.n, t->key.p,
		       ops[t->op]);
	for (size_t i = 0; i < t->n; i++)
		(void)buf_addf(out, "%s%.*s", i ? "," : "", (int)t->values[i].n, t->values[i].p);
	if (set)
		(void)buf_addc(out, ')');
}

int selector_print(const struct selector *s, struct buf *out)
{
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			(void)buf_addc(out, ',');
		print_term(&s->terms[i], out);
	}
	return out->full ? -ERR_QUOTA : 0;
}
