/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client whose TLS goes through a proxy's tunnel, and the version that ALPN chooses: server,
 * proxy and client on one loop. A server without tunnels refuses CONNECT.
 */
#include "io-test.h"

#include "../crypto/crypto-test.h"
#include "crypto/tls.h"
#include "io/http-proxy.h"
#include "io/stream-impl.h"

/* The server behind, and the proxy before it. */
struct way {
	struct env server, proxy;
	struct signer ca, leaf;
	struct cert_pool *trust;
	struct tls_conf *theirs, *ours;
	unsigned tunnels;
	char target[128], auth[128];
	bool refuse;
};

static void say_version(struct stream *s, void *arg)
{
	(void)stream_replyf(s, 200, NULL, "HTTP/%d %s", stream_request(s)->major,
			    stream_request(s)->path);
}

/* CONNECT: the bytes go to the server as if it had accepted them. */
static void open_tunnel(struct stream *s, void *arg)
{
	struct way *w = CONTAINER_OF((struct env *)arg, struct way, proxy);
	const struct http_request *rq = stream_request(s);
	struct slice auth = stream_header(s, "Proxy-Authorization");
	struct err err = ERR_INIT;
	int pair[2];

	w->tunnels++;
	snprintf(w->target, sizeof(w->target), "%s %.*s", rq->method, (int)rq->host.n, rq->host.p);
	snprintf(w->auth, sizeof(w->auth), "%.*s", (int)auth.n, auth.p);
	if (w->refuse) {
		(void)stream_reply(s, 407, NULL, "who are you?", 12);
		return;
	}
	assert_int_equal(stream_hijack(s, 200, &err), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	assert_int_equal(http_server_adopt(w->server.srv, pair[0], &err), 0);
	assert_int_equal(relay_start(s, pair[1], &err), 0);
}

static void make_tls(struct way *w, const char *const *alpn, size_t alpn_n)
{
	static const char *const both[] = { "h2", "http/1.1" };
	struct tls_identity id;
	struct tls_options server = {
		.server = true, .ids = &id, .ids_n = 1, .alpn = alpn, .alpn_n = alpn_n
	};
	struct tls_options client = { .alpn = both, .alpn_n = 2 };
	struct err err = ERR_INIT;

	w->ca = make_ca("test CA", NULL);
	w->leaf = make_leaf("far", LIST("far.example"), &w->ca);
	w->trust = pool_of(&w->ca);
	client.trust = w->trust;
	id = (struct tls_identity){ .chain = &w->leaf.cert, .chain_n = 1, .key = w->leaf.key };
	assert_int_equal(tls_conf_new(&server, &w->theirs, &err), 0);
	assert_int_equal(tls_conf_new(&client, &w->ours, &err), 0);
	assert_int_equal(http_server_set_tls(w->server.srv, HTTP_ALL_LISTENERS, w->theirs, &err),
			 0);
}

static void way_open(struct way *w, const char *const *alpn, size_t alpn_n)
{
	struct err err = ERR_INIT;

	env_start(&w->server, say_version);
	/* The proxy lives on the same loop. */
	w->proxy.loop = w->server.loop;
	w->proxy.conf = (struct http_server_conf){ .request = open_tunnel,
						   .arg = &w->proxy,
						   .connect = true };
	assert_int_equal(http_server_new(w->proxy.loop, &w->proxy.conf, &w->proxy.srv, &err), 0);
	make_tls(w, alpn, alpn_n);
}

static void way_close(struct way *w)
{
	http_server_free(w->proxy.srv);
	tls_conf_unref(w->theirs);
	tls_conf_unref(w->ours);
	cert_pool_unref(w->trust);
	signer_fini(&w->leaf);
	signer_fini(&w->ca);
	env_stop(&w->server);
}

struct asked {
	struct buf body;
	bool closed;
	struct err why;
};

static void take_all(struct stream *s)
{
	stream_read(s, STREAM_ALL);
}

static void take_bytes(struct stream *s, struct slice bytes)
{
	struct asked *a = stream_arg(s);

	assert_int_equal(buf_add(&a->body, bytes.p, bytes.n), 0);
}

static void take_end(struct stream *s, const struct err *why)
{
	struct asked *a = stream_arg(s);

	a->closed = true;
	if (why)
		a->why = *why;
}

static const struct stream_events asked_events = { .head = take_all,
						   .data = take_bytes,
						   .closed = take_end };

/* Two requests for a server that only the proxy knows; what came is in a. */
static void ask_through(struct way *w, struct asked *a)
{
	struct http_proxy p;
	struct http_client_conf conf = { .proxy = &p, .tls = w->ours };
	struct http_client *cl;
	struct stream *s;
	struct err err = ERR_INIT;
	char text[160];

	assert_int_equal(http_server_listen_tcp(w->proxy.srv, "127.0.0.1:0", &err), 0);
	snprintf(text, sizeof(text), "http://u:secret@%s",
		 http_server_address(w->proxy.srv, 0) + strlen("tcp://"));
	assert_int_equal(http_proxy_parse(text, &p, &err), 0);
	assert_int_equal(
		http_client_new(w->server.loop, "https://far.example:8443", &conf, &cl, &err), 0);
	a->body = BUF_INIT(4096);
	for (int i = 0; i < 2; i++) {
		int64_t end = clock_mono() + 30 * NS_PER_SEC;

		a->closed = false;
		assert_int_equal(http_client_stream(cl, "GET", i ? "/b" : "/a", &s, &err), 0);
		stream_on(s, &asked_events, a);
		assert_int_equal(http_client_send(s, 0, false, &err), 0);
		while (!a->closed && clock_mono() < end)
			(void)loop_step(w->server.loop, 10 * NS_PER_MS, NULL);
		assert_true(a->closed);
		stream_unref(s);
	}
	http_client_free(cl);
}

static void tunnels_by_connect(void **state)
{
	static const char *const h1[] = { "http/1.1" }, *const h2[] = { "h2", "http/1.1" };
	struct asked a;

	for (size_t i = 0; i < 2; i++) {
		struct way w = { 0 };

		a = (struct asked){ 0 };
		way_open(&w, i ? h2 : h1, i + 1);
		ask_through(&w, &a);
		if (a.why.code)
			fail_msg("%s", a.why.msg);
		/* ALPN chose; both requests went through one tunnel. */
		assert_has(buf_str(&a.body), i ? "HTTP/2 /aHTTP/2 /b" : "HTTP/1 /aHTTP/1 /b");
		assert_string_equal(w.target, "CONNECT far.example:8443");
		assert_string_equal(w.auth, "Basic dTpzZWNyZXQ=");
		assert_int_equal(w.tunnels, 1);
		buf_fini(&a.body);
		way_close(&w);
	}
}

static void tells_that_the_proxy_refused(void **state)
{
	static const char *const h1[] = { "http/1.1" };
	struct way w = { .refuse = true };
	struct asked a = { 0 };

	way_open(&w, h1, 1);
	ask_through(&w, &a);
	assert_int_equal(a.why.code, ERR_UNAVAILABLE);
	assert_has(a.why.msg, "it wants a user and password");
	assert_int_equal(a.body.n, 0);
	buf_fini(&a.body);
	way_close(&w);
}

static void a_server_that_is_no_proxy_refuses_connect(void **state)
{
	struct env e = { 0 };
	bool eof;

	env_start(&e, say_version);
	assert_has(ask(&e, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", false, &eof),
		   "HTTP/1.1 501 ");
	assert_true(eof); /* what follows is no request */
	assert_has(ask(&e, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nGET / HTTP/1.1\r\n\r\n", false,
		       &eof),
		   "CONNECT is not supported");
	assert_true(eof);
	env_stop(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tunnels_by_connect),
		cmocka_unit_test(tells_that_the_proxy_refused),
		cmocka_unit_test(a_server_that_is_no_proxy_refuses_connect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
