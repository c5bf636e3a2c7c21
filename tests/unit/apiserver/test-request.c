/* SPDX-License-Identifier: Apache-2.0 */
/* What a request asks for: paths of all shapes, verbs, options that go together and that do not. */
#include "../doc/doc-check.h"

#include "apiserver/rest/request.h"

#include <stdio.h>

/* "verb group/version resource/sub namespace/name rest", or the error. */
static const char *parsed(struct arena *a, const char *method, const char *path, bool watch)
{
	struct err err = ERR_INIT;
	struct api_request r;
	char text[512];

	if (api_request_parse(method, path, watch, a, &r, &err) < 0)
		return arena_strdup(a, err.msg);
	(void)snprintf(text, sizeof(text), "%s %s %s/%s %s/%s %s", api_request_verb_name(r.verb),
		       r.api_version, r.resource, r.subresource, r.namespace_, r.name, r.rest);
	return arena_strdup(a, text);
}

static void paths_are_read(void **state)
{
	static const struct {
		const char *method, *path, *want;
		bool watch;
	} rows[] = {
		{ "GET", "/api/v1/pods", "list v1 pods/ / ", false },
		{ "GET", "/api/v1/namespaces/n/pods", "watch v1 pods/ n/ ", true },
		{ "GET", "/api/v1/namespaces/n/pods/p", "get v1 pods/ n/p ", false },
		{ "HEAD", "/api/v1/namespaces/n/pods/p/", "get v1 pods/ n/p ", false },
		{ "GET", "/api/v1/namespaces/n/pods/p/log", "get v1 pods/log n/p ", true },
		{ "POST", "/api/v1/namespaces/n/pods", "create v1 pods/ n/ ", false },
		{ "POST", "/api/v1/namespaces", "create v1 namespaces/ / ", false },
		{ "GET", "/api/v1/namespaces/n", "get v1 namespaces/ n/n ", false },
		{ "PUT", "/api/v1/namespaces/n/finalize", "update v1 namespaces/finalize n/n ",
		  false },
		{ "PATCH", "/api/v1/namespaces/n/status", "patch v1 namespaces/status n/n ",
		  false },
		{ "DELETE", "/apis/apps/v1/namespaces/n/deployments",
		  "deletecollection apps/v1 deployments/ n/ ", false },
		{ "DELETE", "/apis/apps/v1/namespaces/n/deployments/d",
		  "delete apps/v1 deployments/ n/d ", false },
		{ "PATCH", "/apis/apps/v1/namespaces/n/deployments/d/scale",
		  "patch apps/v1 deployments/scale n/d ", false },
		{ "GET", "/api/v1/namespaces/n/services/s:80/proxy/a/b",
		  "get v1 services/proxy n/s:80 /a/b", false },
		{ "GET", "/api/v1/nodes/x/proxy", "get v1 nodes/proxy /x ", false },
		{ "GET", "/api/v1/nodes/x/proxy/", "get v1 nodes/proxy /x /", false },
		{ "HEAD", "/api/v1/namespaces/n/pods/p/proxy/a//b/../1/2/3/4/5/6/7/8/9/",
		  "get v1 pods/proxy n/p /a//b/../1/2/3/4/5/6/7/8/9/", false },
		{ "OPTIONS", "/api/v1/nodes/x/proxy/y", " v1 nodes/proxy /x /y", false },
		{ "GET", "/apis/apps/v1/namespaces/n/deployments/proxy/scale",
		  "get apps/v1 deployments/scale n/proxy ", false },
		{ "GET", "/api/v1/watch/namespaces/proxy/pods", "watch v1 pods/ proxy/ ", false },
		{ "GET", "/api/v1/watch/namespaces/n/pods", "watch v1 pods/ n/ ", false },
		{ "GET", "/api/v1/watch/namespaces/n/pods/p", "watch v1 pods/ n/p ", false },
		{ "GET", "/api/v1", "  / / ", false },
		{ "GET", "/apis/apps", "  / / ", false },
		{ "GET", "/apis/apps/v1", "  / / ", false },
		{ "GET", "/livez/ping", "  / / ", false },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got = parsed(a, rows[i].method, rows[i].path, rows[i].watch);
		const char *want = rows[i].want;

		/* the group and version of a path without a resource are told too */
		if (want[0] == ' ' && want[1] == ' ')
			assert_non_null(strstr(got, " / / "));
		else
			assert_string_equal(got, want);
	}
}

static void odd_paths_are_refused(void **state)
{
	static const char *const rows[] = { "/api/v1/pods/../secrets", "/api/v1//pods",
					    "/api/v1/namespaces/./pods",
					    "/api/v1/a/b/c/d/e/f/g/h/i/j/k/l/m" };
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_non_null(strstr(parsed(a, "GET", rows[i], false),
				       "could not find the requested resource"));
	assert_string_equal(parsed(a, "TRACE", "/api/v1/pods", false),
			    "the method TRACE is not supported");
}

/* The first thing that is wrong, "" when nothing is. */
static const char *query_error(struct arena *a, enum api_request_verb verb, const char *text)
{
	struct err err = ERR_INIT;
	struct api_query q;

	return api_query_parse(slice_str(text), verb, a, &q, &err) == 0 ? ""
									: arena_strdup(a, err.msg);
}

static void queries_are_read(void **state)
{
	struct arena *a = *state;
	struct err err = ERR_INIT;
	struct api_query q;

	assert_int_equal(
		api_query_parse(SLICE("limit=5&labelSelector=a%3Db&watch=1&timeoutSeconds=9&"
				      "allowWatchBookmarks=true&resourceVersion=7"),
				VERB_WATCH, a, &q, &err),
		0);
	assert_int_equal(q.limit, 5);
	assert_int_equal(q.timeout, 9);
	assert_true(q.watch && q.bookmarks);
	assert_int_equal(q.labels.n, 1);
	assert_string_equal(q.resource_version, "7");
	assert_int_equal(
		api_query_parse(
			SLICE("dryRun=All&fieldManager=me&fieldValidation=Strict&force=false"),
			VERB_PATCH, a, &q, &err),
		0);
	assert_true(q.dry_run && q.force_given && !q.force);
	assert_int_equal(q.validation, VALIDATION_STRICT);
	assert_string_equal(q.field_manager, "me");
}

static void what_does_not_go_together_is_told(void **state)
{
	struct arena *a = *state;

	assert_string_equal(
		query_error(a, VERB_LIST, "resourceVersion=0&resourceVersionMatch=NotOlderThan"),
		"");
	assert_non_null(strstr(query_error(a, VERB_LIST, "resourceVersionMatch=Exact"),
			       "forbidden unless resourceVersion is provided"));
	assert_non_null(
		strstr(query_error(a, VERB_LIST, "resourceVersion=0&resourceVersionMatch=Exact"),
		       "is forbidden for resourceVersion \"0\""));
	assert_non_null(
		strstr(query_error(a, VERB_LIST, "resourceVersion=1&resourceVersionMatch=Near"),
		       "supported values"));
	assert_non_null(
		strstr(query_error(a, VERB_LIST, "sendInitialEvents=true"), "forbidden for list"));
	assert_non_null(strstr(query_error(a, VERB_WATCH, "watch=1&sendInitialEvents=true"),
			       "requires setting resourceVersionMatch"));
	assert_string_equal(
		query_error(a, VERB_WATCH,
			    "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"),
		"");
	assert_non_null(strstr(query_error(a, VERB_WATCH, "resourceVersionMatch=NotOlderThan"),
			       "forbidden for watch unless"));
	assert_non_null(
		strstr(query_error(a, VERB_CREATE, "dryRun=Some"), "supported values: \"All\""));
	assert_non_null(strstr(query_error(a, VERB_CREATE, "fieldValidation=no"), "\"Strict\""));
	assert_non_null(strstr(query_error(a, VERB_LIST, "limit=x"), "are integers"));
	assert_non_null(strstr(query_error(a, VERB_LIST, "limit=-1"), "not negative"));
	assert_non_null(strstr(query_error(a, VERB_LIST, "watch=perhaps"), "is no truth value"));
	assert_non_null(strstr(query_error(a, VERB_LIST, "labelSelector=a%20b"),
			       "unable to parse requirement"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(paths_are_read),
		CASE(odd_paths_are_refused),
		CASE(queries_are_read),
		CASE(what_does_not_go_together_is_told),
	};

	return cmocka_run_group_tests_name("apiserver request", tests, NULL, NULL);
}
