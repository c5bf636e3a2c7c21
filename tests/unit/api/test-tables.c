/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of the built-in kinds beside what upstream publishes: OpenAPI's definitions, and the
 * numbers of protobuf. The data lie in $TEU_SHARED/data/kubernetes; without them those cases skip.
 */
#include "upstream-data.h"

#include "api/api.h"
#include "api/openapi.h"
#include "doc/protobuf.h"

#include <stdio.h>

static struct api loaded(struct arena *a)
{
	struct err err = ERR_INIT;
	struct api api;

	assert_int_equal(api_load(a, &api, &err), 0);
	return api;
}

static void kinds_are_found(void **state)
{
	CLEANUP(api_fini) struct api api = loaded(*state);
	const struct api_kind *pod = api_kind(&api, "v1", "Pod");
	const struct api_sub *scale;

	assert_non_null(pod);
	assert_ptr_equal(api_resource(&api, "v1", "pods"), pod);
	assert_string_equal(pod->list_kind, "PodList");
	assert_string_equal(pod->short_names[0], "po");
	assert_null(pod->short_names[1]);
	assert_string_equal(pod->categories[0], "all");
	assert_true(pod->namespaced);
	assert_int_equal(pod->verbs, 0xff);
	assert_string_equal(pod->columns[5].name, "IP");
	assert_true(pod->columns[5].wide);
	assert_false(pod->columns[0].wide);
	assert_string_equal(pod->type->definition, "io.k8s.api.core.v1.Pod");
	assert_string_equal(pod->list->schema.name, "PodList");
	scale = api_kind_sub(api_kind(&api, "apps/v1", "Deployment"), "scale");
	assert_non_null(scale);
	assert_string_equal(scale->group, "autoscaling");
	assert_string_equal(scale->kind, "Scale");
	assert_int_equal(scale->verbs, API_GET | API_UPDATE | API_PATCH);
	assert_null(api_kind(&api, "v1", "Deployment"));
	assert_null(api_resource(&api, "apps/v1", "pods"));
	assert_null(api_group(&api, "nothing/v1"));
	assert_ptr_equal(api_type(&api, "apps/v1", "DeleteOptions"),
			 api_type(&api, "v1", "DeleteOptions"));
	assert_string_equal(api_verb_name(API_DELETE_COLLECTION), "deletecollection");
	assert_string_equal(api_verb_name((enum api_verb)0), "");
}

static void every_kind_is_an_object_with_metadata(void **state)
{
	CLEANUP(api_fini) struct api api = loaded(*state);

	for (size_t i = 0; i < api.nkinds; i++) {
		const struct api_kind *k = &api.kinds[i];
		const struct schema_field *f =
			schema_find(&k->type->schema, SLICE("metadata"), 0, false);

		assert_true(k->type->notes[0].flags & API_TYPE_META);
		assert_non_null(f);
		assert_string_equal(f->sub->name, "ObjectMeta");
		assert_string_equal(api_type_of(f->sub)->definition,
				    "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
		if (!(k->verbs & API_LIST))
			continue;
		assert_non_null(k->list);
		f = schema_find(&k->list->schema, SLICE("items"), 0, false);
		assert_ptr_equal(f->sub, &k->type->schema);
	}
}

/* ---- OpenAPI v2 beside upstream's ---- */

/* Differences that are meant; member NULL = the whole definition. */
static const struct {
	const char *definition, *member;
} meant[] = {
	{ "io.k8s.apimachinery.pkg.apis.meta.v1.Duration", NULL },
};

static bool is_meant(const char *definition, const char *member)
{
	for (size_t i = 0; i < ARRAY_LEN(meant); i++)
		if (strcmp(meant[i].definition, definition) == 0 &&
		    (!meant[i].member || (member && strcmp(meant[i].member, member) == 0)))
			return true;
	return false;
}

/* Versions that are off by default are in upstream's document and not in ours. */
static bool is_off(const char *name)
{
	return strstr(name, "alpha") || strstr(name, "beta") || strstr(name, ".pkg.version.") ||
	       strstr(name, "meta.v1.Patch") || strstr(name, "meta.v1.GroupResource");
}

static bool same_list(const struct doc *x, const struct doc *y)
{
	if (doc_len(x) != doc_len(y))
		return false;
	DOC_EACH (a, x) {
		bool found = false;

		DOC_EACH (b, y)
			found |= doc_equal(a, b);
		if (!found)
			return false;
	}
	return true;
}

static int differ(struct arena *a, const char *def, const char *member, const struct doc *ours,
		  const struct doc *theirs)
{
	if (is_meant(def, member))
		return 0;
	print_error("%s.%s: ours %s, theirs %s\n", def, member, ours ? written(a, ours, NULL) : "-",
		    theirs ? written(a, theirs, NULL) : "-");
	return 1;
}

static int compare_properties(struct arena *a, const char *def, struct doc *ours,
			      struct doc *theirs)
{
	int bad = 0;

	DOC_EACH_MEMBER (key, value, theirs) {
		struct doc *mine = doc_getn(ours, doc_slice(key));
		const char *name = doc_cstr(a, key);

		doc_remove(value, "description");
		if (mine)
			doc_remove(mine, "description");
		if (!mine || !doc_equal(mine, value))
			bad += differ(a, def, name, mine, value);
	}
	DOC_EACH_MEMBER (key, value, ours)
		if (!doc_getn(theirs, doc_slice(key)))
			bad += differ(a, def, doc_cstr(a, key), value, NULL);
	return bad;
}

static int compare_definition(struct arena *a, const char *def, struct doc *ours,
			      struct doc *theirs)
{
	static const char *const same[] = { "type", "format", "x-kubernetes-map-type",
					    "x-kubernetes-unions" };
	const char *kinds = "x-kubernetes-group-version-kind";
	int bad = compare_properties(a, def, doc_get(ours, "properties"),
				     doc_get(theirs, "properties"));

	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		const struct doc *x = doc_get(ours, same[i]), *y = doc_get(theirs, same[i]);

		if (!x != !y || (x && !doc_equal(x, y)))
			bad += differ(a, def, same[i], x, y);
	}
	if (!same_list(doc_get(ours, "required"), doc_get(theirs, "required")))
		bad += differ(a, def, "required", doc_get(ours, "required"),
			      doc_get(theirs, "required"));
	/* a kind of every group is one of those here */
	if (doc_len(doc_get(theirs, kinds)) <= 1 &&
	    !same_list(doc_get(ours, kinds), doc_get(theirs, kinds)))
		bad += differ(a, def, kinds, doc_get(ours, kinds), doc_get(theirs, kinds));
	return bad;
}

static void openapi_v2_is_upstreams(void **state)
{
	struct arena *a = *state;
	struct doc *swagger = data(a, "swagger-1.36.json.gz");
	struct err err = ERR_INIT;
	struct doc ours, *theirs;
	int bad = 0, n = 0;
	CLEANUP(api_fini) struct api api = { 0 };

	if (!swagger)
		skip();
	api = loaded(a);
	theirs = doc_get(swagger, "definitions");
	assert_int_equal(api_openapi_definitions(&api, API_OPENAPI_V2, a, &ours, &err), 0);
	DOC_EACH_MEMBER (key, value, theirs) {
		const char *name = doc_cstr(a, key);
		struct doc *mine = doc_get(&ours, name);

		if (is_off(name) && !mine)
			continue;
		n++;
		bad += mine ? compare_definition(a, name, mine, value)
			    : differ(a, name, "(all)", NULL, NULL);
	}
	DOC_EACH_MEMBER (key, value, &ours)
		if (!doc_getn(theirs, doc_slice(key)))
			bad += differ(a, doc_cstr(a, key), NULL, value, NULL);
	assert_true(n > 500);
	assert_int_equal(bad, 0);
}

/* ---- protobuf numbers beside upstream's ---- */

static unsigned part_of(const struct api_type *t, unsigned up, unsigned number)
{
	for (unsigned i = 0; i < t->schema.nparts; i++)
		if (t->schema.parts[i].pb == number && t->schema.parts[i].up == up)
			return i + 1;
	return 0;
}

static const struct schema_field *row_of(const struct api_type *t, unsigned number)
{
	for (unsigned i = 0; i < t->schema.n; i++)
		if (t->schema.fields[i].pb == number && t->schema.fields[i].part == 0)
			return &t->schema.fields[i];
	return NULL;
}

/* What a row is on the wire, in the words of a .proto file (messages: by their last name). */
static const char *wire_word(const struct schema_field *f, const struct api_note *n, int type)
{
	switch ((enum schema_type)type) {
	case SCHEMA_BOOL: return "bool";
	case SCHEMA_INT: return (f->width & SCHEMA_W_SIZE) <= 4 ? "int32" : "int64";
	case SCHEMA_DOUBLE: return "double";
	case SCHEMA_BYTES: return "bytes";
	case SCHEMA_TIME: return f->format == FORMAT_MICRO_TIME ? "MicroTime" : "Time";
	case SCHEMA_QUANTITY: return "Quantity";
	case SCHEMA_INT_OR_STR: return "IntOrString";
	case SCHEMA_OBJECT: return n->type->schema.name;
	case SCHEMA_ANY: {
		static const char *const names[] = { "RawExtension",
						     "RawExtension",
						     "JSON",
						     "FieldsV1",
						     "JSONSchemaPropsOrBool",
						     "JSONSchemaPropsOrArray",
						     "JSONSchemaPropsOrStringArray" };

		return names[n->word];
	}
	default: return (f->wire & SCHEMA_PB_KIND) == SCHEMA_PB_MESSAGE ? "Duration" : "string";
	}
}

static const char *last_name(const char *type)
{
	const char *dot = strrchr(type, '.');

	return dot ? dot + 1 : type;
}

/* A named list that is a message: Verbs, ExtraValue. */
static bool is_wrapped(const struct schema_field *f)
{
	return f->type == SCHEMA_LIST && (f->wire & SCHEMA_PB_KIND) == SCHEMA_PB_MESSAGE;
}

static bool row_matches(const struct schema_field *f, const struct api_note *n, const char *type,
			const char *label)
{
	const char *last = last_name(type);
	const struct schema_field *e = f->elem_row ? f->elem : f;
	int inner = f->elem_row ? f->elem->type : f->elem_type;

	if (is_wrapped(f))
		return strcmp(label, "optional") == 0 &&
		       (strcmp(last, "Verbs") == 0 || strcmp(last, "ExtraValue") == 0);
	if (f->type == SCHEMA_MAP) {
		char want[128];

		(void)snprintf(want, sizeof(want), "map<string,");
		if (strncmp(type, "map<", 4) != 0 && strcmp(label, "map") != 0)
			return false;
		if (is_wrapped(e))
			return strstr(type, "ExtraValue") || strstr(type, "Verbs");
		return strstr(type, wire_word(e, n, inner)) != NULL;
	}
	if (f->type == SCHEMA_LIST)
		return strcmp(label, "repeated") == 0 && strcmp(last, wire_word(e, n, inner)) == 0;
	return strcmp(label, "repeated") != 0 && strcmp(last, wire_word(f, n, f->type)) == 0;
}

static int compare_message(const struct api_type *t, const struct doc *fields)
{
	struct arena *a = arena_new("message", 1 << 20);
	size_t seen = 0, own = 0;
	int bad = 0;

	DOC_EACH (x, fields) {
		int64_t number = 0;
		const char *name = doc_cstr(a, doc_at(x, 1)), *type = doc_cstr(a, doc_at(x, 2));
		const char *label = doc_cstr(a, doc_at(x, 3));
		const struct schema_field *f;

		assert_int_equal(doc_int64(doc_at(x, 0), &number), 0);
		if (part_of(t, 0, (unsigned)number))
			continue;
		f = row_of(t, (unsigned)number);
		if (f && row_matches(f, api_note_of(t, f), type, label)) {
			seen++;
			continue;
		}
		print_error("%s: field %d %s %s %s: %s\n", t->definition, (int)number, name, label,
			    type, f ? f->name : "is missing");
		bad++;
	}
	for (unsigned i = 0; i < t->schema.n; i++)
		own += t->schema.fields[i].pb && !t->schema.fields[i].part;
	if (own != seen && !bad) {
		print_error("%s: %zu fields, upstream has %zu\n", t->definition, own, seen);
		bad++;
	}
	arena_free(a);
	return bad;
}

static void protobuf_numbers_are_upstreams(void **state)
{
	struct arena *a = *state;
	struct doc *proto = data(a, "proto-fields-1.36.json");
	int bad = 0, n = 0;
	CLEANUP(api_fini) struct api api = { 0 };

	if (!proto)
		skip();
	api = loaded(a);
	DOC_EACH_MEMBER (file, content, proto) {
		const char *package = doc_cstr(a, doc_get(content, "package"));

		(void)file;
		for (size_t i = 0; i < api.ntypes; i++) {
			const struct api_type *t = &api.types[i];
			const struct doc *m;

			if (strcmp(t->group->package, package) != 0)
				continue;
			m = doc_get(doc_get(content, "messages"), t->schema.name);
			if (!m)
				continue;
			n++;
			bad += compare_message(t, m);
		}
	}
	assert_true(n > 500);
	assert_int_equal(bad, 0);
}

/* ---- what is special on the wire ---- */

static void is_wire(struct arena *a, const struct api *api, const char *gv, const char *name,
		    const char *json, const char *hex)
{
	const struct api_type *t = api_type(api, gv, name);
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 16);
	struct err err = ERR_INIT;
	char text[512];
	struct doc back;

	assert_non_null(t);
	if (protobuf_encode(&t->schema, must_read(a, json), NULL, &out, &err) != 0)
		print_error("%s\n", err.msg);
	assert_true(out.n * 2 < sizeof(text));
	for (size_t i = 0; i < out.n; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", (unsigned char)out.p[i]);
	text[2 * out.n] = '\0';
	assert_string_equal(text, hex);
	assert_int_equal(protobuf_decode(&t->schema, slice_of(out.p, out.n), a, NULL, &back, &err),
			 0);
	assert_doc(a, &back, json);
}

static void embedded_structs_are_messages(void **state)
{
	struct arena *a = *state;
	CLEANUP(api_fini) struct api api = loaded(a);

	is_wire(a, &api, "v1", "Volume", "{\"name\":\"v\",\"emptyDir\":{}}", "0a017612021200");
	is_wire(a, &api, "v1", "Volume", "{\"name\":\"v\"}", "0a0176");
	is_wire(a, &api, "v1", "Probe", "{\"exec\":{\"command\":[\"a\"]},\"periodSeconds\":9}",
		"0a050a030a01612009");
	/* two deep: resourceNames, then operations, then the rule within */
	is_wire(a, &api, "admissionregistration.k8s.io/v1", "NamedRuleWithOperations",
		"{\"resourceNames\":[\"n\"],\"operations\":[\"CREATE\"],\"apiGroups\":[\"g\"],"
		"\"scope\":\"*\"}",
		"0a016e12100a0643524541544512060a016722012a");
}

static void lists_with_names_are_messages(void **state)
{
	struct arena *a = *state;
	CLEANUP(api_fini) struct api api = loaded(a);

	is_wire(a, &api, "authentication.k8s.io/v1", "UserInfo",
		"{\"extra\":{\"k\":[\"a\",\"b\"]}}", "220b0a016b12060a01610a0162");
	is_wire(a, &api, "v1", "APIResource", "{\"verbs\":[\"get\"]}", "22050a03676574");
}

static void schemas_or_something_else(void **state)
{
	struct arena *a = *state;
	CLEANUP(api_fini) struct api api = loaded(a);
	const char *gv = "apiextensions.k8s.io/v1";

	is_wire(a, &api, gv, "JSONSchemaProps", "{\"additionalProperties\":false}", "f201020800");
	is_wire(a, &api, gv, "JSONSchemaProps", "{\"additionalProperties\":true}", "f201020801");
	is_wire(a, &api, gv, "JSONSchemaProps", "{\"additionalProperties\":{\"type\":\"x\"}}",
		"f20107080112032a0178");
	is_wire(a, &api, gv, "JSONSchemaProps", "{\"items\":{\"type\":\"x\"}}", "c201050a032a0178");
	is_wire(a, &api, gv, "JSONSchemaProps", "{\"items\":[{\"type\":\"x\"}]}",
		"c2010512032a0178");
	is_wire(a, &api, gv, "JSONSchemaProps", "{\"dependencies\":{\"k\":[\"a\",\"b\"]}}",
		"82020b0a016b1206120161120162");
	is_wire(a, &api, gv, "JSONSchemaProps", "{\"default\":{\"a\":1}}",
		"42090a077b2261223a317d");
}

/* ---- texts ---- */

#define TEXT_MAX 200

/* One line of printable ASCII, ended and without blanks to spare. */
static bool is_text(const char *doc)
{
	size_t n = strlen(doc);

	if (n == 0 || n > TEXT_MAX || doc[0] == ' ' || doc[n - 1] != '.' || strstr(doc, "  "))
		return false;
	for (size_t i = 0; i < n; i++)
		if (doc[i] < ' ' || doc[i] > '~')
			return false;
	return true;
}

static int bad_text(const char *definition, const char *member, const char *doc)
{
	print_error("%s.%s: \"%s\"\n", definition, member, doc);
	return 1;
}

/* kind and apiVersion have theirs from openapi.c. */
static void everything_has_a_text(void **state)
{
	CLEANUP(api_fini) struct api api = loaded(*state);
	int bad = 0;

	for (size_t i = 0; i < api.ntypes; i++) {
		const struct api_type *t = &api.types[i];

		if (!is_text(t->doc))
			bad += bad_text(t->definition, "", t->doc);
		for (unsigned j = 0; j < t->schema.n; j++)
			if (!(t->notes[j].flags & API_TYPE_META) && !is_text(t->notes[j].doc))
				bad += bad_text(t->definition, t->schema.fields[j].name,
						t->notes[j].doc);
	}
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(kinds_are_found),
		CASE(every_kind_is_an_object_with_metadata),
		CASE(openapi_v2_is_upstreams),
		CASE(protobuf_numbers_are_upstreams),
		CASE(embedded_structs_are_messages),
		CASE(lists_with_names_are_messages),
		CASE(schemas_or_something_else),
		CASE(everything_has_a_text),
	};

	return cmocka_run_group_tests_name("api tables", tests, NULL, NULL);
}
