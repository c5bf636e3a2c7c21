/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schema tables: from a C struct to a document, by the rows that decode fills it with. What a row
 * leaves out when it is unset is told in schema.h. Strings are borrowed, numbers copied.
 */
#include "doc/schema-private.h"
#include "doc/schema.h"

#include <assert.h>

static int write_object(struct arena *a, const struct schema *s, const char *in, struct doc *ret);
static int write_value(struct arena *a, const struct schema_field *f, const char *p,
		       struct doc *ret);

static bool any_set(const struct schema *s, const char *in);

static uint64_t load_int(const struct schema_field *f, const char *p)
{
	bool is_unsigned = f->width & SCHEMA_W_UNSIGNED;

	if (f->width & SCHEMA_W_OPT)
		return ((const struct opt_uint *)p)->v;
	switch (f->width & SCHEMA_W_SIZE) {
	case 1: return is_unsigned ? *(const uint8_t *)p : (uint64_t) * (const int8_t *)p;
	case 2: return is_unsigned ? *(const uint16_t *)p : (uint64_t) * (const int16_t *)p;
	case 4: return is_unsigned ? *(const uint32_t *)p : (uint64_t) * (const int32_t *)p;
	default: return *(const uint64_t *)p;
	}
}

/* Does the struct hold a value for this row? Zero of a plain number or bool counts as none. */
static bool is_set(const struct schema_field *f, const char *p, const char *base)
{
	if (f->has && *(const bool *)(base + f->has - 1))
		return true;
	if ((f->width & SCHEMA_W_OPT) && f->type <= SCHEMA_DOUBLE)
		return *(const bool *)p; /* all struct opt_* begin with `set` */
	switch ((enum schema_type)f->type) {
	case SCHEMA_BOOL: return *(const bool *)p;
	case SCHEMA_INT: return load_int(f, p) != 0;
	case SCHEMA_DOUBLE: return *(const double *)p != 0;
	case SCHEMA_ENUM:
		if (f->width & SCHEMA_W_TEXT)
			break;
		return load_int(f, p) != 0;
	case SCHEMA_OBJECT:
		if (f->flags & SCHEMA_INLINE)
			return !f->has && any_set(f->sub, p);
		break;
	case SCHEMA_INT_OR_STR: return ((const struct int_or_str *)p)->set;
	case SCHEMA_TIME: return ((const struct schema_time *)p)->set;
	default: break;
	}
	return *(const void *const *)p != NULL;
}

static bool any_set(const struct schema *s, const char *in)
{
	for (unsigned i = 0; i < s->n; i++)
		if ((s->fields[i].flags & (SCHEMA_EMIT | SCHEMA_EMIT_NULL)) ||
		    is_set(&s->fields[i], in + s->fields[i].offset, in))
			return true;
	return false;
}

static struct doc borrow(const char *s)
{
	struct doc d = doc_borrow(s, strlen(s));

	d.flags |= DOC_CSTR;
	return d;
}

static struct doc int_node(struct arena *a, const struct schema_field *f, uint64_t v)
{
	return f->width & SCHEMA_W_UNSIGNED ? doc_uint(a, v) : doc_int(a, (int64_t)v);
}

static struct doc enum_node(const struct schema_field *f, const char *p)
{
	uint64_t v = load_int(f, p);

	if (v == 0)
		return DOC_LIT("");
	for (uint64_t i = 0; f->values[i]; i++)
		if (i + 1 == v)
			return borrow(f->values[i]);
	assert(!"enum value without a name");
	return doc_null();
}

static struct doc time_node(struct arena *a, const struct schema_time *t)
{
	char text[40];

	/* What Go prints for a time that was never set. */
	if (!t->set)
		return DOC_LIT("0001-01-01T00:00:00Z");
	return doc_str(a, schema_format_time(t, text));
}

static struct doc bytes_node(struct arena *a, struct slice in)
{
	char *p = arena_alloc_raw(a, (in.n + 2) / 3 * 4 + 1, 1);
	size_t n;

	if (!p)
		return doc_null();
	n = schema_base64_encode(in, p);
	p[n] = '\0';
	return doc_borrow(p, n);
}

static int write_list(struct arena *a, const struct schema_field *f, const char *p, struct doc *ret)
{
	const struct slice *list = (const struct slice *)p;
	struct schema_field room;
	const struct schema_field *e = schema_elem(f, &room);
	size_t size = schema_value_size(e);
	int r;

	*ret = doc_array();
	ret->kids = ARENA_ARRAY(a, struct doc, list->n);
	if (!ret->kids)
		return -1;
	ret->n = (uint32_t)list->n;
	for (size_t i = 0; i < list->n; i++) {
		r = write_value(a, e, list->p + i * size, &ret->kids[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_map(struct arena *a, const struct schema_field *f, const char *p, struct doc *ret)
{
	const struct slice *map = (const struct slice *)p;
	struct schema_field room;
	const struct schema_field *e = schema_elem(f, &room);
	size_t size = schema_entry_size(e);
	int r;

	*ret = doc_object();
	ret->kids = arena_alloc_array(a, map->n, 2 * sizeof(struct doc));
	if (!ret->kids)
		return -1;
	ret->n = (uint32_t)map->n;
	for (size_t i = 0; i < map->n; i++) {
		const char *entry = map->p + i * size;

		ret->kids[2 * i] = borrow(*(const char *const *)entry);
		r = write_value(a, e, entry + sizeof(char *), &ret->kids[2 * i + 1]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What EMIT and REQUIRED write for a value whose pointer is NULL. */
static struct doc unset_node(const struct schema_field *f)
{
	switch ((enum schema_type)f->type) {
	case SCHEMA_STRING:
	case SCHEMA_ENUM:
	case SCHEMA_QUANTITY:
	case SCHEMA_BYTES: return DOC_LIT("");
	case SCHEMA_LIST: return doc_array();
	case SCHEMA_MAP: return doc_object();
	default: return doc_null();
	}
}

static int write_value(struct arena *a, const struct schema_field *f, const char *p,
		       struct doc *ret)
{
	const char *ptr = NULL;

	if ((f->width & SCHEMA_W_OPT) && f->type <= SCHEMA_DOUBLE && !*(const bool *)p) {
		*ret = doc_null();
		return 0;
	}
	switch ((enum schema_type)f->type) {
	case SCHEMA_BOOL:
		*ret = doc_bool(f->width & SCHEMA_W_OPT ? ((const struct opt_bool *)p)->v
							: *(const bool *)p);
		return 0;
	case SCHEMA_INT: *ret = int_node(a, f, load_int(f, p)); return 0;
	case SCHEMA_DOUBLE:
		*ret = doc_num(a, f->width & SCHEMA_W_OPT ? ((const struct opt_double *)p)->v
							  : *(const double *)p);
		return 0;
	case SCHEMA_TIME: *ret = time_node(a, (const struct schema_time *)p); return 0;
	case SCHEMA_INT_OR_STR: {
		const struct int_or_str *v = (const struct int_or_str *)p;

		*ret = !v->set ? doc_null() : v->s ? borrow(v->s) : doc_int(a, v->i);
		return 0;
	}
	case SCHEMA_OBJECT:
		if (f->flags & SCHEMA_INLINE)
			return write_object(a, f->sub, p, ret);
		break;
	case SCHEMA_ENUM:
		if (f->width & SCHEMA_W_TEXT)
			break;
		*ret = enum_node(f, p);
		return 0;
	default: break;
	}

	/* From here on the value begins with a pointer. */
	ptr = *(const char *const *)p;
	if (!ptr) {
		*ret = unset_node(f);
		return 0;
	}
	switch ((enum schema_type)f->type) {
	case SCHEMA_ANY: *ret = *(const struct doc *)ptr; return 0;
	case SCHEMA_OBJECT: return write_object(a, f->sub, ptr, ret);
	case SCHEMA_LIST: return write_list(a, f, p, ret);
	case SCHEMA_MAP: return write_map(a, f, p, ret);
	case SCHEMA_BYTES: *ret = bytes_node(a, *(const struct slice *)p); return 0;
	default: *ret = borrow(ptr); return 0;
	}
}

static bool is_null_unset(const struct schema_field *f, const char *p)
{
	if (!(f->flags & SCHEMA_EMIT_NULL))
		return false;
	switch ((enum schema_type)f->type) {
	case SCHEMA_STRING:
	case SCHEMA_LIST:
	case SCHEMA_MAP:
	case SCHEMA_QUANTITY:
	case SCHEMA_BYTES: return *(const void *const *)p == NULL;
	case SCHEMA_ENUM:
		return f->width & SCHEMA_W_TEXT ? *(const void *const *)p == NULL
						: load_int(f, p) == 0;
	default: return false;
	}
}

static int write_object(struct arena *a, const struct schema *s, const char *in, struct doc *ret)
{
	const struct doc *rest = s->rest ? *(const struct doc *const *)(in + s->rest - 1) : NULL;
	const unsigned always = SCHEMA_EMIT | SCHEMA_EMIT_NULL | SCHEMA_REQUIRED;
	size_t n = doc_len(rest);
	int r;

	for (unsigned i = 0; i < s->n; i++)
		n += (s->fields[i].flags & always) ||
		     is_set(&s->fields[i], in + s->fields[i].offset, in);
	*ret = doc_object();
	ret->kids = arena_alloc_array(a, n, 2 * sizeof(struct doc));
	if (!ret->kids)
		return -1;
	for (unsigned i = 0; i < s->n; i++) {
		const struct schema_field *f = &s->fields[i];
		const char *p = in + f->offset;
		struct doc *slot = &ret->kids[2 * (size_t)ret->n];

		if (!(f->flags & always) && !is_set(f, p, in))
			continue;
		slot[0] = doc_borrow(f->name, f->len);
		if (is_null_unset(f, p)) {
			slot[1] = doc_null();
		} else {
			r = write_value(a, f, p, &slot[1]);
			if (r < 0)
				return r;
		}
		ret->n++;
	}
	DOC_EACH_MEMBER (key, value, rest) {
		struct doc *slot = &ret->kids[2 * (size_t)ret->n++];

		slot[0] = *key;
		slot[1] = *value;
	}
	return 0;
}

int schema_encode(const struct schema *s, const void *in, struct arena *a, struct doc *ret,
		  struct err *err)
{
	int r = write_object(a, s, in, ret);

	if (r < 0 || arena_exceeded(a)) {
		*ret = doc_null();
		return arena_quota(a, err);
	}
	return 0;
}
