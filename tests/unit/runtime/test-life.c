/* SPDX-License-Identifier: Apache-2.0 */
/* Ids, signals, exit codes, features, kept fds: what needs no container. */
#include "rt-check.h"

#include "doc/json.h"

#include <unistd.h>

static void ids_follow_the_rules(void **state)
{
	static const char *const good[] = {
		"a",	   "A-b_c.d+e",
		"0",	   "...",
		".hidden", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	};
	static const char *const bad[] = {
		"a/b", "a b", "..", ".", "\xc3\xa9", "a\n", "@x", "a:b"
	};
	char longest[RT_ID_MAX + 2];
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_ok(rt_check_id(good[i], &err));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(rt_check_id(bad[i], &err), ERR_INVALID, "invalid container id format");
	assert_err(rt_check_id("", &err), ERR_INVALID, "cannot be empty");
	assert_err(rt_check_id(NULL, &err), ERR_INVALID, "cannot be empty");
	memset(longest, 'a', sizeof(longest));
	longest[RT_ID_MAX + 1] = '\0';
	assert_err(rt_check_id(longest, &err), ERR_INVALID, "at most");
	longest[RT_ID_MAX] = '\0';
	assert_ok(rt_check_id(longest, &err));
}

static void signals_have_numbers_and_names(void **state)
{
	static const struct {
		const char *text;
		int no;
	} good[] = { { "9", 9 },      { "KILL", 9 },   { "SIGKILL", 9 },     { "sigterm", 15 },
		     { "hup", 1 },    { "RTMIN", 34 }, { "SIGRTMIN+3", 37 }, { "RTMAX-1", 63 },
		     { "RTMAX", 64 }, { "0", 0 },      { "USR1", 10 },	     { "64", 64 } };
	static const char *const bad[] = { "",	       "NOPE",	 "65",	   "-1",
					   "9x",       "SIG",	 "KILL+1", "RTMIN-1",
					   "RTMIN+31", "RTMIN+", " 9",	   "SIGSIGKILL" };
	struct err err;
	int no;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_ok(rt_signal(good[i].text, &no, &err));
		assert_int_equal(no, good[i].no);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(rt_signal(bad[i], &no, &err), ERR_INVALID, "unknown signal");
}

static void exit_codes_are_those_of_engines(void **state)
{
	struct err err;

	(void)err_sysc(&err, ERR_NOT_FOUND, 2, "exec: \"x\"");
	assert_int_equal(rt_exit_code(&err), 127);
	(void)err_sysc(&err, ERR_FORBIDDEN, 13, "exec: \"x\"");
	assert_int_equal(rt_exit_code(&err), 126);
	(void)err_sysc(&err, ERR_NOT_FOUND, 2, "network namespace '/x'");
	assert_int_equal(rt_exit_code(&err), 1);
	(void)err_set(&err, ERR_NOT_FOUND, "container does not exist");
	assert_int_equal(rt_exit_code(&err), 1);
	(void)err_set(&err, ERR_INVALID, "x");
	assert_int_equal(rt_exit_code(&err), 1);
}

static void features_are_json_with_what_engines_read(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("t", 1u << 20);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	struct doc *d;
	struct err err;

	assert_ok(rt_features(&b, &err));
	assert_ok(json_read(a, buf_slice(&b), NULL, &d, &err));
	assert_true(doc_str_is(doc_get(d, "ociVersionMax"), RT_SPEC_VERSION));
	assert_int_equal(doc_len(doc_get(d, "hooks")), 6);
	assert_int_equal(doc_len(doc_find(d, "linux.namespaces")), 8);
	assert_true(doc_len(doc_get(d, "mountOptions")) > 50);
	assert_true(doc_len(doc_find(d, "linux.capabilities")) >= 41);
	assert_true(doc_true(doc_find(d, "linux.seccomp.enabled")));
	assert_true(doc_true(doc_find(d, "linux.cgroup.systemd")));
}

static void kept_fds_must_be_open(void **state)
{
	struct err err;

	assert_ok(rt_check_kept_fds(0, &err));
	assert_err(rt_check_kept_fds(65, &err), ERR_INVALID, "at most 64");
	assert_err(rt_check_kept_fds(64, &err), ERR_INVALID, "is not open");
}

static void listen_fds_come_from_the_environment(void **state)
{
	assert_int_equal(setenv("LISTEN_FDS", "3", 1), 0);
	assert_int_equal(rt_listen_fds(), 3);
	assert_int_equal(setenv("LISTEN_FDS", "-3", 1), 0);
	assert_int_equal(rt_listen_fds(), 0);
	assert_int_equal(setenv("LISTEN_FDS", "999", 1), 0);
	assert_int_equal(rt_listen_fds(), 0);
	assert_int_equal(unsetenv("LISTEN_FDS"), 0);
	assert_int_equal(rt_listen_fds(), 0);
}

static void a_pid_file_is_written_whole(void **state)
{
	char *root = scratch_root(), path[128];
	CLEANUP(buf_fini) struct buf b = BUF_INIT(64);
	struct err err;

	(void)snprintf(path, sizeof(path), "%s.pid", root);
	assert_ok(rt_write_pid_file(path, 4711, &err));
	assert_ok(fd_read_file(-100, path, &b, &err));
	assert_string_equal(buf_str(&b), "4711");
	assert_err(rt_write_pid_file("/nonexistent/x/pid", 1, &err), ERR_SYSTEM,
		   "pid file '/nonexistent/x/pid'");
	scratch_remove(root);
}

static void a_console_socket_that_is_none_is_an_error(void **state)
{
	char path[300];
	struct err err;

	assert_err(rt_send_fd("/nonexistent/sock", 0, "x", &err), ERR_SYSTEM,
		   "socket '/nonexistent/sock'");
	memset(path, 'a', sizeof(path) - 1);
	path[299] = '\0';
	assert_err(rt_send_fd(path, 0, "x", &err), ERR_INVALID, "too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_follow_the_rules),
		cmocka_unit_test(signals_have_numbers_and_names),
		cmocka_unit_test(exit_codes_are_those_of_engines),
		cmocka_unit_test(features_are_json_with_what_engines_read),
		cmocka_unit_test(kept_fds_must_be_open),
		cmocka_unit_test(listen_fds_come_from_the_environment),
		cmocka_unit_test(a_pid_file_is_written_whole),
		cmocka_unit_test(a_console_socket_that_is_none_is_an_error),
	};

	return cmocka_run_group_tests_name("life", tests, NULL, NULL);
}
