/* SPDX-License-Identifier: Apache-2.0 */
/* Overlay and fuse-overlayfs: layers stay what they are; the kernel, or a program per container,
 * shows them as one. */
#include "image/driver.h"

#include "base/err.h"
#include "base/fd.h"
#include "image/image.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define PROBE "probe"

/* ---- overlay ---- */

static int set(int fs, const char *key, const char *dir, const char *name)
{
	CLEANUP_FREE char *path = NULL;

	if (asprintf(&path, "%s/" PROBE "/%s", dir, name) < 0)
		abort();
	return sys_fsconfig(fs, SYS_FSCONFIG_STRING, key, path, 0);
}

/* What layers need of the file system: whiteouts and the mark of opaque directories. */
static int probe_marks(int probe, bool userns, struct err *err)
{
	CLEANUP(fd_close) int upper = -1;

	upper = sys_openat(probe, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (upper < 0)
		return err_sys(err, "open a directory of the probe");
	if (fsetxattr(upper, userns ? "user.overlay.opaque" : "trusted.overlay.opaque", "y", 1, 0) <
	    0)
		return err_sys(err, "set overlay's attributes on its file system");
	if (sys_mknodat(upper, "whiteout", S_IFCHR, makedev(0, 0)) < 0)
		return err_sys(err, "make a whiteout on its file system");
	return 0;
}

/* A mount that is attached nowhere: nobody else sees it, and it ends with its descriptor. */
static int probe_mount(const char *dir, bool userns, struct err *err)
{
	CLEANUP(fd_close) int fs = -1, mnt = -1, file = -1;
	char text[200] = "";
	ssize_t n;

	fs = sys_fsopen("overlay", SYS_FSOPEN_CLOEXEC);
	if (fs < 0)
		return err_sys(err, "the kernel has no overlay");
	if (set(fs, "lowerdir", dir, "lower") < 0 || set(fs, "upperdir", dir, "upper") < 0 ||
	    set(fs, "workdir", dir, "work") < 0 ||
	    (userns && sys_fsconfig(fs, SYS_FSCONFIG_FLAG, "userxattr", NULL, 0) < 0) ||
	    sys_fsconfig(fs, SYS_FSCONFIG_CREATE, NULL, NULL, 0) < 0) {
		int saved = errno;

		n = sys_read(fs, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
		text[strcspn(text, "\n")] = '\0';
		errno = saved;
		return err_sys(err, "mount overlay on directories of '%s' %s", dir, text);
	}
	mnt = sys_fsmount(fs, SYS_FSMOUNT_CLOEXEC, 0);
	if (mnt >= 0)
		file = sys_openat(mnt, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return file < 0 ? err_sys(err, "write to an overlay in '%s'", dir) : 0;
}

static int probe_overlay(const char *dir, int fd, struct err *err)
{
	static const char *const names[] = { PROBE, PROBE "/lower", PROBE "/upper", PROBE "/work" };
	CLEANUP(fd_close) int probe = -1;
	bool userns = driver_in_userns();
	int r;

	r = fd_remove_tree(fd, PROBE, err);
	for (size_t i = 0; i < ARRAY_LEN(names) && r >= 0; i++)
		if (sys_mkdirat(fd, names[i], 0700) < 0)
			r = err_sys(err, "make '%s/%s'", dir, names[i]);
	if (r < 0)
		return r;
	probe = sys_openat(fd, PROBE, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	r = probe < 0 ? err_sys(err, "open '%s/" PROBE "'", dir) : probe_marks(probe, userns, err);
	if (r >= 0)
		r = probe_mount(dir, userns, err);
	(void)fd_remove_tree(fd, PROBE, NULL); /* the next probe begins with it */
	return r;
}

const struct image_driver driver_overlay = {
	.name = "overlay",
	.docker = "overlay2",
	.probe = probe_overlay,
};

/* ---- fuse-overlayfs ---- */

/* Where Debian, and who builds it by hand, puts it. */
static const char *program(void)
{
	static const char *const places[] = { "/usr/bin/fuse-overlayfs",
					      "/usr/local/bin/fuse-overlayfs",
					      "/bin/fuse-overlayfs" };

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (faccessat(AT_FDCWD, places[i], X_OK, 0) == 0)
			return places[i];
	return NULL;
}

static int probe_fuse(const char *dir, int fd, struct err *err)
{
	CLEANUP(fd_close) int dev = -1;

	(void)dir;
	(void)fd;
	if (!program())
		return err_set(err, ERR_UNSUPPORTED,
			       "the program fuse-overlayfs is not installed; apt-get install "
			       "fuse-overlayfs");
	dev = sys_openat(AT_FDCWD, "/dev/fuse", O_RDWR | O_CLOEXEC, 0);
	return dev < 0 ? err_sys(err, "open '/dev/fuse'") : 0;
}

struct spawned {
	const char *program;
	char *argv[8];
};

static int child_main(void *arg)
{
	const struct spawned *c = arg;
	char *const env[] = { NULL };
	int null;

	if (proc_reset_signals(NULL) < 0)
		return 126;
	null = sys_openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
	for (int i = 0; i < 3; i++)
		if (null < 0 || sys_dup3(null, i, 0) < 0)
			return 126;
	(void)sys_close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	sys_execveat(AT_FDCWD, c->program, c->argv, env, 0);
	return 127;
}

/* A list of options splits at "," and lowerdir at ":". */
static void add_path(struct buf *b, const char *path)
{
	for (; *path; path++) {
		if (strchr(":,\\", *path))
			(void)buf_addc(b, '\\');
		(void)buf_addc(b, *path);
	}
}

static int options(const struct image_rootfs *rf, struct buf *b, struct err *err)
{
	buf_adds(b, "lowerdir=");
	if (rf->init)
		add_path(b, rf->init);
	for (size_t i = 0; i < rf->lower.n; i++) {
		if (i || rf->init)
			(void)buf_addc(b, ':');
		add_path(b, rf->lower.v[i]);
	}
	buf_adds(b, ",upperdir=");
	add_path(b, rf->upper);
	buf_adds(b, ",workdir=");
	add_path(b, rf->work);
	buf_adds(b, driver_in_userns() ? "" : ",allow_other,suid,dev");
	return b->full ? err_set(err, ERR_TOO_LARGE, "too many layers for fuse-overlayfs") : 0;
}

/* It goes to the background when its mount answers, and ends by itself when nobody has the mount
 * any more: the container's mount namespace, once image_rootfs_release() has taken away ours. */
static int mount_fuse(const struct image_rootfs *rf, struct err *err)
{
	CLEANUP(buf_fini) struct buf opts = BUF_INIT(120u << 10);
	struct spawned c = { .program = program() };
	struct proc_clone pc = { .fn = child_main, .arg = &c, .cgroup_fd = -1, .shared = true };
	CLEANUP(proc_fini) struct proc p = { .pidfd = -1 };
	struct proc_exit x;
	int r;

	r = probe_fuse(NULL, -1, err);
	if (r >= 0)
		r = options(rf, &opts, err);
	if (r >= 0)
		r = fd_mkdir_p(AT_FDCWD, rf->mount, 0700, err);
	if (r < 0)
		return r;
	(void)sys_umount2(rf->mount, MNT_DETACH); /* of an engine that died at this place */
	c.argv[0] = (char *)"fuse-overlayfs";
	c.argv[1] = (char *)"-o";
	c.argv[2] = (char *)buf_str(&opts);
	c.argv[3] = (char *)rf->mount;
	r = proc_clone(&pc, &p, err);
	if (r >= 0)
		r = proc_wait(p.pidfd, -1, &x, err);
	if (r < 0)
		return err_wrap(err, "start fuse-overlayfs");
	if (x.signalled || x.status)
		return err_set(
			err, ERR_SYSTEM,
			"fuse-overlayfs -o %.300s ended with %s %d; run it by hand to see why",
			buf_str(&opts), x.signalled ? "signal" : "status", x.status);
	return 0;
}

const struct image_driver driver_fuse = {
	.name = "fuse-overlayfs",
	.docker = "fuse-overlayfs",
	.probe = probe_fuse,
	.mount = mount_fuse,
};
