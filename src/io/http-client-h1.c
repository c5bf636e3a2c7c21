/* SPDX-License-Identifier: Apache-2.0 */
/* The client's HTTP/1.1: requests' heads, answers' heads. */
#include "base/arena.h"
#include "base/err.h"
#include "io/h2.h"
#include "io/http-client-impl.h"
#include "io/http-proxy.h"

#include <stdio.h>

/* Whether the request names this header itself: a proxy's Host is that of its client. */
static bool names(const struct stream *s, struct slice name)
{
	for (const struct out_header *h = s->out; h; h = h->next)
		if (slice_ieq(h->name, name))
			return true;
	return false;
}

static size_t framing_lines(char *d, size_t n, const struct stream *s)
{
	int len = 0;

	if (s->hijack_wanted)
		len = snprintf(d, n, "Connection: Upgrade\r\n%s",
			       names(s, SLICE("upgrade")) ? "" : "Upgrade: tcp\r\n");
	if (((struct conn *)s->conn)->h2c_asked) {
		char token[96];

		(void)h2_settings_token(token, sizeof(token), ((struct conn *)s->conn)->conf);
		len = snprintf(d, n,
			       "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
			       "HTTP2-Settings: %s\r\n",
			       token);
	}
	if (s->body_length == HTTP_BODY_CHUNKED)
		len += snprintf(d + len, n - (size_t)len, "Transfer-Encoding: chunked\r\n");
	else if (s->body_length > 0 || !strcmp(s->rq.method, "POST") ||
		 !strcmp(s->rq.method, "PUT"))
		len += snprintf(d + len, n - (size_t)len, "Content-Length: %lld\r\n",
				(long long)s->body_length);
	return (size_t)len;
}

static char *put_line(char *d, const char *name, const char *value)
{
	d = put(d, name, strlen(name));
	d = put(d, value, strlen(value));
	return put(d, "\r\n", 2);
}

void http_client_h1_send(struct conn *c, struct stream *s)
{
	struct http_client *cl = c->owner;
	char framing[320];
	size_t framing_n = framing_lines(framing, sizeof(framing), s), need;
	struct slice target = slice_str(s->rq.path);
	bool absolute = cl->proxy && !cl->conf.tls;
	char *d, *start;

	need = strlen(s->rq.method) + target.n + strlen(cl->host) + strlen(cl->agent) + framing_n +
	       64;
	if (absolute)
		need += strlen(cl->authority) + strlen(cl->proxy->auth) + 32;
	for (const struct out_header *h = s->out; h; h = h->next)
		need += h->name.n + h->value.n + 4;
	conn_enter(c);
	start = d = iobuf_room(c->pool, &c->out, need);
	d = put(d, s->rq.method, strlen(s->rq.method));
	*d++ = ' ';
	if (absolute) {
		d = put(d, "http://", 7);
		d = put(d, cl->authority, strlen(cl->authority));
	}
	d = put(d, target.p, target.n);
	d = put(d, " HTTP/1.1\r\n", 11);
	if (!names(s, SLICE("host")))
		d = put_line(d, "Host: ", cl->host);
	if (!names(s, SLICE("user-agent")))
		d = put_line(d, "User-Agent: ", cl->agent);
	if (absolute && cl->proxy->auth[0])
		d = put_line(d, "Proxy-Authorization: ", cl->proxy->auth);
	for (const struct out_header *h = s->out; h; h = h->next) {
		d = put(d, h->name.p, h->name.n);
		d = put(d, ": ", 2);
		d = put(d, h->value.p, h->value.n);
		d = put(d, "\r\n", 2);
	}
	d = put(d, framing, framing_n);
	d = put(d, "\r\n", 2);
	c->out.n += (size_t)(d - start);
	s->head_sent = true;
	conn_out_begin(c, s->body_length, s->body_length == HTTP_BODY_CHUNKED);
	if (s->body_length == HTTP_NO_BODY) {
		c->out_state = OUT_DONE;
		s->ended_out = true;
	} else if (s->ended_out) {
		(void)conn_op_end(s); /* ended while it waited: a failure comes by closed */
	} else if (!s->hijack_wanted) {
		conn_hold(c);
	}
	conn_leave(c);
}

/* An answer's head. 1xx are passed over, 101 and a raw 200 make the stream a byte stream. */
int http_client_h1_head(struct conn *c, struct slice head)
{
	struct stream *s = c->cur;
	struct h1_head m = { 0 };
	struct err err = ERR_INIT;
	char *copy = arena_strndup(s->arena, head.p, head.n);
	int r = copy ? h1_parse_response(s->arena, slice_of(copy, head.n), &c->conf->limits,
					 s->rq.method, &m, &err)
		     : arena_quota(s->arena, &err);

	if (r == 0 && m.status == 101 && c->h2c_asked) {
		c->cur = NULL;
		if (h2_upgrade(c, s, (struct slice){ 0 }) == 0) {
			list_del(&c->link);
			list_append(&((struct http_client *)c->owner)->multi, &c->link);
			return 0;
		}
		c->cur = s;
	}
	if (r == 0 && m.status == 101 && !s->hijack_wanted)
		r = err_set(&err, ERR_BAD_REQUEST, "the server upgrades although nobody asked");
	if (r < 0) {
		conn_fail(c, &err);
		return r;
	}
	if (m.status < 200 && m.status != 101)
		return 0;
	if (c->h2c_asked)
		((struct http_client *)c->owner)->no_upgrade = true;
	s->status = m.status;
	s->headers = m.headers;
	s->headers_n = m.headers_n;
	s->length = m.length;
	c->keep_alive = c->keep_alive && m.keep_alive;
	if (s->hijack_wanted &&
	    (m.status == 101 || (m.status == 200 && m.body == H1_UNTIL_CLOSE)) &&
	    c->out_state == OUT_DONE) {
		s->hijacked = true;
		s->ended_out = false;
		c->in_state = IN_RAW;
		c->out_state = OUT_RAW;
		c->out_closed = false;
		c->keep_alive = false;
	} else {
		conn_in_begin(c, m.body, m.length);
	}
	stream_give_head(s);
	return 0;
}

void http_client_h1_bad_head(struct conn *c, int status, const struct err *why)
{
	struct err err = *why;

	(void)status; /* a client answers nothing */
	(void)err_wrap(&err, "malformed answer");
	conn_fail(c, &err);
}

const struct stream_ops http_client_h1_ops = {
	.credit = conn_op_credit,
	.write = conn_op_write,
	.end = conn_op_end,
	.reset = conn_op_reset,
	.detach = conn_op_detach,
	.queued = conn_op_queued,
};
