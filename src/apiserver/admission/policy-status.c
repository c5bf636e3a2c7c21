/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/admission/policy-status.h"

#include "api/defaults.h"
#include "api/policy.h"
#include "api/type-cel.h"
#include "apiserver/objects/codec.h"
#include "apiserver/strategy/own-follow.h"
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#define GROUP "admissionregistration.k8s.io"
#define RESOURCE "validatingadmissionpolicies"
#define MANAGER "validatingadmissionpolicy-status"
/* What is compiled within one step of the loop: policies with more are checked against fewer kinds.
 */
#define TEXT_MAX (256u << 10)

struct policy_status {
	struct own_follow follow;
	struct arena *a; /* of one object */
	struct doc want;
};

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

static void on_change(struct own_follow *f, enum cache_change what, struct item *i)
{
	struct policy_status *g = CONTAINER_OF(f, struct policy_status, follow);
	struct err err = ERR_INIT;
	struct doc d;

	if (what == CACHE_DELETED)
		return;
	arena_reset(g->a);
	if (codec_parse(i, g->a, &d, &err) == 0 && is_new(&d))
		own_follow_add(f, item_name(i));
}

/* ---- the kinds that a policy is for ---- */

struct kinds {
	struct resources *rs;
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
				const struct resource *found = resources_find(x->rs, *g, *v, *r);

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

static int check_types(struct resources *rs, const struct doc *obj, struct arena *a,
		       struct doc *ret, struct err *err)
{
	const struct doc *spec = doc_get(obj, "spec"), *param = doc_get(spec, "paramKind");
	struct kinds x = { .rs = rs, .a = a };
	const struct resource *of = NULL;

	x.max = MIN(MAX(TEXT_MAX / text_of(spec), 1u), TYPE_CEL_KINDS_MAX);
	DOC_EACH (rule, doc_find(spec, "matchConstraints.resourceRules"))
		add_rule(&x, rule);
	qsort(x.v, x.n, sizeof(x.v[0]), by_kind);
	if (param) {
		const char *version = doc_cstr(a, doc_get(param, "apiVersion")),
			   *kind = doc_cstr(a, doc_get(param, "kind"));

		of = version && kind ? resources_kind(rs, version, kind) : NULL;
	}
	return type_cel_warnings(obj, x.v, x.n, of ? type_cel(of->kind->type, a) : NULL, a, ret,
				 err);
}

/* ---- writing ---- */

static int put_status(struct own_put *p, struct arena *a, struct doc *obj, const struct doc *want,
		      struct err *err)
{
	struct doc status = doc_object(), warnings, *have = doc_get(obj, "status");

	(void)want;
	if (!is_new(obj))
		return 0;
	if (check_types(p->rs, obj, a, &warnings, err) < 0)
		return err_ret(err);
	doc_set_int(a, &status, "observedGeneration", number(obj, "metadata.generation"));
	doc_set_object(a, &status, "typeChecking");
	if (doc_len(&warnings))
		doc_set(a, doc_get(&status, "typeChecking"), "expressionWarnings", warnings);
	if (doc_get(have, "conditions"))
		doc_set(a, &status, "conditions", *doc_get(have, "conditions"));
	if (arena_exceeded(a))
		return arena_quota(a, err);
	api_set(p->objects->kind->type, obj, a, "status", status);
	return 1;
}

static int check(struct own_task *t, struct err *err)
{
	(void)err;
	t->put = (struct own_put){
		.group = GROUP,
		.resource = RESOURCE,
		.namespace_ = "",
		.name = t->key,
		.want = &CONTAINER_OF(t->f, struct policy_status, follow)->want,
		.manager = MANAGER,
		.only_there = true,
		.update = put_status,
	};
	own_task_put(t);
	return OWN_WRITES;
}

/* ---- life ---- */

static void free_it(struct own_follow *f)
{
	struct policy_status *g = CONTAINER_OF(f, struct policy_status, follow);

	arena_free(g->a);
	free(g);
}

int policy_status_start(struct resources *rs, struct loop *loop, struct policy_status **ret,
			struct err *err)
{
	static const struct own_source policies = { GROUP, RESOURCE, on_change, NULL, false };
	struct policy_status *g = calloc(1, sizeof(*g));

	if (!g)
		abort();
	g->follow = (struct own_follow){ .loop = loop,
					 .rs = rs,
					 .what = "the status of admission policies",
					 .sources = &policies,
					 .n = 1,
					 .run = check,
					 .end = free_it };
	g->want = doc_object();
	g->a = arena_new("policy to be followed", 32u << 20);
	if (own_follow_start(&g->follow, err) < 0) {
		free_it(&g->follow);
		return err_ret(err);
	}
	*ret = g;
	return 0;
}

void policy_status_stop(struct policy_status *g)
{
	if (g)
		own_follow_stop(&g->follow);
}

bool policy_status_idle(const struct policy_status *g)
{
	return own_follow_idle(&g->follow);
}
