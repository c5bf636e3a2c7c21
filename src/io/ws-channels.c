/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels: the first byte of a message (in base64 forms a digit) says which stream it is for.
 *
 * The WebSocket has credit while less than hold_max is held, one message at a time on top of it.
 */
#include "io/ws-channels.h"

#include "base/err.h"
#include "base/hash.h"
#include "io/ws-impl.h"

#define MESSAGE_MAX (4u << 20)
#define HOLD_MAX (1u << 20)
#define CLOSE_CHANNEL 255
#define PIECE 24576u /* of a write: a multiple of three */

struct channel {
	struct channels *set;
	struct stream *s; /* NULL once closed */
	struct iobuf in;
	unsigned number;
	bool fin_in, fin_out;
};

struct channels {
	struct ws *w;
	const struct channels_events *ev;
	void *arg;
	struct channels_conf conf;
	struct deferred kick;
	struct io_pool *pool;
	size_t held;
	bool base64, v5, client, dead;
	unsigned busy, n;
	struct channel v[];
};

/* ---- out ---- */

static int send_piece(struct channel *c, struct slice bytes)
{
	char text[BASE64_LEN(PIECE) + 2] __attribute__((uninitialized));
	char byte = (char)c->number;

	if (!c->set->base64)
		return ws_put_frame(c->set->w, WS_FIN | WS_OP_BINARY, slice_of(&byte, 1), bytes,
				    true);
	text[0] = (char)('0' + c->number);
	base64_encode(text + 1, bytes.p, bytes.n);
	return ws_put_frame(c->set->w, WS_FIN | WS_OP_TEXT, slice_of(text, 1 + BASE64_LEN(bytes.n)),
			    (struct slice){ 0 }, true);
}

static int op_write(struct stream *s, const void *p, size_t n)
{
	struct channel *c = s->conn;
	struct ws *w = c->set->w;
	const char *at = p;
	int r = 0;

	if (!w || ws_is_closed(w))
		return -ERR_UNAVAILABLE;
	for (size_t left = n; left > 0 && r >= 0;) {
		size_t k = MIN(left, (size_t)PIECE);

		r = send_piece(c, slice_of(at, k));
		at += k;
		left -= k;
	}
	if (r < 0 || !s->conn)
		return -ERR_UNAVAILABLE;
	if (stream_room(w->s) > 0)
		return 0;
	s->blocked = true;
	return 1;
}

static void settle(struct channel *c)
{
	struct stream *s = c->s;

	if (!s || !c->fin_out || (!s->ended_in && !s->finished))
		return;
	c->s = NULL;
	c->set->held -= iobuf_len(&c->in);
	iobuf_fini(c->set->pool, &c->in);
	stream_close(s, NULL);
}

static int op_end(struct stream *s)
{
	struct channel *c = s->conn;
	struct ws *w = c->set->w;
	const char end[2] = { (char)CLOSE_CHANNEL, (char)c->number };

	c->fin_out = true;
	/* Only what v5's client says so; a server's end is that of all. */
	if (c->set->v5 && c->set->client && w && !ws_is_closed(w))
		(void)ws_put_frame(w, WS_FIN | WS_OP_BINARY, slice_of(end, 2), (struct slice){ 0 },
				   true); /* broken: closed tells */
	deferred_call(&c->set->kick);
	return 0;
}

static void op_reset(struct stream *s, const struct err *why)
{
	struct channel *c = s->conn;
	struct err err = ERR_INIT;

	if (!why)
		(void)err_set(&err, ERR_UNAVAILABLE, "reset by us");
	c->s = NULL;
	c->set->held -= iobuf_len(&c->in);
	iobuf_fini(c->set->pool, &c->in);
	stream_close(s, why ? why : &err);
}

static void op_credit(struct stream *s)
{
	struct channel *c = s->conn;

	if (iobuf_len(&c->in) > 0 || c->fin_in || s->finished)
		deferred_call(&c->set->kick);
}

static int op_detach(struct stream *s, int *ret_fd, struct err *err)
{
	return 0; /* must be relayed */
}

static size_t op_queued(const struct stream *s)
{
	const struct channel *c = s->conn;

	return c->set->w ? ws_queued(c->set->w) : 0;
}

static const struct stream_ops ops = {
	.credit = op_credit,
	.write = op_write,
	.end = op_end,
	.reset = op_reset,
	.detach = op_detach,
	.queued = op_queued,
};

/* ---- in ---- */

static void give(struct channel *c)
{
	struct stream *s = c->s ? stream_ref(c->s) : NULL;
	size_t n;

	if (!s)
		return;
	if (s->finished && iobuf_len(&c->in) > 0) {
		c->set->held -= iobuf_len(&c->in);
		iobuf_fini(c->set->pool, &c->in);
	}
	n = MIN(iobuf_len(&c->in), s->credit);
	if (n > 0) {
		struct iobuf b = c->in; /* the owner may close the channel meanwhile */

		c->in = (struct iobuf){ 0 };
		c->set->held -= iobuf_len(&b);
		stream_give_data(s, slice_of(b.p + b.off, n));
		iobuf_consume(c->set->pool, &b, n);
		if (s->conn && iobuf_len(&b) > 0) {
			c->in = b;
			c->set->held += iobuf_len(&b);
			if (s->credit > 0) /* granted meanwhile */
				deferred_call(&c->set->kick);
		} else {
			iobuf_fini(c->set->pool, &b);
		}
	}
	if (s->conn && c->fin_in && iobuf_len(&c->in) == 0 && !s->ended_in)
		stream_give_end(s);
	if (s->conn)
		settle(c);
	stream_unref(s);
}

static void grant(struct channels *set)
{
	if (set->w && set->held < set->conf.hold_max && set->w->credit == 0)
		ws_read(set->w, 1); /* one message */
}

static void let_go(struct channels *set);

static void on_kick(struct deferred *d)
{
	struct channels *set = CONTAINER_OF(d, struct channels, kick);

	set->busy++;
	for (unsigned i = 0; i < set->n; i++)
		give(&set->v[i]);
	grant(set);
	let_go(set);
}

static void hold(struct channel *c, struct slice bytes)
{
	if (c->fin_in || !c->s || c->s->finished)
		return;
	if (bytes.n > 0) {
		iobuf_add(c->set->pool, &c->in, bytes.p, bytes.n);
		c->set->held += bytes.n;
	}
	give(c);
}

static void got_base64(struct channels *set, struct slice text)
{
	unsigned number = (unsigned)((unsigned char)text.p[0] - '0');
	char *bytes = io_alloc(text.n + 1);
	size_t n = 0;

	if (base64_decode(bytes, &n, slice_of(text.p + 1, text.n - 1)) < 0)
		ws_close(set->w, 1007, "a message is not in base64");
	else if (number < set->n)
		hold(&set->v[number], slice_of(bytes, n));
	free(bytes);
}

static void on_message(struct ws *w, enum ws_type type, struct slice bytes)
{
	struct channels *set = w->arg;
	unsigned number;

	set->busy++;
	if (bytes.n > 0) {
		number = (unsigned char)bytes.p[0];
		if (set->base64) {
			got_base64(set, bytes);
		} else if (set->v5 && number == CLOSE_CHANNEL) {
			if (bytes.n > 1 && (unsigned char)bytes.p[1] < set->n) {
				struct channel *c = &set->v[(unsigned char)bytes.p[1]];

				c->fin_in = true;
				give(c);
			}
		} else if (number < set->n) {
			hold(&set->v[number], slice_of(bytes.p + 1, bytes.n - 1));
		}
	}
	grant(set);
	let_go(set);
}

static void on_writable(struct ws *w)
{
	struct channels *set = w->arg;

	set->busy++;
	for (unsigned i = 0; i < set->n; i++) {
		if (set->v[i].s && stream_room(set->v[i].s) > 0)
			stream_give_writable(set->v[i].s);
	}
	let_go(set);
}

/* ---- life ---- */

static void let_go(struct channels *set)
{
	if (--set->busy > 0 || !set->dead)
		return;
	deferred_fini(&set->kick);
	io_pool_unref(set->pool);
	free(set);
}

static void on_closed(struct ws *w, const struct ws_end *how)
{
	struct channels *set = w->arg;

	set->busy++;
	set->w = NULL;
	for (unsigned i = 0; i < set->n; i++) {
		struct channel *c = &set->v[i];

		c->fin_in = true;
		if (!how->why)
			give(c);
		if (!c->s)
			continue;
		iobuf_fini(set->pool, &c->in);
		stream_close(STEAL(c->s), how->why);
	}
	set->dead = true;
	if (set->ev->closed)
		set->ev->closed(set, how->why);
	let_go(set);
}

static void begin(struct channels *set, struct ws *w)
{
	const char *p = ws_protocol(w);

	set->w = w;
	set->v5 = strcmp(p, "v5.channel.k8s.io") == 0;
	set->base64 = strstr(p, "base64") != NULL;
	for (unsigned i = 0; i < set->n; i++) {
		struct stream *s = stream_new(set->pool, &ops, &set->v[i]);

		s->hijacked = s->head_sent = true;
		s->client = set->client;
		s->peer = w->s->peer;
		s->queue_mark = w->s->queue_mark;
		set->v[i].s = s;
	}
	if (set->conf.greet >= 0 && (unsigned)set->conf.greet < set->n)
		(void)send_piece(&set->v[set->conf.greet], SLICE("")); /* broken: closed tells */
	grant(set);
}

static void on_opened(struct ws *w)
{
	struct channels *set = w->arg;

	set->busy++;
	begin(set, w);
	if (set->ev->opened)
		set->ev->opened(set);
	let_go(set);
}

static const struct ws_events events = {
	.opened = on_opened, .message = on_message, .writable = on_writable, .closed = on_closed
};

static struct channels *make(const struct channels_conf *conf, const struct channels_events *ev,
			     void *arg, struct loop *l)
{
	unsigned n = MIN(conf->n, CHANNELS_MAX);
	struct channels *set = io_alloc(sizeof(*set) + n * sizeof(set->v[0]));

	set->conf = *conf;
	set->conf.hold_max = conf->hold_max ? conf->hold_max : HOLD_MAX;
	if (!conf->ws.message_max)
		set->conf.ws.message_max = MESSAGE_MAX;
	set->conf.ws.paused = true;
	set->ev = ev;
	set->arg = arg;
	set->n = n;
	for (unsigned i = 0; i < n; i++) {
		set->v[i].set = set;
		set->v[i].number = i;
	}
	deferred_init(&set->kick, l, on_kick);
	return set;
}

static void unmake(struct channels *set)
{
	deferred_fini(&set->kick);
	io_pool_unref(set->pool);
	free(set);
}

int channels_accept(struct stream *s, const struct channels_conf *conf,
		    const struct channels_events *ev, void *arg, struct channels **ret,
		    struct err *err)
{
	static const char *const names[] = { "v5.channel.k8s.io",	 "v4.channel.k8s.io",
					     "v4.base64.channel.k8s.io", "base64.channel.k8s.io",
					     "channel.k8s.io",		 NULL };
	const struct ws_accept acc = { .protocols = names, .must_match = true };
	struct channels *set = make(conf, ev, arg, stream_loop(s));
	struct ws *w;
	int r;

	set->pool = io_pool_ref(s->pool);
	r = ws_accept(s, &set->conf.ws, &acc, &events, set, &w, err);
	if (r < 0) {
		unmake(set);
		return r;
	}
	*ret = set;
	begin(set, w);
	return 0;
}

int channels_connect(struct http_client *c, const struct ws_connect *to,
		     const struct channels_conf *conf, const struct channels_events *ev, void *arg,
		     struct channels **ret, struct err *err)
{
	struct ws_connect with = *to;
	struct channels *set = make(conf, ev, arg, http_client_loop(c));
	int r;

	set->client = true;
	set->pool = io_pool_new(http_client_loop(c), 1u << 20);
	if (!with.protocols)
		with.protocols =
			conf->protocols ? conf->protocols : "v5.channel.k8s.io, v4.channel.k8s.io";
	r = ws_connect(c, &with, &set->conf.ws, &events, set, &set->w, err);
	if (r < 0) {
		unmake(set);
		return r;
	}
	*ret = set;
	return 0;
}

void *channels_arg(const struct channels *c)
{
	return c->arg;
}

const char *channels_protocol(const struct channels *c)
{
	return c->w ? ws_protocol(c->w) : "";
}

struct ws *channels_ws(const struct channels *c)
{
	return c->w;
}

struct stream *channels_stream(const struct channels *c, unsigned i)
{
	return i < c->n ? c->v[i].s : NULL;
}

void channels_close(struct channels *c, unsigned code, const char *reason)
{
	if (c->w)
		ws_close(c->w, code, reason);
}
