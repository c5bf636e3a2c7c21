/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protection of our own program file (CVE-2019-5736).
 *
 * A process that is about to run a container's program is still this program. If what it runs is
 * "/proc/self/exe" (by a link, or as a script's interpreter), a container's root could afterwards
 * open that file for writing: and it is the host's. Not being dumpable does not help, since the new
 * program starts as a dumpable one. So the commands that enter containers run from a read-only
 * detached mount of the file, whose magic link cannot be written through and whose mount is in no
 * namespace from which its flags could be changed. That is one open_tree, one mount_setattr and one
 * exec of a small static program (0.2 ms); a copy in a sealed memfd is the fallback for kernels
 * before 5.12. An engine that starts us from such a mount saves us the second exec.
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

static bool is_protected(int exe)
{
	struct statvfs st;
	int seals = sys_fcntl(exe, F_GET_SEALS, 0);

	/* A file of any tmpfs has seals too, but not these: its mount decides. */
	if (seals >= 0 && (seals & SEALS) == SEALS)
		return true;
	return fstatvfs(exe, &st) == 0 && (st.f_flag & ST_RDONLY);
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

	exe = sys_openat(AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);
	if (exe < 0)
		return err_sys(err, "open our own program");
	if (is_protected(exe)) {
		(void)unsetenv(MARK); /* hooks and programs need not see it */
		(void)sys_prctl(PR_SET_NAME, (unsigned long)"teu-oci", 0, 0,
				0); /* execveat named us after the fd */
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
