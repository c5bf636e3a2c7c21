/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reviews: questions that are posted as objects and answered at once, nothing is kept of them. Who
 * am I, may I, may they, what may I, whose token is this.
 */
#include "apiserver/auth/authn.h"
#include "apiserver/auth/authz.h"
#include "apiserver/auth/rbac.h"
#include "apiserver/rest/rest-write.h"

#include "api/check.h"
#include "api/defaults.h"

#include <string.h>

#define RULES_MAX 1024

struct review {
	const char *kind;
	int (*answer)(struct change *x, struct doc *obj, struct doc *status, struct err *err);
};

static const char *text(struct change *x, const struct doc *d, const char *path)
{
	const char *s = doc_cstr(call_work(x->c), doc_find(d, path));

	return s ? s : "";
}

static void put_texts(struct arena *a, struct doc *to, const char *key, const char *const *v)
{
	struct doc *list = doc_set_array(a, to, key);

	for (; v && *v; v++)
		doc_append_str(a, list, *v);
}

/* authentication/v1 UserInfo. */
static void put_user(struct arena *a, struct doc *to, const char *key,
		     const struct strategy_user *u)
{
	struct doc *user = doc_set_object(a, to, key);

	doc_set_str(a, user, "username", u->name);
	if (u->uid && *u->uid)
		doc_set_str(a, user, "uid", u->uid);
	if (u->groups && *u->groups)
		put_texts(a, user, "groups", u->groups);
	if (doc_len(u->extra))
		doc_set(a, user, "extra", *u->extra);
}

/* ---- who ---- */

static int self(struct change *x, struct doc *obj, struct doc *status, struct err *err)
{
	(void)obj;
	(void)err;
	put_user(call_work(x->c), status, "userInfo", &x->c->user);
	return 0;
}

static const char *const *wanted_audiences(struct change *x, const struct doc *list)
{
	struct arena *a = call_work(x->c);
	const char **v = doc_len(list) ? ARENA_ARRAY(a, const char *, doc_len(list) + 1) : NULL;
	size_t n = 0;

	DOC_EACH (one, list) {
		const char *s = doc_cstr(a, one);

		if (v && s)
			v[n++] = s;
	}
	return v;
}

static int token(struct change *x, struct doc *obj, struct doc *status, struct err *err)
{
	struct arena *a = call_work(x->c);
	const char *t = text(x, obj, "spec.token");
	const struct authn_ask q = { .token = slice_str(t),
				     .wanted = wanted_audiences(x, doc_find(obj, "spec.audiences")),
				     .memo = &x->c->known };
	struct err why = ERR_INIT;
	struct authn_found found;
	int r;

	if (!*t)
		return status_bad_request(err, &x->c->about,
					  "token is required for TokenReview in authentication");
	r = authn_token(x->c->srv->conf.authn, &q, a, &found, &why);
	if (r == AUTHN_WAITS)
		return 0; /* it is answered when somebody else has said it */
	if (r == 1) {
		doc_set_bool(a, status, "authenticated", true);
		put_user(a, status, "user", &found.user);
		if (found.audiences && *found.audiences)
			put_texts(a, status, "audiences", found.audiences);
		return 0;
	}
	if (r < 0 && r != -ERR_UNAUTHORIZED) {
		*err = why;
		return r;
	}
	doc_set_object(a, status, "user");
	if (r < 0)
		doc_set_strf(a, status, "error", "[invalid bearer token, %s]", why.msg);
	else
		doc_set_str(a, status, "error", "[invalid bearer token]");
	return 0;
}

/* ---- may ---- */

/* meta.{Field,Label}SelectorRequirement; 0: it is of no use here, so nothing is narrowed by it. */
static size_t read_term(struct arena *a, const struct doc *d, bool label, struct selector_term *t)
{
	static const struct {
		const char *name;
		enum selector_op op;
		bool label;
	} ops[] = {
		{ "In", SELECT_IN, false },
		{ "NotIn", SELECT_NOT_IN, false },
		{ "Exists", SELECT_EXISTS, true },
		{ "DoesNotExist", SELECT_ABSENT, true },
	};
	const struct doc *values = doc_get(d, "values");
	struct slice *v = ARENA_ARRAY(a, struct slice, doc_len(values) + 1);
	size_t n = 0, i = 0;

	DOC_EACH (one, values)
		if (v)
			v[n++] = doc_slice(one);
	while (i < ARRAY_LEN(ops) && !doc_str_is(doc_get(d, "operator"), ops[i].name))
		i++;
	if (!v || i == ARRAY_LEN(ops) || (!label && (ops[i].label || n != 1)))
		return 0;
	*t = (struct selector_term){
		.key = doc_slice(doc_get(d, "key")), .op = ops[i].op, .values = v, .n = n
	};
	if (n == 1 && t->op == SELECT_IN)
		t->op = SELECT_EQUAL;
	if (n == 1 && t->op == SELECT_NOT_IN)
		t->op = SELECT_NOT_EQUAL;
	return 1;
}

/* authorization/v1 {Field,Label}SelectorAttributes: what cannot be read narrows nothing. */
static const struct selector *read_selector(struct arena *a, const struct doc *d, bool label)
{
	const struct doc *raw = doc_get(d, "rawSelector"), *list = doc_get(d, "requirements");
	struct selector *s = ARENA_NEW(a, struct selector);
	struct selector_term *t = ARENA_ARRAY(a, struct selector_term, doc_len(list) + 1);
	struct err err = ERR_INIT;

	if (!d || !s || !t)
		return NULL;
	*s = (struct selector){ .terms = t };
	if (doc_slice(raw).n) {
		if ((label ? selector_labels(doc_slice(raw), a, s, &err)
			   : selector_fields(doc_slice(raw), a, s, &err)) < 0)
			*s = (struct selector){ 0 };
		return s;
	}
	DOC_EACH (r, list)
		s->n += read_term(a, r, label, &t[s->n]);
	return s;
}

static int answer_access(struct change *x, const struct doc *spec, const struct strategy_user *u,
			 struct doc *status)
{
	const struct doc *r = doc_get(spec, "resourceAttributes");
	const struct doc *p = doc_get(spec, "nonResourceAttributes");
	const struct authz_attrs at = {
		.user = u,
		.verb = text(x, r ? r : p, "verb"),
		.resource_request = r != NULL,
		.group = text(x, r, "group"),
		.version = text(x, r, "version"),
		.resource = text(x, r, "resource"),
		.sub = text(x, r, "subresource"),
		.name = text(x, r, "name"),
		.ns = text(x, r, "namespace"),
		.path = text(x, p, "path"),
		.fields = read_selector(call_work(x->c), doc_get(r, "fieldSelector"), false),
		.labels = read_selector(call_work(x->c), doc_get(r, "labelSelector"), true),
	};
	struct buf why = BUF_INIT(1024);

	doc_set_bool(call_work(x->c), status, "allowed",
		     authz_allowed(x->c->srv->conf.authz, &at, &why));
	if (why.n)
		doc_set_str(call_work(x->c), status, "reason", buf_str(&why));
	if (u->memo && u->memo->failed)
		doc_set_str(call_work(x->c), status, "evaluationError", u->memo->failed);
	buf_fini(&why);
	return 0;
}

static int self_access(struct change *x, struct doc *obj, struct doc *status, struct err *err)
{
	(void)err;
	return answer_access(x, doc_get(obj, "spec"), &x->c->user, status);
}

static int subject_access(struct change *x, struct doc *obj, struct doc *status, struct err *err)
{
	struct arena *a = call_work(x->c);
	const struct doc *spec = doc_get(obj, "spec"), *groups = doc_get(spec, "groups");
	const char **v = ARENA_ARRAY(a, const char *, doc_len(groups) + 1);
	struct strategy_user u = { .name = text(x, spec, "user"),
				   .uid = text(x, spec, "uid"),
				   .groups = v,
				   .extra = doc_get(spec, "extra"),
				   .memo = &x->c->memo };
	size_t n = 0;

	if (!v)
		return arena_quota(a, err);
	DOC_EACH (g, groups)
		v[n++] = doc_cstr(a, g) ? doc_cstr(a, g) : "";
	return answer_access(x, spec, &u, status);
}

static int local_access(struct change *x, struct doc *obj, struct doc *status, struct err *err)
{
	const char *ns = text(x, obj, "spec.resourceAttributes.namespace");

	if (strcmp(ns, x->c->rq.namespace_) != 0)
		return status_bad_request(err, &x->c->about,
					  "spec.resourceAttributes.namespace must match namespace: "
					  "%.253s",
					  x->c->rq.namespace_);
	return subject_access(x, obj, status, err);
}

struct told {
	struct arena *a;
	struct doc *resources, *paths;
	unsigned n;
};

static int tell_rule(void *arg, const struct rbac_rule *r)
{
	struct told *t = arg;
	struct doc *to = doc_append_object(t->a, r->paths ? t->paths : t->resources);

	put_texts(t->a, to, "verbs", r->verbs);
	if (r->paths) {
		put_texts(t->a, to, "nonResourceURLs", r->paths);
	} else {
		put_texts(t->a, to, "apiGroups", r->groups);
		put_texts(t->a, to, "resources", r->resources);
		if (r->names)
			put_texts(t->a, to, "resourceNames", r->names);
	}
	return ++t->n < RULES_MAX ? 0 : -ERR_QUOTA;
}

static int rules(struct change *x, struct doc *obj, struct doc *status, struct err *err)
{
	const char *ns = text(x, obj, "spec.namespace");
	struct told t = { .a = call_work(x->c) };
	struct doc paths = doc_array(), resources = doc_array();

	if (!*ns)
		return status_bad_request(err, &x->c->about, "no namespace on request");
	t.resources = &resources;
	t.paths = &paths;
	/* More than that are left out, which is said. */
	(void)authz_each_rule(x->c->srv->conf.authz, &x->c->user, ns, tell_rule, &t);
	doc_set(t.a, status, "resourceRules", resources);
	doc_set(t.a, status, "nonResourceRules", paths);
	doc_set_bool(t.a, status, "incomplete",
		     t.n >= RULES_MAX || !authz_tells_all(x->c->srv->conf.authz, &x->c->user));
	if (!authz_tells_all(x->c->srv->conf.authz, &x->c->user))
		doc_set_str(t.a, status, "evaluationError",
			    "webhook and node authorizers do not tell their rules");
	return 0;
}

/* ---- all ---- */

static const struct review reviews[] = {
	{ "SelfSubjectReview", self },
	{ "TokenReview", token },
	{ "SelfSubjectAccessReview", self_access },
	{ "SubjectAccessReview", subject_access },
	{ "LocalSubjectAccessReview", local_access },
	{ "SelfSubjectRulesReview", rules },
};

/* One that runs; in the call's arena. What it has is kept while somebody is asked. */
struct reviewing {
	struct change x;
	const struct review *rv;
	struct doc obj;
	struct hook_ask ask;
	bool mutated;
};

static int read_body(struct reviewing *r, struct err *err)
{
	const struct api_kind *k = r->x.c->resource->kind;
	int n = change_read(&r->x, &r->obj, err);

	return n < 0 ? n : change_ns(&r->x, change_meta(&r->x, k->type, &r->obj), err);
}

static int check(struct reviewing *r, struct err *err)
{
	struct call *c = r->x.c;

	return api_check(c->srv->conf.api, c->resource->kind, "", &r->obj, NULL, call_work(c), err);
}

static int run(struct reviewing *r, struct err *err)
{
	struct change *x = &r->x;
	struct arena *a = call_work(x->c);
	const struct api_kind *k = x->c->resource->kind;
	struct doc status = doc_object();
	int n = r->rv->answer(x, &r->obj, &status, err);

	if (n < 0)
		return n;
	change_set_meta(x, change_meta(x, k->type, &r->obj), "creationTimestamp",
			doc_str(a, change_now(x)));
	api_set(k->type, &r->obj, a, "status", status);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static void answer(struct reviewing *r);

static void answer_again(void *arg, bool given_up)
{
	if (!given_up)
		answer(arg);
}

static void answer(struct reviewing *r)
{
	struct call *c = r->x.c;
	struct err err = ERR_INIT;
	const int n = run(r, &err);

	if (call_asks(c, answer_again, r))
		return;
	if (n < 0)
		call_fail(c, &err);
	else
		call_doc(c, 201, &r->obj, c->resource->kind->type);
}

/* Webhooks that may change it, then those that may refuse it. */
static void agreed(struct hook_ask *k, int result, struct err *err)
{
	struct reviewing *r = k->arg;
	struct err why = ERR_INIT;

	if (result < 0) {
		hook_ask_fail(k, err);
	} else if (r->mutated) {
		answer(r);
	} else if (check(r, &why) < 0) {
		call_fail(k->c, &why);
	} else {
		r->mutated = true;
		hook_ask_validate(k);
	}
}

static void stop(struct call *c)
{
	struct reviewing *r = c->verb;

	hook_ask_cancel(&r->ask);
}

static void begin(struct call *c)
{
	const struct api_kind *k = c->resource->kind;
	struct reviewing *r = ARENA_NEW(c->a, struct reviewing);
	struct err err = ERR_INIT;

	if (!r) {
		(void)arena_quota(c->a, &err);
		call_fail(c, &err);
		return;
	}
	r->x = (struct change){
		.c = c, .type = k->type, .api_version = k->group->api_version, .kind = k->kind
	};
	for (size_t i = 0; i < ARRAY_LEN(reviews); i++)
		if (strcmp(reviews[i].kind, k->kind) == 0)
			r->rv = &reviews[i];
	if (read_body(r, &err) < 0) {
		call_fail(c, &err);
		return;
	}
	r->ask = (struct hook_ask){ .c = c,
				    .op = HOOK_CREATE,
				    .asked = c->resource,
				    .ns = k->namespaced ? c->rq.namespace_ : "",
				    .name = text(&r->x, &r->obj, "metadata.name"),
				    .sub = "",
				    .obj = &r->obj,
				    .own = k->type,
				    .options = change_options(c, "CreateOptions"),
				    .dry_run = c->q.dry_run,
				    .done = agreed,
				    .arg = r };
	c->verb = r;
	c->stop = stop;
	hook_ask_mutate(&r->ask);
}

bool rest_review(struct call *c)
{
	const char *kind = c->resource->kind->kind;
	struct err err = ERR_INIT;
	bool is_one = false;

	for (size_t i = 0; i < ARRAY_LEN(reviews); i++)
		is_one |= strcmp(reviews[i].kind, kind) == 0;
	if (!is_one || c->resource->objects)
		return false;
	/* nothing is kept of it, so there are no columns: a Table is 406 */
	if (call_choose(c, CODEC_NO_SHAPE, &err) < 0 || call_media(c, 0, &err) < 0)
		call_fail(c, &err);
	else
		call_body(c, begin);
	return true;
}
