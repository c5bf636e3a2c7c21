/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to io: the parts of a load run. A worker is a thread with a loop; a lane is a connection;
 * a slot is one exchange at a time on a lane. load.c runs workers, load-worker.c deals out
 * exchanges, load-http.c and load-ws.c carry them.
 */
#pragma once

#include "base/list.h"
#include "base/loop.h"
#include "base/work.h"
#include "io/histogram.h"
#include "io/load.h"
#include "io/resolver.h"
#include "io/websocket.h"

#include <stdatomic.h>

struct worker;

struct lane {
	struct worker *w;
	struct http_client *client;
	struct ws *ws;
	bool ready;		     /* ws: messages can be sent */
	struct list flying, waiting; /* ws: in order; not sent yet */
	char *text;		     /* ws: the message */
};

struct slot {
	struct list link; /* in the worker's idle or resting list, or one of the lane's */
	struct lane *lane;
	struct stream *s;
	int64_t due, sent, rest_until;
	size_t body_sent, body_in;
	int status;
	bool busy, timed_out, grpc_failed;
};

struct worker {
	struct work work;
	const struct load_conf *conf;
	struct loop *loop;
	struct resolver *resolver; /* NULL for Unix sockets */
	struct timer pacer, tick;
	struct deferred pump;
	struct pace pace;
	struct lane *lanes;
	struct slot *slots;
	unsigned lanes_n, slots_n, busy;
	struct list idle, resting;
	uint64_t quota, counted; /* 0 = none; exchanges begun after the warm-up */
	double rate;
	int64_t begin, count_from, count_to; /* INT64_MAX = until the quota */
	bool over, pumping;
	struct load_result result;
	/* Read by the main thread while this one runs. */
	_Atomic uint64_t done, errors;
	const atomic_bool *stop;
	atomic_uint *left;
	int failed;
	struct err err;
};

/* The worker's thread. */
void worker_run(struct work *w);
/* The exchange of a slot is over: counted if it is to be, the slot is idle again. */
void worker_done(struct slot *sl, size_t bytes_in);
void worker_failed(struct slot *sl, enum load_error kind, const struct err *why);

/* A carrier of exchanges. start: sl->due and sl->sent are set; may fail by worker_failed at once.
 */
struct carrier {
	int (*begin)(struct lane *l, struct err *err);
	void (*start)(struct slot *sl);
	void (*cancel)(struct slot *sl); /* the time-out has passed; ends in worker_failed */
	void (*end)(struct lane *l);
};
extern const struct carrier carrier_http, carrier_ws;
static inline const struct carrier *carrier_of(const struct load_conf *c)
{
	return c->kind == LOAD_WS ? &carrier_ws : &carrier_http;
}
enum load_error load_error_of(const struct err *why, bool before_answer);
