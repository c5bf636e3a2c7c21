/* SPDX-License-Identifier: Apache-2.0 */
/* The client's HTTP/2: requests' heads, answers' heads. */
#include "base/arena.h"
#include "base/err.h"
#include "io/h2.h"
#include "io/http-client-impl.h"

#include <stdio.h>

/* ---- requests ---- */

static struct slice upgrade_wanted(const struct stream *s)
{
	for (const struct out_header *h = s->out; h; h = h->next) {
		if (slice_ieq(h->name, SLICE("upgrade")))
			return h->value;
	}
	return (struct slice){ 0 };
}

static size_t request_headers(nghttp2_nv *nv, const struct stream *s, char number[24])
{
	struct h2_stream *hs = s->conn;
	struct http_client *cl = hs->h->c->owner;
	struct slice protocol = s->hijack_wanted ? upgrade_wanted(s) : (struct slice){ 0 };
	bool tunnel = hs->connect && !protocol.n, https = hs->h->c->tr != &transport_plain;
	size_t n = 0;

	nv[n++] = h2_nv(SLICE(":method"), hs->connect ? SLICE("CONNECT") : slice_str(s->rq.method));
	if (!tunnel) {
		nv[n++] = h2_nv(SLICE(":scheme"), https ? SLICE("https") : SLICE("http"));
		nv[n++] = h2_nv(SLICE(":path"), slice_str(s->rq.path));
	}
	nv[n++] = h2_nv(SLICE(":authority"), tunnel ? slice_str(s->rq.path) : slice_str(cl->host));
	if (protocol.n)
		nv[n++] = h2_nv(SLICE(":protocol"), protocol);
	nv[n++] = h2_nv(SLICE("user-agent"), slice_str(cl->agent));
	for (struct out_header *h = s->out; h; h = h->next) {
		if (!h2_is_hop_header(h->name) && !slice_ieq(h->name, SLICE("host")))
			nv[n++] = h2_nv(h->name, h->value);
	}
	if (s->body_length > 0) {
		int digits = snprintf(number, 24, "%lld", (long long)s->body_length);

		nv[n++] = h2_nv(SLICE("content-length"), slice_of(number, (size_t)digits));
	}
	return n;
}

void h2_client_submit(struct h2_stream *hs)
{
	struct stream *s = hs->s;
	nghttp2_data_provider provider = h2_body(hs);
	bool body = s->body_length != HTTP_NO_BODY || hs->connect;
	struct err err = ERR_INIT;
	size_t max = 8;
	nghttp2_nv *nv;
	char number[24];

	s->rq.major = 2;
	if (hs->connect && upgrade_wanted(s).n &&
	    !nghttp2_session_get_remote_settings(hs->h->ng,
						 NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL)) {
		(void)err_set(&err, ERR_UNSUPPORTED,
			      "the server does not take upgrades over HTTP/2 (RFC 8441)");
		h2_op_reset(s, &err);
		return;
	}
	for (struct out_header *h = s->out; h; h = h->next)
		max++;
	nv = ARENA_ARRAY(s->arena, nghttp2_nv, max);
	hs->id = nv ? nghttp2_submit_request(hs->h->ng, NULL, nv, request_headers(nv, s, number),
					     body ? &provider : NULL, hs)
		    : -1;
	if (hs->id <= 0) {
		hs->id = 0;
		(void)err_set(&err, ERR_UNAVAILABLE, "the connection takes no more requests");
		h2_op_reset(s, &err);
	}
}

void h2_client_send(struct conn *c, struct stream *s)
{
	struct h2 *h = c->h2;
	struct h2_stream *hs;

	conn_enter(c);
	s->ops = &h2_client_ops;
	hs = h2_stream_new(h, s, 0);
	s->head_sent = true;
	hs->streamed = s->body_length != HTTP_NO_BODY;
	hs->connect = s->hijack_wanted;
	if (s->body_length == HTTP_NO_BODY && !hs->connect)
		s->ended_out = true;
	hs->out_end = s->ended_out;
	if (hs->connect && !h->settled) {
		list_del(&hs->link);
		list_append(&h->early, &hs->link);
	} else {
		h2_client_submit(hs);
	}
	if (!hs->out_end && !hs->connect)
		conn_hold(c);
	conn_leave(c);
}

/* ---- answers ---- */

static int parse_status(const struct stream *s)
{
	struct slice v = header_find(s->headers, s->headers_n, ":status");
	uint64_t n = 0;

	/* nghttp2 has checked that it is three digits. */
	return v.n == 3 && str_uint64(v, &n, NULL) == 0 ? (int)n : 0;
}

void h2_client_head(struct h2_stream *hs)
{
	struct stream *s = hs->s;
	int status = parse_status(s);
	struct err err = ERR_INIT;
	uint64_t length = 0;
	struct slice v;
	size_t out = 0;

	if (hs->too_large || status < 100 || status > 599 || status == 101) {
		(void)err_set(&err, hs->too_large ? ERR_TOO_LARGE : ERR_BAD_REQUEST,
			      hs->too_large ? "the answer's header fields are too large"
					    : "the answer's status %d is not one of HTTP/2",
			      status);
		h2_op_reset(s, &err);
		return;
	}
	if (status < 200) {
		s->headers_n = 0;
		return;
	}
	hs->head_in = true;
	s->status = status;
	for (size_t i = 0; i < s->headers_n; i++) {
		if (s->headers[i].name.p[0] != ':')
			s->headers[out++] = s->headers[i];
	}
	s->headers_n = out;
	v = header_find(s->headers, s->headers_n, "content-length");
	if (v.n && str_uint64(v, &length, NULL) == 0 && length <= INT64_MAX)
		s->length = (int64_t)length;
	if (hs->in_end && !v.n)
		s->length = 0;
	if (hs->connect && status == 200) {
		s->hijacked = true;
		s->ended_out = false;
		s->body_length = -1;
	}
	stream_give_head(s);
}

const struct stream_ops h2_client_ops = {
	.credit = h2_op_credit,
	.write = h2_op_write,
	.end = h2_op_end,
	.reset = h2_op_reset,
	.detach = h2_op_detach,
	.queued = h2_op_queued,
};
