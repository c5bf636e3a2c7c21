/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/admission-hooks.h"

#include "api/check.h"
#include "api/match-condition.h"
#include "apiserver/codec.h"
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

static const char *const op_names[] = { "CREATE", "UPDATE", "DELETE", "CONNECT" };

const char *hook_op_name(enum hook_op op)
{
	for (size_t i = 0; i < ARRAY_LEN(op_names); i++)
		if (op == 1u << i)
			return op_names[i];
	return "";
}

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

static const char *const *read_list(const struct doc *list, struct arena *a)
{
	const char **v = ARENA_ARRAY(a, const char *, doc_len(list) + 1);
	size_t n = 0;

	DOC_EACH (x, list) {
		const char *s = doc_cstr(a, x);

		if (v && s)
			v[n++] = s;
	}
	return v;
}

static unsigned read_ops(const struct doc *list)
{
	unsigned ops = 0;

	DOC_EACH (x, list)
		for (size_t i = 0; i < ARRAY_LEN(op_names); i++)
			if (doc_str_is(x, "*") || doc_str_is(x, op_names[i]))
				ops |= 1u << i;
	return ops;
}

static int read_rules(const struct doc *list, struct arena *a, struct hook *k, struct err *err)
{
	struct hook_rule *v = ARENA_ARRAY(a, struct hook_rule, doc_len(list));
	size_t n = 0;

	if (!v)
		return arena_quota(a, err);
	DOC_EACH (x, list) {
		const struct doc *scope = doc_get(x, "scope");

		v[n++] = (struct hook_rule){
			.ops = read_ops(doc_get(x, "operations")),
			.scope = doc_str_is(scope, "Cluster")	   ? HOOK_CLUSTER
				 : doc_str_is(scope, "Namespaced") ? HOOK_NAMESPACED
								   : HOOK_ALL,
			.groups = read_list(doc_get(x, "apiGroups"), a),
			.versions = read_list(doc_get(x, "apiVersions"), a),
			.resources = read_list(doc_get(x, "resources"), a),
		};
	}
	k->rules = v;
	k->nrules = n;
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static int read_selector(const struct doc *d, struct arena *a, struct selector *ret, bool *ret_none,
			 struct err *err)
{
	if (!d || d->type == DOC_NULL)
		return 0;
	return selector_object(d, a, ret, ret_none, err);
}

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
	k->exact = doc_str_is(doc_get(d, "matchPolicy"), "Exact");
	k->again = doc_str_is(doc_get(d, "reinvocationPolicy"), "IfNeeded");
	k->effects = !doc_str_is(effects, "None") && !doc_str_is(effects, "NoneOnDryRun");
	k->seconds = seconds >= 1 && seconds <= 30 ? (unsigned)seconds : 10;
	if (read_rules(doc_get(d, "rules"), a, k, err) < 0 ||
	    read_selector(doc_get(d, "namespaceSelector"), a, &k->namespaces, &k->no_namespaces,
			  err) < 0 ||
	    read_selector(doc_get(d, "objectSelector"), a, &k->objects, &k->no_objects, err) < 0)
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

/* ---- matching ---- */

bool hook_is_exempt(const struct api_kind *k)
{
	static const char *const exempt[] = {
		"mutatingadmissionpolicies",
		"mutatingadmissionpolicybindings",
		"mutatingwebhookconfigurations",
		"validatingadmissionpolicies",
		"validatingadmissionpolicybindings",
		"validatingwebhookconfigurations",
		NULL,
	};

	return strcmp(k->group->group, GROUP) == 0 && str_is_one_of(k->resource, exempt);
}

static bool is_namespace(const struct hook_match *m)
{
	return strcmp(m->asked->kind->resource, "namespaces") == 0 &&
	       !*m->asked->kind->group->group;
}

static bool scope_matches(const struct hook_rule *r, const struct hook_match *m)
{
	const bool inside = *m->ns && !is_namespace(m);

	return r->scope == HOOK_ALL || (r->scope == HOOK_NAMESPACED) == inside;
}

static bool has(const char *const *list, const char *text)
{
	for (; *list; list++)
		if (strcmp(*list, "*") == 0 || strcmp(*list, text) == 0)
			return true;
	return false;
}

/* Each a resource and a subresource; either may be a star. */
static bool resource_matches(const char *const *list, const char *resource, const char *sub)
{
	for (; *list; list++) {
		struct slice rest = slice_str(*list), name = slice_split(&rest, '/');

		if ((slice_is(name, "*") || slice_is(name, resource)) &&
		    (slice_is(rest, "*") || slice_is(rest, sub)))
			return true;
	}
	return false;
}

static bool rule_matches(const struct hook_rule *r, const struct hook_match *m,
			 const struct api_kind *k)
{
	return r->ops & m->op && scope_matches(r, m) && has(r->groups, k->group->group) &&
	       has(r->versions, k->group->version) &&
	       resource_matches(r->resources, k->resource, m->sub);
}

static int note_equal(void *arg, struct resource *r)
{
	struct hook_match *m = arg;

	if (r->objects == m->asked->objects && r != m->asked && m->nequals < ARRAY_LEN(m->equals))
		m->equals[m->nequals++] = r;
	return 0;
}

/* In the order of versions, so that it is the same each time. */
static int by_version(const void *x, const void *y)
{
	const struct resource *const *a = x, *const *b = y;
	const struct api_group *g = (*a)->kind->group, *h = (*b)->kind->group;

	return strcmp(g->api_version, h->api_version);
}

static void look_for_equals(struct hook_match *m)
{
	if (m->looked)
		return;
	m->looked = true;
	if (!m->asked->objects)
		return;
	(void)resources_each(m->rs, note_equal, m);
	qsort(m->equals, m->nequals, sizeof(m->equals[0]), by_version);
}

static const struct resource *match_rules(const struct hook *k, struct hook_match *m)
{
	for (size_t i = 0; i < k->nrules; i++)
		if (rule_matches(&k->rules[i], m, m->asked->kind))
			return m->asked;
	if (k->exact)
		return NULL;
	look_for_equals(m);
	for (size_t i = 0; i < k->nrules; i++)
		for (size_t j = 0; j < m->nequals; j++)
			if (rule_matches(&k->rules[i], m, m->equals[j]->kind))
				return m->equals[j];
	return NULL;
}

static bool object_matches(const struct selector *s, const struct doc *obj)
{
	return obj && selector_match_labels(s, doc_find(obj, "metadata.labels"));
}

/* Labels of the request's namespace; of one that is written, as it shall be. */
static int match_namespace(const struct hook *k, const struct hook_match *m, bool *ret,
			   struct err *err)
{
	CLEANUP(arena_free) struct arena *a = NULL;
	const struct item *i;
	struct doc d;

	*ret = true;
	if (!k->no_namespaces && k->namespaces.n == 0)
		return 0;
	if (!*m->ns && !is_namespace(m))
		return 0; /* of the cluster: never left out */
	*ret = !k->no_namespaces;
	if (k->no_namespaces)
		return 0;
	if (is_namespace(m) && !*m->sub && m->obj && m->op & (HOOK_CREATE | HOOK_UPDATE)) {
		*ret = object_matches(&k->namespaces, m->obj);
		return 0;
	}
	i = resources_get(m->rs, "", "namespaces", "", m->ns);
	if (!i)
		return err_set(err, ERR_NOT_FOUND, "namespaces \"%s\" not found", m->ns);
	a = arena_new("a namespace", 16u << 20);
	if (codec_parse(i, a, &d, err) < 0)
		return err_ret(err);
	*ret = object_matches(&k->namespaces, &d);
	return 0;
}

int hook_matches(const struct hook *k, struct hook_match *m, const struct resource **ret,
		 struct err *err)
{
	const struct resource *r;
	bool in;

	if (hook_is_exempt(m->asked->kind))
		return 0;
	r = match_rules(k, m);
	if (!r)
		return 0;
	if (match_namespace(k, m, &in, err) < 0)
		return err_ret(err);
	if (!in || k->no_objects)
		return 0;
	if (k->objects.n && !object_matches(&k->objects, m->obj) &&
	    !object_matches(&k->objects, m->old))
		return 0;
	*ret = r;
	return 1;
}
