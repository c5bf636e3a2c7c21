/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's side: accepting within limits, graceful end. Connections do the rest (conn.c), their
 * heads are in http-server-h1.c and h2-server.c, listeners in http-server-listen.c.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "crypto/tls.h"
#include "io/http-server-impl.h"
#include "io/transport.h"

#include <errno.h>
#include <sys/socket.h>

#define ACCEPT_ROUND 64
#define ACCEPT_RETRY (100 * NS_PER_MS)

static void check_drained(struct http_server *srv);

struct slice http_server_date(struct http_server *srv)
{
	time_t now = time(NULL);
	struct tm tm;

	if (now != srv->date_at || srv->date_len == 0) {
		srv->date_at = now;
		(void)gmtime_r(&now, &tm); /* fails only for years past int */
		srv->date_len = strftime(srv->date, sizeof(srv->date),
					 "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
	}
	return slice_of(srv->date, srv->date_len);
}

/* ---- connections ---- */

static void on_idle(struct conn *c)
{
	struct http_server *srv = c->owner;

	if (srv->draining && !c->h2)
		conn_linger(c);
}

static void on_gone(struct conn *c)
{
	struct http_server *srv = c->owner;

	srv->conns_n--;
	http_server_set_accepting(srv);
	check_drained(srv);
}

static bool on_timeout(struct conn *c)
{
	struct http_server *srv = c->owner;
	struct err err = ERR_INIT;

	srv->stats.timeouts++;
	if (c->h2 || c->in_state != IN_HEAD || c->cur || c->out_blocked)
		return false;
	if (iobuf_len(&c->in) == 0) {
		conn_fail(c, NULL);
		return true;
	}
	(void)err_set(&err, ERR_TIMEOUT, "the request did not arrive in time");
	http_server_h1_refuse(c, 408, &err);
	return true;
}

static const struct conn_role server_role = {
	.head = http_server_h1_head,
	.bad_head = http_server_h1_refuse,
	.idle = on_idle,
	.gone = on_gone,
	.timeout = on_timeout,
};

/* ---- accepting ---- */

/* Does a connection from there begin with the PROXY protocol? */
static bool is_trusted(const struct proxy_trust *t, int fd)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa);

	if ((t->n == 0 && !t->local) || getpeername(fd, (struct sockaddr *)&sa, &len) < 0)
		return false;
	if (sa.ss_family == AF_UNIX)
		return t->local;
	for (size_t i = 0; i < t->n; i++) {
		if (cidr_has(&t->nets[i], (struct sockaddr *)&sa))
			return true;
	}
	return false;
}

/* l: who accepted it, NULL for an adopted one. */
static int take_connection(struct http_server *srv, int fd, const struct listener *l,
			   struct err *err)
{
	struct tls_conf *tls = l ? http_listener_tls(l) : srv->tls;
	struct conn *c = conn_new(srv->pool, fd, &server_role, srv, &srv->conn_conf);
	int r = tls ? conn_use_tls(c, tls, NULL, 0, err) : 0;

	c->proxied = is_trusted(l && l->trust_set ? &l->trust : &srv->trust, fd);
	if (r == 0)
		r = conn_start(c, false, err);
	if (r < 0) {
		conn_free(c);
		return r;
	}
	list_append(&srv->conns, &c->link);
	srv->conns_n++;
	srv->stats.accepted++;
	return 0;
}

/* Listeners are watched while a connection more is welcome. */
void http_server_set_accepting(struct http_server *srv)
{
	bool on = !srv->draining && !srv->paused && srv->conns_n < srv->conf.connections_max;

	for (size_t i = 0; i < srv->listeners_n; i++) {
		if (source_active(&srv->listeners[i]->src))
			(void)source_set(&srv->listeners[i]->src,
					 on ? EPOLLIN : 0); /* the fd is ours and there */
	}
}

static int on_retry(struct timer *t)
{
	struct http_server *srv = CONTAINER_OF(t, struct http_server, retry);

	srv->paused = false;
	http_server_set_accepting(srv);
	return 0;
}

int http_server_on_accept(struct source *src, uint32_t events)
{
	struct listener *l = CONTAINER_OF(src, struct listener, src);
	struct http_server *srv = l->srv;

	for (int i = 0; i < ACCEPT_ROUND && srv->conns_n < srv->conf.connections_max; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EAGAIN))
			break;
		if (fd < 0 &&
		    (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
			/* The backlog keeps them; without a pause level-triggered epoll would spin.
			 */
			srv->paused = true;
			timer_set_after(&srv->retry, ACCEPT_RETRY);
			break;
		}
		if (fd >= 0)
			(void)take_connection(srv, fd, l,
					      NULL); /* closed again; the client sees it */
	}
	http_server_set_accepting(srv);
	return 0;
}

int http_server_adopt(struct http_server *srv, int fd_taken, struct err *err)
{
	if (srv->draining || srv->conns_n >= srv->conf.connections_max) {
		fd_close(fd_taken);
		return err_set(err, ERR_UNAVAILABLE, "http server: %s",
			       srv->draining ? "shutting down" : "too many connections");
	}
	if (fd_set_nonblock(fd_taken, true) < 0) {
		int r = err_sys(err, "http server: connection");

		fd_close(fd_taken);
		return r;
	}
	return take_connection(srv, fd_taken, NULL, err);
}

/* ---- life ---- */

static void call_drained(struct deferred *d)
{
	struct http_server *srv = CONTAINER_OF(d, struct http_server, drained_call);
	void (*fn)(void *) = STEAL(srv->drained);

	if (fn)
		fn(srv->drained_arg);
}

static void check_drained(struct http_server *srv)
{
	if (srv->draining && srv->conns_n == 0 && srv->drained) {
		timer_clear(&srv->grace);
		deferred_call(&srv->drained_call);
	}
}

static void reset_all(struct http_server *srv)
{
	struct conn *c;
	struct err err = ERR_INIT;

	(void)err_set(&err, ERR_UNAVAILABLE, "the server is shutting down");
	LIST_FOREACH (c, &srv->conns, struct conn, link)
		conn_fail(c, &err);
}

static int on_grace(struct timer *t)
{
	reset_all(CONTAINER_OF(t, struct http_server, grace));
	return 0;
}

void http_server_drain(struct http_server *srv, int64_t grace_ns, void (*drained)(void *arg),
		       void *arg)
{
	struct conn *c;

	srv->draining = true;
	srv->drained = drained;
	srv->drained_arg = arg;
	http_server_set_accepting(srv);
	LIST_FOREACH (c, &srv->conns, struct conn, link) {
		if (!c->dead)
			c->codec->drain(c);
	}
	timer_set_after(&srv->grace, MAX(grace_ns, (int64_t)1));
	check_drained(srv);
}

static int make_common(struct http_server *srv, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(16384);

	for (size_t i = 0; i < srv->conf.common_n; i++) {
		const struct http_header *h = &srv->conf.common[i];

		if (!h1_is_token(h->name) || !h1_is_value(h->value))
			return err_set(err, ERR_INVALID, "common header %zu is not a header", i);
		(void)buf_addf(&b, "%.*s: %.*s\r\n", (int)h->name.n, h->name.p, (int)h->value.n,
			       h->value.p);
	}
	if (b.full)
		return err_set(err, ERR_QUOTA, "the common headers are larger than %zu bytes",
			       b.max);
	srv->common_len = b.n;
	srv->common = buf_steal(&b);
	return 0;
}

#define DEFAULT(field, value)              \
	do {                               \
		if (!(field))              \
			(field) = (value); \
	} while (0)

int http_server_new(struct loop *l, const struct http_server_conf *conf, struct http_server **ret,
		    struct err *err)
{
	struct http_server *srv = io_alloc(sizeof(*srv));
	struct http_server_conf *k = &srv->conf;
	int r;

	*k = *conf;
	srv->conn_conf.write_time_always = k->write_time != 0;
	DEFAULT(k->connections_max, 1024);
	DEFAULT(k->streams_max, 100);
	DEFAULT(k->head_max, 65536);
	DEFAULT(k->line_max, 16384);
	DEFAULT(k->headers_max, 128);
	DEFAULT(k->arena_max, 4 << 20);
	DEFAULT(k->queue_mark, 256 << 10);
	DEFAULT(k->drain_max, 256 << 10);
	DEFAULT(k->head_time, 30 * NS_PER_SEC);
	DEFAULT(k->body_time, 120 * NS_PER_SEC);
	DEFAULT(k->idle_time, 300 * NS_PER_SEC);
	DEFAULT(k->write_time, 120 * NS_PER_SEC);
	srv->loop = l;
	srv->conn_conf.limits = (struct h1_limits){ k->head_max, k->line_max, k->headers_max };
	srv->conn_conf.queue_mark = k->queue_mark;
	srv->conn_conf.drain_max = k->drain_max;
	srv->conn_conf.streams_max = k->streams_max;
	srv->conn_conf.preface = k->http2 == HTTP2_PRIOR || k->http2 == HTTP2_UPGRADE;
	srv->conn_conf.head_time = k->head_time;
	srv->conn_conf.body_time = k->body_time;
	srv->conn_conf.idle_time = k->idle_time;
	srv->conn_conf.write_time = k->write_time;
	srv->pool = io_pool_new(l, k->arena_max);
	list_init(&srv->conns);
	timer_init(&srv->retry, l, on_retry);
	timer_init(&srv->grace, l, on_grace);
	deferred_init(&srv->drained_call, l, call_drained);
	r = make_common(srv, err);
	if (r == 0)
		r = http_record_new(srv, err);
	if (r == 0)
		r = http_trust_read(&srv->trust, srv->conf.proxy_trusted, srv->conf.proxy_trusted_n,
				    err);
	srv->conf.proxy_trusted = NULL; /* borrowed until here */
	if (r < 0) {
		http_server_free(srv);
		return err_wrap(err, "http server");
	}
	*ret = srv;
	return 0;
}

void http_server_free(struct http_server *srv)
{
	struct conn *c;

	if (!srv)
		return;
	srv->drained = NULL;
	srv->draining = true; /* nobody is accepted in place of those who go */
	reset_all(srv);
	LIST_FOREACH (c, &srv->conns, struct conn, link)
		conn_free(c);
	while (srv->listeners_n > 0)
		http_listener_free(srv->listeners[--srv->listeners_n]);
	timer_fini(&srv->retry);
	timer_fini(&srv->grace);
	deferred_fini(&srv->drained_call);
	http_record_free(srv);
	io_pool_unref(srv->pool);
	free(srv->trust.nets);
	tls_conf_unref(srv->tls);
	free(srv->common);
	free(srv);
}

struct http_server_stats http_server_get_stats(const struct http_server *srv)
{
	struct http_server_stats st = srv->stats;

	st.connections = srv->conns_n;
	st.streams = srv->pool->streams_open;
	return st;
}
