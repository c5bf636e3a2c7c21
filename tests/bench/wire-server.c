/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server that bench-wire.py and the end-to-end tests of the wire drive: usage: wire-server
 * ADDRESS... (unix:///path, 127.0.0.1:0, tls:CERT:KEY:127.0.0.1:0). Prints each address it listens
 * on, then "ready". Ends when its standard input does.
 *
 *   GET  /1k       1,024 bytes of JSON      GET /219k    219 KB of it
 *   POST /echo     the body comes back      GET /status/N, /slow/MILLISECONDS
 *   gRPC           grpc.health.v1.Health
 *   GET  /ws       WebSocket echo (sub-protocols "echo" and "other")
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "crypto/key.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "io/grpc.h"
#include "io/http-server.h"
#include "io/websocket.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define BIG (219u << 10)
static char big[BIG];

/* ---- plain answers ---- */

struct slow {
	struct timer timer;
	struct stream *s;
};

static int slow_over(struct timer *t)
{
	struct slow *p = CONTAINER_OF(t, struct slow, timer);

	(void)stream_reply(p->s, 200, "text/plain", "slow\n", 5);
	timer_fini(t);
	stream_unref(p->s);
	free(p);
	return 0;
}

static void answer_slowly(struct stream *s, int64_t ms)
{
	struct slow *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->s = stream_ref(s);
	timer_init(&p->timer, stream_loop(s), slow_over);
	timer_set_after(&p->timer, ms * NS_PER_MS);
}

static void collected(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	if (result < 0)
		(void)stream_replyf(s, 400, "text/plain", "%s\n", err->msg);
	else
		(void)stream_reply(s, 200, "application/octet-stream", body.p, body.n);
}

/* ---- WebSocket ---- */

static void echo(struct ws *w, enum ws_type type, struct slice bytes)
{
	if (ws_send(w, type, bytes.p, bytes.n) == -ERR_QUOTA)
		ws_close(w, 1013, "the queue is full");
}

static const struct ws_events echo_events = { .message = echo };

static void serve_ws(struct stream *s)
{
	static const char *const protocols[] = { "echo", "other", NULL };
	const struct ws_accept acc = { .protocols = protocols };
	const struct ws_conf conf = { .message_max = 64u << 20 };
	struct err err = ERR_INIT;
	struct ws *w;

	(void)ws_accept(s, &conf, &acc, &echo_events, NULL, &w, &err); /* has answered */
}

static void serve(struct stream *s, void *arg)
{
	const char *path = stream_request(s)->path;
	int64_t n = 0;

	if (grpc_is_request(s))
		grpc_server_request(s, arg);
	else if (strcmp(path, "/1k") == 0)
		(void)stream_reply(s, 200, "application/json", big, 1024);
	else if (strcmp(path, "/219k") == 0)
		(void)stream_reply(s, 200, "application/json", big, BIG);
	else if (strcmp(path, "/echo") == 0)
		stream_collect(s, 2u << 20, collected, NULL);
	else if (strcmp(path, "/ws") == 0)
		serve_ws(s);
	else if (strncmp(path, "/status/", 8) == 0 &&
		 str_int64(slice_str(path + 8), &n, NULL) == 0 && n >= 200 && n < 600)
		(void)stream_replyf(s, (int)n, "text/plain", "status %d\n", (int)n);
	else if (strncmp(path, "/slow/", 6) == 0 && str_int64(slice_str(path + 6), &n, NULL) == 0 &&
		 n >= 0 && n <= 60000)
		answer_slowly(s, n);
	else
		(void)stream_reply(s, 404, "text/plain", "not found\n", 10);
}

static int on_stdin(struct source *src, uint32_t events)
{
	char c[64];

	if (read(0, c, sizeof(c)) <= 0)
		loop_stop(src->loop, 0);
	return 0;
}

static void fill_big(void)
{
	static const char item[] = "{\"name\":\"item\",\"value\":12345,\"labels\":{\"a\":\"b\"}},";

	for (size_t i = 0; i < BIG; i++)
		big[i] = item[i % (sizeof(item) - 1)];
}

static int read_pem(struct slice path, struct buf *b, struct err *err)
{
	char name[512];

	(void)snprintf(name, sizeof(name), "%.*s", (int)path.n, path.p);
	return fd_read_file(AT_FDCWD, name, b, err);
}

/* CERT:KEY:ADDRESS */
static int listen_tls(struct http_server *srv, const char *text, struct err *err)
{
	static const char *const alpn[] = { "h2", "http/1.1" };
	CLEANUP(buf_fini) struct buf cert_pem = BUF_INIT(1 << 20), key_pem = BUF_INIT(1 << 20);
	struct slice rest = slice_str(text), cert_path = slice_split(&rest, ':');
	struct slice key_path = slice_split(&rest, ':');
	struct tls_conf *conf = NULL;
	struct cert *cert = NULL;
	struct key *key = NULL;
	int r;

	r = read_pem(cert_path, &cert_pem, err);
	r = r < 0 ? r : read_pem(key_path, &key_pem, err);
	r = r < 0 ? r : cert_read_one(buf_slice(&cert_pem), &cert, err);
	r = r < 0 ? r : key_read(buf_slice(&key_pem), &key, err);
	if (r == 0) {
		const struct tls_identity id = { .chain = &cert, .chain_n = 1, .key = key };
		const struct tls_options opt = {
			.server = true, .ids = &id, .ids_n = 1, .alpn = alpn, .alpn_n = 2
		};

		r = tls_conf_new(&opt, &conf, err);
	}
	r = r < 0 ? r : http_server_listen_tcp(srv, rest.p, err);
	r = r < 0 ? r : http_server_set_tls(srv, http_server_listeners(srv) - 1, conf, err);
	tls_conf_unref(conf);
	cert_unref(cert);
	key_unref(key);
	return r;
}

static int listen_on(struct http_server *srv, const char *address, struct err *err)
{
	if (strncmp(address, "unix://", 7) == 0)
		return http_server_listen_unix(srv, address + 7, 0600, (gid_t)-1, err);
	if (strncmp(address, "tls:", 4) == 0)
		return listen_tls(srv, address + 4, err);
	return http_server_listen_tcp(srv, address, err);
}

int main(int argc, char **argv)
{
	struct http_server_conf conf = { .request = serve,
					 .http2 = HTTP2_UPGRADE,
					 .connections_max = 20000 };
	CLEANUP(loop_free) struct loop *l = NULL;
	struct source in = SOURCE_INIT;
	struct http_server *srv = NULL;
	struct grpc_server *grpc = NULL;
	struct err err = ERR_INIT;
	int r;

	fill_big();
	r = loop_new(&l, &err);
	r = r < 0 ? r : grpc_server_new(l, NULL, &grpc, &err);
	r = r < 0 ? r : grpc_server_add_health(grpc, &err);
	conf.arg = grpc;
	r = r < 0 ? r : http_server_new(l, &conf, &srv, &err);
	for (int i = 1; i < argc && r == 0; i++)
		r = listen_on(srv, argv[i], &err);
	if (r == 0)
		r = source_init(&in, l, 0, EPOLLIN, on_stdin, &err);
	if (r == 0) {
		for (size_t i = 0; i < http_server_listeners(srv); i++)
			printf("%s\n", http_server_address(srv, i));
		printf("ready\n");
		(void)fflush(stdout);
		r = loop_run(l, &err);
	}
	if (r < 0)
		(void)fprintf(stderr, "wire-server: %s\n", err.msg);
	source_fini(&in);
	http_server_free(srv);
	grpc_server_free(grpc);
	return r < 0 ? 1 : 0;
}
