/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits in the files of cgroup v2: Documentation/admin-guide/cgroup-v2.rst, with OCI's v1 values
 * converted.
 *
 * What v2 has no file for (kernel memory, swappiness, the switch of the OOM killer, realtime, leaf
 * weights, network) is refused by name.
 */
#include "base/err.h"
#include "linux/cgroup-priv.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>

static bool some(struct cgroup_num n)
{
	return n.set && n.v != 0;
}

/* "+cpu +memory" of what is in mask and not in have. */
static int enable_text(uint32_t mask, char *text, size_t n)
{
	static const char *const names[] = {
#define X(id, v1, v2) v2,
		CGROUP_CONTROLLERS(X)
#undef X
	};
	size_t used = 0;

	text[0] = 0;
	for (int c = 0; c < CGROUP_CONTROLLER_COUNT; c++)
		if (mask & 1u << c && names[c] && used < n)
			used += (size_t)snprintf(text + used, n - used, "%s+%s", used ? " " : "",
						 names[c]);
	return (int)used;
}

/* Controllers for threads (cpu, cpuset, pids) can be switched on above processes too, but that
 * makes the cgroup the root of a threaded subtree, in which no container can live: never done. The
 * root cgroup, which has no type, is free of all this. */
static bool holds_processes(int dir)
{
	char text[32];

	return cgroup_read(dir, "cgroup.type", text, sizeof(text)) >= 0 &&
	       cgroup_read(dir, "cgroup.procs", text, sizeof(text)) > 0;
}

int cgroup_v2_enable(int dir, uint32_t want, bool lenient, struct err *err)
{
	char text[256];
	uint32_t have = 0, there = 0;
	bool busy;

	if (cgroup_read(dir, "cgroup.controllers", text, sizeof(text)) >= 0)
		there = cgroup_parse_controllers(text, true);
	if (cgroup_read(dir, "cgroup.subtree_control", text, sizeof(text)) >= 0)
		have = cgroup_parse_controllers(text, true);
	want = want & there &
	       ~have; /* what the directory itself does not have is judged at the end of the path */
	if (enable_text(want, text, sizeof(text)) == 0)
		return 0;
	busy = holds_processes(dir);
	if (busy ? lenient : cgroup_write(dir, "cgroup.subtree_control", text) == 0)
		return 0;
	if (!lenient) {
		int sys = busy ? EBUSY : errno;

		(void)err_sysc(err, ERR_SYSTEM, sys, "switch on cgroup controllers '%s'", text);
		return sys == EBUSY ? err_hint(err, "the parent cgroup holds processes itself")
				    : -ERR_SYSTEM;
	}
	for (int c = 0; c < CGROUP_CONTROLLER_COUNT; c++)
		if (want & 1u << c && enable_text(1u << c, text, sizeof(text)))
			(void)cgroup_write(dir, "cgroup.subtree_control",
					   text); /* some can be had without the others */
	return 0;
}

/* ---- conversions ---- */

static double log_2(double x)
{
	double n = 0, bit = 0.5;

	while (x >= 2) {
		x /= 2;
		n++;
	}
	/* Squaring doubles the logarithm: one binary digit at a time. */
	for (int i = 0; i < 40; i++, bit /= 2) {
		x *= x;
		if (x >= 2) {
			x /= 2;
			n += bit;
		}
	}
	return n;
}

/* 10^y for -1 < y < 5, by exp's series. No libm: the runtime links only libc. */
static double pow_10(double y)
{
	double x = y * 2.302585092994046 / 16, term = 1, sum = 1;

	for (int i = 1; i < 25; i++) {
		term *= x / i;
		sum += term;
	}
	for (int i = 0; i < 4; i++)
		sum *= sum;
	return sum;
}

uint64_t cgroup_weight_of_shares(uint64_t shares)
{
	double l, w;
	uint64_t n;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	l = log_2((double)shares);
	w = pow_10((l * l + 125 * l) / 612.0 - 7.0 / 34.0);
	n = (uint64_t)(w + 1 - 1e-6); /* ceil, forgiving the last digits: 1024 is exactly 100 */
	return MIN(MAX(n, 1u), 10000u);
}

/* blkio 10..1000 to io.weight 1..10000 */
static uint64_t io_weight(int64_t w)
{
	return w <= 10 ? 1 : 1 + ((uint64_t)w - 10) * 9999 / 990;
}

static int refuse(bool on, const char *field, struct err *err)
{
	return on ? err_set(err, ERR_UNSUPPORTED, "linux.resources.%s: cgroup v2 has no such limit",
			    field)
		  : 0;
}

static const char *max_or(int64_t v, char text[32])
{
	if (v < 0)
		return "max";
	(void)snprintf(text, 32, "%lld", (long long)v);
	return text;
}

/* ---- memory ---- */

/* OCI counts memory and swap together, v2 swap alone. */
static int put_swap(const struct cgroup *cg, const struct cgroup_part *p,
		    const struct cgroup_limits *lim, struct err *err)
{
	int64_t swap = lim->memory.swap.v, limit = lim->memory.limit.v;
	char text[32];
	uint64_t now;

	if (some(lim->memory.limit) && limit < 0 && !some(lim->memory.swap))
		swap = -1;
	else if (!some(lim->memory.swap))
		return 0;
	if (swap > 0 && !some(lim->memory.limit)) {
		if (cgroup_read_u64(p->dir, "memory.max", &now) < 0)
			return err_sys(
				err, "linux.resources.memory.swap: read memory.max of cgroup '%s'",
				cg->full);
		limit = now > INT64_MAX ? -1 : (int64_t)now;
	}
	if (swap > 0 && limit < 0)
		return err_set(err, ERR_INVALID,
			       "linux.resources.memory.swap: %lld needs a limit of memory too",
			       (long long)swap);
	if (swap > 0 && swap < limit)
		return err_set(
			err, ERR_INVALID,
			"linux.resources.memory.swap: %lld is less than the limit of memory, %lld",
			(long long)swap, (long long)limit);
	if (swap < 0 && !cgroup_has(p, "memory.swap.max"))
		return 0; /* no swap accounting: unlimited as asked */
	return cgroup_put(cg, p, "memory.swap", "memory.swap.max",
			  max_or(swap < 0 ? -1 : swap - limit, text), err);
}

static int apply_memory(const struct cgroup *cg, const struct cgroup_part *p,
			const struct cgroup_limits *lim, struct err *err)
{
	char text[32];
	int r = refuse(some(lim->memory.kernel) && lim->memory.kernel.v > 0, "memory.kernel", err);

	if (r == 0)
		r = refuse(some(lim->memory.kernel_tcp) && lim->memory.kernel_tcp.v > 0,
			   "memory.kernelTCP", err);
	if (r == 0)
		r = refuse(lim->memory.swappiness.set, "memory.swappiness", err);
	if (r == 0)
		r = refuse(some(lim->memory.disable_oom_killer), "memory.disableOOMKiller", err);
	if (r == 0 && some(lim->memory.limit) && some(lim->memory.check_before_update))
		r = cgroup_check_usage(cg, p, "memory.current", lim->memory.limit.v, err);
	if (r == 0)
		r = put_swap(cg, p, lim, err);
	if (r == 0 && some(lim->memory.limit))
		r = cgroup_put(cg, p, "memory.limit", "memory.max",
			       max_or(lim->memory.limit.v, text), err);
	if (r == 0 && some(lim->memory.reservation))
		r = cgroup_put(cg, p, "memory.reservation", "memory.low",
			       max_or(lim->memory.reservation.v, text), err);
	return r;
}

/* ---- cpu ---- */

static int put_cpu_max(const struct cgroup *cg, const struct cgroup_part *p,
		       const struct cgroup_limits *lim, struct err *err)
{
	char quota[64], text[100];

	if (!some(lim->cpu.quota) && !some(lim->cpu.period))
		return 0;
	if (some(lim->cpu.quota)) {
		(void)max_or(lim->cpu.quota.v, quota);
		if (lim->cpu.quota.v < 0)
			(void)snprintf(quota, sizeof(quota), "max");
	} else {
		/* Only the period: the quota that is there stays. */
		if (cgroup_read(p->dir, "cpu.max", quota, sizeof(quota)) < 0)
			return err_sys(err,
				       "linux.resources.cpu.period: read cpu.max of cgroup '%s'",
				       cg->full);
		quota[strcspn(quota, " ")] = 0;
	}
	if (some(lim->cpu.period))
		(void)snprintf(text, sizeof(text), "%s %lld", quota, (long long)lim->cpu.period.v);
	else
		(void)snprintf(text, sizeof(text), "%s", quota);
	return cgroup_put(cg, p, some(lim->cpu.quota) ? "cpu.quota" : "cpu.period", "cpu.max", text,
			  err);
}

static int apply_cpu(const struct cgroup *cg, const struct cgroup_part *p,
		     const struct cgroup_limits *lim, struct err *err)
{
	int r = refuse(some(lim->cpu.rt_runtime), "cpu.realtimeRuntime", err);

	if (r == 0)
		r = refuse(some(lim->cpu.rt_period), "cpu.realtimePeriod", err);
	if (r == 0 && lim->cpu.shares.v < 0)
		r = err_set(err, ERR_INVALID, "linux.resources.cpu.shares: %lld is negative",
			    (long long)lim->cpu.shares.v);
	if (r == 0 && lim->cpu.idle.set)
		r = cgroup_put_num(cg, p, "cpu.idle", "cpu.idle", lim->cpu.idle.v, err);
	/* An idle group takes no weight. */
	if (r == 0 && some(lim->cpu.shares) && !some(lim->cpu.idle))
		r = cgroup_put_num(cg, p, "cpu.shares", "cpu.weight",
				   (int64_t)cgroup_weight_of_shares((uint64_t)lim->cpu.shares.v),
				   err);
	if (r == 0)
		r = put_cpu_max(cg, p, lim, err);
	if (r == 0 && some(lim->cpu.burst))
		r = cgroup_put_num(cg, p, "cpu.burst", "cpu.max.burst", lim->cpu.burst.v, err);
	return r;
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

/* ---- io ---- */

static int put_io_weight(const struct cgroup *cg, const struct cgroup_part *p,
			 const struct cgroup_weight *dev, int64_t weight, struct err *err)
{
	const bool bfq = cgroup_has(p, "io.bfq.weight");
	const unsigned long long w = bfq ? (uint64_t)weight : io_weight(weight);
	char text[80];

	if (weight < 10 || weight > 1000)
		return err_set(err, ERR_INVALID,
			       "linux.resources.blockIO: weight %lld is not within 10 to 1000",
			       (long long)weight);
	if (dev)
		(void)snprintf(text, sizeof(text), "%lld:%lld %llu", (long long)dev->major,
			       (long long)dev->minor, w);
	else
		(void)snprintf(text, sizeof(text), "default %llu", w);
	return cgroup_put(cg, p, dev ? "blockIO.weightDevice" : "blockIO.weight",
			  bfq ? "io.bfq.weight" : "io.weight", text, err);
}

static int apply_io(const struct cgroup *cg, const struct cgroup_part *p,
		    const struct cgroup_limits *lim, struct err *err)
{
	static const struct {
		const char *field, *key;
	} throttle[] = {
		[CGROUP_READ_BPS] = { "blockIO.throttleReadBpsDevice", "rbps" },
		[CGROUP_WRITE_BPS] = { "blockIO.throttleWriteBpsDevice", "wbps" },
		[CGROUP_READ_IOPS] = { "blockIO.throttleReadIOPSDevice", "riops" },
		[CGROUP_WRITE_IOPS] = { "blockIO.throttleWriteIOPSDevice", "wiops" },
	};
	char text[100];
	int r = refuse(some(lim->io.leaf_weight), "blockIO.leafWeight", err);

	if (r == 0 && some(lim->io.weight))
		r = put_io_weight(cg, p, NULL, lim->io.weight.v, err);
	for (size_t i = 0; r == 0 && i < lim->io.n_devices; i++) {
		r = refuse(some(lim->io.devices[i].leaf_weight), "blockIO.weightDevice.leafWeight",
			   err);
		if (r == 0 && some(lim->io.devices[i].weight))
			r = put_io_weight(cg, p, &lim->io.devices[i], lim->io.devices[i].weight.v,
					  err);
	}
	for (size_t i = 0; r == 0 && i < lim->io.n_throttle; i++) {
		const struct cgroup_throttle *t = &lim->io.throttle[i];

		/* 0 means no limit in v1; v2 would take it as one. */
		if (t->rate)
			(void)snprintf(text, sizeof(text), "%lld:%lld %s=%llu", (long long)t->major,
				       (long long)t->minor, throttle[t->kind].key,
				       (unsigned long long)t->rate);
		else
			(void)snprintf(text, sizeof(text), "%lld:%lld %s=max", (long long)t->major,
				       (long long)t->minor, throttle[t->kind].key);
		r = cgroup_put(cg, p, throttle[t->kind].field, "io.max", text, err);
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

		(void)snprintf(value, sizeof(value), "%llu", (unsigned long long)h->limit);
		(void)snprintf(file, sizeof(file), "hugetlb.%.20s.max", h->size);
		r = cgroup_put(cg, p, "hugepageLimits", file, value, err);
		(void)snprintf(file, sizeof(file), "hugetlb.%.20s.rsvd.max", h->size);
		if (r == 0 && cgroup_has(p, file))
			r = cgroup_put(cg, p, "hugepageLimits", file, value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int apply_devices(const struct cgroup *cg, const struct cgroup_part *p,
			 const struct cgroup_limits *lim, struct err *err)
{
	int r = cgroup_bpf_set(p->dir, lim->devices, lim->n_devices, err);

	return r < 0 ? err_wrap(err, "linux.resources.devices: cgroup '%s'", cg->full) : 0;
}

int cgroup_v2_apply(struct cgroup *cg, const struct cgroup_part *p, enum cgroup_controller c,
		    const struct cgroup_limits *lim, struct err *err)
{
	switch (c) {
	case CGROUP_CPU: return apply_cpu(cg, p, lim, err);
	case CGROUP_CPUSET: return apply_cpuset(cg, p, lim, err);
	case CGROUP_MEMORY: return apply_memory(cg, p, lim, err);
	case CGROUP_DEVICES: return apply_devices(cg, p, lim, err);
	case CGROUP_BLKIO: return apply_io(cg, p, lim, err);
	case CGROUP_HUGETLB: return apply_hugetlb(cg, p, lim, err);
	/* The same files in both versions. */
	case CGROUP_PIDS:
	case CGROUP_RDMA: return cgroup_v1_apply(cg, p, c, lim, err);
	default: return 0;
	}
}
