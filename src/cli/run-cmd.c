/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `teu run` and `teu create`.
 *
 * run: create; attach and wait side by side, each on a connection of its own; start when the engine
 * has answered both, so that neither output nor end can be missed; then join the streams.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/joint.h"
#include "cli/run-opts.h"
#include "cli/session.h"

#define REMOVE_TIME (10 * NS_PER_SEC)

struct running {
	struct cmd_call *call;
	const struct run_opts *o;
	struct docker_client *client;
	struct arena *a;
	const char *id;
	struct run_attach at;
	struct session session;
	struct docker_exchange wait;
	int status; /* what run returns */
};

static int print_id(const char *id, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(256);

	buf_addf(&out, "%s\n", id);
	return cli_write(1, &out, err);
}

static int check_options(const struct run_opts *o, const struct run_attach *at, struct err *err)
{
	if (o->rm && o->restart && strcmp(o->restart, "no") != 0)
		return err_set(err, ERR_CONFLICT,
			       "conflicting options: cannot specify both --restart and --rm");
	if (o->tty && at->in && !term_is(0))
		return err_set(err, ERR_INVALID, "the input device is not a TTY");
	return 0;
}

static int start(struct running *k, struct err *err)
{
	return docker_post(k->client, k->a, docker_target(k->a, "/containers/%/start", k->id, NULL),
			   NULL, NULL, err);
}

/* A container that is removed when it ends is gone too when its start failed: let that happen. */
static void wait_removed(struct running *k)
{
	int64_t end = clock_mono() + REMOVE_TIME, left;

	while (k->o->rm && !k->wait.finished && (left = end - clock_mono()) > 0)
		if (loop_step(docker_client_loop(k->client), left, NULL) < 0)
			return;
}

static int run_detached(struct running *k, struct err *err)
{
	int r = start(k, err);

	if (r >= 0)
		return print_id(k->id, err);
	k->status = joint_start_status(err);
	return r;
}

static int open_streams(struct running *k, struct err *err)
{
	const struct run_opts *o = k->o;
	struct session *s = &k->session;
	int r;

	s->client = k->client;
	s->tty = o->tty;
	s->in = k->at.in;
	s->out = k->at.out;
	s->err = k->at.err;
	s->sig_proxy = (!o->has_sig_proxy || o->sig_proxy) && !o->tty;
	s->detach_keys = o->detach_keys;
	s->resize_target = docker_target(k->a, "/containers/%/resize", k->id, NULL);
	s->kill_target = docker_target(k->a, "/containers/%/kill", k->id, NULL);
	/* Sent before attach waits for its answer: both are on their way at once. */
	r = joint_wait_begin(k->client, &k->wait, k->a, k->id, o->rm ? "removed" : "next-exit",
			     err);
	if (r < 0)
		return r;
	r = session_open(s,
			 docker_target(k->a, "/containers/%/attach", k->id, "stream", "1", "stdin",
				       s->in ? "1" : NULL, "stdout", s->out ? "1" : NULL, "stderr",
				       s->err ? "1" : NULL, "detachKeys", o->detach_keys, NULL),
			 NULL, err);
	if (r == 0)
		r = docker_exchange_wait_head(&k->wait, err);
	return r;
}

static int run_attached(struct running *k, struct err *err)
{
	int r;

	r = open_streams(k, err);
	if (r < 0)
		return r;
	r = start(k, err);
	if (r < 0) {
		k->status = joint_start_status(err);
		wait_removed(k);
		return r;
	}
	session_resize(&k->session);
	r = session_run(&k->session, err);
	if (r == 1) { /* detached: the container runs on */
		k->status = 0;
		return 0;
	}
	if (r < 0)
		return r;
	return joint_wait_end(&k->wait, k->a, &k->status, err);
}

static int run(struct cmd_call *call, struct err *err)
{
	struct running k = { .call = call,
			     .o = call->opts,
			     .a = call->arena,
			     .session = SESSION_INIT,
			     .status = STATUS_ENGINE };
	int r;

	r = run_attach_of(k.o, &k.at, err);
	if (r == 0)
		r = check_options(k.o, &k.at, err);
	if (r == 0)
		r = joint_create(call, k.o, &k.id, err);
	if (r == 0)
		r = cli_client(call, &k.client, err);
	if (r == 0) {
		bool attached = k.at.in || k.at.out || k.at.err;

		if (attached)
			r = run_attached(&k, err);
		else
			r = run_detached(&k, err);
		if (r >= 0 && !attached)
			k.status = 0;
	}
	session_fini(&k.session);
	docker_exchange_fini(&k.wait);
	return r < 0 ? joint_complain(call, err, k.status) : k.status;
}

static int create_run(struct cmd_call *call, struct err *err)
{
	const struct run_opts *o = call->opts;
	const char *id;
	int r;

	r = joint_create(call, o, &id, err);
	if (r == 0)
		r = print_id(id, err);
	return r < 0 ? joint_complain(call, err, STATUS_ENGINE) : 0;
}

static const char *const run_names[] = { "container run", NULL };
static const char *const create_names[] = { "container create", NULL };

const struct cmd cmd_run = {
	.path = "run",
	.aliases = run_names,
	.args = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.help = "Create and run a new container from an image",
	.details =
		"Ends with the container's exit status; 125 when the engine failed, 126 when the "
		"program cannot be executed, 127 when it is not there. Without a terminal, "
		"signals HUP, INT, QUIT, USR1, USR2, ALRM, TERM, CONT, WINCH, IO and PWR are "
		"passed on.",
	.opts = run_opts,
	.opts_size = sizeof(struct run_opts),
	.min = 1,
	.max = UINT8_MAX,
	.flags = CMD_OPTS_FIRST | CMD_NEEDS_ENGINE,
	.group = CLI_COMMON,
	.run = run,
};

const struct cmd cmd_create = {
	.path = "create",
	.aliases = create_names,
	.args = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.help = "Create a new container",
	.opts = create_opts,
	.opts_size = sizeof(struct run_opts),
	.min = 1,
	.max = UINT8_MAX,
	.flags = CMD_OPTS_FIRST | CMD_NEEDS_ENGINE,
	.group = CLI_CONTAINERS,
	.run = create_run,
};
