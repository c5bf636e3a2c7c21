/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of a role in a file: every type, the command line first, what is no flag. */
#include "cli-test.h"

#include "base/arena.h"
#include "base/cmd.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/config-file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct opts {
	struct opt_list many;
	const char *config, *text, *choice;
	int64_t number, size;
	bool on, seen, plain;
};
static const char *const choices[] = { "red", "blue", NULL };
static const struct opt rows[] = { OPT(struct opts, STR, config, "config", 0, "File"),
				   OPT(struct opts, LIST, many, "many", 0, "Many"),
				   OPT(struct opts, STR, text, "text", 0, "Text"),
				   OPT_CHOICE(struct opts, choice, "choice", 0, choices, "One"),
				   OPT(struct opts, INT, number, "number", 0, "Number"),
				   OPT(struct opts, SIZE, size, "size", 0, "Size"),
				   OPT_SEEN_AT(struct opts, BOOL, on, seen, "shine", 0, "On"),
				   OPT(struct opts, BOOL, plain, "plain", 0, "Plain"),
				   OPT_NOT_SUPPORTED(STR, "old", 0, "gone"),
				   OPT_END };
static const struct cmd cmd = { .path = "role", .opts = rows, .opts_size = sizeof(struct opts) };

static int read_with(struct opts *o, struct arena *a, const char *text, struct err *err)
{
	struct cmd_call call = { .arena = a, .cmd = &cmd, .opts = o };
	char path[] = "/tmp/teu-conf-XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	r = config_file_read(&call, path, err);
	unlink(path);
	return r;
}

static void every_type_is_read(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 20);
	struct err err = ERR_INIT;
	struct opts o = { 0 };

	if (read_with(&o, a,
		      "many: [a, b, 3]\ntext: \"x y\"\nchoice: blue\nnumber: -5\nsize: 2k\nshine: "
		      "false\n"
		      "plain: true\n",
		      &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(o.many.n, 3);
	assert_string_equal(o.many.v[2], "3");
	assert_string_equal(o.text, "x y");
	assert_string_equal(o.choice, "blue");
	assert_int_equal(o.number, -5);
	assert_int_equal(o.size, 2048);
	assert_true(o.seen && !o.on && o.plain);
	o = (struct opts){ 0 };
	assert_int_equal(read_with(&o, a, "{\"many\": \"one\"}", &err), 0);
	assert_int_equal(o.many.n, 1);
	assert_int_equal(read_with(&o, a, "", &err), 0);
}

static void the_command_line_goes_first(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 20);
	const char *mine[] = { "mine", NULL };
	struct opts o = { .many = { mine, 1 }, .text = "mine", .seen = true, .on = false };
	struct err err = ERR_INIT;

	assert_int_equal(read_with(&o, a, "many: [a, b]\ntext: x\nshine: true\nnumber: 7\n", &err),
			 0);
	assert_int_equal(o.many.n, 1);
	assert_string_equal(o.text, "mine");
	assert_false(o.on);
	assert_int_equal(o.number, 7);
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "txet: x", "'txet' is no flag of `teu role`" },
		{ "config: x", "'config' is no flag" },
		{ "text: [a]", "text: takes one value, not a list" },
		{ "text: {a: b}", "text: must be a text, a number or a boolean, not object" },
		{ "number: five", "number" },
		{ "choice: green", "choice" },
		{ "old: x", "old is not supported" },
		{ "- a", "must be a map of flags, not array" },
		{ "a: [", "line" },
	};
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 20);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		struct opts o = { 0 };

		assert_true(read_with(&o, a, cases[i].text, &err) < 0);
		assert_non_null(strstr(err.msg, "--config /tmp/teu-conf-"));
		if (!strstr(err.msg, cases[i].says))
			fail_msg("'%s' does not hold '%s'", err.msg, cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_read),
		cmocka_unit_test(the_command_line_goes_first),
		cmocka_unit_test(what_is_wrong_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
