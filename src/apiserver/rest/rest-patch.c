/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PATCH: JSON Patch, JSON Merge Patch, strategic merge patch, apply. Each makes of what is there
 * what shall be; from there on it is an update (or, for apply, maybe a create).
 */
#include "apiserver/rest/rest-write.h"

#include "api/check.h"
#include "api/managed.h"
#include "api/merge.h"
#include "doc/json.h"
#include "doc/patch.h"

#include <string.h>

#define TEXT_MAX (4u << 20)
#define DEPTH_MAX 64 /* of a patch that is told in an error */

enum form { FORM_JSON, FORM_MERGE, FORM_STRATEGIC, FORM_APPLY };

static const char *const forms[] = { "application/json-patch+json", "application/merge-patch+json",
				     "application/strategic-merge-patch+json",
				     "application/apply-patch+yaml" };

struct patch {
	enum form form;
};

/* ---- errors ---- */

/* fmt's %+v of what JSON made: "map[spec:map[replicas:3]]". */
static void print_go(const struct doc *d, unsigned depth, struct buf *out)
{
	bool first = true;

	if (depth > DEPTH_MAX)
		return;
	if (doc_is(d, DOC_OBJECT)) {
		(void)buf_adds(out, "map[");
		DOC_EACH_MEMBER (k, v, d) {
			(void)buf_addf(out, "%s%.*s:", first ? "" : " ", (int)k->n, k->s);
			print_go(v, depth + 1, out);
			first = false;
		}
		(void)buf_addc(out, ']');
	} else if (doc_is(d, DOC_ARRAY)) {
		(void)buf_addc(out, '[');
		DOC_EACH (v, d) {
			(void)buf_adds(out, first ? "" : " ");
			print_go(v, depth + 1, out);
			first = false;
		}
		(void)buf_addc(out, ']');
	} else if (doc_is(d, DOC_BOOL)) {
		(void)buf_adds(out, doc_true(d) ? "true" : "false");
	} else if (doc_is(d, DOC_NULL)) {
		(void)buf_adds(out, "<nil>");
	} else {
		(void)buf_add(out, d->s, d->n);
	}
}

/* 422 about the patch, in upstream's words: of no kind, with what was made of it. */
static int bad_result(struct change *x, const struct doc *value, bool go, const char *why,
		      struct err *err)
{
	struct arena *a = call_work(x->c);
	CLEANUP(buf_fini) struct buf text = BUF_INIT(TEXT_MAX), quoted = BUF_INIT(TEXT_MAX);
	struct cause *cause = ARENA_NEW(a, struct cause);

	if (go)
		print_go(value, 0, &text);
	else
		(void)json_write(value, NULL, &text, NULL);
	(void)json_write_string(&quoted, buf_slice(&text), false);
	x->c->about = (struct status_about){ .reason = STATUS_INVALID };
	if (!cause)
		return arena_quota(a, err);
	*cause = (struct cause){
		.field = "patch",
		.reason = "FieldValueInvalid",
		.detail = arena_printf(a, "Invalid value: %s: %s", buf_str(&quoted), why),
	};
	(void)err_set(err, ERR_INVALID, " \"\" is invalid: patch: %s", cause->detail);
	err->causes = cause;
	return -ERR_INVALID;
}

static int bad_patch(struct change *x, const char *why, struct err *err)
{
	return status_bad_request(err, &x->c->about, "error decoding patch: %.900s", why);
}

/* ---- the four ---- */

/* The patch's JSON; keys that stand twice go to strays. */
static int read_json(struct change *x, struct api_strays *strays, struct doc **ret, struct err *err)
{
	struct arena *a = call_work(x->c);
	struct json_dups dups = { 0 };
	const struct json_options opt = { .dup = JSON_DUP_COUNT, .dups = &dups };

	if (json_read(a, x->c->body, &opt, ret, err) < 0)
		return bad_patch(x, arena_strdup(a, err->msg), err);
	for (size_t i = 0; i < MIN(dups.count, JSON_DUPS_MAX); i++)
		api_stray(strays, a, "duplicate", dups.path[i]);
	return 0;
}

static int by_json(struct change *x, const struct doc *from, const struct doc *patch,
		   struct doc **ret, struct err *err)
{
	struct arena *a = call_work(x->c);
	int r;

	if (doc_len(patch) > PATCH_OPS_MAX && doc_is(patch, DOC_ARRAY)) {
		x->c->about.reason = STATUS_TOO_LARGE;
		return err_set(err, ERR_TOO_LARGE,
			       "The allowed maximum operations in a JSON patch is %d, got %zu",
			       PATCH_OPS_MAX, doc_len(patch));
	}
	r = patch_apply(a, from, patch, NULL, ret, err);
	if (r == -ERR_BAD_REQUEST)
		return bad_patch(x, arena_strdup(a, err->msg), err);
	if (r == -ERR_INVALID || r == -ERR_CONFLICT) {
		x->c->about = (struct status_about){ .reason = STATUS_INVALID };
		return err_set(err, ERR_INVALID,
			       "the server rejected our request due to an error in our request");
	}
	return r;
}

static int by_strategy(struct change *x, const struct doc *from, const struct doc *patch,
		       struct doc *ret, struct err *err)
{
	if (!doc_is(patch, DOC_OBJECT))
		return bad_patch(x, "a strategic merge patch is an object", err);
	return api_merge(x->type, from, patch, call_work(x->c), ret, err);
}

/* What is made of `from`, canonical. */
static int patched(struct change *x, enum form form, struct doc *from, struct doc *ret,
		   struct err *err)
{
	struct arena *a = call_work(x->c);
	CLEANUP(buf_fini) struct buf strict = BUF_INIT(64u << 10);
	struct api_strays strays = { 0 };
	struct doc *patch, *to = NULL, merged = doc_null();
	int r = read_json(x, &strays, &patch, err);

	if (r == 0 && form == FORM_JSON)
		r = by_json(x, from, patch, &to, err);
	else if (r == 0 && form == FORM_MERGE && !doc_is(patch, DOC_OBJECT))
		r = bad_patch(x, "a merge patch of an object is an object", err);
	else if (r == 0 && form == FORM_MERGE)
		r = patch_merge(a, from, patch, &to, err);
	else if (r == 0)
		r = by_strategy(x, from, patch, &merged, err);
	if (r < 0)
		return r;
	if (to)
		merged = *to;
	x->clear = managed_clears(doc_find(&merged, "metadata.managedFields"));
	r = api_admit(x->type, &merged, a, 0, &strays, ret, err);
	if (r == -ERR_BAD_REQUEST)
		return bad_result(x, form == FORM_STRATEGIC ? patch : &merged,
				  form == FORM_STRATEGIC, arena_strdup(a, err->msg), err);
	if (r == 0 && change_strays(x, &strays, &strict))
		return bad_result(x, form == FORM_STRATEGIC ? patch : ret, form == FORM_STRATEGIC,
				  buf_str(&strict), err);
	return r;
}

static int kind_stays(struct change *x, const struct doc *view, struct err *err)
{
	if (doc_str_is(doc_get(view, "kind"), x->kind) &&
	    doc_str_is(doc_get(view, "apiVersion"), x->api_version))
		return 0;
	return status_bad_request(err, &x->c->about,
				  "kind and apiVersion of an object cannot be patched");
}

static int apply(struct change *x, struct doc *ret, struct err *err)
{
	struct call *c = x->c;
	struct arena *a = call_work(c);
	CLEANUP(buf_fini) struct buf strict = BUF_INIT(64u << 10);
	struct api_strays strays = { 0 };
	struct apply_result result = { .message = NULL };
	struct apply ap;
	struct doc applied;
	int r = codec_read(c->srv->conf.api, CODEC_YAML, c->body, c->resource->kind, a, &strays,
			   &applied, err);

	if (r < 0)
		return r == -ERR_BAD_REQUEST ? bad_patch(x, arena_strdup(a, err->msg), err) : r;
	r = change_apply(x, &ap, err);
	if (r == 0)
		r = apply_run(&ap, x->live ? &x->view : NULL, &applied, c->q.force, &result, err);
	if (r == -ERR_SYSTEM)
		c->about.reason = STATUS_UNKNOWN;
	if (r < 0)
		return r;
	if (change_strays(x, &strays, &strict))
		return status_bad_request(err, &c->about, "error strict decoding patch: %.900s",
					  buf_str(&strict));
	r = api_admit(x->type, &result.obj, a, 0, &strays, ret, err);
	x->applied = true;
	return r;
}

/* ---- the way ---- */

static int make(struct change *x, struct doc *view, struct err *err)
{
	struct call *c = x->c;
	const struct doc *uid = doc_find(view, "metadata.uid");
	int r;

	if (doc_slice(uid).n)
		return status_conflict(err, &c->about, c->rq.name,
				       "uid mismatch: the provided object specified uid %.*s, and "
				       "no existing object was found",
				       (int)MIN(doc_slice(uid).n, 64), doc_slice(uid).p);
	r = rest_may_create(c, err);
	return r < 0 ? r : change_create(x, view, err);
}

static int prepare(struct change *x, struct err *err)
{
	struct patch *p = x->arg;
	struct call *c = x->c;
	struct arena *a = call_work(c);
	bool is_apply = p->form == FORM_APPLY;
	struct doc view, *copy;
	int r = change_load(x, c->rq.name, err);

	if (r < 0)
		return r;
	if (!x->live && (!is_apply || *c->rq.subresource))
		return status_not_found(err, &c->about, c->rq.name);
	if (is_apply) {
		r = apply(x, &view, err);
	} else {
		copy = doc_copy_shared(a, &x->view); /* the live one stays as it is */
		r = copy ? patched(x, p->form, copy, &view, err) : arena_quota(a, err);
		if (r == 0)
			r = kind_stays(x, &view, err);
	}
	if (r == 0)
		r = change_names(x, &view, err);
	if (r < 0)
		return r;
	return x->live ? change_update(x, &view, false, err) : make(x, &view, err);
}

static void patch(struct call *c)
{
	struct change *x = change_new(c, prepare);

	if (!x)
		return;
	rest_scale_view(x);
	x->arg = c->verb;
	x->tries_max = CHANGE_PATCH_TRIES;
	change_run(x);
}

static int form_of(struct call *c, struct err *err)
{
	struct slice type = stream_header(c->s, "Content-Type");
	struct slice first = slice_trim(slice_split(&type, ';'));
	struct patch *p = ARENA_NEW(c->a, struct patch);
	bool custom = c->resource->kind->custom;

	if (!p)
		return arena_quota(c->a, err);
	c->verb = p;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (slice_is(first, forms[i]) && !(custom && i == FORM_STRATEGIC)) {
			p->form = (enum form)i;
			c->media = i == FORM_APPLY ? CODEC_YAML : CODEC_JSON;
			return 0;
		}
	return err_set(err, ERR_UNSUPPORTED,
		       "the body of the request was in an unknown format - accepted media types "
		       "include: %s, %s%s%s, %s",
		       forms[FORM_JSON], forms[FORM_MERGE], custom ? "" : ", ",
		       custom ? "" : forms[FORM_STRATEGIC], forms[FORM_APPLY]);
}

/* What only apply may say, and what it must. */
static int check_options(struct call *c, struct err *err)
{
	bool is_apply = ((struct patch *)c->verb)->form == FORM_APPLY;
	struct cause *cause = ARENA_NEW(c->a, struct cause);

	if (!cause)
		return arena_quota(c->a, err);
	if (is_apply && !*c->q.field_manager)
		*cause = (struct cause){ .field = "fieldManager",
					 .reason = "FieldValueRequired",
					 .detail = "Required value: is required for apply patch" };
	else if (!is_apply && c->q.force_given)
		*cause = (struct cause){ .field = "force",
					 .reason = "FieldValueForbidden",
					 .detail = "Forbidden: may not be specified for non-apply "
						   "patch" };
	else
		return 0;
	c->about = (struct status_about){ .group = "meta.k8s.io", .kind = "PatchOptions" };
	(void)err_set(err, ERR_INVALID, "PatchOptions.meta.k8s.io \"\" is invalid: %s: %s",
		      cause->field, cause->detail);
	err->causes = cause;
	return -ERR_INVALID;
}

void rest_patch(struct call *c)
{
	unsigned flags = c->resource->kind->custom ? CODEC_NO_PROTO : 0;
	struct err err ERR_RAW;

	err_clear(&err);
	if (form_of(c, &err) < 0 || call_choose(c, flags, &err) < 0 || check_options(c, &err) < 0)
		call_fail(c, &err);
	else
		call_body(c, patch);
}
