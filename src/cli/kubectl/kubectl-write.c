/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of files as they are: create, replace. */
#include "cli/kubectl/kubectl-delete.h"
#include "cli/kubectl/kubectl-edit.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-prune.h"
#include "doc/json.h"

#define GONE_WITHIN (300 * NS_PER_SEC) /* of replace --force */

int kubectl_save_config(struct kubectl *k, struct doc *obj, struct err *err)
{
	struct json_style style = { .order = JSON_SORTED, .html = true };

	return kubectl_save_config_as(k, obj, &style, err);
}

int kubectl_save_config_as(struct kubectl *k, struct doc *obj, const struct json_style *style,
			   struct err *err)
{
	struct doc *meta = doc_get(obj, "metadata"), *notes;
	struct slice text;
	int r;

	if (!meta)
		meta = doc_set_object(k->arena, obj, "metadata");
	notes = doc_get(meta, "annotations");
	if (!doc_is(notes, DOC_OBJECT) && style->order == JSON_SORTED)
		notes = doc_set_object(k->arena, meta, "annotations");
	doc_remove(notes, KUBECTL_LAST_APPLIED);
	r = json_print(k->arena, obj, style, &text, err);
	if (!notes)
		notes = doc_set_object(k->arena, meta, "annotations");
	if (r == 0)
		doc_set_strf(k->arena, notes, KUBECTL_LAST_APPLIED, "%.*s\n", (int)text.n, text.p);
	return r;
}

/* ---- what both have ---- */

struct write_opts {
	struct kubectl_files files;
	struct kubectl_form form;
	const char *validate, *dry, *manager, *sub, *raw, *selector;
	bool save, edit, crlf;
	struct delete_flags how;
};
#define WRITE_ROWS(type, by)                                                           \
	KUBECTL_DRY_ROW(type, dry), KUBECTL_MANAGER_ROW(type, manager, by),            \
		KUBECTL_FILE_ROWS(type), KUBECTL_FORM_ROWS(type, form),                \
		OPT(type, STR, raw, "raw", 0, "Send the file to this path, as it is"), \
		OPT(type, BOOL, save, "save-config", 0,                                \
		    "Keep the object in its annotation, for apply"),                   \
		KUBECTL_VALIDATE_ROW(type, validate)

struct writing {
	struct kubectl *k;
	const struct write_opts *o;
	struct kubectl_print print;
	struct kubectl_items items;
	enum kubectl_dry dry;
	const char *validation, *manager;
};

/* The flags. */
static int prepare(struct writing *w, const struct write_opts *o, struct err *err)
{
	int r = kubectl_dry(o->dry, &w->dry, err);

	w->o = o;
	if (o->manager)
		w->manager = o->manager;
	if (r == 0)
		r = kubectl_validation(o->validate, &w->validation, err);
	return r == 0 ? kubectl_form_init(&o->form, w->k, &w->print, err) : r;
}

static int create_one(struct writing *w, const struct kubectl_item *it, const char *what,
		      struct err *err)
{
	struct kubectl_send s = { .method = "POST",
				  .collection = true,
				  .manager = w->manager,
				  .validation = w->validation,
				  .dry_run = kubectl_dry_word(w->dry),
				  .body = it->obj };
	struct doc *got = it->obj;
	int r = w->o->save ? kubectl_save_config(w->k, it->obj, err) : 0;

	if (r == 0 && w->dry != DRY_CLIENT)
		r = kubectl_send_new(w->k, it, &s, &got, err);
	return r == 0 ? kubectl_done(&w->print, got, what, w->dry, err) : r;
}

/* ---- create ---- */

static const struct opt create_opts[] = {
	OPT(struct write_opts, BOOL, edit, "edit", 0, "Edit each object before it is created"),
	WRITE_ROWS(struct write_opts, "kubectl-create"),
	OPT(struct write_opts, STR, selector, "selector", 'l', "Only objects with these labels"),
	EDIT_CRLF_ROW(struct write_opts, crlf), OPT_END
};

static int edit_first(struct writing *w, struct err *err)
{
	const struct write_opts *o = w->o;
	struct edit_opts eo = { .form = o->form,
				.manager = w->manager,
				.validate = o->validate,
				.save = o->save,
				.crlf = o->crlf };

	if (w->dry != DRY_NONE)
		return err_set(err, ERR_UNSUPPORTED,
			       "--edit with --dry-run is not supported: kubectl creates the object "
			       "all the same");
	return edit_create(w->k, &eo, &w->items, err);
}

static int create_raw(struct writing *w, struct err *err)
{
	const struct write_opts *o = w->o;

	if (o->edit)
		return err_set(err, ERR_BAD_REQUEST, "--raw and --edit are mutually exclusive");
	if (o->selector && *o->selector)
		return err_set(err, ERR_BAD_REQUEST,
			       "--raw and --selector (-l) are mutually exclusive");
	return kubectl_raw_file(w->k, "POST", o->raw, &o->files, o->form.output, err);
}

static int create_run(struct cmd_call *call, struct err *err)
{
	const struct write_opts *o = call->opts;
	struct writing w = { .k = kubectl_of(call), .manager = "kubectl-create" };
	int r;

	if (call->nargs && !o->files.names.n)
		return err_set(err, ERR_UNSUPPORTED,
			       "kubectl create %s: there is no such kind to create by flags; "
			       "create -f takes any",
			       call->args[0]);
	if (call->nargs) {
		(void)err_set(err, ERR_BAD_REQUEST, "Unexpected args: [%s]", call->args[0]);
		return kubectl_usage(w.k, err);
	}
	r = prepare(&w, o, err);
	if (r == 0 && !o->files.names.n)
		return err_set(err, ERR_BAD_REQUEST, "must specify one of -f and -k");
	if (r == 0 && o->raw)
		return create_raw(&w, err);
	if (r == 0)
		r = kubectl_read_files(w.k, &o->files, &w.items, err);
	if (r == 0 && o->edit)
		return edit_first(&w, err);
	if (r == 0)
		r = kubectl_select(w.k, o->selector, &w.items, err);
	if (r == 0 && !w.items.n)
		return err_set(err, ERR_BAD_REQUEST, "no objects passed to create");
	for (size_t i = 0; i < w.items.n && r == 0; i++)
		if (create_one(&w, &w.items.v[i], "created", err) < 0) {
			kubectl_note_about(w.k, &w.items.v[i], "creating", err);
			*err = ERR_INIT;
		}
	return r;
}

const struct cmd kubectl_create = {
	.path = "create",
	.args = "-f FILE [OPTIONS]",
	.help = "Create the objects of files",
	.opts = create_opts,
	.opts_size = sizeof(struct write_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = create_run,
};

/* ---- replace ---- */

static const struct opt replace_opts[] = {
	DELETE_ROWS(struct write_opts, how), WRITE_ROWS(struct write_opts, "kubectl-replace"),
	OPT(struct write_opts, STR, sub, "subresource", 0, "Of this subresource: status, scale"),
	OPT_END
};

/* An object that says no version is put over whatever is there. */
static int replace_one(struct writing *w, const struct kubectl_item *it, struct err *err)
{
	struct kubectl_send s = { .method = "PUT",
				  .sub = w->o->sub,
				  .manager = w->manager,
				  .validation = w->validation,
				  .dry_run = kubectl_dry_word(w->dry),
				  .body = it->obj };
	struct kubectl_send get = { .sub = w->o->sub };
	struct doc *got = it->obj;
	int r = w->o->save ? kubectl_save_config(w->k, it->obj, err) : 0;

	if (r == 0 && w->dry == DRY_CLIENT)
		return kubectl_done(&w->print, it->obj, "replaced", w->dry, err);
	if (r == 0 && !doc_find(it->obj, "metadata.resourceVersion")) {
		const struct doc *version;

		/* What cannot be had is for the server to judge, with the object. */
		version = kubectl_send(w->k, it, &get, &got, NULL) == 0
				  ? doc_find(got, "metadata.resourceVersion")
				  : NULL;
		if (version)
			doc_set(w->k->arena, doc_get(it->obj, "metadata"), "resourceVersion",
				*version);
	}
	if (r == 0)
		r = kubectl_send(w->k, it, &s, &got, err);
	return r == 0 ? kubectl_done(&w->print, got, "replaced", w->dry, err) : r;
}

/* --force: away with all of them, and only when they are gone the new ones. */
static int replace_anew(struct writing *w, struct deleting *d, struct err *err)
{
	int64_t end;
	int r;

	d->items = w->items;
	d->ignore_missing = true;
	d->names_only = w->print.form == PRINT_NAME;
	r = delete_all(d, err);
	if (r < 0 || d->failed)
		return r;
	end = clock_mono() + (d->time > 0 ? d->time : GONE_WITHIN);
	for (size_t i = 0; i < w->items.n && r == 0; i++)
		r = kubectl_wait_gone(w->k, &w->items.v[i], NULL, end, err);
	if (r == -ERR_TIMEOUT)
		return err_set(err, ERR_TIMEOUT, "context deadline exceeded");
	for (size_t i = 0; i < w->items.n && r == 0; i++)
		if (create_one(w, &w->items.v[i], "replaced", err) < 0) {
			kubectl_note(w->k, err);
			*err = ERR_INIT;
		}
	if (r == 0 && !w->items.n)
		return err_set(err, ERR_BAD_REQUEST, "no objects passed to replace");
	return r;
}

static int check_force(const struct writing *w, const struct deleting *d, struct err *err)
{
	if (d->grace >= 0 && !w->o->how.force)
		return err_set(err, ERR_BAD_REQUEST, "--grace-period must have --force specified");
	if (d->time && !w->o->how.force)
		return err_set(err, ERR_BAD_REQUEST, "--timeout must have --force specified");
	if (w->o->how.force && w->dry != DRY_NONE)
		return err_set(err, ERR_BAD_REQUEST,
			       "--dry-run can not be used when --force is set");
	return 0;
}

static int replace_run(struct cmd_call *call, struct err *err)
{
	const struct write_opts *o = call->opts;
	struct writing w = { .k = kubectl_of(call), .manager = "kubectl-replace" };
	struct deleting d = { 0 };
	int r = prepare(&w, o, err);

	if (r == 0)
		r = delete_read(&d, w.k, &o->how, err);
	if (d.grace == 0) {
		d.grace = 1; /* nothing is put where the old one may still run */
		d.wait = true;
	}
	if (r == 0 && !o->files.names.n)
		return err_set(err, ERR_BAD_REQUEST, "must specify one of -f and -k");
	if (r == 0)
		r = check_force(&w, &d, err);
	if (r == 0 && o->raw)
		return kubectl_raw_file(w.k, "PUT", o->raw, &o->files, o->form.output, err);
	if (r == 0 && o->how.force && call->nargs)
		return kubectl_files_alone(err);
	if (r == 0)
		r = kubectl_read_files(w.k, &o->files, &w.items, err);
	if (r == 0 && o->how.force)
		return replace_anew(&w, &d, err);
	for (size_t i = 0; i < w.items.n && r == 0; i++)
		if (replace_one(&w, &w.items.v[i], err) < 0) {
			kubectl_note_about(w.k, &w.items.v[i], "replacing", err);
			*err = ERR_INIT;
		}
	return r;
}

const struct cmd kubectl_replace = {
	.path = "replace",
	.args = "-f FILE [OPTIONS]",
	.help = "Put the objects of files in the place of those that are there",
	.opts = replace_opts,
	.opts_size = sizeof(struct write_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_ADVANCED,
	.run = replace_run,
};
