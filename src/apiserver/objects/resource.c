/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/objects/resource.h"

#include "api/custom.h"
#include "apiserver/objects/codec.h"
#include "base/err.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A definition as it is served now: lives until the last of its resources is let go. */
struct definition {
	unsigned refs;
	void *owner;
	void (*release)(void *owner);
};

/* Where the objects of a group-resource are. */
struct place {
	struct collection objects;
	char *key; /* "apps/deployments", of the map */
	char *prefix;
	unsigned refs;		       /* of the resources that show it, and of the map */
	struct definition *definition; /* of custom ones: owns objects.kind */
};

struct served {
	struct resource r;
	char *by_resource, *by_kind; /* keys: "apps/v1/deployments", "apps/v1 Deployment" */
};

#define HIDDEN_N 2

struct resources {
	const struct api *api;
	struct world *world;
	resource_strategy *strategy_of;
	struct map by_resource, by_kind; /* struct served */
	struct map places;		 /* struct place */
	uint64_t generation;
	const struct api_group **groups; /* of custom kinds; each in one piece with its kinds */
	size_t ngroups;
	struct api_kind hidden[HIDDEN_N];
};

/* Upstream's names of what it stores elsewhere than under the resource's name. */
static const struct {
	const char *group, *resource, *prefix;
} places[] = {
	{ "", "replicationcontrollers", "controllers" },
	{ "", "endpoints", "services/endpoints" },
	{ "", "nodes", "minions" },
	{ "", "services", "services/specs" },
	{ "networking.k8s.io", "ingresses", "ingress" },
	{ "apiextensions.k8s.io", "customresourcedefinitions",
	  "apiextensions.k8s.io/customresourcedefinitions" },
	{ "apiregistration.k8s.io", "apiservices", "apiregistration.k8s.io/apiservices" },
};

/* What upstream's servers note beside the objects: kept, never served. */
static const struct {
	const char *resource, *kind, *prefix;
} hidden[] = {
	{ RESOURCES_SERVERS, "Endpoints", "/registry/masterleases/" },
	{ RESOURCES_RANGES, "RangeAllocation", "/registry/ranges/" },
};
_Static_assert(ARRAY_LEN(hidden) == HIDDEN_N, "a kind each");

/* Resources of several groups or versions that are one collection, and the version that is kept:
 * the one of these that api has. */
static const struct {
	const char *group, *resource;	   /* as served */
	const char *in_version, *in_group; /* group and version that are kept */
} kept[] = {
	{ "events.k8s.io", "events", "v1", "" },
	{ "autoscaling", "horizontalpodautoscalers", "autoscaling/v2", "autoscaling" },
};

static char *text(const char *fmt, ...) PRINTF(1, 2);
static char *text(const char *fmt, ...)
{
	struct buf b = BUF_INIT(4096);
	va_list ap;

	va_start(ap, fmt);
	(void)buf_addv(&b, fmt, ap);
	va_end(ap);
	return buf_steal(&b);
}

/* ---- life of resources ---- */

static void definition_unref(struct definition *d)
{
	if (!d || --d->refs > 0)
		return;
	if (d->release)
		d->release(d->owner);
	free(d);
}

static void place_unref(struct place *p)
{
	if (!p || --p->refs > 0)
		return;
	definition_unref(p->definition);
	free(p->key);
	free(p->prefix);
	free(p);
}

struct resource *resource_ref(struct resource *r)
{
	r->refs++;
	return r;
}

void resource_unref(struct resource *r)
{
	struct served *s = r ? CONTAINER_OF(r, struct served, r) : NULL;

	if (!r || --r->refs > 0)
		return;
	if (r->objects)
		place_unref(CONTAINER_OF(r->objects, struct place, objects));
	definition_unref(r->owner);
	free(s->by_resource);
	free(s->by_kind);
	free(s);
}

static void forget(struct resources *rs, struct served *s)
{
	(void)map_del(&rs->by_resource, slice_str(s->by_resource));
	(void)map_del(&rs->by_kind, slice_str(s->by_kind));
	resource_unref(&s->r);
}

static void serve(struct resources *rs, const struct api_kind *k, struct place *p,
		  struct definition *d)
{
	struct served *s = calloc(1, sizeof(*s)), *old;

	assert(s);
	s->r = (struct resource){ .kind = k, .refs = 1, .owner = d };
	if (p) {
		p->refs++;
		s->r.objects = &p->objects;
	}
	if (d)
		d->refs++;
	s->by_resource = text("%s/%s", k->group->api_version, k->resource);
	s->by_kind = text("%s %s", k->group->api_version, k->kind);
	old = map_get(&rs->by_resource, slice_str(s->by_resource));
	if (old)
		forget(rs, old);
	(void)map_put(&rs->by_resource, slice_str(s->by_resource), s);
	(void)map_put(&rs->by_kind, slice_str(s->by_kind), s);
}

/* ---- places ---- */

static struct place *place_find(const struct resources *rs, const char *group, const char *resource)
{
	return map_get_pair(&rs->places, group, '/', resource);
}

static char *prefix_of(const struct api_kind *k)
{
	if (k->custom)
		return text("/registry/%s/%s/", k->group->group, k->resource);
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (strcmp(places[i].group, k->group->group) == 0 &&
		    strcmp(places[i].resource, k->resource) == 0)
			return text("/registry/%s/", places[i].prefix);
	return text("/registry/%s/", k->resource);
}

static struct place *place_add(struct resources *rs, const struct api_kind *k, const char *prefix)
{
	struct place *p = calloc(1, sizeof(*p));
	struct cache_conf conf = { .kind = k };

	assert(p);
	p->refs = 1;
	p->key = text("%s/%s", k->group->group, k->resource);
	p->prefix = prefix ? text("%s", prefix) : prefix_of(k);
	p->objects = (struct collection){
		.kind = k,
		.strategy = rs->strategy_of(k),
		.prefix = p->prefix,
	};
	conf.prefix = p->prefix;
	conf.arg = &p->objects;
	conf.form.foreign = k->custom ? custom_foreign : codec_foreign;
	conf.form.kind_of = k->custom ? custom_kind_of : NULL;
	conf.form.fills = k->custom ? custom_fills : NULL;
	conf.form.arg = (void *)(uintptr_t)rs->api;
	p->objects.cache = world_add(rs->world, &conf);
	(void)map_put(&rs->places, slice_str(p->key), p);
	return p;
}

/* ---- all of it ---- */

static bool is_stored(const struct api_kind *k)
{
	return (k->verbs & API_GET) && (k->verbs & API_CREATE);
}

/* The kind that objects of k are kept as. */
static const struct api_kind *stored_kind(const struct api *api, const struct api_kind *k)
{
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (strcmp(kept[i].group, k->group->group) == 0 &&
		    strcmp(kept[i].resource, k->resource) == 0) {
			const struct api_kind *to =
				api_resource(api, kept[i].in_version, k->resource);

			return to ? to : k;
		}
	return k;
}

static void add_built_in(struct resources *rs, const struct api_kind *k)
{
	const struct api_kind *stored = stored_kind(rs->api, k);
	struct place *p = NULL;

	if (k->off && k->group->gate)
		return; /* a feature that is off has no place either: a definition may have it */
	if (is_stored(k)) {
		p = place_find(rs, stored->group->group, stored->resource);
		if (!p)
			p = place_add(rs, stored, NULL);
	}
	/* what is only not served is kept all the same: the server works with it */
	if (!k->off)
		serve(rs, k, p, NULL);
}

static void add_hidden(struct resources *rs)
{
	for (size_t i = 0; i < HIDDEN_N; i++) {
		rs->hidden[i] = (struct api_kind){
			.group = api_group(rs->api, "v1"),
			.kind = hidden[i].kind,
			.resource = hidden[i].resource,
			.type = api_type(rs->api, "v1", hidden[i].kind),
		};
		assert(rs->hidden[i].group && rs->hidden[i].type);
		(void)place_add(rs, &rs->hidden[i], hidden[i].prefix);
	}
}

/* Their kinds end with us, the world may live on. */
static void remove_hidden(struct resources *rs)
{
	for (size_t i = 0; i < HIDDEN_N; i++)
		world_remove(rs->world, resources_objects(rs, "", hidden[i].resource)->cache);
}

int resources_new(const struct api *api, struct world *w, resource_strategy *of,
		  struct resources **ret, struct err *err)
{
	struct resources *rs = calloc(1, sizeof(*rs));

	(void)err;
	assert(rs);
	rs->api = api;
	rs->world = w;
	rs->strategy_of = of;
	rs->generation = 1;
	map_init(&rs->by_resource);
	map_init(&rs->by_kind);
	map_init(&rs->places);
	for (size_t i = 0; i < api->nkinds; i++)
		add_built_in(rs, &api->kinds[i]);
	add_hidden(rs);
	*ret = rs;
	return 0;
}

static void free_groups(struct resources *rs)
{
	for (size_t i = 0; i < rs->ngroups; i++)
		free((void *)(uintptr_t)rs->groups[i]);
	free(rs->groups);
	rs->groups = NULL;
	rs->ngroups = 0;
}

void resources_free(struct resources *rs)
{
	struct served *s;
	struct place *p;

	if (!rs)
		return;
	remove_hidden(rs);
	for (size_t i = 0; (s = map_next(&rs->by_resource, &i, NULL));)
		forget(rs, s);
	for (size_t i = 0; (p = map_next(&rs->places, &i, NULL));) {
		(void)map_del(&rs->places, slice_str(p->key));
		place_unref(p);
	}
	free_groups(rs);
	map_fini(&rs->by_resource);
	map_fini(&rs->by_kind);
	map_fini(&rs->places);
	free(rs);
}

/* ---- looking ---- */

static struct resource *look(const struct map *m, const char *fmt, ...) PRINTF(2, 3);
static struct resource *look(const struct map *m, const char *fmt, ...)
{
	struct served *s;
	char key[768];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(key, sizeof(key), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(key))
		return NULL;
	s = map_get(m, slice_of(key, (size_t)n));
	return s ? &s->r : NULL;
}

struct resource *resources_find(const struct resources *rs, const char *group, const char *version,
				const char *resource)
{
	return look(&rs->by_resource, "%s%s%s/%s", group, *group ? "/" : "", version, resource);
}

struct resource *resources_kind(const struct resources *rs, const char *group_version,
				const char *kind)
{
	return look(&rs->by_kind, "%s %s", group_version, kind);
}

struct collection *resources_objects(const struct resources *rs, const char *group,
				     const char *resource)
{
	struct place *p;

	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (strcmp(kept[i].group, group) == 0 && strcmp(kept[i].resource, resource) == 0)
			group = kept[i].in_group;
	p = place_find(rs, group, resource);
	return p ? &p->objects : NULL;
}

struct item *resources_get(const struct resources *rs, const char *group, const char *resource,
			   const char *namespace_, const char *name)
{
	struct collection *c = resources_objects(rs, group, resource);
	char key[1024];
	int n = snprintf(key, sizeof(key), "%s%s%s", namespace_, *namespace_ ? "/" : "", name);

	if (!c || !c->cache || n < 0 || (size_t)n >= sizeof(key))
		return NULL;
	return cache_get(c->cache, slice_of(key, (size_t)n));
}

const struct api *resources_api(const struct resources *rs)
{
	return rs->api;
}

struct world *resources_world(const struct resources *rs)
{
	return rs->world;
}

int resources_each(const struct resources *rs, int (*each)(void *arg, struct resource *r),
		   void *arg)
{
	struct served *s;
	int r;

	for (size_t i = 0; (s = map_next(&rs->by_resource, &i, NULL));) {
		r = each(arg, &s->r);
		if (r < 0)
			return r;
	}
	return 0;
}

const struct api_group *const *resources_groups(const struct resources *rs, size_t *ret_n)
{
	*ret_n = rs->ngroups;
	return rs->groups;
}

uint64_t resources_generation(const struct resources *rs)
{
	return rs->generation;
}

/* ---- custom ones ---- */

static int cmp_served(const void *a, const void *b)
{
	const struct served *x = *(const struct served *const *)a;
	const struct served *y = *(const struct served *const *)b;

	return strcmp(x->by_resource, y->by_resource);
}

/* One group and version with its kinds, in one piece of memory. */
static const struct api_group *make_group(struct served *const *v, size_t n)
{
	struct api_group *g = calloc(1, sizeof(*g) + n * sizeof(struct api_kind *));
	const struct api_kind **kinds = g ? (const struct api_kind **)(g + 1) : NULL;

	assert(g);
	*g = *v[0]->r.kind->group;
	for (size_t i = 0; i < n; i++)
		kinds[i] = v[i]->r.kind;
	g->kinds = kinds;
	g->nkinds = n;
	return g;
}

/* Groups of the definitions, made anew of what is served. */
static void changed(struct resources *rs)
{
	struct served **v = calloc(map_count(&rs->by_resource) + 1, sizeof(struct served *)), *s;
	size_t n = 0, from = 0;

	rs->generation++;
	free_groups(rs);
	assert(v);
	for (size_t i = 0; (s = map_next(&rs->by_resource, &i, NULL));)
		if (s->r.owner)
			v[n++] = s;
	qsort(v, n, sizeof(*v), cmp_served);
	rs->groups = calloc(n + 1, sizeof(struct api_group *));
	assert(rs->groups);
	for (size_t i = 1; i <= n; i++) {
		if (i < n && strcmp(v[i]->r.kind->group->api_version,
				    v[from]->r.kind->group->api_version) == 0)
			continue;
		rs->groups[rs->ngroups++] = make_group(v + from, i - from);
		from = i;
	}
	free(v);
}

/* No version of a group-resource is served any more. */
static void withdraw(struct resources *rs, const char *group, const char *resource)
{
	struct served *s;

	for (size_t i = 0; (s = map_next(&rs->by_resource, &i, NULL));)
		if (s->r.owner && strcmp(s->r.kind->group->group, group) == 0 &&
		    strcmp(s->r.kind->resource, resource) == 0)
			forget(rs, s);
}

int resources_set_custom(struct resources *rs, const struct resources_custom *c, struct err *err)
{
	const struct api_kind *k = c->stored;
	struct place *p = place_find(rs, k->group->group, k->resource);
	struct definition *d;

	if (p && !p->objects.kind->custom)
		return err_set(err, ERR_EXISTS, "%s of group \"%s\" are built in", k->resource,
			       k->group->group);
	d = calloc(1, sizeof(*d));
	assert(d);
	*d = (struct definition){ .refs = 1, .owner = c->owner, .release = c->release };
	/* Objects are looked at by the new kind before the old one may go. */
	if (p) {
		p->objects.kind = k;
		cache_set_kind(p->objects.cache, k);
	} else {
		p = place_add(rs, k, NULL);
	}
	withdraw(rs, k->group->group, k->resource);
	for (size_t i = 0; i < c->n; i++)
		serve(rs, c->kinds[i], p, d);
	/* A definition may store a version that it does not serve: the place keeps it too. */
	definition_unref(p->definition);
	p->definition = d;
	changed(rs);
	return 0;
}

void resources_remove_custom(struct resources *rs, const char *group, const char *resource)
{
	struct place *p = place_find(rs, group, resource);

	if (!p || !p->objects.kind->custom)
		return;
	(void)map_del(&rs->places, slice_str(p->key));
	world_remove(rs->world, p->objects.cache);
	p->objects.cache = NULL; /* requests that still hold the place see that it is gone */
	withdraw(rs, group, resource);
	place_unref(p);
	changed(rs);
}
