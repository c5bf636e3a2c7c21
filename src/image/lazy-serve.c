/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The serving process: requests of the kernel, chunks of the fetcher, the starter's connections, in
 * one poll. Invariants: (1) a request that was read is in the shared table until it was answered;
 * (2) a chunk counts as here after its bytes were copied out of the fetcher's reach, had the
 * index's sha256, and were written to "data"; (3) a request that waits is tried again whenever a
 * chunk came or failed.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "image/lazy-priv.h"
#include "linux/sys.h"

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define ROUND 64		     /* requests read before something else has its turn */
#define FILL_AFTER (300 * NS_PER_MS) /* of nobody waiting for anything */
#define FETCHER_REST NS_PER_SEC
#define RETRY_FIRST (200 * NS_PER_MS)
#define RETRY_MAX (5 * NS_PER_SEC)
#define UNFIT_TRIES 3

/* ---- requests ---- */

static uint32_t length_of(const char *request)
{
	return ((const struct fuse_in_header *)(const void *)request)->len;
}

static void set_free(char *request)
{
	((struct fuse_in_header *)(void *)request)->len = 0;
	atomic_signal_fence(memory_order_seq_cst);
}

static ssize_t write_reply(const struct lazy_server *s)
{
	ssize_t n;

	do
		n = write(s->fuse, s->out.p, s->out.n);
	while (n < 0 && errno == EINTR);
	return n;
}

static void answer_error(struct lazy_server *s, const char *request, int error)
{
	lazy_fuse_error(request, error, &s->out);
	(void)write_reply(s); /* the kernel took it, or waits for it no more */
}

/* ENOENT: answered before, or nobody waits any more. */
static void send_reply(struct lazy_server *s, const char *request)
{
	if (write_reply(s) >= 0 || errno == ENOENT || errno == ENODEV)
		return;
	log_kv(LOG_LEVEL_ERROR, "the kernel refused an answer", "why", strerror(errno), "layer",
	       s->conf.digest, NULL);
	answer_error(s, request, -EIO);
}

/* keeps (1): false when there is no room, which cannot be: reading stops before. */
static void keep(struct lazy_server *s, const char *request)
{
	uint32_t n = length_of(request);

	for (size_t i = 0; i < LAZY_WAITING; i++) {
		char *slot = s->shared->waiting[i].request;

		if (length_of(slot))
			continue;
		if (n > LAZY_WAITING_MAX)
			break;
		/* The length last: a slot that is half written is a free one. */
		memcpy(slot + 4, request + 4, n - 4);
		atomic_signal_fence(memory_order_seq_cst);
		memcpy(slot, request, 4);
		return;
	}
	answer_error(s, request, -EIO);
}

static void interrupt(struct lazy_server *s, uint64_t unique)
{
	for (size_t i = 0; i < LAZY_WAITING; i++) {
		char *slot = s->shared->waiting[i].request;

		if (!length_of(slot) || lazy_fuse_unique(slot) != unique)
			continue;
		answer_error(s, slot, -EINTR);
		set_free(slot);
	}
}

/* Somebody waits for the chunk. Tries for nobody count no more: who waits has a time of its own. */
static void want(struct lazy_server *s, size_t chunk)
{
	struct lazy_chunk *c = &s->chunks[chunk];

	if (!c->wanted) {
		*c = (struct lazy_chunk){ .wanted = true, .unfit = c->unfit };
		s->fill_at = chunk + 1;
	}
	s->demanded = clock_mono();
}

/* True when the request needs no place any more. */
static bool handle(struct lazy_server *s, const char *request, size_t n)
{
	uint64_t unique = 0;

	switch (lazy_fuse_answer(&s->fs, request, n, &s->out, &unique)) {
	case LAZY_WAIT:
		if (s->conf.early)
			want(s, 0);
		return false;
	case LAZY_ANSWER: send_reply(s, request); break;
	case LAZY_INTERRUPT: interrupt(s, unique); break;
	default: break;
	}
	return true;
}

static void take_landing(struct lazy_server *s)
{
	char *landing = s->shared->landing;

	if (!length_of(landing))
		return;
	if (!handle(s, landing, MIN(length_of(landing), LAZY_REQUEST_MAX)))
		keep(s, landing);
	set_free(landing);
}

static bool has_place(const struct lazy_server *s)
{
	for (size_t i = 0; i < LAZY_WAITING; i++)
		if (!length_of(s->shared->waiting[i].request))
			return true;
	return false;
}

static _Noreturn void gone(struct lazy_server *s)
{
	atomic_store(&s->shared->unmounted, 1);
	_exit(0);
}

static void read_requests(struct lazy_server *s)
{
	for (int i = 0; i < ROUND; i++) {
		ssize_t n = read(s->fuse, s->shared->landing, LAZY_REQUEST_MAX);

		if (n < 0 && errno == ENODEV)
			gone(s);
		if (n < 0 && (errno == ENOENT || errno == EINTR))
			continue;
		if (n < (ssize_t)sizeof(struct fuse_in_header))
			return;
		take_landing(s);
	}
}

/* keeps (3) */
static void retry_waiting(struct lazy_server *s)
{
	for (size_t i = 0; i < LAZY_WAITING; i++) {
		char *slot = s->shared->waiting[i].request;

		if (length_of(slot) && handle(s, slot, MIN(length_of(slot), LAZY_WAITING_MAX)))
			set_free(slot);
	}
}

/* ---- chunks ---- */

static int on_flow(void *ctx, uint64_t offset, size_t n, char *dst)
{
	return lazy_flow_data(ctx, offset, n, dst);
}

static int on_data(void *ctx, uint64_t offset, size_t n, char *dst)
{
	struct lazy_server *s = ctx;
	size_t first = lazy_chunk_at(s->ix, offset), last = lazy_chunk_at(s->ix, offset + n - 1);
	int r = 0;

	if (atomic_load(&s->shared->failed))
		return -EIO;
	for (size_t i = first; i <= last; i++) {
		if (s->shared->have[i])
			continue;
		if (s->chunks[i].failed)
			return -EIO;
		want(s, i);
		r = 1;
	}
	for (size_t at = 0; r == 0 && at < n;) {
		ssize_t got = pread(s->data, dst + at, n - at, (off_t)(offset + at));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -EIO;
		at += (size_t)got;
	}
	return r;
}

static bool busy(const struct lazy_server *s, size_t chunk)
{
	for (size_t i = 0; i < LAZY_LINES; i++)
		if (s->lines[i].chunk == (int64_t)chunk)
			return true;
	return false;
}

static bool ready(const struct lazy_server *s, size_t i, int64_t now)
{
	return !s->shared->have[i] && s->chunks[i].next <= now && !busy(s, i);
}

/* What is waited for first. *ret_fill: nobody waits for it. -1 = nothing to do now. */
static int64_t pick(struct lazy_server *s, int64_t now, bool *ret_fill)
{
	size_t n = s->ix->npoints;

	*ret_fill = false;
	for (size_t i = 0; i < n; i++)
		if (s->chunks[i].wanted && ready(s, i, now))
			return (int64_t)i;
	*ret_fill = true;
	/* The one behind what was just asked for, at once; the others in times of rest. */
	if (now - s->demanded < FILL_AFTER) {
		if (s->fill_at && s->fill_at < n && s->chunks[s->fill_at - 1].wanted &&
		    ready(s, s->fill_at, now))
			return (int64_t)s->fill_at;
		return -1;
	}
	for (size_t k = 0; k < n; k++) {
		size_t i = (s->fill_at + k) % n;

		if (ready(s, i, now))
			return (int64_t)i;
	}
	return -1;
}

static unsigned filling(const struct lazy_server *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < LAZY_LINES; i++)
		n += s->lines[i].chunk >= 0 && s->lines[i].fill;
	return n;
}

static bool needs_fetcher(const struct lazy_server *s)
{
	return s->nhave < s->ix->npoints && s->lines[0].fd < 0 && !atomic_load(&s->shared->failed);
}

/* One that dies at once is not made again at once. */
static void start_fetcher(struct lazy_server *s, int64_t now)
{
	struct err err = ERR_INIT;

	s->fetcher_due = now + FETCHER_REST;
	if (lazy_spawn_fetcher(s, &err) < 0)
		log_kv(LOG_LEVEL_ERROR, "a lazy layer cannot be fetched", "why", err.msg, "layer",
		       s->conf.digest, NULL);
}

static void schedule(struct lazy_server *s)
{
	int64_t now = clock_mono();

	if (needs_fetcher(s) && now >= s->fetcher_due)
		start_fetcher(s, now);

	for (size_t i = 0; i < LAZY_LINES; i++) {
		bool fill;
		int64_t c;
		uint32_t chunk;

		if (s->lines[i].fd < 0 || s->lines[i].chunk >= 0)
			continue;
		c = pick(s, now, &fill);
		if (c < 0 || (fill && filling(s) >= LAZY_FILL_LINES))
			return;
		chunk = (uint32_t)c;
		if (fd_write_all(s->lines[i].fd, &chunk, sizeof(chunk)) < 0)
			continue; /* its end is seen by poll */
		s->lines[i].chunk = c;
		s->lines[i].fill = fill;
	}
}

static int store(struct lazy_server *s, size_t line, size_t chunk, struct err *err)
{
	const char *room = s->room + line * s->line_room;
	uint64_t size = lazy_chunk_size(s->ix, chunk), from, n;
	int r;

	lazy_chunk_range(s->ix, chunk, &from, &n);
	memcpy(s->plain, room, size); /* keeps (2) */
	r = lazy_chunk_check(s->ix, chunk, s->plain, err);
	if (r < 0)
		return r;
	if (pwrite(s->data, s->plain, size, (off_t)s->ix->points[chunk].out) != (ssize_t)size ||
	    pwrite(s->blob, room + s->plain_max, n, (off_t)from) != (ssize_t)n)
		return err_sys(err, "write a chunk to disk");
	s->shared->have[chunk] = 1;
	s->nhave++;
	return 0;
}

static void fail(struct lazy_server *s);
static void tell_all(struct lazy_server *s);

/* To who waits for a layer to begin. */
static void tell_away(struct lazy_server *s)
{
	const char c = LAZY_AWAY;

	for (size_t i = 0; i < LAZY_CONNS && s->conf.early; i++)
		if (s->conns[i] >= 0)
			(void)send(s->conns[i], &c, 1, MSG_NOSIGNAL | MSG_DONTWAIT); /* it left */
}

/* A foreign index and the registry's bytes do not fit: one of the two is false, and no other try
 * makes it true. Or of a layer that came for the first time more was told than is true. */
static void do_not_fit(struct lazy_server *s, const char *why)
{
	log_kv(LOG_LEVEL_ERROR,
	       s->conf.early ? "a layer that came for the first time cannot be served any longer"
			     : "the index that the registry gave does not fit its layer",
	       "why", why, "layer", s->conf.digest, "registry", s->conf.host, NULL);
	atomic_store(&s->shared->unfit, 1);
	fail(s);
	tell_all(s);
}

static void chunk_failed(struct lazy_server *s, size_t chunk, enum err_code code, const char *why)
{
	struct lazy_chunk *c = &s->chunks[chunk];
	unsigned wait_s = s->conf.wait_s ? s->conf.wait_s : LAZY_WAIT_DEFAULT;
	int64_t now = clock_mono(), delay = RETRY_FIRST << MIN(c->tries, 5u);

	if (!c->tries++)
		c->since = now;
	c->unfit += code == ERR_INVALID;
	if (s->foreign && c->unfit == UNFIT_TRIES) {
		do_not_fit(s, why);
		return;
	}
	c->next = now + MIN(delay, RETRY_MAX);
	if (!c->wanted || now - c->since < (int64_t)wait_s * NS_PER_SEC)
		return;
	log_kv(LOG_LEVEL_ERROR, "a lazy layer cannot be read: input/output error", "why", why,
	       "layer", s->conf.digest, "registry", s->conf.host, NULL);
	c->failed = s->fs.stalled = true;
	retry_waiting(s);
	s->fs.stalled = false;
	tell_away(s);
	*c = (struct lazy_chunk){ .next = now + RETRY_FIRST }; /* the next read tries anew */
}

static void fetcher_ended(struct lazy_server *s)
{
	int64_t chunks[LAZY_LINES];

	log_kv(LOG_LEVEL_WARN, "the fetcher of a lazy layer ended", "layer", s->conf.digest, NULL);
	for (size_t i = 0; i < LAZY_LINES; i++)
		chunks[i] = s->lines[i].chunk;
	lazy_end_fetcher(s);
	for (size_t i = 0; i < LAZY_LINES; i++)
		if (chunks[i] >= 0)
			chunk_failed(s, (size_t)chunks[i], ERR_UNAVAILABLE,
				     "the fetching process ended");
}

static void tell(struct lazy_server *s, int conn)
{
	char c = atomic_load(&s->shared->unfit)	     ? LAZY_FALSE
		 : atomic_load(&s->shared->complete) ? LAZY_COMPLETE
		 : s->ready			     ? LAZY_READY
						     : LAZY_WORKING;

	(void)send(conn, &c, 1, MSG_NOSIGNAL | MSG_DONTWAIT); /* a peer that left: poll tells */
}

static void tell_all(struct lazy_server *s)
{
	for (size_t i = 0; i < LAZY_CONNS; i++)
		if (s->conns[i] >= 0)
			tell(s, s->conns[i]);
}

static void complete(struct lazy_server *s)
{
	lazy_end_fetcher(s);
	if (sys_fsync(s->blob) < 0)
		log_kv(LOG_LEVEL_WARN, "a lazy layer is not on disk", "why", strerror(errno), NULL);
	atomic_store(&s->shared->complete, 1);
	tell_all(s);
}

/* ---- a layer that comes for the first time ---- */

/* Pieces that came; negative: it ended badly, and was told. */
static int read_stream(struct lazy_server *s)
{
	struct err err = ERR_INIT;
	bool disk;
	int n = s->stream < 0 ? 0 : lazy_flow_read(s, &disk, &err);

	if (n < 0 && disk) { /* what was read is lost: from the file again */
		lazy_end_fetcher(s);
		chunk_failed(s, 0, err.code, err.msg);
	} else if (n < 0) {
		do_not_fit(s, err.msg);
	}
	if (n <= 0)
		return n;
	s->chunks[0].tries = 0; /* it moves */
	retry_waiting(s);
	if (!s->ready && lazy_flow_ready(s)) {
		s->ready = true;
		tell_all(s);
	}
	return n;
}

static bool is_refusal(enum err_code code)
{
	return code == ERR_NOT_FOUND || code == ERR_UNAUTHORIZED || code == ERR_FORBIDDEN;
}

static void end_stream(struct lazy_server *s, const struct lazy_fetched *f)
{
	struct err err = ERR_INIT;
	int n;

	while ((n = read_stream(s)) > 0) /* it was sent before the answer */
		;
	if (n < 0)
		return;
	if (f->code && f->final) {
		do_not_fit(s, f->msg);
	} else if (f->code) {
		if (is_refusal((enum err_code)f->code))
			tell_away(s); /* a pull that waits for the beginning tries no longer */
		chunk_failed(s, 0, (enum err_code)f->code, f->msg);
	} else if (lazy_growth_finish(s->growth, &err) < 0) {
		do_not_fit(s, err.msg);
	} else {
		s->shared->have[0] = 1;
		s->nhave = 1;
		s->chunks[0] = (struct lazy_chunk){ 0 };
		s->ready = true;
		complete(s);
		retry_waiting(s);
	}
}

/* In the tree of this process: of what came before it. */
static void begin_stream(struct lazy_server *s)
{
	struct err err = ERR_INIT;

	s->fs.data = on_flow;
	s->chunks[0].wanted = true; /* nothing else is to be done */
	if (lazy_flow_begin(s, &err) < 0 && !atomic_load(&s->shared->failed)) {
		do_not_fit(s, err.msg);
		return;
	}
	s->ready = lazy_flow_ready(s);
}

static void read_line(struct lazy_server *s, size_t line)
{
	struct lazy_fetched f;
	struct err err = ERR_INIT;
	ssize_t n = recv(s->lines[line].fd, &f, sizeof(f), MSG_DONTWAIT);
	int64_t chunk = s->lines[line].chunk;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(f) || chunk < 0 || f.chunk != (uint64_t)chunk) {
		fetcher_ended(s);
		return;
	}
	s->lines[line].chunk = -1;
	f.msg[sizeof(f.msg) - 1] = '\0';
	if (s->conf.early) {
		end_stream(s, &f);
		return;
	}
	if (f.code || store(s, line, (size_t)chunk, &err) < 0) {
		chunk_failed(s, (size_t)chunk, f.code ? (enum err_code)f.code : err.code,
			     f.code ? f.msg : err.msg);
		return;
	}
	s->chunks[chunk] = (struct lazy_chunk){ 0 };
	retry_waiting(s);
	if (s->nhave == s->ix->npoints)
		complete(s);
}

/* ---- the starter ---- */

/* For good, also after the serving process: readers get errors, also of what the kernel keeps. */
static void fail(struct lazy_server *s)
{
	struct err err = ERR_INIT;

	atomic_store(&s->shared->failed, 1);
	s->fs.failed = true;
	lazy_end_fetcher(s);
	retry_waiting(s);
	if (lazy_spawn_forgetter(s, &err) < 0)
		log_kv(LOG_LEVEL_ERROR, "the kernel still has bytes of a false layer", "why",
		       err.msg, "layer", s->conf.digest, NULL);
}

static void accept_one(struct lazy_server *s)
{
	int fd = accept4(s->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (size_t i = 0; i < LAZY_CONNS && fd >= 0; i++)
		if (s->conns[i] < 0) {
			tell(s, fd);
			s->conns[i] = STEAL_FD(fd);
		}
	fd_close(fd);
}

static void read_conn(struct lazy_server *s, size_t i)
{
	char c;
	ssize_t n = recv(s->conns[i], &c, 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fd_close(STEAL_FD(s->conns[i]));
	} else if (c == LAZY_FAIL && !atomic_load(&s->shared->failed)) {
		log_kv(LOG_LEVEL_ERROR, "a lazy layer is not what it was said to be", "layer",
		       s->conf.digest, NULL);
		fail(s);
	}
}

/* ---- the loop ---- */

enum {
	WAIT_FUSE,
	WAIT_LISTEN,
	WAIT_PARTNER,
	WAIT_STREAM,
	WAIT_LINES,
	WAIT_CONNS = WAIT_LINES + LAZY_LINES,
	WAIT_ALL = WAIT_CONNS + LAZY_CONNS
};

/* Milliseconds until something is due: a chunk to try again, or the time of rest. */
static int next_due(struct lazy_server *s)
{
	int64_t now = clock_mono(), due = INT64_MAX;

	if (s->nhave == s->ix->npoints || atomic_load(&s->shared->failed))
		return -1;
	if (s->lines[0].fd < 0)
		return (int)(MAX(s->fetcher_due - now, 0) / NS_PER_MS) + 1;
	for (size_t i = 0; i < s->ix->npoints; i++)
		if (!s->shared->have[i] && !busy(s, i))
			due = MIN(due, MAX(s->chunks[i].next,
					   s->chunks[i].wanted ? 0 : s->demanded + FILL_AFTER));
	if (due == INT64_MAX)
		return -1;
	/* Due and not begun: all lines are at work, whose end wakes us. */
	return due <= now ? -1 : (int)MIN((due - now) / NS_PER_MS + 1, 60000);
}

static void wait_and_serve(struct lazy_server *s)
{
	struct pollfd p[WAIT_ALL] = { [WAIT_FUSE] = { has_place(s) ? s->fuse : -1, POLLIN, 0 },
				      [WAIT_LISTEN] = { s->listen, POLLIN, 0 },
				      [WAIT_PARTNER] = { s->partner, POLLIN, 0 },
				      [WAIT_STREAM] = { s->stream, POLLIN, 0 } };
	struct err err = ERR_INIT;

	for (size_t i = 0; i < LAZY_LINES; i++)
		p[WAIT_LINES + i] = (struct pollfd){ s->lines[i].fd, POLLIN, 0 };
	for (size_t i = 0; i < LAZY_CONNS; i++)
		p[WAIT_CONNS + i] = (struct pollfd){ s->conns[i], POLLIN, 0 };
	if (poll(p, WAIT_ALL, next_due(s)) < 0)
		return;
	if (p[WAIT_PARTNER].revents && lazy_spawn_partner(s, &err) < 0)
		log_kv(LOG_LEVEL_ERROR, "a lazy server has no partner", "why", err.msg, NULL);
	if (p[WAIT_FUSE].revents)
		read_requests(s);
	if (p[WAIT_STREAM].revents)
		(void)read_stream(s);
	for (size_t i = 0; i < LAZY_LINES; i++)
		if (p[WAIT_LINES + i].revents && s->lines[i].fd == p[WAIT_LINES + i].fd)
			read_line(s, i);
	if (p[WAIT_LISTEN].revents)
		accept_one(s);
	for (size_t i = 0; i < LAZY_CONNS; i++)
		if (p[WAIT_CONNS + i].revents && s->conns[i] == p[WAIT_CONNS + i].fd)
			read_conn(s, i);
}

static void begin(struct lazy_server *s)
{
	struct err err = ERR_INIT;

	(void)sys_prctl(PR_SET_NAME, (unsigned long)"lazy-serve", 0, 0, 0);
	buf_fini(&s->out);
	free(s->plain);
	free(s->chunks);
	s->out = BUF_INIT(LAZY_REPLY_MAX);
	s->plain = malloc(s->plain_max + 1);
	s->chunks = calloc(s->ix->npoints + 1, sizeof(*s->chunks));
	if (!s->plain || !s->chunks)
		abort();
	s->fs.data = on_data;
	s->fs.ctx = s;
	s->demanded = clock_mono(); /* a time of rest first */
	s->nhave = 0;
	for (size_t i = 0; i < s->ix->npoints; i++)
		s->nhave += s->shared->have[i];
	if (lazy_spawn_partner(s, &err) < 0)
		log_kv(LOG_LEVEL_ERROR, "a lazy server has no partner", "why", err.msg, NULL);
	if (s->conf.early)
		begin_stream(s);
	if (s->nhave == s->ix->npoints && !atomic_load(&s->shared->complete))
		complete(s);
	take_landing(s); /* what the one before us has left */
	retry_waiting(s);
	if (atomic_load(&s->shared->failed))
		fail(s); /* it may have died over it */
}

_Noreturn void lazy_serve(struct lazy_server *s)
{
	begin(s);
	for (;;) {
		schedule(s);
		wait_and_serve(s);
	}
}
