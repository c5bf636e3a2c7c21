/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/discovery.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "doc/doc.h"

#include <stdlib.h>
#include <string.h>

/* Groups in upstream's order of priority; those without a place come behind, by name. */
static const char *const order[] = {
	"apiregistration.k8s.io",
	"apps",
	"events.k8s.io",
	"authentication.k8s.io",
	"authorization.k8s.io",
	"autoscaling",
	"batch",
	"certificates.k8s.io",
	"networking.k8s.io",
	"policy",
	"rbac.authorization.k8s.io",
	"storage.k8s.io",
	"admissionregistration.k8s.io",
	"apiextensions.k8s.io",
	"scheduling.k8s.io",
	"coordination.k8s.io",
	"node.k8s.io",
	"discovery.k8s.io",
	"resource.k8s.io",
	"flowcontrol.apiserver.k8s.io",
};

struct list {
	const struct api_group **v;
	size_t n;
};

static size_t place(const char *group)
{
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (strcmp(order[i], group) == 0)
			return i;
	return ARRAY_LEN(order);
}

/* "v2" before "v1", stable before beta before alpha. */
static int version_rank(const char *v)
{
	const char *p = v + (*v == 'v');
	int major = (int)strcspn(p, "ab") ? p[0] - '0' : 0;
	const char *beta = strstr(p, "beta"), *alpha = strstr(p, "alpha");
	int minor = beta ? beta[4] - '0' : alpha ? alpha[5] - '0' : 0;

	return (beta ? 100 : alpha ? 0 : 200) + 10 * major + minor;
}

static int cmp_groups(const void *a, const void *b)
{
	const struct api_group *x = *(const struct api_group *const *)a;
	const struct api_group *y = *(const struct api_group *const *)b;
	size_t p = place(x->group), q = place(y->group);
	int c = p != q ? (p > q) - (p < q) : strcmp(x->group, y->group);

	return c ? c : version_rank(y->version) - version_rank(x->version);
}

/* All that have kinds, but the core group; versions of a group stand together. */
static int sorted(const struct discovery *d, struct arena *a, struct list *ret, struct err *err)
{
	const struct api *api = d->api;

	ret->n = 0;
	ret->v = arena_alloc(a, (api->ngroups + d->nmore + 1) * sizeof(*ret->v));
	if (!ret->v)
		return err_set(err, ERR_QUOTA, "discovery does not fit its memory");
	for (size_t i = 0; i < api->ngroups; i++)
		if (api->groups[i].nkinds && *api->groups[i].group)
			ret->v[ret->n++] = &api->groups[i];
	for (size_t i = 0; i < d->nmore; i++)
		ret->v[ret->n++] = d->more[i];
	qsort(ret->v, ret->n, sizeof(*ret->v), cmp_groups);
	return 0;
}

static bool same_group(const struct list *l, size_t i, size_t j)
{
	return j < l->n && strcmp(l->v[i]->group, l->v[j]->group) == 0;
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

static void put_version(struct arena *a, struct doc *to, const struct api_group *g)
{
	doc_set_str(a, to, "groupVersion", g->api_version);
	doc_set_str(a, to, "version", g->version);
}

/* The group whose versions begin at i. */
static void put_group(struct arena *a, struct doc *to, const struct list *l, size_t i)
{
	struct doc *versions;

	doc_set_str(a, to, "name", l->v[i]->group);
	versions = doc_set_array(a, to, "versions");
	for (size_t j = i; same_group(l, i, j); j++)
		put_version(a, doc_append_object(a, versions), l->v[j]);
	put_version(a, doc_set_object(a, to, "preferredVersion"), l->v[i]);
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
		if (strcmp(l.v[i]->group, group) != 0)
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

	for (size_t i = 0; !g && i < d->nmore; i++)
		if (strcmp(d->more[i]->api_version, group_version) == 0)
			g = d->more[i];
	return g && g->nkinds ? g : NULL;
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

static void aggregate_version(struct arena *a, struct doc *list, const struct api_group *g)
{
	struct doc *to = doc_append_object(a, list), *resources;

	doc_set_str(a, to, "version", g->version);
	resources = doc_set_array(a, to, "resources");
	for (size_t i = 0; i < g->nkinds; i++)
		aggregate_kind(a, resources, g->kinds[i]);
	doc_set_str(a, to, "freshness", "Current");
}

int discovery_aggregated(const struct discovery *d, bool core, struct arena *a, struct doc *ret,
			 struct err *err)
{
	const struct api_group *v1 = api_group(d->api, "v1");
	struct doc *items, *to;
	struct list l;
	int r = core ? 0 : sorted(d, a, &l, err);

	if (r < 0)
		return r;
	if (core)
		l = (struct list){ &v1, 1 };
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
			doc_set_str(a, meta, "name", l.v[i]->group);
		versions = doc_set_array(a, to, "versions");
		for (size_t j = i; same_group(&l, i, j); j++)
			aggregate_version(a, versions, l.v[j]);
	}
	return finish(a, err);
}
