/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of a pull: several at a time, each by a thread that pumps and two helper processes
 * (one decompresses, one makes files); the bytes come from the fetching process of the pull.
 * Finished layers are put on the lists in order, base first, because a layer's marks look at the
 * layers below.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "image/fetch.h"
#include "image/pull-priv.h"
#include "linux/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
		if (r >= 0 && p->o.lazy && !p->jobs[i].has_layer)
			r = lazy_layer_reserve(&p->jobs[i], c, err);
	}
	return r < 0 ? r : 0;
}

/* ---- one layer ---- */

static void on_pumped(void *ctx, uint64_t done)
{
	struct layer_job *j = ctx;
	uint64_t total = (uint64_t)j->d->size;

	if (done < total && done - j->told_at < MAX(total / 50, 1u << 19))
		return;
	j->told_at = done;
	teller_tell(&j->p->t.teller,
		    &(struct image_transfer){ j->short_id,
					      j->has_blob ? "Extracting" : "Downloading", done,
					      total, true });
	if (done < total || j->has_blob)
		return;
	teller_say(&j->p->t.teller, j->short_id, "Verifying Checksum");
	teller_say(&j->p->t.teller, j->short_id, "Download complete");
	if (!j->has_layer)
		teller_tell(&j->p->t.teller, &(struct image_transfer){ j->short_id, "Extracting",
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
	const struct image_limits *lim = &j->p->t.is->o.limits;

	j->pump = (struct pump){ .program = j->p->t.is->helper,
				 .limits = lim,
				 .cancel = &j->p->t.cancel,
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
				 .want_index = j->p->o.lazy && !j->index[0],
				 .progress = on_pumped,
				 .ctx = j };
	return pump_run(&j->pump, err);
}

static int from_store(struct layer_job *j, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;

	fd = sys_openat(image_blob_dir(j->p->t.is, j->d->digest), IMAGE_HEX(j->d->digest),
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return err_sys(err, "open blob '%s'", j->d->digest);
	return pump_from(j, fd, false, err);
}

/* The download's bytes come by a pipe, which the pump hashes; a download that broke looks like a
 * short stream to it, and a pump that failed like a closed pipe to the download. */
static int from_registry(struct layer_job *j, struct err *err)
{
	CLEANUP(fd_close) int in = -1;
	struct err why = ERR_INIT, fetch_err = ERR_INIT;
	struct remote_flow *flow;
	int ends[2], r, fetched;

	if (sys_pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	in = ends[0];
	(void)sys_fcntl(in, F_SETPIPE_SZ, PIPE_BYTES); /* fewer switches; may be refused */
	(void)fd_set_nonblock(in, true);
	r = remote_blob_begin(j->p->t.remote, j->p->t.repo, j->d, 0, ends[1], &flow, err);
	if (r < 0)
		return r;
	r = pump_from(j, in, true, &why);
	fd_close(STEAL_FD(in)); /* the writer of a pump that failed stops */
	fetched = remote_blob_finish(flow, &fetch_err);
	if (fetched < 0 && (r >= 0 || fetch_err.sys != EPIPE)) {
		*err = fetch_err;
		return fetched;
	}
	if (r < 0)
		*err = why;
	return r;
}

/* Where the layer goes to. */
static int make_room(struct layer_job *j, struct err *err)
{
	struct image_import *im = &j->p->im;
	int r = 0;

	pthread_mutex_lock(&j->p->lock);
	if (!j->has_layer)
		r = import_snapshot_dir(im, j->dir, &j->target, err);
	if (r >= 0 && !j->has_blob)
		r = import_create_file(im, j->file, &j->copy, err);
	pthread_mutex_unlock(&j->p->lock);
	return r;
}

/* What came of it until now is thrown away. */
static int clear_room(struct layer_job *j, struct err *err)
{
	int dir = j->p->im.dir, r = 0;

	helper_result_fini(&j->pump.unpacked);
	j->pump.unpacked = (struct helper_result){ 0 };
	buf_fini(&j->pump.index);
	fd_close(STEAL_FD(j->copy));
	fd_close(STEAL_FD(j->target));
	j->told_at = 0;
	if (j->file[0] && sys_unlinkat(dir, j->file, 0) < 0)
		r = err_sys(err, "remove a part of a blob");
	if (r >= 0 && j->dir[0])
		r = fd_remove_tree(dir, j->dir, err);
	return r < 0 ? r : make_room(j, err);
}

/* The fenced process may die in the middle; what it sent cannot be gone on with, since the helpers
 * behind it saw a stream that ended. */
static int download(struct layer_job *j, struct err *err)
{
	int r, tries = FETCH_TRIES;

	while ((r = from_registry(j, err)) < 0 && fetch_died(err) && --tries > 0) {
		teller_say(&j->p->t.teller, j->short_id, "Retrying");
		*err = ERR_INIT;
		r = clear_room(j, err);
		if (r < 0)
			return r;
	}
	return r;
}

static int do_layer(struct layer_job *j, struct err *err)
{
	int r = 0;

	if ((j->has_layer && j->has_blob) || j->served)
		return 0;
	if (!j->has_blob && (j->index[0] || j->foreign.n || j->early) && lazy_layer_begin(j) > 0)
		return 0;
	r = image_store_step(j->p->t.is, "layer-begin", err);
	if (r >= 0)
		r = make_room(j, err);
	if (r >= 0)
		r = j->has_blob ? from_store(j, err) : download(j, err);
	if (r >= 0)
		r = check_digests(j, err);
	if (r >= 0 && j->copy >= 0 && sys_fsync(j->copy) < 0)
		r = err_sys(err, "write a blob to disk");
	fd_close(STEAL_FD(j->copy));
	return r < 0 ? r : image_store_step(j->p->t.is, "layer-end", err);
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
	l->size = j->begun ? j->bytes : j->pump.unpacked.bytes;
	if (j->begun || j->served) {
		l->lazy = true;
		l->lazy_of = &j->source;
		im->nlayers++;
		teller_say(&j->p->t.teller, j->short_id, "Lazily served");
		return 0;
	}
	if (j->pump.index.n)
		r = import_blob_from_bytes(im, buf_slice(&j->pump.index), LAZY_MEDIA, l->index,
					   err);
	if (r >= 0 && !j->has_layer)
		r = import_finish_layer(im, l, j->target, buf_slice(&j->pump.unpacked.extra), err);
	if (r < 0)
		return r;
	im->nlayers++;
	im->plain_total += j->pump.plain_size;
	if (im->plain_total > j->p->t.is->o.limits.total_max)
		return err_set(err, ERR_TOO_LARGE,
			       "the layers are larger than the limit of %llu bytes",
			       (unsigned long long)j->p->t.is->o.limits.total_max);
	if (j->has_layer && !import_new_blob(im, j->blob, j->blob_size, media, ""))
		return arena_quota(im->arena, err);
	if (!import_new_blob(im, j->d->digest, (uint64_t)j->d->size, j->d->media, j->file))
		return arena_quota(im->arena, err);
	if (!j->has_layer || !j->has_blob)
		teller_say(&j->p->t.teller, j->short_id, "Pull complete");
	fd_close(STEAL_FD(j->target));
	return 0;
}

/* Lists what is complete from the base on. */
static int finished(struct image_pull *p, struct layer_job *j, struct err *err)
{
	int r = 0;

	pthread_mutex_lock(&p->lock);
	j->done = true;
	while (r >= 0 && !p->failed && p->finished < p->njobs && p->jobs[p->finished].done)
		r = list_layer(&p->jobs[p->finished++], err);
	p->failed |= r < 0;
	pthread_mutex_unlock(&p->lock);
	return r;
}

static int run_layer(void *ctx, size_t i, struct err *err)
{
	struct image_pull *p = ctx;
	struct layer_job *j = &p->jobs[i];
	int r = do_layer(j, err);

	if (r >= 0)
		r = finished(p, j, err);
	return r < 0 ? err_wrap(err, "layer '%s'", j->d->digest) : 0;
}

/* ---- all ---- */

static void announce(struct image_pull *p, unsigned parallel)
{
	unsigned begun = 0;

	for (size_t i = 0; i < p->njobs; i++) {
		const struct layer_job *j = &p->jobs[i];
		bool there = (j->has_layer && j->has_blob) || j->served;

		teller_say(&p->t.teller, j->short_id,
			   there ? "Already exists" : "Pulling fs layer");
		if (!there && ++begun > parallel)
			teller_say(&p->t.teller, j->short_id, "Waiting");
	}
}

int pull_layers(struct image_pull *p, struct err *err)
{
	int r = db_write_wait(p->t.is->db, run_reserve, p, err);

	if (r < 0)
		return r;
	lazy_find_indexes(p);
	p->finished = 0;
	p->failed = false;
	announce(p, p->o.parallel ? p->o.parallel : TRANSFER_PARALLEL);
	return transfer_each(&p->t, p->njobs, p->o.parallel, run_layer, p, err);
}

void pull_jobs_fini(struct image_pull *p)
{
	for (size_t i = 0; i < p->njobs; i++) {
		helper_result_fini(&p->jobs[i].pump.unpacked);
		buf_fini(&p->jobs[i].pump.index);
		buf_fini(&p->jobs[i].foreign);
		lazy_layer_fini(&p->jobs[i]);
		fd_close(p->jobs[i].copy);
		fd_close(p->jobs[i].target);
	}
	p->jobs = NULL;
	p->njobs = 0;
}
