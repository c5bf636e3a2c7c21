/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/extension/convert-review.h"

#include "api/check.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 128
#define GROUP "apiextensions.k8s.io/"

int convert_review_version(const struct doc *versions, bool *ret_beta, struct err *err)
{
	DOC_EACH (v, versions) {
		*ret_beta = doc_str_is(v, "v1beta1");
		if (*ret_beta || doc_str_is(v, "v1"))
			return 0;
	}
	return err_set(err, ERR_INVALID, "no supported conversion review versions");
}

/* ---- asking ---- */

int convert_review_write(const struct convert_review *r, struct buf *out, struct err *err)
{
	(void)buf_addf(
		out,
		"{\"kind\":\"ConversionReview\",\"apiVersion\":\"" GROUP
		"%s\",\"request\":{\"uid\":\"%s\",\"desiredAPIVersion\":\"%s\",\"objects\":[",
		r->beta ? "v1beta1" : "v1", r->uid, r->to);
	for (size_t i = 0; i < r->n; i++) {
		if (i)
			(void)buf_addc(out, ',');
		(void)buf_add(out, r->objects[i].p, r->objects[i].n);
	}
	if (buf_adds(out, "]}}") < 0)
		return err_set(err, ERR_TOO_LARGE, "the objects take more than %zu bytes",
			       out->max);
	return 0;
}

/* ---- answers ---- */

static int failed(const struct convert_review *r, struct err *err, const char *fmt, ...)
	PRINTF(3, 4);
static int failed(const struct convert_review *r, struct err *err, const char *fmt, ...)
{
	char why[sizeof(err->msg)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err_set(err, ERR_INVALID, "conversion webhook for %s %s", r->from, why);
}

static struct slice text_of(const struct doc *d, const char *field)
{
	const struct slice s = doc_slice(doc_get(d, field));

	return s.n ? slice_of(s.p, MIN(s.n, (size_t)200)) : SLICE("");
}

/* An absent one, null, or of the type: else -ERR_INVALID. */
static int member(const struct convert_review *r, const struct doc *d, const char *field,
		  enum doc_type type, const struct doc **ret, struct err *err)
{
	const struct doc *v = doc_get(d, field);

	*ret = v && v->type != DOC_NULL ? v : NULL;
	if (!*ret || v->type == type)
		return 0;
	return failed(r, err, "failed: %s of the response is of type %s", field, doc_type_name(v));
}

static int check_kind(const struct convert_review *r, const struct doc *d, struct err *err)
{
	const struct slice v = text_of(d, "apiVersion"), kind = text_of(d, "kind");

	if (r->beta || (slice_is(v, GROUP "v1") && slice_is(kind, "ConversionReview")))
		return 0;
	return failed(r, err,
		      "failed: expected webhook response of " GROUP
		      "v1, Kind=ConversionReview, got %.*s, Kind=%.*s",
		      (int)v.n, v.p, (int)kind.n, kind.p);
}

static int check_result_of(const struct convert_review *r, const struct doc *response,
			   struct err *err)
{
	const struct doc *result;
	struct slice status, message;

	if (member(r, response, "result", DOC_OBJECT, &result, err) < 0)
		return err_ret(err);
	status = text_of(result, "status");
	message = doc_slice(doc_get(result, "message"));
	if (slice_is(status, "Success"))
		return 0;
	if (message.n)
		return failed(r, err, "failed: %.*s", (int)MIN(message.n, (size_t)1024), message.p);
	return failed(r, err, "failed: response.result.status was '%.*s', not 'Success'",
		      (int)status.n, status.p);
}

static void count(const struct convert_review *r, enum convert_fault fault)
{
	if (r->fault)
		*r->fault = fault;
}

/* The list of objects, whose number is right. */
static int open_answer(const struct convert_review *r, const struct doc *d, const struct doc **ret,
		       struct err *err)
{
	const struct doc *response, *uid;

	if (check_kind(r, d, err) < 0 || member(r, d, "response", DOC_OBJECT, &response, err) < 0)
		return err_ret(err);
	if (!response)
		return failed(r, err, "failed: no response provided");
	if (member(r, response, "uid", DOC_STRING, &uid, err) < 0)
		return err_ret(err);
	if (!r->beta && !doc_str_is(uid, r->uid)) {
		const struct slice got = text_of(response, "uid");

		return failed(r, err, "failed: expected response.uid=\"%s\", got \"%.*s\"", r->uid,
			      (int)got.n, got.p);
	}
	if (check_result_of(r, response, err) < 0 ||
	    member(r, response, "convertedObjects", DOC_ARRAY, ret, err) < 0)
		return err_ret(err);
	if (doc_len(*ret) != r->n) {
		count(r, r->list ? CONVERT_PARTIAL : CONVERT_EMPTY);
		return failed(r, err, "returned %zu objects, expected %zu", doc_len(*ret), r->n);
	}
	count(r, CONVERT_INVALID); /* until it is not */
	return 0;
}

/* ---- one object ---- */

struct one {
	const struct convert_review *r;
	struct arena *a;
	size_t at;
	const char *bad; /* what errors say of it */
};

static int wrong(const struct one *o, struct err *err, const char *fmt, ...) PRINTF(3, 4);
static int wrong(const struct one *o, struct err *err, const char *fmt, ...)
{
	char why[sizeof(err->msg)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (o->r->list)
		return failed(o->r, err, "returned invalid %s at index %zu: %s", o->bad, o->at,
			      why);
	return failed(o->r, err, "returned invalid %s: %s", o->bad, why);
}

/* What stands there where a text is wanted counts as none. */
static int must_be_same(const struct one *o, const struct doc *old, const struct doc *new,
			const char *field, const char *called, struct err *err)
{
	const struct slice a = doc_slice(doc_get(old, field)), b = doc_slice(doc_get(new, field));

	if (a.n == b.n && (!a.n || slice_eq(a, b)))
		return 0;
	return wrong(o, err, "must have the same %s: %.*s != %.*s", called,
		     (int)MIN(a.n, (size_t)253), a.n ? a.p : "", (int)MIN(b.n, (size_t)253),
		     b.n ? b.p : "");
}

static int check_version(const struct one *o, const struct doc *new, struct err *err)
{
	const struct slice v = text_of(new, "apiVersion"), kind = text_of(new, "kind");

	if (!slice_is(v, o->r->to))
		return wrong(o, err, "invalid groupVersion (expected %s, received %.*s)", o->r->to,
			     (int)v.n, v.p);
	if (!slice_is(kind, o->r->kind))
		return wrong(o, err, "invalid kind (expected %s, received %.*s)", o->r->kind,
			     (int)kind.n, kind.p);
	return 0;
}

/* Labels or annotations as the webhook has them. */
static int take_map(struct one *o, struct doc *meta, const struct doc *given, const char *field,
		    struct err *err)
{
	const struct doc *map = doc_get(given, field), *old = doc_get(meta, field);
	const struct path in_meta = PATH(NULL, "metadata"), at = PATH(&in_meta, field);
	struct check c;

	if (!map || map->type == DOC_NULL) {
		(void)doc_remove(meta, field);
		return 0;
	}
	if (map->type != DOC_OBJECT)
		return wrong(o, err, "invalid metadata.%s of type %s in converted object", field,
			     doc_type_name(map));
	DOC_EACH_MEMBER (key, value, map)
		if (value->type != DOC_STRING)
			return wrong(o, err,
				     "metadata.%s[%.*s] must be a string, but is %s in converted "
				     "object",
				     field, (int)MIN(key->n, (uint32_t)200), key->s,
				     doc_type_name(value));
	if (old && doc_equal(old, map))
		return 0;
	check_init(&c, NULL, &(struct api_kind){ .kind = o->r->kind }, NULL, o->a);
	if (strcmp(field, "labels") == 0)
		check_labels(&c, &at, map);
	else
		check_annotations(&c, &at, map);
	if (c.n)
		return wrong(o, err, "%s: %s", c.first->field, c.first->detail);
	doc_set(o->a, meta, field, *map);
	return 0;
}

/* Metadata is that of the object that was sent. */
static int restore(struct one *o, const struct doc *old, struct doc *new, struct err *err)
{
	const struct doc *given = doc_get(new, "metadata"), *mine = doc_get(old, "metadata");
	struct doc *meta = doc_new_object(o->a), all = doc_object();

	o->bad = o->r->list ? "metadata in object" : "metadata";
	if (!given)
		return wrong(o, err, "missing metadata in converted object");
	if (given->type != DOC_OBJECT)
		return wrong(o, err, "invalid metadata of type %s in converted object",
			     doc_type_name(given));
	DOC_EACH_MEMBER (key, value, mine)
		if (meta)
			doc_add_node(o->a, meta, *key, *value);
	if (!meta || arena_exceeded(o->a))
		return arena_quota(o->a, err);
	if (take_map(o, meta, given, "labels", err) < 0 ||
	    take_map(o, meta, given, "annotations", err) < 0)
		return err_ret(err);
	DOC_EACH_MEMBER (key, value, new)
		doc_add_node(o->a, &all, *key, doc_str_is(key, "metadata") ? *meta : *value);
	*new = all;
	return arena_exceeded(o->a) ? arena_quota(o->a, err) : 0;
}

static int take_one(struct one *o, const struct doc *old, const struct doc *given, struct doc *ret,
		    struct err *err)
{
	const struct doc *was = doc_get(old, "metadata"), *is = doc_get(given, "metadata");

	o->bad = o->r->list ? "converted object" : "object";
	if (given->type != DOC_OBJECT)
		return wrong(o, err, "it is of type %s", doc_type_name(given));
	if (check_version(o, given, err) < 0 || must_be_same(o, was, is, "name", "name", err) < 0 ||
	    must_be_same(o, was, is, "namespace", "namespace", err) < 0 ||
	    must_be_same(o, was, is, "uid", "UID", err) < 0)
		return err_ret(err);
	*ret = *given;
	return restore(o, old, ret, err);
}

int convert_review_read(struct slice text, const struct convert_review *r, struct arena *a,
			struct doc *ret, struct err *err)
{
	const struct json_options opt = { .max_depth = DEPTH_MAX };
	struct one o = { .r = r, .a = a };
	const struct doc *list = NULL;
	struct doc *d, *old;

	count(r, CONVERT_MALFORMED);
	if (json_read(a, text, &opt, &d, err) < 0)
		return err_wrap(err, "conversion webhook for %s failed", r->from);
	if (open_answer(r, d, &list, err) < 0)
		return err_ret(err);
	for (size_t i = 0; i < r->n; i++) {
		o.at = i;
		if (json_read(a, r->objects[i], NULL, &old, err) < 0 ||
		    take_one(&o, old, doc_at(list, i), &ret[i], err) < 0)
			return err_ret(err);
	}
	count(r, CONVERT_FINE);
	return 0;
}
