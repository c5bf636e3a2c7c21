/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs of an upstream, to those who ask, while they come. */
#include "io/stream.h"
#include "registry/through-priv.h"

#include <string.h>

struct reader {
	struct fill_watch watch;
	struct upstream *u;
	struct call *c;
	void (*local)(struct call *c);
	uint64_t at, end; /* of what is wanted */
	bool watches, chosen, part, started;
	bool first; /* it is what was fetched for */
};

static void leave(struct reader *d)
{
	if (d->watches)
		fill_leave(&d->watch);
	d->watches = false;
}

/* What may be sent, as fast as it is taken. */
static void send_more(struct reader *d)
{
	const struct fill *f = d->watch.fill;
	struct err err = ERR_INIT;
	uint64_t left;
	int r;

	if (!d->watches || MIN(fill_ready(f), d->end) <= d->at)
		return;
	left = MIN(fill_ready(f), d->end) - d->at;
	r = stream_send_file(d->c->s, fill_fd(f), &d->at, &left, &err);
	if (r < 0 && err.code) {
		log_kv(LOG_LEVEL_ERROR, "blob is not readable", "error", err.msg, NULL);
		stream_reset(d->c->s, &err);
	}
}

static void go_on(struct reader *d)
{
	const struct fill *f = d->watch.fill;
	struct stream *s = d->c->s;

	stream_ref(s); /* `closed` may come within */
	send_more(d);
	if (d->watches && d->at == d->end && (fill_verified(f) || d->end < fill_size(f))) {
		leave(d);
		(void)stream_end(s);
		stream_unref(s);
	}
	stream_unref(s);
}

static void on_writable(struct stream *s)
{
	struct reader *d = stream_arg(s);

	if (d->watches)
		go_on(d);
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct reader *d = stream_arg(s);

	(void)why;
	if (!d->watches)
		return;
	leave(d);
	stream_unref(s);
}

static const struct stream_events reader_events = { .writable = on_writable, .closed = on_closed };
static const struct stream_events no_events = { 0 };

/* What of it is wanted. False: not known yet, or outside of it, which the whole will tell. */
static bool choose(struct reader *d)
{
	struct range r = { 0 };
	int part;

	if (d->chosen || fill_size(d->watch.fill) == UINT64_MAX)
		return d->chosen;
	r.n = fill_size(d->watch.fill);
	part = range_parse(stream_header(d->c->s, "Range"), r.n, &r);
	d->chosen = part >= 0;
	d->part = part > 0;
	d->at = r.from;
	d->end = r.from + r.n;
	return d->chosen;
}

static void begin(struct reader *d)
{
	struct call *c = d->c;
	int status = d->part ? 206 : 200;

	d->started = true;
	blob_headers(c);
	if (d->part)
		blob_range_header(c, &(struct range){ d->at, d->end - d->at },
				  fill_size(d->watch.fill));
	c->size = d->end - d->at;
	call_done(c, COUNT_PULLED, status, c->ref);
	(void)stream_start(c->s, status, (int64_t)(d->end - d->at)); /* or `closed` came */
}

static void moved(struct fill_watch *w)
{
	struct reader *d = CONTAINER_OF(w, struct reader, watch);
	struct stream *s = d->c->s;

	if (!choose(d) || (fill_ready(w->fill) <= d->at && !fill_verified(w->fill)))
		return;
	stream_ref(s);
	if (!d->started)
		begin(d);
	if (d->watches)
		go_on(d);
	stream_unref(s);
}

/* The rest from where it is now: it is a blob, or the client is told by a cut. */
static void ended(struct fill_watch *w, int result, const struct err *err)
{
	struct reader *d = CONTAINER_OF(w, struct reader, watch);
	struct call *c = d->c;

	d->watches = false;
	if (d->first)
		upstream_heard(d->u, err);
	if (d->started && result >= 0) {
		blob_send_rest(c, d->at, d->end); /* slower than the upstream */
	} else if (d->started) {
		stream_on(c->s, &no_events, NULL);
		stream_reset(c->s, err);
	} else {
		stream_on(c->s, &no_events, NULL);
		if (result >= 0)
			d->local(c);
		else
			upstream_refuse(d->u, c, err, BLOB_UNKNOWN);
	}
	stream_unref(c->s);
}

bool through_blob(struct call *c, void (*local)(struct call *c))
{
	struct hooks *h = c->g->hooks;
	struct upstream *u = through_of(h->through, c->name);
	struct fill_want want = { .size = UINT64_MAX };
	struct err err = ERR_INIT;
	struct reader *d;
	uint64_t size;
	int r = -1;

	if (!u)
		return false;
	if (content_blob(c->g->store, c->name, c->ref, &size, NULL) >= 0) {
		keep_touch(h, c->name, c->ref, size);
		return false;
	}
	if (strcmp(c->method, "HEAD") == 0)
		return through_size(c);
	d = ARENA_NEW(c->a, struct reader);
	want.remote = u->remote;
	want.repo = c->name;
	want.digest = c->ref;
	want.far_repo = upstream_far_name(u, c->a, c->name);
	if (!d || !want.far_repo) {
		answer_error(c, UNKNOWN, "the request needs too much memory");
		return true;
	}
	*d = (struct reader){ .u = u, .c = c, .local = local, .watches = true };
	d->watch.moved = moved;
	d->watch.ended = ended;
	if (upstream_away(u))
		err_set(&err, clock_mono() < u->limited ? ERR_QUOTA : ERR_UNAVAILABLE,
			"it is not asked for a while: %.600s", u->error);
	else
		r = fill_join(h, &want, &d->watch, &err);
	if (r < 0) {
		upstream_refuse(u, c, &err, BLOB_UNKNOWN);
		return true;
	}
	d->first = r > 0;
	stream_ref(c->s);
	stream_on(c->s, &reader_events, d);
	moved(&d->watch); /* what came before it */
	return true;
}
