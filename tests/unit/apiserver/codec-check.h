/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the codec share: the tables, items that are text and no more, with the forms
 * that were kept, and objects of any kind made of its table.
 */
#pragma once

#include "../doc/doc-check.h"

#include "api/api.h"
#include "apiserver/objects/codec.h"

#include <stdio.h>

/* ---- items: those of the cache are not linked ---- */

struct item {
	struct slice key, json;
	int64_t revision;
	uint32_t form_id;
	char *form;
	size_t form_n;
	unsigned kept, found;
};

struct slice item_key(const struct item *i)
{
	return i->key;
}
int64_t item_revision(const struct item *i)
{
	return i->revision;
}
struct slice item_json(const struct item *i)
{
	return i->json;
}
struct slice item_tail(const struct item *i)
{
	const char *at = memmem(i->json.p, i->json.n, "\"metadata\":", 11);

	assert_non_null(at);
	return slice_of(at, (size_t)(i->json.p + i->json.n - at));
}
struct slice item_form(struct world *w, struct item *i, uint32_t id)
{
	assert_non_null(w);
	if (i->form_id != id)
		return (struct slice){ NULL, 0 };
	i->found++;
	return slice_of(i->form, i->form_n);
}
struct slice item_keep_form(struct world *w, struct item *i, uint32_t id, struct slice bytes)
{
	assert_non_null(w);
	free(i->form);
	i->form = malloc(bytes.n + 1);
	assert_non_null(i->form);
	memcpy(i->form, bytes.p, bytes.n);
	i->form_id = id;
	i->form_n = bytes.n;
	i->kept++;
	return slice_of(i->form, i->form_n);
}
static inline void item_drop(struct item *i)
{
	free(i->form);
	i->form = NULL;
	i->form_id = 0;
}
DEFINE_CLEANUP_EMBEDDED(struct item, item_drop)

static inline struct item item_of(const char *key, int64_t revision, const char *json)
{
	return (struct item){ .key = slice_str(key),
			      .json = slice_str(json),
			      .revision = revision };
}

/* ---- the tables ---- */

static inline struct api *load(struct arena *a)
{
	struct api *api = ARENA_NEW(a, struct api);
	struct err err = ERR_INIT;

	assert_non_null(api);
	assert_int_equal(api_load(a, api, &err), 0);
	return api;
}

static inline void api_fini_p(struct api *api)
{
	api_fini(api);
}
DEFINE_CLEANUP(struct api *, api_fini_p)

/* A resource that is served as it is stored, or in another version. */
struct served {
	struct resource resource;
	struct collection objects;
};
static inline struct resource *serve(struct arena *a, const struct api *api, const char *gv,
				     const char *kind, const char *stored)
{
	struct served *s = ARENA_NEW(a, struct served);

	assert_non_null(s);
	s->resource.kind = api_kind(api, gv, kind);
	s->objects.kind = api_kind(api, stored ? stored : gv, kind);
	assert_non_null(s->resource.kind);
	assert_non_null(s->objects.kind);
	s->resource.objects = &s->objects;
	return &s->resource;
}

/* ---- objects of any kind ---- */

struct maker {
	struct arena *a;
	uint64_t seed;
	unsigned depth;
};

static inline uint64_t make_random(struct maker *m, uint64_t below)
{
	m->seed ^= m->seed << 13;
	m->seed ^= m->seed >> 7;
	m->seed ^= m->seed << 17;
	return m->seed % below;
}

static inline struct doc make_text(struct maker *m)
{
	static const char *const texts[] = { "x", "a longer text", "gr\xc3\xbc\xc3\x9f\x65",
					     "quoted \"text\"\n", "app-1.example.com" };

	return doc_str(m->a, texts[make_random(m, ARRAY_LEN(texts))]);
}

static inline struct doc make_value(struct maker *m, const struct schema_field *f,
				    enum schema_type type, const struct api_note *n);

static inline struct doc make_object(struct maker *m, const struct api_type *t)
{
	struct doc d = doc_object();

	if (++m->depth < 10)
		for (unsigned i = 0; i < t->schema.n; i++) {
			const struct schema_field *f = &t->schema.fields[i];

			if (make_random(m, 3) == 0 ||
			    (m->depth > 3 && make_random(m, m->depth - 2)))
				continue;
			doc_add(m->a, &d, slice_of(f->name, f->len),
				make_value(m, f, (enum schema_type)f->type, &t->notes[i]));
		}
	m->depth--;
	return d;
}

static inline struct doc make_any(struct maker *m, const struct api_note *n)
{
	switch ((enum api_word)n->word) {
	case API_FIELDS: return *must_read(m->a, "{\"f:metadata\":{\"f:labels\":{}}}");
	case API_OR_BOOL: return doc_bool(make_random(m, 2));
	case API_OR_ARRAY: return make_object(m, n->type);
	case API_OR_STRINGS: return *must_read(m->a, "[\"a\",\"b\"]");
	default: return *must_read(m->a, "{\"apiVersion\":\"v1\",\"kind\":\"X\",\"n\":[1,2.5]}");
	}
}

static inline struct doc make_list(struct maker *m, const struct schema_field *f, bool map,
				   const struct api_note *n)
{
	const struct schema_field *e = f->elem_row ? f->elem : f;
	enum schema_type type = (enum schema_type)(f->elem_row ? e->type : f->elem_type);
	struct doc d = map ? doc_object() : doc_array();
	size_t count = 1 + make_random(m, 2);

	for (size_t i = 0; i < count; i++) {
		struct doc v = make_value(m, e, type, n);

		if (map)
			doc_add(m->a, &d, slice_str(i ? "key-b" : "key-a"), v);
		else
			doc_append(m->a, &d, v);
	}
	return d;
}

static inline struct doc make_value(struct maker *m, const struct schema_field *f,
				    enum schema_type type, const struct api_note *n)
{
	bool wide = (f->width & SCHEMA_W_SIZE) > 4;

	switch (type) {
	case SCHEMA_BOOL: return doc_bool(make_random(m, 2));
	case SCHEMA_INT:
		return doc_int(m->a, (int64_t)make_random(m, wide ? INT64_MAX : INT32_MAX) *
					     (make_random(m, 4) ? 1 : -1));
	case SCHEMA_DOUBLE: return doc_num(m->a, 0.25 * (double)make_random(m, 100));
	case SCHEMA_OBJECT: return make_object(m, n->type);
	case SCHEMA_LIST:
	case SCHEMA_MAP: return make_list(m, f, type == SCHEMA_MAP, n);
	case SCHEMA_INT_OR_STR:
		return make_random(m, 2) ? doc_int(m->a, 8080) : doc_str(m->a, "25%");
	case SCHEMA_QUANTITY: return doc_str(m->a, make_random(m, 2) ? "1500m" : "2Gi");
	case SCHEMA_TIME:
		return doc_str(m->a, f->format == FORMAT_MICRO_TIME ? "2024-05-01T12:00:00.000042Z"
								    : "2024-05-01T12:00:00Z");
	case SCHEMA_BYTES: return doc_str(m->a, "AAEC/w==");
	case SCHEMA_ANY: return make_any(m, n);
	default: break;
	}
	if (f->format == FORMAT_DURATION)
		return doc_str(m->a, make_random(m, 2) ? "1h0m0s" : "1.5s");
	return make_text(m);
}

/* A canonical object of the kind; each seed gives another. */
static inline struct doc make_kind(struct arena *a, const struct api_kind *k, uint64_t seed)
{
	struct maker m = { .a = a, .seed = 0x9e3779b97f4a7c15ull ^ (seed * 0x2545f4914f6cdd1dull) };
	struct doc raw = make_object(&m, k->type), d;
	struct err err = ERR_INIT;
	int r;

	doc_set_str(a, &raw, "kind", k->kind);
	doc_set_str(a, &raw, "apiVersion", k->group->api_version);
	doc_set_str(a,
		    doc_get(&raw, "metadata") ? doc_get(&raw, "metadata")
					      : doc_set_object(a, &raw, "metadata"),
		    "resourceVersion", "7");
	r = api_admit(k->type, &raw, a, 0, NULL, &d, &err);
	/* defaults that follow from others may follow from defaults */
	for (unsigned i = 0; i < 2 && r == 0; i++) {
		raw = d;
		r = api_admit(k->type, &raw, a, 0, NULL, &d, &err);
	}
	if (r != 0)
		print_error("%s %s: %s\n", k->group->api_version, k->kind, err.msg);
	assert_int_equal(r, 0);
	return d;
}

/* The item of a document. */
static inline struct item *make_item(struct arena *a, const struct doc *d)
{
	struct item *i = ARENA_NEW(a, struct item);

	assert_non_null(i);
	*i = item_of("x", 7, written(a, d, NULL));
	return i;
}
