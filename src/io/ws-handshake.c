/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a WebSocket begins: the server's answer to an upgrade (RFC 6455, 4.2) or to an extended
 * CONNECT (RFC 8441), and the client's request and its checks of the answer (4.1).
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "io/http-client.h"
#include "io/http1.h"
#include "io/ws-impl.h"

#define KEY_LEN 24u

/* ---- server ---- */

/* HTTP/2: an extended CONNECT, which reads like a GET with an upgrade. */
static bool by_connect(const struct http_request *rq)
{
	return rq->major >= 2;
}

bool ws_is_request(const struct stream *s)
{
	return h1_list_has(stream_request(s)->upgrade, "websocket");
}

struct refusal {
	int status;
	const char *what;
};

static struct refusal judge(struct stream *s)
{
	const struct http_request *rq = stream_request(s);
	struct slice key = stream_header(s, "Sec-WebSocket-Key");
	unsigned char nonce[KEY_LEN];
	size_t n = 0;

	if (!ws_is_request(s))
		return (struct refusal){ 426, "this address speaks WebSocket only" };
	if (strcmp(rq->method, "GET") != 0)
		return (struct refusal){ 405, "a WebSocket is asked for with GET" };
	if (rq->has_body && !by_connect(rq))
		return (struct refusal){ 400, "a WebSocket handshake has no body" };
	if (!slice_is(stream_header(s, "Sec-WebSocket-Version"), "13"))
		return (struct refusal){ 426, "only version 13 of WebSocket is spoken here" };
	/* HTTP/2 has no key: there nothing can mistake the request (RFC 8441, 5.1). */
	if (!by_connect(rq) && (key.n != KEY_LEN || base64_decode(nonce, &n, key) < 0 || n != 16))
		return (struct refusal){ 400, "Sec-WebSocket-Key is not 16 bytes in base64" };
	return (struct refusal){ 0 };
}

/* Calls fn for each token of all lines of a header until it returns one. */
static const char *first_protocol(const struct stream *s, const char *const *ours, bool *ret_any)
{
	size_t n;
	const struct http_header *h = stream_headers(s, &n);

	*ret_any = false;
	for (size_t i = 0; i < n; i++) {
		struct slice list = h[i].value;

		if (!slice_ieq(h[i].name, SLICE("Sec-WebSocket-Protocol")))
			continue;
		while (list.p) {
			struct slice one = slice_trim(slice_split(&list, ','));

			*ret_any |= one.n > 0;
			for (const char *const *p = ours; p && *p && one.n > 0; p++) {
				if (slice_is(one, *p))
					return *p;
			}
		}
	}
	return NULL;
}

static struct refusal choose(struct stream *s, const struct ws_accept *acc, void *arg,
			     const char **protocol)
{
	struct slice origin = stream_header(s, "Origin");
	bool any;

	*protocol = first_protocol(s, acc->protocols, &any);
	if (!*protocol && any && acc->must_match)
		return (struct refusal){ 400, "none of the sub-protocols offered is spoken here" };
	if (!*protocol && !any && acc->bare_refused)
		return (struct refusal){ 400, "a sub-protocol must be offered" };
	if (!origin.p)
		origin = SLICE("");
	if (acc->origin && !acc->origin(s, origin, arg))
		return (struct refusal){ 403, "pages of this origin may not connect" };
	return (struct refusal){ 0 };
}

static int refuse(struct stream *s, struct refusal no, struct err *err)
{
	if (no.status == 426) {
		(void)stream_set_header(s, "Sec-WebSocket-Version", "13");
		(void)stream_set_header(s, "Upgrade", "websocket");
	} else if (no.status == 405) {
		(void)stream_set_header(s, "Allow", "GET");
	}
	(void)stream_replyf(s, no.status, "text/plain; charset=utf-8", "%s\n", no.what);
	return err_set(err, no.status == 403 ? ERR_FORBIDDEN : ERR_BAD_REQUEST, "WebSocket: %s",
		       no.what);
}

int ws_accept(struct stream *s, const struct ws_conf *conf, const struct ws_accept *acc,
	      const struct ws_events *ev, void *arg, struct ws **ret, struct err *err)
{
	struct refusal no = judge(s);
	char accept[WS_ACCEPT_LEN + 1];
	const char *protocol = NULL;
	struct ws *w;
	int r;

	if (!no.status && acc)
		no = choose(s, acc, arg, &protocol);
	if (no.status)
		return refuse(s, no, err);
	if (protocol)
		(void)stream_set_header(s, "Sec-WebSocket-Protocol", protocol);
	if (!by_connect(stream_request(s))) {
		ws_accept_key(accept, stream_header(s, "Sec-WebSocket-Key"));
		(void)stream_set_header(s, "Sec-WebSocket-Accept", accept);
	}
	r = stream_hijack(s, 101, err); /* 200 over HTTP/2 */
	if (r < 0)
		return err_wrap(err, "WebSocket");
	w = ws_make(conf, ev, arg, false, s->pool->loop);
	w->protocol = protocol ? protocol : "";
	w->status = s->status;
	*ret = w;
	ws_begin(w, s);
	return 0;
}

/* ---- client ---- */

/* NULL when the answer makes a WebSocket, else what is wrong with it. */
static const char *judge_answer(struct ws *w, struct stream *s)
{
	struct slice protocol = stream_header(s, "Sec-WebSocket-Protocol"), list;

	if (!by_connect(stream_request(s)) && !stream_header_has(s, "Upgrade", "websocket"))
		return "the answer upgrades to something else";
	if (!by_connect(stream_request(s)) &&
	    !slice_is(stream_header(s, "Sec-WebSocket-Accept"), w->expect))
		return "Sec-WebSocket-Accept does not fit the key";
	if (stream_header(s, "Sec-WebSocket-Extensions").p)
		return "the server uses an extension that was not offered";
	if (!protocol.p)
		return NULL;
	for (list = slice_str(w->protocol_mem); list.p;) {
		struct slice one = slice_trim(slice_split(&list, ','));

		if (one.n > 0 && slice_eq(one, protocol)) {
			w->protocol_mem[(size_t)(one.p - w->protocol_mem) + one.n] = '\0';
			w->protocol = one.p;
			return NULL;
		}
	}
	return "the server chose a sub-protocol that was not offered";
}

static void on_head(struct stream *s)
{
	struct ws *w = s->arg;
	const char *bad;

	w->status = stream_status(s);
	if (w->status != (by_connect(stream_request(s)) ? 200 : 101)) {
		(void)err_set(&w->why, ERR_UNSUPPORTED,
			      "WebSocket: the server answered with status %d", w->status);
		stream_reset(s, NULL);
		return;
	}
	bad = judge_answer(w, s);
	if (bad) {
		(void)err_set(&w->why, ERR_BAD_REQUEST, "WebSocket: %s", bad);
		stream_reset(s, NULL);
		return;
	}
	ws_begin(w, s);
	if (w->ev->opened)
		w->ev->opened(w);
}

static void on_closed(struct stream *s, const struct err *why)
{
	ws_finish(s->arg, why);
}

static const struct stream_events asking = { .head = on_head, .closed = on_closed };

static int set_headers(struct ws *w, struct stream *s, const struct ws_connect *to)
{
	char key[KEY_LEN + 1], nonce[16];
	int r;

	random_bytes(nonce, sizeof(nonce));
	base64_encode(key, nonce, sizeof(nonce));
	ws_accept_key(w->expect, slice_str(key));
	r = stream_set_header(s, "Upgrade", "websocket");
	r = r < 0 ? r : stream_set_header(s, "Sec-WebSocket-Version", "13");
	r = r < 0 ? r : stream_set_header(s, "Sec-WebSocket-Key", key);
	if (to->protocols)
		r = r < 0 ? r : stream_set_header(s, "Sec-WebSocket-Protocol", to->protocols);
	for (size_t i = 0; r == 0 && i < to->headers_n; i++) {
		const struct http_header *h = &to->headers[i];
		char *name = arena_strndup(s->arena, h->name.p, h->name.n);
		char *value = arena_strndup(s->arena, h->value.p, h->value.n);

		r = name && value ? stream_add_header(s, name, value) : -ERR_QUOTA;
	}
	return r;
}

int ws_connect(struct http_client *c, const struct ws_connect *to, const struct ws_conf *conf,
	       const struct ws_events *ev, void *arg, struct ws **ret, struct err *err)
{
	struct stream *s;
	struct ws *w;
	int r;

	r = http_client_stream(c, "GET", to->target, &s, err);
	if (r < 0)
		return err_wrap(err, "WebSocket");
	w = ws_make(conf, ev, arg, true, s->pool->loop);
	w->s = s; /* its reference is ours */
	w->protocol_mem = strdup(to->protocols ? to->protocols : "");
	if (!w->protocol_mem)
		abort();
	stream_on(s, &asking, w);
	r = set_headers(w, s, to);
	if (r < 0)
		r = err_set(err, ERR_INVALID, "a header of the request is malformed or too large");
	else
		r = http_client_send(s, HTTP_NO_BODY, true, err);
	if (r < 0) {
		stream_on(s, NULL, NULL);
		stream_unref(s);
		timer_fini(&w->timer);
		deferred_fini(&w->kick);
		ws_unref(w);
		return err_wrap(err, "WebSocket");
	}
	w->closing_since = loop_now(s->pool->loop);
	timer_set(&w->timer, w->closing_since + w->conf.close_time);
	*ret = w;
	return 0;
}
