/* SPDX-License-Identifier: Apache-2.0 */
/* Paths that are no resources; who may; reviews: through the whole server. */
#include "rest-fix.h"

#define V2 "Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList\r\n"

static int anonymous(struct rfix *x, const char *path)
{
	return ask(x, "GET", path, "", NULL);
}

static void everybody_may_ask_how_the_server_is(void **state)
{
	struct rfix *x = *state;

	anonymous(x, "/livez");
	assert_code(x, 200);
	assert_string_equal(buf_str(&x->body), "ok");
	assert_string_equal(header_of(x, "Content-Type"), "text/plain; charset=utf-8");
	anonymous(x, "/readyz?verbose");
	assert_has(x, "[+]ping ok\n");
	assert_has(x, "[+]shutdown ok\n");
	assert_has(x, "readyz check passed\n");
	anonymous(x, "/livez?verbose&exclude=etcd&exclude=none");
	assert_has(x, "[+]etcd excluded: ok\n");
	assert_has(x, "no matches for \"none\"\n");
	assert_hasnt(x, "shutdown");
	anonymous(x, "/healthz/etcd");
	assert_string_equal(buf_str(&x->body), "ok");
	anonymous(x, "/livez/none");
	assert_code(x, 404);
	anonymous(x, "/version");
	assert_code(x, 200);
	assert_string_equal(answer_text(x, "major"), "1");
	assert_int_equal(strncmp(answer_text(x, "gitVersion"), "v1.", 3), 0);
}

static const char *not_well(void *arg)
{
	(void)arg;
	return "out of order";
}

static void a_check_that_fails_is_told(void **state)
{
	struct rfix *x = *state;
	struct server_check check = { .name = "extra", .fn = not_well, .ready_only = true };

	server_add_check(x->srv, &check);
	anonymous(x, "/readyz");
	assert_code(x, 500);
	assert_has(x, "[-]extra failed: reason withheld\n");
	assert_has(x, "readyz check failed\n");
	anonymous(x, "/livez");
	assert_code(x, 200);
	anonymous(x, "/readyz/extra");
	assert_code(x, 500);
	assert_string_equal(buf_str(&x->body), "internal server error: out of order\n");
}

static void who_is_nobody_may_not_look_around(void **state)
{
	struct rfix *x = *state;

	anonymous(x, "/api");
	assert_status(x, 403, "Forbidden",
		      "forbidden: User \"system:anonymous\" cannot get path \"/api\"");
	anonymous(x, "/api/v1/namespaces/n1/pods/p");
	assert_status(x, 403, "Forbidden",
		      "pods \"p\" is forbidden: User \"system:anonymous\" cannot get resource "
		      "\"pods\" in API group \"\" in the namespace \"n1\"");
	anonymous(x, "/apis/apps/v1/deployments");
	assert_status(
		x, 403, "Forbidden",
		"deployments.apps is forbidden: User \"system:anonymous\" cannot list resource "
		"\"deployments\" in API group \"apps\" at the cluster scope");
	anonymous(x, "/api/v1/namespaces/n1/pods?fieldSelector=metadata.name%3Dp");
	assert_status(x, 403, "Forbidden", "pods \"p\" is forbidden: User");
	ask(x, "GET", "/api", "Authorization: Bearer wrong\r\n", NULL);
	assert_status(x, 401, "Unauthorized", "Unauthorized");
	ask(x, "GET", "/api", PLAIN, NULL);
	assert_code(x, 200);
	ask(x, "GET", "/metrics", PLAIN, NULL);
	assert_code(x, 403);
}

static void discovery_is_plain_or_in_one_piece(void **state)
{
	struct rfix *x = *state;
	char tag[128], headers[512];

	get(x, "/api");
	assert_string_equal(answer_text(x, "kind"), "APIVersions");
	assert_string_equal(answer_text(x, "serverAddressByClientCIDRs.0.serverAddress"),
			    "127.0.0.1:6443");
	get(x, "/apis");
	assert_string_equal(answer_text(x, "kind"), "APIGroupList");
	get(x, "/apis/apps");
	assert_string_equal(answer_text(x, "preferredVersion.groupVersion"), "apps/v1");
	get(x, "/apis/apps/v1/");
	assert_string_equal(answer_text(x, "kind"), "APIResourceList");
	get(x, "/api/v1");
	assert_has(x, "\"name\":\"pods/eviction\"");
	assert_null(header_of(x, "ETag"));
	ask(x, "GET", "/apis", ADMIN V2, NULL);
	assert_string_equal(answer_text(x, "kind"), "APIGroupDiscoveryList");
	assert_string_equal(header_of(x, "Content-Type"),
			    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
	assert_string_equal(header_of(x, "Cache-Control"), "public");
	assert_string_equal(header_of(x, "Vary"), "Accept");
	snprintf(tag, sizeof(tag), "%s", header_of(x, "ETag"));
	snprintf(headers, sizeof(headers), ADMIN V2 "If-None-Match: %s\r\n", tag);
	ask(x, "GET", "/apis", headers, NULL);
	assert_code(x, 304);
	assert_int_equal(x->body.n, 0);
	assert_string_equal(header_of(x, "ETag"), tag);
	get(x, "/apis/none");
	assert_code(x, 404);
	assert_string_equal(buf_str(&x->body), "404 page not found\n");
	ask(x, "GET", "/apis/apps/v1", ADMIN "Accept: application/yaml\r\n", NULL);
	assert_has(x, "kind: APIResourceList\n");
}

static void openapi_is_served_by_its_hash(void **state)
{
	struct rfix *x = *state;
	char url[512];

	get(x, "/openapi/v3");
	assert_code(x, 200);
	snprintf(url, sizeof(url), "%.400s",
		 answer_text(x, "paths.apis/coordination.k8s.io/v1.serverRelativeURL"));
	if (url[0] != '/') { /* a path with dots in its key */
		const struct doc *d = doc_get(
			doc_get(doc_get(answer_doc(x), "paths"), "apis/coordination.k8s.io/v1"),
			"serverRelativeURL");
		snprintf(url, sizeof(url), "%.*s", (int)d->n, d->s);
	}
	get(x, url);
	assert_code(x, 200);
	assert_string_equal(header_of(x, "Cache-Control"), "public, immutable");
	assert_has(x, "io.k8s.api.coordination.v1.Lease");
	get(x, "/openapi/v3/apis/coordination.k8s.io/v1?hash=ABC");
	assert_code(x, 301);
	assert_string_equal(header_of(x, "Location"), url);
	get(x, "/openapi/v3/apis/none/v1");
	assert_code(x, 404);
	ask(x, "GET", "/openapi/v2",
	    ADMIN "Accept: application/com.github.proto-openapi.spec.v2@v1.0+protobuf\r\n", NULL);
	assert_code(x, 200);
	assert_string_equal(header_of(x, "Content-Type"),
			    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
	assert_memory_equal(x->body.p,
			    "\x0a\x03"
			    "2.0",
			    5); /* swagger */
	snprintf(url, sizeof(url), ADMIN "If-None-Match: %s\r\n", header_of(x, "ETag"));
	get(x, "/openapi/v2");
	assert_code(x, 200);
	assert_has(x, "\"swagger\":\"2.0\"");
	assert_null(strstr(url, header_of(x, "ETag"))); /* another form, another tag */
	snprintf(url, sizeof(url), ADMIN "If-None-Match: %s\r\n", header_of(x, "ETag"));
	ask(x, "GET", "/openapi/v2", url, NULL);
	assert_code(x, 304);
	ask(x, "GET", "/openapi/v2", ADMIN "Accept: text/html\r\n", NULL);
	assert_status(x, 406, "NotAcceptable", "application/json");
}

static void what_is_not_there_is_404_or_405(void **state)
{
	struct rfix *x = *state;

	get(x, "/nowhere");
	assert_code(x, 404);
	assert_string_equal(buf_str(&x->body), "404 page not found\n");
	get(x, "/api/v1/nothings");
	assert_code(x, 404);
	get(x, "/api/v1/namespaces/n1/nodes/x");
	assert_code(x, 404);
	get(x, "/api/v1/namespaces/n1/pods/p/nothing");
	assert_code(x, 404);
	ask(x, "PUT", "/api/v1/namespaces/n1/pods", ADMIN JSON, "{}");
	assert_status(x, 405, "MethodNotAllowed", "not supported on resources of kind");
	ask(x, "POST", "/version", ADMIN JSON, "{}");
	assert_code(x, 405);
	ask(x, "POST", "/api/v1/componentstatuses", ADMIN JSON, "{}");
	assert_code(x, 405);
	get(x, "/");
	assert_has(x, "\"/apis/apps/v1\"");
	get(x, "/metrics");
	assert_code(x, 200);
	assert_has(x, "apiserver_request_total{verb=\"PUT\"");
	ask(x, "GET", "/api", "Authorization: Bearer wrong\r\n", NULL);
	ask(x, "GET", "/api/v1/pods", PLAIN, NULL);
	assert_code(x, 403);
	get(x, "/metrics");
	assert_has(x, "authenticated_user_requests{username=\"admin\"}");
	assert_has(x, "authentication_attempts{result=\"error\"} 1\n");
	assert_has(x, "authentication_attempts{result=\"failure\"} 0\n");
	assert_has(x, "authentication_duration_seconds_count{result=\"success\"}");
	assert_has(x, "authorization_attempts_total{result=\"allowed\"}");
	assert_has(x, "authorization_attempts_total{result=\"no-opinion\"} 1\n");
	assert_has(x, "authorization_duration_seconds_count{result=\"error\"} 0\n");
}

static void what_cannot_be_had_here_is_refused_by_name(void **state)
{
	struct rfix *x = *state;

	make_namespace(x, "n1");
	post(x, "/api/v1/namespaces/n1/serviceaccounts/default/token", "{}");
	assert_status(x, 503, "ServiceUnavailable",
		      "serviceaccounts/token: there is no key that signs tokens");
}

static void reviews_tell_who_and_whether(void **state)
{
	static const char self[] = "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":"
				   "\"SelfSubjectReview\"}";
	static const char may[] =
		"{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SelfSubjectAccessReview\","
		"\"spec\":{\"resourceAttributes\":{\"verb\":\"get\",\"resource\":\"pods\"}}}";
	struct rfix *x = *state;

	ask(x, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", PLAIN JSON, self);
	assert_code(x, 201);
	assert_string_equal(answer_text(x, "status.userInfo.username"), "plain");
	assert_string_equal(answer_text(x, "status.userInfo.groups.0"), "devs");
	ask(x, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", PLAIN JSON, may);
	assert_code(x, 201);
	assert_has(x, "\"allowed\":false");
	post(x, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", may);
	assert_has(x, "\"allowed\":true");
	post(x, "/apis/authorization.k8s.io/v1/subjectaccessreviews",
	     "{\"apiVersion\":\"authorization.k8s.io/"
	     "v1\",\"kind\":\"SubjectAccessReview\",\"spec\":{"
	     "\"user\":\"u\",\"groups\":[\"system:authenticated\"],\"nonResourceAttributes\":{"
	     "\"path\":\"/apis/apps\",\"verb\":\"get\"}}}");
	assert_has(x, "\"allowed\":true");
	post(x, "/apis/authorization.k8s.io/v1/namespaces/n1/localsubjectaccessreviews",
	     "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"LocalSubjectAccessReview\","
	     "\"spec\":{\"user\":\"u\",\"resourceAttributes\":{"
	     "\"namespace\":\"n1\",\"verb\":\"get\",\"resource\":\"pods\"}}}");
	assert_code(x, 201);
	assert_has(x, "\"allowed\":false");
	assert_string_equal(answer_text(x, "metadata.namespace"), "n1"); /* the URL's */
	ask(x, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
	    PLAIN JSON "Accept: application/json;as=Table;v=v1;g=meta.k8s.io\r\n", may);
	assert_status(x, 406, "NotAcceptable", "only the following media types are accepted");
	ask(x, "POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", PLAIN JSON,
	    "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SelfSubjectRulesReview\","
	    "\"spec\":{\"namespace\":\"n1\"}}");
	assert_code(x, 201);
	assert_string_equal(answer_text(x, "status.resourceRules.0.verbs.0"), "create");
	post(x, "/apis/authorization.k8s.io/v1/subjectaccessreviews",
	     "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SubjectAccessReview\"}");
	assert_code(x, 422);
	ask(x, "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", PLAIN JSON, may);
	assert_code(x, 403);
}

static void tokens_are_reviewed(void **state)
{
	static const char path[] = "/apis/authentication.k8s.io/v1/tokenreviews";
	struct rfix *x = *state;

	post(x, path,
	     "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\",\"spec\":{"
	     "\"token\":\"plain-token\"}}");
	assert_code(x, 201);
	assert_has(x, "\"authenticated\":true");
	assert_string_equal(answer_text(x, "status.user.username"), "plain");
	post(x, path,
	     "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\",\"spec\":{"
	     "\"token\":\"other\"}}");
	assert_code(x, 201);
	assert_hasnt(x, "\"authenticated\":true");
	assert_has(x, "invalid bearer token");
	post(x, path,
	     "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\",\"spec\":{}}");
	assert_status(x, 400, "BadRequest", "token is required");
}

static void what_is_no_request_is_told_as_a_status(void **state)
{
	struct rfix *x = *state;
	struct peer p;

	peer_open(x, &p);
	peer_write(&p, "GET\r\n\r\n", 7);
	peer_until(&p, "\"kind\":\"Status\"");
	peer_close(&p);
	get(x, "/api/v1/pods?watch=maybe");
	assert_code(x, 400);
	get(x, "/api/v1/pods?limit=x");
	assert_code(x, 400);
	get(x, "/api/v1/pods?timeout=x");
	assert_status(x, 400, "BadRequest", "invalid timeout");
	get(x, "/api/v1/namespaces/../pods");
	assert_code(x, 404);
}

/* Who goes while the answer is on its way leaves nothing behind. */
static void clients_may_go_at_any_time(void **state)
{
	struct rfix *x = *state;
	struct peer p;

	make_namespace(x, "n1");
	for (int i = 0; i < 20; i++) {
		peer_open(x, &p);
		peer_send(&p, "POST", "/api/v1/namespaces/n1/configmaps", ADMIN JSON,
			  "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{"
			  "\"generateName\":\"m\"}}");
		for (int j = 0; j < i % 5; j++)
			turn(&p);
		peer_close(&p);
	}
	peer_open(x, &p);
	peer_send(&p, "GET", "/api/v1/namespaces?resourceVersion=99999", ADMIN, NULL);
	turn(&p);
	peer_close(&p);
	peer_open(x, &p);
	peer_write(&p,
		   "POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\n" ADMIN JSON
		   "Content-Length: 100\r\n\r\n{",
		   strlen("POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\n" ADMIN JSON
			  "Content-Length: 100\r\n\r\n{"));
	turn(&p);
	peer_close(&p);
	get(x, "/api/v1/namespaces");
	assert_code(x, 200);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rest_setup, rest_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(everybody_may_ask_how_the_server_is),
		TEST(a_check_that_fails_is_told),
		TEST(who_is_nobody_may_not_look_around),
		TEST(discovery_is_plain_or_in_one_piece),
		TEST(openapi_is_served_by_its_hash),
		TEST(what_is_not_there_is_404_or_405),
		TEST(what_cannot_be_had_here_is_refused_by_name),
		TEST(reviews_tell_who_and_whether),
		TEST(tokens_are_reviewed),
		TEST(what_is_no_request_is_told_as_a_status),
		TEST(clients_may_go_at_any_time),
	};

	return cmocka_run_group_tests_name("rest-paths", tests, NULL, NULL);
}
