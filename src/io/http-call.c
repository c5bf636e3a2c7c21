/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocking facade: one exchange of the asynchronous client, with the loop run until it is over.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "io/http-client.h"
#include "io/stream-impl.h"

#define BODY_MAX (64u << 20)
#define CREDIT 262144u
#define PIECE 65536u

struct calling {
	const struct http_call *call;
	struct http_answer *answer;
	struct stream *s;
	struct err err;
	char *piece;
	size_t held; /* bytes of piece that were not taken yet */
	bool over, produced;
};

static void stop(struct calling *k)
{
	k->over = true;
	stream_reset(k->s, &k->err);
}

static void on_head(struct stream *s)
{
	struct calling *k = stream_arg(s);
	struct http_answer *a = k->answer;
	bool relayed;

	a->status = stream_status(s);
	a->headers = stream_headers(s, &a->headers_n);
	if (!s->hijacked) {
		stream_read(s, CREDIT);
		return;
	}
	if (stream_detach(s, &a->fd, &relayed, &k->err) < 0) {
		stop(k);
		return;
	}
	/* A relay would need our loop to run on; the head is read alone, so there is nothing to
	 * relay. */
	if (relayed) {
		fd_close(STEAL_FD(a->fd));
		(void)err_set(&k->err, ERR_SYSTEM, "the hijacked connection has bytes in flight");
	}
	k->over = true;
}

static void on_data(struct stream *s, struct slice bytes)
{
	struct calling *k = stream_arg(s);
	struct http_answer *a = k->answer;

	if (k->call->consume) {
		if (k->call->consume(k->call->arg, a, bytes, &k->err) < 0) {
			if (!k->err.code)
				(void)err_set(&k->err, ERR_SYSTEM, "the answer was not taken");
			stop(k);
			return;
		}
	} else if (buf_add(&a->bytes, bytes.p, bytes.n) < 0) {
		(void)err_set(&k->err, ERR_TOO_LARGE, "the answer is larger than %zu bytes",
			      a->bytes.max);
		stop(k);
		return;
	}
	stream_read(s, bytes.n);
}

/* Feeds the request's body as fast as it is taken. */
static void feed(struct calling *k)
{
	const struct http_call *call = k->call;
	ssize_t n;
	int r = 0;

	while (!k->over && !k->produced && r == 0) {
		n = k->held ? (ssize_t)k->held : call->produce(call->arg, k->piece, PIECE, &k->err);
		if (n < 0) {
			if (!k->err.code)
				(void)err_set(&k->err, ERR_SYSTEM,
					      "the request's body could not be read");
			stop(k);
			return;
		}
		if (n == 0) {
			k->produced = true;
			(void)stream_end(k->s); /* a failure comes by closed */
			return;
		}
		r = stream_write(k->s, k->piece, (size_t)n);
		/* A stream that waits for its connection takes nothing. */
		k->held = r == -ERR_QUOTA ? (size_t)n : 0;
		if (r == -ERR_INVALID) {
			(void)err_set(&k->err, ERR_INVALID,
				      "the request's body is longer than announced");
			stop(k);
		}
	}
}

static void on_writable(struct stream *s)
{
	struct calling *k = stream_arg(s);

	if (k->call->produce)
		feed(k);
	else if (!k->produced && k->call->body.n) {
		/* It waited for a connection: the bytes were not taken then. */
		k->produced = true;
		(void)stream_write(s, k->call->body.p,
				   k->call->body.n); /* failures come by closed */
		(void)stream_end(s);
	}
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct calling *k = stream_arg(s);

	k->over = true;
	if (why && !k->err.code)
		k->err = *why;
}

static const struct stream_events call_events = {
	.head = on_head,
	.data = on_data,
	.writable = on_writable,
	.closed = on_closed,
};

static int start(struct calling *k, struct err *err)
{
	const struct http_call *call = k->call;
	int64_t length = call->produce ? call->length : (int64_t)call->body.n;
	char name[256], value[8192];
	int r;

	for (size_t i = 0; i < call->headers_n; i++) {
		const struct http_header *h = &call->headers[i];

		if (h->name.n >= sizeof(name) || h->value.n >= sizeof(value))
			return err_set(err, ERR_INVALID, "request header %zu is too long", i);
		memcpy(name, h->name.p, h->name.n);
		name[h->name.n] = '\0';
		memcpy(value, h->value.n ? h->value.p : "", h->value.n);
		value[h->value.n] = '\0';
		if (stream_add_header(k->s, name, value) < 0)
			return err_set(err, ERR_INVALID, "request header '%s' is not allowed",
				       name);
	}
	stream_on(k->s, &call_events, k);
	r = http_client_send(k->s, length, call->hijack, err);
	if (r < 0)
		return r;
	if (call->produce && length != HTTP_NO_BODY) {
		feed(k);
	} else if (call->body.n && stream_write(k->s, call->body.p, call->body.n) >= 0) {
		k->produced = true;
		(void)stream_end(k->s); /* a failure comes by closed */
	}
	return 0;
}

#define CANCEL_STEP (100 * NS_PER_MS)

/* How long the loop may wait; another thread's word does not wake it. */
static int64_t bounded(const struct calling *k, int64_t left)
{
	if (!k->call->cancel)
		return left;
	return left < 0 ? CANCEL_STEP : MIN(left, CANCEL_STEP);
}

static int wait_for_end(struct calling *k, struct loop *l, struct err *err)
{
	int64_t end = k->call->time > 0 ? clock_mono() + k->call->time : 0, left = -1;

	while (!k->over) {
		if (end) {
			left = end - clock_mono();
			if (left <= 0) {
				(void)err_set(&k->err, ERR_TIMEOUT, "no complete answer in time");
				stop(k);
				break;
			}
		}
		if (k->call->cancel && atomic_load(k->call->cancel)) {
			(void)err_set(&k->err, ERR_UNAVAILABLE, "cancelled");
			stop(k);
			break;
		}
		if (loop_step(l, bounded(k, left), err) < 0)
			return err_ret(err);
	}
	if (k->err.code) {
		if (err)
			*err = k->err;
		return -(int)k->err.code;
	}
	return 0;
}

int http_client_call(struct http_client *c, const struct http_call *call, struct http_answer *ret,
		     struct err *err)
{
	CLEANUP(stream_unref) struct stream *s = NULL;
	CLEANUP(http_answer_fini) struct http_answer answer = HTTP_ANSWER_INIT;
	CLEANUP_FREE char *piece = NULL;
	struct calling k = { .call = call, .answer = &answer };
	const char *method = call->method ? call->method : "GET";
	int r;

	r = http_client_stream(c, method, call->target, &s, err);
	if (r < 0)
		return r;
	answer.bytes = BUF_INIT(call->body_max ? call->body_max : BODY_MAX);
	if (call->produce)
		k.piece = piece = io_alloc(PIECE);
	k.s = s;
	r = start(&k, err);
	if (r == 0)
		r = wait_for_end(&k, http_client_loop(c), err);
	if (r < 0) {
		stream_on(s, NULL, NULL); /* k goes now */
		stream_reset(s, NULL);
		return err_wrap(err, "%s %s", method, call->target);
	}
	answer.body = answer.bytes.n ? buf_slice(&answer.bytes) : SLICE("");
	answer.stream = STEAL(s);
	*ret = answer;
	answer = HTTP_ANSWER_INIT;
	return 0;
}

void http_answer_fini(struct http_answer *a)
{
	fd_close(a->fd);
	stream_unref(a->stream);
	buf_fini(&a->bytes);
	*a = HTTP_ANSWER_INIT;
}

struct slice http_answer_header(const struct http_answer *a, const char *name)
{
	return header_find(a->headers, a->headers_n, name);
}
