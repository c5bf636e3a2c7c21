/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seats and queues.
 *
 * (1) The seats in use of all limited levels together never exceed `seats`, nor does a level go
 *     beyond its own and what it may borrow; a level's seats that it does not lend are always there
 *     for it.
 * (2) A queue that was empty starts at the level's clock: time in which it asked for nothing is not
 *     made up for.
 * (3) A level that is gone takes no new requests and is freed with its last one.
 */
#include "apiserver/rest/fairness-private.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/map.h"
#include "doc/doc.h"
#include "io/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#define SEATS_DEFAULT 600
#define WAIT_DEFAULT (15 * (int64_t)1000000000)
#define LIST_COST_MAX 10
#define LIST_COST_OBJECTS 100
#define FLOW_TEXT_MAX 1024

struct fairness {
	struct loop *loop;
	unsigned seats;
	int64_t wait;
	struct list levels; /* also those that are gone */
	struct fairness_schemas *schemas;
	struct fairness_level *exempt, *catch_all;
	struct fairness_schema mandatory[2]; /* exempt, catch-all: when objects name neither */
	unsigned used;			     /* by limited levels */
	struct timer timer;		     /* of the request that waits longest */
	struct deferred turn;
	struct metric_family *rejected, *dispatched, *in_queue, *executing, *wait_seconds;
	struct metrics *metrics;
	struct fairness_follow *follow;
};

/* ---- levels ---- */

static void level_free(struct fairness_level *l)
{
	list_del(&l->link);
	free(l->name);
	free(l->uid);
	free(l->queue);
	free(l);
}

static void level_let_go(struct fairness_level *l)
{
	if (l->gone && !l->running && !l->waiting)
		level_free(l);
}

static struct fairness_level *level_find(void *arg, const char *name)
{
	struct fairness *f = arg;
	struct fairness_level *l;

	LIST_FOREACH (l, &f->levels, struct fairness_level, link) {
		if (!l->gone && strcmp(l->name, name) == 0)
			return l;
	}
	return NULL;
}

bool fairness_level_find(const struct fairness *f, const char *name)
{
	return level_find((struct fairness *)f, name) != NULL;
}

void fairness_set_follow(struct fairness *f, struct fairness_follow *x)
{
	f->follow = x;
}

static unsigned number_of(const struct doc *d, unsigned missing, unsigned max)
{
	int64_t v = 0;

	if (!d || doc_int64(d, &v) < 0)
		return missing;
	return v < 0 ? 0 : (unsigned)MIN(v, (int64_t)max);
}

static char *copy_text(struct slice s)
{
	struct buf b = BUF_INIT(FLOW_TEXT_MAX);

	(void)buf_add(&b, s.p ? s.p : "", s.n); /* names are shorter than that */
	return buf_steal(&b);
}

/* The queues' number never changes under requests that wait: such a level is made anew. */
static struct fairness_level *level_make(struct fairness *f, struct slice name, struct slice uid,
					 const struct doc *spec)
{
	const struct doc *limited = doc_get(spec, "limited"), *exempt = doc_get(spec, "exempt");
	const struct doc *q = doc_find(limited, "limitResponse.queuing");
	struct fairness_level *l = calloc(1, sizeof(*l));
	int64_t borrow = 0;

	if (!l)
		abort();
	l->of = f;
	l->exempt = doc_str_is(doc_get(spec, "type"), "Exempt");
	l->shares = number_of(doc_get(l->exempt ? exempt : limited, "nominalConcurrencyShares"),
			      l->exempt ? 0 : 30, 1u << 20);
	l->lendable_percent =
		number_of(doc_get(l->exempt ? exempt : limited, "lendablePercent"), 0, 100);
	l->borrow_percent = -1;
	if (doc_get(limited, "borrowingLimitPercent") &&
	    doc_int64(doc_get(limited, "borrowingLimitPercent"), &borrow) >= 0)
		l->borrow_percent = (int)MAX(0, MIN(borrow, (int64_t)1 << 20));
	l->queues = doc_str_is(doc_find(limited, "limitResponse.type"), "Queue");
	l->nqueues =
		l->queues ? MAX(number_of(doc_get(q, "queues"), 64, FAIRNESS_QUEUES_MAX), 1u) : 0;
	l->hand = (unsigned)MIN(
		(size_t)MAX(number_of(doc_get(q, "handSize"), 8, FAIRNESS_HAND_MAX), 1u),
		l->nqueues);
	l->length_max = MAX(number_of(doc_get(q, "queueLengthLimit"), 50, 1u << 20), 1u);
	l->queue = calloc(l->nqueues + 1, sizeof(*l->queue));
	if (!l->queue)
		abort();
	for (size_t i = 0; i < l->nqueues; i++)
		list_init(&l->queue[i].waiting);
	l->name = copy_text(name);
	l->uid = copy_text(uid);
	list_append(&f->levels, &l->link);
	return l;
}

/* Seats by shares, rounded up, as upstream does. */
static void share_out(struct fairness *f)
{
	struct fairness_level *l;
	uint64_t sum = 0;

	LIST_FOREACH (l, &f->levels, struct fairness_level, link) {
		sum += l->gone ? 0 : l->shares;
	}
	LIST_FOREACH (l, &f->levels, struct fairness_level, link) {
		if (l->gone)
			continue;
		l->seats = sum ? (unsigned)(((uint64_t)f->seats * l->shares + sum - 1) / sum) : 0;
		l->lendable = (l->seats * l->lendable_percent + 50) / 100;
		l->borrow_max =
			l->borrow_percent < 0
				? f->seats
				: (unsigned)(((uint64_t)l->seats * (unsigned)l->borrow_percent +
					      50) /
					     100);
	}
}

/* (1) */
static bool has_room(const struct fairness *f, const struct fairness_level *l, unsigned cost)
{
	unsigned kept = 0;
	struct fairness_level *o;

	if (l->exempt)
		return true;
	if (l->used + cost <= l->seats)
		return f->used + cost <= f->seats || !l->used;
	if (l->used + cost > l->seats + l->borrow_max)
		return !l->used && l->seats; /* more than all of it: alone */
	LIST_FOREACH (o, &((struct fairness *)f)->levels, struct fairness_level, link) {
		if (o != l && !o->exempt && !o->gone && o->used < o->seats - o->lendable)
			kept += o->seats - o->lendable - o->used;
	}
	return f->used + cost + kept <= f->seats;
}

/* ---- metrics ---- */

static void count(struct metric_family *fam, const struct fairness_seat *s, const char *reason)
{
	if (fam)
		metric_inc(metric_with(
			fam, (const char *const[]){ s->level, s->schema, reason ? reason : "" }));
}

static void gauges(void *arg)
{
	struct fairness *f = arg;
	struct fairness_level *l;

	LIST_FOREACH (l, &f->levels, struct fairness_level, link) {
		const char *const labels[] = { l->name };

		metric_set(metric_with(f->in_queue, labels), (double)l->waiting);
		metric_set(metric_with(f->executing, labels), (double)l->used);
	}
}

static int metrics_begin(struct fairness *f, struct err *err)
{
	static const char *const flow[] = { "priority_level", "flow_schema" }, *const why[] = {
		"priority_level", "flow_schema", "reason"
	};
	static const double seconds[] = { 0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15 };
	static const struct metric_spec
		rejected = { METRIC_COUNTER,
			     "apiserver_flowcontrol_rejected_requests_total",
			     "Requests that were refused by priority and fairness",
			     why,
			     3,
			     NULL,
			     0,
			     0 },
		dispatched = { METRIC_COUNTER,
			       "apiserver_flowcontrol_dispatched_requests_total",
			       "Requests that began to run",
			       flow,
			       2,
			       NULL,
			       0,
			       0 },
		in_queue = { METRIC_GAUGE,
			     "apiserver_flowcontrol_current_inqueue_requests",
			     "Requests that wait",
			     flow,
			     1,
			     NULL,
			     0,
			     0 },
		executing = { METRIC_GAUGE,
			      "apiserver_flowcontrol_current_executing_seats",
			      "Seats in use",
			      flow,
			      1,
			      NULL,
			      0,
			      0 },
		wait = { METRIC_HISTOGRAM,
			 "apiserver_flowcontrol_request_wait_duration_seconds",
			 "Time in a queue, of requests that had to wait",
			 flow,
			 1,
			 seconds,
			 12,
			 0 };
	int r;

	r = metrics_add(f->metrics, &rejected, &f->rejected, err);
	if (r >= 0)
		r = metrics_add(f->metrics, &dispatched, &f->dispatched, err);
	if (r >= 0)
		r = metrics_add(f->metrics, &in_queue, &f->in_queue, err);
	if (r >= 0)
		r = metrics_add(f->metrics, &executing, &f->executing, err);
	if (r >= 0)
		r = metrics_add(f->metrics, &wait, &f->wait_seconds, err);
	if (r >= 0)
		metrics_on_collect(f->metrics, gauges, f);
	return r;
}

/* ---- running and waiting ---- */

static void run(struct fairness_seat *s)
{
	struct fairness_level *l = s->in;

	s->running = true;
	l->running++;
	l->used += s->cost;
	l->started++;
	if (!l->exempt)
		l->of->used += s->cost;
	count(l->of->dispatched, s, NULL);
}

/* The queue that was given least, of those that wait; the level's clock goes with it. */
static struct fairness_queue *next_queue(struct fairness_level *l)
{
	struct fairness_queue *best = NULL;

	for (size_t i = 0; i < l->nqueues; i++) {
		struct fairness_queue *q = &l->queue[i];

		if (q->n && (!best || q->given < best->given))
			best = q;
	}
	return best;
}

static void unqueue(struct fairness_seat *s)
{
	list_del(&s->link);
	s->queue->n--;
	s->in->waiting--;
	s->queue = NULL;
}

/* One request of a level whose turn it is; false: none can. */
static bool run_next(struct fairness *f, struct fairness_level *l)
{
	struct fairness_queue *q = l->waiting ? next_queue(l) : NULL;
	struct fairness_seat *s;

	if (!q)
		return false;
	s = LIST_FIRST(&q->waiting, struct fairness_seat, link);
	if (!has_room(f, l, s->cost))
		return false;
	l->clock = q->given;
	q->given += s->cost;
	unqueue(s);
	run(s);
	if (f->wait_seconds)
		metric_observe(metric_with(f->wait_seconds, (const char *const[]){ l->name }),
			       (double)(loop_now(f->loop) - s->since) / 1e9);
	s->start(s);
	return true;
}

/* Its names are gone with this. */
static void left(struct fairness_seat *s)
{
	struct fairness_level *l = s->in;

	s->in = NULL;
	s->running = false;
	s->schema = s->schema_uid = s->level = s->level_uid = "";
	fairness_schemas_unref(STEAL(s->schemas));
	level_let_go(l);
}

static void take_turns(struct deferred *d)
{
	struct fairness *f = CONTAINER_OF(d, struct fairness, turn);
	bool any = true;

	/* start() may leave again, and so change lists and levels: begin anew after each. */
	while (any) {
		struct fairness_level *l;

		any = false;
		LIST_FOREACH (l, &f->levels, struct fairness_level, link) {
			any = run_next(f, l);
			if (any)
				break;
		}
	}
}

static struct fairness_seat *oldest(struct fairness *f)
{
	struct fairness_seat *best = NULL;
	struct fairness_level *l;

	LIST_FOREACH (l, &f->levels, struct fairness_level, link) {
		for (size_t i = 0; l->waiting && i < l->nqueues; i++) {
			struct fairness_seat *s =
				LIST_FIRST(&l->queue[i].waiting, struct fairness_seat, link);

			if (s && (!best || s->since < best->since))
				best = s;
		}
	}
	return best;
}

static int waited_too_long(struct timer *t)
{
	struct fairness *f = CONTAINER_OF(t, struct fairness, timer);
	struct fairness_seat *s;

	while ((s = oldest(f)) && s->since + f->wait <= loop_now(f->loop)) {
		struct fairness_level *l = s->in;

		unqueue(s);
		l->refused++;
		count(f->rejected, s, "time-out");
		left(s);
		s->refuse(s);
	}
	if (s)
		timer_set(&f->timer, s->since + f->wait);
	return 0;
}

/* The shortest queue of the flow's hand: cards are dealt without putting back, from one hash. */
static struct fairness_queue *deal(struct fairness_level *l, uint64_t flow)
{
	size_t dealt[FAIRNESS_HAND_MAX];
	struct fairness_queue *best = NULL;

	for (unsigned i = 0; i < l->hand; i++) {
		size_t card = flow % (l->nqueues - i);
		unsigned at = 0;

		flow /= l->nqueues - i;
		/* The card counts only among those that are not dealt: step over these in order. */
		while (at < i && dealt[at] <= card) {
			card++;
			at++;
		}
		memmove(&dealt[at + 1], &dealt[at], (i - at) * sizeof(*dealt));
		dealt[at] = card;
		if (!best || l->queue[card].n < best->n)
			best = &l->queue[card];
	}
	return best;
}

static int refuse(struct fairness_level *l, struct fairness_seat *s, const char *why,
		  struct err *err)
{
	l->refused++;
	count(l->of->rejected, s, why);
	(void)err_set(err, ERR_QUOTA,
		      "too many requests of priority level '%s' (%s), please try "
		      "again later",
		      l->name, why);
	left(s);
	return -ERR_QUOTA;
}

static int wait_in(struct fairness_level *l, struct fairness_seat *s,
		   const struct fairness_schema *schema, const struct fairness_about *about,
		   struct err *err)
{
	struct fairness *f = l->of;
	char flow[FLOW_TEXT_MAX];
	struct fairness_queue *q;
	int n;

	if (!l->queues)
		return refuse(l, s, "concurrency-limit", err);
	n = snprintf(flow, sizeof(flow), "%s %s", schema->name,
		     schema->by_user	    ? about->user->name
		     : schema->by_namespace ? about->namespace_
					    : "");
	q = deal(l, hash_bytes(flow, (size_t)MIN(MAX(n, 0), (int)sizeof(flow) - 1)));
	if (q->n >= l->length_max)
		return refuse(l, s, "queue-full", err);
	if (!q->n && q->given < l->clock) /* (2) */
		q->given = l->clock;
	list_append(&q->waiting, &s->link);
	s->queue = q;
	s->since = loop_now(f->loop);
	q->n++;
	l->waiting++;
	if (!timer_armed(&f->timer))
		timer_set(&f->timer, s->since + f->wait);
	return 1;
}

/* What no object matches: masters are exempt whatever happens to the objects. */
static const struct fairness_schema *mandatory(const struct fairness *f,
					       const struct fairness_about *about)
{
	for (size_t i = 0; about->user->groups && about->user->groups[i]; i++) {
		if (strcmp(about->user->groups[i], "system:masters") == 0)
			return &f->mandatory[0];
	}
	return &f->mandatory[1];
}

int fairness_enter(struct fairness *f, struct fairness_seat *s, const struct fairness_about *about,
		   unsigned cost, struct err *err)
{
	const struct fairness_schema *schema = fairness_schemas_match(f->schemas, about);
	struct fairness_level *l;

	if (!schema)
		schema = mandatory(f, about);
	l = schema->level;
	s->schemas = f->schemas;
	s->schemas->refs++;
	list_init(&s->link);
	s->in = l;
	s->queue = NULL;
	s->running = false;
	s->schema = schema->name;
	s->schema_uid = schema->uid;
	s->level = l->name;
	s->level_uid = l->uid;
	s->cost = l->exempt ? cost : MAX(1u, MIN(cost, MAX(l->seats, 1u)));
	if (!l->waiting && has_room(f, l, s->cost)) {
		run(s);
		return 0;
	}
	return wait_in(l, s, schema, about, err);
}

void fairness_leave(struct fairness_seat *s)
{
	struct fairness_level *l = s->in;
	struct fairness *f;

	if (!l)
		return;
	f = l->of;
	if (s->queue) {
		unqueue(s);
	} else if (s->running) {
		l->running--;
		l->used -= s->cost;
		if (!l->exempt)
			f->used -= s->cost;
	}
	left(s);
	deferred_call(&f->turn);
}

unsigned fairness_list_cost(size_t objects)
{
	return (unsigned)MAX((size_t)1, MIN((objects + LIST_COST_OBJECTS - 1) / LIST_COST_OBJECTS,
					    (size_t)LIST_COST_MAX));
}

/* ---- configuration ---- */

static void mandatory_begin(struct fairness *f)
{
	f->mandatory[0] =
		(struct fairness_schema){ .name = "exempt", .uid = "", .level = f->exempt };
	f->mandatory[1] =
		(struct fairness_schema){ .name = "catch-all", .uid = "", .level = f->catch_all };
}

/* exempt and catch-all are there whatever the objects say. */
static void mandatory_levels(struct fairness *f)
{
	f->exempt = level_find(f, "exempt");
	if (!f->exempt) {
		f->exempt = level_make(f, SLICE("exempt"), SLICE(""), NULL);
		f->exempt->exempt = true;
		f->exempt->shares = 0;
	}
	f->catch_all = level_find(f, "catch-all");
	if (!f->catch_all) {
		f->catch_all = level_make(f, SLICE("catch-all"), SLICE(""), NULL);
		f->catch_all->shares = 5;
	}
}

int fairness_set(struct fairness *f, const struct doc *const *schemas, size_t nschemas,
		 const struct doc *const *levels, size_t nlevels, struct err *err)
{
	struct list before = LIST_INIT(before);
	struct fairness_schemas *made = NULL;
	struct fairness_level *l;
	int r;

	/* The new levels stand beside the old ones until the schemas are made of them. */
	LIST_FOREACH (l, &f->levels, struct fairness_level, link) {
		list_del(&l->link);
		list_append(&before, &l->link);
	}
	for (size_t i = 0; i < nlevels; i++)
		(void)level_make(f, doc_slice(doc_find(levels[i], "metadata.name")),
				 doc_slice(doc_find(levels[i], "metadata.uid")),
				 doc_get(levels[i], "spec"));
	mandatory_levels(f);
	r = fairness_schemas_make(schemas, nschemas, level_find, f, &made, err);
	if (r < 0) {
		LIST_FOREACH (l, &f->levels, struct fairness_level, link) {
			level_free(l);
		}
	} else {
		fairness_schemas_unref(f->schemas);
		f->schemas = made;
	}
	LIST_FOREACH (l, &before, struct fairness_level, link) {
		list_del(&l->link);
		list_append(&f->levels, &l->link);
		if (r >= 0) {
			l->gone = true;
			level_let_go(l);
		}
	}
	if (r < 0)
		mandatory_levels(f);
	mandatory_begin(f);
	share_out(f);
	deferred_call(&f->turn);
	return r < 0 ? r : 0;
}

int fairness_new(const struct fairness_conf *conf, struct fairness **ret, struct err *err)
{
	CLEANUP(fairness_free) struct fairness *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		abort();
	f->loop = conf->loop;
	f->seats = conf->seats ? conf->seats : SEATS_DEFAULT;
	f->wait = conf->wait ? conf->wait : WAIT_DEFAULT;
	list_init(&f->levels);
	timer_init(&f->timer, f->loop, waited_too_long);
	deferred_init(&f->turn, f->loop, take_turns);
	if (conf->metrics) {
		f->metrics = conf->metrics;
		r = metrics_begin(f, err);
		if (r < 0)
			return r;
	}
	r = fairness_set(f, NULL, 0, NULL, 0, err);
	if (r < 0)
		return r;
	*ret = STEAL(f);
	return 0;
}

void fairness_free(struct fairness *f)
{
	struct fairness_level *l;

	if (!f)
		return;
	fairness_follow_free(f->follow);
	timer_fini(&f->timer);
	deferred_fini(&f->turn);
	if (f->metrics)
		metrics_forget_collect(f->metrics, f);
	LIST_FOREACH (l, &f->levels, struct fairness_level, link) {
		level_free(l);
	}
	fairness_schemas_unref(f->schemas);
	free(f);
}

int fairness_dump(const struct fairness *f, struct buf *out)
{
	struct fairness_level *l;
	int r;

	r = buf_adds(out, "PriorityLevelName, Seats, UsedSeats, WaitingRequests, "
			  "ExecutingRequests, DispatchedRequests, RejectedRequests\n");
	LIST_FOREACH (l, &((struct fairness *)f)->levels, struct fairness_level, link) {
		if (r >= 0)
			r = buf_addf(out, "%s, %u, %u, %zu, %zu, %llu, %llu\n", l->name, l->seats,
				     l->used, l->waiting, l->running,
				     (unsigned long long)l->started,
				     (unsigned long long)l->refused);
	}
	return r;
}
