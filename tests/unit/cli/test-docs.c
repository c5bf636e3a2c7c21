/* SPDX-License-Identifier: Apache-2.0 */
/* Completion scripts and manual pages: every row is in them, refused ones are not offered. */
#include "cli-test.h"

#include "cli/cli.h"
#include "cli/docs.h"
#include "cli/kubectl/kubectl.h"

struct small_opts {
	bool all;
	const char *form;
};
static const char *const forms[] = { "wide", "narrow", NULL };
static const struct opt small_opts[] = {
	OPT(struct small_opts, BOOL, all, "all", 'a', "Show 'all' of it: [each]"),
	OPT_CHOICE(struct small_opts, form, "form", 0, forms, "Form"),
	OPT_NOT_SUPPORTED(STR, "secret", 's', "not here"), OPT_END
};
static const struct cmd small_list = { .path = "list",
				       .args = "CONTAINER",
				       .help = ".List things",
				       .details = "More\n.words",
				       .opts = small_opts };
static const struct cmd small_deep = { .path = "box open", .help = "Open - a box" };
static const struct cmd small_hidden = { .path = "ghost", .help = "x", .flags = CMD_HIDDEN };
static const struct cmd *const small_cmds[] = { &small_list, &small_deep, &small_hidden };
static const struct opt small_globals[] = { OPT(struct small_opts, STR, form, "host", 'H', "Where"),
					    OPT_END };
static const struct cmd_program small = { .name = "tt",
					  .summary = "A test",
					  .version = "1",
					  .global_opts = small_globals,
					  .cmds = small_cmds,
					  .ncmds = 3 };

static void pages_say_what_the_rows_say(void **state)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1u << 20);
	char name[64];

	(void)state;
	docs_man(&small, &small_list, &out);
	assert_part(buf_str(&out), ".TH \"tt-list\" 1");
	assert_part(buf_str(&out), "\\fB\\-a\\fR, \\fB\\-\\-all\\fR");
	assert_part(buf_str(&out), "Form (wide|narrow).");
	assert_part(buf_str(&out), "\n\\&.List things.\n");
	assert_part(buf_str(&out), "More\n\\&.words\n");
	assert_part(strstr(buf_str(&out), "REFUSED"), "secret");
	docs_man_name(&small, &small_deep, name, sizeof(name));
	assert_string_equal(name, "tt-box-open.1");
	docs_man_name(&small, NULL, name, sizeof(name));
	assert_string_equal(name, "tt.1");
	buf_clear(&out);
	docs_man(&small, NULL, &out);
	assert_part(buf_str(&out), "\\fBbox open\\fR\nOpen \\- a box.");
	assert_null(strstr(buf_str(&out), "ghost"));
}

static void scripts_offer_what_works(void **state)
{
	static void (*const make[])(const struct cmd_program *,
				    struct buf *) = { docs_bash, docs_zsh, docs_fish };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(make); i++) {
		CLEANUP(buf_fini) struct buf out = BUF_INIT(1u << 20);

		make[i](&small, &out);
		assert_part(buf_str(&out), "list");
		assert_part(buf_str(&out), "all");
		assert_part(buf_str(&out), "ps -a");
		assert_null(strstr(buf_str(&out), "secret"));
		assert_null(strstr(buf_str(&out), "ghost"));
	}
}

/* Runs the script in a real bash: what it offers after these words. */
static void assert_completes(const char *script, const char *words, const char *expected)
{
	char cmd[1000], line[20000] = "";
	FILE *f;

	snprintf(cmd, sizeof(cmd),
		 "bash -c 'source %s; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); "
		 "tt() { echo web; }; _tt; echo \" ${COMPREPLY[*]} \"'",
		 script, words);
	f = (popen)(cmd, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	pclose(f);
	if (!strstr(line, expected))
		fail_msg("after '%s': '%s' is not in '%s'", words, expected, line);
}

static void bash_completes(void **state)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1u << 20);
	char path[] = "/tmp/teu-docs-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	docs_bash(&small, &out);
	assert_int_equal(write(fd, out.p, out.n), (ssize_t)out.n);
	close(fd);
	assert_completes(path, "tt l", " list ");
	assert_completes(path, "tt --h", " --help --host ");
	assert_completes(path, "tt list --a", " --all ");
	assert_completes(path, "tt list w", " web ");
	assert_completes(path, "tt -H x li", " list ");
	assert_completes(path, "tt box o", " open ");
	assert_completes(path, "tt list web --f", " --form ");
	unlink(path);
}

static void the_real_table_is_documented_whole(void **state)
{
	struct cmd_program prog = cli_program("teu");
	CLEANUP(buf_fini) struct buf bash = BUF_INIT(8u << 20);

	(void)state;
	docs_bash(&prog, &bash);
	for (size_t i = 0; i < prog.ncmds; i++) {
		CLEANUP(buf_fini) struct buf out = BUF_INIT(1u << 20);
		char word[200];

		snprintf(word, sizeof(word), "'%s')", prog.cmds[i]->path);
		assert_part(buf_str(&bash), word);
		docs_man(&prog, prog.cmds[i], &out);
		assert_part(buf_str(&out), ".SH NAME");
		assert_false(out.full);
	}
	assert_false(bash.full);
}

/* Names of kinds and objects are asked for at the key press. */
static void kubectls_scripts_ask_kubectl(void **state)
{
	static void (*const make[])(const struct cmd_program *,
				    struct buf *) = { docs_bash, docs_zsh, docs_fish };
	struct cmd_program prog = kubectl_program();
	char name[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(make); i++) {
		CLEANUP(buf_fini) struct buf out = BUF_INIT(8u << 20);

		make[i](&prog, &out);
		assert_part(buf_str(&out), "kubectl __complete");
		assert_false(out.full);
	}
	prog.name = "teu kubectl";
	docs_man_name(&prog, prog.cmds[0], name, sizeof(name));
	assert_part(name, "teu-kubectl-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_say_what_the_rows_say),
		cmocka_unit_test(scripts_offer_what_works),
		cmocka_unit_test(bash_completes),
		cmocka_unit_test(the_real_table_is_documented_whole),
		cmocka_unit_test(kubectls_scripts_ask_kubectl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
