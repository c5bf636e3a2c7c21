/* SPDX-License-Identifier: Apache-2.0 */
/* Two objects under one type: what changed, what both say; and objects without some fields. */
#include "api/typed-private.h"

static size_t width(const struct doc *v, enum doc_type type)
{
	return doc_len_of(v, type);
}

static bool same_node(const struct doc *x, const struct doc *y)
{
	return x && y && x->type >= DOC_ARRAY && x->type == y->type && x->n == y->n &&
	       x->kids == y->kids;
}

/* How the pair is walked: as objects, as lists, or as leaves; what is not described goes by what
 * is there, and null goes along. */
static bool as_objects(const struct shape *s, const struct doc *l, const struct doc *r)
{
	return s->kind == SHAPE_OBJECT ||
	       (s->kind == SHAPE_ANY && (doc_is(l, DOC_OBJECT) || doc_is(r, DOC_OBJECT)));
}

static bool is_other(const struct doc *v)
{
	return v && v->type != DOC_OBJECT && v->type != DOC_NULL;
}

/* ---- compare ---- */

enum { ADDED, MODIFIED, REMOVED, DIFFS };

struct diff_node {
	struct fields_node v[DIFFS];
};
#define DIFF_NODE ((struct diff_node){ { FIELDS_NODE, FIELDS_NODE, FIELDS_NODE } })

static int diff_value(struct typed *t, struct shape *s, const struct doc *l, const struct doc *r,
		      struct diff_node *n);

static void diff_add(struct typed *t, struct diff_node *to, char kind, struct slice text,
		     struct diff_node *n)
{
	struct doc key = doc_null();

	for (int i = 0; i < DIFFS; i++) {
		if (!n->v[i].member && !n->v[i].steps.n)
			continue;
		if (key.type == DOC_NULL)
			key = fields_key(kind, text, t->a);
		fields_add(&to->v[i], key, &n->v[i], t->a);
	}
}

static void diff_leaf(const struct doc *l, const struct doc *r, struct diff_node *n)
{
	if (!l)
		n->v[ADDED].member = true;
	else if (!r)
		n->v[REMOVED].member = true;
	else if (!doc_equal(l, r))
		n->v[MODIFIED].member = true;
}

static int diff_member(struct typed *t, struct shape *s, const struct doc *key, const struct doc *l,
		       const struct doc *r, struct diff_node *to)
{
	struct diff_node n = DIFF_NODE;
	struct shape m;
	int ret;

	if (same_node(l, r))
		return 0;
	(void)shape_member(s, doc_slice(key), &m); /* what is not declared is walked as it is */
	ret = diff_value(t, &m, l, r, &n);
	if (ret == 0)
		diff_add(t, to, 'f', doc_slice(key), &n);
	return ret;
}

static int diff_objects(struct typed *t, struct shape *s, const struct doc *l, const struct doc *r,
			struct diff_node *n)
{
	CLEANUP(lookup_fini) struct lookup in_r;
	CLEANUP(lookup_fini) struct lookup in_l;
	int ret = 0;

	lookup_init(&in_r, r);
	lookup_init(&in_l, l);
	DOC_EACH_MEMBER (key, value, l) {
		ret = diff_member(t, s, key, value, lookup_get(&in_r, key), n);
		if (ret < 0)
			return ret;
	}
	DOC_EACH_MEMBER (rkey, rvalue, r) {
		if (lookup_get(&in_l, rkey))
			continue;
		ret = diff_member(t, s, rkey, NULL, rvalue, n);
		if (ret < 0)
			return ret;
	}
	return ret;
}

static bool equal_twins(const struct items *x, const struct items *y, const struct item *i,
			const struct item *j)
{
	if (i->times != j->times)
		return false;
	for (;; i = &x->v[i->next], j = &y->v[j->next]) {
		if (!doc_equal(i->v, j->v))
			return false;
		if (!i->next || !j->next)
			return true;
	}
}

/* An element of either list. Those that stand twice are only there or not. */
static int diff_item(struct typed *t, struct shape *e, const struct items *x, const struct items *y,
		     const struct item *i, const struct item *j, struct diff_node *to)
{
	struct diff_node n = DIFF_NODE;
	uint32_t l = i ? i->times : 0, r = j ? j->times : 0;
	int ret = 0;

	if (l <= 1 && r <= 1)
		ret = diff_value(t, e, i ? i->v : NULL, j ? j->v : NULL, &n);
	else if (l >= 2 && r >= 2)
		n.v[MODIFIED].member = !equal_twins(x, y, i, j);
	else if (l >= 2) {
		if (r)
			ret = diff_value(t, e, NULL, j->v, &n);
		n.v[REMOVED].member = true;
	} else {
		if (l)
			ret = diff_value(t, e, i->v, NULL, &n);
		n.v[ADDED].member = true;
	}
	if (ret == 0)
		diff_add(t, to, 0, i ? i->key : j->key, &n);
	return ret;
}

static int diff_lists(struct typed *t, struct shape *s, const struct doc *l, const struct doc *r,
		      struct diff_node *n)
{
	CLEANUP(items_fini) struct items x = { 0 };
	CLEANUP(items_fini) struct items y = { 0 };
	struct shape e = shape_element(s);
	int ret = items_init(&x, t, s, l);

	if (ret == 0)
		ret = items_init(&y, t, s, r);
	for (size_t i = 0; ret == 0 && i < x.n; i++)
		if (x.v[i].times)
			ret = diff_item(t, &e, &x, &y, &x.v[i], items_find(&y, x.v[i].key), n);
	for (size_t i = 0; ret == 0 && i < y.n; i++)
		if (y.v[i].times && !items_find(&x, y.v[i].key))
			ret = diff_item(t, &e, &x, &y, NULL, &y.v[i], n);
	return ret;
}

static int diff_value(struct typed *t, struct shape *s, const struct doc *l, const struct doc *r,
		      struct diff_node *n)
{
	bool objects = as_objects(s, l, r);
	enum doc_type type = objects ? DOC_OBJECT : DOC_ARRAY;
	int ret;

	if (same_node(l, r))
		return 0;
	ret = typed_down(t);
	if (ret < 0)
		return ret;
	if (s->atomic || (!objects && s->kind != SHAPE_LIST) ||
	    (width(l, type) == 0 && width(r, type) == 0)) {
		diff_leaf(l, r, n);
	} else {
		ret = objects ? diff_objects(t, s, l, r, n) : diff_lists(t, s, l, r, n);
		if (!l)
			n->v[ADDED].member = true;
		else if (!r)
			n->v[REMOVED].member = true;
		else if (s->kind == SHAPE_ANY && (is_other(l) || is_other(r)))
			n->v[MODIFIED].member = true;
	}
	t->depth--;
	return ret;
}

int typed_compare(const struct api_type *type, const struct doc *from, const struct doc *to,
		  struct arena *a, struct typed_diff *ret, struct err *err)
{
	struct typed t = { .a = a, .err = err, .b = BUF_INIT(TYPED_BUF) };
	struct shape s = shape_root(type);
	struct diff_node n = DIFF_NODE;
	int r = typed_done(&t, diff_value(&t, &s, from, to, &n));

	for (int i = 0; i < DIFFS; i++)
		n.v[i].member = false;
	if (r == 0)
		*ret = (struct typed_diff){ .added = fields_close(&n.v[ADDED], a),
					    .modified = fields_close(&n.v[MODIFIED], a),
					    .removed = fields_close(&n.v[REMOVED], a) };
	return r;
}

/* ---- merge ---- */

static int merge_value(struct typed *t, struct shape *s, const struct doc *l, const struct doc *r,
		       struct doc *ret);

static int merge_objects(struct typed *t, struct shape *s, const struct doc *l, const struct doc *r,
			 struct doc *out)
{
	CLEANUP(lookup_fini) struct lookup in_r;
	CLEANUP(lookup_fini) struct lookup in_l;
	int ret = 0;

	lookup_init(&in_r, r);
	lookup_init(&in_l, l);
	*out = doc_object();
	DOC_EACH_MEMBER (key, value, l) {
		const struct doc *other = lookup_get(&in_r, key);
		struct doc v = *value;
		struct shape m;

		if (other) {
			(void)shape_member(s, doc_slice(key), &m); /* any, if not declared */
			ret = merge_value(t, &m, value, other, &v);
		}
		if (ret < 0)
			return ret;
		doc_add_node(t->a, out, *key, v);
	}
	DOC_EACH_MEMBER (rkey, rvalue, r)
		if (!lookup_get(&in_l, rkey))
			doc_add_node(t->a, out, *rkey, *rvalue);
	return 0;
}

struct zip {
	struct items l, r;
	struct shape *element;
	struct doc *out;
	size_t shared; /* the next index in r of what is in both lists; r.n = none */
};

static void zip_next_shared(struct zip *z, size_t from)
{
	for (z->shared = from; z->shared < z->r.n; z->shared++)
		if (items_find(&z->l, z->r.v[z->shared].key))
			return;
}

/* The i-th of r, merged with its peer; of a peer that stands twice nothing is kept. */
static int zip_take(struct typed *t, struct zip *z, size_t i)
{
	const struct item *peer = items_find(&z->l, z->r.v[i].key);
	struct doc v = *z->r.v[i].v;
	int ret = 0;

	z->r.v[i].used = true;
	if (peer && peer->times == 1)
		ret = merge_value(t, z->element, peer->v, z->r.v[i].v, &v);
	if (ret == 0)
		doc_append(t->a, z->out, v);
	if (z->shared == i)
		zip_next_shared(z, i + 1);
	return ret;
}

/*
 * Elements of `applied` in its order. One that only `live` has comes as soon as all before it are
 * placed: those that are in both and stand elsewhere in `applied` are passed over.
 */
static int zip_lists(struct typed *t, struct zip *z)
{
	size_t i = 0, j = 0;
	int ret = 0;

	zip_next_shared(z, 0);
	while (ret == 0 && (i < z->l.n || j < z->r.n)) {
		const struct item *peer = i < z->l.n ? items_find(&z->r, z->l.v[i].key) : NULL;

		if (i < z->l.n && j < z->r.n && slice_eq(z->l.v[i].key, z->r.v[j].key)) {
			ret = zip_take(t, z, j++);
			i++;
			continue;
		}
		if (i < z->l.n && j < z->r.n && peer && z->shared < z->r.n &&
		    !slice_eq(z->r.v[z->shared].key, z->l.v[i].key)) {
			i++;
			continue;
		}
		if (i < z->l.n && !peer) {
			doc_append(t->a, z->out, *z->l.v[i++].v);
			continue;
		}
		if (i < z->l.n && peer->used)
			i++;
		if (j < z->r.n)
			ret = zip_take(t, z, j++);
	}
	return ret;
}

static int merge_lists(struct typed *t, struct shape *s, const struct doc *l, const struct doc *r,
		       struct doc *out)
{
	struct shape e = shape_element(s);
	struct zip z = { .element = &e, .out = out };
	int ret = items_init(&z.l, t, s, l);

	*out = doc_array();
	if (ret == 0) {
		ret = items_init(&z.r, t, s, r);
		for (size_t i = 0; ret == 0 && i < z.r.n; i++)
			if (z.r.v[i].times == 0)
				ret = err_set(t->err, ERR_INVALID, "duplicate entries for key %.*s",
					      (int)MIN(z.r.v[i].key.n, (size_t)256),
					      z.r.v[i].key.p);
		if (ret == 0)
			ret = zip_lists(t, &z);
		items_fini(&z.r);
	}
	items_fini(&z.l);
	return ret;
}

static int merge_value(struct typed *t, struct shape *s, const struct doc *l, const struct doc *r,
		       struct doc *out)
{
	bool objects = as_objects(s, l, r);
	enum doc_type type = objects ? DOC_OBJECT : DOC_ARRAY;
	int ret;

	*out = *r;
	if (s->atomic || (!objects && s->kind != SHAPE_LIST) || same_node(l, r))
		return 0;
	if (s->kind == SHAPE_ANY && (is_other(l) || is_other(r)))
		return 0;
	if (width(r, type) == 0 && width(l, type) == 0)
		return 0;
	if (width(r, type) == 0) {
		*out = *l;
		return 0;
	}
	ret = typed_down(t);
	if (ret == 0)
		ret = objects ? merge_objects(t, s, l, r, out) : merge_lists(t, s, l, r, out);
	t->depth--;
	return ret;
}

int typed_merge(const struct api_type *type, const struct doc *live, const struct doc *applied,
		struct arena *a, struct doc *ret, struct err *err)
{
	struct typed t = { .a = a, .err = err, .b = BUF_INIT(TYPED_BUF) };
	struct shape s = shape_root(type);

	return typed_done(&t, merge_value(&t, &s, live, applied, ret));
}

/* ---- fields taken out, or alone ---- */

struct cut {
	struct typed t;
	bool keep; /* extract */
};

static int cut_value(struct cut *c, struct shape *s, const char *keys, const struct doc *v,
		     const struct doc *set, struct doc *ret);

/* Is the name one of the words? */
static bool is_key(const char *keys, struct slice name)
{
	struct slice rest = slice_str(keys);

	while (keys && rest.p)
		if (slice_eq(slice_split(&rest, ' '), name))
			return true;
	return false;
}

static int cut_one(struct cut *c, struct shape *s, const char *keys, const struct doc *v,
		   const struct doc *step, struct doc *ret, bool *ret_there)
{
	static const struct doc none = { .type = DOC_OBJECT };
	bool object = shape_is_object(s, v), list = s->kind == SHAPE_LIST;
	int r;

	*ret = *v;
	*ret_there = true;
	if (!c->keep && fields_member(step)) {
		*ret_there = false;
		return 0;
	}
	if (s->atomic || (!object && !list)) {
		*ret_there = c->keep ? true : !s->atomic;
		return 0;
	}
	r = cut_value(c, s, keys, v, fields_inner(step) ? step : &none, ret);
	*ret_there = doc_len(ret) > 0 || (c->keep && fields_member(step));
	return r;
}

/* keys: the members that stay (those of an element by which it is known). */
static int cut_object(struct cut *c, struct shape *s, const char *keys, const struct doc *v,
		      const struct doc *set, struct doc *ret)
{
	*ret = doc_object();
	DOC_EACH_MEMBER (key, value, v) {
		const struct doc *step = fields_step(set, 'f', doc_slice(key));
		bool there = !c->keep;
		struct doc x = *value;
		struct shape m;
		int r;

		if (is_key(keys, doc_slice(key)))
			there = true;
		else if (step) {
			(void)shape_member(s, doc_slice(key), &m); /* any, if not declared */
			r = cut_one(c, &m, NULL, value, step, &x, &there);
			if (r < 0)
				return r;
		}
		if (there)
			doc_add_node(c->t.a, ret, *key, x);
	}
	return 0;
}

static int cut_list(struct cut *c, struct shape *s, const struct doc *v, const struct doc *set,
		    struct doc *ret)
{
	CLEANUP(items_fini) struct items x;
	struct shape e = shape_element(s);
	int r = items_init(&x, &c->t, s, v);

	*ret = doc_array();
	for (size_t i = 0; r == 0 && i < x.n; i++) {
		const struct doc *step = fields_step(set, 0, x.v[i].key);
		struct doc item = *x.v[i].v;
		bool there = !c->keep;

		if (step)
			r = cut_one(c, &e, s->list == SCHEMA_LIST_MAP ? s->keys : NULL, x.v[i].v,
				    step, &item, &there);
		if (r == 0 && there)
			doc_append(c->t.a, ret, item);
	}
	return r;
}

static int cut_value(struct cut *c, struct shape *s, const char *keys, const struct doc *v,
		     const struct doc *set, struct doc *ret)
{
	int r = typed_down(&c->t);

	if (r < 0)
		return r;
	r = s->kind == SHAPE_LIST ? cut_list(c, s, v, set, ret)
				  : cut_object(c, s, keys, v, set, ret);
	c->t.depth--;
	return r;
}

static int cut_root(struct cut *c, const struct api_type *type, const struct doc *obj,
		    const struct doc *set, struct doc *ret)
{
	struct shape s = shape_root(type);

	return typed_done(&c->t, cut_value(c, &s, NULL, obj, set, ret));
}

int typed_remove(const struct api_type *type, const struct doc *obj, const struct doc *set,
		 struct arena *a, struct doc *ret, struct err *err)
{
	struct cut c = { .t = { .a = a, .err = err, .b = BUF_INIT(TYPED_BUF) } };

	*ret = *obj;
	return fields_empty(set) ? 0 : cut_root(&c, type, obj, set, ret);
}

int typed_extract(const struct api_type *type, const struct doc *obj, const struct doc *set,
		  struct arena *a, struct doc *ret, struct err *err)
{
	struct cut c = { .t = { .a = a, .err = err, .b = BUF_INIT(TYPED_BUF) }, .keep = true };

	return cut_root(&c, type, obj, set, ret);
}
