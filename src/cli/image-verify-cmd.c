/* SPDX-License-Identifier: Apache-2.0 */
/* `teu image verify`, `mount` and `unmount`: on the store itself, so as root and on its machine. */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/image-place.h"
#include "cli/progress.h"
#include "doc/json.h"
#include "image/mounts.h"
#include "image/store.h"
#include "image/verify.h"
#include "linux/mount.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static int open_store(struct cmd_call *call, struct image_store **ret, struct err *err)
{
	const struct image_store_options o = { .root = cli_of(call)->root };
	struct stat st;
	char path[PATH_MAX];

	if (geteuid() != 0)
		return err_set(err, ERR_FORBIDDEN, "the store is root's alone: run this as root");
	(void)snprintf(path, sizeof(path), "%s/store/store.db", o.root);
	if (sys_fstatat(AT_FDCWD, path, &st, 0) < 0)
		return err_set(err, ERR_NOT_FOUND,
			       "there is no store below '%s' (--root of the engine)", o.root);
	return image_store_open(&o, ret, err);
}

/* ---- verify ---- */

struct verify_opts {
	struct image_access acc;
	bool all, repair;
	const char *format;
};

static const char *const formats[] = { "text", "json", NULL };

static const struct opt verify_opts[] = {
	OPT(struct verify_opts, BOOL, all, "all", 'a', "Every image of the store"),
	IMAGE_ACCESS_OPTS(struct verify_opts, acc, ""),
	OPT(struct verify_opts, STR, acc.authfile, "authfile", 0,
	    "Credentials in this file, not in docker's config.json"),
	OPT_CHOICE(struct verify_opts, format, "format", 0, formats, "Print text or json"),
	OPT(struct verify_opts, BOOL, repair, "repair", 0,
	    "Fetch damaged blobs again from the image's registry, unpack damaged layers again"),
	OPT_END
};

struct verifying {
	struct cmd_call *call;
	struct image_work work;
	struct progress bar;
	struct doc *problems;
	struct buf out;
	const char *image;
	uint64_t before;
};

static void on_problem(void *ctx, const char *kind, const char *digest, const char *text,
		       bool repaired)
{
	struct verifying *v = ctx;
	struct arena *a = v->call->arena;
	struct doc *d = doc_append_object(a, v->problems);

	doc_set_str(a, d, "image", v->image);
	doc_set_str(a, d, "kind", kind);
	doc_set_str(a, d, "digest", digest);
	doc_set_str(a, d, "problem", text);
	doc_set_bool(a, d, "repaired", repaired);
	buf_addf(&v->out, "%s: %s %s: %s%s\n", v->image, kind, digest, text,
		 repaired ? " (repaired)" : "");
}

static void on_bytes(void *ctx, uint64_t bytes)
{
	struct verifying *v = ctx;

	progress_add(&v->bar, (int64_t)(bytes - v->before));
	v->before = bytes;
}

static int on_open(void *ctx, const char *name, struct place **ret, struct err *err)
{
	struct verifying *v = ctx;
	const struct verify_opts *o = v->call->opts;

	return image_read_place(&v->work, name, false, &o->acc, ret, err);
}

static int verify_one(struct verifying *v, struct image_store *is, const struct image *img,
		      const char *name, struct image_verify *all, struct err *err)
{
	const struct verify_opts *o = v->call->opts;
	struct image_verify iv = { .problem = on_problem,
				   .reach = o->repair ? on_open : NULL,
				   .told = on_bytes,
				   .ctx = v };
	int r;

	v->image = name;
	v->before = 0;
	r = image_verify(is, img, &iv, err);
	all->blobs += iv.blobs;
	all->layers += iv.layers;
	all->bytes += iv.bytes;
	all->skipped += iv.skipped;
	all->problems += iv.problems;
	return r;
}

static int verify_images(struct verifying *v, struct image_store *is, struct image_verify *all,
			 struct err *err)
{
	const struct verify_opts *o = v->call->opts;
	struct image **list;
	size_t n = 0;
	int r = 0;

	if (o->all) {
		r = image_list(is, v->call->arena, &list, &n, err);
		for (size_t i = 0; i < n; i++) {
			if (r >= 0)
				r = verify_one(
					v, is, list[i],
					cli_short_id(v->call->arena, slice_str(image_id(list[i]))),
					all, err);
			image_unref(list[i]);
		}
	}
	for (size_t i = 0; i < v->call->nargs && r >= 0; i++) {
		CLEANUP(image_unref) struct image *img = NULL;

		r = image_resolve(is, v->call->args[i], &img, err);
		if (r >= 0)
			r = verify_one(v, is, img, v->call->args[i], all, err);
	}
	return r;
}

static int report(struct verifying *v, const struct image_verify *all, struct err *err)
{
	const struct verify_opts *o = v->call->opts;
	struct arena *a = v->call->arena;
	struct doc *d = doc_new_object(a);
	int r = 0;

	if (o->format && strcmp(o->format, "json") == 0) {
		buf_clear(&v->out);
		doc_set_uint(a, d, "blobs", all->blobs);
		doc_set_uint(a, d, "layers", all->layers);
		doc_set_uint(a, d, "skippedLayers", all->skipped);
		doc_set_uint(a, d, "bytes", all->bytes);
		doc_set(a, d, "problems", *v->problems);
		r = json_write(d, NULL, &v->out, err);
		buf_addc(&v->out, '\n');
	} else {
		buf_addf(&v->out, "%llu blobs, %llu layers verified, %llu not compared: %s\n",
			 (unsigned long long)all->blobs, (unsigned long long)all->layers,
			 (unsigned long long)all->skipped,
			 all->problems ? "damaged" : "all is well");
	}
	return r < 0 ? r : cli_write(1, &v->out, err);
}

static int verify_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(image_store_close) struct image_store *is = NULL;
	const struct verify_opts *o = call->opts;
	struct verifying v = { .call = call, .out = BUF_INIT(CLI_OUT_MAX) };
	struct image_verify all = { 0 };
	int r;

	if (o->all == (call->nargs > 0))
		return err_set(err, ERR_INVALID, "give images, or --all");
	v.problems = doc_new_array(call->arena);
	r = image_work_begin(&v.work, call, true, err);
	if (r >= 0)
		r = open_store(call, &is, err);
	progress_begin(&v.bar, "Verifying", 0, r >= 0);
	if (r >= 0)
		r = verify_images(&v, is, &all, err);
	progress_end(&v.bar);
	if (r >= 0)
		r = report(&v, &all, err);
	image_work_end(&v.work);
	buf_fini(&v.out);
	return r < 0 ? r : all.problems > 0;
}

const struct cmd cmd_image_verify = {
	.path = "image verify",
	.args = "[OPTIONS] IMAGE [IMAGE...] | --all",
	.help = "Hash every blob of images again, compare every layer with its files",
	.opts = verify_opts,
	.opts_size = sizeof(struct verify_opts),
	.max = UINT8_MAX,
	.group = CLI_IMAGES,
	.run = verify_run,
};

/* ---- mount ---- */

/* One mark per mount, so that unmount takes away nothing else: the mount's source. */
#define SOURCE "teu-image:"

static int add_dir(int fs, const char *dir, struct err *err)
{
	CLEANUP(fd_close) int fd = sys_openat(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, "open layer '%s'", dir);
	if (sys_fsconfig(fs, SYS_FSCONFIG_FD, "lowerdir+", NULL, fd) == 0)
		return 0;
	return err_sys(err, "overlay: add layer '%s'", dir);
}

/* Kernels before 6.8 take the layers as one string, where nothing has a colon in it. */
static int add_string(int fs, const struct strv *dirs, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(64u << 10);

	for (size_t i = 0; i < dirs->n; i++)
		buf_addf(&b, "%s%s", i ? ":" : "", dirs->v[i]);
	if (sys_fsconfig(fs, SYS_FSCONFIG_STRING, "lowerdir", buf_str(&b), 0) < 0)
		return err_sys(err, "overlay: set the layers");
	return 0;
}

static int overlay(const struct strv *dirs, const char *source, int *ret, struct err *err)
{
	CLEANUP(fd_close) int fs = sys_fsopen("overlay", SYS_FSOPEN_CLOEXEC);
	int r = 0;

	if (fs < 0)
		return err_sys(err, "begin an overlay mount");
	for (size_t i = 0; i < dirs->n && r >= 0; i++)
		r = add_dir(fs, dirs->v[i], i ? err : NULL);
	if (r < 0)
		r = add_string(fs, dirs, err);
	if (r >= 0 && (sys_fsconfig(fs, SYS_FSCONFIG_STRING, "source", source, 0) < 0 ||
		       sys_fsconfig(fs, SYS_FSCONFIG_CREATE, NULL, NULL, 0) < 0))
		r = err_sys(err, "make the overlay mount");
	if (r < 0)
		return r;
	*ret = sys_fsmount(fs, SYS_FSMOUNT_CLOEXEC,
			   SYS_ATTR_RDONLY | SYS_ATTR_NODEV | SYS_ATTR_NOSUID);
	return *ret < 0 ? err_sys(err, "make the overlay mount") : 0;
}

/* overlay wants two layers when there is no upper one. */
static int pad(struct strv *dirs, struct image_store *is, struct arena *a, struct err *err)
{
	const char **v = ARENA_ARRAY(a, const char *, dirs->n + 3);
	char empty[PATH_MAX];

	if (!v)
		return arena_quota(a, err);
	(void)snprintf(empty, sizeof(empty), "%s/empty", image_store_path(is));
	if (fd_mkdir_p(AT_FDCWD, empty, 0755, err) < 0)
		return err_ret(err);
	memcpy(v, dirs->v, dirs->n * sizeof(*v));
	while (dirs->n < 2)
		v[dirs->n++] = arena_strdup(a, empty);
	dirs->v = v;
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

/* What lies in it would be out of sight. */
static int check_empty(const char *where, struct err *err)
{
	DIR *d = opendir(where);
	struct dirent *e;
	bool empty = true;

	if (!d)
		return err_sys(err, "open the directory '%s'", where);
	while (empty && (e = readdir(d)))
		empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	closedir(d);
	return empty ? 0
		     : err_set(err, ERR_CONFLICT,
			       "the directory '%s' is in use: mount on an empty one", where);
}

/* The image is held before it is mounted, so that nothing comes between. */
static int mount_held(struct image_store *is, const struct image *img, int fs, int dir,
		      struct err *err)
{
	char path[PATH_MAX];
	int r = path_name_of_fd(dir, path, sizeof(path), err);

	if (r >= 0)
		r = image_mount_add(is, img, path, err);
	if (r < 0)
		return r;
	if (sys_move_mount(fs, "", dir, "", SYS_MOVE_FROM_EMPTY | SYS_MOVE_TO_EMPTY) == 0)
		return 0;
	(void)err_sys(err, "mount on '%s'", path);
	(void)image_mount_drop(is, path, NULL); /* the error counts */
	return err_ret(err);
}

static int mount_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(image_store_close) struct image_store *is = NULL;
	CLEANUP(image_unref) struct image *img = NULL;
	CLEANUP(fd_close) int fs = -1, dir = -1;
	const char *where = call->args[1];
	struct strv dirs;
	int r;

	r = check_empty(where, err);
	if (r >= 0)
		r = open_store(call, &is, err);
	if (r >= 0)
		r = image_resolve(is, call->args[0], &img, err);
	if (r >= 0)
		r = image_lower_dirs(is, img, call->arena, &dirs, err);
	if (r >= 0)
		r = pad(&dirs, is, call->arena, err);
	if (r < 0)
		return r;
	dir = sys_openat(AT_FDCWD, where, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir < 0)
		return err_sys(err, "open the directory '%s'", where);
	r = overlay(&dirs, arena_printf(call->arena, SOURCE "%s", image_id(img)), &fs, err);
	if (r >= 0)
		r = mount_held(is, img, fs, dir, err);
	return r < 0 ? err_wrap(err, "image '%s'", call->args[0]) : 0;
}

/* ---- unmount ---- */

struct wanted {
	const char *path;
	char source[256]; /* of the topmost mount there; "" = none */
};

static int on_mount(const struct mount_info *mi, void *arg)
{
	struct wanted *w = arg;

	if (strcmp(mi->target, w->path) == 0)
		(void)str_copy(w->source, sizeof(w->source), mi->source ? mi->source : "");
	return 0;
}

/* 1 = an image of this store was held for that path. */
static int release(struct cmd_call *call, const char *path)
{
	CLEANUP(image_store_close) struct image_store *is = NULL;
	int r = open_store(call, &is, NULL);

	return r < 0 ? r : image_mount_drop(is, path, NULL);
}

static int unmount_one(struct cmd_call *call, const char *arg, struct err *err)
{
	CLEANUP(fd_close) int fd = sys_openat(AT_FDCWD, arg, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	char path[PATH_MAX];
	struct wanted w = { .path = path };
	int r;

	if (fd < 0)
		return err_sys(err, "open the directory '%s'", arg);
	r = path_name_of_fd(fd, path, sizeof(path), err);
	fd_close(STEAL_FD(fd)); /* or it would be what holds the mount */
	if (r >= 0)
		r = mount_each(-1, on_mount, &w, err);
	if (r < 0)
		return r;
	if (strncmp(w.source, SOURCE, strlen(SOURCE)) != 0) {
		/* By umount(8), or another's namespace: the image is let go all the same. */
		if (release(call, path) > 0)
			return 0;
		return err_set(err, ERR_CONFLICT, "no image is mounted on '%s'", arg);
	}
	if (sys_umount2(path, UMOUNT_NOFOLLOW) < 0)
		return errno == EBUSY
			       ? err_set(err, ERR_CONFLICT,
					 "'%s' is in use: a program stands in it or has a file "
					 "of it open",
					 arg)
			       : err_sys(err, "unmount '%s'", arg);
	(void)release(call, path); /* mounted for another store, or before a restore of this one */
	return 0;
}

static int unmount_run(struct cmd_call *call, struct err *err)
{
	(void)err; /* told one by one */
	return cli_each(call, false, unmount_one);
}

const struct cmd cmd_image_mount = {
	.path = "image mount",
	.args = "IMAGE DIRECTORY",
	.help = "Mount the root of an image, read-only, on an empty directory",
	.details = "The mount stays until 'teu image unmount' or the machine's end, whatever "
		   "becomes of\n"
		   "the engine. Until then the image cannot be removed.",
	.min = 2,
	.max = 2,
	.group = CLI_IMAGES,
	.run = mount_run,
};

const struct cmd cmd_image_unmount = {
	.path = "image unmount",
	.args = "DIRECTORY [DIRECTORY...]",
	.help = "Take the mount of an image away again; refused while it is in use",
	.min = 1,
	.max = UINT8_MAX,
	.group = CLI_IMAGES,
	.run = unmount_run,
};
