/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl apply view-last-applied` and `set-last-applied`: the annotation that apply compares
 * with. */
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-rows.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"
#include "doc/patch.h"
#include "doc/yaml.h"

#define MERGE_PATCH "application/merge-patch+json"

/* ---- view ---- */

struct view_opts {
	struct kubectl_files files;
	const char *output, *selector;
	bool all;
};
static const struct opt view_opts[] = {
	OPT(struct view_opts, BOOL, all, "all", 0, "All objects of the types"),
	KUBECTL_FILE_ROWS(struct view_opts),
	OPT(struct view_opts, STR, output, "output", 'o', "yaml (default) or json"),
	OPT(struct view_opts, STR, selector, "selector", 'l', "Only objects with these labels"),
	OPT_END
};

static int view_one(struct kubectl *k, const struct kubectl_item *it, bool json, struct err *err)
{
	struct json_style style = { .indent = "  " };
	struct yaml_style yaml = { .sorted = true };
	struct kubectl_send get = { 0 };
	struct doc *obj, *last;
	int r = kubectl_send(k, it, &get, &obj, err);

	if (r == 0)
		r = kubectl_last_applied(k, obj, &last, err);
	if (r < 0)
		return r;
	if (!last)
		return 0;
	if (!json)
		return yaml_write(last, &yaml, &k->out, err);
	r = json_write(last, &style, &k->out, err);
	buf_addc(&k->out, '\n');
	return r;
}

static int view_run(struct cmd_call *call, struct err *err)
{
	const struct view_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	bool lists = o->all || o->selector, json = o->output && strcmp(o->output, "json") == 0;
	struct kubectl_items items;
	int r;

	if (o->output && *o->output && !json && strcmp(o->output, "yaml") != 0) {
		(void)err_set(err, ERR_INVALID,
			      "Unexpected -o output mode: %s, the flag 'output' must be one of "
			      "yaml|json",
			      o->output);
		return kubectl_usage(k, err);
	}
	if (!call->nargs && !o->files.names.n)
		return kubectl_nothing_given(err);
	r = kubectl_items(call, &o->files, KUBECTL_NAMES | (lists ? KUBECTL_SELECTED : 0), &items,
			  err);
	if (r == 0 && lists && !o->files.names.n)
		r = kubectl_expand(k, o->selector, NULL, &items, err);
	for (size_t i = 0; i < items.n && r == 0; i++)
		r = view_one(k, &items.v[i], json, err);
	return r;
}

const struct cmd kubectl_apply_view_last_applied = {
	.path = "apply view-last-applied",
	.args = "TYPE NAME|TYPE/NAME|-f FILE [OPTIONS]",
	.help = "Print what was applied last",
	.opts = view_opts,
	.opts_size = sizeof(struct view_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_ADVANCED,
	.run = view_run,
};

/* ---- set ---- */

struct set_opts {
	struct kubectl_files files;
	struct kubectl_form form;
	const char *dry;
	bool create;
};
static const struct opt set_opts[] = { OPT(struct set_opts, BOOL, create, "create-annotation", 0,
					   "Also of objects that apply never made"),
				       KUBECTL_DRY_ROW(struct set_opts, dry),
				       OPT(struct set_opts, LIST, files.names, "filename", 'f',
					   "Objects that are in this file or folder"),
				       KUBECTL_FORM_ROWS(struct set_opts, form), OPT_END };

struct setting {
	struct kubectl *k;
	const struct set_opts *o;
	struct kubectl_print print;
	enum kubectl_dry dry;
};

/* The patch, and what comes of it here. */
static int note_patch(struct kubectl *k, const struct doc *obj, struct doc **ret, struct err *err)
{
	struct json_style style = { .order = JSON_SORTED, .html = true };
	struct doc *patch = doc_new_object(k->arena), *notes;
	struct slice text;

	if (json_print(k->arena, obj, &style, &text, err) < 0)
		return err_ret(err);
	notes = doc_set_object(k->arena, doc_set_object(k->arena, patch, "metadata"),
			       "annotations");
	doc_set_strf(k->arena, notes, KUBECTL_LAST_APPLIED, "%.*s\n", (int)text.n, text.p);
	*ret = patch;
	return patch ? 0 : arena_quota(k->arena, err);
}

/* What is to be sent about one file's object. */
struct note {
	struct doc *patch, *after;
	bool same;
};

static int look_one(struct setting *s, const struct kubectl_item *it, struct note *n,
		    struct err *err)
{
	struct kubectl *k = s->k;
	struct kubectl_send get = { 0 };
	struct doc *live, *last;
	int r = kubectl_send(k, it, &get, &live, err);

	if (r == 0)
		r = kubectl_last_applied(k, live, &last, err);
	if (r == 0)
		r = note_patch(k, it->obj, &n->patch, err);
	if (r < 0)
		return r;
	if (!last && !s->o->create)
		return err_set(err, ERR_INVALID,
			       "no last-applied-configuration annotation found on resource: %s, "
			       "to create the annotation, run the command with --create-annotation",
			       it->name);
	r = patch_merge(k->arena, live, n->patch, &n->after, err);
	n->same = r == 0 && doc_equal(live, n->after);
	return r;
}

static int set_one(struct setting *s, const struct kubectl_item *it, struct note *n,
		   struct err *err)
{
	struct kubectl_send send = { .method = "PATCH",
				     .type = MERGE_PATCH,
				     .dry_run = kubectl_dry_word(s->dry),
				     .body = n->patch };
	int r = 0;

	if (n->same) {
		buf_addf(&s->k->out, "set-last-applied %s: no changes required.\n", it->name);
		return 0;
	}
	if (s->dry != DRY_CLIENT)
		r = kubectl_send(s->k, it, &send, &n->after, err);
	return r == 0 ? kubectl_done(&s->print, n->after, "configured", s->dry, err) : r;
}

static int set_run(struct cmd_call *call, struct err *err)
{
	struct setting s = { .k = kubectl_of(call), .o = call->opts };
	struct kubectl_items items;
	struct note *notes;
	int r = kubectl_dry(s.o->dry, &s.dry, err);

	if (r == 0)
		r = kubectl_form_init(&s.o->form, s.k, &s.print, err);
	if (r == 0 && !s.o->files.names.n)
		return kubectl_nothing_given(err);
	if (r == 0)
		r = kubectl_read_files(s.k, &s.o->files, &items, err);
	if (r < 0)
		return r;
	notes = ARENA_ARRAY(s.k->arena, struct note, items.n + 1);
	if (!notes)
		return arena_quota(s.k->arena, err);
	/* All or nothing, as far as looking can tell. */
	for (size_t i = 0; i < items.n && r == 0; i++)
		r = look_one(&s, &items.v[i], &notes[i], err);
	for (size_t i = 0; i < items.n && r == 0; i++)
		r = set_one(&s, &items.v[i], &notes[i], err);
	return r;
}

const struct cmd kubectl_apply_set_last_applied = {
	.path = "apply set-last-applied",
	.args = "-f FILE [OPTIONS]",
	.help = "Say that files are what was applied last",
	.opts = set_opts,
	.opts_size = sizeof(struct set_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_ADVANCED,
	.run = set_run,
};
