/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cloned child does until the program runs: a table of steps for a container's init, and
 * an end that it shares with a further process (join.c).
 *
 * (1) A failure before READY goes to the creator over `sync`, one after it to whoever asked for the
 * start. (2) Not dumpable until exec: nothing in a shared pid namespace can read our memory or open
 * our program. (3) Every fd that is not the program's is closed, not only marked, before the
 * program's path is looked up: a path such as /proc/self/fd/7/... must find nothing of the host.
 * (4) The rights go last, in the order that src/linux/caps.h gives.
 */
#include "runtime/rt.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/step.h"
#include "linux/mount.h"
#include "linux/path.h"
#include "linux/proc.h"
#include "linux/rtnl.h"
#include "linux/sys.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>

#ifndef DEVPTS_SUPER_MAGIC
#define DEVPTS_SUPER_MAGIC 0x1cd1
#endif

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif
#define KEYCTL_JOIN_SESSION 1

static void warn(struct init *in, const char *fmt, ...) PRINTF(2, 3);
static void warn(struct init *in, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sync_send_warn(in->peer, text);
}

/* ---- namespaces ---- */

static int step_user(void *arg, struct err *err)
{
	struct init *in = arg;
	int r;

	if (conf_ns_new(in->conf, NS_USER)) { /* the parent writes our maps */
		r = sync_wait(in->sync, NULL, err);
		if (r >= 0)
			r = proc_set_dumpable(false, err); /* (2), if it was not so before */
		if (r < 0)
			return r;
	}
	if (!in->user_ns)
		return 0;
	/* A map may leave 0 out (EINVAL): then we stay who we are, which has the same rights here.
	 */
	if ((sys_setresgid(0, 0, 0) < 0 || sys_setresuid(0, 0, 0) < 0) && errno != EINVAL)
		return err_sys(err, "become root of the user namespace");
	return 0;
}

/* Order of enum ns_kind is the order to join in. The stage has joined them when a user namespace is
 * involved. */
static int step_namespaces(void *arg, struct err *err)
{
	struct init *in = arg;
	int r;

	for (int k = 0; k < NS_KINDS; k++) {
		if (in->ns_fd[k] < 0 || k == NS_PID || k == NS_USER)
			continue;
		r = ns_join(in->ns_fd[k], k, err);
		if (r < 0)
			return r;
		fd_close(in->ns_fd[k]);
		in->ns_fd[k] = -1;
	}
	/* Not a flag of clone: the parent makes the cgroups while the kernel makes this dearest of
	 * the namespaces. */
	if (conf_ns_new(in->conf, NS_NET)) {
		if (sys_unshare(CLONE_NEWNET) < 0)
			return err_sys(err, "make a network namespace");
		return rtnl_lo_up(-1, err);
	}
	return 0;
}

static int step_names(void *arg, struct err *err)
{
	struct init *in = arg;
	const struct conf *c = in->conf;

	if (c->hostname && sys_sethostname(c->hostname, strlen(c->hostname)) < 0)
		return err_sys(err, "set the host name '%s'", c->hostname);
	if (c->domainname && sys_setdomainname(c->domainname, strlen(c->domainname)) < 0)
		return err_sys(err, "set the domain name '%s'", c->domainname);
	return 0;
}

/* Where the kernel gives realtime to groups (v1), one without it takes no realtime process. */
static int name_realtime(const struct init *in, struct err *err)
{
	const struct conf_scheduler *sch = in->process ? in->process->scheduler : NULL;

	if (sch && sch->priority && err && err->sys == EINVAL)
		(void)err_wrap(err, "process.scheduler: a realtime policy needs "
				    "linux.resources.cpu.realtimeRuntime here");
	return err_ret(err);
}

int init_await_cgroup(struct init *in, struct err *err)
{
	struct sync_msg m;
	int r;

	if (in->cgroup_made)
		return 0;
	r = sync_recv(in->sync, &m, err); /* sent as soon as it is made */
	if (r < 0)
		return r;
	if (r == 0 || m.type != SYNC_GO)
		return err_set(err, ERR_UNAVAILABLE, "the runtime that made this process is gone");
	in->cgroup_made = true;
	in->cgroup_dirs = arena_strndup(in->arena, m.text, MIN(m.len, sizeof(m.text)));
	if (!in->cgroup_dirs)
		return arena_quota(in->arena, err);
	memcpy(in->enter_fds, m.fds, sizeof(in->enter_fds));
	in->fill = (unsigned)m.number;
	in->n_enter = m.nfds;
	if (!conf_ns_new(in->conf, NS_CGROUP))
		return 0;
	/* A new cgroup namespace is rooted at the cgroup of whoever makes it. */
	in->n_enter = 0;
	r = sync_enter(m.fds, m.nfds, err);
	if (r < 0)
		return name_realtime(in, err);
	if (sys_unshare(CLONE_NEWCGROUP) < 0)
		r = err_sys(err, "make a cgroup namespace");
	return r;
}

static int step_cgroup(void *arg, struct err *err)
{
	return init_await_cgroup(arg, err); /* a mount of it may have done so already */
}

/*
 * As late as can be: what is made until now is not charged to the container, whose memory limit may
 * be smaller than what a runtime needs.
 */
static int step_enter_cgroup(void *arg, struct err *err)
{
	struct init *in = arg;
	unsigned n = in->n_enter;
	int r;

	in->n_enter = 0;
	r = sync_enter(in->enter_fds, n, err);
	if (r < 0)
		return name_realtime(in, err);
	/* Charged to the container until the exec: see narrow.c. */
	if (in->fill && mmap(NULL, in->fill * (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
		return err_sys(err, "fill %u pages of the container's memory", in->fill);
	return 0;
}

/* ---- root, hooks ---- */

static int step_rootfs(void *arg, struct err *err)
{
	return rootfs_make(arg, err);
}

static int step_console(void *arg, struct err *err)
{
	return init_console(arg, err);
}

/* Our pid as the runtime sees it: /proc is still its own. */
static pid_t outer_pid(void)
{
	char text[16];
	ssize_t n = sys_readlinkat(AT_FDCWD, "/proc/self", text, sizeof(text) - 1);
	uint64_t pid = 0;

	if (n <= 0 || str_uint64(slice_of(text, (size_t)n), &pid, NULL) < 0)
		return getpid();
	return (pid_t)pid;
}

static int run_hooks(struct init *in, enum hook_kind k, struct err *err)
{
	CLEANUP(buf_fini) struct buf state = BUF_INIT(RT_CONFIG_MAX);
	int r;

	if (!in->conf->hooks.kind[k].n)
		return 0;
	r = state_view_json(&in->view, false, &state, err);
	return r < 0 ? r : hooks_run(&in->conf->hooks, k, buf_slice(&state), err);
}

static int step_hooks(void *arg, struct err *err)
{
	struct init *in = arg;
	const struct conf_hooks *h = &in->conf->hooks;
	int r;

	if (h->kind[HOOK_CREATE_CONTAINER].n || h->kind[HOOK_START_CONTAINER].n)
		in->view.pid = outer_pid();
	/* The parent moves the network devices first: hooks may want to set them up. */
	if (h->kind[HOOK_PRESTART].n || h->kind[HOOK_CREATE_RUNTIME].n ||
	    in->conf->lin.net_devices.n) {
		r = sync_send(in->sync, SYNC_HOOKS, 0, -1, err);
		if (r >= 0)
			r = sync_wait(in->sync, NULL, err);
		if (r < 0)
			return r;
	}
	return run_hooks(in, HOOK_CREATE_CONTAINER, err);
}

int init_chroot(struct init *in, struct err *err)
{
	if (sys_fchdir(in->root) < 0 || sys_chroot(".") < 0)
		return err_sys(err, "change the root");
	return 0;
}

static int step_enter(void *arg, struct err *err)
{
	return rootfs_enter(arg, err);
}

/* ---- terminal and stdio ---- */

/* CVE-2025-52565: it is the container's directory, so what is there need not be what it is called.
 */
static int check_ptmx(int fd, struct err *err)
{
	struct statfs sf;
	struct stat st;

	if (fstatfs(fd, &sf) < 0 || sys_fstat(fd, &st) < 0)
		return err_sys(err, "look at /dev/pts/ptmx");
	if (sf.f_type != DEVPTS_SUPER_MAGIC || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2))
		return err_set(err, ERR_FORBIDDEN, "/dev/pts/ptmx is not that of a devpts");
	return 0;
}

int init_console(struct init *in, struct err *err)
{
	CLEANUP(mount_target_fini) struct mount_target t = { .root = -1, .fd = -1 };
	struct mount_opts o = { .flags = MS_BIND };
	CLEANUP(fd_close) int master = -1;
	struct winsize ws = { .ws_row = in->rows, .ws_col = in->cols };
	int zero = 0, r;

	if (!in->process || !in->process->terminal)
		return 0;
	/* The container's own devpts: its programs find the terminal under the name that the kernel
	 * gives. */
	r = path_open_in(in->root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC,
			 &master, err);
	if (r >= 0)
		r = check_ptmx(master, err);
	if (r >= 0)
		r = fd_set_nonblock(master, false) < 0 ? err_sys(err, "set up the terminal") : 0;
	if (r < 0)
		return err_wrap(err, "process.terminal needs a devpts mount on /dev/pts");
	if (sys_ioctl(master, TIOCSPTLCK, &zero) < 0)
		return err_sys(err, "unlock the terminal");
	in->pty =
		sys_ioctl(master, TIOCGPTPEER, (void *)(uintptr_t)(O_RDWR | O_NOCTTY | O_CLOEXEC));
	if (in->pty < 0)
		return err_sys(err, "open the terminal");
	if ((ws.ws_row || ws.ws_col) && sys_ioctl(in->pty, TIOCSWINSZ, &ws) < 0)
		return err_sys(err, "set the terminal's size");
	if (!in->exec) {
		r = mount_target_open(&t, in->root, "/dev/console", MOUNT_ON_FILE, true, err);
		if (r >= 0)
			r = mount_bind(&t, in->pty, "", &o, -1, err);
		if (r < 0)
			return err_wrap(err, "/dev/console");
	}
	return sync_send(in->sync, SYNC_CONSOLE, 0, master, err);
}

static int set_stdio(struct init *in, struct err *err)
{
	int from[3];

	for (int i = 0; i < 3; i++)
		from[i] = in->pty >= 0 ? in->pty : in->stdio[i];
	/* Out of the way first: one may be the number that another is to become. */
	for (int i = 0; i < 3; i++) {
		if (from[i] < 0 || from[i] > 2)
			continue;
		from[i] = fd_dup(from[i]);
		if (from[i] < 0)
			return err_sys(err, "duplicate stdio");
	}
	for (int i = 0; i < 3; i++)
		if (from[i] >= 0 && sys_dup3(from[i], i, 0) < 0)
			return err_sys(err, "set fd %d", i);
	return 0;
}

/* A program that is not root must be able to open /dev/stdout, which is a pipe or terminal of ours.
 */
static int own_stdio(struct init *in, struct err *err)
{
	struct stat st;

	for (int i = 0; i < 3; i++) {
		if (sys_fstat(i, &st) < 0) {
			if (errno == EBADF)
				continue;
			return err_sys(err, "look at fd %d", i);
		}
		if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
			continue;
		if (st.st_uid == in->process->user.uid)
			continue;
		if (fchown(i, in->process->user.uid, (gid_t)-1) < 0 && errno != EINVAL &&
		    errno != EPERM && errno != EROFS && errno != ENOSYS)
			return err_sys(err, "give fd %d to uid %u", i, in->process->user.uid);
	}
	return 0;
}

/* ---- what a process is ---- */

static int set_rlimits(struct init *in, struct err *err)
{
	const struct conf_process *p = in->process;

	for (size_t i = 0; i < p->rlimits.n; i++) {
		int what = p->rlimits.v[i].type - 1;
		struct rlimit l = { p->rlimits.v[i].soft, p->rlimits.v[i].hard }, now;

		if (sys_prlimit(0, what, &l, NULL) == 0)
			continue;
		/* Without CAP_SYS_RESOURCE a hard limit cannot rise: as peers do, take what can be
		 * had. */
		if (errno != EPERM || sys_prlimit(0, what, NULL, &now) < 0)
			return err_sys(err, "set resource limit %d", what);
		l.rlim_max = MIN(l.rlim_max, now.rlim_max);
		l.rlim_cur = MIN(l.rlim_cur, l.rlim_max);
		if (sys_prlimit(0, what, &l, NULL) < 0)
			return err_sys(err, "set resource limit %d", what);
		warn(in, "resource limit %d clamped to %llu: raising it needs CAP_SYS_RESOURCE",
		     what, (unsigned long long)l.rlim_max);
	}
	return 0;
}

struct sched_attr_ {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

static int sched_flag(const char *name, uint64_t *ret)
{
	static const char *const names[] = {
		"SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM",     "SCHED_FLAG_DL_OVERRUN",
		"SCHED_FLAG_KEEP_POLICY",   "SCHED_FLAG_KEEP_PARAMS", "SCHED_FLAG_UTIL_CLAMP_MIN",
		"SCHED_FLAG_UTIL_CLAMP_MAX"
	};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i], name)) {
			*ret |= 1ull << i;
			return 0;
		}
	return -1;
}

static int set_scheduler(const struct conf_process *p, struct err *err)
{
	const struct conf_scheduler *s = p->scheduler;
	struct sched_attr_ a = { .size = sizeof(a) };

	if (s) {
		a.policy = (uint32_t)s->policy - 1;
		a.nice = s->nice;
		a.priority = (uint32_t)s->priority;
		a.runtime = s->runtime;
		a.deadline = s->deadline;
		a.period = s->period;
		for (size_t i = 0; i < s->flags.n; i++)
			if (sched_flag(s->flags.v[i], &a.flags) < 0)
				return err_set(err, ERR_INVALID,
					       "process.scheduler.flags: '%s' is unknown",
					       s->flags.v[i]);
		if (syscall(SYS_sched_setattr, 0, &a, 0) < 0)
			return err_sys(err, "set process.scheduler");
	}
	/* Class in the upper bits: IOPRIO_PRIO_VALUE; who 1 = a process, 0 = ourselves. */
	if (p->ioprio &&
	    syscall(SYS_ioprio_set, 1, 0, p->ioprio->class << 13 | p->ioprio->priority) < 0)
		return err_sys(err, "set process.ioPriority");
	return 0;
}

static uint64_t cap_set(struct init *in, const struct strs *names, uint64_t kernel)
{
	uint64_t set = 0;

	for (size_t i = 0; i < names->n; i++) {
		int n = caps_number(names->v[i]);

		if (n < 0 || !(kernel >> n & 1))
			warn(in, "capability %s is unknown here and left out", names->v[i]);
		else
			set |= 1ull << n;
	}
	return set;
}

/* Our permitted set alone: caps_self() asks the kernel 80 times more, for the sets that need no
 * answer here. */
static int own_permitted(uint64_t *ret, struct err *err)
{
	struct {
		uint32_t version;
		int pid;
	} head = { 0x20080522, 0 }; /* _LINUX_CAPABILITY_VERSION_3 */
	struct {
		uint32_t effective, permitted, inheritable;
	} d[2];

	if (syscall(SYS_capget, &head, d) < 0)
		return err_sys(err, "ask for our capabilities");
	*ret = d[0].permitted | (uint64_t)d[1].permitted << 32;
	return 0;
}

int init_capabilities(struct init *in, struct err *err)
{
	const struct conf_caps *c = in->process->caps;
	uint64_t kernel, lost, own;
	int r;

	in->caps = (struct caps){ 0 };
	r = own_permitted(&own, err);
	if (r < 0 || !c)
		return r;
	r = caps_kernel_mask(&kernel, NULL);
	if (r < 0) /* no /proc any more: what we know by name */
		kernel = (1ull << caps_known()) - 1;
	in->caps.bounding = cap_set(in, &c->bounding, kernel);
	in->caps.permitted = cap_set(in, &c->permitted, kernel);
	in->caps.effective = cap_set(in, &c->effective, kernel);
	in->caps.inheritable = cap_set(in, &c->inheritable, kernel);
	in->caps.ambient = cap_set(in, &c->ambient, kernel);
	/* What we do not have ourselves cannot be given: the spec wants a warning, not a failure.
	 */
	lost = (in->caps.permitted | in->caps.inheritable) & ~own;
	for (unsigned n = 0; n < 64; n++)
		if (lost >> n & 1)
			warn(in, "capability %s cannot be granted: this process does not have it",
			     caps_name(n));
	in->caps.permitted &= own;
	in->caps.inheritable &= own;
	in->caps.effective &= in->caps.permitted;
	in->caps.ambient &= in->caps.permitted & in->caps.inheritable;
	return 0;
}

/* ---- the program ---- */

static const char *env_get(const struct strs *env, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < env->n; i++)
		if (!strncmp(env->v[i], name, n) && env->v[i][n] == '=')
			return env->v[i] + n + 1;
	return NULL;
}

/* Home directory of a uid by the container's /etc/passwd; "/" when it has none. */
static const char *home_of(struct init *in, uint32_t uid)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(256 * 1024);
	CLEANUP(fd_close) int root = -1;
	CLEANUP(fd_close) int fd = -1;
	struct slice rest, line, f[6];
	struct stat st;
	ssize_t got;
	uint64_t n;

	/* The image's own: a FIFO would hold us up, a magic link lead to a file of ours. */
	root = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (root < 0 ||
	    path_open_in(root, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd, NULL) < 0 ||
	    sys_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !buf_room(&b, b.max))
		return "/";
	got = fd_read_full(fd, b.p, b.max);
	if (got < 0)
		return "/";
	rest = slice_of(b.p, (size_t)got);
	while (rest.p) {
		line = slice_split(&rest, '\n');
		for (int i = 0; i < 6; i++)
			f[i] = slice_split(&line, ':');
		if (f[5].p && f[5].n && str_uint64(f[2], &n, NULL) == 0 && n == uid)
			return arena_strndup(in->arena, f[5].p, f[5].n);
	}
	return "/";
}

static int make_env(struct init *in, struct err *err)
{
	const struct strs *env = &in->process->env;
	const char **v = ARENA_ARRAY(in->arena, const char *, env->n + 4);
	size_t n = 0;

	if (!v)
		return arena_quota(in->arena, err);
	for (size_t i = 0; i < env->n; i++)
		v[n++] = env->v[i];
	if (!env_get(env, "HOME")) {
		const char *home = home_of(in, in->process->user.uid);

		v[n++] = arena_printf(in->arena, "HOME=%s", home ? home : "/");
	}
	if (in->listen_fds) {
		v[n++] = arena_printf(in->arena, "LISTEN_FDS=%u", in->listen_fds);
		v[n++] = arena_printf(in->arena, "LISTEN_PID=%d", (int)getpid());
	}
	v[n] = NULL;
	in->envp = v;
	v = ARENA_ARRAY(in->arena, const char *, in->process->args.n + 1);
	for (size_t i = 0; v && i < in->process->args.n; i++)
		v[i] = in->process->args.v[i];
	in->argv = v;
	return arena_exceeded(in->arena) ? arena_quota(in->arena, err) : 0;
}

/* Engines read their exit codes 127 and 126 out of these words, and docker's client wants them
 * small, as Go writes them. */
static int exec_words(enum err_code code, int e, const char *name, const char *what,
		      struct err *err)
{
	int r = err_sysc(err, code, e, "exec: \"%s\"%s", name, what);
	char *at = err ? strrchr(err->msg, ':') : NULL;

	if (at && at[1] == ' ' && at[2] >= 'A' && at[2] <= 'Z')
		at[2] = (char)(at[2] + ('a' - 'A'));
	return r;
}

static int not_found(const char *name, struct err *err)
{
	return exec_words(ERR_NOT_FOUND, ENOENT, name,
			  strchr(name, '/') ? "" : ": executable file not found in $PATH", err);
}

static int exec_error(const char *name, int e, struct err *err)
{
	if (e == ENOENT || e == ENOTDIR)
		return exec_words(ERR_NOT_FOUND, e, name, "", err);
	if (e == EISDIR)
		return exec_words(ERR_FORBIDDEN, EACCES, name, ": is a directory", err);
	if (e == EACCES || e == EPERM || e == ENOEXEC)
		return exec_words(ERR_FORBIDDEN, e, name, "", err);
	return exec_words(ERR_SYSTEM, e, name, "", err);
}

/* 0 = can be run as far as can be told, else an errno. */
static int runnable(const char *path)
{
	struct stat st;

	if (sys_fstatat(AT_FDCWD, path, &st, 0) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	return st.st_mode & 0111 ? 0 : EACCES;
}

int init_find_program(struct init *in, struct err *err)
{
	const char *name = in->process->args.v[0];
	const char *path = env_get(&in->process->env, "PATH");
	struct slice rest;
	int e, denied = 0;

	if (strchr(name, '/')) {
		e = runnable(name);
		in->program = (char *)name;
		return e ? exec_error(name, e, err) : 0;
	}
	rest = slice_str(path ? path
			      : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	while (rest.p) {
		struct slice dir = slice_split(&rest, ':');
		char *full = arena_printf(in->arena, "%.*s/%s", dir.n ? (int)dir.n : 1,
					  dir.n ? dir.p : ".", name);

		if (!full)
			return arena_quota(in->arena, err);
		e = runnable(full);
		if (e == 0) {
			in->program = full;
			return 0;
		}
		if (e == EACCES)
			denied = e;
	}
	return denied ? exec_error(name, denied, err) : not_found(name, err);
}

/* ---- into its place ---- */

static int enter_cwd(struct init *in, struct err *err)
{
	char now[4096];

	if (sys_chdir(in->process->cwd) < 0)
		return err_sys(err, "change to the working directory '%s'", in->process->cwd);
	/* A magic link (/proc/self/fd/N) could lead out of the root: there the path has no
	 * beginning. */
	if (!getcwd(now, sizeof(now)) || now[0] != '/')
		return err_set(err, ERR_FORBIDDEN,
			       "working directory '%s' is outside of the container's root",
			       in->process->cwd);
	return 0;
}

static int new_keyring(struct init *in, struct err *err)
{
	char *name;
	int r;

	if (in->flags & RT_NO_NEW_KEYRING)
		return 0;
	name = arena_printf(in->arena, "_ses.%s", in->id);
	if (!name)
		return arena_quota(in->arena, err);
	r = lsm_label_keys(in->process, true, err);
	if (r < 0)
		return r;
	if (sys_keyctl(KEYCTL_JOIN_SESSION, (unsigned long)name, 0, 0) < 0 && errno != ENOSYS &&
	    errno != EPERM && errno != EDQUOT)
		return err_sys(err, "make a session keyring");
	return lsm_label_keys(in->process, false, err);
}

int init_session(struct init *in, struct err *err)
{
	/* In a process that joins the terminal is on fd 0 already. */
	int pty = in->exec && in->process->terminal ? 0 : in->pty;

	if (sys_setsid() < 0 && errno != EPERM)
		return err_sys(err, "make a session");
	if (pty >= 0 && sys_ioctl(pty, TIOCSCTTY, NULL) < 0)
		return err_sys(err, "make the terminal the controlling one");
	return 0;
}

/* All that needs neither the start nor the rights that the end takes. */
int init_identity(struct init *in, struct err *err)
{
	const struct conf_personality *pe = in->conf->lin.personality;
	int r;

	if (!in->process)
		return 0;
	r = in->exec ? 0 : init_session(in, err); /* else in the process that is cloned then */
	if (r >= 0)
		r = set_stdio(in, err);
	if (r >= 0)
		r = own_stdio(in, err);
	if (r >= 0)
		r = new_keyring(in, err);
	if (r >= 0)
		r = set_scheduler(in->process, err);
	if (r >= 0)
		r = tune_memory(in->conf, err);
	/* PER_LINUX 0, PER_LINUX32 8 */
	if (r >= 0 && pe && sys_personality(strcmp(pe->domain, "LINUX32") ? 0 : 8) < 0)
		r = err_sys(err, "set linux.personality");
	if (r >= 0)
		r = init_capabilities(in, err);
	if (r >= 0)
		r = make_env(in, err);
	if (r >= 0)
		r = enter_cwd(in, err);
	return r < 0 ? r : init_find_program(in, err);
}

static int step_identity(void *arg, struct err *err)
{
	return init_identity(arg, err);
}

static const struct step init_steps[] = {
	{ "user namespace", step_user, NULL }, { "namespaces", step_namespaces, NULL },
	{ "host name", step_names, NULL },     { "root file system", step_rootfs, NULL },
	{ "console", step_console, NULL },     { "cgroup", step_cgroup, NULL },
	{ "hooks", step_hooks, NULL },	       { "enter the root", step_enter, NULL },
	{ "process", step_identity, NULL },    { "enter the cgroup", step_enter_cgroup, NULL },
};

/* ---- the end: rights, seccomp, exec ---- */

static int close_fds(struct init *in, struct err *err)
{
	int keep[66];
	size_t n = 0;

	if (in->keep_fds > 64)
		return err_set(err, ERR_INVALID, "%u preserved fds: at most 64 are possible",
			       in->keep_fds);
	for (unsigned i = 0; i < in->keep_fds; i++) {
		keep[n++] = 3 + (int)i;
		if (sys_fcntl(3 + (int)i, F_SETFD, 0) < 0)
			return err_sys(err, "preserve fd %u", 3 + i);
	}
	keep[n++] = in->peer;
	return proc_fds_cloexec(3, keep, n, true, err);
}

static int load_seccomp(struct init *in, struct err *err)
{
	CLEANUP(fd_close) int listener = -1;
	int r;

	if (!in->seccomp || !in->seccomp->insns)
		return 0;
	r = seccomp_install(in->seccomp, &listener, err);
	if (r < 0 || listener < 0)
		return r;
	return sync_send(in->peer, SYNC_NOTIFY, 0, listener, err);
}

int init_drop_rights(struct init *in, struct err *err)
{
	const struct conf_process *p = in->process;
	/* As late as the right to load it is still there. */
	bool early = !p->no_new_privs && !(in->caps.effective >> 21 & 1); /* CAP_SYS_ADMIN */
	int r;

	r = caps_drop_bounding(&in->caps, err);
	if (r >= 0)
		r = caps_keep(true, err);
	if (r >= 0)
		r = caps_set_ids(p->user.uid, p->user.gid, p->user.groups.v, p->user.groups.n,
				 conf_annotation(in->conf, "run.oci.keep_original_groups") != NULL,
				 err);
	if (r >= 0 && p->no_new_privs)
		r = proc_set_no_new_privs(err);
	if (r >= 0)
		r = lsm_apply(p, err);
	if (r < 0)
		return r;
	if (early && in->seccomp && in->seccomp->insns) {
		struct caps all = in->caps;

		/* The change of uid emptied the effective set; the permitted one was kept. */
		r = own_permitted(&all.permitted, err);
		all.effective = all.permitted;
		all.ambient = 0;
		if (r >= 0)
			r = caps_apply(&all, err);
		if (r >= 0)
			r = load_seccomp(in, err);
	}
	if (r >= 0)
		r = caps_apply(&in->caps, err);
	if (r >= 0 && !early)
		r = load_seccomp(in, err);
	return r;
}

int init_prepare_exec(struct init *in, struct err *err)
{
	const struct conf_process *p = in->process;
	int r;

	/* Not the caller's: a daemon's is often 0. */
	umask(p->user.umask.set ? (mode_t)p->user.umask.v : 0022);
	r = close_fds(in, err);
	if (r >= 0)
		r = set_rlimits(in, err);
	return r < 0 ? r : proc_reset_signals(err);
}

int init_run(struct init *in, struct err *err)
{
	size_t n = 0;

	while (in->exec && in->listen_fds && in->envp[n])
		n++;
	if (n) /* the last, as make_env() has put it: of the process that it is now */
		in->envp[n - 1] = arena_printf(in->arena, "LISTEN_PID=%d", (int)getpid());
	sys_execveat(AT_FDCWD, in->program, (char *const *)in->argv, (char *const *)in->envp, 0);
	return exec_error(in->process->args.v[0], errno, err);
}

static int init_exec(struct init *in, struct err *err)
{
	int r = init_prepare_exec(in, err);

	if (r >= 0)
		r = init_drop_rights(in, err);
	return r < 0 ? r : init_run(in, err);
}

/* ---- waiting ---- */

static int wait_start(struct init *in, struct err *err)
{
	int r;

	r = sync_send(in->sync, SYNC_READY, 0, -1, err);
	if (r < 0)
		return r;
	/* The start, or with a start.sock the word that we are on record: a creator that ended
	 * before has left nobody who could find us. */
	r = sync_wait(in->sync, NULL, err);
	if (r < 0 || in->listen < 0)
		return r;
	fd_close(in->sync);
	in->sync = in->peer = -1;
	do
		in->peer = accept4(in->listen, NULL, NULL, SOCK_CLOEXEC);
	while (in->peer < 0 && errno == EINTR);
	if (in->peer < 0)
		return err_sys(err, "wait for the start");
	fd_close(in->listen);
	in->listen = -1;
	return 0;
}

static int fail(struct init *in, const struct err *err)
{
	if (in->peer >= 0)
		sync_send_error(in->peer, err);
	return 127;
}

int init_main(void *arg)
{
	struct init *in = arg;
	struct err err = ERR_INIT;
	int r;

	fd_close(in->other);
	fd_close(in->state_dir);
	in->peer = in->sync;
	r = proc_set_parent_death_signal(SIGKILL, &err);
	if (r >= 0)
		r = step_run(init_steps, ARRAY_LEN(init_steps), in, &err);
	/* From now on we live on without our creator. */
	if (r >= 0)
		r = proc_set_parent_death_signal(0, &err);
	if (r >= 0)
		r = wait_start(in, &err);
	if (r >= 0 && !in->process)
		r = err_set(&err, ERR_CONFLICT,
			    "config.json has no process: there is nothing to start");
	if (r >= 0)
		r = run_hooks(in, HOOK_START_CONTAINER, &err);
	if (r >= 0)
		r = init_exec(in, &err);
	return fail(in, &err);
}
