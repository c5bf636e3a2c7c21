/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schema tables: from a document to a C struct, checking everything on the way; with no struct to
 * fill (out == NULL) it only checks. Every failure is collected and reading goes on, so that one
 * answer names all that is wrong. Recursion follows the tables, bounded by SCHEMA_DEPTH_MAX.
 */
#include "doc/json.h"
#include "doc/schema-private.h"
#include "doc/schema.h"

#include <stdlib.h>

#define ROWS_MAX 256

static void read_value(struct schema_ctx *c, const struct schema_field *f, const struct doc *d,
		       char *out);
static void read_object(struct schema_ctx *c, const struct schema_field *f, const struct schema *s,
			const struct doc *d, char *out);
static void read_defaults(struct schema_ctx *c, const struct schema *s, char *out);

/* The value as a message shows it: short, printable, never a secret. */
static const char *show(const struct schema_field *f, const struct doc *d, char dst[64])
{
	struct slice s = { d->s, d->n };
	size_t n = 0, max = MIN(s.n, (size_t)48);

	if (f->flags & SCHEMA_SECRET || (d->type != DOC_STRING && d->type != DOC_NUMBER)) {
		(void)str_copy(dst, 64, "the value");
		return dst;
	}
	dst[n++] = '\'';
	for (size_t i = 0; i < max; i++)
		dst[n++] = (unsigned char)s.p[i] < ' ' || s.p[i] == '\x7f' ? '?' : s.p[i];
	(void)str_copy(dst + n, 64 - n, max < s.n ? "...'" : "'");
	return dst;
}

static void fail_type(struct schema_ctx *c, const char *want, const struct doc *d)
{
	schema_fail(c, "", "type", "must be %s, not %s", want, doc_type_name(d));
}

/* --- scalars ------------------------------------------------------------------------------------
 */

static void store_int(const struct schema_field *f, char *out, uint64_t v)
{
	if (f->width & SCHEMA_W_OPT) {
		*(struct opt_uint *)out = (struct opt_uint){ .set = true, .v = v };
		return;
	}
	switch (f->width & SCHEMA_W_SIZE) {
	case 1: *(uint8_t *)out = (uint8_t)v; break;
	case 2: *(uint16_t *)out = (uint16_t)v; break;
	case 4: *(uint32_t *)out = (uint32_t)v; break;
	default: *(uint64_t *)out = v; break;
	}
}

/* The range of the row within the range of its C type. */
static void int_range(const struct schema_field *f, int64_t *lo, uint64_t *hi)
{
	unsigned bits = (f->width & SCHEMA_W_SIZE ? f->width & SCHEMA_W_SIZE : 8) * 8;
	bool is_unsigned = f->width & SCHEMA_W_UNSIGNED;

	*lo = is_unsigned ? 0 : INT64_MIN >> (64 - bits);
	*hi = UINT64_MAX >> (64 - bits + !is_unsigned);
	if (f->min == 0 && f->max == 0)
		return;
	*lo = MAX(*lo, f->min);
	/* INT64_MAX means "no upper limit", also for what is wider. */
	if (f->max != INT64_MAX && f->max >= 0 && (uint64_t)f->max < *hi)
		*hi = (uint64_t)f->max;
}

static void read_int(struct schema_ctx *c, const struct schema_field *f, const struct doc *d,
		     char *out)
{
	bool below, above;
	char text[64];
	uint64_t hi, u = 0;
	int64_t lo, i = 0;

	if (d->type != DOC_NUMBER) {
		fail_type(c, "an integer", d);
		return;
	}
	/* As Go: 1.0 and 1e3 are no integers. */
	if (!(d->flags & DOC_INT)) {
		schema_fail(c, "", "type", "%s is no integer", show(f, d, text));
		return;
	}
	int_range(f, &lo, &hi);
	if (d->flags & DOC_NEG) {
		above = false;
		below = doc_int64(d, &i) != 0 || i < lo;
		u = (uint64_t)i;
		/* A row may also have a negative maximum. */
		if (!below && (f->min || f->max) && f->max < 0 && i > f->max) {
			schema_fail(c, "", "range", "%s is greater than %lld", show(f, d, text),
				    (long long)f->max);
			return;
		}
	} else {
		above = doc_uint64(d, &u) != 0 || u > hi || ((f->min || f->max) && f->max < 0);
		below = lo > 0 && u < (uint64_t)lo;
	}
	if (above || below) {
		schema_fail(c, "", "range", "%s is out of range: from %lld to %llu",
			    show(f, d, text), (long long)lo, (unsigned long long)hi);
		return;
	}
	if (out)
		store_int(f, out, u);
}

static void read_double(struct schema_ctx *c, const struct schema_field *f, const struct doc *d,
			char *out)
{
	char text[64];
	double v;

	if (d->type != DOC_NUMBER || doc_double(d, &v) < 0) {
		fail_type(c, "a number", d);
		return;
	}
	if (__builtin_isinf(v) ||
	    ((f->min || f->max) && (v < (double)f->min || v > (double)f->max))) {
		schema_fail(c, "", "range", "%s is out of range", show(f, d, text));
		return;
	}
	if (!out)
		return;
	if (f->width & SCHEMA_W_OPT)
		*(struct opt_double *)out = (struct opt_double){ .set = true, .v = v };
	else
		*(double *)out = v;
}

static void read_bool(struct schema_ctx *c, const struct schema_field *f, const struct doc *d,
		      char *out)
{
	if (d->type != DOC_BOOL)
		fail_type(c, "true or false", d);
	else if (out && (f->width & SCHEMA_W_OPT))
		*(struct opt_bool *)out = (struct opt_bool){ .set = true, .v = doc_true(d) };
	else if (out)
		*(bool *)out = doc_true(d);
}

/* Borrows or copies the text; false after a failure. Without `out` only the NUL rule is checked. */
static bool store_str(struct schema_ctx *c, const struct doc *d, char *out)
{
	const char *s = d->s;

	/* DOC_CLEAN text needs no escape in JSON, so it holds no NUL either. */
	if (!(d->flags & (DOC_CSTR | DOC_CLEAN)) && d->n && memchr(d->s, '\0', d->n)) {
		schema_fail(c, "", "format", "must not hold a NUL byte");
		return false;
	}
	if (!out)
		return true;
	if (!(d->flags & DOC_CSTR))
		s = arena_strndup(c->a, d->n ? d->s : "", d->n);
	if (!s) {
		c->quota = true;
		return false;
	}
	*(const char **)out = s;
	return true;
}

static size_t utf8_length(struct slice s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

/* Characters of a string, entries of a list or map. */
static bool check_count(struct schema_ctx *c, const struct schema_field *f, size_t n,
			const char *what)
{
	if ((f->flags & SCHEMA_NONEMPTY) && n == 0) {
		schema_fail(c, "", "required", "must not be empty");
		return false;
	}
	if ((f->min || f->max) && ((int64_t)n < f->min || (int64_t)n > f->max)) {
		if (f->max == INT64_MAX)
			schema_fail(c, "", "range", "has %zu %s, at least %lld needed", n, what,
				    (long long)f->min);
		else
			schema_fail(c, "", "range", "has %zu %s, must be from %lld to %lld", n,
				    what, (long long)f->min, (long long)f->max);
		return false;
	}
	return true;
}

static bool check_format(struct schema_ctx *c, const struct schema_field *f, const struct doc *d)
{
	char text[64];

	if (!f->format || schema_format_ok(f->format, doc_slice(d)))
		return true;
	schema_fail(c, "", "format", "%s is not %s", show(f, d, text),
		    schema_format_help(f->format));
	return false;
}

static void read_str(struct schema_ctx *c, const struct schema_field *f, const struct doc *d,
		     char *out)
{
	if (d->type != DOC_STRING) {
		fail_type(c, "a string", d);
		return;
	}
	if (!check_count(c, f, f->min || f->max ? utf8_length(doc_slice(d)) : d->n, "characters"))
		return;
	/* "" stands for none in Go's structs, so formats do not look at it where nothing is needed.
	 */
	if ((d->n == 0 && f->name && !(f->flags & SCHEMA_REQUIRED)) || check_format(c, f, d))
		(void)store_str(c, d, out); /* it reports by itself */
}

static void read_enum(struct schema_ctx *c, const struct schema_field *f, const struct doc *d,
		      char *out)
{
	CLEANUP(buf_fini) struct buf list = BUF_INIT(256);
	char text[64];
	unsigned i;

	if (d->type != DOC_STRING) {
		fail_type(c, "a string", d);
		return;
	}
	for (i = 0; f->values[i]; i++)
		if (doc_str_is(d, f->values[i]))
			break;
	if (f->values[i]) {
		if (out && (f->width & SCHEMA_W_TEXT))
			*(const char **)out = f->values[i];
		else if (out)
			store_int(f, out, i + 1);
		return;
	}
	for (i = 0; f->values[i]; i++)
		(void)buf_addf(&list, "%s%s", i ? ", " : "", f->values[i]); /* a cut list is fine */
	schema_fail(c, "", "enum", "%s is not one of %s%s", show(f, d, text), buf_str(&list),
		    list.full ? "..." : "");
}

static void read_int_or_str(struct schema_ctx *c, const struct schema_field *f, const struct doc *d,
			    char *out)
{
	struct schema_field num = *f;
	struct int_or_str v = { .set = true };

	if (d->type == DOC_STRING) {
		if (d->n && !check_format(c, f, d))
			return;
		if (!store_str(c, d, out ? (char *)&v.s : NULL))
			return;
	} else if (d->type == DOC_NUMBER) {
		unsigned before = c->total;

		num.width = sizeof(int64_t);
		read_int(c, &num, d, (char *)&v.i);
		if (c->total != before)
			return;
	} else {
		fail_type(c, "an integer or a string", d);
		return;
	}
	if (out)
		*(struct int_or_str *)out = v;
}

static void read_quantity(struct schema_ctx *c, const struct schema_field *f, const struct doc *d,
			  char *out)
{
	char text[64];

	if (d->type != DOC_STRING && d->type != DOC_NUMBER) {
		fail_type(c, "a quantity", d);
	} else if (!schema_quantity_ok(slice_of(d->s, d->n))) {
		schema_fail(c, "", "format", "%s is no quantity such as 500m or 1.5Gi",
			    show(f, d, text));
	} else if (out) {
		*(char **)out = arena_strndup(c->a, d->s, d->n);
		c->quota |= !*(char **)out;
	}
}

static void read_time(struct schema_ctx *c, const struct doc *d, char *out)
{
	struct err why = ERR_INIT;
	struct schema_time t;

	if (d->type != DOC_STRING)
		fail_type(c, "a string", d);
	else if (schema_parse_time(doc_slice(d), &t, &why) < 0)
		schema_fail(c, "", "format", "%s", why.msg);
	else if (out)
		*(struct schema_time *)out = t;
}

static void read_bytes(struct schema_ctx *c, const struct doc *d, char *out)
{
	ssize_t n;
	char *p;

	if (d->type != DOC_STRING) {
		fail_type(c, "a base64 string", d);
		return;
	}
	p = arena_alloc_raw(c->a, d->n / 4 * 3 + 1, 1);
	if (!p) {
		c->quota = true;
		return;
	}
	n = schema_base64_decode(doc_slice(d), p);
	if (n < 0)
		schema_fail(c, "", "format", "is no base64 text with padding");
	else if (out)
		*(struct slice *)out = slice_of(p, (size_t)n);
}

/* --- lists and maps
 * ------------------------------------------------------------------------------- */

/* An element to be sorted: qsort has no argument for its comparison, so `keys` travels along. */
struct entry {
	const struct doc *d;
	const char *keys;
	uint32_t index;
};

static int compare_scalars(const struct doc *a, const struct doc *b)
{
	if (!a || !b || a->type != b->type)
		return (a ? a->type + 1 : 0) - (b ? b->type + 1 : 0);
	if (a->type == DOC_NUMBER)
		return doc_number_cmp(a, b);
	if (a->type != DOC_STRING)
		return a->n < b->n ? -1 : a->n > b->n;
	return slice_cmp(doc_slice(a), doc_slice(b));
}

static int compare_keys(const struct entry *x, const struct entry *y)
{
	struct slice keys = slice_str(x->keys);
	int r;

	if (!keys.p)
		return compare_scalars(x->d, y->d);
	while (keys.p) {
		struct slice key = slice_split(&keys, ' ');

		r = compare_scalars(doc_getn(x->d, key), doc_getn(y->d, key));
		if (r)
			return r;
	}
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int r = compare_keys(x, y);

	return r ? r : x->index < y->index ? -1 : 1;
}

/* No two equal elements in a set, no two with equal keys in a list of type map. */
static void check_duplicates(struct schema_ctx *c, const struct schema_field *f,
			     const struct doc *d)
{
	const char *keys = f->list == SCHEMA_LIST_MAP ? f->list_keys : NULL;
	struct entry *e;
	size_t n = 0;

	if (f->list == SCHEMA_LIST_ATOMIC || d->n < 2 || (f->list == SCHEMA_LIST_MAP && !keys))
		return;
	e = ARENA_ARRAY(c->a, struct entry, d->n);
	if (!e) {
		c->quota = true;
		return;
	}
	for (uint32_t i = 0; i < d->n; i++)
		if (keys ? doc_is(doc_at(d, i), DOC_OBJECT) : doc_at(d, i)->type < DOC_ARRAY)
			e[n++] = (struct entry){ doc_at(d, i), keys, i };
	qsort(e, n, sizeof(*e), compare_entries);
	for (size_t i = 1; i < n; i++) {
		struct schema_step step = { .up = c->at, .index = e[i].index };

		if (compare_keys(&e[i - 1], &e[i]) != 0)
			continue;
		c->at = &step;
		if (keys)
			schema_fail(c, "", "duplicate", "another entry has the same %s", keys);
		else
			schema_fail(c, "", "duplicate", "the value is in the list already");
		c->at = step.up;
	}
}

/* null as an element: the zero value, as in Go. Strings become "", so that nobody meets a NULL. */
static void read_element(struct schema_ctx *c, const struct schema_field *f, const struct doc *d,
			 char *out)
{
	if (d->type != DOC_NULL || f->type == SCHEMA_ANY) {
		read_value(c, f, d, out);
	} else if (f->type == SCHEMA_STRING || f->type == SCHEMA_QUANTITY ||
		   (f->type == SCHEMA_ENUM && (f->width & SCHEMA_W_TEXT))) {
		if (out)
			*(const char **)out = "";
	} else if (f->type == SCHEMA_OBJECT) {
		read_defaults(c, f->sub, out);
	}
}

static void read_list(struct schema_ctx *c, const struct schema_field *f, const struct doc *d,
		      char *out)
{
	struct schema_step step = { .up = c->at };
	struct schema_field room;
	const struct schema_field *e = schema_elem(f, &room);
	size_t size = out ? schema_value_size(e) : 0;
	char *v = NULL;

	if (d->type != DOC_ARRAY) {
		fail_type(c, "a list", d);
		return;
	}
	if (!check_count(c, f, d->n, "entries"))
		return;
	check_duplicates(c, f, d);
	if (out) {
		v = arena_alloc_array(c->a, d->n, size);
		if (!v) {
			c->quota = true;
			return;
		}
		*(struct slice *)out = (struct slice){ v, d->n };
	}
	c->at = &step;
	for (uint32_t i = 0; i < d->n && !c->quota; i++) {
		step.index = i;
		read_element(c, e, doc_at(d, i), v ? v + i * size : NULL);
	}
	c->at = step.up;
}

static void read_map(struct schema_ctx *c, const struct schema_field *f, const struct doc *d,
		     char *out)
{
	struct schema_step step = { .up = c->at, .key = true };
	struct schema_field room;
	const struct schema_field *e = schema_elem(f, &room);
	size_t size = out ? schema_entry_size(e) : 0;
	char *v = NULL;

	if (d->type != DOC_OBJECT) {
		fail_type(c, "an object", d);
		return;
	}
	if (!check_count(c, f, d->n, "entries"))
		return;
	if (out) {
		v = arena_alloc_array(c->a, d->n, size);
		if (!v) {
			c->quota = true;
			return;
		}
		*(struct slice *)out = (struct slice){ v, d->n };
	}
	c->at = &step;
	for (uint32_t i = 0; i < d->n && !c->quota; i++) {
		const struct doc *key = doc_key_at(d, i);
		char *entry = v ? v + i * size : NULL;

		step.name = key->n ? doc_slice(key) : SLICE("");
		if (f->key_format && !schema_format_ok(f->key_format, doc_slice(key)))
			schema_fail(c, "", "format", "the key is not %s",
				    schema_format_help(f->key_format));
		if (store_str(c, key, entry))
			read_element(c, e, doc_value_at(d, i),
				     entry ? entry + sizeof(char *) : NULL);
	}
	c->at = step.up;
}

/* --- objects
 * -------------------------------------------------------------------------------------- */

static void read_pointer(struct schema_ctx *c, const struct schema_field *f, const struct doc *d,
			 char *out)
{
	char *obj = NULL;

	if (out && !(f->flags & SCHEMA_INLINE)) {
		obj = arena_alloc(c->a, f->sub->size);
		if (!obj) {
			c->quota = true;
			return;
		}
		*(char **)out = obj;
	}
	read_object(c, f, f->sub, d, f->flags & SCHEMA_INLINE ? out : obj);
}

static void read_value(struct schema_ctx *c, const struct schema_field *f, const struct doc *d,
		       char *out)
{
	unsigned before = c->total;

	switch ((enum schema_type)f->type) {
	case SCHEMA_ANY:
		if (out)
			*(const struct doc **)out = d;
		break;
	case SCHEMA_BOOL: read_bool(c, f, d, out); break;
	case SCHEMA_INT: read_int(c, f, d, out); break;
	case SCHEMA_DOUBLE: read_double(c, f, d, out); break;
	case SCHEMA_STRING: read_str(c, f, d, out); break;
	case SCHEMA_ENUM: read_enum(c, f, d, out); break;
	case SCHEMA_OBJECT: read_pointer(c, f, d, out); break;
	case SCHEMA_LIST: read_list(c, f, d, out); return;
	case SCHEMA_MAP: read_map(c, f, d, out); return;
	case SCHEMA_INT_OR_STR: read_int_or_str(c, f, d, out); break;
	case SCHEMA_QUANTITY: read_quantity(c, f, d, out); break;
	case SCHEMA_TIME: read_time(c, d, out); break;
	case SCHEMA_BYTES: read_bytes(c, d, out); break;
	}
	if (f->check && c->total == before && !c->quota) {
		struct err why = ERR_INIT;

		if (f->check(d, &why) < 0)
			schema_fail(c, "", "value", "%s", why.msg);
	}
}

static void read_unknown(struct schema_ctx *c, const struct schema *s, const struct schema_field *f,
			 struct doc *member, char *out)
{
	struct schema_step step = { .up = c->at, .name = doc_slice(member), .key = true };
	enum schema_unknown what = s->unknown;
	struct doc **rest;

	if (f && (f->flags & SCHEMA_PRESERVE))
		what = SCHEMA_UNKNOWN_PRESERVE;
	else if (c->o->strict && what != SCHEMA_UNKNOWN_PRESERVE)
		what = SCHEMA_UNKNOWN_ERROR;

	if (what == SCHEMA_UNKNOWN_PRESERVE && out && s->rest) {
		rest = (struct doc **)(out + s->rest - 1);
		if (!*rest)
			*rest = doc_new_object(c->a);
		if (!doc_add_node(c->a, *rest, member[0], member[1]))
			c->quota = true;
		return;
	}
	c->at = &step;
	if (!step.name.p)
		step.name = SLICE("");
	if (what == SCHEMA_UNKNOWN_ERROR) {
		schema_fail(c, "", "unknown", "unknown field");
	} else if (what == SCHEMA_UNKNOWN_WARN && c->o->warn) {
		const char *path = schema_path(c, "");

		if (path)
			c->o->warn(c->o->warn_arg, path, "unknown field");
		c->quota |= !path;
	}
	c->at = step.up;
}

/* A row that the document does not name: its default, or the requirement. */
static void read_absent(struct schema_ctx *c, const struct schema_field *f, char *out)
{
	if (f->def && !c->o->no_defaults) {
		const struct doc *v = out ? schema_default_value(c->a, f) : NULL;

		if (v)
			read_value(c, f, v, out + f->offset);
		c->quota |= out && !v;
	} else if (f->flags & SCHEMA_REQUIRED) {
		schema_fail(c, "", "required", "is required");
	} else if (f->type == SCHEMA_OBJECT && (f->flags & SCHEMA_INLINE)) {
		read_defaults(c, f->sub, out ? out + f->offset : NULL);
	}
}

/* An object in place that is not there: its defaults only, it need not be complete. */
static void read_defaults(struct schema_ctx *c, const struct schema *s, char *out)
{
	for (unsigned i = 0; i < s->n && out && !c->quota; i++) {
		struct schema_field row = s->fields[i];

		row.flags &= (uint16_t)~SCHEMA_REQUIRED;
		read_absent(c, &row, out);
	}
}

static void read_member(struct schema_ctx *c, const struct schema_field *f, const struct doc *value,
			char *out)
{
	if ((f->flags & SCHEMA_DEPRECATED) && c->o->warn) {
		const char *path = schema_path(c, "");

		if (path)
			c->o->warn(c->o->warn_arg, path, "deprecated field");
		c->quota |= !path;
	}
	if (out && f->has)
		*(bool *)(out + f->has - 1) = true;
	read_value(c, f, value, out ? out + f->offset : NULL);
}

/* `f` is the row that led here, NULL at the top. */
static void read_object(struct schema_ctx *c, const struct schema_field *f, const struct schema *s,
			const struct doc *d, char *out)
{
	uint64_t seen[ROWS_MAX / 64] = { 0 };
	struct schema_step step = { .up = c->at };
	unsigned before = c->total, i = 0;

	if (d->type != DOC_OBJECT) {
		fail_type(c, "an object", d);
		return;
	}
	if (++c->depth > SCHEMA_DEPTH_MAX) {
		schema_fail(c, "", "range", "more than %d objects inside one another",
			    SCHEMA_DEPTH_MAX);
		c->depth--;
		return;
	}
	if (f && (f->flags & SCHEMA_NONEMPTY) && d->n == 0)
		schema_fail(c, "", "required", "must not be empty");
	DOC_EACH_MEMBER (key, value, d) {
		const struct schema_field *row = schema_find(s, doc_slice(key), i, c->o->icase);

		if (c->quota)
			break;
		if (!row) {
			read_unknown(c, s, f, key, out);
			continue;
		}
		i = (unsigned)(row - s->fields);
		if (value->type != DOC_NULL || (row->flags & SCHEMA_NULLABLE))
			seen[i / 64] |= 1ULL << i % 64;
		i++;
		if (value->type == DOC_NULL)
			continue;
		step.name = slice_of(row->name, row->len);
		c->at = &step;
		read_member(c, row, value, out);
		c->at = step.up;
	}
	for (i = 0; i < s->n && !c->quota; i++) {
		if (seen[i / 64] >> i % 64 & 1)
			continue;
		step.name = slice_of(s->fields[i].name, s->fields[i].len);
		c->at = &step;
		read_absent(c, &s->fields[i], out);
		c->at = step.up;
	}
	if (s->check && c->total == before && !c->quota)
		s->check(c, out, d);
	c->depth--;
}

static int read_top(const struct schema *s, const struct doc *d, struct schema_ctx *c, char *out,
		    struct err *err)
{
	static const struct doc nothing = { .type = DOC_NULL };

	read_object(c, NULL, s, d ? d : &nothing, out);
	return schema_ctx_result(c, s, err);
}

int schema_decode(const struct schema *s, const struct doc *d, struct arena *a, void *out,
		  const struct schema_opts *opts, struct err *err)
{
	struct schema_ctx c;

	schema_ctx_init(&c, a, opts);
	memset(out, 0, s->size);
	return read_top(s, d, &c, out, err);
}

int schema_validate(const struct schema *s, const struct doc *d, struct arena *a,
		    const struct schema_opts *opts, struct err *err)
{
	struct schema_ctx c;

	schema_ctx_init(&c, a, opts);
	return read_top(s, d, &c, NULL, err);
}
