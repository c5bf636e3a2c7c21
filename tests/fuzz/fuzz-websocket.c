/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket under arbitrary bytes and splits. First byte: 1 = ours is the client, 2 = pieces
 * instead of messages, 4 = a tunnel, 8 = channels, 16 = little credit; second byte: size of the
 * pieces sent. What ours sends must be well-formed frames.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "io/http-server.h"
#include "io/ws-channels.h"
#include "io/ws-frame.h"
#include "io/ws-tunnel.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	unsigned mode;
	unsigned closed;
	size_t granted;
	struct stream *tunnel;
};

static void got_message(struct ws *w, enum ws_type type, struct slice bytes)
{
	(void)ws_send(w, type, bytes.p, bytes.n);
	ws_read(w, 3);
}

static void got_part(struct ws *w, enum ws_type type, struct slice bytes, bool last)
{
	struct run *r = ws_arg(w);

	assert(!(r->mode & 16) || bytes.n <= r->granted);
	r->granted += 3 - bytes.n;
	(void)ws_send(w, WS_BINARY, bytes.p, bytes.n);
	ws_read(w, 3);
}

static void got_closed(struct ws *w, const struct ws_end *how)
{
	struct run *r = ws_arg(w);

	assert(how->code == 1005 || how->code == 1006 || ws_close_code_ok(how->code));
	r->closed++;
}

static const struct ws_events by_message = { .message = got_message, .closed = got_closed };
static const struct ws_events by_part = { .part = got_part, .closed = got_closed };

static void s_data(struct stream *s, struct slice bytes)
{
	(void)stream_write(s, bytes.p, bytes.n);
	stream_read(s, 3);
}

static void s_end(struct stream *s)
{
	(void)stream_end(s);
}

static void s_closed(struct stream *s, const struct err *why)
{
	struct run *r = stream_arg(s);

	if (r->tunnel == s)
		r->closed++;
}

static const struct stream_events streams = { .data = s_data, .end = s_end, .closed = s_closed };

static void set_closed(struct channels *c, const struct err *why)
{
	((struct run *)channels_arg(c))->closed++;
}

static const struct channels_events set_events = { .closed = set_closed };

static void serve_channels(struct stream *s, struct run *r)
{
	const struct channels_conf conf = { .n = 5, .greet = 1, .hold_max = 2000 };
	struct channels *c;
	struct err err = ERR_INIT;

	if (channels_accept(s, &conf, &set_events, r, &c, &err) < 0)
		abort();
	for (unsigned i = 0; i < 5; i++) {
		stream_on(channels_stream(c, i), &streams, r);
		if (i != 3)
			stream_read(channels_stream(c, i), r->mode & 16 ? 3 : STREAM_ALL);
	}
}

static void serve(struct stream *s, void *arg)
{
	struct run *r = arg;
	struct ws_conf conf = { .message_max = 4096, .paused = r->mode & (16 | 4) };
	const struct ws_events *ev = r->mode & 2 ? &by_part : &by_message;
	struct err err = ERR_INIT;
	struct ws *w;

	if (r->mode & 8) {
		serve_channels(s, r);
		return;
	}
	if (r->mode & 1) {
		if (stream_hijack(s, 101, &err) < 0 ||
		    ws_adopt(s, true, &conf, ev, r, &w, &err) < 0)
			abort();
	} else if (ws_accept(s, &conf, NULL, ev, r, &w, &err) < 0) {
		abort();
	}
	if (r->mode & 4) {
		r->tunnel = ws_tunnel(w);
		stream_on(r->tunnel, &streams, r);
		stream_read(r->tunnel, 3);
	} else {
		r->granted = 3;
		ws_read(w, 3);
	}
}

/* Frames of ours: right masks, no reserved bits, whole text or binary. */
static void check_output(const char *p, size_t n, bool client)
{
	struct ws_head h;
	int size;

	while ((size = ws_head_parse(&h, p, n)) > 0) {
		assert(h.rsv == 0 && h.masked == client);
		assert(h.op <= 2 || (h.op >= 8 && h.op <= 10 && h.fin && h.length <= 125));
		if (n < (size_t)size + h.length)
			return;
		p += (size_t)size + h.length;
		n -= (size_t)size + h.length;
	}
	assert(size == 0);
}

static void drain(struct loop *l, int fd, struct buf *out)
{
	char sink[8192];
	ssize_t n;

	while (loop_step(l, 0, NULL) == 1)
		;
	while ((n = recv(fd, sink, sizeof(sink), MSG_DONTWAIT)) > 0) {
		(void)buf_add(out, sink, (size_t)n);
		while (loop_step(l, 0, NULL) == 1)
			;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char ask[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "
				  "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
				  "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ";
	static const char *const names[] = { "v5.channel.k8s.io\r\n\r\n",
					     "v4.base64.channel.k8s.io\r\n\r\n" };
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 22);
	CLEANUP(loop_free) struct loop *l = NULL;
	struct run r = { .mode = size ? data[0] : 0 };
	struct http_server_conf conf = { .request = serve, .arg = &r, .arena_max = 65536 };
	struct http_server *srv = NULL;
	struct err err = ERR_INIT;
	size_t step, head;
	int pair[2];

	if (size < 2 || size > 16384)
		return 0;
	step = (size_t)data[1] % 64 + 1;
	if (loop_new(&l, &err) < 0 || http_server_new(l, &conf, &srv, &err) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0 ||
	    http_server_adopt(srv, pair[0], &err) < 0)
		abort();
	(void)!send(pair[1], ask, sizeof(ask) - 1, MSG_NOSIGNAL);
	(void)!send(pair[1], names[r.mode >> 5 & 1], strlen(names[r.mode >> 5 & 1]), MSG_NOSIGNAL);
	drain(l, pair[1], &out);
	head = (size_t)(strstr(buf_str(&out), "\r\n\r\n") + 4 - out.p);
	for (size_t i = 2; i < size; i += step) {
		if (send(pair[1], data + i, size - i < step ? size - i : step, MSG_NOSIGNAL) < 0)
			break;
		drain(l, pair[1], &out);
	}
	(void)shutdown(pair[1], SHUT_WR);
	drain(l, pair[1], &out);
	if (!out.full)
		check_output(out.p + head, out.n - head, (r.mode & 9) == 1);
	fd_close(pair[1]);
	while (loop_step(l, 0, NULL) == 1)
		;
	http_server_free(srv);
	assert(r.closed == 1);
	return 0;
}
