/* SPDX-License-Identifier: Apache-2.0 */
/* `teu registry webhook` and `teu registry replication`: what a running registry does with others,
 * by its admin socket. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "doc/json.h"
#include "io/http-client.h"
#include "io/url.h"

#include <stdio.h>
#include <string.h>

struct admin_opts {
	const char *admin;
};

static const struct opt admin_opts[] = {
	OPT(struct admin_opts, STR, admin, "admin", 0,
	    "The registry's admin socket (default <run>/registry.sock)"),
	OPT_END
};

static int ask(struct cmd_call *call, const char *method, const char *target,
	       struct http_answer *ret, struct err *err)
{
	const struct admin_opts *o = call->opts;
	CLEANUP(buf_fini) struct buf address = BUF_INIT(4096);
	CLEANUP(http_client_free) struct http_client *c = NULL;
	const struct http_call rq = { .method = method,
				      .target = target,
				      .time = 330 * NS_PER_SEC };
	int r;

	(void)buf_addf(&address, "unix://%s%s", o->admin ? o->admin : cli_of(call)->run,
		       o->admin ? "" : "/registry.sock");
	r = http_client_new(NULL, buf_str(&address), NULL, &c, err);
	if (r >= 0)
		r = http_client_call(c, &rq, ret, err);
	if (r < 0)
		return err_wrap(err, "ask the registry at '%s' (is it running with --admin?)",
				buf_str(&address));
	if (ret->status != 200)
		return err_set(err, ret->status == 404 ? ERR_NOT_FOUND : ERR_INVALID,
			       "the registry answers %d: %.*s", ret->status,
			       (int)MIN(ret->body.n, 400u), ret->body.p ? ret->body.p : "");
	return 0;
}

/* ---- what it prints ---- */

static void print_text(struct arena *a, const struct doc *d, const char *key)
{
	const char *s = doc_cstr(a, doc_get(d, key));

	if (s)
		(void)printf("  %s: %s\n", key, s);
}

static void print_queue(struct arena *a, const struct doc *d)
{
	static const char *const numbers[] = { "waiting", "running", "dead",
					       "lost",	  "done",    "failed" };
	const char *name = doc_cstr(a, doc_get(d, "name"));

	(void)printf("%s\n", name ? name : "");
	print_text(a, d, "mode");
	print_text(a, d, "url");
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		int64_t n = 0;

		(void)doc_int64(doc_get(d, numbers[i]), &n);
		(void)printf("  %s: %lld\n", numbers[i], (long long)n);
	}
	print_text(a, d, "lastDone");
	print_text(a, d, "lastError");
	DOC_EACH (it, doc_get(d, "deadLetters")) {
		const char *repo = doc_cstr(a, doc_get(it, "repository"));
		const char *why = doc_cstr(a, doc_get(it, "error"));

		(void)printf("  dead letter: %s: %s\n", repo ? repo : "", why ? why : "");
	}
}

static int print_status(struct cmd_call *call, const char *kind, struct slice body, struct err *err)
{
	const char *only = call->nargs > 1 ? call->args[1] : NULL;
	struct doc *d;
	bool found = !only;

	if (json_read(call->arena, body, NULL, &d, err) < 0)
		return err_wrap(err, "the registry's answer");
	DOC_EACH (it, doc_get(d, kind)) {
		const char *name = doc_cstr(call->arena, doc_get(it, "name"));

		if (only && (!name || strcmp(name, only) != 0))
			continue;
		print_queue(call->arena, it);
		found = true;
	}
	return found ? 0 : err_set(err, ERR_NOT_FOUND, "there is no '%s'", only);
}

static int print_test(struct cmd_call *call, struct slice body, struct err *err)
{
	const char *why;
	struct doc *d;
	int64_t status = 0;
	bool ok;

	if (json_read(call->arena, body, NULL, &d, err) < 0)
		return err_wrap(err, "the registry's answer");
	(void)doc_int64(doc_get(d, "status"), &status);
	why = doc_cstr(call->arena, doc_get(d, "error"));
	ok = doc_true(doc_get(d, "delivered"));
	if (!ok)
		return err_set(err, ERR_UNAVAILABLE, "not delivered: %s", why ? why : "no answer");
	(void)printf("delivered: %lld\n", (long long)status);
	return 0;
}

/* ---- the commands ---- */

static int run_verb(struct cmd_call *call, const char *kind, const char *const *verbs,
		    struct err *err)
{
	CLEANUP(http_answer_fini) struct http_answer answer = HTTP_ANSWER_INIT;
	CLEANUP(buf_fini) struct buf target = BUF_INIT(4096);
	const char *verb = call->args[0];
	bool status = strcmp(verb, "status") == 0, test = strcmp(verb, "test") == 0;
	int r;

	if (!str_is_one_of(verb, verbs))
		return err_set(err, ERR_BAD_REQUEST, "'%s' is none of the verbs; see --help", verb);
	if (test && call->nargs < 2)
		return err_set(err, ERR_BAD_REQUEST, "test: needs the webhook's name");
	(void)buf_addf(&target, status ? "/outward" : "/%s/%s", kind, verb);
	if (!status && call->nargs > 1)
		(void)query_add(&target, "name", call->args[1]);
	r = ask(call, status ? "GET" : "POST", buf_str(&target), &answer, err);
	if (r < 0)
		return r;
	return test ? print_test(call, answer.body, err)
		    : print_status(call, kind, answer.body, err);
}

static int webhook_run(struct cmd_call *call, struct err *err)
{
	static const char *const verbs[] = { "status", "test", "retry", "drop", NULL };

	return run_verb(call, "webhooks", verbs, err);
}

static int replication_run(struct cmd_call *call, struct err *err)
{
	static const char *const verbs[] = { "status", "run", "retry", "drop", NULL };

	return run_verb(call, "replication", verbs, err);
}

const struct cmd cmd_registry_webhook = {
	.path = "registry webhook",
	.args = "status|test|retry|drop [NAME]",
	.help = "See and steer a registry's webhooks",
	.details = "status: what waits, runs, died. test NAME: sends one event now and tells the "
		   "answer. retry: dead letters live again, what waits is due. drop: dead letters "
		   "go. Without NAME all webhooks.",
	.opts = admin_opts,
	.opts_size = sizeof(struct admin_opts),
	.group = CLI_SYSTEM,
	.min = 1,
	.max = 2,
	.run = webhook_run,
};

const struct cmd cmd_registry_replication = {
	.path = "registry replication",
	.args = "status|run|retry|drop [NAME]",
	.help = "See and steer a registry's replication",
	.details = "status: what waits, runs, died. run: what waits is due, and upstreams of pull "
		   "rules are looked at. retry: dead letters live again. drop: dead letters go. "
		   "Without NAME all rules.",
	.opts = admin_opts,
	.opts_size = sizeof(struct admin_opts),
	.group = CLI_SYSTEM,
	.min = 1,
	.max = 2,
	.run = replication_run,
};
