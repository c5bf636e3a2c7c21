/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dialing, by RFC 8305. Addresses that are known wait in two queues, by family; an attempt takes
 * from the other family than the last one did, if that has any. Invariants:
 * (1) while something may still come (names, attempts, addresses) either an attempt runs, or an
 * answer is awaited, or the timer is armed;
 * (2) every socket belongs to an attempt until one wins; then all others are closed;
 * (3) fn runs once, last, from the loop, with the dial already freed.
 */
#include "io/dial.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/str.h"
#include "io/resolver.h"
#include "io/stream-impl.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/un.h>

#define ADDRESSES_MAX 64
#define UNIX_AGAIN (5 * NS_PER_MS)
#define TRIED_MAX 640 /* of err.msg */

struct attempt {
	struct source src;
	struct dial *d;
	struct dial_peer peer;
	int fd;
};

struct queue {
	struct ip_addr v[ADDRESSES_MAX];
	unsigned n, next;
};

struct dial {
	struct loop *loop;
	struct dial_conf conf;
	dial_fn *fn;
	void *arg;
	struct deferred start;
	struct timer overall, timer; /* all of it; the next attempt */
	struct resolve *resolve;
	unsigned awaited; /* families whose answer is to come */
	bool begun, out_of_time;
	int last_family;
	struct queue v6, v4;
	unsigned tried, running;
	struct attempt *attempts[ADDRESSES_MAX];
	struct buf errors; /* "192.0.2.1:80: Connection refused; ..." */
	enum err_code code;
	uint16_t port;
	struct sockaddr_un un;
	socklen_t un_len;
	char *host;
	char address[];
};

static void try_next(struct dial *d);

/* ---- ends ---- */

static void attempt_free(struct attempt *a)
{
	source_fini(&a->src);
	fd_close(a->fd);
	free(a);
}

static void dial_free(struct dial *d)
{
	deferred_fini(&d->start);
	timer_fini(&d->overall);
	timer_fini(&d->timer);
	resolve_cancel(d->resolve);
	for (unsigned i = 0; i < d->tried; i++)
		if (d->attempts[i])
			attempt_free(d->attempts[i]);
	buf_fini(&d->errors);
	free(d->host);
	free(d);
}

void dial_cancel(struct dial *d)
{
	if (d)
		dial_free(d);
}

static void succeed(struct dial *d, int fd, const struct dial_peer *peer)
{
	dial_fn *fn = d->fn;
	void *arg = d->arg;
	struct dial_peer copy = *peer;

	dial_free(d);
	fn(arg, fd, &copy, NULL);
}

static void fail(struct dial *d)
{
	dial_fn *fn = d->fn;
	void *arg = d->arg;
	struct err err = ERR_INIT;

	for (unsigned i = 0; i < d->tried; i++)
		if (d->attempts[i])
			(void)buf_addf(&d->errors, "%s%s: no answer", d->errors.n ? "; " : "",
				       d->attempts[i]->peer.text);
	if (d->out_of_time)
		(void)err_set(&err, ERR_TIMEOUT, "dial %s: not connected within %lld ms%s%s",
			      d->address, (long long)(d->conf.time / NS_PER_MS),
			      d->errors.n ? ": " : "", buf_str(&d->errors));
	else
		(void)err_set(&err, d->code ? d->code : ERR_UNAVAILABLE, "dial %s: %s", d->address,
			      d->errors.n ? buf_str(&d->errors) : "no address to try");
	dial_free(d);
	fn(arg, -1, NULL, &err);
}

static void note(struct dial *d, const char *where, const char *what)
{
	(void)buf_addf(&d->errors, "%s%s: %s", d->errors.n ? "; " : "", where, what);
}

/* ---- attempts ---- */

static int set_up(const struct dial *d, int fd)
{
	int on = 1, idle = (int)(d->conf.keepalive_idle / NS_PER_SEC);

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		return -1;
	if (idle <= 0)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle, sizeof(idle)) < 0)
		return -1;
	return 0;
}

static void fill_peer(const struct dial *d, const struct ip_addr *ip, struct dial_peer *peer)
{
	char text[INET6_ADDRSTRLEN + 16];

	*peer = (struct dial_peer){ .sa_len = ip->family == AF_INET ? sizeof(struct sockaddr_in)
								    : sizeof(struct sockaddr_in6) };
	(void)ip_addr_text(ip, text, sizeof(text));
	if (ip->family == AF_INET) {
		*(struct sockaddr_in *)&peer->sa = (struct sockaddr_in){ .sin_family = AF_INET,
									 .sin_port = htons(d->port),
									 .sin_addr = ip->v4 };
		(void)snprintf(peer->text, sizeof(peer->text), "%s:%u", text, d->port);
	} else {
		*(struct sockaddr_in6 *)&peer->sa =
			(struct sockaddr_in6){ .sin6_family = AF_INET6,
					       .sin6_port = htons(d->port),
					       .sin6_addr = ip->v6,
					       .sin6_scope_id = ip->scope };
		(void)snprintf(peer->text, sizeof(peer->text), "[%s]:%u", text, d->port);
	}
}

/* Takes the attempt apart: its fd, or -1 with errno. */
static int attempt_end(struct attempt *a)
{
	int fd = a->fd, soerr = 0;
	socklen_t n = sizeof(soerr);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &soerr, &n) < 0)
		return -1;
	if (soerr) {
		errno = soerr;
		return -1;
	}
	a->fd = -1;
	return fd;
}

static int on_writable(struct source *s, uint32_t events)
{
	struct attempt *a = CONTAINER_OF(s, struct attempt, src);
	struct dial *d = a->d;
	struct dial_peer peer = a->peer;
	int fd;

	(void)events;
	fd = attempt_end(a);
	if (fd < 0)
		note(d, a->peer.text, err_strerror(errno));
	for (unsigned i = 0; i < d->tried; i++)
		if (d->attempts[i] == a)
			d->attempts[i] = NULL;
	attempt_free(a);
	d->running--;
	if (fd >= 0)
		succeed(d, fd, &peer);
	else
		try_next(d);
	return 0;
}

/* 1 = connected at once, 0 = on its way, negative: failed, errno. */
static int attempt_start(struct dial *d, struct attempt *a)
{
	int r;

	a->fd = socket(a->peer.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (a->fd < 0)
		return -1;
	if (set_up(d, a->fd) < 0)
		return -1;
	r = connect(a->fd, (struct sockaddr *)&a->peer.sa, a->peer.sa_len);
	if (r == 0)
		return 1;
	if (errno != EINPROGRESS)
		return -1;
	return source_init(&a->src, d->loop, a->fd, EPOLLOUT, on_writable, NULL);
}

static const struct ip_addr *take(struct dial *d)
{
	struct queue *first = d->last_family == AF_INET6 ? &d->v4 : &d->v6, *q = first;

	if (q->next == q->n)
		q = first == &d->v4 ? &d->v6 : &d->v4;
	if (q->next == q->n || d->tried == d->conf.addresses_max)
		return NULL;
	d->last_family = q == &d->v6 ? AF_INET6 : AF_INET;
	return &q->v[q->next++];
}

static bool has_more(const struct dial *d)
{
	return d->tried < d->conf.addresses_max && (d->v6.next < d->v6.n || d->v4.next < d->v4.n);
}

/* keeps (1) */
static void try_next(struct dial *d)
{
	const struct ip_addr *ip;

	timer_clear(&d->timer);
	while ((ip = take(d))) {
		struct attempt *a = io_alloc(sizeof(*a));
		int r;

		*a = (struct attempt){ .src = SOURCE_INIT, .d = d, .fd = -1 };
		fill_peer(d, ip, &a->peer);
		d->attempts[d->tried++] = a;
		r = attempt_start(d, a);
		if (r == 1) {
			struct dial_peer peer = a->peer;

			succeed(d, STEAL_FD(a->fd), &peer);
			return;
		}
		if (r == 0) {
			d->running++;
			if (has_more(d))
				timer_set_after(&d->timer, d->conf.attempt_delay);
			return;
		}
		note(d, a->peer.text, err_strerror(errno));
		attempt_free(a);
		d->attempts[d->tried - 1] = NULL;
	}
	if (!d->running && !d->awaited)
		fail(d);
}

static int on_timer(struct timer *t)
{
	struct dial *d = CONTAINER_OF(t, struct dial, timer);

	d->begun = true;
	try_next(d);
	return 0;
}

static int on_overall(struct timer *t)
{
	struct dial *d = CONTAINER_OF(t, struct dial, overall);

	d->out_of_time = true;
	fail(d);
	return 0;
}

/* ---- names ---- */

static void add(struct dial *d, const struct ip_addr *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct queue *q = v[i].family == AF_INET ? &d->v4 : &d->v6;

		if (q->n < ADDRESSES_MAX)
			q->v[q->n++] = v[i];
	}
}

static void on_resolved(void *arg, const struct resolve_result *res)
{
	struct dial *d = arg;

	if (res->last)
		d->resolve = NULL;
	d->awaited--;
	if (res->err && res->last && !d->v4.n && !d->v6.n && !res->n) {
		d->code = res->err->code;
		(void)buf_adds(&d->errors, res->err->msg);
	}
	add(d, res->addrs, res->n);
	if (d->begun) {
		if (!d->running || !timer_armed(&d->timer))
			d->running ? timer_set_after(&d->timer, d->conf.attempt_delay)
				   : try_next(d);
	} else if (d->awaited && res->family == AF_INET && res->n) {
		/* RFC 8305 section 3: a moment for IPv6 */
		timer_set_after(&d->timer, MAX(d->conf.resolution_delay, (int64_t)0));
	} else if (!d->awaited || res->n) {
		d->begun = true;
		try_next(d);
	}
}

static void resolve(struct dial *d)
{
	static const struct ip_addr loopback[] = {
		{ .family = AF_INET6, .v6 = IN6ADDR_LOOPBACK_INIT },
		{ .family = AF_INET, .v4 = { .s_addr = 0x0100007f } },
	};
	unsigned families = d->conf.v4_only   ? RESOLVE_V4
			    : d->conf.v6_only ? RESOLVE_V6
					      : RESOLVE_BOTH;
	struct err err = ERR_INIT;
	struct ip_addr ip;

	d->begun = true;
	if (ip_addr_parse(slice_str(d->host), &ip)) {
		add(d, &ip, 1);
		try_next(d);
	} else if (!d->conf.resolver) {
		for (unsigned i = 0; i < 2; i++)
			if (families & (i ? RESOLVE_V4 : RESOLVE_V6))
				add(d, &loopback[i], 1);
		try_next(d);
	} else {
		d->begun = false;
		d->awaited = families == RESOLVE_BOTH ? 2 : 1;
		if (resolver_lookup(d->conf.resolver, d->host, families, on_resolved, d,
				    &d->resolve, &err) < 0) {
			d->awaited = 0;
			d->code = err.code;
			(void)buf_adds(&d->errors, err.msg);
			fail(d);
		}
	}
}

/* ---- Unix sockets ---- */

static int on_unix_timer(struct timer *t);

static void dial_unix(struct dial *d)
{
	struct dial_peer peer = { .sa_len = d->un_len };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(&peer.sa, &d->un, d->un_len);
	(void)snprintf(peer.text, sizeof(peer.text), "%s%.*s", d->un.sun_path[0] ? "" : "@", 108,
		       d->un.sun_path + !d->un.sun_path[0]);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&d->un, d->un_len) == 0) {
		succeed(d, fd, &peer);
		return;
	}
	if (fd >= 0 && errno == EAGAIN) {
		/* The backlog is full, and the kernel tells nobody when it no longer is. */
		fd_close(fd);
		timer_set_after(&d->timer, UNIX_AGAIN);
		return;
	}
	note(d, peer.text, err_strerror(errno));
	fd_close(fd);
	fail(d);
}

static int on_unix_timer(struct timer *t)
{
	dial_unix(CONTAINER_OF(t, struct dial, timer));
	return 0;
}

/* ---- addresses ---- */

static int bad_address(struct err *err, const char *address, const char *why)
{
	return err_set(err, ERR_INVALID, "'%.200s' is no address to dial: %s", address, why);
}

static int parse_unix(struct dial *d, const char *path, struct err *err)
{
	size_t n = strlen(path);
	bool abstract = *path == '@';

	if (n == 0 || (abstract && n == 1))
		return bad_address(err, d->address, "the path is empty");
	if (n >= sizeof(d->un.sun_path))
		return bad_address(err, d->address, "a Unix socket's path has at most 107 bytes");
	d->un.sun_family = AF_UNIX;
	memcpy(d->un.sun_path, path, n + 1);
	if (abstract)
		d->un.sun_path[0] = '\0';
	d->un_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + !abstract);
	return 0;
}

static int parse_host(struct dial *d, struct slice s, struct err *err)
{
	struct slice host = s, port = { NULL, 0 };
	const char *colon = s.n ? memrchr(s.p, ':', s.n) : NULL,
		   *bracket = s.n ? memrchr(s.p, ']', s.n) : NULL;
	uint64_t n = d->conf.port;

	if (colon && bracket && colon < bracket)
		colon = NULL;
	/* "::1" without brackets is a host, not host and port */
	if (colon && !bracket && memchr(s.p, ':', s.n) != colon)
		colon = NULL;
	if (colon) {
		host.n = (size_t)(colon - s.p);
		port = slice_of(colon + 1, s.n - host.n - 1);
	}
	if (port.p && (str_uint64(port, &n, NULL) < 0 || n == 0 || n > 65535))
		return bad_address(err, d->address, "the port is not 1 to 65535");
	if (n == 0)
		return bad_address(err, d->address, "the port is missing");
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = slice_of(host.p + 1, host.n - 2);
	if (host.n == 0)
		return bad_address(err, d->address, "the host is missing");
	if (memchr(host.p, '/', host.n) || memchr(host.p, '[', host.n))
		return bad_address(err, d->address, "neither path nor URL belongs there");
	d->port = (uint16_t)n;
	d->host = strndup(host.p, host.n);
	if (!d->host)
		abort();
	return 0;
}

static int parse(struct dial *d, struct err *err)
{
	struct slice s = slice_str(d->address);
	const char *scheme = strstr(d->address, "://");
	struct ip_addr ip;
	int r;

	if (slice_starts(s, SLICE("unix://")))
		return parse_unix(d, s.p + 7, err);
	if (slice_starts(s, SLICE("unix:")))
		return parse_unix(d, s.p + 5, err);
	if (s.n && (*s.p == '/' || *s.p == '@'))
		return parse_unix(d, s.p, err);
	if (slice_starts(s, SLICE("tcp://")))
		s = slice_of(s.p + 6, s.n - 6);
	else if (scheme)
		return err_set(err, ERR_UNSUPPORTED,
			       "'%.200s' cannot be dialed: the scheme is neither unix nor tcp",
			       d->address);
	r = parse_host(d, s, err);
	if (r < 0)
		return r;
	if (!ip_addr_parse(slice_str(d->host), &ip) && !d->conf.resolver &&
	    !slice_ieq(slice_str(d->host), SLICE("localhost")))
		return err_set(err, ERR_UNSUPPORTED,
			       "'%.200s' cannot be dialed: names are not resolved here, give a "
			       "numeric address",
			       d->address);
	return 0;
}

static void on_start(struct deferred *def)
{
	struct dial *d = CONTAINER_OF(def, struct dial, start);

	if (d->un_len)
		dial_unix(d);
	else
		resolve(d);
}

static void defaults(struct dial_conf *c)
{
	c->time = c->time ? c->time : 10 * NS_PER_SEC;
	c->attempt_delay = c->attempt_delay ? c->attempt_delay : 250 * NS_PER_MS;
	c->attempt_delay = MAX(c->attempt_delay, 10 * NS_PER_MS);
	c->resolution_delay = c->resolution_delay ? c->resolution_delay : 50 * NS_PER_MS;
	c->keepalive_idle = c->keepalive_idle ? c->keepalive_idle : 30 * NS_PER_SEC;
	c->addresses_max = c->addresses_max ? MIN(c->addresses_max, (unsigned)ADDRESSES_MAX) : 16;
}

int dial_start(struct loop *l, const struct dial_conf *conf, const char *address, dial_fn *fn,
	       void *arg, struct dial **ret, struct err *err)
{
	size_t n = strlen(address);
	struct dial *d = io_alloc(sizeof(*d) + n + 1);
	int r;

	if (conf)
		d->conf = *conf;
	defaults(&d->conf);
	d->loop = l;
	d->fn = fn;
	d->arg = arg;
	d->last_family = AF_INET;
	d->errors = BUF_INIT(TRIED_MAX);
	memcpy(d->address, address, n);
	timer_init(&d->overall, l, on_overall);
	deferred_init(&d->start, l, on_start);
	r = parse(d, err);
	timer_init(&d->timer, l, d->un_len ? on_unix_timer : on_timer);
	if (r < 0) {
		dial_free(d);
		return r;
	}
	timer_set_after(&d->overall, d->conf.time);
	deferred_call(&d->start);
	*ret = d;
	return 0;
}

/* ---- blocking ---- */

struct waited {
	int fd;
	bool done;
	struct dial_peer *peer;
	struct err *err;
	int r;
};

static void on_waited(void *arg, int fd, const struct dial_peer *peer, struct err *err)
{
	struct waited *w = arg;

	w->done = true;
	w->fd = fd;
	if (fd >= 0 && w->peer)
		*w->peer = *peer;
	if (fd < 0) {
		w->r = err_ret(err);
		if (w->err)
			*w->err = *err;
	}
}

int dial_wait(const struct dial_conf *conf, const char *address, bool names, int *ret_fd,
	      struct dial_peer *peer, struct err *err)
{
	CLEANUP(loop_free) struct loop *l = NULL;
	CLEANUP(resolver_free) struct resolver *res = NULL;
	struct dial_conf c = conf ? *conf : (struct dial_conf){ 0 };
	struct waited w = { .fd = -1, .peer = peer, .err = err };
	struct dial *d = NULL;
	int r;

	r = loop_new(&l, err);
	if (r == 0 && names)
		r = resolver_new(l, NULL, &res, err);
	if (r < 0)
		return r;
	c.resolver = res;
	r = dial_start(l, &c, address, on_waited, &w, &d, err);
	while (r >= 0 && !w.done)
		r = loop_step(l, -1, err);
	if (r < 0 && !w.done)
		dial_cancel(d);
	if (r < 0)
		return r;
	if (w.r < 0)
		return w.r;
	*ret_fd = w.fd;
	return 0;
}
