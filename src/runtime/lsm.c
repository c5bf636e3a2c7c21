/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of AppArmor and SELinux: refused by name where the kernel does not have them, set for the
 * next exec where it has. */
#include "runtime/rt.h"

#include "base/fd.h"
#include "linux/path.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <stdio.h>

static bool has_apparmor(void)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(16);

	return fd_read_file(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", &b, NULL) >= 0 &&
	       b.n && b.p[0] == 'Y';
}

static bool has_selinux(void)
{
	char tree[256];
	struct stat st;

	return sys_fstatat(AT_FDCWD, sys_tree_path("/sys/fs/selinux/enforce", tree, sizeof(tree)),
			   &st, 0) == 0;
}

static bool given(const char *s)
{
	return s && s[0];
}

int lsm_check(const struct conf_process *p, const char *mount_label, struct err *err)
{
	/* "unconfined" asks for nothing. */
	if (p && given(p->apparmor) && strcmp(p->apparmor, "unconfined") && !has_apparmor())
		return err_set(
			err, ERR_UNSUPPORTED,
			"process.apparmorProfile '%s': AppArmor is not enabled in this kernel",
			p->apparmor);
	if (p && given(p->selinux) && !has_selinux())
		return err_set(err, ERR_UNSUPPORTED,
			       "process.selinuxLabel '%s': SELinux is not enabled in this kernel",
			       p->selinux);
	if (given(mount_label) && !has_selinux())
		return err_set(err, ERR_UNSUPPORTED,
			       "linux.mountLabel '%s': SELinux is not enabled in this kernel",
			       mount_label);
	return 0;
}

static bool profiled(const struct conf_process *p)
{
	return given(p->apparmor) && strcmp(p->apparmor, "unconfined");
}

int lsm_open(const struct conf_process *p)
{
	static const char *const names[] = { "/proc/self/attr/apparmor/exec",
					     "/proc/self/attr/exec" };
	int fd = -1;

	if (profiled(p) && given(p->selinux)) /* two files: the late way */
		return -1;
	for (size_t i = profiled(p) ? 0 : 1; fd < 0 && i < ARRAY_LEN(names); i++)
		if (profiled(p) || given(p->selinux))
			fd = sys_openat(AT_FDCWD, names[i], O_WRONLY | O_CLOEXEC, 0);
	if (fd >= 0 && path_check_procfs(fd, NULL) < 0) {
		fd_close(fd);
		return -1;
	}
	return fd;
}

bool lsm_is_late(const struct conf_process *p, int fd)
{
	return fd < 0 && (profiled(p) || given(p->selinux));
}

static int apply_opened(const struct conf_process *p, int fd, struct err *err)
{
	char text[512];
	int n = snprintf(text, sizeof(text), profiled(p) ? "exec %s" : "%s",
			 profiled(p) ? p->apparmor : p->selinux);
	int r = 0;

	if ((size_t)n >= sizeof(text))
		r = err_set(err, ERR_INVALID, "the label of the process is too long");
	else if (sys_write(fd, text, (size_t)n) < 0)
		r = err_sys(err, "set the label '%s' for the program", text);
	fd_close(fd);
	return r;
}

int lsm_apply(const struct conf_process *p, int fd, struct err *err)
{
	char text[512];
	int r = 0;

	if (fd >= 0)
		return apply_opened(p, fd, err);
	if (profiled(p)) {
		if ((size_t)snprintf(text, sizeof(text), "exec %s", p->apparmor) >= sizeof(text))
			return err_set(err, ERR_INVALID, "process.apparmorProfile is too long");
		r = proc_write_attr(0, "attr/apparmor/exec", text, NULL);
		if (r < 0) /* before 5.8 there was one file for all */
			r = proc_write_attr(0, "attr/exec", text, err);
	}
	if (r >= 0 && given(p->selinux))
		r = proc_write_attr(0, "attr/exec", p->selinux, err);
	return r;
}

int lsm_label_keys(const struct conf_process *p, bool on, struct err *err)
{
	/* Else the container's program may not even read its own session keyring. */
	return given(p->selinux) ? proc_write_attr(0, "attr/keycreate", on ? p->selinux : "", err)
				 : 0;
}
