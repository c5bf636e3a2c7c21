/* SPDX-License-Identifier: Apache-2.0 */
/* Custom kinds through the whole server: a definition is posted, its objects are worked with. */
#include "rest-fix.h"

#include "apiserver/crd-controller.h"

#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define CRONS "/apis/example.com/v1/namespaces/n1/crontabs"
#define MERGE "Content-Type: application/merge-patch+json\r\n"
#define APPLY "Content-Type: application/apply-patch+yaml\r\n"

struct xfix {
	struct rfix *x;
	struct crd_controller *c;
};

static int custom_setup(void **state)
{
	struct xfix *s = calloc(1, sizeof(*s));
	struct err err = ERR_INIT;
	void *x;

	rest_setup(&x);
	s->x = x;
	if (crd_controller_start(s->x->rs, s->x->f->loop, &s->c, &err) < 0)
		fail_msg("%s", err.msg);
	make_namespace(s->x, "n1");
	*state = s;
	return 0;
}

#define PATIENCE (20 * NS_PER_SEC)

static bool rests(struct xfix *s)
{
	const int64_t end = clock_mono() + PATIENCE;

	while (!crd_controller_idle(s->c))
		if (clock_mono() > end || loop_step(s->x->f->loop, NS_PER_SEC / 10, NULL) < 0)
			return false;
	return true;
}

static void rest(struct xfix *s)
{
	if (!rests(s))
		fail_msg("the controller does not come to rest");
}

static void until_gone(struct xfix *s, const char *path)
{
	const int64_t end = clock_mono() + PATIENCE;

	while (get(s->x, path) == 200 && clock_mono() < end)
		;
	assert_int_equal(s->x->code, 404);
}

static int custom_teardown(void **state)
{
	struct xfix *s = *state;
	void *x = s->x;

	(void)rests(s); /* a test that failed may have left it waiting */
	crd_controller_stop(s->c);
	rest_teardown(&x);
	free(s);
	return 0;
}
#define CUSTOM(f) cmocka_unit_test_setup_teardown(f, custom_setup, custom_teardown)

static const char definition[] =
	"{\"apiVersion\":\"apiextensions.k8s.io/"
	"v1\",\"kind\":\"CustomResourceDefinition\",\"metadata\":{"
	"\"name\":\"crontabs.example.com\"},\"spec\":{\"group\":\"example.com\",\"scope\":"
	"\"Namespaced\","
	"\"names\":{\"plural\":\"crontabs\",\"kind\":\"CronTab\",\"shortNames\":[\"ct\"]},"
	"\"versions\":[{"
	"\"name\":\"v1\",\"served\":true,\"storage\":true,\"schema\":{\"openAPIV3Schema\":{"
	"\"type\":"
	"\"object\",\"required\":[\"spec\"],\"properties\":{\"spec\":{\"type\":\"object\","
	"\"required\":["
	"\"cron\"],\"properties\":{\"cron\":{\"type\":\"string\",\"pattern\":\"^\\\\d+$\"},"
	"\"replicas\":{"
	"\"type\":\"integer\",\"minimum\":0,\"maximum\":3,\"default\":1},\"color\":{\"type\":"
	"\"string\","
	"\"enum\":[\"red\",\"blue\"]},\"list\":{\"type\":\"array\",\"x-kubernetes-list-type\":"
	"\"set\","
	"\"items\":{\"type\":\"string\"}}}},\"status\":{\"type\":\"object\",\"properties\":{"
	"\"replicas\":{"
	"\"type\":\"integer\"},\"selector\":{\"type\":\"string\"}}}}}},\"subresources\":{"
	"\"status\":{},"
	"\"scale\":{\"specReplicasPath\":\".spec.replicas\",\"statusReplicasPath\":\".status."
	"replicas\","
	"\"labelSelectorPath\":\".status.selector\"}},\"selectableFields\":[{\"jsonPath\":"
	"\".spec.color\"}],\"additionalPrinterColumns\":[{\"name\":\"Cron\",\"type\":\"string\","
	"\"jsonPath\":\".spec.cron\"},{\"name\":\"Age\",\"type\":\"date\",\"jsonPath\":"
	"\".metadata.creationTimestamp\"}]}]}}";

#define CRON(meta, spec, more)                                                        \
	"{\"apiVersion\":\"example.com/v1\",\"kind\":\"CronTab\",\"metadata\":{" meta \
	"},\"spec\":{" spec "}" more "}"

static void define(struct xfix *s)
{
	(void)post(s->x, CRDS, definition);
	assert_code(s->x, 201);
	rest(s);
	/* Served from now on: who comes before its objects are read waits. */
	assert_int_equal(get(s->x, CRONS), 200);
}

static void a_definition_is_served_and_its_objects_are_kept(void **state)
{
	struct xfix *s = *state;
	struct rfix *x = s->x;

	assert_int_equal(get(x, CRONS), 404);
	define(s);
	get(x, CRDS "/crontabs.example.com");
	assert_string_equal(answer_text(x, "status.acceptedNames.listKind"), "CronTabList");
	assert_string_equal(answer_text(x, "status.conditions.1.reason"), "InitialNamesAccepted");
	assert_string_equal(answer_text(x, "metadata.generation"), "1");
	ask(x, "GET", "/apis",
	    ADMIN
	    "Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList\r\n",
	    NULL);
	assert_has(x, "\"responseKind\":{\"group\":\"example.com\",\"version\":\"v1\",\"kind\":"
		      "\"CronTab\"}");
	assert_has(x, "\"responseKind\":{\"group\":\"autoscaling\",\"version\":\"v1\",\"kind\":"
		      "\"Scale\"}");
	post(x, CRONS,
	     CRON("\"name\":\"a\"", "\"cron\":\"5\",\"color\":\"red\"", ",\"status\":{}"));
	assert_code(x, 201);
	assert_string_equal(answer_text(x, "spec.replicas"), "1");
	assert_string_equal(answer_text(x, "metadata.generation"), "1");
	assert_string_equal(answer_text(x, "metadata.namespace"), "n1");
	assert_string_equal(answer_text(x, "status"), "(none)");
	assert_string_equal(answer_text(x, "metadata.managedFields.0.operation"), "Update");
	get(x, CRONS "/a");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "spec.cron"), "5");
	post(x, CRONS, CRON("\"name\":\"a\"", "\"cron\":\"5\"", ""));
	assert_status(x, 409, "AlreadyExists", "crontabs.example.com \"a\" already exists");
	get(x, CRONS "/b");
	assert_status(x, 404, "NotFound", "crontabs.example.com \"b\" not found");
}

static void what_the_schema_refuses_is_told(void **state)
{
	struct xfix *s = *state;
	struct rfix *x = s->x;

	define(s);
	post(x, CRONS, CRON("\"name\":\"a\"", "\"cron\":5", ""));
	assert_status(
		x, 422, "Invalid",
		"CronTab.example.com \"a\" is invalid: spec.cron: Invalid value: \"integer\": "
		"spec.cron in body must be of type string: \"integer\"");
	assert_string_equal(answer_text(x, "details.causes.0.field"), "spec.cron");
	assert_string_equal(answer_text(x, "details.causes.0.reason"), "FieldValueTypeInvalid");
	post(x, CRONS, CRON("\"name\":\"a\"", "\"cron\":\"5\",\"replicas\":5", ""));
	assert_status(
		x, 422, "Invalid",
		"spec.replicas: Invalid value: 5: spec.replicas in body should be less than or "
		"equal to 3");
	post(x, CRONS, CRON("\"name\":\"a\"", "\"color\":\"green\"", ""));
	assert_status(x, 422, "Invalid", "spec.cron: Required value");
	assert_has(x,
		   "Unsupported value: \\\"green\\\": supported values: \\\"red\\\", \\\"blue\\\"");
	post(x, CRONS, CRON("\"name\":\"a\"", "\"cron\":\"5\",\"list\":[\"b\",\"b\"]", ""));
	assert_status(x, 422, "Invalid", "spec.list[1]: Duplicate value: \"b\"");
	post(x, CRONS,
	     "{\"apiVersion\":\"example.com/v1\",\"kind\":\"CronTab\",\"metadata\":{\"name\":5}}");
	assert_status(x, 400, "BadRequest",
		      "cannot unmarshal number into Go struct field ObjectMeta");
}

static void unknown_fields_go_are_warned_of_or_refused(void **state)
{
	struct xfix *s = *state;
	struct rfix *x = s->x;

	define(s);
	post(x, CRONS "?fieldValidation=Strict",
	     CRON("\"name\":\"a\"", "\"cron\":\"5\",\"foo\":1", ",\"bar\":2"));
	assert_status(x, 400, "BadRequest", "unknown field \"bar\", unknown field \"spec.foo\"");
	post(x, CRONS, CRON("\"name\":\"a\"", "\"cron\":\"5\",\"foo\":1", ""));
	assert_code(x, 201);
	assert_string_equal(answer_text(x, "spec.foo"), "(none)");
	assert_non_null(strstr(header_of(x, "Warning"), "unknown field \\\"spec.foo\\\""));
}

static void writes_count_keep_and_need_a_revision(void **state)
{
	struct xfix *s = *state;
	struct rfix *x = s->x;

	define(s);
	post(x, CRONS, CRON("\"name\":\"a\"", "\"cron\":\"5\"", ""));
	assert_code(x, 201);
	ask(x, "PUT", CRONS "/a", ADMIN JSON, CRON("\"name\":\"a\"", "\"cron\":\"6\"", ""));
	assert_status(
		x, 422, "Invalid",
		"metadata.resourceVersion: Invalid value: 0x0: must be specified for an update");
	ask(x, "PATCH", CRONS "/a", ADMIN MERGE, "{\"spec\":{\"replicas\":2}}");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "metadata.generation"), "2");
	ask(x, "PATCH", CRONS "/a", ADMIN MERGE, "{\"status\":{\"replicas\":2}}");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "metadata.generation"), "2");
	assert_string_equal(answer_text(x, "status"), "(none)");
	ask(x, "PATCH", CRONS "/a/status", ADMIN MERGE,
	    "{\"spec\":{\"replicas\":0},\"status\":{\"replicas\":2}}");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "status.replicas"), "2");
	assert_string_equal(answer_text(x, "spec.replicas"), "2");
	ask(x, "PATCH", CRONS "/a/status", ADMIN MERGE, "{\"status\":{\"replicas\":\"x\"}}");
	assert_status(
		x, 422, "Invalid",
		"status.replicas: Invalid value: \"string\": replicas in body must be of type "
		"integer: \"string\"");
	ask(x, "PATCH", CRONS "/a",
	    ADMIN "Content-Type: application/strategic-merge-patch+json\r\n", "{}");
	assert_code(x, 415);
}

static void two_managers_apply_parts_of_one_object(void **state)
{
	struct xfix *s = *state;
	struct rfix *x = s->x;

	define(s);
	ask(x, "PATCH", CRONS "/a?fieldManager=one", ADMIN APPLY,
	    CRON("\"name\":\"a\"", "\"cron\":\"5\",\"list\":[\"x\"]", ""));
	assert_code(x, 201);
	ask(x, "PATCH", CRONS "/a?fieldManager=two", ADMIN APPLY,
	    CRON("\"name\":\"a\"", "\"color\":\"red\",\"list\":[\"z\"]", ""));
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "spec.list.1"), "z");
	ask(x, "PATCH", CRONS "/a?fieldManager=two", ADMIN APPLY,
	    CRON("\"name\":\"a\"", "\"cron\":\"7\"", ""));
	assert_status(x, 409, "Conflict", "conflict with \"one\": .spec.cron");
	ask(x, "PATCH", CRONS "/a?fieldManager=one", ADMIN APPLY,
	    CRON("\"name\":\"a\"", "\"cron\":\"5\"", ""));
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "spec.list.0"), "z");
	assert_string_equal(answer_text(x, "spec.list.1"), "(none)");
}

#define DEFAULT_AT \
	"/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/color/default"

static void redefine(struct xfix *s, const char *op, const char *value)
{
	(void)ask(s->x, "PATCH", CRDS "/crontabs.example.com",
		  ADMIN "Content-Type: application/json-patch+json\r\n",
		  arena_printf(s->x->a, "[{\"op\":\"%s\",\"path\":\"" DEFAULT_AT "\"%s%s}]", op,
			       *value ? ",\"value\":" : "", value));
	assert_code(s->x, 200);
	rest(s);
}

/* What is read has the defaults of the definition as it is; what was written has its own. */
static void defaults_of_reads_follow_the_definition(void **state)
{
	static const struct {
		const char *op, *value, *old, *late;
	} rows[] = {
		{ "add", "\"red\"", "red", "red" }, { "replace", "\"blue\"", "blue", "red" },
		{ "remove", "", "(none)", "red" },  { "add", "\"blue\"", "blue", "red" },
		{ "remove", "", "(none)", "red" },
	};
	struct xfix *s = *state;
	struct rfix *x = s->x;

	define(s);
	post(x, CRONS, CRON("\"name\":\"old\"", "\"cron\":\"5\"", ""));
	assert_string_equal(answer_text(x, "spec.color"), "(none)");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		redefine(s, rows[i].op, rows[i].value);
		get(x, CRONS "/old");
		assert_string_equal(answer_text(x, "spec.color"), rows[i].old);
		assert_string_equal(answer_text(x, "spec.replicas"), "1");
		if (i == 0) {
			post(x, CRONS, CRON("\"name\":\"late\"", "\"cron\":\"5\"", ""));
			assert_code(x, 201);
		}
		get(x, CRONS);
		assert_string_equal(answer_text(x, "items.0.spec.color"), rows[i].late);
		assert_string_equal(answer_text(x, "items.1.spec.color"), rows[i].old);
	}
}

static void scale_reads_and_writes_replicas(void **state)
{
	struct xfix *s = *state;
	struct rfix *x = s->x;

	define(s);
	post(x, CRONS, CRON("\"name\":\"a\"", "\"cron\":\"5\"", ""));
	ask(x, "PATCH", CRONS "/a/status", ADMIN MERGE,
	    "{\"status\":{\"replicas\":1,\"selector\":\"a=b\"}}");
	assert_code(x, 200);
	get(x, CRONS "/a/scale");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "kind"), "Scale");
	assert_string_equal(answer_text(x, "spec.replicas"), "1");
	assert_string_equal(answer_text(x, "status.selector"), "a=b");
	ask(x, "PATCH", CRONS "/a/scale", ADMIN MERGE, "{\"spec\":{\"replicas\":3}}");
	assert_code(x, 200);
	get(x, CRONS "/a");
	assert_string_equal(answer_text(x, "spec.replicas"), "3");
	assert_string_equal(answer_text(x, "metadata.generation"), "2");
}

static void lists_select_by_fields_and_print_columns(void **state)
{
	struct xfix *s = *state;
	struct rfix *x = s->x;

	define(s);
	post(x, CRONS, CRON("\"name\":\"a\"", "\"cron\":\"5\",\"color\":\"red\"", ""));
	post(x, CRONS, CRON("\"name\":\"b\"", "\"cron\":\"6\",\"color\":\"blue\"", ""));
	get(x, CRONS "?fieldSelector=spec.color%3Dblue");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "kind"), "CronTabList");
	assert_string_equal(answer_text(x, "apiVersion"), "example.com/v1");
	assert_string_equal(answer_text(x, "items.0.metadata.name"), "b");
	assert_string_equal(answer_text(x, "items.1"), "(none)");
	get(x, CRONS "?fieldSelector=spec.cron%3D5");
	assert_status(x, 400, "BadRequest", "field label not supported: spec.cron");
	ask(x, "GET", CRONS,
	    ADMIN "Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json\r\n",
	    NULL);
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "columnDefinitions.1.name"), "Cron");
	assert_string_equal(answer_text(x, "rows.0.cells.1"), "5");
	assert_string_equal(answer_text(x, "rows.1.cells.0"), "b");
	ask(x, "GET", CRONS, ADMIN "Accept: application/vnd.kubernetes.protobuf\r\n", NULL);
	assert_code(x, 406);
}

#define FIELD_VERSION(name, storage, field)                                                 \
	"{\"name\":\"" name "\",\"served\":true,\"storage\":" storage                       \
	",\"schema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"color\":{" \
	"\"type\":\"string\"},\"size\":{\"type\":\"string\"}}}},\"selectableFields\":[{"    \
	"\"jsonPath\""                                                                      \
	":\"" field "\"}]}"

static void each_version_has_fields_of_its_own(void **state)
{
	struct xfix *s = *state;
	struct rfix *x = s->x;

	post(x, CRDS,
	     "{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\","
	     "\"metadata\":{\"name\":\"hats.example.com\"},\"spec\":{\"group\":\"example.com\","
	     "\"scope\":\"Cluster\",\"names\":{\"plural\":\"hats\",\"kind\":\"Hat\"},\"versions\":"
	     "[" FIELD_VERSION("v1", "true", ".color") "," FIELD_VERSION("v2", "false",
									 ".size") "]}}");
	assert_code(x, 201);
	rest(s);
	post(x, "/apis/example.com/v1/hats",
	     "{\"apiVersion\":\"example.com/v1\",\"kind\":\"Hat\",\"metadata\":{\"name\":\"a\"},"
	     "\"color\":\"red\",\"size\":\"8\"}");
	assert_code(x, 201);
	get(x, "/apis/example.com/v2/hats?fieldSelector=size%3D8");
	assert_string_equal(answer_text(x, "items.0.metadata.name"), "a");
	get(x, "/apis/example.com/v2/hats?fieldSelector=size%3D9");
	assert_string_equal(answer_text(x, "items.0"), "(none)");
	get(x, "/apis/example.com/v1/hats?fieldSelector=color%3Dred");
	assert_string_equal(answer_text(x, "items.0.metadata.name"), "a");
	get(x, "/apis/example.com/v1/hats?fieldSelector=size%3D8");
	assert_status(x, 400, "BadRequest", "field label not supported: size");
}

static void rules_in_cel_are_run_on_every_write(void **state)
{
	struct xfix *s = *state;
	struct rfix *x = s->x;
	char text[sizeof(definition) + 512];
	const char *at = strstr(definition, "\"required\":[\"spec\"]");

	snprintf(text, sizeof(text),
		 "%.*s\"x-kubernetes-validations\":[{\"rule\":\"self.spec.cron != "
		 "'7'\",\"message\":\"not 7\",\"fieldPath\":\".spec.cron\"},{\"rule\":"
		 "\"!has(self.status) || self.status.replicas <= self.spec.replicas\"},{\"rule\":"
		 "\"self.spec.replicas >= oldSelf.spec.replicas\",\"reason\":"
		 "\"FieldValueForbidden\",\"message\":\"may not shrink\"}],%s",
		 (int)(at - definition), definition, at);
	post(x, CRDS, text);
	assert_code(x, 201);
	rest(s);
	assert_int_equal(get(x, CRONS), 200);
	post(x, CRONS, CRON("\"name\":\"a\"", "\"cron\":\"7\"", ""));
	assert_status(x, 422, "Invalid",
		      "CronTab.example.com \"a\" is invalid: spec.cron: Invalid value: "
		      "\"object\": not 7");
	post(x, CRONS, CRON("\"name\":\"a\"", "\"cron\":\"5\",\"replicas\":2", ""));
	assert_code(x, 201);
	ask(x, "PATCH", CRONS "/a", ADMIN MERGE, "{\"spec\":{\"replicas\":1}}");
	assert_status(x, 422, "Invalid", "<nil>: Forbidden: may not shrink");
	ask(x, "PATCH", CRONS "/a?fieldManager=m&force=true", ADMIN APPLY,
	    CRON("\"name\":\"a\"", "\"cron\":\"7\"", ""));
	assert_status(x, 422, "Invalid", "spec.cron: Invalid value: \"object\": not 7");
	ask(x, "PATCH", CRONS "/a/status", ADMIN MERGE, "{\"status\":{\"replicas\":3}}");
	assert_status(x, 422, "Invalid", "failed rule: !has(self.status) || ");
	ask(x, "PATCH", CRONS "/a/status", ADMIN MERGE, "{\"status\":{\"replicas\":2}}");
	assert_code(x, 200);
}

static void bad_definitions_are_refused(void **state)
{
	struct xfix *s = *state;
	struct rfix *x = s->x;
	char text[sizeof(definition) + 256];
	const char *at = strstr(definition, "\"required\":[\"spec\"]");

	snprintf(text, sizeof(text), "%.*s\"x-kubernetes-validations\":[{\"rule\":\"self.x\"}],%s",
		 (int)(at - definition), definition, at);
	post(x, CRDS, text);
	assert_status(x, 422, "Invalid",
		      "compilation failed: ERROR: <input>:1:5: undefined field 'x'");
}

static void a_deleted_definition_takes_its_objects_with_it(void **state)
{
	struct xfix *s = *state;
	struct rfix *x = s->x;

	define(s);
	post(x, CRONS, CRON("\"name\":\"a\"", "\"cron\":\"5\"", ""));
	post(x, CRONS, CRON("\"name\":\"b\",\"finalizers\":[\"a.b/c\"]", "\"cron\":\"5\"", ""));
	assert_code(x, 201);
	ask(x, "DELETE", CRDS "/crontabs.example.com", ADMIN, NULL);
	assert_true(x->code == 200 || x->code == 202);
	until_gone(s, CRONS "/a");
	post(x, CRONS, CRON("\"name\":\"c\"", "\"cron\":\"5\"", ""));
	assert_status(x, 403, "Forbidden",
		      "create not allowed while custom resource definition is terminating");
	get(x, CRDS "/crontabs.example.com");
	assert_has(x, "InstanceDeletionInProgress");
	ask(x, "PATCH", CRONS "/b", ADMIN MERGE, "{\"metadata\":{\"finalizers\":null}}");
	assert_code(x, 200);
	until_gone(s, CRDS "/crontabs.example.com");
	until_gone(s, CRONS);
	define(s);
	get(x, CRONS);
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "items.0"), "(none)");
}

/* Even when it goes before they were read. */
static void objects_of_before_go_with_a_definition(void **state)
{
	struct xfix *s = *state;
	struct rfix *x = s->x;

	for (unsigned i = 0; i < 200; i++)
		put(x->f, arena_printf(x->a, "/registry/example.com/crontabs/n1/a%u", i),
		    arena_printf(
			    x->a,
			    CRON("\"name\":\"a%u\",\"namespace\":\"n1\"", "\"cron\":\"5\"", ""),
			    i));
	(void)post(x, CRDS, definition);
	assert_code(x, 201);
	ask(x, "DELETE", CRDS "/crontabs.example.com", ADMIN, NULL);
	until_gone(s, CRDS "/crontabs.example.com");
	define(s);
	assert_string_equal(answer_text(x, "items.0"), "(none)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CUSTOM(a_definition_is_served_and_its_objects_are_kept),
		CUSTOM(what_the_schema_refuses_is_told),
		CUSTOM(unknown_fields_go_are_warned_of_or_refused),
		CUSTOM(writes_count_keep_and_need_a_revision),
		CUSTOM(two_managers_apply_parts_of_one_object),
		CUSTOM(defaults_of_reads_follow_the_definition),
		CUSTOM(scale_reads_and_writes_replicas),
		CUSTOM(lists_select_by_fields_and_print_columns),
		CUSTOM(each_version_has_fields_of_its_own),
		CUSTOM(rules_in_cel_are_run_on_every_write),
		CUSTOM(bad_definitions_are_refused),
		CUSTOM(a_deleted_definition_takes_its_objects_with_it),
		CUSTOM(objects_of_before_go_with_a_definition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
