/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to io: one HTTP/1.1 connection, the same for server and client. What differs is in
 * conn_role. One exchange at a time; on a server further requests wait in the input buffer
 * (bounded), so answers keep order.
 */
#pragma once

#include "base/loop.h"
#include "io/http1.h"
#include "io/stream-impl.h"

struct conn;

enum conn_in { IN_HEAD, IN_BODY, IN_DONE, IN_RAW, IN_LINGER };
enum conn_out { OUT_NONE, OUT_BODY, OUT_DONE, OUT_RAW };

struct conn_conf {
	struct h1_limits limits;
	size_t queue_mark, drain_max;
	int64_t head_time, body_time, idle_time, write_time, connect_time; /* 0 = none */
	bool write_time_always; /* also for streamed output */
};

struct conn_role {
	/* A whole head is there, to be copied before anything else; c->cur is set (client) or to be
	 * made (server). Negative: refused, and the connection was dealt with. */
	int (*head)(struct conn *c, struct slice head);
	/* The head can never become one. */
	void (*bad_head)(struct conn *c, int status, const struct err *why);
	/* An exchange is over and the connection can carry another one. */
	void (*idle)(struct conn *c);
	/* The connection is closed: forget it; its memory goes at the end of the round. */
	void (*gone)(struct conn *c);
	/* A time-out: true if the role has dealt with it (408). */
	bool (*timeout)(struct conn *c);
	/* client only: */
	void (*connected)(struct conn *c);
	/* The connection broke under s: true if s was taken over to be sent once more. */
	bool (*retry)(struct conn *c, struct stream *s, const struct err *why);
};

struct conn {
	struct source src;
	struct timer timer;
	struct deferred kick;
	struct list link;
	const struct conn_role *role;
	void *owner;
	const struct conn_conf *conf;
	struct io_pool *pool;
	struct stream *cur;
	struct iobuf in, out;
	struct h1_body body;
	enum conn_in in_state;
	enum conn_out out_state;
	int64_t out_left;  /* OUT_BODY with a length: bytes still owed, else -1 */
	int64_t since;	   /* begin of what the deadline of in_state counts from */
	int64_t out_since; /* last progress of blocked output */
	size_t scan, drained;
	unsigned busy;
	int fd;
	bool client, connecting, chunked_out, keep_alive, eof, hup, peer_quiet, dead, broken,
		out_blocked, expect, streamed, fresh, draining, peek, out_closed;
	struct stream_peer peer;
};

/* fd non-blocking, taken. connecting: wait for EPOLLOUT first. */
struct conn *conn_new(struct io_pool *pool, int fd_taken, const struct conn_role *role, void *owner,
		      const struct conn_conf *conf);
/* Registers with the loop. */
int conn_start(struct conn *c, bool connecting, struct err *err);
/* Closes now: the current stream gets why; role->gone is called. */
void conn_fail(struct conn *c, const struct err *why);
/* For owners that go away: frees at once; nothing of c may be running. */
void conn_free(struct conn *c);

void conn_enter(struct conn *c);
void conn_leave(struct conn *c);
/* Output while entered. Small pieces are gathered and leave in one send. */
void conn_send(struct conn *c, const struct slice *v, unsigned n);
/* The response (server) or request (client) head was sent; body follows as told. */
void conn_out_begin(struct conn *c, int64_t length, bool chunked);
/* Head of the current exchange was read; body follows. */
void conn_in_begin(struct conn *c, enum h1_body_kind kind, int64_t length);
/* Closes after what is queued was sent, reading on for a moment so that the peer sees it (no RST).
 */
void conn_linger(struct conn *c);
void conn_peer_init(struct stream_peer *peer, int fd);
/* Formats one header line for the output buffer. */
static inline char *put(char *d, const char *s, size_t n)
{
	memcpy(d, s, n);
	return d + n;
}

/* The parts of stream_ops that both roles share. */
void conn_op_credit(struct stream *s);
int conn_op_write(struct stream *s, const void *p, size_t n);
int conn_op_end(struct stream *s);
void conn_op_reset(struct stream *s, const struct err *why);
int conn_op_detach(struct stream *s, int *ret_fd, struct err *err);
size_t conn_op_queued(const struct stream *s);
