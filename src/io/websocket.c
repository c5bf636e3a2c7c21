/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A running WebSocket: frames in and out of a stream of raw bytes.
 *
 * (1) The stream below gets credit for what was used up, at most WINDOW ahead; what came but cannot
 * be delivered for want of credit is held, so at most WINDOW bytes. (2) Control frames go past the
 * mark of the queue, but never more than one pong and one close wait there. (3) After a close frame
 * of the peer, or a failure, not a byte of it is looked at any more. (4) Callbacks run only from
 * events of the stream and from the kick, so never inside a call of the owner.
 */
#include "io/websocket.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "io/ws-impl.h"

#include <assert.h>

#define WINDOW 65536u
#define MESSAGE_MAX (1u << 20)
#define PIECE 16384u
#define ON_STACK 4096u

static void feed(struct ws *w, struct slice in);
static void close_frame(struct ws *w, unsigned code, struct slice reason);
static void on_kick(struct deferred *d);
static int on_timer(struct timer *t);

/* ---- life ---- */

static size_t or_default(size_t v, size_t otherwise)
{
	return v ? v : otherwise;
}

struct ws *ws_make(const struct ws_conf *conf, const struct ws_events *ev, void *arg, bool client,
		   struct loop *l)
{
	struct ws *w = io_alloc(sizeof(*w));

	w->refs = 1;
	w->ev = ev;
	w->arg = arg;
	w->conf = conf ? *conf : (struct ws_conf){ 0 };
	w->conf.message_max = or_default(w->conf.message_max, ev->part ? SIZE_MAX : MESSAGE_MAX);
	w->conf.frame_max = or_default(w->conf.frame_max, w->conf.message_max);
	w->conf.frames_max = or_default(w->conf.frames_max, 65536);
	if (w->conf.pong_time == 0)
		w->conf.pong_time = 20 * NS_PER_SEC;
	if (w->conf.close_time == 0)
		w->conf.close_time = 10 * NS_PER_SEC;
	w->credit = w->conf.paused ? 0 : WS_ALL;
	w->client = client;
	w->key_at = WS_KEYS;
	w->code = 1006;
	w->protocol = "";
	timer_init(&w->timer, l, on_timer);
	deferred_init(&w->kick, l, on_kick);
	return w;
}

struct ws *ws_ref(struct ws *w)
{
	w->refs++;
	return w;
}

void ws_unref(struct ws *w)
{
	if (!w || --w->refs > 0)
		return;
	free(w->protocol_mem);
	free(w);
}

void ws_finish(struct ws *w, const struct err *why)
{
	struct stream *s = STEAL(w->s);
	struct ws_end how = { .code = w->code, .reason = slice_of(w->reason, w->reason_n) };

	if (w->done)
		return;
	w->done = true;
	timer_fini(&w->timer);
	deferred_fini(&w->kick);
	if (w->why.code)
		how.why = &w->why;
	else if (!w->close_got)
		how.why = why;
	if (!how.why && !w->close_got) {
		(void)err_set(&w->why, ERR_UNAVAILABLE,
			      "WebSocket: the peer left without a close frame");
		how.why = &w->why;
	}
	if (s) {
		iobuf_fini(s->pool, &w->held);
		iobuf_fini(s->pool, &w->msg);
	}
	if (w->ev->closed)
		w->ev->closed(w, &how);
	stream_unref(s);
	ws_unref(w);
}

static void arm(struct ws *w, int64_t due)
{
	if (!timer_armed(&w->timer) || w->timer.due > due)
		timer_set(&w->timer, due);
}

void ws_begin(struct ws *w, struct stream *s)
{
	if (!w->s)
		w->s = stream_ref(s);
	w->opened = true;
	w->last_in = loop_now(s->pool->loop);
	stream_on(s, &ws_stream_events, w);
	timer_clear(&w->timer);
	if (w->conf.ping_time > 0)
		arm(w, w->last_in + w->conf.ping_time);
	stream_read(s, WINDOW);
}

int ws_adopt(struct stream *s, bool client, const struct ws_conf *conf, const struct ws_events *ev,
	     void *arg, struct ws **ret, struct err *err)
{
	struct ws *w;

	if (stream_is_closed(s) || !s->hijacked)
		return err_set(err, ERR_CONFLICT, "WebSocket: the stream carries no raw bytes");
	w = ws_make(conf, ev, arg, client, s->pool->loop);
	*ret = w;
	ws_begin(w, s);
	return 0;
}

/* ---- queries ---- */

void *ws_arg(const struct ws *w)
{
	return w->arg;
}

void ws_on(struct ws *w, const struct ws_events *ev, void *arg)
{
	w->ev = ev;
	w->arg = arg;
}

struct stream *ws_stream(const struct ws *w)
{
	return w->s;
}

const char *ws_protocol(const struct ws *w)
{
	return w->protocol;
}

int ws_status(const struct ws *w)
{
	return w->status;
}

bool ws_is_closed(const struct ws *w)
{
	/* cppcheck-suppress ctunullpointer ; of a w that has just been dereferenced */
	return w->done || !w->s || w->close_sent || w->failed || !w->opened;
}

size_t ws_queued(const struct ws *w)
{
	return w->s ? stream_queued(w->s) : 0;
}

size_t ws_room(const struct ws *w)
{
	return ws_is_closed(w) ? 0 : stream_room(w->s);
}

/* ---- out ---- */

static const unsigned char *next_key(struct ws *w)
{
	if (!w->client)
		return NULL;
	if (w->key_at == WS_KEYS) {
		random_bytes(w->keys, sizeof(w->keys));
		w->key_at = 0;
	}
	return w->keys[w->key_at++];
}

static void add_masked(char *dst, struct slice v, const unsigned char *key, size_t phase)
{
	if (key)
		ws_mask(dst, v.p, v.n, key, phase);
	else if (v.n)
		memcpy(dst, v.p, v.n);
}

int ws_put_frame(struct ws *w, unsigned op_and_fin, struct slice a, struct slice b, bool past_mark)
{
	CLEANUP_FREE char *heap = NULL;
	const unsigned char *key;
	/* Not filled with zeros first: this is the hot path. */
	char stack[ON_STACK] __attribute__((uninitialized)), *p = stack;
	size_t n;

	if (!past_mark && stream_room(w->s) == 0)
		return stream_write(w->s, "", 1); /* refuses, and remembers to call writable */
	if (a.n > SIZE_MAX - b.n - WS_HEAD_MAX)
		return -ERR_INVALID;
	if (a.n + b.n + WS_HEAD_MAX > sizeof(stack))
		p = heap = io_alloc(a.n + b.n + WS_HEAD_MAX);
	key = next_key(w);
	n = ws_head_put(p, op_and_fin, a.n + b.n, key);
	add_masked(p + n, a, key, 0);
	add_masked(p + n + a.n, b, key, a.n);
	n += a.n + b.n;
	return past_mark ? w->s->ops->write(w->s, p, n) : stream_write(w->s, p, n);
}

int ws_send2(struct ws *w, enum ws_type type, struct slice a, struct slice b)
{
	struct ws_utf8 u = { 0 };

	if (ws_is_closed(w))
		return -ERR_UNAVAILABLE;
	if (w->out_message)
		return -ERR_CONFLICT;
	if (type == WS_TEXT &&
	    (!ws_utf8_step(&u, a.p, a.n) || !ws_utf8_step(&u, b.p, b.n) || u.need))
		return -ERR_INVALID;
	return ws_put_frame(w, WS_FIN | type, a, b, false);
}

int ws_send(struct ws *w, enum ws_type type, const void *p, size_t n)
{
	return ws_send2(w, type, slice_of(p, n), (struct slice){ 0 });
}

int ws_send_part(struct ws *w, enum ws_type type, const void *p, size_t n, bool last)
{
	unsigned op = w->out_message ? WS_OP_CONT : type;
	int r;

	if (ws_is_closed(w))
		return -ERR_UNAVAILABLE;
	r = ws_put_frame(w, op | (last ? WS_FIN : 0), slice_of(p, n), (struct slice){ 0 }, false);
	if (r >= 0)
		w->out_message = !last;
	return r;
}

int ws_ping(struct ws *w, const void *p, size_t n)
{
	if (ws_is_closed(w))
		return -ERR_UNAVAILABLE;
	if (n > WS_CONTROL_MAX)
		return -ERR_INVALID;
	return ws_put_frame(w, WS_FIN | WS_OP_PING, slice_of(p, n), (struct slice){ 0 }, false);
}

static void send_pong(struct ws *w)
{
	w->pong_waits = stream_room(w->s) == 0;
	if (w->pong_waits) {
		(void)stream_write(w->s, "", 1); /* refused: asks for writable */
		return;
	}
	(void)ws_put_frame(w, WS_FIN | WS_OP_PONG, slice_of(w->pong, w->pong_n),
			   (struct slice){ 0 }, true); /* a broken stream tells by closed */
}

static void close_frame(struct ws *w, unsigned code, struct slice reason)
{
	char two[2] = { (char)(code >> 8), (char)code };

	if (w->close_sent)
		return;
	w->close_sent = true;
	w->closing_since = loop_now(w->s->pool->loop);
	arm(w, w->closing_since + w->conf.close_time);
	(void)ws_put_frame(w, WS_FIN | WS_OP_CLOSE, slice_of(two, code ? 2 : 0), reason, true);
}

/* At most 123 bytes, and no half character. */
static struct slice short_reason(const char *reason)
{
	struct slice s = slice_str(reason);
	struct ws_utf8 u = { 0 };

	if (s.n > WS_CONTROL_MAX - 2) {
		s.n = WS_CONTROL_MAX - 2;
		while (s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
			s.n--;
	}
	return ws_utf8_step(&u, s.p, s.n) && !u.need ? s : (struct slice){ 0 };
}

void ws_close(struct ws *w, unsigned code, const char *reason)
{
	if (ws_is_closed(w))
		return;
	if (!ws_close_code_ok(code))
		code = 0;
	close_frame(w, code, code ? short_reason(reason) : (struct slice){ 0 });
	w->credit = WS_ALL; /* what still comes is dropped, up to the peer's close */
	deferred_call(&w->kick);
}

void ws_abort(struct ws *w)
{
	CLEANUP(ws_unref) struct ws *keep = ws_ref(w);

	(void)keep;
	if (w->s && !w->done)
		stream_reset(w->s, NULL);
}

/* ---- failures ---- */

/* The connection fails (RFC 6455, 7.1.7): a close frame with the reason, then nothing is read. */
static void fail(struct ws *w, unsigned code, const char *what)
{
	if (w->failed || w->close_got)
		return;
	w->failed = true;
	(void)err_set(&w->why,
		      code == 1009   ? ERR_TOO_LARGE
		      : code == 1007 ? ERR_INVALID
				     : ERR_BAD_REQUEST,
		      "WebSocket: %s", what);
	close_frame(w, code, slice_str(what));
	iobuf_fini(w->s->pool, &w->held);
	iobuf_fini(w->s->pool, &w->msg);
	(void)stream_finish(w->s); /* broken already: closed tells */
}

static int on_timer(struct timer *t)
{
	struct ws *w = CONTAINER_OF(t, struct ws, timer);
	int64_t now, due;

	if (!w->s)
		return 0;
	now = loop_now(w->s->pool->loop);
	if (!w->opened || w->close_sent) {
		due = w->closing_since + w->conf.close_time;
		if (now < due) {
			timer_set(t, due);
			return 0;
		}
		if (!w->why.code && !w->close_got)
			(void)err_set(&w->why, ERR_TIMEOUT, "WebSocket: %s in time",
				      w->opened ? "the peer did not close its side"
						: "the server did not answer");
		ws_abort(w);
		return 0;
	}
	if (w->stalled)
		w->last_in = now; /* we do not read: nothing can be said about the peer */
	if (w->ping_sent > w->last_in) {
		due = w->ping_sent + w->conf.pong_time;
		if (now >= due) {
			(void)err_set(&w->why, ERR_TIMEOUT,
				      "WebSocket: the peer did not answer a ping in time");
			ws_abort(w);
			return 0;
		}
	} else if (now >= w->last_in + w->conf.ping_time) {
		w->ping_sent = now;
		due = now + w->conf.pong_time;
		(void)ws_put_frame(w, WS_FIN | WS_OP_PING, (struct slice){ 0 }, (struct slice){ 0 },
				   true); /* one at a time */
	} else {
		due = w->last_in + w->conf.ping_time;
	}
	timer_set(t, due);
	return 0;
}

/* ---- in ---- */

/* 0, or a close code with *what. */
static unsigned judge_control(const struct ws_head *h, const char **what)
{
	*what = "a control frame is fragmented";
	if (!h->fin)
		return 1002;
	*what = "a control frame has more than 125 bytes";
	if (h->length > WS_CONTROL_MAX)
		return 1002;
	*what = "a close frame has one byte";
	return h->op == WS_OP_CLOSE && h->length == 1 ? 1002 : 0;
}

static unsigned judge(const struct ws *w, const struct ws_head *h, const char **what)
{
	*what = "reserved bits are set, but no extension was agreed";
	if (h->rsv)
		return 1002;
	*what = "the opcode is reserved";
	if ((h->op > WS_OP_BINARY && h->op < WS_OP_CLOSE) || h->op > WS_OP_PONG)
		return 1002;
	*what = w->client ? "a frame of the server is masked"
			  : "a frame of the client is not masked";
	if (h->masked == w->client)
		return 1002;
	if (h->op >= WS_OP_CLOSE)
		return judge_control(h, what);
	*what = "a continuation frame without a message";
	if (h->op == WS_OP_CONT && !w->in_message)
		return 1002;
	*what = "a new message inside another one";
	if (h->op != WS_OP_CONT && w->in_message)
		return 1002;
	*what = "the message is too large";
	if (h->length > w->conf.message_max - (h->op == WS_OP_CONT ? w->total : 0))
		return 1009;
	*what = "the frame is too large";
	if (h->length > w->conf.frame_max)
		return 1009;
	*what = "the message has too many frames";
	return h->op == WS_OP_CONT && w->frames >= w->conf.frames_max ? 1009 : 0;
}

static void got_close(struct ws *w)
{
	size_t n = w->frame.length;
	unsigned code = 1005;
	struct ws_utf8 u = { 0 };

	if (n >= 2) {
		code = (unsigned)(unsigned char)w->control[0] << 8 | (unsigned char)w->control[1];
		if (!ws_close_code_ok(code)) {
			fail(w, 1002, "a close frame has a code that must not be sent");
			return;
		}
		if (!ws_utf8_step(&u, w->control + 2, n - 2) || u.need) {
			fail(w, 1007, "the reason of a close frame is not UTF-8");
			return;
		}
		w->reason_n = (uint8_t)(n - 2);
		memcpy(w->reason, w->control + 2, n - 2);
	}
	w->code = code;
	w->close_got = true;
	close_frame(w, n >= 2 ? code : 0, (struct slice){ 0 });
	/* The server closes first, so that the client keeps no port waiting. */
	if (!w->client || w->ended_in)
		(void)stream_finish(w->s);
	else
		(void)stream_end(w->s);
}

static void got_control(struct ws *w)
{
	size_t n = w->frame.length;

	switch (w->frame.op) {
	case WS_OP_CLOSE: got_close(w); break;
	case WS_OP_PING:
		if (w->close_sent)
			break;
		memcpy(w->pong, w->control, n);
		w->pong_n = (uint8_t)n;
		send_pong(w);
		break;
	default:
		if (n > 0 && w->ev->pong && !w->close_sent)
			w->ev->pong(w, slice_of(w->control, n));
		break;
	}
}

static void use_credit(struct ws *w, size_t n)
{
	if (w->credit != WS_ALL)
		w->credit -= MIN(w->credit, n);
}

static bool check_text(struct ws *w, const char *p, size_t n, bool last)
{
	if (w->type != WS_TEXT)
		return true;
	if (ws_utf8_step(&w->utf8, p, n) && !(last && w->utf8.need))
		return true;
	fail(w, 1007, "text is not UTF-8");
	return false;
}

/* Bytes that are unmasked; in pieces, or gathered. last: with them the message ends. */
static void got_bytes(struct ws *w, char *p, size_t n, bool last)
{
	if (!check_text(w, p, n, last))
		return;
	if (w->close_sent) {
		iobuf_fini(w->s->pool, &w->msg);
	} else if (w->ev->part) {
		use_credit(w, n);
		w->ev->part(w, w->type, slice_of(p, n), last);
	} else if (last) {
		use_credit(w, w->total);
		if (w->ev->message)
			w->ev->message(w, w->type,
				       slice_of(w->msg.p ? w->msg.p : "", iobuf_len(&w->msg)));
	}
	if (last && w->s) {
		iobuf_fini(w->s->pool, &w->msg);
		w->in_message = false;
	}
}

/* Takes payload of the current frame from in; returns how much. */
static size_t take_payload(struct ws *w, struct slice in)
{
	size_t n = (size_t)MIN((uint64_t)in.n, w->left);
	bool control = w->frame.op >= WS_OP_CLOSE, last;
	char *dst;

	if (control) {
		dst = w->control + w->at;
	} else {
		if (w->ev->part || w->close_sent)
			n = MIN(MIN(n, (size_t)PIECE), MAX(w->credit, (size_t)1));
		dst = iobuf_room(w->s->pool, &w->msg, MAX(n, (size_t)1));
		if (!w->ev->part)
			w->msg.n += n;
	}
	if (w->frame.masked)
		ws_mask(dst, in.p, n, w->frame.key, w->at);
	else if (n > 0)
		memcpy(dst, in.p, n);
	w->at += n;
	w->left -= n;
	last = w->left == 0;
	if (last)
		w->in_payload = false;
	if (!control)
		got_bytes(w, dst, n, last && w->frame.fin);
	else if (last)
		got_control(w);
	return n;
}

static void begin_frame(struct ws *w)
{
	const char *what;
	unsigned code = judge(w, &w->frame, &what);

	if (code) {
		fail(w, code, what);
		return;
	}
	w->in_payload = true;
	w->left = w->frame.length;
	w->at = 0;
	if (w->frame.op >= WS_OP_CLOSE)
		return;
	if (w->frame.op != WS_OP_CONT) {
		w->in_message = true;
		w->type = w->frame.op == WS_OP_TEXT ? WS_TEXT : WS_BINARY;
		w->utf8 = (struct ws_utf8){ 0 };
		w->total = w->frames = 0;
	}
	w->frames++;
	w->total += w->frame.length;
}

/* Takes bytes of a frame's head. */
static size_t take_head(struct ws *w, struct slice in)
{
	size_t n = MIN(in.n, (size_t)(WS_HEAD_MAX - w->head_n));
	unsigned before = w->head_n;
	int size;

	if (before == 0) { /* mostly it is all there */
		size = ws_head_parse(&w->frame, in.p, in.n);
	} else {
		memcpy(w->head + before, in.p, n);
		size = ws_head_parse(&w->frame, w->head, before + n);
	}
	if (size == 0) {
		memcpy(w->head + before, in.p, n);
		w->head_n += (unsigned)n;
		return n;
	}
	w->head_n = 0;
	if (size < 0) {
		fail(w, 1002, "the length of a frame is not in its shortest form");
		return in.n;
	}
	begin_frame(w);
	return (size_t)size - before;
}

/* No credit, and what comes next is for the owner: a piece, or a message not begun yet. */
static bool must_stall(const struct ws *w)
{
	if (w->credit > 0 || w->close_sent || !w->in_payload || w->frame.op >= WS_OP_CLOSE)
		return false;
	return w->ev->part || (w->frames == 1 && w->at == 0);
}

/* Uses up in, or what it can of it: the number of bytes. */
static size_t consume(struct ws *w, struct slice in)
{
	size_t used = 0;

	w->stalled = false;
	while (w->s && !w->failed && !w->close_got && (used < in.n || w->in_payload)) {
		struct slice rest = slice_of(in.p + used, in.n - used);

		if (!w->in_payload) {
			used += take_head(w, rest);
			continue;
		}
		if (must_stall(w)) {
			w->stalled = true;
			break;
		}
		if (rest.n == 0 && w->left > 0)
			break;
		used += take_payload(w, rest);
	}
	return !w->s || w->failed || w->close_got ? in.n : used;
}

static void grant(struct ws *w)
{
	struct stream *s = w->s;

	if (s && !w->stalled && !w->failed && iobuf_len(&w->held) == 0 && s->credit < WINDOW / 2)
		stream_read(s, WINDOW - s->credit);
}

static void feed(struct ws *w, struct slice in)
{
	CLEANUP(ws_unref) struct ws *keep = ws_ref(w);
	size_t n;

	(void)keep;
	w->feeding = true;
	n = consume(w, in);
	w->feeding = false;
	if (!w->s)
		return;
	if (n < in.n)
		iobuf_add(w->s->pool, &w->held, in.p + n, in.n - n);
	grant(w);
}

static void on_kick(struct deferred *d)
{
	struct ws *w = CONTAINER_OF(d, struct ws, kick);
	CLEANUP(ws_unref) struct ws *keep = ws_ref(w);
	struct iobuf b = w->held;
	struct io_pool *pool;
	size_t n;

	(void)keep;
	if (!w->s || w->failed)
		return;
	pool = io_pool_ref(w->s->pool);
	w->held = (struct iobuf){ 0 };
	w->feeding = true;
	n = consume(w, slice_of(b.p ? b.p + b.off : "", iobuf_len(&b)));
	w->feeding = false;
	b.off += n;
	if (w->s && iobuf_len(&b) > 0)
		w->held = b;
	else
		iobuf_fini(pool, &b);
	io_pool_unref(pool);
	grant(w);
}

void ws_read(struct ws *w, size_t n)
{
	w->credit = n > SIZE_MAX - w->credit ? SIZE_MAX : w->credit + n;
	if (w->s && !w->done && w->stalled && !w->feeding && w->credit > 0)
		deferred_call(&w->kick);
}

/* ---- events of the stream ---- */

static void on_data(struct stream *s, struct slice bytes)
{
	struct ws *w = s->arg;

	if (w->ping_sent > w->last_in) /* answered: the next one by ping_time again */
		arm(w, loop_now(s->pool->loop) + w->conf.ping_time);
	w->last_in = loop_now(s->pool->loop);
	if (w->failed || w->close_got) {
		stream_read(s, bytes.n);
		return;
	}
	if (iobuf_len(&w->held) > 0) {
		iobuf_add(s->pool, &w->held, bytes.p, bytes.n);
		return;
	}
	feed(w, bytes);
}

static void on_end(struct stream *s)
{
	struct ws *w = s->arg;

	w->ended_in = true;
	if (!w->close_got && !w->close_sent && !w->failed) {
		w->failed = true;
		(void)err_set(&w->why, ERR_UNAVAILABLE,
			      "WebSocket: the peer left without a close frame");
	}
	(void)stream_finish(s);
}

static void on_writable(struct stream *s)
{
	struct ws *w = s->arg;

	if (w->pong_waits && !w->close_sent)
		send_pong(w);
	if (w->ev->writable && !w->close_sent && stream_room(s) > 0)
		w->ev->writable(w);
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct ws *w = s->arg;

	ws_finish(w, why);
}

const struct stream_events ws_stream_events = {
	.data = on_data,
	.end = on_end,
	.writable = on_writable,
	.closed = on_closed,
};
