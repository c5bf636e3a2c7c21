/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounting onto targets held by fd.
 *
 * A target fd always means the directory below the new mount: "/proc/self/fd/N" leads to where the
 * fd was opened, not to what was mounted there since. To touch the new mount itself it is opened
 * anew from (root, path). Calls of the new mount API answer ENOSYS on old kernels (mount_setattr
 * before 5.12) and EPERM under old seccomp filters; both lead to the old way, whose error then
 * counts.
 */
#include "linux/mount.h"

#include "base/err.h"
#include "base/fd.h"
#include "linux/mount-copy.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

enum {
	PAGE_DATA_MAX = 4095, /* mount(2) copies one page */
	FSCONFIG_MAX = 255,   /* fsconfig(2) strings */
	PROPAGATION = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE,
};

static bool try_old(void)
{
	return errno == ENOSYS || errno == EPERM;
}

/* ---- targets ---- */

void mount_target_fini(struct mount_target *t)
{
	fd_close(t->fd);
	t->fd = -1;
}

static int refuse_link(int root, const char *path, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct err none = ERR_INIT;
	struct stat st;

	/* Absent is fine: it will be made, and what is made is no link. */
	if (path_open_in(root, path, O_PATH | O_NOFOLLOW, &fd, &none) < 0)
		return 0;
	if (sys_fstat(fd, &st) < 0)
		return err_sys(err, "look at mount target '%s'", path);
	if (S_ISLNK(st.st_mode))
		return err_set(err, ERR_INVALID,
			       "mount target '%s' is a symbolic link (dest-nofollow)", path);
	return 0;
}

int mount_target_open(struct mount_target *t, int root, const char *path,
		      enum mount_target_kind kind, bool nofollow, struct err *err)
{
	int r = 0, fd = -1;

	if (nofollow)
		r = refuse_link(root, path, err);
	if (r < 0)
		return r;
	switch (kind) {
	case MOUNT_ON_EXISTING: r = path_open_in(root, path, O_PATH, &fd, err); break;
	case MOUNT_ON_DIR: r = path_mkdir_in(root, path, 0755, &fd, err); break;
	case MOUNT_ON_FILE: r = path_touch_in(root, path, 0644, &fd, err); break;
	}
	if (r < 0)
		return err_wrap(err, "mount target");
	*t = (struct mount_target){ .root = root, .path = path, .fd = fd };
	return r;
}

/* What lies on top of the target now. */
static int target_top(const struct mount_target *t, int *ret_fd, struct err *err)
{
	return path_open_in(t->root, t->path, O_PATH, ret_fd, err);
}

/* Takes back a mount of ours whose later steps failed. Keeps errno and err. */
static void target_undo(const struct mount_target *t)
{
	CLEANUP(fd_close) int top = -1;
	struct err none = ERR_INIT;
	char path[PATH_FD_LEN];
	int saved = errno;

	if (target_top(t, &top, &none) == 0)
		(void)umount2(path_of_fd(top, path),
			      MNT_DETACH); /* fails harmlessly if nothing is mounted */
	errno = saved;
}

/* ---- flags ---- */

/* MS_* that belong to one mount, not to its file system, and their SYS_ATTR_*. */
static const struct {
	unsigned long ms;
	uint64_t attr;
} mount_flags[] = {
	{ MS_RDONLY, SYS_ATTR_RDONLY },		{ MS_NOSUID, SYS_ATTR_NOSUID },
	{ MS_NODEV, SYS_ATTR_NODEV },		{ MS_NOEXEC, SYS_ATTR_NOEXEC },
	{ MS_NODIRATIME, SYS_ATTR_NODIRATIME }, { MS_NOSYMFOLLOW, SYS_ATTR_NOSYMFOLLOW },
};

static struct sys_mount_attr attrs_of(unsigned long set, unsigned long clear)
{
	struct sys_mount_attr a = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(mount_flags); i++) {
		if (set & mount_flags[i].ms)
			a.set |= mount_flags[i].attr;
		else if (clear & mount_flags[i].ms)
			a.clear |= mount_flags[i].attr;
	}
	if ((set | clear) & (MS_NOATIME | MS_STRICTATIME | MS_RELATIME))
		a.clear |= SYS_ATTR_ATIME;
	if (set & MS_NOATIME)
		a.set |= SYS_ATTR_NOATIME;
	else if (set & MS_STRICTATIME)
		a.set |= SYS_ATTR_STRICTATIME;
	return a;
}

static unsigned long flags_of_attrs(uint64_t attrs)
{
	unsigned long ms = 0;

	for (size_t i = 0; i < ARRAY_LEN(mount_flags); i++)
		if (attrs & mount_flags[i].attr)
			ms |= mount_flags[i].ms;
	if ((attrs & SYS_ATTR_ATIME) == SYS_ATTR_NOATIME)
		ms |= MS_NOATIME;
	else if ((attrs & SYS_ATTR_ATIME) == SYS_ATTR_STRICTATIME)
		ms |= MS_STRICTATIME;
	return ms;
}

/* Flags that the mount has now. In a user namespace some are locked: a remount that leaves them out
 * fails. */
static int flags_now(const char *path, unsigned long *ret, struct err *err)
{
	struct statvfs sv;

	if (statvfs(path, &sv) < 0)
		return err_sys(err, "read the flags of mount '%s'", path);
	*ret = sv.f_flag & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME |
			    MS_NODIRATIME | MS_RELATIME);
	if (sv.f_flag & 0x2000) /* ST_NOSYMFOLLOW: the one bit that differs from its MS_ */
		*ret |= MS_NOSYMFOLLOW;
	return 0;
}

static int remount_bind_old(const char *path, unsigned long set, unsigned long clear,
			    struct err *err)
{
	const unsigned long atimes = MS_NOATIME | MS_RELATIME | MS_STRICTATIME;
	unsigned long now = 0;
	int r = flags_now(path, &now, err);

	if (r < 0)
		return r;
	if ((set | clear) & atimes)
		now &= ~atimes;
	now = ((now & ~clear) | set) & ~(unsigned long)(MS_REC | MS_BIND | PROPAGATION);
	if (sys_mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | now, NULL) < 0)
		return err_sys(err, "set flags 0x%lx of mount '%s'", now, path);
	return 0;
}

struct tree_walk {
	const char *top;
	size_t len;
	unsigned long set, clear;
	struct err *err;
};

static int walk_mount(const struct mount_info *mi, void *arg)
{
	const struct tree_walk *w = arg;
	int r;

	if (strncmp(mi->target, w->top, w->len) != 0 ||
	    (w->len > 1 && mi->target[w->len] != 0 && mi->target[w->len] != '/'))
		return 0;
	r = remount_bind_old(mi->target, w->set, w->clear, w->err);
	return r < 0 ? r : 0;
}

static int attr_tree_old(int top, uint64_t set, uint64_t clear, struct err *err)
{
	char path[PATH_MAX];
	struct tree_walk w = {
		.top = path, .set = flags_of_attrs(set), .clear = flags_of_attrs(clear), .err = err
	};
	int r = path_name_of_fd(top, path, sizeof(path), err);

	if (r < 0)
		return r;
	if (clear & SYS_ATTR_ATIME)
		w.clear |= MS_NOATIME | MS_STRICTATIME;
	w.len = strlen(path);
	return mount_each(-1, walk_mount, &w, err);
}

int mount_attr_tree(const struct mount_target *t, uint64_t set, uint64_t clear, struct err *err)
{
	const struct sys_mount_attr a = { .set = set, .clear = clear };
	CLEANUP(fd_close) int top = -1;
	int r = target_top(t, &top, err);

	if (r < 0)
		return r;
	if (sys_mount_setattr(top, "", AT_EMPTY_PATH | AT_RECURSIVE, &a) == 0)
		return 0;
	if (!try_old())
		return err_sys(err, "set recursive flags of mount '%s'", t->path);
	r = attr_tree_old(top, set, clear, err);
	return r < 0 ? err_wrap(err, "recursive flags of mount '%s'", t->path) : 0;
}

/* Propagation and recursive flags of a mount that is already in place. */
static int finish_in_place(const struct mount_target *t, const struct mount_opts *o,
			   struct err *err)
{
	CLEANUP(fd_close) int top = -1;
	char path[PATH_FD_LEN];
	int r;

	if (o->rec_set || o->rec_clear) {
		r = mount_attr_tree(t, o->rec_set, o->rec_clear, err);
		if (r < 0)
			return r;
	}
	if (o->n_propagation == 0)
		return 0;
	r = target_top(t, &top, err);
	for (unsigned i = 0; r == 0 && i < o->n_propagation; i++)
		r = mount_propagate(path_of_fd(top, path), o->propagation[i], err);
	return r;
}

int mount_remount(const struct mount_target *t, const struct mount_opts *o, struct err *err)
{
	CLEANUP(fd_close) int top = -1;
	char path[PATH_FD_LEN];
	unsigned long now = 0;
	int r = target_top(t, &top, err);

	if (r < 0)
		return r;
	(void)path_of_fd(top, path);
	if (o->flags & MS_BIND) {
		struct sys_mount_attr a = attrs_of(o->flags, o->clear);

		if (sys_mount_setattr(top, "", AT_EMPTY_PATH, &a) == 0)
			r = 0;
		else if (try_old())
			r = remount_bind_old(path, o->flags, o->clear, err);
		else
			r = err_sys(err, "set flags of mount");
	} else {
		r = flags_now(path, &now, err);
		now = ((now & ~o->clear) | o->flags) & ~(unsigned long)(MS_REC | PROPAGATION);
		if (r == 0 &&
		    sys_mount(NULL, path, NULL, MS_REMOUNT | now, o->data.n ? o->data.p : NULL) < 0)
			r = err_sys(err, "remount with flags 0x%lx, data '%s'", now,
				    buf_str(&o->data));
	}
	if (r == 0)
		r = finish_in_place(t, o, err);
	return r < 0 ? err_wrap(err, "remount '%s'", t->path) : 0;
}

int mount_propagate(const char *path, unsigned long flags, struct err *err)
{
	if (sys_mount(NULL, path, NULL, flags, NULL) < 0)
		return err_sys(err, "set propagation 0x%lx of mount '%s'", flags, path);
	return 0;
}

/* ---- file systems ---- */

static int copy_up(const struct mount_target *t, unsigned long flags, struct err *err)
{
	CLEANUP(fd_close) int top = -1;
	char path[PATH_FD_LEN];
	int r = target_top(t, &top, err);

	if (r == 0)
		r = mount_copy_tree(t->fd, top, err);
	if (r == 0 && (flags & MS_RDONLY))
		r = remount_bind_old(path_of_fd(top, path), MS_RDONLY, 0, err);
	return r;
}

int mount_fs(const struct mount_target *t, const char *type, const char *source,
	     const struct mount_opts *o, struct err *err)
{
	unsigned long flags =
		o->flags & ~(unsigned long)(MS_REC | MS_BIND | MS_REMOUNT | PROPAGATION);
	char path[PATH_FD_LEN];
	int r = 0;

	if (o->idmap || o->ridmap)
		return err_set(err, ERR_UNSUPPORTED, "mount %s on '%s': idmap is for bind mounts",
			       type, t->path);
	if (o->tmpcopyup && strcmp(type, "tmpfs") != 0)
		return err_set(err, ERR_INVALID, "mount %s on '%s': tmpcopyup is for tmpfs", type,
			       t->path);
	if (o->data.n > PAGE_DATA_MAX)
		return err_set(err, ERR_INVALID,
			       "mount %s on '%s': options are longer than %d bytes", type, t->path,
			       PAGE_DATA_MAX);
	if (o->tmpcopyup)
		flags &= ~(unsigned long)MS_RDONLY; /* copy_up sets it when all is there */
	if (sys_mount(source ? source : type, path_of_fd(t->fd, path), type, flags,
		      o->data.n ? o->data.p : NULL) < 0)
		return err_sys(err, "mount %s on '%s' (flags 0x%lx, data '%s')", type, t->path,
			       flags, buf_str(&o->data));
	if (o->tmpcopyup)
		r = copy_up(t, o->flags, err);
	if (r == 0)
		r = finish_in_place(t, o, err);
	if (r < 0) {
		target_undo(t);
		return err_wrap(err, "mount %s on '%s'", type, t->path);
	}
	return 0;
}

/* ---- binds ---- */

int mount_tree_open(int dir, const char *path, bool recursive, int *ret_fd, struct err *err)
{
	unsigned flags = SYS_OPEN_TREE_CLONE | SYS_OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
			 (recursive ? AT_RECURSIVE : 0);
	int fd = sys_open_tree(dir, path, flags);

	if (fd < 0)
		return err_sys(err, "clone the mount tree at '%s'", path);
	*ret_fd = fd;
	return 0;
}

int mount_tree_attach(int tree_fd, const struct mount_target *t, struct err *err)
{
	if (sys_move_mount(tree_fd, "", t->fd, "", SYS_MOVE_FROM_EMPTY | SYS_MOVE_TO_EMPTY) < 0)
		return err_sys(err, "attach a mount tree to '%s'", t->path);
	return 0;
}

static int setattr(int tree, const struct sys_mount_attr *a, bool recursive)
{
	return sys_mount_setattr(tree, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), a);
}

/* All of o onto a detached tree. -1 with errno. */
static int dress_tree(int tree, const struct mount_opts *o, int userns_fd)
{
	struct sys_mount_attr a = attrs_of(o->flags, o->clear);
	const struct sys_mount_attr rec = { .set = o->rec_set, .clear = o->rec_clear };
	const struct sys_mount_attr idmap = { .set = SYS_ATTR_IDMAP,
					      .userns_fd = (uint64_t)userns_fd };

	if ((a.set || a.clear) && setattr(tree, &a, false) < 0)
		return -1;
	if ((rec.set || rec.clear) && setattr(tree, &rec, true) < 0)
		return -1;
	if ((o->idmap || o->ridmap) && setattr(tree, &idmap, o->ridmap) < 0)
		return -1;
	for (unsigned i = 0; i < o->n_propagation; i++) {
		const struct sys_mount_attr p = { .propagation = o->propagation[i] & PROPAGATION };

		if (setattr(tree, &p, o->propagation[i] & MS_REC) < 0)
			return -1;
	}
	return 0;
}

static int clone_tree(int dir, const char *source, const struct mount_opts *o)
{
	unsigned flags = SYS_OPEN_TREE_CLONE | SYS_OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;

	if (o->flags & MS_REC)
		flags |= AT_RECURSIVE;
	if (o->src_nofollow)
		flags |= AT_SYMLINK_NOFOLLOW;
	return sys_open_tree(dir, source, flags);
}

int mount_bind_detached(int src_dir, const char *source, const struct mount_opts *o, int userns_fd,
			int *ret_tree, struct err *err)
{
	const struct sys_mount_attr slave = { .propagation = MS_SLAVE };
	CLEANUP(fd_close) int tree = clone_tree(src_dir, source, o);

	if (tree < 0)
		return err_sysc(err,
				errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_SYSTEM,
				errno, "source '%s'", source);
	if (setattr(tree, &slave, true) < 0 || dress_tree(tree, o, userns_fd) < 0)
		return err_sysc(err,
				errno == ENOSYS || errno == EINVAL ? ERR_UNSUPPORTED : ERR_SYSTEM,
				errno,
				"bind '%s' with idmap (kernel 5.12 or a file system that can is "
				"needed)",
				source);
	*ret_tree = STEAL_FD(tree);
	return 0;
}

/* 0, or -1 with errno; nothing is mounted then. */
static int bind_new(const struct mount_target *t, int dir, const char *source,
		    const struct mount_opts *o, int userns_fd)
{
	CLEANUP(fd_close) int tree = clone_tree(dir, source, o);

	if (tree < 0 || dress_tree(tree, o, userns_fd) < 0)
		return -1;
	return sys_move_mount(tree, "", t->fd, "", SYS_MOVE_FROM_EMPTY | SYS_MOVE_TO_EMPTY);
}

static int bind_old(const struct mount_target *t, int dir, const char *source,
		    const struct mount_opts *o, struct err *err)
{
	CLEANUP(fd_close) int src = -1;
	CLEANUP(fd_close) int top = -1;
	char from[PATH_FD_LEN], to[PATH_FD_LEN];
	int r;

	src = *source ? sys_openat(dir, source,
				   O_PATH | O_CLOEXEC | (o->src_nofollow ? O_NOFOLLOW : 0), 0)
		      : fd_dup(dir);
	if (src < 0)
		return err_sysc(err,
				errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_SYSTEM,
				errno, "open bind source '%s'", source);
	if (sys_mount(path_of_fd(src, from), path_of_fd(t->fd, to), NULL,
		      MS_BIND | (o->flags & MS_REC), NULL) < 0)
		return err_sys(err, "bind '%s'", source);
	r = target_top(t, &top, err);
	if (r == 0 && (attrs_of(o->flags, o->clear).set || attrs_of(o->flags, o->clear).clear))
		r = remount_bind_old(path_of_fd(top, to), o->flags, o->clear, err);
	if (r == 0)
		r = finish_in_place(t, o, err);
	if (r < 0)
		target_undo(t);
	return r;
}

int mount_bind(const struct mount_target *t, int src_dir, const char *source,
	       const struct mount_opts *o, int userns_fd, struct err *err)
{
	const bool idmap = o->idmap || o->ridmap;
	int r;

	if (idmap && userns_fd < 0)
		return err_set(err, ERR_INVALID,
			       "bind '%s' on '%s': idmap without a user namespace", source,
			       t->path);
	if (bind_new(t, src_dir, source, o, userns_fd) == 0)
		return 0;
	if (errno == ENOENT || errno == ENOTDIR)
		return err_sysc(err, ERR_NOT_FOUND, errno, "bind '%s' on '%s'", source, t->path);
	if (idmap && (errno == ENOSYS || errno == EINVAL))
		return err_sysc(err, ERR_UNSUPPORTED, errno,
				"bind '%s' on '%s' with idmap (kernel 5.12 or a file system that "
				"can is needed)",
				source, t->path);
	if (!try_old() || idmap)
		return err_sys(err, "bind '%s' on '%s'", source, t->path);
	r = bind_old(t, src_dir, source, o, err);
	return r < 0 ? err_wrap(err, "bind '%s' on '%s'", source, t->path) : 0;
}

/* ---- overlay ---- */

/* A message of the kernel waits in the context fd: "e overlay: ..." */
static void fs_log(int fs, char *text, size_t n)
{
	ssize_t got = read(fs, text, n - 1);

	text[got > 0 ? got : 0] = 0;
	text[strcspn(text, "\n")] = 0;
}

static int set_string(int fs, const char *key, const char *value)
{
	return sys_fsconfig(fs, SYS_FSCONFIG_STRING, key, value, 0);
}

static int set_extra(int fs, const char *extra)
{
	char text[FSCONFIG_MAX + 1], *rest = text, *item;

	if (!str_copy(text, sizeof(text), extra)) {
		errno = E2BIG;
		return -1;
	}
	while ((item = strsep(&rest, ","))) {
		char *eq = strchr(item, '=');
		int r;

		if (eq)
			*eq = 0;
		r = eq ? set_string(fs, item, eq + 1)
		       : sys_fsconfig(fs, SYS_FSCONFIG_FLAG, item, NULL, 0);
		if (r < 0)
			return -1;
	}
	return 0;
}

static int configure_overlay(int fs, const struct mount_overlay *ov)
{
	if (ov->upper &&
	    (set_string(fs, "upperdir", ov->upper) < 0 || set_string(fs, "workdir", ov->work) < 0))
		return -1;
	if (ov->is_volatile && sys_fsconfig(fs, SYS_FSCONFIG_FLAG, "volatile", NULL, 0) < 0)
		return -1;
	if (ov->userxattr && sys_fsconfig(fs, SYS_FSCONFIG_FLAG, "userxattr", NULL, 0) < 0)
		return -1;
	if (ov->extra && set_extra(fs, ov->extra) < 0)
		return -1;
	return sys_fsconfig(fs, SYS_FSCONFIG_CREATE, NULL, NULL, 0);
}

/* 1 = this way is not there, take the other; 0 done; negative failed. */
static int overlay_new(const struct mount_target *t, const struct mount_overlay *ov,
		       struct err *err)
{
	CLEANUP(fd_close) int fs = -1;
	CLEANUP(fd_close) int mnt = -1;
	char log[200];

	fs = sys_fsopen("overlay", SYS_FSOPEN_CLOEXEC);
	if (fs < 0)
		return try_old() ? 1 : err_sys(err, "mount overlay on '%s'", t->path);
	(void)set_string(fs, "source", "overlay");
	for (size_t i = 0; i < ov->n_lower; i++) {
		if (set_string(fs, "lowerdir+", ov->lower[i]) == 0)
			continue;
		if (i == 0 && (errno == EINVAL || try_old()))
			return 1; /* before 6.5 there is no "lowerdir+" */
		fs_log(fs, log, sizeof(log));
		return err_sys(err, "mount overlay on '%s': lower layer '%s' %s", t->path,
			       ov->lower[i], log);
	}
	if (configure_overlay(fs, ov) < 0) {
		int saved = errno;

		fs_log(fs, log, sizeof(log));
		errno = saved;
		return err_sys(err, "mount overlay on '%s' (%zu layers, upper '%s') %s", t->path,
			       ov->n_lower, ov->upper ? ov->upper : "none", log);
	}
	mnt = sys_fsmount(fs, SYS_FSMOUNT_CLOEXEC, 0);
	if (mnt < 0)
		return err_sys(err, "mount overlay on '%s'", t->path);
	if (sys_move_mount(mnt, "", t->fd, "", SYS_MOVE_FROM_EMPTY | SYS_MOVE_TO_EMPTY) == 0)
		return 0;
	return try_old() ? 1 : err_sys(err, "mount overlay on '%s'", t->path);
}

/* mount(2) splits at "," and overlay splits lowerdir at ":"; a backslash takes both back. */
static void add_escaped(struct buf *b, const char *path)
{
	for (; *path; path++) {
		if (strchr(":,\\", *path))
			(void)buf_addc(b, '\\');
		(void)buf_addc(b, *path);
	}
}

static int overlay_old(const struct mount_target *t, const struct mount_overlay *ov,
		       struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(PAGE_DATA_MAX);
	char path[PATH_FD_LEN];

	(void)buf_adds(&b, "lowerdir=");
	for (size_t i = 0; i < ov->n_lower; i++) {
		if (i)
			(void)buf_addc(&b, ':');
		add_escaped(&b, ov->lower[i]);
	}
	if (ov->upper) {
		(void)buf_adds(&b, ",upperdir=");
		add_escaped(&b, ov->upper);
		(void)buf_adds(&b, ",workdir=");
		add_escaped(&b, ov->work);
	}
	if (ov->is_volatile)
		(void)buf_adds(&b, ",volatile");
	if (ov->userxattr)
		(void)buf_adds(&b, ",userxattr");
	if (ov->extra)
		(void)buf_addf(&b, ",%s", ov->extra);
	if (b.full)
		return err_set(err, ERR_INVALID,
			       "mount overlay on '%s': %zu layer paths need more than the %d bytes "
			       "of a mount string",
			       t->path, ov->n_lower, PAGE_DATA_MAX);
	if (sys_mount("overlay", path_of_fd(t->fd, path), "overlay", 0, b.p) < 0)
		return err_sys(err, "mount overlay on '%s' (%s)", t->path, b.p);
	return 0;
}

/* fsconfig takes no longer strings, and whether it unescapes differs between kernels. */
static bool plain_path(const char *path)
{
	return !path || (strlen(path) <= FSCONFIG_MAX && !strpbrk(path, ":,\\"));
}

int mount_overlay(const struct mount_target *t, const struct mount_overlay *ov, struct err *err)
{
	bool plain = plain_path(ov->upper) && plain_path(ov->work);
	int r = 1;

	if (ov->n_lower == 0 || !ov->upper != !ov->work)
		return err_set(
			err, ERR_INVALID,
			"mount overlay on '%s': needs a lower layer, and upper and work together",
			t->path);
	for (size_t i = 0; i < ov->n_lower; i++)
		plain = plain && plain_path(ov->lower[i]);
	if (plain)
		r = overlay_new(t, ov, err);
	return r == 1 ? overlay_old(t, ov, err) : r;
}

/* ---- masked and read-only paths ---- */

int mount_masks_init(struct mount_masks *m, struct err *err)
{
	struct stat st;

	*m = (struct mount_masks){ .null_fd = -1, .empty_fd = -1 };
	m->null_fd = sys_openat(AT_FDCWD, "/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	if (m->null_fd < 0)
		return err_sys(err, "open '/dev/null' to mask files with");
	if (sys_fstat(m->null_fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3)) {
		mount_masks_fini(m);
		return err_set(
			err, ERR_SYSTEM,
			"'/dev/null' is not the null device: refusing to mask files with it");
	}
	return 0;
}

void mount_masks_fini(struct mount_masks *m)
{
	fd_close(m->null_fd);
	fd_close(m->empty_fd);
	*m = (struct mount_masks){ .null_fd = -1, .empty_fd = -1 };
}

/* The first directory gets an empty tmpfs, the others a bind of that one: half the price, and one
 * superblock. */
static int mask_dir(const struct mount_target *t, struct mount_masks *m, struct err *err)
{
	char from[PATH_FD_LEN], to[PATH_FD_LEN];
	const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

	(void)path_of_fd(t->fd, to);
	if (m->empty_fd >= 0) {
		if (sys_mount(path_of_fd(m->empty_fd, from), to, NULL, MS_BIND, NULL) < 0)
			return err_sys(err, "mask directory '%s'", t->path);
		return 0;
	}
	if (sys_mount("tmpfs", to, "tmpfs", flags, "size=4k") < 0)
		return err_sys(err, "mask directory '%s'", t->path);
	return target_top(t, &m->empty_fd, err);
}

int mount_mask(int root, const char *path, struct mount_masks *m, struct err *err)
{
	CLEANUP(mount_target_fini) struct mount_target t = { .fd = -1 };
	char from[PATH_FD_LEN], to[PATH_FD_LEN];
	struct err absent = ERR_INIT;
	struct stat st;

	if (mount_target_open(&t, root, path, MOUNT_ON_EXISTING, false, &absent) < 0) {
		if (absent.code == ERR_NOT_FOUND || absent.sys == EACCES)
			return 0;
		if (err)
			*err = absent;
		return err_wrap(err, "mask '%s'", path);
	}
	if (sys_fstat(t.fd, &st) < 0)
		return err_sys(err, "mask '%s'", path);
	if (S_ISDIR(st.st_mode))
		return mask_dir(&t, m, err);
	if (sys_mount(path_of_fd(m->null_fd, from), path_of_fd(t.fd, to), NULL, MS_BIND, NULL) < 0)
		return err_sys(err, "mask file '%s'", path);
	return 0;
}

int mount_read_only(int root, const char *path, struct err *err)
{
	CLEANUP(mount_target_fini) struct mount_target t = { .fd = -1 };
	const struct mount_opts o = { .flags = MS_BIND | MS_REC, .rec_set = SYS_ATTR_RDONLY };
	struct err absent = ERR_INIT;
	int r;

	if (mount_target_open(&t, root, path, MOUNT_ON_EXISTING, false, &absent) < 0) {
		if (absent.code == ERR_NOT_FOUND || absent.sys == EACCES)
			return 0;
		if (err)
			*err = absent;
		return err_wrap(err, "make '%s' read-only", path);
	}
	r = mount_bind(&t, t.fd, "", &o, -1, err);
	return r < 0 ? err_wrap(err, "make '%s' read-only", path) : 0;
}

/* ---- root ---- */

/* pivot_root(".", ".") lays the old root over the new one. What is to be done to the old one goes
 * by a fd of it: a path of "." would mean the new root here, and cut the container's own mounts. */
int mount_pivot(int root_fd, bool cut, struct err *err)
{
	CLEANUP(fd_close) int old = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	if (old < 0)
		return err_sys(err, "open the old root");
	if (sys_fchdir(root_fd) < 0)
		return err_sys(err, "enter the new root");
	if (sys_pivot_root(".", ".") < 0)
		return err_sys(err, "pivot_root");
	if (sys_fchdir(old) < 0)
		return err_sys(err, "stand in the old root");
	if (cut && sys_mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return err_sys(err, "cut the old root's propagation");
	if (sys_umount2(".", MNT_DETACH) < 0)
		return err_sys(err, "detach the old root");
	if (sys_chdir("/") < 0)
		return err_sys(err, "stand in the new root");
	return 0;
}

int mount_move_root(int root_fd, struct err *err)
{
	if (sys_fchdir(root_fd) < 0)
		return err_sys(err, "enter the new root");
	if (sys_mount(".", "/", NULL, MS_MOVE, NULL) < 0)
		return err_sys(err, "move the new root to '/'");
	if (sys_chroot(".") < 0 || sys_chdir("/") < 0)
		return err_sys(err, "change root");
	return 0;
}

int mount_detach(const char *path, struct err *err)
{
	if (sys_umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || errno == EINVAL ||
	    errno == ENOENT)
		return 0;
	return err_sys(err, "unmount '%s'", path);
}

/* ---- procfs of another pid namespace ---- */

/* What is mounted was made by a process that its neighbours may have ruled: is it the procfs of
 * that namespace? */
static int check_proc_of(int mnt, int pid_ns, struct err *err)
{
	struct stat first, wanted;
	int r = path_check_procfs(mnt, err);

	if (r < 0)
		return r;
	if (sys_fstatat(mnt, "1/ns/pid", &first, 0) < 0 || sys_fstat(pid_ns, &wanted) < 0)
		return err_sys(err, "look at the first process of the pid namespace");
	if (first.st_dev != wanted.st_dev || first.st_ino != wanted.st_ino)
		return err_set(err, ERR_FORBIDDEN,
			       "procfs of another pid namespace than asked for");
	return 0;
}

static int proc_detached(int fs, int pid_ns, bool check, const char *source,
			 const struct mount_opts *o, int *ret, struct err *err)
{
	struct sys_mount_attr attrs = attrs_of(o->flags, 0);
	char log[200];

	if (set_string(fs, "source", source) < 0 ||
	    (o->data.n && set_extra(fs, buf_str(&o->data)) < 0) ||
	    sys_fsconfig(fs, SYS_FSCONFIG_CREATE, NULL, NULL, 0) < 0) {
		int saved = errno;

		fs_log(fs, log, sizeof(log));
		errno = saved;
		return err_sys(err, "make a procfs (data '%s') %s", buf_str(&o->data), log);
	}
	*ret = sys_fsmount(fs, SYS_FSMOUNT_CLOEXEC, (unsigned)attrs.set);
	if (*ret < 0)
		return err_sys(err, "make a mount of procfs");
	return check ? check_proc_of(*ret, pid_ns, err) : 0;
}

int mount_proc_of(const struct mount_target *t, int pid_ns, int context, const char *source,
		  const struct mount_opts *o, struct err *err)
{
	CLEANUP(fd_close) int own = -1;
	CLEANUP(fd_close) int mnt = -1;
	int fs = context, r;

	if (context < 0) {
		own = fs = sys_fsopen("proc", SYS_FSOPEN_CLOEXEC);
		if (own < 0)
			return err_sys(err, "mount proc on '%s'", t->path);
		if (sys_fsconfig(own, SYS_FSCONFIG_FD, "pidns", NULL, pid_ns) < 0)
			return errno == EINVAL || try_old()
				       ? 1
				       : err_sys(err, "mount proc on '%s'", t->path);
	}
	r = proc_detached(fs, pid_ns, context >= 0, source ? source : "proc", o, &mnt, err);
	if (r >= 0 &&
	    sys_move_mount(mnt, "", t->fd, "", SYS_MOVE_FROM_EMPTY | SYS_MOVE_TO_EMPTY) < 0)
		r = err_sys(err, "place it");
	if (r >= 0) {
		r = finish_in_place(t, o, err);
		if (r < 0)
			target_undo(t);
	}
	return r < 0 ? err_wrap(err, "mount proc on '%s'", t->path) : 0;
}
