/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the SPDY tests: a server whose owner echoes and notes, and a raw peer of it. */
#pragma once

#include "base/hash.h"
#include "io-test.h"
#include "io/spdy-frame.h"
#include "io/spdy.h"

struct spdy_env {
	struct env e;
	struct spdy_conf conf;
	struct spdy *p; /* the server's */
	int fd;
	bool eof, refuse, keep_credit, greedy;
	struct spdy_zlib zlib; /* the raw peer's */
	char log[4096];	       /* what the server's owner saw */
	char seen[4096];       /* what the raw peer got */
	struct buf in;
	struct stream *last; /* stream opened last; referenced */
	int closed, goaway, stream_closed;
	enum err_code why;
	char why_text[256];
};

static inline PRINTF(2, 3) void note(struct spdy_env *t, const char *fmt, ...);
static inline void note(struct spdy_env *t, const char *fmt, ...)
{
	size_t at = strlen(t->log);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(t->log + at, sizeof(t->log) - at, fmt, ap);
	va_end(ap);
}

/* ---- the server's owner: echoes, and notes ---- */

static inline void s_data(struct stream *s, struct slice bytes)
{
	struct spdy_env *t = stream_arg(s);

	note(t, "%.*s ", (int)MIN(bytes.n, (size_t)40), bytes.p);
	(void)stream_write(s, bytes.p, bytes.n);
	stream_read(s, bytes.n);
}

static inline void s_end(struct stream *s)
{
	note(stream_arg(s), "end ");
	(void)stream_end(s);
}

static inline void s_closed(struct stream *s, const struct err *why)
{
	struct spdy_env *t = stream_arg(s);

	t->stream_closed++;
	note(t, why ? "broken " : "closed ");
}

static const struct stream_events stream_events
	__attribute__((unused)) = { .data = s_data, .end = s_end, .closed = s_closed };

static inline int on_stream(struct spdy *p, struct stream *s)
{
	struct spdy_env *t = spdy_arg(p);
	struct slice type = stream_header(s, "streamType"), port = stream_header(s, "port");

	note(t, "[%.*s%s%.*s] ", (int)type.n, type.p ? type.p : "", port.n ? ":" : "", (int)port.n,
	     port.p ? port.p : "");
	if (t->refuse)
		return -1;
	stream_unref(t->last);
	t->last = stream_ref(s);
	stream_on(s, &stream_events, t);
	if (!t->keep_credit)
		stream_read(s, t->greedy ? STREAM_ALL : 1000);
	return 0;
}

static inline void on_goaway(struct spdy *p)
{
	((struct spdy_env *)spdy_arg(p))->goaway++;
}

static inline void on_closed(struct spdy *p, const struct err *why)
{
	struct spdy_env *t = spdy_arg(p);

	t->closed++;
	t->p = NULL;
	t->why = why ? why->code : ERR_NONE;
	if (why)
		(void)str_copy(t->why_text, sizeof(t->why_text), why->msg);
}

static const struct spdy_events events
	__attribute__((unused)) = { .stream = on_stream, .goaway = on_goaway, .closed = on_closed };

static inline void serve(struct stream *s, void *arg)
{
	struct spdy_env *t = CONTAINER_OF((struct env *)arg, struct spdy_env, e);
	struct err err = ERR_INIT;

	(void)stream_set_header(s, "X-Stream-Protocol-Version", "v4.channel.k8s.io");
	if (spdy_accept(s, &t->conf, &events, t, &t->p, &err) < 0)
		t->p = NULL;
}

/* ---- the raw peer ---- */

static inline void spin(struct spdy_env *t)
{
	while (loop_step(t->e.loop, 0, NULL) == 1)
		;
}

static inline void raw(struct spdy_env *t, const char *p, size_t n)
{
	size_t at = 0;

	while (at < n) {
		ssize_t r = send(t->fd, p + at, n - at, MSG_NOSIGNAL);

		if (r < 0 && (errno == EPIPE || errno == ECONNRESET))
			return;
		if (r > 0)
			at += (size_t)r;
		spin(t);
	}
}

static inline void raw_hex(struct spdy_env *t, const char *hex)
{
	char b[1024];

	assert_true(strlen(hex) / 2 <= sizeof(b));
	assert_int_equal(hex_decode(b, slice_str(hex)), 0);
	raw(t, b, strlen(hex) / 2);
}

static inline void frame(struct spdy_env *t, enum spdy_type type, unsigned flags, const char *p,
			 size_t n)
{
	char b[SPDY_HEAD];

	spdy_control_put(b, type, flags, n);
	raw(t, b, sizeof(b));
	raw(t, p, n);
}

static inline void frame2(struct spdy_env *t, enum spdy_type type, uint32_t a, uint32_t v)
{
	char b[8];

	spdy_put_u32(b, a);
	spdy_put_u32(b + 4, v);
	frame(t, type, 0, b, 8);
}

static inline void syn(struct spdy_env *t, uint32_t id, const char *type, unsigned flags)
{
	const struct http_header h = { SLICE("streamtype"), slice_str(type) };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);

	assert_int_equal(buf_add(&b, "\0\0\0\0\0\0\0\0\0\0", 10), 0);
	spdy_put_u32(b.p, id);
	assert_int_equal(spdy_headers_put(&t->zlib, &h, 1, &b, NULL), 0);
	frame(t, SPDY_SYN_STREAM, flags, b.p, b.n);
}

static inline void data(struct spdy_env *t, uint32_t id, const char *text, unsigned flags)
{
	char b[SPDY_HEAD];

	spdy_data_put(b, id, flags, strlen(text));
	raw(t, b, sizeof(b));
	raw(t, text, strlen(text));
}

static inline void see(struct spdy_env *t, const struct spdy_head *h, const char *p)
{
	size_t at = strlen(t->seen), room = sizeof(t->seen) - at;
	char *d = t->seen + at;

	switch ((int)h->type) {
	case SPDY_DATA:
		if (h->length > 60)
			(void)snprintf(d, room, "D%u[%u] ", h->id, h->length);
		else if (h->length)
			(void)snprintf(d, room, "D%u(%.*s) ", h->id, (int)h->length, p);
		if (h->flags & SPDY_FIN)
			(void)snprintf(t->seen + strlen(t->seen), 20, "F%u ", h->id);
		break;
	case SPDY_SYN_REPLY: (void)snprintf(d, room, "R%u ", spdy_u32(p)); break;
	case SPDY_RST_STREAM:
		(void)snprintf(d, room, "RST%u(%u) ", spdy_u32(p), spdy_u32(p + 4));
		break;
	case SPDY_PING: (void)snprintf(d, room, "PING%u ", spdy_u32(p)); break;
	case SPDY_GOAWAY:
		(void)snprintf(d, room, "AWAY%u(%u) ", spdy_u32(p), spdy_u32(p + 4));
		break;
	case SPDY_WINDOW_UPDATE:
		(void)snprintf(d, room, "W%u(%u) ", spdy_u32(p), spdy_u32(p + 4));
		break;
	default: (void)snprintf(d, room, "?%d ", (int)h->type); break;
	}
}

static const char *look(struct spdy_env *t)
{
	struct spdy_head h;
	char chunk[65536];
	ssize_t n;

	do {
		spin(t);
		n = recv(t->fd, chunk, sizeof(chunk), 0);
		if (n > 0)
			assert_int_equal(buf_add(&t->in, chunk, (size_t)n), 0);
	} while (n > 0);
	t->eof = n == 0;
	while (t->in.n >= SPDY_HEAD && spdy_head_parse(&h, t->in.p) == 0 &&
	       t->in.n >= SPDY_HEAD + h.length) {
		see(t, &h, t->in.p + SPDY_HEAD);
		buf_consume(&t->in, SPDY_HEAD + h.length);
	}
	return t->seen;
}

static inline void start(struct spdy_env *t)
{
	struct err err = ERR_INIT;

	t->in = BUF_INIT(64u << 20);
	env_start(&t->e, serve);
	t->fd = connect_pair(&t->e);
	say(t->fd, "POST /exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "
		   "SPDY/3.1\r\nContent-Length: 0\r\n\r\n");
	(void)look(t);
	assert_has(buf_str(&t->in), "HTTP/1.1 101 ");
	assert_has(buf_str(&t->in), "Upgrade: SPDY/3.1\r\n");
	assert_has(buf_str(&t->in), "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n");
	buf_clear(&t->in);
	assert_int_equal(spdy_zlib_init(&t->zlib, &err), 0);
}

static inline void stop(struct spdy_env *t)
{
	close(t->fd);
	spin(t);
	if (t->p)
		spdy_abort(t->p, NULL);
	spin(t);
	assert_int_equal(t->closed, 1);
	stream_unref(t->last);
	spdy_zlib_fini(&t->zlib);
	env_stop(&t->e);
	buf_fini(&t->in);
}
