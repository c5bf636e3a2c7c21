/* SPDX-License-Identifier: Apache-2.0 */
/* From a pattern to its program, in one pass and without a tree. */
#include "expr/regex.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/utf8.h"
#include "expr/regex-program.h"

#include <stdlib.h>

#define DEPTH_MAX 1000
#define REPEAT_MAX 1000
#define CLASSES_MAX 4096
#define RUNE_MAX 0x10ffff

enum { FOLD = 1, LINES = 2, DOT_ALL = 4, UNGREEDY = 8 };

struct parse {
	struct arena *a;
	struct err *err;
	struct slice all, rest;
	struct step *steps;
	uint32_t n, cap;
	struct class *classes;
	uint32_t nclasses, classes_cap;
	unsigned flags, depth;
};

static int bad(struct parse *p, const char *what, struct slice where)
{
	return err_set(p->err, ERR_INVALID, "error parsing regexp: %s: `%.*s`", what,
		       (int)MIN(where.n, (size_t)256), where.n ? where.p : "");
}

/* What was read since `from`. */
static struct slice since(const struct parse *p, struct slice from)
{
	return slice_of(from.p, (size_t)(p->rest.p - from.p));
}

static bool eat(struct parse *p, const char *text)
{
	if (!slice_starts(p->rest, slice_str(text)))
		return false;
	p->rest.p += strlen(text);
	p->rest.n -= strlen(text);
	return true;
}

static uint32_t next(struct parse *p)
{
	size_t n;
	uint32_t c = utf8_next(p->rest, &n);

	p->rest = slice_of(p->rest.p + n, p->rest.n - n);
	return c;
}

/* ---- the program ---- */

static int grow(struct parse *p, uint32_t more)
{
	uint32_t cap = p->cap;

	if (p->n + more > REGEX_PROGRAM_MAX)
		return err_set(p->err, ERR_TOO_LARGE,
			       "error parsing regexp: expression too large: more than %d steps",
			       REGEX_PROGRAM_MAX);
	if (p->n + more <= cap)
		return 0;
	while (cap < p->n + more)
		cap = cap ? 2 * cap : 64;
	p->steps = arena_grow(p->a, p->steps, p->cap * sizeof(*p->steps), cap * sizeof(*p->steps));
	if (!p->steps)
		return arena_quota(p->a, p->err);
	p->cap = cap;
	return 0;
}

static int emit(struct parse *p, enum step_op op, int32_t x, int32_t y)
{
	int r = grow(p, 1);

	if (r == 0)
		p->steps[p->n++] = (struct step){ op, x, y };
	return r;
}

/* One step in front of the piece that begins at `at`. */
static int insert(struct parse *p, uint32_t at, enum step_op op, int32_t x, int32_t y)
{
	int r = grow(p, 1);

	if (r < 0)
		return r;
	memmove(&p->steps[at + 1], &p->steps[at], (p->n - at) * sizeof(*p->steps));
	p->steps[at] = (struct step){ op, x, y };
	p->n++;
	return 0;
}

static int again(struct parse *p, const struct step *piece, uint32_t n)
{
	int r = grow(p, n);

	if (r == 0)
		memcpy(&p->steps[p->n], piece, n * sizeof(*piece));
	if (r == 0)
		p->n += n;
	return r;
}

/* ---- classes ---- */

struct ranges {
	struct class_range *v;
	size_t n, cap;
	struct parse *p;
};

static int put(struct ranges *s, uint32_t lo, uint32_t hi)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 8;

		s->v = arena_grow(s->p->a, s->v, s->cap * sizeof(*s->v), cap * sizeof(*s->v));
		if (!s->v)
			return arena_quota(s->p->a, s->p->err);
		s->cap = cap;
	}
	s->v[s->n++] = (struct class_range){ lo, hi };
	return 0;
}

/* With the other case of the letters in it. */
static int put_folded(struct ranges *s, uint32_t lo, uint32_t hi)
{
	static const struct {
		uint32_t lo, hi;
		int to;
	} cases[] = { { 'A', 'Z', 32 }, { 'a', 'z', -32 } };
	int r = put(s, lo, hi);

	for (size_t i = 0; i < ARRAY_LEN(cases) && r == 0 && s->p->flags & FOLD; i++) {
		uint32_t from = MAX(lo, cases[i].lo), to = MIN(hi, cases[i].hi);

		if (from <= to)
			r = put(s, (uint32_t)((int)from + cases[i].to),
				(uint32_t)((int)to + cases[i].to));
	}
	return r;
}

static int by_lo(const void *x, const void *y)
{
	const struct class_range *a = x, *b = y;

	return (a->lo > b->lo) - (a->lo < b->lo);
}

/* Sorted, joined. */
static void tidy(struct ranges *s)
{
	size_t n = 0;

	if (s->n > 1)
		qsort(s->v, s->n, sizeof(*s->v), by_lo);
	for (size_t i = 0; i < s->n; i++) {
		if (n > 0 && s->v[i].lo <= s->v[n - 1].hi + 1)
			s->v[n - 1].hi = MAX(s->v[n - 1].hi, s->v[i].hi);
		else
			s->v[n++] = s->v[i];
	}
	s->n = n;
}

/* All that is not in a tidy set. */
static int invert(struct ranges *s)
{
	struct ranges out = { .p = s->p };
	uint32_t from = 0;
	int r = 0;

	for (size_t i = 0; i < s->n && r == 0; i++) {
		if (s->v[i].lo > from)
			r = put(&out, from, s->v[i].lo - 1);
		from = s->v[i].hi + 1;
	}
	if (r == 0 && from <= RUNE_MAX)
		r = put(&out, from, RUNE_MAX);
	*s = out;
	return r;
}

static int emit_class(struct parse *p, const struct ranges *s)
{
	if (s->n == 0)
		return emit(p, STEP_FAIL, 0, 0);
	if (p->nclasses == CLASSES_MAX)
		return err_set(p->err, ERR_TOO_LARGE,
			       "error parsing regexp: expression too large: more than %d classes",
			       CLASSES_MAX);
	if (p->nclasses == p->classes_cap) {
		uint32_t cap = p->classes_cap ? 2 * p->classes_cap : 8;

		p->classes = arena_grow(p->a, p->classes, p->classes_cap * sizeof(*p->classes),
					cap * sizeof(*p->classes));
		if (!p->classes)
			return arena_quota(p->a, p->err);
		p->classes_cap = cap;
	}
	p->classes[p->nclasses] = (struct class){ s->v, s->n };
	return emit(p, STEP_CLASS, (int32_t)p->nclasses++, 0);
}

/* Sets with a name, as text of pairs of ends. */
static const struct named_class {
	const char *name, *pairs;
} perl_classes[] = {
	{ "d", "09" },
	{ "s", "\t\n\f\r  " },
	{ "w", "09AZ__az" },
}, posix_classes[] = {
	{ "alnum", "09AZaz" }, { "alpha", "AZaz" },   { "blank", "\t\t  " },  { "digit", "09" },
	{ "graph", "!~" },     { "lower", "az" },     { "print", " ~" },      { "punct", "!/:@[`{~" },
	{ "space", "\t\r  " }, { "upper", "AZ" },     { "word", "09AZ__az" }, { "xdigit", "09AFaf" },
	{ "ascii", NULL },     { "cntrl", NULL },
};

/* A named set, or all else, added to a set. */
static int put_named(struct ranges *to, const struct named_class *c, bool not )
{
	struct ranges s = { .p = to->p };
	int r = 0;

	if (!c->pairs) {
		r = put(&s, 0, c->name[0] == 'a' ? 0x7f : 0x1f);
		if (r == 0 && c->name[0] == 'c')
			r = put(&s, 0x7f, 0x7f);
	}
	for (const char *q = c->pairs; q && *q && r == 0; q += 2)
		r = put_folded(&s, (unsigned char)q[0], (unsigned char)q[1]);
	tidy(&s);
	if (r == 0 && not )
		r = invert(&s);
	for (size_t i = 0; i < s.n && r == 0; i++)
		r = put(to, s.v[i].lo, s.v[i].hi);
	return r;
}

/* \d and such at the front: 1 when it was one. */
static int maybe_perl(struct parse *p, struct ranges *to)
{
	char c = p->rest.n > 1 && p->rest.p[0] == '\\' ? p->rest.p[1] : '\0';

	if (c == 'p' || c == 'P')
		return bad(p, "classes by Unicode property are not supported",
			   slice_of(p->rest.p, MIN(p->rest.n, (size_t)8)));
	for (size_t i = 0; i < ARRAY_LEN(perl_classes) && c; i++) {
		if ((c | 32) != perl_classes[i].name[0])
			continue;
		p->rest = slice_of(p->rest.p + 2, p->rest.n - 2);
		return put_named(to, &perl_classes[i], !(c & 32)) < 0 ? -ERR_QUOTA : 1;
	}
	return 0;
}

/* [:alpha:] within a class: 1 when it was one. */
static int maybe_posix(struct parse *p, struct ranges *to)
{
	const char *end = p->rest.n > 3 ? memmem(p->rest.p + 2, p->rest.n - 2, ":]", 2) : NULL;
	struct slice whole, name;
	bool not ;

	if (!slice_starts(p->rest, SLICE("[:")) || !end)
		return 0;
	whole = slice_of(p->rest.p, (size_t)(end + 2 - p->rest.p));
	name = slice_of(whole.p + 2, whole.n - 4);
	not = name.n && *name.p == '^';
	if (not )
		name = slice_of(name.p + 1, name.n - 1);
	for (size_t i = 0; i < ARRAY_LEN(posix_classes); i++) {
		if (!slice_is(name, posix_classes[i].name))
			continue;
		p->rest = slice_of(p->rest.p + whole.n, p->rest.n - whole.n);
		return put_named(to, &posix_classes[i], not ) < 0 ? -ERR_QUOTA : 1;
	}
	return bad(p, "invalid character class range", whole);
}

/* ---- characters ---- */

static int hex_digit(uint32_t c)
{
	if (c >= '0' && c <= '9')
		return (int)c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? (int)c - 'a' + 10 : -1;
}

/* Behind \x. */
static int hex(struct parse *p, struct slice from, uint32_t *ret)
{
	bool braces = eat(p, "{");
	unsigned digits = 0;

	*ret = 0;
	while (p->rest.n && hex_digit((unsigned char)*p->rest.p) >= 0 && *ret <= RUNE_MAX &&
	       (braces || digits < 2)) {
		*ret = *ret * 16 + (uint32_t)hex_digit(next(p));
		digits++;
	}
	if (digits == 0 || *ret > RUNE_MAX || (braces && !eat(p, "}")) || (!braces && digits != 2))
		return bad(p, "invalid escape sequence", since(p, from));
	return 0;
}

/* What a backslash and the rest mean as one character. */
static int escape(struct parse *p, uint32_t *ret)
{
	static const char letters[] = "a\af\ft\tn\nr\rv\v";
	struct slice from = p->rest;
	const char *l;
	uint32_t c;

	(void)next(p);
	if (p->rest.n == 0)
		return bad(p, "trailing backslash at end of expression", slice_of("", 0));
	c = next(p);
	if (c == 'x')
		return hex(p, from, ret);
	/* \1 to \7 are octal only when more digits follow: else they would be backreferences */
	if (c == '0' ||
	    (c >= '1' && c <= '7' && p->rest.n && *p->rest.p >= '0' && *p->rest.p <= '7')) {
		*ret = c - '0';
		for (int i = 1; i < 3 && p->rest.n && *p->rest.p >= '0' && *p->rest.p <= '7'; i++)
			*ret = *ret * 8 + next(p) - '0';
		return 0;
	}
	*ret = c;
	if (c < 0x80 && c > ' ' && hex_digit(c) < 0 && !((c | 32) >= 'a' && (c | 32) <= 'z'))
		return 0; /* punctuation is itself */
	l = c < 0x80 ? strchr(letters, (int)c) : NULL;
	if (!l || *l == '\0' || (l - letters) % 2)
		return bad(p, "invalid escape sequence", since(p, from));
	*ret = (unsigned char)l[1];
	return 0;
}

static int class_char(struct parse *p, struct slice whole, uint32_t *ret)
{
	if (p->rest.n == 0)
		return bad(p, "missing closing ]", whole);
	if (*p->rest.p == '\\')
		return escape(p, ret);
	*ret = next(p);
	return 0;
}

static int class_range(struct parse *p, struct slice whole, struct ranges *to)
{
	struct slice from = p->rest;
	uint32_t lo, hi;
	int r = class_char(p, whole, &lo);

	hi = lo;
	if (r == 0 && p->rest.n > 1 && p->rest.p[0] == '-' && p->rest.p[1] != ']') {
		(void)next(p);
		r = class_char(p, whole, &hi);
		if (r == 0 && hi < lo)
			return bad(p, "invalid character class range", since(p, from));
	}
	return r < 0 ? r : put_folded(to, lo, hi);
}

static int parse_class(struct parse *p)
{
	struct ranges s = { .p = p };
	struct slice whole = p->rest;
	bool first = true, not ;
	int r = 0;

	(void)next(p);
	not = eat(p, "^");
	for (; r >= 0 && (first || p->rest.n == 0 || *p->rest.p != ']'); first = false) {
		if (p->rest.n == 0)
			return bad(p, "missing closing ]", whole);
		r = maybe_posix(p, &s);
		if (r == 0)
			r = maybe_perl(p, &s);
		if (r == 0)
			r = class_range(p, whole, &s);
	}
	if (r < 0)
		return r;
	(void)next(p);
	tidy(&s);
	r = not ? invert(&s) : 0;
	return r < 0 ? r : emit_class(p, &s);
}

static int emit_rune(struct parse *p, uint32_t c)
{
	struct ranges s = { .p = p };
	int r;

	if (!(p->flags & FOLD) || !((c | 32) >= 'a' && (c | 32) <= 'z'))
		return emit(p, STEP_RUNE, (int32_t)c, 0);
	r = put_folded(&s, c, c);
	tidy(&s);
	return r < 0 ? r : emit_class(p, &s);
}

/* ---- repetition ---- */

/* x is what is tried first: to take, unless it is lazy. */
static int split(struct parse *p, uint32_t at, bool lazy, int32_t take, int32_t leave)
{
	return insert(p, at, STEP_SPLIT, lazy ? leave : take, lazy ? take : leave);
}

static int repeat_star(struct parse *p, uint32_t at, bool lazy)
{
	int r = split(p, at, lazy, 1, (int32_t)(p->n - at) + 2);

	return r < 0 ? r : emit(p, STEP_JUMP, -(int32_t)(p->n - at), 0);
}

static int repeat_maybe(struct parse *p, uint32_t at, bool lazy)
{
	return split(p, at, lazy, 1, (int32_t)(p->n - at) + 1);
}

/* x{lo,hi}; hi -1: any number. */
static int repeat_counted(struct parse *p, uint32_t at, int lo, int hi, bool lazy)
{
	uint32_t n = p->n - at;
	struct step *piece = arena_alloc_raw(p->a, n * sizeof(*piece), 16);
	int r = 0;

	if (!piece)
		return arena_quota(p->a, p->err);
	if (n) /* of nothing there are no steps */
		memcpy(piece, &p->steps[at], n * sizeof(*piece));
	p->n = at;
	for (int i = 0; i < lo && r == 0; i++)
		r = again(p, piece, n);
	for (int i = lo; (hi < 0 ? i == lo : i < hi) && r == 0; i++) {
		uint32_t from = p->n;

		r = again(p, piece, n);
		if (r == 0)
			r = hi < 0 ? repeat_star(p, from, lazy) : repeat_maybe(p, from, lazy);
	}
	return r;
}

/* Reads "{2}", "{2,}" or "{2,5}"; false when it is no such thing: then it is text. */
static bool counts(struct parse *p, int *lo, int *hi)
{
	struct slice from = p->rest;
	int *to = lo;

	*lo = *hi = -1;
	(void)next(p);
	while (p->rest.n) {
		uint32_t c = next(p);

		if (c >= '0' && c <= '9') {
			*to = MIN((*to < 0 ? 0 : *to) * 10 + (int)c - '0', REPEAT_MAX + 1);
		} else if (c == ',' && to == lo && *lo >= 0) {
			to = hi;
		} else if (c == '}' && *lo >= 0) {
			if (to == lo)
				*hi = *lo;
			return true;
		} else {
			break;
		}
	}
	p->rest = from;
	return false;
}

/* The operators behind a piece that begins at `at`. */
static int parse_repeat(struct parse *p, uint32_t at)
{
	struct slice from = p->rest;
	bool had = false;

	while (p->rest.n && strchr("*+?{", *p->rest.p)) {
		struct slice op = p->rest;
		int lo = 0, hi = -1, r;
		bool lazy;

		if (*op.p == '{' && !counts(p, &lo, &hi))
			return 0;
		if (*op.p != '{')
			(void)next(p);
		lazy = eat(p, "?") != !!(p->flags & UNGREEDY);
		if (had)
			return bad(p, "invalid nested repetition operator", since(p, from));
		had = true;
		if (lo > REPEAT_MAX || hi > REPEAT_MAX || (hi >= 0 && hi < lo))
			return bad(p, "invalid repeat count", since(p, op));
		switch (*op.p) {
		case '*': r = repeat_star(p, at, lazy); break;
		case '?': r = repeat_maybe(p, at, lazy); break;
		case '+':
			r = lazy ? emit(p, STEP_SPLIT, 1, -(int32_t)(p->n - at))
				 : emit(p, STEP_SPLIT, -(int32_t)(p->n - at), 1);
			break;
		default: r = repeat_counted(p, at, lo, hi, lazy); break;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- groups ---- */

static int parse_either(struct parse *p);

/* Behind "(?": flags up to ":" (1: a group follows) or ")" (0: they hold for the rest). */
static int parse_flags(struct parse *p, struct slice from)
{
	static const char letters[] = "imsU";
	unsigned flags = p->flags;
	bool off = false, any = false;

	while (p->rest.n) {
		uint32_t c = next(p);
		const char *l = c < 0x80 && c ? strchr(letters, (int)c) : NULL;

		if (l) {
			unsigned bit = 1u << (l - letters);

			flags = off ? flags & ~bit : flags | bit;
			any = true;
		} else if (c == '-' && !off) {
			off = true;
			any = false;
		} else if ((c == ':' || c == ')') && (any || !off)) {
			p->flags = flags;
			return c == ':';
		} else {
			break;
		}
	}
	if (p->rest.n == 0)
		return bad(p, "missing argument to repetition operator", SLICE("?"));
	return bad(p, "invalid or unsupported Perl syntax", since(p, from));
}

/* (?P<name> and (?<name>: 1 when it was one. */
static int maybe_name(struct parse *p, struct slice from)
{
	struct slice at = p->rest;
	const char *end;

	if (!eat(p, "P<") &&
	    !(p->rest.n > 1 && p->rest.p[1] != '=' && p->rest.p[1] != '!' && eat(p, "<")))
		return 0;
	end = p->rest.n ? memchr(p->rest.p, '>', p->rest.n) : NULL;
	if (!end || end == p->rest.p)
		return bad(p, "invalid named capture", slice_of(from.p, from.n));
	for (const char *c = p->rest.p; c < end; c++)
		if (*c != '_' && !(*c >= '0' && *c <= '9') &&
		    !((*c | 32) >= 'a' && (*c | 32) <= 'z'))
			return bad(p, "invalid named capture",
				   slice_of(from.p, (size_t)(end + 1 - from.p)));
	p->rest = slice_of(end + 1, at.n - (size_t)(end + 1 - at.p));
	return 1;
}

static int parse_group(struct parse *p)
{
	struct slice from = p->rest;
	unsigned flags = p->flags;
	int r = 0;

	(void)next(p);
	if (eat(p, "?")) {
		r = maybe_name(p, from);
		if (r == 0) {
			r = parse_flags(p, from);
			if (r == 0)
				return 1;
		}
		if (r < 0)
			return r;
	}
	r = parse_either(p);
	p->flags = flags;
	if (r == 0 && !eat(p, ")"))
		return bad(p, "missing closing )", p->all);
	return r;
}

/* ---- pieces ---- */

/* What follows \Q; *ret_at: where its last character is. */
static int parse_quoted(struct parse *p, uint32_t *ret_at)
{
	int r = 0;

	while (p->rest.n && !eat(p, "\\E") && r == 0) {
		*ret_at = p->n;
		r = emit_rune(p, next(p));
	}
	return r;
}

/* \b and others that take no text: 1 when it was one. */
static int maybe_edge(struct parse *p)
{
	static const struct {
		const char *text;
		enum step_op op;
	} rows[] = { { "\\b", STEP_WORD_EDGE },
		     { "\\B", STEP_WORD_INSIDE },
		     { "\\A", STEP_TEXT_BEGIN },
		     { "\\z", STEP_TEXT_END } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (eat(p, rows[i].text))
			return emit(p, rows[i].op, 0, 0) < 0 ? -(int)p->err->code : 1;
	return 0;
}

static int parse_backslash(struct parse *p)
{
	struct ranges s = { .p = p };
	uint32_t c;
	int r = maybe_edge(p);

	if (r != 0)
		return MIN(r, 0);
	r = maybe_perl(p, &s);
	if (r < 0)
		return r;
	if (r > 0) {
		tidy(&s);
		return emit_class(p, &s);
	}
	r = escape(p, &c);
	return r < 0 ? r : emit_rune(p, c);
}

/* One piece without its repetition. 1: it is none that could be repeated. */
static int parse_piece(struct parse *p)
{
	switch (*p->rest.p) {
	case '(': return parse_group(p);
	case '[': return parse_class(p);
	case '\\': return parse_backslash(p);
	case '.': (void)next(p); return emit(p, p->flags & DOT_ALL ? STEP_ANY : STEP_LINE, 0, 0);
	case '^':
		(void)next(p);
		return emit(p, p->flags & LINES ? STEP_LINE_BEGIN : STEP_TEXT_BEGIN, 0, 0);
	case '$':
		(void)next(p);
		return emit(p, p->flags & LINES ? STEP_LINE_END : STEP_TEXT_END, 0, 0);
	case '*':
	case '+':
	case '?': return bad(p, "missing argument to repetition operator", slice_of(p->rest.p, 1));
	default: return emit_rune(p, next(p));
	}
}

static int parse_sequence(struct parse *p)
{
	int r = 0;

	while (r >= 0 && p->rest.n && *p->rest.p != '|' && *p->rest.p != ')') {
		uint32_t at = p->n;

		r = eat(p, "\\Q") ? parse_quoted(p, &at) : parse_piece(p);
		if (r == 0)
			r = parse_repeat(p, at);
		else if (r > 0 && p->rest.n && strchr("*+?", *p->rest.p))
			r = bad(p, "missing argument to repetition operator",
				slice_of(p->rest.p, 1));
	}
	return MIN(r, 0);
}

/* The steps that skip the other alternatives, chained by y until their end is known. */
static void join(struct parse *p, int32_t last)
{
	while (last >= 0) {
		struct step *s = &p->steps[last];

		s->x = (int32_t)p->n - last;
		last = s->y;
	}
}

static int parse_either(struct parse *p)
{
	int32_t last = -1;
	int r;

	if (++p->depth > DEPTH_MAX)
		return bad(p, "expression nests too deeply", p->all);
	for (;;) {
		uint32_t at = p->n;

		r = parse_sequence(p);
		if (r < 0 || !eat(p, "|"))
			break;
		r = insert(p, at, STEP_SPLIT, 1, (int32_t)(p->n - at) + 2);
		if (r == 0)
			r = emit(p, STEP_JUMP, 0, last);
		if (r < 0)
			return r;
		last = (int32_t)p->n - 1;
	}
	join(p, last);
	p->depth--;
	return r;
}

int regex_compile(struct slice pattern, struct arena *a, const struct regex **ret, struct err *err)
{
	struct parse p = { .a = a, .err = err, .all = pattern, .rest = pattern };
	struct regex *x = ARENA_NEW(a, struct regex);
	int r;

	if (!x)
		return arena_quota(a, err);
	for (struct slice s = pattern; s.n;) {
		size_t n;

		if (utf8_next(s, &n) == UTF8_BAD && n == 1)
			return bad(&p, "invalid UTF-8", slice_of("", 0));
		s = slice_of(s.p + n, s.n - n);
	}
	r = parse_either(&p);
	if (r == 0 && p.rest.n)
		r = bad(&p, "unexpected )", pattern);
	if (r == 0)
		r = emit(&p, STEP_MATCH, 0, 0);
	if (r < 0)
		return r;
	*x = (struct regex){ .steps = p.steps, .n = p.n, .classes = p.classes };
	*ret = x;
	return 0;
}
