/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cloned child does until the program runs: a table of steps for a container's init, and
 * an end that it shares with a further process (init-exec.c).
 *
 * (1) A failure before READY goes to the creator over `sync`, one after it to whoever asked for the
 * start. (2) Not dumpable until exec: nothing in a shared pid namespace can read our memory or open
 * our program.
 */
#include "runtime/init-private.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/step.h"
#include "linux/proc.h"
#include "linux/rtnl.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

void init_warn(struct init *in, const char *fmt, ...)
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
	return proc_set_dumpable(false, err); /* fs.suid_dumpable decides after a change of ids */
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

/* ---- cgroup ---- */

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

int init_fill(unsigned pages, struct err *err)
{
	if (pages && mmap(NULL, pages * (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
		return err_sys(err, "fill %u pages of the container's memory", pages);
	return 0;
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
	return init_fill(in->fill, err);
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
#define OWN_STEPS 2 /* the last ones, of the process that will be the container's */

/* ---- waiting ---- */

/* All is made; it is held until another process has joined it. */
static int await_end(struct init *in)
{
	if (sync_send(in->sync, SYNC_READY, 0, -1, NULL) == 0)
		(void)sync_wait(in->sync, NULL, NULL); /* nothing comes: we are killed */
	return 0;
}

int init_wait_start(struct init *in, struct err *err)
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

static int init_exec(struct init *in, struct err *err)
{
	int r = init_prepare_exec(in, err);

	if (r >= 0)
		r = init_drop_rights(in, err);
	return r < 0 ? r : init_run(in, err);
}

int init_start_hooks(struct init *in, struct err *err)
{
	return run_hooks(in, HOOK_START_CONTAINER, err);
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
		r = step_run(init_steps, ARRAY_LEN(init_steps) - (in->proc_ns >= 0 ? OWN_STEPS : 0),
			     in, &err);
	if (r >= 0 && in->proc_ns >= 0)
		return await_end(in);
	/* From now on we live on without our creator. */
	if (r >= 0)
		r = proc_set_parent_death_signal(0, &err);
	if (r >= 0)
		r = init_wait_start(in, &err);
	if (r >= 0 && !in->process)
		r = err_set(&err, ERR_CONFLICT,
			    "config.json has no process: there is nothing to start");
	if (r >= 0)
		r = init_start_hooks(in, &err);
	if (r >= 0)
		r = init_exec(in, &err);
	return fail(in, &err);
}
