/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kubectl edit` and `apply edit-last-applied`: objects as a file in the user's editor, and what
 * was changed in it as a patch. `create --edit`: objects of files before they are created. What the
 * server refuses is shown in the file, which is opened again. The file is nobody else's; it stays
 * only when what was typed could not be saved.
 */
#include "cli/kubectl/kubectl-edit.h"
#include "cli/kubectl/kubectl-child.h"
#include "cli/kubectl/kubectl-cmds.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "doc/doc.h"
#include "doc/json.h"
#include "doc/patch.h"
#include "doc/yaml.h"
#include "linux/sys.h"

#include <fcntl.h>
#include <stdlib.h>

#define WORDS_MAX 64
#define MERGE_PATCH "application/merge-patch+json"

#define EDIT_ROWS(type, by)                                                    \
	KUBECTL_FORM_ROWS(type, form), KUBECTL_MANAGER_ROW(type, manager, by), \
		KUBECTL_FILE_ROWS(type), KUBECTL_VALIDATE_ROW(type, validate), \
		EDIT_CRLF_ROW(type, crlf)

static const struct opt edit_opts[] = {
	EDIT_ROWS(struct edit_opts, "kubectl-edit"),
	OPT(struct edit_opts, BOOL, patch, "output-patch", 0, "Print the patch, too"),
	OPT(struct edit_opts, BOOL, save, "save-config", 0,
	    "Keep the object in its annotation, for apply"),
	OPT(struct edit_opts, STR, sub, "subresource", 0, "Of this subresource: status, scale"),
	OPT_END
};
static const struct opt last_opts[] = { EDIT_ROWS(struct edit_opts, "kubectl-edit"), OPT_END };

struct editing {
	struct kubectl *k;
	const struct edit_opts *o;
	struct kubectl_print print;
	const char *validation, *manager, *ending;
	bool last; /* what was applied last is edited */
	bool make; /* it is not there yet */
	bool json;
	struct kubectl_items items; /* obj: what is edited */
	struct buf reasons;	    /* lines of the file's head: what was wrong */
	const char *file;	    /* with what was typed, NULL = none */
	bool retryable, missing, again;
};

/* ---- the file ---- */

static void add_comment(struct buf *out, const char *text)
{
	buf_adds(out, "# ");
	for (const char *c = text; *c; c++) {
		buf_addc(out, *c);
		if (*c == '\n' && c[1] && c[1] != '#')
			buf_adds(out, "# ");
	}
	buf_addc(out, '\n');
}

static void add_head(struct editing *e, struct buf *out)
{
	if (e->json)
		return;
	buf_adds(out,
		 e->last ? "# Edit what was applied last, as the annotation has it. Lines that "
			   "begin with a '#' are ignored;\n# an empty file ends the edit.\n#\n"
			 : "# Edit the object below. Lines that begin with a '#' are ignored; "
			   "an empty file ends\n# the edit. What is wrong when the file is saved "
			   "is told here, and the file opened again.\n#\n");
	buf_add(out, e->reasons.p, e->reasons.n);
}

static struct doc *all_of(struct editing *e)
{
	struct arena *a = e->k->arena;
	struct doc *list, *items;

	if (e->items.n == 1)
		return kubectl_unmanaged(a, e->items.v[0].obj);
	list = doc_new_object(a);
	doc_set_str(a, list, "apiVersion", "v1");
	items = doc_set_array(a, list, "items");
	for (size_t i = 0; i < e->items.n; i++) {
		struct doc *one = kubectl_unmanaged(a, e->items.v[i].obj);

		if (one)
			doc_append(a, items, *one);
	}
	doc_set_str(a, list, "kind", "List");
	doc_set_object(a, list, "metadata");
	return list;
}

static int print_all(struct editing *e, const struct doc *all, struct buf *out, struct err *err)
{
	struct json_style json = { .indent = "    ", .order = JSON_SORTED, .html = true };
	struct yaml_style yaml = { .sorted = true };
	int r = e->json ? json_write(all, &json, out, err) : yaml_write(all, &yaml, out, err);

	if (e->json)
		buf_addc(out, '\n');
	return r;
}

static bool is_comment(struct slice line)
{
	line = slice_trim(line);
	return line.n && *line.p == '#';
}

/* What was typed, without comments and carriage returns. */
static const char *stripped(struct editing *e, struct slice text, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(KUBECTL_FILE_MAX);
	const char *copy;

	while (text.p && text.n) {
		struct slice line = slice_split(&text, '\n');

		if (is_comment(line) || (!b.n && !slice_trim(line).n))
			continue;
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		buf_add(&b, line.p, line.n);
		buf_addc(&b, '\n');
	}
	copy = arena_strndup(e->k->arena, buf_str(&b), b.n);
	if (!copy)
		(void)arena_quota(e->k->arena, err);
	return copy;
}

static const char *with_crlf(struct editing *e, struct buf *text)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(KUBECTL_FILE_MAX);

	for (size_t i = 0; i < text->n; i++) {
		if (text->p[i] == '\n')
			buf_addc(&b, '\r');
		buf_addc(&b, text->p[i]);
	}
	return arena_strndup(e->k->arena, buf_str(&b), b.n);
}

/* ---- the editor ---- */

static const char *env(const char *name)
{
	const char *s = getenv(name);

	return s && *s ? s : NULL;
}

/* Words of KUBE_EDITOR or EDITOR; what has quotes goes through the shell. */
static int editor_words(struct editing *e, const char *path, char *words[WORDS_MAX],
			const char **ret_editor, struct err *err)
{
	struct arena *a = e->k->arena;
	const char *editor = env("KUBE_EDITOR") ? env("KUBE_EDITOR") : env("EDITOR");
	size_t n = 0;

	if (!editor)
		editor = "vi";
	*ret_editor = editor;
	if (strpbrk(editor, "\"'\\")) {
		words[n++] = arena_strdup(a, env("SHELL") ? env("SHELL") : "/bin/bash");
		words[n++] = (char *)"-c";
		words[n++] = arena_printf(a, "%s \"%s\"", editor, path);
	} else {
		for (struct slice rest = slice_str(editor); rest.p && n + 2 < WORDS_MAX;) {
			struct slice one = slice_split(&rest, ' ');

			words[n++] = arena_strndup(a, one.p, one.n);
		}
		words[n++] = arena_strdup(a, path);
	}
	words[n] = NULL;
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static int launch(struct editing *e, const char *path, struct err *err)
{
	char *words[WORDS_MAX];
	const char *editor;
	int status, r = editor_words(e, path, words, &editor, err);

	if (r < 0)
		return r;
	if (child_run(e->k, words, &status, err) < 0)
		return err_set(err, ERR_NOT_FOUND, "unable to launch the editor \"%s\"", editor);
	if (status)
		return err_set(err, ERR_SYSTEM, "there was a problem with the editor \"%s\"",
			       editor);
	return 0;
}

static void forget(const char *path)
{
	if (path)
		(void)sys_unlinkat(AT_FDCWD, path, 0); /* of a file of ours in TMPDIR */
}

/* Writes, lets the user edit, reads: *ret lies in the arena. */
static int edit_text(struct editing *e, struct buf *text, const char **ret_path, struct slice *ret,
		     struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(KUBECTL_FILE_MAX);
	const char *path = child_name(e->k, "kubectl-edit-", e->ending), *copy;
	struct slice now = buf_slice(text);
	int r;

	if (e->o->crlf)
		now = slice_str(with_crlf(e, text));
	if (!path || (e->o->crlf && !now.p))
		return arena_quota(e->k->arena, err);
	r = child_write(path, now, err);
	if (r < 0)
		return r;
	r = launch(e, path, err);
	if (r == 0)
		r = fd_read_file(AT_FDCWD, path, &b, err);
	if (r < 0) {
		forget(path);
		return r;
	}
	copy = arena_strndup(e->k->arena, buf_str(&b), b.n);
	*ret = slice_of(copy, b.n);
	*ret_path = path;
	return copy ? 0 : arena_quota(e->k->arena, err);
}

/* ---- what was changed ---- */

static const char *resource_of(struct kubectl *k, const struct resource *r)
{
	return arena_printf(k->arena, "%s%s%s", r->name, *r->group ? "." : "", r->group);
}

/* Tells of it, and what comes of the file. */
static void refused(struct editing *e, const struct kubectl_item *it, const struct err *err)
{
	struct kubectl *k = e->k;
	const struct doc *status = client_failure(k->client);
	const char *res = resource_of(k, it->res), *reason = kubectl_text(k, status, "reason");

	if (!status || strcmp(reason, "Invalid") == 0) {
		buf_addf(&k->errors, "error: %s \"%s\" is invalid\n", res, it->name);
		add_comment(&e->reasons,
			    arena_printf(k->arena, "%s \"%s\" was not valid:", res, it->name));
		if (!status)
			add_comment(&e->reasons, err->msg);
		DOC_EACH (c, doc_find(status, "details.causes"))
			add_comment(&e->reasons,
				    arena_printf(k->arena, "* %s: %s", kubectl_text(k, c, "field"),
						 kubectl_text(k, c, "message")));
		buf_adds(&e->reasons, "#\n");
		e->again = true;
	} else if (strcmp(reason, "NotFound") == 0) {
		buf_addf(&k->errors, "error: %s \"%s\" could not be found on the server\n", res,
			 it->name);
		e->missing = true;
	} else {
		buf_addf(&k->errors, "error: %s \"%s\" could not be patched: %s\n", res, it->name,
			 kubectl_text(k, status, "message"));
		e->retryable = true;
	}
}

static const struct kubectl_item *original_of(struct editing *e, const struct doc *obj)
{
	const struct doc *uid = doc_find(obj, "metadata.uid");

	for (size_t i = 0; i < e->items.n; i++) {
		const struct kubectl_item *it = &e->items.v[i];

		if (uid ? doc_equal(doc_find(it->obj, "metadata.uid"), uid)
			: doc_str_is(doc_find(obj, "metadata.name"), it->name) &&
				    doc_str_is(doc_get(obj, "kind"), it->res->kind))
			return it;
	}
	return NULL;
}

static int told(struct editing *e, const struct doc *obj, const char *what, struct err *err)
{
	return kubectl_done(&e->print, obj, what, DRY_NONE, err);
}

/* The annotation alone is changed: to what was typed. */
static int send_last(struct editing *e, const struct kubectl_item *it, struct doc *obj,
		     struct err *err)
{
	struct json_style style = { .order = JSON_SORTED, .html = true };
	struct doc *patch = doc_new_object(e->k->arena), *notes, *got;
	struct kubectl_send s = { .method = "PATCH",
				  .type = MERGE_PATCH,
				  .manager = e->manager,
				  .validation = e->validation,
				  .body = patch };
	struct slice text;

	if (json_print(e->k->arena, obj, &style, &text, err) < 0)
		return err_ret(err);
	notes = doc_set_object(e->k->arena, doc_set_object(e->k->arena, patch, "metadata"),
			       "annotations");
	doc_set_strf(e->k->arena, notes, KUBECTL_LAST_APPLIED, "%.*s\n", (int)text.n, text.p);
	return patch ? kubectl_send(e->k, it, &s, &got, err) : arena_quota(e->k->arena, err);
}

static bool same_at(const struct doc *a, const struct doc *b, const char *path)
{
	return doc_equal(doc_find(a, path), doc_find(b, path));
}

static int send_change(struct editing *e, const struct kubectl_item *it, struct doc *obj,
		       struct err *err)
{
	struct doc patch, *got, *before = kubectl_unmanaged(e->k->arena, it->obj);
	struct kubectl_send s = { .method = "PATCH",
				  .sub = e->o->sub,
				  .manager = e->manager,
				  .validation = e->validation,
				  .body = &patch };
	struct json_style style = { .order = JSON_SORTED, .html = true };
	struct slice text;
	int r;

	if (!before)
		return arena_quota(e->k->arena, err);
	if (!same_at(before, obj, "apiVersion") || !same_at(before, obj, "kind") ||
	    !same_at(before, obj, "metadata.name"))
		return err_set(err, ERR_INVALID,
			       "At least one of apiVersion, kind and name was changed");
	r = e->o->save ? kubectl_save_config(e->k, obj, err) : 0;
	if (r == 0)
		r = kubectl_change(e->k, it->res, before, obj, &patch, &s.type, err);
	if (r < 0)
		return r;
	if (e->o->patch) {
		if (json_print(e->k->arena, &patch, &style, &text, err) < 0)
			return err_ret(err);
		buf_addf(&e->k->out, "Patch: %.*s\n", (int)text.n, text.p);
	}
	r = kubectl_send(e->k, it, &s, &got, err);
	return r == 0 ? told(e, got, "edited", err) : r;
}

/* create --edit: whatever it has become, in the namespace of the call. */
static int make_one(struct editing *e, struct doc *obj, struct err *err)
{
	struct kubectl *k = e->k;
	struct kubectl_item it;
	struct kubectl_send s = { .method = "POST",
				  .collection = true,
				  .manager = e->manager,
				  .validation = e->validation,
				  .body = obj };
	struct doc *got;
	int r = kubectl_item_of(k, obj, &it, err);

	if (r == -ERR_NOT_FOUND && !client_failure(k->client)) {
		add_comment(&e->reasons, err->msg);
		*err = ERR_INIT;
		e->again = true;
		return 0;
	}
	if (r == 0 && it.space && strcmp(it.space, k->conf.space) != 0)
		return kubectl_wrong_space(it.space, k->conf.space, err);
	if (r == 0 && e->o->save)
		r = kubectl_save_config(k, obj, err);
	if (r == 0)
		r = kubectl_send_new(k, &it, &s, &got, err);
	return r == 0 ? told(e, got, "created", err) : r;
}

static int change_one(struct editing *e, struct doc *obj, struct err *err)
{
	const struct kubectl_item *it = e->make ? NULL : original_of(e, obj);
	int r;

	if (e->make)
		return make_one(e, obj, err);
	if (!it)
		return err_set(err, ERR_INVALID, "no original object found for %s",
			       kubectl_text(e->k, obj, "metadata.name"));
	if (doc_equal(kubectl_unmanaged(e->k->arena, it->obj), obj))
		return told(e, obj, "skipped", err);
	if (e->last) {
		r = send_last(e, it, obj, err);
		return r == 0 ? told(e, obj, "edited", err) : r;
	}
	r = send_change(e, it, obj, err);
	if (r < 0 && client_failure(e->k->client)) {
		refused(e, it, err);
		*err = ERR_INIT;
		return 0;
	}
	return r;
}

/* ---- round and round ---- */

/* One object, or a List of them, each with a kind. */
static int read_edited(struct editing *e, const char *text, struct doc **ret, struct err *err)
{
	struct doc *all;
	int r = yaml_read(e->k->arena, slice_str(text), NULL, &all, err);

	if (r < 0)
		return r;
	if (!doc_is(all, DOC_OBJECT) || !doc_is(doc_get(all, "kind"), DOC_STRING))
		return err_set(err, ERR_INVALID, "the file has no kind");
	if (!doc_is(doc_get(all, "apiVersion"), DOC_STRING))
		return err_set(err, ERR_INVALID, "the file has no apiVersion");
	*ret = all;
	return 0;
}

static int stored(struct editing *e, const char *path)
{
	buf_addf(&e->k->errors, "A copy of your changes has been stored to \"%s\"\n", path);
	return 0;
}

/* 1: once more. */
static int finish(struct editing *e, const char *path)
{
	if (e->retryable) {
		buf_addf(&e->k->errors,
			 "You can run `kubectl replace -f %s` to try this update again.\n", path);
		e->k->failed = true;
		e->k->first_note = e->k->errors.n;
		return 0;
	}
	if (e->missing) {
		buf_addf(&e->k->errors,
			 "The edits you made on deleted resources have been saved to \"%s\"\n",
			 path);
		e->k->failed = true;
		e->k->first_note = e->k->errors.n;
		return 0;
	}
	if (e->again) {
		e->file = path;
		return 1;
	}
	forget(path);
	return 0;
}

static int save_edited(struct editing *e, struct doc *all, const char *path, struct err *err)
{
	const struct doc *list = doc_get(all, "items");
	int r = 0;

	if (doc_is(list, DOC_ARRAY) && doc_str_is(doc_get(all, "kind"), "List")) {
		DOC_EACH (obj, list)
			if (r == 0)
				r = change_one(e, obj, err);
	} else {
		r = change_one(e, all, err);
	}
	if (r < 0) {
		stored(e, path);
		return r;
	}
	return finish(e, path);
}

/* One look of the user at the file. *typed: what was typed the time before. 1: once more. */
static int round_of(struct editing *e, const struct doc *before, const char **typed,
		    struct err *err)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(KUBECTL_FILE_MAX);
	const char *path = NULL, *now, *first = "";
	struct slice raw;
	struct doc *all;
	int r = 0;

	add_head(e, &text);
	if (*typed)
		buf_adds(&text, *typed);
	else
		r = print_all(e, before, &text, err);
	if (r == 0 && e->make)
		first = stripped(e, buf_slice(&text), err);
	if (r == 0)
		r = first ? edit_text(e, &text, &path, &raw, err) : err_ret(err);
	if (r < 0)
		return r;
	now = stripped(e, raw, err);
	if (!now)
		return err_ret(err);
	if (*typed && strcmp(*typed, now) == 0) {
		forget(e->file);
		stored(e, path);
		return err_set(err, ERR_INVALID, "Edit cancelled, no valid changes were saved.");
	}
	forget(e->file);
	e->file = NULL;
	buf_clear(&e->reasons);
	e->again = false;
	*typed = now;
	if (read_edited(e, now, &all, err) < 0) {
		buf_addf(&e->k->errors, "error: %s \"%s\" is invalid\n",
			 resource_of(e->k, e->items.v[0].res), e->items.v[0].name);
		add_comment(
			&e->reasons,
			arena_printf(e->k->arena, "The edited file is not right: %s", err->msg));
		buf_adds(&e->reasons, "#\n");
		*err = ERR_INIT;
		e->file = path;
		return 1;
	}
	if (e->make ? strcmp(now, first) == 0 : doc_equal(before, all)) {
		forget(path);
		buf_adds(&e->k->errors, "Edit cancelled, no changes made.\n");
		return 0;
	}
	return save_edited(e, all, path, err);
}

static int edit_all(struct editing *e, struct err *err)
{
	const struct doc *before = all_of(e);
	const char *typed = NULL;
	int r = before && !arena_exceeded(e->k->arena) ? 1 : arena_quota(e->k->arena, err);

	while (r == 1)
		r = round_of(e, before, &typed, err);
	buf_fini(&e->reasons);
	return r;
}

/* ---- the commands ---- */

static int fetch(struct editing *e, struct err *err)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < e->items.n && r == 0; i++) {
		struct kubectl_send get = { .sub = e->o->sub };
		struct kubectl_item *it = &e->items.v[i];
		struct doc *last;

		r = it->obj && !it->from ? 0 : kubectl_send(e->k, it, &get, &it->obj, err);
		if (r < 0 || !e->last)
			continue;
		r = kubectl_last_applied(e->k, it->obj, &last, err);
		if (r < 0 || !last)
			continue;
		it->obj = last;
		e->items.v[n++] = *it;
	}
	if (e->last)
		e->items.n = n;
	if (r == 0 && !e->items.n)
		return err_set(
			err, ERR_NOT_FOUND,
			e->last ? "no last-applied-configuration annotation found on "
				  "resources, to create the annotation, use command `kubectl "
				  "apply set-last-applied --create-annotation`"
				: "edit cancelled, no objects found");
	return r;
}

static int edit_prepare(struct editing *e, struct err *err)
{
	const char *form = e->o->form.output;

	e->json = form && strcmp(form, "json") == 0;
	e->ending = e->json ? ".json" : ".yaml";
	if (form && *form && !e->json && strcmp(form, "yaml") != 0)
		return err_set(err, ERR_INVALID,
			       "unable to match a printer suitable for the output format \"%s\", "
			       "allowed formats are: json,yaml",
			       form);
	if (kubectl_form_init(&e->o->form, e->k, &e->print, err) < 0)
		return err_ret(err);
	return kubectl_validation(e->o->validate, &e->validation, err);
}

/* Complaints are told behind what the editing itself says. */
static void note_late(struct kubectl *k, const struct err *err, struct buf *late)
{
	struct buf now = k->errors;

	k->errors = *late;
	kubectl_note(k, err);
	*late = k->errors;
	k->errors = now;
}

int edit_create(struct kubectl *k, const struct edit_opts *o, const struct kubectl_items *items,
		struct err *err)
{
	struct editing e = { .k = k,
			     .o = o,
			     .make = true,
			     .manager = o->manager,
			     .reasons = BUF_INIT(KUBECTL_FILE_MAX) };
	struct buf late = BUF_INIT(KUBECTL_FILE_MAX);
	int r = edit_prepare(&e, err);

	for (size_t i = 0; i < items->n && r == 0; i++) {
		e.items = (struct kubectl_items){ .v = &items->v[i], .n = 1 };
		e.file = NULL;
		if (edit_all(&e, err) < 0)
			note_late(k, err, &late);
		*err = ERR_INIT;
	}
	k->first_note = k->errors.n;
	buf_add(&k->errors, late.p, late.n);
	buf_fini(&late);
	return r;
}

static int edit_make(struct cmd_call *call, bool last, struct err *err)
{
	struct editing e = { .k = kubectl_of(call),
			     .o = call->opts,
			     .last = last,
			     .reasons = BUF_INIT(KUBECTL_FILE_MAX) };
	int r = edit_prepare(&e, err);

	e.manager = e.o->manager ? e.o->manager : "kubectl-edit";
	if (r == 0 && !call->nargs && !e.o->files.names.n)
		return kubectl_nothing_given(err);
	if (r == 0)
		r = kubectl_items(call, &e.o->files, 0, &e.items, err);
	if (r == 0 && !e.o->files.names.n)
		r = kubectl_expand(e.k, NULL, NULL, &e.items, err);
	if (r == 0)
		r = fetch(&e, err);
	return r == 0 ? edit_all(&e, err) : r;
}

static int edit_run(struct cmd_call *call, struct err *err)
{
	return edit_make(call, false, err);
}

static int last_run(struct cmd_call *call, struct err *err)
{
	return edit_make(call, true, err);
}

const struct cmd kubectl_edit = {
	.path = "edit",
	.args = "TYPE NAME|TYPE/NAME|-f FILE [OPTIONS]",
	.help = "Edit objects in an editor (KUBE_EDITOR, EDITOR, vi)",
	.opts = edit_opts,
	.opts_size = sizeof(struct edit_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = edit_run,
};

const struct cmd kubectl_apply_edit_last_applied = {
	.path = "apply edit-last-applied",
	.args = "TYPE NAME|TYPE/NAME|-f FILE [OPTIONS]",
	.help = "Edit what was applied last",
	.opts = last_opts,
	.opts_size = sizeof(struct edit_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_ADVANCED,
	.run = last_run,
};
