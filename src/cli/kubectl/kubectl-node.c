/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl taint`, `cordon`, `uncordon`: what nodes let run on them. */
#include "cli/kubectl/kubectl-change.h"
#include "cli/kubectl/kubectl-cmds.h"

#include "api/check.h"
#include "base/arena.h"
#include "base/err.h"

#include <ctype.h>

#define TAINTS_MAX 256

/* ---- cordon, uncordon ---- */

struct cordon_opts {
	struct change_opts change;
};
static const struct opt cordon_opts[] = { KUBECTL_DRY_ROW(struct cordon_opts, change.dry),
					  OPT(struct cordon_opts, STR, change.selector, "selector",
					      'l', "Only nodes with these labels"),
					  OPT_END };

int node_items(struct cmd_call *call, const char *verb, const char *selector,
	       struct kubectl_items *ret, struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	struct change_opts o = { .selector = selector };
	struct cmd_call look = *call;
	bool listed = selector && *selector;
	char **words = ARENA_ARRAY(k->arena, char *, call->nargs + 2);

	if (!words)
		return arena_quota(k->arena, err);
	if (!call->nargs && !listed) {
		(void)err_set(err, ERR_BAD_REQUEST, "USAGE: %s NODE [flags]", verb);
		return kubectl_usage(k, err);
	}
	if (call->nargs && listed) {
		(void)err_set(err, ERR_BAD_REQUEST,
			      "cannot specify both a node name and a --selector option");
		return kubectl_usage(k, err);
	}
	words[0] = (char *)"nodes";
	for (size_t i = 0; i < call->nargs; i++)
		words[i + 1] = call->args[i];
	look.args = words;
	look.nargs = call->nargs + 1;
	return change_items(&look, &o, KUBECTL_NAMES, ret, err);
}

int node_cordon(struct changing *c, const struct kubectl_item *it, bool on, struct err *err)
{
	const char *word = on ? "cordoned" : "uncordoned";
	struct doc patch = doc_object(), *live, *got;
	struct kubectl_send get = { 0 };
	struct kubectl_send s = { .method = "PATCH",
				  .type = "application/strategic-merge-patch+json",
				  .dry_run = kubectl_dry_word(c->dry),
				  .body = &patch };
	int r = kubectl_send(c->k, it, &get, &live, err);

	if (r < 0)
		return r;
	if (doc_true(doc_find(live, "spec.unschedulable")) == on)
		return kubectl_done(&c->print, live, arena_printf(c->k->arena, "already %s", word),
				    c->dry, err);
	doc_set(c->k->arena, doc_set_object(c->k->arena, &patch, "spec"), "unschedulable",
		on ? doc_bool(true) : doc_null());
	got = live;
	if (c->dry != DRY_CLIENT)
		r = kubectl_send(c->k, it, &s, &got, err);
	return r == 0 ? kubectl_done(&c->print, got, word, c->dry, err) : r;
}

struct cordoning {
	struct changing c;
	bool on;
};

static int on_node(void *arg, const struct kubectl_item *it, struct err *err)
{
	struct cordoning *n = arg;

	return node_cordon(&n->c, it, n->on, err);
}

static int cordon_make(struct cmd_call *call, bool on, struct err *err)
{
	const struct cordon_opts *o = call->opts;
	struct cordoning n = { .on = on };
	struct kubectl_items items;
	int r = change_prepare(call, &o->change, "kubectl-cordon", &n.c, err);

	if (r == 0)
		r = node_items(call, on ? "cordon" : "uncordon", o->change.selector, &items, err);
	return r == 0 ? kubectl_each(n.c.k, &items, on_node, &n, err) : r;
}

static int cordon_run(struct cmd_call *call, struct err *err)
{
	return cordon_make(call, true, err);
}

static int uncordon_run(struct cmd_call *call, struct err *err)
{
	return cordon_make(call, false, err);
}

#define CORDON_CMD(word, what, fn)                                                              \
	{                                                                                       \
		.path = word, .args = "NODE... | -l LABELS", .help = what, .opts = cordon_opts, \
		.opts_size = sizeof(struct cordon_opts), .max = UINT8_MAX,                      \
		.group = KUBECTL_CLUSTER, .run = fn                                             \
	}
const struct cmd kubectl_cordon = CORDON_CMD("cordon", "No new pods on a node", cordon_run);
const struct cmd kubectl_uncordon =
	CORDON_CMD("uncordon", "New pods on a node again", uncordon_run);

/* ---- taint ---- */

struct taint_opts {
	struct change_opts change;
	const char *validate;
	bool overwrite;
};
static const struct opt taint_opts[] = {
	KUBECTL_FORM_ROWS(struct taint_opts, change.form),
	KUBECTL_DRY_ROW(struct taint_opts, change.dry),
	KUBECTL_MANAGER_ROW(struct taint_opts, change.manager, "kubectl-taint"),
	KUBECTL_VALIDATE_ROW(struct taint_opts, validate),
	CHANGE_ALL_ROW(struct taint_opts, change),
	OPT(struct taint_opts, BOOL, overwrite, "overwrite", 0, "Values may take others' places"),
	OPT(struct taint_opts, STR, change.selector, "selector", 'l',
	    "Only nodes with these labels"),
	OPT_END
};

struct taint {
	struct slice key, value, effect;
};
struct tainting {
	struct changing c;
	const struct taint_opts *o;
	struct taint add[TAINTS_MAX], remove[TAINTS_MAX];
	size_t nadd, nremove;
};

/* KEY[=VALUE]:EFFECT, KEY; of what goes the effect may be missing. */
static int read_taint(const char *text, size_t n, struct taint *ret, struct err *err)
{
	static const char *const effects[] = { "NoSchedule", "PreferNoSchedule", "NoExecute" };
	struct slice effect = slice_of(text, n), value = slice_split(&effect, ':'), key;
	const char *why;
	bool known = !effect.p;

	if (slice_has(effect, ':'))
		return err_set(err, ERR_INVALID, "invalid taint spec: %.*s", (int)n, text);
	for (size_t i = 0; i < ARRAY_LEN(effects); i++)
		known |= slice_is(effect, effects[i]);
	if (!known)
		return err_set(err, ERR_INVALID,
			       "invalid taint effect: %.*s, unsupported taint effect",
			       (int)effect.n, effect.p);
	key = value;
	if (effect.p) {
		key = slice_split(&value, '=');
		if (slice_has(value, '='))
			return err_set(err, ERR_INVALID, "invalid taint spec: %.*s", (int)n, text);
	} else {
		value = (struct slice){ 0 };
	}
	why = value.n ? form_label_value(value) : NULL;
	if (!why)
		why = form_qualified_name(key);
	if (why)
		return err_set(err, ERR_INVALID, "invalid taint spec: %.*s, %s", (int)n, text, why);
	*ret = (struct taint){ key, value, effect };
	return 0;
}

static bool matches(const struct taint *a, const struct taint *b)
{
	return slice_eq(a->key, b->key) && slice_eq(a->effect, b->effect);
}

static int add_spec(struct tainting *t, const char *word, struct err *err)
{
	size_t n = strlen(word);
	bool goes = n && word[n - 1] == '-';
	struct taint *to = goes ? &t->remove[t->nremove] : &t->add[t->nadd];

	if (t->nadd + t->nremove == TAINTS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d taints", TAINTS_MAX);
	if (read_taint(word, n - goes, to, err) < 0)
		return err_ret(err);
	if (goes) {
		t->nremove++;
		return 0;
	}
	if (!to->effect.n)
		return err_set(err, ERR_INVALID, "invalid taint spec: %s", word);
	for (size_t i = 0; i < t->nadd; i++)
		if (matches(&t->add[i], to))
			return err_set(err, ERR_INVALID,
				       "duplicated taints with the same key and effect: {%.*s %.*s "
				       "%.*s <nil>}",
				       (int)to->key.n, to->key.p, (int)to->value.n,
				       to->value.n ? to->value.p : "", (int)to->effect.n,
				       to->effect.p);
	t->nadd++;
	return 0;
}

static int check_conflicts(const struct tainting *t, struct err *err)
{
	for (size_t i = 0; i < t->nadd; i++)
		for (size_t j = 0; j < t->nremove; j++) {
			const struct taint *r = &t->remove[j];

			if (slice_eq(t->add[i].key, r->key) &&
			    (!r->effect.n || slice_eq(t->add[i].effect, r->effect)))
				return err_set(err, ERR_BAD_REQUEST,
					       "can not both modify and remove the following "
					       "taint(s) in the same command: %.*s=%.*s",
					       (int)r->key.n, r->key.p, (int)r->effect.n,
					       r->effect.n ? r->effect.p : "");
		}
	return 0;
}

static struct taint taint_of(const struct doc *d)
{
	return (struct taint){ doc_slice(doc_get(d, "key")), doc_slice(doc_get(d, "value")),
			       doc_slice(doc_get(d, "effect")) };
}

static void add_new(struct tainting *t, struct doc *out)
{
	struct arena *a = t->c.k->arena;

	for (size_t i = 0; i < t->nadd; i++) {
		struct doc *e = doc_append_object(a, out);
		const struct taint *n = &t->add[i];

		doc_set_strn(a, e, "key", n->key.p, n->key.n);
		if (n->value.n)
			doc_set_strn(a, e, "value", n->value.p, n->value.n);
		doc_set_strn(a, e, "effect", n->effect.p, n->effect.n);
	}
}

/* What stays of the old ones. *ret: some of the new ones are not among them. */
static void add_old(struct tainting *t, const struct doc *old, struct doc *out)
{
	DOC_EACH (e, old) {
		struct taint o = taint_of(e);
		bool again = false;

		for (size_t i = 0; i < t->nadd; i++)
			again |= matches(&t->add[i], &o);
		if (!again)
			doc_append(t->c.k->arena, out, *e);
	}
}

static int remove_all(struct tainting *t, struct doc *out, bool *ret, struct err *err)
{
	for (size_t j = 0; j < t->nremove; j++) {
		const struct taint *r = &t->remove[j];
		bool found = false;

		for (size_t i = 0; i < doc_len(out);) {
			struct taint o = taint_of(doc_at(out, i));

			if (r->effect.n ? matches(&o, r) : slice_eq(o.key, r->key)) {
				doc_remove_at(out, i);
				found = true;
			} else {
				i++;
			}
		}
		*ret = found;
		if (!found)
			return err_set(err, ERR_NOT_FOUND, "taint \"%.*s%s%.*s\" not found",
				       (int)r->key.n, r->key.p, r->effect.n ? ":" : "",
				       (int)r->effect.n, r->effect.n ? r->effect.p : "");
	}
	return 0;
}

static int on_taint(void *arg, const struct kubectl_item *it, struct doc *obj, struct err *err)
{
	struct tainting *t = arg;
	struct doc *spec = change_member(t->c.k, obj, "spec"), out = doc_array();
	const struct doc *old = doc_get(spec, "taints");
	bool added, removed = false;

	DOC_EACH (e, old) {
		struct taint o = taint_of(e);

		for (size_t i = 0; i < t->nadd && !t->o->overwrite; i++)
			if (matches(&t->add[i], &o))
				return err_set(err, ERR_CONFLICT,
					       "node %s already has %.*s taint(s) with same "
					       "effect(s) and --overwrite is false",
					       it->name, (int)o.key.n, o.key.p);
	}
	add_new(t, &out);
	add_old(t, old, &out);
	added = doc_len(old) != out.n;
	if (remove_all(t, &out, &removed, err) < 0)
		return err_ret(err);
	t->c.done = (added && removed) || t->o->overwrite ? "modified"
		    : added				  ? "tainted"
							  : "untainted";
	if (out.n)
		doc_set(t->c.k->arena, spec, "taints", out);
	else
		doc_remove(spec, "taints");
	return 0;
}

static int taint_run(struct cmd_call *call, struct err *err)
{
	const struct taint_opts *o = call->opts;
	struct tainting *t = ARENA_NEW(call->arena, struct tainting);
	struct kubectl *k = kubectl_of(call);
	const struct resource *res;
	struct kubectl_items items;
	const char *validation;
	size_t n = 0;
	int r = t ? change_prepare(call, &o->change, "kubectl-taint", &t->c, err)
		  : arena_quota(call->arena, err);

	if (r == 0)
		r = kubectl_validation(o->validate, &validation, err);
	if (r < 0)
		return r;
	t->o = o;
	t->c.fn = on_taint;
	t->c.arg = t;
	t->c.same_too = true;
	t->c.silent_dry = true; /* kubectl tells of a dry run as if it were none */
	while (n < call->nargs && (n == 0 || !strpbrk(call->args[n], "=:")) &&
	       !(n && set_is_pair(call->args[n])))
		n++;
	if (n == call->nargs)
		return err_set(err, ERR_BAD_REQUEST, "at least one taint update is required");
	for (size_t i = n; i < call->nargs; i++)
		if (add_spec(t, call->args[i], err) < 0)
			return kubectl_usage(k, err);
	call->nargs = n;
	r = kubectl_find(k, call->args[0], &res, err);
	if (r == 0 && strcmp(res->kind, "Node") != 0)
		return err_set(err, ERR_INVALID,
			       "invalid resource type %s, only node types are supported",
			       call->args[0]);
	if (r == 0)
		r = check_conflicts(t, err);
	if (r == 0 && o->change.all && o->change.selector)
		return err_set(err, ERR_BAD_REQUEST,
			       "setting 'all' parameter with a non empty selector is prohibited");
	if (r == 0 && !o->change.all && !o->change.selector && n < 2)
		return err_set(err, ERR_BAD_REQUEST,
			       "at least one resource name must be specified since 'all' parameter "
			       "is not set");
	if (r == 0)
		r = change_items(call, &o->change, KUBECTL_NAMES, &items, err);
	return r == 0 ? change_each(&t->c, &items, err) : r;
}

const struct cmd kubectl_taint = {
	.path = "taint",
	.args = "nodes NAME KEY[=VALUE]:EFFECT... KEY[:EFFECT]-... [OPTIONS]",
	.help = "Keep pods off nodes that do not tolerate a taint",
	.opts = taint_opts,
	.opts_size = sizeof(struct taint_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_CLUSTER,
	.run = taint_run,
};
