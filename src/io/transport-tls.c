/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS below a connection.
 *
 * Ciphertext has no home of its own: it is received into and sealed into one scratch area that all
 * connections of a pool share, and only what cannot be used or sent at once is kept: the begin of a
 * record (in), what the socket did not take (out). So an idle connection has no buffer. Whole
 * records are opened straight into the codec's input; `plain` is for the rare case that there is
 * too little room for one.
 */
#include "io/transport.h"

#include "base/err.h"
#include "crypto/tls.h"
#include "io/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BATCH 65536u /* plaintext sealed and sent at once: stays in the CPU's cache */
#define SCRATCH (BATCH + 4096u)

struct tls_transport {
	struct tls *tls;
	struct iobuf in, out, plain;
	bool to_scratch;	 /* the sink writes to the pool's scratch: within tls_send */
	bool kernel_asked, shut; /* half-closed by us: the socket follows when out is empty */
	size_t sealed;		 /* bytes in the scratch */
};

/* ---- the sink ---- */

static char *sink_room(void *arg, size_t n)
{
	struct conn *c = arg;
	struct tls_transport *t = c->tr_state;

	if (!t->to_scratch)
		return iobuf_room(c->pool, &t->out, n);
	assert(t->sealed + n <= SCRATCH);
	return c->pool->scratch + t->sealed;
}

static void sink_wrote(void *arg, size_t n)
{
	struct conn *c = arg;
	struct tls_transport *t = c->tr_state;

	if (t->to_scratch)
		t->sealed += n;
	else
		t->out.n += n;
}

/* ---- out ---- */

/* Bytes taken, or -1 with errno other than EAGAIN. */
static ssize_t push(struct conn *c, const char *p, size_t n)
{
	ssize_t r;

	do {
		r = send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (r < 0 && errno == EINTR);
	return r < 0 && errno == EAGAIN ? 0 : r;
}

/* Sends what is held back. False: the socket broke. */
static bool push_held(struct conn *c, struct tls_transport *t)
{
	ssize_t r;

	if (iobuf_len(&t->out) > 0) {
		r = push(c, t->out.p + t->out.off, iobuf_len(&t->out));
		if (r < 0)
			return false;
		iobuf_consume(c->pool, &t->out, (size_t)r);
	}
	c->tr_out = iobuf_len(&t->out) > 0 || (t->shut && tls_close_held(t->tls));
	if (t->shut && !c->tr_out)
		(void)shutdown(c->fd, SHUT_WR); /* reading tells if it was closed already */
	return true;
}

/* Up to BATCH bytes of v, which is advanced. */
static size_t take_batch(struct iovec **v, unsigned *n, struct slice *out, unsigned *out_n)
{
	size_t total = 0;

	*out_n = 0;
	while (*n > 0 && total < BATCH && *out_n < 6) {
		size_t k = MIN((*v)->iov_len, BATCH - total);

		out[(*out_n)++] = slice_of((*v)->iov_base, k);
		total += k;
		(*v)->iov_base = (char *)(*v)->iov_base + k;
		(*v)->iov_len -= k;
		if ((*v)->iov_len == 0) {
			(*v)++;
			(*n)--;
		}
	}
	return total;
}

/* Seals a batch into the scratch and sends it. 1 = all went out; 0 = some is held back; -1. */
static int send_batch(struct conn *c, struct tls_transport *t, const struct slice *v, unsigned n)
{
	ssize_t sent;
	int r;

	t->to_scratch = true;
	t->sealed = 0;
	r = tls_write(t->tls, v, n, NULL);
	t->to_scratch = false;
	if (r < 0) {
		errno = EPIPE;
		return -1;
	}
	sent = push(c, c->pool->scratch, t->sealed);
	if (sent < 0)
		return -1;
	if ((size_t)sent == t->sealed)
		return 1;
	iobuf_add(c->pool, &t->out, c->pool->scratch + sent, t->sealed - (size_t)sent);
	c->tr_out = true;
	return 0;
}

static ssize_t tls_send(struct conn *c, struct iovec *v, unsigned n)
{
	struct tls_transport *t = c->tr_state;
	struct slice pieces[8];
	size_t total = 0, k;
	unsigned pieces_n;
	int r = 1;

	if (!push_held(c, t))
		return -1;
	if (c->tr_out) {
		errno = EAGAIN;
		return n ? -1 : 0;
	}
	if (!t->kernel_asked) {
		t->kernel_asked = true;
		(void)tls_offload(t->tls, c->fd);
	}
	if (tls_is_offloaded(t->tls))
		return n ? tls_kernel_send(t->tls, v, n) : 0;
	while (r == 1 && (k = take_batch(&v, &n, pieces, &pieces_n)) > 0) {
		r = send_batch(c, t, pieces, pieces_n);
		if (r < 0)
			return total ? (ssize_t)total : -1;
		total += k;
	}
	return (ssize_t)total;
}

static ssize_t tls_send_file(struct conn *c, int fd, uint64_t at, size_t n)
{
	struct tls_transport *t = c->tr_state;

	if (!tls_is_offloaded(t->tls)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (!push_held(c, t))
		return -1;
	if (c->tr_out) {
		errno = EAGAIN;
		return -1;
	}
	return tls_kernel_send_file(t->tls, fd, at, n);
}

static void tls_shutdown(struct conn *c)
{
	struct tls_transport *t = c->tr_state;

	tls_close(t->tls);
	t->shut = true;
	(void)push_held(c, t);
}

/* ---- in ---- */

/* Opens what is in `from`, as far as there is room. Bytes; 0; negative: err. */
static ssize_t open_records(struct tls_transport *t, struct tls_input *from, char *dst, size_t room,
			    struct err *err)
{
	size_t got = 0;
	ssize_t n;

	do {
		n = tls_read(t->tls, from, dst + got, room - got, err);
		if (n < 0)
			return got ? (ssize_t)got : n; /* the next call says it again */
		got += (size_t)n;
	} while (n > 0 && from->n > 0 && room - got >= TLS_RECORD_MAX);
	return (ssize_t)got;
}

/* What was not used is kept. */
static void keep_rest(struct conn *c, struct tls_transport *t, const struct tls_input *rest)
{
	if (t->in.p)
		iobuf_consume(c->pool, &t->in, iobuf_len(&t->in) - rest->n);
	else if (rest->n > 0)
		iobuf_add(c->pool, &t->in, rest->p, rest->n);
}

/* One recv of at most `most` bytes, behind what is kept. 1; 0 = end of file; -1 with errno. */
static ssize_t fill(struct conn *c, struct tls_transport *t, size_t most, struct tls_input *ret)
{
	size_t kept = iobuf_len(&t->in);
	char *p = c->pool->scratch;
	ssize_t n;

	most = MIN(most, (size_t)IOBUF_SIZE);
	if (kept > 0) {
		most = MAX(most, kept + 1) - kept;
		p = iobuf_room(c->pool, &t->in, MIN(most, TLS_RECORD_MAX));
		most = MIN(most, t->in.cap - t->in.n);
	}
	n = recv(c->fd, p, most, MSG_DONTWAIT);
	if (n > 0 && kept > 0)
		t->in.n += (size_t)n;
	*ret = kept > 0 ? (struct tls_input){ t->in.p + t->in.off, iobuf_len(&t->in) }
			: (struct tls_input){ p, (size_t)MAX(n, (ssize_t)0) };
	return n;
}

static ssize_t broken(struct conn *c, const struct err *why)
{
	struct tls_transport *t = c->tr_state;

	(void)push_held(c, t); /* the alert */
	conn_fail(c, why);     /* frees t */
	errno = EPROTO;
	return -1;
}

/* As recv, with room for a record. */
static ssize_t recv_records(struct conn *c, struct tls_transport *t, char *p, size_t room)
{
	struct tls_input from = { t->in.p ? t->in.p + t->in.off : NULL, iobuf_len(&t->in) };
	struct err err = ERR_INIT;
	ssize_t got, n;

	if (!c->tr_in) {
		n = fill(c, t, room, &from);
		if (n < 0)
			return -1;
		if (n == 0) {
			c->tr_cut = !tls_peer_ended(t->tls);
			return 0;
		}
	}
	got = open_records(t, &from, p, room, &err);
	if (got < 0)
		return broken(c, &err);
	/* More may be there: whole records, the end, or what broke it. Else the socket tells. */
	c->tr_in = got > 0 && (tls_peer_ended(t->tls) || !tls_ready(t->tls) || from.n > 5);
	keep_rest(c, t, &from);
	if (iobuf_len(&t->out) > 0)
		(void)push_held(c, t); /* an answer to a key update */
	if (got > 0)
		return got;
	if (tls_peer_ended(t->tls))
		return 0;
	errno = EAGAIN;
	return -1;
}

static ssize_t tls_recv(struct conn *c, void *p, size_t n)
{
	struct tls_transport *t = c->tr_state;
	ssize_t got;

	if (iobuf_len(&t->plain) == 0) {
		if (tls_peer_ended(t->tls))
			return 0;
		if (n >= TLS_RECORD_MAX)
			return recv_records(c, t, p, n);
		got = recv_records(c, t, iobuf_room(c->pool, &t->plain, TLS_RECORD_MAX),
				   TLS_RECORD_MAX);
		if (got <= 0) {
			if (!c->dead)
				iobuf_fini(c->pool, &t->plain);
			return got;
		}
		t->plain.n += (size_t)got;
	}
	n = MIN(n, iobuf_len(&t->plain));
	memcpy(p, t->plain.p + t->plain.off, n);
	iobuf_consume(c->pool, &t->plain, n);
	c->tr_in = true; /* looked at once more; nothing there is EAGAIN */
	return (ssize_t)n;
}

/* A kept connection: tickets and key updates may come and are taken; data and the end may not. */
static bool tls_is_quiet(struct conn *c)
{
	struct tls_transport *t = c->tr_state;
	struct tls_input from;
	ssize_t n;

	while (!tls_peer_ended(t->tls) && iobuf_len(&t->plain) == 0) {
		n = fill(c, t, TLS_RECORD_MAX, &from);
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		n = open_records(t, &from, iobuf_room(c->pool, &t->plain, TLS_RECORD_MAX),
				 TLS_RECORD_MAX, NULL);
		keep_rest(c, t, &from);
		if (n < 0)
			return false;
		t->plain.n += (size_t)n;
		if (n == 0)
			iobuf_fini(c->pool, &t->plain);
	}
	return false;
}

/* ---- the handshake ---- */

/* What was received is used up, so that closing sends no reset over our alert. */
static int handshake_failed(struct conn *c, struct err *err)
{
	struct tls_transport *t = c->tr_state;
	ssize_t n;
	int rounds = 4;

	(void)push_held(c, t);
	(void)shutdown(c->fd, SHUT_WR);
	do {
		n = recv(c->fd, c->pool->scratch, SCRATCH, MSG_DONTWAIT);
	} while (n > 0 && --rounds > 0);
	return err_ret(err);
}

static int cut_off(struct conn *c, struct err *err)
{
	return err_set(err, ERR_UNAVAILABLE,
		       "TLS: the peer closed the connection in the handshake%s",
		       c->client ? " (is it a port for TLS?)" : "");
}

static int tls_handshake(struct conn *c, struct err *err)
{
	struct tls_transport *t = c->tr_state;
	struct tls_input from;
	ssize_t n;
	char *p;

	if (c->client && !t->kernel_asked) {
		t->kernel_asked = true; /* a client's first flight; its keys stay with OpenSSL */
		if (tls_start(t->tls, err) < 0)
			return handshake_failed(c, err);
	} else {
		n = fill(c, t, TLS_RECORD_MAX, &from);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_sysc(err, ERR_UNAVAILABLE, errno, "TLS: handshake");
		if (n == 0)
			return cut_off(c, err);
		if (n > 0) {
			p = iobuf_room(c->pool, &t->plain, TLS_RECORD_MAX);
			n = open_records(t, &from, p, TLS_RECORD_MAX, err);
			if (n < 0)
				return handshake_failed(c, err);
			t->plain.n += (size_t)n;
			if (n == 0)
				iobuf_fini(c->pool, &t->plain);
			keep_rest(c, t, &from);
		}
	}
	if (!push_held(c, t))
		return err_sysc(err, ERR_UNAVAILABLE, errno, "TLS: handshake");
	c->tr_wants = EPOLLIN | (c->tr_out ? EPOLLOUT : 0);
	if (!tls_ready(t->tls))
		return 0;
	/* The request may have come with the end of the handshake. */
	c->tr_in = iobuf_len(&t->plain) > 0 || iobuf_len(&t->in) > 0 || tls_peer_ended(t->tls);
	c->peer.tls = tls_get_info(t->tls);
	return 1;
}

static struct slice tls_alpn(struct conn *c)
{
	const struct tls_transport *t = c->tr_state;

	return slice_str(tls_get_info(t->tls)->alpn);
}

static void tls_fini(struct conn *c)
{
	struct tls_transport *t = c->tr_state;

	if (tls_ready(t->tls)) {
		tls_close(t->tls); /* as far as the socket takes it */
		(void)push_held(c, t);
	}
	c->peer.tls = NULL;
	c->tr_state = NULL;
	tls_free(t->tls);
	iobuf_fini(c->pool, &t->in);
	iobuf_fini(c->pool, &t->out);
	iobuf_fini(c->pool, &t->plain);
	free(t);
}

static const struct transport transport_tls = {
	.handshake = tls_handshake,
	.alpn = tls_alpn,
	.recv = tls_recv,
	.send = tls_send,
	.send_file = tls_send_file,
	.shutdown = tls_shutdown,
	.is_quiet = tls_is_quiet,
	.fini = tls_fini,
};

int conn_use_tls(struct conn *c, struct tls_conf *conf, const char *name, uint16_t port,
		 struct err *err)
{
	struct tls_sink sink = { sink_room, sink_wrote, c };
	struct tls_transport *t = io_alloc(sizeof(*t));
	int r = tls_new(conf, name, port, &sink, &t->tls, err);

	if (r < 0) {
		free(t);
		return r;
	}
	if (!c->pool->scratch)
		c->pool->scratch = io_alloc(SCRATCH);
	c->tr_state = t;
	c->tr = &transport_tls;
	return 0;
}
