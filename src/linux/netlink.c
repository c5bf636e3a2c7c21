/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The netlink transport: one buffer of requests out, acknowledgements in.
 *
 * Invariants:
 * (1) Every length from the kernel is checked against what was received before it is used.
 * (2) After nl_commit or nl_query, also a failed one, nothing that belongs to it is left in the
 * socket: a reply with another sequence number is dropped, an overrun (ENOBUFS) closes the exchange
 * with an error.
 */
#include "linux/netlink.h"

#include "base/err.h"
#include "base/fd.h"
#include "linux/sys.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

#define RECV_MAX 65536	 /* a dump's datagram is at most 32 KiB */
#define REPLY_SECONDS 10 /* the kernel answers in the send call itself: only a bug waits longer */

/* ---- open ---- */

int nl_open(struct nl *nl, int protocol, struct err *err)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	struct timeval patience = { .tv_sec = REPLY_SECONDS };
	socklen_t len = sizeof addr;
	int on = 1, size = 1 << 20;

	*nl = (struct nl){ .fd = -1, .out = BUF_INIT(NL_BYTES_MAX) };
	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (nl->fd < 0 && (errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT))
		return err_sysc(err, ERR_UNSUPPORTED, errno,
				"open netlink socket: this kernel lacks protocol %d", protocol);
	if (nl->fd < 0)
		return err_sys(err, "open netlink socket of protocol %d", protocol);
	/* All three only make it better: without them errors are shorter and dumps can overrun. */
	(void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
	(void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
	(void)setsockopt(nl->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	(void)setsockopt(nl->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (bind(nl->fd, (struct sockaddr *)&addr, len) < 0 ||
	    getsockname(nl->fd, (struct sockaddr *)&addr, &len) < 0) {
		int r = err_sys(err, "bind netlink socket");

		nl_close(nl);
		return r;
	}
	nl->port = addr.nl_pid;
	return 0;
}

int nl_open_in(struct nl *nl, int protocol, int netns_fd, struct err *err)
{
	CLEANUP(fd_close) int home = -1;
	int r;

	*nl = (struct nl){ .fd = -1 };
	home = sys_openat(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC, 0);
	if (home < 0)
		return err_sys(err, "open own network namespace");
	if (sys_setns(netns_fd, CLONE_NEWNET) < 0)
		return err_sys(err, "enter network namespace");
	r = nl_open(nl, protocol, err);
	if (sys_setns(home, CLONE_NEWNET) < 0) {
		nl_close(nl);
		/* The thread stands in a container's namespace now: whatever it did next would hit
		 * the wrong one. */
		abort();
	}
	return r;
}

void nl_close(struct nl *nl)
{
	if (nl->out.max) /* opened */
		fd_close(nl->fd);
	nl->fd = -1;
	buf_fini(&nl->out);
	nl->out.max = 0;
}

/* ---- build ---- */

static void pad(struct nl *nl)
{
	static const char zero[4];

	if (buf_add(&nl->out, zero, NLMSG_ALIGN(nl->out.n) - nl->out.n) < 0)
		nl->failed = true;
}

static void append(struct nl *nl, const void *p, size_t n)
{
	if (nl->failed || buf_add(&nl->out, p, n) < 0) {
		nl->failed = true;
		return;
	}
	pad(nl);
}

/* Keeps the length of the message being built right after each append: no end call is needed. */
static void msg_close(struct nl *nl)
{
	uint32_t len = (uint32_t)(nl->out.n - nl->msg);

	if (!nl->failed)
		memcpy(nl->out.p + nl->msg + offsetof(struct nlmsghdr, nlmsg_len), &len,
		       sizeof len);
}

void nl_begin(struct nl *nl, const struct nl_msg *m, const char *fmt, ...)
{
	struct nlmsghdr h = { .nlmsg_type = m->type, .nlmsg_flags = m->flags | NLM_F_REQUEST };
	struct nl_request *req;
	va_list ap;

	if (nl->count == NL_BATCH_MAX) {
		nl->failed = true;
		return;
	}
	req = &nl->req[nl->count++];
	*req = (struct nl_request){ .seq = ++nl->seq, .tolerate = m->tolerate };
	req->wants_ack = m->flags & NLM_F_ACK;
	va_start(ap, fmt);
	(void)vsnprintf(req->what, sizeof req->what, fmt, ap); /* cut is fine: it is for people */
	va_end(ap);
	h.nlmsg_seq = nl->seq;
	h.nlmsg_pid = nl->port;
	nl->msg = nl->out.n;
	append(nl, &h, sizeof h);
	if (m->n_head)
		append(nl, m->head, m->n_head);
	msg_close(nl);
}

void nl_put_raw(struct nl *nl, const void *p, size_t n)
{
	append(nl, p, n);
	msg_close(nl);
}

void nl_put(struct nl *nl, uint16_t type, const void *p, size_t n)
{
	struct nlattr a = { .nla_len = (uint16_t)(NLA_HDRLEN + n), .nla_type = type };

	if (n > UINT16_MAX - NLA_HDRLEN) {
		nl->failed = true;
		return;
	}
	append(nl, &a, sizeof a);
	if (n)
		append(nl, p, n);
	msg_close(nl);
}

void nl_put_u8(struct nl *nl, uint16_t type, uint8_t v)
{
	nl_put(nl, type, &v, sizeof v);
}

void nl_put_u16(struct nl *nl, uint16_t type, uint16_t v)
{
	nl_put(nl, type, &v, sizeof v);
}

void nl_put_u32(struct nl *nl, uint16_t type, uint32_t v)
{
	nl_put(nl, type, &v, sizeof v);
}

void nl_put_be32(struct nl *nl, uint16_t type, uint32_t v)
{
	v = htonl(v);
	nl_put(nl, type, &v, sizeof v);
}

void nl_put_be64(struct nl *nl, uint16_t type, uint64_t v)
{
	v = htobe64(v);
	nl_put(nl, type, &v, sizeof v);
}

void nl_put_str(struct nl *nl, uint16_t type, const char *s)
{
	nl_put(nl, type, s, strlen(s) + 1);
}

size_t nl_nest(struct nl *nl, uint16_t type)
{
	size_t at = nl->out.n;

	nl_put(nl, type | NLA_F_NESTED, NULL, 0);
	return at;
}

void nl_nest_end(struct nl *nl, size_t nest)
{
	uint16_t len = (uint16_t)(nl->out.n - nest);

	if (nl->out.n - nest > UINT16_MAX)
		nl->failed = true;
	if (!nl->failed)
		memcpy(nl->out.p + nest + offsetof(struct nlattr, nla_len), &len, sizeof len);
}

void nl_reset(struct nl *nl)
{
	buf_clear(&nl->out);
	nl->count = 0;
	nl->failed = false;
}

/* ---- parse ---- */

int nl_parse(const void *p, size_t n, struct nl_attr *table, unsigned max)
{
	const char *at = p;
	struct nlattr a;

	memset(table, 0, max * sizeof *table);
	while (n >= sizeof a) {
		size_t step;

		memcpy(&a, at, sizeof a);
		if (a.nla_len < NLA_HDRLEN || a.nla_len > n)
			return -1;
		if ((a.nla_type & NLA_TYPE_MASK) < max)
			table[a.nla_type & NLA_TYPE_MASK] =
				(struct nl_attr){ at + NLA_HDRLEN, a.nla_len - NLA_HDRLEN };
		step = MIN((size_t)NLA_ALIGN(a.nla_len), n);
		at += step;
		n -= step;
	}
	return n == 0 ? 0 : -1;
}

uint32_t nl_get_u32(struct nl_attr a)
{
	uint32_t v = 0;

	if (a.n >= sizeof v)
		memcpy(&v, a.p, sizeof v);
	return v;
}

uint32_t nl_get_be32(struct nl_attr a)
{
	return ntohl(nl_get_u32(a));
}

void nl_get_str(struct nl_attr a, char *dst, size_t n)
{
	size_t len = a.p ? strnlen(a.p, a.n) : 0;

	len = MIN(len, n - 1);
	if (len)
		memcpy(dst, a.p, len);
	dst[len] = '\0';
}

/* ---- exchange ---- */

struct exchange {
	struct nl *nl;
	unsigned acked, wanted;
	nl_reply_fn fn; /* NULL for a commit */
	void *arg;
	int result;	 /* first error or what fn returned */
	unsigned failed; /* request whose error `err` holds, count + 1 = none */
	bool done;
	struct err *err;
};

static int code_of_errno(int e)
{
	switch (e) {
	case ENODEV:
	case ENOENT:
	case ESRCH: return ERR_NOT_FOUND;
	case EEXIST: return ERR_EXISTS;
	case EPERM:
	case EACCES: return ERR_FORBIDDEN;
	case EOPNOTSUPP: return ERR_UNSUPPORTED;
	case EBUSY:
	case EADDRINUSE: return ERR_CONFLICT;
	default: return ERR_SYSTEM;
	}
}

/* NLMSG_ERROR: errno, the request's header, then attributes when NLM_F_ACK_TLVS says so. */
static void ack_take(struct exchange *x, const struct nlmsghdr *h, const char *body, size_t n,
		     struct nl_request *req)
{
	struct nl_attr tlv[NLMSGERR_ATTR_MAX + 1] = { 0 };
	char text[160] = "";
	struct nlmsgerr e;
	size_t skip = sizeof e;

	if (n < sizeof e)
		return;
	memcpy(&e, body, sizeof e);
	x->acked++;
	if (e.error == 0)
		return;
	if (-e.error == req->tolerate) {
		req->tolerated = true;
		return;
	}
	/* The earliest failure counts: what follows it may fail because of it. nf_tables acks out
	 * of order. */
	if ((unsigned)(req - x->nl->req) >= x->failed)
		return;
	x->failed = (unsigned)(req - x->nl->req);
	/* Without NETLINK_CAP_ACK the whole request comes back. */
	if (!(h->nlmsg_flags & NLM_F_CAPPED) && e.msg.nlmsg_len > sizeof e.msg)
		skip += NLMSG_ALIGN(e.msg.nlmsg_len - sizeof e.msg);
	if (h->nlmsg_flags & NLM_F_ACK_TLVS && skip < n &&
	    nl_parse(body + skip, n - skip, tlv, ARRAY_LEN(tlv)) == 0)
		nl_get_str(tlv[NLMSGERR_ATTR_MSG], text, sizeof text);
	if (x->err)
		*x->err = ERR_INIT;
	x->result = err_sysc(x->err, code_of_errno(-e.error), -e.error, "%s", req->what);
	if (text[0])
		(void)err_hint(x->err, "the kernel says: %s", text);
}

static struct nl_request *request_of(struct nl *nl, uint32_t seq)
{
	for (unsigned i = 0; i < nl->count; i++)
		if (nl->req[i].seq == seq)
			return &nl->req[i];
	return NULL; /* left over from an exchange that broke off */
}

static void message_take(struct exchange *x, const struct nlmsghdr *h, const char *body, size_t n)
{
	struct nl_request *req = request_of(x->nl, h->nlmsg_seq);

	if (!req)
		return;
	switch (h->nlmsg_type) {
	case NLMSG_NOOP: return;
	case NLMSG_ERROR: {
		ack_take(x, h, body, n, req);
		return;
	}
	case NLMSG_DONE: {
		int e = 0;

		if (n >= sizeof e)
			memcpy(&e, body, sizeof e);
		if (e < 0 && x->result == 0)
			x->result = err_sysc(x->err, code_of_errno(-e), -e, "%s", req->what);
		x->done = true;
		return;
	}
	default:
		if (h->nlmsg_flags & NLM_F_DUMP_INTR && x->result == 0)
			x->result = err_set(x->err, ERR_CONFLICT, "%s: changed while being read",
					    req->what);
		if (x->fn && x->result == 0)
			x->result = x->fn(x->arg, h, body, n, x->err);
	}
}

static int datagram_take(struct exchange *x, const char *p, size_t n)
{
	struct nlmsghdr h;

	while (n >= sizeof h) {
		memcpy(&h, p, sizeof h);
		if (h.nlmsg_len < sizeof h || h.nlmsg_len > n)
			return err_set(x->err, ERR_SYSTEM,
				       "netlink: malformed reply (length %u of %zu)", h.nlmsg_len,
				       n);
		message_take(x, &h, p + NLMSG_HDRLEN, h.nlmsg_len - NLMSG_HDRLEN);
		p += MIN((size_t)NLMSG_ALIGN(h.nlmsg_len), n);
		n -= MIN((size_t)NLMSG_ALIGN(h.nlmsg_len), n);
	}
	return 0;
}

static int receive(struct exchange *x)
{
	struct sockaddr_nl from = { 0 };
	CLEANUP_FREE char *p = malloc(RECV_MAX);
	struct iovec iov = { p, RECV_MAX };
	struct msghdr m = {
		.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1
	};
	int r;

	if (!p)
		abort();
	while (!x->done && (x->fn || x->acked < x->wanted)) {
		ssize_t n = recvmsg(x->nl->fd, &m, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS)
			return err_sysc(x->err, ERR_UNAVAILABLE, ENOBUFS,
					"%s: the kernel's answers overran the socket",
					x->nl->req[0].what);
		if (n < 0)
			return err_sys(x->err, "%s: await the kernel's answer", x->nl->req[0].what);
		if (m.msg_flags & MSG_TRUNC)
			return err_set(x->err, ERR_SYSTEM, "%s: answer of more than %d bytes",
				       x->nl->req[0].what, RECV_MAX);
		m.msg_namelen = sizeof from;
		if (from.nl_pid != 0) /* another process, not the kernel */
			continue;
		r = datagram_take(x, p, (size_t)n);
		if (r < 0)
			return r;
		if (x->fn && x->acked >= x->wanted && x->wanted)
			return 0;
	}
	return 0;
}

static int exchange_run(struct exchange *x)
{
	struct nl *nl = x->nl;
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t n;
	int r;

	if (nl->failed || nl->count == 0) {
		r = nl->failed ? err_set(x->err, ERR_QUOTA,
					 "netlink: more than %d requests or %d bytes at once",
					 NL_BATCH_MAX, NL_BYTES_MAX)
			       : 0;
		nl_reset(nl);
		return r;
	}
	do {
		n = sendto(nl->fd, nl->out.p, nl->out.n, 0, (struct sockaddr *)&kernel,
			   sizeof kernel);
	} while (n < 0 && errno == EINTR);
	r = n < 0 ? err_sys(x->err, "%s: send to the kernel", nl->req[0].what) : receive(x);
	if (r == 0)
		r = x->result;
	buf_clear(&nl->out);
	nl->count = 0; /* req stays readable until the next nl_begin */
	return r;
}

int nl_commit(struct nl *nl, struct err *err)
{
	struct exchange x = { .nl = nl, .err = err, .failed = NL_BATCH_MAX };

	for (unsigned i = 0; i < nl->count; i++)
		x.wanted += nl->req[i].wants_ack;
	return exchange_run(&x);
}

int nl_query(struct nl *nl, nl_reply_fn fn, void *arg, struct err *err)
{
	struct exchange x = { .nl = nl, .err = err, .failed = NL_BATCH_MAX, .fn = fn, .arg = arg };

	/* A dump ends with DONE, or with an error that is an acknowledgement nobody asked for. */
	x.wanted = 1;
	return exchange_run(&x);
}
