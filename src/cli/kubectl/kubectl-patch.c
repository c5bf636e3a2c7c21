/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of objects: patch, label, annotate, scale. */
#include "cli/kubectl/kubectl.h"

#include "api/merge.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "doc/json.h"
#include "doc/patch.h"
#include "doc/yaml.h"

#include <fcntl.h>
#include <stdlib.h>

#define PATCH_MAX (16u << 20)
#define MERGE_PATCH "application/merge-patch+json"

#define DRY_HELP "none, client (send nothing) or server (keep nothing)"
#define WORK_ROWS(type)                                                             \
	OPT(type, STR, dry, "dry-run", 0, DRY_HELP),                                \
		OPT(type, STR, manager, "field-manager", 0, "Who owns the fields"), \
		OPT(type, LIST, files.names, "filename", 'f',                       \
		    "Objects that are in this file or folder"),                     \
		OPT_NOT_SUPPORTED(STR, "kustomize", 'k',                            \
				  "there is no kustomize in teu kubectl yet"),      \
		OPT(type, STR, output, "output", 'o',                               \
		    "json, yaml, name, jsonpath=..., custom-columns=..."),          \
		OPT(type, BOOL, files.recursive, "recursive", 'R',                  \
		    "Folders of --filename with those in them"),                    \
		OPT(type, BOOL, managed, "show-managed-fields", 0,                  \
		    "Keep managedFields in json and yaml"),                         \
		OPT(type, STR, template, "template", 0, "Template of -o jsonpath")

#define LOCAL_ROW(type) OPT(type, BOOL, local, "local", 0, "Change what files say; ask no server")

/* ---- patch ---- */

struct patch_opts {
	struct kubectl_files files;
	const char *output, *template, *dry, *manager, *patch, *file, *sub, *type;
	bool managed, local;
};
static const struct opt patch_opts[] = {
	WORK_ROWS(struct patch_opts),
	LOCAL_ROW(struct patch_opts),
	OPT(struct patch_opts, STR, patch, "patch", 'p', "The patch, JSON or YAML"),
	OPT(struct patch_opts, STR, file, "patch-file", 0, "File that has it"),
	OPT(struct patch_opts, STR, sub, "subresource", 0, "Of this subresource: status, scale"),
	OPT(struct patch_opts, STR, type, "type", 0, "strategic (default), merge or json"),
	OPT_END
};

static const struct patch_type {
	const char *name, *content;
} patch_types[] = {
	{ "strategic", "application/strategic-merge-patch+json" },
	{ "merge", MERGE_PATCH },
	{ "json", "application/json-patch+json" },
};

struct patching {
	struct kubectl *k;
	struct kubectl_print print;
	enum kubectl_dry dry;
	bool local;
	const char *sub, *manager;
	const struct patch_type *type;
	struct doc *patch;
};

/* What the server would do, without it. */
static int patch_here(struct patching *p, const struct resource *res, const struct doc *live,
		      struct doc **ret, struct err *err)
{
	struct arena *a = p->k->arena;
	const struct api_type *type;
	struct doc out;
	int r;

	if (p->type == &patch_types[1])
		return patch_merge(a, live, p->patch, ret, err);
	if (p->type == &patch_types[2])
		return patch_apply(a, live, p->patch, NULL, ret, err);
	r = kubectl_type(p->k, res, &type, err);
	if (r < 0)
		return r;
	if (!type)
		return err_set(err, ERR_UNSUPPORTED,
			       "strategic merge patches are for built-in kinds: use --type merge");
	r = api_merge(type, live, p->patch, a, &out, err);
	*ret = r == 0 ? doc_new(a, out) : NULL;
	return r == 0 && !*ret ? arena_quota(a, err) : r;
}

static int patch_one(void *arg, const struct kubectl_item *it, struct err *err)
{
	struct patching *p = arg;
	struct kubectl_send get = { .sub = p->sub };
	struct kubectl_send s = { .method = "PATCH",
				  .sub = p->sub,
				  .type = p->type->content,
				  .manager = p->manager,
				  .dry_run = kubectl_dry_word(p->dry),
				  .body = p->patch };
	struct doc *before = it->obj, *after;
	bool here = p->local || p->dry == DRY_CLIENT;
	int r = p->local ? 0 : kubectl_send(p->k, it, &get, &before, err);

	if (r == 0)
		r = here ? patch_here(p, it->res, before, &after, err)
			 : kubectl_send(p->k, it, &s, &after, err);
	if (r < 0)
		return r;
	return kubectl_done(&p->print, after,
			    doc_equal(before, after) ? "patched (no change)" : "patched", DRY_NONE,
			    err);
}

static int read_patch(struct patching *p, const struct patch_opts *o, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(PATCH_MAX);
	const char *text = o->patch;
	int r;

	if (o->patch && o->file)
		return err_set(err, ERR_BAD_REQUEST,
			       "cannot specify --patch and --patch-file together");
	if (!o->patch && !o->file)
		return err_set(
			err, ERR_BAD_REQUEST,
			"must specify --patch or --patch-file containing the contents of the "
			"patch");
	if (o->file) {
		if (fd_read_file(AT_FDCWD, o->file, &b, err) < 0)
			return err_wrap(err, "unable to read patch file");
		text = arena_strndup(p->k->arena, buf_str(&b), b.n);
		if (!text)
			return arena_quota(p->k->arena, err);
	}
	r = yaml_read(p->k->arena, slice_str(text), NULL, &p->patch, err);
	return r < 0 ? err_wrap(err, "unable to parse \"%.200s\"", text) : 0;
}

static int patch_prepare(struct patching *p, const struct patch_opts *o, struct err *err)
{
	const char *type = o->type ? o->type : "strategic";

	for (size_t i = 0; i < ARRAY_LEN(patch_types); i++)
		if (strcasecmp(type, patch_types[i].name) == 0)
			p->type = &patch_types[i];
	if (!p->type)
		return err_set(err, ERR_INVALID,
			       "--type must be one of [json merge strategic], not \"%s\"", type);
	if (kubectl_dry(o->dry, &p->dry, err) < 0 || read_patch(p, o, err) < 0)
		return err_ret(err);
	return kubectl_print_init(&p->print, p->k, o->output, o->template, err);
}

static int patch_run(struct cmd_call *call, struct err *err)
{
	const struct patch_opts *o = call->opts;
	struct patching p = { .k = kubectl_of(call),
			      .sub = o->sub,
			      .local = o->local,
			      .manager = o->manager ? o->manager : "kubectl-patch" };
	struct kubectl_items items;
	int r = patch_prepare(&p, o, err);

	p.print.managed = o->managed;
	if (r < 0)
		return r;
	if (o->local && call->nargs)
		return err_set(err, ERR_BAD_REQUEST, "cannot specify --local and server resources");
	if (o->local && p.dry == DRY_SERVER)
		return kubectl_local_dry(err);
	if (!call->nargs && !o->files.names.n)
		return kubectl_nothing_given(err);
	r = o->local ? kubectl_read_local(p.k, &o->files, &items, err)
		     : kubectl_items(call, &o->files, KUBECTL_NAMES, &items, err);
	return r < 0 ? r : kubectl_each(p.k, &items, patch_one, &p, err);
}

const struct cmd kubectl_patch = {
	.path = "patch",
	.args = "TYPE NAME|TYPE/NAME|-f FILE -p PATCH",
	.help = "Change fields of objects by a patch",
	.opts = patch_opts,
	.opts_size = sizeof(struct patch_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_ADVANCED,
	.run = patch_run,
};

/* ---- label, annotate ---- */

struct mark_opts {
	struct kubectl_files files;
	const char *output, *template, *dry, *manager, *selector, *fields, *version;
	bool managed, all, spaces, list, overwrite, local;
};
static const struct opt mark_opts[] = {
	OPT(struct mark_opts, BOOL, all, "all", 0, "All objects of the types"),
	OPT(struct mark_opts, BOOL, spaces, "all-namespaces", 'A', "In all namespaces"),
	OPT(struct mark_opts, STR, fields, "field-selector", 0, "Only objects with these fields"),
	OPT(struct mark_opts, BOOL, list, "list", 0, "Print what there is"),
	OPT(struct mark_opts, BOOL, overwrite, "overwrite", 0, "Values may take others' places"),
	OPT(struct mark_opts, STR, version, "resource-version", 0, "Only if it is of this version"),
	OPT(struct mark_opts, STR, selector, "selector", 'l', "Only objects with these labels"),
	LOCAL_ROW(struct mark_opts),
	WORK_ROWS(struct mark_opts),
	OPT_END
};

struct marking {
	struct kubectl *k;
	const struct mark_opts *o;
	struct kubectl_print print;
	enum kubectl_dry dry;
	bool labels; /* else annotations */
	bool several;
	char **pairs; /* "a=b", "a-" */
	size_t n;
};

static const char *member(const struct marking *m)
{
	return m->labels ? "labels" : "annotations";
}

static const char *one_of(const struct marking *m)
{
	return m->labels ? "label" : "annotation";
}

static bool is_pair(const char *s)
{
	size_t n = strlen(s);

	return strchr(s, '=') || (n > 1 && s[n - 1] == '-');
}

static int by_key_text(const void *x, const void *y)
{
	const struct doc *a = x, *b = y;

	return slice_cmp(slice_of(a->s, a->n), slice_of(b->s, b->n));
}

static int list_marks(struct marking *m, const struct kubectl_item *it, const struct doc *d)
{
	const struct doc *marks = doc_get(doc_get(d, "metadata"), member(m));
	struct doc sorted = doc_array();

	if (m->several)
		buf_addf(&m->k->out, "Listing %s for %s.%s/%s:\n", member(m), it->res->kind,
			 it->res->group, it->name);
	DOC_EACH_MEMBER (key, value, marks) {
		doc_append(m->k->arena, &sorted, *key);
		(void)value;
	}
	if (sorted.n)
		qsort(sorted.kids, sorted.n, sizeof(*sorted.kids), by_key_text);
	DOC_EACH (key, &sorted) {
		struct slice v = doc_slice(doc_getn(marks, slice_of(key->s, key->n)));

		buf_addf(&m->k->out, "%s%.*s=%.*s\n", m->several ? " " : "", (int)key->n, key->s,
			 (int)v.n, v.n ? v.p : "");
	}
	return 0;
}

/* Fills the patch's member: a value for each "a=b", null for each "a-" that is there. */
static int make_marks(struct marking *m, const struct doc *old, struct doc *ret, struct err *err)
{
	for (size_t i = 0; i < m->n; i++) {
		const char *eq = strchr(m->pairs[i], '=');
		size_t n = eq ? (size_t)(eq - m->pairs[i]) : strlen(m->pairs[i]) - 1;
		struct slice key = slice_of(m->pairs[i], n), v;

		v = doc_slice(doc_getn(old, key));
		if (!eq) {
			if (!doc_getn(old, key) && (m->o->local || m->o->list))
				continue;
			if (m->labels && !doc_getn(old, key))
				buf_addf(&m->k->out, "label \"%.*s\" not found.\n", (int)n, key.p);
			else
				doc_setn(m->k->arena, ret, key, doc_null());
			continue;
		}
		if (doc_getn(old, key) && !m->o->overwrite && !slice_is(v, eq + 1)) {
			if (m->labels)
				return err_set(err, ERR_CONFLICT,
					       "'%.*s' already has a value (%.*s), and --overwrite "
					       "is false",
					       (int)n, key.p, (int)v.n, v.p);
			return err_set(err, ERR_CONFLICT,
				       "--overwrite is false but found the following declared "
				       "annotation(s): '%.*s' already has a value (%.*s)",
				       (int)n, key.p, (int)v.n, v.p);
		}
		doc_setn(m->k->arena, ret, key, doc_str(m->k->arena, eq + 1));
	}
	return 0;
}

/* kubectl tells more from less by the length of the JSON. */
static const char *mark_word(const struct marking *m, const struct doc *before,
			     const struct doc *after)
{
	struct slice a, b;

	if (!m->labels)
		return "annotated";
	if (doc_equal(before, after))
		return "not labeled";
	if (json_print(m->k->arena, before, NULL, &a, NULL) == 0 &&
	    json_print(m->k->arena, after, NULL, &b, NULL) == 0 && !m->o->overwrite && b.n < a.n)
		return "unlabeled";
	return "labeled";
}

static int mark_one(void *arg, const struct kubectl_item *it, struct err *err)
{
	struct marking *m = arg;
	struct arena *a = m->k->arena;
	struct kubectl_send get = { 0 };
	struct doc marks = doc_object(), patch = doc_object(), *meta, *live, *after;
	struct kubectl_send s = { .method = "PATCH",
				  .type = MERGE_PATCH,
				  .manager = m->o->manager ? m->o->manager
					     : m->labels   ? "kubectl-label"
							   : "kubectl-annotate",
				  .dry_run = kubectl_dry_word(m->dry),
				  .body = &patch };
	bool here = m->dry == DRY_CLIENT || m->o->local || m->o->list;
	int r = m->o->local ? 0 : kubectl_send(m->k, it, &get, &live, err);

	if (r < 0)
		return r;
	if (m->o->local)
		live = it->obj;
	r = make_marks(m, doc_get(doc_get(live, "metadata"), member(m)), &marks, err);
	if (r < 0)
		return r;
	meta = doc_set_object(a, &patch, "metadata");
	doc_set(a, meta, member(m), marks);
	if (m->o->version)
		doc_set_str(a, meta, "resourceVersion", m->o->version);
	r = patch_merge(a, live, &patch, &after, err);
	if (r == 0 && m->o->list)
		return list_marks(m, it, after);
	if (r == 0 && !here && (!m->labels || !doc_equal(live, after))) {
		const char *word = mark_word(m, live, after);

		r = kubectl_send(m->k, it, &s, &after, err);
		return r == 0 ? kubectl_done(&m->print, after, word, m->dry, err) : r;
	}
	return r == 0 ? kubectl_done(&m->print, after, mark_word(m, live, after), m->dry, err) : r;
}

/* --local: files alone. */
static int check_local(const struct marking *m, const struct cmd_call *call, struct err *err)
{
	const char *like = m->labels ? "pod" : "rsrc";

	if (m->dry == DRY_SERVER)
		return kubectl_local_dry(err);
	if (call->nargs)
		return err_set(err, ERR_BAD_REQUEST,
			       "can only use local files by -f %s.yaml or --filename=%s.json when "
			       "--local=true is set",
			       like, like);
	if (!m->o->files.names.n)
		return err_set(err, ERR_BAD_REQUEST,
			       "one or more files must be specified as -f %s.yaml or "
			       "--filename=%s.json",
			       like, like);
	return 0;
}

/* Objects first, then what is changed. */
static int split_marks(struct marking *m, struct cmd_call *call, struct err *err)
{
	size_t n = 0;

	while (n < call->nargs && !is_pair(call->args[n]))
		n++;
	m->pairs = call->args + n;
	m->n = call->nargs - n;
	for (size_t i = 0; i < m->n; i++)
		if (!is_pair(m->pairs[i]))
			return err_set(err, ERR_BAD_REQUEST,
				       "all resources must be specified before %s changes: %s",
				       one_of(m), m->pairs[i]);
	call->nargs = n;
	if (!n && !m->o->files.names.n && !m->o->local)
		return err_set(err, ERR_BAD_REQUEST,
			       "one or more resources must be specified as <resource> <name> or "
			       "<resource>/<name>");
	if (!m->n && !m->o->list)
		return err_set(err, ERR_BAD_REQUEST, "at least one %s update is required",
			       one_of(m));
	if (m->o->all && (m->o->selector || m->o->fields))
		return err_set(err, ERR_BAD_REQUEST, "cannot set --all and %s at the same time",
			       m->o->selector ? "--selector" : "--field-selector");
	return 0;
}

static int mark_run(struct cmd_call *call, bool labels, struct err *err)
{
	const struct mark_opts *o = call->opts;
	struct marking m = { .k = kubectl_of(call), .o = o, .labels = labels };
	bool lists = o->all || o->selector || o->fields;
	struct kubectl_items items;
	unsigned flags = KUBECTL_NAMES | (o->spaces ? KUBECTL_ALL_SPACES : 0) |
			 (lists ? KUBECTL_SELECTED : 0);
	int r = split_marks(&m, call, err);

	if (r == 0)
		r = kubectl_dry(o->dry, &m.dry, err);
	if (r == 0)
		r = kubectl_print_init(&m.print, m.k, o->output, o->template, err);
	m.print.managed = o->managed;
	if (r == 0 && o->list && o->output && *o->output)
		return err_set(err, ERR_BAD_REQUEST,
			       "--list and --output may not be specified together");
	if (r == 0 && o->local)
		r = check_local(&m, call, err);
	if (r == 0)
		r = o->local ? kubectl_read_local(m.k, &o->files, &items, err)
			     : kubectl_items(call, &o->files, flags, &items, err);
	if (r == 0 && lists && !o->files.names.n)
		r = kubectl_expand(m.k, o->selector, o->fields, &items, err);
	if (r < 0)
		return r;
	m.several = items.n > 1 || (!o->files.names.n && !items.single);
	if (m.several && o->version)
		return err_set(err, ERR_BAD_REQUEST,
			       "--resource-version may only be used with a single resource");
	return kubectl_each(m.k, &items, mark_one, &m, err);
}

static int label_run(struct cmd_call *call, struct err *err)
{
	return mark_run(call, true, err);
}

static int annotate_run(struct cmd_call *call, struct err *err)
{
	return mark_run(call, false, err);
}

const struct cmd kubectl_label = {
	.path = "label",
	.args = "[OPTIONS] TYPE NAME|TYPE/NAME|-f FILE KEY=VALUE|KEY-...",
	.help = "Set and remove labels of objects",
	.opts = mark_opts,
	.opts_size = sizeof(struct mark_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_SETTINGS,
	.run = label_run,
};

const struct cmd kubectl_annotate = {
	.path = "annotate",
	.args = "[OPTIONS] TYPE NAME|TYPE/NAME|-f FILE KEY=VALUE|KEY-...",
	.help = "Set and remove annotations of objects",
	.opts = mark_opts,
	.opts_size = sizeof(struct mark_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_SETTINGS,
	.run = annotate_run,
};

/* ---- scale ---- */

struct scale_opts {
	struct kubectl_files files;
	const char *output, *template, *dry, *manager, *selector, *version;
	int64_t replicas, current;
	bool managed, all, replicas_given, current_given;
};
static const struct opt scale_opts[] = {
	OPT(struct scale_opts, BOOL, all, "all", 0, "All objects of the types"),
	OPT_SEEN_AT(struct scale_opts, INT, current, current_given, "current-replicas", 0,
		    "Only if there are so many now"),
	OPT_SEEN_AT(struct scale_opts, INT, replicas, replicas_given, "replicas", 0,
		    "How many there shall be"),
	OPT(struct scale_opts, STR, version, "resource-version", 0,
	    "Only if it is of this version"),
	OPT(struct scale_opts, STR, selector, "selector", 'l', "Only objects with these labels"),
	OPT_NOT_SUPPORTED(DURATION, "timeout", 0, "teu kubectl does not wait; kubectl wait does"),
	WORK_ROWS(struct scale_opts),
	OPT_END
};

struct scaling {
	struct kubectl *k;
	const struct scale_opts *o;
	struct kubectl_print print;
	enum kubectl_dry dry;
};

/* With a condition: what was looked at is what is changed. */
static int scale_if(struct scaling *c, const struct kubectl_item *it, struct kubectl_send *s,
		    struct err *err)
{
	struct kubectl_send get = { .sub = "scale" };
	struct doc *scale, *got;
	int64_t now = 0;
	int r = kubectl_send(c->k, it, &get, &scale, err);

	if (r < 0)
		return r;
	(void)doc_int64(doc_find(scale, "spec.replicas"), &now); /* absent is 0 */
	if (c->o->current_given && c->o->current >= 0 && now != c->o->current)
		return err_set(err, ERR_CONFLICT, "Expected replicas to be %lld, was %lld",
			       (long long)c->o->current, (long long)now);
	if (c->o->version &&
	    !doc_str_is(doc_find(scale, "metadata.resourceVersion"), c->o->version))
		return err_set(err, ERR_CONFLICT, "Expected resource version to be %s, was %s",
			       c->o->version,
			       kubectl_text(c->k, scale, "metadata.resourceVersion"));
	doc_set_int(c->k->arena, doc_get(scale, "spec"), "replicas", c->o->replicas);
	s->method = "PUT";
	s->type = NULL;
	s->body = scale;
	return kubectl_send(c->k, it, s, &got, err);
}

static int scale_one(void *arg, const struct kubectl_item *it, struct err *err)
{
	struct scaling *c = arg;
	struct doc patch = doc_object(), *live, *got;
	struct kubectl_send get = { 0 };
	struct kubectl_send s = { .method = "PATCH",
				  .sub = "scale",
				  .type = MERGE_PATCH,
				  .manager = c->o->manager,
				  .dry_run = kubectl_dry_word(c->dry),
				  .body = &patch };
	int r = kubectl_send(c->k, it, &get, &live, err);

	if (r == -ERR_NOT_FOUND && client_failure(c->k->client)) {
		(void)err_set(err, ERR_NOT_FOUND,
			      "no objects passed to scale %s%s%s \"%s\" not found", it->res->name,
			      *it->res->group ? "." : "", it->res->group, it->name);
		return err_ret(err);
	}
	doc_set_int(c->k->arena, doc_set_object(c->k->arena, &patch, "spec"), "replicas",
		    c->o->replicas);
	if (r == 0 && c->dry != DRY_CLIENT)
		r = c->o->current_given || c->o->version ? scale_if(c, it, &s, err)
							 : kubectl_send(c->k, it, &s, &got, err);
	return r == 0 ? kubectl_done(&c->print, live, "scaled", c->dry, err) : r;
}

static int scale_run(struct cmd_call *call, struct err *err)
{
	const struct scale_opts *o = call->opts;
	struct scaling c = { .k = kubectl_of(call), .o = o };
	struct kubectl_items items;
	bool lists = o->all || o->selector;
	int r;

	if (!o->replicas_given)
		return err_set(err, ERR_BAD_REQUEST, "required flag(s) \"replicas\" not set");
	if (o->replicas < 0)
		return err_set(err, ERR_INVALID,
			       "The --replicas=COUNT flag is required, and COUNT must be greater "
			       "than or equal to 0");
	if (!call->nargs && !o->files.names.n)
		return kubectl_nothing_given(err);
	r = kubectl_dry(o->dry, &c.dry, err);
	if (r == 0)
		r = kubectl_print_init(&c.print, c.k, o->output, o->template, err);
	c.print.managed = o->managed;
	if (r == 0)
		r = kubectl_items(call, &o->files, KUBECTL_NAMES | (lists ? KUBECTL_SELECTED : 0),
				  &items, err);
	if (r == 0 && lists && !o->files.names.n)
		r = kubectl_expand(c.k, o->selector, NULL, &items, err);
	return r < 0 ? r : kubectl_each(c.k, &items, scale_one, &c, err);
}

const struct cmd kubectl_scale = {
	.path = "scale",
	.args = "[OPTIONS] --replicas=COUNT TYPE NAME|TYPE/NAME|-f FILE",
	.help = "Set how many replicas there are",
	.opts = scale_opts,
	.opts_size = sizeof(struct scale_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_CLUSTER,
	.run = scale_run,
};
