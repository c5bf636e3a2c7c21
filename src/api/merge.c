/* SPDX-License-Identifier: Apache-2.0 */
#include "api/merge.h"

#include "api/api.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#include <stdlib.h>

#define DEPTH_MAX 96
#define ORDER "$setElementOrder/"
#define DELETE_FROM "$deleteFromPrimitiveList/"

struct merge {
	struct arena *a;
	struct err *err;
	unsigned depth;
};

static int merge_object(struct merge *m, const struct api_type *t, const struct doc *obj,
			const struct doc *patch, struct doc *ret);

static int bad(struct merge *m, const char *what, struct slice s)
{
	return err_set(m->err, ERR_BAD_REQUEST, "%s: %.*s", what, (int)MIN(s.n, (size_t)128),
		       s.n ? s.p : "");
}

static bool is_directive(const struct doc *key)
{
	return key->n > 0 && key->s[0] == '$';
}

static struct slice behind(const struct doc *key, const char *prefix)
{
	size_t n = strlen(prefix);

	return key->n > n && memcmp(key->s, prefix, n) == 0 ? slice_of(key->s + n, key->n - n)
							    : slice_of(NULL, 0);
}

static bool has(const struct doc *list, const struct doc *value)
{
	DOC_EACH (x, list)
		if (doc_equal(x, value))
			return true;
	return false;
}

/* What a patch puts where nothing is: without directives, and without nulls in objects. */
static struct doc plain(struct merge *m, const struct doc *d, unsigned depth)
{
	struct doc ret;

	if (depth > DEPTH_MAX || (d->type != DOC_OBJECT && d->type != DOC_ARRAY))
		return *d;
	ret = d->type == DOC_OBJECT ? doc_object() : doc_array();
	if (d->type == DOC_ARRAY) {
		DOC_EACH (x, d)
			if (!doc_str_is(doc_get(x, "$patch"), "delete"))
				doc_append(m->a, &ret, plain(m, x, depth + 1));
		return ret;
	}
	DOC_EACH_MEMBER (key, value, d)
		if (!is_directive(key) && value->type != DOC_NULL)
			doc_add_node(m->a, &ret, *key, plain(m, value, depth + 1));
	return ret;
}

/* ---- the row of a member ---- */

struct rule {
	const struct schema_field *f; /* NULL: not known, merged by shape */
	const struct api_type *type;  /* of the value, or of a list's or map's elements */
};

static struct rule rule_of(const struct api_type *t, struct slice key)
{
	struct rule r = { NULL, NULL };

	r.f = t ? schema_find(&t->schema, key, 0, false) : NULL;
	if (r.f)
		r.type = api_note_of(t, r.f)->type;
	return r;
}

static bool merges_list(const struct rule *r)
{
	return r->f &&
	       (r->f->merge == SCHEMA_MERGE_MERGE || r->f->merge == SCHEMA_MERGE_MERGE_RETAIN_KEYS);
}

/* ---- the order of a merged list ---- */

struct place {
	const struct doc *v;
	size_t at; /* in the order that it has */
};

static const struct doc *key_value(const struct doc *element, const char *merge_key)
{
	return merge_key ? doc_get(element, merge_key) : element;
}

/* Where an element stands in a list of elements (or of keys); SIZE_MAX = nowhere. */
static size_t index_in(const struct doc *list, const struct doc *element, const char *merge_key)
{
	const struct doc *k = key_value(element, merge_key);

	for (size_t i = 0; k && i < doc_len(list); i++) {
		const struct doc *other = key_value(doc_at(list, i), merge_key);

		if (other && doc_equal(other, k))
			return i;
	}
	return SIZE_MAX;
}

static int cmp_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

/*
 * Elements that the order names stand as it says; the others keep their place before what they
 * stood before on the server.
 */
static int sort_list(struct merge *m, struct doc *list, const struct doc *order,
		     const struct doc *server, const char *merge_key)
{
	size_t n = list->n, nl = 0, nr = 0;
	struct place *v = calloc(2 * n + 1, sizeof(*v)), *left, *right;
	struct doc *kids = arena_alloc_raw(m->a, n * sizeof(*kids), 16);

	if (!v)
		abort();
	left = v;
	right = v + n;
	if (!kids) {
		free(v);
		return err_set(m->err, ERR_QUOTA, "the merged object does not fit its memory");
	}
	for (size_t i = 0; i < n; i++) {
		const struct doc *e = doc_at(list, i);
		size_t at = index_in(order, e, merge_key);

		if (at != SIZE_MAX)
			right[nr++] = (struct place){ e, at };
		else
			left[nl++] = (struct place){ e, index_in(server, e, merge_key) };
	}
	qsort(left, nl, sizeof(*left), cmp_places);
	qsort(right, nr, sizeof(*right), cmp_places);
	for (size_t i = 0, l = 0, r = 0; i < n; i++) {
		bool take_left = r == nr;

		if (l < nl && r < nr) {
			size_t there = index_in(server, right[r].v, merge_key);

			take_left =
				there != SIZE_MAX && left[l].at != SIZE_MAX && left[l].at < there;
		}
		kids[i] = take_left ? *left[l++].v : *right[r++].v;
	}
	free(v);
	list->kids = kids;
	list->room = 0;
	return 0;
}

/* ---- lists ---- */

static int merge_scalars(struct merge *m, const struct doc *old, const struct doc *patch,
			 const struct doc *gone, struct doc *ret)
{
	*ret = doc_array();
	DOC_EACH (x, old)
		if (!has(gone, x) && !has(ret, x))
			doc_append(m->a, ret, *x);
	DOC_EACH (x, patch)
		if (!has(ret, x))
			doc_append(m->a, ret, *x);
	return 0;
}

/* Is there an element that asks for the whole list to be replaced? */
static bool replaces(const struct doc *patch)
{
	DOC_EACH (x, patch)
		if (doc_str_is(doc_get(x, "$patch"), "replace"))
			return true;
	return false;
}

static void drop_element(struct doc *list, const struct doc *element, const char *merge_key)
{
	size_t at;

	while ((at = index_in(list, element, merge_key)) != SIZE_MAX)
		doc_remove_at(list, at);
}

static int merge_element(struct merge *m, const struct rule *rule, struct doc *list,
			 const struct doc *e)
{
	const char *merge_key = rule->f->merge_key;
	const struct doc *directive = doc_get(e, "$patch");
	struct doc merged;
	size_t at;
	int r;

	if (!doc_is(e, DOC_OBJECT) || !doc_get(e, merge_key))
		return bad(m, "map does not contain declared merge key", slice_str(merge_key));
	if (doc_str_is(directive, "delete")) {
		drop_element(list, e, merge_key);
		return 0;
	}
	if (directive && !doc_str_is(directive, "merge"))
		return bad(m, "unrecognized patch type of an element", doc_slice(directive));
	at = index_in(list, e, merge_key);
	if (at == SIZE_MAX) {
		doc_append(m->a, list, plain(m, e, m->depth));
		return 0;
	}
	r = merge_object(m, rule->type, doc_at(list, at), e, &merged);
	if (r == 0)
		*doc_at(list, at) = merged;
	return r;
}

static int merge_objects(struct merge *m, const struct rule *rule, const struct doc *old,
			 const struct doc *patch, struct doc *ret)
{
	int r = 0;

	*ret = doc_array();
	if (replaces(patch)) {
		DOC_EACH (x, patch)
			if (!doc_get(x, "$patch"))
				doc_append(m->a, ret, plain(m, x, m->depth));
		return 0;
	}
	DOC_EACH (x, old)
		doc_append(m->a, ret, *x);
	DOC_EACH (x, patch) {
		r = merge_element(m, rule, ret, x);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool of_objects(const struct doc *a, const struct doc *b)
{
	const struct doc *first = doc_len(a) ? doc_at(a, 0) : doc_at(b, 0);

	return doc_is(first, DOC_OBJECT);
}

/* patch: NULL when only an order or a removal was given. */
static int merge_list(struct merge *m, const struct rule *rule, const struct doc *old,
		      const struct doc *patch, const struct doc *gone, const struct doc *order,
		      struct doc *ret)
{
	bool objects = of_objects(old, patch) && rule->f->merge_key;
	int r;

	if (objects)
		r = merge_objects(m, rule, old, patch, ret);
	else
		r = merge_scalars(m, old, patch, gone, ret);
	/* The patch itself is an order, when it names none. */
	if (r == 0 && (order || patch) && ret->n > 1)
		r = sort_list(m, ret, order ? order : patch, old,
			      objects ? rule->f->merge_key : NULL);
	return r;
}

/* ---- objects ---- */

/* The directive about a field of the patch, or NULL. */
static const struct doc *about(const struct doc *patch, const char *prefix, struct slice field)
{
	DOC_EACH_MEMBER (key, value, patch)
		if (slice_eq(behind(key, prefix), field))
			return value;
	return NULL;
}

static int merge_member(struct merge *m, const struct api_type *t, struct doc *ret,
			const struct doc *patch, struct slice key, const struct doc *value)
{
	struct rule rule = rule_of(t, key);
	const struct doc *old = doc_getn(ret, key);
	const struct doc *order = about(patch, ORDER, key), *gone = about(patch, DELETE_FROM, key);
	struct doc v;
	int r = 0;

	if (value && value->type == DOC_NULL) {
		doc_removen(ret, key);
		return 0;
	}
	if (doc_is(old, DOC_ARRAY) && (!value || value->type == DOC_ARRAY) && merges_list(&rule))
		r = merge_list(m, &rule, old, value, gone, order, &v);
	else if (!value)
		return 0;
	else if (doc_is(old, DOC_OBJECT) && value->type == DOC_OBJECT &&
		 !(rule.f && rule.f->merge == SCHEMA_MERGE_REPLACE))
		r = merge_object(m, rule.f && rule.f->type == SCHEMA_MAP ? NULL : rule.type, old,
				 value, &v);
	else
		v = plain(m, value, m->depth);
	if (r == 0)
		doc_setn(m->a, ret, key, v);
	return r;
}

static int retain_keys(struct merge *m, const struct doc *list, const struct doc *patch,
		       struct doc *ret)
{
	struct doc kept = doc_object();

	if (!doc_is(list, DOC_ARRAY))
		return bad(m, "$retainKeys is no list", slice_of(NULL, 0));
	DOC_EACH_MEMBER (key, value, patch)
		if (!is_directive(key) && value->type != DOC_NULL && !has(list, key))
			return bad(m, "$retainKeys list doesn't contain a field of the patch",
				   doc_slice(key));
	DOC_EACH_MEMBER (key, value, ret)
		if (has(list, key))
			doc_add_node(m->a, &kept, *key, *value);
	*ret = kept;
	return 0;
}

static int check_directives(struct merge *m, const struct doc *patch)
{
	const struct doc *how = doc_get(patch, "$patch");

	if (how && !doc_str_is(how, "merge") && !doc_str_is(how, "replace") &&
	    !doc_str_is(how, "delete"))
		return bad(m, "unrecognized patch type", doc_slice(how));
	DOC_EACH_MEMBER (key, value, patch) {
		bool list = behind(key, ORDER).p || behind(key, DELETE_FROM).p;

		if (list && value->type != DOC_ARRAY)
			return bad(m, "a directive that is no list", doc_slice(key));
		if (is_directive(key) && !list && !doc_str_is(key, "$patch") &&
		    !doc_str_is(key, "$retainKeys"))
			return bad(m, "an unknown directive", doc_slice(key));
	}
	return 0;
}

/* The lists of which only an order or a removal is given. */
static int merge_directed(struct merge *m, const struct api_type *t, struct doc *ret,
			  const struct doc *patch)
{
	int r = 0;

	DOC_EACH_MEMBER (key, value, patch) {
		struct slice order = behind(key, ORDER), gone = behind(key, DELETE_FROM);
		struct slice field = order.p ? order : gone;

		(void)value;
		if (!field.p || doc_getn(patch, field) || (gone.p && about(patch, ORDER, field)))
			continue;
		r = merge_member(m, t, ret, patch, field, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

static int merge_object(struct merge *m, const struct api_type *t, const struct doc *obj,
			const struct doc *patch, struct doc *ret)
{
	const struct doc *how = doc_get(patch, "$patch"), *retain = doc_get(patch, "$retainKeys");
	int r = check_directives(m, patch);

	if (r == 0 && ++m->depth > DEPTH_MAX)
		r = err_set(m->err, ERR_BAD_REQUEST, "the patch is nested too deep");
	if (r < 0)
		return r;
	*ret = doc_object();
	if (doc_str_is(how, "replace"))
		*ret = plain(m, patch, m->depth);
	else if (!doc_str_is(how, "delete")) {
		DOC_EACH_MEMBER (key, value, obj)
			doc_add_node(m->a, ret, *key, *value);
		if (retain)
			r = retain_keys(m, retain, patch, ret);
		if (r == 0)
			r = merge_directed(m, t, ret, patch);
		DOC_EACH_MEMBER (key, value, patch)
			if (r == 0 && !is_directive(key))
				r = merge_member(m, t, ret, patch, doc_slice(key), value);
	}
	m->depth--;
	return r;
}

int api_merge(const struct api_type *t, const struct doc *obj, const struct doc *patch,
	      struct arena *a, struct doc *ret, struct err *err)
{
	struct merge m = { .a = a, .err = err };
	int r;

	if (!doc_is(obj, DOC_OBJECT) || !doc_is(patch, DOC_OBJECT))
		return err_set(err, ERR_BAD_REQUEST, "a strategic merge patch is an object, not %s",
			       doc_type_name(patch));
	r = merge_object(&m, t, obj, patch, ret);
	if (r == 0 && arena_exceeded(a))
		r = err_set(err, ERR_QUOTA, "the merged object does not fit its memory");
	return r;
}
