/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/flow.h"

#include "base/work.h"
#include "docker/private.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define FLOW_THREADS 8
#define FLOW_WAITING 256
#define CHUNK (64u << 10)

struct flow {
	struct call *c;
	struct work work;
	struct source source;
	flow_fn *fn;
	flow_done *done;
	void *ctx;
	const char *type;
	int in, out; /* ends of the pipe */
	int result;
	struct err err;
	bool begun, worked, drained, closed, settled;
};

/* Both sides have ended. */
static void settle(struct flow *f)
{
	struct stream *s = f->c->s;

	if (!f->worked || !f->drained || f->settled)
		return;
	f->settled = true; /* `closed` may run inside of what follows */
	if (!f->closed && f->result < 0 && !f->begun)
		reply_err(f->c, &f->err);
	else if (!f->closed && f->result < 0)
		stream_reset(s, &f->err);
	else if (!f->closed)
		(void)stream_end(s); /* a client that left */
	if (f->done)
		f->done(f->ctx, f->result);
	stream_unref(s);
}

static void stop_reading(struct flow *f)
{
	source_fini(&f->source);
	fd_close(STEAL_FD(f->in));
	f->drained = true;
}

static int begin_answer(struct flow *f)
{
	if (f->begun)
		return 0;
	f->begun = true;
	(void)stream_set_header(f->c->s, "Content-Type", f->type);
	return stream_start(f->c->s, 200, -1);
}

static int on_readable(struct source *src, uint32_t events)
{
	struct flow *f = CONTAINER_OF(src, struct flow, source);
	char buf[CHUNK];
	ssize_t n = read(f->in, buf, sizeof(buf));
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n > 0) {
		r = begin_answer(f);
		if (r >= 0)
			r = stream_write(f->c->s, buf, (size_t)n);
		if (r ==
		    1) /* a pipe that hung up would wake us all the time: no source meanwhile */
			source_fini(&f->source);
		return 0; /* a broken stream: `closed` comes */
	}
	stop_reading(f);
	/* An archive is never empty; the worker's failure decides what is told. */
	settle(f);
	return 0;
}

static void on_writable(struct stream *s)
{
	struct flow *f = stream_arg(s);

	if (f->drained || source_active(&f->source))
		return;
	if (source_init(&f->source, f->c->api->loop, f->in, EPOLLIN, on_readable, &f->err) < 0)
		stream_reset(s, &f->err);
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct flow *f = stream_arg(s);

	(void)why;
	f->closed = true;
	if (!f->drained)
		stop_reading(f); /* the worker's next write fails */
	settle(f);
}

static const struct stream_events flow_events = { .writable = on_writable, .closed = on_closed };

static void run(struct work *w)
{
	struct flow *f = CONTAINER_OF(w, struct flow, work);

	f->result = f->fn(f->ctx, f->out, &f->err);
	fd_close(STEAL_FD(f->out));
}

static void ran(struct work *w)
{
	struct flow *f = CONTAINER_OF(w, struct flow, work);

	f->worked = true;
	settle(f);
}

static int start(struct flow *f, struct err *err)
{
	struct docker_api *api = f->c->api;
	int p[2], r = 0;

	if (!api->flows)
		r = work_pool_new(api->loop, FLOW_THREADS, FLOW_WAITING, &api->flows, err);
	if (r < 0)
		return r;
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	f->in = p[0];
	f->out = p[1];
	(void)fcntl(f->in, F_SETPIPE_SZ, 1 << 20); /* the limit per user may say no */
	r = fd_set_nonblock(f->in, true) < 0 ? err_sys(err, "make a pipe non-blocking") : 0;
	if (r == 0)
		r = source_init(&f->source, api->loop, f->in, EPOLLIN, on_readable, err);
	if (r == 0)
		r = work_submit(api->flows, &f->work, run, ran, err);
	return r;
}

void flow_begin(struct call *c, const char *content_type, flow_fn *fn, flow_done *done, void *ctx)
{
	struct flow *f = ARENA_NEW(c->a, struct flow);

	*f = (struct flow){ .c = c, .fn = fn, .done = done, .ctx = ctx, .type = content_type };
	f->in = f->out = -1;
	f->source = SOURCE_INIT;
	if (start(f, &f->err) < 0) {
		source_fini(&f->source);
		fd_close(f->in);
		fd_close(f->out);
		reply_err(c, &f->err);
		if (done)
			done(ctx, err_ret(&f->err));
		return;
	}
	stream_ref(c->s);
	stream_on(c->s, &flow_events, f);
}
