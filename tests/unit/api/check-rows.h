/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of rules as rows: what is written, and what is told of it.
 *
 * In the texts ' stands for ". A row's text takes the place of % in its frame. `want` has a line
 * for each error ("path: words"), in any order; an error may go on after the line's end. "" =
 * valid.
 */
#pragma once

#include "../doc/doc-check.h"

#include "api/check.h"
#include "api/object.h"

#include <stdio.h>

struct row {
	const char *text, *want;
	const char *old; /* an update of this, in the same frame */
};

struct frame {
	const char *version, *kind, *sub; /* "v1", "Pod", "" */
	const char *text;		  /* NULL: rows are whole objects */
};

static void row_quotes(char *text)
{
	for (; *text; text++)
		if (*text == '\'')
			*text = '"';
}

static const char *row_text(struct arena *a, const char *frame, const char *text)
{
	const char *hole = frame ? strchr(frame, '%') : NULL;
	size_t before = hole ? (size_t)(hole - frame) : 0, n = strlen(text);
	size_t total = n + (hole ? strlen(frame) : 0) + 1;
	char *all = arena_alloc(a, total);

	assert_non_null(all);
	(void)snprintf(all, total, "%.*s%s%s", (int)before, hole ? frame : "", text,
		       hole ? hole + 1 : "");
	row_quotes(all);
	return all;
}

static struct doc row_object(struct arena *a, const struct api *api, const struct frame *f,
			     const char *text)
{
	struct err err = ERR_INIT;
	struct doc d = { 0 };
	int r = api_admit(api_kind(api, f->version, f->kind)->type,
			  must_read(a, row_text(a, f->text, text)), a, 0, NULL, &d, &err);

	if (r != 0)
		print_error("%s: %s\n", text, err.msg);
	assert_int_equal(r, 0);
	return d;
}

/* Is there a line for this error? It is taken out. */
static bool row_takes(char *lines, const struct cause *k)
{
	char have[4096];

	(void)snprintf(have, sizeof(have), "%s: %s", k->field, k->detail);
	row_quotes(have);
	for (char *line = lines; *line;) {
		size_t n = strcspn(line, "\n");
		char *next = line + n + (line[n] == '\n');

		if (n > 0 && strncmp(have, line, n) == 0) {
			memmove(line, next, strlen(next) + 1);
			return true;
		}
		line = next;
	}
	return false;
}

static unsigned row_failures(struct arena *a, const struct api *api, const struct frame *f,
			     const struct row *row)
{
	struct doc d = row_object(a, api, f, row->text), old = { 0 };
	struct err err = ERR_INIT;
	char want[4096];
	unsigned bad = 0;

	(void)snprintf(want, sizeof(want), "%s", row->want);
	row_quotes(want);
	if (row->old)
		old = row_object(a, api, f, row->old);
	(void)api_check(api, api_kind(api, f->version, f->kind), f->sub ? f->sub : "", &d,
			row->old ? &old : NULL, a, &err);
	for (const struct cause *k = err.causes; k; k = k->next)
		if (!row_takes(want, k)) {
			print_error("%s %s\n  has   %s: %s\n", f->kind, row->text, k->field,
				    k->detail);
			bad++;
		}
	if (want[strspn(want, "\n")]) {
		print_error("%s %s\n  lacks %s\n", f->kind, row->text, want);
		bad++;
	}
	return bad;
}

static void check_rows(void **state, const struct frame *f, const struct row *rows, size_t n)
{
	struct arena *a = *state;
	CLEANUP(api_fini) struct api api;
	struct err err = ERR_INIT;
	unsigned bad = 0;

	assert_int_equal(api_load(a, &api, &err), 0);
	for (size_t i = 0; i < n; i++)
		bad += row_failures(a, &api, f, &rows[i]);
	assert_int_equal(bad, 0);
}
#define CHECK_ROWS(state, frame, rows) check_rows(state, frame, rows, ARRAY_LEN(rows))
