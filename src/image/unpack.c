/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper's three jobs. Invariants of unpacking:
 * (1) no name is resolved through a symbolic link: parents are opened with RESOLVE_BENEATH |
 * RESOLVE_NO_SYMLINKS, the last component is only created, never opened (and the mount is
 * nosymfollow); (2) what is there is replaced, except a directory by a directory; (3) a whiteout
 * hides lower layers only: a name that this layer has too stays, and as a directory becomes opaque;
 * (4) times of directories are set last, since every entry made in one changes them; one that has
 * no entry gets those of the first that needs it, so equal tars give equal trees.
 */
#include "image/unpack.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "image/diff.h"
#include "image/fence.h"
#include "image/inflate.h"
#include "image/lazy-index.h"
#include "image/report.h"
#include "image/tar.h"
#include "linux/sys.h"

#include <signal.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define READ_SIZE (256 * 1024)
#define HOLE 4096u	     /* zeros of this size and place are not written */
#define DIRS_MAX (64u << 20) /* bytes of remembered directory times */

struct dir_time {
	struct timespec ts[2];
	uint32_t len; /* path follows */
};

struct unpacker {
	int root;
	int parent; /* fd of parent_path, or -1 */
	char parent_path[TAR_NAME_MAX + 1];
	char path[TAR_NAME_MAX + 1]; /* of the current entry */
	const char *base;	     /* its last part, in path */
	int file;		     /* current regular file, or -1 */
	struct timespec times[2];    /* of the current entry */
	uint64_t at;		     /* position in it */
	bool ends_in_hole;
	struct tar_entry entry; /* its attributes */
	struct buf dirs;	/* struct dir_time + path */
	struct buf marks;	/* for the report */
	bool base_layer, userns;
	uint64_t bytes, entries;
};

static int refuse(const struct unpacker *u, struct err *err, const char *what)
{
	return err_set(err, ERR_INVALID, "layer entry '%.300s': %s", u->path, what);
}

static int failed(const struct unpacker *u, struct err *err, const char *what)
{
	return err_sys(err, "layer entry '%.300s': %s", u->path, what);
}

static int mark(struct unpacker *u, char kind, const char *path, struct err *err)
{
	buf_addc(&u->marks, kind);
	buf_adds(&u->marks, path);
	if (buf_addc(&u->marks, '\0') < 0)
		return err_set(err, ERR_TOO_LARGE,
			       "layer has too many opaque or implied directories");
	return 0;
}

static void entry_times(const struct tar_entry *e, struct timespec ts[2])
{
	ts[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
	if (e->has_atime)
		ts[0] = (struct timespec){ .tv_sec = e->atime_s, .tv_nsec = e->atime_ns };
	ts[1] = (struct timespec){ .tv_sec = e->mtime_s, .tv_nsec = e->mtime_ns };
}

static int remember_times(struct unpacker *u, const char *path, struct err *err)
{
	struct dir_time dt = { .len = (uint32_t)strlen(path) };

	memcpy(dt.ts, u->times, sizeof(dt.ts));
	buf_add(&u->dirs, &dt, sizeof(dt));
	if (buf_add(&u->dirs, path, dt.len) < 0)
		return err_set(err, ERR_TOO_LARGE, "layer has too many directories");
	return 0;
}

/* ---- parents ---- */

static int open_dir(const struct unpacker *u, const char *path, int *ret)
{
	const struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};

	*ret = sys_openat2(u->root, path[0] ? path : ".", &how);
	return *ret < 0 ? -1 : 0;
}

static int parent_err(const struct unpacker *u, struct err *err)
{
	if (errno == ELOOP)
		return refuse(u, err,
			      "lies below a symbolic link of this layer; links are not followed");
	if (errno == ENOTDIR)
		return refuse(u, err, "lies below something that is no directory");
	return failed(u, err, "open its directory");
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* A whiteout of this layer stands where a directory is needed: what lies below it is new, so the
 * directory hides the lower one. `path`: all parts but the last are directories. 1 = done. */
static int whiteout_to_dir(struct unpacker *u, const char *path, struct err *err)
{
	struct stat st;

	if (sys_fstatat(u->root, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !is_whiteout(&st))
		return 0;
	if (sys_unlinkat(u->root, path, 0) < 0 || sys_mkdirat(u->root, path, 0755) < 0)
		return failed(u, err, "make its directory");
	if (mark(u, UNPACK_MARK_OPAQUE, path, err) < 0 || remember_times(u, path, err) < 0)
		return err_ret(err);
	return 1;
}

/* Makes the missing directories of `path` (borrowed, changed and restored). */
static int make_parents(struct unpacker *u, char *path, struct err *err)
{
	CLEANUP(fd_close) int dir = -1;
	int r;

	for (char *slash = path;; slash++) {
		bool last;

		slash += strcspn(slash, "/");
		last = *slash == '\0';
		*slash = '\0';
		r = open_dir(u, path, &dir);
		if (r < 0 && errno == ENOENT) {
			r = sys_mkdirat(u->root, path, 0755);
			if (r >= 0)
				r = mark(u, UNPACK_MARK_IMPLICIT, path, err);
			if (r >= 0)
				r = remember_times(u, path, err);
			if (r < 0 && r != -1)
				return r;
		} else if (r < 0) {
			int saved = errno;

			r = saved == ENOTDIR ? whiteout_to_dir(u, path, err) : 0;
			if (r < 0)
				return r;
			errno = saved;
			r = r ? 0 : -1;
		}
		if (r < 0)
			return parent_err(u, err);
		fd_close(STEAL_FD(dir));
		if (last)
			return 0;
		*slash = '/';
	}
}

/* Directory that holds `path`; *ret_base is its last part. The fd is cached: layers come directory
 * by directory. */
static int open_parent(struct unpacker *u, const char *path, int *ret_fd, const char **ret_base,
		       struct err *err)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;
	int r, fd;

	*ret_base = slash ? slash + 1 : path;
	if (u->parent >= 0 && strlen(u->parent_path) == n && memcmp(u->parent_path, path, n) == 0) {
		*ret_fd = u->parent;
		return 0;
	}
	fd_close(STEAL_FD(u->parent));
	memcpy(u->parent_path, path, n);
	u->parent_path[n] = '\0';
	if (open_dir(u, u->parent_path, &fd) < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return parent_err(u, err);
		r = make_parents(u, u->parent_path, err);
		if (r < 0)
			return r;
		if (open_dir(u, u->parent_path, &fd) < 0)
			return parent_err(u, err);
	}
	*ret_fd = u->parent = fd;
	return 0;
}

/* The cached parent may be (below) what is removed. */
static void forget_parent(struct unpacker *u)
{
	fd_close(STEAL_FD(u->parent));
}

/* Removes what stands at dir/base. 1 if it was a whiteout. */
static int make_room(struct unpacker *u, int dir, struct err *err)
{
	struct stat st;
	int r;

	if (sys_fstatat(dir, u->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(u, err, "look at what is there");
	if (S_ISDIR(st.st_mode)) {
		r = fd_remove_tree(dir, u->base, err);
		return r < 0 ? err_wrap(err, "layer entry '%.300s': replace a directory", u->path)
			     : 0;
	}
	if (sys_unlinkat(dir, u->base, 0) < 0)
		return failed(u, err, "replace what is there");
	return is_whiteout(&st);
}

/* ---- attributes ---- */

enum xattr_verdict { XATTR_SET, XATTR_SKIP, XATTR_REFUSE };

static enum xattr_verdict judge_xattr(const char *name)
{
	struct slice s = slice_str(name);

	/* Overlay's own marks would let a layer hide or redirect files of others. */
	if (slice_starts(s, SLICE("trusted.")) || slice_starts(s, SLICE("user.overlay.")) ||
	    slice_starts(s, SLICE("user.fuseoverlayfs.")))
		return XATTR_REFUSE;
	if (slice_is(s, "security.capability") || slice_starts(s, SLICE("user.")) ||
	    slice_starts(s, SLICE("system.posix_acl_")))
		return XATTR_SET;
	return XATTR_SKIP; /* labels of another machine's security module mean nothing here */
}

static int set_xattrs(const struct unpacker *u, int fd, struct err *err)
{
	for (size_t i = 0; i < u->entry.nxattrs; i++) {
		const struct tar_xattr *x = &u->entry.xattrs[i];

		if (judge_xattr(x->name) != XATTR_SET)
			continue;
		/* ENOTSUP: the file system keeps none of this kind; docker goes on as well. */
		if (fsetxattr(fd, x->name, x->value.p, x->value.n, 0) < 0 && errno != ENOTSUP)
			return err_sys(err, "layer entry '%.300s': set extended attribute '%s'",
				       u->path, x->name);
	}
	return 0;
}

static int check_xattrs(const struct unpacker *u, const struct tar_entry *e, struct err *err)
{
	for (size_t i = 0; i < e->nxattrs; i++)
		if (judge_xattr(e->xattrs[i].name) == XATTR_REFUSE)
			return err_set(err, ERR_INVALID,
				       "layer entry '%.300s': extended attribute '%.100s' is not "
				       "allowed in a layer",
				       u->path, e->xattrs[i].name);
	return 0;
}

static int owner_failed(const struct unpacker *u, const struct tar_entry *e, struct err *err)
{
	if (errno != EINVAL)
		return failed(u, err, "set its owner");
	return err_set(err, ERR_INVALID,
		       "layer entry '%.300s': its owner %lld:%lld is not mapped in this user "
		       "namespace; give it more ids (/etc/subuid, /etc/subgid)",
		       u->path, (long long)e->uid, (long long)e->gid);
}

/* Owner, mode, attributes, times of an open file or directory. Order: chown clears suid and
 * capabilities. */
static int set_attributes(const struct unpacker *u, int fd, bool times, struct err *err)
{
	const struct tar_entry *e = &u->entry;
	struct timespec ts[2];
	int r;

	if (fchown(fd, (uid_t)e->uid, (gid_t)e->gid) < 0)
		return owner_failed(u, e, err);
	if (sys_fchmod(fd, e->mode) < 0)
		return failed(u, err, "set its mode");
	r = set_xattrs(u, fd, err);
	if (r < 0 || !times)
		return r;
	entry_times(e, ts);
	return futimens(fd, ts) < 0 ? failed(u, err, "set its time") : 0;
}

/* The same for what cannot be opened: links and special files. They carry no user attributes. */
static int set_attributes_at(const struct unpacker *u, int dir, const struct tar_entry *e,
			     struct err *err)
{
	struct timespec ts[2];

	if (sys_fchownat(dir, u->base, (uid_t)e->uid, (gid_t)e->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return owner_failed(u, e, err);
	if (e->type != TAR_SYM && sys_fchmodat(dir, u->base, e->mode) < 0)
		return failed(u, err, "set its mode");
	entry_times(e, ts);
	if (utimensat(dir, u->base, ts, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(u, err, "set its time");
	return 0;
}

/* ---- kinds of entries ---- */

static int add_file(struct unpacker *u, int dir, const struct tar_entry *e, struct err *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int r;

	u->file = sys_openat(dir, u->base, flags, 0600);
	if (u->file < 0 && errno == EEXIST) {
		r = make_room(u, dir, err);
		if (r < 0)
			return r;
		u->file = sys_openat(dir, u->base, flags, 0600);
	}
	u->at = 0;
	u->ends_in_hole = false;
	return u->file < 0 ? failed(u, err, "create file") : 0;
}

static int add_dir(struct unpacker *u, int dir, const struct tar_entry *e, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct stat st;
	int r = 0;

	if (u->base[0] && sys_mkdirat(dir, u->base, 0700) < 0) {
		if (errno != EEXIST)
			return failed(u, err, "make directory");
		if (sys_fstatat(dir, u->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return failed(u, err, "look at what is there");
		if (!S_ISDIR(st.st_mode)) {
			r = make_room(u, dir, err);
			if (r < 0)
				return r;
			if (sys_mkdirat(dir, u->base, 0700) < 0)
				return failed(u, err, "make directory");
		}
	}
	if (r == 1) { /* keeps (3): the whiteout came first */
		r = mark(u, UNPACK_MARK_OPAQUE, u->path, err);
		if (r < 0)
			return r;
	}
	fd = sys_openat(dir, u->base[0] ? u->base : ".",
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return failed(u, err, "open directory");
	u->entry = *e;
	r = set_attributes(u, fd, false, err);
	return r < 0 ? r : remember_times(u, u->path, err);
}

static int add_symlink(struct unpacker *u, int dir, const struct tar_entry *e, struct err *err)
{
	int r;

	if (strlen(e->link) > 4095)
		return refuse(u, err, "the target of the link is longer than 4095 bytes");
	if (sys_symlinkat(e->link, dir, u->base) < 0) {
		if (errno != EEXIST)
			return failed(u, err, "make symbolic link");
		r = make_room(u, dir, err);
		if (r < 0)
			return r;
		if (sys_symlinkat(e->link, dir, u->base) < 0)
			return failed(u, err, "make symbolic link");
	}
	return set_attributes_at(u, dir, e, err);
}

static int add_special(struct unpacker *u, int dir, const struct tar_entry *e, struct err *err)
{
	static const mode_t kinds[] = {
		[TAR_CHAR] = S_IFCHR, [TAR_BLOCKDEV] = S_IFBLK, [TAR_FIFO] = S_IFIFO
	};
	dev_t dev = e->type == TAR_FIFO ? 0 : makedev(e->major, e->minor);
	int r;

	if (e->type == TAR_CHAR && dev == 0)
		return refuse(
			u, err,
			"character device 0:0 is overlay's whiteout and not allowed in a layer");
	if (sys_mknodat(dir, u->base, kinds[e->type] | 0600, dev) < 0) {
		/* Nobody in a user namespace can make a device, so it is left out, as docker does
		 * there. */
		if (errno == EPERM && u->userns && e->type != TAR_FIFO)
			return 0;
		if (errno != EEXIST)
			return failed(u, err, "make special file");
		r = make_room(u, dir, err);
		if (r < 0)
			return r;
		if (sys_mknodat(dir, u->base, kinds[e->type] | 0600, dev) < 0)
			return failed(u, err, "make special file");
	}
	return set_attributes_at(u, dir, e, err);
}

/* The target lies in a lower layer, or nowhere: an empty file takes its place, which the starter
 * fills with what the layers below show there (they may not be unpacked yet). As overlay does, the
 * file is copied up, and this layer's links are links to the copy. */
static int copy_up_later(struct unpacker *u, const char *target, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	char path[TAR_NAME_MAX + 1], text[TAR_NAME_MAX + 32];
	const char *base;
	struct stat st;
	int dir, r;

	if (u->base_layer)
		return refuse(u, err, "the target of the hard link is not in this layer");
	(void)str_copy(path, sizeof(path), target);
	r = open_parent(u, path, &dir, &base, err);
	if (r < 0)
		return r;
	fd = sys_openat(dir, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || sys_fstat(fd, &st) < 0)
		return failed(u, err, "make the target of the hard link");
	snprintf(text, sizeof(text), "%llu %s", (unsigned long long)st.st_ino, target);
	return mark(u, UNPACK_MARK_COPY_UP, text, err);
}

/* What stands at the name is removed first, but not when it is this very file. */
static int link_to(struct unpacker *u, int from, const char *base, const struct stat *target,
		   struct err *err)
{
	struct stat st;
	int dir, r;

	r = open_parent(u, u->path, &dir, &u->base, err);
	if (r < 0)
		return r;
	if (linkat(from, base, dir, u->base, 0) == 0)
		return 0;
	if (errno != EEXIST)
		return failed(u, err, "make hard link");
	if (sys_fstatat(dir, u->base, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ino == target->st_ino && st.st_dev == target->st_dev)
		return 0;
	r = make_room(u, dir, err);
	if (r < 0)
		return r;
	return linkat(from, base, dir, u->base, 0) < 0 ? failed(u, err, "make hard link") : 0;
}

/* The target as this layer has it: 1, 0 = it has none. */
static int find_target(struct unpacker *u, const char *target, int *ret_dir, const char **ret_base,
		       struct stat *st, struct err *err)
{
	char dir[TAR_NAME_MAX + 1];
	const char *slash = strrchr(target, '/');
	size_t n = slash ? (size_t)(slash - target) : 0;

	*ret_base = slash ? slash + 1 : target;
	memcpy(dir, target, n);
	dir[n] = '\0';
	if (open_dir(u, dir, ret_dir) < 0) {
		if (errno == ENOENT)
			return 0;
		return refuse(u, err,
			      errno == ELOOP ? "the target of the hard link lies below a symbolic "
					       "link; links are not followed"
					     : "the target of the hard link is not in this layer");
	}
	if (sys_fstatat(*ret_dir, *ret_base, st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : failed(u, err, "look at the target of the hard link");
	if (is_whiteout(st))
		return refuse(u, err, "the target of the hard link was removed by this layer");
	if (S_ISDIR(st->st_mode))
		return refuse(u, err, "is a hard link to a directory");
	return 1;
}

static int add_hardlink(struct unpacker *u, const struct tar_entry *e, struct err *err)
{
	char target[TAR_NAME_MAX + 1];
	const char *base;
	struct stat st;
	int r;

	r = tar_name_clean(e->link, target, err);
	if (r < 0)
		return err_wrap(err, "layer entry '%.300s': hard link", u->path);
	if (!target[0] || strcmp(target, u->path) == 0)
		return refuse(u, err, "is a hard link to itself or to the root");
	for (int turn = 0; turn < 2; turn++) {
		CLEANUP(fd_close) int from = -1;

		r = find_target(u, target, &from, &base, &st, err);
		if (r > 0)
			r = link_to(u, from, base, &st, err) < 0 ? err_ret(err) : 1;
		if (r > 0)
			return turn ? mark(u, UNPACK_MARK_COPY_AT, u->path, err) : 0;
		if (r == 0)
			r = copy_up_later(u, target, err);
		if (r < 0)
			return r;
	}
	return refuse(u, err, "the target of the hard link went away");
}

static int add_opaque(struct unpacker *u, int dir, struct err *err)
{
	char path[TAR_NAME_MAX + 1];

	(void)str_copy(path, sizeof(path), u->parent_path);
	return u->base_layer ? 0 : mark(u, UNPACK_MARK_OPAQUE, path, err);
}

static int add_whiteout(struct unpacker *u, int dir, struct err *err)
{
	const char *name = u->base + 4;
	char hidden[TAR_NAME_MAX + 1];
	struct stat st;

	if (!name[0] || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return refuse(u, err, "is a whiteout of no possible name");
	if (u->base_layer)
		return 0;
	if (sys_mknodat(dir, name, S_IFCHR, 0) == 0)
		return 0;
	if (errno != EEXIST)
		return failed(u, err, "make whiteout");
	if (sys_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(u, err, "look at what is there");
	if (!S_ISDIR(st.st_mode))
		return 0; /* keeps (3) */
	if (u->parent_path[0])
		snprintf(hidden, sizeof(hidden), "%.*s/%s", TAR_NAME_MAX - 300, u->parent_path,
			 name);
	else
		(void)str_copy(hidden, sizeof(hidden), name);
	return mark(u, UNPACK_MARK_OPAQUE, hidden, err);
}

/* Names with aufs metadata in any part are left out (image-spec layer.md, "Whiteouts"); other parts
 * that begin as a whiteout does could not be told from one. 1 = leave out. */
static int check_parts(const struct unpacker *u, struct err *err)
{
	struct slice rest = slice_str(u->path), part;

	while (rest.p) {
		part = slice_split(&rest, '/');
		if (slice_starts(part, SLICE(".wh..wh.")) && !slice_is(part, ".wh..wh..opq"))
			return 1;
		if (rest.p && slice_starts(part, SLICE(".wh.")))
			return refuse(u, err, "lies below a whiteout");
	}
	return 0;
}

static int on_entry(void *ctx, const struct tar_entry *e, struct err *err)
{
	struct unpacker *u = ctx;
	int dir, r;

	r = tar_name_clean(e->name, u->path, err);
	if (r < 0)
		return err_wrap(err, "layer entry");
	u->entries++;
	entry_times(e, u->times);
	u->base = strrchr(u->path, '/') ? strrchr(u->path, '/') + 1 : u->path;
	r = check_parts(u, err);
	if (r)
		return r < 0 ? r : 0;
	r = check_xattrs(u, e, err);
	if (r < 0)
		return r;
	if (!u->path[0] && e->type != TAR_DIR)
		return refuse(u, err, "the root is no directory");
	if (e->type == TAR_HARD && strncmp(u->base, ".wh.", 4) != 0)
		return add_hardlink(u, e, err);
	r = open_parent(u, u->path, &dir, &u->base, err);
	if (r < 0)
		return r;
	if (strcmp(u->base, ".wh..wh..opq") == 0)
		return add_opaque(u, dir, err);
	if (strncmp(u->base, ".wh.", 4) == 0)
		return add_whiteout(u, dir, err);
	switch (e->type) {
	case TAR_REG: u->entry = *e; return add_file(u, dir, e, err);
	case TAR_DIR: return add_dir(u, dir, e, err);
	case TAR_SYM: return add_symlink(u, dir, e, err);
	default: return add_special(u, dir, e, err);
	}
}

/* ---- data: blocks of zeros become holes ---- */

static int skip_zeros(struct unpacker *u, uint64_t n, struct err *err)
{
	u->at += n;
	u->ends_in_hole = true;
	return lseek(u->file, (off_t)u->at, SEEK_SET) < 0 ? failed(u, err, "leave a hole") : 0;
}

static int write_plain(struct unpacker *u, const char *p, size_t n, struct err *err)
{
	u->at += n;
	u->ends_in_hole = false;
	return fd_write_all(u->file, p, n) < 0 ? failed(u, err, "write") : 0;
}

static bool all_zero(const char *p, size_t n)
{
	return p[0] == 0 && p[n - 1] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* Block by block of the file; a piece may begin and end inside of one. */
static int write_sparse(struct unpacker *u, const char *p, size_t n, struct err *err)
{
	size_t from = 0, k = 0, holes = 0; /* [from, holes) is data, [holes, k) zeros */
	int r = 0;

	while (k < n && r >= 0) {
		size_t part = MIN(n - k, (size_t)(HOLE - ((u->at + k - from) & (HOLE - 1))));

		if (all_zero(p + k, part)) {
			k += part;
			continue;
		}
		if (k > holes) {
			r = holes > from ? write_plain(u, p + from, holes - from, err) : 0;
			if (r >= 0)
				r = skip_zeros(u, k - holes, err);
			from = k;
		}
		k += part;
		holes = k;
	}
	if (r >= 0 && holes > from)
		r = write_plain(u, p + from, holes - from, err);
	return r >= 0 && k > holes ? skip_zeros(u, k - holes, err) : r;
}

static int on_data(void *ctx, const void *p, size_t n, struct err *err)
{
	struct unpacker *u = ctx;

	if (u->file < 0)
		return 0; /* data of what was left out */
	u->bytes += n;
	return write_sparse(u, p, n, err);
}

static int on_hole(void *ctx, uint64_t n, struct err *err)
{
	struct unpacker *u = ctx;

	if (u->file < 0)
		return 0;
	u->bytes += n;
	return skip_zeros(u, n, err);
}

static int on_end(void *ctx, struct err *err)
{
	struct unpacker *u = ctx;
	int r;

	if (u->file < 0)
		return 0;
	if (u->ends_in_hole && ftruncate(u->file, (off_t)u->at) < 0)
		return failed(u, err, "set its size");
	r = set_attributes(u, u->file, true, err);
	fd_close(STEAL_FD(u->file));
	return r;
}

/* keeps (4); a directory that was replaced meanwhile is passed over. */
static int set_dir_times(struct unpacker *u, struct err *err)
{
	char path[TAR_NAME_MAX + 1];
	struct dir_time dt;

	for (size_t at = 0; at < u->dirs.n; at += dt.len) {
		const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
					      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
		CLEANUP(fd_close) int fd = -1;

		memcpy(&dt, u->dirs.p + at, sizeof(dt));
		at += sizeof(dt);
		memcpy(path, u->dirs.p + at, dt.len);
		path[dt.len] = '\0';
		fd = sys_openat2(u->root, dt.len ? path : ".", &how);
		if (fd >= 0 && futimens(fd, dt.ts) < 0)
			return err_sys(err, "layer entry '%.300s': set its time", path);
	}
	return 0;
}

/* ---- jobs ---- */

struct job {
	uint64_t size_max, entries_max;
	unsigned flags;
	struct unpack_report report;
	struct buf extra;
};

static int pump_tar(struct tar_reader *t, struct err *err)
{
	CLEANUP_FREE char *buf = malloc(READ_SIZE);
	int r;

	if (!buf)
		abort();
	for (;;) {
		ssize_t n = read(0, buf, READ_SIZE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read the layer");
		if (n == 0)
			return tar_reader_finish(t, err);
		r = tar_reader_push(t, buf, (size_t)n, err);
		if (r < 0)
			return r;
	}
}

static int job_unpack(struct job *j, struct err *err)
{
	static const struct tar_ops ops = { on_entry, on_data, on_hole, on_end };
	const struct tar_limits limits = { .total_max = j->size_max,
					   .entries_max = j->entries_max };
	CLEANUP_FREE struct unpacker *u = calloc(1, sizeof(*u));
	CLEANUP(tar_reader_free) struct tar_reader *t = NULL;
	int r;

	if (!u)
		abort();
	umask(0); /* modes are the archive's; not to be had inside the fence */
	r = fence_enter(FENCE_WRITER, UNPACK_FD_ROOT, j->size_max, err);
	if (r < 0)
		return r;
	u->parent = u->file = -1;
	u->dirs = BUF_INIT(DIRS_MAX);
	u->marks = BUF_INIT(UNPACK_EXTRA_MAX);
	u->base_layer = j->flags & UNPACK_FLAG_BASE;
	u->userns = j->flags & UNPACK_FLAG_USERNS;
	u->root = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (u->root < 0)
		return err_sys(err, "open the new root");
	t = tar_reader_new(&limits, &ops, u);
	r = pump_tar(t, err);
	if (r >= 0)
		r = set_dir_times(u, err);
	forget_parent(u);
	buf_fini(&u->dirs);
	j->report.bytes = u->bytes;
	j->report.entries = u->entries;
	j->extra = u->marks;
	return r;
}

static int list_entry(void *ctx, const struct tar_entry *e, struct err *err)
{
	struct job *j = ctx;
	const struct unpack_member m = { .offset = e->offset,
					 .size = e->size,
					 .name_len = (uint16_t)strlen(e->name),
					 .link_len = (uint16_t)strlen(e->link),
					 .type = (uint8_t)e->type };

	if (e->sparse)
		return err_set(err, ERR_UNSUPPORTED,
			       "member '%.200s' of the archive is sparse; files inside of layers "
			       "can be, members cannot",
			       e->name);
	buf_add(&j->extra, &m, sizeof(m));
	buf_add(&j->extra, e->name, m.name_len);
	if (buf_add(&j->extra, e->link, m.link_len) < 0)
		return err_set(err, ERR_TOO_LARGE,
			       "the list of the archive's members is too large");
	j->report.entries++;
	return 0;
}

/* Reads headers and seeks over data: an archive of many gigabytes is listed in little time. */
static int job_list(struct job *j, struct err *err)
{
	static const struct tar_ops ops = { list_entry, NULL, NULL, NULL };
	const struct tar_limits limits = { .total_max = j->size_max,
					   .entries_max = j->entries_max };
	CLEANUP(tar_reader_free) struct tar_reader *t = tar_reader_new(&limits, &ops, j);
	char buf[TAR_BLOCK];
	struct stat st;
	uint64_t at = 0;
	int r;

	r = fence_enter(FENCE_FILTER, UNPACK_FD_ROOT, 0, err);
	if (r < 0)
		return r;
	j->extra = BUF_INIT(UNPACK_EXTRA_MAX);
	if (fstat(0, &st) < 0)
		return err_sys(err, "look at the archive");
	while (at < (uint64_t)st.st_size) {
		ssize_t n;

		at += tar_reader_skip(t, (uint64_t)st.st_size - at);
		/* One block, so that the data after a header is passed over and not read. */
		n = pread(0, buf, TAR_BLOCK - at % TAR_BLOCK, (off_t)at);
		if (n < 0)
			return err_sys(err, "read the archive");
		if (n == 0)
			break;
		r = tar_reader_push(t, buf, (size_t)n, err);
		if (r < 0)
			return r;
		at += (uint64_t)n;
	}
	return tar_reader_finish(t, err);
}

static int job_inflate(struct job *j, struct err *err)
{
	int r;

	r = fence_enter(FENCE_FILTER, UNPACK_FD_ROOT, 0, err);
	return r < 0 ? r : inflate_fd(0, 1, &j->report.bytes, err);
}

/* The same, and the layer's index is the report's extra. */
static int job_index(struct job *j, struct err *err)
{
	int r = fence_enter(FENCE_FILTER, UNPACK_FD_ROOT, 0, err);

	if (r >= 0)
		r = lazy_build_fd(0, 1, &j->extra, &j->report.bytes, err);
	fd_close(1); /* the stream ends before the report, which whoever pumps reads after it */
	return r;
}

static int job_diff(struct job *j, struct err *err)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct image_diff_result res = { 0 };
	unsigned n = j->flags >> 16;
	int r;

	if (n < 1 || n > DIFF_LAYERS_MAX)
		return err_set(err, ERR_INVALID, "diff helper: %u layers", n);
	(void)sigaction(SIGPIPE, &ignore, NULL); /* a reader that left is an error of the write */
	r = fence_enter_reader(UNPACK_FD_ROOT, DIFF_FD_FIRST, n, err);
	if (r >= 0)
		r = diff_run(j->flags, &res, err);
	j->report.entries = res.entries;
	j->report.bytes = res.bytes;
	return r;
}

static void send_report(struct job *j, int result, const struct err *err)
{
	struct unpack_report *rp = &j->report;

	rp->magic = UNPACK_MAGIC;
	rp->code = result < 0 ? (uint32_t)err->code : 0;
	rp->sys = err->sys;
	(void)str_copy(rp->msg, sizeof(rp->msg), err->msg);
	rp->extra = result < 0 ? 0 : (uint32_t)j->extra.n;
	/* Nobody left to tell when this fails. */
	if (fd_write_all(UNPACK_FD_REPORT, rp, sizeof(*rp)) == 0 && rp->extra)
		(void)fd_write_all(UNPACK_FD_REPORT, j->extra.p, rp->extra);
}

int image_unpack_main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(struct job *j, struct err *err);
	} modes[] = { { "unpack", job_unpack },
		      { "list", job_list },
		      { "inflate", job_inflate },
		      { "index", job_index },
		      { "diff", job_diff } };
	CLEANUP_FREE struct job *j = calloc(1, sizeof(*j));
	struct err err = ERR_INIT;
	uint64_t flags;
	int r;

	if (!j)
		abort();
	if (argc != 6 || str_uint64(slice_str(argv[3]), &j->size_max, NULL) < 0 ||
	    str_uint64(slice_str(argv[4]), &j->entries_max, NULL) < 0 ||
	    str_uint64(slice_str(argv[5]), &flags, NULL) < 0)
		_exit(2); /* not ours to start by hand */
	j->flags = (unsigned)flags;
	r = err_set(&err, ERR_UNSUPPORTED, "unpack helper: unknown mode '%s'", argv[2]);
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (strcmp(argv[2], modes[i].name) != 0)
			continue;
		err = ERR_INIT;
		r = modes[i].run(j, &err);
	}
	send_report(j, r, &err);
	_exit(r < 0 ? 1 : 0); /* no exit handlers: the fence would not let them run */
}
