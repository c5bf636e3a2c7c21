/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP server on an event loop: listeners, connections, limits, graceful end. Handlers get streams
 * (io/stream.h).
 *
 * One server has one request handler (usually a router behind it) and any number of listeners. Not
 * thread safe: it lives on its loop's thread. A malformed request never reaches the handler: it is
 * answered by its status (400, 408, 413, 414, 417, 431, 501, 505) with `conf.refuse`'s body, and
 * the connection closes.
 */
#pragma once

#include "base/cleanup.h"
#include "io/http2.h"
#include "io/stream.h"

#include <sys/types.h>

struct access_log;
struct http_server;
struct metrics;
struct tls_conf;

/* Zero means the default in brackets. Times in ns. */
struct http_server_conf {
	void (*request)(struct stream *s, void *arg); /* required; may answer at once or later */
	void *arg;
	/* Writes the body of a refusal by the codec and returns its content type (static). Default:
	 * text/plain. */
	const char *(*refuse)(struct buf *body, int status, const char *message);
	/* Sent with every answer, also refusals; static strings, borrowed for the server's life. */
	const struct http_header *common;
	size_t common_n;

	enum http2_mode http2;	       /* [HTTP2_BY_TLS] */
	struct access_log *access_log; /* io/access-log.h; borrowed [none] */
	struct metrics *metrics;       /* io/metrics.h: request metrics go there; borrowed [none] */
	/* Networks ("10.0.0.0/8", "unix") whose connections begin with the PROXY protocol; it is
	 * required from them and not understood from others. Borrowed for the call. [none] */
	const char *const *proxy_trusted;
	size_t proxy_trusted_n;
	bool connect;		/* CONNECT comes to the handler: host has its target, path is "" */
	size_t streams_max;	/* HTTP/2: at once on one connection [100] */
	size_t connections_max; /* open at once [1024]; more wait in the backlog */
	size_t head_max;	/* bytes of request line and headers [65536]: 431 */
	size_t line_max;	/* request line [16384]: 414 */
	size_t headers_max;	/* count [128]: 431 */
	size_t arena_max;	/* per stream [4 MiB] */
	size_t queue_mark;	/* send queue of a stream [256 KiB] */
	size_t drain_max;	/* unread request body skipped to keep the connection [256 KiB] */

	int64_t head_time; /* whole head, from its first byte (first request: from accept) [30 s] */
	int64_t body_time; /* no body byte although credit is there [120 s] */
	int64_t idle_time; /* between requests [300 s] */
	/* No progress of a blocked write [120 s for whole answers; a streamed one waits for its
	 * reader, unless set]. Hijacked streams always wait. */
	int64_t write_time;
};

int http_server_new(struct loop *l, const struct http_server_conf *conf, struct http_server **ret,
		    struct err *err);
/* Resets what runs; listeners of http_server_listen_unix are unlinked unless exported. */
void http_server_free(struct http_server *srv);
DEFINE_CLEANUP(struct http_server *, http_server_free)

/* Binds path with mode and group (gid -1 = ours). A stale socket is replaced only if nobody answers
 * there; a lock file "<path>.lock" keeps two servers apart. EXISTS when another one serves it. */
int http_server_listen_unix(struct http_server *srv, const char *path, mode_t mode, gid_t gid,
			    struct err *err);
/* "127.0.0.1:2375", "[::1]:0", ":2375" (all addresses): numeric only. */
int http_server_listen_tcp(struct http_server *srv, const char *addr, struct err *err);
/* A listening socket made elsewhere (predecessor, systemd); taken, also on failure. */
int http_server_listen_fd(struct http_server *srv, int fd_taken, struct err *err);
/* Number of sockets passed by systemd's protocol to this process (LISTEN_PID, LISTEN_FDS; they
 * start at fd 3). The variables are removed and the fds made close-on-exec. 0 if there are none. */
unsigned http_listen_fds(void);
/* An already connected socket (tests, inherited); taken, also on failure. */
int http_server_adopt(struct http_server *srv, int fd_taken, struct err *err);

#define HTTP_ALL_LISTENERS SIZE_MAX
/*
 * Connections that are accepted from now on speak TLS by conf (crypto/tls.h; referenced), or plain
 * if it is NULL; those that are open stay as they are. Called again, it is a reload. i: one
 * listener, or HTTP_ALL_LISTENERS: all TCP ones, also later ones, and adopted sockets; a Unix
 * listener speaks TLS only if named. stream_peer(s)->tls tells who came.
 */
int http_server_set_tls(struct http_server *srv, size_t i, struct tls_conf *conf, struct err *err);

/* Whose connections begin with the PROXY protocol, as http_server_conf.proxy_trusted; from the next
 * one on. i: one listener, which then has a list of its own (n 0: it understands none), or
 * HTTP_ALL_LISTENERS: those without one, and adopted sockets. */
int http_server_set_proxy_trusted(struct http_server *srv, size_t i, const char *const *list,
				  size_t n, struct err *err);

size_t http_server_listeners(const struct http_server *srv);
/* "unix:///run/teu/engine.sock" or "tcp://127.0.0.1:41234" with the port that was bound. Borrowed.
 */
const char *http_server_address(const struct http_server *srv, size_t i);
/* A duplicate of listener i for a successor. The path (and lock) is then the successor's: free
 * leaves it alone. */
int http_server_export(struct http_server *srv, size_t i, int *ret_fd, struct err *err);

/* Graceful end: stops accepting, closes idle connections, lets running exchanges finish, resets
 * what is left after grace_ns. drained(arg) runs once, from the loop; then http_server_free may be
 * called (also inside it). */
void http_server_drain(struct http_server *srv, int64_t grace_ns, void (*drained)(void *arg),
		       void *arg);

struct http_server_stats {
	uint64_t accepted, requests, refused, timeouts;
	size_t connections, streams; /* open now */
};
struct http_server_stats http_server_get_stats(const struct http_server *srv);
