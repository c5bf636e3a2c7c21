/* SPDX-License-Identifier: Apache-2.0 */
/* File descriptors: -1 is empty. EINTR is handled here. What can influence a container goes through
 * src/linux instead. */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

void fd_close(int fd); /* keeps errno; -1 is fine */
static inline void fd_close_cleanup_(int *fd)
{
	if (*fd >= 0)
		fd_close(*fd);
}

/* Reads until n bytes or end of file: bytes read, or -1 with errno. */
ssize_t fd_read_full(int fd, void *p, size_t n);
/* Writes all; 0, or -1 with errno. Waits with poll on a non-blocking fd. */
int fd_write_all(int fd, const void *p, size_t n);
/* Appends the whole file, up to b->max (more: ERR_TOO_LARGE). dirfd may be AT_FDCWD. Absent:
 * ERR_NOT_FOUND, sys ENOENT. */
int fd_read_file(int dirfd, const char *path, struct buf *b, struct err *err);
/*
 * Durable replace: new file, fsync, rename, fsync of the directory. On failure nothing of it is
 * left and the old file stands (but a failed fsync of the directory leaves the new one). mode is
 * exact, whatever the umask.
 */
int fd_replace_file(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
		    struct err *err);
/*
 * The same for several files of one directory, with about the disk's time of one: all are written
 * before the first is waited for. They get their names in the order given, so a crash leaves the
 * first few new and the others as they were; so does a failure.
 */
struct fd_file {
	const char *name; /* without "/" */
	const void *p;
	size_t n;
	mode_t mode;
};
int fd_replace_files(int dirfd, const struct fd_file *v, size_t n, struct err *err);
int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);
int fd_dup(int fd); /* O_CLOEXEC, at least 3; -1 with errno */
int fd_fsync_dir(int dirfd, struct err *err);
/* Creates the directory and its missing parents (mode of the last; parents 0755). 0 also if there.
 */
int fd_mkdir_p(int dirfd, const char *path, mode_t mode, struct err *err);
/*
 * Removes a file or tree below dirfd without following links or crossing mounts (also bind mounts
 * of the same filesystem: ERR_CONFLICT); 0 also if absent. Depth costs heap, not stack or fds.
 * Stops at the first failure.
 */
int fd_remove_tree(int dirfd, const char *name, struct err *err);
