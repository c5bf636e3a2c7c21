/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanges with an engine: JSON bodies, error answers, an engine that is started when none
 * listens.
 */
#include "base/arena.h"
#include "base/loop.h"
#include "doc/json.h"
#include "dockerclient/dockerclient.h"
#include "io/http-client.h"
#include "io/url.h"

#include <errno.h>

#define BODY_MAX (64u << 20)
#define ERROR_MAX (256u << 10) /* of an error answer */
#define TARGET_MAX (1u << 20)

struct docker_client {
	struct loop *loop;
	struct http_client *http;
	char *host;
	int (*absent)(void *arg, struct err *err);
	void *absent_arg;
};

/* ---- life ---- */

int docker_client_new(const char *host, struct docker_client **ret, struct err *err)
{
	CLEANUP(docker_client_free) struct docker_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c || !(c->host = strdup(host)))
		abort();
	r = loop_new(&c->loop, err);
	if (r < 0)
		return r;
	r = http_client_new(c->loop, host, NULL, &c->http, err);
	if (r < 0)
		return err_wrap(err, "engine at '%s'", host);
	*ret = STEAL(c);
	return 0;
}

void docker_client_free(struct docker_client *c)
{
	if (!c)
		return;
	http_client_free(c->http);
	loop_free(c->loop);
	free(c->host);
	free(c);
}

struct loop *docker_client_loop(struct docker_client *c)
{
	return c->loop;
}

const char *docker_client_host(const struct docker_client *c)
{
	return c->host;
}

void docker_client_on_absent(struct docker_client *c, int (*absent)(void *arg, struct err *err),
			     void *arg)
{
	c->absent = absent;
	c->absent_arg = arg;
}

/* ---- nobody listens ---- */

/*
 * 1 = an engine was started: send again. Only an unsent request comes here (no socket file, or none
 * behind it), so nothing is done twice.
 */
static int absent(struct docker_client *c, struct err *err)
{
	int (*start)(void *arg, struct err *err) = c->absent;
	int r;

	if (err->code != ERR_UNAVAILABLE || (err->sys != ENOENT && err->sys != ECONNREFUSED))
		return err_ret(err);
	if (!start || strncmp(c->host, "unix://", 7) != 0) {
		(void)err_wrap(err, "Cannot connect to the engine at %s", c->host);
		return err_hint(err, "is it running?");
	}
	c->absent = NULL;
	*err = ERR_INIT;
	r = start(c->absent_arg, err);
	return r < 0 ? r : 1;
}

/* ---- targets ---- */

const char *docker_target(struct arena *a, const char *path, ...)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(TARGET_MAX);
	const char *name, *value;
	va_list ap;

	va_start(ap, path);
	for (; *path; path++) {
		if (*path == '%')
			url_encode(&b, slice_str(va_arg(ap, const char *)), true);
		else
			buf_addc(&b, *path);
	}
	while ((name = va_arg(ap, const char *))) {
		value = va_arg(ap, const char *);
		query_add(&b, name, value);
	}
	va_end(ap);
	return b.full ? NULL : arena_strndup(a, buf_str(&b), b.n);
}

/* ---- errors ---- */

static enum err_code code_of(int status)
{
	switch (status) {
	case 400: return ERR_BAD_REQUEST;
	case 401: return ERR_UNAUTHORIZED;
	case 403: return ERR_FORBIDDEN;
	case 404: return ERR_NOT_FOUND;
	case 409: return ERR_CONFLICT;
	case 410: return ERR_GONE;
	case 413: return ERR_TOO_LARGE;
	case 429: return ERR_QUOTA;
	case 501: return ERR_UNSUPPORTED;
	case 503: return ERR_UNAVAILABLE;
	case 504: return ERR_TIMEOUT;
	default: return ERR_SYSTEM;
	}
}

int docker_answer_error(int status, struct slice body, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("error answer", 8u << 20);
	struct doc *d = NULL;
	struct slice text = { NULL, 0 };

	if (body.n && json_read(a, body, NULL, &d, NULL) == 0)
		text = doc_slice(doc_get(d, "message"));
	if (!text.n) /* not an engine's answer: show what came */
		text = slice_trim(slice_of(body.p, MIN(body.n, (size_t)300)));
	while (text.n && text.p[text.n - 1] == '\n')
		text.n--;
	if (!text.n)
		return err_set(err, code_of(status), "Error response from daemon: status %d",
			       status);
	return err_set(err, code_of(status), "Error response from daemon: %.*s",
		       (int)MIN(text.n, (size_t)900), text.p);
}

/* ---- one exchange from begin to end ---- */

struct calling {
	const struct docker_request *rq;
	struct buf error;
	bool began;
};

static int consume(void *arg, const struct http_answer *head, struct slice bytes, struct err *err)
{
	struct calling *k = arg;

	if (head->status >= 300) {
		/* What does not fit is not shown. */
		(void)buf_add(&k->error, bytes.p, bytes.n);
		return 0;
	}
	if (!k->began && k->rq->began)
		k->rq->began(k->rq->arg, http_answer_header(head, "Content-Type"));
	k->began = true;
	return k->rq->consume(k->rq->arg, bytes, err);
}

static ssize_t produce(void *arg, char *p, size_t cap, struct err *err)
{
	struct calling *k = arg;

	return k->rq->produce(k->rq->arg, p, cap, err);
}

static int body_text(struct arena *a, const struct doc *body, struct slice *ret, struct err *err)
{
	int r = json_print(a, body, NULL, ret, err);

	return r < 0 ? err_wrap(err, "request to the engine") : 0;
}

static int call_again(struct docker_client *c, const struct http_call *call,
		      struct http_answer *ret, struct err *err)
{
	int r;

	for (;;) {
		r = http_client_call(c->http, call, ret, err);
		if (r == 0)
			return 0;
		r = absent(c, err);
		if (r < 0)
			return r;
	}
}

int docker_call(struct docker_client *c, struct arena *a, const struct docker_request *rq,
		struct doc **ret, struct err *err)
{
	CLEANUP(http_answer_fini) struct http_answer answer = HTTP_ANSWER_INIT;
	struct calling k = { .rq = rq, .error = BUF_INIT(ERROR_MAX) };
	struct http_header headers[2], type = { SLICE("Content-Type"), SLICE("application/json") };
	struct http_call call = { .method = rq->method, .target = rq->target, .arg = &k };
	struct err local = ERR_INIT;
	int r;

	if (!err)
		err = &local;
	if (!rq->target)
		return arena_quota(a, err);
	if (rq->body && body_text(a, rq->body, &call.body, err) < 0)
		return err_ret(err);
	if (rq->produce) {
		call.produce = produce;
		call.length = rq->length;
		if (rq->content_type)
			type.value = slice_str(rq->content_type);
	}
	call.headers = headers;
	if (rq->body || rq->produce)
		headers[call.headers_n++] = type;
	if (rq->registry_auth)
		headers[call.headers_n++] = (struct http_header){ SLICE("X-Registry-Auth"),
								  slice_str(rq->registry_auth) };
	if (rq->consume)
		call.consume = consume;
	else
		call.body_max = BODY_MAX;
	r = call_again(c, &call, &answer, err);
	if (r == 0 && answer.status >= 300 && answer.status != 304)
		r = docker_answer_error(answer.status,
					rq->consume ? buf_slice(&k.error) : answer.body, err);
	buf_fini(&k.error);
	if (r < 0)
		return r;
	if (ret) {
		struct json_options copy = { .copy = true, .replace = true };

		*ret = NULL;
		if (!rq->consume && answer.body.n) {
			r = json_read(a, answer.body, &copy, ret, err);
			if (r < 0)
				return err_wrap(err, "answer of the engine");
		}
	}
	return answer.status == 304;
}

int docker_get(struct docker_client *c, struct arena *a, const char *target, struct doc **ret,
	       struct err *err)
{
	struct docker_request rq = { .target = target };

	return docker_call(c, a, &rq, ret, err);
}

int docker_post(struct docker_client *c, struct arena *a, const char *target,
		const struct doc *body, struct doc **ret, struct err *err)
{
	struct docker_request rq = { .method = "POST", .target = target, .body = body };

	return docker_call(c, a, &rq, ret, err);
}

/* ---- exchanges side by side ---- */

static bool good(const struct docker_exchange *x)
{
	return x->status == 101 || (x->status >= 200 && x->status < 300);
}

static void on_head(struct stream *s)
{
	struct docker_exchange *x = stream_arg(s);

	x->status = stream_status(s);
	stream_read(s, DOCKER_CREDIT);
	if (good(x) && x->head)
		x->head(x);
}

static void on_data(struct stream *s, struct slice bytes)
{
	struct docker_exchange *x = stream_arg(s);

	if (good(x) && x->data) {
		x->data(x, bytes);
		return;
	}
	if (buf_add(&x->text, bytes.p, bytes.n) < 0 && good(x)) {
		struct err err;

		(void)err_set(&err, ERR_TOO_LARGE, "the engine's answer is longer than %zu bytes",
			      x->text.max);
		stream_reset(s, &err);
		return;
	}
	stream_read(s, bytes.n);
}

static void on_end(struct stream *s)
{
	struct docker_exchange *x = stream_arg(s);

	if (good(x) && x->end)
		x->end(x);
}

static void on_writable(struct stream *s)
{
	struct docker_exchange *x = stream_arg(s);

	if (good(x) && x->writable)
		x->writable(x);
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct docker_exchange *x = stream_arg(s);

	if (x->status && !good(x))
		(void)docker_answer_error(x->status, buf_slice(&x->text), &x->err);
	else if (why)
		x->err = *why;
	x->finished = true;
	if (x->over)
		x->over(x);
}

static const struct stream_events exchange_events = {
	.head = on_head,
	.data = on_data,
	.end = on_end,
	.writable = on_writable,
	.closed = on_closed,
};

static int send_once(struct docker_client *c, struct docker_exchange *x, const char *method,
		     const char *target, struct slice body, bool hijack, struct err *err)
{
	CLEANUP(stream_unref) struct stream *s = NULL;
	int r;

	r = http_client_stream(c->http, method, target, &s, err);
	if (r < 0)
		return r;
	if (body.n && stream_set_header(s, "Content-Type", "application/json") < 0)
		return err_set(err, ERR_SYSTEM, "request header refused");
	stream_on(s, &exchange_events, x);
	r = http_client_send(s, (int64_t)body.n, hijack, err);
	if (r < 0) {
		stream_on(s, NULL, NULL);
		stream_reset(s, NULL);
		return r;
	}
	x->s = STEAL(s);
	if (body.n && stream_write(x->s, body.p, body.n) >= 0)
		(void)stream_end(x->s); /* what breaks comes by closed */
	return 0;
}

int docker_exchange_start(struct docker_client *c, struct docker_exchange *x, const char *method,
			  const char *target, const struct doc *body, bool hijack, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("request", BODY_MAX);
	struct slice text = { NULL, 0 };
	struct err local = ERR_INIT;
	bool nobody_waits = !err;
	int r;

	if (nobody_waits)
		err = &local;
	if (!target)
		return err_set(err, ERR_QUOTA, "the request's path is too long");
	if (body && body_text(a, body, &text, err) < 0)
		return err_ret(err);
	x->client = c;
	x->text = BUF_INIT(4u << 20);
	for (;;) {
		r = send_once(c, x, method, target, text, hijack, err);
		if (r == 0 || nobody_waits)
			return r;
		r = absent(c, err);
		if (r < 0)
			return r;
	}
}

void docker_exchange_fini(struct docker_exchange *x)
{
	if (x->s) {
		stream_on(x->s, NULL, NULL);
		if (!stream_is_closed(x->s))
			stream_reset(x->s, NULL);
		stream_unref(STEAL(x->s));
	}
	buf_fini(&x->text);
}

void docker_exchange_credit(struct docker_exchange *x, size_t n)
{
	stream_read(x->s, n);
}

bool docker_exchange_is_framed(const struct docker_exchange *x)
{
	return slice_is(stream_header(x->s, "Content-Type"),
			"application/vnd.docker.multiplexed-stream");
}

static int copy_error(const struct docker_exchange *x, struct err *err)
{
	if (!x->err.code)
		return 0;
	if (err)
		*err = x->err;
	return -(int)x->err.code;
}

int docker_exchange_wait_head(struct docker_exchange *x, struct err *err)
{
	while (!x->finished && !good(x))
		if (loop_step(x->client->loop, -1, err) < 0)
			return err_ret(err);
	return copy_error(x, err);
}

int docker_exchange_wait_over(struct docker_exchange *x, struct err *err)
{
	while (!x->finished)
		if (loop_step(x->client->loop, -1, err) < 0)
			return err_ret(err);
	return copy_error(x, err);
}

int docker_exchange_json(struct docker_exchange *x, struct arena *a, struct doc **ret,
			 struct err *err)
{
	struct json_options copy = { .copy = true, .replace = true };
	int r = json_read(a, buf_slice(&x->text), &copy, ret, err);

	return r < 0 ? err_wrap(err, "answer of the engine") : 0;
}
