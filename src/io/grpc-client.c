/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC, client: opening calls and the ways they end. Unary calls and retries: grpc-unary.c. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "io/grpc-client-impl.h"
#include "io/stream-impl.h"

#include <errno.h>
#include <stdio.h>

#define PATH_MAX_ 1024

/* ---- the end ---- */

static void tell_end(struct grpc_call *c, enum grpc_code code, const char *message,
		     struct slice details)
{
	struct grpc_status st = { .code = code,
				  .message = message ? message : "",
				  .details = details };

	if (c->over)
		return;
	(void)grpc_ref(c);
	grpc_call_over(c);
	if (c->ev && c->ev->finished)
		c->ev->finished(c, &st);
	grpc_unref(c);
}

/* An end of our own making: the server hears of it by RST_STREAM. */
void grpc_client_finish(struct grpc_call *c, enum grpc_code code, const char *message)
{
	struct stream *s = stream_ref(c->s);

	(void)grpc_ref(c);
	tell_end(c, code, message, (struct slice){ NULL, 0 });
	stream_reset(s, NULL);
	grpc_unref(c);
	stream_unref(s);
}

void grpc_cancel(struct grpc_call *c)
{
	if (!c->over)
		grpc_client_finish(c, GRPC_CANCELLED, "cancelled by the caller");
}

static int on_deadline(struct timer *t)
{
	grpc_client_finish(CONTAINER_OF(t, struct grpc_call, deadline), GRPC_DEADLINE_EXCEEDED,
			   "the deadline has passed");
	return 0;
}

/* Trailers, or the head of an answer that has nothing else. */
static struct slice field(const struct stream *s, const char *name)
{
	struct slice v = stream_got_trailer(s, name);

	return v.p ? v : stream_header(s, name);
}

void grpc_client_input_end(struct grpc_call *c)
{
	struct slice number = field(c->s, "grpc-status"), text = field(c->s, "grpc-message");
	int http = stream_status(c->s);
	struct slice details;
	char *message;
	uint64_t code;

	if (!number.p || str_uint64(number, &code, NULL) < 0) {
		message = arena_printf(stream_arena(c->s), "HTTP status %d without a gRPC status",
				       http);
		tell_end(c, http == 200 ? GRPC_UNKNOWN : grpc_code_of_http(http), message,
			 (struct slice){ NULL, 0 });
		return;
	}
	message = arena_alloc_raw(stream_arena(c->s), text.n + 1, 1);
	if (message)
		grpc_message_decode(text, message);
	details = grpc_take_metadata(stream_arena(c->s), "grpc-status-details-bin",
				     field(c->s, "grpc-status-details-bin"));
	tell_end(c, code > GRPC_UNAUTHENTICATED ? GRPC_UNKNOWN : (enum grpc_code)code, message,
		 details);
}

/* ---- the stream ---- */

static void on_head(struct stream *s)
{
	struct grpc_call *c = stream_arg(s);
	struct slice encoding = stream_header(s, "grpc-encoding");
	struct slice type = stream_header(s, "content-type");

	if (c->over)
		return;
	if (stream_status(s) != 200 || (type.n && !grpc_is_content_type(type))) {
		char text[128];

		(void)snprintf(text, sizeof(text), "HTTP status %d, content type '%.*s'",
			       stream_status(s), (int)MIN(type.n, (size_t)64), type.p);
		if (!stream_header(s, "grpc-status").p)
			grpc_client_finish(c, grpc_code_of_http(stream_status(s)), text);
		return;
	}
	if (encoding.n && !slice_is(encoding, "identity"))
		grpc_client_finish(c, GRPC_INTERNAL,
				   "the server compresses although nobody asked for it");
}

static void on_end(struct stream *s)
{
	struct grpc_call *c = stream_arg(s);

	c->eof = true;
	if (!c->over)
		grpc_call_pump(c);
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct grpc_call *c = stream_arg(s);
	enum grpc_code code = why && why->code == ERR_TOO_LARGE	    ? GRPC_RESOURCE_EXHAUSTED
			      : why && why->code == ERR_BAD_REQUEST ? GRPC_INTERNAL
								    : GRPC_UNAVAILABLE;

	c->unseen = s->unseen;
	/* Only connect(2) gives these. */
	c->unsent = why && (why->sys == ECONNREFUSED || why->sys == ENETUNREACH);
	/* What waits for grpc_more is still told; so is the end that came behind it. */
	if (!c->over && !c->eof)
		tell_end(c, code, why ? why->msg : "the stream was closed",
			 (struct slice){ NULL, 0 });
	grpc_unref(c);
}

bool grpc_is_unsent(const struct grpc_call *c)
{
	return c->unseen || c->unsent;
}

static const struct stream_events call_events = {
	.head = on_head,
	.data = grpc_call_data,
	.end = on_end,
	.writable = grpc_call_writable,
	.closed = on_closed,
};

/* ---- opening ---- */

static const struct stream_events no_events;

static int set_head(struct stream *s, const struct grpc_call_opts *o, int64_t time,
		    unsigned attempts, struct err *err)
{
	char text[16];
	int r = 0;

	(void)stream_set_header(s, "te", "trailers");
	(void)stream_set_header(s, "content-type", "application/grpc");
	(void)stream_set_header(s, "grpc-accept-encoding", "identity");
	if (time)
		(void)stream_set_header(s, "grpc-timeout", grpc_timeout_text(time, text));
	if (attempts)
		(void)stream_set_headerf(s, "grpc-previous-rpc-attempts", "%u", attempts);
	for (size_t i = 0; o && i < o->metadata_n && r == 0; i++) {
		const struct grpc_pair *p = &o->metadata[i];

		r = grpc_metadata_ok(slice_str(p->name))
			    ? grpc_put_metadata(s, false, p->name, p->value)
			    : -ERR_INVALID;
		if (r < 0)
			return err_set(err, ERR_INVALID, "metadata '%.64s' cannot be sent",
				       p->name);
	}
	return 0;
}

int grpc_client_open_(struct grpc_client *cl, const char *service, const struct grpc_method *m,
		      const struct grpc_call_opts *opts, unsigned attempts, struct grpc_call **ret,
		      struct err *err)
{
	int64_t time = opts && opts->time ? opts->time : cl->conf.time;
	struct grpc_call *c = NULL;
	struct stream *s;
	char path[PATH_MAX_];
	int r;

	if ((size_t)snprintf(path, sizeof(path), "/%s/%s", service, m->name) >= sizeof(path))
		return err_set(err, ERR_INVALID, "the method's name is too long");
	r = http_client_stream(cl->http, "POST", path, &s, err);
	if (r < 0)
		return r;
	r = set_head(s, opts, time, attempts, err);
	if (r == 0) {
		c = grpc_call_new(s, m, false);
		c->cl = cl;
		c->message_max = cl->conf.message_max;
		c->scratch = &cl->scratch;
		stream_on(s, &call_events, c);
		r = http_client_send(s, HTTP_BODY_CHUNKED, false, err);
	}
	if (r < 0) {
		stream_on(s, &no_events, NULL);
		stream_unref(s);
		free(c);
		return r;
	}
	c->head_sent = true;
	(void)grpc_ref(c); /* the stream's, until closed */
	list_append(&cl->calls, &c->link);
	cl->stats.calls++;
	if (time)
		grpc_call_set_due(c, time, on_deadline);
	grpc_call_pump(c);
	*ret = c;
	return 0;
}

int grpc_client_open(struct grpc_client *cl, const char *service, const struct grpc_method *m,
		     const struct grpc_call_opts *opts, struct grpc_call **ret, struct err *err)
{
	return grpc_client_open_(cl, service, m, opts, 0, ret, err);
}

void grpc_half_close(struct grpc_call *c)
{
	if (c->over || c->ended_out)
		return;
	c->ended_out = true;
	c->half_held = c->held.n > 0; /* behind what waits for a connection */
	if (!c->half_held)
		(void)stream_end(c->s);
}

/* ---- the client ---- */

int grpc_client_new(struct loop *l, const char *address, const struct grpc_client_conf *conf,
		    struct grpc_client **ret, struct err *err)
{
	struct grpc_client *cl = io_alloc(sizeof(*cl));
	struct http_client_conf hc = { .http2 = HTTP2_PRIOR };
	int r;

	if (conf)
		cl->conf = *conf;
	if (!cl->conf.message_max)
		cl->conf.message_max = GRPC_MESSAGE_DEFAULT;
	if (!cl->conf.retry.attempts_max)
		cl->conf.retry.attempts_max = 4;
	if (!cl->conf.retry.max)
		cl->conf.retry.max = NS_PER_SEC;
	hc.tls = cl->conf.tls;
	hc.host = cl->conf.authority;
	hc.resolver = cl->conf.resolver;
	hc.ping_time = cl->conf.keepalive_time;
	hc.ping_timeout = cl->conf.keepalive_timeout;
	hc.agent = "grpc-c-teu/" TEU_VERSION;
	hc.connections_max = cl->conf.connections_max ? cl->conf.connections_max : 1;
	r = http_client_new(l, address, &hc, &cl->http, err);
	if (r < 0) {
		free(cl);
		return r;
	}
	cl->loop = http_client_loop(cl->http);
	cl->scratch = BUF_INIT(SIZE_MAX / 2);
	cl->seed = cl->conf.seed;
	list_init(&cl->calls);
	list_init(&cl->unaries);
	retry_budget_init(&cl->budget, 10, 10);
	*ret = cl;
	return 0;
}

void grpc_client_free(struct grpc_client *cl)
{
	struct grpc_call *c;

	if (!cl)
		return;
	grpc_unary_free_all(cl);
	while ((c = LIST_FIRST(&cl->calls, struct grpc_call, link)))
		grpc_client_finish(c, GRPC_CANCELLED, "the client goes away");
	http_client_free(cl->http);
	buf_fini(&cl->scratch);
	free(cl);
}

struct grpc_client_stats grpc_client_get_stats(const struct grpc_client *cl)
{
	return cl->stats;
}
