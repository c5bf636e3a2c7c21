/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a shim: init and what was exec'd. Their output and their end; exits are on disk
 * before they are told (shim.h, invariant 1); out-of-memory kills.
 */
#include "runtime/shim-state.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "linux/proc.h"
#include "linux/sys.h"
#include "runtime/runtime.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#define DRAIN_PATIENCE (2 * NS_PER_SEC)
#define EXECS_KEPT 64			  /* ended execs that a later engine may still ask for */
#define EXITS_MAX (4096 * SHIM_EXIT_SIZE) /* then the file is cut to the EXITS_KEPT last */
#define EXITS_KEPT SHIM_PROCS_MAX
#define END_MS 5000 /* for a killed process to end */

struct proc_slot *shim_proc_find(struct shim *s, struct slice exec_id)
{
	struct proc_slot *p;

	LIST_FOREACH (p, &s->procs, struct proc_slot, link)
		if (slice_is(exec_id, p->p.exec_id))
			return p;
	return NULL;
}

static void proc_free(struct proc_slot *p)
{
	list_del(&p->link);
	p->shim->nprocs--;
	child_fini(&p->child);
	shim_io_free(p->io);
	free(p);
}

/* Old ended execs make room for new ones. */
static void forget_old(struct shim *s)
{
	struct proc_slot *p;
	unsigned ended = 0;

	LIST_FOREACH (p, &s->procs, struct proc_slot, link)
		ended += p->told && *p->p.exec_id && !p->io;
	LIST_FOREACH (p, &s->procs, struct proc_slot, link) {
		if (ended <= EXECS_KEPT)
			break;
		if (p->told && *p->p.exec_id && !p->io) {
			proc_free(p);
			ended--;
		}
	}
}

struct proc_slot *shim_proc_new(struct shim *s, struct slice exec_id)
{
	struct proc_slot *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->shim = s;
	p->child = CHILD_INIT;
	memcpy(p->p.exec_id, exec_id.p ? exec_id.p : "", exec_id.n);
	memcpy(p->p.exit.exec_id, p->p.exec_id, sizeof(p->p.exec_id));
	list_append(&s->procs, &p->link);
	s->nprocs++;
	return p;
}

/* ---- exits ---- */

/* The records that matter are few: of execs no engine has heard of, and of init. */
static int cut_exits(struct shim *s, int fd, off_t size, struct err *err)
{
	CLEANUP_FREE unsigned char *keep = malloc(EXITS_KEPT * SHIM_EXIT_SIZE);
	const size_t n = EXITS_KEPT * SHIM_EXIT_SIZE;

	if (!keep)
		abort();
	if (pread(fd, keep, n, size - (off_t)n) != (ssize_t)n)
		return err_sys(err, "read exit records");
	return fd_replace_file(s->dirfd, "exits", keep, n, 0600, err);
}

static int open_exits(struct shim *s, struct err *err)
{
	int fd = sys_openat(s->dirfd, "exits", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? err_sys(err, "open exit records") : fd;
}

/* At a multiple of the size: a record that was torn by a crash or a full disk is written over. */
static int store_exit(struct shim *s, const unsigned char *rec, struct err *err)
{
	CLEANUP(fd_close) int fd = open_exits(s, err);
	struct stat st;

	if (fd < 0)
		return fd;
	if (sys_fstat(fd, &st) < 0)
		return err_sys(err, "look at exit records");
	if (st.st_size >= EXITS_MAX) {
		if (cut_exits(s, fd, st.st_size - st.st_size % SHIM_EXIT_SIZE, err) < 0)
			return err_ret(err);
		fd_close(fd);
		fd = open_exits(s, err);
		if (fd < 0)
			return fd;
		st.st_size = EXITS_KEPT * SHIM_EXIT_SIZE;
	}
	if (pwrite(fd, rec, SHIM_EXIT_SIZE, st.st_size - st.st_size % SHIM_EXIT_SIZE) !=
		    SHIM_EXIT_SIZE ||
	    fdatasync(fd) < 0)
		return err_sys(err, "write exit record");
	return 0;
}

/* Keeps (1): the record is on disk before anybody is told. If it cannot be, being told is all that
 * is left. A second try is for what passes (a signal's ENOMEM, an injected fault). */
static void record_exit(struct shim *s, const struct shim_exit *e)
{
	unsigned char rec[SHIM_EXIT_SIZE];
	struct err err = ERR_INIT;

	shim_exit_pack(e, rec);
	if (store_exit(s, rec, &err) < 0 && store_exit(s, rec, &err) < 0)
		log_error("exit of '%s' cannot be recorded: %s", e->exec_id, err.msg);
	shim_send(s, SHIM_EXIT, 0, rec, sizeof(rec));
}

/* ---- out of memory ---- */

/* "oom_kill N" in memory.oom_control (v1) or memory.events (v2). */
static void read_oom(struct shim *s)
{
	char text[512];
	const char *at;
	ssize_t n;

	if (s->oom_file < 0)
		return;
	n = pread(s->oom_file, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return;
	text[n] = '\0';
	at = strstr(text, "oom_kill ");
	if (at && at[9] != '0' && !s->oom) {
		unsigned char bytes[8];
		struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };

		s->oom = true;
		wire_put_u64(&o, (uint64_t)clock_real());
		shim_send(s, SHIM_OOM, 0, o.p, o.n);
	}
}

static int oom_event(struct source *source, uint32_t events)
{
	struct shim *s = CONTAINER_OF(source, struct shim, oom_source);
	char drop[512];

	(void)events;
	while (read(s->oom_fd, drop, sizeof(drop)) > 0)
		;
	read_oom(s);
	return 0;
}

void shim_watch_oom(struct shim *s)
{
	CLEANUP(fd_close) int dir = -1;
	struct err err = ERR_INIT;
	char line[64];
	int n;

	if (rt_cgroup_dir(s->container, "memory", &dir, &err) == 0) {
		CLEANUP(fd_close)
		int control = sys_openat(dir, "cgroup.event_control", O_WRONLY | O_CLOEXEC, 0);

		s->oom_file = sys_openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC, 0);
		s->oom_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		n = snprintf(line, sizeof(line), "%d %d", s->oom_fd, s->oom_file);
		if (s->oom_file < 0 || s->oom_fd < 0 || control < 0 ||
		    write(control, line, (size_t)n) != n)
			return;
	} else if (rt_cgroup_dir(s->container, "", &dir, &err) == 0) {
		s->oom_file = sys_openat(dir, "memory.events", O_RDONLY | O_CLOEXEC, 0);
		if (s->oom_file < 0)
			return;
		(void)snprintf(line, sizeof(line), "/proc/self/fd/%d", s->oom_file);
		s->oom_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		if (s->oom_fd < 0 || inotify_add_watch(s->oom_fd, line, IN_MODIFY) < 0)
			return;
	} else {
		return;
	}
	if (source_init(&s->oom_source, s->loop, s->oom_fd, EPOLLIN, oom_event, &err) < 0)
		log_debug("watch memory events: %s", err.msg);
}

/* ---- the end of a process ---- */

static void tell_exit(struct proc_slot *p)
{
	p->told = true;
	p->p.exit.oom = p->shim->oom;
	if (!p->silent)
		record_exit(p->shim, &p->p.exit);
}

/* Init has ended. In a pid namespace of its own the others have as well (init is the last that the
 * kernel lets go); in the host's they may live on and are ended here. */
static void end_execs(struct shim *s)
{
	struct proc_exit e;
	struct proc_slot *p;

	LIST_FOREACH (p, &s->procs, struct proc_slot, link) {
		if (p->told || !*p->p.exec_id)
			continue;
		if (!p->ended) {
			(void)proc_signal(p->child.pidfd, SIGKILL, NULL);
			p->p.exit.status = -1;
			if (proc_wait(p->child.pidfd, END_MS, &e, NULL) == 0)
				p->p.exit.status =
					e.signalled ? e.status & 0x7f : (e.status & 0xff) << 8;
			p->p.exit.finished = clock_real();
			p->ended = true;
			p->p.running = false;
			child_fini(&p->child);
		}
		if (p->io)
			shim_io_finish(p->io, 0);
		tell_exit(p);
	}
}

void shim_proc_over(void *arg)
{
	struct proc_slot *p = arg;
	struct shim *s = p->shim;

	if (p->told)
		return;
	read_oom(s);
	if (!*p->p.exec_id)
		end_execs(s);
	tell_exit(p);
	if (!*p->p.exec_id)
		shim_finish(s);
}

/* Its clients have all they are to get. */
static void proc_served(void *arg)
{
	struct proc_slot *p = arg;
	struct shim *s = p->shim;

	shim_io_free(STEAL(p->io));
	if (s->finished)
		shim_stop_if_served(s);
	else
		forget_old(s);
}

void shim_sweep(struct shim *s)
{
	siginfo_t si = { 0 };
	struct proc_slot *p;

	/* Orphans of the container whose parents ended (we are the subreaper). Our own children are
	 * left to their pidfds. */
	while (sys_waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid) {
		LIST_FOREACH (p, &s->procs, struct proc_slot, link)
			if (p->p.pid == si.si_pid && !p->ended)
				return; /* reaped by its pidfd, which sweeps again */
		(void)sys_waitid(P_PID, si.si_pid, &si, WEXITED | WNOHANG);
		si.si_pid = 0;
	}
}

static int proc_ended(struct child *child, int status)
{
	struct proc_slot *p = CONTAINER_OF(child, struct proc_slot, child);
	struct shim *s = p->shim;

	p->ended = true;
	p->p.running = false;
	p->p.exit.status = status;
	p->p.exit.finished = clock_real();
	if (!*p->p.exec_id && s->phase == SHIM_CREATED)
		p->p.exit.started = 0;
	if (p->io)
		shim_io_finish(p->io, DRAIN_PATIENCE);
	else
		shim_proc_over(p);
	shim_sweep(s);
	return 0;
}

/* ---- its standard files ---- */

static void client_left(void *arg, bool by_keys)
{
	struct proc_slot *p = arg;
	unsigned char bytes[SHIM_ID_MAX + 16];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };

	wire_put_str(&o, p->p.exec_id);
	wire_put_u8(&o, by_keys);
	shim_send(p->shim, SHIM_DETACHED, 0, o.p, o.n);
}

void shim_stdio_close(struct shim_stdio *io)
{
	for (int i = 0; i < 3; i++) {
		fd_close(io->theirs[i]);
		fd_close(io->ours[i]);
	}
}

int shim_stdio_open(struct shim_stdio *io, uint32_t flags, struct err *err)
{
	int fds[2];

	if (flags & SHIM_TTY)
		return 0;
	for (int i = 0; i < 3; i++) {
		if (i == 0 && !(flags & SHIM_STDIN)) {
			io->theirs[0] = sys_openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0);
			if (io->theirs[0] < 0)
				return err_sys(err, "open /dev/null");
			continue;
		}
		if (sys_pipe2(fds, O_CLOEXEC) < 0)
			return err_sys(err, "make a pipe for the process");
		io->theirs[i] = fds[i == 0 ? 0 : 1];
		io->ours[i] = fds[i == 0 ? 1 : 0];
	}
	return 0;
}

int shim_proc_watch(struct proc_slot *p, const struct rt_proc *proc, struct shim_stdio *io,
		    uint32_t flags, struct err *err)
{
	struct shim *s = p->shim;
	bool tty = flags & SHIM_TTY;
	struct shim_io_conf conf = {
		.loop = s->loop,
		.in = STEAL_FD(io->ours[0]),
		.out = tty ? proc->console : STEAL_FD(io->ours[1]),
		.err = STEAL_FD(io->ours[2]),
		.tty = tty,
		.once = flags & SHIM_STDIN_ONCE,
		.log = s->logging && !*p->p.exec_id ? &s->log : NULL,
		.scratch = s->scratch,
		.active = shim_scratch_used,
		.drained = shim_proc_over,
		.served = proc_served,
		.detached = client_left,
		.arg = p,
	};
	struct proc_exit e;
	int r;

	p->p.pid = p->p.exit.pid = proc->pid;
	p->p.running = true;
	r = shim_io_new(&conf, &p->io, err);
	if (r == 0)
		r = child_init(&p->child, s->loop, proc->pidfd, proc->pid, proc_ended, err);
	if (r < 0) {
		(void)proc_signal(proc->pidfd, SIGKILL, NULL); /* may have ended by itself */
		(void)proc_wait(proc->pidfd, END_MS, &e, NULL);
		fd_close(proc->pidfd);
		proc_free(p);
	}
	return r;
}
