/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a container's spec to the config.json of its bundle (OCI runtime-spec 1.3), with docker's
 * defaults: capabilities, seccomp profile, mounts, masked paths, devices. The root is given as
 * overlay annotations that teu-oci mounts inside the container's own mount namespace.
 */
#include "engine/private.h"

#include "linux/caps.h"
#include "linux/cgroup.h"
#include "linux/seccomp-default.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define CAP(n) (1ull << (n))

/* CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT
 * MKNOD AUDIT_WRITE SETFCAP */
#define DEFAULT_CAPS                                                                       \
	(CAP(0) | CAP(1) | CAP(3) | CAP(4) | CAP(5) | CAP(6) | CAP(7) | CAP(8) | CAP(10) | \
	 CAP(13) | CAP(18) | CAP(27) | CAP(29) | CAP(31))

struct spec_build {
	const struct oci_inputs *in;
	const struct container_config *config;
	const struct host_config *host;
	struct container *c;
	struct arena *a;
	struct doc *root;
	uint64_t caps;
	bool no_new_privs, seccomp_off, paths_off;
	const char *seccomp_json; /* a profile given by the client */
	enum cgroup_mode cgroups;
	struct err *err;
};

/* ---- options ---- */

static int read_security_opts(struct spec_build *b)
{
	for (size_t i = 0; i < b->host->security_opt.n; i++) {
		const char *opt = b->host->security_opt.v[i];
		struct slice rest = slice_str(opt);
		struct slice key = slice_split(&rest, '=');

		if (!rest.p && memchr(opt, ':', strlen(opt))) {
			rest = slice_str(opt);
			key = slice_split(&rest, ':');
		}
		if (slice_is(key, "no-new-privileges"))
			b->no_new_privs = !rest.p || !slice_is(rest, "false");
		else if (slice_is(key, "seccomp") && slice_is(rest, "unconfined"))
			b->seccomp_off = true;
		else if (slice_is(key, "seccomp") && !slice_is(rest, "builtin"))
			b->seccomp_json = rest.p;
		else if (slice_is(key, "systempaths") && slice_is(rest, "unconfined"))
			b->paths_off = true;
		else if (slice_is(key, "apparmor") && slice_is(rest, "unconfined"))
			continue;
		else if (slice_is(key, "label") && slice_is(rest, "disable"))
			continue;
		else if (!slice_is(key, "seccomp"))
			return err_set(
				b->err, ERR_UNSUPPORTED,
				"SecurityOpt '%s' is not supported: no-new-privileges, seccomp=, "
				"systempaths=unconfined, apparmor=unconfined and label=disable are",
				opt);
	}
	return 0;
}

static int cap_bits(const struct strs *names, uint64_t all, uint64_t *ret, struct err *err)
{
	*ret = 0;
	for (size_t i = 0; i < names->n; i++) {
		int n;

		if (slice_ieq(slice_str(names->v[i]), SLICE("ALL"))) {
			*ret = all;
			continue;
		}
		n = caps_number(names->v[i]);
		if (n < 0)
			return err_set(err, ERR_BAD_REQUEST,
				       "invalid capability: unknown capability: \"%s\"",
				       names->v[i]);
		*ret |= 1ull << n;
	}
	return 0;
}

static bool has_all(const struct strs *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (slice_ieq(slice_str(names->v[i]), SLICE("ALL")))
			return true;
	return false;
}

/* docker: privileged = all; "ALL" added, minus drops; else defaults minus drops plus adds ("ALL"
 * dropped: only adds). */
static int choose_caps(struct spec_build *b)
{
	uint64_t all, add, drop;
	struct caps self;
	int r;

	r = caps_self(&self, b->err);
	if (r < 0)
		return r;
	all = self.bounding;
	if (b->host->privileged) {
		b->caps = all;
		return 0;
	}
	r = cap_bits(&b->host->cap_add, all, &add, b->err);
	if (r < 0)
		return r;
	r = cap_bits(&b->host->cap_drop, all, &drop, b->err);
	if (r < 0)
		return r;
	if (has_all(&b->host->cap_add))
		b->caps = all & ~(has_all(&b->host->cap_drop) ? 0 : drop);
	else if (has_all(&b->host->cap_drop))
		b->caps = add;
	else
		b->caps = (DEFAULT_CAPS & ~drop) | add;
	b->caps &= all;
	return 0;
}

/* ---- process ---- */

static void put_caps(struct arena *a, struct doc *process, uint64_t bits)
{
	static const char *const sets[] = { "bounding", "effective", "permitted" };
	struct doc *caps = doc_set_object(a, process, "capabilities");

	for (size_t s = 0; s < ARRAY_LEN(sets); s++) {
		struct doc *list = doc_set_array(a, caps, sets[s]);

		for (unsigned n = 0; n < caps_known(); n++)
			if (bits & (1ull << n))
				doc_append_str(a, list, caps_name(n));
	}
}

static size_t env_name_len(const char *kv)
{
	const char *eq = strchr(kv, '=');

	return eq ? (size_t)(eq - kv) : strlen(kv);
}

static bool env_has(const struct doc *env, const char *kv)
{
	size_t n = env_name_len(kv);

	DOC_EACH (v, env)
		if (v->n > n && memcmp(v->s, kv, n) == 0 && v->s[n] == '=')
			return true;
	return false;
}

/* A later value of the same name replaces the earlier one; "NAME" without "=" takes it away
 * (docker's rule). */
static void env_put(struct arena *a, struct doc *env, const char *kv)
{
	size_t n = env_name_len(kv);

	for (size_t i = 0; i < doc_len(env); i++) {
		struct doc *v = doc_at(env, i);

		if (v->n > n && memcmp(v->s, kv, n) == 0 && v->s[n] == '=') {
			if (kv[n] == '=')
				*v = doc_str(a, kv);
			else
				doc_remove_at(env, i);
			return;
		}
	}
	if (kv[n] == '=')
		doc_append_str(a, env, kv);
}

static void put_env(struct container *c, struct arena *a, struct doc *process, bool tty,
		    const struct user_ids *ids)
{
	const struct container_config *config = &c->spec.config;
	struct doc *env = doc_set_array(a, process, "env");

	env_put(a, env, DEFAULT_PATH);
	env_put(a, env, arena_printf(a, "HOSTNAME=%s", config->hostname ? config->hostname : ""));
	if (tty)
		env_put(a, env, "TERM=xterm");
	for (size_t i = 0; i < config->env.n; i++)
		env_put(a, env, config->env.v[i]);
	if (!env_has(env, "HOME"))
		env_put(a, env, arena_printf(a, "HOME=%s", ids->home));
}

static void put_user(struct arena *a, struct doc *process, const struct user_ids *ids)
{
	struct doc *user = doc_set_object(a, process, "user");

	doc_set_int(a, user, "uid", ids->uid);
	doc_set_int(a, user, "gid", ids->gid);
	if (ids->ngroups) {
		struct doc *list = doc_set_array(a, user, "additionalGids");

		for (size_t i = 0; i < ids->ngroups; i++)
			doc_append(a, list, doc_int(a, ids->groups[i]));
	}
}

static int resolve_user(struct container *c, const struct image_rootfs *rf, const char *user,
			struct arena *a, struct user_ids *ret, struct err *err)
{
	const char **dirs = ARENA_ARRAY(a, const char *, rf->view.n + 1);
	struct user_layers l = { dirs };

	if (!dirs)
		return arena_quota(a, err);
	for (size_t i = 0; i < rf->view.n; i++)
		dirs[i] = rf->view.v[i];
	return user_resolve(&l, user, &c->spec.host.group_add, ret, err);
}

static void put_rlimits(struct spec_build *b, struct doc *process)
{
	struct doc *list;

	if (!b->host->ulimits.n)
		return;
	list = doc_set_array(b->a, process, "rlimits");
	for (size_t i = 0; i < b->host->ulimits.n; i++) {
		const struct ulimit_spec *u = &b->host->ulimits.v[i];
		struct doc *o = doc_append_object(b->a, list);
		char name[32];
		size_t n = 0;

		for (; n < sizeof(name) - 1 && u->name[n]; n++)
			name[n] = u->name[n] >= 'a' && u->name[n] <= 'z' ? (char)(u->name[n] - 32)
									 : u->name[n];
		name[n] = '\0';
		doc_set_strf(b->a, o, "type", "RLIMIT_%s", name);
		doc_set_uint(b->a, o, "hard", u->hard < 0 ? UINT64_MAX : (uint64_t)u->hard);
		doc_set_uint(b->a, o, "soft", u->soft < 0 ? UINT64_MAX : (uint64_t)u->soft);
	}
}

static int put_process(struct spec_build *b)
{
	struct doc *p = doc_set_object(b->a, b->root, "process");
	const char *cwd = b->config->workdir && *b->config->workdir ? b->config->workdir : "/";
	struct user_ids ids;
	struct doc *args;
	int r;

	doc_set_bool(b->a, p, "terminal", b->config->tty);
	if (b->config->tty && b->host->console_size.n == 2 && b->host->console_size.v[0] > 0) {
		struct doc *size = doc_set_object(b->a, p, "consoleSize");

		doc_set_int(b->a, size, "height", b->host->console_size.v[0]);
		doc_set_int(b->a, size, "width", b->host->console_size.v[1]);
	}
	r = resolve_user(b->c, b->in->rootfs, b->config->user, b->a, &ids, b->err);
	if (r < 0)
		return r;
	put_user(b->a, p, &ids);
	args = doc_set_array(b->a, p, "args");
	for (size_t i = 0; i < b->c->argc; i++)
		doc_append_str(b->a, args, b->c->argv[i]);
	put_env(b->c, b->a, p, b->config->tty, &ids);
	doc_set_str(b->a, p, "cwd", cwd);
	put_caps(b->a, p, b->caps);
	put_rlimits(b, p);
	doc_set_bool(b->a, p, "noNewPrivileges", b->no_new_privs);
	if (b->host->oom_score_adj)
		doc_set_int(b->a, p, "oomScoreAdj", b->host->oom_score_adj);
	return 0;
}

/* ---- mounts ---- */

static struct doc *put_mount(struct spec_build *b, struct doc *mounts, const char *dest,
			     const char *type, const char *source)
{
	struct doc *m = doc_append_object(b->a, mounts);

	doc_set_str(b->a, m, "destination", dest);
	doc_set_str(b->a, m, "type", type);
	doc_set_str(b->a, m, "source", source);
	return doc_set_array(b->a, m, "options");
}

static void put_options(struct spec_build *b, struct doc *list, const char *text)
{
	struct slice rest = slice_str(text);

	while (list && rest.p && rest.n) {
		struct slice one = slice_split(&rest, ',');

		if (one.n)
			doc_append(b->a, list, doc_strn(b->a, one.p, one.n));
	}
}

/* By Mounts or Binds. */
static bool is_mount_target(const struct spec_build *b, const char *dest)
{
	size_t n = strlen(dest);

	for (size_t i = 0; i < b->host->mounts.n; i++)
		if (strcmp(b->host->mounts.v[i].target, dest) == 0)
			return true;
	for (size_t i = 0; i < b->host->binds.n; i++) {
		const char *colon = strchr(b->host->binds.v[i], ':');

		if (colon && strncmp(colon + 1, dest, n) == 0 &&
		    (colon[1 + n] == '\0' || colon[1 + n] == ':'))
			return true;
	}
	return false;
}

static bool mounted_by_user(const struct spec_build *b, const char *dest)
{
	return str_map_get(&b->host->tmpfs, dest) || is_mount_target(b, dest);
}

static bool net_is(const struct spec_build *b, const char *mode)
{
	return b->host->network_mode && strcmp(b->host->network_mode, mode) == 0;
}

/* A mount of the client's takes the place of ours; its /dev takes all that is below too. */
static struct doc *put_own_mount(struct spec_build *b, struct doc *mounts, const char *dest,
				 const char *type, const char *source)
{
	if (mounted_by_user(b, dest) ||
	    (strncmp(dest, "/dev/", 5) == 0 && mounted_by_user(b, "/dev")))
		return NULL; /* options for nobody: put_options takes NULL */
	return put_mount(b, mounts, dest, type, source);
}

static void put_system_mounts(struct spec_build *b, struct doc *mounts)
{
	bool priv = b->host->privileged;
	int64_t shm = b->host->shm_size ? b->host->shm_size : 64 << 20;
	const char *ipc = b->host->ipc_mode ? b->host->ipc_mode : "";

	put_options(b, put_own_mount(b, mounts, "/proc", "proc", "proc"), "nosuid,noexec,nodev");
	put_options(b, put_own_mount(b, mounts, "/dev", "tmpfs", "tmpfs"),
		    "nosuid,strictatime,mode=755,size=65536k");
	put_options(b, put_own_mount(b, mounts, "/dev/pts", "devpts", "devpts"),
		    "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
	put_options(b, put_own_mount(b, mounts, "/sys", "sysfs", "sysfs"),
		    priv ? "nosuid,noexec,nodev,rw" : "nosuid,noexec,nodev,ro");
	put_options(b, put_own_mount(b, mounts, "/sys/fs/cgroup", "cgroup", "cgroup"),
		    priv ? "nosuid,noexec,nodev,rw" : "ro,nosuid,noexec,nodev");
	if (strcmp(ipc, "host") == 0)
		put_options(b, put_own_mount(b, mounts, "/dev/mqueue", "bind", "/dev/mqueue"),
			    "rbind,nosuid,noexec,nodev");
	else
		put_options(b, put_own_mount(b, mounts, "/dev/mqueue", "mqueue", "mqueue"),
			    "nosuid,noexec,nodev");
	if (strcmp(ipc, "none") == 0)
		return;
	if (strcmp(ipc, "host") == 0)
		put_options(b, put_own_mount(b, mounts, "/dev/shm", "bind", "/dev/shm"),
			    "rbind,nosuid,noexec,nodev");
	else
		put_options(b, put_own_mount(b, mounts, "/dev/shm", "tmpfs", "shm"),
			    arena_printf(b->a, "nosuid,noexec,nodev,mode=1777,size=%lld",
					 (long long)shm));
}

static void put_network_files(struct spec_build *b, struct doc *mounts)
{
	static const char *const names[] = { "resolv.conf", "hostname", "hosts" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *dest = arena_printf(b->a, "/etc/%s", names[i]);

		if (dest && !mounted_by_user(b, dest))
			put_options(b,
				    put_mount(b, mounts, dest, "bind",
					      arena_printf(b->a, "%s/%s", b->in->files->run_dir,
							   names[i])),
				    "rbind,rprivate");
	}
}

/* Read-only with all that is mounted below needs mount_setattr(2), Linux 5.12. As docker: where the
 * kernel has it. */
static bool recursive_ro(void)
{
	struct utsname u;
	struct slice rest, major;
	int64_t ma = 0, mi = 0;
	struct err ignored = ERR_INIT;

	if (uname(&u) < 0)
		return false;
	rest = slice_str(u.release);
	major = slice_split(&rest, '.');
	rest.n = rest.p ? strspn(rest.p, "0123456789") : 0;
	(void)str_int64(major, &ma, &ignored); /* no number: 0, too old */
	(void)str_int64(rest, &mi, &ignored);
	return ma > 5 || (ma == 5 && mi >= 12);
}

/* "SRC:DST[:mode,mode]": docker's -v. A missing source directory is made, as docker does. */
static int put_bind(struct spec_build *b, struct doc *mounts, const char *text)
{
	struct slice rest = slice_str(text), src, dst;
	bool read_only = false;
	const char *propagation = "rprivate";
	struct doc *options;
	int r;

	src = slice_split(&rest, ':');
	dst = slice_split(&rest, ':');
	while (rest.p && rest.n) {
		struct slice m = slice_split(&rest, ',');
		const char *mode = arena_strndup(b->a, m.p, m.n);

		if (!mode)
			return arena_quota(b->a, b->err);
		if (strcmp(mode, "ro") == 0)
			read_only = true;
		else if (strstr(mode, "private") || strstr(mode, "shared") || strstr(mode, "slave"))
			propagation = mode;
	}
	if (faccessat(AT_FDCWD, arena_strndup(b->a, src.p, src.n), F_OK, 0) < 0) {
		r = fd_mkdir_p(AT_FDCWD, arena_strndup(b->a, src.p, src.n), 0755, b->err);
		if (r < 0)
			return err_wrap(b->err, "bind mount '%s'", text);
	}
	options = put_mount(b, mounts, arena_strndup(b->a, dst.p, dst.n), "bind",
			    arena_strndup(b->a, src.p, src.n));
	doc_append_str(b->a, options, "rbind");
	doc_append_str(b->a, options, propagation);
	if (read_only)
		doc_append_str(b->a, options, recursive_ro() ? "rro" : "ro");
	return 0;
}

static int put_mount_spec(struct spec_build *b, struct doc *mounts, const struct mount_spec *m)
{
	struct doc *options;
	struct stat st;

	if (strcmp(m->type, "tmpfs") == 0) {
		options = put_mount(b, mounts, m->target, "tmpfs", "tmpfs");
		put_options(b, options, "nosuid,nodev,noexec");
		if (m->tmpfs && m->tmpfs->size)
			doc_append_str(b->a, options,
				       arena_printf(b->a, "size=%lld", (long long)m->tmpfs->size));
		if (m->tmpfs && m->tmpfs->mode.set)
			doc_append_str(b->a, options,
				       arena_printf(b->a, "mode=%llo",
						    (unsigned long long)m->tmpfs->mode.v));
		DOC_EACH (o, m->tmpfs ? m->tmpfs->options : NULL) {
			const char *k = doc_cstr(b->a, doc_at(o, 0)),
				   *v = doc_cstr(b->a, doc_at(o, 1));

			if (k)
				doc_append_str(b->a, options,
					       v ? arena_printf(b->a, "%s=%s", k, v) : k);
		}
		if (m->read_only)
			doc_append_str(b->a, options, "ro");
		return 0;
	}
	if (fstatat(AT_FDCWD, m->source, &st, 0) < 0) {
		if (!m->bind || !m->bind->create_mountpoint)
			return err_set(b->err, ERR_BAD_REQUEST,
				       "invalid mount config for type \"bind\": bind source path "
				       "does not exist: %s",
				       m->source);
		if (fd_mkdir_p(AT_FDCWD, m->source, 0755, b->err) < 0)
			return err_wrap(b->err, "bind mount '%s'", m->source);
	}
	options = put_mount(b, mounts, m->target, "bind", m->source);
	doc_append_str(b->a, options, m->bind && m->bind->non_recursive ? "bind" : "rbind");
	doc_append_str(b->a, options,
		       m->bind && m->bind->propagation && *m->bind->propagation
			       ? m->bind->propagation
			       : "rprivate");
	if (m->read_only) {
		bool deep = m->bind && m->bind->ro_force_recursive;

		if (!m->bind || (!m->bind->non_recursive && !m->bind->ro_non_recursive))
			deep |= recursive_ro();
		doc_append_str(b->a, options, deep ? "rro" : "ro");
	}
	return 0;
}

static unsigned depth_of(const struct doc *mount)
{
	struct slice path = doc_slice(doc_get(mount, "destination"));
	unsigned n = 0;

	for (size_t i = 0; i < path.n; i++)
		n += path.p[i] == '/' && i + 1 < path.n && path.p[i + 1] != '/';
	return n;
}

/* Parents first, otherwise in the order given: /data hides nothing of /data/sub. */
static void append_by_depth(struct spec_build *b, struct doc *mounts, const struct doc *own)
{
	unsigned deepest = 0;

	DOC_EACH (m, own)
		deepest = MAX(deepest, depth_of(m));
	for (unsigned depth = 0; depth <= deepest; depth++)
		DOC_EACH (m, own)
			if (depth_of(m) == depth)
				doc_append(b->a, mounts, *m);
}

static int put_mounts(struct spec_build *b)
{
	struct doc *mounts = doc_set_array(b->a, b->root, "mounts"), own = doc_array();
	int r;

	put_system_mounts(b, mounts);
	put_network_files(b, &own);
	for (size_t i = 0; i < b->host->tmpfs.n; i++) {
		struct doc *options;

		if (is_mount_target(b, b->host->tmpfs.v[i].key))
			continue; /* as docker: a bind of the same path wins */
		options = put_mount(b, &own, b->host->tmpfs.v[i].key, "tmpfs", "tmpfs");
		put_options(b, options, "nosuid,nodev,noexec");
		put_options(b, options, b->host->tmpfs.v[i].value);
	}
	for (size_t i = 0; i < b->host->binds.n; i++) {
		r = put_bind(b, &own, b->host->binds.v[i]);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < b->host->mounts.n; i++) {
		r = put_mount_spec(b, &own, &b->host->mounts.v[i]);
		if (r < 0)
			return r;
	}
	append_by_depth(b, mounts, &own);
	return 0;
}

/* ---- linux ---- */

static void put_namespace(struct spec_build *b, struct doc *list, const char *type,
			  const char *path)
{
	struct doc *o = doc_append_object(b->a, list);

	doc_set_str(b->a, o, "type", type);
	if (path)
		doc_set_str(b->a, o, "path", path);
}

static bool is_host(const char *mode)
{
	return mode && strcmp(mode, "host") == 0;
}

static void put_namespaces(struct spec_build *b, struct doc *linux_)
{
	struct doc *list = doc_set_array(b->a, linux_, "namespaces");
	const char *cgroupns = b->host->cgroupns_mode;

	put_namespace(b, list, "mount", NULL);
	if (!net_is(b, "host"))
		put_namespace(b, list, "network", b->in->join_net);
	if (!is_host(b->host->uts_mode))
		put_namespace(b, list, "uts", NULL);
	if (!is_host(b->host->pid_mode))
		put_namespace(b, list, "pid", b->in->join_pid);
	if (!is_host(b->host->ipc_mode))
		put_namespace(b, list, "ipc", NULL);
	if ((cgroupns && strcmp(cgroupns, "private") == 0) ||
	    ((!cgroupns || !*cgroupns) && b->cgroups == CGROUP_V2 && !b->host->privileged))
		put_namespace(b, list, "cgroup", NULL);
}

static void put_device_rule(struct spec_build *b, struct doc *list, char type, int64_t major,
			    int64_t minor, const char *access)
{
	struct doc *o = doc_append_object(b->a, list);

	doc_set_bool(b->a, o, "allow", true);
	doc_set_strn(b->a, o, "type", &type, 1);
	if (major >= 0)
		doc_set_int(b->a, o, "major", major);
	if (minor >= 0)
		doc_set_int(b->a, o, "minor", minor);
	doc_set_str(b->a, o, "access", access);
}

static int put_device_node(struct spec_build *b, struct doc *nodes, struct doc *rules,
			   const char *host, const char *inside, const char *access)
{
	struct doc *o;
	struct stat st;
	char type;

	if (fstatat(AT_FDCWD, host, &st, 0) < 0)
		return err_sysc(
			b->err, ERR_BAD_REQUEST, errno,
			"error gathering device information while adding custom device \"%s\"",
			host);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(b->err, ERR_BAD_REQUEST,
			       "error gathering device information while adding custom device "
			       "\"%s\": not a device node",
			       host);
	type = S_ISCHR(st.st_mode) ? 'c' : 'b';
	o = doc_append_object(b->a, nodes);
	doc_set_strn(b->a, o, "type", &type, 1);
	doc_set_str(b->a, o, "path", inside);
	doc_set_int(b->a, o, "major", major(st.st_rdev));
	doc_set_int(b->a, o, "minor", minor(st.st_rdev));
	doc_set_int(b->a, o, "fileMode", st.st_mode & 07777);
	doc_set_int(b->a, o, "uid", st.st_uid);
	doc_set_int(b->a, o, "gid", st.st_gid);
	if (rules)
		put_device_rule(b, rules, type, major(st.st_rdev), minor(st.st_rdev), access);
	return 0;
}

/* --privileged: every device node of the host's /dev but terminals and what the runtime makes
 * itself. */
static int put_host_devices(struct spec_build *b, struct doc *nodes, const char *dir,
			    unsigned depth)
{
	static const char *const skip[] = { "pts",	   "shm",     "fd",	 "mqueue", ".lxc",
					    ".lxd-mounts", "console", "ptmx",	 "null",   "zero",
					    "full",	   "random",  "urandom", "tty",	   NULL };
	DIR *d = depth < 8 ? opendir(dir) : NULL;
	struct dirent *de;
	int r = 0;

	while (d && r == 0 && (de = readdir(d))) {
		const char *path;
		struct stat st;

		if (de->d_name[0] == '.' || (depth == 0 && str_is_one_of(de->d_name, skip)))
			continue;
		path = arena_printf(b->a, "%s/%s", dir, de->d_name);
		if (!path || fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			r = put_host_devices(b, nodes, path, depth + 1);
		else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
			r = put_device_node(b, nodes, NULL, path, path, "rwm");
	}
	if (d)
		closedir(d);
	return r;
}

struct device_dir {
	const char *host, *inside, *access;
	unsigned depth;
};

/* --device of a directory: every node below it, under the same names. */
static int put_device_dir(struct spec_build *b, struct doc *nodes, struct doc *rules,
			  const struct device_dir *dd)
{
	DIR *d = dd->depth < 8 ? opendir(dd->host) : NULL;
	struct dirent *de;
	int r = 0;

	while (d && r == 0 && (de = readdir(d))) {
		const char *host = arena_printf(b->a, "%s/%s", dd->host, de->d_name),
			   *inside = arena_printf(b->a, "%s/%s", dd->inside, de->d_name);
		struct stat st;

		if (de->d_name[0] == '.' || !host || !inside ||
		    fstatat(AT_FDCWD, host, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			r = put_device_dir(
				b, nodes, rules,
				&(struct device_dir){ host, inside, dd->access, dd->depth + 1 });
		else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
			r = put_device_node(b, nodes, rules, host, inside, dd->access);
	}
	if (d)
		closedir(d);
	return r;
}

static int put_device_spec(struct spec_build *b, struct doc *nodes, struct doc *rules,
			   const struct device_spec *d)
{
	const char *access = d->permissions && *d->permissions ? d->permissions : "rwm";
	const char *inside = d->container && *d->container ? d->container : d->host;
	struct stat st;

	if (access[strspn(access, "rwm")])
		return err_set(b->err, ERR_BAD_REQUEST,
			       "invalid device permissions '%s': letters of rwm", access);
	if (!d->host || fstatat(AT_FDCWD, d->host, &st, 0) < 0 || !S_ISDIR(st.st_mode))
		return put_device_node(b, nodes, rules, d->host ? d->host : "", inside, access);
	return put_device_dir(b, nodes, rules, &(struct device_dir){ d->host, inside, access, 0 });
}

/* "c 10:200 rwm": docker's --device-cgroup-rule. */
static int put_device_cgroup_rule(struct spec_build *b, struct doc *rules, const char *text)
{
	struct slice rest = slice_str(text), type = slice_split(&rest, ' '),
		     maj = slice_split(&rest, ':'), min = slice_split(&rest, ' ');
	int64_t ma = -1, mi = -1;
	struct err ignored = ERR_INIT;

	if (type.n != 1 || !memchr("abc", type.p[0], 3) || rest.n == 0 || rest.n > 3 ||
	    strspn(rest.p, "rwm") < rest.n || ma < -1 || mi < -1 ||
	    (!slice_is(maj, "*") && str_int64(maj, &ma, &ignored) < 0) ||
	    (!slice_is(min, "*") && str_int64(min, &mi, &ignored) < 0))
		return err_set(b->err, ERR_BAD_REQUEST, "invalid device cgroup rule format: '%s'",
			       text);
	put_device_rule(b, rules, type.p[0], ma, mi, arena_strndup(b->a, rest.p, rest.n));
	return 0;
}

static int put_devices(struct spec_build *b, struct doc *nodes, struct doc *resources)
{
	static const int8_t allowed[][2] = { { 1, 5 }, { 1, 3 }, { 1, 9 }, { 1, 8 },
					     { 5, 0 }, { 5, 1 }, { 1, 7 }, { 5, 2 } };
	struct doc *rules = doc_set_array(b->a, resources, "devices");
	struct doc *first;
	int r = 0;

	if (b->host->privileged) {
		put_device_rule(b, rules, 'a', -1, -1, "rwm");
		return put_host_devices(b, nodes, "/dev", 0);
	}
	first = doc_append_object(b->a, rules);
	doc_set_bool(b->a, first, "allow", false);
	doc_set_str(b->a, first, "access", "rwm");
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		put_device_rule(b, rules, 'c', allowed[i][0], allowed[i][1], "rwm");
	put_device_rule(b, rules, 'c', 136, -1, "rwm");
	put_device_rule(b, rules, 'c', -1, -1, "m");
	put_device_rule(b, rules, 'b', -1, -1, "m");
	for (size_t i = 0; i < b->host->devices.n && r == 0; i++)
		r = put_device_spec(b, nodes, rules, &b->host->devices.v[i]);
	for (size_t i = 0; i < b->host->device_cgroup_rules.n && r == 0; i++)
		r = put_device_cgroup_rule(b, rules, b->host->device_cgroup_rules.v[i]);
	return r;
}

static void put_memory(struct spec_build *b, struct doc *resources)
{
	const struct host_config *h = b->host;
	struct doc *m;

	if (!h->memory && !h->memory_reservation && !h->memory_swap && !h->memory_swappiness.set &&
	    !(h->oom_kill_disable.set && h->oom_kill_disable.v))
		return;
	m = doc_set_object(b->a, resources, "memory");
	if (h->memory)
		doc_set_int(b->a, m, "limit", h->memory);
	if (h->memory_reservation)
		doc_set_int(b->a, m, "reservation", h->memory_reservation);
	/* docker: swap unset = twice the memory. */
	if (h->memory_swap)
		doc_set_int(b->a, m, "swap", h->memory_swap);
	else if (h->memory > 0)
		doc_set_int(b->a, m, "swap", h->memory * 2);
	if (h->memory_swappiness.set && h->memory_swappiness.v >= 0)
		doc_set_int(b->a, m, "swappiness", h->memory_swappiness.v);
	if (h->oom_kill_disable.set && h->oom_kill_disable.v)
		doc_set_bool(b->a, m, "disableOOMKiller", true);
}

static void put_cpu(struct spec_build *b, struct doc *resources)
{
	const struct host_config *h = b->host;
	int64_t quota = h->cpu_quota, period = h->cpu_period;
	struct doc *cpu;

	if (h->nano_cpus) {
		period = 100000;
		quota = h->nano_cpus * period / 1000000000LL;
	}
	if (!h->cpu_shares && !quota && !period && !(h->cpuset_cpus && *h->cpuset_cpus) &&
	    !(h->cpuset_mems && *h->cpuset_mems))
		return;
	cpu = doc_set_object(b->a, resources, "cpu");
	if (h->cpu_shares)
		doc_set_int(b->a, cpu, "shares", MAX(h->cpu_shares, 2));
	if (quota)
		doc_set_int(b->a, cpu, "quota", quota);
	if (period)
		doc_set_int(b->a, cpu, "period", period);
	if (h->cpuset_cpus && *h->cpuset_cpus)
		doc_set_str(b->a, cpu, "cpus", h->cpuset_cpus);
	if (h->cpuset_mems && *h->cpuset_mems)
		doc_set_str(b->a, cpu, "mems", h->cpuset_mems);
}

static int put_throttle(struct spec_build *b, struct doc *blkio, const char *key,
			const struct throttle_device *v, size_t n)
{
	struct doc *list = n ? doc_set_array(b->a, blkio, key) : NULL;

	for (size_t i = 0; i < n; i++) {
		struct doc *o = doc_append_object(b->a, list);
		struct stat st;

		if (!v[i].path || fstatat(AT_FDCWD, v[i].path, &st, 0) < 0 || !S_ISBLK(st.st_mode))
			return err_set(b->err, ERR_BAD_REQUEST, "%s: '%s' is no block device", key,
				       v[i].path ? v[i].path : "");
		doc_set_int(b->a, o, "major", major(st.st_rdev));
		doc_set_int(b->a, o, "minor", minor(st.st_rdev));
		doc_set_uint(b->a, o, "rate", v[i].rate);
	}
	return 0;
}

static int put_blkio(struct spec_build *b, struct doc *resources)
{
	const struct host_config *h = b->host;
	struct doc *blkio;
	int r;

	if (!h->blkio_weight && !h->read_bps.n && !h->write_bps.n && !h->read_iops.n &&
	    !h->write_iops.n)
		return 0;
	blkio = doc_set_object(b->a, resources, "blockIO");
	if (h->blkio_weight)
		doc_set_int(b->a, blkio, "weight", h->blkio_weight);
	r = put_throttle(b, blkio, "throttleReadBpsDevice", h->read_bps.v, h->read_bps.n);
	if (r == 0)
		r = put_throttle(b, blkio, "throttleWriteBpsDevice", h->write_bps.v,
				 h->write_bps.n);
	if (r == 0)
		r = put_throttle(b, blkio, "throttleReadIOPSDevice", h->read_iops.v,
				 h->read_iops.n);
	if (r == 0)
		r = put_throttle(b, blkio, "throttleWriteIOPSDevice", h->write_iops.v,
				 h->write_iops.n);
	return r;
}

static int put_resources(struct spec_build *b, struct doc *linux_)
{
	struct doc *r;
	int ret;

	doc_set_array(b->a, linux_, "devices");
	r = doc_set_object(b->a, linux_, "resources"); /* may move "devices": looked up after it */
	ret = put_devices(b, doc_get(linux_, "devices"), r);
	if (ret < 0)
		return ret;
	put_memory(b, r);
	put_cpu(b, r);
	if (b->host->pids_limit.set && b->host->pids_limit.v != 0)
		doc_set_int(b->a, doc_set_object(b->a, r, "pids"), "limit",
			    b->host->pids_limit.v < 0 ? -1 : b->host->pids_limit.v);
	return put_blkio(b, r);
}

static void put_paths(struct spec_build *b, struct doc *linux_, const char *key,
		      const struct doc *given, const char *const *defaults)
{
	struct doc *list;

	if (b->host->privileged || b->paths_off)
		return;
	list = doc_set_array(b->a, linux_, key);
	if (doc_is(given, DOC_ARRAY)) {
		DOC_EACH (v, given)
			doc_append(b->a, list, *v);
		return;
	}
	for (size_t i = 0; defaults[i]; i++)
		doc_append_str(b->a, list, defaults[i]);
}

static void put_sysctls(struct spec_build *b, struct doc *linux_)
{
	bool own_net = !net_is(b, "host") && !b->in->join_net;
	struct doc *o;

	if (!own_net && !b->host->sysctls.n)
		return;
	o = doc_set_object(b->a, linux_, "sysctl");
	if (own_net) {
		doc_set_str(b->a, o, "net.ipv4.ping_group_range", "0 2147483647");
		doc_set_str(b->a, o, "net.ipv4.ip_unprivileged_port_start", "0");
	}
	for (size_t i = 0; i < b->host->sysctls.n; i++)
		doc_set_str(b->a, o, b->host->sysctls.v[i].key, b->host->sysctls.v[i].value);
}

/* ---- seccomp ---- */

static const char *action_text(enum seccomp_action act)
{
	static const char *const names[SECCOMP_ACT_COUNT] = {
		[SECCOMP_ACT_KILL_THREAD] = "SCMP_ACT_KILL_THREAD",
		[SECCOMP_ACT_KILL_PROCESS] = "SCMP_ACT_KILL_PROCESS",
		[SECCOMP_ACT_TRAP] = "SCMP_ACT_TRAP",
		[SECCOMP_ACT_ERRNO] = "SCMP_ACT_ERRNO",
		[SECCOMP_ACT_TRACE] = "SCMP_ACT_TRACE",
		[SECCOMP_ACT_ALLOW] = "SCMP_ACT_ALLOW",
		[SECCOMP_ACT_LOG] = "SCMP_ACT_LOG",
		[SECCOMP_ACT_NOTIFY] = "SCMP_ACT_NOTIFY",
	};
	return names[act];
}

static void put_rule(struct arena *a, struct doc *list, const struct seccomp_rule *rule)
{
	static const char *const ops[SECCOMP_CMP_COUNT] = {
		[SECCOMP_CMP_NE] = "SCMP_CMP_NE",
		[SECCOMP_CMP_LT] = "SCMP_CMP_LT",
		[SECCOMP_CMP_LE] = "SCMP_CMP_LE",
		[SECCOMP_CMP_EQ] = "SCMP_CMP_EQ",
		[SECCOMP_CMP_GE] = "SCMP_CMP_GE",
		[SECCOMP_CMP_GT] = "SCMP_CMP_GT",
		[SECCOMP_CMP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
	};
	struct doc *o = doc_append_object(a, list), *names = doc_set_array(a, o, "names"), *args;

	for (size_t i = 0; i < rule->n_names; i++)
		doc_append_str(a, names, rule->names[i]);
	doc_set_str(a, o, "action", action_text(rule->action));
	if (rule->errno_ret != SECCOMP_ERRNO_UNSET)
		doc_set_int(a, o, "errnoRet", rule->errno_ret);
	if (!rule->n_conds)
		return;
	args = doc_set_array(a, o, "args");
	for (size_t i = 0; i < rule->n_conds; i++) {
		struct doc *arg = doc_append_object(a, args);

		doc_set_int(a, arg, "index", rule->conds[i].index);
		doc_set_uint(a, arg, "value", rule->conds[i].value);
		doc_set_uint(a, arg, "valueTwo", rule->conds[i].value_two);
		doc_set_str(a, arg, "op", ops[rule->conds[i].op]);
	}
}

/* The default profile as OCI JSON. Made once for the usual capabilities and kept. */
static int default_profile(struct spec_build *b, struct slice *ret)
{
	struct engine *e = b->c->e;
	CLEANUP(arena_free) struct arena *a = NULL;
	struct seccomp_default_params p = { .caps = b->caps };
	struct seccomp_filter f;
	struct doc *o, *arches, *list;
	struct slice text;
	int r;

	if (e->seccomp_json && e->seccomp_caps == b->caps) {
		*ret = slice_str(e->seccomp_json);
		return 0;
	}
	a = arena_new("seccomp profile", 1u << 20);
	r = seccomp_default_build(&p, a, &f, b->err);
	if (r < 0)
		return r;
	o = doc_new_object(a);
	doc_set_str(a, o, "defaultAction", action_text(f.def_action));
	if (f.def_errno != SECCOMP_ERRNO_UNSET)
		doc_set_int(a, o, "defaultErrnoRet", f.def_errno);
	arches = doc_set_array(a, o, "architectures");
	for (size_t i = 0; i < f.n_arches; i++)
		doc_append_str(a, arches, seccomp_arch_name(f.arches[i]));
	list = doc_set_array(a, o, "syscalls");
	for (size_t i = 0; i < f.n_rules; i++)
		put_rule(a, list, &f.rules[i]);
	r = json_print(a, o, NULL, &text, b->err);
	if (r < 0)
		return r;
	free(e->seccomp_json);
	e->seccomp_json = strndup(text.p, text.n);
	e->seccomp_caps = b->caps;
	if (!e->seccomp_json)
		abort();
	*ret = slice_str(e->seccomp_json);
	return 0;
}

/* "includes"/"excludes" of docker's own profile form cannot be taken as they are: such a profile is
 * refused. */
static int client_profile(struct spec_build *b, struct slice *ret)
{
	struct doc *d;
	int r;

	r = json_read(b->a, slice_str(b->seccomp_json), NULL, &d, b->err);
	if (r < 0)
		return err_wrap(b->err, "decoding seccomp profile");
	if (doc_get(d, "archMap"))
		return err_set(b->err, ERR_UNSUPPORTED,
			       "seccomp profile: 'archMap' is not supported; give 'architectures' "
			       "as in the OCI runtime-spec");
	DOC_EACH (rule, doc_get(d, "syscalls"))
		if (doc_len(doc_get(rule, "includes")) || doc_len(doc_get(rule, "excludes")))
			return err_set(
				b->err, ERR_UNSUPPORTED,
				"seccomp profile: 'includes' and 'excludes' are not supported");
	*ret = slice_str(b->seccomp_json);
	return 0;
}

static int seccomp_text(struct spec_build *b, struct slice *ret)
{
	*ret = slice_of(NULL, 0);
	if (b->seccomp_off || b->host->privileged)
		return 0;
	return b->seccomp_json ? client_profile(b, ret) : default_profile(b, ret);
}

/* ---- the whole ---- */

static const char *const masked_paths[] = { "/proc/asound",
					    "/proc/acpi",
					    "/proc/interrupts",
					    "/proc/kcore",
					    "/proc/keys",
					    "/proc/latency_stats",
					    "/proc/timer_list",
					    "/proc/timer_stats",
					    "/proc/sched_debug",
					    "/proc/scsi",
					    "/sys/firmware",
					    "/sys/devices/virtual/powercap",
					    NULL };
static const char *const readonly_paths[] = { "/proc/bus",	     "/proc/fs",
					      "/proc/irq",	     "/proc/sys",
					      "/proc/sysrq-trigger", NULL };

static void put_annotations(struct spec_build *b)
{
	const struct image_rootfs *r = b->in->rootfs;
	struct doc *an = doc_set_object(b->a, b->root, "annotations");
	CLEANUP(buf_fini) struct buf lower = BUF_INIT(1u << 20);

	for (size_t i = 0; i < b->host->annotations.n; i++)
		doc_set_str(b->a, an, b->host->annotations.v[i].key,
			    b->host->annotations.v[i].value);
	doc_set_str(b->a, an, "io.teu.cgroup.controllers", "limited");
	if (!r->upper || r->mount)
		return; /* the root stands already */
	buf_adds(&lower, r->init);
	for (size_t i = 0; i < r->lower.n; i++)
		buf_addf(&lower, ":%s", r->lower.v[i]);
	doc_set_str(b->a, an, "io.teu.rootfs.lower", buf_str(&lower));
	doc_set_str(b->a, an, "io.teu.rootfs.upper", r->upper);
	doc_set_str(b->a, an, "io.teu.rootfs.work", r->work);
	if (r->userxattr)
		doc_set_str(b->a, an, "io.teu.rootfs.userxattr", "true");
	/* What is thrown away at the end need not be synced at every umount. */
	if (b->host->auto_remove)
		doc_set_str(b->a, an, "io.teu.rootfs.volatile", "true");
}

static int build(struct spec_build *b)
{
	struct doc *linux_, *root;
	const char *parent = b->host->cgroup_parent;
	int r;

	r = read_security_opts(b);
	if (r < 0)
		return r;
	r = choose_caps(b);
	if (r < 0)
		return r;
	doc_set_str(b->a, b->root, "ociVersion", RT_SPEC_VERSION);
	root = doc_set_object(b->a, b->root, "root");
	doc_set_str(b->a, root, "path", image_rootfs_path(b->in->rootfs));
	doc_set_bool(b->a, root, "readonly", b->host->read_only);
	if (!is_host(b->host->uts_mode)) {
		doc_set_str(b->a, b->root, "hostname", b->config->hostname);
		if (b->config->domainname && *b->config->domainname)
			doc_set_str(b->a, b->root, "domainname", b->config->domainname);
	}
	r = put_process(b);
	if (r < 0)
		return r;
	r = put_mounts(b);
	if (r < 0)
		return r;
	put_annotations(b);
	linux_ = doc_set_object(b->a, b->root, "linux");
	put_namespaces(b, linux_);
	r = put_resources(b, linux_);
	if (r < 0)
		return r;
	if (parent && *parent)
		doc_set_strf(b->a, linux_, "cgroupsPath", "%s%s/%s", parent[0] == '/' ? "" : "/",
			     parent, b->c->id);
	else
		doc_set_strf(b->a, linux_, "cgroupsPath", "/teu-%s/%s", b->c->e->instance,
			     b->c->id);
	put_sysctls(b, linux_);
	put_paths(b, linux_, "maskedPaths", b->host->masked_paths, masked_paths);
	put_paths(b, linux_, "readonlyPaths", b->host->readonly_paths, readonly_paths);
	return 0;
}

/* The profile is kept as text, so it is joined in as text: right before the last two braces
 * ("linux" is the last member). */
static int join_seccomp(struct arena *a, struct slice json, struct slice profile, struct slice *ret,
			struct err *err)
{
	static const char key[] = ",\"seccomp\":";
	char *p;

	if (!profile.p) {
		*ret = json;
		return 0;
	}
	p = arena_alloc_raw(a, json.n + profile.n + sizeof(key) + 2, 1);
	if (!p)
		return arena_quota(a, err);
	memcpy(p, json.p, json.n - 2);
	memcpy(p + json.n - 2, key, sizeof(key) - 1);
	memcpy(p + json.n - 2 + sizeof(key) - 1, profile.p, profile.n);
	memcpy(p + json.n - 2 + sizeof(key) - 1 + profile.n, "}}", 2);
	*ret = slice_of(p, json.n + sizeof(key) - 1 + profile.n);
	return 0;
}

/* Once per engine: mounts of cgroups do not change under a running system. */
static int look_at_cgroups(struct engine *e, enum cgroup_mode *ret, struct err *err)
{
	CLEANUP(cgroup_layout_free) struct cgroup_layout *layout = NULL;
	int r;

	if (!e->cgroups) {
		r = cgroup_layout_new(-1, &layout, err);
		if (r < 0)
			return r;
		e->cgroups = (int)cgroup_layout_mode(layout) + 1;
	}
	*ret = (enum cgroup_mode)(e->cgroups - 1);
	return 0;
}

int oci_spec_check(struct engine *e, const struct create_spec *s, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("check", 4u << 20);
	struct spec_build b = {
		.config = &s->config, .host = &s->host, .a = a, .err = err, .root = NULL
	};
	struct doc *rules = doc_new_array(a);
	struct slice ignored;
	int r;

	(void)e;
	r = read_security_opts(&b);
	if (r == 0 && b.seccomp_json)
		r = client_profile(&b, &ignored);
	if (r == 0)
		r = choose_caps(&b);
	for (size_t i = 0; i < s->host.device_cgroup_rules.n && r == 0; i++)
		r = put_device_cgroup_rule(&b, rules, s->host.device_cgroup_rules.v[i]);
	return r;
}

int oci_spec_build(const struct oci_inputs *in, struct arena *a, struct slice *ret_json,
		   struct err *err)
{
	struct spec_build b = {
		.in = in,
		.c = in->c,
		.config = &in->c->spec.config,
		.host = &in->c->spec.host,
		.a = a,
		.err = err,
		.root = doc_new_object(a),
	};
	struct slice json, profile;
	int r;

	r = look_at_cgroups(in->c->e, &b.cgroups, err);
	if (r < 0)
		return r;
	r = build(&b);
	if (r < 0)
		return r;
	r = seccomp_text(&b, &profile);
	if (r < 0)
		return r;
	if (arena_exceeded(a))
		return arena_quota(a, err);
	r = json_print(a, b.root, NULL, &json, err);
	if (r < 0)
		return r;
	return join_seccomp(a, json, profile, ret_json, err);
}

int oci_exec_process(struct container *c, const struct exec_spec *x, struct arena *a,
		     struct slice *ret_json, struct err *err)
{
	struct spec_build b = {
		.c = c, .config = &c->spec.config, .host = &c->spec.host, .a = a, .err = err
	};
	struct doc *p = doc_new_object(a), *args, *env;
	struct image_rootfs rf;
	struct user_ids ids;
	int r;

	r = read_security_opts(&b);
	if (r == 0)
		r = choose_caps(&b);
	if (r < 0)
		return r;
	r = engine_rootfs_plan(c->e, c, false, a, &rf, err);
	if (r == 0)
		r = resolve_user(c, &rf, x->user && *x->user ? x->user : c->spec.config.user, a,
				 &ids, err);
	if (r < 0)
		return r;
	doc_set_bool(a, p, "terminal", x->tty);
	put_user(a, p, &ids);
	args = doc_set_array(a, p, "args");
	for (size_t i = 0; i < x->ncmd; i++)
		doc_append_str(a, args, x->cmd[i]);
	put_env(c, a, p, x->tty, &ids);
	env = doc_get(p, "env");
	for (size_t i = 0; i < x->nenv; i++)
		env_put(a, env, x->env[i]);
	doc_set_str(a, p, "cwd",
		    x->cwd && *x->cwd					? x->cwd
		    : c->spec.config.workdir && *c->spec.config.workdir ? c->spec.config.workdir
									: "/");
	if (x->privileged) {
		struct caps self;

		r = caps_self(&self, err);
		if (r < 0)
			return r;
		b.caps = self.bounding;
	}
	put_caps(a, p, b.caps);
	doc_set_bool(a, p, "noNewPrivileges", b.no_new_privs);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	return json_print(a, p, NULL, ret_json, err);
}
