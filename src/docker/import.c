/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives in: import of a root file system and load of images. The body goes into the store's
 * spool piece by piece (never as a whole in memory), then a worker unpacks and publishes it while
 * progress is streamed. Once bytes of the answer have left, errors are told in-band.
 */
#include "docker/private.h"

#include <stdio.h>

#define WINDOW (512u << 10) /* body bytes under way */

struct upload {
	struct call *c;
	struct image_import *im;
	bool load, quiet, running, begun, closed;
	struct err err; /* first failure of a push: told when the body has been read */
};

static void line(struct upload *u, const struct doc *d)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;

	if (u->closed || json_write(d, NULL, &b, &err) < 0)
		return;
	buf_adds(&b, "\r\n");
	if (!u->begun) {
		u->begun = true;
		(void)stream_set_header(u->c->s, "Content-Type", "application/json");
		(void)stream_start(u->c->s, 200, -1); /* a client that left: `closed` comes */
	}
	(void)stream_write(u->c->s, b.p, b.n); /* a slow reader loses progress, not the result */
}

static struct doc *status(struct upload *u, const char *key, const char *text)
{
	struct doc *d = doc_new_object(u->c->a);

	doc_set_str(u->c->a, d, key, text);
	return d;
}

static void on_progress(void *ctx, const struct image_progress *p)
{
	struct upload *u = ctx;
	CLEANUP(arena_free) struct arena *a = arena_new("progress", 64 << 10);
	struct doc *d = doc_new_object(a), *detail;
	char text[300];

	if (u->quiet && p->stage != IMAGE_PROGRESS_IMAGE)
		return;
	if (!u->load)
		return; /* docker import prints the id only */
	switch (p->stage) {
	case IMAGE_PROGRESS_LAYER:
		doc_set_str(a, d, "status", "Loading layer");
		detail = doc_set_object(a, d, "progressDetail");
		doc_set_uint(a, detail, "current", p->current);
		doc_set_uint(a, detail, "total", p->total);
		doc_set_str(a, d, "id", p->id);
		break;
	case IMAGE_PROGRESS_EXISTS:
		doc_set_str(a, d, "status", "Layer already exists");
		doc_set_object(a, d, "progressDetail");
		doc_set_str(a, d, "id", p->id);
		break;
	case IMAGE_PROGRESS_IMAGE:
		if (p->text && *p->text)
			(void)snprintf(text, sizeof(text), "Loaded image: %s\n", p->text);
		else
			(void)snprintf(text, sizeof(text), "Loaded image ID: %s\n", p->id);
		doc_set_str(a, d, "stream", text);
		break;
	}
	line(u, d);
}

static void fail(struct upload *u, const struct err *err)
{
	struct doc *d;

	if (!u->begun) {
		if (!u->closed)
			reply_err(u->c, err);
		return;
	}
	d = doc_new_object(u->c->a);
	doc_set_str(u->c->a, doc_set_object(u->c->a, d, "errorDetail"), "message", err->msg);
	doc_set_str(u->c->a, d, "error", err->msg);
	line(u, d);
	(void)stream_end(u->c->s); /* a client that left */
}

static void upload_end(struct upload *u)
{
	struct stream *s = u->c->s;

	image_import_free(STEAL(u->im));
	stream_unref(s);
}

static void announce(struct upload *u)
{
	const char *name = query_get(&u->c->q, "repo");

	for (size_t i = 0; i < image_import_count(u->im); i++) {
		const char *id = image_import_id(u->im, i);
		struct event_attr attr = { "name", name && *name ? name : id };

		engine_event(u->c->e, "image", u->load ? "load" : "import", id, &attr, 1);
	}
}

static void imported(void *ctx, int result, const struct err *err)
{
	struct upload *u = ctx;

	u->running = false;
	if (result < 0) {
		fail(u, err);
	} else {
		announce(u);
		if (!u->load)
			line(u, status(u, "status", image_import_id(u->im, 0)));
		if (u->begun && !u->closed)
			(void)stream_end(u->c->s); /* a client that left */
		else if (!u->closed)
			reply_none(u->c, 200);
	}
	upload_end(u);
}

static void on_data(struct stream *s, struct slice bytes)
{
	struct upload *u = stream_arg(s);

	if (!u->err.code && image_import_push(u->im, bytes.p, bytes.n, &u->err) < 0) {
		fail(u, &u->err); /* the rest of the body is the server's to drop */
		return;
	}
	if (!u->err.code)
		stream_read(s, bytes.n);
}

static void on_end(struct stream *s)
{
	struct upload *u = stream_arg(s);
	struct err err = ERR_INIT;

	if (u->err.code)
		return;
	stream_ref(s);
	if (image_import_start(u->im, engine_pool(u->c->e), imported, u, &err) < 0) {
		fail(u, &err);
		upload_end(u);
		return;
	}
	u->running = true;
}

static void on_cancel(struct stream *s)
{
	struct upload *u = stream_arg(s);

	if (u->running && !u->begun)
		return; /* half-closed after the body: it may still read */
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct upload *u = stream_arg(s);

	(void)why;
	u->closed = true;
	if (u->running)
		image_import_cancel(u->im);
	else
		image_import_free(STEAL(u->im));
}

static const struct stream_events upload_events = {
	.data = on_data, .end = on_end, .cancel = on_cancel, .closed = on_closed
};

static void upload_begin(struct call *c, struct image_import_options *o)
{
	struct upload *u = ARENA_NEW(c->a, struct upload);
	struct err err = ERR_INIT;

	u->c = c;
	u->load = o->kind == IMAGE_IMPORT_ARCHIVE;
	u->quiet = query_bool(&c->q, "quiet", false);
	o->progress = on_progress;
	o->ctx = u;
	if (image_import_new(engine_images(c->e), o, &u->im, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	stream_on(c->s, &upload_events, u);
	stream_read(c->s, WINDOW);
}

static void import_begin(struct call *c)
{
	const char *repo = query_get(&c->q, "repo"), *tag = query_get(&c->q, "tag");
	const char *src = query_get(&c->q, "fromSrc"), *platform = query_get(&c->q, "platform");
	struct image_import_options o = { .kind = IMAGE_IMPORT_ROOTFS };

	if (strcmp(src, "-") != 0) {
		reply_fail(c, ERR_UNSUPPORTED,
			   "importing from a URL is not supported yet: fetch '%s' yourself and "
			   "import the file",
			   src);
		return;
	}
	o.ref = repo && *repo ? repo : NULL;
	if (o.ref && tag && *tag)
		o.ref = arena_printf(c->a, "%s:%s", repo, tag);
	o.message = query_get(&c->q, "message");
	if (!o.message || !*o.message)
		o.message = "Imported from -";
	o.platform = platform && *platform ? platform : NULL;
	o.changes = call_texts(c, "changes", &o.nchanges);
	upload_begin(c, &o);
}

void images_create(struct call *c)
{
	const char *from = query_get(&c->q, "fromImage"), *src = query_get(&c->q, "fromSrc");

	if (src && *src && !(from && *from)) {
		import_begin(c);
		return;
	}
	if (!from || !*from)
		reply_fail(c, ERR_BAD_REQUEST, "neither fromImage nor fromSrc was given");
	else
		image_pull_begin(c);
}

void images_load(struct call *c)
{
	struct image_import_options o = { .kind = IMAGE_IMPORT_ARCHIVE };
	struct err err = ERR_INIT;

	if (call_platforms(c, "platform", &o.platforms, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	upload_begin(c, &o);
}
