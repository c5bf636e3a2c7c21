/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protection of our own program file (CVE-2019-5736).
 *
 * A process that is about to run a container's program is still this program. If what it runs is
 * "/proc/self/exe" (by a link, or as a script's interpreter), a container's root could afterwards
 * open that file for writing: and it is the host's. Not being dumpable does not help, since the new
 * program starts as a dumpable one. So the commands that enter containers run from a read-only
 * detached mount of the file, whose magic link cannot be written through and whose mount is in no
 * namespace from which its flags could be changed.
 *
 * teu-oci has nearly always become one before main() (src/start-view.c), without another exec: then
 * one question is all there is to do here. Where the kernel or our rights do not allow that, it is
 * done by an exec of the mount's file; a copy in a sealed memfd is the fallback for kernels before
 * 5.12.
 */
#include "runtime/rt.h"

#include "base/fd.h"
#include "linux/sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#define MARK "_TEU_OCI_PROTECTED"
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

extern char **environ;

static bool is_sealed(int exe)
{
	int seals = sys_fcntl(exe, F_GET_SEALS, 0);

	/* A file of any tmpfs has seals too, but not these: its mount decides. */
	return seals >= 0 && (seals & SEALS) == SEALS;
}

static bool is_read_only(void)
{
	struct statvfs st;

	return statvfs("/proc/self/exe", &st) == 0 && (st.f_flag & ST_RDONLY);
}

/* After an exec of our own: hooks and programs need not see the mark, and execveat named us after
 * the fd. */
static void unmark(void)
{
	if (!getenv(MARK))
		return;
	(void)unsetenv(MARK);
	(void)sys_prctl(PR_SET_NAME, (unsigned long)"teu-oci", 0, 0, 0);
}

static int read_only_mount(void)
{
	struct sys_mount_attr attr = { .set = SYS_ATTR_RDONLY };
	int fd = sys_open_tree(AT_FDCWD, "/proc/self/exe",
			       SYS_OPEN_TREE_CLONE | SYS_OPEN_TREE_CLOEXEC);

	if (fd < 0)
		return -1;
	if (sys_mount_setattr(fd, "", AT_EMPTY_PATH, &attr) == 0)
		return fd;
	fd_close(fd);
	return -1;
}

static int sealed_copy(int exe)
{
	int fd = memfd_create("teu-oci", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char buf[65536];
	ssize_t n;

	if (fd < 0)
		return -1;
	while ((n = sys_read(exe, buf, sizeof(buf))) > 0)
		if (fd_write_all(fd, buf, (size_t)n) < 0)
			break;
	if (n == 0 && sys_fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		return fd;
	fd_close(fd);
	return -1;
}

int rt_protect_self(char **argv, struct err *err)
{
	CLEANUP(fd_close) int exe = -1;
	CLEANUP(fd_close) int fd = -1;

	if (is_read_only()) {
		unmark();
		return 0;
	}
	exe = sys_openat(AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);
	if (exe < 0)
		return err_sys(err, "open our own program");
	if (is_sealed(exe)) {
		unmark();
		return 0;
	}
	if (getenv(MARK))
		return err_set(err, ERR_SYSTEM,
			       "our program file could not be protected against containers");
	fd = read_only_mount();
	if (fd < 0)
		fd = sealed_copy(exe);
	if (fd < 0)
		return err_sys(err, "protect our program file against containers");
	if (setenv(MARK, "1", 1) < 0)
		return err_sys(err, "protect our program file");
	sys_execveat(fd, "", argv, environ, AT_EMPTY_PATH);
	return err_sys(err, "run our program from its protected place");
}
