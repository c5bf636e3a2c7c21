/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates and tables. A row is rendered once into cells with tabs between; the widths are known
 * at the end, so a table is laid out in one pass over that text.
 */
#include "cli/view.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

#define ROWS_MAX (256u << 20)
#define CELL_MIN 10 /* docker's: a column takes at least this, and 3 blanks */
#define CELL_GAP 3
#define COLUMNS_MAX 64
#define VALUE_DEPTH 32

/* ---- templates ---- */

static bool is_path(struct slice s)
{
	bool dot = true;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '.' && dot)
			return false;
		dot = c == '.';
		if (!dot && !(c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			      (c >= 'A' && c <= 'Z')))
			return false;
	}
	return s.n && !dot;
}

static int parse_action(struct slice whole, struct template_part *ret, struct err *err)
{
	struct slice s = slice_trim(whole);

	ret->kind = TEMPLATE_FIELD;
	if (slice_starts(s, SLICE("json "))) {
		ret->kind = TEMPLATE_JSON;
		s = slice_trim(slice_of(s.p + 5, s.n - 5));
	}
	if (s.n && s.p[0] == '.') {
		ret->text = slice_of(s.p + 1, s.n - 1);
		if (is_path(ret->text) || (!ret->text.n && ret->kind == TEMPLATE_JSON))
			return 0;
	}
	return err_set(err, ERR_UNSUPPORTED,
		       "template: {{%.*s}} is not supported: {{.Field}}, {{.Dotted.Path}}, {{json "
		       ".}} and {{json .Path}} are",
		       (int)MIN(whole.n, (size_t)200), whole.p);
}

static const char *unescape(struct arena *a, const char *text)
{
	char *copy = arena_strdup(a, text), *d = copy;

	for (const char *s = text; copy && *s; s++) {
		if (*s == '\\' && (s[1] == 't' || s[1] == 'n'))
			*d++ = *++s == 't' ? '\t' : '\n';
		else
			*d++ = *s;
	}
	if (copy)
		*d = '\0';
	return copy;
}

int template_parse(struct arena *a, const char *text, struct template *ret, struct err *err)
{
	const char *at = unescape(a, text);
	size_t cap = 2;
	int r;

	for (const char *p = at; p && (p = strstr(p, "{{")); p += 2)
		cap += 2;
	*ret = (struct template){ .parts = ARENA_ARRAY(a, struct template_part, cap) };
	if (!at || !ret->parts)
		return arena_quota(a, err);
	while (*at) {
		const char *open = strstr(at, "{{"), *end;
		size_t n = open ? (size_t)(open - at) : strlen(at);

		if (n)
			ret->parts[ret->n++] =
				(struct template_part){ TEMPLATE_TEXT, slice_of(at, n) };
		if (!open)
			break;
		end = strstr(open, "}}");
		if (!end)
			return err_set(err, ERR_INVALID, "template: '%.200s' has no closing '}}'",
				       open);
		r = parse_action(slice_of(open + 2, (size_t)(end - open - 2)),
				 &ret->parts[ret->n++], err);
		if (r < 0)
			return r;
		at = end + 2;
	}
	return 0;
}

/* As Go's fmt prints: [a b], map[k:v], bare strings. */
static void put_value(const struct doc *d, unsigned depth, struct buf *out)
{
	const char *sep = "";

	switch (d->type) {
	case DOC_NULL: buf_adds(out, "<no value>"); return;
	case DOC_BOOL: buf_adds(out, d->n ? "true" : "false"); return;
	case DOC_NUMBER:
	case DOC_STRING: buf_add(out, d->s, d->n); return;
	default: break;
	}
	buf_adds(out, d->type == DOC_ARRAY ? "[" : "map[");
	for (size_t i = 0; i < d->n && depth < VALUE_DEPTH; i++, sep = " ") {
		buf_adds(out, sep);
		if (d->type == DOC_ARRAY) {
			put_value(doc_at(d, i), depth + 1, out);
			continue;
		}
		put_value(doc_key_at(d, i), depth + 1, out);
		buf_addc(out, ':');
		put_value(doc_value_at(d, i), depth + 1, out);
	}
	buf_addc(out, ']');
}

/* docker's templates see Go's names ("ID") as well as JSON's ("Id"): case tells them apart. */
static const struct doc *member(const struct doc *d, struct slice name)
{
	const struct doc *v = doc_getn(d, name);

	if (v || !doc_is(d, DOC_OBJECT))
		return v;
	DOC_EACH_MEMBER (key, value, d)
		if (slice_ieq(doc_slice(key), name))
			return value;
	return NULL;
}

static const struct doc *lookup(const struct doc *d, struct slice path)
{
	while (path.p && path.n && d)
		d = member(d, slice_split(&path, '.'));
	return d;
}

int template_render(const struct template *t, const struct doc *d, struct buf *out, struct err *err)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct template_part *p = &t->parts[i];
		const struct doc *v;
		int r;

		if (p->kind == TEMPLATE_TEXT) {
			buf_add(out, p->text.p, p->text.n);
			continue;
		}
		v = lookup(d, p->text);
		if (!v)
			return err_set(err, ERR_NOT_FOUND, "template: .%.*s: no such field",
				       (int)p->text.n, p->text.p);
		if (p->kind == TEMPLATE_FIELD) {
			put_value(v, 0, out);
			continue;
		}
		r = json_write(v, NULL, out, err);
		if (r < 0)
			return r;
	}
	return out->full ? err_set(err, ERR_QUOTA, "more than %zu bytes of output", out->max) : 0;
}

/* ---- tables ---- */

static const char *heading_of(const struct view *v, struct slice field)
{
	for (size_t i = 0; i < v->nfields; i++)
		if (slice_is(field, v->fields[i].name))
			return v->fields[i].heading;
	return NULL;
}

static int put_headings(struct view_print *p, struct err *err)
{
	for (size_t i = 0; i < p->t.n; i++) {
		const struct template_part *part = &p->t.parts[i];
		const char *heading;

		if (part->kind == TEMPLATE_TEXT) {
			buf_add(&p->rows, part->text.p, part->text.n);
			continue;
		}
		heading = part->text.n ? heading_of(p->view, part->text) : "";
		if (!heading)
			return err_set(err, ERR_NOT_FOUND, "template: .%.*s: no such field",
				       (int)part->text.n, part->text.p);
		buf_adds(&p->rows, heading);
	}
	buf_addc(&p->rows, '\n');
	return 0;
}

int view_begin(struct view_print *p, struct arena *a, const struct view *v, const char *format,
	       struct err *err)
{
	const char *text = format && *format ? format : "table";
	int r;

	*p = (struct view_print){ .view = v, .arena = a, .rows = BUF_INIT(ROWS_MAX) };
	if (strcmp(text, "json") == 0) {
		p->json = true;
		return 0;
	}
	if (strncmp(text, "table", 5) == 0 && (!text[5] || text[5] == ' ')) {
		p->table = true;
		text += text[5] ? 6 : 5;
		if (!*text)
			text = v->table;
	}
	r = template_parse(a, text, &p->t, err);
	if (r < 0)
		return r;
	return p->table ? put_headings(p, err) : 0;
}

int view_row(struct view_print *p, const struct doc *row, struct err *err)
{
	struct json_style sorted = { .order = JSON_SORTED };
	int r;

	r = p->json ? json_write(row, &sorted, &p->rows, err)
		    : template_render(&p->t, row, &p->rows, err);
	if (r == 0)
		buf_addc(&p->rows, '\n');
	return r;
}

/* Columns on the screen: UTF-8 continuation bytes take none. */
static size_t text_width(struct slice s)
{
	size_t w = 0;

	for (size_t i = 0; i < s.n; i++)
		w += (s.p[i] & 0xc0) != 0x80;
	return w;
}

/* The last cell of a line ends it, so it gets no blanks. */
static void lay_out(struct slice rows, const size_t *widths, struct buf *out)
{
	while (rows.n) {
		struct slice line = slice_split(&rows, '\n');

		for (size_t i = 0; line.p; i++) {
			struct slice cell = slice_split(&line, '\t');

			buf_add(out, cell.p, cell.n);
			if (!line.p || i >= COLUMNS_MAX)
				continue;
			buf_addf(out, "%*s", (int)(widths[i] - text_width(cell)), "");
		}
		buf_addc(out, '\n');
	}
}

void view_end(struct view_print *p, struct buf *out)
{
	size_t widths[COLUMNS_MAX] = { 0 };
	struct slice rest = buf_slice(&p->rows);

	while (out && p->table && rest.n) {
		struct slice line = slice_split(&rest, '\n');

		for (size_t i = 0; line.p && i < COLUMNS_MAX; i++) {
			struct slice cell = slice_split(&line, '\t');

			if (line.p)
				widths[i] = MAX(widths[i],
						MAX(text_width(cell) + CELL_GAP, (size_t)CELL_MIN));
		}
	}
	if (out && p->table)
		lay_out(buf_slice(&p->rows), widths, out);
	else if (out)
		buf_add(out, buf_str(&p->rows), p->rows.n);
	buf_fini(&p->rows);
}
