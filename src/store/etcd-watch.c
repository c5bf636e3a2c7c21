/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches. Each has a stream of its own, which watches every key of etcd and is sifted here: so
 * each revision is seen, and "all up to here was told" needs no progress notices (of which etcd
 * before 3.4.25 sends some too early).
 *
 * (1) `sent`: all up to it was told, nothing behind it. A stream begins at sent + 1, also the one
 *     after a lost connection.
 * (2) Fragments of one answer are told together: a revision is never split.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "store/etcd.h"

#include <stdlib.h>

#define PAUSE_FIRST (20 * NS_PER_MS)
#define PAUSE_MAX NS_PER_SEC
#define REST NS_PER_SEC /* between notices of progress that nobody asked for */

enum { REQUEST_CREATE = 1 };
enum {
	CREATE_KEY = 1,
	CREATE_END = 2,
	CREATE_START = 3,
	CREATE_NOTIFY = 4,
	CREATE_PREV = 6,
	CREATE_FRAGMENT = 8
};
enum {
	ANSWER_HEADER = 1,
	ANSWER_CANCELED = 4,
	ANSWER_COMPACTED = 5,
	ANSWER_REASON = 6,
	ANSWER_FRAGMENT = 7,
	ANSWER_EVENTS = 11
};
enum { EVENT_TYPE = 1, EVENT_KV = 2, EVENT_PREV = 3 };

struct etcd_watch {
	struct list link;
	struct etcd *e;
	struct store_watch *w;
	struct grpc_call *call;
	struct etcd_call *asking; /* for the present revision */
	struct timer timer;	  /* begins the stream anew */
	struct timer rest;	  /* tells of progress */
	int64_t sent, told;	  /* told: the owner knows that much */
	int64_t wanted;		  /* progress is to be told when sent is there; 0 = no */
	unsigned tries;
	bool checked; /* `after` is not yet to come */
	bool dead;    /* unwatched within its own callback */
	bool busy;
	struct buf parts; /* fragments so far, whole messages behind their lengths */
	struct store_event *v;
	size_t n, cap;
};

static void begin(struct etcd_watch *x);

static void free_watch(struct etcd_watch *x)
{
	etcd_drop(&x->call);
	if (x->asking)
		x->asking->arg = NULL;
	list_del(&x->link);
	timer_fini(&x->timer);
	timer_fini(&x->rest);
	buf_fini(&x->parts);
	free(x->v);
	free(x);
}

static struct etcd_watch **slot(struct store_watch *w)
{
	return (struct etcd_watch **)&w->private_[0];
}

static void end(struct etcd_watch *x, const struct err *err)
{
	struct etcd *e = x->e;
	struct store_watch *w = x->w;

	*slot(w) = NULL;
	free_watch(x);
	deferred_call(&e->release);
	w->end(w, err);
}

/* ---- events ---- */

static struct store_event *next_event(struct etcd_watch *x)
{
	if (x->n == x->cap) {
		size_t cap = x->cap ? x->cap * 2 : 16;
		struct store_event *v = realloc(x->v, cap * sizeof(*v));

		if (!v)
			abort();
		x->v = v;
		x->cap = cap;
	}
	return &x->v[x->n];
}

int etcd_read_event(struct slice wire, bool no_prev, struct store_event *ret, struct err *err)
{
	struct pb_reader r = pb_reader(wire);
	struct store_event ev = { .kv = { .key = SLICE(""), .value = SLICE("") },
				  .prev = SLICE("") };
	struct store_kv prev = { 0 };
	struct pb_field f;
	int got = 0, result = 0;

	while (result == 0 && (got = pb_next(&r, &f)) > 0) {
		if (f.number == EVENT_TYPE && f.type == PB_VARINT)
			ev.removed = f.v == 1;
		else if (f.number == EVENT_KV && f.type == PB_BYTES)
			result = etcd_read_kv(f.bytes, &ev.kv, err);
		else if (f.number == EVENT_PREV && f.type == PB_BYTES)
			result = etcd_read_kv(f.bytes, &prev, err);
	}
	if (result == 0 && got < 0)
		result = etcd_malformed("event", &r, err);
	if (result < 0)
		return result;
	ev.prev_revision = prev.mod_revision;
	if (!no_prev && prev.mod_revision)
		ev.prev = prev.value;
	*ret = ev;
	return 0;
}

static int read_event(struct etcd_watch *x, struct slice wire, struct err *err)
{
	struct store_event *ev = next_event(x);
	int r = etcd_read_event(wire, x->w->no_prev, ev, err);

	if (r < 0)
		return r;
	/* Of what was seen already (a stream that overlaps), or of other keys. */
	if (ev->kv.mod_revision > x->sent && slice_starts(ev->kv.key, x->w->prefix))
		x->n++;
	return 0;
}

static int read_events(struct etcd_watch *x, struct slice wire, struct err *err)
{
	struct pb_reader r = pb_reader(wire);
	struct pb_field f;
	int result = 0;

	while (result == 0 && pb_next(&r, &f) > 0) {
		if (f.number == ANSWER_EVENTS && f.type == PB_BYTES)
			result = read_event(x, f.bytes, err);
	}
	return result;
}

/* The newest revision among all events of a message, also of other keys. */
static int64_t newest_of(struct slice wire)
{
	struct pb_reader r = pb_reader(wire);
	struct pb_field f;
	int64_t newest = 0;

	while (pb_next(&r, &f) > 0) {
		struct pb_reader er = pb_reader(f.bytes);
		struct pb_field g;

		if (f.number != ANSWER_EVENTS || f.type != PB_BYTES)
			continue;
		while (pb_next(&er, &g) > 0) {
			struct store_kv kv;

			if (g.number == EVENT_KV && g.type == PB_BYTES &&
			    etcd_read_kv(g.bytes, &kv, NULL) == 0)
				newest = MAX(newest, kv.mod_revision);
		}
	}
	return newest;
}

/* False: the watch is gone. */
static bool tell(struct etcd_watch *x, const struct store_event *v, size_t n)
{
	x->told = x->sent;
	if (x->wanted && x->wanted <= x->sent)
		x->wanted = 0;
	x->busy = true;
	x->w->events(x->w, v, n, x->sent);
	x->busy = false;
	if (x->dead) {
		free_watch(x);
		return false;
	}
	return true;
}

static bool progress_due(const struct etcd_watch *x)
{
	return x->wanted && x->wanted <= x->sent;
}

static int on_rest(struct timer *t)
{
	struct etcd_watch *x = CONTAINER_OF(t, struct etcd_watch, rest);

	if (x->told < x->sent)
		(void)tell(x, NULL, 0);
	return 0;
}

static int64_t read_parts(struct etcd_watch *x, struct slice last, struct err *err)
{
	int64_t newest = newest_of(last);
	size_t at = 0;
	int r = 0;

	x->n = 0;
	while (at < x->parts.n && r == 0) {
		struct slice part;
		uint32_t n;

		memcpy(&n, x->parts.p + at, sizeof(n));
		part = slice_of(x->parts.p + at + sizeof(n), n);
		r = read_events(x, part, err);
		newest = MAX(newest, newest_of(part));
		at += sizeof(n) + n;
	}
	if (r == 0)
		r = read_events(x, last, err);
	return r < 0 ? r : newest;
}

static void take_events(struct etcd_watch *x, struct slice wire)
{
	struct err err = ERR_INIT;
	struct etcd *e = x->e;
	int64_t newest = read_parts(x, wire, &err);

	if (newest < 0) {
		end(x, &err);
		return;
	}
	x->sent = MAX(x->sent, newest);
	e->revision = MAX(e->revision, newest);
	e->events += x->n;
	x->tries = 0;
	if (x->n || progress_due(x)) {
		if (!tell(x, x->v, x->n))
			x = NULL;
	} else if (!timer_armed(&x->rest)) {
		timer_set_after(&x->rest, REST);
	}
	if (x)
		buf_fini(&x->parts);
	deferred_call(&e->release);
}

static void keep_part(struct etcd_watch *x, struct slice wire)
{
	uint32_t n = (uint32_t)wire.n;
	struct err err = ERR_INIT;

	if (!x->parts.max)
		x->parts = BUF_INIT(4 * (size_t)ETCD_MESSAGE_MAX);
	if (buf_add(&x->parts, &n, sizeof(n)) < 0 || buf_add(&x->parts, wire.p, wire.n) < 0) {
		(void)err_set(&err, ERR_TOO_LARGE, "etcd: events of one revision are too large");
		end(x, &err);
	}
}

static void canceled(struct etcd_watch *x, int64_t compacted, struct slice reason)
{
	struct err err = ERR_INIT;

	if (compacted) {
		x->e->compacted = MAX(x->e->compacted, compacted);
		(void)err_set(&err, ERR_GONE,
			      "revision %lld is compacted (up to %lld); start again from a list",
			      (long long)x->sent, (long long)compacted);
	} else {
		(void)err_set(&err, ERR_UNAVAILABLE, "etcd ended the watch: %.*s",
			      (int)MIN(reason.n, (size_t)500), reason.n ? reason.p : "");
	}
	end(x, &err);
}

int etcd_read_watch(struct slice wire, struct etcd_watch_answer *ret, struct err *err)
{
	struct pb_reader r = pb_reader(wire);
	struct etcd_watch_answer a = { .reason = SLICE("") };
	struct pb_field f;
	int got;

	while ((got = pb_next(&r, &f)) > 0) {
		if (f.number == ANSWER_CANCELED && f.type == PB_VARINT)
			a.canceled = f.v != 0;
		else if (f.number == ANSWER_COMPACTED && f.type == PB_VARINT)
			a.compacted = (int64_t)f.v;
		else if (f.number == ANSWER_REASON && f.type == PB_BYTES)
			a.reason = f.bytes;
		else if (f.number == ANSWER_FRAGMENT && f.type == PB_VARINT)
			a.fragment = f.v != 0;
	}
	if (got < 0)
		return etcd_malformed("answer of a watch", &r, err);
	*ret = a;
	return 0;
}

static void on_bytes(struct grpc_call *g, struct slice wire)
{
	struct etcd_watch *x = grpc_arg(g);
	struct etcd_watch_answer a;
	struct err err = ERR_INIT;

	if (etcd_read_watch(wire, &a, &err) < 0)
		end(x, &err);
	else if (a.canceled)
		canceled(x, a.compacted, a.reason);
	else if (a.fragment)
		keep_part(x, wire);
	else
		take_events(x, wire);
}

/* ---- the stream ---- */

static void begin_later(struct etcd_watch *x)
{
	int64_t delay = PAUSE_FIRST;

	for (unsigned i = 0; i < x->tries && delay < PAUSE_MAX; i++)
		delay *= 2;
	x->tries++;
	timer_set_after(&x->timer, x->tries == 1 ? 0 : MIN(delay, PAUSE_MAX));
}

static void on_finished(struct grpc_call *g, const struct grpc_status *st)
{
	struct etcd_watch *x = grpc_arg(g);

	x->call = NULL;
	buf_fini(&x->parts);
	if (x->tries == 0)
		log_kv(LOG_LEVEL_WARN, "the watch of etcd broke off; it is begun anew", "endpoint",
		       x->e->endpoints[x->e->current].url, "error",
		       st->message && *st->message ? st->message : grpc_code_name(st->code), NULL);
	etcd_next_endpoint(x->e);
	x->checked = false; /* also fetches a new token where one is needed */
	begin_later(x);
	grpc_unref(g);
}

static void open_stream(struct etcd_watch *x)
{
	static const struct grpc_events events = { .finished = on_finished };
	struct pb_writer w = PB_WRITER_INIT(1u << 16);
	struct err err = ERR_INIT;

	pb_field_varint(&w, CREATE_FRAGMENT, 1);
	/* Also with no_prev: the revision before is told in any case. */
	pb_field_varint(&w, CREATE_PREV, 1);
	pb_field_varint(&w, CREATE_START, (uint64_t)x->sent + 1);
	pb_field_bytes(&w, CREATE_END, slice_of("\0", 1));
	pb_field_bytes(&w, CREATE_KEY, slice_of("\0", 1));
	pb_field_message(&w, REQUEST_CREATE, 0);
	if (etcd_stream(x->e, ETCD_WATCH, &etcd_watch_method, &x->call, &err) < 0) {
		x->call = NULL;
		etcd_next_endpoint(x->e);
		begin_later(x);
	} else {
		grpc_on(x->call, &events, x);
		grpc_on_bytes(x->call, on_bytes);
		(void)grpc_send_bytes(x->call, pb_written(&w), &err); /* else finished() comes */
	}
	pb_writer_fini(&w);
}

/* The present is known: a revision yet to come is refused, a watch that is up to date is told so.
 */
static void on_present(struct etcd_call *c, int result, struct slice answer, struct err *err)
{
	struct etcd_watch *x = c->arg;
	struct etcd_range_answer a;

	if (!x)
		return;
	x->asking = NULL;
	if (result == 0)
		result = etcd_read_range(x->e, answer, NULL, NULL, &a, err);
	if (result < 0) {
		begin_later(x);
		return;
	}
	if (x->sent > a.revision) {
		(void)err_set(err, ERR_BAD_REQUEST, "revision %lld is yet to come (%lld)",
			      (long long)x->sent, (long long)a.revision);
		end(x, err);
		return;
	}
	x->checked = true;
	x->wanted = MAX(x->wanted, x->w->after ? a.revision : 0);
	if (x->sent == a.revision && progress_due(x) && !tell(x, NULL, 0))
		return;
	open_stream(x);
}

static struct etcd_call *ask_present(struct etcd *e,
				     void (*done)(struct etcd_call *c, int result,
						  struct slice answer, struct err *err),
				     void *arg)
{
	const struct etcd_range_request q = { .key = slice_of("\0", 1), .count_only = true };
	struct pb_writer w = PB_WRITER_INIT(1u << 12);
	struct etcd_call *c;

	etcd_put_range(&w, &q);
	c = etcd_call_new(e, ETCD_KV, &etcd_range_method, &w, done, arg);
	c->twice = true;
	etcd_call_start(c);
	return c;
}

static void begin(struct etcd_watch *x)
{
	if (x->checked)
		open_stream(x);
	else if (!x->asking)
		x->asking = ask_present(x->e, on_present, x);
}

static int on_timer(struct timer *t)
{
	begin(CONTAINER_OF(t, struct etcd_watch, timer));
	return 0;
}

/* ---- calls ---- */

int etcd_watch(struct store *s, struct store_watch *w, struct err *err)
{
	struct etcd_watch *x = calloc(1, sizeof(*x));
	struct etcd *e = etcd_of(s);

	(void)err; /* what is wrong comes by end() */
	if (!x)
		abort();
	x->e = e;
	x->w = w;
	x->sent = x->told = w->after ? w->after : e->revision;
	timer_init(&x->timer, s->loop, on_timer);
	timer_init(&x->rest, s->loop, on_rest);
	list_append(&e->watches, &x->link);
	*slot(w) = x;
	timer_set_after(&x->timer, 0);
	return 0;
}

void etcd_unwatch(struct store *s, struct store_watch *w)
{
	struct etcd_watch *x = *slot(w);

	if (!x)
		return;
	*slot(w) = NULL;
	deferred_call(&etcd_of(s)->release);
	if (x->busy) {
		list_del(&x->link);
		x->dead = true;
		return;
	}
	free_watch(x);
}

static void on_progress(struct etcd_call *c, int result, struct slice answer, struct err *err)
{
	struct etcd *e = c->e;
	struct etcd_watch *x;
	struct etcd_range_answer a;

	if (result < 0 || etcd_read_range(e, answer, NULL, NULL, &a, err) < 0)
		return; /* whoever asked asks again, or its own time is over */
	LIST_FOREACH (x, &e->watches, struct etcd_watch, link) {
		if (x != c->arg)
			continue;
		x->wanted = MAX(x->wanted, a.revision);
		if (x->wanted <= x->sent)
			(void)tell(x, NULL, 0);
		return;
	}
}

void etcd_progress(struct store *s, struct store_watch *w)
{
	struct etcd_watch *x = *slot(w);

	if (x)
		(void)ask_present(etcd_of(s), on_progress, x);
}

int64_t etcd_watches_told(const struct etcd *e)
{
	int64_t told = INT64_MAX;
	struct etcd_watch *x;

	LIST_FOREACH (x, &((struct etcd *)e)->watches, struct etcd_watch, link) {
		told = MIN(told, x->sent);
	}
	return told;
}

void etcd_watches_end(struct etcd *e)
{
	struct etcd_watch *x;

	while ((x = LIST_FIRST(&e->watches, struct etcd_watch, link))) {
		*slot(x->w) = NULL;
		free_watch(x);
	}
}
