/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources and linux.seccomp on their way to src/linux: numbers, defaults, the cache of
 * compiled programs. */
#include "rt-check.h"

#include <dirent.h>
#include <sys/stat.h>

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
	char *root = scratch_root(), dir[128], path[512];
	struct rt_host h = { .root = root };
	struct seccomp_prog one, two;
	struct dirent *e;
	struct err err;
	DIR *d;

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
	/* A damaged file is made anew. */
	d = opendir(dir);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			FILE *f;

			(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
			f = fopen(path, "w");
			fputs("rubbish", f);
			fclose(f);
		}
	closedir(d);
	assert_ok(seccomp_of_conf(&h, &c, a, &two, &err));
	assert_int_equal(one.n, two.n);
	seccomp_prog_fini(&one);
	seccomp_prog_fini(&two);
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

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(no_resources_need_nothing),
		T(numbers_are_carried_over),
		T(zeros_of_go_are_not_limits),
		T(device_rules_come_before_the_devices_a_container_needs),
		T(a_profile_is_compiled_once_and_then_found_in_the_cache),
		T(bad_profiles_name_the_place),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
