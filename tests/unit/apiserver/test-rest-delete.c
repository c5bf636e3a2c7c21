/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting, binding, evicting, through the whole server. */
#include "rest-fix.h"

#define MAPS "/api/v1/namespaces/n1/configmaps"
#define PODS "/api/v1/namespaces/n1/pods"
#define MERGE ADMIN "Content-Type: application/merge-patch+json\r\n"

static void delete (struct rfix *x, const char *path, const char *body)
{
	(void)ask(x, "DELETE", path, ADMIN JSON, body);
}

static void make_pod(struct rfix *x, const char *name, const char *node)
{
	char body[512];

	snprintf(body, sizeof(body),
		 "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\"},\"spec\":{"
		 "%s%s%s\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}",
		 name, *node ? "\"nodeName\":\"" : "", node, *node ? "\"," : "");
	post(x, PODS, body);
	assert_code(x, 201);
}

static void a_delete_answers_with_a_status_or_the_object(void **state)
{
	struct rfix *x = *state;

	make_map(x, "m", "a");
	delete (x, MAPS "/m", NULL);
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "status"), "Success");
	assert_string_equal(answer_text(x, "details.name"), "m");
	assert_string_equal(answer_text(x, "details.kind"), "configmaps");
	assert_int_equal(strlen(answer_text(x, "details.uid")), 36);
	get(x, MAPS "/m");
	assert_code(x, 404);
	delete (x, MAPS "/m", NULL);
	assert_status(x, 404, "NotFound", "configmaps \"m\" not found");
	make_pod(x, "p", "");
	delete (x, PODS "/p", NULL);
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "kind"), "Pod");
	get(x, PODS "/p");
	assert_code(x, 404);
}

static void a_pod_on_a_node_has_its_time_of_grace(void **state)
{
	struct rfix *x = *state;

	make_pod(x, "p", "node");
	delete (x, PODS "/p", NULL);
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "metadata.deletionGracePeriodSeconds"), "30");
	assert_int_equal(strlen(answer_text(x, "metadata.deletionTimestamp")), 20);
	delete (x, PODS "/p", "{\"gracePeriodSeconds\":60}");
	assert_string_equal(answer_text(x, "metadata.deletionGracePeriodSeconds"), "30");
	delete (x, PODS "/p",
		"{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"gracePeriodSeconds\":5}");
	assert_string_equal(answer_text(x, "metadata.deletionGracePeriodSeconds"), "5");
	delete (x, PODS "/p?gracePeriodSeconds=0", NULL);
	assert_code(x, 200);
	get(x, PODS "/p");
	assert_code(x, 404);
}

static void finalizers_keep_an_object_until_the_last_one_goes(void **state)
{
	struct rfix *x = *state;

	make_map(x, "m", "a");
	ask(x, "PATCH", MAPS "/m", MERGE, "{\"metadata\":{\"finalizers\":[\"x/y\",\"x/z\"]}}");
	assert_code(x, 200);
	delete (x, MAPS "/m", NULL);
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "kind"), "ConfigMap");
	assert_string_equal(answer_text(x, "metadata.deletionGracePeriodSeconds"), "0");
	ask(x, "PATCH", MAPS "/m", MERGE, "{\"metadata\":{\"finalizers\":[\"x/z\"]}}");
	assert_code(x, 200);
	get(x, MAPS "/m");
	assert_code(x, 200);
	ask(x, "PATCH", MAPS "/m", MERGE, "{\"metadata\":{\"deletionTimestamp\":null}}");
	assert_int_equal(strlen(answer_text(x, "metadata.deletionTimestamp")), 20);
	ask(x, "PATCH", MAPS "/m", MERGE, "{\"metadata\":{\"finalizers\":null}}");
	assert_code(x, 200);
	get(x, MAPS "/m");
	assert_code(x, 404);
}

static void propagation_is_a_finalizer(void **state)
{
	struct rfix *x = *state;

	make_map(x, "a", "a");
	make_map(x, "b", "a");
	make_map(x, "c", "a");
	delete (x, MAPS "/a", "{\"propagationPolicy\":\"Foreground\"}");
	assert_string_equal(answer_text(x, "metadata.finalizers.0"), "foregroundDeletion");
	delete (x, MAPS "/b?propagationPolicy=Orphan", NULL);
	assert_string_equal(answer_text(x, "metadata.finalizers.0"), "orphan");
	delete (x, MAPS "/c", "{\"propagationPolicy\":\"Background\"}");
	assert_string_equal(answer_text(x, "status"), "Success");
	delete (x, MAPS "/a", "{\"propagationPolicy\":\"Sideways\"}");
	assert_status(x, 422, "Invalid",
		      "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported "
		      "value: \"Sideways\"");
	delete (x, MAPS "/a", "{\"propagationPolicy\":\"Orphan\",\"orphanDependents\":true}");
	assert_status(x, 422, "Invalid", "cannot be both set");
	delete (x, MAPS "/a", "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"}");
	assert_code(x, 400);
}

static void jobs_leave_their_pods_and_say_so(void **state)
{
	struct rfix *x = *state;

	post(x, "/apis/batch/v1/namespaces/n1/jobs",
	     "{\"apiVersion\":\"batch/"
	     "v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"j\"},\"spec\":{"
	     "\"manualSelector\":true,\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{"
	     "\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPolicy\":\"Never\","
	     "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}");
	assert_code(x, 201);
	delete (x, "/apis/batch/v1/namespaces/n1/jobs/j", NULL);
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "metadata.finalizers.0"), "orphan");
	assert_non_null(strstr(header_of(x, "Warning"), "child pods are preserved by default"));
}

static void preconditions_must_hold(void **state)
{
	struct rfix *x = *state;

	make_map(x, "m", "a");
	delete (x, MAPS "/m", "{\"preconditions\":{\"uid\":\"else\"}}");
	assert_status(x, 409, "Conflict", "the UID in the precondition (else) does not match");
	delete (x, MAPS "/m", "{\"preconditions\":{\"resourceVersion\":\"1\"}}");
	assert_status(x, 409, "Conflict", "the ResourceVersion in the precondition (1)");
	get(x, MAPS "/m");
	assert_code(x, 200);
}

static void a_namespace_terminates_first(void **state)
{
	struct rfix *x = *state;

	make_namespace(x, "n3");
	ask(x, "PATCH", "/api/v1/namespaces/n3", MERGE,
	    "{\"metadata\":{\"finalizers\":[\"x/y\"]}}");
	delete (x, "/api/v1/namespaces/n3", NULL);
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "status.phase"), "Terminating");
	assert_string_equal(answer_text(x, "kind"), "Namespace");
	post(x, "/api/v1/namespaces/n3/configmaps",
	     "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"m\"}}");
	assert_status(x, 403, "Forbidden",
		      "configmaps \"m\" is forbidden: unable to create new content in namespace n3 "
		      "because it is being terminated");
	assert_string_equal(answer_text(x, "details.causes.0.reason"), "NamespaceTerminating");
	make_namespace(x, "default");
	delete (x, "/api/v1/namespaces/default", NULL);
	assert_status(x, 403, "Forbidden",
		      "namespaces \"default\" is forbidden: this namespace may not be deleted");
}

static void a_namespace_goes_when_it_is_finalized(void **state)
{
	struct rfix *x = *state;

	make_namespace(x, "n4");
	assert_string_equal(answer_text(x, "spec.finalizers.0"), "kubernetes");
	delete (x, "/api/v1/namespaces/n4", NULL);
	assert_code(x, 200);
	delete (x, "/api/v1/namespaces/n4", NULL);
	assert_string_equal(answer_text(x, "status.phase"), "Terminating");
	ask(x, "PUT", "/api/v1/namespaces/n4/finalize", ADMIN JSON,
	    "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"n4\"},"
	    "\"spec\":{}}");
	assert_code(x, 200);
	get(x, "/api/v1/namespaces/n4");
	assert_code(x, 404);
}

static void a_definition_waits_for_its_objects(void **state)
{
	static const char path[] = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
	struct rfix *x = *state;

	post(x, path,
	     "{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\","
	     "\"metadata\":{\"name\":\"foos.example.com\"},\"spec\":{\"group\":\"example.com\","
	     "\"scope\":\"Namespaced\",\"names\":{\"plural\":\"foos\",\"kind\":\"Foo\"},"
	     "\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"schema\":{"
	     "\"openAPIV3Schema\":{\"type\":\"object\"}}}]}}");
	assert_code(x, 201);
	delete (x, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/foos.example.com",
		NULL);
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "metadata.finalizers.0"),
			    "customresourcecleanup.apiextensions.k8s.io");
	assert_has(x, "\"type\":\"Terminating\",\"status\":\"True\"");
	get(x, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/foos.example.com");
	assert_code(x, 200);
}

static void a_collection_goes_by_its_selectors(void **state)
{
	struct rfix *x = *state;
	char name[16];

	for (int i = 0; i < 150; i++) {
		snprintf(name, sizeof(name), "m%03d", i);
		make_map(x, name, i % 3 ? "a" : "b");
	}
	delete (x, MAPS "?labelSelector=v%3Da&dryRun=All", NULL);
	assert_code(x, 200);
	delete (x, MAPS "?labelSelector=v%3Da&continue=x", NULL);
	assert_status(x, 400, "BadRequest",
		      "continue is not supported for DELETE of a collection: leave it out");
	delete (x, MAPS "?resourceVersion=1&resourceVersionMatch=Exact", NULL);
	assert_status(x, 400, "BadRequest",
		      "resourceVersionMatch: Exact is not supported for DELETE of a collection: "
		      "leave it out");
	delete (x, MAPS "?labelSelector=v%3Da&limit=7", NULL);
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "kind"), "ConfigMapList");
	assert_int_equal(doc_len(doc_get(answer_doc(x), "items")), 100);
	get(x, MAPS);
	assert_int_equal(doc_len(doc_get(answer_doc(x), "items")), 50);
	delete (x, MAPS, "{\"propagationPolicy\":\"Foreground\"}");
	assert_code(x, 200);
	get(x, MAPS);
	assert_int_equal(doc_len(doc_get(answer_doc(x), "items")), 50);
	assert_string_equal(answer_text(x, "items.0.metadata.finalizers.0"), "foregroundDeletion");
	ask(x, "DELETE", "/api/v1/namespaces", ADMIN, NULL);
	assert_code(x, 405);
}

static void a_pod_is_bound_to_a_node_once(void **state)
{
	static const char binding[] =
		"{\"apiVersion\":\"v1\",\"kind\":\"Binding\",\"metadata\":{"
		"\"name\":\"p\"},\"target\":{\"kind\":\"Node\",\"name\":\"n\"}}";
	struct rfix *x = *state;

	make_pod(x, "p", "");
	make_pod(x, "q", "");
	post(x, PODS "/p/binding", binding);
	assert_code(x, 201);
	assert_string_equal(answer_text(x, "status"), "Success");
	assert_string_equal(answer_text(x, "code"), "201");
	get(x, PODS "/p");
	assert_string_equal(answer_text(x, "spec.nodeName"), "n");
	post(x, PODS "/p/binding", binding);
	assert_code(x, 409);
	post(x, PODS "/q/binding", binding);
	assert_status(x, 400, "BadRequest", "name in URL does not match name in Binding object");
	post(x, "/api/v1/namespaces/n1/bindings",
	     "{\"apiVersion\":\"v1\",\"kind\":\"Binding\",\"metadata\":{\"name\":\"q\"},\"target\":"
	     "{"
	     "\"kind\":\"Node\",\"name\":\"n\"}}");
	assert_code(x, 201);
	get(x, PODS "/q");
	assert_string_equal(answer_text(x, "spec.nodeName"), "n");
}

static void an_eviction_deletes_the_pod(void **state)
{
	static const char body[] =
		"{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{"
		"\"name\":\"p\"}}";
	struct rfix *x = *state;

	make_pod(x, "p", "");
	post(x, PODS "/p/eviction", body);
	assert_code(x, 201);
	assert_string_equal(answer_text(x, "status"), "Success");
	get(x, PODS "/p");
	assert_code(x, 404);
	post(x, PODS "/p/eviction", body);
	assert_status(x, 404, "NotFound", "pods \"p\" not found");
	make_pod(x, "p", "node");
	post(x, PODS "/p/eviction", body);
	assert_code(x, 201);
	get(x, PODS "/p");
	assert_string_equal(answer_text(x, "metadata.deletionGracePeriodSeconds"), "30");
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
		TEST(a_delete_answers_with_a_status_or_the_object),
		TEST(a_pod_on_a_node_has_its_time_of_grace),
		TEST(finalizers_keep_an_object_until_the_last_one_goes),
		TEST(propagation_is_a_finalizer),
		TEST(jobs_leave_their_pods_and_say_so),
		TEST(preconditions_must_hold),
		TEST(a_namespace_terminates_first),
		TEST(a_namespace_goes_when_it_is_finalized),
		TEST(a_definition_waits_for_its_objects),
		TEST(a_collection_goes_by_its_selectors),
		TEST(a_pod_is_bound_to_a_node_once),
		TEST(an_eviction_deletes_the_pod),
	};

	return cmocka_run_group_tests_name("rest-delete", tests, NULL, NULL);
}
