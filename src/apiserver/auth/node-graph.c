/* SPDX-License-Identifier: Apache-2.0 */
/*
 * (1) A name lives as long as a pod or a volume refers to it, a node as long as it has pods.
 * (2) A pod stands in its node's list at `at`, a volume in its claim's; taking one out moves the
 * last one into its place.
 */
#include "apiserver/auth/node-graph.h"

#include "apiserver/objects/cache.h"
#include "apiserver/objects/codec.h"
#include "apiserver/objects/resource.h"
#include "apiserver/strategy/strategy.h"
#include "base/arena.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 1024
#define OBJECT_BYTES (64u << 20)
#define MIRROR "kubernetes.io/config.mirror"
#define USER_PREFIX "system:node:"
#define USER_GROUP "system:nodes"

struct list_of {
	void **v;
	size_t n, cap;
};

struct name { /* of an object that is referred to: "sNS/NAME", pod_ref first */
	char *key;
	size_t refs;
	struct list_of volumes; /* that this claim is bound to */
};

struct node {
	char *name;
	struct list_of pods;
};

struct pod {
	char *key;
	struct node *node;
	size_t at;
	uint64_t print; /* of the spec; 0: not known */
	struct list_of names;
};

struct volume {
	char *name;
	struct name *claim;
	size_t at;
	struct list_of secrets;
};

struct followed {
	struct node_graph *g;
	struct cache *cache;
	struct cache_watch watch;
	void (*put)(struct node_graph *g, struct item *i);
	void (*remove)(struct node_graph *g, struct slice key);
	struct map *map;
};

struct node_graph {
	struct map nodes, pods, names, volumes;
	struct arena *a; /* of one object */
	struct followed of[2];
};

const char *node_of_user(const struct strategy_user *u)
{
	const size_t n = strlen(USER_PREFIX);

	if (strncmp(u->name, USER_PREFIX, n) != 0 || !u->groups ||
	    !str_is_one_of(USER_GROUP, u->groups))
		return NULL;
	return u->name + n;
}

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static void add(struct list_of *l, void *p)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 4;
		l->v = must(realloc(l->v, l->cap * sizeof(void *)));
	}
	l->v[l->n++] = p;
}

static bool has(const struct list_of *l, const void *p)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i] == p)
			return true;
	return false;
}

/* ---- names ---- */

static bool print_name(char out[KEY_MAX], char what, struct slice ns, struct slice name)
{
	int n = snprintf(out, KEY_MAX, "%c%.*s/%.*s", what, (int)ns.n, ns.n ? ns.p : "",
			 (int)name.n, name.n ? name.p : "");

	return n > 0 && n < KEY_MAX;
}

/* NULL: longer than any name can be. */
static struct name *name_hold(struct node_graph *g, char what, struct slice ns, struct slice name)
{
	struct name *x;
	char key[KEY_MAX];

	if (!print_name(key, what, ns, name))
		return NULL;
	x = map_get(&g->names, slice_str(key));
	if (!x) {
		x = must(calloc(1, sizeof(*x)));
		x->key = must(strdup(key));
		(void)map_put(&g->names, slice_str(x->key), x);
	}
	x->refs++;
	return x;
}

/* keeps (1) */
static void name_drop(struct node_graph *g, struct name *x)
{
	if (!x || --x->refs > 0)
		return;
	(void)map_del(&g->names, slice_str(x->key));
	free(x->volumes.v);
	free(x->key);
	free(x);
}

static const struct name *name_find(const struct node_graph *g, char what, const char *ns,
				    const char *name)
{
	char key[KEY_MAX];

	return print_name(key, what, slice_str(ns), slice_str(name))
		       ? map_get(&g->names, slice_str(key))
		       : NULL;
}

/* ---- pods ---- */

/*
 * The bytes from the spec to the status. A quote within a string has a backslash, and no kind's
 * metadata has a member of these names, so the first places are theirs. Claims that are made for a
 * pod stand in its status: such a pod is always read.
 */
static uint64_t spec_print(struct slice json)
{
	const char *spec = memmem(json.p, json.n, "\"spec\":{", 8), *end = json.p + json.n, *status;
	uint64_t h;

	if (!spec)
		return 0;
	status = memmem(spec, (size_t)(end - spec), "\"status\":{", 10);
	if (status &&
	    slice_has_text(slice_of(status, (size_t)(end - status)), SLICE("esourceClaimStatus")))
		return 0;
	h = hash_bytes(spec, (size_t)((status ? status : end) - spec));
	return h ? h : 1;
}

static void pod_remove(struct node_graph *g, struct slice key)
{
	struct pod *p = map_del(&g->pods, key);
	struct node *n;

	if (!p)
		return;
	n = p->node;
	for (size_t i = 0; i < p->names.n; i++)
		name_drop(g, p->names.v[i]);
	/* keeps (2), (1) */
	n->pods.v[p->at] = n->pods.v[--n->pods.n];
	((struct pod *)n->pods.v[p->at])->at = p->at;
	if (!n->pods.n) {
		(void)map_del(&g->nodes, slice_str(n->name));
		free(n->pods.v);
		free(n->name);
		free(n);
	}
	free(p->names.v);
	free(p->key);
	free(p);
}

struct linking {
	struct node_graph *g;
	struct pod *pod;
	struct slice ns;
};

static void link_name(void *arg, enum pod_ref what, struct slice name)
{
	struct linking *l = arg;
	struct name *x;

	if (what == POD_REF_TRUST_BUNDLE)
		return;
	x = name_hold(l->g, (char)what, l->ns, name);
	if (!x)
		return;
	if (has(&l->pod->names, x))
		name_drop(l->g, x);
	else
		add(&l->pod->names, x);
}

static struct pod *pod_add(struct node_graph *g, struct slice key, struct slice node)
{
	struct pod *p = must(calloc(1, sizeof(*p)));
	struct node *n = map_get(&g->nodes, node);

	if (!n) {
		n = must(calloc(1, sizeof(*n)));
		n->name = must(strndup(node.p, node.n));
		(void)map_put(&g->nodes, slice_str(n->name), n);
	}
	p->key = must(strndup(key.p, key.n));
	p->node = n;
	p->at = n->pods.n;
	add(&n->pods, p);
	(void)map_put(&g->pods, slice_str(p->key), p);
	return p;
}

static void pod_put(struct node_graph *g, struct item *i)
{
	const uint64_t print = spec_print(item_json(i));
	struct pod *p = map_get(&g->pods, item_key(i));
	struct err err = ERR_INIT;
	struct slice node;
	struct doc d;

	if (p && print && p->print == print)
		return;
	if (p)
		pod_remove(g, item_key(i));
	if (!slice_has_text(item_json(i), SLICE("\"nodeName\":\"")))
		return;
	arena_reset(g->a);
	if (codec_parse(i, g->a, &d, &err) < 0) {
		log_kv(LOG_LEVEL_ERROR, "a pod gives its node nothing", "error", err.msg, NULL);
		return;
	}
	node = doc_slice(doc_find(&d, "spec.nodeName"));
	if (!node.n)
		return;
	p = pod_add(g, item_key(i), node);
	p->print = print;
	/* Nodes make mirror pods themselves: those must not give them anything. */
	if (!doc_get(doc_find(&d, "metadata.annotations"), MIRROR))
		pod_refs_each(&d, link_name, &(struct linking){ g, p, item_namespace(i) });
}

/* ---- volumes ---- */

static void volume_remove(struct node_graph *g, struct slice key)
{
	struct volume *v = map_del(&g->volumes, key);

	if (!v)
		return;
	if (v->claim) { /* keeps (2) */
		struct list_of *l = &v->claim->volumes;

		l->v[v->at] = l->v[--l->n];
		((struct volume *)l->v[v->at])->at = v->at;
		name_drop(g, v->claim);
	}
	for (size_t i = 0; i < v->secrets.n; i++)
		name_drop(g, v->secrets.v[i]);
	free(v->secrets.v);
	free(v->name);
	free(v);
}

struct volume_linking {
	struct node_graph *g;
	struct volume *v;
};

static void link_secret(void *arg, struct slice ns, struct slice name)
{
	struct volume_linking *l = arg;
	struct name *x = name_hold(l->g, POD_REF_SECRET, ns, name);

	if (x)
		add(&l->v->secrets, x);
}

static void volume_put(struct node_graph *g, struct item *i)
{
	struct err err = ERR_INIT;
	const struct doc *ref;
	struct volume *v;
	struct doc d;

	volume_remove(g, item_key(i));
	arena_reset(g->a);
	if (codec_parse(i, g->a, &d, &err) < 0) {
		log_kv(LOG_LEVEL_ERROR, "a volume gives nodes nothing", "error", err.msg, NULL);
		return;
	}
	ref = doc_find(&d, "spec.claimRef");
	if (!doc_slice(doc_get(ref, "name")).n)
		return;
	v = must(calloc(1, sizeof(*v)));
	v->name = must(strndup(item_key(i).p, item_key(i).n));
	v->claim = name_hold(g, POD_REF_CLAIM, doc_slice(doc_get(ref, "namespace")),
			     doc_slice(doc_get(ref, "name")));
	if (v->claim) {
		v->at = v->claim->volumes.n;
		add(&v->claim->volumes, v);
	}
	(void)map_put(&g->volumes, slice_str(v->name), v);
	pod_refs_volume_secrets(&d, link_secret, &(struct volume_linking){ g, v });
}

/* ---- questions ---- */

static const struct node *node_find(const struct node_graph *g, const char *node)
{
	return map_get(&g->nodes, slice_str(node));
}

bool node_graph_has_pod(const struct node_graph *g, const char *node, const char *ns,
			const char *name)
{
	const struct pod *p;
	char key[KEY_MAX];
	int n = snprintf(key, sizeof(key), "%s/%s", ns, name);

	if (n < 0 || n >= KEY_MAX)
		return false;
	p = map_get(&g->pods, slice_str(key));
	return p && strcmp(p->node->name, node) == 0;
}

/* Each volume of each claim of the node's pods; true from `fits` ends it. */
static bool any_volume(const struct node *n, bool (*fits)(const struct volume *v, const void *what),
		       const void *what)
{
	for (size_t i = 0; i < n->pods.n; i++) {
		const struct pod *p = n->pods.v[i];

		for (size_t k = 0; k < p->names.n; k++) {
			const struct name *x = p->names.v[k];

			for (size_t m = 0; m < x->volumes.n; m++)
				if (fits(x->volumes.v[m], what))
					return true;
		}
	}
	return false;
}

static bool has_secret(const struct volume *v, const void *what)
{
	return has(&v->secrets, what);
}

static bool is_called(const struct volume *v, const void *what)
{
	return strcmp(v->name, what) == 0;
}

bool node_graph_refers(const struct node_graph *g, const char *node, enum pod_ref what,
		       const char *ns, const char *name)
{
	const struct name *x = name_find(g, (char)what, ns, name);
	const struct node *n = node_find(g, node);

	if (!x || !n)
		return false;
	for (size_t i = 0; i < n->pods.n; i++)
		if (has(&((const struct pod *)n->pods.v[i])->names, x))
			return true;
	return what == POD_REF_SECRET && any_volume(n, has_secret, x);
}

bool node_graph_has_volume(const struct node_graph *g, const char *node, const char *name)
{
	const struct node *n = node_find(g, node);

	return n && any_volume(n, is_called, name);
}

struct node_graph_stats node_graph_get_stats(const struct node_graph *g)
{
	return (struct node_graph_stats){ .nodes = map_count(&g->nodes),
					  .pods = map_count(&g->pods),
					  .names = map_count(&g->names),
					  .volumes = map_count(&g->volumes) };
}

/* ---- following ---- */

static int on_change(struct cache_watch *w, enum cache_change what, struct item *i)
{
	struct followed *f = CONTAINER_OF(w, struct followed, watch);

	if (what == CACHE_DELETED)
		f->remove(f->g, item_key(i));
	else
		f->put(f->g, i);
	return 0;
}

static void forget(struct followed *f)
{
	struct slice key;
	size_t i = 0;

	while (map_next(f->map, &i, &key))
		f->remove(f->g, key);
}

static int follow(struct followed *f, struct err *err);

/* What went meanwhile is not known to have gone: all is new. */
static void on_end(struct cache_watch *w, const struct err *why)
{
	struct followed *f = CONTAINER_OF(w, struct followed, watch);
	struct err err = ERR_INIT;

	(void)why;
	if (follow(f, &err) < 0)
		log_kv(LOG_LEVEL_ERROR, "pods of nodes are not followed", "error", err.msg, NULL);
}

static int follow(struct followed *f, struct err *err)
{
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(f->cache);
	struct cache_iter it;
	struct item *i;

	forget(f);
	cache_iter_init(&it, v, SLICE(""), SLICE(""));
	while ((i = cache_iter_next(&it)))
		f->put(f->g, i);
	f->watch = (struct cache_watch){ .prefix = SLICE(""), .change = on_change, .end = on_end };
	return cache_watch(f->cache, &f->watch, cache_view_revision(v), err);
}

int node_graph_new(struct resources *rs, struct node_graph **ret, struct err *err)
{
	CLEANUP(node_graph_free) struct node_graph *g = must(calloc(1, sizeof(*g)));
	const struct {
		const char *resource;
		struct followed f;
	} kinds[] = {
		{ "pods", { .put = pod_put, .remove = pod_remove, .map = &g->pods } },
		{ "persistentvolumes",
		  { .put = volume_put, .remove = volume_remove, .map = &g->volumes } },
	};

	map_init(&g->nodes);
	map_init(&g->pods);
	map_init(&g->names);
	map_init(&g->volumes);
	g->a = arena_new("object of a node", OBJECT_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct collection *o = resources_objects(rs, "", kinds[i].resource);

		if (!o)
			return err_set(err, ERR_NOT_FOUND, "%s are not served", kinds[i].resource);
		g->of[i] = kinds[i].f;
		g->of[i].g = g;
		g->of[i].cache = o->cache;
		if (follow(&g->of[i], err) < 0)
			return err_ret(err);
	}
	*ret = STEAL(g);
	return 0;
}

void node_graph_free(struct node_graph *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < ARRAY_LEN(g->of); i++) {
		if (!g->of[i].cache)
			continue;
		cache_unwatch(&g->of[i].watch);
		forget(&g->of[i]);
	}
	map_fini(&g->nodes);
	map_fini(&g->pods);
	map_fini(&g->names);
	map_fini(&g->volumes);
	arena_free(g->a);
	free(g);
}
