/* SPDX-License-Identifier: Apache-2.0 */
/* Custom kinds as others see them: columns, scale, OpenAPI; fields, merge and apply. */
#include "custom-kit.h"

#include "api/apply.h"
#include "api/fields.h"
#include "api/selector.h"
#include "api/typed.h"

#include <stdio.h>

static const char *age(int64_t seconds, char *out, size_t n)
{
	(void)snprintf(out, n, "%llds", (long long)seconds);
	return out;
}

static void columns_have_definitions_and_cells(void **state)
{
	struct kit *x = *state;
	struct custom *c = kit_compile(
		x, "{type: object, x-kubernetes-preserve-unknown-fields: true}",
		"{additionalPrinterColumns: [{name: NUM, type: integer, jsonPath: .spec.num}, "
		"{name: "
		"S, "
		"type: string, format: password, description: What., jsonPath: .spec.s, priority: "
		"1}, "
		"{name: B, type: boolean, jsonPath: .spec.b}, {name: F, type: number, jsonPath: "
		".spec.f}, {name: D, type: date, jsonPath: .spec.d}, {name: C, type: string, "
		"jsonPath: "
		"'.status.conditions[?(@.type==\"Ready\")].status'}, {name: O, type: string, "
		"jsonPath: "
		".spec}]}");
	const struct api_kind *k = custom_stored(c);
	struct err err = ERR_INIT;
	struct doc ret;

	assert_int_equal(custom_columns(k, x->a, &ret, &err), 0);
	assert_int_equal(ret.n, 8);
	assert_doc(
		x->a, doc_at(&ret, 1),
		"{\"name\":\"NUM\",\"type\":\"integer\",\"format\":\"\",\"description\":\"Custom "
		"resource definition column (in JSONPath format): .spec.num\",\"priority\":0}");
	assert_doc(x->a, doc_at(&ret, 2),
		   "{\"name\":\"S\",\"type\":\"string\",\"format\":\"password\",\"description\":"
		   "\"What.\",\"priority\":1}");
	assert_int_equal(
		custom_cells(
			k,
			kit_yaml(x,
				 "{metadata: {name: a}, spec: {num: 3, s: 5, b: true, f: 1.5, d: "
				 "'1970-01-01T00:01:00Z'}, status: {conditions: [{type: X, status: "
				 "'No'}, {type: Ready, status: 'True'}]}}"),
			100, age, x->a, &ret, &err),
		0);
	assert_doc(
		x->a, &ret,
		"[\"a\",3,\"5\",true,1.5,\"40s\",\"True\",\"{\\\"b\\\":true,\\\"d\\\":\\\"1970-01-"
		"01T00:01:00Z\\\",\\\"f\\\":1.5,\\\"num\\\":3,\\\"s\\\":5}\"]");
	assert_int_equal(
		custom_cells(k,
			     kit_yaml(x, "{metadata: {name: a}, spec: {num: x, s: null, b: 1, d: "
					 "x, f: 2.9}, status: 1}"),
			     100, age, x->a, &ret, &err),
		0);
	assert_doc(
		x->a, &ret,
		"[\"a\",null,\"<no value>\",null,2.9,\"<invalid>\",null,\"{\\\"b\\\":1,\\\"d\\\":"
		"\\\"x\\\",\\\"f\\\":2.9,\\\"num\\\":\\\"x\\\",\\\"s\\\":null}\"]");
	assert_int_equal(custom_cells(k, kit_yaml(x, "{metadata: {name: a}, spec: {num: 2.9}}"),
				      100, age, x->a, &ret, &err),
			 0);
	assert_doc(x->a, doc_at(&ret, 1), "2");
	custom_unref(c);
}

static void without_columns_there_is_the_age(void **state)
{
	struct kit *x = *state;
	struct custom *c = kit_compile(x, "{type: object}", "{}");
	struct err err = ERR_INIT;
	struct doc ret;

	assert_int_equal(custom_stored(c)->ncolumns, 2);
	assert_int_equal(custom_columns(custom_stored(c), x->a, &ret, &err), 0);
	assert_true(doc_str_is(doc_find(&ret, "1.name"), "Age"));
	assert_true(doc_str_is(doc_find(&ret, "1.type"), "date"));
	assert_int_equal(custom_cells(custom_stored(c),
				      kit_yaml(x, "{metadata: {name: a, creationTimestamp: "
						  "'1970-01-01T00:00:10Z'}}"),
				      12, age, x->a, &ret, &err),
			 0);
	assert_doc(x->a, &ret, "[\"a\",\"2s\"]");
	custom_unref(c);
}

static void scale_reads_and_writes_by_paths(void **state)
{
	struct kit *x = *state;
	struct custom *c =
		kit_compile(x, "{type: object, x-kubernetes-preserve-unknown-fields: true}",
			    "{subresources: {scale: {specReplicasPath: .spec.a.num, "
			    "statusReplicasPath: .status.num, "
			    "labelSelectorPath: .status.sel}}}");
	struct custom *none = kit_compile(x, "{type: object}", "{}");
	struct doc
		*obj = kit_yaml(
			x,
			"{metadata: {name: a, namespace: b, uid: u, resourceVersion: '7', "
			"labels: {x: why}}, spec: {a: {num: 3}}, status: {num: 2, sel: 'x=why'}}"),
		ret;
	struct err err = ERR_INIT;

	assert_int_equal(custom_scale_get(custom_stored(c), obj, x->a, &ret, &err), 0);
	assert_doc(x->a, &ret,
		   "{\"kind\":\"Scale\",\"apiVersion\":\"autoscaling/"
		   "v1\",\"metadata\":{\"name\":\"a\","
		   "\"namespace\":\"b\",\"uid\":\"u\",\"resourceVersion\":\"7\"},\"spec\":{"
		   "\"replicas\":3},\"status\":{\"replicas\":2,\"selector\":\"x=why\"}}");
	assert_int_equal(custom_scale_set(custom_stored(c), obj,
					  kit_yaml(x, "{spec: {replicas: 9}}"), x->a, &err),
			 0);
	assert_doc(x->a, doc_get(obj, "spec"), "{\"a\":{\"num\":9}}");
	obj = kit_yaml(x, "{metadata: {name: a}}");
	assert_int_equal(custom_scale_get(custom_stored(c), obj, x->a, &ret, &err), -ERR_SYSTEM);
	assert_non_null(strstr(err.msg, "the spec replicas field \".spec.a.num\" does not exist"));
	assert_int_equal(
		custom_scale_set(custom_stored(c), obj, kit_yaml(x, "{spec: {}}"), x->a, &err), 0);
	assert_doc(x->a, doc_get(obj, "spec"), "{\"a\":{\"num\":0}}");
	assert_int_equal(custom_scale_get(custom_stored(none), obj, x->a, &ret, &err),
			 -ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "foos of example.com/v1 have no scale"));
	assert_int_equal(custom_scale_set(custom_stored(none), obj, obj, x->a, &err),
			 -ERR_NOT_FOUND);
	custom_unref(c);
	custom_unref(none);
}

static void fields_select_by_what_the_version_names(void **state)
{
	struct kit *x = *state;
	struct custom *c =
		kit_compile(x, kit_spec(x, "{color: {type: string}, num: {type: integer}}"),
			    "{selectableFields: [{jsonPath: .spec.color}, {jsonPath: "
			    ".spec.num}]}");
	struct err err = ERR_INIT;
	struct selector s;

	assert_int_equal(selector_fields(SLICE("spec.color=red,spec.num=3"), x->a, &s, &err), 0);
	assert_int_equal(selector_check_fields(&s, custom_stored(c), &err), 0);
	assert_true(selector_match_fields(&s, kit_yaml(x, "{spec: {color: red, num: 3}}")));
	assert_false(selector_match_fields(&s, kit_yaml(x, "{spec: {color: red, num: 4}}")));
	assert_int_equal(selector_fields(SLICE("spec.size=1"), x->a, &s, &err), 0);
	assert_int_equal(selector_check_fields(&s, custom_stored(c), &err), -ERR_BAD_REQUEST);
	custom_unref(c);
}

/* ---- OpenAPI ---- */

static void openapi_is_the_schema_with_its_head(void **state)
{
	struct kit *x = *state;
	struct custom *c = kit_compile(
		x,
		"{type: object, description: A foo., properties: {spec: {type: object, properties: "
		"{a: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}, "
		"b: "
		"{type: string, nullable: true, default: x}, c: {type: object, "
		"x-kubernetes-preserve-unknown-fields: true, properties: {d: {type: string}}}}}}}",
		"{}");
	const struct api_kind *k = custom_stored(c);
	struct err err = ERR_INIT;
	struct doc two, three, list;

	assert_int_equal(custom_openapi(k, API_OPENAPI_V3, x->a, &three, &err), 0);
	assert_int_equal(custom_openapi(k, API_OPENAPI_V2, x->a, &two, &err), 0);
	assert_int_equal(custom_openapi_list(k, API_OPENAPI_V2, x->a, &list, &err), 0);
	assert_true(doc_str_is(doc_get(&three, "description"), "A foo."));
	assert_doc(x->a, doc_get(&three, "x-kubernetes-group-version-kind"),
		   "[{\"group\":\"example.com\",\"kind\":\"Foo\",\"version\":\"v1\"}]");
	assert_doc(
		x->a, doc_find(&three, "properties.spec.properties.a"),
		"{\"x-kubernetes-int-or-string\":true,\"anyOf\":[{\"type\":\"integer\"},{\"type\":"
		"\"string\"}]}");
	assert_doc(x->a, doc_find(&three, "properties.spec.properties.b"),
		   "{\"type\":\"string\",\"nullable\":true,\"default\":\"x\"}");
	assert_doc(x->a, doc_find(&three, "properties.metadata.allOf"),
		   "[{\"$ref\":\"#/components/schemas/"
		   "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta\"}]");
	assert_doc(x->a, doc_find(&two, "properties.spec.properties"),
		   "{\"a\":{\"x-kubernetes-int-or-string\":true},\"b\":{},\"c\":{\"x-kubernetes-"
		   "preserve-unknown-fields\":true}}");
	assert_true(doc_str_is(doc_find(&two, "properties.metadata.$ref"),
			       "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"));
	assert_true(doc_str_is(doc_find(&list, "properties.items.items.$ref"),
			       "#/definitions/com.example.v1.Foo"));
	assert_doc(x->a, doc_get(&list, "required"), "[\"items\"]");
	assert_true(
		doc_str_is(doc_find(&list, "x-kubernetes-group-version-kind.0.kind"), "FooList"));
	custom_unref(c);
}

static void openapi_gives_embedded_objects_their_heads(void **state)
{
	struct kit *x = *state;
	struct custom *c =
		kit_compile(x,
			    kit_spec(x, "{a: {type: object, "
					"x-kubernetes-embedded-resource: true, properties: "
					"{spec: {type: string}}}}"),
			    "{}");
	struct err err = ERR_INIT;
	struct doc d;

	assert_int_equal(custom_openapi(custom_stored(c), API_OPENAPI_V3, x->a, &d, &err), 0);
	assert_non_null(doc_find(&d, "properties.spec.properties.a.properties.kind"));
	assert_non_null(doc_find(&d, "properties.spec.properties.a.properties.metadata.allOf"));
	/* the definition itself is as it was */
	assert_int_equal(custom_openapi(custom_stored(c), API_OPENAPI_V3, x->a, &d, &err), 0);
	assert_int_equal(doc_len(doc_find(&d, "properties.spec.properties.a.properties")), 4);
	custom_unref(c);
}

/* ---- fields, merge, apply ---- */

static const char lists[] =
	"{m: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [k, p], items: "
	"{type: object, required: [k], properties: {k: {type: string}, p: {type: string, default: "
	"TCP}, v: {type: integer}}}}, s: {type: array, x-kubernetes-list-type: set, items: {type: "
	"string}}, l: {type: array, items: {type: string}}, o: {type: object, "
	"x-kubernetes-map-type: "
	"atomic, properties: {a: {type: string}}}, g: {type: object, additionalProperties: {type: "
	"string}}, t: {type: object, x-kubernetes-map-type: atomic, additionalProperties: {type: "
	"string}}, free: {type: object, x-kubernetes-preserve-unknown-fields: true}, any: "
	"{x-kubernetes-preserve-unknown-fields: true}, i: {x-kubernetes-int-or-string: true}, q: "
	"{type: array, x-kubernetes-list-type: set, items: {type: object, x-kubernetes-map-type: "
	"atomic, additionalProperties: {type: string}}}}";

static void fields_are_those_of_the_schema(void **state)
{
	struct kit *x = *state;
	struct custom *c = kit_compile(x, kit_spec(x, lists), "{}");
	struct err err = ERR_INIT;
	struct doc set;

	assert_int_equal(
		typed_fields(
			custom_stored(c)->type,
			kit_yaml(
				x,
				"{spec: {m: [{k: x, v: 1}], s: [b, a], l: [x], o: {a: b}, "
				"g: {h: i}, t: {u: v}, free: {w: {x: [1]}}, any: {why: z}, i: 5}}"),
			x->a, &set, &err),
		0);
	assert_doc(x->a, &set,
		   "{\"f:spec\":{\"f:any\":{\"f:why\":{}},\"f:free\":{\"f:w\":{\".\":{},\"f:x\":{}}"
		   "},\"f:g\":{"
		   "\"f:h\":{}},\"f:i\":{},\"f:l\":{},\"f:m\":{\"k:{\\\"k\\\":\\\"x\\\",\\\"p\\\":"
		   "\\\"TCP\\\"}\":{\".\":{},\"f:k\":{},\"f:v\":{}}},\"f:o\":{},\"f:s\":{\"v:"
		   "\\\"a\\\"\":"
		   "{},\"v:\\\"b\\\"\":{}},\"f:t\":{}}}");
	custom_unref(c);
}

static void merges_follow_list_types(void **state)
{
	struct kit *x = *state;
	struct custom *c = kit_compile(x, kit_spec(x, lists), "{}");
	struct err err = ERR_INIT;
	struct doc ret;

	assert_int_equal(
		typed_merge(
			custom_stored(c)->type,
			kit_yaml(x, "{spec: {m: [{k: x, p: TCP, v: 1}, {k: why}], s: [a], l: [a], "
				    "o: {a: "
				    "b}, g: {h: i}, t: {u: v}}}"),
			kit_yaml(x,
				 "{spec: {m: [{k: x, v: 2}], s: [b], l: [b], o: {}, g: {j: k}, t: "
				 "{w: x}}}"),
			x->a, &ret, &err),
		0);
	assert_doc(
		x->a, &ret,
		"{\"spec\":{\"m\":[{\"k\":\"x\",\"p\":\"TCP\",\"v\":2},{\"k\":\"why\"}],\"s\":["
		"\"a\","
		"\"b\"],\"l\":[\"b\"],\"o\":{},\"g\":{\"h\":\"i\",\"j\":\"k\"},\"t\":{\"w\":\"x\"}}"
		"}");
	custom_unref(c);
}

static void what_the_schema_does_not_have_is_not_applied(void **state)
{
	struct kit *x = *state;
	struct custom *c = kit_compile(x, kit_spec(x, lists), "{}");
	const struct api_type *t = custom_stored(c)->type;
	const char *text;
	struct err err = ERR_INIT;

	assert_int_equal(typed_check(t, kit_yaml(x, "{spec: {nope: 1}}"), x->a, &text, &err),
			 -ERR_INVALID);
	assert_string_equal(text, ".spec.nope: field not declared in schema");
	assert_int_equal(typed_check(t, kit_yaml(x, "{spec: {o: {nope: 1}}}"), x->a, &text, &err),
			 -ERR_INVALID);
	assert_int_equal(typed_check(t, kit_yaml(x, "{spec: {free: {x: {why: 1}}, any: [1]}}"),
				     x->a, &text, &err),
			 0);
	custom_unref(c);
}

/* Two managers apply parts of one object; what one gives up goes, what it shares stays. */
static void custom_objects_are_applied(void **state)
{
	struct kit *x = *state;
	struct custom *c = kit_compile(x, kit_spec(x, lists), "{}");
	struct apply call = { .type = custom_stored(c)->type,
			      .api_version = "example.com/v1",
			      .kind = "Foo",
			      .manager = "one",
			      .subresource = "",
			      .now = "2024-01-01T00:00:00Z",
			      .a = x->a };
	const char *head = "kind: Foo\napiVersion: example.com/v1\nmetadata: {name: num}\n";
	struct apply_result one, two, three;
	struct err err = ERR_INIT;

	assert_int_equal(
		apply_run(&call, NULL,
			  kit_yaml(x, arena_printf(x->a,
						   "%sspec: {m: [{k: x, v: 1}], s: [a], g: "
						   "{a: '1'}}\n",
						   head)),
			  false, &one, &err),
		0);
	call.manager = "two";
	assert_int_equal(
		apply_run(&call, &one.obj,
			  kit_yaml(x, arena_printf(x->a,
						   "%sspec: {m: [{k: why, v: 2}], s: [b], g: "
						   "{a: '1', b: '2'}}\n",
						   head)),
			  false, &two, &err),
		0);
	assert_doc(x->a, doc_find(&two.obj, "spec.s"), "[\"a\",\"b\"]");
	assert_int_equal(doc_len(doc_find(&two.obj, "spec.m")), 2);
	assert_int_equal(
		apply_run(&call, &two.obj,
			  kit_yaml(x, arena_printf(x->a, "%sspec: {m: [{k: x, v: 9}]}\n", head)),
			  false, &three, &err),
		-ERR_CONFLICT);
	assert_string_equal(err.causes->field, ".spec.m[k=\"x\",p=\"TCP\"].v");
	call.manager = "one";
	assert_int_equal(apply_run(&call, &two.obj,
				   kit_yaml(x, arena_printf(x->a, "%sspec: {s: [a]}\n", head)),
				   false, &three, &err),
			 0);
	assert_doc(x->a, doc_get(&three.obj, "spec"),
		   "{\"m\":[{\"k\":\"why\",\"v\":2}],\"s\":[\"a\",\"b\"],\"g\":{\"a\":\"1\",\"b\":"
		   "\"2\"}}");
	custom_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT(columns_have_definitions_and_cells),
		KIT(without_columns_there_is_the_age),
		KIT(scale_reads_and_writes_by_paths),
		KIT(fields_select_by_what_the_version_names),
		KIT(openapi_is_the_schema_with_its_head),
		KIT(openapi_gives_embedded_objects_their_heads),
		KIT(fields_are_those_of_the_schema),
		KIT(merges_follow_list_types),
		KIT(what_the_schema_does_not_have_is_not_applied),
		KIT(custom_objects_are_applied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
