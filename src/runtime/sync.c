/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words between the parent and what it cloned: one packet each, plain bytes of one program's memory
 * layout (both ends are the same binary), at most one fd beside it. A closed socket says as much as
 * a message: init that is gone, or an exec that succeeded.
 */
#include "runtime/rt.h"

#include "base/fd.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>

#define HEAD offsetof(struct sync_msg, fd)

static int send_packet(int sock, uint32_t type, int64_t number, const struct slice *text,
		       const int *fds, unsigned nfds)
{
	const void *body = text ? text->p : NULL;
	size_t n = text ? text->n : 0;

	struct sync_msg head = { .type = type, .len = (uint32_t)n, .number = number };
	struct iovec iov[2] = { { &head, HEAD }, { (void *)body, n } };
	union {
		char buf[CMSG_SPACE(sizeof(int) * CGROUP_ENTER_FDS_MAX)];
		struct cmsghdr align;
	} ctl = { 0 };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n ? 2 : 1 };
	ssize_t r;

	if (nfds) {
		struct cmsghdr *c;

		m.msg_control = ctl.buf;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	do
		r = sys_sendmsg(sock, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -1 : 0;
}

int sync_send(int sock, enum sync_type t, int64_t number, int fd, struct err *err)
{
	if (send_packet(sock, t, number, NULL, &fd, fd >= 0) < 0)
		return err_sys(err, "tell the other side (message %d)", (int)t);
	return 0;
}

void sync_send_error(int sock, const struct err *e)
{
	struct err copy = *e;

	struct slice bytes = { (const char *)&copy, sizeof(copy) };

	copy.causes = NULL;					 /* a pointer into our memory */
	(void)send_packet(sock, SYNC_ERROR, 0, &bytes, NULL, 0); /* nobody left to tell */
}

void sync_send_warn(int sock, const char *text)
{
	struct slice bytes = slice_str(text);

	if (sock >= 0)
		(void)send_packet(sock, SYNC_WARN, 0, &bytes, NULL, 0); /* only a warning */
}

int sync_send_cgroup(int sock, const struct sync_cgroup *cg, struct err *err)
{
	struct slice bytes = slice_str(cg->dirs);

	if (bytes.n >= sizeof(((struct sync_msg *)0)->text) || cg->n > CGROUP_ENTER_FDS_MAX)
		return err_set(err, ERR_TOO_LARGE, "a message of %zu bytes to init", bytes.n);
	if (send_packet(sock, SYNC_GO, cg->fill, &bytes, cg->fds, cg->n) < 0)
		return err_sys(err, "tell init its cgroup");
	return 0;
}

static void take_fds(struct msghdr *m, struct sync_msg *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);

	msg->nfds = 0;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		msg->nfds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		msg->nfds = MIN(msg->nfds, (unsigned)CGROUP_ENTER_FDS_MAX);
		memcpy(msg->fds, CMSG_DATA(c), msg->nfds * sizeof(int));
	}
	msg->fd = msg->nfds ? msg->fds[0] : -1;
}

int sync_recv(int sock, struct sync_msg *msg, struct err *err)
{
	struct iovec iov[2] = { { msg, HEAD },
				{ msg->text, sizeof(*msg) - offsetof(struct sync_msg, text) } };
	union {
		char buf[CMSG_SPACE(sizeof(int) * CGROUP_ENTER_FDS_MAX)];
		struct cmsghdr align;
	} ctl;
	struct msghdr m = { .msg_iov = iov,
			    .msg_iovlen = 2,
			    .msg_control = ctl.buf,
			    .msg_controllen = sizeof(ctl.buf) };
	ssize_t n;

	/* ECONNRESET: the other side ended without reading all of ours. It is told once, before
	 * what it had sent. */
	do
		n = sys_recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n == 0)
		return 0;
	if (n < 0)
		return err_sys(err, "hear from the other side");
	take_fds(&m, msg);
	if ((size_t)n < HEAD || (size_t)n != HEAD + msg->len) {
		for (unsigned i = 0; i < msg->nfds; i++)
			fd_close(msg->fds[i]);
		return err_set(err, ERR_SYSTEM, "a packet of %zd bytes is none of ours", n);
	}
	/* The last of a join is sent by a process that the container may have taken over. */
	if (msg->type == SYNC_ERROR) {
		if (msg->len != sizeof(msg->err) || (unsigned)msg->err.code >= ERR_CODE_COUNT)
			return err_set(err, ERR_SYSTEM, "an error of %u bytes is none of ours",
				       msg->len);
		msg->err.msg[sizeof(msg->err.msg) - 1] = '\0';
		msg->err.causes = NULL;
	}
	if (msg->type == SYNC_WARN)
		msg->text[MIN(msg->len, sizeof(msg->text) - 1)] = '\0';
	return 1;
}

int sync_enter(const int *fds, unsigned n, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; i < n; i++) {
		if (r == 0 && sys_write(fds[i], "0", 1) < 0)
			r = err_sys(err, "enter the container's cgroup");
		fd_close(fds[i]);
	}
	return r;
}

int sync_wait(int sock, int64_t *ret_number, struct err *err)
{
	struct sync_msg m;
	int r;

	r = sync_recv(sock, &m, err);
	if (r < 0)
		return r;
	if (r == 0 || m.type != SYNC_GO)
		return err_set(err, ERR_UNAVAILABLE, "the runtime that made this process is gone");
	if (ret_number)
		*ret_number = m.number;
	return sync_enter(m.fds, m.nfds, err);
}
