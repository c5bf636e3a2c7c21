/* SPDX-License-Identifier: Apache-2.0 */
/* The client's way to its server: directly, by a name that is resolved, through a proxy. */
#include "base/err.h"
#include "base/fd.h"
#include "io/dial.h"
#include "io/h2.h"
#include "io/http-client-impl.h"
#include "io/transport.h"

#include <errno.h>
#include <sys/socket.h>

/* A name that is being resolved and connected to. */
struct dialing {
	struct list link;
	struct http_client *cl;
	struct dial *dial;
};

/* fd is taken. */
static int start(struct http_client *cl, int fd, bool connecting, struct conn **ret,
		 struct err *err)
{
	struct conn *c = conn_new(cl->pool, fd, &http_client_role, cl, &cl->conn_conf);
	int r = 0;

	c->client = true;
	if (cl->conf.http2 == HTTP2_PRIOR)
		h2_attach(c);
	if (cl->conf.tls)
		r = conn_use_tls(c, cl->conf.tls, cl->tls_name, cl->tls_port, err);
	if (cl->connect_text) {
		c->preamble = slice_str(cl->connect_text);
		c->tunnel = true;
	} else if (cl->proxy_header) {
		c->preamble = slice_of(cl->proxy_header, cl->proxy_header_n);
	}
	if (r == 0)
		r = conn_start(c, connecting, err);
	if (r < 0) {
		conn_free(c);
		return err_wrap(err, "connect to %s", cl->address);
	}
	list_append(c->h2 ? &cl->multi : &cl->running, &c->link);
	cl->conns_n++;
	*ret = c;
	return 0;
}

static void fail_one(struct http_client *cl, const struct err *why)
{
	struct stream *s = LIST_FIRST(&cl->waiting, struct stream, link);

	if (!s)
		return;
	list_del(&s->link);
	stream_close(s, why);
}

static void on_dialed(void *arg, int fd, const struct dial_peer *peer, struct err *err)
{
	struct dialing *d = arg;
	struct http_client *cl = d->cl;
	struct err failure = ERR_INIT;
	struct conn *c;

	list_del(&d->link);
	free(d);
	if (fd >= 0 && start(cl, fd, false, &c, &failure) == 0) {
		c->unassigned = true;
		/* With a handshake or a tunnel before it, role->connected goes on. */
		if (!c->handshaking && !c->tunnel)
			http_client_role.connected(c);
		return;
	}
	cl->opening--;
	if (fd < 0)
		failure = *err;
	(void)err_wrap(&failure, "connect to %s", cl->address);
	fail_one(cl, &failure);
	if (!cl->closing)
		http_client_serve_waiting(cl);
}

static int dial(struct http_client *cl, struct err *err)
{
	struct dial_conf conf = { .resolver = cl->conf.resolver, .time = cl->conf.connect_time };
	struct dialing *d = io_alloc(sizeof(*d));
	int r;

	d->cl = cl;
	r = dial_start(cl->loop, &conf, cl->dial_address, on_dialed, d, &d->dial, err);
	if (r < 0) {
		free(d);
		return err_wrap(err, "connect to %s", cl->address);
	}
	list_append(&cl->dialing, &d->link);
	cl->opening++;
	return 2;
}

void http_client_stop_dialing(struct http_client *cl)
{
	struct dialing *d;

	while ((d = LIST_FIRST(&cl->dialing, struct dialing, link))) {
		dial_cancel(d->dial);
		list_del(&d->link);
		free(d);
	}
}

int http_client_open(struct http_client *cl, struct conn **ret, struct err *err)
{
	__attribute__((cleanup(fd_close_cleanup_))) int fd = -1;
	int r;

	if (cl->dial_address)
		return dial(cl, err);
	fd = socket(cl->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, "connect to %s: socket", cl->address);
	r = connect(fd, (struct sockaddr *)&cl->sa, cl->sa_len);
	if (r < 0 && errno == EAGAIN)
		return 1; /* the listener's backlog is full */
	if (r < 0 && errno != EINPROGRESS)
		return err_sysc(err, ERR_UNAVAILABLE, errno, "connect to %s", cl->address);
	return start(cl, STEAL_FD(fd), r < 0, ret, err);
}
