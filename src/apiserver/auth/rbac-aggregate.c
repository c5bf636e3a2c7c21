/* SPDX-License-Identifier: Apache-2.0 */
/*
 * (1) A role with selectors is an entry; `sources` are the names that it gathered from when it was
 * last put together.
 * (2) A change of a role has those entries looked at that gathered from it or would now.
 */
#include "apiserver/auth/rbac-aggregate.h"

#include "api/defaults.h"
#include "apiserver/objects/codec.h"
#include "apiserver/strategy/own-follow.h"
#include "base/arena.h"
#include "base/map.h"
#include "doc/json.h"

#include <stdlib.h>
#include <string.h>

#define GROUP "rbac.authorization.k8s.io"
#define RESOURCE "clusterroles"
#define MANAGER "clusterrole-aggregation-controller"
#define SELECTORS_BYTES (4u << 20) /* of one role, parsed */
#define RULE_MAX (1u << 20)

struct entry {
	char *name;
	struct arena *a; /* the selectors' */
	struct selector *selectors;
	size_t n;
	struct map sources; /* names, each its own key */
};

struct rbac_aggregate {
	struct own_follow follow;
	struct collection *objects;
	struct arena *a; /* of one object */
	struct map entries;
	struct doc want;
};

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static struct rbac_aggregate *of(struct own_follow *f)
{
	return CONTAINER_OF(f, struct rbac_aggregate, follow);
}

static void look_later(struct rbac_aggregate *g, struct entry *e)
{
	own_follow_add(&g->follow, slice_str(e->name));
}

/* ---- entries ---- */

static void forget_sources(struct entry *e)
{
	size_t i = 0;
	char *name;

	while ((name = map_next(&e->sources, &i, NULL)))
		free(map_del(&e->sources, slice_str(name)));
}

static void drop(struct rbac_aggregate *g, struct entry *e)
{
	(void)map_del(&g->entries, slice_str(e->name));
	forget_sources(e);
	map_fini(&e->sources);
	arena_free(e->a);
	free(e->name);
	free(e);
}

/* A selector that cannot be read gathers nothing: the API lets none in. */
static void read_selectors(struct entry *e, const struct doc *list)
{
	e->n = 0;
	e->selectors = ARENA_ARRAY(e->a, struct selector, doc_len(list) + 1);
	if (!e->selectors)
		return;
	DOC_EACH (d, list) {
		struct doc *own = doc_copy(e->a, d);
		bool none = false;

		if (own &&
		    selector_object(own, e->a, &e->selectors[e->n], &none, &(struct err){ 0 }) ==
			    0 &&
		    !none)
			e->n++;
	}
}

static struct entry *find(const struct rbac_aggregate *g, struct slice name)
{
	return map_get(&g->entries, name);
}

/* The entry of a role as it is now; NULL: it gathers nothing. */
static struct entry *follow(struct rbac_aggregate *g, struct item *i)
{
	struct entry *e = find(g, item_name(i));
	struct err err = ERR_INIT;
	const struct doc *rule = NULL;
	struct doc d;

	arena_reset(g->a);
	if (slice_has_text(item_json(i), SLICE("\"aggregationRule\"")) &&
	    codec_parse(i, g->a, &d, &err) == 0)
		rule = doc_get(&d, "aggregationRule");
	if (!rule) {
		if (e)
			drop(g, e);
		return NULL;
	}
	if (!e) {
		e = must(calloc(1, sizeof(*e)));
		e->name = must(strndup(item_name(i).p, item_name(i).n));
		e->a = arena_new("selectors of a role", SELECTORS_BYTES);
		map_init(&e->sources);
		(void)map_put(&g->entries, slice_str(e->name), e);
	}
	arena_reset(e->a);
	read_selectors(e, doc_get(rule, "clusterRoleSelectors"));
	return e;
}

static bool takes(const struct entry *e, size_t selector, const struct item *i)
{
	return !slice_eq(item_name(i), slice_str(e->name)) &&
	       item_match(i, &e->selectors[selector], NULL);
}

/* keeps (2) */
static void tell(struct rbac_aggregate *g, const struct item *i, bool gone)
{
	struct entry *e;
	size_t at = 0;

	while ((e = map_next(&g->entries, &at, NULL))) {
		bool concerned = map_get(&e->sources, item_name(i)) != NULL;

		for (size_t s = 0; s < e->n && !concerned && !gone; s++)
			concerned = takes(e, s, i);
		if (concerned)
			look_later(g, e);
	}
}

static void on_change(struct own_follow *f, enum cache_change what, struct item *i)
{
	struct rbac_aggregate *g = of(f);
	struct entry *e;

	if (what == CACHE_DELETED) {
		e = find(g, item_name(i));
		if (e)
			drop(g, e);
	} else {
		e = follow(g, i);
		if (e)
			look_later(g, e);
	}
	tell(g, i, what == CACHE_DELETED);
}

/* ---- putting together ---- */

struct gathering {
	struct entry *e;
	struct arena *a;
	struct doc *rules;
	struct map seen; /* rules as text */
	struct buf text;
};

static int add_rule(struct gathering *y, const struct doc *rule, struct err *err)
{
	char *key;

	buf_clear(&y->text);
	if (json_write(rule, NULL, &y->text, err) < 0)
		return err_set(err, ERR_TOO_LARGE, "a rule of more than %u bytes", RULE_MAX);
	if (map_get(&y->seen, buf_slice(&y->text)))
		return 0;
	key = arena_strndup(y->a, y->text.p, y->text.n);
	if (!key || !doc_append(y->a, y->rules, *rule))
		return arena_quota(y->a, err);
	(void)map_put(&y->seen, slice_of(key, y->text.n), key);
	return 0;
}

/* keeps (1) */
static void add_source(struct entry *e, struct slice name)
{
	char *own;

	if (map_get(&e->sources, name))
		return;
	own = must(strndup(name.p, name.n));
	(void)map_put(&e->sources, slice_of(own, name.n), own);
}

static int gather(struct rbac_aggregate *g, struct gathering *y, size_t selector, struct err *err)
{
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(g->objects->cache);
	struct cache_iter it;
	struct item *i;
	int r = 0;

	cache_iter_init(&it, v, SLICE(""), SLICE(""));
	while (r == 0 && (i = cache_iter_next(&it))) {
		struct doc d;

		if (!takes(y->e, selector, i))
			continue;
		add_source(y->e, item_name(i));
		r = codec_parse(i, y->a, &d, err);
		DOC_EACH (rule, r == 0 ? doc_get(&d, "rules") : NULL)
			if (r == 0)
				r = add_rule(y, rule, err);
	}
	return r;
}

/* The role as it stands, and what its rules should be. */
static int put_together(struct own_put *p, struct arena *a, struct doc *obj, const struct doc *want,
			struct err *err)
{
	struct own_task *t = p->arg;
	struct rbac_aggregate *g = of(t->f);
	const struct doc *have = doc_get(obj, "rules");
	struct gathering y = { .e = find(g, slice_str(t->key)),
			       .a = a,
			       .text = BUF_INIT(RULE_MAX) };
	int r = 0;

	(void)want;
	/* Somebody took its selectors away: its rules are theirs from now on. */
	if (!y.e || !doc_get(obj, "aggregationRule"))
		return 0;
	y.rules = doc_new_array(a);
	if (!y.rules)
		return arena_quota(a, err);
	map_init(&y.seen);
	forget_sources(y.e);
	for (size_t i = 0; r == 0 && i < y.e->n; i++)
		r = gather(g, &y, i, err);
	map_fini(&y.seen);
	buf_fini(&y.text);
	if (r < 0)
		return r;
	if (doc_len(y.rules) == 0 ? doc_len(have) == 0 : have && doc_equal(have, y.rules))
		return 0;
	api_set(g->objects->kind->type, obj, a, "rules", *y.rules);
	return 1;
}

static int do_role(struct own_task *t, struct err *err)
{
	(void)err;
	t->put = (struct own_put){
		.group = GROUP,
		.resource = RESOURCE,
		.namespace_ = "",
		.name = t->key,
		.want = &of(t->f)->want,
		.manager = MANAGER,
		.only_there = true,
		.update = put_together,
	};
	own_task_put(t);
	return OWN_WRITES;
}

/* ---- life ---- */

static void drop_all(struct rbac_aggregate *g)
{
	struct entry *e;
	size_t i = 0;

	while ((e = map_next(&g->entries, &i, NULL)))
		drop(g, e);
}

/* Some may have gone unseen. */
static void read_all(struct own_follow *f)
{
	drop_all(of(f));
	own_follow_tell(f);
}

static void free_it(struct own_follow *f)
{
	struct rbac_aggregate *g = of(f);

	drop_all(g);
	map_fini(&g->entries);
	arena_free(g->a);
	free(g);
}

int rbac_aggregate_start(struct resources *rs, struct loop *loop, struct rbac_aggregate **ret,
			 struct err *err)
{
	static const struct own_source roles = { GROUP, RESOURCE, on_change, NULL, false };
	struct rbac_aggregate *g = must(calloc(1, sizeof(*g)));

	g->follow = (struct own_follow){ .loop = loop,
					 .rs = rs,
					 .what = "aggregated roles",
					 .sources = &roles,
					 .n = 1,
					 .run = do_role,
					 .all = read_all,
					 .end = free_it };
	g->objects = resources_objects(rs, GROUP, RESOURCE);
	g->want = doc_object();
	g->a = arena_new("role to be followed", 32u << 20);
	map_init(&g->entries);
	if (own_follow_start(&g->follow, err) < 0) {
		free_it(&g->follow);
		return err_ret(err);
	}
	*ret = g;
	return 0;
}

void rbac_aggregate_stop(struct rbac_aggregate *g)
{
	if (g)
		own_follow_stop(&g->follow);
}

bool rbac_aggregate_idle(const struct rbac_aggregate *g)
{
	return own_follow_idle(&g->follow);
}
