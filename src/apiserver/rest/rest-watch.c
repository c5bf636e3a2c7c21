/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WATCH: what is there (when asked for), then what changes, as a stream of events or as messages of
 * a WebSocket.
 *
 *	initial   the view's objects as ADDED, as fast as the reader takes them
 *	live      cache_watch; events of one round are one write
 *	          where a webhook makes what selectors look at, the watch is told of every change
 *	          of its prefix, and has it converted as it was and as it is: one change at a
 *	          time, so all stay in order, and its window waits with it
 *	end       time is up (a last bookmark), or the window went past a slow reader (ERROR 410)
 *
 * Bytes of events lie in the server's one line buffer, which belongs to one watch at a time
 * (`writer`): whoever needs it next writes the other's bytes first. So an idle watch has no buffer,
 * and an event costs no allocation. Those that are told of a batch are corked until all of it was
 * told: a connection that carries many of them, or gets many events, sends once.
 */
#include "apiserver/rest/call.h"
#include "apiserver/rest/gather.h"

#include "base/clock.h"
#include "base/hash.h"
#include "io/websocket.h"

#include <string.h>

#define BOOKMARK_TIME (60 * NS_PER_SEC)
#define PIECE (64u << 10)
#define LOOK_MAX 1024	   /* initial items looked at before others have their turn */
#define BOOKMARK_ROOM 4096 /* a bookmark takes less */
#define CORKED_MAX 128	   /* each may have a buffer; and the first are to be told soon */

struct initial {
	struct cache_view *view;
	struct cache_iter it;
	bool end_mark; /* a bookmark tells the end */
	/* Where a webhook converts: the next ones in their version. */
	struct item **ahead; /* referenced from `at` on; CONVERT_BATCH_N */
	size_t at, n;
};

/* A change, on its way to another version. */
struct pair {
	struct item *v[2]; /* as it was, as it is; referenced; NULL: not there, or of no interest */
	enum cache_change what;
	int64_t revision;
};

struct watch {
	struct cache_watch w;
	struct call *call;
	struct cache *cache;
	struct initial *initial; /* NULL once it is sent */
	struct ws *ws;		 /* NULL: a plain stream */
	struct timer timer;	 /* the next bookmark, or the end */
	int64_t ends;
	int64_t after;
	struct err *failed; /* to be told as soon as there is room; of the call's arena */
	bool live, paused, over;
	/* What a webhook is asked to make, and everything behind it waits for: initial->ahead, or
	 * one of `pair`. */
	struct convert_items turn;
	struct pair pair;
	bool turning;
	bool selects;  /* by what it makes (gather.h) */
	uint32_t form; /* then: of the version as it was when the watch began */
	struct selector fixed;
	struct list corked;    /* of the server */
	struct deferred again; /* goes on: initial items, or the window */
};

static void watch_on(struct watch *w);

/* ---- bytes out ---- */

/* 1: no more room for now; negative: nobody reads. */
static int send(struct watch *w, struct slice bytes)
{
	return w->ws ? ws_send(w->ws, WS_TEXT, bytes.p, bytes.n)
		     : stream_write(w->call->s, bytes.p, bytes.n);
}

static size_t room(const struct watch *w)
{
	return w->ws ? ws_room(w->ws) : stream_room(w->call->s);
}

/* Sends what is in the line. 1: there is no more room. */
static int flush_line(struct server *srv)
{
	struct watch *w = STEAL(srv->writer);
	int r;

	if (!w || !srv->line.n)
		return 0;
	r = send(w, buf_slice(&srv->line));
	if (r == 0 && w->paused && w->live)
		deferred_call(&w->again); /* all went out: nobody will tell of room */
	buf_clear(&srv->line);
	if (srv->line.cap > (1u << 20))
		buf_fini(&srv->line);
	if (r == -ERR_QUOTA)
		stream_reset(w->call->s, NULL); /* never an event less without a word */
	return r;
}

static void uncork(struct watch *w)
{
	if (list_empty(&w->corked))
		return;
	list_del(&w->corked);
	w->call->srv->ncorked--;
	stream_uncork(w->call->s);
}

static void uncork_all(struct server *srv)
{
	(void)flush_line(srv);
	while (!list_empty(&srv->corked)) {
		struct watch *w = LIST_FIRST(&srv->corked, struct watch, corked);
		CLEANUP(call_drop) struct call *held = call_hold(w->call);

		(void)held;
		uncork(w);
	}
}

static void cork(struct watch *w)
{
	struct server *srv = w->call->srv;

	if (!list_empty(&w->corked))
		return;
	if (srv->ncorked == CORKED_MAX)
		uncork_all(srv);
	stream_cork(w->call->s);
	list_append(&srv->corked, &w->corked);
	srv->ncorked++;
}

static struct buf *line_of(struct watch *w)
{
	struct server *srv = w->call->srv;

	if (srv->writer != w) {
		(void)flush_line(srv); /* of another */
		srv->writer = w;
	}
	return &srv->line;
}

static struct codec_out *out_of(struct watch *w)
{
	struct codec_out *o = &w->call->out;

	o->a = w->call->srv->scratch;
	arena_reset(o->a);
	return o;
}

/* One message each over a WebSocket. 1: no more room. */
static int added(struct watch *w)
{
	struct server *srv = w->call->srv;

	if (!w->ws)
		return srv->line.n >= room(w);
	(void)flush_line(srv);
	return room(w) == 0;
}

/* ---- the end ---- */

static void initial_fini(struct initial *in)
{
	while (in->at < in->n)
		item_unref(in->ahead[in->at++]);
	free(STEAL(in->ahead));
	cache_view_unref(STEAL(in->view));
}

static void pair_clear(struct pair *p)
{
	item_unref(STEAL(p->v[0]));
	item_unref(STEAL(p->v[1]));
}

static void watch_stop(struct call *c)
{
	struct watch *w = STEAL(c->verb);

	if (!w)
		return;
	w->over = true;
	if (w->call->srv->writer == w) {
		w->call->srv->writer = NULL;
		buf_clear(&w->call->srv->line);
	}
	cache_unwatch(&w->w);
	uncork(w);
	timer_fini(&w->timer);
	deferred_fini(&w->again);
	convert_items_cancel(&w->turn);
	pair_clear(&w->pair);
	if (w->initial)
		initial_fini(w->initial);
	c->writable = NULL;
	c->drain = NULL;
	ws_unref(w->ws);
	call_drop(c);
}

/* What was added leaves, then the stream ends as it should. */
static void finish(struct watch *w)
{
	struct call *c = w->call;
	CLEANUP(call_drop) struct call *held = call_hold(c);
	struct ws *ws = w->ws ? ws_ref(w->ws) : NULL;

	(void)held;
	(void)flush_line(c->srv);
	c->stop = NULL;
	if (c->verb)
		watch_stop(c);
	if (ws) {
		ws_close(ws, 1000, NULL);
		ws_unref(ws);
	} else {
		(void)stream_end(c->s);
	}
}

/* A reader that is slow is told when it has read what was before it. */
static bool tell_later(struct watch *w, const struct err *err)
{
	(void)flush_line(w->call->srv);
	if (w->over || w->ws || room(w) > 0)
		return false;
	if (!w->failed)
		w->failed = ARENA_NEW(w->call->a, struct err);
	if (!w->failed)
		return false;
	if (err != w->failed)
		*w->failed = *err;
	w->failed->causes = NULL;
	w->paused = true;
	return true;
}

static void end_with_error(struct watch *w, const struct err *err)
{
	struct call *c = w->call;
	CLEANUP(call_drop) struct call *held = call_hold(c);
	struct status_about about = c->about;
	struct codec_out *o;
	struct doc d;
	int code;

	(void)held;
	if (tell_later(w, err) || w->over)
		return;
	o = out_of(w);
	if (err->code == ERR_GONE)
		about = (struct status_about){ .reason = STATUS_EXPIRED };
	if (status_doc(err, &about, o->a, &d, &code) == 0 &&
	    codec_error_event(o, &d, line_of(w), NULL) == 0)
		(void)added(w);
	finish(w);
}

static void bookmark(struct watch *w, bool initial_end)
{
	int64_t at = w->live ? cache_watch_revision(&w->w) : w->after;

	if (codec_bookmark(out_of(w), at, initial_end, line_of(w), NULL) == 0)
		(void)added(w);
}

static void set_timer(struct watch *w)
{
	int64_t now = loop_now(w->call->srv->conf.loop), at = w->ends;

	if (w->call->q.bookmarks && w->live && at - now > BOOKMARK_TIME + BOOKMARK_TIME / 4)
		at = now + BOOKMARK_TIME - (int64_t)(random_u64() % (BOOKMARK_TIME / 8));
	timer_set(&w->timer, at);
}

/* A reader that has one part of a revision's events would come back behind the others. */
static void time_is_up(struct watch *w)
{
	struct err err = ERR_INIT;

	if (!w->live || !cache_watch_is_within(&w->w)) {
		finish(w);
		return;
	}
	(void)err_set(&err, ERR_GONE, "the watch ended between events of one revision");
	cache_unwatch(&w->w);
	w->live = false;
	end_with_error(w, &err);
}

static int on_timer(struct timer *t)
{
	struct watch *w = CONTAINER_OF(t, struct watch, timer);
	struct call *c = w->call;
	CLEANUP(call_drop) struct call *held = call_hold(c);

	(void)held;
	if (c->q.bookmarks && w->live && !w->paused && !w->turning && room(w) > BOOKMARK_ROOM)
		bookmark(w, false);
	if (loop_now(c->srv->conf.loop) >= w->ends) {
		time_is_up(w);
		return 0;
	}
	(void)flush_line(c->srv);
	if (c->verb)
		set_timer(w);
	return 0;
}

/* The server ends. */
static void on_drain(struct call *c)
{
	struct watch *w = c->verb;

	w->ends = 0;
	timer_set_after(&w->timer, 0);
}

/* ---- live ---- */

static void on_turn(struct convert_items *k, int result, struct err *err);

/* The version that is told, as its definition is now: who converts may be another. */
static const struct api_kind *wanted(const struct watch *w)
{
	const struct api_kind *k = w->call->resource->kind;
	const struct resource *now =
		k->custom ? resources_find(w->call->srv->conf.resources, k->group->group,
					   k->group->version, k->resource)
			  : NULL;

	return now ? now->kind : k;
}

/* 1: no more room. */
static int tell(struct watch *w, enum cache_change what, struct item *i)
{
	struct err err ERR_RAW;

	err_clear(&err);
	if (codec_event(out_of(w), what, i, line_of(w), &err) < 0) {
		/* An object that cannot be told: a reader must not believe it never was. */
		stream_reset(w->call->s, &err);
		return 0;
	}
	w->paused = added(w) == 1;
	return w->paused;
}

/* Both are in their version: what the change is to this watch. 1: no more room. */
static int tell_pair(struct watch *w)
{
	const struct selector *labels = &w->call->q.labels, *fields = &w->call->q.fields;
	struct pair *p = &w->pair;
	CLEANUP(item_unref) struct item *gone = NULL;
	bool before = p->v[0] && (!w->selects || item_match(p->v[0], labels, fields));
	bool now = p->v[1] && (!w->selects || item_match(p->v[1], labels, fields));

	if (w->selects)
		p->what = before && now ? CACHE_MODIFIED : now ? CACHE_ADDED : CACHE_DELETED;
	if (now)
		return tell(w, p->what, p->v[1]);
	if (!before)
		return 0;
	gone = item_at(p->v[0], p->revision);
	return tell(w, CACHE_DELETED, gone);
}

/* true: both are there; false: one is asked for, and on_turn comes. */
static bool turn_pair(struct watch *w)
{
	struct server *srv = w->call->srv;

	for (size_t i = 0; i < ARRAY_LEN(w->pair.v); i++) {
		if (!w->pair.v[i])
			continue;
		w->turn = (struct convert_items){
			.to = wanted(w), .v = &w->pair.v[i], .n = 1, .done = on_turn
		};
		if (convert_items(srv->converter, &w->turn) == 0) {
			w->turning = true;
			return false;
		}
	}
	return true;
}

/* The version is not any more what it was: whom it selected is not known. Ends it. */
static bool is_other(struct watch *w)
{
	struct err err = ERR_INIT;

	if (!w->selects || wanted(w)->custom->form == w->form)
		return false;
	(void)err_set(&err, ERR_GONE, "the definition of %s changed",
		      w->call->resource->kind->resource);
	cache_unwatch(&w->w);
	w->live = false;
	end_with_error(w, &err);
	return true;
}

/* By way of another version. 1: no more room, or it comes later. */
static int change_made(struct watch *w, enum cache_change what, struct item *item)
{
	struct item *before = w->w.before;
	int r;

	if (is_other(w))
		return 0;
	w->pair = (struct pair){ .what = what, .revision = item_revision(item) };
	if (before && (w->selects || what == CACHE_DELETED))
		w->pair.v[0] = item_ref(before);
	if (what != CACHE_DELETED)
		w->pair.v[1] = item_ref(item);
	if (!turn_pair(w))
		return 1;
	r = tell_pair(w);
	pair_clear(&w->pair);
	return r;
}

static int on_change(struct cache_watch *cw, enum cache_change what, struct item *item)
{
	struct watch *w = CONTAINER_OF(cw, struct watch, w);
	CLEANUP(call_drop) struct call *held = call_hold(w->call);

	(void)held;
	cork(w);
	if (w->over)
		return 0; /* its connection broke by what others wrote */
	if (!w->selects && codec_is_in(item, wanted(w)))
		return tell(w, what, item);
	return change_made(w, what, item);
}

static void on_flush(struct cache_watch *cw)
{
	uncork_all(CONTAINER_OF(cw, struct watch, w)->call->srv);
}

static void on_end(struct cache_watch *cw, const struct err *err)
{
	struct watch *w = CONTAINER_OF(cw, struct watch, w);

	w->live = false;
	uncork(w);
	end_with_error(w, err);
}

static void go_live(struct watch *w)
{
	struct call *c = w->call;
	struct err err ERR_RAW;
	struct collection *o;
	int r;

	err_clear(&err);
	r = call_objects(c, &o, &err);
	if (r == 0)
		r = cache_watch(o->cache, &w->w, w->after, &err);
	if (r < 0) {
		end_with_error(w, &err);
		return;
	}
	w->live = true;
	set_timer(w);
}

/* ---- what is there ---- */

static bool matches(const struct watch *w, const struct item *i)
{
	return item_match(i, w->w.labels, w->w.fields) &&
	       (!w->w.key.n || slice_eq(item_key(i), w->w.key));
}

/* ... and of those the ones that it selects, in their version. */
static bool takes(const struct watch *w, const struct item *i)
{
	return !w->selects || item_match(i, &w->call->q.labels, &w->call->q.fields);
}

/* The next ones, all of them in their version: 1: they are there, 0: they are asked for; -1. */
static int look_ahead(struct watch *w)
{
	struct initial *in = w->initial;
	struct item *i;
	size_t bytes = 0;

	if (!in->ahead)
		in->ahead = calloc(CONVERT_BATCH_N, sizeof(struct item *));
	if (!in->ahead)
		return -1;
	in->at = in->n = 0;
	while (in->n < CONVERT_BATCH_N && bytes < CONVERT_BATCH && (i = cache_iter_next(&in->it)))
		if (matches(w, i)) {
			in->ahead[in->n++] = item_ref(i);
			bytes += item_json(i).n;
		}
	w->turn = (struct convert_items){
		.to = wanted(w), .v = in->ahead, .n = in->n, .done = on_turn
	};
	w->turning = convert_items(w->call->srv->converter, &w->turn) == 0;
	return !w->turning;
}

enum { STEP_AGAIN, STEP_END, STEP_ROOM, STEP_WAIT, STEP_ITEM };

/* The next one that is wanted, referenced: STEP_ITEM; or STEP_AGAIN, STEP_END, STEP_WAIT, -1. */
static int initial_next(struct watch *w, struct item **ret)
{
	struct initial *in = w->initial;
	struct item *i;
	int r;

	if (in->at == in->n && (in->ahead || custom_webhook(wanted(w)))) {
		r = look_ahead(w);
		if (r <= 0 || in->n == 0)
			return r < 0 ? r : r == 0 ? STEP_WAIT : STEP_END;
	}
	if (in->at < in->n) {
		i = in->ahead[in->at++];
		if (takes(w, i)) {
			*ret = i;
			return STEP_ITEM;
		}
		item_unref(i);
		return STEP_AGAIN;
	}
	i = cache_iter_next(&in->it);
	if (!i || !matches(w, i))
		return i ? STEP_AGAIN : STEP_END;
	*ret = item_ref(i);
	return STEP_ITEM;
}

/* Some of it: STEP_END when all was sent, STEP_AGAIN to be called again, STEP_ROOM, STEP_WAIT: for
 * a webhook. */
static int initial_step(struct watch *w)
{
	for (size_t n = 0; n < LOOK_MAX; n++) {
		CLEANUP(item_unref) struct item *i = NULL;
		int r = initial_next(w, &i);

		if (r == STEP_AGAIN)
			continue;
		if (r != STEP_ITEM)
			return r;
		if (codec_event(out_of(w), CACHE_ADDED, i, line_of(w), NULL) < 0)
			return -1;
		if (added(w))
			return STEP_ROOM;
		if (w->call->srv->line.n >= PIECE)
			break;
	}
	return STEP_AGAIN;
}

static void initial_done(struct watch *w)
{
	bool end_mark = w->initial->end_mark;

	initial_fini(w->initial);
	w->initial = NULL; /* the arena's */
	if (end_mark)
		bookmark(w, true);
	if (flush_line(w->call->srv) == 1)
		w->paused = true; /* live when there is room */
	else if (w->call->verb)
		go_live(w);
}

static void send_initial(struct watch *w)
{
	struct call *c = w->call;
	int r = initial_step(w), sent = 0;

	if (r < 0) {
		stream_reset(c->s, NULL);
		return;
	}
	if (r == STEP_END) {
		initial_done(w);
		return;
	}
	if (c->srv->writer == w) {
		c->srv->writer = NULL;
		sent = send(w, buf_slice(&c->srv->line));
		buf_clear(&c->srv->line);
	}
	if (!c->verb || sent < 0)
		return;
	if (sent == 1 || (r == STEP_ROOM && room(w) == 0))
		w->paused = true;
	else if (!w->turning)
		deferred_call(&w->again);
}

/* ---- going on ---- */

static void watch_on(struct watch *w)
{
	w->paused = false;
	if (w->turning)
		return; /* on_turn goes on */
	if (w->failed)
		end_with_error(w, w->failed);
	else if (w->initial)
		send_initial(w);
	else if (w->live)
		cache_watch_resume(&w->w);
	else
		go_live(w);
}

static void on_turn(struct convert_items *k, int result, struct err *err)
{
	struct watch *w = CONTAINER_OF(k, struct watch, turn);
	CLEANUP(call_drop) struct call *held = call_hold(w->call);
	const bool paired = w->pair.v[0] || w->pair.v[1];

	w->turning = false;
	if (result < 0 && !w->failed) {
		cache_unwatch(&w->w);
		w->live = false;
		held->about.reason = STATUS_UNKNOWN;
		end_with_error(w, err);
		return;
	}
	if (!w->failed && is_other(w))
		return;
	if (paired && !w->failed) {
		if (!turn_pair(w))
			return;
		(void)tell_pair(w);
		(void)flush_line(held->srv);
	}
	if (w->over)
		return;
	pair_clear(&w->pair);
	if (!w->paused)
		deferred_call(&w->again);
}

static void again(struct deferred *d)
{
	struct watch *w = CONTAINER_OF(d, struct watch, again);
	CLEANUP(call_drop) struct call *held = call_hold(w->call);

	(void)held;
	watch_on(w);
}

static void on_writable(struct call *c)
{
	struct watch *w = c->verb;

	if (w && w->paused)
		deferred_call(&w->again);
}

/* The stream's events go to the WebSocket, which tells us instead. */
static void ws_writable(struct ws *ws)
{
	on_writable(ws_arg(ws));
}

static void ws_gone(struct ws *ws, const struct ws_end *how)
{
	(void)how;
	call_closed(ws_arg(ws));
}

static const struct ws_events ws_events = { .writable = ws_writable, .closed = ws_gone };

/* ---- the beginning ---- */

/* Upgraded when it is asked for. */
static int open_stream(struct watch *w, struct err *err)
{
	struct call *c = w->call;
	static const struct ws_conf conf = { .message_max = 4096 };
	int r;

	c->answered = true;
	c->code = 200;
	call_headers(c);
	if (ws_is_request(c->s)) {
		r = ws_accept(c->s, &conf, NULL, &ws_events, c, &w->ws, err);
		if (r < 0)
			return r; /* answered */
		(void)ws_ref(w->ws);
		c->code = 101;
	} else {
		(void)stream_set_header(c->s, "Content-Type", c->out.codec.content_type);
		r = stream_start(c->s, 200, -1);
	}
	call_started(c);
	call_leave_queue(c);
	return r;
}

static int64_t lifetime(const struct call *c)
{
	int64_t min = c->srv->conf.watch_time_min;

	if (c->q.timeout)
		return MIN(c->q.timeout, INT64_C(1) << 30) * NS_PER_SEC;
	return min + (int64_t)(random_u64() % (uint64_t)min);
}

static int select_objects(struct watch *w, struct err *err)
{
	struct call *c = w->call;
	const struct api_kind *k = c->resource->kind;
	const char *ns = k->namespaced ? c->rq.namespace_ : "";
	struct slice name = slice_str(c->rq.name);

	w->selects = gather_selects(c, &w->fixed);
	w->form = w->selects ? k->custom->form : 0;
	w->w.labels = w->selects ? NULL : &c->q.labels;
	w->w.fields = w->selects ? &w->fixed : &c->q.fields;
	w->w.prefix = *ns ? slice_str(arena_printf(c->a, "%s/", ns)) : SLICE("");
	if ((name.n || selector_requires(&c->q.fields, "metadata.name", &name)) &&
	    (*ns || !k->namespaced))
		w->w.key = slice_str(
			arena_printf(c->a, "%s%s%.*s", ns, *ns ? "/" : "", (int)name.n, name.p));
	return arena_exceeded(c->a) ? arena_quota(c->a, err) : 0;
}

static void want_initial(struct watch *w, struct cache *cache)
{
	struct call *c = w->call;

	w->initial = ARENA_NEW(c->a, struct initial);
	if (!w->initial)
		return;
	w->initial->view = cache_now(cache);
	w->initial->end_mark = c->q.send_initial && c->q.bookmarks;
	cache_iter_init(&w->initial->it, w->initial->view, w->w.key.n ? w->w.key : w->w.prefix,
			SLICE(""));
	w->after = cache_view_revision(w->initial->view);
}

static void begin(struct call *c)
{
	struct watch *w = ARENA_NEW(c->a, struct watch);
	struct err err ERR_RAW;
	struct collection *o;
	int64_t revision;
	int r;

	err_clear(&err);
	r = w ? call_objects(c, &o, &err) : arena_quota(c->a, &err);
	if (r < 0) {
		call_fail(c, &err);
		return;
	}
	(void)call_revision(c, c->q.resource_version, &revision, NULL); /* looked at before */
	w->call = c;
	w->w.change = on_change;
	w->w.flush = on_flush;
	w->w.end = on_end;
	r = select_objects(w, &err);
	if (r == 0)
		r = open_stream(w, &err);
	if (r < 0) {
		call_fail(c, &err);
		return;
	}
	(void)call_hold(c);
	c->verb = w;
	c->stop = watch_stop;
	c->writable = on_writable;
	c->drain = on_drain;
	list_init(&w->corked);
	deferred_init(&w->again, c->srv->conf.loop, again);
	timer_init(&w->timer, c->srv->conf.loop, on_timer);
	w->ends = loop_now(c->srv->conf.loop) + lifetime(c);
	set_timer(w);
	if (c->q.send_initial || (!c->q.send_initial_given && revision <= 0))
		want_initial(w, o->cache);
	else
		w->after = revision > 0 ? revision : world_revision(c->srv->conf.world);
	if (w->initial)
		deferred_call(&w->again);
	else
		go_live(w);
}

void rest_watch(struct call *c)
{
	const struct api_kind *k = c->resource->kind;
	struct err err ERR_RAW;
	int64_t revision;

	err_clear(&err);
	if (call_choose(c, CODEC_STREAM | (k->custom ? CODEC_NO_PROTO : 0), &err) < 0 ||
	    selector_check_fields(&c->q.fields, k, &err) < 0 ||
	    call_revision(c, c->q.resource_version, &revision, &err) < 0) {
		call_fail(c, &err);
		return;
	}
	/* A plain watch from a revision begins at once: one that is yet to come only skips. */
	if (revision == 0 || (revision > 0 && !c->q.send_initial))
		begin(c);
	else
		call_wait(c, revision < 0 ? 0 : revision, begin);
}
