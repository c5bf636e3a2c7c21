/* SPDX-License-Identifier: Apache-2.0 */
/* RBAC after the objects in the cache: all of them once, then their changes. */
#include "apiserver/auth/rbac-private.h"
#include "apiserver/objects/codec.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "doc/doc.h"

#include <stdlib.h>

#define GROUP "rbac.authorization.k8s.io"
#define ARENA_BYTES (32u << 20)

static const struct {
	const char *resource;
	bool binding;
} kinds[] = {
	{ "clusterroles", false },
	{ "roles", false },
	{ "clusterrolebindings", true },
	{ "rolebindings", true },
};

struct followed {
	struct rbac_follow *f;
	struct cache *cache;
	struct cache_watch watch;
	bool binding;
};

struct rbac_follow {
	struct rbac *r;
	struct world *world;
	struct arena *a; /* of one object */
	struct followed of[ARRAY_LEN(kinds)];
};

static void put(struct followed *x, struct item *i)
{
	struct err err = ERR_INIT;
	struct doc d;
	int r;

	arena_reset(x->f->a);
	r = codec_parse(i, x->f->a, &d, &err);
	if (r >= 0)
		r = x->binding ? rbac_set_binding(x->f->r, &d, &err)
			       : rbac_set_role(x->f->r, &d, &err);
	if (r >= 0)
		return;
	/* What cannot be read gives nothing: also not what it gave before. */
	log_kv(LOG_LEVEL_ERROR, "RBAC object ignored", "error", err.msg, NULL);
	if (x->binding)
		rbac_remove_binding(x->f->r, item_namespace(i), item_name(i));
	else
		rbac_remove_role(x->f->r, item_namespace(i), item_name(i));
}

static int on_change(struct cache_watch *w, enum cache_change what, struct item *i)
{
	struct followed *x = CONTAINER_OF(w, struct followed, watch);

	if (what != CACHE_DELETED)
		put(x, i);
	else if (x->binding)
		rbac_remove_binding(x->f->r, item_namespace(i), item_name(i));
	else
		rbac_remove_role(x->f->r, item_namespace(i), item_name(i));
	return 0;
}

static int follow(struct followed *x, struct err *err);

static void on_end(struct cache_watch *w, const struct err *why)
{
	struct followed *x = CONTAINER_OF(w, struct followed, watch);
	struct err err = ERR_INIT;

	(void)why;
	/* What went meanwhile is not known to have gone: the objects are these few, so all is new.
	 */
	if (follow(x, &err) < 0)
		log_kv(LOG_LEVEL_ERROR, "RBAC objects are not followed", "error", err.msg, NULL);
}

static void forget(struct followed *x)
{
	struct rbac *r = x->f->r;
	struct rbac_binding *b;
	struct rbac_role *role;
	size_t i = 0;

	if (x->binding) {
		while ((b = map_next(&r->bindings, &i, NULL))) {
			bool cluster = !*b->ns;

			if (cluster == (x == &x->f->of[2]))
				rbac_remove_binding(r, slice_str(b->ns), slice_str(b->name));
		}
		return;
	}
	while ((role = map_next(&r->roles, &i, NULL))) {
		struct slice ns = slice_of(role->key, (size_t)(role->name - 1 - role->key));

		if (role->cluster == (x == &x->f->of[0]))
			rbac_remove_role(r, ns, slice_str(role->name));
	}
}

static int follow(struct followed *x, struct err *err)
{
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(x->cache);
	struct cache_iter it;
	struct item *i;

	forget(x);
	cache_iter_init(&it, v, SLICE(""), SLICE(""));
	while ((i = cache_iter_next(&it)))
		put(x, i);
	x->watch = (struct cache_watch){ .prefix = SLICE(""), .change = on_change, .end = on_end };
	return cache_watch(x->cache, &x->watch, cache_view_revision(v), err);
}

int rbac_follow(struct rbac *r, struct resources *rs, struct err *err)
{
	struct rbac_follow *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	f->r = r;
	f->world = resources_world(rs);
	f->a = arena_new("RBAC object", ARENA_BYTES);
	r->follow = f;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct collection *o = resources_objects(rs, GROUP, kinds[i].resource);
		int got;

		if (!o)
			return err_set(err, ERR_NOT_FOUND, "%s are not served", kinds[i].resource);
		f->of[i] =
			(struct followed){ .f = f, .cache = o->cache, .binding = kinds[i].binding };
		got = follow(&f->of[i], err);
		if (got < 0)
			return got;
	}
	return 0;
}

void rbac_follow_free(struct rbac_follow *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (f->of[i].cache)
			cache_unwatch(&f->of[i].watch);
	arena_free(f->a);
	free(f);
}
