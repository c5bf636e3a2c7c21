/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making, holding and recognising processes; settings of the calling one.
 *
 * clone3 gives the pidfd at birth, so there is no moment in which only a pid is known. A shared
 * child (CLONE_VM with CLONE_VFORK) costs no copy of page tables: 65 us per resident MiB of the
 * parent are saved.
 */
#include "linux/proc.h"

#include "base/err.h"
#include "base/fd.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum {
	STACK_DEFAULT = 64 * 1024,
	GUARD = 4096,
	KEEP_MAX = 256,
};

void proc_fini(struct proc *p)
{
	fd_close(p->pidfd);
	p->pidfd = -1;
}

/* clone(2), for filters that know no clone3. The pidfd comes through the third argument on every
 * architecture here. */
static int clone_old(const struct proc_clone *c, char *top, int *pidfd)
{
	unsigned long flags =
		(unsigned long)c->flags | CLONE_PIDFD | (c->flags & CLONE_PARENT ? 0 : SIGCHLD);

	SYS_SEAM("clone");
	if (top)
		return clone(c->fn, top, (int)(flags | CLONE_VM | CLONE_VFORK), c->arg, pidfd);
	return (int)syscall(SYS_clone, flags, 0UL, pidfd, 0UL, 0UL);
}

/* In the copy of the parent's memory: run and leave. */
static void forked_child(const struct proc_clone *c)
{
	int status = c->fn(c->arg);

	(void)syscall(SYS_exit_group, status);
	(void)syscall(SYS_exit, status);
	/* A seccomp filter that lets nothing pass forbids the end as well; libc would ask forever.
	 */
	__builtin_trap();
}

/* A cgroup fd of v1, or a kernel before 5.7. */
static bool cgroup_refused(int e)
{
	return e == EBADF || e == EINVAL || e == E2BIG || e == EOPNOTSUPP;
}

static int clone_any(const struct proc_clone *c, char *stack, size_t size, struct proc *p)
{
	struct sys_clone_args a = { .flags = c->flags | CLONE_PIDFD,
				    .pidfd = (uint64_t)(uintptr_t)&p->pidfd,
				    .exit_signal = c->flags & CLONE_PARENT ? 0 : SIGCHLD };
	int pid;

	if (stack) {
		a.flags |= CLONE_VM | CLONE_VFORK;
		a.stack = (uint64_t)(uintptr_t)stack;
		a.stack_size = size;
	}
	p->in_cgroup = c->cgroup_fd >= 0;
	if (p->in_cgroup) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)c->cgroup_fd;
	}
	pid = sys_clone3(&a, c->fn, c->arg);
	if (pid < 0 && p->in_cgroup && cgroup_refused(errno)) {
		p->in_cgroup = false;
		a.flags &= ~CLONE_INTO_CGROUP;
		a.cgroup = 0;
		pid = sys_clone3(&a, c->fn, c->arg);
	}
	if (pid < 0 && errno == ENOSYS && !(c->flags & CLONE_NEWTIME)) {
		p->in_cgroup = false;
		pid = clone_old(c, stack ? stack + size : NULL, &p->pidfd);
	}
	if (pid == 0)
		forked_child(c);
	return pid;
}

int proc_clone(const struct proc_clone *c, struct proc *ret, struct err *err)
{
	size_t size = c->stack ? c->stack : STACK_DEFAULT;
	struct proc p = { .pidfd = -1 };
	char *stack = NULL;
	int saved;

	if (c->shared) {
		/* The lowest page stays without rights: an overflow faults instead of writing into
		 * the heap. */
		stack = mmap(NULL, size + GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK,
			     -1, 0);
		if (stack == MAP_FAILED)
			return err_sys(err, "map a stack for a child");
		if (mprotect(stack + GUARD, size, PROT_READ | PROT_WRITE) < 0) {
			(void)munmap(stack, size + GUARD);
			return err_sys(err, "map a stack for a child");
		}
	}
	p.pid = clone_any(c, stack ? stack + GUARD : NULL, size, &p);
	saved = errno;
	if (stack)
		(void)munmap(stack, size + GUARD); /* the child has left it: exec or exit */
	errno = saved;
	if (p.pid < 0 && errno == ENOSYS)
		return err_sysc(
			err, ERR_UNSUPPORTED, errno,
			"make a process in a new time namespace (clone3 is missing or filtered)");
	if (p.pid < 0)
		return err_sys(err, "make a process (clone flags 0x%llx)",
			       (unsigned long long)c->flags);
	*ret = p;
	return 0;
}

int proc_pidfd(pid_t pid, int *ret_fd, struct err *err)
{
	int fd = sys_pidfd_open(pid, 0);

	if (fd < 0 && errno == ESRCH)
		return err_sysc(err, ERR_NOT_FOUND, errno, "process %d", (int)pid);
	if (fd < 0)
		return err_sys(err, "open a pidfd of process %d", (int)pid);
	*ret_fd = fd;
	return 0;
}

/* Field 3 and 22; the name in field 2 may hold anything, also ") ". */
static int parse_stat(const char *text, char *state, uint64_t *start)
{
	const char *p = strrchr(text, ')');
	unsigned long long v;
	char st;

	if (!p || sscanf(p,
			 ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			 "%*s %llu",
			 &st, &v) != 2)
		return -1;
	if (state)
		*state = st;
	*start = v;
	return 0;
}

int proc_start_time(pid_t pid, uint64_t *ret, char *state, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	char path[40], text[2048];
	ssize_t n;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0 && (errno == ENOENT || errno == ESRCH))
		return err_sysc(err, ERR_NOT_FOUND, errno, "process %d", (int)pid);
	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	r = path_check_procfs(fd, err);
	if (r < 0)
		return r;
	n = sys_read(fd, text, sizeof(text) - 1);
	if (n < 0 && errno == ESRCH)
		return err_sysc(err, ERR_NOT_FOUND, errno, "process %d", (int)pid);
	if (n < 0)
		return err_sys(err, "read '%s'", path);
	text[n] = 0;
	if (parse_stat(text, state, ret) < 0)
		return err_set(err, ERR_SYSTEM, "'%s' has a form that is not known", path);
	return 0;
}

int proc_open(pid_t pid, uint64_t start, int *ret_fd, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	uint64_t now;
	char state;
	int r;

	/* First the fd, then the look: if the pid changed hands in between, the start times differ.
	 */
	r = proc_pidfd(pid, &fd, err);
	if (r < 0)
		return r;
	r = proc_start_time(pid, &now, &state, err);
	if (r < 0)
		return r;
	if (now != start || state == 'Z' || state == 'X')
		return err_set(err, ERR_NOT_FOUND, "process %d has ended%s", (int)pid,
			       now != start ? " (its pid belongs to another now)" : "");
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int proc_pid_of(int pidfd, pid_t *ret, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	char path[48], text[1024], *line;
	ssize_t n;
	int pid;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	n = sys_read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return err_sys(err, "read '%s'", path);
	text[n] = 0;
	line = strstr(text, "\nPid:\t");
	if (!line || sscanf(line, "\nPid:\t%d", &pid) != 1)
		return err_set(err, ERR_INVALID, "fd %d is no pidfd", pidfd);
	if (pid <= 0)
		return err_set(err, ERR_NOT_FOUND,
			       "the process of pidfd %d has ended or is not visible here", pidfd);
	*ret = pid;
	return 0;
}

int proc_signal(int pidfd, int sig, struct err *err)
{
	pid_t pid;

	if (sys_pidfd_send_signal(pidfd, sig, NULL) == 0)
		return 0;
	/* A filter that does not know the call: by number, which is right until it is reaped. */
	if (errno == ENOSYS) {
		if (proc_pid_of(pidfd, &pid, err) < 0)
			return err_ret(err);
		if (kill(pid, sig) == 0)
			return 0;
	}
	if (errno == ESRCH)
		return err_sysc(err, ERR_NOT_FOUND, errno, "send signal %d: the process has ended",
				sig);
	return err_sys(err, "send signal %d", sig);
}

int proc_exit_code(const struct proc_exit *e)
{
	return e->signalled ? 128 + e->status : e->status;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int proc_poll(int pidfd, int timeout_ms, struct err *err)
{
	int64_t end = now_ms() + timeout_ms;
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };
	int r;

	for (;;) {
		int64_t left = timeout_ms < 0 ? -1 : end - now_ms();

		r = poll(&pfd, 1, timeout_ms < 0 ? -1 : (int)MAX(left, 0));
		if (r >= 0 || errno != EINTR)
			break;
	}
	if (r < 0 || (r > 0 && (pfd.revents & POLLNVAL)))
		return err_sys(err, "wait for a process");
	return r == 0;
}

int proc_wait(int pidfd, int timeout_ms, struct proc_exit *ret, struct err *err)
{
	siginfo_t si = { 0 };
	int r;

	if (timeout_ms >= 0) {
		r = proc_poll(pidfd, timeout_ms, err);
		if (r != 0)
			return r;
	}
	do
		r = sys_waitid(P_PIDFD, pidfd, &si, WEXITED);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(err, "wait for a child");
	ret->status = si.si_status;
	ret->signalled = si.si_code != CLD_EXITED;
	ret->core = si.si_code == CLD_DUMPED;
	return 0;
}

int proc_set_dumpable(bool on, struct err *err)
{
	if (fault_omits("dumpable"))
		on = true;
	return sys_prctl(PR_SET_DUMPABLE, on, 0, 0, 0) < 0 ? err_sys(err, "set dumpable to %d", on)
							   : 0;
}

int proc_set_subreaper(bool on, struct err *err)
{
	return sys_prctl(PR_SET_CHILD_SUBREAPER, on, 0, 0, 0) < 0
		       ? err_sys(err, "become a child subreaper")
		       : 0;
}

int proc_set_parent_death_signal(int sig, struct err *err)
{
	return sys_prctl(PR_SET_PDEATHSIG, (unsigned long)sig, 0, 0, 0) < 0
		       ? err_sys(err, "set the parent-death signal to %d", sig)
		       : 0;
}

int proc_set_no_new_privs(struct err *err)
{
	return sys_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? err_sys(err, "set no_new_privs")
							      : 0;
}

int proc_reset_signals(struct err *err)
{
	/* The kernel's struct sigaction, all zero: SIG_DFL. By the call itself, since the C
	 * libraries refuse the numbers they keep for themselves, which a caller may have left
	 * ignored too. */
	const unsigned long dfl[8] = { 0 };
	sigset_t none;

	for (int sig = 1; sig <= 64; sig++)
		(void)syscall(SYS_rt_sigaction, sig, dfl, NULL,
			      8); /* KILL and STOP are refused: they need none */
	(void)sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return err_sys(err, "unblock signals");
	return 0;
}

void proc_keep_children(void)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };

	(void)sigaction(SIGCHLD, &dfl, NULL); /* cannot fail for a valid signal */
}

int proc_fds_each(int (*fn)(int fd, void *arg), void *arg, struct err *err)
{
	int fd = sys_openat(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), r;
	struct dirent *e;
	DIR *d;

	if (fd < 0)
		return err_sys(err, "open '/proc/self/fd'");
	r = path_check_procfs(fd, err);
	if (r < 0) {
		fd_close(fd);
		return r;
	}
	d = fdopendir(fd);
	if (!d) {
		r = err_sys(err, "read '/proc/self/fd'");
		fd_close(fd);
		return r;
	}
	while (r == 0 && (e = readdir(d))) {
		int n;

		if (sscanf(e->d_name, "%d", &n) == 1 && n != fd)
			r = fn(n, arg);
	}
	closedir(d);
	return r;
}

struct keep {
	int fds[KEEP_MAX];
	size_t n;
	int first;
	bool now;
};

static int keep_or_close(int fd, void *arg)
{
	const struct keep *k = arg;

	if (fd < k->first)
		return 0;
	for (size_t i = 0; i < k->n; i++)
		if (k->fds[i] == fd)
			return 0;
	if (k->now)
		(void)sys_close(fd);
	else
		(void)sys_fcntl(fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

/* The gaps between the kept fds, which are sorted. */
static int close_gaps(const struct keep *k)
{
	unsigned from = (unsigned)k->first, flags = k->now ? 0 : CLOSE_RANGE_CLOEXEC;

	for (size_t i = 0; i < k->n; i++) {
		unsigned at = (unsigned)k->fds[i];

		if (at < from)
			continue;
		if (at > from && sys_close_range(from, at - 1, flags) < 0)
			return -1;
		from = at + 1;
	}
	return sys_close_range(from, ~0U, flags);
}

int proc_fds_cloexec(int first, const int *keep, size_t n_keep, bool now, struct err *err)
{
	struct keep k = { .first = first, .now = now };

	if (n_keep > KEEP_MAX)
		return err_set(err, ERR_INVALID, "more than %d fds to keep", KEEP_MAX);
	for (size_t i = 0; i < n_keep; i++) {
		size_t at = k.n++;

		for (; at > 0 && k.fds[at - 1] > keep[i]; at--)
			k.fds[at] = k.fds[at - 1];
		k.fds[at] = keep[i];
	}
	if (close_gaps(&k) == 0)
		return 0;
	/* ENOSYS before 5.9, EINVAL for the close-on-exec flag before 5.11, EPERM from old filters.
	 */
	if (errno != ENOSYS && errno != EINVAL && errno != EPERM)
		return err_sys(err, "close fds from %d on", first);
	return proc_fds_each(keep_or_close, &k, err);
}

/* Of one's own /proc, where a container may have mounted or linked one file of procfs in the place
 * of another (CVE-2025-52881): from its root on no other mount and no magic link may be crossed. */
static int open_own(const char *path)
{
	const struct open_how how = { .flags = O_WRONLY | O_CLOEXEC,
				      .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV |
						 RESOLVE_NO_MAGICLINKS };
	CLEANUP(fd_close)
	int root = sys_openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	struct stat st;
	int fd;

	if (root < 0)
		return -1;
	if (path_check_procfs(root, NULL) < 0 || sys_fstat(root, &st) < 0 || st.st_ino != 1) {
		errno = EXDEV; /* not the root of a procfs */
		return -1;
	}
	fd = sys_openat2(root, path + strlen("/proc/"), &how);
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = sys_openat(root, path + strlen("/proc/"), O_WRONLY | O_CLOEXEC, 0);
	return fd;
}

int proc_write_attr(pid_t pid, const char *name, const char *value, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	char path[96];
	int r;

	if (pid)
		(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	else
		(void)snprintf(path, sizeof(path), "/proc/self/%s", name);
	fd = pid ? sys_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0) : open_own(path);
	if (fd < 0 && errno == EXDEV)
		return err_sysc(err, ERR_FORBIDDEN, errno,
				"open '%s' to write: something is mounted over it", path);
	if (fd < 0)
		return err_sys(err, "open '%s' to write", path);
	r = path_check_procfs(fd, err);
	if (r < 0)
		return r;
	if (sys_write(fd, value, strlen(value)) < 0)
		return err_sys(err, "write '%s' to '%s'", value, path);
	return 0;
}
