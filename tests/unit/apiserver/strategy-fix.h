/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strategies on documents alone: objects as rows of text (' stands for "), what a call makes of
 * them, and what it warns of.
 *
 * `want` has a line for each fact: "path=json", "path=" when nothing is to be there; "/" in place
 * of "." where keys have dots. "!words" is a warning with these words in it; "!" alone: there is
 * none. Every result is also looked at as a whole: it is canonical, and stays as it is.
 */
#pragma once

#include "../doc/doc-check.h"

#include "api/object.h"
#include "apiserver/strategy/strategy-private.h"

#include <stdio.h>

#define NOW 1700000000 /* 2023-11-14T22:13:20Z */
#define NOW_TEXT "'2023-11-14T22:13:20Z'"

struct sfix {
	struct arena *a;
	struct api api;
	struct collection objects;
	struct strategy_call c;
};

static inline int sfix_setup(void **state)
{
	struct arena *a = arena_new("test", ARENA_MAX);
	struct sfix *x = ARENA_NEW(a, struct sfix);
	struct err err = ERR_INIT;

	assert_non_null(x);
	x->a = a;
	assert_int_equal(api_load(a, &x->api, &err), 0);
	*state = x;
	return 0;
}

static inline int sfix_teardown(void **state)
{
	struct sfix *x = *state;

	api_fini(&x->api);
	arena_free(x->a);
	return 0;
}

#define SCASE(f) cmocka_unit_test_setup_teardown(f, sfix_setup, sfix_teardown)

/* Everything is about this kind from now on. */
static inline void sfix_kind(struct sfix *x, const char *version, const char *kind, const char *sub)
{
	const struct api_kind *k = api_kind(&x->api, version, kind);
	void *state_ = x->objects.state;

	assert_non_null(k);
	x->objects = (struct collection){ .kind = k,
					  .strategy = strategy_find(k->group->group, k->resource),
					  .state = state_ };
	x->c = (struct strategy_call){ .objects = &x->objects, .sub = sub, .a = x->a, .now = NOW };
}

static inline char *sfix_quoted(struct sfix *x, const char *text)
{
	char *s = arena_strdup(x->a, text);

	assert_non_null(s);
	for (char *p = s; *p; p++)
		if (*p == '\'')
			*p = '"';
	return s;
}

static inline struct doc *sfix_doc(struct sfix *x, const char *text)
{
	struct err err = ERR_INIT;
	struct doc *d = ARENA_NEW(x->a, struct doc);

	if (api_admit(x->objects.kind->type, must_read(x->a, sfix_quoted(x, text)), x->a, 0, NULL,
		      d, &err) != 0)
		fail_msg("%s: %s", text, err.msg);
	return d;
}

/* What a call makes of the object: created, or updated from `old`. */
static inline int sfix_try(struct sfix *x, struct doc *obj, const struct doc *old, struct err *err)
{
	int r = old ? strategy_update(&x->c, obj, old, err) : strategy_create(&x->c, obj, err);

	if (r == 0)
		strategy_warnings(&x->c, obj, old);
	return r;
}

static inline void sfix_canonical(struct sfix *x, const char *row, struct doc *obj)
{
	struct err err = ERR_INIT;
	struct doc again;
	const char *have = written(x->a, obj, NULL), *want;

	if (api_admit(x->objects.kind->type, must_read(x->a, have), x->a, 0, NULL, &again, &err))
		fail_msg("%s: %s", row, err.msg);
	want = written(x->a, &again, NULL);
	if (strcmp(have, want) != 0)
		fail_msg("%s:\n is        %s\n canonical %s", row, have, want);
}

static inline const struct doc *sfix_find(struct sfix *x, const struct doc *obj, const char *path)
{
	char *copy = arena_strdup(x->a, path), *name;

	if (!strchr(path, '/'))
		return doc_find(obj, path);
	for (name = copy; obj && name;) {
		char *end = strchr(name, '/');

		if (end)
			*end++ = '\0';
		obj = doc_get(obj, name);
		name = end;
	}
	return obj;
}

static inline bool sfix_warned(const struct sfix *x, const char *words)
{
	for (size_t i = 0; i < x->c.nwarnings; i++)
		if (strstr(x->c.warnings[i], words))
			return true;
	return false;
}

static inline bool sfix_fact(struct sfix *x, const char *row, const struct doc *obj, char *line)
{
	char *value = strchr(line, '=');
	const struct doc *d;
	const char *have;

	if (*line == '!') {
		if (line[1] ? sfix_warned(x, line + 1) : x->c.nwarnings == 0)
			return true;
		print_error("%s:\n no warning: %s\n", row, line + 1);
		for (size_t i = 0; i < x->c.nwarnings; i++)
			print_error(" told: %s\n", x->c.warnings[i]);
		return false;
	}
	assert_non_null(value);
	*value++ = '\0';
	d = sfix_find(x, obj, line);
	have = d ? written(x->a, d, NULL) : "";
	if (strcmp(have, value) == 0)
		return true;
	print_error("%s:\n %s\n have %s\n want %s\n", row, line, have, value);
	return false;
}

static inline bool sfix_facts(struct sfix *x, const char *row, const struct doc *obj,
			      const char *want)
{
	char *rest = sfix_quoted(x, want);
	bool ok = true;

	while (rest && *rest) {
		char *end = strchr(rest, '\n'), *line = rest;

		rest = end ? end + 1 : NULL;
		if (end)
			*end = '\0';
		ok = sfix_fact(x, row, obj, line) && ok;
	}
	return ok;
}

struct srow {
	const char *version, *kind, *sub;
	const char *obj, *old; /* old NULL: create */
	const char *want;
};

static inline bool sfix_row(struct sfix *x, const struct srow *r)
{
	struct err err = ERR_INIT;
	struct doc *obj, *old;
	const char *was;

	sfix_kind(x, r->version, r->kind, r->sub);
	obj = sfix_doc(x, r->obj);
	old = r->old ? sfix_doc(x, r->old) : NULL;
	was = old ? written(x->a, old, NULL) : NULL;
	if (sfix_try(x, obj, old, &err) != 0) {
		print_error("%s: %s\n", r->obj, err.msg);
		return false;
	}
	if (old)
		assert_string_equal(written(x->a, old, NULL), was);
	sfix_canonical(x, r->obj, obj);
	return sfix_facts(x, r->obj, obj, r->want);
}

static inline void sfix_rows(struct sfix *x, const struct srow *rows, size_t n)
{
	bool ok = true;

	for (size_t i = 0; i < n; i++)
		ok = sfix_row(x, &rows[i]) && ok;
	assert_true(ok);
}
