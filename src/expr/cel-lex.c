/* SPDX-License-Identifier: Apache-2.0 */
/* Words of CEL: numbers, strings with their escapes, names, operators. */
#include "base/arena.h"
#include "base/err.h"
#include "base/utf8.h"
#include "expr/cel-ast.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* ---- messages ---- */

static void place(struct slice text, uint32_t at, unsigned *line, unsigned *col, struct slice *src)
{
	const char *begin = text.p, *end;

	*line = 1;
	for (uint32_t i = 0; i < at && i < text.n; i++) {
		if (text.p[i] == '\n') {
			++*line;
			begin = text.p + i + 1;
		}
	}
	end = text.n ? memchr(begin, '\n', text.n - (size_t)(begin - text.p)) : NULL;
	*src = slice_of(begin, (size_t)((end ? end : text.p + text.n) - begin));
	*col = (unsigned)(text.p + MIN((size_t)at, text.n) - begin) + 1;
}

int cel_error(struct slice text, uint32_t at, struct err *err, const char *fmt, ...)
{
	char message[512], mark[128];
	struct slice src;
	unsigned line, col;
	va_list ap;

	if (!err)
		return -ERR_INVALID;
	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	place(text, at, &line, &col, &src);
	if (col >= sizeof(mark) || src.n > 200) /* too long a line to be shown */
		return err_set(err, ERR_INVALID, "ERROR: <input>:%u:%u: %s", line, col, message);
	memset(mark, '.', col);
	mark[col - 1] = '^';
	mark[col] = '\0';
	return err_set(err, ERR_INVALID, "ERROR: <input>:%u:%u: %s\n | %.*s\n | %s", line, col,
		       message, (int)src.n, src.p, mark);
}

/* ---- blanks and names ---- */

static char peek(const struct cel_lexer *l, size_t ahead)
{
	return l->at + ahead < l->text.n ? l->text.p[l->at + ahead] : '\0';
}

static void skip_blanks(struct cel_lexer *l)
{
	for (;;) {
		char c = peek(l, 0);

		if (c == '/' && peek(l, 1) == '/') {
			while (l->at < l->text.n && l->text.p[l->at] != '\n')
				l->at++;
		} else if (c && strchr(" \t\n\r\f", c)) {
			l->at++;
		} else {
			return;
		}
	}
}

static void name(struct cel_lexer *l, struct cel_token *t)
{
	while (is_letter(peek(l, 0)) || is_digit(peek(l, 0)))
		l->at++;
	t->kind = TOKEN_IDENT;
}

static int quoted(struct cel_lexer *l, struct cel_token *t, struct err *err)
{
	uint32_t from = ++l->at;

	while (is_letter(peek(l, 0)) || is_digit(peek(l, 0)) ||
	       (peek(l, 0) && strchr("-./ ", peek(l, 0))))
		l->at++;
	if (peek(l, 0) != '`' || l->at == from)
		return cel_error(l->text, t->at, err,
				 "Syntax error: a name in backquotes has letters, digits, '_', "
				 "'.', '-', '/' and blanks");
	t->kind = TOKEN_QUOTED;
	t->s = slice_of(l->text.p + from, l->at - from);
	l->at++;
	return 0;
}

/* ---- numbers ---- */

static int whole(struct cel_lexer *l, struct cel_token *t, unsigned base, struct err *err)
{
	uint64_t v = 0;
	bool over = false;
	int d;

	for (; (d = hex_digit(peek(l, 0))) >= 0 && (unsigned)d < base; l->at++)
		over = over || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
		       __builtin_add_overflow(v, (uint64_t)d, &v);
	t->kind = TOKEN_INT;
	t->u = v;
	if (peek(l, 0) == 'u' || peek(l, 0) == 'U') {
		l->at++;
		t->kind = TOKEN_UINT;
	}
	/* -9223372036854775808 is one, so its magnitude is let through here. */
	if (over || (t->kind == TOKEN_INT && v > (uint64_t)INT64_MAX + 1))
		return cel_error(l->text, t->at, err, "invalid %s literal",
				 t->kind == TOKEN_UINT ? "uint" : "int");
	return 0;
}

static int real(struct cel_lexer *l, struct cel_token *t, struct err *err)
{
	char text[512], *end;
	size_t n = l->at - t->at;

	if (n >= sizeof(text))
		return cel_error(l->text, t->at, err, "invalid double literal");
	memcpy(text, l->text.p + t->at, n);
	text[n] = '\0';
	errno = 0;
	t->d = strtod(text, &end);
	if (*end || isinf(t->d))
		return cel_error(l->text, t->at, err, "invalid double literal");
	t->kind = TOKEN_DOUBLE;
	return 0;
}

static void digits(struct cel_lexer *l)
{
	while (is_digit(peek(l, 0)))
		l->at++;
}

/* An exponent, when there is one. */
static bool exponent(struct cel_lexer *l)
{
	size_t sign = peek(l, 1) == '+' || peek(l, 1) == '-';

	if ((peek(l, 0) != 'e' && peek(l, 0) != 'E') || !is_digit(peek(l, 1 + sign)))
		return false;
	l->at += 1 + (uint32_t)sign;
	digits(l);
	return true;
}

static int number(struct cel_lexer *l, struct cel_token *t, struct err *err)
{
	bool fraction = false;
	uint32_t from = l->at;

	if (peek(l, 0) == '0' && (peek(l, 1) == 'x' || peek(l, 1) == 'X') &&
	    hex_digit(peek(l, 2)) >= 0) {
		l->at += 2;
		return whole(l, t, 16, err);
	}
	digits(l);
	if (peek(l, 0) == '.' && is_digit(peek(l, 1))) {
		l->at++;
		digits(l);
		fraction = true;
	}
	fraction = exponent(l) || fraction;
	if (fraction)
		return real(l, t, err);
	l->at = from;
	return whole(l, t, 10, err);
}

/* ---- strings ---- */

struct text {
	struct cel_lexer *l;
	struct cel_token *t;
	char *p; /* as long as what is written is always enough */
	bool bytes, raw, triple;
	char quote;
};

static void put_rune(struct text *x, uint32_t rune)
{
	x->p += utf8_put(rune, x->p);
}

static int bad_escape(struct text *x, struct err *err)
{
	return cel_error(x->l->text, x->l->at, err,
			 "Syntax error: token recognition error at: an escape sequence that is "
			 "none");
}

/* \xHH \uHHHH \UHHHHHHHH \OOO: digits of a base, all of them needed. */
static int coded(struct text *x, unsigned n, unsigned base, struct err *err)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < n; i++) {
		int d = hex_digit(peek(x->l, i));

		if (d < 0 || (unsigned)d >= base)
			return bad_escape(x, err);
		v = v * base + (uint32_t)d;
	}
	if (x->bytes && n > 3) /* \u in bytes */
		return bad_escape(x, err);
	if (x->bytes ? v > 255 : v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return bad_escape(x, err);
	x->l->at += n;
	if (x->bytes)
		*x->p++ = (char)v;
	else
		put_rune(x, v);
	return 0;
}

static int escape(struct text *x, struct err *err)
{
	static const char from[] = "abfnrtv\\?\"'`", to[] = "\a\b\f\n\r\t\v\\?\"'`";
	char c = peek(x->l, 1);
	const char *at = c ? strchr(from, c) : NULL;

	x->l->at += 2;
	if (at) {
		*x->p++ = to[at - from];
		return 0;
	}
	switch (c) {
	case 'x':
	case 'X': return coded(x, 2, 16, err);
	case 'u': return coded(x, 4, 16, err);
	case 'U': return coded(x, 8, 16, err);
	case '0':
	case '1':
	case '2':
	case '3': x->l->at--; return coded(x, 3, 8, err);
	default: x->l->at--; return bad_escape(x, err);
	}
}

static bool at_close(const struct text *x)
{
	char q = x->quote;

	return peek(x->l, 0) == q && (!x->triple || (peek(x->l, 1) == q && peek(x->l, 2) == q));
}

/* Bytes up to the closing quotes, or to the end of the text: what the value takes at most. */
static size_t written(const struct text *x)
{
	struct cel_lexer l = *x->l;
	struct text ahead = *x;

	ahead.l = &l;
	while (l.at < l.text.n && !at_close(&ahead))
		l.at += peek(&l, 0) == '\\' && !x->raw ? 2 : 1;
	return MIN((size_t)l.at, l.text.n) - MIN((size_t)x->l->at, l.text.n);
}

static int string(struct text *x, struct err *err)
{
	struct cel_lexer *l = x->l;
	char *begin;

	x->quote = peek(l, 0);
	x->triple = peek(l, 1) == x->quote && peek(l, 2) == x->quote;
	l->at += x->triple ? 3 : 1;
	begin = x->p = arena_alloc_raw(l->a, written(x), 1);
	if (!begin)
		return arena_quota(l->a, err);
	while (!at_close(x)) {
		char c = peek(l, 0);
		int r = 0;

		if (l->at >= l->text.n || (!x->triple && (c == '\n' || c == '\r')))
			return cel_error(l->text, x->t->at, err,
					 "Syntax error: token recognition error at: a string "
					 "without an end");
		if (c == '\\' && !x->raw)
			r = escape(x, err);
		else
			*x->p++ = l->text.p[l->at++];
		if (r < 0)
			return r;
	}
	l->at += x->triple ? 3 : 1;
	x->t->kind = x->bytes ? TOKEN_BYTES : TOKEN_STRING;
	x->t->s = slice_of(begin, (size_t)(x->p - begin));
	return 0;
}

/* r, b, rb, br and a quote: 1 with *x set. */
static bool begins_string(struct cel_lexer *l, struct text *x)
{
	size_t n = 0;

	for (; n < 2; n++) {
		char c = peek(l, n) | 0x20;

		if (c == 'r' && !x->raw)
			x->raw = true;
		else if (c == 'b' && !x->bytes)
			x->bytes = true;
		else
			break;
	}
	if (peek(l, n) != '"' && peek(l, n) != '\'')
		return false;
	l->at += (uint32_t)n;
	return true;
}

/* ---- operators ---- */

static int op(struct cel_lexer *l, struct cel_token *t, struct err *err)
{
	static const char *const two[] = { "==", "!=", "<=", ">=", "&&", "||" };

	t->kind = TOKEN_OP;
	for (size_t i = 0; i < ARRAY_LEN(two); i++) {
		if (peek(l, 0) == two[i][0] && peek(l, 1) == two[i][1]) {
			l->at += 2;
			return 0;
		}
	}
	if (!strchr("<>!+-*/%?:.,()[]{}", peek(l, 0)))
		return cel_error(l->text, t->at, err,
				 "Syntax error: token recognition error at: '%c'",
				 peek(l, 0) >= ' ' && peek(l, 0) < 127 ? peek(l, 0) : '?');
	l->at++;
	return 0;
}

int cel_next(struct cel_lexer *l, struct cel_token *ret, struct err *err)
{
	struct cel_token t = { 0 };
	struct text x = { .l = l, .t = &t };
	char c;
	int r = 0;

	skip_blanks(l);
	t.at = l->at;
	c = peek(l, 0);
	if (l->at >= l->text.n)
		t.kind = TOKEN_END;
	else if (begins_string(l, &x))
		r = string(&x, err);
	else if (is_letter(c))
		name(l, &t);
	else if (c == '`')
		r = quoted(l, &t, err);
	else if (is_digit(c) || (c == '.' && is_digit(peek(l, 1))))
		r = number(l, &t, err);
	else if (!c)
		r = cel_error(l->text, t.at, err, "Syntax error: a NUL byte");
	else
		r = op(l, &t, err);
	if (r < 0)
		return r;
	t.end = l->at;
	t.text = slice_of(l->text.p + t.at, t.end - t.at);
	*ret = t;
	return 0;
}
