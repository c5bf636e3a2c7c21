/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML writer: block style as kubectl and docker compose print it. A scalar is plain where every
 * reader takes it for this very string; "double" where its text would mean something else or has
 * characters to escape; 'single' where only punctuation is in the way; literal (|) for lines.
 * Recursion is bounded by WRITE_DEPTH.
 */
#include "doc/yaml.h"

#include "base/err.h"
#include "doc/yaml-scalar.h"

#include <stdio.h>
#include <stdlib.h>

#define WRITE_DEPTH 900
#define SIMPLE_KEY 128 /* longer keys are written as "? key" */

struct writer {
	struct buf *out;
	struct yaml_style style;
	size_t line; /* where the current line begins in out */
	int depth;
};

/* --- text
 * ----------------------------------------------------------------------------------------- */

/* Errors of the buffer latch in it; the end of the walk looks once. */
static void add(struct writer *w, const char *p, size_t n)
{
	(void)buf_add(w->out, p, n);
}

static void adds(struct writer *w, const char *s)
{
	add(w, s, strlen(s));
}

static void new_line(struct writer *w)
{
	adds(w, "\n");
	w->line = w->out->n;
}

static void indent(struct writer *w, int columns)
{
	for (; columns > 0; columns--)
		adds(w, " ");
}

/* Bytes of the character at s.p, and which it is; bad UTF-8 is U+FFFD of one byte. */
static size_t next_char(struct slice s, uint32_t *ret)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t u = n == 1 ? c : c & (0xffu >> (n + 1));

	*ret = 0xfffd;
	if (n > s.n || (c >= 0x80 && c < 0xc2) || c > 0xf4)
		return 1;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 1;
		u = u << 6 | ((unsigned char)s.p[i] & 0x3f);
	}
	if (u < least[n] || u > 0x10ffff || (u >= 0xd800 && u < 0xe000))
		return 1;
	*ret = u;
	return n;
}

/* What go-yaml v2 writes as it is: no tabs, no controls, nothing above the basic plane. */
static bool is_printable(uint32_t u)
{
	return u == '\n' || (u >= 0x20 && u <= 0x7e) ||
	       (u >= 0xa0 && u < 0xd800 && u != 0x2028 && u != 0x2029) ||
	       (u >= 0xe000 && u < 0xfffd && u != 0xfeff);
}

/* --- which style
 * ---------------------------------------------------------------------------------- */

enum style { PLAIN, SINGLE, DOUBLE, LITERAL };

static bool is_end(struct slice s, size_t i)
{
	return i >= s.n || s.p[i] == ' ' || s.p[i] == '\n';
}

/* Punctuation that gives a plain scalar another meaning in block context. */
static bool has_indicator(struct slice s)
{
	if (s.p[0] == ' ' || s.p[s.n - 1] == ' ' || strchr("#,[]{}&*!|>'\"%@`", s.p[0]) ||
	    slice_starts(s, SLICE("---")) || slice_starts(s, SLICE("...")))
		return true;
	if (strchr("-?:", s.p[0]) && is_end(s, 1))
		return true;
	for (size_t i = 1; i < s.n; i++)
		if ((s.p[i] == ':' && is_end(s, i + 1)) || (s.p[i] == '#' && s.p[i - 1] == ' '))
			return true;
	return false;
}

static enum style choose(struct slice s, bool key)
{
	bool lines = false, space_break = false;

	if (s.n == 0)
		return DOUBLE;
	for (size_t i = 0; i < s.n;) {
		uint32_t u;
		size_t n = next_char(slice_of(s.p + i, s.n - i), &u);

		if (!is_printable(u) || u == 0xfffd)
			return DOUBLE;
		if (u == '\n') {
			lines = true;
			space_break |= i > 0 && s.p[i - 1] == ' ';
		}
		i += n;
	}
	if (lines)
		return key || space_break || s.p[s.n - 1] == ' ' ? DOUBLE : LITERAL;
	if (!yaml_plain_is_string(s))
		return DOUBLE;
	return has_indicator(s) ? SINGLE : PLAIN;
}

/* --- scalars
 * -------------------------------------------------------------------------------------- */

static bool too_wide(const struct writer *w)
{
	size_t columns = 0;

	if (w->style.width < 0)
		return false;
	for (size_t i = w->line; i < w->out->n; i++)
		columns += ((unsigned char)w->out->p[i] & 0xc0) != 0x80;
	return columns > (size_t)(w->style.width ? w->style.width : 80);
}

/* At a lone blank between two words the line may end: readers make a blank of it again. */
static bool may_fold(struct writer *w, struct slice s, size_t i, int in)
{
	return in >= 0 && s.p[i] == ' ' && i > 0 && i + 1 < s.n && s.p[i - 1] != ' ' &&
	       s.p[i + 1] != ' ' && too_wide(w);
}

static void fold(struct writer *w, int in)
{
	new_line(w);
	indent(w, in);
}

/* Plain and single quoted; `in` is the column of folded lines, negative: do not fold. */
static void write_flowing(struct writer *w, struct slice s, bool quoted, int in)
{
	if (quoted)
		adds(w, "'");
	for (size_t i = 0; i < s.n; i++) {
		if (may_fold(w, s, i, in)) {
			fold(w, in);
			continue;
		}
		if (quoted && s.p[i] == '\'')
			adds(w, "'");
		add(w, &s.p[i], 1);
	}
	if (quoted)
		adds(w, "'");
}

static void write_escape(struct writer *w, uint32_t u)
{
	static const char from[] = "\a\b\t\n\v\f\r\x1b\"\\", to[] = "abtnvfre\"\\";
	const char *short_form = u && u < 0x80 ? strchr(from, (int)u) : NULL;
	char text[16];

	if (short_form)
		(void)snprintf(text, sizeof(text), "\\%c", to[short_form - from]);
	else if (u == 0 || u == 0x85 || u == 0x2028 || u == 0x2029)
		(void)snprintf(text, sizeof(text), "\\%c",
			       u == 0	     ? '0'
			       : u == 0x85   ? 'N'
			       : u == 0x2028 ? 'L'
					     : 'P');
	else
		(void)snprintf(text, sizeof(text),
			       u > 0xffff ? "\\U%08X"
			       : u > 0xff ? "\\u%04X"
					  : "\\x%02X",
			       u);
	adds(w, text);
}

static void write_double(struct writer *w, struct slice s, int in)
{
	adds(w, "\"");
	for (size_t i = 0; i < s.n;) {
		uint32_t u;
		size_t n = next_char(slice_of(s.p + i, s.n - i), &u);

		if (may_fold(w, s, i, in))
			fold(w, in);
		else if (!is_printable(u) || u == '\n' || u == '"' || u == '\\')
			write_escape(w, u);
		else
			add(w, s.p + i, n);
		i += n;
	}
	adds(w, "\"");
}

static void write_literal(struct writer *w, struct slice s, int in)
{
	bool ends = s.p[s.n - 1] == '\n';

	adds(w, "|");
	if (s.p[0] == ' ' || s.p[0] == '\n')
		adds(w, "2"); /* all content is indented by two */
	if (!ends)
		adds(w, "-");
	else if (s.n == 1 || s.p[s.n - 2] == '\n')
		adds(w, "+");
	if (ends)
		s.n--;
	while (s.p) {
		struct slice line = slice_split(&s, '\n');

		new_line(w);
		if (line.n)
			indent(w, in);
		add(w, line.p, line.n);
	}
}

static void write_string(struct writer *w, struct slice s, bool key, int in)
{
	switch (choose(s, key)) {
	case PLAIN: write_flowing(w, s, false, key ? -1 : in); break;
	case SINGLE: write_flowing(w, s, true, key ? -1 : in); break;
	case DOUBLE: write_double(w, s, key ? -1 : in); break;
	case LITERAL: write_literal(w, s, in); break;
	}
}

/* --- collections
 * ------------------------------------------------------------------------------------ */

static void write_object(struct writer *w, const struct doc *d, int in);
static void write_array(struct writer *w, const struct doc *d, int in);

static bool is_block(const struct doc *d)
{
	return doc_len(d) > 0;
}

/* Scalars and empty collections; folded lines go to column `in`. */
static void write_inline(struct writer *w, const struct doc *d, int in)
{
	switch (d->type) {
	case DOC_NULL: adds(w, "null"); break;
	case DOC_BOOL: adds(w, d->n ? "true" : "false"); break;
	case DOC_NUMBER: add(w, d->s, d->n); break;
	case DOC_STRING: write_string(w, slice_of(d->n ? d->s : "", d->n), false, in); break;
	case DOC_ARRAY: adds(w, "[]"); break;
	default: adds(w, "{}"); break;
	}
}

static bool is_letter(char c)
{
	return ((c | 32) >= 'a' && (c | 32) <= 'z') || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Value and end of the digits from i on. */
static size_t number_at(struct slice s, size_t i, uint64_t *v)
{
	for (; i < s.n && is_digit(s.p[i]); i++)
		*v = *v * 10 + (uint64_t)(s.p[i] - '0');
	return i;
}

/* go-yaml's order of keys: letters after all else, numbers by value. */
static int compare_members(const void *x, const void *y)
{
	struct slice a = doc_slice(*(const struct doc *const *)x),
		     b = doc_slice(*(const struct doc *const *)y);

	for (size_t i = 0; i < a.n && i < b.n; i++) {
		bool la = is_letter(a.p[i]), lb = is_letter(b.p[i]);
		uint64_t na = 0, nb = 0;
		size_t ea, eb;

		if (a.p[i] == b.p[i])
			continue;
		if (la || lb)
			return la && lb ? ((unsigned char)a.p[i] < (unsigned char)b.p[i] ? -1 : 1)
			       : lb	? -1
					: 1;
		/* 10 against 100: zeros after other digits are part of the number. */
		if (a.p[i] == '0' || b.p[i] == '0')
			for (size_t j = i; j > 0 && is_digit(a.p[j - 1]); j--)
				if (a.p[j - 1] != '0')
					na = nb = 1;
		ea = number_at(a, i, &na);
		eb = number_at(b, i, &nb);
		if (na != nb)
			return na < nb ? -1 : 1;
		if (ea != eb)
			return ea < eb ? -1 : 1;
		return (unsigned char)a.p[i] < (unsigned char)b.p[i] ? -1 : 1;
	}
	return a.n < b.n ? -1 : a.n > b.n;
}

/* After "key:" or "-": what belongs to it. `in` is the column of the key or dash. */
static void write_member_value(struct writer *w, const struct doc *v, int in)
{
	if (!is_block(v)) {
		adds(w, " ");
		write_inline(w, v, in + 2);
		new_line(w);
	} else {
		new_line(w);
		indent(w, v->type == DOC_OBJECT || w->style.indent_lists ? in + 2 : in);
		if (v->type == DOC_OBJECT)
			write_object(w, v, in + 2);
		else
			write_array(w, v, w->style.indent_lists ? in + 2 : in);
	}
}

/* The cursor stands at column `in` already, for the first member. */
static void write_object(struct writer *w, const struct doc *d, int in)
{
	const struct doc **order = malloc(d->n * sizeof(*order));

	if (!order)
		abort();
	for (uint32_t i = 0; i < d->n; i++)
		order[i] = doc_key_at(d, i);
	if (w->style.sorted)
		qsort(order, d->n, sizeof(*order), compare_members);
	w->depth++;
	for (uint32_t i = 0; i < d->n && w->depth < WRITE_DEPTH && !w->out->full; i++) {
		struct slice key = { order[i]->n ? order[i]->s : "", order[i]->n };

		if (i > 0)
			indent(w, in);
		if (key.n > SIMPLE_KEY) {
			adds(w, "? ");
			write_string(w, key, true, in + 2);
			fold(w, in);
		} else {
			write_string(w, key, true, in + 2);
		}
		adds(w, ":");
		write_member_value(w, order[i] + 1, in);
	}
	if (w->depth < WRITE_DEPTH)
		w->depth--;
	free(order);
}

static void write_array(struct writer *w, const struct doc *d, int in)
{
	w->depth++;
	for (uint32_t i = 0; i < d->n && w->depth < WRITE_DEPTH && !w->out->full; i++) {
		const struct doc *v = doc_at(d, i);

		if (i > 0)
			indent(w, in);
		adds(w, "- ");
		if (!is_block(v)) {
			write_inline(w, v, in + 2);
			new_line(w);
		} else if (v->type == DOC_OBJECT) {
			write_object(w, v, in + 2);
		} else {
			write_array(w, v, in + 2);
		}
	}
	if (w->depth < WRITE_DEPTH)
		w->depth--;
}

int yaml_write(const struct doc *d, const struct yaml_style *style, struct buf *out,
	       struct err *err)
{
	struct writer w = { .out = out, .line = out->n };
	size_t before = out->n;
	bool deep;

	if (style)
		w.style = *style;
	if (is_block(d) && d->type == DOC_OBJECT) {
		write_object(&w, d, 0);
	} else if (is_block(d)) {
		write_array(&w, d, 0);
	} else {
		write_inline(&w, d, 2);
		new_line(&w);
	}
	deep = w.depth >= WRITE_DEPTH;
	if (!deep && !out->full)
		return 0;
	out->n = before;
	if (out->p)
		out->p[before] = '\0';
	return deep ? err_set(err, ERR_QUOTA,
			      "write YAML: more than %d collections inside one another",
			      WRITE_DEPTH)
		    : err_set(err, ERR_QUOTA, "write YAML: more than %zu bytes", out->max);
}
