/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's side: listeners, accepting within limits, requests to the handler, answers' heads,
 * graceful end. Connections do the rest (conn.c). A listener of ours is a path with a lock file; an
 * inherited one is only an fd.
 */
#include "io/http-server.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "io/conn.h"
#include "io/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ACCEPT_ROUND 64
#define ACCEPT_RETRY (100 * NS_PER_MS)
#define LISTENERS_MAX 16

struct listener {
	struct source src;
	struct http_server *srv;
	int fd, lock_fd;
	char *path; /* Unix socket that we made */
	char address[128];
	bool exported;
	dev_t dev; /* of our socket's name, so that a successor's is never unlinked */
	ino_t ino;
};

struct http_server {
	struct loop *loop;
	struct http_server_conf conf;
	struct conn_conf conn_conf;
	struct io_pool *pool;
	struct listener *listeners[LISTENERS_MAX];
	size_t listeners_n;
	struct list conns;
	size_t conns_n;
	struct timer retry; /* after EMFILE */
	struct timer grace;
	struct deferred drained_call;
	void (*drained)(void *arg);
	void *drained_arg;
	bool draining, paused;
	struct http_server_stats stats;
	char *common; /* header lines ready to send */
	size_t common_len;
	time_t date_at;
	char date[48];
	size_t date_len;
};

static void set_accepting(struct http_server *srv);
static void check_drained(struct http_server *srv);

/* ---- answers ---- */

static struct slice date_line(struct http_server *srv)
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

static char *put_headers(char *d, const struct stream *s)
{
	for (const struct out_header *h = s->out; h; h = h->next) {
		d = put(d, h->name.p, h->name.n);
		d = put(d, ": ", 2);
		d = put(d, h->value.p, h->value.n);
		d = put(d, "\r\n", 2);
	}
	return d;
}

/* Writes the head straight into the output buffer; framing is its last lines. */
static void send_head(struct conn *c, struct stream *s, struct slice framing)
{
	struct http_server *srv = c->owner;
	const char *reason = h1_reason(s->status);
	struct slice date = date_line(srv);
	size_t need = 64 + strlen(reason) + date.n + srv->common_len + framing.n;
	char *start, *d;

	for (const struct out_header *h = s->out; h; h = h->next)
		need += h->name.n + h->value.n + 4;
	start = d = iobuf_room(c->pool, &c->out, need);
	d = put(d, "HTTP/1.1 ", 9);
	*d++ = (char)('0' + s->status / 100);
	*d++ = (char)('0' + s->status / 10 % 10);
	*d++ = (char)('0' + s->status % 10);
	*d++ = ' ';
	d = put(d, reason, strlen(reason));
	d = put(d, "\r\n", 2);
	d = put(d, srv->common, srv->common_len);
	d = put(d, date.p, date.n);
	d = put_headers(d, s);
	d = put(d, framing.p, framing.n);
	d = put(d, "\r\n", 2);
	c->out.n += (size_t)(d - start);
}

static size_t put_number(char *d, uint64_t v)
{
	char tmp[20];
	size_t n = 0, i;

	do {
		tmp[n++] = (char)('0' + v % 10);
	} while (v /= 10);
	for (i = 0; i < n; i++)
		d[i] = tmp[n - 1 - i];
	return n;
}

static struct slice framing_lines(char buf[96], struct conn *c, const struct stream *s,
				  int64_t length, bool chunked)
{
	char *d = buf;

	if (length >= 0 && s->status != 204 && s->status != 304 && s->status >= 200) {
		d = put(d, "Content-Length: ", 16);
		d += put_number(d, (uint64_t)length);
		d = put(d, "\r\n", 2);
	} else if (chunked) {
		d = put(d, "Transfer-Encoding: chunked\r\n", 28);
	}
	if (!c->keep_alive)
		d = put(d, "Connection: close\r\n", 19);
	else if (s->rq.minor == 0)
		d = put(d, "Connection: keep-alive\r\n", 24);
	return slice_of(buf, (size_t)(d - buf));
}

static int op_answer(struct stream *s, int64_t length, const struct slice *whole)
{
	struct conn *c = s->conn;
	bool chunked = length < 0 && s->rq.minor >= 1 && !s->no_body;
	char framing[96];

	conn_enter(c);
	/* Without a length and without chunks the end is the close. A request body that may never
	 * come likewise. */
	if ((length < 0 && s->rq.minor == 0 && !s->no_body) || c->expect ||
	    ((struct http_server *)c->owner)->draining)
		c->keep_alive = false;
	c->streamed = !whole;
	send_head(c, s, framing_lines(framing, c, s, length, chunked));
	conn_out_begin(c, length, chunked);
	if (whole) {
		s->ended_out = true;
		c->out_state = OUT_DONE;
		if (!s->no_body && whole->n)
			conn_send(c, whole, 1);
	}
	conn_leave(c);
	return s->conn && c->broken ? -ERR_UNAVAILABLE : 0;
}

static int op_hijack(struct stream *s, struct err *err)
{
	struct conn *c = s->conn;
	char framing[192];
	struct slice up = s->rq.upgrade;
	int n = 0;

	if (c->in_state != IN_DONE && !(c->in_state == IN_BODY && c->body.done))
		return err_set(err, ERR_CONFLICT, "hijack: the request's body must be read first");
	if (s->status == 101 && (up.n == 0 || up.n > 64))
		return err_set(err, ERR_BAD_REQUEST,
			       "hijack: the client did not ask for an upgrade");
	if (s->status == 101)
		n = snprintf(framing, sizeof(framing), "Connection: Upgrade\r\nUpgrade: %.*s\r\n",
			     (int)up.n, up.p);
	conn_enter(c);
	s->head_sent = s->hijacked = true;
	s->ended_in = false;
	c->keep_alive = false;
	c->streamed = true;
	send_head(c, s, slice_of(framing, (size_t)n));
	c->in_state = IN_RAW;
	c->out_state = OUT_RAW;
	c->out_closed = false;
	conn_leave(c);
	return 0;
}

static const struct stream_ops server_ops = {
	.credit = conn_op_credit,
	.answer = op_answer,
	.write = conn_op_write,
	.end = conn_op_end,
	.reset = conn_op_reset,
	.hijack = op_hijack,
	.detach = conn_op_detach,
	.queued = conn_op_queued,
};

/* ---- requests ---- */

/* Answers what is not a request and closes. The handler never hears of it. */
static void refuse(struct conn *c, int status, const struct err *why)
{
	struct http_server *srv = c->owner;
	CLEANUP(buf_fini) struct buf body = BUF_INIT(8192);
	struct stream *s = stream_new(c->pool, &server_ops, c);
	const char *type = "text/plain; charset=utf-8";
	struct slice bytes;
	char framing[96];

	srv->stats.refused++;
	if (srv->conf.refuse)
		type = srv->conf.refuse(&body, status, why->msg);
	else
		(void)buf_addf(&body, "%s\n", why->msg); /* fits */
	s->status = status;
	s->rq.minor = 1;
	c->keep_alive = false;
	(void)stream_set_header(s, "Content-Type",
				type); /* left out if the caller's type is no value */
	bytes = buf_slice(&body);
	send_head(c, s, framing_lines(framing, c, s, (int64_t)bytes.n, false));
	conn_send(c, &bytes, 1);
	s->conn = NULL;
	stream_unref(s);
	c->out_closed = false;
	conn_linger(c);
}

static int on_head(struct conn *c, struct slice head)
{
	struct http_server *srv = c->owner;
	struct stream *s = stream_new(c->pool, &server_ops, c);
	struct h1_head m = { 0 };
	struct err err = ERR_INIT;
	int status = 400, r;
	char *copy = arena_strndup(s->arena, head.p, head.n);

	r = copy ? h1_parse_request(s->arena, slice_of(copy, head.n), &c->conf->limits, &m, &err,
				    &status)
		 : arena_quota(s->arena, &err);
	if (r < 0) {
		s->conn = NULL;
		stream_unref(s);
		refuse(c, status, &err);
		return r;
	}
	srv->stats.requests++;
	s->rq = m.rq;
	s->headers = m.headers;
	s->headers_n = m.headers_n;
	s->length = m.rq.length;
	s->peer = &c->peer;
	s->queue_mark = c->conf->queue_mark;
	c->keep_alive = m.keep_alive && !srv->draining;
	c->expect = m.expect_continue;
	c->cur = s;
	c->out_state = OUT_NONE;
	c->streamed = false;
	conn_in_begin(c, m.body, m.length);
	srv->conf.request(s, srv->conf.arg);
	return 0;
}

static void on_idle(struct conn *c)
{
	struct http_server *srv = c->owner;

	if (srv->draining)
		conn_linger(c);
}

static void on_gone(struct conn *c)
{
	struct http_server *srv = c->owner;

	srv->conns_n--;
	set_accepting(srv);
	check_drained(srv);
}

static bool on_timeout(struct conn *c)
{
	struct http_server *srv = c->owner;
	struct err err = ERR_INIT;

	srv->stats.timeouts++;
	if (c->in_state != IN_HEAD || c->cur || c->out_blocked)
		return false;
	if (iobuf_len(&c->in) == 0) {
		conn_fail(c, NULL);
		return true;
	}
	(void)err_set(&err, ERR_TIMEOUT, "the request did not arrive in time");
	refuse(c, 408, &err);
	return true;
}

static const struct conn_role server_role = {
	.head = on_head,
	.bad_head = refuse,
	.idle = on_idle,
	.gone = on_gone,
	.timeout = on_timeout,
};

/* ---- accepting ---- */

static int take_connection(struct http_server *srv, int fd, struct err *err)
{
	struct conn *c = conn_new(srv->pool, fd, &server_role, srv, &srv->conn_conf);
	int r = conn_start(c, false, err);

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
static void set_accepting(struct http_server *srv)
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
	set_accepting(srv);
	return 0;
}

static int on_accept(struct source *src, uint32_t events)
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
			(void)take_connection(srv, fd, NULL); /* closed again; the client sees it */
	}
	set_accepting(srv);
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
	return take_connection(srv, fd_taken, err);
}

/* ---- listeners ---- */

static void listener_free(struct listener *l)
{
	struct stat st;

	source_fini(&l->src);
	fd_close(l->fd);
	/* A path that somebody else has put there meanwhile is not ours to remove. */
	if (l->path && !l->exported && lstat(l->path, &st) == 0 && st.st_dev == l->dev &&
	    st.st_ino == l->ino)
		(void)unlink(l->path); /* stale otherwise, which the next start copes with */
	fd_close(l->lock_fd);
	free(l->path);
	free(l);
}

static void name_listener(struct listener *l)
{
	struct sockaddr_storage sa = { 0 };
	const struct sockaddr_un *un = (const void *)&sa;
	const struct sockaddr_in *v4 = (const void *)&sa;
	const struct sockaddr_in6 *v6 = (const void *)&sa;
	socklen_t len = sizeof(sa);
	char host[INET6_ADDRSTRLEN] = "";

	if (getsockname(l->fd, (struct sockaddr *)&sa, &len) < 0)
		sa.ss_family = AF_UNSPEC;
	if (sa.ss_family == AF_UNIX) {
		(void)snprintf(l->address, sizeof(l->address), "unix://%.108s", un->sun_path);
	} else if (sa.ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		(void)snprintf(l->address, sizeof(l->address), "tcp://%s:%u", host,
			       ntohs(v4->sin_port));
	} else if (sa.ss_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		(void)snprintf(l->address, sizeof(l->address), "tcp://[%s]:%u", host,
			       ntohs(v6->sin6_port));
	} else {
		(void)str_copy(l->address, sizeof(l->address), "fd://"); /* fits */
	}
}

static int add_listener(struct http_server *srv, int fd_taken, struct listener **ret,
			struct err *err)
{
	struct listener *l;
	int r;

	if (srv->listeners_n == LISTENERS_MAX) {
		fd_close(fd_taken);
		return err_set(err, ERR_QUOTA, "more than %d listeners", LISTENERS_MAX);
	}
	l = io_alloc(sizeof(*l));
	l->src = SOURCE_INIT;
	l->srv = srv;
	l->fd = fd_taken;
	l->lock_fd = -1;
	name_listener(l);
	if (fd_set_nonblock(l->fd, true) < 0 || listen(l->fd, 4096) < 0)
		r = err_sys(err, "listen on '%s'", l->address);
	else
		r = source_init(&l->src, srv->loop, l->fd, EPOLLIN, on_accept, err);
	if (r < 0) {
		listener_free(l);
		return r;
	}
	srv->listeners[srv->listeners_n++] = l;
	set_accepting(srv);
	*ret = l;
	return 0;
}

/* 1 = somebody answers at the path, 0 = nobody (stale or absent). */
static int is_served(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return 1;
	r = connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
	/* EAGAIN is a full backlog: alive. */
	r = r == 0 || errno == EAGAIN || errno == EPERM || errno == EACCES;
	fd_close(fd);
	return r;
}

static int take_lock(const char *path, int *ret, struct err *err)
{
	char lock[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];
	__attribute__((cleanup(fd_close_cleanup_))) int fd = -1;

	(void)snprintf(lock, sizeof(lock), "%s.lock", path); /* the path was measured */
	fd = openat(AT_FDCWD, lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, "lock file '%s'", lock);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(err, ERR_EXISTS,
				       "another server holds '%s'; stop it or choose another path",
				       lock);
		return err_sys(err, "lock '%s'", lock);
	}
	*ret = STEAL_FD(fd);
	return 0;
}

/* Binds and gives the name its rights: closed to all until mode and group are set. */
static int bind_unix(int fd, const struct sockaddr_un *sa, mode_t mode, gid_t gid, struct err *err)
{
	const char *path = sa->sun_path;
	struct stat st;

	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return err_set(err, ERR_EXISTS,
				       "'%s' is there and not a socket; remove it first", path);
		if (is_served(sa))
			return err_set(
				err, ERR_EXISTS,
				"another server listens on '%s'; stop it or choose another path",
				path);
		if (unlink(path) < 0)
			return err_sys(err, "remove stale socket '%s'", path);
	}
	if (fchmod(fd, 0600 & mode) < 0)
		return err_sys(err, "socket for '%s'", path);
	if (bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0)
		return err_sys(err, "bind '%s'", path);
	if ((gid != (gid_t)-1 && lchown(path, (uid_t)-1, gid) < 0) || chmod(path, mode) < 0) {
		int r = err_sys(err, "rights of '%s'", path);

		(void)unlink(path); /* we made it just now */
		return r;
	}
	return 0;
}

int http_server_listen_unix(struct http_server *srv, const char *path, mode_t mode, gid_t gid,
			    struct err *err)
{
	__attribute__((cleanup(fd_close_cleanup_))) int fd = -1, lock = -1;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct listener *l;
	struct stat st;
	int r;

	if (!str_copy(sa.sun_path, sizeof(sa.sun_path), path) || path[0] != '/')
		return err_set(err, ERR_INVALID,
			       "socket path '%s' is not absolute or longer than %zu bytes", path,
			       sizeof(sa.sun_path) - 1);
	r = take_lock(path, &lock, err);
	if (r < 0)
		return err_wrap(err, "listen on unix://%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, "listen on unix://%s: socket", path);
	r = bind_unix(fd, &sa, mode, gid, err);
	if (r < 0)
		return err_wrap(err, "listen on unix://%s", path);
	r = add_listener(srv, STEAL_FD(fd), &l, err);
	if (r < 0) {
		(void)unlink(path); /* we made it just now */
		return r;
	}
	l->lock_fd = STEAL_FD(lock);
	l->path = strdup(path);
	if (l->path && lstat(path, &st) == 0) {
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	return 0;
}

int http_server_listen_tcp(struct http_server *srv, const char *addr, struct err *err)
{
	__attribute__((cleanup(fd_close_cleanup_))) int fd = -1;
	struct sockaddr_storage sa;
	struct listener *l;
	socklen_t len;
	int on = 1, off = 0, r;

	r = url_sockaddr(addr, &sa, &len, err);
	if (r < 0)
		return err_wrap(err, "listen on tcp://%s", addr);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 && errno == EAFNOSUPPORT && addr[0] == ':') {
		struct sockaddr_in v4 = { .sin_family = AF_INET,
					  .sin_port = ((struct sockaddr_in6 *)&sa)->sin6_port };

		memcpy(&sa, &v4, sizeof(v4));
		len = sizeof(v4);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	if (fd < 0)
		return err_sys(err, "listen on tcp://%s: socket", addr);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return err_sys(err, "listen on tcp://%s: SO_REUSEADDR", addr);
	if (sa.ss_family ==
	    AF_INET6) /* ":port" means IPv4 as well, whatever the machine's default is */
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, addr[0] == ':' ? &off : &on,
				 sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, len) < 0)
		return err_sysc(err, errno == EADDRINUSE ? ERR_EXISTS : ERR_SYSTEM, errno,
				"listen on tcp://%s: bind", addr);
	return add_listener(srv, STEAL_FD(fd), &l, err);
}

int http_server_listen_fd(struct http_server *srv, int fd_taken, struct err *err)
{
	struct listener *l;
	socklen_t len = sizeof(int);
	int on = 0;

	if (getsockopt(fd_taken, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) < 0 || !on) {
		fd_close(fd_taken);
		return err_set(err, ERR_INVALID, "fd %d is not a listening socket", fd_taken);
	}
	return add_listener(srv, fd_taken, &l, err);
}

unsigned http_listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t p = 0, n = 0;
	bool ours = pid && fds && str_uint64(slice_str(pid), &p, NULL) == 0 &&
		    p == (uint64_t)getpid() && str_uint64(slice_str(fds), &n, NULL) == 0 && n > 0 &&
		    n <= LISTENERS_MAX;

	/* They are for this process only: children must not take them for theirs. */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (!ours)
		return 0;
	for (int fd = 3; fd < 3 + (int)n; fd++)
		(void)fd_set_cloexec(
			fd, true); /* an fd that is not there fails in listen_fd, by name */
	return (unsigned)n;
}

size_t http_server_listeners(const struct http_server *srv)
{
	return srv->listeners_n;
}

const char *http_server_address(const struct http_server *srv, size_t i)
{
	return i < srv->listeners_n ? srv->listeners[i]->address : "";
}

int http_server_export(struct http_server *srv, size_t i, int *ret_fd, struct err *err)
{
	int fd;

	if (i >= srv->listeners_n)
		return err_set(err, ERR_NOT_FOUND, "there is no listener %zu", i);
	fd = fd_dup(srv->listeners[i]->fd);
	if (fd < 0)
		return err_sys(err, "export of '%s'", srv->listeners[i]->address);
	srv->listeners[i]->exported = true;
	*ret_fd = fd;
	return 0;
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
	set_accepting(srv);
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
	srv->conn_conf.head_time = k->head_time;
	srv->conn_conf.body_time = k->body_time;
	srv->conn_conf.idle_time = k->idle_time;
	srv->conn_conf.write_time = k->write_time;
	srv->pool = io_pool_new(l, k->arena_max);
	list_init(&srv->conns);
	timer_init(&srv->retry, l, on_retry);
	timer_init(&srv->grace, l, on_grace);
	deferred_init(&srv->drained_call, l, call_drained);
	r = k->http2 == HTTP2_PRIOR || k->http2 == HTTP2_UPGRADE
		    ? err_set(err, ERR_UNSUPPORTED, "HTTP/2 without TLS is not there yet")
		    : make_common(srv, err);
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
		listener_free(srv->listeners[--srv->listeners_n]);
	timer_fini(&srv->retry);
	timer_fini(&srv->grace);
	deferred_fini(&srv->drained_call);
	io_pool_unref(srv->pool);
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
