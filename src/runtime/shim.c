/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shim's process: one container's parent. Serves one engine at a time on a SEQPACKET
 * connection, calls the runtime library in process, and records exits before it tells them. See
 * shim.h for the invariants (1)-(5).
 *
 * Ends when init has ended, its output is drained, its exit is on disk and told, and the runtime's
 * state is removed. Clients that have not read everything by then are served by a child that has
 * nothing else (linger), so neither the exit nor the engine waits for a slow reader.
 */
#include "runtime/shim-private.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "linux/proc.h"
#include "linux/sys.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define IDLE_AFTER (2 * NS_PER_SEC)
#define DRAIN_PATIENCE (2 * NS_PER_SEC)
#define EXECS_KEPT 64			  /* ended execs that a later engine may still ask for */
#define OUTBOX_MAX (1u << 20)		  /* frames an engine may be behind before it is dropped */
#define EXITS_MAX (4096 * SHIM_EXIT_SIZE) /* then the file is cut to the EXITS_KEPT last */
#define EXITS_KEPT SHIM_PROCS_MAX
#define STACK_DEEP (1024 * 1024)
#define END_MS 5000 /* for a killed process to end */

struct proc_slot {
	struct list link;
	struct shim *shim;
	struct shim_proc p; /* id "" = init */
	struct child child;
	struct shim_io *io;
	bool ended;  /* reaped */
	bool told;   /* exit recorded and sent */
	bool silent; /* its exec was answered with a failure: nobody knows it */
};

/* A frame the socket had no room for. */
struct waiting {
	struct list link;
	uint16_t type;
	uint32_t id;
	size_t n;
	unsigned char bytes[];
};

struct shim {
	struct loop *loop;
	const char *id, *run_dir;
	int run_dirfd, listen_fd, conn, dirfd;
	struct source listen_source, conn_source, oom_source;
	struct sigsource sigchld, sigterm;
	uint16_t version; /* 0 until WELCOME */
	struct list outbox;
	size_t outbox_bytes;
	enum shim_phase phase;
	bool oom, finished, listening;
	int64_t started;
	char *rt_root;
	struct rt_host host;
	struct rt_container *container;
	struct shim_logger log;
	bool logging;
	uint32_t flags;
	struct list procs;
	unsigned nprocs;
	int oom_fd, oom_file;
	char *scratch;
	struct timer idle;
};

/* ---- scratch ---- */

/* Calls of the runtime reach far down; below us nothing lives. A part that is not mapped gives
 * ENOMEM after the rest was done. */
static __attribute__((noinline)) void give_back_stack(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t here = (uintptr_t)__builtin_frame_address(0) & ~(page - 1);

	(void)madvise((void *)(here - page - STACK_DEEP), STACK_DEEP, MADV_DONTNEED);
}

static int give_back(struct timer *t)
{
	struct shim *s = CONTAINER_OF(t, struct shim, idle);

	(void)madvise(s->scratch, SHIM_SCRATCH, MADV_DONTNEED);
	arena_trim();
	give_back_stack();
	return 0;
}

static void scratch_used(void *arg)
{
	struct proc_slot *p = arg;

	timer_set_after(&p->shim->idle, IDLE_AFTER);
}

/* ---- sending ---- */

static void conn_drop(struct shim *s)
{
	struct waiting *w;

	source_fini(&s->conn_source);
	fd_close(s->conn);
	s->conn = -1;
	s->version = 0;
	LIST_FOREACH (w, &s->outbox, struct waiting, link) {
		list_del(&w->link);
		free(w);
	}
	s->outbox_bytes = 0;
}

static int put_frame(struct shim *s, uint16_t type, uint32_t id, const void *p, size_t n)
{
	struct err err = ERR_INIT;

	return frame_send(s->conn, s->version ? s->version : SHIM_VERSION_MAX, type, id, p, n, NULL,
			  0, &err);
}

/* An engine that is busy finds its frames later; one that never reads is none: it may connect again
 * and is told everything by HELLO. */
static void send_frame(struct shim *s, uint16_t type, uint32_t id, const void *p, size_t n)
{
	struct waiting *w;
	int r = 1;

	if (s->conn < 0)
		return;
	if (list_empty(&s->outbox))
		r = put_frame(s, type, id, p, n);
	if (r == 0)
		return;
	if (r < 0 || s->outbox_bytes + n > OUTBOX_MAX) {
		conn_drop(s);
		return;
	}
	w = malloc(sizeof(*w) + n);
	if (!w)
		abort();
	*w = (struct waiting){ .type = type, .id = id, .n = n };
	if (n)
		memcpy(w->bytes, p, n);
	list_append(&s->outbox, &w->link);
	s->outbox_bytes += n + sizeof(*w);
	(void)source_set(&s->conn_source, EPOLLIN | EPOLLOUT);
}

static void outbox_flush(struct shim *s)
{
	struct waiting *w;
	int r = 0;

	while (s->conn >= 0 && (w = LIST_FIRST(&s->outbox, struct waiting, link))) {
		r = put_frame(s, w->type, w->id, w->bytes, w->n);
		if (r > 0)
			return;
		if (r < 0) {
			conn_drop(s);
			return;
		}
		list_del(&w->link);
		s->outbox_bytes -= w->n + sizeof(*w);
		free(w);
	}
	if (s->conn >= 0)
		(void)source_set(&s->conn_source, EPOLLIN);
}

static void reply_ok(struct shim *s, uint32_t id, const struct wire_out *o)
{
	send_frame(s, SHIM_OK, id, o ? o->p : NULL, o ? o->n : 0);
}

static void reply_failed(struct shim *s, uint32_t id, const struct err *err)
{
	unsigned char bytes[sizeof(err->msg) + 16];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };

	wire_put_u32(&o, err->code);
	wire_put_u32(&o, (uint32_t)err->sys);
	wire_put_str(&o, err->msg);
	send_frame(s, SHIM_FAILED, id, o.p, o.n);
}

static void send_hello(struct shim *s, uint16_t type, uint32_t id)
{
	CLEANUP(arena_free) struct arena *a = arena_new("hello", 256 * 1024);
	struct shim_hello h = {
		.version_min = SHIM_VERSION_MIN,
		.version_max = SHIM_VERSION_MAX,
		.shim_pid = getpid(),
		.phase = (uint8_t)s->phase,
		.started = s->started,
		.oom = s->oom,
	};
	struct wire_out o = { .cap = FRAME_PAYLOAD_MAX };
	struct proc_slot *p;

	str_copy(h.id, sizeof(h.id), s->id);
	h.procs = ARENA_ARRAY(a, struct shim_proc, s->nprocs);
	o.p = arena_alloc_raw(a, MIN(o.cap, 256 + s->nprocs * (SHIM_EXIT_SIZE + 16)), 1);
	o.cap = MIN(o.cap, 256 + s->nprocs * (SHIM_EXIT_SIZE + 16));
	if (!o.p || !h.procs)
		return; /* cannot be: the arena has room for SHIM_PROCS_MAX */
	LIST_FOREACH (p, &s->procs, struct proc_slot, link)
		h.procs[h.nprocs++] = p->p;
	shim_put_hello(&o, &h);
	send_frame(s, type, id, o.p, o.n);
}

/* ---- processes ---- */

static struct proc_slot *find_proc(struct shim *s, struct slice exec_id)
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
	send_frame(s, SHIM_EXIT, 0, rec, sizeof(rec));
}

static void stop_if_served(struct shim *s)
{
	struct proc_slot *p;

	LIST_FOREACH (p, &s->procs, struct proc_slot, link)
		if (p->io && !shim_io_served(p->io))
			return;
	loop_stop(s->loop, 0);
}

static void listen_stop(struct shim *s)
{
	source_fini(&s->listen_source);
	fd_close(s->listen_fd);
	s->listen_fd = -1;
	/* A next shim may have replaced it only after we are gone. */
	if (s->listening)
		(void)unlinkat(s->run_dirfd, "shim.sock", 0);
	s->listening = false;
}

/* Tried twice: the container is not to outlive us for what passes. */
static void delete_container(struct shim *s)
{
	struct err err = ERR_INIT, again = ERR_INIT;
	int r;

	if (!s->container)
		return;
	r = rt_delete(s->container, true, &err);
	if (r < 0)
		r = rt_delete(s->container, true, &again);
	if (r < 0 && r != -ERR_NOT_FOUND)
		log_error("removing the runtime's state: %s", err.msg);
	else if (err.code)
		log_warn("removing the runtime's state at the second try: %s", err.msg);
	rt_close(STEAL(s->container));
}

static void finish(struct shim *s)
{
	if (s->finished)
		return;
	s->finished = true;
	s->phase = SHIM_STOPPED;
	delete_container(s);
	listen_stop(s);
	loop_stop(s->loop, 0);
}

static void read_oom(struct shim *s);

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

/* The process and its output are over. */
static void proc_over(void *arg)
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
		finish(s);
}

/* Its clients have all they are to get. */
static void proc_served(void *arg)
{
	struct proc_slot *p = arg;
	struct shim *s = p->shim;

	shim_io_free(STEAL(p->io));
	if (s->finished)
		stop_if_served(s);
	else
		forget_old(s);
}

static void sweep(struct shim *s)
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
		proc_over(p);
	sweep(s);
	return 0;
}

static void client_left(void *arg, bool by_keys)
{
	struct proc_slot *p = arg;
	unsigned char bytes[SHIM_ID_MAX + 16];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };

	wire_put_str(&o, p->p.exec_id);
	wire_put_u8(&o, by_keys);
	send_frame(p->shim, SHIM_DETACHED, 0, o.p, o.n);
}

/* The three standard files of a new process, and our ends of them. */
struct stdio {
	int theirs[3], ours[3]; /* -1 = none */
};

static void stdio_close(struct stdio *io)
{
	for (int i = 0; i < 3; i++) {
		fd_close(io->theirs[i]);
		fd_close(io->ours[i]);
	}
}
DEFINE_CLEANUP_EMBEDDED(struct stdio, stdio_close)

static int stdio_open(struct stdio *io, uint32_t flags, struct err *err)
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

static struct proc_slot *proc_new(struct shim *s, struct slice exec_id)
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

/* The process lives: watch it and serve its stdio. Takes the fds; on failure the process is killed
 * and reaped, and the slot is gone. */
static int proc_watch(struct proc_slot *p, const struct rt_proc *proc, struct stdio *io,
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
		.active = scratch_used,
		.drained = proc_over,
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

/* ---- OOM kills ---- */

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
		send_frame(s, SHIM_OOM, 0, o.p, o.n);
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

/* Where the memory controller is watched: only a container with a limit has such a cgroup. Failures
 * cost the event only. */
static void watch_oom(struct shim *s)
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

/* ---- requests ---- */

static void warned(void *arg, const char *msg)
{
	(void)arg;
	log_warn("%s", msg);
}

/* As it was before CREATE: another may be tried. */
static void uncreate(struct shim *s)
{
	delete_container(s);
	if (s->logging)
		shim_logger_fini(&s->log);
	s->logging = false;
	free(STEAL(s->rt_root));
	fd_close(s->dirfd);
	s->dirfd = -1;
	s->phase = SHIM_NEW;
}

static int make_container(struct shim *s, const struct shim_create *c, struct stdio *io,
			  struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("create", 65536);
	struct rt_create rt = RT_CREATE_INIT;

	s->host = (struct rt_host){ .root = s->rt_root, .warn = warned };
	rt.id = s->id;
	rt.bundle = arena_strndup(a, c->bundle.p, c->bundle.n);
	memcpy(rt.stdio, io->theirs, sizeof(rt.stdio));
	rt.rows = c->rows;
	rt.cols = c->cols;
	rt.flags = c->flags & SHIM_TTY ? RT_RAW_CONSOLE : 0;
	return rt_create(&s->host, &rt, &s->container, err);
}

static int create(struct shim *s, const struct shim_create *c, struct err *err)
{
	CLEANUP(stdio_close) struct stdio io = { { -1, -1, -1 }, { -1, -1, -1 } };
	struct rt_proc proc;
	int r;

	s->rt_root = strndup(c->rt_root.p, c->rt_root.n);
	if (!s->rt_root)
		abort();
	if (c->log_driver == SHIM_LOG_JSON_FILE) {
		r = shim_logger_open(&s->log, c, s->dirfd, err);
		if (r < 0)
			return r;
		s->logging = true;
	}
	r = stdio_open(&io, c->flags, err);
	if (r == 0)
		r = make_container(s, c, &io, err);
	if (r < 0)
		return r;
	proc = (struct rt_proc){ s->container->pid, STEAL_FD(s->container->pidfd),
				 STEAL_FD(s->container->console) };
	r = proc_watch(proc_new(s, slice_str("")), &proc, &io, c->flags, err);
	if (r < 0)
		return r;
	s->phase = SHIM_CREATED;
	watch_oom(s);
	return 0;
}

static int start(struct shim *s, struct err *err)
{
	struct proc_slot *init = find_proc(s, slice_str(""));
	int64_t when = clock_real();
	int r;

	if (s->phase != SHIM_CREATED)
		return err_set(err, ERR_CONFLICT, "container %s is not in the created state",
			       s->id);
	r = rt_start(s->container, err);
	if (r < 0)
		return r;
	s->phase = SHIM_RUNNING;
	s->started = when;
	init->p.exit.started = when;
	return 0;
}

static void on_create(struct shim *s, struct frame *f, struct wire_in *in)
{
	struct err err = ERR_INIT;
	struct shim_create c;
	unsigned char bytes[16];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };
	int r;

	r = shim_get_create(in, &c, &err);
	if (r == 0 && s->phase != SHIM_NEW)
		r = err_set(&err, ERR_CONFLICT, "container %s was created already", s->id);
	if (r == 0 && !slice_is(c.id, s->id))
		r = err_set(&err, ERR_BAD_REQUEST, "create: this shim is for container %s", s->id);
	if (r == 0) {
		s->dirfd = frame_take_fd(f, 0);
		r = create(s, &c, &err);
		if (r < 0)
			uncreate(s);
	}
	if (r == 0 && (c.flags & SHIM_START_NOW))
		r = start(s, &err);
	if (r < 0) {
		reply_failed(s, f->head.id, &err);
		return;
	}
	wire_put_u32(&o, (uint32_t)find_proc(s, slice_str(""))->p.pid);
	if (c.flags & SHIM_START_NOW)
		wire_put_u64(&o, (uint64_t)s->started);
	reply_ok(s, f->head.id, &o);
}

static void on_start(struct shim *s, struct frame *f, struct wire_in *in)
{
	unsigned char bytes[8];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };
	struct err err = ERR_INIT;

	(void)in;
	if (start(s, &err) < 0) {
		reply_failed(s, f->head.id, &err);
		return;
	}
	wire_put_u64(&o, (uint64_t)s->started);
	reply_ok(s, f->head.id, &o);
}

static int exec_run(struct shim *s, const struct shim_exec *x, int *client, int32_t *ret_pid,
		    struct err *err)
{
	CLEANUP(stdio_close) struct stdio io = { { -1, -1, -1 }, { -1, -1, -1 } };
	struct rt_exec rt = RT_EXEC_INIT;
	struct proc_slot *p;
	struct rt_proc proc;
	int r;

	if (s->phase != SHIM_RUNNING)
		return err_set(err, ERR_CONFLICT, "container %s is not running", s->id);
	if (find_proc(s, x->exec_id))
		return err_set(err, ERR_EXISTS, "exec %.*s exists", (int)x->exec_id.n,
			       x->exec_id.p);
	if (s->nprocs >= SHIM_PROCS_MAX)
		return err_set(err, ERR_QUOTA, "more than %d processes were started by exec",
			       SHIM_PROCS_MAX);
	r = stdio_open(&io, x->flags, err);
	if (r < 0)
		return r;
	rt.process = x->process;
	memcpy(rt.stdio, io.theirs, sizeof(rt.stdio));
	rt.rows = x->rows;
	rt.cols = x->cols;
	rt.flags = x->flags & SHIM_TTY ? RT_RAW_CONSOLE : 0;
	r = rt_exec(s->container, &rt, &proc, err);
	if (r < 0)
		return r;
	p = proc_new(s, x->exec_id);
	p->p.exit.started = clock_real();
	r = proc_watch(p, &proc, &io, x->flags | SHIM_STDIN_ONCE, err);
	if (r == 0 && *client >= 0) {
		r = shim_io_attach(p->io, STEAL_FD(*client), x->streams, x->detach_keys, x->unread,
				   err);
		if (r < 0) { /* reaped as any other */
			(void)proc_signal(p->child.pidfd, SIGKILL, NULL);
			p->silent = true;
		}
	}
	*ret_pid = proc.pid;
	return r;
}

static void on_exec(struct shim *s, struct frame *f, struct wire_in *in)
{
	unsigned char bytes[8];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };
	CLEANUP(fd_close) int client = frame_take_fd(f, 0);
	struct err err = ERR_INIT;
	struct shim_exec x;
	int32_t pid = 0;

	if (shim_get_exec(in, &x, &err) < 0 || exec_run(s, &x, &client, &pid, &err) < 0) {
		reply_failed(s, f->head.id, &err);
		return;
	}
	wire_put_u32(&o, (uint32_t)pid);
	reply_ok(s, f->head.id, &o);
}

static struct proc_slot *target(struct shim *s, struct slice exec_id, struct err *err)
{
	struct proc_slot *p = find_proc(s, exec_id);

	if (p && p->io && !p->told)
		return p;
	err_set(err, ERR_NOT_FOUND, "%s '%.*s' is not running", exec_id.n ? "exec" : "container",
		(int)(exec_id.n ? exec_id.n : strlen(s->id)), exec_id.n ? exec_id.p : s->id);
	return NULL;
}

/* What is left of a payload, or lacks, is a broken frame. */
static int whole(const struct wire_in *in, const char *what, struct err *err)
{
	return in->bad || in->p != in->end
		       ? err_set(err, ERR_BAD_REQUEST, "%s: malformed frame", what)
		       : 0;
}

static void answer(struct shim *s, uint32_t id, int r, const struct err *err)
{
	if (r < 0)
		reply_failed(s, id, err);
	else
		reply_ok(s, id, NULL);
}

static void on_attach(struct shim *s, struct frame *f, struct wire_in *in)
{
	struct err err = ERR_INIT;
	struct proc_slot *p;
	struct shim_attach a;
	int r;

	r = shim_get_attach(in, &a, &err);
	p = r == 0 ? target(s, a.exec_id, &err) : NULL;
	r = p ? shim_io_attach(p->io, frame_take_fd(f, 0), a.streams, a.detach_keys, a.unread, &err)
	      : err_ret(&err);
	answer(s, f->head.id, r, &err);
}

static void on_resize(struct shim *s, struct frame *f, struct wire_in *in)
{
	struct err err = ERR_INIT;
	struct proc_slot *p;
	struct slice id;
	uint16_t rows, cols;

	wire_bytes(in, &id);
	rows = wire_u16(in);
	cols = wire_u16(in);
	p = whole(in, "resize", &err) < 0 ? NULL : target(s, id, &err);
	if (p)
		shim_io_resize(p->io, rows, cols);
	answer(s, f->head.id, p ? 0 : err_ret(&err), &err);
}

static void on_kill(struct shim *s, struct frame *f, struct wire_in *in)
{
	struct err err = ERR_INIT;
	struct proc_slot *p;
	struct slice id;
	int signo, r;
	bool all;

	wire_bytes(in, &id);
	signo = (int)wire_u32(in);
	all = wire_u8(in) != 0;
	p = find_proc(s, id);
	r = whole(in, "kill", &err);
	if (r < 0)
		; /* answered below */
	else if (signo < 0 || signo > 64)
		r = err_set(&err, ERR_BAD_REQUEST, "kill: there is no signal %d", signo);
	else if (!p || p->ended || !s->container)
		r = err_set(&err, ERR_CONFLICT, "%s %.*s is not running",
			    id.n ? "exec" : "container", (int)(id.n ? id.n : strlen(s->id)),
			    id.n ? id.p : s->id);
	else if (id.n)
		r = proc_signal(p->child.pidfd, signo, &err);
	else
		r = rt_kill(s->container, signo, all, &err);
	answer(s, f->head.id, r, &err);
}

static void on_close_stdin(struct shim *s, struct frame *f, struct wire_in *in)
{
	struct err err = ERR_INIT;
	struct proc_slot *p;
	struct slice id;

	wire_bytes(in, &id);
	p = whole(in, "close-stdin", &err) < 0 ? NULL : target(s, id, &err);
	if (p)
		shim_io_close_stdin(p->io);
	answer(s, f->head.id, p ? 0 : err_ret(&err), &err);
}

static void on_delete(struct shim *s, struct frame *f, struct wire_in *in)
{
	struct proc_slot *init = find_proc(s, slice_str(""));
	struct err err = ERR_INIT;
	int r = 0;

	(void)in;
	/* Its end comes by the pidfd and leads to finish(). By pidfd too if the runtime cannot. */
	if (init && !init->ended && rt_kill(s->container, SIGKILL, false, &err) < 0)
		r = proc_signal(init->child.pidfd, SIGKILL, &err);
	if (r == -ERR_NOT_FOUND)
		r = 0;
	answer(s, f->head.id, r, &err);
	if (!init)
		finish(s);
	else if (init->ended)
		proc_over(init); /* without patience for its output */
}

static void on_state(struct shim *s, struct frame *f, struct wire_in *in)
{
	(void)in;
	send_hello(s, SHIM_OK, f->head.id);
}

static void on_log_reopen(struct shim *s, struct frame *f, struct wire_in *in)
{
	struct err err = ERR_INIT;

	(void)in;
	answer(s, f->head.id, s->logging ? shim_logger_reopen(&s->log, &err) : 0, &err);
}

static void on_welcome(struct shim *s, struct frame *f, struct wire_in *in)
{
	struct err err = ERR_INIT;
	uint16_t min = wire_u16(in), max = wire_u16(in);

	if (s->version)
		err_set(&err, ERR_BAD_REQUEST, "the welcome has been said");
	else
		(void)shim_version_pick(min, max, &s->version, &err);
	if (err.code) {
		reply_failed(s, f->head.id, &err);
		conn_drop(s);
	}
}

typedef void handler_fn(struct shim *s, struct frame *f, struct wire_in *in);
static handler_fn *const handlers[SHIM_TYPE_END] = {
	[SHIM_WELCOME] = on_welcome, [SHIM_CREATE] = on_create,		  [SHIM_START] = on_start,
	[SHIM_EXEC] = on_exec,	     [SHIM_ATTACH] = on_attach,		  [SHIM_RESIZE] = on_resize,
	[SHIM_KILL] = on_kill,	     [SHIM_CLOSE_STDIN] = on_close_stdin, [SHIM_DELETE] = on_delete,
	[SHIM_STATE] = on_state,     [SHIM_LOG_REOPEN] = on_log_reopen,
};

static int check_frame(const struct shim *s, const struct frame *f, struct err *err)
{
	int r = frame_check(f, shim_rules, SHIM_TYPE_END, SHIM_FROM_ENGINE, err); /* keeps (4) */

	if (r < 0 || f->head.type == SHIM_WELCOME)
		return r;
	if (!s->version) /* keeps (5), as the next */
		return err_set(err, ERR_BAD_REQUEST, "frame %s before the welcome",
			       shim_rules[f->head.type].name);
	if (f->head.version != s->version)
		return err_set(err, ERR_BAD_REQUEST, "frame %s of version %u, agreed was %u",
			       shim_rules[f->head.type].name, f->head.version, s->version);
	return 0;
}

/* Nobody has asked for a container and nobody is left who could. */
static void finish_if_alone(struct shim *s)
{
	if (s->conn < 0 && s->phase == SHIM_NEW)
		finish(s);
}

static int conn_event(struct source *source, uint32_t events)
{
	struct shim *s = CONTAINER_OF(source, struct shim, conn_source);

	if (events & EPOLLOUT)
		outbox_flush(s);
	timer_set_after(&s->idle, IDLE_AFTER);
	while (s->conn >= 0) {
		CLEANUP(frame_fini) struct frame f = { 0 };
		struct err err = ERR_INIT;
		struct wire_in in;
		int r;

		r = frame_recv(s->conn, s->scratch, FRAME_PAYLOAD_MAX, &f, &err);
		if (r == 0)
			return 0;
		if (r > 0)
			r = check_frame(s, &f, &err);
		if (r < 0) {
			if (err.code != ERR_UNAVAILABLE)
				log_warn("engine's connection: %s", err.msg);
			conn_drop(s);
			break;
		}
		in = (struct wire_in){ f.payload, f.payload + f.head.len, 0 };
		handlers[f.head.type](s, &f, &in);
	}
	finish_if_alone(s);
	return 0;
}

/* Keeps (2): the newest connection is the engine. */
static int conn_take(struct shim *s, int fd, struct err *err)
{
	if (s->conn >= 0)
		conn_drop(s);
	(void)fd_set_nonblock(fd, true);
	s->conn = fd;
	if (source_init(&s->conn_source, s->loop, fd, EPOLLIN, conn_event, err) < 0) {
		conn_drop(s);
		return err_ret(err);
	}
	send_hello(s, SHIM_HELLO, 0);
	return 0;
}

static int listen_event(struct source *source, uint32_t events)
{
	struct shim *s = CONTAINER_OF(source, struct shim, listen_source);
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t n = sizeof(peer);
	struct err err = ERR_INIT;

	(void)events;
	if (fd < 0)
		return 0;
	/* The directory is 0700 and root's; this holds also where somebody loosened it. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 || peer.uid != geteuid()) {
		fd_close(fd);
		return 0;
	}
	if (conn_take(s, fd, &err) < 0)
		log_warn("connection: %s", err.msg);
	finish_if_alone(s);
	return 0;
}

/* ---- process ---- */

static int sigchld_event(struct sigsource *sig, const void *info)
{
	(void)info;
	sweep(CONTAINER_OF(sig, struct shim, sigchld));
	return 0;
}

/* A stop of the machine sends TERM to all: the container gets its own; we stay for its exit. */
static int sigterm_event(struct sigsource *sig, const void *info)
{
	(void)sig;
	(void)info;
	return 0;
}

static int listen_open(struct shim *s, struct err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	s->run_dirfd = sys_openat(AT_FDCWD, s->run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (s->run_dirfd < 0)
		return err_sys(err, "open run directory '%s'", s->run_dir);
	/* By fd: sun_path holds 108 bytes only. */
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "/proc/self/fd/%d/shim.sock",
		       s->run_dirfd);
	if (sys_unlinkat(s->run_dirfd, "shim.sock", 0) < 0 && errno != ENOENT)
		return err_sys(err, "remove the socket of an earlier shim");
	s->listen_fd = sys_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listen_fd < 0 || sys_bind(s->listen_fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return err_sys(err, "bind '%s/shim.sock'", s->run_dir);
	s->listening = true;
	if (sys_listen(s->listen_fd, 8) < 0)
		return err_sys(err, "listen on '%s/shim.sock'", s->run_dir);
	return source_init(&s->listen_source, s->loop, s->listen_fd, EPOLLIN, listen_event, err);
}

static int setup(struct shim *s, struct err *err)
{
	int r;

	/* What whoever started the engine left open is nobody's business here. */
	(void)proc_fds_cloexec(4, NULL, 0, true, NULL);
	(void)setsid(); /* fails only when we lead a group already */
	/* A process that closes its stdin is no reason to end. Children start with defaults. */
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	if (sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_sys(err, "become the subreaper of the container");
	if (sys_chdir("/") < 0)
		return err_sys(err, "change to /");
	s->scratch = mmap(NULL, SHIM_SCRATCH, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->scratch == MAP_FAILED)
		return err_sys(err, "map %d bytes", SHIM_SCRATCH);
	r = loop_new(&s->loop, err);
	if (r < 0)
		return r;
	timer_init(&s->idle, s->loop, give_back);
	r = sigsource_init(&s->sigchld, s->loop, SIGCHLD, sigchld_event, err);
	if (r == 0)
		r = sigsource_init(&s->sigterm, s->loop, SIGTERM, sigterm_event, err);
	if (r == 0)
		r = listen_open(s, err);
	if (r == 0 && fd_set_cloexec(3, true) < 0)
		r = err_sys(err, "the engine's connection (fd 3)");
	if (r == 0)
		r = conn_take(s, 3, err);
	if (r == 0 && s->conn < 0)
		r = err_set(err, ERR_UNAVAILABLE, "the engine is gone");
	return r;
}

/* The loop goes on for clients that are behind, in a process whose parent, the shim, has ended: for
 * the engine the container is over. */
static int linger(void *arg)
{
	struct shim *s = arg;
	struct err err = ERR_INIT;

	return loop_run(s->loop, &err) < 0;
}

static void over(struct shim *s)
{
	struct proc_clone pc = { .fn = linger, .arg = s, .cgroup_fd = -1 };
	struct proc child = { .pidfd = -1 };
	struct err err = ERR_INIT;
	struct proc_slot *p;
	bool behind = false;

	LIST_FOREACH (p, &s->procs, struct proc_slot, link)
		behind |= p->io && !shim_io_served(p->io);
	if (!behind)
		return;
	outbox_flush(s);
	conn_drop(s);
	if (proc_clone(&pc, &child, &err) < 0)
		log_warn("clients that lag lose the rest of the output: %s", err.msg);
	proc_fini(&child);
}

int shim_main(int argc, char **argv)
{
	struct shim s = {
		.run_dirfd = -1,
		.listen_fd = -1,
		.conn = -1,
		.dirfd = -1,
		.oom_fd = -1,
		.oom_file = -1,
		.listen_source = SOURCE_INIT,
		.conn_source = SOURCE_INIT,
		.oom_source = SOURCE_INIT,
		.log = { .fd = -1, .dirfd = -1 },
	};
	struct err err = ERR_INIT;
	int r;

	log_setup("shim", 2, LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
	if (argc != 3 || !*argv[1] || !shim_id_ok(slice_str(argv[1])) || argv[2][0] != '/') {
		log_error("usage: teu-oci shim ID RUN-DIR, with the engine's connection on fd 3");
		return 2;
	}
	/* Its processes become containers without another exec: they run from this program. */
	if (rt_protect_self(argv - 1, &err) < 0) {
		log_error("%s", err.msg);
		return 1;
	}
	s.id = argv[1];
	s.run_dir = argv[2];
	list_init(&s.procs);
	list_init(&s.outbox);
	r = setup(&s, &err);
	if (r == 0)
		r = loop_run(s.loop, &err);
	if (r < 0) {
		log_error("container %s: %s", s.id, err.msg);
		listen_stop(&s);
	} else {
		over(&s);
	}
	return r < 0;
}
