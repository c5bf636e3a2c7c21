/* SPDX-License-Identifier: Apache-2.0 */
/* Global options, their defaults from the environment, and the dispatch to commands. */
#include "cli/cli.h"

#include "base/arena.h"
#include "base/err.h"
#include "cli/cmds.h"

#include <stdio.h>

static const struct opt global_opts[] = {
	OPT(struct global_opts, STR, root, "root", 0, "directory of durable state"),
	OPT(struct global_opts, STR, run, "run", 0,
	    "directory of sockets and what may go at reboot"),
	OPT(struct global_opts, STR, host, "host", 'H', "address of the engine, unix://PATH"),
	OPT_END
};

static const struct cmd *const cmds[] = { &cmd_engine };

static const struct cmd_program program = {
	.name = "teu",
	.summary = "containers, images and clusters in one program",
	.version = TEU_VERSION,
	.global_opts = global_opts,
	.global_size = sizeof(struct global_opts),
	.cmds = cmds,
	.ncmds = ARRAY_LEN(cmds),
	.usage_status = 1,
};

static const char *or_env(const char *given, const char *env, const char *dflt)
{
	const char *v = getenv(env);

	return given ? given : v && *v ? v : dflt;
}

static int fill_defaults(struct cmd_call *call, struct err *err)
{
	struct global_opts *g = call->global;

	g->root = or_env(g->root, "TEU_ROOT", "/var/lib/teu");
	g->run = or_env(g->run, "TEU_RUN", "/run/teu");
	g->host = or_env(g->host, "TEU_HOST",
			 arena_printf(call->arena, "unix://%s/docker.sock", g->run));
	if (g->root[0] != '/' || g->run[0] != '/')
		return err_set(err, ERR_INVALID, "--root and --run must be absolute paths");
	return 0;
}

int cli_main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	int r = cmd_main(&program, argc, argv, fill_defaults, &err);

	if (r >= 0)
		return r;
	(void)fprintf(stderr, "teu: %s\n", err.msg);
	return 1;
}
