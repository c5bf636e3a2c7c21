/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --format: templates over documents, and tables of rows.
 *
 * Of Go's template language there is {{.Field}}, {{.Dotted.Path}}, {{json .}} and {{json .Path}};
 * anything else is refused with its own text in the message. "\t" and "\n" in a template are tab
 * and line break.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>

struct arena;
struct doc;
struct err;

struct template_part {
	enum { TEMPLATE_TEXT, TEMPLATE_FIELD, TEMPLATE_JSON } kind;
	struct slice text; /* literal, or the path without its first dot ("" = the whole) */
};
struct template
{
	struct template_part *parts;
	size_t n;
};
/* UNSUPPORTED names the action that we do not know; INVALID one that does not end. */
int template_parse(struct arena *a, const char *text, struct template *ret, struct err *err);
/* Appends; values as Go prints them. NOT_FOUND names a field that the document lacks. */
int template_render(const struct template *t, const struct doc *d, struct buf *out,
		    struct err *err);

/* What one command lists. */
struct view_field {
	const char *name, *heading;
};
struct view {
	const struct view_field *fields; /* all that a template may name */
	size_t nfields;
	const char *table; /* fields of the table, "{{.ID}}\t{{.Image}}" */
};
/* One printing. format: NULL or "table" = the view's table, "table TEMPLATE", "json" = one object a
 * line, or a template. */
struct view_print {
	const struct view *view;
	struct arena *arena;
	struct template t;
	bool table, json;
	struct buf rows; /* lines of cells with tabs between */
};
int view_begin(struct view_print *p, struct arena *a, const struct view *v, const char *format,
	       struct err *err);
/* row: an object with the view's fields, as strings. */
int view_row(struct view_print *p, const struct doc *row, struct err *err);
/* Lays out and appends to out. Frees what view_begin made; also to be called after errors with out
 * NULL. */
void view_end(struct view_print *p, struct buf *out);
