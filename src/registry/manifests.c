/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests: read from the cache, put and deleted by jobs of the store. */
#include "registry/private.h"

#include "registry/intents.h"

#include <stdio.h>
#include <string.h>

static void get_local(struct call *c)
{
	struct cached *m = cache_find(c->g->cache, c->name, c->ref);
	struct content_manifest found;
	struct err err = ERR_INIT;
	const char *match;

	if (!m) {
		if (content_manifest(c->g->store, c->name, c->ref, c->a, &found, &err) < 0) {
			answer_err(c, &err, MANIFEST_UNKNOWN, UNKNOWN);
			return;
		}
		m = cache_put(c->g->cache, c->name, c->ref, &found);
	}
	match = arena_printf(c->a, "\"%s\"", m->digest);
	(void)stream_set_header(c->s, "Docker-Content-Digest", m->digest);
	(void)stream_set_header(c->s, "ETag", match);
	if (stream_header_has(c->s, "If-None-Match", match))
		answer_status(c, 304);
	else
		(void)stream_reply(c->s, 200, m->media, m->bytes.p, m->bytes.n);
	c->media = m->media;
	c->size = m->bytes.n;
	if (strcmp(c->method, "GET") == 0)
		call_done(c, COUNT_PULLED, stream_status(c->s), m->digest);
	cached_unref(m);
}

void manifest_get(struct call *c)
{
	if (!hooks_manifest(c, get_local))
		get_local(c);
}

/* ---- put ---- */

static void answer_created(struct call *c)
{
	answer_status(c, 201);
}

static void answer_accepted(struct call *c)
{
	answer_status(c, 202);
}

static void put_done(void *ctx, const struct content_change *ch, int result, const struct err *err)
{
	struct call *c = ctx;

	cache_clear(c->g->cache);
	if (result < 0) {
		answer_err(c, err, MANIFEST_BLOB_UNKNOWN, MANIFEST_INVALID);
	} else {
		(void)stream_set_header(c->s, "Location", path_of(c, "manifests", ch->digest));
		(void)stream_set_header(c->s, "Docker-Content-Digest", ch->digest);
		if (ch->subject)
			(void)stream_set_header(c->s, "OCI-Subject", ch->subject);
		c->media = ch->manifest->media;
		c->size = ch->bytes.n;
		for (size_t i = 0; query_nth(&c->q, "tag", i); i++)
			(void)stream_add_header(c->s, "OCI-Tag", query_nth(&c->q, "tag", i));
		c->tags = ch->tags;
		c->was = ch->was;
		c->ntags = ch->ntags;
		call_done(c, COUNT_PUSHED, 201, ch->digest);
		c->ntags = 0; /* they are the change's */
		hooks_then(c, answer_created);
		log_kv(LOG_LEVEL_INFO, "manifest pushed", "repository", c->name, "reference",
		       c->ref, "digest", ch->digest, NULL);
	}
	stream_unref(c->s);
}

static bool is_immutable(const struct call *c, const char *tag)
{
	return c->g->conf.immutable || policy_immutable(auth_policy(c->g->auth), c->name, tag);
}

static void put_body(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	struct call *c = arg;
	struct slice type = stream_header(s, "Content-Type");
	struct content_put put = { .repo = c->name,
				   .ref = c->ref,
				   .media = arena_strndup(c->a, type.p ? type.p : "", type.n),
				   .bytes = body,
				   .immutable = is_immutable(c, c->ref),
				   .sparse = c->g->conf.sparse };
	const char *tags[CONTENT_TAGS_MAX];
	struct content_limit v[BOUNDS_MAX];

	if (result < 0) {
		answer_err(c, err, MANIFEST_UNKNOWN, MANIFEST_INVALID);
		return;
	}
	for (size_t i = 0; query_nth(&c->q, "tag", i); i++) {
		const char *tag = query_nth(&c->q, "tag", i);

		if (put.ntags == CONTENT_TAGS_MAX - 1 || !content_tag_ok(slice_str(tag))) {
			answer_error(c, TAG_INVALID, "tag=%.150s: is no tag, or one too many", tag);
			return;
		}
		tags[put.ntags++] = tag;
		put.immutable = put.immutable || is_immutable(c, tag);
	}
	put.tags = tags;
	put.limits = bounds_of(auth_policy(c->g->auth), c->name, v);
	stream_ref(s);
	content_put_manifest(c->g->store, &put, put_done, c);
}

void manifest_put(struct call *c)
{
	struct err err = ERR_INIT;

	if (c->ended)
		put_body(c->s, c, 0, slice_of("", 0), &err);
	else
		stream_collect(c->s, MANIFEST_BYTES_MAX, put_body, c);
}

/* ---- delete ---- */

static void delete_done(void *ctx, const struct content_change *ch, int result,
			const struct err *err)
{
	struct call *c = ctx;

	(void)ch;
	cache_clear(c->g->cache);
	if (result < 0) {
		intent_end(c);
		answer_err(c, err, MANIFEST_UNKNOWN, MANIFEST_INVALID);
	} else {
		call_done(c, COUNT_DELETED, 202, NULL);
		intent_end(c); /* behind what call_done queued */
		hooks_then(c, answer_accepted);
	}
	stream_unref(c->s);
}

static void delete_now(struct call *c)
{
	stream_ref(c->s);
	content_delete_manifest(c->g->store, c->name, c->ref, delete_done, c);
}

void manifest_delete(struct call *c)
{
	if (!memchr(c->ref, ':', strlen(c->ref)) &&
	    policy_immutable(auth_policy(c->g->auth), c->name, c->ref)) {
		answer_error(c, DENIED, "tag '%s' is immutable", c->ref);
		return;
	}
	intent_begin(c, delete_now);
}
