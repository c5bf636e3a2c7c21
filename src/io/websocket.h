/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket over a stream, both sides, whatever carries it (HTTP/1.1 upgrade, plain or TLS; HTTP/2
 * extended CONNECT). No extension is ever negotiated: permessage-deflate that is offered is not
 * answered, and a frame with reserved bits is a protocol error.
 *
 * In: messages, whole (`message`) or piece by piece (`part`); bounded; pulled with credit: without
 * it nothing is delivered and in the end the socket is not read. Text is checked as UTF-8 while it
 * arrives. Pings are answered. Out: ws_send with the stream's bounded queue: 1 says stop,
 * `writable` says go on. Life: `closed` is the last callback and comes exactly once after a
 * ws_accept or ws_connect that returned 0; after it the WebSocket is freed unless ws_ref was
 * taken, and calls on it are harmless. Callbacks run from the loop and never inside another call,
 * but `closed` may inside ws_abort and ws_send. One loop thread. Specs: RFC 6455, RFC 8441.
 */
#pragma once

#include "base/cleanup.h"
#include "io/stream.h"

struct http_client;
struct ws;

enum ws_type { WS_TEXT = 1, WS_BINARY = 2 };

/* How it ended. */
struct ws_end {
	unsigned code; /* of the peer's close frame; 1005 = it had none, 1006 = no frame came */
	struct slice reason;   /* UTF-8, of the peer; valid during the call */
	const struct err *why; /* what broke, or NULL after a close handshake */
};

struct ws_events {
	/* Client: the handshake is done; ws_protocol is known. */
	void (*opened)(struct ws *w);
	/* A whole message. Valid during the call. */
	void (*message)(struct ws *w, enum ws_type type, struct slice bytes);
	/* Instead of `message` where it is set: the next bytes of a message, `last` with its end.
	 * What a piece holds depends on how it came; pieces of text may split characters. */
	void (*part)(struct ws *w, enum ws_type type, struct slice bytes, bool last);
	/* The queue fell below its mark after a ws_send that returned 1 or -ERR_QUOTA. */
	void (*writable)(struct ws *w);
	/* A pong that was not asked for by the keep-alive. */
	void (*pong)(struct ws *w, struct slice bytes);
	/* Last. The peer's close frame was answered already. */
	void (*closed)(struct ws *w, const struct ws_end *how);
};

/* Zero means the default in brackets; times in ns. */
struct ws_conf {
	size_t message_max; /* bytes of a message [1 MiB]: closed with 1009. With `part`: [none] */
	size_t frame_max;   /* bytes of a frame, also inside a longer message [message_max] */
	size_t frames_max;  /* frames of one message, so that empty ones are bounded too [65536] */
	int64_t ping_time;  /* a ping after so long without a byte from the peer [none] */
	int64_t pong_time;  /* then the peer must show life within [20 s] */
	int64_t close_time; /* for the peer's part of a close, and of the handshake [10 s] */
	bool paused;	    /* no credit at first: ws_read gives it */
};

struct ws_accept {
	/* Sub-protocols we speak, NULL-terminated, or NULL. The first of the client's list that is
	 * among them is chosen. */
	const char *const *protocols;
	/* A client that offers sub-protocols none of which is ours, or (bare_refused) offers none,
	 * is refused with 400. Else it gets a connection without one. */
	bool must_match, bare_refused;
	/* May this page (Origin header, "" when a program sent none) connect? NULL = any. False:
	 * 403. */
	bool (*origin)(struct stream *s, struct slice origin, void *arg);
};

/* Is s a WebSocket handshake at all? (So that another kind of upgrade can be tried.) */
bool ws_is_request(const struct stream *s);
/*
 * Answers a request with 101 (200 on HTTP/2) and takes the stream; the tables are borrowed for the
 * connection's life, conf and acc are copied or not needed after. When it is not a valid handshake
 * the request is answered with 400, 403, 405 or 426, and the error says the same; `closed` does not
 * run then. acc may be NULL. The result lives until `closed`.
 */
int ws_accept(struct stream *s, const struct ws_conf *conf, const struct ws_accept *acc,
	      const struct ws_events *ev, void *arg, struct ws **ret, struct err *err);

struct ws_connect {
	const char *target;		   /* path and query, encoded */
	const char *protocols;		   /* "a, b", or NULL */
	const struct http_header *headers; /* more of the request */
	size_t headers_n;
};
/* Asks for a WebSocket; `opened`, or `closed` with what the server said instead (an answer that is
 * no 101 is ERR_UNSUPPORTED and names its status). */
int ws_connect(struct http_client *c, const struct ws_connect *to, const struct ws_conf *conf,
	       const struct ws_events *ev, void *arg, struct ws **ret, struct err *err);
/* The bytes of an upgraded stream that another party's handshake has made one (proxies, tests). */
int ws_adopt(struct stream *s, bool client, const struct ws_conf *conf, const struct ws_events *ev,
	     void *arg, struct ws **ret, struct err *err);

struct ws *ws_ref(struct ws *w);
void ws_unref(struct ws *w); /* NULL is fine */
DEFINE_CLEANUP(struct ws *, ws_unref)
void *ws_arg(const struct ws *w);
/* Another table and argument from now on. */
void ws_on(struct ws *w, const struct ws_events *ev, void *arg);
struct stream *ws_stream(const struct ws *w); /* below it: peer, headers, arena; NULL once closed */
const char *ws_protocol(const struct ws *w);  /* as agreed, "" = none */
/* Client, before `opened`: status of the server's answer, 0 = none came. */
int ws_status(const struct ws *w);
bool ws_is_closed(const struct ws *w); /* nothing can be sent any more */

/* Grants n more payload bytes (sums up); a message is begun with any credit at all and, with
 * `message`, then finished. Without conf.paused there is credit without end. */
#define WS_ALL SIZE_MAX
void ws_read(struct ws *w, size_t n);

/* One message in one frame. 0; 1 = taken, wait for `writable`; -ERR_QUOTA = the queue was full,
 * nothing taken; -ERR_UNAVAILABLE = closed or closing; -ERR_INVALID = text that is not UTF-8. */
int ws_send(struct ws *w, enum ws_type type, const void *p, size_t n);
/* A message in several frames: first and last tell its ends. -ERR_CONFLICT out of turn. */
int ws_send_part(struct ws *w, enum ws_type type, const void *p, size_t n, bool last);
/* A frame of two pieces (a channel byte and what it carries), otherwise as ws_send. */
int ws_send2(struct ws *w, enum ws_type type, struct slice a, struct slice b);
size_t ws_queued(const struct ws *w);
size_t ws_room(const struct ws *w); /* bytes until the mark; 0 = ws_send would refuse */
/* At most 125 bytes. */
int ws_ping(struct ws *w, const void *p, size_t n);
/* Begins the close handshake; reason may be NULL, cut to 123 bytes between characters. Code 0 = an
 * empty close frame. What was sent before still leaves; the peer's messages are dropped. */
void ws_close(struct ws *w, unsigned code, const char *reason);
/* At once, without a word. */
void ws_abort(struct ws *w);
