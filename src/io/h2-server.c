/* SPDX-License-Identifier: Apache-2.0 */
/* The server's HTTP/2: heads of requests to the handler, heads of answers. */
#include "base/arena.h"
#include "base/err.h"
#include "io/h2.h"
#include "io/http-server-impl.h"

#define WHOLE_MAX 16384u /* an answer up to this waits in the stream's arena */

/* ---- requests ---- */

static void refuse(struct h2_stream *hs, int status, const char *why)
{
	struct http_server *srv = hs->h->c->owner;
	CLEANUP(buf_fini) struct buf body = BUF_INIT(8192);
	const char *type = "text/plain; charset=utf-8";

	srv->stats.refused++;
	hs->head_in = true;
	if (!hs->s->rq.method)
		hs->s->rq.method = "GET";
	if (srv->conf.refuse)
		type = srv->conf.refuse(&body, status, why);
	else
		(void)buf_addf(&body, "%s\n", why); /* fits */
	/* A refusal that cannot be sent is told by nobody: the stream is closed then. */
	(void)stream_reply(hs->s, status, type, buf_str(&body), body.n);
}

/* What the fields of one request say, before they are checked. */
struct fields {
	struct slice method, path, authority, protocol, host, expect, priority, length;
	unsigned hosts;
	size_t cookies, cookie_bytes;
};

static void look_at_field(struct fields *f, const struct http_header *h)
{
	const char *name = h->name.p;

	/* By length, since most names are none of these. */
	switch (h->name.n) {
	case 4:
		if (memcmp(name, "host", 4) == 0) {
			f->hosts++;
			f->host = h->value;
		}
		break;
	case 5:
		if (memcmp(name, ":path", 5) == 0)
			f->path = h->value;
		break;
	case 6:
		if (memcmp(name, "cookie", 6) == 0) {
			f->cookies++;
			f->cookie_bytes += h->value.n + 2;
		} else if (memcmp(name, "expect", 6) == 0) {
			f->expect = h->value;
		}
		break;
	case 7:
		if (memcmp(name, ":method", 7) == 0)
			f->method = h->value;
		break;
	case 8:
		if (memcmp(name, "priority", 8) == 0)
			f->priority = h->value;
		break;
	case 9:
		if (memcmp(name, ":protocol", 9) == 0)
			f->protocol = h->value;
		break;
	case 10:
		if (memcmp(name, ":authority", 10) == 0)
			f->authority = h->value;
		break;
	case 14:
		if (memcmp(name, "content-length", 14) == 0)
			f->length = h->value;
		break;
	default: break;
	}
}

/* Drops pseudo-headers, joins cookies that were split for compression (RFC 9113 8.2.3). */
static int settle_headers(struct stream *s, struct fields *f)
{
	struct http_header *cookie = NULL;
	size_t out = 0;
	char *d = NULL;

	if (f->cookies > 1) {
		d = arena_alloc_raw(s->arena, f->cookie_bytes, 1);
		if (!d)
			return -ERR_QUOTA;
	}
	for (size_t i = 0; i < s->headers_n; i++) {
		struct http_header *h = &s->headers[i];

		if (h->name.p[0] == ':')
			continue;
		if (d && slice_is(h->name, "cookie")) {
			if (cookie) {
				cookie->value.n += (size_t)(put(d, "; ", 2) - d);
				d += 2;
				d = put(d, h->value.p, h->value.n);
				cookie->value.n += h->value.n;
				continue;
			}
			cookie = &s->headers[out];
			d = put(d, h->value.p, h->value.n);
			h->value.p = d - h->value.n;
		}
		s->headers[out++] = *h;
	}
	if (f->hosts == 0 && f->authority.n) /* :authority took a place before, so there is one */
		s->headers[out++] = (struct http_header){ SLICE("host"), f->authority };
	s->headers_n = out;
	return 0;
}

static const char *bad_host(const struct fields *f)
{
	struct slice host = f->authority.n ? f->authority : f->host;

	if (f->hosts > 1)
		return "more than one Host";
	if (f->hosts && f->authority.n && !slice_ieq(f->host, f->authority))
		return "Host and :authority differ";
	if (!host.n)
		return "neither :authority nor Host";
	if (!h1_is_host(host))
		return "the authority is not a host name";
	return NULL;
}

/* 0, or the status of the refusal with *why. */
static int make_request(struct h2_stream *hs, struct fields *f, const char **why)
{
	struct http_server *srv = hs->h->c->owner;
	struct stream *s = hs->s;
	struct http_request *rq = &s->rq;
	struct err err ERR_RAW;
	uint64_t length = 0;
	int status = 400;

	err_clear(&err);
	*why = bad_host(f);
	if (*why)
		return 400;
	if (!h1_is_token(f->method) || f->method.n > 32) {
		*why = "the method is not a token";
		return 400;
	}
	rq->method = arena_strndup(s->arena, f->method.p, f->method.n);
	rq->major = 2;
	rq->minor = 1;
	hs->connect = rq->method && slice_is(f->method, "CONNECT");
	if (!rq->method || settle_headers(s, f) < 0) {
		*why = "the header fields are too large";
		return 431;
	}
	if (hs->connect && f->protocol.n) {
		/* RFC 8441: what HTTP/1.1 does by GET and Upgrade. */
		rq->upgrade = f->protocol;
		rq->method = "GET";
	} else if (hs->connect && !srv->conf.connect) {
		*why = "method CONNECT is not supported";
		return 501;
	}
	if (h1_parse_target(s->arena, rq, hs->connect && !f->protocol.n ? f->authority : f->path,
			    &err, &status) < 0) {
		*why = arena_strdup(s->arena, err.msg);
		return status;
	}
	rq->host = f->authority.n ? f->authority : f->host;
	if (f->expect.n && !slice_ieq(f->expect, SLICE("100-continue"))) {
		*why = "only the expectation '100-continue' can be met";
		return 417;
	}
	rq->has_body = !hs->in_end && !hs->connect;
	hs->expect = f->expect.n && rq->has_body;
	rq->length = rq->has_body ? -1 : 0;
	/* nghttp2 has checked that it is one number that fits what comes. */
	if (f->length.n && rq->has_body && str_uint64(f->length, &length, NULL) == 0)
		rq->length = (int64_t)length;
	s->length = rq->length;
	return 0;
}

void h2_server_head(struct h2_stream *hs)
{
	struct conn *c = hs->h->c;
	struct http_server *srv = c->owner;
	struct stream *s = hs->s;
	struct fields f = { 0 };
	const char *why = "";
	int status;

	s->queue_mark = c->conf->queue_mark;
	s->began = conn_now(c);
	hs->head_in = true;
	if (hs->too_large) {
		s->headers_n = 0;
		refuse(hs, 431, "the header fields are too large");
		return;
	}
	for (size_t i = 0; i < s->headers_n; i++)
		look_at_field(&f, &s->headers[i]);
	status = make_request(hs, &f, &why);
	if (f.priority.p)
		h2_set_priority(hs, f.priority);
	if (status) {
		refuse(hs, status, why ? why : "");
		return;
	}
	srv->stats.requests++;
	srv->conf.request(s, srv->conf.arg);
}

/* ---- answers ---- */

/* Our own copy of a header's name: HTTP/2 has small letters only. */
static void lower(struct slice name)
{
	char *p = (char *)(uintptr_t)name.p;

	for (size_t i = 0; i < name.n; i++)
		p[i] = (char)(p[i] | (p[i] >= 'A' && p[i] <= 'Z' ? 0x20 : 0));
}

static size_t answer_headers(nghttp2_nv *nv, struct stream *s, int64_t length)
{
	struct h2_stream *hs = s->conn;
	struct http_server *srv = hs->h->c->owner;
	struct slice date = http_server_date(srv);
	char *number = hs->number;
	size_t n = 0;

	number[0] = (char)('0' + s->status / 100);
	number[1] = (char)('0' + s->status / 10 % 10);
	number[2] = (char)('0' + s->status % 10);
	nv[n++] = h2_nv_kept(SLICE(":status"), slice_of(number, 3));
	for (size_t i = 0; i < srv->conf.common_n; i++)
		nv[n++] = h2_nv(srv->conf.common[i].name, srv->conf.common[i].value);
	/* Written over each second, with as many bytes. */
	nv[n++] = h2_nv_kept(SLICE("date"), slice_of(date.p + 6, date.n - 8));
	for (struct out_header *h = s->out; h; h = h->next) {
		if (h2_is_hop_header(h->name))
			continue;
		lower(h->name);
		nv[n++] = h2_nv_kept(h->name, h->value);
	}
	if (length >= 0 && s->status != 204 && s->status != 304 && s->status >= 200 && !s->hijacked)
		nv[n++] =
			h2_nv_kept(SLICE("content-length"),
				   slice_of(number + 4, put_number(number + 4, (uint64_t)length)));
	return n;
}

static int submit_answer(struct stream *s, int64_t length, bool body)
{
	struct h2_stream *hs = s->conn;
	struct http_server *srv = hs->h->c->owner;
	nghttp2_data_provider provider = h2_body(hs);
	size_t max = 4 + srv->conf.common_n;
	nghttp2_nv few[16] __attribute__((uninitialized)), *nv = few;

	for (struct out_header *h = s->out; h; h = h->next)
		max++;
	if (max > ARRAY_LEN(few))
		nv = ARENA_ARRAY(s->arena, nghttp2_nv, max);
	if (!nv)
		return -ERR_QUOTA;
	if (nghttp2_submit_response(hs->h->ng, hs->id, nv, answer_headers(nv, s, length),
				    body ? &provider : NULL) != 0)
		return -ERR_UNAVAILABLE;
	return 0;
}

static void keep_whole(struct h2_stream *hs, const struct slice *whole)
{
	char *p = whole->n <= WHOLE_MAX ? arena_alloc_raw(hs->s->arena, whole->n, 1) : NULL;

	if (p)
		hs->whole = slice_of(memcpy(p, whole->p, whole->n), whole->n);
	else
		iobuf_add(hs->h->c->pool, &hs->out, whole->p, whole->n);
}

static int op_answer(struct stream *s, int64_t length, const struct slice *whole)
{
	struct h2_stream *hs = s->conn;
	struct conn *c = hs->h->c;
	bool body = !s->no_body && (!whole || whole->n);
	int r;

	if (hs->over)
		return -ERR_UNAVAILABLE;
	conn_enter(c);
	hs->expect = false;
	hs->streamed = !whole;
	hs->since = conn_now(c);
	s->body_length = length;
	r = submit_answer(s, length, body);
	if (r == 0 && whole) {
		s->ended_out = hs->out_end = true;
		if (body)
			keep_whole(hs, whole);
	} else if (r == 0 && !body) {
		hs->out_end = true;
	}
	conn_leave(c);
	return r;
}

static int op_hijack(struct stream *s, struct err *err)
{
	struct h2_stream *hs = s->conn;
	struct conn *c = hs->h->c;
	int r;

	if (!hs->connect)
		return err_set(err, ERR_UNSUPPORTED,
			       "hijack: over HTTP/2 only CONNECT becomes a byte stream");
	if (hs->over)
		return err_set(err, ERR_UNAVAILABLE, "hijack: the stream was reset");
	conn_enter(c);
	s->status = 200; /* HTTP/2 has no 101 (RFC 8441 5) */
	s->head_sent = s->hijacked = true;
	s->ended_in = false;
	s->body_length = -1;
	hs->streamed = true;
	r = submit_answer(s, -1, true);
	conn_leave(c);
	return r < 0 ? err_set(err, ERR_UNAVAILABLE, "hijack: the stream is closed") : 0;
}

const struct stream_ops h2_server_ops = {
	.credit = h2_op_credit,
	.answer = op_answer,
	.write = h2_op_write,
	.end = h2_op_end,
	.reset = h2_op_reset,
	.hijack = op_hijack,
	.detach = h2_op_detach,
	.queued = h2_op_queued,
	.cork = h2_op_cork,
};
