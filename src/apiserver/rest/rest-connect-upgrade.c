/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Upgrades that are handed on: exec, attach and portforward in whatever the client and the agent
 * speak, and those of what stands behind proxies. After 101 both are joined as bytes.
 *
 * An answer that is no 101 never joins them (CVE-2018-1002105): errors go to the client as they
 * are, by HTTP's own framing, and everything else, redirects too (CVE-2020-8559), is an error of
 * ours. What the client sends next is then a request of its own, which is asked who it is.
 *
 * The tunnel: kubectl's port-forward sends SPDY in messages of a WebSocket; the agent is asked for
 * SPDY.
 */
#include "apiserver/rest/rest-connect.h"

#include "base/clock.h"
#include "base/hash.h"
#include "io/http-client.h"
#include "io/websocket.h"
#include "io/ws-tunnel.h"

#include <string.h>

#define TUNNEL_PREFIX "SPDY/3.1+"
#define PING_TIME (30 * NS_PER_SEC)

static void back_closed(struct pipe_end *e, const struct err *why)
{
	struct connect *x = e->x;

	if (!x->call->answered)
		x->unreachable(x, why ? why : &(struct err){ .msg = "no answer came" });
	else if (x->call->code == 101)
		pipe_end_output(&x->front, true);
	else if (why && x->front.s)
		stream_reset(x->front.s, why);
}

/* The backend ends its half: there is nobody for what the client may still send. */
static void back_ended(struct pipe_end *e)
{
	struct connect *x = e->x;

	if (x->call->code == 101)
		x->front.finish = true;
}

static void join(struct connect *x)
{
	call_started(x->call);
	pipe_flow(&x->front, &x->back);
	pipe_flow(&x->back, &x->front);
}

void connect_answer(struct connect *x)
{
	struct call *c = x->call;

	c->answered = true;
	c->code = stream_status(x->back.s);
	head_answer(x);
	(void)stream_start(c->s, c->code, stream_length(x->back.s)); /* closed: nobody reads it */
	call_started(c);
	pipe_flow(&x->back, &x->front);
}

/* False: it was told. */
static bool is_upgraded(struct connect *x)
{
	int status = stream_status(x->back.s);

	if (status == 101)
		return true;
	if (status >= 400)
		connect_answer(x);
	else
		connect_broken(x, "invalid upgrade response: status code %d", status);
	return false;
}

static void on_head(struct pipe_end *e)
{
	struct connect *x = e->x;
	struct call *c = x->call;
	struct err err ERR_RAW;

	err_clear(&err);
	if (!is_upgraded(x))
		return;
	head_answer(x);
	if (stream_hijack(c->s, 101, &err) < 0) {
		connect_broken(x, "%s", err.msg);
		return;
	}
	c->answered = true;
	c->code = 101;
	join(x);
}

static const struct pipe_ops upgrade_ops = { .closed = back_closed,
					     .ended = back_ended,
					     .head = on_head };

/* Another party's WebSocket over HTTP/2 has no key, HTTP/1.1 must have one. */
static int add_key(struct connect *x)
{
	char nonce[16], key[BASE64_LEN(sizeof(nonce)) + 1];

	if (stream_request(x->call->s)->major < 2)
		return 0;
	random_bytes(nonce, sizeof(nonce));
	base64_encode(key, nonce, sizeof(nonce));
	return stream_set_header(x->back.s, "Sec-WebSocket-Key", key);
}

void connect_upgrade(struct connect *x)
{
	const struct http_request *q = stream_request(x->call->s);
	struct err err = ERR_INIT;
	const char *protocol;

	if (!q->upgrade.n || q->has_body) {
		(void)status_bad_request(&err, &x->call->about,
					 q->upgrade.n ? "an upgrade with a body is not handed on"
						      : "Upgrade request required");
		connect_fail(x, &err);
		return;
	}
	protocol = arena_strndup(x->call->a, q->upgrade.p, q->upgrade.n);
	if (!protocol || connect_open(x, q->method, &upgrade_ops) < 0)
		return;
	if (head_request(x, x->sub == CONNECT_PROXY) < 0 || add_key(x) < 0 ||
	    stream_set_header(x->back.s, "Upgrade", protocol) < 0)
		connect_broken(x, "the request's headers do not fit");
	else
		connect_send(x, HTTP_NO_BODY, true);
}

/* ---- the tunnel ---- */

static const char *agreed(struct connect *x)
{
	struct slice v = slice_trim(stream_header(x->back.s, "X-Stream-Protocol-Version"));

	return v.n ? arena_printf(x->call->a, TUNNEL_PREFIX "%.*s", (int)v.n, v.p) : NULL;
}

static void tunnel_head(struct pipe_end *e)
{
	static const struct ws_conf conf = { .paused = true, .ping_time = PING_TIME };
	static const struct ws_events none = { .closed = NULL };
	struct connect *x = e->x;
	struct call *c = x->call;
	const char **protocols = ARENA_ARRAY(c->a, const char *, 2);
	const struct ws_accept acc = { .protocols = protocols };
	struct ws *w;

	if (!is_upgraded(x))
		return;
	if (!protocols || !stream_header_has(e->s, "Upgrade", "SPDY/3.1")) {
		connect_broken(x, "unable to upgrade: missing upgrade headers in response");
		return;
	}
	protocols[0] = agreed(x);
	call_headers(c);
	c->answered = true;
	if (ws_accept(c->s, &conf, &acc, &none, NULL, &w, NULL) < 0) {
		pipe_close(&x->back); /* it answered */
		return;
	}
	pipe_given(&x->front);
	c->code = 101;
	pipe_open(&x->front, ws_tunnel(w), &connect_front, x);
	join(x);
}

static const struct pipe_ops tunnel_ops = { .closed = back_closed,
					    .ended = back_ended,
					    .head = tunnel_head };

/* The versions that are offered through the tunnel. */
static int add_versions(struct connect *x)
{
	struct stream *to = x->back.s;
	struct slice list = slice_str(head_protocols(x->call->s, x->call->a));
	int r = 0;

	while (list.p && r == 0) {
		struct slice one = slice_trim(slice_split(&list, ','));

		if (slice_starts(one, SLICE(TUNNEL_PREFIX)) && slice_ends(one, SLICE(".k8s.io"))) {
			const char *v =
				arena_strndup(stream_arena(to), one.p + strlen(TUNNEL_PREFIX),
					      one.n - strlen(TUNNEL_PREFIX));

			r = v ? stream_add_header(to, "X-Stream-Protocol-Version", v) : -ERR_QUOTA;
		}
	}
	return r;
}

void connect_tunnel(struct connect *x)
{
	if (connect_open(x, "POST", &tunnel_ops) < 0)
		return;
	if (add_versions(x) < 0 || stream_set_header(x->back.s, "Upgrade", "SPDY/3.1") < 0)
		connect_broken(x, "the request's headers do not fit");
	else
		connect_send(x, HTTP_NO_BODY, true);
}
