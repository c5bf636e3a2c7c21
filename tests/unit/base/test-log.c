/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static int pipe_fds[2];
static char line[16384];

/* What the log wrote since the last call; a packet pipe, so each read is one write(2). */
static const char *next_line(void)
{
	ssize_t n = read(pipe_fds[0], line, sizeof(line) - 1);

	assert_true(n > 0);
	line[n] = '\0';
	return line;
}

static void nothing_was_written(void)
{
	assert_int_equal(read(pipe_fds[0], line, sizeof(line)), -1);
	assert_int_equal(errno, EAGAIN);
}

static int setup(void **state)
{
	return pipe2(pipe_fds, O_DIRECT | O_NONBLOCK | O_CLOEXEC);
}

static int teardown(void **state)
{
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

static void text_lines_have_time_level_role_and_pairs(void **state)
{
	const char *t;

	log_setup("engine", pipe_fds[1], LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	errno = EBUSY;
	log_kv(LOG_LEVEL_INFO, "container started", "id", "abc", "none", NULL, "name", "a b", "e",
	       "", NULL);
	assert_int_equal(errno, EBUSY);
	t = next_line();
	assert_int_equal(t[10], 'T');
	assert_int_equal(t[29], 'Z');
	assert_string_equal(t + 30, " info engine container started id=abc name=\"a b\" e=\"\"\n");
	log_warn("n=%d", 5);
	assert_string_equal(next_line() + 30, " warn engine n=5\n");
}

static void levels_above_the_limit_are_silent(void **state)
{
	log_setup("engine", pipe_fds[1], LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
	assert_false(log_enabled(LOG_LEVEL_INFO));
	log_info("x");
	log_debug("x");
	log_kv(LOG_LEVEL_DEBUG, "x", NULL);
	nothing_was_written();
	log_error("y");
	assert_words(next_line(), " error engine y\n");
}

static void text_never_carries_control_characters(void **state)
{
	log_setup("engine", pipe_fds[1], LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_kv(LOG_LEVEL_INFO, "a\nb\x1b[2J", "k", "x\ty\"z\\", "u", "\xc3\xa4\xc2\x9b\xff", NULL);
	assert_string_equal(
		next_line() + 30,
		" info engine a\\nb\\x1b[2J k=\"x\\ty\\\"z\\\\\" u=\xc3\xa4\\xc2\\x9b\\xff\n");
}

static void json_is_escaped(void **state)
{
	log_setup("engine", pipe_fds[1], LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	log_kv(LOG_LEVEL_ERROR, "say \"hi\"", "k", "a\n\x01\xff\xe2\x82\xac\xed\xa0\x80", NULL);
	assert_int_equal(strncmp(next_line(), "{\"time\":\"2", 10), 0);
	assert_string_equal(line + 39,
			    "\",\"level\":\"error\",\"role\":\"engine\",\"msg\":\"say \\\"hi\\\"\","
			    "\"k\":\"a\\n\\u0001\\ufffd\xe2\x82\xac\\ufffd\\ufffd\\ufffd\"}\n");
}

static void long_lines_are_cut_whole(void **state)
{
	static char big[9000];
	const char *t;
	size_t n;

	memset(big, '"', sizeof(big) - 1);
	log_setup("engine", pipe_fds[1], LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	log_kv(LOG_LEVEL_INFO, "m", "a", big, "b", "lost", NULL);
	t = next_line();
	n = strlen(t);
	assert_true(n <= 4096);
	assert_string_equal(t + n - 6, "...\"}\n");
	assert_int_equal(t[n - 7], '"'); /* a whole escape before it */
	assert_int_equal(t[n - 8], '\\');
	log_f(LOG_LEVEL_INFO, "%s", big);
	t = next_line();
	assert_string_equal(t + strlen(t) - 6, "...\"}\n");
	log_setup("engine", pipe_fds[1], LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_kv(LOG_LEVEL_INFO, "m", "a", big, NULL);
	t = next_line();
	assert_string_equal(t + strlen(t) - 5, "...\"\n");
	memset(big, 'x', sizeof(big) - 1);
	log_f(LOG_LEVEL_INFO, "%s", big);
	t = next_line();
	assert_string_equal(t + strlen(t) - 4, "...\n");
}

static void every_cut_of_a_json_line_still_closes(void **state)
{
	static char big[4200];

	log_setup("engine", pipe_fds[1], LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	for (size_t n = 3900; n < 4100; n++) {
		unsigned quotes = 0;
		const char *t;

		memset(big, 'x', n);
		big[n] = '\0';
		log_kv(LOG_LEVEL_INFO, "m", "a", big, "key", "value", NULL);
		t = next_line();
		assert_string_equal(t + strlen(t) - 3, "\"}\n");
		for (; *t; t++)
			quotes += *t == '"';
		assert_int_equal(quotes % 4, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(text_lines_have_time_level_role_and_pairs, setup,
						teardown),
		cmocka_unit_test_setup_teardown(levels_above_the_limit_are_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(text_never_carries_control_characters, setup,
						teardown),
		cmocka_unit_test_setup_teardown(json_is_escaped, setup, teardown),
		cmocka_unit_test_setup_teardown(long_lines_are_cut_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(every_cut_of_a_json_line_still_closes, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
