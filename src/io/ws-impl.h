/* SPDX-License-Identifier: Apache-2.0 */
/* Private to io: what a WebSocket is made of; websocket.c works it, ws-handshake.c begins it. */
#pragma once

#include "base/loop.h"
#include "io/stream-impl.h"
#include "io/websocket.h"
#include "io/ws-frame.h"

#define WS_KEYS 32u

struct ws {
	unsigned refs;
	struct stream *s; /* NULL once closed */
	const struct ws_events *ev;
	void *arg;
	struct ws_conf conf;
	const char *protocol;
	char *protocol_mem;
	char expect[WS_ACCEPT_LEN + 1]; /* client, until the answer is here */
	int status;
	struct timer timer;
	struct deferred kick; /* goes on with what was held back */
	int64_t last_in, closing_since, ping_sent;

	/* ---- in ---- */
	size_t credit, frames;
	struct iobuf held, msg; /* not looked at yet for want of credit; message so far */
	char head[WS_HEAD_MAX];
	unsigned head_n;
	struct ws_head frame;
	uint64_t left, at; /* payload bytes to come, and how many came */
	uint64_t total;	   /* of the message */
	char control[WS_CONTROL_MAX];
	struct ws_utf8 utf8;
	enum ws_type type;

	/* ---- out ---- */
	char pong[WS_CONTROL_MAX];
	uint8_t pong_n;
	unsigned char keys[WS_KEYS][4];
	unsigned key_at;

	unsigned code; /* of the end */
	char reason[WS_CONTROL_MAX];
	uint8_t reason_n;
	struct err why;

	bool client, opened, in_payload, in_message, out_message, pong_waits, close_sent, close_got,
		failed, ended_in, stalled, feeding, done;
};

struct ws *ws_make(const struct ws_conf *conf, const struct ws_events *ev, void *arg, bool client,
		   struct loop *l);
/* The stream carries frames from now on. */
void ws_begin(struct ws *w, struct stream *s);
/* Calls closed and lets go. */
void ws_finish(struct ws *w, const struct err *why);
/* One frame of two pieces in one write. past_mark: also when the queue is full (control frames; who
 * has looked at it already). Results as ws_send. */
int ws_put_frame(struct ws *w, unsigned op_and_fin, struct slice a, struct slice b, bool past_mark);
extern const struct stream_events ws_stream_events;
