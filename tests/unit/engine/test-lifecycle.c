/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers through all their states against the real runtime: operations and their order, restart
 * policies, sharing of namespaces, several engines, many containers.
 */
#include "world.h"

#include <dirent.h>
#include <sched.h>
#include <sys/wait.h>

/* ---- plain life ---- */

static void a_container_runs_and_its_exit_code_and_log_are_kept(void **state)
{
	struct world *w = *state;
	struct container *c = shell(w, "echo hello; exit 7", "");

	start(w, c);
	assert_int_equal(wait_exit(w, c), 7);
	assert_int_equal(container_get_state(c)->status, CT_EXITED);
	assert_true(log_has(c, "{\"log\":\"hello\\n\",\"stream\":\"stdout\","));
}

static void a_stopped_container_starts_again_and_is_removed(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, SLEEPER);

	for (int i = 0; i < 3; i++) {
		start(w, c);
		assert_true(container_get_state(c)->pid > 0);
		assert_int_equal(container_get_state(c)->exit_code, 0);
		engine_stop(w->e, c, SIGKILL, 5, on_done, w);
		wait_done(w);
		assert_int_equal(w->result, 0);
		assert_int_equal(container_get_state(c)->exit_code, 137);
	}
	assert_int_equal(rm(w, c, false), 0);
	assert_null(find(w, w->id));
}

static void what_is_so_already_is_told_by_1(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, SLEEPER);

	assert_int_equal(stop(w, c, 0), 1);
	start(w, c);
	assert_int_equal(try_start(w, c), 1);
	assert_int_equal(stop(w, c, 0), 0);
	assert_int_equal(stop(w, c, 0), 1);
}

static void a_running_container_is_not_removed_without_force(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, SLEEPER);

	start(w, c);
	assert_int_equal(rm(w, c, false), -ERR_CONFLICT);
	assert_non_null(strstr(w->err.msg, "container is running: stop the container before"));
	assert_int_equal(rm(w, c, true), 0);
	assert_int_equal(engine_container_count(w->e), 0);
}

static void programs_that_cannot_run_fail_the_start(void **state)
{
	static const struct {
		const char *cmd, *text;
		int exit_code;
	} cases[] = {
		{ "no-such-program", "executable file not found", 127 },
		{ "/etc/passwd", "permission denied", 126 },
	};
	struct world *w = *state;
	char json[256], path[256];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct container *c;

		(void)snprintf(json, sizeof(json),
			       "{\"Image\":\"busybox\",\"Cmd\":[\"%s\"]," NONE "}", cases[i].cmd);
		c = create(w, json);
		assert_int_equal(try_start(w, c), -ERR_BAD_REQUEST);
		assert_non_null(strstr(w->err.msg, cases[i].text));
		assert_int_equal(container_get_state(c)->exit_code, cases[i].exit_code);
		assert_int_equal(container_get_state(c)->status, CT_CREATED);
		assert_string_equal(container_get_state(c)->error, w->err.msg);
		(void)snprintf(path, sizeof(path), "%s/oci/%s", w->run, container_id(c));
		assert_int_equal(access(path, F_OK), -1);
	}
}

static void stop_waits_then_kills(void **state)
{
	struct world *w = *state;
	struct container *c =
		shell(w, "trap 'exit 9' USR1; trap '' TERM; while :; do sleep 0.1; done", "");
	int64_t before;

	start(w, c);
	run_for(w, 200);
	before = clock_mono();
	assert_int_equal(stop(w, c, 1), 0);
	assert_true(clock_mono() - before >= NS_PER_SEC);
	assert_int_equal(container_get_state(c)->exit_code, 137);
	start(w, c);
	run_for(w, 200);
	engine_stop(w->e, c, SIGUSR1, 10, on_done, w);
	wait_done(w);
	assert_int_equal(container_get_state(c)->exit_code, 9);
}

static void kill_tells_when_the_container_has_ended(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, SLEEPER);

	engine_kill(w->e, c, SIGKILL, on_done, w);
	assert_false(w->done); /* never before the call returned */
	wait_done(w);
	assert_int_equal(w->result, -ERR_CONFLICT);
	assert_non_null(strstr(w->err.msg, "is not running"));
	start(w, c);
	engine_kill(w->e, c, SIGKILL, on_done, w);
	wait_done(w);
	assert_int_equal(w->result, 0);
	assert_int_equal(container_get_state(c)->status, CT_EXITED);
}

static void names_are_unique_and_free_again_after_removal(void **state)
{
	struct world *w = *state;
	struct container *c, *d;

	assert_int_equal(try_create(w, SLEEPER, "first"), 0);
	c = find(w, "first");
	assert_int_equal(try_create(w, SLEEPER, "/first"), -ERR_CONFLICT);
	assert_non_null(strstr(w->err.msg, "\"/first\" is already in use by container"));
	assert_int_equal(try_create(w, SLEEPER, "no good"), -ERR_BAD_REQUEST);
	d = create(w, SLEEPER);
	engine_rename(w->e, d, "first", on_done, w);
	wait_done(w);
	assert_int_equal(w->result, -ERR_CONFLICT);
	engine_rename(w->e, c, "second", on_done, w);
	wait_done(w);
	assert_int_equal(w->result, 0);
	assert_null(find(w, "first"));
	assert_ptr_equal(find(w, "/second"), c);
	engine_rename(w->e, c, "second", on_done, w);
	wait_done(w);
	assert_int_equal(w->result, -ERR_BAD_REQUEST);
	engine_rename(w->e, d, "first", on_done, w);
	wait_done(w);
	assert_int_equal(w->result, 0);
	assert_int_equal(rm(w, c, false), 0);
	assert_int_equal(try_create(w, SLEEPER, "second"), 0);
}

/* ---- the queue ---- */

struct tally {
	unsigned done;
	int result[64];
};
struct one {
	struct tally *t;
	unsigned i;
};

static void count(void *arg, int result, struct err *err)
{
	struct one *o = arg;

	(void)err;
	o->t->result[o->i] = result;
	o->t->done++;
}

static void wait_tally(struct world *w, struct tally *t, unsigned n)
{
	int64_t until = clock_mono() + 60 * NS_PER_SEC;

	while (t->done < n && clock_mono() < until)
		step(w, 100);
	assert_int_equal(t->done, n);
}

static void operations_on_one_container_keep_their_order(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, SLEEPER);
	struct tally t = { 0 };
	struct one o[8];

	for (unsigned i = 0; i < 8; i++)
		o[i] = (struct one){ &t, i };
	engine_start(w->e, c, count, &o[0]);
	engine_start(w->e, c, count, &o[1]);
	engine_restart(w->e, c, 0, 0, count, &o[2]);
	engine_stop(w->e, c, 0, 0, count, &o[3]);
	engine_start(w->e, c, count, &o[4]);
	engine_remove(w->e, c, true, false, count, &o[5]);
	engine_start(w->e, c, count, &o[6]);
	engine_remove(w->e, c, true, false, count, &o[7]);
	assert_int_equal(t.done, 0);
	wait_tally(w, &t, 8);
	assert_int_equal(t.result[0], 0);
	assert_int_equal(t.result[1], 1);
	assert_int_equal(t.result[2], 0);
	assert_int_equal(t.result[3], 0);
	assert_int_equal(t.result[4], 0);
	assert_int_equal(t.result[5], 0);
	assert_int_equal(t.result[6], -ERR_NOT_FOUND);
	assert_int_equal(t.result[7], -ERR_NOT_FOUND);
	assert_null(find(w, w->id));
}

static void a_thousand_queued_calls_do_not_nest(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, SLEEPER);
	struct tally t = { 0 };
	struct one o = { &t, 0 };

	for (unsigned i = 0; i < 1000; i++)
		engine_stop(w->e, c, 0, 0, count, &o);
	wait_tally(w, &t, 1000);
}

static void closing_answers_every_call_once(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, SLEEPER), *d = create(w, SLEEPER), *x = create(w, SLEEPER);
	struct tally t = { 0 };
	struct one o[8];

	for (unsigned i = 0; i < 8; i++)
		o[i] = (struct one){ &t, i };
	start(w, c);
	start(w, d);
	engine_stop(w->e, c, SIGUSR2, 100, count, &o[0]); /* sleep as init ignores it */
	engine_remove(w->e, c, true, false, count, &o[1]);
	engine_kill(w->e, d, SIGUSR2, count, &o[2]);
	engine_rename(w->e, d, "other", count, &o[3]);
	engine_start(w->e, x, count, &o[4]);
	engine_resize(w->e, d, 10, 10, count, &o[5]);
	step(w, 0);
	engine_close(w->e);
	w->e = NULL;
	assert_int_equal(t.done, 6);
	open_engine(w);
	assert_int_equal(engine_container_count(w->e), 3);
	wait_status(w, find(w, w->id), CT_CREATED);
}

/* ---- auto-removal ---- */

static void an_auto_removed_container_goes_by_itself(void **state)
{
	struct world *w = *state;
	struct container *c = shell(w, "exit 5", ",\"AutoRemove\":true");
	struct waiter x = { .w = w };

	x.wait.condition = WAIT_REMOVED;
	x.wait.fn = on_exit_code;
	engine_start(w->e, c, on_done, w);
	wait_done(w);
	engine_wait_start(w->e, c, &x.wait);
	wait_done(w);
	assert_int_equal(w->exit_code, 5);
	assert_null(find(w, w->id));
}

static void a_failed_start_auto_removes_too(void **state)
{
	struct world *w = *state;
	struct container *c =
		create(w, "{\"Image\":\"busybox\",\"Cmd\":[\"nosuch\"],\"HostConfig\":{"
			  "\"NetworkMode\":\"none\",\"AutoRemove\":true}}");

	assert_int_equal(try_start(w, c), -ERR_BAD_REQUEST);
	for (int i = 0; i < 100 && engine_container_count(w->e); i++)
		step(w, 50);
	assert_int_equal(engine_container_count(w->e), 0);
}

static void a_stop_removes_it_and_a_restart_does_not(void **state)
{
	struct world *w = *state;
	struct container *c = shell(w, "sleep 100", ",\"AutoRemove\":true");

	start(w, c);
	engine_restart(w->e, c, 0, 0, on_done, w);
	wait_done(w);
	if (w->result < 0)
		fail_msg("restart: %s", w->err.msg);
	run_for(w, 200);
	assert_int_equal(container_get_state(c)->status, CT_RUNNING);
	assert_int_equal(stop(w, c, 0), 0);
	for (int i = 0; i < 100 && engine_container_count(w->e); i++)
		step(w, 50);
	assert_int_equal(engine_container_count(w->e), 0);
}

/* ---- restart policies ---- */

#define POLICY(name) ",\"RestartPolicy\":{\"Name\":\"" name "\"}"

static void on_failure_tries_as_often_as_it_says(void **state)
{
	struct world *w = *state;
	struct container *c =
		shell(w, "echo run; exit 3",
		      ",\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":2}");

	start(w, c);
	assert_int_equal(wait_exit(w, c), 3);
	assert_int_equal(container_get_state(c)->restart_count, 2);
	assert_int_equal(container_get_state(c)->status, CT_EXITED);
	start(w, c); /* by hand: counted anew */
	assert_int_equal(wait_exit(w, c), 3);
	assert_int_equal(container_get_state(c)->restart_count, 2);
}

static void on_failure_leaves_a_success_alone(void **state)
{
	struct world *w = *state;
	struct container *c = shell(w, "exit 0", POLICY("on-failure"));

	start(w, c);
	assert_int_equal(wait_exit(w, c), 0);
	assert_int_equal(container_get_state(c)->restart_count, 0);
}

static void always_starts_again_until_it_is_stopped(void **state)
{
	struct world *w = *state;
	struct container *c = shell(w, "exit 0", POLICY("always"));

	start(w, c);
	for (int i = 0; i < 200 && container_get_state(c)->restart_count < 3; i++)
		step(w, 50);
	assert_true(container_get_state(c)->restart_count >= 3);
	wait_status(w, c, CT_RESTARTING);
	assert_int_equal(rm(w, c, false), -ERR_CONFLICT);
	assert_non_null(strstr(w->err.msg, "container is restarting"));
	assert_true(stop(w, c, 0) >= 0);
	run_for(w, 1200);
	assert_int_equal(container_get_state(c)->status, CT_EXITED);
}

static void a_kill_by_hand_ends_the_policy(void **state)
{
	struct world *w = *state;
	struct container *c = shell(w, "sleep 100", POLICY("unless-stopped"));

	start(w, c);
	engine_kill(w->e, c, SIGKILL, on_done, w);
	wait_done(w);
	run_for(w, 400);
	assert_int_equal(container_get_state(c)->status, CT_EXITED);
}

static void a_kill_while_restarting_calls_it_off(void **state)
{
	struct world *w = *state;
	struct container *c = shell(w, "exit 1", POLICY("always"));

	start(w, c);
	for (int i = 0; i < 200 && container_get_state(c)->restart_count < 3; i++)
		step(w, 20);
	wait_status(w, c, CT_RESTARTING);
	engine_kill(w->e, c, SIGKILL, on_done, w);
	wait_done(w);
	assert_int_equal(w->result, 0);
	run_for(w, 1500);
	assert_int_equal(container_get_state(c)->status, CT_EXITED);
}

static void policies_hold_over_engine_restarts(void **state)
{
	static const struct {
		const char *policy;
		bool stopped, runs;
	} cases[] = {
		{ POLICY("always"), true, true },
		{ POLICY("unless-stopped"), true, false },
		{ POLICY("unless-stopped"), false, true },
		{ POLICY("no"), true, false },
	};
	struct world *w = *state;
	char ids[ARRAY_LEN(cases)][65];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct container *c = shell(w, "sleep 100", cases[i].policy);

		str_copy(ids[i], sizeof(ids[i]), container_id(c));
		start(w, c);
		if (cases[i].stopped)
			assert_int_equal(stop(w, c, 0), 0);
	}
	engine_close(w->e);
	open_engine(w);
	run_for(w, 300);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		wait_status(w, find(w, ids[i]), cases[i].runs ? CT_RUNNING : CT_EXITED);
}

/* ---- engines come and go ---- */

static void a_container_runs_on_without_its_engine_and_is_found_again(void **state)
{
	struct world *w = *state;
	struct container *c = shell(w, "sleep 0.5; exit 3", "");
	char id[65];

	start(w, c);
	str_copy(id, sizeof(id), w->id);
	engine_close(w->e);
	open_engine(w);
	c = find(w, id);
	assert_int_equal(container_get_state(c)->status, CT_RUNNING);
	assert_int_equal(wait_exit(w, c), 3);
}

static void an_exit_while_no_engine_ran_is_known_afterwards(void **state)
{
	struct world *w = *state;
	struct container *c = shell(w, "sleep 0.2; exit 4", "");
	struct timespec ts = { .tv_nsec = 600 * NS_PER_MS };
	char id[65];

	start(w, c);
	str_copy(id, sizeof(id), w->id);
	engine_close(w->e);
	nanosleep(&ts, NULL);
	open_engine(w);
	wait_status(w, find(w, id), CT_EXITED);
	assert_int_equal(container_get_state(find(w, id))->exit_code, 4);
}

static void a_second_engine_on_the_same_root_is_refused(void **state)
{
	struct world *w = *state;
	struct world other = *w;
	struct err err = ERR_INIT;

	assert_int_equal(try_open(&other, &err), -ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "another engine runs with root"));
	(void)snprintf(other.root, sizeof(other.root), "%s/root2", w->dir);
	assert_int_equal(try_open(&other, &err), -ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "another engine runs with run directory"));
}

static void two_engines_work_side_by_side(void **state)
{
	struct world *w = *state, other;
	struct container *a, *b;
	struct err err = ERR_INIT;

	world_init(&other);
	open_engine(&other);
	import_image(&other);
	a = create(w, "{\"Image\":\"busybox\",\"Cmd\":[\"sleep\",\"100\"]}");
	b = create(&other, "{\"Image\":\"busybox\",\"Cmd\":[\"sleep\",\"100\"]}");
	start(w, a);
	start(&other, b);
	assert_string_not_equal(container_endpoint(a)->ip, container_endpoint(b)->ip);
	assert_string_not_equal(container_endpoint(a)->gateway, container_endpoint(b)->gateway);
	assert_null(find(w, container_id(b)));
	remove_all(&other);
	engine_close(other.e);
	loop_free(other.loop);
	(void)fd_remove_tree(AT_FDCWD, other.dir, &err);
	assert_int_equal(container_get_state(a)->status, CT_RUNNING);
}

/* ---- networks and namespaces ---- */

static void the_bridge_gives_an_address(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, "{\"Image\":\"busybox\",\"Cmd\":[\"sh\",\"-c\",\"ip addr "
					"show eth0; cat /etc/hosts; ip route\"]}");

	expect_log(w, c, "inet 172.");
	assert_true(log_has(c, "default via"));
	assert_string_equal(container_endpoint(c)->ip, "");
}

static void addresses_are_kept_over_an_engine_restart(void **state)
{
	struct world *w = *state;
	char ids[3][65], ips[4][48];

	for (int i = 0; i < 3; i++) {
		struct container *c =
			create(w, "{\"Image\":\"busybox\",\"Cmd\":[\"sleep\",\"100\"]}");

		start(w, c);
		str_copy(ids[i], sizeof(ids[i]), w->id);
		str_copy(ips[i], sizeof(ips[i]), container_endpoint(c)->ip);
	}
	engine_close(w->e);
	open_engine(w);
	run_for(w, 100);
	for (int i = 0; i < 3; i++) {
		const struct container_endpoint *ep = container_endpoint(find(w, ids[i]));

		assert_string_equal(ep->ip, ips[i]);
		assert_int_equal(strlen(ep->endpoint_id), 64);
		assert_true(*ep->gateway && *ep->mac && ep->prefix > 0);
	}
	start(w, create(w, "{\"Image\":\"busybox\",\"Cmd\":[\"sleep\",\"100\"]}"));
	str_copy(ips[3], sizeof(ips[3]), container_endpoint(find(w, w->id))->ip);
	for (int i = 0; i < 3; i++)
		assert_string_not_equal(ips[i], ips[3]);
}

static void a_network_can_be_shared_with_its_files(void **state)
{
	struct world *w = *state;
	struct container *a, *b;
	char json[512], want[128];

	assert_int_equal(
		try_create(w,
			   "{\"Image\":\"busybox\",\"Hostname\":\"owner\",\"Cmd\":["
			   "\"sleep\",\"100\"],\"HostConfig\":{\"ExtraHosts\":[\"friend:9.8."
			   "7.6\"]}}",
			   "owner"),
		0);
	a = find(w, "owner");
	(void)snprintf(
		json, sizeof(json),
		"{\"Image\":\"busybox\",\"Cmd\":[\"sh\",\"-c\",\"hostname; cat /etc/hosts; ip "
		"addr\"],\"HostConfig\":{\"NetworkMode\":\"container:owner\"}}");
	b = create(w, json);
	assert_string_equal(container_spec(b)->config.hostname, "owner");
	assert_int_equal(try_start(w, b), -ERR_CONFLICT);
	assert_non_null(strstr(w->err.msg, "cannot join network of a non running container"));
	start(w, a);
	(void)snprintf(want, sizeof(want), "inet %s/", container_endpoint(a)->ip);
	engine_rename(w->e, a, "renamed", on_done, w); /* the id counts, not the name */
	wait_done(w);
	expect_log(w, b, want);
	assert_true(log_has(b, "9.8.7.6"));
	assert_true(log_has(b, "owner\\n"));
}

static void a_pid_namespace_can_be_shared(void **state)
{
	struct world *w = *state;
	struct container *a = shell(w, "exec sleep 4321", "");
	char json[512];

	start(w, a);
	(void)snprintf(json, sizeof(json), ",\"PidMode\":\"container:%s\"", container_id(a));
	expect_log(w, shell(w, "ps", json), "sleep 4321");
}

/* ---- options as the container sees them ---- */

static void options_have_their_effect(void **state)
{
	static const struct {
		const char *cmd, *host, *want;
	} cases[] = {
		{ "ulimit -n", ",\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":123,\"Hard\":200}]",
		  "123" },
		{ "touch /x 2>&1", ",\"ReadonlyRootfs\":true", "Read-only" },
		{ "cat /proc/sys/net/core/somaxconn",
		  ",\"Sysctls\":{\"net.core.somaxconn\":\"77\"}", "77" },
		{ "grep CapEff /proc/self/status", ",\"CapDrop\":[\"ALL\"]", "0000000000000000" },
		{ "grep NoNewPrivs /proc/self/status", ",\"SecurityOpt\":[\"no-new-privileges\"]",
		  "\\t1" },
		{ "df -k /dev/shm", ",\"ShmSize\":1048576", "1024 " },
		{ "grep ' /t ' /proc/mounts", ",\"Tmpfs\":{\"/t\":\"size=1m\"}", "size=1024k" },
		{ "id -G", ",\"GroupAdd\":[\"4242\"]", "4242" },
		{ "ls /dev/nothing",
		  ",\"Devices\":[{\"PathOnHost\":\"/dev/"
		  "null\",\"PathInContainer\":\"/dev/nothing\"}]",
		  "/dev/nothing" },
		{ "cat /etc/resolv.conf", ",\"Dns\":[\"9.9.9.9\"],\"DnsSearch\":[\"x.org\"]",
		  "nameserver 9.9.9.9" },
		{ "cat /etc/hosts", ",\"ExtraHosts\":[\"far:1.2.3.4\"]", "1.2.3.4\\tfar" },
		{ "ls -d /proc/kcore /proc/1/root; cat /proc/sys/kernel/hostname",
		  ",\"UTSMode\":\"\"", "/proc/kcore" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_log(w, shell(w, cases[i].cmd, cases[i].host), cases[i].want);
}

static void memory_beyond_the_limit_is_told_as_oom(void **state)
{
	struct world *w = *state;
	struct container *c = shell(w, "dd if=/dev/zero of=/dev/null bs=200M count=1",
				    ",\"Memory\":16777216,\"MemorySwap\":16777216");

	start(w, c);
	assert_int_equal(wait_exit(w, c), 137);
	assert_true(container_get_state(c)->oom_killed);
}

static void a_working_directory_is_made(void **state)
{
	struct world *w = *state;

	expect_log(w,
		   create(w, "{\"Image\":\"busybox\",\"WorkingDir\":\"/a/b/c\",\"Cmd\":[\"pwd\"],"
			     "\"User\":\"user\"," NONE "}"),
		   "/a/b/c");
}

static void an_empty_entrypoint_takes_the_images_away(void **state)
{
	struct world *w = *state;

	expect_log(w,
		   create(w, "{\"Image\":\"busybox\",\"Entrypoint\":[\"\"],\"Cmd\":[\"echo\","
			     "\"hi\"]," NONE "}"),
		   "hi");
	assert_int_equal(try_create(w, "{\"Image\":\"busybox\"," NONE "}", NULL), -ERR_BAD_REQUEST);
	assert_non_null(strstr(w->err.msg, "no command specified"));
	assert_int_equal(try_create(w, "{\"Image\":\"nosuch\"," NONE "}", NULL), -ERR_NOT_FOUND);
	assert_non_null(strstr(w->err.msg, "No such image: nosuch"));
}

/* ---- execs ---- */

static int exec(struct world *w, struct container *c, const char *cmd, struct exec_state *st)
{
	const char *const argv[] = { "sh", "-c", cmd };
	const struct exec_spec spec = { .cmd = argv, .ncmd = 3 };
	struct err err = ERR_INIT;
	struct exec *x;
	const char *id;

	if (engine_exec_create(w->e, c, &spec, &id, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(engine_exec_find(w->e, id, &x, &err), 0);
	engine_exec_start(w->e, x, -1, slice_of(NULL, 0), 0, 0, on_done, w);
	wait_done(w);
	for (int i = 0; i < 200; i++) {
		exec_get_state(x, st);
		if (st->has_exit)
			break;
		step(w, 20);
	}
	return w->result;
}

static void an_exec_runs_and_tells_its_code(void **state)
{
	struct world *w = *state;
	struct container *c = create(w, SLEEPER);
	const char *const nosuch[] = { "nosuch" };
	const struct exec_spec spec = { .cmd = nosuch, .ncmd = 1 };
	struct exec_state st;
	struct err err = ERR_INIT;
	struct exec *x;
	const char *id;

	assert_int_equal(engine_exec_create(w->e, c, &spec, &id, &err), -ERR_CONFLICT);
	start(w, c);
	assert_int_equal(exec(w, c, "exit 6", &st), 0);
	assert_int_equal(st.exit_code, 6);
	assert_int_equal(engine_exec_create(w->e, c, &spec, &id, &err), 0);
	assert_int_equal(engine_exec_find(w->e, id, &x, &err), 0);
	engine_exec_start(w->e, x, -1, slice_of(NULL, 0), 0, 0, on_done, w);
	assert_false(w->done);
	wait_done(w);
	assert_int_equal(w->result, -ERR_BAD_REQUEST);
	exec_get_state(x, &st);
	assert_int_equal(st.exit_code, 127);
	engine_exec_start(w->e, x, -1, slice_of(NULL, 0), 0, 0, on_done, w);
	wait_done(w);
	assert_int_equal(w->result, -ERR_CONFLICT);
}

/* ---- events ---- */

struct trail {
	struct event_watch watch;
	struct buf text;
};

static void on_event(struct event_watch *ew, const struct event *ev)
{
	struct trail *t = CONTAINER_OF(ew, struct trail, watch);

	buf_addf(&t->text, "%s-%s ", ev->type[0] == 'n' ? "net" : "", ev->action);
}

static void events_come_in_dockers_order(void **state)
{
	struct world *w = *state;
	struct trail t = { .watch.fn = on_event, .text = BUF_INIT(4096) };
	struct container *c;

	engine_events_watch(w->e, &t.watch);
	c = create(w, "{\"Image\":\"busybox\",\"Cmd\":[\"sleep\",\"100\"]}");
	start(w, c);
	engine_restart(w->e, c, 0, 0, on_done, w);
	wait_done(w);
	assert_int_equal(stop(w, c, 0), 0);
	assert_int_equal(rm(w, c, false), 0);
	engine_events_unwatch(&t.watch);
	assert_string_equal(
		buf_str(&t.text),
		"-create net-connect -start -kill -die net-disconnect -stop net-connect "
		"-start -restart -kill -die net-disconnect -stop -destroy ");
	buf_fini(&t.text);
}

/* ---- many ---- */

static long rss_kib(void)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);
	struct err err = ERR_INIT;
	const char *at;

	if (fd_read_file(AT_FDCWD, "/proc/self/status", &b, &err) < 0)
		return 0;
	at = strstr(buf_str(&b), "VmRSS:");
	return at ? strtoll(at + 6, NULL, 10) : 0;
}

static void fifty_at_once(void **state)
{
	struct world *w = *state;
	struct container *c[50];
	struct tally t = { 0 };
	struct one o[50];
	int64_t before = clock_mono();
	long idle = rss_kib();

	for (unsigned i = 0; i < 50; i++) {
		c[i] = create(w, i % 2 ? SLEEPER
				       : "{\"Image\":\"busybox\",\"Cmd\":[\"sleep\",\"100\"]}");
		o[i] = (struct one){ &t, i };
	}
	for (unsigned i = 0; i < 50; i++)
		engine_start(w->e, c[i], count, &o[i]);
	wait_tally(w, &t, 50);
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(t.result[i], 0);
		assert_int_equal(container_get_state(c[i])->status, CT_RUNNING);
	}
	(void)printf("50 created and started in %lld ms; RSS %ld KiB idle, %ld KiB with 50\n",
		     (long long)((clock_mono() - before) / NS_PER_MS), idle, rss_kib());
	t.done = 0;
	for (unsigned i = 0; i < 50; i++)
		engine_remove(w->e, c[i], true, false, count, &o[i]);
	wait_tally(w, &t, 50);
	assert_int_equal(engine_container_count(w->e), 0);
}

static int run(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_container_runs_and_its_exit_code_and_log_are_kept),
		T(a_stopped_container_starts_again_and_is_removed),
		T(what_is_so_already_is_told_by_1),
		T(a_running_container_is_not_removed_without_force),
		T(programs_that_cannot_run_fail_the_start),
		T(stop_waits_then_kills),
		T(kill_tells_when_the_container_has_ended),
		T(names_are_unique_and_free_again_after_removal),
		T(operations_on_one_container_keep_their_order),
		T(a_thousand_queued_calls_do_not_nest),
		T(closing_answers_every_call_once),
		T(an_auto_removed_container_goes_by_itself),
		T(a_failed_start_auto_removes_too),
		T(a_stop_removes_it_and_a_restart_does_not),
		T(on_failure_tries_as_often_as_it_says),
		T(on_failure_leaves_a_success_alone),
		T(always_starts_again_until_it_is_stopped),
		T(a_kill_by_hand_ends_the_policy),
		T(a_kill_while_restarting_calls_it_off),
		T(policies_hold_over_engine_restarts),
		T(a_container_runs_on_without_its_engine_and_is_found_again),
		T(an_exit_while_no_engine_ran_is_known_afterwards),
		T(a_second_engine_on_the_same_root_is_refused),
		T(two_engines_work_side_by_side),
		T(the_bridge_gives_an_address),
		T(addresses_are_kept_over_an_engine_restart),
		T(a_network_can_be_shared_with_its_files),
		T(a_pid_namespace_can_be_shared),
		T(options_have_their_effect),
		T(memory_beyond_the_limit_is_told_as_oom),
		T(a_working_directory_is_made),
		T(an_empty_entrypoint_takes_the_images_away),
		T(an_exec_runs_and_tells_its_code),
		T(events_come_in_dockers_order),
		T(fifty_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return real_main(argc, argv, run);
}
