/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP exchanges of a load run: a client with one connection for each lane. */
#include "base/arena.h"
#include "io/load-impl.h"
#include "io/stream-impl.h"

static int open_client(struct lane *l, struct err *err)
{
	struct http_client_conf conf = l->w->conf->client;

	conf.connections_max = 1;
	conf.resolver = l->w->resolver;
	return http_client_new(l->w->loop, l->w->conf->address, &conf, &l->client, err);
}

static void close_client(struct lane *l)
{
	http_client_free(STEAL(l->client));
}

static void finish(struct slot *sl, const struct err *why)
{
	struct load_result *r = &sl->lane->w->result;

	if (why || sl->status == 0) {
		worker_failed(sl, load_error_of(why, sl->status == 0), why);
		return;
	}
	r->statuses[sl->status / 100 < 6 ? sl->status / 100 : 0]++;
	if (sl->status / 100 == 2 && !sl->grpc_failed) {
		worker_done(sl, sl->body_in);
	} else {
		struct err err = ERR_INIT;

		if (sl->grpc_failed && sl->status / 100 == 2)
			(void)err_set(&err, ERR_UNSUPPORTED,
				      "the call did not end with gRPC status OK");
		else
			(void)err_set(&err, ERR_UNSUPPORTED, "the server answered with status %d",
				      sl->status);
		worker_failed(sl, LOAD_STATUS, &err);
	}
}

static void on_head(struct stream *s)
{
	struct slot *sl = s->arg;

	sl->status = stream_status(s);
}

static void on_data(struct stream *s, struct slice bytes)
{
	struct slot *sl = s->arg;

	sl->body_in += bytes.n;
}

/* Behind the body, or in the head when there is none. */
static struct slice grpc_status(struct stream *s)
{
	struct slice v = stream_got_trailer(s, "grpc-status");

	v = v.p ? v : stream_header(s, "grpc-status");
	return v.p ? v : SLICE("");
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct slot *sl = s->arg;

	sl->s = NULL;
	if (sl->lane->w->conf->kind == LOAD_GRPC)
		sl->grpc_failed = !slice_is(grpc_status(s), "0");
	stream_unref(s);
	finish(sl, why);
}

static void send_body(struct stream *s)
{
	struct slot *sl = s->arg;
	struct slice body = sl->lane->w->conf->body;
	int r = 0;

	while (r == 0 && sl->body_sent < body.n) {
		size_t n = MIN(body.n - sl->body_sent, (size_t)65536);

		r = stream_write(s, body.p + sl->body_sent, n);
		if (r >= 0)
			sl->body_sent += n;
	}
	if (r >= 0 && sl->body_sent == body.n)
		(void)stream_end(s); /* broken: closed tells */
}

static const struct stream_events events = {
	.head = on_head, .data = on_data, .writable = send_body, .closed = on_closed
};

/* Headers are borrowed for the run, so are slices without an end: copied into the arena. */
static int add_headers(struct stream *s, const struct load_conf *c)
{
	int r = 0;

	for (size_t i = 0; i < c->headers_n && r == 0; i++) {
		char *name = arena_strndup(s->arena, c->headers[i].name.p, c->headers[i].name.n);
		char *value = arena_strndup(s->arena, c->headers[i].value.p, c->headers[i].value.n);

		r = name && value ? stream_add_header(s, name, value) : -ERR_QUOTA;
	}
	return r;
}

static void start(struct slot *sl)
{
	const struct load_conf *c = sl->lane->w->conf;
	struct err err = ERR_INIT;
	struct stream *s;
	int r = 0;

	if (c->no_keepalive) { /* called by the pump: nothing of the old one is running */
		close_client(sl->lane);
		r = open_client(sl->lane, &err);
		sl->lane->w->result.connects++;
	}
	if (r == 0)
		r = http_client_stream(sl->lane->client, c->method, c->target, &s, &err);
	if (r < 0) {
		worker_failed(sl, LOAD_PROTOCOL, &err);
		return;
	}
	stream_on(s, &events, sl);
	sl->s = s;
	r = add_headers(s, c);
	if (r < 0)
		(void)err_set(&err, ERR_INVALID, "a header is malformed or too large");
	else
		r = http_client_send(s, (int64_t)c->body.n, false, &err);
	if (r < 0) {
		stream_on(s, NULL, NULL);
		sl->s = NULL;
		stream_unref(s);
		worker_failed(sl, LOAD_CONNECT, &err);
		return;
	}
	stream_read(s, STREAM_ALL);
	if (c->body.n)
		send_body(s);
}

static void cancel(struct slot *sl)
{
	struct err err = ERR_INIT;

	(void)err_set(&err, ERR_TIMEOUT, "no answer in time");
	if (sl->s)
		stream_reset(sl->s, &err);
}

const struct carrier carrier_http = {
	.begin = open_client, .start = start, .cancel = cancel, .end = close_client
};
