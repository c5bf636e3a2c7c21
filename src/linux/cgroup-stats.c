/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a cgroup tell: use of CPU, memory, pids and disks; running out of memory. */
#include "base/err.h"
#include "base/fd.h"
#include "linux/cgroup-priv.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

static const struct cgroup_part *memory_part(const struct cgroup *cg, struct err *err)
{
	const struct cgroup_part *p = cgroup_part_of(cg, CGROUP_MEMORY);

	if (!p)
		(void)err_set(
			err, ERR_UNSUPPORTED,
			"cgroup '%s' has no memory controller: it cannot tell of lack of memory",
			cg->full);
	return p;
}

/* v1: an eventfd, registered with the fd of the file it is about. */
static int oom_watch_v1(const struct cgroup *cg, const struct cgroup_part *p, int *ret_fd,
			struct err *err)
{
	CLEANUP(fd_close) int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CLEANUP(fd_close) int control = -1;
	char text[32];

	control = sys_openat(p->dir, "memory.oom_control", O_RDONLY | O_CLOEXEC, 0);
	if (event < 0 || control < 0)
		return err_sys(err, "watch cgroup '%s' for lack of memory", cg->full);
	(void)snprintf(text, sizeof(text), "%d %d", event, control);
	if (cgroup_write(p->dir, "cgroup.event_control", text) < 0)
		return err_sys(err, "watch cgroup '%s' for lack of memory", cg->full);
	*ret_fd = STEAL_FD(event); /* the kernel holds the file itself */
	return 0;
}

int cgroup_oom_watch(const struct cgroup *cg, int *ret_fd, uint32_t *ret_events, struct err *err)
{
	const struct cgroup_part *p = memory_part(cg, err);
	int fd;

	if (!p)
		return -ERR_UNSUPPORTED;
	if (!p->hier->v2) {
		*ret_events = EPOLLIN;
		return oom_watch_v1(cg, p, ret_fd, err);
	}
	fd = sys_openat(p->dir, "memory.events", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, "watch cgroup '%s' for lack of memory", cg->full);
	*ret_fd = fd;
	*ret_events = EPOLLPRI;
	return 0;
}

int cgroup_oom_kills(const struct cgroup *cg, uint64_t *ret, struct err *err)
{
	const struct cgroup_part *p = memory_part(cg, err);

	if (!p)
		return -ERR_UNSUPPORTED;
	if (cgroup_read_key(p->dir, p->hier->v2 ? "memory.events" : "memory.oom_control",
			    "oom_kill", ret) < 0)
		return err_sys(err, "read the OOM kills of cgroup '%s'", cg->full);
	return 0;
}

/* Kernels and configurations differ in which files there are: what is missing counts as 0. */
static uint64_t num(int dir, const char *file)
{
	uint64_t v;

	return cgroup_read_u64(dir, file, &v) == 0 ? v : 0;
}

static uint64_t key(int dir, const char *file, const char *name)
{
	uint64_t v;

	return cgroup_read_key(dir, file, name, &v) == 0 ? v : 0;
}

/* v1 shows "no limit" as the largest number of pages. */
static uint64_t limit_v1(uint64_t v)
{
	return v >= (uint64_t)INT64_MAX / 4096 * 4096 ? UINT64_MAX : v;
}

static void memory_stats(const struct cgroup_part *p, struct cgroup_stats *s)
{
	const bool v2 = p->hier->v2;
	uint64_t both;

	s->memory = num(p->dir, v2 ? "memory.current" : "memory.usage_in_bytes");
	s->memory_peak = num(p->dir, v2 ? "memory.peak" : "memory.max_usage_in_bytes");
	s->memory_limit =
		v2 ? num(p->dir, "memory.max") : limit_v1(num(p->dir, "memory.limit_in_bytes"));
	s->memory_failures =
		v2 ? key(p->dir, "memory.events", "max") : num(p->dir, "memory.failcnt");
	s->memory_inactive_file =
		key(p->dir, "memory.stat", v2 ? "inactive_file" : "total_inactive_file");
	s->memory_anon = key(p->dir, "memory.stat", v2 ? "anon" : "total_rss");
	s->memory_file = key(p->dir, "memory.stat", v2 ? "file" : "total_cache");
	both = v2 ? 0 : num(p->dir, "memory.memsw.usage_in_bytes");
	s->swap = v2 ? num(p->dir, "memory.swap.current") : both > s->memory ? both - s->memory : 0;
}

static void cpu_stats(const struct cgroup *cg, struct cgroup_stats *s)
{
	const struct cgroup_part *v2 = cgroup_v2_part(cg),
				 *acct = cgroup_part_of(cg, CGROUP_CPUACCT);
	const struct cgroup_part *cpu = cgroup_part_of(cg, CGROUP_CPU);

	/* cpu.stat of v2 is there without the controller, also in hybrid mode. */
	if (!acct || acct->hier->v2)
		acct = NULL;
	if (acct) {
		s->cpu_ns = num(acct->dir, "cpuacct.usage");
		s->cpu_user_ns = num(acct->dir, "cpuacct.usage_user");
		s->cpu_system_ns = num(acct->dir, "cpuacct.usage_sys");
	} else if (v2) {
		s->cpu_ns = key(v2->dir, "cpu.stat", "usage_usec") * 1000;
		s->cpu_user_ns = key(v2->dir, "cpu.stat", "user_usec") * 1000;
		s->cpu_system_ns = key(v2->dir, "cpu.stat", "system_usec") * 1000;
	}
	if (cpu) {
		s->cpu_periods = key(cpu->dir, "cpu.stat", "nr_periods");
		s->cpu_throttled = key(cpu->dir, "cpu.stat", "nr_throttled");
		s->cpu_throttled_ns = cpu->hier->v2
					      ? key(cpu->dir, "cpu.stat", "throttled_usec") * 1000
					      : key(cpu->dir, "cpu.stat", "throttled_time");
	}
}

/* v1: "8:0 Read 4096" per device and direction. */
static void io_file_v1(int dir, const char *file, uint64_t *reads, uint64_t *writes)
{
	char text[16384], *rest = text, *line;

	if (cgroup_read(dir, file, text, sizeof(text)) < 0)
		return;
	while ((line = strsep(&rest, "\n"))) {
		unsigned long long v;
		char op[16];

		if (sscanf(line, "%*u:%*u %15s %llu", op, &v) != 2)
			continue;
		if (!strcmp(op, "Read"))
			*reads += v;
		else if (!strcmp(op, "Write"))
			*writes += v;
	}
}

/* v2: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ..." */
static void io_stats_v2(int dir, struct cgroup_stats *s)
{
	char text[16384], *rest = text, *line;

	if (cgroup_read(dir, "io.stat", text, sizeof(text)) < 0)
		return;
	while ((line = strsep(&rest, "\n"))) {
		unsigned long long rb, wb, r, w;

		if (sscanf(line, "%*u:%*u rbytes=%llu wbytes=%llu rios=%llu wios=%llu", &rb, &wb,
			   &r, &w) != 4)
			continue;
		s->io_read_bytes += rb;
		s->io_write_bytes += wb;
		s->io_reads += r;
		s->io_writes += w;
	}
}

int cgroup_stats(const struct cgroup *cg, struct cgroup_stats *ret, struct err *err)
{
	const struct cgroup_part *p;
	struct cgroup_stats s = { 0 };

	if (!cgroup_main_part(cg))
		return err_set(err, ERR_NOT_FOUND, "cgroup '%s' is gone", cg->full);
	cpu_stats(cg, &s);
	p = cgroup_part_of(cg, CGROUP_MEMORY);
	if (p)
		memory_stats(p, &s);
	p = cgroup_part_of(cg, CGROUP_PIDS);
	if (p) {
		s.pids = num(p->dir, "pids.current");
		s.pids_limit = num(p->dir, "pids.max");
	}
	p = cgroup_part_of(cg, CGROUP_BLKIO);
	if (p && p->hier->v2) {
		io_stats_v2(p->dir, &s);
	} else if (p) {
		io_file_v1(p->dir, "blkio.throttle.io_service_bytes_recursive", &s.io_read_bytes,
			   &s.io_write_bytes);
		io_file_v1(p->dir, "blkio.throttle.io_serviced_recursive", &s.io_reads,
			   &s.io_writes);
	}
	*ret = s;
	return 0;
}
