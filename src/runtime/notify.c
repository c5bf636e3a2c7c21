/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sd_notify(3) out of a container, as runc does it: with $NOTIFY_SOCKET the container gets a socket
 * of its own below /run/notify, and who starts it waits there for READY=1 and tells the real one,
 * with init's pid as the service's main process. Nothing else of what a container says goes on.
 */
#include "runtime/notify.h"

#include "base/arena.h"
#include "base/fd.h"
#include "linux/path.h"
#include "linux/proc.h"
#include "linux/sys.h"
#include "runtime/rt.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define DIR_NAME "notify"
#define SOCK_NAME DIR_NAME "/notify.sock"

const char *notify_host(void)
{
	const char *s = getenv("NOTIFY_SOCKET");

	return s && (s[0] == '/' || s[0] == '@') && s[1] ? s : NULL;
}

int notify_prepare(struct conf *c, int dirfd, struct arena *a, struct err *err)
{
	static const char *options[] = { "bind", "nosuid", "noexec", "nodev" };
	struct conf_mount *m = ARENA_ARRAY(a, struct conf_mount, c->mounts.n + 1);
	char path[PATH_MAX];
	const char **env;
	int r;

	if (!c->process || !conf_ns(c, NS_MOUNT))
		return 0;
	env = ARENA_ARRAY(a, const char *, c->process->env.n + 1);
	if (!m || !env)
		return arena_quota(a, err);
	if (sys_mkdirat(dirfd, DIR_NAME, 0755) < 0)
		return err_sys(err, "make the directory for $NOTIFY_SOCKET");
	r = path_name_of_fd(dirfd, path, sizeof(path), err);
	if (r < 0)
		return r;
	if (c->mounts.n)
		memcpy(m, c->mounts.v, c->mounts.n * sizeof(*m));
	m[c->mounts.n] = (struct conf_mount){ .destination = "/run/notify",
					      .type = "bind",
					      .source = arena_printf(a, "%s/" DIR_NAME, path),
					      .options = { options, ARRAY_LEN(options) } };
	if (c->process->env.n)
		memcpy(env, c->process->env.v, c->process->env.n * sizeof(*env));
	env[c->process->env.n] = "NOTIFY_SOCKET=/run/" SOCK_NAME;
	c->mounts.v = m;
	c->mounts.n++;
	c->process->env.v = env;
	c->process->env.n++;
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

int notify_listen(const struct rt_container *c, int *ret, struct err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	CLEANUP(fd_close) int fd = -1;

	*ret = -1;
	if (!notify_host())
		return 0;
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/" SOCK_NAME, c->dirfd);
	fd = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, "make a socket");
	(void)sys_unlinkat(c->dirfd, SOCK_NAME, 0); /* of a start that failed */
	if (sys_bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		if (errno == ENOENT) /* made without $NOTIFY_SOCKET */
			return 0;
		return err_sys(err, "make the container's notify socket");
	}
	/* Whoever the program is must be able to write to it. */
	if (sys_fchmodat(c->dirfd, SOCK_NAME, 0777) < 0)
		return err_sys(err, "open the container's notify socket to all");
	*ret = STEAL_FD(fd);
	return 0;
}

static bool says_ready(struct slice text)
{
	while (text.p)
		if (slice_is(slice_split(&text, '\n'), "READY=1"))
			return true;
	return false;
}

/* '@' is the abstract name space. */
static int tell_host(const char *path, pid_t pid, struct err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	CLEANUP(fd_close) int fd = -1;
	char text[48];
	int n = snprintf(text, sizeof(text), "MAINPID=%d\nREADY=1\n", (int)pid);
	struct iovec iov = { text, (size_t)n };
	struct msghdr m = { .msg_name = &sa, .msg_iov = &iov, .msg_iovlen = 1 };

	if (!str_copy(sa.sun_path, sizeof(sa.sun_path), path))
		return err_set(err, ERR_INVALID, "$NOTIFY_SOCKET '%s' is too long", path);
	m.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) +
				    (path[0] != '@'));
	if (path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sys_sendmsg(fd, &m, MSG_NOSIGNAL) < 0)
		return err_sys(err, "tell $NOTIFY_SOCKET '%s'", path);
	return 0;
}

int notify_wait(const struct rt_container *c, int fd, struct err *err)
{
	for (;;) {
		struct pollfd p[2] = { { fd, POLLIN, 0 }, { c->pidfd, POLLIN, 0 } };
		char text[4096];
		ssize_t n;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return err_sys(err, "wait for the container's READY=1");
		if (p[0].revents) {
			n = read(fd, text, sizeof(text));
			if (n > 0 && says_ready(slice_of(text, (size_t)n)))
				return tell_host(notify_host(), c->pid, err);
		} else if (p[1].revents) {
			return 0; /* it has ended without */
		}
	}
}

struct watch {
	const struct rt_container *c;
	int fd;
};

static int watch_main(void *arg)
{
	struct watch *w = arg;
	struct err err = ERR_INIT;

	return notify_wait(w->c, w->fd, &err) < 0;
}

int notify_watch(const struct rt_container *c, int fd, struct err *err)
{
	struct watch w = { c, fd };
	struct proc p = { .pidfd = -1 };
	int r = proc_clone(&(struct proc_clone){ .fn = watch_main, .arg = &w, .cgroup_fd = -1 }, &p,
			   err);

	proc_fini(&p); /* it ends with the container, at the latest */
	return r;
}
