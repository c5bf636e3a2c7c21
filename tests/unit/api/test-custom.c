/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions compiled: kinds, what is refused, unknown fields, defaults, metadata. */
#include "custom-kit.h"

#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

static const char widgets[] =
	"apiVersion: apiextensions.k8s.io/v1\n"
	"kind: CustomResourceDefinition\n"
	"metadata: {name: widgets.x.example.com}\n"
	"spec:\n"
	"  group: x.example.com\n"
	"  scope: Cluster\n"
	"  names: {plural: widgets, kind: Widget, shortNames: [wd], categories: [all]}\n"
	"  versions:\n"
	"  - name: v1beta1\n"
	"    served: true\n"
	"    storage: false\n"
	"    deprecated: true\n"
	"    schema: {openAPIV3Schema: {type: object, description: Old., properties: {spec: {type: "
	"object, x-kubernetes-preserve-unknown-fields: true}}}}\n"
	"  - name: v1\n"
	"    served: true\n"
	"    storage: true\n"
	"    schema:\n"
	"      openAPIV3Schema:\n"
	"        type: object\n"
	"        properties:\n"
	"          spec:\n"
	"            type: object\n"
	"            properties:\n"
	"              replicas: {type: integer}\n"
	"              color: {type: string}\n"
	"          status: {type: object, properties: {replicas: {type: integer}}}\n"
	"    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, "
	"statusReplicasPath: .status.replicas, labelSelectorPath: .status.selector}}\n"
	"    selectableFields: [{jsonPath: .spec.color}]\n"
	"    additionalPrinterColumns: [{name: Replicas, type: integer, jsonPath: .spec.replicas, "
	"priority: 1}]\n"
	"  - name: v2\n"
	"    served: false\n"
	"    storage: false\n"
	"    schema: {openAPIV3Schema: {type: object}}\n";

static void a_definition_becomes_kinds(void **state)
{
	struct kit *x = *state;
	struct custom *c = NULL;
	struct err err = ERR_INIT;
	const struct api_kind *const *kinds, *v1;
	const struct api_sub *sub;
	size_t n;

	assert_int_equal(custom_compile(&x->api, kit_yaml(x, widgets), &c, &err), 0);
	kinds = custom_kinds(c, &n);
	assert_int_equal(n, 2);
	assert_string_equal(kinds[0]->group->api_version, "x.example.com/v1beta1");
	assert_string_equal(kinds[0]->custom->warning,
			    "x.example.com/v1beta1 Widget is deprecated");
	assert_int_equal(kinds[0]->nsubs, 0);
	assert_false(kinds[0]->custom->has_status);
	v1 = custom_stored(c);
	assert_ptr_equal(v1, kinds[1]);
	assert_ptr_equal(v1, custom_version(c, "v1"));
	assert_false(custom_version(c, "v2")->custom->served);
	assert_null(custom_version(c, "v3"));
	assert_string_equal(v1->group->group, "x.example.com");
	assert_string_equal(v1->group->version, "v1");
	assert_int_equal(v1->group->nkinds, 1);
	assert_ptr_equal(v1->group->kinds[0], v1);
	assert_string_equal(v1->kind, "Widget");
	assert_string_equal(v1->list_kind, "WidgetList");
	assert_string_equal(v1->resource, "widgets");
	assert_string_equal(v1->singular, "widget");
	assert_string_equal(v1->short_names[0], "wd");
	assert_null(v1->short_names[1]);
	assert_string_equal(v1->categories[0], "all");
	assert_false(v1->namespaced);
	assert_null(v1->custom->warning);
	assert_string_equal(v1->selectable[0], "spec.color");
	assert_null(v1->selectable[1]);
	assert_string_equal(v1->type->definition, "com.example.x.v1.Widget");
	assert_string_equal(v1->list->definition, "com.example.x.v1.WidgetList");
	assert_string_equal(kinds[0]->type->doc, "Old.");
	sub = api_kind_sub(v1, "status");
	assert_int_equal(sub->verbs, API_GET | API_PATCH | API_UPDATE);
	assert_string_equal(sub->kind, "Widget");
	sub = api_kind_sub(v1, "scale");
	assert_string_equal(sub->group, "autoscaling");
	assert_string_equal(v1->custom->scale->selector, ".status.selector");
	assert_int_equal(v1->ncolumns, 2);
	assert_true(v1->columns[1].wide);
	assert_ptr_equal(custom_ref(c), c);
	custom_unref(c);
	custom_unref(c);
	custom_unref(NULL);
}

static void accepted_names_come_before_wanted_ones(void **state)
{
	struct kit *x = *state;
	struct doc *crd = kit_crd(x, "{type: object}", "{}");
	struct custom *c = NULL;
	struct err err = ERR_INIT;
	struct doc *status = doc_set_object(x->a, crd, "status");

	doc_set(x->a, status, "acceptedNames",
		*kit_yaml(x, "{plural: foos, singular: foo, kind: Foo, listKind: Foos}"));
	assert_int_equal(custom_compile(&x->api, crd, &c, &err), 0);
	assert_string_equal(custom_stored(c)->list_kind, "Foos");
	custom_unref(c);
}

static void what_cannot_be_compiled_is_named(void **state)
{
	static const struct {
		const char *schema, *more, *words;
	} rows[] = {
		{ "{type: object, x-kubernetes-validations: [{rule: 'self.x'}]}", "{}",
		  "version 'v1': schema.openAPIV3Schema: x-kubernetes-validations[0].rule: "
		  "Invalid value: " },
		{ "{type: object, properties: {spec: {type: object, properties: {a: {type: string, "
		  "pattern: '('}}}}}",
		  "{}",
		  "properties[spec]: properties[a]: pattern: error parsing regexp: missing closing "
		  ")" },
		{ "{type: string}", "{}", "must be of type object and structural" },
		{ "{type: object, properties: {a: {type: array, items: []}}}", "{}", NULL },
		{ "{type: object, properties: {a: 1}}", "{}",
		  "properties[a]: must be a schema object" },
		{ "{type: object, properties: {a: {type: array, x-kubernetes-list-type: map, "
		  "x-kubernetes-list-map-keys: ['b c'], items: {type: object}}}}",
		  "{}", "blanks in their names" },
		{ "{type: object}",
		  "{additionalPrinterColumns: [{name: A, type: string, jsonPath: "
		  "'.a['}]}",
		  "additionalPrinterColumns[0].jsonPath: unterminated array" },
		{ "{type: object}", "{storage: false}", "no version is the one that is stored" },
	};
	struct kit *x = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct custom *c = NULL;
		struct err err = ERR_INIT;
		int r = custom_compile(&x->api, kit_crd(x, rows[i].schema, rows[i].more), &c, &err);

		if (!rows[i].words) {
			assert_int_equal(r, 0);
			custom_unref(c);
			continue;
		}
		if (r != -ERR_INVALID || !strstr(err.msg, rows[i].words))
			fail_msg("%s: '%s'", rows[i].schema, err.msg);
	}
}

static struct slice kit_head(struct kit *x, const struct api_kind *k)
{
	return slice_str(arena_printf(x->a,
				      "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{}}",
				      k->kind, k->group->api_version));
}

static void what_converts_is_told_of_each_version(void **state)
{
	struct kit *x = *state;
	struct doc *crd = kit_crd(x, "{type: object}", "{}"), *conversion;
	CLEANUP(custom_unref) struct custom *c = NULL;
	CLEANUP(custom_unref) struct custom *again = NULL;
	struct err err = ERR_INIT;

	conversion = doc_set_object(x->a, doc_get(crd, "spec"), "conversion");
	doc_set_str(x->a, conversion, "strategy", "Webhook");
	assert_int_equal(custom_compile(&x->api, crd, &c, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "spec.conversion.webhook"));
	doc_set(x->a, conversion, "webhook",
		*must_read(x->a, "{\"conversionReviewVersions\":[\"v1\"]}"));
	assert_int_equal(custom_compile(&x->api, crd, &c, &err), 0);
	assert_int_equal(custom_compile(&x->api, crd, &again, &err), 0);
	assert_non_null(custom_webhook(custom_stored(c)));
	assert_int_not_equal(custom_stored(c)->custom->form, custom_stored(again)->custom->form);
	assert_ptr_equal(custom_kind_of(custom_stored(c), kit_head(x, custom_stored(c))),
			 custom_stored(c));
	assert_null(custom_kind_of(custom_stored(c), SLICE("{\"kind\":\"Bar\"")));
	assert_null(custom_kind_of(custom_stored(c), SLICE("")));
}

/* A definition with a schema in JSON. */
static struct doc *around(struct kit *x, const char *schema)
{
	struct doc *crd = kit_crd(x, "{type: object}", "{}");

	doc_set(x->a, doc_find(crd, "spec.versions.0.schema"), "openAPIV3Schema",
		*must_read(x->a, schema));
	return crd;
}

static void too_deep_and_too_large_definitions_are_refused(void **state)
{
	struct kit *x = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(64 << 20);
	struct custom *c = NULL;
	struct err err = ERR_INIT;

	for (int i = 0; i < 110; i++)
		buf_adds(&b, "{\"type\":\"object\",\"properties\":{\"a\":");
	buf_adds(&b, "{\"type\":\"string\"}");
	for (int i = 0; i < 110; i++)
		buf_adds(&b, "}}");
	assert_int_equal(custom_compile(&x->api, around(x, buf_str(&b)), &c, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "more than 100 times"));
	buf_clear(&b);
	buf_adds(&b, "{\"type\":\"object\",\"properties\":{");
	for (int i = 0; i < 60000; i++)
		buf_addf(&b, "%s\"a%d\":{\"type\":\"string\"}", i ? "," : "", i);
	buf_adds(&b, "}}");
	assert_int_equal(custom_compile(&x->api, around(x, buf_str(&b)), &c, &err), -ERR_QUOTA);
}

/* ---- admission ---- */

struct admit_row {
	const char *schema, *obj, *want; /* want: of the object without kind, ... */
	const char *strays;		 /* joined by "; " */
};

static const char *joined(struct kit *x, const struct api_strays *s)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 16);

	for (size_t i = 0; i < s->n && i < API_STRAYS_MAX; i++)
		buf_addf(&b, "%s%s", i ? "; " : "", s->v[i]);
	return arena_strndup(x->a, buf_str(&b), b.n);
}

/* The object of kind Foo with these members, admitted, without its head. */
static const char *admitted(struct kit *x, const char *schema, const char *obj, unsigned flags,
			    const char **ret_strays)
{
	struct custom *c = kit_compile(x, schema, "{}");
	struct doc *d = kit_yaml(x, obj), ret;
	struct api_strays strays = { 0 };
	struct err err = ERR_INIT;
	const char *text;

	if (api_admit(custom_stored(c)->type, d, x->a, flags, &strays, &ret, &err) < 0) {
		custom_unref(c);
		return arena_printf(x->a, "%d! %s", err.code, err.msg);
	}
	(void)doc_remove(&ret, "metadata");
	text = arena_strdup(x->a, written(x->a, &ret, NULL));
	custom_unref(c);
	*ret_strays = joined(x, &strays);
	return text;
}

static void unknown_fields_go_and_are_told(void **state)
{
	static const struct admit_row rows[] = {
		{ "{a: {type: string}}", "{spec: {a: x, b: 1, c: {d: 2}}, other: 1}",
		  "{\"spec\":{\"a\":\"x\"}}",
		  "unknown field \"other\"; unknown field \"spec.b\"; unknown field \"spec.c\"" },
		{ "{z: {type: string}, a: {type: string}}", "{spec: {z: x, a: why}}",
		  "{\"spec\":{\"z\":\"x\",\"a\":\"why\"}}", "" },
		{ "{a: {type: object}}", "{spec: {a: {b: 1}}}", "{\"spec\":{\"a\":{}}}",
		  "unknown field \"spec.a.b\"" },
		{ "{a: {type: object, x-kubernetes-preserve-unknown-fields: true}}",
		  "{spec: {a: {b: {c: [1, {d: 2}]}}}}",
		  "{\"spec\":{\"a\":{\"b\":{\"c\":[1,{\"d\":2}]}}}}", "" },
		{ "{a: {x-kubernetes-preserve-unknown-fields: true}}", "{spec: {a: [1, {b: 2}]}}",
		  "{\"spec\":{\"a\":[1,{\"b\":2}]}}", "" },
		{ "{a: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {b: "
		  "{type: object, properties: {c: {type: string}}}}}}",
		  "{spec: {a: {x: {why: 1}, b: {c: z, d: 1}}}}",
		  "{\"spec\":{\"a\":{\"x\":{\"why\":1},\"b\":{\"c\":\"z\"}}}}",
		  "unknown field \"spec.a.b.d\"" },
		{ "{a: {type: array, items: {type: object, properties: {b: {type: string}}}}}",
		  "{spec: {a: [{b: x}, {c: why}]}}", "{\"spec\":{\"a\":[{\"b\":\"x\"},{}]}}",
		  "unknown field \"spec.a[1].c\"" },
		{ "{a: {type: object, additionalProperties: {type: object, properties: {b: {type: "
		  "integer}}}}}",
		  "{spec: {a: {k: {b: 1, c: 2}}}}", "{\"spec\":{\"a\":{\"k\":{\"b\":1}}}}",
		  "unknown field \"spec.a.k.c\"" },
		{ "{a: {type: object, additionalProperties: true}}",
		  "{spec: {a: {k: 1, l: {m: 2}}}}", "{\"spec\":{\"a\":{\"k\":1,\"l\":{}}}}",
		  "unknown field \"spec.a.l.m\"" },
		{ "{a: {type: string}}", "{spec: {a: {b: 1}}}", "{\"spec\":{\"a\":{}}}",
		  "unknown field \"spec.a.b\"" },
		{ "{a: {type: object, x-kubernetes-embedded-resource: true, properties: {spec: "
		  "{type: "
		  "object}}}}",
		  "{spec: {a: {kind: Pod, apiVersion: v1, metadata: {name: num, foo: 1}, x: 1}}}",
		  "{\"spec\":{\"a\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		  "\"num\"}"
		  "}}}",
		  "unknown field \"spec.a.metadata.foo\"; unknown field \"spec.a.x\"" },
	};
	struct kit *x = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *strays = "", *text = admitted(x, kit_spec(x, rows[i].schema),
							  rows[i].obj, 0, &strays);

		if (strcmp(text, rows[i].want) != 0 || strcmp(strays, rows[i].strays) != 0)
			fail_msg("%s: '%s' (%s)", rows[i].obj, text, strays);
	}
}

static void defaults_are_filled_in_also_below_defaults(void **state)
{
	static const struct admit_row rows[] = {
		{ "{a: {type: integer, default: 1}}", "{spec: {}}", "{\"spec\":{\"a\":1}}", "" },
		{ "{a: {type: integer, default: 1}}", "{spec: {a: 0}}", "{\"spec\":{\"a\":0}}",
		  "" },
		{ "{a: {type: integer, default: 1}}", "{}", "{}", "" },
		{ "{a: {type: integer, default: 1}}", "{spec: {a: null}}", "{\"spec\":{\"a\":1}}",
		  "" },
		{ "{a: {type: integer, default: 1, nullable: true}}", "{spec: {a: null}}",
		  "{\"spec\":{\"a\":null}}", "" },
		{ "{a: {type: integer}}", "{spec: {a: null}}", "{\"spec\":{}}", "" },
		{ "{a: {type: integer, nullable: true}}", "{spec: {a: null}}",
		  "{\"spec\":{\"a\":null}}", "" },
		{ "{o: {type: object, default: {}, properties: {a: {type: string, default: x}}}}",
		  "{spec: {}}", "{\"spec\":{\"o\":{\"a\":\"x\"}}}", "" },
		{ "{l: {type: array, items: {type: object, properties: {a: {type: string, default: "
		  "x}}}}}",
		  "{spec: {l: [{}, {a: why}]}}",
		  "{\"spec\":{\"l\":[{\"a\":\"x\"},{\"a\":\"why\"}]}}", "" },
		{ "{l: {type: array, items: {type: integer, default: 7}}}",
		  "{spec: {l: [null, 1]}}", "{\"spec\":{\"l\":[7,1]}}", "" },
		{ "{l: {type: array, items: {type: integer}}}", "{spec: {l: [null]}}",
		  "{\"spec\":{\"l\":[null]}}", "" },
		{ "{m: {type: object, additionalProperties: {type: object, properties: {a: {type: "
		  "boolean, default: true}}}}}",
		  "{spec: {m: {k: {}, num: null}}}", "{\"spec\":{\"m\":{\"k\":{\"a\":true}}}}",
		  "" },
		{ "{b: {type: string, default: x}, a: {type: string}, c: {type: string, default: "
		  "why}}",
		  "{spec: {a: z}}", "{\"spec\":{\"a\":\"z\",\"b\":\"x\",\"c\":\"why\"}}", "" },
	};
	struct kit *x = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *strays = "", *text = admitted(x, kit_spec(x, rows[i].schema),
							  rows[i].obj, 0, &strays);

		if (strcmp(text, rows[i].want) != 0 || *strays)
			fail_msg("%s: '%s' (%s)", rows[i].obj, text, strays);
	}
}

static void parts_of_objects_get_nothing_that_is_absent(void **state)
{
	struct kit *x = *state;
	const char *strays = "";
	const char *schema = kit_spec(x, "{a: {type: integer, default: 1}, b: {type: string}}");

	assert_string_equal(admitted(x, schema, "{spec: {b: null, c: 1}}", API_PARTIAL, &strays),
			    "{\"spec\":{\"b\":null}}");
	assert_string_equal(strays, "unknown field \"spec.c\"");
	assert_string_equal(admitted(x, schema, "{spec: {a: null}}", API_NO_DEFAULTS, &strays),
			    "{\"spec\":{\"a\":null}}");
}

static void the_head_stands_first_and_metadata_is_every_object_s(void **state)
{
	struct kit *x = *state;
	struct custom *c = kit_compile(x,
				       "{type: object, x-kubernetes-preserve-unknown-fields: "
				       "true}",
				       "{}");
	struct doc *d = kit_yaml(x, "{z: 1, metadata: {labels: {}, name: num, foo: 1, finalizers: "
				    "[a/b]}, apiVersion: example.com/v1, a: 2, kind: Foo}"),
		   ret;
	struct api_strays strays = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(api_admit(custom_stored(c)->type, d, x->a, 0, &strays, &ret, &err), 0);
	assert_doc(x->a, &ret,
		   "{\"kind\":\"Foo\",\"apiVersion\":\"example.com/"
		   "v1\",\"metadata\":{\"name\":\"num\","
		   "\"finalizers\":[\"a/b\"]},\"z\":1,\"a\":2}");
	assert_string_equal(joined(x, &strays), "unknown field \"metadata.foo\"");
	custom_unref(c);
}

static void what_does_not_fit_the_head_is_refused(void **state)
{
	static const struct {
		const char *obj, *words;
	} rows[] = {
		{ "{metadata: {name: 5}}",
		  "json: cannot unmarshal number into Go struct field ObjectMeta" },
		{ "{kind: 5}", ".kind accessor error" },
		{ "[1]", "cannot unmarshal array" },
		{ "{spec: {kind: 5}}", "spec.kind: Invalid value: number: must be a string" },
		{ "{spec: {metadata: {labels: 1}}}",
		  "spec.metadata: json: cannot unmarshal number" },
	};
	struct kit *x = *state;
	const char *schema = "{type: object, properties: {spec: {type: object, "
			     "x-kubernetes-embedded-resource: true, "
			     "x-kubernetes-preserve-unknown-fields: true}}}";

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *strays, *text = admitted(x, schema, rows[i].obj, 0, &strays);

		if (strtol(text, NULL, 10) != ERR_BAD_REQUEST || !strstr(text, rows[i].words))
			fail_msg("%s: %s", rows[i].obj, text);
	}
}

static void an_object_that_was_stored_in_another_version_is_read(void **state)
{
	struct kit *x = *state;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 16);
	struct custom *c = kit_compile(x, kit_spec(x, "{a: {type: integer, default: 3}}"), "{}");
	struct err err = ERR_INIT;

	assert_int_equal(
		custom_foreign(NULL, custom_stored(c),
			       SLICE("{\"apiVersion\":\"example.com/v0\",\"kind\":\"Foo\","
				     "\"metadata\":{\"name\":\"num\"},\"spec\":{\"b\":1}}"),
			       &out, &err),
		0);
	assert_string_equal(buf_str(&out),
			    "{\"kind\":\"Foo\",\"apiVersion\":\"example.com/v1\",\"metadata\":{"
			    "\"name\":\"num\"},\"spec\":{\"a\":3}}");
	assert_int_equal(
		custom_foreign(NULL, custom_stored(c), SLICE("{\"kind\":\"Bar\"}"), &out, &err),
		-ERR_INVALID);
	assert_non_null(strstr(err.msg, "it is no Foo of example.com"));
	assert_true(custom_foreign(NULL, custom_stored(c), SLICE("{"), &out, &err) < 0);
	custom_unref(c);
}

/* ---- definitions of others ---- */

/* With all their rules, whose cost upstream finds low enough. */
static void definitions_of_gateway_api_compile(void **state)
{
	struct kit *x = *state;
	const char *shared = getenv("TEU_SHARED");
	const char *dir = arena_printf(x->a, "%s/data/kubernetes/gateway-api-crds-v1.6.1",
				       shared ? shared : "");
	DIR *d = opendir(dir);
	unsigned n = 0;

	if (!d)
		skip();
	for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
		CLEANUP(buf_fini) struct buf text = BUF_INIT(16 << 20);
		struct err err = ERR_INIT;
		struct custom *c = NULL;
		struct doc *crd, canonical;
		const struct api_kind *kind =
			api_kind(&x->api, "apiextensions.k8s.io/v1", "CustomResourceDefinition");

		if (e->d_name[0] == '.' || strstr(e->d_name, "_vap_"))
			continue;
		assert_true(fd_read_file(AT_FDCWD, arena_printf(x->a, "%s/%s", dir, e->d_name),
					 &text, &err) >= 0);
		assert_int_equal(yaml_read(x->a, buf_slice(&text), NULL, &crd, &err), 0);
		(void)doc_remove(crd, "status");
		if (custom_compile(&x->api, crd, &c, &err) < 0)
			fail_msg("%s: %s", e->d_name, err.msg);
		custom_unref(c);
		assert_int_equal(api_admit(kind->type, crd, x->a, 0, NULL, &canonical, &err), 0);
		if (api_check(&x->api, kind, "", &canonical, NULL, x->a, &err) < 0)
			fail_msg("%s: %s", e->d_name, err.msg);
		n++;
	}
	closedir(d);
	assert_true(n >= 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT(a_definition_becomes_kinds),
		KIT(accepted_names_come_before_wanted_ones),
		KIT(what_cannot_be_compiled_is_named),
		KIT(what_converts_is_told_of_each_version),
		KIT(too_deep_and_too_large_definitions_are_refused),
		KIT(unknown_fields_go_and_are_told),
		KIT(defaults_are_filled_in_also_below_defaults),
		KIT(parts_of_objects_get_nothing_that_is_absent),
		KIT(the_head_stands_first_and_metadata_is_every_object_s),
		KIT(what_does_not_fit_the_head_is_refused),
		KIT(an_object_that_was_stored_in_another_version_is_read),
		KIT(definitions_of_gateway_api_compile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
