/* SPDX-License-Identifier: Apache-2.0 */
/* Detach keys: their names, and finding them in what is typed. */
#include "cli-test.h"

#include "cli/session.h"

static void names_become_bytes(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		const char *bytes;
	} rows[] = {
		{ "ctrl-p,ctrl-q", 2, "\x10\x11" },
		{ "a", 1, "a" },
		{ "ctrl-@", 1, "\0" },
		{ "ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", 5, "\x1b\x1c\x1d\x1e\x1f" },
		{ "ctrl-A", 1, "\1" },
		{ "", 0, "" },
	};
	unsigned char keys[SESSION_KEYS_MAX];
	struct err err = ERR_INIT;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(session_keys(rows[i].text, keys, &n, &err), 0);
		assert_int_equal(n, rows[i].n);
		assert_memory_equal(keys, rows[i].bytes, n);
	}
}

static void other_names_are_refused(void **state)
{
	static const char *const bad[] = { "ctrl-", "ctrl-1", "ctrl-pp", "xy", "a,,b", "meta-a" };
	unsigned char keys[SESSION_KEYS_MAX];
	struct err err = ERR_INIT;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(session_keys(bad[i], keys, &n, &err), -ERR_INVALID);
		assert_part(err.msg, bad[i]);
	}
	assert_int_equal(session_keys("a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,"
				      "a,a,a",
				      keys, &n, &err),
			 -ERR_INVALID);
}

/* Typed in pieces of one byte and at once. */
static void assert_typed(const char *keys, const char *typed, bool found, const char *sent)
{
	for (size_t step = 1; step <= strlen(typed); step++) {
		CLEANUP(buf_fini) struct buf out = BUF_INIT(100);
		struct session_detach d = { 0 };
		struct err err;
		bool hit = false;

		assert_int_equal(session_keys(keys, d.keys, &d.n, &err), 0);
		for (size_t at = 0; at < strlen(typed) && !hit; at += step)
			hit = session_detach_feed(
				&d, slice_of(typed + at, MIN(step, strlen(typed) - at)), &out);
		assert_int_equal(hit, found);
		assert_string_equal(buf_str(&out), sent);
	}
}

static void the_sequence_is_found_and_not_sent(void **state)
{
	(void)state;
	assert_typed("ctrl-p,ctrl-q", "ls\x10\x11", true, "ls");
	assert_typed("ctrl-p,ctrl-q", "\x10\x10\x11", true, "\x10");
	assert_typed("a,b,c", "ababc", true, "ab");
}

static void a_part_of_it_is_sent_when_it_was_not_meant(void **state)
{
	(void)state;
	assert_typed("ctrl-p,ctrl-q", "\x10x", false, "\x10x");
	assert_typed("ctrl-p,ctrl-q", "a\x11q", false, "a\x11q");
	assert_typed("ctrl-p,ctrl-q", "x\x10", false, "x"); /* held back */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_become_bytes),
		cmocka_unit_test(other_names_are_refused),
		cmocka_unit_test(the_sequence_is_found_and_not_sent),
		cmocka_unit_test(a_part_of_it_is_sent_when_it_was_not_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
