/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 input: frames to streams. nghttp2 has checked frames, states, pseudo-headers and lengths
 * before anything comes here; a stream it refuses is reset by it.
 */
#include "base/arena.h"
#include "base/err.h"
#include "io/h2.h"

#define HEADERS_FIRST 16u

/* ---- streams ---- */

struct h2_stream *h2_stream_new(struct h2 *h, struct stream *s, int32_t id)
{
	struct h2_stream *hs = h2_mem_get(h2_mem_of(h->c->pool), sizeof(*hs));

	if (!hs)
		abort(); /* as io_alloc */
	memset(hs, 0, sizeof(*hs));
	hs->h = h;
	hs->s = s;
	hs->id = id;
	hs->window = H2_WINDOW;
	hs->urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY;
	hs->since = conn_now(h->c);
	hs->sent_at = h->frames;
	s->conn = hs;
	s->peer = &h->c->peer;
	list_append(&h->streams, &hs->link);
	if (h->streams_n++ == 0)
		h->heard = conn_now(h->c);
	return hs;
}

void h2_stream_free(struct h2_stream *hs)
{
	struct h2 *h = hs->h;

	h2_held_less(h, iobuf_len(&hs->in));
	iobuf_fini(h->c->pool, &hs->in);
	iobuf_fini(h->c->pool, &hs->out);
	list_del(&hs->link);
	h->streams_n--;
	if (h->block == hs)
		h->block = NULL;
	h2_mem_put(h2_mem_of(h->c->pool), hs);
}

void h2_stream_over(struct h2_stream *hs)
{
	hs->h->late_n -= hs->late;
	hs->late = false;
	hs->over = true;
	list_del(&hs->link);
	list_append(&hs->h->over, &hs->link);
}

/* ---- headers ---- */

static int begin_headers(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *hs;
	struct stream *s;

	if (f->hd.type != NGHTTP2_HEADERS)
		return 0;
	h->head_since = conn_now(h->c);
	if (f->headers.cat != NGHTTP2_HCAT_REQUEST) {
		h->block = hs = nghttp2_session_get_stream_user_data(ng, f->hd.stream_id);
		if (hs && hs->s && !hs->head_in)
			hs->s->headers_n = 0; /* after a 1xx */
		return 0;
	}
	s = stream_new(h->c->pool, &h2_server_ops, h);
	h->block = hs = h2_stream_new(h, s, f->hd.stream_id);
	/* Fails for a stream that is not there: it is, we were told so. */
	(void)nghttp2_session_set_stream_user_data(ng, hs->id, hs);
	return 0;
}

static struct slice keep(struct arena *a, nghttp2_rcbuf *b)
{
	nghttp2_vec v = nghttp2_rcbuf_get_buf(b);
	char *p;

	if (nghttp2_rcbuf_is_static(b))
		return slice_of((char *)v.base, v.len);
	p = arena_alloc_raw(a, v.len + 1, 1);
	if (!p)
		return (struct slice){ 0 };
	if (v.len)
		memcpy(p, v.base, v.len);
	p[v.len] = '\0';
	return slice_of(p, v.len);
}

/* One field more in a list that grows in the arena. False when it may not. */
static bool add_field(struct h2_stream *hs, struct http_header **list, size_t *n, size_t *cap,
		      struct http_header h)
{
	if (*n == *cap) {
		size_t want = *cap ? *cap * 2 : HEADERS_FIRST;
		struct http_header *p =
			*cap ? arena_grow(hs->s->arena, *list, *cap * sizeof(*p), want * sizeof(*p))
			     : ARENA_ARRAY(hs->s->arena, struct http_header, want);

		if (!p)
			return false;
		*list = p;
		*cap = want;
	}
	(*list)[(*n)++] = h;
	return true;
}

static int take_field(struct h2_stream *hs, nghttp2_rcbuf *name, nghttp2_rcbuf *value)
{
	const struct h1_limits *lim = &hs->h->c->conf->limits;
	struct stream *s = hs->s;
	struct http_header h;

	hs->head_bytes += nghttp2_rcbuf_get_buf(name).len + nghttp2_rcbuf_get_buf(value).len + 32;
	/* Past the limit the rest is decoded, since the table is shared, and forgotten. A block
	 * that goes on after four times that is meant ill. */
	if (hs->head_bytes > 4 * lim->head_max) {
		(void)h2_bear(hs->h, H2_RESET);
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	if (hs->too_large || hs->head_bytes > lim->head_max ||
	    s->headers_n + s->trailers_n > lim->headers_max + 4) {
		hs->too_large = true;
		return 0;
	}
	h.name = keep(s->arena, name);
	h.value = keep(s->arena, value);
	if (!h.name.p || !h.value.p) {
		hs->too_large = true;
		return 0;
	}
	if (hs->head_in) {
		size_t cap = s->trailers_n ? HEADERS_FIRST * 8 : 0;

		/* Trailers have one allocation: they are few. */
		if (cap == 0) {
			s->trailers = ARENA_ARRAY(s->arena, struct http_header, HEADERS_FIRST * 8);
			cap = s->trailers ? HEADERS_FIRST * 8 : 0;
		}
		if (s->trailers_n >= cap)
			hs->too_large = true;
		else
			s->trailers[s->trailers_n++] = h;
		return 0;
	}
	if (!add_field(hs, &s->headers, &s->headers_n, &hs->headers_cap, h))
		hs->too_large = true;
	return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *f, nghttp2_rcbuf *name,
		     nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	struct h2_stream *hs = ((struct h2 *)arg)->block;

	if (!hs || !hs->s || hs->over)
		return 0; /* nobody is there any more; the table was kept right */
	return take_field(hs, name, value);
}

/* What nghttp2 would overlook (a field's value with control bytes): it is refused, as in HTTP/1.1.
 */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *f, nghttp2_rcbuf *name,
			     nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* ---- bodies ---- */

void h2_held_less(struct h2 *h, size_t n)
{
	size_t owed = h->conn_owed;

	h->held -= n;
	if (!owed || h->held > H2_HELD_MAX)
		return;
	h->conn_owed = 0;
	(void)nghttp2_session_consume_connection(h->ng, owed); /* keeps (4); only out of memory */
}

void h2_consume(struct h2_stream *hs)
{
	size_t n = hs->unconsumed;

	if (n == 0 || !hs->s || hs->s->credit == 0 || hs->over || hs->late)
		return;
	hs->unconsumed = 0;
	(void)nghttp2_session_consume_stream(hs->h->ng, hs->id, n); /* as above */
}

void h2_waste_end(struct h2_stream *hs)
{
	if (hs->wasted > H2_WASTE_MAX)
		return;
	hs->wasted = H2_WASTE_MAX + 1;
	/* Fails for a stream that is gone, which `closed` tells. */
	(void)nghttp2_submit_rst_stream(hs->h->ng, NGHTTP2_FLAG_NONE, hs->id, NGHTTP2_NO_ERROR);
}

/* keeps (5) */
static void waste(struct h2_stream *hs, size_t n)
{
	if (hs->wasted + n > H2_WASTE_MAX) {
		h2_waste_end(hs);
		return;
	}
	hs->wasted += n;
	(void)nghttp2_session_consume_stream(hs->h->ng, hs->id, n); /* as above */
}

void h2_waste(struct h2_stream *hs)
{
	struct h2 *h = hs->h;
	const size_t kept = iobuf_len(&hs->in), unconsumed = hs->unconsumed;

	hs->wastes = true;
	hs->since = conn_now(h->c);
	hs->unconsumed = 0;
	h2_held_less(h, kept);
	iobuf_fini(h->c->pool, &hs->in);
	if (hs->s->length > (int64_t)H2_WASTE_MAX)
		h2_waste_end(hs); /* it is told to stop before it has sent that */
	else
		waste(hs, kept + unconsumed);
}

static void give(struct h2_stream *hs, struct slice bytes)
{
	hs->unconsumed += bytes.n;
	stream_give_data(hs->s, bytes);
	h2_consume(hs);
}

void h2_deliver(struct h2_stream *hs)
{
	struct h2 *h = hs->h;
	size_t n;

	hs->pending = false;
	while (hs->s && (n = MIN(iobuf_len(&hs->in), hs->s->credit)) > 0) {
		struct slice bytes = slice_of(hs->in.p + hs->in.off, n);

		give(hs, bytes);
		iobuf_consume(h->c->pool, &hs->in, n);
		h2_held_less(h, n);
	}
	if (hs->s && hs->in_end && iobuf_len(&hs->in) == 0 && !(hs->connect && !hs->s->hijacked))
		stream_give_end(hs->s);
	if (hs->late && iobuf_len(&hs->in) == 0)
		h2_stream_over(hs);
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
		   void *arg)
{
	struct h2 *h = arg;
	struct conn *c = h->c;
	struct h2_stream *hs = nghttp2_session_get_stream_user_data(ng, id);
	struct slice bytes = slice_of((const char *)p, n);
	size_t now;

	h2_guard_work(&h->guard, n, false);
	h->conn_owed += n;
	if (hs && hs->wastes) {
		waste(hs, n);
	} else if (hs && hs->s && !hs->over) {
		hs->since = conn_now(c);
		now = iobuf_len(&hs->in) ? 0 : MIN(n, hs->s->credit);
		if (now > 0) {
			give(hs, slice_of(bytes.p, now));
			bytes = slice_of(bytes.p + now, n - now);
		}
		if (hs->s && bytes.n) {
			iobuf_add(c->pool, &hs->in, bytes.p, bytes.n);
			h->held += bytes.n;
			/* The handler may have granted more meanwhile. */
			if (hs->s->credit)
				h->pending = hs->pending = true;
		}
	}
	h2_held_less(h, 0);
	return c->dead ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static void input_ended(struct h2_stream *hs)
{
	hs->in_end = true;
	/* A server's window updates for many small requests are no attack on us. */
	if (hs->h->c->client)
		h2_guard_work(&hs->h->guard, 0, true);
	h2_deliver(hs);
}

/* ---- frames ---- */

static void head_done(struct h2_stream *hs, const nghttp2_frame *f)
{
	if (hs->h->c->client)
		h2_client_head(hs);
	else
		h2_server_head(hs);
}

static __attribute__((noinline)) void refuse_trailers(struct h2_stream *hs)
{
	struct err err = ERR_INIT;

	(void)err_set(&err, ERR_BAD_REQUEST, "the trailers are too large");
	h2_op_reset(hs->s, &err);
}

static void got_headers(struct h2 *h, struct h2_stream *hs, const nghttp2_frame *f)
{
	h->head_since = 0;
	if (!hs || !hs->s || hs->over)
		return;
	hs->since = conn_now(h->c);
	if (f->hd.flags & NGHTTP2_FLAG_END_STREAM)
		hs->in_end = true;
	if (hs->head_in && hs->too_large) {
		refuse_trailers(hs);
		return;
	}
	if (!hs->head_in)
		head_done(hs, f);
	if (hs->s && hs->in_end)
		input_ended(hs);
}

static void got_settings(struct h2 *h, const nghttp2_frame *f)
{
	if (f->hd.flags & NGHTTP2_FLAG_ACK)
		return;
	if (h->settled) {
		(void)h2_bear(h, H2_CONTROL);
		return;
	}
	h->settled = true;
	while (!list_empty(&h->early)) {
		struct h2_stream *hs = LIST_FIRST(&h->early, struct h2_stream, link);

		list_del(&hs->link);
		list_append(&h->streams, &hs->link);
		h2_client_submit(hs);
	}
	h->pending = true; /* the limit of streams is known: others may come */
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct h2 *h = arg;
	const nghttp2_ext_priority_update *pu;
	struct h2_stream *hs;

	switch (f->hd.type) {
	case NGHTTP2_HEADERS: got_headers(h, STEAL(h->block), f); break;
	case NGHTTP2_DATA:
		hs = nghttp2_session_get_stream_user_data(ng, f->hd.stream_id);
		if (f->hd.length == f->data.padlen && !(f->hd.flags & NGHTTP2_FLAG_END_STREAM))
			(void)h2_bear(h, H2_CONTROL);
		if (hs && hs->s && (f->hd.flags & NGHTTP2_FLAG_END_STREAM))
			input_ended(hs);
		break;
	case NGHTTP2_SETTINGS: got_settings(h, f); break;
	case NGHTTP2_GOAWAY: h->goaway_in = true; break;
	case NGHTTP2_RST_STREAM: (void)h2_bear(h, H2_RESET); break;
	case NGHTTP2_PING:
		if (!(f->hd.flags & NGHTTP2_FLAG_ACK))
			(void)h2_bear(h, H2_CONTROL);
		else if (h->drained && !h->closing)
			h->closing = h->pending = true; /* all that was on its way has come */
		break;
	case NGHTTP2_PRIORITY_UPDATE:
		pu = f->ext.payload;
		hs = nghttp2_session_get_stream_user_data(ng, pu->stream_id);
		if (hs && hs->s && !hs->over)
			h2_set_priority(
				hs, slice_of((const char *)pu->field_value, pu->field_value_len));
		(void)h2_bear(h, H2_CONTROL);
		break;
	case NGHTTP2_WINDOW_UPDATE: (void)h2_bear(h, H2_CONTROL); break;
	default: break;
	}
	return h->c->dead ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* Frames that nghttp2 passes over without telling more: old priorities, unknown types. */
static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
	if (hd->type == NGHTTP2_PRIORITY ||
	    (hd->type > NGHTTP2_CONTINUATION && hd->type != NGHTTP2_PRIORITY_UPDATE))
		(void)h2_bear(arg, H2_CONTROL);
	return 0;
}

static int drop_extension(nghttp2_session *ng, void **payload, const nghttp2_frame_hd *hd,
			  void *arg)
{
	return NGHTTP2_ERR_CANCEL;
}

static int on_stream_closed(nghttp2_session *ng, int32_t id, uint32_t error, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *hs = nghttp2_session_get_stream_user_data(ng, id);

	if (!hs || hs->over || hs->late)
		return 0;
	hs->error = error;
	/* An answer that came faster than it is read is still to be read. */
	hs->late = h->c->client && hs->s && !error && iobuf_len(&hs->in) > 0;
	h->late_n += hs->late;
	if (!hs->late)
		h2_stream_over(hs);
	return 0;
}

void h2_callbacks_receive(nghttp2_session_callbacks *cbs)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(cbs, on_begin_frame);
	nghttp2_session_callbacks_set_unpack_extension_callback(cbs, drop_extension);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cbs, begin_headers);
	nghttp2_session_callbacks_set_on_header_callback2(cbs, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback2(cbs, on_invalid_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cbs, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cbs, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(cbs, on_stream_closed);
}

/* ---- rounds ---- */

static bool give_session(struct h2 *h, const char *p, size_t n)
{
	ssize_t used = n ? nghttp2_session_mem_recv(h->ng, (const uint8_t *)p, n) : 0;

	if (h->c->dead || used >= 0)
		return !h->c->dead;
	conn_fail_text(h->c, ERR_BAD_REQUEST,
		       used == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? "the client does not speak HTTP/2"
		       : used == NGHTTP2_ERR_FLOODED	    ? "the peer floods the connection"
							    : "HTTP/2: the input is broken");
	return false;
}

/*
 * HEADERS for a stream that is over. nghttp2 forgets streams and would pass over it; but only a
 * stream that we reset may still be spoken of (RFC 9113 5.1, 5.1.1).
 */
static void check_old_stream(struct h2 *h, uint32_t id)
{
	if (h->reset_out || nghttp2_session_find_stream(h->ng, (int32_t)id))
		return;
	h->calm = true;
	(void)nghttp2_session_terminate_session(h->ng, NGHTTP2_STREAM_CLOSED); /* only out of memory
										*/
}

/* A frame's header is whole; its first `before` bytes of in were not given to nghttp2 yet. */
static bool look_at_frame(struct h2 *h, struct slice *in, size_t before)
{
	uint32_t id = ((uint32_t)h->next[5] << 24 | (uint32_t)h->next[6] << 16 |
		       (uint32_t)h->next[7] << 8 | h->next[8]) &
		      INT32_MAX;

	h->skip = (uint32_t)h->next[0] << 16 | (uint32_t)h->next[1] << 8 | h->next[2];
	h->next_n = 0;
	/* nghttp2 passes over old priorities altogether. RFC 9113 6.3 */
	if (h->next[3] == NGHTTP2_PRIORITY && id == 0 && !h->calm) {
		h->calm = true;
		(void)nghttp2_session_terminate_session(h->ng, NGHTTP2_PROTOCOL_ERROR);
	}
	if (h->next[3] != NGHTTP2_HEADERS || !(id & 1))
		return true;
	if (id > h->last_id) {
		h->last_id = id;
		return true;
	}
	if (!give_session(h, in->p, before))
		return false;
	*in = slice_of(in->p + before, in->n - before);
	check_old_stream(h, id);
	return true;
}

void h2_feed(struct h2 *h)
{
	struct conn *c = h->c;
	struct slice in =
		c->in.p ? slice_of(c->in.p + c->in.off, iobuf_len(&c->in)) : (struct slice){ 0 };
	size_t at = 0, n;

	while (!c->client && at < in.n) {
		size_t left = in.n;

		n = MIN(in.n - at, (size_t)h->skip);
		h->skip -= (uint32_t)n;
		at += n;
		while (!h->skip && at < in.n && h->next_n < sizeof(h->next))
			h->next[h->next_n++] = (uint8_t)in.p[at++];
		if (h->next_n < sizeof(h->next))
			continue;
		if (!look_at_frame(h, &in, at))
			return;
		at -= left - in.n;
	}
	if (give_session(h, in.p, in.n))
		iobuf_fini(c->pool, &c->in);
}
