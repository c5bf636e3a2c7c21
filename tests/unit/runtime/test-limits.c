/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources and linux.seccomp on their way to src/linux: numbers, defaults, the cache of
 * compiled programs. */
#include "rt-check.h"

#include "runtime/group.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEAD                                                                               \
	"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"},\"linux\":{\"namespaces\":[{" \
	"\"type\":\"mount\"}],"

static struct arena *a;
static struct conf c;

static int setup(void **state)
{
	a = arena_new("t", 8u << 20);
	return 0;
}

static int teardown(void **state)
{
	arena_free(a);
	return 0;
}

static void read_linux(const char *what, struct cgroup_limits *l)
{
	struct err err;
	char *text = arena_printf(a, HEAD "%s}}", what);

	assert_ok(conf_read(slice_str(text), a, &c, &err));
	if (l)
		assert_ok(limits_of_conf(c.lin.resources, a, l, &err));
}

static void no_resources_need_nothing(void **state)
{
	struct cgroup_limits l;
	struct err err;

	assert_ok(limits_of_conf(NULL, a, &l, &err));
	assert_int_equal(cgroup_limits_need(&l), 0);
	read_linux("\"resources\":{\"memory\":{},\"cpu\":{\"cpus\":\"\"}}", &l);
	assert_int_equal(cgroup_limits_need(&l), 0);
}

static void numbers_are_carried_over(void **state)
{
	struct cgroup_limits l;

	read_linux(
		"\"resources\":{\"memory\":{\"limit\":1000,\"swap\":-1,\"disableOOMKiller\":true},"
		"\"cpu\":{\"shares\":512,\"quota\":-1,\"period\":100000,\"cpus\":\"0\"},\"pids\":{"
		"\"limit\":0},"
		"\"blockIO\":{\"weight\":100,\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,"
		"\"rate\":5}],"
		"\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":1,\"rate\":6}]},"
		"\"unified\":{\"memory.high\":\"1\"},\"network\":{\"classID\":7}}",
		&l);
	assert_true(l.memory.limit.set);
	assert_int_equal(l.memory.limit.v, 1000);
	assert_int_equal(l.memory.swap.v, -1);
	assert_int_equal(l.memory.disable_oom_killer.v, 1);
	assert_false(l.memory.reservation.set);
	assert_int_equal(l.cpu.shares.v, 512);
	assert_int_equal(l.cpu.quota.v, -1);
	assert_string_equal(l.cpu.cpus, "0");
	assert_null(l.cpu.mems);
	assert_true(l.pids.set); /* 0 is a limit */
	assert_int_equal(l.pids.v, 0);
	assert_int_equal(l.io.n_throttle, 2);
	assert_int_equal(l.io.throttle[1].kind, CGROUP_WRITE_IOPS);
	assert_int_equal(l.io.throttle[1].minor, 1);
	assert_string_equal(l.unified[0].file, "memory.high");
	assert_int_equal(l.network.class_id.v, 7);
}

static void zeros_of_go_are_not_limits(void **state)
{
	struct cgroup_limits l;

	read_linux("\"resources\":{\"memory\":{\"limit\":0,\"swap\":0,\"reservation\":0},"
		   "\"cpu\":{\"shares\":0,\"quota\":0,\"period\":0},\"blockIO\":{\"weight\":0}}",
		   &l);
	assert_int_equal(cgroup_limits_need(&l), 0);
}

static void more_than_a_number_of_the_kernel_is_the_most_of_them(void **state)
{
	struct cgroup_limits l;

	read_linux("\"resources\":{\"cpu\":{\"shares\":18446744073709551615,"
		   "\"burst\":9223372036854775808}}",
		   &l);
	assert_true(l.cpu.shares.set && l.cpu.shares.v == INT64_MAX);
	assert_true(l.cpu.burst.set && l.cpu.burst.v == INT64_MAX);
}

static void device_rules_come_before_the_devices_a_container_needs(void **state)
{
	struct cgroup_limits l;
	struct err err;

	read_linux("\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"},{\"allow\":"
		   "true,\"type\":\"c\",\"major\":10,\"minor\":200,\"access\":\"rw\"}]}",
		   &l);
	assert_true(l.n_devices > 5);
	assert_false(l.devices[0].allow);
	assert_int_equal(l.devices[0].type, 'a');
	assert_int_equal(l.devices[0].major, -1);
	assert_int_equal(l.devices[1].access, CGROUP_READ | CGROUP_WRITE);
	assert_int_equal(l.devices[1].minor, 200);
	assert_true(l.devices[2].allow);
	read_linux("\"resources\":{\"devices\":[{\"allow\":true,\"access\":\"rx\"}]}", NULL);
	assert_err(limits_of_conf(c.lin.resources, a, &l, &err), ERR_INVALID,
		   "linux.resources.devices[0]");
}

#define PROFILE                                                                                    \
	"\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"mkdir\","   \
	"\"not_a_call\"],\"action\":"                                                              \
	"\"SCMP_ACT_ERRNO\",\"errnoRet\":30,\"args\":[{\"index\":1,\"value\":7,\"op\":\"SCMP_CMP_" \
	"EQ\"}]}]}"

static int files_in(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n - 2;
}

static void a_profile_is_compiled_once_and_then_found_in_the_cache(void **state)
{
	char *root = scratch_root(), dir[128];
	struct rt_host h = { .root = root };
	struct seccomp_prog one, two;
	struct err err;

	assert_int_equal(mkdir(root, 0700), 0);
	read_linux(PROFILE, NULL);
	assert_ok(seccomp_of_conf(&h, &c, a, &one, &err));
	assert_true(one.n > 3);
	(void)snprintf(dir, sizeof(dir), "%s/@seccomp", root);
	assert_int_equal(files_in(dir), 1);
	assert_ok(seccomp_of_conf(&h, &c, a, &two, &err));
	assert_int_equal(one.n, two.n);
	assert_int_equal(files_in(dir), 1);
	seccomp_prog_fini(&two);
	seccomp_prog_fini(&one);
	scratch_remove(root);
}

/* The only file of the cache. */
static void cache_file(const char *dir, char path[512])
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			(void)snprintf(path, 512, "%s/%s", dir, e->d_name);
	closedir(d);
}

static void rewrite(const char *path, const char *bytes, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

/* Every byte flipped, every length: the same program each time, and a whole file afterwards. */
static void a_damaged_or_cut_off_program_is_made_anew(void **state)
{
	char *root = scratch_root(), dir[128], path[512] = "", good[8192], bad[8192];
	struct rt_host h = { .root = root };
	struct seccomp_prog one, two;
	struct err err;
	size_t n;
	FILE *f;

	assert_int_equal(mkdir(root, 0700), 0);
	read_linux(PROFILE, NULL);
	assert_ok(seccomp_of_conf(&h, &c, a, &one, &err));
	(void)snprintf(dir, sizeof(dir), "%s/@seccomp", root);
	cache_file(dir, path);
	f = fopen(path, "r");
	n = fread(good, 1, sizeof(good), f);
	fclose(f);
	for (size_t i = 0; i < 2 * n; i += i < n ? 1 : 7) {
		memcpy(bad, good, n);
		if (i < n)
			bad[i] ^= 1;
		rewrite(path, bad, i < n ? n : i - n);
		assert_ok(seccomp_of_conf(&h, &c, a, &two, &err));
		assert_int_equal(two.n, one.n);
		assert_int_equal(two.flags, one.flags);
		assert_int_equal(two.notify, one.notify);
		assert_memory_equal(two.insns, one.insns, one.n * 8u);
		seccomp_prog_fini(&two);
		f = fopen(path, "r");
		assert_int_equal(fread(bad, 1, sizeof(bad), f), n);
		fclose(f);
		assert_memory_equal(bad, good, n);
	}
	assert_int_equal(files_in(dir), 1);
	seccomp_prog_fini(&one);
	scratch_remove(root);
}

static void compile_errno(struct rt_host *h, unsigned number, unsigned *ret_n)
{
	struct seccomp_prog p;
	struct err err;
	char *text =
		arena_printf(a,
			     "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{"
			     "\"names\":[\"swapon\"],\"action\":\"SCMP_ACT_ERRNO\","
			     "\"errnoRet\":%u}]}",
			     number);

	read_linux(text, NULL);
	assert_ok(seccomp_of_conf(h, &c, a, &p, &err));
	*ret_n = p.n;
	seccomp_prog_fini(&p);
}

static void the_cache_stays_small(void **state)
{
	char *root = scratch_root(), dir[128], path[512];
	struct rt_host h = { .root = root };
	unsigned n;

	assert_int_equal(mkdir(root, 0700), 0);
	(void)snprintf(dir, sizeof(dir), "%s/@seccomp", root);
	assert_int_equal(mkdir(dir, 0700), 0);
	/* What killed processes have left half written counts too. */
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(path, sizeof(path), "%s/.half.%u", dir, i);
		rewrite(path, "x", 1);
	}
	for (unsigned i = 1; i <= 150; i++) {
		compile_errno(&h, i, &n);
		assert_true(n > 0);
		assert_true(files_in(dir) <= 64);
	}
	/* The newest is still there. */
	compile_errno(&h, 150, &n);
	assert_int_equal(files_in(dir), 64);
	scratch_remove(root);
}

static void a_cache_that_cannot_be_written_or_read_is_done_without(void **state)
{
	char *root = scratch_root(), dir[128];
	struct rt_host h = { .root = root };
	unsigned n;

	/* A file where the directory would be: neither can be, also for root. */
	assert_int_equal(mkdir(root, 0700), 0);
	(void)snprintf(dir, sizeof(dir), "%s/@seccomp", root);
	rewrite(dir, "x", 1);
	compile_errno(&h, 1, &n);
	assert_true(n > 0);
	assert_int_equal(unlink(dir), 0);
	/* A link somewhere else is not followed to be emptied. */
	assert_int_equal(symlink("/nonexistent", dir), 0);
	compile_errno(&h, 1, &n);
	assert_true(n > 0);
	scratch_remove(root);
}

/* Several at once, with the same profile and others: each has its program, nothing is left half
 * written. */
static void many_at_once_share_the_cache(void **state)
{
	char *root = scratch_root(), dir[128];
	struct rt_host h = { .root = root };
	int status, bad = 0;
	unsigned n, want;

	assert_int_equal(mkdir(root, 0700), 0);
	(void)snprintf(dir, sizeof(dir), "%s/@seccomp", root);
	compile_errno(&h, 1, &want);
	for (unsigned i = 0; i < 8; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid > 0)
			continue;
		for (unsigned k = 0; k < 60; k++) {
			compile_errno(&h, k % 20 + 1, &n);
			if (n != want)
				_exit(1);
		}
		_exit(0);
	}
	while (wait(&status) > 0)
		bad |= status;
	assert_int_equal(bad, 0);
	assert_int_equal(files_in(dir), 20);
	scratch_remove(root);
}

static void bad_profiles_name_the_place(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{ "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_X\"}", "SCMP_ACT_X" },
		{ "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":1}",
		  "defaultErrnoRet" },
		{ "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_"
		  "ARCH_VAX\"]}",
		  "SCMP_ARCH_VAX" },
		{ "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"X\"]}", "X" },
		{ "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":["
		  "\"read\"],\"action\":\"Y\"}]}",
		  "syscalls[0]" },
		{ "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":["
		  "\"read\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":0,\"value\":1,\"op\":"
		  "\"Z\"}]}]}",
		  "syscalls[0]" },
		{ "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":["
		  "\"read\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}",
		  "listenerPath" },
		{ "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/"
		  "x\",\"syscalls\":[{\"names\":[\"sendmsg\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}",
		  "sendmsg" },
	};
	char *root = scratch_root();
	struct rt_host h = { .root = root };
	struct seccomp_prog p;
	struct err err;

	assert_int_equal(mkdir(root, 0700), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		read_linux(bad[i].text, NULL);
		assert_err(seccomp_of_conf(&h, &c, a, &p, &err), ERR_INVALID, bad[i].words);
		assert_words(err.msg, "linux.seccomp");
	}
	scratch_remove(root);
}

static void limits_near_a_batch_of_the_kernel_are_narrowed(void **state)
{
	/* In pages: of the limit, and what init fills. */
	static const struct {
		int64_t limit;
		unsigned fill;
	} rows[] = { { 1, 0 },	  { 63, 0 },  { 64, 1 },  { 65, 2 },
		     { 119, 56 }, { 120, 0 }, { 128, 0 }, { 1 << 20, 0 } };
	const int64_t page = sysconf(_SC_PAGESIZE);
	struct cgroup_limits l = { 0 };

	assert_int_equal(group_fill_pages(&l), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		l.memory.limit = CGROUP_NUM(rows[i].limit * page + 1);
		assert_int_equal(group_fill_pages(&l), rows[i].fill);
	}
	l.memory.limit = CGROUP_NUM(-1);
	assert_int_equal(group_fill_pages(&l), 0);
	l.memory.limit = CGROUP_NUM(INT64_MAX);
	assert_int_equal(group_fill_pages(&l), 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(no_resources_need_nothing),
		T(numbers_are_carried_over),
		T(zeros_of_go_are_not_limits),
		T(limits_near_a_batch_of_the_kernel_are_narrowed),
		T(more_than_a_number_of_the_kernel_is_the_most_of_them),
		T(device_rules_come_before_the_devices_a_container_needs),
		T(a_profile_is_compiled_once_and_then_found_in_the_cache),
		T(a_damaged_or_cut_off_program_is_made_anew),
		T(the_cache_stays_small),
		T(a_cache_that_cannot_be_written_or_read_is_done_without),
		T(many_at_once_share_the_cache),
		T(bad_profiles_name_the_place),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
