/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream: one HTTP exchange, whatever carries it (HTTP/1.1, HTTP/2, over TLS or not). Server
 * handlers and clients see only this.
 *
 * In:  head, then a body that is pulled: no byte is delivered without credit (stream_read), and
 * without credit the codec stops reading the socket. Then trailers and the end. Out: head, then a
 * body that is pushed into a bounded queue: stream_write says when to stop, `writable` when to go
 * on. A hijacked stream is the same with raw bytes both ways; stream_end is then a half-close (the
 * peer reads EOF while its own bytes still arrive), and the peer's half-close is `end`.
 *
 * Life: the connection holds one reference until the exchange is over, and calls `closed` exactly
 * once at that moment. Who answers later (worker, engine call) holds its own with stream_ref:
 * memory and arena then stay, every call on a closed stream is harmless, output calls on it return
 * -ERR_UNAVAILABLE. So an asynchronous handler is: stream_ref(s); start(..., done, s); ... done:
 * stream_reply(s, ...); stream_unref(s); All calls and callbacks are on the loop's thread.
 * Callbacks run from the loop; `data` and `end` may also run inside stream_read (never inside
 * another call), `closed` inside stream_reset or the call that ends the output. Specs: RFC 9110,
 * RFC 9112.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct err;
struct loop;
struct stream;
struct tls_info;

struct http_header {
	struct slice name; /* as sent; compared without case */
	struct slice value;
};

/* Who is at the other end. A stream of socketpair or Unix socket is local and has the kernel's word
 * for it. */
struct stream_peer {
	bool local;
	pid_t pid; /* 0 if unknown, as uid and gid -1 */
	uid_t uid;
	gid_t gid;
	char addr[64];		    /* "192.0.2.1:4711", "[2001:db8::1]:4711" or "@" */
	const struct tls_info *tls; /* crypto/tls.h: certificate, protocol; NULL without TLS */
};

struct http_request {
	const char *method; /* "GET"; token checked, case is significant */
	/* Percent-decoded, NUL-terminated, begins with "/" (or is "*" of OPTIONS, "" of CONNECT).
	 */
	const char *path;
	struct slice raw_path;
	struct slice query; /* after "?", still encoded: query_parse (io/url.h) */
	struct slice host;  /* Host header or authority of an absolute target */
	/* Value of Upgrade if Connection names it; :protocol of an extended CONNECT of HTTP/2 (RFC
	 * 8441), whose method is shown as GET; else empty. */
	struct slice upgrade;
	int major;	/* 1 or 2 */
	int minor;	/* HTTP/1.<minor>; 1 for HTTP/2, which can do all that HTTP/1.1 can */
	bool has_body;	/* false: `end` comes at once */
	int64_t length; /* body bytes if announced, else -1 (chunked); 0 without a body */
};

struct stream_events {
	/* Client: the final response head is here (stream_status, stream_header). 1xx but 101 are
	 * skipped. */
	void (*head)(struct stream *s);
	/* Body bytes, never more than granted. Valid only during the call. */
	void (*data)(struct stream *s, struct slice bytes);
	/* The body is complete (trailers can be read), or the peer half-closed its hijacked stream.
	 * Once. */
	void (*end)(struct stream *s);
	/* The send queue fell below its mark after stream_write returned 1. */
	void (*writable)(struct stream *s);
	/* The peer closed its direction after a complete request: whoever waits there has probably
	 * gone. A long-lived answer (events, logs, wait) should end now; a short one may still be
	 * written. Not for hijacked streams. */
	void (*cancel)(struct stream *s);
	/* Last callback. why is NULL when both directions completed, else tells what broke
	 * (UNAVAILABLE peer gone, TIMEOUT, BAD_REQUEST malformed body, TOO_LARGE). The stream is
	 * freed after it unless references are held. */
	void (*closed)(struct stream *s, const struct err *why);
};

struct stream *stream_ref(struct stream *s);
void stream_unref(struct stream *s); /* NULL is fine */
DEFINE_CLEANUP(struct stream *, stream_unref)

/* Sets the callbacks (static table, members may be NULL) and their argument. Call before the first
 * return to the loop. */
void stream_on(struct stream *s, const struct stream_events *ev, void *arg);
void *stream_arg(const struct stream *s);
/* Memory of this exchange; bounded by the server's or client's arena_max. Freed with the last
 * reference. */
struct arena *stream_arena(struct stream *s);
struct loop *stream_loop(const struct stream *s);
bool stream_is_closed(const struct stream *s);

/* ---- what came in ---- */

const struct http_request *stream_request(const struct stream *s); /* on a client: what was asked */
const struct stream_peer *stream_peer(const struct stream *s);
int stream_status(
	const struct stream *s); /* server: as answered, 0 before; client: as received, 0 before */
/* First value of a received header, {NULL,0} if absent. */
struct slice stream_header(const struct stream *s, const char *name);
/* All received headers in order; for a list over several lines. */
const struct http_header *stream_headers(const struct stream *s, size_t *ret_n);
/* True if the comma list in all headers `name` has `token` (without case). */
bool stream_header_has(const struct stream *s, const char *name, const char *token);
/* Received trailer after `end`, {NULL,0} if absent. */
struct slice stream_got_trailer(const struct stream *s, const char *name);
/* Announced body length of the received message, -1 if not announced. */
int64_t stream_length(const struct stream *s);

/* ---- body in ---- */

#define STREAM_ALL SIZE_MAX
/* Grants n more bytes (sums up). The first grant sends "100 Continue" if the client waits for it.
 */
void stream_read(struct stream *s, size_t n);
/* Pulls the whole body into the stream's arena and calls fn once: 0 with the bytes (NUL-terminated
 * behind the end), or negative with err: TOO_LARGE past max, TIMEOUT, UNAVAILABLE. Takes the place
 * of the data and end callbacks. */
typedef void stream_collected(struct stream *s, void *arg, int result, struct slice body,
			      struct err *err);
void stream_collect(struct stream *s, size_t max, stream_collected *fn, void *arg);

/* ---- head out ---- */

/* Adds a header to the message that has not been sent yet; copied; replaces one of the same name.
 * Content-Length, Transfer-Encoding and Connection are the codec's. Invalid characters are dropped
 * with the header (-ERR_INVALID). */
int stream_set_header(struct stream *s, const char *name, const char *value);
int stream_set_headerf(struct stream *s, const char *name, const char *fmt, ...) PRINTF(3, 4);
/* The same, but keeps others of that name. */
int stream_add_header(struct stream *s, const char *name, const char *value);

/* ---- server: answers ---- */

/* Whole answer in one call; the bytes are copied if they cannot be sent at once. content_type NULL
 * = none. HEAD, 204 and 304 send no body. An unread request body is drained (bounded) or the
 * connection closed. */
int stream_reply(struct stream *s, int status, const char *content_type, const void *body,
		 size_t n);
int stream_replyf(struct stream *s, int status, const char *content_type, const char *fmt, ...)
	PRINTF(4, 5);
/* Begins a streamed answer; length -1 = unknown (chunked, or until close for HTTP/1.0). The head
 * leaves at once. */
int stream_start(struct stream *s, int status, int64_t length);
/* Takes the connection: status 101 (adds "Connection: Upgrade" and the client's Upgrade value) or
 * 200 (raw bytes follow until close). Over HTTP/2 for CONNECT only; 101 is sent as 200. From then
 * on data/end/stream_write/stream_end carry raw bytes. -ERR_UNSUPPORTED when the stream cannot be
 * hijacked; -ERR_CONFLICT when the answer had begun. */
int stream_hijack(struct stream *s, int status, struct err *err);

/* ---- body out (server after stream_start or stream_hijack; client after http_client_send with a
 * body) ---- */

/* Takes all n bytes. 0 = go on; 1 = taken, but the queue is at its mark: wait for `writable`;
 * -ERR_QUOTA = the queue was at its mark before, nothing taken; -ERR_UNAVAILABLE = the stream is
 * closed; -ERR_INVALID = past the announced length. What waits is thus at most the mark + one
 * write. */
int stream_write(struct stream *s, const void *p, size_t n);
size_t stream_room(
	const struct stream *s); /* bytes until the mark; 0 = stream_write would refuse */
size_t stream_queued(const struct stream *s); /* bytes that wait for the socket */
/*
 * Between them what is written gathers, some KiB of it, so that what many write in turn for one
 * connection leaves in one send. Not over a return to the loop. A stream is corked once;
 * stream_uncork is to follow also when it was closed meanwhile. Server's streams; of others nothing
 * happens.
 */
void stream_cork(struct stream *s);
void stream_uncork(struct stream *s);
/*
 * Bytes of a file as the body's next: from *at, *left of them; both are moved on by what was taken.
 * 0 = all was taken; 1 = wait for `writable`, then call again; negative as stream_write, or with
 * err when the file cannot be read or ends too early (nothing but stream_reset helps then). The fd
 * stays the caller's and is used only within the call. HTTP/1.1 on a plain socket or the kernel's
 * TLS sends from the page cache (sendfile) and queues nothing; else bounded pieces are read into
 * the queue.
 */
int stream_send_file(struct stream *s, int fd, uint64_t *at, uint64_t *left, struct err *err);
/* Sent after a body of unknown length, if the peer can take trailers; else dropped. Before
 * stream_end. */
int stream_set_trailer(struct stream *s, const char *name, const char *value);
/* The output is complete. Hijacked: half-close after what is queued. Fewer bytes than announced =
 * reset. */
int stream_end(struct stream *s);
/* As stream_end on a hijacked stream, and what the peer still sends is dropped: the connection
 * closes when the output is sent. For the end of a process whose client would go on sending stdin.
 */
int stream_finish(struct stream *s);
/* Gives up: the peer sees a broken message; `closed` runs with `why` (may be NULL: "reset by us").
 */
void stream_reset(struct stream *s, const struct err *why);

/* ---- the byte stream as an fd ---- */

/*
 * Hands a hijacked stream over as a blocking stream-socket fd that the caller owns, to pass it to
 * another process. Plain socket with nothing in flight: the socket itself, and the connection is
 * forgotten (ret_relayed false). Otherwise (bytes read ahead, output queued; later TLS or HTTP/2)
 * one end of a socketpair, and this loop relays with half-closes until both directions end
 * (ret_relayed true). `closed` has been called on return either way.
 */
int stream_detach(struct stream *s, int *ret_fd, bool *ret_relayed, struct err *err);
