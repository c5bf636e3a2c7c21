/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Relay: joins a hijacked stream with a socket, for stream_detach when the socket itself cannot be
 * handed over. Each direction carries at most one buffer at a time (back-pressure both ways) and
 * closes by half.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "io/stream-impl.h"

#include <errno.h>
#include <sys/socket.h>

#define RELAY_CREDIT 65536u

struct relay {
	struct source src;
	struct stream *s;
	struct iobuf to_fd;
	int fd;
	bool in_ended, in_shut; /* stream -> fd: peer ended; passed on */
	bool out_ended;		/* fd -> stream */
	bool stalled;		/* stream's queue is full */
	bool hup;		/* the other end of the socketpair is closed */
};

static int relay_event(struct source *src, uint32_t events);

static void relay_waits(struct relay *r)
{
	uint32_t want = 0;

	if (!r->out_ended && !r->stalled)
		want |= EPOLLIN;
	if (iobuf_len(&r->to_fd))
		want |= EPOLLOUT;
	if (source_active(&r->src))
		(void)source_set(&r->src,
				 want); /* fails only for an fd that is not there: ours is */
}

static void relay_flush(struct relay *r)
{
	struct stream *s = r->s;
	size_t had = iobuf_len(&r->to_fd);

	while (iobuf_len(&r->to_fd) > 0) {
		ssize_t n = send(r->fd, r->to_fd.p + r->to_fd.off, iobuf_len(&r->to_fd),
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			/* Nobody reads there any more: drop what the peer sends from now on. */
			iobuf_fini(s->pool, &r->to_fd);
			r->in_ended = r->in_shut = true;
			return;
		}
		iobuf_consume(s->pool, &r->to_fd, (size_t)n);
	}
	if (iobuf_len(&r->to_fd) > 0)
		return;
	if (r->in_ended && !r->in_shut) {
		r->in_shut = true;
		(void)shutdown(r->fd, SHUT_WR); /* the other end may be gone: reading tells */
	} else if (had && !r->in_ended) {
		stream_read(s, RELAY_CREDIT - MIN(s->credit, RELAY_CREDIT));
	}
}

static void relay_data(struct stream *s, struct slice bytes)
{
	struct relay *r = s->arg;

	if (r->in_shut)
		return;
	iobuf_add(s->pool, &r->to_fd, bytes.p, bytes.n);
	relay_flush(r);
	if (!stream_is_closed(s))
		relay_waits(r);
}

static void relay_end(struct stream *s)
{
	struct relay *r = s->arg;

	r->in_ended = true;
	relay_flush(r);
	if (!stream_is_closed(s))
		relay_waits(r);
}

/* Reads until there is nothing, the stream is full, or the end. */
static void relay_pump(struct relay *r)
{
	struct stream *s = r->s;
	char chunk[16384];
	ssize_t n;

	while (!r->stalled && !r->out_ended && !stream_is_closed(s)) {
		n = recv(r->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n > 0) {
			r->stalled = stream_write(s, chunk, (size_t)n) == 1;
			continue;
		}
		r->out_ended = true;
		/* A stream that broke reports by relay_closed. hup: nobody is left to take the
		 * peer's bytes. */
		(void)(r->hup ? stream_finish(s) : stream_end(s));
	}
}

static void relay_writable(struct stream *s)
{
	struct relay *r = s->arg;

	r->stalled = false;
	if (r->hup)
		relay_pump(r);
	else
		relay_waits(r);
}

static void relay_closed(struct stream *s, const struct err *why)
{
	struct relay *r = s->arg;

	(void)why; /* the fd's reader sees the end of file, which is all a byte stream can say */
	source_fini(&r->src);
	iobuf_fini(s->pool, &r->to_fd);
	fd_close(r->fd);
	free(r);
}

static int relay_event(struct source *src, uint32_t events)
{
	struct relay *r = CONTAINER_OF(src, struct relay, src);
	CLEANUP(stream_unref) struct stream *s = stream_ref(r->s);

	if (events & (EPOLLHUP | EPOLLERR)) {
		/* The other end is closed: epoll would say so for ever. What it left is read as the
		 * stream takes it. */
		r->hup = true;
		source_fini(&r->src);
		if (r->out_ended)
			(void)stream_finish(s); /* closed meanwhile: that is what is wanted */
	} else if (events & EPOLLOUT) {
		relay_flush(r);
	}
	if (!stream_is_closed(s))
		relay_pump(r);
	if (!stream_is_closed(s))
		relay_waits(r);
	return 0;
}

static const struct stream_events relay_events = {
	.data = relay_data,
	.end = relay_end,
	.writable = relay_writable,
	.closed = relay_closed,
};

int relay_start(struct stream *s, int fd_taken, struct err *err)
{
	struct relay *r = io_alloc(sizeof(*r));

	r->src = SOURCE_INIT;
	r->fd = fd_taken;
	r->s = s;
	if (fd_set_nonblock(r->fd, true) < 0 ||
	    source_init(&r->src, s->pool->loop, r->fd, EPOLLIN, relay_event, err) < 0) {
		fd_close(r->fd);
		free(r);
		return err && err->code
			       ? err_ret(err)
			       : err_set(err, ERR_SYSTEM, "relay: the socket cannot be watched");
	}
	stream_on(s, &relay_events, r);
	stream_read(s, RELAY_CREDIT);
	return 0;
}
