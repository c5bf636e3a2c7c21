/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of AppArmor and SELinux: refused by name where the kernel does not have them, set for the
 * next exec where it has. */
#include "runtime/rt.h"

#include "base/fd.h"
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

int lsm_apply(const struct conf_process *p, struct err *err)
{
	char text[512];
	int r = 0;

	if (given(p->apparmor) && strcmp(p->apparmor, "unconfined")) {
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
