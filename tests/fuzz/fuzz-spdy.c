/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SPDY under arbitrary bytes and splits. First byte: 1 = header blocks only, 2 = windows, 4 = ours
 * is the client, 8 = little credit; second byte: size of the pieces. With 16 the header blocks of
 * the input are plain and compressed here, so that what is behind zlib is reached.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "io/http-server.h"
#include "io/spdy-frame.h"
#include "io/spdy.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	unsigned mode, closed, opened, streams_closed;
};

static void s_data(struct stream *s, struct slice bytes)
{
	(void)stream_write(s, bytes.p, bytes.n);
	stream_read(s, 5);
}

static void s_end(struct stream *s)
{
	(void)stream_end(s);
}

static void s_closed(struct stream *s, const struct err *why)
{
	((struct run *)stream_arg(s))->streams_closed++;
}

static const struct stream_events streams = { .data = s_data, .end = s_end, .closed = s_closed };

static int on_stream(struct spdy *p, struct stream *s)
{
	struct run *r = spdy_arg(p);

	if (slice_is(stream_header(s, "no"), "no"))
		return -1;
	r->opened++;
	stream_on(s, &streams, r);
	stream_read(s, r->mode & 8 ? 5 : STREAM_ALL);
	if (stream_header(s, "reset").p)
		stream_reset(s, NULL);
	else if (stream_header(s, "finish").p)
		(void)stream_finish(s);
	else if (stream_header(s, "close").p)
		spdy_close(p);
	else if (stream_header(s, "abort").p)
		spdy_abort(p, NULL);
	return 0;
}

static void on_closed(struct spdy *p, const struct err *why)
{
	((struct run *)spdy_arg(p))->closed++;
}

static const struct spdy_events events = { .stream = on_stream, .closed = on_closed };

static void serve(struct stream *s, void *arg)
{
	struct run *r = arg;
	const struct spdy_conf conf = { .windows = r->mode & 2,
					.streams_max = 20,
					.hold_max = 4000,
					.header_max = 4096,
					.headers_max = 20,
					.queue_mark = 3000 };
	struct stream *mine;
	struct err err = ERR_INIT;
	struct spdy *p;

	if (!(r->mode & 4)) {
		if (spdy_accept(s, &conf, &events, r, &p, &err) < 0)
			abort();
		return;
	}
	if (stream_hijack(s, 101, &err) < 0 || spdy_start(s, true, &conf, &events, r, &p, &err) < 0)
		abort();
	for (int i = 0; i < 3; i++) {
		if (spdy_open(p, NULL, 0, i == 2, &streams, r, &mine, &err) < 0)
			abort();
		r->opened++;
		stream_read(mine, 5);
		stream_unref(mine);
	}
}

static void headers_only(const char *p, size_t n)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 1 << 20);
	struct spdy_zlib z = { 0 };
	struct spdy_headers h = { 0 };
	struct err err = ERR_INIT;

	if (spdy_zlib_init(&z, &err) < 0)
		abort();
	if (spdy_headers_get(&z, slice_of(p, n), a, 4096, 20, &h, &err) == 0)
		assert(h.n <= 20);
	else
		assert(err.code && err.msg[0]);
	spdy_zlib_fini(&z);
}

/* Copies frames; the block of each SYN_STREAM, SYN_REPLY and HEADERS is compressed on the way. */
static void compress_blocks(const char *p, size_t n, struct buf *out)
{
	struct spdy_zlib z = { 0 };
	struct spdy_head h;

	if (spdy_zlib_init(&z, NULL) < 0)
		abort();
	while (n >= SPDY_HEAD) {
		size_t fixed, len;
		char head[SPDY_HEAD];

		if (spdy_head_parse(&h, p) < 0)
			break;
		len = h.length % 300; /* so that small inputs have several frames */
		len = len < n - SPDY_HEAD ? len : n - SPDY_HEAD;
		fixed = h.type == SPDY_SYN_STREAM ? 10 : 4;
		if ((h.type == SPDY_SYN_STREAM || h.type == SPDY_SYN_REPLY ||
		     h.type == SPDY_HEADERS) &&
		    len >= fixed) {
			char block[1024];

			z.out.next_in = (Bytef *)(uintptr_t)(p + SPDY_HEAD + fixed);
			z.out.avail_in = (uInt)(len - fixed);
			z.out.next_out = (Bytef *)block;
			z.out.avail_out = sizeof(block);
			(void)deflate(&z.out, Z_SYNC_FLUSH);
			spdy_control_put(head, h.type, h.flags,
					 fixed + sizeof(block) - z.out.avail_out);
			(void)buf_add(out, head, sizeof(head));
			(void)buf_add(out, p + SPDY_HEAD, fixed);
			(void)buf_add(out, block, sizeof(block) - z.out.avail_out);
		} else {
			if (h.type == SPDY_DATA)
				spdy_data_put(head, h.id, h.flags, len);
			else
				spdy_control_put(head, h.type, h.flags, len);
			(void)buf_add(out, head, sizeof(head));
			(void)buf_add(out, p + SPDY_HEAD, len);
		}
		p += SPDY_HEAD + len;
		n -= SPDY_HEAD + len;
	}
	spdy_zlib_fini(&z);
}

static void drain(struct loop *l, int fd)
{
	char sink[8192];

	do {
		while (loop_step(l, 0, NULL) == 1)
			;
	} while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0);
}

static void feed(struct run *r, const char *p, size_t n, size_t step)
{
	static const char ask[] = "POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "
				  "SPDY/3.1\r\nContent-Length: 0\r\n\r\n";
	struct http_server_conf conf = { .request = serve, .arg = r, .arena_max = 65536 };
	CLEANUP(loop_free) struct loop *l = NULL;
	struct http_server *srv = NULL;
	struct err err = ERR_INIT;
	int pair[2];

	if (loop_new(&l, &err) < 0 || http_server_new(l, &conf, &srv, &err) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0 ||
	    http_server_adopt(srv, pair[0], &err) < 0)
		abort();
	(void)!send(pair[1], ask, sizeof(ask) - 1, MSG_NOSIGNAL);
	drain(l, pair[1]);
	for (size_t i = 0; i < n; i += step) {
		if (send(pair[1], p + i, n - i < step ? n - i : step, MSG_NOSIGNAL) < 0)
			break;
		drain(l, pair[1]);
	}
	(void)shutdown(pair[1], SHUT_WR);
	drain(l, pair[1]);
	fd_close(pair[1]);
	while (loop_step(l, 0, NULL) == 1)
		;
	http_server_free(srv);
	assert(r->closed == 1 && r->streams_closed == r->opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_fini) struct buf frames = BUF_INIT(1 << 20);
	struct run r = { 0 };
	size_t step;

	if (size < 2 || size > 16384)
		return 0;
	r.mode = data[0];
	step = (size_t)data[1] % 64 + 1;
	if (r.mode & 1) {
		headers_only((const char *)data + 2, size - 2);
		return 0;
	}
	if (r.mode & 16) {
		compress_blocks((const char *)data + 2, size - 2, &frames);
		feed(&r, buf_str(&frames), frames.n, step);
	} else {
		feed(&r, (const char *)data + 2, size - 2, step);
	}
	return 0;
}
