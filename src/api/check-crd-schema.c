/* SPDX-License-Identifier: Apache-2.0 */
#include "api/check-crd.h"
#include "api/check-parts.h"
#include "api/custom.h"

#define DEPTH_MAX 64

enum level { LEVEL_ROOT, LEVEL_ITEM, LEVEL_FIELD, LEVEL_NESTED /* within allOf, not, ... */ };

struct place {
	enum level level;
	unsigned depth;
	bool in_meta; /* of an object's metadata, kind or apiVersion */
};

static void check_schema(struct check *c, const struct path *p, const struct doc *s,
			 struct place at);

static bool is_type(const struct doc *s, const char *type)
{
	return doc_str_is(doc_get(s, "type"), type);
}

static bool on(const struct doc *s, const char *field)
{
	return doc_true(doc_get(s, field));
}

/* ---- what a schema may not say ---- */

static void check_unsupported_words(struct check *c, const struct path *p, const struct doc *s)
{
	static const struct {
		const char *field, *words;
	} rows[] = {
		{ "id", "id is not supported" },
		{ "additionalItems", "additionalItems is not supported" },
		{ "patternProperties", "patternProperties is not supported" },
		{ "definitions", "definitions is not supported" },
		{ "dependencies", "dependencies is not supported" },
		{ "$ref", "$ref is not supported" },
	};
	static const char *const types[] = { "array",  "boolean", "integer", "number",
					     "object", "string",  NULL };

	if (part_full(s, "type"))
		part_one_of(c, p, s, "type", types, true);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (part_full(s, rows[i].field))
			part_forbidden(c, p, rows[i].field, "%s", rows[i].words);
	if (is_type(s, "null"))
		part_forbidden(c, p, "type",
			       "type cannot be set to null, use nullable as an alternative");
	if (doc_is(doc_get(s, "items"), DOC_ARRAY))
		part_forbidden(c, p, "items", "items must be a schema object and not an array");
	if (on(s, "uniqueItems"))
		part_forbidden(c, p, "uniqueItems",
			       "uniqueItems cannot be set to true since the runtime complexity "
			       "becomes quadratic");
	if (part_set(s, "x-kubernetes-preserve-unknown-fields") &&
	    !on(s, "x-kubernetes-preserve-unknown-fields"))
		part_invalid(c, p, s, "x-kubernetes-preserve-unknown-fields",
			     "must be true or undefined");
	if (part_full(s, "properties") && part_set(s, "additionalProperties") &&
	    !on(s, "additionalProperties"))
		part_forbidden(c, p, "additionalProperties",
			       "additionalProperties and properties are mutual exclusive");
}

/* Within allOf, anyOf, oneOf and not a schema only narrows. */
static void check_nested(struct check *c, const struct path *p, const struct doc *s)
{
	static const struct {
		const char *field, *words;
	} rows[] = {
		{ "type", "must be empty to be structural" },
		{ "additionalProperties", "must be undefined to be structural" },
		{ "default", "must be undefined to be structural" },
		{ "title", "must be empty to be structural" },
		{ "description", "must be empty to be structural" },
		{ "nullable", "must be false to be structural" },
		{ "x-kubernetes-preserve-unknown-fields", "must be false to be structural" },
		{ "x-kubernetes-embedded-resource", "must be false to be structural" },
		{ "x-kubernetes-int-or-string", "must be false to be structural" },
		{ "x-kubernetes-list-map-keys", "must be empty to be structural" },
		{ "x-kubernetes-list-type", "must be undefined to be structural" },
		{ "x-kubernetes-map-type", "must be undefined to be structural" },
		{ "x-kubernetes-validations", "must be empty to be structural" },
	};
	const struct path fields = PATH(p, "properties"),
			  meta = PATH_KEY(&fields, SLICE("metadata"));

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (part_set(s, rows[i].field) &&
		    (part_full(s, rows[i].field) || doc_is(doc_get(s, rows[i].field), DOC_OBJECT)))
			part_forbidden(c, p, rows[i].field, "%s", rows[i].words);
	if (part_set(doc_get(s, "properties"), "metadata"))
		check_forbidden(c, &meta, "must not be specified in a nested context");
}

/* ---- what it must say ---- */

static void check_type(struct check *c, const struct path *p, const struct doc *s, enum level level)
{
	static const char *const words[] = {
		[LEVEL_ROOT] = "must not be empty at the root",
		[LEVEL_ITEM] = "must not be empty for specified array items",
		[LEVEL_FIELD] = "must not be empty for specified object fields",
	};
	static const char embedded[] = "must be object if x-kubernetes-embedded-resource is true";

	if (on(s, "x-kubernetes-embedded-resource") && !is_type(s, "object")) {
		if (part_full(s, "type"))
			part_invalid(c, p, s, "type", "%s", embedded);
		else
			part_required(c, p, "type", embedded);
	} else if (!part_full(s, "type") && !on(s, "x-kubernetes-int-or-string") &&
		   !on(s, "x-kubernetes-preserve-unknown-fields")) {
		part_required(c, p, "type", words[level]);
	}
	if (level == LEVEL_ROOT && part_full(s, "type") && !is_type(s, "object"))
		part_invalid(c, p, s, "type", "must be object at the root");
	if (is_type(s, "array") && !part_set(s, "items"))
		part_required(c, p, "items", "must be specified");
	if (level == LEVEL_ROOT && part_set(s, "additionalProperties"))
		part_forbidden(c, p, "additionalProperties", "must not be used at the root");
}

/* kind, apiVersion and metadata of whole objects are what they are. */
static void check_object_meta(struct check *c, const struct path *p, const struct doc *s, bool root)
{
	static const char *const texts[] = { "kind", "apiVersion" };
	const struct path fields = PATH(p, "properties"),
			  meta = PATH_KEY(&fields, SLICE("metadata"));
	const struct doc *properties = doc_get(s, "properties"),
			 *m = doc_get(properties, "metadata");

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const struct path at = PATH_KEY(&fields, slice_str(texts[i]));
		const struct doc *f = doc_get(properties, texts[i]);

		if (f && !is_type(f, "string"))
			part_invalid(c, &at, f, "type", "must be string");
	}
	if (m && !is_type(m, "object"))
		part_invalid(c, &meta, m, "type", "must be object");
	if (!m || !root)
		return;
	DOC_EACH_MEMBER (key, value, m) {
		size_t n = (size_t)(doc_get(value, "name") != NULL) +
			   (doc_get(value, "generateName") != NULL);

		if (doc_str_is(key, "type") || doc_str_is(key, "description") ||
		    (doc_str_is(key, "properties") && n == doc_len(value)))
			continue;
		check_forbidden(c, &meta,
				"must not specify anything other than name and generateName, but "
				"metadata is implicitly specified");
		return;
	}
}

static void check_extensions(struct check *c, const struct path *p, const struct doc *s)
{
	static const char *const strange[] = { "x-kubernetes-preserve-unknown-fields",
					       "x-kubernetes-embedded-resource" };
	bool embedded = on(s, "x-kubernetes-embedded-resource");

	for (size_t i = 0; i < ARRAY_LEN(strange); i++)
		if (on(s, "x-kubernetes-int-or-string") && on(s, strange[i]))
			part_invalid(c, p, s, strange[i],
				     "must be false if x-kubernetes-int-or-string is true");
	if (embedded && part_set(s, "additionalProperties"))
		part_forbidden(c, p, "additionalProperties",
			       "must not be used if x-kubernetes-embedded-resource is set");
	if (embedded && !on(s, "x-kubernetes-preserve-unknown-fields") &&
	    !part_full(s, "properties"))
		part_required(c, p, "properties",
			      "must not be empty if x-kubernetes-embedded-resource is true without "
			      "x-kubernetes-preserve-unknown-fields");
}

/* ---- lists and maps ---- */

static void check_needs_type(struct check *c, const struct path *p, const struct doc *s,
			     const char *field, const char *type, const char *words)
{
	if (!part_set(s, field) || is_type(s, type))
		return;
	if (part_full(s, "type"))
		part_invalid(c, p, s, "type", "%s", words);
	else
		part_required(c, p, "type", words);
}

static void check_map_key(struct check *c, const struct path *p, const struct doc *items,
			  const struct doc *key)
{
	const struct path in = PATH(p, "items"), fields = PATH(&in, "properties"),
			  at = PATH_KEY(&fields, doc_slice(key));
	const struct doc *f = doc_getn(doc_get(items, "properties"), doc_slice(key));
	bool needed = false;

	if (!f)
		return;
	DOC_EACH (r, doc_get(items, "required"))
		needed = needed || doc_equal(r, key);
	if (is_type(f, "array") || is_type(f, "object"))
		part_invalid(c, &at, f, "type",
			     "must be a scalar type if parent array's x-kubernetes-list-type is "
			     "map");
	if (!needed && !part_set(f, "default"))
		part_required(c, &at, "default",
			      "this property is in x-kubernetes-list-map-keys, so it must have a "
			      "default or be a required property");
	if (on(f, "nullable"))
		part_forbidden(c, &at, "nullable",
			       "this property is in x-kubernetes-list-map-keys, so it cannot be "
			       "nullable");
}

static void check_map_list(struct check *c, const struct path *p, const struct doc *s)
{
	const struct path in = PATH(p, "items");
	const struct doc *items = doc_get(s, "items"),
			 *keys = doc_get(s, "x-kubernetes-list-map-keys");
	bool known = true, twice = false;

	if (doc_len(keys) == 0)
		part_required(c, p, "x-kubernetes-list-map-keys",
			      "must not be empty if x-kubernetes-list-type is map");
	if (!items)
		part_required(c, p, "items", "must have a schema if x-kubernetes-list-type is map");
	else if (!is_type(items, "object"))
		part_invalid(c, &in, items, "type",
			     "must be object if parent array's x-kubernetes-list-type is map");
	for (size_t i = 0; items && i < doc_len(keys); i++) {
		known = known && doc_getn(doc_get(items, "properties"), doc_slice(doc_at(keys, i)));
		for (size_t j = 0; j < i; j++)
			twice = twice || doc_equal(doc_at(keys, i), doc_at(keys, j));
		check_map_key(c, p, items, doc_at(keys, i));
	}
	if (!known)
		part_invalid(c, p, s, "x-kubernetes-list-map-keys",
			     "entries must all be names of item properties");
	if (twice)
		part_invalid(c, p, s, "x-kubernetes-list-map-keys",
			     "must not contain duplicate entries");
}

static void check_list_type(struct check *c, const struct path *p, const struct doc *s)
{
	static const char *const lists[] = { "atomic", "map", "set", NULL };
	static const char *const maps[] = { "atomic", "granular", NULL };
	static const char set_item[] = "must be atomic as item of a list with "
				       "x-kubernetes-list-type=set";
	const struct path in = PATH(p, "items");
	const struct doc *items = doc_get(s, "items"), *type = doc_get(s, "x-kubernetes-list-type"),
			 *inner = doc_get(items, "x-kubernetes-list-type");
	bool set = doc_str_is(type, "set"), map = doc_str_is(type, "map");

	check_needs_type(c, p, s, "x-kubernetes-map-type", "object",
			 "must be object if x-kubernetes-map-type is specified");
	part_maybe_one_of(c, p, s, "x-kubernetes-map-type", maps);
	check_needs_type(c, p, s, "x-kubernetes-list-type", "array",
			 "must be array if x-kubernetes-list-type is specified");
	part_maybe_one_of(c, p, s, "x-kubernetes-list-type", lists);
	if (set && is_type(items, "array") && inner && !doc_str_is(inner, "atomic"))
		part_invalid(c, &in, items, "x-kubernetes-list-type", "%s", set_item);
	if (set && is_type(items, "object") &&
	    !doc_str_is(doc_get(items, "x-kubernetes-map-type"), "atomic"))
		part_invalid(c, &in, items, "x-kubernetes-map-type", "%s", set_item);
	if ((set || map) && on(items, "nullable"))
		part_forbidden(c, &in, "nullable",
			       "cannot be nullable when x-kubernetes-list-type is %s",
			       set ? "set" : "map");
	if (part_full(s, "x-kubernetes-list-map-keys") && !map) {
		if (type)
			part_invalid(c, p, s, "x-kubernetes-list-type",
				     "must be map if x-kubernetes-list-map-keys is non-empty");
		else
			part_required(c, p, "x-kubernetes-list-type",
				      "must be map if x-kubernetes-list-map-keys is non-empty");
	}
	if (map)
		check_map_list(c, p, s);
}

/* ---- rules, patterns ---- */

static bool is_blank(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr(" \t\r\n", s.p[i]))
			return false;
	return true;
}

static bool has_lines(struct slice s)
{
	return s.n && (memchr(s.p, '\n', s.n) || memchr(s.p, '\r', s.n));
}

static void check_rule(struct check *c, const struct path *p, const struct doc *rule)
{
	static const char *const reasons[] = { "FieldValueDuplicate", "FieldValueForbidden",
					       "FieldValueInvalid", "FieldValueRequired", NULL };
	struct slice text = doc_slice(doc_get(rule, "rule")),
		     message = doc_slice(doc_get(rule, "message")),
		     field = doc_slice(doc_get(rule, "fieldPath"));

	if (is_blank(text))
		part_required(c, p, "rule", "rule is not specified");
	else if (message.n && is_blank(message))
		part_invalid(c, p, rule, "message", "must be non-empty if specified");
	else if (has_lines(message))
		part_invalid(c, p, rule, "message", "must not contain line breaks");
	else if (has_lines(text) && message.n == 0)
		part_required(c, p, "message",
			      "message must be specified if rule contains line breaks");
	if (part_full(rule, "messageExpression") &&
	    is_blank(doc_slice(doc_get(rule, "messageExpression"))))
		part_required(c, p, "messageExpression",
			      "messageExpression must be non-empty if specified");
	part_maybe_one_of(c, p, rule, "reason", reasons);
	if (field.n && is_blank(field))
		part_invalid(c, p, rule, "fieldPath", "must be non-empty if specified");
	if (has_lines(field))
		part_invalid(c, p, rule, "fieldPath", "must not contain line breaks");
}

static void check_rules(struct check *c, const struct path *p, const struct doc *s)
{
	const struct path at = PATH(p, "x-kubernetes-validations");
	const struct doc *rules = doc_get(s, "x-kubernetes-validations");

	for (size_t i = 0; i < doc_len(rules); i++) {
		const struct path one = PATH_INDEX(&at, i);

		check_rule(c, &one, doc_at(rules, i));
	}
}

/* ---- what lies below ---- */

static void check_below(struct check *c, const struct path *p, const struct doc *s, struct place at)
{
	static const char *const lists[] = { "allOf", "oneOf", "anyOf" };
	const struct path fields = PATH(p, "properties"), items = PATH(p, "items"),
			  more = PATH(p, "additionalProperties"), not = PATH(p, "not");
	struct place below = { at.level == LEVEL_NESTED ? LEVEL_NESTED : LEVEL_FIELD, at.depth + 1,
			       at.in_meta };
	struct place item = below, nested = { LEVEL_NESTED, at.depth + 1, at.in_meta };
	bool whole = at.level == LEVEL_ROOT || on(s, "x-kubernetes-embedded-resource");

	if (at.level != LEVEL_NESTED)
		item.level = LEVEL_ITEM;
	DOC_EACH_MEMBER (key, value, doc_get(s, "properties")) {
		const struct path one = PATH_KEY(&fields, doc_slice(key));
		bool meta = doc_str_is(key, "metadata") || doc_str_is(key, "kind") ||
			    doc_str_is(key, "apiVersion");

		below.in_meta = at.in_meta || (whole && meta);
		if (at.level == LEVEL_ROOT && meta && part_set(value, "default"))
			part_forbidden(c, &one, "default", "must not be set in top-level %.*s",
				       (int)key->n, key->s);
		check_schema(c, &one, value, below);
	}
	below.in_meta = at.in_meta;
	if (doc_is(doc_get(s, "items"), DOC_OBJECT))
		check_schema(c, &items, doc_get(s, "items"), item);
	if (doc_is(doc_get(s, "additionalProperties"), DOC_OBJECT))
		check_schema(c, &more, doc_get(s, "additionalProperties"), below);
	if (doc_is(doc_get(s, "not"), DOC_OBJECT))
		check_schema(c, &not, doc_get(s, "not"), nested);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct path list = PATH(p, lists[i]);
		const struct doc *all = doc_get(s, lists[i]);

		for (size_t j = 0; j < doc_len(all); j++) {
			const struct path one = PATH_INDEX(&list, j);

			check_schema(c, &one, doc_at(all, j), nested);
		}
	}
}

/* anyOf of an integer and a string, which int-or-string may have. */
static bool is_int_or_string(const struct doc *s)
{
	const struct doc *any = doc_get(s, "anyOf");

	return doc_len(any) == 2 && doc_len(doc_at(any, 0)) == 1 && doc_len(doc_at(any, 1)) == 1 &&
	       is_type(doc_at(any, 0), "integer") && is_type(doc_at(any, 1), "string");
}

static void check_schema(struct check *c, const struct path *p, const struct doc *s,
			 struct place at)
{
	if (at.depth > DEPTH_MAX) {
		check_wrong(c, p, "schemas may not be nested more than %d deep", DEPTH_MAX);
		return;
	}
	if (!doc_is(s, DOC_OBJECT))
		return;
	check_unsupported_words(c, p, s);
	if (at.level == LEVEL_NESTED) {
		check_nested(c, p, s);
	} else {
		check_type(c, p, s, at.level);
		if (at.level == LEVEL_ROOT || on(s, "x-kubernetes-embedded-resource"))
			check_object_meta(c, p, s, at.level == LEVEL_ROOT);
		check_extensions(c, p, s);
	}
	if (at.in_meta && on(s, "x-kubernetes-embedded-resource"))
		part_forbidden(c, p, "x-kubernetes-embedded-resource",
			       "must not be used inside of resource meta");
	check_list_type(c, p, s);
	check_rules(c, p, s);
	custom_check_schema(c, p, s);
	if (on(s, "x-kubernetes-int-or-string") && is_int_or_string(s))
		return;
	check_below(c, p, s, at);
}

static void check_root(struct check *c, const struct path *p, const struct doc *s)
{
	static const char *const allowed[] = { "description",
					       "type",
					       "format",
					       "title",
					       "maximum",
					       "exclusiveMaximum",
					       "minimum",
					       "exclusiveMinimum",
					       "maxLength",
					       "minLength",
					       "pattern",
					       "maxItems",
					       "minItems",
					       "uniqueItems",
					       "multipleOf",
					       "required",
					       "items",
					       "properties",
					       "externalDocs",
					       "example",
					       "x-kubernetes-preserve-unknown-fields",
					       "x-kubernetes-validations" };

	DOC_EACH_MEMBER (key, value, s) {
		size_t i = 0;

		while (i < ARRAY_LEN(allowed) && !doc_str_is(key, allowed[i]))
			i++;
		if (i < ARRAY_LEN(allowed) || value->type == DOC_NULL)
			continue;
		check_wrong(c, p,
			    "only [Description Type Format Title Maximum ExclusiveMaximum Minimum "
			    "ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems "
			    "UniqueItems MultipleOf Required Items Properties ExternalDocs Example "
			    "XPreserveUnknownFields XValidations] fields are allowed at the root "
			    "of the schema if the status subresource is enabled");
		return;
	}
}

void crd_check_schema(struct check *c, const struct path *p, const struct doc *schema,
		      bool has_status)
{
	unsigned before = c->n;

	if (has_status)
		check_root(c, p, schema);
	if (on(schema, "nullable"))
		part_forbidden(c, p, "nullable", "nullable cannot be true at the root");
	check_schema(c, p, schema, (struct place){ .level = LEVEL_ROOT });
	if (c->n == before)
		custom_check_rules(c, p, schema);
}
