/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LIST: a view of the cache, in pieces. What is small is one buffer and one answer; the rest is
 * streamed as fast as the reader takes it, so a list of any size costs the pieces only. Pieces are
 * compressed on a worker's thread: meanwhile the loop is others'.
 *
 * A page's end has to be known before its first byte (the token stands in front of the items), and
 * protobuf's lengths too: so up to three walks over the same items, each in bounded steps.
 *
 *	COUNT   with a limit: where the page ends, and whether there is more
 *	SIZE    protobuf: bytes of all items
 *	CONVERT a webhook makes another version (gather.h): all of the page, which it counts
 *		itself when selectors look at what is made
 *	SEND
 */
#include "apiserver/rest/call.h"
#include "apiserver/rest/gather.h"

#include "base/hash.h"
#include "base/work.h"
#include "doc/doc.h"
#include "doc/json.h"

#include <string.h>
#include <zlib.h>

#define PIECE (64u << 10)  /* encoded at a time once it streams */
#define WHOLE (256u << 10) /* up to this, one answer */
#define SPARE_MAX (640u << 10)
#define LOOK_MAX 2048	      /* items looked at before others have their turn */
#define LIST_MAX (512u << 20) /* one encoded item, at most */
#define TOKEN_VERSION "meta.k8s.io/v1"

enum phase { COUNT, SIZE, CONVERT, SEND };

/* Tables of FlowSchemas show them as they are tried. */
struct ranked {
	int64_t rank;
	size_t at;
	struct item *item; /* the view's */
};

struct lister {
	struct call *call;
	struct cache_view *view;
	struct cache_iter it;
	struct slice prefix, from; /* from: of the page; empty = the first */
	enum phase phase;
	int64_t given;	       /* items of this walk */
	size_t page;	       /* items of the page, when known */
	uint64_t sum;	       /* SIZE */
	struct item *last;     /* COUNT: the page's last; the view's */
	struct ranked *ranked; /* SEND: the page's items in another order; NULL: as they lie */
	size_t nranked;
	struct gather gather; /* CONVERT, which gives: */
	bool counts;	      /* it is the one that knows where the page ends */
	bool made;	      /* they are there: */
	struct item **own;    /* the page's items as they are to be sent; referenced */
	size_t nown;
	struct codec_list_meta meta;
	struct codec_out *out;
	struct buf bytes;
	z_stream *gz;
	struct buf packed;
	bool begun, streaming, paused;
	struct deferred again;
	/* While packing, gz, bytes and packed are the worker's, and the call is held. */
	struct work work;
	bool packing, ends, too_large, stopped;
};

/* ---- life ---- */

/* Fresh memory costs a third of a list: the pages of the one before are there. */
static struct buf take_spare(struct server *srv)
{
	struct buf b = srv->spare;

	srv->spare = BUF_INIT(0);
	b.max = LIST_MAX;
	return b;
}

static void give_spare(struct server *srv, struct buf *b)
{
	if (b->cap <= srv->spare.cap || b->cap > SPARE_MAX) {
		buf_fini(b);
		return;
	}
	buf_fini(&srv->spare);
	buf_clear(b);
	srv->spare = *b;
	*b = BUF_INIT(0);
}

static void release_bytes(struct lister *l)
{
	give_spare(l->call->srv, &l->bytes);
	buf_fini(&l->packed);
	if (l->gz) {
		(void)deflateEnd(l->gz); /* an unfinished stream is Z_DATA_ERROR: expected */
		free(STEAL(l->gz));
	}
}

static void release_own(struct lister *l)
{
	gather_fini(&l->gather);
	for (size_t i = 0; i < l->nown; i++)
		item_unref(l->own[i]);
	free(STEAL(l->own));
	l->nown = 0;
}

static void lister_stop(struct call *c)
{
	struct lister *l = STEAL(c->verb);

	if (!l)
		return;
	l->stopped = true;
	deferred_fini(&l->again);
	free(l->ranked);
	release_own(l);
	cache_view_unref(l->view);
	if (!l->packing)
		release_bytes(l);
	c->writable = NULL;
	call_drop(c);
}

static void finish(struct call *c)
{
	c->stop = NULL;
	lister_stop(c);
}

static void fail(struct lister *l, struct err *err)
{
	struct call *c = l->call;

	if (!l->streaming)
		call_fail(c, err);
	else
		stream_reset(c->s, err);
	if (c->verb)
		finish(c);
}

/* ---- tokens ---- */

static const char *make_token(struct call *c, int64_t revision, struct slice start)
{
	struct arena *a = call_work(c);
	struct doc d = doc_object();
	struct slice text;
	char *out;

	doc_set_str(a, &d, "v", TOKEN_VERSION);
	doc_set_int(a, &d, "rv", revision);
	/* The next key is the one given with a NUL behind it. */
	doc_set_strn(a, &d, "start", start.p, start.n);
	if (json_print(a, &d, NULL, &text, NULL) < 0)
		return "";
	out = arena_alloc(a, BASE64_LEN(text.n) + 1);
	if (!out)
		return "";
	base64_encode(out, text.p, text.n);
	for (char *p = out; *p; p++)
		*p = (char)(*p == '+' ? '-' : *p == '/' ? '_' : *p == '=' ? '\0' : *p);
	return out;
}

static const char *next_token(struct lister *l, int64_t revision, struct slice key)
{
	char *start = arena_alloc(l->call->a, key.n + 1);

	if (!start)
		return "";
	memcpy(start, key.p, key.n);
	return make_token(l->call, revision,
			  slice_of(start + l->prefix.n, key.n + 1 - l->prefix.n));
}

static int bad_token(struct call *c, const char *why, struct err *err)
{
	return status_bad_request(err, &c->about, "continue key is not valid: %s", why);
}

static int read_token(struct lister *l, int64_t *ret_revision, struct err *err)
{
	struct call *c = l->call;
	const char *token = c->q.continue_;
	size_t n = strlen(token);
	char *text = arena_alloc(c->a, n + 1), *key;
	struct slice start;
	struct doc *d;

	if (!text || base64_decode(text, &n, slice_str(token)) < 0)
		return bad_token(c, "illegal base64 data", err);
	if (json_read(c->a, slice_of(text, n), NULL, &d, NULL) < 0)
		return bad_token(c, "it is no JSON", err);
	if (!doc_str_is(doc_get(d, "v"), TOKEN_VERSION))
		return bad_token(c, "server does not recognize this encoded version", err);
	start = doc_slice(doc_get(d, "start"));
	if (!start.n || doc_int64(doc_get(d, "rv"), ret_revision) != 0)
		return bad_token(
			c, "incorrect encoded start resourceVersion (version meta.k8s.io/v1)", err);
	key = arena_alloc(c->a, l->prefix.n + start.n);
	if (!key)
		return arena_quota(c->a, err);
	memcpy(key, l->prefix.p, l->prefix.n);
	memcpy(key + l->prefix.n, start.p, start.n); /* with the NUL that makes it the next one */
	l->from = slice_of(key, l->prefix.n + start.n);
	return 0;
}

/* 410 with a token that goes on at the same place of what is there now. */
static int expired(struct lister *l, struct err *err)
{
	struct call *c = l->call;
	struct slice rest = slice_of(l->from.p + l->prefix.n, l->from.n - l->prefix.n);

	(void)status_expired(
		err, &c->about,
		"The provided continue parameter is too old to display a consistent list result. "
		"You can start a new list without the continue parameter, or use the continue "
		"token "
		"in this response to retrieve the remainder of the results. Continuing with the "
		"provided token results in an inconsistent list - objects that were created, "
		"modified, or deleted between the time the first chunk was returned and now may "
		"show up in the list.");
	c->about.continue_ = make_token(c, -1, rest);
	return -ERR_GONE;
}

/* ---- the walk ---- */

static bool selects(const struct call *c)
{
	return c->q.labels.n || c->q.fields.n;
}

static void rewind_to(struct lister *l, enum phase phase)
{
	l->phase = phase;
	l->given = 0;
	cache_iter_init(&l->it, l->view, l->prefix, l->from);
}

/* The next that is wanted of at most *budget ones; NULL with a budget left: the end. */
static struct item *next(struct lister *l, size_t *budget)
{
	struct call *c = l->call;
	struct item *i;

	if (l->ranked && l->phase == SEND) {
		--*budget;
		return (size_t)l->given < l->nranked ? l->ranked[l->given].item : NULL;
	}
	if (l->made && l->phase == SEND) {
		--*budget;
		return (size_t)l->given < l->nown ? l->own[l->given] : NULL;
	}
	while (*budget > 0 && (i = cache_iter_next(&l->it))) {
		--*budget;
		if (!selects(c) || item_match(i, &c->q.labels, &c->q.fields))
			return i;
	}
	return NULL;
}

/* One of COUNT: 1 when the walk is over. */
static int count_step(struct lister *l)
{
	struct call *c = l->call;
	size_t budget = LOOK_MAX;
	struct item *i;

	while (budget > 0) {
		bool one_more = l->given == c->q.limit;

		if (one_more && !selects(c)) {
			size_t left = cache_iter_left(&l->it);

			if (left) {
				l->meta.remaining = (int64_t)left;
				l->meta.continue_ =
					next_token(l, l->meta.revision, item_key(l->last));
			}
			return 1;
		}
		i = next(l, &budget);
		if (!i)
			return budget > 0;
		if (one_more) {
			l->meta.continue_ = next_token(l, l->meta.revision, item_key(l->last));
			return 1;
		}
		l->last = i;
		l->given++;
	}
	return 0;
}

static int size_step(struct lister *l, struct err *err)
{
	size_t budget = LOOK_MAX;
	struct item *i;
	int r;

	while (!l->call->q.limit || l->given < l->call->q.limit) {
		i = next(l, &budget);
		if (!i)
			return budget > 0;
		if (arena_used(l->out->a) > (1u << 20))
			arena_reset(l->out->a);
		r = codec_list_size(l->out, i, &l->sum, err);
		if (r < 0)
			return r;
		l->given++;
	}
	return 1;
}

/* Fills l->bytes with about a piece: 1 at the end of the list. */
static int fill(struct lister *l, struct err *err)
{
	size_t budget = LOOK_MAX;
	struct item *i;
	int r;

	if (!l->begun) {
		r = codec_list_begin(l->out, &l->meta, l->sum, &l->bytes, err);
		if (r < 0)
			return r;
		l->begun = true;
	}
	while (!l->call->q.limit || l->given < l->call->q.limit) {
		if (l->bytes.n >= (l->streaming ? PIECE : WHOLE))
			return 0;
		i = next(l, &budget);
		if (!i && budget == 0)
			return 0;
		if (!i)
			break;
		if (arena_used(l->out->a) > (1u << 20))
			arena_reset(l->out->a);
		r = codec_list_item(l->out, i, l->given == 0, &l->bytes, err);
		if (r < 0)
			return r;
		l->given++;
	}
	r = codec_list_end(l->out, &l->bytes, err);
	return r < 0 ? r : 1;
}

/* ---- another version ---- */

static enum phase after_count(const struct lister *l)
{
	if (codec_list_needs_sizes(l->out))
		return SIZE;
	return custom_webhook(l->call->resource->kind) ? CONVERT : SEND;
}

static void gathered(struct gather *g, int result, struct err *err)
{
	struct lister *l = CONTAINER_OF(g, struct lister, gather);

	if (result < 0) {
		fail(l, err);
		return;
	}
	l->own = gather_take(g, &l->nown);
	l->made = true;
	if (l->counts && g->more)
		l->meta.continue_ = next_token(l, l->meta.revision, item_key(l->own[l->nown - 1]));
	l->meta.n = l->nown;
	rewind_to(l, SEND);
	deferred_call(&l->again);
}

static void gather(struct lister *l)
{
	l->gather = (struct gather){
		.call = l->call,
		.view = l->view,
		.prefix = l->prefix,
		.from = l->from,
		.limit = l->call->q.limit,
		.done = gathered,
	};
	gather_begin(&l->gather);
}

/* ---- another order ---- */

static int by_rank(const void *x, const void *y)
{
	const struct ranked *a = x, *b = y;

	return a->rank != b->rank ? (a->rank > b->rank) - (a->rank < b->rank)
				  : (a->at > b->at) - (a->at < b->at);
}

/* All of the page at once: there are a few of them. */
static int rank(struct lister *l, struct err *err)
{
	struct call *c = l->call;
	size_t room = cache_iter_left(&l->it), n = 0, budget = SIZE_MAX;
	struct ranked *v = calloc(room + 1, sizeof(*v));
	struct item *i;
	int r = v ? 0 : err_set(err, ERR_QUOTA, "no memory for the list");

	while (r == 0 && n < room && (!c->q.limit || n < (size_t)c->q.limit) &&
	       (i = next(l, &budget))) {
		struct doc d;

		v[n].item = i;
		v[n].at = n;
		arena_reset(l->out->a);
		r = codec_parse(i, l->out->a, &d, err);
		if (r == 0)
			(void)doc_int64(doc_find(&d, "spec.matchingPrecedence"), &v[n++].rank);
	}
	if (r == 0)
		qsort(v, n, sizeof(*v), by_rank);
	l->ranked = v;
	l->nranked = n;
	return r;
}

static bool is_ranked(const struct lister *l)
{
	const struct call *c = l->call;

	return c->out.codec.shape == CODEC_TABLE && !l->ranked &&
	       strcmp(c->resource->kind->kind, "FlowSchema") == 0 && !c->resource->kind->custom;
}

/* ---- sending ---- */

/* On a worker's thread. */
static void pack(struct work *w)
{
	struct lister *l = CONTAINER_OF(w, struct lister, work);
	int r;

	l->gz->next_in = (unsigned char *)l->bytes.p;
	l->gz->avail_in = (unsigned)l->bytes.n;
	do {
		if (!buf_room(&l->packed, PIECE)) {
			l->too_large = true;
			return;
		}
		l->gz->next_out = (unsigned char *)l->packed.p + l->packed.n;
		l->gz->avail_out = PIECE;
		r = deflate(l->gz, l->ends ? Z_FINISH : Z_NO_FLUSH);
		l->packed.n += PIECE - l->gz->avail_out;
	} while (l->gz->avail_in || (l->ends && r != Z_STREAM_END));
	buf_clear(&l->bytes);
}

static int begin_stream(struct lister *l)
{
	struct call *c = l->call;

	l->streaming = true;
	c->answered = true;
	c->code = 200;
	call_headers(c);
	(void)stream_set_header(c->s, "Content-Type", c->out.codec.content_type);
	if (call_takes_gzip(c)) {
		l->gz = calloc(1, sizeof(*l->gz));
		if (l->gz &&
		    deflateInit2(l->gz, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
			free(l->gz);
			l->gz = NULL;
		}
	}
	if (l->gz) {
		(void)stream_set_header(c->s, "Content-Encoding", "gzip");
		(void)stream_set_header(c->s, "Vary", "Accept-Encoding");
	}
	timer_clear(&c->deadline); /* from here on it goes as fast as it is read */
	return stream_start(c->s, 200, -1);
}

static void send_piece(struct lister *l)
{
	struct call *c = l->call;
	struct buf *b = l->gz ? &l->packed : &l->bytes;
	struct err err ERR_RAW;
	int r;

	err_clear(&err);
	r = b->n ? stream_write(c->s, b->p, b->n) : 0;
	buf_clear(b);
	if (l->too_large)
		r = err_set(&err, ERR_QUOTA, "the list does not fit its memory");
	if (r < 0) { /* or nobody reads */
		fail(l, &err);
	} else if (l->ends) {
		(void)stream_end(c->s); /* `closed` runs when it is out */
		if (c->verb)
			finish(c);
	} else if (r == 0) {
		deferred_call(&l->again);
	} else {
		l->paused = true;
	}
}

static void packed(struct work *w)
{
	struct lister *l = CONTAINER_OF(w, struct lister, work);
	CLEANUP(call_drop) struct call *held = l->call;

	(void)held;
	l->packing = false;
	if (l->stopped)
		release_bytes(l);
	else
		send_piece(l);
}

/* When too many wait the loop does it. */
static void pack_piece(struct lister *l)
{
	(void)call_hold(l->call);
	l->packing = true;
	if (work_submit(l->call->srv->packers, &l->work, pack, packed, NULL) == 0)
		return;
	pack(&l->work);
	packed(&l->work);
}

static void send_step(struct lister *l)
{
	struct call *c = l->call;
	struct err err ERR_RAW;
	int end;

	err_clear(&err);
	arena_reset(l->out->a);
	end = is_ranked(l) ? rank(l, &err) : 0;
	if (end == 0)
		end = fill(l, &err);
	if (end < 0) {
		fail(l, &err);
		return;
	}
	if (end && !l->streaming) {
		call_answer(c, 200, buf_slice(&l->bytes));
		if (c->verb)
			finish(c);
		return;
	}
	if (!l->streaming && l->bytes.n < WHOLE) {
		deferred_call(&l->again);
		return;
	}
	if (!l->streaming && begin_stream(l) < 0) {
		finish(c);
		return;
	}
	l->ends = end;
	if (l->gz)
		pack_piece(l);
	else
		send_piece(l);
}

/* After COUNT: what is known of the page. */
static void plan(struct lister *l)
{
	struct call *c = l->call;

	if (c->q.limit)
		l->meta.n = (size_t)l->given;
	rewind_to(l, after_count(l));
}

static void step(struct lister *l)
{
	struct err err ERR_RAW;
	int r = 0;

	err_clear(&err);
	l->out->a = l->call->srv->scratch;
	arena_reset(l->out->a);
	if (l->phase == COUNT) {
		if (count_step(l))
			plan(l);
	} else if (l->phase == CONVERT) {
		gather(l);
		return;
	} else if (l->phase == SIZE) {
		r = size_step(l, &err);
		if (r == 1) {
			l->meta.n = (size_t)l->given;
			rewind_to(l, SEND);
		}
	} else {
		send_step(l);
		return;
	}
	if (r < 0)
		fail(l, &err);
	else if (l->phase == SEND)
		send_step(l);
	else
		deferred_call(&l->again);
}

static void again(struct deferred *d)
{
	struct lister *l = CONTAINER_OF(d, struct lister, again);
	CLEANUP(call_drop) struct call *held = call_hold(l->call);

	(void)held;
	step(l);
}

static void on_writable(struct call *c)
{
	struct lister *l = c->verb;

	if (!l || !l->paused)
		return;
	l->paused = false;
	deferred_call(&l->again);
}

/* ---- the beginning ---- */

/* Which view: of the token's revision, of exactly N, or as it is now. */
static int take_view(struct lister *l, struct cache *cache, struct err *err)
{
	struct call *c = l->call;
	int64_t revision, given;
	int r = call_revision(c, c->q.resource_version, &given, err);

	if (r < 0)
		return r;
	if (*c->q.continue_) {
		r = read_token(l, &revision, err);
		if (r < 0)
			return r;
		if (revision > 0) {
			r = cache_at(cache, revision, &l->view, err);
			if (r == -ERR_GONE)
				return expired(l, err);
			l->meta.revision = revision;
			return r;
		}
	} else if (given > 0 && (c->q.match == MATCH_EXACT || (c->q.limit && !c->q.match))) {
		r = cache_at(cache, given, &l->view, err);
		if (r == -ERR_GONE)
			return status_expired(err, &c->about,
					      "The resourceVersion for the provided list is too "
					      "old.");
		l->meta.revision = given;
		return r;
	}
	l->view = cache_now(cache);
	l->meta.revision = cache_view_revision(l->view);
	return 0;
}

static struct slice prefix_of(struct call *c)
{
	const char *ns = c->resource->kind->namespaced ? c->rq.namespace_ : "";
	struct slice name;

	if (selector_requires(&c->q.fields, "metadata.name", &name) &&
	    (*ns || !c->resource->kind->namespaced))
		return slice_str(
			arena_printf(c->a, "%s%s%.*s", ns, *ns ? "/" : "", (int)name.n, name.p));
	return *ns ? slice_str(arena_printf(c->a, "%s/", ns)) : SLICE("");
}

static struct lister *lister_new(struct call *c)
{
	struct lister *l = ARENA_NEW(c->a, struct lister);

	if (!l)
		return NULL;
	l->call = call_hold(c);
	l->out = &c->out;
	l->bytes = take_spare(c->srv);
	l->packed = BUF_INIT(LIST_MAX);
	l->meta = (struct codec_list_meta){ .continue_ = "", .remaining = -1, .n = SIZE_MAX };
	deferred_init(&l->again, c->srv->conf.loop, again);
	c->verb = l;
	c->stop = lister_stop;
	c->writable = on_writable;
	l->prefix = prefix_of(c);
	return l;
}

static void begin(struct call *c)
{
	struct err err ERR_RAW;
	struct collection *o;
	struct selector fixed;
	struct lister *l;
	int r;

	err_clear(&err);
	r = call_objects(c, &o, &err);
	l = r == 0 ? lister_new(c) : NULL;
	if (!l) {
		if (r == 0)
			(void)arena_quota(c->a, &err);
		call_fail(c, &err);
		return;
	}
	r = l->prefix.p ? take_view(l, o->cache, &err) : arena_quota(c->a, &err);
	if (r < 0) {
		fail(l, &err);
		return;
	}
	rewind_to(l, COUNT);
	l->counts = gather_selects(c, &fixed);
	if (l->counts) {
		if (c->q.limit)
			cache_keep(l->view);
		rewind_to(l, CONVERT);
	} else if (c->q.limit && (selects(c) || cache_iter_left(&l->it) > (size_t)c->q.limit)) {
		cache_keep(l->view); /* for the pages to come */
	} else {
		if (!selects(c))
			l->meta.n = cache_iter_left(&l->it);
		c->q.limit = 0;
		rewind_to(l, after_count(l));
	}
	step(l);
}

/* NULL: answered. */
static struct lister *view_lister(struct call *c, struct cache_view *view_taken)
{
	struct lister *l = lister_new(c);
	struct err err = ERR_INIT;

	c->q.limit = 0;
	if (l && l->prefix.p) {
		l->view = view_taken;
		l->meta.revision = cache_view_revision(view_taken);
		return l;
	}
	cache_view_unref(view_taken);
	(void)arena_quota(c->a, &err);
	call_fail(c, &err);
	if (c->verb)
		finish(c);
	return NULL;
}

void rest_list_view(struct call *c, struct cache_view *view_taken)
{
	struct lister *l = view_lister(c, view_taken);

	if (!l)
		return;
	rewind_to(l, after_count(l));
	step(l);
}

void rest_list_items(struct call *c, struct cache_view *view_taken, struct item **v, size_t n)
{
	struct lister *l = view_lister(c, view_taken);

	if (!l) {
		for (size_t i = 0; i < n; i++)
			item_unref(v[i]);
		free(v);
		return;
	}
	l->own = v;
	l->nown = n;
	l->made = true;
	rewind_to(l, SEND);
	step(l);
}

void rest_list(struct call *c)
{
	const struct api_kind *k = c->resource->kind;
	struct err err ERR_RAW;
	int64_t revision;

	err_clear(&err);
	if (call_choose(c, k->custom ? CODEC_NO_PROTO : 0, &err) < 0 ||
	    selector_check_fields(&c->q.fields, k, &err) < 0 ||
	    call_revision(c, c->q.resource_version, &revision, &err) < 0) {
		call_fail(c, &err);
		return;
	}
	if (!c->resource->objects)
		rest_components(c);
	else if (revision == 0 || *c->q.continue_)
		begin(c);
	else
		call_wait(c, revision < 0 ? 0 : revision, begin);
}
