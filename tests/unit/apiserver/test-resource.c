/* SPDX-License-Identifier: Apache-2.0 */
/* What is served, and where its objects are kept. */
#include "rest-fix.h"

#include "api/custom.h"

static void objects_are_where_upstream_keeps_them(void **state)
{
	static const struct {
		const char *group, *resource, *prefix;
	} v[] = {
		{ "", "pods", "/registry/pods/" },
		{ "", "services", "/registry/services/specs/" },
		{ "", "endpoints", "/registry/services/endpoints/" },
		{ "", "nodes", "/registry/minions/" },
		{ "", "replicationcontrollers", "/registry/controllers/" },
		{ "", "podtemplates", "/registry/podtemplates/" },
		{ "", "limitranges", "/registry/limitranges/" },
		{ "", "events", "/registry/events/" },
		{ "events.k8s.io", "events", "/registry/events/" },
		{ "apps", "deployments", "/registry/deployments/" },
		{ "autoscaling", "horizontalpodautoscalers",
		  "/registry/horizontalpodautoscalers/" },
		{ "networking.k8s.io", "ingresses", "/registry/ingress/" },
		{ "networking.k8s.io", "networkpolicies", "/registry/networkpolicies/" },
		{ "coordination.k8s.io", "leases", "/registry/leases/" },
		{ "rbac.authorization.k8s.io", "clusterroles", "/registry/clusterroles/" },
		{ "storage.k8s.io", "csinodes", "/registry/csinodes/" },
		{ "apiextensions.k8s.io", "customresourcedefinitions",
		  "/registry/apiextensions.k8s.io/customresourcedefinitions/" },
		{ "apiregistration.k8s.io", "apiservices",
		  "/registry/apiregistration.k8s.io/apiservices/" },
	};
	struct rfix *x = *state;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct collection *o = resources_objects(x->rs, v[i].group, v[i].resource);

		if (!o || strcmp(o->prefix, v[i].prefix) != 0)
			fail_msg("%s %s: %s", v[i].group, v[i].resource, o ? o->prefix : "none");
	}
	assert_null(resources_objects(x->rs, "", "bindings"));
	assert_null(resources_objects(x->rs, "", "nothings"));
}

static void versions_of_a_kind_share_their_objects(void **state)
{
	struct rfix *x = *state;
	struct resource *v1 =
		resources_find(x->rs, "autoscaling", "v1", "horizontalpodautoscalers");
	struct resource *v2 =
		resources_find(x->rs, "autoscaling", "v2", "horizontalpodautoscalers");
	struct resource *core = resources_find(x->rs, "", "v1", "events");
	struct resource *other = resources_kind(x->rs, "events.k8s.io/v1", "Event");

	assert_ptr_equal(v1->objects, v2->objects);
	assert_string_equal(v1->objects->kind->group->version, "v2");
	assert_ptr_equal(core->objects, other->objects);
	assert_string_equal(core->objects->kind->group->group, "");
	assert_ptr_not_equal(core->kind, other->kind);
	assert_null(resources_find(x->rs, "apps", "v2", "deployments"));
	assert_null(resources_kind(x->rs, "v1", "Nothing"));
}

static const char definition[] =
	"{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\","
	"\"metadata\":{\"name\":\"foos.example.com\"},\"spec\":{\"group\":\"example.com\","
	"\"scope\":"
	"\"Namespaced\",\"names\":{\"plural\":\"foos\",\"singular\":\"foo\",\"kind\":\"Foo\","
	"\"listKind\":\"FooList\"},\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,"
	"\"schema\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}]}}";

static void release(void *owner)
{
	custom_unref(owner);
}

static struct custom *compile(struct rfix *x)
{
	const struct json_options copy = { .copy = true };
	struct err err = ERR_INIT;
	struct custom *c;
	struct doc *d;

	assert_int_equal(json_read(x->a, slice_str(definition), &copy, &d, &err), 0);
	if (custom_compile(&x->api, d, &c, &err) < 0)
		fail_msg("%s", err.msg);
	return c;
}

static void serve(struct rfix *x, struct custom *owned)
{
	struct resources_custom c = { .stored = custom_stored(owned),
				      .owner = owned,
				      .release = release };
	struct err err = ERR_INIT;

	c.kinds = custom_kinds(owned, &c.n);
	if (resources_set_custom(x->rs, &c, &err) < 0)
		fail_msg("%s", err.msg);
}

/* Requests that hold a resource while its definition changes or goes keep what they have. */
static void custom_kinds_come_and_go_while_they_are_held(void **state)
{
	struct rfix *x = *state;
	uint64_t before = resources_generation(x->rs);
	struct resource *held, *now;
	size_t n;

	(void)resources_groups(x->rs, &n);
	assert_int_equal(n, 0);
	serve(x, compile(x));
	assert_true(resources_generation(x->rs) > before);
	held = resource_ref(resources_find(x->rs, "example.com", "v1", "foos"));
	assert_string_equal(held->objects->prefix, "/registry/example.com/foos/");
	assert_string_equal(resources_groups(x->rs, &n)[0]->api_version, "example.com/v1");
	assert_int_equal(n, 1);
	get(x, "/apis/example.com/v1");
	assert_has(x, "\"name\":\"foos\"");
	serve(x, compile(x)); /* the definition changed */
	now = resources_find(x->rs, "example.com", "v1", "foos");
	assert_ptr_not_equal(now, held);
	assert_ptr_equal(now->objects, held->objects);
	assert_string_equal(held->kind->kind, "Foo");
	resources_remove_custom(x->rs, "example.com", "foos");
	assert_null(resources_find(x->rs, "example.com", "v1", "foos"));
	assert_null(held->objects->cache);
	(void)resources_groups(x->rs, &n);
	assert_int_equal(n, 0);
	resource_unref(held);
	get(x, "/apis/example.com/v1");
	assert_code(x, 404);
}

static int count(void *arg, struct resource *r)
{
	(void)r;
	return ++*(int *)arg == 5 ? -1 : 0;
}

static void each_served_resource_is_given(void **state)
{
	struct rfix *x = *state;
	int n = 0, all = -1000;

	assert_int_equal(resources_each(x->rs, count, &n), -1);
	assert_int_equal(n, 5);
	assert_int_equal(resources_each(x->rs, count, &all), 0);
	assert_true(all > -1000 + 60);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rest_setup, rest_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(objects_are_where_upstream_keeps_them),
		TEST(versions_of_a_kind_share_their_objects),
		TEST(custom_kinds_come_and_go_while_they_are_held),
		TEST(each_served_resource_is_given),
	};

	return cmocka_run_group_tests_name("resource", tests, NULL, NULL);
}
