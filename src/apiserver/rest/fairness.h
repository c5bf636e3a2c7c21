/* SPDX-License-Identifier: Apache-2.0 */
/*
 * API priority and fairness: how many requests run at once, and whose turn is next.
 *
 * A request is classified by the first FlowSchema that matches; its priority level has seats, some
 * of which it lends and borrows. When none is free the request waits in one of the level's queues:
 * its flow (user or namespace) is dealt a hand of them and takes the shortest, so that one flow
 * fills few queues. Queues take turns by the work they were given. Past a queue's length, or after
 * the time of waiting, the request is refused with 429.
 *
 * Spec: flowcontrol.apiserver.k8s.io/v1. Differences from upstream: seats are borrowed at the
 * moment they are wanted (upstream recomputes limits every ten seconds); the cost of a request is
 * fixed when it arrives.
 */
#pragma once

#include "apiserver/strategy/strategy.h"
#include "base/cleanup.h"
#include "base/list.h"
#include "base/loop.h"

struct doc;
struct err;
struct fairness;
struct metrics;
struct resources;

struct fairness_conf {
	struct loop *loop;
	struct metrics *metrics; /* upstream's apiserver_flowcontrol_*; NULL: none */
	unsigned seats;		 /* of all levels together [600] */
	int64_t wait;		 /* ns a request waits at most [15 s] */
};
int fairness_new(const struct fairness_conf *conf, struct fairness **ret, struct err *err);
/* Nothing may be waiting or running any more. */
void fairness_free(struct fairness *f);
DEFINE_CLEANUP(struct fairness *, fairness_free)

/*
 * The FlowSchemas and PriorityLevelConfigurations that count from now on (whole objects; nothing is
 * kept of them but copies). The mandatory ones (exempt, catch-all) are there without being given. A
 * schema whose level is missing is skipped. Requests that run or wait stay as they are.
 */
int fairness_set(struct fairness *f, const struct doc *const *schemas, size_t nschemas,
		 const struct doc *const *levels, size_t nlevels, struct err *err);
/* Does so now and whenever those objects change in the cache, until the fairness is freed (while
 * the world still lives, and no write of it is under way); FlowSchemas get their condition
 * Dangling. */
int fairness_follow(struct fairness *f, struct loop *loop, struct resources *rs, struct err *err);

/* One request. Texts are borrowed for the calls only. */
struct fairness_about {
	const struct strategy_user *user;
	const char *verb; /* "list"; of paths: "get" */
	bool is_resource;
	const char *group, *resource, *subresource, *namespace_;
	const char *path; /* of what is no resource */
};
/* Embedded in the request, from fairness_enter until fairness_leave. */
struct fairness_seat {
	/* Its turn came after waiting. */
	void (*start)(struct fairness_seat *s);
	/* Waited too long, or the queue was full. It has left then. */
	void (*refuse)(struct fairness_seat *s);
	const char *schema_uid, *level_uid; /* headers X-Kubernetes-Pf-*; "" = unknown */
	const char *schema, *level;	    /* names; valid until it leaves */
	struct fairness_level *in;	    /* from here on private */
	struct fairness_queue *queue;
	struct fairness_schemas *schemas;
	struct list link;
	unsigned cost;
	bool running;
	int64_t since;
};
/* cost: seats it takes (1 and up; cut to the level's). 0: it runs now; 1: it waits; -ERR_QUOTA: it
 * is refused: neither start nor refuse are called. */
int fairness_enter(struct fairness *f, struct fairness_seat *s, const struct fairness_about *about,
		   unsigned cost, struct err *err);
/* It is done, or gone while it waited. Idempotent. */
void fairness_leave(struct fairness_seat *s);

/* Seats that a LIST of so many objects takes: upstream's estimate, 1 to 10. */
unsigned fairness_list_cost(size_t objects);
/* /debug/api_priority_and_fairness/dump_priority_levels as text. */
int fairness_dump(const struct fairness *f, struct buf *out);
