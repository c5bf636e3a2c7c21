/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/2 codec's frame: session, rounds, time-outs, graceful end (see h2.h). */
#include "io/h2.h"

#include "base/clock.h"
#include "base/err.h"

#define LINGER_TIME (2 * NS_PER_SEC)

static int64_t min_time(int64_t a, int64_t b)
{
	return a == 0 ? b : b == 0 ? a : MIN(a, b);
}

/* How often streams are looked at for their time-outs. */
static int64_t check_interval(const struct conn_conf *k)
{
	int64_t t = min_time(min_time(k->head_time, k->body_time), k->write_time);

	return t ? t / 4 + 1 : 0;
}

/* ---- life ---- */

static const nghttp2_session_callbacks *callbacks(void)
{
	static nghttp2_session_callbacks *cbs; /* constant once made */

	if (!cbs) {
		if (nghttp2_session_callbacks_new(&cbs) != 0)
			abort();
		h2_callbacks_receive(cbs);
		h2_callbacks_send(cbs);
	}
	return cbs;
}

static size_t settings(nghttp2_settings_entry v[8], const struct conn *c)
{
	size_t n = 0;

	v[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
					   (uint32_t)MIN(c->conf->limits.head_max,
							 (size_t)1 << 24) };
	v[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW };
	if (c->client) {
		v[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 };
		v[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0 };
		return n;
	}
	v[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
					   (uint32_t)c->conf->streams_max };
	v[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 };
	v[n++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 };
	return n;
}

static const nghttp2_option *options(void)
{
	static nghttp2_option *o; /* constant once made */

	if (o)
		return o;
	if (nghttp2_option_new(&o) != 0)
		abort();
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_max_outbound_ack(o, 500);
	nghttp2_option_set_max_settings(o, 32);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_max_deflate_dynamic_table_size(o, 4096);
	nghttp2_option_set_max_send_header_block_length(o, 1 << 20);
	nghttp2_option_set_peer_max_concurrent_streams(o, 100);
	nghttp2_option_set_builtin_recv_extension_type(o, NGHTTP2_PRIORITY_UPDATE);
	/* Frames of types that nobody knows are ignored, but counted. */
	for (int type = NGHTTP2_CONTINUATION + 1; type < 256; type++) {
		if (type != NGHTTP2_PRIORITY_UPDATE)
			nghttp2_option_set_user_recv_extension_type(o, (uint8_t)type);
	}
	return o;
}

static nghttp2_session *session_new(struct h2 *h)
{
	nghttp2_mem *mem = h2_mem_nghttp2(h2_mem_of(h->c->pool));
	nghttp2_session *ng;
	int r = h->c->client ? nghttp2_session_client_new3(&ng, callbacks(), h, options(), mem)
			     : nghttp2_session_server_new3(&ng, callbacks(), h, options(), mem);

	if (r != 0)
		abort(); /* out of memory */
	return ng;
}

static struct h2 *h2_new(struct conn *c)
{
	struct h2 *h = io_alloc(sizeof(*h));

	h->c = c;
	list_init(&h->streams);
	list_init(&h->over);
	list_init(&h->early);
	h->window = H2_WINDOW;
	h->skip = c->client ? 0 : NGHTTP2_CLIENT_MAGIC_LEN;
	h->check_at = conn_now(c);
	h2_guard_init(&h->guard, conn_now(c));
	h->ng = session_new(h);
	return h;
}

static void attach(struct conn *c, struct h2 *h)
{
	c->h2 = h;
	c->codec = &codec_h2;
	c->since = conn_now(c);
}

void h2_attach(struct conn *c)
{
	struct h2 *h = h2_new(c);
	nghttp2_settings_entry iv[8];

	if (nghttp2_submit_settings(h->ng, NGHTTP2_FLAG_NONE, iv, settings(iv, c)) != 0)
		abort(); /* out of memory */
	attach(c, h);
}

int h2_upgrade(struct conn *c, struct stream *s, struct slice payload)
{
	struct h2 *h = h2_new(c);
	struct h2_stream *hs;
	nghttp2_settings_entry iv[8];
	uint8_t raw[64];
	bool head = strcmp(s->rq.method, "HEAD") == 0;

	if (c->client) {
		ssize_t n = nghttp2_pack_settings_payload(raw, sizeof(raw), iv, settings(iv, c));

		payload = slice_of((char *)raw, n > 0 ? (size_t)n : 0);
	}
	if (nghttp2_session_upgrade2(h->ng, (const uint8_t *)payload.p, payload.n, head, NULL) !=
	    0) {
		nghttp2_session_del(h->ng);
		free(h);
		return -ERR_BAD_REQUEST;
	}
	if (!c->client &&
	    nghttp2_submit_settings(h->ng, NGHTTP2_FLAG_NONE, iv, settings(iv, c)) != 0)
		abort(); /* out of memory */
	attach(c, h);
	s->ops = c->client ? &h2_client_ops : &h2_server_ops;
	hs = h2_stream_new(h, s, 1);
	hs->head_in = !c->client;
	hs->in_end = !c->client;
	hs->out_end = hs->end_sent = c->client;
	(void)nghttp2_session_set_stream_user_data(h->ng, 1, hs); /* it is there */
	return 0;
}

size_t h2_settings_token(char *dst, size_t n, const struct conn_conf *conf)
{
	static const char abc[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const struct conn like = { .client = true, .conf = conf };
	nghttp2_settings_entry iv[8];
	uint8_t raw[64];
	size_t out = 0;
	ssize_t len = nghttp2_pack_settings_payload(raw, sizeof(raw), iv, settings(iv, &like));

	for (ssize_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)raw[i] << 16 |
			     (i + 1 < len ? (uint32_t)raw[i + 1] << 8 : 0) |
			     (i + 2 < len ? raw[i + 2] : 0);
		int digits = i + 2 < len ? 4 : i + 1 < len ? 3 : 2;

		for (int d = 0; d < digits && out + 1 < n; d++)
			dst[out++] = abc[v >> (18 - 6 * d) & 63];
	}
	dst[out] = '\0';
	return out;
}

static void h2_fini(struct conn *c)
{
	struct h2 *h = c->h2;
	struct list *lists[] = { &h->streams, &h->over, &h->early };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		while (!list_empty(lists[i]))
			h2_stream_free(LIST_FIRST(lists[i], struct h2_stream, link));
	}
	nghttp2_session_del(h->ng);
	free(h);
	c->h2 = NULL;
}

unsigned h2_room(const struct conn *c)
{
	const struct h2 *h = c->h2;
	uint32_t max = h->settled ? nghttp2_session_get_remote_settings(
					    h->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
				  : 100;

	max = MIN(max, (uint32_t)c->conf->streams_max);
	if (h2_is_closing(c) || h->streams_n >= max)
		return 0;
	return max - h->streams_n;
}

bool h2_is_closing(const struct conn *c)
{
	const struct h2 *h = c->h2;

	return c->dead || c->broken || c->eof || h->closing || h->drained || h->goaway_in ||
	       !nghttp2_session_check_request_allowed(h->ng);
}

/* ---- ends ---- */

/* Errors are large and zeroed: the usual end does without one. */
static bool tell_whole(struct h2_stream *hs)
{
	struct stream *s = hs->s;

	if (!s || !hs->end_sent || !hs->in_end || hs->error)
		return false;
	hs->s = NULL;
	h2_stream_free(hs);
	stream_close(s, NULL);
	return true;
}

static __attribute__((noinline)) void tell_over(struct h2_stream *hs)
{
	struct h2 *h = hs->h;
	struct stream *s = STEAL(hs->s);
	struct err err = ERR_INIT;
	bool whole = s && hs->end_sent && hs->in_end;

	if (s && hs->error == NGHTTP2_REFUSED_STREAM)
		(void)err_set(&err, ERR_UNAVAILABLE, "the server refused the stream");
	else if (s && (hs->error || !whole))
		(void)err_set(&err, ERR_UNAVAILABLE, "the peer reset the stream: %s",
			      nghttp2_http2_strerror(hs->error));
	/* A server that answered and asks not to send the rest (NO_ERROR) has answered. */
	if (s && (whole || (hs->error == NGHTTP2_NO_ERROR && s->ended_in)))
		err = ERR_INIT;
	if (s && err.code && h->c->client && hs->error == NGHTTP2_REFUSED_STREAM &&
	    h->c->role->retry(h->c, s, &err)) {
		h2_stream_free(hs);
		return;
	}
	if (s)
		s->unseen = hs->error == NGHTTP2_REFUSED_STREAM;
	h2_stream_free(hs);
	if (s)
		stream_close(s, err.code ? &err : NULL);
}

/* keeps (2) */
static void bury(struct h2 *h)
{
	struct conn *c = h->c;
	bool any = false;

	while (!c->dead && !list_empty(&h->over)) {
		struct h2_stream *hs = LIST_FIRST(&h->over, struct h2_stream, link);

		if (!tell_whole(hs))
			tell_over(hs);
		any = true;
	}
	if (!any || c->dead)
		return;
	if (h->streams_n == 0)
		c->since = conn_now(c);
	c->role->idle(c);
}

static void close_if_over(struct h2 *h)
{
	struct conn *c = h->c;

	if (c->dead)
		return;
	if (c->broken) {
		conn_fail_text(c, ERR_UNAVAILABLE, "the peer closed the connection");
		return;
	}
	if (c->out_blocked || iobuf_len(&c->out) > 0)
		return;
	if ((h->closing || (h->goaway_in && c->client)) && h->streams_n == 0 && !h->calm) {
		h->closing = true;
		h->calm = true;
		(void)nghttp2_session_terminate_session(h->ng, NGHTTP2_NO_ERROR);
		h2_send(h);
		if (c->dead || c->out_blocked)
			return;
	}
	if (h->late_n && !c->eof)
		return; /* it is read first, whatever nghttp2 thinks of the rest */
	if (nghttp2_session_want_read(h->ng) || nghttp2_session_want_write(h->ng)) {
		if (c->eof)
			conn_fail_text(c, ERR_UNAVAILABLE, "the peer closed the connection");
		return;
	}
	/* GOAWAY is out. The peer reads it before the end; streams that are left end with us. */
	if (h->streams_n > 0 || c->eof || c->client) {
		conn_fail_text(c, ERR_UNAVAILABLE, "the HTTP/2 connection was ended by an error");
		return;
	}
	if (!c->out_closed)
		c->since = conn_now(c);
	conn_shut_output(c);
}

static void h2_failed(struct conn *c, const struct err *why)
{
	struct h2 *h = c->h2;
	struct list *lists[] = { &h->over, &h->streams, &h->early };
	struct h2_stream *hs;
	struct err err = ERR_INIT;

	(void)err_set(&err, ERR_UNAVAILABLE, "the connection was closed");
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		LIST_FOREACH (hs, lists[i], struct h2_stream, link) {
			struct stream *s = STEAL(hs->s);

			if (s && !(c->role->retry && c->role->retry(c, s, why ? why : &err)))
				stream_close(s, why ? why : &err);
		}
	}
}

/* ---- rounds ---- */

static void deliver(struct h2 *h)
{
	struct h2_stream *hs, *again;

	h->pending = false;
	do {
		again = NULL;
		LIST_FOREACH (hs, &h->streams, struct h2_stream, link) {
			if (hs->pending) {
				again = hs;
				break;
			}
		}
		if (again)
			h2_deliver(again);
	} while (again && !h->c->dead);
	if (!h->c->dead && h->c->client)
		h->c->role->idle(h->c);
}

static bool has_room(const struct h2_stream *hs)
{
	return hs->s && hs->s->blocked && hs->whole.n + iobuf_len(&hs->out) < hs->s->queue_mark;
}

/* Who was told to stop goes on; each once a round. */
static void give_room(struct h2 *h)
{
	struct h2_stream *hs;
	unsigned n = h->streams_n;

	while (n-- > 0 && !h->c->dead) {
		struct h2_stream *found = NULL;

		LIST_FOREACH (hs, &h->streams, struct h2_stream, link) {
			if (has_room(hs)) {
				found = hs;
				break;
			}
		}
		if (!found)
			return;
		/* To the end of the list: the others first, should it fill its queue again. */
		list_del(&found->link);
		list_append(&h->streams, &found->link);
		stream_give_writable(found->s);
	}
}

/* What is to be done without an event: at the end of the round. */
static void look_again(struct h2 *h)
{
	struct h2_stream *hs;

	if (h->c->broken || !list_empty(&h->over) || h->pending) {
		deferred_call(&h->c->kick);
		return;
	}
	LIST_FOREACH (hs, &h->streams, struct h2_stream, link) {
		if (has_room(hs)) {
			deferred_call(&h->c->kick);
			return;
		}
	}
}

static void h2_run(struct conn *c)
{
	struct h2 *h = c->h2;

	if (h->closing && c->out_closed) {
		iobuf_fini(c->pool, &c->in);
		if (c->eof || c->broken)
			conn_fail(c, NULL);
		return;
	}
	h2_feed(h);
	if (!c->dead && h->pending)
		deliver(h);
	if (!c->dead)
		h2_send(h);
	if (!c->dead)
		bury(h);
	if (!c->dead)
		give_room(h);
	if (!c->dead && nghttp2_session_want_write(h->ng))
		h2_send(h);
	if (!c->dead)
		look_again(h);
	close_if_over(h);
}

static void h2_leave(struct conn *c)
{
	struct h2 *h = c->h2;

	if (c->dead)
		return;
	h2_send(h);
	if (!c->dead)
		look_again(h);
}

static bool h2_wants_input(const struct conn *c)
{
	return !c->broken;
}

static void h2_received(struct conn *c, bool was_empty)
{
	c->h2->heard = conn_now(c);
	c->h2->pinged = 0;
}

static void h2_hangup(struct conn *c, bool both)
{
	if (both)
		c->eof = true;
}

static bool h2_out_broken(struct conn *c)
{
	return true;
}

/* ---- time ---- */

/* When a PING, or the lack of its answer, is due. */
static int64_t ping_due(const struct h2 *h)
{
	const struct conn_conf *k = h->c->conf;

	if (!h->c->client || !k->ping_time)
		return INT64_MAX;
	return h->pinged ? h->pinged + k->ping_timeout : h->heard + k->ping_time;
}

static int64_t h2_deadline(const struct conn *c)
{
	const struct h2 *h = c->h2;
	const struct conn_conf *k = c->conf;
	int64_t every = check_interval(k);

	if (h->closing && c->out_closed)
		return c->since + LINGER_TIME;
	if (h->streams_n > 0)
		return MIN(every ? h->check_at + every : INT64_MAX, ping_due(h));
	return conn_after(c->since, h->settled || c->client ? k->idle_time : k->head_time);
}

/* Why hs has had its time; NULL if it has not. */
static const char *overdue(const struct h2_stream *hs, const struct conn_conf *k, int64_t now)
{
	const struct conn *c = hs->h->c;
	bool sends = hs->whole.n || iobuf_len(&hs->out);

	if (!hs->s || hs->s->hijacked)
		return NULL;
	if (c->client && hs->end_sent && !hs->head_in && conn_after(hs->since, k->head_time) <= now)
		return "the peer did not answer in time";
	if (!c->client && !hs->head_in && conn_after(hs->since, k->head_time) <= now)
		return "the request did not arrive in time";
	if (sends && (!hs->streamed || k->write_time_always) &&
	    conn_after(hs->since, k->write_time) <= now)
		return "the peer does not read what is sent";
	if (hs->head_in && !hs->in_end && hs->s->credit > 0 && iobuf_len(&hs->in) == 0 && !sends &&
	    !hs->end_sent && conn_after(hs->since, k->body_time) <= now)
		return "the peer stopped sending in the middle of a body";
	return NULL;
}

/* True: the peer has said nothing for too long, and the connection is over. */
static bool check_ping(struct h2 *h)
{
	struct conn *c = h->c;

	if (ping_due(h) > conn_now(c))
		return false;
	if (h->pinged) {
		conn_fail_text(c, ERR_UNAVAILABLE, "the peer does not answer pings");
		return true;
	}
	h->pinged = conn_now(c);
	(void)nghttp2_submit_ping(h->ng, NGHTTP2_FLAG_NONE, NULL); /* only out of memory */
	return false;
}

static void h2_timeout(struct conn *c)
{
	struct h2 *h = c->h2;
	struct h2_stream *hs;
	struct err err = ERR_INIT;
	const char *why;

	h->check_at = conn_now(c);
	if (h->closing && c->out_closed) {
		conn_fail(c, NULL);
		return;
	}
	if (h->streams_n == 0) {
		h->closing = true;
		deferred_call(&c->kick);
		/* A peer that takes nothing does not hold us. */
		if (c->out_blocked)
			conn_fail(c, NULL);
		return;
	}
	if (check_ping(h))
		return;
	if (h->head_since && conn_after(h->head_since, c->conf->head_time) <= conn_now(c)) {
		conn_fail_text(c, ERR_TIMEOUT, "a header block did not arrive in time");
		return;
	}
	if (c->out_blocked && !list_empty(&h->streams) &&
	    conn_after(c->out_since, 2 * c->conf->write_time) <= conn_now(c) &&
	    c->conf->write_time_always) {
		conn_fail_text(c, ERR_TIMEOUT, "the peer does not read what is sent");
		return;
	}
again:
	LIST_FOREACH (hs, &h->streams, struct h2_stream, link) {
		if (hs->wastes && hs->wasted <= H2_WASTE_MAX &&
		    conn_after(hs->since, c->conf->body_time) <= conn_now(c)) {
			h2_waste_end(hs);
			deferred_call(&c->kick);
		}
		why = overdue(hs, c->conf, conn_now(c));
		if (why) {
			(void)err_set(&err, ERR_TIMEOUT, "%s", why);
			h2_op_reset(hs->s, &err); /* may change the list */
			goto again;
		}
	}
}

static void h2_drain(struct conn *c)
{
	struct h2 *h = c->h2;

	if (h->drained)
		return;
	h->drained = true;
	/*
	 * First "no more, please", then a PING: what the client began before it read that is
	 * served. Its answer to the PING is the moment for the last GOAWAY. RFC 9113 6.8
	 */
	conn_enter(c);
	(void)nghttp2_submit_shutdown_notice(h->ng);
	(void)nghttp2_submit_ping(h->ng, NGHTTP2_FLAG_NONE, NULL);
	conn_leave(c);
}

const struct codec codec_h2 = {
	.wants_input = h2_wants_input,
	.deadline = h2_deadline,
	.timeout = h2_timeout,
	.received = h2_received,
	.run = h2_run,
	.leave = h2_leave,
	.hangup = h2_hangup,
	.out_broken = h2_out_broken,
	.failed = h2_failed,
	.drain = h2_drain,
	.fini = h2_fini,
};
