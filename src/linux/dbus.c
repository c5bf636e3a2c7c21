/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to a message bus, or to a service itself ("peer"). */
#include "linux/dbus.h"

#include "base/err.h"
#include "base/fd.h"
#include "linux/sys.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

struct dbus {
	int fd;
	uint32_t serial;
	bool peer;
	struct buf in;
	size_t used; /* of `in`, by the message given out last */
};

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int wait_for(const struct dbus *d, short events, int64_t end, struct err *err)
{
	struct pollfd p = { .fd = d->fd, .events = events };

	for (;;) {
		int64_t left = end - now_ms();
		int r = left <= 0 ? 0 : poll(&p, 1, (int)left);

		if (r > 0)
			return 0;
		if (r == 0)
			return err_set(err, ERR_TIMEOUT, "D-Bus: no answer within %d s",
				       DBUS_WAIT_MS / 1000);
		if (errno != EINTR)
			return err_sys(err, "D-Bus: wait");
	}
}

static int send_all(struct dbus *d, const char *p, size_t n, struct err *err)
{
	int64_t end = now_ms() + DBUS_WAIT_MS;

	while (n) {
		struct iovec iov = { (void *)p, n };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t got = sys_sendmsg(d->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r = 0;

		if (got >= 0) {
			p += got;
			n -= (size_t)got;
		} else if (errno == EAGAIN) {
			r = wait_for(d, POLLOUT, end, err);
		} else if (errno != EINTR) {
			r = err_sys(err, "D-Bus: send");
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* Some more bytes into d->in. */
static int receive(struct dbus *d, int64_t end, struct err *err)
{
	char *room = buf_room(&d->in, 4096);
	struct iovec iov = { room ? room + d->in.n : NULL, 4096 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t got;
	int r;

	if (!room)
		return err_set(err, ERR_TOO_LARGE, "D-Bus: a message of more than %d bytes",
			       DBUS_MAX);
	r = wait_for(d, POLLIN, end, err);
	if (r < 0)
		return r;
	got = sys_recvmsg(d->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got == 0)
		return err_set(err, ERR_UNAVAILABLE, "D-Bus: the other side has closed");
	if (got < 0 && errno != EINTR && errno != EAGAIN)
		return err_sys(err, "D-Bus: receive");
	d->in.n += got > 0 ? (size_t)got : 0;
	d->in.p[d->in.n] = 0;
	return 0;
}

/* ---- authentication ---- */

/* The next line, which must begin with `word`. Lines are short. */
static int expect(struct dbus *d, const char *word, int64_t end, struct err *err)
{
	char *nl;
	int r;

	while (!(nl = d->in.n ? memmem(d->in.p, d->in.n, "\r\n", 2) : NULL)) {
		if (d->in.n > 4096)
			return err_set(err, ERR_INVALID, "D-Bus: a line without end");
		r = receive(d, end, err);
		if (r < 0)
			return r;
	}
	if (strncmp(d->in.p, word, strlen(word)) != 0)
		return err_set(err, ERR_FORBIDDEN, "D-Bus: not let in ('%.*s')",
			       (int)strcspn(d->in.p, "\r"), d->in.p);
	buf_consume(&d->in, (size_t)(nl + 2 - d->in.p));
	return 0;
}

/* EXTERNAL without a name: who we are is what the kernel says of the socket. */
static int authenticate(struct dbus *d, struct err *err)
{
	static const char hello[] = "\0AUTH EXTERNAL\r\n", data[] = "DATA\r\n",
			  begin[] = "BEGIN\r\n";
	int64_t end = now_ms() + DBUS_WAIT_MS;
	int r = send_all(d, hello, sizeof(hello) - 1, err);

	if (r >= 0)
		r = expect(d, "DATA", end, err);
	if (r >= 0)
		r = send_all(d, data, sizeof(data) - 1, err);
	if (r >= 0)
		r = expect(d, "OK", end, err);
	return r < 0 ? r : send_all(d, begin, sizeof(begin) - 1, err);
}

/* ---- opening ---- */

static int hex(char c)
{
	return c >= '0' && c <= '9'		    ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						    : -1;
}

/* Value of key in "unix:path=/a,guid=b", with %XX undone. false = not there or too long. */
static bool address_value(struct slice one, const char *key, char out[108])
{
	while (one.n) {
		struct slice value = slice_split(&one, ','), name = slice_split(&value, '=');
		size_t n = 0;

		if (!slice_is(name, key))
			continue;
		for (size_t i = 0; i < value.n; i++, n++) {
			if (n >= 106)
				return false;
			out[n] = value.p[i];
			if (value.p[i] == '%') {
				if (i + 2 >= value.n || hex(value.p[i + 1]) < 0 ||
				    hex(value.p[i + 2]) < 0)
					return false;
				out[n] = (char)(hex(value.p[i + 1]) * 16 + hex(value.p[i + 2]));
				i += 2;
			}
		}
		out[n] = 0;
		return n > 0;
	}
	return false;
}

static int connect_to(struct slice one, int *ret, struct err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct slice kind = slice_split(&one, ':');
	CLEANUP(fd_close) int fd = -1;
	socklen_t len = sizeof(sa);
	char path[108];

	if (!slice_is(kind, "unix"))
		return err_set(err, ERR_UNSUPPORTED,
			       "D-Bus address of type '%.*s': only unix is known",
			       (int)MIN(kind.n, (size_t)40), kind.n ? kind.p : "");
	if (address_value(one, "path", path)) {
		memcpy(sa.sun_path, path, strlen(path));
	} else if (address_value(one, "abstract", path)) {
		memcpy(sa.sun_path + 1, path, strlen(path));
		len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(path));
	} else {
		return err_set(err, ERR_INVALID, "D-Bus address '%.*s' has no path",
			       (int)MIN(one.n, (size_t)200), one.n ? one.p : "");
	}
	fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sys_connect(fd, (struct sockaddr *)&sa, len) < 0)
		return err_sys(err, "D-Bus: connect to '%s'", path);
	*ret = STEAL_FD(fd);
	return 0;
}

int dbus_open(const char *address, bool peer, struct dbus **ret, struct err *err)
{
	CLEANUP(dbus_free) struct dbus *d = calloc(1, sizeof(*d));
	struct slice rest = slice_str(address);
	struct dbus_msg m;
	int r = err_set(err, ERR_INVALID, "D-Bus: the address is empty");

	if (!d)
		abort();
	d->fd = -1;
	d->peer = peer;
	d->in = BUF_INIT(DBUS_MAX + 4096);
	while (d->fd < 0 && rest.n) {
		if (err)
			*err = ERR_INIT;
		r = connect_to(slice_split(&rest, ';'), &d->fd, err);
	}
	if (r >= 0)
		r = authenticate(d, err);
	if (r >= 0 && !peer)
		r = dbus_call(d,
			      &(struct dbus_call){ .to = "org.freedesktop.DBus",
						   .path = "/org/freedesktop/DBus",
						   .interface = "org.freedesktop.DBus",
						   .member = "Hello",
						   .signature = "" },
			      &m, err);
	if (r < 0)
		return r;
	*ret = STEAL(d);
	return 0;
}

void dbus_free(struct dbus *d)
{
	if (!d)
		return;
	fd_close(d->fd);
	buf_fini(&d->in);
	free(d);
}

/* ---- messages ---- */

static void put_field(struct buf *b, uint8_t code, const char *sig, const char *text)
{
	if (!text || !*text)
		return;
	dbus_align(b, 8);
	dbus_put_byte(b, code);
	dbus_put_sig(b, slice_str(sig));
	if (*sig == 'g')
		dbus_put_sig(b, slice_str(text));
	else
		dbus_put_str(b, slice_str(text));
}

static int send_call(struct dbus *d, const struct dbus_call *c, uint8_t flags, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(DBUS_MAX);
	size_t fields;

	/* order, type, flags, version; the order is read off a number of our own */
	dbus_put_byte(&b, *(const uint8_t *)&(const uint16_t){ 1 } ? 'l' : 'B');
	dbus_put_byte(&b, DBUS_CALL);
	dbus_put_byte(&b, flags);
	dbus_put_byte(&b, 1);
	dbus_put_u32(&b, c->body ? (uint32_t)c->body->n : 0);
	dbus_put_u32(&b, ++d->serial);
	fields = dbus_array_begin(&b, 8);
	put_field(&b, 1, "o", c->path);
	put_field(&b, 2, "s", c->interface);
	put_field(&b, 3, "s", c->member);
	put_field(&b, 6, "s", d->peer ? NULL : c->to);
	put_field(&b, 8, "g", c->signature);
	dbus_array_end(&b, fields, 8);
	dbus_align(&b, 8);
	if (c->body)
		(void)buf_add(&b, c->body->p, c->body->n);
	if (b.full || (c->body && c->body->full))
		return err_set(err, ERR_TOO_LARGE, "D-Bus: %s is longer than %d bytes", c->member,
			       DBUS_MAX);
	return send_all(d, b.p, b.n, err);
}

static int next(struct dbus *d, int64_t end, struct dbus_msg *ret, struct err *err)
{
	for (;;) {
		int r;

		/* Moving what is left to the front keeps it aligned. */
		buf_consume(&d->in, d->used);
		d->used = 0;
		r = dbus_parse(d->in.p, d->in.n, ret, err);
		if (r > 0)
			d->used = (size_t)r;
		if (r == 0)
			r = receive(d, end, err);
		else
			return r < 0 ? r : 0;
		if (r < 0)
			return r;
	}
}

int dbus_next(struct dbus *d, struct dbus_msg *ret, struct err *err)
{
	return next(d, now_ms() + DBUS_WAIT_MS, ret, err);
}

/* Names end alike whoever says them (org.freedesktop.systemd1.NoSuchUnit). */
static enum err_code code_of(const char *name)
{
	static const struct {
		const char *tail;
		enum err_code code;
	} known[] = {
		{ "NoSuchUnit", ERR_NOT_FOUND },
		{ "UnitExists", ERR_EXISTS },
		{ "AccessDenied", ERR_FORBIDDEN },
		{ "InteractiveAuthorizationRequired", ERR_FORBIDDEN },
		{ "InvalidArgs", ERR_INVALID },
		{ "PropertyReadOnly", ERR_INVALID },
		{ "UnknownProperty", ERR_UNSUPPORTED },
		{ "ServiceUnknown", ERR_UNAVAILABLE },
	};
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < ARRAY_LEN(known); i++)
		if (!strcmp(dot + 1, known[i].tail))
			return known[i].code;
	return ERR_SYSTEM;
}

int dbus_call(struct dbus *d, const struct dbus_call *c, struct dbus_msg *ret, struct err *err)
{
	int64_t end = now_ms() + DBUS_WAIT_MS;
	int r = send_call(d, c, 0, err);
	uint32_t serial = d->serial;

	while (r >= 0) {
		r = next(d, end, ret, err);
		if (r < 0 || ret->reply_to != serial)
			continue;
		if (ret->type == DBUS_REPLY)
			return 0;
		if (ret->type == DBUS_ERROR)
			return err_set(err, code_of(ret->error), "%s: %s: %s", c->member,
				       ret->error,
				       ret->signature[0] == 's' ? dbus_get_str(&ret->body) : "");
	}
	return err_wrap(err, "%s", c->member);
}

int dbus_tell(struct dbus *d, const struct dbus_call *c, struct err *err)
{
	return send_call(d, c, 1, err);
}
