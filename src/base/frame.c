/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames over SOCK_SEQPACKET: one sendmsg is one frame, fds ride as SCM_RIGHTS. Head fields are in
 * host order (both ends are this program on this machine); payloads are little-endian by the wire_
 * calls.
 */
#include "base/frame.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

_Static_assert(sizeof(struct frame_head) == 16, "no padding on the wire");

void frame_fini(struct frame *f)
{
	for (unsigned i = 0; i < f->nfds; i++)
		fd_close(f->fds[i]);
	f->nfds = 0;
}

int frame_take_fd(struct frame *f, unsigned i)
{
	return i < f->nfds ? STEAL_FD(f->fds[i]) : -1;
}

static bool peer_gone(int e)
{
	return e == EPIPE || e == ECONNRESET || e == ENOTCONN || e == ECONNREFUSED;
}

int frame_send(int sock, uint16_t version, uint16_t type, uint32_t id, const void *payload,
	       size_t len, const int *fds, unsigned nfds, struct err *err)
{
	struct frame_head head = { FRAME_MAGIC, type, version, id, (uint32_t)len };
	struct iovec iov[2] = { { &head, sizeof(head) }, { (void *)payload, len } };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * FRAME_FDS_MAX)] = { 0 };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = len ? 2 : 1 };
	struct cmsghdr *c;

	assert(nfds <= FRAME_FDS_MAX);
	if (len > FRAME_PAYLOAD_MAX)
		return err_set(err, ERR_TOO_LARGE, "send frame %u: %zu bytes, at most %d fit", type,
			       len, FRAME_PAYLOAD_MAX);
	if (nfds) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	while (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN)
			return 1;
		return err_sysc(err, peer_gone(errno) ? ERR_UNAVAILABLE : ERR_SYSTEM, errno,
				"send frame %u", type);
	}
	return 0;
}

/* Moves the fds of one control message into the frame. False if there are more than a frame may
 * have. */
static bool take_fds(struct frame *f, const struct cmsghdr *c)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	bool fit = true;

	for (size_t i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
		if (f->nfds < FRAME_FDS_MAX) {
			f->fds[f->nfds++] = fd;
		} else {
			fd_close(fd);
			fit = false;
		}
	}
	return fit;
}

static int check_packet(const struct frame *f, size_t n, int flags, bool fds_fit, struct err *err)
{
	if (flags & MSG_CTRUNC || !fds_fit)
		return err_set(err, ERR_BAD_REQUEST, "broken frame: more than %d fds",
			       FRAME_FDS_MAX);
	if (flags & MSG_TRUNC)
		return err_set(err, ERR_BAD_REQUEST,
			       "broken frame: larger than the receiver takes");
	if (n < sizeof(f->head))
		return err_set(err, ERR_BAD_REQUEST, "broken frame: %zu bytes are no head", n);
	if (f->head.magic != FRAME_MAGIC)
		return err_set(err, ERR_BAD_REQUEST, "broken frame: magic is 0x%08x",
			       f->head.magic);
	if (f->head.len != n - sizeof(f->head))
		return err_set(err, ERR_BAD_REQUEST,
			       "broken frame: says %u payload bytes and has %zu", f->head.len,
			       n - sizeof(f->head));
	return 0;
}

int frame_recv(int sock, void *buf, size_t cap, struct frame *ret, struct err *err)
{
	CLEANUP(frame_fini) struct frame f = { .payload = buf };
	struct iovec iov[2] = { { &f.head, sizeof(f.head) }, { buf, cap } };
	/* Room for credentials too, should the socket have SO_PASSCRED on. */
	_Alignas(struct cmsghdr) char
		control[CMSG_SPACE(sizeof(int) * FRAME_FDS_MAX) + CMSG_SPACE(sizeof(struct ucred))];
	struct msghdr msg = { .msg_iov = iov,
			      .msg_iovlen = 2,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	bool fit = true;
	ssize_t n;
	int r;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		return err_sysc(err, peer_gone(errno) ? ERR_UNAVAILABLE : ERR_SYSTEM, errno,
				"receive a frame");
	for (unsigned i = 0; i < FRAME_FDS_MAX; i++)
		f.fds[i] = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && !take_fds(&f, c))
			fit = false;
	if (n == 0)
		return err_set(err, ERR_UNAVAILABLE, "receive a frame: the peer closed");
	r = check_packet(&f, (size_t)n, msg.msg_flags, fit, err);
	if (r < 0)
		return r;
	*ret = f;
	f.nfds = 0; /* they are *ret's now */
	return 1;
}

int frame_check(const struct frame *f, const struct frame_rule *rules, size_t nrules,
		uint32_t sender, struct err *err)
{
	const struct frame_rule *rule = f->head.type < nrules ? &rules[f->head.type] : NULL;

	if (!rule || !rule->name)
		return err_set(err, ERR_BAD_REQUEST, "frame type %u is unknown", f->head.type);
	if (!(rule->senders & sender))
		return err_set(err, ERR_BAD_REQUEST, "frame %s: not allowed from this sender",
			       rule->name);
	if (f->head.len < rule->len_min || f->head.len > rule->len_max)
		return err_set(err, ERR_BAD_REQUEST,
			       "frame %s: %u payload bytes, allowed are %u to %u", rule->name,
			       f->head.len, rule->len_min, rule->len_max);
	if (f->nfds < rule->fds_min || f->nfds > rule->fds_max)
		return err_set(err, ERR_BAD_REQUEST, "frame %s: %u fds, allowed are %u to %u",
			       rule->name, f->nfds, rule->fds_min, rule->fds_max);
	return 0;
}

/* ---- payload fields ---- */

static uint64_t take(struct wire_in *in, unsigned n)
{
	uint64_t v = 0;

	if (in->bad || (size_t)(in->end - in->p) < n) {
		in->bad = 1;
		return 0;
	}
	for (unsigned i = 0; i < n; i++)
		v |= (uint64_t)in->p[i] << (8 * i);
	in->p += n;
	return v;
}

uint8_t wire_u8(struct wire_in *in)
{
	return (uint8_t)take(in, 1);
}

uint16_t wire_u16(struct wire_in *in)
{
	return (uint16_t)take(in, 2);
}

uint32_t wire_u32(struct wire_in *in)
{
	return (uint32_t)take(in, 4);
}

uint64_t wire_u64(struct wire_in *in)
{
	return take(in, 8);
}

void wire_bytes(struct wire_in *in, struct slice *ret)
{
	uint32_t n = wire_u32(in);

	*ret = (struct slice){ 0 };
	if (in->bad || n > (size_t)(in->end - in->p)) {
		in->bad = 1;
		return;
	}
	*ret = slice_of((const char *)in->p, n);
	in->p += n;
}

static void put(struct wire_out *o, uint64_t v, unsigned n)
{
	if (o->bad || o->cap - o->n < n) {
		o->bad = 1;
		return;
	}
	for (unsigned i = 0; i < n; i++)
		o->p[o->n++] = (unsigned char)(v >> (8 * i));
}

void wire_put_u8(struct wire_out *o, uint8_t v)
{
	put(o, v, 1);
}

void wire_put_u16(struct wire_out *o, uint16_t v)
{
	put(o, v, 2);
}

void wire_put_u32(struct wire_out *o, uint32_t v)
{
	put(o, v, 4);
}

void wire_put_u64(struct wire_out *o, uint64_t v)
{
	put(o, v, 8);
}

void wire_put_bytes(struct wire_out *o, const void *p, size_t n)
{
	/* Length and bytes go in together or not at all. */
	if (o->bad || o->cap - o->n < 4 || n > o->cap - o->n - 4 || n > UINT32_MAX) {
		o->bad = 1;
		return;
	}
	put(o, n, 4);
	if (n)
		memcpy(o->p + o->n, p, n);
	o->n += n;
}

void wire_put_str(struct wire_out *o, const char *s)
{
	wire_put_bytes(o, s, s ? strlen(s) : 0);
}
