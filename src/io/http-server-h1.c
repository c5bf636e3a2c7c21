/* SPDX-License-Identifier: Apache-2.0 */
/* The server's HTTP/1.1: answers' heads, refusals, requests to the handler. */
#include "base/arena.h"
#include "base/err.h"
#include "io/h2.h"
#include "io/http-server-impl.h"

#include <stdio.h>

/* ---- answers ---- */

static char *put_headers(char *d, const struct stream *s)
{
	for (const struct out_header *h = s->out; h; h = h->next) {
		d = put(d, h->name.p, h->name.n);
		d = put(d, ": ", 2);
		d = put(d, h->value.p, h->value.n);
		d = put(d, "\r\n", 2);
	}
	return d;
}

/* Writes the head straight into the output buffer; framing is its last lines. */
static void send_head(struct conn *c, struct stream *s, struct slice framing)
{
	struct http_server *srv = c->owner;
	const char *reason = h1_reason(s->status);
	struct slice date = http_server_date(srv);
	size_t need = 64 + strlen(reason) + date.n + srv->common_len + framing.n;
	char *start, *d;

	for (const struct out_header *h = s->out; h; h = h->next)
		need += h->name.n + h->value.n + 4;
	start = d = iobuf_room(c->pool, &c->out, need);
	d = put(d, "HTTP/1.1 ", 9);
	*d++ = (char)('0' + s->status / 100);
	*d++ = (char)('0' + s->status / 10 % 10);
	*d++ = (char)('0' + s->status % 10);
	*d++ = ' ';
	d = put(d, reason, strlen(reason));
	d = put(d, "\r\n", 2);
	d = put(d, srv->common, srv->common_len);
	d = put(d, date.p, date.n);
	d = put_headers(d, s);
	d = put(d, framing.p, framing.n);
	d = put(d, "\r\n", 2);
	c->out.n += (size_t)(d - start);
}

static struct slice framing_lines(char buf[96], struct conn *c, const struct stream *s,
				  int64_t length, bool chunked)
{
	char *d = buf;

	if (length >= 0 && s->status != 204 && s->status != 304 && s->status >= 200) {
		d = put(d, "Content-Length: ", 16);
		d += put_number(d, (uint64_t)length);
		d = put(d, "\r\n", 2);
	} else if (chunked) {
		d = put(d, "Transfer-Encoding: chunked\r\n", 28);
	}
	if (!c->keep_alive)
		d = put(d, "Connection: close\r\n", 19);
	else if (s->rq.minor == 0)
		d = put(d, "Connection: keep-alive\r\n", 24);
	return slice_of(buf, (size_t)(d - buf));
}

static int op_answer(struct stream *s, int64_t length, const struct slice *whole)
{
	struct conn *c = s->conn;
	bool chunked = length < 0 && s->rq.minor >= 1 && !s->no_body;
	char framing[96];

	conn_enter(c);
	/* Without a length and without chunks the end is the close. A request body that may never
	 * come likewise. */
	if ((length < 0 && s->rq.minor == 0 && !s->no_body) || c->expect ||
	    ((struct http_server *)c->owner)->draining)
		c->keep_alive = false;
	c->streamed = !whole;
	send_head(c, s, framing_lines(framing, c, s, length, chunked));
	conn_out_begin(c, length, chunked);
	if (whole) {
		s->ended_out = true;
		c->out_state = OUT_DONE;
		if (!s->no_body && whole->n)
			conn_send(c, whole, 1);
	}
	conn_leave(c);
	return s->conn && c->broken ? -ERR_UNAVAILABLE : 0;
}

static int op_hijack(struct stream *s, struct err *err)
{
	struct conn *c = s->conn;
	char framing[192];
	struct slice up = s->rq.upgrade;
	int n = 0;

	if (c->in_state != IN_DONE && !(c->in_state == IN_BODY && c->body.done))
		return err_set(err, ERR_CONFLICT, "hijack: the request's body must be read first");
	if (s->status == 101 && (up.n == 0 || up.n > 64))
		return err_set(err, ERR_BAD_REQUEST,
			       "hijack: the client did not ask for an upgrade");
	if (s->status == 101)
		n = snprintf(framing, sizeof(framing), "Connection: Upgrade\r\nUpgrade: %.*s\r\n",
			     (int)up.n, up.p);
	conn_enter(c);
	s->head_sent = s->hijacked = true;
	s->ended_in = false;
	c->keep_alive = false;
	c->streamed = true;
	send_head(c, s, slice_of(framing, (size_t)n));
	c->in_state = IN_RAW;
	c->out_state = OUT_RAW;
	c->out_closed = false;
	conn_leave(c);
	return 0;
}

const struct stream_ops http_server_h1_ops = {
	.credit = conn_op_credit,
	.answer = op_answer,
	.write = conn_op_write,
	.send_file = conn_op_send_file,
	.end = conn_op_end,
	.reset = conn_op_reset,
	.hijack = op_hijack,
	.detach = conn_op_detach,
	.queued = conn_op_queued,
	.cork = conn_op_cork,
};

/* ---- requests ---- */

void http_server_h1_refuse(struct conn *c, int status, const struct err *why)
{
	struct http_server *srv = c->owner;
	CLEANUP(buf_fini) struct buf body = BUF_INIT(8192);
	struct stream *s = stream_new(c->pool, &http_server_h1_ops, c);
	const char *type = "text/plain; charset=utf-8";
	struct slice bytes;
	char framing[96];

	srv->stats.refused++;
	if (srv->conf.refuse)
		type = srv->conf.refuse(&body, status, why->msg);
	else
		(void)buf_addf(&body, "%s\n", why->msg); /* fits */
	s->status = status;
	s->rq.minor = 1;
	c->keep_alive = false;
	(void)stream_set_header(s, "Content-Type",
				type); /* left out if the caller's type is no value */
	bytes = buf_slice(&body);
	send_head(c, s, framing_lines(framing, c, s, (int64_t)bytes.n, false));
	conn_send(c, &bytes, 1);
	s->bytes_out = bytes.n;
	s->peer = &c->peer;
	if (c->pool->done)
		c->pool->done(c->pool->done_arg, s, why);
	s->conn = NULL;
	stream_unref(s);
	c->out_closed = false;
	conn_linger(c);
}

/* An upgrade to h2c that is as RFC 7540 3.2 wants it, and has no body that would be in the way. */
static bool wants_h2c(const struct conn *c, struct stream *s)
{
	const struct http_server *srv = c->owner;

	return srv->conf.http2 == HTTP2_UPGRADE && c->fresh && c->tr == &transport_plain &&
	       s->rq.upgrade.n && h1_list_has(s->rq.upgrade, "h2c") && !s->rq.has_body &&
	       stream_header_has(s, "connection", "http2-settings");
}

/* base64url without padding; the number of bytes, -1 if it is not that. */
static ssize_t decode_settings(uint8_t *dst, size_t room, struct slice v)
{
	static const char abc[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < v.n; i++) {
		const char *d = v.p[i] ? strchr(abc, v.p[i]) : NULL;

		if (!d)
			return -1;
		bits = bits << 6 | (uint32_t)(d - abc);
		if (i % 4 == 0)
			continue;
		if (n == room)
			return -1;
		dst[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	return (ssize_t)n;
}

/* False: HTTP2-Settings is malformed or there are several; the request is then one of HTTP/1.1. */
static bool upgrade_to_h2c(struct conn *c, struct stream *s)
{
	struct slice v = { 0 }, go = SLICE("HTTP/1.1 101 Switching Protocols\r\n"
					   "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
	uint8_t payload[256];
	ssize_t len;

	for (size_t i = 0; i < s->headers_n; i++) {
		if (slice_ieq(s->headers[i].name, SLICE("http2-settings"))) {
			if (v.p)
				return false;
			v = s->headers[i].value;
		}
	}
	len = v.p ? decode_settings(payload, sizeof(payload), v) : -1;
	if (len < 0 || h2_upgrade(c, s, slice_of((char *)payload, (size_t)len)) < 0)
		return false;
	s->rq.upgrade = (struct slice){ 0 };
	s->rq.major = 2;
	conn_send(c, &go, 1);
	return true;
}

int http_server_h1_head(struct conn *c, struct slice head)
{
	struct http_server *srv = c->owner;
	struct stream *s = stream_new(c->pool, &http_server_h1_ops, c);
	struct h1_head m = { 0 };
	struct err err ERR_RAW;
	int status = 400, r;
	char *copy = arena_strndup(s->arena, head.p, head.n);

	err_clear(&err);
	r = copy ? h1_parse_request(s->arena, slice_of(copy, head.n), &c->conf->limits, &m, &err,
				    &status)
		 : arena_quota(s->arena, &err);
	if (r < 0) {
		s->conn = NULL;
		stream_unref(s);
		http_server_h1_refuse(c, status, &err);
		return r;
	}
	if (strcmp(m.rq.method, "CONNECT") == 0 && !srv->conf.connect) {
		(void)err_set(&err, ERR_UNSUPPORTED, "method CONNECT is not supported");
		s->conn = NULL;
		stream_unref(s);
		http_server_h1_refuse(c, 501, &err);
		return -ERR_UNSUPPORTED;
	}
	srv->stats.requests++;
	s->rq = m.rq;
	s->headers = m.headers;
	s->headers_n = m.headers_n;
	s->length = m.rq.length;
	s->began = conn_now(c);
	s->peer = &c->peer;
	s->queue_mark = c->conf->queue_mark;
	c->keep_alive = m.keep_alive && !srv->draining;
	c->expect = m.expect_continue;
	if (wants_h2c(c, s) && upgrade_to_h2c(c, s)) {
		srv->conf.request(s, srv->conf.arg);
		return 0;
	}
	c->cur = s;
	c->out_state = OUT_NONE;
	c->streamed = false;
	conn_in_begin(c, m.body, m.length);
	srv->conf.request(s, srv->conf.arg);
	return 0;
}
