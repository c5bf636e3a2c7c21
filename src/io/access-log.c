/* SPDX-License-Identifier: Apache-2.0 */
#include "io/access-log.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "io/stream-impl.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_MAX (1u << 20)
#define WRITE_AT (64u << 10)
#define LINE_MAX_BYTES 16384u
#define FIELD_MAX 2048u /* bytes of one field that comes from outside */

struct access_log {
	struct access_log_conf conf;
	char *path;
	int fd;
	bool own_fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, written;
	struct buf queue; /* under lock, as all below */
	bool stop, flush, writing;
	uint64_t dropped;
	struct buf line; /* of access_log_add */
};

/* ---- lines ---- */

static bool is_secret(struct slice name)
{
	static const char *const words[] = { "token", "secret",	 "passw", "pwd",
					     "sig",   "key",	 "auth",  "credent",
					     "jwt",   "session", "code",  "ticket" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t n = strlen(words[i]);

		for (size_t at = 0; at + n <= name.n; at++) {
			if (slice_ieq(slice_of(name.p + at, n), slice_str(words[i])))
				return true;
		}
	}
	return false;
}

/* JSON and the combined format agree on \" and \\; other bytes that could break a line differ. */
static void put_bytes(struct buf *out, struct slice s, bool json)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];

		if (c == '"' || c == '\\')
			(void)buf_addf(out, "\\%c", c);
		else if (c >= ' ' && c < 0x7f)
			(void)buf_addc(out, (char)c);
		else
			(void)buf_addf(out, json ? "\\u%04x" : "\\x%02x", c);
	}
}

static void put_text(struct buf *out, struct slice s, bool json)
{
	bool cut = s.n > FIELD_MAX;

	put_bytes(out, slice_of(s.p, MIN(s.n, (size_t)FIELD_MAX)), json);
	if (cut)
		(void)buf_adds(out, "...");
}

/* An address with the values of its secret parameters, and a user before '@', masked. A percent
 * sign in a name could hide a word: then the value is masked too. */
static void put_target(struct buf *out, struct slice s, bool json)
{
	struct slice rest = slice_of(s.p, MIN(s.n, (size_t)FIELD_MAX));
	struct slice path = slice_split(&rest, '?');
	const char *at = path.n ? memchr(path.p, '@', path.n) : NULL;
	const char *scheme = path.n ? memmem(path.p, path.n, "://", 3) : NULL;
	bool first = true;

	if (at && scheme && scheme < at) {
		put_bytes(out, slice_of(path.p, (size_t)(scheme + 3 - path.p)), json);
		(void)buf_adds(out, "***");
		path = slice_of(at, (size_t)(path.p + path.n - at));
	}
	put_bytes(out, path, json);
	while (rest.p) {
		struct slice value = slice_split(&rest, '&'), name = slice_split(&value, '=');

		(void)buf_addc(out, first ? '?' : '&');
		first = false;
		put_bytes(out, name, json);
		if (!value.p)
			continue;
		(void)buf_addc(out, '=');
		if (is_secret(name) || (name.n && memchr(name.p, '%', name.n)))
			(void)buf_adds(out, "***");
		else
			put_bytes(out, value, json);
	}
	if (s.n > FIELD_MAX)
		(void)buf_adds(out, "...");
}

static void put_json(struct buf *out, const struct access_record *r)
{
	time_t at = (time_t)(r->time / NS_PER_SEC);
	char when[32];
	struct tm tm;

	(void)gmtime_r(&at, &tm); /* fails only for years past int */
	(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)buf_addf(out, "{\"time\":\"%s.%06lldZ\",\"peer\":\"", when,
		       (long long)(r->time % NS_PER_SEC / 1000));
	put_text(out, slice_str(r->peer), true);
	(void)buf_adds(out, "\",\"method\":\"");
	put_text(out, slice_str(r->method), true);
	(void)buf_adds(out, "\",\"target\":\"");
	put_target(out, r->target, true);
	(void)buf_addf(out, "\",\"protocol\":\"%s\",\"host\":\"", r->protocol);
	put_text(out, r->host, true);
	(void)buf_addf(out,
		       "\",\"status\":%d,\"in\":%llu,\"out\":%llu,\"duration\":%lld.%06lld,"
		       "\"referer\":\"",
		       r->status, (unsigned long long)r->in, (unsigned long long)r->out,
		       (long long)(r->duration / NS_PER_SEC),
		       (long long)(r->duration % NS_PER_SEC / 1000));
	put_target(out, r->referer, true);
	(void)buf_adds(out, "\",\"agent\":\"");
	put_text(out, r->agent, true);
	if (r->error) {
		(void)buf_adds(out, "\",\"error\":\"");
		put_text(out, slice_str(r->error), true);
	}
	(void)buf_adds(out, "\"}\n");
}

static void put_combined(struct buf *out, const struct access_record *r)
{
	time_t at = (time_t)(r->time / NS_PER_SEC);
	struct slice peer = slice_str(r->peer);
	const char *colon = peer.n ? memrchr(peer.p, ':', peer.n) : NULL;
	char when[40];
	struct tm tm;

	(void)gmtime_r(&at, &tm);
	(void)strftime(when, sizeof(when), "%d/%b/%Y:%H:%M:%S +0000", &tm);
	put_text(out, colon ? slice_of(peer.p, (size_t)(colon - peer.p)) : peer, false);
	(void)buf_addf(out, " - - [%s] \"", when);
	put_text(out, slice_str(r->method), false);
	(void)buf_addc(out, ' ');
	put_target(out, r->target, false);
	(void)buf_addf(out, " %s\" %d %llu \"", r->protocol, r->status, (unsigned long long)r->out);
	put_target(out, r->referer.n ? r->referer : SLICE("-"), false);
	(void)buf_adds(out, "\" \"");
	put_text(out, r->agent.n ? r->agent : SLICE("-"), false);
	(void)buf_adds(out, "\"\n");
}

int access_log_format(enum access_format f, const struct access_record *rec, struct buf *out)
{
	if (f == ACCESS_JSON)
		put_json(out, rec);
	else
		put_combined(out, rec);
	return out->full ? -ERR_QUOTA : 0;
}

/* ---- the thread ---- */

static void wait_for_more(struct access_log *log)
{
	struct timespec until;

	while (!log->queue.n && !log->stop)
		(void)pthread_cond_wait(&log->wake, &log->lock);
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	while (log->queue.n < WRITE_AT && !log->stop && !log->flush) {
		if (pthread_cond_timedwait(&log->wake, &log->lock, &until) == ETIMEDOUT)
			return;
	}
}

static void *writer(void *arg)
{
	struct access_log *log = arg;
	struct buf batch = BUF_INIT(log->queue.max);

	(void)pthread_mutex_lock(&log->lock);
	while (!log->stop || log->queue.n) {
		struct buf swap;
		int fd;

		wait_for_more(log);
		swap = log->queue;
		log->queue = batch;
		batch = swap;
		log->writing = true;
		fd = fd_dup(log->fd);
		(void)pthread_mutex_unlock(&log->lock);
		/* A disk that is full loses lines, not requests. */
		if (batch.n && (fd < 0 || fd_write_all(fd, batch.p, batch.n) < 0)) {
			(void)pthread_mutex_lock(&log->lock);
			for (size_t i = 0; i < batch.n; i++)
				log->dropped += batch.p[i] == '\n';
			(void)pthread_mutex_unlock(&log->lock);
		}
		fd_close(fd);
		buf_clear(&batch);
		(void)pthread_mutex_lock(&log->lock);
		log->writing = false;
		if (!log->queue.n)
			log->flush = false;
		(void)pthread_cond_broadcast(&log->written);
	}
	(void)pthread_mutex_unlock(&log->lock);
	buf_fini(&batch);
	return NULL;
}

static int open_log(const char *path)
{
	return openat(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
}

static int start_thread(struct access_log *log, struct err *err)
{
	pthread_condattr_t attr;
	sigset_t all, old;
	int r;

	(void)pthread_mutex_init(&log->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&log->wake, &attr);
	(void)pthread_cond_init(&log->written, &attr);
	(void)pthread_condattr_destroy(&attr);
	/* Signals are the loop's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&log->thread, NULL, writer, log);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r ? err_sysc(err, ERR_SYSTEM, r, "access log: thread") : 0;
}

int access_log_new(const struct access_log_conf *conf, struct access_log **ret, struct err *err)
{
	struct access_log *log = io_alloc(sizeof(*log));
	int r;

	log->conf = *conf;
	log->queue = BUF_INIT(conf->queue_max ? conf->queue_max : QUEUE_MAX);
	log->line = BUF_INIT(LINE_MAX_BYTES * 4);
	log->fd = conf->fd;
	if (conf->path) {
		log->path = strdup(conf->path);
		log->fd = open_log(conf->path);
		log->own_fd = true;
	}
	if (log->fd < 0) {
		r = err_sys(err, "access log '%s'", conf->path ? conf->path : "fd");
		goto failed;
	}
	r = start_thread(log, err);
	if (r == 0) {
		*ret = log;
		return 0;
	}
failed:
	if (log->own_fd)
		fd_close(log->fd);
	free(log->path);
	free(log);
	return r;
}

void access_log_free(struct access_log *log)
{
	if (!log)
		return;
	(void)pthread_mutex_lock(&log->lock);
	log->stop = true;
	(void)pthread_cond_signal(&log->wake);
	(void)pthread_mutex_unlock(&log->lock);
	(void)pthread_join(log->thread, NULL);
	(void)pthread_cond_destroy(&log->wake);
	(void)pthread_cond_destroy(&log->written);
	(void)pthread_mutex_destroy(&log->lock);
	buf_fini(&log->queue);
	buf_fini(&log->line);
	if (log->own_fd)
		fd_close(log->fd);
	free(log->path);
	free(log);
}

void access_log_add(struct access_log *log, const struct access_record *rec)
{
	size_t before;

	buf_clear(&log->line);
	(void)access_log_format(log->conf.format, rec,
				&log->line); /* fields are bounded: it fits */
	(void)pthread_mutex_lock(&log->lock);
	before = log->queue.n;
	if (log->queue.n + log->line.n > log->queue.max)
		log->dropped++;
	else
		(void)buf_add(&log->queue, log->line.p, log->line.n);
	if (before == 0 || (before < WRITE_AT && log->queue.n >= WRITE_AT))
		(void)pthread_cond_signal(&log->wake);
	(void)pthread_mutex_unlock(&log->lock);
}

void access_log_flush(struct access_log *log)
{
	(void)pthread_mutex_lock(&log->lock);
	while (log->queue.n || log->writing) {
		log->flush = true;
		(void)pthread_cond_signal(&log->wake);
		(void)pthread_cond_wait(&log->written, &log->lock);
	}
	(void)pthread_mutex_unlock(&log->lock);
}

int access_log_reopen(struct access_log *log, struct err *err)
{
	int fd, old;

	if (!log->path)
		return 0;
	fd = open_log(log->path);
	if (fd < 0)
		return err_sys(err, "access log '%s'", log->path);
	(void)pthread_mutex_lock(&log->lock);
	old = log->fd;
	log->fd = fd;
	(void)pthread_mutex_unlock(&log->lock);
	fd_close(old); /* the thread has a duplicate while it writes */
	return 0;
}

uint64_t access_log_dropped(struct access_log *log)
{
	uint64_t n;

	(void)pthread_mutex_lock(&log->lock);
	n = log->dropped;
	(void)pthread_mutex_unlock(&log->lock);
	return n;
}
