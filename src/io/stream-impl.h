/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to io: what a stream is made of, the seam to codecs (stream_ops), and the pool that gives
 * buffers and streams to all connections of one server or client. A further codec fills in
 * stream_ops and calls stream_give_*.
 */
#pragma once

#include "base/list.h"
#include "io/stream.h"

struct conn;

#define IOBUF_SIZE 32768u

/* ---- pool ---- */

/* Counted: streams that are still referenced may outlive their server. */
struct io_pool {
	unsigned refs;
	struct loop *loop;
	size_t arena_max;
	struct list streams; /* spare ones, their arenas reset */
	unsigned streams_n;
	char *bufs[32];
	unsigned bufs_n;
	size_t streams_open; /* handed out */
	/* Told of each stream that ends on a connection; NULL = nobody is. */
	void (*done)(void *arg, const struct stream *s, const struct err *why);
	void *done_arg;
	struct h2_mem *h2_mem; /* h2-mem.c; NULL before the first */
	char *scratch; /* of transport-tls.c, shared by all connections; NULL before the first */
};

struct io_pool *io_pool_new(struct loop *l, size_t arena_max);
struct io_pool *io_pool_ref(struct io_pool *p);
void io_pool_unref(struct io_pool *p);

/* Bytes between off and n wait. Memory is there only while some do: an idle connection has none. */
struct iobuf {
	char *p;
	size_t off, n, cap;
};
static inline size_t iobuf_len(const struct iobuf *b)
{
	return b->n - b->off;
}
char *iobuf_room(struct io_pool *p, struct iobuf *b,
		 size_t min); /* write here, then b->n += written */
void iobuf_add(struct io_pool *p, struct iobuf *b, const void *src, size_t n);
void iobuf_consume(struct io_pool *p, struct iobuf *b, size_t n);
void iobuf_fini(struct io_pool *p, struct iobuf *b);

/* ---- streams ---- */

struct out_header {
	struct out_header *next;
	struct slice name, value;
};

struct stream_ops {
	void (*credit)(struct stream *s);
	/* Sends the head. whole: body is all there is; else length as in stream_start. */
	int (*answer)(struct stream *s, int64_t length, const struct slice *whole);
	int (*write)(struct stream *s, const void *p, size_t n);
	/* Sends from the file's pages: bytes, moving nothing else; 0 = later, `writable` comes;
	 * -ERR_UNSUPPORTED = not here; -ERR_SYSTEM with errno = the file. n 0: nothing, but
	 * `writable` comes in the next round. NULL = never. */
	ssize_t (*send_file)(struct stream *s, int fd, uint64_t at, size_t n);
	int (*end)(struct stream *s);
	void (*reset)(struct stream *s, const struct err *why);
	int (*hijack)(struct stream *s, struct err *err);
	/* 1 = *ret_fd is the socket itself; 0 = must be relayed. */
	int (*detach)(struct stream *s, int *ret_fd, struct err *err);
	size_t (*queued)(const struct stream *s);
	struct conn *(*cork)(struct stream *s); /* enters the connection; NULL = never */
};

struct stream {
	unsigned refs;
	struct list link; /* in the pool's spare list */
	struct io_pool *pool;
	const struct stream_ops *ops;
	void *conn; /* the codec's; NULL once closed */
	struct conn *corked;
	const struct stream_events *ev;
	void *arg;
	struct arena *arena;
	const struct stream_peer *peer;

	struct http_request rq;
	struct http_header *headers, *trailers;
	size_t headers_n, trailers_n;
	int64_t length;
	int status;

	struct out_header *out, *out_trailers;
	int64_t body_length; /* client: as given to http_client_send; HTTP/2: bytes still owed, or
				-1 */
	unsigned tries;	     /* client: sent so often before */
	bool unseen;	     /* client: the server said that it did not look at it (RFC 9113 8.7) */
	int64_t began;	     /* server: when the head was there */
	uint64_t bytes_in, bytes_out;
	size_t credit, queue_mark;
	bool client, hijack_wanted, hijacked, head_sent, no_body, ended_in, ended_out, finished,
		blocked, cancelled;

	stream_collected *collected;
	void *collect_arg;
	char *collect_p;
	size_t collect_n, collect_cap, collect_max;
};

struct stream *stream_new(struct io_pool *p, const struct stream_ops *ops, void *conn);
/* The connection's reference ends: calls closed, forgets the connection. */
void stream_close(struct stream *s, const struct err *why);
/* Called by codecs for what arrives. */
void stream_give_head(struct stream *s);
void stream_give_data(struct stream *s, struct slice bytes);
void stream_give_end(struct stream *s);
void stream_give_writable(struct stream *s);
void stream_give_cancel(struct stream *s);
struct slice header_find(const struct http_header *h, size_t n, const char *name);

/* Joins a hijacked stream and one end of a socketpair until both directions end (relay.c). Takes
 * fd. */
int relay_start(struct stream *s, int fd_taken, struct err *err);

/* The loop that the blocking calls run. */
struct http_client;
struct loop *http_client_loop(struct http_client *c);

/* Allocation of fixed, small things: out of memory ends the process (STYLE 4.4). */
void *io_alloc(size_t n);
