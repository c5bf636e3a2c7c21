/* SPDX-License-Identifier: Apache-2.0 */
/* Routes and URLs. */
#include "io-test.h"

static const struct route rows[] = {
	{ "GET", "/", NULL, 1, NULL },
	{ "GET", "/containers/json", NULL, 2, NULL },
	{ "GET", "/containers/{id}/json", NULL, 3, NULL },
	{ "POST", "/containers/{name}/start", NULL, 4, NULL },
	{ "DELETE", "/containers/{id}", NULL, 5, NULL },
	{ "GET", "/images/json", NULL, 6, NULL },
	{ "GET", "/images/{name:.*}/json", NULL, 7, NULL },
	{ "DELETE", "/images/{name...}", NULL, 8, NULL },
	{ "POST", "/images/{name:.*}/tag", NULL, 9, NULL },
	{ NULL, "/any", NULL, 10, NULL },
	{ "POST", "/images/create", NULL, 11, NULL },
	{ "GET", "/v2/{name:.*}/blobs/{digest}", NULL, 12, NULL },
};

static void finds_the_row(void **state)
{
	static const struct {
		const char *method, *path;
		uint32_t flags;
		const char *name, *value;
	} cases[] = {
		{ "GET", "/", 1 },
		{ "GET", "/containers/json", 2 },
		{ "HEAD", "/containers/json", 2 },
		{ "GET", "/containers/abc/json", 3, "id", "abc" },
		{ "GET", "/containers/json/json", 3, "id", "json" },
		{ "POST", "/containers/a b/start", 4, "name", "a b" },
		{ "DELETE", "/containers/json", 5, "id", "json" },
		{ "GET", "/images/json", 6 },
		{ "GET", "/images/nginx/json", 7, "name", "nginx" },
		{ "GET", "/images/library/nginx/json", 7, "name", "library/nginx" },
		{ "GET", "/images/h:5000/a/b:c/json", 7, "name", "h:5000/a/b:c" },
		{ "GET", "/images/json/json", 7, "name", "json" },
		{ "DELETE", "/images/library/nginx", 8, "name", "library/nginx" },
		{ "DELETE", "/images/a/json", 8, "name", "a/json" },
		{ "POST", "/images/a/tag/tag", 9, "name", "a/tag" },
		{ "PATCH", "/any", 10 },
		{ "POST", "/images/create", 11 },
		{ "GET", "/v2/a/b/blobs/sha256:1", 12, "digest", "sha256:1" },
		{ "GET", "/v2/a/blobs/x/blobs/y", 12, "name", "a/blobs/x" },
	};
	CLEANUP(arena_free) struct arena *a = arena_new("test", 65536);
	CLEANUP(router_free) struct router *r = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(router_new(rows, ARRAY_LEN(rows), &r, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct route_match m;

		if (router_match(r, cases[i].method, cases[i].path, a, &m) != ROUTE_FOUND)
			fail_msg("%s %s: not found", cases[i].method, cases[i].path);
		assert_int_equal(m.route->flags, cases[i].flags);
		if (cases[i].name)
			assert_string_equal(route_param(&m, cases[i].name), cases[i].value);
		assert_null(route_param(&m, "absent"));
	}
}

static void tells_unknown_path_from_wrong_method(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 65536);
	CLEANUP(router_free) struct router *r = NULL;
	struct err err = ERR_INIT;
	struct route_match m;

	assert_int_equal(router_new(rows, ARRAY_LEN(rows), &r, &err), 0);
	assert_int_equal(router_match(r, "GET", "/nothing", a, &m), ROUTE_NO_PATH);
	assert_int_equal(router_match(r, "GET", "/containers", a, &m), ROUTE_NO_PATH);
	assert_int_equal(router_match(r, "GET", "/containers/", a, &m), ROUTE_NO_PATH);
	assert_int_equal(router_match(r, "GET", "/containers//json", a, &m), ROUTE_NO_PATH);
	assert_int_equal(router_match(r, "GET", "*", a, &m), ROUTE_NO_PATH);
	assert_null(m.route);
	assert_int_equal(router_match(r, "PUT", "/containers/x/json", a, &m), ROUTE_NO_METHOD);
	assert_string_equal(m.allow, "GET, HEAD");
	assert_int_equal(router_match(r, "HEAD", "/containers/x/start", a, &m), ROUTE_NO_METHOD);
	assert_string_equal(m.allow, "POST");
}

static void refuses_bad_patterns(void **state)
{
	static const struct {
		struct route rows[2];
		const char *part;
	} cases[] = {
		{ { { "GET", "a" }, { "GET", "/b" } }, "does not begin" },
		{ { { "GET", "/a{b}" }, { "GET", "/b" } }, "malformed" },
		{ { { "GET", "/{}" }, { "GET", "/b" } }, "malformed" },
		{ { { "GET", "/{a:[0-9]}" }, { "GET", "/b" } }, "malformed" },
		{ { { "GET", "/{a...}/{b...}" }, { "GET", "/b" } }, "malformed" },
		{ { { "GET", "/{a}/x" }, { "GET", "/{b}/x" } }, "twice" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		struct router *r = NULL;

		assert_int_equal(router_new(cases[i].rows, 2, &r, &err), -ERR_INVALID);
		assert_has(err.msg, cases[i].part);
	}
}

static void a_path_of_slashes_costs_little(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 20);
	CLEANUP(router_free) struct router *r = NULL;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);
	struct err err = ERR_INIT;
	struct route_match m;

	assert_int_equal(router_new(rows, ARRAY_LEN(rows), &r, &err), 0);
	buf_adds(&b, "/v2");
	while (b.n < 60000)
		buf_adds(&b, "/blobs");
	assert_int_not_equal(router_match(r, "GET", buf_str(&b), a, &m), ROUTE_NO_METHOD);
}

static void reads_queries(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 20);
	struct err err = ERR_INIT;
	struct query q;
	int64_t n;

	assert_int_equal(
		query_parse(a, SLICE("all=1&t=a%2Fb&t=c+d&&empty=&flag&n=-5&no=False&x=none&%66=g"),
			    &q, &err),
		0);
	assert_string_equal(query_get(&q, "t"), "a/b");
	assert_string_equal(query_nth(&q, "t", 1), "c d");
	assert_null(query_nth(&q, "t", 2));
	assert_string_equal(query_get(&q, "f"), "g");
	assert_true(query_bool(&q, "all", false));
	assert_false(query_bool(&q, "no", true));
	assert_false(query_bool(&q, "x", true));
	assert_false(query_bool(&q, "flag", true));
	assert_true(query_bool(&q, "absent", true));
	assert_int_equal(query_int64(&q, "n", 3, &n, &err), 0);
	assert_int_equal(n, -5);
	assert_int_equal(query_int64(&q, "absent", 3, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_int_equal(query_int64(&q, "t", 3, &n, &err), -ERR_INVALID);
	assert_has(err.msg, "query parameter 't'");
	assert_int_equal(query_parse(a, (struct slice){ 0 }, &q, &err), 0);
	assert_int_equal(q.n, 0);
	assert_int_equal(query_parse(a, SLICE("a=%1"), &q, &err), -ERR_INVALID);
	assert_has(err.msg, "query parameter 'a'");
	assert_int_equal(query_parse(a, SLICE("%00=1"), &q, &err), -ERR_INVALID);
}

static void too_many_query_parameters_are_refused(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 20);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);
	struct err err = ERR_INIT;
	struct query q;

	for (int i = 0; i < QUERY_PAIRS_MAX + 1; i++)
		buf_adds(&b, "&a=");
	assert_int_equal(query_parse(a, buf_slice(&b), &q, &err), -ERR_QUOTA);
	assert_has(err.msg, "more than 1024");
}

static void writes_queries(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1000), full = BUF_INIT(4);

	buf_adds(&b, "/x");
	assert_int_equal(query_add(&b, "a", "b c/&"), 0);
	assert_int_equal(query_add(&b, "none", NULL), 0);
	assert_int_equal(query_add(&b, "\xc3\xa4", "1"), 0);
	assert_string_equal(buf_str(&b), "/x?a=b%20c%2F%26&%C3%A4=1");
	assert_int_equal(url_encode(&full, SLICE("/////"), false), -ERR_QUOTA);
}

static void reads_addresses(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 65536);
	struct sockaddr_storage sa;
	struct err err = ERR_INIT;
	socklen_t len;
	struct url u;

	assert_int_equal(url_parse(a, "unix:///run/x.sock", &u, &err), 0);
	assert_string_equal(u.path, "/run/x.sock");
	assert_int_equal(url_parse(a, "HTTP://[::1]/base", &u, &err), 0);
	assert_string_equal(u.scheme, "http");
	assert_string_equal(u.host, "::1");
	assert_string_equal(u.path, "/base");
	assert_int_equal(u.port, 80);
	assert_int_equal(url_parse(a, "unix://x", &u, &err), -ERR_INVALID);
	assert_int_equal(url_parse(a, "/run/x.sock", &u, &err), -ERR_INVALID);
	assert_has(err.msg, "does not begin with");
	assert_int_equal(url_parse(a, "ssh://host", &u, &err), -ERR_UNSUPPORTED);
	assert_has(err.msg, "'ssh'");
	assert_int_equal(url_parse(a, "tcp://h:70000", &u, &err), -ERR_INVALID);
	assert_has(err.msg, "not a port");
	assert_int_equal(url_sockaddr("[::1]:80", &sa, &len, &err), 0);
	assert_int_equal(url_sockaddr("localhost:80", &sa, &len, &err), 0);
	assert_int_equal(sa.ss_family, AF_INET);
	assert_int_equal(url_sockaddr("example.org:80", &sa, &len, &err), -ERR_UNSUPPORTED);
	assert_has(err.msg, "is a name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_row),
		cmocka_unit_test(tells_unknown_path_from_wrong_method),
		cmocka_unit_test(refuses_bad_patterns),
		cmocka_unit_test(a_path_of_slashes_costs_little),
		cmocka_unit_test(reads_queries),
		cmocka_unit_test(too_many_query_parameters_are_refused),
		cmocka_unit_test(writes_queries),
		cmocka_unit_test(reads_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
