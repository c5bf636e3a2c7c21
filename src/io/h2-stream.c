/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2: what streams ask for, the same for both roles (stream_ops). */
#include "base/arena.h"
#include "base/err.h"
#include "io/h2.h"

bool h2_is_hop_header(struct slice name)
{
	/* By length, since most names are none of these. */
	switch (name.n) {
	case 7: return slice_ieq(name, SLICE("upgrade"));
	case 10:
		return slice_ieq(name, SLICE("connection")) || slice_ieq(name, SLICE("keep-alive"));
	case 14: return slice_ieq(name, SLICE("http2-settings"));
	case 16: return slice_ieq(name, SLICE("proxy-connection"));
	case 17: return slice_ieq(name, SLICE("transfer-encoding"));
	default: return false;
	}
}

static void send_continue(struct h2_stream *hs)
{
	nghttp2_nv nv = h2_nv(SLICE(":status"), SLICE("100"));

	hs->expect = false;
	/* Fails for a stream that is gone, which `closed` tells. */
	(void)nghttp2_submit_headers(hs->h->ng, NGHTTP2_FLAG_NONE, hs->id, NULL, &nv, 1, NULL);
}

/* A handler that grants much gets a wide window, and the connection with it. */
static void widen(struct h2_stream *hs)
{
	struct h2 *h = hs->h;
	uint32_t want = (uint32_t)MIN(hs->s->credit, (size_t)H2_WINDOW_MAX);
	int64_t length = hs->s->length;

	if (want <= hs->window || hs->in_end || (length >= 0 && length <= H2_WINDOW))
		return;
	hs->window = want;
	(void)nghttp2_session_set_local_window_size(h->ng, NGHTTP2_FLAG_NONE, hs->id,
						    (int32_t)want); /* only out of memory */
	want = MIN(h->window + H2_WINDOW_MAX, H2_CONN_WINDOW_MAX);
	if (want <= h->window)
		return;
	h->window = want;
	(void)nghttp2_session_set_local_window_size(h->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)want);
}

void h2_op_credit(struct stream *s)
{
	struct h2_stream *hs = s->conn;
	struct h2 *h = hs->h;

	if (hs->over)
		return;
	conn_enter(h->c);
	if (hs->expect)
		send_continue(hs);
	if (hs->id)
		widen(hs);
	h2_consume(hs);
	if (s->finished && hs->end_sent && !hs->in_end && !hs->wastes)
		h2_waste(hs);
	if (iobuf_len(&hs->in) > 0 || (hs->in_end && !s->ended_in)) {
		h->pending = hs->pending = true;
		deferred_call(&h->c->kick);
	}
	conn_leave(h->c);
}

size_t h2_op_queued(const struct stream *s)
{
	const struct h2_stream *hs = s->conn;

	return hs->whole.n + iobuf_len(&hs->out);
}

struct conn *h2_op_cork(struct stream *s)
{
	struct h2_stream *hs = s->conn;

	conn_enter(hs->h->c);
	return hs->h->c;
}

int h2_op_write(struct stream *s, const void *p, size_t n)
{
	struct h2_stream *hs = s->conn;
	struct conn *c = hs->h->c;

	if (c->dead || c->broken || hs->over)
		return -ERR_UNAVAILABLE;
	if (s->body_length > 0) {
		if ((uint64_t)n > (uint64_t)s->body_length)
			return -ERR_INVALID;
		s->body_length -= (int64_t)n;
	} else if (s->body_length == 0 && !s->hijacked) {
		return -ERR_INVALID;
	}
	conn_enter(c);
	if (h2_op_queued(s) == 0)
		hs->since = conn_now(c);
	iobuf_add(c->pool, &hs->out, p, n);
	h2_wake(hs);
	conn_leave(c);
	if (!s->conn)
		return -ERR_UNAVAILABLE;
	if (h2_op_queued(s) >= s->queue_mark) {
		s->blocked = true;
		return 1;
	}
	return 0;
}

int h2_op_end(struct stream *s)
{
	struct h2_stream *hs = s->conn;
	struct conn *c = hs->h->c;
	struct err err ERR_RAW;

	err_clear(&err);
	if (hs->over)
		return 0;
	if (!s->head_sent) {
		(void)err_set(&err, ERR_CONFLICT, "the stream was ended before it began");
		h2_op_reset(s, &err);
		return -ERR_CONFLICT;
	}
	if (s->body_length > 0 && !s->no_body && !s->hijacked) {
		(void)err_set(&err, ERR_INVALID, "the body ended before its announced length");
		h2_op_reset(s, &err);
		return -ERR_INVALID;
	}
	conn_enter(c);
	c->held = false;
	hs->out_end = true;
	h2_wake(hs);
	conn_leave(c);
	return 0;
}

void h2_op_reset(struct stream *s, const struct err *why)
{
	struct h2_stream *hs = s->conn;
	struct h2 *h = hs->h;
	struct err err = ERR_INIT;

	(void)err_set(&err, ERR_UNAVAILABLE, "reset by us");
	s->cancelled = true;
	hs->s = NULL;
	conn_enter(h->c);
	if (!hs->over && hs->id && !hs->late)
		(void)nghttp2_submit_rst_stream(h->ng, NGHTTP2_FLAG_NONE, hs->id,
						h->c->client ? NGHTTP2_CANCEL
						: why && why->code == ERR_BAD_REQUEST
							? NGHTTP2_PROTOCOL_ERROR
							: NGHTTP2_INTERNAL_ERROR);
	if (!hs->over && (!hs->id || hs->late))
		h2_stream_over(hs);
	h2_held_less(h, iobuf_len(&hs->in));
	iobuf_fini(h->c->pool, &hs->in);
	iobuf_fini(h->c->pool, &hs->out);
	stream_close(s, why ? why : &err);
	conn_leave(h->c);
}

int h2_op_detach(struct stream *s, int *ret_fd, struct err *err)
{
	if (!s->hijacked)
		return err_set(err, ERR_CONFLICT, "detach: the stream is not a byte stream yet");
	return 0; /* the socket carries other streams too */
}
