/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of files as they are: create, replace. And away with them: delete. */
#include "cli/kubectl/kubectl.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "doc/json.h"

#define WEEK (7 * 86400 * NS_PER_SEC)

/* Words of the server about the object of a file. */
static void note_about(struct kubectl *k, const struct kubectl_item *it, const char *doing,
		       const struct err *err)
{
	k->about = arena_printf(k->arena, "error when %s \"%s\"", doing, it->from);
	kubectl_note(k, err);
	k->about = NULL;
}

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

/* ---- create ---- */

struct write_opts {
	struct kubectl_files files;
	const char *output, *template, *validate, *dry, *manager, *sub;
	bool save, managed;
};

#define STR_ROW(type, field, name, letter, help) OPT(type, STR, field, name, letter, help)
#define FILE_ROWS(type)                                                                           \
	OPT(type, LIST, files.names, "filename", 'f', "Objects that are in this file or folder"), \
		OPT_NOT_SUPPORTED(STR, "kustomize", 'k',                                          \
				  "there is no kustomize in teu kubectl yet"),                    \
		OPT(type, BOOL, files.recursive, "recursive", 'R',                                \
		    "Folders of --filename with those in them")
#define PRINT_ROWS(type)                                                            \
	OPT(type, STR, output, "output", 'o',                                       \
	    "json, yaml, name, jsonpath=..., custom-columns=..."),                  \
		OPT(type, STR, template, "template", 0, "Template of -o jsonpath"), \
		OPT(type, BOOL, managed, "show-managed-fields", 0,                  \
		    "Keep managedFields in json and yaml")
#define DRY_HELP "none, client (send nothing) or server (keep nothing)"
#define CHECK_HELP "What the server does with unknown fields: strict (default), warn, ignore"

static const struct opt create_opts[] = {
	STR_ROW(struct write_opts, dry, "dry-run", 0, DRY_HELP),
	OPT_NOT_SUPPORTED(BOOL, "edit", 0, "teu kubectl has no editor yet"),
	STR_ROW(struct write_opts, manager, "field-manager", 0,
		"Who owns the fields (default kubectl-create)"),
	FILE_ROWS(struct write_opts),
	PRINT_ROWS(struct write_opts),
	OPT_NOT_SUPPORTED(STR, "raw", 0, "teu kubectl sends no raw objects yet"),
	OPT(struct write_opts, BOOL, save, "save-config", 0,
	    "Keep the object in its annotation, for apply"),
	OPT_NOT_SUPPORTED(STR, "selector", 'l', "teu kubectl creates all that is in files"),
	STR_ROW(struct write_opts, validate, "validate", 0, CHECK_HELP),
	OPT_END
};

struct writing {
	struct kubectl *k;
	struct kubectl_print print;
	struct kubectl_items items;
	enum kubectl_dry dry;
	const char *validation, *manager;
	bool save;
};

static int create_one(struct writing *w, const struct kubectl_item *it, struct err *err)
{
	struct kubectl_send s = { .method = "POST",
				  .collection = true,
				  .manager = w->manager,
				  .validation = w->validation,
				  .dry_run = kubectl_dry_word(w->dry),
				  .body = it->obj };
	struct doc *got = it->obj;
	int r = w->save ? kubectl_save_config(w->k, it->obj, err) : 0;

	if (r == 0 && w->dry != DRY_CLIENT)
		r = kubectl_send(w->k, it, &s, &got, err);
	return r == 0 ? kubectl_done(&w->print, got, "created", w->dry, err) : r;
}

/* What create and replace begin with: flags, then the objects. */
static int prepare(struct cmd_call *call, struct writing *w, const struct write_opts *o,
		   struct err *err)
{
	int r = o->files.names.n ? 0
				 : err_set(err, ERR_BAD_REQUEST, "must specify one of -f and -k");

	if (r == 0 && call->nargs) {
		(void)err_set(err, ERR_BAD_REQUEST, "Unexpected args: [%s]", call->args[0]);
		return kubectl_usage(w->k, err);
	}
	if (r == 0)
		r = kubectl_dry(o->dry, &w->dry, err);
	if (r == 0)
		r = kubectl_validation(o->validate, &w->validation, err);
	if (r == 0)
		r = kubectl_print_init(&w->print, w->k, o->output, o->template, err);
	w->print.managed = o->managed;
	w->save = o->save;
	if (o->manager)
		w->manager = o->manager;
	return r == 0 ? kubectl_read_files(w->k, &o->files, &w->items, err) : r;
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
	r = prepare(call, &w, o, err);
	for (size_t i = 0; i < w.items.n && r == 0; i++)
		if (create_one(&w, &w.items.v[i], err) < 0) {
			note_about(w.k, &w.items.v[i], "creating", err);
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

/* ---- waiting until objects are gone ---- */

static int is_gone(void *arg, struct arena *a, const char *type, struct doc *obj, struct err *err)
{
	const struct doc *uid = arg;

	(void)a;
	(void)err;
	return strcmp(type, "DELETED") == 0 ||
	       (uid && !doc_equal(doc_find(obj, "metadata.uid"), uid));
}

/* Also gone is what has another uid: somebody made it anew. */
int kubectl_wait_gone(struct kubectl *k, const struct kubectl_item *it, const struct doc *uid,
		      int64_t end, struct err *err)
{
	struct kubectl_send get = { 0 };
	struct doc *d;

	for (;;) {
		int64_t left = end - clock_mono();
		int r = kubectl_send(k, it, &get, &d, err);

		if (r == -ERR_NOT_FOUND) {
			*err = ERR_INIT;
			return 0;
		}
		if (r < 0 || (uid && !doc_equal(doc_find(d, "metadata.uid"), uid)))
			return r < 0 ? r : 0;
		if (left <= 0)
			return err_set(err, ERR_TIMEOUT,
				       "timed out waiting for the condition on %s/%s",
				       it->res->name, it->name);
		r = kubectl_watch_one(k, it, kubectl_text(k, d, "metadata.resourceVersion"), left,
				      is_gone, (void *)uid, err);
		/* History that is over is looked at anew. */
		if (r == -ERR_GONE) {
			*err = ERR_INIT;
			continue;
		}
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

/* ---- delete ---- */

struct delete_opts {
	struct kubectl_files files;
	const char *output, *selector, *fields, *dry, *cascade;
	bool all, spaces, force, ignore_missing, now, wait, wait_given, ignore_given;
	int64_t grace, time;
	bool grace_given;
};
#define DEL_ROW(kind, field, name, letter, help) \
	OPT(struct delete_opts, kind, field, name, letter, help)
static const struct opt delete_opts[] = {
	DEL_ROW(BOOL, all, "all", 0, "All objects of the types"),
	DEL_ROW(BOOL, spaces, "all-namespaces", 'A', "From all namespaces"),
	DEL_ROW(STR, cascade, "cascade", 0,
		"What becomes of objects that it owns: background (default), foreground, orphan"),
	DEL_ROW(STR, dry, "dry-run", 0, DRY_HELP),
	DEL_ROW(STR, fields, "field-selector", 0, "Only objects with these fields"),
	FILE_ROWS(struct delete_opts),
	DEL_ROW(BOOL, force, "force", 0, "At once, without a time of grace"),
	OPT_SEEN_AT(struct delete_opts, INT, grace, grace_given, "grace-period", 0,
		    "Seconds that it may take to end"),
	OPT_SEEN_AT(struct delete_opts, BOOL, ignore_missing, ignore_given, "ignore-not-found", 0,
		    "What is not there is no failure"),
	OPT_NOT_SUPPORTED(BOOL, "interactive", 'i', "teu kubectl asks no questions yet"),
	DEL_ROW(BOOL, now, "now", 0, "As --grace-period=1"),
	DEL_ROW(STR, output, "output", 'o', "name"),
	OPT_NOT_SUPPORTED(STR, "raw", 0, "teu kubectl sends no raw requests yet"),
	DEL_ROW(STR, selector, "selector", 'l', "Only objects with these labels"),
	DEL_ROW(DURATION, time, "timeout", 0, "Give up waiting after this time"),
	OPT_SEEN_AT(struct delete_opts, BOOL, wait, wait_given, "wait", 0,
		    "Until they are gone (default true)"),
	OPT_END
};

struct deleting {
	struct kubectl *k;
	const struct delete_opts *o;
	struct kubectl_items items;
	enum kubectl_dry dry;
	int64_t grace; /* -1 = the object's */
	const char *policy;
	struct doc body;
	const struct doc **uids; /* of what is waited for; NULL = not sent */
	bool ignore_missing, quiet;
};

static int check_delete(struct deleting *d, struct err *err)
{
	static const char *const policies[][2] = { { "background", "Background" },
						   { "foreground", "Foreground" },
						   { "orphan", "Orphan" },
						   { "true", "Background" },
						   { "false", "Orphan" } };
	const struct delete_opts *o = d->o;

	d->grace = o->grace_given ? o->grace : -1;
	if (o->all && o->selector)
		return err_set(err, ERR_BAD_REQUEST,
			       "cannot set --all and --selector at the same time");
	if (o->all && o->fields)
		return err_set(err, ERR_BAD_REQUEST,
			       "cannot set --all and --field-selector at the same time");
	if (o->now && o->grace_given && o->grace >= 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "--now and --grace-period cannot be specified together");
	if (o->output && *o->output && strcmp(o->output, "name") != 0)
		return err_set(err, ERR_INVALID,
			       "unexpected -o output mode: %s. We only support '-o name'",
			       o->output);
	if (o->now)
		d->grace = 1;
	if (d->grace == 0 && !o->force)
		d->grace = 1; /* nobody is told that it may run on */
	if (o->force && d->grace < 0)
		d->grace = 0;
	d->policy = o->cascade ? NULL : "Background";
	for (size_t i = 0; o->cascade && i < ARRAY_LEN(policies); i++)
		if (strcmp(o->cascade, policies[i][0]) == 0)
			d->policy = policies[i][1];
	if (!d->policy)
		return err_set(err, ERR_INVALID,
			       "invalid cascade value (%s). Must be \"background\", "
			       "\"foreground\", or \"orphan\"",
			       o->cascade);
	d->ignore_missing =
		o->ignore_given ? o->ignore_missing : o->all || o->selector || o->fields;
	d->quiet = o->output && *o->output;
	return kubectl_dry(o->dry, &d->dry, err);
}

static const char *kind_of(struct kubectl *k, const struct resource *r)
{
	char *s = arena_printf(k->arena, "%s%s%s", r->kind, *r->group ? "." : "", r->group);

	for (char *c = s; c && *c && *c != '.'; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
	return s ? s : "";
}

static void say_deleted(struct deleting *d, const struct kubectl_item *it)
{
	static const char *const notes[] = {
		[DRY_NONE] = "", [DRY_CLIENT] = " (dry run)", [DRY_SERVER] = " (server dry run)"
	};
	const char *kind = kind_of(d->k, it->res);

	if (d->quiet)
		buf_addf(&d->k->out, "%s/%s\n", kind, it->name);
	else
		buf_addf(&d->k->out, "%s \"%s\" %s%s\n", kind, it->name,
			 d->grace == 0 ? "force deleted" : "deleted", notes[d->dry]);
}

static int delete_one(struct deleting *d, size_t i, struct err *err)
{
	const struct kubectl_item *it = &d->items.v[i];
	struct kubectl_send s = { .method = "DELETE", .body = &d->body };
	struct kubectl_send get = { 0 };
	struct doc *got;
	int r;

	if (d->dry == DRY_CLIENT) {
		r = it->obj && !it->from ? 0 : kubectl_send(d->k, it, &get, &got, err);
	} else {
		r = kubectl_send(d->k, it, &s, &got, err);
		if (r == 0) {
			const struct doc *uid = doc_find(got, "metadata.uid");

			d->uids[i] = uid ? uid : doc_find(got, "details.uid");
			if (!d->uids[i])
				d->uids[i] = got; /* no uid is equal to it: one look will do */
		}
	}
	if (r == -ERR_NOT_FOUND && d->ignore_missing && client_failure(d->k->client)) {
		*err = ERR_INIT;
		return 0;
	}
	if (r == 0)
		say_deleted(d, it);
	return r;
}

static int delete_all(struct deleting *d, struct err *err)
{
	struct kubectl *k = d->k;
	int64_t end = clock_mono() + (d->o->time > 0 ? d->o->time : WEEK);
	int r = 0;

	d->uids = ARENA_ARRAY(k->arena, const struct doc *, d->items.n + 1);
	if (!d->uids)
		return arena_quota(k->arena, err);
	d->body = doc_object();
	doc_set_str(k->arena, &d->body, "propagationPolicy", d->policy);
	if (d->grace >= 0)
		doc_set_int(k->arena, &d->body, "gracePeriodSeconds", d->grace);
	if (d->dry == DRY_SERVER)
		doc_append_str(k->arena, doc_set_array(k->arena, &d->body, "dryRun"), "All");
	if (d->grace == 0)
		kubectl_warn(k, SLICE("Immediate deletion does not wait for confirmation that the "
				      "running resource has been terminated. The resource may "
				      "continue to run on the cluster indefinitely."));
	for (size_t i = 0; i < d->items.n; i++)
		if (k->flags.space && !d->items.v[i].res->namespaced) {
			kubectl_warn(k, SLICE("deleting cluster-scoped resources, not scoped to "
					      "the provided namespace"));
			break;
		}
	for (size_t i = 0; i < d->items.n; i++)
		if (delete_one(d, i, err) < 0) {
			kubectl_note(k, err);
			*err = ERR_INIT;
		}
	if (d->dry != DRY_NONE || (d->o->wait_given && !d->o->wait))
		return 0;
	/* Who waits sees what was asked for already. */
	r = kubectl_flush(k, err);
	for (size_t i = 0; i < d->items.n && r == 0; i++)
		if (d->uids[i])
			r = kubectl_wait_gone(k, &d->items.v[i],
					      d->uids[i]->type == DOC_STRING ? d->uids[i] : NULL,
					      end, err);
	return r;
}

static int delete_run(struct cmd_call *call, struct err *err)
{
	const struct delete_opts *o = call->opts;
	struct deleting d = { .k = kubectl_of(call), .o = o };
	unsigned flags = KUBECTL_NAMES | (o->spaces ? KUBECTL_ALL_SPACES : 0) |
			 (o->all || o->selector || o->fields ? KUBECTL_SELECTED : 0);
	bool lists = flags & KUBECTL_SELECTED;
	int r = check_delete(&d, err);

	if (r < 0)
		return r;
	if (!call->nargs && !o->files.names.n)
		return kubectl_nothing_given(err);
	r = kubectl_items(call, &o->files, flags, &d.items, err);
	if (r == 0 && lists && !o->files.names.n)
		r = kubectl_expand(d.k, o->selector, o->fields, &d.items, err);
	if (r < 0)
		return r;
	if (!d.items.n) {
		buf_adds(&d.k->out, "No resources found\n");
		return 0;
	}
	return delete_all(&d, err);
}

const struct cmd kubectl_delete = {
	.path = "delete",
	.args = "[OPTIONS] TYPE NAME... | TYPE/NAME... | -f FILE",
	.help = "Delete objects",
	.opts = delete_opts,
	.opts_size = sizeof(struct delete_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = delete_run,
};

/* ---- replace ---- */

static const struct opt replace_opts[] = {
	OPT_NOT_SUPPORTED(STR, "cascade", 0, "it goes with --force"),
	STR_ROW(struct write_opts, dry, "dry-run", 0, DRY_HELP),
	STR_ROW(struct write_opts, manager, "field-manager", 0,
		"Who owns the fields (default kubectl-replace)"),
	FILE_ROWS(struct write_opts),
	OPT_NOT_SUPPORTED(BOOL, "force", 0, "delete -f and create -f do that"),
	OPT_NOT_SUPPORTED(INT, "grace-period", 0, "it goes with --force"),
	PRINT_ROWS(struct write_opts),
	OPT_NOT_SUPPORTED(STR, "raw", 0, "teu kubectl sends no raw objects yet"),
	OPT(struct write_opts, BOOL, save, "save-config", 0,
	    "Keep the object in its annotation, for apply"),
	STR_ROW(struct write_opts, sub, "subresource", 0, "Of this subresource: status, scale"),
	OPT_NOT_SUPPORTED(DURATION, "timeout", 0, "it goes with --force"),
	STR_ROW(struct write_opts, validate, "validate", 0, CHECK_HELP),
	OPT_NOT_SUPPORTED(BOOL, "wait", 0, "it goes with --force"),
	OPT_END
};

/* An object that says no version is put over whatever is there. */
static int replace_one(struct writing *w, const struct kubectl_item *it, const char *sub,
		       struct err *err)
{
	struct kubectl_send s = { .method = "PUT",
				  .sub = sub,
				  .manager = w->manager,
				  .validation = w->validation,
				  .dry_run = kubectl_dry_word(w->dry),
				  .body = it->obj };
	struct kubectl_send get = { .sub = sub };
	struct doc *got = it->obj;
	int r = w->save ? kubectl_save_config(w->k, it->obj, err) : 0;

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

static int replace_run(struct cmd_call *call, struct err *err)
{
	const struct write_opts *o = call->opts;
	struct writing w = { .k = kubectl_of(call), .manager = "kubectl-replace" };
	int r = prepare(call, &w, o, err);

	for (size_t i = 0; i < w.items.n && r == 0; i++)
		if (replace_one(&w, &w.items.v[i], o->sub, err) < 0) {
			note_about(w.k, &w.items.v[i], "replacing", err);
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
