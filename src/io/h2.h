/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to io: the HTTP/2 codec (RFC 9113, 9218, 8441). Frames, HPACK and the state of streams
 * are nghttp2's; here is what ties them to our streams: credit to windows, queues to frames,
 * fairness, limits and defences.
 *
 * (1) nghttp2 is never entered twice: it receives and sends only from h2_run and h2_leave, and
 * callbacks of it only submit. (2) A stream that is over waits in `over` until nghttp2 has
 * returned; only then its `closed` runs. (3) A stream's window is opened for what its handler has
 * granted; what came before a grant is kept, at most one initial window. (4) A connection's window
 * is opened as bytes come, until H2_HELD_MAX of them are kept for handlers that do not read; so one
 * that sleeps does not stop the others. (5) A request whose answer is out before all of it came is
 * read on and thrown away, up to H2_WASTE_MAX bytes and body_time, before its stream is reset with
 * NO_ERROR (RFC 9113 8.1): clients that are told so in the middle of a body lose the answer (curl
 * before 8).
 */
#pragma once

#include "io/conn.h"

#include <nghttp2/nghttp2.h>

struct h2_mem;

#define H2_WINDOW 65535u	 /* initial, of a stream */
#define H2_WINDOW_MAX (1u << 20) /* of a stream whose handler grants that much */
#define H2_CONN_WINDOW_MAX (4u << 20)
#define H2_HELD_MAX (1u << 20)
#define H2_FRAME 16384u
#define H2_WASTE_MAX (4u << 20)

/* What a peer may do that costs us and moves nothing (h2-guard.c). */
struct h2_guard {
	int64_t at; /* of the last refill */
	int left;
	uint64_t moved; /* bytes of bodies not yet turned into tokens */
};
enum h2_deed {
	H2_CONTROL, /* PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty frames */
	H2_RESET,   /* a stream that the peer gave up, or made us give up */
	H2_DRIBBLE, /* its window made us send a tiny frame */
};

struct h2_stream {
	struct list link;
	struct h2 *h;
	struct stream *s; /* NULL once closed */
	int32_t id;	  /* 0: not submitted yet */
	uint32_t error;	  /* RST_STREAM's code when over */
	struct iobuf in;  /* came without credit */
	struct iobuf out;
	struct slice whole; /* instead of out: a small answer in the stream's arena */
	char number[24];    /* server: status and length of the answer, until it is sent */
	size_t unconsumed;  /* delivered; the window opens with the next credit */
	size_t wasted;	    /* keeps (5) */
	uint32_t window;
	size_t headers_cap, head_bytes;
	int64_t since;	  /* last byte in or out */
	uint64_t sent_at; /* h->frames when it sent last */
	uint8_t urgency;
	bool incremental, boosted;
	bool connect, bad_cookie, too_large, head_in, trailers_out, in_end, out_end, end_sent,
		deferred, expect, streamed, pending, over, wastes,
		late; /* nghttp2 has forgotten it, `in` waits for credit */
};

struct h2 {
	struct conn *c;
	nghttp2_session *ng;
	struct list streams; /* h2_stream, running */
	struct list over;    /* through; `closed` is to be called */
	struct list early;   /* client: wait for the peer's SETTINGS */
	unsigned streams_n, late_n;
	size_t held;	  /* bytes in all `in` */
	size_t conn_owed; /* came, not yet given back to the connection's window */
	uint32_t window;
	uint64_t frames; /* of data, sent */
	int64_t check_at, head_since;
	int64_t heard, pinged; /* client: last byte in; PING that waits for one, 0 = none */
	/* The next frame's header as far as it came, and bytes of the frame that are to come. */
	uint8_t next[9];
	uint32_t next_n, skip, last_id;
	struct h2_guard guard;
	struct h2_stream *block; /* whose header block comes now */
	bool more;		 /* nghttp2 has more to send than the buffer takes */
	bool pending;		 /* a stream has bytes or an end to deliver */
	bool settled;		 /* the peer's SETTINGS came */
	bool drained;		 /* graceful end began */
	bool goaway_in;		 /* the peer takes no more streams */
	bool closing, calm;
	bool reset_out; /* we reset a stream: what comes for it is no error of the peer */
};

/* Makes c speak HTTP/2 from here on: session and SETTINGS. Role and buffers stay. */
void h2_attach(struct conn *c);
/* The connection was HTTP/1.1 and s its upgrade request (stream 1). settings: the payload, decoded.
 * Negative: the payload is malformed; nothing was changed. */
int h2_upgrade(struct conn *c, struct stream *s, struct slice settings);
/* Writes what HTTP2-Settings is to be, base64url without padding. */
size_t h2_settings_token(char *dst, size_t n, const struct conn_conf *conf);
/* Client: how many streams more the connection takes now. */
unsigned h2_room(const struct conn *c);
bool h2_is_closing(const struct conn *c);

/* ---- h2-recv.c ---- */
/* Takes what came; c may be dead afterwards. */
void h2_feed(struct h2 *h);
void h2_callbacks_receive(nghttp2_session_callbacks *cbs);
/* Gives what waits to the handler, as far as there is credit. */
void h2_deliver(struct h2_stream *hs);
struct h2_stream *h2_stream_new(struct h2 *h, struct stream *s, int32_t id);
void h2_stream_free(struct h2_stream *hs);
/* To be told `closed` once nghttp2 has returned. */
void h2_stream_over(struct h2_stream *hs);
/* Window bytes of hs that its handler has used up go back to the peer. */
void h2_consume(struct h2_stream *hs);
void h2_held_less(struct h2 *h, size_t n);
/* Server: the answer is out, and nobody needs what is yet to come of the request. */
void h2_waste(struct h2_stream *hs);
/* It is not waited for any longer. */
void h2_waste_end(struct h2_stream *hs);

/* ---- h2-send.c ---- */
void h2_callbacks_send(nghttp2_session_callbacks *cbs);
nghttp2_data_provider h2_body(struct h2_stream *hs);
void h2_send(struct h2 *h);
void h2_wake(struct h2_stream *hs); /* there is more to send */
void h2_set_priority(struct h2_stream *hs, struct slice value);

/* ---- h2-guard.c ---- */
void h2_guard_init(struct h2_guard *g, int64_t now);
/* False: the peer has used up what we bear. */
bool h2_guard_deed(struct h2_guard *g, enum h2_deed deed, int64_t now);
/* Work that was worth it: bytes moved, a request answered. */
void h2_guard_work(struct h2_guard *g, size_t bytes, bool answered);
/* As h2_guard_deed on h's guard; ends the connection with ENHANCE_YOUR_CALM. */
bool h2_bear(struct h2 *h, enum h2_deed deed);

/* ---- h2-mem.c ---- */
/* Small blocks (not zeroed); NULL when out of memory. */
void *h2_mem_get(struct h2_mem *m, size_t n);
void h2_mem_put(struct h2_mem *m, void *p); /* NULL is fine */
/* The pool's, made by the first who asks. */
struct h2_mem *h2_mem_of(struct io_pool *p);
nghttp2_mem *h2_mem_nghttp2(struct h2_mem *m); /* stays m's; the session copies it */
void h2_mem_free(struct h2_mem *m);	       /* NULL is fine */

/* ---- h2-stream.c ---- */
void h2_op_credit(struct stream *s);
int h2_op_write(struct stream *s, const void *p, size_t n);
int h2_op_end(struct stream *s);
void h2_op_reset(struct stream *s, const struct err *why);
int h2_op_detach(struct stream *s, int *ret_fd, struct err *err);
size_t h2_op_queued(const struct stream *s);
struct conn *h2_op_cork(struct stream *s);
/* True for a header that has no place in HTTP/2 (RFC 9113 8.2.2). */
bool h2_is_hop_header(struct slice name);
static inline nghttp2_nv h2_nv(struct slice name, struct slice value)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)value.p, name.n,
			     value.n, NGHTTP2_NV_FLAG_NONE };
}
/* The same without copies: the name is in lower case, and both stay until the frame is sent or its
 * stream is over. */
static inline nghttp2_nv h2_nv_kept(struct slice name, struct slice value)
{
	nghttp2_nv nv = h2_nv(name, value);

	nv.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
	return nv;
}

/* ---- h2-server.c, h2-client.c ---- */
extern const struct stream_ops h2_server_ops, h2_client_ops;
/* All of the request's head is there: to the handler, or refused. */
void h2_server_head(struct h2_stream *hs);
/* The answer's head (1xx too). */
void h2_client_head(struct h2_stream *hs);
/* Takes s, which is counted, to the connection. */
void h2_client_send(struct conn *c, struct stream *s);
void h2_client_submit(struct h2_stream *hs);
