/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Priority and fairness after the objects in the cache: read anew in the round in which one
 * changed; and what FlowSchemas say of themselves (condition Dangling: is their level there?),
 * which is written back one at a time.
 */
#include "apiserver/objects/codec.h"
#include "apiserver/rest/fairness-private.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "doc/doc.h"

#include <stdlib.h>

#define FLOW_GROUP "flowcontrol.apiserver.k8s.io"
#define OBJECTS_MAX 4096
#define ARENA_BYTES (64u << 20)

struct followed {
	struct fairness_follow *f;
	struct cache *cache;
	struct cache_watch watch;
};

struct fairness_follow {
	struct fairness *of;
	struct resources *rs;
	struct followed schemas, levels;
	struct deferred again;
	/* The write of one condition. */
	struct cache_write write;
	struct cache_op op;
	struct buf json;
	char *key;
	bool writing;
};

static void watch_on(struct followed *w);

static int on_change(struct cache_watch *w, enum cache_change what, struct item *i)
{
	(void)what;
	(void)i;
	deferred_call(&CONTAINER_OF(w, struct followed, watch)->f->again);
	return 0;
}

static void on_end(struct cache_watch *w, const struct err *err)
{
	struct followed *x = CONTAINER_OF(w, struct followed, watch);

	(void)err; /* it begins anew, behind a fresh look */
	watch_on(x);
	deferred_call(&x->f->again);
}

static void watch_on(struct followed *w)
{
	struct err err = ERR_INIT;

	w->watch = (struct cache_watch){ .prefix = SLICE(""), .change = on_change, .end = on_end };
	if (cache_watch(w->cache, &w->watch, world_revision(resources_world(w->f->rs)), &err) < 0)
		log_kv(LOG_LEVEL_ERROR, "flow control objects are not followed", "error", err.msg,
		       NULL);
}

/* ---- conditions ---- */

static const struct doc *dangling_of(const struct doc *schema)
{
	DOC_EACH (it, doc_find(schema, "status.conditions")) {
		if (doc_str_is(doc_get(it, "type"), "Dangling"))
			return it;
	}
	return NULL;
}

static bool has_level(const struct fairness *f, struct arena *a, const struct doc *schema,
		      const char **ret_name)
{
	const char *name = doc_cstr(a, doc_find(schema, "spec.priorityLevelConfiguration.name"));

	*ret_name = name ? name : "";
	return name && fairness_level_find(f, name);
}

static void on_written(struct cache_write *w)
{
	struct fairness_follow *f = CONTAINER_OF(w, struct fairness_follow, write);

	/* A conflict shows as a change, which brings us here again. */
	if (w->result < 0)
		log_kv(LOG_LEVEL_WARN, "a FlowSchema's condition was not written", "name", f->key,
		       "error", w->err.msg, NULL);
	f->writing = false;
	buf_fini(&f->json);
	free(STEAL(f->key));
	if (w->result >= 0)
		deferred_call(&f->again);
}

/* The object with the condition; a copy, since documents of items are shared. */
static struct doc *with_condition(struct arena *a, const struct doc *schema, bool found,
				  const char *level)
{
	char now[CLOCK_TEXT_MAX];
	struct doc *d = doc_copy(a, schema);
	struct doc *status = d ? doc_get(d, "status") : NULL, *list, *c;

	if (!status)
		status = doc_set_object(a, d, "status");
	list = status ? doc_get(status, "conditions") : NULL;
	if (!list)
		list = doc_set_array(a, status, "conditions");
	for (size_t i = 0; i < doc_len(list); i++) {
		if (doc_str_is(doc_get(doc_at(list, i), "type"), "Dangling"))
			(void)doc_remove_at(list, i);
	}
	c = doc_append_object(a, list);
	doc_set_str(a, c, "type", "Dangling");
	doc_set_str(a, c, "status", found ? "False" : "True");
	doc_set_str(a, c, "lastTransitionTime",
		    clock_rfc3339nano(now, clock_real() / NS_PER_SEC * NS_PER_SEC));
	doc_set_str(a, c, "reason", found ? "Found" : "NotFound");
	doc_set_strf(a, c, "message",
		     "This FlowSchema references the PriorityLevelConfiguration object named "
		     "\"%s\" and %s",
		     level, found ? "it exists" : "there is no such object");
	return arena_exceeded(a) ? NULL : d;
}

static void write_condition(struct fairness_follow *f, struct arena *a, struct item *i,
			    const struct doc *schema)
{
	const struct doc *c = dangling_of(schema);
	struct err err = ERR_INIT;
	const char *level;
	bool found = has_level(f->of, a, schema, &level);
	struct doc *d;

	if (f->writing || (c && doc_str_is(doc_get(c, "status"), found ? "False" : "True")))
		return;
	d = with_condition(a, schema, found, level);
	f->json = BUF_INIT(ARENA_BYTES);
	if (!d || codec_store(d, &f->json, &err) < 0)
		return;
	f->key = strndup(item_key(i).p, item_key(i).n);
	if (!f->key)
		abort();
	f->op = (struct cache_op){ .cache = f->schemas.cache,
				   .key = slice_str(f->key),
				   .json = buf_slice(&f->json),
				   .expect = item_revision(i) };
	f->write = (struct cache_write){ .ops = &f->op, .n = 1, .done = on_written };
	f->writing = true;
	cache_write(resources_world(f->rs), &f->write);
}

/* ---- reading ---- */

struct read {
	const struct doc **docs;
	struct item **items;
	size_t n;
};

static int read_all(struct cache *c, struct arena *a, struct cache_view **ret_view,
		    struct read *ret, struct err *err)
{
	struct cache_view *v = cache_now(c);
	struct cache_iter it;
	struct item *i;

	*ret_view = v;
	ret->docs = ARENA_ARRAY(a, const struct doc *, OBJECTS_MAX);
	ret->items = ARENA_ARRAY(a, struct item *, OBJECTS_MAX);
	ret->n = 0;
	if (!ret->docs || !ret->items)
		return arena_quota(a, err);
	cache_iter_init(&it, v, SLICE(""), SLICE(""));
	while (ret->n < OBJECTS_MAX && (i = cache_iter_next(&it))) {
		struct doc *d = doc_new(a, doc_null());
		int r = d ? codec_parse(i, a, d, err) : arena_quota(a, err);

		if (r < 0)
			return r;
		ret->docs[ret->n] = d;
		ret->items[ret->n++] = i;
	}
	return 0;
}

static void read_again(struct fairness_follow *f)
{
	CLEANUP(arena_free) struct arena *a = arena_new("flow control objects", ARENA_BYTES);
	CLEANUP(cache_view_unref) struct cache_view *sv = NULL;
	CLEANUP(cache_view_unref) struct cache_view *lv = NULL;
	struct read schemas, levels;
	struct err err = ERR_INIT;
	int r;

	r = read_all(f->schemas.cache, a, &sv, &schemas, &err);
	if (r >= 0)
		r = read_all(f->levels.cache, a, &lv, &levels, &err);
	if (r >= 0)
		r = fairness_set(f->of, schemas.docs, schemas.n, levels.docs, levels.n, &err);
	if (r < 0) {
		log_kv(LOG_LEVEL_ERROR, "flow control objects cannot be used; the ones before stay",
		       "error", err.msg, NULL);
		return;
	}
	for (size_t i = 0; i < schemas.n; i++)
		write_condition(f, a, schemas.items[i], schemas.docs[i]);
}

static void on_again(struct deferred *d)
{
	read_again(CONTAINER_OF(d, struct fairness_follow, again));
}

int fairness_follow(struct fairness *f, struct loop *loop, struct resources *rs, struct err *err)
{
	struct collection *s = resources_objects(rs, FLOW_GROUP, "flowschemas");
	struct collection *l = resources_objects(rs, FLOW_GROUP, "prioritylevelconfigurations");
	struct fairness_follow *x;

	if (!s || !l)
		return err_set(err, ERR_NOT_FOUND, "flow control objects are not served");
	x = calloc(1, sizeof(*x));
	if (!x)
		abort();
	x->of = f;
	x->rs = rs;
	x->schemas = (struct followed){ .f = x, .cache = s->cache };
	x->levels = (struct followed){ .f = x, .cache = l->cache };
	deferred_init(&x->again, loop, on_again);
	watch_on(&x->schemas);
	watch_on(&x->levels);
	fairness_set_follow(f, x);
	read_again(x);
	return 0;
}

void fairness_follow_free(struct fairness_follow *f)
{
	if (!f)
		return;
	cache_unwatch(&f->schemas.watch);
	cache_unwatch(&f->levels.watch);
	deferred_fini(&f->again);
	buf_fini(&f->json);
	free(f->key);
	free(f);
}
