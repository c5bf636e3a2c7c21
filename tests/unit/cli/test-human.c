/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes, durations and the bar, at the edges between their words. */
#include "cli-test.h"

#include "base/clock.h"
#include "cli/human.h"
#include "cli/progress.h"

static void sizes_have_three_digits(void **state)
{
	static const struct {
		uint64_t n;
		const char *text;
	} rows[] = { { 0, "0B" },	    { 999, "999B" },	    { 1000, "1kB" },
		     { 4256789, "4.26MB" }, { 77700000, "77.7MB" }, { 1ull << 40, "1.1TB" } };
	char text[HUMAN_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(human_size(text, rows[i].n), rows[i].text);
	assert_string_equal(human_memory(text, 8323072000ull), "7.751GiB");
	assert_string_equal(human_memory(text, 1024), "1KiB");
}

static void durations_are_worded_as_dockers(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = {
		{ 0, "Less than a second" }, { 1, "1 second" },
		{ 59, "59 seconds" },	     { 60, "About a minute" },
		{ 119, "About a minute" },   { 120, "2 minutes" },
		{ 59 * 60, "59 minutes" },   { 3600, "About an hour" },
		{ 2 * 3600, "2 hours" },     { 47 * 3600, "47 hours" },
		{ 48 * 3600, "2 days" },     { 13 * 86400, "13 days" },
		{ 14 * 86400, "2 weeks" },   { 59 * 86400, "8 weeks" },
		{ 60 * 86400, "2 months" },  { 729 * 86400, "24 months" },
		{ 730 * 86400, "2 years" },
	};
	char text[HUMAN_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(human_duration(text, rows[i].seconds * NS_PER_SEC),
				    rows[i].text);
}

static void stamps_are_local(void **state)
{
	char text[HUMAN_MAX];

	(void)state;
	setenv("TZ", "UTC", 1);
	assert_string_equal(human_stamp(text, 0), "1970-01-01 00:00:00 +0000 UTC");
}

static void the_bar_fills(void **state)
{
	struct progress p = { .what = "Importing", .total = 1000, .done = 500 };
	char line[256];

	(void)state;
	progress_line(&p, 100, line, sizeof(line));
	assert_string_equal(line, "Importing [=========================>                        ] "
				  "500B/1kB");
	p.done = 1000;
	progress_line(&p, 100, line, sizeof(line));
	assert_string_equal(line, "Importing [=================================================="
				  "] 1kB/1kB");
	p.done = 2000; /* the file grew meanwhile */
	progress_line(&p, 100, line, sizeof(line));
	assert_part(line, "2kB/1kB");
	progress_line(&p, 40, line, sizeof(line));
	assert_string_equal(line, "Importing 2kB");
	p.total = 0;
	progress_line(&p, 100, line, sizeof(line));
	assert_string_equal(line, "Importing 2kB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_three_digits),
		cmocka_unit_test(durations_are_worded_as_dockers),
		cmocka_unit_test(stamps_are_local),
		cmocka_unit_test(the_bar_fills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
