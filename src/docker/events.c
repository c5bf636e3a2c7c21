/* SPDX-License-Identifier: Apache-2.0 */
/* GET /events: what the engine's ring still holds, then what happens, until `until`, the client or
 * the engine ends. One JSON object per line. */
#include "docker/private.h"

#include <stdio.h>

struct follower {
	struct watch watch;
	struct event_watch events;
	struct timer until;
	struct call *c;
	struct filters f;
	int64_t since, last; /* the time asked for, else INT64_MIN and INT64_MAX */
	uint64_t seen;	     /* sequence number of the last event that was looked at */
	bool behind;	     /* the queue is full: what comes waits in the engine's ring */
	bool time_over;	     /* the end of `until`, but not all was sent yet */
	bool over;
};

static void follower_end(struct follower *w)
{
	if (w->over)
		return;
	w->over = true;
	engine_events_unwatch(&w->events);
	timer_fini(&w->until);
	list_del(&w->watch.link);
	stream_unref(w->c->s);
}

/* Our end of the answer. `closed` may run inside stream_end: w lives as long as the stream. */
static void follower_finish(struct follower *w)
{
	struct stream *s = stream_ref(w->c->s);

	(void)stream_end(s); /* a client that left */
	follower_end(w);
	stream_unref(s);
}

static const char *attr(const struct event *ev, const char *key)
{
	for (size_t i = 0; i < ev->nattrs; i++)
		if (strcmp(ev->attrs[i].key, key) == 0)
			return ev->attrs[i].value;
	return NULL;
}

/* One value names it: by id, by a prefix of the id, or by name. */
static bool names_it(const struct filters *f, const char *key, const struct event *ev)
{
	const char *name = attr(ev, "name"), *v;

	if (!filters_has(f, key))
		return true;
	if (strcmp(ev->type, key) != 0)
		return strcmp(key, "image") == 0 && attr(ev, "image") &&
		       filters_exact(f, key, attr(ev, "image"));
	for (size_t i = 0; (v = filters_nth(f, key, i)); i++)
		if (strncmp(ev->id, v, strlen(v)) == 0 || (name && strcmp(name, v) == 0))
			return true;
	return false;
}

static bool action_matches(const struct filters *f, const char *action)
{
	const char *v;

	for (size_t i = 0; (v = filters_nth(f, "event", i)); i++) {
		size_t n = strlen(v);

		/* "exec_start" also means "exec_start: sh -c ..." */
		if (strncmp(action, v, n) == 0 && (!action[n] || action[n] == ':'))
			return true;
	}
	return !filters_has(f, "event");
}

static bool wanted(const struct follower *w, const struct event *ev)
{
	static const char *const by_name[] = { "config",  "container", "daemon", "image",
					       "network", "node",      "plugin", "secret",
					       "service", "volume" };
	struct str_pair pairs[256];
	struct str_map labels = { pairs, MIN(ev->nattrs, ARRAY_LEN(pairs)) };

	if (ev->time < w->since || ev->time > w->last || !filters_exact(&w->f, "type", ev->type) ||
	    !action_matches(&w->f, ev->action) || !filters_exact(&w->f, "scope", "local"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(by_name); i++)
		if (!names_it(&w->f, by_name[i], ev))
			return false;
	for (size_t i = 0; i < labels.n; i++)
		pairs[i] = (struct str_pair){ ev->attrs[i].key, ev->attrs[i].value };
	return filters_labels(&w->f, "label", &labels);
}

static void write_event(struct follower *w, const struct event *ev)
{
	CLEANUP(arena_free) struct arena *a = arena_new("event", 1u << 20);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	struct doc *o = doc_new_object(a), *actor, *attrs;
	struct err err = ERR_INIT;
	bool legacy = strcmp(ev->type, "container") == 0 || strcmp(ev->type, "image") == 0;
	const char *image = attr(ev, "image");

	if (!wanted(w, ev))
		return;
	if (legacy) {
		doc_set_str(a, o, "status", ev->action);
		doc_set_str(a, o, "id", ev->id);
		if (image)
			doc_set_str(a, o, "from", image);
	}
	doc_set_str(a, o, "Type", ev->type);
	doc_set_str(a, o, "Action", ev->action);
	actor = doc_set_object(a, o, "Actor");
	doc_set_str(a, actor, "ID", ev->id);
	attrs = doc_set_object(a, actor, "Attributes");
	for (size_t i = 0; i < ev->nattrs; i++)
		doc_set_str(a, attrs, ev->attrs[i].key, ev->attrs[i].value);
	doc_set_str(a, o, "scope", "local");
	doc_set_int(a, o, "time", ev->time / NS_PER_SEC);
	doc_set_int(a, o, "timeNano", ev->time);
	if (arena_exceeded(a) || json_write(o, NULL, &b, &err) < 0)
		return;
	buf_addc(&b, '\n');
	w->behind = stream_write(w->c->s, b.p, b.n) == 1;
}

/*
 * A slow reader costs no memory: what it has not taken stays in the engine's ring, and who is
 * overtaken by the whole ring is cut off.
 */
static void take(void *arg, const struct event *ev)
{
	struct follower *w = arg;

	if (w->over || w->behind || ev->seq <= w->seen)
		return;
	if (w->seen && ev->seq != w->seen + 1) {
		stream_reset(w->c->s, NULL);
		return;
	}
	w->seen = ev->seq;
	write_event(w, ev);
}

static void happened(struct event_watch *ew, const struct event *ev)
{
	take(CONTAINER_OF(ew, struct follower, events), ev);
}

static void events_writable(struct stream *s)
{
	struct follower *w = stream_arg(s);

	stream_ref(s); /* w lives in it, and it may be cut off */
	w->behind = false;
	if (!w->over)
		engine_events_replay(w->c->e, INT64_MIN, take, w);
	if (!w->over && !w->behind && w->time_over)
		follower_finish(w);
	stream_unref(s);
}

static int time_over(struct timer *t)
{
	struct follower *w = CONTAINER_OF(t, struct follower, until);

	w->time_over = true;
	if (!w->behind)
		follower_finish(w);
	return 0;
}

static void events_stop(struct watch *watch)
{
	follower_finish(CONTAINER_OF(watch, struct follower, watch));
}

static void events_cancelled(struct stream *s)
{
	struct follower *w = stream_arg(s);

	if (!w->over)
		stream_reset(s, NULL);
}

static void events_closed(struct stream *s, const struct err *why)
{
	(void)why;
	follower_end(stream_arg(s));
}

static int when_param(struct call *c, const char *name, int64_t absent, int64_t *ret)
{
	const char *text = query_get(&c->q, name);
	struct err err = ERR_INIT;

	*ret = absent;
	if (!text || !*text)
		return 0;
	if (clock_parse_when(slice_str(text), clock_real(), ret, &err) == 0)
		return 0;
	reply_fail(c, ERR_BAD_REQUEST, "invalid %s: %s", name, err.msg);
	return -ERR_BAD_REQUEST;
}

void events_handle(struct call *c)
{
	static const char *const known[] = { "config", "container", "daemon", "event",	"image",
					     "label",  "network",   "node",   "plugin", "scope",
					     "secret", "service",   "type",   "volume", NULL };
	static const struct stream_events events = { .cancel = events_cancelled,
						     .closed = events_closed,
						     .writable = events_writable };
	struct follower *w = ARENA_NEW(c->a, struct follower);
	struct err err = ERR_INIT;
	int64_t since, now = clock_real();

	if (filters_parse(c, known, &w->f, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	if (when_param(c, "since", INT64_MAX, &since) < 0 ||
	    when_param(c, "until", INT64_MAX, &w->last) < 0)
		return;
	if (since != INT64_MAX && w->last < since) {
		reply_fail(c, ERR_BAD_REQUEST,
			   "`since` time (%s) cannot be after `until` time (%s)",
			   query_get(&c->q, "since"), query_get(&c->q, "until"));
		return;
	}
	w->c = c;
	w->events.fn = happened;
	w->watch.stop = events_stop;
	timer_init(&w->until, c->api->loop, time_over);
	list_append(&c->api->watches, &w->watch.link);
	stream_ref(c->s);
	stream_on(c->s, &events, w);
	(void)stream_set_header(c->s, "Content-Type", "application/json");
	(void)stream_start(c->s, 200, -1); /* a client that left: `closed` comes */
	w->since = since;
	if (since != INT64_MAX)
		engine_events_replay(c->e, INT64_MIN, take, w);
	if (!w->behind)
		w->since = INT64_MIN; /* a clock that is set back hides nothing that is new */
	if (w->over)
		return;
	engine_events_watch(c->e, &w->events);
	if (w->last != INT64_MAX)
		timer_set_after(&w->until, MAX(w->last - now, 0));
}
