/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker pool for blocking work (hash, inflate, mounts): run() on a worker thread, done() back on
 * the loop's thread. A job is embedded in its owner and must stay alive until done(). Threads start
 * at first use and block all signals.
 */
#pragma once

#include "base/cleanup.h"
#include "base/loop.h"

struct err;
struct work_pool;

struct work {
	struct post post; /* private */
	struct work *next;
	struct work_pool *pool;
	void (*run)(struct work *w);
	void (*done)(struct work *w);
};

int work_pool_new(struct loop *l, unsigned threads, size_t queue_max, struct work_pool **ret,
		  struct err *err);
void work_pool_free(struct work_pool *p); /* the queue is worked off first; every done() is called
					     before this returns */
DEFINE_CLEANUP(struct work_pool *, work_pool_free)
/* -ERR_UNAVAILABLE when queue_max jobs wait already. */
int work_submit(struct work_pool *p, struct work *w, void (*run)(struct work *w),
		void (*done)(struct work *w), struct err *err);
