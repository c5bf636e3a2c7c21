/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection below its codec: socket, buffers, what is waited for, time-outs, life; and the plain
 * socket as the first transport.
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

#include "base/err.h"
#include "base/fd.h"
#include "io/h2.h"
#include "io/proxy-protocol.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#define RECEIVE_MIN 2048u

static int on_event(struct source *src, uint32_t events);
static int on_timer(struct timer *t);
static void on_kick(struct deferred *d);

/* ---- the plain socket ---- */

static ssize_t plain_recv(struct conn *c, void *p, size_t n)
{
	return recv(c->fd, p, n, MSG_DONTWAIT);
}

static ssize_t plain_send(struct conn *c, struct iovec *v, unsigned n)
{
	struct msghdr m = { .msg_iov = v, .msg_iovlen = n };

	return sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static ssize_t plain_send_file(struct conn *c, int fd, uint64_t at, size_t n)
{
	off_t off = (off_t)at;

	return sendfile(c->fd, fd, &off, n);
}

static void plain_shutdown(struct conn *c)
{
	(void)shutdown(c->fd, SHUT_WR); /* the peer may be gone: reading tells */
}

static bool plain_is_quiet(struct conn *c)
{
	char byte;

	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

const struct transport transport_plain = {
	.recv = plain_recv,
	.send = plain_send,
	.send_file = plain_send_file,
	.shutdown = plain_shutdown,
	.is_quiet = plain_is_quiet,
	.raw = true,
};

/* ---- life ---- */

void conn_peer_set(struct stream_peer *peer, const struct sockaddr_storage *sa)
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
		conn_peer_set(peer, &sa);
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
	c->codec = &codec_h1;
	c->tr = &transport_plain;
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

/* Sent whole into the empty buffer of a new socket. */
static int send_preamble(struct conn *c, struct err *err)
{
	if (c->preamble.n && send(c->fd, c->preamble.p, c->preamble.n,
				  MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)c->preamble.n)
		return err_set(err, ERR_UNAVAILABLE, "the connection took no preamble");
	c->preamble.n = 0;
	return 1;
}

int conn_start(struct conn *c, bool connecting, struct err *err)
{
	int r;

	c->connecting = connecting;
	c->handshaking = c->tr->handshake != NULL;
	c->tr_wants = c->client ? EPOLLOUT : EPOLLIN;
	c->since = conn_now(c);
	if (!connecting) {
		conn_peer_init(&c->peer, c->fd);
		if (send_preamble(c, err) < 0)
			return err_ret(err);
	}
	r = source_init(&c->src, c->pool->loop, c->fd,
			connecting				      ? EPOLLOUT
			: c->handshaking && !c->proxied && !c->tunnel ? c->tr_wants
								      : EPOLLIN,
			on_event, err);
	if (r < 0)
		return r;
	conn_settle(c);
	return 0;
}

static void close_transport(struct conn *c)
{
	if (c->tr->fini && c->fd >= 0)
		c->tr->fini(c);
	fd_close(c->fd);
	c->fd = -1;
}

void conn_free(struct conn *c)
{
	source_fini(&c->src);
	timer_fini(&c->timer);
	deferred_fini(&c->kick);
	list_del(&c->link);
	iobuf_fini(c->pool, &c->in);
	iobuf_fini(c->pool, &c->out);
	c->codec->fini(c);
	close_transport(c);
	io_pool_unref(c->pool);
	free(c);
}

static bool is_opening(const struct conn *c)
{
	return c->connecting || c->handshaking || c->proxied || c->tunnel;
}

void conn_fail(struct conn *c, const struct err *why)
{
	bool opening = is_opening(c);

	if (c->dead)
		return;
	c->dead = true;
	source_fini(&c->src);
	timer_clear(&c->timer);
	iobuf_fini(c->pool, &c->in);
	iobuf_fini(c->pool, &c->out);
	close_transport(c);
	deferred_call(&c->kick);
	if (opening && c->role->unopened)
		c->role->unopened(c, why);
	c->codec->failed(c, why);
	c->role->gone(c);
}

void conn_fail_text(struct conn *c, enum err_code code, const char *why)
{
	struct err err = ERR_INIT;

	(void)err_set(&err, code, "%s", why);
	conn_fail(c, &err);
}

/* ---- what to wait for ---- */

static bool wants_input(const struct conn *c)
{
	return !c->eof && !is_opening(c) && c->codec->wants_input(c);
}

static int64_t deadline(const struct conn *c)
{
	if (c->client && is_opening(c))
		return conn_after(c->since, c->conf->connect_time);
	if (c->handshaking || c->proxied)
		return conn_after(c->since, c->conf->head_time);
	return c->codec->deadline(c);
}

static uint32_t wanted_events(const struct conn *c)
{
	uint32_t events = 0;

	if (c->connecting)
		return EPOLLOUT;
	if (c->proxied || c->tunnel)
		return EPOLLIN;
	if (c->handshaking)
		return c->tr_wants;
	if (wants_input(c))
		events |= EPOLLIN;
	else if (!c->peer_quiet && !c->eof)
		events |= EPOLLRDHUP;
	if (c->out_blocked)
		events |= EPOLLOUT;
	return events;
}

void conn_settle(struct conn *c)
{
	int64_t due;

	if (c->dead)
		return;
	if (source_active(&c->src)) {
		/* Fails only for an fd that is not there: ours is. */
		(void)source_set(&c->src, wanted_events(c));
	} else if (c->hup && wants_input(c)) {
		/* epoll would report HUP for ever; what the peer left behind is read when there is
		 * credit. */
		deferred_call(&c->kick);
	}
	if (c->tr_in && wants_input(c))
		deferred_call(&c->kick);
	due = deadline(c);
	if (due != INT64_MAX && (!timer_armed(&c->timer) || c->timer.due > due))
		timer_set(&c->timer, due);
}

static int on_timer(struct timer *t)
{
	struct conn *c = CONTAINER_OF(t, struct conn, timer);
	int64_t due = deadline(c);

	if (c->dead || due == INT64_MAX)
		return 0;
	if (due > conn_now(c)) {
		timer_set(t, due);
		return 0;
	}
	conn_enter(c);
	if (c->connecting)
		conn_fail_text(c, ERR_TIMEOUT, "the connection was not made in time");
	else if (c->handshaking)
		conn_fail_text(c, ERR_TIMEOUT, "the handshake was not over in time");
	else if (!c->role->timeout(c))
		c->codec->timeout(c);
	conn_leave(c);
	return 0;
}

/* ---- output ---- */

void conn_out_broken(struct conn *c)
{
	iobuf_fini(c->pool, &c->out);
	c->out_blocked = c->tr_out = c->file_waits = false;
	if (c->codec->out_broken(c))
		c->broken = true;
}

/* One send of what is queued and v. Returns how much of v was not taken, by advancing it. */
static void send_now(struct conn *c, struct slice *v, unsigned n)
{
	struct iovec iov[6];
	unsigned iov_n = 0;
	size_t queued = iobuf_len(&c->out), left;
	ssize_t sent;

	assert(n < ARRAY_LEN(iov));
	if (queued)
		iov[iov_n++] = (struct iovec){ c->out.p + c->out.off, queued };
	for (unsigned i = 0; i < n; i++)
		iov[iov_n++] = (struct iovec){ (void *)(uintptr_t)v[i].p, v[i].n };
	if (iov_n == 0 && !c->tr_out)
		return;
	do {
		sent = c->tr->send(c, iov, iov_n);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0) {
		if (errno != EAGAIN) {
			conn_out_broken(c);
			return;
		}
		sent = 0;
	}
	if (sent > 0 || !c->out_blocked)
		c->out_since = conn_now(c);
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
	if (!c->out_blocked && !is_opening(c) && iobuf_len(&c->out) + total > CONN_GATHER)
		send_now(c, rest, n);
	if (c->broken || c->out_closed)
		return;
	for (unsigned i = 0; i < n; i++)
		iobuf_add(c->pool, &c->out, rest[i].p, rest[i].n);
}

void conn_flush(struct conn *c)
{
	if (c->dead || c->broken || is_opening(c))
		return;
	if (iobuf_len(&c->out) > 0 || c->tr_out)
		send_now(c, NULL, 0);
	c->out_blocked = iobuf_len(&c->out) > 0 || c->tr_out || c->file_waits;
}

void conn_hold(struct conn *c)
{
	c->held = true;
	deferred_call(&c->kick);
}

void conn_shut_output(struct conn *c)
{
	if (c->out_closed)
		return;
	c->out_closed = true;
	c->tr->shutdown(c);
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
	if (!is_opening(c))
		c->codec->leave(c);
	conn_settle(c);
	c->busy--;
}

/* ---- input ---- */

bool conn_receive(struct conn *c)
{
	bool was_empty = iobuf_len(&c->in) == 0;
	char *p = iobuf_room(c->pool, &c->in, RECEIVE_MIN);
	size_t room = c->in.cap - c->in.n;
	ssize_t n;

	do {
		n = c->codec->receive ? c->codec->receive(c, p, room) : c->tr->recv(c, p, room);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		c->in.n += (size_t)n;
		c->codec->received(c, was_empty);
		return true;
	}
	if (c->dead)
		return true; /* the transport said why */
	if (was_empty)
		iobuf_fini(c->pool, &c->in);
	if (n < 0 && errno == EAGAIN)
		return false;
	c->eof = true;
	if (n < 0)
		c->broken = c->hup = true;
	return true;
}

/*
 * The PROXY protocol's header, read to its last byte and not a byte further: what follows may be
 * TLS. 1 = it is there, 0 = more is to come.
 */
static int take_proxy_header(struct conn *c, struct err *err)
{
	char peek[PROXY_MAX];
	struct proxy_info info;
	size_t need = 0, have = iobuf_len(&c->in), take;
	ssize_t n = recv(c->fd, peek, sizeof(peek), MSG_PEEK | MSG_DONTWAIT), r;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR
			       ? 0
			       : err_sysc(err, ERR_UNAVAILABLE, errno, "PROXY protocol");
	if (n == 0)
		return err_set(err, ERR_UNAVAILABLE, "PROXY protocol: the peer closed");
	iobuf_add(c->pool, &c->in, peek, (size_t)n);
	r = proxy_parse(slice_of(c->in.p + c->in.off, have + (size_t)n), &info, &need, err);
	if (r < 0)
		return (int)r;
	take = MIN(MAX(need, have) - have, (size_t)n);
	if (recv(c->fd, peek, take, MSG_DONTWAIT) != (ssize_t)take)
		return err_set(err, ERR_SYSTEM, "PROXY protocol: bytes that were there are gone");
	c->in.n -= (size_t)n - take;
	if (r == 0)
		return 0;
	if (!info.local && info.src.ss_family != AF_UNSPEC) {
		c->peer.local = false;
		conn_peer_set(&c->peer, &info.src);
	}
	iobuf_fini(c->pool, &c->in);
	c->proxied = false;
	return 1;
}

/* The proxy's answer to CONNECT, read to its blank line and not a byte further. 1 = the way is
 * open. */
static int take_tunnel_answer(struct conn *c, struct err *err)
{
	char head[8192];
	ssize_t n = recv(c->fd, head, sizeof(head) - 1, MSG_PEEK | MSG_DONTWAIT);
	struct h1_limits lim = { sizeof(head), sizeof(head), 100 };
	size_t scan = 0, have = iobuf_len(&c->in), take;
	ssize_t end;
	int status = 0;

	if (n <= 0 && (n == 0 || (errno != EAGAIN && errno != EINTR)))
		return err_set(err, ERR_UNAVAILABLE, "the proxy closed the connection");
	if (n <= 0)
		return 0;
	iobuf_add(c->pool, &c->in, head, (size_t)n);
	end = h1_head_end(slice_of(c->in.p + c->in.off, have + (size_t)n), &scan, &lim, &status,
			  err);
	if (end < 0)
		return err_wrap(err, "answer of the proxy");
	take = end > 0 ? (size_t)end - have : (size_t)n;
	if (recv(c->fd, head, take, MSG_DONTWAIT) != (ssize_t)take)
		return err_set(err, ERR_SYSTEM, "proxy: bytes that were there are gone");
	c->in.n -= (size_t)n - take;
	if (end == 0)
		return 0;
	memcpy(head, c->in.p + c->in.off, MIN(iobuf_len(&c->in), sizeof(head) - 1));
	head[MIN(iobuf_len(&c->in), sizeof(head) - 1)] = '\0';
	iobuf_fini(c->pool, &c->in);
	c->tunnel = false;
	head[strcspn(head, "\r\n")] = '\0';
	if (strncmp(head, "HTTP/1.", 7) != 0 || strlen(head) < 12 ||
	    strncmp(head + 8, " 2", 2) != 0)
		return err_set(err, ERR_UNAVAILABLE, "the proxy refused the way: '%.100s'%s", head,
			       strstr(head, " 407") ? " (it wants a user and password)" : "");
	return 1;
}

/* What was negotiated decides; a client that speaks HTTP/2 only takes nothing else. */
static int choose_codec(struct conn *c, struct err *err)
{
	bool h2 = c->tr->alpn && slice_is(c->tr->alpn(c), "h2");

	if (c->h2 && c->tr->alpn && !h2)
		return err_set(err, ERR_UNSUPPORTED,
			       "the server does not speak HTTP/2 (ALPN chose no \"h2\")");
	if (h2 && !c->h2)
		h2_attach(c);
	return 0;
}

/* The socket is there: the handshake, if there is one, then the role may use it. */
static void opening(struct conn *c)
{
	struct err err = ERR_INIT;
	int r = 1;

	if (c->proxied)
		r = take_proxy_header(c, &err);
	else if (c->tunnel)
		r = take_tunnel_answer(c, &err);
	if (r == 1 && c->handshaking)
		r = c->tr->handshake(c, &err);
	if (r < 0) {
		conn_fail(c, &err);
		return;
	}
	if (r == 0) {
		conn_settle(c);
		return;
	}
	c->handshaking = false;
	if (choose_codec(c, &err) < 0) {
		conn_fail(c, &err);
		return;
	}
	c->since = conn_now(c);
	conn_enter(c);
	if (c->role->connected)
		c->role->connected(c);
	conn_leave(c);
	/* What came with the last flight of the handshake may be all there is. */
	if (!c->dead && c->tr_in)
		deferred_call(&c->kick);
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
	if (send_preamble(c, &err) < 0) {
		conn_fail(c, &err);
		return;
	}
	conn_peer_init(&c->peer, c->fd);
	opening(c);
}

static void run(struct conn *c)
{
	if (c->dead)
		return;
	c->busy++;
	c->codec->run(c);
	conn_settle(c);
	c->busy--;
}

static int on_event(struct source *src, uint32_t events)
{
	struct conn *c = CONTAINER_OF(src, struct conn, src);

	if (c->connecting) {
		connect_ended(c);
		return 0;
	}
	if (c->proxied || c->tunnel || c->handshaking) {
		opening(c);
		return 0;
	}
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		c->file_waits = false;
	if (events & (EPOLLHUP | EPOLLERR)) {
		/* Both directions are closed. Nobody reads an answer; but raw bytes and answers may
		 * still wait here. */
		c->hup = true;
		if (wants_input(c))
			(void)conn_receive(c); /* eof, if that is what it was, is in c */
		else
			source_fini(&c->src);
		if (!c->dead)
			c->codec->hangup(c, true);
	} else if (events & EPOLLIN) {
		(void)conn_receive(c); /* nothing there is fine: level-triggered */
	} else if (events & EPOLLRDHUP) {
		c->peer_quiet = true;
		c->codec->hangup(c, false);
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
	if (is_opening(c))
		return;
	c->held = false;
	if ((c->hup || c->tr_in) && !c->eof && wants_input(c))
		(void)conn_receive(c);
	run(c);
}
