/* SPDX-License-Identifier: Apache-2.0 */
/*
 * (1) `todo` has the names of policies whose generation is not the one observed, each once.
 */
#include "apiserver/admission/policy-status.h"

#include "api/defaults.h"
#include "api/policy.h"
#include "api/type-cel.h"
#include "apiserver/objects/codec.h"
#include "apiserver/strategy/own.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#define GROUP "admissionregistration.k8s.io"
#define RESOURCE "validatingadmissionpolicies"
#define MANAGER "validatingadmissionpolicy-status"
#define RETRY_NS NS_PER_SEC
/* What is compiled within one step of the loop: policies with more are checked against fewer kinds.
 */
#define TEXT_MAX (256u << 10)

struct entry {
	struct list link;
	char *name;
};

struct policy_status {
	struct resources *rs;
	struct collection *objects;
	struct cache_watch watch;
	struct deferred look;
	struct timer again;
	struct map entries; /* of todo, by name */
	struct list todo;
	struct arena *a; /* of one object */
	struct own_put put;
	struct doc want;
	char *name; /* of the one that is being written */
	bool busy, stopped;
};

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static void drop(struct policy_status *g, struct entry *e)
{
	(void)map_del(&g->entries, slice_str(e->name));
	list_del(&e->link);
	free(e->name);
	free(e);
}

static void add(struct policy_status *g, struct slice name)
{
	struct entry *e;

	if (map_get(&g->entries, name))
		return;
	e = must(calloc(1, sizeof(*e)));
	e->name = must(strndup(name.p, name.n));
	list_init(&e->link);
	list_append(&g->todo, &e->link);
	(void)map_put(&g->entries, slice_str(e->name), e);
	if (!g->busy)
		deferred_call(&g->look);
}

static int64_t number(const struct doc *d, const char *path)
{
	const struct doc *v = doc_find(d, path);
	int64_t n = 0;

	if (v)
		(void)doc_int64(v, &n);
	return n;
}

static bool is_new(const struct doc *obj)
{
	return number(obj, "metadata.generation") > number(obj, "status.observedGeneration");
}

static void look_at(struct policy_status *g, struct item *i)
{
	struct err err = ERR_INIT;
	struct doc d;

	arena_reset(g->a);
	if (codec_parse(i, g->a, &d, &err) == 0 && is_new(&d))
		add(g, item_name(i));
}

static int on_change(struct cache_watch *w, enum cache_change what, struct item *i)
{
	struct policy_status *g = CONTAINER_OF(w, struct policy_status, watch);
	struct entry *e;

	if (what != CACHE_DELETED) {
		look_at(g, i);
	} else {
		e = map_get(&g->entries, item_name(i));
		if (e)
			drop(g, e);
	}
	return 0;
}

/* ---- the kinds that a policy is for ---- */

struct kinds {
	struct policy_status *g;
	struct arena *a;
	struct type_cel_kind v[TYPE_CEL_KINDS_MAX];
	size_t n, max;
};

static void add_kind(struct kinds *x, const struct resource *r)
{
	const struct api_group *of = r->kind->group;

	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->v[i].group, of->group) == 0 &&
		    strcmp(x->v[i].version, of->version) == 0 &&
		    strcmp(x->v[i].kind, r->kind->kind) == 0)
			return;
	x->v[x->n++] = (struct type_cel_kind){ of->group, of->version, r->kind->kind,
					       type_cel(r->kind->type, x->a) };
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, NULL-terminated; those with one of `without` are left out, or (whole) leave nothing. */
static const char **texts(struct kinds *x, const struct doc *list, const char *without, bool whole)
{
	const char **v = ARENA_ARRAY(x->a, const char *, doc_len(list) + 1);
	size_t n = 0;

	DOC_EACH (d, list) {
		const char *s = doc_cstr(x->a, d);

		if (!v || !s)
			return NULL;
		if (!strpbrk(s, without))
			v[n++] = s;
		else if (whole)
			return NULL;
	}
	if (n)
		qsort(v, n, sizeof(*v), by_text);
	return v;
}

static void add_rule(struct kinds *x, const struct doc *rule)
{
	const char **groups = texts(x, doc_get(rule, "apiGroups"), "*", true),
		   **versions = texts(x, doc_get(rule, "apiVersions"), "*", true),
		   **resources = texts(x, doc_get(rule, "resources"), "*/", false);

	if (!groups || !versions || !resources)
		return;
	for (const char **g = groups; *g; g++)
		for (const char **v = versions; *v; v++)
			for (const char **r = resources; *r; r++) {
				const struct resource *found = resources_find(x->g->rs, *g, *v, *r);

				if (x->n == x->max)
					return;
				if (found)
					add_kind(x, found);
			}
}

static int by_kind(const void *a, const void *b)
{
	const struct type_cel_kind *x = a, *y = b;
	int r = strcmp(x->group, y->group);

	if (r == 0)
		r = strcmp(x->version, y->version);
	return r ? r : strcmp(x->kind, y->kind);
}

static size_t text_of(const struct doc *spec)
{
	size_t n = 1;

	DOC_EACH (v, doc_get(spec, "validations"))
		n += doc_slice(doc_get(v, "expression")).n +
		     doc_slice(doc_get(v, "messageExpression")).n;
	DOC_EACH (v, doc_get(spec, "variables"))
		n += doc_slice(doc_get(v, "expression")).n;
	return n;
}

static int check_types(struct policy_status *g, const struct doc *obj, struct arena *a,
		       struct doc *ret, struct err *err)
{
	const struct doc *spec = doc_get(obj, "spec"), *param = doc_get(spec, "paramKind");
	struct kinds x = { .g = g, .a = a };
	const struct resource *of = NULL;

	x.max = MIN(MAX(TEXT_MAX / text_of(spec), 1u), TYPE_CEL_KINDS_MAX);
	DOC_EACH (rule, doc_find(spec, "matchConstraints.resourceRules"))
		add_rule(&x, rule);
	qsort(x.v, x.n, sizeof(x.v[0]), by_kind);
	if (param) {
		const char *version = doc_cstr(a, doc_get(param, "apiVersion")),
			   *kind = doc_cstr(a, doc_get(param, "kind"));

		of = version && kind ? resources_kind(g->rs, version, kind) : NULL;
	}
	return type_cel_warnings(obj, x.v, x.n, of ? type_cel(of->kind->type, a) : NULL, a, ret,
				 err);
}

/* ---- writing ---- */

static int put_status(struct own_put *p, struct arena *a, struct doc *obj, const struct doc *want,
		      struct err *err)
{
	struct policy_status *g = p->arg;
	const struct api_type *type = g->objects->kind->type;
	struct doc status = doc_object(), warnings, *have = doc_get(obj, "status");

	(void)want;
	if (!is_new(obj))
		return 0;
	if (check_types(g, obj, a, &warnings, err) < 0)
		return err_ret(err);
	doc_set_int(a, &status, "observedGeneration", number(obj, "metadata.generation"));
	doc_set_object(a, &status, "typeChecking");
	if (doc_len(&warnings))
		doc_set(a, doc_get(&status, "typeChecking"), "expressionWarnings", warnings);
	if (doc_get(have, "conditions"))
		doc_set(a, &status, "conditions", *doc_get(have, "conditions"));
	if (arena_exceeded(a))
		return arena_quota(a, err);
	api_set(type, obj, a, "status", status);
	return 1;
}

static void free_it(struct policy_status *g)
{
	struct entry *e;

	while ((e = LIST_FIRST(&g->todo, struct entry, link)))
		drop(g, e);
	map_fini(&g->entries);
	deferred_fini(&g->look);
	timer_fini(&g->again);
	arena_free(g->a);
	free(g->name);
	free(g);
}

/* What is wrong with the policy itself is so until it changes, which is told. */
static bool is_worth_trying(int result)
{
	return result != -ERR_QUOTA && result != -ERR_TOO_LARGE && result != -ERR_INVALID;
}

/* What was tried and may work later is looked at again in a moment. */
static bool try_later(struct policy_status *g, const struct own_put *p)
{
	if (p->result >= 0)
		return false;
	log_kv(LOG_LEVEL_WARN, "the status of an admission policy was not written", "name", g->name,
	       "error", p->err.msg, NULL);
	if (!is_worth_trying(p->result))
		return false;
	g->busy = true; /* adding does not begin it yet */
	add(g, slice_str(g->name));
	g->busy = false;
	timer_set_after(&g->again, RETRY_NS);
	return true;
}

static void on_put(struct own_put *p)
{
	struct policy_status *g = p->arg;

	g->busy = false;
	if (g->stopped)
		free_it(g);
	else if (!try_later(g, p) && !list_empty(&g->todo))
		deferred_call(&g->look);
}

/* The first of those that wait. */
static void look(struct deferred *d)
{
	struct policy_status *g = CONTAINER_OF(d, struct policy_status, look);
	struct entry *e = LIST_FIRST(&g->todo, struct entry, link);

	if (g->busy || !e)
		return;
	free(g->name);
	g->name = must(strdup(e->name));
	drop(g, e);
	g->busy = true;
	g->put.name = g->name;
	own_put(&g->put);
}

static int on_timer(struct timer *t)
{
	deferred_call(&CONTAINER_OF(t, struct policy_status, again)->look);
	return 0;
}

/* ---- life ---- */

static int begin(struct policy_status *g, struct err *err);

static void on_end(struct cache_watch *w, const struct err *why)
{
	struct policy_status *g = CONTAINER_OF(w, struct policy_status, watch);
	struct err err = ERR_INIT;

	(void)why;
	if (begin(g, &err) < 0)
		log_kv(LOG_LEVEL_ERROR, "admission policies are not followed", "error", err.msg,
		       NULL);
}

static int begin(struct policy_status *g, struct err *err)
{
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(g->objects->cache);
	struct cache_iter all;

	cache_iter_init(&all, v, SLICE(""), SLICE(""));
	for (struct item *i; (i = cache_iter_next(&all));)
		look_at(g, i);
	g->watch = (struct cache_watch){ .prefix = SLICE(""), .change = on_change, .end = on_end };
	return cache_watch(g->objects->cache, &g->watch, cache_view_revision(v), err);
}

int policy_status_start(struct resources *rs, struct loop *loop, struct policy_status **ret,
			struct err *err)
{
	struct collection *o = resources_objects(rs, GROUP, RESOURCE);
	struct policy_status *g;
	int r;

	if (!o)
		return err_set(err, ERR_NOT_FOUND, RESOURCE " are not served");
	g = must(calloc(1, sizeof(*g)));
	*g = (struct policy_status){ .rs = rs, .objects = o, .want = doc_object() };
	g->put = (struct own_put){ .rs = rs,
				   .group = GROUP,
				   .resource = RESOURCE,
				   .namespace_ = "",
				   .want = &g->want,
				   .manager = MANAGER,
				   .only_there = true,
				   .update = put_status,
				   .done = on_put,
				   .arg = g };
	g->a = arena_new("policy to be followed", 32u << 20);
	map_init(&g->entries);
	list_init(&g->todo);
	deferred_init(&g->look, loop, look);
	timer_init(&g->again, loop, on_timer);
	r = begin(g, err);
	if (r < 0) {
		free_it(g);
		return r;
	}
	*ret = g;
	return 0;
}

void policy_status_stop(struct policy_status *g)
{
	if (!g)
		return;
	cache_unwatch(&g->watch);
	g->stopped = true;
	timer_clear(&g->again);
	if (!g->busy)
		free_it(g);
}

bool policy_status_idle(const struct policy_status *g)
{
	return !g->busy && list_empty(&g->todo);
}
