/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pods/log: what the agent reads of a container's output, as it comes; also as messages of a
 * WebSocket ("binary.k8s.io", "base64.binary.k8s.io").
 */
#include "apiserver/rest/rest-connect.h"

#include "base/clock.h"
#include "base/hash.h"
#include "io/http-client.h"
#include "io/websocket.h"

#include <stdio.h>
#include <string.h>

#define ERROR_MAX 50000u
#define PIECE 24576u /* of a message in base64 */

/* ---- what the agent refuses ---- */

/* Upstream's words for a code that tells nothing of Kubernetes. */
static int generic(struct connect *x, int status, const char *body, struct err *err)
{
	struct status_about *about = &x->call->about;
	const char *name = x->call->rq.name;

	*about = (struct status_about){ .resource = "pods/log", .name = name };
	switch (status) {
	case 404:
		about->reason = STATUS_NOT_FOUND;
		return err_set(err, ERR_NOT_FOUND,
			       "the server could not find the requested resource ( pods/log %s)",
			       name);
	case 401:
		about->reason = STATUS_UNAUTHORIZED;
		return err_set(err, ERR_UNAUTHORIZED,
			       "the server has asked for the client to provide credentials ( "
			       "pods/log %s)",
			       name);
	case 403:
		about->reason = STATUS_FORBIDDEN;
		return err_set(err, ERR_FORBIDDEN, "%s ( pods/log %s)", body, name);
	case 503:
		about->reason = STATUS_UNAVAILABLE;
		return err_set(err, ERR_UNAVAILABLE,
			       "the server is currently unable to handle the request ( pods/log "
			       "%s)",
			       name);
	default: break;
	}
	about->reason = status >= 500 ? STATUS_INTERNAL : STATUS_UNKNOWN;
	if (status >= 500)
		return err_set(err, ERR_SYSTEM,
			       "an error on the server (\"%s\") has prevented the request from "
			       "succeeding ( pods/log %s)",
			       body, name);
	return err_set(err, ERR_SYSTEM,
		       "the server responded with the status code %d but did not return more "
		       "information ( pods/log %s)",
		       status, name);
}

static void tell_refusal(struct connect *x)
{
	const char *body = buf_str(&x->text);
	int status = stream_status(x->back.s);
	struct err err = ERR_INIT;

	if (status / 100 == 3) {
		connect_broken(x, "Get \"%s%s\": redirects forbidden", agent_url(x->agent),
			       x->target);
		return;
	}
	if (status == 400)
		(void)status_bad_request(&err, &x->call->about, "%s", body);
	else if (status == 500)
		(void)status_internal(&err, &x->call->about, "%s", body);
	else
		(void)generic(x, status, body, &err);
	connect_fail(x, &err);
}

static int take_refusal(struct pipe_end *e, struct slice in, bool last, struct buf *out)
{
	struct connect *x = e->x;
	size_t room = ERROR_MAX - x->text.n;

	(void)last;
	(void)out;
	(void)buf_add(&x->text, in.n ? in.p : "", MIN(in.n, room));
	if (in.n >= room)
		tell_refusal(x);
	return 0;
}

static void refusal_ended(struct pipe_end *e)
{
	tell_refusal(e->x);
}

static const struct pipe_ops refusal_ops = { .closed = connect_back_closed,
					     .ended = refusal_ended,
					     .filter = take_refusal };

/* ---- as messages ---- */

struct messages {
	struct connect *x;
	struct ws *ws;
	bool base64, over;
};

static int send_held(struct messages *m)
{
	struct buf *b = &m->x->text;
	int r = 0;

	while (b->n && r == 0) {
		size_t n = m->base64 ? MIN(b->n, (size_t)PIECE) : b->n;
		char text[BASE64_LEN(PIECE) + 1];

		if (m->base64) {
			base64_encode(text, b->p, n);
			r = ws_send(m->ws, WS_TEXT, text, BASE64_LEN(n));
		} else {
			r = ws_send(m->ws, WS_BINARY, b->p, n);
		}
		if (r >= 0)
			buf_consume(b, n);
	}
	if (!b->n && m->over)
		ws_close(m->ws, 1000, NULL);
	return r;
}

static void ws_writable(struct ws *w)
{
	struct messages *m = ws_arg(w);

	if (send_held(m) == 0)
		pipe_resume(&m->x->back);
}

static void ws_is_closed_now(struct ws *w, const struct ws_end *how)
{
	struct messages *m = ws_arg(w);

	(void)how;
	call_closed(m->x->call);
}

static const struct ws_events ws_ops = { .writable = ws_writable, .closed = ws_is_closed_now };

static int to_messages(struct pipe_end *e, struct slice in, bool last, struct buf *out)
{
	struct connect *x = e->x;
	struct messages *m = x->more;

	(void)out;
	m->over |= last;
	if (in.n && buf_add(&x->text, in.p, in.n) < 0)
		return -1;
	return send_held(m) == 0 ? 0 : 1;
}

static void messages_closed(struct pipe_end *e, const struct err *why)
{
	struct connect *x = e->x;
	struct messages *m = x->more;

	if (why)
		ws_close(m->ws, 1011, "the node's agent has gone");
}

static const struct pipe_ops message_ops = { .closed = messages_closed, .filter = to_messages };

static void begin_messages(struct connect *x)
{
	static const char *const protocols[] = { "binary.k8s.io", "base64.binary.k8s.io", NULL };
	static const struct ws_conf conf = { .ping_time = 30 * NS_PER_SEC };
	const struct ws_accept acc = { .protocols = protocols, .must_match = true };
	struct call *c = x->call;
	struct messages *m = ARENA_NEW(c->a, struct messages);

	x->more = m;
	if (!m) {
		connect_broken(x, "the request does not fit its memory");
		return;
	}
	m->x = x;
	c->answered = true;
	if (ws_accept(c->s, &conf, &acc, &ws_ops, m, &m->ws, NULL) < 0) {
		pipe_close(&x->back); /* it answered */
		return;
	}
	pipe_given(&x->front);
	c->code = 101;
	call_started(c);
	m->base64 = strstr(ws_protocol(m->ws), "base64") != NULL;
	(void)ws_send(m->ws, m->base64 ? WS_TEXT : WS_BINARY, "", 0); /* it begins, as upstream */
	x->back.ops = &message_ops;
	pipe_flow(&x->back, NULL);
}

/* ---- as they are ---- */

/* The server ends: who follows sees an end, not a broken answer. */
static void drain(struct call *c)
{
	struct connect *x = c->verb;

	if (!x->follow || !x->back.s || c->code != 200)
		return;
	pipe_close(&x->back);
	pipe_end_output(&x->front, false);
}

static void on_head(struct pipe_end *e)
{
	struct connect *x = e->x;
	struct call *c = x->call;
	int status = stream_status(e->s);

	if (status < 200 || status > 206) {
		e->ops = &refusal_ops;
		pipe_flow(e, NULL);
		return;
	}
	if (ws_is_request(c->s)) {
		begin_messages(x);
		return;
	}
	c->answered = true;
	c->code = 200;
	c->drain = drain;
	call_headers(c);
	(void)stream_set_header(c->s, "Content-Type", "text/plain");
	(void)stream_start(c->s, 200, -1); /* closed: nobody reads it */
	call_started(c);
	pipe_flow(&x->back, &x->front);
}

static const struct pipe_ops log_ops = { .closed = connect_back_closed, .head = on_head };

void connect_log(struct connect *x)
{
	if (connect_open(x, "GET", &log_ops) == 0)
		connect_send(x, HTTP_NO_BODY, false);
}
