/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts whose ids are mapped (mounts[].uidMappings, idmap, ridmap): made by the parent, since only
 * who has rights over the file system may map its ids, and attached by init. Spec:
 * config.md#mounts.
 */
#include "runtime/rt.h"

#include "base/arena.h"
#include "base/fd.h"
#include "linux/mount.h"
#include "linux/sys.h"

#include <string.h>

int idmap_copy(struct arena *a, const struct idmaps *from, struct ns_id_map **ret, struct err *err)
{
	struct ns_id_map *v = ARENA_ARRAY(a, struct ns_id_map, from->n);

	if (!v)
		return arena_quota(a, err);
	for (size_t i = 0; i < from->n; i++)
		v[i] = (struct ns_id_map){ from->v[i].container, from->v[i].host, from->v[i].size };
	*ret = v;
	return 0;
}

/* The user namespace by which a mount's ids are mapped: of its own maps, or as the container's. */
static int idmap_ns(const struct init *in, const struct conf_mount *m, int *ret, struct err *err)
{
	const struct idmaps *uids = m->uids.n ? &m->uids : &in->conf->lin.uids;
	const struct idmaps *gids = m->uids.n ? &m->gids : &in->conf->lin.gids;
	struct ns_id_map *u, *g;
	int r;

	if (!m->uids.n && in->ns_fd[NS_USER] >= 0) {
		*ret = fd_dup(in->ns_fd[NS_USER]);
		return *ret < 0 ? err_sys(err, "duplicate a fd") : 0;
	}
	if (!m->uids.n && !conf_ns_new(in->conf, NS_USER))
		return err_set(err, ERR_INVALID,
			       "idmap without uidMappings needs a user namespace of the container");
	r = idmap_copy(in->arena, uids, &u, err);
	if (r >= 0)
		r = idmap_copy(in->arena, gids, &g, err);
	return r < 0 ? r : ns_user_make(u, uids->n, g, gids->n, ret, err);
}

/* Only we have the right to map the ids of a file system of the host, so the mount is made here,
 * attached to nothing yet. */
static int make_idmap(const struct init *in, const struct conf_mount *m, struct mount_opts *o,
		      int *ret, struct err *err)
{
	CLEANUP(fd_close) int user = -1;
	CLEANUP(fd_close) int dir = -1;
	int r;

	if (!(o->flags & MS_BIND)) /* init refuses it */
		return 0;
	if (!o->ridmap)
		o->idmap = true;
	if (!m->source || !m->source[0])
		return err_set(err, ERR_INVALID, "a bind mount needs a source");
	r = idmap_ns(in, m, &user, err);
	if (r < 0)
		return r;
	dir = sys_openat(AT_FDCWD, in->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir < 0)
		return err_sys(err, "open the bundle");
	return mount_bind_detached(dir, m->source, o, user, ret, err);
}

static bool wants_idmap(const struct conf_mount *m)
{
	for (size_t i = 0; i < m->options.n; i++)
		if (!strcmp(m->options.v[i], "idmap") || !strcmp(m->options.v[i], "ridmap"))
			return true;
	return m->uids.n;
}

int idmap_make(struct init *in, struct err *err)
{
	size_t n = in->conf->mounts.n;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		const struct conf_mount *m = &in->conf->mounts.v[i];
		struct mount_opts o = { 0 };

		if (!wants_idmap(m))
			continue;
		if (!in->idmaps) {
			in->idmaps = ARENA_ARRAY(in->arena, int, n);
			if (!in->idmaps)
				return arena_quota(in->arena, err);
			memset(in->idmaps, 0xff, n * sizeof(int)); /* -1 */
		}
		r = mount_opts_parse(m->options.v, m->options.n, &o, err);
		if (r >= 0)
			r = make_idmap(in, m, &o, &in->idmaps[i], err);
		mount_opts_fini(&o);
		if (r < 0)
			return err_wrap(err, "mounts[%zu] (%s)", i, m->destination);
	}
	return r;
}
