/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request for a group and version of another API server (aggregator.h): who asks and whether they
 * may has been found out here, as for every request; then it goes there, and what it answers to the
 * client, both as they come. Errors of our own are plain text, as upstream's are.
 *
 * For whom it is stands in headers that only we set; what the client sent of those, its credentials
 * and whom it acts as are left out (rest-connect-head.c). What is asked for is the path that was
 * authorized, encoded anew. Redirects are not handed on: the client would send its credentials
 * after them.
 */
#include "apiserver/rest/rest-connect.h"

#include "apiserver/extension/aggregator.h"
#include "io/http-client.h"

#include <stdio.h>
#include <string.h>

#define HOPS_MAX 16u

static void say(struct call *c, int code, const char *fmt, ...) PRINTF(3, 4);

static void say(struct call *c, int code, const char *fmt, ...)
{
	char text[1280];
	size_t n;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	n = strlen(text);
	text[n++] = '\n';
	(void)stream_set_header(c->s, "X-Content-Type-Options", "nosniff");
	call_text(c, code, "text/plain; charset=utf-8", slice_of(text, n));
}

static void not_reached(struct connect *x, const struct err *err)
{
	pipe_close(&x->back);
	say(x->call, 503, "error trying to reach service: %s", err->msg);
}

/* ---- there ---- */

static int dress(struct connect *x)
{
	struct stream *to = x->back.s;
	struct call *c = x->call;
	const struct http_request *q = stream_request(c->s);
	const char *host = arena_strndup(c->a, q->host.n ? q->host.p : "", q->host.n),
		   *uri = arena_strndup(c->a, x->target, strcspn(x->target, "?"));
	int r = host && uri ? remote_identify(to, &c->user) : -ERR_QUOTA;

	if (r == 0)
		r = stream_set_header(to, "Audit-Id", c->audit_id);
	if (r == 0)
		r = stream_set_header(to, "X-Forwarded-Uri", uri);
	if (r == 0)
		r = stream_set_header(to, "X-Forwarded-Proto", "https");
	if (r == 0 && *host)
		r = stream_set_header(to, "X-Forwarded-Host", host);
	return r;
}

static void on_head(struct pipe_end *e)
{
	struct connect *x = e->x;
	int status = stream_status(e->s);

	if (status / 100 == 3 && stream_header(e->s, "Location").n) {
		pipe_close(e);
		say(x->call, 502,
		    "the backend attempted to redirect this request, which is not permitted");
		return;
	}
	connect_answer(x);
}

static const struct pipe_ops remote_ops = { .closed = connect_back_closed,
					    .ended = connect_trailers,
					    .head = on_head };

static void ask(struct connect *x)
{
	struct call *c = x->call;
	const struct http_request *q = stream_request(c->s);

	if (q->upgrade.n && !q->has_body) {
		connect_upgrade(x);
		return;
	}
	if (connect_open(x, q->method, &remote_ops) < 0)
		return;
	if (head_request(x, false) < 0) {
		pipe_close(&x->back);
		say(c, 500, "who asks, or the request's headers, cannot be handed on");
		return;
	}
	connect_send(x, q->has_body ? q->length : HTTP_NO_BODY, false);
	if (q->has_body && x->back.s)
		pipe_flow(&x->front, &x->back);
}

/* ---- from here ---- */

static void begin(struct call *c, struct remote *r, const char *target)
{
	struct connect *x = connect_new(c, CONNECT_REMOTE);
	struct remote_way way;
	struct err err = ERR_INIT;

	if (!x || !target) {
		say(c, 500, "the request does not fit its memory");
		return;
	}
	x->target = target;
	x->ready = ask;
	x->unreachable = not_reached;
	x->dress = dress;
	if (remote_way(r, call_work(c), &way, &err) < 0)
		say(c, err.code == ERR_UNAVAILABLE ? 503 : 500, "%s",
		    err.code == ERR_UNAVAILABLE ? "service unavailable" : err.msg);
	else
		connect_other(x, aggregator_agents(c->srv->conf.aggregator), &way);
}

/* By how many it came: an APIService may lead back to ourselves. */
static unsigned hops(const struct call *c)
{
	size_t n;
	const struct http_header *h = stream_headers(c->s, &n);
	unsigned found = 0;

	for (size_t i = 0; i < n; i++) {
		struct slice list = h[i].value;

		if (!slice_ieq(h[i].name, SLICE("x-forwarded-for")))
			continue;
		for (; list.p; found++)
			(void)slice_split(&list, ',');
	}
	return found;
}

void rest_remote(struct call *c, struct remote *r, const char *target)
{
	c->handed_on = true;
	if (hops(c) > HOPS_MAX) {
		say(c, 503, "the request was handed on more than %u times", HOPS_MAX);
		return;
	}
	call_set_deadline(c);
	call_leave_queue(c); /* its turn is the other server's to give */
	if (!remote_available(r))
		say(c, 503, "service unavailable");
	else
		begin(c, r,
		      target ? target
			     : connect_target(c->a, stream_request(c->s)->path,
					      stream_request(c->s)->query));
}

void rest_remote_expire(struct call *c, const struct err *err)
{
	struct connect *x = c->verb;

	if (x->finding)
		agent_find_cancel(&x->find);
	x->finding = false;
	connect_fail(x, err);
}
