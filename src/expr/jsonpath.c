/* SPDX-License-Identifier: Apache-2.0 */
#include "expr/jsonpath.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/utf8.h"
#include "expr/jsonpath-node.h"

#include <stdlib.h>

#define NEST_MAX 16
#define TEXT_MAX (64u << 10)

struct parse {
	struct arena *a;
	struct err *err;
	struct slice rest;
	struct node *root; /* that of the template: lists of actions go here */
	unsigned depth;	   /* of filters and unions in one another */
};

static int parse_inside(struct parse *p, struct node *to);

static int bad(struct parse *p, const char *what)
{
	return err_set(p->err, ERR_INVALID, "%s", what);
}

static struct node *add(struct parse *p, struct node *to, enum node_type type)
{
	struct node *n = ARENA_NEW(p->a, struct node);

	if (!n) {
		(void)arena_quota(p->a, p->err);
		return NULL;
	}
	n->type = type;
	if (to->last)
		to->last->next = n;
	else
		to->kids = n;
	to->last = n;
	return n;
}

static void skip(struct parse *p, size_t n)
{
	p->rest = slice_of(p->rest.p + n, p->rest.n - n);
}

static bool ends_name(char c)
{
	return strchr(" \t\r\n.,[]$@{}", c) != NULL;
}

/* A text of its own as one action: "{text}". Its nodes go to a new list. */
static int parse_action(struct parse *p, struct slice text, struct node *list)
{
	struct node root = { .type = NODE_LIST };
	struct parse x = { p->a, p->err, text, &root, p->depth + 1 };
	char *copy = arena_alloc_raw(p->a, text.n + 1, 1);
	int r;

	if (!copy)
		return arena_quota(p->a, p->err);
	if (x.depth > NEST_MAX)
		return err_set(p->err, ERR_TOO_LARGE, "more than %d filters in one another",
			       NEST_MAX);
	memcpy(copy, text.p, text.n);
	copy[text.n] = '}';
	x.rest = slice_of(copy, text.n + 1);
	r = parse_inside(&x, list);
	/* a brace within the brackets */
	return r == 0 && x.rest.n ? bad(p, "unclosed action") : r;
}

/* ---- numbers, names, quoted text ---- */

static int parse_number(struct parse *p, struct node *to)
{
	size_t n = *p->rest.p == '+' || *p->rest.p == '-';
	struct slice text;
	struct node *x;

	while (n < p->rest.n &&
	       (p->rest.p[n] == '.' || (p->rest.p[n] >= '0' && p->rest.p[n] <= '9')))
		n++;
	text = slice_of(p->rest.p, n);
	skip(p, n);
	x = add(p, to, NODE_VALUE);
	if (!x)
		return -ERR_QUOTA;
	if (n && *text.p == '+')
		text = slice_of(text.p + 1, text.n - 1);
	/* what Go takes and JSON does not: 007, 1., .5 */
	if (!doc_number_parse(text, &x->value)) {
		char digits[64], *end;
		double v;

		if (text.n == 0 || text.n >= sizeof(digits))
			return bad(p, "cannot parse number");
		memcpy(digits, text.p, text.n);
		digits[text.n] = '\0';
		v = strtod(digits, &end);
		if (*end)
			return err_set(p->err, ERR_INVALID, "cannot parse number %s", digits);
		x->value = doc_num(p->a, v);
	}
	return 0;
}

static int parse_word(struct parse *p, struct node *to)
{
	struct slice word;
	struct node *x;
	size_t n = 0;

	while (n < p->rest.n && !ends_name(p->rest.p[n]))
		n++;
	word = slice_of(p->rest.p, n);
	skip(p, n);
	if (slice_is(word, "true") || slice_is(word, "false")) {
		x = add(p, to, NODE_VALUE);
		if (x)
			x->value = doc_bool(*word.p == 't');
		return x ? 0 : -ERR_QUOTA;
	}
	if (!slice_is(word, "range") && !slice_is(word, "end"))
		return err_set(p->err, ERR_INVALID, "unrecognized identifier %.*s",
			       (int)MIN(word.n, (size_t)64), word.p);
	if (p->depth)
		return bad(p, "a range cannot stand within brackets");
	return add(p, to, *word.p == 'r' ? NODE_RANGE : NODE_END) ? 0 : -ERR_QUOTA;
}

static int parse_field(struct parse *p, struct node *to)
{
	CLEANUP(buf_fini) struct buf name = BUF_INIT(TEXT_MAX);
	struct node *x;
	size_t n = 0;

	for (; n < p->rest.n && !ends_name(p->rest.p[n]); n++) {
		if (p->rest.p[n] == '\\' && n + 1 < p->rest.n)
			n++;
		if (p->rest.p[n] != '\\' && buf_addc(&name, p->rest.p[n]) < 0)
			return err_set(p->err, ERR_TOO_LARGE, "a name is too long");
	}
	x = add(p, to, n == 1 && *p->rest.p == '*' ? NODE_ALL : NODE_FIELD);
	if (!x)
		return -ERR_QUOTA;
	x->name = slice_of(arena_strndup(p->a, buf_str(&name), name.n), name.n);
	if (!x->name.p)
		return arena_quota(p->a, p->err);
	skip(p, n);
	return 0;
}

/* One escape of Go's within quotes; the bytes it took, 0 when it is none. */
static size_t unquote(struct slice s, char quote, struct buf *out)
{
	static const char letters[] = "a\af\fn\nr\rt\tv\vb\b\\\\", hex[] = "0123456789abcdef";
	const char *l = s.n > 1 ? strchr(letters, s.p[1]) : NULL;
	size_t digits = 0, n = 2;
	uint32_t c = 0;
	char utf8[4];

	if (s.n < 2)
		return 0;
	if (s.p[1] == quote)
		return buf_addc(out, quote) == 0 ? 2 : 0;
	if (l && *l && (l - letters) % 2 == 0)
		return buf_addc(out, l[1]) == 0 ? 2 : 0;
	digits = s.p[1] == 'x' ? 2 : s.p[1] == 'u' ? 4 : s.p[1] == 'U' ? 8 : 0;
	if (digits == 0 || s.n < 2 + digits)
		return 0;
	for (; n < 2 + digits; n++) {
		const char *d = memchr(hex, s.p[n] > '9' ? s.p[n] | 32 : s.p[n], 16);

		if (!d || c > 0xffffff)
			return 0;
		c = c * 16 + (uint32_t)(d - hex);
	}
	if (digits == 2)
		return buf_addc(out, (char)c) == 0 ? n : 0;
	if (c > 0x10ffff)
		return 0;
	return buf_add(out, utf8, utf8_put(c, utf8)) == 0 ? n : 0;
}

static int parse_quote(struct parse *p, struct node *to)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(TEXT_MAX);
	char quote = *p->rest.p;
	struct node *x;
	size_t n = 1;

	while (n < p->rest.n && p->rest.p[n] != quote) {
		size_t used = 1;

		if (p->rest.p[n] == '\n')
			break;
		if (p->rest.p[n] == '\\')
			used = unquote(slice_of(p->rest.p + n, p->rest.n - n), quote, &text);
		else if (buf_addc(&text, p->rest.p[n]) < 0)
			used = 0;
		if (used == 0)
			return err_set(p->err, ERR_INVALID,
				       "unquote string %.*s error invalid syntax",
				       (int)MIN(p->rest.n, (size_t)64), p->rest.p);
		n += used;
	}
	if (n >= p->rest.n || p->rest.p[n] != quote)
		return bad(p, "unterminated quoted string");
	x = add(p, to, NODE_VALUE);
	if (x)
		x->value = doc_strn(p->a, buf_str(&text), text.n);
	skip(p, n + 1);
	return x ? 0 : -ERR_QUOTA;
}

/* ---- brackets ---- */

static int parse_union(struct parse *p, struct slice text, struct node *to)
{
	struct node *all = add(p, to, NODE_UNION);

	if (!all)
		return -ERR_QUOTA;
	while (text.p) {
		struct slice one = slice_trim(slice_split(&text, ','));
		char *copy = arena_printf(p->a, "[%.*s]", (int)one.n, one.n ? one.p : "");
		struct node *list = copy ? add(p, all, NODE_LIST) : NULL;
		int r = list ? parse_action(p, slice_str(copy), list) : arena_quota(p->a, p->err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A number of a slice: digits with a sign, or nothing. */
static int read_bound(struct parse *p, struct slice s, struct bound *b)
{
	bool minus = s.n && *s.p == '-';

	if (s.n == 0)
		return 0;
	if (minus)
		s = slice_of(s.p + 1, s.n - 1);
	if (s.n > 9 || str_int64(s, &b->v, NULL) < 0)
		return err_set(p->err, ERR_INVALID, "array index %s%.*s is not a number",
			       minus ? "-" : "", (int)MIN(s.n, (size_t)64), s.n ? s.p : "");
	if (minus)
		b->v = -b->v;
	b->known = true;
	return 0;
}

static bool is_slice(struct slice s)
{
	unsigned colons = 0;

	for (size_t i = 0; i < s.n; i++) {
		char before = i ? s.p[i - 1] : ':';

		colons += s.p[i] == ':';
		if (s.p[i] != ':' && (s.p[i] < '0' || s.p[i] > '9') &&
		    !(s.p[i] == '-' && before == ':'))
			return false;
	}
	return colons <= 2;
}

static int parse_slice(struct parse *p, struct slice text, struct node *to)
{
	struct node *x = add(p, to, NODE_SLICE);
	struct slice rest = text;
	int r = 0;

	if (!x)
		return -ERR_QUOTA;
	for (int i = 0; i < 3 && rest.p && r == 0; i++)
		r = read_bound(p, slice_split(&rest, ':'), &x->bounds[i]);
	if (r < 0)
		return r;
	if (!slice_has(text, ':'))
		x->bounds[1] = (struct bound){ true, true, x->bounds[0].v + 1 };
	return 0;
}

static int parse_brackets(struct parse *p, struct node *to)
{
	const char *end = memchr(p->rest.p, ']', p->rest.n);
	struct slice text;

	if (!end || memchr(p->rest.p, '\n', (size_t)(end - p->rest.p)))
		return bad(p, "unterminated array");
	text = slice_of(p->rest.p + 1, (size_t)(end - p->rest.p) - 1);
	skip(p, text.n + 2);
	if (slice_is(text, "*"))
		text = SLICE(":");
	if (slice_has(text, ','))
		return parse_union(p, text, to);
	if (text.n >= 2 && *text.p == '\'' && text.p[text.n - 1] == '\'' &&
	    !memchr(text.p + 1, '\'', text.n - 2)) {
		char *copy = arena_printf(p->a, ".%.*s", (int)text.n - 2, text.p + 1);
		int r = copy ? parse_action(p, slice_str(copy), to) : arena_quota(p->a, p->err);

		return r;
	}
	if (!is_slice(text))
		return err_set(p->err, ERR_INVALID, "invalid array index %.*s",
			       (int)MIN(text.n, (size_t)64), text.n ? text.p : "");
	return parse_slice(p, text, to);
}

/* ---- filters ---- */

/* The end of "[?(...)]": quotes come once at most, and in pairs. 0: there is none. */
static size_t filter_end(struct slice s)
{
	bool begin = false, end = false;
	char quote = 0;

	for (size_t i = 0; i < s.n && s.p[i] != '\n'; i++) {
		char c = s.p[i];

		if ((c == '"' || c == '\'') && !begin) {
			begin = true;
			quote = c;
		} else if (begin && c == quote && s.p[i - 1] != '\\') {
			end = true;
		} else if (c == ')' && begin == end) {
			return i;
		}
	}
	return 0;
}

static int read_op(struct parse *p, struct slice s, enum filter_op *ret)
{
	static const char *const ops[] = { "", "==", "!=", "<", "<=", ">", ">=" };

	for (size_t i = 1; i < ARRAY_LEN(ops); i++)
		if (slice_is(s, ops[i])) {
			*ret = (enum filter_op)i;
			return 0;
		}
	return err_set(p->err, ERR_INVALID, "unrecognized filter operator %.*s",
		       (int)MIN(s.n, (size_t)16), s.p);
}

static int parse_sides(struct parse *p, struct slice text, struct node *filter)
{
	size_t at = 0, n = 0;
	int r;

	while (at < text.n && !strchr("!<>=", text.p[at]))
		at++;
	while (at + n < text.n && strchr("!<>=~", text.p[at + n]))
		n++;
	if (at == 0 || n == 0 || at + n == text.n)
		return parse_action(p, text, filter);
	r = read_op(p, slice_of(text.p + at, n), &filter->op);
	if (r == 0)
		r = parse_action(p, slice_of(text.p, at), filter);
	if (r == 0)
		r = parse_action(p, slice_of(text.p + at + n, text.n - at - n), filter->right);
	return r;
}

static int parse_filter(struct parse *p, struct node *to)
{
	struct node *x = add(p, to, NODE_FILTER);
	size_t n;
	int r;

	if (!x)
		return -ERR_QUOTA;
	x->right = ARENA_NEW(p->a, struct node);
	if (!x->right)
		return arena_quota(p->a, p->err);
	x->right->type = NODE_LIST;
	skip(p, 3);
	n = filter_end(p->rest);
	if (n == 0)
		return bad(p, "unterminated filter");
	if (n + 1 >= p->rest.n || p->rest.p[n + 1] != ']')
		return bad(p, "unclosed array expect ]");
	r = parse_sides(p, slice_of(p->rest.p, n), x);
	skip(p, n + 2);
	return r;
}

/* ---- actions and the text around them ---- */

static int parse_descent(struct parse *p, struct node *to)
{
	struct node *x;

	if (to->last && to->last->type == NODE_DESCENT)
		return bad(p, "invalid multiple recursive descent");
	skip(p, 2);
	x = add(p, to, NODE_DESCENT);
	if (x && p->rest.n && (*p->rest.p == '_' || !ends_name(*p->rest.p)) &&
	    !strchr("?('\"+-*", *p->rest.p))
		return parse_field(p, to);
	return x ? 0 : -ERR_QUOTA;
}

static int parse_one(struct parse *p, struct node *to)
{
	char c = *p->rest.p;

	if (slice_starts(p->rest, SLICE("[?(")))
		return parse_filter(p, to);
	if (slice_starts(p->rest, SLICE("..")))
		return parse_descent(p, to);
	switch (c) {
	case '[': return parse_brackets(p, to);
	case '"':
	case '\'': return parse_quote(p, to);
	case '.': skip(p, 1); return parse_field(p, to);
	default: break;
	}
	if (strchr("+-0123456789", c))
		return parse_number(p, to);
	if (c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z') || c & 0x80)
		return parse_word(p, to);
	return err_set(p->err, ERR_INVALID, "unrecognized character in action: '%c'",
		       c > ' ' ? c : '?');
}

/* Up to the brace that closes. */
static int parse_inside(struct parse *p, struct node *to)
{
	int r = 0;

	while (r == 0) {
		while (p->rest.n && strchr(" @$", *p->rest.p))
			skip(p, 1);
		if (p->rest.n == 0 || *p->rest.p == '\n' || *p->rest.p == '\r')
			return bad(p, "unclosed action");
		if (*p->rest.p == '}') {
			skip(p, 1);
			return 0;
		}
		r = parse_one(p, to);
	}
	return r;
}

static int parse_template(struct parse *p)
{
	int r = 0;

	while (p->rest.n && r == 0) {
		const char *brace = memchr(p->rest.p, '{', p->rest.n);
		size_t n = brace ? (size_t)(brace - p->rest.p) : p->rest.n;
		struct node *x = add(p, p->root, n ? NODE_VALUE : NODE_LIST);

		if (!x)
			return -ERR_QUOTA;
		if (n)
			x->value = doc_strn(p->a, p->rest.p, n);
		skip(p, n ? n : 1);
		if (!n)
			r = parse_inside(p, x);
	}
	return r;
}

/* Every range has its end. */
static int check_ranges(struct parse *p)
{
	unsigned open = 0;

	for (const struct node *l = p->root->kids; l; l = l->next)
		for (const struct node *n = l->kids; n; n = n->next) {
			if (n->type == NODE_END && open == 0)
				return bad(p, "not in range, nothing to end");
			if (n->type == NODE_RANGE && ++open > NEST_MAX)
				return err_set(p->err, ERR_TOO_LARGE,
					       "more than %d ranges in one another", NEST_MAX);
			open -= n->type == NODE_END;
		}
	return open ? bad(p, "range without an end") : 0;
}

int jsonpath_compile(struct slice text, struct arena *a, const struct jsonpath **ret,
		     struct err *err)
{
	struct jsonpath *x = ARENA_NEW(a, struct jsonpath);
	struct parse p = { .a = a, .err = err, .root = x ? &x->root : NULL };
	int r;

	p.rest = slice_of(arena_strndup(a, text.n ? text.p : "", text.n), text.n);
	if (!x || !p.rest.p)
		return arena_quota(a, err);
	if (text.n > TEXT_MAX)
		return err_set(err, ERR_TOO_LARGE, "a template of more than %u bytes", TEXT_MAX);
	x->root.type = NODE_LIST;
	r = parse_template(&p);
	if (r == 0)
		r = check_ranges(&p);
	if (r == 0 && arena_exceeded(a))
		r = arena_quota(a, err);
	if (r == 0)
		*ret = x;
	return r;
}

int jsonpath_compile_path(struct slice text, struct arena *a, const struct jsonpath **ret,
			  struct err *err)
{
	struct slice s = slice_trim(text);
	char *whole;

	if (s.n >= 2 && *s.p == '{' && s.p[s.n - 1] == '}')
		s = slice_of(s.p + 1, s.n - 2);
	if (s.n > TEXT_MAX)
		return err_set(err, ERR_TOO_LARGE, "a path of more than %u bytes", TEXT_MAX);
	whole = arena_printf(a, "{%s%.*s}", s.n && strchr(".[$@", *s.p) ? "" : ".", (int)s.n,
			     s.n ? s.p : "");
	return whole ? jsonpath_compile(slice_str(whole), a, ret, err) : arena_quota(a, err);
}
