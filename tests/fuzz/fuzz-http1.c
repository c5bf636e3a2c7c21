/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 under arbitrary splits. First byte: what is fed (request head, answer head, chunked
 * body, a whole connection of a server); second byte: size of the pieces. Heads and bodies must
 * come out the same in one piece.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "io/http-server.h"
#include "io/http1.h"
#include "io/url.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct h1_limits limits = { .head_max = 4096, .line_max = 512, .headers_max = 20 };

/* Length of the head or its refusal; must not depend on how the bytes arrive. */
static ssize_t find_end(const char *p, size_t n, size_t step, int *status)
{
	struct err err = ERR_INIT;
	size_t scan = 0, have = 0;
	ssize_t r = 0;

	while (r == 0 && have < n) {
		have += n - have < step ? n - have : step;
		r = h1_head_end(slice_of(p, have), &scan, &limits, status, &err);
	}
	return r;
}

static void feed_head(const char *p, size_t n, size_t step, bool answer)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 65536);
	struct err err = ERR_INIT;
	struct h1_head m = { 0 };
	struct query q;
	int s1 = 0, s2 = 0, status = 0, r;
	ssize_t end = find_end(p, n, step, &s1), whole = find_end(p, n, n ? n : 1, &s2);
	char *copy;

	/* Refusals may differ in their reason: pieces see the first fault first. Acceptance may
	 * not. */
	assert((end > 0) == (whole > 0) && (end <= 0 || end == whole));
	if (end <= 0)
		return;
	copy = arena_strndup(a, p, (size_t)end);
	assert(copy);
	r = answer ? h1_parse_response(a, slice_of(copy, (size_t)end), &limits, "GET", &m, &err)
		   : h1_parse_request(a, slice_of(copy, (size_t)end), &limits, &m, &err, &status);
	assert(r == 0 || (err.code && err.msg[0]));
	if (r < 0) {
		assert(answer || (status >= 400 && status < 600));
		return;
	}
	for (size_t i = 0; i < m.headers_n; i++)
		assert(h1_is_token(m.headers[i].name) && h1_is_value(m.headers[i].value));
	if (!answer) {
		assert(m.rq.path && (m.rq.path[0] == '/' || m.rq.path[0] == '*'));
		(void)query_parse(a, m.rq.query, &q, &err);
	}
}

static ssize_t decode(const char *p, size_t n, size_t step, struct buf *out)
{
	struct err err = ERR_INIT;
	size_t at = 0, have = 0;
	struct h1_body b;
	ssize_t r = 0;

	h1_body_init(&b, H1_CHUNKED, 0);
	while (!b.done) {
		struct slice d;

		r = h1_body_step(&b, slice_of(p + at, have - at), step, &d, &err);
		if (r < 0)
			break;
		assert(d.n <= step && (size_t)r <= have - at);
		(void)buf_add(out, d.n ? d.p : "", d.n);
		at += (size_t)r;
		if (r == 0 && have == n)
			break;
		if (r == 0)
			have += n - have < step ? n - have : step;
	}
	r = r < 0 ? -1 : b.done ? (ssize_t)at : 0;
	h1_body_fini(&b);
	return r;
}

static void feed_chunks(const char *p, size_t n, size_t step)
{
	CLEANUP(buf_fini) struct buf one = BUF_INIT(1 << 20), many = BUF_INIT(1 << 20);
	ssize_t a = decode(p, n, step, &many), b = decode(p, n, n ? n : 1, &one);

	assert(a == b);
	assert(a < 0 || (one.n == many.n && (one.n == 0 || memcmp(one.p, many.p, one.n) == 0)));
}

/* ---- a connection ---- */

static void collected(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	(void)stream_reply(s, result < 0 ? 400 : 200, "text/plain", body.p, body.n);
}

static void echo(struct stream *s, struct slice bytes)
{
	(void)stream_write(s, bytes.p, bytes.n);
	stream_read(s, bytes.n);
}

static void echo_end(struct stream *s)
{
	(void)stream_end(s);
}

static const struct stream_events echo_events = { .data = echo, .end = echo_end };

static void serve(struct stream *s, void *arg)
{
	const char *path = stream_request(s)->path;

	stream_on(s, &echo_events, NULL);
	switch (path[1]) {
	case 'c': stream_collect(s, 1000, collected, NULL); break;
	case 'e':
		(void)stream_start(s, 200, -1);
		stream_read(s, 5);
		break;
	case 'r':
		if (stream_hijack(s, stream_request(s)->upgrade.n ? 101 : 200, NULL) < 0)
			(void)stream_reply(s, 400, NULL, "", 0);
		stream_read(s, 3);
		break;
	case 'x': stream_reset(s, NULL); break;
	default: (void)stream_reply(s, 200, "text/plain", "OK", 2); break;
	}
}

static void feed_server(const char *p, size_t n, size_t step)
{
	struct http_server_conf conf = { .request = serve,
					 .head_max = 4096,
					 .line_max = 512,
					 .headers_max = 20,
					 .arena_max = 65536,
					 .queue_mark = 4096 };
	CLEANUP(loop_free) struct loop *l = NULL;
	CLEANUP(http_server_free) struct http_server *srv = NULL;
	struct err err = ERR_INIT;
	char sink[4096];
	int pair[2];

	if (loop_new(&l, &err) < 0 || http_server_new(l, &conf, &srv, &err) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	if (http_server_adopt(srv, pair[0], &err) < 0)
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
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data + 2;
	size_t step, n = size - 2;

	if (size < 2 || size > 65536)
		return 0;
	step = (size_t)data[1] % 64 + 1;
	switch (data[0] & 3) {
	case 0: feed_head(p, n, step, false); break;
	case 1: feed_head(p, n, step, true); break;
	case 2: feed_chunks(p, n, step); break;
	default: feed_server(p, n, step); break;
	}
	return 0;
}
