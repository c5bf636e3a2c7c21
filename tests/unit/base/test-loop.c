/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct loop *loop;
static int fds_before;

static int setup(void **state)
{
	struct err err = ERR_INIT;

	fds_before = count_fds();
	return loop_new(&loop, &err);
}

static int teardown(void **state)
{
	loop_free(loop);
	loop = NULL;
	assert_int_equal(count_fds(), fds_before);
	return 0;
}

struct pair {
	struct source s;
	struct pair *other;
	int fd, hits;
};

static int on_pair(struct source *s, uint32_t events)
{
	struct pair *p = CONTAINER_OF(s, struct pair, s);

	p->hits++;
	source_fini(&p->other->s);
	source_fini(&p->s);
	source_fini(&p->s);
	return 0;
}

static void pair_open(struct pair *a, struct pair *b)
{
	struct err err = ERR_INIT;

	*a = (struct pair){ .other = b, .fd = eventfd(1, EFD_CLOEXEC) };
	*b = (struct pair){ .other = a, .fd = eventfd(1, EFD_CLOEXEC) };
	assert_ok(source_init(&a->s, loop, a->fd, EPOLLIN, on_pair, &err));
	assert_ok(source_init(&b->s, loop, b->fd, EPOLLIN, on_pair, &err));
}

static void a_source_removed_in_the_round_gets_no_event(void **state)
{
	struct pair a, b;

	pair_open(&a, &b);
	assert_int_equal(loop_step(loop, 0, NULL), 1);
	assert_int_equal(a.hits + b.hits, 1);
	assert_false(source_active(&a.s));
	assert_int_equal(loop_step(loop, 0, NULL), 0);
	fd_close(a.fd);
	fd_close(b.fd);
}

static struct pair fresh;
static int on_swap(struct source *s, uint32_t events)
{
	struct pair *p = CONTAINER_OF(s, struct pair, s);
	struct err err = ERR_INIT;

	p->hits++;
	source_fini(&p->other->s);
	/* Takes the slot that was just given back, for a fd that is not readable. */
	assert_ok(source_init(&fresh.s, loop, fresh.fd, EPOLLIN, on_pair, &err));
	source_fini(&p->s);
	return 0;
}

static void a_reused_slot_gets_no_event_of_its_predecessor(void **state)
{
	struct pair a, b;

	fresh = (struct pair){ .other = &fresh, .fd = eventfd(0, EFD_CLOEXEC) };
	pair_open(&a, &b);
	a.s.fn = b.s.fn = on_swap;
	assert_int_equal(loop_step(loop, 0, NULL), 1);
	assert_int_equal(a.hits + b.hits, 1);
	assert_int_equal(fresh.hits, 0);
	assert_true(source_active(&fresh.s));
	source_fini(&fresh.s);
	fd_close(fresh.fd);
	fd_close(a.fd);
	fd_close(b.fd);
}

static uint32_t seen_events;
static int on_any(struct source *s, uint32_t events)
{
	seen_events = events;
	return 0;
}

static void interest_changes_and_errors_are_told(void **state)
{
	struct source s = SOURCE_INIT;
	struct err err = ERR_INIT;
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_ok(source_init(&s, loop, p[1], 0, on_any, &err));
	assert_int_equal(loop_step(loop, 0, NULL), 0);
	assert_int_equal(source_set(&s, EPOLLOUT), 0);
	assert_int_equal(source_set(&s, EPOLLOUT), 0);
	assert_int_equal(loop_step(loop, 0, NULL), 1);
	assert_int_equal(seen_events, EPOLLOUT);
	assert_int_equal(source_set(&s, 0), 0);
	assert_int_equal(loop_step(loop, 0, NULL), 0);
	fd_close(p[0]);
	assert_int_equal(loop_step(loop, 0, NULL), 1);
	assert_int_equal(seen_events, EPOLLERR);
	source_fini(&s);
	fd_close(p[1]);
	assert_err(source_init(&s, loop, p[1], EPOLLIN, on_any, &err), ERR_SYSTEM, "watch fd");
	assert_false(source_active(&s));
}

static int order[16], norder;
struct numbered {
	struct timer t;
	int n;
};
static int on_timer(struct timer *t)
{
	order[norder++] = CONTAINER_OF(t, struct numbered, t)->n;
	return 0;
}

static void timers_run_in_order_of_their_time(void **state)
{
	static const int delays[] = { 5, 1, 4, 2, 8, 3, 7, 6 };
	struct numbered t[8];
	int64_t start = clock_mono();

	norder = 0;
	for (int i = 0; i < 8; i++) {
		timer_init(&t[i].t, loop, on_timer);
		t[i].n = delays[i];
		timer_set_after(&t[i].t, delays[i] * NS_PER_MS);
	}
	timer_clear(&t[2].t); /* 4 */
	timer_set(&t[4].t, start);
	assert_false(timer_armed(&t[2].t));
	while (norder < 7)
		assert_true(loop_step(loop, -1, NULL) >= 0);
	assert_int_equal(order[0], 8);
	assert_true(clock_mono() - start >= 7 * NS_PER_MS);
	assert_int_equal(order[1], 1);
	assert_int_equal(order[2], 2);
	assert_int_equal(order[3], 3);
	assert_int_equal(order[4], 5);
	assert_int_equal(order[6], 7);
	for (int i = 0; i < 8; i++)
		timer_fini(&t[i].t);
}

static void the_heap_survives_random_use(void **state)
{
	static struct numbered t[500];
	unsigned seed = 1;
	int64_t last = 0;

	for (int i = 0; i < 500; i++)
		timer_init(&t[i].t, loop, on_timer);
	for (int i = 0; i < 20000; i++) {
		seed = seed * 1103515245 + 12345;
		if (seed >> 16 & 1)
			timer_set(&t[(seed >> 17) % 500].t, 1 + (seed >> 8) % 1000);
		else
			timer_clear(&t[(seed >> 17) % 500].t);
	}
	/* Take them out one by one through the smallest: each is the next in order. */
	for (;;) {
		struct numbered *min = NULL;

		for (int i = 0; i < 500; i++)
			if (t[i].t.heap == 1)
				min = &t[i];
		if (!min)
			break;
		assert_true(min->t.due >= last);
		last = min->t.due;
		timer_clear(&min->t);
	}
	for (int i = 0; i < 500; i++)
		assert_false(timer_armed(&t[i].t));
}

static int rearm(struct timer *t)
{
	norder++;
	timer_set(t, 0);
	return 0;
}

static void a_timer_that_rearms_itself_runs_once_a_round(void **state)
{
	struct timer t;

	norder = 0;
	timer_init(&t, loop, rearm);
	timer_set(&t, 0);
	assert_int_equal(loop_step(loop, -1, NULL), 1);
	assert_int_equal(norder, 1);
	timer_fini(&t);
	timer_fini(&t);
	assert_int_equal(loop_step(loop, 2 * NS_PER_MS, NULL), 0);
}

static struct deferred other;
static void on_deferred(struct deferred *d)
{
	norder++;
	deferred_fini(&other);
	deferred_call(d); /* for the next round */
}
static void never(struct deferred *d)
{
	fail();
}

static void deferred_calls_run_once_and_can_be_taken_back(void **state)
{
	struct deferred d;

	norder = 0;
	deferred_init(&d, loop, on_deferred);
	deferred_init(&other, loop, never);
	deferred_call(&d);
	deferred_call(&d);
	deferred_call(&other);
	assert_int_equal(loop_step(loop, -1, NULL), 1);
	assert_int_equal(norder, 1);
	assert_int_equal(loop_step(loop, -1, NULL), 1);
	assert_int_equal(norder, 2);
	deferred_fini(&d);
	assert_int_equal(loop_step(loop, 0, NULL), 0);
}

static int stop_timer(struct timer *t)
{
	loop_stop(t->loop, 42);
	return 0;
}
static int bad_timer(struct timer *t)
{
	return -ERR_CONFLICT;
}

static void run_ends_by_stop_or_by_a_failing_handler(void **state)
{
	struct err err = ERR_INIT;
	struct timer t;

	timer_init(&t, loop, stop_timer);
	timer_set(&t, 0);
	assert_int_equal(loop_run(loop, &err), 42);
	t.fn = bad_timer;
	timer_set(&t, 0);
	assert_err(loop_run(loop, &err), ERR_CONFLICT, "handler failed");
	timer_fini(&t);
}

static int on_signal(struct sigsource *s, const void *info)
{
	const struct signalfd_siginfo *si = info;

	order[norder++] = (int)si->ssi_signo;
	sigsource_fini(s);
	return 0;
}

static void signals_come_as_events(void **state)
{
	struct sigsource a, b, twice;
	struct err err = ERR_INIT;

	norder = 0;
	assert_ok(sigsource_init(&a, loop, SIGUSR1, on_signal, &err));
	assert_ok(sigsource_init(&b, loop, SIGUSR2, on_signal, &err));
	assert_err(sigsource_init(&twice, loop, SIGUSR1, on_signal, &err), ERR_EXISTS,
		   "has a handler");
	sigsource_fini(&twice);
	assert_err(sigsource_init(&twice, loop, 4000, on_signal, &err), ERR_SYSTEM, "signal 4000");
	raise(SIGUSR1);
	raise(SIGUSR2);
	assert_int_equal(loop_step(loop, -1, NULL), 1);
	assert_int_equal(norder, 2);
	assert_int_equal(order[0] + order[1], SIGUSR1 + SIGUSR2);
	assert_int_equal(loop_step(loop, 0, NULL), 0);
	sigsource_fini(&a);
}

static int last_status;
static int on_exit_of(struct child *c, int status)
{
	last_status = status;
	norder++;
	assert_int_equal(c->pidfd, -1);
	return 0;
}

static int run_child(int how)
{
	struct child c = CHILD_INIT;
	struct err err = ERR_INIT;
	pid_t pid = fork();

	if (pid == 0) {
		if (how < 0)
			raise(-how);
		_exit(how);
	}
	norder = 0;
	assert_ok(
		child_init(&c, loop, (int)syscall(SYS_pidfd_open, pid, 0), pid, on_exit_of, &err));
	while (!norder)
		assert_true(loop_step(loop, 5 * NS_PER_SEC, NULL) == 1);
	child_fini(&c);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* reaped */
	return last_status;
}

static void children_are_reaped_with_their_status(void **state)
{
	struct child c = CHILD_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(WEXITSTATUS(run_child(7)), 7);
	assert_true(WIFSIGNALED(run_child(-SIGKILL)));
	assert_int_equal(WTERMSIG(last_status), SIGKILL);
	assert_err(child_init(&c, loop, -1, 1, on_exit_of, &err), ERR_SYSTEM, "watch process 1");
}

static void somebody_elses_child_has_no_status(void **state)
{
	struct child c = CHILD_INIT;
	struct err err = ERR_INIT;
	pid_t pid = fork();
	int pidfd;

	if (pid == 0)
		_exit(0);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid); /* reaped behind the loop's back */
	norder = 0;
	assert_ok(child_init(&c, loop, pidfd, pid, on_exit_of, &err));
	assert_int_equal(loop_step(loop, NS_PER_SEC, NULL), 1);
	assert_int_equal(norder, 1);
	assert_int_equal(last_status, -1);
}

#define SENDERS 4
#define PER_SENDER 5000
struct item {
	struct post post;
	int sender, n;
};
static struct item items[SENDERS][PER_SENDER];
static int got[SENDERS], total;

static void on_item(struct post *p)
{
	struct item *i = CONTAINER_OF(p, struct item, post);

	assert_int_equal(i->n, got[i->sender]);
	got[i->sender]++;
	total++;
}

static void *sender(void *arg)
{
	struct item *mine = arg;

	for (int i = 0; i < PER_SENDER; i++)
		loop_post(loop, &mine[i].post);
	return NULL;
}

static void posts_of_many_threads_all_arrive_in_order(void **state)
{
	pthread_t th[SENDERS];

	total = 0;
	memset(got, 0, sizeof(got));
	for (int s = 0; s < SENDERS; s++) {
		for (int i = 0; i < PER_SENDER; i++)
			items[s][i] = (struct item){ { .fn = on_item }, s, i };
		assert_int_equal(pthread_create(&th[s], NULL, sender, items[s]), 0);
	}
	while (total < SENDERS * PER_SENDER)
		assert_int_equal(loop_step(loop, 5 * NS_PER_SEC, NULL), 1);
	for (int s = 0; s < SENDERS; s++)
		pthread_join(th[s], NULL);
	/* At most one late wake-up. */
	(void)loop_step(loop, 0, NULL);
	assert_int_equal(loop_step(loop, 0, NULL), 0);
}

struct told {
	struct source s;
	struct post p;
	int fd;
};
static struct told told[2];
static char told_order[8];

static void on_told(struct post *p)
{
	strcat(told_order, "p");
}

static int tells(struct source *s, uint32_t events)
{
	struct told *t = CONTAINER_OF(s, struct told, s);

	strcat(told_order, "s");
	source_fini(s);
	t->p.fn = on_told;
	loop_post(loop, &t->p); /* as another thread would */
	return 0;
}

static void a_post_does_not_wait_for_the_rest_of_the_round(void **state)
{
	struct err err = ERR_INIT;

	told_order[0] = '\0';
	for (int i = 0; i < 2; i++) {
		told[i].fd = eventfd(1, EFD_CLOEXEC);
		assert_ok(source_init(&told[i].s, loop, told[i].fd, EPOLLIN, tells, &err));
	}
	assert_int_equal(loop_step(loop, 0, NULL), 1);
	assert_string_equal(told_order, "spsp");
	for (int i = 0; i < 2; i++)
		fd_close(told[i].fd);
}

static void what_outlives_the_loop_is_detached(void **state)
{
	struct err err = ERR_INIT;
	struct sigsource sig;
	struct deferred d;
	struct timer t;
	struct pair a, b;
	struct loop *l;

	assert_ok(loop_new(&l, &err));
	struct loop *saved = loop;

	loop = l;
	pair_open(&a, &b);
	loop = saved;
	timer_init(&t, l, on_timer);
	timer_set_after(&t, 1);
	deferred_init(&d, l, never);
	deferred_call(&d);
	assert_ok(sigsource_init(&sig, l, SIGWINCH, on_signal, &err));
	loop_free(l);
	loop_free(NULL);
	source_fini(&a.s);
	source_fini(&b.s);
	timer_fini(&t);
	deferred_fini(&d);
	sigsource_fini(&sig);
	fd_close(a.fd);
	fd_close(b.fd);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_source_removed_in_the_round_gets_no_event),
		CASE(a_reused_slot_gets_no_event_of_its_predecessor),
		CASE(interest_changes_and_errors_are_told),
		CASE(timers_run_in_order_of_their_time),
		CASE(the_heap_survives_random_use),
		CASE(a_timer_that_rearms_itself_runs_once_a_round),
		CASE(deferred_calls_run_once_and_can_be_taken_back),
		CASE(run_ends_by_stop_or_by_a_failing_handler),
		CASE(signals_come_as_events),
		CASE(children_are_reaped_with_their_status),
		CASE(somebody_elses_child_has_no_status),
		CASE(posts_of_many_threads_all_arrive_in_order),
		CASE(a_post_does_not_wait_for_the_rest_of_the_round),
		CASE(what_outlives_the_loop_is_detached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
