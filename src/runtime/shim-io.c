/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stdio of one process: output goes to the log and to every attached client, stdin comes from
 * them.
 *
 * A client is a byte stream: with SHIM_RAW plain bytes, else docker's frames {stream,0,0,0,be32
 * length} on output. Invariants:
 * (1) Back-pressure both ways: while a client has unsent bytes, output is not read on (the pipe
 * fills, the process waits), and while stdin has unwritten bytes, clients are not read. So memory
 * is bounded by one read per client. (2) After the process's end its last output goes to the log
 * and, bounded, to memory: `drained` does not wait for clients, `served` does. (3) A client that
 * starts with the log reads it to its end before it gets anything live, at its own pace.
 */
#include "runtime/shim-private.h"

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
#define STDIN_MAX (256 * 1024)
/* Once the process has ended its last output (what its pipes hold) is read although a client lags:
 * the log and the exit must not wait for a reader. */
#define LAG_AT_END (1024 * 1024)
#define UNSENT_MAX (LAG_AT_END + 2 * SHIM_SCRATCH)

struct client {
	struct list link;
	struct shim_io *io;
	struct source source; /* inactive while parked */
	int fd;
	uint32_t streams;
	struct buf unsent;
	struct shim_log_reader log;
	unsigned char keys[SHIM_KEYS_MAX];
	size_t nkeys, matched;
	bool eof;	/* it will send no more */
	bool deaf;	/* it takes no more output */
	bool replaying; /* reads the log; what comes meanwhile it finds there */
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
	bool ending, drained, close_in;
	struct deferred over;
};

static int client_event(struct source *s, uint32_t events);
static int output_ready(struct source *s, uint32_t events);
static void client_update(struct client *c);
static void check_end(struct shim_io *io);

/* ---- clients: life ---- */

static void client_free(struct client *c)
{
	struct shim_io *io = c->io;

	source_fini(&c->source);
	shim_log_reader_close(&c->log);
	list_del(&c->link);
	io->nclients--;
	fd_close(c->fd);
	buf_fini(&c->unsent);
	free(c);
}

static bool clients_lag(const struct shim_io *io)
{
	struct client *c;

	LIST_FOREACH (c, &io->clients, struct client, link)
		if (!c->replaying && c->unsent.n > (io->ending ? LAG_AT_END : 0))
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
	bool lags = clients_lag(io);

	update_output(&io->out, lags);
	update_output(&io->err, lags);
}

static void stdin_close(struct shim_io *io)
{
	io->close_in = false;
	source_fini(&io->in_source);
	fd_close(io->in);
	io->in = -1;
	buf_fini(&io->in_unsent);
}

static void stdin_close_when_written(struct shim_io *io)
{
	if (io->in_unsent.n)
		io->close_in = true;
	else
		stdin_close(io);
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
	stdin_close_when_written(io);
}

static void client_leave(struct client *c, bool by_keys)
{
	struct shim_io *io = c->io;
	bool gave_stdin = c->streams & SHIM_IN;

	/* The peer sees the end even if someone else holds a copy of the fd. */
	(void)shutdown(c->fd, SHUT_RDWR);
	client_free(c);
	if (gave_stdin)
		stdin_over(io);
	update_outputs(io);
	io->conf.detached(io->conf.arg, by_keys);
	check_end(io);
}

/* ---- stdin ---- */

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

	(void)events;
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
	/* Clients are not read while something waits, and unread bytes of an attach are bounded
	 * there. */
	if (buf_add(&io->in_unsent, p + w, n - (size_t)w) < 0)
		log_warn("stdin: more than the shim may hold was sent; the rest is dropped");
	if (!source_active(&io->in_source) &&
	    source_init(&io->in_source, io->conf.loop, io->in, EPOLLOUT, stdin_writable, &err) < 0)
		log_warn("stdin: %s", err.msg);
}

/* Held back for the detach sequence, which it turned out not to be. */
static void keys_release(struct client *c)
{
	size_t k = c->matched;

	c->matched = 0;
	stdin_write(c->io, (const char *)c->keys, k);
}

/* To stdin, but for the detach sequence. True: it has come, and what follows it is dropped. */
static bool client_input(struct client *c, const char *p, size_t n)
{
	size_t start = 0; /* p[start..i) is neither written nor held back */

	if (!c->nkeys || !c->io->conf.tty) {
		stdin_write(c->io, p, n);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)p[i] != c->keys[c->matched] && c->matched) {
			keys_release(c);
			start = i;
		}
		if ((unsigned char)p[i] != c->keys[c->matched])
			continue;
		if (c->matched++ == 0)
			stdin_write(c->io, p + start, i - start);
		start = i + 1;
		if (c->matched == c->nkeys)
			return true;
	}
	stdin_write(c->io, p + start, n - start);
	return false;
}

/* ---- clients: events ---- */

static bool served(const struct client *c)
{
	return c->deaf || (!c->unsent.n && !c->replaying);
}

static void client_eof(struct client *c)
{
	struct shim_io *io = c->io;

	c->eof = true;
	if (c->streams & SHIM_IN) {
		keys_release(c);
		if (io->in >= 0 && (io->conf.tty || !io->conf.once)) {
			/* As docker has it: who was attached for input and has no more of it, while
			 * the process's stdin stays open for others, is done. */
			client_leave(c, false);
			return;
		}
		stdin_over(io);
	}
	client_update(c);
}

static void client_readable(struct client *c)
{
	struct shim_io *io = c->io;
	ssize_t n;

	io->conf.active(io->conf.arg);
	n = recv(c->fd, io->conf.scratch, READ_SIZE, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		client_leave(c, false);
	} else if (n == 0) {
		client_eof(c);
	} else if (c->streams & SHIM_IN) { /* else not asked for: dropped, as docker does */
		if (client_input(c, io->conf.scratch, (size_t)n))
			client_leave(c, true);
		else if (io->in_unsent.n)
			clients_update(io);
	}
}

static void client_deaf(struct client *c)
{
	c->deaf = true;
	c->replaying = false;
	buf_fini(&c->unsent);
}

/* False: it is gone. */
static bool client_flush(struct client *c)
{
	ssize_t n;

	if (!c->unsent.n)
		return true;
	n = send(c->fd, c->unsent.p, c->unsent.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (n > 0)
		buf_consume(&c->unsent, (size_t)n);
	if (!c->unsent.n)
		buf_fini(&c->unsent);
	return true;
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
	size_t nhead = c->streams & SHIM_RAW ? 0 : sizeof(head), sent;
	struct iovec iov[2] = { { head, nhead }, { (void *)(uintptr_t)p, n } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t w = 0;

	if (c->deaf || n == 0)
		return;
	if (!c->unsent.n) {
		w = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (w < 0 && errno != EAGAIN && errno != EINTR) {
			client_deaf(c); /* its HUP comes by epoll and removes it */
			(void)shutdown(c->fd, SHUT_RDWR);
			return;
		}
		w = MAX(w, 0);
	}
	sent = (size_t)w;
	if (sent == nhead + n)
		return;
	if (sent < nhead)
		(void)buf_add(&c->unsent, head + sent, nhead - sent);
	sent = sent > nhead ? sent - nhead : 0;
	(void)buf_add(&c->unsent, p + sent, n - sent); /* UNSENT_MAX has room: see clients_lag */
	client_update(c);
}

static bool wants(const struct client *c, int stream)
{
	uint32_t bit = stream == 2 ? SHIM_ERR : SHIM_OUT;

	return c->streams & (c->io->conf.tty ? SHIM_OUT | SHIM_ERR : bit);
}

static void replay_piece(void *arg, int stream, const char *p, size_t n)
{
	struct client *c = arg;

	if (wants(c, stream))
		client_send(c, stream, p, n);
}

/* A step of the log while the client keeps up; at its end the client goes over to what is live. */
static void client_replay(struct client *c)
{
	struct shim_io *io = c->io;

	io->conf.active(io->conf.arg);
	if (shim_log_reader_step(io->conf.log, &c->log, io->conf.scratch, SHIM_SCRATCH,
				 replay_piece, c))
		return;
	shim_log_reader_close(&c->log);
	for (int i = 0; i < 2; i++)
		if (wants(c, i + 1))
			client_send(c, i + 1, io->conf.log->part[i].p, io->conf.log->part[i].n);
	c->replaying = false;
}

static int client_event(struct source *s, uint32_t events)
{
	struct client *c = CONTAINER_OF(s, struct client, source);
	struct shim_io *io = c->io;

	if (events & EPOLLOUT) {
		if (!client_flush(c)) {
			client_leave(c, false);
			return 0;
		}
		if (c->replaying && !c->unsent.n)
			client_replay(c);
		client_update(c);
		update_outputs(io);
		check_end(io); /* may free c */
		return 0;
	}
	if (events & EPOLLIN) {
		client_readable(c);
	} else if (!c->eof && io->in_unsent.n && (c->streams & SHIM_IN)) {
		/* It is gone, but what it wrote before is still to be read when stdin has room. */
		client_deaf(c);
		source_fini(&c->source);
		update_outputs(io);
	} else {
		client_leave(c, false);
	}
	return 0;
}

/* With nothing wanted HUP and ERR still come: so a half-closed client that goes is noticed. */
static void client_update(struct client *c)
{
	struct err err = ERR_INIT;
	uint32_t want = 0;

	if (!c->eof && !c->io->in_unsent.n)
		want |= EPOLLIN;
	if (c->unsent.n || c->replaying)
		want |= EPOLLOUT;
	if (source_active(&c->source))
		(void)source_set(&c->source, want);
	else if (want &&
		 source_init(&c->source, c->io->conf.loop, c->fd, want, client_event, &err) < 0)
		log_error("client: %s", err.msg);
}

/* ---- output ---- */

static void output_bytes(struct shim_io *io, int stream, const char *p, size_t n)
{
	struct client *c;

	if (io->conf.log)
		shim_logger_write(io->conf.log, stream, p, n, io->conf.scratch + READ_SIZE,
				  SHIM_SCRATCH - READ_SIZE);
	LIST_FOREACH (c, &io->clients, struct client, link)
		if (!c->replaying && wants(c, stream))
			client_send(c, stream, p, n);
}

static void output_end(struct pipe_end *e)
{
	struct shim_io *io = e->io;

	source_fini(&e->source);
	fd_close(e->fd);
	e->fd = -1;
	if (io->conf.log)
		shim_logger_end(io->conf.log, e->stream, io->conf.scratch, SHIM_SCRATCH);
	if (io->conf.tty) {
		stdin_close(io);
		clients_update(io);
	}
	check_end(io);
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

static void close_served(struct shim_io *io)
{
	struct client *c;

	LIST_FOREACH (c, &io->clients, struct client, link)
		if (served(c)) {
			(void)shutdown(c->fd, SHUT_RDWR);
			client_free(c);
		}
}

static void tell_over(struct deferred *d)
{
	struct shim_io *io = CONTAINER_OF(d, struct shim_io, over);

	if (!io->drained) {
		io->drained = true;
		io->conf.drained(io->conf.arg); /* frees no io: only served does */
	}
	/* Not before the exit was told: who reads end of file asks for the exit code at once. */
	close_served(io);
	if (list_empty(&io->clients))
		io->conf.served(io->conf.arg); /* may free io */
}

/* The process and its output have ended: clients go as they are served. */
static void check_end(struct shim_io *io)
{
	if (!io->ending || io->out.fd >= 0 || io->err.fd >= 0)
		return;
	timer_clear(&io->patience);
	deferred_call(&io->over);
}

static int out_of_patience(struct timer *t)
{
	struct shim_io *io = CONTAINER_OF(t, struct shim_io, patience);

	if (io->out.fd >= 0)
		output_end(&io->out);
	if (io->err.fd >= 0)
		output_end(&io->err);
	return 0;
}

void shim_io_finish(struct shim_io *io, int64_t patience)
{
	io->ending = true;
	timer_set_after(&io->patience, patience);
	stdin_close(io); /* nobody reads it */
	clients_update(io);
	update_outputs(io);
	check_end(io);
}

bool shim_io_served(const struct shim_io *io)
{
	return list_empty(&io->clients);
}

/* ---- life ---- */

static void end_init(struct shim_io *io, struct pipe_end *e, int fd, int stream)
{
	*e = (struct pipe_end){ .source = SOURCE_INIT, .io = io, .fd = fd, .stream = stream };
	(void)fd_set_nonblock(fd, true); /* -1: nothing to set */
}

static int end_watch(struct pipe_end *e, struct err *err)
{
	return e->fd < 0 ? 0
			 : source_init(&e->source, e->io->conf.loop, e->fd, EPOLLIN, output_ready,
				       err);
}

int shim_io_new(const struct shim_io_conf *conf, struct shim_io **ret, struct err *err)
{
	struct shim_io *io = calloc(1, sizeof(*io));
	int r = 0;

	if (!io)
		abort();
	io->conf = *conf;
	io->in = conf->in;
	io->in_unsent = BUF_INIT(STDIN_MAX);
	io->in_source = SOURCE_INIT;
	list_init(&io->clients);
	timer_init(&io->patience, conf->loop, out_of_patience);
	deferred_init(&io->over, conf->loop, tell_over);
	end_init(io, &io->out, conf->out, 1);
	end_init(io, &io->err, conf->err, 2);
	if (conf->tty) {
		/* A pty is one file: epoll wants an fd for each direction. */
		io->in = fd_dup(conf->out);
		if (io->in < 0)
			r = err_sys(err, "duplicate the terminal");
	}
	(void)fd_set_nonblock(io->in, true);
	if (r == 0)
		r = end_watch(&io->out, err);
	if (r == 0)
		r = end_watch(&io->err, err);
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
	LIST_FOREACH (c, &io->clients, struct client, link) {
		(void)shutdown(c->fd, SHUT_RDWR); /* also when another process holds the socket */
		client_free(c);
	}
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

static int client_check(const struct shim_io *io, int fd, size_t unread, struct err *err)
{
	socklen_t n = sizeof(int);
	int type = 0;

	if (io->nclients >= CLIENTS_MAX)
		return err_set(err, ERR_QUOTA, "more than %d clients are attached", CLIENTS_MAX);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0 || type != SOCK_STREAM)
		return err_set(err, ERR_BAD_REQUEST, "attach: the client is no stream socket");
	if (io->in_unsent.n + unread + SHIM_KEYS_MAX > STDIN_MAX)
		return err_set(err, ERR_QUOTA, "attach: stdin of the process is full");
	return 0;
}

int shim_io_attach(struct shim_io *io, int fd, uint32_t streams, struct slice keys,
		   struct slice unread, struct err *err)
{
	struct client *c;
	int r;

	r = client_check(io, fd, unread.n, err);
	if (r < 0) {
		fd_close(fd);
		return r;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	*c = (struct client){ .io = io,
			      .fd = fd,
			      .streams = streams | (io->conf.tty ? SHIM_RAW : 0),
			      .unsent = BUF_INIT(UNSENT_MAX),
			      .log = { .fd = -1 },
			      .source = SOURCE_INIT,
			      .nkeys = keys.n };
	memcpy(c->keys, keys.p ? keys.p : "", keys.n);
	list_append(&io->clients, &c->link);
	io->nclients++;
	r = source_init(&c->source, io->conf.loop, fd, EPOLLIN, client_event, err);
	if (r < 0) {
		client_free(c);
		return r;
	}
	if ((streams & SHIM_LOGS) && io->conf.log) {
		shim_log_reader_open(io->conf.log, &c->log);
		c->replaying = true;
	}
	if (unread.n && (streams & SHIM_IN) && client_input(c, unread.p, unread.n)) {
		client_leave(c, true);
		return 0;
	}
	clients_update(io);
	update_outputs(io);
	check_end(io); /* the output may have ended just now */
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
	if (io->in >= 0)
		stdin_close_when_written(io);
}
