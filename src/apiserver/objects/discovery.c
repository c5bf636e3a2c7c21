/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/objects/discovery.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/map.h"
#include "doc/doc.h"
#include "doc/json.h"

#include <stdlib.h>
#include <string.h>

const struct discovery_default discovery_defaults[] = {
	{ "", "v1", 18000, 1 },
	{ "apps", "v1", 17800, 15 },
	{ "events.k8s.io", "v1", 17750, 15 },
	{ "authentication.k8s.io", "v1", 17700, 15 },
	{ "authorization.k8s.io", "v1", 17600, 15 },
	{ "autoscaling", "v1", 17500, 15 },
	{ "autoscaling", "v2", 17500, 30 },
	{ "batch", "v1", 17400, 15 },
	{ "certificates.k8s.io", "v1", 17300, 15 },
	{ "networking.k8s.io", "v1", 17200, 15 },
	{ "policy", "v1", 17100, 15 },
	{ "rbac.authorization.k8s.io", "v1", 17000, 15 },
	{ "storage.k8s.io", "v1", 16800, 15 },
	{ "apiextensions.k8s.io", "v1", 16700, 15 },
	{ "admissionregistration.k8s.io", "v1", 16700, 15 },
	{ "scheduling.k8s.io", "v1", 16600, 15 },
	{ "coordination.k8s.io", "v1", 16500, 15 },
	{ "node.k8s.io", "v1", 16300, 15 },
	{ "discovery.k8s.io", "v1", 16200, 15 },
	{ "resource.k8s.io", "v1", 16200, 20 },
	{ "flowcontrol.apiserver.k8s.io", "v1", 16100, 21 },
	{ "storagemigration.k8s.io", "v1beta1", 15800, 9 },
};
const size_t ndiscovery_defaults = ARRAY_LEN(discovery_defaults);

#define FIRST "apiregistration.k8s.io" /* always */

/* A version of a group: served here, or (s->remote) elsewhere. */
struct version {
	const char *group, *version, *api_version;
	const struct api_group *g;
	const struct discovery_service *s; /* NULL: no APIService has it */
	int64_t group_priority, version_priority;
};

struct list {
	struct version *v;
	size_t n;
};

/* "v2" before "v1", stable before beta before alpha. */
static int version_rank(const char *v)
{
	const char *p = v + (*v == 'v');
	int major = (int)strcspn(p, "ab") ? p[0] - '0' : 0;
	const char *beta = strstr(p, "beta"), *alpha = strstr(p, "alpha");
	int minor = beta ? beta[4] - '0' : alpha ? alpha[5] - '0' : 0;

	return (beta ? 100 : alpha ? 0 : 200) + 10 * major + minor;
}

/* Groups by name for now: their versions stand together, the first comes first. */
static int cmp_versions(const void *a, const void *b)
{
	const struct version *x = a, *y = b;
	int c = strcmp(x->group, y->group);

	if (c == 0 && x->version_priority != y->version_priority)
		c = x->version_priority < y->version_priority ? 1 : -1;
	return c ? c : version_rank(y->version) - version_rank(x->version);
}

static int cmp_groups(const void *a, const void *b)
{
	const struct version *x = a, *y = b;

	if (x->group_priority != y->group_priority)
		return x->group_priority < y->group_priority ? 1 : -1;
	return cmp_versions(a, b);
}

static bool same_group(const struct list *l, size_t i, size_t j)
{
	return j < l->n && strcmp(l->v[i].group, l->v[j].group) == 0;
}

/* The highest that one of its versions has is the group's. */
static void level_groups(struct list *l)
{
	for (size_t i = 0, j; i < l->n; i = j) {
		int64_t most = l->v[i].group_priority;

		for (j = i; same_group(l, i, j); j++)
			most = MAX(most, l->v[j].group_priority);
		for (j = i; same_group(l, i, j); j++)
			l->v[j].group_priority =
				strcmp(l->v[i].group, FIRST) == 0 ? INT64_MAX : most;
	}
}

static void set_place(struct version *v)
{
	v->group_priority = DISCOVERY_CUSTOM_GROUP;
	v->version_priority = DISCOVERY_CUSTOM_VERSION;
	for (size_t i = 0; i < ARRAY_LEN(discovery_defaults) && !v->s; i++) {
		const struct discovery_default *d = &discovery_defaults[i];

		if (strcmp(d->group, v->group) != 0 || strcmp(d->version, v->version) != 0)
			continue;
		v->group_priority = d->group_priority;
		v->version_priority = d->version_priority;
	}
	if (!v->s)
		return;
	v->group_priority = v->s->group_priority;
	v->version_priority = v->s->version_priority;
}

static void add_local(struct list *l, const struct map *services, const struct api_group *g)
{
	const struct discovery_service *s = map_get(services, slice_str(g->api_version));
	struct version *v = &l->v[l->n];

	if (!g->nkinds || !*g->group || (s && s->remote))
		return;
	*v = (struct version){ g->group, g->version, g->api_version, g, s, 0, 0 };
	set_place(v);
	l->n++;
}

static void add_all(const struct discovery *d, struct list *l, struct map *services)
{
	for (size_t i = 0; i < d->nservices; i++)
		(void)map_put(services, slice_str(d->services[i].api_version),
			      (void *)(uintptr_t)&d->services[i]);
	for (size_t i = 0; i < d->api->ngroups; i++)
		add_local(l, services, &d->api->groups[i]);
	for (size_t i = 0; i < d->nmore; i++)
		add_local(l, services, d->more[i]);
	for (size_t i = 0; i < d->nservices; i++) {
		const struct discovery_service *s = &d->services[i];
		struct version *v = &l->v[l->n];

		if (!s->remote)
			continue;
		*v = (struct version){ s->group, s->version, s->api_version, NULL, s, 0, 0 };
		set_place(v);
		l->n++;
	}
}

/* All that have kinds, but the core group; versions of a group stand together. */
static int sorted(const struct discovery *d, struct arena *a, struct list *ret, struct err *err)
{
	struct map services;

	ret->n = 0;
	ret->v = ARENA_ARRAY(a, struct version, d->api->ngroups + d->nmore + d->nservices + 1);
	if (!ret->v)
		return err_set(err, ERR_QUOTA, "discovery does not fit its memory");
	map_init(&services);
	add_all(d, ret, &services);
	map_fini(&services);
	qsort(ret->v, ret->n, sizeof(*ret->v), cmp_versions);
	level_groups(ret);
	qsort(ret->v, ret->n, sizeof(*ret->v), cmp_groups);
	return 0;
}

static int finish(struct arena *a, struct err *err)
{
	return arena_exceeded(a) ? err_set(err, ERR_QUOTA, "discovery does not fit its memory") : 0;
}

static void head(struct arena *a, struct doc *to, const char *kind, const char *api_version)
{
	*to = doc_object();
	doc_set_str(a, to, "kind", kind);
	doc_set_str(a, to, "apiVersion", api_version);
}

/* ---- groups ---- */

int discovery_core(const struct discovery *d, struct arena *a, struct doc *ret, struct err *err)
{
	struct doc *list, *at;

	head(a, ret, "APIVersions", "v1");
	list = doc_set_array(a, ret, "versions");
	doc_append_str(a, list, "v1");
	list = doc_set_array(a, ret, "serverAddressByClientCIDRs");
	at = doc_append_object(a, list);
	doc_set_str(a, at, "clientCIDR", "0.0.0.0/0");
	doc_set_str(a, at, "serverAddress", d->address);
	return finish(a, err);
}

static void put_version(struct arena *a, struct doc *to, const struct version *g)
{
	doc_set_str(a, to, "groupVersion", g->api_version);
	doc_set_str(a, to, "version", g->version);
}

/* The group whose versions begin at i. */
static void put_group(struct arena *a, struct doc *to, const struct list *l, size_t i)
{
	struct doc *versions;

	doc_set_str(a, to, "name", l->v[i].group);
	versions = doc_set_array(a, to, "versions");
	for (size_t j = i; same_group(l, i, j); j++)
		put_version(a, doc_append_object(a, versions), &l->v[j]);
	put_version(a, doc_set_object(a, to, "preferredVersion"), &l->v[i]);
}

int discovery_groups(const struct discovery *d, struct arena *a, struct doc *ret, struct err *err)
{
	struct list l;
	struct doc *groups;
	int r = sorted(d, a, &l, err);

	if (r < 0)
		return r;
	head(a, ret, "APIGroupList", "v1");
	groups = doc_set_array(a, ret, "groups");
	for (size_t i = 0; i < l.n; i++)
		if (i == 0 || !same_group(&l, i - 1, i))
			put_group(a, doc_append_object(a, groups), &l, i);
	return finish(a, err);
}

int discovery_group(const struct discovery *d, const char *group, struct arena *a, struct doc *ret,
		    struct err *err)
{
	struct list l;
	int r = sorted(d, a, &l, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < l.n; i++) {
		if (strcmp(l.v[i].group, group) != 0)
			continue;
		head(a, ret, "APIGroup", "v1");
		put_group(a, ret, &l, i);
		return finish(a, err);
	}
	return err_set(err, ERR_NOT_FOUND, "the server could not find the requested resource");
}

/* ---- resources ---- */

static void put_words(struct arena *a, struct doc *to, const char *key, const char *const *v)
{
	struct doc *list = v[0] ? doc_set_array(a, to, key) : NULL;

	for (; *v; v++)
		doc_append_str(a, list, *v);
}

static void put_verbs(struct arena *a, struct doc *to, unsigned verbs)
{
	struct doc *list = doc_set_array(a, to, "verbs");

	for (unsigned bit = 1; bit <= API_WATCH; bit <<= 1)
		if (verbs & bit)
			doc_append_str(a, list, api_verb_name((enum api_verb)bit));
}

/* Changes when the form that a kind is stored in does. */
static void put_storage_hash(struct arena *a, struct doc *to, const struct api_kind *k)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(1024);
	unsigned char sum[SHA256_LEN];
	struct sha256 hash;
	char out[16];

	if (!(k->verbs & API_GET) || !(k->verbs & API_CREATE))
		return;
	(void)buf_addf(&text, "%s/%s/%s", k->group->group, k->group->version, k->kind);
	sha256_init(&hash);
	sha256_update(&hash, text.p, text.n);
	sha256_final(&hash, sum);
	base64_encode(out, sum, 8);
	doc_set_str(a, to, "storageVersionHash", out);
}

static void put_resource(struct arena *a, struct doc *list, const struct api_kind *k)
{
	struct doc *to = doc_append_object(a, list);

	doc_set_str(a, to, "name", k->resource);
	doc_set_str(a, to, "singularName", k->singular);
	doc_set_bool(a, to, "namespaced", k->namespaced);
	doc_set_str(a, to, "kind", k->kind);
	put_verbs(a, to, k->verbs);
	put_words(a, to, "shortNames", k->short_names);
	put_words(a, to, "categories", k->categories);
	put_storage_hash(a, to, k);
}

/* Is the body of the subresource of another group or version than its kind? */
static bool is_foreign(const struct api_kind *k, const struct api_sub *s)
{
	return strcmp(s->group, k->group->group) != 0 || strcmp(s->version, k->group->version) != 0;
}

static void put_sub(struct arena *a, struct doc *list, const struct api_kind *k,
		    const struct api_sub *s)
{
	struct doc *to = doc_append_object(a, list);

	doc_set_strf(a, to, "name", "%s/%s", k->resource, s->name);
	doc_set_str(a, to, "singularName", "");
	doc_set_bool(a, to, "namespaced", k->namespaced);
	if (is_foreign(k, s)) {
		doc_set_str(a, to, "group", s->group);
		doc_set_str(a, to, "version", s->version);
	}
	doc_set_str(a, to, "kind", s->kind);
	put_verbs(a, to, s->verbs);
}

static const struct api_group *find(const struct discovery *d, const char *group_version)
{
	const struct api_group *g = api_group(d->api, group_version);

	if (g && g->nkinds)
		return g;
	for (size_t i = 0; i < d->nmore; i++)
		if (strcmp(d->more[i]->api_version, group_version) == 0)
			return d->more[i];
	return NULL;
}

int discovery_resources(const struct discovery *d, const char *group_version, struct arena *a,
			struct doc *ret, struct err *err)
{
	const struct api_group *g = find(d, group_version);
	struct doc *list;

	if (!g)
		return err_set(err, ERR_NOT_FOUND,
			       "the server could not find the requested resource");
	head(a, ret, "APIResourceList", "v1");
	doc_set_str(a, ret, "groupVersion", g->api_version);
	list = doc_set_array(a, ret, "resources");
	for (size_t i = 0; i < g->nkinds; i++) {
		put_resource(a, list, g->kinds[i]);
		for (size_t j = 0; j < g->kinds[i]->nsubs; j++)
			put_sub(a, list, g->kinds[i], &g->kinds[i]->subs[j]);
	}
	return finish(a, err);
}

/* ---- all at once ---- */

/* Empty group and version: those of the resource itself. So for built-in kinds; those of
 * definitions are written out, as upstream has it. */
static void put_kind(struct arena *a, struct doc *to, const char *group, const char *version,
		     const char *kind)
{
	struct doc *k = doc_set_object(a, to, "responseKind");

	doc_set_str(a, k, "group", group);
	doc_set_str(a, k, "version", version);
	doc_set_str(a, k, "kind", kind);
}

static void aggregate_kind(struct arena *a, struct doc *list, const struct api_kind *k)
{
	struct doc *to = doc_append_object(a, list), *subs;
	const char *group = k->custom ? k->group->group : "";
	const char *version = k->custom ? k->group->version : "";

	doc_set_str(a, to, "resource", k->resource);
	put_kind(a, to, group, version, k->kind);
	doc_set_str(a, to, "scope", k->namespaced ? "Namespaced" : "Cluster");
	doc_set_str(a, to, "singularResource", k->singular);
	put_verbs(a, to, k->verbs);
	put_words(a, to, "shortNames", k->short_names);
	put_words(a, to, "categories", k->categories);
	subs = k->nsubs ? doc_set_array(a, to, "subresources") : NULL;
	for (size_t i = 0; i < k->nsubs; i++) {
		const struct api_sub *s = &k->subs[i];
		struct doc *sub = doc_append_object(a, subs);
		bool foreign = is_foreign(k, s);

		doc_set_str(a, sub, "subresource", s->name);
		put_kind(a, sub, foreign ? s->group : group, foreign ? s->version : version,
			 s->kind);
		put_verbs(a, sub, s->verbs);
	}
}

/* Those of another server: as they were made of what it said. */
static int put_remote(struct arena *a, struct doc *to, const struct discovery_service *s,
		      struct err *err)
{
	struct doc *list;

	if (!s->resources.n) {
		doc_set_array(a, to, "resources");
		return 0;
	}
	if (json_read(a, s->resources, NULL, &list, err) < 0)
		return err_wrap(err, "resources of %s", s->api_version);
	(void)doc_set(a, to, "resources", *list);
	return 0;
}

static int aggregate_version(struct arena *a, struct doc *list, const struct version *v,
			     struct err *err)
{
	struct doc *to = doc_append_object(a, list), *resources;
	bool stale = false;
	int r = 0;

	doc_set_str(a, to, "version", v->version);
	if (v->g) {
		resources = doc_set_array(a, to, "resources");
		for (size_t i = 0; i < v->g->nkinds; i++)
			aggregate_kind(a, resources, v->g->kinds[i]);
	} else if (v->s) {
		r = put_remote(a, to, v->s, err);
		stale = v->s->stale;
	}
	doc_set_str(a, to, "freshness", stale ? "Stale" : "Current");
	return r;
}

int discovery_aggregated(const struct discovery *d, bool core, struct arena *a, struct doc *ret,
			 struct err *err)
{
	const struct api_group *v1 = api_group(d->api, "v1");
	struct version only = { .group = "", .version = "v1", .g = v1 };
	struct doc *items, *to;
	struct list l = { &only, 1 };
	int r = core ? 0 : sorted(d, a, &l, err);

	if (r < 0)
		return r;
	head(a, ret, "APIGroupDiscoveryList", "apidiscovery.k8s.io/v2");
	doc_set_object(a, ret, "metadata");
	items = doc_set_array(a, ret, "items");
	for (size_t i = 0; i < l.n; i++) {
		struct doc *versions, *meta;

		if (i && same_group(&l, i - 1, i))
			continue;
		to = doc_append_object(a, items);
		meta = doc_set_object(a, to, "metadata");
		if (!core)
			doc_set_str(a, meta, "name", l.v[i].group);
		versions = doc_set_array(a, to, "versions");
		for (size_t j = i; r == 0 && same_group(&l, i, j); j++)
			r = aggregate_version(a, versions, &l.v[j], err);
	}
	return r < 0 ? r : finish(a, err);
}
