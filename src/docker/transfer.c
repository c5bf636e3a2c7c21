/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images to and from registries: POST /images/create?fromImage= and /images/{name}/push. The work
 * is on a worker of the transfers' pool; its progress is streamed as JSON lines. Once a line has
 * left, errors are told in-band. A client that leaves, and the engine's end, cancel it.
 */
#include "docker/private.h"
#include "image/pull.h"

#include <stdio.h>

struct transfer {
	struct call *c;
	struct watch watch;
	struct image_pull *pull; /* one of the two */
	struct image_push *push;
	const char *name; /* for the event */
	bool begun, closed;
};

/* ---- credentials ---- */

static const char *text_of(struct arena *a, const struct doc *d, const char *key)
{
	const struct doc *v = doc_get(d, key);

	return v ? doc_cstr(a, v) : NULL;
}

int call_registry_auth(struct call *c, struct remote_auth *ret, struct err *err)
{
	struct slice text = slice_trim(stream_header(c->s, "X-Registry-Auth"));
	struct err why = ERR_INIT;
	struct doc *d;
	size_t n = 0;
	char *json;

	*ret = (struct remote_auth){ 0 };
	if (!text.n)
		return 0;
	json = arena_alloc(c->a, text.n + 4);
	if (!json)
		return arena_quota(c->a, err);
	if (base64_decode(json, &n, text) < 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid X-Registry-Auth header: it is not base64");
	if (!slice_trim(slice_of(json, n)).n)
		return 0;
	if (json_read(c->a, slice_of(json, n), &(struct json_options){ .copy = true }, &d, &why) <
		    0 ||
	    !doc_is(d, DOC_OBJECT)) /* the text has secrets: it is not repeated */
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid X-Registry-Auth header: it is no JSON object");
	ret->username = text_of(c->a, d, "username");
	ret->password = text_of(c->a, d, "password");
	ret->identity_token = text_of(c->a, d, "identitytoken");
	ret->registry_token = text_of(c->a, d, "registrytoken");
	return 0;
}

/* ---- lines ---- */

static void line(struct transfer *t, const struct doc *d)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;

	if (t->closed || json_write(d, NULL, &b, &err) < 0)
		return;
	buf_adds(&b, "\r\n");
	if (!t->begun) {
		t->begun = true;
		(void)stream_set_header(t->c->s, "Content-Type", "application/json");
		(void)stream_start(t->c->s, 200, -1); /* a client that left: `closed` comes */
	}
	(void)stream_write(t->c->s, b.p, b.n); /* a slow reader loses progress, not the result */
}

static void put_descriptor(struct arena *a, struct doc *d, const char *media, const char *digest,
			   uint64_t size)
{
	doc_set_str(a, d, "mediaType", media);
	doc_set_str(a, d, "digest", digest);
	doc_set_uint(a, d, "size", size);
}

/* docker's clients print a note of it. */
static void put_instead(struct arena *a, struct doc *aux, const struct image_transfer *p)
{
	doc_set_bool(a, aux, "manifestPushedInsteadOfIndex", true);
	put_descriptor(a, doc_set_object(a, aux, "originalIndex"), p->index_media, p->index,
		       p->index_size);
	put_descriptor(a, doc_set_object(a, aux, "selectedManifest"), p->media, p->digest, p->size);
}

static void on_progress(void *ctx, const struct image_transfer *p)
{
	CLEANUP(arena_free) struct arena *a = arena_new("progress", 64 << 10);
	struct transfer *t = ctx;
	struct doc *d = doc_new_object(a), *detail;

	if (p->index) {
		put_instead(a, doc_set_object(a, d, "aux"), p);
		line(t, d);
		return;
	}
	if (p->digest) {
		doc_set_object(a, d, "progressDetail");
		detail = doc_set_object(a, d, "aux");
		doc_set_str(a, detail, "Tag", p->tag);
		doc_set_str(a, detail, "Digest", p->digest);
		doc_set_uint(a, detail, "Size", p->size);
		line(t, d);
		return;
	}
	doc_set_str(a, d, "status", p->status);
	if (*p->id && strncmp(p->status, "Pulling from ", 13) != 0) {
		detail = doc_set_object(a, d, "progressDetail");
		if (p->detail) {
			doc_set_uint(a, detail, "current", p->current);
			doc_set_uint(a, detail, "total", p->total);
		}
	}
	if (*p->id)
		doc_set_str(a, d, "id", p->id);
	line(t, d);
}

static void fail(struct transfer *t, const struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("progress", 64 << 10);
	struct doc *d = doc_new_object(a);

	if (!t->begun) {
		if (!t->closed)
			reply_err(t->c, err);
		return;
	}
	doc_set_str(a, doc_set_object(a, d, "errorDetail"), "message", err->msg);
	doc_set_str(a, d, "error", err->msg);
	line(t, d);
}

/* ---- life ---- */

static const struct stream_events no_events;

static void transfer_end(struct transfer *t)
{
	struct stream *s = t->c->s;

	list_del(&t->watch.link);
	image_pull_free(STEAL(t->pull));
	image_push_free(STEAL(t->push));
	if (t->begun && !t->closed)
		(void)stream_end(s); /* a client that left */
	stream_on(s, &no_events, NULL);
	stream_unref(s);
}

static void done(void *ctx, int result, const struct err *err)
{
	struct transfer *t = ctx;
	struct event_attr attr = { "name", t->name };

	if (result < 0)
		fail(t, err);
	else
		engine_event(t->c->e, "image", t->pull ? "pull" : "push", t->name, &attr, 1);
	transfer_end(t);
}

static void cancel(struct transfer *t)
{
	if (t->pull)
		image_pull_cancel(t->pull);
	if (t->push)
		image_push_cancel(t->push);
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct transfer *t = stream_arg(s);

	(void)why;
	t->closed = true;
	cancel(t);
}

static void on_stop(struct watch *w)
{
	struct transfer *t = CONTAINER_OF(w, struct transfer, watch);

	list_init(&w->link); /* taken off by who asks us */
	cancel(t);
}

static const struct stream_events transfer_events = { .closed = on_closed };

static struct transfer *transfer_new(struct call *c, const char *name)
{
	struct transfer *t = ARENA_NEW(c->a, struct transfer);

	if (!t || !name) {
		struct err err = ERR_INIT;

		arena_quota(c->a, &err);
		reply_err(c, &err);
		return NULL;
	}
	*t = (struct transfer){ .c = c, .name = name, .watch.stop = on_stop };
	list_init(&t->watch.link);
	return t;
}

/* After pull or push was made; r and err of making and starting it. */
static void begun(struct transfer *t, int r, const struct err *err)
{
	if (r < 0) {
		reply_err(t->c, err);
		image_pull_free(STEAL(t->pull));
		image_push_free(STEAL(t->push));
		return;
	}
	list_append(&t->c->api->watches, &t->watch.link);
	stream_ref(t->c->s);
	stream_on(t->c->s, &transfer_events, t);
}

/* ---- requests ---- */

/* "x", tag or digest or nothing: one text. */
static const char *reference(struct call *c, const char *image, const char *tag, bool *ret_all)
{
	struct image_name n;

	*ret_all = false;
	if (tag && *tag)
		return arena_printf(c->a, strchr(tag, ':') ? "%s@%s" : "%s:%s", image, tag);
	*ret_all = image_name_parse(image, &n, NULL) == 0 && !n.tag[0] && !n.digest[0];
	return arena_strdup(c->a, image);
}

/* Our own words, "1" or "early", which docker's clients do not say: they get what the engine was
 * told. */
static bool wants_early(struct call *c)
{
	const char *query = query_get(&c->q, "lazy");

	return slice_is(slice_trim(stream_header(c->s, "X-Teu-Lazy")), "early") ||
	       (query && strcmp(query, "early") == 0);
}

static bool wants_lazy(struct call *c)
{
	return slice_is(slice_trim(stream_header(c->s, "X-Teu-Lazy")), "1") || wants_early(c) ||
	       query_bool(&c->q, "lazy", false);
}

void image_pull_begin(struct call *c)
{
	const char *tag = query_get(&c->q, "tag"), *platform = query_get(&c->q, "platform");
	struct image_pull_options o = { .platform = platform && *platform ? platform : NULL,
					.remotes = c->api->remotes,
					.lazy = c->api->lazy || wants_lazy(c),
					.lazy_trust = c->api->lazy_trust,
					.lazy_early = c->api->lazy_early || wants_early(c),
					.progress = on_progress };
	struct transfer *t;
	struct err err = ERR_INIT;
	int r;

	o.ref = reference(c, query_get(&c->q, "fromImage"), tag, &o.all_tags);
	t = transfer_new(c, o.ref);
	if (!t)
		return;
	o.ctx = t;
	r = call_registry_auth(c, &o.auth, &err);
	if (r >= 0)
		r = image_pull_new(engine_images(c->e), &o, &t->pull, &err);
	if (r >= 0)
		r = image_pull_start(t->pull, c->api->transfers, done, t, &err);
	begun(t, r, &err);
}

void image_push_handle(struct call *c)
{
	const char *platform = query_get(&c->q, "platform");
	struct image_push_options o = { .remotes = c->api->remotes,
					.lazy = c->api->lazy || wants_lazy(c),
					.progress = on_progress };
	struct transfer *t;
	struct err err = ERR_INIT;
	int r;

	if (platform && *platform && platform_of_json(c, platform, &o.platform, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	o.ref = reference(c, route_param(c->m, "name"), query_get(&c->q, "tag"), &o.all_tags);
	t = transfer_new(c, o.ref);
	if (!t)
		return;
	o.ctx = t;
	r = call_registry_auth(c, &o.auth, &err);
	if (r >= 0)
		r = image_push_new(engine_images(c->e), &o, &t->push, &err);
	if (r >= 0)
		r = image_push_start(t->push, c->api->transfers, done, t, &err);
	begun(t, r, &err);
}
