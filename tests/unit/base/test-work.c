/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "base/clock.h"
#include "base/work.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

static struct loop *loop;
static sem_t gate;
static _Atomic int ran;
static int done;
static pthread_t loop_thread;

static int setup(void **state)
{
	struct err err = ERR_INIT;

	ran = done = 0;
	loop_thread = pthread_self();
	sem_init(&gate, 0, 0);
	return loop_new(&loop, &err);
}

static int teardown(void **state)
{
	loop_free(loop);
	sem_destroy(&gate);
	return 0;
}

static void run_count(struct work *w)
{
	sigset_t mask;

	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	if (!pthread_equal(pthread_self(), loop_thread) && sigismember(&mask, SIGTERM))
		ran++;
}

static void run_gate(struct work *w)
{
	sem_wait(&gate);
	ran++;
}

static void done_count(struct work *w)
{
	assert_true(pthread_equal(pthread_self(), loop_thread));
	done++;
}

static void jobs_run_on_threads_and_end_on_the_loop(void **state)
{
	CLEANUP(work_pool_free) struct work_pool *p = NULL;
	static struct work w[100];
	struct err err = ERR_INIT;

	assert_ok(work_pool_new(loop, 3, 100, &p, &err));
	for (int i = 0; i < 100; i++)
		assert_ok(work_submit(p, &w[i], run_count, done_count, &err));
	while (done < 100)
		assert_int_equal(loop_step(loop, 5 * NS_PER_SEC, NULL), 1);
	assert_int_equal(ran, 100);
}

static void a_full_queue_refuses(void **state)
{
	CLEANUP(work_pool_free) struct work_pool *p = NULL;
	static struct work w[20];
	struct err err = ERR_INIT;
	int n = 0;

	assert_ok(work_pool_new(loop, 1, 2, &p, &err));
	while (n < 20 && work_submit(p, &w[n], run_gate, done_count, &err) == 0)
		n++;
	/* One may run already, two wait. */
	assert_true(n == 2 || n == 3);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_words(err.msg, "wait already");
	for (int i = 0; i < 20; i++)
		sem_post(&gate);
	while (done < n)
		assert_int_equal(loop_step(loop, 5 * NS_PER_SEC, NULL), 1);
	assert_ok(work_submit(p, &w[0], run_gate, done_count, &err));
}

static void free_works_the_queue_off(void **state)
{
	struct work_pool *p = NULL;
	static struct work w[10];
	struct err err = ERR_INIT;

	assert_ok(work_pool_new(loop, 2, 10, &p, &err));
	for (int i = 0; i < 10; i++) {
		assert_ok(work_submit(p, &w[i], run_gate, done_count, &err));
		sem_post(&gate);
	}
	work_pool_free(p);
	assert_int_equal(ran, 10);
	assert_int_equal(done, 10);
	work_pool_free(NULL);
}

static void odd_sizes_are_refused(void **state)
{
	struct work_pool *p = NULL;
	struct err err = ERR_INIT;

	assert_err(work_pool_new(loop, 0, 1, &p, &err), ERR_INVALID, "0 threads");
	assert_null(p);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(jobs_run_on_threads_and_end_on_the_loop),
		CASE(a_full_queue_refuses),
		CASE(free_works_the_queue_off),
		CASE(odd_sizes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
