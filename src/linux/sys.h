/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam to the kernel: sys_<name>() for every system call on the create, start, exec and delete
 * path.
 *
 * They behave as the call of that name (-1 and errno). In normal builds each is one inlined call.
 * Built with -Dfault=true each first asks fault_check(), so that a test can make the n-th call of a
 * whole program (children by clone and exec included) fail with an errno of its choice:
 *   TEU_FAULT="call=mount,nth=3,errno=EIO"        the third mount
 *   TEU_FAULT="nth=17,errno=EIO"                  the 17th call of any name
 *   TEU_FAULT="call=openat2,errno=ENOSYS,every=1" each openat2 (an old kernel)
 *   TEU_FAULT="nth=17,errno=KILL"                 kill -9 of the process at its 17th call
 *   TEU_FAULT_FILE=path                           struct fault_file: counts shared by all
 * processes, and the result
 *   TEU_SLOW=execveat:3000                        each execveat comes 3000 us later
 *   TEU_OMIT=dumpable                             one protection is left out (fault_omits), to show
 * that a test would see it. Credentials are set by raw system calls: libc's setresuid() signals all
 * threads, which a CLONE_VM child must not. Constants and structures that libc headers lack (musl)
 * or define differently (glibc 2.36) are SYS_* and sys_* here.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* Numbers above 423 are the same on all architectures. */
#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#ifndef SYS_move_mount
#define SYS_move_mount 429
#endif
#ifndef SYS_fsopen
#define SYS_fsopen 430
#endif
#ifndef SYS_fsconfig
#define SYS_fsconfig 431
#endif
#ifndef SYS_fsmount
#define SYS_fsmount 432
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4U
#endif
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef MS_LAZYTIME
#define MS_LAZYTIME (1 << 25)
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* mount_setattr(2) and fsmount(2) */
#define SYS_ATTR_RDONLY 0x1u
#define SYS_ATTR_NOSUID 0x2u
#define SYS_ATTR_NODEV 0x4u
#define SYS_ATTR_NOEXEC 0x8u
#define SYS_ATTR_ATIME 0x70u /* mask of the three-valued field; relatime is 0 */
#define SYS_ATTR_NOATIME 0x10u
#define SYS_ATTR_STRICTATIME 0x20u
#define SYS_ATTR_NODIRATIME 0x80u
#define SYS_ATTR_IDMAP 0x100000u
#define SYS_ATTR_NOSYMFOLLOW 0x200000u

struct sys_mount_attr {
	uint64_t set, clear, propagation, userns_fd;
};

/* fsconfig(2) commands, flags of fsopen, fsmount, open_tree, move_mount */
#define SYS_FSCONFIG_FLAG 0u
#define SYS_FSCONFIG_STRING 1u
#define SYS_FSCONFIG_FD 5u
#define SYS_FSCONFIG_CREATE 6u
#define SYS_FSOPEN_CLOEXEC 1u
#define SYS_FSMOUNT_CLOEXEC 1u
#define SYS_OPEN_TREE_CLONE 1u
#define SYS_OPEN_TREE_CLOEXEC ((unsigned)O_CLOEXEC)
#define SYS_MOVE_FROM_EMPTY 0x4u
#define SYS_MOVE_TO_EMPTY 0x40u

struct sys_clone_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size, cgroup;
};

/* Layout of TEU_FAULT_FILE. Zero bytes (or an empty file) to begin with; the program sizes it. */
struct fault_file {
	uint32_t calls; /* calls of the name asked for (of any name without call=) so far */
	uint32_t fired; /* how often one was made to fail: still 0 at the end = n was past the last
			   call */
	int32_t pid;	/* of the process whose call failed first */
	char name[36];	/* of the call that failed first */
};

#ifdef TEU_FAULT
/* `path` below the directory that TEU_TREE names, or path itself without one (or if `buf` is too
 * small for it). For files below /sys and /proc that the test's kernel lacks: a recorded tree takes
 * their place. In normal builds always path itself. `buf` must live as long as the result. */
const char *sys_tree_path(const char *path, char *buf, size_t n);
/* True (errno set) if this call is to fail. Malformed TEU_FAULT ends the program with a message: a
 * test's bug. */
bool fault_check(const char *name);
/* True if TEU_OMIT names it. Known: "dumpable" (nothing becomes undumpable), "fresh" (who joins a
 * container brings our environment along), "outside" (init is born in the pid namespace that it
 * joins). */
bool fault_omits(const char *what);
#define SYS_SEAM(name)                 \
	do {                           \
		if (fault_check(name)) \
			return -1;     \
	} while (0)
#else
static inline const char *sys_tree_path(const char *path, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return path;
}
#define SYS_SEAM(name) (void)0
#define fault_omits(what) false
#endif

/* One line each: the seam, then the call. */
#define SYS_CALL(type, name, params, call)   \
	static inline type sys_##name params \
	{                                    \
		SYS_SEAM(#name);             \
		return (type)(call);         \
	}

/* clang-format off */
/* files */
SYS_CALL(int, openat, (int dir, const char *path, int flags, mode_t mode),
	 openat(dir, path, flags, mode))
SYS_CALL(int, openat2, (int dir, const char *path, const struct open_how *how),
	 syscall(SYS_openat2, dir, path, how, sizeof(*how)))
SYS_CALL(ssize_t, read, (int fd, void *p, size_t n), read(fd, p, n))
SYS_CALL(ssize_t, write, (int fd, const void *p, size_t n), write(fd, p, n))
SYS_CALL(int, fstat, (int fd, struct stat *st), fstat(fd, st))
SYS_CALL(int, fstatat, (int dir, const char *path, struct stat *st, int flags),
	 fstatat(dir, path, st, flags))
SYS_CALL(ssize_t, readlinkat, (int dir, const char *path, char *buf, size_t n),
	 readlinkat(dir, path, buf, n))
SYS_CALL(int, mkdirat, (int dir, const char *path, mode_t mode), mkdirat(dir, path, mode))
SYS_CALL(int, mknodat, (int dir, const char *path, mode_t mode, dev_t dev),
	 mknodat(dir, path, mode, dev))
SYS_CALL(int, symlinkat, (const char *target, int dir, const char *path),
	 symlinkat(target, dir, path))
SYS_CALL(int, unlinkat, (int dir, const char *path, int flags), unlinkat(dir, path, flags))
SYS_CALL(int, renameat, (int from, const char *a, int to, const char *b), renameat(from, a, to, b))
SYS_CALL(int, renameat2, (int from, const char *a, int to, const char *b, unsigned flags),
	 (int)syscall(SYS_renameat2, from, a, to, b, flags))
SYS_CALL(int, fchownat, (int dir, const char *path, uid_t u, gid_t g, int flags),
	 fchownat(dir, path, u, g, flags))
SYS_CALL(int, fchmodat, (int dir, const char *path, mode_t mode), fchmodat(dir, path, mode, 0))
SYS_CALL(int, fchmod, (int fd, mode_t mode), fchmod(fd, mode))
SYS_CALL(int, fchdir, (int fd), fchdir(fd))
SYS_CALL(int, chdir, (const char *path), chdir(path))
SYS_CALL(int, chroot, (const char *path), chroot(path))
SYS_CALL(int, fsync, (int fd), fsync(fd))
SYS_CALL(int, ftruncate, (int fd, off_t n), ftruncate(fd, n))
SYS_CALL(int, dup3, (int fd, int to, int flags), dup3(fd, to, flags))
SYS_CALL(int, fcntl, (int fd, int cmd, long arg), fcntl(fd, cmd, arg))
SYS_CALL(int, ioctl, (int fd, unsigned long rq, void *arg), syscall(SYS_ioctl, fd, rq, arg))
SYS_CALL(int, pipe2, (int fds[2], int flags), pipe2(fds, flags))
SYS_CALL(int, close_range, (unsigned a, unsigned z, unsigned flags),
	 syscall(SYS_close_range, a, z, flags))
/* mounts */
SYS_CALL(int, mount,
	 (const char *src, const char *to, const char *type, unsigned long flags, const void *data),
	 mount(src, to, type, flags, data))
SYS_CALL(int, umount2, (const char *path, int flags), umount2(path, flags))
SYS_CALL(int, pivot_root, (const char *root, const char *old), syscall(SYS_pivot_root, root, old))
SYS_CALL(int, fsopen, (const char *type, unsigned flags), syscall(SYS_fsopen, type, flags))
SYS_CALL(int, fsconfig, (int fd, unsigned cmd, const char *key, const void *value, int aux),
	 syscall(SYS_fsconfig, fd, cmd, key, value, aux))
SYS_CALL(int, fsmount, (int fd, unsigned flags, unsigned attrs),
	 syscall(SYS_fsmount, fd, flags, attrs))
SYS_CALL(int, open_tree, (int dir, const char *path, unsigned flags),
	 syscall(SYS_open_tree, dir, path, flags))
SYS_CALL(int, move_mount, (int from, const char *a, int to, const char *b, unsigned flags),
	 syscall(SYS_move_mount, from, a, to, b, flags))
SYS_CALL(int, mount_setattr,
	 (int dir, const char *path, unsigned flags, const struct sys_mount_attr *attr),
	 syscall(SYS_mount_setattr, dir, path, flags, attr, sizeof(*attr)))
/* processes and namespaces */
SYS_CALL(int, unshare, (unsigned long flags), syscall(SYS_unshare, flags))
SYS_CALL(int, setns, (int fd, int type), setns(fd, type))
SYS_CALL(int, pidfd_open, (pid_t pid, unsigned flags), syscall(SYS_pidfd_open, pid, flags))
SYS_CALL(int, pidfd_send_signal, (int fd, int sig, siginfo_t *info),
	 syscall(SYS_pidfd_send_signal, fd, sig, info, 0))
SYS_CALL(int, waitid, (int type, int id, siginfo_t *info, int options),
	 syscall(SYS_waitid, type, id, info, options, NULL))
SYS_CALL(int, execveat,
	 (int dir, const char *path, char *const *argv, char *const *envp, int flags),
	 syscall(SYS_execveat, dir, path, argv, envp, flags))
SYS_CALL(int, sethostname, (const char *name, size_t n), sethostname(name, n))
SYS_CALL(int, setdomainname, (const char *name, size_t n), setdomainname(name, n))
SYS_CALL(int, setsid, (void), setsid())
SYS_CALL(int, prlimit, (pid_t pid, int what, const struct rlimit *set, struct rlimit *old),
	 syscall(SYS_prlimit64, pid, what, set, old))
/* credentials */
SYS_CALL(int, prctl, (int op, unsigned long a, unsigned long b, unsigned long c, unsigned long d),
	 prctl(op, a, b, c, d))
SYS_CALL(int, capset, (void *head, const void *data), syscall(SYS_capset, head, data))
SYS_CALL(int, setgroups, (size_t n, const gid_t *groups), syscall(SYS_setgroups, n, groups))
SYS_CALL(int, setresuid, (uid_t r, uid_t e, uid_t s), syscall(SYS_setresuid, r, e, s))
SYS_CALL(int, setresgid, (gid_t r, gid_t e, gid_t s), syscall(SYS_setresgid, r, e, s))
SYS_CALL(int, seccomp, (unsigned op, unsigned flags, void *arg),
	 syscall(SYS_seccomp, op, flags, arg))
SYS_CALL(long, keyctl, (int op, unsigned long a, unsigned long b, unsigned long c),
	 syscall(SYS_keyctl, op, a, b, c, 0))
SYS_CALL(int, personality, (unsigned long persona), syscall(SYS_personality, persona))
SYS_CALL(int, bpf, (int cmd, void *attr, unsigned size), syscall(SYS_bpf, cmd, attr, size))
/* sockets */
SYS_CALL(int, socket, (int domain, int type, int protocol), socket(domain, type, protocol))
SYS_CALL(int, socketpair, (int domain, int type, int protocol, int fds[2]),
	 socketpair(domain, type, protocol, fds))
SYS_CALL(int, connect, (int fd, const struct sockaddr *sa, socklen_t n), connect(fd, sa, n))
SYS_CALL(int, bind, (int fd, const struct sockaddr *sa, socklen_t n), bind(fd, sa, n))
SYS_CALL(int, listen, (int fd, int backlog), listen(fd, backlog))
SYS_CALL(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), sendmsg(fd, m, flags))
SYS_CALL(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), recvmsg(fd, m, flags))
/* clang-format on */

/* The fd is closed even when the seam says failure: so does the kernel. */
static inline int sys_close(int fd)
{
	int r = (close)(fd); /* bracketed: the name is banned where this is included */

	SYS_SEAM("close");
	return r;
}

/*
 * clone3(2). With args->stack the child runs fn(arg) on that stack and ends with its result;
 * without, it returns 0 here as fork does. fn is only used with a stack.
 */
int sys_clone3(struct sys_clone_args *args, int (*fn)(void *arg), void *arg);
