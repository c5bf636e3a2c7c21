/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Definitions in a real store: names, conditions, what is served, versions, deletion; APIServices.
 * Cases turn the loop until the controller has nothing left to do.
 */
#include "crd-fix.h"

/* ---- cases ---- */

static void a_definition_is_accepted_and_served(void **state)
{
	struct crdfix *x = *state;
	uint64_t generation = resources_generation(x->rs);
	struct resource *r;

	put_crd(x, "foos", "Foo", ", shortNames: [fo], categories: [all]", "");
	assert_condition(x, "foos", "NamesAccepted", "True NoConflicts no conflicts found");
	assert_condition(x, "foos", "Established",
			 "True InitialNamesAccepted the initial names have been accepted");
	assert_string_equal(json(x, doc_find(crd(x, "foos"), "status.acceptedNames")),
			    "{\"plural\":\"foos\",\"singular\":\"foo\",\"shortNames\":[\"fo\"],"
			    "\"kind\":\"Foo\",\"listKind\":\"FooList\",\"categories\":[\"all\"]}");
	assert_string_equal(json(x, doc_find(crd(x, "foos"), "status.storedVersions")), "[\"v1\"]");
	r = resources_find(x->rs, "example.com", "v1", "foos");
	assert_non_null(r);
	assert_non_null(r->kind->custom);
	assert_ptr_equal(resources_kind(x->rs, "example.com/v1", "Foo"), r);
	assert_ptr_equal(r->objects->strategy, &strategy_custom);
	assert_true(resources_generation(x->rs) > generation);
	assert_string_equal(r->objects->prefix, "/registry/example.com/foos/");
}

static void names_that_others_have_are_refused_until_they_are_free(void **state)
{
	struct crdfix *x = *state;

	put_crd(x, "foos", "Foo", ", shortNames: [fo]", "");
	put_crd(x, "bars", "Foo", ", singular: bar, shortNames: [fo, ba], listKind: BarList", "");
	assert_condition(x, "bars", "NamesAccepted",
			 "False KindConflict \"Foo\" is already in use");
	assert_condition(x, "bars", "Established", "False NotAccepted not all names are accepted");
	assert_null(resources_find(x->rs, "example.com", "v1", "bars"));
	assert_string_equal(json(x, doc_find(crd(x, "bars"), "status.acceptedNames")),
			    "{\"plural\":\"bars\",\"singular\":\"bar\",\"kind\":\"\",\"listKind\":"
			    "\"BarList\"}");
	put_crd(x, "bazs", "Baz", ", singular: baz, shortNames: [fo]", "");
	assert_condition(x, "bazs", "NamesAccepted",
			 "False ShortNamesConflict \"fo\" is already in use");
	write_json(x,
		   resources_objects(x->rs, "apiextensions.k8s.io", "customresourcedefinitions")
			   ->cache,
		   "foos.example.com", SLICE(""));
	settle(x);
	assert_null(resources_find(x->rs, "example.com", "v1", "foos"));
	/* one of the two has the short name now, and the kind is free */
	assert_condition(x, "bars", "NamesAccepted", "True NoConflicts no conflicts found");
	assert_non_null(resources_find(x->rs, "example.com", "v1", "bars"));
	assert_condition(x, "bazs", "NamesAccepted",
			 "False ShortNamesConflict \"fo\" is already in use");
}

static void versions_come_and_go(void **state)
{
	struct crdfix *x = *state;
	static const char any[] = "schema: {openAPIV3Schema: {type: object, "
				  "x-kubernetes-preserve-unknown-fields: true}}";
	struct resource *v1;

	put_crd(x, "foos", "Foo", "", "");
	put_foo(x, "one", "");
	v1 = resource_ref(resources_find(x->rs, "example.com", "v1", "foos"));
	put_crd(x, "foos", "Foo", "",
		arena_printf(
			x->a,
			"[{name: v1, served: true, storage: false, %s}, {name: v2, served: true, "
			"storage: true, %s}]",
			any, any));
	assert_non_null(resources_find(x->rs, "example.com", "v2", "foos"));
	assert_string_equal(json(x, doc_find(crd(x, "foos"), "status.storedVersions")),
			    "[\"v1\",\"v2\"]");
	assert_string_equal(resources_objects(x->rs, "example.com", "foos")->kind->group->version,
			    "v2");
	/* what was asked for before is still what it was */
	assert_string_equal(v1->kind->group->version, "v1");
	resource_unref(v1);
	assert_non_null(resources_get(x->rs, "example.com", "foos", "d", "one"));
	put_crd(x, "foos", "Foo", "",
		arena_printf(
			x->a,
			"[{name: v1, served: false, storage: false, %s}, {name: v2, served: true, "
			"storage: true, %s}]",
			any, any));
	assert_null(resources_find(x->rs, "example.com", "v1", "foos"));
	assert_non_null(resources_find(x->rs, "example.com", "v2", "foos"));
	/* a new start reads what was stored in the old version */
	end(x);
	begin(x);
	settle(x);
	assert_non_null(resources_find(x->rs, "example.com", "v2", "foos"));
	while (!cache_ready(resources_objects(x->rs, "example.com", "foos")->cache))
		assert_true(loop_step(x->f->loop, NS_PER_SEC, &x->err) >= 0);
	assert_string_equal(
		json(x, doc_get(object(x, "example.com", "foos", "d", "one"), "apiVersion")),
		"\"example.com/v2\"");
}

/* Objects that were stored before a default came have it when they are read. */
static void new_defaults_are_read(void **state)
{
	struct crdfix *x = *state;
	static const char with[] =
		"[{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, "
		"properties: {spec: {type: object, default: {}, properties: {a: {type: integer, "
		"default: %d}}}}}}}]";
	struct doc *d;

	put_crd(x, "foos", "Foo", "", "");
	put_foo(x, "one", "");
	put_crd(x, "foos", "Foo", "", arena_printf(x->a, with, 5));
	d = object(x, "example.com", "foos", "d", "one");
	assert_string_equal(json(x, doc_get(d, "spec")), "{\"a\":5}");
	end(x);
	begin(x);
	settle(x);
	while (!cache_ready(resources_objects(x->rs, "example.com", "foos")->cache))
		assert_true(loop_step(x->f->loop, NS_PER_SEC, &x->err) >= 0);
	d = object(x, "example.com", "foos", "d", "one");
	assert_string_equal(json(x, doc_get(d, "spec")), "{\"a\":5}");
	assert_non_null(doc_find(d, "metadata.resourceVersion"));
}

static void what_cannot_be_served_says_why(void **state)
{
	struct crdfix *x = *state;

	put_crd(x, "foos", "Foo", "",
		"[{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, "
		"x-kubernetes-validations: [{rule: 'self.x'}]}}}]");
	assert_non_null(strstr(condition(x, crd(x, "foos"), "Established"),
			       "False NotSupported version 'v1': schema.openAPIV3Schema: "
			       "x-kubernetes-validations[0].rule: Invalid value: "));
	assert_null(resources_find(x->rs, "example.com", "v1", "foos"));
}

static void groups_of_the_project_need_a_word(void **state)
{
	struct crdfix *x = *state;
	struct doc *d = yaml(x, "apiVersion: apiextensions.k8s.io/v1\n"
				"kind: CustomResourceDefinition\n"
				"metadata: {name: foos.x.k8s.io, annotations: "
				"{api-approved.kubernetes.io: 'https://a.b/c'}}\n"
				"spec:\n"
				"  group: x.k8s.io\n"
				"  scope: Cluster\n"
				"  names: {plural: foos, kind: Foo}\n"
				"  versions: [{name: v1, served: true, storage: true, schema: "
				"{openAPIV3Schema: {type: object}}}]\n");

	put_object(x, "apiextensions.k8s.io", "customresourcedefinitions", "foos.x.k8s.io", d);
	settle(x);
	assert_string_equal(condition(x,
				      object(x, "apiextensions.k8s.io", "customresourcedefinitions",
					     "", "foos.x.k8s.io"),
				      "KubernetesAPIApprovalPolicyConformant"),
			    "True ApprovedAnnotation approved in https://a.b/c");
}

/* ---- deletion ---- */

static void delete_crd(struct crdfix *x, const char *plural)
{
	struct doc *d = crd(x, plural);
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 20);
	struct doc *m = doc_get(d, "metadata"), canonical;

	doc_set_str(x->a, m, "deletionTimestamp", "2024-01-01T00:00:00Z");
	doc_append_str(x->a, doc_set_array(x->a, m, "finalizers"),
		       "customresourcecleanup.apiextensions.k8s.io");
	assert_int_equal(
		api_admit(api_kind(&x->api, "apiextensions.k8s.io/v1", "CustomResourceDefinition")
				  ->type,
			  d, x->a, 0, NULL, &canonical, &x->err),
		0);
	assert_int_equal(codec_store(&canonical, &out, &x->err), 0);
	write_json(x,
		   resources_objects(x->rs, "apiextensions.k8s.io", "customresourcedefinitions")
			   ->cache,
		   arena_printf(x->a, "%s.example.com", plural), buf_slice(&out));
}

static void objects_go_before_their_definition(void **state)
{
	struct crdfix *x = *state;

	put_crd(x, "foos", "Foo", "", "");
	for (int i = 0; i < 150; i++)
		put_foo(x, arena_printf(x->a, "f%d", i), "");
	assert_int_equal(cache_count(resources_objects(x->rs, "example.com", "foos")->cache), 150);
	delete_crd(x, "foos");
	settle(x);
	assert_null(crd(x, "foos"));
	assert_null(resources_find(x->rs, "example.com", "v1", "foos"));
	/* nothing of them is left in the store */
	put_crd(x, "foos", "Foo", "", "");
	while (!cache_ready(resources_objects(x->rs, "example.com", "foos")->cache))
		assert_true(loop_step(x->f->loop, NS_PER_SEC, &x->err) >= 0);
	assert_int_equal(cache_count(resources_objects(x->rs, "example.com", "foos")->cache), 0);
}

static void objects_with_finalizers_are_waited_for(void **state)
{
	struct crdfix *x = *state;
	struct collection *o;
	struct doc *d;

	put_crd(x, "foos", "Foo", "", "");
	put_foo(x, "held", ", finalizers: [a.b/c], generation: 3");
	put_foo(x, "free", "");
	o = resources_objects(x->rs, "example.com", "foos");
	delete_crd(x, "foos");
	for (int i = 0; i < 10000 && cache_count(o->cache) > 1; i++)
		(void)loop_step(x->f->loop, NS_PER_SEC, &x->err);
	for (int i = 0; i < 10000; i++) {
		d = object(x, "example.com", "foos", "d", "held");
		if (doc_find(d, "metadata.deletionTimestamp"))
			break;
		(void)loop_step(x->f->loop, NS_PER_SEC, &x->err);
	}
	assert_non_null(doc_find(d, "metadata.deletionTimestamp"));
	assert_string_equal(json(x, doc_find(d, "metadata.deletionGracePeriodSeconds")), "0");
	assert_string_equal(json(x, doc_find(d, "metadata.generation")), "2");
	assert_condition(x, "foos", "Terminating",
			 "True InstanceDeletionInProgress CustomResource deletion is in progress");
	assert_false(crd_controller_idle(x->c));
	write_json(x, o->cache, "d/held", SLICE(""));
	settle(x);
	assert_null(crd(x, "foos"));
}

static void nothing_is_created_while_the_definition_goes(void **state)
{
	struct crdfix *x = *state;
	struct strategy_call call = { .rs = x->rs, .sub = "", .a = x->a };
	struct doc *d = yaml(x, "{kind: Foo, apiVersion: example.com/v1, metadata: {name: new, "
				"namespace: d}}");

	put_crd(x, "foos", "Foo", "", "");
	put_foo(x, "held", ", finalizers: [a.b/c]");
	call.objects = resources_objects(x->rs, "example.com", "foos");
	assert_int_equal(strategy_create(&call, d, &x->err), 0);
	delete_crd(x, "foos");
	assert_int_equal(strategy_create(&call, d, &x->err), -ERR_FORBIDDEN);
	assert_string_equal(
		x->err.msg,
		"foos.example.com \"new\" is forbidden: create not allowed while custom "
		"resource definition is terminating");
	write_json(x, call.objects->cache, "d/held", SLICE(""));
}

static void definitions_that_never_were_served_just_go(void **state)
{
	struct crdfix *x = *state;

	put_crd(x, "foos", "Foo", "", "");
	put_crd(x, "bars", "Foo", ", singular: bar, listKind: BarList", "");
	delete_crd(x, "bars");
	settle(x);
	assert_null(crd(x, "bars"));
	assert_non_null(resources_find(x->rs, "example.com", "v1", "foos"));
}

/* ---- strategies ---- */

static void generation_counts_what_is_neither_metadata_nor_status(void **state)
{
	static const struct {
		const char *now, *generation;
	} rows[] = {
		{ "{spec: {a: 1}, other: x, status: {s: 1}}", "1" },
		{ "{spec: {a: 2}, other: x, status: {s: 1}}", "2" },
		{ "{spec: {a: 1}, other: y1, status: {s: 1}}", "2" },
		{ "{spec: {a: 1}, other: x, status: {s: 2}}", "1" },
		{ "{spec: {a: 1}, other: x}", "1" },
	};
	struct crdfix *x = *state;
	struct strategy_call call = { .rs = x->rs, .sub = "", .a = x->a };
	const char *head =
		"kind: Foo, apiVersion: example.com/v1, metadata: {name: f, namespace: d, "
		"generation: 1}";

	put_crd(x, "foos", "Foo", "",
		"[{name: v1, served: true, storage: true, subresources: {status: {}}, schema: "
		"{openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]");
	call.objects = resources_objects(x->rs, "example.com", "foos");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc *old = yaml(x, arena_printf(x->a, "{%s, %s", head, rows[0].now + 1)),
			   *now = yaml(x, arena_printf(x->a, "{%s, %s", head, rows[i].now + 1));

		assert_int_equal(strategy_update(&call, now, old, &x->err), 0);
		assert_string_equal(json(x, doc_find(now, "metadata.generation")),
				    rows[i].generation);
		assert_string_equal(json(x, doc_get(now, "status")), "{\"s\":1}");
	}
}

static void status_is_written_alone(void **state)
{
	struct crdfix *x = *state;
	struct strategy_call call = { .rs = x->rs, .sub = "status", .a = x->a };
	struct doc *old, *now;

	put_crd(x, "foos", "Foo", "",
		"[{name: v1, served: true, storage: true, subresources: {status: {}}, schema: "
		"{openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]");
	call.objects = resources_objects(x->rs, "example.com", "foos");
	old = yaml(x,
		   "{kind: Foo, apiVersion: example.com/v1, metadata: {name: f, labels: {a: b}}, "
		   "spec: {a: 1}, status: {s: 1}}");
	now = yaml(x,
		   "{kind: Foo, apiVersion: example.com/v1, metadata: {name: f, labels: {c: d}}, "
		   "spec: {a: 2}, extra: 1, status: {s: 2}}");
	assert_int_equal(strategy_update(&call, now, old, &x->err), 0);
	assert_string_equal(
		json(x, now),
		"{\"kind\":\"Foo\",\"apiVersion\":\"example.com/v1\",\"metadata\":{"
		"\"name\":\"f\",\"labels\":{\"a\":\"b\"}},\"spec\":{\"a\":1},\"status\":{"
		"\"s\":2}}");
}

static void odd_finalizers_and_formats_are_warned_of(void **state)
{
	struct crdfix *x = *state;
	struct strategy_call call = { .rs = x->rs, .sub = "", .a = x->a };
	struct doc *d = yaml(x, "{metadata: {finalizers: [short, a.b, c.d/e, orphan]}}");

	put_crd(x, "foos", "Foo", "", "");
	call.objects = resources_objects(x->rs, "example.com", "foos");
	strategy_warnings(&call, d, NULL);
	assert_int_equal(call.nwarnings, 2);
	assert_string_equal(
		call.warnings[0],
		"metadata.finalizers: \"short\": prefer a domain-qualified finalizer name "
		"to avoid accidental conflicts with other finalizer writers");
	assert_string_equal(
		call.warnings[1],
		"metadata.finalizers: \"a.b\": prefer a domain-qualified finalizer name "
		"including a path (/) to avoid accidental conflicts with other finalizer "
		"writers");
	call.nwarnings = 0;
	strategy_warnings(&call, d, d);
	assert_int_equal(call.nwarnings, 0);
	call.objects =
		resources_objects(x->rs, "apiextensions.k8s.io", "customresourcedefinitions");
	d = yaml(x, "{spec: {versions: [{schema: {openAPIV3Schema: {properties: {a: {type: string, "
		    "format: strange}}}}}]}}");
	strategy_warnings(&call, d, NULL);
	assert_int_equal(call.nwarnings, 1);
	assert_string_equal(call.warnings[0], "unrecognized format \"strange\"");
	call.nwarnings = 0;
	strategy_warnings(&call, d, d);
	assert_int_equal(call.nwarnings, 0);
}

/* ---- APIServices ---- */

static struct doc *service(struct crdfix *x, const char *name)
{
	return object(x, "apiregistration.k8s.io", "apiservices", "", name);
}

static void what_is_served_has_local_services(void **state)
{
	struct crdfix *x = *state;
	struct doc *d;

	settle(x);
	d = service(x, "v1.");
	assert_string_equal(condition(x, d, "Available"),
			    "True Local Local APIServices are always available");
	assert_string_equal(
		json(x, doc_get(d, "spec")),
		"{\"version\":\"v1\",\"groupPriorityMinimum\":18000,\"versionPriority\":1}");
	assert_non_null(service(x, "v1.apps"));
	assert_non_null(service(x, "v2.autoscaling"));
	put_crd(x, "foos", "Foo", "", "");
	d = service(x, "v1.example.com");
	assert_string_equal(
		json(x, doc_get(d, "spec")),
		"{\"group\":\"example.com\",\"version\":\"v1\",\"groupPriorityMinimum\":1000,"
		"\"versionPriority\":100}");
	assert_int_equal(strlen(doc_cstr(x->a, doc_find(d, "metadata.uid"))), 36);
	assert_true(doc_str_is(doc_get(doc_find(d, "metadata.labels"),
				       "kube-aggregator.kubernetes.io/automanaged"),
			       "true"));
	delete_crd(x, "foos");
	settle(x);
	assert_null(service(x, "v1.example.com"));
	assert_non_null(service(x, "v1.apps"));
}

static void services_of_others_are_not_judged_here(void **state)
{
	struct crdfix *x = *state;

	put_object(
		x, "apiregistration.k8s.io", "apiservices", "v1.remote.io",
		yaml(x,
		     "{kind: APIService, apiVersion: apiregistration.k8s.io/v1, metadata: {name: "
		     "v1.remote.io}, spec: {group: remote.io, version: v1, groupPriorityMinimum: "
		     "10, "
		     "versionPriority: 10, service: {namespace: d, name: s}}}"));
	put_object(
		x, "apiregistration.k8s.io", "apiservices", "v1.mine.io",
		yaml(x,
		     "{kind: APIService, apiVersion: apiregistration.k8s.io/v1, metadata: {name: "
		     "v1.mine.io}, spec: {group: mine.io, version: v1, groupPriorityMinimum: 10, "
		     "versionPriority: 10}}"));
	settle(x);
	assert_string_equal(condition(x, service(x, "v1.remote.io"), "Available"), "");
	assert_string_equal(condition(x, service(x, "v1.mine.io"), "Available"),
			    "True Local Local APIServices are always available");
}

#define OURS(name, group, label, more)                                                          \
	"{kind: APIService, apiVersion: apiregistration.k8s.io/v1, metadata: {name: " name ", " \
	"labels: {kube-aggregator.kubernetes.io/automanaged: " label "}}, spec: {group: " group \
	", version: v1, " more "}}"
#define TAKEN "groupPriorityMinimum: 7, versionPriority: 7, service: {namespace: d, name: s}"

static void services_of_definitions_are_always_put_right(void **state)
{
	struct crdfix *x = *state;
	static const char want[] = "{\"group\":\"example.com\",\"version\":\"v1\","
				   "\"groupPriorityMinimum\":1000,\"versionPriority\":100}";

	put_crd(x, "foos", "Foo", "", "");
	put_object(x, "apiregistration.k8s.io", "apiservices", "v1.example.com",
		   yaml(x, OURS("v1.example.com", "example.com", "'true'", TAKEN)));
	settle(x);
	assert_string_equal(json(x, doc_get(service(x, "v1.example.com"), "spec")), want);
}

static void built_in_services_are_put_right_at_the_start_only(void **state)
{
	struct crdfix *x = *state;

	settle(x);
	put_object(x, "apiregistration.k8s.io", "apiservices", "v1.apps",
		   yaml(x, OURS("v1.apps", "apps", "onstart", TAKEN)));
	settle(x);
	assert_non_null(doc_find(service(x, "v1.apps"), "spec.service"));
	end(x);
	begin(x);
	settle(x);
	assert_null(doc_find(service(x, "v1.apps"), "spec.service"));
	assert_string_equal(json(x, doc_find(service(x, "v1.apps"), "spec.groupPriorityMinimum")),
			    "17800");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CRD(a_definition_is_accepted_and_served),
		CRD(names_that_others_have_are_refused_until_they_are_free),
		CRD(versions_come_and_go),
		CRD(new_defaults_are_read),
		CRD(what_cannot_be_served_says_why),
		CRD(groups_of_the_project_need_a_word),
		CRD(objects_go_before_their_definition),
		CRD(objects_with_finalizers_are_waited_for),
		CRD(nothing_is_created_while_the_definition_goes),
		CRD(definitions_that_never_were_served_just_go),
		CRD(generation_counts_what_is_neither_metadata_nor_status),
		CRD(status_is_written_alone),
		CRD(odd_finalizers_and_formats_are_warned_of),
		CRD(what_is_served_has_local_services),
		CRD(services_of_others_are_not_judged_here),
		CRD(services_of_definitions_are_always_put_right),
		CRD(built_in_services_are_put_right_at_the_start_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
