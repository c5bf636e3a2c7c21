/* SPDX-License-Identifier: Apache-2.0 */
/* `teu logs`: the engine's frames to stdout and stderr as they come. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "dockerclient/dockerclient.h"

struct logs_opts {
	bool details, follow, timestamps;
	const char *since, *until, *tail;
};

static const struct opt logs_opts[] = {
	OPT(struct logs_opts, BOOL, details, "details", 0, "Show extra attributes"),
	OPT(struct logs_opts, BOOL, follow, "follow", 'f', "Go on with what comes"),
	OPT(struct logs_opts, STR, since, "since", 0, "From this time on (RFC 3339, or 42m ago)"),
	OPT(struct logs_opts, STR, tail, "tail", 'n', "Only the last lines (all)"),
	OPT(struct logs_opts, BOOL, timestamps, "timestamps", 't', "Show timestamps"),
	OPT(struct logs_opts, STR, until, "until", 0, "Up to this time (RFC 3339, or 42m ago)"),
	OPT_END
};

struct reading {
	struct docker_demux demux;
	bool framed;
};

static void began(void *arg, struct slice type)
{
	((struct reading *)arg)->framed =
		slice_is(type, "application/vnd.docker.multiplexed-stream");
}

static int put(void *arg, enum docker_frame type, struct slice b, struct err *err)
{
	(void)arg;
	if (fd_write_all(type == DOCKER_STDERR ? 2 : 1, b.p, b.n) < 0)
		return err_sys(err, "write to standard output");
	return 0;
}

static int consume(void *arg, struct slice bytes, struct err *err)
{
	struct reading *k = arg;

	if (k->framed)
		return docker_demux_feed(&k->demux, bytes, put, k, err);
	return put(k, DOCKER_STDOUT, bytes, err);
}

static int logs_run(struct cmd_call *call, struct err *err)
{
	const struct logs_opts *o = call->opts;
	struct arena *a = call->arena;
	struct reading k = { .framed = true };
	struct docker_request rq = { .consume = consume, .began = began, .arg = &k };
	const char *since, *until;
	struct docker_client *c;
	int r;

	r = cli_when(a, "since", o->since, &since, err);
	if (r == 0)
		r = cli_when(a, "until", o->until, &until, err);
	if (r == 0)
		r = cli_client(call, &c, err);
	if (r < 0)
		return r;
	rq.target =
		docker_target(a, "/containers/%/logs", call->args[0], "stdout", "1", "stderr", "1",
			      "tail", o->tail ? o->tail : "all", "follow", o->follow ? "1" : NULL,
			      "since", since, "until", until, "timestamps",
			      o->timestamps ? "1" : NULL, "details", o->details ? "1" : NULL, NULL);
	r = docker_call(c, a, &rq, NULL, err);
	if (r == 0 && k.framed)
		r = docker_demux_end(&k.demux, err);
	return r;
}

static const char *const names[] = { "container logs", NULL };

const struct cmd cmd_logs = {
	.path = "logs",
	.aliases = names,
	.args = "[OPTIONS] CONTAINER",
	.help = "Show the output of a container",
	.opts = logs_opts,
	.opts_size = sizeof(struct logs_opts),
	.min = 1,
	.max = 1,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_COMMON,
	.run = logs_run,
};
