/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "base/step.h"

struct trace {
	char text[64];
	size_t n;
	int fail; /* row that fails by itself, -1 = none */
};

static int run(struct trace *t, int row, struct err *err)
{
	t->text[t->n++] = (char)('a' + row);
	return t->fail == row ? err_set(err, ERR_CONFLICT, "row broke") : 0;
}
static int run_a(void *t, struct err *err)
{
	return run(t, 0, err);
}
static int run_b(void *t, struct err *err)
{
	return run(t, 1, err);
}
static int run_c(void *t, struct err *err)
{
	return run(t, 2, err);
}
static void undo_a(void *t)
{
	((struct trace *)t)->text[((struct trace *)t)->n++] = 'A';
}
static void undo_c(void *t)
{
	((struct trace *)t)->text[((struct trace *)t)->n++] = 'C';
}

static const struct step steps[] = {
	{ "first", run_a, undo_a },
	{ "second", run_b, NULL },
	{ "third", run_c, undo_c },
};

static void all_rows_run_in_order(void **state)
{
	struct trace t = { .fail = -1 };
	struct err err = ERR_INIT;

	assert_ok(step_run(steps, 3, &t, &err));
	assert_string_equal(t.text, "abc");
	step_undo(steps, 3, &t);
	assert_string_equal(t.text, "abcCA");
}

static void a_failed_row_is_named_and_not_undone(void **state)
{
	struct trace t = { .fail = 2 };
	struct err err = ERR_INIT;

	assert_err(step_run(steps, 3, &t, &err), ERR_CONFLICT, "third: row broke");
	assert_string_equal(t.text, "abcA");
}

static void every_row_can_be_made_to_fail(void **state)
{
	static const char *const traces[] = { "", "aA", "abA" };

	for (int row = 0; row < 3; row++) {
		struct trace t = { .fail = -1 };
		struct err err = ERR_INIT;

		step_fail_at(row);
		assert_err(step_run(steps, 3, &t, &err), ERR_SYSTEM, steps[row].name);
		step_fail_at(-1);
		assert_string_equal(t.text, traces[row]);
	}
}

static void life_cycles_move_only_as_the_table_says(void **state)
{
	static const struct sm_state table[] = { { "created", 1u << 1 },
						 { "running", 1u << 2 },
						 { "gone", 0 } };
	struct err err = ERR_INIT;
	unsigned s = 0;

	assert_err(sm_move(table, 3, "container x", &s, 2, &err), ERR_CONFLICT,
		   "container x: cannot go from created to gone");
	assert_int_equal(s, 0);
	assert_ok(sm_move(table, 3, "container x", &s, 1, &err));
	assert_ok(sm_move(table, 3, "container x", &s, 2, &err));
	assert_err(sm_move(table, 3, "container x", &s, 2, &err), ERR_CONFLICT, "gone to gone");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_rows_run_in_order),
		cmocka_unit_test(a_failed_row_is_named_and_not_undone),
		cmocka_unit_test(every_row_can_be_made_to_fail),
		cmocka_unit_test(life_cycles_move_only_as_the_table_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
