/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions of admission policies: what they see and must give, types of kinds, atomic values. */
#include "../doc/doc-check.h"

#include "api/api.h"
#include "api/policy.h"
#include "api/type-cel.h"
#include "api/typed.h"

#include <stdio.h>

static struct policy_scope *scope(struct arena *a, unsigned has, const struct policy_types *types)
{
	struct policy_scope *s = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(policy_scope_new(a, has, types, &s, &err), 0);
	return s;
}

static const char *error_of(struct policy_scope *s, enum policy_use use, const char *text)
{
	struct policy_expr e = policy_compile(s, use, slice_str(text));

	assert_true(!e.prog == (e.error != NULL));
	assert_string_equal(e.text, text);
	return e.error ? e.error : "";
}

static void each_use_has_its_type(void **state)
{
	static const struct {
		enum policy_use use;
		const char *text, *error;
	} rows[] = {
		{ POLICY_ANY, "1", "" },
		{ POLICY_MATCH, "object.x == oldObject.y", "" },
		{ POLICY_MATCH, "1", "must evaluate to bool but got int" },
		{ POLICY_MATCH, "variables.x", "undeclared reference to 'variables'" },
		{ POLICY_VALIDATION, "authorizer.requestResource.check('get').allowed()", "" },
		{ POLICY_VALIDATION, "object.x", "must evaluate to bool but got dyn" },
		{ POLICY_VALIDATION, "namespaceObject.metadata.labels.x == 'y'", "" },
		{ POLICY_VALIDATION, "request.kind.none == ''", "undefined field 'none'" },
		{ POLICY_MESSAGE, "'a'", "" },
		{ POLICY_MESSAGE, "1", "must evaluate to string but got int" },
		{ POLICY_MESSAGE, "string(authorizer)", "undeclared reference to 'authorizer'" },
		{ POLICY_AUDIT, "null", "" },
		{ POLICY_AUDIT, "'a'", "" },
		{ POLICY_AUDIT, "true", "must evaluate to one of [string null_type] but got bool" },
		{ POLICY_APPLY, "Object{a: 1}", "" },
		{ POLICY_APPLY, "Object.a{}", "must evaluate to Object but got Object.a" },
		{ POLICY_JSON_PATCH, "[JSONPatch{op: 'x'}]", "" },
		{ POLICY_JSON_PATCH, "[]", "must evaluate to list(JSONPatch) but got list(dyn)" },
	};
	struct arena *a = *state;
	struct policy_scope *s = scope(a, POLICY_HAS_VARIABLES, NULL);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *error = error_of(s, rows[i].use, rows[i].text);

		if (*rows[i].error ? !strstr(error, rows[i].error) : *error)
			fail_msg("%s: %s", rows[i].text, error);
	}
}

static void variables_are_seen_by_those_behind_them(void **state)
{
	struct arena *a = *state;
	struct policy_scope *s = scope(a, POLICY_HAS_VARIABLES | POLICY_HAS_PARAMS, NULL);
	size_t n;

	assert_non_null(policy_variable(s, "early", SLICE("variables.late")).error);
	assert_null(policy_variable(s, "late", SLICE("[1, 2]")).error);
	assert_null(policy_variable(s, "q", SLICE("quantity('1')")).error);
	(void)policy_variables(s, &n);
	assert_int_equal(n, 3);
	assert_string_equal(error_of(s, POLICY_VALIDATION, "variables.late[0] == 1"), "");
	assert_non_null(strstr(error_of(s, POLICY_VALIDATION, "variables.late == 'x'"),
			       "(list(int), string)"));
	/* what did not compile, and what is no plain type, is dyn */
	assert_string_equal(error_of(s, POLICY_VALIDATION, "variables.early == 1"), "");
	assert_string_equal(error_of(s, POLICY_VALIDATION, "variables.q == params.x"), "");
	assert_int_equal(policy_find(s, SLICE("late")) - policy_find(s, SLICE("early")), 1);
	assert_null(policy_find(s, SLICE("none")));
}

static void kinds_have_types(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "object.spec.replicas + 1 > 2", "" },
		{ "object.spec.replicas == 'x'", "(int, string)" },
		{ "object.metadata.labels['a'].startsWith('b')", "" },
		{ "object.metadata.labels.a == 1", "(string, int)" },
		{ "object.metadata.creationTimestamp < timestamp('2026-01-01T00:00:00Z')", "" },
		{ "object.spec.template.spec.containers.all(c, c.ports.all(p, p.containerPort > "
		  "80))",
		  "" },
		{ "object.spec.template.spec.containers[0].nothing == 1",
		  "undefined field 'nothing'" },
		{ "object.spec.strategy.rollingUpdate.maxSurge == 1", "" },
		{ "object.spec.strategy.rollingUpdate.maxSurge == '25%'", "" },
		{ "object.spec.template.spec.containers[0].resources.limits['cpu'] == '1'", "" },
		{ "object.nothing == 1", "undefined field 'nothing'" },
	};
	struct arena *a = *state;
	struct api api;
	struct policy_types types = { NULL, NULL };
	struct policy_scope *s;

	assert_int_equal(api_load(a, &api, NULL), 0);
	types.object = type_cel(api_kind(&api, "apps/v1", "Deployment")->type, a);
	s = scope(a, 0, &types);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *error = error_of(s, POLICY_ANY, rows[i].text);

		if (*rows[i].error ? !strstr(error, rows[i].error) : *error)
			fail_msg("%s: %s", rows[i].text, error);
	}
	api_fini(&api);
}

static void atomic_values_are_found(void **state)
{
	static const struct {
		const char *obj, *found;
	} rows[] = {
		{ "{'metadata':{'labels':{'a':'b'},'finalizers':['x']}}", "" },
		{ "{'spec':{'containers':[{'name':'c','args':['x'],'command':[]}]}}",
		  ".spec.containers[0].args, .spec.containers[0].command" },
		{ "{'spec':{'nodeSelector':{'a':'b'}}}", ".spec.nodeSelector" },
		{ "{'spec':{'affinity':{'nodeAffinity':{'"
		  "requiredDuringSchedulingIgnoredDuringExecution':"
		  "{'nodeSelectorTerms':[]}}}}}",
		  ".spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution, "
		  ".spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution."
		  "nodeSelectorTerms" },
		{ "{'none':[1]}", "" },
	};
	struct arena *a = *state;
	struct api api;
	const struct api_type *pod;

	assert_int_equal(api_load(a, &api, NULL), 0);
	pod = api_kind(&api, "v1", "Pod")->type;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
		char text[512];

		snprintf(text, sizeof(text), "%s", rows[i].obj);
		for (char *p = text; *p; p++)
			*p = *p == '\'' ? '"' : *p;
		assert_int_equal(typed_atomics(pod, must_read(a, text), &b), *rows[i].found != 0);
		assert_string_equal(b.n ? buf_str(&b) : "", rows[i].found);
	}
	api_fini(&api);
}

static int begin(void **state)
{
	*state = arena_new("test", 128u << 20);
	return 0;
}

static int end(void **state)
{
	arena_free(*state);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_use_has_its_type),
		TEST(variables_are_seen_by_those_behind_them),
		TEST(kinds_have_types),
		TEST(atomic_values_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
