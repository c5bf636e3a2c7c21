/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/admission/admission-review.h"

#include "apiserver/strategy/strategy.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "doc/json.h"

#include <string.h>

#define DEPTH_MAX 128

static const char *version_of(const struct review *r)
{
	return r->beta ? "admission.k8s.io/v1beta1" : "admission.k8s.io/v1";
}

/* ---- asking ---- */

static void put_gvk(struct arena *a, struct doc *to, const char *field, const struct review_gvk *g,
		    bool resource)
{
	struct doc *d = doc_set_object(a, to, field);

	doc_set_str(a, d, "group", g->group);
	doc_set_str(a, d, "version", g->version);
	doc_set_str(a, d, resource ? "resource" : "kind", g->name);
}

static void put_text(struct arena *a, struct doc *to, const char *field, const char *text)
{
	if (text && *text)
		doc_set_str(a, to, field, text);
}

static void put_user(struct arena *a, struct doc *to, const struct strategy_user *u)
{
	struct doc *d = doc_set_object(a, to, "userInfo"), *groups;

	put_text(a, d, "username", u->name);
	put_text(a, d, "uid", u->uid);
	if (u->groups && u->groups[0]) {
		groups = doc_set_array(a, d, "groups");
		for (size_t i = 0; u->groups[i]; i++)
			doc_append_str(a, groups, u->groups[i]);
	}
	if (doc_len(u->extra))
		doc_set(a, d, "extra", *u->extra);
}

static void put_doc(struct arena *a, struct doc *to, const char *field, const struct doc *d)
{
	doc_set(a, to, field, d ? *d : doc_null());
}

static void put_request(struct arena *a, struct doc *q, const struct review *r)
{
	doc_set_str(a, q, "uid", r->uid);
	put_gvk(a, q, "kind", &r->kind, false);
	put_gvk(a, q, "resource", &r->resource, true);
	put_text(a, q, "subResource", r->sub);
	put_gvk(a, q, "requestKind", &r->request_kind, false);
	put_gvk(a, q, "requestResource", &r->request_resource, true);
	put_text(a, q, "requestSubResource", r->sub);
	put_text(a, q, "name", r->name);
	put_text(a, q, "namespace", r->ns);
	doc_set_str(a, q, "operation", r->operation);
	put_user(a, q, r->user);
	put_doc(a, q, "object", r->obj);
	put_doc(a, q, "oldObject", r->old);
	doc_set_bool(a, q, "dryRun", r->dry_run);
	put_doc(a, q, "options", r->options);
}

const struct doc *review_request(const struct review *r, struct arena *a)
{
	struct doc *q = doc_new_object(a);

	put_request(a, q, r);
	return q;
}

int review_write(const struct review *r, struct buf *out, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("a review", 4u << 20);
	struct doc *top = doc_new_object(a);

	doc_set_str(a, top, "kind", "AdmissionReview");
	doc_set_str(a, top, "apiVersion", version_of(r));
	put_request(a, doc_set_object(a, top, "request"), r);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	return json_write(top, NULL, out, err);
}

/* ---- answers ---- */

static int wrong_type(const char *field, const struct doc *d, const char *want, struct err *err)
{
	return err_set(err, ERR_INVALID, "response.%s is of type %s, not %s", field,
		       doc_type_name(d), want);
}

/* A member of a type, or nothing: null is nothing. */
static int member(const struct doc *d, const char *field, enum doc_type type, const char *want,
		  const struct doc **ret, struct err *err)
{
	const struct doc *v = doc_get(d, field);

	*ret = NULL;
	if (!v || v->type == DOC_NULL)
		return 0;
	if (v->type != type)
		return wrong_type(field, v, want, err);
	*ret = v;
	return 0;
}

static int read_patch(const struct doc *response, const struct review *r, bool mutating,
		      struct arena *a, struct review_answer *ret, struct err *err)
{
	const struct json_options opt = { .max_depth = DEPTH_MAX };
	const struct doc *patch, *type;
	struct doc *list;
	char *text;
	size_t n;

	if (member(response, "patch", DOC_STRING, "string", &patch, err) < 0 ||
	    member(response, "patchType", DOC_STRING, "string", &type, err) < 0)
		return err_ret(err);
	if (patch && patch->n == 0)
		patch = NULL;
	if (!mutating && patch)
		return err_set(err, ERR_INVALID,
			       "validating webhook may not return response.patch");
	if (!mutating && type && !r->beta)
		return err_set(err, ERR_INVALID,
			       "validating webhook may not return response.patchType");
	if (!mutating)
		return 0;
	if (patch && !type && !r->beta)
		return err_set(err, ERR_INVALID,
			       "webhook returned response.patch but not response.patchType");
	if (!patch && type && !r->beta)
		return err_set(err, ERR_INVALID,
			       "webhook returned response.patchType but not response.patch");
	if (!patch)
		return 0;
	if (type && type->n == 0)
		return err_set(err, ERR_INVALID,
			       "webhook returned invalid response.patchType of \"\"");
	if (type && !doc_str_is(type, "JSONPatch"))
		return err_set(err, ERR_UNSUPPORTED, "unsupported patch type \"%.*s\"",
			       (int)MIN(type->n, 64u), type->s);
	text = arena_alloc_raw(a, patch->n + 1, 1);
	if (!text)
		return arena_quota(a, err);
	if (base64_decode(text, &n, doc_slice(patch)) < 0)
		return err_set(err, ERR_INVALID, "response.patch is not base64");
	if (json_read(a, slice_of(text, n), &opt, &list, err) < 0)
		return err_wrap(err, "response.patch");
	if (list->type != DOC_ARRAY && list->type != DOC_NULL)
		return err_set(err, ERR_INVALID, "response.patch is no list of operations");
	ret->patch = doc_len(list) ? list : NULL;
	return 0;
}

static int read_texts(const struct doc *response, struct review_answer *ret, struct err *err)
{
	if (member(response, "auditAnnotations", DOC_OBJECT, "map", &ret->audit, err) < 0 ||
	    member(response, "warnings", DOC_ARRAY, "list", &ret->warnings, err) < 0)
		return err_ret(err);
	DOC_EACH_MEMBER (k, v, ret->audit)
		if (v->type != DOC_STRING)
			return wrong_type("auditAnnotations", v, "string", err);
	DOC_EACH (w, ret->warnings)
		if (w->type != DOC_STRING)
			return wrong_type("warnings", w, "string", err);
	return 0;
}

static int check_kind(const struct doc *d, const struct review *r, struct err *err)
{
	struct slice kind = doc_slice(doc_get(d, "kind")), v = doc_slice(doc_get(d, "apiVersion"));

	if (slice_is(kind, "AdmissionReview") && slice_is(v, version_of(r)))
		return 0;
	return err_set(err, ERR_INVALID,
		       "expected webhook response of %s, Kind=AdmissionReview, got %.*s, Kind=%.*s",
		       version_of(r), (int)MIN(v.n, 64u), v.n ? v.p : "", (int)MIN(kind.n, 64u),
		       kind.n ? kind.p : "");
}

int review_read(struct slice text, const struct review *r, bool mutating, struct arena *a,
		struct review_answer *ret, struct err *err)
{
	const struct json_options opt = { .copy = true, .max_depth = DEPTH_MAX };
	struct review_answer out = { .allowed = false };
	const struct doc *response, *allowed, *uid;
	struct doc *d;

	if (json_read(a, text, &opt, &d, err) < 0)
		return err_ret(err);
	/* One that says nothing of its kind is v1beta1, as it once was. */
	if ((!r->beta || doc_get(d, "kind")) && check_kind(d, r, err) < 0)
		return err_ret(err);
	if (member(d, "response", DOC_OBJECT, "object", &response, err) < 0)
		return err_ret(err);
	if (!response)
		return err_set(err, ERR_INVALID, "webhook response was absent");
	if (member(response, "uid", DOC_STRING, "string", &uid, err) < 0 ||
	    member(response, "allowed", DOC_BOOL, "bool", &allowed, err) < 0 ||
	    member(response, "status", DOC_OBJECT, "object", &out.status, err) < 0)
		return err_ret(err);
	if (!r->beta && !doc_str_is(uid, r->uid))
		return err_set(err, ERR_INVALID, "expected response.uid=\"%s\", got \"%.*s\"",
			       r->uid, uid ? (int)MIN(uid->n, 64u) : 0, uid ? uid->s : "");
	out.allowed = doc_true(allowed);
	if (read_patch(response, r, mutating, a, &out, err) < 0 ||
	    read_texts(response, &out, err) < 0)
		return err_ret(err);
	*ret = out;
	return 0;
}
