/* SPDX-License-Identifier: Apache-2.0 */
/* A server connection of HTTP/2 that is fed bytes in pieces: of fuzz-http2 and fuzz-hpack. */
#pragma once

#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "io/http-server.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

static inline void h2_collected(struct stream *s, void *arg, int result, struct slice body,
				struct err *err)
{
	(void)stream_reply(s, result < 0 ? 400 : 200, "text/plain", body.p, body.n);
}

static inline void h2_echo(struct stream *s, struct slice bytes)
{
	(void)stream_write(s, bytes.p, bytes.n);
	stream_read(s, bytes.n);
}

static inline void h2_echo_end(struct stream *s)
{
	(void)stream_set_trailer(s, "X-End", "1");
	(void)stream_end(s);
}

static const struct stream_events h2_echo_events = { .data = h2_echo, .end = h2_echo_end };

static inline void h2_serve(struct stream *s, void *arg)
{
	const struct http_request *rq = stream_request(s);
	const struct http_header *h;
	size_t n;

	h = stream_headers(s, &n);
	for (size_t i = 0; i < n; i++)
		assert(h[i].name.n > 0 && h[i].name.p[0] != ':');
	assert(rq->major == 2 && rq->method && rq->path);
	stream_on(s, &h2_echo_events, NULL);
	switch (rq->path[0] ? rq->path[1] : 0) {
	case 'c': stream_collect(s, 1000, h2_collected, NULL); break;
	case 'e':
		(void)stream_start(s, 200, -1);
		stream_read(s, 5);
		break;
	case 'r':
		if (stream_hijack(s, 200, NULL) < 0)
			(void)stream_reply(s, 400, NULL, "", 0);
		stream_read(s, 3);
		break;
	case 'x': stream_reset(s, NULL); break;
	default: (void)stream_reply(s, 200, "text/plain", "OK", 2); break;
	}
}

/* The preface is sent before p. */
static inline void h2_feed_server(const char *p, size_t n, size_t step)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	struct http_server_conf conf = { .request = h2_serve,
					 .http2 = HTTP2_UPGRADE,
					 .head_max = 4096,
					 .headers_max = 20,
					 .streams_max = 8,
					 .connect = true,
					 .arena_max = 65536,
					 .queue_mark = 4096 };
	struct loop *l = NULL;
	struct http_server *srv = NULL;
	struct err err = ERR_INIT;
	char sink[4096];
	int pair[2];

	if (loop_new(&l, &err) < 0 || http_server_new(l, &conf, &srv, &err) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0 ||
	    http_server_adopt(srv, pair[0], &err) < 0 ||
	    send(pair[1], preface, sizeof(preface) - 1, MSG_NOSIGNAL) < 0)
		abort();
	for (size_t i = 0; i < n; i += step) {
		if (send(pair[1], p + i, n - i < step ? n - i : step, MSG_NOSIGNAL) < 0)
			break;
		while (loop_step(l, 0, &err) == 1)
			;
		while (recv(pair[1], sink, sizeof(sink), 0) > 0)
			;
	}
	(void)shutdown(pair[1], SHUT_WR);
	while (loop_step(l, 0, &err) == 1)
		;
	fd_close(pair[1]);
	while (loop_step(l, 0, &err) == 1)
		;
	assert(http_server_get_stats(srv).streams == 0 ||
	       http_server_get_stats(srv).connections > 0);
	http_server_free(srv);
	loop_free(l);
}
