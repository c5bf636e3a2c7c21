/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to etcd: one message there and one back, over the endpoints in turn.
 *
 * What ends UNAVAILABLE (no connection, a leader that changes, a member that stops) is asked again
 * of the next endpoint, with growing pauses, until the request's time is over; but one that may
 * have been carried out already only when its owner says that this is harmless (`twice`).
 */
#include "base/clock.h"
#include "base/err.h"
#include "store/etcd.h"

#include <errno.h>
#include <stdlib.h>

#define PAUSE_FIRST (20 * NS_PER_MS)
#define PAUSE_MAX (500 * NS_PER_MS)
#define TOKEN_MAX 4096

#define METHOD(var, text, how) \
	const struct grpc_method etcd_##var##_method = { .name = text, .flags = (how) }
METHOD(range, "Range", 0);
METHOD(txn, "Txn", 0);
METHOD(compact, "Compact", 0);
METHOD(watch, "Watch", GRPC_CLIENT_STREAM | GRPC_SERVER_STREAM);
METHOD(grant, "LeaseGrant", 0);
METHOD(revoke, "LeaseRevoke", 0);
METHOD(keep_alive, "LeaseKeepAlive", GRPC_CLIENT_STREAM | GRPC_SERVER_STREAM);
METHOD(status, "Status", 0);
METHOD(hash, "HashKV", 0);
METHOD(alarm, "Alarm", 0);
METHOD(snapshot, "Snapshot", GRPC_SERVER_STREAM);
METHOD(authenticate, "Authenticate", 0);

static void attempt(struct etcd_call *c);

/* ---- errors ---- */

static bool has(const char *message, const char *part)
{
	return strstr(message, part) != NULL;
}

int etcd_error(enum grpc_code code, const char *message, const char *endpoint, struct err *err)
{
	int sys = 0;
	enum err_code ours = ERR_SYSTEM;

	if (has(message, "has been compacted"))
		ours = ERR_GONE;
	else if (has(message, "is a future revision"))
		return err_set(err, ERR_BAD_REQUEST, "etcd at %s: that revision is yet to come",
			       endpoint);
	else if (has(message, "lease not found"))
		ours = ERR_NOT_FOUND;
	else if (has(message, "database space exceeded"))
		sys = ENOSPC;
	else if (has(message, "request is too large") || has(message, "larger than max"))
		ours = ERR_TOO_LARGE;
	else if (code == GRPC_UNAVAILABLE || code == GRPC_CANCELLED)
		ours = ERR_UNAVAILABLE;
	else if (code == GRPC_DEADLINE_EXCEEDED)
		ours = ERR_TIMEOUT;
	else if (code == GRPC_UNAUTHENTICATED || has(message, "authentication failed"))
		ours = ERR_UNAUTHORIZED;
	else if (code == GRPC_PERMISSION_DENIED)
		ours = ERR_FORBIDDEN;
	(void)err_set(
		err, ours, "etcd at %s: %s%s%s", endpoint,
		*message ? message : grpc_code_name(code), sys ? ": " : "",
		sys ? "its quota is used up; compact and defragment it, then disarm the alarm "
		      "(etcdctl alarm disarm)"
		    : "");
	if (err)
		err->sys = sys;
	return -(int)ours;
}

/* ---- life ---- */

void etcd_drop(struct grpc_call **c)
{
	struct grpc_call *g = STEAL(*c);

	if (!g)
		return;
	grpc_on(g, NULL, NULL);
	grpc_on_bytes(g, NULL);
	grpc_cancel(g);
	grpc_unref(g);
}

static void finish(struct etcd_call *c, int result, struct err *err)
{
	etcd_drop(&c->call);
	list_del(&c->link);
	timer_fini(&c->timer);
	c->done(c, result, result < 0 ? (struct slice){ NULL, 0 } : buf_slice(&c->answer), err);
	buf_fini(&c->request);
	buf_fini(&c->answer);
	free(c);
}

void etcd_calls_end(struct etcd *e)
{
	struct etcd_call *c;

	while ((c = LIST_FIRST(&e->calls, struct etcd_call, link))) {
		struct err err = ERR_INIT;

		(void)err_set(&err, ERR_UNAVAILABLE, "the store is being closed");
		finish(c, -ERR_UNAVAILABLE, &err);
	}
}

static const char *url_of(const struct etcd_call *c)
{
	return c->e->endpoints[c->endpoint].url;
}

void etcd_next_endpoint(struct etcd *e)
{
	e->current = (e->current + 1) % e->n;
}

/* ---- answers ---- */

static void pause_for(struct etcd_call *c)
{
	int64_t delay = PAUSE_FIRST;

	/* Every endpoint once without a pause. */
	for (unsigned i = (unsigned)c->e->n; i < c->tries && delay < PAUSE_MAX; i++)
		delay *= 2;
	if (c->tries < c->e->n && !c->fixed)
		delay = 0;
	timer_set_after(&c->timer, MIN(delay, PAUSE_MAX));
}

/* True: it is asked again. */
static bool again(struct etcd_call *c, enum grpc_code code, bool unsent)
{
	if (c->fixed || code != GRPC_UNAVAILABLE || (!unsent && !c->twice) ||
	    clock_mono() >= c->due)
		return false;
	if (c->endpoint == c->e->current)
		etcd_next_endpoint(c->e);
	c->repeated = c->repeated || !unsent;
	c->answered = false;
	buf_clear(&c->answer);
	pause_for(c);
	return true;
}

static void on_token(struct etcd_call *a, int result, struct slice answer, struct err *err)
{
	struct etcd *e = a->e;
	struct etcd_call *c;
	struct pb_reader r = pb_reader(answer);
	struct pb_field f;

	e->authenticating = NULL;
	while (result == 0 && pb_next(&r, &f) > 0) {
		if (f.number != 2 || f.type != PB_BYTES || f.bytes.n > TOKEN_MAX)
			continue;
		free(e->token);
		e->token = strndup(f.bytes.p, f.bytes.n);
		if (!e->token)
			abort();
	}
	/* Those that wait for it have neither a call nor a timer. */
	LIST_FOREACH (c, &e->calls, struct etcd_call, link) {
		if (c != a && c->renewed && !c->call && !timer_armed(&c->timer))
			timer_set_after(&c->timer, 0);
	}
	(void)err; /* the calls themselves will say it */
}

void etcd_put_auth(struct etcd *e, struct pb_writer *w);

/* Who may not yet, or no longer, asks again with a new token; once. */
static bool renew(struct etcd_call *c, enum grpc_code code, const char *message)
{
	struct pb_writer w = PB_WRITER_INIT(TOKEN_MAX);
	struct etcd *e = c->e;

	if (!e->user || c->renewed || c == e->authenticating ||
	    !(code == GRPC_UNAUTHENTICATED || has(message, "invalid auth token") ||
	      has(message, "user name is empty")))
		return false;
	c->renewed = true;
	c->answered = false;
	buf_clear(&c->answer);
	if (e->authenticating)
		return true;
	etcd_put_auth(e, &w);
	e->authenticating =
		etcd_call_new(e, ETCD_AUTH, &etcd_authenticate_method, &w, on_token, NULL);
	e->authenticating->twice = true;
	etcd_call_start(e->authenticating);
	return true;
}

void etcd_put_auth(struct etcd *e, struct pb_writer *w)
{
	pb_field_bytes(w, 2, slice_str(e->password ? e->password : ""));
	pb_field_bytes(w, 1, slice_str(e->user));
}

static void on_bytes(struct grpc_call *g, struct slice message)
{
	struct etcd_call *c = grpc_arg(g);

	c->answered = buf_add(&c->answer, message.p, message.n) == 0;
}

static void on_finished(struct grpc_call *g, const struct grpc_status *st)
{
	struct etcd_call *c = grpc_arg(g);
	struct err err = ERR_INIT;
	char message[1024];
	bool unsent;

	c->call = NULL;
	(void)str_copy(message, sizeof(message), st->message ? st->message : "");
	unsent = grpc_is_unsent(g);
	grpc_unref(g);
	if (st->code == GRPC_OK && c->answered) {
		finish(c, 0, &err);
		return;
	}
	if (renew(c, st->code, message) || again(c, st->code, unsent))
		return;
	if (st->code == GRPC_OK)
		(void)err_set(&err, ERR_INVALID, "etcd at %s: an answer without a message",
			      url_of(c));
	else
		(void)etcd_error(st->code, message, url_of(c), &err);
	finish(c, err_ret(&err), &err);
}

/* ---- sending ---- */

static int open_call(struct etcd *e, size_t endpoint, const char *service,
		     const struct grpc_method *m, int64_t time, struct grpc_call **ret,
		     struct err *err)
{
	struct grpc_pair token = { "token", slice_str(e->token) };
	struct grpc_call_opts o = { .time = time };

	if (e->token && m != &etcd_authenticate_method) {
		o.metadata = &token;
		o.metadata_n = 1;
	}
	return grpc_client_open(e->endpoints[endpoint].cl, service, m, &o, ret, err);
}

int etcd_stream(struct etcd *e, const char *service, const struct grpc_method *m,
		struct grpc_call **ret, struct err *err)
{
	return open_call(e, e->current, service, m, 0, ret, err);
}

static void attempt(struct etcd_call *c)
{
	static const struct grpc_events events = { .finished = on_finished };
	struct err err = ERR_INIT;
	int64_t left = c->due - clock_mono();
	struct grpc_call *g;
	int r;

	c->tries++;
	if (!c->fixed)
		c->endpoint = c->e->current;
	r = left > 0 ? open_call(c->e, c->endpoint, c->service, c->m, left, &g, &err)
		     : err_set(&err, ERR_TIMEOUT, "etcd at %s: no answer in time", url_of(c));
	if (r < 0) {
		if (left > 0 && again(c, GRPC_UNAVAILABLE, true))
			return;
		if (left > 0)
			(void)err_wrap(&err, "etcd at %s", url_of(c));
		finish(c, -(int)(err.code == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE), &err);
		return;
	}
	c->call = g;
	grpc_on(g, &events, c);
	grpc_on_bytes(g, on_bytes);
	if (grpc_send_bytes(g, buf_slice(&c->request), &err) >= 0)
		grpc_half_close(g);
	/* Otherwise it is over: finished() comes. */
}

static int on_timer(struct timer *t)
{
	attempt(CONTAINER_OF(t, struct etcd_call, timer));
	return 0;
}

struct etcd_call *etcd_call_new(struct etcd *e, const char *service, const struct grpc_method *m,
				struct pb_writer *w,
				void (*done)(struct etcd_call *c, int result, struct slice answer,
					     struct err *err),
				void *arg)
{
	struct etcd_call *c = calloc(1, sizeof(*c));
	struct slice bytes = pb_written(w);

	if (!c)
		abort();
	c->e = e;
	c->service = service;
	c->m = m;
	c->done = done;
	c->arg = arg;
	c->request = BUF_INIT(ETCD_MESSAGE_MAX);
	c->answer = BUF_INIT(ETCD_MESSAGE_MAX);
	(void)buf_add(&c->request, bytes.p ? bytes.p : "", bytes.n); /* the front bounds requests */
	pb_writer_fini(w);
	timer_init(&c->timer, e->base.loop, on_timer);
	list_append(&e->calls, &c->link);
	return c;
}

void etcd_call_start(struct etcd_call *c)
{
	c->due = clock_mono() + c->e->time;
	timer_set_after(&c->timer, 0); /* never from within the caller's call */
}
