/* SPDX-License-Identifier: Apache-2.0 */
/* Processes, namespaces and capabilities: clone variants, identity, waiting, id maps, the five
 * sets. */
#include "linux/caps.h"
#include "linux/ns.h"
#include "linux/path.h"
#include "linux/proc.h"
#include "linux/sys.h"
#include "test-linux.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static void need_root(void)
{
	if (geteuid() != 0) {
		print_message("skipped: needs root\n");
		skip();
	}
}

static int answer(void *arg)
{
	*(int *)arg += 1;
	return 42;
}

static int sleep_on(void *arg)
{
	for (;;)
		pause();
	return 0;
}

static int run(const struct proc_clone *c)
{
	__attribute__((cleanup(proc_fini_cleanup_))) struct proc p = { .pidfd = -1 };
	struct proc_exit x = { 0 };
	struct err err = ERR_INIT;

	assert_ok(proc_clone(c, &p, &err), &err);
	assert_true(p.pid > 0 && p.pidfd >= 0);
	assert_int_equal(proc_wait(p.pidfd, 5000, &x, &err), 0);
	return proc_exit_code(&x);
}

static void a_shared_child_writes_our_memory_a_forked_one_does_not(void **state)
{
	int n = 0;

	assert_int_equal(run(&(struct proc_clone){
				 .fn = answer, .arg = &n, .cgroup_fd = -1, .shared = true }),
			 42);
	assert_int_equal(n, 1);
	assert_int_equal(run(&(struct proc_clone){ .fn = answer, .arg = &n, .cgroup_fd = -1 }), 42);
	assert_int_equal(n, 1);
}

static int pid_is_one(void *arg)
{
	return getpid() == 1 ? 0 : 1;
}

static void children_are_born_in_new_namespaces(void **state)
{
	uint64_t all = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
		       CLONE_NEWCGROUP;

	need_root();
	assert_int_equal(run(&(struct proc_clone){
				 .flags = all, .fn = pid_is_one, .cgroup_fd = -1, .shared = true }),
			 0);
	assert_int_equal(
		run(&(struct proc_clone){ .flags = all, .fn = pid_is_one, .cgroup_fd = -1 }), 0);
	assert_int_equal(run(&(struct proc_clone){ .flags = CLONE_NEWUSER | CLONE_NEWPID,
						   .fn = pid_is_one,
						   .cgroup_fd = -1 }),
			 0);
}

static void a_fd_that_is_no_v2_cgroup_only_clears_in_cgroup(void **state)
{
	CLEANUP(fd_close) int fd = open("/tmp", O_PATH | O_CLOEXEC);
	struct proc_clone c = { .fn = pid_is_one, .cgroup_fd = fd };
	struct proc p = { .pidfd = -1 };
	struct proc_exit x;
	struct err err = ERR_INIT;

	assert_ok(proc_clone(&c, &p, &err), &err);
	assert_false(p.in_cgroup);
	assert_ok(proc_wait(p.pidfd, -1, &x, &err), &err);
	proc_fini(&p);
}

static void a_process_is_known_by_its_start_time(void **state)
{
	const struct proc_clone c = { .fn = sleep_on, .cgroup_fd = -1 };
	struct proc p = { .pidfd = -1 };
	struct proc_exit x = { 0 };
	struct err err = ERR_INIT;
	uint64_t start;
	char letter;
	pid_t pid;
	int fd = -1;

	assert_ok(proc_clone(&c, &p, &err), &err);
	assert_ok(proc_start_time(p.pid, &start, &letter, &err), &err);
	assert_ok(proc_pid_of(p.pidfd, &pid, &err), &err);
	assert_int_equal(pid, p.pid);
	assert_ok(proc_open(p.pid, start, &fd, &err), &err);
	close(fd);
	assert_fails(proc_open(p.pid, start + 1, &fd, &err), &err, ERR_NOT_FOUND,
		     "belongs to another");
	assert_int_equal(proc_wait(p.pidfd, 10, &x, &err), 1);
	assert_ok(proc_signal(p.pidfd, SIGTERM, &err), &err);
	assert_int_equal(proc_poll(p.pidfd, 5000, &err), 0);
	assert_fails(proc_open(p.pid, start, &fd, &err), &err, ERR_NOT_FOUND,
		     "has ended"); /* a zombie */
	assert_ok(proc_wait(p.pidfd, -1, &x, &err), &err);
	assert_true(x.signalled);
	assert_int_equal(proc_exit_code(&x), 128 + SIGTERM);
	assert_fails(proc_signal(p.pidfd, SIGTERM, &err), &err, ERR_NOT_FOUND, "has ended");
	assert_fails(proc_start_time(p.pid, &start, NULL, &err), &err, ERR_NOT_FOUND, "process");
	assert_fails(proc_pidfd(p.pid, &fd, &err), &err, ERR_NOT_FOUND, "process");
	assert_fails(proc_pid_of(p.pidfd, &pid, &err), &err, ERR_NOT_FOUND, "ended");
	proc_fini(&p);
}

static int count_fd(int fd, void *arg)
{
	(*(int *)arg)++;
	return 0;
}

static int close_most(void *arg)
{
	int keep[2] = { 9, 5 }, n = 0;

	for (int fd = 3; fd < 12; fd++)
		if (dup2(0, fd) < 0)
			return 1;
	if (proc_fds_cloexec(3, keep, 2, false, NULL) < 0 ||
	    (fcntl(4, F_GETFD) & FD_CLOEXEC) == 0 || (fcntl(5, F_GETFD) & FD_CLOEXEC) ||
	    (fcntl(9, F_GETFD) & FD_CLOEXEC) || !(fcntl(11, F_GETFD) & FD_CLOEXEC))
		return 2;
	if (proc_fds_cloexec(3, keep, 2, true, NULL) < 0 || proc_fds_each(count_fd, &n, NULL) < 0)
		return 3;
	return n == 5 ? 0 : 10 + n;
}

static void fds_are_closed_but_for_those_to_keep(void **state)
{
	assert_int_equal(run(&(struct proc_clone){ .fn = close_most, .cgroup_fd = -1 }), 0);
}

static int change_self(void *arg)
{
	struct err err = ERR_INIT;

	if (proc_set_dumpable(false, &err) < 0 || prctl(PR_GET_DUMPABLE) != 0 ||
	    proc_set_subreaper(true, &err) < 0 || proc_set_parent_death_signal(SIGKILL, &err) < 0 ||
	    proc_set_no_new_privs(&err) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
	    signal(SIGUSR1, SIG_IGN) == SIG_ERR || proc_reset_signals(&err) < 0 ||
	    signal(SIGUSR1, SIG_IGN) != SIG_DFL)
		return 1;
	return proc_write_attr(0, "oom_score_adj", "500", &err) < 0;
}

static void settings_of_the_calling_process(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(run(&(struct proc_clone){ .fn = change_self, .cgroup_fd = -1 }), 0);
	assert_fails(proc_write_attr(0, "oom_score_adj", "x", &err), &err, ERR_SYSTEM,
		     "oom_score_adj");
	assert_fails(proc_write_attr(0, "none", "x", &err), &err, ERR_SYSTEM, "/proc/self/none");
}

/* ---- namespaces ---- */

static void namespaces_are_opened_by_path_and_kind(void **state)
{
	CLEANUP(fd_close) int net = -1;
	CLEANUP(fd_close) int same = -1;
	struct err err = ERR_INIT;
	int fd = -1;

	for (int i = 0; i < NS_KINDS; i++)
		assert_int_equal(ns_find(ns_types[i].name), i);
	assert_int_equal(ns_find("net"), -1);
	assert_true(ns_supported(NS_MOUNT));
	assert_ok(ns_open("/proc/self/ns/net", NS_NET, &net, &err), &err);
	assert_ok(ns_open_of(getpid(), NS_NET, &same, &err), &err);
	assert_int_equal(ns_same(net, same, &err), 1);
	assert_fails(ns_open("/proc/self/ns/net", NS_PID, &fd, &err), &err, ERR_INVALID,
		     "of kind network, not pid");
	assert_fails(ns_open("/etc/passwd", NS_PID, &fd, &err), &err, ERR_INVALID,
		     "not a namespace");
	assert_fails(ns_open("/none", NS_PID, &fd, &err), &err, ERR_NOT_FOUND, "/none");
}

static int join_net(void *arg)
{
	return ns_join(*(int *)arg, NS_NET, NULL) < 0;
}

static void a_namespace_is_joined_by_fd(void **state)
{
	CLEANUP(fd_close) int net = -1;
	struct err err = ERR_INIT;

	need_root();
	assert_ok(ns_open_of(0, NS_NET, &net, &err), &err);
	assert_int_equal(run(&(struct proc_clone){ .fn = join_net, .arg = &net, .cgroup_fd = -1 }),
			 0);
	assert_fails(ns_join(0, NS_NET, &err), &err, ERR_SYSTEM, "join network");
}

static void id_maps_are_checked_and_written(void **state)
{
	const struct ns_id_map ok = { 0, 100000, 10 }, none = { 0, 0, 0 };
	const struct ns_id_map twice[] = { { 0, 100000, 10 }, { 9, 200000, 10 } };
	CLEANUP(fd_close) int user = -1;
	struct err err = ERR_INIT;
	int fd = -1;

	assert_fails(ns_user_make(&ok, 1, &ok, 0, &fd, &err), &err, ERR_INVALID,
		     "gid mappings: 0 entries");
	assert_fails(ns_user_make(&none, 1, &ok, 1, &fd, &err), &err, ERR_INVALID, "size 0");
	assert_fails(ns_user_make(twice, 2, &ok, 1, &fd, &err), &err, ERR_INVALID,
		     "0 and 1 overlap");
	need_root();
	assert_ok(ns_user_make(&ok, 1, &ok, 1, &user, &err), &err);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* its helper is gone */
}

static int in_new_time(void *arg)
{
	const struct ns_time_offset boot = { true, 86400, 0 }, bad = { true, 0, 2000000000 };
	struct err err = ERR_INIT;
	struct timespec before, after;

	if (unshare(CLONE_NEWTIME) < 0 || ns_write_time_offsets(0, &bad, NULL, &err) >= 0 ||
	    ns_write_time_offsets(0, NULL, &boot, &err) < 0)
		return 1;
	clock_gettime(CLOCK_BOOTTIME, &before);
	if (fork() == 0) {
		clock_gettime(CLOCK_BOOTTIME, &after);
		_exit(after.tv_sec - before.tv_sec >= 86400 ? 0 : 2);
	}
	int status;
	wait(&status);
	return WEXITSTATUS(status);
}

static void time_offsets_move_the_boot_clock(void **state)
{
	need_root();
	if (!ns_supported(NS_TIME))
		skip();
	assert_int_equal(run(&(struct proc_clone){ .fn = in_new_time, .cgroup_fd = -1 }), 0);
}

/* ---- capabilities ---- */

static void capabilities_have_names_and_numbers(void **state)
{
	uint64_t mask;
	struct err err = ERR_INIT;

	assert_int_equal(caps_number("CAP_CHOWN"), 0);
	assert_int_equal(caps_number("sys_admin"), 21);
	assert_int_equal(caps_number("CAP_CHECKPOINT_RESTORE"), 40);
	assert_int_equal(caps_number("CAP_"), -1);
	assert_int_equal(caps_number("CAP_FLY"), -1);
	for (unsigned i = 0; i < caps_known(); i++)
		assert_int_equal(caps_number(caps_name(i)), i);
	assert_null(caps_name(caps_known()));
	assert_ok(caps_kernel_mask(&mask, &err), &err);
	assert_int_equal(mask & 1, 1);
	assert_true(__builtin_popcountll(mask) >= 38);
}

static int become_small(void *arg)
{
	const uint64_t net = 1u << 10, chown = 1u;
	const struct caps want = { .bounding = net | chown,
				   .effective = net,
				   .permitted = net | chown,
				   .inheritable = net,
				   .ambient = net };
	const struct caps more = { .permitted = net | 1u << 21, .effective = 0 };
	const gid_t groups[] = { 7, 8 };
	struct err err = ERR_INIT;
	struct caps now;

	if (caps_drop_bounding(&want, &err) < 0 || caps_keep(true, &err) < 0 ||
	    caps_set_ids(1234, 5678, groups, 2, false, &err) < 0 || caps_apply(&want, &err) < 0 ||
	    caps_self(&now, &err) < 0)
		return 1;
	if (memcmp(&now, &want, sizeof(now)) != 0 || getuid() != 1234 || getegid() != 5678 ||
	    getgroups(0, NULL) != 2)
		return 2;
	if (caps_apply(&more, &err) >= 0 || err.code != ERR_FORBIDDEN ||
	    caps_set_ids(0, 0, NULL, 0, true, &err) >= 0)
		return 3;
	/* Without the right to drop: what is gone is no failure, what is there is one. */
	if (caps_drop_bounding(&want, &err) < 0 || caps_drop_bounding(&more, &err) >= 0 ||
	    err.sys != EPERM || !strstr(err.msg, "drop CAP_CHOWN"))
		return 4;
	return 0;
}

static void all_five_sets_are_set_and_read_back(void **state)
{
	need_root();
	assert_int_equal(run(&(struct proc_clone){ .fn = become_small, .cgroup_fd = -1 }), 0);
	assert_int_equal(
		run(&(struct proc_clone){ .fn = become_small, .cgroup_fd = -1, .shared = true }),
		0);
	assert_int_equal(getuid(), 0); /* a shared child's credentials are its own */
}

static int ends(void *arg)
{
	return *(int *)arg;
}

/* In a process of its own: what is ignored there is inherited by no other test. */
static int waits_for_a_child(void *arg)
{
	struct proc p = { .pidfd = -1 };
	struct proc_exit x = { 0 };
	int code = 7;

	if (signal(SIGCHLD, SIG_IGN) == SIG_ERR)
		return 1;
	proc_keep_children();
	if (proc_clone(&(struct proc_clone){ .fn = ends, .arg = &code, .cgroup_fd = -1 }, &p,
		       NULL) < 0)
		return 2;
	return proc_wait(p.pidfd, -1, &x, NULL) < 0 ? 3 : proc_exit_code(&x);
}

static void children_are_kept_when_sigchld_was_ignored(void **state)
{
	struct proc p = { .pidfd = -1 };
	struct proc_exit x = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_ok(proc_clone(&(struct proc_clone){ .fn = waits_for_a_child, .cgroup_fd = -1 }, &p,
			     &err),
		  &err);
	assert_ok(proc_wait(p.pidfd, -1, &x, &err), &err);
	assert_int_equal(proc_exit_code(&x), 7);
	proc_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(children_are_kept_when_sigchld_was_ignored),
		cmocka_unit_test(a_shared_child_writes_our_memory_a_forked_one_does_not),
		cmocka_unit_test(children_are_born_in_new_namespaces),
		cmocka_unit_test(a_fd_that_is_no_v2_cgroup_only_clears_in_cgroup),
		cmocka_unit_test(a_process_is_known_by_its_start_time),
		cmocka_unit_test(fds_are_closed_but_for_those_to_keep),
		cmocka_unit_test(settings_of_the_calling_process),
		cmocka_unit_test(namespaces_are_opened_by_path_and_kind),
		cmocka_unit_test(a_namespace_is_joined_by_fd),
		cmocka_unit_test(id_maps_are_checked_and_written),
		cmocka_unit_test(time_offsets_move_the_boot_clock),
		cmocka_unit_test(capabilities_have_names_and_numbers),
		cmocka_unit_test(all_five_sets_are_set_and_read_back),
	};

	return cmocka_run_group_tests_name("linux/proc", tests, NULL, NULL);
}
