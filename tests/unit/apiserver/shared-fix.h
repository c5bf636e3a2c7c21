/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that share one store: the one of rest-fix.h, and worlds beside it, in one process. */
#pragma once

#include "rest-fix.h"

#include "apiserver/strategy/strategy.h"

#define SHARED_PORTS 30000, 30031

struct other {
	struct world *w;
	struct resources *rs;
	struct bootstrap *b;
};

static inline int strategy_setup(void **state)
{
	struct rfix *x;

	rest_setup(state);
	x = *state;
	return strategy_start(x->rs, SLICE("10.96.0.0/12"), SHARED_PORTS, &x->f->err);
}

static inline int strategy_teardown(void **state)
{
	strategy_stop(((struct rfix *)*state)->rs);
	return rest_teardown(state);
}

/* The same as one that others may write beside. */
static inline int shared_setup(void **state)
{
	struct rfix *x;

	rest_setup(state);
	x = *state;
	rest_close(x);
	x->shared = true;
	rest_open(x);
	return strategy_start(x->rs, SLICE("10.96.0.0/12"), SHARED_PORTS, &x->f->err);
}

static inline void world_begin(struct rfix *x, struct other *o)
{
	const struct world_conf conf = { .loop = x->f->loop, .store = x->f->s, .shared = true };

	o->w = world_new(&conf);
	assert_int_equal(resources_new(&x->api, o->w, strategy_of, &o->rs, &x->f->err), 0);
	x->started = false;
	world_start(o->w, on_started, x);
	wait_for(x->f, &x->started);
	assert_int_equal(strategy_start(o->rs, SLICE("10.96.0.0/12"), SHARED_PORTS, &x->f->err), 0);
}

static inline void turn_until_written(struct rfix *x, struct world *w)
{
	while (world_writing(w))
		assert_true(loop_step(x->f->loop, NS_PER_SEC, &x->f->err) >= 0);
}

static inline void world_end(struct rfix *x, struct other *o)
{
	turn_until_written(x, o->w);
	strategy_stop(o->rs);
	resources_free(o->rs);
	world_free(o->w);
}

static inline int shared_teardown(void **state)
{
	struct rfix *x = *state;

	turn_until_written(x, x->w);
	return strategy_teardown(state);
}
