/* SPDX-License-Identifier: Apache-2.0 */
#include "api/openapi.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

#include <stdio.h>

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."
#define RUNTIME "io.k8s.apimachinery.pkg."
#define CRD "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."

struct gen {
	const struct api *api;
	enum api_openapi v;
	struct arena *a;
};

/* Scalars with a definition of their own. */
struct scalar {
	const char *name, *type, *format, *doc;
	const char *one_of[2]; /* its types in version 3, instead of `type` */
};
static const struct scalar scalars[] = {
	{ META "Time", "string", "date-time", "A moment, in the form of RFC 3339." },
	{ META "MicroTime", "string", "date-time",
	  "A moment with microseconds, in the form of RFC 3339." },
	{ META "Duration", "string", NULL, "A span of time such as 1h30m." },
	{ META "FieldsV1", "object", NULL,
	  "The set of fields that a manager owns: f:<name> for a field, k:<keys> and v:<value> for "
	  "an "
	  "element of a list, i:<index> for a place, '.' for the object itself." },
	{ RUNTIME "api.resource.Quantity",
	  "string",
	  NULL,
	  "A number with a suffix: decimal (m, k, M, G, T, P, E), binary (Ki, Mi, Gi, Ti, Pi, Ei) "
	  "or an "
	  "exponent (1e3).",
	  { "string", "number" } },
	{ RUNTIME "util.intstr.IntOrString",
	  "string",
	  "int-or-string",
	  "A whole number or a text.",
	  { "integer", "string" } },
	{ RUNTIME "runtime.RawExtension", "object", NULL, "An object of any kind, as it is." },
	{ CRD "JSON", NULL, NULL, "Any JSON value." },
	{ CRD "JSONSchemaPropsOrBool", NULL, NULL, "A schema, or whether anything is allowed." },
	{ CRD "JSONSchemaPropsOrArray", NULL, NULL, "One schema or a list of them." },
	{ CRD "JSONSchemaPropsOrStringArray", NULL, NULL, "A schema or a list of names." },
	{ RUNTIME "version.Info", "object", NULL, "The version of a server." },
};
enum {
	S_TIME,
	S_MICRO,
	S_DURATION,
	S_FIELDS,
	S_QUANTITY,
	S_INT_OR_STR,
	S_RAW,
	S_JSON,
	S_OR_BOOL,
	S_OR_ARRAY,
	S_OR_STRINGS,
	S_VERSION
};

static void put_ref(struct gen *g, struct doc *to, const char *name)
{
	doc_set_strf(g->a, to, "$ref", "#/%s/%s",
		     g->v == API_OPENAPI_V2 ? "definitions" : "components/schemas", name);
}

static void put_type(struct gen *g, struct doc *to, const char *type, const char *format)
{
	if (format)
		doc_set_str(g->a, to, "format", format);
	doc_set_str(g->a, to, "type", type);
}

static const char *any_name(enum api_word w)
{
	static const uint8_t of[] = { [API_PLAIN] = S_RAW,
				      [API_RAW] = S_RAW,
				      [API_JSON] = S_JSON,
				      [API_FIELDS] = S_FIELDS,
				      [API_OR_BOOL] = S_OR_BOOL,
				      [API_OR_ARRAY] = S_OR_ARRAY,
				      [API_OR_STRINGS] = S_OR_STRINGS };

	return scalars[of[w]].name;
}

/* The schema of one value: of the row itself, or of an element of the type given. */
static void put_value(struct gen *g, struct doc *to, const struct schema_field *f,
		      enum schema_type type, const struct api_note *n);

/* In version 3 a reference stands alone: what is said beside it goes around it. */
static void wrap_ref(struct gen *g, struct doc *to)
{
	struct doc *ref = doc_get(to, "$ref"), copy;

	if (g->v != API_OPENAPI_V3 || !ref)
		return;
	copy = *ref;
	doc_remove(to, "$ref");
	doc_set(g->a, doc_append_object(g->a, doc_set_array(g->a, to, "allOf")), "$ref", copy);
}

/* Version 3 has the zero value of what Go cannot leave out: texts, numbers, structs. */
static void put_zero(struct gen *g, struct doc *to, enum schema_type type)
{
	if (g->v != API_OPENAPI_V3)
		return;
	switch (type) {
	case SCHEMA_BOOL: doc_set_bool(g->a, to, "default", false); break;
	case SCHEMA_INT:
	case SCHEMA_DOUBLE: doc_set_int(g->a, to, "default", 0); break;
	case SCHEMA_STRING:
	case SCHEMA_ENUM: doc_set_str(g->a, to, "default", ""); break;
	case SCHEMA_OBJECT: doc_set_object(g->a, to, "default"); break;
	default: break; /* lists, maps, and types that write themselves have none */
	}
}

static void put_enum(struct gen *g, struct doc *to, enum schema_type type, const struct api_note *n)
{
	struct doc *list;

	if (g->v != API_OPENAPI_V3 || !n->enums || (type != SCHEMA_STRING && type != SCHEMA_ENUM))
		return;
	list = doc_set_array(g->a, to, "enum"); /* in the order of the alphabet */
	for (const char *const *v = n->enums; *v; v++) {
		size_t at = 0;

		while (at < doc_len(list) && strcmp(doc_at(list, at)->s, *v) < 0)
			at++;
		(void)doc_insert(g->a, list, at, doc_str(g->a, *v));
	}
}

static void put_elements(struct gen *g, struct doc *to, const char *member,
			 const struct schema_field *f, const struct api_note *n)
{
	struct doc *inner = doc_set_object(g->a, to, member);
	enum schema_type type = (enum schema_type)(f->elem_row ? f->elem->type : f->elem_type);

	put_zero(g, inner, type);
	put_value(g, inner, f->elem_row ? f->elem : f, type, n);
	put_enum(g, inner, type, n);
	if (doc_len(inner) > 1)
		wrap_ref(g, inner);
}

static void put_value(struct gen *g, struct doc *to, const struct schema_field *f,
		      enum schema_type type, const struct api_note *n)
{
	switch (type) {
	case SCHEMA_BOOL: put_type(g, to, "boolean", NULL); break;
	case SCHEMA_INT:
		put_type(g, to, "integer", (f->width & SCHEMA_W_SIZE) <= 4 ? "int32" : "int64");
		break;
	case SCHEMA_DOUBLE: put_type(g, to, "number", "double"); break;
	case SCHEMA_BYTES: put_type(g, to, "string", "byte"); break;
	case SCHEMA_TIME:
		put_ref(g, to, scalars[f->format == FORMAT_MICRO_TIME ? S_MICRO : S_TIME].name);
		break;
	case SCHEMA_QUANTITY: put_ref(g, to, scalars[S_QUANTITY].name); break;
	case SCHEMA_INT_OR_STR: put_ref(g, to, scalars[S_INT_OR_STR].name); break;
	case SCHEMA_ANY: put_ref(g, to, any_name((enum api_word)n->word)); break;
	case SCHEMA_OBJECT: put_ref(g, to, n->type->definition); break;
	case SCHEMA_LIST:
		put_elements(g, to, "items", f, n);
		doc_set_str(g->a, to, "type", "array");
		break;
	case SCHEMA_MAP:
		put_elements(g, to, "additionalProperties", f, n);
		doc_set_str(g->a, to, "type", "object");
		break;
	case SCHEMA_STRING:
	case SCHEMA_ENUM:
		if (f->type == type && (f->wire & SCHEMA_PB_KIND) == SCHEMA_PB_MESSAGE)
			put_ref(g, to, scalars[S_DURATION].name);
		else
			put_type(g, to, "string", NULL);
		break;
	}
}

static void put_words(struct gen *g, struct doc *to, const char *key, const char *words)
{
	struct doc *list = doc_set_array(g->a, to, key);

	for (const char *p = words; *p;) {
		size_t n = strcspn(p, " ");

		doc_append(g->a, list, doc_strn(g->a, p, n));
		p += n + (p[n] == ' ');
	}
}

static void put_extensions(struct gen *g, struct doc *to, const struct schema_field *f,
			   const struct api_note *n)
{
	static const char *const lists[] = { "atomic", "set", "map" };
	static const char *const merges[] = { NULL, "replace", "merge", "retainKeys",
					      "merge,retainKeys" };

	if (n->flags & API_LIST_TYPED) {
		if (f->list == SCHEMA_LIST_MAP)
			put_words(g, to, "x-kubernetes-list-map-keys", f->list_keys);
		doc_set_str(g->a, to, "x-kubernetes-list-type", lists[f->list]);
	}
	if (n->flags & (API_MAP_ATOMIC | API_MAP_GRANULAR))
		doc_set_str(g->a, to, "x-kubernetes-map-type",
			    n->flags & API_MAP_ATOMIC ? "atomic" : "granular");
	if (f->merge_key)
		doc_set_str(g->a, to, "x-kubernetes-patch-merge-key", f->merge_key);
	if (f->merge)
		doc_set_str(g->a, to, "x-kubernetes-patch-strategy", merges[f->merge]);
}

static const char *type_meta_doc(const struct schema_field *f)
{
	return strcmp(f->name, "kind") == 0
		       ? "The kind of the object; a server may know it from the place of a "
			 "request, "
			 "and it does not change."
		       : "The group and version that the object is written in.";
}

/* Defaults that upstream's types declare; all others are functions', and not published. */
static bool is_declared(const struct api_type *t, const char *field)
{
	static const struct {
		const char *type, *fields;
	} rows[] = {
		{ "AzureDiskVolumeSource", "cachingMode fsType kind readOnly" },
		{ "ConfigMapEnvSource", "name" },
		{ "ConfigMapKeySelector", "name" },
		{ "ConfigMapProjection", "name" },
		{ "ConfigMapVolumeSource", "name" },
		{ "ContainerPort", "protocol" },
		{ "FileKeySelector", "optional" },
		{ "GRPCAction", "service" },
		{ "ISCSIPersistentVolumeSource", "iscsiInterface" },
		{ "ISCSIVolumeSource", "iscsiInterface" },
		{ "LocalObjectReference", "name" },
		{ "RBDPersistentVolumeSource", "keyring pool user" },
		{ "RBDVolumeSource", "keyring pool user" },
		{ "ReplicationControllerSpec", "minReadySeconds replicas" },
		{ "ScaleIOPersistentVolumeSource", "fsType storageMode" },
		{ "ScaleIOVolumeSource", "fsType storageMode" },
		{ "ScaleSpec", "replicas" },
		{ "SecretEnvSource", "name" },
		{ "SecretKeySelector", "name" },
		{ "SecretProjection", "name" },
		{ "ServicePort", "protocol" },
		{ "DeviceToleration", "operator" },
	};
	size_t n = strlen(field);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *p = strcmp(t->schema.name, rows[i].type) == 0 ? rows[i].fields : "";

		for (size_t m; *p; p += m + (p[m] == ' ')) {
			m = strcspn(p, " ");
			if (m == n && memcmp(p, field, n) == 0)
				return true;
		}
	}
	return false;
}

static void put_default(struct gen *g, const struct api_type *t, struct doc *to,
			const struct schema_field *f, const struct api_note *n)
{
	enum schema_type type = (enum schema_type)f->type;
	struct err err = ERR_INIT;
	struct doc *d;

	if (g->v != API_OPENAPI_V3)
		return;
	if (is_declared(t, f->name)) {
		if (f->def && json_read(g->a, slice_str(f->def), NULL, &d, &err) == 0)
			doc_set(g->a, to, "default", *d);
		else
			put_zero(g, to, type);
	} else if (!(n->flags & API_POINTER) &&
		   (type == SCHEMA_OBJECT || (f->flags & SCHEMA_EMIT)) &&
		   (f->wire & SCHEMA_PB_KIND) != SCHEMA_PB_MESSAGE) {
		put_zero(g, to, type);
	}
}

static void put_property(struct gen *g, const struct api_type *t, struct doc *props,
			 const struct schema_field *f, const struct api_note *n)
{
	struct doc *to = doc_set_object(g->a, props, f->name);
	const char *text = n->flags & API_TYPE_META ? type_meta_doc(f) : n->doc;

	put_default(g, t, to, f, n);
	if (*text)
		doc_set_str(g->a, to, "description", text);
	put_value(g, to, f, (enum schema_type)f->type, n);
	put_enum(g, to, (enum schema_type)f->type, n);
	put_extensions(g, to, f, n);
	if (doc_len(to) > 1)
		wrap_ref(g, to);
}

static void put_required(struct gen *g, const struct api_type *t, struct doc *to)
{
	struct doc *list = NULL;

	for (unsigned i = 0; i < t->schema.n; i++) {
		if (!(t->notes[i].flags & API_REQUIRED))
			continue;
		if (!list)
			list = doc_set_array(g->a, to, "required");
		doc_append_str(g->a, list, t->schema.fields[i].name);
	}
}

static void put_gvk(struct gen *g, struct doc *list, const struct api_group *gr, const char *kind)
{
	struct doc *o = doc_append_object(g->a, list);

	doc_set_str(g->a, o, "group", gr->group);
	doc_set_str(g->a, o, "kind", kind);
	doc_set_str(g->a, o, "version", gr->version);
}

static bool has_kind(const struct api_type *t)
{
	return t->schema.n > 0 && (t->notes[0].flags & API_TYPE_META);
}

/* Options, Status and WatchEvent are kinds of every group. */
static bool is_everywhere(const struct api_type *t)
{
	static const char *const names[] = { "DeleteOptions", "WatchEvent" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(t->schema.name, names[i]) == 0)
			return true;
	return false;
}

static void put_kinds(struct gen *g, const struct api_type *t, struct doc *to)
{
	struct doc *list;

	if (!has_kind(t) && !is_everywhere(t))
		return;
	list = doc_set_array(g->a, to, "x-kubernetes-group-version-kind");
	if (strcmp(t->group->api_version, API_META) != 0) {
		put_gvk(g, list, t->group, t->schema.name);
		return;
	}
	for (size_t i = 0; i < g->api->ngroups; i++) {
		const struct api_group *gr = &g->api->groups[i];

		if (gr->nkinds && (is_everywhere(t) || strcmp(gr->api_version, "v1") == 0))
			put_gvk(g, list, gr, t->schema.name);
	}
}

static void put_object(struct gen *g, const struct api_type *t, struct doc *to)
{
	struct err err = ERR_INIT;
	struct doc *props, *unions;

	if (*t->doc)
		doc_set_str(g->a, to, "description", t->doc);
	if (t->schema.n) {
		props = doc_set_object(g->a, to, "properties");
		for (unsigned i = 0; i < t->schema.n; i++)
			put_property(g, t, props, &t->schema.fields[i], &t->notes[i]);
	}
	put_required(g, t, to);
	doc_set_str(g->a, to, "type", "object");
	put_kinds(g, t, to);
	if (t->atomic)
		doc_set_str(g->a, to, "x-kubernetes-map-type", "atomic");
	if (t->unions && json_read(g->a, slice_str(t->unions), NULL, &unions, &err) == 0)
		doc_set(g->a, to, "x-kubernetes-unions", *unions);
}

static int finish(struct gen *g, struct err *err)
{
	return arena_exceeded(g->a) ? err_set(err, ERR_QUOTA, "the OpenAPI document is too large")
				    : 0;
}

int api_openapi_type(const struct api *api, const struct api_type *t, enum api_openapi v,
		     struct arena *a, struct doc *ret, struct err *err)
{
	struct gen g = { api, v, a };

	*ret = doc_object();
	put_object(&g, t, ret);
	return finish(&g, err);
}

/* version.Info, which is of no group; texts all. */
static void put_version(struct gen *g, struct doc *to)
{
	static const struct {
		const char *name, *doc;
		bool optional;
	} fields[] = {
		{ "major", "Major number of the version.", false },
		{ "minor", "Minor number of the version.", false },
		{ "emulationMajor", "Major number of the version that is behaved like.", true },
		{ "emulationMinor", "Minor number of the version that is behaved like.", true },
		{ "minCompatibilityMajor", "Major number of the oldest version to go back to.",
		  true },
		{ "minCompatibilityMinor", "Minor number of the oldest version to go back to.",
		  true },
		{ "gitVersion", "The whole version.", false },
		{ "gitCommit", "The commit it was built from.", false },
		{ "gitTreeState", "Whether the tree was clean.", false },
		{ "buildDate", "When it was built.", false },
		{ "goVersion", "What Go it was built with.", false },
		{ "compiler", "The compiler.", false },
		{ "platform", "Operating system and processor.", false },
	};
	struct doc *props = doc_set_object(g->a, to, "properties"), *required;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct doc *p = doc_set_object(g->a, props, fields[i].name);

		if (!fields[i].optional)
			put_zero(g, p, SCHEMA_STRING);
		doc_set_str(g->a, p, "description", fields[i].doc);
		put_type(g, p, "string", NULL);
	}
	required = doc_set_array(g->a, to, "required");
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (!fields[i].optional)
			doc_append_str(g->a, required, fields[i].name);
}

static void put_scalar(struct gen *g, const struct scalar *s, struct doc *to)
{
	struct doc *list;

	doc_set_str(g->a, to, "description", s->doc);
	if (s == &scalars[S_VERSION])
		put_version(g, to);
	if (g->v == API_OPENAPI_V2 || !s->one_of[0]) {
		if (s->type)
			put_type(g, to, s->type, s->format);
		return;
	}
	if (s->format)
		doc_set_str(g->a, to, "format", s->format);
	list = doc_set_array(g->a, to, "oneOf");
	for (size_t i = 0; i < ARRAY_LEN(s->one_of); i++)
		put_type(g, doc_append_object(g->a, list), s->one_of[i], NULL);
}

const char *api_openapi_scalar(size_t i)
{
	return i < ARRAY_LEN(scalars) ? scalars[i].name : NULL;
}

int api_openapi_named(const struct api *api, const char *name, enum api_openapi v, struct arena *a,
		      struct doc *ret, struct err *err)
{
	const struct api_type *t = api_definition(api, name);
	struct gen g = { api, v, a };

	if (t)
		return api_openapi_type(api, t, v, a, ret, err);
	for (size_t i = 0; i < ARRAY_LEN(scalars); i++) {
		if (strcmp(scalars[i].name, name) != 0)
			continue;
		*ret = doc_object();
		put_scalar(&g, &scalars[i], ret);
		return finish(&g, err);
	}
	return err_set(err, ERR_NOT_FOUND, "no schema has the name '%s'", name);
}

int api_openapi_definitions(const struct api *api, enum api_openapi v, struct arena *a,
			    struct doc *ret, struct err *err)
{
	struct gen g = { api, v, a };

	*ret = doc_object();
	for (size_t i = 0; i < ARRAY_LEN(scalars); i++)
		put_scalar(&g, &scalars[i], doc_set_object(a, ret, scalars[i].name));
	for (size_t i = 0; i < api->ntypes; i++) {
		const struct api_type *t = &api->types[i];
		struct doc *to;

		if (!api_type_is_shown(t))
			continue;
		to = doc_add(a, ret, slice_str(t->definition), doc_object());
		if (to)
			put_object(&g, t, to);
	}
	return finish(&g, err);
}
