/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side: connections to one address, which exchange goes on which, requests' heads,
 * answers' heads.
 *
 * A stream is in one of three states, told by its ops: unsent (conn is the client, which does not
 * count it), waiting (conn is the client, which counts it), or on a connection (conn is that).
 */
#include "io/http-client.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "io/conn.h"
#include "io/url.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#define CONNECT_RETRY (5 * NS_PER_MS)

struct http_client {
	struct loop *loop;
	bool own_loop;
	char *address, *host, *agent;
	struct sockaddr_storage sa;
	socklen_t sa_len;
	struct http_client_conf conf;
	struct conn_conf conn_conf;
	struct io_pool *pool;
	struct list idle, running; /* connections */
	size_t conns_n;
	struct list unsent, waiting; /* streams */
	struct timer retry;	     /* the listener's backlog is full */
	int64_t retry_since;
	bool closing;
};

static const struct stream_ops client_ops, unsent_ops, waiting_ops;
static void serve_waiting(struct http_client *cl);

/* ---- heads ---- */

static size_t framing_lines(char *d, size_t n, const struct stream *s)
{
	const char *upgrade = "Connection: Upgrade\r\n";
	bool named = false;
	int len = 0;

	if (s->hijack_wanted) {
		for (const struct out_header *h = s->out; h; h = h->next)
			named |= slice_ieq(h->name, SLICE("upgrade"));
		len = snprintf(d, n, "%s%s", upgrade, named ? "" : "Upgrade: tcp\r\n");
	}
	if (s->body_length == HTTP_BODY_CHUNKED)
		len += snprintf(d + len, n - (size_t)len, "Transfer-Encoding: chunked\r\n");
	else if (s->body_length > 0 || !strcmp(s->rq.method, "POST") ||
		 !strcmp(s->rq.method, "PUT"))
		len += snprintf(d + len, n - (size_t)len, "Content-Length: %lld\r\n",
				(long long)s->body_length);
	return (size_t)len;
}

static void send_request(struct conn *c, struct stream *s)
{
	struct http_client *cl = c->owner;
	char framing[160];
	size_t framing_n = framing_lines(framing, sizeof(framing), s), need;
	struct slice target = slice_str(s->rq.path);
	char *d, *start;

	need = strlen(s->rq.method) + target.n + strlen(cl->host) + strlen(cl->agent) + framing_n +
	       64;
	for (const struct out_header *h = s->out; h; h = h->next)
		need += h->name.n + h->value.n + 4;
	conn_enter(c);
	start = d = iobuf_room(c->pool, &c->out, need);
	d = put(d, s->rq.method, strlen(s->rq.method));
	*d++ = ' ';
	d = put(d, target.p, target.n);
	d = put(d, " HTTP/1.1\r\nHost: ", 17);
	d = put(d, cl->host, strlen(cl->host));
	d = put(d, "\r\nUser-Agent: ", 14);
	d = put(d, cl->agent, strlen(cl->agent));
	d = put(d, "\r\n", 2);
	for (const struct out_header *h = s->out; h; h = h->next) {
		d = put(d, h->name.p, h->name.n);
		d = put(d, ": ", 2);
		d = put(d, h->value.p, h->value.n);
		d = put(d, "\r\n", 2);
	}
	d = put(d, framing, framing_n);
	d = put(d, "\r\n", 2);
	c->out.n += (size_t)(d - start);
	s->head_sent = true;
	conn_out_begin(c, s->body_length, s->body_length == HTTP_BODY_CHUNKED);
	if (s->body_length == HTTP_NO_BODY) {
		c->out_state = OUT_DONE;
		s->ended_out = true;
	} else if (s->ended_out) {
		(void)conn_op_end(s); /* ended while it waited: a failure comes by closed */
	}
	conn_leave(c);
}

static void assign(struct http_client *cl, struct conn *c, struct stream *s)
{
	list_del(&c->link);
	list_append(&cl->running, &c->link);
	c->cur = s;
	c->in_state = IN_HEAD;
	c->scan = 0;
	c->since = loop_now(cl->loop);
	c->keep_alive = true;
	c->streamed = s->body_length != HTTP_NO_BODY;
	c->peek = s->hijack_wanted;
	s->conn = c;
	s->ops = &client_ops;
	s->peer = &c->peer;
	send_request(c, s);
}

/* An answer's head. 1xx are passed over, 101 and a raw 200 make the stream a byte stream. */
static int on_head(struct conn *c, struct slice head)
{
	struct stream *s = c->cur;
	struct h1_head m = { 0 };
	struct err err = ERR_INIT;
	char *copy = arena_strndup(s->arena, head.p, head.n);
	int r = copy ? h1_parse_response(s->arena, slice_of(copy, head.n), &c->conf->limits,
					 s->rq.method, &m, &err)
		     : arena_quota(s->arena, &err);

	if (r == 0 && m.status == 101 && !s->hijack_wanted)
		r = err_set(&err, ERR_BAD_REQUEST, "the server upgrades although nobody asked");
	if (r < 0) {
		conn_fail(c, &err);
		return r;
	}
	if (m.status < 200 && m.status != 101)
		return 0;
	s->status = m.status;
	s->headers = m.headers;
	s->headers_n = m.headers_n;
	s->length = m.length;
	c->keep_alive = c->keep_alive && m.keep_alive;
	if (s->hijack_wanted &&
	    (m.status == 101 || (m.status == 200 && m.body == H1_UNTIL_CLOSE)) &&
	    c->out_state == OUT_DONE) {
		s->hijacked = true;
		s->ended_out = false;
		c->in_state = IN_RAW;
		c->out_state = OUT_RAW;
		c->out_closed = false;
		c->keep_alive = false;
	} else {
		conn_in_begin(c, m.body, m.length);
	}
	stream_give_head(s);
	return 0;
}

static void on_bad_head(struct conn *c, int status, const struct err *why)
{
	struct err err = *why;

	(void)status; /* a client answers nothing */
	(void)err_wrap(&err, "malformed answer");
	conn_fail(c, &err);
}

/* ---- connections ---- */

static void on_idle(struct conn *c)
{
	struct http_client *cl = c->owner;

	list_del(&c->link);
	list_append(&cl->idle, &c->link);
	serve_waiting(cl);
}

static void on_gone(struct conn *c)
{
	struct http_client *cl = c->owner;

	/* Out of the lists that are searched; its kick frees it. */
	list_del(&c->link);
	list_append(&cl->running, &c->link);
	cl->conns_n--;
	if (!cl->closing)
		serve_waiting(cl);
}

static bool on_timeout(struct conn *c)
{
	if (c->cur)
		return false;
	conn_fail(c, NULL);
	return true;
}

static void on_connected(struct conn *c)
{
	(void)c; /* what waits in the output buffer leaves by conn_leave */
}

/* A kept connection may have been closed by the server in the same moment. Only what is safe to
 * repeat is repeated. */
static bool on_retry(struct conn *c, struct stream *s, const struct err *why)
{
	struct http_client *cl = c->owner;
	const char *m = s->rq.method;

	if (cl->closing || c->fresh || s->cancelled || s->status ||
	    s->body_length != HTTP_NO_BODY || why->code != ERR_UNAVAILABLE || iobuf_len(&c->in) > 0)
		return false;
	if (strcmp(m, "GET") != 0 && strcmp(m, "HEAD") != 0 && strcmp(m, "OPTIONS") != 0)
		return false;
	s->ops = &waiting_ops;
	s->conn = cl;
	s->head_sent = false;
	s->ended_out = false;
	list_prepend(&cl->waiting, &s->link);
	return true; /* on_gone follows and serves it */
}

static const struct conn_role client_role = {
	.head = on_head,
	.bad_head = on_bad_head,
	.idle = on_idle,
	.gone = on_gone,
	.timeout = on_timeout,
	.connected = on_connected,
	.retry = on_retry,
};

/* A kept connection that the server closed while the loop was not looking is no use. */
static struct conn *take_idle(struct http_client *cl)
{
	struct conn *c;

	while ((c = LIST_FIRST(&cl->idle, struct conn, link))) {
		if (c->tr->is_quiet(c))
			return c;
		cl->closing = true; /* no serve_waiting from in here */
		conn_fail(c, NULL);
		cl->closing = false;
	}
	return NULL;
}

/* 1 = the listener's backlog is full: try again later. */
static int open_connection(struct http_client *cl, struct conn **ret, struct err *err)
{
	__attribute__((cleanup(fd_close_cleanup_))) int fd = -1;
	struct conn *c;
	int r;

	fd = socket(cl->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, "connect to %s: socket", cl->address);
	r = connect(fd, (struct sockaddr *)&cl->sa, cl->sa_len);
	if (r < 0 && errno == EAGAIN)
		return 1;
	if (r < 0 && errno != EINPROGRESS)
		return err_sysc(err, ERR_UNAVAILABLE, errno, "connect to %s", cl->address);
	c = conn_new(cl->pool, STEAL_FD(fd), &client_role, cl, &cl->conn_conf);
	c->client = true;
	r = conn_start(c, r < 0, err);
	if (r < 0) {
		conn_free(c);
		return err_wrap(err, "connect to %s", cl->address);
	}
	list_append(&cl->running, &c->link);
	cl->conns_n++;
	*ret = c;
	return 0;
}

/* 0 = on its way, 1 = must wait. */
static int try_send(struct http_client *cl, struct stream *s, struct err *err)
{
	struct conn *c = take_idle(cl);
	int r;

	if (!c) {
		if (cl->conns_n >= cl->conf.connections_max)
			return 1;
		r = open_connection(cl, &c, err);
		if (r == 1 && !timer_armed(&cl->retry)) {
			/* The kernel tells nobody when a Unix listener has room again. */
			if (!cl->retry_since)
				cl->retry_since = loop_now(cl->loop);
			if (loop_now(cl->loop) - cl->retry_since > cl->conf.connect_time)
				return err_set(err, ERR_TIMEOUT,
					       "connect to %s: it does not accept connections",
					       cl->address);
			timer_set_after(&cl->retry, CONNECT_RETRY);
		}
		if (r != 0)
			return r;
		cl->retry_since = 0;
	}
	assign(cl, c, s);
	return 0;
}

static void serve_waiting(struct http_client *cl)
{
	struct stream *s;
	struct err err = ERR_INIT;
	int r;

	while ((s = LIST_FIRST(&cl->waiting, struct stream, link)) && !cl->closing) {
		list_del(&s->link);
		r = try_send(cl, s, &err);
		if (r == 1) {
			list_prepend(&cl->waiting, &s->link);
			return;
		}
		if (r < 0)
			stream_close(s, &err);
		else
			stream_give_writable(s);
	}
}

static int on_retry_timer(struct timer *t)
{
	serve_waiting(CONTAINER_OF(t, struct http_client, retry));
	return 0;
}

/* ---- streams that are not on a connection ---- */

static void early_reset(struct stream *s, const struct err *why)
{
	struct err err = ERR_INIT;

	(void)err_set(&err, ERR_UNAVAILABLE, "reset by us");
	list_del(&s->link);
	if (s->ops == &unsent_ops)
		stream_ref(s); /* stream_close drops one that the client does not hold */
	stream_close(s, why ? why : &err);
}

static void early_credit(struct stream *s)
{
	(void)s; /* the sum is kept in the stream and looked at when there is an answer */
}

static size_t early_queued(const struct stream *s)
{
	(void)s;
	return SIZE_MAX; /* as if full: `writable` comes with the connection */
}

static int early_end(struct stream *s)
{
	(void)s; /* send_request looks at ended_out */
	return 0;
}

static int early_detach(struct stream *s, int *ret_fd, struct err *err)
{
	return err_set(err, ERR_CONFLICT, "detach: the stream has no connection yet");
}

static const struct stream_ops unsent_ops = {
	.credit = early_credit,
	.end = early_end,
	.reset = early_reset,
	.detach = early_detach,
	.queued = early_queued,
};

static const struct stream_ops waiting_ops = {
	.credit = early_credit,
	.end = early_end,
	.reset = early_reset,
	.detach = early_detach,
	.queued = early_queued,
};

static const struct stream_ops client_ops = {
	.credit = conn_op_credit,
	.write = conn_op_write,
	.end = conn_op_end,
	.reset = conn_op_reset,
	.detach = conn_op_detach,
	.queued = conn_op_queued,
};

int http_client_stream(struct http_client *c, const char *method, const char *target,
		       struct stream **ret, struct err *err)
{
	CLEANUP(stream_unref) struct stream *s = NULL;

	if (!h1_is_token(slice_str(method)))
		return err_set(err, ERR_INVALID, "'%.32s' is not a method", method);
	for (const char *p = target; *p; p++) {
		if (*p <= ' ' || *p == 0x7f || *p == '#')
			return err_set(err, ERR_INVALID, "request target '%.200s' is not encoded",
				       target);
	}
	if (target[0] != '/')
		return err_set(err, ERR_INVALID, "request target '%.200s' does not begin with '/'",
			       target);
	s = stream_new(c->pool, &unsent_ops, NULL);
	s->client = true;
	s->queue_mark = c->conf.queue_mark;
	s->rq.method = arena_strdup(s->arena, method);
	s->rq.path = arena_strdup(s->arena, target);
	if (!s->rq.method || !s->rq.path)
		return arena_quota(s->arena, err);
	s->rq.raw_path = slice_str(s->rq.path);
	s->rq.minor = 1;
	s->conn = c;
	list_append(&c->unsent, &s->link);
	*ret = STEAL(s);
	return 0;
}

int http_client_send(struct stream *s, int64_t body_length, bool hijack, struct err *err)
{
	struct http_client *cl = s->conn;
	int r;

	if (!s->conn || s->ops != &unsent_ops)
		return err_set(err, ERR_CONFLICT, "the request was sent already");
	s->body_length = body_length;
	s->rq.has_body = body_length != HTTP_NO_BODY;
	s->rq.length = body_length;
	s->hijack_wanted = hijack;
	list_del(&s->link);
	s->ops = &waiting_ops;
	s->head_sent = true; /* from here on stream_write is right, though it may have to wait */
	stream_ref(s);
	r = try_send(cl, s, err);
	if (r == 1) {
		list_append(&cl->waiting, &s->link);
		return 0;
	}
	if (r < 0) {
		s->ops = &unsent_ops;
		s->head_sent = false;
		list_append(&cl->unsent, &s->link);
		stream_unref(s);
	}
	return r;
}

/* ---- life ---- */

static char *dup_text(const char *s)
{
	char *p = strdup(s);

	if (!p)
		abort();
	return p;
}

static int set_address(struct http_client *c, const char *address, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("address", 65536);
	struct sockaddr_un *un = (void *)&c->sa;
	char host_port[320];
	struct url u;
	int r;

	r = url_parse(a, address, &u, err);
	if (r < 0)
		return r;
	c->address = dup_text(address);
	if (strcmp(u.scheme, "unix") == 0) {
		un->sun_family = AF_UNIX;
		if (!str_copy(un->sun_path, sizeof(un->sun_path), u.path))
			return err_set(err, ERR_INVALID,
				       "address '%s': the path is longer than %zu bytes", address,
				       sizeof(un->sun_path) - 1);
		c->sa_len = sizeof(*un);
		c->host = dup_text(c->conf.host ? c->conf.host : "localhost");
		return 0;
	}
	if (strcmp(u.scheme, "tcp") != 0 && strcmp(u.scheme, "http") != 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "address '%s': scheme '%s' is not supported here", address,
			       u.scheme);
	if (u.port == 0 || !u.host[0])
		return err_set(err, ERR_INVALID, "address '%s' has no host or port", address);
	(void)snprintf(host_port, sizeof(host_port), strchr(u.host, ':') ? "[%s]:%u" : "%s:%u",
		       u.host, u.port);
	c->host = dup_text(c->conf.host ? c->conf.host : host_port);
	return url_sockaddr(host_port, &c->sa, &c->sa_len, err);
}

#define DEFAULT(field, value)              \
	do {                               \
		if (!(field))              \
			(field) = (value); \
	} while (0)

static void set_conf(struct http_client *c, const struct http_client_conf *conf)
{
	struct http_client_conf *k = &c->conf;

	if (conf)
		*k = *conf;
	DEFAULT(k->connections_max, 32);
	DEFAULT(k->head_max, 65536);
	DEFAULT(k->headers_max, 128);
	DEFAULT(k->arena_max, 4 << 20);
	DEFAULT(k->queue_mark, 256 << 10);
	DEFAULT(k->connect_time, 10 * NS_PER_SEC);
	DEFAULT(k->idle_time, 60 * NS_PER_SEC);
	c->conn_conf.write_time_always = true;
	DEFAULT(k->write_time, 120 * NS_PER_SEC);
	c->conn_conf.limits = (struct h1_limits){ k->head_max, k->head_max, k->headers_max };
	c->conn_conf.queue_mark = k->queue_mark;
	c->conn_conf.head_time = k->head_time;
	c->conn_conf.body_time = k->body_time;
	c->conn_conf.idle_time = k->idle_time;
	c->conn_conf.write_time = k->write_time;
	c->conn_conf.connect_time = k->connect_time;
	c->agent = dup_text(k->agent ? k->agent : "teu/" TEU_VERSION);
}

int http_client_new(struct loop *l, const char *address, const struct http_client_conf *conf,
		    struct http_client **ret, struct err *err)
{
	CLEANUP(http_client_free) struct http_client *c = io_alloc(sizeof(*c));
	int r;

	list_init(&c->idle);
	list_init(&c->running);
	list_init(&c->unsent);
	list_init(&c->waiting);
	set_conf(c, conf);
	r = set_address(c, address, err);
	if (r < 0)
		return r;
	if (c->conf.http2 == HTTP2_PRIOR || c->conf.http2 == HTTP2_UPGRADE)
		return err_set(err, ERR_UNSUPPORTED,
			       "http client: HTTP/2 without TLS is not there yet");
	if (!h1_is_value(slice_str(c->host)) || !h1_is_value(slice_str(c->agent)))
		return err_set(err, ERR_INVALID,
			       "http client: host or agent has a character that is not allowed");
	if (!l) {
		r = loop_new(&c->loop, err);
		if (r < 0)
			return r;
		c->own_loop = true;
	} else {
		c->loop = l;
	}
	c->pool = io_pool_new(c->loop, c->conf.arena_max);
	timer_init(&c->retry, c->loop, on_retry_timer);
	*ret = STEAL(c);
	return 0;
}

static void close_streams(struct list *streams, const struct err *why, bool counted)
{
	struct stream *s;

	while ((s = LIST_FIRST(streams, struct stream, link))) {
		list_del(&s->link);
		if (!counted)
			stream_ref(s);
		stream_close(s, why);
	}
}

void http_client_free(struct http_client *c)
{
	struct err err = ERR_INIT;
	struct conn *k;

	if (!c)
		return;
	c->closing = true;
	(void)err_set(&err, ERR_UNAVAILABLE, "the client is closed");
	while ((k = LIST_FIRST(&c->idle, struct conn, link)))
		conn_fail(k, NULL);
	LIST_FOREACH (k, &c->running, struct conn, link)
		conn_fail(k, &err);
	while ((k = LIST_FIRST(&c->running, struct conn, link)))
		conn_free(k);
	close_streams(&c->waiting, &err, true);
	close_streams(&c->unsent, &err, false);
	if (c->pool) {
		timer_fini(&c->retry);
		io_pool_unref(c->pool);
	}
	if (c->own_loop)
		loop_free(c->loop);
	free(c->address);
	free(c->host);
	free(c->agent);
	free(c);
}

/* The loop that http_client_call runs (http-call.c). */
struct loop *http_client_loop(struct http_client *c)
{
	return c->loop;
}
