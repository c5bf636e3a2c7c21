/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kubectl diff`: what apply would change. Each object is written as it is and as it would be (the
 * server says so: a dry run) into two folders, which a program compares.
 */
#include "cli/kubectl/kubectl-child.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-prune.h"
#include "cli/kubectl/kubectl-rows.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"
#include "doc/json.h"
#include "doc/yaml.h"

#include <ctype.h>
#include <stdlib.h>

#define TEXT_MAX (64u << 20)
#define TRIES 4
#define WORDS_MAX 64
#define STATUS_FAILED 2 /* 1: there are differences */

struct diff_opts {
	struct kubectl_files files;
	struct opt_list allow;
	const char *manager, *selector;
	bool take, prune, server, managed;
	int64_t parallel;
};
static const struct opt diff_opts[] = {
	OPT(struct diff_opts, INT, parallel, "concurrency", 0,
	    "How many objects at once; teu kubectl takes one after the other"),
	KUBECTL_MANAGER_ROW(struct diff_opts, manager, "kubectl-client-side-apply"),
	KUBECTL_FILE_ROWS(struct diff_opts),
	OPT(struct diff_opts, BOOL, take, "force-conflicts", 0,
	    "With --server-side: take fields that others own"),
	OPT(struct diff_opts, BOOL, prune, "prune", 0, "Also what --prune would delete"),
	OPT(struct diff_opts, LIST, allow, "prune-allowlist", 0,
	    "GROUP/VERSION/KIND that may be pruned; repeated"),
	OPT(struct diff_opts, STR, selector, "selector", 'l', "Only objects with these labels"),
	OPT(struct diff_opts, BOOL, server, "server-side", 0, "As if the server did it"),
	OPT(struct diff_opts, BOOL, managed, "show-managed-fields", 0, "Keep managedFields"),
	OPT_END
};

struct diffing {
	struct kubectl *k;
	const struct diff_opts *o;
	const char *live, *merged; /* folders */
};

/* ---- both sides of one object ---- */

static int merge_there(struct diffing *d, const struct kubectl_item *it, struct doc **ret,
		       struct err *err)
{
	struct kubectl_send s = { .method = "PATCH",
				  .type = "application/apply-patch+yaml",
				  .manager = d->o->manager ? d->o->manager : "kubectl",
				  .force = d->o->take ? "true" : "false",
				  .dry_run = "All",
				  .body = it->obj };

	return kubectl_send(d->k, it, &s, ret, err);
}

static int merge_here(struct diffing *d, const struct kubectl_item *it, struct doc *live,
		      bool locked, struct doc **ret, struct err *err)
{
	const char *by = d->o->manager ? d->o->manager : "kubectl-client-side-apply";
	struct doc patch;
	struct kubectl_send create = { .method = "POST",
				       .collection = true,
				       .manager = by,
				       .dry_run = "All",
				       .body = it->obj };
	struct kubectl_send s = {
		.method = "PATCH", .manager = by, .dry_run = "All", .body = &patch
	};
	const struct doc *version = doc_find(live, "metadata.resourceVersion");
	struct doc *meta;
	int r;

	if (!live)
		return kubectl_send(d->k, it, &create, ret, err);
	/* What apply keeps in its annotation has annotations, be they empty. */
	meta = doc_get(it->obj, "metadata");
	if (!doc_get(meta, "annotations"))
		doc_set_object(d->k->arena, meta, "annotations");
	r = kubectl_apply_diff(d->k, it->res, live, it->obj, &patch, &s.type, err);
	if (r < 0)
		return r;
	if (locked && version) {
		struct doc copy = doc_object();

		meta = doc_get(&patch, "metadata");
		DOC_EACH_MEMBER (key, value, meta)
			doc_setn(d->k->arena, &copy, slice_of(key->s, key->n), *value);
		doc_set(d->k->arena, &copy, "resourceVersion", *version);
		doc_set(d->k->arena, &patch, "metadata", copy);
	}
	return kubectl_send(d->k, it, &s, ret, err);
}

/* What a Secret holds is not shown; that it differs is. */
static struct doc *masked(struct diffing *d, const struct doc *obj, const struct doc *other,
			  const char *changed)
{
	struct arena *a = d->k->arena;
	struct doc *copy = doc_copy_shared(a, obj), *data = doc_get(copy, "data");
	const struct doc *others = doc_get(other, "data");

	DOC_EACH_MEMBER (key, value, data) {
		const struct doc *o = doc_getn(others, slice_of(key->s, key->n));

		*value = doc_str(a, o && !doc_equal(o, doc_getn(doc_get(obj, "data"),
								slice_of(key->s, key->n)))
					    ? changed
					    : "***");
	}
	return copy;
}

static int write_side(struct diffing *d, const char *folder, const char *name,
		      const struct doc *obj, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(TEXT_MAX);
	struct yaml_style style = { .sorted = true };
	const char *path = arena_printf(d->k->arena, "%s/%s", folder, name);

	if (!path)
		return arena_quota(d->k->arena, err);
	if (doc_is(obj, DOC_OBJECT) && !d->o->managed)
		obj = kubectl_unmanaged(d->k->arena, obj);
	if (obj && yaml_write(obj, &style, &b, err) < 0)
		return err_ret(err);
	return child_write(path, buf_slice(&b), err);
}

/* Names have no "/" (the server sees to it), but an answer may be anyone's. */
static const char *file_name(struct kubectl *k, const struct resource *res, const struct doc *obj)
{
	char *name =
		arena_printf(k->arena, "%s%s%s.%s.%s.%s", res->group, *res->group ? "." : "",
			     res->version, res->kind, kubectl_text(k, obj, "metadata.namespace"),
			     kubectl_text(k, obj, "metadata.name"));

	for (char *c = name; c && *c; c++)
		*c = (char)(*c == '/' ? '_' : *c);
	return name ? name : "object";
}

static int diff_one(struct diffing *d, const struct kubectl_item *it, struct err *err)
{
	struct kubectl_send get = { 0 };
	struct doc *live, *merged;
	const char *name;
	int r = 0;

	for (int i = 0; i < TRIES; i++) {
		*err = ERR_INIT;
		live = NULL;
		r = kubectl_send(d->k, it, &get, &live, err);
		if (r == -ERR_NOT_FOUND && client_failure(d->k->client)) {
			*err = ERR_INIT;
			live = NULL;
			r = 0;
		}
		if (r == 0)
			r = d->o->server ? merge_there(d, it, &merged, err)
					 : merge_here(d, it, live, i + 1 < TRIES, &merged, err);
		/* It was changed meanwhile. */
		if (r != -ERR_CONFLICT || d->o->server)
			break;
	}
	if (r < 0)
		return r;
	name = file_name(d->k, it->res, merged);
	if (strcmp(it->res->kind, "Secret") == 0 && !*it->res->group) {
		struct doc *before = live ? masked(d, live, merged, "*** (before)") : NULL;

		merged = masked(d, merged, live, "*** (after)");
		live = before;
	}
	if (!live && strcmp(it->res->kind, "Secret") == 0)
		live = doc_new(d->k->arena, doc_null()); /* kubectl has it so */
	r = write_side(d, d->live, name, live, err);
	return r == 0 ? write_side(d, d->merged, name, merged, err) : r;
}

static int pruned(struct diffing *d, const struct kubectl_items *items, struct err *err)
{
	struct kubectl_prune p = {
		.k = d->k, .applied = items, .selector = d->o->selector, .allow = &d->o->allow
	};
	struct kubectl_items gone;
	int r = kubectl_prune_find(&p, &gone, err);

	for (size_t i = 0; i < gone.n && r == 0; i++)
		r = write_side(d, d->live, file_name(d->k, gone.v[i].res, gone.v[i].obj),
			       gone.v[i].obj, err);
	return r;
}

/* ---- the program ---- */

static bool is_plain(struct slice word)
{
	for (size_t i = 0; i < word.n; i++)
		if (!isalnum((unsigned char)word.p[i]) && word.p[i] != '-' && word.p[i] != '=')
			return false;
	return word.n;
}

/* KUBECTL_EXTERNAL_DIFF: its flags stand behind the folders; words that are more are left out. */
static int compare(struct diffing *d, struct err *err)
{
	const char *other = getenv("KUBECTL_EXTERNAL_DIFF");
	char *words[WORDS_MAX] = { (char *)"diff", (char *)"-u", (char *)"-N" };
	size_t n = 3;
	int status, r;
	struct slice rest = slice_str(other && *other ? other : NULL), first;

	if (rest.p) {
		first = slice_split(&rest, ' ');
		words[0] = arena_strndup(d->k->arena, first.p, first.n);
		n = 1;
	}
	words[n++] = (char *)d->live;
	words[n++] = (char *)d->merged;
	while (rest.p && n + 1 < WORDS_MAX) {
		struct slice one = slice_split(&rest, ' ');

		if (is_plain(one))
			words[n++] = arena_strndup(d->k->arena, one.p, one.n);
	}
	words[n] = NULL;
	if (!words[0] || arena_exceeded(d->k->arena))
		return arena_quota(d->k->arena, err);
	r = child_run(d->k, words, &status, err);
	if (r < 0)
		return err_wrap(err, "failed to run \"%s\"", words[0]);
	if (status > 1)
		return err_set(err, ERR_SYSTEM, "%s: exit status %d", words[0], status);
	return status;
}

static int diff_all(struct diffing *d, const struct kubectl_items *items, struct err *err)
{
	int r = child_folder(d->k, "LIVE-", &d->live, err);

	if (r == 0)
		r = child_folder(d->k, "MERGED-", &d->merged, err);
	for (size_t i = 0; i < items->n && r == 0; i++)
		r = diff_one(d, &items->v[i], err);
	if (r == 0 && d->o->prune)
		r = pruned(d, items, err);
	return r == 0 ? compare(d, err) : r;
}

static int diff_run(struct cmd_call *call, struct err *err)
{
	struct diffing d = { .k = kubectl_of(call), .o = call->opts };
	struct kubectl_items items;
	int r;

	d.k->failed_status = STATUS_FAILED;
	if (!d.o->files.names.n)
		return err_set(err, ERR_BAD_REQUEST, "must specify one of -f and -k");
	if (call->nargs) {
		(void)err_set(err, ERR_BAD_REQUEST, "Unexpected args: [%s]", call->args[0]);
		return kubectl_usage(d.k, err);
	}
	if (d.o->take && !d.o->server)
		return err_set(err, ERR_BAD_REQUEST,
			       "--force-conflicts only works with --server-side");
	r = kubectl_read_files(d.k, &d.o->files, &items, err);
	if (r == 0)
		r = kubectl_select(d.k, d.o->selector, &items, err);
	if (r == 0)
		r = diff_all(&d, &items, err);
	child_remove(d.live);
	child_remove(d.merged);
	return r;
}

const struct cmd kubectl_diff = {
	.path = "diff",
	.args = "-f FILE [OPTIONS]",
	.help = "Show what apply would change",
	.details = "Exit status: 0 nothing, 1 something differs, more: it failed. "
		   "KUBECTL_EXTERNAL_DIFF "
		   "names another program than diff -u -N.",
	.opts = diff_opts,
	.opts_size = sizeof(struct diff_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_ADVANCED,
	.run = diff_run,
};
