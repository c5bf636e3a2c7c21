/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread of a load run: which slot starts when, and what is counted.
 *
 * A slot that is free again is started inside the callback that freed it, so that what many answers
 * of one read lead to leaves in one write; where a connection must be closed first, at the end of
 * the round. A slot that failed rests for a moment: a server that is
 * gone is not hammered.
 */
#include "base/clock.h"
#include "io/load-impl.h"

#define TICK (20 * NS_PER_MS)
#define REST (100 * NS_PER_MS)
#define DRAIN_MAX (5 * NS_PER_SEC)

static bool counts(const struct worker *w, const struct slot *sl)
{
	return sl->due >= w->count_from && sl->due < w->count_to;
}

/* No more will be started. */
static bool begun_all(const struct worker *w)
{
	return w->quota && w->counted >= w->quota;
}

static void pump(struct worker *w);

static void release(struct slot *sl, bool rest)
{
	struct worker *w = sl->lane->w;

	sl->busy = false;
	w->busy--;
	list_del(&sl->link);
	sl->rest_until = rest ? clock_mono() + REST : 0;
	list_append(rest ? &w->resting : &w->idle, &sl->link);
	if (w->over || w->pumping)
		return; /* the pump that runs finds it */
	if (rest || w->conf->no_keepalive)
		deferred_call(&w->pump);
	else
		pump(w);
}

void worker_done(struct slot *sl, size_t bytes_in)
{
	struct worker *w = sl->lane->w;
	int64_t now = clock_mono();

	/* In a closed loop what ends after the end is not counted: the rate is of the time. */
	if (counts(w, sl) && (w->rate > 0 || now < w->count_to)) {
		histogram_record(w->result.latency, now - sl->due);
		histogram_record(w->result.service, now - sl->sent);
		w->result.done++;
		w->result.bytes_in += bytes_in;
		w->result.bytes_out += sl->body_sent;
		atomic_store_explicit(&w->done, w->result.done, memory_order_relaxed);
	}
	release(sl, false);
}

void worker_failed(struct slot *sl, enum load_error kind, const struct err *why)
{
	struct worker *w = sl->lane->w;

	if (sl->timed_out)
		kind = LOAD_TIMEOUT;
	if (!w->over && counts(w, sl)) {
		w->result.errors[kind]++;
		atomic_fetch_add_explicit(&w->errors, 1, memory_order_relaxed);
		if (!w->result.first.code && why)
			w->result.first = *why;
	}
	release(sl, kind != LOAD_STATUS);
}

/* ---- starting ---- */

/* The time the next exchange counts from; false = none is to be started now. */
static bool next_due(struct worker *w, int64_t now, int64_t *due)
{
	if (w->over || begun_all(w) || now >= w->count_to)
		return false;
	*due = now;
	return w->rate <= 0 || pace_take(&w->pace, now, due);
}

static void pump(struct worker *w)
{
	const struct carrier *carrier = carrier_of(w->conf);
	int64_t now = clock_mono(), due;
	struct slot *sl;

	w->pumping = true;
	while ((sl = LIST_FIRST(&w->idle, struct slot, link)) && next_due(w, now, &due)) {
		list_del(&sl->link);
		sl->busy = true;
		sl->timed_out = sl->grpc_failed = false;
		sl->status = 0;
		sl->body_sent = sl->body_in = 0;
		sl->due = due;
		sl->sent = now = clock_mono();
		if (w->rate <= 0)
			sl->due = now;
		w->busy++;
		if (due >= w->count_from)
			w->counted++;
		carrier->start(sl);
	}
	w->pumping = false;
	if (w->rate > 0 && !list_empty(&w->idle) && !begun_all(w))
		timer_set(&w->pacer, pace_next(&w->pace));
	if (begun_all(w) && w->busy == 0)
		loop_stop(w->loop, 0);
}

static void on_pump(struct deferred *d)
{
	pump(CONTAINER_OF(d, struct worker, pump));
}

static int on_pacer(struct timer *t)
{
	deferred_call(&CONTAINER_OF(t, struct worker, pacer)->pump);
	return 0;
}

static void wake_rested(struct worker *w, int64_t now)
{
	struct slot *sl;

	LIST_FOREACH (sl, &w->resting, struct slot, link) {
		if (sl->rest_until > now)
			continue;
		list_del(&sl->link);
		list_append(&w->idle, &sl->link);
	}
}

static void cancel_slow(struct worker *w, int64_t now)
{
	for (unsigned i = 0; i < w->slots_n; i++) {
		struct slot *sl = &w->slots[i];

		if (sl->busy && !sl->timed_out && now - sl->sent >= w->conf->timeout) {
			sl->timed_out = true;
			carrier_of(w->conf)->cancel(sl);
		}
	}
}

static int on_tick(struct timer *t)
{
	struct worker *w = CONTAINER_OF(t, struct worker, tick);
	int64_t now = clock_mono();
	bool stopped = atomic_load_explicit(w->stop, memory_order_relaxed);

	wake_rested(w, now);
	cancel_slow(w, now);
	if (stopped && !w->result.interrupted) {
		w->result.interrupted = true;
		w->count_to = MIN(w->count_to, now);
	}
	/* An open loop waits for those that have left: their latency counts. */
	if (now >= w->count_to &&
	    (w->rate <= 0 || w->busy == 0 || stopped || now >= w->count_to + DRAIN_MAX)) {
		loop_stop(w->loop, 0);
		return 0;
	}
	deferred_call(&w->pump);
	timer_set_after(t,
			now < w->count_to && w->count_to - now < TICK ? w->count_to - now : TICK);
	return 0;
}

/* ---- life ---- */

static int prepare(struct worker *w)
{
	const struct load_conf *c = w->conf;
	int r;

	w->lanes = calloc(w->lanes_n, sizeof(*w->lanes));
	w->slots = calloc(w->slots_n, sizeof(*w->slots));
	if (!w->lanes || !w->slots)
		abort();
	list_init(&w->idle);
	list_init(&w->resting);
	/* Neighbours in the list are on different connections, so that few exchanges use all. */
	for (unsigned i = 0; i < w->slots_n; i++) {
		w->slots[i].lane = &w->lanes[i % w->lanes_n];
		list_append(&w->idle, &w->slots[i].link);
	}
	if (strncmp(c->address, "unix:", 5) != 0) {
		r = resolver_new(w->loop, NULL, &w->resolver, &w->err);
		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i < w->lanes_n; i++) {
		w->lanes[i].w = w;
		list_init(&w->lanes[i].flying);
		list_init(&w->lanes[i].waiting);
		r = carrier_of(c)->begin(&w->lanes[i], &w->err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void count_the_rest(struct worker *w)
{
	int64_t end = MIN(clock_mono(), w->count_to), due;

	w->result.elapsed = MAX(end - w->count_from, (int64_t)0);
	if (w->rate <= 0)
		return;
	while (!begun_all(w) && pace_take(&w->pace, end - 1, &due)) {
		if (due >= w->count_from)
			w->result.late++;
	}
	for (unsigned i = 0; i < w->slots_n; i++) {
		if (w->slots[i].busy && counts(w, &w->slots[i]))
			w->result.errors[LOAD_TIMEOUT]++;
	}
}

static void work(struct worker *w)
{
	const struct load_conf *c = w->conf;

	timer_init(&w->pacer, w->loop, on_pacer);
	timer_init(&w->tick, w->loop, on_tick);
	deferred_init(&w->pump, w->loop, on_pump);
	w->failed = prepare(w);
	w->begin = clock_mono();
	w->count_from = w->begin + c->warmup;
	w->count_to = c->duration ? w->count_from + c->duration : INT64_MAX;
	if (w->rate > 0)
		pace_init(&w->pace, w->begin, w->rate);
	if (w->failed == 0) {
		deferred_call(&w->pump);
		timer_set_after(&w->tick, TICK);
		w->failed = loop_run(w->loop, &w->err);
		count_the_rest(w);
	}
	w->over = true;
	for (unsigned i = 0; i < w->lanes_n; i++)
		carrier_of(c)->end(&w->lanes[i]);
	resolver_free(STEAL(w->resolver));
	deferred_fini(&w->pump);
	timer_fini(&w->tick);
	timer_fini(&w->pacer);
}

void worker_run(struct work *job)
{
	struct worker *w = CONTAINER_OF(job, struct worker, work);

	w->failed = loop_new(&w->loop, &w->err);
	if (w->failed < 0)
		return;
	work(w);
	/* What was closed last lets go at the end of a round. */
	while (loop_step(w->loop, 0, NULL) == 1)
		;
	loop_free(w->loop);
	w->loop = NULL;
	free(w->slots);
	free(w->lanes);
}
