/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lazy layers in the store. A served layer's directory is store/lazy/<chain's hex>: index, data,
 * blob, sock, and mnt, which the layer's short link leads to. Its row in `layers` has no blob, and
 * one in `lazy` says where it comes from. When it is whole the link is moved to the snapshot, in
 * the transaction that takes the lazy row away: who has mounted it lazily goes on so, who mounts
 * it from then on has the snapshot.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/log.h"
#include "image/pull-priv.h"
#include "image/remote-priv.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* A layer below this is here before it would be of use. */
#define EARLY_MIN (1 << 20)

/* ---- rows ---- */

int lazy_publish_index(struct db_conn *c, const struct image_new_layer *l, struct err *err)
{
	return db_exec(c, err, "INSERT OR REPLACE INTO lazy_indexes VALUES (?, ?, ?, ?)", "ttti",
		       l->blob, l->diff, l->index, clock_real());
}

int lazy_expire(struct db_conn *c, struct err *err)
{
	int64_t before = clock_real() - LAZY_INDEX_KEEP;
	int r = db_exec(
		c, err,
		"INSERT OR IGNORE INTO doubt SELECT 0, blob FROM lazy_indexes WHERE used < ?", "i",
		before);

	return r < 0 ? r : db_exec(c, err, "DELETE FROM lazy_indexes WHERE used < ?", "i", before);
}

int lazy_put_away(struct image_store *is, const char *hex, struct err *err)
{
	char from[96], trash[56], path[4096];

	snprintf(from, sizeof(from), "lazy/%.64s", hex);
	snprintf(path, sizeof(path), "%s/%s/mnt", is->path, from);
	lazy_unmount(path);
	memcpy(trash, "ingest/gc-", 10);
	random_hex(trash + 10, 32);
	if (sys_renameat(is->dir, from, is->dir, trash) < 0 && errno != ENOENT)
		return err_sys(err, "move '%s' away", from);
	return 0;
}

static int make_link(struct image_store *is, struct image_new_layer *l, struct err *err)
{
	char target[112];

	snprintf(target, sizeof(target), "../lazy/%s/mnt", IMAGE_HEX(l->chain));
	for (int i = 0; i < 16; i++) {
		random_hex(l->link, 8);
		if (sys_symlinkat(target, is->links, l->link) == 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	return err_sys(err, "make the short name of layer '%s'", l->chain);
}

static int place(struct image_publish *p, struct image_new_layer *l, struct err *err)
{
	int dir = image_lease_dirfd(p->lease, err), r;
	char to[96];

	if (dir < 0)
		return dir;
	r = lazy_put_away(p->is, IMAGE_HEX(l->chain), err); /* of one that died before its commit */
	if (r >= 0)
		r = fd_mkdir_p(p->is->dir, "lazy", 0700, err);
	if (r < 0)
		return r;
	snprintf(to, sizeof(to), "lazy/%s", IMAGE_HEX(l->chain));
	if (sys_renameat(dir, l->dir, p->is->dir, to) < 0)
		return err_sys(err, "publish lazy layer '%s'", l->chain);
	return make_link(p->is, l, err);
}

int lazy_publish_new(struct image_publish *p, struct db_conn *c, struct image_new_layer *l,
		     struct err *err)
{
	const struct lazy_source *s = l->lazy_of;
	int r = image_store_step(p->is, "lazy-layer", err);

	if (r >= 0)
		r = place(p, l, err);
	if (r >= 0)
		r = db_exec(c, err, "INSERT INTO layers VALUES (?, ?, ?, NULL, ?, 0, ?, ?)",
			    "tttiti", l->chain, l->diff, l->parent[0] ? l->parent : NULL,
			    (int64_t)l->size, l->link, clock_real());
	if (r >= 0)
		r = db_exec(c, err, "INSERT INTO lazy VALUES (?, ?, ?, ?, ?, ?, ?, 0)", "tttiitt",
			    l->chain, s->blob, s->media, (int64_t)s->size, (int64_t)s->base,
			    s->host, s->repo);
	return r < 0 ? r
		     : db_exec(c, err,
			       "UPDATE lazy_indexes SET used = ? WHERE layer = ? AND diff = ?",
			       "itt", clock_real(), s->blob, l->diff);
}

/* The short name leads to the snapshot from now on: for a reader always to one of the two. */
static int move_link(struct image_store *is, struct image_new_layer *l, struct err *err)
{
	char target[96], other[32] = "new-";

	snprintf(target, sizeof(target), "../snapshots/%s", IMAGE_HEX(l->chain));
	random_hex(other + 4, 16);
	if (sys_symlinkat(target, is->links, other) < 0 ||
	    sys_renameat(is->links, other, is->links, l->link) < 0)
		return err_sys(err, "move the short name of layer '%s'", l->chain);
	return 0;
}

static int find_link(struct db_conn *c, struct image_new_layer *l, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *link;
	int r = db_query(c, &row, err,
			 "SELECT link FROM layers JOIN lazy USING (chain)"
			 " WHERE chain = ?",
			 "t", l->chain);

	if (r >= 0)
		r = db_row_next(row, err);
	if (r > 0) {
		db_row_get(row, "t", &link);
		(void)str_copy(l->link, sizeof(l->link), link);
	}
	return r;
}

static int move_snapshot(struct image_publish *p, struct image_new_layer *l, struct err *err)
{
	char trash[40] = "gc-";
	int dir = image_lease_dirfd(p->lease, err);

	if (dir < 0)
		return dir;
	random_hex(trash + 3, 32);
	if (sys_renameat(p->is->snapshots, IMAGE_HEX(l->chain), p->is->ingest, trash) < 0 &&
	    errno != ENOENT)
		return err_sys(err, "move a stale snapshot '%s' away", l->chain);
	if (sys_renameat(dir, l->dir, p->is->snapshots, IMAGE_HEX(l->chain)) < 0)
		return err_sys(err, "publish snapshot '%s'", l->chain);
	return 0;
}

int lazy_publish_whole(struct image_publish *p, struct db_conn *c, struct image_new_layer *l,
		       struct err *err)
{
	int r = find_link(c, l, err);

	if (r <= 0)
		return r;
	r = move_snapshot(p, l, err);
	if (r >= 0)
		r = move_link(p->is, l, err);
	if (r >= 0)
		r = db_exec(c, err,
			    "UPDATE layers SET blob = ?, size = ?, opaque = ? WHERE chain = ?",
			    "tiit", l->blob, (int64_t)l->size, (int64_t)l->opaque, l->chain);
	if (r >= 0)
		r = db_exec(c, err,
			    "INSERT OR IGNORE INTO image_blobs SELECT image, ? FROM image_layers"
			    " WHERE chain = ?",
			    "tt", l->blob, l->chain);
	if (r >= 0) /* of one that was served early the size was not known */
		r = db_exec(c, err,
			    "UPDATE images SET size = (SELECT sum(layers.size) FROM image_layers"
			    " JOIN layers USING (chain) WHERE image = images.id) WHERE id IN"
			    " (SELECT image FROM image_layers WHERE chain = ?)",
			    "t", l->chain);
	if (r >= 0)
		r = db_exec(c, err, "DELETE FROM lazy WHERE chain = ?", "t", l->chain);
	return r < 0 ? r : 1;
}

int lazy_check_here(struct db_conn *c, const char *image, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *blob, *host, *repo;
	int64_t failed;
	int r = db_query(c, &row, err,
			 "SELECT lazy.blob, failed, host, repo FROM image_layers JOIN lazy"
			 " USING (chain) WHERE image = ? ORDER BY failed DESC LIMIT 1",
			 "t", image);

	if (r >= 0)
		r = db_row_next(row, err);
	if (r <= 0)
		return r;
	db_row_get(row, "titt", &blob, &failed, &host, &repo);
	return failed ? err_set(err, ERR_INVALID,
				"its layer %s, which was started lazily, is not what the image "
				"says; "
				"pull it again from %s/%s",
				blob, host, repo)
		      : err_set(err, ERR_UNAVAILABLE,
				"its layer %s is still on its way from %s/%s (lazy start)", blob,
				host, repo);
}

/* ---- in a pull ---- */

int lazy_layer_reserve(struct layer_job *j, struct db_conn *c, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	struct image_lease *lease = j->p->im.lease;
	const char *blob;
	int64_t failed;
	int r;

	j->served = j->whole = j->early = false;
	j->index[0] = '\0';
	r = db_query_int(c, &failed, err, "SELECT failed FROM lazy WHERE chain = ?", "t", j->chain);
	j->whole = r > 0 && failed;
	if (j->whole) /* another lazy start would go the same way; a usual pull takes its place */
		return 0;
	if (r > 0) {
		j->served = true;
		return image_lease_add_in(lease, c, IMAGE_ITEM_SNAPSHOT, j->chain, err);
	}
	if (r >= 0)
		r = db_query(c, &row, err,
			     "SELECT blob FROM lazy_indexes WHERE layer = ? AND diff = ?", "tt",
			     j->d->digest, j->diff);
	if (r >= 0)
		r = db_row_next(row, err);
	if (r <= 0) {
		j->early = j->p->o.lazy_early && j->d->size >= EARLY_MIN && !j->d->urls.n;
		return r;
	}
	db_row_get(row, "t", &blob);
	(void)str_copy(j->index, sizeof(j->index), blob);
	return image_lease_add_in(lease, c, IMAGE_ITEM_BLOB, j->index, err);
}

static bool is_early(const struct layer_job *j)
{
	return j->early && !j->foreign.n;
}

static int copy_index(struct layer_job *j, int dir, struct err *err)
{
	struct image_store *is = j->p->t.is;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(LAZY_FILE_MAX);
	int r;

	if (is_early(j))
		return fd_replace_file(dir, "early", "", 0, 0600, err);
	if (j->foreign.n) { /* marked: it is compared with the layer's own when that is whole */
		r = fd_replace_file(dir, "foreign", "", 0, 0600, err);
		return r < 0 ? r
			     : fd_replace_file(dir, "index", j->foreign.p, j->foreign.n, 0600, err);
	}
	r = fd_read_file(image_blob_dir(is, j->index), IMAGE_HEX(j->index), &b, err);

	if (r >= 0 && !image_digest_matches(j->index, buf_slice(&b)))
		r = err_set(err, ERR_INVALID, "index '%s' is damaged", j->index);
	return r < 0 ? r : fd_replace_file(dir, "index", b.p, b.n, 0600, err);
}

static int make_dir(struct layer_job *j, int *ret, struct err *err)
{
	struct image_import *im = &j->p->im;
	int r = 0;

	pthread_mutex_lock(&j->p->lock);
	snprintf(j->dir, sizeof(j->dir), "l%zu", im->nfiles++);
	pthread_mutex_unlock(&j->p->lock);
	if (sys_mkdirat(im->dir, j->dir, 0700) < 0)
		r = err_sys(err, "make a directory in '%s/ingest'", im->is->path);
	*ret = r < 0 ? -1 : sys_openat(im->dir, j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	return r < 0 ? r : *ret < 0 ? err_sys(err, "open '%s'", j->dir) : 0;
}

/* Where it is no more when it was published. */
static void unmount(const struct layer_job *j)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/ingest/%s/%s/mnt", j->p->t.is->path,
		 image_lease_id(j->p->im.lease), j->dir);
	lazy_unmount(path);
}

/* Who starts a container looks users up without waiting for a network: what it reads of every
 * layer is fetched here. A layer without the file has nothing to fetch. */
static int warm(int dir, struct err *err)
{
	static const char *const files[] = LAZY_WARM_FILES;
	CLEANUP(fd_close) int mnt = sys_openat(dir, "mnt", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	char bytes[16384];
	ssize_t n = 0;

	if (mnt < 0)
		return err_sys(err, "open the root of a lazy layer");
	for (size_t i = 0; i < ARRAY_LEN(files) && n >= 0; i++) {
		CLEANUP(fd_close) int fd = -1;
		struct err none = ERR_INIT;
		struct stat st;

		/* O_PATH first: a whiteout or a pipe is not opened */
		if (path_open_in(mnt, files[i], O_PATH, &fd, &none) < 0 || fstat(fd, &st) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		fd_close(STEAL_FD(fd));
		if (path_open_in(mnt, files[i], O_RDONLY, &fd, &none) < 0)
			continue;
		for (off_t at = 0;
		     at < (off_t)LAZY_WARM_MAX && (n = sys_read(fd, bytes, sizeof(bytes))) > 0;)
			at += n;
		if (n < 0)
			return err_sys(err, "read '%s' of a lazy layer", files[i]);
	}
	return 0;
}

/* 1 = go on waiting. */
static int on_letter(int conn, struct err *err)
{
	char c;
	ssize_t n = recv(conn, &c, 1, 0);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 1;
	if (n <= 0)
		return err_set(err, ERR_SYSTEM, "its server ended");
	if (c == LAZY_FALSE)
		return err_set(err, ERR_UNSUPPORTED,
			       "it cannot be served while it comes (its server has said why)");
	if (c == LAZY_AWAY)
		return err_set(err, ERR_UNAVAILABLE, "the registry does not give it");
	return c != LAZY_READY && c != LAZY_COMPLETE;
}

/* A layer that just begins to come: until what a start reads of it is here. Not by reading it: a
 * pull can be cancelled. */
static int wait_ready(const struct layer_job *j, int dir, struct err *err)
{
	CLEANUP(fd_close) int conn = -1;
	struct pollfd p = { .events = POLLIN };
	int r = 1;

	if (lazy_connect(dir, &conn) < 0)
		return err_sys(err, "connect to a lazy server");
	p.fd = conn;
	while (r > 0) {
		if (atomic_load(&j->p->t.cancel))
			return err_set(err, ERR_UNAVAILABLE, "it was cancelled");
		if (poll(&p, 1, 1000) < 0 && errno != EINTR)
			return err_sys(err, "wait for a lazy server");
		if (p.revents)
			r = on_letter(conn, err);
	}
	return r;
}

static int begin(struct layer_job *j, struct err *err)
{
	const struct image_pull *p = j->p;
	struct lazy_conf c = { .host = p->t.host,
			       .repo = p->t.repo,
			       .digest = j->d->digest,
			       .base = !j->parent[0],
			       .auth = p->t.remote->conf.auth };
	CLEANUP(fd_close) int dir = -1;
	struct lazy_report rep;
	int r = make_dir(j, &dir, err);

	if (p->o.remotes)
		c.remotes = *p->o.remotes;
	if (is_early(j))
		lazy_conf_early(&c, (uint64_t)j->d->size, &p->t.is->o.limits);
	c.wait_s = lazy_manager_wait(p->t.is->lazy);
	j->source = (struct lazy_source){ .blob = j->d->digest,
					  .media = j->d->media,
					  .host = p->t.host,
					  .repo = p->t.repo,
					  .size = (uint64_t)j->d->size,
					  .base = c.base };
	if (r >= 0)
		r = copy_index(j, dir, err);
	if (r >= 0)
		r = lazy_auth_keep(dir, &c, err);
	if (r >= 0)
		r = lazy_start(dir, p->t.is->helper, p->t.is->path, &c, &rep, err);
	if (r < 0)
		return r;
	j->bytes = is_early(j) ? (uint64_t)j->d->size : rep.bytes;
	r = is_early(j) ? wait_ready(j, dir, err) : 0;
	if (r >= 0)
		r = warm(dir, err);
	if (r < 0)
		unmount(j);
	return r;
}

int lazy_layer_begin(struct layer_job *j)
{
	struct err err = ERR_INIT;

	if (j->whole)
		return 0;
	j->begun = begin(j, &err) >= 0;
	if (!j->begun) {
		log_kv(LOG_LEVEL_WARN, "no lazy start: the layer is pulled as a whole", "why",
		       err.msg, NULL);
		j->dir[0] = '\0';
	}
	return j->begun;
}

void lazy_layer_fini(struct layer_job *j)
{
	if (j->begun)
		unmount(j);
	j->begun = false;
}
