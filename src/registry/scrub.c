/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All blobs of the store hashed again, one after the other, on a thread of its own beside the
 * requests. What is damaged is told and left alone: a push of the same blob, or the deletion of
 * what has it, is somebody's decision.
 */
#include "base/fd.h"
#include "doc/json.h"
#include "linux/sys.h"
#include "registry/private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE (1u << 20)
#define SHOWN 20

struct scrub {
	struct registry *g;
	struct work_pool *pool;
	struct work work;
	atomic_bool stop;
	_Atomic uint64_t blobs, bytes, damaged;
	bool running; /* the loop's */
	int64_t began, ended;
	struct err err;
	pthread_mutex_t lock;
	char shown[SHOWN][IMAGE_DIGEST_MAX]; /* the first damaged ones */
	size_t shown_n;
};

/* ---- on the worker ---- */

static void note_damage(struct scrub *s, const char *digest, const char *why)
{
	log_kv(LOG_LEVEL_ERROR, "blob is damaged", "digest", digest, "error", why, NULL);
	atomic_fetch_add(&s->damaged, 1);
	pthread_mutex_lock(&s->lock);
	if (s->shown_n < SHOWN)
		(void)str_copy(s->shown[s->shown_n++], IMAGE_DIGEST_MAX, digest);
	pthread_mutex_unlock(&s->lock);
}

static void check_blob(struct scrub *s, int dir, const char *alg, const char *name, char *room)
{
	CLEANUP(fd_close) int fd = -1;
	char digest[IMAGE_DIGEST_MAX], have[IMAGE_DIGEST_MAX];
	struct image_hash h;
	ssize_t n = 0;

	if ((size_t)snprintf(digest, sizeof(digest), "%s:%s", alg, name) >= sizeof(digest) ||
	    image_digest_check(slice_str(digest), NULL) < 0)
		return; /* none of ours */
	fd = sys_openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0) {
		if (errno != ENOENT) /* collected meanwhile */
			note_damage(s, digest, "it cannot be opened");
		return;
	}
	image_hash_init(&h, image_digest_alg(digest));
	while (!atomic_load(&s->stop) && (n = read(fd, room, PIECE)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		image_hash_update(&h, room, (size_t)n);
		atomic_fetch_add(&s->bytes, (uint64_t)n);
	}
	if (atomic_load(&s->stop))
		return;
	image_hash_final(&h, have);
	atomic_fetch_add(&s->blobs, 1);
	if (n < 0 || strcmp(have, digest) != 0)
		note_damage(s, digest,
			    n < 0 ? "it cannot be read" : "its bytes have another digest");
}

static void check_dir(struct scrub *s, const char *alg, char *room)
{
	char path[4096];
	struct dirent *de;
	DIR *d;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/store/blobs/%s", s->g->conf.root, alg);
	fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0) {
		if (errno != ENOENT) /* no blob of this kind so far */
			err_sys(&s->err, "open '%s'", path);
		return;
	}
	d = fdopendir(fd);
	if (!d) {
		err_sys(&s->err, "list '%s'", path);
		fd_close(fd);
		return;
	}
	while (!atomic_load(&s->stop) && (de = readdir(d)))
		if (de->d_name[0] != '.')
			check_blob(s, fd, alg, de->d_name, room);
	closedir(d);
}

static void run(struct work *w)
{
	struct scrub *s = CONTAINER_OF(w, struct scrub, work);
	CLEANUP_FREE char *room = malloc(PIECE);

	if (!room)
		abort();
	check_dir(s, "sha256", room);
	check_dir(s, "sha512", room);
}

/* ---- on the loop ---- */

static void done(struct work *w)
{
	struct scrub *s = CONTAINER_OF(w, struct scrub, work);
	char n[32], bad[32];

	s->running = false;
	s->ended = clock_real();
	(void)snprintf(n, sizeof(n), "%llu", (unsigned long long)atomic_load(&s->blobs));
	(void)snprintf(bad, sizeof(bad), "%llu", (unsigned long long)atomic_load(&s->damaged));
	if (s->err.code)
		log_kv(LOG_LEVEL_ERROR, "scrub failed", "error", s->err.msg, NULL);
	else
		log_kv(LOG_LEVEL_INFO, atomic_load(&s->stop) ? "scrub stopped" : "scrub done",
		       "blobs", n, "damaged", bad, NULL);
}

static int scrub_new(struct registry *g, struct scrub **ret, struct err *err)
{
	struct scrub *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		abort();
	s->g = g;
	pthread_mutex_init(&s->lock, NULL);
	r = work_pool_new(g->loop, 1, 1, &s->pool, err);
	if (r < 0) {
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

int scrub_begin(struct registry *g, struct err *err)
{
	struct scrub *s;

	if (!g->scrub && scrub_new(g, &g->scrub, err) < 0)
		return err_ret(err);
	s = g->scrub;
	if (s->running)
		return err_set(err, ERR_CONFLICT, "a scrub goes on already");
	s->err = (struct err)ERR_INIT;
	s->shown_n = 0;
	atomic_store(&s->stop, false);
	atomic_store(&s->blobs, 0);
	atomic_store(&s->bytes, 0);
	atomic_store(&s->damaged, 0);
	s->began = clock_real();
	s->ended = 0;
	s->running = true;
	if (work_submit(s->pool, &s->work, run, done, err) < 0) {
		s->running = false;
		return err_ret(err);
	}
	return 0;
}

void scrub_stop(struct registry *g)
{
	if (g->scrub)
		atomic_store(&g->scrub->stop, true);
}

void scrub_free(struct scrub *s)
{
	if (!s)
		return;
	atomic_store(&s->stop, true);
	work_pool_free(s->pool);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void put_time(struct arena *a, struct doc *d, const char *key, int64_t when)
{
	char text[CLOCK_TEXT_MAX];

	if (when)
		doc_set_str(a, d, key, clock_rfc3339nano(text, when));
}

void scrub_status(const struct registry *g, struct arena *a, struct doc *d)
{
	struct scrub *s = g->scrub;
	struct doc *e, *list;

	if (!s)
		return; /* none since the start */
	e = doc_set_object(a, d, "scrub");
	doc_set_bool(a, e, "running", s->running);
	doc_set_bool(a, e, "stopped", atomic_load(&s->stop));
	put_time(a, e, "began", s->began);
	put_time(a, e, "ended", s->ended);
	doc_set_uint(a, e, "blobs", atomic_load(&s->blobs));
	doc_set_uint(a, e, "bytes", atomic_load(&s->bytes));
	doc_set_uint(a, e, "damaged", atomic_load(&s->damaged));
	if (!s->running && s->err.code)
		doc_set_str(a, e, "error", s->err.msg);
	list = doc_set_array(a, e, "damagedBlobs");
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->shown_n; i++)
		doc_append_str(a, list, s->shown[i]);
	pthread_mutex_unlock(&s->lock);
}

uint64_t scrub_damaged(const struct registry *g)
{
	return g->scrub ? atomic_load(&g->scrub->damaged) : 0;
}
