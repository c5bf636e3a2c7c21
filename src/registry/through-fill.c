/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A blob on its way here. A worker fetches and appends to an upload's file; the loop tells those
 * who watch how far it is. The last bytes are told of only when the digest was found right; then
 * the upload becomes a blob (by the hash that was taken on the way), and the fill ends.
 */
#include "base/fd.h"
#include "image/manifest.h"
#include "image/remote.h"
#include "registry/bounds.h"
#include "registry/hooks.h"
#include "registry/private.h"
#include "registry/through.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HELD_BACK (64u << 10)

struct fill {
	struct hooks *h;
	struct list watches;
	struct fill_want want; /* strings are in memory of ours */
	char *key, *repo, *far_repo;
	char digest[IMAGE_DIGEST_MAX];
	struct work work;
	struct content_upload *upload;
	int fd;
	bool here; /* the store has its bytes: the upstream is only asked whether it has them */
	bool verified, over;
	/* The worker's word, and how it comes. */
	_Atomic uint64_t size, written;
	atomic_bool telling;
	struct post post;
	struct err err;
};

struct fills {
	struct map map; /* "repo\ndigest" */
};

void fills_init(struct hooks *h)
{
	h->fills = calloc(1, sizeof(*h->fills));
	if (!h->fills)
		abort();
	map_init(&h->fills->map);
}

uint64_t fill_size(const struct fill *f)
{
	return atomic_load(&f->size);
}

uint64_t fill_ready(const struct fill *f)
{
	uint64_t size = atomic_load(&f->size), n = atomic_load(&f->written);

	if (f->verified || size == UINT64_MAX)
		return f->verified ? size : 0;
	return MIN(n, size - MIN(size, (uint64_t)HELD_BACK));
}

bool fill_verified(const struct fill *f)
{
	return f->verified;
}

int fill_fd(const struct fill *f)
{
	return f->fd;
}

static void fill_free(struct fill *f)
{
	(void)map_del(&f->h->fills->map, slice_str(f->key));
	if (f->upload)
		content_upload_cancel(f->upload);
	fd_close(f->fd);
	free(f->key);
	free(f->repo);
	free(f->far_repo);
	free(f);
}

/* ---- telling ---- */

static void tell_moved(struct fill *f)
{
	struct fill_watch *w;

	LIST_FOREACH (w, &f->watches, struct fill_watch, link)
		if (w->moved)
			w->moved(w);
}

static void tell_ended(struct fill *f, int result, const struct err *err)
{
	struct fill_watch *w;

	(void)map_del(&f->h->fills->map, slice_str(f->key));
	while ((w = LIST_FIRST(&f->watches, struct fill_watch, link))) {
		fill_leave(w);
		w->ended(w, result, err);
	}
	fill_free(f);
}

static void on_post(struct post *p)
{
	struct fill *f = CONTAINER_OF(p, struct fill, post);

	atomic_store(&f->telling, false);
	if (!f->over)
		tell_moved(f);
}

/* From the worker: at most one is on its way. */
static void post_progress(struct fill *f)
{
	if (!atomic_exchange(&f->telling, true))
		loop_post(f->h->g->loop, &f->post);
}

/* ---- on a worker ---- */

static int consume(void *ctx, struct slice bytes, struct err *err)
{
	struct fill *f = ctx;

	if (fd_write_all(f->fd, bytes.p, bytes.n) < 0)
		return err_sys(err, "write blob '%s'", f->digest);
	atomic_fetch_add(&f->written, bytes.n);
	post_progress(f);
	return 0;
}

static int fetch(struct fill *f, struct err *err)
{
	struct manifest_desc d = { .digest = f->digest };
	uint64_t size = f->want.size;
	int r = 0;

	if (size == UINT64_MAX || f->here)
		r = remote_blob_size(f->want.remote, f->far_repo, f->digest, &size, err);
	if (r < 0 || f->here)
		return r;
	if (size > INT64_MAX)
		return err_set(err, ERR_INVALID, "the upstream tells an absurd size of blob '%s'",
			       f->digest);
	atomic_store(&f->size, size);
	d.size = (int64_t)size;
	return remote_blob(f->want.remote, f->far_repo, &d, 0, consume, f, err);
}

static void fetch_run(struct work *w)
{
	struct fill *f = CONTAINER_OF(w, struct fill, work);

	if (fetch(f, &f->err) < 0)
		(void)err_wrap(&f->err, "upstream");
}

/* ---- the end ---- */

static void kept(void *ctx, const struct content_change *ch, int result, const struct err *err)
{
	struct fill *f = ctx;
	struct err why = *err;

	(void)ch;
	f->upload = NULL; /* it went with the commit */
	if (result >= 0)
		keep_touch(f->h, f->repo, f->digest, f->here ? 0 : atomic_load(&f->size));
	f->over = true;
	tell_ended(f, result, &why);
}

static void fetch_done(struct work *w)
{
	struct fill *f = CONTAINER_OF(w, struct fill, work);
	struct registry *g = f->h->g;
	struct content_limit v[BOUNDS_MAX];
	struct content_limits lim = bounds_of(auth_policy(g->auth), f->repo, v);

	if (f->err.code) {
		struct err why = f->err;

		f->over = true;
		tell_ended(f, err_ret(&why), &why);
		return;
	}
	if (f->here) {
		content_mount(g->store, f->repo, f->digest, NULL, &lim, kept, f);
		return;
	}
	f->verified = true;
	tell_moved(f);
	content_upload_wrote(f->upload, atomic_load(&f->written), f->digest);
	content_upload_commit(f->upload, f->digest, &lim, kept, f);
}

/* ---- the begin ---- */

static char *dup_text(const char *s)
{
	char *p = strdup(s);

	if (!p)
		abort();
	return p;
}

static int open_file(struct fill *f, struct err *err)
{
	struct registry *g = f->h->g;
	CLEANUP(fd_close) int fd = -1;
	uint64_t size;
	int r;

	if (image_blob_open(g->store, f->digest, &fd, &size, NULL) >= 0) {
		f->here = true;
		atomic_store(&f->size, size);
		return 0;
	}
	r = content_upload_new(g->store, g->pool, f->repo, image_digest_alg(f->digest), &f->upload,
			       err);
	if (r < 0)
		return r;
	f->fd = fcntl(content_upload_fd(f->upload), F_DUPFD_CLOEXEC, 0);
	return f->fd < 0 ? err_sys(err, "keep blob '%s' open", f->digest) : 0;
}

static int fill_new(struct hooks *h, const struct fill_want *want, const char *key,
		    struct fill **ret, struct err *err)
{
	struct fill *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		abort();
	f->h = h;
	f->want = *want;
	f->key = dup_text(key);
	f->repo = dup_text(want->repo);
	f->far_repo = dup_text(want->far_repo);
	(void)str_copy(f->digest, sizeof(f->digest), want->digest);
	f->fd = -1;
	f->post.fn = on_post;
	list_init(&f->watches);
	atomic_store(&f->size, UINT64_MAX);
	r = open_file(f, err);
	if (r >= 0)
		r = work_submit(h->bulk, &f->work, fetch_run, fetch_done, err);
	if (r < 0) {
		fill_free(f);
		return r;
	}
	(void)map_put(&h->fills->map, slice_str(f->key), f);
	*ret = f;
	return 0;
}

int fill_join(struct hooks *h, const struct fill_want *want, struct fill_watch *w, struct err *err)
{
	char key[CONTENT_NAME_MAX + IMAGE_DIGEST_MAX + 8];
	struct fill *f;
	int r = 0;

	(void)snprintf(key, sizeof(key), "%s\n%s", want->repo, want->digest);
	f = map_get(&h->fills->map, slice_str(key));
	if (!f) {
		r = fill_new(h, want, key, &f, err);
		if (r < 0)
			return r;
		r = 1;
	}
	w->fill = f;
	list_append(&f->watches, &w->link);
	return r;
}

void fill_leave(struct fill_watch *w)
{
	list_del(&w->link);
}

bool fills_busy(const struct hooks *h)
{
	return map_count(&h->fills->map) > 0;
}

void fills_free(struct hooks *h)
{
	if (!h->fills)
		return;
	map_fini(&h->fills->map);
	free(h->fills);
	h->fills = NULL;
}
