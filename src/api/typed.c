/* SPDX-License-Identifier: Apache-2.0 */
#include "api/typed.h"

#include "api/typed-private.h"
#include "doc/json.h"

/* ---- shapes ---- */

static const struct shape any_shape = { .kind = SHAPE_ANY };

static struct shape object_shape(const struct schema *s, unsigned flags, bool keep)
{
	const struct api_type *t = api_type_of(s);

	return (struct shape){
		.kind = SHAPE_OBJECT,
		.type = t,
		.atomic = (flags & API_MAP_ATOMIC) || (t->atomic && !(flags & API_MAP_GRANULAR)),
		/* a schema of a custom kind says it of itself alone */
		.keep = (keep && !t->custom) || s->unknown == SCHEMA_UNKNOWN_PRESERVE,
	};
}

static struct shape list_shape(const struct schema_field *f, const struct api_note *n)
{
	struct shape s = { .kind = SHAPE_LIST, .row = f, .note = n, .list = f->list };

	s.keys = f->list_keys;
	/* lists without a type of their own are merged as strategic merge would */
	if (s.list == SCHEMA_LIST_ATOMIC && f->merge == SCHEMA_MERGE_MERGE &&
	    !(n && n->flags & API_LIST_TYPED)) {
		s.list = f->merge_key ? SCHEMA_LIST_MAP : SCHEMA_LIST_SET;
		s.keys = f->merge_key;
	}
	s.atomic = s.list == SCHEMA_LIST_ATOMIC;
	return s;
}

static struct shape value_shape(const struct schema_field *f, const struct api_note *n,
				enum schema_type type, bool keep)
{
	switch (type) {
	case SCHEMA_ANY:
		if (n && n->word == API_RAW)
			return (struct shape){ .kind = SHAPE_LEAF, .scalar = SCHEMA_ANY };
		return any_shape;
	case SCHEMA_OBJECT:
		return f->sub ? object_shape(f->sub, n ? n->flags : 0, keep) : any_shape;
	case SCHEMA_LIST: return list_shape(f, n);
	case SCHEMA_MAP:
		return (struct shape){ .kind = SHAPE_OBJECT,
				       .row = f,
				       .note = n,
				       .keep = keep,
				       .atomic = (n && n->flags & API_MAP_ATOMIC) ||
						 (!f->name && f->merge == SCHEMA_MERGE_REPLACE) };
	default: return (struct shape){ .kind = SHAPE_LEAF, .scalar = (uint8_t)type };
	}
}

static struct shape inner_shape(const struct shape *s)
{
	const struct schema_field *f = s->row;
	struct api_note plain = { .word = s->note ? s->note->word : API_PLAIN };

	if (f->elem_row)
		return value_shape(f->elem, NULL, (enum schema_type)f->elem->type, s->keep);
	return value_shape(f, &plain, (enum schema_type)f->elem_type, s->keep);
}

struct shape shape_root(const struct api_type *t)
{
	struct shape s = object_shape(&t->schema, API_MAP_GRANULAR, false);

	return s;
}

int shape_member(struct shape *s, struct slice name, struct shape *ret)
{
	const struct schema_field *f;

	if (s->kind != SHAPE_OBJECT) {
		*ret = any_shape;
		return 0;
	}
	if (s->row) {
		*ret = inner_shape(s);
		return 0;
	}
	f = schema_find(&s->type->schema, name, s->hint, false);
	if (f) {
		s->hint = (uint16_t)(f - s->type->schema.fields + 1);
		*ret = value_shape(f, api_note_of(s->type, f), (enum schema_type)f->type,
				   s->keep || f->flags & SCHEMA_PRESERVE);
		return 1;
	}
	*ret = any_shape;
	return s->keep ? 0 : -1;
}

struct shape shape_element(const struct shape *list)
{
	return list->row ? inner_shape(list) : any_shape;
}

/* ---- what all walks share ---- */

int typed_down(struct typed *t)
{
	if (++t->depth > FIELDS_DEPTH_MAX)
		return err_set(t->err, ERR_TOO_LARGE, "an object is more than %d levels deep",
			       FIELDS_DEPTH_MAX);
	return 0;
}

int typed_done(struct typed *t, int r)
{
	buf_fini(&t->b);
	return r == 0 && arena_exceeded(t->a) ? arena_quota(t->a, t->err) : r;
}

const struct doc *lookup_get(struct lookup *l, const struct doc *key)
{
	size_t n = doc_len_of(l->obj, DOC_OBJECT);
	struct slice name = slice_of(key->s, key->n);

	if (l->next < n && slice_eq(doc_slice(doc_key_at(l->obj, l->next)), name))
		return doc_value_at(l->obj, l->next++);
	if (n <= 24) {
		for (size_t i = 0; i < n; i++)
			if (slice_eq(doc_slice(doc_key_at(l->obj, i)), name)) {
				l->next = i + 1;
				return doc_value_at(l->obj, i);
			}
		return NULL;
	}
	if (!l->mapped) {
		map_init(&l->by);
		l->mapped = true;
		DOC_EACH_MEMBER (k, v, l->obj)
			(void)map_put(&l->by, doc_slice(k), v); /* keys are unique */
	}
	return map_get(&l->by, name);
}

/* ---- the elements of a list ---- */

static const struct json_style html = { .html = true };

/* A number as the same text, however it was written. */
static struct doc plain_number(const struct doc *v, struct arena *a)
{
	double x;

	if (v->type != DOC_NUMBER || v->flags & DOC_INT || doc_double(v, &x) < 0)
		return *v;
	return doc_num(a, x);
}

/* What an absent key has: its default, or zero where Go would write one. */
static struct doc *key_default(struct typed *t, const struct shape *e, struct slice name)
{
	const struct schema_field *f =
		e->type ? schema_find(&e->type->schema, name, 0, false) : NULL;

	if (f && f->def)
		return schema_default_value(t->a, f);
	if (!f || !(f->flags & SCHEMA_EMIT))
		return NULL;
	switch (f->type) {
	case SCHEMA_BOOL: return doc_new(t->a, doc_bool(false));
	case SCHEMA_INT:
	case SCHEMA_DOUBLE: return doc_new(t->a, doc_int(t->a, 0));
	case SCHEMA_STRING: return doc_new(t->a, DOC_LIT(""));
	default: return NULL;
	}
}

struct keys {
	struct slice name[16];
	struct doc value[16];
	size_t n;
};

static void keys_put(struct keys *k, struct slice name, const struct doc *v)
{
	size_t at = k->n;

	if (k->n == 16)
		return;
	for (; at > 0 && slice_cmp(k->name[at - 1], name) > 0; at--) {
		k->name[at] = k->name[at - 1];
		k->value[at] = k->value[at - 1];
	}
	k->name[at] = name;
	k->value[at] = *v;
	k->n++;
}

static int write_keys(struct typed *t, const struct keys *k)
{
	int r = buf_adds(&t->b, "k:{");

	for (size_t i = 0; r == 0 && i < k->n; i++) {
		struct doc v = plain_number(&k->value[i], t->a);

		if (i)
			r = buf_addc(&t->b, ',');
		if (r == 0)
			r = json_write_string(&t->b, k->name[i], true);
		if (r == 0)
			r = buf_addc(&t->b, ':');
		if (r == 0)
			r = json_write(&v, &html, &t->b, NULL);
	}
	return r < 0 ? r : buf_addc(&t->b, '}');
}

static int write_map_key(struct typed *t, const struct shape *s, const struct shape *e,
			 const struct doc *v, const char **ret_why)
{
	struct keys k = { .n = 0 };
	struct slice rest = slice_str(s->keys ? s->keys : "");

	if (v->type != DOC_OBJECT) {
		*ret_why = v->type == DOC_NULL
				   ? "associative list with keys may not have a null element"
				   : "associative list with keys may not have non-map elements";
		return 0;
	}
	while (rest.p) {
		struct slice name = slice_split(&rest, ' ');
		const struct doc *x = name.n ? doc_getn(v, name) : NULL;

		if (!x && name.n)
			x = key_default(t, e, name);
		if (x && x->type >= DOC_ARRAY) {
			*ret_why = "associative list with keys has a key that is no scalar";
			return 0;
		}
		if (x)
			keys_put(&k, name, x);
	}
	if (k.n == 0)
		*ret_why = arena_printf(t->a,
					"associative list with keys has an element that omits all "
					"key fields [\"%s\"] (and doesn't have default values for "
					"any key fields)",
					s->keys ? s->keys : "");
	return k.n ? write_keys(t, &k) : 0;
}

/* The step of an element in t->b; or *ret_why. */
static int write_key(struct typed *t, const struct shape *s, const struct shape *e,
		     const struct doc *v, const char **ret_why)
{
	struct doc plain;
	int r;

	buf_clear(&t->b);
	if (s->list == SCHEMA_LIST_MAP)
		return write_map_key(t, s, e, v, ret_why);
	switch (v->type) {
	case DOC_OBJECT:
		*ret_why = "associative list without keys has an element that's a map type";
		return 0;
	case DOC_ARRAY:
		*ret_why = "not supported: associative list with lists as elements";
		return 0;
	case DOC_NULL:
		*ret_why = "associative list without keys has an element that's an explicit null";
		return 0;
	default:
		plain = plain_number(v, t->a);
		r = buf_adds(&t->b, "v:");
		return r < 0 ? r : json_write(&plain, &html, &t->b, NULL);
	}
}

struct item *items_find(const struct items *x, struct slice key)
{
	if (x->n > 16)
		return map_get(&x->by, key);
	for (size_t i = 0; i < x->n; i++)
		if (x->v[i].times && slice_eq(x->v[i].key, key))
			return &x->v[i];
	return NULL;
}

static int items_add(struct items *x, struct typed *t, size_t i)
{
	struct item *first = NULL;
	char *p = arena_strndup(t->a, buf_str(&t->b), t->b.n);

	if (!p)
		return arena_quota(t->a, t->err);
	x->v[i].key = slice_of(p, t->b.n);
	first = items_find(x, x->v[i].key);
	if (first) {
		first->times++;
		x->v[i].first = first->first;
		x->v[first->last].next = (uint32_t)i;
		first->last = (uint32_t)i;
	} else {
		x->v[i].times = 1;
		x->v[i].first = x->v[i].last = (uint32_t)i;
		if (x->n > 16)
			(void)map_put(&x->by, x->v[i].key, &x->v[i]); /* it is not there */
	}
	return 0;
}

int items_init(struct items *x, struct typed *t, const struct shape *s, const struct doc *list)
{
	struct shape e = shape_element(s);
	size_t i = 0;

	*x = (struct items){ .n = doc_len_of(list, DOC_ARRAY) };
	map_init(&x->by);
	x->v = x->n ? ARENA_ARRAY(t->a, struct item, x->n) : NULL;
	if (x->n && !x->v)
		return arena_quota(t->a, t->err);
	DOC_EACH (v, list) {
		const char *why = NULL;
		int r = x->v ? write_key(t, s, &e, v, &why) : -ERR_QUOTA;

		if (why)
			return err_set(t->err, ERR_INVALID, "element %zu: %s", i, why);
		if (r < 0 || t->b.n > FIELDS_KEY_MAX)
			return err_set(t->err, ERR_TOO_LARGE,
				       "element %zu: its key is longer than %d bytes", i,
				       FIELDS_KEY_MAX);
		x->v[i].v = v;
		r = items_add(x, t, i++);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the fields of an object ---- */

static int set_value(struct typed *t, struct shape *s, const struct doc *v, struct fields_node *n);

static int set_object(struct typed *t, struct shape *s, const struct doc *v, struct fields_node *n)
{
	DOC_EACH_MEMBER (key, value, v) {
		struct fields_node sub = FIELDS_NODE;
		struct shape m;
		int known = shape_member(s, doc_slice(key), &m);
		int r = set_value(t, &m, value, &sub);

		if (r < 0)
			return r;
		sub.member |= known != 1 || value->type == DOC_NULL ||
			      (value->type == DOC_OBJECT && value->n == 0);
		fields_add(n, fields_key('f', doc_slice(key), t->a), &sub, t->a);
	}
	return 0;
}

static int set_list(struct typed *t, struct shape *s, const struct doc *v, struct fields_node *n)
{
	CLEANUP(items_fini) struct items x;
	struct shape e = shape_element(s);
	int r = items_init(&x, t, s, v);

	for (size_t i = 0; r == 0 && i < x.n; i++) {
		struct fields_node sub = FIELDS_NODE;

		if (x.v[i].times == 0)
			continue;
		sub.member = true;
		if (x.v[i].times == 1)
			r = set_value(t, &e, x.v[i].v, &sub);
		fields_add(n, fields_key(0, x.v[i].key, t->a), &sub, t->a);
	}
	return r;
}

static int set_value(struct typed *t, struct shape *s, const struct doc *v, struct fields_node *n)
{
	bool list = s->kind == SHAPE_LIST, object = list ? false : shape_is_object(s, v);
	int r = typed_down(t);

	if (r < 0)
		return r;
	if (s->atomic || (!list && !object))
		n->member |= s->kind != SHAPE_ANY || v->type != DOC_NULL;
	else if (object)
		r = set_object(t, s, v, n);
	else
		r = set_list(t, s, v, n);
	t->depth--;
	return r;
}

int typed_fields(const struct api_type *type, const struct doc *obj, struct arena *a,
		 struct doc *ret, struct err *err)
{
	struct typed t = { .a = a, .err = err, .b = BUF_INIT(TYPED_BUF) };
	struct shape s = shape_root(type);
	struct fields_node n = FIELDS_NODE;
	int r = typed_done(&t, set_value(&t, &s, obj, &n));

	n.member = false;
	if (r == 0)
		*ret = fields_close(&n, a);
	return r;
}

/* ---- sets under types ---- */

static void child_shape(struct shape *s, struct slice step, struct shape *ret, int *known)
{
	*known = 0;
	if (step.n < 2 || !step.p)
		return;
	if (step.p[0] == 'f' && s->kind != SHAPE_LIST)
		*known = shape_member(s, slice_of(step.p + 2, step.n - 2), ret);
	else if (s->kind == SHAPE_LIST && (step.p[0] == 'k' || step.p[0] == 'v'))
		*ret = shape_element(s);
	else
		*ret = any_shape;
}

static struct doc named(struct shape *s, const struct doc *set, bool member, struct arena *a)
{
	struct fields_node n = FIELDS_NODE;

	n.member = member;
	DOC_EACH_MEMBER (key, value, set) {
		struct shape m;
		int known;

		if (key->s[0] == '.')
			continue;
		if (!fields_inner(value)) {
			doc_add_node(a, &n.steps, *key, *value);
			continue;
		}
		child_shape(s, doc_slice(key), &m, &known);
		doc_add_node(a, &n.steps, *key,
			     named(&m, value, known == 1 || fields_member(value), a));
	}
	return fields_close(&n, a);
}

struct doc typed_named(const struct api_type *t, const struct doc *set, struct arena *a)
{
	struct shape s = shape_root(t);

	return named(&s, set, false, a);
}

/* Is there something to settle? Mostly not: then the set stays as it is. */
static bool settled(struct shape *s, const struct doc *set)
{
	DOC_EACH_MEMBER (key, value, set) {
		struct shape m;
		int known;

		if (key->s[0] == '.' || !fields_inner(value))
			continue;
		child_shape(s, doc_slice(key), &m, &known);
		if (known >= 0 && (m.atomic || !settled(&m, value)))
			return false;
	}
	return true;
}

static struct doc settle(struct shape *s, const struct doc *set, struct arena *a)
{
	struct doc ret = doc_object();

	if (settled(s, set))
		return *set;
	DOC_EACH_MEMBER (key, value, set) {
		struct shape m;
		int known;

		if (key->s[0] == '.' || !fields_inner(value)) {
			doc_add_node(a, &ret, *key, *value);
			continue;
		}
		child_shape(s, doc_slice(key), &m, &known);
		doc_add_node(a, &ret, *key,
			     known < 0	? *value
			     : m.atomic ? doc_object()
					: settle(&m, value, a));
	}
	return ret;
}

struct doc typed_settle(const struct api_type *t, const struct doc *set, struct arena *a)
{
	struct shape s = shape_root(t);

	return settle(&s, set, a);
}
