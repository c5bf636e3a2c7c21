/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uploads: uploads/<id>/{meta,data}. Bytes are gathered on the loop and written and hashed by a
 * worker, one piece at a time, so that receiving, hashing and writing run side by side. The hash of
 * an upload that another process began is made anew from its file when it is complete. The lock on
 * `data` says that somebody has it.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/work.h"
#include "image/content.h"
#include "image/private.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define PIECE (256u << 10)
#define UPLOADS_MAX 4096
#define META_MAX 512

struct content_upload {
	struct image_store *is;
	struct work_pool *pool;
	char id[CONTENT_UPLOAD_ID + 1], repo[CONTENT_NAME_MAX + 1];
	int dir, data;
	enum image_digest_alg alg;
	struct image_hash hash;
	uint64_t written, hashed;     /* equal, unless begun by another process */
	char found[IMAGE_DIGEST_MAX]; /* the digest as its own writer found it; "" = none */
	/* What gathers, and what a worker has. */
	struct buf fill, busy;
	struct work work;
	bool running, full;
	struct err err; /* of writing: final */
	void (*room)(void *ctx);
	void *room_ctx;
	content_flushed_fn *flushed;
	void *flushed_ctx;
	/* The end. */
	struct arena *arena; /* of the limits; NULL = none */
	char digest[IMAGE_DIGEST_MAX];
	struct content_change change;
};

/* ---- life ---- */

static struct content_upload *upload_new(struct image_store *is, struct work_pool *pool,
					 const char *repo)
{
	struct content_upload *u = calloc(1, sizeof(*u));

	if (!u)
		abort();
	u->is = is;
	u->pool = pool;
	u->dir = u->data = -1;
	u->fill = u->busy = BUF_INIT(SIZE_MAX / 2);
	(void)str_copy(u->repo, sizeof(u->repo), repo);
	return u;
}

void content_upload_close(struct content_upload *u)
{
	if (!u)
		return;
	assert(!u->running);
	buf_fini(&u->fill);
	buf_fini(&u->busy);
	fd_close(u->data);
	fd_close(u->dir);
	arena_free(u->arena);
	free(u);
}

static void remove_files(struct image_store *is, const char *id)
{
	/* What stays is found by content_uploads_expire(). */
	(void)fd_remove_tree(is->uploads, id, NULL);
}

void content_upload_cancel(struct content_upload *u)
{
	remove_files(u->is, u->id);
	content_upload_close(u);
}

static int count_uploads(struct image_store *is, struct err *err)
{
	struct stat st;

	/* A directory has a link from each of its own. */
	if (sys_fstat(is->uploads, &st) < 0)
		return err_sys(err, "look at '%s/uploads'", is->path);
	return st.st_nlink > UPLOADS_MAX + 2
		       ? err_set(err, ERR_QUOTA,
				 "more than %d uploads are open: finish or cancel some",
				 UPLOADS_MAX)
		       : 0;
}

static int lock_data(struct content_upload *u, int flags, struct err *err)
{
	u->data = sys_openat(u->dir, "data", O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0644);
	if (u->data < 0)
		return err_sys(err, "open the data of upload '%s'", u->id);
	if (flock(u->data, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, ERR_CONFLICT, "upload '%s' is in use by another request",
			       u->id);
	return 0;
}

static int make_files(struct content_upload *u, struct err *err)
{
	char meta[META_MAX];
	int n = snprintf(meta, sizeof(meta), "1 %s %s\n", image_digest_names[u->alg], u->repo), r;

	if (sys_mkdirat(u->is->uploads, u->id, 0700) < 0)
		return err_sys(err, "make upload '%s'", u->id);
	r = path_open_beneath(u->is->uploads, u->id, O_RDONLY | O_DIRECTORY, 0, &u->dir, err);
	if (r >= 0)
		r = lock_data(u, O_CREAT | O_EXCL, err);
	if (r >= 0) {
		CLEANUP(fd_close)
		int fd = sys_openat(u->dir, "meta", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

		if (fd < 0 || fd_write_all(fd, meta, (size_t)n) < 0)
			r = err_sys(err, "write what upload '%s' is", u->id);
	}
	return r;
}

int content_upload_new(struct image_store *is, struct work_pool *pool, const char *repo,
		       enum image_digest_alg alg, struct content_upload **ret, struct err *err)
{
	struct content_upload *u;
	int r;

	r = count_uploads(is, err);
	if (r < 0)
		return r;
	u = upload_new(is, pool, repo);
	random_hex(u->id, CONTENT_UPLOAD_ID);
	u->alg = alg;
	image_hash_init(&u->hash, alg);
	r = make_files(u, err);
	if (r < 0) {
		content_upload_cancel(u);
		return r;
	}
	*ret = u;
	return 0;
}

static int unknown(const char *id, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "there is no upload '%.64s'", id);
}

static int read_meta(struct content_upload *u, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(META_MAX);
	struct slice rest, version, alg;
	int r;

	r = fd_read_file(u->dir, "meta", &b, err);
	if (r < 0)
		return r;
	rest = buf_slice(&b);
	rest = slice_split(&rest, '\n');
	version = slice_split(&rest, ' ');
	alg = slice_split(&rest, ' ');
	if (!slice_is(version, "1") || image_digest_alg_parse(alg, &u->alg, err) < 0 ||
	    !slice_is(rest, u->repo))
		return unknown(u->id, err);
	return 0;
}

static int open_files(struct content_upload *u, struct err *err)
{
	struct stat st;
	int r;

	r = path_open_beneath(u->is->uploads, u->id, O_RDONLY | O_DIRECTORY, 0, &u->dir, err);
	if (r < 0)
		return r == -ERR_NOT_FOUND ? unknown(u->id, err) : r;
	r = read_meta(u, err);
	if (r >= 0)
		r = lock_data(u, 0, err);
	if (r < 0)
		return r;
	if (sys_fstat(u->data, &st) < 0)
		return err_sys(err, "look at upload '%s'", u->id);
	u->written = (uint64_t)st.st_size;
	if (lseek(u->data, 0, SEEK_END) < 0)
		return err_sys(err, "seek in upload '%s'", u->id);
	image_hash_init(&u->hash, u->alg);
	return 0;
}

int content_upload_open(struct image_store *is, struct work_pool *pool, const char *repo,
			const char *id, struct content_upload **ret, struct err *err)
{
	struct content_upload *u;
	int r;

	if (strlen(id) != CONTENT_UPLOAD_ID || !hex_is_lower(slice_str(id)))
		return unknown(id, err);
	u = upload_new(is, pool, repo);
	(void)str_copy(u->id, sizeof(u->id), id);
	r = open_files(u, err);
	if (r < 0) {
		content_upload_close(u);
		return r;
	}
	*ret = u;
	return 0;
}

const char *content_upload_id(const struct content_upload *u)
{
	return u->id;
}

const char *content_upload_repo(const struct content_upload *u)
{
	return u->repo;
}

enum image_digest_alg content_upload_alg(const struct content_upload *u)
{
	return u->alg;
}

uint64_t content_upload_size(const struct content_upload *u)
{
	return u->written + u->busy.n + u->fill.n;
}

int content_upload_fd(const struct content_upload *u)
{
	return u->data;
}

void content_upload_wrote(struct content_upload *u, uint64_t size, const char *digest)
{
	u->written = size;
	(void)str_copy(u->found, sizeof(u->found), digest ? digest : "");
}

/* ---- writing ---- */

static void write_run(struct work *w)
{
	struct content_upload *u = CONTAINER_OF(w, struct content_upload, work);

	if (u->hashed == u->written) {
		image_hash_update(&u->hash, u->busy.p, u->busy.n);
		u->hashed += u->busy.n;
	}
	if (fd_write_all(u->data, u->busy.p, u->busy.n) < 0) {
		err_sys(&u->err, "write upload '%s'", u->id);
		/* As long as it was: its sender may go on from there once there is space. */
		if (sys_ftruncate(u->data, (off_t)u->written) == 0)
			(void)lseek(u->data, (off_t)u->written, SEEK_SET);
		u->hashed = 0;
		image_hash_init(&u->hash, u->alg);
		return;
	}
	/* The disk begins now, so that the sync at the end has little to wait for. */
	(void)sync_file_range(u->data, (off_t)u->written, (off_t)u->busy.n, SYNC_FILE_RANGE_WRITE);
}

static void start_write(struct content_upload *u);

static void told_flushed(struct content_upload *u)
{
	content_flushed_fn *fn = u->flushed;

	u->flushed = NULL;
	fn(u->flushed_ctx, u->err.code ? err_ret(&u->err) : 0, &u->err);
}

static void write_done(struct work *w)
{
	struct content_upload *u = CONTAINER_OF(w, struct content_upload, work);
	bool was_full = u->full;

	u->running = u->full = false;
	if (!u->err.code)
		u->written += u->busy.n;
	else
		buf_clear(&u->fill);
	buf_clear(&u->busy);
	if (u->fill.n >= PIECE || (u->fill.n && u->flushed)) {
		start_write(u);
		if (was_full && u->room)
			u->room(u->room_ctx);
		return;
	}
	if (u->flushed) {
		buf_fini(&u->fill);
		buf_fini(&u->busy);
		told_flushed(u);
		return;
	}
	if (was_full && u->room)
		u->room(u->room_ctx);
}

static void start_write(struct content_upload *u)
{
	struct buf b = u->busy;

	u->busy = u->fill;
	u->fill = b;
	u->running = true;
	if (work_submit(u->pool, &u->work, write_run, write_done, &u->err) < 0) {
		/* Every worker and the whole queue are busy: written here, which slows its sender.
		 */
		u->err = (struct err)ERR_INIT;
		write_run(&u->work);
		write_done(&u->work);
	}
}

int content_upload_push(struct content_upload *u, struct slice bytes, struct err *err)
{
	if (u->err.code) {
		if (err)
			*err = u->err;
		return err_ret(&u->err);
	}
	if (buf_add(&u->fill, bytes.p, bytes.n) < 0)
		abort(); /* no limit of its own: callers stop at 1 */
	if (u->fill.n >= PIECE && !u->running)
		start_write(u);
	u->full = u->running && u->fill.n >= PIECE;
	return u->full;
}

void content_upload_on_room(struct content_upload *u, void (*room)(void *ctx), void *ctx)
{
	u->room = room;
	u->room_ctx = ctx;
}

void content_upload_flush(struct content_upload *u, content_flushed_fn *done, void *ctx)
{
	u->flushed = done;
	u->flushed_ctx = ctx;
	if (u->running)
		return;
	if (u->fill.n)
		start_write(u);
	else
		told_flushed(u);
}

/* ---- the end ---- */

static int hash_again(struct content_upload *u, struct err *err)
{
	CLEANUP_FREE char *p = malloc(PIECE);
	uint64_t at = 0;

	if (!p)
		abort();
	image_hash_init(&u->hash, image_digest_alg(u->digest));
	while (at < u->written) {
		ssize_t n = pread(u->data, p, PIECE, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? err_sys(err, "read upload '%s'", u->id)
				     : err_set(err, ERR_INVALID, "upload '%s' is cut", u->id);
		image_hash_update(&u->hash, p, (size_t)n);
		at += (uint64_t)n;
	}
	return 0;
}

/* On a worker: all that blocks for long. */
static void commit_run(struct work *w)
{
	struct content_upload *u = CONTAINER_OF(w, struct content_upload, work);
	char have[IMAGE_DIGEST_MAX];

	if (!u->found[0] &&
	    (u->hashed != u->written || u->hash.alg != image_digest_alg(u->digest)) &&
	    hash_again(u, &u->err) < 0)
		return;
	if (u->found[0])
		(void)str_copy(have, sizeof(have), u->found);
	else
		image_hash_final(&u->hash, have);
	if (strcmp(have, u->digest) != 0)
		err_set(&u->err, ERR_INVALID, "digest: the bytes have %s, not %s", have, u->digest);
	else if (sys_fsync(u->data) < 0)
		err_sys(&u->err, "write upload '%s' to disk", u->id);
}

static int run_commit(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct content_upload *u = CONTAINER_OF(j, struct content_upload, change.job);
	int dir = image_blob_dir(u->is, u->digest), r;
	int64_t one;

	if (u->err.code) {
		if (err)
			*err = u->err;
		return err_ret(&u->err);
	}
	/* Before the file moves: what is refused leaves nothing behind. */
	r = content_limits_check_blob(c, u->repo, u->digest, (int64_t)u->written, &u->change.limits,
				      err);
	if (r >= 0)
		r = db_query_int(c, &one, err, "SELECT 1 FROM blobs WHERE digest = ?", "t",
				 u->digest);
	if (r == 0) {
		/* ENOENT: moved by a run that was rolled back with others. */
		if (sys_renameat(u->dir, "data", dir, IMAGE_HEX(u->digest)) < 0 && errno != ENOENT)
			return err_sys(err, "publish blob '%s'", u->digest);
		r = fd_fsync_dir(dir, err);
		if (r >= 0)
			r = db_exec(c, err, "INSERT INTO blobs VALUES (?, ?, ?, ?)", "titi",
				    u->digest, (int64_t)u->written, "application/octet-stream",
				    clock_real());
	}
	return r < 0 ? r : content_link_blob(c, u->repo, u->digest, err);
}

static void commit_done(struct db_job *j)
{
	struct content_upload *u = CONTAINER_OF(j, struct content_upload, change.job);

	u->change.done(u->change.ctx, &u->change, j->result, &j->err);
	content_upload_cancel(u);
}

static void hashed_done(struct work *w)
{
	struct content_upload *u = CONTAINER_OF(w, struct content_upload, work);

	u->running = false;
	u->change.job = (struct db_job){ .run = run_commit, .done = commit_done };
	db_write(u->is->db, &u->change.job);
}

void content_upload_commit(struct content_upload *u, const char *digest,
			   const struct content_limits *lim, content_done_fn *done, void *ctx)
{
	assert(!u->running && !u->fill.n);
	u->change.is = u->is;
	u->change.done = done;
	u->change.ctx = ctx;
	u->change.repo = u->repo;
	(void)str_copy(u->digest, sizeof(u->digest), digest);
	(void)str_copy(u->change.digest, sizeof(u->change.digest), digest);
	if (!u->err.code)
		(void)image_digest_check(slice_str(digest), &u->err);
	if (!u->err.code && lim && lim->n) {
		u->arena = arena_new("limits", 1u << 20);
		(void)content_limits_dup(u->arena, lim, &u->change.limits, &u->err);
	}
	if (!u->err.code)
		(void)image_store_publish_dir(u->is, &u->err);
	u->running = true;
	if (u->err.code) {
		hashed_done(&u->work);
		return;
	}
	if (work_submit(u->pool, &u->work, commit_run, hashed_done, &u->err) < 0) {
		u->err = (struct err)ERR_INIT;
		commit_run(&u->work);
		hashed_done(&u->work);
	}
}

/* ---- expiry ---- */

/* 1 = removed. */
static int expire_one(struct image_store *is, const char *id, int64_t before)
{
	CLEANUP(fd_close) int dir = -1, data = -1;
	struct stat st;

	if (path_open_beneath(is->uploads, id, O_RDONLY | O_DIRECTORY, 0, &dir, NULL) < 0)
		return 0;
	data = sys_openat(dir, "data", O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
	if (data >= 0 && (sys_fstat(data, &st) < 0 || flock(data, LOCK_EX | LOCK_NB) < 0))
		return 0;
	if (data < 0 && sys_fstat(dir, &st) < 0)
		return 0;
	if ((int64_t)st.st_mtim.tv_sec * NS_PER_SEC > before)
		return 0;
	remove_files(is, id);
	return 1;
}

int content_uploads_expire(struct image_store *is, int64_t max_age, struct err *err)
{
	int64_t before = clock_real() - max_age;
	int fd = sys_openat(is->uploads, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), n = 0;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;

	if (!d) {
		int r = err_sys(err, "list '%s/uploads'", is->path);

		fd_close(fd);
		return r;
	}
	while ((de = readdir(d)))
		if (de->d_name[0] != '.')
			n += expire_one(is, de->d_name, before);
	closedir(d);
	return n;
}
