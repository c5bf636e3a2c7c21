/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's default profile: one list that every container may call, and groups that hang on a
 * capability, an architecture or an argument. Names are kept as text and cut into the caller's
 * arena, so that a program that holds this table pays no relocations for it. A name too new for the
 * kernel does no harm: it has no caller.
 */
#include "linux/seccomp-default.h"

#include "base/arena.h"
#include "base/err.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define ARCH(a) (1u << SECCOMP_ARCH_##a)
#define CAP(c) (1ull << CAP_##c)

/* Newer than some headers. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#define CAP_BPF 39
#endif

static const char always[] =
	"accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod "
	"chown chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 "
	"clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close "
	"close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 "
	"epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd "
	"eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 "
	"fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown "
	"fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork "
	"fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate "
	"ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake "
	"futimesat getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 "
	"getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid "
	"getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 "
	"getrlimit get_robust_list getrusage getsid getsockname getsockopt get_thread_area "
	"gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch "
	"inotify_init inotify_init1 inotify_rm_watch io_cancel ioctl io_destroy "
	"io_getevents io_pgetevents io_pgetevents_time64 ioprio_get ioprio_set io_setup "
	"io_submit ipc kill landlock_add_rule landlock_create_ruleset "
	"landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount "
	"listxattr listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat "
	"lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore "
	"mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect "
	"mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 "
	"mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv "
	"msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat "
	"_newselect open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 "
	"pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv "
	"preadv2 prlimit64 process_mrelease pselect6 pselect6_time64 pwrite64 pwritev "
	"pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg "
	"recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat "
	"renameat2 restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending "
	"rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
	"rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity sched_getattr "
	"sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler "
	"sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr "
	"sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop "
	"semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto "
	"setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 "
	"setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid "
	"setresuid32 setreuid setreuid32 setrlimit set_robust_list setsid setsockopt "
	"set_thread_area set_tid_address setuid setuid32 setxattr setxattrat shmat shmctl "
	"shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn "
	"socketcall socketpair splice stat stat64 statfs statfs64 statmount statx symlink "
	"symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create "
	"timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime "
	"timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime "
	"timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink "
	"unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 "
	"waitid waitpid write writev";

/* CLONE_NEW{NS,UTS,IPC,USER,PID,NET,CGROUP}: a thread or a process, but no namespace. */
#define CLONE_NAMESPACES 2114060288u

struct group {
	uint64_t need, without; /* capabilities: one of need (0 = none needed), none of without */
	uint32_t arches;	/* native architectures, 0 = all */
	uint32_t not_arches;
	uint16_t kernel; /* major << 8 | minor */
	int16_t error;	 /* not 0: ERRNO with this instead of ALLOW */
	uint8_t has_cond;
	struct seccomp_cond cond;
	const char *names;
};

#define ARG(i, o, v) .has_cond = 1, .cond = { .index = (i), .op = SECCOMP_CMP_##o, .value = (v) }

static const struct group groups[] = {
	{ .names = always },
	{ .kernel = 4 << 8 | 8, .names = "process_vm_readv process_vm_writev ptrace" },
	{ ARG(0, NE, 40),
	  .names = "socket" }, /* AF_VSOCK reaches past the container to the hypervisor */
	{ ARG(0, EQ, 0), .names = "personality" },
	{ ARG(0, EQ, 8), .names = "personality" },
	{ ARG(0, EQ, 0x20000), .names = "personality" },
	{ ARG(0, EQ, 0x20008), .names = "personality" },
	{ ARG(0, EQ, 0xffffffff), .names = "personality" },
	{ .arches = ARCH(PPC64LE), .names = "sync_file_range2 swapcontext" },
	{ .arches = ARCH(ARM) | ARCH(AARCH64),
	  .names = "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush "
		   "set_tls" },
	{ .arches = ARCH(X86_64) | ARCH(X32), .names = "arch_prctl" },
	{ .arches = ARCH(X86_64) | ARCH(X32) | ARCH(X86), .names = "modify_ldt" },
	{ .arches = ARCH(S390) | ARCH(S390X),
	  .names = "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr" },
	{ .arches = ARCH(RISCV64), .names = "riscv_flush_icache" },
	{ .need = CAP(DAC_READ_SEARCH), .names = "open_by_handle_at" },
	{ .need = CAP(SYS_ADMIN),
	  .names = "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
		   "lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr "
		   "move_mount "
		   "open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns "
		   "syslog "
		   "umount umount2 unshare" },
	{ .without = CAP(SYS_ADMIN),
	  .not_arches = ARCH(S390) | ARCH(S390X),
	  .has_cond = 1,
	  .cond = { .index = 0, .op = SECCOMP_CMP_MASKED_EQ, .value = CLONE_NAMESPACES },
	  .names = "clone" },
	/* s390 takes clone's first two arguments the other way round */
	{ .without = CAP(SYS_ADMIN),
	  .arches = ARCH(S390) | ARCH(S390X),
	  .has_cond = 1,
	  .cond = { .index = 1, .op = SECCOMP_CMP_MASKED_EQ, .value = CLONE_NAMESPACES },
	  .names = "clone" },
	/* Its flags are in memory, so it cannot be filtered: libc falls back to clone on ENOSYS. */
	{ .without = CAP(SYS_ADMIN), .error = ENOSYS, .names = "clone3" },
	{ .need = CAP(SYS_BOOT), .names = "reboot" },
	{ .need = CAP(SYS_CHROOT), .names = "chroot" },
	{ .need = CAP(SYS_MODULE), .names = "delete_module init_module finit_module" },
	{ .need = CAP(SYS_PACCT), .names = "acct" },
	{ .need = CAP(SYS_PTRACE),
	  .names = "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace" },
	{ .need = CAP(SYS_RAWIO), .names = "iopl ioperm" },
	{ .need = CAP(SYS_TIME), .names = "settimeofday stime clock_settime clock_settime64" },
	{ .need = CAP(SYS_TTY_CONFIG), .names = "vhangup" },
	{ .need = CAP(SYS_NICE),
	  .names = "get_mempolicy mbind set_mempolicy set_mempolicy_home_node" },
	{ .need = CAP(SYSLOG), .names = "syslog" },
	{ .need = CAP(BPF), .names = "bpf" },
	{ .need = CAP(PERFMON), .names = "perf_event_open" },
};

/* The other ABIs that a native kernel runs. */
static const struct {
	enum seccomp_arch native, sub[2];
} sub_arches[] = {
	{ SECCOMP_ARCH_X86_64, { SECCOMP_ARCH_X86, SECCOMP_ARCH_X32 } },
	{ SECCOMP_ARCH_AARCH64, { SECCOMP_ARCH_ARM } },
	{ SECCOMP_ARCH_MIPS64, { SECCOMP_ARCH_MIPS, SECCOMP_ARCH_MIPS64N32 } },
	{ SECCOMP_ARCH_MIPS64N32, { SECCOMP_ARCH_MIPS, SECCOMP_ARCH_MIPS64 } },
	{ SECCOMP_ARCH_MIPSEL64, { SECCOMP_ARCH_MIPSEL, SECCOMP_ARCH_MIPSEL64N32 } },
	{ SECCOMP_ARCH_MIPSEL64N32, { SECCOMP_ARCH_MIPSEL, SECCOMP_ARCH_MIPSEL64 } },
	{ SECCOMP_ARCH_S390X, { SECCOMP_ARCH_S390 } },
};

static unsigned kernel_version(void)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return 5 << 8 | 10; /* the oldest that we run on */
	return major << 8 | MIN(minor, 255u);
}

static bool applies(const struct group *g, const struct seccomp_default_params *p, uint32_t native,
		    unsigned kernel)
{
	return (!g->need || g->need & p->caps) && !(g->without & p->caps) &&
	       (!g->arches || g->arches & native) && !(g->not_arches & native) &&
	       kernel >= g->kernel;
}

/* Cuts the text at its blanks. */
static bool names_cut(const char *text, struct arena *a, struct seccomp_rule *r)
{
	size_t n = 1, i = 0;
	const char **names;
	char *copy = arena_strdup(a, text);

	for (const char *s = text; *s; s++)
		n += *s == ' ';
	names = ARENA_ARRAY(a, const char *, n);
	if (!copy || !names)
		return false;
	for (char *s = copy; i < n; i++) {
		size_t len = strcspn(s, " ");

		names[i] = s;
		s[len] = '\0';
		s += len + 1;
	}
	r->names = names;
	r->n_names = n;
	return true;
}

int seccomp_default_build(const struct seccomp_default_params *p, struct arena *a,
			  struct seccomp_filter *ret, struct err *err)
{
	enum seccomp_arch native = p->native ? p->native : seccomp_arch_host();
	unsigned kernel = p->kernel ? p->kernel : kernel_version();
	struct seccomp_rule *rules = ARENA_ARRAY(a, struct seccomp_rule, ARRAY_LEN(groups));
	size_t n = 0;

	if (!rules)
		return arena_quota(a, err);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		const struct group *g = &groups[i];
		struct seccomp_rule *r = &rules[n];

		if (!applies(g, p, 1u << native, kernel))
			continue;
		*r = (struct seccomp_rule){
			.action = g->error ? SECCOMP_ACT_ERRNO : SECCOMP_ACT_ALLOW,
			.errno_ret = g->error ? g->error : SECCOMP_ERRNO_UNSET,
			.conds = g->has_cond ? &g->cond : NULL,
			.n_conds = g->has_cond,
		};
		if (!names_cut(g->names, a, r))
			return arena_quota(a, err);
		n++;
	}
	*ret = (struct seccomp_filter){
		.def_action = SECCOMP_ACT_ERRNO,
		.def_errno = EPERM,
		.rules = rules,
		.n_rules = n,
		.native = p->native,
	};
	for (size_t i = 0; i < ARRAY_LEN(sub_arches); i++)
		if (sub_arches[i].native == native) {
			ret->arches = sub_arches[i].sub;
			ret->n_arches = sub_arches[i].sub[1] ? 2 : 1;
		}
	return 0;
}
