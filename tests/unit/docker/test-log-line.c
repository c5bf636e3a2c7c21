/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of json-file logs: our own shape, foreign shapes, torn ones; and how fast many are read. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "docker/log-line.h"

#include <stdio.h>

static struct log_line read_line(const char *text, struct buf *scratch)
{
	struct log_line l;

	assert_int_equal(log_line_parse(text, strlen(text), scratch, &l), 0);
	return l;
}

static void a_line_of_our_shim_is_taken_apart(void **state)
{
	CLEANUP(buf_fini) struct buf scratch = BUF_INIT(1u << 20);
	struct log_line l = read_line("{\"log\":\"hello \\\"x\\\"\\t\\u0001\\ufffd\\n\",\"stream\":"
				      "\"stderr\",\"time\":\"2026-01-02T03:04:05.6Z\"}",
				      &scratch);

	(void)state;
	assert_true(slice_is(l.text, "hello \"x\"\t\x01\xef\xbf\xbd\n"));
	assert_true(slice_is(l.time, "2026-01-02T03:04:05.6Z"));
	assert_true(l.is_err);
	assert_int_equal(l.attrs.n, 0);
}

static void attributes_come_along(void **state)
{
	CLEANUP(buf_fini) struct buf scratch = BUF_INIT(1u << 20);
	struct log_line l =
		read_line("{\"log\":\"x\",\"stream\":\"stdout\",\"attrs\":{\"a\":\"b\"},"
			  "\"time\":\"2026-01-02T03:04:05Z\"}",
			  &scratch);

	(void)state;
	assert_true(slice_is(l.text, "x"));
	assert_true(slice_is(l.attrs, "{\"a\":\"b\"}"));
	assert_false(l.is_err);
}

static void other_shapes_go_through_the_json_reader(void **state)
{
	CLEANUP(buf_fini) struct buf scratch = BUF_INIT(1u << 20);
	struct log_line l;

	(void)state;
	l = read_line("{ \"time\":\"t\", \"stream\":\"stdout\", \"log\":\"a\\nb\" }", &scratch);
	assert_true(slice_is(l.text, "a\nb"));
	assert_true(slice_is(l.time, "t"));
	/* A surrogate pair: the hand parser leaves it alone. */
	l = read_line("{\"log\":\"\\ud83d\\ude00\",\"stream\":\"stdout\",\"time\":\"t\"}",
		      &scratch);
	assert_true(slice_is(l.text, "\xf0\x9f\x98\x80"));
	l = read_line("{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"t\",\"more\":1}", &scratch);
	assert_true(slice_is(l.text, "x"));
}

static void torn_and_foreign_lines_are_none(void **state)
{
	static const char *const bad[] = { "",
					   "{",
					   "{\"log\":\"abc",
					   "{\"log\":\"abc\\",
					   "{\"log\":\"abc\\\"",
					   "{\"log\":\"x\",\"stream\":\"stdout\",\"ti",
					   "{\"log\":\"x\",\"stream\":\"stdout\"}",
					   "{\"log\":7,\"time\":\"t\"}",
					   "plain text",
					   "[]" };
	CLEANUP(buf_fini) struct buf scratch = BUF_INIT(1u << 20);
	struct log_line l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(log_line_parse(bad[i], strlen(bad[i]), &scratch, &l), -1);
}

/* The bound is wide: it catches a slow path taken by mistake, not a slow machine. */
static void two_hundred_thousand_lines_take_far_less_than_a_second(void **state)
{
	static const char line[] = "{\"log\":\"line number 123456 of the test with some text\\n\","
				   "\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05.123Z\"}";
	CLEANUP(buf_fini) struct buf scratch = BUF_INIT(1u << 20);
	int64_t begun = clock_mono();
	struct log_line l;
	size_t bytes = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		assert_int_equal(log_line_parse(line, sizeof(line) - 1, &scratch, &l), 0);
		bytes += l.text.n;
	}
	print_message("200000 lines: %lld us\n", (long long)(clock_mono() - begun) / 1000);
	assert_int_equal(bytes, 200000 * 46);
	assert_true(clock_mono() - begun < NS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_of_our_shim_is_taken_apart),
		cmocka_unit_test(attributes_come_along),
		cmocka_unit_test(other_shapes_go_through_the_json_reader),
		cmocka_unit_test(torn_and_foreign_lines_are_none),
		cmocka_unit_test(two_hundred_thousand_lines_take_far_less_than_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
