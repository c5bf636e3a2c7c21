/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC, client: one message there and one back, with retries, and the blocking forms.
 *
 * A retry is for calls that ended UNAVAILABLE before any message came (gRFC A6), within the
 * deadline of the whole, the policy's attempts, and a budget of a tenth of all calls. The server
 * may say when (grpc-retry-pushback-ms), or that it should not be (a negative or bad number). What
 * the server has certainly not looked at (a refused stream, one behind the last of a GOAWAY) is
 * sent again at once, one time, and is no retry in that sense ("transparent").
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "doc/doc.h"
#include "doc/protobuf.h"
#include "io/grpc-client-impl.h"
#include "io/stream-impl.h"

struct grpc_unary {
	struct list link;
	struct grpc_client *cl;
	char *service;
	const struct grpc_method *m;
	struct grpc_call_opts opts;
	struct grpc_pair *pairs;
	struct arena *arena; /* of the options */
	struct buf request, answer;
	bool answered, sent_again;
	int64_t due; /* INT64_MAX = none */
	struct backoff backoff;
	struct timer timer;
	struct grpc_call *call;
	grpc_unary_fn *fn;
	void *arg;
};

static void attempt(struct grpc_unary *u);

static void unary_free(struct grpc_unary *u)
{
	struct grpc_call *c = STEAL(u->call);

	timer_fini(&u->timer);
	list_del(&u->link);
	if (c) {
		grpc_on(c, NULL, NULL);
		c->bytes = NULL;
		grpc_cancel(c);
		grpc_unref(c);
	}
	buf_fini(&u->request);
	buf_fini(&u->answer);
	arena_free(u->arena);
	free(u);
}

void grpc_unary_cancel(struct grpc_unary *u)
{
	if (u)
		unary_free(u);
}

static void finish(struct grpc_unary *u, const struct grpc_status *st)
{
	CLEANUP(arena_free) struct arena *a = NULL;
	struct grpc_status own = *st;
	struct err err = ERR_INIT;
	grpc_unary_fn *fn = u->fn;
	void *arg = u->arg;
	struct doc d;
	struct buf answer = u->answer;

	u->answer = BUF_INIT(0);
	if (st->code == GRPC_OK && !u->answered)
		own = (struct grpc_status){ .code = GRPC_INTERNAL,
					    .message = "the answer holds no message" };
	if (own.code == GRPC_OK) {
		a = arena_new("gRPC message", MAX(answer.n * 8, (size_t)1 << 20));
		if (protobuf_decode(u->m->out, buf_slice(&answer), a, NULL, &d, &err) < 0)
			own = (struct grpc_status){ .code = GRPC_INTERNAL, .message = err.msg };
	}
	unary_free(u);
	fn(arg, own.code == GRPC_OK ? &d : NULL, &own);
	buf_fini(&answer);
}

/* Delay before the next attempt, or -1. */
static int64_t may_retry(struct grpc_unary *u, struct grpc_call *c, enum grpc_code code)
{
	struct slice pushback = { NULL, 0 };
	int64_t delay, ms;

	if (code != GRPC_UNAVAILABLE || u->answered)
		return -1;
	if (c) {
		pushback = grpc_trailing(c, "grpc-retry-pushback-ms");
		if (!pushback.p)
			pushback = grpc_metadata(c, "grpc-retry-pushback-ms");
	}
	if (pushback.p && (str_int64(pushback, &ms, NULL) < 0 || ms < 0 || ms > 3600000))
		return -1;
	delay = backoff_next(&u->backoff);
	if (delay < 0)
		return -1;
	if (pushback.p)
		delay = ms * NS_PER_MS;
	if (u->due != INT64_MAX && clock_mono() + delay >= u->due)
		return -1;
	if (!retry_budget_take(&u->cl->budget)) {
		u->cl->stats.refused_by_budget++;
		return -1;
	}
	return delay;
}

static void attempt_failed(struct grpc_unary *u, struct grpc_call *c, const struct grpc_status *st)
{
	int64_t delay;

	if (c && c->unseen && !u->sent_again && clock_mono() < u->due) {
		u->sent_again = true;
		u->cl->stats.transparent++;
		timer_set_after(&u->timer, 0);
		return;
	}
	delay = may_retry(u, c, st->code);
	if (delay < 0) {
		finish(u, st);
		return;
	}
	u->cl->stats.retries++;
	timer_set_after(&u->timer, delay);
}

static void on_finished(struct grpc_call *c, const struct grpc_status *st)
{
	struct grpc_unary *u = grpc_arg(c);

	u->call = NULL;
	if (st->code == GRPC_OK)
		finish(u, st);
	else
		attempt_failed(u, c, st);
	grpc_unref(c);
}

static void on_bytes(struct grpc_call *c, struct slice message)
{
	struct grpc_unary *u = grpc_arg(c);

	u->answered = true;
	buf_clear(&u->answer);
	(void)buf_add(&u->answer, message.p, message.n); /* the call's limit is the buffer's */
}

static int on_timer(struct timer *t)
{
	attempt(CONTAINER_OF(t, struct grpc_unary, timer));
	return 0;
}

static void attempt(struct grpc_unary *u)
{
	static const struct grpc_events events = { .finished = on_finished };
	struct grpc_status st = { .code = GRPC_UNAVAILABLE };
	struct err err = ERR_INIT;
	struct grpc_call *c;
	int r = 0;

	if (u->due != INT64_MAX)
		u->opts.time = u->due - clock_mono();
	if (u->due != INT64_MAX && u->opts.time <= 0)
		r = err_set(&err, ERR_TIMEOUT, "the deadline has passed");
	if (r == 0)
		r = grpc_client_open_(u->cl, u->service, u->m, &u->opts, u->backoff.n, &c, &err);
	if (r == 0) {
		grpc_on(c, &events, u);
		c->bytes = on_bytes;
		u->call = c;
		/* What fails comes by `finished`. */
		if (grpc_send_bytes(c, buf_slice(&u->request), &err) >= 0)
			grpc_half_close(c);
		return;
	}
	st.code = err.code == ERR_UNAVAILABLE ? GRPC_UNAVAILABLE : grpc_code_of(&err);
	st.message = err.msg;
	attempt_failed(u, NULL, &st);
}

static void copy_opts(struct grpc_unary *u, const char *service, const struct grpc_call_opts *o)
{
	struct grpc_pair *pairs;

	u->arena = arena_new("gRPC options", 1 << 20);
	u->service = arena_strdup(u->arena, service);
	if (!o || !o->metadata_n)
		return;
	pairs = ARENA_ARRAY(u->arena, struct grpc_pair, o->metadata_n);
	for (size_t i = 0; pairs && i < o->metadata_n; i++) {
		pairs[i].name = arena_strdup(u->arena, o->metadata[i].name);
		pairs[i].value.p =
			arena_strndup(u->arena, o->metadata[i].value.p, o->metadata[i].value.n);
		pairs[i].value.n = o->metadata[i].value.n;
	}
	u->opts.metadata = pairs;
	u->opts.metadata_n = o->metadata_n;
}

int grpc_client_unary(struct grpc_client *cl, const char *service, const struct grpc_method *m,
		      const struct doc *d, const struct grpc_call_opts *opts, grpc_unary_fn *fn,
		      void *arg, struct grpc_unary **ret, struct err *err)
{
	int64_t time = opts && opts->time ? opts->time : cl->conf.time;
	struct grpc_unary *u = io_alloc(sizeof(*u));
	int r;

	u->cl = cl;
	u->m = m;
	u->fn = fn;
	u->arg = arg;
	u->request = BUF_INIT(PROTOBUF_SIZE_DEFAULT);
	u->answer = BUF_INIT(cl->conf.message_max);
	u->due = time ? clock_mono() + time : INT64_MAX;
	timer_init(&u->timer, cl->loop, on_timer);
	list_append(&cl->unaries, &u->link);
	copy_opts(u, service, opts);
	backoff_init(&u->backoff, &cl->conf.retry, cl->seed ? cl->seed++ : 0);
	r = protobuf_encode(m->in, d, NULL, &u->request, err);
	if (r == 0 && arena_exceeded(u->arena))
		r = arena_quota(u->arena, err);
	for (size_t i = 0; r == 0 && i < u->opts.metadata_n; i++)
		if (!grpc_metadata_ok(slice_str(u->opts.metadata[i].name)))
			r = err_set(err, ERR_INVALID, "metadata '%.64s' cannot be sent",
				    u->opts.metadata[i].name);
	if (r < 0) {
		unary_free(u);
		return r;
	}
	retry_budget_request(&cl->budget);
	/* From the loop: nothing is told inside. */
	timer_set_after(&u->timer, 0);
	if (ret)
		*ret = u;
	return 0;
}

void grpc_unary_free_all(struct grpc_client *cl)
{
	static const struct grpc_status st = { .code = GRPC_CANCELLED,
					       .message = "the client goes away" };
	struct grpc_unary *u;

	while ((u = LIST_FIRST(&cl->unaries, struct grpc_unary, link)))
		finish(u, &st);
}

/* ---- blocking ---- */

struct blocked {
	bool done;
	struct arena *a;
	struct doc *ret;
	enum grpc_code code;
	struct err *err;
	int r;
	int (*each)(void *arg, const struct doc *d);
	void *arg;
};

static void on_answer(void *arg, const struct doc *d, const struct grpc_status *st)
{
	struct blocked *b = arg;
	struct doc *copy;

	b->done = true;
	b->code = st->code;
	if (!d) {
		b->r = grpc_err(st->code, st->message, b->err);
		return;
	}
	copy = doc_copy(b->a, d);
	if (copy)
		*b->ret = *copy;
	else
		b->r = arena_quota(b->a, b->err);
}

static int run(struct grpc_client *cl, struct blocked *b)
{
	int r = 0;

	while (!b->done && r >= 0)
		r = loop_step(cl->loop, -1, b->err);
	return r < 0 ? r : b->r;
}

int grpc_client_call(struct grpc_client *cl, const char *service, const struct grpc_method *m,
		     const struct doc *d, const struct grpc_call_opts *opts, struct arena *a,
		     struct doc *ret, enum grpc_code *status, struct err *err)
{
	struct blocked b = { .a = a, .ret = ret, .err = err };
	struct grpc_unary *u;
	int r;

	r = grpc_client_unary(cl, service, m, d, opts, on_answer, &b, &u, err);
	if (r < 0)
		return r;
	r = run(cl, &b);
	if (!b.done)
		grpc_unary_cancel(u);
	else if (status)
		*status = b.code;
	return r;
}

static void on_message(struct grpc_call *c, const struct doc *d)
{
	struct blocked *b = grpc_arg(c);

	b->r = b->each(b->arg, d);
	if (b->r)
		grpc_cancel(c);
	else
		grpc_more(c);
}

static void on_stream_finished(struct grpc_call *c, const struct grpc_status *st)
{
	struct blocked *b = grpc_arg(c);

	b->done = true;
	b->code = st->code;
	if (!b->r && st->code != GRPC_OK)
		b->r = grpc_err(st->code, st->message, b->err);
}

int grpc_client_stream(struct grpc_client *cl, const char *service, const struct grpc_method *m,
		       const struct doc *d, const struct grpc_call_opts *opts,
		       int (*each)(void *arg, const struct doc *d), void *arg, struct err *err)
{
	static const struct grpc_events events = { .message = on_message,
						   .finished = on_stream_finished };
	struct blocked b = { .err = err, .each = each, .arg = arg };
	CLEANUP(grpc_unref) struct grpc_call *c = NULL;
	int r;

	r = grpc_client_open(cl, service, m, opts, &c, err);
	if (r < 0)
		return r;
	grpc_on(c, &events, &b);
	r = grpc_send(c, d, err);
	if (r >= 0) {
		grpc_half_close(c);
		r = run(cl, &b);
	}
	grpc_on(c, NULL, NULL);
	if (!b.done)
		grpc_cancel(c);
	return r;
}
