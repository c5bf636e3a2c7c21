/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The init layer: empty files and directories on which every container gets something mounted. As a
 * read-only layer that all containers share it saves making (and later removing) these in each
 * container's own upper directory, and an image without /proc or with /etc/resolv.conf as a
 * dangling link works too. Made once, complete or not at all: a marker file is written last.
 */
#include "engine/private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARKER ".dockerenv" /* programs look for it to know that they run in a container */

static const char *const dirs[] = { "dev", "dev/pts", "dev/shm", "etc", "proc", "sys" };
static const char *const files[] = { "dev/console", "etc/hostname", "etc/hosts", "etc/resolv.conf",
				     MARKER };

int init_layer_make(struct engine *e, struct err *err)
{
	CLEANUP(fd_close) int top = -1;
	int r;

	r = fd_mkdir_p(AT_FDCWD, e->init_layer, 0755, err);
	if (r < 0)
		return r;
	top = openat(AT_FDCWD, e->init_layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return err_sys(err, "open '%s'", e->init_layer);
	if (faccessat(top, MARKER, F_OK, 0) == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (mkdirat(top, dirs[i], 0755) < 0 && errno != EEXIST)
			return err_sys(err, "make '%s/%s'", e->init_layer, dirs[i]);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		int fd = openat(top, files[i], O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

		if (fd < 0)
			return err_sys(err, "make '%s/%s'", e->init_layer, files[i]);
		fd_close(fd);
	}
	return 0;
}
