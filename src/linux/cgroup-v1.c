/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits in the files of cgroup v1: Documentation/admin-guide/cgroup-v1/.
 *
 * Where two files bound each other (memory and memory+swap, quota and period), which is written
 * first depends on whether the limit rises or falls; the kernel says EINVAL or EBUSY to the wrong
 * order and the other one is tried.
 */
#include "base/err.h"
#include "base/fd.h"
#include "linux/cgroup-priv.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>

static bool some(struct cgroup_num n)
{
	return n.set && n.v != 0;
}

int cgroup_v1_inherit_cpuset(int parent, int child, struct err *err)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	char text[4096];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		ssize_t n = cgroup_read(child, files[i], text, sizeof(text));

		if (n > 0)
			continue;
		if (n < 0 || cgroup_read(parent, files[i], text, sizeof(text)) < 0)
			return err_sys(err, "read %s", files[i]);
		if (*text && cgroup_write(child, files[i], text) < 0)
			return err_sys(err, "write '%.100s' to %s", text, files[i]);
	}
	return 0;
}

struct put {
	bool on;
	const char *field, *file;
	int64_t v;
};

static int put_all(const struct cgroup *cg, const struct cgroup_part *p, const struct put *list,
		   size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int r = list[i].on
				? cgroup_put_num(cg, p, list[i].field, list[i].file, list[i].v, err)
				: 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* Two files that bound each other: in this order, or the other way round. */
static int put_pair(const struct cgroup *cg, const struct cgroup_part *p, const struct put *a,
		    const struct put *b, struct err *err)
{
	const struct put there[2] = { *a, *b }, back[2] = { *b, *a };
	struct err first = ERR_INIT;
	int r = put_all(cg, p, there, 2, &first);

	if (r == 0)
		return 0;
	if (a->on && b->on && (first.sys == EINVAL || first.sys == EBUSY) &&
	    put_all(cg, p, back, 2, NULL) == 0)
		return 0;
	if (err)
		*err = first;
	return r;
}

/* Kernels since 5.16 take any number for the kernel's memory, and forget it. */
static int check_kernel_memory(const struct cgroup_part *p, const struct cgroup_limits *lim,
			       struct err *err)
{
	uint64_t now;

	if (!lim->memory.kernel.set || lim->memory.kernel.v <= 0 ||
	    cgroup_read_u64(p->dir, "memory.kmem.limit_in_bytes", &now) < 0 ||
	    now <= (uint64_t)lim->memory.kernel.v)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "linux.resources.memory.kernel: this kernel lacks a limit of its own for "
		       "kernel memory: memory.limit covers it");
}

static int apply_memory(const struct cgroup *cg, const struct cgroup_part *p,
			const struct cgroup_limits *lim, struct err *err)
{
	const struct put limit = { some(lim->memory.limit), "memory.limit", "memory.limit_in_bytes",
				   lim->memory.limit.v };
	struct put swap = { some(lim->memory.swap), "memory.swap", "memory.memsw.limit_in_bytes",
			    lim->memory.swap.v };
	const struct put rest[] = {
		{ some(lim->memory.reservation), "memory.reservation", "memory.soft_limit_in_bytes",
		  lim->memory.reservation.v },
		{ some(lim->memory.kernel), "memory.kernel", "memory.kmem.limit_in_bytes",
		  lim->memory.kernel.v },
		{ some(lim->memory.kernel_tcp), "memory.kernelTCP",
		  "memory.kmem.tcp.limit_in_bytes", lim->memory.kernel_tcp.v },
		{ lim->memory.swappiness.set, "memory.swappiness", "memory.swappiness",
		  lim->memory.swappiness.v },
		{ lim->memory.disable_oom_killer.set, "memory.disableOOMKiller",
		  "memory.oom_control", lim->memory.disable_oom_killer.v != 0 },
		{ some(lim->memory.use_hierarchy), "memory.useHierarchy", "memory.use_hierarchy",
		  1 },
	};
	int r = 0;

	if (limit.on && limit.v < 0 && !swap.on && cgroup_has(p, swap.file))
		swap = (struct put){ true, "memory.swap", swap.file,
				     -1 }; /* no limit cannot be over a limit of both */
	if (swap.on && swap.v < 0 && !cgroup_has(p, swap.file))
		swap.on = false; /* no swap accounting: unlimited as asked */
	if (limit.on && some(lim->memory.check_before_update))
		r = cgroup_check_usage(cg, p, "memory.usage_in_bytes", limit.v, err);
	if (r == 0)
		r = put_pair(cg, p, &limit, &swap, err);
	if (r == 0)
		r = put_all(cg, p, rest, ARRAY_LEN(rest), err);
	return r < 0 ? r : check_kernel_memory(p, lim, err);
}

static int apply_cpu(const struct cgroup *cg, const struct cgroup_part *p,
		     const struct cgroup_limits *lim, struct err *err)
{
	const struct put period = { some(lim->cpu.period), "cpu.period", "cpu.cfs_period_us",
				    lim->cpu.period.v };
	const struct put quota = { some(lim->cpu.quota), "cpu.quota", "cpu.cfs_quota_us",
				   lim->cpu.quota.v };
	const struct put burst = { some(lim->cpu.burst), "cpu.burst", "cpu.cfs_burst_us",
				   lim->cpu.burst.v };
	const struct put rt_period = { some(lim->cpu.rt_period), "cpu.realtimePeriod",
				       "cpu.rt_period_us", lim->cpu.rt_period.v };
	const struct put rt_run = { some(lim->cpu.rt_runtime), "cpu.realtimeRuntime",
				    "cpu.rt_runtime_us", lim->cpu.rt_runtime.v };
	const struct put rest[] = {
		{ some(lim->cpu.shares), "cpu.shares", "cpu.shares", lim->cpu.shares.v },
		{ lim->cpu.idle.set, "cpu.idle", "cpu.idle", lim->cpu.idle.v },
	};
	int r;

	/* An idle group takes no shares. */
	if (lim->cpu.idle.set && lim->cpu.idle.v)
		r = put_all(cg, p, rest + 1, 1, err);
	else
		r = put_all(cg, p, (const struct put[]){ rest[1], rest[0] }, 2, err);
	if (r == 0)
		r = put_pair(cg, p, &period, &quota, err);
	if (r == 0)
		r = put_all(cg, p, &burst, 1, err);
	return r < 0 ? r : put_pair(cg, p, &rt_period, &rt_run, err);
}

static int apply_cpuset(const struct cgroup *cg, const struct cgroup_part *p,
			const struct cgroup_limits *lim, struct err *err)
{
	int r = 0;

	if (lim->cpu.cpus && *lim->cpu.cpus)
		r = cgroup_put(cg, p, "cpu.cpus", "cpuset.cpus", lim->cpu.cpus, err);
	if (r == 0 && lim->cpu.mems && *lim->cpu.mems)
		r = cgroup_put(cg, p, "cpu.mems", "cpuset.mems", lim->cpu.mems, err);
	return r;
}

static int put_device(const struct cgroup *cg, int fd, const struct cgroup_device *d, char type,
		      struct err *err)
{
	char major[24] = "*", minor[24] = "*", text[64];

	if (d->major >= 0)
		(void)snprintf(major, sizeof(major), "%lld", (long long)d->major);
	if (d->minor >= 0)
		(void)snprintf(minor, sizeof(minor), "%lld", (long long)d->minor);
	(void)snprintf(text, sizeof(text), "%c %s:%s %s%s%s", type, major, minor,
		       d->access & CGROUP_READ ? "r" : "", d->access & CGROUP_WRITE ? "w" : "",
		       d->access & CGROUP_MKNOD ? "m" : "");
	if (type == 'a')
		(void)snprintf(text, sizeof(text), "a");
	if (sys_write(fd, text, strlen(text)) < 0)
		return err_sys(err,
			       "linux.resources.devices: write '%s' to 'devices.%s' of cgroup '%s'",
			       text, d->allow ? "allow" : "deny", cg->full);
	return 0;
}

static int apply_devices(const struct cgroup *cg, const struct cgroup_part *p,
			 const struct cgroup_limits *lim, struct err *err)
{
	CLEANUP(fd_close) int allow = sys_openat(p->dir, "devices.allow", O_WRONLY | O_CLOEXEC, 0);
	CLEANUP(fd_close) int deny = sys_openat(p->dir, "devices.deny", O_WRONLY | O_CLOEXEC, 0);

	if (allow < 0 || deny < 0)
		return err_sys(err, "linux.resources.devices: open the device files of cgroup '%s'",
			       cg->full);
	for (size_t i = 0; i < lim->n_devices; i++) {
		const struct cgroup_device *d = &lim->devices[i];
		int fd = d->allow ? allow : deny, r = cgroup_check_device(d, err);

		if (r < 0)
			return r;
		/* "a" alone means everything; with numbers or fewer rights the kernel would still
		 * take it so. */
		if (d->type == 'a' && d->access == CGROUP_RWM && d->major < 0 && d->minor < 0) {
			r = put_device(cg, fd, d, 'a', err);
		} else if (d->type == 'a') {
			r = put_device(cg, fd, d, 'b', err);
			if (r == 0)
				r = put_device(cg, fd, d, 'c', err);
		} else {
			r = put_device(cg, fd, d, d->type, err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_io_device(const struct cgroup *cg, const struct cgroup_part *p, const char *field,
			 const char *file, const int64_t dev[2], uint64_t v, struct err *err)
{
	char text[80];

	(void)snprintf(text, sizeof(text), "%lld:%lld %llu", (long long)dev[0], (long long)dev[1],
		       (unsigned long long)v);
	return cgroup_put(cg, p, field, file, text, err);
}

static int apply_blkio(const struct cgroup *cg, const struct cgroup_part *p,
		       const struct cgroup_limits *lim, struct err *err)
{
	static const struct {
		const char *field, *file;
	} throttle[] = {
		[CGROUP_READ_BPS] = { "blockIO.throttleReadBpsDevice",
				      "blkio.throttle.read_bps_device" },
		[CGROUP_WRITE_BPS] = { "blockIO.throttleWriteBpsDevice",
				       "blkio.throttle.write_bps_device" },
		[CGROUP_READ_IOPS] = { "blockIO.throttleReadIOPSDevice",
				       "blkio.throttle.read_iops_device" },
		[CGROUP_WRITE_IOPS] = { "blockIO.throttleWriteIOPSDevice",
					"blkio.throttle.write_iops_device" },
	};
	/* CFQ's files went in 5.0; BFQ has its own. */
	const bool bfq = cgroup_has(p, "blkio.bfq.weight");
	const struct put weights[] = {
		{ some(lim->io.weight), "blockIO.weight", bfq ? "blkio.bfq.weight" : "blkio.weight",
		  lim->io.weight.v },
		{ some(lim->io.leaf_weight), "blockIO.leafWeight", "blkio.leaf_weight",
		  lim->io.leaf_weight.v },
	};
	int r = put_all(cg, p, weights, ARRAY_LEN(weights), err);

	for (size_t i = 0; r == 0 && i < lim->io.n_devices; i++) {
		const struct cgroup_weight *w = &lim->io.devices[i];
		const int64_t dev[2] = { w->major, w->minor };

		if (some(w->weight))
			r = put_io_device(cg, p, "blockIO.weightDevice",
					  bfq ? "blkio.bfq.weight_device" : "blkio.weight_device",
					  dev, (uint64_t)w->weight.v, err);
		if (r == 0 && some(w->leaf_weight))
			r = put_io_device(cg, p, "blockIO.weightDevice", "blkio.leaf_weight_device",
					  dev, (uint64_t)w->leaf_weight.v, err);
	}
	for (size_t i = 0; r == 0 && i < lim->io.n_throttle; i++) {
		const struct cgroup_throttle *t = &lim->io.throttle[i];
		const int64_t dev[2] = { t->major, t->minor };

		r = put_io_device(cg, p, throttle[t->kind].field, throttle[t->kind].file, dev,
				  t->rate, err);
	}
	return r;
}

static int apply_hugetlb(const struct cgroup *cg, const struct cgroup_part *p,
			 const struct cgroup_limits *lim, struct err *err)
{
	char file[80], value[32];

	for (size_t i = 0; i < lim->n_hugepages; i++) {
		const struct cgroup_hugepage *h = &lim->hugepages[i];
		int r;

		(void)snprintf(file, sizeof(file), "hugetlb.%.20s.limit_in_bytes", h->size);
		(void)snprintf(value, sizeof(value), "%llu", (unsigned long long)h->limit);
		r = cgroup_put(cg, p, "hugepageLimits", file, value, err);
		(void)snprintf(file, sizeof(file), "hugetlb.%.20s.rsvd.limit_in_bytes", h->size);
		if (r == 0 && cgroup_has(p, file))
			r = cgroup_put(cg, p, "hugepageLimits", file, value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int apply_net_prio(const struct cgroup *cg, const struct cgroup_part *p,
			  const struct cgroup_limits *lim, struct err *err)
{
	char text[64];

	for (size_t i = 0; i < lim->network.n_priorities; i++) {
		const struct cgroup_priority *np = &lim->network.priorities[i];
		int r;

		if (!*np->name || strlen(np->name) > 15 || strpbrk(np->name, " \n\t"))
			return err_set(
				err, ERR_INVALID,
				"linux.resources.network.priorities: '%.40s' is no interface name",
				np->name);
		(void)snprintf(text, sizeof(text), "%s %u", np->name, np->priority);
		r = cgroup_put(cg, p, "network.priorities", "net_prio.ifpriomap", text, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int apply_pids(const struct cgroup *cg, const struct cgroup_part *p,
		      const struct cgroup_limits *lim, struct err *err)
{
	if (lim->pids.v < 0)
		return cgroup_put(cg, p, "pids.limit", "pids.max", "max", err);
	return cgroup_put_num(cg, p, "pids.limit", "pids.max", lim->pids.v, err);
}

static int apply_rdma(const struct cgroup *cg, const struct cgroup_part *p,
		      const struct cgroup_limits *lim, struct err *err)
{
	char text[200];

	for (size_t i = 0; i < lim->n_rdma; i++) {
		const struct cgroup_rdma *d = &lim->rdma[i];
		int r, n;

		if (!*d->device || strlen(d->device) > 64 || strpbrk(d->device, " \n\t"))
			return err_set(err, ERR_INVALID,
				       "linux.resources.rdma: '%.40s' is no device name",
				       d->device);
		n = snprintf(text, sizeof(text), "%s", d->device);
		if (d->handles.set)
			n += snprintf(text + n, sizeof(text) - (size_t)n, " hca_handle=%lld",
				      (long long)d->handles.v);
		if (d->objects.set)
			n += snprintf(text + n, sizeof(text) - (size_t)n, " hca_object=%lld",
				      (long long)d->objects.v);
		r = cgroup_put(cg, p, "rdma", "rdma.max", text, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int cgroup_v1_apply(struct cgroup *cg, const struct cgroup_part *p, enum cgroup_controller c,
		    const struct cgroup_limits *lim, struct err *err)
{
	switch (c) {
	case CGROUP_CPU: return apply_cpu(cg, p, lim, err);
	case CGROUP_CPUSET: return apply_cpuset(cg, p, lim, err);
	case CGROUP_MEMORY: return apply_memory(cg, p, lim, err);
	case CGROUP_DEVICES: return apply_devices(cg, p, lim, err);
	case CGROUP_BLKIO: return apply_blkio(cg, p, lim, err);
	case CGROUP_HUGETLB: return apply_hugetlb(cg, p, lim, err);
	case CGROUP_NET_CLS:
		return cgroup_put_num(cg, p, "network.classID", "net_cls.classid",
				      lim->network.class_id.v, err);
	case CGROUP_NET_PRIO: return apply_net_prio(cg, p, lim, err);
	case CGROUP_PIDS: return apply_pids(cg, p, lim, err);
	case CGROUP_RDMA: return apply_rdma(cg, p, lim, err);
	default: return 0;
	}
}
