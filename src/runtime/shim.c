/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shim's process: one container's parent. Serves one engine at a time on a SEQPACKET
 * connection, calls the runtime library in process, and records exits before it tells them. See
 * shim.h for the invariants (1)-(5), shim-state.h for its parts.
 *
 * Ends when init has ended, its output is drained, its exit is on disk and told, and the runtime's
 * state is removed. Clients that have not read everything by then are served by a child that has
 * nothing else (linger), so neither the exit nor the engine waits for a slow reader.
 */
#include "runtime/shim-state.h"

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
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define IDLE_AFTER (2 * NS_PER_SEC)
#define STACK_DEEP (1024 * 1024)

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

void shim_busy(struct shim *s)
{
	timer_set_after(&s->idle, IDLE_AFTER);
}

void shim_scratch_used(void *arg)
{
	struct proc_slot *p = arg;

	shim_busy(p->shim);
}

/* ---- the end ---- */

void shim_listen_stop(struct shim *s)
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
void shim_delete_container(struct shim *s)
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

void shim_stop_if_served(struct shim *s)
{
	struct proc_slot *p;

	LIST_FOREACH (p, &s->procs, struct proc_slot, link)
		if (p->io && !shim_io_served(p->io))
			return;
	loop_stop(s->loop, 0);
}

void shim_finish(struct shim *s)
{
	if (s->finished)
		return;
	s->finished = true;
	s->phase = SHIM_STOPPED;
	shim_delete_container(s);
	shim_listen_stop(s);
	loop_stop(s->loop, 0);
}

/* ---- process ---- */

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
	if (shim_conn_take(s, fd, &err) < 0)
		log_warn("connection: %s", err.msg);
	shim_finish_if_alone(s);
	return 0;
}

static int sigchld_event(struct sigsource *sig, const void *info)
{
	(void)info;
	shim_sweep(CONTAINER_OF(sig, struct shim, sigchld));
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
		r = shim_conn_take(s, 3, err);
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
	shim_outbox_flush(s);
	shim_conn_drop(s);
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
		shim_listen_stop(&s);
	} else {
		over(&s);
	}
	return r < 0;
}
