/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel's files tell of a container, as the JSON of runc's `events --stats` (which
 * containerd's shim and others parse).
 *
 * Numbers are taken over as they are; only the units that differ between v1 and v2 are converted
 * (microseconds to nanoseconds). What a file does not tell is 0, which that JSON leaves out. "No
 * limit" is 2^64-1 for memory and 0 for pids, as there. Swap counts memory and swap together, in v2
 * too. What kernels write is bounded by one buffer per file; a longer file is an error, not a part.
 */
#include "runtime/look.h"

#include "base/arena.h"
#include "base/clock.h"
#include "doc/doc.h"
#include "doc/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 65536, STATS_ARENA = 8 << 20 };

struct stats {
	const struct cgroup *cg;
	struct arena *a;
	struct doc *data;
	char *text;		    /* FILE_MAX: the file read last */
	int failed;		    /* errno of a file that is there and could not be read whole */
	const struct conf_rdt *rdt; /* NULL = no linux.intelRdt */
	const char *id;
	uint32_t hooks; /* RDT_* */
};

/* The file's text, or "" if there is none. */
static char *file(struct stats *s, enum cgroup_controller c, const char *name)
{
	ssize_t n = cgroup_read_file(s->cg, c, name, s->text, FILE_MAX);

	/* EOPNOTSUPP: a file that the kernel has and the machine does not use (pressure). */
	if (n < 0 && errno != ENOENT && errno != EOPNOTSUPP && errno != ENODEV && !s->failed)
		s->failed = errno;
	if (n < 0)
		s->text[0] = 0;
	return s->text;
}

static bool number(const char *text, uint64_t *ret)
{
	if (!strncmp(text, "max", 3)) {
		*ret = UINT64_MAX;
		return true;
	}
	return str_uint64(slice_of(text, strcspn(text, " \n")), ret, NULL) >= 0;
}

static uint64_t num(struct stats *s, enum cgroup_controller c, const char *name)
{
	uint64_t v = 0;

	return number(file(s, c, name), &v) ? v : 0;
}

/* Value of a line "key N". */
static uint64_t key(struct stats *s, enum cgroup_controller c, const char *name, const char *k)
{
	char *rest = file(s, c, name), *line;
	size_t n = strlen(k);
	uint64_t v = 0;

	while ((line = strsep(&rest, "\n")))
		if (!strncmp(line, k, n) && line[n] == ' ' && number(line + n + 1, &v))
			return v;
	return 0;
}

/* Left out when 0, as Go's omitempty does. */
static void put(struct stats *s, struct doc *o, const char *name, uint64_t v)
{
	if (v)
		doc_set_uint(s->a, o, name, v);
}

/* ---- pressure ---- */

static void put_pressure(struct stats *s, struct doc *o, enum cgroup_controller c, const char *name)
{
	char *rest = file(s, c, name), *line;
	struct doc *psi = NULL;

	while ((line = strsep(&rest, "\n"))) {
		unsigned long long total;
		double avg[3];
		struct doc *kind;
		char what[8];

		if (sscanf(line, "%7s avg10=%lf avg60=%lf avg300=%lf total=%llu", what, &avg[0],
			   &avg[1], &avg[2], &total) != 5)
			continue;
		if (!psi)
			psi = doc_set_object(s->a, o, "psi");
		kind = doc_set_object(s->a, psi, what);
		doc_set(s->a, kind, "avg10", doc_num(s->a, avg[0]));
		doc_set(s->a, kind, "avg60", doc_num(s->a, avg[1]));
		doc_set(s->a, kind, "avg300", doc_num(s->a, avg[2]));
		doc_set_uint(s->a, kind, "total", total);
	}
}

/* ---- cpu ---- */

/* "1 2 3" */
static void put_list(struct stats *s, struct doc *o, const char *name, char *text)
{
	struct doc *list = NULL;
	char *word;

	while ((word = strsep(&text, " \n"))) {
		uint64_t v;

		if (!*word || !number(word, &v))
			continue;
		if (!list)
			list = doc_set_array(s->a, o, name);
		(void)doc_append(s->a, list, doc_uint(s->a, v));
	}
}

/* "cpu user system" and a line for each. */
static void put_percpu(struct stats *s, struct doc *usage)
{
	struct doc *user = NULL, *kernel = NULL;
	char *rest = file(s, CGROUP_CPUACCT, "cpuacct.usage_all"), *line;

	while ((line = strsep(&rest, "\n"))) {
		unsigned long long u, k;

		if (sscanf(line, "%*u %llu %llu", &u, &k) != 2)
			continue;
		if (!user) {
			kernel = doc_set_array(s->a, usage, "percpu_kernel");
			user = doc_set_array(s->a, usage, "percpu_user");
		}
		(void)doc_append(s->a, kernel, doc_uint(s->a, k));
		(void)doc_append(s->a, user, doc_uint(s->a, u));
	}
}

static void cpu(struct stats *s)
{
	struct doc *o = doc_set_object(s->a, s->data, "cpu"),
		   *usage = doc_set_object(s->a, o, "usage"),
		   *throttling = doc_set_object(s->a, o, "throttling");
	const bool acct = cgroup_dir_fd(s->cg, CGROUP_CPUACCT) >= 0 &&
			  !cgroup_controller_is_v2(s->cg, CGROUP_CPUACCT);

	if (acct) {
		put(s, usage, "total", num(s, CGROUP_CPUACCT, "cpuacct.usage"));
		put_list(s, usage, "percpu", file(s, CGROUP_CPUACCT, "cpuacct.usage_percpu"));
		put_percpu(s, usage);
		doc_set_uint(s->a, usage, "kernel", num(s, CGROUP_CPUACCT, "cpuacct.usage_sys"));
		doc_set_uint(s->a, usage, "user", num(s, CGROUP_CPUACCT, "cpuacct.usage_user"));
	} else {
		/* There without the controller, and in a hybrid's v2 tree too. */
		put(s, usage, "total", key(s, CGROUP_UNIFIED, "cpu.stat", "usage_usec") * 1000);
		doc_set_uint(s->a, usage, "kernel",
			     key(s, CGROUP_UNIFIED, "cpu.stat", "system_usec") * 1000);
		doc_set_uint(s->a, usage, "user",
			     key(s, CGROUP_UNIFIED, "cpu.stat", "user_usec") * 1000);
	}
	put(s, throttling, "periods", key(s, CGROUP_CPU, "cpu.stat", "nr_periods"));
	put(s, throttling, "throttledPeriods", key(s, CGROUP_CPU, "cpu.stat", "nr_throttled"));
	put(s, throttling, "throttledTime",
	    cgroup_controller_is_v2(s->cg, CGROUP_CPU)
		    ? key(s, CGROUP_CPU, "cpu.stat", "throttled_usec") * 1000
		    : key(s, CGROUP_CPU, "cpu.stat", "throttled_time"));
	put_pressure(s, o, CGROUP_UNIFIED, "cpu.pressure");
}

/* "0-2,5" as [0,1,2,5]; at most what a machine has. */
static void put_ranges(struct stats *s, struct doc *o, const char *name, const char *text)
{
	struct doc *list = NULL;
	unsigned a, b;
	int n;

	while (*text) {
		if (sscanf(text, "%u-%u%n", &a, &b, &n) != 2) {
			if (sscanf(text, "%u%n", &a, &n) != 1)
				return;
			b = a;
		}
		if (!list)
			list = doc_set_array(s->a, o, name);
		for (; a <= b && b < UINT16_MAX; a++)
			(void)doc_append(s->a, list, doc_uint(s->a, a));
		text += n;
		text += *text == ',';
	}
}

static void cpuset(struct stats *s)
{
	static const struct {
		const char *name, *file;
	} v1[] = {
		{ "cpu_exclusive", "cpuset.cpu_exclusive" },
		{ "mem_hardwall", "cpuset.mem_hardwall" },
		{ "mem_exclusive", "cpuset.mem_exclusive" },
		{ "memory_migrate", "cpuset.memory_migrate" },
		{ "memory_spread_page", "cpuset.memory_spread_page" },
		{ "memory_spread_slab", "cpuset.memory_spread_slab" },
		{ "memory_pressure", "cpuset.memory_pressure" },
		{ "sched_load_balance", "cpuset.sched_load_balance" },
	};
	const bool is_v1 = cgroup_dir_fd(s->cg, CGROUP_CPUSET) >= 0 &&
			   !cgroup_controller_is_v2(s->cg, CGROUP_CPUSET);
	struct doc *o = doc_set_object(s->a, s->data, "cpuset");
	int64_t level = 0;

	put_ranges(s, o, "cpus",
		   file(s, CGROUP_CPUSET, is_v1 ? "cpuset.cpus" : "cpuset.cpus.effective"));
	put_ranges(s, o, "mems",
		   file(s, CGROUP_CPUSET, is_v1 ? "cpuset.mems" : "cpuset.mems.effective"));
	for (size_t i = 0; i < ARRAY_LEN(v1); i++)
		doc_set_uint(s->a, o, v1[i].name, is_v1 ? num(s, CGROUP_CPUSET, v1[i].file) : 0);
	if (is_v1)
		(void)str_int64(
			slice_str(file(s, CGROUP_CPUSET, "cpuset.sched_relax_domain_level")),
			&level, NULL);
	doc_set_int(s->a, o, "sched_relax_domain_level", level);
}

/* ---- memory ---- */

struct entry {
	uint64_t limit, usage, max, failures;
};

static void put_entry(struct stats *s, struct doc *o, const char *name, const struct entry *e)
{
	struct doc *m = doc_set_object(s->a, o, name);

	doc_set_uint(s->a, m, "limit", e->limit);
	put(s, m, "usage", e->usage);
	put(s, m, "max", e->max);
	doc_set_uint(s->a, m, "failcnt", e->failures);
}

static struct entry entry_v1(struct stats *s, const char *part)
{
	char name[64];
	struct entry e;

#define READ(field, what)                                              \
	(void)snprintf(name, sizeof(name), "memory.%s%s", part, what); \
	e.field = num(s, CGROUP_MEMORY, name)
	READ(limit, "limit_in_bytes");
	READ(usage, "usage_in_bytes");
	READ(max, "max_usage_in_bytes");
	READ(failures, "failcnt");
#undef READ
	return e;
}

/* Without a limit the sum is none. */
static uint64_t sum(uint64_t a, uint64_t b)
{
	return a == UINT64_MAX || b == UINT64_MAX ? UINT64_MAX : a + b;
}

static void memory_v2(struct stats *s, struct doc *o)
{
	struct entry usage = { .limit = num(s, CGROUP_MEMORY, "memory.max"),
			       .usage = num(s, CGROUP_MEMORY, "memory.current"),
			       .max = num(s, CGROUP_MEMORY, "memory.peak"),
			       .failures = key(s, CGROUP_MEMORY, "memory.events", "max") };
	struct entry swap = { .limit = sum(usage.limit, num(s, CGROUP_MEMORY, "memory.swap.max")),
			      .usage = usage.usage + num(s, CGROUP_MEMORY, "memory.swap.current"),
			      .failures = key(s, CGROUP_MEMORY, "memory.swap.events", "max") };
	struct entry kernel = { .usage = key(s, CGROUP_MEMORY, "memory.stat", "kernel") };
	struct entry tcp = { .usage = key(s, CGROUP_MEMORY, "memory.stat", "sock") };

	put(s, o, "cache", key(s, CGROUP_MEMORY, "memory.stat", "file"));
	put_entry(s, o, "usage", &usage);
	put_entry(s, o, "swap", &swap);
	put_entry(s, o, "kernel", &kernel);
	put_entry(s, o, "kernelTCP", &tcp);
}

static void memory_v1(struct stats *s, struct doc *o)
{
	struct entry usage = entry_v1(s, ""), swap = entry_v1(s, "memsw."),
		     kernel = entry_v1(s, "kmem."), tcp = entry_v1(s, "kmem.tcp.");

	put(s, o, "cache", key(s, CGROUP_MEMORY, "memory.stat", "cache"));
	put_entry(s, o, "usage", &usage);
	put_entry(s, o, "swap", &swap);
	put_entry(s, o, "kernel", &kernel);
	put_entry(s, o, "kernelTCP", &tcp);
}

static void memory(struct stats *s)
{
	struct doc *o = doc_set_object(s->a, s->data, "memory"), *raw;
	char *rest, *line;

	if (cgroup_controller_is_v2(s->cg, CGROUP_MEMORY))
		memory_v2(s, o);
	else
		memory_v1(s, o);
	raw = doc_set_object(s->a, o, "raw");
	rest = file(s, CGROUP_MEMORY, "memory.stat");
	while ((line = strsep(&rest, "\n"))) {
		char *name = strsep(&line, " ");
		uint64_t v;

		if (line && number(line, &v))
			doc_set_uint(s->a, raw, arena_strdup(s->a, name), v);
	}
	put_pressure(s, o, CGROUP_UNIFIED, "memory.pressure");
}

/* ---- pids, disks, huge pages ---- */

static void pids(struct stats *s)
{
	struct doc *o = doc_set_object(s->a, s->data, "pids");
	uint64_t limit = num(s, CGROUP_PIDS, "pids.max");

	put(s, o, "current", num(s, CGROUP_PIDS, "pids.current"));
	put(s, o, "limit", limit == UINT64_MAX ? 0 : limit);
}

static void put_io(struct stats *s, struct doc *list, const unsigned dev[2], const char *op,
		   uint64_t v)
{
	struct doc *e = doc_append_object(s->a, list);

	put(s, e, "major", dev[0]);
	put(s, e, "minor", dev[1]);
	if (*op)
		doc_set_str(s->a, e, "op", arena_strdup(s->a, op));
	put(s, e, "value", v);
}

/* "8:0 Read 4096" or "8:0 17" per device; the last line is a total without one. */
static bool io_list_v1(struct stats *s, struct doc *o, const char *name, const char *file_name)
{
	char *rest = file(s, CGROUP_BLKIO, file_name), *line;
	struct doc *list = NULL;

	while ((line = strsep(&rest, "\n"))) {
		unsigned long long v;
		unsigned dev[2];
		char op[16] = "";

		if (sscanf(line, "%u:%u %15s %llu", &dev[0], &dev[1], op, &v) != 4) {
			if (sscanf(line, "%u:%u %llu", &dev[0], &dev[1], &v) != 3)
				continue;
			op[0] = 0;
		}
		if (!list)
			list = doc_set_array(s->a, o, name);
		put_io(s, list, dev, op, v);
	}
	return list;
}

static void io_v1(struct stats *s, struct doc *o)
{
	static const struct {
		const char *name, *file;
	} rest[] = {
		{ "ioQueueRecursive", "io_queued_recursive" },
		{ "ioServiceTimeRecursive", "io_service_time_recursive" },
		{ "ioWaitTimeRecursive", "io_wait_time_recursive" },
		{ "ioMergedRecursive", "io_merged_recursive" },
		{ "ioTimeRecursive", "time_recursive" },
		{ "sectorsRecursive", "sectors_recursive" },
	};
	static const char *const schedulers[] = { "bfq.", "" };
	char name[80];

	/* The throttling layer counts what no scheduler sees. */
	if (!io_list_v1(s, o, "ioServiceBytesRecursive", "blkio.bfq.io_service_bytes_recursive"))
		(void)io_list_v1(s, o, "ioServiceBytesRecursive",
				 "blkio.throttle.io_service_bytes_recursive");
	if (!io_list_v1(s, o, "ioServicedRecursive", "blkio.bfq.io_serviced_recursive"))
		(void)io_list_v1(s, o, "ioServicedRecursive",
				 "blkio.throttle.io_serviced_recursive");
	for (size_t i = 0; i < ARRAY_LEN(rest); i++)
		for (size_t k = 0; k < ARRAY_LEN(schedulers); k++) {
			(void)snprintf(name, sizeof(name), "blkio.%s%s", schedulers[k],
				       rest[i].file);
			if (io_list_v1(s, o, rest[i].name, name))
				break;
		}
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6" */
static void io_v2(struct stats *s, struct doc *o)
{
	static const struct {
		const char *key, *op;
		bool bytes;
	} keys[] = {
		{ "rbytes", "Read", true },    { "wbytes", "Write", true },
		{ "dbytes", "Discard", true }, { "rios", "Read", false },
		{ "wios", "Write", false },    { "dios", "Discard", false },
	};
	char *rest = file(s, CGROUP_BLKIO, "io.stat"), *line, *word;
	struct doc *bytes = NULL, *ops = NULL;

	while ((line = strsep(&rest, "\n"))) {
		unsigned dev[2];

		if (sscanf(line, "%u:%u", &dev[0], &dev[1]) != 2)
			continue;
		if (!bytes) {
			bytes = doc_set_array(s->a, o, "ioServiceBytesRecursive");
			ops = doc_set_array(s->a, o, "ioServicedRecursive");
		}
		while ((word = strsep(&line, " "))) {
			char *name = strsep(&word, "=");
			uint64_t v;

			for (size_t i = 0; word && i < ARRAY_LEN(keys); i++)
				if (!strcmp(name, keys[i].key) && number(word, &v))
					put_io(s, keys[i].bytes ? bytes : ops, dev, keys[i].op, v);
		}
	}
}

static void io(struct stats *s)
{
	struct doc *o = doc_set_object(s->a, s->data, "blkio");

	if (cgroup_controller_is_v2(s->cg, CGROUP_BLKIO))
		io_v2(s, o);
	else
		io_v1(s, o);
	put_pressure(s, o, CGROUP_UNIFIED, "io.pressure");
}

/* One size of huge page, "2MB". */
static void hugepage(struct stats *s, struct doc *o, const char *size)
{
	const bool v2 = cgroup_controller_is_v2(s->cg, CGROUP_HUGETLB);
	struct doc *e = doc_set_object(s->a, o, arena_strdup(s->a, size));
	char name[80];

	(void)snprintf(name, sizeof(name), "hugetlb.%.30s.%s", size,
		       v2 ? "current" : "usage_in_bytes");
	put(s, e, "usage", num(s, CGROUP_HUGETLB, name));
	if (!v2) {
		(void)snprintf(name, sizeof(name), "hugetlb.%.30s.max_usage_in_bytes", size);
		put(s, e, "max", num(s, CGROUP_HUGETLB, name));
	}
	(void)snprintf(name, sizeof(name), "hugetlb.%.30s.%s", size, v2 ? "events" : "failcnt");
	doc_set_uint(s->a, e, "failcnt",
		     v2 ? key(s, CGROUP_HUGETLB, name, "max") : num(s, CGROUP_HUGETLB, name));
}

static void hugepages(struct stats *s)
{
	const char *tail =
		cgroup_controller_is_v2(s->cg, CGROUP_HUGETLB) ? ".current" : ".usage_in_bytes";
	struct doc *o = doc_set_object(s->a, s->data, "hugetlb");
	int fd = cgroup_dir_fd(s->cg, CGROUP_HUGETLB);
	struct dirent *d;
	DIR *dir;

	fd = fd < 0 ? -1 : openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	while (dir && (d = readdir(dir))) {
		size_t n = strlen(d->d_name), t = strlen(tail);
		char size[32];

		if (strncmp(d->d_name, "hugetlb.", 8) != 0 || n <= 8 + t ||
		    strcmp(d->d_name + n - t, tail) != 0 || n - 8 - t >= sizeof(size) ||
		    strstr(d->d_name, ".rsvd."))
			continue;
		memcpy(size, d->d_name + 8, n - 8 - t);
		size[n - 8 - t] = 0;
		hugepage(s, o, size);
	}
	if (dir)
		closedir(dir);
}

/* ---- the whole ---- */

static int print(struct stats *s, struct buf *out, struct err *err)
{
	struct slice text;
	int r = 0;

	cpu(s);
	cpuset(s);
	if (cgroup_dir_fd(s->cg, CGROUP_MEMORY) >= 0)
		memory(s);
	else
		(void)doc_set_object(s->a, s->data, "memory");
	pids(s);
	io(s);
	hugepages(s);
	if (s->rdt)
		r = rdt_stats(s->rdt, s->id, s->hooks, s->a, s->data, err);
	if (r < 0)
		return r;
	if (s->failed)
		return err_sysc(err, ERR_SYSTEM, s->failed, "read the statistics of cgroup '%s'",
				cgroup_path(s->cg));
	if (arena_exceeded(s->a))
		return arena_quota(s->a, err);
	r = json_print(s->a, s->data, NULL, &text, err);
	if (r < 0)
		return r;
	/* Without its braces. */
	return buf_add(out, text.p + 1, text.n - 2) < 0
		       ? err_set(err, ERR_TOO_LARGE, "the statistics are too long")
		       : 0;
}

int rt_stats_json(struct rt_container *c, struct buf *out, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("statistics", STATS_ARENA);
	CLEANUP(look_fini) struct look l = { 0 };
	struct stats s = { .a = a, .id = c->id, .hooks = c->hooks };
	struct conf conf;
	int r;

	r = look(c, c->hooks & RDT_USED ? LOOK_ALL : 0, &l, err);
	if (r >= 0 && l.status == RT_STOPPED)
		return err_set(err, ERR_CONFLICT, "container not running: it is stopped");
	if (r >= 0)
		r = look_cgroup(&l, err);
	if (r < 0)
		return r;
	if (!l.group.cgroup)
		return err_set(err, ERR_UNSUPPORTED,
			       "the container has no cgroup: there are no "
			       "statistics of it");
	if (c->hooks & RDT_USED) {
		r = conf_read(l.s.config, l.arena, &conf, err);
		if (r < 0)
			return r;
		s.rdt = conf.lin.rdt;
	}
	s.cg = l.group.cgroup;
	s.text = arena_alloc_raw(a, FILE_MAX, 1);
	s.data = doc_new_object(a);
	return s.text ? print(&s, out, err) : arena_quota(a, err);
}
