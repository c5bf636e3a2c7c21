/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A memory limit so small that the kernel's own counting would break it.
 *
 * The kernel charges a cgroup for BATCH pages at once and keeps what is not used yet for the CPU
 * that asked. An exec is where it likes to move a process to another CPU: what the first one keeps
 * is asked back, but by a worker that may come later than the OOM killer. With a limit of 64 pages
 * the first charge takes all of them, and one program in fifty is killed with 8 pages in use.
 *
 * A batch that would go over the limit is not taken: then pages are charged one by one, and nothing
 * is kept aside. So the limit is first set below a batch; init enters and fills as many pages as
 * leave less than a batch below the real limit; then that is set. All of it is over before the
 * program is there, and a program sees no other limit than its own.
 */
#include "runtime/group.h"

#include <unistd.h>

#define BATCH 64     /* MEMCG_CHARGE_BATCH since 5.14 */
#define FILL_MAX 56u /* what fits below a batch beside what init needs itself */

unsigned group_fill_pages(const struct cgroup_limits *l)
{
	int64_t pages = l->memory.limit.set ? l->memory.limit.v / sysconf(_SC_PAGESIZE) : 0;

	if (pages < BATCH || pages - (BATCH - 1) > FILL_MAX)
		return 0;
	return (unsigned)(pages - (BATCH - 1));
}

static int set(struct group *g, int64_t bytes, struct err *err)
{
	const struct cgroup_limits l = { .memory.limit = CGROUP_NUM(bytes) };

	return cgroup_apply(g->cgroup, &l, err);
}

int group_narrow(struct group *g, const struct cgroup_limits *l, struct err *err)
{
	return group_fill_pages(l) ? set(g, (BATCH - 1) * sysconf(_SC_PAGESIZE), err) : 0;
}

int group_widen(struct group *g, const struct cgroup_limits *l, struct err *err)
{
	return g->cgroup && group_fill_pages(l) ? set(g, l->memory.limit.v, err) : 0;
}
