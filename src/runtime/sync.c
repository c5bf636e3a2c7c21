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

static int send_packet(int sock, uint32_t type, int64_t number, const void *body, size_t n, int fd)
{
	struct sync_msg head = { .type = type, .len = (uint32_t)n, .number = number };
	struct iovec iov[2] = { { &head, HEAD }, { (void *)body, n } };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ctl = { 0 };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n ? 2 : 1 };
	ssize_t r;

	if (fd >= 0) {
		struct cmsghdr *c;

		m.msg_control = ctl.buf;
		m.msg_controllen = sizeof(ctl.buf);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do
		r = sys_sendmsg(sock, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -1 : 0;
}

int sync_send(int sock, enum sync_type t, int64_t number, int fd, struct err *err)
{
	if (send_packet(sock, t, number, NULL, 0, fd) < 0)
		return err_sys(err, "tell the other side (message %d)", (int)t);
	return 0;
}

void sync_send_error(int sock, const struct err *e)
{
	struct err copy = *e;

	copy.causes = NULL; /* a pointer into our memory */
	(void)send_packet(sock, SYNC_ERROR, 0, &copy, sizeof(copy), -1); /* nobody left to tell */
}

void sync_send_warn(int sock, const char *text)
{
	if (sock >= 0)
		(void)send_packet(sock, SYNC_WARN, 0, text, strlen(text), -1); /* only a warning */
}

int sync_send_text(int sock, enum sync_type t, const char *text, struct err *err)
{
	size_t n = strlen(text);

	if (n >= sizeof(((struct sync_msg *)0)->text))
		return err_set(err, ERR_TOO_LARGE, "a message of %zu bytes to init", n);
	if (send_packet(sock, t, 0, text, n, -1) < 0)
		return err_sys(err, "tell the other side (message %d)", (int)t);
	return 0;
}

static int take_fd(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

int sync_recv(int sock, struct sync_msg *msg, struct err *err)
{
	struct iovec iov[2] = { { msg, HEAD },
				{ msg->text, sizeof(*msg) - offsetof(struct sync_msg, text) } };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
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
	msg->fd = take_fd(&m);
	if ((size_t)n < HEAD || (size_t)n != HEAD + msg->len) {
		fd_close(msg->fd);
		return err_set(err, ERR_SYSTEM, "a packet of %zd bytes is none of ours", n);
	}
	if (msg->type == SYNC_WARN)
		msg->text[MIN(msg->len, sizeof(msg->text) - 1)] = '\0';
	return 1;
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
	return 0;
}
