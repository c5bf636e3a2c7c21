/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fence of the unpack helper, from outside in: death with the parent, root, rlimits,
 * capabilities, Landlock, seccomp. Each layer holds when another is missing from the kernel; root,
 * capabilities and no-new-privs are never optional.
 */
#include "image/fence.h"

#include "base/err.h"
#include "base/fd.h"
#include "linux/caps.h"
#include "linux/path.h"
#include "linux/proc.h"
#include "linux/seccomp.h"
#include "linux/sys.h"

#include <linux/capability.h>
#include <linux/limits.h>
#include <string.h>

#define BIT(n) (1ull << (n))

/* CHOWN owners; DAC_OVERRIDE write below directories of other owners and mode 0555; FOWNER modes
 * and times of what was given away; FSETID keep sgid through chmod; MKNOD device nodes (char 0/0
 * needs none); SETFCAP security.capability. */
static const uint64_t writer_caps = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) |
				    BIT(CAP_FSETID) | BIT(CAP_MKNOD) | BIT(CAP_SETFCAP);

static const uint64_t reader_caps = BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_SYS_ADMIN);

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

static const char *const filter_calls[] = {
	"read",		  "readv",	     "pread64",	  "write",
	"writev",	  "lseek",	     "close",	  "fstat",
	"newfstatat",	  "statx",	     "mmap",	  "munmap",
	"mremap",	  "mprotect",	     "madvise",	  "brk",
	"exit",		  "exit_group",	     "futex",	  "rt_sigreturn",
	"rt_sigprocmask", "restart_syscall", "getrandom", "clock_gettime",
	"gettid",	  "getpid",
};
static const char *const reader_calls[] = {
	"openat",    "openat2",	   "getdents64",	  "fcntl", "readlinkat", "readlink",
	"fgetxattr", "flistxattr", "sysinfo" /* qsort */,
};
/* The sanitizers' run time asks for these before it lets the process exit. */
static const char *const sanitizer_calls[] = { "sigaltstack", "sched_yield" };
static const char *const writer_calls[] = {
	"openat",    "openat2",	  "mkdir",	"mkdirat", "mknodat",	"mknod",
	"symlinkat", "symlink",	  "linkat",	"link",	   "unlinkat",	"unlink",
	"rmdir",     "fchown",	  "fchownat",	"lchown",  "fchmod",	"fchmodat",
	"utimensat", "fsetxattr", "getdents64", "fcntl",   "ftruncate",
};

/* ---- root ---- */

/* Kernels before 5.12: a bind mount in a mount namespace of our own, flags by remount. */
static int root_by_bind(int target, struct err *err)
{
	const unsigned long flags = MS_BIND | MS_NODEV | MS_NOSUID | MS_NOEXEC | MS_NOSYMFOLLOW;
	char path[PATH_MAX];
	int r;

	r = path_name_of_fd(target, path, sizeof(path), err);
	if (r < 0)
		return r;
	if (sys_unshare(CLONE_NEWNS) < 0)
		return err_sys(err, "make a mount namespace");
	if (sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    sys_mount(path, path, NULL, MS_BIND, NULL) < 0 ||
	    sys_mount(NULL, path, NULL, MS_REMOUNT | flags, NULL) < 0)
		return err_sys(err, "bind '%s'", path);
	return sys_chdir(path) < 0 ? err_sys(err, "enter '%s'", path) : 0;
}

static int enter_root(int target, struct err *err)
{
	const struct sys_mount_attr attr = { .set = SYS_ATTR_NODEV | SYS_ATTR_NOSUID |
						    SYS_ATTR_NOEXEC | SYS_ATTR_NOSYMFOLLOW };
	CLEANUP(fd_close) int tree = -1;
	int r;

	tree = sys_open_tree(target, "",
			     AT_EMPTY_PATH | SYS_OPEN_TREE_CLONE | SYS_OPEN_TREE_CLOEXEC);
	if (tree < 0 && errno != ENOSYS)
		return err_sys(err, "clone the mount of the target directory");
	if (tree >= 0 && sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) == 0) {
		if (sys_fchdir(tree) < 0)
			return err_sys(err, "enter the target directory");
	} else if (tree >= 0 && errno != ENOSYS) {
		return err_sys(err, "restrict the mount of the target directory");
	} else {
		r = root_by_bind(target, err);
		if (r < 0)
			return r;
	}
	if (sys_chroot(".") < 0)
		return err_sys(err, "change root to the target directory");
	/* Closing the detached tree now would take the mount apart under us: it stays until exit.
	 */
	STEAL_FD(tree);
	return 0;
}

/* ---- rlimits, capabilities ---- */

static int set_limit(int what, rlim_t value, struct err *err)
{
	struct rlimit rl;

	if (sys_prlimit(0, what, NULL, &rl) < 0)
		return err_sys(err, "read rlimit %d", what);
	rl.rlim_cur = rl.rlim_max = MIN(value, rl.rlim_max);
	return sys_prlimit(0, what, &rl, NULL) < 0 ? err_sys(err, "set rlimit %d", what) : 0;
}

static int set_limits(enum fence_kind kind, uint64_t file_max, struct err *err)
{
	int r;

	r = set_limit(RLIMIT_CORE, 0, err);
	if (r >= 0)
		r = set_limit(RLIMIT_NOFILE, kind == FENCE_READER ? 1024 : 64, err);
	if (r >= 0)
		r = set_limit(RLIMIT_FSIZE, kind == FENCE_WRITER ? file_max : RLIM_INFINITY, err);
	if (r >= 0 &&
	    !SANITIZED) /* a zstd window of 128 MiB, doubled, is the most that is needed */
		r = set_limit(RLIMIT_AS, 512u << 20, err);
	return r;
}

static int drop_caps(enum fence_kind kind, struct err *err)
{
	struct caps c = { 0 };
	int r;

	r = caps_drop_bounding(&c, err);
	if (r < 0)
		return r;
	c.permitted = c.effective = kind == FENCE_WRITER   ? writer_caps
				    : kind == FENCE_READER ? reader_caps
							   : 0;
	return caps_apply(&c, err);
}

/* ---- Landlock: only what is below "/", nothing that runs or listens ---- */

struct ruleset_attr {
	uint64_t fs, net, scoped;
};
struct __attribute__((packed)) beneath_attr {
	uint64_t allowed;
	int32_t fd;
};

/* What readers may do below each of the directories that they were given. */
static int allow_reading(int rules, uint64_t rights, int first, unsigned n, struct err *err)
{
	struct beneath_attr beneath = { .allowed = rights };

	for (unsigned i = 0; i < n; i++) {
		beneath.fd = first + (int)i;
		if (syscall(445, rules, 1, &beneath, 0) < 0)
			return err_sys(err, "add a Landlock rule");
	}
	return 0;
}

static int landlock(enum fence_kind kind, int first, unsigned n, struct err *err)
{
	enum { CREATE = 444, ADD = 445, RESTRICT = 446 };
	static const uint64_t by_abi[] = { 0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff };
	/* write, read file, read dir, remove dir, remove file, make char dir reg fifo block sym,
	 * refer, truncate */
	const uint64_t wanted = kind == FENCE_WRITER ? 0x7dfe : 0;
	struct ruleset_attr attr = { 0 };
	struct beneath_attr beneath = { .fd = -1 };
	CLEANUP(fd_close) int rules = -1, root = -1;
	long abi = syscall(CREATE, NULL, 0, 1);

	if (abi < 1)
		return 0; /* not built in or switched off: the other layers stand */
	attr.fs = by_abi[MIN(abi, 5)];
	attr.net = abi >= 4 ? 3 : 0;
	attr.scoped = abi >= 6 ? 3 : 0;
	rules = (int)syscall(CREATE, &attr, abi >= 6 ? 24 : abi >= 4 ? 16 : 8, 0);
	if (rules < 0)
		return err_sys(err, "make a Landlock rule set");
	root = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (root < 0)
		return err_sys(err, "open the new root");
	beneath.fd = root;
	beneath.allowed = wanted & attr.fs;
	if (beneath.allowed && syscall(ADD, rules, 1, &beneath, 0) < 0)
		return err_sys(err, "add a Landlock rule");
	if (allow_reading(rules, 0xc, first, n, err) < 0) /* read file, read dir */
		return err_ret(err);
	return syscall(RESTRICT, rules, 0) < 0 ? err_sys(err, "enter the Landlock rule set") : 0;
}

static int filter_calls_in(enum fence_kind kind, struct err *err)
{
	struct seccomp_rule rules[3] = {
		{ .names = filter_calls, .n_names = ARRAY_LEN(filter_calls) },
	};
	size_t n = 1;
	struct seccomp_filter f = {
		/* A sanitizer's run time makes calls of its own: they fail there instead of
		   killing. */
		.def_action = SANITIZED ? SECCOMP_ACT_ERRNO : SECCOMP_ACT_KILL_PROCESS,
		.def_errno = SECCOMP_ERRNO_UNSET,
		.rules = rules,
	};
	CLEANUP(seccomp_prog_fini) struct seccomp_prog prog = { 0 };
	int r;

	if (kind == FENCE_WRITER)
		rules[n++] = (struct seccomp_rule){ .names = writer_calls,
						    .n_names = ARRAY_LEN(writer_calls) };
	if (kind == FENCE_READER)
		rules[n++] = (struct seccomp_rule){ .names = reader_calls,
						    .n_names = ARRAY_LEN(reader_calls) };
	if (SANITIZED)
		rules[n++] = (struct seccomp_rule){ .names = sanitizer_calls,
						    .n_names = ARRAY_LEN(sanitizer_calls) };
	for (f.n_rules = 0; f.n_rules < n; f.n_rules++) {
		rules[f.n_rules].action = SECCOMP_ACT_ALLOW;
		rules[f.n_rules].errno_ret = SECCOMP_ERRNO_UNSET;
	}
	r = seccomp_compile(&f, &prog, err);
	if (r < 0)
		return r;
	return seccomp_install(&prog, NULL, err);
}

static int lock_in(enum fence_kind kind, uint64_t file_max, int first, unsigned n, struct err *err)
{
	int r;

	r = set_limits(kind, file_max, err);
	if (r >= 0)
		r = drop_caps(kind, err);
	if (r >= 0)
		r = proc_set_dumpable(false, err);
	if (r >= 0)
		r = proc_set_no_new_privs(err);
	if (r >= 0)
		r = landlock(kind, first, n, err);
	if (r >= 0)
		r = filter_calls_in(kind, err);
	return r;
}

int fence_enter(enum fence_kind kind, int target, uint64_t file_max, struct err *err)
{
	int r;

	r = proc_set_parent_death_signal(SIGKILL, err);
	if (r >= 0)
		r = enter_root(target, err);
	if (r >= 0)
		r = lock_in(kind, file_max, 0, 0, err);
	return r < 0 ? err_wrap(err, "fence of the unpack helper") : 0;
}

int fence_enter_reader(int root, int first, unsigned n, struct err *err)
{
	int r;

	r = proc_set_parent_death_signal(SIGKILL, err);
	if (r >= 0 && (sys_fchdir(root) < 0 || sys_chroot(".") < 0))
		r = err_sys(err, "change root to the layer");
	if (r >= 0)
		r = lock_in(FENCE_READER, 0, first, n, err);
	return r < 0 ? err_wrap(err, "fence of the reading helper") : 0;
}
