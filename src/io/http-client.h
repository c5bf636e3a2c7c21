/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP client: asynchronous on a loop with streams (io/stream.h), and a blocking facade for command
 * line tools.
 *
 * A client stands for one address. It keeps idle connections and opens further ones for exchanges
 * that run at the same time. A request without a body that meets a kept connection which the server
 * closed meanwhile is sent again on a new one. Addresses: "unix:///path", "tcp://127.0.0.1:2375",
 * "http://[::1]:80", "tcp://localhost:2375" (numeric or localhost; other names are refused with
 * ERR_UNSUPPORTED). Not thread safe.
 */
#pragma once

#include "base/cleanup.h"
#include "io/http2.h"
#include "io/stream.h"

#include <stdatomic.h>

struct http_answer;
struct http_client;
struct http_proxy;
struct proxy_info;
struct resolver;
struct tls_conf;

/* Zero means the default in brackets. Times in ns. */
struct http_client_conf {
	const char *host;  /* Host header [host of the address, "localhost" for Unix sockets] */
	const char *agent; /* User-Agent ["teu/<version>"] */
	/* Names of hosts are resolved by it (io/resolver.h); borrowed [NULL: numeric and localhost
	 * only]. Each connection asks anew, by dial.h. */
	struct resolver *resolver;
	/* Asked instead of the server (io/http-proxy.h); copied. Plain: absolute targets; TLS: a
	 * tunnel by CONNECT. The server's name need not be known here. [none] */
	const struct http_proxy *proxy;
	/* Sent before anything else on each connection: who the client behind us is
	 * (io/proxy-protocol.h); read by http_client_new. Not through a proxy. [none] */
	const struct proxy_info *proxy_header;
	enum http2_mode http2; /* [HTTP2_BY_TLS] */
	size_t streams_max; /* HTTP/2: at once on one connection [100; the server may say less] */
	/* Connections speak TLS by it (referenced) [plain; addresses https:// need one]. */
	struct tls_conf *tls;
	const char *tls_name; /* what the server's certificate must be for [host of the address] */
	size_t connections_max; /* [32]; more exchanges wait for a free connection */
	size_t head_max;	/* bytes of the response head [65536] */
	size_t headers_max;	/* [128] */
	size_t arena_max;	/* per stream [4 MiB] */
	size_t queue_mark;	/* send queue of a stream [256 KiB] */
	int64_t connect_time;	/* [10 s] */
	int64_t head_time;  /* from the sent request to the response head [none: /wait may take for
			       ever] */
	int64_t body_time;  /* no body byte although credit is there [none] */
	int64_t write_time; /* no progress of a blocked write [120 s] */
	int64_t idle_time;  /* a kept connection is closed after [60 s] */
	/* HTTP/2, while exchanges run: a PING when no byte came for so long [none], and how long
	 * its answer, or any byte, may take before the connection is given up [20 s]. */
	int64_t ping_time, ping_timeout;
};

/* conf NULL = all defaults. No connection is made yet. l NULL = a private loop: only for the
 * blocking calls. */
int http_client_new(struct loop *l, const char *address, const struct http_client_conf *conf,
		    struct http_client **ret, struct err *err);
/* Streams that still run are reset. */
void http_client_free(struct http_client *c);
DEFINE_CLEANUP(struct http_client *, http_client_free)

/* ---- asynchronous ---- */

/* A new exchange; the caller holds one reference (stream_unref). target is path and query, already
 * encoded. Then stream_on, stream_set_header, and http_client_send. Over HTTP/1.1 a Host or
 * User-Agent that is set takes the place of the client's (proxies). */
int http_client_stream(struct http_client *c, const char *method, const char *target,
		       struct stream **ret, struct err *err);
#define HTTP_NO_BODY 0
#define HTTP_BODY_CHUNKED (-1)
/* Sends the head, connecting first where needed. UNAVAILABLE at once when nobody listens (then
 * `closed` does not run and nothing was sent); what breaks later comes by `closed`. body_length: 0
 * = no body, n > 0 = n bytes follow by stream_write and stream_end, HTTP_BODY_CHUNKED = any number
 * do. hijack: asks for an upgrade
 * ("Connection: Upgrade", "Upgrade: tcp" unless an Upgrade header was set); after `head` with 101
 * or 200 the stream carries raw bytes, or is detached. */
int http_client_send(struct stream *s, int64_t body_length, bool hijack, struct err *err);

/* ---- blocking ---- */

struct http_call {
	const char *method; /* [GET] */
	const char *target; /* path and query, encoded */
	const struct http_header *headers;
	size_t headers_n;
	/* Request body: bytes in memory, or produce() until it returns 0. produce fills up to cap
	 * bytes and returns their number, or negative with err filled. length: bytes produce gives,
	 * HTTP_BODY_CHUNKED if unknown. */
	struct slice body;
	ssize_t (*produce)(void *arg, char *p, size_t cap, struct err *err);
	int64_t length;
	/* Response body piece by piece, also of error answers; a negative return (err filled) ends
	 * the call with it. NULL = collected into http_answer.body up to body_max [64 MiB]. */
	int (*consume)(void *arg, const struct http_answer *head, struct slice bytes,
		       struct err *err);
	void *arg;
	size_t body_max;
	bool hijack;  /* take the connection when the answer is 101 or 200: answer.fd */
	int64_t time; /* limit of the whole call in ns [none] */
	/* Set by another thread: the call ends within a moment, UNAVAILABLE [none] */
	const atomic_bool *cancel;
};

struct http_answer {
	int status;
	const struct http_header *headers;
	size_t headers_n;
	struct slice body; /* when not consumed; NUL-terminated behind its end */
	int fd; /* hijacked byte stream, blocking, or -1; yours: STEAL_FD, or http_answer_fini */
	struct stream *stream; /* private: keeps the headers */
	struct buf bytes;      /* private: keeps the body */
};
#define HTTP_ANSWER_INIT ((struct http_answer){ .fd = -1 })
void http_answer_fini(struct http_answer *a);
DEFINE_CLEANUP_EMBEDDED(struct http_answer, http_answer_fini)
struct slice http_answer_header(const struct http_answer *a,
				const char *name); /* {NULL,0} if absent */

/* Runs one exchange to its end on the client's loop (which must not be running already). Any HTTP
 * status is success (0): the caller looks at answer.status. UNAVAILABLE: nobody listens or the peer
 * vanished; TIMEOUT. */
int http_client_call(struct http_client *c, const struct http_call *call, struct http_answer *ret,
		     struct err *err);
