/* SPDX-License-Identifier: Apache-2.0 */
/* The client's connections: which exchange goes on which, what is opened and kept. */
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "io/h2.h"
#include "io/http-client-impl.h"
#include "io/transport.h"

#include <errno.h>
#include <sys/socket.h>

#define TRIES_MAX 3
#define CONNECT_RETRY (5 * NS_PER_MS)

static void assign(struct http_client *cl, struct conn *c, struct stream *s)
{
	list_del(&c->link);
	list_append(&cl->running, &c->link);
	c->cur = s;
	c->in_state = IN_HEAD;
	c->scan = 0;
	c->since = loop_now(cl->loop);
	c->keep_alive = true;
	c->streamed = s->body_length != HTTP_NO_BODY;
	c->peek = s->hijack_wanted;
	c->h2c_asked = cl->conf.http2 == HTTP2_UPGRADE && c->fresh && !cl->no_upgrade &&
		       s->body_length == HTTP_NO_BODY && !s->hijack_wanted;
	s->conn = c;
	s->ops = &http_client_h1_ops;
	s->peer = &c->peer;
	http_client_h1_send(c, s);
}

static void on_idle(struct conn *c)
{
	struct http_client *cl = c->owner;

	list_del(&c->link);
	list_append(!c->h2 ? &cl->idle : h2_is_closing(c) ? &cl->running : &cl->multi, &c->link);
	http_client_serve_waiting(cl);
}

static void on_gone(struct conn *c)
{
	struct http_client *cl = c->owner;

	/* Out of the lists that are searched; its kick frees it. */
	list_del(&c->link);
	list_append(&cl->running, &c->link);
	cl->conns_n--;
	if (!cl->closing)
		http_client_serve_waiting(cl);
}

static bool on_timeout(struct conn *c)
{
	if (c->cur || c->h2)
		return false;
	conn_fail(c, NULL);
	return true;
}

static void on_connected(struct conn *c)
{
	struct http_client *cl = c->owner;

	if (!c->unassigned)
		return; /* what waits in the output buffer leaves by conn_leave */
	c->unassigned = false;
	cl->opening--;
	cl->was_h2 = c->h2 != NULL;
	list_del(&c->link);
	list_append(c->h2 ? &cl->multi : &cl->idle, &c->link);
	http_client_serve_waiting(cl);
}

static void on_unopened(struct conn *c, const struct err *why)
{
	struct http_client *cl = c->owner;
	struct stream *s = LIST_FIRST(&cl->waiting, struct stream, link);

	if (!c->unassigned)
		return;
	cl->opening--;
	if (!why || !s || cl->closing)
		return;
	list_del(&s->link);
	stream_close(s, why);
}

/* A kept connection may have been closed by the server in the same moment. Only what is safe to
 * repeat is repeated. */
static bool on_retry(struct conn *c, struct stream *s, const struct err *why)
{
	struct http_client *cl = c->owner;
	const char *m = s->rq.method;

	if (cl->closing || s->cancelled || s->status || s->tries >= TRIES_MAX ||
	    s->body_length != HTTP_NO_BODY || why->code != ERR_UNAVAILABLE)
		return false;
	if (!c->h2 && (c->fresh || iobuf_len(&c->in) > 0))
		return false;
	if (strcmp(m, "GET") != 0 && strcmp(m, "HEAD") != 0 && strcmp(m, "OPTIONS") != 0)
		return false;
	s->tries++;
	s->ops = &http_client_waiting_ops;
	s->conn = cl;
	s->headers_n = 0;
	s->head_sent = false;
	s->ended_out = false;
	list_prepend(&cl->waiting, &s->link);
	return true; /* on_gone follows and serves it */
}

const struct conn_role http_client_role = {
	.head = http_client_h1_head,
	.bad_head = http_client_h1_bad_head,
	.idle = on_idle,
	.gone = on_gone,
	.timeout = on_timeout,
	.connected = on_connected,
	.unopened = on_unopened,
	.retry = on_retry,
};

/* A kept connection that the server closed while the loop was not looking is no use. */
static struct conn *take_idle(struct http_client *cl)
{
	struct conn *c;

	while ((c = LIST_FIRST(&cl->idle, struct conn, link))) {
		if (c->tr->is_quiet(c))
			return c;
		cl->closing = true; /* no serve_waiting from in here */
		conn_fail(c, NULL);
		cl->closing = false;
	}
	return NULL;
}

/* A connection of HTTP/2 with room for a stream. */
static struct conn *take_multi(struct http_client *cl)
{
	struct conn *c;

	LIST_FOREACH (c, &cl->multi, struct conn, link) {
		if (h2_room(c) > 0)
			return c;
	}
	return NULL;
}

/* The handshake tells which version the connection speaks; till then exchanges wait. A server that
 * spoke HTTP/2 before is asked for one connection only. */
static bool enough_are_opening(const struct http_client *cl)
{
	size_t waiting = 0;

	for (const struct list *l = cl->waiting.next; l != &cl->waiting; l = l->next)
		waiting++;
	return cl->opening > 0 && (cl->was_h2 || cl->opening > waiting);
}

int http_client_try_send(struct http_client *cl, struct stream *s, struct err *err)
{
	struct conn *c = take_multi(cl);
	int r;

	if (c) {
		h2_client_send(c, s);
		return 0;
	}
	c = take_idle(cl);
	if (!c) {
		if (cl->conns_n >= cl->conf.connections_max)
			return 1;
		if (enough_are_opening(cl))
			return 1;
		r = http_client_open(cl, &c, err);
		if (r == 2)
			return 1;
		if (r == 1 && !timer_armed(&cl->retry)) {
			/* The kernel tells nobody when a Unix listener has room again. */
			if (!cl->retry_since)
				cl->retry_since = loop_now(cl->loop);
			if (loop_now(cl->loop) - cl->retry_since > cl->conf.connect_time)
				return err_set(err, ERR_TIMEOUT,
					       "connect to %s: it does not accept connections",
					       cl->address);
			timer_set_after(&cl->retry, CONNECT_RETRY);
		}
		if (r != 0)
			return r;
		cl->retry_since = 0;
		if (c->handshaking && !c->h2 && cl->conf.http2 != HTTP2_NEVER) {
			c->unassigned = true;
			cl->opening++;
			return 1;
		}
	}
	if (c->h2)
		h2_client_send(c, s);
	else
		assign(cl, c, s);
	return 0;
}

void http_client_serve_waiting(struct http_client *cl)
{
	struct stream *s;
	struct err err = ERR_INIT;
	int r;

	while ((s = LIST_FIRST(&cl->waiting, struct stream, link)) && !cl->closing) {
		CLEANUP(stream_unref) struct stream *held = stream_ref(s);

		(void)held; /* one that was ended too early is closed within the call */
		list_del(&s->link);
		r = http_client_try_send(cl, s, &err);
		if (r == 1) {
			list_prepend(&cl->waiting, &s->link);
			return;
		}
		if (r < 0)
			stream_close(s, &err);
		else
			stream_give_writable(s);
	}
}
