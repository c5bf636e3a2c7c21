/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /containers/{id}/logs: json-file logs, oldest rotated file first, turned into frames (or raw
 * bytes of a tty) and, with follow, what is written from then on until the container ends.
 *
 * Reading is in blocks and only as far as the client's queue has room; a round is bounded, so other
 * clients are served in between. The file that is being read stays open across rotations: when the
 * log's name stands for another inode, the rest of ours is read and its successor opened.
 */
#include "docker/log-line.h"
#include "docker/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK (64u << 10)
#define ROUND_MAX (1u << 20)	  /* bytes of log read before others get their turn */
#define LINE_BYTES_MAX (1u << 20) /* a longer one is no line of a log */
#define FILES_MAX 1000
#define LOOKS_MAX 8

struct reader {
	struct watch watch;
	struct call *c;
	struct deferred again;
	struct source notify;
	struct engine_wait wait;
	const char *path;
	int dirfd, fd, inotify;
	unsigned index;	 /* which file fd is: path.<index>, 0 = path itself */
	int64_t offset;	 /* read so far of fd */
	struct buf line; /* begin of a line whose end is not there yet */
	struct buf scratch, out;
	char *block;
	int64_t since, until; /* real ns */
	bool out_wanted, err_wanted, timestamps, details, raw, follow;
	bool waiting; /* the wait is armed: the container runs */
	bool past;    /* a line later than `until` was met */
	bool blocked, over;
};

/* ---- files ---- */

static const char *base_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

static int open_index(struct reader *r, unsigned i)
{
	char name[300];

	if (i)
		(void)snprintf(name, sizeof(name), "%s.%u", base_name(r->path), i);
	else
		str_copy(name, sizeof(name), base_name(r->path));
	return openat(r->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

static void use_file(struct reader *r, int fd_taken, unsigned index, int64_t offset)
{
	fd_close(r->fd);
	r->fd = fd_taken;
	r->index = index;
	r->offset = offset;
}

/* One look through the names. -1 = it has none, or got one that we had passed already. */
static int find_once(struct reader *r, const struct stat *ours)
{
	struct stat st;
	char name[300];

	for (unsigned i = 0; i < FILES_MAX; i++) {
		if (i)
			(void)snprintf(name, sizeof(name), "%s.%u", base_name(r->path), i);
		else
			str_copy(name, sizeof(name), base_name(r->path));
		if (fstatat(r->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (i == 0)
				continue; /* between rename and the new file */
			return -1;
		}
		if (st.st_ino == ours->st_ino && st.st_dev == ours->st_dev)
			return (int)i;
	}
	return -1;
}

/* Where our open file is now: rotation renames it. -1 = it was deleted. */
static int find_ours(struct reader *r)
{
	struct stat ours;
	int at = -1;

	/* A rotation under our eyes can hide a file that is still there: look again. */
	for (unsigned i = 0; at < 0 && i < LOOKS_MAX; i++) {
		if (r->fd < 0 || fstat(r->fd, &ours) < 0 || ours.st_nlink == 0)
			return -1;
		at = find_once(r, &ours);
	}
	return at;
}

/*
 * The end of the open file was reached: goes to its successor. 1 = there is more to read. What was
 * written between our last read and the rename is read before: nothing comes to it after that.
 */
static int next_file(struct reader *r)
{
	int at = find_ours(r), fd;
	struct stat st;

	if (r->fd >= 0 && at != 0 && fstat(r->fd, &st) == 0 && st.st_size > r->offset)
		return 1;
	if (at == 0) {
		/* With one file only, rotation cuts it. */
		if (fstat(r->fd, &st) == 0 && st.st_size < r->offset) {
			r->offset = 0;
			buf_clear(&r->line); /* what the rotation cut off */
			return 1;
		}
		return 0;
	}
	for (unsigned i = at < 0 ? FILES_MAX : (unsigned)at; i-- > 0;) {
		fd = open_index(r, i);
		if (fd < 0)
			continue;
		use_file(r, fd, i, 0);
		buf_clear(&r->line); /* what the rotation cut off */
		return 1;
	}
	return 0;
}

/* Position of the last `n` lines before `end`: offset, and *n becomes what is still missing. */
static int64_t seek_back(int fd, int64_t end, uint64_t *n, char *block)
{
	bool first = true;

	if (end == 0)
		return 0; /* rotation has just made it: no line */
	while (end > 0) {
		size_t want = (size_t)MIN(end, (int64_t)BLOCK);
		ssize_t got = pread(fd, block, want, end - (int64_t)want);

		if (got != (ssize_t)want)
			return 0;
		for (size_t i = want; i-- > 0;) {
			if (block[i] != '\n' || (first && i + 1 == want)) {
				first = false;
				continue;
			}
			if (--*n == 0)
				return end - (int64_t)want + (int64_t)i + 1;
		}
		end -= (int64_t)want;
	}
	if (*n)
		--*n; /* the first line has no newline before it */
	return 0;
}

/* Opens the file to begin with. tail: lines wanted, UINT64_MAX = all. */
static void open_first(struct reader *r, uint64_t tail)
{
	int64_t offset = 0;
	struct stat st;

	for (unsigned i = 0; i < FILES_MAX; i++) {
		int fd = open_index(r, i);

		if (fd < 0) {
			if (i == 0)
				continue; /* between rename and the new file, or none yet */
			return;
		}
		if (tail != UINT64_MAX) {
			offset = fstat(fd, &st) < 0 ? 0
				 : tail == 0	    ? st.st_size
						    : seek_back(fd, st.st_size, &tail, r->block);
			use_file(r, fd, i, offset);
			if (tail == 0)
				return;
			continue;
		}
		use_file(r, fd, i, 0);
	}
}

/* ---- lines to output ---- */

static void put_details(struct reader *r, struct slice attrs)
{
	CLEANUP(arena_free) struct arena *a = arena_new("log attributes", 1u << 20);
	struct err ignored = ERR_INIT;
	struct doc *d = NULL;
	size_t n = 0;

	if (attrs.n && json_read(a, attrs, NULL, &d, &ignored) < 0)
		d = NULL;
	DOC_EACH_MEMBER (k, v, d) {
		struct slice key = doc_slice(k), value = doc_slice(v);

		if (n++)
			buf_addc(&r->out, ',');
		(void)url_encode(&r->out, key, false); /* as docker: QueryEscape */
		buf_addc(&r->out, '=');
		(void)url_encode(&r->out, value, false);
	}
	buf_addc(&r->out, ' ');
}

/* "2026-11-22T03:04:05.1Z" with the nine digits that docker prints. */
static void put_time(struct reader *r, struct slice text, int64_t ns)
{
	char full[CLOCK_TEXT_MAX];

	if (ns == CLOCK_ZERO)
		buf_add(&r->out, text.p, text.n);
	else
		buf_adds(&r->out, clock_rfc3339full(full, ns));
	buf_addc(&r->out, ' ');
}

static void put_line(struct reader *r, const char *line, size_t n)
{
	struct err ignored = ERR_INIT;
	struct log_line l;
	int64_t when = CLOCK_ZERO;
	size_t head = r->out.n, size;
	char *frame;

	if (log_line_parse(line, n, &r->scratch, &l) < 0)
		return;
	if (!(l.is_err ? r->err_wanted : r->out_wanted))
		return;
	if ((r->since != INT64_MIN || r->until != INT64_MAX || r->timestamps) &&
	    clock_parse_rfc3339(l.time, &when, &ignored) < 0)
		when = CLOCK_ZERO;
	if (when != CLOCK_ZERO && (when < r->since || when > r->until)) {
		r->past |= when > r->until;
		return;
	}
	if (!r->raw)
		buf_add(&r->out, "\0\0\0\0\0\0\0\0", 8);
	if (r->timestamps)
		put_time(r, l.time, when);
	if (r->details)
		put_details(r, l.attrs);
	buf_add(&r->out, l.text.p, l.text.n);
	if (r->raw || r->out.full)
		return;
	frame = r->out.p + head;
	size = r->out.n - head - 8;
	frame[0] = l.is_err ? 2 : 1;
	frame[4] = (char)(size >> 24);
	frame[5] = (char)(size >> 16);
	frame[6] = (char)(size >> 8);
	frame[7] = (char)size;
}

static void take_bytes(struct reader *r, const char *p, size_t n)
{
	const char *nl;

	while (n && (nl = memchr(p, '\n', n))) {
		size_t len = (size_t)(nl - p);

		if (r->line.n) {
			buf_add(&r->line, p, len);
			if (!r->line.full)
				put_line(r, r->line.p, r->line.n);
			buf_clear(&r->line);
		} else {
			put_line(r, p, len);
		}
		p += len + 1;
		n -= len + 1;
	}
	if (n)
		buf_add(&r->line, p, n);
}

/* ---- the round ---- */

static void reader_end(struct reader *r)
{
	if (r->over)
		return;
	r->over = true;
	engine_wait_cancel(&r->wait);
	deferred_fini(&r->again);
	source_fini(&r->notify);
	fd_close(r->fd);
	fd_close(r->dirfd);
	fd_close(r->inotify);
	buf_fini(&r->line);
	buf_fini(&r->scratch);
	buf_fini(&r->out);
	free(r->block);
	list_del(&r->watch.link);
	stream_unref(r->c->s);
}

/* Our end of the answer. `closed` may run inside stream_end: r lives as long as the stream. */
static void reader_finish(struct reader *r)
{
	struct stream *s = stream_ref(r->c->s);

	(void)stream_end(s); /* a client that left */
	reader_end(r);
	stream_unref(s);
}

/* 1 = go on reading, 0 = the client is behind, -1 = it has left */
static int flush_out(struct reader *r)
{
	int n = 0;

	if (r->out.n)
		n = stream_write(r->c->s, r->out.p, r->out.n);
	buf_clear(&r->out);
	if (n < 0)
		return -1;
	r->blocked = n == 1;
	return !r->blocked;
}

static void all_read(struct reader *r)
{
	if (r->follow && r->waiting)
		return; /* inotify, or the container's end */
	reader_finish(r);
}

/* One round. 1 = more to do, 0 = the client is behind, or all is read, or over. */
static int read_round(struct reader *r)
{
	size_t done = 0;
	int go = 1;

	while (go > 0 && done < ROUND_MAX && !r->over && !r->past) {
		ssize_t n = r->fd < 0 ? 0 : pread(r->fd, r->block, BLOCK, r->offset);

		if (n > 0) {
			r->offset += n;
			done += (size_t)n;
			take_bytes(r, r->block, (size_t)n);
			go = flush_out(r);
			continue;
		}
		if (n < 0) {
			log_error("read the log '%s': %s", r->path, strerrordesc_np(errno));
			stream_reset(r->c->s, NULL); /* closed ends the reader */
			return 0;
		}
		if (next_file(r) == 1)
			continue;
		all_read(r);
		return 0;
	}
	if (go < 0 && !r->over)
		stream_reset(r->c->s, NULL); /* closed ends the reader */
	else if (r->past && !r->over)
		reader_finish(r); /* as docker: nothing earlier follows */
	return go > 0 && !r->over;
}

static void read_on(struct reader *r)
{
	struct stream *s = stream_ref(r->c->s); /* r lives in it, and writing may close it */

	if (read_round(r))
		deferred_call(&r->again);
	stream_unref(s);
}

static void again(struct deferred *d)
{
	read_on(CONTAINER_OF(d, struct reader, again));
}

static int notified(struct source *s, uint32_t events)
{
	struct reader *r = CONTAINER_OF(s, struct reader, notify);
	char bytes[4096];

	(void)events;
	while (read(r->inotify, bytes, sizeof(bytes)) > 0)
		;
	if (!r->blocked)
		read_on(r);
	return 0;
}

/* The container has ended: its last lines are in the file. */
static void ended(struct engine_wait *w, int exit_code, const char *error)
{
	struct reader *r = CONTAINER_OF(w, struct reader, wait);

	(void)exit_code;
	(void)error;
	r->waiting = false;
	if (!r->blocked && !r->over)
		deferred_call(&r->again);
}

static void logs_writable(struct stream *s)
{
	struct reader *r = stream_arg(s);

	if (r->over)
		return;
	r->blocked = false;
	read_on(r);
}

static void logs_cancel(struct stream *s)
{
	struct reader *r = stream_arg(s);

	if (!r->over && r->follow)
		stream_reset(s, NULL);
}

static void logs_closed(struct stream *s, const struct err *why)
{
	(void)why;
	reader_end(stream_arg(s));
}

static void logs_stop(struct watch *w)
{
	reader_finish(CONTAINER_OF(w, struct reader, watch));
}

/* ---- the request ---- */

static int time_param(struct call *c, const char *name, int64_t absent, int64_t *ret)
{
	const char *text = query_get(&c->q, name);
	struct err err = ERR_INIT;

	*ret = absent;
	if (!text || !*text || strcmp(text, "0") == 0)
		return 0;
	if (clock_parse_when(slice_str(text), clock_real(), ret, &err) == 0)
		return 0;
	reply_fail(c, ERR_BAD_REQUEST, "invalid value for \"%s\": %s", name, err.msg);
	return -ERR_BAD_REQUEST;
}

/* docker takes anything that is no number, and negative ones, as "all". */
static uint64_t tail_param(struct call *c)
{
	const char *text = query_get(&c->q, "tail");
	struct err ignored = ERR_INIT;
	uint64_t v;

	return text && str_uint64(slice_str(text), &v, &ignored) == 0 ? v : UINT64_MAX;
}

static int start_following(struct reader *r, struct container *ct, struct err *err)
{
	const struct container_state *st = container_get_state(ct);
	CLEANUP_FREE char *dir = strndup(r->path, (size_t)(base_name(r->path) - r->path));

	if (!dir)
		abort();
	if (st->status != CT_RUNNING && st->status != CT_PAUSED && st->status != CT_RESTARTING)
		return 0;
	r->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	/* The directory: modifications of its files, and rotations. */
	if (r->inotify < 0 ||
	    inotify_add_watch(r->inotify, dir, IN_MODIFY | IN_MOVED_TO | IN_CREATE) < 0)
		return err_sys(err, "watch the log of the container");
	if (source_init(&r->notify, r->c->api->loop, r->inotify, EPOLLIN, notified, err) < 0)
		return err_ret(err);
	r->waiting = true;
	r->wait.condition = WAIT_NOT_RUNNING;
	r->wait.fn = ended;
	engine_wait_start(r->c->e, ct, &r->wait);
	return 0;
}

static int open_reader(struct reader *r, struct container *ct, struct err *err)
{
	CLEANUP_FREE char *dir = strndup(r->path, (size_t)(base_name(r->path) - r->path));

	if (!dir)
		abort();
	r->dirfd = openat(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r->dirfd < 0)
		return err_sys(err, "open the container's directory '%s'", dir);
	r->block = malloc(BLOCK);
	if (!r->block)
		abort();
	open_first(r, tail_param(r->c));
	return r->follow ? start_following(r, ct, err) : 0;
}

static int read_params(struct call *c, struct reader *r, struct container *ct)
{
	const struct create_spec *spec = container_spec(ct);

	r->out_wanted = query_bool(&c->q, "stdout", false);
	r->err_wanted = query_bool(&c->q, "stderr", false);
	r->timestamps = query_bool(&c->q, "timestamps", false);
	r->details = query_bool(&c->q, "details", false);
	r->follow = query_bool(&c->q, "follow", false);
	r->raw = spec->config.tty;
	if (!r->out_wanted && !r->err_wanted) {
		reply_fail(c, ERR_BAD_REQUEST,
			   "Bad parameters: you must choose at least one stream");
		return -ERR_BAD_REQUEST;
	}
	if (spec->host.log && spec->host.log->type && strcmp(spec->host.log->type, "none") == 0) {
		reply_fail(c, ERR_UNSUPPORTED,
			   "configured logging driver does not support reading");
		return -ERR_UNSUPPORTED;
	}
	if (time_param(c, "since", INT64_MIN, &r->since) < 0)
		return -ERR_BAD_REQUEST;
	return time_param(c, "until", INT64_MAX, &r->until);
}

void container_logs(struct call *c)
{
	static const struct stream_events events = { .writable = logs_writable,
						     .cancel = logs_cancel,
						     .closed = logs_closed };
	struct reader *r = ARENA_NEW(c->a, struct reader);
	struct container *ct;
	struct err err = ERR_INIT;

	if (call_container(c, &ct) < 0 || read_params(c, r, ct) < 0)
		return;
	r->c = c;
	r->path = arena_strdup(c->a, container_log_path(ct));
	r->fd = r->dirfd = r->inotify = -1;
	r->line = BUF_INIT(LINE_BYTES_MAX);
	r->scratch = BUF_INIT(LINE_BYTES_MAX * 2);
	r->out = BUF_INIT(LINE_BYTES_MAX * 8);
	r->notify = SOURCE_INIT;
	deferred_init(&r->again, c->api->loop, again);
	r->watch.stop = logs_stop;
	list_append(&c->api->watches, &r->watch.link);
	stream_ref(c->s);
	if (open_reader(r, ct, &err) < 0) {
		reply_err(c, &err);
		reader_end(r);
		return;
	}
	stream_on(c->s, &events, r);
	(void)stream_set_header(c->s, "Content-Type",
				r->raw || c->minor < 42
					? "application/vnd.docker.raw-stream"
					: "application/vnd.docker.multiplexed-stream");
	(void)stream_start(c->s, 200, -1); /* a client that left: `closed` comes */
	read_on(r);
}
