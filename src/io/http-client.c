/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client: exchanges before they have a connection, address, life. Connections are in
 * http-client-conn.c, the codecs' heads in http-client-h1.c and h2-client.c.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "crypto/tls.h"
#include "io/http-client-impl.h"
#include "io/http-proxy.h"
#include "io/proxy-protocol.h"
#include "io/url.h"

#include <stdio.h>
#include <sys/un.h>

static const struct stream_ops unsent_ops;

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

const struct stream_ops http_client_waiting_ops = {
	.credit = early_credit,
	.end = early_end,
	.reset = early_reset,
	.detach = early_detach,
	.queued = early_queued,
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
	s->rq.major = s->rq.minor = 1;
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
	s->ops = &http_client_waiting_ops;
	s->head_sent = true; /* from here on stream_write is right, though it may have to wait */
	stream_ref(s);
	r = http_client_try_send(cl, s, err);
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

/* Numeric: a socket address. A name, if there is who resolves it: each connection is dialed. */
static int set_server(struct http_client *c, const char *host_port, struct err *err)
{
	int r = url_sockaddr(host_port, &c->sa, &c->sa_len, err);

	if (r != -ERR_UNSUPPORTED || !c->conf.resolver)
		return r;
	c->dial_address = dup_text(host_port);
	return 0;
}

static int set_proxy(struct http_client *c, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(8192);

	if (c->conf.tls) {
		(void)buf_addf(&b, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", c->authority,
			       c->authority);
		if (c->proxy->auth[0])
			(void)buf_addf(&b, "Proxy-Authorization: %s\r\n", c->proxy->auth);
		(void)buf_adds(&b, "\r\n"); /* what it is made of is bounded */
		c->connect_text = buf_steal(&b);
	} else if (c->conf.http2 == HTTP2_PRIOR || c->conf.http2 == HTTP2_UPGRADE) {
		return err_set(err, ERR_UNSUPPORTED,
			       "HTTP/2 without TLS does not go through a proxy");
	}
	return set_server(c, c->proxy->address + strlen("http://"), err);
}

static int set_proxy_header(struct http_client *c, struct err *err)
{
	const struct proxy_info *info = STEAL(c->conf.proxy_header);

	if (!info)
		return 0;
	if (c->proxy)
		return err_set(err, ERR_UNSUPPORTED,
			       "http client: the PROXY protocol does not go through a proxy");
	c->proxy_header = io_alloc(PROXY_MAX);
	c->proxy_header_n = proxy_write(info, c->proxy_header, PROXY_MAX);
	if (!c->proxy_header_n)
		return err_set(err, ERR_INVALID,
			       "http client: the PROXY header's addresses are of two families, "
			       "or its version cannot say them");
	return 0;
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
		c->tls_name = dup_text(c->conf.tls_name ? c->conf.tls_name : "localhost");
		return 0;
	}
	if (strcmp(u.scheme, "tcp") != 0 && strcmp(u.scheme, "http") != 0 &&
	    strcmp(u.scheme, "https") != 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "address '%s': scheme '%s' is not supported here", address,
			       u.scheme);
	if (u.port == 0 || !u.host[0])
		return err_set(err, ERR_INVALID, "address '%s' has no host or port", address);
	(void)snprintf(host_port, sizeof(host_port), strchr(u.host, ':') ? "[%s]:%u" : "%s:%u",
		       u.host, u.port);
	c->host = dup_text(c->conf.host ? c->conf.host : host_port);
	c->tls_name = dup_text(c->conf.tls_name ? c->conf.tls_name : u.host);
	c->tls_port = u.port;
	c->authority = dup_text(host_port);
	if (c->proxy)
		return set_proxy(c, err);
	return set_server(c, host_port, err);
}

static int on_retry_timer(struct timer *t)
{
	http_client_serve_waiting(CONTAINER_OF(t, struct http_client, retry));
	return 0;
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
	DEFAULT(k->streams_max, 100);
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
	c->conn_conf.streams_max = k->streams_max;
	c->conn_conf.head_time = k->head_time;
	c->conn_conf.body_time = k->body_time;
	c->conn_conf.idle_time = k->idle_time;
	c->conn_conf.write_time = k->write_time;
	c->conn_conf.connect_time = k->connect_time;
	DEFAULT(k->ping_timeout, 20 * NS_PER_SEC);
	c->conn_conf.ping_time = k->ping_time;
	c->conn_conf.ping_timeout = k->ping_timeout;
	c->agent = dup_text(k->agent ? k->agent : "teu/" TEU_VERSION);
}

static int take_tls(struct http_client *c, const char *address, struct err *err)
{
	struct tls_conf *conf = STEAL(c->conf.tls);

	if (conf && tls_conf_is_server(conf))
		return err_set(err, ERR_INVALID,
			       "http client: the TLS configuration is a server's");
	if (!conf && strncmp(address, "https:", 6) == 0)
		return err_set(err, ERR_INVALID, "address '%s' needs a TLS configuration", address);
	c->conf.tls = conf ? tls_conf_ref(conf) : NULL;
	return 0;
}

int http_client_new(struct loop *l, const char *address, const struct http_client_conf *conf,
		    struct http_client **ret, struct err *err)
{
	CLEANUP(http_client_free) struct http_client *c = io_alloc(sizeof(*c));
	int r;

	list_init(&c->idle);
	list_init(&c->multi);
	list_init(&c->running);
	list_init(&c->unsent);
	list_init(&c->waiting);
	set_conf(c, conf);
	list_init(&c->dialing);
	c->was_h2 = c->conf.http2 == HTTP2_PRIOR;
	if (c->conf.proxy) {
		c->proxy = io_alloc(sizeof(*c->proxy));
		*c->proxy = *c->conf.proxy;
	}
	r = take_tls(c, address, err);
	if (r == 0)
		r = set_address(c, address, err);
	if (r == 0)
		r = set_proxy_header(c, err);
	if (r < 0)
		return r;
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
	http_client_stop_dialing(c);
	(void)err_set(&err, ERR_UNAVAILABLE, "the client is closed");
	while ((k = LIST_FIRST(&c->idle, struct conn, link)))
		conn_fail(k, NULL);
	while ((k = LIST_FIRST(&c->multi, struct conn, link)))
		conn_fail(k, &err);
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
	free(c->tls_name);
	free(c->authority);
	free(c->dial_address);
	free(c->proxy_header);
	if (c->connect_text)
		explicit_bzero(c->connect_text, strlen(c->connect_text));
	free(c->connect_text);
	if (c->proxy)
		explicit_bzero(c->proxy, sizeof(*c->proxy));
	free(c->proxy);
	tls_conf_unref(c->conf.tls);
	free(c);
}

/* The loop that http_client_call runs (http-call.c). */
struct loop *http_client_loop(struct http_client *c)
{
	return c->loop;
}
