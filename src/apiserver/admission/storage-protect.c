/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key is "c/NS/NAME" of a claim, "v//NAME" of a volume, "a//NAME" of a class. What is looked at
 * for each change is text first: nearly all objects are neither to be deleted nor unprotected.
 */
#include "apiserver/admission/storage-protect.h"

#include "api/defaults.h"
#include "api/volume-protect.h"
#include "apiserver/objects/codec.h"
#include "apiserver/strategy/own-follow.h"
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>

#define MANAGER "kube-controller-manager"
#define KEY_MAX 600 /* names have at most 253 bytes */

struct storage_protect {
	struct own_follow follow;
	bool adds;
	struct arena *a; /* of one object */
	struct doc want;
};

static struct storage_protect *of(struct own_follow *f)
{
	return CONTAINER_OF(f, struct storage_protect, follow);
}

static const struct {
	char key;
	const char *group, *resource;
} kinds[] = {
	[PROTECTED_CLAIM] = { 'c', "", "persistentvolumeclaims" },
	[PROTECTED_VOLUME] = { 'v', "", "persistentvolumes" },
	[PROTECTED_CLASS] = { 'a', "storage.k8s.io", "volumeattributesclasses" },
};

/* ---- what changes ---- */

static bool is_going(const struct item *i)
{
	return slice_has_text(item_json(i), SLICE("\"deletionTimestamp\":\""));
}

/* Is anything to be done of it, or may be? */
static bool concerns(const struct storage_protect *g, enum protected_kind k, const struct item *i)
{
	const bool has = slice_has_text(item_json(i), slice_str(volume_protect_finalizer(k)));

	return is_going(i) ? has : g->adds && !has;
}

static void look_at(struct own_follow *f, enum protected_kind k, const struct item *i)
{
	const struct slice ns = item_namespace(i), name = item_name(i);
	char key[KEY_MAX];
	int n;

	if (!concerns(of(f), k, i))
		return;
	n = snprintf(key, sizeof(key), "%c/%.*s/%.*s", kinds[k].key, (int)ns.n, ns.n ? ns.p : "",
		     (int)name.n, name.p);
	if (n > 0 && (size_t)n < sizeof(key))
		own_follow_add(f, slice_of(key, (size_t)n));
}

/* Classes that wait, unless the object holds them still. */
static void look_at_classes(struct own_follow *f, enum cache_change what, const struct item *by)
{
	const struct collection *o = resources_objects(f->rs, kinds[PROTECTED_CLASS].group,
						       kinds[PROTECTED_CLASS].resource);
	struct cache_iter all;

	if (!o || cache_count(o->cache) == 0 || what == CACHE_ADDED)
		return;
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(o->cache);

	cache_iter_init(&all, v, SLICE(""), SLICE(""));
	for (struct item *i; (i = cache_iter_next(&all));)
		if (is_going(i) &&
		    (what == CACHE_DELETED || !slice_has_text(item_json(by), item_name(i))))
			look_at(f, PROTECTED_CLASS, i);
}

static void claim_changed(struct own_follow *f, enum cache_change what, struct item *i)
{
	if (what != CACHE_DELETED)
		look_at(f, PROTECTED_CLAIM, i);
	look_at_classes(f, what, i);
}

static void volume_changed(struct own_follow *f, enum cache_change what, struct item *i)
{
	if (what != CACHE_DELETED)
		look_at(f, PROTECTED_VOLUME, i);
	look_at_classes(f, what, i);
}

static void class_changed(struct own_follow *f, enum cache_change what, struct item *i)
{
	if (what != CACHE_DELETED)
		look_at(f, PROTECTED_CLASS, i);
}

struct of_pod {
	struct own_follow *f;
	struct slice ns;
};

static void claim_of_pod(void *arg, struct slice name)
{
	const struct of_pod *x = arg;
	const struct collection *o =
		resources_objects(x->f->rs, "", kinds[PROTECTED_CLAIM].resource);
	char key[KEY_MAX];
	int n = snprintf(key, sizeof(key), "%.*s/%.*s", (int)x->ns.n, x->ns.p, (int)name.n, name.p);
	const struct item *i = n > 0 && (size_t)n < sizeof(key)
				       ? cache_get(o->cache, slice_of(key, (size_t)n))
				       : NULL;

	if (i && is_going(i))
		look_at(x->f, PROTECTED_CLAIM, i);
}

/* A pod lets a claim go when it goes, or (one made for it) when its containers have. */
static void pod_changed(struct own_follow *f, enum cache_change what, struct item *i)
{
	struct storage_protect *g = of(f);
	struct of_pod x = { f, item_namespace(i) };
	struct err err = ERR_INIT;
	struct doc pod;

	if ((what != CACHE_DELETED && !is_going(i)) ||
	    (!slice_has_text(item_json(i), SLICE("\"persistentVolumeClaim\":{")) &&
	     !slice_has_text(item_json(i), SLICE("\"ephemeral\":{"))))
		return;
	arena_reset(g->a);
	if (codec_parse(i, g->a, &pod, &err) == 0)
		volume_protect_claims(&pod, claim_of_pod, &x);
}

/* ---- who uses it ---- */

struct user {
	enum protected_kind kind;
	const struct doc *obj;
	struct slice name;
	struct arena *a;
};

static bool uses(const struct user *u, const struct doc *d)
{
	return u->kind == PROTECTED_CLAIM ? volume_protect_pod_uses(d, u->obj)
					  : volume_protect_names_class(d, u->name);
}

/* 1: one of these does. Those whose text says nothing of it are not read. */
static int any_uses(const struct user *u, const struct collection *o, const char *prefix,
		    struct err *err)
{
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(o->cache);
	struct cache_iter all;
	int r = 0;

	cache_iter_init(&all, v, slice_str(prefix), SLICE(""));
	for (struct item *i; r == 0 && (i = cache_iter_next(&all));) {
		struct doc d;

		if (!slice_has_text(item_json(i), u->name) &&
		    !slice_has_text(item_json(i), SLICE("\"ephemeral\":{")))
			continue;
		arena_reset(u->a);
		r = codec_parse(i, u->a, &d, err);
		if (r == 0)
			r = uses(u, &d);
	}
	return r;
}

static int in_use(struct own_put *p, enum protected_kind k, const struct doc *obj, struct err *err)
{
	struct own_task *t = p->arg;
	const struct user u = { k, obj, slice_str(p->name), of(t->f)->a };
	const struct collection *claims =
		resources_objects(p->rs, "", kinds[PROTECTED_CLAIM].resource);
	const char *prefix;
	int r;

	if (k == PROTECTED_VOLUME)
		return volume_protect_is_bound(obj);
	if (k == PROTECTED_CLASS) {
		r = any_uses(&u, resources_objects(p->rs, "", kinds[PROTECTED_VOLUME].resource), "",
			     err);
		return r == 0 ? any_uses(&u, claims, "", err) : r;
	}
	prefix = arena_printf(t->a, "%s/", p->namespace_);
	if (!prefix)
		return arena_quota(t->a, err);
	return any_uses(&u, resources_objects(p->rs, "", "pods"), prefix, err);
}

/* ---- writing ---- */

static enum protected_kind kind_of(const struct own_task *t)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (t->key[0] == kinds[i].key)
			return (enum protected_kind)i;
	abort(); /* look_at makes all of them */
}

static int add(struct own_put *p, struct arena *a, struct doc *obj, enum protected_kind k)
{
	struct doc *meta = doc_get(obj, "metadata"),
		   *list = doc_copy_shared(a, doc_get(meta, "finalizers"));

	if (!doc_is(list, DOC_ARRAY))
		list = doc_new_array(a);
	if (list && doc_append_str(a, list, volume_protect_finalizer(k)))
		api_set(api_type(resources_api(p->rs), API_META, "ObjectMeta"), meta, a,
			"finalizers", *list);
	return OWN_CHANGED;
}

static int release(struct doc *obj, enum protected_kind k)
{
	struct doc *meta = doc_get(obj, "metadata"), *list = doc_get(meta, "finalizers");

	for (size_t i = doc_len(list); i-- > 0;)
		if (doc_str_is(doc_at(list, i), volume_protect_finalizer(k)))
			(void)doc_remove_at(list, i);
	if (doc_len(list) == 0)
		(void)doc_remove(meta, "finalizers");
	return OWN_CHANGED;
}

static int settle(struct own_put *p, struct arena *a, struct doc *obj, const struct doc *want,
		  struct err *err)
{
	const struct own_task *t = p->arg;
	const enum protected_kind k = kind_of(t);
	int r;

	(void)want;
	switch (volume_protect_step(k, obj)) {
	case PROTECT_ADD: return of(t->f)->adds ? add(p, a, obj, k) : OWN_SAME;
	case PROTECT_RELEASE:
		r = in_use(p, k, obj, err);
		return r == 0 ? release(obj, k) : MIN(r, 0);
	default: return OWN_SAME;
	}
}

static int run(struct own_task *t, struct err *err)
{
	const enum protected_kind k = kind_of(t);
	struct slice name = slice_str(t->key + 2), ns = slice_split(&name, '/');

	t->put = (struct own_put){
		.group = kinds[k].group,
		.resource = kinds[k].resource,
		.namespace_ = arena_strndup(t->a, ns.p, ns.n),
		.name = name.p, /* ends where the key does */
		.want = &of(t->f)->want,
		.manager = MANAGER,
		.only_there = true,
		.update = settle,
	};
	if (!t->put.namespace_)
		return arena_quota(t->a, err);
	own_task_put(t);
	return OWN_WRITES;
}

/* ---- life ---- */

static void free_it(struct own_follow *f)
{
	struct storage_protect *g = of(f);

	arena_free(g->a);
	free(g);
}

int storage_protect_start(struct resources *rs, struct loop *loop, bool adds,
			  struct storage_protect **ret, struct err *err)
{
	static const struct own_source sources[] = {
		{ "", "persistentvolumeclaims", claim_changed, NULL, false },
		{ "", "persistentvolumes", volume_changed, NULL, false },
		{ "storage.k8s.io", "volumeattributesclasses", class_changed, NULL, true },
		{ "", "pods", pod_changed, NULL, false },
	};
	struct storage_protect *g = calloc(1, sizeof(*g));

	if (!g)
		abort();
	g->follow = (struct own_follow){ .loop = loop,
					 .rs = rs,
					 .what = "storage objects in use",
					 .sources = sources,
					 .n = ARRAY_LEN(sources),
					 .at_once = 16,
					 .run = run,
					 .end = free_it };
	g->adds = adds;
	g->want = doc_object();
	g->a = arena_new("what uses storage", 32u << 20);
	if (own_follow_start(&g->follow, err) < 0) {
		free_it(&g->follow);
		return err_ret(err);
	}
	*ret = g;
	return 0;
}

void storage_protect_stop(struct storage_protect *g)
{
	if (g)
		own_follow_stop(&g->follow);
}

bool storage_protect_idle(const struct storage_protect *g)
{
	return own_follow_idle(&g->follow);
}
