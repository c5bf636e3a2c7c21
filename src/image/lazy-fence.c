/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fence of a lazy server: user, limits, files, system calls. What it needs of the store is open
 * before. The list allows what its fetcher needs too (sockets, threads), which it is forked into
 * being; a program can never be run. Each layer holds when another is missing from the kernel; only
 * Landlock may be missing.
 */
#include "base/err.h"
#include "base/fd.h"
#include "image/lazy.h"
#include "linux/caps.h"
#include "linux/proc.h"
#include "linux/seccomp.h"
#include "linux/sys.h"

#include <errno.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { LANDLOCK_CREATE = 444, LANDLOCK_ADD, LANDLOCK_RESTRICT };

static int drop_root(struct err *err)
{
	const uid_t id = IMAGE_LAZY_UID;
	const struct caps none = { 0 };
	int r;

	if (geteuid() != 0)
		return caps_apply(&none, err);
	r = caps_drop_bounding(&none, err);
	if (r < 0)
		return r;
	r = caps_set_ids(id, id, NULL, 0, false, err);
	/* Inside a user namespace without that number it stays who it is. */
	if (r < 0 && err->sys != EINVAL && err->sys != EPERM)
		return r;
	return caps_apply(&none, err);
}

static int allow_file(int rules, const char *path, struct err *err)
{
	struct __attribute__((packed)) {
		uint64_t allowed;
		int32_t fd;
	} rule = { 0x4, -1 }; /* read file */
	CLEANUP(fd_close) int fd = sys_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);
	struct stat st;

	if (fd < 0)
		return 0; /* not there: not needed */
	if (sys_fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		rule.allowed |= 0x8; /* read dir */
	rule.fd = fd;
	return syscall(LANDLOCK_ADD, rules, 1, &rule, 0) < 0
		       ? err_sys(err, "allow '%s' (Landlock)", path)
		       : 0;
}

static int restrict_files(struct err *err)
{
	static const char *const paths[] = { "/etc/resolv.conf",
					     "/etc/hosts",
					     "/etc/ssl",
					     "/etc/pki",
					     "/usr/share/ca-certificates",
					     "/usr/local/share/ca-certificates" };
	static const uint64_t by_abi[] = { 0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff };
	CLEANUP(fd_close) int rules = -1;
	long abi = syscall(LANDLOCK_CREATE, NULL, 0, 1);
	uint64_t attr;

	if (abi < 1)
		return 0; /* not built in or switched off: the other layers stand */
	attr = by_abi[MIN(abi, 5)];
	rules = (int)syscall(LANDLOCK_CREATE, &attr, sizeof(attr), 0);
	if (rules < 0)
		return err_sys(err, "make a Landlock rule set");
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (allow_file(rules, paths[i], err) < 0)
			return err_ret(err);
	return syscall(LANDLOCK_RESTRICT, rules, 0) < 0
		       ? err_sys(err, "enter the Landlock rule set")
		       : 0;
}

static const char *const calls[] = {
	"accept4",
	"bind",
	"brk",
	"clock_gettime",
	"clock_nanosleep",
	"clone",
	"clone3",
	"close",
	"connect",
	"epoll_create1",
	"epoll_ctl",
	"epoll_pwait",
	"epoll_pwait2",
	"epoll_wait",
	"eventfd2",
	"exit",
	"exit_group",
	"fcntl",
	"fstat",
	"fsync",
	"futex",
	"getegid",
	"geteuid",
	"getgid",
	"getpeername",
	"getpid",
	"getppid",
	"getrandom",
	"getsockname",
	"getsockopt",
	"gettid",
	"gettimeofday",
	"getuid",
	"ioctl",
	"lseek",
	"madvise",
	"mmap",
	"mprotect",
	"mremap",
	"munmap",
	"nanosleep",
	"newfstatat",
	"pipe2",
	"poll",
	"ppoll",
	"prctl",
	"pread64",
	"pwrite64",
	"read",
	"readv",
	"recvfrom",
	"recvmmsg",
	"recvmsg",
	"restart_syscall",
	"rseq",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sched_getaffinity",
	"sched_yield",
	"sendmmsg",
	"sendmsg",
	"sendto",
	"set_robust_list",
	"setsockopt",
	"shutdown",
	"sigaltstack",
	"socketpair",
	"stat",
	"statx",
	"sysinfo",
	"timerfd_create",
	"timerfd_settime",
	"uname",
	"write",
	"writev",
};
static const char *const open_calls[] = { "openat" };
static const char *const socket_call[] = { "socket" };

static int restrict_calls(struct err *err)
{
	static const struct seccomp_cond reading[] = {
		{ 2, SECCOMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY }
	};
	static const struct seccomp_cond v4[] = { { 0, SECCOMP_CMP_EQ, AF_INET, 0 } };
	static const struct seccomp_cond v6[] = { { 0, SECCOMP_CMP_EQ, AF_INET6, 0 } };
	struct seccomp_rule rules[] = {
		{ .names = calls, .n_names = ARRAY_LEN(calls) },
		{ .names = open_calls, .n_names = 1, .conds = reading, .n_conds = 1 },
		{ .names = socket_call, .n_names = 1, .conds = v4, .n_conds = 1 },
		{ .names = socket_call, .n_names = 1, .conds = v6, .n_conds = 1 },
	};
	const struct seccomp_filter f = {
		/* A sanitizer's run time makes calls of its own: they fail there instead. */
		.def_action = SANITIZED ? SECCOMP_ACT_ERRNO : SECCOMP_ACT_KILL_PROCESS,
		.def_errno = SECCOMP_ERRNO_UNSET,
		.rules = rules,
		.n_rules = ARRAY_LEN(rules),
	};
	CLEANUP(seccomp_prog_fini) struct seccomp_prog prog = { 0 };
	int r;

	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		rules[i].action = SECCOMP_ACT_ALLOW;
		rules[i].errno_ret = SECCOMP_ERRNO_UNSET;
	}
	r = seccomp_compile(&f, &prog, err);
	return r < 0 ? r : seccomp_install(&prog, NULL, err);
}

int lazy_fence(struct err *err)
{
	int r = drop_root(err);

	if (r >= 0)
		r = proc_set_dumpable(false, err);
	if (r >= 0)
		r = proc_set_no_new_privs(err);
	if (r >= 0)
		r = restrict_files(err);
	if (r >= 0)
		r = restrict_calls(err);
	return r < 0 ? err_wrap(err, "fence of a lazy server") : 0;
}
