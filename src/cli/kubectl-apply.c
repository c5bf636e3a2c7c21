/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kubectl apply`: what files say becomes so. On the client: three sides (what was applied last,
 * what the file says, what there is) give a patch; or the server does it (--server-side).
 */
#include "cli/kubectl.h"

#include "api/api.h"
#include "api/merge.h"
#include "base/arena.h"
#include "base/err.h"
#include "cli/kubectl-cmds.h"
#include "doc/json.h"

#define TRIES 5

struct apply_opts {
	struct kubectl_files files;
	const char *output, *template, *validate, *dry, *manager, *sub;
	bool managed, server, take;
};
static const struct opt apply_opts[] = {
	OPT_NOT_SUPPORTED(BOOL, "all", 0, "it goes with --prune"),
	OPT_NOT_SUPPORTED(STR, "cascade", 0, "it goes with --force and --prune"),
	OPT(struct apply_opts, STR, dry, "dry-run", 0,
	    "none, client (send nothing) or server (keep nothing)"),
	OPT(struct apply_opts, STR, manager, "field-manager", 0, "Who owns the fields"),
	OPT(struct apply_opts, LIST, files.names, "filename", 'f',
	    "Objects that are in this file or folder"),
	OPT_NOT_SUPPORTED(BOOL, "force", 0, "delete -f and apply -f do that"),
	OPT(struct apply_opts, BOOL, take, "force-conflicts", 0,
	    "With --server-side: take fields that others own"),
	OPT_NOT_SUPPORTED(INT, "grace-period", 0, "it goes with --force and --prune"),
	OPT_NOT_SUPPORTED(STR, "kustomize", 'k', "there is no kustomize in teu kubectl yet"),
	OPT_NOT_SUPPORTED(BOOL, "openapi-patch", 0, "lists merge by teu's own tables"),
	OPT(struct apply_opts, STR, output, "output", 'o',
	    "json, yaml, name, jsonpath=..., custom-columns=..."),
	OPT_NOT_SUPPORTED(BOOL, "overwrite", 0, "what the file says is what shall be"),
	OPT_NOT_SUPPORTED(BOOL, "prune", 0, "teu kubectl deletes nothing that no file names"),
	OPT_NOT_SUPPORTED(LIST, "prune-allowlist", 0, "it goes with --prune"),
	OPT(struct apply_opts, BOOL, files.recursive, "recursive", 'R',
	    "Folders of --filename with those in them"),
	OPT_NOT_SUPPORTED(STR, "selector", 'l', "teu kubectl applies all that is in files"),
	OPT(struct apply_opts, BOOL, server, "server-side", 0, "The server does it"),
	OPT(struct apply_opts, BOOL, managed, "show-managed-fields", 0,
	    "Keep managedFields in json and yaml"),
	OPT(struct apply_opts, STR, sub, "subresource", 0, "With --server-side: status, scale"),
	OPT(struct apply_opts, STR, template, "template", 0, "Template of -o jsonpath"),
	OPT_NOT_SUPPORTED(DURATION, "timeout", 0, "it goes with --force and --prune"),
	OPT(struct apply_opts, STR, validate, "validate", 0,
	    "What the server does with unknown fields: strict (default), warn, ignore"),
	OPT_NOT_SUPPORTED(BOOL, "wait", 0, "it goes with --force and --prune"),
	OPT_END
};

struct applying {
	struct kubectl *k;
	const struct apply_opts *o;
	struct kubectl_print print;
	struct kubectl_items items;
	enum kubectl_dry dry;
	const char *validation, *manager;
	struct api api;
	bool api_loaded;
};

/* ---- on the client ---- */

/* The tables' type of a kind that is built in, else NULL. */
static int type_of(struct applying *p, const struct kubectl_item *it, const struct api_type **ret,
		   struct err *err)
{
	const struct api_kind *kind;
	int r = p->api_loaded ? 0 : api_load(p->k->arena, &p->api, err);

	if (r < 0)
		return r;
	p->api_loaded = true;
	kind = api_kind(&p->api, it->res->api_version, it->res->kind);
	*ret = kind ? kind->type : NULL;
	return 0;
}

static int make_patch(struct applying *p, const struct kubectl_item *it, const struct doc *live,
		      const struct api_type *type, struct doc *ret, struct err *err)
{
	const struct doc *note =
		doc_get(doc_get(doc_get(live, "metadata"), "annotations"), KUBECTL_LAST_APPLIED);
	struct doc *last = NULL;

	if (note && json_read(p->k->arena, doc_slice(note), NULL, &last, err) < 0)
		return err_wrap(err, "its annotation " KUBECTL_LAST_APPLIED);
	return api_merge_diff(type, last, it->obj, live, p->k->arena, ret, err);
}

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
	return r == 0 ? kubectl_done(&p->print, got, "created", p->dry, err) : r;
}

static int patch_once(struct applying *p, const struct kubectl_item *it, const struct doc *live,
		      struct err *err)
{
	const struct api_type *type;
	struct doc patch, *got;
	struct kubectl_send s = { .method = "PATCH",
				  .manager = p->manager,
				  .validation = p->validation,
				  .dry_run = kubectl_dry_word(p->dry),
				  .body = &patch };
	int r = type_of(p, it, &type, err);

	if (r == 0)
		r = make_patch(p, it, live, type, &patch, err);
	if (r < 0)
		return r;
	if (p->dry == DRY_CLIENT)
		return kubectl_done(&p->print, live, "configured", p->dry, err);
	if (!patch.n)
		return kubectl_done(&p->print, live, "unchanged", p->dry, err);
	s.type = type ? "application/strategic-merge-patch+json" : "application/merge-patch+json";
	r = kubectl_send(p->k, it, &s, &got, err);
	return r == 0 ? kubectl_done(&p->print, got, "configured", p->dry, err) : r;
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
	return r == 0 ? kubectl_done(&p->print, got, "serverside-applied", p->dry, err) : r;
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
	p->manager = o->manager ? o->manager : o->server ? "kubectl" : "kubectl-client-side-apply";
	return r;
}

static int apply_run(struct cmd_call *call, struct err *err)
{
	struct applying p = { .k = kubectl_of(call), .o = call->opts };
	int r;

	if (call->nargs && !p.o->files.names.n)
		return err_set(err, ERR_UNSUPPORTED,
			       "kubectl apply %s: not supported by teu kubectl yet", call->args[0]);
	if (!p.o->files.names.n)
		return err_set(err, ERR_BAD_REQUEST, "must specify one of -f and -k");
	if (call->nargs) {
		(void)err_set(err, ERR_BAD_REQUEST, "Unexpected args: [%s]", call->args[0]);
		return kubectl_usage(p.k, err);
	}
	r = prepare(&p, err);
	if (r == 0)
		r = kubectl_read_files(p.k, &p.o->files, &p.items, err);
	if (r == 0 && !p.items.n)
		return err_set(err, ERR_BAD_REQUEST, "no objects passed to apply");
	for (size_t i = 0; i < p.items.n && r == 0; i++) {
		const struct kubectl_item *it = &p.items.v[i];

		if ((p.o->server ? apply_there(&p, it, err) : apply_here(&p, it, err)) < 0)
			kubectl_note(p.k, err);
		*err = ERR_INIT;
		p.k->about = NULL;
	}
	api_fini(&p.api);
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
