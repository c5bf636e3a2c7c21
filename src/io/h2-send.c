/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 output: queues to frames.
 *
 * nghttp2 chooses the next stream: by urgency, among equals those that are incremental in turn, the
 * others one after the other (RFC 9218). That alone lets one endless answer starve all below it, so
 * a stream that has had nothing for STARVING frames of others is sent ahead of all for one frame,
 * and one that is not incremental becomes so after FAIR_FRAMES in a row.
 */
#include "base/err.h"
#include "io/h2.h"

#define OUT_MARK 65536u	    /* no further frame is made while so much waits for the socket */
#define TURN_MAX (1u << 20) /* then other connections have their turn */
#define STARVING 64u
#define DRIBBLE 64u

/* ---- fairness ---- */

static void tell_priority(struct h2_stream *hs)
{
	nghttp2_extpri p = { .urgency = hs->boosted ? 0 : hs->urgency,
			     .inc = hs->boosted || hs->incremental };

	/* Fails for a stream that is closed already: then nothing is to be ordered. */
	(void)nghttp2_session_change_extpri_stream_priority(hs->h->ng, hs->id, &p, 1);
}

/* "u=1, i" (RFC 9218 4); what is not understood is ignored, as it says. */
void h2_set_priority(struct h2_stream *hs, struct slice value)
{
	hs->urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY;
	hs->incremental = false;
	while (value.p) {
		struct slice item = slice_trim(slice_split(&value, ','));

		if (item.n == 3 && item.p[0] == 'u' && item.p[1] == '=' && item.p[2] >= '0' &&
		    item.p[2] <= '7')
			hs->urgency = (uint8_t)(item.p[2] - '0');
		else if (slice_is(item, "i") || slice_is(item, "i=?1"))
			hs->incremental = true;
	}
	if (hs->id && !hs->h->c->client)
		tell_priority(hs);
}

static size_t waiting(const struct h2_stream *hs)
{
	return hs->whole.n + iobuf_len(&hs->out);
}

/* Every STARVING frames: who waited that long goes first once. */
static void feed_the_starving(struct h2 *h)
{
	struct h2_stream *hs;

	if (h->c->client || h->frames % STARVING)
		return;
	LIST_FOREACH (hs, &h->streams, struct h2_stream, link) {
		if (waiting(hs) == 0) {
			hs->sent_at = h->frames; /* has nothing to wait for */
		} else if (h->frames - hs->sent_at >= STARVING && !hs->boosted) {
			hs->boosted = true;
			tell_priority(hs);
		}
	}
}

static void sent_frame(struct h2_stream *hs, size_t n)
{
	struct h2 *h = hs->h;

	h->frames++;
	hs->sent_at = h->frames;
	hs->since = conn_now(h->c);
	if (hs->boosted) {
		hs->boosted = false;
		tell_priority(hs);
	} else if (!h->c->client && !hs->incremental && h->streams_n > 1 && n == H2_FRAME &&
		   h->frames % STARVING == 0) {
		/* A long one: from now on it shares with those of its urgency. */
		hs->incremental = true;
		tell_priority(hs);
	}
	feed_the_starving(h);
}

/* ---- frames ---- */

static int submit_trailers(struct h2_stream *hs)
{
	nghttp2_nv nv[64];
	size_t n = 0;

	for (struct out_header *o = hs->s->out_trailers; o && n < ARRAY_LEN(nv); o = o->next)
		nv[n++] = h2_nv(o->name, o->value);
	return nghttp2_submit_trailer(hs->h->ng, hs->id, nv, n);
}

static ssize_t read_body(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t room,
			 uint32_t *flags, nghttp2_data_source *src, void *arg)
{
	struct h2_stream *hs = src->ptr;
	size_t n = MIN(waiting(hs), room);

	if (!hs->s) { /* closed meanwhile; its RST_STREAM is on its way */
		hs->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (n == 0 && !hs->out_end) {
		hs->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (n < waiting(hs)) {
		if (n < DRIBBLE && !h2_bear(hs->h, H2_DRIBBLE))
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		return (ssize_t)n;
	}
	if (hs->out_end) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (hs->s->out_trailers && !hs->s->no_body) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			/* Without bytes nghttp2 sends no DATA frame, and so never calls send_data.
			 */
			hs->trailers_out = n > 0;
			if (n == 0 && submit_trailers(hs) != 0)
				return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		}
	}
	return (ssize_t)n;
}

nghttp2_data_provider h2_body(struct h2_stream *hs)
{
	return (nghttp2_data_provider){ .source.ptr = hs, .read_callback = read_body };
}

static int send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t n,
		     nghttp2_data_source *src, void *arg)
{
	struct h2_stream *hs = src->ptr;
	struct h2 *h = arg;
	struct conn *c = h->c;

	if (iobuf_len(&c->out) >= OUT_MARK) {
		h->more = true;
		return NGHTTP2_ERR_WOULDBLOCK;
	}
	if (!hs->s)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	iobuf_add(c->pool, &c->out, head, 9);
	if (hs->whole.n) {
		iobuf_add(c->pool, &c->out, hs->whole.p, n);
		hs->whole = slice_of(hs->whole.p + n, hs->whole.n - n);
	} else if (n) {
		iobuf_add(c->pool, &c->out, hs->out.p + hs->out.off, n);
		iobuf_consume(c->pool, &hs->out, n);
	}
	h2_guard_work(&h->guard, n, false);
	sent_frame(hs, n);
	if (hs->trailers_out && submit_trailers(hs) != 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return 0;
}

static ssize_t send_bytes(nghttp2_session *ng, const uint8_t *p, size_t n, int flags, void *arg)
{
	struct h2 *h = arg;
	struct conn *c = h->c;

	if (iobuf_len(&c->out) >= OUT_MARK) {
		h->more = true;
		return NGHTTP2_ERR_WOULDBLOCK;
	}
	iobuf_add(c->pool, &c->out, p, n);
	return (ssize_t)n;
}

static int on_frame_sent(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *hs;

	h->reset_out |= f->hd.type == NGHTTP2_RST_STREAM;
	if (f->hd.type == NGHTTP2_RST_STREAM && f->rst_stream.error_code != NGHTTP2_NO_ERROR) {
		/* Made to reset by the peer: our own resets have let go of the stream. */
		hs = nghttp2_session_get_stream_user_data(ng, f->hd.stream_id);
		if (!hs || hs->s)
			(void)h2_bear(h, H2_RESET);
		return 0;
	}
	if (!(f->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
	    (f->hd.type != NGHTTP2_DATA && f->hd.type != NGHTTP2_HEADERS))
		return 0;
	hs = nghttp2_session_get_stream_user_data(ng, f->hd.stream_id);
	if (!hs)
		return 0;
	hs->end_sent = true;
	if (!h->c->client)
		h2_guard_work(&h->guard, 0, true);
	if (hs->in_end || h->c->client || !hs->s || (hs->s->hijacked && !hs->s->finished))
		return 0;
	h2_waste(hs);
	return 0;
}

/* A frame of ours that could not be sent (the stream went meanwhile): its `closed` tells. */
static int on_frame_not_sent(nghttp2_session *ng, const nghttp2_frame *f, int error, void *arg)
{
	struct h2_stream *hs = nghttp2_session_get_stream_user_data(ng, f->hd.stream_id);

	if (f->hd.type != NGHTTP2_HEADERS || error != NGHTTP2_ERR_START_STREAM_NOT_ALLOWED || !hs)
		return 0;
	/* Client: GOAWAY came first. The peer has not seen it. */
	hs->error = NGHTTP2_REFUSED_STREAM;
	h2_stream_over(hs);
	return 0;
}

void h2_callbacks_send(nghttp2_session_callbacks *cbs)
{
	nghttp2_session_callbacks_set_send_callback(cbs, send_bytes);
	nghttp2_session_callbacks_set_send_data_callback(cbs, send_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(cbs, on_frame_sent);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(cbs, on_frame_not_sent);
}

void h2_wake(struct h2_stream *hs)
{
	if (!hs->deferred)
		return;
	hs->deferred = false;
	/* Fails for a stream that has no body any more, which `closed` tells. */
	(void)nghttp2_session_resume_data(hs->h->ng, hs->id);
}

void h2_send(struct h2 *h)
{
	struct conn *c = h->c;
	size_t turns = TURN_MAX / OUT_MARK;

	if (c->dead || c->broken || c->held)
		return;
	conn_flush(c);
	do {
		h->more = false;
		if (!c->out_blocked && nghttp2_session_send(h->ng) != 0) {
			conn_fail_text(c, ERR_SYSTEM, "HTTP/2: the session is broken");
			return;
		}
		conn_flush(c);
	} while (h->more && !c->out_blocked && !c->broken && --turns);
	if (h->more && turns == 0)
		deferred_call(&c->kick);
}
