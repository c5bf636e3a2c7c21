/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the command table says of itself: `teu help`, `teu completion`, `teu man`. Nothing is
 * written down twice, so a new row is documented at once.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/docs.h"
#include "cli/kubectl/kubectl.h"
#include "linux/sys.h"

#define TEXT_MAX (8u << 20)

/* ---- help ---- */

static int help_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(TEXT_MAX);
	struct cmd_program prog = cli_program(call->program);
	const struct cmd *cmd = NULL;
	int words;

	if (call->nargs) {
		cmd = cmd_find(&prog, (int)call->nargs, call->args, &words);
		if (!cmd)
			return err_set(err, ERR_NOT_FOUND, "'%.100s' is not a %s command",
				       call->args[0], prog.name);
	}
	cmd_print_help(&prog, cmd, &out);
	return cli_write(1, &out, err);
}

/* ---- completion ---- */

static int completion_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(TEXT_MAX);
	struct cmd_program prog = cli_program(call->program);
	const char *shell = call->args[0];

	if (strcmp(shell, "bash") == 0)
		docs_bash(&prog, &out);
	else if (strcmp(shell, "zsh") == 0)
		docs_zsh(&prog, &out);
	else if (strcmp(shell, "fish") == 0)
		docs_fish(&prog, &out);
	else
		return err_set(err, ERR_INVALID,
			       "completion for '%.100s': the shells are bash, zsh and fish", shell);
	return cli_write(1, &out, err);
}

/* ---- man ---- */

struct man_opts {
	const char *dir;
};

static const struct opt man_opts[] = { OPT(struct man_opts, STR, dir, "dir", 0,
					   "Write all pages as files into this directory"),
				       OPT_END };

/* teu's other table: its pages are those of "teu kubectl". */
static struct cmd_program kube_program(void)
{
	struct cmd_program prog = kubectl_program();

	prog.name = "teu kubectl";
	return prog;
}

static int write_page(const struct cmd_program *prog, int dir, const struct cmd *cmd,
		      struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(TEXT_MAX);
	char name[128];

	docs_man_name(prog, cmd, name, sizeof(name));
	docs_man(prog, cmd, &out);
	return fd_replace_file(dir, name, buf_str(&out), out.n, 0644, err);
}

static int write_program(const struct cmd_program *prog, int dir, struct err *err)
{
	int r = write_page(prog, dir, NULL, err);

	for (size_t i = 0; i < prog->ncmds && r == 0; i++)
		if (!(prog->cmds[i]->flags & CMD_HIDDEN))
			r = write_page(prog, dir, prog->cmds[i], err);
	return r;
}

static int write_pages(const struct cmd_program *prog, const char *path, struct err *err)
{
	__attribute__((cleanup(fd_close_cleanup_))) int dir = -1;
	struct cmd_program kube = kube_program();
	int r;

	r = fd_mkdir_p(AT_FDCWD, path, 0755, err);
	if (r < 0)
		return r;
	dir = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir < 0)
		return err_sys(err, "open the directory '%s'", path);
	r = write_program(prog, dir, err);
	/* its first page is fuller than the one of the row "kubectl" */
	return r < 0 ? r : write_program(&kube, dir, err);
}

static int man_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(TEXT_MAX);
	struct cmd_program prog = cli_program(call->program);
	const struct man_opts *o = call->opts;
	const struct cmd *cmd = NULL;
	int words;

	if (o->dir && call->nargs)
		return err_set(err, ERR_CONFLICT, "man: --dir writes all pages; give no COMMAND");
	if (o->dir)
		return write_pages(&prog, o->dir, err);
	if (call->nargs && strcmp(call->args[0], "kubectl") == 0) {
		prog = kube_program();
		call->args++;
		call->nargs--;
	}
	if (call->nargs) {
		cmd = cmd_find(&prog, (int)call->nargs, call->args, &words);
		if (!cmd)
			return err_set(err, ERR_NOT_FOUND, "'%.100s' is not a %s command",
				       call->args[0], prog.name);
	}
	docs_man(&prog, cmd, &out);
	return cli_write(1, &out, err);
}

const struct cmd cmd_help = {
	.path = "help",
	.args = "[COMMAND]",
	.help = "Show what a command does",
	.max = UINT8_MAX,
	.group = CLI_SYSTEM,
	.run = help_run,
};

const struct cmd cmd_completion = {
	.path = "completion",
	.args = "bash|zsh|fish",
	.help = "Print a completion script for a shell",
	.details = "Load it for this session: source <(teu completion bash); zsh the same; fish: "
		   "teu completion fish | source.",
	.min = 1,
	.max = 1,
	.group = CLI_SYSTEM,
	.run = completion_run,
};

const struct cmd cmd_man = {
	.path = "man",
	.args = "[OPTIONS] [COMMAND]",
	.help = "Print the manual page of a command, or write all of them",
	.details = "A printed page is shown by: teu man run | man -l -",
	.opts = man_opts,
	.opts_size = sizeof(struct man_opts),
	.max = UINT8_MAX,
	.group = CLI_SYSTEM,
	.run = man_run,
};
