/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stdio of one process: output goes to the log and to every attached client, stdin comes from
 * them.
 *
 * A client is a byte stream: with SHIM_RAW plain bytes, else docker's frames {stream,0,0,0,be32
 * length} on output. Back-pressure both ways: while a client has unsent bytes, output is not read
 * on (the pipe fills, the process waits), and while stdin has unwritten bytes, clients are not
 * read. So memory is bounded by one read per client.
 */
#include "runtime/shim-private.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#define READ_SIZE (32 * 1024)
#define CLIENTS_MAX 64

struct client {
	struct list link;
	struct shim_io *io;
	struct source source;
	int fd;
	uint32_t streams;
	struct buf unsent;
	unsigned char keys[SHIM_KEYS_MAX];
	size_t nkeys, matched;
	bool eof;   /* it will send no more */
	bool reads; /* we want its bytes */
};

struct pipe_end {
	struct source source;
	struct shim_io *io;
	int fd;
	int stream;
};

struct shim_io {
	struct shim_io_conf conf;
	struct pipe_end out, err;
	struct source in_source; /* only while stdin is full */
	int in;
	struct buf in_unsent;
	struct list clients;
	unsigned nclients;
	struct timer patience;
	bool ending, told, close_in;
	struct deferred over;
};

static void client_update(struct client *c);
static void check_over(struct shim_io *io);
static int output_ready(struct source *s, uint32_t events);

/* ---- clients ---- */

static void client_free(struct client *c)
{
	struct shim_io *io = c->io;

	source_fini(&c->source);
	list_del(&c->link);
	io->nclients--;
	fd_close(c->fd);
	buf_fini(&c->unsent);
	free(c);
}

static bool any_unsent(const struct shim_io *io)
{
	struct client *c;

	LIST_FOREACH (c, &io->clients, struct client, link)
		if (c->unsent.n)
			return true;
	return false;
}

/* A source that waits for nothing would still report HUP without end, so it is taken out while a
 * client lags. */
static void update_output(struct pipe_end *e, bool lags)
{
	struct err err = ERR_INIT;

	if (e->fd < 0)
		return;
	if (lags)
		source_fini(&e->source);
	else if (!source_active(&e->source) &&
		 source_init(&e->source, e->io->conf.loop, e->fd, EPOLLIN, output_ready, &err) < 0)
		log_error("output: %s", err.msg);
}

/* Output is read while no client lags. */
static void update_outputs(struct shim_io *io)
{
	bool lags = any_unsent(io);

	update_output(&io->out, lags);
	update_output(&io->err, lags);
}

static void stdin_close(struct shim_io *io)
{
	io->close_in = false;
	source_fini(&io->in_source);
	fd_close(io->in);
	io->in = -1;
	buf_clear(&io->in_unsent);
}

/* A client that gave stdin has closed its side or left. */
static void stdin_over(struct shim_io *io)
{
	struct client *c;

	if (io->in < 0 || !io->conf.once || io->conf.tty)
		return;
	LIST_FOREACH (c, &io->clients, struct client, link)
		if ((c->streams & SHIM_IN) && !c->eof)
			return; /* another still writes */
	if (io->in_unsent.n)
		io->close_in = true;
	else
		stdin_close(io);
}

static void client_leave(struct client *c, bool by_keys)
{
	struct shim_io *io = c->io;
	bool gave_stdin = c->streams & SHIM_IN;

	(void)shutdown(
		c->fd,
		SHUT_RDWR); /* the peer sees the end even if someone else holds a copy of the fd */
	client_free(c);
	if (gave_stdin)
		stdin_over(io);
	update_outputs(io);
	io->conf.detached(io->conf.arg, by_keys);
	check_over(io);
}

static void clients_update(struct shim_io *io)
{
	struct client *c;

	LIST_FOREACH (c, &io->clients, struct client, link)
		client_update(c);
}

static int stdin_writable(struct source *s, uint32_t events)
{
	struct shim_io *io = CONTAINER_OF(s, struct shim_io, in_source);
	ssize_t n;

	n = write(io->in, io->in_unsent.p, io->in_unsent.n);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		stdin_close(io); /* the process has closed its stdin */
	} else if (n > 0) {
		buf_consume(&io->in_unsent, (size_t)n);
		if (io->in_unsent.n == 0) {
			source_fini(&io->in_source);
			buf_fini(&io->in_unsent);
			if (io->close_in)
				stdin_close(io);
		}
	}
	clients_update(io);
	(void)events;
	return 0;
}

static void stdin_write(struct shim_io *io, const char *p, size_t n)
{
	struct err err = ERR_INIT;
	ssize_t w = 0;

	if (io->in < 0 || n == 0)
		return;
	if (io->in_unsent.n == 0) {
		w = write(io->in, p, n);
		if (w < 0 && errno != EAGAIN && errno != EINTR) {
			stdin_close(io);
			return;
		}
		w = MAX(w, 0);
	}
	if ((size_t)w == n)
		return;
	if (buf_add(&io->in_unsent, p + w, n - (size_t)w) < 0)
		log_warn("stdin: more than the shim may hold was sent; the rest is dropped");
	if (!source_active(&io->in_source) &&
	    source_init(&io->in_source, io->conf.loop, io->in, EPOLLOUT, stdin_writable, &err) < 0)
		log_warn("stdin: %s", err.msg);
}

/* Looks for the detach sequence; returns how many bytes go to stdin (moved to the front), or -1 for
 * detach. */
static ssize_t filter_keys(struct client *c, char *p, size_t n)
{
	char held[SHIM_KEYS_MAX];
	size_t out = 0;

	if (!c->nkeys || !(c->streams & SHIM_RAW))
		return (ssize_t)n;
	memcpy(held, c->keys, c->nkeys);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)p[i] == c->keys[c->matched]) {
			if (++c->matched == c->nkeys)
				return -1;
			continue;
		}
		if (c->matched) { /* it was not the sequence: what was held back goes on first */
			size_t k = c->matched;

			c->matched = (unsigned char)p[i] == c->keys[0] && c->nkeys > 1;
			if (out + k <= i) {
				memcpy(p + out, held, k);
				out += k;
			} else { /* held over from the read before */
				stdin_write(c->io, p, out);
				stdin_write(c->io, held, k);
				out = 0;
			}
			if (c->matched)
				continue;
		}
		p[out++] = p[i];
	}
	return (ssize_t)out;
}

static int client_readable(struct client *c)
{
	struct shim_io *io = c->io;
	ssize_t n, keep;

	io->conf.active(io->conf.arg);
	n = recv(c->fd, io->conf.scratch, READ_SIZE, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0) {
		client_leave(c, false);
		return 0;
	}
	if (n == 0) {
		c->eof = true;
		client_update(c);
		if (c->streams & SHIM_IN)
			stdin_over(io);
		return 0;
	}
	if (!(c->streams & SHIM_IN))
		return 0; /* not asked for: dropped, as docker does */
	keep = filter_keys(c, io->conf.scratch, (size_t)n);
	if (keep < 0) {
		client_leave(c, true);
		return 0;
	}
	stdin_write(io, io->conf.scratch, (size_t)keep);
	if (io->in_unsent.n)
		clients_update(io);
	return 0;
}

static int client_event(struct source *s, uint32_t events)
{
	struct client *c = CONTAINER_OF(s, struct client, source);
	struct shim_io *io = c->io;

	if ((events & EPOLLOUT) && c->unsent.n) {
		ssize_t n = send(c->fd, c->unsent.p, c->unsent.n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			client_leave(c, false);
			return 0;
		}
		if (n > 0)
			buf_consume(&c->unsent, (size_t)n);
		if (c->unsent.n == 0) {
			buf_fini(&c->unsent);
			client_update(c);
			update_outputs(io);
			check_over(io);
			return 0;
		}
	}
	if (events & EPOLLIN)
		return client_readable(c);
	if (events & (EPOLLHUP | EPOLLERR))
		client_leave(c, false);
	return 0;
}

static void client_update(struct client *c)
{
	uint32_t want = 0;

	if (!c->eof && !c->io->in_unsent.n)
		want |= EPOLLIN;
	if (c->unsent.n)
		want |= EPOLLOUT;
	if (c->eof && !c->unsent.n) {
		/* Both halves of a gone peer give HUP for ever; a half-closed one gives RDHUP|IN,
		 * which is not asked for. */
		want = 0;
	}
	(void)source_set(&c->source, want);
}

static void client_send(struct client *c, int stream, const char *p, size_t n)
{
	unsigned char head[8] = { (unsigned char)stream,
				  0,
				  0,
				  0,
				  (unsigned char)(n >> 24),
				  (unsigned char)(n >> 16),
				  (unsigned char)(n >> 8),
				  (unsigned char)n };
	struct iovec iov[2] = { { head, sizeof(head) }, { (void *)(uintptr_t)p, n } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	size_t total = n + sizeof(head), sent;
	ssize_t w = 0;

	if (c->streams & SHIM_RAW) {
		m.msg_iov = iov + 1;
		m.msg_iovlen = 1;
		total = n;
	}
	if (!c->unsent.n) {
		w = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (w < 0 && errno != EAGAIN && errno != EINTR) {
			c->eof = true; /* its HUP comes by epoll and removes it */
			(void)shutdown(c->fd, SHUT_RDWR);
			return;
		}
		w = MAX(w, 0);
	}
	sent = (size_t)w;
	if (sent == total)
		return;
	if (!(c->streams & SHIM_RAW)) {
		if (sent < sizeof(head))
			buf_add(&c->unsent, head + sent, sizeof(head) - sent);
		sent = sent > sizeof(head) ? sent - sizeof(head) : 0;
	}
	buf_add(&c->unsent, p + sent, n - sent);
	client_update(c);
}

/* ---- output ---- */

static void output_bytes(struct shim_io *io, int stream, const char *p, size_t n)
{
	uint32_t bit = stream == 2 ? SHIM_ERR : SHIM_OUT;
	struct client *c;

	if (io->conf.log)
		shim_logger_write(io->conf.log, stream, p, n, io->conf.scratch + READ_SIZE,
				  SHIM_SCRATCH - READ_SIZE);
	LIST_FOREACH (c, &io->clients, struct client, link)
		if (c->streams & (io->conf.tty ? SHIM_OUT | SHIM_ERR : bit))
			client_send(c, stream, p, n);
}

static void output_end(struct pipe_end *e)
{
	source_fini(&e->source);
	fd_close(e->fd);
	e->fd = -1;
	if (e->io->conf.tty)
		stdin_close(e->io);
	check_over(e->io);
}

static int output_ready(struct source *s, uint32_t events)
{
	struct pipe_end *e = CONTAINER_OF(s, struct pipe_end, source);
	struct shim_io *io = e->io;
	ssize_t n;

	(void)events;
	io->conf.active(io->conf.arg);
	n = read(e->fd, io->conf.scratch, READ_SIZE);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) { /* EIO: the last slave of the pty was closed */
		output_end(e);
		return 0;
	}
	output_bytes(io, e->stream, io->conf.scratch, (size_t)n);
	update_outputs(io);
	return 0;
}

/* ---- the end ---- */

static void tell_over(struct deferred *d)
{
	struct shim_io *io = CONTAINER_OF(d, struct shim_io, over);

	io->conf.drained(io->conf.arg);
}

static void check_over(struct shim_io *io)
{
	struct client *c;

	if (!io->ending || io->told || io->out.fd >= 0 || io->err.fd >= 0)
		return;
	LIST_FOREACH (c, &io->clients, struct client, link) {
		if (c->unsent.n)
			return;
		(void)shutdown(c->fd, SHUT_RDWR);
		client_free(c);
	}
	timer_clear(&io->patience);
	io->told = true;
	deferred_call(&io->over);
}

static int out_of_patience(struct timer *t)
{
	struct shim_io *io = CONTAINER_OF(t, struct shim_io, patience);
	struct client *c;

	LIST_FOREACH (c, &io->clients, struct client, link)
		client_free(c);
	if (io->out.fd >= 0)
		output_end(&io->out);
	if (io->err.fd >= 0)
		output_end(&io->err);
	check_over(io);
	return 0;
}

void shim_io_finish(struct shim_io *io, int64_t patience)
{
	io->ending = true;
	timer_set_after(&io->patience, patience);
	check_over(io);
}

/* ---- life ---- */

static int end_init(struct shim_io *io, struct pipe_end *e, int fd, int stream, struct err *err)
{
	e->io = io;
	e->fd = fd;
	e->stream = stream;
	e->source = SOURCE_INIT;
	return fd < 0 ? 0 : source_init(&e->source, io->conf.loop, fd, EPOLLIN, output_ready, err);
}

int shim_io_new(const struct shim_io_conf *conf, struct shim_io **ret, struct err *err)
{
	struct shim_io *io = calloc(1, sizeof(*io));
	int r;

	if (!io)
		abort();
	io->conf = *conf;
	io->in = conf->tty ? fd_dup(conf->out)
			   : conf->in; /* a pty is one file: epoll wants an fd for each direction */
	io->in_unsent = BUF_INIT(256 * 1024);
	io->in_source = SOURCE_INIT;
	io->err.fd = -1;
	list_init(&io->clients);
	timer_init(&io->patience, conf->loop, out_of_patience);
	deferred_init(&io->over, conf->loop, tell_over);
	(void)fd_set_nonblock(io->in, true); /* -1: nothing to set */
	(void)fd_set_nonblock(conf->out, true);
	(void)fd_set_nonblock(conf->err, true);
	r = end_init(io, &io->out, conf->out, 1, err);
	if (r == 0)
		r = end_init(io, &io->err, conf->err, 2, err);
	if (r < 0) {
		shim_io_free(io);
		return r;
	}
	*ret = io;
	return 0;
}

void shim_io_free(struct shim_io *io)
{
	struct client *c;

	if (!io)
		return;
	LIST_FOREACH (c, &io->clients, struct client, link)
		client_free(c);
	source_fini(&io->in_source);
	source_fini(&io->out.source);
	source_fini(&io->err.source);
	fd_close(io->in);
	fd_close(io->out.fd);
	fd_close(io->err.fd);
	timer_fini(&io->patience);
	deferred_fini(&io->over);
	buf_fini(&io->in_unsent);
	free(io);
}

static void replay(void *arg, int stream, const char *p, size_t n)
{
	struct client *c = arg;

	if (c->streams & (stream == 2 ? SHIM_ERR : SHIM_OUT))
		client_send(c, stream, p, n);
}

int shim_io_attach(struct shim_io *io, int fd, uint32_t streams, struct slice keys,
		   struct slice unread, struct err *err)
{
	struct client *c;
	int r;

	if (io->nclients >= CLIENTS_MAX) {
		fd_close(fd);
		return err_set(err, ERR_QUOTA, "more than %d clients are attached", CLIENTS_MAX);
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->io = io;
	c->fd = fd;
	c->streams = streams | (io->conf.tty ? SHIM_RAW : 0);
	c->unsent =
		BUF_INIT(64u << 20); /* only a replay of the log needs more than one read's worth */
	c->source = SOURCE_INIT;
	memcpy(c->keys, keys.p ? keys.p : "", keys.n);
	c->nkeys = keys.n;
	list_append(&io->clients, &c->link);
	io->nclients++;
	r = source_init(&c->source, io->conf.loop, fd, EPOLLIN, client_event, err);
	if (r < 0) {
		client_free(c);
		return r;
	}
	if ((streams & SHIM_LOGS) && io->conf.log)
		shim_logger_replay(io->conf.log, replay, c);
	if (unread.n && (streams & SHIM_IN))
		stdin_write(io, unread.p, unread.n);
	client_update(c);
	update_outputs(io);
	return 0;
}

void shim_io_resize(struct shim_io *io, unsigned rows, unsigned cols)
{
	struct winsize ws = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols };

	if (io->conf.tty && io->out.fd >= 0)
		(void)ioctl(io->out.fd, TIOCSWINSZ, &ws); /* the terminal may be gone this moment */
}

void shim_io_close_stdin(struct shim_io *io)
{
	if (io->in_unsent.n)
		io->close_in = true;
	else
		stdin_close(io);
}
