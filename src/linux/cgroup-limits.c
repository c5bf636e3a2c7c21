/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which controllers a set of limits needs, and handing each controller's share to its version
 * (cgroup-v1.c, -v2.c).
 *
 * As engines send 0 for "not given", 0 counts as unset where it could only be meant so: memory,
 * shares, quota, period, weights. A limit of 0 pids is a limit.
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

static const char *memory_field(const struct cgroup_limits *l)
{
	const struct {
		bool on;
		const char *name;
	} f[] = {
		{ some(l->memory.limit), "memory.limit" },
		{ some(l->memory.swap), "memory.swap" },
		{ some(l->memory.reservation), "memory.reservation" },
		{ some(l->memory.kernel), "memory.kernel" },
		{ some(l->memory.kernel_tcp), "memory.kernelTCP" },
		{ l->memory.swappiness.set, "memory.swappiness" },
		{ some(l->memory.disable_oom_killer), "memory.disableOOMKiller" },
		{ some(l->memory.use_hierarchy), "memory.useHierarchy" },
	};

	for (size_t i = 0; i < ARRAY_LEN(f); i++)
		if (f[i].on)
			return f[i].name;
	return NULL;
}

static const char *cpu_field(const struct cgroup_limits *l)
{
	return some(l->cpu.shares)	 ? "cpu.shares"
	       : some(l->cpu.quota)	 ? "cpu.quota"
	       : some(l->cpu.period)	 ? "cpu.period"
	       : some(l->cpu.burst)	 ? "cpu.burst"
	       : some(l->cpu.rt_runtime) ? "cpu.realtimeRuntime"
	       : some(l->cpu.rt_period)	 ? "cpu.realtimePeriod"
	       : l->cpu.idle.set	 ? "cpu.idle"
					 : NULL;
}

/* First field, below linux.resources, that makes controller c necessary. */
static const char *field_of(const struct cgroup_limits *l, enum cgroup_controller c)
{
	switch (c) {
	case CGROUP_CPU: return cpu_field(l);
	case CGROUP_CPUSET:
		return l->cpu.cpus && *l->cpu.cpus   ? "cpu.cpus"
		       : l->cpu.mems && *l->cpu.mems ? "cpu.mems"
						     : NULL;
	case CGROUP_MEMORY: return memory_field(l);
	case CGROUP_DEVICES: return l->n_devices ? "devices" : NULL;
	case CGROUP_BLKIO:
		return some(l->io.weight)	 ? "blockIO.weight"
		       : some(l->io.leaf_weight) ? "blockIO.leafWeight"
		       : l->io.n_devices	 ? "blockIO.weightDevice"
		       : l->io.n_throttle	 ? "blockIO.throttle*Device"
						 : NULL;
	case CGROUP_PIDS: return l->pids.set ? "pids.limit" : NULL;
	case CGROUP_HUGETLB: return l->n_hugepages ? "hugepageLimits" : NULL;
	case CGROUP_NET_CLS: return some(l->network.class_id) ? "network.classID" : NULL;
	case CGROUP_NET_PRIO: return l->network.n_priorities ? "network.priorities" : NULL;
	case CGROUP_RDMA: return l->n_rdma ? "rdma" : NULL;
	case CGROUP_UNIFIED: return l->n_unified ? "unified" : NULL;
	default: return NULL;
	}
}

/* "memory.high" needs memory; "cgroup.max.depth" none. */
static uint32_t unified_need(const struct cgroup_limits *lim)
{
	uint32_t mask = 0;
	char name[32];

	for (size_t i = 0; i < lim->n_unified; i++) {
		size_t n = strcspn(lim->unified[i].file, ".");

		if (n >= sizeof(name))
			continue;
		memcpy(name, lim->unified[i].file, n);
		name[n] = 0;
		mask |= cgroup_parse_controllers(name, true);
	}
	return mask;
}

uint32_t cgroup_limits_need(const struct cgroup_limits *lim)
{
	uint32_t mask = unified_need(lim);

	for (int c = 0; c < CGROUP_CONTROLLER_COUNT; c++)
		if (field_of(lim, c))
			mask |= 1u << c;
	return mask;
}

bool cgroup_has(const struct cgroup_part *p, const char *file)
{
	return faccessat(p->dir, file, F_OK, 0) == 0;
}

int cgroup_put(const struct cgroup *cg, const struct cgroup_part *p, const char *field,
	       const char *file, const char *value, struct err *err)
{
	int sys;

	if (cgroup_write(p->dir, file, value) == 0)
		return 0;
	sys = errno;
	if (sys == ENOENT)
		return err_sysc(
			err, ERR_UNSUPPORTED, sys,
			"linux.resources.%s: this kernel has no '%s' (value '%s', cgroup '%s')",
			field, file, value, cg->full);
	(void)err_sysc(err,
		       sys == EINVAL || sys == ERANGE || sys == ENODEV ? ERR_INVALID : ERR_SYSTEM,
		       sys, "linux.resources.%s: write '%s' to '%s' of cgroup '%s'", field, value,
		       file, cg->full);
	if (sys == EBUSY && !strncmp(field, "memory", 6))
		return err_hint(err, "more is in use already");
	return err ? err_ret(err) : -ERR_SYSTEM;
}

int cgroup_put_num(const struct cgroup *cg, const struct cgroup_part *p, const char *field,
		   const char *file, int64_t v, struct err *err)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%lld", (long long)v);
	return cgroup_put(cg, p, field, file, text, err);
}

int cgroup_check_usage(const struct cgroup *cg, const struct cgroup_part *p, const char *file,
		       int64_t limit, struct err *err)
{
	uint64_t usage;

	if (cgroup_read_u64(p->dir, file, &usage) < 0)
		return err_sys(err, "read the memory usage of cgroup '%s'", cg->full);
	if (limit > 0 && usage > (uint64_t)limit)
		return err_set(
			err, ERR_CONFLICT,
			"linux.resources.memory.limit: %llu bytes are in use, more than %lld",
			(unsigned long long)usage, (long long)limit);
	return 0;
}

/* A file name of the cgroup itself: letters, digits, dots and underscores, and not one that moves
 * processes. */
static int check_unified(const struct cgroup_pair *u, struct err *err)
{
	size_t n = strspn(u->file,
			  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	if (n == 0 || u->file[n] || u->file[0] == '.' || n > 255)
		return err_set(err, ERR_INVALID,
			       "linux.resources.unified: '%.80s' is not the name of a cgroup file",
			       u->file);
	return 0;
}

/* One write per line: the kernel takes one device or page size at a time. */
static int apply_unified(struct cgroup *cg, const struct cgroup_limits *lim, struct err *err)
{
	const struct cgroup_part *p = cgroup_v2_part(cg);
	char line[1024];

	if (!p)
		return err_set(err, ERR_UNSUPPORTED,
			       "linux.resources.unified: cgroup '%s' is not in a v2 hierarchy",
			       cg->full);
	for (size_t i = 0; i < lim->n_unified; i++) {
		const char *value = lim->unified[i].value;
		int r = check_unified(&lim->unified[i], err);

		while (r == 0 && *value) {
			size_t n = strcspn(value, "\n");

			if (n >= sizeof(line))
				return err_set(err, ERR_INVALID,
					       "linux.resources.unified: a line of '%s' is longer "
					       "than %zu bytes",
					       lim->unified[i].file, sizeof(line) - 1);
			memcpy(line, value, n);
			line[n] = 0;
			value += n + (value[n] == '\n');
			r = cgroup_put(cg, p, "unified", lim->unified[i].file, line, err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* "2MB": it becomes part of a file name. */
static int check_hugepages(const struct cgroup_limits *lim, struct err *err)
{
	for (size_t i = 0; i < lim->n_hugepages; i++) {
		const char *s = lim->hugepages[i].size;
		size_t n = strspn(s, "0123456789");

		if (n == 0 || n > 9 ||
		    (strcmp(s + n, "KB") && strcmp(s + n, "MB") && strcmp(s + n, "GB")))
			return err_set(
				err, ERR_INVALID,
				"linux.resources.hugepageLimits: page size '%.40s' is not like 2MB",
				s);
	}
	return 0;
}

int cgroup_apply(struct cgroup *cg, const struct cgroup_limits *lim, struct err *err)
{
	int r = check_hugepages(lim, err);

	for (int c = 0; c < CGROUP_CONTROLLER_COUNT; c++) {
		const char *field = field_of(lim, c);
		const struct cgroup_part *p = field ? cgroup_part_of(cg, c) : NULL;

		if (r < 0)
			return r;
		if (!field)
			continue;
		if (c == CGROUP_UNIFIED) {
			r = apply_unified(cg, lim, err);
			continue;
		}
		if (!p)
			return err_set(err, ERR_UNSUPPORTED,
				       "linux.resources.%s: cgroup '%s' has no controller %s here",
				       field, cg->full, cgroup_controller_name(c));
		r = p->hier->v2 ? cgroup_v2_apply(cg, p, c, lim, err)
				: cgroup_v1_apply(cg, p, c, lim, err);
	}
	return r;
}
