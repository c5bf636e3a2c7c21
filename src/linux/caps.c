/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of capabilities and the calls that set the five sets.
 *
 * The last capability of the running kernel is found by asking (EINVAL past the end), not by
 * reading a file of /proc: this runs where the container's mounts are already in place.
 */
#include "linux/caps.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_IS_SET 1
#define PR_CAP_AMBIENT_RAISE 2
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#endif

/* The position is the number: linux/capability.h. */
static const char *const names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

int caps_number(const char *name)
{
	if (strncasecmp(name, "CAP_", 4) == 0)
		name += 4;
	/* By the first letter, then all of them: a container has forty names to look up. */
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if ((name[0] | 0x20) == (names[i][4] | 0x20) && !strcasecmp(name, names[i] + 4))
			return (int)i;
	return -1;
}

const char *caps_name(unsigned n)
{
	return n < ARRAY_LEN(names) ? names[n] : NULL;
}

unsigned caps_known(void)
{
	return ARRAY_LEN(names);
}

int caps_kernel_mask(uint64_t *ret, struct err *err)
{
	unsigned lo = 0, hi = 64; /* capabilities below lo are there, from hi on they are not */

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (sys_prctl(PR_CAPBSET_READ, mid, 0, 0, 0) >= 0)
			lo = mid + 1;
		else if (errno == EINVAL)
			hi = mid;
		else
			return err_sys(err, "ask for capability %u", mid);
	}
	*ret = lo == 64 ? UINT64_MAX : (1ULL << lo) - 1;
	return 0;
}

int caps_self(struct caps *ret, struct err *err)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { 0 };
	struct caps c = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return err_sys(err, "read capabilities");
	c.effective = data[0].effective | (uint64_t)data[1].effective << 32;
	c.permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	c.inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	for (unsigned n = 0; n < 64; n++) {
		int b = sys_prctl(PR_CAPBSET_READ, n, 0, 0, 0);

		if (b < 0)
			break;
		c.bounding |= (uint64_t)b << n;
		/* Only what is permitted and inheritable can be ambient. */
		if ((c.permitted & c.inheritable & 1ULL << n) &&
		    sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, n, 0, 0) == 1)
			c.ambient |= 1ULL << n;
	}
	*ret = c;
	return 0;
}

int caps_drop_bounding(const struct caps *c, struct err *err)
{
	for (unsigned n = 0; n < 64; n++) {
		int has = 0;

		if (c->bounding & 1ULL << n || sys_prctl(PR_CAPBSET_DROP, n, 0, 0, 0) == 0)
			continue;
		/* Without the right to drop (asked first) it is fine if there is nothing to drop.
		 */
		if (errno == EPERM) {
			has = sys_prctl(PR_CAPBSET_READ, n, 0, 0, 0);
			if (has == 0)
				continue;
		}
		if (has <= 0 && errno == EINVAL)
			break; /* past the kernel's last */
		return err_sys(err, "drop %s from the bounding set",
			       n < ARRAY_LEN(names) ? names[n] : "a capability");
	}
	return 0;
}

int caps_keep(bool on, struct err *err)
{
	return sys_prctl(PR_SET_KEEPCAPS, on, 0, 0, 0) < 0 ? err_sys(err, "set keepcaps to %d", on)
							   : 0;
}

/* After EPERM: who has CAP_SETGID is refused only in a user namespace whose gids were mapped
 * without privilege (user_namespaces(7)). Its file in /proc cannot be asked by who is joining a
 * container. */
static bool groups_are_denied(void)
{
	struct caps own;

	return caps_self(&own, NULL) >= 0 && (own.effective >> CAP_SETGID & 1);
}

static int set_uid_gid(uid_t uid, gid_t gid, struct err *err)
{
	if (sys_setresgid(gid, gid, gid) < 0)
		return err_sys(err, "set gid %u", (unsigned)gid);
	if (sys_setresuid(uid, uid, uid) < 0)
		return err_sys(err, "set uid %u", (unsigned)uid);
	return 0;
}

int caps_set_ids(uid_t uid, gid_t gid, const gid_t *groups, size_t n, bool skip_groups,
		 struct err *err)
{
	if (!skip_groups && sys_setgroups(n, groups) < 0) {
		int sys = errno;

		if (sys == EPERM && groups_are_denied()) {
			if (n == 0)
				return set_uid_gid(uid, gid, err);
			return err_sysc(err, ERR_FORBIDDEN, sys,
					"set %zu supplementary groups: this user namespace may "
					"have none",
					n);
		}
		errno = sys;
		return err_sys(err, "set %zu supplementary groups", n);
	}
	return set_uid_gid(uid, gid, err);
}

static int caps_failed(const char *what, struct err *err)
{
	if (errno == EPERM)
		return err_sysc(err, ERR_FORBIDDEN, errno, "%s (more than the caller itself has?)",
				what);
	return err_sys(err, "%s", what);
}

int caps_apply(const struct caps *c, struct err *err)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)c->effective, (uint32_t)c->permitted, (uint32_t)c->inheritable },
		{ (uint32_t)(c->effective >> 32), (uint32_t)(c->permitted >> 32),
		  (uint32_t)(c->inheritable >> 32) },
	};

	if (sys_capset(&head, data) < 0)
		return caps_failed("set capabilities", err);
	if (sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_sys(err, "clear ambient capabilities");
	for (unsigned n = 0; n < 64; n++) {
		if (!(c->ambient & 1ULL << n))
			continue;
		if (sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, n, 0, 0) < 0)
			return caps_failed(n < ARRAY_LEN(names) ? names[n] : "ambient capability",
					   err);
	}
	return 0;
}
