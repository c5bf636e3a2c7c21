/* SPDX-License-Identifier: Apache-2.0 */
/* Values over documents: what a document is as a type has it, lookups, equality, order, size. */
#include "base/err.h"
#include "base/hash.h"
#include "expr/cel-private.h"
#include "expr/go-text.h"

#include <math.h>
#include <stdio.h>

#define INDEX_FROM 12 /* entries from which a map has an index */
#define DEPTH_MAX 600 /* of values that are compared or written */

/* ---- from documents ---- */

static bool bad_data(struct cel_run *r, const struct doc *d, const struct cel_type *t)
{
	char text[100];

	return cel_fail(r, "invalid data, expected %s, got %s",
			cel_type_text(t, text, sizeof(text)), doc_type_name(d));
}

static bool from_number(struct cel_run *r, const struct doc *d, const struct cel_type *t,
			struct cel_value *ret)
{
	int64_t i;
	uint64_t u;
	double x;

	switch (t->kind) {
	case CEL_T_INT:
		if (doc_int64(d, &i) != 0)
			return bad_data(r, d, t);
		*ret = cel_int(i);
		return true;
	case CEL_T_UINT:
		if (doc_uint64(d, &u) != 0)
			return bad_data(r, d, t);
		*ret = cel_uint(u);
		return true;
	case CEL_T_DOUBLE:
	case CEL_T_DYN:
		if (t->kind == CEL_T_DYN && d->flags & DOC_INT && doc_int64(d, &i) == 0) {
			*ret = cel_int(i);
			return true;
		}
		if (doc_double(d, &x) < 0)
			return bad_data(r, d, t);
		*ret = cel_double(x);
		return true;
	default: return bad_data(r, d, t);
	}
}

static bool from_string(struct cel_run *r, const struct doc *d, const struct cel_type *t,
			struct cel_value *ret)
{
	struct slice s = doc_slice(d);
	char *bytes;
	size_t n;

	switch (t->kind) {
	case CEL_T_DYN:
	case CEL_T_STRING: *ret = cel_string(s); return true;
	case CEL_T_TIMESTAMP:
		if (cel_time_parse(s, ret) < 0 && cel_date_parse(s, ret) < 0)
			return cel_fail(r, "invalid data, expected a time: %.*s",
					(int)MIN(s.n, (size_t)60), s.p);
		return true;
	case CEL_T_DURATION:
		if (cel_duration_parse(s, ret) < 0)
			return cel_fail(r, "invalid data, expected a duration: %.*s",
					(int)MIN(s.n, (size_t)60), s.p);
		return true;
	case CEL_T_BYTES:
		bytes = arena_alloc_raw(r->a, s.n / 4 * 3 + 3, 1);
		if (!bytes)
			return cel_quota(r);
		if (base64_decode(bytes, &n, s) < 0)
			return cel_fail(r, "invalid data, expected base64");
		*ret = cel_bytes(bytes, n);
		return true;
	default: return bad_data(r, d, t);
	}
}

bool cel_from_doc(struct cel_run *r, const struct doc *d, const struct cel_type *t,
		  struct cel_value *ret)
{
	t = t ? t : &cel_types[CEL_T_DYN];
	switch ((enum doc_type)d->type) {
	case DOC_NULL: *ret = cel_null(); return true;
	case DOC_BOOL:
		if (t->kind != CEL_T_BOOL && t->kind != CEL_T_DYN)
			return bad_data(r, d, t);
		*ret = cel_bool(d->n);
		return true;
	case DOC_NUMBER: return from_number(r, d, t, ret);
	case DOC_STRING: return from_string(r, d, t, ret);
	case DOC_ARRAY:
		if (t->kind != CEL_T_LIST && t->kind != CEL_T_DYN)
			return bad_data(r, d, t);
		*ret = (struct cel_value){ .kind = CEL_T_LIST,
					   .rep = CEL_REP_DOC,
					   .n = d->n,
					   .doc = d,
					   .type = t->kind == CEL_T_LIST ? t : NULL };
		return true;
	case DOC_OBJECT:
		if (t->kind != CEL_T_MAP && t->kind != CEL_T_OBJECT && t->kind != CEL_T_DYN)
			return bad_data(r, d, t);
		*ret = (struct cel_value){ .kind = t->kind == CEL_T_OBJECT ? CEL_T_OBJECT
									   : CEL_T_MAP,
					   .rep = CEL_REP_DOC,
					   .n = d->n,
					   .doc = d,
					   .type = t->kind == CEL_T_DYN ? NULL : t };
		return true;
	}
	return bad_data(r, d, t);
}

int cel_value_of(const struct doc *d, const struct cel_type *type, struct arena *a,
		 struct cel_value *ret, struct err *err)
{
	struct cel_run r = { .a = a, .limit = UINT64_MAX };

	if (!d) {
		*ret = cel_null();
		return 0;
	}
	if (cel_from_doc(&r, d, type, ret))
		return 0;
	return r.fatal ? arena_quota(a, err) : err_set(err, ERR_INVALID, "%s", r.failure.msg);
}

struct cel_value cel_object(const struct cel_getter *g, const struct cel_type *type)
{
	return (struct cel_value){
		.kind = CEL_T_OBJECT, .rep = CEL_REP_CALL, .getter = g, .type = type
	};
}

struct cel_value cel_list_value(const struct cel_value *v, size_t n)
{
	return (struct cel_value){ .kind = CEL_T_LIST, .n = (uint32_t)n, .list = v };
}

struct cel_value cel_map_value(const struct cel_map *m)
{
	return (struct cel_value){ .kind = CEL_T_MAP, .n = m->n, .map = m };
}

struct cel_value cel_some(struct cel_run *r, const struct cel_value *v, bool *ok)
{
	struct cel_value *copy = ARENA_NEW(r->a, struct cel_value);

	*ok = copy || cel_quota(r);
	if (copy)
		*copy = *v;
	return (struct cel_value){ .kind = CEL_T_OPTIONAL, .opt = copy };
}

bool cel_make_string(struct cel_run *r, const char *p, size_t n, struct cel_value *ret)
{
	char *copy = n < UINT32_MAX ? arena_alloc_raw(r->a, n, 1) : NULL;

	if (!copy)
		return cel_quota(r);
	if (n)
		memcpy(copy, p, n);
	*ret = cel_string(slice_of(copy, n));
	return true;
}

/* ---- elements ---- */

bool cel_list_at(struct cel_run *r, const struct cel_value *list, size_t i, struct cel_value *ret)
{
	if (list->rep == CEL_REP_DOC)
		return cel_from_doc(r, &list->doc->kids[i], list->type ? list->type->of[0] : NULL,
				    ret);
	*ret = list->list[i];
	return true;
}

/* The type of a member by its name. */
static const struct cel_type *member_type(struct cel_run *r, const struct cel_type *t,
					  struct slice name)
{
	if (!t)
		return NULL;
	if (t->kind == CEL_T_MAP)
		return t->of[1];
	return t->fields ? t->fields->find(t->fields->arg, name, r->a) : NULL;
}

bool cel_map_at(struct cel_run *r, const struct cel_value *map, size_t i, struct cel_value *key,
		struct cel_value *value)
{
	if (map->rep == CEL_REP_NATIVE) {
		*key = map->map->v[i].key;
		if (value)
			*value = map->map->v[i].value;
		return true;
	}
	*key = cel_string(doc_slice(doc_key_at(map->doc, i)));
	return !value || cel_from_doc(r, doc_value_at(map->doc, i),
				      member_type(r, map->type, cel_slice(key)), value);
}

/* ---- maps ---- */

/* The same for numbers that are equal. */
static uint32_t hash(const struct cel_value *k)
{
	uint64_t h = 0xcbf29ce484222325u;
	uint64_t x = 0;

	switch (k->kind) {
	case CEL_T_STRING:
		for (uint32_t i = 0; i < k->n; i++)
			h = (h ^ (unsigned char)k->s[i]) * 0x100000001b3u;
		break;
	case CEL_T_BOOL: h ^= k->b; break;
	case CEL_T_INT:
	case CEL_T_UINT: x = k->u; break;
	case CEL_T_DOUBLE:
		if (k->d >= -9.2e18 && k->d < 9.2e18)
			x = (uint64_t)(int64_t)k->d;
		else if (k->d >= 9.2e18 && k->d < 1.8e19)
			x = (uint64_t)k->d;
		break;
	default: break;
	}
	h = (h ^ x) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(h >> 32);
}

static bool is_key(const struct cel_value *k)
{
	return k->kind == CEL_T_STRING || k->kind == CEL_T_BOOL || cel_is_number(k->kind);
}

/* Keys are scalars: nothing can fail here. */
static bool same_key(const struct cel_value *a, const struct cel_value *b)
{
	int order;

	if (a->kind == CEL_T_STRING || b->kind == CEL_T_STRING)
		return a->kind == b->kind && slice_eq(cel_slice(a), cel_slice(b));
	return cel_compare(a, b, &order) && order == 0;
}

struct cel_map *cel_map_new(struct cel_run *r, size_t cap)
{
	struct cel_map *m = ARENA_NEW(r->a, struct cel_map);

	if (!m || cap > UINT32_MAX / 4) {
		(void)cel_quota(r);
		return NULL;
	}
	m->cap = (uint32_t)MAX(cap, (size_t)2);
	m->v = ARENA_ARRAY(r->a, struct cel_entry, m->cap);
	if (!m->v) {
		(void)cel_quota(r);
		return NULL;
	}
	return m;
}

static uint32_t map_find(const struct cel_map *m, const struct cel_value *key)
{
	if (!m->index) {
		for (uint32_t i = 0; i < m->n; i++)
			if (same_key(&m->v[i].key, key))
				return i;
		return UINT32_MAX;
	}
	for (uint32_t at = hash(key) & (m->slots - 1); m->index[at]; at = (at + 1) & (m->slots - 1))
		if (same_key(&m->v[m->index[at] - 1].key, key))
			return m->index[at] - 1;
	return UINT32_MAX;
}

static void index_put(struct cel_map *m, uint32_t entry)
{
	uint32_t at = hash(&m->v[entry].key) & (m->slots - 1);

	while (m->index[at])
		at = (at + 1) & (m->slots - 1);
	m->index[at] = entry + 1;
}

static bool reindex(struct cel_run *r, struct cel_map *m)
{
	uint32_t slots = 32;

	while (slots < m->cap * 2)
		slots *= 2;
	m->index = ARENA_ARRAY(r->a, uint32_t, slots);
	if (!m->index)
		return cel_quota(r);
	m->slots = slots;
	for (uint32_t i = 0; i < m->n; i++)
		index_put(m, i);
	return true;
}

int cel_map_add(struct cel_run *r, struct cel_map *m, const struct cel_value *key,
		const struct cel_value *value)
{
	if (!is_key(key) || key->kind == CEL_T_DOUBLE) {
		(void)cel_fail(r, "unsupported key type");
		return -1;
	}
	if (map_find(m, key) != UINT32_MAX)
		return 0;
	if (m->n == m->cap) {
		m->v = arena_grow(r->a, m->v, m->cap * sizeof(*m->v), m->cap * 2 * sizeof(*m->v));
		if (!m->v) {
			(void)cel_quota(r);
			return -1;
		}
		m->cap *= 2;
		m->index = NULL;
	}
	m->v[m->n++] = (struct cel_entry){ *key, *value };
	if (m->index)
		index_put(m, m->n - 1);
	else if (m->n >= INDEX_FROM && !reindex(r, m))
		return -1;
	return 1;
}

static int doc_lookup(struct cel_run *r, const struct cel_value *v, struct slice name,
		      struct cel_value *ret)
{
	const struct doc *d = doc_getn(v->doc, name);

	if (!cel_work(r, v->doc->n / 4))
		return -1;
	if (!d)
		return 0;
	return !ret || cel_from_doc(r, d, member_type(r, v->type, name), ret) ? 1 : -1;
}

static int getter_lookup(struct cel_run *r, const struct cel_value *v, struct slice name,
			 struct cel_value *ret)
{
	struct err err ERR_RAW;
	struct cel_value got;
	int n;

	err_clear(&err);
	n = v->getter->get(v->getter->arg, name, r->a, &got, &err);
	if (n == 0 && ret)
		*ret = got;
	if (n >= 0)
		return n == 0;
	if (err.code == ERR_QUOTA || err.code == ERR_TOO_LARGE)
		r->fatal = err.code;
	(void)cel_fail(r, "%s", err.msg);
	return -1;
}

int cel_lookup(struct cel_run *r, const struct cel_value *map, const struct cel_value *key,
	       struct cel_value *ret)
{
	uint32_t at;

	if (map->rep == CEL_REP_DOC)
		return key->kind == CEL_T_STRING ? doc_lookup(r, map, cel_slice(key), ret) : 0;
	if (map->rep == CEL_REP_CALL)
		return key->kind == CEL_T_STRING ? getter_lookup(r, map, cel_slice(key), ret) : 0;
	if (!is_key(key))
		return 0;
	at = map_find(map->map, key);
	if (at == UINT32_MAX)
		return 0;
	if (ret)
		*ret = map->map->v[at].value;
	return 1;
}

int cel_field(struct cel_run *r, const struct cel_value *v, struct slice name,
	      struct cel_value *ret)
{
	struct cel_value key = cel_string(name);

	if (v->kind != CEL_T_MAP && v->kind != CEL_T_OBJECT)
		return -1;
	return cel_lookup(r, v, &key, ret);
}

/* ---- order and equality ---- */

static int order_u(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int order_i(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int order_d(double a, double b)
{
	return (a > b) - (a < b);
}

/* As cel-go: within the range as doubles, though the last digits of an int are lost then. */
static int order_int_double(int64_t i, double d)
{
	if (d > 9223372036854775808.0)
		return -1;
	if (d < -9223372036854775808.0)
		return 1;
	return order_d((double)i, d);
}

static int order_uint_double(uint64_t u, double d)
{
	if (d > 18446744073709551616.0)
		return -1;
	if (d < 0)
		return 1;
	return order_d((double)u, d);
}

static bool order_numbers(const struct cel_value *a, const struct cel_value *b, int *ret)
{
	if ((a->kind == CEL_T_DOUBLE && isnan(a->d)) || (b->kind == CEL_T_DOUBLE && isnan(b->d)))
		return false;
	if (a->kind > b->kind) { /* INT, UINT, DOUBLE */
		(void)order_numbers(b, a, ret);
		*ret = -*ret;
	} else if (a->kind == b->kind) {
		*ret = a->kind == CEL_T_INT    ? order_i(a->i, b->i)
		       : a->kind == CEL_T_UINT ? order_u(a->u, b->u)
					       : order_d(a->d, b->d);
	} else if (b->kind == CEL_T_UINT) {
		*ret = a->i < 0 ? -1 : order_u((uint64_t)a->i, b->u);
	} else {
		*ret = a->kind == CEL_T_INT ? order_int_double(a->i, b->d)
					    : order_uint_double(a->u, b->d);
	}
	return true;
}

bool cel_compare(const struct cel_value *a, const struct cel_value *b, int *ret)
{
	if (cel_is_number(a->kind) && cel_is_number(b->kind))
		return order_numbers(a, b, ret);
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case CEL_T_BOOL: *ret = (int)a->b - (int)b->b; return true;
	case CEL_T_STRING:
	case CEL_T_BYTES: *ret = slice_cmp(cel_slice(a), cel_slice(b)); return true;
	case CEL_T_DURATION: *ret = order_i(a->i, b->i); return true;
	case CEL_T_TIMESTAMP:
		*ret = a->i != b->i ? order_i(a->i, b->i) : order_u(a->n, b->n);
		return true;
	default: return false;
	}
}

static int equal(struct cel_run *r, const struct cel_value *a, const struct cel_value *b,
		 unsigned depth);

/* Every element of a is one of b; sizes are the same. */
static int equal_unordered(struct cel_run *r, const struct cel_value *a, const struct cel_value *b,
			   unsigned depth)
{
	struct cel_value x, y;

	for (uint32_t i = 0; i < a->n; i++) {
		int found = 0;

		if (!cel_list_at(r, a, i, &x))
			return -1;
		for (uint32_t j = 0; j < b->n && !found; j++) {
			if (!cel_list_at(r, b, (i + j) % b->n, &y))
				return -1;
			found = equal(r, &x, &y, depth);
		}
		if (found != 1)
			return found;
	}
	return 1;
}

static int equal_lists(struct cel_run *r, const struct cel_value *a, const struct cel_value *b,
		       unsigned depth)
{
	struct cel_value x, y;

	if (a->n != b->n)
		return 0;
	if (a->type && a->type->list != CEL_LIST_ATOMIC) /* the left one decides, as upstream */
		return equal_unordered(r, a, b, depth);
	for (uint32_t i = 0; i < a->n; i++) {
		int n;

		if (!cel_list_at(r, a, i, &x) || !cel_list_at(r, b, i, &y))
			return -1;
		n = equal(r, &x, &y, depth);
		if (n != 1)
			return n;
	}
	return 1;
}

static int equal_maps(struct cel_run *r, const struct cel_value *a, const struct cel_value *b,
		      unsigned depth)
{
	struct cel_value key, x, y;

	if (a->rep == CEL_REP_CALL || b->rep == CEL_REP_CALL)
		return a->rep == b->rep && a->getter == b->getter;
	if (a->n != b->n || (a->rep == CEL_REP_DOC && b->rep == CEL_REP_DOC && a->doc == b->doc))
		return a->n == b->n;
	for (uint32_t i = 0; i < a->n; i++) {
		int n;

		if (!cel_map_at(r, a, i, &key, &x))
			return -1;
		n = cel_lookup(r, b, &key, &y);
		if (n == 1)
			n = equal(r, &x, &y, depth);
		if (n != 1)
			return n;
	}
	return 1;
}

static int equal(struct cel_run *r, const struct cel_value *a, const struct cel_value *b,
		 unsigned depth)
{
	int order;

	if (depth == 0) {
		(void)cel_fail(r, "values are nested too deep to be compared");
		return -1;
	}
	if (!cel_work(r, 1 + (a->kind == CEL_T_STRING ? a->n / 8 : 0)))
		return -1;
	if (cel_is_number(a->kind) && cel_is_number(b->kind))
		return order_numbers(a, b, &order) && order == 0;
	if ((a->kind == CEL_T_MAP || a->kind == CEL_T_OBJECT) &&
	    (b->kind == CEL_T_MAP || b->kind == CEL_T_OBJECT))
		return equal_maps(r, a, b, depth - 1);
	if (a->kind != b->kind)
		return 0;
	switch (a->kind) {
	case CEL_T_NULL: return 1;
	case CEL_T_LIST: return equal_lists(r, a, b, depth - 1);
	case CEL_T_TYPE:
		return a->t->kind == b->t->kind &&
		       (a->t->kind != CEL_T_OBJECT || cel_type_same(a->t, b->t));
	case CEL_T_OPTIONAL:
		return a->opt && b->opt ? equal(r, a->opt, b->opt, depth - 1) : a->opt == b->opt;
	case CEL_T_STRING:
	case CEL_T_BYTES: return slice_eq(cel_slice(a), cel_slice(b));
	case CEL_T_BOOL:
	case CEL_T_TIMESTAMP:
	case CEL_T_DURATION: return cel_compare(a, b, &order) && order == 0;
	default: return cel_opaque_equal(a, b);
	}
}

int cel_equal(struct cel_run *r, const struct cel_value *a, const struct cel_value *b)
{
	return equal(r, a, b, DEPTH_MAX);
}

/* ---- sizes ---- */

size_t cel_runes(struct slice s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

uint64_t cel_size(const struct cel_value *v)
{
	switch (v->kind) {
	case CEL_T_STRING: return cel_runes(cel_slice(v));
	case CEL_T_BYTES:
	case CEL_T_LIST:
	case CEL_T_MAP: return v->n;
	case CEL_T_OPTIONAL: return v->opt ? cel_size(v->opt) : 1;
	case CEL_T_IP:
	case CEL_T_CIDR: return cel_net_size(v);
	default: return 1;
	}
}

/* ---- types and texts ---- */

const struct cel_type *cel_type_of_value(const struct cel_value *v)
{
	return v->kind == CEL_T_OBJECT && v->type ? v->type : &cel_types[v->kind];
}

const char *cel_value_text(const struct cel_value *v, char *dst, size_t n)
{
	char text[GO_DOUBLE_TEXT];

	switch (v->kind) {
	case CEL_T_NULL: (void)snprintf(dst, n, "null"); break;
	case CEL_T_BOOL: (void)snprintf(dst, n, "%s", v->b ? "true" : "false"); break;
	case CEL_T_INT: (void)snprintf(dst, n, "%lld", (long long)v->i); break;
	case CEL_T_UINT: (void)snprintf(dst, n, "%llu", (unsigned long long)v->u); break;
	case CEL_T_DOUBLE:
		text[go_double_text(v->d, text)] = '\0';
		(void)snprintf(dst, n, "%s", text);
		break;
	case CEL_T_STRING: (void)snprintf(dst, n, "%.*s", (int)MIN(v->n, 200u), v->s); break;
	default: (void)snprintf(dst, n, "a value of type %s", cel_types[v->kind].name); break;
	}
	return dst;
}

/* ---- to documents ---- */

struct writer {
	struct arena *a;
	struct cel_run r;
	struct err *err;
};

static int write_value(struct writer *w, const struct cel_value *v, struct doc *ret,
		       unsigned depth);

static int bad_value(struct writer *w, const struct cel_value *v)
{
	return err_set(w->err, ERR_INVALID, "a value of type %s has no form in JSON",
		       cel_types[v->kind].name);
}

static int failed(struct writer *w)
{
	return w->r.fatal ? arena_quota(w->a, w->err)
			  : err_set(w->err, ERR_INVALID, "%s", w->r.failure.msg);
}

static int write_list(struct writer *w, const struct cel_value *v, struct doc *ret, unsigned depth)
{
	struct cel_value x;
	struct doc d;

	*ret = doc_array();
	for (uint32_t i = 0; i < v->n; i++) {
		int n;

		if (!cel_list_at(&w->r, v, i, &x))
			return failed(w);
		n = write_value(w, &x, &d, depth);
		if (n < 0)
			return n;
		if (!doc_append(w->a, ret, d))
			return arena_quota(w->a, w->err);
	}
	return 0;
}

static int write_map(struct writer *w, const struct cel_value *v, struct doc *ret, unsigned depth)
{
	struct cel_value key, x;
	struct doc d;

	if (v->rep == CEL_REP_CALL)
		return bad_value(w, v);
	*ret = doc_object();
	for (uint32_t i = 0; i < v->n; i++) {
		char text[64];
		struct slice name;
		int n;

		if (!cel_map_at(&w->r, v, i, &key, &x))
			return failed(w);
		name = key.kind == CEL_T_STRING
			       ? cel_slice(&key)
			       : slice_str(cel_value_text(&key, text, sizeof(text)));
		n = write_value(w, &x, &d, depth);
		if (n < 0)
			return n;
		if (!doc_setn(w->a, ret, name, d))
			return arena_quota(w->a, w->err);
	}
	return 0;
}

static int write_text(struct writer *w, const struct cel_value *v, struct doc *ret)
{
	char text[512];
	struct slice s;

	if (v->kind == CEL_T_TIMESTAMP) {
		s = slice_of(text, cel_time_text(v, text));
	} else if (v->kind == CEL_T_DURATION) {
		s = slice_of(text, cel_duration_text(v, text));
	} else if (v->kind == CEL_T_BYTES) {
		char *p = arena_alloc_raw(w->a, BASE64_LEN((size_t)v->n) + 1, 1);

		if (!p)
			return arena_quota(w->a, w->err);
		base64_encode(p, v->s, v->n);
		s = slice_of(p, BASE64_LEN((size_t)v->n));
	} else if (v->kind == CEL_T_STRING) {
		s = cel_slice(v);
	} else if (v->kind == CEL_T_IP || v->kind == CEL_T_CIDR || v->kind == CEL_T_URL) {
		(void)cel_net_text(v, text, sizeof(text));
		s = slice_str(text);
	} else {
		return bad_value(w, v);
	}
	*ret = doc_strn(w->a, s.p, s.n);
	return arena_exceeded(w->a) ? arena_quota(w->a, w->err) : 0;
}

static int write_value(struct writer *w, const struct cel_value *v, struct doc *ret, unsigned depth)
{
	if (depth == 0)
		return err_set(w->err, ERR_TOO_LARGE, "a value is nested too deep");
	switch (v->kind) {
	case CEL_T_NULL: *ret = doc_null(); break;
	case CEL_T_BOOL: *ret = doc_bool(v->b); break;
	case CEL_T_INT: *ret = doc_int(w->a, v->i); break;
	case CEL_T_UINT: *ret = doc_uint(w->a, v->u); break;
	case CEL_T_DOUBLE:
		if (!isfinite(v->d))
			return bad_value(w, v);
		*ret = doc_num(w->a, v->d);
		break;
	case CEL_T_LIST: return write_list(w, v, ret, depth - 1);
	case CEL_T_MAP:
	case CEL_T_OBJECT: return write_map(w, v, ret, depth - 1);
	case CEL_T_OPTIONAL:
		return v->opt ? write_value(w, v->opt, ret, depth - 1) : bad_value(w, v);
	default: return write_text(w, v, ret);
	}
	return arena_exceeded(w->a) ? arena_quota(w->a, w->err) : 0;
}

int cel_value_doc(const struct cel_value *v, struct arena *a, struct doc *ret, struct err *err)
{
	struct writer w = { .a = a, .r = { .a = a, .limit = UINT64_MAX }, .err = err };
	struct doc d;
	int n;

	/* A document's own part is the same document. */
	if ((v->kind == CEL_T_LIST || v->kind == CEL_T_MAP || v->kind == CEL_T_OBJECT) &&
	    v->rep == CEL_REP_DOC) {
		*ret = *v->doc;
		return 0;
	}
	n = write_value(&w, v, &d, DEPTH_MAX);
	if (n == 0)
		*ret = d;
	return n;
}
