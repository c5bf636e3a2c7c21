/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roots of containers, by the store's driver: an upper directory that overlay (the kernel's, or
 * the program's) puts over the layers, or a whole tree of the container's own.
 */
#include "image/image.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "image/driver.h"
#include "image/layers.h"
#include "image/private.h"
#include "image/tree.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

int image_lower_dirs(struct image_store *is, const struct image *img, struct arena *a,
		     struct strv *ret, struct err *err)
{
	size_t layers = image_config(img)->diff_ids.n, n = 0;
	const char **v = ARENA_ARRAY(a, const char *, layers + 2);
	int r;

	if (!v)
		return arena_quota(a, err);
	for (size_t i = layers; i-- > 0;) {
		CLEANUP(db_row_done) struct db_row *row = NULL;
		const char *link, *chain = image_chain_id(img, i);
		int64_t opaque = 0;

		r = db_query(db_reader(is->db), &row, err,
			     "SELECT link, opaque FROM layers WHERE chain = ?", "t", chain);
		if (r >= 0)
			r = db_row_next(row, err);
		if (r < 0)
			return r;
		if (r == 0)
			return err_set(
				err, ERR_NOT_FOUND,
				"image '%s': layer '%s' is not in the store; load the image again",
				image_id(img), chain);
		db_row_get(row, "ti", &link, &opaque);
		v[n] = arena_printf(a, "%s/l/%s", is->path, link);
		if (!v[n++])
			return arena_quota(a, err);
		if (opaque || is->driver->whole)
			break; /* overlay does not heed the mark on the root of a layer */
	}
	*ret = (struct strv){ v, n };
	return 0;
}

/* ---- plan ---- */

static bool exists(const char *path)
{
	return path && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int plan_view(struct image_rootfs *rf, struct arena *a, struct err *err)
{
	const char **v = ARENA_ARRAY(a, const char *, rf->lower.n + 2);
	size_t n = 0;

	if (!v)
		return arena_quota(a, err);
	v[n++] = rf->tree ? rf->tree : rf->upper;
	for (size_t i = 0; !rf->tree && i < rf->lower.n; i++)
		v[n++] = rf->lower.v[i];
	rf->view = (struct strv){ v, n };
	return 0;
}

int image_rootfs_plan(struct image_store *is, const struct image *img,
		      const struct image_rootfs_place *at, struct arena *a,
		      struct image_rootfs *ret, struct err *err)
{
	struct image_rootfs rf = { .driver = is->driver, .userxattr = is->userxattr };
	int r;

	r = image_lower_dirs(is, img, a, &rf.lower, err);
	if (r < 0)
		return r;
	if (rf.lower.n == 0)
		return err_set(err, ERR_INVALID,
			       "image '%s' has no layers, so no container can run from it",
			       image_id(img));
	rf.dir = arena_strdup(a, at->dir);
	rf.init = at->init ? arena_strdup(a, at->init) : NULL;
	rf.top = arena_strdup(a, image_chain_id(img, image_config(img)->diff_ids.n - 1));
	if (is->driver->whole) {
		rf.tree = arena_printf(a, "%s/root", at->dir);
	} else {
		rf.upper = arena_printf(a, "%s/upper", at->dir);
		rf.work = arena_printf(a, "%s/work", at->dir);
		rf.merged = arena_printf(a, "%s/merged", is->path);
	}
	if (is->driver->mount && at->run)
		rf.mount = arena_printf(a, "%s/rootfs", at->run);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	r = plan_view(&rf, a, err);
	rf.exists = exists(rf.tree ? rf.tree : rf.upper);
	rf.slow = rf.mount || (rf.tree && !rf.exists);
	if (r >= 0)
		*ret = rf;
	return r;
}

const char *image_rootfs_path(const struct image_rootfs *rf)
{
	return rf->tree ? rf->tree : rf->mount ? rf->mount : rf->merged;
}

/* ---- upper directories ---- */

/* Overlay shows the attributes of the upper root: they must be the image's. */
static int copy_root(const char *lower, int upper, struct err *err)
{
	struct stat st;

	if (sys_fstatat(AT_FDCWD, lower, &st, 0) < 0)
		return err_sys(err, "look at layer '%s'", lower);
	if (fchown(upper, st.st_uid, st.st_gid) < 0 || sys_fchmod(upper, st.st_mode & 07777) < 0)
		return err_sys(err, "set owner and mode of the root");
	return 0;
}

static int make_upper(const struct image_rootfs *rf, int dir, struct err *err)
{
	static const char *const names[] = { "upper", "work" };
	CLEANUP(fd_close) int upper = -1;
	bool made[ARRAY_LEN(names)];
	int r;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		made[i] = sys_mkdirat(dir, names[i], 0700) == 0;
		if (!made[i] && errno != EEXIST)
			return err_sys(err, "make '%s'", names[i]);
	}
	/* A root that was used keeps what its container made of it. */
	r = made[0] ? path_open_beneath(dir, "upper", O_RDONLY | O_DIRECTORY, 0, &upper, err) : 0;
	if (r >= 0 && made[0])
		r = copy_root(rf->lower.v[0], upper, err);
	if (r < 0)
		(void)image_rootfs_remove(rf->dir, NULL); /* made just now: nothing is lost */
	return r;
}

/* ---- whole trees ---- */

static int lay_init(const struct image_rootfs *rf, int dir, const char *name, struct err *err)
{
	CLEANUP(fd_close) int init = -1, tree = -1;
	int r;

	if (!rf->init)
		return 0;
	init = sys_openat(AT_FDCWD, rf->init, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (init < 0)
		return err_sys(err, "open '%s'", rf->init);
	r = path_open_beneath(dir, name, O_RDONLY | O_DIRECTORY, 0, &tree, err);
	return r < 0 ? r : tree_apply(init, tree, TREE_KEEP_ROOT, err);
}

/* Complete or not at all: what a crash leaves has another name. */
static int make_tree(struct image_store *is, const struct image_rootfs *rf, int dir,
		     struct err *err)
{
	static const char half[] = "root.new";
	int r;

	if (rf->exists)
		return 0;
	r = rf->driver->remove(dir, half, err);
	if (r >= 0)
		r = rf->driver->copy(is->snapshots, IMAGE_HEX(rf->top), dir, half, err);
	if (r >= 0)
		r = lay_init(rf, dir, half, err);
	if (r >= 0 && sys_renameat(dir, half, dir, "root") < 0)
		r = err_sys(err, "name the root '%s'", rf->tree);
	if (r < 0)
		(void)rf->driver->remove(dir, half, NULL);
	return r;
}

int image_rootfs_make(struct image_store *is, const struct image_rootfs *rf, struct err *err)
{
	CLEANUP(fd_close) int dir = -1;
	int r;

	dir = sys_openat(AT_FDCWD, rf->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir < 0)
		return err_sys(err, "open container directory '%s'", rf->dir);
	r = rf->tree ? make_tree(is, rf, dir, err) : make_upper(rf, dir, err);
	if (r >= 0 && rf->mount)
		r = rf->driver->mount(rf, err);
	return r < 0 ? err_wrap(err, "root of container in '%s'", rf->dir) : 0;
}

void image_rootfs_release(const char *run)
{
	CLEANUP_FREE char *path = NULL;

	if (asprintf(&path, "%s/rootfs", run) < 0)
		abort();
	/* Not mounted, or not there: then there is nothing to do. */
	(void)sys_umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	(void)sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int image_rootfs_remove(const char *dir, struct err *err)
{
	static const char *const names[] = { "work", "upper", "root.new", "root" };
	CLEANUP(fd_close) int fd = sys_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	int r = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "open container directory '%s'", dir);
	for (size_t i = 0; i < ARRAY_LEN(names) && r >= 0; i++)
		r = driver_remove_tree(fd, names[i], err);
	return r < 0 ? r : 0;
}

/* ---- what to read ---- */

int image_rootfs_read(const struct image_rootfs *rf, enum image_rootfs_view what, struct arena *a,
		      struct strv *ret, enum image_diff_kind *ret_kind, struct err *err)
{
	const char **v = ARENA_ARRAY(a, const char *, rf->lower.n + 3);
	bool merged = what == IMAGE_VIEW_MERGED;
	size_t n = 0;

	if (!v)
		return arena_quota(a, err);
	/* What never ran shows what it would begin with. */
	if (rf->exists)
		v[n++] = rf->tree ? rf->tree : rf->upper;
	else if (!merged || !rf->init)
		v[n++] = rf->lower.v[0];
	*ret_kind = merged		      ? IMAGE_DIFF_MERGED
		    : rf->tree || !rf->exists ? IMAGE_DIFF_COMPARE
					      : IMAGE_DIFF_LAYER;
	/* A whole tree has the init layer in it: there it is no change to leave out of a commit. */
	if (rf->init && !(merged && rf->tree && rf->exists) &&
	    (merged ? true : rf->exists && (rf->tree || what == IMAGE_VIEW_CHANGES)))
		v[n++] = rf->init;
	for (size_t i = 0; i < rf->lower.n && !(merged && rf->tree && rf->exists); i++)
		v[n++] = rf->lower.v[i];
	*ret = (struct strv){ v, n };
	return 0;
}

/* ---- about the driver ---- */

const char *image_driver_name(const struct image_store *is)
{
	return is->driver->docker;
}

bool image_driver_is_whole(const struct image_store *is)
{
	return is->driver->whole;
}

static const char *backing(int dir)
{
	static const struct {
		uint32_t magic;
		const char *name;
	} kinds[] = {
		{ 0xef53, "extfs" },	    { 0x58465342, "xfs" },	 { 0x9123683e, "btrfs" },
		{ 0x01021994, "tmpfs" },    { 0x794c7630, "overlayfs" }, { 0x2fc12fc1, "zfs" },
		{ 0xf2f52010, "f2fs" },	    { 0x65735546, "fuse" },	 { 0x6969, "nfs" },
		{ 0xca451a4e, "bcachefs" },
	};
	struct statfs sf;

	if (fstatfs(dir, &sf) < 0)
		return "unknown";
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if ((uint32_t)sf.f_type == kinds[i].magic)
			return kinds[i].name;
	return "unknown";
}

size_t image_driver_rows(struct image_store *is, struct image_driver_row rows[IMAGE_DRIVER_ROWS])
{
	bool overlay = is->driver == &driver_overlay;
	size_t n = 0;

	rows[n++] = (struct image_driver_row){ "Backing Filesystem", backing(is->dir) };
	if (!is->driver->whole)
		rows[n++] = (struct image_driver_row){ "Supports d_type", "true" };
	if (overlay) {
		rows[n++] = (struct image_driver_row){ "Using metacopy", "false" };
		rows[n++] = (struct image_driver_row){ "Native Overlay Diff", "true" };
		rows[n++] =
			(struct image_driver_row){ "userxattr", is->userxattr ? "true" : "false" };
	}
	if (is->driver == &driver_copy)
		rows[n++] = (struct image_driver_row){
			"Shared data", tree_can_clone(is->dir, NULL) == 1 ? "true" : "false"
		};
	rows[n++] = (struct image_driver_row){ "Chosen because", is->why };
	return n;
}
