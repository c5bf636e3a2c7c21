/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of objects and the cells they must have, and the walk over them. JSON has ' for ". */
#pragma once

#include "../doc/doc-check.h"

#include "apiserver/objects/columns.h"

#include <stdio.h>

#define NOW 1704844800LL /* 2024-01-10T00:00:00Z */
#define META "'metadata':{'name':'a','creationTimestamp':'2024-01-09T00:00:00Z'}"
#define OLD                                                                  \
	"'metadata':{'name':'a','creationTimestamp':'2024-01-09T00:00:00Z'," \
	"'deletionTimestamp':'2024-01-09T01:00:00Z'}"

struct cell_row {
	const char *what; /* of the case; NULL ends the table */
	const char *api_version, *kind;
	const char *obj;	/* members of the object */
	const char *cells;	/* JSON without the brackets */
	const char *conditions; /* NULL: none */
};

static inline const struct api_kind *kind_of(const struct api *api, const char *api_version,
					     const char *kind)
{
	const struct api_kind *k =
		strcmp(kind, "Scale") == 0 ? columns_scale() : api_kind(api, api_version, kind);

	if (!k)
		print_error("no kind %s %s\n", api_version, kind);
	assert_non_null(k);
	return k;
}

static inline char *json_of(struct arena *a, char open, const char *text, char close)
{
	char *s = arena_printf(a, "%c%s%c", open, text, close);

	assert_non_null(s);
	for (char *p = s; *p; p++)
		if (*p == '\'' && (p == s || p[-1] != '\\'))
			*p = '"';
	return s;
}

static inline int check_row(struct arena *a, const struct api *api, const struct cell_row *row)
{
	const struct api_kind *k = kind_of(api, row->api_version, row->kind);
	struct doc cells, conditions, definitions;
	struct err err = ERR_INIT;
	char *text = json_of(a, '{', row->obj, '}'), *want = json_of(a, '[', row->cells, ']');
	const char *is;

	assert_int_equal(columns_cells(k, must_read(a, text), NOW, a, &cells, &conditions, &err),
			 0);
	assert_int_equal(columns_definitions(k, a, &definitions, &err), 0);
	is = written(a, &cells, NULL);
	if (doc_len(&cells) != doc_len(&definitions) || strcmp(is, want) != 0) {
		print_error("%s %s: %s:\n  is   %s\n  want %s\n", row->api_version, row->kind,
			    row->what, is, want);
		return 1;
	}
	is = written(a, &conditions, NULL);
	if (strcmp(is, row->conditions ? json_of(a, '[', row->conditions, ']') : "null") == 0)
		return 0;
	print_error("%s: conditions %s\n", row->what, is);
	return 1;
}

static inline void check_rows(struct arena *a, const struct cell_row *rows)
{
	CLEANUP(api_fini) struct api api = { 0 };
	struct err err = ERR_INIT;
	int bad = 0;

	assert_int_equal(api_load(a, &api, &err), 0);
	for (; rows->what; rows++)
		bad += check_row(a, &api, rows);
	assert_int_equal(bad, 0);
}

/* The row's cells with one node after the other of another type; as many cells every time. */
static inline int misfits(struct arena *a, const struct api_kind *k, struct doc *whole,
			  struct doc *at)
{
	const struct doc others[] = { doc_null(),  doc_bool(true), DOC_LIT("x"),
				      doc_array(), doc_object(),   doc_int(a, -7) };
	struct doc was = *at, cells, conditions;
	struct err err = ERR_INIT;
	int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		*at = others[i];
		assert_int_equal(columns_cells(k, whole, NOW, a, &cells, &conditions, &err), 0);
		bad += doc_len(&cells) != (k->ncolumns ? k->ncolumns : 2);
	}
	*at = was;
	DOC_EACH (it, at)
		bad += misfits(a, k, whole, it);
	DOC_EACH_MEMBER (key, value, at)
		bad += key ? misfits(a, k, whole, value) : 0;
	return bad;
}

static inline void check_misfits(struct arena *keep, const struct cell_row *rows)
{
	CLEANUP(api_fini) struct api api = { 0 };
	struct err err = ERR_INIT;
	int bad = 0;

	assert_int_equal(api_load(keep, &api, &err), 0);
	for (; rows->what; rows++) {
		CLEANUP(arena_free) struct arena *a = arena_new("row", ARENA_MAX);
		struct doc *obj = must_read(a, json_of(a, '{', rows->obj, '}'));

		bad += misfits(a, kind_of(&api, rows->api_version, rows->kind), obj, obj);
	}
	assert_int_equal(bad, 0);
}
