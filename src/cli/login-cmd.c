/* SPDX-License-Identifier: Apache-2.0 */
/* `teu login` and `teu logout`: the engine asks the registry whether credentials are good; they are
 * kept as docker's client keeps them (image/auth-file.h). */
#include "base/arena.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/secret.h"
#include "cli/term.h"
#include "doc/doc.h"
#include "dockerclient/dockerclient.h"
#include "image/auth-file.h"

#include <string.h>
#include <unistd.h>

/* A server as people give it, "" or "https://index.docker.io/v1/" too: a host of image names. */
static const char *host_of(struct cmd_call *call)
{
	const char *text = call->nargs ? call->args[0] : "docker.io", *scheme;
	struct slice rest;

	scheme = strstr(text, "://");
	rest = slice_str(scheme ? scheme + 3 : text);
	rest = slice_split(&rest, '/');
	if (!rest.n || slice_is(rest, "index.docker.io") || slice_is(rest, "registry-1.docker.io"))
		return "docker.io";
	return arena_strndup(call->arena, rest.p, rest.n);
}

/* ---- login ---- */

struct login_opts {
	const char *username, *password;
	bool password_stdin;
};

static const struct opt login_opts[] = {
	OPT(struct login_opts, STR, password, "password", 'p', "Password or token"),
	OPT(struct login_opts, BOOL, password_stdin, "password-stdin", 0,
	    "Read the password from STDIN"),
	OPT(struct login_opts, STR, username, "username", 'u', "User name"), OPT_END
};

static int complete(struct cmd_call *call, struct remote_auth *auth, struct err *err)
{
	const struct login_opts *o = call->opts;
	int r = 0;

	if (o->password && o->password_stdin)
		return err_set(err, ERR_INVALID,
			       "--password and --password-stdin are mutually exclusive");
	if (o->password_stdin && !(o->username && *o->username))
		return err_set(err, ERR_INVALID, "Must provide --username with --password-stdin");
	auth->username = o->username;
	auth->password = o->password;
	if (o->password)
		cli_complain(&(struct err){ .msg = "WARNING! Using --password via the CLI is "
						   "insecure. Use --password-stdin." });
	if (o->password_stdin)
		return secret_read(call->arena, &auth->password, err);
	if (auth->username && auth->password)
		return 0;
	if (!term_is(0))
		return err_set(err, ERR_INVALID,
			       "Cannot perform an interactive login from a non TTY device");
	if (!auth->username)
		r = secret_ask(call->arena, "Username: ", false, &auth->username, err);
	if (r == 0 && !auth->password)
		r = secret_ask(call->arena, "Password: ", true, &auth->password, err);
	return r;
}

static int say(struct cmd_call *call, const char *text, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(8192);

	(void)call;
	buf_addf(&out, "%s\n", text);
	return cli_write(1, &out, err);
}

static int keep(struct cmd_call *call, const char *host, const struct remote_auth *auth,
		struct err *err)
{
	const char *dir, *helper;
	int r;

	r = auth_file_dir(call->arena, &dir, err);
	if (r >= 0)
		r = auth_file_put(dir, host, call->arena, auth, &helper, err);
	if (r < 0)
		return err_wrap(err, "saving the credentials");
	if (!helper)
		cli_complain(&(struct err){ .msg = "WARNING! Your credentials are stored "
						   "unencrypted in config.json. Configure a "
						   "credential helper to remove this warning." });
	return 0;
}

static int login_run(struct cmd_call *call, struct err *err)
{
	struct arena *a = call->arena;
	struct doc *body = doc_new_object(a), *answer = NULL;
	const char *host = host_of(call), *token;
	struct remote_auth auth = { 0 };
	struct docker_client *c;
	int r;

	r = complete(call, &auth, err);
	if (r == 0)
		r = cli_client(call, &c, err);
	if (r < 0)
		return r;
	if (!auth.username || !*auth.username || !*auth.password)
		return err_set(err, ERR_INVALID, "username and password must not be empty");
	doc_set_str(a, body, "username", auth.username);
	doc_set_str(a, body, "password", auth.password);
	doc_set_str(a, body, "serveraddress", host);
	r = docker_post(c, a, "/auth", body, &answer, err);
	if (r < 0)
		return r;
	token = cli_text(a, answer, "IdentityToken");
	if (*token)
		auth.identity_token = token;
	r = keep(call, host, &auth, err);
	return r < 0 ? r : say(call, cli_text(a, answer, "Status"), err);
}

/* ---- logout ---- */

static int logout_run(struct cmd_call *call, struct err *err)
{
	const char *dir, *host = host_of(call);
	int r;

	r = auth_file_dir(call->arena, &dir, err);
	if (r >= 0)
		r = auth_file_remove(dir, host, call->arena, err);
	if (r < 0)
		return r;
	return say(
		call,
		arena_printf(call->arena,
			     r == 1 ? "Not logged in to %s" : "Removing login credentials for %s",
			     host),
		err);
}

const struct cmd cmd_login = {
	.path = "login",
	.args = "[OPTIONS] [SERVER]",
	.help = "Log in to a registry",
	.opts = login_opts,
	.opts_size = sizeof(struct login_opts),
	.max = 1,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_IMAGES,
	.run = login_run,
};

const struct cmd cmd_logout = {
	.path = "logout",
	.args = "[SERVER]",
	.help = "Forget the credentials of a registry",
	.max = 1,
	.group = CLI_IMAGES,
	.run = logout_run,
};
