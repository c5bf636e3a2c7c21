/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a server, made of each other by fork: the serving one has one thread, so its
 * copy is whole, and shares the memory of index and tree with it. Who made whom is no matter: each
 * sees the other's end by the socket between them.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "image/lazy-priv.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct birth {
	struct lazy_server *s;
	int ends[LAZY_LINES], out; /* the child's */
	pid_t parent;
};

static void set_name(const char *name)
{
	(void)sys_prctl(PR_SET_NAME, (unsigned long)name, 0, 0, 0); /* for ps alone */
}

/* What a copy of the serving process has and must not keep: the other ends would seem alive. */
static void forget(struct lazy_server *s)
{
	fd_close(STEAL_FD(s->partner));
	fd_close(STEAL_FD(s->stream));
	for (size_t i = 0; i < LAZY_LINES; i++)
		fd_close(STEAL_FD(s->lines[i].fd));
	for (size_t i = 0; i < LAZY_CONNS; i++)
		fd_close(STEAL_FD(s->conns[i]));
}

static int partner_main(void *arg)
{
	struct birth *b = arg;

	forget(b->s);
	lazy_stand_by(b->s, b->ends[0]);
}

static int fetcher_main(void *arg)
{
	struct birth *b = arg;
	struct lazy_server *s = b->s;

	/* It would write to rooms that are given to another one. */
	(void)sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != b->parent)
		return 1;
	set_name("lazy-fetch");
	forget(s);
	fd_close(s->fuse);
	fd_close(s->data);
	fd_close(s->listen);
	if (s->conf.early) {
		fd_close(s->holes);
		lazy_stream(s, b->ends[0], b->out);
	}
	fd_close(s->blob);
	lazy_fetch(s, b->ends);
}

static int forgetter_main(void *arg)
{
	struct birth *b = arg;
	struct lazy_server *s = b->s;

	set_name("lazy-forget");
	forget(s);
	for (uint64_t i = LAZY_ROOT; i < LAZY_ROOT + lazy_tree_inodes(s->fs.tree) + 1; i++) {
		const struct lazy_inode *n = lazy_tree_inode(s->fs.tree, i);

		if (!n || !S_ISREG(n->mode))
			continue;
		lazy_fuse_forget_bytes(i, &s->out);
		/* ENOENT: the kernel does not know the file. */
		if (write(s->fuse, s->out.p, s->out.n) < 0 && errno == ENODEV)
			break;
	}
	return 0;
}

static int give_birth(struct birth *b, int (*fn)(void *arg), struct err *err)
{
	struct proc_clone c = { .fn = fn, .arg = b, .cgroup_fd = -1 };
	struct proc p;
	int r = proc_clone(&c, &p, err);

	if (r >= 0)
		proc_fini(&p);
	return r;
}

int lazy_spawn_partner(struct lazy_server *s, struct err *err)
{
	struct birth b = { .s = s };
	int ends[2], r;

	fd_close(STEAL_FD(s->partner));
	if (sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(err, "make a pair of sockets");
	s->partner = ends[0];
	b.ends[0] = ends[1];
	r = give_birth(&b, partner_main, err);
	fd_close(ends[1]);
	if (r < 0)
		fd_close(STEAL_FD(s->partner));
	return r;
}

int lazy_spawn_forgetter(struct lazy_server *s, struct err *err)
{
	struct birth b = { .s = s };

	return give_birth(&b, forgetter_main, err);
}

void lazy_end_fetcher(struct lazy_server *s)
{
	fd_close(STEAL_FD(s->stream));
	for (size_t i = 0; i < LAZY_LINES; i++) {
		fd_close(STEAL_FD(s->lines[i].fd));
		s->lines[i].chunk = -1;
	}
}

/* Of a layer without an index: what the fetcher decompresses. */
static int make_stream(struct lazy_server *s, int *ret, struct err *err)
{
	int ends[2];

	if (sys_pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	s->stream = ends[0];
	*ret = ends[1];
	(void)sys_fcntl(ends[1], F_SETPIPE_SZ, 1 << 20); /* fewer switches; may be refused */
	return fd_set_nonblock(s->stream, true) < 0 ? err_sys(err, "set up a pipe") : 0;
}

int lazy_spawn_fetcher(struct lazy_server *s, struct err *err)
{
	struct birth b = { .s = s, .parent = getpid(), .out = -1 };
	int mine[LAZY_LINES], r = 0;

	lazy_end_fetcher(s);
	for (size_t i = 0; i < LAZY_LINES; i++)
		mine[i] = b.ends[i] = -1;
	for (size_t i = 0; i < LAZY_LINES && r >= 0; i++) {
		int ends[2];

		if (sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
			r = err_sys(err, "make a pair of sockets");
			break;
		}
		mine[i] = ends[0];
		b.ends[i] = ends[1];
	}
	for (size_t i = 0; i < LAZY_LINES; i++)
		s->lines[i].fd = mine[i]; /* so that the child forgets them */
	if (r >= 0 && s->conf.early)
		r = make_stream(s, &b.out, err);
	if (r >= 0)
		r = give_birth(&b, fetcher_main, err);
	for (size_t i = 0; i < LAZY_LINES; i++)
		fd_close(b.ends[i]);
	fd_close(b.out);
	if (r < 0)
		lazy_end_fetcher(s);
	return r;
}

_Noreturn void lazy_stand_by(struct lazy_server *s, int sock)
{
	char c;

	set_name("lazy-stand-by");
	while (read(sock, &c, 1) < 0 && errno == EINTR)
		;
	fd_close(sock);
	if (atomic_load(&s->shared->unmounted))
		_exit(0);
	log_kv(LOG_LEVEL_WARN, "a lazy server ended; its partner takes over", "layer",
	       s->conf.digest, NULL);
	lazy_serve(s);
}
