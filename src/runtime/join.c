/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Into a running container, by a process that brings nothing along (CVE-2016-9962 and its kind).
 *
 * A process of the container with CAP_SYS_PTRACE can read and rule whatever is born in its pid
 * namespace, before that has become the program. So: (1) A fresh image of this program is run
 * outside of it, with no environment, no fds but those of the job, and no memory of ours: the
 * joiner. (2) The joiner enters all other namespaces, finds the program and gives up its rights;
 * only then (3) it clones the process in the pid namespace, as our child (CLONE_PARENT). What is
 * born there has the memory of the job and the rights that the container's processes have anyway.
 *
 * Not everything can be given up before a clone: a filter that is loaded by right of CAP_SYS_ADMIN
 * and that would not let us clone, real-time scheduling, a limit of processes of which the joiner
 * would be one. Then the process gives it up itself (`late`), with the fresh image all the same.
 */
#include "runtime/rt.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/step.h"
#include "linux/proc.h"
#include "linux/sys.h"
#include "runtime/join.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <termios.h>

#define JOB_MAGIC 0x4a4f494eu
#define ARENA_MAX (64u << 20)

/* Written by this program for itself: plain numbers, then the bytes of what they count. */
struct job {
	uint32_t magic;
	uint32_t id, bundle, config, process, insns; /* bytes of each, in this order */
	int32_t stdio[3], target, pid_ns;
	int32_t listen; /* of a create: start.sock, else -1 */
	int32_t root;	/* of a container without a mount namespace, else -1 */
	uint64_t target_ns;
	uint32_t keep_fds, listen_fds, flags;
	uint16_t rows, cols;
	uint32_t filter_flags;
	bool user_ns, notify, create;
};

/* ---- who asks for it ---- */

/* In v2 the rights of who writes to cgroup.procs count, and only since 5.16 those of who opened it.
 */
bool join_needs_help(const struct cgroup *cg, const struct conf_process *p)
{
	struct utsname u;
	unsigned major = 0, minor = 0;

	if (!cgroup_is_v2(cg) || !p || !p->user.uid)
		return false;
	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return true;
	return major < 5 || (major == 5 && minor < 16);
}

/* Only what differs from ours: a user namespace cannot be joined twice. */
int join_targets(const struct conf *c, pid_t pid, struct init *in, int *ret_pid_ns, struct err *err)
{
	for (int k = 0; k < NS_KINDS; k++) {
		CLEANUP(fd_close) int own = -1;
		CLEANUP(fd_close) int theirs = -1;
		int r;

		if (!conf_ns(c, k))
			continue;
		r = ns_open_of(0, k, &own, err);
		if (r >= 0)
			r = ns_open_of(pid, k, &theirs, err);
		if (r >= 0)
			r = ns_same(own, theirs, err);
		if (r < 0)
			return r;
		if (r == 1)
			continue;
		if (k == NS_PID) {
			*ret_pid_ns = STEAL_FD(theirs);
			continue;
		}
		in->target_ns |= ns_types[k].flag;
		if (k == NS_USER)
			in->user_ns = true;
	}
	if (!conf_ns(c, NS_MOUNT)) {
		char root[32];

		(void)snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
		in->root = sys_openat(AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		if (in->root < 0)
			return err_sys(err, "open the container's root");
	}
	return 0;
}

struct spawn {
	const struct init *in;
	int job, pid_ns;
	char sync_text[16], job_text[16];
	char *argv[5];
};

#ifdef TEU_FAULT
/* What the seam is told goes on to all processes. */
char **join_environ(void)
{
	extern char **environ;
	static char *env[16];
	size_t n = 0;

	if (fault_omits("fresh"))
		return environ;
	for (char **e = environ; *e && n + 1 < ARRAY_LEN(env); e++)
		if (!strncmp(*e, "TEU_", 4))
			env[n++] = *e;
	env[n] = NULL;
	return env;
}
#else
char **join_environ(void)
{
	static char *const none[] = { NULL };

	return (char **)none;
}
#endif

/* Shares our memory until its exec. */
static int spawn_main(void *arg)
{
	struct spawn *s = arg;
	int keep[72] = { s->in->sync, s->job, s->in->target };
	size_t n = 3;

	if (s->pid_ns >= 0)
		keep[n++] = s->pid_ns;
	if (s->in->root >= 0)
		keep[n++] = s->in->root;
	if (s->in->listen >= 0)
		keep[n++] = s->in->listen;
	for (int i = 0; i < 3; i++)
		if (s->in->stdio[i] >= 3)
			keep[n++] = s->in->stdio[i];
	for (unsigned i = 0; i < s->in->keep_fds && n < ARRAY_LEN(keep); i++)
		keep[n++] = 3 + (int)i;
	if (proc_fds_cloexec(3, keep, n, true, NULL) < 0)
		return 1;
	for (size_t i = 0; i < n; i++)
		if (sys_fcntl(keep[i], F_SETFD, 0) < 0)
			return 1;
	sys_execveat(AT_FDCWD, "/proc/self/exe", s->argv, join_environ(), 0);
	return 1;
}

static bool has_hooks(const struct join *j, const struct init *in)
{
	return j->create && in->conf->hooks.kind[HOOK_START_CONTAINER].n;
}

static int write_job(const struct join *j, const struct init *in, int fd, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(2 * RT_CONFIG_MAX + 65536);
	size_t insns = in->seccomp->n * sizeof(*in->seccomp->insns);
	struct job job = {
		.magic = JOB_MAGIC,
		.id = (uint32_t)strlen(in->id),
		.bundle = in->bundle ? (uint32_t)strlen(in->bundle) : 0,
		.insns = (uint32_t)insns,
		.stdio = { in->stdio[0], in->stdio[1], in->stdio[2] },
		.target = in->target,
		.pid_ns = j->pid_ns,
		.root = in->root,
		.listen = in->listen,
		.target_ns = in->target_ns,
		.keep_fds = in->keep_fds,
		.listen_fds = in->listen_fds,
		.flags = in->flags,
		.rows = in->rows,
		.cols = in->cols,
		.filter_flags = in->seccomp->flags,
		.user_ns = in->user_ns,
		.notify = in->seccomp->notify,
		.create = j->create,
	};
	size_t at;
	int r;

	(void)buf_add(&b, &job, sizeof(job)); /* a full buffer is seen at the end */
	(void)buf_add(&b, in->id, job.id);
	(void)buf_add(&b, in->bundle, job.bundle);
	at = b.n;
	r = conf_write_part(in->conf, has_hooks(j, in), in->arena, &b, err);
	job.config = (uint32_t)(b.n - at);
	at = b.n;
	if (r >= 0 && in->process)
		r = conf_write_process(in->process, in->arena, &b, err);
	if (r < 0)
		return r;
	job.process = (uint32_t)(b.n - at);
	if (insns)
		(void)buf_add(&b, in->seccomp->insns, insns);
	if (b.full)
		return err_set(err, ERR_TOO_LARGE, "what is to be run is too large");
	memcpy(b.p, &job, sizeof(job));
	if (fd_write_all(fd, b.p, b.n) < 0)
		return err_sys(err, "write down what is to be run");
	return 0;
}

/* Its exit is not ours to tell: what went wrong comes by the socket. */
static void reap(struct proc *p)
{
	(void)proc_wait(p->pidfd, -1, &(struct proc_exit){ 0 }, NULL);
	proc_fini(p);
}

int join_start(const struct join *j, const struct init *in, struct proc *ret, struct err *err)
{
	CLEANUP(fd_close) int job = memfd_create("teu-oci-job", MFD_CLOEXEC);
	struct spawn s = { .in = in, .job = job, .pid_ns = j->pid_ns };
	int r;

	if (job < 0)
		return err_sys(err, "make a file in memory");
	r = write_job(j, in, job, err);
	if (r < 0)
		return r;
	(void)snprintf(s.sync_text, sizeof(s.sync_text), "%d", in->sync);
	(void)snprintf(s.job_text, sizeof(s.job_text), "%d", job);
	s.argv[0] = (char[]){ "teu-oci" };
	s.argv[1] = (char[]){ JOIN_WORD };
	s.argv[2] = s.sync_text;
	s.argv[3] = s.job_text;
	return proc_clone(
		&(struct proc_clone){
			.fn = spawn_main, .arg = &s, .shared = true, .cgroup_fd = -1 },
		ret, err);
}

int join_await(struct serve *s, struct proc *joiner, struct proc *ret, struct err *err)
{
	int r;

	s->born = ret;
	s->joiner = joiner;
	r = rt_serve(s, err);
	s->born = NULL;
	s->joiner = NULL;
	if (r == 0 || (r > 0 && ret->pidfd < 0))
		r = err_set(err, ERR_SYSTEM, "the process that joins the container has ended");
	if (r < 0)
		(void)proc_signal(joiner->pidfd, SIGKILL, NULL); /* may have ended */
	reap(joiner);
	return r < 0 ? r : 0;
}

/* ---- the joiner ---- */

struct joiner {
	struct init in;
	struct conf conf;
	struct conf_process process;
	struct seccomp_prog prog;
	struct job job;
	struct proc born;
	bool late; /* the rights go in the born process itself */
};

static const char *take(const char **p, const char *end, uint32_t n)
{
	const char *at = *p;

	if ((size_t)(end - at) < n)
		return NULL;
	*p += n;
	return at;
}

static int parse_job(struct joiner *j, const char *p, const char *end, struct err *err)
{
	const char *id, *bundle, *config, *process, *insns;
	struct arena *a = j->in.arena;
	int r;

	id = take(&p, end, j->job.id);
	bundle = id ? take(&p, end, j->job.bundle) : NULL;
	config = bundle ? take(&p, end, j->job.config) : NULL;
	process = config ? take(&p, end, j->job.process) : NULL;
	insns = process ? take(&p, end, j->job.insns) : NULL;
	if (!insns || j->job.insns > UINT16_MAX * sizeof(*j->prog.insns))
		return err_set(err, ERR_INVALID, "what is to be run is cut off");
	r = conf_read_part(slice_of(config, j->job.config), a, &j->conf, err);
	if (r >= 0 && j->job.process)
		r = conf_read_process(slice_of(process, j->job.process), a, &j->process, err);
	if (r < 0)
		return r;
	j->in.id = arena_strndup(a, id, j->job.id);
	j->in.bundle = arena_strndup(a, bundle, j->job.bundle);
	j->prog.n = (uint16_t)(j->job.insns / sizeof(*j->prog.insns));
	j->prog.flags = j->job.filter_flags;
	j->prog.notify = j->job.notify;
	if (j->prog.n) {
		j->prog.insns = ARENA_ARRAY(a, struct sock_filter, j->prog.n);
		if (!j->prog.insns)
			return arena_quota(a, err);
		memcpy(j->prog.insns, insns, j->job.insns);
	}
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static int read_job(struct joiner *j, int fd, struct err *err)
{
	struct stat st;
	char *text;

	if (sys_fstat(fd, &st) < 0)
		return err_sys(err, "look at what is to be run");
	text = arena_alloc_raw(j->in.arena, (size_t)st.st_size + 1, 16);
	if (!text)
		return arena_quota(j->in.arena, err);
	if (pread(fd, text, (size_t)st.st_size, 0) != st.st_size)
		return err_sys(err, "read what is to be run");
	if ((size_t)st.st_size >= sizeof(j->job))
		memcpy(&j->job, text, sizeof(j->job));
	if (j->job.magic != JOB_MAGIC)
		return err_set(err, ERR_INVALID, "what is to be run is none of our jobs");
	return parse_job(j, text + sizeof(j->job), text + st.st_size, err);
}

static void prepare(struct joiner *j)
{
	struct init *in = &j->in;

	in->conf = &j->conf;
	in->process = j->job.process ? &j->process : NULL;
	in->seccomp = &j->prog;
	for (int i = 0; i < 3; i++)
		in->stdio[i] = j->job.stdio[i];
	in->target = j->job.target;
	in->root = j->job.root;
	in->target_ns = j->job.target_ns;
	in->keep_fds = j->job.keep_fds;
	in->listen_fds = j->job.listen_fds;
	in->flags = j->job.flags;
	in->rows = j->job.rows;
	in->cols = j->job.cols;
	in->user_ns = j->job.user_ns;
	in->listen = j->job.listen;
	in->view = (struct state_view){ .oci_version = j->conf.oci_version,
					.id = in->id,
					.bundle = in->bundle,
					.status = RT_CREATED,
					.annotations = &j->conf.annotations };
	in->exec = true;
}

/* Will the filter let us go on to the exec, when it is loaded before the clone? */
static bool filter_permits(const struct joiner *j)
{
	static const int calls[] = { SYS_sendmsg,    SYS_recvmsg,	    SYS_write,	  SYS_close,
				     SYS_setsid,     SYS_sched_setaffinity, SYS_execveat, SYS_exit,
				     SYS_exit_group, SYS_rt_sigprocmask };
	static const int waits[] = { SYS_accept4, SYS_mmap }; /* for the start */
	const uint64_t clone_args[6] = { CLONE_PARENT | CLONE_PIDFD };
	const uint64_t ctty_args[6] = { 0, TIOCSCTTY };
	uint32_t v;

	if (!j->prog.n)
		return true;
	if (j->prog.notify)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		if (!seccomp_allows(seccomp_verdict(&j->prog, calls[i], (const uint64_t[6]){ 0 })))
			return false;
	for (size_t i = 0; j->job.create && i < ARRAY_LEN(waits); i++)
		if (!seccomp_allows(seccomp_verdict(&j->prog, waits[i], (const uint64_t[6]){ 0 })))
			return false;
	v = seccomp_verdict(&j->prog, SYS_clone3, (const uint64_t[6]){ 0 });
	return (seccomp_allows(v) || v == (SECCOMP_RET_ERRNO | ENOSYS)) &&
	       seccomp_allows(seccomp_verdict(&j->prog, SYS_clone, clone_args)) &&
	       seccomp_allows(seccomp_verdict(&j->prog, SYS_ioctl, ctty_args));
}

static bool must_be_late(const struct joiner *j)
{
	if (j->process.scheduler || !filter_permits(j))
		return true;
	if (j->conf.hooks.kind[HOOK_START_CONTAINER].n) /* they have the runtime's rights */
		return true;
	if (lsm_is_late(&j->process, j->in.lsm))
		return true;
	for (size_t i = 0; i < j->process.rlimits.n; i++)
		if (j->process.rlimits.v[i].type - 1 == RLIMIT_NPROC &&
		    (j->process.user.uid || j->job.user_ns))
			return true;
	return false;
}

/* Into the cgroup; a container's init then waits for its start. */
static int born_wait(struct joiner *j, struct err *err)
{
	struct init *in = &j->in;
	struct sync_msg m;
	uint64_t pid = 0;
	int r;

	r = sync_recv(in->sync, &m, err);
	if (r >= 0 && (r == 0 || m.type != SYNC_GO))
		r = err_set(err, ERR_UNAVAILABLE, "the runtime that made this process is gone");
	if (r >= 0)
		r = sync_enter(m.fds, m.nfds, err);
	if (r < 0 || !j->job.create)
		return r;
	r = init_fill((unsigned)m.number, err);
	/* Our pid out there: the word is of the parent. */
	if (r >= 0 && str_uint64(slice_of(m.text, MIN(m.len, sizeof(m.text))), &pid, NULL) == 0)
		in->view.pid = (pid_t)pid;
	if (r >= 0)
		r = init_wait_start(in, err);
	if (r >= 0 && !in->process)
		r = err_set(err, ERR_CONFLICT,
			    "config.json has no process: there is nothing to start");
	return r < 0 ? r : init_start_hooks(in, err);
}

/* In the pid namespace, until it is the program. */
static int born_main(void *arg)
{
	struct joiner *j = arg;
	struct init *in = &j->in;
	struct err err = ERR_INIT;
	int r;

	r = init_session(in, &err);
	if (r >= 0)
		r = born_wait(j, &err);
	/* Joining a cpuset sets the CPUs: the last word about them comes after. */
	if (r >= 0 && in->process->affinity)
		r = tune_affinity(in->process->affinity->final, "final", &err);
	if (r >= 0 && j->late)
		r = init_drop_rights(in, &err);
	if (r >= 0)
		r = init_run(in, &err);
	if (in->peer >= 0)
		sync_send_error(in->peer, &err);
	return 127;
}

static int join_namespaces(struct joiner *j, struct err *err)
{
	struct init *in = &j->in;
	int r = 0;

	if (in->process && in->process->affinity)
		r = tune_affinity(in->process->affinity->initial, "initial", err);
	/* Without rights out here it is the user namespace that gives the right to the others. With
	 * them it comes with the rest: the pid namespace may be one from outside. */
	if (r >= 0 && geteuid() != 0 && (in->target_ns & CLONE_NEWUSER)) {
		if (sys_setns(in->target, CLONE_NEWUSER) < 0)
			r = err_sys(err, "join the container's user namespace");
		in->target_ns &= ~(uint64_t)CLONE_NEWUSER;
	}
	/* Of the pid namespace only children become members. */
	if (r >= 0 && j->job.pid_ns >= 0)
		r = ns_join(j->job.pid_ns, NS_PID, err);
	/* The rest at once by the pidfd of its init (5.8); the mount namespace brings its root and
	 * a working directory. */
	if (r >= 0 && in->target_ns && sys_setns(in->target, (int)in->target_ns) < 0)
		r = err_sys(err, "join the container's namespaces");
	if (r < 0)
		return r;
	if (in->root >= 0)
		r = init_chroot(in, err);
	else
		in->root = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (r < 0 || in->root < 0)
		return r < 0 ? r : err_sys(err, "open the container's root");
	if (in->user_ns && (sys_setresgid(0, 0, 0) < 0 || sys_setresuid(0, 0, 0) < 0) &&
	    errno != EINVAL)
		return err_sys(err, "become root of the user namespace");
	return 0;
}

static int step_enter(void *arg, struct err *err)
{
	struct joiner *j = arg;

	/* The container's /proc has no /proc/self for us. */
	if (j->in.process)
		j->in.lsm = lsm_open(j->in.process);
	return join_namespaces(j, err);
}

static int step_console(void *arg, struct err *err)
{
	struct joiner *j = arg;

	return j->job.create ? 0 : init_console(&j->in, err); /* else its terminal is there */
}

static int step_process(void *arg, struct err *err)
{
	struct joiner *j = arg;

	return init_identity(&j->in, err);
}

static int step_rights(void *arg, struct err *err)
{
	struct joiner *j = arg;
	int r;

	if (!j->in.process) /* it will only wait to be killed */
		return caps_apply(&(struct caps){ 0 }, err);
	r = init_prepare_exec(&j->in, err);
	if (r >= 0)
		r = proc_set_dumpable(false, err); /* fs.suid_dumpable has decided anew */
	j->late = must_be_late(j);
	if (j->late) { /* the file is for this process alone */
		fd_close(j->in.lsm);
		j->in.lsm = -1;
	}
	return r < 0 || j->late ? r : init_drop_rights(&j->in, err);
}

static int step_clone(void *arg, struct err *err)
{
	struct joiner *j = arg;
	int r = proc_clone(
		&(struct proc_clone){
			.flags = CLONE_PARENT, .fn = born_main, .arg = j, .cgroup_fd = -1 },
		&j->born, err);

	return r < 0 ? r : sync_send(j->in.sync, SYNC_PID, j->born.pid, j->born.pidfd, err);
}

static const struct step steps[] = {
	{ "enter the container", step_enter, NULL },
	{ "console", step_console, NULL },
	{ "process", step_process, NULL },
	{ "rights", step_rights, NULL },
	{ "clone", step_clone, NULL },
};

int join_main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct joiner *j;
	struct arena *a;
	int64_t sync, job;
	int r;

	if (argc == 4 && str_int64(slice_str(argv[2]), &sync, NULL) == 0 &&
	    str_int64(slice_str(argv[3]), &job, NULL) == 0)
		return join_proc_main((int)sync, (int)job, strcmp(argv[1], JOIN_PROC_BARE) != 0);
	if (argc != 3 || str_int64(slice_str(argv[1]), &sync, NULL) < 0 ||
	    str_int64(slice_str(argv[2]), &job, NULL) < 0 || sync < 3 || sync > INT32_MAX ||
	    job < 3 || job > INT32_MAX || sys_fcntl((int)sync, F_SETFD, FD_CLOEXEC) < 0) {
		dprintf(2, "teu-oci: %s is run by exec alone\n", JOIN_WORD);
		return 2;
	}
	a = arena_new("join", ARENA_MAX);
	j = arena_alloc(a, sizeof(*j));
	if (!j)
		abort();
	j->in = INIT_INIT;
	j->in.arena = a;
	j->in.sync = j->in.peer = (int)sync;
	r = proc_set_dumpable(false, &err); /* see init.c (2) */
	if (r >= 0)
		r = read_job(j, (int)job, &err);
	fd_close((int)job);
	if (r >= 0) {
		prepare(j);
		r = step_run(steps, ARRAY_LEN(steps), j, &err);
	}
	if (r < 0)
		sync_send_error(j->in.sync, &err);
	return r < 0;
}
