/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources as the numbers that src/linux/cgroup.h takes. Device rules of the config come
 * first; then, as every runtime does, what a container cannot do without: its standard devices,
 * ptys, and mknod of anything (a node whose use is denied harms nobody).
 */
#include "runtime/rt.h"

#include "base/arena.h"

#include <string.h>

static struct cgroup_num num_int(struct opt_int v)
{
	return (struct cgroup_num){ v.set, v.v };
}

static struct cgroup_num num_uint(struct opt_uint v)
{
	/* More than a file's number can be is the most: the kernel cuts it, or says what it may be.
	 */
	return (struct cgroup_num){ v.set, v.v > INT64_MAX ? INT64_MAX : (int64_t)v.v };
}

static struct cgroup_num num_bool(struct opt_bool v)
{
	return (struct cgroup_num){ v.set, v.v };
}

static const struct cgroup_device always[] = {
	{ true, 'c', -1, -1, CGROUP_MKNOD }, { true, 'b', -1, -1, CGROUP_MKNOD },
	{ true, 'c', 1, 3, CGROUP_RWM },    /* null */
	{ true, 'c', 1, 5, CGROUP_RWM },    /* zero */
	{ true, 'c', 1, 7, CGROUP_RWM },    /* full */
	{ true, 'c', 1, 8, CGROUP_RWM },    /* random */
	{ true, 'c', 1, 9, CGROUP_RWM },    /* urandom */
	{ true, 'c', 5, 0, CGROUP_RWM },    /* tty */
	{ true, 'c', 5, 1, CGROUP_RWM },    /* console */
	{ true, 'c', 5, 2, CGROUP_RWM },    /* ptmx */
	{ true, 'c', 136, -1, CGROUP_RWM }, /* pts */
};

static int device_rule(const struct conf_devrule *d, struct cgroup_device *ret, struct err *err)
{
	unsigned access = 0;

	for (const char *p = d->access ? d->access : ""; *p; p++) {
		if (*p == 'r')
			access |= CGROUP_READ;
		else if (*p == 'w')
			access |= CGROUP_WRITE;
		else if (*p == 'm')
			access |= CGROUP_MKNOD;
		else
			return err_set(err, ERR_INVALID, "access '%s' may hold only r, w and m",
				       d->access);
	}
	*ret = (struct cgroup_device){ .allow = d->allow,
				       .type = d->type ? d->type[0] : 'a',
				       .major = d->major.set ? d->major.v : -1,
				       .minor = d->minor.set ? d->minor.v : -1,
				       .access = access ? access : CGROUP_RWM };
	return 0;
}

/* Does a rule say the same already, with no refusal after it? Each write of one is a walk over all
 * (engines list the same devices that we add). */
static bool allowed(const struct cgroup_device *d, size_t n, const struct cgroup_device *x)
{
	for (; n > 0 && d[n - 1].allow; n--) {
		const struct cgroup_device *e = &d[n - 1];

		if (e->type == x->type && e->major == x->major && e->minor == x->minor &&
		    (e->access & x->access) == x->access)
			return true;
	}
	return false;
}

static int devices(const struct conf_resources *r, struct arena *a, struct cgroup_limits *l,
		   struct err *err)
{
	struct cgroup_device *d;

	if (!r->devices.n)
		return 0;
	d = ARENA_ARRAY(a, struct cgroup_device, r->devices.n + ARRAY_LEN(always));
	if (!d)
		return arena_quota(a, err);
	for (size_t i = 0; i < r->devices.n; i++) {
		int e = device_rule(&r->devices.v[i], &d[i], err);

		if (e < 0)
			return err_wrap(err, "linux.resources.devices[%zu]", i);
	}
	l->devices = d;
	l->n_devices = r->devices.n;
	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		if (!allowed(d, l->n_devices, &always[i]))
			d[l->n_devices++] = always[i];
	return 0;
}

static void memory(const struct conf_memory *m, struct cgroup_limits *l)
{
	l->memory.limit = num_int(m->limit);
	l->memory.reservation = num_int(m->reservation);
	l->memory.swap = num_int(m->swap);
	l->memory.kernel = num_int(m->kernel);
	l->memory.kernel_tcp = num_int(m->kernel_tcp);
	l->memory.swappiness = num_uint(m->swappiness);
	l->memory.disable_oom_killer = num_bool(m->disable_oom_killer);
	l->memory.use_hierarchy = num_bool(m->use_hierarchy);
	l->memory.check_before_update = num_bool(m->check_before_update);
	/* Engines write 0 for "not given" (Go numbers). */
	if (l->memory.limit.v == 0)
		l->memory.limit.set = false;
	if (l->memory.swap.v == 0)
		l->memory.swap.set = false;
	if (l->memory.reservation.v == 0)
		l->memory.reservation.set = false;
}

static void cpu(const struct conf_cpu *c, struct cgroup_limits *l)
{
	l->cpu.shares = num_uint(c->shares);
	l->cpu.quota = num_int(c->quota);
	l->cpu.burst = num_uint(c->burst);
	l->cpu.period = num_uint(c->period);
	l->cpu.rt_runtime = num_int(c->rt_runtime);
	l->cpu.rt_period = num_uint(c->rt_period);
	l->cpu.idle = num_int(c->idle);
	l->cpu.cpus = c->cpus && c->cpus[0] ? c->cpus : NULL;
	l->cpu.mems = c->mems && c->mems[0] ? c->mems : NULL;
	if (l->cpu.shares.v == 0)
		l->cpu.shares.set = false;
	if (l->cpu.quota.v == 0)
		l->cpu.quota.set = false;
	if (l->cpu.period.v == 0)
		l->cpu.period.set = false;
	if (l->cpu.rt_runtime.v == 0)
		l->cpu.rt_runtime.set = false;
	if (l->cpu.rt_period.v == 0)
		l->cpu.rt_period.set = false;
}

static void throttle(const struct throttles *from, enum cgroup_throttle_kind kind,
		     struct cgroup_throttle **to)
{
	for (size_t i = 0; i < from->n; i++)
		*(*to)++ = (struct cgroup_throttle){ kind, from->v[i].major, from->v[i].minor,
						     from->v[i].rate };
}

static int blkio(const struct conf_blkio *b, struct arena *a, struct cgroup_limits *l,
		 struct err *err)
{
	size_t n = b->rbps.n + b->wbps.n + b->riops.n + b->wiops.n;
	struct cgroup_throttle *t = ARENA_ARRAY(a, struct cgroup_throttle, n);
	struct cgroup_weight *w = ARENA_ARRAY(a, struct cgroup_weight, b->weight_devs.n);

	if (!t || !w)
		return arena_quota(a, err);
	l->io.weight = num_uint(b->weight);
	l->io.leaf_weight = num_uint(b->leaf_weight);
	if (l->io.weight.v == 0)
		l->io.weight.set = false;
	if (l->io.leaf_weight.v == 0)
		l->io.leaf_weight.set = false;
	l->io.throttle = t;
	l->io.n_throttle = n;
	throttle(&b->rbps, CGROUP_READ_BPS, &t);
	throttle(&b->wbps, CGROUP_WRITE_BPS, &t);
	throttle(&b->riops, CGROUP_READ_IOPS, &t);
	throttle(&b->wiops, CGROUP_WRITE_IOPS, &t);
	for (size_t i = 0; i < b->weight_devs.n; i++)
		w[i] = (struct cgroup_weight){ b->weight_devs.v[i].major, b->weight_devs.v[i].minor,
					       num_uint(b->weight_devs.v[i].weight),
					       num_uint(b->weight_devs.v[i].leaf_weight) };
	l->io.devices = w;
	l->io.n_devices = b->weight_devs.n;
	return 0;
}

/* Lists that have the same shape on both sides but different structs. */
static int lists(const struct conf_resources *r, struct arena *a, struct cgroup_limits *l,
		 struct err *err)
{
	struct cgroup_hugepage *h = ARENA_ARRAY(a, struct cgroup_hugepage, r->hugepages.n);
	struct cgroup_rdma *d = ARENA_ARRAY(a, struct cgroup_rdma, r->rdma.n);
	struct cgroup_pair *u = ARENA_ARRAY(a, struct cgroup_pair, r->unified.n);
	size_t np = r->network ? r->network->priorities.n : 0;
	struct cgroup_priority *p = ARENA_ARRAY(a, struct cgroup_priority, np);

	if (!h || !d || !u || !p)
		return arena_quota(a, err);
	for (size_t i = 0; i < r->hugepages.n; i++)
		h[i] = (struct cgroup_hugepage){ r->hugepages.v[i].size, r->hugepages.v[i].limit };
	for (size_t i = 0; i < r->rdma.n; i++)
		d[i] = (struct cgroup_rdma){ r->rdma.v[i].key, num_uint(r->rdma.v[i].value.handles),
					     num_uint(r->rdma.v[i].value.objects) };
	for (size_t i = 0; i < r->unified.n; i++)
		u[i] = (struct cgroup_pair){ r->unified.v[i].key, r->unified.v[i].value };
	for (size_t i = 0; i < np; i++)
		p[i] = (struct cgroup_priority){ r->network->priorities.v[i].name,
						 r->network->priorities.v[i].priority };
	l->hugepages = h;
	l->n_hugepages = r->hugepages.n;
	l->rdma = d;
	l->n_rdma = r->rdma.n;
	l->unified = u;
	l->n_unified = r->unified.n;
	l->network.priorities = p;
	l->network.n_priorities = np;
	if (r->network)
		l->network.class_id = num_uint(r->network->class_id);
	return 0;
}

int limits_of_conf(const struct conf_resources *r, struct arena *a, struct cgroup_limits *ret,
		   struct err *err)
{
	struct cgroup_limits l = { 0 };
	int e;

	if (r) {
		e = devices(r, a, &l, err);
		if (e < 0)
			return e;
		if (r->memory)
			memory(r->memory, &l);
		if (r->cpu)
			cpu(r->cpu, &l);
		if (r->pids)
			l.pids = num_int(r->pids->limit);
		if (r->blkio) {
			e = blkio(r->blkio, a, &l, err);
			if (e < 0)
				return e;
		}
		e = lists(r, a, &l, err);
		if (e < 0)
			return e;
	}
	*ret = l;
	return 0;
}
