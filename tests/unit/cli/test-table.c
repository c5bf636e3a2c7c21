/* SPDX-License-Identifier: Apache-2.0 */
/* The command table as a whole, the globals, filters. */
#include "cli-test.h"

#include "cli/cli.h"

static void no_row_is_double_or_unfinished(void **state)
{
	(void)state;
	assert_true(cli_cmds_n > 25);
	for (size_t i = 0; i < cli_cmds_n; i++) {
		const struct cmd *c = cli_cmds[i];

		assert_non_null(c->run);
		assert_true(c->help && *c->help && c->help[strlen(c->help) - 1] != '.');
		assert_true(c->max >= c->min);
		assert_true(!c->opts == !c->opts_size);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(c->path, cli_cmds[j]->path);
		for (const struct opt *o = c->opts; o && o->type != OPT_T_END; o++) {
			assert_true(o->name && o->help && *o->help);
			assert_true((o->flags & OPT_REFUSED) || o->offset < c->opts_size);
			for (const struct opt *p = c->opts; p != o; p++) {
				assert_string_not_equal(o->name, p->name);
				assert_true(!o->letter || o->letter != p->letter);
			}
		}
	}
}

/* Flags of docker 28 for each command, so that none is merely unknown. */
static void all_of_dockers_flags_are_known(void **state)
{
	static const char *const rows[][2] = {
		{ "exec",
		  "detach detach-keys env env-file interactive privileged tty user workdir" },
		{ "attach", "detach-keys no-stdin sig-proxy" },
		{ "logs", "details follow since tail timestamps until" },
		{ "ps", "all filter format last latest no-trunc quiet size" },
		{ "start", "attach checkpoint checkpoint-dir detach-keys interactive" },
		{ "stop", "signal timeout" },
		{ "restart", "signal timeout" },
		{ "kill", "signal" },
		{ "rm", "force link volumes" },
		{ "inspect", "format size type" },
		{ "events", "filter format since until" },
		{ "images", "all digests filter format no-trunc quiet tree" },
		{ "rmi", "force no-prune platform" },
		{ "load", "input platform quiet" },
		{ "save", "output platform" },
		{ "export", "output" },
		{ "commit", "author change message pause" },
		{ "pull", "all-tags disable-content-trust platform quiet" },
		{ "push", "all-tags disable-content-trust platform quiet" },
		{ "login", "password password-stdin username" },
		{ "search", "filter format limit no-trunc" },
		{ "import", "change message platform" },
		{ "history", "format human no-trunc platform quiet" },
		{ "version", "format" },
		{ "info", "format" },
	};
	struct cmd_program prog = cli_program("teu");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice rest = slice_str(rows[i][1]);
		char *argv[] = { (char *)rows[i][0], NULL };
		int words;
		const struct cmd *c = cmd_find(&prog, 1, argv, &words);

		assert_non_null(c);
		while (rest.p) {
			struct slice name = slice_split(&rest, ' ');
			const struct opt *o = c->opts;

			while (o->type != OPT_T_END && !slice_is(name, o->name))
				o++;
			if (o->type == OPT_T_END)
				fail_msg("%s --%.*s is missing", rows[i][0], (int)name.n, name.p);
		}
	}
}

static void long_names_find_the_same_rows(void **state)
{
	static const char *const rows[][3] = {
		{ "container", "run", "run" },	 { "container", "ls", "ps" },
		{ "container", "exec", "exec" }, { "image", "ls", "images" },
		{ "image", "rm", "rmi" },	 { "image", "import", "import" },
		{ "system", "info", "info" },
	};
	struct cmd_program prog = cli_program("teu");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *argv[] = { (char *)rows[i][0], (char *)rows[i][1], (char *)"x", NULL };
		int words;
		const struct cmd *c = cmd_find(&prog, 3, argv, &words);

		assert_non_null(c);
		assert_string_equal(c->path, rows[i][2]);
		assert_int_equal(words, 2);
	}
}

static struct cmd_call call_of(struct arena *a, struct cli_global *g, const char *program)
{
	return (struct cmd_call){ .arena = a, .global = g, .program = program };
}

static void globals_come_from_options_environment_defaults(void **state)
{
	struct cli_global g = { 0 };
	struct cmd_call call = call_of(*state, &g, "teu");
	struct err err = ERR_INIT;

	unsetenv("TEU_ROOT");
	unsetenv("TEU_RUN");
	unsetenv("TEU_HOST");
	setenv("DOCKER_HOST", "unix:///d", 1);
	assert_int_equal(cli_before(&call, &err), 0);
	assert_string_equal(g.root, "/var/lib/teu");
	assert_string_equal(g.host, "unix:///run/teu/teu.sock");
	g = (struct cli_global){ .run = "/r" };
	assert_int_equal(cli_before(&call, &err), 0);
	assert_string_equal(g.host, "unix:///r/teu.sock");
	setenv("TEU_RUN", "/env", 1);
	g = (struct cli_global){ 0 };
	assert_int_equal(cli_before(&call, &err), 0);
	assert_string_equal(g.host, "unix:///env/teu.sock");
	setenv("TEU_HOST", "unix:///h", 1);
	g = (struct cli_global){ 0 };
	assert_int_equal(cli_before(&call, &err), 0);
	assert_string_equal(g.host, "unix:///h");
	unsetenv("TEU_HOST");
	call = call_of(*state, &g, "docker");
	g = (struct cli_global){ 0 };
	assert_int_equal(cli_before(&call, &err), 0);
	assert_string_equal(g.host, "unix:///d");
	g = (struct cli_global){ .root = "relative" };
	assert_int_equal(cli_before(&call, &err), -ERR_INVALID);
	assert_part(err.msg, "'relative'");
	unsetenv("TEU_RUN");
	unsetenv("DOCKER_HOST");
}

static void filters_become_dockers_json(void **state)
{
	const char *two[] = { "label=a=b", "label=c", "name = x" }, *bad[] = { "nothing" };
	struct opt_list l = { two, 3 }, none = { 0 }, wrong = { bad, 1 };
	const char *text;
	struct err err = ERR_INIT;

	assert_int_equal(cli_filters(*state, &l, &text, &err), 0);
	assert_string_equal(text, "{\"label\":{\"a=b\":true,\"c\":true},\"name\":{\"x\":true}}");
	assert_int_equal(cli_filters(*state, &none, &text, &err), 0);
	assert_null(text);
	assert_int_equal(cli_filters(*state, &wrong, &text, &err), -ERR_INVALID);
	assert_part(err.msg, "'nothing'");
}

static void times_become_unix_seconds(void **state)
{
	const char *text;
	struct err err = ERR_INIT;

	assert_int_equal(cli_when(*state, "since", "1970-01-01T00:01:00.5Z", &text, &err), 0);
	assert_string_equal(text, "60.500000000");
	assert_int_equal(cli_when(*state, "since", NULL, &text, &err), 0);
	assert_null(text);
	assert_int_equal(cli_when(*state, "until", "soon", &text, &err), -ERR_INVALID);
	assert_part(err.msg, "--until");
}

static void ids_are_cut_to_twelve(void **state)
{
	assert_string_equal(cli_short_id(*state, SLICE("sha256:0123456789abcdef")), "0123456789ab");
	assert_string_equal(cli_short_id(*state, SLICE("0123456789abcdef")), "0123456789ab");
	assert_string_equal(cli_short_id(*state, SLICE("01")), "01");
	assert_string_equal(cli_short_id(*state, (struct slice){ NULL, 0 }), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ARENA_CASE(no_row_is_double_or_unfinished),
		ARENA_CASE(all_of_dockers_flags_are_known),
		ARENA_CASE(long_names_find_the_same_rows),
		ARENA_CASE(globals_come_from_options_environment_defaults),
		ARENA_CASE(filters_become_dockers_json),
		ARENA_CASE(times_become_unix_seconds),
		ARENA_CASE(ids_are_cut_to_twelve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
