/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is at the other end of exec, attach and port-forward in tests, over SPDY or WebSocket. What
 * is run, by the first word of the command:
 *   cat              stdin to stdout, to the end      out N      N bytes of a pattern
 *   both             "to out" and "to err"            exit N     ends with status N
 *   size             prints "WxH" of the terminal     (attach)   as cat
 *   hang             says "hanging" and never ends
 * A forwarded port echoes; port 9 says on its error stream that nobody listens. stub_say is the
 * includer's: it is told of each upgrade.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/loop.h"
#include "io/http-server.h"
#include "io/spdy.h"
#include "io/url.h"
#include "io/websocket.h"
#include "io/ws-channels.h"
#include "io/ws-tunnel.h"

#include <stdio.h>

static void stub_say(const char *what, const char *how);

/* ---- exec and attach: the same whatever carries the streams ---- */

enum { IN, OUT, ERR, STATUS, RESIZE, STREAMS };
static const char *const types[STREAMS] = { "stdin", "stdout", "stderr", "error", "resize" };

struct exec {
	struct stream *v[STREAMS]; /* referenced */
	bool wanted[STREAMS];
	char command[64];
	int64_t number; /* its argument */
	size_t left;
	struct spdy *spdy;
	struct channels *channels;
	bool over, running;
};

static void write_out(struct exec *e);

static void finish(struct exec *e)
{
	char status[512];
	int n;

	if (e->over)
		return;
	e->over = true;
	if (strcmp(e->command, "exit") == 0 && e->number != 0)
		n = snprintf(
			status, sizeof(status),
			"{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command "
			"terminated with exit code %lld\",\"reason\":\"NonZeroExitCode\","
			"\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"%lld\"}"
			"]}}",
			(long long)e->number, (long long)e->number);
	else
		n = snprintf(status, sizeof(status), "{\"metadata\":{},\"status\":\"Success\"}");
	if (e->v[STATUS])
		(void)stream_write(e->v[STATUS], status, (size_t)n);
	for (int i = 0; i < STREAMS; i++) {
		if (e->v[i])
			(void)stream_finish(e->v[i]);
	}
	if (e->spdy)
		spdy_close(e->spdy);
	if (e->channels)
		channels_close(e->channels, 1000, NULL);
}

static void on_stdin(struct stream *s, struct slice bytes)
{
	struct exec *e = stream_arg(s);

	if (!e->v[OUT] || stream_write(e->v[OUT], bytes.p, bytes.n) == 0)
		stream_read(s, 32768); /* else when stdout is writable */
}

static void on_stdin_end(struct stream *s)
{
	finish(stream_arg(s));
}

static void on_resize(struct stream *s, struct slice bytes)
{
	struct exec *e = stream_arg(s);
	const char *w = memmem(bytes.p, bytes.n, "\"Width\":", 8);
	const char *h = memmem(bytes.p, bytes.n, "\"Height\":", 9);
	char text[64];
	int n;

	stream_read(s, bytes.n);
	if (!w || !h || strcmp(e->command, "size") != 0 || e->over)
		return;
	n = snprintf(text, sizeof(text), "%.*sx%.*s\r\n", (int)strspn(w + 8, "0123456789"), w + 8,
		     (int)strspn(h + 9, "0123456789"), h + 9);
	(void)stream_write(e->v[OUT], text, (size_t)n);
	finish(e);
}

static void on_out_writable(struct stream *s)
{
	struct exec *e = stream_arg(s);

	if (strcmp(e->command, "out") == 0)
		write_out(e);
	else if (e->v[IN])
		stream_read(e->v[IN], 32768);
}

static const struct stream_events in_events = { .data = on_stdin, .end = on_stdin_end };
static const struct stream_events out_events = { .writable = on_out_writable };
static const struct stream_events resize_events = { .data = on_resize };
static const struct stream_events no_events;

static void write_out(struct exec *e)
{
	char piece[8192];

	while (e->left > 0) {
		size_t n = MIN(e->left, sizeof(piece)), at = (size_t)e->number - e->left;
		int r;

		for (size_t i = 0; i < n; i++)
			piece[i] = (char)('a' + (at + i) % 23);
		r = stream_write(e->v[OUT], piece, n);
		if (r >= 0)
			e->left -= n;
		if (r != 0)
			return;
	}
	finish(e);
}

static void run(struct exec *e)
{
	e->running = true;
	for (int i = 0; i < STREAMS; i++) {
		if (e->v[i])
			stream_on(e->v[i],
				  i == IN	? &in_events
				  : i == OUT	? &out_events
				  : i == RESIZE ? &resize_events
						: &no_events,
				  e);
	}
	if (e->v[RESIZE])
		stream_read(e->v[RESIZE], 4096);
	if (e->v[IN])
		stream_read(e->v[IN], 32768);
	if (strcmp(e->command, "out") == 0) {
		e->left = (size_t)e->number;
		write_out(e);
	} else if (strcmp(e->command, "both") == 0) {
		if (e->v[OUT])
			(void)stream_write(e->v[OUT], "to out\n", 7);
		if (e->v[ERR])
			(void)stream_write(e->v[ERR], "to err\n", 7);
		finish(e);
	} else if (strcmp(e->command, "exit") == 0 ||
		   (!e->v[IN] && strcmp(e->command, "size") != 0 &&
		    strcmp(e->command, "hang") != 0)) {
		finish(e);
	} else if (strcmp(e->command, "hang") == 0 && e->v[OUT]) {
		(void)stream_write(e->v[OUT], "hanging", 7);
	}
}

static void free_exec(struct exec *e)
{
	for (int i = 0; i < STREAMS; i++) {
		if (e->v[i]) {
			stream_on(e->v[i], NULL, NULL);
			stream_unref(e->v[i]);
		}
	}
	free(e);
}

static int exec_stream(struct spdy *p, struct stream *s)
{
	struct exec *e = spdy_arg(p);
	struct slice type = stream_header(s, "streamType");
	bool all = true;

	for (int i = 0; i < STREAMS; i++) {
		if (slice_is(type, types[i]) && !e->v[i])
			e->v[i] = stream_ref(s);
		all &= !e->wanted[i] || e->v[i];
	}
	if (all && !e->running)
		run(e);
	return 0;
}

static void exec_spdy_closed(struct spdy *p, const struct err *why)
{
	free_exec(spdy_arg(p));
}

static void exec_channels_closed(struct channels *c, const struct err *why)
{
	free_exec(channels_arg(c));
}

static const struct spdy_events exec_spdy = { .stream = exec_stream, .closed = exec_spdy_closed };
static const struct channels_events exec_channels = { .closed = exec_channels_closed };

/* names: of the streams in the query. */
static struct exec *read_exec(struct stream *s, const char *const names[STREAMS])
{
	struct exec *e = calloc(1, sizeof(*e));
	struct query q;

	if (!e)
		abort();
	if (query_parse(stream_arena(s), stream_request(s)->query, &q, NULL) < 0)
		return e;
	for (int i = 0; i < STATUS; i++)
		e->wanted[i] = query_bool(&q, names[i], false);
	e->wanted[STATUS] = true;
	e->wanted[RESIZE] = query_bool(&q, "tty", false);
	(void)str_copy(e->command, sizeof(e->command),
		       query_nth(&q, "command", 0) ? query_nth(&q, "command", 0) : "cat");
	if (query_nth(&q, "command", 1))
		(void)str_int64(slice_str(query_nth(&q, "command", 1)), &e->number, NULL);
	return e;
}

static inline void serve_exec(struct stream *s, const char *what, const char *const names[STREAMS])
{
	const struct channels_conf conf = { .n = 5, .greet = CHANNEL_STDOUT };
	struct exec *e = read_exec(s, names);
	struct err err = ERR_INIT;
	int r;

	if (ws_is_request(s)) {
		r = channels_accept(s, &conf, &exec_channels, e, &e->channels, &err);
		for (int i = 0; r == 0 && i < STREAMS; i++) {
			if (e->wanted[i])
				e->v[i] = stream_ref(channels_stream(e->channels, (unsigned)i));
		}
		if (r == 0) {
			stub_say(what, channels_protocol(e->channels));
			run(e);
		}
	} else {
		(void)stream_set_header(s, "X-Stream-Protocol-Version", "v4.channel.k8s.io");
		r = spdy_accept(s, NULL, &exec_spdy, e, &e->spdy, &err);
		if (r == 0)
			stub_say(what, "spdy");
	}
	if (r < 0)
		free_exec(e);
}

/* ---- port-forward ---- */

static void echo(struct stream *s, struct slice bytes)
{
	if (stream_write(s, bytes.p, bytes.n) == 0)
		stream_read(s, 32768);
}

static void echo_writable(struct stream *s)
{
	stream_read(s, 32768);
}

static void echo_end(struct stream *s)
{
	(void)stream_end(s);
}

static const struct stream_events echo_events = { .data = echo,
						  .writable = echo_writable,
						  .end = echo_end };

static int forward_stream(struct spdy *p, struct stream *s)
{
	bool refused = slice_is(stream_header(s, "port"), "9");

	stream_on(s, &echo_events, NULL);
	if (slice_is(stream_header(s, "streamType"), "error")) {
		if (refused)
			(void)stream_write(s, "nobody listens on port 9", 24);
		(void)stream_end(s);
	} else if (refused) {
		(void)stream_finish(s);
		return 0;
	}
	stream_read(s, 32768);
	return 0;
}

static const struct spdy_events forward_events = { .stream = forward_stream };

static inline void serve_forward(struct stream *s)
{
	static const char *const names[] = { "SPDY/3.1+portforward.k8s.io", NULL };
	const struct ws_accept acc = { .protocols = names, .must_match = true };
	static const struct ws_events none = { 0 };
	const struct ws_conf conf = { .paused = true };
	struct err err = ERR_INIT;
	struct spdy *p;
	struct ws *w;

	if (ws_is_request(s)) {
		if (ws_accept(s, &conf, &acc, &none, NULL, &w, &err) == 0 &&
		    spdy_start(ws_tunnel(w), false, NULL, &forward_events, NULL, &p, &err) == 0)
			stub_say("portforward", "websocket");
	} else {
		(void)stream_set_header(s, "X-Stream-Protocol-Version", "portforward.k8s.io");
		if (spdy_accept(s, NULL, &forward_events, NULL, &p, &err) == 0)
			stub_say("portforward", "spdy");
	}
}
