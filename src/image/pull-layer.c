/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of a pull: several at a time, each by two threads (one receives, one pumps) and two
 * helper processes (one decompresses, one makes files). Finished layers are put on the lists in
 * order, base first, because a layer's marks look at the layers below.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "image/pull-priv.h"
#include "linux/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PARALLEL 3
#define PARALLEL_MAX 16
#define PIPE_BYTES (1 << 20)

/* ---- what is there ---- */

static int reserve_layer(struct layer_job *j, struct db_conn *c, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *blob, *media;
	int64_t size;
	int r;

	r = db_query(
		c, &row, err,
		"SELECT layers.blob, blobs.media, blobs.size FROM layers JOIN blobs ON digest ="
		" blob WHERE chain = ?",
		"t", j->chain);
	if (r >= 0)
		r = db_row_next(row, err);
	if (r <= 0)
		return r;
	db_row_get(row, "tti", &blob, &media, &size);
	(void)str_copy(j->blob, sizeof(j->blob), blob);
	(void)str_copy(j->media, sizeof(j->media), media);
	j->blob_size = (uint64_t)size;
	j->has_layer = true;
	return image_lease_add_in(j->p->im.lease, c, IMAGE_ITEM_SNAPSHOT, j->chain, err);
}

static int reserve_blob(struct layer_job *j, struct db_conn *c, struct err *err)
{
	int64_t one;
	int r;

	r = db_query_int(c, &one, err, "SELECT 1 FROM blobs WHERE digest = ?", "t", j->d->digest);
	if (r <= 0)
		return r;
	j->has_blob = true;
	return image_lease_add_in(j->p->im.lease, c, IMAGE_ITEM_BLOB, j->d->digest, err);
}

/* What the store has is held by the lease from now on. */
static int run_reserve(void *ctx, struct db_conn *c, struct err *err)
{
	struct image_pull *p = ctx;
	int r = 0;

	for (size_t i = 0; i < p->njobs && r >= 0; i++) {
		p->jobs[i].has_layer = p->jobs[i].has_blob = false;
		r = reserve_layer(&p->jobs[i], c, err);
		if (r >= 0)
			r = reserve_blob(&p->jobs[i], c, err);
	}
	return r < 0 ? r : 0;
}

/* ---- receiving ---- */

static int on_bytes(void *ctx, struct slice bytes, struct err *err)
{
	struct layer_job *j = ctx;

	/* The pump has given up: its error is the one that counts. */
	return fd_write_all(j->out, bytes.p, bytes.n) < 0 ? err_sys(err, "hand on the layer") : 0;
}

static void *fetch_main(void *arg)
{
	struct layer_job *j = arg;
	sigset_t pipe;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	j->fetched = remote_blob(j->p->remote, j->p->repo, j->d, 0, on_bytes, j, &j->fetch_err);
	fd_close(STEAL_FD(j->out));
	return NULL;
}

/* ---- one layer ---- */

static void on_pumped(void *ctx, uint64_t done)
{
	struct layer_job *j = ctx;
	uint64_t total = (uint64_t)j->d->size;

	if (done < total && done - j->told_at < MAX(total / 50, 1u << 19))
		return;
	j->told_at = done;
	teller_tell(&j->p->teller, &(struct image_transfer){
					   j->short_id, j->has_blob ? "Extracting" : "Downloading",
					   done, total, true });
	if (done < total || j->has_blob)
		return;
	teller_say(&j->p->teller, j->short_id, "Verifying Checksum");
	teller_say(&j->p->teller, j->short_id, "Download complete");
	if (!j->has_layer)
		teller_tell(&j->p->teller, &(struct image_transfer){ j->short_id, "Extracting",
								     done, total, true });
}

static int check_digests(const struct layer_job *j, struct err *err)
{
	const struct pump *u = &j->pump;

	if (strcmp(u->digest, j->d->digest) != 0)
		return err_set(err, ERR_INVALID, "the bytes have digest %s instead of %s",
			       u->digest, j->d->digest);
	if (strcmp(u->diff_id, j->diff) != 0)
		return err_set(err, ERR_INVALID,
			       "the uncompressed bytes have diff id %s, the config says %s",
			       u->diff_id, j->diff);
	return 0;
}

static int pump_from(struct layer_job *j, int src, bool stream, struct err *err)
{
	const struct image_limits *lim = &j->p->is->o.limits;

	j->pump = (struct pump){ .program = j->p->is->helper,
				 .limits = lim,
				 .cancel = &j->p->cancel,
				 .src = src,
				 .stream = stream,
				 .size = (uint64_t)j->d->size,
				 .alg = image_digest_alg(j->d->digest),
				 .copy = j->copy,
				 .plain = -1,
				 .target = j->target,
				 .empty = j->p->im.dir,
				 .base_layer = !j->parent[0],
				 .size_max = lim->layer_max,
				 .progress = on_pumped,
				 .ctx = j };
	return pump_run(&j->pump, err);
}

static int from_store(struct layer_job *j, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;

	fd = sys_openat(image_blob_dir(j->p->is, j->d->digest), IMAGE_HEX(j->d->digest),
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return err_sys(err, "open blob '%s'", j->d->digest);
	return pump_from(j, fd, false, err);
}

static int from_registry(struct layer_job *j, struct err *err)
{
	struct err why = ERR_INIT;
	pthread_t thread;
	int ends[2], r, rc;

	if (sys_pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	(void)sys_fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES); /* fewer switches; may be refused */
	(void)fd_set_nonblock(ends[0], true);
	j->out = ends[1];
	rc = pthread_create(&thread, NULL, fetch_main, j);
	if (rc) {
		fd_close(ends[0]);
		fd_close(STEAL_FD(j->out));
		return err_sysc(err, ERR_SYSTEM, rc, "start a download");
	}
	r = pump_from(j, ends[0], true, &why);
	fd_close(ends[0]); /* the writer of a pump that failed stops */
	pthread_join(thread, NULL);
	/* A download that broke looks like a short stream to the pump. */
	if (j->fetched < 0 && (r >= 0 || j->fetch_err.sys != EPIPE)) {
		*err = j->fetch_err;
		return j->fetched;
	}
	if (r < 0)
		*err = why;
	return r;
}

static int do_layer(struct layer_job *j, struct err *err)
{
	struct image_import *im = &j->p->im;
	int r = 0;

	if (j->has_layer && j->has_blob)
		return 0;
	r = image_store_step(j->p->is, "layer-begin", err);
	pthread_mutex_lock(&j->p->lock);
	if (r >= 0 && !j->has_layer)
		r = import_snapshot_dir(im, j->dir, &j->target, err);
	if (r >= 0 && !j->has_blob)
		r = import_create_file(im, j->file, &j->copy, err);
	pthread_mutex_unlock(&j->p->lock);
	if (r >= 0)
		r = j->has_blob ? from_store(j, err) : from_registry(j, err);
	if (r >= 0)
		r = check_digests(j, err);
	if (r >= 0 && j->copy >= 0 && sys_fsync(j->copy) < 0)
		r = err_sys(err, "write a blob to disk");
	fd_close(STEAL_FD(j->copy));
	return r < 0 ? r : image_store_step(j->p->is, "layer-end", err);
}

/* ---- lists ---- */

/* Under the lock, in order. */
static int list_layer(struct layer_job *j, struct err *err)
{
	struct image_import *im = &j->p->im;
	struct image_new_layer *l = import_new_layer(im);
	const char *media = arena_strdup(im->arena, j->has_layer ? j->media : j->d->media);
	int r = 0;

	if (!l || !media)
		return arena_quota(im->arena, err);
	(void)str_copy(l->chain, sizeof(l->chain), j->chain);
	(void)str_copy(l->diff, sizeof(l->diff), j->diff);
	(void)str_copy(l->parent, sizeof(l->parent), j->parent);
	(void)str_copy(l->blob, sizeof(l->blob), j->has_layer ? j->blob : j->d->digest);
	(void)str_copy(l->dir, sizeof(l->dir), j->dir);
	l->size = j->pump.unpacked.bytes;
	if (!j->has_layer)
		r = import_apply_marks(im, l, j->target, buf_slice(&j->pump.unpacked.extra), err);
	if (r < 0)
		return r;
	im->nlayers++;
	im->plain_total += j->pump.plain_size;
	if (im->plain_total > j->p->is->o.limits.total_max)
		return err_set(err, ERR_TOO_LARGE,
			       "the layers are larger than the limit of %llu bytes",
			       (unsigned long long)j->p->is->o.limits.total_max);
	if (j->has_layer && !import_new_blob(im, j->blob, j->blob_size, media, ""))
		return arena_quota(im->arena, err);
	if (!import_new_blob(im, j->d->digest, (uint64_t)j->d->size, j->d->media, j->file))
		return arena_quota(im->arena, err);
	if (!j->has_layer || !j->has_blob)
		teller_say(&j->p->teller, j->short_id, "Pull complete");
	fd_close(STEAL_FD(j->target));
	return 0;
}

/* Under the lock: the first failure ends the others. */
static void failed(struct image_pull *p, const struct layer_job *j, struct err *err)
{
	if (!p->failure.code) {
		err_wrap(err, "layer '%s'", j->d->digest);
		p->failure = *err;
	}
	atomic_store(&p->cancel, true);
}

static void finished(struct layer_job *j, int r, struct err *err)
{
	struct image_pull *p = j->p;

	pthread_mutex_lock(&p->lock);
	j->done = r >= 0;
	if (r < 0)
		failed(p, j, err);
	while (!p->failure.code && p->finished < p->njobs && p->jobs[p->finished].done) {
		struct layer_job *next = &p->jobs[p->finished++];

		if (list_layer(next, err) < 0)
			failed(p, next, err);
	}
	pthread_mutex_unlock(&p->lock);
}

static struct layer_job *take(struct image_pull *p)
{
	struct layer_job *j = NULL;

	pthread_mutex_lock(&p->lock);
	if (!p->failure.code && p->next < p->njobs)
		j = &p->jobs[p->next++];
	pthread_mutex_unlock(&p->lock);
	return j;
}

static void *worker_main(void *arg)
{
	struct image_pull *p = arg;
	struct layer_job *j;

	while ((j = take(p))) {
		struct err err = ERR_INIT;
		int r = do_layer(j, &err);

		finished(j, r, &err);
	}
	return NULL;
}

/* ---- all ---- */

static void announce(struct image_pull *p, unsigned parallel)
{
	unsigned begun = 0;

	for (size_t i = 0; i < p->njobs; i++) {
		const struct layer_job *j = &p->jobs[i];
		bool there = j->has_layer && j->has_blob;

		teller_say(&p->teller, j->short_id, there ? "Already exists" : "Pulling fs layer");
		if (!there && ++begun > parallel)
			teller_say(&p->teller, j->short_id, "Waiting");
	}
}

int pull_layers(struct image_pull *p, struct err *err)
{
	unsigned parallel = MIN(p->o.parallel ? p->o.parallel : PARALLEL, PARALLEL_MAX);
	pthread_t threads[PARALLEL_MAX];
	unsigned n = 0;
	int r;

	p->next = p->finished = 0;
	p->failure = ERR_INIT;
	r = db_write_wait(p->is->db, run_reserve, p, err);
	if (r < 0)
		return r;
	announce(p, parallel);
	/* This thread is one of them, so it goes on when no other can be started. */
	while (n + 1 < MIN((size_t)parallel, p->njobs) &&
	       pthread_create(&threads[n], NULL, worker_main, p) == 0)
		n++;
	worker_main(p);
	while (n)
		pthread_join(threads[--n], NULL);
	if (!p->failure.code)
		return 0;
	*err = p->failure;
	return err_ret(err);
}

void pull_jobs_fini(struct image_pull *p)
{
	for (size_t i = 0; i < p->njobs; i++) {
		helper_result_fini(&p->jobs[i].pump.unpacked);
		fd_close(p->jobs[i].copy);
		fd_close(p->jobs[i].target);
	}
	p->jobs = NULL;
	p->njobs = 0;
}
