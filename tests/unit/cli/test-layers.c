/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of pulls and pushes. */
#include "cli-test.h"

#include "cli/layers.h"
#include "doc/json.h"

static void line_is(const char *json, unsigned cols, const char *want)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 16);
	CLEANUP(buf_fini) struct buf out = BUF_INIT(4096);
	struct err err = ERR_INIT;
	struct doc *d;

	assert_int_equal(json_read(a, slice_str(json), NULL, &d, &err), 0);
	assert_int_equal(layers_line(d, cols, &out), want != NULL);
	if (want)
		assert_string_equal(buf_str(&out), want);
}

static void each_message_is_one_line(void **state)
{
	(void)state;
	line_is("{\"status\":\"Digest: x\"}", 0, "Digest: x");
	line_is("{\"status\":\"Pulling from a\",\"id\":\"1\"}", 0, "1: Pulling from a");
	line_is("{\"status\":\"Pull complete\",\"progressDetail\":{},\"id\":\"ab\"}", 80,
		"ab: Pull complete");
	line_is("{\"aux\":{\"Tag\":\"x\"},\"progressDetail\":{}}", 80, NULL);
}

static void a_bar_is_for_terminals(void **state)
{
	static const char msg[] = "{\"status\":\"Downloading\",\"id\":\"ab\",\"progressDetail\":"
				  "{\"current\":500000,\"total\":1000000}}";

	(void)state;
	line_is(msg, 0, NULL);
	line_is(msg, 100,
		"ab: Downloading [=========================>                        ] "
		"500kB/1MB");
	line_is(msg, 40, "ab: Downloading 500kB");
}

static void a_registry_moves_no_cursor(void **state)
{
	(void)state;
	line_is("{\"status\":\"a\\u001b[2Jb\\nc\",\"id\":\"\\u0007x\"}", 80, " x: a [2Jb c");
}

static void what_is_no_terminal_gets_the_words_alone(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 16);
	struct err err = ERR_INIT;
	struct layers l;
	struct doc *d;
	char got[200] = "";
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	layers_begin(&l, ends[1], false);
	assert_false(l.terminal);
	assert_int_equal(json_read(a,
				   SLICE("{\"status\":\"Waiting\",\"id\":\"ab\","
					 "\"progressDetail\":{}}"),
				   NULL, &d, &err),
			 0);
	assert_int_equal(layers_show(&l, d, &err), 0);
	layers_begin(&l, ends[1], true);
	assert_int_equal(layers_show(&l, d, &err), 0);
	close(ends[1]);
	assert_true(read(ends[0], got, sizeof(got) - 1) > 0);
	assert_string_equal(got, "ab: Waiting\n");
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_message_is_one_line),
		cmocka_unit_test(a_bar_is_for_terminals),
		cmocka_unit_test(a_registry_moves_no_cursor),
		cmocka_unit_test(what_is_no_terminal_gets_the_words_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
