/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk over the object, row by row of its table. The C stack is bounded by DEPTH_MAX levels of
 * objects, lists and maps.
 */
#include "api/object.h"

#include "api/custom.h"
#include "api/defaults.h"
#include "api/quantity.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX 192
#define ROWS_MAX 256

/* One step of the path; steps live on the C stack. */
struct step {
	const struct step *up;
	struct slice name; /* {NULL,0}: `index` counts */
	size_t index;
};

struct admit {
	struct arena *a;
	unsigned flags, depth;
	struct api_strays *strays;
	const struct step *at;
	const struct api_type *in; /* the object that the value at hand is in */
	struct err *err;
};

static int admit_object(struct admit *x, const struct api_type *t, const struct doc *d,
			struct doc *ret);
static int admit_value(struct admit *x, const struct schema_field *f, enum schema_type type,
		       const struct api_note *n, const struct doc *d, struct doc *ret);

/* ---- paths and failures ---- */

static void path_of(const struct step *s, bool indexes, struct buf *out)
{
	if (!s)
		return;
	path_of(s->up, indexes, out);
	if (!s->name.p) {
		if (indexes)
			(void)buf_addf(out, "[%zu]", s->index);
		return;
	}
	if (out->n)
		(void)buf_addc(out, '.');
	(void)buf_add(out, s->name.p, s->name.n);
}

void api_stray(struct api_strays *s, struct arena *a, const char *what, const char *path)
{
	size_t n = strlen(what) + strlen(path) + 10;
	char *text;

	if (s->n++ >= API_STRAYS_MAX)
		return;
	text = arena_alloc_raw(a, n, 1);
	if (text)
		(void)snprintf(text, n, "%s field \"%s\"", what, path);
	s->v[s->n - 1] = text ? text : "";
}

static void stray(struct admit *x, struct slice key)
{
	struct step step = { x->at, key, 0 };
	CLEANUP(buf_fini) struct buf path = BUF_INIT(4096);

	if (!x->strays)
		return;
	path_of(&step, true, &path);
	api_stray(x->strays, x->a, "unknown", path.n ? path.p : "");
}

static int full(struct admit *x)
{
	return err_set(x->err, ERR_QUOTA, "the object does not fit its memory");
}

/* Go's name of what a row holds. */
static void go_type(const struct schema_field *f, enum schema_type type, const struct api_note *n,
		    struct buf *out)
{
	const struct schema_field *e = f->elem_row ? f->elem : f;

	switch (type) {
	case SCHEMA_BOOL: (void)buf_adds(out, "bool"); break;
	case SCHEMA_INT:
		(void)buf_adds(out, (f->width & SCHEMA_W_SIZE) <= 4 ? "int32" : "int64");
		break;
	case SCHEMA_DOUBLE: (void)buf_adds(out, "float64"); break;
	case SCHEMA_BYTES: (void)buf_adds(out, "[]uint8"); break;
	case SCHEMA_OBJECT:
		(void)buf_addf(out, "%s.%s", n->type->group->version, n->type->schema.name);
		break;
	case SCHEMA_LIST:
	case SCHEMA_MAP:
		(void)buf_adds(out, type == SCHEMA_LIST ? "[]" : "map[string]");
		go_type(e, (enum schema_type)(f->elem_row ? e->type : f->elem_type), n, out);
		break;
	default: (void)buf_adds(out, "string"); break;
	}
}

static int mismatch(struct admit *x, const struct schema_field *f, enum schema_type type,
		    const struct api_note *n, const struct doc *d)
{
	static const char *const names[] = {
		"null", "bool", "number", "string", "array", "object"
	};
	CLEANUP(buf_fini) struct buf path = BUF_INIT(4096), go = BUF_INIT(512);
	bool whole = d->type == DOC_NUMBER && type == SCHEMA_INT;

	path_of(x->at, false, &path);
	go_type(f, type, n, &go);
	return err_set(x->err, ERR_BAD_REQUEST,
		       "json: cannot unmarshal %s%s%.*s into Go struct field %s.%s of type %s",
		       names[d->type], whole ? " " : "", whole ? (int)MIN(d->n, 64u) : 0,
		       whole ? d->s : "", x->in->schema.name, path.n ? path.p : "",
		       go.n ? go.p : "");
}

/* ---- scalars ---- */

static int put_text(struct admit *x, const char *p, size_t n, struct doc *ret)
{
	char *copy = arena_strndup(x->a, p, n);

	if (!copy)
		return full(x);
	*ret = doc_borrow(copy, n);
	return 0;
}

static int admit_int(struct admit *x, const struct schema_field *f, const struct api_note *n,
		     const struct doc *d, struct doc *ret)
{
	bool narrow = (f->width & SCHEMA_W_SIZE) <= 4;
	int64_t v;

	if (!doc_is(d, DOC_NUMBER) || !(d->flags & DOC_INT) || doc_int64(d, &v) != 0 ||
	    (narrow && (v < INT32_MIN || v > INT32_MAX)))
		return mismatch(x, f, SCHEMA_INT, n, d);
	*ret = v == 0 ? doc_int(x->a, 0) : *d;
	return 0;
}

static int admit_quantity(struct admit *x, const struct doc *d, struct doc *ret)
{
	struct slice s = slice_of(d->s, d->n);
	char text[QUANTITY_TEXT_MAX];
	struct quantity q;
	unsigned n;

	if ((d->type != DOC_STRING && d->type != DOC_NUMBER) || !quantity_parse(s, &q))
		return err_set(x->err, ERR_BAD_REQUEST,
			       "quantities must match the regular expression "
			       "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
	n = quantity_print(&q, text);
	if (n == s.n && memcmp(text, s.p, n) == 0) {
		*ret = *d;
		ret->type = DOC_STRING;
		ret->flags =
			(uint8_t)(DOC_CLEAN | (d->type == DOC_STRING ? d->flags & DOC_CSTR : 0));
		return 0;
	}
	return put_text(x, text, n, ret);
}

static int admit_time(struct admit *x, const struct schema_field *f, const struct doc *d,
		      struct doc *ret)
{
	bool micro = f->format == FORMAT_MICRO_TIME;
	struct err why = ERR_INIT;
	struct schema_time t;
	char text[40], out[48];
	int n;

	if (!doc_is(d, DOC_STRING) || schema_parse_time(doc_slice(d), &t, &why) < 0)
		return err_set(x->err, ERR_BAD_REQUEST,
			       "parsing time \"%.*s\" as \"2006-01-02T15:04:05%sZ07:00\": %s",
			       d->type == DOC_STRING ? (int)MIN(d->n, 64u) : 0,
			       d->type == DOC_STRING ? d->s : "", micro ? ".000000" : "",
			       why.msg[0] ? why.msg : "not a text");
	if (micro)
		t.nsec -= t.nsec % 1000;
	else
		t.nsec = 0;
	schema_format_time(&t, text);
	if (!micro)
		return put_text(x, text, strlen(text), ret);
	n = snprintf(out, sizeof(out), "%.19s.%06uZ", text, t.nsec / 1000);
	return put_text(x, out, (size_t)n, ret);
}

/* Go's form of a span: "1h0m0s", "1.5s", "0s". */
static int print_duration(int64_t ns, char *dst, size_t room)
{
	uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns, s = u / 1000000000,
		 rest = u % 1000000000;
	const char *sign = ns < 0 ? "-" : "";
	char part[24] = "";
	int n;

	if (u == 0)
		return snprintf(dst, room, "0s");
	if (u < 1000000000) {
		static const struct {
			uint64_t size;
			const char *name;
		} units[] = { { 1000000, "ms" }, { 1000, "\xc2\xb5s" }, { 1, "ns" } };
		unsigned i = u >= 1000000 ? 0 : u >= 1000 ? 1 : 2;

		n = snprintf(part, sizeof(part), "%06llu",
			     (unsigned long long)(u % units[i].size) * (i == 0	 ? 1
									: i == 1 ? 1000
										 : 0));
		while (n > 0 && part[n - 1] == '0')
			part[--n] = '\0';
		return snprintf(dst, room, "%s%llu%s%s%s", sign,
				(unsigned long long)(u / units[i].size), n ? "." : "", part,
				units[i].name);
	}
	if (rest) {
		n = snprintf(part, sizeof(part), ".%09llu", (unsigned long long)rest);
		while (part[n - 1] == '0')
			part[--n] = '\0';
	}
	n = snprintf(dst, room, "%s", sign);
	if (s >= 3600)
		n += snprintf(dst + n, room - (size_t)n, "%lluh", (unsigned long long)(s / 3600));
	if (s >= 60)
		n += snprintf(dst + n, room - (size_t)n, "%llum",
			      (unsigned long long)(s / 60 % 60));
	return n +
	       snprintf(dst + n, room - (size_t)n, "%llu%ss", (unsigned long long)(s % 60), part);
}

static int admit_string(struct admit *x, const struct schema_field *f, const struct api_note *n,
			const struct doc *d, struct doc *ret)
{
	char text[64];
	int64_t ns;
	int len;

	if (!doc_is(d, DOC_STRING))
		return mismatch(x, f, SCHEMA_STRING, n, d);
	*ret = *d;
	if (f->type != SCHEMA_STRING || f->format != FORMAT_DURATION ||
	    (f->wire & SCHEMA_PB_KIND) != SCHEMA_PB_MESSAGE)
		return 0;
	if (schema_parse_duration(doc_slice(d), &ns, NULL) < 0)
		return err_set(x->err, ERR_BAD_REQUEST, "time: invalid duration \"%.*s\"",
			       (int)MIN(d->n, 64u), d->s);
	len = print_duration(ns, text, sizeof(text));
	return put_text(x, text, (size_t)len, ret);
}

static int admit_bytes(struct admit *x, const struct schema_field *f, const struct api_note *n,
		       const struct doc *d, struct doc *ret)
{
	if (!doc_is(d, DOC_STRING))
		return mismatch(x, f, SCHEMA_BYTES, n, d);
	*ret = *d;
	for (size_t i = 0, padding = 0; i < d->n; i++) {
		char c = d->s[i];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			      (c >= '0' && c <= '9') || c == '+' || c == '/';

		padding += c == '=';
		if ((!letter && c != '=') || (letter && padding) || padding > 2 ||
		    (i + 1 == d->n && d->n % 4))
			return err_set(x->err, ERR_BAD_REQUEST,
				       "illegal base64 data at input byte %zu", i);
	}
	return 0;
}

/* ---- JSON of any kind ---- */

/* A schema where something else may stand: it is admitted as one. */
static int admit_or(struct admit *x, const struct schema_field *f, const struct api_note *n,
		    const struct doc *d, struct doc *ret)
{
	static const struct schema_field list = { .type = SCHEMA_LIST, .elem_type = SCHEMA_OBJECT };
	static const struct schema_field strings = { .type = SCHEMA_LIST,
						     .elem_type = SCHEMA_STRING };

	if (d->type == DOC_OBJECT)
		return admit_object(x, n->type, d, ret);
	if (d->type == DOC_BOOL && n->word == API_OR_BOOL) {
		*ret = *d;
		return 0;
	}
	if (d->type == DOC_ARRAY && n->word != API_OR_BOOL)
		return admit_value(x, n->word == API_OR_ARRAY ? &list : &strings, SCHEMA_LIST, n, d,
				   ret);
	return mismatch(x, f, SCHEMA_OBJECT, n, d);
}

/* ---- lists and maps ---- */

/* What Go has where a value was null, in the form that it is written in. */
static int zero_of(struct admit *x, enum schema_type type, const struct api_note *n,
		   struct doc *ret)
{
	static const struct doc nothing = { .type = DOC_OBJECT };

	switch (type) {
	case SCHEMA_OBJECT: return admit_object(x, n->type, &nothing, ret);
	case SCHEMA_BOOL: *ret = doc_bool(false); return 0;
	case SCHEMA_INT:
	case SCHEMA_DOUBLE:
	case SCHEMA_INT_OR_STR: *ret = doc_int(x->a, 0); return 0;
	case SCHEMA_QUANTITY: *ret = DOC_LIT("0"); return 0;
	case SCHEMA_TIME: *ret = doc_null(); return 0;
	case SCHEMA_LIST: *ret = doc_array(); return 0;
	case SCHEMA_MAP: *ret = doc_object(); return 0;
	default: *ret = DOC_LIT(""); return 0;
	}
}

static int admit_element(struct admit *x, const struct schema_field *f, const struct api_note *n,
			 const struct doc *d, struct doc *ret)
{
	const struct schema_field *e = f->elem_row ? f->elem : f;
	enum schema_type type = (enum schema_type)(f->elem_row ? e->type : f->elem_type);

	if (d->type != DOC_NULL)
		return admit_value(x, e, type, n, d, ret);
	*ret = *d;
	return type == SCHEMA_ANY || (x->flags & API_PARTIAL) ? 0 : zero_of(x, type, n, ret);
}

static int admit_list(struct admit *x, const struct schema_field *f, const struct api_note *n,
		      const struct doc *d, struct doc *ret)
{
	struct step step = { x->at, { NULL, 0 }, 0 };
	struct doc *kids;
	int r = 0;

	if (!doc_is(d, DOC_ARRAY))
		return mismatch(x, f, SCHEMA_LIST, n, d);
	kids = arena_alloc_raw(x->a, d->n * sizeof(*kids), 16);
	if (!kids)
		return full(x);
	x->at = &step;
	for (; step.index < d->n && r == 0; step.index++)
		r = admit_element(x, f, n, doc_at(d, step.index), &kids[step.index]);
	x->at = step.up;
	*ret = (struct doc){ .type = DOC_ARRAY, .n = d->n, .kids = kids };
	return r;
}

static int by_key(const void *x, const void *y)
{
	const struct doc *a = x, *b = y;

	return slice_cmp(doc_slice(a), doc_slice(b));
}

/* Most come so: they are only looked at. */
void api_sort_map(struct doc *map)
{
	for (size_t i = 1; i < map->n; i++)
		if (by_key(&map->kids[2 * i - 2], &map->kids[2 * i]) > 0) {
			qsort(map->kids, map->n, 2 * sizeof(*map->kids), by_key);
			return;
		}
}

static int admit_map(struct admit *x, const struct schema_field *f, const struct api_note *n,
		     const struct doc *d, struct doc *ret)
{
	struct doc *kids;
	int r = 0;

	if (!doc_is(d, DOC_OBJECT))
		return mismatch(x, f, SCHEMA_MAP, n, d);
	kids = arena_alloc_raw(x->a, 2 * (size_t)d->n * sizeof(*kids), 16);
	if (!kids)
		return full(x);
	for (uint32_t i = 0; i < d->n && r == 0; i++) {
		const struct doc *key = doc_key_at(d, i);
		struct step step = { x->at, slice_of(key->s, key->n), 0 };

		kids[2 * i] = *key;
		x->at = &step;
		r = admit_element(x, f, n, doc_value_at(d, i), &kids[2 * i + 1]);
		x->at = step.up;
	}
	*ret = (struct doc){ .type = DOC_OBJECT, .n = d->n, .kids = kids };
	if (r == 0 && !(x->flags & API_PARTIAL))
		api_sort_map(ret);
	return r;
}

/* ---- one value ---- */

static int admit_value(struct admit *x, const struct schema_field *f, enum schema_type type,
		       const struct api_note *n, const struct doc *d, struct doc *ret)
{
	int r;

	if (++x->depth > DEPTH_MAX)
		return err_set(x->err, ERR_BAD_REQUEST, "exceeded max depth");
	*ret = *d;
	switch (type) {
	case SCHEMA_BOOL: r = doc_is(d, DOC_BOOL) ? 0 : mismatch(x, f, type, n, d); break;
	case SCHEMA_INT: r = admit_int(x, f, n, d, ret); break;
	case SCHEMA_DOUBLE: r = doc_is(d, DOC_NUMBER) ? 0 : mismatch(x, f, type, n, d); break;
	case SCHEMA_STRING:
	case SCHEMA_ENUM: r = admit_string(x, f, n, d, ret); break;
	case SCHEMA_BYTES: r = admit_bytes(x, f, n, d, ret); break;
	case SCHEMA_TIME: r = admit_time(x, f, d, ret); break;
	case SCHEMA_QUANTITY: r = admit_quantity(x, d, ret); break;
	case SCHEMA_INT_OR_STR:
		r = d->type == DOC_STRING
			    ? 0
			    : admit_int(x, &(struct schema_field){ .width = 4 }, n, d, ret);
		break;
	case SCHEMA_ANY: r = n->word >= API_OR_BOOL ? admit_or(x, f, n, d, ret) : 0; break;
	case SCHEMA_OBJECT: r = admit_object(x, n->type, d, ret); break;
	case SCHEMA_LIST: r = admit_list(x, f, n, d, ret); break;
	case SCHEMA_MAP: r = admit_map(x, f, n, d, ret); break;
	default: r = 0; break;
	}
	x->depth--;
	return r;
}

/* ---- objects ---- */

static bool is_zero(const struct doc *d)
{
	switch (d->type) {
	case DOC_NULL: return true;
	case DOC_NUMBER: return d->n == 1 && d->s[0] == '0';
	default: return d->n == 0;
	}
}

/* Is the value left out, as Go's omitempty and omitzero have it? */
static bool is_left_out(const struct admit *x, const struct schema_field *f,
			const struct api_note *n, const struct doc *d)
{
	if ((x->flags & API_PARTIAL) || (n->flags & API_POINTER) ||
	    (f->flags & (SCHEMA_EMIT | SCHEMA_EMIT_NULL)) || f->type == SCHEMA_ANY)
		return false;
	if (f->type == SCHEMA_OBJECT)
		return (n->flags & API_OMIT_ZERO) && d->n == 0;
	return is_zero(d);
}

/* What is written for a row that is absent; false: nothing. */
static int absent(struct admit *x, const struct schema_field *f, const struct api_note *n,
		  struct doc *ret, bool *has)
{
	struct doc *def;

	*has = true;
	if (f->def && !(x->flags & API_NO_DEFAULTS)) {
		def = schema_default_value(x->a, f);
		if (!def)
			return full(x);
		*ret = *def;
		*has = !is_left_out(x, f, n, ret); /* some are the zero that is not written */
		return 0;
	}
	*ret = doc_null();
	if (f->flags & SCHEMA_EMIT_NULL)
		return 0;
	*has = f->flags & SCHEMA_EMIT;
	return *has ? zero_of(x, (enum schema_type)f->type, n, ret) : 0;
}

static int admit_row(struct admit *x, const struct schema_field *f, const struct api_note *n,
		     const struct doc *d, struct doc *ret, bool *has)
{
	struct step step = { x->at, slice_of(f->name, f->len), 0 };
	int r = 0;

	*has = false;
	x->at = &step;
	if (d && d->type == DOC_NULL && (x->flags & API_PARTIAL)) {
		*ret = *d;
		*has = true;
	} else if (d && d->type != DOC_NULL) {
		r = admit_value(x, f, (enum schema_type)f->type, n, d, ret);
		*has = r == 0 && !is_left_out(x, f, n, ret);
		/* a zero that is no pointer's is absent to what sets defaults */
		if (r == 0 && f->def && !(n->flags & API_POINTER) && is_zero(ret))
			*has = false;
	}
	if (r == 0 && !*has && !(x->flags & API_PARTIAL))
		r = absent(x, f, n, ret, has);
	x->at = step.up;
	return r;
}

static int collect(struct admit *x, const struct api_type *t, const struct doc *d,
		   const struct doc **slots)
{
	memset(slots, 0, t->schema.n * sizeof(*slots));
	for (uint32_t i = 0; i < d->n; i++) {
		const struct doc *key = doc_key_at(d, i);
		const struct schema_field *f =
			schema_find(&t->schema, slice_of(key->s, key->n), i, false);

		if (f)
			slots[f - t->schema.fields] = doc_value_at(d, i);
		else
			stray(x, slice_of(key->s, key->n));
	}
	return 0;
}

static int admit_object(struct admit *x, const struct api_type *t, const struct doc *d,
			struct doc *ret)
{
	const struct doc *slots[ROWS_MAX];
	const struct api_type *outer = x->in;
	struct doc *kids;
	uint32_t n = 0;
	bool has;
	int r;

	if (!doc_is(d, DOC_OBJECT))
		return mismatch(x, &(struct schema_field){ .type = SCHEMA_OBJECT }, SCHEMA_OBJECT,
				&(struct api_note){ .type = t }, d);
	if (++x->depth > DEPTH_MAX)
		return err_set(x->err, ERR_BAD_REQUEST, "exceeded max depth");
	kids = arena_alloc_raw(x->a, 2 * (size_t)t->schema.n * sizeof(*kids), 16);
	if (!kids)
		return full(x);
	x->in = t;
	r = collect(x, t, d, slots);
	for (unsigned i = 0; i < t->schema.n && r == 0; i++) {
		const struct schema_field *f = &t->schema.fields[i];

		r = admit_row(x, f, &t->notes[i], slots[i], &kids[2 * n + 1], &has);
		if (r != 0 || !has)
			continue;
		kids[2 * n] = (struct doc){
			.type = DOC_STRING, .flags = DOC_CLEAN | DOC_CSTR, .n = f->len, .s = f->name
		};
		n++;
	}
	x->in = outer;
	x->depth--;
	*ret = (struct doc){ .type = DOC_OBJECT, .n = n, .kids = kids };
	if (r == 0 && t->fix && !(x->flags & (API_PARTIAL | API_NO_DEFAULTS))) {
		api_defaults_run(t, ret, x->a);
		r = arena_exceeded(x->a) ? full(x) : 0;
	}
	return r;
}

int api_admit(const struct api_type *t, const struct doc *d, struct arena *a, unsigned flags,
	      struct api_strays *strays, struct doc *ret, struct err *err)
{
	struct admit x = { .a = a, .flags = flags, .strays = strays, .in = t, .err = err };

	if (t->custom)
		return custom_admit(t, d, a, flags, strays, ret, err);
	return admit_object(&x, t, d, ret);
}
