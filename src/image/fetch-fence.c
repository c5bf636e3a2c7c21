/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fence of the fetching process: user, capabilities, files, system calls. Each layer holds when
 * another is missing from the kernel; only Landlock may be missing.
 */
#include "base/err.h"
#include "base/fd.h"
#include "image/fetch.h"
#include "linux/caps.h"
#include "linux/proc.h"
#include "linux/seccomp.h"
#include "linux/sys.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* ---- user ---- */

static int drop_root(struct err *err)
{
	const uid_t id = IMAGE_FETCH_UID;
	const struct caps none = { 0 };
	int r;

	if (geteuid() != 0)
		return caps_apply(&none, err);
	r = caps_drop_bounding(&none, err);
	if (r < 0)
		return r;
	/* Inside a user namespace without that number it stays who it is. */
	r = caps_set_ids(id, id, NULL, 0, false, err);
	if (r < 0 && err->sys != EINVAL && err->sys != EPERM)
		return r;
	return caps_apply(&none, err);
}

static int set_limits(struct err *err)
{
	static const struct {
		int what;
		rlim_t value;
	} limits[] = { { RLIMIT_CORE, 0 },
		       { RLIMIT_FSIZE, 0 },
		       { RLIMIT_NOFILE, 1024 },
		       { RLIMIT_AS, SANITIZED ? RLIM_INFINITY : 1ul << 30 } };

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct rlimit rl;

		if (sys_prlimit(0, limits[i].what, NULL, &rl) < 0)
			return err_sys(err, "read rlimit %d", limits[i].what);
		rl.rlim_max = MIN(limits[i].value, rl.rlim_max);
		rl.rlim_cur = rl.rlim_max;
		if (sys_prlimit(0, limits[i].what, &rl, NULL) < 0)
			return err_sys(err, "set rlimit %d", limits[i].what);
	}
	return 0;
}

/* ---- files ---- */

#define RIGHT_READ_FILE 0x4u
#define RIGHT_READ_DIR 0x8u

/* What it may read: the resolver's files, the machine's roots of trust. Not there: not needed. */
static int allow_files(int rules, struct err *err)
{
	static const struct {
		const char *path;
		uint64_t rights;
	} files[] = {
		{ "/etc/resolv.conf", RIGHT_READ_FILE },
		{ "/etc/hosts", RIGHT_READ_FILE },
		{ "/etc/ssl", RIGHT_READ_FILE | RIGHT_READ_DIR },
		{ "/etc/pki", RIGHT_READ_FILE | RIGHT_READ_DIR },
		{ "/usr/share/ca-certificates", RIGHT_READ_FILE | RIGHT_READ_DIR },
		{ "/usr/local/share/ca-certificates", RIGHT_READ_FILE | RIGHT_READ_DIR },
	};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct __attribute__((packed)) {
			uint64_t allowed;
			int32_t fd;
		} rule = { files[i].rights, -1 };
		CLEANUP(fd_close)
		int fd = sys_openat(AT_FDCWD, files[i].path, O_PATH | O_CLOEXEC, 0);

		if (fd < 0)
			continue;
		rule.fd = fd;
		if (syscall(SYS_landlock_add_rule, rules, 1, &rule, 0) < 0)
			return err_sys(err, "allow '%s' (Landlock)", files[i].path);
	}
	return 0;
}

static int restrict_files(struct err *err)
{
	struct {
		uint64_t fs, net, scoped;
	} attr = { 0x1fff, 0, 0 };
	CLEANUP(fd_close) int rules = -1;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);

	if (abi < 1)
		return 0;
	attr.fs |= abi >= 2 ? 0x2000 : 0;
	attr.fs |= abi >= 3 ? 0x4000 : 0;
	attr.fs |= abi >= 5 ? 0x8000 : 0;
	attr.net = abi >= 4; /* listening; it connects as it is asked to */
	attr.scoped = abi >= 6 ? 3 : 0;
	rules = (int)syscall(SYS_landlock_create_ruleset, &attr,
			     abi >= 6	? sizeof(attr)
			     : abi >= 4 ? 2 * sizeof(uint64_t)
					: sizeof(uint64_t),
			     0);
	if (rules < 0)
		return err_sys(err, "make a Landlock rule set");
	if (allow_files(rules, err) < 0)
		return err_ret(err);
	return syscall(SYS_landlock_restrict_self, rules, 0) < 0
		       ? err_sys(err, "enter the Landlock rule set")
		       : 0;
}

/* ---- system calls ---- */

static const char *const usual_calls[] = {
	"read",
	"readv",
	"write",
	"writev",
	"pread64",
	"lseek",
	"close",
	"fstat",
	"newfstatat",
	"stat",
	"statx",
	"mmap",
	"munmap",
	"mremap",
	"mprotect",
	"madvise",
	"brk",
	"exit",
	"exit_group",
	"futex",
	"rt_sigreturn",
	"rt_sigprocmask",
	"rt_sigaction",
	"restart_syscall",
	"getrandom",
	"clock_gettime",
	"clock_nanosleep",
	"nanosleep",
	"gettimeofday",
	"gettid",
	"getpid",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"sched_yield",
	"sched_getaffinity",
	"set_robust_list",
	"rseq",
	"sigaltstack",
	"sysinfo",
	"uname",
	"fcntl",
	"connect",
	"bind",
	"getsockname",
	"getpeername",
	"getsockopt",
	"setsockopt",
	"shutdown",
	"sendto",
	"sendmsg",
	"sendmmsg",
	"recvfrom",
	"recvmsg",
	"recvmmsg",
	"poll",
	"ppoll",
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"eventfd2",
	"timerfd_create",
	"timerfd_settime",
	"ioctl",
};
/* glibc tries it before clone(2), whose flags can be looked at. */
static const char *const clone3_call[] = { "clone3" };
static const char *const clone_call[] = { "clone" };
static const char *const open_calls[] = { "openat" };
static const char *const socket_call[] = { "socket" };

static int restrict_calls(struct err *err)
{
	static const struct seccomp_cond threads[] = {
		{ 0, SECCOMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM }
	};
	static const struct seccomp_cond reading[] = {
		{ 2, SECCOMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY }
	};
	static const struct seccomp_cond v4[] = { { 0, SECCOMP_CMP_EQ, AF_INET, 0 } };
	static const struct seccomp_cond v6[] = { { 0, SECCOMP_CMP_EQ, AF_INET6, 0 } };
#define RULE(list, act, no, ...)                                                           \
	{                                                                                  \
		.names = list, .n_names = ARRAY_LEN(list), .action = act, .errno_ret = no, \
		__VA_ARGS__                                                                \
	}
	const struct seccomp_rule rules[] = {
		RULE(usual_calls, SECCOMP_ACT_ALLOW, SECCOMP_ERRNO_UNSET, ),
		RULE(clone3_call, SECCOMP_ACT_ERRNO, ENOSYS, ),
		RULE(clone_call, SECCOMP_ACT_ALLOW, SECCOMP_ERRNO_UNSET, .conds = threads,
		     .n_conds = 1),
		RULE(open_calls, SECCOMP_ACT_ALLOW, SECCOMP_ERRNO_UNSET, .conds = reading,
		     .n_conds = 1),
		RULE(socket_call, SECCOMP_ACT_ALLOW, SECCOMP_ERRNO_UNSET, .conds = v4,
		     .n_conds = 1),
		RULE(socket_call, SECCOMP_ACT_ALLOW, SECCOMP_ERRNO_UNSET, .conds = v6,
		     .n_conds = 1),
	};
#undef RULE
	const struct seccomp_filter f = {
		/* A sanitizer's run time makes calls of its own: they fail there instead. */
		.def_action = SANITIZED ? SECCOMP_ACT_ERRNO : SECCOMP_ACT_KILL_PROCESS,
		.def_errno = SECCOMP_ERRNO_UNSET,
		.rules = rules,
		.n_rules = ARRAY_LEN(rules),
	};
	CLEANUP(seccomp_prog_fini) struct seccomp_prog prog = { 0 };
	int r = seccomp_compile(&f, &prog, err);

	return r < 0 ? r : seccomp_install(&prog, NULL, err);
}

int fetch_fence(struct err *err)
{
	int r = set_limits(err);

	if (r >= 0)
		r = drop_root(err);
	if (r >= 0)
		r = proc_set_dumpable(false, err);
	if (r >= 0)
		r = proc_set_no_new_privs(err);
	if (r >= 0)
		r = restrict_files(err);
	if (r >= 0)
		r = restrict_calls(err);
	return r < 0 ? err_wrap(err, "fence of the fetching process") : 0;
}
