/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions of mutations: objects without a schema, JSON patches, escaped keys. */
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"
#include "expr/cel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int compile(struct arena *a, unsigned flags, const char *text, const struct cel_prog **ret,
		   struct err *err)
{
	struct cel_env *env = cel_env_new(a, flags);

	*err = ERR_INIT;
	assert_non_null(env);
	return cel_compile(env, slice_str(text), NULL, a, ret, err);
}

static struct cel_value run(struct arena *a, const char *text)
{
	const struct cel_vars vars = { NULL, 0 };
	const struct cel_prog *p;
	struct cel_value v = cel_null();
	struct err err;

	if (compile(a, CEL_ENV_PATCH, text, &p, &err) < 0 ||
	    cel_run(p, &vars, NULL, a, &v, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return v;
}

static void gives(const char *text, const char *json, bool ops)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 20);
	struct cel_value v = run(a, text);
	struct err err = ERR_INIT;
	struct slice out;
	struct doc d;

	if ((ops ? cel_patch_operations(&v, a, &d, &err) : cel_patch_check(&v, &err)) < 0 ||
	    (!ops && cel_value_doc(&v, a, &d, &err) < 0))
		fail_msg("%s: %s", text, err.msg);
	assert_int_equal(json_print(a, &d, NULL, &out, NULL), 0);
	assert_string_equal(out.p, json);
}

static void objects_have_any_field(void **state)
{
	(void)state;
	gives("Object{}", "{}", false);
	gives("Object{metadata: Object.metadata{labels: {'a': 'b'}}, spec: Object.spec{n: 1, "
	      "list: [Object.spec.list{name: 'x', on: true}]}}",
	      "{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"n\":1,\"list\":[{\"name\":"
	      "\"x\","
	      "\"on\":true}]}}",
	      false);
	gives("Object{?a: optional.none(), ?b: optional.of(1)}", "{\"b\":1}", false);
}

static void operations_are_a_patch(void **state)
{
	(void)state;
	gives("[JSONPatch{op: 'add', path: '/a', value: Object.a{b: 1}}, JSONPatch{op: 'move', "
	      "from: "
	      "'/a', path: '/b'}]",
	      "[{\"op\":\"add\",\"path\":\"/a\",\"value\":{\"b\":1}},{\"op\":\"move\",\"from\":\"/"
	      "a\","
	      "\"path\":\"/b\"}]",
	      true);
	gives("true ? [JSONPatch{op: 'x'}] : []", "[{\"op\":\"x\"}]", true);
}

static void keys_are_escaped(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 20);
	struct cel_value v = run(a, "jsonpatch.escapeKey('a/b~c')");

	(void)state;
	assert_true(slice_is(cel_slice(&v), "a~1b~0c"));
}

static void names_say_where_they_stand(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "Object{metadata: Object.spec{a: 1}}",
		  "type mismatch: unexpected type name \"Object.spec\", expected "
		  "\"Object.metadata\", "
		  "which matches field name path from root Object type" },
		{ "Object{spec: Object.spec{list: [Object.list{}]}}",
		  "unexpected type name \"Object.list\", expected \"Object.spec.list\"" },
		{ "Object{a: Object.b{}, c: {'k': Object.d{}}}",
		  "expected \"Object.a\", which matches field name path from root Object type\n"
		  "unexpected type name \"Object.d\", expected \"Object.c\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 20);
		struct cel_value v = run(a, rows[i].text);
		struct err err = ERR_INIT;

		assert_int_equal(cel_patch_check(&v, &err), -ERR_INVALID);
		if (!strstr(err.msg, rows[i].error))
			fail_msg("%s: %s", rows[i].text, err.msg);
	}
}

static void other_environments_know_nothing_of_it(void **state)
{
	static const char *const texts[] = { "Object{}", "JSONPatch{op: 'a'}",
					     "jsonpatch.escapeKey('a')", "Object.spec{}" };
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 20);
	const struct cel_prog *p;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(compile(a, 0, texts[i], &p, &err), -ERR_INVALID);
		assert_non_null(strstr(err.msg, "undeclared reference to"));
	}
	assert_int_equal(compile(a, CEL_ENV_PATCH, "JSONPatch{none: 1}", &p, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "undefined field 'none'"));
	assert_int_equal(compile(a, CEL_ENV_PATCH, "JSONPatch{op: 1}", &p, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "expected type of field 'op' is 'string' but provided type "
					"is 'int'"));
	assert_int_equal(compile(a, CEL_ENV_PATCH, "Objects{}", &p, &err), -ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_have_any_field),
		cmocka_unit_test(operations_are_a_patch),
		cmocka_unit_test(keys_are_escaped),
		cmocka_unit_test(names_say_where_they_stand),
		cmocka_unit_test(other_environments_know_nothing_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
