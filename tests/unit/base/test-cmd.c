/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "base/arena.h"
#include "base/cmd.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

struct run_opts {
	bool tty, interactive, seen_tty;
	const char *name, *pull;
	int64_t pids, memory, swap, wait;
	double cpus;
	struct opt_list env;
};

static const char *const pulls[] = { "always", "missing", "never", NULL };

static const struct opt run_table[] = {
	OPT_SEEN_AT(struct run_opts, BOOL, tty, seen_tty, "tty", 't', "Allocate a terminal"),
	OPT(struct run_opts, BOOL, interactive, "interactive", 'i', "Keep standard input open"),
	OPT(struct run_opts, STR, name, "name", 0, "Name of the container"),
	OPT(struct run_opts, INT, pids, "pids-limit", 0, "Most processes"),
	OPT(struct run_opts, SIZE, memory, "memory", 'm', "Memory limit"),
	{ .type = OPT_T_SIZE,
	  .name = "memory-swap",
	  .help = "Memory and swap",
	  .offset = offsetof(struct run_opts, swap),
	  .seen = SIZE_MAX,
	  .flags = OPT_UNLIMITED },
	OPT(struct run_opts, DURATION, wait, "wait", 'w', "Time to wait"),
	OPT(struct run_opts, FLOAT, cpus, "cpus", 0, "Number of CPUs"),
	OPT(struct run_opts, LIST, env, "env", 'e', "Set variables"),
	OPT_CHOICE(struct run_opts, pull, "pull", 0, pulls, "When to pull"),
	OPT_NOT_SUPPORTED(STR, "isolation", 0, "only Windows has it"),
	OPT_END,
};

static struct run_opts last;
static char last_args[200];
static int run_result;

static int do_run(struct cmd_call *call, struct err *err)
{
	if (call->opts && call->cmd->opts_size)
		last = *(struct run_opts *)call->opts;
	last_args[0] = '\0';
	for (size_t i = 0; i < call->nargs; i++)
		snprintf(last_args + strlen(last_args), sizeof(last_args) - strlen(last_args),
			 "[%s]", call->args[i]);
	assert_null(call->args[call->nargs]);
	if (run_result < 0)
		return err_set(err, ERR_CONFLICT, "it broke");
	return run_result;
}

static const struct cmd cmd_run = {
	.path = "run",
	.args = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.help = "Create and run a container",
	.aliases = (const char *const[]){ "container run", NULL },
	.opts = run_table,
	.opts_size = sizeof(struct run_opts),
	.min = 1,
	.max = UINT8_MAX,
	.flags = CMD_OPTS_FIRST,
	.group = "Common Commands",
	.run = do_run,
};
static const struct cmd cmd_ps = {
	.path = "ps", .help = "List containers", .group = "Common Commands", .run = do_run
};
static const struct cmd cmd_pull = { .path = "image pull",
				     .args = "REF",
				     .help = "Fetch an image",
				     .min = 1,
				     .max = 1,
				     .run = do_run };
static const struct cmd cmd_tag = { .path = "image tag",
				    .args = "A B",
				    .help = "Name an image",
				    .min = 2,
				    .max = 2,
				    .run = do_run };
static const struct cmd cmd_rename = { .path = "rename",
				       .args = "A [B]",
				       .help = "Rename",
				       .min = 1,
				       .max = 2,
				       .run = do_run,
				       .opts = run_table,
				       .opts_size = sizeof(struct run_opts) };
static const struct cmd cmd_secret = {
	.path = "hidden", .help = "x", .flags = CMD_HIDDEN, .max = 1, .run = do_run
};
static const struct cmd *const cmds[] = { &cmd_run, &cmd_ps,	 &cmd_pull,
					  &cmd_tag, &cmd_rename, &cmd_secret };

struct globals {
	const char *host;
	bool debug;
};
static const struct opt global_table[] = {
	OPT(struct globals, STR, host, "host", 'H', "Socket of the engine"),
	OPT(struct globals, BOOL, debug, "debug", 'D', "Tell more"),
	OPT_END,
};
static const struct cmd_program prog = { "teu",
					 "Containers in one program",
					 "1.2",
					 global_table,
					 sizeof(struct globals),
					 cmds,
					 ARRAY_LEN(cmds),
					 125 };

static char out[16384], errs[16384];
static struct err last_err;
static struct globals last_globals;

static int before(struct cmd_call *call, struct err *err)
{
	last_globals = *(struct globals *)call->global;
	assert_string_equal(call->program, "teu");
	return 0;
}

static int grab_start(int fd, int *saved)
{
	int mem = memfd_create("out", 0);

	*saved = dup(fd);
	dup2(mem, fd);
	return mem;
}

static void grab_end(int fd, int saved, int mem, char *text, size_t n)
{
	ssize_t got = pread(mem, text, n - 1, 0);

	text[got] = '\0';
	dup2(saved, fd);
	close(saved);
	close(mem);
}

/* Runs "teu <words...>", splitting `line` at blanks; keeps what was printed. */
static int teu(const char *line)
{
	char copy[512], *argv[64] = { (char *)"/usr/bin/teu" };
	struct slice rest = slice_str(line);
	int argc = 1, so, se, mo, me, status;
	size_t at = 0;

	while (rest.p && line[0]) {
		struct slice word = slice_split(&rest, ' ');

		argv[argc++] = memcpy(copy + at, word.p, word.n);
		copy[at + word.n] = '\0';
		at += word.n + 1;
	}
	argv[argc] = NULL;
	last_err = ERR_INIT;
	memset(&last, 0, sizeof(last));
	fflush(NULL);
	mo = grab_start(1, &so);
	me = grab_start(2, &se);
	status = cmd_main(&prog, argc, argv, before, &last_err);
	grab_end(1, so, mo, out, sizeof(out));
	grab_end(2, se, me, errs, sizeof(errs));
	return status;
}

/* cmd_parse_opts alone, over the options of run. */
static int parse(struct run_opts *o, struct arena *a, const char *line, bool first, struct err *err)
{
	char *copy = arena_strdup(a, line), *argv[32], **left = argv;
	int argc = 0, r;

	for (char *p = copy; p; argc++) {
		argv[argc] = p;
		p = strchr(p, ' ');
		if (p)
			*p++ = '\0';
	}
	memset(o, 0, sizeof(*o));
	r = cmd_parse_opts(a, run_table, o, first, &argc, &left, err);
	if (r == 0) {
		last_args[0] = '\0';
		for (int i = 0; i < argc; i++)
			snprintf(last_args + strlen(last_args),
				 sizeof(last_args) - strlen(last_args), "[%s]", left[i]);
	}
	return r;
}

static void every_type_is_read_in_every_form(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("t", 1 << 20);
	struct err err = ERR_INIT;
	struct run_opts o;

	assert_ok(parse(&o, a,
			"-it --name=x --pids-limit 7 -m64m --memory-swap -1 -w 1m30s --cpus 1.5 "
			"--pull never img",
			false, &err));
	assert_true(o.tty && o.interactive && o.seen_tty);
	assert_string_equal(o.name, "x");
	assert_int_equal(o.pids, 7);
	assert_int_equal(o.memory, 64 << 20);
	assert_int_equal(o.swap, -1);
	assert_true(o.wait == 90000000000);
	assert_true(o.cpus == 1.5);
	assert_string_equal(o.pull, "never");
	assert_string_equal(last_args, "[img]");
	assert_ok(parse(&o, a, "--tty=false -i=true -m=1g -e A=1 -eB=2 --env C= --env=D", false,
			&err));
	assert_false(o.tty);
	assert_true(o.seen_tty && o.interactive);
	assert_int_equal(o.memory, 1 << 30);
	assert_int_equal(o.env.n, 4);
	assert_string_equal(o.env.v[1], "B=2");
	assert_string_equal(o.env.v[3], "D");
	assert_ok(parse(&o, a, "-itm 5", false, &err));
	assert_int_equal(o.memory, 5);
	assert_ok(parse(&o, a, "--name -x", false, &err));
	assert_string_equal(o.name, "-x");
}

static void options_may_stand_anywhere_or_first(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("t", 1 << 20);
	struct err err = ERR_INIT;
	struct run_opts o;

	assert_ok(parse(&o, a, "a -t - b -- -i --x", false, &err));
	assert_true(o.tty && !o.interactive);
	assert_string_equal(last_args, "[a][-][b][-i][--x]");
	assert_ok(parse(&o, a, "-t img sh -i -- --help", true, &err));
	assert_true(o.tty && !o.interactive);
	assert_string_equal(last_args, "[img][sh][-i][--][--help]");
	assert_int_equal(parse(&o, a, "a --help", false, &err), 1);
}

static void bad_values_name_the_flag(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("t", 1 << 20);
	struct err err = ERR_INIT;
	struct run_opts o;

	assert_err(parse(&o, a, "--nam x", false, &err), ERR_INVALID,
		   "unknown flag: --nam; did you mean --name?");
	assert_err(parse(&o, a, "--frobnicate", false, &err), ERR_INVALID,
		   "unknown flag: --frobnicate");
	assert_err(parse(&o, a, "-tz", false, &err), ERR_INVALID,
		   "unknown shorthand flag: 'z' in -tz");
	assert_err(parse(&o, a, "--name", false, &err), ERR_INVALID,
		   "flag needs an argument: --name");
	assert_err(parse(&o, a, "-m", false, &err), ERR_INVALID,
		   "flag needs an argument: 'm' in -m");
	assert_err(parse(&o, a, "--tty=maybe", false, &err), ERR_INVALID, "must be true or false");
	assert_err(parse(&o, a, "-m 5x", false, &err), ERR_INVALID,
		   "invalid argument \"5x\" for \"-m, --memory\" flag");
	assert_err(parse(&o, a, "-m -1", false, &err), ERR_INVALID, "not a size");
	assert_err(parse(&o, a, "--pids-limit many", false, &err), ERR_INVALID, "whole number");
	assert_err(parse(&o, a, "--cpus nan", false, &err), ERR_INVALID, "not a number");
	assert_err(parse(&o, a, "--cpus 1e999", false, &err), ERR_INVALID, "not a number");
	assert_err(parse(&o, a, "--wait 5", false, &err), ERR_INVALID, "duration");
	assert_err(parse(&o, a, "--pull often", false, &err), ERR_INVALID,
		   "must be one of: always, missing, never");
	assert_err(parse(&o, a, "--isolation x", false, &err), ERR_UNSUPPORTED,
		   "--isolation is not supported: only Windows has it");
	arena_fail_at(a, 2);
	assert_err(parse(&o, a, "-t", false, &err), ERR_QUOTA, "more than");
}

static void sizes_are_powers_of_1024(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} v[] = { { "0", 0 },
		  { "512", 512 },
		  { "512b", 512 },
		  { "64k", 65536 },
		  { "1.5G", 3ll << 29 },
		  { "2gb", 2ll << 30 },
		  { "2GiB", 2ll << 30 },
		  { "1t", 1ll << 40 },
		  { "7p", 7ll << 50 },
		  { "0.5k", 512 } };
	static const char *const bad[] = { "",
					   "m",
					   "-1",
					   "1x",
					   "1mm",
					   "1bb",
					   "1..5g",
					   ".5g",
					   "1 g",
					   "9999999999p",
					   "1.5.5",
					   "1gi",
					   "99999999999999999999" };
	struct err err = ERR_INIT;
	int64_t n;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		assert_ok(cmd_parse_size(slice_str(v[i].text), &n, &err));
		if (n != v[i].bytes)
			fail_msg("%s gave %lld", v[i].text, (long long)n);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(cmd_parse_size(slice_str(bad[i]), &n, &err), ERR_INVALID, "not a size");
}

static void commands_run_by_path_or_alias(void **state)
{
	run_result = 3;
	assert_int_equal(teu("-D --host=unix:///x run -it img sh -c x"), 3);
	assert_string_equal(last_args, "[img][sh][-c][x]");
	assert_true(last.tty && last.interactive);
	assert_true(last_globals.debug);
	assert_string_equal(last_globals.host, "unix:///x");
	assert_int_equal(teu("container run img"), 3);
	assert_string_equal(last_args, "[img]");
	assert_int_equal(teu("image pull a"), 3);
	assert_int_equal(teu("rename a -t b"), 3);
	assert_string_equal(last_args, "[a][b]");
	run_result = -1;
	assert_int_equal(teu("ps"), -1);
	assert_int_equal(last_err.code, ERR_CONFLICT);
	assert_string_equal(last_err.msg, "it broke");
	assert_string_equal(errs, "");
	run_result = 0;
}

static void argument_counts_are_told_as_docker_does(void **state)
{
	assert_int_equal(teu("run"), 125);
	assert_string_equal(errs,
			    "\"teu run\" requires at least 1 argument.\nSee 'teu run --help'.\n\n"
			    "Usage:  teu run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nCreate and run "
			    "a container\n");
	assert_string_equal(out, "");
	teu("image pull");
	assert_words(errs, "\"teu image pull\" requires exactly 1 argument.");
	teu("image tag a");
	assert_words(errs, "requires exactly 2 arguments.");
	teu("ps x");
	assert_words(errs, "\"teu ps\" accepts no arguments.");
	teu("rename a b c");
	assert_words(errs, "requires at least 1 and at most 2 arguments.");
	teu("hidden a b");
	assert_words(errs, "requires at most 1 argument.");
}

static void unknown_words_get_a_suggestion(void **state)
{
	assert_int_equal(teu("rnu img"), 125);
	assert_string_equal(
		errs,
		"teu: 'rnu' is not a teu command.\nDid you mean 'teu run'?\nSee 'teu --help'.\n");
	teu("image pul x");
	assert_words(errs, "'image pul' is not a teu command.\nDid you mean 'teu image pull'?");
	teu("xyzzy");
	assert_null(strstr(errs, "Did you mean"));
	teu("hiden");
	assert_null(strstr(errs, "Did you mean"));
	assert_int_equal(teu("--hots x run"), 125);
	assert_words(errs, "teu: unknown flag: --hots; did you mean --host?\nSee 'teu --help'.");
	assert_int_equal(teu("run --isolation=x img"), 125);
	assert_words(errs, "teu: --isolation is not supported");
	assert_words(errs, "See 'teu run --help'.");
}

static void command_help_is_laid_out_as_dockers(void **state)
{
	static const char *const ways[] = { "run --help", "run -h", "help run", "run -t --help" };

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		assert_int_equal(teu(ways[i]), 0);
		assert_string_equal(errs, "");
		assert_string_equal(
			out, "Usage:  teu run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nCreate and run "
			     "a container\n\n"
			     "Aliases:\n  teu run, teu container run\n\nOptions:\n"
			     "  -t, --tty                 Allocate a terminal\n"
			     "  -i, --interactive         Keep standard input open\n"
			     "      --name string         Name of the container\n"
			     "      --pids-limit int      Most processes\n"
			     "  -m, --memory bytes        Memory limit\n"
			     "      --memory-swap bytes   Memory and swap\n"
			     "  -w, --wait duration       Time to wait\n"
			     "      --cpus decimal        Number of CPUs\n"
			     "  -e, --env list            Set variables\n"
			     "      --pull string         When to pull (always|missing|never)\n");
	}
}

static void program_help_is_grouped(void **state)
{
	static const char *const ways[] = { "", "--help", "-h", "help", "-D" };

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		assert_int_equal(teu(ways[i]), 0);
		assert_string_equal(
			out, "Usage:  teu [OPTIONS] COMMAND\n\nContainers in one program\n\n"
			     "Common Commands:\n  run      Create and run a container\n  ps       "
			     "List containers\n\n"
			     "Commands:\n  rename   Rename\n\n"
			     "Management Commands:\n  image    pull, tag\n\n"
			     "Global Options:\n  -H, --host string   Socket of the engine\n"
			     "  -D, --debug         Tell more\n\n"
			     "Run 'teu COMMAND --help' for more information on a command.\n");
	}
	assert_int_equal(teu("image"), 0);
	assert_words(out, "Usage:  teu image COMMAND\n\nCommands:\n  pull   Fetch an image\n  tag  "
			  "  Name an image\n");
	assert_int_equal(teu("--version"), 0);
	assert_string_equal(out, "teu version 1.2\n");
	assert_int_equal(teu("help nothing"), 125);
	assert_words(errs, "'nothing' is not a teu command");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_read_in_every_form),
		cmocka_unit_test(options_may_stand_anywhere_or_first),
		cmocka_unit_test(bad_values_name_the_flag),
		cmocka_unit_test(sizes_are_powers_of_1024),
		cmocka_unit_test(commands_run_by_path_or_alias),
		cmocka_unit_test(argument_counts_are_told_as_docker_does),
		cmocka_unit_test(unknown_words_get_a_suggestion),
		cmocka_unit_test(command_help_is_laid_out_as_dockers),
		cmocka_unit_test(program_help_is_grouped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
