/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kubectl apply`: what files say becomes so. On the client: three sides (what was applied last,
 * what the file says, what there is) give a patch; or the server does it (--server-side).
 */
#include "cli/kubectl/kubectl.h"

#include "api/api.h"
#include "api/merge.h"
#include "base/arena.h"
#include "base/err.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-prune.h"
#include "doc/json.h"

#define TRIES 5

struct apply_opts {
	struct kubectl_files files;
	const char *output, *template, *validate, *dry, *manager, *sub;
	struct opt_list allow;
	const char *selector;
	bool managed, server, take, all, prune;
};
static const struct opt apply_opts[] = {
	OPT(struct apply_opts, BOOL, all, "all", 0, "With --prune: whatever its labels"),
	OPT_NOT_SUPPORTED(STR, "cascade", 0, "it goes with --force"),
	OPT(struct apply_opts, STR, dry, "dry-run", 0,
	    "none, client (send nothing) or server (keep nothing)"),
	OPT(struct apply_opts, STR, manager, "field-manager", 0, "Who owns the fields"),
	OPT(struct apply_opts, LIST, files.names, "filename", 'f',
	    "Objects that are in this file or folder"),
	OPT_NOT_SUPPORTED(BOOL, "force", 0, "delete -f and apply -f do that"),
	OPT(struct apply_opts, BOOL, take, "force-conflicts", 0,
	    "With --server-side: take fields that others own"),
	OPT_NOT_SUPPORTED(INT, "grace-period", 0, "it goes with --force"),
	OPT_NOT_SUPPORTED(STR, "kustomize", 'k', "there is no kustomize in teu kubectl yet"),
	OPT_NOT_SUPPORTED(BOOL, "openapi-patch", 0, "lists merge by teu's own tables"),
	OPT(struct apply_opts, STR, output, "output", 'o',
	    "json, yaml, name, jsonpath=..., custom-columns=..."),
	OPT_NOT_SUPPORTED(BOOL, "overwrite", 0, "what the file says is what shall be"),
	OPT(struct apply_opts, BOOL, prune, "prune", 0,
	    "Delete what apply once made and no file has now"),
	OPT(struct apply_opts, LIST, allow, "prune-allowlist", 0,
	    "GROUP/VERSION/KIND that may be pruned; repeated"),
	OPT(struct apply_opts, BOOL, files.recursive, "recursive", 'R',
	    "Folders of --filename with those in them"),
	OPT_NOT_SUPPORTED(STR, "applyset", 0, "teu kubectl prunes by labels"),
	OPT(struct apply_opts, STR, selector, "selector", 'l', "Only objects with these labels"),
	OPT(struct apply_opts, BOOL, server, "server-side", 0, "The server does it"),
	OPT(struct apply_opts, BOOL, managed, "show-managed-fields", 0,
	    "Keep managedFields in json and yaml"),
	OPT(struct apply_opts, STR, sub, "subresource", 0, "With --server-side: status, scale"),
	OPT(struct apply_opts, STR, template, "template", 0, "Template of -o jsonpath"),
	OPT_NOT_SUPPORTED(DURATION, "timeout", 0, "it goes with --force"),
	OPT(struct apply_opts, STR, validate, "validate", 0,
	    "What the server does with unknown fields: strict (default), warn, ignore"),
	OPT_NOT_SUPPORTED(BOOL, "wait", 0, "it goes with --force"),
	OPT_END
};

struct applying {
	struct kubectl *k;
	const struct apply_opts *o;
	struct kubectl_print print;
	struct kubectl_items items;
	enum kubectl_dry dry;
	const char *validation, *manager;
	struct doc results; /* printed together at the end, unless one line is said of each */
};

static int done(struct applying *p, const struct doc *d, const char *what, struct err *err)
{
	if (p->print.form == PRINT_TABLE || p->print.form == PRINT_NAME)
		return kubectl_done(&p->print, d, what, p->dry, err);
	return doc_append(p->k->arena, &p->results, *d) ? 0 : arena_quota(p->k->arena, err);
}

static int print_results(struct applying *p, struct err *err)
{
	struct arena *a = p->k->arena;
	struct doc *list = doc_new_object(a);

	if (!p->results.n)
		return 0;
	if (p->results.n == 1)
		return kubectl_print_doc(&p->print, &p->results.kids[0], err);
	doc_set_str(a, list, "kind", "List");
	doc_set_str(a, list, "apiVersion", "v1");
	doc_set_object(a, list, "metadata");
	doc_set(a, list, "items", p->results);
	return list ? kubectl_print_doc(&p->print, list, err) : arena_quota(a, err);
}

/* ---- on the client ---- */

static void warn_of_note(struct applying *p, const struct kubectl_item *it, const struct doc *live)
{
	if (doc_get(doc_get(doc_get(live, "metadata"), "annotations"), KUBECTL_LAST_APPLIED))
		return;
	buf_addf(
		&p->k->errors,
		"Warning: resource %s/%s is missing the " KUBECTL_LAST_APPLIED
		" annotation which is "
		"required by kubectl apply. kubectl apply should only be used on resources created "
		"declaratively by either kubectl create --save-config or kubectl apply. The "
		"missing "
		"annotation will be patched automatically.\n",
		it->res->name, it->name);
}

static int create_one(struct applying *p, const struct kubectl_item *it, struct err *err)
{
	struct kubectl_send s = { .method = "POST",
				  .collection = true,
				  .manager = p->manager,
				  .validation = p->validation,
				  .dry_run = kubectl_dry_word(p->dry),
				  .body = it->obj };
	struct doc *got = it->obj;
	int r = p->dry == DRY_CLIENT ? 0 : kubectl_send(p->k, it, &s, &got, err);

	p->k->about =
		r < 0 ? arena_printf(p->k->arena, "error when creating \"%s\"", it->from) : NULL;
	return r == 0 ? done(p, got, "created", err) : r;
}

static int patch_once(struct applying *p, const struct kubectl_item *it, const struct doc *live,
		      struct err *err)
{
	struct doc patch, *got;
	struct kubectl_send s = { .method = "PATCH",
				  .manager = p->manager,
				  .validation = p->validation,
				  .dry_run = kubectl_dry_word(p->dry),
				  .body = &patch };
	int r = kubectl_apply_diff(p->k, it->res, live, it->obj, &patch, &s.type, err);

	if (r < 0)
		return r;
	if (p->dry == DRY_CLIENT)
		return done(p, live, "configured", err);
	if (!patch.n)
		return done(p, live, "unchanged", err);
	r = kubectl_send(p->k, it, &s, &got, err);
	return r == 0 ? done(p, got, "configured", err) : r;
}

static int apply_here(struct applying *p, const struct kubectl_item *it, struct err *err)
{
	struct kubectl_send get = { 0 };
	struct doc *live;
	int r = kubectl_save_config(p->k, it->obj, err);

	for (int i = 0; i < TRIES && r == 0; i++) {
		r = kubectl_send(p->k, it, &get, &live, err);
		if (r == -ERR_NOT_FOUND && client_failure(p->k->client)) {
			*err = ERR_INIT;
			return create_one(p, it, err);
		}
		if (r < 0) {
			p->k->about = "error when retrieving current configuration of the object";
			return r;
		}
		if (i == 0)
			warn_of_note(p, it, live);
		r = patch_once(p, it, live, err);
		/* Somebody else was quicker: what is there now is looked at. */
		if (r != -ERR_CONFLICT || i + 1 == TRIES)
			break;
		*err = ERR_INIT;
		r = 0;
	}
	if (r < 0)
		p->k->about =
			arena_printf(p->k->arena, "error when applying patch to \"%s\"", it->from);
	return r;
}

/* ---- on the server ---- */

static int apply_there(struct applying *p, const struct kubectl_item *it, struct err *err)
{
	struct kubectl_send s = { .method = "PATCH",
				  .sub = p->o->sub,
				  .type = "application/apply-patch+yaml",
				  .manager = p->manager,
				  .force = p->o->take ? "true" : "false",
				  .validation = p->validation,
				  .dry_run = kubectl_dry_word(p->dry),
				  .body = it->obj };
	struct doc *got;
	int r = kubectl_send(p->k, it, &s, &got, err);

	if (r == -ERR_CONFLICT && client_failure(p->k->client))
		return err_set(
			err, ERR_CONFLICT,
			"%s\nTake these fields with --force-conflicts, leave them out of the "
			"file, or give them the value that they have.",
			kubectl_text(p->k, client_failure(p->k->client), "message"));
	return r == 0 ? done(p, got, "serverside-applied", err) : r;
}

/* ---- the command ---- */

static int prepare(struct applying *p, struct err *err)
{
	const struct apply_opts *o = p->o;
	int r = kubectl_dry(o->dry, &p->dry, err);

	if (r == 0)
		r = kubectl_validation(o->validate, &p->validation, err);
	if (r == 0)
		r = kubectl_print_init(&p->print, p->k, o->output, o->template, err);
	p->print.managed = o->managed;
	if (r == 0 && o->take && !o->server)
		return err_set(err, ERR_BAD_REQUEST,
			       "--force-conflicts only works with --server-side");
	if (r == 0 && o->sub && !o->server)
		return err_set(err, ERR_BAD_REQUEST, "--subresource only works with --server-side");
	if (r == 0 && o->server && p->dry == DRY_CLIENT)
		return err_set(err, ERR_BAD_REQUEST,
			       "--dry-run=client doesn't work with --server-side (did you mean "
			       "--dry-run=server instead?)");
	if (r == 0 && o->prune && !o->all && !(o->selector && *o->selector))
		return err_set(
			err, ERR_BAD_REQUEST,
			"all resources selected for prune without explicitly passing --all. "
			"To prune all resources, pass the --all flag. If you did not mean to "
			"prune all resources, specify a label selector");
	p->manager = o->manager ? o->manager : o->server ? "kubectl" : "kubectl-client-side-apply";
	return r;
}

/* Objects go in the background; each is told. */
static int prune(struct applying *p, struct err *err)
{
	struct kubectl_prune what = {
		.k = p->k, .applied = &p->items, .selector = p->o->selector, .allow = &p->o->allow
	};
	struct doc body = doc_object(), *got;
	struct kubectl_send s = { .method = "DELETE", .body = &body };
	struct kubectl_items gone;
	int r = kubectl_prune_find(&what, &gone, err);

	doc_set_str(p->k->arena, &body, "propagationPolicy", "Background");
	if (p->dry == DRY_SERVER)
		doc_append_str(p->k->arena, doc_set_array(p->k->arena, &body, "dryRun"), "All");
	for (size_t i = 0; i < gone.n && r == 0; i++) {
		if (p->dry != DRY_CLIENT)
			r = kubectl_send(p->k, &gone.v[i], &s, &got, err);
		if (r == 0)
			r = kubectl_done(&p->print, gone.v[i].obj, "pruned", p->dry, err);
	}
	return r;
}

static int apply_run(struct cmd_call *call, struct err *err)
{
	struct applying p = { .k = kubectl_of(call), .o = call->opts, .results = doc_array() };
	int r;

	if (call->nargs && !p.o->files.names.n)
		return err_set(err, ERR_UNSUPPORTED, "kubectl apply %s: there is no such command",
			       call->args[0]);
	if (!p.o->files.names.n)
		return err_set(err, ERR_BAD_REQUEST, "must specify one of -f and -k");
	if (call->nargs) {
		(void)err_set(err, ERR_BAD_REQUEST, "Unexpected args: [%s]", call->args[0]);
		return kubectl_usage(p.k, err);
	}
	r = prepare(&p, err);
	if (r == 0)
		r = kubectl_read_files(p.k, &p.o->files, &p.items, err);
	if (r == 0)
		r = kubectl_select(p.k, p.o->selector, &p.items, err);
	if (r == 0 && p.o->prune) {
		struct kubectl_prune what = { .k = p.k, .allow = &p.o->allow };

		r = kubectl_prune_check(&what, err);
	}
	if (r == 0 && !p.items.n)
		return err_set(err, ERR_BAD_REQUEST, "no objects passed to apply");
	for (size_t i = 0; i < p.items.n && r == 0; i++) {
		const struct kubectl_item *it = &p.items.v[i];

		if ((p.o->server ? apply_there(&p, it, err) : apply_here(&p, it, err)) < 0)
			kubectl_note(p.k, err);
		*err = ERR_INIT;
		p.k->about = NULL;
	}
	if (r == 0)
		r = print_results(&p, err);
	/* What could not be applied might still be wanted. */
	if (r == 0 && p.o->prune && !p.k->failed)
		r = prune(&p, err);
	return r;
}

const struct cmd kubectl_apply = {
	.path = "apply",
	.args = "-f FILE [OPTIONS]",
	.help = "Make objects as files say, and keep what others have set",
	.opts = apply_opts,
	.opts_size = sizeof(struct apply_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_ADVANCED,
	.run = apply_run,
};
