/* SPDX-License-Identifier: Apache-2.0 */
/* A WebSocket behind the interface of io/stream.h. */
#include "io/ws-tunnel.h"

#include "base/err.h"
#include "io/ws-impl.h"

static void op_credit(struct stream *s)
{
	struct ws *w = s->conn;

	w->credit = 0;
	ws_read(w, s->credit);
}

static int op_write(struct stream *s, const void *p, size_t n)
{
	struct ws *w = s->conn;
	int r;

	if (ws_is_closed(w))
		return -ERR_UNAVAILABLE;
	/* Past the mark, which stream_write has looked at. */
	r = ws_put_frame(w, WS_FIN | WS_OP_BINARY, slice_of(p, n), (struct slice){ 0 }, true);
	if (r == 1 || (r == 0 && s->conn && stream_room(w->s) == 0)) {
		s->blocked = true;
		return 1;
	}
	return r;
}

static int op_end(struct stream *s)
{
	ws_close(s->conn, 1000, NULL);
	return 0;
}

static void op_reset(struct stream *s, const struct err *why)
{
	struct ws *w = s->conn;

	if (why && !w->why.code)
		w->why = *why;
	ws_abort(w);
}

static int op_detach(struct stream *s, int *ret_fd, struct err *err)
{
	return 0; /* must be relayed */
}

static size_t op_queued(const struct stream *s)
{
	return ws_queued(s->conn);
}

static const struct stream_ops ops = {
	.credit = op_credit,
	.write = op_write,
	.end = op_end,
	.reset = op_reset,
	.detach = op_detach,
	.queued = op_queued,
};

static void on_part(struct ws *w, enum ws_type type, struct slice bytes, bool last)
{
	/* Text has no place in a stream of bytes, but what it holds is one as well. */
	if (bytes.n > 0)
		stream_give_data(w->arg, bytes);
}

static void on_writable(struct ws *w)
{
	stream_give_writable(w->arg);
}

static void on_closed(struct ws *w, const struct ws_end *how)
{
	struct stream *s = w->arg;

	if (!how->why)
		stream_give_end(s);
	stream_close(s, how->why);
}

static const struct ws_events events = { .part = on_part,
					 .writable = on_writable,
					 .closed = on_closed };

struct stream *ws_tunnel(struct ws *w)
{
	struct stream *s = stream_new(w->s->pool, &ops, w);

	s->hijacked = s->head_sent = true;
	s->client = w->client;
	s->peer = w->s->peer;
	s->queue_mark = w->s->queue_mark;
	w->conf.message_max = w->conf.frame_max = SIZE_MAX;
	w->conf.frames_max = SIZE_MAX;
	w->credit = 0;
	ws_on(w, &events, s);
	return s;
}
