/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of init: which program it is, then rights, seccomp and exec. A further process (join.c)
 * ends in the same way.
 *
 * (1) Every fd that is not the program's is closed, not only marked, before the program's path is
 * looked up: a path such as /proc/self/fd/7/... must find nothing of the host. (2) The rights go
 * last, in the order that src/linux/caps.h gives.
 */
#include "runtime/init-private.h"

#include "base/arena.h"
#include "base/fd.h"
#include "linux/path.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>

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

int init_make_env(struct init *in, struct err *err)
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

/* ---- capabilities ---- */

static uint64_t cap_set(struct init *in, const struct strs *names, uint64_t kernel)
{
	uint64_t set = 0;

	for (size_t i = 0; i < names->n; i++) {
		/* With its prefix only, as the spec names them: peers know no others. */
		int n = strncasecmp(names->v[i], "CAP_", 4) ? -1 : caps_number(names->v[i]);

		if (n < 0 || !(kernel >> n & 1))
			init_warn(in, "capability %s is unknown here and left out", names->v[i]);
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
			init_warn(in,
				  "capability %s cannot be granted: this process does not have it",
				  caps_name(n));
	in->caps.permitted &= own;
	in->caps.inheritable &= own;
	in->caps.effective &= in->caps.permitted;
	in->caps.ambient &= in->caps.permitted & in->caps.inheritable;
	return 0;
}

/* ---- rights, seccomp, exec ---- */

static int close_fds(struct init *in, struct err *err)
{
	int keep[68];
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
	if (in->listen >= 0) /* of a joiner: the start is to come */
		keep[n++] = in->listen;
	if (in->lsm >= 0)
		keep[n++] = in->lsm;
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
	if (r >= 0)
		r = proc_set_dumpable(false, err); /* fs.suid_dumpable decides after it */
	if (r >= 0 && p->no_new_privs)
		r = proc_set_no_new_privs(err);
	if (r >= 0)
		r = lsm_apply(p, in->lsm, err);
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
		r = init_set_rlimits(in, err);
	return r < 0 ? r : proc_reset_signals(err);
}

int init_run(struct init *in, struct err *err)
{
	size_t n = 0;

	while (in->exec && in->listen_fds && in->envp[n])
		n++;
	if (n) /* the last, as init_make_env() has put it: of the process that it is now */
		in->envp[n - 1] = arena_printf(in->arena, "LISTEN_PID=%d", (int)getpid());
	sys_execveat(AT_FDCWD, in->program, (char *const *)in->argv, (char *const *)in->envp, 0);
	return exec_error(in->process->args.v[0], errno, err);
}
