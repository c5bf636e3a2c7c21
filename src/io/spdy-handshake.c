/* SPDX-License-Identifier: Apache-2.0 */
/* How a SPDY session begins: the upgrade of an HTTP/1.1 connection, both sides. */
#include "base/arena.h"
#include "base/err.h"
#include "io/http-client.h"
#include "io/http1.h"
#include "io/spdy-impl.h"

bool spdy_is_request(const struct stream *s)
{
	return h1_list_has(stream_request(s)->upgrade, "SPDY/3.1");
}

int spdy_accept(struct stream *s, const struct spdy_conf *conf, const struct spdy_events *ev,
		void *arg, struct spdy **ret, struct err *err)
{
	int r;

	if (!spdy_is_request(s)) {
		(void)stream_reply(s, 400, "text/plain; charset=utf-8",
				   "this address speaks SPDY/3.1 only\n", 34);
		return err_set(err, ERR_BAD_REQUEST, "SPDY: no upgrade to SPDY/3.1 is asked for");
	}
	r = stream_hijack(s, 101, err);
	if (r < 0)
		return err_wrap(err, "SPDY");
	return spdy_start(s, false, conf, ev, arg, ret, err);
}

/* ---- client ---- */

static void on_head(struct stream *s)
{
	struct spdy *p = s->arg;
	struct err err = ERR_INIT;

	if (stream_status(s) != 101)
		(void)err_set(&err, ERR_UNSUPPORTED, "SPDY: the server answered with status %d",
			      stream_status(s));
	else if (!stream_header_has(s, "Upgrade", "SPDY/3.1"))
		(void)err_set(&err, ERR_BAD_REQUEST, "SPDY: the server upgrades to something else");
	if (err.code) {
		stream_reset(s, &err);
		return;
	}
	spdy_enter(p);
	spdy_begin(p);
	if (p->ev->opened)
		p->ev->opened(p);
	spdy_leave(p);
}

static const struct stream_events asking = { .head = on_head, .closed = spdy_below_closed };

static int set_headers(struct stream *s, const struct spdy_connect *to)
{
	int r = stream_set_header(s, "Upgrade", "SPDY/3.1");

	for (size_t i = 0; r == 0 && i < to->headers_n; i++) {
		char *name = arena_strndup(s->arena, to->headers[i].name.p, to->headers[i].name.n);
		char *value =
			arena_strndup(s->arena, to->headers[i].value.p, to->headers[i].value.n);

		r = name && value ? stream_add_header(s, name, value) : -ERR_QUOTA;
	}
	return r;
}

int spdy_connect(struct http_client *c, const struct spdy_connect *to, const struct spdy_conf *conf,
		 const struct spdy_events *ev, void *arg, struct spdy **ret, struct err *err)
{
	CLEANUP(stream_unref) struct stream *s = NULL;
	struct spdy *p;
	int r;

	r = http_client_stream(c, to->method ? to->method : "POST", to->target, &s, err);
	if (r < 0)
		return err_wrap(err, "SPDY");
	r = set_headers(s, to);
	if (r < 0)
		return err_set(err, ERR_INVALID,
			       "SPDY: a header of the request is malformed or too large");
	r = spdy_make(s, true, conf, ev, arg, &p, err);
	if (r < 0)
		return r;
	stream_on(s, &asking, p);
	r = http_client_send(s, HTTP_NO_BODY, true, err);
	if (r < 0) {
		stream_on(s, NULL, NULL);
		spdy_free(p);
		return err_wrap(err, "SPDY");
	}
	*ret = p;
	return 0;
}
