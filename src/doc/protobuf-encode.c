/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents to protocol buffers, written from the last byte to the first: when a message's tag is
 * written its length is known, so there is one pass and no table of sizes. Rows, entries and
 * elements are therefore walked from their end.
 */
#include "base/arena.h"
#include "doc/protobuf-private.h"
#include "doc/schema-private.h"

#include <stdlib.h>

#define ROWS_MAX 256

/* A member with its row, or a map's entry with its place in the order of keys. */
struct item {
	const struct schema_field *f;
	const struct doc *key, *value;
	uint64_t order;
};

struct enc {
	struct protobuf_ctx c;
	struct pb_writer w;
	struct item *items; /* of all messages and maps that are open */
	size_t n, cap;
};

static int put_elements(struct enc *e, const struct schema_field *f, uint32_t number,
			const struct doc *d);
static int put_message(struct enc *e, const struct schema *s, const struct doc *d);
static int put_value(struct enc *e, const struct schema_field *f, uint32_t number,
		     const struct doc *d, bool zeros);

static void push(struct enc *e, struct item it)
{
	if (e->n == e->cap) {
		e->cap = MAX(e->cap * 2, (size_t)64);
		e->items = reallocarray(e->items, e->cap, sizeof(*e->items));
		if (!e->items)
			abort();
	}
	e->items[e->n++] = it;
}

static int wrong_type(struct enc *e, const char *want, const struct doc *d)
{
	return protobuf_fail(&e->c, ERR_INVALID, "must be %s, not %s", want, doc_type_name(d));
}

/* ---- values ---- */

static int put_base64(struct enc *e, const struct doc *d)
{
	CLEANUP_FREE char *p = NULL;
	ssize_t n;

	if (!doc_is(d, DOC_STRING))
		return wrong_type(e, "base64", d);
	p = malloc((size_t)d->n / 4 * 3 + 1);
	if (!p)
		abort();
	n = schema_base64_decode(doc_slice(d), p);
	if (n < 0)
		return protobuf_fail(&e->c, ERR_INVALID, "is not base64");
	pb_put_raw(&e->w, slice_of(p, (size_t)n));
	return 0;
}

/* JSONSchemaPropsOr...: one member of two. */
static int put_union(struct enc *e, const struct schema_field *f, const struct doc *d)
{
	struct schema_field schema = { .type = SCHEMA_OBJECT, .sub = f->sub };
	struct schema_field list = { .type = SCHEMA_LIST,
				     .elem_type = SCHEMA_OBJECT,
				     .sub = f->sub };
	struct schema_field strings = { .type = SCHEMA_LIST, .elem_type = SCHEMA_STRING };
	struct schema_field allows = { .type = SCHEMA_BOOL, .width = 1 };
	int r;

	if (protobuf_kind(f) == SCHEMA_PB_OR_BOOL) {
		if (doc_is(d, DOC_BOOL))
			return put_value(e, &allows, 1, d, true);
		/* Go writes both: a schema allows. */
		r = put_value(e, &schema, 2, d, true);
		if (r == 0) {
			pb_put_varint(&e->w, 1);
			pb_put_tag(&e->w, 1, PB_VARINT);
		}
		return r;
	}
	if (!doc_is(d, DOC_ARRAY))
		return put_value(e, &schema, 1, d, true);
	return put_elements(e, protobuf_kind(f) == SCHEMA_PB_OR_ARRAY ? &list : &strings, 2, d);
}

/* The body of what is length-delimited. */
static int put_body(struct enc *e, const struct schema_field *f, const struct doc *d)
{
	if (protobuf_is_union(f))
		return put_union(e, f, d);
	if (f->type == SCHEMA_OBJECT)
		return put_message(e, f->sub, d);
	if (f->type == SCHEMA_BYTES)
		return put_base64(e, d);
	if (protobuf_is_special(f))
		return protobuf_put_special(&e->c, &e->w, f, d);
	if (!doc_is(d, DOC_STRING))
		return wrong_type(e, "a string", d);
	pb_put_raw(&e->w, doc_slice(d));
	return 0;
}

/* Null within a list or map: the zero of what is expected. */
static int put_null(struct enc *e, uint32_t number)
{
	pb_field_bytes(&e->w, number, (struct slice){ NULL, 0 });
	return 0;
}

static int put_wrapped_list(struct enc *e, const struct schema_field *f, uint32_t number,
			    const struct doc *d)
{
	size_t before = pb_size(&e->w);
	int r = put_elements(e, f, 1, d);

	pb_field_message(&e->w, number, before);
	return r;
}

/* One value with its tag. zeros: also when it is zero. */
static int put_value(struct enc *e, const struct schema_field *f, uint32_t number,
		     const struct doc *d, bool zeros)
{
	enum pb_type type = protobuf_wire_type(f);
	size_t before = pb_size(&e->w);
	uint64_t bits;
	int r;

	if (type != PB_BYTES) {
		r = protobuf_number_bits(&e->c, f, d, &bits);
		if (r < 0 || (!bits && !zeros))
			return r;
		protobuf_put_bits(&e->w, type, bits);
		pb_put_tag(&e->w, number, type);
		return 0;
	}
	if (doc_is(d, DOC_NULL) && f->type != SCHEMA_ANY)
		return put_null(e, number);
	if (f->type == SCHEMA_MAP)
		return protobuf_fail(&e->c, ERR_UNSUPPORTED,
				     "protobuf has no maps in lists or maps");
	if (f->type == SCHEMA_LIST)
		return put_wrapped_list(e, f, number, d);
	if (!zeros && doc_is(d, DOC_STRING) && d->n == 0 && !protobuf_is_special(f))
		return 0;
	r = put_body(e, f, d);
	pb_field_message(&e->w, number, before);
	return r;
}

/* ---- lists and maps ---- */

static int put_packed(struct enc *e, const struct schema_field *elem, uint32_t number,
		      const struct doc *d)
{
	size_t before = pb_size(&e->w);
	uint64_t bits;
	int r;

	for (size_t i = d->n; i-- > 0;) {
		struct protobuf_step step = { e->c.at, { NULL, 0 }, i };

		e->c.at = &step;
		r = protobuf_number_bits(&e->c, elem, doc_at(d, i), &bits);
		e->c.at = step.up;
		if (r < 0)
			return r;
		protobuf_put_bits(&e->w, protobuf_wire_type(elem), bits);
	}
	if (d->n)
		pb_field_message(&e->w, number, before);
	return 0;
}

static int put_elements(struct enc *e, const struct schema_field *f, uint32_t number,
			const struct doc *d)
{
	struct schema_field room;
	const struct schema_field *elem = protobuf_elem(f, &room);
	int r = 0;

	if (!doc_is(d, DOC_ARRAY))
		return wrong_type(e, "a list", d);
	if ((f->wire & SCHEMA_PB_PACKED) && protobuf_is_scalar(elem))
		return put_packed(e, elem, number, d);
	for (size_t i = d->n; i-- > 0 && r == 0;) {
		struct protobuf_step step = { e->c.at, { NULL, 0 }, i };

		e->c.at = &step;
		r = put_value(e, elem, number, doc_at(d, i), true);
		e->c.at = step.up;
	}
	return r;
}

static struct schema_field key_row(const struct schema_field *f)
{
	bool is_bool = f->key_wire & SCHEMA_PB_BOOL;

	return (struct schema_field){
		.type = !f->key_wire ? SCHEMA_STRING
			: is_bool    ? SCHEMA_BOOL
				     : SCHEMA_INT,
		.width = f->key_wire & SCHEMA_PB_UNSIGNED ? 8 | SCHEMA_W_UNSIGNED : 8,
		.wire = f->key_wire & SCHEMA_PB_KIND,
	};
}

/* The key as the node that its row takes, and its place in the order. */
static int read_key(struct enc *e, const struct schema_field *f, const struct doc *key,
		    struct doc *ret, uint64_t *order)
{
	struct slice s = slice_of(key->s, key->n);
	struct schema_field row = key_row(f);
	int64_t i;

	*ret = *key;
	*order = 0;
	if (!f->key_wire)
		return 0;
	if (row.type == SCHEMA_BOOL) {
		if (!slice_is(s, "true") && !slice_is(s, "false"))
			return protobuf_fail(&e->c, ERR_INVALID, "is neither true nor false");
		*order = slice_is(s, "true");
		*ret = doc_bool(*order);
		return 0;
	}
	if (!doc_number_parse(s, ret))
		return protobuf_fail(&e->c, ERR_INVALID, "the key is no number");
	if (row.width & SCHEMA_W_UNSIGNED)
		return doc_uint64(ret, order) == 0
			       ? 0
			       : protobuf_fail(&e->c, ERR_INVALID,
					       "the key is no unsigned integer");
	if (doc_int64(ret, &i) != 0)
		return protobuf_fail(&e->c, ERR_INVALID, "the key is no integer");
	*order = (uint64_t)i ^ (uint64_t)1 << 63;
	return 0;
}

static int put_entry(struct enc *e, const struct schema_field *f, const struct item *it)
{
	struct protobuf_step step = { e->c.at, slice_of(it->key->s, it->key->n), 0 };
	struct schema_field room, krow = key_row(f);
	size_t before = pb_size(&e->w);
	uint64_t order;
	struct doc key;
	int r;

	e->c.at = &step;
	r = put_value(e, protobuf_elem(f, &room), 2, it->value, true);
	if (r == 0)
		r = read_key(e, f, it->key, &key, &order);
	if (r == 0)
		r = put_value(e, &krow, 1, &key, true);
	e->c.at = step.up;
	pb_field_message(&e->w, f->pb, before);
	return r;
}

static int key_cmp(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return slice_cmp(doc_slice(x->key), doc_slice(y->key));
}

static int put_map(struct enc *e, const struct schema_field *f, const struct doc *d)
{
	size_t base = e->n;
	struct doc key;
	int r = 0;

	if (!doc_is(d, DOC_OBJECT))
		return wrong_type(e, "an object", d);
	for (size_t i = 0; i < d->n && r == 0; i++) {
		struct item it = { .key = doc_key_at(d, i), .value = doc_value_at(d, i) };

		r = read_key(e, f, it.key, &key, &it.order);
		push(e, it);
	}
	if (r == 0 && d->n > 1)
		qsort(e->items + base, d->n, sizeof(*e->items), key_cmp);
	for (size_t i = e->n; i-- > base && r == 0;) {
		/* a copy: the array may move */
		struct item it = e->items[i];

		r = put_entry(e, f, &it);
	}
	e->n = base;
	return r;
}

/* ---- messages ---- */

/* Rows come in order of their numbers nearly always: insertion is cheap. */
static void sort_rows(struct item *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct item it = v[i];
		size_t j = i;

		for (; j > 0 && v[j - 1].f->pb > it.f->pb; j--)
			v[j] = v[j - 1];
		v[j] = it;
	}
}

static int check_oneof(struct enc *e, const struct item *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; v[i].f->oneof && j < n; j++)
			if (v[j].f->oneof == v[i].f->oneof)
				return protobuf_fail(&e->c, ERR_INVALID,
						     "'%s' and '%s' exclude each other",
						     v[i].f->name, v[j].f->name);
	return 0;
}

static int check_required(struct enc *e, const struct schema *s, const struct doc *d)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct schema_field *f = &s->fields[i];
		const struct doc *v;

		if (!(f->flags & SCHEMA_REQUIRED) || !f->pb)
			continue;
		v = doc_getn(d, slice_of(f->name, f->len));
		if (!v || v->type == DOC_NULL)
			return protobuf_fail(&e->c, ERR_INVALID, "'%s' is required", f->name);
	}
	return 0;
}

/* Is the row written when the document has none? */
static bool is_always(const struct schema_field *f)
{
	if (!f->pb || (f->wire & SCHEMA_PB_PRESENCE) || f->oneof)
		return false;
	switch ((enum schema_type)f->type) {
	case SCHEMA_LIST:
	case SCHEMA_MAP:
	case SCHEMA_BYTES: return false;
	case SCHEMA_ANY: return protobuf_kind(f) == SCHEMA_PB_NONE;
	default: return true;
	}
}

/* Rows that have no member in items[base..], with a value of null. */
static void push_absent(struct enc *e, const struct schema *s, size_t base)
{
	static const struct doc nothing = { .type = DOC_NULL };
	uint64_t seen[ROWS_MAX / 64] = { 0 };

	for (size_t i = base; i < e->n; i++) {
		size_t row = (size_t)(e->items[i].f - s->fields);

		seen[row / 64] |= (uint64_t)1 << row % 64;
	}
	for (size_t row = 0; row < s->n; row++)
		if (!(seen[row / 64] >> row % 64 & 1) && is_always(&s->fields[row]))
			push(e, (struct item){ .f = &s->fields[row], .value = &nothing });
}

/* The members that are written, in order, from items[base] on; *unknown is what was kept. */
static int collect(struct enc *e, const struct schema *s, const struct doc *d,
		   const struct doc **unknown)
{
	const char *name = e->c.o->unknown;
	size_t base = e->n;

	for (uint32_t i = 0; i < d->n; i++) {
		const struct doc *key = doc_key_at(d, i), *v = doc_value_at(d, i);
		struct slice k = slice_of(key->s, key->n);
		const struct schema_field *f = schema_find(s, k, i, false);

		if (f) {
			if (f->pb && (v->type != DOC_NULL || f->type == SCHEMA_ANY))
				push(e, (struct item){ .f = f, .key = key, .value = v });
		} else if (name && *name && slice_is(k, name)) {
			*unknown = v;
		} else if (!name || *name) {
			return protobuf_fail(&e->c, ERR_INVALID, "unknown field '%.*s'",
					     (int)MIN(k.n, (size_t)64), k.p);
		}
	}
	if (e->c.o->whole)
		push_absent(e, s, base);
	if (e->n == base)
		return 0;
	sort_rows(e->items + base, e->n - base);
	return check_oneof(e, e->items + base, e->n - base);
}

/* The zero of a row that is written all the same. */
static int put_absent(struct enc *e, const struct schema_field *f)
{
	static const struct doc object = { .type = DOC_OBJECT };
	enum pb_type type = protobuf_wire_type(f);
	size_t before = pb_size(&e->w);
	int r = 0;

	if (type != PB_BYTES) {
		protobuf_put_bits(&e->w, type, 0);
		pb_put_tag(&e->w, f->pb, type);
		return 0;
	}
	if (f->type == SCHEMA_OBJECT)
		r = put_message(e, f->sub, &object);
	else
		protobuf_put_zero(&e->w, f);
	pb_field_message(&e->w, f->pb, before);
	return r;
}

static int put_field(struct enc *e, const struct schema_field *f, const struct doc *d)
{
	bool zeros = e->c.o->zeros || e->c.o->whole || f->oneof || (f->wire & SCHEMA_PB_PRESENCE) ||
		     (f->flags & SCHEMA_REQUIRED) || (f->width & SCHEMA_W_OPT);
	struct protobuf_step step = { e->c.at, slice_of(f->name, f->len), 0 };
	int r;

	e->c.at = &step;
	if (f->type == SCHEMA_MAP)
		r = put_map(e, f, d);
	else if (f->type == SCHEMA_LIST && !protobuf_is_wrapped_list(f))
		r = put_elements(e, f, f->pb, d);
	else if (d->type == DOC_NULL) /* any: null is nothing */
		r = e->c.o->whole && is_always(f) ? put_absent(e, f) : 0;
	else
		r = put_value(e, f, f->pb, d, zeros);
	e->c.at = step.up;
	return r;
}

/* The items of one part (0 = the message's own), highest number first, and the messages of the
 * parts within it. */
static int put_part(struct enc *e, const struct schema *s, size_t base, unsigned part)
{
	size_t i = e->n, before;
	unsigned p = s->nparts;
	int r = 0;

	while (r == 0) {
		while (i > base && e->items[i - 1].f->part != part)
			i--;
		while (p > 0 && s->parts[p - 1].up != part)
			p--;
		if (i == base && p == 0)
			break;
		if (p > 0 && (i == base || s->parts[p - 1].pb > e->items[i - 1].f->pb)) {
			before = pb_size(&e->w);
			r = put_part(e, s, base, p);
			if (r == 0 && (e->c.o->whole || pb_size(&e->w) > before))
				pb_field_message(&e->w, s->parts[p - 1].pb, before);
			p--;
		} else {
			i--;
			r = put_field(e, e->items[i].f, e->items[i].value);
		}
	}
	return r;
}

static int put_message(struct enc *e, const struct schema *s, const struct doc *d)
{
	const struct doc *unknown = NULL;
	size_t base = e->n;
	int r;

	if (!doc_is(d, DOC_OBJECT))
		return wrong_type(e, "an object", d);
	if (e->c.depth >= e->c.depth_max)
		return protobuf_fail(&e->c, ERR_INVALID, "more than %u messages inside one another",
				     e->c.depth_max);
	e->c.depth++;
	r = collect(e, s, d, &unknown);
	if (r == 0 && e->c.o->required)
		r = check_required(e, s, d);
	if (r == 0 && unknown)
		r = put_base64(e, unknown);
	for (size_t i = e->n; !s->nparts && i-- > base && r == 0;)
		r = put_field(e, e->items[i].f, e->items[i].value);
	if (s->nparts && r == 0)
		r = put_part(e, s, base, 0);
	e->n = base;
	e->c.depth--;
	return r;
}

int protobuf_encode(const struct schema *s, const struct doc *d, const struct protobuf_opts *opts,
		    struct buf *out, struct err *err)
{
	static const struct protobuf_opts none;
	struct enc e = { 0 };
	size_t max, before = out->n;
	int r;

	protobuf_ctx_init(&e.c, s, NULL, opts ? opts : &none, err);
	max = e.c.o->size_max ? e.c.o->size_max : PROTOBUF_SIZE_DEFAULT;
	e.w = PB_WRITER_INIT(max);
	r = put_message(&e, s, d);
	if (r == 0 && e.w.full)
		r = err_set(err, ERR_TOO_LARGE, "%s: a message of more than %zu bytes", s->name,
			    max);
	if (r == 0 && buf_add(out, pb_written(&e.w).p, pb_size(&e.w)) < 0) {
		out->n = before;
		out->full = false;
		if (out->p)
			out->p[before] = '\0';
		r = err_set(err, ERR_TOO_LARGE, "%s: a message of %zu bytes does not fit", s->name,
			    pb_size(&e.w));
	}
	pb_writer_fini(&e.w);
	free(e.items);
	return r;
}
