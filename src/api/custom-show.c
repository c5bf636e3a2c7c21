/* SPDX-License-Identifier: Apache-2.0 */
/* Custom kinds as others see them: columns of tables, scale, OpenAPI. */
#include "api/custom-private.h"

#include "doc/json.h"

#define AGE_MAX 32

/* ---- columns ---- */

int custom_columns(const struct api_kind *kind, struct arena *a, struct doc *ret, struct err *err)
{
	const struct custom_column *columns = kind->custom->columns;
	struct doc *d;

	*ret = doc_array();
	d = doc_append_object(a, ret);
	doc_set_str(a, d, "name", "Name");
	doc_set_str(a, d, "type", "string");
	doc_set_str(a, d, "format", "name");
	doc_set_str(a, d, "description",
		    "Name, unique among the objects of the kind in the namespace; never changes.");
	doc_set_int(a, d, "priority", 0);
	for (size_t i = 0; i + 1 < kind->ncolumns; i++) {
		d = doc_append_object(a, ret);
		doc_set_str(a, d, "name", columns[i].name);
		doc_set_str(a, d, "type", columns[i].type);
		doc_set_str(a, d, "format", columns[i].format);
		doc_set_str(a, d, "description", columns[i].description);
		doc_set_int(a, d, "priority", columns[i].priority);
	}
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

struct cells {
	const struct doc *obj;
	int64_t now;
	const char *(*age)(int64_t seconds, char *out, size_t n);
	struct arena *a;
};

static struct doc text_cell(const struct cells *x, const struct doc *v)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 20);

	if (v->type == DOC_NULL)
		return DOC_LIT("<no value>");
	if (jsonpath_print_value(v, &out, NULL) < 0)
		return doc_null();
	return doc_strn(x->a, buf_str(&out), out.n);
}

static struct doc date_cell(const struct cells *x, const struct doc *v)
{
	char out[AGE_MAX];
	struct schema_time t;

	if (v->type != DOC_STRING)
		return doc_null();
	if (v->n == 0 || slice_is(doc_slice(v), "null"))
		return DOC_LIT("<unknown>");
	if (schema_parse_time(doc_slice(v), &t, NULL) < 0)
		return DOC_LIT("<invalid>");
	return doc_str(x->a, x->age(x->now - t.sec, out, sizeof(out)));
}

static struct doc number_cell(const struct cells *x, const struct doc *v, bool whole)
{
	int64_t n;

	if (v->type != DOC_NUMBER)
		return doc_null();
	if (!whole)
		return *v;
	return doc_int64(v, &n) < 0 ? doc_null() : doc_int(x->a, n);
}

static struct doc cell(const struct cells *x, const struct custom_column *c)
{
	struct jsonpath_found found = { NULL, 0 };
	struct err err = ERR_INIT;

	if (jsonpath_find(c->path, x->obj, JSONPATH_MISSING_OK, x->a, &found, &err) < 0 ||
	    found.n == 0)
		return doc_null();
	if (strcmp(c->type, "string") == 0)
		return text_cell(x, found.v[0]);
	if (strcmp(c->type, "date") == 0)
		return date_cell(x, found.v[0]);
	if (strcmp(c->type, "boolean") == 0)
		return found.v[0]->type == DOC_BOOL ? *found.v[0] : doc_null();
	return number_cell(x, found.v[0], strcmp(c->type, "integer") == 0);
}

int custom_cells(const struct api_kind *kind, const struct doc *obj, int64_t now,
		 const char *(*age)(int64_t seconds, char *out, size_t n), struct arena *a,
		 struct doc *ret, struct err *err)
{
	const struct cells x = { obj, now, age, a };
	const struct doc *name = doc_find(obj, "metadata.name");

	*ret = doc_array();
	doc_append(a, ret, name ? *name : DOC_LIT(""));
	for (size_t i = 0; i + 1 < kind->ncolumns; i++)
		doc_append(a, ret, cell(&x, &kind->custom->columns[i]));
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

/* ---- scale ---- */

/* ".spec.replicas": its slot; NULL when it is not there. */
static const struct doc *at_path(const struct doc *obj, const char *path)
{
	return doc_find(obj, path + (*path == '.'));
}

static int no_scale(const struct api_kind *kind, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "%s of %s have no scale", kind->resource,
		       kind->group->api_version);
}

static void copy_meta(struct arena *a, struct doc *to, const struct doc *from)
{
	static const char *const names[] = { "name", "namespace", "uid", "resourceVersion",
					     "creationTimestamp" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct doc *v = doc_get(from, names[i]);

		if (v)
			doc_set(a, to, names[i], *v);
	}
}

int custom_scale_get(const struct api_kind *kind, const struct doc *obj, struct arena *a,
		     struct doc *ret, struct err *err)
{
	const struct custom_scale *s = kind->custom->scale;
	const struct doc *want = s ? at_path(obj, s->spec_replicas) : NULL,
			 *have = s ? at_path(obj, s->status_replicas) : NULL,
			 *selector = s && s->selector ? at_path(obj, s->selector) : NULL;
	struct doc *d;

	if (!s)
		return no_scale(kind, err);
	if (!doc_is(want, DOC_NUMBER))
		return err_set(err, ERR_SYSTEM, "the spec replicas field \"%s\" does not exist",
			       s->spec_replicas);
	*ret = doc_object();
	doc_set_str(a, ret, "kind", "Scale");
	doc_set_str(a, ret, "apiVersion", "autoscaling/v1");
	copy_meta(a, doc_set_object(a, ret, "metadata"), doc_get(obj, "metadata"));
	doc_set(a, doc_set_object(a, ret, "spec"), "replicas", *want);
	d = doc_set_object(a, ret, "status");
	doc_set(a, d, "replicas", doc_is(have, DOC_NUMBER) ? *have : doc_int(a, 0));
	if (doc_is(selector, DOC_STRING) && selector->n)
		doc_set(a, d, "selector", *selector);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

int custom_scale_set(const struct api_kind *kind, struct doc *obj, const struct doc *scale,
		     struct arena *a, struct err *err)
{
	const struct custom_scale *s = kind->custom->scale;
	const struct doc *want = doc_find(scale, "spec.replicas");
	struct slice rest;
	struct doc *at = obj;

	if (!s)
		return no_scale(kind, err);
	rest = slice_str(s->spec_replicas);
	if (rest.n && *rest.p == '.')
		rest = slice_of(rest.p + 1, rest.n - 1);
	while (rest.p && at) {
		struct slice name = slice_split(&rest, '.');
		struct doc *below = doc_getn(at, name);

		if (!rest.p)
			doc_setn(a, at, name, want ? *want : doc_int(a, 0));
		else if (!doc_is(below, DOC_OBJECT))
			below = doc_setn(a, at, name, doc_object());
		at = below;
	}
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

/* ---- OpenAPI ---- */

struct publish {
	struct arena *a;
	enum api_openapi v;
};

static void put_kind(struct publish *x, const struct api_kind *k, const char *kind, struct doc *to)
{
	struct doc *o =
		doc_append_object(x->a, doc_set_array(x->a, to, "x-kubernetes-group-version-kind"));

	doc_set_str(x->a, o, "group", k->group->group);
	doc_set_str(x->a, o, "kind", kind);
	doc_set_str(x->a, o, "version", k->group->version);
}

static struct doc *put_ref(struct publish *x, struct doc *to, const char *definition)
{
	return doc_set_strf(x->a, to, "$ref", "#/%s/%s",
			    x->v == API_OPENAPI_V2 ? "definitions" : "components/schemas",
			    definition);
}

static struct doc *put_text(struct publish *x, struct doc *props, const char *name, const char *doc)
{
	struct doc *to = doc_set_object(x->a, props, name);

	doc_set_str(x->a, to, "description", doc);
	doc_set_str(x->a, to, "type", "string");
	return to;
}

/* kind, apiVersion and metadata of a whole object. */
static void put_whole(struct publish *x, struct doc *props, const char *meta)
{
	struct doc *to, *ref;

	put_text(x, props, "apiVersion", "The group and version that the object is written in.");
	put_text(x, props, "kind",
		 "The kind of the object; a server may know it from the place of a request, and it "
		 "does not change.");
	to = doc_set_object(x->a, props, "metadata");
	doc_set_str(x->a, to, "description", "Name, labels and other metadata.");
	if (x->v == API_OPENAPI_V2) {
		put_ref(x, to, meta);
		return;
	}
	ref = doc_append_object(x->a, doc_set_array(x->a, to, "allOf"));
	put_ref(x, ref, meta);
}

#define OBJECT_META "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
#define LIST_META "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"

static struct doc schema_of(struct publish *x, const struct doc *s, unsigned depth);

static struct doc each_schema(struct publish *x, const struct doc *list, unsigned depth)
{
	struct doc ret = { .type = list->type };

	DOC_EACH_MEMBER (key, value, list)
		doc_add_node(x->a, &ret, *key, schema_of(x, value, depth));
	DOC_EACH (one, list)
		doc_append(x->a, &ret, schema_of(x, one, depth));
	return ret;
}

/* Words of a schema that version 2 cannot say: readers of it would take them wrongly. */
static bool is_v3_only(const struct doc *key)
{
	static const char *const words[] = { "allOf", "anyOf", "oneOf", "not", "nullable" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (doc_str_is(key, words[i]))
			return true;
	return false;
}

static bool holds_schemas(const struct doc *key)
{
	return doc_str_is(key, "properties") || doc_str_is(key, "allOf") ||
	       doc_str_is(key, "anyOf") || doc_str_is(key, "oneOf");
}

static bool is_schema(const struct doc *key, const struct doc *value)
{
	return value->type == DOC_OBJECT &&
	       (doc_str_is(key, "items") || doc_str_is(key, "additionalProperties") ||
		doc_str_is(key, "not"));
}

/* In version 2 a value that may be null, a number or a text, or anything, has no type; an object
 * that keeps what it is given tells nothing of what it holds. */
static struct doc schema_of(struct publish *x, const struct doc *s, unsigned depth)
{
	bool two = x->v == API_OPENAPI_V2,
	     keeps = doc_true(doc_get(s, "x-kubernetes-preserve-unknown-fields")),
	     loose = two && (keeps || doc_true(doc_get(s, "nullable")) ||
			     doc_true(doc_get(s, "x-kubernetes-int-or-string")));
	struct doc ret = doc_object();

	if (!doc_is(s, DOC_OBJECT) || depth > CUSTOM_DEPTH_MAX)
		return *s;
	DOC_EACH_MEMBER (key, value, s) {
		bool shape = doc_str_is(key, "type") || doc_str_is(key, "properties") ||
			     doc_str_is(key, "items") || doc_str_is(key, "additionalProperties");

		if (two && (is_v3_only(key) || (loose && shape)))
			continue;
		if (two && doc_str_is(key, "default"))
			continue;
		if (holds_schemas(key))
			doc_add_node(x->a, &ret, *key, each_schema(x, value, depth + 1));
		else if (is_schema(key, value))
			doc_add_node(x->a, &ret, *key, schema_of(x, value, depth + 1));
		else
			doc_add_node(x->a, &ret, *key, *value);
	}
	if (doc_true(doc_get(s, "x-kubernetes-embedded-resource")) && !loose) {
		struct doc *props = doc_get(&ret, "properties");

		if (!props)
			props = doc_set_object(x->a, &ret, "properties");
		put_whole(x, props, OBJECT_META);
	}
	return ret;
}

int custom_openapi(const struct api_kind *kind, enum api_openapi v, struct arena *a,
		   struct doc *ret, struct err *err)
{
	struct publish x = { a, v };
	const struct doc *source = kind->custom->schema->source;
	struct doc *props;

	*ret = schema_of(&x, source, 0);
	doc_set_str(a, ret, "type", "object");
	props = doc_get(ret, "properties");
	if (!props)
		props = doc_set_object(a, ret, "properties");
	put_whole(&x, props, OBJECT_META);
	put_kind(&x, kind, kind->kind, ret);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

int custom_openapi_list(const struct api_kind *kind, enum api_openapi v, struct arena *a,
			struct doc *ret, struct err *err)
{
	struct publish x = { a, v };
	struct doc *props, *items, *one;

	*ret = doc_object();
	doc_set_strf(a, ret, "description", "%s is a list of %s", kind->list_kind, kind->kind);
	doc_append_str(a, doc_set_array(a, ret, "required"), "items");
	doc_set_str(a, ret, "type", "object");
	props = doc_set_object(a, ret, "properties");
	put_whole(&x, props, LIST_META);
	props = doc_get(ret, "properties");
	items = doc_set_object(a, props, "items");
	doc_set_strf(a, items, "description", "List of %s.", kind->resource);
	doc_set_str(a, items, "type", "array");
	one = doc_set_object(a, items, "items");
	put_ref(&x, one, kind->type->definition);
	put_kind(&x, kind, kind->list_kind, ret);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}
