/* SPDX-License-Identifier: Apache-2.0 */
/* Text of `kubectl describe`: lines with values, and tabs to columns. */
#include "cli/kubectl/describe.h"

#include "api/quantity.h"
#include "base/arena.h"
#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

#define PADDING 2
#define COLUMNS_MAX 256 /* what stands behind them is not aligned */

/* ---- columns ---- */

struct cell {
	const char *p;
	size_t n, width; /* bytes; characters */
	size_t column;	 /* of the column here, padding with it */
	bool ends;	 /* the last of its line */
};

static size_t characters(const char *p, size_t n)
{
	size_t c = 0;

	for (size_t i = 0; i < n; i++)
		c += ((unsigned char)p[i] & 0xc0) != 0x80;
	return c;
}

static size_t split_cells(struct slice text, struct cell *v, size_t *lines, size_t *nlines)
{
	size_t n = 0, from = 0;

	*nlines = 0;
	lines[(*nlines)++] = 0;
	for (size_t i = 0; i <= text.n; i++) {
		char c = '\n';

		if (i < text.n)
			c = text.p[i];
		if (!strchr("\t\v\n\f", c) || !c)
			continue;
		v[n] = (struct cell){ .p = text.p + from,
				      .n = i - from,
				      .width = characters(text.p + from, i - from),
				      .ends = c == '\n' || c == '\f' };
		n++;
		if (v[n - 1].ends)
			lines[(*nlines)++] = n;
		from = i + 1;
	}
	return n;
}

/* A column is a run of lines that each have a cell there with another behind it. */
static void measure(struct cell *v, const size_t *lines, size_t nlines, size_t column)
{
	for (size_t i = 0, end; i + 1 < nlines; i = end + 1) {
		size_t width = 0;

		for (end = i; end + 1 < nlines && lines[end + 1] - lines[end] > column + 1; end++)
			width = MAX(width, v[lines[end] + column].width + PADDING);
		for (size_t j = i; j < end; j++)
			v[lines[j] + column].column = width;
	}
}

void describe_align(struct slice text, struct buf *out)
{
	struct cell *v;
	size_t *lines, nlines, n = 2, most = 0;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\t' || text.p[i] == '\v' || text.p[i] == '\n' ||
		     text.p[i] == '\f';
	v = calloc(n, sizeof(*v));
	lines = calloc(n + 1, sizeof(*lines));
	if (v && lines) {
		n = split_cells(text, v, lines, &nlines);
		for (size_t i = 0; i + 1 < nlines; i++)
			most = MAX(most, lines[i + 1] - lines[i]);
		for (size_t c = 0; c < MIN(most, (size_t)COLUMNS_MAX); c++)
			measure(v, lines, nlines, c);
		for (size_t i = 0; i < n; i++) {
			buf_add(out, v[i].p, v[i].n);
			if (v[i].column > v[i].width)
				buf_addf(out, "%*s", (int)(v[i].column - v[i].width), "");
			/* what ends the text is no line */
			if (v[i].ends && i + 1 < n)
				buf_addc(out, '\n');
		}
	} else {
		out->full = true;
	}
	free(v);
	free(lines);
}

/* ---- values ---- */

static void add_time(const struct doc *v, const char *form, struct buf *out)
{
	struct tm tm = { 0 };
	char text[64];
	int64_t ns;
	time_t s;

	if (!v || clock_parse_rfc3339(doc_slice(v), &ns, NULL) < 0 || ns == CLOCK_ZERO) {
		buf_adds(out, *form == '@' ? "Mon, 01 Jan 0001 00:00:00 +0000"
					   : "0001-01-01 00:00:00 +0000 UTC");
		return;
	}
	s = ns / NS_PER_SEC;
	if (localtime_r(&s, &tm) &&
	    strftime(text, sizeof(text),
		     *form == '@' ? "%a, %d %b %Y %H:%M:%S %z" : "%Y-%m-%d %H:%M:%S %z ", &tm))
		buf_adds(out, text);
	if (*form == '^')
		buf_adds(out, tm.tm_zone ? tm.tm_zone : "UTC");
}

static void add_list(const struct doc *v, const char *between, struct buf *out)
{
	bool first = true;

	DOC_EACH (e, v) {
		buf_adds(out, first ? "" : between);
		first = false;
		kubectl_go_value(e, out);
	}
}

bool describe_read_quantity(const struct doc *v, struct quantity *ret)
{
	return (doc_is(v, DOC_STRING) || doc_is(v, DOC_NUMBER)) &&
	       quantity_parse(slice_of(v->s, v->n), ret);
}

static void add_reference(const struct doc *v, bool with_space, struct buf *out)
{
	struct slice name = doc_slice(doc_get(v, "name")),
		     space = doc_slice(doc_get(v, "namespace"));

	if (!v || v->type == DOC_NULL)
		buf_adds(out, "nil");
	else if (with_space)
		buf_addf(out, "&SecretReference{Name:%.*s,Namespace:%.*s,}", (int)name.n,
			 name.n ? name.p : "", (int)space.n, space.n ? space.p : "");
	else
		buf_addf(out, "&LocalObjectReference{Name:%.*s,}", (int)name.n,
			 name.n ? name.p : "");
}

static void add_value(const struct doc *v, char form, struct buf *out)
{
	char text[QUANTITY_TEXT_MAX];
	struct quantity q;

	switch (form) {
	case '@':
	case '^': add_time(v, &form, out); break;
	case '*': add_list(v, ",", out); break;
	case '+': add_list(v, ", ", out); break;
	case '&':
	case '%': add_reference(v, form == '%', out); break;
	case '~':
		if (describe_read_quantity(v, &q)) {
			(void)quantity_print(&q, text); /* its length */
			buf_adds(out, text);
		}
		break;
	default:
		if (v && v->type == DOC_STRING)
			buf_add(out, v->s, v->n);
		else if (v && v->type != DOC_NULL)
			kubectl_go_value(v, out);
	}
}

/* What stands between braces, without escapes of control characters. */
static void expand(const struct doc *from, struct slice spec, struct buf *out)
{
	struct slice rest = spec, path = slice_split(&rest, '|');
	const struct doc *v = from;
	size_t before = out->n;
	char form = 0, literal[128];

	if (path.n && strchr("@^~*+&%", path.p[0])) {
		form = path.p[0];
		path = slice_of(path.p + 1, path.n - 1);
	}
	if (path.n) {
		(void)str_copy(literal, MIN(sizeof(literal), path.n + 1), path.p);
		v = doc_find(from, literal);
	}
	if ((form == '@' || form == '^') && rest.p && !doc_slice(v).n) {
		buf_add(out, rest.p, rest.n);
		return;
	}
	add_value(v, form, out);
	if (out->n == before && rest.n)
		buf_add(out, rest.p, rest.n);
}

const char *describe_value(struct describe *d, const struct doc *from, const char *spec)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(DESCRIBE_TEXT_MAX);
	const char *s;

	expand(from, slice_str(spec), &b);
	s = arena_strndup(d->k->arena, buf_str(&b), b.n);
	return s ? s : "";
}

int64_t describe_int(const struct doc *from, const char *path, int64_t missing)
{
	int64_t v = missing;

	(void)doc_int64(doc_find(from, path), &v); /* none: as it was */
	return v;
}

/* ---- lines ---- */

/* A terminal is to obey nothing that an object says. */
static void add_escaped(struct describe *d, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == 0x1b)
			buf_adds(&d->text, "^[");
		else if (s.p[i] == '\r')
			buf_adds(&d->text, "\\r");
		else
			buf_addc(&d->text, s.p[i]);
	}
}

static void indent(struct describe *d, int level)
{
	buf_addf(&d->text, "%*s", (level + d->nest) * 2, "");
}

void describe_f(struct describe *d, int level, const char *fmt, ...)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(DESCRIBE_TEXT_MAX);
	va_list ap;

	va_start(ap, fmt);
	buf_addv(&b, fmt, ap);
	va_end(ap);
	indent(d, level);
	add_escaped(d, buf_slice(&b));
	d->text.full = d->text.full || b.full;
}

void describe_put(struct describe *d, int level, const struct doc *from, const char *lines)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(DESCRIBE_TEXT_MAX);
	bool begins = true;

	for (const char *p = lines; *p; p++) {
		if (begins)
			indent(d, level);
		begins = *p == '\n';
		if (*p != '{') {
			buf_addc(&d->text, *p);
			continue;
		}
		buf_clear(&b);
		expand(from, slice_of(p + 1, strcspn(p, "}") - 1), &b);
		add_escaped(d, buf_slice(&b));
		p += strcspn(p, "}");
	}
	d->text.full = d->text.full || b.full;
}

void describe_opt(struct describe *d, int level, const struct doc *from, const char *path,
		  const char *lines)
{
	const struct doc *v = doc_find(from, path);

	if (v && v->type != DOC_NULL && !(v->type == DOC_STRING && !v->n))
		describe_put(d, level, from, lines);
}
