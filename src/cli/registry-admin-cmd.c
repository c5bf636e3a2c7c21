/* SPDX-License-Identifier: Apache-2.0 */
/* `teu registry status`, `usage`, `gc` and so on: a running registry is asked by its admin socket.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/human.h"
#include "cli/secret.h"
#include "cli/term.h"
#include "cli/view.h"
#include "crypto/aead.h"
#include "doc/json.h"
#include "io/http-client.h"
#include "io/url.h"

#include <string.h>

#define ANSWER_MAX (64u << 20)
#define ROBOT_SECRET 40 /* hex digits */

struct admin_opts {
	const char *socket, *repository, *format, *expires;
	struct opt_list rules;
	bool dry_run, password_stdin, all, stop;
};

#define OPT_SOCKET                                                                             \
	OPT(struct admin_opts, STR, socket, "admin", 0,                                        \
	    "The registry's admin socket, as it was given to `teu registry --admin` (default " \
	    "<run>/registry.sock)")

static const struct opt plain_opts[] = { OPT_SOCKET, OPT_END };
static const struct opt dry_opts[] = {
	OPT_SOCKET, OPT(struct admin_opts, BOOL, dry_run, "dry-run", 'n', "Only say what would go"),
	OPT_END
};
static const struct opt gc_opts[] = {
	OPT_SOCKET, OPT(struct admin_opts, BOOL, dry_run, "dry-run", 'n', "Only say what would go"),
	OPT(struct admin_opts, BOOL, stop, "stop", 0,
	    "End the one that goes on; the rest is the next one's"),
	OPT_END
};
static const struct opt scrub_opts[] = {
	OPT_SOCKET, OPT(struct admin_opts, BOOL, stop, "stop", 0, "End the one that goes on"),
	OPT_END
};
static const struct opt usage_opts[] = {
	OPT_SOCKET,
	OPT(struct admin_opts, STR, repository, "repository", 'r', "Only those of this pattern"),
	OPT(struct admin_opts, STR, format, "format", 0, "Print as table, json, or by a TEMPLATE"),
	OPT_END
};
static const struct opt list_opts[] = { OPT_SOCKET,
					OPT(struct admin_opts, STR, format, "format", 0,
					    "Print as table, json, or by a TEMPLATE"),
					OPT_END };
static const struct opt user_opts[] = { OPT_SOCKET,
					OPT(struct admin_opts, BOOL, password_stdin,
					    "password-stdin", 0,
					    "Read the password from standard input"),
					OPT_END };
static const struct opt robot_opts[] = {
	OPT_SOCKET,
	OPT(struct admin_opts, STR, expires, "expires", 0,
	    "It ends then: a duration such as 720h, or a time (RFC 3339)"),
	OPT(struct admin_opts, LIST, rules, "allow", 0,
	    "PATTERN:ACTION[,ACTION...] (pull, push, delete), or PATTERN:ROLE (reader, writer, "
	    "maintainer, admin); may repeat; none: as any user"),
	OPT_END
};
static const struct opt revoke_opts[] = {
	OPT_SOCKET, OPT(struct admin_opts, BOOL, all, "all", 'a', "Everybody's tokens"), OPT_END
};

/* ---- asking the registry ---- */

static int fail(const struct http_answer *a, struct err *err)
{
	struct slice text = slice_trim(a->body);
	enum err_code code = a->status == 404	? ERR_NOT_FOUND
			     : a->status == 409 ? ERR_CONFLICT
						: ERR_INVALID;

	while (text.n && text.p[text.n - 1] == '\n')
		text.n--;
	return err_set(err, code, "%.*s", (int)MIN(text.n, 900u), text.p);
}

/* *ret: the answer's JSON, in the call's arena. */
static int ask(struct cmd_call *call, const char *method, const char *target, struct slice body,
	       struct doc **ret, struct err *err)
{
	const struct admin_opts *o = call->opts;
	const char *path =
		o->socket ? o->socket
			  : arena_printf(call->arena, "%s/registry.sock", cli_of(call)->run);
	CLEANUP(http_client_free) struct http_client *c = NULL;
	CLEANUP(http_answer_fini) struct http_answer a = HTTP_ANSWER_INIT;
	struct http_call rq = {
		.method = method, .target = target, .body = body, .body_max = ANSWER_MAX
	};
	struct slice text;
	int r = path ? http_client_new(NULL, arena_printf(call->arena, "unix://%s", path), NULL, &c,
				       err)
		     : arena_quota(call->arena, err);

	if (r >= 0)
		r = http_client_call(c, &rq, &a, err);
	if (r < 0)
		return err_wrap(err, "ask the registry at '%s' (is it running with --admin %s?)",
				path, path);
	if (a.status != 200)
		return fail(&a, err);
	text = slice_of(arena_strndup(call->arena, a.body.p, a.body.n), a.body.n);
	return text.p ? json_read(call->arena, text, NULL, ret, err)
		      : arena_quota(call->arena, err);
}

static const struct slice no_body;

static const char *with_name(struct cmd_call *call, const char *path)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);

	buf_adds(&b, path);
	(void)url_encode(&b, slice_str(call->args[0]), false);
	return arena_strndup(call->arena, buf_str(&b), b.n);
}

static int print_doc(const struct doc *d, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(ANSWER_MAX);
	int r = json_write(d, &(struct json_style){ .indent = "  " }, &b, err);

	buf_adds(&b, "\n");
	return r < 0 ? r : cli_write(1, &b, err);
}

static int ask_and_print(struct cmd_call *call, const char *method, const char *target,
			 struct err *err)
{
	struct doc *d;
	int r = ask(call, method, target, no_body, &d, err);

	return r < 0 ? r : print_doc(d, err);
}

/* ---- rows ---- */

static const char *when(struct arena *a, const struct doc *d, const char *key)
{
	const char *text = cli_text(a, d, key);

	return text[0] ? text : "-";
}

static int usage_row(struct cmd_call *call, const struct doc *d, struct view_print *p,
		     struct err *err)
{
	static const struct {
		const char *field, *key;
		bool bytes;
	} cells[] = {
		{ "Tags", "tags", false },   { "Manifests", "manifests", false },
		{ "Blobs", "blobs", false }, { "Bytes", "bytes", true },
		{ "Own", "ownBytes", true }, { "Shared", "sharedBytes", true },
	};
	struct arena *a = call->arena;
	struct doc *row = doc_new_object(a);
	char size[HUMAN_MAX];

	doc_set_str(a, row, "Repository", cli_text(a, d, "repository"));
	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		int64_t v = cli_int(d, cells[i].key);

		if (cells[i].bytes && p->table)
			doc_set_str(a, row, cells[i].field,
				    arena_strdup(a, human_size(size, (uint64_t)v)));
		else
			doc_set_strf(a, row, cells[i].field, "%lld", (long long)v);
	}
	doc_set_str(a, row, "LastPush", when(a, d, "lastPush"));
	doc_set_str(a, row, "LastPull", when(a, d, "lastPull"));
	return view_row(p, row, err);
}

static const struct view_field usage_fields[] = {
	{ "Repository", "REPOSITORY" }, { "Tags", "TAGS" },	     { "Manifests", "MANIFESTS" },
	{ "Blobs", "BLOBS" },		{ "Bytes", "SIZE" },	     { "Own", "OWN" },
	{ "Shared", "SHARED" },		{ "LastPush", "LAST PUSH" }, { "LastPull", "LAST PULL" },
};
static const struct view usage_view = {
	usage_fields, ARRAY_LEN(usage_fields),
	"{{.Repository}}\t{{.Tags}}\t{{.Manifests}}\t{{.Bytes}}\t{{.Own}}\t{{.Shared}}\t"
	"{{.LastPush}}\t{{.LastPull}}"
};

static int account_row(struct cmd_call *call, const struct doc *d, struct view_print *p,
		       struct err *err)
{
	struct arena *a = call->arena;
	struct doc *row = doc_new_object(a);
	bool expired = doc_true(doc_get(d, "expired"));

	doc_set_str(a, row, "Name", cli_text(a, d, "name"));
	doc_set_str(a, row, "Kind", cli_text(a, d, "kind"));
	doc_set_str(a, row, "From", doc_true(doc_get(d, "managed")) ? "admin" : "configuration");
	doc_set_str(a, row, "Expires",
		    arena_printf(a, "%s%s", when(a, d, "expires"), expired ? " (expired)" : ""));
	doc_set_strf(a, row, "Rules", "%zu", doc_len(doc_get(d, "rules")));
	return view_row(p, row, err);
}

static const struct view_field account_fields[] = { { "Name", "NAME" },
						    { "Kind", "KIND" },
						    { "From", "FROM" },
						    { "Expires", "EXPIRES" },
						    { "Rules", "RULES" } };
static const struct view account_view = {
	account_fields, ARRAY_LEN(account_fields),
	"{{.Name}}\t{{.Kind}}\t{{.From}}\t{{.Expires}}\t{{.Rules}}"
};

/* The list below `key` of what the registry says; "json" is its own words. */
static int list(struct cmd_call *call, const char *target, const char *key, const struct view *v,
		int (*row)(struct cmd_call *call, const struct doc *d, struct view_print *p,
			   struct err *err),
		struct err *err)
{
	const struct admin_opts *o = call->opts;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	struct view_print p;
	struct doc *d;
	int r = ask(call, "GET", target, no_body, &d, err);

	if (r < 0 || (o->format && strcmp(o->format, "json") == 0))
		return r < 0 ? r : print_doc(d, err);
	r = view_begin(&p, call->arena, v, o->format, err);
	if (r < 0)
		return r;
	DOC_EACH (e, doc_get(d, key)) {
		r = r < 0 ? r : row(call, e, &p, err);
	}
	view_end(&p, r < 0 ? NULL : &out);
	return r < 0 ? r : cli_write(1, &out, err);
}

/* ---- commands ---- */

static int status_run(struct cmd_call *call, struct err *err)
{
	return ask_and_print(call, "GET", "/status", err);
}

static int reload_run(struct cmd_call *call, struct err *err)
{
	return ask_and_print(call, "POST", "/reload", err);
}

static int usage_run(struct cmd_call *call, struct err *err)
{
	const struct admin_opts *o = call->opts;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);

	buf_adds(&b, "/usage");
	if (o->repository)
		(void)query_add(&b, "repository", o->repository);
	return list(call, buf_str(&b), "repositories", &usage_view, usage_row, err);
}

static int gc_run(struct cmd_call *call, struct err *err)
{
	const struct admin_opts *o = call->opts;

	if (o->stop && o->dry_run)
		return err_set(err, ERR_BAD_REQUEST, "give either --stop or --dry-run");
	return ask_and_print(call, "POST",
			     o->stop	  ? "/gc?stop=1"
			     : o->dry_run ? "/gc?dry-run=1"
					  : "/gc?wait=1",
			     err);
}

static int scrub_run(struct cmd_call *call, struct err *err)
{
	const struct admin_opts *o = call->opts;

	return ask_and_print(call, "POST", o->stop ? "/scrub?stop=1" : "/scrub", err);
}

static int retention_run(struct cmd_call *call, struct err *err)
{
	const struct admin_opts *o = call->opts;

	return ask_and_print(call, "POST", o->dry_run ? "/retention?dry-run=1" : "/retention", err);
}

static int readonly_run(struct cmd_call *call, struct err *err)
{
	if (strcmp(call->args[0], "on") == 0)
		return ask_and_print(call, "POST", "/read-only", err);
	if (strcmp(call->args[0], "off") == 0)
		return ask_and_print(call, "POST", "/read-write", err);
	return err_set(err, ERR_BAD_REQUEST, "'%s': must be on or off", call->args[0]);
}

static int hash_of(struct cmd_call *call, const char *word, const char **ret, struct err *err)
{
	char hash[PASSWORD_HASH_MAX];
	int r = password_hash(slice_str(word), 0, hash, err);

	*ret = r < 0 ? NULL : arena_strdup(call->arena, hash);
	return r < 0 || *ret ? r : arena_quota(call->arena, err);
}

static int put_account(struct cmd_call *call, const char *path, const char *word, struct doc *d,
		       struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);
	struct doc *answer;
	const char *hash;
	int r = hash_of(call, word, &hash, err);

	if (r < 0)
		return r;
	doc_set_str(call->arena, d, "password", hash);
	r = json_write(d, NULL, &b, err);
	return r < 0 ? r : ask(call, "PUT", with_name(call, path), buf_slice(&b), &answer, err);
}

static int user_add_run(struct cmd_call *call, struct err *err)
{
	const struct admin_opts *o = call->opts;
	const char *word, *again;
	int r;

	if (o->password_stdin) {
		r = secret_read(call->arena, &word, err);
	} else if (!term_is(0)) {
		return err_set(err, ERR_INVALID,
			       "there is no terminal to ask for the password: use "
			       "--password-stdin");
	} else {
		r = secret_ask(call->arena, "Password: ", true, &word, err);
		if (r >= 0)
			r = secret_ask(call->arena, "Again: ", true, &again, err);
		if (r >= 0 && strcmp(word, again) != 0)
			return err_set(err, ERR_INVALID, "they are not the same");
	}
	if (r >= 0 && !word[0])
		return err_set(err, ERR_INVALID, "the password is empty");
	return r < 0 ? r : put_account(call, "/users/", word, doc_new_object(call->arena), err);
}

static int add_rule(struct arena *a, struct doc *list_, const char *text, struct err *err)
{
	const char *colon = strrchr(text, ':');
	struct doc *rule = doc_append_object(a, list_), *words;
	struct slice rest;

	if (!colon || colon == text || !colon[1])
		return err_set(err, ERR_BAD_REQUEST,
			       "--allow %s: must be PATTERN:ACTION[,ACTION...]", text);
	doc_append_str(a, doc_set_array(a, rule, "repositories"),
		       arena_strndup(a, text, (size_t)(colon - text)));
	if (strstr(" reader writer maintainer admin ", arena_printf(a, " %s ", colon + 1))) {
		doc_set_str(a, rule, "role", colon + 1);
		return 0;
	}
	words = doc_set_array(a, rule, "actions");
	rest = slice_str(colon + 1);
	while (rest.p) {
		struct slice word = slice_split(&rest, ',');

		doc_append_str(a, words, arena_strndup(a, word.p, word.n));
	}
	return 0;
}

static int set_expiry(struct arena *a, struct doc *d, const char *text, struct err *err)
{
	char stamp[CLOCK_TEXT_MAX];
	int64_t at;

	if (clock_parse_duration(slice_str(text), &at, NULL) >= 0)
		at += clock_real();
	else if (clock_parse_rfc3339(slice_str(text), &at, err) < 0)
		return err_wrap(err, "--expires %s", text);
	if (at <= clock_real())
		return err_set(err, ERR_BAD_REQUEST, "--expires %s: is over already", text);
	doc_set_str(a, d, "expires", clock_rfc3339nano(stamp, at / NS_PER_SEC * NS_PER_SEC));
	return 0;
}

/* Its secret is made here, printed once, and kept nowhere. */
static int robot_add_run(struct cmd_call *call, struct err *err)
{
	const struct admin_opts *o = call->opts;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(256);
	struct doc *d = doc_new_object(call->arena),
		   *rules = o->rules.n ? doc_set_array(call->arena, d, "rules") : NULL;
	char secret[ROBOT_SECRET + 1];
	int r = o->expires ? set_expiry(call->arena, d, o->expires, err) : 0;

	for (size_t i = 0; i < o->rules.n && r >= 0; i++)
		r = add_rule(call->arena, rules, o->rules.v[i], err);
	if (r < 0)
		return r;
	random_hex(secret, ROBOT_SECRET);
	r = put_account(call, "/robots/", secret, d, err);
	if (r < 0)
		return r;
	buf_addf(&out, "%s\n", secret);
	return cli_write(1, &out, err);
}

static int account_ls_run(struct cmd_call *call, struct err *err)
{
	return list(call, "/accounts", "accounts", &account_view, account_row, err);
}

static int account_rm_run(struct cmd_call *call, struct err *err)
{
	struct doc *d;

	return ask(call, "DELETE", with_name(call, "/accounts/"), no_body, &d, err);
}

static int revoke_run(struct cmd_call *call, struct err *err)
{
	const struct admin_opts *o = call->opts;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	struct doc *d;

	if (o->all == (call->nargs > 0))
		return err_set(err, ERR_BAD_REQUEST, "give either a NAME or --all");
	buf_adds(&b, "/tokens/revoke");
	(void)query_add(&b, o->all ? "all" : "user", o->all ? "1" : call->args[0]);
	return ask(call, "POST", buf_str(&b), no_body, &d, err);
}

#define COMMAND(id, path_, args_, help_, opts_, min_, max_, run_) \
	const struct cmd cmd_registry_##id = {                    \
		.path = "registry " path_,                        \
		.args = args_,                                    \
		.help = help_,                                    \
		.opts = opts_,                                    \
		.opts_size = sizeof(struct admin_opts),           \
		.min = min_,                                      \
		.max = max_,                                      \
		.group = CLI_SYSTEM,                              \
		.run = run_,                                      \
	}

COMMAND(status, "status", "[OPTIONS]", "Show the state of a running registry", plain_opts, 0, 0,
	status_run);
COMMAND(usage, "usage", "[OPTIONS]", "Show what repositories of a registry have", usage_opts, 0, 0,
	usage_run);
COMMAND(gc, "gc", "[OPTIONS]", "Collect a registry's garbage now", gc_opts, 0, 0, gc_run);
COMMAND(scrub, "scrub", "[OPTIONS]", "Hash all of a registry's blobs again, in the background",
	scrub_opts, 0, 0, scrub_run);
COMMAND(retention, "retention", "[OPTIONS]", "Apply a registry's retention rules now", dry_opts, 0,
	0, retention_run);
COMMAND(readonly, "readonly", "[OPTIONS] on|off", "Refuse pushes and deletes, or take them again",
	plain_opts, 1, 1, readonly_run);
COMMAND(reload, "reload", "[OPTIONS]", "Read certificates, users and configuration anew",
	plain_opts, 0, 0, reload_run);
COMMAND(user_add, "user add", "[OPTIONS] NAME", "Add a user to a registry, or change the password",
	user_opts, 1, 1, user_add_run);
COMMAND(user_ls, "user ls", "[OPTIONS]", "List users and robots of a registry", list_opts, 0, 0,
	account_ls_run);
COMMAND(user_rm, "user rm", "[OPTIONS] NAME", "Remove a user from a registry, and its tokens",
	plain_opts, 1, 1, account_rm_run);
COMMAND(robot_add, "robot add", "[OPTIONS] NAME", "Add a robot account and print its secret",
	robot_opts, 1, 1, robot_add_run);
COMMAND(robot_rm, "robot rm", "[OPTIONS] NAME", "Remove a robot account, and its tokens",
	plain_opts, 1, 1, account_rm_run);
COMMAND(token_revoke, "token revoke", "[OPTIONS] [NAME]",
	"End all tokens that were made for an account", revoke_opts, 0, 1, revoke_run);
