/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts: the option strings of OCI, and mounting onto targets that a container may try to bend.
 *
 * A target is opened once below the root file system (path.h) and mounted on by fd, so no path is
 * looked up twice. Plain file systems use mount(2), one call; binds with flags are cloned
 * (open_tree), get their flags while nobody sees them (mount_setattr) and are moved in. Kernels or
 * filters without the new calls get mount(2) and remount, and for recursive flags a walk over
 * mountinfo. All calls act on the caller's mount namespace. They allocate little and may run in a
 * CLONE_VM child.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

enum {
	MOUNT_PROPAGATION_MAX = 4,
	MOUNT_DATA_MAX = 64 * 1024,
};

/* What a list of option strings says. All zero = "defaults". */
struct mount_opts {
	unsigned long flags; /* MS_* set, MS_BIND, MS_REC and MS_REMOUNT among them */
	unsigned long clear; /* MS_* asked to be off ("rw", "exec"): matters for bind and remount */
	uint64_t rec_set, rec_clear; /* SYS_ATTR_* of the r-forms ("rro"): whole tree */
	unsigned long propagation[MOUNT_PROPAGATION_MAX]; /* MS_SHARED.. with MS_REC, in order */
	unsigned n_propagation;
	bool idmap, ridmap; /* caller makes the user namespace and passes its fd */
	bool tmpcopyup;	    /* tmpfs begins with a copy of what it covers */
	bool src_nofollow, dest_nofollow;
	bool copy_symlink; /* a source that is a link is copied: for the caller, who makes mounts */
	struct buf data;   /* the rest, comma-joined, for the file system */
};
void mount_opts_fini(struct mount_opts *o);
DEFINE_CLEANUP_EMBEDDED(struct mount_opts, mount_opts_fini)

/* Parses options of OCI (runtime-spec config.md "mounts"); later ones win. *o must be zeroed or
 * fini'd before. Refuses by name what is known and not supported ("rsync", "idmap=..."), and
 * more data than MOUNT_DATA_MAX. */
int mount_opts_parse(const char *const *options, size_t n, struct mount_opts *o, struct err *err);

/* Names of all option strings understood, NULL-terminated, sorted: for `features`. */
const char *const *mount_opt_names(void);

/* Where a mount goes. `root` and `path` are borrowed: they serve to look at the mount again
 * (remount, propagation). */
struct mount_target {
	int root;
	const char *path;
	int fd; /* O_PATH, owned; the directory or file covered */
};
enum mount_target_kind { MOUNT_ON_EXISTING, MOUNT_ON_DIR, MOUNT_ON_FILE };
/* Opens the target inside root, making a missing directory or file if the kind says so. With
 * nofollow a link as last component is refused. 1 if it made the last component. */
int mount_target_open(struct mount_target *t, int root, const char *path,
		      enum mount_target_kind kind, bool nofollow, struct err *err);
void mount_target_fini(struct mount_target *t);
DEFINE_CLEANUP_EMBEDDED(struct mount_target, mount_target_fini)

/* A new file system of `type` with all of o (flags, data, propagation, recursive attributes,
 * tmpcopyup). */
int mount_fs(const struct mount_target *t, const char *type, const char *source,
	     const struct mount_opts *o, struct err *err);

/* procfs of another pid namespace than the caller's. `context`: of fsopen("proc") by a process of
 * that namespace, or -1: then the kernel is asked for it by name (6.17), 1 = it cannot do so. With
 * a context, whose maker is not trusted, -ERR_FORBIDDEN if it leads to anything else. */
int mount_proc_of(const struct mount_target *t, int pid_ns, int context, const char *source,
		  const struct mount_opts *o, struct err *err);

/* Bind of `source` (relative to src_dir; AT_FDCWD; "" = src_dir itself, which may be O_PATH) with
 * all of o. MS_REC in o->flags takes the tree. userns_fd: for idmap and ridmap, else -1. */
int mount_bind(const struct mount_target *t, int src_dir, const char *source,
	       const struct mount_opts *o, int userns_fd, struct err *err);

/* Detached copy of a mount tree, to be attached later (also by a child in a new mount namespace
 * that got the fd). */
int mount_tree_open(int dir, const char *path, bool recursive, int *ret_fd, struct err *err);
int mount_tree_attach(int tree_fd, const struct mount_target *t, struct err *err);

/* The first half of an id-mapped mount_bind(), for who has the right to it while the one who
 * attaches it (mount_tree_attach) has not: a slave copy of the tree with all of o. -ERR_NOT_FOUND,
 * or UNSUPPORTED where kernel or file system cannot. */
int mount_bind_detached(int src_dir, const char *source, const struct mount_opts *o, int userns_fd,
			int *ret_tree, struct err *err);

/* Changes the flags of the mount that lies on the target ("remount"): without MS_BIND also those of
 * the file system. */
int mount_remount(const struct mount_target *t, const struct mount_opts *o, struct err *err);

/* MS_SHARED, MS_PRIVATE, MS_SLAVE or MS_UNBINDABLE, with MS_REC for the tree; path below the
 * caller's root. */
int mount_propagate(const char *path, unsigned long flags, struct err *err);

/* SYS_ATTR_* of all mounts at and below the target. */
int mount_attr_tree(const struct mount_target *t, uint64_t set, uint64_t clear, struct err *err);

struct mount_overlay {
	const char *const *lower; /* topmost first, at least one */
	size_t n_lower;
	const char *upper, *work; /* NULL = read-only */
	bool is_volatile;  /* no sync at umount: for throw-away containers; the work dir cannot be
			      used again */
	bool userxattr;	   /* mounted by an unprivileged user namespace */
	const char *extra; /* more options, comma-joined, e.g. "metacopy=on"; NULL */
};
/* Layers are given to fsconfig one by one where the kernel has it, so their number and length are
 * not bounded by a page; else as one mount(2) string (INVALID with the limit in the message when it
 * does not fit). */
int mount_overlay(const struct mount_target *t, const struct mount_overlay *ov, struct err *err);

/* Hides a path: /dev/null over a file, one shared empty read-only directory over a directory.
 * Absent paths are fine. `masks` is made once per container, inside its mount namespace. */
struct mount_masks {
	int null_fd;  /* O_PATH of /dev/null */
	int empty_fd; /* root of the tmpfs over the first masked directory, or -1 before it */
};
int mount_masks_init(struct mount_masks *m, struct err *err);
void mount_masks_fini(struct mount_masks *m);
DEFINE_CLEANUP_EMBEDDED(struct mount_masks, mount_masks_fini)
int mount_mask(int root, const char *path, struct mount_masks *m, struct err *err);

/* Read-only bind of the tree at path onto itself. Absent paths are fine. */
int mount_read_only(int root, const char *path, struct err *err);

/* Makes the mount at root_fd the root of this mount namespace, detaches the old root and stands in
 * "/". The mount that root_fd lies on must be a mount point and not shared. `cut`: the old root may
 * be shared, and its unmounting is not to travel out. */
int mount_pivot(int root_fd, bool cut, struct err *err);
/* The same without pivot_root(2), for an initramfs (its root cannot be pivoted): MS_MOVE and
 * chroot. */
int mount_move_root(int root_fd, struct err *err);

/* umount -l of a path; absent or not mounted is fine. Links are not followed. */
int mount_detach(const char *path, struct err *err);

/* One line of mountinfo. Strings are unescaped and live during the call. */
struct mount_info {
	int id, parent;
	unsigned major, minor;
	const char *root, *target, *options, *optional, *fstype, *source, *super;
};
/* Calls fn for each mount of this process; fn's non-zero result ends the walk and is returned.
 * `root` >= 0 reads proc/self/mountinfo below that directory (tests); -1 the real one. At most 64
 * MiB are read. */
int mount_each(int root, int (*fn)(const struct mount_info *mi, void *arg), void *arg,
	       struct err *err);
/* The same of another process, as its root shows them. */
int mount_each_of(pid_t pid, int (*fn)(const struct mount_info *mi, void *arg), void *arg,
		  struct err *err);
