/* SPDX-License-Identifier: Apache-2.0 */
/* Creating and replacing, through the whole server. */
#include "rest-fix.h"

#define MAPS "/api/v1/namespaces/n1/configmaps"
#define DEPLOYMENTS "/apis/apps/v1/namespaces/n1/deployments"
#define MAP(meta, more) \
	"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{" meta "}" more "}"

static void a_new_object_has_what_only_the_server_sets(void **state)
{
	struct rfix *x = *state;

	make_map(x, "m1", "a");
	assert_string_equal(answer_text(x, "kind"), "ConfigMap");
	assert_string_equal(answer_text(x, "metadata.namespace"), "n1");
	assert_int_equal(strlen(answer_text(x, "metadata.uid")), 36);
	assert_int_equal(strlen(answer_text(x, "metadata.creationTimestamp")), 20);
	assert_string_equal(answer_text(x, "metadata.managedFields.0.operation"), "Update");
	assert_string_equal(answer_text(x, "data.k"), "a");
	get(x, MAPS "/m1");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "data.k"), "a");
	post(x, MAPS, MAP("\"name\":\"m1\"", ""));
	assert_status(x, 409, "AlreadyExists", "configmaps \"m1\" already exists");
	assert_string_equal(answer_text(x, "details.name"), "m1");
	assert_string_equal(answer_text(x, "details.kind"), "configmaps");
}

static void clients_cannot_set_what_is_the_servers(void **state)
{
	struct rfix *x = *state;

	post(x, MAPS,
	     MAP("\"name\":\"m\",\"uid\":\"u\",\"creationTimestamp\":\"2001-01-01T00:00:00Z\","
		 "\"deletionTimestamp\":\"2001-01-01T00:00:00Z\",\"selfLink\":\"/x\"",
		 ""));
	assert_code(x, 201);
	assert_string_not_equal(answer_text(x, "metadata.uid"), "u");
	assert_hasnt(x, "2001-01-01");
	assert_hasnt(x, "selfLink");
	post(x, MAPS, MAP("\"name\":\"n\",\"resourceVersion\":\"5\"", ""));
	assert_code(x, 500);
	assert_has(x, "resourceVersion should not be set on objects to be created");
	assert_string_equal(answer_text(x, "reason"), "(none)");
}

static void a_name_is_made_of_generateName(void **state)
{
	struct rfix *x = *state;
	char first[64];

	post(x, MAPS, MAP("\"generateName\":\"web-\"", ""));
	assert_code(x, 201);
	snprintf(first, sizeof(first), "%s", answer_text(x, "metadata.name"));
	assert_int_equal(strlen(first), 9);
	assert_int_equal(strncmp(first, "web-", 4), 0);
	post(x, MAPS, MAP("\"generateName\":\"web-\"", ""));
	assert_code(x, 201);
	assert_string_not_equal(answer_text(x, "metadata.name"), first);
	post(x, MAPS, MAP("", ""));
	assert_status(x, 422, "Invalid", "name or generateName is required");
	assert_string_equal(answer_text(x, "details.causes.0.field"), "metadata.name");
}

static void the_namespace_is_the_urls(void **state)
{
	struct rfix *x = *state;

	post(x, MAPS, MAP("\"name\":\"m\",\"namespace\":\"other\"", ""));
	assert_status(x, 400, "BadRequest", "does not match the namespace sent on the request");
	post(x, "/api/v1/namespaces/nowhere/configmaps", MAP("\"name\":\"m\"", ""));
	assert_status(x, 404, "NotFound", "namespaces \"nowhere\" not found");
	post(x, "/api/v1/namespaces",
	     "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"n2\","
	     "\"namespace\":\"x\"}}");
	assert_code(x, 201);
	assert_string_equal(answer_text(x, "metadata.namespace"), "(none)");
	post(x, "/api/v1/configmaps", MAP("\"name\":\"m\"", ""));
	assert_code(x, 405);
}

static void bodies_of_another_kind_or_version_are_refused(void **state)
{
	struct rfix *x = *state;

	post(x, DEPLOYMENTS, MAP("\"name\":\"m\"", ""));
	assert_status(x, 400, "BadRequest",
		      "the API version in the data (v1) does not match the expected API version "
		      "(apps/v1)");
	post(x, MAPS, "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"m\"}}");
	assert_status(x, 400, "BadRequest",
		      "Secret in version \"v1\" cannot be handled as a ConfigMap");
	post(x, MAPS, "{\"apiVersion\":\"v1\"");
	assert_code(x, 400);
	post(x, MAPS, MAP("\"name\":3", ""));
	assert_status(x, 400, "BadRequest", "json: cannot unmarshal number into Go struct field");
	ask(x, "POST", MAPS, ADMIN "Content-Type: text/csv\r\n", "a,b");
	assert_status(x, 415, "UnsupportedMediaType", "accepted media types include");
	ask(x, "GET", MAPS, ADMIN "Accept: text/csv\r\n", NULL);
	assert_status(x, 406, "NotAcceptable", "only the following media types are accepted");
}

static void fields_that_are_unknown_are_warned_of_or_refused(void **state)
{
	static const char body[] =
		MAP("\"name\":\"m\"", ",\"nope\":1,\"data\":{\"a\":\"1\",\"a\":\"2\"}");
	struct rfix *x = *state;

	ask(x, "POST", MAPS "?fieldValidation=Strict", ADMIN JSON, body);
	assert_status(x, 400, "BadRequest", "strict decoding error: ");
	assert_has(x, "unknown field \\\"nope\\\"");
	assert_has(x, "duplicate field \\\"data.a\\\"");
	ask(x, "POST", MAPS "?dryRun=All", ADMIN JSON, body);
	assert_code(x, 201);
	assert_non_null(strstr(buf_str(&x->head), "Warning: 299 - \"unknown field \\\"nope\\\"\""));
	assert_non_null(
		strstr(buf_str(&x->head), "Warning: 299 - \"duplicate field \\\"data.a\\\"\""));
	ask(x, "POST", MAPS "?fieldValidation=Ignore", ADMIN JSON, body);
	assert_code(x, 201);
	assert_null(header_of(x, "Warning"));
	assert_string_equal(answer_text(x, "data.a"), "2");
	ask(x, "POST", MAPS "?fieldValidation=Maybe", ADMIN JSON, body);
	assert_code(x, 422);
}

static void a_dry_run_answers_as_if_and_leaves_nothing(void **state)
{
	struct rfix *x = *state;

	ask(x, "POST", MAPS "?dryRun=All", ADMIN JSON, MAP("\"name\":\"m\"", ""));
	assert_code(x, 201);
	assert_int_equal(strlen(answer_text(x, "metadata.uid")), 36);
	assert_string_equal(answer_text(x, "metadata.resourceVersion"), "(none)");
	get(x, MAPS "/m");
	assert_status(x, 404, "NotFound", "configmaps \"m\" not found");
	make_map(x, "m", "a");
	ask(x, "POST", MAPS "?dryRun=All", ADMIN JSON, MAP("\"name\":\"m\"", ""));
	assert_status(x, 409, "AlreadyExists", "already exists");
	ask(x, "PUT", MAPS "/m?dryRun=All", ADMIN JSON,
	    MAP("\"name\":\"m\"", ",\"data\":{\"k\":\"b\"}"));
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "data.k"), "b");
	ask(x, "DELETE", MAPS "/m?dryRun=All", ADMIN, NULL);
	assert_code(x, 200);
	get(x, MAPS "/m");
	assert_string_equal(answer_text(x, "data.k"), "a");
	ask(x, "POST", MAPS "?dryRun=Some", ADMIN JSON, MAP("\"name\":\"m\"", ""));
	assert_code(x, 422);
}

static void revision(struct rfix *x, char out[32])
{
	snprintf(out, 32, "%s", answer_text(x, "metadata.resourceVersion"));
}

static void a_put_takes_the_place_of_what_it_saw(void **state)
{
	struct rfix *x = *state;
	char first[32], second[32], body[512], uid[64];

	make_map(x, "m", "a");
	revision(x, first);
	snprintf(uid, sizeof(uid), "%s", answer_text(x, "metadata.uid"));
	ask(x, "PUT", MAPS "/m", ADMIN JSON, MAP("\"name\":\"m\"", ",\"data\":{\"k\":\"b\"}"));
	assert_code(x, 200);
	revision(x, second);
	assert_string_not_equal(first, second);
	assert_string_equal(answer_text(x, "metadata.uid"), uid);
	assert_string_equal(answer_text(x, "data.k"), "b");
	snprintf(body, sizeof(body), MAP("\"name\":\"m\",\"resourceVersion\":\"%s\"", ""), first);
	ask(x, "PUT", MAPS "/m", ADMIN JSON, body);
	assert_status(x, 409, "Conflict",
		      "Operation cannot be fulfilled on configmaps \"m\": the object has been "
		      "modified; please apply your changes to the latest version and try again");
	snprintf(body, sizeof(body), MAP("\"name\":\"m\",\"resourceVersion\":\"%s\"", ""), second);
	ask(x, "PUT", MAPS "/m", ADMIN JSON, body);
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "data"), "(none)");
	ask(x, "PUT", MAPS "/m", ADMIN JSON, MAP("\"name\":\"other\"", ""));
	assert_status(x, 400, "BadRequest",
		      "the name of the object (other) does not match the name on the URL (m)");
	ask(x, "PUT", MAPS "/m", ADMIN JSON, MAP("\"name\":\"m\",\"uid\":\"else\"", ""));
	assert_status(x, 409, "Conflict", "Precondition failed: UID in precondition: else");
	ask(x, "PUT", MAPS "/m", ADMIN JSON, MAP("\"name\":\"m\",\"resourceVersion\":\"x\"", ""));
	assert_code(x, 500);
	assert_has(x, "strconv.ParseUint");
}

static void what_changes_nothing_is_not_written(void **state)
{
	struct rfix *x = *state;
	char first[32], second[32];

	make_map(x, "m", "a");
	revision(x, first);
	ask(x, "PUT", MAPS "/m", ADMIN JSON,
	    MAP("\"name\":\"m\",\"labels\":{\"v\":\"a\"}", ",\"data\":{\"k\":\"a\"}"));
	assert_code(x, 200);
	revision(x, second);
	assert_string_equal(first, second);
}

static void some_kinds_are_created_by_put_and_some_need_the_revision(void **state)
{
	static const char lease[] =
		"{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
		"\"metadata\":{\"name\":\"l\"},\"spec\":{\"holderIdentity\":\"a\"}}";
	static const char path[] = "/apis/coordination.k8s.io/v1/namespaces/n1/leases/l";
	struct rfix *x = *state;

	ask(x, "PUT", MAPS "/m", ADMIN JSON, MAP("\"name\":\"m\"", ""));
	assert_status(x, 404, "NotFound", "configmaps \"m\" not found");
	ask(x, "PUT", path, ADMIN JSON, lease);
	assert_code(x, 201);
	ask(x, "PUT", path, ADMIN JSON, lease);
	assert_status(x, 422, "Invalid",
		      "metadata.resourceVersion: Invalid value: 0x0: must be specified for an "
		      "update");
	assert_string_equal(answer_text(x, "details.causes.0.field"), "metadata.resourceVersion");
}

static void what_is_wrong_with_an_object_is_told_by_field(void **state)
{
	struct rfix *x = *state;

	post(x, DEPLOYMENTS,
	     "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"D!\"},"
	     "\"spec\":{\"template\":{\"spec\":{\"containers\":[]}}}}");
	assert_status(x, 422, "Invalid", "Deployment.apps \"D!\" is invalid: [");
	assert_string_equal(answer_text(x, "details.group"), "apps");
	assert_string_equal(answer_text(x, "details.kind"), "Deployment");
	assert_string_equal(answer_text(x, "details.name"), "D!");
}

static void the_status_is_written_by_its_own_path(void **state)
{
	struct rfix *x = *state;

	make_namespace(x, "n2");
	ask(x, "PUT", "/api/v1/namespaces/n2/status", ADMIN JSON,
	    "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"n2\"},"
	    "\"status\":{\"phase\":\"Active\",\"conditions\":[{\"type\":\"T\",\"status\":\"True\"}]"
	    "}}");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "status.conditions.0.type"), "T");
	ask(x, "PUT", "/api/v1/namespaces/n2", ADMIN JSON,
	    "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"n2\","
	    "\"labels\":{\"a\":\"b\"}},\"status\":{\"phase\":\"Terminating\"}}");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "status.conditions.0.type"), "T");
	assert_string_equal(answer_text(x, "status.phase"), "Active");
	get(x, "/api/v1/namespaces/n2/status");
	assert_string_equal(answer_text(x, "metadata.labels.a"), "b");
}

static void a_body_past_the_limit_is_refused(void **state)
{
	struct rfix *x = *state;
	char *big = calloc(1, 4u << 20);

	memset(big, ' ', (4u << 20) - 1);
	ask(x, "POST", MAPS, ADMIN JSON, big);
	assert_status(x, 413, "RequestEntityTooLarge", "limit is 3145728");
	free(big);
}

static void bodies_come_as_yaml_too_and_answers_go_as_yaml(void **state)
{
	struct rfix *x = *state;

	ask(x, "POST", MAPS, ADMIN "Content-Type: application/yaml\r\nAccept: application/yaml\r\n",
	    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yml\ndata:\n  k: \"1\"\n");
	assert_code(x, 201);
	assert_string_equal(header_of(x, "Content-Type"), "application/yaml");
	assert_has(x, "k: \"1\"");
}

static void two_versions_of_a_kind_are_one_object(void **state)
{
	struct rfix *x = *state;

	post(x, "/apis/autoscaling/v1/namespaces/n1/horizontalpodautoscalers",
	     "{\"apiVersion\":\"autoscaling/"
	     "v1\",\"kind\":\"HorizontalPodAutoscaler\",\"metadata\":{"
	     "\"name\":\"h\"},\"spec\":{\"maxReplicas\":3,\"targetCPUUtilizationPercentage\":70,"
	     "\"scaleTargetRef\":{\"apiVersion\":\"apps/"
	     "v1\",\"kind\":\"Deployment\",\"name\":\"d\"}}}");
	assert_code(x, 201);
	assert_string_equal(answer_text(x, "spec.targetCPUUtilizationPercentage"), "70");
	get(x, "/apis/autoscaling/v2/namespaces/n1/horizontalpodautoscalers/h");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "apiVersion"), "autoscaling/v2");
	assert_string_equal(answer_text(x, "spec.metrics.0.resource.target.averageUtilization"),
			    "70");
}

static void owners_that_stand_twice_are_one(void **state)
{
#define OWNER "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":\"p\",\"uid\":\"u1\"}"
	struct rfix *x = *state;

	post(x, MAPS, MAP("\"name\":\"m\",\"ownerReferences\":[" OWNER "," OWNER "]", ""));
	assert_code(x, 201);
	assert_int_equal(doc_len(doc_find(answer_doc(x), "metadata.ownerReferences")), 1);
	assert_non_null(strstr(header_of(x, "Warning"), "duplicate UID(s) observed: u1"));
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
		TEST(a_new_object_has_what_only_the_server_sets),
		TEST(clients_cannot_set_what_is_the_servers),
		TEST(a_name_is_made_of_generateName),
		TEST(the_namespace_is_the_urls),
		TEST(bodies_of_another_kind_or_version_are_refused),
		TEST(fields_that_are_unknown_are_warned_of_or_refused),
		TEST(a_dry_run_answers_as_if_and_leaves_nothing),
		TEST(a_put_takes_the_place_of_what_it_saw),
		TEST(what_changes_nothing_is_not_written),
		TEST(some_kinds_are_created_by_put_and_some_need_the_revision),
		TEST(what_is_wrong_with_an_object_is_told_by_field),
		TEST(the_status_is_written_by_its_own_path),
		TEST(a_body_past_the_limit_is_refused),
		TEST(bodies_come_as_yaml_too_and_answers_go_as_yaml),
		TEST(two_versions_of_a_kind_are_one_object),
		TEST(owners_that_stand_twice_are_one),
	};

	return cmocka_run_group_tests_name("rest-write", tests, NULL, NULL);
}
