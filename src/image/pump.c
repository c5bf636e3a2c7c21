/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pump: range of a file, or a stream -> hash -> [copy] -> [decompressor process] -> hash ->
 * [unpacking process | file].
 *
 * One thread moves and hashes; decompression and file making run beside it in processes of their
 * own. Both digests are taken here, outside of the processes that a hostile archive could take
 * over. All pipes are non-blocking and watched together, so no order of the helpers' reads and
 * writes can lock the three up.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "image/driver.h"
#include "image/helper.h"
#include "image/inflate.h"
#include "image/report.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (256 * 1024)
#define HEAD 8 /* bytes that tell a compression */

struct chunk {
	char *p;
	size_t at, end; /* bytes still to go: [at, end) */
};

struct state {
	struct pump *p;
	struct image_hash raw;	 /* by the algorithm of what is expected */
	struct image_hash plain; /* sha256: diff ids */
	bool plain_apart;	 /* raw does not tell the diff id */
	struct helper inflater, unpacker;
	struct chunk a, b; /* as it is; uncompressed */
	uint64_t done;	   /* of the source */
	bool inflate, a_end, b_end;
};

static int step_limits(struct state *s, struct err *err)
{
	const struct image_limits *l = s->p->limits;
	uint64_t out = s->p->plain_size;

	if (out > s->p->size_max)
		return err_set(err, ERR_TOO_LARGE,
			       "uncompressed, it is larger than the limit of %llu bytes",
			       (unsigned long long)s->p->size_max);
	if (s->inflate && out > l->ratio_free && out / l->ratio_max > s->done)
		return err_set(err, ERR_TOO_LARGE,
			       "it expands more than %u times, as decompression bombs do",
			       l->ratio_max);
	return 0;
}

/* Uncompressed bytes are in b: count, hash, and write what goes to a file. */
static int took_plain(struct state *s, size_t n, struct err *err)
{
	int r;

	s->p->plain_size += n;
	r = step_limits(s, err);
	if (r < 0)
		return r;
	if (s->plain_apart)
		image_hash_update(&s->plain, s->b.p, n);
	if (s->p->plain >= 0 && fd_write_all(s->p->plain, s->b.p, n) < 0)
		return err_sys(err, "write the uncompressed archive");
	s->b.at = 0;
	s->b.end = s->p->target >= 0 ? n : 0;
	return 0;
}

/* Bytes that came; 0 = nothing has arrived yet (streams alone); negative with err, also at the end.
 */
static ssize_t read_some(struct state *s, size_t at, size_t n, struct err *err)
{
	struct pump *p = s->p;
	ssize_t got;

	do
		got = p->stream ? read(p->src, s->a.p + at, n)
				: pread(p->src, s->a.p + at, n, (off_t)(p->offset + s->done + at));
	while (got < 0 && errno == EINTR);
	if (got < 0 && p->stream && errno == EAGAIN)
		return 0;
	if (got < 0)
		return err_sys(err, "read the archive");
	return got ? got : err_set(err, ERR_INVALID, "the archive ends too early");
}

/* n bytes of the source are in a. */
static int took_source(struct state *s, size_t n, struct err *err)
{
	struct pump *p = s->p;

	image_hash_update(&s->raw, s->a.p, n);
	if (p->copy >= 0 && fd_write_all(p->copy, s->a.p, n) < 0)
		return err_sys(err, "write a blob");
	s->done += n;
	if (p->progress)
		p->progress(p->ctx, s->done);
	s->a.at = 0;
	s->a.end = n;
	return 0;
}

/* 1 = nothing has arrived yet. */
static int read_source(struct state *s, struct err *err)
{
	size_t want = (size_t)MIN((uint64_t)CHUNK, s->p->size - s->done);
	ssize_t n;

	if (want == 0) {
		s->a_end = true;
		return 0;
	}
	n = read_some(s, 0, want, err);
	if (n <= 0)
		return n < 0 ? err_ret(err) : 1;
	return took_source(s, (size_t)n, err);
}

/* Returns bytes written, 0 = not now, -1 = the reader is gone (its report says why). */
static ssize_t push(int fd, struct chunk *c)
{
	ssize_t n = write(fd, c->p + c->at, c->end - c->at);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	c->at += (size_t)n;
	return n;
}

static bool empty(const struct chunk *c)
{
	return c->at == c->end;
}

/* Positive: that helper closed its end early. */
enum { BROKE_INFLATER = 1, BROKE_UNPACKER };

static int serve(struct state *s, struct pollfd *pf, struct err *err)
{
	if (pf[0].revents && push(s->inflater.in, &s->a) < 0)
		return BROKE_INFLATER;
	if (pf[1].revents) {
		ssize_t n = read(s->inflater.out, s->b.p, CHUNK);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_sys(err, "read from the decompressor");
		if (n == 0)
			s->b_end = true;
		if (n > 0) {
			int r = took_plain(s, (size_t)n, err);

			if (r < 0)
				return r;
		}
	}
	if (pf[2].revents && push(s->unpacker.in, &s->b) < 0)
		return BROKE_UNPACKER;
	return 0;
}

static int wait_for_pipes(struct state *s, struct err *err)
{
	bool starved = s->p->stream && empty(&s->a) && !s->a_end && (s->inflate || empty(&s->b));
	struct pollfd pf[4] = {
		{ .fd = s->inflate && !empty(&s->a) ? s->inflater.in : -1, .events = POLLOUT },
		{ .fd = s->inflate && !s->b_end && empty(&s->b) ? s->inflater.out : -1,
		  .events = POLLIN },
		{ .fd = !empty(&s->b) ? s->unpacker.in : -1, .events = POLLOUT },
		{ .fd = starved ? s->p->src : -1, .events = POLLIN },
	};

	/* The time-out only serves to see a cancellation while a helper does nothing. */
	if (poll(pf, 4, 1000) < 0 && errno != EINTR)
		return err_sys(err, "wait for the helpers");
	return serve(s, pf, err);
}

static int check_cancel(const struct state *s, struct err *err)
{
	return s->p->cancel && atomic_load(s->p->cancel)
		       ? err_set(err, ERR_UNAVAILABLE, "it was cancelled")
		       : 0;
}

static int move_all(struct state *s, struct err *err)
{
	int r;

	while (!s->b_end || !empty(&s->b)) {
		r = check_cancel(s, err);
		if (r < 0)
			return r;
		if (empty(&s->a) && !s->a_end) {
			if (!s->inflate && !empty(&s->b))
				goto pipes;
			r = read_source(s, err);
			if (r < 0)
				return r;
			if (r > 0)
				goto pipes;
			if (s->a_end && s->inflate)
				fd_close(STEAL_FD(s->inflater.in));
		}
		if (!s->inflate && empty(&s->b)) { /* a and b are one buffer then */
			s->b_end = s->a_end;
			r = s->a_end ? 0 : took_plain(s, s->a.end, err);
			if (r < 0)
				return r;
			s->a.at = s->a.end;
			if (empty(&s->b))
				continue;
		}
	pipes:
		r = wait_for_pipes(s, err);
		if (r)
			return r;
	}
	return 0;
}

/* Enough to tell the compression by; a stream may give it in pieces. */
static int read_head(struct state *s, struct err *err)
{
	struct pollfd pf = { .fd = s->p->src, .events = POLLIN };
	size_t want = (size_t)MIN((uint64_t)CHUNK, s->p->size), have = 0;
	int r;

	while (have < MIN(want, (size_t)HEAD)) {
		ssize_t n;

		r = check_cancel(s, err);
		if (r < 0)
			return r;
		if (s->p->stream && poll(&pf, 1, 1000) <= 0)
			continue;
		n = read_some(s, have, want - have, err);
		if (n < 0)
			return err_ret(err);
		have += (size_t)n;
	}
	return have ? took_source(s, have, err) : 0;
}

static int start(struct state *s, struct err *err)
{
	struct pump *p = s->p;
	const char *head = s->a.p;
	size_t n = s->a.end;
	struct helper_start hs = { .program = p->program,
				   .input = -1,
				   .size_max = p->size_max,
				   .entries_max = p->limits->entries_max };
	int r;

	p->compression = inflate_name(head, n);
	/* xz and bzip2 have no places to begin at. */
	p->want_index &= inflate_sniff(head, n) <= INFLATE_ZSTD;
	if (inflate_sniff(head, n) == INFLATE_OTHER)
		return err_set(err, ERR_UNSUPPORTED,
			       "it is compressed with %s; use gzip, zstd, xz, bzip2 or none",
			       p->compression);
	s->inflate = inflate_sniff(head, n) != INFLATE_PLAIN || p->want_index;
	s->plain_apart = s->inflate || p->alg != IMAGE_SHA256;
	if (s->inflate) {
		hs.mode = p->want_index ? "index" : "inflate";
		hs.output = true;
		hs.root = p->empty;
		r = helper_start(&hs, &s->inflater, err);
		if (r < 0)
			return r;
		(void)fd_set_nonblock(
			s->inflater.in,
			true); /* our end alone: a pipe's ends have flags of their own */
		(void)fd_set_nonblock(s->inflater.out, true);
	}
	if (p->target < 0)
		return 0;
	hs.mode = "unpack";
	hs.output = false;
	hs.root = p->target;
	hs.flags = (p->base_layer ? UNPACK_FLAG_BASE : 0) |
		   (driver_in_userns() ? UNPACK_FLAG_USERNS : 0);
	r = helper_start(&hs, &s->unpacker, err);
	if (r >= 0)
		(void)fd_set_nonblock(s->unpacker.in, true);
	return r;
}

/* When a pipe broke, the helper behind it is the one that failed (the other one fails in its wake).
 * When none broke, a failed decompressor looks like a short stream to the unpacker: its report
 * counts first. */
static int finish(struct state *s, int r, struct err *err)
{
	struct helper_result inflated = { 0 };
	struct err ierr = ERR_INIT, uerr = ERR_INIT;
	int ri = 0, ru = 0;

	if (r < 0) {
		helper_kill(&s->inflater);
		helper_kill(&s->unpacker);
		return r;
	}
	if (s->inflate)
		ri = helper_finish(&s->inflater, &inflated, &ierr);
	if (s->p->want_index) {
		s->p->index = inflated.extra;
		inflated.extra = BUF_INIT(0);
	}
	helper_result_fini(&inflated);
	if (s->p->target >= 0)
		ru = helper_finish(&s->unpacker, &s->p->unpacked, &uerr);
	if (ru < 0 && (ri >= 0 || r == BROKE_UNPACKER)) {
		if (err)
			*err = uerr;
		return ru;
	}
	if (ri < 0) {
		if (err)
			*err = ierr;
		return ri;
	}
	return r ? err_set(err, ERR_SYSTEM, "a helper stopped reading before the end") : 0;
}

static int run(struct pump *p, struct err *err)
{
	CLEANUP_FREE char *a = malloc(CHUNK);
	CLEANUP_FREE char *b = NULL;
	struct state s = { .p = p, .inflater.proc.pidfd = -1, .unpacker.proc.pidfd = -1 };
	int r;

	s.inflater.in = s.inflater.out = s.inflater.report = -1;
	s.unpacker.in = s.unpacker.out = s.unpacker.report = -1;
	if (!a)
		abort();
	image_hash_init(&s.raw, p->alg);
	image_hash_init(&s.plain, IMAGE_SHA256);
	s.a.p = s.b.p = a;
	r = read_head(&s, err);
	if (r >= 0)
		r = start(&s, err);
	if (r >= 0) {
		if (s.inflate) {
			s.b.p = b = malloc(CHUNK);
			if (!b)
				abort();
		}
		r = move_all(&s, err);
	}
	r = finish(&s, r, err);
	if (r < 0)
		return r;
	image_hash_final(&s.raw, p->digest);
	if (s.plain_apart)
		image_hash_final(&s.plain, p->diff_id);
	else
		memcpy(p->diff_id, p->digest, sizeof(p->diff_id));
	return 0;
}

int pump_run(struct pump *p, struct err *err)
{
	const struct timespec none = { 0 };
	sigset_t pipe, old, pending;
	int r;

	/* A helper that gives up early must be an error here, not the end of the process. */
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &pipe, &old);
	r = run(p, err);
	if (!sigismember(&pending, SIGPIPE))
		while (sigtimedwait(&pipe, NULL, &none) > 0)
			;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}
