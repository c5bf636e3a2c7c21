/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversation with `criu swrk`: requests and replies as protocol buffers, one packet each,
 * with notifications in between that must be answered. Numbers of fields are those of criu's
 * rpc.proto.
 */
#include "runtime/criu.h"

#include "base/err.h"
#include "base/fd.h"
#include "linux/mount.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKET_MAX 65536

extern char **environ;

static void put_varint(struct buf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_addc(b, (char)(v | 0x80));
	buf_addc(b, (char)v);
}

void criu_put_number(struct buf *b, unsigned field, uint64_t v)
{
	put_varint(b, field << 3);
	put_varint(b, v);
}

static void put_bytes(struct buf *b, unsigned field, const void *p, size_t n)
{
	put_varint(b, field << 3 | 2);
	put_varint(b, n);
	buf_add(b, p, n);
}

void criu_put_text(struct buf *b, unsigned field, const char *s)
{
	if (s)
		put_bytes(b, field, s, strlen(s));
}

void criu_put_message(struct buf *b, unsigned field, const struct buf *message)
{
	put_bytes(b, field, message->p, message->n);
}

/* ---- replies ---- */

struct field {
	unsigned number;
	uint64_t v;
	struct slice bytes; /* of a length-delimited one; p == NULL else */
};

static int get_varint(struct slice *s, uint64_t *ret)
{
	*ret = 0;
	for (unsigned shift = 0; shift < 64 && s->n; shift += 7) {
		unsigned char c = (unsigned char)*s->p;

		*s = slice_of(s->p + 1, s->n - 1);
		*ret |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80))
			return 0;
	}
	return -1;
}

/* 1 = a field, 0 = the end, -1 = no message. */
static int next_field(struct slice *s, struct field *f)
{
	uint64_t tag, n;

	if (!s->n)
		return 0;
	if (get_varint(s, &tag) < 0)
		return -1;
	*f = (struct field){ .number = (unsigned)(tag >> 3) };
	switch (tag & 7) {
	case 0: return get_varint(s, &f->v) < 0 ? -1 : 1;
	case 1: n = 8; break;
	case 5: n = 4; break;
	case 2:
		if (get_varint(s, &n) < 0)
			return -1;
		break;
	default: return -1;
	}
	if (n > s->n)
		return -1;
	f->bytes = slice_of(s->p, (size_t)n);
	*s = slice_of(s->p + n, s->n - (size_t)n);
	return 1;
}

static void copy_text(char *dst, size_t n, struct slice s)
{
	(void)snprintf(dst, n, "%.*s", (int)MIN(s.n, n - 1), s.p ? s.p : "");
}

/* criu_restore_resp { pid = 1 }, criu_notify { script = 1, pid = 2 } */
static int parse_inner(struct slice s, bool notify, struct criu_reply *ret)
{
	struct field f;
	int r;

	while ((r = next_field(&s, &f)) > 0) {
		if (notify && f.number == 1)
			copy_text(ret->script, sizeof(ret->script), f.bytes);
		else if (f.number == (notify ? 2 : 1))
			ret->pid = (int)f.v;
	}
	return r;
}

int criu_parse_reply(struct slice s, struct criu_reply *ret, struct err *err)
{
	struct field f;
	int r;

	*ret = (struct criu_reply){ 0 };
	while ((r = next_field(&s, &f)) > 0) {
		switch (f.number) {
		case 1: ret->type = (unsigned)f.v; break;
		case 2: ret->success = f.v; break;
		case 4: r = parse_inner(f.bytes, false, ret); break;
		case 5: r = parse_inner(f.bytes, true, ret); break;
		case 7: ret->error = (int)f.v; break;
		case 9: copy_text(ret->message, sizeof(ret->message), f.bytes); break;
		default: break;
		}
		if (r < 0)
			break;
	}
	return r < 0 ? err_set(err, ERR_INVALID, "criu's answer is none of its protocol") : 0;
}

/* ---- the program ---- */

static int find(const char *name, char out[PATH_MAX], struct err *err)
{
	const char *path = getenv("PATH");
	struct slice rest = slice_str(path ? path : "/usr/sbin:/usr/bin:/sbin:/bin");

	if (!name || !name[0])
		name = "criu";
	if (strchr(name, '/'))
		rest = slice_of("", 0);
	while (rest.p) {
		struct slice dir = slice_split(&rest, ':');

		if ((size_t)snprintf(out, PATH_MAX, "%.*s%s%s", (int)dir.n, dir.p, dir.n ? "/" : "",
				     name) < PATH_MAX &&
		    access(out, X_OK) == 0)
			return 0;
	}
	return err_set(
		err, ERR_UNAVAILABLE,
		"checkpoint and restore need criu, and there is no program '%s' (install criu, "
		"or name it by --criu)",
		name);
}

struct child {
	const struct criu_call *call;
	char program[PATH_MAX];
	int sock;
};

/* The same directory by a mount of our own namespace, as the same number; stays open over exec. */
static int reopen(int fd)
{
	CLEANUP(fd_close) int own = -1;
	char link[40], path[PATH_MAX];
	ssize_t n;

	if (fd < 0)
		return 0;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = sys_readlinkat(AT_FDCWD, link, path, sizeof(path) - 1);
	if (n < 0)
		return -1;
	path[n] = '\0';
	own = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	return own < 0 ? -1 : sys_dup3(own, fd, 0);
}

static int send_fd(int sock, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ctl = { 0 };
	struct iovec iov = { (char[]){ 'f' }, 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = ctl.buf,
			    .msg_controllen = sizeof(ctl.buf) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(int));
	return sys_sendmsg(sock, &m, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/*
 * A mount namespace that criu alone sees: it wants a mount point as root. criu finds its
 * directories as /proc/PID/fd/N of whoever made its socket, and mounts in them: both must be of
 * this namespace, so the socket is made here, and its other end sent to our parent.
 */
static int own_namespace(struct child *c)
{
	const char *root = c->call->root;
	int pair[2];

	if (mount_propagate("/", MS_REC | MS_SLAVE, NULL) < 0 ||
	    sys_mount(root, root, NULL, MS_BIND | MS_REC, NULL) < 0 ||
	    reopen(c->call->images) < 0 || reopen(c->call->work) < 0 ||
	    sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
	    send_fd(c->sock, pair[0]) < 0)
		return -1;
	fd_close(pair[0]);
	return pair[1];
}

static int child_main(void *arg)
{
	struct child *c = arg;
	int sock = c->sock;
	char text[16];
	char *argv[] = { "criu", "swrk", text, NULL };

	(void)proc_reset_signals(NULL); /* criu runs all the same */
	if (c->call->root) {
		sock = own_namespace(c);
		if (sock < 0)
			return 126;
	}
	for (unsigned i = 0; i < c->call->n_keep; i++)
		(void)sys_fcntl(c->call->keep[i], F_SETFD, 0); /* -1 is none */
	(void)sys_fcntl(sock, F_SETFD, 0);
	(void)snprintf(text, sizeof(text), "%d", sock);
	sys_execveat(AT_FDCWD, c->program, argv, environ, 0);
	return 127;
}

static int send_request(int sock, unsigned type, const struct buf *opts, bool notify_ok,
			struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	struct iovec iov;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	criu_put_number(&b, 1, type);
	if (opts)
		criu_put_message(&b, 2, opts);
	if (notify_ok)
		criu_put_number(&b, 3, 1);
	if (b.full)
		return err_set(err, ERR_TOO_LARGE, "the request for criu is too long");
	iov = (struct iovec){ b.p, b.n };
	return sys_sendmsg(sock, &m, MSG_NOSIGNAL) < 0 ? err_sys(err, "ask criu") : 0;
}

/* A message, and the fd with it or -1. */
static ssize_t receive_bytes(int sock, char *to, size_t max, int *ret_fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ctl;
	struct iovec iov = { to, max };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = ctl.buf,
			    .msg_controllen = sizeof(ctl.buf) };
	struct cmsghdr *h;
	ssize_t n;

	*ret_fd = -1;
	do
		n = sys_recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(h), sizeof(int));
	return n;
}

static int receive(int sock, struct criu_reply *ret, int *ret_fd, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(PACKET_MAX);
	ssize_t n = receive_bytes(sock, buf_room(&b, PACKET_MAX), PACKET_MAX, ret_fd);

	if (n < 0 && errno != ECONNRESET) /* it ended before it read all of ours */
		return err_sys(err, "hear from criu");
	if (n <= 0)
		return err_set(err, ERR_SYSTEM, "criu has ended without an answer");
	return criu_parse_reply(slice_of(b.p, (size_t)n), ret, err);
}

/* Instead of our end of the pair: that of the socket made in criu's mount namespace. */
static int take_socket(int *sock, struct err *err)
{
	int fd;
	char byte;
	ssize_t n = receive_bytes(*sock, &byte, 1, &fd);

	if (n <= 0 || fd < 0)
		return err_set(err, ERR_SYSTEM,
			       "a mount namespace for criu: its root or directories cannot be "
			       "mounted and opened there");
	fd_close(*sock);
	*sock = fd;
	return 0;
}

static int failed(const struct criu_call *c, const struct criu_reply *p, struct err *err)
{
	return err_set(err, ERR_SYSTEM, "criu has failed%s%s (errno %d): see %s",
		       p->message[0] ? ": " : "", p->message, p->error, c->log);
}

static int talk(const struct criu_call *c, int sock, pid_t *ret_pid, struct err *err)
{
	int r = send_request(sock, c->type, c->opts, false, err);

	while (r >= 0) {
		struct criu_reply p;
		int fd;

		r = receive(sock, &p, &fd, err);
		if (r < 0)
			return r;
		if (p.success && p.type == CRIU_NOTIFY) {
			r = c->on_notify(c->arg, &p, fd, err);
			if (r >= 0)
				r = send_request(sock, CRIU_NOTIFY, NULL, true, err);
			continue;
		}
		fd_close(fd);
		if (!p.success)
			return failed(c, &p, err);
		if (p.type != c->type)
			return err_set(err, ERR_INVALID, "criu answers %u to the request %u",
				       p.type, c->type);
		*ret_pid = p.pid;
		return 0;
	}
	return r;
}

int criu_run(const struct criu_call *c, pid_t *ret_pid, struct err *err)
{
	struct child child = { .call = c };
	struct proc p = { .pidfd = -1 };
	struct proc_exit e;
	int pair[2], r;

	r = find(c->program, child.program, err);
	if (r < 0)
		return r;
	if (sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "make a socket pair");
	child.sock = pair[1];
	r = proc_clone(&(struct proc_clone){ .flags = c->root ? CLONE_NEWNS : 0,
					     .fn = child_main,
					     .arg = &child,
					     .cgroup_fd = -1 },
		       &p, err);
	fd_close(pair[1]);
	if (r >= 0 && c->root)
		r = take_socket(&pair[0], err);
	if (r >= 0 && c->on_start)
		r = c->on_start(c->arg, p.pid, err);
	if (r >= 0)
		r = talk(c, pair[0], ret_pid, err);
	fd_close(pair[0]); /* its sign to end */
	if (p.pidfd >= 0) {
		if (proc_wait(p.pidfd, 10000, &e, NULL) == 1)
			(void)proc_signal(p.pidfd, SIGKILL, NULL); /* may have ended just now */
		(void)proc_wait(p.pidfd, -1, &e, NULL);		   /* reaped already: fine */
	}
	proc_fini(&p);
	return r;
}
