/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP/1.1 codec, both roles: reading with credit, one exchange at a time, writing with a
 * bounded queue, hijack, half-close. On a server further requests wait in the input buffer
 * (bounded), so answers keep order. Numbers in comments are of conn.c's head.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "io/h2.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <stdio.h>

#define IN_WAITING_MAX 32768u /* pipelined bytes kept while an answer runs */
#define LINGER_TIME (2 * 1000000000LL)
#define LINGER_BYTES \
	(64u << 20) /* a client that still sends an image reads its refusal after that */

void conn_linger(struct conn *c)
{
	c->keep_alive = false;
	c->in_state = IN_LINGER;
	c->since = conn_now(c);
	c->drained = 0;
	iobuf_fini(c->pool, &c->in);
}

/* ---- what to wait for ---- */
/* ---- what to wait for ---- */

static bool h1_wants_input(const struct conn *c)
{
	switch (c->in_state) {
	case IN_BODY:
		return !c->cur || c->cur->credit > 0 || c->draining ||
		       !h1_body_at_payload(&c->body);
	case IN_RAW: return c->cur->credit > 0;
	case IN_LINGER: return true;
	case IN_HEAD: /* one byte more than a head may have, so that it is refused */
		return iobuf_len(&c->in) <= MAX(c->conf->limits.head_max, (size_t)IN_WAITING_MAX);
	default: return iobuf_len(&c->in) < IN_WAITING_MAX;
	}
}

static int64_t h1_deadline(const struct conn *c)
{
	const struct conn_conf *k = c->conf;
	int64_t d = INT64_MAX;

	/* A hijacked stream waits for its reader as long as it lives: a paused terminal is no
	 * error. */
	if (c->out_blocked && c->out_state != OUT_RAW && (!c->streamed || k->write_time_always))
		d = conn_after(c->out_since, k->write_time);
	switch (c->in_state) {
	case IN_LINGER: /* counts from the last byte sent: a slow reader still gets its answer */
		return c->out_blocked ? d : MIN(d, c->since + LINGER_TIME);
	case IN_BODY:
		return !c->eof && h1_wants_input(c) ? MIN(d, conn_after(c->since, k->body_time))
						    : d;
	case IN_HEAD:
		if (c->client && c->cur)
			return c->out_state == OUT_DONE ? MIN(d, conn_after(c->since, k->head_time))
							: d;
		if (iobuf_len(&c->in) > 0 || (c->fresh && !c->client))
			return MIN(d, conn_after(c->since, k->head_time));
		return MIN(d, conn_after(c->since, k->idle_time));
	default: return d;
	}
}

static void h1_timeout(struct conn *c)
{
	if (c->in_state == IN_LINGER)
		conn_fail(c, NULL);
	else
		conn_fail_text(c, ERR_TIMEOUT,
			       c->out_blocked ? "the peer does not read what is sent"
			       : c->in_state == IN_BODY
				       ? "the peer stopped sending in the middle of a body"
				       : "the peer did not answer in time");
}

/* ---- output ---- */

static bool h1_out_broken(struct conn *c)
{
	if (!c->client || !c->cur || c->cur->hijacked || c->in_state == IN_RAW)
		return true;
	/* A server may answer and close before it has read all: the answer is still worth reading.
	 */
	c->out_closed = true;
	c->out_state = OUT_DONE;
	c->keep_alive = false;
	return false;
}

static void flush(struct conn *c)
{
	if (c->held)
		return; /* the kick comes */
	conn_flush(c);
	if (!c->dead && !c->out_blocked && !c->broken && c->cur && c->out_state == OUT_RAW &&
	    c->cur->ended_out)
		conn_shut_output(c);
}

/* The queue fell below its mark: say so to the one who was told to stop. */
static void give_room(struct conn *c)
{
	if (c->dead || c->broken || !c->cur || !c->cur->blocked || c->file_waits ||
	    iobuf_len(&c->out) >= c->cur->queue_mark)
		return;
	c->busy++;
	stream_give_writable(c->cur);
	c->busy--;
	flush(c);
	/*
	 * It may have filled the queue and the socket taken all of it just now: then no EPOLLOUT
	 * comes. Going on in the next round instead of here lets the others have their turn.
	 */
	if (!c->dead && c->cur && c->cur->blocked && !c->file_waits &&
	    iobuf_len(&c->out) < c->cur->queue_mark)
		deferred_call(&c->kick);
}

void conn_out_begin(struct conn *c, int64_t length, bool chunked)
{
	c->out_state = OUT_BODY;
	c->out_left = chunked ? -1 : length;
	c->chunked_out = chunked;
	c->out_closed = false;
}

/* ---- end of an exchange ---- */

/* Both directions are through, or the rest of the request is not worth reading. Returns true when
 * state moved on. */
static bool finish_exchange(struct conn *c)
{
	struct stream *s = c->cur;

	if (c->client && c->in_state == IN_DONE && c->out_state == OUT_BODY && !c->keep_alive)
		c->out_state = OUT_DONE; /* answered before all was sent, and the server closes */
	if (!s || c->out_state != OUT_DONE)
		return false;
	if (!c->client && c->in_state == IN_BODY) {
		/* The answer came before the request was read: skip a moderate rest, or close
		 * behind the answer. */
		if (c->expect || c->body.left > c->conf->drain_max)
			c->keep_alive = false;
		if (c->keep_alive) {
			bool begun = c->draining;

			c->draining = true;
			return !begun;
		}
	} else if (c->in_state != IN_DONE) {
		return false;
	}
	if (iobuf_len(&c->out) > CONN_GATHER)
		return false; /* not before the socket took most of it: memory stays bounded under
				 pipelining */
	c->cur = NULL;
	c->out_state = OUT_NONE;
	c->fresh = c->draining = c->expect = c->streamed = c->peek = false;
	c->scan = c->drained = 0;
	c->since = conn_now(c);
	if (c->in_state == IN_DONE && c->keep_alive)
		c->in_state = IN_HEAD;
	else
		conn_linger(c);
	/* First free for the next one: `closed` may ask for it. */
	if (c->in_state == IN_HEAD)
		c->role->idle(c);
	stream_close(s, NULL);
	return true;
}

/* Closes what has nothing more to say. */
static void close_if_over(struct conn *c)
{
	if (c->dead || iobuf_len(&c->out) > 0)
		return;
	if (c->broken) {
		conn_fail_text(c, ERR_UNAVAILABLE, "the peer closed the connection");
		return;
	}
	if (c->in_state == IN_LINGER) {
		if (!c->out_closed) {
			c->since = conn_now(c);
			conn_shut_output(c);
		}
		/* Nothing unread can turn into a reset if the peer has closed its side already. */
		if (c->eof || c->hup || c->client)
			conn_fail(c, NULL);
		return;
	}
	if (c->in_state == IN_RAW && c->cur && c->cur->ended_out && c->out_closed) {
		struct stream *s = c->cur;

		if (s->ended_in) {
			conn_fail(c, NULL);
		} else if (s->finished) {
			c->cur = NULL;
			conn_linger(c);
			stream_close(s, NULL);
			if (!c->dead && (c->eof || c->hup || c->client))
				conn_fail(c, NULL);
		}
		return;
	}
	/* Also an answer that nobody asked for. */
	if (!c->cur && (c->eof || (c->client && iobuf_len(&c->in) > 0)))
		conn_fail(c, NULL);
}

static void h1_leave(struct conn *c)
{
	flush(c);
	give_room(c);
	while (!c->dead && finish_exchange(c))
		flush(c);
	/* keeps (2) */
	if (!c->dead && (c->broken || iobuf_len(&c->in) > 0 || c->eof || c->in_state == IN_LINGER ||
			 (c->cur && c->in_state == IN_RAW && c->cur->ended_out)))
		deferred_call(&c->kick);
}

/* ---- input ---- */

void conn_in_begin(struct conn *c, enum h1_body_kind kind, int64_t length)
{
	h1_body_fini(&c->body);
	h1_body_init(&c->body, kind, length);
	c->in_state = IN_BODY;
	c->since = conn_now(c);
}

/* What has come in and was not used yet; the buffer is there only while it holds something. */
static struct slice unread(const struct conn *c)
{
	return c->in.p ? slice_of(c->in.p + c->in.off, iobuf_len(&c->in)) : (struct slice){ 0 };
}

/* The first bytes are, or may become, the client's preface (RFC 9113 3.4). */
static bool is_preface(struct conn *c, struct slice in)
{
	size_t n = MIN(in.n, (size_t)NGHTTP2_CLIENT_MAGIC_LEN);

	if (memcmp(in.p, NGHTTP2_CLIENT_MAGIC, n) != 0)
		return false;
	if (n == NGHTTP2_CLIENT_MAGIC_LEN)
		h2_attach(c);
	return true;
}

static bool take_head(struct conn *c)
{
	struct slice in = unread(c);
	struct err err ERR_RAW;
	int status = 400;
	ssize_t n;

	err_clear(&err);
	if (in.n == 0 || (c->client && !c->cur))
		return false;
	if (c->fresh && c->conf->preface && is_preface(c, in))
		return false;
	n = h1_head_end(in, &c->scan, &c->conf->limits, &status, &err);
	if (n == 0)
		return false;
	c->scan = 0;
	if (n < 0) {
		c->role->bad_head(c, status, &err);
		return !c->dead;
	}
	in.n = (size_t)n;
	/* Consumed before the handler runs, which may hand the socket over; the role copies the
	 * bytes first thing. */
	c->in.off += (size_t)n;
	(void)c->role->head(c, in); /* has dealt with its failure */
	if (!c->dead)
		iobuf_consume(c->pool, &c->in, 0);
	return !c->dead;
}

/* A request whose body is broken is answered, if there is no answer yet and somebody to read it. */
static void bad_body(struct conn *c, const struct err *why)
{
	struct stream *s;

	if (c->client || c->hup || c->draining || c->out_state != OUT_NONE) {
		conn_fail(c, why);
		return;
	}
	s = STEAL(c->cur);
	c->expect = false;
	c->role->bad_head(c, 400, why);
	stream_close(s, why);
}

static void body_ended(struct conn *c)
{
	struct stream *s = c->cur;
	struct err err ERR_RAW;

	err_clear(&err);
	if (c->body.trailer.n > 0) {
		char *p = arena_strndup(s->arena, c->body.trailer.p, c->body.trailer.n);
		int r = p ? h1_parse_fields(s->arena, slice_of(p, c->body.trailer.n),
					    c->conf->limits.headers_max, &s->trailers,
					    &s->trailers_n, &err)
			  : arena_quota(s->arena, &err);

		if (r < 0) {
			(void)err_wrap(&err, "trailers");
			bad_body(c, &err);
			return;
		}
	}
	h1_body_fini(&c->body);
	c->in_state = IN_DONE;
	c->expect = false;
	stream_give_end(s);
}

static bool take_body(struct conn *c)
{
	struct slice in = unread(c), data;
	size_t credit = c->draining ? SIZE_MAX : c->cur->credit;
	struct err err ERR_RAW;
	ssize_t n = 0;

	err_clear(&err);
	if (!c->body.done) {
		n = h1_body_step(&c->body, in, credit, &data, &err);
		if (n < 0) {
			bad_body(c, &err);
			return false;
		}
		if (n == 0 && !c->body.done) {
			if (!c->eof || in.n > 0)
				return false;
			if (c->body.kind != H1_UNTIL_CLOSE || c->tr_cut) {
				(void)err_set(&err, ERR_UNAVAILABLE,
					      "the peer closed the connection in the middle of a "
					      "body");
				bad_body(c, &err);
				return false;
			}
			c->body.done = true;
		}
		if (c->draining) {
			c->drained += data.n;
			if (c->drained > c->conf->drain_max)
				c->keep_alive = false;
		} else if (data.n) {
			stream_give_data(c->cur, data);
		}
		if (c->dead)
			return false;
		iobuf_consume(c->pool, &c->in, (size_t)n);
	}
	if (c->body.done)
		body_ended(c);
	return !c->dead;
}

static bool take_raw(struct conn *c)
{
	struct stream *s = c->cur;
	size_t n = MIN(iobuf_len(&c->in), s->credit);

	if (s->ended_in)
		return false;
	if (n > 0) {
		stream_give_data(s, slice_of(c->in.p + c->in.off, n));
		/* The handler may have detached the stream, but only with nothing in flight: then c
		 * is dead. */
		if (c->dead)
			return false;
		iobuf_consume(c->pool, &c->in, n);
		return c->cur != NULL;
	}
	if (iobuf_len(&c->in) > 0 || !c->eof)
		return false;
	if (c->tr_cut) { /* whoever cut it may be no party of it: no orderly end (RFC 8446 6.1) */
		conn_fail_text(c, ERR_UNAVAILABLE,
			       "the peer closed the connection without saying so by TLS: "
			       "bytes may be missing");
		return false;
	}
	stream_give_end(s);
	return !c->dead && c->cur != NULL;
}

static bool advance(struct conn *c)
{
	switch (c->in_state) {
	case IN_HEAD: return take_head(c);
	case IN_BODY: return c->cur && take_body(c);
	case IN_RAW: return c->cur && take_raw(c);
	case IN_LINGER:
		c->drained += iobuf_len(&c->in);
		iobuf_fini(c->pool, &c->in);
		if (c->drained > LINGER_BYTES)
			conn_fail(c, NULL);
		return false;
	default: return false;
	}
}

/* The peer will send no more: what that means depends on where we are. */
static void peer_ended(struct conn *c)
{
	if (c->dead)
		return;
	if (!c->cur) {
		if (c->in_state != IN_LINGER || iobuf_len(&c->out) == 0)
			conn_fail(c, NULL);
		return;
	}
	if (c->in_state == IN_RAW || (c->in_state == IN_BODY && !c->hup))
		return; /* take_body and take_raw see eof behind the last byte */
	c->keep_alive = false;
	if (c->client && c->in_state == IN_HEAD) {
		conn_fail_text(c, ERR_UNAVAILABLE,
			       "the server closed the connection without an answer");
		return;
	}
	if (c->hup && !c->client) {
		conn_fail_text(c, ERR_UNAVAILABLE, "the client closed the connection");
		return;
	}
	if (!c->client)
		stream_give_cancel(c->cur);
}

static void h1_run(struct conn *c)
{
	do {
		while (!c->dead && !c->h2 && advance(c))
			;
		if (c->h2) {
			/* What came behind the preface or the upgrade is HTTP/2. */
			c->codec->run(c);
			return;
		}
		if (c->dead)
			break;
		if (iobuf_len(&c->out) > CONN_GATHER)
			flush(c);
	} while (finish_exchange(c));
	if (!c->dead && c->eof)
		peer_ended(c);
	flush(c);
	give_room(c);
	while (!c->dead && !c->broken && finish_exchange(c)) {
		flush(c);
		if (iobuf_len(&c->in) > 0)
			deferred_call(&c->kick);
	}
	close_if_over(c);
	conn_settle(c);
}

/* With a hijack asked for, no byte behind the head may be read: the socket is handed over as it is.
 */
static ssize_t h1_receive(struct conn *c, char *p, size_t n)
{
	size_t before = iobuf_len(&c->in), scan = c->scan, take;
	struct err err ERR_RAW;
	ssize_t got, end;
	int status;

	err_clear(&err);
	if (!c->peek || c->in_state != IN_HEAD || !c->tr->raw)
		return c->tr->recv(c, p, n);
	got = recv(c->fd, p, n, MSG_PEEK | MSG_DONTWAIT);
	if (got <= 0)
		return got;
	end = h1_head_end(slice_of(c->in.p + c->in.off, before + (size_t)got), &scan,
			  &c->conf->limits, &status, &err);
	take = end > 0 ? (size_t)end - before : (size_t)got;
	return recv(c->fd, p, take, MSG_DONTWAIT);
}

static void h1_received(struct conn *c, bool was_empty)
{
	/* A head has its time from its first byte; bodies count from the last one. */
	if (c->in_state == IN_BODY ||
	    (was_empty && c->in_state == IN_HEAD && !c->fresh && !c->client))
		c->since = conn_now(c);
}

/* Bytes that wait in the socket; of TLS at least as many as they will become. */
static size_t unreceived(const struct conn *c)
{
	int n = 0;

	return ioctl(c->fd, FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
}

static void h1_hangup(struct conn *c, bool both)
{
	if (both && !c->client && c->in_state != IN_RAW)
		c->eof = true;
	if (both || c->client || !c->cur)
		return;
	if (c->in_state == IN_DONE)
		c->eof = true;
	/* Nobody reads the body now; but it can be known already that it will never be whole. */
	if (c->in_state == IN_BODY && c->body.kind == H1_LENGTH &&
	    c->body.left > unread(c).n + unreceived(c))
		conn_fail_text(c, ERR_UNAVAILABLE,
			       "the peer closed the connection in the middle of a body");
}

static void h1_failed(struct conn *c, const struct err *why)
{
	struct stream *s = STEAL(c->cur);

	if (s && !(why && c->role->retry && c->role->retry(c, s, why)))
		stream_close(s, why);
}

static void h1_drain(struct conn *c)
{
	if (c->cur)
		c->keep_alive = false;
	else if (c->in_state == IN_HEAD && iobuf_len(&c->in) == 0)
		conn_fail(c, NULL);
}

static void h1_fini(struct conn *c)
{
	h1_body_fini(&c->body);
}

const struct codec codec_h1 = {
	.wants_input = h1_wants_input,
	.deadline = h1_deadline,
	.timeout = h1_timeout,
	.receive = h1_receive,
	.received = h1_received,
	.run = h1_run,
	.leave = h1_leave,
	.hangup = h1_hangup,
	.out_broken = h1_out_broken,
	.failed = h1_failed,
	.drain = h1_drain,
	.fini = h1_fini,
};

/* ---- what streams ask for ---- */

void conn_op_credit(struct stream *s)
{
	struct conn *c = s->conn;

	if (c->expect && c->in_state == IN_BODY && c->out_state == OUT_NONE) {
		struct slice go = SLICE("HTTP/1.1 100 Continue\r\n\r\n");

		c->expect = false;
		conn_enter(c);
		conn_send(c, &go, 1);
		conn_leave(c);
	}
	if (c->busy)
		return;
	/* The idle time of a body counts from the grant: before it the peer was not asked for
	 * anything. */
	if (c->in_state == IN_BODY)
		c->since = conn_now(c);
	if (iobuf_len(&c->in) > 0 || c->eof || (c->in_state == IN_BODY && c->body.done) ||
	    s->finished)
		deferred_call(&c->kick);
	conn_settle(c);
}

size_t conn_op_queued(const struct stream *s)
{
	const struct conn *c = s->conn;

	return iobuf_len(&c->out);
}

struct conn *conn_op_cork(struct stream *s)
{
	conn_enter(s->conn);
	return s->conn;
}

int conn_op_write(struct stream *s, const void *p, size_t n)
{
	struct conn *c = s->conn;
	struct slice v[3] = { { 0 }, slice_of(p, n), { 0 } };
	char size[24];

	if (c->broken || c->dead)
		return -ERR_UNAVAILABLE;
	if (c->out_closed)
		return s->client ? 0 : -ERR_UNAVAILABLE; /* the server answers already; nobody wants
							    the rest */
	if (c->out_state == OUT_BODY && c->chunked_out) {
		v[0] = slice_of(size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", n));
		v[2] = SLICE("\r\n");
	} else if (c->out_state == OUT_BODY && c->out_left >= 0) {
		if ((uint64_t)n > (uint64_t)c->out_left)
			return -ERR_INVALID;
		c->out_left -= (int64_t)n;
		c->held &= c->out_left > 0;
	}
	conn_enter(c);
	conn_send(c, v, 3);
	conn_leave(c);
	if (c->dead || c->broken)
		return -ERR_UNAVAILABLE;
	if (iobuf_len(&c->out) >= s->queue_mark) {
		s->blocked = true;
		return 1;
	}
	return 0;
}

/* The socket said EAGAIN, or has bytes before these: epoll tells when to go on. */
static ssize_t file_must_wait(struct conn *c)
{
	c->file_waits = c->out_blocked = true;
	c->out_since = conn_now(c);
	return 0;
}

static ssize_t file_to_socket(struct conn *c, int fd, uint64_t at, size_t n)
{
	ssize_t sent;

	flush(c);
	if (c->broken || c->dead)
		return -ERR_UNAVAILABLE;
	if (c->out_blocked)
		return file_must_wait(c);
	do {
		sent = c->tr->send_file(c, fd, at, n);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno == EAGAIN)
		return file_must_wait(c);
	if (sent < 0 && (errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS))
		return -ERR_UNSUPPORTED;
	if (sent < 0 && errno == EIO)
		return -ERR_SYSTEM;
	if (sent < 0) {
		conn_out_broken(c);
		return -ERR_UNAVAILABLE;
	}
	c->out_since = conn_now(c);
	if (sent == 0) { /* the file is shorter than it was said to be */
		errno = ENODATA;
		return -ERR_SYSTEM;
	}
	if (c->out_left >= 0)
		c->out_left -= sent;
	return sent;
}

ssize_t conn_op_send_file(struct stream *s, int fd, uint64_t at, size_t n)
{
	struct conn *c = s->conn;
	ssize_t sent;
	int e;

	if (c->broken || c->dead || c->out_closed)
		return -ERR_UNAVAILABLE;
	if (!c->tr->send_file || c->out_state != OUT_BODY || c->chunked_out)
		return -ERR_UNSUPPORTED;
	if (c->out_left >= 0 && n > (uint64_t)c->out_left)
		return -ERR_INVALID;
	if (n == 0) {
		s->blocked = true;
		deferred_call(&c->kick);
		return 0;
	}
	conn_enter(c);
	c->held = false;
	sent = file_to_socket(c, fd, at, n);
	e = errno;
	if (sent == 0)
		s->blocked = true;
	conn_leave(c);
	errno = e;
	return sent;
}

static void send_last_chunk(struct conn *c, struct stream *s)
{
	struct slice v[4] = { SLICE("0\r\n") };

	conn_send(c, v, 1);
	for (struct out_header *h = s->out_trailers; h; h = h->next) {
		v[0] = h->name;
		v[1] = SLICE(": ");
		v[2] = h->value;
		v[3] = SLICE("\r\n");
		conn_send(c, v, 4);
	}
	v[0] = SLICE("\r\n");
	conn_send(c, v, 1);
}

int conn_op_end(struct stream *s)
{
	struct conn *c = s->conn;
	int r = 0;

	if (c->out_state == OUT_DONE)
		return 0; /* the socket broke before */
	conn_enter(c);
	c->held = false;
	if (c->out_state == OUT_BODY) {
		c->out_state = OUT_DONE;
		c->since = c->client && c->in_state == IN_HEAD ? conn_now(c) : c->since;
		if (c->chunked_out && !s->no_body) {
			send_last_chunk(c, s);
		} else if (c->out_left > 0 && !s->no_body) {
			conn_fail_text(c, ERR_INVALID,
				       "the body ended before its announced length");
			r = -ERR_INVALID;
		}
	} else if (c->out_state == OUT_NONE) {
		conn_fail_text(c, ERR_CONFLICT, "the stream was ended before it began");
		r = -ERR_CONFLICT;
	}
	conn_leave(c);
	return r;
}

void conn_op_reset(struct stream *s, const struct err *why)
{
	struct conn *c = s->conn;

	s->cancelled = true;
	if (why)
		conn_fail(c, why);
	else
		conn_fail_text(c, ERR_UNAVAILABLE, "reset by us");
}

int conn_op_detach(struct stream *s, int *ret_fd, struct err *err)
{
	struct conn *c = s->conn;

	if (c->in_state != IN_RAW || c->out_state != OUT_RAW)
		return err_set(err, ERR_CONFLICT, "detach: the stream is not a byte stream yet");
	flush(c);
	if (c->broken)
		return err_set(err, ERR_UNAVAILABLE, "detach: the peer closed the connection");
	if (!c->tr->raw || iobuf_len(&c->in) > 0 || iobuf_len(&c->out) > 0 || c->eof ||
	    s->ended_out)
		return 0;
	source_fini(&c->src);
	if (fd_set_nonblock(c->fd, false) < 0)
		return err_sys(err, "detach: fcntl");
	*ret_fd = STEAL_FD(c->fd);
	conn_fail(c, NULL);
	return 1;
}
