/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The language's public conformance expressions, by suite, section and test. What is left out needs
 * messages of protobuf (proto2, proto3, wrappers, enums, most of dynamic), functions that the test
 * declares itself, or libraries that Kubernetes does not have (math, encoders, block).
 */
#include "cel-check.h"

#include <math.h>

struct row {
	const char *name, *expr;
	const char *vars; /* NULL: none */
	const char
		*want; /* an expression, or "!": an error of the check or of the run; NULL: none */
	const char *type; /* that the checker finds; NULL: not asked */
	const char *container;
};

static const struct row rows[] = {
#include "cel-cases.h"
};

static bool is_nan(const struct cel_value *v)
{
	return v->kind == CEL_T_DOUBLE && isnan(v->d);
}

static bool check_value(struct cel_test *t, const struct row *row, const struct cel_value *got)
{
	struct cel_env *none = cel_env_new(t->a, CEL_ENV_MIXED);
	struct cel_value want;
	char text[256];

	if (strcmp(row->want, "NAN") == 0) {
		if (is_nan(got))
			return true;
	} else if (test_eval(t, none, row->want, &want) < 0) {
		print_error("%s: the wanted value %s: %s\n", row->name, row->want, t->err.msg);
		return false;
	} else if (want.kind == got->kind && test_equal(t, got, &want)) {
		return true;
	}
	print_error("%s: %s: got %s, want %s\n", row->name, row->expr,
		    cel_value_text(got, text, sizeof(text)), row->want);
	return false;
}

static bool check_row(const struct row *row)
{
	const struct cel_prog *p = NULL;
	struct cel_test t;
	struct cel_value got = cel_null();
	char text[256];
	bool ok = true;
	int n;

	test_init(&t, CEL_ENV_MIXED);
	if (row->container)
		cel_env_container(t.env, row->container);
	if (row->vars)
		test_vars(&t, row->vars);
	t.err = ERR_INIT;
	n = cel_compile(t.env, slice_str(row->expr), NULL, t.a, &p, &t.err);
	if (n == 0 && row->type &&
	    strcmp(cel_type_text(cel_prog_type(p), text, sizeof(text)), row->type) != 0) {
		print_error("%s: %s: type %s, want %s\n", row->name, row->expr, text, row->type);
		ok = false;
	}
	if (n == 0 && row->want) {
		t.budget = CEL_BUDGET_INIT;
		n = cel_run(p, &t.vars, &t.budget, t.a, &got, &t.err);
	}
	if (n < 0 && (!row->want || strcmp(row->want, "!") != 0)) {
		print_error("%s: %s: %s\n", row->name, row->expr, t.err.msg);
		ok = false;
	} else if (n == 0 && row->want && strcmp(row->want, "!") == 0) {
		print_error("%s: %s: got %s, want an error\n", row->name, row->expr,
			    cel_value_text(&got, text, sizeof(text)));
		ok = false;
	} else if (n == 0 && row->want) {
		ok = check_value(&t, row, &got) && ok;
	}
	test_fini(&t);
	return ok;
}

static void expressions_of_the_public_suites_give_what_they_should(void **state)
{
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		bad += !check_row(&rows[i]);
	if (bad)
		fail_msg("%zu of %zu", bad, ARRAY_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions_of_the_public_suites_give_what_they_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
