/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks and the words between parent and init. */
#include "rt-check.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static struct conf_hook sh(const char *script, const char **args)
{
	args[0] = "sh";
	args[1] = "-c";
	args[2] = script;
	return (struct conf_hook){ .path = "/bin/sh", .args = { args, 3 } };
}

static int run_one(struct conf_hook *h, struct slice state, struct err *err)
{
	struct conf_hooks all = { 0 };

	all.kind[HOOK_PRESTART].v = h;
	all.kind[HOOK_PRESTART].n = 1;
	return hooks_run(&all, HOOK_PRESTART, state, err);
}

static void a_hook_gets_the_state_on_stdin_and_only_its_own_environment(void **state)
{
	const char *args[3], *env[] = { "ONLY=this" };
	struct conf_hook h = sh(
		"read -r line; [ \"$line\" = hello ] && [ \"$ONLY\" = this ] && [ -z \"$HOME\" ]",
		args);
	struct err err;

	h.env = (struct strs){ env, 1 };
	assert_ok(run_one(&h, SLICE("hello\n"), &err));
	assert_err(run_one(&h, SLICE("other\n"), &err), ERR_SYSTEM, "exited with status 1");
}

static void a_failing_hook_is_named_with_what_it_said(void **state)
{
	const char *args[3];
	struct conf_hook h = sh("echo first >&2; echo no way >&2; exit 3", args);
	struct err err;

	assert_err(run_one(&h, SLICE("{}"), &err), ERR_SYSTEM, "prestart hook 0");
	assert_words(err.msg, "status 3");
	assert_words(err.msg, "no way");
	h = sh("kill -9 $$", args);
	assert_err(run_one(&h, SLICE("{}"), &err), ERR_SYSTEM, "killed by signal 9");
}

static void a_hook_that_cannot_run_is_an_error(void **state)
{
	struct conf_hook h = { .path = "/nonexistent/hook" };
	struct err err;

	assert_err(run_one(&h, SLICE("{}"), &err), ERR_SYSTEM, "run '/nonexistent/hook'");
	assert_int_equal(err.sys, 2);
}

static void a_hook_past_its_time_is_killed(void **state)
{
	const char *args[3];
	struct conf_hook h = sh("exec sleep 100", args);
	struct err err;

	h.timeout = (struct opt_int){ true, 1 };
	assert_err(run_one(&h, SLICE("{}"), &err), ERR_TIMEOUT, "did not end within 1 s");
}

static void a_hook_need_not_read_and_may_say_much(void **state)
{
	const char *args[3];
	struct conf_hook h = sh("i=0; while [ $i -lt 3000 ]; do echo "
				"0123456789012345678901234567890123456789; i=$((i+1)); done",
				args);
	char *big = malloc(1u << 20);
	struct err err;

	memset(big, 'x', 1u << 20);
	assert_ok(run_one(&h, slice_of(big, 1u << 20), &err));
	free(big);
}

static void a_hook_may_leave_a_child_behind(void **state)
{
	const char *args[3];
	struct conf_hook h = sh("sleep 2 & exit 0", args);
	struct err err;

	assert_ok(run_one(&h, SLICE("{}"), &err));
}

static void hooks_run_in_order_and_stop_at_the_first_failure(void **state)
{
	char *root = scratch_root(), script[3][256];
	const char *args[3][3];
	struct conf_hook h[3];
	struct conf_hooks all = { 0 };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(64);
	char path[128];
	struct err err;

	(void)snprintf(path, sizeof(path), "%s.log", root);
	for (int i = 0; i < 3; i++) {
		(void)snprintf(script[i], sizeof(script[i]), "echo %d >> %s; exit %d", i, path,
			       i == 1);
		h[i] = sh(script[i], args[i]);
	}
	all.kind[HOOK_POSTSTART].v = h;
	all.kind[HOOK_POSTSTART].n = 3;
	assert_err(hooks_run(&all, HOOK_POSTSTART, SLICE("{}"), &err), ERR_SYSTEM,
		   "poststart hook 1");
	assert_ok(fd_read_file(-100, path, &b, &err));
	assert_string_equal(buf_str(&b), "0\n1\n");
	assert_int_equal(hooks_mask(&all), 1u << HOOK_POSTSTART);
	/* All of poststop's run; the failure is told all the same. */
	all.kind[HOOK_POSTSTOP].v = h;
	all.kind[HOOK_POSTSTOP].n = 3;
	assert_err(hooks_run(&all, HOOK_POSTSTOP, SLICE("{}"), &err), ERR_SYSTEM,
		   "poststop hook 1");
	buf_clear(&b);
	assert_ok(fd_read_file(-100, path, &b, &err));
	assert_string_equal(buf_str(&b), "0\n1\n0\n1\n2\n");
	scratch_remove(root);
}

static void messages_cross_with_numbers_text_and_fds(void **state)
{
	struct sync_msg m;
	struct err err;
	int s[2], p[2];
	char c = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
	assert_int_equal(pipe(p), 0);
	assert_ok(sync_send(s[0], SYNC_PID, 123456789012, -1, &err));
	assert_int_equal(sync_recv(s[1], &m, &err), 1);
	assert_int_equal(m.type, SYNC_PID);
	assert_true(m.number == 123456789012);
	assert_int_equal(m.fd, -1);
	assert_ok(sync_send(s[0], SYNC_CONSOLE, 0, p[1], &err));
	assert_int_equal(sync_recv(s[1], &m, &err), 1);
	assert_int_equal(write(m.fd, "x", 1), 1);
	assert_int_equal(read(p[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	fd_close(m.fd);
	sync_send_warn(s[0], "careful");
	assert_int_equal(sync_recv(s[1], &m, &err), 1);
	assert_string_equal(m.text, "careful");
	assert_ok(sync_send_cgroup(s[0], &(struct sync_cgroup){ .dirs = "" }, &err));
	assert_ok(sync_wait(s[1], NULL, &err));
	fd_close(p[0]);
	fd_close(p[1]);
	fd_close(s[0]);
	assert_int_equal(sync_recv(s[1], &m, &err), 0);
	assert_err(sync_wait(s[1], NULL, &err), ERR_UNAVAILABLE, "gone");
	fd_close(s[1]);
}

static void an_error_crosses_as_it_was(void **state)
{
	struct serve sv = { .host = &(struct rt_host){ .root = "/" }, .console = -1 };
	struct cause cause = { 0 };
	struct err e = ERR_INIT, err;
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
	(void)err_sysc(&e, ERR_FORBIDDEN, 13, "exec: \"x\"");
	e.causes = &cause;
	sync_send_error(s[0], &e);
	sv.sock = s[1];
	assert_err(rt_serve(&sv, &err), ERR_FORBIDDEN, "exec: \"x\"");
	assert_int_equal(err.sys, 13);
	assert_null(err.causes);
	/* The end of the other side is told after what it said, also when it did not read all. */
	assert_ok(sync_send(s[1], SYNC_GO, 0, -1, &err));
	sync_send_error(s[0], &e);
	fd_close(s[0]);
	assert_err(rt_serve(&sv, &err), ERR_FORBIDDEN, "exec");
	assert_int_equal(rt_serve(&sv, &err), 0);
	fd_close(s[1]);
}

static void a_packet_of_another_shape_is_refused(void **state)
{
	char big[8000] = "";
	struct sync_msg m;
	struct err err;
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
	assert_int_equal(write(s[0], "short", 5), 5);
	assert_err(sync_recv(s[1], &m, &err), ERR_SYSTEM, "none of ours");
	memset(big, 'a', sizeof(big) - 1);
	assert_err(sync_send_cgroup(s[0], &(struct sync_cgroup){ .dirs = big }, &err),
		   ERR_TOO_LARGE, "message");
	fd_close(s[0]);
	fd_close(s[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hook_gets_the_state_on_stdin_and_only_its_own_environment),
		cmocka_unit_test(a_failing_hook_is_named_with_what_it_said),
		cmocka_unit_test(a_hook_that_cannot_run_is_an_error),
		cmocka_unit_test(a_hook_past_its_time_is_killed),
		cmocka_unit_test(a_hook_need_not_read_and_may_say_much),
		cmocka_unit_test(a_hook_may_leave_a_child_behind),
		cmocka_unit_test(hooks_run_in_order_and_stop_at_the_first_failure),
		cmocka_unit_test(messages_cross_with_numbers_text_and_fds),
		cmocka_unit_test(an_error_crosses_as_it_was),
		cmocka_unit_test(a_packet_of_another_shape_is_refused),
	};

	/* As the programs that use the library do. */
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	return cmocka_run_group_tests_name("hook", tests, NULL, NULL);
}
