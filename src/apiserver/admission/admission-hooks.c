/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/admission/admission-hooks.h"

#include "api/check.h"
#include "api/match-condition.h"
#include "apiserver/objects/codec.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "doc/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GROUP "admissionregistration.k8s.io"
#define SET_BYTES (128u << 20)

static const char *const plurals[] = { "validatingwebhookconfigurations",
				       "mutatingwebhookconfigurations" };

struct hook_configs {
	struct resources *rs;
	struct {
		struct hook_set *set; /* referenced; NULL: none was made */
		/* Of the objects that it was made of: whatever changes, one of both does. */
		int64_t latest;
		size_t count;
	} of[2];
};

void hook_set_unref(struct hook_set *s)
{
	if (s && --s->refs == 0)
		arena_free(s->a); /* s is in it */
}

struct hook_configs *hook_configs_new(struct resources *rs)
{
	struct hook_configs *h = calloc(1, sizeof(*h));

	assert(h);
	h->rs = rs;
	return h;
}

void hook_configs_free(struct hook_configs *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < ARRAY_LEN(h->of); i++)
		hook_set_unref(h->of[i].set);
	free(h);
}

/* ---- one webhook ---- */

/* The first version that both sides know. */
static int read_version(const struct doc *list, struct hook *k, struct err *err)
{
	DOC_EACH (v, list) {
		k->beta = doc_str_is(v, "v1beta1");
		if (k->beta || doc_str_is(v, "v1"))
			return 0;
	}
	return err_set(err, ERR_INVALID, "webhook does not accept known AdmissionReview versions");
}

static int read_conditions(struct hook_set *s, const struct doc *list, struct hook *k,
			   struct err *err)
{
	struct hook_condition *v = ARENA_ARRAY(s->a, struct hook_condition, doc_len(list));
	size_t n = 0;

	if (!v)
		return arena_quota(s->a, err);
	if (doc_len(list) && !s->env && match_env_new(s->a, &s->env, err) < 0)
		return err_ret(err);
	DOC_EACH (x, list) {
		v[n].name = doc_cstr(s->a, doc_get(x, "name"));
		if (match_compile(s->env, doc_slice(doc_get(x, "expression")), s->a, &v[n++].prog,
				  err) < 0)
			return err_ret(err);
	}
	k->conditions = v;
	k->nconditions = n;
	return 0;
}

static int read_hook(struct hook_set *s, const struct doc *d, struct hook *k, struct err *err)
{
	struct arena *a = s->a;
	const struct doc *effects = doc_get(d, "sideEffects");
	int64_t seconds = check_number(doc_get(d, "timeoutSeconds"));

	k->name = doc_cstr(a, doc_get(d, "name"));
	if (!k->name)
		return err_set(err, ERR_INVALID, "a webhook without a name");
	k->fails_open = doc_str_is(doc_get(d, "failurePolicy"), "Ignore");
	k->again = doc_str_is(doc_get(d, "reinvocationPolicy"), "IfNeeded");
	k->effects = !doc_str_is(effects, "None") && !doc_str_is(effects, "NoneOnDryRun");
	k->seconds = seconds >= 1 && seconds <= 30 ? (unsigned)seconds : 10;
	if (hook_criteria_read(d, doc_get(d, "rules"), NULL, a, &k->on, err) < 0)
		return err_ret(err);
	if (read_version(doc_get(d, "admissionReviewVersions"), k, err) < 0 ||
	    webhook_at_read(doc_get(d, "clientConfig"), a, &k->at, err) < 0) {
		k->broken = arena_strdup(a, err->msg);
		err_clear(err);
	}
	/* Not asking it, or asking it always, would both be wrong. */
	if (read_conditions(s, doc_get(d, "matchConditions"), k, err) < 0) {
		k->broken = arena_printf(a, "matchConditions: %s", err->msg);
		err_clear(err);
	}
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

/* ---- all of them ---- */

static int read_config(struct hook_set *s, struct item *i, struct err *err)
{
	const char *config = arena_strndup(s->a, item_name(i).p, item_name(i).n);
	size_t index = 0, n;
	const char *bytes = arena_strndup(s->a, item_json(i).p, item_json(i).n);
	const struct doc *list;
	struct doc *d;
	int r;

	if (!config || !bytes)
		return arena_quota(s->a, err);
	r = json_read(s->a, slice_of(bytes, item_json(i).n), NULL, &d, err);
	list = r < 0 ? NULL : doc_get(d, "webhooks");
	n = doc_len(list);
	if (r == 0 && n) {
		s->v = arena_grow(s->a, s->v, s->n * sizeof(*s->v), (s->n + n) * sizeof(*s->v));
		if (!s->v)
			return arena_quota(s->a, err);
	}
	DOC_EACH (x, list) {
		struct hook k = { .config = config, .index = index };

		r = read_hook(s, x, &k, err);
		if (r < 0)
			return r;
		s->v[s->n++] = k;
		index++;
	}
	return r;
}

static struct hook_set *make_set(struct cache_view *view)
{
	struct arena *a = arena_new("webhook configurations", SET_BYTES);
	struct hook_set *s = ARENA_NEW(a, struct hook_set);
	struct cache_iter it;
	struct item *i;

	assert(s);
	s->a = a;
	s->refs = 1;
	cache_iter_init(&it, view, SLICE(""), SLICE(""));
	while ((i = cache_iter_next(&it))) {
		struct err err = ERR_INIT;

		/* Checked when it was written: only what another server stored comes here. */
		if (read_config(s, i, &err) < 0)
			log_kv(LOG_LEVEL_ERROR, "webhook configuration not understood", "error",
			       err.msg, NULL);
	}
	return s;
}

struct hook_set *hook_configs_get(struct hook_configs *h, bool mutating)
{
	struct collection *o = resources_objects(h->rs, GROUP, plurals[mutating]);
	CLEANUP(cache_view_unref) struct cache_view *view = NULL;
	struct cache_iter it;
	int64_t latest = 0;
	struct item *i;
	size_t count;

	if (!o || !o->cache || !(count = cache_count(o->cache)))
		return NULL;
	view = cache_now(o->cache);
	cache_iter_init(&it, view, SLICE(""), SLICE(""));
	while ((i = cache_iter_next(&it)))
		latest = MAX(latest, item_revision(i));
	if (!h->of[mutating].set || h->of[mutating].latest != latest ||
	    h->of[mutating].count != count) {
		hook_set_unref(h->of[mutating].set);
		h->of[mutating].set = make_set(view);
		h->of[mutating].latest = latest;
		h->of[mutating].count = count;
	}
	h->of[mutating].set->refs++;
	return h->of[mutating].set;
}

int hook_matches(const struct hook *k, struct hook_match *m, const struct resource **ret,
		 struct err *err)
{
	return hook_is_exempt(m->asked->kind) ? 0 : hook_criteria_match(&k->on, m, ret, err);
}
