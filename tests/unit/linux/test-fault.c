/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every system call of a piece of work fails in turn: each time the work fails with a message or
 * gets by, and nothing is left of it. Each run is a child with its own TEU_FAULT; this process
 * makes no call through the seam.
 */
#include "linux/cgroup.h"
#include "linux/mount.h"
#include "linux/path.h"
#include "linux/proc.h"
#include "linux/sys.h"
#include "test-linux.h"

#include <sys/wait.h>

static int count_mount(const struct mount_info *mi, void *arg)
{
	(*(int *)arg)++;
	return 0;
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 3; fd < 128; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* 0 done, 1 failed cleanly, above: what is wrong */
static int cgroup_work(int pid)
{
	struct cgroup_limits lim = { .pids = CGROUP_NUM(9) };
	struct cgroup_layout *l = NULL;
	struct cgroup *cg = NULL;
	struct err err = ERR_INIT;
	char path[64], name[128];
	int r, fds = count_fds();

	(void)snprintf(path, sizeof(path), "teu-test-%d/fault", pid);
	r = cgroup_layout_new(-1, &l, &err);
	if (r == 0)
		r = cgroup_create(l, path, CGROUP_BIT(PIDS), &cg, &err);
	if (r == 0)
		r = cgroup_apply(cg, &lim, &err);
	if (r == 0)
		r = cgroup_open_procs(cg, &err);
	if (r == 0)
		r = cgroup_kill(cg, 100, &err);
	if (cg && cgroup_destroy(cg, 100, r < 0 ? NULL : &err) < 0) {
		r = -1;
		if (cgroup_destroy(cg, 100, NULL) < 0)
			return 2;
	}
	cgroup_free(cg);
	cgroup_layout_free(l);
	(void)snprintf(name, sizeof(name), "/sys/fs/cgroup/pids/teu-test-%d", pid);
	if (access(name, F_OK) == 0)
		return 3;
	if (count_fds() != fds)
		return 4;
	return r == 0 ? 0 : *err.msg ? 1 : 5;
}

static int mounts_of(const struct mount_target *t, int root)
{
	const char *const opts[] = { "rbind", "ro", "rnosuid", "rslave" }, *const fs[] = {
		"tmpcopyup", "nosuid"
	};
	CLEANUP(mount_opts_fini) struct mount_opts o = { 0 };
	struct err err = ERR_INIT;
	int before = 0, after = 0, r;

	(void)mount_each(-1, count_mount, &before, NULL);
	if (mount_opts_parse(opts, 4, &o, &err) < 0)
		return 9;
	r = mount_bind(t, root, "src", &o, -1, &err);
	(void)mount_each(-1, count_mount, &after, NULL);
	if ((r < 0) != (after == before))
		return 2;
	if (r < 0)
		return *err.msg ? 1 : 5;
	mount_opts_fini(&o);
	if (mount_opts_parse(fs, 2, &o, &err) < 0)
		return 9;
	before = after;
	after = 0;
	r = mount_fs(t, "tmpfs", NULL, &o, &err);
	(void)mount_each(-1, count_mount, &after, NULL);
	if ((r < 0) != (after == before))
		return 3;
	return r == 0 ? 0 : *err.msg ? 1 : 5;
}

static int mount_work(int pid)
{
	CLEANUP(mount_target_fini) struct mount_target t = { .fd = -1 };
	struct err err = ERR_INIT;
	int root, r;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/mnt", "tmpfs", 0, NULL) < 0 || mkdir("/mnt/src", 0755) < 0 ||
	    mkdir("/mnt/src/d", 0755) < 0)
		return 9;
	root = open("/mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = mount_target_open(&t, root, "a/b", MOUNT_ON_DIR, false, &err);
	if (r < 0)
		return *err.msg ? 1 : 5;
	r = mounts_of(&t, root);
	close(root);
	return r;
}

static int quiet(void *arg)
{
	return 0;
}

static int proc_work(int pid)
{
	const struct proc_clone c = {
		.fn = quiet, .cgroup_fd = -1, .shared = true, .flags = CLONE_NEWNS
	};
	struct proc p = { .pidfd = -1 };
	struct proc_exit x;
	struct err err = ERR_INIT;
	uint64_t start;
	int r = proc_clone(&c, &p, &err);

	if (r < 0)
		return *err.msg ? 1 : 5;
	if (proc_start_time(p.pid, &start, NULL, &err) < 0)
		r = -1;
	if (proc_wait(p.pidfd, 1000, &x, &err) < 0 && proc_wait(p.pidfd, 1000, &x, &err) < 0)
		return 2;
	proc_fini(&p);
	return r == 0 ? 0 : *err.msg ? 1 : 5;
}

/* One run with the n-th call failing. Returns the result of work; *fired and name tell of the
 * fault. */
static int run_faulty(int (*work)(int), int n, const char *sys, struct fault_file *result)
{
	char path[] = "/tmp/teu-test-fault-XXXXXX", spec[64];
	int fd = mkstemp(path), parent = getpid(), status;
	pid_t pid;

	assert_true(fd >= 0);
	(void)snprintf(spec, sizeof(spec), "nth=%d,errno=%s", n, sys);
	pid = fork();
	if (pid == 0) {
		setenv("TEU_FAULT", spec, 1);
		setenv("TEU_FAULT_FILE", path, 1);
		_exit(work(parent));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	*result = (struct fault_file){ 0 };
	assert_int_equal(pread(fd, result, sizeof(*result), 0), sizeof(*result));
	close(fd);
	unlink(path);
	return WEXITSTATUS(status);
}

static void each_call_fails(int (*work)(int), int least)
{
	static const char *const errnos[] = { "EIO", "ENOSYS", "ENOMEM" };

	if (geteuid() != 0 || access("/sys/fs/cgroup/pids", F_OK) < 0) {
		print_message("skipped: needs root and the pids hierarchy of cgroup v1\n");
		skip();
	}
	for (size_t e = 0; e < ARRAY_LEN(errnos); e++) {
		struct fault_file f;
		int n = 1, failed = 0;

		for (;; n++) {
			int r = run_faulty(work, n, errnos[e], &f);

			if (r > 1)
				fail_msg("call %d (%s) with %s: result %d", n, f.name, errnos[e],
					 r);
			failed += r;
			if (!f.fired)
				break;
		}
		assert_true(n > least);
		assert_true(failed > 0);
		print_message("%s: %d calls, %d of them fatal\n", errnos[e], n - 1, failed);
	}
}

static void nothing_is_left_of_a_cgroup(void **state)
{
	each_call_fails(cgroup_work, 15);
}

static void nothing_is_left_of_a_mount(void **state)
{
	each_call_fails(mount_work, 10);
}

static void nothing_is_left_of_a_process(void **state)
{
	each_call_fails(proc_work, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_left_of_a_cgroup),
		cmocka_unit_test(nothing_is_left_of_a_mount),
		cmocka_unit_test(nothing_is_left_of_a_process),
	};

	return cmocka_run_group_tests_name("linux/fault", tests, NULL, NULL);
}
