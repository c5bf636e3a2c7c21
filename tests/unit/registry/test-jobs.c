/* SPDX-License-Identifier: Apache-2.0 */
/* The durable queue and its runner: order by lane, back-off, dead letters, what a death leaves. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "registry/jobs-run.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ARENA_MAX (1u << 20)

struct box {
	char dir[64], path[96];
	struct loop *loop;
	struct jobs *jobs;
	struct runner *runner;
	char log[16384]; /* bodies in the order of their begin */
	struct run *held;
	bool hold;	 /* the next job waits for us */
	const char *bad; /* a body that fails */
	enum run_result how;
	bool told;
	int told_result;
	struct err err;
};

static void ok_at(struct box *b, int r, int line)
{
	if (r < 0)
		fail_msg("line %d: %s", line, b->err.msg);
}
#define OK(b, call) ok_at(b, call, __LINE__)

static void added(void *ctx, const char *queue, const char *lane)
{
	struct box *b = ctx;

	if (b->runner && strcmp(queue, "q") == 0)
		runner_poke(b->runner, lane);
}

static void start(void *ctx, struct run *run)
{
	struct box *b = ctx;

	(void)snprintf(b->log + strlen(b->log), sizeof(b->log) - strlen(b->log), "%s ",
		       run->job.body);
	if (b->hold)
		b->held = run;
	else if (b->bad && strcmp(run->job.body, b->bad) == 0)
		run_end(run, b->how, "it is bad");
	else
		run_end(run, RUN_DONE, NULL);
}

static void open_queue(struct box *b)
{
	OK(b, jobs_open(b->path, b->loop, added, b, &b->jobs, &b->err));
}

static void open_runner_with(struct box *b, unsigned tries, int64_t max)
{
	const struct runner_conf c = { .queue = "q",
				       .at_once = 2,
				       .tries_max = tries,
				       .first = max / 4,
				       .max = max,
				       .arena_max = ARENA_MAX,
				       .start = start,
				       .ctx = b };

	b->runner = runner_new(b->loop, b->jobs, &c);
	runner_poke(b->runner, NULL);
}

static void open_runner(struct box *b, unsigned tries)
{
	open_runner_with(b, tries, 4 * NS_PER_MS);
}

static void close_all(struct box *b)
{
	runner_stop(b->runner);
	if (b->held)
		run_drop(b->held);
	b->held = NULL;
	jobs_close(b->jobs);
	runner_free(b->runner);
	b->jobs = NULL;
	b->runner = NULL;
}

static int setup(void **state)
{
	struct box *b = calloc(1, sizeof(*b));

	strcpy(b->dir, "/tmp/teu-jobs-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	(void)snprintf(b->path, sizeof(b->path), "%s/registry.db", b->dir);
	OK(b, loop_new(&b->loop, &b->err));
	open_queue(b);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;

	close_all(b);
	loop_free(b->loop);
	OK(b, fd_remove_tree(AT_FDCWD, b->dir, &b->err));
	free(b);
	return 0;
}

static void on_told(void *ctx, int result, const struct err *err)
{
	struct box *b = ctx;

	b->told = true;
	b->told_result = result;
}

static void settle(struct box *b)
{
	b->told = false;
	jobs_then(b->jobs, on_told, b);
	while (!b->told)
		OK(b, loop_step(b->loop, NS_PER_SEC, &b->err));
	assert_int_equal(b->told_result, 0);
}

/* Until so many wait and are dead. */
static void until(struct box *b, int64_t waiting, int64_t dead)
{
	int64_t end = clock_mono() + 60 * NS_PER_SEC;
	struct jobs_stat n;

	for (;;) {
		n = jobs_stat(b->jobs, "q");
		if (n.waiting == waiting && n.dead == dead)
			return;
		if (clock_mono() > end)
			fail_msg("%lld wait, %lld are dead: %s", (long long)n.waiting,
				 (long long)n.dead, b->log);
		OK(b, loop_step(b->loop, 50 * NS_PER_MS, &b->err));
	}
}

static void jobs_of_a_lane_keep_their_order(void **state)
{
	struct box *b = *state;

	jobs_add(b->jobs, "q", "a", "a1");
	jobs_add(b->jobs, "q", "a", "a2");
	jobs_add(b->jobs, "other", "a", "x");
	jobs_add(b->jobs, "q", "a", "a3");
	settle(b);
	open_runner(b, 3);
	until(b, 0, 0);
	assert_string_equal(b->log, "a1 a2 a3 ");
	assert_int_equal(jobs_stat(b->jobs, "other").waiting, 1);
	assert_int_equal(runner_stat(b->runner).done, 3);
}

static void what_was_added_outlives_the_process(void **state)
{
	struct box *b = *state;

	jobs_add(b->jobs, "q", "a", "a1");
	settle(b);
	b->hold = true;
	open_runner(b, 3);
	while (!b->held)
		OK(b, loop_step(b->loop, NS_PER_SEC, &b->err));
	close_all(b); /* in the middle of it */
	b->hold = false;
	open_queue(b);
	assert_int_equal(jobs_stat(b->jobs, "q").waiting, 1);
	open_runner(b, 3);
	until(b, 0, 0);
	assert_string_equal(b->log, "a1 a1 ");
}

static void one_lane_that_waits_holds_up_no_other(void **state)
{
	struct box *b = *state;

	b->hold = true;
	jobs_add(b->jobs, "q", "a", "a1");
	settle(b);
	open_runner(b, 3);
	while (!b->held)
		OK(b, loop_step(b->loop, NS_PER_SEC, &b->err));
	b->hold = false;
	jobs_add(b->jobs, "q", "a", "a2");
	jobs_add(b->jobs, "q", "b", "b1");
	jobs_add(b->jobs, "q", "c", "c1");
	until(b, 2, 0);
	assert_string_equal(b->log, "a1 b1 c1 ");
	run_end(STEAL(b->held), RUN_DONE, NULL);
	until(b, 0, 0);
	assert_string_equal(b->log, "a1 b1 c1 a2 ");
}

static void what_fails_too_often_is_dead_until_it_is_revived(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", ARENA_MAX);
	struct box *b = *state;
	struct dead_job dead[4];
	size_t n;

	b->bad = "a1";
	b->how = RUN_FAILED;
	jobs_add(b->jobs, "q", "a", "a1");
	jobs_add(b->jobs, "q", "a", "a2");
	settle(b);
	open_runner(b, 3);
	until(b, 0, 1);
	assert_string_equal(b->log, "a1 a1 a1 a2 ");
	OK(b, jobs_dead(b->jobs, "q", a, dead, 4, &n, &b->err));
	assert_int_equal(n, 1);
	assert_string_equal(dead[0].error, "it is bad");
	assert_int_equal(dead[0].tries, 3);
	b->bad = NULL;
	jobs_revive(b->jobs, "q");
	until(b, 0, 0);
	assert_string_equal(b->log, "a1 a1 a1 a2 a1 ");
}

static void the_hopeless_die_at_once_and_can_be_dropped(void **state)
{
	struct box *b = *state;

	b->bad = "a1";
	b->how = RUN_HOPELESS;
	jobs_add(b->jobs, "q", "a", "a1");
	settle(b);
	open_runner(b, 100);
	until(b, 0, 1);
	jobs_drop_dead(b->jobs, "q");
	until(b, 0, 0);
	assert_string_equal(b->log, "a1 ");
}

static void a_peer_that_is_away_is_asked_for_one_job_alone(void **state)
{
	struct box *b = *state;

	b->bad = "a1";
	b->how = RUN_AWAY;
	jobs_add(b->jobs, "q", "a", "a1");
	settle(b);
	open_runner(b, 1000);
	while (!b->log[0])
		OK(b, loop_step(b->loop, NS_PER_SEC, &b->err));
	b->bad = NULL; /* it is back */
	jobs_add(b->jobs, "q", "b", "b1");
	until(b, 0, 0);
	assert_memory_equal(b->log, "a1 ", 3);
	assert_non_null(strstr(b->log, "b1"));
}

static void lanes_that_wait_are_not_looked_at_again(void **state)
{
	struct box *b = *state;
	char lane[16];
	uint64_t before;

	b->bad = "bad";
	b->how = RUN_FAILED;
	for (unsigned i = 0; i < 600; i++) {
		(void)snprintf(lane, sizeof(lane), "l%u", i);
		jobs_add(b->jobs, "q", lane, "bad");
	}
	settle(b);
	open_runner_with(b, 100, 3600 * NS_PER_SEC);
	while (runner_stat(b->runner).failed < 600 || runner_stat(b->runner).running)
		OK(b, loop_step(b->loop, NS_PER_SEC, &b->err));
	b->log[0] = '\0';
	for (unsigned i = 0; i < 5; i++) /* what is left of the round */
		OK(b, loop_step(b->loop, 0, &b->err));
	before = runner_stat(b->runner).looked;
	for (unsigned i = 0; i < 10; i++) {
		jobs_add(b->jobs, "q", "fresh", "good");
		until(b, 600, 0);
	}
	assert_true(runner_stat(b->runner).looked - before < 100);
	b->bad = NULL;
	jobs_hurry(b->jobs, "q");
	until(b, 0, 0);
}

static void a_queue_is_bounded_and_its_dead_make_room(void **state)
{
	struct box *b = *state;

	for (unsigned i = 0; i < JOBS_MAX; i++)
		jobs_add(b->jobs, "full", "a", "x");
	jobs_add(b->jobs, "full", "a", "lost");
	settle(b);
	assert_int_equal(jobs_stat(b->jobs, "full").waiting, JOBS_MAX);
	assert_int_equal(jobs_stat(b->jobs, "full").lost, 1);
	jobs_failed(b->jobs, "full", &(struct jobs_failure){ .id = 1, .dead = true, .error = "no" },
		    NULL, NULL);
	jobs_add(b->jobs, "other", "a", "x"); /* the writer has done what came before */
	settle(b);
	assert_int_equal(jobs_stat(b->jobs, "full").dead, 1);
	jobs_add(b->jobs, "full", "a", "in its place");
	settle(b);
	assert_int_equal(jobs_stat(b->jobs, "full").dead, 0);
	assert_int_equal(jobs_stat(b->jobs, "full").waiting, JOBS_MAX);
	assert_int_equal(jobs_stat(b->jobs, "full").lost, 1);
}

static void back_off_doubles_up_to_its_limit(void **state)
{
	for (unsigned tries = 1; tries < 40; tries++) {
		int64_t want = MIN(NS_PER_SEC << MIN(tries - 1, 30u), 60 * NS_PER_SEC);
		int64_t before = clock_real();
		int64_t got = jobs_next_try(tries, NS_PER_SEC, 60 * NS_PER_SEC);

		assert_true(got - before >= want * 8 / 10);
		assert_true(got - clock_real() <= want * 12 / 10);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(jobs_of_a_lane_keep_their_order, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_added_outlives_the_process, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_lane_that_waits_holds_up_no_other, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_fails_too_often_is_dead_until_it_is_revived,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_hopeless_die_at_once_and_can_be_dropped, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_peer_that_is_away_is_asked_for_one_job_alone,
						setup, teardown),
		cmocka_unit_test_setup_teardown(lanes_that_wait_are_not_looked_at_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_queue_is_bounded_and_its_dead_make_room, setup,
						teardown),
		cmocka_unit_test(back_off_doubles_up_to_its_limit),
	};

	return cmocka_run_group_tests_name("jobs", tests, NULL, NULL);
}
