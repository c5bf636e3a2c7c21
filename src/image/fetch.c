/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The starter's side of the fetching process: its start and end, and serving the answers of one
 * call. Every frame is checked by the rules before it is looked at; one that breaks them ends the
 * process.
 */
#include "image/fetch.h"

#include "base/err.h"
#include "base/fd.h"
#include "image/remote-priv.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define WATCH_MS 100 /* how soon a cancellation is seen */
#define SOCKET_BYTES (1 << 20)

struct fetch {
	const struct remote *r;
	pthread_mutex_t lock; /* of all that follows */
	struct proc proc;
	int control;   /* -1 = no process */
	unsigned born; /* which process it is */
	char death[96];
};

struct fetch_call {
	struct fetch *f;
	unsigned born; /* of the process that serves it */
	int sock;
	remote_consume_fn *consume;
	remote_produce_fn *produce;
	void *ctx;
};

/* ---- life of the process ---- */

int fetch_new(const struct remote *r, struct fetch **ret, struct err *err)
{
	struct fetch *f = calloc(1, sizeof(*f));

	(void)err;
	if (!f)
		abort();
	f->r = r;
	f->control = f->proc.pidfd = -1;
	pthread_mutex_init(&f->lock, NULL);
	*ret = f;
	return 0;
}

/* Under the lock: ends it if it lives, and keeps how it ended. */
static void bury(struct fetch *f)
{
	struct proc_exit x = { 0 };

	if (f->control < 0)
		return;
	fd_close(STEAL_FD(f->control));
	(void)proc_signal(f->proc.pidfd, SIGKILL, NULL); /* dead already: only the wait is left */
	if (proc_wait(f->proc.pidfd, -1, &x, NULL) == 0)
		snprintf(f->death, sizeof(f->death), "%s %d",
			 x.signalled ? "by signal" : "with status", x.status);
	proc_fini(&f->proc);
	f->proc.pidfd = -1;
}

/* Under the lock. */
static int say_ended(struct fetch *f, struct err *err)
{
	int r = err_set(err, ERR_UNAVAILABLE, "the fenced process that talks with '%s' ended %s",
			f->r->conf.host, f->death);

	if (err)
		err->sys = EOWNERDEAD;
	return r;
}

bool fetch_died(const struct err *err)
{
	return err && err->code == ERR_UNAVAILABLE && err->sys == EOWNERDEAD;
}

void fetch_free(struct fetch *f)
{
	if (!f)
		return;
	bury(f);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

struct birth {
	const char *program;
	int control, null;
};

/* Runs on the parent's memory until exec. Standard error stays for a sanitizer's words. */
static int child_main(void *arg)
{
	static const char *const argv[] = { "teu", IMAGE_FETCH_ROLE, NULL };
	const struct birth *b = arg;
	char *const env[] = { NULL };

	if (proc_reset_signals(NULL) < 0 || sys_dup3(b->null, 0, 0) < 0 ||
	    sys_dup3(b->null, 1, 0) < 0 || sys_dup3(b->control, FETCH_CONTROL, 0) < 0 ||
	    proc_fds_cloexec(FETCH_CONTROL + 1, NULL, 0, false, NULL) < 0)
		return 126;
	sys_execveat(AT_FDCWD, b->program, (char *const *)(uintptr_t)argv, env, 0);
	return 127;
}

static int send_conf(struct fetch *f, struct err *err)
{
	CLEANUP_FREE unsigned char *room = malloc(FRAME_PAYLOAD_MAX);
	struct wire_out o = { .p = room, .cap = FRAME_PAYLOAD_MAX };
	int r;

	if (!room)
		abort();
	fetch_put_conf(&o, f->r);
	r = o.bad ? err_set(err, ERR_TOO_LARGE, "its configuration and credentials are too large")
		  : frame_send(f->control, FETCH_VERSION, FETCH_CONF, 0, room, o.n, NULL, 0, err);
	explicit_bzero(room, o.n);
	return MIN(r, 0);
}

/* Descriptors of the child above all that it is given. */
static int high(int fd)
{
	return fd < 0 ? -1 : sys_fcntl(fd, F_DUPFD_CLOEXEC, FETCH_CONTROL + 1);
}

/* Under the lock. */
static int start(struct fetch *f, struct err *err)
{
	CLEANUP(fd_close) int null = -1, theirs = -1, low = -1;
	struct birth b = { .program = f->r->conf.program };
	struct proc_clone pc = { .fn = child_main, .arg = &b, .cgroup_fd = -1, .shared = true };
	int ends[2], r;

	low = sys_openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
	null = high(low);
	if (null < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(err, "make a socket for the fetching process");
	f->control = ends[0];
	f->born++;
	theirs = high(ends[1]);
	fd_close(ends[1]);
	b.control = theirs;
	b.null = null;
	r = theirs < 0 ? err_sys(err, "duplicate a descriptor") : proc_clone(&pc, &f->proc, err);
	if (r < 0) {
		fd_close(STEAL_FD(f->control));
		return err_wrap(err, "start the fetching process '%s'", f->r->conf.program);
	}
	return send_conf(f, err);
}

/* ---- calls ---- */

static int send_call(struct fetch_call *c, const struct fetch_ask *q, int sock, struct err *err)
{
	struct fetch *f = c->f;
	CLEANUP_FREE unsigned char *room = malloc(FRAME_PAYLOAD_MAX);
	struct wire_out o = { .p = room, .cap = FRAME_PAYLOAD_MAX };
	int fds[2] = { sock, q->out }, r;

	if (!room)
		abort();
	fetch_put_ask(&o, q);
	if (o.bad)
		return err_set(err, ERR_TOO_LARGE, "the request is too large");
	pthread_mutex_lock(&f->lock);
	if (f->control >= 0 && proc_poll(f->proc.pidfd, 0, NULL) == 0)
		bury(f);
	r = f->control < 0 ? start(f, err) : 0;
	if (r >= 0)
		r = frame_send(f->control, FETCH_VERSION, FETCH_CALL, 0, room, o.n, fds,
			       q->out >= 0 ? 2 : 1, err);
	if (r < 0)
		bury(f);
	if (r == -ERR_UNAVAILABLE) /* it died before it took the call, or was never there */
		(void)say_ended(f, err);
	c->born = f->born;
	pthread_mutex_unlock(&f->lock);
	return MIN(r, 0);
}

int fetch_begin(struct fetch *f, const struct fetch_ask *q, struct fetch_call **ret,
		struct err *err)
{
	CLEANUP(fd_close) int ours = -1, theirs = -1;
	const int bytes = SOCKET_BYTES;
	struct fetch_call c = {
		.f = f, .consume = q->consume, .produce = q->produce, .ctx = q->ctx
	};
	int ends[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		fd_close(q->out);
		return err_sys(err, "make a socket for a call");
	}
	ours = ends[0];
	theirs = ends[1];
	/* Several pieces on their way, where that is allowed. */
	(void)setsockopt(theirs, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	r = send_call(&c, q, theirs, err);
	fd_close(q->out);
	if (r < 0)
		return r;
	c.sock = STEAL_FD(ours);
	*ret = malloc(sizeof(c));
	if (!*ret)
		abort();
	**ret = c;
	return 0;
}

/* Ends the process that serves the call, unless another one has taken its place. */
static void end_process(struct fetch_call *c)
{
	pthread_mutex_lock(&c->f->lock);
	if (c->born == c->f->born)
		bury(c->f);
	pthread_mutex_unlock(&c->f->lock);
}

/* It closed a call's socket without a result, so it is ending. */
static int ended(struct fetch_call *c, struct err *err)
{
	if (remote_cancelled(c->f->r, err))
		return err_ret(err);
	end_process(c);
	pthread_mutex_lock(&c->f->lock);
	(void)say_ended(c->f, err);
	pthread_mutex_unlock(&c->f->lock);
	return err_ret(err);
}

static int misbehaved(struct fetch_call *c, struct err *err)
{
	end_process(c);
	return err_wrap(err,
			"the fenced process that talks with '%s' was ended: the registry may be "
			"hostile",
			c->f->r->conf.host);
}

/* Waits for a frame; a cancellation ends the process. */
static int next_frame(struct fetch_call *c, void *room, struct frame *fr, struct err *err)
{
	struct pollfd pf = { .fd = c->sock, .events = POLLIN };
	int r;

	do {
		if (remote_cancelled(c->f->r, err)) {
			end_process(c);
			return err_ret(err);
		}
		r = poll(&pf, 1, WATCH_MS);
	} while (r == 0 || (r < 0 && errno == EINTR));
	if (r < 0)
		return err_sys(err, "wait for the fetching process");
	r = frame_recv(c->sock, room, FETCH_PIECE, fr, err);
	if (r == -ERR_UNAVAILABLE)
		return ended(c, err);
	if (r > 0)
		r = frame_check(fr, fetch_rules, FETCH_FRAMES, FETCH_FROM_PROCESS, err);
	if (r < 0)
		return misbehaved(c, err);
	return 0;
}

static int give(struct fetch_call *c, struct wire_in *in, struct err *err)
{
	CLEANUP_FREE char *room = malloc(FETCH_PIECE);
	uint64_t offset = wire_u64(in);
	uint32_t cap = wire_u32(in);
	ssize_t n;
	int r;

	if (!room)
		abort();
	if (!c->produce)
		return err_set(err, ERR_BAD_REQUEST, "it wants bytes that there are not");
	n = c->produce(c->ctx, offset, room, MIN(cap, (uint32_t)FETCH_PIECE), err);
	if (n < 0)
		return err_ret(err);
	r = frame_send(c->sock, FETCH_VERSION, FETCH_GIVE, 0, room, (size_t)n, NULL, 0, err);
	return r == -ERR_UNAVAILABLE ? ended(c, err) : MIN(r, 0);
}

static void notice(const struct fetch_call *c, const struct frame *fr)
{
	const struct remote_conf *conf = &c->f->r->conf;
	char text[1025];

	if (!conf->notice)
		return;
	memcpy(text, fr->payload, fr->head.len);
	text[fr->head.len] = '\0';
	conf->notice(conf->ctx, text);
}

/* 1 = go on. */
static int serve(struct fetch_call *c, const struct frame *fr, struct fetch_answer *x,
		 struct err *err)
{
	struct wire_in in = { .p = fr->payload, .end = fr->payload + fr->head.len };
	int r = 0;

	switch (fr->head.type) {
	case FETCH_NOTICE: notice(c, fr); break;
	case FETCH_DATA:
		if (!c->consume) {
			err_set(err, ERR_BAD_REQUEST, "bytes that nobody asked for");
			return misbehaved(c, err);
		}
		r = c->consume(c->ctx, slice_of((const char *)fr->payload, fr->head.len), err);
		break;
	case FETCH_WANT: r = give(c, &in, err); break;
	default: return fetch_get_result(&in, x, err);
	}
	return r < 0 ? r : 1;
}

int fetch_finish(struct fetch_call *c, struct fetch_answer *ret, struct err *err)
{
	CLEANUP_FREE char *room = malloc(FETCH_PIECE);
	struct fetch_answer *x = calloc(1, sizeof(*x));
	int r;

	if (!room || !x)
		abort();
	do {
		CLEANUP(frame_fini) struct frame fr = { 0 };

		r = next_frame(c, room, &fr, err);
		if (r >= 0)
			r = serve(c, &fr, x, err);
	} while (r > 0);
	if (r >= 0 && ret)
		*ret = *x;
	explicit_bzero(x, sizeof(*x));
	free(x);
	fd_close(c->sock);
	free(c);
	return r;
}

int fetch_run(struct fetch *f, const struct fetch_ask *q, struct fetch_answer *ret, struct err *err)
{
	int tries = q->consume || q->op == FETCH_DELETE ? 1 : FETCH_TRIES, r;

	do {
		struct err why = ERR_INIT;
		struct fetch_call *c;

		r = fetch_begin(f, q, &c, &why);
		if (r >= 0)
			r = fetch_finish(c, ret, &why);
		if (r < 0 && err)
			*err = why;
		tries = r < 0 && fetch_died(&why) ? tries - 1 : 0;
	} while (tries > 0);
	return r;
}
