/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of one stream to another, with back-pressure.
 *
 * A stream has credit for what its `to` had room for. Streams that share a connection (channels of
 * a WebSocket, SPDY) may fill it for each other: what is refused then waits in `held`, which the
 * credit bounds.
 */
#include "apiserver/rest/rest-connect.h"

#include <string.h>

#define HELD_MAX (8u << 20) /* what a filter may make of PIPE_CREDIT */

static void fill_end(struct pipe_end *e)
{
	if (!e->over || e->held.n || !e->s || e->told)
		return;
	e->told = true;
	if (e->ops->filled)
		e->ops->filled(e);
	else
		(void)(e->finish ? stream_finish(e->s) : stream_end(e->s));
}

/* True: there may be more at once. */
static bool put(struct pipe_end *e, struct slice bytes)
{
	int r;

	if (!e->s || bytes.n == 0)
		return true;
	if (!e->held.n) {
		r = stream_write(e->s, bytes.p, bytes.n);
		if (r != -ERR_QUOTA)
			return r != 1; /* negative: closed, which `closed` tells */
	}
	if (buf_add(&e->held, bytes.p, bytes.n) < 0)
		stream_reset(e->s, NULL); /* cannot be, as the credit bounds it */
	return false;
}

static void give_credit(struct pipe_end *e)
{
	size_t n = e->owed;

	e->owed = 0;
	if (n && e->s)
		stream_read(e->s, n);
}

static int filtered(struct pipe_end *e, struct slice bytes, bool last, bool *ret_room)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(HELD_MAX);
	int r = e->ops->filter(e, bytes, last, &out);

	if (r == 0 && e->to)
		*ret_room = put(e->to, buf_slice(&out));
	else if (r == 1)
		*ret_room = false;
	return r;
}

static void on_data(struct stream *s, struct slice bytes)
{
	CLEANUP(stream_unref) struct stream *held = stream_ref(s);
	struct pipe_end *e = stream_arg(s);
	CLEANUP(call_drop) struct call *c = call_hold(e->x->call);
	bool room = true;

	(void)held;
	(void)c;
	e->owed += bytes.n;
	e->bytes += bytes.n;
	if (e->ops->filter) {
		if (filtered(e, bytes, false, &room) < 0) {
			stream_reset(s, NULL);
			return;
		}
	} else if (e->to) {
		room = put(e->to, bytes);
	}
	if (room && !stream_is_closed(s))
		give_credit(e);
}

static void on_end(struct stream *s)
{
	CLEANUP(stream_unref) struct stream *held = stream_ref(s);
	struct pipe_end *e = stream_arg(s);
	CLEANUP(call_drop) struct call *c = call_hold(e->x->call);
	bool room;

	(void)held;
	(void)c;
	if (e->ops->filter && filtered(e, (struct slice){ 0 }, true, &room) < 0) {
		stream_reset(s, NULL);
		return;
	}
	if (e->ops->ended)
		e->ops->ended(e);
	if (!stream_is_closed(s) && e->to) {
		e->to->over = true;
		fill_end(e->to);
	}
}

static void on_writable(struct stream *s)
{
	CLEANUP(stream_unref) struct stream *held = stream_ref(s);
	struct pipe_end *e = stream_arg(s);
	CLEANUP(call_drop) struct call *c = call_hold(e->x->call);
	int r = 0;

	(void)held;
	(void)c;
	if (e->held.n) {
		r = stream_write(s, e->held.p, e->held.n);
		if (r == -ERR_QUOTA || stream_is_closed(s))
			return;
		buf_fini(&e->held);
	}
	fill_end(e);
	if (r == 0 && !stream_is_closed(s) && e->from)
		give_credit(e->from);
}

static void on_head(struct stream *s)
{
	struct pipe_end *e = stream_arg(s);
	CLEANUP(call_drop) struct call *c = call_hold(e->x->call);

	(void)c;
	if (e->ops->head)
		e->ops->head(e);
}

static void on_cancel(struct stream *s)
{
	struct pipe_end *e = stream_arg(s);

	if (e->ops->cancel)
		e->ops->cancel(e);
}

static void on_closed(struct stream *s, const struct err *why)
{
	CLEANUP(stream_unref) struct stream *ours = s;
	struct pipe_end *e = stream_arg(s);
	CLEANUP(call_drop) struct call *c = call_hold(e->x->call);

	(void)ours;
	(void)c;
	e->s = NULL;
	buf_fini(&e->held);
	e->ops->closed(e, why);
}

static const struct stream_events events = {
	.head = on_head,
	.data = on_data,
	.end = on_end,
	.writable = on_writable,
	.cancel = on_cancel,
	.closed = on_closed,
};

void pipe_open(struct pipe_end *e, struct stream *s, const struct pipe_ops *ops, struct connect *x)
{
	e->s = stream_ref(s);
	e->ops = ops;
	e->x = x;
	e->owed = 0;
	e->over = e->finish = e->told = false;
	e->held = BUF_INIT(HELD_MAX + PIPE_CREDIT);
	stream_on(s, &events, e);
}

void pipe_flow(struct pipe_end *from, struct pipe_end *to)
{
	from->to = to;
	if (to)
		to->from = from;
	if (from->s)
		stream_read(from->s, PIPE_CREDIT);
}

void pipe_resume(struct pipe_end *e)
{
	give_credit(e);
}

void pipe_put(struct pipe_end *e, struct slice bytes)
{
	(void)put(e, bytes);
}

void pipe_end_output(struct pipe_end *e, bool finish)
{
	if (finish && e->told && !e->finish && e->s) {
		e->finish = true;
		(void)stream_finish(e->s); /* it was a half-close */
		return;
	}
	e->over = true;
	e->finish |= finish;
	fill_end(e);
}

void pipe_given(struct pipe_end *e)
{
	struct stream *s = STEAL(e->s);

	if (!s)
		return;
	buf_fini(&e->held);
	stream_unref(s);
}

void pipe_leave(struct pipe_end *e)
{
	if (e->s)
		stream_on(e->s, NULL, NULL);
	pipe_given(e);
}

void pipe_close(struct pipe_end *e)
{
	struct stream *s = e->s ? stream_ref(e->s) : NULL;

	if (!s)
		return;
	pipe_leave(e);
	stream_reset(s, NULL);
	stream_unref(s);
}
