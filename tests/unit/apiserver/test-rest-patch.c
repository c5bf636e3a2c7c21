/* SPDX-License-Identifier: Apache-2.0 */
/* Patches and apply, through the whole server. */
#include "rest-fix.h"

#define MAPS "/api/v1/namespaces/n1/configmaps"
#define DEPLOYMENTS "/apis/apps/v1/namespaces/n1/deployments"
#define TYPE(t) ADMIN "Content-Type: application/" t "\r\n"
#define MERGE TYPE("merge-patch+json")
#define STRATEGIC TYPE("strategic-merge-patch+json")
#define JSON_PATCH TYPE("json-patch+json")
#define APPLY TYPE("apply-patch+yaml")

static void patch(struct rfix *x, const char *path, const char *type, const char *body)
{
	(void)ask(x, "PATCH", path, type, body);
}

static void make_deployment(struct rfix *x)
{
	post(x, DEPLOYMENTS,
	     "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"d\"},"
	     "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{"
	     "\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c1\",\"image\":"
	     "\"i1\"}]}}}}");
	assert_code(x, 201);
}

static void a_merge_patch_sets_and_removes(void **state)
{
	struct rfix *x = *state;

	make_map(x, "m", "a");
	patch(x, MAPS "/m", MERGE, "{\"data\":{\"k\":null,\"l\":\"2\"}}");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "data.l"), "2");
	assert_string_equal(answer_text(x, "data.k"), "(none)");
	patch(x, MAPS "/m", MERGE, "[]");
	assert_code(x, 400);
	patch(x, MAPS "/none", MERGE, "{}");
	assert_status(x, 404, "NotFound", "configmaps \"none\" not found");
	patch(x, MAPS "/m", MERGE, "{\"metadata\":{\"name\":\"other\"}}");
	assert_status(x, 400, "BadRequest", "does not match the name on the URL");
	patch(x, MAPS "/m", MERGE, "{\"kind\":\"Secret\"}");
	assert_code(x, 400);
}

static void a_json_patch_does_its_operations_or_nothing(void **state)
{
	struct rfix *x = *state;

	make_map(x, "m", "a");
	patch(x, MAPS "/m", JSON_PATCH,
	      "[{\"op\":\"test\",\"path\":\"/data/k\",\"value\":\"a\"},"
	      "{\"op\":\"add\",\"path\":\"/data/z\",\"value\":\"9\"}]");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "data.z"), "9");
	patch(x, MAPS "/m", JSON_PATCH, "[{\"op\":\"test\",\"path\":\"/data/k\",\"value\":\"b\"}]");
	assert_status(x, 422, "Invalid", "the server rejected our request due to an error");
	patch(x, MAPS "/m", JSON_PATCH, "[{\"op\":\"fly\",\"path\":\"/data/k\"}]");
	assert_status(x, 400, "BadRequest", "error decoding patch");
	patch(x, MAPS "/m", JSON_PATCH, "{");
	assert_status(x, 400, "BadRequest", "error decoding patch");
}

static void a_patch_of_too_many_operations_is_refused(void **state)
{
	struct rfix *x = *state;
	struct buf b = BUF_INIT(4u << 20);

	make_map(x, "m", "a");
	(void)buf_addc(&b, '[');
	for (int i = 0; i <= 10000; i++)
		(void)buf_addf(&b, "%s{\"op\":\"test\",\"path\":\"/data/k\",\"value\":\"a\"}",
			       i ? "," : "");
	(void)buf_addc(&b, ']');
	patch(x, MAPS "/m", JSON_PATCH, b.p);
	assert_status(x, 413, "RequestEntityTooLarge",
		      "The allowed maximum operations in a JSON patch is 10000, got 10001");
	buf_fini(&b);
}

static void a_strategic_patch_merges_lists_by_their_keys(void **state)
{
	struct rfix *x = *state;

	make_deployment(x);
	patch(x, DEPLOYMENTS "/d", STRATEGIC,
	      "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c2\",\"image\":"
	      "\"i2\"}]}}}}");
	assert_code(x, 200);
	assert_has(x, "\"c1\"");
	assert_has(x, "\"c2\"");
	patch(x, DEPLOYMENTS "/d?fieldValidation=Strict", STRATEGIC, "{\"spec\":{\"nope\":1}}");
	assert_status(x, 422, "Invalid",
		      " \"\" is invalid: patch: Invalid value: \"map[spec:map[nope:1]]\"");
	assert_has(x, "strict decoding error: unknown field \\\"spec.nope\\\"");
	patch(x, DEPLOYMENTS "/d?fieldValidation=Strict", MERGE, "{\"spec\":{\"nope\":1}}");
	assert_status(x, 422, "Invalid", "unknown field \"spec.nope\"");
	patch(x, DEPLOYMENTS "/d", STRATEGIC, "{\"spec\":{\"nope\":1}}");
	assert_code(x, 200);
	assert_string_equal(header_of(x, "Warning"), "299 - \"unknown field \\\"spec.nope\\\"\"");
}

static void patches_have_their_types_and_options(void **state)
{
	struct rfix *x = *state;

	make_map(x, "m", "a");
	patch(x, MAPS "/m", ADMIN JSON, "{}");
	assert_status(x, 415, "UnsupportedMediaType",
		      "accepted media types include: application/json-patch+json, "
		      "application/merge-patch+json, application/strategic-merge-patch+json, "
		      "application/apply-patch+yaml");
	patch(x, MAPS "/m?force=true", MERGE, "{}");
	assert_status(x, 422, "Invalid",
		      "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be "
		      "specified for non-apply patch");
	patch(x, MAPS "/m", APPLY, "{}");
	assert_status(x, 422, "Invalid",
		      "fieldManager: Required value: is required for apply patch");
}

static void a_patch_with_a_revision_is_of_that_revision_only(void **state)
{
	struct rfix *x = *state;
	char before[32], body[128];

	make_map(x, "m", "a");
	snprintf(before, sizeof(before), "%s", answer_text(x, "metadata.resourceVersion"));
	patch(x, MAPS "/m", MERGE, "{\"data\":{\"k\":\"b\"}}");
	assert_code(x, 200);
	snprintf(body, sizeof(body),
		 "{\"metadata\":{\"resourceVersion\":\"%s\"},\"data\":{\"k\":\"c\"}}", before);
	patch(x, MAPS "/m", MERGE, body);
	assert_status(x, 409, "Conflict", "the object has been modified");
	patch(x, MAPS "/m", MERGE, "{\"data\":{\"k\":\"b\"}}");
	assert_code(x, 200);
}

static void the_manager_is_named_or_the_user_agents(void **state)
{
	struct rfix *x = *state;

	make_map(x, "m", "a");
	patch(x, MAPS "/m?fieldManager=me", MERGE, "{\"data\":{\"b\":\"1\"}}");
	assert_has(x, "\"manager\":\"me\"");
	patch(x, MAPS "/m", MERGE "User-Agent: kubectl/v1.36 (linux)\r\n",
	      "{\"data\":{\"c\":\"1\"}}");
	assert_has(x, "\"manager\":\"kubectl\"");
	patch(x, MAPS "/m", MERGE, "{\"metadata\":{\"managedFields\":[{}]}}");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "metadata.managedFields"), "(none)");
}

static void apply_creates_and_then_owns(void **state)
{
	static const char one[] =
		"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\ndata:\n  k: a\n  l: b\n";
	static const char two[] =
		"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\ndata:\n  k: z\n";
	struct rfix *x = *state;
	char revision[32];

	patch(x, MAPS "/m?fieldManager=a", APPLY, one);
	assert_code(x, 201);
	assert_string_equal(answer_text(x, "metadata.managedFields.0.operation"), "Apply");
	snprintf(revision, sizeof(revision), "%s", answer_text(x, "metadata.resourceVersion"));
	patch(x, MAPS "/m?fieldManager=a", APPLY, one);
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "metadata.resourceVersion"), revision);
	patch(x, MAPS "/m?fieldManager=b", APPLY, two);
	assert_status(x, 409, "Conflict", "Apply failed with 1 conflict");
	assert_string_equal(answer_text(x, "details.causes.0.reason"), "FieldManagerConflict");
	assert_string_equal(answer_text(x, "details.causes.0.field"), ".data.k");
	patch(x, MAPS "/m?fieldManager=b&force=true", APPLY, two);
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "data.k"), "z");
	patch(x, MAPS "/m?fieldManager=a", APPLY,
	      "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\n");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "data.l"), "(none)");
	assert_string_equal(answer_text(x, "data.k"), "z");
}

static void what_cannot_be_applied_is_told(void **state)
{
	struct rfix *x = *state;

	patch(x, MAPS "/m?fieldManager=a", APPLY,
	      "apiVersion: v1\nkind: Secret\nmetadata:\n  name: m\n");
	assert_code(x, 400);
	patch(x, MAPS "/m?fieldManager=a", APPLY, "{");
	assert_status(x, 400, "BadRequest", "error decoding patch");
	patch(x, MAPS "/m?fieldManager=a", APPLY,
	      "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\nnope: 1\n");
	assert_code(x, 500);
	assert_has(x, "field not declared in schema");
	patch(x, MAPS "/m?fieldManager=a", APPLY,
	      "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\n  uid: u\n");
	assert_status(x, 409, "Conflict", "uid mismatch");
	patch(x, MAPS "/m?fieldManager=a&dryRun=All", APPLY,
	      "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\n");
	assert_code(x, 201);
	get(x, MAPS "/m");
	assert_code(x, 404);
}

static void a_scale_is_read_replaced_and_patched(void **state)
{
	struct rfix *x = *state;

	make_deployment(x);
	get(x, DEPLOYMENTS "/d/scale");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "kind"), "Scale");
	assert_string_equal(answer_text(x, "spec.replicas"), "1");
	ask(x, "PUT", DEPLOYMENTS "/d/scale", ADMIN JSON,
	    "{\"apiVersion\":\"autoscaling/v1\",\"kind\":\"Scale\",\"metadata\":{\"name\":\"d\","
	    "\"namespace\":\"n1\"},\"spec\":{\"replicas\":3}}");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "spec.replicas"), "3");
	patch(x, DEPLOYMENTS "/d/scale", MERGE, "{\"spec\":{\"replicas\":5}}");
	assert_code(x, 200);
	get(x, DEPLOYMENTS "/d");
	assert_string_equal(answer_text(x, "spec.replicas"), "5");
	get(x, DEPLOYMENTS "/none/scale");
	assert_status(x, 404, "NotFound", "deployments.apps \"none\" not found");
}

static int with_namespace(void **state)
{
	int r = rest_setup(state);

	make_namespace(*state, "n1");
	return r;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, with_namespace, rest_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_merge_patch_sets_and_removes),
		TEST(a_json_patch_does_its_operations_or_nothing),
		TEST(a_patch_of_too_many_operations_is_refused),
		TEST(a_strategic_patch_merges_lists_by_their_keys),
		TEST(patches_have_their_types_and_options),
		TEST(a_patch_with_a_revision_is_of_that_revision_only),
		TEST(the_manager_is_named_or_the_user_agents),
		TEST(apply_creates_and_then_owns),
		TEST(what_cannot_be_applied_is_told),
		TEST(a_scale_is_read_replaced_and_patched),
	};

	return cmocka_run_group_tests_name("rest-patch", tests, NULL, NULL);
}
