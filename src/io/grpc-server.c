/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC, server: which method a stream is for, its deadline, its end with a status in trailers. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "io/grpc-reflect-impl.h"
#include "io/grpc-server-impl.h"
#include "io/stream-impl.h"

#include <stdio.h>

#define CALLS_MAX 4096

struct grpc_route {
	const struct grpc_method *m;
	void *arg;
	char path[];
};

/* ---- the end of a call ---- */

void grpc_finish(struct grpc_call *c, enum grpc_code code, const char *message)
{
	char number[8], text[GRPC_MESSAGE_TEXT_MAX * 3 + 1];
	struct slice m = slice_str(message ? message : "");

	if (c->over || !c->server)
		return;
	m.n = MIN(m.n, (size_t)GRPC_MESSAGE_TEXT_MAX);
	(void)snprintf(number, sizeof(number), "%u", (unsigned)code);
	(void)stream_set_trailer(c->s, "grpc-status", number);
	if (m.n) {
		grpc_message_encode(m, text);
		(void)stream_set_trailer(c->s, "grpc-message", text);
	}
	c->srv->stats.ended++;
	c->srv->stats.failed += code != GRPC_OK;
	c->srv->stats.running--;
	grpc_call_over(c);
	if (!c->head_sent) {
		c->head_sent = true;
		(void)stream_set_header(c->s, "content-type", "application/grpc");
		(void)stream_start(c->s, 200, -1);
	}
	(void)stream_end(c->s); /* a stream that is closed needs none */
}

void grpc_finishf(struct grpc_call *c, enum grpc_code code, const char *fmt, ...)
{
	char text[GRPC_MESSAGE_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	grpc_finish(c, code, text);
}

void grpc_fail(struct grpc_call *c, const struct err *err)
{
	grpc_finish(c, err->code ? grpc_code_of(err) : GRPC_UNKNOWN, err->msg);
}

void grpc_reply(struct grpc_call *c, const struct doc *d)
{
	struct err err = ERR_INIT;
	int r = grpc_send(c, d, &err);

	if (r >= 0)
		grpc_finish(c, GRPC_OK, NULL);
	else if (!c->over)
		grpc_fail(c, &err);
}

static void tell_cancelled(struct grpc_call *c)
{
	if (c->told_cancel)
		return;
	c->told_cancel = true;
	if (c->ev && c->ev->cancelled)
		c->ev->cancelled(c);
}

static int on_deadline(struct timer *t)
{
	struct grpc_call *c = grpc_ref(CONTAINER_OF(t, struct grpc_call, deadline));

	grpc_finish(c, GRPC_DEADLINE_EXCEEDED, "the deadline has passed");
	tell_cancelled(c);
	grpc_unref(c);
	return 0;
}

/* ---- what comes in ---- */

void grpc_server_input_failed(struct grpc_call *c, enum grpc_code code, const char *message)
{
	if (code == GRPC_UNIMPLEMENTED && !c->head_sent)
		(void)stream_set_header(c->s, "grpc-accept-encoding", "identity");
	grpc_finish(c, code, message);
	tell_cancelled(c);
}

void grpc_server_input_end(struct grpc_call *c)
{
	if (!c->one_in) {
		if (c->ev && c->ev->half_closed)
			c->ev->half_closed(c);
		return;
	}
	if (!c->request) {
		grpc_finish(c, GRPC_INTERNAL, "the request holds no message");
		return;
	}
	c->m->request(c, c->request, c->svc_arg);
}

static void on_end(struct stream *s)
{
	struct grpc_call *c = stream_arg(s);

	c->eof = true;
	if (!c->over && !c->failed_in)
		grpc_call_pump(c);
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct grpc_call *c = stream_arg(s);

	(void)why;
	if (!c->over) {
		c->srv->stats.ended++;
		c->srv->stats.failed++;
		c->srv->stats.running--;
		grpc_call_over(c);
		tell_cancelled(c);
	}
	grpc_unref(c);
}

static const struct stream_events call_events = {
	.data = grpc_call_data,
	.end = on_end,
	.writable = grpc_call_writable,
	.closed = on_closed,
};

/* ---- requests ---- */

bool grpc_is_request(const struct stream *s)
{
	return strcmp(stream_request(s)->method, "POST") == 0 &&
	       grpc_is_content_type(stream_header(s, "content-type"));
}

/* A status without messages and without a call. */
static void refuse(struct stream *s, enum grpc_code code, const char *message)
{
	char number[8], text[GRPC_MESSAGE_TEXT_MAX * 3 + 1];
	struct slice m = slice_str(message);

	m.n = MIN(m.n, (size_t)GRPC_MESSAGE_TEXT_MAX);
	grpc_message_encode(m, text);
	(void)snprintf(number, sizeof(number), "%u", (unsigned)code);
	(void)stream_set_header(s, "content-type", "application/grpc");
	(void)stream_set_trailer(s, "grpc-status", number);
	(void)stream_set_trailer(s, "grpc-message", text);
	if (stream_start(s, 200, -1) >= 0)
		(void)stream_end(s);
}

static void refuse_encoding(struct stream *s, struct slice v)
{
	char text[128];

	(void)stream_set_header(s, "grpc-accept-encoding", "identity");
	(void)snprintf(text, sizeof(text), "compression '%.*s' is not supported, only identity",
		       (int)MIN(v.n, (size_t)32), v.p);
	refuse(s, GRPC_UNIMPLEMENTED, text);
}

static void begin(struct grpc_server *srv, struct stream *s, const struct grpc_route *route,
		  int64_t time)
{
	struct grpc_call *c = grpc_call_new(stream_ref(s), route->m, true);

	c->srv = srv;
	c->svc_arg = route->arg;
	c->message_max = srv->conf.message_max;
	c->scratch = &srv->scratch;
	srv->stats.started++;
	srv->stats.running++;
	list_append(&srv->calls, &c->link);
	stream_on(s, &call_events, c);
	if (time >= 0)
		grpc_call_set_due(c, time, on_deadline);
	(void)grpc_ref(c);
	if (!c->one_in)
		c->m->begin(c, c->svc_arg);
	if (!c->over)
		grpc_call_pump(c);
	grpc_unref(c);
}

void grpc_server_request(struct stream *s, void *arg)
{
	struct grpc_server *srv = arg;
	const struct http_request *rq = stream_request(s);
	struct slice timeout = stream_header(s, "grpc-timeout"),
		     encoding = stream_header(s, "grpc-encoding");
	const struct grpc_route *route;
	char text[256];
	int64_t time = -1;

	if (!grpc_is_request(s)) {
		(void)stream_reply(s, 415, "text/plain", "gRPC only\n", 10);
		return;
	}
	if (rq->major != 2) {
		(void)stream_reply(s, 505, "text/plain", "gRPC needs HTTP/2\n", 18);
		return;
	}
	if (encoding.n && !slice_is(encoding, "identity")) {
		refuse_encoding(s, encoding);
		return;
	}
	if (timeout.p) {
		time = grpc_timeout_parse(timeout);
		if (time < 0) {
			refuse(s, GRPC_INTERNAL, "grpc-timeout is no time-out");
			return;
		}
	}
	if (srv->conf.deadline_max && (time < 0 || time > srv->conf.deadline_max))
		time = srv->conf.deadline_max;
	route = map_get(&srv->routes, slice_str(rq->path));
	if (!route) {
		(void)snprintf(text, sizeof(text), "no method '%.200s'", rq->path);
		refuse(s, GRPC_UNIMPLEMENTED, text);
		return;
	}
	if (srv->stats.running >= srv->conf.calls_max) {
		refuse(s, GRPC_RESOURCE_EXHAUSTED, "too many calls at the same time");
		return;
	}
	begin(srv, s, route, time);
}

/* ---- the server ---- */

int grpc_server_new(struct loop *l, const struct grpc_server_conf *conf, struct grpc_server **ret,
		    struct err *err)
{
	struct grpc_server *srv = io_alloc(sizeof(*srv));

	(void)err;
	srv->loop = l;
	if (conf)
		srv->conf = *conf;
	if (!srv->conf.message_max)
		srv->conf.message_max = GRPC_MESSAGE_DEFAULT;
	if (!srv->conf.calls_max)
		srv->conf.calls_max = CALLS_MAX;
	srv->scratch = BUF_INIT(SIZE_MAX / 2);
	map_init(&srv->routes);
	list_init(&srv->calls);
	list_init(&srv->watchers);
	list_init(&srv->services);
	list_init(&srv->files);
	*ret = srv;
	return 0;
}

void grpc_server_free(struct grpc_server *srv)
{
	struct grpc_call *c;
	struct grpc_route *route;

	if (!srv)
		return;
	while ((c = LIST_FIRST(&srv->calls, struct grpc_call, link))) {
		(void)grpc_ref(c);
		stream_reset(c->s, NULL);
		if (!c->over)
			grpc_call_over(c);
		grpc_unref(c);
	}
	grpc_health_free(srv);
	grpc_reflect_free(srv);
	for (size_t i = 0; (route = map_next(&srv->routes, &i, NULL));)
		free(route);
	map_fini(&srv->routes);
	buf_fini(&srv->scratch);
	free(srv);
}

int grpc_server_add(struct grpc_server *srv, const struct grpc_service *svc, void *arg,
		    struct err *err)
{
	struct grpc_added *added;

	LIST_FOREACH (added, &srv->services, struct grpc_added, link)
		if (strcmp(added->svc->name, svc->name) == 0)
			return err_set(err, ERR_EXISTS, "gRPC service '%s' is there already",
				       svc->name);
	for (size_t i = 0; i < svc->n; i++) {
		size_t n = strlen(svc->name) + strlen(svc->methods[i].name) + 3;
		struct grpc_route *route = io_alloc(sizeof(*route) + n);

		route->m = &svc->methods[i];
		route->arg = arg;
		(void)snprintf(route->path, n, "/%s/%s", svc->name, svc->methods[i].name);
		free(map_put(&srv->routes, slice_str(route->path), route));
	}
	grpc_files_free(srv); /* they are made again with this one */
	added = io_alloc(sizeof(*added));
	added->svc = svc;
	list_append(&srv->services, &added->link);
	return 0;
}

struct grpc_server_stats grpc_server_get_stats(const struct grpc_server *srv)
{
	return srv->stats;
}
