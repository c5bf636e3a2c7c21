/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket echoes of a load run: several messages may be on their way on one connection. */
#include "io/load-impl.h"

#define DEFAULT_TEXT 1024u

static int open_lane(struct lane *l, struct err *err)
{
	struct http_client_conf conf = l->w->conf->client;

	conf.connections_max = 1;
	conf.resolver = l->w->resolver;
	if (!l->w->conf->body.n) {
		l->text = malloc(DEFAULT_TEXT);
		if (!l->text)
			abort();
		memset(l->text, 'w', DEFAULT_TEXT);
	}
	return http_client_new(l->w->loop, l->w->conf->address, &conf, &l->client, err);
}

static struct slice text_of(const struct lane *l)
{
	return l->text ? slice_of(l->text, DEFAULT_TEXT) : l->w->conf->body;
}

static void send_waiting(struct lane *l)
{
	struct slice text = text_of(l);
	struct slot *sl;

	while (l->ready && (sl = LIST_FIRST(&l->waiting, struct slot, link))) {
		if (ws_send(l->ws, WS_BINARY, text.p, text.n) < 0)
			return; /* full: writable comes; broken: closed */
		sl->body_sent = text.n;
		list_del(&sl->link);
		list_append(&l->flying, &sl->link);
	}
}

static void on_opened(struct ws *ws)
{
	struct lane *l = ws_arg(ws);

	l->ready = true;
	l->w->result.connects++;
	send_waiting(l);
}

static void on_message(struct ws *ws, enum ws_type type, struct slice bytes)
{
	struct lane *l = ws_arg(ws);
	struct slot *sl = LIST_FIRST(&l->flying, struct slot, link);
	struct err err = ERR_INIT;

	if (!sl)
		return; /* nobody asked */
	if (type == WS_BINARY && slice_eq(bytes, text_of(l))) {
		worker_done(sl, bytes.n);
		return;
	}
	(void)err_set(&err, ERR_BAD_REQUEST, "the echo differs from what was sent");
	worker_failed(sl, LOAD_BODY, &err);
}

static void on_writable(struct ws *ws)
{
	send_waiting(ws_arg(ws));
}

static void fail_all(struct lane *l, struct list *list, enum load_error kind, const struct err *why)
{
	struct slot *sl;

	while ((sl = LIST_FIRST(list, struct slot, link)))
		worker_failed(sl, kind, why);
}

static void on_closed(struct ws *ws, const struct ws_end *how)
{
	struct lane *l = ws_arg(ws);
	struct err err = ERR_INIT;
	bool was_ready = l->ready;
	enum load_error kind;

	l->ws = NULL;
	l->ready = false;
	if (how->why)
		err = *how->why;
	else
		(void)err_set(&err, ERR_UNAVAILABLE, "the server closed with code %u", how->code);
	kind = was_ready ? load_error_of(&err, false)
			 : (err.code == ERR_TIMEOUT ? LOAD_TIMEOUT : LOAD_CONNECT);
	fail_all(l, &l->flying, kind, &err);
	fail_all(l, &l->waiting, kind, &err);
}

static const struct ws_events events = {
	.opened = on_opened, .message = on_message, .writable = on_writable, .closed = on_closed
};

static void start(struct slot *sl)
{
	const struct load_conf *c = sl->lane->w->conf;
	struct lane *l = sl->lane;
	struct ws_connect to = { .target = c->target,
				 .protocols = c->protocol,
				 .headers = c->headers,
				 .headers_n = c->headers_n };
	struct ws_conf conf = { .message_max = MAX(text_of(l).n, (size_t)65536),
				.close_time = c->timeout };
	struct err err = ERR_INIT;

	list_append(&l->waiting, &sl->link);
	if (!l->ws && ws_connect(l->client, &to, &conf, &events, l, &l->ws, &err) < 0) {
		fail_all(l, &l->waiting, LOAD_CONNECT, &err);
		return;
	}
	send_waiting(l);
}

/* Answers keep order, so one that does not come ends them all. */
static void cancel(struct slot *sl)
{
	if (sl->lane->ws)
		ws_abort(sl->lane->ws);
}

static void close_lane(struct lane *l)
{
	if (l->ws)
		ws_abort(l->ws);
	http_client_free(STEAL(l->client));
	free(l->text);
}

const struct carrier carrier_ws = {
	.begin = open_lane, .start = start, .cancel = cancel, .end = close_lane
};
