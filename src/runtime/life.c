/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container after its creation: start, kill, pause, delete, and what can be asked about it.
 *
 * Calls that change it hold the lock of its directory. Whether init lives is asked of the kernel
 * each time (pid and start time), never remembered.
 */
#include "runtime/look.h"

#include "base/arena.h"
#include "base/fd.h"
#include "doc/json.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <ctype.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define STATE_MAX (64u << 20)
#define KILL_MS 10000
#define FREEZE_MS 10000

int rt_check_id(const char *id, struct err *err)
{
	size_t n = id ? strlen(id) : 0;

	if (n == 0)
		return err_set(err, ERR_INVALID, "container id cannot be empty");
	if (n > RT_ID_MAX)
		return err_set(err, ERR_INVALID,
			       "invalid container id: %zu characters, at most %d are allowed", n,
			       RT_ID_MAX);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)id[i]) && !strchr("_+-.", id[i]))
			return err_set(err, ERR_INVALID,
				       "invalid container id format: '%s' may hold only letters, "
				       "digits and _+-.",
				       id);
	if (!strcmp(id, ".") || !strcmp(id, ".."))
		return err_set(err, ERR_INVALID, "invalid container id format: '%s'", id);
	return 0;
}

int rt_check_config(struct slice text, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("config.json", STATE_MAX);
	struct conf c;
	int r = conf_read(text, a, &c, err);

	if (r < 0 && err)
		err->causes = NULL; /* they were in the arena */
	return r;
}

int rt_signal(const char *text, int *ret, struct err *err)
{
	static const struct {
		const char *name;
		int no;
	} signals[] = {
		{ "HUP", SIGHUP },	 { "INT", SIGINT },   { "QUIT", SIGQUIT },
		{ "ILL", SIGILL },	 { "TRAP", SIGTRAP }, { "ABRT", SIGABRT },
		{ "IOT", SIGIOT },	 { "BUS", SIGBUS },   { "FPE", SIGFPE },
		{ "KILL", SIGKILL },	 { "USR1", SIGUSR1 }, { "SEGV", SIGSEGV },
		{ "USR2", SIGUSR2 },	 { "PIPE", SIGPIPE }, { "ALRM", SIGALRM },
		{ "TERM", SIGTERM },	 { "STKFLT", 16 },    { "CHLD", SIGCHLD },
		{ "CLD", SIGCHLD },	 { "CONT", SIGCONT }, { "STOP", SIGSTOP },
		{ "TSTP", SIGTSTP },	 { "TTIN", SIGTTIN }, { "TTOU", SIGTTOU },
		{ "URG", SIGURG },	 { "XCPU", SIGXCPU }, { "XFSZ", SIGXFSZ },
		{ "VTALRM", SIGVTALRM }, { "PROF", SIGPROF }, { "WINCH", SIGWINCH },
		{ "IO", SIGIO },	 { "POLL", SIGIO },   { "PWR", SIGPWR },
		{ "SYS", SIGSYS },	 { "RTMIN", 34 },     { "RTMAX", 64 },
	};
	const char *p = text;
	size_t len;
	uint64_t n;

	if (str_uint64(slice_str(text), &n, NULL) == 0) {
		if (n > 64)
			return err_set(err, ERR_INVALID, "unknown signal \"%s\"", text);
		*ret = (int)n;
		return 0;
	}
	if (!strncasecmp(p, "SIG", 3))
		p += 3;
	len = strcspn(p, "+-");
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		if (strlen(signals[i].name) != len || strncasecmp(p, signals[i].name, len))
			continue;
		if (p[len] == '\0') {
			*ret = signals[i].no;
			return 0;
		}
		if (str_uint64(slice_str(p + len + 1), &n, NULL) < 0 || n > 30)
			break;
		if ((p[len] == '+' && signals[i].no == 34) ||
		    (p[len] == '-' && signals[i].no == 64)) {
			*ret = signals[i].no + (p[len] == '+' ? (int)n : -(int)n);
			return 0;
		}
		break;
	}
	return err_set(err, ERR_INVALID, "unknown signal \"%s\"", text);
}

int rt_exit_code(const struct err *err)
{
	/* A namespace's or bundle's path may be missing too: only the program counts. */
	if (!strstr(err->msg, "exec: \""))
		return 1;
	return err->code == ERR_NOT_FOUND ? 127 : err->code == ERR_FORBIDDEN ? 126 : 1;
}

/* ---- handles ---- */

int rt_open(const struct rt_host *h, const char *id, struct rt_container **ret, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("state", STATE_MAX);
	CLEANUP(fd_close) int dir = -1;
	struct rt_container *c;
	struct state s;
	int r, pidfd = -1;

	r = rt_check_id(id, err);
	if (r >= 0)
		r = state_open_dir(h, id, false, &dir, err);
	if (r >= 0)
		r = state_read(dir, a, &s, err);
	if (r >= 0) {
		r = proc_open(s.pid, s.start, &pidfd, err);
		if (r == -ERR_NOT_FOUND) {
			s.pid = 0;
			r = 0;
		}
	}
	if (r < 0) {
		if (err)
			err->causes = NULL;
		return r;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	*c = (struct rt_container){ .host = h,
				    .id = strdup(id),
				    .dirfd = STEAL_FD(dir),
				    .pid = s.pid,
				    .pidfd = pidfd,
				    .console = -1,
				    .start_fd = -1,
				    .hooks = s.hooks };
	if (!c->id)
		abort();
	*ret = c;
	return 0;
}

void rt_close(struct rt_container *c)
{
	if (!c)
		return;
	fd_close(c->dirfd);
	fd_close(c->pidfd);
	fd_close(c->console);
	fd_close(c->start_fd);
	if (c->record)
		free(c->record->cgroup);
	free(c->record);
	free(c->id);
	free(c);
}

void look_fini(struct look *l)
{
	if (l->locked)
		state_unlock(l->dirfd);
	group_fini(&l->group);
	arena_free(l->arena);
	*l = (struct look){ 0 };
}

int look_cgroup(struct look *l, struct err *err)
{
	if (l->group.cgroup || !l->s.cgroup)
		return 0;
	return group_open(l->s.cgroup, &l->group, err);
}

/* A zombie has ended, also while its parent (the shim) has not asked for it yet. */
static bool alive(const struct state *s)
{
	uint64_t start;
	char letter;

	return proc_start_time(s->pid, &start, &letter, NULL) >= 0 && start == s->start &&
	       letter != 'Z' && letter != 'X';
}

/* Init that waits for our start holds the other end of the socket until it ends: asked by a tenth
 * of what /proc costs. */
static bool waits(const struct rt_container *c)
{
	struct pollfd p = { .fd = c->start_fd };

	return c->record && c->start_fd >= 0 && poll(&p, 1, 0) == 0;
}

static int look_record(struct rt_container *c, unsigned flags, struct look *l, struct err *err)
{
	const struct rt_record *k = c->record;
	int r;

	if (k && !(flags & LOOK_ALL)) {
		l->s = (struct state){ .pid = k->pid,
				       .start = k->start,
				       .started = k->started,
				       .process = k->process,
				       .cgroup = k->cgroup };
		return 0;
	}
	l->arena = arena_new("state", STATE_MAX);
	r = state_read(c->dirfd, l->arena, &l->s, err);
	if (r < 0 && err)
		err->causes = NULL;
	return r;
}

int look(struct rt_container *c, unsigned flags, struct look *l, struct err *err)
{
	int r = 0;

	l->dirfd = c->dirfd;
	if (flags & LOOK_LOCK) {
		r = state_lock(c->dirfd, err);
		l->locked = r >= 0;
	}
	if (r >= 0)
		r = look_record(c, flags, l, err);
	if (r < 0)
		return r;
	l->status = !waits(c) && !alive(&l->s) ? RT_STOPPED
		    : l->s.started	       ? RT_RUNNING
					       : RT_CREATED;
	if (l->status == RT_RUNNING && (flags & LOOK_FROZEN)) {
		r = look_cgroup(l, err);
		if (r >= 0 && l->group.cgroup && cgroup_frozen(l->group.cgroup, NULL) > 0)
			l->status = RT_PAUSED;
	}
	return r;
}

static void view_of(const struct look *l, struct state_view *v)
{
	*v = (struct state_view){ .oci_version = l->s.oci_version,
				  .id = l->s.id,
				  .bundle = l->s.bundle,
				  .rootfs = l->s.rootfs,
				  .created = l->s.created,
				  .owner = l->s.owner,
				  .status = l->status,
				  .pid = l->status == RT_STOPPED ? 0 : l->s.pid };
}

/* Hooks of a kind out of the recorded config; `as` is the status they are told. */
static int late_hooks(struct look *l, enum hook_kind k, enum rt_status as, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(RT_CONFIG_MAX);
	struct state_view v;
	struct conf conf;
	int r;

	if (!(l->s.hooks & 1u << k))
		return 0;
	r = conf_read(l->s.config, l->arena, &conf, err);
	if (r < 0)
		return r;
	view_of(l, &v);
	v.status = as;
	v.annotations = &conf.annotations;
	r = hooks_open(&conf, err);
	if (r >= 0)
		r = state_view_json(&v, false, &b, err);
	if (r >= 0)
		r = hooks_run(&conf.hooks, k, buf_slice(&b), err);
	hooks_close(&conf.hooks);
	return r;
}

/* ---- start ---- */

static int connect_start(struct rt_container *c, struct err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/start.sock", c->dirfd);
	c->start_fd = sys_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (c->start_fd < 0)
		return err_sys(err, "make a socket");
	if (sys_connect(c->start_fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return 0;
	if (errno == ENOENT || errno == ECONNREFUSED)
		return err_set(err, ERR_CONFLICT,
			       "the container waits for a start by the process that created it");
	return err_sys(err, "connect to the container's init");
}

static int go(struct rt_container *c, struct look *l, struct err *err)
{
	struct serve s = { .host = c->host, .console = -1 };
	struct state_view view;
	struct conf conf;
	int r = 0;

	/* The agent of a seccomp listener is named in the config. */
	if (l->s.notify) {
		r = conf_read(l->s.config, l->arena, &conf, err);
		if (r < 0)
			return r;
		view_of(l, &view);
		view.annotations = &conf.annotations;
		s.conf = &conf;
		s.view = &view;
	}
	if (c->start_fd < 0)
		r = connect_start(c, err);
	else
		r = sync_send(c->start_fd, SYNC_GO, c->pid, -1, err);
	if (r < 0)
		return r;
	s.sock = c->start_fd;
	r = rt_serve(&s, err);
	fd_close(s.console);
	fd_close(c->start_fd);
	c->start_fd = -1;
	if (r >= 0 && c->record)
		c->record->started = true;
	/* Closed without a word: the exec has succeeded, or init was killed just then; the latter
	 * is seen by its exit. */
	return r < 0 ? r : 0;
}

int rt_start(struct rt_container *c, struct err *err)
{
	CLEANUP(look_fini) struct look l = { 0 };
	struct err hook = ERR_INIT;
	bool socket;
	int r;

	r = look(c, LOOK_LOCK, &l, err);
	if (r < 0)
		return r;
	if (l.status == RT_STOPPED)
		return err_set(err, ERR_CONFLICT, "cannot start a container that has stopped");
	if (l.status != RT_CREATED)
		return err_set(err, ERR_CONFLICT, "cannot start an already running container");
	if (!l.s.process)
		return err_set(err, ERR_CONFLICT,
			       "config.json has no process: there is nothing to start");
	socket = c->start_fd < 0;
	r = go(c, &l, err);
	if (r < 0)
		return r;
	r = state_mark_started(c->dirfd, socket, err);
	if (r < 0)
		return r;
	l.status = RT_RUNNING;
	/* runtime-spec 1.3.0 lifecycle 9: a failing poststart hook ends the container. */
	if (late_hooks(&l, HOOK_POSTSTART, RT_RUNNING, &hook) < 0) {
		if (c->pidfd >= 0)
			(void)proc_signal(c->pidfd, SIGKILL, NULL);
		if (err)
			*err = hook;
		return err_ret(&hook);
	}
	return 0;
}

/* ---- kill, pause ---- */

int rt_kill(struct rt_container *c, int signo, bool all, struct err *err)
{
	CLEANUP(look_fini) struct look l = { 0 };
	CLEANUP(fd_close) int pidfd = -1;
	int r;

	r = look(c, 0, &l, err);
	if (r < 0)
		return r;
	if (all) {
		r = look_cgroup(&l, err);
		if (r < 0)
			return r;
		if (l.group.cgroup)
			return signo == SIGKILL ? cgroup_kill(l.group.cgroup, KILL_MS, err)
						: cgroup_signal(l.group.cgroup, signo, err);
	}
	if (l.status == RT_STOPPED)
		return err_set(err, ERR_CONFLICT, "container not running");
	r = proc_open(l.s.pid, l.s.start, &pidfd, err);
	if (r >= 0)
		r = proc_signal(pidfd, signo, err);
	if (r == -ERR_NOT_FOUND)
		return err_set(err, ERR_CONFLICT, "process already finished");
	/* A frozen process takes no signal, not even this one, until it thaws (v1). */
	if (r >= 0 && signo == SIGKILL && look_cgroup(&l, NULL) >= 0 && l.group.cgroup &&
	    cgroup_frozen(l.group.cgroup, NULL) > 0)
		(void)cgroup_thaw(l.group.cgroup, NULL);
	return r;
}

int rt_pause(struct rt_container *c, bool frozen, struct err *err)
{
	CLEANUP(look_fini) struct look l = { 0 };
	int r;

	r = look(c, LOOK_LOCK | LOOK_FROZEN, &l, err);
	if (r >= 0)
		r = look_cgroup(&l, err);
	if (r < 0)
		return r;
	if (frozen && l.status != RT_RUNNING)
		return err_set(err, ERR_CONFLICT, "container not running: it is %s",
			       rt_status_name(l.status));
	if (!frozen && l.status != RT_PAUSED)
		return err_set(err, ERR_CONFLICT, "container not paused: it is %s",
			       rt_status_name(l.status));
	if (!l.group.cgroup)
		return err_set(err, ERR_UNSUPPORTED, "the container has no cgroup to freeze");
	/* Made without a freezer, at an engine's wish: it is time for one. */
	if (frozen && cgroup_v2_fd(l.group.cgroup) < 0)
		r = look_extend(c, &l, CGROUP_BIT(FREEZER), err);
	if (r < 0)
		return r;
	return frozen ? cgroup_freeze(l.group.cgroup, FREEZE_MS, err)
		      : cgroup_thaw(l.group.cgroup, err);
}

/* ---- delete ---- */

static int end_init(struct rt_container *c, struct look *l, struct err *err)
{
	CLEANUP(fd_close) int pidfd = -1;
	int r;

	r = proc_open(l->s.pid, l->s.start, &pidfd, err);
	if (r == -ERR_NOT_FOUND)
		return 0;
	if (r < 0)
		return r;
	if (l->group.cgroup && cgroup_frozen(l->group.cgroup, NULL) > 0)
		(void)cgroup_thaw(l->group.cgroup, NULL);
	r = proc_signal(pidfd, SIGKILL, err);
	if (r == -ERR_NOT_FOUND)
		return 0;
	if (r >= 0)
		r = proc_poll(pidfd, KILL_MS, err);
	if (r == 1)
		return err_set(err, ERR_TIMEOUT, "process %d does not end within %d s of SIGKILL",
			       (int)l->s.pid, KILL_MS / 1000);
	return r;
}

/* The cgroup of a create that was killed: its record is not there, only the name. */
static int delete_noted_cgroup(struct rt_container *c, struct err *err)
{
	CLEANUP(cgroup_layout_free) struct cgroup_layout *layout = NULL;
	CLEANUP(cgroup_free) struct cgroup *cg = NULL;
	char path[STATE_NOTE_MAX + 8];
	int r = state_read_note(c->dirfd, path, err);

	if (r <= 0)
		return r;
	r = cgroup_layout_new(-1, &layout, err);
	if (r >= 0)
		r = cgroup_create(layout, path, CGROUP_ALL, &cg,
				  err); /* takes over what is there */
	if (r < 0)
		return r;
	/* Its init may be on its way out still: both wait for that. */
	r = cgroup_kill(cg, KILL_MS, err);
	cgroup_adopt(cg);
	return r < 0 ? r : cgroup_destroy(cg, KILL_MS, err);
}

/* A create that was killed leaves a directory without a record: its processes have died with it. */
static int delete_unrecorded(struct rt_container *c, struct err *err)
{
	int r = state_lock(c->dirfd, err);

	if (r >= 0)
		r = delete_noted_cgroup(c, err);
	return r < 0 ? r : state_remove(c->host, c->id, c->dirfd, err);
}

int rt_delete(struct rt_container *c, bool force, struct err *err)
{
	CLEANUP(look_fini) struct look l = { 0 };
	struct err hook = ERR_INIT;
	int r;

	r = look(c, LOOK_LOCK, &l, err);
	if (r == -ERR_NOT_FOUND && force && l.locked)
		return delete_unrecorded(c, err);
	if (r >= 0)
		r = look_cgroup(&l, err);
	if (r < 0)
		return r;
	if (l.status != RT_STOPPED && !force)
		return err_set(err, ERR_CONFLICT,
			       "cannot delete container %s that is not stopped: %s", c->id,
			       rt_status_name(l.status));
	if (l.status != RT_STOPPED) {
		r = end_init(c, &l, err);
		if (r < 0)
			return r;
	}
	r = group_destroy(&l.group, KILL_MS, err);
	if (r < 0)
		return r;
	l.status = RT_STOPPED;
	if (l.s.hooks & (RDT_CLASS | RDT_GROUP)) {
		struct conf conf;

		r = conf_read(l.s.config, l.arena, &conf, err);
		if (r >= 0 && conf.lin.rdt)
			r = rdt_remove(conf.lin.rdt, c->id, l.s.hooks, err);
		if (r < 0)
			return r;
	}
	r = state_remove(c->host, c->id, c->dirfd, err);
	if (r < 0)
		return r;
	/* Last, and only a warning (runtime.md, lifecycle 13). */
	if (late_hooks(&l, HOOK_POSTSTOP, RT_STOPPED, &hook) < 0)
		rt_warn(c->host, "%s", hook.msg);
	return 0;
}

/* ---- queries ---- */

int rt_info(struct rt_container *c, struct arena *a, struct rt_info *ret, struct err *err)
{
	CLEANUP(look_fini) struct look l = { 0 };
	const struct doc *notes;
	struct doc *config;
	int r;

	r = look(c, LOOK_FROZEN | LOOK_ALL, &l, err);
	if (r >= 0)
		r = json_read(l.arena, l.s.config, NULL, &config, err);
	if (r < 0)
		return r;
	*ret = (struct rt_info){ .status = l.status,
				 .pid = l.status == RT_STOPPED ? 0 : l.s.pid,
				 .id = arena_strdup(a, l.s.id),
				 .bundle = arena_strdup(a, l.s.bundle),
				 .rootfs = arena_strdup(a, l.s.rootfs),
				 .created = arena_strdup(a, l.s.created),
				 .owner = arena_strdup(a, l.s.owner ? l.s.owner : ""),
				 .oci_version = arena_strdup(a, l.s.oci_version) };
	notes = doc_get(config, "annotations");
	if (notes && notes->type == DOC_OBJECT)
		r = json_print(a, notes, NULL, &ret->annotations, err);
	if (r >= 0 && arena_exceeded(a))
		r = arena_quota(a, err);
	return r;
}

int rt_state_json(struct rt_container *c, bool pretty, struct buf *out, struct err *err)
{
	CLEANUP(look_fini) struct look l = { 0 };
	struct state_view v;
	struct doc *config;
	int r;

	r = look(c, LOOK_FROZEN | LOOK_ALL, &l, err);
	if (r >= 0)
		r = json_read(l.arena, l.s.config, NULL, &config, err);
	if (r < 0)
		return r;
	view_of(&l, &v);
	v.annotations_doc = doc_get(config, "annotations");
	v.full = true;
	return state_view_json(&v, pretty, out, err);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_ids(const struct rt_host *h, struct arena *a, char ***ret, size_t *ret_n,
		    struct err *err)
{
	size_t n = 0, cap = 0;
	char **v = NULL;
	struct dirent *d;
	DIR *dir;

	dir = opendir(h->root);
	if (!dir && errno != ENOENT)
		return err_sys(err, "open the state directory '%s'", h->root);
	while (dir && (d = readdir(dir))) {
		if (rt_check_id(d->d_name, NULL) < 0)
			continue;
		if (n == cap) {
			v = arena_grow(a, v, cap * sizeof(*v), (cap ? cap * 2 : 64) * sizeof(*v));
			cap = cap ? cap * 2 : 64;
		}
		if (v)
			v[n++] = arena_strdup(a, d->d_name);
	}
	if (dir)
		closedir(dir);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	if (n)
		qsort(v, n, sizeof(*v), by_name);
	*ret = v;
	*ret_n = n;
	return 0;
}

int rt_list(const struct rt_host *h, int (*fn)(struct rt_container *c, void *arg), void *arg,
	    struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("list of containers", STATE_MAX);
	char **ids;
	size_t n = 0;
	int r;

	r = read_ids(h, a, &ids, &n, err);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		CLEANUP(rt_close) struct rt_container *c = NULL;

		/* Being made or unmade at this moment: not there. */
		if (rt_open(h, ids[i], &c, NULL) >= 0)
			r = fn(c, arg);
	}
	return r < 0 ? r : 0;
}

int rt_pids(struct rt_container *c, struct arena *a, pid_t **ret, size_t *ret_n, struct err *err)
{
	CLEANUP(look_fini) struct look l = { 0 };
	size_t max = 256, n = 0;
	pid_t *v;
	int r;

	r = look(c, 0, &l, err);
	if (r >= 0)
		r = look_cgroup(&l, err);
	if (r < 0)
		return r;
	for (;;) {
		v = ARENA_ARRAY(a, pid_t, max);
		if (!v)
			return arena_quota(a, err);
		if (!l.group.cgroup) {
			n = l.status != RT_STOPPED;
			v[0] = l.s.pid;
			break;
		}
		r = cgroup_pids(l.group.cgroup, v, max, &n, err);
		if (r < 0)
			return r;
		if (n <= max)
			break;
		max = n + 64;
	}
	*ret = v;
	*ret_n = n;
	return 0;
}

/* Can a saved cgroup ("pids:1 cpu,cpuacct:1 /a/b") hold the controller at all? */
static bool may_hold(const char *saved, const char *controller)
{
	const char *end = strstr(saved, " /");
	struct slice list = slice_of(saved, end ? (size_t)(end - saved) : 0);

	while (list.n) {
		struct slice item = slice_split(&list, ' ');
		struct slice names = slice_split(&item, ':');

		if (slice_is(names, "unified"))
			return true;
		while (names.n)
			if (slice_is(slice_split(&names, ','), controller))
				return true;
	}
	return false;
}

int rt_cgroup_dir(struct rt_container *c, const char *controller, int *ret_fd, struct err *err)
{
#define X(id, v1, v2) v1,
	static const char *const names[] = { CGROUP_CONTROLLERS(X) };
#undef X
	CLEANUP(look_fini) struct look l = { 0 };
	int r, fd = -1;

	r = look(c, 0, &l, err);
	if (r >= 0 && l.s.cgroup && may_hold(l.s.cgroup, controller))
		r = look_cgroup(&l, err);
	if (r < 0)
		return r;
	for (unsigned k = 0; l.group.cgroup && k < ARRAY_LEN(names); k++)
		if (!strcmp(names[k], controller))
			fd = cgroup_dir_fd(l.group.cgroup, k);
	if (fd < 0)
		return err_set(err, ERR_NOT_FOUND,
			       "the container has no cgroup of the controller '%s'", controller);
	*ret_fd = fd_dup(fd);
	return *ret_fd < 0 ? err_sys(err, "duplicate the cgroup's fd") : 0;
}
