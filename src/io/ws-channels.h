/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes' channels over one WebSocket: exec, attach (0 stdin, 1 stdout, 2 stderr, 3 error, 4
 * resize) and the older form of port-forward (two for each port). Each channel is a struct stream
 * of raw bytes, so who serves exec does not know whether SPDY or this is below (io/spdy.h).
 *
 * Sub-protocols: "v5.channel.k8s.io" (the peer can end one channel: `end`), "v4.channel.k8s.io",
 * "channel.k8s.io" or none (bytes), "v4.base64.channel.k8s.io" and "base64.channel.k8s.io" (text).
 * Without v5 only the end of all is known. What comes for a channel without credit is held up to a
 * bound, then nothing is read. `closed` comes once and last, after that of all channels.
 */
#pragma once

#include "io/websocket.h"

struct channels;
struct err;

#define CHANNELS_MAX 128u
enum { CHANNEL_STDIN, CHANNEL_STDOUT, CHANNEL_STDERR, CHANNEL_ERROR, CHANNEL_RESIZE };

struct channels_events {
	void (*opened)(struct channels *c); /* client */
	/* why is NULL after a close handshake. */
	void (*closed)(struct channels *c, const struct err *why);
};

struct channels_conf {
	unsigned n; /* channels 0 to n - 1; what comes for others is dropped */
	/* An empty message goes out on this channel at first, as the peer may wait for it; -1 =
	 * none.
	 */
	int greet;
	size_t hold_max;       /* bytes held for channels without credit [1 MiB] */
	struct ws_conf ws;     /* message_max [4 MiB] */
	const char *protocols; /* client: what to offer ["v5.channel.k8s.io, v4.channel.k8s.io"] */
};

/* Answers a handshake: an error means that it was refused, as by ws_accept. */
int channels_accept(struct stream *s, const struct channels_conf *conf,
		    const struct channels_events *ev, void *arg, struct channels **ret,
		    struct err *err);
int channels_connect(struct http_client *c, const struct ws_connect *to,
		     const struct channels_conf *conf, const struct channels_events *ev, void *arg,
		     struct channels **ret, struct err *err);
void *channels_arg(const struct channels *c);
const char *channels_protocol(const struct channels *c); /* "" = none was asked for */
struct ws *channels_ws(const struct channels *c);
/* Borrowed; stream_on and stream_read it. NULL past the last, or once it is closed. */
struct stream *channels_stream(const struct channels *c, unsigned i);
/* Ends all, after what was written. */
void channels_close(struct channels *c, unsigned code, const char *reason);
