/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to io: one connection of a server or a client. Three layers, each behind a table:
 *
 *   role       what a server and a client do differently (http-server*.c, http-client*.c)
 *   codec      HTTP/1.1 (conn-h1.c) or HTTP/2 (h2*.c): bytes to streams and back
 *   conn.c     socket, buffers, what is waited for, time-outs, life
 *   transport  below: the plain socket (conn.c) or TLS; bytes in, bytes out, half-close
 *
 * A transport with a handshake runs it before the codec sees a byte; what it negotiated (ALPN)
 * chooses the codec. A codec may also be changed later, before its first exchange (prior
 * knowledge) or by an upgrade.
 */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "io/http1.h"
#include "io/stream-impl.h"

#include <sys/socket.h>
#include <sys/uio.h>

struct conn;
struct h2;

enum conn_in { IN_HEAD, IN_BODY, IN_DONE, IN_RAW, IN_LINGER };
enum conn_out { OUT_NONE, OUT_BODY, OUT_DONE, OUT_RAW };

struct conn_conf {
	struct h1_limits limits;
	size_t queue_mark, drain_max, streams_max;
	int64_t head_time, body_time, idle_time, write_time, connect_time; /* 0 = none */
	int64_t ping_time, ping_timeout; /* HTTP/2 clients; 0 = no pings */
	bool write_time_always;		 /* also for streamed output */
	bool preface; /* server: a plain connection may begin with that of HTTP/2 */
};

/*
 * Below a connection: the way to and from the peer. State is c->tr_state. `recv` and `send` are as
 * the system calls: -1 with errno, EAGAIN = later. Waiting is conn.c's: it asks for EPOLLIN while
 * the codec wants input and for EPOLLOUT while `send` took less than all.
 */
struct transport {
	/* One step of what comes before the first byte; NULL = nothing does. 1 = done; 0 = wait for
	 * c->tr_wants (EPOLLIN, EPOLLOUT); negative with err: the connection fails with it. */
	int (*handshake)(struct conn *c, struct err *err);
	/* What was negotiated ("h2", "http/1.1"), empty if nothing; after the handshake. NULL =
	 * never anything. */
	struct slice (*alpn)(struct conn *c);
	/* Up to n bytes; 0 = the peer half-closed. Leaves c->tr_in true while bytes are there that
	 * epoll does not know of: conn.c then comes back without an event. */
	ssize_t (*recv)(struct conn *c, void *p, size_t n);
	/* Takes what it can of n pieces (none is fine: push what is held back) and returns how
	 * many bytes. Leaves c->tr_out true while it holds taken bytes back: EPOLLOUT is waited
	 * for, then `send` is called again. Must not raise SIGPIPE. */
	ssize_t (*send)(struct conn *c, struct iovec *v, unsigned n);
	/* As sendfile, from at, of a socket that takes no more: -1 with EAGAIN. Only while nothing
	 * is held back; EOPNOTSUPP: not here, not now. NULL = never. */
	ssize_t (*send_file)(struct conn *c, int fd, uint64_t at, size_t n);
	/* No more output: after all that was taken the peer reads end of file. Failure shows by
	 * recv. */
	void (*shutdown)(struct conn *c);
	/* A kept client connection: open, and nothing has come. */
	bool (*is_quiet)(struct conn *c);
	/* Frees tr_state; NULL = there is none. The fd is conn.c's. Called once, also after a
	 * failed handshake. */
	void (*fini)(struct conn *c);
	bool raw; /* the fd carries what recv and send carry: it can be peeked and handed over */
};
extern const struct transport transport_plain;

/* Above: what the bytes mean. All run while entered, but for wants_input and deadline. */
struct codec {
	bool (*wants_input)(const struct conn *c);
	int64_t (*deadline)(const struct conn *c); /* INT64_MAX = none; not while connecting */
	/* The deadline has passed and the role did not deal with it. */
	void (*timeout)(struct conn *c);
	/* Where to receive: at least one byte of room; *ret_n how much. */
	ssize_t (*receive)(struct conn *c, char *p, size_t n); /* NULL = transport's recv */
	/* Bytes have come (was_empty: there were none before). */
	void (*received)(struct conn *c, bool was_empty);
	/* Something has come, was sent or was granted: do all that can be done. */
	void (*run)(struct conn *c);
	/* The outermost conn_leave: send what was gathered, see what is over. */
	void (*leave)(struct conn *c);
	/* The peer closed its direction (both: also ours), told by epoll and not by recv. */
	void (*hangup)(struct conn *c, bool both);
	/* The peer takes no more: false if reading goes on nevertheless. */
	bool (*out_broken)(struct conn *c);
	/* Closes all streams with why; may run callbacks. c is dead already. */
	void (*failed)(struct conn *c, const struct err *why);
	/* Graceful end, as soon as what runs is over (a server that drains). */
	void (*drain)(struct conn *c);
	void (*fini)(struct conn *c);
};
extern const struct codec codec_h1, codec_h2;

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
	/* The socket is connected and the handshake is over, the codec chosen. May be NULL. */
	void (*connected)(struct conn *c);
	/* client only: it ends before it was usable, followed by gone. May be NULL. */
	void (*unopened)(struct conn *c, const struct err *why);
	/* client only: The connection broke under s: true if s was taken over to be sent once more.
	 */
	bool (*retry)(struct conn *c, struct stream *s, const struct err *why);
};

struct conn {
	struct source src;
	struct timer timer;
	struct deferred kick;
	struct list link;
	const struct conn_role *role;
	const struct codec *codec;
	const struct transport *tr;
	void *tr_state;
	void *owner;
	const struct conn_conf *conf;
	struct io_pool *pool;
	struct iobuf in, out;
	int64_t since;	   /* begin of what the deadline counts from */
	int64_t out_since; /* last progress of blocked output */
	unsigned busy;
	int fd;
	uint32_t tr_wants; /* during the handshake */
	bool client, connecting, handshaking, proxied, /* begins with the PROXY protocol */ eof,
		hup, peer_quiet, dead, broken,
		file_waits, /* a file's bytes wait for the socket: nothing of them is in `out` */
		out_blocked, out_closed, tr_in, tr_out;
	bool held;   /* client: a head waits for its body, to leave in one send; till the kick */
	bool tr_cut; /* the end came without the transport's own sign of it: bytes may be missing */
	struct stream_peer peer;

	/* client: sent before anything else, also a handshake; borrowed until it is connected */
	struct slice preamble;
	struct h2 *h2; /* of codec_h2 */

	/* of codec_h1 */
	struct stream *cur;
	struct h1_body body;
	enum conn_in in_state;
	enum conn_out out_state;
	int64_t out_left; /* OUT_BODY with a length: bytes still owed, else -1 */
	size_t scan, drained;
	bool chunked_out, keep_alive, expect, streamed, fresh, draining, peek, h2c_asked,
		unassigned, tunnel; /* client: the answer to the preamble's CONNECT is to come */
};

/* ---- conn.c ---- */

/* fd non-blocking, taken. The codec is HTTP/1.1 and the transport the plain socket until somebody
 * says otherwise, before conn_start. */
struct conn *conn_new(struct io_pool *pool, int fd_taken, const struct conn_role *role, void *owner,
		      const struct conn_conf *conf);
/* Registers with the loop. connecting: wait for EPOLLOUT first. */
int conn_start(struct conn *c, bool connecting, struct err *err);
/* Closes now: streams get why; role->gone is called. */
void conn_fail(struct conn *c, const struct err *why);
void conn_fail_text(struct conn *c, enum err_code code, const char *why);
/* For owners that go away: frees at once; nothing of c may be running. */
void conn_free(struct conn *c);

void conn_enter(struct conn *c);
void conn_leave(struct conn *c);
/* Output while entered. Small pieces are gathered and leave in one send. */
void conn_send(struct conn *c, const struct slice *v, unsigned n);
/* Sends what is gathered; c->out_blocked tells whether something stayed. */
void conn_flush(struct conn *c);
/* The socket takes no more, as errno says: what is queued is dropped. */
void conn_out_broken(struct conn *c);
#define CONN_GATHER 16384u /* smaller output is gathered while entered */
/* Client, within the send of a head whose body is to follow: nothing leaves before the body is
 * whole, or the round ends. */
void conn_hold(struct conn *c);
/* Half-closes behind what was sent; once. */
void conn_shut_output(struct conn *c);
/* Brings epoll and the timer up to date. */
void conn_settle(struct conn *c);
/* One receive into c->in. False when there was nothing. */
bool conn_receive(struct conn *c);
void conn_peer_init(struct stream_peer *peer, int fd);
void conn_peer_set(struct stream_peer *peer, const struct sockaddr_storage *sa);
/* from + time, or never if there is no time limit. */
static inline int64_t conn_after(int64_t from, int64_t time)
{
	return time > 0 ? from + time : INT64_MAX;
}
static inline int64_t conn_now(const struct conn *c)
{
	return loop_now(c->pool->loop);
}

/* ---- conn-h1.c ---- */

/* The response (server) or request (client) head was sent; body follows as told. */
void conn_out_begin(struct conn *c, int64_t length, bool chunked);
/* Head of the current exchange was read; body follows. */
void conn_in_begin(struct conn *c, enum h1_body_kind kind, int64_t length);
/* Closes after what is queued was sent, reading on for a moment so that the peer sees it (no RST).
 */
void conn_linger(struct conn *c);
/* Formats one header line for the output buffer. */
static inline char *put(char *d, const char *s, size_t n)
{
	memcpy(d, s, n);
	return d + n;
}

/* In decimal; at most 20 bytes. Returns how many. */
static inline size_t put_number(char *d, uint64_t v)
{
	char tmp[20];
	size_t n = 0;

	do {
		tmp[n++] = (char)('0' + v % 10);
	} while (v /= 10);
	for (size_t i = 0; i < n; i++)
		d[i] = tmp[n - 1 - i];
	return n;
}

/* The parts of stream_ops that both roles share. */
void conn_op_credit(struct stream *s);
int conn_op_write(struct stream *s, const void *p, size_t n);
struct conn *conn_op_cork(struct stream *s);
ssize_t conn_op_send_file(struct stream *s, int fd, uint64_t at, size_t n);
int conn_op_end(struct stream *s);
void conn_op_reset(struct stream *s, const struct err *why);
int conn_op_detach(struct stream *s, int *ret_fd, struct err *err);
size_t conn_op_queued(const struct stream *s);
