/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests/torture/api-kills: clients of one or more API servers that may vanish at any moment,
 * and what they see against a reference model (api-model.h).
 *
 * usage: api-life TOKEN CA SEED REVISION ADDRESS...    (ADDRESS: https://127.0.0.1:6443; nothing of
 * ours is there at REVISION)
 *
 * Writers create, update, patch in all four forms, apply and delete at random; readers list (now,
 * at a revision, in pages) and get; watchers follow by list and watch or by sendInitialEvents, with
 * selectors and without, fast and slow, break off by themselves and go on from older revisions. An
 * exchange that broke is asked again of the next server; a write whose answer did not come may have
 * been done or not. Commands by stdin: "go N" writes, and answers "acked" after N acknowledgements;
 * "settle" stops writing, waits until everyone has seen everything, compares and answers "settled
 * ..."; end of file ends. What is wrong is told as "FAIL ...".
 */
#include "api-model.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/loop.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "doc/doc.h"
#include "doc/json.h"
#include "io/http-client.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WRITERS 12
#define READERS 3
#define WATCHERS 24
#define ADDRESSES 4
#define BODY_MAX (8u << 20)
#define AGAIN (5 * NS_PER_MS)
#define SETTLE_TIME (60 * NS_PER_SEC)

struct life;

/* One who asks one thing at a time, and asks again when it broke. */
struct asker {
	struct life *l;
	unsigned number, tries;
	struct stream *s;
	struct buf in;
	struct timer again;
	void (*next)(struct asker *a);		       /* asks */
	void (*answered)(struct asker *a, int status); /* whole; 0: it broke */
	void (*some)(struct asker *a);		       /* bytes came; NULL: wait for all */
	int64_t slow; /* ns between small credits; 0: all at once */
	struct timer credit;
};

struct writer {
	struct asker a;
	uint64_t intent;
	int64_t seen; /* newest revision acknowledged to anyone, when it began */
};

struct reader {
	struct asker a;
	struct model_list page;
	char more[512]; /* continue */
	int64_t at_least;
	bool listing;
	unsigned key;
};

struct watcher {
	struct asker a;
	struct model_watcher m;
	const char *query; /* selectors, encoded */
	bool watching, initial, gets_initial;
	struct model_list first; /* what sendInitialEvents gives */
	unsigned left;		 /* events until it breaks off; 0: never */
};

struct life {
	struct loop *loop;
	const char *token;
	struct http_client *clients[ADDRESSES][2];
	unsigned naddr;
	uint64_t random;
	struct model m;
	struct writer w[WRITERS];
	struct reader r[READERS];
	struct watcher v[WATCHERS];
	bool writing;
	int64_t fence; /* revision of the last write; 0: it is yet to come */
	bool settling, replayed;
	int64_t settle_end;
	uint64_t acks, acks_wanted, gone, broken, odd, resumed;
	int64_t acked; /* newest revision that was acknowledged */
	struct {
		uint64_t uid;
		int64_t revision;
	} known[MODEL_KEYS]; /* by answers */
	struct buf in;
	struct source commands;
	struct timer look, going;
};

static void die(const char *what, const struct err *err)
{
	model_fail("%s: %s", what, err->msg);
}

static unsigned draw(struct life *l, unsigned n)
{
	l->random = l->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(l->random >> 33) % n;
}

static const char *space_of(unsigned key)
{
	static const char *const names[MODEL_SPACES] = { "n0", "n1", "n2" };

	return names[key / MODEL_NAMES];
}

/* ---- exchanges ---- */

static int on_again(struct timer *t)
{
	struct asker *a = CONTAINER_OF(t, struct asker, again);

	a->next(a);
	return 0;
}

static int on_credit(struct timer *t)
{
	struct asker *a = CONTAINER_OF(t, struct asker, credit);

	if (a->s) {
		stream_read(a->s, 2048);
		timer_set_after(t, a->slow);
	}
	return 0;
}

static void asker_init(struct asker *a, struct life *l, unsigned number)
{
	a->l = l;
	a->number = number;
	a->in = BUF_INIT(BODY_MAX);
	timer_init(&a->again, l->loop, on_again);
	timer_init(&a->credit, l->loop, on_credit);
}

static void on_head(struct stream *s)
{
	struct asker *a = stream_arg(s);

	if (a->slow && a->some)
		on_credit(&a->credit);
	else
		stream_read(s, STREAM_ALL);
}

static void on_data(struct stream *s, struct slice bytes)
{
	struct asker *a = stream_arg(s);

	if (buf_add(&a->in, bytes.p, bytes.n) < 0)
		model_fail("an answer of more than %u bytes", BODY_MAX);
	if (a->some && stream_status(s) == 200)
		a->some(a);
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct asker *a = stream_arg(s);
	int status = why ? 0 : stream_status(s);

	a->s = NULL;
	timer_clear(&a->credit);
	if (status == 0) {
		a->tries++;
		a->l->broken++;
	}
	a->answered(a, status);
	stream_unref(s);
}

static const struct stream_events asker_events = { .head = on_head,
						   .data = on_data,
						   .closed = on_closed };

/* Odd ones speak HTTP/2. */
static void ask(struct asker *a, const char *method, const char *target, const char *type,
		struct slice body)
{
	struct life *l = a->l;
	struct http_client *c = l->clients[(a->number / 2 + a->tries) % l->naddr][a->number & 1];
	struct err err = ERR_INIT;
	int r;

	buf_clear(&a->in);
	if (http_client_stream(c, method, target, &a->s, &err) < 0)
		die("ask", &err);
	stream_on(a->s, &asker_events, a);
	(void)stream_set_headerf(a->s, "Authorization", "Bearer %s", l->token);
	if (type)
		(void)stream_set_header(a->s, "Content-Type", type);
	r = http_client_send(a->s, body.n ? (int64_t)body.n : HTTP_NO_BODY, false, &err);
	if (r < 0) { /* nobody listens */
		stream_unref(STEAL(a->s));
		a->tries++;
		l->broken++;
		a->answered(a, 0);
		return;
	}
	if (body.n) {
		(void)stream_write(a->s, body.p, body.n);
		(void)stream_end(a->s); /* closed tells */
	}
}

/* The answer as a document; NULL when it is none. */
static struct doc *body_of(struct asker *a, struct arena *arena)
{
	struct err err = ERR_INIT;
	struct doc *d;

	return json_read(arena, buf_slice(&a->in), NULL, &d, &err) < 0 ? NULL : d;
}

static uint64_t revision_of(const struct doc *d)
{
	uint64_t v = 0;

	(void)str_uint64(doc_slice(doc_find(d, "metadata.resourceVersion")), &v, NULL);
	return v;
}

/* ---- writers ---- */

static void acknowledged(struct life *l, int64_t revision)
{
	if (revision > l->acked)
		l->acked = revision;
	if (++l->acks == l->acks_wanted) {
		printf("acked\n");
		(void)fflush(stdout);
	}
}

/* What a whole object says to it: who it was, where it is now. */
static void done_object(struct life *l, struct model_intent *i, uint64_t id, const struct doc *d)
{
	struct model_state s;
	int64_t revision;
	int key = model_read(d, &s, &revision);

	if (key != i->key || s.by != id)
		model_fail("intent %llu was answered with an object of %llu",
			   (unsigned long long)id, (unsigned long long)s.by);
	i->revision = revision;
	if (i->op == MODEL_DRY)
		return;
	l->known[key].uid = s.uid;
	l->known[key].revision = revision;
	acknowledged(l, revision);
}

static void done_delete(struct life *l, struct model_intent *i, const struct doc *d)
{
	struct slice uid = doc_slice(doc_find(d, "details.uid"));

	if (i->op == MODEL_DELETE && uid.n == 0)
		model_fail("a DELETE was answered without the uid");
	i->uid = hash_bytes(uid.p, uid.n);
	acknowledged(l, 0);
}

static bool may_refuse(const struct life *l, const struct model_intent *i, int status)
{
	/* Upstream's, too: a patch is tried again some times, no more; the other server writes. */
	if (status == 409 && l->naddr > 1)
		return true;
	switch (i->op) {
	case MODEL_CREATE:
	case MODEL_APPLY: return status == 409;
	case MODEL_JSON: return status == 404 || status == 422;
	case MODEL_UPDATE:
	case MODEL_DRY:
	case MODEL_DELETE: return status == 404 || status == 409;
	default: return status == 404;
	}
}

static void write_answered(struct asker *a, int status)
{
	CLEANUP(arena_free) struct arena *arena = arena_new("answer", 64u << 20);
	struct writer *w = CONTAINER_OF(a, struct writer, a);
	struct life *l = a->l;
	struct model_intent *i = model_intent(&l->m, w->intent);

	if (status >= 200 && status < 300) {
		const struct doc *d = body_of(a, arena);

		if (!d)
			model_fail("intent %llu: the answer is no JSON",
				   (unsigned long long)w->intent);
		i->answer = MODEL_DONE;
		if (i->op >= MODEL_DELETE)
			done_delete(l, i, d);
		else
			done_object(l, i, w->intent, d);
	} else if (may_refuse(l, i, status)) {
		i->answer = MODEL_REFUSED;
	} else if (status >= 400 && status < 500 && status != 429) {
		model_fail("intent %llu (%d): %d %s", (unsigned long long)w->intent, (int)i->op,
			   status, buf_str(&a->in));
	} else if (status) { /* 429, 500, 503: done or not */
		l->odd++;
		a->tries++;
	}
	timer_set_after(&a->again, status >= 200 && status < 500 ? 0 : AGAIN);
}

static void object_head(struct buf *b, unsigned key)
{
	(void)buf_addf(b,
		       "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"namespace\":"
		       "\"%s\",\"name\":\"c%02u\"",
		       space_of(key), key % MODEL_NAMES);
}

static void whole_object(struct writer *w, struct model_intent *i, uint64_t id, struct buf *b)
{
	struct life *l = w->a.l;

	object_head(b, i->key);
	if (i->op != MODEL_CREATE && draw(l, 3) == 0 && l->known[i->key].revision)
		(void)buf_addf(b, ",\"resourceVersion\":\"%lld\"",
			       (long long)l->known[i->key].revision);
	if (i->tier)
		(void)buf_addf(b, ",\"labels\":{\"tier\":\"%u\"}", i->tier);
	(void)buf_addf(b, "},\"data\":{\"by\":\"%llu\",\"f%u\":\"%llu\"}}", (unsigned long long)id,
		       i->set, (unsigned long long)id);
}

static void json_patch(struct model_intent *i, unsigned long long id, struct buf *b)
{
	(void)buf_addf(b,
		       "[{\"op\":\"replace\",\"path\":\"/data/by\",\"value\":\"%llu\"},{\"op\":"
		       "\"add\",\"path\":\"/data/f%u\",\"value\":\"%llu\"}",
		       id, i->set, id);
	if (i->clear != i->set)
		(void)buf_addf(b, ",{\"op\":\"remove\",\"path\":\"/data/f%u\"}", i->clear);
	(void)buf_addc(b, ']');
}

static void merge_patch(struct model_intent *i, unsigned long long id, struct buf *b)
{
	(void)buf_adds(b, "{\"metadata\":{\"labels\":{\"tier\":");
	if (i->tier)
		(void)buf_addf(b, "\"%u\"", i->tier);
	else
		(void)buf_adds(b, "null");
	(void)buf_addf(b, "}},\"data\":{%s\"by\":\"%llu\",\"f%u\":\"%llu\"",
		       i->whole ? "\"$patch\":\"replace\"," : "", id, i->set, id);
	if (i->clear != i->set && !i->whole)
		(void)buf_addf(b, ",\"f%u\":null", i->clear);
	(void)buf_adds(b, "}}");
}

static void apply_patch(struct model_intent *i, unsigned long long id, struct buf *b)
{
	object_head(b, i->key);
	(void)buf_addf(b, "},\"data\":{\"by\":\"%llu\",\"f%u\":\"%llu\"}}", id, i->set, id);
}

static enum model_op draw_op(struct life *l)
{
	static const uint8_t weights[] = {
		[MODEL_CREATE] = 20, [MODEL_UPDATE] = 15,    [MODEL_JSON] = 12,
		[MODEL_MERGE] = 12,  [MODEL_STRATEGIC] = 12, [MODEL_APPLY] = 12,
		[MODEL_DRY] = 3,     [MODEL_DELETE] = 13,    [MODEL_SWEEP] = 1
	};
	unsigned at = draw(l, 100), op = 0;

	for (; at >= weights[op]; op++)
		at -= weights[op];
	return (enum model_op)op;
}

static struct model_intent draw_intent(struct writer *w)
{
	struct life *l = w->a.l;
	struct model_intent i = { .op = draw_op(l), .key = (uint8_t)draw(l, MODEL_KEYS) };

	i.tier = (uint8_t)draw(l, MODEL_TIERS);
	/* A manager that applies always applies the same fields: nothing of its own goes. */
	i.set = (uint8_t)(i.op == MODEL_APPLY ? w->a.number % MODEL_FIELDS : draw(l, MODEL_FIELDS));
	i.clear = i.set;
	if (i.op == MODEL_JSON || i.op == MODEL_MERGE || i.op == MODEL_STRATEGIC)
		i.clear = (uint8_t)draw(l, MODEL_FIELDS);
	i.whole = i.op == MODEL_STRATEGIC && draw(l, 3) == 0;
	if (i.op == MODEL_SWEEP)
		i.tier = (uint8_t)(1 + draw(l, MODEL_TIERS - 1));
	return i;
}

struct form {
	const char *method, *type;
};
static const struct form forms[] = {
	[MODEL_CREATE] = { "POST", "application/json" },
	[MODEL_UPDATE] = { "PUT", "application/json" },
	[MODEL_JSON] = { "PATCH", "application/json-patch+json" },
	[MODEL_MERGE] = { "PATCH", "application/merge-patch+json" },
	[MODEL_STRATEGIC] = { "PATCH", "application/strategic-merge-patch+json" },
	[MODEL_APPLY] = { "PATCH", "application/apply-patch+yaml" },
	[MODEL_DRY] = { "PUT", "application/json" },
	[MODEL_DELETE] = { "DELETE", "application/json" },
	[MODEL_SWEEP] = { "DELETE", NULL },
};

static void write_target(struct writer *w, const struct model_intent *i, char *target, size_t n)
{
	int at = snprintf(target, n, "/api/v1/namespaces/%s/configmaps", space_of(i->key));

	if (i->op == MODEL_SWEEP)
		(void)snprintf(target + at, n - (size_t)at, "?labelSelector=tier%%3D%u", i->tier);
	else if (i->op != MODEL_CREATE)
		(void)snprintf(target + at, n - (size_t)at, "/c%02u%s", i->key % MODEL_NAMES,
			       i->op == MODEL_DRY ? "?dryRun=All" : "");
	if (i->op == MODEL_APPLY)
		(void)snprintf(target + strlen(target), n - strlen(target),
			       "?force=true&fieldManager=w%u", w->a.number);
}

static void write_intent(struct writer *w, const struct model_intent *wanted)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(8192);
	struct life *l = w->a.l;
	struct model_intent i = *wanted;
	char target[256];

	w->intent = model_intend(&l->m, &i);
	write_target(w, &i, target, sizeof(target));
	if (i.op == MODEL_JSON)
		json_patch(&i, w->intent, &b);
	else if (i.op == MODEL_MERGE || i.op == MODEL_STRATEGIC)
		merge_patch(&i, w->intent, &b);
	else if (i.op == MODEL_APPLY)
		apply_patch(&i, w->intent, &b);
	else if (i.op < MODEL_DELETE)
		whole_object(w, &i, w->intent, &b);
	else if (i.op == MODEL_DELETE)
		(void)buf_adds(&b, "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\"}");
	ask(&w->a, forms[i.op].method, target, b.n ? forms[i.op].type : NULL, buf_slice(&b));
}

static void write_next(struct asker *a)
{
	struct writer *w = CONTAINER_OF(a, struct writer, a);
	struct model_intent i;

	w->intent = 0;
	if (!a->l->writing)
		return;
	i = draw_intent(w);
	write_intent(w, &i);
}

/* ---- readers ---- */

static void read_items(struct model_list *l, const struct doc *d)
{
	DOC_EACH (item, doc_get(d, "items")) {
		struct model_state s;
		int64_t revision;
		int key = model_read(item, &s, &revision);

		if (key < 0)
			continue;
		if (l->n == MODEL_KEYS)
			model_fail("%s: too many items", l->name);
		l->items[l->n++] = (struct model_seen){ .revision = revision,
							.sum = model_sum(&s),
							.key = (uint8_t)key };
	}
}

static void got(struct reader *r, const struct doc *d)
{
	struct life *l = r->a.l;
	struct model_state s;
	int64_t revision;
	int key = model_read(d, &s, &revision);
	const struct model_intent *i = model_intent(&l->m, s.by);

	if (key != (int)r->key || !i)
		model_fail("a GET of key %u gave %d", r->key, key);
	if (revision < r->at_least)
		model_fail("a GET of key %u gave revision %lld after %lld was acknowledged", r->key,
			   (long long)revision, (long long)r->at_least);
	if (i->answer == MODEL_DONE && i->revision != revision)
		model_fail("a GET of key %u: of intent %llu, at %lld", r->key,
			   (unsigned long long)s.by, (long long)revision);
}

static void read_answered(struct asker *a, int status)
{
	CLEANUP(arena_free) struct arena *arena = arena_new("answer", 64u << 20);
	struct reader *r = CONTAINER_OF(a, struct reader, a);
	const struct doc *d = status == 200 ? body_of(a, arena) : NULL;
	struct slice more = doc_slice(doc_find(d, "metadata.continue"));

	if (status == 200 && !d)
		model_fail("an answer is no JSON");
	if (status == 410)
		a->l->gone++;
	else if (status >= 400 && status < 500 && status != 404 && status != 429)
		model_fail("a reader: %d %s", status, buf_str(&a->in));
	else if (status >= 429)
		a->l->odd++;
	if (d && !r->listing)
		got(r, d);
	if (d && r->listing) {
		if (r->page.revision && (int64_t)revision_of(d) != r->page.revision)
			model_fail("%s: its pages are of two revisions", r->page.name);
		r->page.revision = (int64_t)revision_of(d);
		read_items(&r->page, d);
		if (more.n == 0 && r->page.revision > a->l->m.base)
			*model_list(&a->l->m) = r->page;
	}
	r->more[0] = '\0';
	if (d && more.n)
		(void)snprintf(r->more, sizeof(r->more), "%.*s", (int)more.n, more.p);
	timer_set_after(&a->again, status ? 2 * NS_PER_MS : AGAIN);
}

static void list_next(struct reader *r)
{
	static const char *const tiers[] = { "", "&labelSelector=tier%3D1",
					     "&labelSelector=tier%20in%20(1,2)",
					     "&labelSelector=%21tier" };
	static const unsigned masks[] = { 15, 2, 6, 1 };
	struct life *l = r->a.l;
	char target[300], space[32] = "", at[96] = "";
	unsigned which = draw(l, ARRAY_LEN(tiers));
	int in = (int)draw(l, MODEL_SPACES + 2) - 2;

	r->page = (struct model_list){ .filter = { in < 0 ? -1 : in, -1, masks[which] } };
	if (in >= 0)
		(void)snprintf(space, sizeof(space), "/namespaces/n%d", in);
	if (draw(l, 3) == 0 && l->acked > l->m.base + 40)
		(void)snprintf(at, sizeof(at), "&resourceVersionMatch=Exact&resourceVersion=%lld",
			       (long long)l->acked - (long long)draw(l, 40));
	else
		r->page.at_least = l->acked;
	(void)snprintf(target, sizeof(target), "/api/v1%s/configmaps?limit=%u%s%s", space,
		       draw(l, 2) ? 7 : 0, tiers[which], at);
	(void)snprintf(r->page.name, sizeof(r->page.name), "list %s", target);
	ask(&r->a, "GET", target, NULL, SLICE(""));
}

static void read_next(struct asker *a)
{
	struct reader *r = CONTAINER_OF(a, struct reader, a);
	struct life *l = a->l;
	char target[1024];

	if (!l->writing)
		return;
	if (r->more[0]) {
		(void)snprintf(target, sizeof(target), "%s&continue=%s", r->page.name + 5, r->more);
		char *exact = strstr(target, "&resourceVersionMatch="); /* not with continue */
		if (exact) {
			char *end = strstr(exact, "&continue=");

			memmove(exact, end, strlen(end) + 1);
		}
		ask(a, "GET", target, NULL, SLICE(""));
		return;
	}
	r->listing = draw(l, 2) == 0;
	if (r->listing) {
		list_next(r);
		return;
	}
	r->key = draw(l, MODEL_KEYS);
	r->at_least = l->known[r->key].revision;
	(void)snprintf(target, sizeof(target), "/api/v1/namespaces/%s/configmaps/c%02u",
		       space_of(r->key), r->key % MODEL_NAMES);
	ask(a, "GET", target, NULL, SLICE(""));
}

/* ---- watchers ---- */

static void initial_is_over(struct watcher *w, int64_t revision)
{
	struct life *l = w->a.l;

	w->first.revision = revision;
	(void)snprintf(w->first.name, sizeof(w->first.name), "first events of %s", w->m.name);
	w->first.filter = w->m.filter;
	if (revision > l->m.base)
		*model_list(&l->m) = w->first;
	w->initial = false;
	model_begin(&w->m, revision);
}

static void watch_bookmark(struct watcher *w, const struct doc *object)
{
	int64_t revision = (int64_t)revision_of(object);
	const struct doc *notes = doc_find(object, "metadata.annotations");

	if (w->initial && doc_str_is(doc_get(notes, "k8s.io/initial-events-end"), "true"))
		initial_is_over(w, revision);
	else if (!w->initial)
		model_bookmark(&w->m, revision);
}

static void watch_object(struct watcher *w, enum model_type type, const struct doc *object)
{
	struct model_state s;
	int64_t revision;
	int key = model_read(object, &s, &revision);

	if (key < 0)
		return;
	if (!w->initial) {
		model_told(&w->a.l->m, &w->m, type, (unsigned)key, revision, &s);
		return;
	}
	if (type != MODEL_ADDED || w->first.n == MODEL_KEYS)
		model_fail("%s: first events are of other types, or too many", w->m.name);
	w->first.items[w->first.n++] = (struct model_seen){ .revision = revision,
							    .sum = model_sum(&s),
							    .key = (uint8_t)key };
}

static void watch_line(struct watcher *w, struct slice line)
{
	CLEANUP(arena_free) struct arena *arena = arena_new("event", 8u << 20);
	struct err err = ERR_INIT;
	struct doc *d;
	const struct doc *object;
	struct slice type;

	if (json_read(arena, line, NULL, &d, &err) < 0)
		model_fail("%s: %s: %.*s", w->m.name, err.msg, (int)line.n, line.p);
	type = doc_slice(doc_get(d, "type"));
	object = doc_get(d, "object");
	if (slice_is(type, "ADDED"))
		watch_object(w, MODEL_ADDED, object);
	else if (slice_is(type, "MODIFIED"))
		watch_object(w, MODEL_MODIFIED, object);
	else if (slice_is(type, "DELETED"))
		watch_object(w, MODEL_DELETED, object);
	else if (slice_is(type, "BOOKMARK"))
		watch_bookmark(w, object);
	else {
		int64_t code = 0;

		(void)doc_int64(doc_get(object, "code"), &code);
		if (code == 410) {
			w->watching = false; /* a gap that is announced: begin anew */
			w->a.l->gone++;
		} else {
			w->a.l->odd++;
		}
	}
}

static void watch_some(struct asker *a)
{
	struct watcher *w = CONTAINER_OF(a, struct watcher, a);
	const char *end;

	if (!w->watching)
		return; /* its list */
	while ((end = memchr(a->in.p, '\n', a->in.n)) != NULL) {
		struct slice line = slice_of(a->in.p, (size_t)(end - a->in.p));

		watch_line(w, line);
		buf_consume(&a->in, line.n + 1);
		if (w->left && --w->left == 0 && a->s) {
			stream_reset(a->s, NULL);
			return;
		}
		if (a->in.n == 0)
			return;
	}
}

static void watch_answered(struct asker *a, int status)
{
	CLEANUP(arena_free) struct arena *arena = arena_new("answer", 64u << 20);
	struct watcher *w = CONTAINER_OF(a, struct watcher, a);
	const struct doc *d;

	if (status == 410) {
		w->watching = false;
		a->l->gone++;
	} else if (status >= 400 && status < 500 && status != 429) {
		model_fail("%s: %d %s", w->m.name, status, buf_str(&a->in));
	} else if (status >= 429) {
		a->l->odd++;
		a->tries++;
	} else if (status == 200 && !w->watching && !w->gets_initial && a->in.n &&
		   (d = body_of(a, arena)) != NULL) {
		struct model_list first = { .filter = w->m.filter,
					    .revision = (int64_t)revision_of(d) };

		(void)snprintf(first.name, sizeof(first.name), "list of %s", w->m.name);
		read_items(&first, d);
		if (first.revision > a->l->m.base)
			*model_list(&a->l->m) = first;
		model_begin(&w->m, first.revision);
		w->watching = true;
	}
	if (w->initial)
		w->watching = false;
	timer_set_after(&a->again, status ? 0 : AGAIN);
}

/* Some go on from a revision of the past that they have seen in this stretch. */
static void step_back(struct watcher *w)
{
	struct life *l = w->a.l;
	size_t n = w->m.nseen;
	int64_t back;

	if (n < 20 || draw(l, 3) != 0)
		return;
	back = w->m.seen[n - 1 - draw(l, 19)].revision;
	if (back < l->m.base)
		return;
	model_begin(&w->m, back);
	l->resumed++;
}

static void watch_next(struct asker *a)
{
	struct watcher *w = CONTAINER_OF(a, struct watcher, a);
	struct life *l = a->l;
	char target[512], space[32] = "";

	if (w->m.filter.space >= 0)
		(void)snprintf(space, sizeof(space), "/namespaces/n%d", w->m.filter.space);
	w->left = w->m.history || draw(l, 2) ? 0 : 20 + draw(l, 400);
	if (w->watching) {
		if (!w->m.history && !l->settling)
			step_back(w);
		(void)snprintf(target, sizeof(target),
			       "/api/v1%s/configmaps?watch=1%s&resourceVersion=%lld"
			       "&allowWatchBookmarks=true%s",
			       space, w->query, (long long)w->m.last,
			       draw(l, 4) ? "" : "&timeoutSeconds=1");
	} else if (w->gets_initial) {
		w->initial = w->watching = true;
		w->first = (struct model_list){ .at_least = l->acked };
		(void)snprintf(target, sizeof(target),
			       "/api/v1%s/configmaps?watch=1%s&sendInitialEvents=true"
			       "&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
			       space, w->query);
	} else {
		(void)snprintf(target, sizeof(target), "/api/v1%s/configmaps?limit=0%s", space,
			       w->query);
	}
	ask(a, "GET", target, NULL, SLICE(""));
}

static void watcher_init(struct watcher *w, struct life *l, unsigned number)
{
	static const struct {
		const char *query;
		struct model_filter f;
	} kinds[] = {
		{ "", { -1, -1, 15 } },
		{ "", { -1, -1, 15 } },
		{ "", { 1, -1, 15 } },
		{ "&labelSelector=tier%3D1", { -1, -1, 2 } },
		{ "&labelSelector=tier%20in%20(1,3)", { 0, -1, 10 } },
		{ "&labelSelector=tier%21%3D2", { -1, -1, 11 } },
		{ "&labelSelector=%21tier", { 2, -1, 1 } },
		{ "&labelSelector=tier,tier%20notin%20(3)", { -1, -1, 6 } },
		{ "&fieldSelector=metadata.name%3Dc05", { -1, 5, 15 } },
		{ "&fieldSelector=metadata.namespace%3Dn2", { 2, -1, 15 } },
		{ "&labelSelector=tier%3D3&fieldSelector=metadata.name%3Dc07", { 1, 7, 8 } },
		{ "", { 0, -1, 15 } },
	};
	unsigned k = number % ARRAY_LEN(kinds);

	asker_init(&w->a, l, number);
	w->a.next = watch_next;
	w->a.answered = watch_answered;
	w->a.some = watch_some;
	w->query = kinds[k].query;
	w->m.filter = kinds[k].f;
	/* Of a field selector for a namespace the path has no word. */
	w->m.history = k == 0;
	w->gets_initial = (number / ARRAY_LEN(kinds) + k) % 2 == 1;
	w->a.slow = k == 2 || k == 5 ? 10 * NS_PER_MS : 0;
	(void)snprintf(w->m.name, sizeof(w->m.name), "watcher %u (n%d%s%s%s)", number,
		       w->m.filter.space, w->query, w->gets_initial ? ", initial events" : "",
		       w->a.slow ? ", slow" : "");
	watch_next(&w->a);
}

/* ---- settling ---- */

static void fence_answered(struct asker *a, int status);

/* The last write of a stretch: an apply, which nothing refuses. */
static void fence_next(struct asker *a)
{
	struct writer *w = CONTAINER_OF(a, struct writer, a);
	struct model_intent i = { .op = MODEL_APPLY, .key = (uint8_t)draw(a->l, MODEL_KEYS) };

	i.set = i.clear = (uint8_t)(a->number % MODEL_FIELDS);
	write_intent(w, &i);
}

static void fence_answered(struct asker *a, int status)
{
	struct writer *w = CONTAINER_OF(a, struct writer, a);

	write_answered(a, status);
	if (status != 200 && status != 201)
		return; /* again */
	timer_clear(&a->again);
	a->l->fence = model_intent(&a->l->m, w->intent)->revision;
	a->next = write_next;
	a->answered = write_answered;
	w->intent = 0;
}

static bool all_idle(struct life *l)
{
	for (unsigned i = 0; i < WRITERS; i++)
		if (l->w[i].a.s || timer_armed(&l->w[i].a.again))
			return false;
	for (unsigned i = 0; i < READERS; i++)
		if (l->r[i].a.s || timer_armed(&l->r[i].a.again))
			return false;
	return true;
}

static bool all_seen(struct life *l)
{
	for (unsigned i = 0; i < WATCHERS; i++)
		if (l->v[i].initial || l->v[i].m.nspans == 0 ||
		    (l->v[i].m.history && l->v[i].m.last < l->fence))
			return false;
	if (!l->replayed)
		model_replay(&l->m, l->fence);
	l->replayed = true;
	for (unsigned i = 0; i < WATCHERS; i++)
		if (l->v[i].m.last < model_expects(&l->m, &l->v[i].m))
			return false;
	return true;
}

static void settled(struct life *l)
{
	for (unsigned i = 0; i < WATCHERS; i++)
		model_check(&l->m, &l->v[i].m, l->fence);
	model_forget(&l->m, l->fence);
	l->settling = l->replayed = false;
	printf("settled revision=%lld changes=%llu told=%llu acks=%llu gone=%llu broken=%llu "
	       "odd=%llu resumed=%llu\n",
	       (long long)l->fence, (unsigned long long)l->m.changes, (unsigned long long)l->m.told,
	       (unsigned long long)l->acks, (unsigned long long)l->gone,
	       (unsigned long long)l->broken, (unsigned long long)l->odd,
	       (unsigned long long)l->resumed);
	(void)fflush(stdout);
}

static void tell_who_waits(struct life *l)
{
	for (unsigned i = 0; i < WATCHERS; i++) {
		int64_t want = l->replayed ? model_expects(&l->m, &l->v[i].m) : l->fence;

		if (l->v[i].m.last < want && (l->replayed || l->v[i].m.history))
			model_fail("%s: it was told up to %lld, and %lld is for it, too",
				   l->v[i].m.name, (long long)l->v[i].m.last, (long long)want);
		if (l->v[i].initial || l->v[i].m.nspans == 0)
			model_fail("%s: it does not begin (%zu first events, status %d)",
				   l->v[i].m.name, l->v[i].first.n,
				   l->v[i].a.s ? stream_status(l->v[i].a.s) : -1);
	}
	model_fail("it does not settle: writers or readers do not end");
}

/* Whether all is said is looked at now and then: nobody tells. */
static int on_look(struct timer *t)
{
	struct life *l = CONTAINER_OF(t, struct life, look);

	if (clock_mono() > l->settle_end)
		tell_who_waits(l);
	if (l->fence < 0 && all_idle(l)) {
		struct asker *a = &l->w[draw(l, WRITERS)].a;

		l->fence = 0;
		a->next = fence_next;
		a->answered = fence_answered;
		fence_next(a);
	} else if (l->fence > 0 && all_seen(l)) {
		settled(l);
		return 0;
	}
	timer_set_after(t, NS_PER_MS);
	return 0;
}

/* ---- commands ---- */

/* History begins where those who see all of it begin: nobody writes before. */
static bool all_watch(const struct life *l)
{
	for (unsigned i = 0; i < WATCHERS; i++)
		if (l->v[i].m.history && l->v[i].m.nspans == 0)
			return false;
	return true;
}

static int on_go(struct timer *t)
{
	struct life *l = CONTAINER_OF(t, struct life, going);

	if (!all_watch(l)) {
		timer_set_after(t, NS_PER_MS);
		return 0;
	}
	l->writing = true;
	for (unsigned i = 0; i < WRITERS; i++)
		write_next(&l->w[i].a);
	for (unsigned i = 0; i < READERS; i++)
		read_next(&l->r[i].a);
	return 0;
}

static void go(struct life *l, uint64_t n)
{
	l->acks_wanted = l->acks + n;
	if (!l->writing)
		timer_set_after(&l->going, 0);
}

static int on_command(struct source *s, uint32_t events)
{
	struct life *l = CONTAINER_OF(s, struct life, commands);
	char *room = buf_room(&l->in, 256), *end;
	ssize_t n = read(0, room, 256);
	uint64_t count = 0;

	(void)events;
	if (n <= 0) {
		loop_stop(l->loop, 0);
		return 0;
	}
	l->in.n += (size_t)n;
	while (l->in.n && (end = memchr(l->in.p, '\n', l->in.n)) != NULL) {
		struct slice line = slice_of(l->in.p, (size_t)(end - l->in.p));

		if (slice_is(line, "settle")) {
			l->writing = false;
			l->settling = true;
			l->fence = -1;
			l->settle_end = clock_mono() + SETTLE_TIME;
			timer_set_after(&l->look, 0);
		} else if (slice_starts(line, SLICE("go ")) &&
			   str_uint64(slice_of(line.p + 3, line.n - 3), &count, NULL) == 0) {
			go(l, count);
		} else {
			model_fail("what command is '%.*s'?", (int)line.n, line.p);
		}
		buf_consume(&l->in, line.n + 1);
	}
	return 0;
}

/* ---- the beginning ---- */

static struct tls_conf *trust(const char *ca, bool h2)
{
	CLEANUP(cert_pool_unref) struct cert_pool *pool = cert_pool_new();
	CLEANUP(buf_fini) struct buf pem = BUF_INIT(65536);
	const char *const alpn = h2 ? "h2" : "http/1.1";
	struct tls_options o = { .trust = pool, .alpn = &alpn, .alpn_n = 1 };
	struct tls_conf *conf = NULL;
	struct err err = ERR_INIT;

	if (fd_read_file(-1, ca, &pem, &err) < 0 ||
	    cert_pool_add_pem(pool, buf_slice(&pem), &err) < 0 || tls_conf_new(&o, &conf, &err) < 0)
		die("CA", &err);
	return conf;
}

static void connect_to(struct life *l, const char *ca, const char *address)
{
	struct err err = ERR_INIT;

	for (unsigned h2 = 0; h2 < 2; h2++) {
		CLEANUP(tls_conf_unref) struct tls_conf *tls = trust(ca, h2);
		struct http_client_conf conf = { .tls = tls,
						 .http2 = h2 ? HTTP2_PRIOR : HTTP2_NEVER,
						 .connections_max = 256,
						 .connect_time = 2 * NS_PER_SEC };

		if (http_client_new(l->loop, address, &conf, &l->clients[l->naddr][h2], &err) < 0)
			die(address, &err);
	}
	l->naddr++;
}

/* The model begins with a first write: what was before it is nobody's business. */
static void begin(struct life *l)
{
	for (unsigned i = 0; i < WRITERS; i++) {
		asker_init(&l->w[i].a, l, i);
		l->w[i].a.next = write_next;
		l->w[i].a.answered = write_answered;
	}
	for (unsigned i = 0; i < READERS; i++) {
		asker_init(&l->r[i].a, l, i);
		l->r[i].a.next = read_next;
		l->r[i].a.answered = read_answered;
	}
	for (unsigned i = 0; i < WATCHERS; i++)
		watcher_init(&l->v[i], l, i);
}

int main(int argc, char **argv)
{
	static struct life l;
	struct err err = ERR_INIT;
	int64_t base = 0;

	if (argc < 6 || argc > 5 + ADDRESSES ||
	    str_uint64(slice_str(argv[3]), &l.random, NULL) < 0 ||
	    str_int64(slice_str(argv[4]), &base, NULL) < 0) {
		fprintf(stderr, "usage: api-life TOKEN CA SEED REVISION https://ADDRESS:PORT...\n");
		return 2;
	}
	l.token = argv[1];
	l.in = BUF_INIT(4096);
	if (loop_new(&l.loop, &err) < 0)
		die("loop", &err);
	for (int i = 5; i < argc; i++)
		connect_to(&l, argv[2], argv[i]);
	model_init(&l.m, base);
	l.m.shared = l.naddr > 1;
	timer_init(&l.look, l.loop, on_look);
	timer_init(&l.going, l.loop, on_go);
	begin(&l);
	if (source_init(&l.commands, l.loop, 0, EPOLLIN, on_command, &err) < 0)
		die("stdin", &err);
	return loop_run(l.loop, &err);
}
