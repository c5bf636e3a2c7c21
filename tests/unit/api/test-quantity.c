/* SPDX-License-Identifier: Apache-2.0 */
/* Quantities: what is one, its canonical text, sums. Expected texts are upstream's. */
#include "../doc/doc-check.h"

#include "api/quantity.h"

static void is_canonical(void **state)
{
	static const char *const rows[][2] = {
		{ "0", "0" },
		{ "0.0Gi", "0" },
		{ "1", "1" },
		{ "1000", "1k" },
		{ "1500", "1500" },
		{ "1000m", "1" },
		{ "0.5", "500m" },
		{ "100m", "100m" },
		{ "1.5Gi", "1536Mi" },
		{ "1024Mi", "1Gi" },
		{ "1Ki", "1Ki" },
		{ "512Ki", "512Ki" },
		{ "0.5Ki", "512" },
		{ "1.5Ki", "1536" },
		{ "1e3", "1e3" },
		{ "1E3", "1e3" },
		{ "1.5e3", "1500" },
		{ "12e-1", "1200e-3" },
		{ "5E", "5E" },
		{ "-1.5", "-1500m" },
		{ "+3", "3" },
		{ ".5", "500m" },
		{ "5.", "5" },
		{ "1n", "1n" },
		{ "0.1n", "1n" },
		{ "1.00000000001", "1000000001n" },
		{ "123456789012345678901234567890", "9223372036854775807" },
		{ "0.3Gi", "322122547200m" },
		{ "64Gi", "64Gi" },
		{ "8E", "8E" },
		{ "100u", "100u" },
		{ "1M", "1M" },
		{ "1G", "1G" },
		{ "1T", "1T" },
		{ "1P", "1P" },
		{ "1Ei", "1Ei" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[QUANTITY_TEXT_MAX];
		struct quantity q;

		assert_true(quantity_parse(slice_str(rows[i][0]), &q));
		quantity_print(&q, text);
		if (strcmp(text, rows[i][1]) != 0)
			print_error("%s: %s, not %s\n", rows[i][0], text, rows[i][1]);
		assert_string_equal(text, rows[i][1]);
	}
}

static void is_none(void **state)
{
	static const char *const rows[] = { "",	   " ",	    "x",     "1x",   "1 ",  " 1",
					    "1KI", "1ki",   "1.2.3", "-",    ".",   "1e",
					    "1e+", "1e1.5", "Ki",    "1Kim", "--1", "0x1" };
	struct quantity q;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_false(quantity_parse(slice_str(rows[i]), &q));
}

static void sums(void **state)
{
	struct quantity a = { 0 }, b, c;
	char text[QUANTITY_TEXT_MAX];

	(void)state;
	assert_true(quantity_parse(SLICE("512Mi"), &b));
	assert_true(quantity_parse(SLICE("250m"), &c));
	quantity_add(&a, &b);
	quantity_add(&a, &b);
	quantity_print(&a, text);
	assert_string_equal(text, "1Gi");
	quantity_sub(&a, &b);
	assert_int_equal(quantity_cmp(&a, &b), 0);
	assert_int_equal(quantity_milli(&c), 250);
	assert_int_equal(quantity_units(&c), 1);
	assert_true(quantity_cmp(&c, &b) < 0);
	assert_true(quantity_parse(SLICE("9223372036854775807"), &a));
	quantity_add(&a, &a);
	assert_int_equal(quantity_units(&a), INT64_MAX);
	assert_int_equal(quantity_milli(&a), INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_canonical),
		cmocka_unit_test(is_none),
		cmocka_unit_test(sums),
	};

	return cmocka_run_group_tests_name("api quantity", tests, NULL, NULL);
}
