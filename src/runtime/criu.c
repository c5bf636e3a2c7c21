/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoint and restore of a container by criu.
 *
 * Beside criu's own images the directory holds descriptors.json (what stdio was, as runc and crun
 * write it) and teu-mounts.json: mounts that are not the container's own, so that criu leaves them
 * out and takes what takes their place at the restore: binds of the config, devices and masks of
 * the host, and the container's cgroup directories. criu restores its processes as our children
 * (rst_sibling); it is put into the new cgroup itself, so that they are born there.
 */
#include "runtime/criu.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "doc/json.h"
#include "linux/mount.h"
#include "linux/path.h"
#include "linux/proc.h"
#include "linux/sys.h"
#include "runtime/look.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define ARENA_MAX (64u << 20)
#define OPTS_MAX (1u << 20)
#define FILE_FDS "descriptors.json"
#define FILE_MOUNTS "teu-mounts.json"

/* Fields of criu_opts (rpc.proto). */
enum {
	O_IMAGES_DIR_FD = 1,
	O_PID = 2,
	O_LEAVE_RUNNING = 3,
	O_EXT_UNIX_SK = 4,
	O_TCP_ESTABLISHED = 5,
	O_EVASIVE_DEVICES = 6,
	O_SHELL_JOB = 7,
	O_FILE_LOCKS = 8,
	O_LOG_LEVEL = 9,
	O_LOG_FILE = 10,
	O_PS = 11,
	O_NOTIFY_SCRIPTS = 12,
	O_ROOT = 13,
	O_PARENT_IMG = 14,
	O_TRACK_MEM = 15,
	O_AUTO_DEDUP = 16,
	O_WORK_DIR_FD = 17,
	O_LINK_REMAP = 18,
	O_EXT_MNT = 23,
	O_MANAGE_CGROUPS = 24,
	O_CG_ROOT = 25,
	O_RST_SIBLING = 26,
	O_INHERIT_FD = 27,
	O_MANAGE_CGROUPS_MODE = 34,
	O_EXTERNAL = 37,
	O_EMPTY_NS = 38,
	O_FREEZE_CGROUP = 44,
	O_TCP_SKIP_IN_FLIGHT = 46,
	O_LAZY_PAGES = 48,
	O_STATUS_FD = 49,
	O_ORPHAN_PTS_MASTER = 50,
	O_CONFIG_FILE = 51,
	O_TCP_CLOSE = 52,
	O_LSM_PROFILE = 53,
	O_LSM_MOUNT_CONTEXT = 63,
};

/* One of criu_opts' messages of two fields. */
static void put_pair(struct buf *b, unsigned field, const char *one, const char *two)
{
	CLEANUP(buf_fini) struct buf m = BUF_INIT(OPTS_MAX);

	criu_put_text(&m, 1, one);
	criu_put_text(&m, 2, two);
	if (m.full)
		b->full = true;
	criu_put_message(b, field, &m);
}

static int open_dir(const char *path, bool make, int *ret, struct err *err)
{
	int r = make ? fd_mkdir_p(AT_FDCWD, path, 0700, err) : 0;

	if (r < 0)
		return r;
	*ret = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	return *ret < 0 ? err_sys(err, "open the directory '%s'", path) : 0;
}

static int put_page_server(struct buf *b, const char *text, struct err *err)
{
	CLEANUP(buf_fini) struct buf m = BUF_INIT(512);
	const char *colon = text ? strrchr(text, ':') : NULL;
	char host[256];
	uint64_t port;

	if (!text)
		return 0;
	if (!colon || colon == text || (size_t)(colon - text) >= sizeof(host) ||
	    str_uint64(slice_str(colon + 1), &port, NULL) < 0 || !port || port > 65535)
		return err_set(err, ERR_INVALID, "--page-server '%s' is not ADDRESS:PORT", text);
	(void)snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	criu_put_text(&m, 1, host);
	criu_put_number(&m, 2, port);
	criu_put_message(b, O_PS, &m);
	return 0;
}

/* What both directions say. */
static int common(const struct criu_opts *o, const struct conf *conf, struct criu_call *call,
		  struct buf *b, struct err *err)
{
	const struct {
		unsigned field;
		bool on;
	} flags[] = {
		{ O_EXT_UNIX_SK, o->ext_unix_sk },
		{ O_TCP_ESTABLISHED, o->tcp_established },
		{ O_TCP_SKIP_IN_FLIGHT, o->tcp_skip_in_flight },
		{ O_TCP_CLOSE, o->tcp_close },
		{ O_SHELL_JOB, o->shell_job },
		{ O_FILE_LOCKS, o->file_locks },
		{ O_AUTO_DEDUP, o->auto_dedup },
		{ O_LINK_REMAP, o->link_remap },
		{ O_LAZY_PAGES, o->lazy_pages },
		{ O_NOTIFY_SCRIPTS, true },
		{ O_ORPHAN_PTS_MASTER, true },
		{ O_MANAGE_CGROUPS, true },
	};

	criu_put_number(b, O_IMAGES_DIR_FD, (uint64_t)call->images);
	if (call->work >= 0)
		criu_put_number(b, O_WORK_DIR_FD, (uint64_t)call->work);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (flags[i].on)
			criu_put_number(b, flags[i].field, 1);
	criu_put_number(b, O_LOG_LEVEL, 4);
	criu_put_number(b, O_MANAGE_CGROUPS_MODE, o->cgroups);
	if (o->empty_net)
		criu_put_number(b, O_EMPTY_NS, CLONE_NEWNET);
	if (o->status_fd >= 0) {
		criu_put_number(b, O_STATUS_FD, (uint64_t)o->status_fd);
		call->keep[call->n_keep++] = o->status_fd;
	}
	criu_put_text(b, O_CONFIG_FILE, conf_annotation(conf, "org.criu.config"));
	return put_page_server(b, o->page_server, err);
}

static bool is_bind(const struct conf_mount *m)
{
	for (size_t i = 0; i < m->options.n; i++)
		if (!strcmp(m->options.v[i], "bind") || !strcmp(m->options.v[i], "rbind"))
			return true;
	return false;
}

/* The config's mount there, the last one; a bind only, if asked. */
static const struct conf_mount *find_mount(const struct conf *c, const char *target, bool bind)
{
	for (size_t i = c->mounts.n; i > 0; i--) {
		const struct conf_mount *m = &c->mounts.v[i - 1];

		if (!strcmp(m->destination, target) && (!bind || is_bind(m)))
			return m;
	}
	return NULL;
}

/* Only a network or pid namespace that was joined stays outside of the images. */
static const struct {
	enum ns_kind kind;
	const char *name, *key;
} outer_ns[] = { { NS_NET, "net", "extRootNetNS" }, { NS_PID, "pid", "extRootPidNS" } };

/* ---- checkpoint ---- */

struct dump {
	const struct conf *conf;
	struct arena *arena;
	struct buf *opts;
	struct doc *mounts;
	pid_t pid;
};

static void add_mount(struct dump *d, const char *target, const char *kind, const char *what)
{
	struct doc *o = doc_append_object(d->arena, d->mounts);

	doc_set_str(d->arena, o, "target", target);
	doc_set_str(d->arena, o, "kind", kind);
	doc_set_str(d->arena, o, "what", what);
	put_pair(d->opts, O_EXT_MNT, target, target);
}

/* A mask over a file, or a device of the host's. */
static bool is_host_device(const struct dump *d, const struct mount_info *mi)
{
	char path[PATH_MAX];
	struct stat st;

	if ((size_t)snprintf(path, sizeof(path), "/proc/%d/root%s", (int)d->pid, mi->target) >=
	    sizeof(path))
		return false;
	return strcmp(mi->fstype, "devpts") && sys_fstatat(AT_FDCWD, path, &st, 0) == 0 &&
	       (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

static int each_mount(const struct mount_info *mi, void *arg)
{
	struct dump *d = arg;
	const char *slash = strrchr(mi->target, '/');

	if (find_mount(d->conf, mi->target, true))
		add_mount(d, mi->target, "bind", NULL);
	else if (!strcmp(mi->fstype, "cgroup2") && find_mount(d->conf, mi->target, false))
		add_mount(d, mi->target, "cgroup", ""); /* v2: the one directory has no name */
	else if (!strncmp(mi->fstype, "cgroup", 6))
		add_mount(d, mi->target, "cgroup", slash ? slash + 1 : "");
	else if (is_host_device(d, mi))
		add_mount(d, mi->target, "device", mi->root);
	return 0;
}

static int dump_namespaces(struct dump *d, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(outer_ns); i++) {
		const struct conf_ns *ns = conf_ns(d->conf, outer_ns[i].kind);
		CLEANUP(fd_close) int fd = -1;
		struct stat st;
		char text[64];
		int r;

		if (!ns || !ns->path)
			continue;
		r = ns_open_of(d->pid, outer_ns[i].kind, &fd, err);
		if (r < 0 || sys_fstat(fd, &st) < 0)
			return r < 0 ? r : err_sys(err, "look at a namespace");
		(void)snprintf(text, sizeof(text), "%s[%llu]:%s", outer_ns[i].name,
			       (unsigned long long)st.st_ino, outer_ns[i].key);
		criu_put_text(d->opts, O_EXTERNAL, text);
	}
	return 0;
}

static int write_json(int dir, const char *name, const struct doc *d, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(16u << 20);
	int r = json_write(d, NULL, &b, err);

	return r < 0 ? r : fd_replace_file(dir, name, b.p, b.n, 0600, err);
}

/* What 0 to 2 are: pipes get another at the restore. */
static int dump_fds(struct dump *d, int images, struct err *err)
{
	struct doc *list = doc_new_array(d->arena);

	for (int i = 0; i < 3; i++) {
		char path[40], text[PATH_MAX];
		ssize_t n;

		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)d->pid, i);
		n = sys_readlinkat(AT_FDCWD, path, text, sizeof(text) - 1);
		doc_append(d->arena, list,
			   n < 0 ? doc_str(d->arena, "") : doc_strn(d->arena, text, (size_t)n));
	}
	return write_json(images, FILE_FDS, list, err);
}

static int ignore_notify(void *arg, const struct criu_reply *n, int fd, struct err *err)
{
	(void)arg;
	(void)n;
	(void)err;
	fd_close(fd);
	return 0;
}

static int fill_dump(struct look *l, const struct conf *conf, const struct criu_opts *o,
		     struct criu_call *call, struct buf *b, struct err *err)
{
	struct dump d = { .conf = conf,
			  .arena = l->arena,
			  .opts = b,
			  .mounts = doc_new_array(l->arena),
			  .pid = l->s.pid };
	char path[PATH_MAX];
	int r;

	r = common(o, conf, call, b, err);
	criu_put_number(b, O_PID, (uint64_t)l->s.pid);
	criu_put_text(b, O_ROOT, l->s.rootfs);
	criu_put_text(b, O_LOG_FILE, "dump.log");
	if (o->leave_running)
		criu_put_number(b, O_LEAVE_RUNNING, 1);
	criu_put_text(b, O_PARENT_IMG, o->parent);
	if (o->parent || o->pre_dump)
		criu_put_number(b, O_TRACK_MEM, 1);
	if (r >= 0 && l->group.cgroup &&
	    cgroup_dir_path(l->group.cgroup, CGROUP_FREEZER, path, sizeof(path), NULL) >= 0)
		criu_put_text(b, O_FREEZE_CGROUP, path);
	if (r >= 0)
		r = dump_namespaces(&d, err);
	if (r >= 0)
		r = mount_each_of(l->s.pid, each_mount, &d, err);
	if (r >= 0 && !o->pre_dump)
		r = dump_fds(&d, call->images, err);
	if (r >= 0 && !o->pre_dump)
		r = write_json(call->images, FILE_MOUNTS, d.mounts, err);
	if (r >= 0 && b->full)
		r = err_set(err, ERR_TOO_LARGE, "the request for criu is too long");
	return r;
}

static int open_dirs(const struct criu_opts *o, bool make, struct criu_call *call,
		     char log[PATH_MAX], struct err *err)
{
	const char *images = o->images ? o->images : "checkpoint";
	int r = open_dir(images, make, &call->images, err);

	if (r >= 0 && o->work)
		r = open_dir(o->work, true, &call->work, err);
	(void)snprintf(log, PATH_MAX, "%.3000s/%s", o->work ? o->work : images,
		       make ? "dump.log" : "restore.log");
	call->log = log;
	return r;
}

static int checkpoint(struct rt_container *c, const struct criu_opts *o, struct look *l,
		      struct err *err)
{
	struct criu_call call = { .program = o->program,
				  .type = o->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP,
				  .images = -1,
				  .work = -1,
				  .on_notify = ignore_notify };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(OPTS_MAX);
	char log[PATH_MAX];
	struct conf conf;
	pid_t pid;
	int r;

	r = look(c, LOOK_LOCK | LOOK_FROZEN | LOOK_ALL, l, err);
	if (r >= 0 && l->status != RT_RUNNING && l->status != RT_PAUSED)
		r = err_set(err, ERR_CONFLICT, "cannot checkpoint a container that is %s",
			    rt_status_name(l->status));
	if (r >= 0)
		r = look_cgroup(l, err);
	if (r >= 0)
		r = conf_read(l->s.config, l->arena, &conf, err);
	if (r >= 0 && conf_ns(&conf, NS_TIME))
		r = err_set(err, ERR_UNSUPPORTED,
			    "checkpoint: criu keeps no container with a time namespace of ours");
	if (r >= 0)
		r = open_dirs(o, true, &call, log, err);
	if (r >= 0)
		r = fill_dump(l, &conf, o, &call, &b, err);
	call.opts = &b;
	if (r >= 0)
		r = criu_run(&call, &pid, err);
	fd_close(call.images);
	fd_close(call.work);
	return r;
}

int rt_checkpoint(struct rt_container *c, const struct criu_opts *o, struct err *err)
{
	struct look l = { 0 };
	int r = checkpoint(c, o, &l, err);

	look_fini(&l); /* the lock too: the deletion takes it */
	if (r < 0 && err)
		err->causes = NULL; /* they were in the arena */
	if (r < 0 || o->leave_running || o->pre_dump)
		return r;
	return rt_delete(c, true, err);
}

/* ---- restore ---- */

struct restore {
	const struct rt_host *host;
	const struct rt_create *o;
	const struct criu_opts *cr;
	struct arena *arena;
	struct conf conf;
	struct slice text;
	char bundle[PATH_MAX], rootfs[PATH_MAX], log[PATH_MAX];
	int dirfd, console;
	struct group group;
	struct criu_call call;
	struct buf opts, dirs;
	int ns_fd[ARRAY_LEN(outer_ns)];
	pid_t pid;
	int pidfd;
	uint64_t start;
};

/* Where the named hierarchy's directory of the new container is. */
static const char *cgroup_dir(struct restore *r, const char *name)
{
	struct slice rest = buf_slice(&r->dirs);

	while (rest.p && rest.n) {
		struct slice line = slice_split(&rest, '\n'), word = slice_split(&line, ' ');

		if (slice_is(word, name))
			return arena_strndup(r->arena, line.p, line.n);
	}
	return NULL;
}

/* A bind's target may be missing in another copy of the root. */
static int make_target(int root, const struct conf_mount *m, const char *source, struct err *err)
{
	CLEANUP(mount_target_fini) struct mount_target t = { .root = -1, .fd = -1 };
	struct stat st;
	int r;

	if (sys_fstatat(AT_FDCWD, source, &st, 0) < 0)
		return err_sys(err, "source '%s'", source);
	r = mount_target_open(&t, root, m->destination,
			      S_ISDIR(st.st_mode) ? MOUNT_ON_DIR : MOUNT_ON_FILE, false, err);
	return r < 0 ? err_wrap(err, "mount on '%s'", m->destination) : 0;
}

static int restore_mount(struct restore *r, int root, const struct doc *d, struct err *err)
{
	const char *target = doc_cstr(r->arena, doc_get(d, "target"));
	const char *what = doc_cstr(r->arena, doc_get(d, "what"));
	const struct doc *kind = doc_get(d, "kind");
	const struct conf_mount *m;
	const char *source = NULL;
	int e;

	if (!target)
		return err_set(err, ERR_INVALID, FILE_MOUNTS " is none of ours");
	if (doc_str_is(kind, "bind")) {
		m = find_mount(&r->conf, target, true);
		if (!m || !m->source)
			return err_set(err, ERR_INVALID,
				       "the images have a bind on '%s' that config.json lacks",
				       target);
		source = m->source[0] == '/'
				 ? m->source
				 : arena_printf(r->arena, "%s/%s", r->bundle, m->source);
		e = source ? make_target(root, m, source, err) : arena_quota(r->arena, err);
		if (e < 0)
			return e;
	} else if (doc_str_is(kind, "cgroup")) {
		source = cgroup_dir(r, what ? what : "");
	} else if (what) {
		source = arena_printf(r->arena, "/dev%s", what);
	}
	if (!source)
		return err_set(err, ERR_NOT_FOUND, "nothing here for the mount on '%s'", target);
	put_pair(&r->opts, O_EXT_MNT, target, source);
	return 0;
}

static int read_json(struct restore *r, const char *name, struct doc **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(16u << 20);
	const struct json_options copy = { .copy = true };
	int e = fd_read_file(r->call.images, name, &b, err);

	if (e >= 0)
		e = json_read(r->arena, buf_slice(&b), &copy, ret, err);
	return e < 0 ? err_wrap(err, "images: %s", name) : 0;
}

static int restore_mounts(struct restore *r, struct err *err)
{
	CLEANUP(fd_close)
	int root = sys_openat(AT_FDCWD, r->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	struct doc *list;
	int e;

	if (root < 0)
		return err_sys(err, "root.path '%s'", r->rootfs);
	e = read_json(r, FILE_MOUNTS, &list, err);
	if (e >= 0 && r->group.cgroup)
		e = rt_cgroup_dirs(r->group.cgroup, &r->dirs, err);
	DOC_EACH (it, e >= 0 ? list : NULL)
		if (e >= 0)
			e = restore_mount(r, root, it, err);
	return e;
}

static void put_inherit(struct restore *r, const char *key, int fd)
{
	CLEANUP(buf_fini) struct buf m = BUF_INIT(PATH_MAX + 64);

	criu_put_text(&m, 1, key);
	criu_put_number(&m, 2, (uint64_t)fd);
	criu_put_message(&r->opts, O_INHERIT_FD, &m);
}

static int restore_fds(struct restore *r, struct err *err)
{
	struct doc *list;
	int fd = 0, e = read_json(r, FILE_FDS, &list, err);

	DOC_EACH (it, e >= 0 ? list : NULL) {
		const char *s = doc_cstr(r->arena, it);

		if (s && !strncmp(s, "pipe:", 5) && fd < 3)
			put_inherit(r, s, fd);
		fd++;
	}
	for (size_t i = 0; e >= 0 && i < ARRAY_LEN(outer_ns); i++) {
		const struct conf_ns *ns = conf_ns(&r->conf, outer_ns[i].kind);

		if (!ns || !ns->path)
			continue;
		e = ns_open(ns->path, outer_ns[i].kind, &r->ns_fd[i], err);
		if (e >= 0) {
			put_inherit(r, outer_ns[i].key, r->ns_fd[i]);
			r->call.keep[r->call.n_keep++] = r->ns_fd[i];
		}
	}
	return e;
}

static void put_cgroup_roots(struct restore *r)
{
#define X(id, v1, v2) v1,
	static const char *const names[] = { CGROUP_CONTROLLERS(X) };
#undef X
	const struct cgroup *cg = r->group.cgroup;

	for (unsigned k = 0; cg && k < CGROUP_CONTROLLER_COUNT; k++) {
		bool v2 = cgroup_controller_is_v2(cg, k);

		if (cgroup_dir_fd(cg, k) < 0)
			continue;
		put_pair(&r->opts, O_CG_ROOT, v2 ? NULL : names[k], cgroup_path(cg));
		if (cgroup_is_v2(cg))
			break;
	}
}

static int fill_restore(struct restore *r, struct err *err)
{
	struct buf *b = &r->opts;
	int e = common(r->cr, &r->conf, &r->call, b, err);

	criu_put_number(b, O_EVASIVE_DEVICES, 1);
	criu_put_number(b, O_RST_SIBLING, 1);
	criu_put_text(b, O_ROOT, r->rootfs);
	criu_put_text(b, O_LOG_FILE, "restore.log");
	criu_put_text(b, O_LSM_PROFILE, r->cr->lsm_profile);
	criu_put_text(b, O_LSM_MOUNT_CONTEXT, r->cr->lsm_mount_context);
	put_cgroup_roots(r);
	if (e >= 0)
		e = restore_mounts(r, err);
	if (e >= 0)
		e = restore_fds(r, err);
	if (e >= 0 && (b->full || arena_exceeded(r->arena)))
		e = err_set(err, ERR_TOO_LARGE, "the request for criu is too long");
	return e;
}

static int on_start(void *arg, pid_t pid, struct err *err)
{
	struct restore *r = arg;

	return r->group.cgroup ? cgroup_add(r->group.cgroup, pid, err) : 0;
}

static int run_hooks(struct restore *r, pid_t pid, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(RT_CONFIG_MAX);
	struct state_view v = { .oci_version = r->conf.oci_version,
				.id = r->o->id,
				.bundle = r->bundle,
				.status = RT_CREATED,
				.pid = pid,
				.annotations = &r->conf.annotations };
	int e = state_view_json(&v, false, &b, err);

	if (e >= 0)
		e = hooks_run(&r->conf.hooks, HOOK_PRESTART, buf_slice(&b), err);
	return e < 0 ? e : hooks_run(&r->conf.hooks, HOOK_CREATE_RUNTIME, buf_slice(&b), err);
}

static int on_notify(void *arg, const struct criu_reply *n, int fd, struct err *err)
{
	struct restore *r = arg;

	if (!strcmp(n->script, "orphan-pts-master") && fd >= 0 && r->console < 0)
		r->console = STEAL_FD(fd);
	fd_close(fd);
	return strcmp(n->script, "setup-namespaces") ? 0 : run_hooks(r, n->pid, err);
}

static int record(struct restore *r, struct err *err)
{
	CLEANUP(buf_fini) struct buf saved = BUF_INIT(65536);
	char created[CLOCK_TEXT_MAX];
	struct state s = { .oci_version = r->conf.oci_version,
			   .id = r->o->id,
			   .bundle = r->bundle,
			   .rootfs = r->rootfs,
			   .created = clock_rfc3339nano(created, clock_real()),
			   .owner = geteuid() == 0 ? "root" : "",
			   .pid = r->pid,
			   .hooks = hooks_mask(&r->conf.hooks),
			   .process = r->conf.process,
			   .config = r->text };
	int e = proc_pidfd(r->pid, &r->pidfd, err);

	if (e >= 0)
		e = proc_start_time(r->pid, &s.start, NULL, err);
	if (e >= 0 && r->group.cgroup) {
		e = group_save(&r->group, &saved, err);
		s.cgroup = buf_str(&saved);
	}
	if (e >= 0)
		e = state_write(r->dirfd, &s, err);
	if (e >= 0)
		e = state_mark_started(r->dirfd, false, err);
	if (e >= 0 && r->o->pid_file)
		e = rt_write_pid_file(r->o->pid_file, r->pid, err);
	if (e >= 0 && r->console >= 0 && r->o->console_socket)
		e = rt_send_fd(r->o->console_socket, r->console, "/dev/ptmx", err);
	return e;
}

static int load(struct restore *r, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(RT_CONFIG_MAX);
	const char *bundle = r->o->bundle ? r->o->bundle : ".", *root;
	char path[PATH_MAX + 16];
	int e;

	if (!realpath(bundle, r->bundle))
		return err_sys(err, "bundle '%s'", bundle);
	(void)snprintf(path, sizeof(path), "%s/config.json", r->bundle);
	if (r->o->config.p) {
		r->text = r->o->config;
	} else {
		e = fd_read_file(AT_FDCWD, path, &b, err);
		if (e < 0)
			return e;
		r->text = slice_of(arena_strndup(r->arena, b.p, b.n), b.n);
		if (!r->text.p)
			return arena_quota(r->arena, err);
	}
	e = conf_read(r->text, r->arena, &r->conf, err);
	if (e < 0)
		return e;
	if (conf_annotation(&r->conf, "io.teu.rootfs.lower"))
		return err_set(err, ERR_UNSUPPORTED,
			       "restore: a root by io.teu.rootfs.lower cannot be restored");
	if (r->conf.process && r->conf.process->terminal && !r->o->console_socket &&
	    !(r->o->flags & RT_RAW_CONSOLE))
		return err_set(err, ERR_INVALID,
			       "process.terminal is true: a console socket is needed "
			       "(--console-socket)");
	root = r->conf.root->path;
	(void)snprintf(path, sizeof(path), root[0] == '/' ? "%s" : "%.0s%s/%s", root, r->bundle,
		       root);
	return realpath(path, r->rootfs) ? 0 : err_sys(err, "root.path '%s'", path);
}

static int make_group(struct restore *r, struct err *err)
{
	struct cgroup_limits limits;
	const struct group_want w = { .host = r->host,
				      .conf = &r->conf,
				      .limits = &limits,
				      .id = r->o->id,
				      .pid = getpid(),
				      .state = r->dirfd,
				      .enter = true };
	int e = limits_of_conf(r->conf.lin.resources, r->arena, &limits, err);

	if (e >= 0 && r->host->cgroups == RT_SYSTEMD)
		e = err_set(err, ERR_UNSUPPORTED,
			    "restore: systemd makes no scope before its processes are there; use "
			    "--cgroup-manager cgroupfs");
	return e < 0 ? e : group_create(&w, &r->group, err);
}

static int restore(struct restore *r, struct err *err)
{
	int e;

	e = rt_check_id(r->o->id, err);
	if (e >= 0)
		e = load(r, err);
	if (e >= 0)
		e = open_dirs(r->cr, false, &r->call, r->log, err);
	if (e >= 0)
		e = state_make_dir(r->host, r->o->id, &r->dirfd, err);
	if (e >= 0)
		e = make_group(r, err);
	if (e >= 0)
		e = fill_restore(r, err);
	if (e >= 0)
		e = criu_run(&r->call, &r->pid, err);
	return e < 0 ? e : record(r, err);
}

/* A failed one leaves nothing. */
static void undo(struct restore *r)
{
	struct err err = ERR_INIT;

	if (r->pidfd < 0 && r->pid > 0)
		(void)proc_pidfd(r->pid, &r->pidfd, NULL); /* may be gone */
	if (r->pidfd >= 0) {
		(void)proc_signal(r->pidfd, SIGKILL, NULL);
		(void)proc_wait(r->pidfd, -1, &(struct proc_exit){ 0 }, NULL);
	}
	if (r->dirfd < 0)
		return;
	if (group_destroy(&r->group, 10000, &err) < 0 ||
	    state_remove(r->host, r->o->id, r->dirfd, &err) < 0)
		rt_warn(r->host, "left behind: %s", err.msg);
}

static struct rt_container *handle_of(struct restore *r)
{
	struct rt_container *c = calloc(1, sizeof(*c));
	char *id = strdup(r->o->id);

	if (!c || !id)
		abort();
	*c = (struct rt_container){ .host = r->host,
				    .id = id,
				    .dirfd = STEAL_FD(r->dirfd),
				    .pid = r->pid,
				    .pidfd = STEAL_FD(r->pidfd),
				    .console = r->o->flags & RT_RAW_CONSOLE ? STEAL_FD(r->console)
									    : -1,
				    .start_fd = -1,
				    .child = true,
				    .hooks = hooks_mask(&r->conf.hooks) };
	state_unlock(c->dirfd);
	return c;
}

int rt_restore(const struct rt_host *h, const struct rt_create *o, const struct criu_opts *cr,
	       struct rt_container **ret, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("restore", ARENA_MAX);
	struct restore *r = arena_alloc(a, sizeof(*r));
	int e;

	if (!r)
		return arena_quota(a, err);
	*r = (struct restore){ .host = h,
			       .o = o,
			       .cr = cr,
			       .arena = a,
			       .dirfd = -1,
			       .console = -1,
			       .ns_fd = { -1, -1 },
			       .pidfd = -1,
			       .opts = BUF_INIT(OPTS_MAX),
			       .dirs = BUF_INIT(65536) };
	r->call = (struct criu_call){ .program = cr->program,
				      .type = CRIU_RESTORE,
				      .opts = &r->opts,
				      .images = -1,
				      .work = -1,
				      .root = r->rootfs,
				      .on_start = on_start,
				      .on_notify = on_notify,
				      .arg = r };
	e = restore(r, err);
	if (e < 0) {
		undo(r);
		if (err)
			err->causes = NULL; /* they were in the arena */
	} else {
		*ret = handle_of(r);
	}
	fd_close(r->call.images);
	fd_close(r->call.work);
	fd_close(r->console);
	fd_close(r->dirfd);
	fd_close(r->pidfd);
	for (size_t i = 0; i < ARRAY_LEN(r->ns_fd); i++)
		fd_close(r->ns_fd[i]);
	group_fini(&r->group);
	buf_fini(&r->opts);
	buf_fini(&r->dirs);
	return e < 0 ? e : 0;
}
