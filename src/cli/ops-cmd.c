/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that ask one thing of each container named: stop, restart, kill, rm, rename, wait. */
#include "base/arena.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "doc/doc.h"
#include "dockerclient/dockerclient.h"

/* POST or DELETE of a target; 304 ("it was so already") is success. */
static int ask(struct cmd_call *call, const char *method, const char *target, struct err *err)
{
	struct docker_request rq = { .method = method, .target = target };
	struct docker_client *c;
	int r;

	r = cli_client(call, &c, err);
	if (r == 0)
		r = docker_call(c, call->arena, &rq, NULL, err);
	return r < 0 ? r : 0;
}

/* ---- stop, restart ---- */

struct stop_opts {
	const char *signal;
	int64_t timeout;
	bool has_timeout;
};

static const struct opt stop_opts[] = {
	OPT(struct stop_opts, STR, signal, "signal", 's', "Signal that stops the container"),
	OPT_SEEN_AT(struct stop_opts, INT, timeout, has_timeout, "timeout", 't',
		    "Seconds to wait before it is killed, -1 for ever"),
	{ .type = OPT_T_INT,
	  .name = "time",
	  .help = "As --timeout",
	  .flags = OPT_HIDDEN,
	  .offset = offsetof(struct stop_opts, timeout),
	  .seen = offsetof(struct stop_opts, has_timeout) },
	OPT_END
};

static int stop_like(struct cmd_call *call, const char *id, const char *path, struct err *err)
{
	const struct stop_opts *o = call->opts;
	const char *t =
		o->has_timeout ? arena_printf(call->arena, "%lld", (long long)o->timeout) : NULL;

	return ask(call, "POST",
		   docker_target(call->arena, path, id, "signal", o->signal, "t", t, NULL), err);
}

static int stop_one(struct cmd_call *call, const char *id, struct err *err)
{
	return stop_like(call, id, "/containers/%/stop", err);
}

static int stop_run(struct cmd_call *call, struct err *err)
{
	(void)err; /* each argument reports its own */
	return cli_each(call, true, stop_one);
}

static int restart_one(struct cmd_call *call, const char *id, struct err *err)
{
	return stop_like(call, id, "/containers/%/restart", err);
}

static int restart_run(struct cmd_call *call, struct err *err)
{
	(void)err; /* each argument reports its own */
	return cli_each(call, true, restart_one);
}

/* ---- kill ---- */

struct kill_opts {
	const char *signal;
};

static const struct opt kill_opts[] = {
	OPT(struct kill_opts, STR, signal, "signal", 's', "Signal to send (KILL)"), OPT_END
};

static int kill_one(struct cmd_call *call, const char *id, struct err *err)
{
	const struct kill_opts *o = call->opts;

	return ask(call, "POST",
		   docker_target(call->arena, "/containers/%/kill", id, "signal", o->signal, NULL),
		   err);
}

static int kill_run(struct cmd_call *call, struct err *err)
{
	(void)err; /* each argument reports its own */
	return cli_each(call, true, kill_one);
}

/* ---- rm ---- */

struct rm_opts {
	bool force, volumes;
};

static const struct opt rm_opts[] = {
	OPT(struct rm_opts, BOOL, force, "force", 'f', "Kill a running container first"),
	OPT_NOT_SUPPORTED(BOOL, "link", 'l', "links are not supported"),
	OPT(struct rm_opts, BOOL, volumes, "volumes", 'v', "Remove its anonymous volumes, too"),
	OPT_END
};

static int rm_one(struct cmd_call *call, const char *id, struct err *err)
{
	const struct rm_opts *o = call->opts;
	int r = ask(call, "DELETE",
		    docker_target(call->arena, "/containers/%", id, "force", o->force ? "1" : NULL,
				  "v", o->volumes ? "1" : NULL, NULL),
		    err);

	/* docker's: with --force what is not there is no failure, but no name is printed. */
	if (r == -ERR_NOT_FOUND && o->force) {
		cli_complain(err);
		return 1;
	}
	return r;
}

static int rm_run(struct cmd_call *call, struct err *err)
{
	(void)err; /* each argument reports its own */
	return cli_each(call, true, rm_one);
}

/* ---- rename ---- */

static int rename_run(struct cmd_call *call, struct err *err)
{
	return ask(call, "POST",
		   docker_target(call->arena, "/containers/%/rename", call->args[0], "name",
				 call->args[1], NULL),
		   err);
}

/* ---- wait ---- */

static int wait_one(struct cmd_call *call, const char *id, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(64);
	struct docker_client *c;
	struct doc *answer;
	int r;

	r = cli_client(call, &c, err);
	if (r == 0)
		r = docker_post(c, call->arena,
				docker_target(call->arena, "/containers/%/wait", id, NULL), NULL,
				&answer, err);
	if (r < 0)
		return r;
	buf_addf(&out, "%lld\n", (long long)cli_int(answer, "StatusCode"));
	return cli_write(1, &out, err);
}

static int wait_run(struct cmd_call *call, struct err *err)
{
	(void)err; /* each argument reports its own */
	return cli_each(call, false, wait_one);
}

static const char *const stop_names[] = { "container stop", NULL };
static const char *const restart_names[] = { "container restart", NULL };
static const char *const kill_names[] = { "container kill", NULL };
static const char *const rm_names[] = { "container rm", "container remove", NULL };
static const char *const rename_names[] = { "container rename", NULL };
static const char *const wait_names[] = { "container wait", NULL };

#define ROW(id, arguments, text, options, size, least, most) \
	const struct cmd cmd_##id = {                        \
		.path = #id,                                 \
		.aliases = id##_names,                       \
		.args = arguments,                           \
		.help = text,                                \
		.opts = options,                             \
		.opts_size = size,                           \
		.min = least,                                \
		.max = most,                                 \
		.flags = CMD_NEEDS_ENGINE,                   \
		.group = CLI_CONTAINERS,                     \
		.run = id##_run,                             \
	}
#define SEVERAL "[OPTIONS] CONTAINER [CONTAINER...]"
ROW(stop, SEVERAL, "Stop running containers", stop_opts, sizeof(struct stop_opts), 1, UINT8_MAX);
ROW(restart, SEVERAL, "Restart containers", stop_opts, sizeof(struct stop_opts), 1, UINT8_MAX);
ROW(kill, SEVERAL, "Send a signal to running containers", kill_opts, sizeof(struct kill_opts), 1,
    UINT8_MAX);
ROW(rm, SEVERAL, "Remove containers", rm_opts, sizeof(struct rm_opts), 1, UINT8_MAX);
ROW(rename, "CONTAINER NEW_NAME", "Rename a container", NULL, 0, 2, 2);
ROW(wait, "CONTAINER [CONTAINER...]", "Wait until containers end, print their exit statuses", NULL,
    0, 1, UINT8_MAX);
