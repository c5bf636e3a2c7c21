/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's listeners. One of ours is a path with a lock file; an inherited one is only an fd.
 */
#include "base/err.h"
#include "base/fd.h"
#include "crypto/tls.h"
#include "io/http-server-impl.h"
#include "io/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void http_listener_free(struct listener *l)
{
	struct stat st;

	source_fini(&l->src);
	fd_close(l->fd);
	/* A path that somebody else has put there meanwhile is not ours to remove. */
	if (l->path && !l->exported && lstat(l->path, &st) == 0 && st.st_dev == l->dev &&
	    st.st_ino == l->ino)
		(void)unlink(l->path); /* stale otherwise, which the next start copes with */
	fd_close(l->lock_fd);
	tls_conf_unref(l->tls);
	free(l->trust.nets);
	free(l->path);
	free(l);
}

struct tls_conf *http_listener_tls(const struct listener *l)
{
	if (l->tls_set)
		return l->tls;
	return l->unix_path ? NULL : l->srv->tls;
}

int http_server_set_tls(struct http_server *srv, size_t i, struct tls_conf *conf, struct err *err)
{
	struct tls_conf **to = &srv->tls;

	if (conf && !tls_conf_is_server(conf))
		return err_set(err, ERR_INVALID,
			       "http server: the TLS configuration is a client's");
	if (i != HTTP_ALL_LISTENERS) {
		if (i >= srv->listeners_n)
			return err_set(err, ERR_NOT_FOUND, "there is no listener %zu", i);
		to = &srv->listeners[i]->tls;
		srv->listeners[i]->tls_set = true;
	}
	tls_conf_unref(*to);
	*to = conf ? tls_conf_ref(conf) : NULL;
	return 0;
}

int http_trust_read(struct proxy_trust *ret, const char *const *list, size_t n, struct err *err)
{
	struct proxy_trust t = { .nets = io_alloc((n + 1) * sizeof(*t.nets)) };

	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i], "unix") == 0) {
			t.local = true;
		} else if (cidr_parse(slice_str(list[i]), &t.nets[t.n], err) < 0) {
			free(t.nets);
			return err_wrap(err, "senders of the PROXY protocol");
		} else {
			t.n++;
		}
	}
	free(ret->nets);
	*ret = t;
	return 0;
}

int http_server_set_proxy_trusted(struct http_server *srv, size_t i, const char *const *list,
				  size_t n, struct err *err)
{
	int r;

	if (i == HTTP_ALL_LISTENERS)
		return http_trust_read(&srv->trust, list, n, err);
	if (i >= srv->listeners_n)
		return err_set(err, ERR_NOT_FOUND, "there is no listener %zu", i);
	r = http_trust_read(&srv->listeners[i]->trust, list, n, err);
	if (r == 0)
		srv->listeners[i]->trust_set = true;
	return r;
}

static void name_listener(struct listener *l)
{
	struct sockaddr_storage sa = { 0 };
	const struct sockaddr_un *un = (const void *)&sa;
	const struct sockaddr_in *v4 = (const void *)&sa;
	const struct sockaddr_in6 *v6 = (const void *)&sa;
	socklen_t len = sizeof(sa);
	char host[INET6_ADDRSTRLEN] = "";

	if (getsockname(l->fd, (struct sockaddr *)&sa, &len) < 0)
		sa.ss_family = AF_UNSPEC;
	l->unix_path = sa.ss_family == AF_UNIX;
	if (l->unix_path) {
		(void)snprintf(l->address, sizeof(l->address), "unix://%.108s", un->sun_path);
	} else if (sa.ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		(void)snprintf(l->address, sizeof(l->address), "tcp://%s:%u", host,
			       ntohs(v4->sin_port));
	} else if (sa.ss_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		(void)snprintf(l->address, sizeof(l->address), "tcp://[%s]:%u", host,
			       ntohs(v6->sin6_port));
	} else {
		(void)str_copy(l->address, sizeof(l->address), "fd://"); /* fits */
	}
}

static int add_listener(struct http_server *srv, int fd_taken, struct listener **ret,
			struct err *err)
{
	struct listener *l;
	int r;

	if (srv->listeners_n == LISTENERS_MAX) {
		fd_close(fd_taken);
		return err_set(err, ERR_QUOTA, "more than %d listeners", LISTENERS_MAX);
	}
	l = io_alloc(sizeof(*l));
	l->src = SOURCE_INIT;
	l->srv = srv;
	l->fd = fd_taken;
	l->lock_fd = -1;
	name_listener(l);
	if (fd_set_nonblock(l->fd, true) < 0 || listen(l->fd, 4096) < 0)
		r = err_sys(err, "listen on '%s'", l->address);
	else
		r = source_init(&l->src, srv->loop, l->fd, EPOLLIN, http_server_on_accept, err);
	if (r < 0) {
		http_listener_free(l);
		return r;
	}
	srv->listeners[srv->listeners_n++] = l;
	http_server_set_accepting(srv);
	*ret = l;
	return 0;
}

/* 1 = somebody answers at the path, 0 = nobody (stale or absent). */
static int is_served(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return 1;
	r = connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
	/* EAGAIN is a full backlog: alive. */
	r = r == 0 || errno == EAGAIN || errno == EPERM || errno == EACCES;
	fd_close(fd);
	return r;
}

static int take_lock(const char *path, int *ret, struct err *err)
{
	char lock[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];
	__attribute__((cleanup(fd_close_cleanup_))) int fd = -1;

	(void)snprintf(lock, sizeof(lock), "%s.lock", path); /* the path was measured */
	fd = openat(AT_FDCWD, lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, "lock file '%s'", lock);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(err, ERR_EXISTS,
				       "another server holds '%s'; stop it or choose another path",
				       lock);
		return err_sys(err, "lock '%s'", lock);
	}
	*ret = STEAL_FD(fd);
	return 0;
}

/* Binds and gives the name its rights: closed to all until mode and group are set. */
static int bind_unix(int fd, const struct sockaddr_un *sa, mode_t mode, gid_t gid, struct err *err)
{
	const char *path = sa->sun_path;
	struct stat st;

	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return err_set(err, ERR_EXISTS,
				       "'%s' is there and not a socket; remove it first", path);
		if (is_served(sa))
			return err_set(
				err, ERR_EXISTS,
				"another server listens on '%s'; stop it or choose another path",
				path);
		if (unlink(path) < 0)
			return err_sys(err, "remove stale socket '%s'", path);
	}
	if (fchmod(fd, 0600 & mode) < 0)
		return err_sys(err, "socket for '%s'", path);
	if (bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0)
		return err_sys(err, "bind '%s'", path);
	if ((gid != (gid_t)-1 && lchown(path, (uid_t)-1, gid) < 0) || chmod(path, mode) < 0) {
		int r = err_sys(err, "rights of '%s'", path);

		(void)unlink(path); /* we made it just now */
		return r;
	}
	return 0;
}

int http_server_listen_unix(struct http_server *srv, const char *path, mode_t mode, gid_t gid,
			    struct err *err)
{
	__attribute__((cleanup(fd_close_cleanup_))) int fd = -1, lock = -1;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct listener *l;
	struct stat st;
	int r;

	if (!str_copy(sa.sun_path, sizeof(sa.sun_path), path) || path[0] != '/')
		return err_set(err, ERR_INVALID,
			       "socket path '%s' is not absolute or longer than %zu bytes", path,
			       sizeof(sa.sun_path) - 1);
	r = take_lock(path, &lock, err);
	if (r < 0)
		return err_wrap(err, "listen on unix://%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, "listen on unix://%s: socket", path);
	r = bind_unix(fd, &sa, mode, gid, err);
	if (r < 0)
		return err_wrap(err, "listen on unix://%s", path);
	r = add_listener(srv, STEAL_FD(fd), &l, err);
	if (r < 0) {
		(void)unlink(path); /* we made it just now */
		return r;
	}
	l->lock_fd = STEAL_FD(lock);
	l->path = strdup(path);
	if (l->path && lstat(path, &st) == 0) {
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	return 0;
}

int http_server_listen_tcp(struct http_server *srv, const char *addr, struct err *err)
{
	__attribute__((cleanup(fd_close_cleanup_))) int fd = -1;
	struct sockaddr_storage sa;
	struct listener *l;
	socklen_t len;
	int on = 1, off = 0, r;

	r = url_sockaddr(addr, &sa, &len, err);
	if (r < 0)
		return err_wrap(err, "listen on tcp://%s", addr);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 && errno == EAFNOSUPPORT && addr[0] == ':') {
		struct sockaddr_in v4 = { .sin_family = AF_INET,
					  .sin_port = ((struct sockaddr_in6 *)&sa)->sin6_port };

		memcpy(&sa, &v4, sizeof(v4));
		len = sizeof(v4);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	if (fd < 0)
		return err_sys(err, "listen on tcp://%s: socket", addr);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return err_sys(err, "listen on tcp://%s: SO_REUSEADDR", addr);
	if (sa.ss_family ==
	    AF_INET6) /* ":port" means IPv4 as well, whatever the machine's default is */
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, addr[0] == ':' ? &off : &on,
				 sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, len) < 0)
		return err_sysc(err, errno == EADDRINUSE ? ERR_EXISTS : ERR_SYSTEM, errno,
				"listen on tcp://%s: bind", addr);
	return add_listener(srv, STEAL_FD(fd), &l, err);
}

int http_server_listen_fd(struct http_server *srv, int fd_taken, struct err *err)
{
	struct listener *l;
	socklen_t len = sizeof(int);
	int on = 0;

	if (getsockopt(fd_taken, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) < 0 || !on) {
		fd_close(fd_taken);
		return err_set(err, ERR_INVALID, "fd %d is not a listening socket", fd_taken);
	}
	return add_listener(srv, fd_taken, &l, err);
}

unsigned http_listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t p = 0, n = 0;
	bool ours = pid && fds && str_uint64(slice_str(pid), &p, NULL) == 0 &&
		    p == (uint64_t)getpid() && str_uint64(slice_str(fds), &n, NULL) == 0 && n > 0 &&
		    n <= LISTENERS_MAX;

	/* They are for this process only: children must not take them for theirs. */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (!ours)
		return 0;
	for (int fd = 3; fd < 3 + (int)n; fd++)
		(void)fd_set_cloexec(
			fd, true); /* an fd that is not there fails in listen_fd, by name */
	return (unsigned)n;
}

size_t http_server_listeners(const struct http_server *srv)
{
	return srv->listeners_n;
}

const char *http_server_address(const struct http_server *srv, size_t i)
{
	return i < srv->listeners_n ? srv->listeners[i]->address : "";
}

int http_server_export(struct http_server *srv, size_t i, int *ret_fd, struct err *err)
{
	int fd;

	if (i >= srv->listeners_n)
		return err_set(err, ERR_NOT_FOUND, "there is no listener %zu", i);
	fd = fd_dup(srv->listeners[i]->fd);
	if (fd < 0)
		return err_sys(err, "export of '%s'", srv->listeners[i]->address);
	srv->listeners[i]->exported = true;
	*ret_fd = fd;
	return 0;
}
