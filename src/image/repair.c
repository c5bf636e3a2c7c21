/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A damaged unpacked layer is made again from its blob, as a pull makes it, and takes the place of
 * the old one in one step. Not while it is mounted: what runs on it would lose its files.
 */
#include "image/verify.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "image/driver.h"
#include "image/helper.h"
#include "image/import-priv.h"
#include "linux/mount.h"
#include "linux/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARENA_MAX (64u << 20)
#define SPACES_MAX 4096 /* mount namespaces looked at */

/* ---- is it in use? ---- */

struct seeking {
	const char *hex;
	char link[32]; /* "l/<8 letters>": the short name of the layer */
};

/* Only overlay's options name layers. */
static int on_mount(const struct mount_info *mi, void *arg)
{
	const struct seeking *s = arg;

	return mi->super && (strstr(mi->super, s->hex) || strstr(mi->super, s->link));
}

struct spaces {
	ino_t v[SPACES_MAX];
	size_t n;
};

/* Whether the mount namespace of the process was not looked at yet. */
static bool is_new(struct spaces *seen, const char *pid)
{
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/ns/mnt", pid);
	if (sys_fstatat(AT_FDCWD, path, &st, 0) < 0)
		return false; /* it has ended, or is a zombie */
	for (size_t i = 0; i < seen->n; i++)
		if (seen->v[i] == st.st_ino)
			return false;
	if (seen->n < SPACES_MAX)
		seen->v[seen->n++] = st.st_ino;
	return true;
}

static int check_unused(const struct seeking *s, struct err *err)
{
	CLEANUP_FREE struct spaces *seen = calloc(1, sizeof(*seen));
	DIR *d = opendir("/proc");
	struct dirent *e;
	int r = 0;

	if (!seen)
		abort();
	if (!d)
		return err_sys(err, "list processes");
	while (r <= 0 && (e = readdir(d))) {
		uint64_t pid;

		if (str_uint64(slice_str(e->d_name), &pid, NULL) == 0 && pid <= INT32_MAX &&
		    is_new(seen, e->d_name))
			r = mount_each_of((pid_t)pid, on_mount, (void *)(uintptr_t)s, NULL);
	}
	closedir(d);
	return r <= 0 ? 0
		      : err_set(err, ERR_CONFLICT,
				"it is mounted: stop the containers that run on it (or 'teu image "
				"unmount'), and try again");
}

/* ---- making it again ---- */

struct kept {
	char blob[IMAGE_DIGEST_MAX], link[16];
	int64_t size;
};

static int find(struct image_store *is, const char *chain, struct kept *ret, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *link, *blob;
	int r = db_query(db_reader(is->db), &row, err,
			 "SELECT link, blob, blobs.size FROM layers JOIN blobs ON digest = blob"
			 " WHERE chain = ?",
			 "t", chain);

	if (r >= 0)
		r = db_row_next(row, err);
	if (r <= 0)
		return r < 0 ? r : err_set(err, ERR_NOT_FOUND, "its blob is not in the store");
	db_row_get(row, "tti", &link, &blob, &ret->size);
	(void)str_copy(ret->link, sizeof(ret->link), link);
	(void)str_copy(ret->blob, sizeof(ret->blob), blob);
	return 0;
}

static int unpack(struct image_import *im, const struct kept *k, int target, bool base,
		  const char *diff, struct helper_result *ret, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct pump p = { .program = im->is->helper,
			  .limits = &im->is->o.limits,
			  .size = (uint64_t)k->size,
			  .alg = image_digest_alg(k->blob),
			  .copy = -1,
			  .plain = -1,
			  .target = target,
			  .empty = im->dir,
			  .base_layer = base,
			  .size_max = im->is->o.limits.layer_max };
	int r;

	fd = sys_openat(image_blob_dir(im->is, k->blob), IMAGE_HEX(k->blob),
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return err_sys(err, "open blob '%s'", k->blob);
	p.src = fd;
	r = pump_run(&p, err);
	*ret = p.unpacked;
	if (r >= 0 && (strcmp(p.digest, k->blob) != 0 || strcmp(p.diff_id, diff) != 0))
		r = err_set(err, ERR_INVALID, "its blob '%s' is damaged", k->blob);
	return r;
}

/* The layers below, which marks of this one look at. */
static int list_below(struct image_import *im, const struct image *img, size_t i, struct err *err)
{
	int r = 1;

	for (size_t k = 0; r > 0 && k < i; k++)
		r = import_reuse_layer(im, k ? image_chain_id(img, k - 1) : "",
				       image_chain_id(img, k), err);
	return r ? MIN(r, 0) : err_set(err, ERR_NOT_FOUND, "a layer below is not in the store");
}

static int make_again(struct image_import *im, const struct image *img, size_t i,
		      const struct kept *k, struct image_new_layer *l, struct err *err)
{
	CLEANUP(helper_result_fini) struct helper_result res = { 0 };
	CLEANUP(fd_close) int target = -1;
	const char *diff = image_config(img)->diff_ids.v[i];
	int r = import_snapshot_dir(im, l->dir, &target, err);

	if (r < 0)
		return r;
	(void)str_copy(l->chain, sizeof(l->chain), image_chain_id(img, i));
	(void)str_copy(l->diff, sizeof(l->diff), diff);
	(void)str_copy(l->parent, sizeof(l->parent), i ? image_chain_id(img, i - 1) : "");
	r = unpack(im, k, target, i == 0, diff, &res, err);
	if (r >= 0)
		r = import_finish_layer(im, l, target, buf_slice(&res.extra), err);
	if (r >= 0 && syncfs(target) < 0)
		r = err_sys(err, "write the layer to disk");
	return r;
}

static int repair(struct image_import *im, const struct image *img, size_t i, struct err *err)
{
	const char *chain = image_chain_id(img, i);
	struct seeking s = { .hex = IMAGE_HEX(chain) };
	struct image_new_layer *l;
	struct kept k;
	int r;

	im->lease = NULL;
	r = image_lease_new(im->is, &im->lease, err);
	if (r >= 0)
		r = im->dir = image_lease_dirfd(im->lease, err);
	if (r >= 0)
		r = find(im->is, chain, &k, err);
	if (r < 0)
		return r;
	(void)snprintf(s.link, sizeof(s.link), "l/%s", k.link);
	r = check_unused(&s, err);
	if (r >= 0)
		r = list_below(im, img, i, err);
	if (r < 0)
		return r;
	l = import_new_layer(im);
	r = l ? make_again(im, img, i, &k, l, err) : arena_quota(im->arena, err);
	if (r >= 0)
		r = check_unused(&s, err); /* unpacking took its time */
	if (r >= 0 && sys_renameat2(im->dir, l->dir, im->is->snapshots, IMAGE_HEX(chain),
				    RENAME_EXCHANGE) < 0)
		r = err_sys(err, "put the layer in its place");
	return r < 0 ? r : fd_fsync_dir(im->is->snapshots, err);
}

int image_layer_repair(struct image_store *is, const struct image *img, size_t i, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("repair of a layer", ARENA_MAX);
	struct image_import im = { .is = is, .dir = -1, .spool = -1, .arena = a };
	int r = repair(&im, img, i, err);

	image_lease_free(im.lease); /* with what was there before */
	return r;
}
