/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which manager makes a container's cgroup, and what a caller without rights gets.
 *
 * (1) Whatever systemd made is also written to by ourselves: its properties keep a limit from being
 * undone when it reloads, the files say exactly what the config says. (2) A caller who may not make
 * cgroups is told so only when limits were asked for; the device rules alone are no such limit, for
 * in a user namespace nobody can make device nodes. (3) What the record says is all that a later
 * process needs to find and remove it.
 */
#include "runtime/group.h"

#include "linux/cgroup-systemd.h"
#include "runtime/rt.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void group_fini(struct group *g)
{
	cgroup_free(g->cgroup);
	cgroup_layout_free(g->layout);
	*g = GROUP_INIT;
}

static bool no_right(const struct err *e)
{
	return e->sys == EACCES || e->sys == EPERM || e->sys == EROFS;
}

/* Without the rules for devices: see (2). */
static uint32_t limited(const struct cgroup_limits *l)
{
	struct cgroup_limits rest = *l;

	rest.n_devices = 0;
	return cgroup_limits_need(&rest);
}

/* What the container gets: with the engine's annotation only what is limited, and what is cheap to
 * watch it by. */
static uint32_t wanted(const struct group_want *w, struct cgroup_layout *layout)
{
	const char *how = conf_annotation(w->conf, "io.teu.cgroup.controllers");
	uint32_t need = cgroup_limits_need(w->limits);
	bool v1 = cgroup_layout_has_v1(layout);

	if (how && !strcmp(how, "limited"))
		return need | cgroup_layout_have(layout, CGROUP_BIT(PIDS) | CGROUP_BIT(DEVICES));
	if (!v1)
		return CGROUP_ALL;
	/* In the v2 tree of a hybrid machine nothing is limited, and one directory more is 0.1 ms.
	 */
	return need | cgroup_layout_have(layout, ~(CGROUP_BIT(UNIFIED) | CGROUP_BIT(HUGETLB)));
}

/* ---- in the file system ---- */

/* Beside the caller's own cgroup where that is possible (in its own there is a process already, so
 * that no controller can be switched on for children), else in it. */
static void own_base(struct cgroup_layout *l, const char *path, char out[PATH_MAX], bool parent)
{
	char own[PATH_MAX];
	char *slash;

	out[0] = 0;
	if (cgroup_layout_own(l, own, sizeof(own)) < 0)
		return;
	slash = strrchr(own, '/');
	if (parent && slash)
		*slash = 0;
	if ((size_t)snprintf(out, PATH_MAX, "%s/%s", own, path) >= PATH_MAX)
		out[0] = 0;
}

static int make_rootless(const struct group_want *w, struct group *g, const char *path,
			 struct err *err)
{
	const uint32_t need = limited(w->limits);
	char names[200], at[PATH_MAX];
	struct err why = ERR_INIT;
	int r = -ERR_SYSTEM;

	for (int i = 0; r < 0 && i < 3; i++) {
		if (i == 0)
			(void)str_copy(at, sizeof(at), path);
		else if (path[0] != '/')
			own_base(g->layout, path, at, i == 1);
		else
			break;
		why = ERR_INIT;
		if (at[0])
			r = cgroup_create(g->layout, at, need ? need : CGROUP_ALL, &g->cgroup,
					  &why);
	}
	if (r >= 0)
		return 0;
	if (!need)
		return 0;
	(void)err_set(err, ERR_FORBIDDEN,
		      "linux.resources: limits of %s are asked for, but this user may not make "
		      "cgroups (%s)",
		      cgroup_mask_names(need, names, sizeof(names)), why.msg);
	return err_hint(err, "have a cgroup v2 delegated (systemd: Delegate=yes), name it in "
			     "linux.cgroupsPath, or leave the limits out");
}

/* Which field asks for a controller that this machine lacks. */
static int name_field(const struct group_want *w, struct cgroup_layout *l, const struct err *why,
		      struct err *err)
{
	static const char *const fields[CGROUP_CONTROLLER_COUNT] = {
		[CGROUP_CPU] = "cpu",	      [CGROUP_CPUSET] = "cpu.cpus",
		[CGROUP_MEMORY] = "memory",   [CGROUP_BLKIO] = "blockIO",
		[CGROUP_PIDS] = "pids",	      [CGROUP_HUGETLB] = "hugepageLimits",
		[CGROUP_RDMA] = "rdma",	      [CGROUP_NET_CLS] = "network.classID",
		[CGROUP_DEVICES] = "devices", [CGROUP_NET_PRIO] = "network.priorities",
		[CGROUP_UNIFIED] = "unified",
	};
	uint32_t lacks = cgroup_limits_need(w->limits) & ~cgroup_layout_controllers(l);

	for (unsigned k = 0; k < CGROUP_CONTROLLER_COUNT; k++)
		if (lacks >> k & 1 && fields[k])
			return err_set(err, ERR_UNSUPPORTED, "linux.resources.%s: %s", fields[k],
				       why->msg);
	if (err)
		*err = *why;
	return err_ret(why);
}

static int make_in_fs(const struct group_want *w, struct group *g, struct err *err)
{
	const char *path = w->conf->lin.cgroups_path;
	struct err why = ERR_INIT;
	int r;

	if (!path || !path[0])
		path = w->id;
	/* For `delete --force` after a kill -9 of ours: until the record is written nothing else
	 * names it. */
	r = state_note(w->state, path, err);
	if (r < 0)
		return r;
	r = cgroup_create(g->layout, path, wanted(w, g->layout), &g->cgroup, &why);
	if (r < 0 && no_right(&why) && rt_is_rootless(w->host))
		return make_rootless(w, g, path, err);
	return r < 0 ? name_field(w, g->layout, &why, err) : r;
}

/* ---- by systemd ---- */

/* "slice:prefix:name"; an empty path is a scope of ours in the default slice. */
static int parse_unit(const struct group_want *w, struct unit_want *u, struct err *err)
{
	const char *path = w->conf->lin.cgroups_path;
	struct slice rest = slice_str(path ? path : ""), part[3];
	int n;

	if (!rest.n) {
		u->slice = slice_of("", 0);
		u->prefix = SLICE("teu");
		u->name = slice_str(w->id);
		return 0;
	}
	for (n = 0; n < 3 && rest.p; n++)
		part[n] = slice_split(&rest, ':');
	if (n != 3 || rest.p || !part[2].n || memchr(path, '/', strlen(path)))
		return err_set(err, ERR_INVALID,
			       "linux.cgroupsPath '%.200s': the systemd manager needs the form "
			       "slice:prefix:name",
			       path);
	u->slice = part[0];
	u->prefix = part[1];
	u->name = part[2];
	return 0;
}

static int unit_properties(const struct conf *c, struct unit_want *u, struct err *err)
{
	static const char prefix[] = "org.systemd.property.";
	size_t n = 0;

	for (size_t i = 0; i < c->annotations.n; i++) {
		const char *key = c->annotations.v[i].key;

		if (strncmp(key, prefix, sizeof(prefix) - 1) != 0)
			continue;
		if (n == ARRAY_LEN(u->extra))
			return err_set(err, ERR_INVALID,
				       "annotations: more than %zu systemd properties",
				       ARRAY_LEN(u->extra));
		u->extra[n++] =
			(struct unit_extra){ key + sizeof(prefix) - 1, c->annotations.v[i].value };
	}
	u->n_extra = n;
	return 0;
}

/* A cgroup of our own below the scope, or NULL. */
static const char *subgroup(const struct conf *c)
{
	const char *sub = conf_annotation(c, "run.oci.systemd.subgroup");

	return sub && *sub ? sub : NULL;
}

static int make_by_systemd(const struct group_want *w, struct group *g, struct err *err)
{
	const char *sub = subgroup(w->conf);
	struct unit_want u = { .pid = w->pid,
			       .limits = w->limits,
			       .id = w->id,
			       .layout = g->layout,
			       .user = rt_is_rootless(w->host) };
	char path[PATH_MAX];
	uint32_t need = 0;
	int r;

	r = parse_unit(w, &u, err);
	if (r >= 0)
		r = unit_properties(w->conf, &u, err);
	if (r >= 0)
		r = unit_start(&u, g->unit, sizeof(g->unit), path, sizeof(path), err);
	if (r < 0)
		return err_wrap(err, "cgroup by systemd");
	g->user_bus = u.user;
	if (sub) {
		size_t len = strlen(path);

		if ((size_t)snprintf(path + len, sizeof(path) - len, "/%s", sub) >=
		    sizeof(path) - len)
			return err_set(err, ERR_INVALID,
				       "annotation run.oci.systemd.subgroup is too long");
	}
	/* systemd has made what it knows of; the other hierarchies of v1 it leaves to us. In v2 it
	 * owns the parents: nothing is switched on there that no limit needs, and for a group below
	 * the scope not before init has left the scope (no controllers over processes). */
	if (cgroup_layout_has_v1(g->layout))
		need = wanted(w, g->layout);
	else if (!sub)
		need = cgroup_limits_need(w->limits);
	r = cgroup_create(g->layout, path, need, &g->cgroup, err);
	return r >= 0 && sub && cgroup_is_v2(g->cgroup) ? cgroup_add(g->cgroup, w->pid, err) : r;
}

/* ---- the whole ---- */

/* config-linux.md, cgroup ownership: the container's user may manage below its cgroup, if it sees
 * no other (a new cgroup namespace), and sees it writable. */
static int give_away(const struct group_want *w, const struct group *g, struct err *err)
{
	const struct conf *c = w->conf;
	uint32_t uid = c->process ? c->process->user.uid : 0;
	bool writable = false;

	if (!cgroup_is_v2(g->cgroup) || !conf_ns_new(c, NS_CGROUP))
		return 0;
	for (size_t i = 0; i < c->mounts.n; i++) {
		const struct conf_mount *m = &c->mounts.v[i];

		if (strcmp(m->destination, "/sys/fs/cgroup") != 0)
			continue;
		writable = true;
		for (size_t k = 0; k < m->options.n; k++)
			writable = writable && strcmp(m->options.v[k], "ro") != 0;
	}
	if (!writable)
		return 0;
	for (size_t i = 0; conf_ns_new(c, NS_USER) && i < c->lin.uids.n; i++) {
		const struct conf_idmap *m = &c->lin.uids.v[i];

		if (uid >= m->container && uid - m->container < m->size) {
			uid = m->host + (uid - m->container);
			break;
		}
	}
	if (uid == geteuid())
		return 0;
	return cgroup_delegate(g->cgroup, uid, (gid_t)-1, err);
}

static int set_limits(const struct group_want *w, struct group *g, struct err *err)
{
	struct cgroup_limits l = *w->limits;
	struct err why = ERR_INIT;
	int r = cgroup_apply(g->cgroup, &l, &why);

	/* (2): the program for devices may be loaded by root of the machine only. */
	if (r < 0 && l.n_devices && no_right(&why) && rt_is_rootless(w->host)) {
		l.n_devices = 0;
		why = ERR_INIT;
		r = cgroup_apply(g->cgroup, &l, &why);
	}
	if (r < 0 && err)
		*err = why;
	return r;
}

int group_create(const struct group_want *w, struct group *g, struct err *err)
{
	int r;

	if (w->host->cgroups == RT_NO_CGROUPS) {
		if (!limited(w->limits))
			return 0;
		return err_set(err, ERR_INVALID,
			       "linux.resources: limits are asked for, but cgroups are disabled "
			       "(--cgroup-manager=disabled)");
	}
	r = cgroup_layout_new(-1, &g->layout, err);
	if (r < 0)
		return r;
	if (!cgroup_layout_has_v1(g->layout) && cgroup_layout_mode(g->layout) == CGROUP_NONE) {
		if (!cgroup_limits_need(w->limits))
			return 0;
		return err_set(err, ERR_UNSUPPORTED,
			       "linux.resources: no cgroups are mounted here");
	}
	if (w->host->cgroups != RT_SYSTEMD && subgroup(w->conf))
		return err_set(err, ERR_INVALID,
			       "annotation run.oci.systemd.subgroup is for the systemd manager "
			       "(--systemd-cgroup): without it cgroupsPath names the whole path");
	r = w->host->cgroups == RT_SYSTEMD ? make_by_systemd(w, g, err) : make_in_fs(w, g, err);
	if (r < 0 || !g->cgroup)
		return r;
	/* What v2 left out of "all" is asked for by name: that tells why it cannot be had. */
	r = cgroup_extend(g->cgroup, limited(w->limits), err);
	if (r >= 0)
		r = set_limits(w, g, err);
	/* systemd has put it into its scope; what there is beside that (v1, a group below) has not.
	 */
	if (r >= 0 && !(g->unit[0] && cgroup_is_v2(g->cgroup) && !subgroup(w->conf)))
		r = w->enter ? cgroup_open_procs(g->cgroup, err)
			     : cgroup_add(g->cgroup, w->pid, err);
	if (r >= 0 && w->enter)
		r = group_narrow(g, w->limits, err);
	return r < 0 ? r : give_away(w, g, err);
}

static void save_unit(const struct group *g, struct buf *out)
{
	if (g->unit[0])
		(void)buf_addf(out, "unit:%c:%s ", g->user_bus ? 'u' : 's', g->unit);
}

int group_save(const struct group *g, struct buf *out, struct err *err)
{
	if (!g->cgroup)
		return 0;
	save_unit(g, out);
	return cgroup_save(g->cgroup, out, err);
}

int group_save_extended(const struct group *g, uint32_t want, struct buf *out, struct err *err)
{
	save_unit(g, out);
	return cgroup_save_extended(g->cgroup, want, out, err);
}

int group_open(const char *saved, struct group *g, struct err *err)
{
	const char *rest = saved;
	int r;

	if (!strncmp(saved, "unit:", 5)) {
		size_t n;

		rest = strchr(saved, ' ');
		n = rest ? (size_t)(rest - saved) : 0;
		if (n < 8 || (saved[5] != 's' && saved[5] != 'u') || saved[6] != ':' ||
		    n - 7 >= sizeof(g->unit))
			return err_set(err, ERR_INVALID,
				       "saved cgroup '%.80s': not unit:<s|u>:<name>", saved);
		memcpy(g->unit, saved + 7, n - 7);
		g->unit[n - 7] = 0;
		g->user_bus = saved[5] == 'u';
		rest++;
	}
	r = cgroup_layout_new(-1, &g->layout, err);
	return r < 0 ? r : cgroup_open(g->layout, rest, &g->cgroup, err);
}

int group_update(struct group *g, const struct cgroup_limits *limits, struct err *err)
{
	int r = 0;

	if (!g->cgroup)
		return 0;
	if (g->unit[0])
		r = unit_update(g->unit, g->user_bus, g->layout, limits, err);
	return r < 0 ? err_wrap(err, "update by systemd") : cgroup_apply(g->cgroup, limits, err);
}

int group_destroy(struct group *g, int timeout_ms, struct err *err)
{
	int r = 0;

	if (g->cgroup) {
		/* Of a scope we have made nothing, and systemd would be patient with who is left.
		 */
		r = g->unit[0] ? -1 : cgroup_destroy(g->cgroup, 0, NULL);
		if (r < 0) {
			/* With the host's pid namespace others outlive init. */
			r = cgroup_populated(g->cgroup, err);
			if (r > 0)
				r = cgroup_kill(g->cgroup, timeout_ms, err);
			if (r >= 0)
				r = cgroup_destroy(g->cgroup, timeout_ms, err);
		}
	}
	if (r >= 0 && g->unit[0])
		r = unit_stop(g->unit, g->user_bus, err);
	return r;
}
