/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kubectl apply`: what files say becomes so. On the client: three sides (what was applied last,
 * what the file says, what there is) give a patch; or the server does it (--server-side).
 */
#include "cli/kubectl/kubectl-csa.h"
#include "cli/kubectl/kubectl-delete.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-prune.h"
#include "doc/json.h"

#define TRIES 5

#define CLIENT_MANAGER "kubectl-client-side-apply"
#define SERVER_MANAGER "kubectl"
#define NOTE_MANAGER "kubectl-last-applied" /* keeps the annotation for who goes back */

struct apply_opts {
	struct kubectl_files files;
	struct kubectl_form form;
	struct delete_flags how;
	const char *validate, *dry, *manager, *sub;
	struct opt_list allow;
	const char *selector;
	bool server, take, all, prune, openapi;
};
static const struct opt apply_opts[] = {
	OPT(struct apply_opts, BOOL, all, "all", 0, "With --prune: whatever its labels"),
	DELETE_ROWS(struct apply_opts, how),
	KUBECTL_DRY_ROW(struct apply_opts, dry),
	OPT(struct apply_opts, STR, manager, "field-manager", 0, "Who owns the fields"),
	KUBECTL_FILE_ROWS(struct apply_opts),
	OPT(struct apply_opts, BOOL, take, "force-conflicts", 0,
	    "With --server-side: take fields that others own"),
	OPT(struct apply_opts, BOOL, openapi, "openapi-patch", 0,
	    "Changes nothing: lists merge by tables that are the same"),
	KUBECTL_FORM_ROWS(struct apply_opts, form),
	OPT_NOT_SUPPORTED(BOOL, "overwrite", 0, "what the file says is what shall be"),
	OPT(struct apply_opts, BOOL, prune, "prune", 0,
	    "Delete what apply once made and no file has now"),
	OPT(struct apply_opts, LIST, allow, "prune-allowlist", 0,
	    "GROUP/VERSION/KIND that may be pruned; repeated"),
	OPT_NOT_SUPPORTED(STR, "applyset", 0, "teu kubectl prunes by labels"),
	OPT(struct apply_opts, STR, selector, "selector", 'l', "Only objects with these labels"),
	OPT(struct apply_opts, BOOL, server, "server-side", 0, "The server does it"),
	OPT(struct apply_opts, STR, sub, "subresource", 0, "With --server-side: status, scale"),
	KUBECTL_VALIDATE_ROW(struct apply_opts, validate),
	OPT_END
};

struct applying {
	struct kubectl *k;
	const struct apply_opts *o;
	struct kubectl_print print;
	struct kubectl_items items;
	struct deleting how; /* of --force and --prune */
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
	kubectl_show(p->k);
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
	int r = p->dry == DRY_CLIENT ? 0 : kubectl_send_new(p->k, it, &s, &got, err);

	p->k->about =
		r < 0 ? arena_printf(p->k->arena, "error when creating \"%s\"", it->from) : NULL;
	return r == 0 ? done(p, got, "created", err) : r;
}

/* Resource and name, as errors of apply have them. */
static const char *told_of(struct applying *p, const struct kubectl_item *it)
{
	const struct resource *r = it->res;

	return arena_printf(p->k->arena,
			    "Resource: \"%s/%s, Resource=%s\", GroupVersionKind: \"%s/%s, "
			    "Kind=%s\"\nName: \"%s\", Namespace: \"%s\"",
			    r->group, r->version, r->name, r->group, r->version, r->kind, it->name,
			    it->space ? it->space : "");
}

/* patch: what was sent. doing: ": error when patching \"f\"", or nothing. */
static int about_patch(struct applying *p, const struct kubectl_item *it, const struct doc *patch,
		       const char *doing, struct err *err)
{
	struct json_style style = { .order = JSON_SORTED, .html = true };
	struct err why = ERR_INIT;
	struct slice text;

	if (json_print(p->k->arena, patch, &style, &text, &why) == 0)
		p->k->about = arena_printf(
			p->k->arena, "error when applying patch:\n%.*s\n%sto:\n%s\nfor: \"%s\"%s",
			(int)text.n, text.p, *doing ? "" : "\n", told_of(p, it), it->from, doing);
	return err_ret(err);
}

static void warn_of_end(struct applying *p, const struct doc *d)
{
	if (!doc_find(d, "metadata.deletionTimestamp"))
		return;
	buf_addf(&p->k->errors,
		 "Warning: Detected changes to resource %s which is currently being deleted.\n",
		 kubectl_text(p->k, d, "metadata.name"));
	kubectl_show(p->k);
}

/* Deletes and creates; what was there comes back when the new one is refused. */
static int anew(struct applying *p, const struct kubectl_item *it, struct doc *live,
		struct doc **ret, struct err *err)
{
	struct doc body = delete_body(&p->how), *got;
	struct kubectl_send gone = { .method = "DELETE", .body = &body };
	struct kubectl_send make = { .method = "POST",
				     .collection = true,
				     .manager = p->manager,
				     .validation = p->validation,
				     .body = it->obj };
	struct err why = ERR_INIT;
	int r = kubectl_send(p->k, it, &gone, &got, err);

	if (r == 0)
		r = kubectl_wait_gone(p->k, it, NULL, clock_mono() + p->how.time, err);
	if (r == -ERR_TIMEOUT)
		return err_set(err, ERR_TIMEOUT, "context deadline exceeded");
	if (r == 0)
		r = kubectl_send_new(p->k, it, &make, ret, err);
	else
		return r;
	if (r == 0)
		return 0;
	p->k->refused = client_failure(p->k->client);
	make.body = live;
	if (kubectl_send_new(p->k, it, &make, ret, &why) < 0) {
		p->k->refused = NULL;
		return err_set(err, ERR_CONFLICT,
			       "An error occurred force-replacing the existing object with the "
			       "newly provided one:\n\n%s.\n\nAdditionally, an error occurred "
			       "attempting to restore the original object:\n\n%s",
			       arena_strdup(p->k->arena, err->msg), why.msg);
	}
	return r;
}

static int patch_once(struct applying *p, const struct kubectl_item *it, struct doc *live,
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
	if (!patch.n) {
		warn_of_end(p, live);
		return done(p, live, "unchanged", err);
	}
	r = kubectl_send(p->k, it, &s, &got, err);
	if (r < 0)
		return about_patch(
			p, it, &patch,
			arena_printf(p->k->arena, ": error when patching \"%s\"", it->from), err);
	warn_of_end(p, got);
	return done(p, got, "configured", err);
}

static bool worth_anew(const struct applying *p, int r)
{
	return p->o->how.force && (r == -ERR_CONFLICT || r == -ERR_INVALID) &&
	       client_failure(p->k->client);
}

static int replace(struct applying *p, const struct kubectl_item *it, struct doc *live,
		   struct err *err)
{
	struct doc *got, *sent = doc_copy(p->k->arena, it->obj);

	if (!sent)
		return arena_quota(p->k->arena, err);
	*err = ERR_INIT;
	p->k->about = NULL;
	if (anew(p, it, live, &got, err) < 0) {
		about_patch(p, it, sent, "", err);
		return err_ret(err);
	}
	return done(p, got, "configured", err);
}

static int apply_here(struct applying *p, const struct kubectl_item *it, struct err *err)
{
	struct kubectl_send get = { 0 };
	struct doc *live = NULL;
	int r = kubectl_save_config(p->k, it->obj, err);

	for (int i = 0; i < TRIES && r == 0; i++) {
		r = kubectl_send(p->k, it, &get, &live, err);
		if (r == -ERR_NOT_FOUND && client_failure(p->k->client)) {
			*err = ERR_INIT;
			return create_one(p, it, err);
		}
		if (r < 0) {
			p->k->about = arena_printf(
				p->k->arena,
				"error when retrieving current configuration of:\n%s\nfrom server "
				"for: \"%s\"",
				told_of(p, it), it->from);
			return r;
		}
		if (i == 0 && p->dry != DRY_CLIENT)
			warn_of_note(p, it, live);
		r = patch_once(p, it, live, err);
		/* Somebody else was quicker: what is there now is looked at. */
		if (r != -ERR_CONFLICT || i + 1 == TRIES)
			break;
		*err = ERR_INIT;
		r = 0;
	}
	return worth_anew(p, r) ? replace(p, it, live, err) : r;
}

/* ---- on the server ---- */

/* The annotation has an owner of its own, or the next server-side apply would take it away. */
static int keep_note(struct applying *p, const struct kubectl_item *it, struct doc **obj,
		     struct err *err)
{
	struct arena *a = p->k->arena;
	const struct doc *note =
		doc_get(doc_find(*obj, "metadata.annotations"), KUBECTL_LAST_APPLIED);
	struct doc *only = doc_new_object(a), *meta;
	struct kubectl_send s = { .method = "PATCH",
				  .type = "application/apply-patch+yaml",
				  .manager = NOTE_MANAGER,
				  .validation = p->validation,
				  .dry_run = kubectl_dry_word(p->dry),
				  .body = only };

	if (strcmp(p->manager, SERVER_MANAGER) != 0 || !note || csa_owns_note(*obj, "Apply"))
		return 0;
	doc_set_str(a, only, "apiVersion", it->res->api_version);
	doc_set_str(a, only, "kind", it->res->kind);
	meta = doc_set_object(a, only, "metadata");
	doc_set_str(a, meta, "name", it->name);
	if (it->space)
		doc_set_str(a, meta, "namespace", it->space);
	doc_set(a, doc_set_object(a, meta, "annotations"), KUBECTL_LAST_APPLIED, *note);
	return only ? kubectl_send(p->k, it, &s, obj, err) : arena_quota(a, err);
}

/* What client-side apply owned becomes the manager's. 1: it was so, and has been done. */
static int migrate(struct applying *p, const struct kubectl_item *it, struct doc **obj,
		   struct err *err)
{
	struct arena *a = p->k->arena;
	struct kubectl_send get = { 0 };
	int r = 0;

	for (int i = 0; i < TRIES; i++) {
		struct doc fields, patch = doc_array(), *op;
		struct kubectl_send s = { .method = "PATCH",
					  .type = "application/json-patch+json",
					  .manager = p->manager,
					  .validation = p->validation,
					  .dry_run = kubectl_dry_word(p->dry),
					  .body = &patch };

		if (csa_upgrade(a, *obj, p->manager, &fields) == 0)
			return 0;
		op = doc_append_object(a, &patch);
		doc_set_str(a, op, "op", "replace");
		doc_set_str(a, op, "path", "/metadata/managedFields");
		doc_set(a, op, "value", fields);
		op = doc_append_object(a, &patch);
		doc_set_str(a, op, "op", "replace");
		doc_set_str(a, op, "path", "/metadata/resourceVersion");
		doc_set_str(a, op, "value", kubectl_text(p->k, *obj, "metadata.resourceVersion"));
		*err = ERR_INIT;
		r = arena_exceeded(a) ? arena_quota(a, err) : kubectl_send(p->k, it, &s, obj, err);
		if (r != -ERR_CONFLICT)
			return r == 0 ? 1 : r;
		*err = ERR_INIT;
		r = kubectl_send(p->k, it, &get, obj, err);
		if (r < 0)
			return r;
	}
	return r;
}

static void warn_unmoved(struct applying *p, const char *what, struct err *err)
{
	buf_addf(&p->k->errors,
		 "Warning: %s. This is non-fatal and will be retried next time you apply. Error: "
		 "%s\n",
		 what, err->msg);
	kubectl_show(p->k);
	*err = ERR_INIT;
}

/* Behind the apply: of an object that client-side apply made. No failure of the command. */
static void take_over(struct applying *p, const struct kubectl_item *it,
		      const struct kubectl_send *s, struct doc **obj)
{
	struct err err = ERR_INIT;
	struct kubectl_send again = *s;
	int r;

	if (keep_note(p, it, obj, &err) < 0) {
		warn_unmoved(p, "failed to migrate " KUBECTL_LAST_APPLIED " for Server-Side Apply",
			     &err);
		return;
	}
	r = migrate(p, it, obj, &err);
	if (r < 0)
		warn_unmoved(p, "server rejected managed fields migration to Server-Side Apply",
			     &err);
	/* What the file no longer has goes now. */
	if (r == 1 && kubectl_send(p->k, it, &again, obj, &err) < 0)
		warn_unmoved(p,
			     "failed to re-apply configuration after performing Server-Side Apply "
			     "migration",
			     &err);
}

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
	if (r < 0)
		return r;
	take_over(p, it, &s, &got);
	warn_of_end(p, got);
	return done(p, got, "serverside-applied", err);
}

/* ---- the command ---- */

static int check_server(const struct applying *p, struct err *err)
{
	const struct apply_opts *o = p->o;

	if (o->take && !o->server)
		return err_set(err, ERR_BAD_REQUEST,
			       "--force-conflicts only works with --server-side");
	if (o->server && p->dry == DRY_CLIENT)
		return err_set(err, ERR_BAD_REQUEST,
			       "--dry-run=client doesn't work with --server-side (did you mean "
			       "--dry-run=server instead?)");
	if (o->server && o->how.force)
		return err_set(err, ERR_BAD_REQUEST, "--force cannot be used with --server-side");
	if (o->how.force && p->dry == DRY_SERVER)
		return err_set(err, ERR_BAD_REQUEST,
			       "--dry-run=server cannot be used with --force");
	return 0;
}

static int check_prune(const struct applying *p, struct err *err)
{
	const struct apply_opts *o = p->o;
	bool selected = o->selector && *o->selector;

	if (o->all && selected)
		return err_set(err, ERR_BAD_REQUEST,
			       "cannot set --all and --selector at the same time");
	if (o->prune && o->how.force)
		return err_set(err, ERR_BAD_REQUEST, "--force cannot be used with --prune");
	if (o->prune && !o->all && !selected)
		return err_set(
			err, ERR_BAD_REQUEST,
			"all resources selected for prune without explicitly passing --all. "
			"To prune all resources, pass the --all flag. If you did not mean to "
			"prune all resources, specify a label selector");
	if (o->prune && o->server)
		return err_set(err, ERR_BAD_REQUEST,
			       "--prune is in alpha and doesn't currently work on objects created "
			       "by server-side apply");
	if (o->sub && !o->server)
		return err_set(err, ERR_BAD_REQUEST,
			       "--subresource can only be specified for --server-side");
	return 0;
}

static int prepare(struct applying *p, struct err *err)
{
	const struct apply_opts *o = p->o;
	int r = kubectl_dry(o->dry, &p->dry, err);

	if (r == 0)
		r = delete_read(&p->how, p->k, &o->how, err);
	if (r == 0)
		r = kubectl_validation(o->validate, &p->validation, err);
	if (r == 0)
		r = kubectl_form_init(&o->form, p->k, &p->print, err);
	p->how.dry = p->dry;
	p->manager = o->manager ? o->manager : o->server ? SERVER_MANAGER : CLIENT_MANAGER;
	if (r == 0 && o->prune) {
		struct kubectl_prune what = { .k = p->k, .allow = &o->allow };

		r = kubectl_prune_check(&what, err);
	}
	if (r == 0)
		r = check_server(p, err);
	return r == 0 ? check_prune(p, err) : r;
}

/* Each object that goes is told. */
static int prune(struct applying *p, struct err *err)
{
	struct kubectl_prune what = {
		.k = p->k, .applied = &p->items, .selector = p->o->selector, .allow = &p->o->allow
	};
	struct doc body = delete_body(&p->how), *got;
	struct kubectl_send s = { .method = "DELETE", .body = &body };
	struct kubectl_items gone;
	int r = kubectl_prune_find(&what, &gone, err);

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
	if (r == 0 && !p.items.n)
		return err_set(err, ERR_BAD_REQUEST, "no objects passed to apply");
	for (size_t i = 0; i < p.items.n && r == 0; i++) {
		const struct kubectl_item *it = &p.items.v[i];

		if ((p.o->server ? apply_there(&p, it, err) : apply_here(&p, it, err)) < 0)
			kubectl_note(p.k, err);
		*err = ERR_INIT;
		p.k->about = NULL;
		p.k->refused = NULL;
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
