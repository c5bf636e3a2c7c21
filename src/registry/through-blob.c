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
	uint64_t at;
	bool watches, started, ranged;
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

	if (!d->watches || fill_ready(f) <= d->at)
		return;
	left = fill_ready(f) - d->at;
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
	if (d->watches && fill_verified(f) && d->at == fill_size(f)) {
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

static void begin(struct reader *d)
{
	struct call *c = d->c;

	d->started = true;
	blob_headers(c);
	call_done(c, COUNT_PULLED, 200, c->ref);
	(void)stream_start(c->s, 200, (int64_t)fill_size(d->watch.fill)); /* or `closed` came */
}

static void moved(struct fill_watch *w)
{
	struct reader *d = CONTAINER_OF(w, struct reader, watch);
	struct stream *s = d->c->s;

	if (d->ranged || fill_size(w->fill) == UINT64_MAX ||
	    (fill_ready(w->fill) == 0 && !fill_verified(w->fill)))
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
		blob_send_rest(c, d->at); /* slower than the upstream */
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
	d->ranged = stream_header(c->s, "Range").n > 0;
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
