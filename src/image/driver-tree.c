/* SPDX-License-Identifier: Apache-2.0 */
/* Drivers of whole trees: copies that any file system can hold, and btrfs's snapshots. */
#include "image/driver.h"

#include "base/err.h"
#include "base/fd.h"
#include "image/tree.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <linux/btrfs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#define SUBVOLUME_INODE                                                          \
	256 /* of the root of every subvolume: btrfs_tree.h, FIRST_FREE_OBJECTID \
	     */

static int open_dir(int dir, const char *name, int *ret, struct err *err)
{
	return path_open_beneath(dir, name, O_RDONLY | O_DIRECTORY, 0, ret, err);
}

/* ---- copy ---- */

static int probe_copy(const char *dir, int fd, struct err *err)
{
	(void)dir;
	return tree_can_clone(fd, err) < 0 ? err_ret(err) : 0;
}

static int create_plain(int dir, const char *name, struct err *err)
{
	return sys_mkdirat(dir, name, 0755) < 0 ? err_sys(err, "make directory '%s'", name) : 0;
}

static int copy_plain(int from_dir, const char *from, int dir, const char *name, struct err *err)
{
	CLEANUP(fd_close) int src = -1, dst = -1;
	int r;

	r = open_dir(from_dir, from, &src, err);
	if (r >= 0)
		r = create_plain(dir, name, err);
	if (r >= 0)
		r = open_dir(dir, name, &dst, err);
	return r < 0 ? r : tree_apply(src, dst, 0, err);
}

const struct image_driver driver_copy = {
	.name = "copy",
	.docker = "vfs",
	.whole = true,
	.probe = probe_copy,
	.create = create_plain,
	.copy = copy_plain,
	.remove = fd_remove_tree,
};

/* ---- btrfs ---- */

static bool is_btrfs(int fd)
{
	struct statfs sf;

	return fstatfs(fd, &sf) == 0 && sf.f_type == BTRFS_SUPER_MAGIC;
}

static int create_subvolume(int dir, const char *name, struct err *err)
{
	struct btrfs_ioctl_vol_args a = { 0 };
	CLEANUP(fd_close) int fd = -1;

	if (!str_copy(a.name, sizeof(a.name), name))
		return err_set(err, ERR_INVALID, "name '%.64s...' is too long", name);
	if (ioctl(dir, BTRFS_IOC_SUBVOL_CREATE, &a) < 0)
		return err_sys(err, "make btrfs subvolume '%s'", name);
	if (open_dir(dir, name, &fd, err) < 0)
		return err_ret(err);
	return sys_fchmod(fd, 0755) < 0 ? err_sys(err, "set the mode of subvolume '%s'", name) : 0;
}

static int snapshot(int from_dir, const char *from, int dir, const char *name, struct err *err)
{
	struct btrfs_ioctl_vol_args_v2 a = { 0 };
	CLEANUP(fd_close) int src = -1;
	int r;

	r = open_dir(from_dir, from, &src, err);
	if (r < 0)
		return r;
	a.fd = src;
	if (!str_copy(a.name, sizeof(a.name), name))
		return err_set(err, ERR_INVALID, "name '%.64s...' is too long", name);
	return ioctl(dir, BTRFS_IOC_SNAP_CREATE_V2, &a) < 0
		       ? err_sys(err, "make btrfs snapshot '%s' of '%s'", name, from)
		       : 0;
}

/* A subvolume goes at once; where that is not allowed (a user namespace), file by file. */
static int remove_subvolume(int dir, const char *name, struct err *err)
{
	struct btrfs_ioctl_vol_args a = { 0 };
	struct stat st;

	if (sys_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "look at '%s'", name);
	if (S_ISDIR(st.st_mode) && st.st_ino == SUBVOLUME_INODE &&
	    str_copy(a.name, sizeof(a.name), name) && ioctl(dir, BTRFS_IOC_SNAP_DESTROY, &a) == 0)
		return 0;
	return fd_remove_tree(dir, name, err);
}

static int probe_btrfs(const char *dir, int fd, struct err *err)
{
	int r;

	if (!is_btrfs(fd))
		return err_set(err, ERR_UNSUPPORTED, "'%s' is not on a btrfs file system", dir);
	r = remove_subvolume(fd, "probe", err);
	if (r >= 0)
		r = create_subvolume(fd, "probe", err);
	return r < 0 ? r : remove_subvolume(fd, "probe", err);
}

const struct image_driver driver_btrfs = {
	.name = "btrfs",
	.docker = "btrfs",
	.whole = true,
	.probe = probe_btrfs,
	.create = create_subvolume,
	.copy = snapshot,
	.remove = remove_subvolume,
};

int driver_remove_tree(int dir, const char *name, struct err *err)
{
	return is_btrfs(dir) ? remove_subvolume(dir, name, err) : fd_remove_tree(dir, name, err);
}
