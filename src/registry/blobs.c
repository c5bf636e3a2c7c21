/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs out, whole or one range, with the pace of their reader; and their deletion. */
#include "registry/private.h"

#include "base/fd.h"

#include <stdio.h>
#include <string.h>

/* ---- ranges (RFC 9110, 14.1.2) ---- */

int range_parse(struct slice text, uint64_t size, struct range *ret)
{
	struct slice rest, first;
	uint64_t from = 0, to = size ? size - 1 : 0;
	struct err ignored = ERR_INIT;

	if (!slice_starts(text, SLICE("bytes=")))
		return 0;
	rest = slice_trim(slice_of(text.p + 6, text.n - 6));
	if (memchr(rest.p, ',', rest.n) || !memchr(rest.p, '-', rest.n))
		return 0; /* several: the whole is an answer too */
	first = slice_trim(slice_split(&rest, '-'));
	rest = slice_trim(rest);
	if (!first.n) { /* the last so many */
		if (str_uint64(rest, &from, &ignored) < 0)
			return 0;
		if (from == 0 || size == 0)
			return -1;
		from = size - MIN(from, size);
	} else {
		if (str_uint64(first, &from, &ignored) < 0 ||
		    (rest.n && str_uint64(rest, &to, &ignored) < 0) || (rest.n && to < from))
			return 0;
		if (from >= size)
			return -1;
		to = MIN(to, size - 1);
	}
	*ret = (struct range){ from, to - from + 1 };
	return 1;
}

/* ---- sending ---- */

struct sending {
	struct call *c;
	int fd;
	uint64_t at, left;
};

static void send_more(struct sending *w)
{
	struct stream *s = w->c->s;
	struct err err = ERR_INIT;
	int r = stream_send_file(s, w->fd, &w->at, &w->left, &err);

	if (r == 0)
		(void)stream_end(s);
	if (r >= 0 || !err.code)
		return; /* `writable` goes on; or it is closed */
	err_wrap(&err, "blob '%s'", w->c->ref);
	log_kv(LOG_LEVEL_ERROR, "blob is not readable", "error", err.msg, NULL);
	stream_reset(s, &err); /* the client sees a short body */
}

static void on_writable(struct stream *s)
{
	send_more(stream_arg(s));
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct sending *w = stream_arg(s);

	(void)why;
	fd_close(STEAL_FD(w->fd));
}

static const struct stream_events send_events = { .writable = on_writable, .closed = on_closed };

static void send_begin(struct call *c, int fd_taken, const struct range *r, int status)
{
	struct sending *w = ARENA_NEW(c->a, struct sending);

	*w = (struct sending){ .c = c, .fd = fd_taken, .at = r->from, .left = r->n };
	stream_on(c->s, &send_events, w);
	if (stream_start(c->s, status, (int64_t)r->n) < 0)
		return; /* a client that left: `closed` comes */
	if (strcmp(c->method, "HEAD") == 0)
		(void)stream_end(c->s);
	else
		send_more(w);
}

static void reply_outside(struct call *c, uint64_t size)
{
	(void)stream_set_headerf(c->s, "Content-Range", "bytes */%llu", (unsigned long long)size);
	answer_error(c, RANGE_INVALID, "the blob has %llu bytes", (unsigned long long)size);
}

void blob_headers(struct call *c)
{
	(void)stream_set_header(c->s, "Docker-Content-Digest", c->ref);
	(void)stream_set_header(c->s, "Accept-Ranges", "bytes");
	(void)stream_set_headerf(c->s, "ETag", "\"%s\"", c->ref);
	(void)stream_set_header(c->s, "Cache-Control", "max-age=31536000");
	(void)stream_set_header(c->s, "Content-Type", "application/octet-stream");
}

void blob_range_header(struct call *c, const struct range *r, uint64_t size)
{
	(void)stream_set_headerf(
		c->s, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)r->from,
		(unsigned long long)(r->from + r->n - 1), (unsigned long long)size);
}

void blob_send_rest(struct call *c, uint64_t at, uint64_t end)
{
	CLEANUP(fd_close) int fd = -1;
	struct sending *w = ARENA_NEW(c->a, struct sending);
	struct err err = ERR_INIT;
	uint64_t size;

	if (!w || image_blob_open(c->g->store, c->ref, &fd, &size, &err) < 0 || end > size) {
		stream_reset(c->s, &err);
		return;
	}
	*w = (struct sending){ .c = c, .fd = STEAL_FD(fd), .at = at, .left = end - at };
	stream_on(c->s, &send_events, w);
	send_more(w);
}

static void get_local(struct call *c)
{
	CLEANUP(fd_close) int fd = -1;
	struct err err = ERR_INIT;
	struct range r = { 0 };
	uint64_t size;
	int part;

	if (content_blob(c->g->store, c->name, c->ref, &size, &err) < 0 ||
	    image_blob_open(c->g->store, c->ref, &fd, &size, &err) < 0) {
		answer_err(c, &err, BLOB_UNKNOWN, UNKNOWN);
		return;
	}
	r.n = size;
	part = range_parse(stream_header(c->s, "Range"), size, &r);
	if (part < 0) {
		reply_outside(c, size);
		return;
	}
	blob_headers(c);
	if (part)
		blob_range_header(c, &r, size);
	c->size = r.n;
	if (strcmp(c->method, "GET") == 0)
		call_done(c, COUNT_PULLED, part ? 206 : 200, c->ref);
	send_begin(c, STEAL_FD(fd), &r, part ? 206 : 200);
}

/* ---- what a client counts on ---- */

static void kept(void *ctx, const struct content_change *ch, int result, const struct err *err)
{
	struct call *c = ctx;

	(void)ch;
	if (result == -ERR_NOT_FOUND) /* collected just now */
		answer_err(c, err, BLOB_UNKNOWN, UNKNOWN);
	else
		get_local(c); /* a failed write: it is there all the same */
	stream_unref(c->s);
}

/*
 * A client that asks whether a blob is there will not push it, but only a manifest that has it. So
 * its grace begins anew when half of it is over; the answer leaves when that is written.
 */
static bool keep_for_client(struct call *c)
{
	int64_t linked;

	if (strcmp(c->method, "HEAD") != 0 || c->g->conf.read_only)
		return false;
	linked = content_blob_linked(c->g->store, c->name, c->ref);
	if (!linked || clock_real() - linked < c->g->conf.gc_grace / 2)
		return false;
	login_park(c);
	content_mount(c->g->store, c->name, c->ref, c->name, NULL, kept, c);
	return true;
}

static void get_blob(struct call *c)
{
	if (!keep_for_client(c))
		get_local(c);
}

void blob_get(struct call *c)
{
	if (!hooks_blob(c, get_blob))
		get_blob(c);
}

/* ---- delete ---- */

static void delete_done(void *ctx, const struct content_change *ch, int result,
			const struct err *err)
{
	struct call *c = ctx;

	(void)ch;
	if (result < 0) {
		answer_err(c, err, BLOB_UNKNOWN, DIGEST_INVALID);
	} else {
		call_done(c, COUNT_DELETED, 202, c->ref);
		answer_status(c, 202);
	}
	stream_unref(c->s);
}

void blob_delete(struct call *c)
{
	stream_ref(c->s);
	content_delete_blob(c->g->store, c->name, c->ref, delete_done, c);
}
