/* SPDX-License-Identifier: Apache-2.0 */
/* `teu why can`: may somebody do something, which rule says so, or what they lack. */
#include "apiserver/apiserver.h"
#include "base/arena.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/role-socket.h"
#include "doc/doc.h"
#include "io/url.h"

#include <string.h>

#define TEXT_MAX (1u << 20)
#define TARGET_MAX (64u << 10)

struct why_opts {
	const char *ns, *field;
	struct opt_list groups;
	bool all;
};

static const struct opt why_opts[] = {
	OPT(struct why_opts, STR, ns, "namespace", 'n', "Namespace (default: default)"),
	OPT(struct why_opts, BOOL, all, "all-namespaces", 'A', "In all namespaces at once"),
	OPT(struct why_opts, LIST, groups, "group", 'g',
	    "A group that the user is in; those that follow from the name are added"),
	OPT(struct why_opts, STR, field, "field-selector", 0,
	    "What a list is narrowed to: spec.nodeName=n1"),
	OPT_END
};

static void print_list(struct buf *out, const char *what, const struct doc *list)
{
	const char *sep = "";

	if (!doc_len(list))
		return;
	(void)buf_addf(out, "%s%s ", out->p[out->n - 1] == ':' ? " " : "; ", what);
	DOC_EACH (d, list) {
		const struct slice s = doc_slice(d);

		(void)buf_addf(out, "%s%.*s", sep, (int)s.n, s.n ? s.p : "");
		if (!s.n)
			(void)buf_adds(out, "\"\"");
		sep = ",";
	}
}

static void print_rule(struct buf *out, const char *indent, const struct doc *rule)
{
	static const struct {
		const char *key, *word;
	} parts[] = {
		{ "verbs", "verbs" },		{ "resources", "resources" },
		{ "apiGroups", "groups" },	{ "resourceNames", "names" },
		{ "nonResourceURLs", "paths" },
	};

	if (!rule)
		return;
	(void)buf_addf(out, "%srule:", indent);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		print_list(out, parts[i].word, doc_get(rule, parts[i].key));
	(void)buf_addc(out, '\n');
}

static void print_text(struct buf *out, const char *before, const struct doc *text,
		       const char *after)
{
	const struct slice s = doc_slice(text);

	(void)buf_addf(out, "%s%.*s%s", before, (int)s.n, s.n ? s.p : "", after);
}

static void print_missing(struct buf *out, const struct doc *d)
{
	DOC_EACH (n, doc_get(d, "nearest")) {
		print_text(out, "  nearest, lacks the ", doc_get(n, "lacks"), "");
		print_text(out, ": ", doc_get(n, "by"), "\n");
		print_rule(out, "    ", doc_get(n, "rule"));
	}
	if (!doc_len(doc_get(d, "roles")))
		return;
	(void)buf_adds(out, "  a binding to one of these would allow it:\n");
	DOC_EACH (r, doc_get(d, "roles"))
		print_text(out, "    ", r, "\n");
}

static void print(struct buf *out, const struct doc *d)
{
	const bool may = doc_true(doc_get(d, "allowed"));

	print_text(out, may ? "yes: " : "no: ", doc_get(d, "question"), "\n");
	if (doc_slice(doc_get(d, "reason")).n)
		print_text(out, "  ", doc_get(d, "reason"), "\n");
	else if (may)
		print_text(out, "  by ", doc_get(d, "decided"), "\n");
	print_rule(out, "  ", doc_get(d, "rule"));
	if (may)
		return;
	DOC_EACH (z, doc_get(d, "authorizers")) {
		print_text(out, "  ", doc_get(z, "type"), ": ");
		print_text(out, "", doc_get(z, "says"), "");
		if (doc_slice(doc_get(z, "reason")).n)
			print_text(out, ": ", doc_get(z, "reason"), "");
		(void)buf_addc(out, '\n');
	}
	print_missing(out, d);
}

static int make_target(struct cmd_call *call, struct buf *out)
{
	const struct why_opts *o = call->opts;
	const char *ns = o->all ? "" : o->ns ? o->ns : "default";

	(void)buf_adds(out, "/why");
	(void)query_add(out, "user", call->args[0]);
	(void)query_add(out, "verb", call->args[1]);
	(void)query_add(out, "resource", call->args[2]);
	if (call->args[3])
		(void)query_add(out, "name", call->args[3]);
	(void)query_add(out, "namespace", ns);
	if (o->field)
		(void)query_add(out, "field", o->field);
	for (size_t i = 0; i < o->groups.n; i++)
		(void)query_add(out, "group", o->groups.v[i]);
	return out->full ? -1 : 0;
}

static int why_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(buf_fini) struct buf target = BUF_INIT(TARGET_MAX);
	CLEANUP(buf_fini) struct buf out = BUF_INIT(TEXT_MAX);
	const struct why_opts *o = call->opts;
	struct doc *d;
	int r;

	if (o->all && o->ns)
		return err_set(err, ERR_BAD_REQUEST, "--all-namespaces: not with --namespace");
	if (make_target(call, &target) < 0)
		return err_set(err, ERR_TOO_LARGE, "the question is too long");
	r = role_socket_ask(call, APISERVER_SOCKET, "GET", buf_str(&target), &d, err);
	if (r < 0)
		return err_wrap(err, "ask the API server");
	print(&out, d);
	r = cli_write(1, &out, err);
	return r < 0 ? r : doc_true(doc_get(d, "allowed")) ? 0 : 1;
}

const struct cmd cmd_why_can = {
	.path = "why can",
	.args = "[OPTIONS] USER VERB RESOURCE [NAME]",
	.help = "Tell whether a user may do something, and which rule says so",
	.details =
		"Asks the API server that runs with this --run, by its admin socket. RESOURCE is "
		"as kubectl takes it (pods, deploy, deployments.apps, pods/log) or a path "
		"(/metrics). When it is not allowed: what each authorizer says, rules of the "
		"user that lack one thing, and roles that would give it. The exit status is 1 "
		"then.",
	.opts = why_opts,
	.opts_size = sizeof(struct why_opts),
	.group = CLI_SYSTEM,
	.min = 3,
	.max = 4,
	.run = why_run,
};
