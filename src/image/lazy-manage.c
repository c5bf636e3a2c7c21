/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's side of lazy layers: one thread that holds a connection to the server of each. Rows
 * and directories are the truth: after every change it compares them with what it holds, so a
 * process that was killed is caught up with by the next. A server that is complete is made whole:
 * its blob hashed, unpacked and published as in every pull; one whose bytes are not what the image
 * says is told to fail, and is never published.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "image/driver.h"
#include "image/helper.h"
#include "image/import-priv.h"
#include "image/lazy-index.h"
#include "image/lazy.h"
#include "image/pull.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define LAYERS_MAX 512
#define READ_SIZE (256u << 10)
#define RETRY (10 * NS_PER_SEC) /* of what failed for a reason that may pass */

struct layer {
	char chain[IMAGE_DIGEST_MAX], diff[IMAGE_DIGEST_MAX], parent[IMAGE_DIGEST_MAX],
		blob[IMAGE_DIGEST_MAX];
	char media[80], host[256], repo[IMAGE_REPO_MAX];
	int64_t size;
	bool base, seen, complete, failed;
	int conn;
	int64_t due; /* monotonic: when to look again; 0 = not */
};

struct image_lazy {
	struct image_store *is;
	struct arena *arena;
	struct image_lazy_options o;
	struct image_remotes remotes;
	pthread_t thread;
	pthread_mutex_t lock; /* of running */
	bool running;	      /* the thread was made: there is, or was, a lazy layer */
	atomic_bool stop;
	int wake; /* eventfd */
	struct layer *v[LAYERS_MAX];
	size_t n;
};

/* ---- rows ---- */

static struct layer *find(struct image_lazy *m, const char *chain)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->v[i]->chain, chain) == 0)
			return m->v[i];
	return NULL;
}

static void take_row(struct image_lazy *m, struct db_row *row)
{
	const char *chain, *diff, *parent = NULL, *blob, *media, *host, *repo;
	int64_t size, base, failed;
	struct layer *l;

	db_row_get(row, "ttttittiit", &chain, &diff, &parent, &blob, &size, &media, &host, &base,
		   &failed, &repo);
	l = find(m, chain);
	if (!l && m->n < LAYERS_MAX) {
		l = m->v[m->n++] = calloc(1, sizeof(*l));
		if (!l)
			abort();
		*l = (struct layer){ .conn = -1, .due = 1, .size = size, .base = base != 0 };
		(void)str_copy(l->chain, sizeof(l->chain), chain);
		(void)str_copy(l->diff, sizeof(l->diff), diff);
		(void)str_copy(l->parent, sizeof(l->parent), parent ? parent : "");
		(void)str_copy(l->blob, sizeof(l->blob), blob);
		(void)str_copy(l->media, sizeof(l->media), media);
		(void)str_copy(l->host, sizeof(l->host), host);
		(void)str_copy(l->repo, sizeof(l->repo), repo);
	}
	if (l) {
		l->seen = true;
		l->failed = failed != 0;
	}
}

static int put_strays_away(struct image_lazy *m, struct db_conn *c, struct err *err)
{
	CLEANUP(fd_close)
	int fd = sys_openat(m->is->dir, "lazy", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;
	int64_t one;
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(err, "list the lazy layers");
	(void)STEAL_FD(fd);
	while (r >= 0 && (de = readdir(d))) {
		char chain[IMAGE_DIGEST_MAX];

		if (strlen(de->d_name) != SHA256_HEX_LEN)
			continue;
		snprintf(chain, sizeof(chain), "sha256:%.64s", de->d_name);
		r = db_query_int(c, &one, err, "SELECT 1 FROM lazy WHERE chain = ?", "t", chain);
		if (r == 0)
			r = lazy_put_away(m->is, de->d_name, err);
	}
	closedir(d);
	return r < 0 ? r : 0;
}

static int run_scan(void *ctx, struct db_conn *c, struct err *err)
{
	struct image_lazy *m = ctx;
	CLEANUP(db_row_done) struct db_row *row = NULL;
	int r = db_query(c, &row, err,
			 "SELECT lazy.chain, diff, parent, lazy.blob, lazy.size, media, host, base,"
			 " failed, repo FROM lazy JOIN layers USING (chain)",
			 "");

	for (size_t i = 0; i < m->n; i++)
		m->v[i]->seen = false;
	while (r >= 0 && (r = db_row_next(row, err)) > 0)
		take_row(m, row);
	return r < 0 ? r : put_strays_away(m, c, err);
}

static void forget(struct image_lazy *m, size_t i)
{
	fd_close(m->v[i]->conn);
	free(m->v[i]);
	m->v[i] = m->v[--m->n];
}

static void scan(struct image_lazy *m)
{
	struct image_gc_result res = { 0 };
	struct err err = ERR_INIT;

	if (db_write_wait(m->is->db, run_scan, m, &err) < 0) {
		log_kv(LOG_LEVEL_ERROR, "lazy layers cannot be looked at", "why", err.msg, NULL);
		return;
	}
	for (size_t i = m->n; i-- > 0;)
		if (!m->v[i]->seen)
			forget(m, i);
	image_gc_sweep(m->is, &res);
}

/* ---- servers ---- */

static int open_dir(struct image_lazy *m, const struct layer *l, int *ret, struct err *err)
{
	char path[96];

	snprintf(path, sizeof(path), "lazy/%s", IMAGE_HEX(l->chain));
	return path_open_beneath(m->is->dir, path, O_RDONLY | O_DIRECTORY, 0, ret, err);
}

static bool has_mark(struct image_lazy *m, const struct layer *l, const char *name)
{
	char path[96];
	struct stat st;

	snprintf(path, sizeof(path), "lazy/%s/%s", IMAGE_HEX(l->chain), name);
	return sys_fstatat(m->is->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Both of the pair died, or the machine was started again. */
static int restart(struct image_lazy *m, struct layer *l, int dir, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("credentials of a lazy layer", 2u << 20);
	struct lazy_conf c = { .host = l->host,
			       .repo = l->repo,
			       .digest = l->blob,
			       .base = l->base,
			       .wait_s = m->o.wait_s,
			       .remotes = m->remotes };
	struct err why = ERR_INIT;
	struct lazy_report rep;
	char path[4096];
	int r;

	snprintf(path, sizeof(path), "%s/lazy/%s/mnt", m->is->path, IMAGE_HEX(l->chain));
	lazy_unmount(path);
	if (has_mark(m, l, "early"))
		lazy_conf_early(&c, (uint64_t)l->size, &m->is->o.limits);
	if (lazy_auth_read(dir, a, &c.auth, &why) < 0)
		log_kv(LOG_LEVEL_ERROR, "a lazy layer is fetched without credentials", "layer",
		       l->blob, "why", why.msg, NULL);
	log_kv(LOG_LEVEL_WARN, "a lazy server is started again", "layer", l->blob, NULL);
	r = lazy_start(dir, m->is->helper, m->is->path, &c, &rep, err);
	lazy_auth_wipe(&c.auth);
	return r;
}

/* Nothing of it is to be fetched any more. */
static void drop_auth(struct image_lazy *m, const struct layer *l)
{
	CLEANUP(fd_close) int dir = -1;

	if (open_dir(m, l, &dir, NULL) >= 0)
		lazy_auth_forget(dir);
}

/* The row may be another one than at the last scan: removed, and pulled again. */
static int run_refresh(void *ctx, struct db_conn *c, struct err *err)
{
	struct layer *l = ctx;
	int64_t failed = 0;
	int r = db_query_int(c, &failed, err, "SELECT failed FROM lazy WHERE chain = ?", "t",
			     l->chain);

	l->failed = r > 0 && failed;
	return MIN(r, 0);
}

static int reach(struct image_lazy *m, struct layer *l, struct err *err)
{
	CLEANUP(fd_close) int dir = -1;
	const char fail = LAZY_FAIL;
	int r = open_dir(m, l, &dir, err);

	if (r < 0)
		return r;
	if (lazy_connect(dir, &l->conn) < 0) {
		r = restart(m, l, dir, err);
		if (r < 0)
			return r;
		if (lazy_connect(dir, &l->conn) < 0)
			return err_sys(err, "connect to a lazy server");
	}
	r = db_write_wait(m->is->db, run_refresh, l, err);
	if (r >= 0 && l->failed) /* found earlier: one that was made anew does not know */
		(void)send(l->conn, &fail, 1, MSG_NOSIGNAL);
	if (r < 0)
		fd_close(STEAL_FD(l->conn));
	return r;
}

/* ---- making it whole ---- */

static int check_digests(const struct layer *l, const struct pump *u, struct err *err)
{
	if (strcmp(u->digest, l->blob) != 0)
		return err_set(err, ERR_INVALID, "its bytes have digest %s", u->digest);
	if (strcmp(u->diff_id, l->diff) != 0)
		return err_set(err, ERR_INVALID, "its uncompressed bytes have diff id %s",
			       u->diff_id);
	return 0;
}

/* An index that a registry gave: what was served by it must be what the layer is. */
static int check_index(struct image_lazy *m, const struct layer *l, struct image_import *im,
		       const struct pump *u, struct image_new_layer *n, struct err *err)
{
	CLEANUP(lazy_index_free) struct lazy_index *own = NULL, *used = NULL;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(LAZY_FILE_MAX);
	char path[96];
	int r;

	snprintf(path, sizeof(path), "lazy/%s/index", IMAGE_HEX(l->chain));
	r = fd_read_file(m->is->dir, path, &b, err);
	if (r >= 0)
		r = lazy_index_read(buf_slice(&b), &used, err);
	if (r >= 0)
		r = lazy_index_read(buf_slice(&u->index), &own, err);
	if (r < 0)
		return r;
	if (own->nentries != used->nentries || !slice_eq(own->entries, used->entries))
		return err_set(err, ERR_INVALID,
			       "the index that the registry gave names other files than it has");
	return import_blob_from_bytes(im, buf_slice(&u->index), LAZY_MEDIA, n->index, err);
}

/* One that came for the first time: the tar that was told of must be the layer's. Its index is kept
 * from now on, if it can have one. */
static int check_served(struct image_lazy *m, const struct layer *l, struct image_import *im,
			const struct pump *u, struct image_new_layer *n, struct err *err)
{
	CLEANUP_FREE char *p = malloc(READ_SIZE);
	CLEANUP(fd_close) int fd = -1;
	char path[96], digest[IMAGE_DIGEST_MAX];
	struct image_hash h;
	ssize_t got = 1;
	int r;

	if (!p)
		abort();
	snprintf(path, sizeof(path), "lazy/%s/data", IMAGE_HEX(l->chain));
	r = path_open_beneath(m->is->dir, path, O_RDONLY, 0, &fd, err);
	if (r < 0)
		return r;
	image_hash_init(&h, IMAGE_SHA256);
	while (got > 0) {
		if (atomic_load(&m->stop))
			return err_set(err, ERR_UNAVAILABLE, "it was cancelled");
		got = fd_read_full(fd, p, READ_SIZE);
		if (got < 0)
			return err_sys(err, "read a lazy layer");
		image_hash_update(&h, p, (size_t)got);
	}
	image_hash_final(&h, digest);
	if (strcmp(digest, l->diff) != 0)
		return err_set(err, ERR_INVALID, "what was served of it has diff id %s", digest);
	return u->index.n
		       ? import_blob_from_bytes(im, buf_slice(&u->index), LAZY_MEDIA, n->index, err)
		       : 0;
}

static int unpack(struct image_lazy *m, struct layer *l, struct image_import *im, struct pump *u,
		  struct image_new_layer *n, struct err *err)
{
	char path[96], file[32];
	CLEANUP(fd_close) int copy = -1, target = -1, src = -1;
	bool foreign = has_mark(m, l, "foreign"), early = has_mark(m, l, "early");
	int r = import_snapshot_dir(im, n->dir, &target, err);

	if (r >= 0)
		r = import_create_file(im, file, &copy, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "lazy/%s/blob", IMAGE_HEX(l->chain));
	r = path_open_beneath(m->is->dir, path, O_RDONLY, 0, &src, err);
	if (r < 0)
		return r;
	*u = (struct pump){ .program = m->is->helper,
			    .limits = &m->is->o.limits,
			    .cancel = &m->stop,
			    .src = src,
			    .size = (uint64_t)l->size,
			    .alg = image_digest_alg(l->blob),
			    .copy = copy,
			    .plain = -1,
			    .target = target,
			    .empty = im->dir,
			    .base_layer = l->base,
			    .want_index = foreign || early,
			    .size_max = m->is->o.limits.layer_max };
	r = pump_run(u, err);
	if (r >= 0)
		r = check_digests(l, u, err);
	if (r >= 0 && foreign)
		r = check_index(m, l, im, u, n, err);
	else if (r >= 0 && early)
		r = check_served(m, l, im, u, n, err);
	if (r >= 0)
		r = import_finish_layer(im, n, target, buf_slice(&u->unpacked.extra), err);
	if (r >= 0 && (sys_fsync(copy) < 0 || syncfs(im->dir) < 0))
		r = err_sys(err, "write the layer to disk");
	n->size = u->unpacked.bytes;
	if (r >= 0 && !import_new_blob(im, l->blob, (uint64_t)l->size, l->media, file))
		r = arena_quota(im->arena, err);
	return r;
}

static int publish(struct image_import *im, struct err *err)
{
	struct image_publish pub = { .is = im->is,
				     .lease = im->lease,
				     .blobs = im->blobs,
				     .nblobs = im->nblobs,
				     .layers = im->layers,
				     .nlayers = im->nlayers };

	return image_publish(&pub, err);
}

static int make_whole(struct image_lazy *m, struct layer *l, struct err *err)
{
	struct image_import im = { .is = m->is, .dir = -1, .spool = -1 };
	struct image_new_layer *n;
	struct pump u = { 0 };
	int r;

	im.arena = arena_new("lazy layer", 1u << 20);
	n = import_new_layer(&im);
	r = n ? image_lease_new(m->is, &im.lease, err) : arena_quota(im.arena, err);
	if (r >= 0) {
		im.dir = image_lease_dirfd(im.lease, err);
		r = MIN(im.dir, 0);
	}
	if (r >= 0) {
		(void)str_copy(n->chain, sizeof(n->chain), l->chain);
		(void)str_copy(n->diff, sizeof(n->diff), l->diff);
		(void)str_copy(n->parent, sizeof(n->parent), l->parent);
		(void)str_copy(n->blob, sizeof(n->blob), l->blob);
		r = unpack(m, l, &im, &u, n, err);
	}
	if (r >= 0) {
		im.nlayers = 1;
		r = publish(&im, err);
	}
	helper_result_fini(&u.unpacked);
	buf_fini(&u.index);
	image_lease_free(im.lease);
	arena_free(im.arena);
	return r;
}

static int run_failed(void *ctx, struct db_conn *c, struct err *err)
{
	return db_exec(c, err, "UPDATE lazy SET failed = 1 WHERE chain = ?", "t",
		       ((struct layer *)ctx)->chain);
}

static void is_false(struct image_lazy *m, struct layer *l, const char *why)
{
	const char c = LAZY_FAIL;

	log_kv(LOG_LEVEL_ERROR, "a lazy layer is not what its image says; reading it fails",
	       "layer", l->blob, "why", why, "registry", l->host, NULL);
	(void)send(l->conn, &c, 1, MSG_NOSIGNAL); /* a server that died is told when it is back */
	l->failed = true;
	drop_auth(m, l);
	(void)db_write_wait(m->is->db, run_failed, l, NULL); /* not kept: found out once more */
}

static void on_complete(struct image_lazy *m, struct layer *l)
{
	struct err err = ERR_INIT;
	int r;

	l->complete = true;
	drop_auth(m, l);
	if (l->failed)
		return;
	r = make_whole(m, l, &err);
	if (r >= 0 || atomic_load(&m->stop)) {
		lazy_manager_wake(m);
		return;
	}
	if (err.code == ERR_INVALID || err.code == ERR_TOO_LARGE) {
		is_false(m, l, err.msg);
		return;
	}
	log_kv(LOG_LEVEL_ERROR, "a lazy layer cannot be made whole yet", "layer", l->blob, "why",
	       err.msg, NULL);
	l->due = clock_mono() + RETRY;
}

static void on_conn(struct image_lazy *m, struct layer *l)
{
	char c;
	ssize_t n = recv(l->conn, &c, 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* its partner has the socket too */
		fd_close(STEAL_FD(l->conn));
		l->due = 1;
	} else if (c == LAZY_COMPLETE && !l->complete) {
		on_complete(m, l);
	} else if (c == LAZY_FALSE && !l->failed) {
		is_false(m, l,
			 has_mark(m, l, "early")
				 ? "its server could not go on with what came (and has said why)"
				 : "the index that the registry gave does not fit its bytes");
	}
}

/* ---- the thread ---- */

/* Pulls that were killed before their commit: their directories cannot go while they are mounted.
 */
static void unmount_ingest(struct image_store *is)
{
	CLEANUP(fd_close)
	int fd = sys_openat(is->ingest, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	char path[4096];
	struct dirent *de;

	if (!d)
		return;
	(void)STEAL_FD(fd);
	while ((de = readdir(d))) {
		if (de->d_name[0] == '.' || strncmp(de->d_name, "gc-", 3) == 0)
			continue;
		for (unsigned i = 0; i < 256; i++) {
			struct stat st;

			snprintf(path, sizeof(path), "%.64s/l%u", de->d_name, i);
			if (sys_fstatat(is->ingest, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
				continue;
			snprintf(path, sizeof(path), "%s/ingest/%.64s/l%u/mnt", is->path,
				 de->d_name, i);
			lazy_unmount(path);
		}
	}
	closedir(d);
}

static void on_due(struct image_lazy *m, struct layer *l)
{
	struct err err = ERR_INIT;

	l->due = 0;
	if (l->conn >= 0) {
		if (l->complete)
			on_complete(m, l);
		return;
	}
	l->complete = false;
	if (reach(m, l, &err) >= 0)
		return;
	log_kv(LOG_LEVEL_ERROR, "a lazy layer has no server", "layer", l->blob, "why", err.msg,
	       NULL);
	l->due = clock_mono() + RETRY;
}

static int next_due(const struct image_lazy *m)
{
	int64_t now = clock_mono(), due = INT64_MAX;

	for (size_t i = 0; i < m->n; i++)
		if (m->v[i]->due)
			due = MIN(due, m->v[i]->due);
	return due == INT64_MAX ? -1 : (int)(MAX(due - now, 0) / NS_PER_MS) + 1;
}

static void *manager_main(void *arg)
{
	struct image_lazy *m = arg;
	struct pollfd p[LAYERS_MAX + 1];
	uint64_t count;

	unmount_ingest(m->is);
	while (!atomic_load(&m->stop)) {
		int64_t now = clock_mono();

		for (size_t i = 0; i < m->n; i++)
			if (m->v[i]->due && m->v[i]->due <= now)
				on_due(m, m->v[i]);
		p[0] = (struct pollfd){ m->wake, POLLIN, 0 };
		for (size_t i = 0; i < m->n; i++)
			p[i + 1] = (struct pollfd){ m->v[i]->conn, POLLIN, 0 };
		if (poll(p, (nfds_t)m->n + 1, next_due(m)) < 0)
			continue;
		for (size_t i = 0; i < m->n && !atomic_load(&m->stop); i++)
			if (p[i + 1].revents)
				on_conn(m, m->v[i]);
		if (p[0].revents && read(m->wake, &count, sizeof(count)) > 0)
			scan(m);
	}
	return NULL;
}

static int run_thread(struct image_lazy *m, struct err *err)
{
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	if (!m->running)
		rc = pthread_create(&m->thread, NULL, manager_main, m);
	m->running |= rc == 0;
	pthread_mutex_unlock(&m->lock);
	return rc ? err_sysc(err, ERR_SYSTEM, rc, "begin to look after lazy layers") : 0;
}

void lazy_manager_wake(struct image_lazy *m)
{
	const uint64_t one = 1;
	struct err err = ERR_INIT;
	struct stat st;

	if (!m || (!m->running && sys_fstatat(m->is->dir, "lazy", &st, 0) < 0))
		return; /* there never was one */
	if (run_thread(m, &err) < 0)
		log_kv(LOG_LEVEL_ERROR, "lazy layers are not looked after", "why", err.msg, NULL);
	if (write(m->wake, &one, sizeof(one)) < 0)
		assert(errno == EAGAIN); /* it is awake */
}

unsigned lazy_manager_wait(const struct image_lazy *m)
{
	return m->o.wait_s;
}

void lazy_manager_free(struct image_lazy *m)
{
	if (!m)
		return;
	atomic_store(&m->stop, true);
	lazy_manager_wake(m);
	if (m->running)
		pthread_join(m->thread, NULL);
	while (m->n)
		forget(m, m->n - 1);
	fd_close(m->wake);
	arena_free(m->arena);
	free(m);
}

/* ---- beginning ---- */

static const char *const *copy_list(struct arena *a, const char *const *v, size_t n)
{
	const char **ret = ARENA_ARRAY(a, const char *, n + 1);

	for (size_t i = 0; ret && i < n; i++)
		ret[i] = arena_strdup(a, v[i]);
	return ret;
}

static void copy_remotes(struct image_lazy *m, const struct image_remotes *r)
{
	if (!r)
		return;
	m->remotes = *r;
	m->remotes.insecure = copy_list(m->arena, r->insecure, r->ninsecure);
	m->remotes.mirrors = copy_list(m->arena, r->mirrors, r->nmirrors);
	m->remotes.certs_dir = r->certs_dir ? arena_strdup(m->arena, r->certs_dir) : NULL;
}

int image_lazy_begin(struct image_store *is, const struct image_lazy_options *o, struct err *err)
{
	struct image_lazy *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	assert(!is->lazy);
	pthread_mutex_init(&m->lock, NULL);
	m->is = is;
	m->o = *o;
	m->arena = arena_new("lazy layers", 1u << 20);
	copy_remotes(m, o->remotes);
	m->wake = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK); /* 1: look at once */
	if (m->wake < 0 || arena_exceeded(m->arena)) {
		arena_free(m->arena);
		free(m);
		return err_sys(err, "begin lazy layers");
	}
	is->lazy = m;
	lazy_manager_wake(m);
	return 0;
}

int image_lazy_check(const struct image_store *is, struct err *err)
{
	if (is->driver != &driver_overlay)
		return err_set(err, ERR_UNSUPPORTED,
			       "lazy start needs the storage driver '%s', and '%s' is kept with "
			       "'%s'",
			       driver_overlay.name, is->path, is->driver->name);
	if (is->userxattr)
		return err_set(err, ERR_UNSUPPORTED,
			       "lazy start is not possible inside a user namespace: its overlay "
			       "cannot use marks of a served layer");
	if (!is->lazy)
		return err_set(err, ERR_UNSUPPORTED, "lazy start was not begun for '%s'", is->path);
	return 0;
}
