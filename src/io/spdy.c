/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SPDY session: frames from below to streams, limits, ends.
 *
 * (1) Every entry runs between spdy_enter and spdy_leave; the session is freed at the outermost
 * leave after it died. (2) A control frame is read whole, at most CONTROL_MAX bytes; data goes on
 * piece by piece. (3) Below gets credit for WINDOW bytes less what is held for streams, and none
 * past conf.hold_max: then the peer's socket fills. (4) Control frames go past the mark of the
 * queue below; a peer that asks for more of them than it reads (SEND_MAX waiting) is cut off.
 */
#include "io/spdy.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "io/spdy-impl.h"

#include <assert.h>

#define CONTROL_MAX 65536u
#define WINDOW 65536u
#define SEND_MAX (1u << 20)

static const struct stream_events below_events;
static int on_timer(struct timer *t);
static void on_kick(struct deferred *d);

/* ---- life ---- */

static void set_defaults(struct spdy_conf *c)
{
	c->streams_max = c->streams_max ? c->streams_max : 1000;
	c->header_max = c->header_max ? c->header_max : 65536;
	c->headers_max = c->headers_max ? c->headers_max : 100;
	c->hold_max = c->hold_max ? c->hold_max : 262144;
	c->queue_mark = c->queue_mark ? c->queue_mark : 131072;
	c->pong_time = c->pong_time ? c->pong_time : 20 * NS_PER_SEC;
}

int spdy_make(struct stream *below, bool client, const struct spdy_conf *conf,
	      const struct spdy_events *ev, void *arg, struct spdy **ret, struct err *err)
{
	struct spdy *p = io_alloc(sizeof(*p));
	int r;

	r = spdy_zlib_init(&p->zlib, err);
	if (r < 0 || stream_is_closed(below)) {
		spdy_zlib_fini(&p->zlib);
		free(p);
		return r < 0 ? r : err_set(err, ERR_UNAVAILABLE, "SPDY: the stream is closed");
	}
	p->below = stream_ref(below);
	p->pool = io_pool_ref(below->pool);
	p->ev = ev;
	p->arg = arg;
	p->conf = conf ? *conf : (struct spdy_conf){ 0 };
	set_defaults(&p->conf);
	p->client = client;
	p->next_id = client ? 1 : 2;
	p->ping_id = p->next_id;
	p->streams_limit = UINT32_MAX;
	p->send_window = p->first_window = SPDY_WINDOW;
	for (unsigned i = 0; i < SPDY_BUCKETS; i++)
		list_init(&p->buckets[i]);
	list_init(&p->streams);
	timer_init(&p->timer, p->pool->loop, on_timer);
	deferred_init(&p->kick, p->pool->loop, on_kick);
	*ret = p;
	return 0;
}

void spdy_begin(struct spdy *p)
{
	p->opened = true;
	p->last_in = loop_now(p->pool->loop);
	if (p->conf.ping_time > 0)
		timer_set(&p->timer, p->last_in + p->conf.ping_time);
	stream_on(p->below, &below_events, p);
	stream_read(p->below, WINDOW);
}

int spdy_start(struct stream *below, bool client, const struct spdy_conf *conf,
	       const struct spdy_events *ev, void *arg, struct spdy **ret, struct err *err)
{
	int r = spdy_make(below, client, conf, ev, arg, ret, err);

	if (r == 0)
		spdy_begin(*ret);
	return r;
}

void spdy_free(struct spdy *p)
{
	struct stream *below = p->below;

	timer_fini(&p->timer);
	deferred_fini(&p->kick);
	iobuf_fini(p->pool, &p->control);
	spdy_zlib_fini(&p->zlib);
	io_pool_unref(p->pool);
	free(p);
	stream_unref(below);
}

void spdy_enter(struct spdy *p)
{
	p->busy++;
}

void spdy_leave(struct spdy *p)
{
	if (--p->busy > 0 || !p->dead)
		return;
	if (p->ev->closed)
		p->ev->closed(p, p->why.code ? &p->why : NULL);
	spdy_free(p);
}

/* No stream is left and none is to come. */
void spdy_check_over(struct spdy *p)
{
	if (!p->dead && (p->going || p->gone_away || p->ended_in) && p->streams_n == 0)
		(void)stream_finish(p->below); /* broken already: closed tells */
}

/* What is below has ended; no more of it. */
static void die(struct spdy *p, const struct err *why)
{
	struct err none = ERR_INIT;
	struct spdy_stream *ss;

	if (p->dead)
		return;
	p->dead = true;
	if (!p->why.code && why && (p->streams_n > 0 || !(p->going || p->gone_away || p->ended_in)))
		p->why = *why;
	if (!p->why.code && p->streams_n > 0)
		(void)err_set(&none, ERR_UNAVAILABLE, "the connection ended");
	while ((ss = LIST_FIRST(&p->streams, struct spdy_stream, turn)))
		spdy_stream_drop(ss, p->why.code ? &p->why : &none);
}

void spdy_abort(struct spdy *p, const struct err *why)
{
	spdy_enter(p);
	if (!p->dead) {
		if (why && !p->why.code)
			p->why = *why;
		stream_reset(p->below, why);
	}
	spdy_leave(p);
}

void spdy_fail(struct spdy *p, enum err_code code, const char *what)
{
	char f[SPDY_HEAD + 8];

	if (p->dead || p->no_control)
		return;
	p->no_control = true;
	(void)err_set(&p->why, code, "SPDY: %s", what);
	spdy_control_put(f, SPDY_GOAWAY, 0, 8);
	spdy_put_u32(f + 8, p->last_id);
	spdy_put_u32(f + 12, 1); /* PROTOCOL_ERROR */
	spdy_send(p, f, slice_of(f + SPDY_HEAD, 8));
	while (p->streams_n > 0)
		spdy_stream_drop(LIST_FIRST(&p->streams, struct spdy_stream, turn), &p->why);
	p->going = true;
	(void)stream_finish(p->below);
}

void spdy_close(struct spdy *p)
{
	char f[SPDY_HEAD + 8];

	if (p->dead || p->going)
		return;
	spdy_enter(p);
	p->going = true;
	spdy_control_put(f, SPDY_GOAWAY, 0, 8);
	spdy_put_u32(f + 8, p->last_id);
	spdy_put_u32(f + 12, 0);
	spdy_send(p, f, slice_of(f + SPDY_HEAD, 8));
	spdy_check_over(p);
	spdy_leave(p);
}

/* ---- queries ---- */

void *spdy_arg(const struct spdy *p)
{
	return p->arg;
}

struct stream *spdy_below(const struct spdy *p)
{
	return p->below;
}

size_t spdy_streams(const struct spdy *p)
{
	return p->streams_n;
}

/* ---- out ---- */

void spdy_send(struct spdy *p, const char *head, struct slice payload)
{
	char small[512] __attribute__((uninitialized));
	CLEANUP_FREE char *heap = NULL;
	char *f = small;
	struct err err = ERR_INIT;

	if (p->dead || stream_is_closed(p->below) || p->below->ended_out)
		return;
	if (payload.n + SPDY_HEAD > sizeof(small))
		f = heap = io_alloc(payload.n + SPDY_HEAD);
	memcpy(f, head, SPDY_HEAD);
	if (payload.n)
		memcpy(f + SPDY_HEAD, payload.p, payload.n);
	if (stream_queued(p->below) > p->below->queue_mark + SEND_MAX) { /* keeps (4) */
		(void)err_set(&err, ERR_UNAVAILABLE,
			      "SPDY: the peer does not read what it asks for");
		spdy_abort(p, &err);
		return;
	}
	(void)p->below->ops->write(p->below, f, payload.n + SPDY_HEAD); /* broken: closed tells */
	if (stream_room(p->below) == 0)
		p->below->blocked = true; /* writable is wanted */
}

static void send_two(struct spdy *p, enum spdy_type type, uint32_t a, uint32_t b)
{
	char f[SPDY_HEAD + 8];

	spdy_control_put(f, type, 0, 8);
	spdy_put_u32(f + 8, a);
	spdy_put_u32(f + 12, b);
	spdy_send(p, f, slice_of(f + SPDY_HEAD, 8));
}

void spdy_send_rst(struct spdy *p, uint32_t id, enum spdy_status status)
{
	send_two(p, SPDY_RST_STREAM, id, status);
}

void spdy_send_window(struct spdy *p, uint32_t id, size_t n)
{
	send_two(p, SPDY_WINDOW_UPDATE, id, (uint32_t)n);
}

static void send_ping(struct spdy *p, uint32_t id)
{
	char f[SPDY_HEAD + 4];

	spdy_control_put(f, SPDY_PING, 0, 4);
	spdy_put_u32(f + 8, id);
	spdy_send(p, f, slice_of(f + SPDY_HEAD, 4));
}

int spdy_open(struct spdy *p, const struct http_header *headers, size_t n, bool fin,
	      const struct stream_events *ev, void *arg, struct stream **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CONTROL_MAX);
	static const char fixed[10];
	struct spdy_stream *ss;
	char head[SPDY_HEAD];
	int r;

	if (!p->opened || p->dead || p->going || p->gone_away || p->next_id > INT32_MAX)
		return err_set(err, ERR_UNAVAILABLE, "SPDY: the session takes no more streams");
	if (p->streams_n - p->theirs_n >= p->streams_limit)
		return err_set(err, ERR_QUOTA, "SPDY: the peer allows %u streams at a time",
			       p->streams_limit);
	(void)buf_add(&b, fixed, sizeof(fixed));
	r = spdy_headers_put(&p->zlib, headers, n, &b, err);
	if (r < 0)
		return r;
	ss = spdy_stream_new(p, p->next_id, false);
	p->next_id += 2;
	stream_on(ss->s, ev, arg);
	*ret = stream_ref(ss->s);
	spdy_put_u32(b.p, ss->id);
	spdy_control_put(head, SPDY_SYN_STREAM, fin ? SPDY_FIN : 0, b.n);
	if (fin)
		ss->end_wanted = ss->fin_out = ss->s->ended_out = true;
	spdy_enter(p);
	spdy_send(p, head, buf_slice(&b));
	spdy_leave(p);
	return 0;
}

/* ---- control frames ---- */

static int read_headers(struct spdy *p, struct slice block, struct stream *s,
			struct spdy_headers *ret)
{
	struct err err = ERR_INIT;
	int r;

	r = spdy_headers_get(&p->zlib, block, s->arena, p->conf.header_max, p->conf.headers_max,
			     ret, &err);
	if (r < 0) {
		p->why = err;
		spdy_fail(p, err.code, strncmp(err.msg, "SPDY: ", 6) == 0 ? err.msg + 6 : err.msg);
	}
	return r;
}

void spdy_reply(struct spdy_stream *ss)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CONTROL_MAX);
	struct spdy *p = ss->p;
	char head[SPDY_HEAD], n[4];

	if (!ss->theirs || ss->replied)
		return;
	ss->replied = true;
	spdy_put_u32(n, ss->id);
	(void)buf_add(&b, n, sizeof(n));
	if (spdy_headers_put(&p->zlib, NULL, 0, &b, NULL) < 0)
		return;
	spdy_control_put(head, SPDY_SYN_REPLY, 0, b.n);
	spdy_send(p, head, buf_slice(&b));
}

static void got_syn_stream(struct spdy *p, struct slice f)
{
	uint32_t id = f.n >= 10 ? spdy_u32(f.p) & INT32_MAX : 0;
	struct spdy_headers h = { 0 };
	struct spdy_stream *ss;
	struct stream *s;
	int r;

	if (f.n < 10 || id <= p->last_id || (id & 1) == p->client) {
		spdy_fail(p, ERR_BAD_REQUEST, "a new stream has a wrong number");
		return;
	}
	p->last_id = id;
	ss = spdy_stream_new(p, id, true);
	s = stream_ref(ss->s);
	if (read_headers(p, slice_of(f.p + 10, f.n - 10), s, &h) == 0) {
		s->headers = h.v;
		s->headers_n = h.n;
		r = p->theirs_n > p->conf.streams_max || p->going || !p->ev->stream ? -ERR_QUOTA
										    : 0;
		/*
		 * First of all, also before data of other streams that the owner may begin to send
		 * now: kubectl reads none before all of its streams are answered.
		 */
		if (r == 0)
			spdy_reply(ss);
		if (r == 0)
			r = p->ev->stream(p, s);
		if (r < 0 && s->conn) {
			spdy_send_rst(p, id, SPDY_REFUSED_STREAM);
			spdy_stream_drop(ss, NULL);
		} else if (s->conn) {
			if (p->head.flags & SPDY_UNIDIRECTIONAL)
				ss->end_wanted = ss->fin_out = s->ended_out = true;
			if (p->head.flags & SPDY_FIN)
				spdy_stream_fin(ss);
		}
	}
	stream_unref(s);
}

/* SYN_REPLY and HEADERS: read in any case, for the zlib stream goes on. */
static void got_headers(struct spdy *p, struct slice f)
{
	uint32_t id = f.n >= 4 ? spdy_u32(f.p) & INT32_MAX : 0;
	struct spdy_stream *ss = spdy_stream_find(p, id);
	CLEANUP(arena_free) struct arena *spare = NULL;
	struct spdy_headers h = { 0 };
	struct stream nobody = { 0 };
	bool first = p->head.type == SPDY_SYN_REPLY;

	if (f.n < 4) {
		spdy_fail(p, ERR_BAD_REQUEST, "a frame is too short");
		return;
	}
	if (!ss) {
		spare = arena_new("SPDY headers", 1 << 20);
		nobody.arena = spare;
	}
	if (read_headers(p, slice_of(f.p + 4, f.n - 4), ss ? ss->s : &nobody, &h) < 0)
		return;
	if (!ss)
		return; /* it was reset meanwhile */
	if (first && (ss->theirs || ss->replied)) {
		spdy_send_rst(p, id, SPDY_STREAM_IN_USE);
		return;
	}
	if (first) {
		CLEANUP(stream_unref) struct stream *s = stream_ref(ss->s);

		ss->replied = true;
		s->headers = h.v;
		s->headers_n = h.n;
		stream_give_head(s);
		if (!s->conn)
			return;
	} else {
		ss->s->trailers = h.v;
		ss->s->trailers_n = h.n;
	}
	if (p->head.flags & SPDY_FIN)
		spdy_stream_fin(ss);
}

static void got_rst(struct spdy *p, struct slice f)
{
	struct spdy_stream *ss = spdy_stream_find(p, spdy_u32(f.p) & INT32_MAX);
	struct err err = ERR_INIT;

	if (!ss)
		return;
	(void)err_set(&err, ERR_UNAVAILABLE, "the peer reset the stream with status %u",
		      spdy_u32(f.p + 4));
	spdy_stream_drop(ss, &err);
}

static void got_settings(struct spdy *p, struct slice f)
{
	uint32_t n = f.n >= 4 ? spdy_u32(f.p) : 0;
	struct spdy_stream *ss;

	if (f.n < 4 || (f.n - 4) / 8 != n || (f.n - 4) % 8 != 0) {
		spdy_fail(p, ERR_BAD_REQUEST, "a SETTINGS frame has a wrong length");
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = spdy_u32(f.p + 4 + 8 * i) & 0xffffff;
		uint32_t v = spdy_u32(f.p + 8 + 8 * i);

		if (id == SPDY_SETTING_STREAMS)
			p->streams_limit = v;
		if (id != SPDY_SETTING_WINDOW || v > INT32_MAX)
			continue;
		LIST_FOREACH (ss, &p->streams, struct spdy_stream, turn)
			ss->send_window += (int64_t)v - p->first_window;
		p->first_window = v;
		deferred_call(&p->kick);
	}
}

static void got_ping(struct spdy *p, uint32_t id)
{
	bool ours = (id & 1) == (p->ping_id & 1);

	if (!ours) /* else it answers one of ours; that it came is enough */
		send_ping(p, id);
}

static void got_goaway(struct spdy *p)
{
	if (p->gone_away)
		return;
	p->gone_away = true;
	if (p->ev->goaway)
		p->ev->goaway(p);
}

static void got_window(struct spdy *p, struct slice f)
{
	uint32_t id = spdy_u32(f.p) & INT32_MAX, n = spdy_u32(f.p + 4) & INT32_MAX;
	struct spdy_stream *ss = spdy_stream_find(p, id);
	int64_t *window = id == 0 ? &p->send_window : ss ? &ss->send_window : NULL;

	if (!p->conf.windows || !window)
		return;
	if (n == 0 || *window + n > INT32_MAX) {
		if (ss)
			spdy_send_rst(p, id, SPDY_FLOW_CONTROL_ERROR);
		if (ss)
			spdy_stream_drop(ss, NULL);
		else
			spdy_fail(p, ERR_BAD_REQUEST, "a window grows past its maximum");
		return;
	}
	*window += n;
	deferred_call(&p->kick);
}

static void got_control(struct spdy *p)
{
	struct slice f =
		slice_of(p->control.p ? p->control.p + p->control.off : "", iobuf_len(&p->control));
	size_t want = p->head.type == SPDY_PING ? 4 : 8;

	switch (p->head.type) {
	case SPDY_SYN_STREAM: got_syn_stream(p, f); return;
	case SPDY_SYN_REPLY:
	case SPDY_HEADERS: got_headers(p, f); return;
	case SPDY_SETTINGS: got_settings(p, f); return;
	case SPDY_RST_STREAM:
	case SPDY_PING:
	case SPDY_GOAWAY:
	case SPDY_WINDOW_UPDATE: break;
	default: return; /* unknown ones are skipped (2.2.1) */
	}
	if (f.n != want) {
		spdy_fail(p, ERR_BAD_REQUEST, "a control frame has a wrong length");
		return;
	}
	if (p->head.type == SPDY_RST_STREAM)
		got_rst(p, f);
	else if (p->head.type == SPDY_PING)
		got_ping(p, spdy_u32(f.p));
	else if (p->head.type == SPDY_GOAWAY)
		got_goaway(p);
	else
		got_window(p, f);
}

/* ---- in ---- */

static void got_data(struct spdy *p, struct slice bytes, bool last)
{
	struct spdy_stream *ss = spdy_stream_find(p, p->head.id);
	CLEANUP(stream_unref) struct stream *s = ss ? stream_ref(ss->s) : NULL;

	if (p->conf.windows && bytes.n > 0) {
		p->unacked += bytes.n;
		if (p->unacked >= SPDY_WINDOW / 2) {
			spdy_send_window(p, 0, p->unacked);
			p->unacked = 0;
		}
	}
	if (!ss) {
		/* One that was open is over for us; it may be on its way still. */
		if (last && ((p->head.id & 1) == p->client ? p->head.id >= p->next_id
							   : p->head.id > p->last_id))
			spdy_send_rst(p, p->head.id, SPDY_INVALID_STREAM);
		return;
	}
	ss->recv_window -= (int64_t)bytes.n;
	if (p->conf.windows && ss->recv_window < 0) {
		spdy_send_rst(p, ss->id, SPDY_FLOW_CONTROL_ERROR);
		spdy_stream_drop(ss, NULL);
		return;
	}
	if (bytes.n > 0)
		spdy_stream_data(ss, bytes);
	if (!s->conn)
		return;
	if (last && (p->head.flags & SPDY_FIN))
		spdy_stream_fin(ss);
	else if (ss->unacked >= SPDY_WINDOW / 2)
		spdy_stream_pump(ss);
}

static size_t take_head(struct spdy *p, struct slice in)
{
	size_t n = MIN(in.n, (size_t)(SPDY_HEAD - p->head_n));

	memcpy(p->head_bytes + p->head_n, in.p, n);
	p->head_n += (unsigned)n;
	if (p->head_n < SPDY_HEAD)
		return n;
	p->head_n = 0;
	if (spdy_head_parse(&p->head, p->head_bytes) < 0) {
		spdy_fail(p, ERR_UNSUPPORTED, "a frame of another version");
		return n;
	}
	if (p->head.type == SPDY_DATA && p->head.id == 0)
		spdy_fail(p, ERR_BAD_REQUEST, "data of stream 0");
	else if (p->head.type != SPDY_DATA && p->head.length > CONTROL_MAX)
		spdy_fail(p, ERR_TOO_LARGE, "a control frame is too large");
	p->in_frame = true;
	p->left = p->head.length;
	return n;
}

static size_t take_payload(struct spdy *p, struct slice in)
{
	size_t n = MIN(in.n, (size_t)p->left);
	bool last;

	p->left -= (uint32_t)n;
	last = p->left == 0;
	p->in_frame = !last;
	if (p->head.type == SPDY_DATA) {
		got_data(p, slice_of(in.p, n), last);
		return n;
	}
	iobuf_add(p->pool, &p->control, in.p, n);
	if (last) {
		got_control(p);
		iobuf_fini(p->pool, &p->control);
	}
	return n;
}

void spdy_grant(struct spdy *p)
{
	struct stream *s = p->below;

	if (!p->dead && !stream_is_closed(s) && p->held < p->conf.hold_max &&
	    s->credit < WINDOW / 2)
		stream_read(s, WINDOW - s->credit);
}

static void on_data(struct stream *s, struct slice bytes)
{
	struct spdy *p = s->arg;
	size_t used = 0;

	spdy_enter(p);
	if (p->ping_sent > p->last_in) /* answered: the next one by ping_time again */
		timer_set(&p->timer, loop_now(p->pool->loop) + p->conf.ping_time);
	p->last_in = loop_now(p->pool->loop);
	while (!p->dead && !p->no_control && (used < bytes.n || (p->in_frame && p->left == 0))) {
		struct slice rest = slice_of(bytes.p + used, bytes.n - used);

		used += p->in_frame ? take_payload(p, rest) : take_head(p, rest);
	}
	spdy_check_over(p);
	spdy_grant(p);
	spdy_leave(p);
}

static void on_end(struct stream *s)
{
	struct spdy *p = s->arg;

	p->ended_in = true;
	if (p->streams_n > 0 || !p->why.code)
		(void)stream_finish(s);
}

/* Each stream once, in turn; one that sends goes to the end of the list. */
static void pump_all(struct spdy *p)
{
	size_t n = p->streams_n;

	spdy_enter(p);
	for (size_t i = 0; i < n && !p->dead && !list_empty(&p->streams); i++) {
		struct spdy_stream *ss = LIST_FIRST(&p->streams, struct spdy_stream, turn);

		list_del(&ss->turn);
		list_append(&p->streams, &ss->turn);
		spdy_stream_pump(ss);
	}
	spdy_check_over(p);
	spdy_grant(p);
	spdy_leave(p);
}

static void on_writable(struct stream *s)
{
	struct spdy *p = s->arg;
	size_t before;

	spdy_enter(p);
	do { /* until the queue below is at its mark again, or nothing waits */
		before = stream_queued(s);
		pump_all(p);
	} while (!p->dead && stream_room(s) > 0 && stream_queued(s) > before);
	spdy_leave(p);
}

static void on_kick(struct deferred *d)
{
	pump_all(CONTAINER_OF(d, struct spdy, kick));
}

void spdy_below_closed(struct stream *s, const struct err *why)
{
	struct spdy *p = s->arg;

	spdy_enter(p);
	die(p, why);
	spdy_leave(p);
}

static const struct stream_events below_events = {
	.data = on_data, .end = on_end, .writable = on_writable, .closed = spdy_below_closed
};

/* ---- keep-alive ---- */

static int on_timer(struct timer *t)
{
	struct spdy *p = CONTAINER_OF(t, struct spdy, timer);
	int64_t now = loop_now(p->pool->loop), due = p->last_in + p->conf.ping_time;
	struct err err = ERR_INIT;

	if (p->held >= p->conf.hold_max)
		p->last_in = now; /* we do not read: nothing can be said about the peer */
	if (p->ping_sent > p->last_in) {
		due = p->ping_sent + p->conf.pong_time;
		if (now >= due) {
			(void)err_set(&err, ERR_TIMEOUT,
				      "SPDY: the peer did not answer a ping in time");
			spdy_abort(p, &err);
			return 0;
		}
	} else if (now >= due) {
		p->ping_sent = now;
		due = now + p->conf.pong_time;
		timer_set(t, due); /* sending may end the session */
		send_ping(p, p->ping_id);
		p->ping_id += 2;
		return 0;
	}
	timer_set(t, due);
	return 0;
}
