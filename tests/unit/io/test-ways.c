/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to a server: redirects, proxies and who is exempt from them. */
#include "io-test.h"

#include "io/http-proxy.h"
#include "io/http-redirect.h"

static void resolves_references(void **state)
{
	/* RFC 3986 5.4, as far as they are http addresses. */
	static const char *const rows[][2] = {
		{ "g", "http://a/b/c/g" },
		{ "./g", "http://a/b/c/g" },
		{ "g/", "http://a/b/c/g/" },
		{ "/g", "http://a/g" },
		{ "//g", "http://g/" },
		{ "?y", "http://a/b/c/d;p?y" },
		{ "g?y", "http://a/b/c/g?y" },
		{ "#s", "http://a/b/c/d;p?q" },
		{ "g#s", "http://a/b/c/g" },
		{ ";x", "http://a/b/c/;x" },
		{ "g;x", "http://a/b/c/g;x" },
		{ ".", "http://a/b/c/" },
		{ "./", "http://a/b/c/" },
		{ "..", "http://a/b/" },
		{ "../", "http://a/b/" },
		{ "../g", "http://a/b/g" },
		{ "../..", "http://a/" },
		{ "../../g", "http://a/g" },
		{ "../../../g", "http://a/g" },
		{ "/./g", "http://a/g" },
		{ "/../g", "http://a/g" },
		{ "g.", "http://a/b/c/g." },
		{ ".g", "http://a/b/c/.g" },
		{ "..g", "http://a/b/c/..g" },
		{ "./../g", "http://a/b/g" },
		{ "./g/.", "http://a/b/c/g/" },
		{ "g/./h", "http://a/b/c/g/h" },
		{ "g/../h", "http://a/b/c/h" },
		{ "g?y/../x", "http://a/b/c/g?y/../x" },
		{ "https://x/y", "https://x/y" },
		{ "HTTP://x", "HTTP://x/" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_redirect r;
		struct err err = ERR_INIT;

		assert_int_equal(http_redirect_init(&r, "GET", "http://a/b/c/d;p?q", false, &err),
				 0);
		if (http_redirect_step(&r, 302, slice_str(rows[i][0]), &err) != 1)
			fail_msg("%s: %s", rows[i][0], err.msg);
		assert_string_equal(r.url, rows[i][1]);
	}
}

static void keeps_credentials_in_one_origin(void **state)
{
	static const struct {
		const char *from, *to;
		bool kept;
	} rows[] = {
		{ "https://h/a", "/b", true },
		{ "https://h/a", "https://H:443/b", true },
		{ "https://h/a", "https://h:444/", false },
		{ "https://h/a", "https://sub.h/", false },
		{ "http://h/a", "https://h/", false },
		{ "http://h/a", "http://h:80/", true },
		{ "https://h/a", "//other/", false },
		{ "http://[::1]:80/", "http://[::1]/", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_redirect r;
		struct err err = ERR_INIT;

		assert_int_equal(http_redirect_init(&r, "GET", rows[i].from, false, &err), 0);
		assert_int_equal(http_redirect_step(&r, 307, slice_str(rows[i].to), &err), 1);
		if (r.credentials != rows[i].kept)
			fail_msg("%s to %s", rows[i].from, rows[i].to);
		/* Once lost they do not come back. */
		if (!rows[i].kept && strncmp(rows[i].from, "https", 5) == 0) {
			assert_int_equal(http_redirect_step(&r, 307, slice_str(rows[i].from), &err),
					 1);
			assert_false(r.credentials);
		}
	}
}

static void changes_methods_as_it_must(void **state)
{
	static const struct {
		const char *method;
		int status;
		const char *then;
		bool body;
	} rows[] = {
		{ "POST", 301, "GET", false },	   { "POST", 302, "GET", false },
		{ "POST", 303, "GET", false },	   { "POST", 307, "POST", true },
		{ "POST", 308, "POST", true },	   { "PUT", 301, "PUT", true },
		{ "PUT", 303, "GET", false },	   { "HEAD", 303, "HEAD", true },
		{ "DELETE", 302, "DELETE", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_redirect r;

		assert_int_equal(http_redirect_init(&r, rows[i].method, "http://h/", true, NULL),
				 0);
		assert_int_equal(http_redirect_step(&r, rows[i].status, slice_str("/x"), NULL), 1);
		assert_string_equal(r.method, rows[i].then);
		assert_int_equal(r.body, rows[i].body);
	}
}

static void refuses_bad_redirects(void **state)
{
	static const struct {
		const char *to;
		int code;
	} rows[] = {
		{ "", ERR_BAD_REQUEST },
		{ "http://h/", ERR_FORBIDDEN },
		{ "ftp://h/", ERR_UNSUPPORTED },
		{ "file:///etc/passwd", ERR_UNSUPPORTED },
		{ "javascript:x", ERR_UNSUPPORTED },
		{ "https://u:p@h/", ERR_BAD_REQUEST },
		{ "https://h/a b", ERR_BAD_REQUEST },
		{ "https://h/\r\nX: y", ERR_BAD_REQUEST },
		{ "https:///x", ERR_UNSUPPORTED },
		{ "https://h:0/", ERR_UNSUPPORTED },
		{ "https://h:99999/", ERR_UNSUPPORTED },
		{ "https:\\\\h\\", ERR_BAD_REQUEST },
	};
	struct http_redirect r;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(http_redirect_init(&r, "GET", "https://h/", false, &err), 0);
		if (http_redirect_step(&r, 302, slice_str(rows[i].to), &err) != -rows[i].code)
			fail_msg("'%s' is followed, or: %s", rows[i].to, err.msg);
	}
	assert_int_equal(http_redirect_init(&r, "GET", "https://h/", false, &err), 0);
	for (unsigned i = 0; i < HTTP_REDIRECTS; i++)
		assert_int_equal(http_redirect_step(&r, 302, slice_str("/loop"), &err), 1);
	assert_int_equal(http_redirect_step(&r, 302, slice_str("/loop"), &err), -ERR_QUOTA);
	assert_int_equal(http_redirect_step(&r, 200, slice_str("/x"), &err), 0);
	assert_int_equal(http_redirect_step(&r, 304, slice_str("/x"), &err), 0);
}

static void knows_who_needs_no_proxy(void **state)
{
	static const struct {
		const char *no, *host;
		uint16_t port;
		int proxied;
	} rows[] = {
		{ "", "example.com", 80, 1 },
		{ "*", "example.com", 80, 0 },
		{ "example.com", "example.com", 80, 0 },
		{ "example.com", "EXAMPLE.com", 80, 0 },
		{ "example.com", "a.example.com", 80, 0 },
		{ "example.com", "notexample.com", 80, 1 },
		{ ".example.com", "example.com", 80, 1 },
		{ ".example.com", "a.example.com", 80, 0 },
		{ "*.example.com", "a.example.com", 80, 0 },
		{ "example.com:81", "example.com", 80, 1 },
		{ "example.com:80", "example.com", 80, 0 },
		{ "a, b ,example.com", "example.com", 80, 0 },
		{ "10.0.0.0/8", "10.1.2.3", 80, 0 },
		{ "10.0.0.0/8", "11.1.2.3", 80, 1 },
		{ "192.0.2.1", "192.0.2.1", 80, 0 },
		{ "192.0.2.1:81", "192.0.2.1", 80, 1 },
		{ "2001:db8::/32", "2001:db8::5", 80, 0 },
		{ "[2001:db8::5]:80", "2001:db8::5", 80, 0 },
		{ "[2001:db8::5]:81", "2001:db8::5", 80, 1 },
		{ "example.com", "example.com.", 80, 0 },
		{ "", "localhost", 80, 0 },
		{ "", "127.0.0.1", 80, 0 },
		{ "", "::1", 80, 0 },
		{ "", "x.localhost", 80, 0 },
		{ ",,", "example.com", 80, 1 },
		{ "10.0.0.0/8", "10.example.com", 80, 1 },
	};
	struct http_proxy p;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_proxy_env env = { .http = "http://proxy:3128", .no = rows[i].no };

		if (http_proxy_for(&env, "http", rows[i].host, rows[i].port, &p, &err) !=
		    rows[i].proxied)
			fail_msg("no_proxy '%s', host '%s'", rows[i].no, rows[i].host);
	}
}

static void reads_proxies(void **state)
{
	struct http_proxy_env env = { .https = "http://me:p%40ss@proxy:3128/",
				      .all = "10.0.0.1:8080" };
	struct http_proxy p;
	struct err err = ERR_INIT;

	assert_int_equal(http_proxy_for(&env, "https", "h", 443, &p, &err), 1);
	assert_string_equal(p.address, "http://proxy:3128");
	assert_string_equal(p.auth, "Basic bWU6cEBzcw==");
	assert_int_equal(http_proxy_for(&env, "http", "h", 80, &p, &err), 1);
	assert_string_equal(p.address, "http://10.0.0.1:8080");
	assert_string_equal(p.auth, "");
	assert_int_equal(http_proxy_parse("socks5://h:1", &p, &err), -ERR_UNSUPPORTED);
	assert_int_equal(http_proxy_parse("https://h:1", &p, &err), -ERR_UNSUPPORTED);
	assert_true(http_proxy_parse("http://", &p, &err) < 0);
	env = (struct http_proxy_env){ 0 };
	assert_int_equal(http_proxy_for(&env, "http", "h", 80, &p, &err), 0);
	/* What a request's header could set is not read. */
	setenv("HTTP_PROXY", "http://evil:1", 1);
	unsetenv("http_proxy");
	assert_null(http_proxy_env_get().http);
	unsetenv("HTTP_PROXY");
}

/* ---- a client behind a proxy ---- */

static void say_target(struct stream *s, void *arg)
{
	const struct http_request *rq = stream_request(s);
	struct slice auth = stream_header(s, "Proxy-Authorization");

	stream_replyf(s, 200, NULL, "%s host=%.*s auth=%.*s", rq->path, (int)rq->host.n, rq->host.p,
		      (int)auth.n, auth.p);
}

static void note_text(struct stream *s, struct slice bytes)
{
	struct env *e = stream_arg(s);

	buf_add(&e->got, bytes.p, bytes.n);
}

static void read_all(struct stream *s)
{
	stream_read(s, STREAM_ALL);
}

static void note_closed(struct stream *s, const struct err *why)
{
	struct env *e = stream_arg(s);

	e->closed++;
	if (why)
		snprintf(e->text, sizeof(e->text), "%.200s", why->msg);
}

static const struct stream_events note_events = { .head = read_all,
						  .data = note_text,
						  .closed = note_closed };

static void asks_a_proxy_for_a_name_it_does_not_know(void **state)
{
	struct env e = { 0 };
	struct http_proxy p;
	struct http_client_conf conf = { .proxy = &p };
	struct http_client *cl;
	struct stream *s;
	struct err err = ERR_INIT;
	char text[300];

	env_start(&e, say_target);
	assert_int_equal(http_server_listen_tcp(e.srv, "127.0.0.1:0", &err), 0);
	snprintf(text, sizeof(text), "http://u:secret@%s",
		 http_server_address(e.srv, 0) + strlen("tcp://"));
	assert_int_equal(http_proxy_parse(text, &p, &err), 0);
	assert_int_equal(http_client_new(e.loop, "http://far.example:8080", &conf, &cl, &err), 0);
	assert_int_equal(http_client_stream(cl, "GET", "/x?y=1", &s, &err), 0);
	stream_on(s, &note_events, &e);
	assert_int_equal(http_client_send(s, 0, false, &err), 0);
	settle(&e);
	assert_string_equal(buf_str(&e.got), "/x host=far.example:8080 auth=Basic dTpzZWNyZXQ=");
	assert_int_equal(e.closed, 1);
	stream_unref(s);
	http_client_free(cl);
	env_stop(&e);
}

static void refuses_names_without_a_resolver(void **state)
{
	struct http_client *cl;
	struct err err = ERR_INIT;

	assert_int_equal(http_client_new(NULL, "http://far.example:8080", NULL, &cl, &err),
			 -ERR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resolves_references),
		cmocka_unit_test(keeps_credentials_in_one_origin),
		cmocka_unit_test(changes_methods_as_it_must),
		cmocka_unit_test(refuses_bad_redirects),
		cmocka_unit_test(knows_who_needs_no_proxy),
		cmocka_unit_test(reads_proxies),
		cmocka_unit_test(asks_a_proxy_for_a_name_it_does_not_know),
		cmocka_unit_test(refuses_names_without_a_resolver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
