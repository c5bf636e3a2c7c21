/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of custom kinds beside the schema's own words: lists that are sets or maps, objects within
 * objects, the numbers of /scale; and of definitions: patterns and defaults. */
#include "api/custom-private.h"

#include "api/check-parts.h"
#include "base/map.h"
#include "doc/json.h"

#include <ctype.h>

/* ---- sets and maps ---- */

/* What tells an item of a list from others, as JSON; nothing: the arena is full. */
static struct slice key_of(struct check *c, const struct custom_schema *s, const struct doc *item,
			   struct doc *ret)
{
	static const struct json_style sorted = { .order = JSON_SORTED };
	struct slice text = { NULL, 0 };

	*ret = *item;
	if (s->list == SCHEMA_LIST_MAP) {
		*ret = doc_object();
		DOC_EACH (k, s->keys) {
			const struct doc *v = doc_getn(item, doc_slice(k));

			if (v)
				doc_add(c->a, ret, doc_slice(k), *v);
		}
	}
	return json_print(c->a, ret, &sorted, &text, NULL) < 0 ? slice_of(NULL, 0) : text;
}

static bool is_map_of_objects(struct check *c, const struct custom_schema *s, const struct path *p,
			      const struct doc *list)
{
	for (size_t i = 0; s->list == SCHEMA_LIST_MAP && i < list->n; i++) {
		const struct path at = PATH_INDEX(p, i);

		if (list->kids[i].type == DOC_OBJECT || list->kids[i].type == DOC_NULL)
			continue;
		check_invalid(c, &at, &list->kids[i],
			      "must be an object for an array of list-type map");
		return false;
	}
	return true;
}

static void check_items(struct check *c, const struct custom_schema *s, const struct path *p,
			const struct doc *list)
{
	static int once, again; /* what the map's values point to; never written */
	CLEANUP(map_fini) struct map seen;

	map_init(&seen);
	if (s->list == SCHEMA_LIST_ATOMIC || !is_map_of_objects(c, s, p, list))
		return;
	for (size_t i = 0; i < list->n && list->n > 1; i++) {
		const struct path at = PATH_INDEX(p, i);
		struct doc key;
		struct slice text = key_of(c, s, doc_at(list, i), &key);
		const void *times = text.p ? map_get(&seen, text) : NULL;

		if (!text.p)
			return; /* the arena has it on record */
		if (times == &once)
			check_duplicate(c, &at, &key);
		(void)map_put(&seen, text, times ? &again : &once);
	}
}

static void check_lists(struct check *c, const struct custom_schema *s, const struct path *p,
			const struct doc *v)
{
	if (doc_is(v, DOC_ARRAY)) {
		check_items(c, s, p, v);
		for (size_t i = 0; s->items && i < v->n; i++) {
			const struct path at = PATH_INDEX(p, i);

			check_lists(c, s->items, &at, doc_at(v, i));
		}
	} else if (doc_is(v, DOC_OBJECT)) {
		DOC_EACH_MEMBER (key, value, v) {
			const struct custom_schema *below =
				custom_property(s, slice_of(key->s, key->n));
			const struct path extra = PATH_KEY(p, slice_of(key->s, key->n));
			const struct custom_property *q = s->properties;

			while (below && q->schema != below)
				q++;
			if (below) {
				const struct path at = PATH(p, q->name.p);

				check_lists(c, below, &at, value);
			} else if (s->extra) {
				check_lists(c, s->extra, &extra, value);
			}
		}
	}
}

/* Only when the old object kept to them. */
static void check_lists_new(struct check *c, const struct custom_schema *s, const struct doc *obj)
{
	struct check old;

	check_init(&old, c->api, c->kind, NULL, c->a);
	if (c->old)
		check_lists(&old, s, NULL, c->old);
	if (old.n == 0)
		check_lists(c, s, NULL, obj);
}

/* ---- objects within objects ---- */

static void check_embedded_kind(struct check *c, const struct path *p, const struct doc *v)
{
	char lower[256];
	const char *why;
	size_t n = MIN(v->n, sizeof(lower));

	if (v->n == 0) {
		check_invalid(c, p, v, "must not be empty");
		return;
	}
	for (size_t i = 0; i < n; i++)
		lower[i] = (char)tolower((unsigned char)v->s[i]);
	why = form_dns1035_label(slice_of(lower, n));
	if (why)
		check_invalid(c, p, v, "may have mixed case, but should otherwise match: %s", why);
}

static void check_embedded_version(struct check *c, const struct path *p, const struct doc *v)
{
	struct slice s = doc_slice(v), rest = s;

	(void)slice_split(&rest, '/');
	if (s.n == 0)
		check_invalid(c, p, v, "must not be empty");
	else if (rest.p && memchr(rest.p, '/', rest.n))
		check_invalid(c, p, v, "unexpected GroupVersion string: %.*s",
			      (int)MIN(s.n, (size_t)256), s.p);
}

static void check_embedded_meta(struct check *c, const struct path *p, const struct doc *m)
{
	const struct path labels = PATH(p, "labels"), annotations = PATH(p, "annotations"),
			  name = PATH(p, "name"), ns = PATH(p, "namespace");

	check_optional_text(c, &name, doc_get(m, "name"), form_path_segment);
	check_optional_text(c, &ns, doc_get(m, "namespace"), form_dns_label);
	check_labels(c, &labels, doc_get(m, "labels"));
	check_annotations(c, &annotations, doc_get(m, "annotations"));
}

static void check_embedded(struct check *c, const struct path *p, const struct doc *v)
{
	const struct path version = PATH(p, "apiVersion"), kind = PATH(p, "kind"),
			  meta = PATH(p, "metadata");
	const struct doc *k = doc_get(v, "kind"), *a = doc_get(v, "apiVersion");

	if (!a)
		check_required(c, &version, "");
	if (!k)
		check_required(c, &kind, "");
	if (doc_is(a, DOC_STRING))
		check_embedded_version(c, &version, a);
	if (doc_is(k, DOC_STRING))
		check_embedded_kind(c, &kind, k);
	check_embedded_meta(c, &meta, doc_get(v, "metadata"));
}

static void check_objects(struct check *c, const struct custom_schema *s, const struct path *p,
			  const struct doc *v)
{
	if (doc_is(v, DOC_OBJECT) && s->flags & CUSTOM_EMBEDDED)
		check_embedded(c, p, v);
	for (size_t i = 0; s->items && doc_is(v, DOC_ARRAY) && i < v->n; i++) {
		const struct path at = PATH_INDEX(p, i);

		check_objects(c, s->items, &at, doc_at(v, i));
	}
	for (size_t i = 0; doc_is(v, DOC_OBJECT) && i < s->nproperties; i++) {
		const struct path at = PATH(p, s->properties[i].name.p);
		const struct doc *below = doc_getn(v, s->properties[i].name);

		if (below)
			check_objects(c, s->properties[i].schema, &at, below);
	}
	if (!s->extra || !doc_is(v, DOC_OBJECT))
		return;
	DOC_EACH_MEMBER (key, value, v) {
		const struct path at = PATH_KEY(p, slice_of(key->s, key->n));

		if (!custom_property(s, slice_of(key->s, key->n)))
			check_objects(c, s->extra, &at, value);
	}
}

/* ---- scale ---- */

static void check_replicas(struct check *c, const char *at, const struct doc *obj)
{
	const struct path p = PATH(NULL, at);
	const struct doc *v = doc_find(obj, at + (*at == '.'));
	int64_t n = 0;
	int r;

	if (!v)
		return;
	r = v->type == DOC_NUMBER && v->flags & DOC_INT ? doc_int64(v, &n) : -1;
	if (r < 0)
		check_invalid(c, &p, v,
			      "%s accessor error: the value is of the type %s, expected "
			      "int64",
			      at, doc_type_name(v));
	else if (n < 0)
		check_invalid(c, &p, v, "should be a non-negative integer");
	else if (n > INT32_MAX)
		check_invalid(c, &p, v, "should be less than or equal to %d", INT32_MAX);
}

static void check_scale(struct check *c, const struct custom_scale *s, const struct doc *obj,
			bool status)
{
	const struct path p = PATH(NULL, s->selector);
	const struct doc *v =
		s->selector ? doc_find(obj, s->selector + (*s->selector == '.')) : NULL;

	if (!status)
		check_replicas(c, s->spec_replicas, obj);
	check_replicas(c, s->status_replicas, obj);
	if (v && v->type != DOC_STRING)
		check_invalid(c, &p, v,
			      "%s accessor error: the value is of the type %s, expected "
			      "string",
			      s->selector, doc_type_name(v));
}

/* ---- all of it ---- */

static bool type_meta_wrong(struct check *c, const struct doc *obj)
{
	const struct path kind = PATH(NULL, "kind"), version = PATH(NULL, "apiVersion");
	unsigned before = c->n;

	if (!doc_str_is(doc_get(obj, "kind"), c->kind->kind))
		check_invalid(c, &kind, doc_get(obj, "kind"), "must be %s", c->kind->kind);
	if (!doc_str_is(doc_get(obj, "apiVersion"), c->kind->group->api_version))
		check_invalid(c, &version, doc_get(obj, "apiVersion"), "must be %s",
			      c->kind->group->api_version);
	return check_failed_below(c, before);
}

/* Errors behind which rules in CEL are not run: they would trip over the same. */
static bool is_blocked(const struct check *c)
{
	static const char *const reasons[] = { "FieldValueNotSupported", "FieldValueRequired",
					       "FieldValueTooLong",	 "FieldValueTooMany",
					       "FieldValueTypeInvalid",	 NULL };

	for (const struct cause *k = c->first; k; k = k->next)
		if (str_is_one_of(k->reason, reasons))
			return true;
	return false;
}

static void check_cel(struct check *c, const struct custom_schema *s, const struct doc *obj)
{
	static const struct path nowhere = { .name = "<nil>" };

	if (!s->ruled)
		return;
	if (is_blocked(c))
		check_invalid_text(c, &nowhere, SLICE("null"),
				   "some validation rules were not checked because the object was "
				   "invalid; correct the existing errors to complete validation");
	else
		custom_rules_run(c, s, NULL, obj, c->old);
}

void custom_check(struct check *c, const struct doc *obj, const char *sub)
{
	const struct api_custom *k = c->kind->custom;
	const struct path status = PATH(NULL, "status");
	const struct custom_schema *in_status = custom_property(k->schema, SLICE("status"));
	const struct doc *v = doc_get(obj, "status");
	bool whole = strcmp(sub, "status") != 0;

	if (type_meta_wrong(c, obj))
		return;
	if (whole)
		custom_check_value(c, k->schema, NULL, NULL, obj, c->old);
	else if (v && in_status)
		custom_check_value(c, in_status, &status, &status, v, doc_get(c->old, "status"));
	if (k->scale)
		check_scale(c, k->scale, obj, !whole);
	if (whole)
		check_objects(c, k->schema, NULL, obj);
	check_lists_new(c, k->schema, obj);
	check_cel(c, k->schema, obj);
}

/* ---- definitions ---- */

static void check_pattern(struct check *c, const struct path *p, const struct doc *s)
{
	const struct path at = PATH(p, "pattern");
	const struct doc *pattern = doc_get(s, "pattern");
	CLEANUP(arena_free) struct arena *a = arena_new("pattern", CUSTOM_BYTES_MAX);
	const struct regex *x;
	struct err err = ERR_INIT;

	if (pattern && pattern->n && regex_compile(doc_slice(pattern), a, &x, &err) < 0)
		check_invalid(c, &at, pattern, "must be a valid regular expression, but isn't: %s",
			      err.msg);
}

/* The default under its own schema. Patterns were looked at before, so it compiles. */
static void check_default(struct check *c, const struct path *p, const struct doc *s)
{
	CLEANUP(arena_free) struct arena *a = arena_new("default", CUSTOM_BYTES_MAX);
	const struct path at = PATH(p, "default");
	static const struct api_group group = { .group = "validation", .version = "v1" };
	struct custom_build b = { .api = c->api, .group = &group, .a = a };
	const struct custom_schema *schema = NULL;
	const struct doc *def = doc_get(s, "default");
	struct err err = ERR_INIT;

	b.err = &err;
	if (!def || def->type == DOC_NULL)
		return;
	if (custom_schema_compile(&b, s, "default", false, &schema) < 0)
		return; /* told at its own place */
	if (!custom_is_pruned(schema, def))
		check_invalid(c, &at, def, "must not have unknown fields");
	check_objects(c, schema, &at, def);
	custom_check_value(c, schema, &at, NULL, def, NULL);
}

void custom_check_schema(struct check *c, const struct path *at, const struct doc *schema)
{
	check_pattern(c, at, schema);
	check_default(c, at, schema);
}
