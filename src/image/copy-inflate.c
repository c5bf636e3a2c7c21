/* SPDX-License-Identifier: Apache-2.0 */
/* The uncompressed bytes of a layer or archive. Only root can raise the fence: for others the
 * library runs in a thread of the command that they started, with what rights they have. */
#include "image/copy.h"

#include "base/err.h"
#include "base/fd.h"
#include "image/helper.h"
#include "image/inflate.h"
#include "linux/sys.h"

#include <pthread.h>
#include <string.h>

#define CHUNK (256u << 10)
#define INFLATE_MAX ((uint64_t)64 << 30)

/* Feeds the decompressor: the range of a file into a pipe. */
struct feed {
	const struct place_blob *b;
	int to;
	int from; /* in process: the other end of `to` */
	int out;
	struct err err;
};

static void *feed_main(void *arg)
{
	struct feed *f = arg;
	uint64_t done = 0;
	char chunk[65536];
	sigset_t pipe;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	while (done < f->b->size) {
		ssize_t n = pread(f->b->fd, chunk, MIN(f->b->size - done, sizeof(chunk)),
				  (off_t)(f->b->offset + done));

		if (n <= 0 || fd_write_all(f->to, chunk, (size_t)n) < 0)
			break; /* what is missing, the reader finds */
		done += (uint64_t)n;
	}
	fd_close(STEAL_FD(f->to));
	return NULL;
}

static void *inflate_main(void *arg)
{
	struct feed *f = arg;
	uint64_t n;
	sigset_t pipe;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	(void)inflate_fd(f->from, f->out, &n, &f->err);
	fd_close(STEAL_FD(f->from));
	fd_close(STEAL_FD(f->out));
	return NULL;
}

static int take(int fd, uint64_t max, remote_consume_fn *consume, void *ctx, struct err *err)
{
	CLEANUP_FREE char *chunk = malloc(CHUNK);
	uint64_t done = 0;
	int r = 0;

	if (!chunk)
		abort();
	while (r >= 0) {
		ssize_t n = read(fd, chunk, CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read from the decompressor");
		if (n == 0)
			return 0;
		done += (uint64_t)n;
		if (done > max)
			return err_set(err, ERR_TOO_LARGE,
				       "more than %llu bytes come out of its compression",
				       (unsigned long long)max);
		r = consume(ctx, slice_of(chunk, (size_t)n), err);
	}
	return r;
}

static int plain(const struct place_blob *b, remote_consume_fn *consume, void *ctx, struct err *err)
{
	CLEANUP_FREE char *chunk = malloc(CHUNK);
	uint64_t done = 0;
	int r = 0;

	if (!chunk)
		abort();
	while (done < b->size && r >= 0) {
		ssize_t n = pread(b->fd, chunk, MIN(b->size - done, (uint64_t)CHUNK),
				  (off_t)(b->offset + done));

		if (n <= 0)
			return n < 0 ? err_sys(err, "read")
				     : err_set(err, ERR_INVALID, "it is cut off");
		r = consume(ctx, slice_of(chunk, (size_t)n), err);
		done += (uint64_t)n;
	}
	return r;
}

static int fenced(const struct place_conf *conf, struct feed *f, uint64_t max,
		  remote_consume_fn *consume, void *ctx, struct err *err)
{
	CLEANUP(helper_result_fini) struct helper_result res = { 0 };
	CLEANUP(fd_close) int root = -1;
	struct helper h;
	pthread_t feeder;
	int r, rc;

	/* Some directory: the fence leaves no right to anything in it. */
	root = sys_openat(AT_FDCWD, "/var/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (root < 0)
		return err_sys(err, "open '/var/tmp'");
	r = helper_start(&(struct helper_start){ .program = conf && conf->helper ? conf->helper
										 : "/proc/self/exe",
						 .mode = "inflate",
						 .input = -1,
						 .output = true,
						 .root = root,
						 .size_max = max },
			 &h, err);
	if (r < 0)
		return r;
	f->to = STEAL_FD(h.in);
	rc = pthread_create(&feeder, NULL, feed_main, f);
	if (rc) {
		fd_close(STEAL_FD(f->to));
		helper_kill(&h);
		return err_sysc(err, ERR_SYSTEM, rc, "start a thread");
	}
	r = take(h.out, max, consume, ctx, err);
	if (r < 0)
		helper_kill(&h);
	pthread_join(feeder, NULL);
	return r < 0 ? r : helper_finish(&h, &res, err);
}

static int unfenced(struct feed *f, uint64_t max, remote_consume_fn *consume, void *ctx,
		    struct err *err)
{
	CLEANUP(fd_close) int in = -1;
	pthread_t feeder, worker;
	int a[2], b[2], r;

	if (sys_pipe2(a, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	if (sys_pipe2(b, O_CLOEXEC) < 0) {
		fd_close(a[0]);
		fd_close(a[1]);
		return err_sys(err, "make a pipe");
	}
	f->to = a[1];
	f->from = a[0];
	f->out = b[1];
	in = b[0];
	if (pthread_create(&feeder, NULL, feed_main, f) != 0)
		abort();
	if (pthread_create(&worker, NULL, inflate_main, f) != 0)
		abort();
	r = take(in, max, consume, ctx, err);
	fd_close(STEAL_FD(in));
	pthread_join(worker, NULL);
	pthread_join(feeder, NULL);
	if (r >= 0 && f->err.code) {
		*err = f->err;
		r = err_ret(err);
	}
	return r;
}

int place_inflate(const struct place_conf *conf, const struct place_blob *b,
		  remote_consume_fn *consume, void *ctx, struct err *err)
{
	const uint64_t max = conf && conf->inflate_max ? conf->inflate_max : INFLATE_MAX;
	struct feed f = { .b = b, .to = -1, .from = -1, .out = -1 };
	char first[8];
	ssize_t n;

	n = pread(b->fd, first, MIN(sizeof(first), b->size), (off_t)b->offset);
	if (n < 0)
		return err_sys(err, "read");
	switch (inflate_sniff(first, (size_t)n)) {
	case INFLATE_PLAIN: return plain(b, consume, ctx, err);
	case INFLATE_OTHER:
		return err_set(err, ERR_UNSUPPORTED,
			       "it is compressed by %s; gzip and zstd are supported",
			       inflate_name(first, (size_t)n));
	default:
		return geteuid() == 0 ? fenced(conf, &f, max, consume, ctx, err)
				      : unfenced(&f, max, consume, ctx, err);
	}
}
