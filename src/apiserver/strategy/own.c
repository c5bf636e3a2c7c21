/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/strategy/own.h"

#include "api/apply.h"
#include "api/check.h"
#include "api/defaults.h"
#include "api/object.h"
#include "apiserver/objects/codec.h"
#include "apiserver/strategy/strategy.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORK_MAX (64u << 20)
#define JSON_MAX (8u << 20)
#define TRIES_MAX 16
#define OPS_MAX (1 + STRATEGY_MORE_MAX)

/* One attempt. */
struct attempt {
	struct own_put *p;
	struct strategy_call sc;
	struct doc obj;		 /* as it will be stored */
	struct doc old;		 /* as it is */
	const struct item *live; /* NULL: it is not there */
	enum own_change how;
};

static const struct api *api_of(const struct attempt *t)
{
	return resources_api(t->p->rs);
}

static const struct api_type *type_of(const struct attempt *t)
{
	return t->p->objects->kind->type;
}

static struct doc *meta_of(struct attempt *t, struct doc *obj)
{
	if (!doc_is(doc_get(obj, "metadata"), DOC_OBJECT))
		api_set(type_of(t), obj, t->p->a, "metadata", doc_object());
	return doc_get(obj, "metadata");
}

static void set_meta(struct attempt *t, struct doc *obj, const char *field, const char *value)
{
	api_set(api_type(api_of(t), API_META, "ObjectMeta"), meta_of(t, obj), t->p->a, field,
		doc_str(t->p->a, value));
}

static const char *now_text(struct arena *a)
{
	char text[CLOCK_TEXT_MAX];

	return arena_strdup(a, clock_rfc3339nano(text, clock_real() / NS_PER_SEC * NS_PER_SEC));
}

bool own_take(const struct api_type *type, struct doc *obj, const struct doc *want,
	      const char *field, struct arena *a)
{
	const struct doc *v = doc_get(want, field), *have = doc_get(obj, field);

	if (v ? have && doc_equal(v, have) : !have)
		return false;
	if (v)
		api_set(type, obj, a, field, *v);
	else
		(void)doc_remove(obj, field);
	return true;
}

bool own_take_map(const struct resources *rs, struct doc *obj, const struct doc *want,
		  const char *field, struct arena *a)
{
	struct doc *meta = doc_get(obj, "metadata");
	const struct doc *from = doc_get(doc_get(want, "metadata"), field);
	struct doc *to = doc_copy_shared(a, doc_get(meta, field));
	bool changed = false;

	if (!doc_is(to, DOC_OBJECT))
		to = doc_new_object(a);
	DOC_EACH_MEMBER (key, value, from) {
		const struct doc *have = doc_getn(to, doc_slice(key));

		if (have && doc_equal(have, value))
			continue;
		(void)doc_setn(a, to, doc_slice(key), *value);
		changed = true;
	}
	if (changed && to)
		api_set(api_type(resources_api(rs), API_META, "ObjectMeta"), meta, a, field, *to);
	return changed;
}

/* ---- preparing ---- */

/* Failure to track loses the tracking, not the write, as for clients. */
static void track(struct attempt *t)
{
	struct doc sets[2] = { 0 };
	struct apply ap = {
		.type = type_of(t),
		.api_version = t->p->objects->kind->group->api_version,
		.kind = t->p->objects->kind->kind,
		.manager = t->p->manager ? t->p->manager : OWN_MANAGER,
		.subresource = t->sc.sub,
		.now = now_text(t->p->a),
		.a = t->p->a,
	};

	if (t->p->objects->strategy->flags & STRATEGY_NO_TRACKING)
		return;
	if (strategy_reset_fields(t->p->objects, t->sc.sub, t->p->a, &sets[0], &sets[1])) {
		ap.reset = sets[0].type != DOC_NULL ? &sets[0] : NULL;
		ap.only = sets[1].type != DOC_NULL ? &sets[1] : NULL;
	}
	if (!ap.now || apply_track(&ap, t->live ? &t->old : NULL, &t->obj, NULL) < 0)
		(void)doc_remove(doc_get(&t->obj, "metadata"), "managedFields");
}

static int admit(struct attempt *t, struct doc *ret, struct err *err)
{
	struct doc *d = doc_copy_shared(t->p->a, t->p->want);

	if (!d)
		return arena_quota(t->p->a, err);
	doc_set_str(t->p->a, d, "kind", t->p->objects->kind->kind);
	doc_set_str(t->p->a, d, "apiVersion", t->p->objects->kind->group->api_version);
	return api_admit(type_of(t), d, t->p->a, 0, NULL, ret, err);
}

static int prepare_new(struct attempt *t, struct err *err)
{
	const struct own_put *p = t->p;
	char uid[UUID_TEXT_MAX];
	struct doc status;
	int r = admit(t, &t->obj, err);

	t->how = OWN_CHANGED;
	if (r < 0)
		return r;
	set_meta(t, &t->obj, "name", p->name);
	if (*p->namespace_)
		set_meta(t, &t->obj, "namespace", p->namespace_);
	track(t);
	random_uuid(uid);
	set_meta(t, &t->obj, "uid", uid);
	set_meta(t, &t->obj, "creationTimestamp", now_text(p->a));
	status = doc_get(&t->obj, "status") ? *doc_get(&t->obj, "status") : doc_null();
	r = strategy_create(&t->sc, &t->obj, err);
	/* A new object has no status of clients; ours is known from the beginning. */
	if (r == 0 && doc_is(&status, DOC_OBJECT) && status.n)
		api_set(type_of(t), &t->obj, p->a, "status", status);
	return r;
}

static bool same_status(const struct attempt *t)
{
	const struct doc *x = doc_get(&t->obj, "status"), *y = doc_get(&t->old, "status");

	return x && y ? doc_equal(x, y) : x == y;
}

int own_delete(struct own_put *p, struct arena *a, struct doc *obj, struct err *err)
{
	const struct api_type *t = api_type(resources_api(p->rs), API_META, "ObjectMeta");
	struct doc *meta = doc_get(obj, "metadata");

	if (doc_len(doc_get(meta, "finalizers")) == 0)
		return OWN_GOES;
	if (doc_is(doc_get(meta, "deletionTimestamp"), DOC_STRING))
		return OWN_SAME;
	api_set(t, meta, a, "deletionTimestamp", doc_str(a, now_text(a)));
	api_set(t, meta, a, "deletionGracePeriodSeconds", doc_int(a, 0));
	return arena_exceeded(a) ? arena_quota(a, err) : OWN_MARKED;
}

/* 1: there is something to be written. */
static int prepare_change(struct attempt *t, struct err *err)
{
	struct own_put *p = t->p;
	struct doc *copy;
	struct doc want;
	int r = codec_parse(t->live, p->a, &t->old, err);

	if (r == 0)
		r = admit(t, &want, err);
	copy = r == 0 ? doc_copy_shared(p->a, &t->old) : NULL;
	if (r < 0 || !copy)
		return r < 0 ? r : arena_quota(p->a, err);
	t->obj = *copy;
	r = p->update(p, p->a, &t->obj, &want, err);
	if (r == OWN_CHANGED && strategy_is_over(p->objects->kind, &t->obj, &t->old))
		r = OWN_GOES;
	t->how = r;
	if (r != OWN_CHANGED)
		return MIN(r, 1);
	track(t);
	/* Written whole: a strategy would put back what lies in the status. */
	r = same_status(t) ? strategy_update(&t->sc, &t->obj, &t->old, err) : 0;
	return r < 0 ? r : 1;
}

static int add_op(struct attempt *t, const struct collection *o, const char *key,
		  const struct doc *obj, int64_t expect, struct err *err)
{
	struct own_put *p = t->p;
	struct cache_op *op = &p->ops[p->write.n];
	struct buf *json = &p->json[p->write.n];

	*json = BUF_INIT(JSON_MAX);
	p->write.n++;
	*op = (struct cache_op){ .cache = o->cache, .key = slice_str(key), .expect = expect };
	if (obj && codec_store(obj, json, err) < 0)
		return err_ret(err);
	op->json = obj ? buf_slice(json) : (struct slice){ 0 };
	return 0;
}

static int build(struct attempt *t, struct err *err)
{
	struct own_put *p = t->p;
	struct doc *obj = t->how == OWN_GOES ? NULL : &t->obj, *old = t->live ? &t->old : NULL;
	const char *key =
		*p->namespace_ ? arena_printf(p->a, "%s/%s", p->namespace_, p->name) : p->name;
	int r = 0;

	if (t->how == OWN_CHANGED)
		r = api_check(api_of(t), p->objects->kind, "", obj, old, p->a, err);
	if (r == 0)
		r = strategy_commit(&t->sc, obj, old, err);
	if (r == 0 && arena_exceeded(p->a))
		r = arena_quota(p->a, err);
	if (r == 0)
		r = add_op(t, p->objects, key, obj, t->live ? item_revision(t->live) : 0, err);
	for (size_t i = 0; i < t->sc.nmore && r == 0; i++)
		r = add_op(t, t->sc.more[i].objects, t->sc.more[i].key, t->sc.more[i].obj,
			   t->sc.more[i].expect, err);
	return r;
}

/* ---- writing ---- */

static void fini(struct own_put *p)
{
	for (size_t i = 0; p->json && i < OPS_MAX; i++)
		buf_fini(&p->json[i]);
	arena_free(STEAL(p->a));
	p->json = NULL;
}

static void finish(struct own_put *p, int result)
{
	p->result = result < 0 ? err_wrap(&p->err, "%s '%s%s%s'", p->resource, p->namespace_,
					  *p->namespace_ ? "/" : "", p->name)
			       : result;
	fini(p);
	p->done(p);
}

static void try_again(struct own_put *p);

static void written(struct cache_write *w)
{
	struct own_put *p = CONTAINER_OF(w, struct own_put, write);

	if (w->result == 1) {
		fini(p);
		try_again(p);
		return;
	}
	if (w->result < 0)
		p->err = w->err;
	finish(p, w->result < 0 ? w->result : 1);
}

static int prepare(struct attempt *t, struct err *err)
{
	static const char *const groups[] = { "system:masters", NULL };
	struct own_put *p = t->p;
	int r;

	t->sc = (struct strategy_call){
		.rs = p->rs,
		.objects = p->objects,
		.sub = "",
		.a = p->a,
		.now = clock_real() / NS_PER_SEC,
		.user = { .name = "system:apiserver", .uid = "", .groups = groups },
	};
	t->live = resources_get(p->rs, p->group, p->resource, p->namespace_, p->name);
	if (t->live ? !p->update : p->only_there)
		return 0;
	p->json = ARENA_ARRAY(p->a, struct buf, OPS_MAX);
	p->ops = ARENA_ARRAY(p->a, struct cache_op, OPS_MAX);
	if (!p->json || !p->ops)
		return arena_quota(p->a, err);
	r = t->live ? prepare_change(t, err) : prepare_new(t, err);
	if (r < 0 || (t->live && r == 0))
		return r;
	r = build(t, err);
	return r < 0 ? r : 1;
}

static void try_again(struct own_put *p)
{
	struct attempt t = { .p = p };
	int r;

	if (p->tries++ == TRIES_MAX) {
		finish(p, err_set(&p->err, ERR_CONFLICT, "others change it again and again"));
		return;
	}
	p->a = arena_new("own object", WORK_MAX);
	p->write = (struct cache_write){ .done = written };
	r = prepare(&t, &p->err);
	if (r <= 0) {
		finish(p, r);
		return;
	}
	p->write.ops = p->ops;
	cache_write(resources_world(p->rs), &p->write);
}

void own_put(struct own_put *p)
{
	p->objects = resources_objects(p->rs, p->group, p->resource);
	p->tries = 0;
	p->json = NULL;
	p->a = NULL;
	p->err = ERR_INIT;
	if (!p->objects) {
		finish(p, err_set(&p->err, ERR_NOT_FOUND, "there is no such resource"));
		return;
	}
	try_again(p);
}
