/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of a stream that no codec needs to know: references, headers, collecting a body, giving
 * events. A stream whose conn is NULL is closed; everything on it is then harmless. Spare streams
 * and buffers are kept in the pool (a request costs no mmap), a bounded number of them.
 */
#include "io/stream-impl.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "io/h2.h"
#include "io/http1.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define SPARE_STREAMS 64
#define FILE_PIECE (64u << 10)
#define FILE_TURN (1u << 20)
#define NO_EVENTS ((const struct stream_events *)&no_events)

static const struct stream_events no_events;

void *io_alloc(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		abort();
	return p;
}

/* ---- pool ---- */

struct io_pool *io_pool_new(struct loop *l, size_t arena_max)
{
	struct io_pool *p = io_alloc(sizeof(*p));

	p->refs = 1;
	p->loop = l;
	p->arena_max = arena_max;
	list_init(&p->streams);
	return p;
}

struct io_pool *io_pool_ref(struct io_pool *p)
{
	p->refs++;
	return p;
}

void io_pool_unref(struct io_pool *p)
{
	struct stream *s;

	if (--p->refs > 0)
		return;
	LIST_FOREACH (s, &p->streams, struct stream, link) {
		arena_free(s->arena);
		free(s);
	}
	while (p->bufs_n > 0)
		free(p->bufs[--p->bufs_n]);
	h2_mem_free(p->h2_mem);
	free(p->scratch);
	free(p);
}

static void release(struct io_pool *p, char *mem, size_t cap)
{
	if (cap == IOBUF_SIZE && p->bufs_n < ARRAY_LEN(p->bufs))
		p->bufs[p->bufs_n++] = mem;
	else
		free(mem);
}

char *iobuf_room(struct io_pool *p, struct iobuf *b, size_t min)
{
	size_t len = iobuf_len(b), cap;
	char *mem;

	if (b->cap - b->n >= min)
		return b->p + b->n;
	if (b->cap - len >= min) {
		memmove(b->p, b->p + b->off, len);
	} else {
		cap = MAX((size_t)IOBUF_SIZE, len + min);
		if (cap > IOBUF_SIZE)
			cap += cap / 2;
		mem = cap == IOBUF_SIZE && p->bufs_n ? p->bufs[--p->bufs_n] : malloc(cap);
		if (!mem)
			abort();
		if (len)
			memcpy(mem, b->p + b->off, len);
		if (b->p)
			release(p, b->p, b->cap);
		b->p = mem;
		b->cap = cap;
	}
	b->off = 0;
	b->n = len;
	return b->p + len;
}

void iobuf_add(struct io_pool *p, struct iobuf *b, const void *src, size_t n)
{
	if (n == 0)
		return;
	memcpy(iobuf_room(p, b, n), src, n);
	b->n += n;
}

void iobuf_consume(struct io_pool *p, struct iobuf *b, size_t n)
{
	b->off += n;
	if (b->p && b->off == b->n)
		iobuf_fini(p, b);
}

void iobuf_fini(struct io_pool *p, struct iobuf *b)
{
	if (b->p)
		release(p, b->p, b->cap);
	*b = (struct iobuf){ 0 };
}

/* ---- life ---- */

struct stream *stream_new(struct io_pool *p, const struct stream_ops *ops, void *conn)
{
	struct stream *s = LIST_FIRST(&p->streams, struct stream, link);
	struct arena *a;

	if (s) {
		list_del(&s->link);
		p->streams_n--;
		a = s->arena;
		memset(s, 0, sizeof(*s));
	} else {
		s = io_alloc(sizeof(*s));
		a = arena_new("http stream", p->arena_max);
	}
	p->streams_open++;
	list_init(&s->link);
	s->refs = 1;
	s->pool = io_pool_ref(p);
	s->ops = ops;
	s->conn = conn;
	s->ev = NO_EVENTS;
	s->arena = a;
	s->length = -1;
	return s;
}

struct stream *stream_ref(struct stream *s)
{
	s->refs++;
	return s;
}

void stream_unref(struct stream *s)
{
	struct io_pool *p;

	if (!s || --s->refs > 0)
		return;
	if (s->conn) {
		/* A client stream that was never sent: its client does not count it. Comes back
		 * here by stream_close. */
		s->ops->reset(s, NULL);
		return;
	}
	p = s->pool;
	p->streams_open--;
	if (p->refs > 1 && p->streams_n < SPARE_STREAMS) {
		arena_reset(s->arena);
		list_append(&p->streams, &s->link);
		p->streams_n++;
	} else {
		arena_free(s->arena);
		free(s);
	}
	io_pool_unref(p);
}

static void collect_done(struct stream *s, int result, struct err *err)
{
	stream_collected *fn = STEAL(s->collected);

	fn(s, s->collect_arg, result, slice_of(s->collect_p ? s->collect_p : "", s->collect_n),
	   err);
}

/* Its own function: an error is large and zeroed, and most streams need none. */
static __attribute__((noinline)) void collect_broke(struct stream *s, const struct err *why)
{
	struct err copy = why ? *why : ERR_INIT;

	if (!why)
		(void)err_set(&copy, ERR_UNAVAILABLE, "the stream ended before its body");
	collect_done(s, -(int)copy.code, &copy);
}

void stream_close(struct stream *s, const struct err *why)
{
	const struct stream_events *ev = s->ev;

	s->conn = NULL;
	s->credit = 0;
	if (s->pool->done)
		s->pool->done(s->pool->done_arg, s, why);
	if (s->refs > 1 && s->peer) {
		/* The peer's struct belongs to the connection, which goes. */
		struct stream_peer *keep = ARENA_NEW(s->arena, struct stream_peer);

		if (keep)
			*keep = *s->peer;
		s->peer = keep;
	}
	if (s->collected) {
		collect_broke(s, why);
	}
	s->ev = NO_EVENTS;
	if (ev->closed)
		ev->closed(s, why);
	stream_unref(s);
}

void stream_on(struct stream *s, const struct stream_events *ev, void *arg)
{
	s->ev = ev ? ev : NO_EVENTS;
	s->arg = arg;
}

void *stream_arg(const struct stream *s)
{
	return s->arg;
}

struct arena *stream_arena(struct stream *s)
{
	return s->arena;
}

struct loop *stream_loop(const struct stream *s)
{
	return s->pool->loop;
}

bool stream_is_closed(const struct stream *s)
{
	return !s->conn;
}

/* ---- what came in ---- */

const struct http_request *stream_request(const struct stream *s)
{
	return &s->rq;
}

const struct stream_peer *stream_peer(const struct stream *s)
{
	static const struct stream_peer nobody = { .uid = (uid_t)-1, .gid = (gid_t)-1 };

	return s->peer ? s->peer : &nobody;
}

int stream_status(const struct stream *s)
{
	return s->status;
}

int64_t stream_length(const struct stream *s)
{
	return s->length;
}

struct slice header_find(const struct http_header *h, size_t n, const char *name)
{
	struct slice want = slice_str(name);

	for (size_t i = 0; i < n; i++) {
		if (h[i].name.n == want.n && slice_ieq(h[i].name, want))
			return h[i].value;
	}
	return (struct slice){ 0 };
}

struct slice stream_header(const struct stream *s, const char *name)
{
	return header_find(s->headers, s->headers_n, name);
}

const struct http_header *stream_headers(const struct stream *s, size_t *ret_n)
{
	*ret_n = s->headers_n;
	return s->headers;
}

bool stream_header_has(const struct stream *s, const char *name, const char *token)
{
	struct slice want = slice_str(name);

	for (size_t i = 0; i < s->headers_n; i++) {
		if (slice_ieq(s->headers[i].name, want) && h1_list_has(s->headers[i].value, token))
			return true;
	}
	return false;
}

struct slice stream_got_trailer(const struct stream *s, const char *name)
{
	return header_find(s->trailers, s->trailers_n, name);
}

/* ---- body in ---- */

void stream_read(struct stream *s, size_t n)
{
	if (!s->conn || s->ended_in)
		return;
	s->credit = n > SIZE_MAX - s->credit ? SIZE_MAX : s->credit + n;
	if (n > 0)
		s->ops->credit(s);
}

void stream_collect(struct stream *s, size_t max, stream_collected *fn, void *arg)
{
	s->collected = fn;
	s->collect_arg = arg;
	s->collect_max = max;
	s->collect_n = 0;
	if (!s->conn) {
		struct err err = ERR_INIT;

		collect_done(s, err_set(&err, ERR_UNAVAILABLE, "the stream is closed"), &err);
		return;
	}
	if (s->length > 0 && (uint64_t)s->length > max) {
		/* Told at once, before a byte of it is read. */
		struct err err = ERR_INIT;

		collect_done(s,
			     err_set(&err, ERR_TOO_LARGE, "the body has %lld bytes, more than %zu",
				     (long long)s->length, max),
			     &err);
		return;
	}
	stream_read(s, STREAM_ALL);
}

static void collect_bytes(struct stream *s, struct slice bytes)
{
	struct err err = ERR_INIT;
	size_t cap;
	char *p;

	if (bytes.n > s->collect_max - s->collect_n) {
		s->credit = 0;
		collect_done(s,
			     err_set(&err, ERR_TOO_LARGE, "the body is larger than %zu bytes",
				     s->collect_max),
			     &err);
		return;
	}
	if (s->collect_cap - s->collect_n <= bytes.n) {
		/* An announced length that is modest is trusted, and any once a good part came:
		 * a liar costs addresses, not pages. Else double. */
		cap = MAX(s->collect_cap * 2, s->collect_n + bytes.n + 1);
		if (s->length > 0 && (s->length < 65536 || s->collect_n >= 32768))
			cap = MAX(cap, (size_t)s->length + 1);
		p = s->collect_p ? arena_grow(s->arena, s->collect_p, s->collect_cap, cap)
				 : arena_alloc_raw(s->arena, cap, 16);
		if (!p) {
			s->credit = 0;
			collect_done(s, arena_quota(s->arena, &err), &err);
			return;
		}
		s->collect_p = p;
		s->collect_cap = cap;
	}
	memcpy(s->collect_p + s->collect_n, bytes.p, bytes.n);
	s->collect_n += bytes.n;
	s->collect_p[s->collect_n] = '\0';
}

/* ---- events ---- */

void stream_give_head(struct stream *s)
{
	if (s->ev->head)
		s->ev->head(s);
}

void stream_give_data(struct stream *s, struct slice bytes)
{
	s->bytes_in += bytes.n;
	if (s->credit != SIZE_MAX)
		s->credit -= MIN(s->credit, bytes.n);
	if (s->collected)
		collect_bytes(s, bytes);
	else if (s->ev->data)
		s->ev->data(s, bytes);
}

void stream_give_end(struct stream *s)
{
	if (s->ended_in)
		return;
	s->ended_in = true;
	if (s->collected)
		collect_done(s, 0, NULL);
	else if (s->ev->end)
		s->ev->end(s);
}

void stream_give_writable(struct stream *s)
{
	if (!s->blocked)
		return;
	s->blocked = false;
	if (s->ev->writable)
		s->ev->writable(s);
}

void stream_give_cancel(struct stream *s)
{
	if (s->cancelled)
		return;
	s->cancelled = true;
	if (s->ev->cancel)
		s->ev->cancel(s);
}

/* ---- head out ---- */

/* What only the codec may say: framing and the connection. */
static bool codec_owns(struct slice name)
{
	return slice_ieq(name, SLICE("content-length")) ||
	       slice_ieq(name, SLICE("transfer-encoding")) || slice_ieq(name, SLICE("connection"));
}

static int put_header(struct stream *s, struct out_header **list, struct out_header h, bool replace)
{
	struct out_header *o;
	char *mem;

	if (!h1_is_token(h.name) || !h1_is_value(h.value) || codec_owns(h.name))
		return -ERR_INVALID;
	for (; *list; list = &(*list)->next) {
		if (replace && slice_ieq((*list)->name, h.name))
			break;
	}
	mem = arena_alloc_raw(s->arena, sizeof(*o) + h.name.n + h.value.n, 16);
	if (!mem)
		return -ERR_QUOTA;
	o = (struct out_header *)mem;
	o->next = *list ? (*list)->next : NULL;
	o->name = slice_of(memcpy(mem + sizeof(*o), h.name.p, h.name.n), h.name.n);
	o->value = slice_of(mem + sizeof(*o) + h.name.n, h.value.n);
	memcpy(mem + sizeof(*o) + h.name.n, h.value.n ? h.value.p : "", h.value.n);
	*list = o;
	return 0;
}

int stream_set_header(struct stream *s, const char *name, const char *value)
{
	return put_header(s, &s->out,
			  (struct out_header){ .name = slice_str(name), .value = slice_str(value) },
			  true);
}

int stream_add_header(struct stream *s, const char *name, const char *value)
{
	return put_header(s, &s->out,
			  (struct out_header){ .name = slice_str(name), .value = slice_str(value) },
			  false);
}

int stream_set_headerf(struct stream *s, const char *name, const char *fmt, ...)
{
	char value[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(value))
		return -ERR_INVALID;
	return stream_set_header(s, name, value);
}

int stream_set_trailer(struct stream *s, const char *name, const char *value)
{
	return put_header(s, &s->out_trailers,
			  (struct out_header){ .name = slice_str(name), .value = slice_str(value) },
			  true);
}

/* ---- answers and body out ---- */

static int answer(struct stream *s, int status, int64_t length, const struct slice *whole)
{
	if (!s->conn)
		return -ERR_UNAVAILABLE;
	if (s->client || s->head_sent)
		return -ERR_CONFLICT;
	s->status = status;
	s->no_body =
		status == 204 || status == 304 || status < 200 || strcmp(s->rq.method, "HEAD") == 0;
	s->head_sent = true;
	if (whole && !s->no_body)
		s->bytes_out = whole->n;
	return s->ops->answer(s, length, whole);
}

int stream_reply(struct stream *s, int status, const char *content_type, const void *body, size_t n)
{
	struct slice whole = slice_of(body, n);

	if (s->conn && content_type && !s->head_sent)
		(void)stream_set_header(s, "Content-Type",
					content_type); /* a constant of ours, or left out */
	return answer(s, status, (int64_t)n, &whole);
}

int stream_replyf(struct stream *s, int status, const char *content_type, const char *fmt, ...)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = buf_addv(&b, fmt, ap);
	va_end(ap);
	if (r < 0)
		return r;
	return stream_reply(s, status, content_type, buf_str(&b), b.n);
}

int stream_start(struct stream *s, int status, int64_t length)
{
	return answer(s, status, length, NULL);
}

int stream_hijack(struct stream *s, int status, struct err *err)
{
	if (!s->conn)
		return err_set(err, ERR_UNAVAILABLE, "the stream is closed");
	if (s->client || s->head_sent)
		return err_set(err, ERR_CONFLICT, "the answer has begun already");
	if (!s->ops->hijack)
		return err_set(err, ERR_UNSUPPORTED, "this stream cannot be hijacked");
	assert(status == 101 || status == 200);
	s->status = status;
	return s->ops->hijack(s, err);
}

int stream_write(struct stream *s, const void *p, size_t n)
{
	if (!s->conn || s->ended_out)
		return -ERR_UNAVAILABLE;
	if (!s->head_sent && !s->hijacked)
		return -ERR_CONFLICT;
	if (s->no_body || n == 0)
		return 0;
	if (s->ops->queued(s) >= s->queue_mark) {
		s->blocked = true;
		return -ERR_QUOTA;
	}
	s->bytes_out += n;
	return s->ops->write(s, p, n);
}

/* Read into the queue, as far as it takes it. */
static int send_file_copied(struct stream *s, int fd, uint64_t *at, uint64_t *left, struct err *err)
{
	char piece[FILE_PIECE];

	while (*left > 0) {
		size_t want = (size_t)MIN(*left, (uint64_t)sizeof(piece));
		ssize_t n;
		int r;

		if (stream_room(s) == 0) {
			s->blocked = true;
			return s->conn ? 1 : -ERR_UNAVAILABLE;
		}
		n = pread(fd, piece, want, (off_t)*at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? err_sys(err, "read the file that is sent")
				     : err_set(err, ERR_INVALID,
					       "the file that is sent ends too early");
		r = stream_write(s, piece, (size_t)n);
		if (r < 0)
			return r;
		*at += (uint64_t)n;
		*left -= (uint64_t)n;
		if (r == 1 && *left > 0)
			return 1;
	}
	s->blocked = false; /* nobody waits for room any more */
	return 0;
}

int stream_send_file(struct stream *s, int fd, uint64_t *at, uint64_t *left, struct err *err)
{
	size_t turn = FILE_TURN;

	if (!s->conn || s->ended_out)
		return -ERR_UNAVAILABLE;
	if (!s->head_sent && !s->hijacked)
		return -ERR_CONFLICT;
	if (s->no_body)
		*left = 0;
	while (*left > 0) {
		size_t want = (size_t)MIN(*left, (uint64_t)turn);
		ssize_t n =
			s->ops->send_file ? s->ops->send_file(s, fd, *at, want) : -ERR_UNSUPPORTED;

		if (n == -ERR_UNSUPPORTED)
			return send_file_copied(s, fd, at, left, err);
		if (n == -ERR_SYSTEM)
			return errno == ENODATA ? err_set(err, ERR_INVALID,
							  "the file that is sent ends too early")
						: err_sys(err, "send a file");
		if (n <= 0)
			return n == 0 ? 1 : (int)n;
		s->bytes_out += (uint64_t)n;
		*at += (uint64_t)n;
		*left -= (uint64_t)n;
		turn -= (size_t)n;
		if (turn == 0 && *left > 0) { /* others have their turn */
			(void)s->ops->send_file(s, fd, *at, 0);
			return 1;
		}
	}
	return 0;
}

size_t stream_queued(const struct stream *s)
{
	return s->conn ? s->ops->queued(s) : 0;
}

void stream_cork(struct stream *s)
{
	assert(!s->corked);
	if (s->conn && s->ops->cork)
		s->corked = s->ops->cork(s);
}

void stream_uncork(struct stream *s)
{
	if (s->corked)
		conn_leave(STEAL(s->corked));
}

size_t stream_room(const struct stream *s)
{
	size_t queued = stream_queued(s);

	return s->conn && queued < s->queue_mark ? s->queue_mark - queued : 0;
}

int stream_end(struct stream *s)
{
	if (!s->conn || s->ended_out)
		return -ERR_UNAVAILABLE;
	s->ended_out = true;
	return s->ops->end(s);
}

int stream_finish(struct stream *s)
{
	if (!s->conn)
		return -ERR_UNAVAILABLE;
	if (s->finished)
		return 0;
	s->finished = true;
	if (!s->ended_out)
		return stream_end(s);
	/* Ended before: look again whether the connection may close. */
	s->credit = STREAM_ALL;
	s->ops->credit(s);
	return 0;
}

void stream_reset(struct stream *s, const struct err *why)
{
	if (s->conn)
		s->ops->reset(s, why);
}

int stream_detach(struct stream *s, int *ret_fd, bool *ret_relayed, struct err *err)
{
	const struct stream_events *ev = s->ev;
	void *arg = s->arg, *relay;
	int pair[2], r;

	if (!s->conn || !s->hijacked)
		return err_set(err, ERR_CONFLICT, "detach: the stream is closed or not hijacked");
	*ret_relayed = false;
	r = s->ops->detach(s, ret_fd, err); /* on 1 closed has run */
	if (r != 0)
		return r < 0 ? r : 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "detach: socketpair");
	stream_ref(s);
	r = relay_start(s, pair[0], err);
	if (r < 0) {
		fd_close(pair[1]);
		stream_unref(s);
		return err_wrap(err, "detach");
	}
	/* For the one who detaches the stream is over now. */
	if (ev->closed) {
		relay = s->arg;
		s->arg = arg;
		ev->closed(s, NULL);
		s->arg = relay;
	}
	stream_unref(s);
	*ret_fd = pair[1];
	*ret_relayed = true;
	return 0;
}
