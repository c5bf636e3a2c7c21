/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions of custom kinds for tests: one around a schema, compiled. */
#pragma once

#include "../doc/doc-check.h"

#include "api/check.h"
#include "api/custom.h"
#include "api/object.h"
#include "doc/yaml.h"

struct kit {
	struct arena *a;
	struct api api;
};

static inline int kit_setup(void **state)
{
	struct arena *a = arena_new("test", ARENA_MAX);
	struct kit *k = arena_alloc(a, sizeof(*k));
	struct err err = ERR_INIT;

	k->a = a;
	assert_int_equal(api_load(a, &k->api, &err), 0);
	*state = k;
	return 0;
}

static inline int kit_teardown(void **state)
{
	struct kit *k = *state;

	api_fini(&k->api);
	arena_free(k->a);
	return 0;
}
#define KIT(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

/* Text of YAML as a document. */
static inline struct doc *kit_yaml(struct kit *k, const char *text)
{
	struct err err = ERR_INIT;
	struct doc *d = NULL;

	if (yaml_read(k->a, slice_str(text), NULL, &d, &err) < 0)
		print_error("%s: %s\n", text, err.msg);
	assert_int_equal(err.code, 0);
	return d;
}

/* Foo of example.com/v1 with this schema (YAML, one line or more indented by two) and further
 * members of the version. */
static inline struct doc *kit_crd(struct kit *k, const char *schema, const char *more)
{
	struct doc *crd = kit_yaml(
			   k,
			   "apiVersion: apiextensions.k8s.io/v1\n"
			   "kind: CustomResourceDefinition\n"
			   "metadata: {name: foos.example.com}\n"
			   "spec:\n"
			   "  group: example.com\n"
			   "  scope: Namespaced\n"
			   "  names: {plural: foos, singular: foo, kind: Foo, listKind: FooList}\n"
			   "  versions: [{name: v1, served: true, storage: true}]\n"),
		   *v = doc_at(doc_find(crd, "spec.versions"), 0), *s;

	DOC_EACH_MEMBER (key, value, kit_yaml(k, more))
		doc_setn(k->a, v, doc_slice(key), *value);
	s = doc_set_object(k->a, v, "schema");
	doc_set(k->a, s, "openAPIV3Schema", *kit_yaml(k, schema));
	return crd;
}

static inline struct custom *kit_compile(struct kit *k, const char *schema, const char *more)
{
	struct custom *c = NULL;
	struct err err = ERR_INIT;

	if (custom_compile(&k->api, kit_crd(k, schema, more), &c, &err) < 0)
		print_error("%s: %s\n", schema, err.msg);
	assert_int_equal(err.code, 0);
	return c;
}

/* The schema of an object whose spec has these properties. */
static inline const char *kit_spec(struct kit *k, const char *properties)
{
	return arena_printf(k->a,
			    "{type: object, properties: {spec: {type: object, properties: %s}}}",
			    properties);
}
