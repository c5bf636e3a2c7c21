/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gRPC call, the same for both sides: messages cut out of the body, messages put into it.
 * Invariants:
 * (1) the stream is read only as far as the message at hand needs or a window allows, and not at
 * all while a message waits that may not be delivered yet;
 * (2) nothing is delivered inside a delivery: grpc_more inside a callback only says so;
 * (3) the stream's callbacks hold a reference until `closed`, so a call outlives its stream.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "doc/doc.h"
#include "doc/protobuf.h"
#include "io/grpc-impl.h"
#include "io/stream-impl.h"

#include <assert.h>

struct grpc_call *grpc_call_new(struct stream *s, const struct grpc_method *m, bool server)
{
	struct grpc_call *c = io_alloc(sizeof(*c));

	c->refs = 1;
	c->server = server;
	c->s = s;
	c->m = m;
	c->in = server ? m->in : m->out;
	c->out = server ? m->out : m->in;
	c->one_in = !(m->flags & (server ? GRPC_CLIENT_STREAM : GRPC_SERVER_STREAM));
	c->want = true;
	c->due = INT64_MAX;
	list_init(&c->link);
	return c;
}

struct grpc_call *grpc_ref(struct grpc_call *c)
{
	c->refs++;
	return c;
}

void grpc_unref(struct grpc_call *c)
{
	if (!c || --c->refs)
		return;
	timer_fini(&c->deadline);
	list_del(&c->link);
	buf_fini(&c->in_buf);
	buf_fini(&c->held);
	stream_unref(c->s);
	free(c);
}

void grpc_call_over(struct grpc_call *c)
{
	c->over = true;
	timer_fini(&c->deadline);
	list_del(&c->link);
}

/* ---- looking ---- */

void grpc_on(struct grpc_call *c, const struct grpc_events *ev, void *arg)
{
	c->ev = ev;
	c->arg = arg;
}

void grpc_on_bytes(struct grpc_call *c, void (*bytes)(struct grpc_call *c, struct slice message))
{
	c->bytes = bytes;
}

void *grpc_arg(const struct grpc_call *c)
{
	return c->arg;
}

struct arena *grpc_arena(struct grpc_call *c)
{
	return stream_arena(c->s);
}

struct loop *grpc_loop(const struct grpc_call *c)
{
	return stream_loop(c->s);
}

const char *grpc_path(const struct grpc_call *c)
{
	return stream_request(c->s)->path;
}

bool grpc_is_over(const struct grpc_call *c)
{
	return c->over || stream_is_closed(c->s);
}

int64_t grpc_time_left(const struct grpc_call *c)
{
	int64_t now = loop_now(stream_loop(c->s));

	return c->due == INT64_MAX ? c->due : MAX(c->due - now, (int64_t)0);
}

void grpc_call_set_due(struct grpc_call *c, int64_t time, timer_fn *fn)
{
	timer_init(&c->deadline, stream_loop(c->s), fn);
	c->due = clock_mono() + time;
	timer_set(&c->deadline, c->due);
}

struct slice grpc_metadata(struct grpc_call *c, const char *name)
{
	return grpc_take_metadata(stream_arena(c->s), name, stream_header(c->s, name));
}

struct slice grpc_trailing(struct grpc_call *c, const char *name)
{
	return grpc_take_metadata(stream_arena(c->s), name, stream_got_trailer(c->s, name));
}

int grpc_set_metadata(struct grpc_call *c, const char *name, struct slice value)
{
	if (!grpc_metadata_ok(slice_str(name)) || c->head_sent)
		return -ERR_INVALID;
	return grpc_put_metadata(c->s, false, name, value);
}

int grpc_set_trailing(struct grpc_call *c, const char *name, struct slice value)
{
	if (!grpc_metadata_ok(slice_str(name)) || !c->server)
		return -ERR_INVALID;
	return grpc_put_metadata(c->s, true, name, value);
}

/* ---- messages in ---- */

static void input_failed(struct grpc_call *c, enum grpc_code code, const char *message)
{
	c->failed_in = true;
	c->in_buf.n = 0;
	if (c->server)
		grpc_server_input_failed(c, code, message);
	else
		grpc_client_finish(c, code, message);
}

/* keeps (1) */
static void top_up(struct grpc_call *c, struct slice rest)
{
	const unsigned char *p = (const unsigned char *)rest.p;
	size_t need = GRPC_PREFIX;

	if (c->eof || c->over || c->failed_in)
		return;
	if (rest.n >= GRPC_PREFIX)
		need += (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
	if (rest.n >= need && rest.n >= GRPC_PREFIX)
		return; /* a message waits */
	need = MAX(need - rest.n, (size_t)GRPC_WINDOW);
	if (c->credit >= need / 2)
		return;
	need -= c->credit;
	c->credit += need;
	stream_read(c->s, need);
}

/* The request of a method with one: kept in the stream's arena until the input ends. */
static void keep_request(struct grpc_call *c, struct slice wire)
{
	struct arena *a = stream_arena(c->s);
	char *copy = arena_alloc_raw(a, wire.n + 1, 1);
	struct err err = ERR_INIT;

	c->request = copy ? doc_new_object(a) : NULL;
	if (!c->request) {
		input_failed(c, GRPC_RESOURCE_EXHAUSTED, "the request does not fit its arena");
		return;
	}
	memcpy(copy, wire.n ? wire.p : "", wire.n);
	copy[wire.n] = '\0';
	if (protobuf_decode(c->in, slice_of(copy, wire.n), a, NULL, c->request, &err) < 0)
		input_failed(c, err.code == ERR_QUOTA ? GRPC_RESOURCE_EXHAUSTED : GRPC_INTERNAL,
			     err.msg);
}

static void deliver(struct grpc_call *c, struct slice wire)
{
	CLEANUP(arena_free) struct arena *a = NULL;
	struct err err = ERR_INIT;
	struct doc d;

	if (++c->messages > 1 && c->one_in) {
		input_failed(c, GRPC_INTERNAL, "more than one message where one is expected");
		return;
	}
	if (c->bytes) {
		c->bytes(c, wire);
		return;
	}
	if (c->server && c->one_in) {
		keep_request(c, wire);
		return;
	}
	c->want = !(c->m->flags & (c->server ? GRPC_CLIENT_STREAM : GRPC_SERVER_STREAM));
	a = arena_new("gRPC message", MAX(c->message_max * 8, (size_t)1 << 20));
	if (protobuf_decode(c->in, wire, a, NULL, &d, &err) < 0)
		input_failed(c, GRPC_INTERNAL, err.msg);
	else if (c->ev && c->ev->message)
		c->ev->message(c, &d);
	else
		c->want = true;
}

/* Whole messages at the front of s. The bytes that were used. */
static size_t cut(struct grpc_call *c, struct slice s)
{
	size_t used = 0;

	while (c->want && !c->over && !c->failed_in && s.n - used >= GRPC_PREFIX) {
		const unsigned char *p = (const unsigned char *)s.p + used;
		size_t n = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];

		if (p[0]) {
			input_failed(c, p[0] == 1 ? GRPC_UNIMPLEMENTED : GRPC_INTERNAL,
				     "a compressed message; only identity is supported");
			break;
		}
		if (n > c->message_max) {
			input_failed(c, GRPC_RESOURCE_EXHAUSTED,
				     "a message is larger than the limit");
			break;
		}
		if (s.n - used - GRPC_PREFIX < n)
			break;
		deliver(c, slice_of((const char *)p + GRPC_PREFIX, n));
		used += GRPC_PREFIX + n;
	}
	return used;
}

static void input_end(struct grpc_call *c)
{
	if (c->in_buf.n && !c->failed_in && !c->over) {
		input_failed(c, GRPC_INTERNAL, "the stream ends within a message");
		return;
	}
	if (c->server)
		grpc_server_input_end(c);
	else
		grpc_client_input_end(c);
}

/* Is a whole message waiting? */
static bool waits(const struct grpc_call *c)
{
	const unsigned char *p = (const unsigned char *)c->in_buf.p;

	return c->in_buf.n >= GRPC_PREFIX &&
	       c->in_buf.n - GRPC_PREFIX >=
		       ((size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4]);
}

void grpc_call_pump(struct grpc_call *c)
{
	size_t used;

	if (c->pumping)
		return;
	(void)grpc_ref(c);
	c->pumping = true; /* keeps (2) */
	used = cut(c, buf_slice(&c->in_buf));
	if (used && !c->failed_in)
		buf_consume(&c->in_buf, used);
	c->pumping = false;
	if (!c->over && !c->failed_in) {
		if (c->eof && !(waits(c) && !c->want))
			input_end(c);
		else
			top_up(c, buf_slice(&c->in_buf));
	}
	grpc_unref(c);
}

void grpc_call_data(struct stream *s, struct slice bytes)
{
	struct grpc_call *c = stream_arg(s);
	size_t used = 0;

	c->credit -= MIN(c->credit, bytes.n);
	if (c->over || c->failed_in)
		return;
	(void)grpc_ref(c);
	/* Most messages come whole: they are read where they are. */
	if (c->in_buf.n == 0 && !c->pumping) {
		c->pumping = true;
		used = cut(c, bytes);
		c->pumping = false;
	}
	if (!c->over && !c->failed_in) {
		c->in_buf.max = SIZE_MAX / 2; /* what was granted bounds it */
		(void)buf_add(&c->in_buf, bytes.p + used, bytes.n - used);
		grpc_call_pump(c);
	}
	grpc_unref(c);
}

void grpc_more(struct grpc_call *c)
{
	if (c->over || c->want)
		return;
	c->want = true;
	grpc_call_pump(c);
}

/* ---- messages out ---- */

static int send_head(struct grpc_call *c)
{
	int r;

	if (c->head_sent)
		return 0;
	c->head_sent = true;
	(void)stream_set_header(c->s, "content-type", "application/grpc");
	r = stream_start(c->s, 200, -1);
	return r < 0 ? r : 0;
}

static int push(struct grpc_call *c, const void *p, size_t n, struct err *err)
{
	int r = c->server ? send_head(c) : 0;

	if (r == 0)
		r = stream_write(c->s, p, n);
	if (r == -ERR_QUOTA && !c->server && !c->sent && !c->held.n) {
		/* No connection yet: it is taken all the same, and leaves with the first
		 * `writable`. */
		c->held = BUF_INIT(SIZE_MAX / 2);
		(void)buf_add(&c->held, p, n);
		return 1;
	}
	c->sent = c->sent || r >= 0;
	if (r == -ERR_QUOTA)
		return err_set(err, ERR_QUOTA,
			       "the peer does not take messages: wait for writable");
	if (r < 0)
		return err_set(err, ERR_UNAVAILABLE, "the call is over");
	return r;
}

static void prefix(char *p, size_t n)
{
	p[0] = 0;
	p[1] = (char)(n >> 24);
	p[2] = (char)(n >> 16);
	p[3] = (char)(n >> 8);
	p[4] = (char)n;
}

static void scratch_trim(struct buf *b)
{
	if (b->cap > GRPC_SCRATCH_KEEP)
		buf_fini(b);
}

int grpc_send_bytes(struct grpc_call *c, struct slice wire, struct err *err)
{
	struct buf *b = c->scratch;
	int r;

	if (c->over || c->ended_out)
		return err_set(err, ERR_UNAVAILABLE, "the call is over");
	if (wire.n > UINT32_MAX)
		return err_set(err, ERR_TOO_LARGE, "a message of 4 GiB");
	buf_clear(b);
	(void)buf_room(b, GRPC_PREFIX);
	prefix(b->p, wire.n);
	b->n = GRPC_PREFIX;
	if (buf_add(b, wire.p, wire.n) < 0)
		return err_set(err, ERR_TOO_LARGE, "a message of %zu bytes", wire.n);
	r = push(c, b->p, b->n, err);
	scratch_trim(b);
	return r;
}

int grpc_send(struct grpc_call *c, const struct doc *d, struct err *err)
{
	struct buf *b = c->scratch;
	struct err own = ERR_INIT;
	int r;

	if (c->over || c->ended_out)
		return err_set(err, ERR_UNAVAILABLE, "the call is over");
	buf_clear(b);
	(void)buf_room(b, GRPC_PREFIX);
	b->n = GRPC_PREFIX;
	r = protobuf_encode(c->out, d, NULL, b, &own);
	if (r < 0) {
		if (err)
			*err = own;
		if (c->server)
			grpc_finish(c, GRPC_INTERNAL, own.msg);
		return r;
	}
	prefix(b->p, b->n - GRPC_PREFIX);
	r = push(c, b->p, b->n, err);
	scratch_trim(b);
	return r;
}

void grpc_call_writable(struct stream *s)
{
	struct grpc_call *c = stream_arg(s);

	if (c->over)
		return;
	(void)grpc_ref(c);
	if (c->held.n) {
		c->sent = stream_write(s, c->held.p, c->held.n) >= 0;
		buf_fini(&c->held);
		if (c->half_held)
			(void)stream_end(s);
	}
	if (!c->over && c->ev && c->ev->writable)
		c->ev->writable(c);
	grpc_unref(c);
}
