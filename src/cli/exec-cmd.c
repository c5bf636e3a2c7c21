/* SPDX-License-Identifier: Apache-2.0 */
/* `teu exec`: create, start with the streams joined, then the exit status. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/joint.h"
#include "cli/run-opts.h"
#include "cli/session.h"
#include "doc/doc.h"

struct exec_opts {
	bool detach, interactive, privileged, tty;
	const char *detach_keys, *user, *workdir;
	struct opt_list env, env_file;
};

static const struct opt exec_opts[] = {
	OPT(struct exec_opts, BOOL, detach, "detach", 'd', "Run the command in the background"),
	OPT(struct exec_opts, STR, detach_keys, "detach-keys", 0,
	    "Keys that detach (ctrl-p,ctrl-q)"),
	OPT(struct exec_opts, LIST, env, "env", 'e',
	    "Set environment variables (K=V, or K from here)"),
	OPT(struct exec_opts, LIST, env_file, "env-file", 0,
	    "Read environment variables from a file"),
	OPT(struct exec_opts, BOOL, interactive, "interactive", 'i', "Keep STDIN open"),
	OPT(struct exec_opts, BOOL, privileged, "privileged", 0, "Give all rights to the command"),
	OPT(struct exec_opts, BOOL, tty, "tty", 't', "Give the command a terminal"),
	OPT(struct exec_opts, STR, user, "user", 'u', "User (name|uid[:group|gid])"),
	OPT(struct exec_opts, STR, workdir, "workdir", 'w', "Working directory of the command"),
	OPT_END
};

static int put_env(struct arena *a, const struct exec_opts *o, struct doc *body, struct err *err)
{
	struct doc *env;
	int r = 0;

	if (!o->env.n && !o->env_file.n)
		return 0;
	env = doc_set_array(a, body, "Env");
	for (size_t i = 0; i < o->env_file.n && r == 0; i++)
		r = run_env_file(a, o->env_file.v[i], env, err);
	for (size_t i = 0; i < o->env.n && r == 0; i++)
		r = run_env_add(a, env, o->env.v[i], err);
	return r;
}

static void put_console(struct arena *a, const struct exec_opts *o, struct doc *body)
{
	unsigned rows, cols;
	struct doc *size;

	if (!o->tty || !term_size(1, &rows, &cols))
		return;
	size = doc_set_array(a, body, "ConsoleSize");
	doc_append(a, size, doc_int(a, rows));
	doc_append(a, size, doc_int(a, cols));
}

static int create_body(struct cmd_call *call, struct doc **ret, struct err *err)
{
	const struct exec_opts *o = call->opts;
	struct arena *a = call->arena;
	struct doc *body = doc_new_object(a), *cmd;

	if (o->user)
		doc_set_str(a, body, "User", o->user);
	if (o->workdir)
		doc_set_str(a, body, "WorkingDir", o->workdir);
	if (o->detach_keys)
		doc_set_str(a, body, "DetachKeys", o->detach_keys);
	doc_set_bool(a, body, "Privileged", o->privileged);
	doc_set_bool(a, body, "Tty", o->tty);
	doc_set_bool(a, body, "AttachStdin", o->interactive && !o->detach);
	doc_set_bool(a, body, "AttachStdout", !o->detach);
	doc_set_bool(a, body, "AttachStderr", !o->detach);
	put_console(a, o, body);
	cmd = doc_set_array(a, body, "Cmd");
	for (size_t i = 1; i < call->nargs; i++)
		doc_append_str(a, cmd, call->args[i]);
	*ret = body;
	return put_env(a, o, body, err);
}

/* ---- the exit status ---- */

/* The end of one exec among the engine's events. */
struct exec_end {
	struct docker_exchange x;
	struct docker_messages messages;
	const char *id;
	struct err err;
	bool found;
	int status;
};

static int on_event(void *arg, const struct doc *e, struct slice line, struct err *err)
{
	struct exec_end *k = arg;
	const struct doc *attrs = doc_find(e, "Actor.Attributes");
	int64_t status = 0;

	(void)line;
	if (!doc_str_is(doc_get(attrs, "execID"), k->id))
		return 0;
	if (str_int64(doc_slice(doc_get(attrs, "exitCode")), &status, err) < 0)
		return err_wrap(err, "event exec_die: exitCode");
	k->status = (int)status;
	k->found = true;
	return 0;
}

static void on_event_bytes(struct docker_exchange *x, struct slice bytes)
{
	struct exec_end *k = CONTAINER_OF(x, struct exec_end, x);

	(void)docker_messages_feed(&k->messages, bytes, on_event, k, &k->err);
	docker_exchange_credit(x, bytes.n);
}

/*
 * The streams may end before the engine has the exit (the shim serves them, not the engine), or the
 * program closed them and goes on. The event tells when it is there; `since` covers the time before
 * we asked.
 */
static int wait_event(struct docker_client *c, struct arena *a, const char *id, int64_t since,
		      struct err *err)
{
	struct exec_end k = { .x.data = on_event_bytes,
			      .messages = DOCKER_MESSAGES_INIT,
			      .id = id };
	const char *from = arena_printf(a, "%lld.%09lld", (long long)(since / NS_PER_SEC),
					(long long)(since % NS_PER_SEC));
	int r;

	r = docker_exchange_start(c, &k.x, "GET",
				  docker_target(a, "/events", "since", from, "filters",
						"{\"event\":{\"exec_die\":true}}", NULL),
				  NULL, false, err);
	while (r >= 0 && !k.found && !k.err.code && !k.x.finished)
		r = loop_step(docker_client_loop(c), -1, err);
	if (r >= 0 && !k.found) {
		*err = k.err.code ? k.err : k.x.err;
		if (!err->code)
			(void)err_set(err, ERR_UNAVAILABLE, "the engine's events ended");
		r = err_wrap(err, "wait for the command's end");
	}
	docker_exchange_fini(&k.x);
	docker_messages_fini(&k.messages);
	return r < 0 ? r : k.status;
}

static int exec_status(struct docker_client *c, struct arena *a, const char *id, int64_t since,
		       struct err *err)
{
	struct doc *info;
	int r = docker_get(c, a, docker_target(a, "/exec/%/json", id, NULL), &info, err);

	if (r < 0)
		return r;
	if (doc_true(doc_get(info, "Running")))
		return wait_event(c, a, id, since, err);
	return (int)cli_int(info, "ExitCode");
}

static int run_joined(struct cmd_call *call, struct docker_client *c, const char *id,
		      const struct doc *body, struct err *err)
{
	CLEANUP(session_fini) struct session s = SESSION_INIT;
	const struct exec_opts *o = call->opts;
	int64_t since = clock_real() - NS_PER_SEC;
	int r;

	s.client = c;
	s.tty = o->tty;
	s.in = o->interactive;
	s.out = s.err = true;
	s.detach_keys = o->detach_keys;
	s.resize_target = docker_target(call->arena, "/exec/%/resize", id, NULL);
	r = session_open(&s, docker_target(call->arena, "/exec/%/start", id, NULL), body, err);
	if (r < 0)
		return r;
	session_resize(&s);
	r = session_run(&s, err);
	if (r == 1) /* detached */
		return 0;
	return r < 0 ? r : exec_status(c, call->arena, id, since, err);
}

static int exec(struct cmd_call *call, struct err *err)
{
	const struct exec_opts *o = call->opts;
	struct arena *a = call->arena;
	struct doc *body, *answer, *start = doc_new_object(a);
	struct docker_client *c;
	const char *id;
	int r;

	if (o->tty && o->interactive && !o->detach && !term_is(0))
		return err_set(err, ERR_INVALID, "the input device is not a TTY");
	r = create_body(call, &body, err);
	if (r == 0)
		r = cli_client(call, &c, err);
	if (r == 0)
		r = docker_post(c, a, docker_target(a, "/containers/%/exec", call->args[0], NULL),
				body, &answer, err);
	if (r < 0)
		return r;
	id = doc_cstr(a, doc_get(answer, "Id"));
	if (!id)
		return err_set(err, ERR_SYSTEM, "the engine's answer to exec has no Id");
	doc_set_bool(a, start, "Detach", o->detach);
	doc_set_bool(a, start, "Tty", o->tty);
	put_console(a, o, start);
	if (!o->detach)
		return run_joined(call, c, id, start, err);
	r = docker_post(c, a, docker_target(a, "/exec/%/start", id, NULL), start, NULL, err);
	return r < 0 ? r : 0;
}

static int exec_run(struct cmd_call *call, struct err *err)
{
	int r = exec(call, err);

	if (r >= 0)
		return r;
	/* The statuses of run for a program that is not there or cannot run; else docker's 1. */
	cli_complain(err);
	r = joint_start_status(err);
	return r == STATUS_ENGINE ? 1 : r;
}

static const char *const names[] = { "container exec", NULL };

const struct cmd cmd_exec = {
	.path = "exec",
	.aliases = names,
	.args = "[OPTIONS] CONTAINER COMMAND [ARG...]",
	.help = "Run a command in a running container",
	.opts = exec_opts,
	.opts_size = sizeof(struct exec_opts),
	.min = 2,
	.max = UINT8_MAX,
	.flags = CMD_OPTS_FIRST | CMD_NEEDS_ENGINE,
	.group = CLI_COMMON,
	.run = exec_run,
};
