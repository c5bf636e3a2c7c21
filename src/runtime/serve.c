/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's side of a process that it makes, for create and exec alike: cloning it, hearing it
 * until it is ready, and handing out what comes of it (a terminal, a pid, the directories of its
 * cgroup).
 */
#include "runtime/rt.h"

#include "base/fd.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

void rt_warn(const struct rt_host *h, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (!h->warn)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	h->warn(h->arg, text);
}

/* ---- fds that the program keeps ---- */

unsigned rt_listen_fds(void)
{
	const char *text = getenv("LISTEN_FDS");
	uint64_t n;

	return text && str_uint64(slice_str(text), &n, NULL) == 0 && n <= 64 ? (unsigned)n : 0;
}

int rt_check_kept_fds(unsigned n, struct err *err)
{
	if (n > 64)
		return err_set(err, ERR_INVALID, "%u preserved fds: at most 64 are possible", n);
	for (unsigned i = 0; i < n; i++)
		if (sys_fcntl(3 + (int)i, F_GETFD, 0) < 0)
			return err_set(err, ERR_INVALID, "fd %u is to be preserved but is not open",
				       3 + i);
	return 0;
}

/* ---- what others are told ---- */

int rt_send_fd(const char *path, int what, const char *word, struct err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	CLEANUP(fd_close) int fd = -1;
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ctl = { 0 };
	struct iovec iov = { (char *)word, strlen(word) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = ctl.buf,
			    .msg_controllen = sizeof(ctl.buf) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	if (!str_copy(sa.sun_path, sizeof(sa.sun_path), path))
		return err_set(err, ERR_INVALID, "socket '%s': the path is too long for a socket",
			       path);
	fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sys_connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(err, "connect to the socket '%s'", path);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &what, sizeof(int));
	if (sys_sendmsg(fd, &m, MSG_NOSIGNAL) < 0)
		return err_sys(err, "send a fd to the socket '%s'", path);
	return 0;
}

/* Written beside and renamed: whoever waits for the file never reads half a number. */
int rt_write_pid_file(const char *path, pid_t pid, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	char tmp[PATH_MAX], text[16];

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.teu-new", path) >= sizeof(tmp))
		return err_set(err, ERR_INVALID, "pid file '%s': the path is too long", path);
	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	fd = sys_openat(AT_FDCWD, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(err, "make the pid file '%s'", path);
	if (fd_write_all(fd, text, strlen(text)) < 0 ||
	    sys_renameat(AT_FDCWD, tmp, AT_FDCWD, path) < 0) {
		int r = err_sys(err, "write the pid file '%s'", path);

		(void)unlink(tmp);
		return r;
	}
	return 0;
}

int rt_cgroup_dirs(const struct cgroup *cg, struct buf *out, struct err *err)
{
	size_t tail = strlen(cgroup_path(cg));
	char path[8192];

	for (unsigned k = 0; k < CGROUP_CONTROLLER_COUNT; k++) {
		size_t at = out->n;
		const char *slash;
		size_t n;

		if (cgroup_dir_fd(cg, k) < 0)
			continue;
		if (cgroup_dir_path(cg, k, path, sizeof(path), err) < 0)
			return err_ret(err);
		if (cgroup_is_v2(cg)) {
			buf_addf(out, " %s\n", path);
			break;
		}
		n = strlen(path);
		if (n <= tail)
			continue;
		slash = memrchr(path, '/', n - tail);
		if (!slash)
			continue;
		buf_addf(out, "%.*s %s\n", (int)(n - tail - (size_t)(slash + 1 - path)), slash + 1,
			 path);
		/* Two controllers of one hierarchy give the same line twice. */
		if (out->n > at && memmem(out->p, at, out->p + at, out->n - at))
			out->n = at;
	}
	return out->full ? err_set(err, ERR_TOO_LARGE, "the cgroup's paths are too long") : 0;
}

/* ---- the process ---- */

/* Who was killed between the birth and its word leaves one that waits for us, on the same socket.
 */
static bool joiner_is_gone(const struct serve *s)
{
	struct pollfd p[2] = { { .fd = s->sock, .events = POLLIN } };

	if (!s->joiner)
		return false;
	p[1] = (struct pollfd){ .fd = s->joiner->pidfd, .events = POLLIN };
	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return false;
	return !p[0].revents;
}

int rt_serve(struct serve *s, struct err *err)
{
	for (;;) {
		struct sync_msg m;
		int r = joiner_is_gone(s) ? 0 : sync_recv(s->sock, &m, err);

		if (r <= 0)
			return r;
		switch (m.type) {
		case SYNC_READY: return 1;
		case SYNC_WARN: rt_warn(s->host, "%s", m.text); break;
		case SYNC_ERROR:
			if (err)
				*err = m.err;
			return m.err.code ? -(int)m.err.code : -ERR_SYSTEM;
		case SYNC_CONSOLE:
			fd_close(s->console);
			s->console = STEAL_FD(m.fd);
			break;
		case SYNC_NOTIFY:
			r = s->conf ? seccomp_send_listener(s->conf, s->view, m.fd, err) : 0;
			break;
		case SYNC_PID:
			if (!s->born || m.fd < 0) {
				r = err_set(err, ERR_SYSTEM, "a process of which nothing is known");
				break;
			}
			*s->born = (struct proc){ .pid = (pid_t)m.number, .pidfd = STEAL_FD(m.fd) };
			return 1;
		case SYNC_HOOKS: r = s->on_hooks ? s->on_hooks(s->arg, err) : -ERR_SYSTEM; break;
		default:
			r = err_set(err, ERR_SYSTEM, "message %u from init is none of ours",
				    m.type);
		}
		fd_close(m.fd);
		if (r < 0)
			return r;
	}
}

int rt_give_console(struct serve *s, const char *socket, uint32_t flags, int *ret, struct err *err)
{
	int r = 0;

	*ret = -1;
	if (s->console < 0)
		return 0;
	if (flags & RT_RAW_CONSOLE)
		*ret = STEAL_FD(s->console);
	else if (socket && rt_send_fd(socket, s->console, "/dev/ptmx", err) < 0) /* peers' word */
		r = err_wrap(err, "console socket");
	fd_close(s->console);
	s->console = -1;
	return r;
}
