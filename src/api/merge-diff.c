/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strategic merge patches made, not applied: what turns a live object into what a file says now,
 * and takes away what the file said last time and says no more. What others have set stays.
 */
#include "api/merge.h"

#include "api/api.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#define DEPTH_MAX 96

struct diff {
	struct arena *a;
	struct err *err;
	unsigned depth;
};

static int diff_object(struct diff *x, const struct api_type *t, const struct doc *last,
		       const struct doc *now, const struct doc *live, struct doc *ret);

static const struct schema_field *field_of(const struct api_type *t, struct slice key)
{
	return t ? schema_find(&t->schema, key, 0, false) : NULL;
}

static const struct doc *by_key(const struct doc *list, const struct doc *key, const char *name)
{
	DOC_EACH (e, list) {
		const struct doc *other = name ? doc_get(e, name) : e;

		if (other && doc_equal(other, key))
			return e;
	}
	return NULL;
}

static const struct doc *key_in(const struct doc *e, const char *name)
{
	return name ? doc_get(e, name) : e;
}

/* Do the elements of `now` that are live stand there in the same order? */
static bool same_order(const struct doc *now, const struct doc *live, const char *name)
{
	const struct doc *last = NULL;

	DOC_EACH (e, now) {
		const struct doc *found = by_key(live, key_in(e, name), name);

		if (!found || (last && found < last))
			return false;
		last = found;
	}
	return true;
}

static void add_order(struct diff *x, struct slice field, const struct doc *now, const char *name,
		      struct doc *ret)
{
	struct doc order = doc_array();
	const char *key = arena_printf(x->a, "$setElementOrder/%.*s", (int)field.n, field.p);

	DOC_EACH (e, now) {
		struct doc one = doc_object();

		if (name)
			doc_set(x->a, &one, name, *doc_get(e, name));
		doc_append(x->a, &order, name ? one : *e);
	}
	if (key)
		doc_set(x->a, ret, key, order);
}

static int diff_element(struct diff *x, const struct api_type *t, const char *name,
			const struct doc *last, const struct doc *now, const struct doc *live,
			struct doc *list)
{
	const struct doc *key = doc_get(now, name), *there = by_key(live, key, name);
	struct doc one = doc_object();
	int r;

	if (!there) {
		doc_append(x->a, list, *now);
		return 0;
	}
	r = diff_object(x, t, by_key(last, key, name), now, there, &one);
	if (r < 0 || !one.n)
		return r;
	doc_set(x->a, &one, name, *key);
	doc_append(x->a, list, one);
	return 0;
}

/* Elements with a key: each is patched for itself. */
static int diff_keyed(struct diff *x, const struct api_type *t, struct slice field,
		      const char *name, const struct doc *last, const struct doc *now,
		      const struct doc *live, struct doc *ret)
{
	struct doc list = doc_array();

	DOC_EACH (e, now) {
		int r;

		if (!doc_get(e, name))
			return err_set(x->err, ERR_BAD_REQUEST,
				       "%.*s: an element without its merge key %s", (int)field.n,
				       field.p, name);
		r = diff_element(x, t, name, last, e, live, &list);
		if (r < 0)
			return r;
	}
	DOC_EACH (e, last) {
		const struct doc *key = doc_get(e, name);
		struct doc one = doc_object();

		if (!key || by_key(now, key, name) || !by_key(live, key, name))
			continue;
		doc_set(x->a, &one, name, *key);
		doc_set_str(x->a, &one, "$patch", "delete");
		doc_append(x->a, &list, one);
	}
	if (!list.n && same_order(now, live, name))
		return 0;
	add_order(x, field, now, name, ret);
	if (list.n)
		doc_setn(x->a, ret, field, list);
	return 0;
}

/* A list of plain values that is merged as a set. */
static void diff_set(struct diff *x, struct slice field, const struct doc *last,
		     const struct doc *now, const struct doc *live, struct doc *ret)
{
	struct doc more = doc_array(), less = doc_array();
	const char *key;

	DOC_EACH (e, now)
		if (!by_key(live, e, NULL))
			doc_append(x->a, &more, *e);
	DOC_EACH (e, last)
		if (!by_key(now, e, NULL) && by_key(live, e, NULL))
			doc_append(x->a, &less, *e);
	if (!more.n && !less.n)
		return;
	key = arena_printf(x->a, "$deleteFromPrimitiveList/%.*s", (int)field.n, field.p);
	add_order(x, field, now, NULL, ret);
	if (less.n && key)
		doc_set(x->a, ret, key, less);
	if (more.n)
		doc_setn(x->a, ret, field, more);
}

static int diff_list(struct diff *x, const struct api_type *t, const struct schema_field *f,
		     struct slice field, const struct doc *last, const struct doc *now,
		     const struct doc *live, struct doc *ret)
{
	bool merged =
		f && (f->merge == SCHEMA_MERGE_MERGE || f->merge == SCHEMA_MERGE_MERGE_RETAIN_KEYS);
	bool objects = doc_is(doc_at(now, 0), DOC_OBJECT) || doc_is(doc_at(live, 0), DOC_OBJECT);
	const char *name = f ? f->merge_key : NULL;

	if (merged && objects && name)
		return diff_keyed(x, t, field, name, last, now, live, ret);
	if (merged && !objects)
		diff_set(x, field, last, now, live, ret);
	else if (!doc_equal(now, live))
		doc_setn(x->a, ret, field, *now);
	return 0;
}

static void keep_only(struct diff *x, const struct doc *now, struct doc *patch)
{
	struct doc keys = doc_array();

	DOC_EACH_MEMBER (key, value, now) {
		doc_append(x->a, &keys, *key);
		(void)value;
	}
	doc_set(x->a, patch, "$retainKeys", keys);
}

static int diff_member(struct diff *x, const struct api_type *t, const struct doc *key,
		       const struct doc *last, const struct doc *now, const struct doc *live,
		       struct doc *ret)
{
	struct slice name = slice_of(key->s, key->n);
	const struct schema_field *f = field_of(t, name);
	const struct api_type *type = t && f ? api_note_of(t, f)->type : NULL;
	struct doc sub = doc_object();
	int r;

	if (!live || live->type != now->type) {
		if (live || now->type != DOC_NULL)
			doc_setn(x->a, ret, name, *now);
		return 0;
	}
	if (now->type == DOC_ARRAY)
		return diff_list(x, type, f, name, last, now, live, ret);
	if (now->type != DOC_OBJECT || (f && f->merge == SCHEMA_MERGE_REPLACE)) {
		if (!doc_equal(now, live))
			doc_setn(x->a, ret, name, *now);
		return 0;
	}
	/* What is in maps is merged by shape, as api_merge does. */
	r = diff_object(x, f && f->type == SCHEMA_OBJECT ? type : NULL, last, now, live, &sub);
	if (r < 0 || !sub.n)
		return r;
	if (f &&
	    (f->merge == SCHEMA_MERGE_RETAIN_KEYS || f->merge == SCHEMA_MERGE_MERGE_RETAIN_KEYS))
		keep_only(x, now, &sub);
	doc_setn(x->a, ret, name, sub);
	return 0;
}

static int diff_object(struct diff *x, const struct api_type *t, const struct doc *last,
		       const struct doc *now, const struct doc *live, struct doc *ret)
{
	int r = 0;

	if (++x->depth > DEPTH_MAX)
		return err_set(x->err, ERR_TOO_LARGE, "objects deeper than %d", DEPTH_MAX);
	DOC_EACH_MEMBER (key, value, now) {
		struct slice name = slice_of(key->s, key->n);

		if (r == 0)
			r = diff_member(x, t, key, doc_getn(last, name), value,
					doc_getn(live, name), ret);
	}
	DOC_EACH_MEMBER (key, value, last) {
		struct slice name = slice_of(key->s, key->n);

		if (!doc_getn(now, name) && doc_getn(live, name))
			doc_setn(x->a, ret, name, doc_null());
		(void)value;
	}
	x->depth--;
	return r;
}

int api_merge_diff(const struct api_type *t, const struct doc *last, const struct doc *now,
		   const struct doc *live, struct arena *a, struct doc *ret, struct err *err)
{
	struct diff x = { .a = a, .err = err };
	struct doc out = doc_object();
	int r = diff_object(&x, t, last, now, live, &out);

	if (r == 0 && arena_exceeded(a))
		r = arena_quota(a, err);
	if (r == 0)
		*ret = out;
	return r;
}
