/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of custom kinds as they come in: what the schema does not name goes, metadata is that of
 * every object, defaults are filled in. One walk; the C stack is bounded by CUSTOM_DEPTH_MAX levels
 * of the schema (what no schema names is copied as it is).
 */
#include "api/custom-private.h"

#include "api/object.h"

#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX 192

struct step {
	const struct step *up;
	struct slice name; /* {NULL,0}: `index` counts */
	size_t index;
};

struct admit {
	struct arena *a;
	struct err *err;
	unsigned flags, depth;
	struct api_strays *strays;
	const struct step *at;
	const struct api_type *meta; /* ObjectMeta */
	const struct custom_schema *root;
	bool no_meta; /* metadata stays as it is */
};

static int admit_value(struct admit *x, const struct custom_schema *s, bool keep,
		       const struct doc *d, struct doc *ret);

static int full(struct admit *x)
{
	return err_set(x->err, ERR_QUOTA, "the object does not fit its memory");
}

static void path_of(const struct step *s, struct buf *out)
{
	if (!s)
		return;
	path_of(s->up, out);
	if (s->name.p)
		(void)buf_addf(out, "%s%.*s", out->n ? "." : "", (int)MIN(s->name.n, (size_t)512),
			       s->name.p);
	else
		(void)buf_addf(out, "[%zu]", s->index);
}

static void stray(struct admit *x, const struct doc *key)
{
	const struct step step = { x->at, slice_of(key->s, key->n), 0 };
	CLEANUP(buf_fini) struct buf path = BUF_INIT(8192);

	if (!x->strays)
		return;
	path_of(&step, &path);
	api_stray(x->strays, x->a, "unknown", buf_str(&path));
}

/* ---- metadata ---- */

/* What the table of ObjectMeta found, at the object's own place. */
static void take_strays(struct admit *x, const struct api_strays *from)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(8192);

	path_of(x->at, &path);
	for (size_t i = 0; i < MIN(from->n, (size_t)API_STRAYS_MAX); i++) {
		const char *name = strchr(from->v[i], '"');
		char *text = arena_printf(x->a, "%s.%.*s", buf_str(&path),
					  name ? (int)strlen(name) - 2 : 0, name ? name + 1 : "");

		if (text)
			api_stray(x->strays, x->a, "unknown", text);
	}
	if (from->n > API_STRAYS_MAX)
		x->strays->n += from->n - API_STRAYS_MAX;
}

static int admit_meta(struct admit *x, const struct doc *d, struct doc *ret)
{
	struct api_strays strays = { 0 };
	bool root = x->at && !x->at->up;
	int r;

	if (d->type == DOC_NULL) {
		static const struct doc none = { .type = DOC_OBJECT };

		d = &none;
	}
	r = api_admit(x->meta, d, x->a, x->flags, &strays, ret, x->err);
	if (r < 0) {
		CLEANUP(buf_fini) struct buf path = BUF_INIT(8192);

		path_of(x->at, &path);
		return r == -ERR_QUOTA || root ? r : err_wrap(x->err, "%s", buf_str(&path));
	}
	if (!root && doc_is(doc_get(ret, "creationTimestamp"), DOC_NULL))
		(void)doc_remove(ret, "creationTimestamp");
	if (x->strays)
		take_strays(x, &strays);
	return 0;
}

static bool is_meta(const struct doc *key)
{
	return doc_str_is(key, "metadata") || doc_str_is(key, "kind") ||
	       doc_str_is(key, "apiVersion");
}

/* kind, apiVersion and metadata of a whole object. */
static int admit_whole(struct admit *x, const struct doc *key, const struct doc *d, struct doc *ret)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(8192);

	if (doc_str_is(key, "metadata") && !x->no_meta)
		return admit_meta(x, d, ret);
	*ret = *d;
	if (d->type == DOC_STRING || x->no_meta)
		return 0;
	path_of(x->at, &path);
	return err_set(x->err, ERR_BAD_REQUEST, "%s: Invalid value: %s: must be a string",
		       buf_str(&path), doc_type_name(d));
}

/* ---- objects ---- */

struct out {
	struct doc *kids;
	uint32_t n;
};

static void put(struct out *o, const struct doc *key, const struct doc *value)
{
	o->kids[2 * (size_t)o->n] = *key;
	o->kids[2 * (size_t)o->n + 1] = *value;
	o->n++;
}

/* The schema of a member; false: nothing names it. *ret NULL: anything it may be. */
static bool member_of(const struct custom_schema *s, const struct doc *key,
		      const struct custom_schema **ret)
{
	*ret = s ? custom_property(s, slice_of(key->s, key->n)) : NULL;
	if (*ret || !s)
		return *ret != NULL;
	*ret = s->extra;
	return s->flags & (CUSTOM_EXTRA | CUSTOM_NO_EXTRA);
}

/* A null where there may be none: 1 it goes, 2 it is replaced by the default. */
static int null_fate(const struct admit *x, const struct custom_schema *s, const struct doc *d)
{
	if (d->type != DOC_NULL || !s || s->flags & CUSTOM_NULLABLE || x->flags & API_PARTIAL)
		return 0;
	if (!s->def)
		return 1;
	return x->flags & API_NO_DEFAULTS ? 0 : 2;
}

static int admit_member(struct admit *x, const struct custom_schema *s, bool keep,
			const struct doc *key, const struct doc *d, struct out *o)
{
	struct step step = { x->at, slice_of(key->s, key->n), 0 };
	const struct custom_schema *below;
	struct doc v = *d;
	int fate, r = 0;

	x->at = &step;
	if (s && s->flags & CUSTOM_EMBEDDED && is_meta(key)) {
		r = admit_whole(x, key, d, &v);
	} else if (!member_of(s, key, &below)) {
		x->at = step.up;
		if (keep)
			put(o, key, d);
		else
			stray(x, key);
		return 0;
	} else {
		fate = null_fate(x, below, d);
		x->at = fate == 1 ? step.up : &step;
		if (fate == 1)
			return 0;
		r = admit_value(x, below, false, fate ? below->def : d, &v);
	}
	x->at = step.up;
	if (r == 0)
		put(o, key, &v);
	return r;
}

/* Members with a default that the object does not have. */
static int add_defaults(struct admit *x, const struct custom_schema *s, const struct doc *d,
			struct out *o)
{
	if (!s || x->flags & (API_PARTIAL | API_NO_DEFAULTS))
		return 0;
	for (size_t i = 0; i < s->ndefaulted; i++) {
		const struct custom_property *p = &s->defaulted[i];
		struct doc v;
		int r;

		if (doc_getn(d, p->name) || (s == x->root && is_meta(p->key)))
			continue;
		r = admit_value(x, p->schema, false, p->schema->def, &v);
		if (r < 0)
			return r;
		put(o, p->key, &v);
	}
	return 0;
}

static int admit_object(struct admit *x, const struct custom_schema *s, bool keep,
			const struct doc *d, struct doc *ret)
{
	size_t most = (size_t)d->n + (s ? s->ndefaulted : 0);
	struct out o = { arena_alloc_raw(x->a, 2 * most * sizeof(struct doc), 16), 0 };
	int r = 0;

	if (!o.kids)
		return full(x);
	for (uint32_t i = 0; i < d->n && r == 0; i++)
		r = admit_member(x, s, keep, doc_key_at(d, i), doc_value_at(d, i), &o);
	if (r == 0)
		r = add_defaults(x, s, d, &o);
	*ret = (struct doc){ .type = DOC_OBJECT, .n = o.n, .kids = o.kids };
	return r;
}

static int admit_list(struct admit *x, const struct custom_schema *s, bool keep,
		      const struct doc *d, struct doc *ret)
{
	struct step step = { x->at, { NULL, 0 }, 0 };
	const struct custom_schema *items = s ? s->items : NULL;
	struct doc *kids;
	int r = 0;

	if (keep && !items) {
		*ret = *d;
		return 0;
	}
	kids = arena_alloc_raw(x->a, d->n * sizeof(*kids), 16);
	if (!kids)
		return full(x);
	x->at = &step;
	for (; step.index < d->n && r == 0; step.index++) {
		const struct doc *e = doc_at(d, step.index);

		if (items && null_fate(x, items, e) == 2)
			e = items->def;
		r = admit_value(x, items, keep, e, &kids[step.index]);
	}
	x->at = step.up;
	*ret = (struct doc){ .type = DOC_ARRAY, .n = d->n, .kids = kids };
	return r;
}

/* keep: members that nothing names stay (the value is an item of a list that keeps them). */
static int admit_value(struct admit *x, const struct custom_schema *s, bool keep,
		       const struct doc *d, struct doc *ret)
{
	int r = 0;

	*ret = *d;
	if (d->type < DOC_ARRAY)
		return 0;
	if (++x->depth > DEPTH_MAX)
		return err_set(x->err, ERR_BAD_REQUEST, "exceeded max depth");
	keep = keep || (s && s->flags & CUSTOM_PRESERVE);
	if (d->type == DOC_ARRAY)
		r = admit_list(x, s, keep, d, ret);
	else
		r = admit_object(x, s, keep, d, ret);
	x->depth--;
	return r;
}

/* ---- the root ---- */

static int put_text(struct admit *x, const struct doc *d, const char *name, struct out *o)
{
	static const struct doc keys[] = {
		{ .type = DOC_STRING, .flags = DOC_CLEAN | DOC_CSTR, .n = 4, .s = "kind" },
		{ .type = DOC_STRING, .flags = DOC_CLEAN | DOC_CSTR, .n = 10, .s = "apiVersion" },
	};
	const struct doc *v = doc_get(d, name);

	if (!v)
		return 0;
	if (v->type != DOC_STRING)
		return err_set(x->err, ERR_BAD_REQUEST,
			       ".%s accessor error: the value is of the type %s, expected string",
			       name, doc_type_name(v));
	put(o, &keys[*name == 'a'], v);
	return 0;
}

static int put_meta(struct admit *x, const struct doc *d, struct out *o)
{
	static const struct doc key = {
		.type = DOC_STRING, .flags = DOC_CLEAN | DOC_CSTR, .n = 8, .s = "metadata"
	};
	static const struct doc none = { .type = DOC_NULL };
	const struct step step = { NULL, SLICE("metadata"), 0 };
	const struct doc *given = doc_get(d, "metadata");
	struct doc meta;
	int r;

	if (!given && x->flags & API_PARTIAL)
		return 0;
	x->at = &step;
	r = admit_meta(x, given ? given : &none, &meta);
	x->at = NULL;
	if (r == 0)
		put(o, &key, &meta);
	return r;
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static int admit_root(struct admit *x, const struct custom_schema *s, const struct doc *d,
		      struct doc *ret)
{
	size_t most = (size_t)d->n + s->ndefaulted + 3;
	struct out o = { arena_alloc_raw(x->a, 2 * most * sizeof(struct doc), 16), 0 };
	size_t before;
	int r;

	if (!o.kids)
		return full(x);
	r = put_text(x, d, "kind", &o);
	if (r == 0)
		r = put_text(x, d, "apiVersion", &o);
	if (r == 0)
		r = put_meta(x, d, &o);
	before = x->strays ? x->strays->n : 0;
	for (uint32_t i = 0; i < d->n && r == 0; i++)
		if (!is_meta(doc_key_at(d, i)))
			r = admit_member(x, s, s->flags & CUSTOM_PRESERVE, doc_key_at(d, i),
					 doc_value_at(d, i), &o);
	if (r == 0)
		r = add_defaults(x, s, d, &o);
	if (x->strays && x->strays->n > before + 1 && before < API_STRAYS_MAX)
		qsort(&x->strays->v[before], MIN(x->strays->n, (size_t)API_STRAYS_MAX) - before,
		      sizeof(*x->strays->v), by_text);
	*ret = (struct doc){ .type = DOC_OBJECT, .n = o.n, .kids = o.kids };
	return r;
}

int custom_admit(const struct api_type *t, const struct doc *d, struct arena *a, unsigned flags,
		 struct api_strays *strays, struct doc *ret, struct err *err)
{
	struct admit x = {
		.a = a, .err = err, .flags = flags, .strays = strays, .root = t->custom
	};

	if (!doc_is(d, DOC_OBJECT))
		return err_set(err, ERR_BAD_REQUEST,
			       "json: cannot unmarshal %s into Go value of type "
			       "map[string]interface {}",
			       doc_type_name(d));
	for (unsigned i = 0; i < t->schema.n; i++)
		if (strcmp(t->schema.fields[i].name, "metadata") == 0)
			x.meta = t->notes[i].type;
	return admit_root(&x, t->custom, d, ret);
}

bool custom_is_pruned(const struct custom_schema *s, const struct doc *d)
{
	CLEANUP(arena_free) struct arena *a = arena_new("default", CUSTOM_BYTES_MAX);
	struct api_strays strays = { 0 };
	struct err err = ERR_INIT;
	struct admit x = {
		.a = a, .err = &err, .flags = API_PARTIAL, .strays = &strays, .no_meta = true
	};
	struct doc ret;

	return admit_value(&x, s, false, d, &ret) == 0 && strays.n == 0;
}
