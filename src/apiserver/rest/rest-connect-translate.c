/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec and attach: the client speaks WebSocket channels (v5, whose client can end its stdin), the
 * agent SPDY. Each channel is joined with the SPDY stream of the same use.
 *
 * The client's handshake comes first: from then on everything that fails is told on its error
 * channel as a Status, like the end of the process. The session ends when the agent's error stream
 * and its outputs have ended and all they gave was passed on.
 */
#include "apiserver/rest/rest-connect.h"

#include "base/clock.h"
#include "doc/json.h"
#include "io/http-client.h"
#include "io/spdy.h"
#include "io/ws-channels.h"

#include <string.h>

#define STATUS_MAX (64u << 10)
#define AGENT_PING_TIME (5 * NS_PER_SEC)
#define CLIENT_PING_TIME (30 * NS_PER_SEC)
#define SUCCESS "{\"metadata\":{},\"status\":\"Success\"}"

enum { STDIN, STDOUT, STDERR, ERRORS, RESIZE, USES };

struct translation {
	struct connect *x;
	struct channels *client; /* NULL once closed */
	struct spdy *agent;	 /* NULL: not yet, or closed */
	struct pipe_end to_client[USES], to_agent[USES];
	unsigned outputs; /* that have not ended */
	bool told;	  /* the end */
	bool errors_over; /* the error stream */
	bool plain;	  /* ... is text: the agent speaks an old version */
	struct buf status;
};

/* ---- the end ---- */

static void tell(struct translation *t, struct slice status)
{
	if (t->told || !t->client)
		return;
	t->told = true;
	pipe_put(&t->to_client[ERRORS], status);
	pipe_end_output(&t->to_client[ERRORS], false);
}

/* The Status has found room: the close may follow it. */
static void status_filled(struct pipe_end *e)
{
	struct translation *t = e->x->more;

	if (t->client)
		channels_close(t->client, 1000, NULL);
}

static void tell_error(struct translation *t, const char *why)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(STATUS_MAX);
	struct call *c = t->x->call;
	struct status_about about = { .reason = STATUS_INTERNAL };
	struct err err = ERR_INIT;
	struct doc d;
	int code;

	(void)err_set(&err, ERR_SYSTEM, "%s", why);
	if (status_doc(&err, &about, call_work(c), &d, &code) == 0 &&
	    json_write(&d, NULL, &b, NULL) >= 0)
		tell(t, buf_slice(&b));
	else if (t->client)
		channels_close(t->client, 1011, "the error does not fit its memory");
}

/* What the agent's error stream said: nothing, text, or (v4) a Status, which goes on as it is. */
static void tell_end(struct translation *t)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(STATUS_MAX);
	const struct doc *status;
	struct doc *d = NULL;

	if (t->told || !t->errors_over || t->outputs)
		return;
	if (!t->status.n) {
		tell(t, SLICE(SUCCESS));
		return;
	}
	if (!t->plain &&
	    json_read(call_work(t->x->call), buf_slice(&t->status), NULL, &d, NULL) < 0)
		d = NULL;
	status = doc_get(d, "status");
	if (doc_str_is(status, "Success")) {
		tell(t, SLICE(SUCCESS));
	} else if (doc_str_is(status, "Failure")) {
		tell(t, buf_slice(&t->status));
	} else {
		(void)buf_addf(&b, "error executing remote command: %s", buf_str(&t->status));
		tell_error(t, buf_str(&b));
	}
}

/* ---- the client's side ---- */

static void channel_closed(struct pipe_end *e, const struct err *why)
{
	(void)e; /* the set's end tells */
	(void)why;
}

/* An output has ended, and the client has all of it. */
static void output_filled(struct pipe_end *e)
{
	struct translation *t = e->x->more;

	t->outputs--;
	tell_end(t);
}

static const struct pipe_ops channel_ops = { .closed = channel_closed, .filled = output_filled };
static const struct pipe_ops status_ops = { .closed = channel_closed, .filled = status_filled };

static void client_closed(struct channels *set, const struct err *why)
{
	struct translation *t = channels_arg(set);

	(void)why;
	t->client = NULL;
	call_closed(t->x->call);
}

static const struct channels_events client_events = { .closed = client_closed };

/* ---- the agent's side ---- */

static void stream_closed(struct pipe_end *e, const struct err *why)
{
	struct translation *t = e->x->more;
	struct pipe_end *out = e->to;

	/* A reset ends an output, too. */
	if (why && out && !out->over)
		pipe_end_output(out, false);
	if (e == &t->to_agent[ERRORS] && !t->errors_over)
		tell_error(t, "error reading from error stream: the agent reset it");
}

static const struct pipe_ops stream_ops = { .closed = stream_closed };

static int take_errors(struct pipe_end *e, struct slice in, bool last, struct buf *out)
{
	struct translation *t = e->x->more;

	(void)last;
	(void)out;
	return in.n ? buf_add(&t->status, in.p, in.n) : 0;
}

static void errors_ended(struct pipe_end *e)
{
	struct translation *t = e->x->more;

	t->errors_over = true;
	tell_end(t);
}

static const struct pipe_ops error_ops = { .closed = stream_closed,
					   .ended = errors_ended,
					   .filter = take_errors };

static void agent_closed(struct spdy *p, const struct err *why)
{
	struct translation *t = spdy_arg(p);
	struct connect *x = t->x;
	CLEANUP(call_drop) struct call *held = call_hold(x->call);

	(void)held;
	t->agent = NULL;
	if (!t->told)
		tell_error(t, why ? why->msg : "the node's agent ended the session");
}

static const struct spdy_events agent_events = { .closed = agent_closed };

static int open_stream(struct translation *t, unsigned use)
{
	static const char *const names[] = { "stdin", "stdout", "stderr", "error", "resize" };
	const struct http_header h = { SLICE("streamType"), slice_str(names[use]) };
	CLEANUP(stream_unref) struct stream *s = NULL;
	int r = spdy_open(t->agent, &h, 1, false, NULL, NULL, &s, NULL);

	if (r == 0)
		pipe_open(&t->to_agent[use], s, use == ERRORS ? &error_ops : &stream_ops, t->x);
	return r;
}

static void join(struct translation *t, unsigned use)
{
	struct pipe_end *client = &t->to_client[use], *agent = &t->to_agent[use];

	if (use == STDIN || use == RESIZE) {
		pipe_flow(client, agent->s ? agent : NULL);
	} else if (!agent->s) {
		return;
	} else if (use == ERRORS) {
		pipe_flow(agent, NULL);
	} else {
		t->outputs++;
		pipe_flow(agent, client);
	}
}

/* In the order that agents expect; a terminal has one output, and versions from v3 its size. */
static int open_streams(struct translation *t, bool resize)
{
	const struct connect_streams *want = &t->x->streams;
	const bool wanted[USES] = { want->in, want->out, want->err && !want->tty, true,
				    want->tty && resize };
	static const unsigned order[] = { ERRORS, STDIN, STDOUT, STDERR, RESIZE };
	int r = 0;

	for (size_t i = 0; i < USES && r == 0; i++)
		if (wanted[order[i]])
			r = open_stream(t, order[i]);
	for (unsigned i = 0; i < USES && r == 0; i++)
		join(t, i);
	return r;
}

static void on_upgraded(struct translation *t)
{
	static const struct spdy_conf conf = { .ping_time = AGENT_PING_TIME };
	struct connect *x = t->x;
	struct stream *s = stream_ref(x->back.s);
	struct slice v = slice_trim(stream_header(s, "X-Stream-Protocol-Version"));
	bool old = v.n == 0 || slice_is(v, "channel.k8s.io") || slice_is(v, "v2.channel.k8s.io");
	struct err err = ERR_INIT;
	int r;

	t->plain = old || slice_is(v, "v3.channel.k8s.io");
	pipe_leave(&x->back);
	r = spdy_start(s, true, &conf, &agent_events, t, &t->agent, &err);
	if (r < 0) {
		stream_reset(s, NULL);
		tell_error(t, err.msg);
	} else if (open_streams(t, !old) < 0) {
		tell_error(t, "the agent takes no streams");
	}
	stream_unref(s);
}

/* ---- what the agent refuses ---- */

static int take_refusal(struct pipe_end *e, struct slice in, bool last, struct buf *out)
{
	struct translation *t = e->x->more;

	(void)last;
	(void)out;
	return in.n ? buf_add(&t->status, in.p, in.n) : 0;
}

/* The agent's words, or the Status that it gave. */
static void refusal_ended(struct pipe_end *e)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(STATUS_MAX);
	struct translation *t = e->x->more;
	struct doc *d = NULL;

	if (json_read(call_work(e->x->call), buf_slice(&t->status), NULL, &d, NULL) == 0 &&
	    doc_str_is(doc_get(d, "kind"), "Status")) {
		tell(t, buf_slice(&t->status));
		return;
	}
	(void)buf_addf(&b, "unable to upgrade connection: %s", buf_str(&t->status));
	tell_error(t, buf_str(&b));
}

static void back_closed(struct pipe_end *e, const struct err *why)
{
	tell_error(e->x->more, why ? why->msg : "the node's agent closed the connection");
}

static const struct pipe_ops refusal_ops = { .closed = back_closed,
					     .ended = refusal_ended,
					     .filter = take_refusal };

static void on_head(struct pipe_end *e)
{
	struct translation *t = e->x->more;
	int status = stream_status(e->s);
	char why[64];

	if (status == 101 && stream_header_has(e->s, "Upgrade", "SPDY/3.1")) {
		on_upgraded(t);
	} else if (status >= 400) {
		e->ops = &refusal_ops;
		pipe_flow(e, NULL);
	} else {
		(void)snprintf(why, sizeof(why), "invalid upgrade response: status code %d",
			       status);
		pipe_close(e);
		tell_error(t, why);
	}
}

static const struct pipe_ops ask_ops = { .closed = back_closed, .head = on_head };

/* ---- the beginning ---- */

static void unreachable(struct connect *x, const struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(STATUS_MAX);

	(void)buf_addf(&b, "error dialing backend: %s", err->msg);
	tell_error(x->more, buf_str(&b));
}

static void stop(struct connect *x)
{
	struct translation *t = x->more;

	for (unsigned i = 0; i < USES; i++) {
		pipe_leave(&t->to_client[i]);
		pipe_leave(&t->to_agent[i]);
	}
	t->told = true;
	if (t->agent)
		spdy_abort(t->agent, NULL);
	buf_fini(&t->status);
}

/* Who waits for the first byte of what was asked for gets an empty message. */
static int greeting(const struct connect_streams *s)
{
	return s->out ? CHANNEL_STDOUT : s->err ? CHANNEL_STDERR : CHANNEL_ERROR;
}

static bool accept_client(struct connect *x, struct translation *t)
{
	const struct channels_conf conf = { .n = USES,
					    .greet = greeting(&x->streams),
					    .ws = { .ping_time = CLIENT_PING_TIME } };
	struct call *c = x->call;

	call_headers(c);
	c->answered = true;
	if (channels_accept(c->s, &conf, &client_events, t, &t->client, NULL) < 0)
		return false; /* it answered */
	c->code = stream_status(c->s);
	pipe_given(&x->front);
	x->more_stop = stop;
	x->unreachable = unreachable;
	for (unsigned i = 0; i < USES; i++)
		pipe_open(&t->to_client[i], channels_stream(t->client, i),
			  i == ERRORS ? &status_ops : &channel_ops, x);
	call_started(c);
	return true;
}

static int offer(struct stream *s)
{
	static const char *const versions[] = { "v5.channel.k8s.io", "v4.channel.k8s.io",
						"v3.channel.k8s.io", "v2.channel.k8s.io",
						"channel.k8s.io" };
	int r = stream_set_header(s, "Upgrade", "SPDY/3.1");

	for (size_t i = 0; i < ARRAY_LEN(versions) && r == 0; i++)
		r = stream_add_header(s, "X-Stream-Protocol-Version", versions[i]);
	return r;
}

void connect_translate(struct connect *x)
{
	struct translation *t = ARENA_NEW(x->call->a, struct translation);

	if (!t) {
		connect_broken(x, "the request does not fit its memory");
		return;
	}
	t->x = x;
	t->status = BUF_INIT(STATUS_MAX);
	x->more = t;
	if (!accept_client(x, t) || connect_open(x, "POST", &ask_ops) < 0)
		return;
	(void)offer(x->back.s); /* a few lines always fit */
	connect_send(x, HTTP_NO_BODY, true);
}
