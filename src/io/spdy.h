/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SPDY/3.1 as Kubernetes' exec, attach and port-forward use it, both sides, over any stream of raw
 * bytes: an upgraded HTTP/1.1 connection, or one tunnelled through a WebSocket (io/ws-tunnel.h).
 *
 * Each SPDY stream is a struct stream (io/stream.h) that carries raw bytes both ways: stream_header
 * tells what the one who opened it said of it ("streamType", "port"), stream_read gives credit,
 * stream_write and stream_end send, `end` is the peer's half-close, stream_reset gives up. So who
 * serves exec does not know which codec is below. Kubernetes' own implementation neither sends nor
 * obeys WINDOW_UPDATE; then back-pressure is the connection's: what comes for a stream without
 * credit is held up to a bound, and after that nothing is read. With conf.windows both do it by the
 * book.
 *
 * Life: `closed` comes once and last, after `closed` of all streams; then the session is freed. One
 * loop thread. Spec: SPDY Protocol - Draft 3.1.
 */
#pragma once

#include "base/cleanup.h"
#include "io/stream.h"

struct err;
struct http_client;
struct spdy;

struct spdy_events {
	/* Client: the upgrade was answered; stream_header of spdy_below tells with what. */
	void (*opened)(struct spdy *p);
	/* The peer opened s, with headers. 0 = taken: stream_on and stream_read are for now or
	 * later (who keeps s takes a reference); negative = refused. NULL refuses all. */
	int (*stream)(struct spdy *p, struct stream *s);
	/* The peer opens no more. */
	void (*goaway)(struct spdy *p);
	/* why is NULL after an end in good order. */
	void (*closed)(struct spdy *p, const struct err *why);
};

/* Zero means the default in brackets; times in ns. */
struct spdy_conf {
	size_t streams_max; /* open at once, of the peer's [1000]: refused with RST_STREAM */
	size_t header_max;  /* bytes of one header block, inflated [64 KiB]: the session ends */
	size_t headers_max; /* in it [100] */
	size_t hold_max;    /* bytes held for streams without credit [256 KiB] */
	size_t queue_mark;  /* send queue of a stream [128 KiB] */
	int64_t ping_time;  /* a ping after so long without a byte from the peer [none] */
	int64_t pong_time;  /* then it must show life within [20 s] */
	bool windows;	    /* flow control by WINDOW_UPDATE: both sides must do it */
};

/* Is s a request for an upgrade to SPDY/3.1? */
bool spdy_is_request(const struct stream *s);
/* Answers with 101 (headers set before go along: X-Stream-Protocol-Version) and takes the stream.
 * On failure a request that asks for no upgrade has been answered with 400. */
int spdy_accept(struct stream *s, const struct spdy_conf *conf, const struct spdy_events *ev,
		void *arg, struct spdy **ret, struct err *err);

struct spdy_connect {
	const char *method, *target; /* [POST] */
	const struct http_header *headers;
	size_t headers_n;
};
/* Asks for an upgrade; `opened`, or `closed` with what the server said (UNSUPPORTED and its
 * status). */
int spdy_connect(struct http_client *c, const struct spdy_connect *to, const struct spdy_conf *conf,
		 const struct spdy_events *ev, void *arg, struct spdy **ret, struct err *err);
/* A session over raw bytes that are one already. Takes a reference on below. */
int spdy_start(struct stream *below, bool client, const struct spdy_conf *conf,
	       const struct spdy_events *ev, void *arg, struct spdy **ret, struct err *err);

void *spdy_arg(const struct spdy *p);
struct stream *spdy_below(const struct spdy *p);
size_t spdy_streams(const struct spdy *p); /* open now */

/* Opens a stream; fin: we shall send nothing on it. The caller holds one reference. `head` comes
 * with the peer's reply, but writing need not wait for it. UNAVAILABLE after a GOAWAY, QUOTA past
 * the peer's limit. */
int spdy_open(struct spdy *p, const struct http_header *headers, size_t n, bool fin,
	      const struct stream_events *ev, void *arg, struct stream **ret, struct err *err);
/* No new streams; ends when those that run are over. */
void spdy_close(struct spdy *p);
/* At once: all streams are reset. `closed` runs inside. */
void spdy_abort(struct spdy *p, const struct err *why);
