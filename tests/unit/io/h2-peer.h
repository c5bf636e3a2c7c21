/* SPDX-License-Identifier: Apache-2.0 */
/* A raw HTTP/2 peer for tests: frames written by hand, frames read back. */
#pragma once

#include "io-test.h"

#define H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum {
	F_DATA,
	F_HEADERS,
	F_PRIORITY,
	F_RST,
	F_SETTINGS,
	F_PUSH,
	F_PING,
	F_GOAWAY,
	F_WINDOW,
	F_CONT
};
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

struct peer {
	struct env *e;
	int fd;
	struct buf out, in;
	size_t at; /* in `in`, behind the last frame that was looked at */
	bool eof;
};

struct frame {
	int type, flags;
	uint32_t id, n;
	const uint8_t *p;
};

static inline void frame_add(struct peer *p, int type, int flags, uint32_t id, const void *body,
			     size_t n)
{
	uint8_t head[9] = { (uint8_t)(n >> 16),	 (uint8_t)(n >> 8),  (uint8_t)n,
			    (uint8_t)type,	 (uint8_t)flags,     (uint8_t)(id >> 24),
			    (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id };

	assert_int_equal(buf_add(&p->out, head, 9), 0);
	assert_int_equal(buf_add(&p->out, n ? body : "", n), 0);
}

/* A literal field that is not indexed: no table, no Huffman code. */
static inline void field_add(struct buf *b, const char *name, const char *value)
{
	struct slice s[2] = { slice_str(name), slice_str(value) };

	buf_addc(b, 0);
	for (int i = 0; i < 2; i++) {
		size_t n = s[i].n;

		if (n < 127) {
			buf_addc(b, (char)n);
		} else {
			buf_addc(b, 127);
			for (n -= 127; n >= 128; n >>= 7)
				buf_addc(b, (char)((n & 127) | 128));
			buf_addc(b, (char)n);
		}
		buf_add(b, s[i].p, s[i].n);
	}
}

/* "name: value\n" lines to a header block. */
static inline void block_make(struct buf *b, const char *lines)
{
	struct slice rest = slice_str(lines);

	*b = BUF_INIT(1 << 20);
	while (rest.n) {
		struct slice line = slice_split(&rest, '\n');
		const char *colon;
		char name[256], value[8192];

		if (!line.n)
			continue;
		colon = memchr(line.p + 1, ':', line.n - 1);
		snprintf(name, sizeof(name), "%.*s", (int)(colon - line.p), line.p);
		snprintf(value, sizeof(value), "%.*s", (int)(line.n - (size_t)(colon - line.p) - 2),
			 colon + 2);
		field_add(b, name, value);
	}
}

static inline void request_add(struct peer *p, uint32_t id, int flags, const char *lines)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(0);

	block_make(&b, lines);
	frame_add(p, F_HEADERS, flags, id, b.p, b.n);
}

#define GET(path) ":method: GET\n:scheme: http\n:authority: h\n:path: " path "\n"
#define POST(path) ":method: POST\n:scheme: http\n:authority: h\n:path: " path "\n"

/* Sends what was added, as far as the server takes it. */
static inline void peer_send(struct peer *p)
{
	size_t done = 0;
	char sink[65536];
	ssize_t n;

	while (done < p->out.n) {
		n = send(p->fd, p->out.p + done, p->out.n - done, MSG_NOSIGNAL);
		if (n > 0)
			done += (size_t)n;
		else if (errno != EAGAIN)
			break; /* closed: what it said before is in its buffer */
		settle(p->e);
		while ((n = recv(p->fd, sink, sizeof(sink), 0)) > 0)
			buf_add(&p->in, sink, (size_t)n);
		p->eof |= n == 0;
	}
	buf_clear(&p->out);
	settle(p->e);
	while ((n = recv(p->fd, sink, sizeof(sink), 0)) > 0) {
		buf_add(&p->in, sink, (size_t)n);
		settle(p->e);
	}
	p->eof |= n == 0 || (errno != EAGAIN);
}

static inline bool frame_next(struct peer *p, struct frame *f)
{
	const uint8_t *b;

	if (p->in.n - p->at < 9)
		return false;
	b = (const uint8_t *)p->in.p + p->at;
	f->n = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
	if (p->in.n - p->at < 9 + f->n)
		return false;
	f->type = b[3];
	f->flags = b[4];
	f->id = (uint32_t)b[5] << 24 | (uint32_t)b[6] << 16 | (uint32_t)b[7] << 8 | b[8];
	f->p = b + 9;
	p->at += 9 + f->n;
	return true;
}

/* The next frame of that type (and stream, unless 0); others are passed over. */
static inline bool frame_find(struct peer *p, int type, uint32_t id, struct frame *f)
{
	size_t at = p->at;

	while (frame_next(p, f)) {
		if (f->type == type && (id == 0 || f->id == id))
			return true;
	}
	p->at = at;
	return false;
}

static inline uint32_t frame_u32(const struct frame *f, size_t at)
{
	return (uint32_t)f->p[at] << 24 | (uint32_t)f->p[at + 1] << 16 |
	       (uint32_t)f->p[at + 2] << 8 | f->p[at + 3];
}

/* Code of the GOAWAY that came, -1 if none. */
static inline int64_t goaway_code(struct peer *p)
{
	struct frame f = { 0 };
	size_t at = p->at;
	int64_t code = -1;

	p->at = 0;
	while (frame_find(p, F_GOAWAY, 0, &f))
		code = frame_u32(&f, 4);
	p->at = at;
	return code;
}

static inline void peer_open(struct peer *p, struct env *e)
{
	*p = (struct peer){
		.e = e, .fd = connect_pair(e), .out = BUF_INIT(1 << 26), .in = BUF_INIT(1 << 26)
	};
	buf_adds(&p->out, H2_PREFACE);
	frame_add(p, F_SETTINGS, 0, 0, NULL, 0);
	frame_add(p, F_SETTINGS, ACK, 0, NULL, 0);
}

static inline void peer_close(struct peer *p)
{
	close(p->fd);
	buf_fini(&p->out);
	buf_fini(&p->in);
	settle(p->e);
}
