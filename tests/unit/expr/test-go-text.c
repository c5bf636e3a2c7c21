/* SPDX-License-Identifier: Apache-2.0 */
/* Text in Go's way: floats, quotes, numbers, classes of code points. */
#include "../doc/doc-check.h"

#include "expr/go-text.h"

#include <math.h>

static const char *float_text(struct arena *a, double d, char verb, int precision)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);

	assert_int_equal(go_float(&b, d, verb, precision), 0);
	return arena_strdup(a, buf_str(&b));
}

static void floats_have_the_fewest_digits_that_are_the_same(void **state)
{
	static const struct {
		double d;
		const char *text;
	} rows[] = {
		{ 0, "0" },	      { -0.0, "-0" },
		{ 1, "1" },	      { 0.1, "0.1" },
		{ 100000, "100000" }, { 1e6, "1e+06" },
		{ 0.0001, "0.0001" }, { 0.00001, "1e-05" },
		{ 1e21, "1e+21" },    { 1.0 / 3, "0.3333333333333333" },
		{ 5e-324, "5e-324" }, { 1000000.5, "1.0000005e+06" },
		{ INFINITY, "+Inf" }, { -INFINITY, "-Inf" },
		{ NAN, "NaN" },	      { 123456.75, "123456.75" },
	};
	char text[GO_DOUBLE_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(go_double_text(rows[i].d, text), strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
	}
}

static void floats_have_go_s_forms(void **state)
{
	static const struct {
		double d;
		char verb;
		int precision;
		const char *text;
	} rows[] = {
		{ 1.5, 'x', -1, "0x1.8p+00" },
		{ 1.5, 'X', 3, "0X1.800P+00" },
		{ 1.9999, 'x', 1, "0x1.0p+01" },
		{ 0, 'x', -1, "0x0p+00" },
		{ 5e-324, 'x', -1, "0x1p-1074" },
		{ -3, 'x', 0, "-0x1p+02" },
		{ 1, 'b', -1, "4503599627370496p-52" },
		{ 0, 'b', -1, "0p-1074" },
		{ 1e6, 'g', -1, "1e+06" },
		{ 1e6, 'f', -1, "1000000" },
		{ 1.25, 'e', 1, "1.2e+00" },
		{ 1e100, 'G', 3, "1E+100" },
		{ 0.1, 'f', 20, "0.10000000000000000555" },
		{ 1e5, 'E', -1, "1E+05" },
		{ 1, 'x', 15, "0x1.000000000000000p+00" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(float_text(*state, rows[i].d, rows[i].verb, rows[i].precision),
				    rows[i].text);
}

static void quotes_go_both_ways(void **state)
{
	static const char *const good[][2] = {
		{ "\"a\\n\\t\\\"\\\\\"", "a\n\t\"\\" },
		{ "`a\\n\"`", "a\\n\"" },
		{ "\"\\x41\\101\\u00e9\\U0001F600\"", "AA\xc3\xa9\xf0\x9f\x98\x80" },
		{ "\"\"", "" },
		{ "`a\r\nb`", "a\nb" },
		{ "\"\xff\"", "\xef\xbf\xbd" },
	};
	static const char *const bad[] = {
		"",	    "\"",	"\"a",	     "\"a`",	    "\"\\q\"",
		"\"\\x4\"", "\"\\'\"",	"\"\\400\"", "\"\\ud800\"", "\"\\U00110000\"",
		"a",	    "\"a\"b\"", "\"\n\"",    "'a'",	    "`a`b`",
		"\"\\\""
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(100);

		assert_int_equal(go_unquote(slice_str(good[i][0]), &b), 0);
		assert_string_equal(buf_str(&b), good[i][1]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(100);

		assert_int_equal(go_unquote(slice_str(bad[i]), &b), -ERR_INVALID);
	}
}

static void what_is_quoted_is_printable(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(200), ascii = BUF_INIT(200);

	(void)state;
	(void)go_quote(&b, SLICE("a\"\\\n\x01\x7f\xff\xc3\xa9\xe2\x80\x8b"), false);
	assert_string_equal(buf_str(&b), "\"a\\\"\\\\\\n\\x01\\x7f\\xff\xc3\xa9\\u200b\"");
	(void)go_quote(&ascii, SLICE("\xc3\xa9\xf0\x9f\x98\x80"), true);
	assert_string_equal(buf_str(&ascii), "\"\\u00e9\\U0001f600\"");
	assert_true(go_can_backquote(SLICE("a\t\"")));
	assert_false(go_can_backquote(SLICE("`")));
	assert_false(go_can_backquote(SLICE("\n")));
	assert_false(go_can_backquote(SLICE("\xff")));
}

static void numbers_are_read_as_go_reads_its_source(void **state)
{
	static const char *const not_whole[] = { "",	"+",	"08",
						 "0b2", "0x",	"1_",
						 "_1",	"1__0", "18446744073709551616",
						 "1.5", "0xg",	"0_x1" };
	static const char *const no_float[] = { ".",	 "1e", "0x1.8", "1_.5",	 "1._5",
						"1e999", "x",  "1.5.5", "0b1.5", "1e5x" };
	bool minus;
	uint64_t u;
	double d;

	(void)state;
	assert_true(go_integer(SLICE("-0x_fF"), &minus, &u) && minus && u == 255);
	assert_true(go_integer(SLICE("0b1_01"), &minus, &u) && !minus && u == 5);
	assert_true(go_integer(SLICE("0_17"), &minus, &u) && u == 15);
	assert_true(go_integer(SLICE("18446744073709551615"), &minus, &u) && u == UINT64_MAX);
	assert_true(go_double(SLICE("-1_0.5e+1"), &d) && d == -105);
	assert_true(go_double(SLICE("0x1.8p1"), &d) && d == 3);
	assert_true(go_double(SLICE("089."), &d) && d == 89);
	for (size_t i = 0; i < ARRAY_LEN(not_whole); i++)
		assert_false(go_integer(slice_str(not_whole[i]), &minus, &u));
	for (size_t i = 0; i < ARRAY_LEN(no_float); i++)
		assert_false(go_double(slice_str(no_float[i]), &d));
}

static void code_points_have_classes(void **state)
{
	(void)state;
	assert_true(go_is_letter('a') && go_is_letter(0xe9) && go_is_letter(0x65e5));
	assert_false(go_is_letter('1') || go_is_letter('_') || go_is_letter(0x20ac));
	assert_true(go_is_digit('7') && go_is_digit(0x0665));
	assert_false(go_is_digit(0xb2) || go_is_digit('a'));
	assert_true(go_is_print(' ') && go_is_print('~') && go_is_print(0x1f600));
	assert_false(go_is_print(0xa0) || go_is_print(0x7f) || go_is_print(0x200b) ||
		     go_is_print(0x10ffff) || go_is_print(0xd800) || go_is_print('\n'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(floats_have_the_fewest_digits_that_are_the_same),
		CASE(floats_have_go_s_forms),
		CASE(quotes_go_both_ways),
		CASE(what_is_quoted_is_printable),
		CASE(numbers_are_read_as_go_reads_its_source),
		CASE(code_points_have_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
