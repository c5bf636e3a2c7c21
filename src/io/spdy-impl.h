/* SPDX-License-Identifier: Apache-2.0 */
/* Private to io: a SPDY session (spdy.c), its streams (spdy-stream.c), its beginning
 * (spdy-handshake.c). */
#pragma once

#include "base/loop.h"
#include "io/spdy-frame.h"
#include "io/spdy.h"
#include "io/stream-impl.h"

#define SPDY_BUCKETS 32u

struct spdy {
	struct stream *below;
	const struct spdy_events *ev;
	void *arg;
	struct spdy_conf conf;
	struct io_pool *pool; /* of the streams */
	struct timer timer;
	struct deferred kick;
	struct list buckets[SPDY_BUCKETS], streams; /* streams: in turn for sending */
	size_t streams_n, theirs_n, held;
	struct spdy_zlib zlib;
	int64_t last_in, ping_sent;
	uint32_t next_id, last_id, ping_id; /* ours to use, the peer's last, our next ping */
	uint32_t streams_limit;		    /* the peer's */
	int64_t send_window, first_window;  /* windows: of the session; of a new stream */
	size_t unacked;			    /* windows: used up and not told */

	/* ---- in ---- */
	char head_bytes[SPDY_HEAD];
	unsigned head_n;
	struct spdy_head head;
	uint32_t left;
	struct iobuf control; /* a control frame so far */

	struct err why;
	unsigned busy;
	bool client, opened, in_frame, no_control, going, gone_away, dead, ended_in;
};

struct spdy_stream {
	struct list bucket, turn;
	struct spdy *p;
	struct stream *s;
	uint32_t id;
	struct iobuf in, out; /* held for want of credit; waiting for window or socket */
	int64_t send_window, recv_window;
	size_t unacked;
	bool theirs, replied, fin_in, fin_out, end_wanted;
};

/* ---- the beginning ---- */

/* A session that does not listen yet; takes a reference on below. */
int spdy_make(struct stream *below, bool client, const struct spdy_conf *conf,
	      const struct spdy_events *ev, void *arg, struct spdy **ret, struct err *err);
void spdy_begin(struct spdy *p);
void spdy_free(struct spdy *p); /* without a word: for one that never began, or is over */
void spdy_below_closed(struct stream *s, const struct err *why);

/* ---- the session, for its streams ---- */

/* One frame, past the mark of the queue below. */
void spdy_send(struct spdy *p, const char *head, struct slice payload);
void spdy_send_rst(struct spdy *p, uint32_t id, enum spdy_status status);
void spdy_reply(struct spdy_stream *ss); /* once */
void spdy_send_window(struct spdy *p, uint32_t id, size_t n);
/* Tells the peer why and ends: nothing of it can be trusted any more. */
void spdy_fail(struct spdy *p, enum err_code code, const char *what);
/* Bytes are used up: credit for what is below. */
void spdy_grant(struct spdy *p);
void spdy_check_over(struct spdy *p);
void spdy_enter(struct spdy *p);
void spdy_leave(struct spdy *p); /* p may be freed */

/* ---- streams, for their session ---- */

struct spdy_stream *spdy_stream_new(struct spdy *p, uint32_t id, bool theirs);
struct spdy_stream *spdy_stream_find(struct spdy *p, uint32_t id);
void spdy_stream_data(struct spdy_stream *ss, struct slice bytes);
void spdy_stream_fin(struct spdy_stream *ss);
/* Closes it if both directions are over. */
bool spdy_stream_settle(struct spdy_stream *ss);
void spdy_stream_drop(struct spdy_stream *ss, const struct err *why);
/* Gives what is held and granted; sends what waits. */
void spdy_stream_pump(struct spdy_stream *ss);
