/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a process's memory and threads may be: linux.memoryPolicy and process.execCPUAffinity.
 * Both are for the calling process, and inherited by what it executes.
 */
#include "runtime/rt.h"

#include "linux/sys.h"

#include <string.h>

int tune_parse_list(const char *text, struct tune_set *ret, struct err *err)
{
	struct slice rest = slice_str(text && text[0] ? text : NULL);

	if (ret)
		*ret = (struct tune_set){ 0 };
	while (rest.p) {
		struct slice range = slice_split(&rest, ','), low = slice_split(&range, '-');
		uint64_t a, z;

		if (str_uint64(low, &a, NULL) < 0 ||
		    (range.p ? str_uint64(range, &z, NULL) < 0 : (z = a, 0)) || a > z ||
		    z >= TUNE_MAX)
			return err_set(err, ERR_INVALID,
				       "'%s' is not a list such as 0-3,7 of numbers below %d", text,
				       TUNE_MAX);
		for (; ret && a <= z; a++) {
			ret->bits[a / TUNE_WORD] |= 1ul << a % TUNE_WORD;
			ret->n = MAX(ret->n, (unsigned)a + 1);
		}
	}
	return 0;
}

int tune_memory(const struct conf *c, struct err *err)
{
	static const int flags[] = { 1 << 13, 1 << 14, 1 << 15 }; /* order of conf_mempolicy */
	const struct conf_mempolicy *m = c->lin.mempolicy;
	struct tune_set nodes;
	int mode, r;

	if (!m)
		return 0;
	r = tune_parse_list(m->nodes, &nodes, err);
	if (r < 0)
		return r;
	mode = m->mode - 1;
	for (size_t i = 0; i < m->flags.n; i++)
		mode |= flags[m->flags.v[i] - 1];
	/* The kernel counts one bit more than it reads. */
	if (syscall(SYS_set_mempolicy, mode, nodes.n ? nodes.bits : NULL,
		    nodes.n ? TUNE_MAX + 1 : 0) == 0)
		return 0;
	if (errno == ENOSYS)
		return err_set(
			err, ERR_UNSUPPORTED,
			"linux.memoryPolicy: this kernel has no memory policies (CONFIG_NUMA)");
	return err_sys(err, "set linux.memoryPolicy (%s, nodes '%s')",
		       errno == EINVAL ? "a mode, flag or node that this kernel or machine lacks"
				       : "refused",
		       m->nodes ? m->nodes : "");
}

int tune_affinity(const char *cpus, const char *which, struct err *err)
{
	struct tune_set set;
	int r;

	if (!cpus || !cpus[0])
		return 0;
	r = tune_parse_list(cpus, &set, err);
	if (r < 0)
		return r;
	if (syscall(SYS_sched_setaffinity, 0, sizeof(set.bits), set.bits) < 0)
		return err_sys(err, "set process.execCPUAffinity.%s '%s'", which, cpus);
	return 0;
}
