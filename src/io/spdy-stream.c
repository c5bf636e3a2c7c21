/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams of a SPDY session: DATA frames in and out behind the interface of io/stream.h.
 *
 * What a stream writes goes below at once while there is room (and window); else it waits here, at
 * most its mark and one write, and leaves in turn with the other streams.
 */
#include "base/err.h"
#include "io/spdy-impl.h"

#define FRAME_MAX 16384u

static const struct stream_ops ops;

struct spdy_stream *spdy_stream_new(struct spdy *p, uint32_t id, bool theirs)
{
	struct spdy_stream *ss = io_alloc(sizeof(*ss));

	ss->p = p;
	ss->id = id;
	ss->theirs = theirs;
	ss->send_window = p->first_window;
	ss->recv_window = SPDY_WINDOW;
	ss->s = stream_new(p->pool, &ops, ss);
	ss->s->peer = p->below->peer;
	ss->s->client = !theirs;
	ss->s->hijacked = ss->s->head_sent = true; /* raw bytes both ways */
	ss->s->queue_mark = p->conf.queue_mark;
	list_append(&p->buckets[id / 2 % SPDY_BUCKETS], &ss->bucket);
	list_append(&p->streams, &ss->turn);
	p->streams_n++;
	p->theirs_n += theirs;
	return ss;
}

struct spdy_stream *spdy_stream_find(struct spdy *p, uint32_t id)
{
	struct spdy_stream *ss;

	LIST_FOREACH (ss, &p->buckets[id / 2 % SPDY_BUCKETS], struct spdy_stream, bucket)
		if (ss->id == id)
			return ss;
	return NULL;
}

static void unhold(struct spdy_stream *ss, size_t n)
{
	ss->p->held -= n;
	iobuf_consume(ss->p->pool, &ss->in, n);
}

void spdy_stream_drop(struct spdy_stream *ss, const struct err *why)
{
	struct spdy *p = ss->p;
	struct stream *s = ss->s;

	list_del(&ss->bucket);
	list_del(&ss->turn);
	p->streams_n--;
	p->theirs_n -= ss->theirs;
	p->held -= iobuf_len(&ss->in);
	iobuf_fini(p->pool, &ss->in);
	iobuf_fini(p->pool, &ss->out);
	free(ss);
	stream_close(s, why);
}

bool spdy_stream_settle(struct spdy_stream *ss)
{
	if (ss->s->finished && ss->fin_out && !ss->fin_in) {
		/* Nobody wants what the peer still has to say. */
		spdy_send_rst(ss->p, ss->id, SPDY_CANCEL);
		ss->fin_in = true;
	}
	if (!ss->fin_out || !ss->fin_in || (!ss->s->ended_in && !ss->s->finished))
		return false;
	spdy_stream_drop(ss, NULL);
	return true;
}

/* ---- out ---- */

static size_t may_send(const struct spdy_stream *ss)
{
	const struct spdy *p = ss->p;
	size_t n = stream_room(p->below) > 0 ? FRAME_MAX : 0;

	if (!p->conf.windows)
		return n;
	if (ss->send_window <= 0 || p->send_window <= 0)
		return 0;
	return MIN(n, (size_t)MIN(ss->send_window, p->send_window));
}

/* Sends a frame of at most n bytes; the rest of them, by number. */
static size_t send_some(struct spdy_stream *ss, const char *bytes, size_t n)
{
	size_t k = MIN(n, may_send(ss));
	char head[SPDY_HEAD];

	if (k == 0)
		return n;
	spdy_data_put(head, ss->id, 0, k);
	spdy_send(ss->p, head, slice_of(bytes, k));
	ss->send_window -= (int64_t)k;
	ss->p->send_window -= (int64_t)k;
	return n - k;
}

static void send_fin(struct spdy_stream *ss)
{
	char head[SPDY_HEAD];

	if (!ss->end_wanted || ss->fin_out || iobuf_len(&ss->out) > 0)
		return;
	ss->fin_out = true;
	spdy_data_put(head, ss->id, SPDY_FIN, 0);
	spdy_send(ss->p, head, (struct slice){ 0 });
}

static void pump_out(struct spdy_stream *ss)
{
	size_t n = iobuf_len(&ss->out), rest;

	if (n > 0) {
		rest = send_some(ss, ss->out.p + ss->out.off, n);
		iobuf_consume(ss->p->pool, &ss->out, n - rest);
		if (rest < n) { /* the others first */
			list_del(&ss->turn);
			list_append(&ss->p->streams, &ss->turn);
		}
	}
	send_fin(ss);
}

static bool wants_room(const struct spdy_stream *ss)
{
	return ss->s->blocked && iobuf_len(&ss->out) < ss->s->queue_mark && may_send(ss) > 0;
}

/* ---- in ---- */

void spdy_stream_data(struct spdy_stream *ss, struct slice bytes)
{
	struct spdy *p = ss->p;
	size_t n;

	if (ss->s->finished || ss->fin_in)
		return;
	n = iobuf_len(&ss->in) > 0 ? 0 : MIN(bytes.n, ss->s->credit);
	if (n > 0) {
		struct stream *s = stream_ref(ss->s);
		bool closed;

		stream_give_data(s, slice_of(bytes.p, n));
		closed = s->conn == NULL;
		stream_unref(s);
		if (closed)
			return;
		if (p->conf.windows)
			ss->unacked += n;
	}
	if (n < bytes.n) {
		iobuf_add(p->pool, &ss->in, bytes.p + n, bytes.n - n);
		p->held += bytes.n - n;
	}
}

static void give_end(struct spdy_stream *ss)
{
	if (ss->fin_in && iobuf_len(&ss->in) == 0 && !ss->s->ended_in)
		stream_give_end(ss->s);
}

void spdy_stream_fin(struct spdy_stream *ss)
{
	struct stream *s = stream_ref(ss->s);

	if (!ss->fin_in) {
		ss->fin_in = true;
		give_end(ss);
		if (s->conn)
			(void)spdy_stream_settle(ss);
	}
	stream_unref(s);
}

static void pump_in(struct spdy_stream *ss)
{
	struct stream *s = ss->s;
	size_t n = MIN(iobuf_len(&ss->in), s->credit);

	if (n > 0) {
		stream_give_data(s, slice_of(ss->in.p + ss->in.off, n));
		if (!s->conn)
			return;
		unhold(ss, n);
		if (ss->p->conf.windows)
			ss->unacked += n;
	}
	give_end(ss);
}

void spdy_stream_pump(struct spdy_stream *ss)
{
	struct stream *s = stream_ref(ss->s);

	if (s->finished && iobuf_len(&ss->in) > 0)
		unhold(ss, iobuf_len(&ss->in));
	pump_in(ss);
	if (s->conn && ss->unacked >= SPDY_WINDOW / 2) {
		spdy_send_window(ss->p, ss->id, ss->unacked);
		ss->recv_window += (int64_t)ss->unacked;
		ss->unacked = 0;
	}
	if (s->conn)
		pump_out(ss);
	if (s->conn && wants_room(ss))
		stream_give_writable(s);
	if (s->conn)
		(void)spdy_stream_settle(ss);
	stream_unref(s);
}

/* ---- what a stream asks for ---- */

static void op_credit(struct stream *s)
{
	struct spdy_stream *ss = s->conn;

	if (iobuf_len(&ss->in) > 0 || ss->fin_in || s->finished)
		deferred_call(&ss->p->kick);
}

static int op_write(struct stream *s, const void *bytes, size_t n)
{
	struct spdy_stream *ss = s->conn;
	struct spdy *p = ss->p;
	const char *at = bytes;
	size_t rest = n, before;

	if (p->dead)
		return -ERR_UNAVAILABLE;
	spdy_enter(p);
	while (rest > 0 && iobuf_len(&ss->out) == 0) {
		before = rest;
		rest = send_some(ss, at + (n - rest), rest);
		if (rest == before)
			break;
	}
	iobuf_add(p->pool, &ss->out, at + (n - rest), rest);
	spdy_leave(p);
	if (iobuf_len(&ss->out) >= s->queue_mark || stream_room(p->below) == 0) {
		s->blocked = true;
		return 1;
	}
	return 0;
}

static int op_end(struct stream *s)
{
	struct spdy_stream *ss = s->conn;
	struct spdy *p = ss->p;

	spdy_enter(p);
	ss->end_wanted = true;
	send_fin(ss);
	deferred_call(&p->kick); /* not closed under its caller */
	spdy_leave(p);
	return 0;
}

static void op_reset(struct stream *s, const struct err *why)
{
	struct spdy_stream *ss = s->conn;
	struct spdy *p = ss->p;
	struct err err = ERR_INIT;

	if (!why)
		(void)err_set(&err, ERR_UNAVAILABLE, "reset by us");
	spdy_enter(p);
	if (!p->dead && !(ss->fin_in && ss->fin_out))
		spdy_send_rst(p, ss->id, SPDY_CANCEL);
	spdy_stream_drop(ss, why ? why : &err);
	spdy_check_over(p);
	spdy_leave(p);
}

static int op_detach(struct stream *s, int *ret_fd, struct err *err)
{
	return 0; /* must be relayed */
}

static size_t op_queued(const struct stream *s)
{
	const struct spdy_stream *ss = s->conn;

	return iobuf_len(&ss->out);
}

static const struct stream_ops ops = {
	.credit = op_credit,
	.write = op_write,
	.end = op_end,
	.reset = op_reset,
	.detach = op_detach,
	.queued = op_queued,
};
