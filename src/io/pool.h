/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections by origin: who gets which, who waits, what is kept idle and for how long.
 *
 * The pool knows nothing of protocols. A connection is the owner's struct with a pool_conn in it;
 * the owner opens and closes it when asked by pool_ops. One connection carries `capacity` uses at
 * once: 1 for HTTP/1.1, the peer's stream limit for HTTP/2 (set by pool_opened, changed by
 * pool_capacity). An origin is any text, such as "https://registry.example:443".
 *
 *	pool_get(p, origin, &w, &c)  1: c is ours to use now
 *	                             0: w waits; w->fn(w, c, err) comes later, from the loop
 *	pool_put(c)                  the use is over, the connection is good
 *	pool_lost(c)                 the connection is dead or dying: no new use; freed by its owner
 *	                             when its uses are over (pool_put still counts them)
 *
 * Uses go to the connection that has the most uses and still room, then to the idle one that was
 * used last: so surplus connections grow old and are closed. Waiters are served first come, first
 * served. The total limit closes the longest idle connection of another origin.
 * Not thread safe. With a loop the pool keeps its own timer; without one (tests, fake clocks) the
 * caller calls pool_tick.
 */
#pragma once

#include "base/list.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct loop;
struct pool;
struct pool_conn;
struct pool_origin;

struct pool_ops {
	/*
	 * Begins to open a connection to the origin. 0: *ret is set (pool_conn_init not needed);
	 * pool_opened or pool_failed follows later, or is called inside. Negative: it failed at
	 * once.
	 */
	int (*connect)(void *arg, const char *origin, struct pool_conn **ret, struct err *err);
	/* The pool lets go of an idle or opening connection: close and free it. Not followed by
	 * pool_lost. */
	void (*hang_up)(void *arg, struct pool_conn *c);
	/* Is a kept connection still good? Asked before an idle one is used. NULL = yes. */
	bool (*healthy)(void *arg, struct pool_conn *c);
};

/* Zero means the default in brackets. Times in ns. */
struct pool_conf {
	struct loop *loop;	   /* NULL: no timer */
	int64_t (*now)(void *arg); /* [loop_now, else clock_mono] */
	const struct pool_ops *ops;
	void *arg;
	size_t origin_max;  /* connections per origin, open or opening [32] */
	size_t total_max;   /* connections of all origins [512] */
	size_t idle_max;    /* idle ones kept per origin [8] */
	size_t waiting_max; /* waiters per origin [1024]: QUOTA */
	int64_t idle_time;  /* [60 s] */
	int64_t life_max;   /* older connections get no new use [none] */
	int64_t wait_time;  /* in the queue [30 s]: TIMEOUT */
	unsigned failures;  /* openings that may fail in a row before the circuit opens [5] */
	int64_t open_time;  /* the circuit is open for at first [1 s]: UNAVAILABLE at once */
};

/* Embedded in the owner's connection. All private; owners read `uses`. */
struct pool_conn {
	struct list link; /* in the origin's open, idle or opening list */
	struct list lru;  /* idle ones, over all origins */
	struct pool_origin *origin;
	unsigned uses, capacity;
	int64_t born, idle_since;
	bool open, lost;
};

/* Embedded in who waits. fn: c is ours to use (then end with pool_put or pool_lost + pool_put), or
 * NULL and err. */
struct pool_wait {
	struct list link;
	struct pool_origin *origin; /* NULL: does not wait */
	void (*fn)(struct pool_wait *w, struct pool_conn *c, struct err *err);
	int64_t due;
};

struct pool *pool_new(const struct pool_conf *conf);
/* Closes what is idle or opening, fails who waits (UNAVAILABLE); connections in use are forgotten:
 * pool_put and pool_lost of them are harmless afterwards. */
void pool_free(struct pool *p);
DEFINE_CLEANUP(struct pool *, pool_free)

/* w->fn must be set; it is used only when 0 is returned. -QUOTA: too many wait; -UNAVAILABLE: the
 * circuit is open or opening failed at once. */
int pool_get(struct pool *p, const char *origin, struct pool_wait *w, struct pool_conn **ret,
	     struct err *err);
void pool_cancel(struct pool *p,
		 struct pool_wait *w); /* no longer waits; harmless if it does not */
void pool_put(struct pool *p, struct pool_conn *c);
/* Another use of the same connection for the same owner; false when it is full or lost. */
bool pool_take(struct pool *p, struct pool_conn *c);

/* From the owner: the connection is usable with room for `capacity` uses (at least 1). */
void pool_opened(struct pool *p, struct pool_conn *c, unsigned capacity);
/* It could not be opened; the pool forgets c, and the owner frees it. Fails one waiter with err
 * (all when the circuit opens). */
void pool_failed(struct pool *p, struct pool_conn *c, const struct err *err);
void pool_capacity(struct pool *p, struct pool_conn *c, unsigned capacity);
/* Closing or broken. The pool forgets c when its last use is put, at once when it has none; true =
 * forgotten now, the owner may free it. */
bool pool_lost(struct pool *p, struct pool_conn *c);

/* Closes what is idle too long, fails who waited too long. Returns when to call again, INT64_MAX =
 * never. */
int64_t pool_tick(struct pool *p);

struct pool_stats {
	size_t open, opening, idle, waiting, origins, uses;
	uint64_t opened, failed, reused, evicted, timeouts;
};
struct pool_stats pool_get_stats(const struct pool *p);
