/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of connections with a clock of the test and connections that are only told of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/pool.h"

#include <stdlib.h>

struct conn {
	struct pool_conn pc; /* first: a pool_conn is a conn */
	bool sick;
	struct conn *next;
};

struct world {
	struct pool *p;
	int64_t now;
	unsigned opened, closed, told, failed, order[8];
	bool refuse;
	struct conn *last, *all;
	struct pool_conn *got[8];
	enum err_code code;
};

struct who {
	struct pool_wait w;
	struct world *world;
	unsigned i;
};

static int on_open(void *arg, const char *origin, struct pool_conn **ret, struct err *err)
{
	struct world *w = arg;
	struct conn *c;

	if (w->refuse)
		return err_set(err, ERR_UNAVAILABLE, "%s: refused", origin);
	c = calloc(1, sizeof(*c));
	assert_non_null(c);
	c->next = w->all;
	w->last = w->all = c;
	w->opened++;
	*ret = &c->pc;
	return 0;
}

static void on_close(void *arg, struct pool_conn *c)
{
	struct world *w = arg;

	(void)c;
	w->closed++;
}

static bool on_healthy(void *arg, struct pool_conn *c)
{
	(void)arg;
	return !((struct conn *)c)->sick;
}

static int64_t on_now(void *arg)
{
	return ((struct world *)arg)->now;
}

static void on_told(struct pool_wait *pw, struct pool_conn *c, struct err *err)
{
	struct who *who = (struct who *)pw;

	who->world->order[who->world->told++] = who->i;
	who->world->got[who->i] = c;
	if (!c) {
		who->world->failed++;
		who->world->code = err->code;
	}
}

static const struct pool_ops ops = { on_open, on_close, on_healthy };

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	*state = w;
	w->now = NS_PER_SEC;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	pool_free(w->p);
	while (w->all) {
		struct conn *c = w->all;

		w->all = c->next;
		free(c);
	}
	free(w);
	return 0;
}

static void make(struct world *w, struct pool_conf conf)
{
	conf.ops = &ops;
	conf.arg = w;
	conf.now = on_now;
	w->p = pool_new(&conf);
}

static struct who *who(struct world *w, unsigned i)
{
	static struct who all[8];

	all[i] = (struct who){ .w.fn = on_told, .world = w, .i = i };
	return &all[i];
}

static int get(struct world *w, const char *origin, unsigned i)
{
	struct err err = ERR_INIT;
	int r = pool_get(w->p, origin, &who(w, i)->w, &w->got[i], &err);

	w->code = err.code;
	return r;
}

static void a_connection_is_opened_kept_and_used_again(void **state)
{
	struct world *w = *state;

	make(w, (struct pool_conf){ 0 });
	assert_int_equal(get(w, "a", 0), 0);
	assert_int_equal(w->opened, 1);
	pool_opened(w->p, &w->last->pc, 1);
	assert_int_equal(w->told, 1);
	assert_ptr_equal(w->got[0], &w->last->pc);
	pool_put(w->p, w->got[0]);
	assert_int_equal(pool_get_stats(w->p).idle, 1);
	assert_int_equal(get(w, "a", 1), 1);
	assert_int_equal(get(w, "b", 2), 0);
	assert_int_equal(w->opened, 2);
	assert_int_equal(pool_get_stats(w->p).reused, 1);
	assert_int_equal(pool_get_stats(w->p).origins, 2);
}

static void waiters_are_served_in_order_within_the_limit(void **state)
{
	struct world *w = *state;

	make(w, (struct pool_conf){ .origin_max = 1, .waiting_max = 3 });
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(get(w, "a", i), 0);
	assert_int_equal(get(w, "a", 3), -ERR_QUOTA);
	assert_int_equal(w->opened, 1);
	pool_opened(w->p, &w->last->pc, 1);
	assert_int_equal(w->told, 1);
	pool_put(w->p, w->got[0]);
	assert_int_equal(w->told, 2);
	pool_put(w->p, w->got[1]);
	assert_int_equal(w->order[0] * 100 + w->order[1] * 10 + w->order[2], 12);
}

static void one_connection_may_carry_many_uses(void **state)
{
	struct world *w = *state;

	make(w, (struct pool_conf){ .origin_max = 1 });
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(get(w, "a", i), 0);
	pool_opened(w->p, &w->last->pc, 2);
	assert_int_equal(w->told, 2);
	pool_capacity(w->p, &w->last->pc, 3);
	assert_int_equal(w->told, 3);
	assert_false(pool_take(w->p, w->got[0]));
	pool_put(w->p, w->got[0]);
	assert_int_equal(w->told, 4);
	assert_int_equal(pool_get_stats(w->p).uses, 3);
}

static void idle_connections_are_few_and_grow_old(void **state)
{
	struct world *w = *state;

	make(w, (struct pool_conf){ .idle_max = 2, .idle_time = 10 });
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(get(w, "a", i), 0);
		pool_opened(w->p, &w->last->pc, 1);
	}
	for (unsigned i = 0; i < 4; i++, w->now++)
		pool_put(w->p, w->got[i]);
	assert_int_equal(w->closed, 2);
	assert_int_equal(pool_tick(w->p), w->now - 2 + 10);
	w->now += 8;
	assert_true(pool_tick(w->p) > w->now);
	assert_int_equal(w->closed, 3);
	w->now += 10;
	assert_int_equal(pool_tick(w->p), INT64_MAX);
	assert_int_equal(w->closed, 4);
	assert_int_equal(pool_get_stats(w->p).origins, 0);
}

static void sick_and_old_connections_are_not_used(void **state)
{
	struct world *w = *state;

	make(w, (struct pool_conf){ .life_max = 100 });
	assert_int_equal(get(w, "a", 0), 0);
	pool_opened(w->p, &w->last->pc, 1);
	pool_put(w->p, w->got[0]);
	w->last->sick = true;
	assert_int_equal(get(w, "a", 1), 0);
	assert_int_equal(w->closed, 1);
	pool_opened(w->p, &w->last->pc, 1);
	w->now += 100;
	pool_put(w->p, w->got[1]);
	assert_int_equal(w->closed, 2);
}

static void the_total_limit_takes_from_who_is_idle_longest(void **state)
{
	struct world *w = *state;

	make(w, (struct pool_conf){ .total_max = 2 });
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(get(w, i ? "b" : "a", i), 0);
		pool_opened(w->p, &w->last->pc, 1);
	}
	assert_int_equal(get(w, "c", 2), 0);
	assert_int_equal(w->opened, 2);
	pool_put(w->p, w->got[0]);
	assert_int_equal(get(w, "d", 3), 0);
	assert_int_equal(pool_get_stats(w->p).evicted, 1);
	assert_int_equal(w->opened, 3);
}

static void failures_are_told_and_open_the_circuit(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;

	make(w, (struct pool_conf){ .failures = 3, .open_time = 1000 });
	(void)err_set(&err, ERR_UNAVAILABLE, "refused");
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(get(w, "a", i), 0);
		pool_failed(w->p, &w->last->pc, &err);
		assert_int_equal(w->failed, i + 1);
	}
	assert_int_equal(get(w, "a", 3), -ERR_UNAVAILABLE);
	assert_int_equal(w->opened, 3);
	w->now += 1000;
	assert_int_equal(get(w, "a", 4), 0);
	pool_opened(w->p, &w->last->pc, 1);
	assert_non_null(w->got[4]);
	w->refuse = true;
	assert_int_equal(get(w, "b", 5), -ERR_UNAVAILABLE);
	/* with one that works somebody only waits */
	assert_int_equal(get(w, "a", 5), 0);
	pool_put(w->p, w->got[4]);
	assert_non_null(w->got[5]);
}

static void who_waits_too_long_is_told(void **state)
{
	struct world *w = *state;

	make(w, (struct pool_conf){ .origin_max = 1, .wait_time = 50 });
	assert_int_equal(get(w, "a", 0), 0);
	assert_int_equal(get(w, "a", 1), 0);
	pool_cancel(w->p, &who(w, 2)->w);
	assert_int_equal(pool_tick(w->p), w->now + 50);
	w->now += 50;
	(void)pool_tick(w->p);
	assert_int_equal(w->failed, 2);
	assert_int_equal(w->code, ERR_TIMEOUT);
	pool_opened(w->p, &w->last->pc, 1);
	assert_int_equal(pool_get_stats(w->p).idle, 1);
}

static void a_lost_connection_goes_with_its_last_use(void **state)
{
	struct world *w = *state;
	struct conn *first;

	make(w, (struct pool_conf){ .origin_max = 1 });
	assert_int_equal(get(w, "a", 0), 0);
	assert_int_equal(get(w, "a", 1), 0);
	first = w->last;
	pool_opened(w->p, &first->pc, 1);
	assert_false(pool_lost(w->p, &first->pc));
	assert_int_equal(w->opened, 2); /* for the one that waits */
	pool_put(w->p, &first->pc);
	pool_opened(w->p, &w->last->pc, 1);
	assert_ptr_equal(w->got[1], &w->last->pc);
	pool_put(w->p, w->got[1]);
	assert_true(pool_lost(w->p, &w->last->pc));
	assert_int_equal(pool_get_stats(w->p).origins, 0);
	assert_int_equal(w->closed, 0);
}

static void the_end_fails_waiters_and_forgets_users(void **state)
{
	struct world *w = *state;

	make(w, (struct pool_conf){ .origin_max = 1 });
	assert_int_equal(get(w, "a", 0), 0);
	pool_opened(w->p, &w->last->pc, 1);
	assert_int_equal(get(w, "a", 1), 0);
	assert_int_equal(get(w, "b", 2), 0);
	pool_free(w->p);
	assert_int_equal(w->failed, 2);
	assert_int_equal(w->closed, 1); /* b's, which was being opened */
	pool_put(w->p, w->got[0]);
	w->p = NULL;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_connection_is_opened_kept_and_used_again),
		CASE(waiters_are_served_in_order_within_the_limit),
		CASE(one_connection_may_carry_many_uses),
		CASE(idle_connections_are_few_and_grow_old),
		CASE(sick_and_old_connections_are_not_used),
		CASE(the_total_limit_takes_from_who_is_idle_longest),
		CASE(failures_are_told_and_open_the_circuit),
		CASE(who_waits_too_long_is_told),
		CASE(a_lost_connection_goes_with_its_last_use),
		CASE(the_end_fails_waiters_and_forgets_users),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
