/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server for tests and benches of io: all that handlers do, in a few routes.
 *
 *	http-serve [OPTION...] ADDRESS...   "unix:/path", "127.0.0.1:0", "fd:3"
 *	  --grace SECONDS   of the graceful end on SIGTERM [5]
 *	  --connections N   open at once [1024]
 *	  --h1              HTTP/1.1 only
 *	  --tls NAME        NAME.pem and NAME.key: TLS on TCP listeners
 *
 * Prints "listening ADDRESS" for each listener. Routes: /json (1 KB), /big?n=BYTES, /echo,
 * /slow (answers after 200 ms), /trailers, /stats, /sink (reads nothing), anything else 404.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "crypto/key.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "io/http-server.h"
#include "io/url.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

struct state {
	struct loop *loop;
	struct http_server *srv;
	int64_t grace;
};

static char json[1024], block[16384];

/* ---- /big: streamed as the peer takes it ---- */

static void push(struct stream *s)
{
	uintptr_t left = (uintptr_t)stream_arg(s);
	int r = 0;

	while (left > 0 && r == 0) {
		size_t n = MIN(left, sizeof(block));

		r = stream_write(s, block, n);
		if (r < 0)
			return; /* closed tells */
		left -= n;
	}
	static const struct stream_events more = { .writable = push };

	stream_on(s, &more, (void *)left);
	if (left == 0)
		(void)stream_end(s); /* closed tells */
}

static void big(struct stream *s)
{
	struct slice q = stream_request(s)->query;
	uint64_t n = 1 << 20;

	if (q.n > 2 && memcmp(q.p, "n=", 2) == 0)
		(void)str_uint64(slice_of(q.p + 2, q.n - 2), &n, NULL); /* else the default */
	stream_on(s, NULL, (void *)(uintptr_t)n);
	if (stream_start(s, 200, (int64_t)n) == 0)
		push(s);
}

/* ---- /echo ---- */

static void echo_data(struct stream *s, struct slice bytes)
{
	if (stream_write(s, bytes.p, bytes.n) == 0)
		stream_read(s, bytes.n);
}

static void echo_more(struct stream *s)
{
	stream_read(s, 65536);
}

static void echo_end(struct stream *s)
{
	(void)stream_end(s); /* closed tells */
}

static const struct stream_events echo_events = { .data = echo_data,
						  .end = echo_end,
						  .writable = echo_more };

static void echo(struct stream *s)
{
	stream_on(s, &echo_events, NULL);
	if (stream_start(s, 200, stream_length(s)) == 0)
		stream_read(s, 65536);
}

/* ---- /slow ---- */

struct later {
	struct timer timer;
	struct stream *s;
};

static int answer_later(struct timer *t)
{
	struct later *l = CONTAINER_OF(t, struct later, timer);
	struct stream *s = l->s;

	timer_fini(t);
	(void)stream_reply(s, 200, "text/plain", "late\n", 5); /* the client may have gone */
	stream_unref(s);
	return 0;
}

static void slow(struct stream *s)
{
	struct later *l = ARENA_NEW(stream_arena(s), struct later);

	if (!l)
		return;
	l->s = stream_ref(s);
	timer_init(&l->timer, stream_loop(s), answer_later);
	timer_set_after(&l->timer, 200 * NS_PER_MS);
}

static void trailers(struct stream *s)
{
	if (stream_start(s, 200, -1) < 0)
		return;
	(void)stream_write(s, "body\n", 5);
	(void)stream_set_trailer(s, "X-Sum", "42");
	(void)stream_end(s);
}

/* ---- /sink: nobody reads, nobody answers, until the peer goes ---- */

static void sink_closed(struct stream *s, const struct err *why)
{
	stream_unref(s);
}

static const struct stream_events sink_events = { .closed = sink_closed };

static void serve(struct stream *s, void *arg)
{
	struct state *st = arg;
	const char *path = stream_request(s)->path;
	struct http_server_stats k;

	if (strcmp(path, "/json") == 0)
		(void)stream_reply(s, 200, "application/json", json, sizeof(json));
	else if (strcmp(path, "/big") == 0)
		big(s);
	else if (strcmp(path, "/echo") == 0)
		echo(s);
	else if (strcmp(path, "/slow") == 0)
		slow(s);
	else if (strcmp(path, "/trailers") == 0)
		trailers(s);
	else if (strcmp(path, "/sink") == 0)
		stream_on(stream_ref(s), &sink_events, NULL);
	else if (strcmp(path, "/stats") == 0) {
		k = http_server_get_stats(st->srv);
		(void)stream_replyf(s, 200, "text/plain",
				    "%zu connections\n%zu streams\n%llu requests\n", k.connections,
				    k.streams, (unsigned long long)k.requests);
	} else {
		(void)stream_reply(s, 404, "text/plain", "no such page\n", 13);
	}
}

static void drained(void *arg)
{
	struct state *st = arg;

	loop_stop(st->loop, 0);
}

static int on_term(struct sigsource *sig, const void *info)
{
	struct state *st = (struct state *)((char *)sig + sizeof(*sig)); /* laid out so in main */

	http_server_drain(st->srv, st->grace, drained, st);
	return 0;
}

static int listen_on(struct http_server *srv, const char *address, struct err *err)
{
	uint64_t fd = 0;

	if (strncmp(address, "unix:", 5) == 0)
		return http_server_listen_unix(srv, address + 5, 0600, (gid_t)-1, err);
	if (strncmp(address, "fd:", 3) == 0 && str_uint64(slice_str(address + 3), &fd, NULL) == 0)
		return http_server_listen_fd(srv, (int)fd, err);
	return http_server_listen_tcp(srv, address, err);
}

static int read_text(const char *name, const char *end, struct buf *text, struct err *err)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s.%s", name, end);
	return fd_read_file(AT_FDCWD, path, text, err);
}

static int use_tls(struct http_server *srv, const char *name, struct err *err)
{
	CLEANUP(buf_fini) struct buf pem = BUF_INIT(1u << 20);
	CLEANUP(buf_fini) struct buf secret = BUF_INIT(1u << 20);
	CLEANUP(key_unref) struct key *key = NULL;
	CLEANUP(cert_unref) struct cert *cert = NULL;
	CLEANUP(tls_conf_unref) struct tls_conf *conf = NULL;
	static const char *const alpn[] = { "h2", "http/1.1" };
	struct tls_identity id = { .chain = &cert, .chain_n = 1 };
	struct tls_options opt = {
		.server = true, .ids = &id, .ids_n = 1, .alpn = alpn, .alpn_n = 2
	};
	int r = read_text(name, "pem", &pem, err);

	r = r < 0 ? r : read_text(name, "key", &secret, err);
	r = r < 0 ? r : cert_read_one(buf_slice(&pem), &cert, err);
	r = r < 0 ? r : key_read(buf_slice(&secret), &key, err);
	id.key = key;
	r = r < 0 ? r : tls_conf_new(&opt, &conf, err);
	return r < 0 ? r : http_server_set_tls(srv, HTTP_ALL_LISTENERS, conf, err);
}

/* The index of the first that is none. */
static int take_options(int argc, char **argv, struct http_server_conf *conf, struct state *st,
			const char **tls)
{
	int i = 1;

	for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
		uint64_t n = 0;

		if (strcmp(argv[i], "--h1") == 0) {
			conf->http2 = HTTP2_NEVER;
		} else if (i + 1 < argc && strcmp(argv[i], "--tls") == 0) {
			*tls = argv[++i];
		} else if (i + 1 < argc && str_uint64(slice_str(argv[i + 1]), &n, NULL) == 0) {
			if (strcmp(argv[i], "--grace") == 0)
				st->grace = (int64_t)n * NS_PER_SEC;
			else
				conf->connections_max = (size_t)n;
			i++;
		}
	}
	return i;
}

int main(int argc, char **argv)
{
	const char *tls = NULL;
	int first;
	struct {
		struct sigsource term;
		struct state st;
	} m = { .st.grace = 5 * NS_PER_SEC };
	struct http_server_conf conf = { .request = serve, .arg = &m.st, .http2 = HTTP2_UPGRADE };
	struct err err = ERR_INIT;
	int r = 0;

	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files); /* fewer connections otherwise */
	}
	memset(json, 'x', sizeof(json));
	memset(block, 'b', sizeof(block));
	memcpy(json, "{\"v\":\"", 6);
	memcpy(json + sizeof(json) - 2, "\"}", 2);
	first = take_options(argc, argv, &conf, &m.st, &tls);
	r = loop_new(&m.st.loop, &err);
	if (r == 0)
		r = http_server_new(m.st.loop, &conf, &m.st.srv, &err);
	if (r == 0 && tls)
		r = use_tls(m.st.srv, tls, &err);
	for (int i = first; r == 0 && i < argc; i++)
		r = listen_on(m.st.srv, argv[i], &err);
	if (r == 0)
		r = sigsource_init(&m.term, m.st.loop, SIGTERM, on_term, &err);
	for (size_t i = 0; r == 0 && i < http_server_listeners(m.st.srv); i++)
		printf("listening %s\n", http_server_address(m.st.srv, i));
	(void)fflush(stdout);
	if (r == 0)
		r = loop_run(m.st.loop, &err);
	if (r < 0)
		(void)fprintf(stderr, "http-serve: %s\n", err.msg);
	http_server_free(m.st.srv);
	if (m.term.fn)
		sigsource_fini(&m.term);
	loop_free(m.st.loop);
	return r < 0;
}
