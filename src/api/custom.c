/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions to kinds; their life. */
#include "api/custom.h"

#include "api/custom-private.h"
#include "doc/json.h"

#include <ctype.h>

#define STORED_MAX (64u << 20)

static uint32_t forms; /* struct api_custom.form; definitions are compiled on one thread */

struct version {
	struct api_kind kind;
	struct api_group group;
	struct api_type list;
	struct api_custom custom;
	const struct api_kind *self; /* group.kinds */
	const char *name;
};

struct custom {
	unsigned refs;
	struct arena *a;
	struct version *versions;
	size_t nversions;
	const struct api_kind **served;
	size_t nserved;
	const struct api_kind *stored;
	const struct doc *webhook; /* spec.conversion.webhook; NULL: versions differ in name only */
};

struct custom *custom_ref(struct custom *c)
{
	c->refs++;
	return c;
}

void custom_unref(struct custom *c)
{
	if (c && --c->refs == 0)
		arena_free(c->a); /* c lies in it */
}

const struct api_kind *const *custom_kinds(const struct custom *c, size_t *ret_n)
{
	*ret_n = c->nserved;
	return c->served;
}

const struct api_kind *custom_stored(const struct custom *c)
{
	return c->stored;
}

const struct api_kind *custom_version(const struct custom *c, const char *version)
{
	for (size_t i = 0; i < c->nversions; i++)
		if (strcmp(c->versions[i].name, version) == 0)
			return &c->versions[i].kind;
	return NULL;
}

const struct doc *custom_webhook(const struct api_kind *kind)
{
	const struct custom *c = kind->custom ? kind->custom->definition : NULL;

	return c ? c->webhook : NULL;
}

/* The version that text behind `{"kind":"K","apiVersion":"` begins with. */
static const struct api_kind *version_at(const struct custom *c, struct slice text)
{
	const char *end = text.n ? memchr(text.p, '"', text.n) : NULL;

	for (size_t i = 0; end && i < c->nversions; i++)
		if (slice_is(slice_of(text.p, (size_t)(end - text.p)),
			     c->versions[i].group.api_version))
			return &c->versions[i].kind;
	return NULL;
}

const struct api_kind *custom_kind_of(const struct api_kind *kind, struct slice bytes)
{
	static const struct slice begin = { "{\"kind\":\"", 9 },
				  middle = { "\",\"apiVersion\":\"", 16 };
	const size_t n = strlen(kind->kind);

	if (!custom_webhook(kind) || bytes.n < begin.n + n + middle.n ||
	    memcmp(bytes.p, begin.p, begin.n) != 0 ||
	    memcmp(bytes.p + begin.n, kind->kind, n) != 0 ||
	    memcmp(bytes.p + begin.n + n, middle.p, middle.n) != 0)
		return NULL;
	return version_at(kind->custom->definition, slice_of(bytes.p + begin.n + n + middle.n,
							     bytes.n - begin.n - n - middle.n));
}

/* ---- names ---- */

/* A text of the document, which lies in the arena; "" when it is absent. NULL past the maximum. */
static const char *text(struct custom_build *b, const struct doc *obj, const char *field)
{
	struct slice s = doc_slice(doc_get(obj, field));

	return arena_strndup(b->a, s.n ? s.p : "", s.n);
}

/* NULL-terminated. */
static const char *const *texts(struct custom_build *b, const struct doc *list)
{
	const char **v = ARENA_ARRAY(b->a, const char *, doc_len(list) + 1);
	size_t n = 0;

	if (!v)
		return NULL;
	DOC_EACH (s, list) {
		v[n] = doc_cstr(b->a, s);
		if (!v[n++])
			return NULL;
	}
	return v;
}

/* "com.example" of "example.com". */
static char *backwards(struct arena *a, struct slice s)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t at = 0;

	if (!out)
		return NULL;
	while (s.n) {
		const char *dot = memrchr(s.p, '.', s.n);
		size_t from = dot ? (size_t)(dot - s.p) + 1 : 0;

		memcpy(out + at, s.p + from, s.n - from);
		at += s.n - from;
		if (dot)
			out[at++] = '.';
		s.n = dot ? from - 1 : 0;
	}
	return out;
}

static int read_names(struct custom_build *b, const struct doc *names, struct api_kind *k)
{
	k->kind = text(b, names, "kind");
	k->list_kind = text(b, names, "listKind");
	k->resource = text(b, names, "plural");
	k->singular = text(b, names, "singular");
	k->short_names = texts(b, doc_get(names, "shortNames"));
	k->categories = texts(b, doc_get(names, "categories"));
	if (!k->kind || !k->list_kind || !k->resource || !k->singular || !k->short_names ||
	    !k->categories)
		return custom_full(b);
	if (!*k->kind || !*k->resource)
		return err_set(b->err, ERR_INVALID, "it names no kind or no resource");
	if (!*k->list_kind)
		k->list_kind = arena_printf(b->a, "%sList", k->kind);
	if (!*k->singular) {
		char *s = arena_strdup(b->a, k->kind);

		for (char *p = s; p && *p; p++)
			*p = (char)tolower((unsigned char)*p);
		k->singular = s;
	}
	return k->list_kind && k->singular ? 0 : custom_full(b);
}

/* ---- a version's further parts ---- */

static int read_columns(struct custom_build *b, const struct doc *d, struct version *v)
{
	static const struct doc age = { .type = DOC_OBJECT };
	const struct doc *list = doc_get(d, "additionalPrinterColumns");
	size_t n = MAX(doc_len(list), (size_t)1);
	struct custom_column *c = ARENA_ARRAY(b->a, struct custom_column, n);
	struct api_column *names = ARENA_ARRAY(b->a, struct api_column, n + 1);

	if (!c || !names)
		return custom_full(b);
	names[0].name = "Name";
	for (size_t i = 0; i < n; i++) {
		const struct doc *one = doc_len(list) ? doc_at(list, i) : &age;
		struct slice path = doc_slice(doc_get(one, "jsonPath"));
		int64_t priority = 0;
		int r;

		(void)doc_int64(doc_get(one, "priority"), &priority);
		c[i] = (struct custom_column){ text(b, one, "name"),   text(b, one, "type"),
					       text(b, one, "format"), text(b, one, "description"),
					       (int32_t)priority,      NULL };
		if (one == &age) {
			c[i].name = "Age";
			c[i].type = "date";
			c[i].description =
				"When the server stored the object first, in the form of RFC 3339.";
			path = SLICE(".metadata.creationTimestamp");
		} else if (c[i].description && !*c[i].description) {
			c[i].description = arena_printf(b->a,
							"Custom resource definition column (in "
							"JSONPath format): %.*s",
							(int)path.n, path.n ? path.p : "");
		}
		if (!c[i].name || !c[i].type || !c[i].format || !c[i].description)
			return custom_full(b);
		r = jsonpath_compile_path(path, b->a, &c[i].path, b->err);
		if (r < 0)
			return err_wrap(b->err, "additionalPrinterColumns[%zu].jsonPath", i);
		names[i + 1] = (struct api_column){ c[i].name, priority > 0 };
	}
	v->custom.columns = c;
	v->kind.columns = names;
	v->kind.ncolumns = n + 1;
	return 0;
}

static int read_selectable(struct custom_build *b, const struct doc *d, struct version *v)
{
	const struct doc *list = doc_get(d, "selectableFields");
	const char **names = ARENA_ARRAY(b->a, const char *, doc_len(list) + 1);
	size_t n = 0;

	if (!names)
		return custom_full(b);
	DOC_EACH (f, list) {
		struct slice s = doc_slice(doc_get(f, "jsonPath"));

		if (s.n && *s.p == '.')
			s = slice_of(s.p + 1, s.n - 1);
		names[n] = arena_strndup(b->a, s.n ? s.p : "", s.n);
		if (!names[n++])
			return custom_full(b);
	}
	v->kind.selectable = names;
	return 0;
}

static int read_scale(struct custom_build *b, const struct doc *scale, struct version *v)
{
	struct custom_scale *s = ARENA_NEW(b->a, struct custom_scale);

	if (!s)
		return custom_full(b);
	s->spec_replicas = text(b, scale, "specReplicasPath");
	s->status_replicas = text(b, scale, "statusReplicasPath");
	if (doc_get(scale, "labelSelectorPath")) {
		s->selector = text(b, scale, "labelSelectorPath");
		if (!s->selector)
			return custom_full(b);
	}
	v->custom.scale = s;
	return s->spec_replicas && s->status_replicas ? 0 : custom_full(b);
}

static int read_subs(struct custom_build *b, const struct doc *d, struct version *v)
{
	const struct doc *subs = doc_get(d, "subresources"), *status = doc_get(subs, "status"),
			 *scale = doc_get(subs, "scale");
	struct api_sub *list = ARENA_ARRAY(b->a, struct api_sub, 2);
	const uint16_t verbs = API_GET | API_PATCH | API_UPDATE;
	int r = 0;

	if (!list)
		return custom_full(b);
	v->kind.subs = list;
	v->custom.has_status = doc_is(status, DOC_OBJECT);
	if (v->custom.has_status)
		list[v->kind.nsubs++] = (struct api_sub){ "status", verbs, v->group.group,
							  v->group.version, v->kind.kind };
	if (doc_is(scale, DOC_OBJECT)) {
		list[v->kind.nsubs++] =
			(struct api_sub){ "scale", verbs, "autoscaling", "v1", "Scale" };
		r = read_scale(b, scale, v);
	}
	return r;
}

static int read_warning(struct custom_build *b, const struct doc *d, struct version *v)
{
	const struct doc *own = doc_get(d, "deprecationWarning");

	if (!doc_true(doc_get(d, "deprecated")))
		return 0;
	v->custom.warning = doc_is(own, DOC_STRING)
				    ? text(b, d, "deprecationWarning")
				    : arena_printf(b->a, "%s %s is deprecated",
						   v->group.api_version, v->kind.kind);
	return v->custom.warning ? 0 : custom_full(b);
}

/* The type of lists. */
static int make_list(struct custom_build *b, struct version *v)
{
	static const char *const names[] = { "kind", "apiVersion", "metadata", "items" };
	const struct api_type *meta = api_type(b->api, API_META, "ListMeta");
	struct schema_field *f = ARENA_ARRAY(b->a, struct schema_field, ARRAY_LEN(names));
	struct api_note *n = ARENA_ARRAY(b->a, struct api_note, ARRAY_LEN(names));

	if (!f || !n)
		return custom_full(b);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		f[i] = (struct schema_field){ .name = names[i],
					      .len = (uint8_t)strlen(names[i]),
					      .type = SCHEMA_STRING };
		n[i] = (struct api_note){ .doc = "", .flags = i < 2 ? API_TYPE_META : 0 };
	}
	f[2].type = SCHEMA_OBJECT;
	f[2].sub = &meta->schema;
	n[2].type = meta;
	f[3].type = SCHEMA_LIST;
	f[3].elem_type = SCHEMA_OBJECT;
	f[3].sub = &v->kind.type->schema;
	f[3].flags = SCHEMA_EMIT;
	n[3].type = v->kind.type;
	n[3].flags = API_REQUIRED;
	v->list = (struct api_type){
		.schema = { .name = v->kind.list_kind,
			    .fields = f,
			    .n = ARRAY_LEN(names),
			    .unknown = SCHEMA_UNKNOWN_ERROR },
		.definition = arena_printf(b->a, "%sList", v->kind.type->definition),
		.doc = "",
		.notes = n,
		.group = &v->group,
	};
	v->kind.list = &v->list;
	return v->list.definition ? 0 : custom_full(b);
}

/* ---- a version ---- */

static int read_schema(struct custom_build *b, const struct doc *d, struct version *v)
{
	static const struct doc any = { .type = DOC_OBJECT };
	const struct doc *schema = doc_find(d, "schema.openAPIV3Schema");
	const struct custom_schema *s;
	struct api_type *t;
	char *group = backwards(b->a, slice_str(v->group.group));
	int r;

	if (!group)
		return custom_full(b);
	b->has_defaults = false;
	r = custom_schema_compile(b, schema ? schema : &any, v->kind.kind, true, &s);
	if (r == 0)
		r = custom_rules_compile(b, s);
	if (r < 0)
		return err_wrap(b->err, "schema.openAPIV3Schema");
	if (!s->object)
		return err_set(b->err, ERR_INVALID,
			       "schema.openAPIV3Schema: must be of type object and structural");
	t = (struct api_type *)(uintptr_t)s->object; /* ours: it lies in the same arena */
	t->definition = arena_printf(b->a, "%s.%s.%s", group, v->group.version, v->kind.kind);
	t->doc = doc_cstr(b->a, doc_get(schema, "description"));
	if (!t->doc)
		t->doc = "";
	t->hidden = false;
	v->custom.schema = s;
	v->custom.has_defaults = b->has_defaults;
	v->kind.type = t;
	return t->definition ? 0 : custom_full(b);
}

static int read_version(struct custom_build *b, const struct doc *spec, const struct doc *names,
			const struct doc *d, struct version *v)
{
	int r;

	v->name = text(b, d, "name");
	v->group.group = text(b, spec, "group");
	if (!v->name || !v->group.group)
		return custom_full(b);
	v->group.version = v->name;
	v->group.api_version = arena_printf(b->a, "%s/%s", v->group.group, v->name);
	v->group.package = "";
	v->self = &v->kind;
	v->group.kinds = &v->self;
	v->group.nkinds = 1;
	v->kind = (struct api_kind){
		.group = &v->group,
		.namespaced = doc_str_is(doc_get(spec, "scope"), "Namespaced"),
		.verbs = API_CREATE | API_DELETE | API_DELETE_COLLECTION | API_GET | API_LIST |
			 API_PATCH | API_UPDATE | API_WATCH,
		.custom = &v->custom,
	};
	v->custom.served = doc_true(doc_get(d, "served"));
	v->custom.form = ++forms;
	b->group = &v->group;
	if (!v->group.api_version)
		return custom_full(b);
	r = read_names(b, names, &v->kind);
	if (r == 0)
		r = read_schema(b, d, v);
	if (r == 0)
		r = make_list(b, v);
	if (r == 0)
		r = read_columns(b, d, v);
	if (r == 0)
		r = read_selectable(b, d, v);
	if (r == 0)
		r = read_subs(b, d, v);
	return r < 0 ? r : read_warning(b, d, v);
}

static int read_versions(struct custom_build *b, const struct doc *crd, struct custom *c)
{
	const struct doc *spec = doc_get(crd, "spec"), *list = doc_get(spec, "versions"),
			 *names = doc_find(crd, "status.acceptedNames");

	if (doc_len(doc_get(names, "kind")) == 0 && doc_slice(doc_get(names, "kind")).n == 0)
		names = doc_get(spec, "names");
	c->nversions = doc_len(list);
	c->versions = ARENA_ARRAY(b->a, struct version, c->nversions);
	c->served = ARENA_ARRAY(b->a, const struct api_kind *, c->nversions);
	if (!c->versions || !c->served)
		return custom_full(b);
	for (size_t i = 0; i < c->nversions; i++) {
		const struct doc *d = doc_at(list, i);
		struct version *v = &c->versions[i];
		int r = read_version(b, spec, names, d, v);

		if (r < 0)
			return err_wrap(b->err, "version '%s'", v->name ? v->name : "");
		v->custom.definition = c;
		if (v->custom.served)
			c->served[c->nserved++] = &v->kind;
		if (doc_true(doc_get(d, "storage")))
			c->stored = &v->kind;
	}
	return c->stored ? 0 : err_set(b->err, ERR_INVALID, "no version is the one that is stored");
}

int custom_compile(const struct api *api, const struct doc *crd, struct custom **ret,
		   struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("custom resource", CUSTOM_BYTES_MAX);
	struct custom_build b = { .api = api, .a = a, .err = err };
	struct custom *c = ARENA_NEW(a, struct custom);
	struct doc *own = doc_copy(a, crd);
	int r;

	if (!c || !own)
		return arena_quota(a, err);
	*c = (struct custom){ .refs = 1, .a = a };
	if (doc_str_is(doc_find(own, "spec.conversion.strategy"), "Webhook")) {
		c->webhook = doc_find(own, "spec.conversion.webhook");
		if (!c->webhook)
			return err_set(err, ERR_INVALID,
				       "spec.conversion.webhook: it is needed when strategy is "
				       "Webhook");
	}
	r = read_versions(&b, own, c);
	if (r == 0 && arena_exceeded(a))
		r = arena_quota(a, err);
	if (r < 0)
		return r;
	a = NULL; /* it is the definition's now */
	*ret = c;
	return 0;
}

bool custom_fills(const struct api_kind *kind)
{
	return kind->custom->has_defaults;
}

static const struct api_kind *version_of(const struct custom *c, const struct doc *api_version)
{
	for (size_t i = 0; i < c->nversions; i++)
		if (doc_str_is(api_version, c->versions[i].group.api_version))
			return &c->versions[i].kind;
	return NULL;
}

int custom_foreign(void *arg, const struct api_kind *kind, struct slice bytes, struct buf *out,
		   struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("stored object", STORED_MAX);
	const struct api_kind *own;
	struct doc *d, canonical, *version;
	int r = json_read(a, bytes, NULL, &d, err);

	if (r < 0)
		return r;
	version = doc_is(d, DOC_OBJECT) ? doc_get(d, "apiVersion") : NULL;
	if (!doc_is(version, DOC_STRING) || !doc_str_is(doc_get(d, "kind"), kind->kind))
		return err_set(err, ERR_INVALID, "it is no %s of %s", kind->kind,
			       kind->group->group);
	own = custom_webhook(kind) ? version_of(kind->custom->definition, version) : kind;
	if (!own)
		return err_set(err, ERR_INVALID, "it is stored in version '%.*s', which %s has not",
			       (int)MIN(version->n, 64u), version->s, kind->resource);
	*version = doc_borrow(own->group->api_version, strlen(own->group->api_version));
	r = api_admit(own->type, d, a, 0, NULL, &canonical, err);
	return r < 0 ? r : json_write(&canonical, NULL, out, err);
}
