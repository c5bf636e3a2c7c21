/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and making files below a directory fd, safe against whoever owns the tree.
 *
 * "_in" treats the directory as "/" : links, also absolute ones and "..", are followed but end
 * inside it; magic links of procfs are never followed. It is for root file systems, which the image
 * and the container control.
 * "_beneath" is for our own state: no link is followed at all, ".." and absolute paths are refused.
 * openat2(2) does both; where it is missing (ENOSYS, or EPERM from an old seccomp filter) a walk
 * component by component with O_NOFOLLOW gives the same result (at most 40 links). All fds are
 * O_CLOEXEC; outputs are written only on success.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

#define PATH_FD_LEN 32

/* NOT_FOUND if absent; the message names `path`. `flags` as open(2), without O_CREAT. */
int path_open_in(int root, const char *path, int flags, int *ret_fd, struct err *err);

/* `flags` may have O_CREAT, then `mode` counts. */
int path_open_beneath(int dir, const char *path, int flags, mode_t mode, int *ret_fd,
		      struct err *err);

/* mkdir -p inside root; O_PATH fd of the last directory. 1 if it made at least the last one. An
 * existing non-directory fails with CONFLICT. Missing ends of dangling links are not made:
 * NOT_FOUND. */
int path_mkdir_in(int root, const char *path, mode_t mode, int *ret_fd, struct err *err);

/* Mount point for a file: parents as path_mkdir_in, an empty regular file if nothing is there (1
 * then). O_PATH fd of it. */
int path_touch_in(int root, const char *path, mode_t mode, int *ret_fd, struct err *err);

/* Directory that holds the last component (made with mode 0755 if `make`), and that component, for
 * mknodat and symlinkat. `path` must end in a plain name: "/", "." and ".." fail with INVALID. */
int path_parent_in(int root, const char *path, bool make, int *ret_dir, char *name, size_t name_len,
		   struct err *err);

/* Opens what an O_PATH fd stands for with other flags, through /proc/self/fd, which must be a real
 * procfs. */
int path_reopen(int fd, int flags, int *ret_fd, struct err *err);

/* "/proc/self/fd/<fd>" into buf, for calls that only take paths; returns buf. */
const char *path_of_fd(int fd, char buf[PATH_FD_LEN]);

/* Where the kernel says the fd is (readlink of the above). */
int path_name_of_fd(int fd, char *buf, size_t len, struct err *err);

/* 0 if /proc (or the procfs directory fd) is procfs: nobody mounted something else there to catch
 * our writes. */
int path_check_procfs(int fd, struct err *err);
