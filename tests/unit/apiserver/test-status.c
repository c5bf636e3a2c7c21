/* SPDX-License-Identifier: Apache-2.0 */
#include "../doc/doc-check.h"

#include "api/api.h"
#include "apiserver/objects/status.h"

#include <stdio.h>

static struct status_about of_pod(void)
{
	return (struct status_about){ .group = "", .resource = "pods", .kind = "Pod" };
}

static struct status_about of_deployment(void)
{
	return (struct status_about){ .group = "apps",
				      .resource = "deployments",
				      .kind = "Deployment" };
}

static const char *text_of(struct arena *a, const struct err *err, const struct status_about *s,
			   int http)
{
	struct doc d;
	int code = 0;

	assert_int_equal(status_doc(err, s, a, &d, &code), 0);
	assert_int_equal(code, http);
	return written(a, &d, NULL);
}

#define HEAD "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","

static void what_is_missing_or_there_is_named(void **state)
{
	struct status_about s = of_pod(), d = of_deployment();
	struct err err = ERR_INIT;

	assert_int_equal(status_not_found(&err, &s, "x"), -ERR_NOT_FOUND);
	assert_string_equal(text_of(*state, &err, &s, 404),
			    HEAD "\"message\":\"pods \\\"x\\\" not found\",\"reason\":\"NotFound\","
				 "\"details\":{\"name\":\"x\",\"kind\":\"pods\"},\"code\":404}");
	assert_int_equal(status_exists(&err, &d, "web"), -ERR_EXISTS);
	assert_string_equal(text_of(*state, &err, &d, 409), HEAD
			    "\"message\":\"deployments.apps \\\"web\\\" already exists\","
			    "\"reason\":\"AlreadyExists\",\"details\":{\"name\":\"web\",\"group\":"
			    "\"apps\",\"kind\":\"deployments\"},\"code\":409}");
	assert_int_equal(status_generate_exists(&err, &s, "x-abcde"), -ERR_EXISTS);
	assert_string_equal(text_of(*state, &err, &s, 409),
			    HEAD "\"message\":\"pods \\\"x-abcde\\\" already exists, the server "
				 "was not able to generate a unique name for the object\","
				 "\"reason\":\"AlreadyExists\",\"details\":{\"name\":\"x-abcde\","
				 "\"kind\":\"pods\",\"retryAfterSeconds\":1},\"code\":409}");
}

static void a_conflict_names_the_object_and_why(void **state)
{
	struct cause second = { NULL, ".spec.replicas", "FieldManagerConflict",
				"conflict with \"b\"" };
	struct cause first = { &second, ".spec.paused", "FieldManagerConflict",
			       "conflict with \"a\"" };
	struct status_about s = of_pod();
	struct err err = ERR_INIT;

	assert_int_equal(status_conflict(&err, &s, "x", STATUS_MODIFIED), -ERR_CONFLICT);
	assert_string_equal(
		text_of(*state, &err, &s, 409),
		HEAD "\"message\":\"Operation cannot be fulfilled on pods \\\"x\\\": the object "
		     "has been modified; please apply your changes to the latest version and try "
		     "again\",\"reason\":\"Conflict\",\"details\":{\"name\":\"x\",\"kind\":"
		     "\"pods\"},\"code\":409}");
	/* of appliers: causes only */
	(void)err_set(&err, ERR_CONFLICT, "Apply failed with 2 conflicts");
	err.causes = &first;
	assert_string_equal(
		text_of(*state, &err, &s, 409),
		HEAD "\"message\":\"Apply failed with 2 conflicts\",\"reason\":\"Conflict\","
		     "\"details\":{\"causes\":[{\"reason\":\"FieldManagerConflict\",\"message\":"
		     "\"conflict with \\\"a\\\"\",\"field\":\".spec.paused\"},{\"reason\":"
		     "\"FieldManagerConflict\",\"message\":\"conflict with \\\"b\\\"\",\"field\":"
		     "\".spec.replicas\"}]},\"code\":409}");
}

static void forbidden_tells_of_object_resource_or_nothing(void **state)
{
	struct status_about s = of_pod(), none = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(status_forbidden(&err, &s, "x", "User \"%s\" cannot", "u"),
			 -ERR_FORBIDDEN);
	assert_string_equal(err.msg, "pods \"x\" is forbidden: User \"u\" cannot");
	(void)text_of(*state, &err, &s, 403);
	(void)status_forbidden(&err, &s, "", "no");
	assert_string_equal(text_of(*state, &err, &s, 403),
			    HEAD "\"message\":\"pods is forbidden: no\",\"reason\":\"Forbidden\","
				 "\"details\":{\"kind\":\"pods\"},\"code\":403}");
	(void)status_forbidden(&err, &none, NULL, "no");
	assert_string_equal(text_of(*state, &err, &none, 403),
			    HEAD "\"message\":\"forbidden: no\",\"reason\":\"Forbidden\","
				 "\"details\":{},\"code\":403}");
}

static void invalid_tells_of_the_kind(void **state)
{
	struct cause cause = { NULL, "spec.selector", "FieldValueRequired", "Required value" };
	struct status_about s = of_deployment();
	struct err err = ERR_INIT;

	assert_int_equal(status_invalid(&err, &s, "x", "spec.selector: Required value"),
			 -ERR_INVALID);
	err.causes = &cause;
	assert_string_equal(
		text_of(*state, &err, &s, 422),
		HEAD "\"message\":\"Deployment.apps \\\"x\\\" is invalid: spec.selector: Required "
		     "value\",\"reason\":\"Invalid\",\"details\":{\"name\":\"x\",\"group\":"
		     "\"apps\",\"kind\":\"Deployment\",\"causes\":[{\"reason\":"
		     "\"FieldValueRequired\",\"message\":\"Required value\",\"field\":"
		     "\"spec.selector\"}]},\"code\":422}");
	(void)status_invalid(&err, &s, "x", "%s", "");
	assert_string_equal(err.msg, "Deployment.apps \"x\" is invalid");
}

static void a_long_message_is_made_whole_of_its_causes(void **state)
{
	struct cause causes[64];
	struct status_about s = of_pod();
	struct err err = ERR_INIT;
	struct doc d, *message;
	int http;

	for (size_t i = 0; i < ARRAY_LEN(causes); i++)
		causes[i] = (struct cause){ i + 1 < ARRAY_LEN(causes) ? &causes[i + 1] : NULL,
					    "spec.containers", "FieldValueRequired",
					    "Required value: of which there are many" };
	(void)err_set(&err, ERR_INVALID, "Pod \"x\" is invalid: [%01200d", 1);
	err.causes = causes;
	assert_int_equal(status_doc(&err, &s, *state, &d, &http), 0);
	message = doc_get(&d, "message");
	assert_true(message->n > 64 * 50);
	assert_true(slice_starts(doc_slice(message),
				 SLICE("Pod \"x\" is invalid: [spec.containers: Required value: "
				       "of which there are many, spec.containers: ")));
	assert_true(slice_ends(doc_slice(message), SLICE("are many]")));
}

/* Those with one sentence and nothing else to look at. */
static void every_reason_has_its_code_and_words(void **state)
{
	struct status_about s = of_pod();
	struct err err = ERR_INIT;
	struct arena *a = *state;

	(void)status_bad_request(&err, &s, "the %s", "body");
	assert_string_equal(text_of(a, &err, &s, 400), HEAD
			    "\"message\":\"the body\",\"reason\":\"BadRequest\",\"code\":400}");
	(void)status_unauthorized(&err, &s);
	assert_string_equal(
		text_of(a, &err, &s, 401),
		HEAD "\"message\":\"Unauthorized\",\"reason\":\"Unauthorized\",\"code\":401}");
	(void)status_method_not_allowed(&err, &s, "patch");
	assert_string_equal(text_of(a, &err, &s, 405),
			    HEAD "\"message\":\"patch is not supported on resources of kind "
				 "\\\"pods\\\"\",\"reason\":\"MethodNotAllowed\",\"details\":"
				 "{\"kind\":\"pods\"},\"code\":405}");
	(void)err_set(&err, ERR_UNSUPPORTED, "only these");
	assert_int_equal(status_not_acceptable(&err, &s), -ERR_UNSUPPORTED);
	assert_string_equal(
		text_of(a, &err, &s, 406),
		HEAD "\"message\":\"only these\",\"reason\":\"NotAcceptable\",\"code\":406}");
	(void)status_expired(&err, &s, "too old resource version: %d (%d)", 3, 7);
	assert_string_equal(text_of(a, &err, &s, 410),
			    HEAD "\"message\":\"too old resource version: 3 (7)\","
				 "\"reason\":\"Expired\",\"code\":410}");
	(void)status_gone(&err, &s, "gone");
	assert_string_equal(text_of(a, &err, &s, 410),
			    HEAD "\"message\":\"gone\",\"reason\":\"Gone\",\"code\":410}");
	(void)status_too_large(&err, &s, 3145728);
	assert_string_equal(text_of(a, &err, &s, 413),
			    HEAD "\"message\":\"Request entity too large: limit is 3145728\","
				 "\"reason\":\"RequestEntityTooLarge\",\"code\":413}");
	(void)status_internal(&err, &s, "a bug");
	assert_string_equal(text_of(a, &err, &s, 500),
			    HEAD "\"message\":\"Internal error occurred: a bug\",\"reason\":"
				 "\"InternalError\",\"details\":{\"causes\":[{\"message\":"
				 "\"a bug\"}]},\"code\":500}");
	(void)status_unavailable(&err, &s, "no store");
	assert_string_equal(text_of(a, &err, &s, 503),
			    HEAD "\"message\":\"no store\",\"reason\":\"ServiceUnavailable\","
				 "\"code\":503}");
	(void)status_no_resource(&err, &s);
	assert_string_equal(text_of(a, &err, &s, 404),
			    HEAD "\"message\":\"the server could not find the requested "
				 "resource\",\"reason\":\"NotFound\",\"details\":{},\"code\":404}");
}

static void who_is_to_come_again_is_told_when(void **state)
{
	struct status_about s = of_pod();
	struct err err = ERR_INIT;
	struct arena *a = *state;

	(void)status_server_timeout(&err, &s, "list", 2);
	assert_string_equal(
		text_of(a, &err, &s, 500),
		HEAD "\"message\":\"The list operation against pods could not be completed at "
		     "this time, please try again.\",\"reason\":\"ServerTimeout\",\"details\":"
		     "{\"name\":\"list\",\"kind\":\"pods\",\"retryAfterSeconds\":2},"
		     "\"code\":500}");
	(void)status_timeout(&err, &s, 1, "Too large resource version: %d, current: %d", 9, 7);
	assert_string_equal(text_of(a, &err, &s, 504),
			    HEAD "\"message\":\"Timeout: Too large resource version: 9, current: "
				 "7\",\"reason\":\"Timeout\",\"details\":{\"retryAfterSeconds\":1},"
				 "\"code\":504}");
	(void)status_too_many(&err, &s, 10, "wait");
	assert_string_equal(text_of(a, &err, &s, 429),
			    HEAD "\"message\":\"wait\",\"reason\":\"TooManyRequests\",\"details\":"
				 "{\"retryAfterSeconds\":10},\"code\":429}");
	assert_int_equal(s.retry_after, 10);
}

/* What comes from below without a word of the API. */
static void an_error_without_more_is_told_by_its_code(void **state)
{
	static const struct {
		enum err_code code;
		int http;
		const char *reason, *message;
	} rows[] = {
		{ ERR_BAD_REQUEST, 400, "BadRequest", "why" },
		{ ERR_INVALID, 422, "Invalid", "why" },
		{ ERR_UNAUTHORIZED, 401, "Unauthorized", "why" },
		{ ERR_FORBIDDEN, 403, "Forbidden", "why" },
		{ ERR_NOT_FOUND, 404, "NotFound", "why" },
		{ ERR_EXISTS, 409, "AlreadyExists", "why" },
		{ ERR_CONFLICT, 409, "Conflict", "why" },
		{ ERR_GONE, 410, "Expired", "why" },
		{ ERR_TOO_LARGE, 413, "RequestEntityTooLarge", "Request entity too large: why" },
		{ ERR_QUOTA, 429, "TooManyRequests", "why" },
		{ ERR_UNSUPPORTED, 415, "UnsupportedMediaType", "why" },
		{ ERR_TIMEOUT, 504, "Timeout", "Timeout: why" },
		{ ERR_UNAVAILABLE, 503, "ServiceUnavailable", "why" },
		{ ERR_SYSTEM, 500, "InternalError", "Internal error occurred: why" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		struct doc d;
		int http = 0;

		(void)err_set(&err, rows[i].code, "why");
		assert_int_equal(status_doc(&err, NULL, *state, &d, &http), 0);
		assert_int_equal(http, rows[i].http);
		assert_int_equal(http, err_kube_status(rows[i].code));
		assert_true(doc_str_is(doc_get(&d, "reason"), rows[i].reason));
		assert_true(doc_str_is(doc_get(&d, "message"), rows[i].message));
	}
}

static void success_tells_what_went(void **state)
{
	struct status_about s = of_deployment();
	struct doc d;

	s.name = "web";
	s.uid = "u-1";
	assert_int_equal(status_success(&s, 0, *state, &d), 0);
	assert_doc(*state, &d,
		   "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
		   "\"Success\",\"details\":{\"name\":\"web\",\"group\":\"apps\",\"kind\":"
		   "\"deployments\",\"uid\":\"u-1\"}}");
	assert_int_equal(status_success(NULL, 201, *state, &d), 0);
	assert_doc(*state, &d,
		   "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
		   "\"Success\",\"code\":201}");
}

static void a_kind_gives_its_names(void **state)
{
	CLEANUP(api_fini) struct api api = { 0 };
	struct err err = ERR_INIT;
	struct status_about s;

	assert_int_equal(api_load(*state, &api, &err), 0);
	s = status_about(api_kind(&api, "apps/v1", "Deployment"));
	assert_string_equal(s.group, "apps");
	assert_string_equal(s.resource, "deployments");
	assert_string_equal(s.kind, "Deployment");
	s = status_about(NULL);
	assert_null(s.resource);
}

static void a_full_arena_is_told(void **state)
{
	CLEANUP(arena_free) struct arena *small = arena_new("status", 4096);
	struct err err = ERR_INIT;
	struct doc d;
	int http;

	(void)state;
	(void)err_set(&err, ERR_SYSTEM, "%01000d", 1);
	arena_fail_at(small, 3);
	assert_int_equal(status_doc(&err, NULL, small, &d, &http), -ERR_QUOTA);
	assert_int_equal(status_success(NULL, 0, small, &d), -ERR_QUOTA);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(what_is_missing_or_there_is_named),
		CASE(a_conflict_names_the_object_and_why),
		CASE(forbidden_tells_of_object_resource_or_nothing),
		CASE(invalid_tells_of_the_kind),
		CASE(a_long_message_is_made_whole_of_its_causes),
		CASE(every_reason_has_its_code_and_words),
		CASE(who_is_to_come_again_is_told_when),
		CASE(an_error_without_more_is_told_by_its_code),
		CASE(success_tells_what_went),
		CASE(a_kind_gives_its_names),
		CASE(a_full_arena_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
