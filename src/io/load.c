/* SPDX-License-Identifier: Apache-2.0 */
/* A load run: pacing, threads, and what they measured put together. */
#include "io/load.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "io/load-impl.h"

const char *const load_error_names[LOAD_ERRORS_N] = {
#define X(name, text) [LOAD_##name] = text,
	LOAD_ERRORS(X)
#undef X
};

/* ---- pacing ---- */

void pace_init(struct pace *p, int64_t begin, double per_second)
{
	*p = (struct pace){ .begin = begin, .interval = (double)NS_PER_SEC / per_second };
}

int64_t pace_next(const struct pace *p)
{
	return p->begin + (int64_t)((double)p->taken * p->interval);
}

bool pace_take(struct pace *p, int64_t now, int64_t *ret_due)
{
	int64_t due = pace_next(p);

	if (due > now)
		return false;
	p->taken++;
	*ret_due = due;
	return true;
}

/* ---- result ---- */

void load_result_fini(struct load_result *r)
{
	histogram_free(r->latency);
	histogram_free(r->service);
	r->latency = r->service = NULL;
}

static void merge(struct load_result *into, const struct load_result *from)
{
	histogram_merge(into->latency, from->latency);
	histogram_merge(into->service, from->service);
	into->done += from->done;
	into->bytes_in += from->bytes_in;
	into->bytes_out += from->bytes_out;
	into->connects += from->connects;
	into->late += from->late;
	into->elapsed = MAX(into->elapsed, from->elapsed);
	into->interrupted |= from->interrupted;
	for (unsigned i = 0; i < LOAD_ERRORS_N; i++)
		into->errors[i] += from->errors[i];
	for (unsigned i = 0; i < ARRAY_LEN(into->statuses); i++)
		into->statuses[i] += from->statuses[i];
	if (!into->first.code)
		into->first = from->first;
}

enum load_error load_error_of(const struct err *why, bool before_answer)
{
	switch (why ? why->code : ERR_NONE) {
	case ERR_TIMEOUT: return LOAD_TIMEOUT;
	case ERR_UNAVAILABLE:
	case ERR_SYSTEM:
	case ERR_NOT_FOUND: return before_answer && why->sys ? LOAD_CONNECT : LOAD_BROKEN;
	case ERR_NONE: return LOAD_BROKEN;
	default: return LOAD_PROTOCOL;
	}
}

/* ---- the run ---- */

struct run {
	struct load_conf conf;
	struct loop *loop;
	struct timer second;
	struct sigsource sig;
	struct worker *workers;
	atomic_bool stop;
	atomic_uint left;
	int64_t begin;
};

/* Back on the main thread; the loop looks at `left` after each round. */
static void worker_over(struct work *work)
{
	struct worker *w = CONTAINER_OF(work, struct worker, work);

	atomic_fetch_sub(w->left, 1);
}

static int every_second(struct timer *t)
{
	struct run *r = CONTAINER_OF(t, struct run, second);
	uint64_t done = 0, errors = 0;

	for (unsigned i = 0; i < r->conf.threads; i++) {
		done += atomic_load_explicit(&r->workers[i].done, memory_order_relaxed);
		errors += atomic_load_explicit(&r->workers[i].errors, memory_order_relaxed);
	}
	if (r->conf.progress)
		r->conf.progress(r->conf.arg, clock_mono() - r->begin, done, errors);
	timer_set_after(t, NS_PER_SEC);
	return 0;
}

static int on_signal(struct sigsource *s, const void *info)
{
	struct run *r = CONTAINER_OF(s, struct run, sig);

	(void)info;
	atomic_store(&r->stop, true);
	return 0;
}

static int check(struct load_conf *c, struct err *err)
{
	c->threads = c->threads ? c->threads : 1;
	c->connections = c->connections ? c->connections : 1;
	c->streams = c->streams ? c->streams : 1;
	c->timeout = c->timeout ? c->timeout : 30 * NS_PER_SEC;
	if (!c->target)
		c->target = "/";
	if (!c->method)
		c->method = c->body.n ? "POST" : "GET";
	if (c->threads > LOAD_THREADS_MAX || c->connections > LOAD_CONNECTIONS_MAX ||
	    c->streams > LOAD_STREAMS_MAX)
		return err_set(err, ERR_INVALID,
			       "at most %d threads, %d connections and %d streams on each",
			       LOAD_THREADS_MAX, LOAD_CONNECTIONS_MAX, LOAD_STREAMS_MAX);
	if (c->threads > c->connections)
		return err_set(err, ERR_INVALID,
			       "%u threads cannot share %u connections: each needs one", c->threads,
			       c->connections);
	if (c->duration <= 0 && c->requests == 0)
		return err_set(err, ERR_INVALID,
			       "neither a duration nor a number of requests is given");
	if (c->requests && c->requests < c->threads)
		return err_set(err, ERR_INVALID, "%llu requests are fewer than %u threads",
			       (unsigned long long)c->requests, c->threads);
	if (c->duration < 0 || c->warmup < 0 || c->timeout < 0 || c->rate < 0 || c->rate > 1e8)
		return err_set(err, ERR_INVALID,
			       "durations and rate cannot be negative, a rate is at most 10^8");
	if (c->no_keepalive && (c->kind != LOAD_HTTP || c->streams > 1))
		return err_set(err, ERR_INVALID,
			       "a connection for each exchange carries one HTTP exchange only");
	return 0;
}

/* Connections, rate and number of requests are dealt out so that they add up. */
static void share(struct run *r, unsigned i)
{
	const struct load_conf *c = &r->conf;
	struct worker *w = &r->workers[i];

	w->conf = c;
	w->stop = &r->stop;
	w->left = &r->left;
	w->lanes_n = c->connections / c->threads + (i < c->connections % c->threads);
	w->slots_n = w->lanes_n * c->streams;
	w->quota = c->requests / c->threads + (i < c->requests % c->threads);
	w->rate = c->rate * (double)w->lanes_n / (double)c->connections;
	w->result.latency = histogram_new();
	w->result.service = histogram_new();
}

static int run_all(struct run *r, struct err *err)
{
	CLEANUP(work_pool_free) struct work_pool *pool = NULL;
	unsigned n = r->conf.threads;
	int e;

	e = work_pool_new(r->loop, n, n, &pool, err);
	if (e < 0)
		return e;
	r->begin = clock_mono();
	atomic_store(&r->left, n);
	for (unsigned i = 0; i < n && e == 0; i++) {
		share(r, i);
		e = work_submit(pool, &r->workers[i].work, worker_run, worker_over, err);
		if (e < 0) {
			atomic_store(&r->stop, true);
			return e; /* those that run see it; the pool waits for them */
		}
	}
	timer_set_after(&r->second, NS_PER_SEC);
	while (atomic_load(&r->left) > 0 && e >= 0)
		e = loop_step(r->loop, -1, err);
	atomic_store(&r->stop, true);
	return e < 0 ? e : 0;
}

int load_run(const struct load_conf *conf, struct load_result *ret, struct err *err)
{
	struct run r = { .conf = *conf };
	int e = check(&r.conf, err);

	if (e < 0)
		return e;
	e = loop_new(&r.loop, err);
	if (e < 0)
		return e;
	timer_init(&r.second, r.loop, every_second);
	if (conf->stop_signal)
		e = sigsource_init(&r.sig, r.loop, conf->stop_signal, on_signal, err);
	r.workers = calloc(r.conf.threads, sizeof(*r.workers));
	if (!r.workers)
		abort();
	if (e == 0)
		e = run_all(&r, err);
	*ret = (struct load_result){ .latency = histogram_new(), .service = histogram_new() };
	for (unsigned i = 0; i < r.conf.threads; i++) {
		struct worker *w = &r.workers[i];

		if (e == 0 && w->failed < 0) {
			e = w->failed;
			if (err)
				*err = w->err;
		}
		if (w->result.latency)
			merge(ret, &w->result);
		load_result_fini(&w->result);
	}
	if (e < 0)
		load_result_fini(ret);
	if (conf->stop_signal)
		sigsource_fini(&r.sig);
	timer_fini(&r.second);
	loop_free(r.loop);
	free(r.workers);
	return e;
}
