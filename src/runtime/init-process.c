/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the container's process is before it is the program: its terminal and stdio, session,
 * keyring, scheduling, limits, working directory. Nothing here needs a right that the end
 * (init-exec.c) takes away, nor the word to start.
 */
#include "runtime/init-private.h"

#include "base/arena.h"
#include "base/fd.h"
#include "linux/mount.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>
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

/* ---- limits and scheduling ---- */

int init_set_rlimits(struct init *in, struct err *err)
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
		init_warn(in,
			  "resource limit %d clamped to %llu: raising it needs CAP_SYS_RESOURCE",
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
	int pty = in->exec && in->process && in->process->terminal ? 0 : in->pty;

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
		r = init_make_env(in, err);
	if (r >= 0)
		r = enter_cwd(in, err);
	return r < 0 ? r : init_find_program(in, err);
}
