/* SPDX-License-Identifier: Apache-2.0 */
/* `teu attach` and `teu start`: joining the streams of a container that exists. */
#include "base/arena.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/joint.h"
#include "cli/session.h"
#include "doc/doc.h"

struct joining {
	struct cmd_call *call;
	struct docker_client *client;
	struct arena *a;
	struct doc *info; /* inspect */
	const char *id;
	struct session session;
	struct docker_exchange wait;
};

static int look_up(struct joining *k, const char *ref, struct err *err)
{
	int r;

	r = cli_client(k->call, &k->client, err);
	if (r == 0)
		r = docker_get(k->client, k->a,
			       docker_target(k->a, "/containers/%/json", ref, NULL), &k->info, err);
	if (r < 0)
		return r;
	k->id = doc_cstr(k->a, doc_get(k->info, "Id"));
	return k->id ? 0 : err_set(err, ERR_SYSTEM, "the engine's answer to inspect has no Id");
}

/* stdin: asked for; it is joined only if the container has one. */
static int open_streams(struct joining *k, bool in, const char *condition, const char *keys,
			struct err *err)
{
	struct session *s = &k->session;
	int r;

	s->client = k->client;
	s->tty = doc_true(doc_find(k->info, "Config.Tty"));
	s->in = in && doc_true(doc_find(k->info, "Config.OpenStdin"));
	s->out = s->err = true;
	s->detach_keys = keys;
	s->resize_target = docker_target(k->a, "/containers/%/resize", k->id, NULL);
	s->kill_target = docker_target(k->a, "/containers/%/kill", k->id, NULL);
	if (s->tty && s->in && !term_is(0))
		return err_set(err, ERR_INVALID, "the input device is not a TTY");
	r = joint_wait_begin(k->client, &k->wait, k->a, k->id, condition, err);
	if (r == 0)
		r = session_open(s,
				 docker_target(k->a, "/containers/%/attach", k->id, "stream", "1",
					       "stdin", s->in ? "1" : NULL, "stdout", "1", "stderr",
					       "1", "detachKeys", keys, NULL),
				 NULL, err);
	if (r == 0)
		r = docker_exchange_wait_head(&k->wait, err);
	return r;
}

/* The streams to their end, then the exit status. */
static int join(struct joining *k, struct err *err)
{
	int status = 0, r;

	session_resize(&k->session);
	r = session_run(&k->session, err);
	if (r == 1) /* detached */
		return 0;
	if (r == 0)
		r = joint_wait_end(&k->wait, k->a, &status, err);
	return r < 0 ? r : status;
}

static void joining_fini(struct joining *k)
{
	session_fini(&k->session);
	docker_exchange_fini(&k->wait);
}

/* ---- attach ---- */

struct attach_opts {
	const char *detach_keys;
	bool no_stdin, sig_proxy, has_sig_proxy;
};

static const struct opt attach_opts[] = {
	OPT(struct attach_opts, STR, detach_keys, "detach-keys", 0,
	    "Keys that detach (ctrl-p,ctrl-q)"),
	OPT(struct attach_opts, BOOL, no_stdin, "no-stdin", 0, "Do not attach STDIN"),
	OPT_SEEN_AT(struct attach_opts, BOOL, sig_proxy, has_sig_proxy, "sig-proxy", 0,
		    "Pass signals on to the container (true; without a terminal)"),
	OPT_END
};

static int check_running(const struct doc *info, struct err *err)
{
	if (!doc_true(doc_find(info, "State.Running")))
		return err_set(err, ERR_CONFLICT,
			       "You cannot attach to a stopped container, start it first");
	if (doc_true(doc_find(info, "State.Paused")))
		return err_set(err, ERR_CONFLICT,
			       "You cannot attach to a paused container, unpause it first");
	if (doc_true(doc_find(info, "State.Restarting")))
		return err_set(err, ERR_CONFLICT,
			       "You cannot attach to a restarting container, wait until it is "
			       "running");
	return 0;
}

static int attach_run(struct cmd_call *call, struct err *err)
{
	const struct attach_opts *o = call->opts;
	struct joining k = { .call = call, .a = call->arena, .session = SESSION_INIT };
	int r;

	r = look_up(&k, call->args[0], err);
	if (r == 0)
		r = check_running(k.info, err);
	if (r == 0) {
		k.session.sig_proxy = (!o->has_sig_proxy || o->sig_proxy) &&
				      !doc_true(doc_find(k.info, "Config.Tty"));
		r = open_streams(&k, !o->no_stdin, "not-running", o->detach_keys, err);
	}
	if (r == 0)
		r = join(&k, err);
	joining_fini(&k);
	return r;
}

/* ---- start ---- */

struct start_opts {
	bool attach, interactive;
	const char *detach_keys;
};

static const struct opt start_opts[] = {
	OPT(struct start_opts, BOOL, attach, "attach", 'a', "Attach STDOUT and STDERR"),
	OPT_NOT_SUPPORTED(STR, "checkpoint", 0, "checkpoints are not supported yet"),
	OPT_NOT_SUPPORTED(STR, "checkpoint-dir", 0, "checkpoints are not supported yet"),
	OPT(struct start_opts, STR, detach_keys, "detach-keys", 0,
	    "Keys that detach (ctrl-p,ctrl-q)"),
	OPT(struct start_opts, BOOL, interactive, "interactive", 'i', "Attach STDIN"),
	OPT_END
};

static int start_one(struct cmd_call *call, const char *id, struct err *err)
{
	struct docker_client *c;
	int r;

	r = cli_client(call, &c, err);
	if (r == 0)
		r = docker_post(c, call->arena,
				docker_target(call->arena, "/containers/%/start", id, NULL), NULL,
				NULL, err);
	return r < 0 ? r : 0;
}

static int start_joined(struct cmd_call *call, struct err *err)
{
	const struct start_opts *o = call->opts;
	struct joining k = { .call = call, .a = call->arena, .session = SESSION_INIT };
	bool rm;
	int r;

	r = look_up(&k, call->args[0], err);
	if (r == 0) {
		k.session.sig_proxy = !doc_true(doc_find(k.info, "Config.Tty"));
		rm = doc_true(doc_find(k.info, "HostConfig.AutoRemove"));
		r = open_streams(&k, o->interactive, rm ? "removed" : "next-exit", o->detach_keys,
				 err);
	}
	if (r == 0)
		r = start_one(call, k.id, err);
	if (r == 0)
		r = join(&k, err);
	joining_fini(&k);
	return r;
}

static int start_run(struct cmd_call *call, struct err *err)
{
	const struct start_opts *o = call->opts;

	if (!o->attach && !o->interactive)
		return cli_each(call, true, start_one);
	if (call->nargs > 1)
		return err_set(err, ERR_INVALID,
			       "you cannot start and attach multiple containers at once");
	return start_joined(call, err);
}

static const char *const attach_names[] = { "container attach", NULL };
static const char *const start_names[] = { "container start", NULL };

const struct cmd cmd_attach = {
	.path = "attach",
	.aliases = attach_names,
	.args = "[OPTIONS] CONTAINER",
	.help = "Attach to a running container",
	.opts = attach_opts,
	.opts_size = sizeof(struct attach_opts),
	.min = 1,
	.max = 1,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_COMMON,
	.run = attach_run,
};

const struct cmd cmd_start = {
	.path = "start",
	.aliases = start_names,
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.help = "Start stopped containers",
	.opts = start_opts,
	.opts_size = sizeof(struct start_opts),
	.min = 1,
	.max = UINT8_MAX,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_CONTAINERS,
	.run = start_run,
};
