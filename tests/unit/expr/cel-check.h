/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of CEL share: an environment from text, one expression run, values as texts. */
#pragma once

#include "../doc/doc-check.h"

#include "expr/cel-private.h"
#include "expr/cel.h"

#define CEL_TEST_VARS 8

struct cel_test {
	struct arena *a;
	struct cel_env *env;
	struct cel_value v[CEL_TEST_VARS];
	struct cel_vars vars;
	struct cel_budget budget;
	struct err err;
};

/* "list(map(string, int))", up to what ends it. */
static inline const struct cel_type *test_type(struct arena *a, struct slice *s)
{
	size_t n = 0;
	struct slice name;
	const struct cel_type *of[2] = { &cel_types[CEL_T_DYN], &cel_types[CEL_T_DYN] };
	unsigned k;

	while (n < s->n && !strchr("(), =;", s->p[n]))
		n++;
	name = slice_of(s->p, n);
	*s = slice_of(s->p + n, s->n - n);
	for (unsigned i = 0; s->n && (s->p[0] == '(' || s->p[0] == ','); i++) {
		*s = slice_of(s->p + 1, s->n - 1);
		while (s->n && s->p[0] == ' ')
			*s = slice_of(s->p + 1, s->n - 1);
		if (i < 2)
			of[i] = test_type(a, s);
		if (s->n && s->p[0] == ')') {
			*s = slice_of(s->p + 1, s->n - 1);
			break;
		}
	}
	for (k = 0; k < CEL_T_VAR; k++)
		if (slice_is(name, cel_types[k].name))
			break;
	if (k == CEL_T_LIST)
		return cel_type_list(a, of[0]);
	if (k == CEL_T_MAP)
		return cel_type_map(a, of[0], of[1]);
	if (k == CEL_T_OPTIONAL)
		return cel_type_optional(a, of[0]);
	assert_true(k < CEL_T_VAR);
	return &cel_types[k];
}

static inline int test_eval(struct cel_test *t, const struct cel_env *env, const char *text,
			    struct cel_value *ret)
{
	const struct cel_prog *p;
	int n;

	t->err = ERR_INIT;
	t->budget = CEL_BUDGET_INIT;
	n = cel_compile(env, slice_str(text), NULL, t->a, &p, &t->err);
	return n < 0 ? n : cel_run(p, &t->vars, &t->budget, t->a, ret, &t->err);
}

/* "x: int = 5; y: dyn": variables; a value is an expression. */
static inline void test_vars(struct cel_test *t, const char *text)
{
	struct slice all = slice_str(text);

	while (all.n) {
		const char *end = strstr(all.p, "; ");
		struct slice one = end ? slice_of(all.p, (size_t)(end - all.p)) : all;
		const char *colon = memmem(one.p, one.n, ": ", 2);
		struct slice rest;
		int at;

		assert_non_null(colon);
		rest = slice_of(colon + 2, one.n - (size_t)(colon + 2 - one.p));
		at = cel_env_var(t->env, arena_strndup(t->a, one.p, (size_t)(colon - one.p)),
				 test_type(t->a, &rest), &t->err);
		assert_in_range(at, 0, CEL_TEST_VARS - 1);
		t->vars.n = (unsigned)at + 1;
		if (slice_starts(rest, SLICE(" = "))) {
			struct cel_env *none = cel_env_new(t->a, CEL_ENV_MIXED);
			const char *value = arena_strndup(t->a, rest.p + 3, rest.n - 3);

			if (test_eval(t, none, value, &t->v[at]) < 0)
				fail_msg("%s: %s", value, t->err.msg);
		}
		all = end ? slice_of(end + 2, all.n - one.n - 2) : slice_of(all.p, 0);
	}
}

static inline void test_init(struct cel_test *t, unsigned flags)
{
	*t = (struct cel_test){ .a = arena_new("cel test", 64u << 20) };
	t->env = cel_env_new(t->a, flags);
	t->vars.v = t->v;
}

static inline void test_fini(struct cel_test *t)
{
	arena_free(t->a);
}

static inline bool test_equal(struct cel_test *t, const struct cel_value *a,
			      const struct cel_value *b)
{
	struct cel_run r = { .a = t->a, .limit = UINT64_MAX };

	return cel_equal(&r, a, b) == 1;
}
