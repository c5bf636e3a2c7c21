/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl wait`: until objects are there, are gone, or say something. */
#include "cli/kubectl/kubectl.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "doc/doc.h"
#include "expr/jsonpath.h"

#define WEEK (7 * 86400 * NS_PER_SEC)

struct wait_opts {
	struct kubectl_files files;
	const char *output, *template, *selector, *fields, *what;
	bool all, spaces, managed, time_given, recursive_given;
	int64_t time;
};
static const struct opt wait_opts[] = {
	OPT(struct wait_opts, BOOL, all, "all", 0, "All objects of the types"),
	OPT(struct wait_opts, BOOL, spaces, "all-namespaces", 'A', "In all namespaces"),
	OPT(struct wait_opts, STR, fields, "field-selector", 0, "Only objects with these fields"),
	OPT(struct wait_opts, LIST, files.names, "filename", 'f', "Objects that are in this file"),
	OPT(struct wait_opts, STR, what, "for", 0,
	    "create, delete, condition=NAME[=VALUE], jsonpath='{PATH}'[=VALUE]"),
	OPT_NOT_SUPPORTED(BOOL, "local", 0, "teu kubectl works on the server's objects"),
	OPT(struct wait_opts, STR, output, "output", 'o', "json, yaml, name, jsonpath=..."),
	OPT_SEEN_AT(struct wait_opts, BOOL, files.recursive, recursive_given, "recursive", 'R',
		    "Folders of --filename with those in them (default true)"),
	OPT(struct wait_opts, STR, selector, "selector", 'l', "Only objects with these labels"),
	OPT(struct wait_opts, BOOL, managed, "show-managed-fields", 0,
	    "Keep managedFields in json and yaml"),
	OPT(struct wait_opts, STR, template, "template", 0, "Template of -o jsonpath"),
	OPT_SEEN_AT(struct wait_opts, DURATION, time, time_given, "timeout", 0,
		    "Give up after this time (default 30s), 0 at once, less than 0 a week"),
	OPT_END
};

struct waiting {
	struct kubectl *k;
	const struct wait_opts *o;
	struct kubectl_print print;
	enum { FOR_CREATE, FOR_DELETE, FOR_CONDITION, FOR_PATH } what;
	const char *name, *value; /* of a condition; value of a path, NULL = any */
	const struct jsonpath *path;
	int64_t end;	 /* monotonic */
	struct doc *met; /* the object that did it */
	bool absent;	 /* it was gone before: nothing is said of it */
};

/* ---- what is waited for ---- */

static int parse_path(struct waiting *w, const char *text, struct err *err)
{
	const char *brace = strrchr(text, '}');
	const char *eq = strchr(brace ? brace : text, '=');
	size_t n = eq ? (size_t)(eq - text) : strlen(text);

	if (!n)
		return err_set(err, ERR_INVALID, "jsonpath expression cannot be empty");
	if (eq && !eq[1])
		return err_set(err, ERR_INVALID,
			       "jsonpath wait has to have a value after equal sign");
	w->what = FOR_PATH;
	w->value = eq ? eq + 1 : NULL;
	return jsonpath_compile_path(slice_of(text, n), w->k->arena, &w->path, err);
}

static int parse_what(struct waiting *w, struct err *err)
{
	const char *what = w->o->what ? w->o->what : "", *eq;

	if (strcasecmp(what, "delete") == 0 || strcasecmp(what, "create") == 0) {
		w->what = strcasecmp(what, "delete") == 0 ? FOR_DELETE : FOR_CREATE;
		return 0;
	}
	if (strncmp(what, "jsonpath=", 9) == 0)
		return parse_path(w, what + 9, err);
	if (strncmp(what, "condition=", 10) != 0)
		return err_set(err, ERR_INVALID, "unrecognized condition: \"%s\"", what);
	w->what = FOR_CONDITION;
	eq = strchr(what + 10, '=');
	w->name = arena_strndup(w->k->arena, what + 10,
				eq ? (size_t)(eq - what - 10) : strlen(what + 10));
	w->value = eq ? eq + 1 : "true";
	return w->name ? 0 : arena_quota(w->k->arena, err);
}

/* A status that speaks of an older generation than the object's says nothing. */
static bool is_stale(const struct doc *obj, const struct doc *condition)
{
	const struct doc *seen = doc_get(condition, "observedGeneration");
	int64_t of = 0, now = 0;

	if (!seen)
		seen = doc_find(obj, "status.observedGeneration");
	return seen && doc_int64(seen, &of) >= 0 &&
	       doc_int64(doc_find(obj, "metadata.generation"), &now) >= 0 && of < now;
}

static bool has_condition(const struct waiting *w, const struct doc *obj)
{
	DOC_EACH (c, doc_find(obj, "status.conditions"))
		if (slice_ieq(doc_slice(doc_get(c, "type")), slice_str(w->name)))
			return !is_stale(obj, c) &&
			       slice_ieq(doc_slice(doc_get(c, "status")), slice_str(w->value));
	return false;
}

/* 1: it says so; 0: not yet. */
static int says(const struct waiting *w, struct arena *a, const struct doc *obj, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	struct jsonpath_found f = { 0 };

	if (w->what == FOR_CREATE)
		return 1;
	if (w->what == FOR_CONDITION)
		return has_condition(w, obj);
	if (w->what != FOR_PATH)
		return 0;
	if (jsonpath_find(w->path, obj, JSONPATH_MISSING_OK, a, &f, err) < 0)
		return err_ret(err);
	if (!f.n || !w->value)
		return f.n > 0;
	if (f.n > 1)
		return err_set(err, ERR_INVALID,
			       "given jsonpath expression matches more than one value");
	kubectl_go_value(f.v[0], &b);
	return slice_is(buf_slice(&b), w->value);
}

/* ---- waiting ---- */

static int on_event(void *arg, struct arena *a, const char *type, struct doc *obj, struct err *err)
{
	struct waiting *w = arg;
	int r;

	if (strcmp(type, "DELETED") == 0)
		return w->what == FOR_DELETE ? 1 : 0;
	r = says(w, a, obj, err);
	if (r == 1)
		w->met = doc_copy(w->k->arena, obj);
	return r;
}

/* Nothing tells when an object comes to be but the watch of its kind. */
static int wait_there(struct waiting *w, const struct kubectl_item *it, struct err *err)
{
	int64_t left = w->end - clock_mono();

	if (left <= 0)
		return 0;
	return kubectl_watch_one(w->k, it, "0", left, on_event, w, err);
}

static int wait_one(struct waiting *w, const struct kubectl_item *it, struct err *err)
{
	struct kubectl_send get = { 0 };
	struct doc *d;
	int r = kubectl_send(w->k, it, &get, &d, err);

	if (r == -ERR_NOT_FOUND && client_failure(w->k->client) &&
	    (w->what == FOR_DELETE || w->what == FOR_CREATE)) {
		*err = ERR_INIT;
		w->absent = w->what == FOR_DELETE;
		return w->absent ? 1 : wait_there(w, it, err);
	}
	if (r == 0) {
		w->met = d;
		r = says(w, w->k->arena, d, err);
	}
	if (r != 0)
		return r;
	if (w->end <= clock_mono())
		return 0;
	r = kubectl_watch_one(w->k, it, kubectl_text(w->k, d, "metadata.resourceVersion"),
			      w->end - clock_mono(), on_event, w, err);
	return r;
}

static int done(struct waiting *w, const struct kubectl_item *it, struct err *err)
{
	struct doc *d = w->met;

	if (!d || !doc_get(d, "kind")) {
		d = doc_new_object(w->k->arena);
		doc_set_str(w->k->arena, d, "apiVersion", it->res->api_version);
		doc_set_str(w->k->arena, d, "kind", it->res->kind);
		doc_set_str(w->k->arena, doc_set_object(w->k->arena, d, "metadata"), "name",
			    it->name);
	}
	return d ? kubectl_done(&w->print, d, "condition met", DRY_NONE, err)
		 : arena_quota(w->k->arena, err);
}

static int too_late(const struct waiting *w, const struct kubectl_item *it, struct err *err)
{
	if (w->o->time_given && !w->o->time)
		return err_set(err, ERR_TIMEOUT, "condition not met for %s/%s", it->res->name,
			       it->name);
	if (w->what == FOR_CREATE)
		return err_set(err, ERR_TIMEOUT, "timed out waiting for the condition");
	return err_set(err, ERR_TIMEOUT, "timed out waiting for the condition on %s/%s",
		       it->res->name, it->name);
}

static int wait_all(struct waiting *w, const struct kubectl_items *items, struct err *err)
{
	for (size_t i = 0; i < items->n; i++) {
		const struct kubectl_item *it = &items->v[i];
		int r;

		w->met = NULL;
		w->absent = false;
		r = wait_one(w, it, err);
		if (r == 1 && !w->absent)
			r = done(w, it, err);
		else if (r == 0)
			r = too_late(w, it, err);
		if (r >= 0)
			r = kubectl_flush(w->k, err);
		if (r < 0) {
			kubectl_note(w->k, err);
			*err = ERR_INIT;
		}
	}
	return 0;
}

static int wait_run(struct cmd_call *call, struct err *err)
{
	struct wait_opts *o = call->opts;
	struct waiting w = { .k = kubectl_of(call), .o = o };
	bool lists = o->all || o->selector || o->fields;
	int64_t time = !o->time_given ? 30 * NS_PER_SEC : o->time < 0 ? WEEK : o->time;
	unsigned flags = KUBECTL_NAMES | (o->spaces ? KUBECTL_ALL_SPACES : 0) |
			 (lists ? KUBECTL_SELECTED : 0);
	struct kubectl_items items;
	int r = parse_what(&w, err);

	if (r == 0)
		r = kubectl_print_init(&w.print, w.k, o->output, o->template, err);
	w.print.managed = o->managed;
	if (r < 0)
		return r;
	if (!call->nargs && !o->files.names.n)
		return kubectl_nothing_given(err);
	if (!o->recursive_given)
		o->files.recursive = true;
	r = kubectl_items(call, &o->files, flags, &items, err);
	w.end = clock_mono() + time;
	if (r == 0 && lists && !o->files.names.n)
		r = kubectl_expand(w.k, o->selector, o->fields, &items, err);
	if (r == 0 && !items.n && w.what != FOR_DELETE)
		return err_set(err, ERR_NOT_FOUND, "no matching resources found");
	return r < 0 ? r : wait_all(&w, &items, err);
}

const struct cmd kubectl_wait = {
	.path = "wait",
	.args = "[OPTIONS] --for=WHAT TYPE NAME|TYPE/NAME|-f FILE",
	.help = "Wait until objects are there, are gone, or say something",
	.opts = wait_opts,
	.opts_size = sizeof(struct wait_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_ADVANCED,
	.run = wait_run,
};
