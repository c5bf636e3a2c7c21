/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of config.json that no row of conf.c can say: between fields, and what is refused by
 * name. Nothing here asks the kernel: what only it can know is told where it is tried.
 */
#include "runtime/rt.h"

#include "base/arena.h"

#include <ctype.h>
#include <string.h>

/* For other platforms, and what crun alone does in ways of its own: set means refused. */
static const struct {
	const char *name;
	size_t offset;
} refused[] = {
	{ "solaris", offsetof(struct conf, solaris) },
	{ "windows", offsetof(struct conf, windows) },
	{ "vm", offsetof(struct conf, vm) },
	{ "zos", offsetof(struct conf, zos) },
	{ "freebsd", offsetof(struct conf, freebsd) },
};
static const char *const refused_notes[][2] = {
	{ "run.oci.handler", "programs run as they are, not by krun or a wasm engine" },
	{ "run.oci.seccomp.plugins",
	  "a listener goes to the socket of linux.seccomp.listenerPath" },
	{ "run.oci.seccomp_bpf_data", "write the rules as linux.seccomp" },
	{ "run.oci.delegate-cgroup", "the container's own cgroup is handed to its user when "
				     "/sys/fs/cgroup is mounted writable in a cgroup namespace" },
	{ "run.oci.systemd.force_cgroup_v1", "mount the hierarchy as a bind" },
};

int conf_check_process(const struct conf_process *p, struct err *err)
{
	if (p->args.n == 0)
		return err_set(err, ERR_INVALID,
			       "process.args is empty: it names the program to run");
	if (p->args.v[0][0] == '\0')
		return err_set(err, ERR_INVALID,
			       "process.args[0] is empty: it names the program to run");
	if (p->command_line)
		return err_set(err, ERR_UNSUPPORTED,
			       "process.commandLine is for Windows: use process.args");
	if (p->user.username)
		return err_set(err, ERR_UNSUPPORTED,
			       "process.user.username is for Windows: use process.user.uid");
	if (p->affinity) {
		int r = tune_parse_list(p->affinity->initial, NULL, err);

		if (r >= 0)
			r = tune_parse_list(p->affinity->final, NULL, err);
		if (r < 0)
			return err_wrap(err, "process.execCPUAffinity");
	}
	for (size_t i = 0; i < p->rlimits.n; i++)
		if (p->rlimits.v[i].soft > p->rlimits.v[i].hard)
			return err_set(err, ERR_INVALID,
				       "process.rlimits[%zu]: soft limit above the hard limit", i);
	if (p->scheduler && p->scheduler->policy - 1 == 4)
		return err_set(err, ERR_UNSUPPORTED,
			       "process.scheduler: SCHED_ISO does not exist on Linux");
	return 0;
}

/* A sysctl that no namespace of the container's own covers would change the host. */
static int check_sysctl(const struct conf *c, const char *name, struct err *err)
{
	static const char *const ipc[] = {
		"kernel.msgmax", "kernel.msgmnb",	   "kernel.msgmni",
		"kernel.sem",	 "kernel.shmall",	   "kernel.shmmax",
		"kernel.shmmni", "kernel.shm_rmid_forced", NULL
	};
	char dotted[128];
	enum ns_kind kind;

	if (!str_copy(dotted, sizeof(dotted), name) || strstr(name, "..") || name[0] == '/' ||
	    name[0] == '.')
		return err_set(err, ERR_INVALID, "linux.sysctl '%s' is not a sysctl name", name);
	for (char *p = dotted; *p; p++)
		if (*p == '/')
			*p = '.';
	if (str_is_one_of(dotted, ipc) || !strncmp(dotted, "fs.mqueue.", 10))
		kind = NS_IPC;
	else if (!strncmp(dotted, "net.", 4))
		kind = NS_NET;
	else if (!strcmp(dotted, "kernel.domainname"))
		kind = NS_UTS;
	else if (!strcmp(dotted, "kernel.hostname"))
		return err_set(err, ERR_INVALID,
			       "linux.sysctl 'kernel.hostname': use the property hostname");
	else if (!strncmp(dotted, "user.", 5))
		kind = NS_USER;
	else
		return err_set(err, ERR_INVALID,
			       "linux.sysctl '%s' is not in a namespace: it would change the host",
			       name);
	if (!conf_ns(c, kind))
		return err_set(err, ERR_INVALID,
			       "linux.sysctl '%s' needs a %s namespace in linux.namespaces: "
			       "without one it would "
			       "change the host",
			       name, ns_types[kind].name);
	return 0;
}

/* "/", and what is the same by its words. */
static bool path_is_root(const char *path)
{
	struct slice rest = slice_str(path);

	while (rest.p) {
		struct slice part = slice_split(&rest, '/');

		if (part.n && !slice_is(part, ".") && !slice_is(part, ".."))
			return false;
	}
	return true;
}

static int check_user_ns(const struct conf *c, struct err *err)
{
	const struct conf_ns *user = conf_ns(c, NS_USER);
	bool maps = c->lin.uids.n || c->lin.gids.n;

	if (user && !user->path && (!c->lin.uids.n || !c->lin.gids.n))
		return err_set(
			err, ERR_INVALID,
			"a new user namespace needs linux.uidMappings and linux.gidMappings");
	if (!user && maps)
		return err_set(err, ERR_INVALID,
			       "linux.uidMappings without a user namespace in linux.namespaces");
	return 0;
}

/* One triplet "[@]0-1-10" of crun's option idmap=: ids of the file system, of the host, how many.
 */
static int idmap_triplet(const struct idmaps *user, struct slice s, struct conf_idmap *ret)
{
	bool relative = s.n && s.p[0] == '@';
	uint64_t n[3];

	if (relative)
		s = slice_of(s.p + 1, s.n - 1);
	for (int i = 0; i < 3; i++)
		if (str_uint64(slice_split(&s, '-'), &n[i], NULL) < 0 || n[i] > UINT32_MAX)
			return -1;
	/* Relative: the second is an id of the container's user namespace. */
	for (size_t i = 0; relative && i < user->n; i++)
		if (n[1] >= user->v[i].container && n[1] - user->v[i].container < user->v[i].size) {
			n[1] += (uint64_t)user->v[i].host - user->v[i].container;
			relative = false;
		}
	if (s.p || relative || !n[2] || n[1] > UINT32_MAX)
		return -1;
	*ret = (struct conf_idmap){ (uint32_t)n[0], (uint32_t)n[1], (uint32_t)n[2] };
	return 0;
}

/* "uids=0-1-10#10-11-10;gids=..." as the mount's mappings. */
static int idmap_option(struct conf *c, struct arena *a, struct conf_mount *m, const char *text)
{
	struct slice rest = slice_str(text);

	while (rest.p && rest.n) {
		struct slice list = slice_split(&rest, ';'), key = slice_split(&list, '=');
		bool uids = slice_is(key, "uids");
		struct idmaps *to = uids ? &m->uids : &m->gids;

		if ((!uids && !slice_is(key, "gids")) || to->n)
			return -1;
		to->v = ARENA_ARRAY(a, struct conf_idmap, list.n / 5 + 1); /* the shortest is 5 */
		while (to->v && list.p)
			if (idmap_triplet(uids ? &c->lin.uids : &c->lin.gids,
					  slice_split(&list, '#'), &to->v[to->n++]) < 0)
				return -1;
	}
	return 0;
}

static int idmap_options(struct conf *c, struct arena *a, struct conf_mount *m, struct err *err)
{
	for (size_t i = 0; i < m->options.n; i++) {
		const char *o = m->options.v[i], *eq = strchr(o, '=');

		if (!eq || (strncmp(o, "idmap=", 6) && strncmp(o, "ridmap=", 7)))
			continue;
		if (m->uids.n || m->gids.n || idmap_option(c, a, m, eq + 1) < 0)
			return err_set(
				err, ERR_INVALID,
				"mount option '%s': uids=FS-HOST-SIZE[#...];gids=... is wanted, "
				"and no uidMappings beside it",
				o);
		m->options.v[i] = *o == 'r' ? "ridmap" : "idmap";
	}
	return 0;
}

static int check_mounts(struct conf *c, struct arena *a, struct err *err)
{
	for (size_t i = 0; i < c->mounts.n; i++) {
		struct conf_mount *m = &c->mounts.v[i];
		int r = idmap_options(c, a, m, err);

		if (r < 0)
			return err_wrap(err, "mounts[%zu] (%s)", i, m->destination);
		if (!m->uids.n != !m->gids.n)
			return err_set(err, ERR_INVALID,
				       "mounts[%zu] (%s): uidMappings and gidMappings go together",
				       i, m->destination);
	}
	return 0;
}

static int check_namespaces(const struct conf *c, struct err *err)
{
	if (!conf_ns(c, NS_MOUNT) &&
	    (c->mounts.n || c->lin.masked.n || c->lin.readonly.n || c->root->readonly ||
	     c->lin.rootfs_propagation || (c->process && c->process->terminal) ||
	     conf_annotation(c, "io.teu.rootfs.lower")))
		return err_set(err, ERR_UNSUPPORTED,
			       "linux.namespaces without a mount namespace: mounts, masked or "
			       "read-only paths, root.readonly, propagation and a terminal would "
			       "change the host");
	if ((c->hostname || c->domainname) && !conf_ns(c, NS_UTS))
		return err_set(err, ERR_INVALID, "%s needs a uts namespace in linux.namespaces",
			       c->hostname ? "hostname" : "domainname");
	if (c->lin.time_offsets.n && !conf_ns_new(c, NS_TIME))
		return err_set(err, ERR_INVALID, "linux.timeOffsets needs a new time namespace");
	for (size_t i = 0; i < c->lin.time_offsets.n; i++) {
		const char *key = c->lin.time_offsets.v[i].key;

		if (strcmp(key, "monotonic") && strcmp(key, "boottime"))
			return err_set(err, ERR_INVALID,
				       "linux.timeOffsets.%s: only monotonic and boottime exist",
				       key);
	}
	return check_user_ns(c, err);
}

static int check_rdt(const struct conf_rdt *d, struct err *err)
{
	if (!d)
		return 0;
	if (d->cmt || d->mbm)
		return err_set(err, ERR_UNSUPPORTED,
			       "linux.intelRdt.%s is of spec 1.1 to 1.2: use enableMonitoring",
			       d->cmt ? "enableCMT" : "enableMBM");
	/* It becomes a directory's name. */
	if (d->clos && strcmp(d->clos, "/") &&
	    (!d->clos[0] || strchr(d->clos, '/') || strchr(d->clos, '\n') ||
	     !strcmp(d->clos, ".") || !strcmp(d->clos, "..")))
		return err_set(err, ERR_INVALID, "linux.intelRdt.closID '%s' is no name", d->clos);
	if ((d->l3 && strchr(d->l3, '\n')) || (d->mem_bw && strchr(d->mem_bw, '\n')))
		return err_set(err, ERR_INVALID, "linux.intelRdt: a schema holds a line break");
	if (d->mem_bw && strncmp(d->mem_bw, "MB:", 3))
		return err_set(
			err, ERR_INVALID,
			"linux.intelRdt.memBwSchema '%s' does not begin with MB:", d->mem_bw);
	for (size_t i = 0; i < d->schemata.n; i++)
		if (strchr(d->schemata.v[i], '\n') || !strchr(d->schemata.v[i], ':'))
			return err_set(err, ERR_INVALID,
				       "linux.intelRdt.schemata[%zu] is not one line of the form "
				       "L3:0=f",
				       i);
	return 0;
}

static int check_mempolicy(const struct conf_mempolicy *m, struct err *err)
{
	unsigned kinds = 0;
	bool nodes;
	int r;

	if (!m)
		return 0;
	nodes = m->nodes && m->nodes[0];
	r = tune_parse_list(m->nodes, NULL, err);
	if (r < 0)
		return err_wrap(err, "linux.memoryPolicy.nodes");
	/* DEFAULT 0, PREFERRED 1 (both ways), LOCAL 4: set_mempolicy(2) */
	if (nodes && (m->mode == 1 || m->mode == 1 + 4))
		return err_set(err, ERR_INVALID,
			       "linux.memoryPolicy.nodes: this mode takes no nodes");
	if (!nodes && m->mode != 1 && m->mode != 1 + 4 && m->mode != 1 + 1)
		return err_set(err, ERR_INVALID,
			       "linux.memoryPolicy.nodes: this mode needs at least one node");
	for (size_t i = 0; i < m->flags.n; i++)
		kinds |= 1u << m->flags.v[i];
	if ((kinds & 0xc) == 0xc)
		return err_set(err, ERR_INVALID,
			       "linux.memoryPolicy.flags: static and relative nodes exclude one "
			       "another");
	return 0;
}

/* What the kernel takes as an interface's name; "%d" once, for a number of its choice. */
static bool link_name_ok(const char *s, bool pattern)
{
	const char *percent = strchr(s, '%');

	if (!s[0] || strlen(s) > 15 || !strcmp(s, ".") || !strcmp(s, ".."))
		return false;
	if (percent && (!pattern || percent[1] != 'd' || strchr(percent + 1, '%')))
		return false;
	for (; *s; s++)
		if (*s == '/' || *s == ':' || isspace((unsigned char)*s))
			return false;
	return true;
}

static int check_netdevs(const struct conf *c, struct err *err)
{
	if (c->lin.net_devices.n && !conf_ns(c, NS_NET))
		return err_set(err, ERR_INVALID,
			       "linux.netDevices needs a network namespace in linux.namespaces");
	for (size_t i = 0; i < c->lin.net_devices.n; i++) {
		const char *key = c->lin.net_devices.v[i].key,
			   *name = c->lin.net_devices.v[i].value.name;

		if (!link_name_ok(key, false) || (name && name[0] && !link_name_ok(name, true)))
			return err_set(err, ERR_INVALID,
				       "linux.netDevices.%s: not a name for an interface", key);
		for (size_t k = 0; k < i; k++) {
			const char *other = c->lin.net_devices.v[k].value.name;

			if (name && name[0] && other && !strcmp(name, other) && !strchr(name, '%'))
				return err_set(err, ERR_INVALID,
					       "linux.netDevices: two are to be called '%s'", name);
		}
	}
	return 0;
}

static int check_annotations(struct conf *c, struct err *err)
{
	static const char *const contexts[] = { "context", "fscontext", "defcontext", "rootcontext",
						NULL };
	const char *agent = conf_annotation(c, "run.oci.seccomp.receiver");
	const char *kind = conf_annotation(c, "run.oci.mount_context_type");

	for (size_t i = 0; i < c->annotations.n; i++)
		if (!c->annotations.v[i].key[0])
			return err_set(err, ERR_INVALID, "annotations: an empty key");
	for (size_t i = 0; i < ARRAY_LEN(refused_notes); i++)
		if (conf_annotation(c, refused_notes[i][0]))
			return err_set(err, ERR_UNSUPPORTED, "annotation %s is not supported: %s",
				       refused_notes[i][0], refused_notes[i][1]);
	if (kind && !str_is_one_of(kind, contexts))
		return err_set(err, ERR_INVALID,
			       "annotation run.oci.mount_context_type: '%s' is unknown", kind);
	if (!agent)
		return 0;
	if (agent[0] != '/')
		return err_set(err, ERR_INVALID,
			       "annotation run.oci.seccomp.receiver: '%s' is not an absolute path",
			       agent);
	if (c->lin.seccomp && !c->lin.seccomp->listener_path)
		c->lin.seccomp->listener_path = agent;
	return 0;
}

/* A mount over the root is not seen by who has it as root already: without effect. */
static int check_paths(const struct conf_linux *l, struct err *err)
{
	for (size_t i = 0; i < l->masked.n; i++)
		if (path_is_root(l->masked.v[i]))
			return err_set(err, ERR_INVALID,
				       "linux.maskedPaths[%zu]: '%s' is the root: nothing would be "
				       "left to run",
				       i, l->masked.v[i]);
	for (size_t i = 0; i < l->readonly.n; i++)
		if (path_is_root(l->readonly.v[i]))
			return err_set(err, ERR_INVALID,
				       "linux.readonlyPaths[%zu]: '%s' is the root: use "
				       "root.readonly",
				       i, l->readonly.v[i]);
	return 0;
}

/* In the order of the document. */
int conf_check(struct conf *c, struct arena *a, struct err *err)
{
	int r;

	if (strncmp(c->oci_version, "1.", 2))
		return err_set(err, ERR_UNSUPPORTED,
			       "ociVersion %s: this runtime knows 1.x, up to "
			       "1.3.0",
			       c->oci_version);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (*(const struct doc *const *)((const char *)c + refused[i].offset))
			return err_set(err, ERR_UNSUPPORTED, "%s is not supported",
				       refused[i].name);
	if (c->process) {
		r = conf_check_process(c->process, err);
		if (r < 0)
			return r;
	}
	r = check_mounts(c, a, err);
	if (r < 0)
		return r;
	r = check_namespaces(c, err);
	if (r < 0)
		return r;
	r = check_annotations(c, err);
	if (r >= 0)
		r = check_rdt(c->lin.rdt, err);
	if (r >= 0)
		r = check_mempolicy(c->lin.mempolicy, err);
	if (r >= 0)
		r = check_netdevs(c, err);
	if (r >= 0)
		r = check_paths(&c->lin, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->lin.sysctl.n; i++) {
		r = check_sysctl(c, c->lin.sysctl.v[i].key, err);
		if (r < 0)
			return r;
	}
	if (c->lin.personality && c->lin.personality->flags.n)
		return err_set(err, ERR_UNSUPPORTED,
			       "linux.personality.flags: the spec names none");
	if (c->lin.seccomp && c->lin.seccomp->listener_metadata && !c->lin.seccomp->listener_path)
		return err_set(err, ERR_INVALID,
			       "linux.seccomp.listenerMetadata without listenerPath");
	return 0;
}
