/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of a running container, and being told when it has run out of memory.
 *
 * An update (or a pause) can make a controller necessary that the container was created without.
 * Its cgroup then gets that too. The record (on disk, and in the memory of who keeps the container)
 * says so before anything is made: whoever deletes the container must know of it, also if we are
 * killed at any point. A directory that is recorded and not there does no harm.
 */
#include "runtime/look.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

enum { UPDATE_ARENA = 4 << 20, SAVED_MAX = 65536 };

static int record(struct rt_container *c, struct look *l, const char *cgroup, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("state", RT_CONFIG_MAX * 4);
	struct state s;
	int r;

	r = state_read(c->dirfd, a, &s, err);
	if (r < 0) {
		if (err)
			err->causes = NULL;
		return r;
	}
	s.cgroup = cgroup;
	r = state_rewrite(c->dirfd, &s, err);
	if (r >= 0 && c->record) {
		free(c->record->cgroup);
		c->record->cgroup = strdup(cgroup);
		if (!c->record->cgroup)
			abort();
		l->s.cgroup = c->record->cgroup;
	}
	return r;
}

static int record_extended(struct rt_container *c, struct look *l, uint32_t want, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(SAVED_MAX);
	int r = group_save_extended(&l->group, want, &b, err);

	return r < 0 ? r : record(c, l, buf_str(&b), err);
}

static int record_now(struct rt_container *c, struct look *l, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(SAVED_MAX);
	int r = group_save(&l->group, &b, err);

	return r < 0 ? r : record(c, l, buf_str(&b), err);
}

int look_extend(struct rt_container *c, struct look *l, uint32_t want, struct err *err)
{
	uint32_t had;
	int r = 0;

	if (!l->group.cgroup)
		return want ? err_set(err, ERR_CONFLICT,
				      "linux.resources: the container was made without a cgroup")
			    : 0;
	had = cgroup_controllers(l->group.cgroup);
	if (want & ~had)
		r = record_extended(c, l, want, err);
	if (r < 0)
		return r;
	r = cgroup_extend(l->group.cgroup, want, err);
	/* Others make and remove parents too: what was made is not always what was expected. After
	 * a failure the record goes back to what there is; where that fails, it names what is gone.
	 */
	if (r < 0)
		(void)record_now(c, l, NULL);
	else if (want & ~had)
		r = record_now(c, l, err);
	return r;
}

static int update(struct rt_container *c, struct slice text, struct arena *a, struct err *err)
{
	CLEANUP(look_fini) struct look l = { 0 };
	struct conf_resources res = { 0 };
	struct cgroup_limits limits;
	int r;

	r = conf_read_resources(text, a, &res, err);
	if (r >= 0)
		r = limits_of_conf(&res, a, &limits, err);
	if (r >= 0)
		r = look(c, LOOK_LOCK, &l, err);
	if (r < 0)
		return r;
	if (l.status == RT_STOPPED)
		return err_set(err, ERR_CONFLICT, "container not running: it is stopped");
	r = look_cgroup(&l, err);
	if (r >= 0)
		r = look_extend(c, &l, cgroup_limits_need(&limits), err);
	return r < 0 ? r : group_update(&l.group, &limits, err);
}

int rt_update(struct rt_container *c, struct slice resources, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("resources", UPDATE_ARENA);
	int r = update(c, resources, a, err);

	if (r < 0 && err)
		err->causes = NULL; /* they were in the arena */
	return r < 0 ? r : 0;
}

/* ---- out of memory ---- */

static int look_memory(struct rt_container *c, struct look *l, struct err *err)
{
	int r = look(c, 0, l, err);

	if (r >= 0)
		r = look_cgroup(l, err);
	if (r >= 0 && !l->group.cgroup)
		r = err_set(err, ERR_UNSUPPORTED,
			    "the container has no cgroup that could tell of lack of memory");
	return r;
}

int rt_oom_watch(struct rt_container *c, int *ret_fd, uint32_t *ret_events, struct err *err)
{
	CLEANUP(look_fini) struct look l = { 0 };
	int r = look_memory(c, &l, err);

	return r < 0 ? r : cgroup_oom_watch(l.group.cgroup, ret_fd, ret_events, err);
}

int rt_oom_kills(struct rt_container *c, uint64_t *ret_kills, struct err *err)
{
	CLEANUP(look_fini) struct look l = { 0 };
	int r = look_memory(c, &l, err);

	return r < 0 ? r : cgroup_oom_kills(l.group.cgroup, ret_kills, err);
}
