/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GVariant text in two passes of one recursive descent: the first finds the type, the second, which
 * knows it, writes. The type of an array is that of its first element.
 */
#include "linux/gvariant.h"

#include "base/err.h"
#include "linux/dbus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 8, SIG_MAX = 64 };

struct gv {
	const char *p;	 /* what is left */
	struct buf *out; /* NULL in the first pass */
	int depth;
	struct err *err;
};

struct sig {
	char s[SIG_MAX + 1];
};

static int value(struct gv *g, const char *want, struct sig *ret);

static int bad(struct gv *g, const char *what)
{
	return err_set(g->err, ERR_INVALID, "GVariant text: %s at '%.40s'", what, g->p);
}

static void blanks(struct gv *g)
{
	g->p += strspn(g->p, " \t\n");
}

static bool word(struct gv *g, const char *w)
{
	size_t n = strlen(w);

	if (strncmp(g->p, w, n) != 0 ||
	    strchr("abcdefghijklmnopqrstuvwxyz0123456789", g->p[n] ? g->p[n] : '\n'))
		return false;
	g->p += n;
	return true;
}

/* Bytes of the one complete type at the start of a signature; 0 = there is none. */
static size_t one_type(const char *s)
{
	size_t n = 0;
	int open = 0;

	while (s[n] == 'a')
		n++;
	if (s[n] && strchr("bynqiuxtdsog", s[n]))
		return n + 1;
	if (s[n] != '(' || s[n + 1] == ')')
		return 0;
	do {
		if (!s[n] || !strchr("abynqiuxtdsog()", s[n]) || (s[n] == ')' && s[n - 1] == 'a'))
			return 0;
		open += s[n] == '(' ? 1 : s[n] == ')' ? -1 : 0;
		n++;
	} while (open);
	return n;
}

static unsigned alignment(char c)
{
	return c == '(' || strchr("xtd", c) ? 8 : strchr("nq", c) ? 2 : strchr("yg", c) ? 1 : 4;
}

/* The type found agrees with the one wanted ("" = any). */
static int found(struct gv *g, const char *want, const char *type, struct sig *ret)
{
	if (*want && strcmp(want, type) != 0)
		return err_set(g->err, ERR_INVALID, "GVariant text: type '%s' where '%s' is wanted",
			       type, want);
	(void)str_copy(ret->s, sizeof(ret->s), type);
	return 0;
}

/* ---- numbers ---- */

struct range {
	char type;
	int64_t min;
	uint64_t max;
};

static const struct range ranges[] = {
	{ 'y', 0, UINT8_MAX },	       { 'n', INT16_MIN, INT16_MAX }, { 'q', 0, UINT16_MAX },
	{ 'i', INT32_MIN, INT32_MAX }, { 'u', 0, UINT32_MAX },	      { 'x', INT64_MIN, INT64_MAX },
	{ 't', 0, UINT64_MAX },
};

static void put_integer(struct buf *out, char type, uint64_t v)
{
	if (type == 'y')
		dbus_put_byte(out, (uint8_t)v);
	else if (type == 'n' || type == 'q')
		dbus_put_u16(out, (uint16_t)v);
	else if (type == 'i' || type == 'u')
		dbus_put_u32(out, (uint32_t)v);
	else
		dbus_put_u64(out, v);
}

static int integer(struct gv *g, char type, struct slice text)
{
	const bool minus = text.n && text.p[0] == '-';
	uint64_t v = 0;

	if (text.n > 2 && !strncmp(text.p, "0x", 2)) {
		char *end;

		v = strtoull(text.p + 2, &end, 16);
		if (end != text.p + text.n || text.n > 18)
			return bad(g, "no number");
	} else if (str_uint64(slice_of(text.p + minus, text.n - minus), &v, NULL) < 0) {
		return bad(g, "no number");
	}
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		const struct range *r = &ranges[i];

		if (r->type != type)
			continue;
		if (minus ? v > (uint64_t)0 - (uint64_t)r->min : v > r->max)
			return bad(g, "a number out of its type's range");
		if (g->out)
			put_integer(g->out, type, minus ? (uint64_t)0 - v : v);
		return 0;
	}
	return bad(g, "a number where another type is wanted");
}

static int real(struct gv *g, struct slice text)
{
	char *end;
	union {
		double d;
		uint64_t bits;
	} v = { .d = strtod(text.p, &end) };

	if (end != text.p + text.n)
		return bad(g, "no number");
	if (g->out)
		dbus_put_u64(g->out, v.bits);
	return 0;
}

static int number(struct gv *g, const char *want, struct sig *ret)
{
	struct slice text = slice_of(g->p, strspn(g->p, "0123456789abcdefABCDEFx.+-"));
	const bool point = text.n && memchr(text.p, '.', text.n);
	char type[2] = { point ? 'd' : 'i', 0 };
	int r;

	if (*want)
		type[0] = *want;
	if (!text.n)
		return bad(g, "no value");
	r = found(g, want, type, ret);
	if (r == 0)
		r = type[0] == 'd' ? real(g, text) : integer(g, type[0], text);
	g->p += text.n;
	return r;
}

/* ---- text ---- */

static int string(struct gv *g, const char *want, struct sig *ret)
{
	const bool other = *want == 'o' || *want == 'g';
	const char quote = *g->p++;
	char text[GVARIANT_TEXT_MAX + 1];
	size_t n = 0;

	for (; *g->p != quote; g->p++) {
		char c = *g->p;

		if (c == '\\') {
			c = *++g->p;
			if (c == 'n')
				c = '\n';
			else if (c == 't')
				c = '\t';
			else if (c && !strchr("\\'\"", c))
				return bad(g, "an escape other than \\n, \\t, \\\\ and quotes");
		}
		if (!c || n == GVARIANT_TEXT_MAX)
			return bad(g, "a string without end");
		text[n++] = c;
	}
	g->p++;
	if (g->out && *want == 'g')
		dbus_put_sig(g->out, slice_of(text, MIN(n, (size_t)255)));
	else if (g->out)
		dbus_put_str(g->out, slice_of(text, n));
	return found(g, want, other ? (char[]){ *want, 0 } : "s", ret);
}

/* ---- containers ---- */

static int array(struct gv *g, const char *want, struct sig *ret)
{
	struct sig elem = { "" }, one;
	size_t at = 0;
	int r = 0;

	if (*want && *want != 'a')
		return bad(g, "an array where another type is wanted");
	if (*want)
		(void)str_copy(elem.s, sizeof(elem.s), want + 1);
	if (g->out)
		at = dbus_array_begin(g->out, alignment(elem.s[0]));
	g->p++;
	blanks(g);
	while (r == 0 && *g->p != ']') {
		r = value(g, elem.s, &one);
		if (r == 0 && !elem.s[0])
			elem = one;
		blanks(g);
		if (r == 0 && *g->p != ']' && *g->p != ',')
			return bad(g, "neither , nor ]");
		g->p += r == 0 && *g->p == ',';
		blanks(g);
	}
	if (r < 0)
		return r;
	g->p++;
	if (!elem.s[0])
		return bad(g, "an empty array needs its type (@as [])");
	if (strlen(elem.s) + 1 > SIG_MAX)
		return bad(g, "a type too long");
	if (g->out)
		dbus_array_end(g->out, at, alignment(elem.s[0]));
	ret->s[0] = 'a';
	(void)str_copy(ret->s + 1, SIG_MAX, elem.s);
	return 0;
}

static int tuple(struct gv *g, const char *want, struct sig *ret)
{
	struct sig all = { "(" }, one, item = { "" };
	size_t used = 1;
	int r = 0;

	if (*want && *want++ != '(')
		return bad(g, "a tuple where another type is wanted");
	if (g->out)
		dbus_align(g->out, 8);
	g->p++;
	blanks(g);
	while (r == 0 && *g->p != ')') {
		if (*want) {
			size_t n = one_type(want);

			if (!n)
				return bad(g, "more values than the type has");
			memcpy(item.s, want, n);
			item.s[n] = 0;
			want += n;
		}
		r = value(g, item.s, &one);
		if (r == 0 && used + strlen(one.s) + 2 > SIG_MAX)
			return bad(g, "a type too long");
		if (r == 0)
			used += (size_t)snprintf(all.s + used, sizeof(all.s) - used, "%s", one.s);
		blanks(g);
		if (r == 0 && *g->p != ')' && *g->p != ',')
			return bad(g, "neither , nor )");
		g->p += r == 0 && *g->p == ',';
		blanks(g);
	}
	if (r < 0)
		return r;
	g->p++;
	if (used == 1 || (*want && strcmp(want, ")") != 0))
		return bad(g, "fewer values than the type has");
	all.s[used] = ')';
	*ret = all;
	return 0;
}

/* ---- any ---- */

/* "uint32 5" */
static const char *type_word(struct gv *g)
{
	static const struct {
		const char *name, *type;
	} words[] = {
		{ "byte", "y" },    { "int16", "n" },  { "uint16", "q" },     { "int32", "i" },
		{ "uint32", "u" },  { "int64", "x" },  { "uint64", "t" },     { "double", "d" },
		{ "boolean", "b" }, { "string", "s" }, { "objectpath", "o" }, { "signature", "g" },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (word(g, words[i].name))
			return words[i].type;
	return NULL;
}

static int annotated(struct gv *g, const char *want, struct sig *ret)
{
	size_t n = one_type(++g->p);
	struct sig type = { "" };

	if (!n || n > SIG_MAX || (g->p[n] && !strchr(" \t\n", g->p[n])))
		return bad(g, "no type of a property");
	memcpy(type.s, g->p, n);
	g->p += n;
	if (*want && strcmp(want, type.s) != 0)
		return bad(g, "another type than the one before");
	return value(g, type.s, ret);
}

static int plain(struct gv *g, const char *want, struct sig *ret)
{
	bool yes = word(g, "true");

	if (yes || word(g, "false")) {
		if (g->out)
			dbus_put_u32(g->out, yes);
		return found(g, want, "b", ret);
	}
	switch (*g->p) {
	case '\'':
	case '"': return string(g, want, ret);
	case '[': return array(g, want, ret);
	case '(': return tuple(g, want, ret);
	case '{': return bad(g, "a dictionary, which is not supported,");
	case '<': return bad(g, "a variant, which is not supported,");
	default: return number(g, want, ret);
	}
}

static int value(struct gv *g, const char *want, struct sig *ret)
{
	const char *type;
	int r;

	blanks(g);
	if (g->depth == DEPTH)
		return bad(g, "too much nesting");
	g->depth++;
	type = type_word(g);
	if (type && *want && strcmp(want, type) != 0)
		r = bad(g, "another type than the one before");
	else if (type)
		r = value(g, type, ret);
	else if (*g->p == '@')
		r = annotated(g, want, ret);
	else
		r = plain(g, want, ret);
	g->depth--;
	return r;
}

/* "1.5" as microseconds. */
static int put_seconds(struct buf *out, const char *text, struct err *err)
{
	double v = 0;
	char *end;

	if (*text >= 'a' && *text <= 'z')
		text += strcspn(text, " "); /* its type's word */
	text += strspn(text, " ");
	v = strtod(text, &end);
	if (end == text || *end || !(v >= 0) || v > 1e12)
		return err_set(err, ERR_INVALID, "GVariant text: '%.40s' is no number of seconds",
			       text);
	dbus_put_sig(out, SLICE("t"));
	dbus_put_u64(out, (uint64_t)(v * 1000000));
	return 0;
}

int gvariant_put(struct buf *out, const char *text, bool seconds, struct err *err)
{
	struct gv g = { .p = text, .err = err };
	struct sig type, again;
	int r;

	if (strlen(text) > GVARIANT_TEXT_MAX)
		return err_set(err, ERR_INVALID, "GVariant text is longer than %d bytes",
			       GVARIANT_TEXT_MAX);
	if (seconds)
		return put_seconds(out, text, err);
	r = value(&g, "", &type);
	blanks(&g);
	if (r == 0 && *g.p)
		r = bad(&g, "something after the value");
	if (r < 0)
		return r;
	dbus_put_sig(out, slice_str(type.s));
	g = (struct gv){ .p = text, .out = out, .err = err };
	r = value(&g, type.s, &again);
	return r < 0 ? r : out->full ? err_set(err, ERR_TOO_LARGE, "GVariant: no room") : 0;
}
