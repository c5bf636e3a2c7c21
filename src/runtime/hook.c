/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks: programs run at fixed points of a container's life, the state JSON on their stdin. Spec:
 * config.md#posix-platform-hooks.
 *
 * What a hook prints is kept (its end only) and becomes part of the error when it fails; it never
 * reaches the container's own output. Runs in the runtime's process or in init (createContainer,
 * startContainer) alike.
 */
#include "runtime/rt.h"

#include "base/clock.h"
#include "base/fd.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAIL_MAX 400

struct run {
	const struct conf_hook *hook;
	const char **argv, **envp;
	int in, out[2]; /* ends of the hook: its stdin, stdout and stderr */
	int error;	/* errno of a failed exec */
	struct slice state;
	size_t fed;
	char tail[TAIL_MAX];
	size_t ntail;
	bool gone; /* all output is read */
};

uint32_t hooks_mask(const struct conf_hooks *h)
{
	uint32_t m = 0;

	for (unsigned k = 0; k < HOOK_KINDS; k++)
		m |= h->kind[k].n ? 1u << k : 0;
	return m;
}

/* In a child that shares our memory: only system calls, and run->error. */
static int hook_child(void *arg)
{
	struct run *run = arg;

	(void)proc_reset_signals(NULL); /* a hook with an ignored signal still runs */
	if (sys_dup3(run->in, 0, 0) < 0 || sys_dup3(run->out[0], 1, 0) < 0 ||
	    sys_dup3(run->out[1], 2, 0) < 0 || proc_fds_cloexec(3, NULL, 0, false, NULL) < 0) {
		run->error = errno;
		return 127;
	}
	sys_execveat(AT_FDCWD, run->hook->path, (char *const *)run->argv, (char *const *)run->envp,
		     0);
	run->error = errno;
	return 127;
}

static void keep_tail(struct run *run, const char *p, size_t n)
{
	if (n >= TAIL_MAX) {
		p += n - TAIL_MAX;
		n = TAIL_MAX;
		run->ntail = 0;
	} else if (run->ntail + n > TAIL_MAX) {
		size_t drop = run->ntail + n - TAIL_MAX;

		memmove(run->tail, run->tail + drop, run->ntail - drop);
		run->ntail -= drop;
	}
	memcpy(run->tail + run->ntail, p, n);
	run->ntail += n;
}

static void drain(struct run *run, int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		keep_tail(run, buf, (size_t)n);
	run->gone = n == 0 || (errno != EAGAIN && errno != EINTR);
}

/* A hook need not read its stdin: EPIPE ends the feeding, nothing else. */
static void feed(struct run *run, int *fd)
{
	ssize_t n = sys_write(*fd, run->state.p + run->fed, run->state.n - run->fed);

	if (n > 0)
		run->fed += (size_t)n;
	if (run->fed == run->state.n || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		fd_close(*fd);
		*fd = -1;
	}
}

static int64_t deadline_of(const struct conf_hook *h)
{
	return h->timeout.set ? clock_mono() + h->timeout.v * NS_PER_SEC : INT64_MAX;
}

/* Feeds, reads and waits; 1 when the time is over. */
static int attend(struct run *run, int pidfd, int *in, int out, struct err *err)
{
	int64_t deadline = deadline_of(run->hook);

	for (;;) {
		struct pollfd p[3] = { { pidfd, POLLIN, 0 },
				       { run->gone ? -1 : out, POLLIN, 0 },
				       { *in, POLLOUT, 0 } };
		int64_t left = deadline == INT64_MAX ? -1 : (deadline - clock_mono()) / NS_PER_MS;

		if (deadline != INT64_MAX && left <= 0)
			return 1;
		if (poll(p, 3, (int)MIN(left, INT32_MAX)) < 0 && errno != EINTR)
			return err_sys(err, "wait for the hook");
		if (p[1].revents)
			drain(run, out);
		if (*in >= 0 && p[2].revents)
			feed(run, in);
		if (p[0].revents) {
			if (!run->gone)
				drain(run, out);
			return 0;
		}
	}
}

static int hook_failed(struct run *run, const struct proc_exit *e, struct err *err)
{
	int n;

	while (run->ntail && (unsigned char)run->tail[run->ntail - 1] <= ' ')
		run->ntail--;
	n = (int)run->ntail;
	if (run->error)
		return err_sysc(err, ERR_SYSTEM, run->error, "run '%s'", run->hook->path);
	if (e->signalled)
		return err_set(err, ERR_SYSTEM, "'%s' was killed by signal %d%s%.*s",
			       run->hook->path, e->status, n ? ": " : "", n, run->tail);
	return err_set(err, ERR_SYSTEM, "'%s' exited with status %d%s%.*s", run->hook->path,
		       e->status, n ? ": " : "", n, run->tail);
}

/* As exec wants it: ended by NULL; `first` when the list is empty. */
static const char **vector(const struct strs *s, const char *first)
{
	const char **v = calloc(s->n + 2, sizeof(*v));

	if (!v)
		abort();
	v[0] = first;
	for (size_t i = 0; i < s->n; i++)
		v[i] = s->v[i];
	return v;
}

static int hook_one(const struct conf_hooks *all, const struct conf_hook *h, struct slice state,
		    struct err *err)
{
	CLEANUP(proc_fini) struct proc p = { .pidfd = -1 };
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, r;
	struct run run = { .hook = h, .state = state };
	CLEANUP_FREE const char **argv = NULL;
	CLEANUP_FREE const char **envp = NULL;
	struct proc_exit e = { 0 };

	if (sys_pipe2(in, O_CLOEXEC) < 0 || sys_pipe2(out, O_CLOEXEC) < 0) {
		r = err_sys(err, "make a pipe for the hook");
		goto close;
	}
	run.argv = argv = vector(&h->args, h->path);
	run.envp = envp = vector(&h->env, NULL);
	run.in = in[0];
	for (int i = 0; i < 2; i++)
		run.out[i] = all->out[i] ? all->out[i] - 1 : out[1];
	r = proc_clone(
		&(struct proc_clone){
			.fn = hook_child, .arg = &run, .cgroup_fd = -1, .shared = true },
		&p, err);
	fd_close(in[0]);
	fd_close(out[1]);
	in[0] = out[1] = -1;
	if (r < 0)
		goto close;
	(void)fd_set_nonblock(in[1], true); /* a pipe of ours: cannot fail */
	(void)fd_set_nonblock(out[0], true);
	r = attend(&run, p.pidfd, &in[1], out[0], err);
	if (r != 0)
		(void)proc_signal(p.pidfd, SIGKILL, NULL); /* ended by itself meanwhile: fine */
	if (proc_wait(p.pidfd, -1, &e, r < 0 ? NULL : err) < 0)
		r = -ERR_SYSTEM;
	else if (r == 1)
		r = err_set(err, ERR_TIMEOUT, "'%s' did not end within %lld s and was killed",
			    h->path, (long long)h->timeout.v);
	else if (r == 0 && (e.signalled || e.status))
		r = hook_failed(&run, &e, err);
close:
	fd_close(in[0]);
	fd_close(in[1]);
	fd_close(out[0]);
	fd_close(out[1]);
	return r;
}

int hooks_open(struct conf *c, struct err *err)
{
	static const char *const keys[] = { "run.oci.hooks.stdout", "run.oci.hooks.stderr" };

	for (int i = 0; i < 2; i++) {
		const char *path = conf_annotation(c, keys[i]);
		int fd = path ? sys_openat(AT_FDCWD, path,
					   O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC,
					   0600)
			      : -1;

		if (path && fd < 0)
			return err_sys(err, "annotation %s: open '%s'", keys[i], path);
		c->hooks.out[i] = fd + 1;
	}
	return 0;
}

void hooks_close(struct conf_hooks *h)
{
	for (int i = 0; i < 2; i++) {
		fd_close(h->out[i] - 1);
		h->out[i] = 0;
	}
}

int hooks_run(const struct conf_hooks *h, enum hook_kind k, struct slice state, struct err *err)
{
	int first = 0;

	/* config.md#poststop: a failure there is told, and the others run all the same. */
	for (size_t i = 0; i < h->kind[k].n && (first == 0 || k == HOOK_POSTSTOP); i++) {
		int r = hook_one(h, &h->kind[k].v[i], state, first ? NULL : err);

		if (r < 0 && !first)
			first = err_wrap(err, "%s hook %zu", hook_names[k], i);
	}
	return first;
}
