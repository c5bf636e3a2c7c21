/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocol buffers to documents.
 *
 * Members of the messages that are open lie on one stack of nodes; a message's run is copied to the
 * arena once, when it closes. A repeated field is read as a run too: its elements follow each other
 * nearly always. Invariants:
 * (1) slots[row] is 1 + the member's index in the open message's run, 0 = not there yet;
 * (2) a value that must go again (zero, other member of a oneof) is only marked; the run is
 * compacted when it closes, so slots stay right;
 * (3) a map whose keys did not come in order is marked and its duplicates are removed at the close;
 * (4) what is read again (merged messages, their maps) is paid from `work`, so that a small input
 * cannot ask for quadratic time.
 */
#include "base/arena.h"
#include "doc/protobuf-private.h"
#include "doc/schema-private.h"

#include <stdlib.h>

#define ROWS_MAX 256

enum { MARK_DROP = 1, MARK_DEDUP = 2 };

struct dec {
	struct protobuf_ctx c;
	struct doc *stack;
	size_t n, cap;
	size_t work, work_max;
	const char *first; /* byte 0, for messages */
};

/* A message that is being read. */
struct open {
	const struct schema *s;
	size_t base;
	unsigned hint;
	bool compact;
	struct slice unknown; /* heap, when kept */
	size_t unknown_cap;
	uint16_t slots[ROWS_MAX];
};

static int read_message(struct dec *d, const struct schema *s, struct slice wire, struct doc *obj);

static int fail_at(struct dec *d, const void *at, const char *what)
{
	return protobuf_fail(&d->c, ERR_BAD_REQUEST, "byte %zu: %s",
			     (size_t)((const char *)at - d->first), what);
}

static void push(struct dec *d, struct doc node)
{
	if (d->n == d->cap) {
		d->cap = MAX(d->cap * 2, (size_t)64);
		d->stack = reallocarray(d->stack, d->cap, sizeof(*d->stack));
		if (!d->stack)
			abort();
	}
	d->stack[d->n++] = node;
}

/* The nodes from `base` on as a run in the arena. */
static int close_run(struct dec *d, size_t base, unsigned width, struct doc *container)
{
	size_t n = d->n - base;

	container->room = 0;
	container->n = (uint32_t)(n / width);
	container->kids = NULL;
	if (n > 0) {
		container->kids = arena_alloc_raw(d->c.a, n * sizeof(struct doc), 16);
		if (!container->kids)
			return protobuf_full(&d->c);
		memcpy(container->kids, d->stack + base, n * sizeof(struct doc));
	}
	d->n = base;
	return 0;
}

static int pay(struct dec *d, size_t nodes)
{
	d->work += nodes;
	if (d->work > d->work_max)
		return protobuf_fail(&d->c, ERR_BAD_REQUEST,
				     "parts of one message are scattered over the input");
	return 0;
}

/* ---- single values ---- */

static int read_bytes(struct dec *d, struct slice s, struct doc *ret)
{
	char *p = arena_alloc_raw(d->c.a, (s.n + 2) / 3 * 4 + 1, 1);

	if (!p)
		return protobuf_full(&d->c);
	*ret = (struct doc){ .type = DOC_STRING, .flags = DOC_CLEAN | DOC_CSTR, .s = p };
	ret->n = (uint32_t)schema_base64_encode(s, p);
	p[ret->n] = '\0';
	return 0;
}

static int read_wrapped_list(struct dec *d, const struct schema_field *f, struct slice wire,
			     struct doc *ret);
static int read_union(struct dec *d, const struct schema_field *f, struct slice wire,
		      struct doc *ret);

/* One value that is not repeated here. *ret holds what was there before (null = nothing). */
static int read_value(struct dec *d, const struct schema_field *f, const struct pb_field *in,
		      struct doc *ret)
{
	enum pb_type want = protobuf_wire_type(f);
	bool fresh = ret->type != DOC_OBJECT;

	if (in->type != want) {
		static const char *const names[] = { "varint", "64-bit", "bytes",
						     "group",  "group",	 "32-bit" };

		return protobuf_fail(
			&d->c, ERR_BAD_REQUEST, "byte %zu: wire type %s where %s is expected",
			(size_t)((const char *)in->start - d->first), names[in->type], names[want]);
	}
	if (want != PB_BYTES)
		return protobuf_read_number(&d->c, f, in->v, ret);
	switch ((enum schema_type)f->type) {
	case SCHEMA_OBJECT:
		if (fresh)
			*ret = doc_object();
		return read_message(d, f->sub, in->bytes, ret);
	case SCHEMA_LIST: return read_wrapped_list(d, f, in->bytes, ret);
	case SCHEMA_MAP:
		return protobuf_fail(&d->c, ERR_UNSUPPORTED,
				     "protobuf has no maps in lists or maps");
	case SCHEMA_BYTES: return read_bytes(d, in->bytes, ret);
	default: break;
	}
	if (protobuf_is_union(f))
		return read_union(d, f, in->bytes, ret);
	if (protobuf_is_special(f))
		return protobuf_read_special(&d->c, f, in->bytes, ret);
	return protobuf_read_string(&d->c, in->bytes, ret);
}

static bool is_zero(const struct schema_field *f, const struct doc *v)
{
	if (f->type == SCHEMA_ENUM && v->type == DOC_STRING && v->s == f->values[0])
		return true;
	switch (v->type) {
	case DOC_NULL: return true;
	case DOC_BOOL: return v->n == 0;
	case DOC_NUMBER: return v->n == 1 && v->s[0] == '0';
	case DOC_STRING:
	case DOC_ARRAY: return v->n == 0;
	default: return false;
	}
}

static bool keeps_zero(const struct dec *d, const struct schema_field *f)
{
	return d->c.o->zeros || (f->wire & SCHEMA_PB_PRESENCE) || f->oneof ||
	       (f->flags & (SCHEMA_EMIT | SCHEMA_REQUIRED)) || (f->width & SCHEMA_W_OPT) ||
	       (protobuf_is_special(f) && f->type != SCHEMA_TIME);
}

/* ---- lists ---- */

/* A packed run of numbers, or one number: both forms are legal whatever the row says. */
static int push_numbers(struct dec *d, const struct schema_field *e, const struct pb_field *in)
{
	enum pb_type type = protobuf_wire_type(e);
	struct pb_reader r = pb_reader(in->bytes);
	size_t size = type == PB_FIXED32 ? 4 : 8;
	uint64_t bits;
	struct doc v;
	int rc;

	while (r.p < r.end) {
		if (type == PB_VARINT) {
			if (!pb_varint(&r, &bits))
				return fail_at(d, r.p, r.why);
		} else {
			if ((size_t)(r.end - r.p) < size)
				return fail_at(d, r.p, "cut off within a packed number");
			bits = 0;
			for (size_t i = 0; i < size; i++)
				bits |= (uint64_t)*r.p++ << 8 * i;
		}
		rc = protobuf_read_number(&d->c, e, bits, &v);
		if (rc < 0)
			return rc;
		push(d, v);
	}
	return 0;
}

static int push_element(struct dec *d, const struct schema_field *e, const struct pb_field *in,
			size_t index)
{
	struct protobuf_step step = { d->c.at, { NULL, 0 }, index };
	struct doc v = doc_null();
	int r;

	d->c.at = &step;
	if (protobuf_is_scalar(e) && in->type == PB_BYTES) {
		r = push_numbers(d, e, in);
	} else {
		r = read_value(d, e, in, &v);
		if (r == 0)
			push(d, v);
	}
	d->c.at = step.up;
	return r;
}

/* Does the next field have the same number? Then it is read into *f. */
static int same_next(struct dec *d, struct pb_reader *r, struct pb_field *f)
{
	struct pb_reader ahead = *r;
	uint32_t number = f->number;
	uint64_t tag;
	int rc;

	if (r->p == r->end || !pb_varint(&ahead, &tag) || tag >> 3 != number)
		return 0;
	rc = pb_next(r, f);
	return rc < 0 ? fail_at(d, r->p, r->why) : rc;
}

/* The elements of one run; *list is what was there before. */
static int read_list(struct dec *d, const struct schema_field *f, struct pb_reader *r,
		     struct pb_field *in, struct doc *list)
{
	size_t base = d->n, had = doc_len(list);
	struct schema_field room;
	const struct schema_field *e = protobuf_elem(f, &room);
	int rc;

	do {
		rc = push_element(d, e, in, had + d->n - base);
		if (rc == 0)
			rc = same_next(d, r, in);
	} while (rc == 1);
	if (rc < 0)
		return rc;
	if (list->type != DOC_ARRAY) {
		*list = doc_array();
		return close_run(d, base, 1, list);
	}
	for (size_t i = base; i < d->n; i++)
		if (!doc_append(d->c.a, list, d->stack[i]))
			return protobuf_full(&d->c);
	d->n = base;
	return 0;
}

/* Kubernetes' lists of lists: message {items=1}. Given twice, the items add up. */
static int read_wrapped_list(struct dec *d, const struct schema_field *f, struct slice wire,
			     struct doc *ret)
{
	struct pb_reader r = pb_reader(wire);
	struct pb_field in;
	int rc;

	if (ret->type != DOC_ARRAY)
		*ret = doc_array();
	while ((rc = pb_next(&r, &in)) == 1) {
		if (in.number != 1)
			continue;
		rc = read_list(d, f, &r, &in, ret);
		if (rc < 0)
			return rc;
	}
	return rc < 0 ? fail_at(d, r.p, r.why) : 0;
}

/* JSONSchemaPropsOr...: a schema wins over the other member, as it does in Go's JSON. */
static int read_union(struct dec *d, const struct schema_field *f, struct slice wire,
		      struct doc *ret)
{
	bool or_bool = protobuf_kind(f) == SCHEMA_PB_OR_BOOL, schema = false;
	bool strings = protobuf_kind(f) == SCHEMA_PB_OR_STRINGS;
	struct schema_field one = { .type = SCHEMA_OBJECT, .sub = f->sub };
	struct schema_field list = { .type = SCHEMA_LIST,
				     .elem_type = strings ? SCHEMA_STRING : SCHEMA_OBJECT,
				     .sub = strings ? NULL : f->sub };
	struct doc object = doc_null(), other = or_bool ? doc_bool(false) : doc_array();
	struct pb_reader r = pb_reader(wire);
	struct pb_field in;
	int rc, bad = 0;

	while (bad == 0 && (rc = pb_next(&r, &in)) == 1) {
		if (in.number == (or_bool ? 2 : 1)) {
			bad = read_value(d, &one, &in, &object);
			schema = true;
		} else if (or_bool && in.number == 1 && in.type == PB_VARINT) {
			other = doc_bool(in.v != 0);
		} else if (!or_bool && in.number == 2) {
			bad = read_list(d, &list, &r, &in, &other);
		}
	}
	if (bad == 0 && rc < 0)
		bad = fail_at(d, r.p, r.why);
	*ret = schema ? object : other;
	return bad;
}

/* ---- maps ---- */

static int read_map_key(struct dec *d, const struct schema_field *f, const struct pb_field *in,
			struct doc *ret)
{
	struct schema_field row = { .type = f->key_wire & SCHEMA_PB_BOOL ? SCHEMA_BOOL : SCHEMA_INT,
				    .width = f->key_wire & SCHEMA_PB_UNSIGNED
						     ? 8 | SCHEMA_W_UNSIGNED
						     : 8,
				    .wire = f->key_wire & SCHEMA_PB_KIND };
	int r;

	if (!f->key_wire) {
		if (in->type != PB_BYTES)
			return fail_at(d, in->start, "a map's key that is no string");
		return protobuf_read_string(&d->c, in->bytes, ret);
	}
	r = read_value(d, &row, in, ret);
	if (r < 0)
		return r;
	if (ret->type == DOC_BOOL)
		*ret = ret->n ? DOC_LIT("true") : DOC_LIT("false");
	ret->type = DOC_STRING;
	ret->flags = DOC_CLEAN;
	return 0;
}

static struct doc zero_of(const struct schema_field *e)
{
	switch ((enum schema_type)e->type) {
	case SCHEMA_BOOL: return doc_bool(false);
	case SCHEMA_OBJECT: return doc_object();
	case SCHEMA_LIST: return doc_array();
	case SCHEMA_MAP: return doc_object();
	case SCHEMA_TIME:
	case SCHEMA_ANY: return doc_null();
	case SCHEMA_INT:
	case SCHEMA_DOUBLE: {
		struct doc zero;

		(void)doc_number_parse(SLICE("0"), &zero); /* is one */
		return zero;
	}
	case SCHEMA_ENUM:
		if (protobuf_kind(e) == SCHEMA_PB_VARINT && e->values[0])
			return doc_borrow(e->values[0], strlen(e->values[0]));
		break;
	default: break;
	}
	return DOC_LIT("");
}

static int push_entry(struct dec *d, const struct schema_field *f, const struct schema_field *e,
		      struct slice wire)
{
	struct protobuf_step step = { d->c.at, SLICE("key"), 0 };
	struct pb_reader r = pb_reader(wire);
	struct doc key = f->key_wire ? DOC_LIT("0") : DOC_LIT(""), value = doc_null();
	struct pb_field in;
	int rc, bad = 0;

	if (f->key_wire & SCHEMA_PB_BOOL)
		key = DOC_LIT("false");
	d->c.at = &step;
	while (bad == 0 && (rc = pb_next(&r, &in)) == 1) {
		if (in.number == 1)
			bad = read_map_key(d, f, &in, &key);
		step.name = slice_of(key.s, key.n);
		if (in.number == 2)
			bad = read_value(d, e, &in, &value);
	}
	if (bad == 0 && rc < 0)
		bad = fail_at(d, r.p, r.why);
	d->c.at = step.up;
	if (bad < 0)
		return bad;
	push(d, key);
	push(d, value.type == DOC_NULL ? zero_of(e) : value);
	return 0;
}

static int read_map(struct dec *d, const struct schema_field *f, struct pb_reader *r,
		    struct pb_field *in, struct doc *map)
{
	size_t base = d->n;
	struct schema_field room;
	const struct schema_field *e = protobuf_elem(f, &room);
	bool sorted = map->type != DOC_OBJECT;
	int rc;

	do {
		if (in->type != PB_BYTES)
			return fail_at(d, in->start, "a map's entry that is no message");
		rc = push_entry(d, f, e, in->bytes);
		if (rc == 0 && d->n >= base + 4)
			sorted = sorted && slice_cmp(doc_slice(&d->stack[d->n - 4]),
						     doc_slice(&d->stack[d->n - 2])) < 0;
		if (rc == 0)
			rc = same_next(d, r, in);
	} while (rc == 1);
	if (rc < 0)
		return rc;
	if (map->type != DOC_OBJECT) {
		*map = doc_object();
		rc = close_run(d, base, 2, map);
	} else {
		for (size_t i = base; i < d->n && rc == 0; i += 2)
			if (!doc_add_node(d->c.a, map, d->stack[i], d->stack[i + 1]))
				rc = protobuf_full(&d->c);
		d->n = base;
	}
	map->mark = sorted ? 0 : MARK_DEDUP;
	return rc;
}

struct entry {
	struct doc *key;
	size_t index;
};

static int entry_cmp(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = slice_cmp(doc_slice(x->key), doc_slice(y->key));

	return c ? c : (x->index > y->index) - (x->index < y->index);
}

/* The last of equal keys stays, in the place of the first. keeps (3) */
static int dedup(struct dec *d, struct doc *map)
{
	CLEANUP_FREE struct entry *v = calloc(MAX(map->n, 1u), sizeof(*v));
	size_t out = 0;
	int r = pay(d, map->n / 8);

	map->mark = 0;
	if (r < 0)
		return r;
	if (!v)
		abort();
	for (size_t i = 0; i < map->n; i++)
		v[i] = (struct entry){ doc_key_at(map, i), i };
	qsort(v, map->n, sizeof(*v), entry_cmp);
	for (size_t i = 0, j; i < map->n; i = j) {
		for (j = i + 1;
		     j < map->n && slice_cmp(doc_slice(v[i].key), doc_slice(v[j].key)) == 0; j++)
			v[j].key->mark = MARK_DROP;
		if (j > i + 1)
			v[i].key[1] = v[j - 1].key[1];
	}
	for (size_t i = 0; i < map->n; i++) {
		if (doc_key_at(map, i)->mark)
			continue;
		map->kids[2 * out] = map->kids[2 * i];
		map->kids[2 * out++ + 1] = map->kids[2 * i + 1];
	}
	if (out < map->n)
		map->room = 0;
	map->n = (uint32_t)out;
	return 0;
}

/* ---- messages ---- */

static const struct schema_field *find_row(const struct schema *s, unsigned part, uint32_t number,
					   unsigned *hint)
{
	/* Writers keep the order of numbers, and most tables too. */
	for (unsigned i = *hint; i < s->n; i++)
		if (s->fields[i].pb == number && s->fields[i].part == part) {
			*hint = i;
			return &s->fields[i];
		}
	for (unsigned i = 0; i < *hint && i < s->n; i++)
		if (s->fields[i].pb == number && s->fields[i].part == part) {
			*hint = i;
			return &s->fields[i];
		}
	return NULL;
}

static void keep_unknown(struct open *o, const void *from, size_t n)
{
	char *p = (char *)o->unknown.p;

	if (o->unknown.n + n > o->unknown_cap) {
		o->unknown_cap = MAX(o->unknown_cap * 2, o->unknown.n + n);
		p = realloc(p, o->unknown_cap);
		if (!p)
			abort();
	}
	if (p)
		memcpy(p + o->unknown.n, from, n);
	o->unknown = slice_of(p, o->unknown.n + n);
}

static void drop_oneof(struct dec *d, struct open *o, const struct schema_field *f)
{
	for (unsigned i = 0; i < o->s->n; i++) {
		const struct schema_field *g = &o->s->fields[i];

		if (g->oneof != f->oneof || g == f || !o->slots[i])
			continue;
		d->stack[o->base + 2 * (o->slots[i] - 1u) + 1] = (struct doc){ .mark = MARK_DROP };
		o->compact = true;
	}
}

/* One field (of a repeated one: its run) into the open message. */
static int read_field(struct dec *d, struct open *o, const struct schema_field *f,
		      struct pb_reader *r, struct pb_field *in)
{
	struct protobuf_step step = { d->c.at, slice_of(f->name, f->len), 0 };
	uint16_t *slot = &o->slots[f - o->s->fields];
	struct doc v = doc_null();
	int rc;

	if (f->oneof)
		drop_oneof(d, o, f);
	if (*slot)
		v = d->stack[o->base + 2 * (*slot - 1u) + 1];
	v.mark = v.type == DOC_NULL ? 0 : v.mark;
	d->c.at = &step;
	if (f->type == SCHEMA_LIST && !protobuf_is_wrapped_list(f))
		rc = read_list(d, f, r, in, &v);
	else if (f->type == SCHEMA_MAP)
		rc = read_map(d, f, r, in, &v);
	else
		rc = read_value(d, f, in, &v);
	d->c.at = step.up;
	if (rc < 0)
		return rc;
	if (is_zero(f, &v) && (v.type == DOC_NULL || v.type == DOC_ARRAY || !keeps_zero(d, f)))
		v = (struct doc){ .mark = MARK_DROP };
	o->compact |= v.mark != 0;
	if (*slot) {
		d->stack[o->base + 2 * (*slot - 1u) + 1] = v;
		return 0;
	}
	if (v.mark == MARK_DROP)
		return 0;
	push(d, (struct doc){ .type = DOC_STRING,
			      .flags = DOC_CLEAN | DOC_CSTR,
			      .n = f->len,
			      .s = f->name });
	push(d, v);
	*slot = (uint16_t)((d->n - o->base) / 2);
	return 0;
}

/* The only member without a row is ours: what was kept goes on growing. */
static void reopen_unknown(struct open *o, const struct doc *v)
{
	CLEANUP_FREE char *p = malloc((size_t)v->n / 4 * 3 + 1);
	ssize_t n;

	if (!p)
		abort();
	n = schema_base64_decode(doc_slice(v), p);
	if (n > 0)
		keep_unknown(o, p, (size_t)n);
}

/* A message that was there already: its members are open again. */
static int reopen(struct dec *d, struct open *o, const struct doc *obj)
{
	int r = pay(d, 8 + obj->n);

	for (uint32_t i = 0; i < obj->n && r == 0; i++) {
		const struct doc *key = doc_key_at(obj, i);
		const struct schema_field *f =
			schema_find(o->s, slice_of(key->s, key->n), i, false);

		if (!f) {
			reopen_unknown(o, doc_value_at(obj, i));
			continue;
		}
		push(d, *key);
		push(d, *doc_value_at(obj, i));
		o->slots[f - o->s->fields] = (uint16_t)((d->n - o->base) / 2);
	}
	return r;
}

/* keeps (2), (3) */
static int compact(struct dec *d, struct open *o)
{
	size_t out = o->base;
	int r = 0;

	for (size_t i = o->base; i < d->n && r == 0; i += 2) {
		if (d->stack[i + 1].mark == MARK_DROP)
			continue;
		if (d->stack[i + 1].mark == MARK_DEDUP)
			r = dedup(d, &d->stack[i + 1]);
		d->stack[out++] = d->stack[i];
		d->stack[out++] = d->stack[i + 1];
	}
	d->n = out;
	return r;
}

static int check_required(struct dec *d, const struct open *o)
{
	for (unsigned i = 0; i < o->s->n; i++)
		if ((o->s->fields[i].flags & SCHEMA_REQUIRED) && o->s->fields[i].pb && !o->slots[i])
			return protobuf_fail(&d->c, ERR_BAD_REQUEST, "'%s' is required",
					     o->s->fields[i].name);
	return 0;
}

static int add_unknown(struct dec *d, struct open *o)
{
	const char *name = d->c.o->unknown;
	struct doc v = doc_null();
	int r = read_bytes(d, o->unknown, &v);

	if (r < 0)
		return r;
	push(d, doc_borrow(name, strlen(name)));
	push(d, v);
	return 0;
}

/* The part that is message `number` within `part`, or 0. */
static unsigned find_part(const struct schema *s, unsigned part, uint32_t number)
{
	for (unsigned i = 0; i < s->nparts; i++)
		if (s->parts[i].pb == number && s->parts[i].up == part)
			return i + 1;
	return 0;
}

/* Parts lie within one another at most as deep as the table has them. */
static int read_part(struct dec *d, struct open *o, unsigned part, struct slice wire)
{
	struct pb_reader r = pb_reader(wire);
	bool keep = d->c.o->unknown && *d->c.o->unknown;
	struct pb_field in;
	unsigned inner;
	int rc;

	while ((rc = pb_next(&r, &in)) == 1) {
		const struct schema_field *f = find_row(o->s, part, in.number, &o->hint);

		if (f)
			rc = read_field(d, o, f, &r, &in);
		else if (in.type == PB_BYTES && (inner = find_part(o->s, part, in.number)))
			rc = read_part(d, o, inner, in.bytes);
		else if (keep && !part)
			keep_unknown(o, in.start, (size_t)(r.p - in.start));
		if (rc < 0)
			return rc;
	}
	return rc < 0 ? fail_at(d, in.start, r.why) : 0;
}

static int read_fields(struct dec *d, struct open *o, struct slice wire)
{
	int rc = read_part(d, o, 0, wire);

	if (rc < 0)
		return rc;
	rc = o->compact ? compact(d, o) : 0;
	if (rc == 0 && d->c.o->required)
		rc = check_required(d, o);
	if (rc == 0 && o->unknown.n > 0)
		rc = add_unknown(d, o);
	return rc;
}

static int read_message(struct dec *d, const struct schema *s, struct slice wire, struct doc *obj)
{
	struct open o = { .s = s, .base = d->n };
	int r = 0;

	if (d->c.depth >= d->c.depth_max)
		return protobuf_fail(&d->c, ERR_BAD_REQUEST,
				     "more than %u messages inside one another", d->c.depth_max);
	d->c.depth++;
	if (obj->n > 0)
		r = reopen(d, &o, obj);
	if (r == 0)
		r = read_fields(d, &o, wire);
	free((char *)o.unknown.p);
	d->c.depth--;
	return r < 0 ? r : close_run(d, o.base, 2, obj);
}

int protobuf_decode(const struct schema *s, struct slice wire, struct arena *a,
		    const struct protobuf_opts *opts, struct doc *ret, struct err *err)
{
	static const struct protobuf_opts none;
	struct dec d = { .first = wire.p, .work_max = wire.n * 4 + 65536 };
	struct doc obj = doc_object();
	size_t max;
	int r;

	protobuf_ctx_init(&d.c, s, a, opts ? opts : &none, err);
	max = d.c.o->size_max ? d.c.o->size_max : PROTOBUF_SIZE_DEFAULT;
	if (wire.n > max)
		return err_set(err, ERR_TOO_LARGE, "%s: a message of %zu bytes, at most %zu",
			       s->name, wire.n, max);
	r = read_message(&d, s, wire, &obj);
	free(d.stack);
	if (r < 0)
		return r;
	*ret = obj;
	return 0;
}
