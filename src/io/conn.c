/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/1.1 connection: reading with credit, writing with a bounded queue, hijack, half-close,
 * time-outs.
 *
 * (1) Everything that may call a handler runs between conn_enter and conn_leave; output is gathered
 * meanwhile and leaves in one send at the outermost conn_leave, which also sets what epoll and the
 * timer wait for. (2) A call from outside (a worker's done) never runs another stream's callbacks:
 * input that waits is taken up by the kick at the end of the round. (3) A connection is freed by
 * its kick, never under its callers; until then it is `dead` and inert. (4) The timer is lazy:
 * moving a deadline later costs nothing, the timer finds out when it fires. (5) EPOLLIN stays armed
 * across requests, so an exchange needs no epoll_ctl; it is dropped only while nobody grants
 * credit, and then EPOLLRDHUP tells when the peer leaves.
 */
#include "io/conn.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define GATHER_MAX 16384u     /* smaller output is gathered while entered */
#define IN_WAITING_MAX 32768u /* pipelined bytes kept while an answer runs */
#define LINGER_TIME (2 * 1000000000LL)
#define LINGER_BYTES \
	(64u << 20) /* a client that still sends an image reads its refusal after that */

static int on_event(struct source *src, uint32_t events);
static int on_timer(struct timer *t);
static void on_kick(struct deferred *d);
static void run(struct conn *c);

/* ---- life ---- */

static void peer_address(struct stream_peer *peer, const struct sockaddr_storage *sa)
{
	const struct sockaddr_in *v4 = (const void *)sa;
	const struct sockaddr_in6 *v6 = (const void *)sa;
	char host[INET6_ADDRSTRLEN] = "";

	if (sa->ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &v4->sin_addr, host,
				sizeof(host)); /* cannot fail with that buffer */
		(void)snprintf(peer->addr, sizeof(peer->addr), "%s:%u", host, ntohs(v4->sin_port));
	} else if (sa->ss_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		(void)snprintf(peer->addr, sizeof(peer->addr), "[%s]:%u", host,
			       ntohs(v6->sin6_port));
	}
}

void conn_peer_init(struct stream_peer *peer, int fd)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa);
	struct ucred cred;
	int on = 1;

	*peer = (struct stream_peer){ .uid = (uid_t)-1, .gid = (gid_t)-1, .addr = "@" };
	if (getpeername(fd, (struct sockaddr *)&sa, &len) < 0)
		return;
	if (sa.ss_family != AF_UNIX) {
		peer_address(peer, &sa);
		/* Both are advice: a socket that refuses them still works. */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
		return;
	}
	peer->local = true;
	len = sizeof(cred);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0) {
		peer->pid = cred.pid;
		peer->uid = cred.uid;
		peer->gid = cred.gid;
	}
}

struct conn *conn_new(struct io_pool *pool, int fd_taken, const struct conn_role *role, void *owner,
		      const struct conn_conf *conf)
{
	struct conn *c = io_alloc(sizeof(*c));

	c->src = SOURCE_INIT;
	c->pool = io_pool_ref(pool);
	c->fd = fd_taken;
	c->role = role;
	c->owner = owner;
	c->conf = conf;
	c->out_left = -1;
	c->keep_alive = true;
	c->fresh = true;
	c->since = loop_now(pool->loop);
	list_init(&c->link);
	h1_body_init(&c->body, H1_NO_BODY, 0);
	timer_init(&c->timer, pool->loop, on_timer);
	deferred_init(&c->kick, pool->loop, on_kick);
	return c;
}

static int64_t deadline(const struct conn *c);
static void settle_waits(struct conn *c);

int conn_start(struct conn *c, bool connecting, struct err *err)
{
	int r;

	c->connecting = connecting;
	c->since = loop_now(c->pool->loop);
	if (!connecting)
		conn_peer_init(&c->peer, c->fd);
	r = source_init(&c->src, c->pool->loop, c->fd, connecting ? EPOLLOUT : EPOLLIN, on_event,
			err);
	if (r < 0)
		return r;
	settle_waits(c);
	return 0;
}

void conn_free(struct conn *c)
{
	source_fini(&c->src);
	timer_fini(&c->timer);
	deferred_fini(&c->kick);
	list_del(&c->link);
	iobuf_fini(c->pool, &c->in);
	iobuf_fini(c->pool, &c->out);
	h1_body_fini(&c->body);
	fd_close(c->fd);
	io_pool_unref(c->pool);
	free(c);
}

void conn_fail(struct conn *c, const struct err *why)
{
	struct stream *s;

	if (c->dead)
		return;
	c->dead = true;
	s = STEAL(c->cur);
	source_fini(&c->src);
	timer_clear(&c->timer);
	iobuf_fini(c->pool, &c->in);
	iobuf_fini(c->pool, &c->out);
	fd_close(c->fd);
	c->fd = -1;
	deferred_call(&c->kick);
	if (s && !(why && c->role->retry && c->role->retry(c, s, why)))
		stream_close(s, why);
	c->role->gone(c);
}

static void fail(struct conn *c, enum err_code code, const char *why)
{
	struct err err = ERR_INIT;

	(void)err_set(&err, code, "%s", why);
	conn_fail(c, &err);
}

void conn_linger(struct conn *c)
{
	c->keep_alive = false;
	c->in_state = IN_LINGER;
	c->since = loop_now(c->pool->loop);
	c->drained = 0;
	iobuf_fini(c->pool, &c->in);
}

/* ---- what to wait for ---- */

static bool wants_input(const struct conn *c)
{
	if (c->eof || c->connecting)
		return false;
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

static int64_t after(int64_t from, int64_t time)
{
	return time > 0 ? from + time : INT64_MAX;
}

static int64_t deadline(const struct conn *c)
{
	const struct conn_conf *k = c->conf;
	int64_t d = INT64_MAX;

	if (c->connecting)
		return after(c->since, k->connect_time);
	/* A hijacked stream waits for its reader as long as it lives: a paused terminal is no
	 * error. */
	if (c->out_blocked && c->out_state != OUT_RAW && (!c->streamed || k->write_time_always))
		d = after(c->out_since, k->write_time);
	switch (c->in_state) {
	case IN_LINGER: /* counts from the last byte sent: a slow reader still gets its answer */
		return c->out_blocked ? d : MIN(d, c->since + LINGER_TIME);
	case IN_BODY: return wants_input(c) ? MIN(d, after(c->since, k->body_time)) : d;
	case IN_HEAD:
		if (c->client && c->cur)
			return c->out_state == OUT_DONE ? MIN(d, after(c->since, k->head_time)) : d;
		if (iobuf_len(&c->in) > 0 || (c->fresh && !c->client))
			return MIN(d, after(c->since, k->head_time));
		return MIN(d, after(c->since, k->idle_time));
	default: return d;
	}
}

static void settle_waits(struct conn *c)
{
	uint32_t events;
	int64_t due;

	if (c->dead)
		return;
	if (source_active(&c->src)) {
		events = c->connecting ? EPOLLOUT : 0;
		if (wants_input(c))
			events |= EPOLLIN;
		else if (!c->peer_quiet && !c->eof && !c->connecting)
			events |= EPOLLRDHUP;
		if (c->out_blocked)
			events |= EPOLLOUT;
		(void)source_set(&c->src,
				 events); /* fails only for an fd that is not there: ours is */
	} else if (c->hup && wants_input(c)) {
		/* epoll would report HUP for ever; what the peer left behind is read when there is
		 * credit. */
		deferred_call(&c->kick);
	}
	due = deadline(c);
	if (due != INT64_MAX && (!timer_armed(&c->timer) || c->timer.due > due))
		timer_set(&c->timer, due);
}

static int on_timer(struct timer *t)
{
	struct conn *c = CONTAINER_OF(t, struct conn, timer);
	int64_t due = deadline(c), now = loop_now(c->pool->loop);

	if (c->dead || due == INT64_MAX)
		return 0;
	if (due > now) {
		timer_set(t, due);
		return 0;
	}
	conn_enter(c);
	if (!c->role->timeout(c)) {
		if (c->in_state == IN_LINGER)
			conn_fail(c, NULL);
		else
			fail(c, ERR_TIMEOUT,
			     c->connecting    ? "the connection was not made in time"
			     : c->out_blocked ? "the peer does not read what is sent"
			     : c->in_state == IN_BODY
				     ? "the peer stopped sending in the middle of a body"
				     : "the peer did not answer in time");
	}
	conn_leave(c);
	return 0;
}

/* ---- output ---- */

static void out_broken(struct conn *c)
{
	iobuf_fini(c->pool, &c->out);
	c->out_blocked = false;
	if (c->client && c->cur && !c->cur->hijacked && c->in_state != IN_RAW) {
		/* A server may answer and close before it has read all: the answer is still worth
		 * reading. */
		c->out_closed = true;
		c->out_state = OUT_DONE;
		c->keep_alive = false;
		return;
	}
	c->broken = true;
}

/* One sendmsg of what is queued and v. Returns how much of v was not taken, by advancing it. */
static void send_now(struct conn *c, struct slice *v, unsigned n)
{
	struct iovec iov[6];
	struct msghdr m = { .msg_iov = iov };
	size_t queued = iobuf_len(&c->out), left;
	ssize_t sent;

	assert(n < ARRAY_LEN(iov));
	if (queued)
		iov[m.msg_iovlen++] = (struct iovec){ c->out.p + c->out.off, queued };
	for (unsigned i = 0; i < n; i++)
		iov[m.msg_iovlen++] = (struct iovec){ (void *)(uintptr_t)v[i].p, v[i].n };
	if (m.msg_iovlen == 0)
		return;
	do {
		sent = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0) {
		if (errno != EAGAIN) {
			out_broken(c);
			return;
		}
		sent = 0;
	}
	if (sent > 0 || !c->out_blocked)
		c->out_since = loop_now(c->pool->loop);
	left = (size_t)sent;
	if (queued) {
		iobuf_consume(c->pool, &c->out, MIN(left, queued));
		left -= MIN(left, queued);
	}
	for (unsigned i = 0; i < n; i++) {
		size_t k = MIN(left, v[i].n);

		v[i].p += k;
		v[i].n -= k;
		left -= k;
	}
}

void conn_send(struct conn *c, const struct slice *v, unsigned n)
{
	struct slice rest[4];
	size_t total = 0;

	assert(n <= ARRAY_LEN(rest));
	if (c->dead || c->broken || c->out_closed)
		return;
	for (unsigned i = 0; i < n; i++) {
		rest[i] = v[i];
		total += v[i].n;
	}
	/* keeps (1): small pieces wait for conn_leave. */
	if (!c->out_blocked && !c->connecting && iobuf_len(&c->out) + total > GATHER_MAX)
		send_now(c, rest, n);
	if (c->broken || c->out_closed)
		return;
	for (unsigned i = 0; i < n; i++)
		iobuf_add(c->pool, &c->out, rest[i].p, rest[i].n);
}

static void flush(struct conn *c)
{
	if (c->dead || c->broken || c->connecting)
		return;
	if (iobuf_len(&c->out) > 0)
		send_now(c, NULL, 0);
	c->out_blocked = iobuf_len(&c->out) > 0;
	if (c->out_blocked || c->broken || !c->cur)
		return;
	if (c->out_state == OUT_RAW && c->cur->ended_out && !c->out_closed) {
		c->out_closed = true;
		(void)shutdown(c->fd, SHUT_WR); /* the peer may be gone: reading tells */
	}
}

/* The queue fell below its mark: say so to the one who was told to stop. */
static void give_room(struct conn *c)
{
	if (c->dead || c->broken || !c->cur || !c->cur->blocked ||
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
	if (!c->dead && c->cur && c->cur->blocked && iobuf_len(&c->out) < c->cur->queue_mark)
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
	if (iobuf_len(&c->out) > GATHER_MAX)
		return false; /* not before the socket took most of it: memory stays bounded under
				 pipelining */
	c->cur = NULL;
	c->out_state = OUT_NONE;
	c->fresh = c->draining = c->expect = c->streamed = c->peek = false;
	c->scan = c->drained = 0;
	c->since = loop_now(c->pool->loop);
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
		fail(c, ERR_UNAVAILABLE, "the peer closed the connection");
		return;
	}
	if (c->in_state == IN_LINGER) {
		if (!c->out_closed) {
			c->out_closed = true;
			c->since = loop_now(c->pool->loop);
			/* Fails when the peer is gone, which recv tells. */
			(void)shutdown(c->fd, SHUT_WR);
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

void conn_enter(struct conn *c)
{
	c->busy++;
}

void conn_leave(struct conn *c)
{
	if (c->busy > 1) {
		c->busy--;
		return;
	}
	flush(c);
	give_room(c);
	while (!c->dead && finish_exchange(c))
		flush(c);
	/* keeps (2) */
	if (!c->dead && (c->broken || iobuf_len(&c->in) > 0 || c->eof || c->in_state == IN_LINGER ||
			 (c->cur && c->in_state == IN_RAW && c->cur->ended_out)))
		deferred_call(&c->kick);
	settle_waits(c);
	c->busy--;
}

/* ---- input ---- */

void conn_in_begin(struct conn *c, enum h1_body_kind kind, int64_t length)
{
	h1_body_fini(&c->body);
	h1_body_init(&c->body, kind, length);
	c->in_state = IN_BODY;
	c->since = loop_now(c->pool->loop);
}

/* What has come in and was not used yet; the buffer is there only while it holds something. */
static struct slice unread(const struct conn *c)
{
	return c->in.p ? slice_of(c->in.p + c->in.off, iobuf_len(&c->in)) : (struct slice){ 0 };
}

static bool take_head(struct conn *c)
{
	struct slice in = unread(c);
	struct err err = ERR_INIT;
	int status = 400;
	ssize_t n;

	if (in.n == 0 || (c->client && !c->cur))
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
	struct err err = ERR_INIT;

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
	struct err err = ERR_INIT;
	ssize_t n = 0;

	if (!c->body.done) {
		n = h1_body_step(&c->body, in, credit, &data, &err);
		if (n < 0) {
			bad_body(c, &err);
			return false;
		}
		if (n == 0 && !c->body.done) {
			if (!c->eof || in.n > 0)
				return false;
			if (c->body.kind != H1_UNTIL_CLOSE) {
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
		fail(c, ERR_UNAVAILABLE, "the server closed the connection without an answer");
		return;
	}
	if (c->hup && !c->client) {
		fail(c, ERR_UNAVAILABLE, "the client closed the connection");
		return;
	}
	if (!c->client)
		stream_give_cancel(c->cur);
}

static void run(struct conn *c)
{
	c->busy++;
	do {
		while (!c->dead && advance(c))
			;
		if (c->dead)
			break;
		if (iobuf_len(&c->out) > GATHER_MAX)
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
	settle_waits(c);
	c->busy--;
}

/* With a hijack asked for, no byte behind the head may be read: the socket is handed over as it is.
 */
static ssize_t recv_head_only(struct conn *c, char *p, size_t n)
{
	size_t before = iobuf_len(&c->in), scan = c->scan, take;
	struct err err = ERR_INIT;
	ssize_t got, end;
	int status;

	got = recv(c->fd, p, n, MSG_PEEK | MSG_DONTWAIT);
	if (got <= 0)
		return got;
	end = h1_head_end(slice_of(c->in.p + c->in.off, before + (size_t)got), &scan,
			  &c->conf->limits, &status, &err);
	take = end > 0 ? (size_t)end - before : (size_t)got;
	return recv(c->fd, p, take, MSG_DONTWAIT);
}

/* One recv. Returns false when there was nothing. */
static bool receive(struct conn *c)
{
	bool was_empty = iobuf_len(&c->in) == 0;
	char *p = iobuf_room(c->pool, &c->in, 2048);
	size_t room = c->in.cap - c->in.n;
	ssize_t n;

	do {
		n = c->peek && c->in_state == IN_HEAD ? recv_head_only(c, p, room)
						      : recv(c->fd, p, room, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		c->in.n += (size_t)n;
		/* A head has its time from its first byte; bodies count from the last one. */
		if (c->in_state == IN_BODY ||
		    (was_empty && c->in_state == IN_HEAD && !c->fresh && !c->client))
			c->since = loop_now(c->pool->loop);
		return true;
	}
	if (was_empty)
		iobuf_fini(c->pool, &c->in);
	if (n < 0 && errno == EAGAIN)
		return false;
	c->eof = true;
	if (n < 0)
		c->broken = c->hup = true;
	return true;
}

static void connect_ended(struct conn *c)
{
	struct err err = ERR_INIT;
	socklen_t len = sizeof(int);
	int e = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
		e = errno;
	if (e) {
		(void)err_sysc(&err, ERR_UNAVAILABLE, e, "connect");
		conn_fail(c, &err);
		return;
	}
	c->connecting = false;
	conn_peer_init(&c->peer, c->fd);
	c->since = loop_now(c->pool->loop);
	conn_enter(c);
	c->role->connected(c);
	conn_leave(c);
}

static int on_event(struct source *src, uint32_t events)
{
	struct conn *c = CONTAINER_OF(src, struct conn, src);

	if (c->connecting) {
		connect_ended(c);
		return 0;
	}
	if (events & (EPOLLHUP | EPOLLERR)) {
		/* Both directions are closed. Nobody reads an answer; but raw bytes and answers may
		 * still wait here. */
		c->hup = true;
		if (wants_input(c))
			(void)receive(c); /* eof, if that is what it was, is in c */
		else
			source_fini(&c->src);
		if (!c->client && c->in_state != IN_RAW)
			c->eof = true;
	} else if (events & EPOLLIN) {
		(void)receive(c); /* nothing there is fine: level-triggered */
	} else if (events & EPOLLRDHUP) {
		c->peer_quiet = true;
		if (!c->client && c->cur && c->in_state == IN_DONE) {
			c->eof = true;
		}
	}
	run(c);
	return 0;
}

static void on_kick(struct deferred *d)
{
	struct conn *c = CONTAINER_OF(d, struct conn, kick);

	if (c->dead) {
		assert(c->busy == 0);
		conn_free(c);
		return;
	}
	if (c->hup && !c->eof && wants_input(c))
		(void)receive(c);
	run(c);
}

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
		c->since = loop_now(c->pool->loop);
	if (iobuf_len(&c->in) > 0 || c->eof || (c->in_state == IN_BODY && c->body.done) ||
	    s->finished)
		deferred_call(&c->kick);
	settle_waits(c);
}

size_t conn_op_queued(const struct stream *s)
{
	const struct conn *c = s->conn;

	return iobuf_len(&c->out);
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
	if (c->out_state == OUT_BODY) {
		c->out_state = OUT_DONE;
		c->since = c->client && c->in_state == IN_HEAD ? loop_now(c->pool->loop) : c->since;
		if (c->chunked_out && !s->no_body) {
			send_last_chunk(c, s);
		} else if (c->out_left > 0 && !s->no_body) {
			fail(c, ERR_INVALID, "the body ended before its announced length");
			r = -ERR_INVALID;
		}
	} else if (c->out_state == OUT_NONE) {
		fail(c, ERR_CONFLICT, "the stream was ended before it began");
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
		fail(c, ERR_UNAVAILABLE, "reset by us");
}

int conn_op_detach(struct stream *s, int *ret_fd, struct err *err)
{
	struct conn *c = s->conn;

	if (c->in_state != IN_RAW || c->out_state != OUT_RAW)
		return err_set(err, ERR_CONFLICT, "detach: the stream is not a byte stream yet");
	flush(c);
	if (c->broken)
		return err_set(err, ERR_UNAVAILABLE, "detach: the peer closed the connection");
	if (iobuf_len(&c->in) > 0 || iobuf_len(&c->out) > 0 || c->eof || s->ended_out)
		return 0;
	source_fini(&c->src);
	if (fd_set_nonblock(c->fd, false) < 0)
		return err_sys(err, "detach: fcntl");
	*ret_fd = STEAL_FD(c->fd);
	conn_fail(c, NULL);
	return 1;
}
