/* SPDX-License-Identifier: Apache-2.0 */
/* What a server has, and what words mean. */
#include "client-test.h"

#include "client/discovery.h"

static const char core[] =
	"{\"items\":[{\"metadata\":{},\"versions\":[{\"version\":\"v1\",\"resources\":["
	"{\"resource\":\"pods\",\"singularResource\":\"pod\",\"responseKind\":{\"kind\":\"Pod\"},"
	"\"scope\":\"Namespaced\",\"shortNames\":[\"po\"],\"categories\":[\"all\"],"
	"\"verbs\":[\"get\",\"list\"],\"subresources\":[{\"subresource\":\"log\"}]},"
	"{\"resource\":\"events\",\"singularResource\":\"event\",\"responseKind\":{\"kind\":"
	"\"Event\"}"
	",\"scope\":\"Namespaced\",\"shortNames\":[\"ev\"]}]}]}]}";
static const char groups[] =
	"{\"items\":[{\"metadata\":{\"name\":\"apps\"},\"versions\":["
	"{\"version\":\"v1\",\"resources\":[{\"resource\":\"deployments\",\"responseKind\":"
	"{\"kind\":\"Deployment\"},\"scope\":\"Namespaced\",\"shortNames\":[\"deploy\"]}]},"
	"{\"version\":\"v1beta1\",\"resources\":[{\"resource\":\"deployments\",\"responseKind\":"
	"{\"kind\":\"Deployment\"}},{\"resource\":\"old\",\"responseKind\":{\"kind\":\"Old\"}}]}]},"
	"{\"metadata\":{\"name\":\"x.io\"},\"versions\":[{\"version\":\"v2\",\"resources\":["
	"{\"resource\":\"events\",\"responseKind\":{\"kind\":\"Event\"},\"shortNames\":[\"ev\"]},"
	"{\"resource\":\"pos\",\"responseKind\":{\"kind\":\"Po\"},\"scope\":\"Cluster\"}]}]}]}";

static struct catalog catalog(struct arena *a)
{
	struct catalog k;

	assert_int_equal(catalog_read(a, doc_of(a, core), doc_of(a, groups), &k, NULL), 0);
	return k;
}

static void words_mean_resources(void **state)
{
	static const char *const rows[][2] = {
		{ "pods", "v1 pods" },
		{ "pod", "v1 pods" },
		{ "Pods", "v1 pods" },
		{ "events", "v1 events" },
		{ "ev", "v1 events" },
		{ "events.x.io", "x.io/v2 events" },
		{ "deploy", "apps/v1 deployments" },
		{ "Deployment", "apps/v1 deployments" },
		{ "deployments.apps", "apps/v1 deployments" },
		{ "deployments.v1beta1.apps", "apps/v1beta1 deployments" },
		{ "deployments.v9.apps", NULL },
		{ "pods.v1.", "v1 pods" },
		{ "pods.v1", "v1 pods" },
		{ "old", "apps/v1beta1 old" },
		{ "po", "x.io/v2 pos" }, /* a kind's name goes before a short name */
		{ "nothing", NULL },
		{ "", NULL },
		{ ".apps", NULL },
		{ "pods.apps", NULL },
	};
	struct catalog k = catalog(*state);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct resource *r = catalog_find(&k, rows[i][0]);
		const char *got =
			r ? arena_printf(*state, "%s %s", r->api_version, r->name) : "nothing";

		if (strcmp(got, rows[i][1] ? rows[i][1] : "nothing") != 0)
			fail_msg("%s is %s", rows[i][0], got);
	}
}

static void what_is_known_of_a_resource(void **state)
{
	struct catalog k = catalog(*state);
	const struct resource *r = catalog_find(&k, "pods");
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1024);

	assert_true(r->namespaced && r->preferred);
	assert_true(resource_has_verb(r, "list") && !resource_has_verb(r, "watch"));
	assert_true(resource_in(r, "all") && !resource_in(r, "none"));
	assert_int_equal(r->nsubs, 1);
	assert_string_equal(r->subs[0], "log");
	assert_int_equal(k.nversions, 4);
	assert_int_equal(resource_path(r, "a/b", "x y", &b), 0);
	assert_string_equal(buf_str(&b), "/api/v1/namespaces/a%2Fb/pods/x%20y");
	buf_clear(&b);
	assert_int_equal(resource_path(catalog_find(&k, "pos"), "n", NULL, &b), 0);
	assert_string_equal(buf_str(&b), "/apis/x.io/v2/pos");
	assert_false(catalog_find(&k, "deployments.v1beta1.apps")->preferred);
	assert_true(catalog_find(&k, "old")->preferred);
	assert_string_equal(catalog_kind(&k, NULL, "Event")->api_version, "v1");
	assert_null(catalog_kind(&k, "v2", "Event"));
}

static void odd_documents_give_nothing(void **state)
{
	static const char *const rows[] = {
		"{}",
		"[]",
		"{\"items\":1}",
		"{\"items\":[1]}",
		"{\"items\":[{\"versions\":[{\"resources\":[{\"resource\":\"x\"}]}]}]}",
		"{\"items\":[{\"versions\":[{\"version\":\"v1\",\"resources\":[1,{},[]]}]}]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct catalog k;

		assert_int_equal(catalog_read(*state, doc_of(*state, rows[i]), NULL, &k, NULL), 0);
		assert_int_equal(k.n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ARENA_CASE(words_mean_resources),
		ARENA_CASE(what_is_known_of_a_resource),
		ARENA_CASE(odd_documents_give_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
