/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl rollout history` and `undo`: what a workload's pods were before. A deployment keeps it
 * in its replica sets, others in controller revisions. */
#include "cli/kubectl/kubectl-change.h"
#include "cli/kubectl/kubectl-cmds.h"

#include "base/arena.h"
#include "base/err.h"
#include "cli/kubectl/describe.h"

#include <stdlib.h>

#define CAUSE "kubernetes.io/change-cause"
#define HASH_LABEL "pod-template-hash"

/* One revision: the replica set or controller revision that keeps it. */
struct revision {
	long long number;
	struct doc *obj;
};
struct history {
	struct kubectl *k;
	const struct kubectl_item *it;
	struct doc *owner;
	struct revision *v; /* ascending */
	size_t n;
	bool sets; /* of a deployment */
};

static bool owned(const struct doc *obj, const struct doc *owner)
{
	const struct doc *uid = doc_find(owner, "metadata.uid");

	DOC_EACH (r, doc_find(obj, "metadata.ownerReferences"))
		if (doc_true(doc_get(r, "controller")) && doc_equal(doc_get(r, "uid"), uid))
			return true;
	return false;
}

static int by_number(const void *x, const void *y)
{
	const struct revision *a = x, *b = y;

	return (a->number > b->number) - (a->number < b->number);
}

static bool knows(const struct resource *res)
{
	static const char *const kinds[] = { "Deployment", "DaemonSet", "StatefulSet", NULL };

	return strcmp(res->group, "apps") == 0 && str_is_one_of(res->kind, kinds);
}

static int read_history(struct kubectl *k, const struct kubectl_item *it, struct history *ret,
			struct err *err)
{
	struct kubectl_send get = { 0 };
	struct kubectl_items items = { .n = 1 };
	struct kubectl_item one = { .space = it->space };
	int r = kubectl_send(k, it, &get, &ret->owner, err);

	ret->k = k;
	ret->it = it;
	ret->sets = strcmp(it->res->kind, "Deployment") == 0;
	if (r == 0)
		r = kubectl_find_kind(k, "apps/v1", ret->sets ? "ReplicaSet" : "ControllerRevision",
				      &one.res, err);
	items.v = &one;
	if (r == 0)
		r = kubectl_expand(k, NULL, NULL, &items, err);
	if (r < 0)
		return r;
	ret->n = 0;
	ret->v = ARENA_ARRAY(k->arena, struct revision, items.n + 1);
	for (size_t i = 0; ret->v && i < items.n; i++) {
		struct doc *obj = items.v[i].obj;
		int64_t n = 0;

		if (!owned(obj, ret->owner))
			continue;
		if (ret->sets)
			n = rollout_revision(obj);
		else
			doc_int64(doc_get(obj, "revision"), &n);
		ret->v[ret->n++] = (struct revision){ n, obj };
	}
	if (!ret->v)
		return arena_quota(k->arena, err);
	qsort(ret->v, ret->n, sizeof(*ret->v), by_number);
	return 0;
}

/* ---- history ---- */

struct history_opts {
	struct change_opts change;
	int64_t revision;
};
static const struct opt history_opts[] = { KUBECTL_FORM_ROWS(struct history_opts, change.form),
					   KUBECTL_FILE_ROWS_AT(struct history_opts, change.files),
					   OPT(struct history_opts, INT, revision, "revision", 0,
					       "Only this one"),
					   OPT(struct history_opts, STR, change.selector,
					       "selector", 'l', "Only objects with these labels"),
					   OPT_END };

static int print_revisions(struct history *h, const struct history_opts *o, struct kubectl_print *p,
			   struct err *err)
{
	bool found = false;
	int r = 0;

	for (size_t i = 0; i < h->n && r == 0; i++)
		if (!o->revision || h->v[i].number == o->revision) {
			found = true;
			r = kubectl_print_doc(p, h->v[i].obj, err);
		}
	if (r == 0 && o->revision && !found)
		return err_set(err, ERR_NOT_FOUND, "unable to find the specified revision");
	return r;
}

/* What is told of a template: as `describe` has it, its tabs as they are. */
static int template_text(struct kubectl *k, const struct doc *template, const char **ret,
			 struct err *err)
{
	struct describe d = { .k = k, .space = "", .text = BUF_INIT(DESCRIBE_TEXT_MAX) };

	describe_pod_template(&d, template);
	*ret = d.text.full ? NULL : arena_strndup(k->arena, buf_str(&d.text), d.text.n);
	buf_fini(&d.text);
	return *ret ? 0 : err_set(err, ERR_TOO_LARGE, "the template's description is too long");
}

/* The template of a revision; of a replica set with the cause of its change. */
static struct doc *template_of(const struct history *h, const struct revision *v, bool cause)
{
	struct kubectl *k = h->k;
	struct doc *t = doc_copy(
		k->arena, doc_find(v->obj, h->sets ? "spec.template" : "data.spec.template"));
	const struct doc *text = doc_get(doc_find(v->obj, "metadata.annotations"), CAUSE);

	doc_remove(t, "$patch");
	if (t && cause && h->sets && doc_slice(text).n)
		doc_set(k->arena, change_member(k, change_member(k, t, "metadata"), "annotations"),
			CAUSE, *text);
	return t;
}

static int print_revision(struct history *h, int64_t number, struct err *err)
{
	for (size_t i = 0; i < h->n; i++) {
		const char *text;
		int r;

		if (h->v[i].number != number)
			continue;
		r = template_text(h->k, template_of(h, &h->v[i], true), &text, err);
		if (r == 0)
			buf_addf(&h->k->out, "%s with revision #%lld\n%s\n",
				 kubectl_object_name(h->k, h->owner), (long long)number, text);
		return r;
	}
	return err_set(err, ERR_NOT_FOUND, "unable to find the specified revision");
}

static int print_history(struct history *h, const struct history_opts *o, struct err *err)
{
	struct kubectl *k = h->k;

	if (o->revision && h->n)
		return print_revision(h, o->revision, err);
	buf_addf(&k->out, "%s ", kubectl_object_name(k, h->owner));
	if (o->revision)
		buf_addf(&k->out, "with revision #%lld", (long long)o->revision);
	buf_addc(&k->out, '\n');
	if (!h->n) {
		buf_adds(&k->out, "No rollout history found.\n");
		return 0;
	}
	buf_adds(&k->out, "REVISION  CHANGE-CAUSE\n");
	for (size_t i = 0; i < h->n; i++) {
		struct slice cause =
			doc_slice(doc_get(doc_find(h->v[i].obj, "metadata.annotations"), CAUSE));

		if (!cause.n)
			cause = SLICE("<none>");
		buf_addf(&k->out, "%-8lld  %.*s\n", h->v[i].number, (int)cause.n, cause.p);
	}
	buf_addc(&k->out, '\n');
	return 0;
}

static int history_run(struct cmd_call *call, struct err *err)
{
	const struct history_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct kubectl_print print;
	struct kubectl_items items;
	int r;

	if (o->revision < 0)
		return err_set(err, ERR_INVALID, "revision must be a positive integer: %lld",
			       (long long)o->revision);
	r = kubectl_form_init(&o->change.form, k, &print, err);
	if (r == 0)
		r = rollout_items(call, &o->change, &items, err);
	for (size_t i = 0; i < items.n && r == 0; i++) {
		const struct kubectl_item *it = &items.v[i];
		struct history h = { 0 };

		if (!knows(it->res))
			return err_set(err, ERR_UNSUPPORTED,
				       "error retrieving history for \"%s\", no visitor method "
				       "exists for {%s %s}",
				       it->res->kind, it->res->group, it->res->kind);
		r = read_history(k, it, &h, err);
		if (r == 0)
			r = o->change.form.output ? print_revisions(&h, o, &print, err)
						  : print_history(&h, o, err);
	}
	return r;
}

const struct cmd kubectl_rollout_history = {
	.path = "rollout history",
	.args = "TYPE NAME|TYPE/NAME|-f FILE [OPTIONS]",
	.help = "List what a workload was before",
	.opts = history_opts,
	.opts_size = sizeof(struct history_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_CLUSTER,
	.run = history_run,
};

/* ---- undo ---- */

struct undo_opts {
	struct change_opts change;
	int64_t revision;
};
static const struct opt undo_opts[] = { KUBECTL_FORM_ROWS(struct undo_opts, change.form),
					KUBECTL_DRY_ROW(struct undo_opts, change.dry),
					KUBECTL_FILE_ROWS_AT(struct undo_opts, change.files),
					OPT(struct undo_opts, STR, change.selector, "selector", 'l',
					    "Only objects with these labels"),
					OPT(struct undo_opts, INT, revision, "to-revision", 0,
					    "To this one [the one before]"),
					OPT_END };

struct undoing {
	struct kubectl *k;
	const struct undo_opts *o;
	struct kubectl_print print;
	enum kubectl_dry dry;
};

static int choose(const struct undoing *u, const struct history *h, const struct revision **ret,
		  struct err *err)
{
	int64_t to = u->o->revision;

	for (size_t i = 0; i < h->n && to; i++)
		if (h->v[i].number == to) {
			*ret = &h->v[i];
			return 0;
		}
	if (to)
		return err_set(err, ERR_NOT_FOUND,
			       "unable to find specified revision %lld in history", (long long)to);
	if (h->n < 2 && h->sets)
		return err_set(err, ERR_NOT_FOUND, "no rollout history found for deployment \"%s\"",
			       h->it->name);
	if (h->n < 2)
		return err_set(err, ERR_NOT_FOUND, "no last revision to roll back to");
	*ret = &h->v[h->n - 2];
	return 0;
}

/* The template without the label that tells replica sets apart. */
static struct doc *plain_template(struct kubectl *k, const struct doc *obj)
{
	struct doc *copy = doc_copy(k->arena, doc_find(obj, "spec.template"));

	doc_remove(doc_find(copy, "metadata.labels"), HASH_LABEL);
	return copy;
}

/* Annotations of the replica set, but for those that are about sets, which stay the deployment's.
 */
static struct doc notes_of(struct kubectl *k, const struct doc *set, const struct doc *owner)
{
	static const char *const own[] = { KUBECTL_LAST_APPLIED,
					   ROLLOUT_REVISION,
					   "deployment.kubernetes.io/revision-history",
					   "deployment.kubernetes.io/desired-replicas",
					   "deployment.kubernetes.io/max-replicas",
					   "deprecated.deployment.rollback.to",
					   NULL };
	struct doc out = doc_object();

	for (size_t i = 0; own[i]; i++) {
		const struct doc *v = doc_get(doc_find(owner, "metadata.annotations"), own[i]);

		if (v)
			doc_set(k->arena, &out, own[i], *v);
	}
	DOC_EACH_MEMBER (key, value, doc_find(set, "metadata.annotations")) {
		const char *name = arena_strndup(k->arena, key->s, key->n);

		if (name && !str_is_one_of(name, own))
			doc_set(k->arena, &out, name, *value);
	}
	return out;
}

static void add_step(struct kubectl *k, struct doc *patch, const char *op, const char *path,
		     struct doc value)
{
	struct doc *e = doc_append_object(k->arena, patch);

	doc_set_str(k->arena, e, "op", op);
	doc_set_str(k->arena, e, "path", path);
	doc_set(k->arena, e, "value", value);
}

static int skip(struct undoing *u, const struct history *h, struct err *err)
{
	return kubectl_done(&u->print, h->owner,
			    arena_printf(u->k->arena,
					 "skipped rollback (current template already matches "
					 "revision %lld)",
					 (long long)u->o->revision),
			    u->dry, err);
}

/* The patch that brings the revision back. 1: it is there already. */
static int undo_patch(struct undoing *u, const struct history *h, const struct revision *to,
		      struct kubectl_send *s, struct doc *patch, struct err *err)
{
	struct doc *template, *now = plain_template(u->k, h->owner);

	if (!h->sets) {
		struct doc *was;

		*patch = *doc_get(to->obj, "data");
		was = doc_copy(u->k->arena, doc_find(patch, "spec.template"));
		doc_remove(was, "$patch");
		s->type = "application/strategic-merge-patch+json";
		return doc_equal(was, now);
	}
	template = plain_template(u->k, to->obj);
	if (!template || !now)
		return arena_quota(u->k->arena, err);
	if (doc_true(doc_find(h->owner, "spec.paused")))
		return err_set(err, ERR_CONFLICT,
			       "you cannot rollback a paused deployment; resume it first with "
			       "'kubectl rollout resume' and try again");
	if (doc_equal(template, now))
		return 1;
	s->type = "application/json-patch+json";
	*patch = doc_array();
	add_step(u->k, patch, "replace", "/spec/template", *template);
	add_step(u->k, patch, doc_find(h->owner, "metadata.annotations") ? "replace" : "add",
		 "/metadata/annotations", notes_of(u->k, to->obj, h->owner));
	return 0;
}

/* --dry-run=client: what it would become. */
static int undo_told(struct undoing *u, const struct history *h, const struct revision *to,
		     struct err *err)
{
	const char *text;
	int r = template_text(u->k, template_of(h, to, false), &text, err);

	if (r == 0 && !h->sets)
		text = arena_printf(u->k->arena, "will roll back to %s", text);
	if (r == 0 && !text)
		return arena_quota(u->k->arena, err);
	return r == 0 ? kubectl_done(&u->print, h->owner, text, u->dry, err) : r;
}

static int undo_one(struct undoing *u, const struct kubectl_item *it, struct err *err)
{
	const struct revision *to;
	struct history h = { 0 };
	struct doc patch = doc_null(), *got;
	struct kubectl_send s = { .method = "PATCH",
				  .dry_run = kubectl_dry_word(u->dry),
				  .body = &patch };
	int r;

	if (!knows(it->res))
		return err_set(err, ERR_UNSUPPORTED,
			       "error retrieving rollbacker for \"%s\", no visitor method exists "
			       "for {%s %s}",
			       it->res->kind, it->res->group, it->res->kind);
	if (u->o->revision < 0)
		return err_set(err, ERR_NOT_FOUND,
			       "unable to find specified revision %lld in history",
			       (long long)u->o->revision);
	r = read_history(u->k, it, &h, err);
	if (r == 0)
		r = choose(u, &h, &to, err);
	if (r == 0 && !h.sets && !doc_is(doc_get(to->obj, "data"), DOC_OBJECT))
		return err_set(err, ERR_INVALID, "revision %lld has no data", to->number);
	if (r == 0 && u->dry == DRY_CLIENT)
		return undo_told(u, &h, to, err);
	if (r == 0)
		r = undo_patch(u, &h, to, &s, &patch, err);
	if (r == 1)
		return skip(u, &h, err);
	if (r == 0)
		r = kubectl_send(u->k, it, &s, &got, err);
	if (r < 0 && client_failure(u->k->client) && patch.type != DOC_NULL)
		return err_set(err, ERR_BAD_REQUEST, "failed restoring revision %lld: %s",
			       (long long)u->o->revision,
			       kubectl_text(u->k, client_failure(u->k->client), "message"));
	return r == 0 ? kubectl_done(&u->print, h.owner, "rolled back", u->dry, err) : r;
}

static int undo_run(struct cmd_call *call, struct err *err)
{
	struct undoing u = { .k = kubectl_of(call), .o = call->opts };
	struct kubectl_items items;
	int r = kubectl_dry(u.o->change.dry, &u.dry, err);

	if (r == 0)
		r = kubectl_form_init(&u.o->change.form, u.k, &u.print, err);
	if (r == 0)
		r = rollout_items(call, &u.o->change, &items, err);
	for (size_t i = 0; i < items.n && r == 0; i++)
		r = undo_one(&u, &items.v[i], err);
	return r;
}

const struct cmd kubectl_rollout_undo = {
	.path = "rollout undo",
	.args = "TYPE NAME|TYPE/NAME|-f FILE [OPTIONS]",
	.help = "Make a workload what it was before",
	.opts = undo_opts,
	.opts_size = sizeof(struct undo_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_CLUSTER,
	.run = undo_run,
};
