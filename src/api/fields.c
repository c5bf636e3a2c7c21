/* SPDX-License-Identifier: Apache-2.0 */
#include "api/fields.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

static struct slice text_of(const struct doc *key)
{
	return slice_of(key->s, key->n);
}

/* ---- the order of steps ---- */

/*
 * Canonical keys and values are compact JSON of scalars, so two texts that have gone the same way
 * up to here are at the same place of their grammar.
 */
struct scan {
	const char *p, *end;
};

static int peek(const struct scan *s)
{
	return s->p < s->end ? (unsigned char)*s->p : -1;
}

static unsigned hex_of(const char *p)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		unsigned c = (unsigned char)p[i];

		v = v * 16 + (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
	}
	return v;
}

/*
 * One byte or escaped character of a string, -1 at its end. Bytes and characters compare alike:
 * what is escaped is below 0x80, or U+2028 and U+2029, given here by their three bytes' place.
 */
static int next_char(struct scan *s)
{
	static const char names[] = "b\bf\fn\nr\rt\t";
	int c = peek(s);

	if (c < 0 || c == '"')
		return -1;
	s->p++;
	if (c == 0xe2 && s->end - s->p >= 2) {
		c = c << 16 | (unsigned char)s->p[0] << 8 | (unsigned char)s->p[1];
		s->p += 2;
		return c;
	}
	if (c != '\\' || s->p >= s->end)
		return c >= 0x80 ? c << 16 : c;
	c = (unsigned char)*s->p++;
	if (c == 'u' && s->end - s->p >= 4) {
		unsigned v = hex_of(s->p);

		s->p += 4;
		return v < 0x80 ? (int)v : (int)(0xe20000 | 0x8000 | (0x80 | (v & 0x3f)));
	}
	for (const char *n = names; *n; n += 2)
		if (*n == c)
			return n[1];
	return c;
}

static int cmp_strings(struct scan *x, struct scan *y)
{
	x->p++;
	y->p++;
	for (;;) {
		int c = next_char(x), d = next_char(y);

		if (c != d)
			return c < d ? -1 : 1;
		if (c < 0)
			break;
	}
	x->p++;
	y->p++;
	return 0;
}

/* Numbers, then strings, booleans, null: upstream's order of values. */
static int rank_of(int c)
{
	return c == '"' ? 1 : c == 't' || c == 'f' ? 2 : c == 'n' ? 3 : 0;
}

static struct slice word(struct scan *s)
{
	const char *from = s->p;

	while (s->p < s->end && *s->p != ',' && *s->p != '}' && *s->p != ':')
		s->p++;
	return slice_of(from, (size_t)(s->p - from));
}

static int cmp_words(struct scan *x, struct scan *y, int rank)
{
	struct slice v = word(x), w = word(y);
	struct doc m, n;

	if (slice_eq(v, w))
		return 0;
	if (rank == 0 && doc_number_parse(v, &m) && doc_number_parse(w, &n)) {
		int c = doc_number_cmp(&m, &n);

		return c < 0 ? -1 : c > 0;
	}
	return v.n && w.n && v.p[0] < w.p[0] ? -1 : 1; /* false before true */
}

static int cmp_json(struct scan x, struct scan y)
{
	for (;;) {
		int c = peek(&x), d = peek(&y), r;

		if (c < 0 || d < 0)
			return (c >= 0) - (d >= 0);
		if (c == '{' || c == ':' || (c == ',' && d == ',')) {
			x.p++;
			y.p++;
			if (c == '{' && peek(&x) != peek(&y))
				return peek(&x) == '}' ? -1 : 1;
			continue;
		}
		if (c == '}' || d == '}' || c == ',' || d == ',')
			return (d == '}') - (c == '}');
		if (rank_of(c) != rank_of(d))
			return rank_of(c) < rank_of(d) ? -1 : 1;
		r = c == '"' ? cmp_strings(&x, &y) : cmp_words(&x, &y, rank_of(c));
		if (r)
			return r;
	}
}

static int cmp_bytes(struct slice x, struct slice y)
{
	size_t n = MIN(x.n, y.n);
	int c = n ? memcmp(x.p, y.p, n) : 0;

	return c ? c : (x.n > y.n) - (x.n < y.n);
}

static int kind_rank(struct slice s)
{
	static const char order[] = ".fkvi";
	const char *at = s.n ? memchr(order, s.p[0], sizeof(order) - 1) : NULL;

	return at ? (int)(at - order) : (int)sizeof(order);
}

int fields_cmp(struct slice x, struct slice y)
{
	int rx, ry;

	if (x.n && y.n && x.p[0] == 'f' && y.p[0] == 'f')
		return cmp_bytes(x, y);
	rx = kind_rank(x);
	ry = kind_rank(y);
	if (rx != ry)
		return rx - ry;
	if (rx == 0 || slice_eq(x, y))
		return cmp_bytes(x, y);
	return cmp_json((struct scan){ x.p + 2, x.p + x.n }, (struct scan){ y.p + 2, y.p + y.n });
}

static int cmp_members(const void *a, const void *b)
{
	return fields_cmp(text_of(a), text_of(b));
}

static bool sorted(const struct doc *set)
{
	for (size_t i = 1; i < set->n; i++)
		if (fields_cmp(text_of(doc_key_at(set, i - 1)), text_of(doc_key_at(set, i))) >= 0)
			return false;
	return true;
}

/* ---- building ---- */

struct doc fields_key(char kind, struct slice text, struct arena *a)
{
	char *p;

	if (!kind)
		return doc_borrow(text.p, text.n);
	p = arena_alloc_raw(a, text.n + 2, 1);
	if (!p)
		return doc_null();
	p[0] = kind;
	p[1] = ':';
	if (text.n)
		memcpy(p + 2, text.p, text.n);
	return doc_borrow(p, text.n + 2);
}

static struct doc with_self(struct doc steps, struct arena *a)
{
	struct doc *kids = arena_alloc_raw(a, (2 * (size_t)steps.n + 2) * sizeof(*kids), 16);

	if (!kids)
		return steps;
	kids[0] = DOC_LIT(".");
	kids[1] = doc_object();
	memcpy(kids + 2, steps.kids, 2 * (size_t)steps.n * sizeof(*kids));
	steps.kids = kids;
	steps.n++;
	steps.room = 0;
	return steps;
}

struct doc fields_close(struct fields_node *n, struct arena *a)
{
	struct doc d = n->steps;

	if (d.n > 1 && !sorted(&d))
		qsort(d.kids, d.n, 2 * sizeof(struct doc), cmp_members);
	return n->member && d.n ? with_self(d, a) : d;
}

void fields_add(struct fields_node *to, struct doc key, struct fields_node *n, struct arena *a)
{
	if (key.type == DOC_STRING && (n->member || n->steps.n))
		doc_add_node(a, &to->steps, key, fields_close(n, a));
}

/* ---- reading ---- */

/* Printable as it is, in any of our JSON strings: no escape, nothing that HTML escapes. */
static const char *plain_string(const char *p, const char *end)
{
	if (p >= end || *p != '"')
		return NULL;
	for (p++; p < end && *p != '"'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x20 || c == '\\' || c == '<' || c == '>' || c == '&' || c >= 0x7f)
			return NULL;
	}
	return p < end ? p + 1 : NULL;
}

static const char *plain_value(const char *p, const char *end)
{
	const char *from = p;

	if (p < end && *p == '"')
		return plain_string(p, end);
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p > from && p - from < 16 && (*from != '0' || p - from == 1) ? p : NULL;
}

/* The commonest keys, canonical as they stand: {"name":"x"}, {"port":80,"protocol":"TCP"}. */
static bool plain_keys(struct slice s)
{
	const char *p = s.p, *end = s.p + s.n;
	struct slice last = { NULL, 0 };

	if (s.n < 2 || *p++ != '{')
		return false;
	for (;;) {
		const char *name = p;
		struct slice now;

		p = plain_string(p, end);
		if (!p || p >= end || *p != ':')
			return false;
		now = slice_of(name + 1, (size_t)(p - name) - 2);
		if (last.p && cmp_bytes(last, now) >= 0)
			return false;
		last = now;
		p = plain_value(p + 1, end);
		if (!p || p >= end)
			return false;
		if (*p == '}')
			return p + 1 == end;
		if (*p++ != ',')
			return false;
	}
}

static bool is_scalar(struct doc *d, struct arena *a)
{
	double v;

	if (d->type == DOC_NUMBER && !(d->flags & DOC_INT) && doc_double(d, &v) >= 0)
		*d = doc_num(a, v);
	return d->type < DOC_ARRAY;
}

static int canonical_json(struct slice step, struct arena *a, struct slice *ret, struct err *err)
{
	static const struct json_options few = { .max_depth = 2, .max_nodes = 128 };
	static const struct json_style style = { .order = JSON_SORTED, .html = true };
	struct slice text = slice_of(step.p + 2, step.n - 2), out;
	char *p;
	struct doc *d;
	int r = json_read(a, text, &few, &d, err);

	if (r < 0)
		return err_set(err, r == -ERR_QUOTA ? ERR_QUOTA : ERR_INVALID,
			       "the step %.*s is no JSON", (int)MIN(step.n, (size_t)128), step.p);
	if (step.p[0] == 'k' ? d->type != DOC_OBJECT : !is_scalar(d, a))
		return err_set(err, ERR_INVALID, "the step %.*s is not of %s",
			       (int)MIN(step.n, (size_t)128), step.p,
			       step.p[0] == 'k' ? "an object of keys" : "a scalar");
	DOC_EACH_MEMBER (name, value, d)
		if (step.p[0] == 'k' && (!name || !is_scalar(value, a)))
			return err_set(err, ERR_INVALID,
				       "the step %.*s has a key that is no scalar",
				       (int)MIN(step.n, (size_t)128), step.p);
	r = json_print(a, d, &style, &out, err);
	p = r == 0 ? arena_alloc_raw(a, out.n + 2, 1) : NULL;
	if (!p)
		return arena_quota(a, err);
	memcpy(p, step.p, 2);
	memcpy(p + 2, out.p, out.n);
	*ret = slice_of(p, out.n + 2);
	return 0;
}

static int read_index(struct slice step, struct arena *a, struct slice *ret, struct err *err)
{
	struct slice digits = slice_of(step.p + 2, step.n - 2);
	int64_t v;
	char *p;

	if (digits.n && *digits.p == '+')
		digits = slice_of(digits.p + 1, digits.n - 1);
	if (str_int64(digits, &v, NULL) < 0)
		return err_set(err, ERR_INVALID, "the step %.*s is no index",
			       (int)MIN(step.n, (size_t)128), step.p);
	p = arena_printf(a, "i:%lld", (long long)v);
	*ret = slice_str(p);
	return p ? 0 : arena_quota(a, err);
}

/* 0; 1: a kind that is not known; negative: refused. */
static int read_step(struct slice step, struct arena *a, struct slice *ret, struct err *err)
{
	*ret = step;
	if (step.n > FIELDS_KEY_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "a step of a set of fields is longer than %d bytes", FIELDS_KEY_MAX);
	if (step.n < 2 || step.p[1] != ':')
		return err_set(err, ERR_INVALID, "'%.*s' is no step of a set of fields",
			       (int)MIN(step.n, (size_t)128), step.n ? step.p : "");
	switch (step.p[0]) {
	case 'f': return 0;
	case 'i': return read_index(step, a, ret, err);
	case 'k':
		if (plain_keys(slice_of(step.p + 2, step.n - 2)))
			return 0;
		return canonical_json(step, a, ret, err);
	case 'v': return canonical_json(step, a, ret, err);
	default: return 1;
	}
}

static int read_node(const struct doc *d, struct arena *a, unsigned depth, struct fields_node *n,
		     struct err *err);
static void join_into(enum fields_op op, const struct doc *x, const struct doc *y, struct arena *a,
		      struct doc *ret);

static int read_child(const struct doc *key, const struct doc *value, struct arena *a,
		      unsigned depth, struct fields_node *to, struct err *err)
{
	struct fields_node n = FIELDS_NODE;
	struct slice step;
	int r = read_step(text_of(key), a, &step, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = read_node(value, a, depth + 1, &n, err);
	if (r < 0)
		return r;
	n.member |= n.steps.n == 0;
	fields_add(to, step.p == key->s ? *key : doc_borrow(step.p, step.n), &n, a);
	return 0;
}

/* The same step told twice, in two spellings: both. */
static void join_twins(struct doc *set, struct arena *a)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++) {
		struct doc *key = doc_key_at(set, i), *value = doc_value_at(set, i);

		if (n && fields_cmp(text_of(doc_key_at(set, n - 1)), text_of(key)) == 0) {
			struct doc *last = doc_value_at(set, n - 1);
			struct fields_node both = FIELDS_NODE;

			both.member = fields_member(last) || fields_member(value);
			join_into(FIELDS_UNION, last, value, a, &both.steps);
			*last = fields_close(&both, a);
			continue;
		}
		*doc_key_at(set, n) = *key;
		*doc_value_at(set, n) = *value;
		n++;
	}
	set->n = (uint32_t)n;
}

static int read_node(const struct doc *d, struct arena *a, unsigned depth, struct fields_node *n,
		     struct err *err)
{
	if (depth > FIELDS_DEPTH_MAX)
		return err_set(err, ERR_TOO_LARGE, "a set of fields is more than %d steps deep",
			       FIELDS_DEPTH_MAX);
	if (d->type != DOC_OBJECT && d->type != DOC_NULL)
		return err_set(err, ERR_INVALID, "a set of fields holds %s", doc_type_name(d));
	DOC_EACH_MEMBER (key, value, d) {
		int r;

		if (key->n == 1 && key->s[0] == '.') {
			n->member = true;
			continue;
		}
		r = read_child(key, value, a, depth, n, err);
		if (r < 0)
			return r;
	}
	if (!sorted(&n->steps)) {
		qsort(n->steps.kids, n->steps.n, 2 * sizeof(struct doc), cmp_members);
		join_twins(&n->steps, a);
	}
	return 0;
}

/* A step that read_step would give back as it is (and more are not worth a look here). */
static bool plain_step(const struct doc *key)
{
	if (key->n < 2 || key->n > FIELDS_KEY_MAX || key->s[1] != ':')
		return false;
	return key->s[0] == 'f' ||
	       (key->s[0] == 'k' && plain_keys(slice_of(key->s + 2, key->n - 2)));
}

/* What was written here before mostly is canonical: then it is taken as it is. */
static bool canonical(const struct doc *d, unsigned depth)
{
	const struct doc *last = NULL;

	if (d->type != DOC_OBJECT || depth > FIELDS_DEPTH_MAX)
		return false;
	DOC_EACH_MEMBER (key, value, d) {
		bool self = key->n == 1 && key->s[0] == '.';

		if (self ? depth == 0 || last || d->n == 1 || doc_len(value) : !plain_step(key))
			return false;
		if (last && fields_cmp(text_of(last), text_of(key)) >= 0)
			return false;
		if (!canonical(value, depth + 1))
			return false;
		last = key;
	}
	return true;
}

int fields_read(const struct doc *d, struct arena *a, struct doc *ret, struct err *err)
{
	struct fields_node n = FIELDS_NODE;
	int r;

	if (canonical(d, 0)) {
		*ret = *d;
		return 0;
	}
	r = read_node(d, a, 0, &n, err);
	if (r < 0)
		return r;
	if (arena_exceeded(a))
		return arena_quota(a, err);
	n.member = false;
	*ret = fields_close(&n, a);
	return 0;
}

/* ---- operations ---- */

/* A step of both. */
static void join_both(enum fields_op op, const struct doc *key, const struct doc *x,
		      const struct doc *y, struct arena *a, struct doc *ret)
{
	bool mx = fields_member(x), my = fields_member(y);
	struct fields_node n = FIELDS_NODE;

	if ((op == FIELDS_OUTSIDE && my) || (op == FIELDS_WITHIN && my)) {
		if (op == FIELDS_WITHIN)
			doc_add_node(a, ret, *key, *x);
		return;
	}
	n.member = op == FIELDS_UNION	       ? mx || my
		   : op == FIELDS_INTERSECTION ? mx && my
		   : op == FIELDS_WITHIN       ? false
					       : mx && !my;
	join_into(op, x, y, a, &n.steps);
	if (n.member || n.steps.n)
		doc_add_node(a, ret, *key, n.member && n.steps.n ? with_self(n.steps, a) : n.steps);
}

static const struct doc *any_step(const struct doc *y)
{
	return doc_getn(y, SLICE("*"));
}

static void join_any(const struct doc *x, const struct doc *any, struct arena *a, struct doc *ret)
{
	for (size_t i = fields_inner(x) && fields_member(x) ? 1 : 0; i < x->n; i++)
		join_both(FIELDS_WITHIN, doc_key_at(x, i), doc_value_at(x, i), any, a, ret);
}

/* Steps of x and y alike, without their "." */
static void join_into(enum fields_op op, const struct doc *x, const struct doc *y, struct arena *a,
		      struct doc *ret)
{
	bool keep_x = op != FIELDS_INTERSECTION && op != FIELDS_WITHIN;
	size_t i = x->n && fields_member(x), j = y->n && fields_member(y);

	if (op == FIELDS_WITHIN && any_step(y)) {
		join_any(x, any_step(y), a, ret);
		return;
	}
	while (i < x->n || j < y->n) {
		const struct doc *kx = i < x->n ? doc_key_at(x, i) : NULL;
		const struct doc *ky = j < y->n ? doc_key_at(y, j) : NULL;
		int c = !kx ? 1 : !ky ? -1 : fields_cmp(text_of(kx), text_of(ky));

		if (c == 0) {
			join_both(op, kx, kx + 1, ky + 1, a, ret);
			i++;
			j++;
		} else if (c < 0) {
			if (keep_x)
				doc_add_node(a, ret, *kx, kx[1]);
			i++;
		} else {
			if (op == FIELDS_UNION)
				doc_add_node(a, ret, *ky, ky[1]);
			j++;
		}
	}
}

struct doc fields_join(enum fields_op op, const struct doc *x, const struct doc *y, struct arena *a)
{
	struct doc ret = doc_object();

	if (fields_empty(y))
		return op == FIELDS_INTERSECTION || op == FIELDS_WITHIN || fields_empty(x) ? ret
											   : *x;
	if (fields_empty(x))
		return op == FIELDS_UNION ? *y : ret;
	join_into(op, x, y, a, &ret);
	return ret;
}

bool fields_equal(const struct doc *x, const struct doc *y)
{
	if (doc_len(x) != doc_len(y))
		return false;
	if (doc_len(x) == 0 || x->kids == y->kids)
		return true;
	for (size_t i = 0; i < x->n; i++)
		if (!slice_eq(text_of(doc_key_at(x, i)), text_of(doc_key_at(y, i))) ||
		    !fields_equal(doc_value_at(x, i), doc_value_at(y, i)))
			return false;
	return true;
}

size_t fields_count(const struct doc *set)
{
	size_t n = 0;

	DOC_EACH_MEMBER (key, value, set)
		if (key->s[0] != '.')
			n += fields_member(value) + fields_count(value);
	return n;
}

/* ---- looking ---- */

static int cmp_step(const struct doc *key, char kind, struct slice text)
{
	struct slice have = text_of(key);
	int rank;

	if (!kind)
		return fields_cmp(have, text);
	rank = kind_rank(have) - kind_rank(slice_of(&kind, 1));
	if (rank)
		return rank;
	return cmp_bytes(slice_of(have.p + 2, have.n - 2), text);
}

const struct doc *fields_step(const struct doc *set, char kind, struct slice text)
{
	size_t lo = 0, hi = doc_len(set);

	assert(kind == 0 || kind == 'f');
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = cmp_step(doc_key_at(set, mid), kind, text);

		if (c == 0)
			return doc_value_at(set, mid);
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

bool fields_has(const struct doc *set, ...)
{
	const char *step;
	va_list ap;

	va_start(ap, set);
	while (set && (step = va_arg(ap, const char *)))
		set = fields_step(set, 0, slice_str(step));
	va_end(ap);
	return set && fields_member(set);
}

/* ---- words ---- */

static int print_keys(struct buf *b, struct slice json)
{
	const char *p = json.p + 1, *end = json.p + json.n - 1;
	bool in = false, value = false;
	int r = buf_addc(b, '[');

	/* {"a":"x","b":1} is [a="x",b=1]: names without quotes, '=' for ':' */
	for (; r == 0 && p < end; p++) {
		bool quote = *p == '"';

		if (in && *p == '\\' && p + 1 < end) {
			r = buf_add(b, p++, 2);
			continue;
		}
		in ^= quote;
		if (!in && !quote && *p == ':')
			value = true;
		else if (!in && !quote && *p == ',')
			value = false;
		if (quote && !value)
			continue;
		r = buf_addc(b, !in && !quote && *p == ':' ? '=' : *p);
	}
	return r < 0 ? r : buf_addc(b, ']');
}

int fields_print(struct buf *b, struct slice step)
{
	struct slice rest = slice_of(step.p + 2, step.n - 2);

	switch (step.p[0]) {
	case 'f': return buf_addc(b, '.') < 0 ? -ERR_QUOTA : buf_add(b, rest.p, rest.n);
	case 'k': return print_keys(b, rest);
	case 'v': return buf_addf(b, "[=%.*s]", (int)rest.n, rest.p);
	default: return buf_addf(b, "[%.*s]", (int)rest.n, rest.p);
	}
}

static int each_below(const struct doc *set, struct buf *b, int (*fn)(void *arg, struct slice path),
		      void *arg)
{
	size_t here = b->n;
	int r = 0;

	for (int below = 0; below < 2; below++)
		DOC_EACH_MEMBER (key, value, set) {
			if (key->s[0] == '.' ||
			    !(below ? fields_inner(value) : fields_member(value)))
				continue;
			b->n = here;
			r = fields_print(b, text_of(key));
			if (r == 0)
				r = below ? each_below(value, b, fn, arg)
					  : fn(arg, slice_of(buf_str(b), b->n));
			if (r != 0)
				return r;
		}
	b->n = here;
	return 0;
}

int fields_each(const struct doc *set, int (*fn)(void *arg, struct slice path), void *arg)
{
	CLEANUP(buf_fini) struct buf b = { .max = (FIELDS_KEY_MAX + 8) * (FIELDS_DEPTH_MAX + 2) };

	return each_below(set, &b, fn, arg);
}
