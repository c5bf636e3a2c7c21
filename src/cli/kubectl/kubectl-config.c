/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl config`: what a kubeconfig says, and choosing and removing what is in it. */
#include "cli/kubectl/kubectl.h"

#include "base/arena.h"
#include "base/err.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "doc/doc.h"

static const struct kubeconfig_words {
	const char *list, *one, *path;
} words[] = {
	[KUBECONFIG_CLUSTER] = { "clusters", "cluster", "config delete-cluster" },
	[KUBECONFIG_USER] = { "users", "user", "config delete-user" },
	[KUBECONFIG_CONTEXT] = { "contexts", "context", "config delete-context" },
};

/* Go's %v of the arguments. */
static int wrong_args(struct cmd_call *call, const char *what, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);

	for (size_t i = 0; i < call->nargs; i++)
		buf_addf(&b, "%s%s", i ? " " : "", call->args[i]);
	return err_set(err, ERR_BAD_REQUEST, "%s: [%s]", what, buf_str(&b));
}

/* ---- view ---- */

struct view_opts {
	const char *output, *template;
	bool flatten, merge, merge_given, minify, raw, managed, missing_ok, missing_given;
};
static const struct opt view_opts[] = {
	OPT(struct view_opts, BOOL, flatten, "flatten", 0, "Put files that it names into it"),
	OPT_SEEN_AT(struct view_opts, BOOL, merge, merge_given, "merge", 0,
		    "Put the files together (default true)"),
	OPT(struct view_opts, BOOL, minify, "minify", 0, "Only what the current context uses"),
	OPT(struct view_opts, BOOL, raw, "raw", 0, "With keys, tokens and passwords"),
	OPT(struct view_opts, STR, output, "output", 'o',
	    "yaml (default), json, name, jsonpath=..., jsonpath-file=..., custom-columns=..."),
	OPT(struct view_opts, STR, template, "template", 0, "Template of -o jsonpath"),
	OPT(struct view_opts, BOOL, managed, "show-managed-fields", 0,
	    "Keep managedFields; a kubeconfig has none"),
	OPT_SEEN_AT(struct view_opts, BOOL, missing_ok, missing_given,
		    "allow-missing-template-keys", 0,
		    "What is not there is nothing in templates (default true)"),
	OPT_END
};

static int keep_one(struct arena *a, struct doc *config, enum kubeconfig_part part,
		    struct slice name, struct err *err)
{
	struct doc *list = doc_get(config, words[part].list), *kept = doc_new_array(a);

	DOC_EACH (e, list)
		if (slice_eq(doc_slice(doc_get(e, "name")), name))
			doc_append(a, kept, *e);
	if (name.n && !doc_len(kept))
		return err_set(err, ERR_NOT_FOUND, "cannot locate %s %.*s", words[part].one,
			       (int)name.n, name.p);
	if (kept)
		*list = *kept;
	return 0;
}

static int minify(struct kubectl *k, struct doc *config, struct err *err)
{
	struct slice context =
		k->flags.context ? slice_str(k->flags.context) : kubeconfig_current(config);
	struct doc *c = kubeconfig_get(config, KUBECONFIG_CONTEXT, context);
	int r;

	if (!context.n)
		return err_set(err, ERR_NOT_FOUND, "current-context must exist in order to minify");
	if (!c)
		return err_set(err, ERR_NOT_FOUND, "cannot locate context %.*s", (int)context.n,
			       context.p);
	doc_set_strn(k->arena, config, "current-context", context.p, context.n);
	r = keep_one(k->arena, config, KUBECONFIG_CLUSTER, doc_slice(doc_get(c, "cluster")), err);
	if (r == 0)
		r = keep_one(k->arena, config, KUBECONFIG_USER, doc_slice(doc_get(c, "user")), err);
	return r == 0 ? keep_one(k->arena, config, KUBECONFIG_CONTEXT, context, err) : r;
}

static void redact(struct arena *a, struct doc *config)
{
	for (int part = 0; part < KUBECONFIG_PARTS; part++)
		DOC_EACH (e, doc_get(config, words[part].list)) {
			struct doc *d = doc_get(e, words[part].one);

			for (const struct kubeconfig_field *f =
				     kubeconfig_fields((enum kubeconfig_part)part);
			     f->name; f++)
				if (f->type == KUBECONFIG_BYTES && doc_get(d, f->name))
					doc_set_str(a, d, f->name, "DATA+OMITTED");
			if (doc_get(d, "token"))
				doc_set_str(a, d, "token", "REDACTED");
			if (doc_get(d, "password"))
				doc_set_str(a, d, "password", "REDACTED");
		}
}

static int view_run(struct cmd_call *call, struct err *err)
{
	const struct view_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct kubectl_print p;
	struct doc *config;
	int r = kubectl_no_args(call, err);

	if (r == 0 && o->merge_given && !o->merge && !k->flags.kubeconfig)
		return err_set(err, ERR_UNSUPPORTED,
			       "if merge==false a precise file must be specified");
	if (r == 0)
		r = kubectl_print_init(&p, k, kubectl_output_or(o->output, o->template, "yaml"),
				       o->template, err);
	if (r == 0)
		r = kubectl_config(k, err);
	if (r < 0)
		return r;
	p.missing_ok = !o->missing_given || o->missing_ok;
	config = doc_copy(k->arena, k->config.merged);
	if (!config)
		return arena_quota(k->arena, err);
	if (o->minify)
		r = minify(k, config, err);
	if (r == 0 && o->flatten)
		r = kubectl_flatten(k, config, err);
	if (r == 0 && !o->raw && !o->flatten)
		redact(k->arena, config);
	if (r == 0 && p.form == PRINT_NAME)
		buf_adds(&k->out, "config/<unknown>\n");
	else if (r == 0)
		r = kubectl_print_plain(&p, kubeconfig_shown(k->arena, config), err);
	return r;
}

const struct cmd kubectl_config_view = {
	.path = "config view",
	.args = "[OPTIONS]",
	.help = "Print the kubeconfig, without secrets",
	.opts = view_opts,
	.opts_size = sizeof(struct view_opts),
	.max = UINT8_MAX,
	.run = view_run,
};

/* ---- lists ---- */

struct contexts_opts {
	const char *output;
	bool no_headers;
};
static const struct opt contexts_opts[] = {
	OPT(struct contexts_opts, BOOL, no_headers, "no-headers", 0, "No line of headings"),
	OPT(struct contexts_opts, STR, output, "output", 'o', "name"), OPT_END
};

static void context_row(struct kubectl *k, const struct doc *entry, const char **row)
{
	const struct doc *c = doc_get(entry, "context");

	row[0] = slice_eq(doc_slice(doc_get(entry, "name")), kubeconfig_current(k->config.merged))
			 ? "*"
			 : "";
	row[1] = kubectl_text(k, entry, "name");
	row[2] = kubectl_text(k, c, "cluster");
	row[3] = kubectl_text(k, c, "user");
	row[4] = kubectl_text(k, c, "namespace");
}

static bool named(struct cmd_call *call, const struct doc *entry)
{
	for (size_t i = 0; i < call->nargs; i++)
		if (doc_str_is(doc_get(entry, "name"), call->args[i]))
			return true;
	return !call->nargs;
}

static int contexts_run(struct cmd_call *call, struct err *err)
{
	static const char *const headers[] = { "CURRENT", "NAME", "CLUSTER", "AUTHINFO",
					       "NAMESPACE" };
	enum { W = ARRAY_LEN(headers) };
	const struct contexts_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct columns c = { 0 };
	const struct doc *list;
	const char **cells;
	size_t rows = 0;
	bool only_names = o->output && strcmp(o->output, "name") == 0;
	int r;

	if (o->output && *o->output && !only_names)
		return err_set(err, ERR_INVALID,
			       "--output %s is not available in kubectl config get-contexts; "
			       "resetting to default output format",
			       o->output);
	r = kubectl_config(k, err);
	if (r < 0)
		return r;
	list = doc_get(k->config.merged, "contexts");
	cells = ARENA_ARRAY(k->arena, const char *, (doc_len(list) + 1) * W);
	if (!cells)
		return arena_quota(k->arena, err);
	if (!o->no_headers)
		memcpy(&cells[rows++ * W], headers, sizeof(headers));
	DOC_EACH (e, list) {
		if (!named(call, e))
			continue;
		if (only_names)
			buf_addf(&k->out, "%s\n", kubectl_text(k, e, "name"));
		else
			context_row(k, e, &cells[rows++ * W]);
	}
	if (!only_names)
		columns_print(&c, cells, rows, W, &k->out);
	for (size_t i = 0; i < call->nargs; i++)
		if (!kubeconfig_get(k->config.merged, KUBECONFIG_CONTEXT,
				    slice_str(call->args[i]))) {
			(void)err_set(err, ERR_NOT_FOUND, "context %s not found", call->args[i]);
			kubectl_note(k, err);
		}
	return 0;
}

const struct cmd kubectl_config_get_contexts = {
	.path = "config get-contexts",
	.args = "[OPTIONS] [NAME...]",
	.help = "Print the contexts of the kubeconfig",
	.opts = contexts_opts,
	.opts_size = sizeof(struct contexts_opts),
	.max = UINT8_MAX,
	.run = contexts_run,
};

static int print_names(struct cmd_call *call, const char *list, struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	int r = kubectl_config(k, err);

	if (r < 0)
		return r;
	buf_adds(&k->out, "NAME\n");
	DOC_EACH (e, doc_get(k->config.merged, list))
		buf_addf(&k->out, "%s\n", kubectl_text(k, e, "name"));
	return 0;
}

static int clusters_run(struct cmd_call *call, struct err *err)
{
	return print_names(call, "clusters", err);
}

static int users_run(struct cmd_call *call, struct err *err)
{
	return print_names(call, "users", err);
}

const struct cmd kubectl_config_get_clusters = {
	.path = "config get-clusters",
	.help = "Print the names of the clusters",
	.max = UINT8_MAX,
	.run = clusters_run,
};

const struct cmd kubectl_config_get_users = {
	.path = "config get-users",
	.help = "Print the names of the users",
	.max = UINT8_MAX,
	.run = users_run,
};

/* ---- the current context ---- */

static int current_run(struct cmd_call *call, struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	struct slice current;
	int r = kubectl_config(k, err);

	if (r < 0)
		return r;
	current = kubeconfig_current(k->config.merged);
	if (!current.n)
		return err_set(err, ERR_NOT_FOUND, "current-context is not set");
	buf_addf(&k->out, "%.*s\n", (int)current.n, current.p);
	return 0;
}

const struct cmd kubectl_config_current_context = {
	.path = "config current-context",
	.help = "Print the name of the current context",
	.max = UINT8_MAX,
	.run = current_run,
};

static int use_run(struct cmd_call *call, struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	int r;

	if (call->nargs != 1)
		return wrong_args(call, "Unexpected args", err);
	r = kubectl_config(k, err);
	if (r < 0)
		return r;
	if (!kubeconfig_get(k->config.merged, KUBECONFIG_CONTEXT, slice_str(call->args[0])))
		return err_set(err, ERR_NOT_FOUND, "no context exists with the name: \"%s\"",
			       call->args[0]);
	r = kubeconfig_use(&k->config, slice_str(call->args[0]), err);
	if (r == 0)
		buf_addf(&k->out, "Switched to context \"%s\".\n", call->args[0]);
	return r;
}

static const char *const use_aliases[] = { "config use", NULL };
const struct cmd kubectl_config_use_context = {
	.path = "config use-context",
	.aliases = use_aliases,
	.args = "NAME",
	.help = "Choose the current context",
	.max = UINT8_MAX,
	.run = use_run,
};

static int rename_run(struct cmd_call *call, struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	struct slice from, to;
	struct doc *c;
	bool current;
	int r;

	if (call->nargs != 2)
		return wrong_args(call, "Unexpected args", err);
	from = slice_str(call->args[0]);
	to = slice_str(call->args[1]);
	r = kubectl_config(k, err);
	if (r < 0)
		return r;
	c = kubeconfig_get(k->config.merged, KUBECONFIG_CONTEXT, from);
	if (!c)
		return err_set(err, ERR_NOT_FOUND,
			       "cannot rename the context \"%s\", it's not in %s", from.p,
			       kubeconfig_default_file(&k->config));
	if (kubeconfig_get(k->config.merged, KUBECONFIG_CONTEXT, to))
		return err_set(err, ERR_EXISTS,
			       "cannot rename the context \"%s\", the context \"%s\" already "
			       "exists in %s",
			       from.p, to.p, kubeconfig_default_file(&k->config));
	current = slice_eq(kubeconfig_current(k->config.merged), from);
	/* The new name is there before the old one goes. */
	r = kubeconfig_put(&k->config, KUBECONFIG_CONTEXT, to, c, false, err);
	if (r == 0 && current)
		r = kubeconfig_use(&k->config, to, err);
	if (r == 0)
		r = kubeconfig_put(&k->config, KUBECONFIG_CONTEXT, from, NULL, false, err);
	if (r == 0)
		buf_addf(&k->out, "Context \"%s\" renamed to \"%s\".\n", from.p, to.p);
	return r;
}

const struct cmd kubectl_config_rename_context = {
	.path = "config rename-context",
	.args = "NAME NEW_NAME",
	.help = "Give a context another name",
	.max = UINT8_MAX,
	.run = rename_run,
};

/* ---- removing ---- */

static int delete_one(struct cmd_call *call, enum kubeconfig_part part, struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	const char *one = words[part].one, *file;
	struct slice name;
	int r;

	if (call->nargs != 1) {
		(void)err_set(err, ERR_BAD_REQUEST, "%s to delete is required", one);
		return part == KUBECONFIG_USER ? kubectl_usage(k, err) : err_ret(err);
	}
	name = slice_str(call->args[0]);
	r = kubectl_config(k, err);
	if (r < 0)
		return r;
	file = kubeconfig_default_file(&k->config);
	if (!kubeconfig_get(k->config.merged, part, name))
		return err_set(err, ERR_NOT_FOUND, "cannot delete %s %s, not in %s", one, name.p,
			       file);
	if (part == KUBECONFIG_CONTEXT && slice_eq(kubeconfig_current(k->config.merged), name))
		buf_adds(&k->errors, "warning: this removed your active context, use \"kubectl "
				     "config use-context\" to select a different one\n");
	r = kubeconfig_put(&k->config, part, name, NULL, false, err);
	if (r == 0)
		buf_addf(&k->out, "deleted %s %s from %s\n", one, name.p, file);
	return r;
}

static int delete_cluster_run(struct cmd_call *call, struct err *err)
{
	return delete_one(call, KUBECONFIG_CLUSTER, err);
}

static int delete_user_run(struct cmd_call *call, struct err *err)
{
	return delete_one(call, KUBECONFIG_USER, err);
}

static int delete_context_run(struct cmd_call *call, struct err *err)
{
	return delete_one(call, KUBECONFIG_CONTEXT, err);
}

const struct cmd kubectl_config_delete_cluster = {
	.path = "config delete-cluster",
	.args = "NAME",
	.help = "Remove a cluster from the kubeconfig",
	.max = UINT8_MAX,
	.run = delete_cluster_run,
};

const struct cmd kubectl_config_delete_user = {
	.path = "config delete-user",
	.args = "NAME",
	.help = "Remove a user from the kubeconfig",
	.max = UINT8_MAX,
	.run = delete_user_run,
};

const struct cmd kubectl_config_delete_context = {
	.path = "config delete-context",
	.args = "NAME",
	.help = "Remove a context from the kubeconfig",
	.max = UINT8_MAX,
	.run = delete_context_run,
};
