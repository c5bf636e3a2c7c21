/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections by origin. Invariants:
 * (1) a connection is in exactly one of its origin's lists: opening, busy (uses > 0) or idle (also
 * in the pool's lru); one that is lost and still used is in none;
 * (2) an origin lives while it has connections, waiters or an open circuit;
 * (3) who waits is served in order, and only by serve(), which runs after everything that gives
 * room; callbacks may call the pool again, so lists are taken from afresh each time.
 */
#include "io/pool.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/map.h"
#include "io/retry.h"
#include "io/stream-impl.h"

struct pool_origin {
	struct pool *pool;
	struct list opening, busy, idle, waiting;
	size_t opening_n, open_n, idle_n, waiting_n, lost_n;
	struct circuit circuit;
	unsigned held; /* somebody works with it */
	char name[];
};

struct pool {
	struct pool_conf conf;
	struct map origins;
	struct list lru; /* longest idle first */
	struct timer timer;
	size_t total;
	bool closing;
	struct pool_stats stats;
};

static void serve(struct pool_origin *o);
static int on_timer(struct timer *t);

static int64_t now_of(const struct pool *p)
{
	if (p->conf.now)
		return p->conf.now(p->conf.arg);
	return p->conf.loop ? loop_now(p->conf.loop) : clock_mono();
}

/* ---- origins ---- */

static struct pool_origin *origin_of(struct pool *p, const char *name)
{
	struct pool_origin *o = map_get(&p->origins, slice_str(name));
	size_t n = strlen(name);

	if (o)
		return o;
	o = io_alloc(sizeof(*o) + n + 1);
	memcpy(o->name, name, n);
	o->pool = p;
	list_init(&o->opening);
	list_init(&o->busy);
	list_init(&o->idle);
	list_init(&o->waiting);
	circuit_init(&o->circuit, p->conf.failures, p->conf.open_time);
	(void)map_put(&p->origins, slice_of(o->name, n), o);
	return o;
}

/* keeps (2) */
static void origin_put(struct pool_origin *o)
{
	if (o->held || o->open_n || o->opening_n || o->waiting_n || o->lost_n ||
	    circuit_is_open(&o->circuit) || o->circuit.seen)
		return;
	(void)map_del(&o->pool->origins, slice_str(o->name));
	free(o);
}

/* ---- connections ---- */

static void forget(struct pool_conn *c)
{
	struct pool_origin *o = c->origin;
	struct pool *p = o->pool;

	list_del(&c->link);
	list_del(&c->lru);
	if (!c->open)
		o->opening_n--;
	else
		o->open_n--;
	o->idle_n -= c->open && c->uses == 0;
	p->total--;
}

static void close_idle(struct pool_conn *c)
{
	struct pool *p = c->origin->pool;
	struct pool_origin *o = c->origin;

	forget(c);
	p->conf.ops->hang_up(p->conf.arg, c);
	origin_put(o);
}

static void use(struct pool_conn *c)
{
	struct pool_origin *o = c->origin;

	if (c->uses++ == 0) {
		o->idle_n--;
		list_del(&c->lru);
	}
	list_del(&c->link);
	list_append(&o->busy, &c->link);
	o->pool->stats.uses++;
}

static bool too_old(const struct pool *p, const struct pool_conn *c)
{
	return p->conf.life_max && now_of(p) - c->born >= p->conf.life_max;
}

/* The connection with the most uses and room, else the idle one that was used last. */
static struct pool_conn *find_free(struct pool_origin *o)
{
	struct pool *p = o->pool;
	struct pool_conn *c, *best = NULL;

	LIST_FOREACH (c, &o->busy, struct pool_conn, link)
		if (c->uses < c->capacity && !too_old(p, c) && (!best || c->uses > best->uses))
			best = c;
	while (!best && !list_empty(&o->idle)) {
		c = LIST_ENTRY(o->idle.prev, struct pool_conn, link);
		if (!too_old(p, c) &&
		    (!p->conf.ops->healthy || p->conf.ops->healthy(p->conf.arg, c)))
			best = c;
		else
			close_idle(c);
	}
	return best;
}

/* Room for one more: at the total limit another origin's longest idle one goes. */
static bool make_room(struct pool_origin *o)
{
	struct pool *p = o->pool;
	struct pool_conn *c;

	if (o->open_n + o->opening_n >= p->conf.origin_max)
		return false;
	if (p->total < p->conf.total_max)
		return true;
	c = LIST_FIRST(&p->lru, struct pool_conn, lru);
	if (!c)
		return false;
	p->stats.evicted++;
	close_idle(c);
	return true;
}

static int open_one(struct pool_origin *o, struct err *err)
{
	struct pool *p = o->pool;
	struct pool_conn *c = NULL;
	int r;

	if (!circuit_allow(&o->circuit, now_of(p)))
		return err_set(err, ERR_UNAVAILABLE,
			       "%s: the last attempts to connect failed; the next one comes later",
			       o->name);
	o->opening_n++;
	p->total++;
	r = p->conf.ops->connect(p->conf.arg, o->name, &c, err);
	if (r < 0) {
		o->opening_n--;
		p->total--;
		p->stats.failed++;
		circuit_done(&o->circuit, false, now_of(p));
		return r;
	}
	*c = (struct pool_conn){ .origin = o, .capacity = 1 };
	list_init(&c->lru);
	list_init(&c->link);
	list_append(&o->opening, &c->link);
	return 0;
}

/* ---- waiting ---- */

static void tell(struct pool_wait *w, struct pool_conn *c, struct err *err)
{
	w->origin->waiting_n--;
	list_del(&w->link);
	w->origin = NULL;
	w->fn(w, c, err);
}

static void arm(struct pool *p)
{
	int64_t due;

	if (!p->conf.loop || p->closing)
		return;
	due = pool_tick(p);
	if (due == INT64_MAX)
		timer_clear(&p->timer);
	else
		timer_set(&p->timer, due);
}

static void fail_all(struct pool_origin *o, const struct err *why)
{
	struct pool_wait *w;

	while ((w = LIST_FIRST(&o->waiting, struct pool_wait, link))) {
		struct err copy = *why;

		tell(w, NULL, &copy);
	}
}

/* keeps (3) */
static void serve(struct pool_origin *o)
{
	struct err err = ERR_INIT;
	struct pool_wait *w;
	struct pool_conn *c;

	o->held++;
	while ((w = LIST_FIRST(&o->waiting, struct pool_wait, link)) && (c = find_free(o))) {
		use(c);
		tell(w, c, NULL);
	}
	/* What is being opened is for those in front. */
	while (!o->pool->closing && o->waiting_n > o->opening_n && make_room(o))
		if (open_one(o, &err) < 0) {
			if (!o->opening_n && !o->open_n)
				fail_all(o, &err);
			break;
		}
	o->held--;
	origin_put(o);
}

/* ---- public ---- */

struct pool *pool_new(const struct pool_conf *conf)
{
	struct pool *p = io_alloc(sizeof(*p));
	struct pool_conf *c = &p->conf;

	*c = *conf;
	c->origin_max = c->origin_max ? c->origin_max : 32;
	c->total_max = c->total_max ? c->total_max : 512;
	c->idle_max = c->idle_max ? c->idle_max : 8;
	c->waiting_max = c->waiting_max ? c->waiting_max : 1024;
	c->idle_time = c->idle_time ? c->idle_time : 60 * NS_PER_SEC;
	c->wait_time = c->wait_time ? c->wait_time : 30 * NS_PER_SEC;
	c->open_time = c->open_time ? c->open_time : NS_PER_SEC;
	map_init(&p->origins);
	list_init(&p->lru);
	if (c->loop)
		timer_init(&p->timer, c->loop, on_timer);
	return p;
}

static void drop_all(struct pool_origin *o, struct list *head)
{
	struct pool_conn *c;

	while ((c = LIST_FIRST(head, struct pool_conn, link))) {
		bool used = c->uses > 0;

		forget(c);
		c->origin = NULL;
		if (!used)
			o->pool->conf.ops->hang_up(o->pool->conf.arg, c);
	}
}

void pool_free(struct pool *p)
{
	struct err err = ERR_INIT;
	struct pool_origin *o;

	if (!p)
		return;
	p->closing = true;
	(void)err_set(&err, ERR_UNAVAILABLE, "the connections are being closed");
	for (size_t i = 0; (o = map_next(&p->origins, &i, NULL));) {
		o->held++;
		fail_all(o, &err);
		drop_all(o, &o->opening);
		drop_all(o, &o->idle);
		drop_all(o, &o->busy);
	}
	for (size_t i = 0; (o = map_next(&p->origins, &i, NULL));)
		free(o);
	if (p->conf.loop)
		timer_fini(&p->timer);
	map_fini(&p->origins);
	free(p);
}

int pool_get(struct pool *p, const char *origin, struct pool_wait *w, struct pool_conn **ret,
	     struct err *err)
{
	struct pool_origin *o = origin_of(p, origin);
	struct pool_conn *c;
	int r = 0;

	o->held++;
	c = list_empty(&o->waiting) ? find_free(o) : NULL;
	if (c) {
		use(c);
		p->stats.reused++;
		*ret = c;
		r = 1;
	} else if (o->waiting_n >= p->conf.waiting_max) {
		r = err_set(err, ERR_QUOTA, "%s: %zu wait for a connection already", o->name,
			    o->waiting_n);
	} else if (o->waiting_n >= o->opening_n && make_room(o)) {
		r = open_one(o, err);
		/* Others will be free again. */
		if (r < 0 && o->open_n)
			r = 0;
	}
	if (r == 0) {
		w->origin = o;
		w->due = now_of(p) + p->conf.wait_time;
		list_append(&o->waiting, &w->link);
		o->waiting_n++;
		serve(o); /* connect may have called pool_opened inside */
		arm(p);
	}
	o->held--;
	origin_put(o);
	return r;
}

void pool_cancel(struct pool *p, struct pool_wait *w)
{
	struct pool_origin *o = w->origin;

	(void)p;
	if (!o)
		return;
	list_del(&w->link);
	w->origin = NULL;
	o->waiting_n--;
	origin_put(o);
}

bool pool_take(struct pool *p, struct pool_conn *c)
{
	if (!c->origin || c->lost || c->uses >= c->capacity || too_old(p, c))
		return false;
	use(c);
	return true;
}

static void to_idle(struct pool_conn *c)
{
	struct pool_origin *o = c->origin;
	struct pool *p = o->pool;

	c->idle_since = now_of(p);
	o->idle_n++;
	list_del(&c->link);
	list_append(&o->idle, &c->link);
	list_append(&p->lru, &c->lru);
	if (too_old(p, c))
		close_idle(c);
	else if (o->idle_n > p->conf.idle_max)
		close_idle(LIST_FIRST(&o->idle, struct pool_conn, link));
}

void pool_put(struct pool *p, struct pool_conn *c)
{
	struct pool_origin *o = c->origin;

	if (!o)
		return;
	o->held++;
	p->stats.uses--;
	c->uses--;
	if (c->lost && c->uses == 0) {
		o->lost_n--;
		c->origin = NULL;
	} else if (!c->lost && c->uses == 0) {
		to_idle(c);
	}
	serve(o);
	o->held--;
	origin_put(o);
	arm(p);
}

void pool_opened(struct pool *p, struct pool_conn *c, unsigned capacity)
{
	struct pool_origin *o = c->origin;

	if (!o || c->open)
		return;
	o->held++;
	p->stats.opened++;
	circuit_done(&o->circuit, true, now_of(p));
	c->open = true;
	c->capacity = MAX(capacity, 1u);
	c->born = now_of(p);
	o->opening_n--;
	o->open_n++;
	to_idle(c);
	serve(o);
	o->held--;
	origin_put(o);
	arm(p);
}

void pool_failed(struct pool *p, struct pool_conn *c, const struct err *why)
{
	struct pool_origin *o = c->origin;
	struct pool_wait *w;
	struct err copy = *why;

	if (!o || c->open)
		return;
	o->held++;
	p->stats.failed++;
	forget(c);
	c->origin = NULL;
	circuit_done(&o->circuit, false, now_of(p));
	w = LIST_FIRST(&o->waiting, struct pool_wait, link);
	if (circuit_is_open(&o->circuit) && !o->open_n && !o->opening_n)
		fail_all(o, why);
	else if (w && o->waiting_n > o->opening_n && !o->open_n)
		tell(w, NULL, &copy);
	serve(o);
	o->held--;
	origin_put(o);
	arm(p);
}

void pool_capacity(struct pool *p, struct pool_conn *c, unsigned capacity)
{
	(void)p;
	if (!c->origin || c->lost)
		return;
	c->capacity = MAX(capacity, 1u);
	serve(c->origin);
}

bool pool_lost(struct pool *p, struct pool_conn *c)
{
	struct pool_origin *o = c->origin;
	bool used = c->uses > 0;

	if (!o || c->lost)
		return !used;
	o->held++;
	forget(c);
	c->lost = true;
	o->lost_n += used;
	if (!used)
		c->origin = NULL;
	serve(o);
	o->held--;
	origin_put(o);
	arm(p);
	return !used;
}

/* ---- time ---- */

static int64_t tick_waiting(struct pool_origin *o, int64_t now, int64_t next)
{
	struct err err = ERR_INIT;
	struct pool_wait *w;

	while ((w = LIST_FIRST(&o->waiting, struct pool_wait, link)) && w->due <= now) {
		(void)err_set(&err, ERR_TIMEOUT, "%s: no connection became free in %lld ms",
			      o->name, (long long)(o->pool->conf.wait_time / NS_PER_MS));
		o->pool->stats.timeouts++;
		tell(w, NULL, &err);
	}
	return w ? MIN(next, w->due) : next;
}

int64_t pool_tick(struct pool *p)
{
	int64_t now = now_of(p), next = INT64_MAX;
	struct pool_origin *o;
	struct pool_conn *c;

	while ((c = LIST_FIRST(&p->lru, struct pool_conn, lru)) &&
	       c->idle_since + p->conf.idle_time <= now)
		close_idle(c);
	if (c)
		next = c->idle_since + p->conf.idle_time;
	for (size_t i = 0; (o = map_next(&p->origins, &i, NULL));) {
		o->held++;
		next = tick_waiting(o, now, next);
		o->held--;
		origin_put(o);
	}
	return next;
}

static int on_timer(struct timer *t)
{
	arm(CONTAINER_OF(t, struct pool, timer));
	return 0;
}

struct pool_stats pool_get_stats(const struct pool *p)
{
	struct pool_stats s = p->stats;
	struct pool_origin *o;

	s.origins = map_count(&p->origins);
	for (size_t i = 0; (o = map_next(&p->origins, &i, NULL));) {
		s.open += o->open_n;
		s.opening += o->opening_n;
		s.idle += o->idle_n;
		s.waiting += o->waiting_n;
	}
	return s;
}
