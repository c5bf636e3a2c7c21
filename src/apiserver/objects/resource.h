/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is served: every group, version and resource, built-in or of a CRD, and where its objects
 * are.
 *
 * A collection is the objects of one group-resource, kept in one version; a resource is a
 * collection as served in one version (autoscaling/v1 and v2 horizontalpodautoscalers: two
 * resources, one collection; so are core and events.k8s.io events). Built-in ones are there for
 * good; those of CRDs come and go while requests hold references. All on the loop's thread.
 */
#pragma once

#include "api/api.h"
#include "apiserver/objects/cache.h"
#include "base/cleanup.h"

struct err;
struct resources;
struct strategy;

struct collection {
	const struct api_kind *kind;	 /* as stored */
	struct cache *cache;		 /* NULL: the definition went while a request held it */
	const struct strategy *strategy; /* never NULL */
	const char *prefix;		 /* "/registry/services/specs/" */
	void *state;			 /* the strategy's: strategy_start, strategy_stop */
};

struct resource {
	const struct api_kind *kind; /* as served; kind->custom: of a CRD */
	struct collection *objects;  /* NULL: nothing is kept (bindings, reviews) */
	unsigned refs;		     /* private */
	void *owner;		     /* private: the CRD's */
};
struct resource *resource_ref(struct resource *r);
void resource_unref(struct resource *r); /* NULL is fine */
DEFINE_CLEANUP(struct resource *, resource_unref)

/* What writes of a kind do; never NULL. */
typedef const struct strategy *resource_strategy(const struct api_kind *k);
/* All built-in kinds of api get their collections in w (before world_start). */
int resources_new(const struct api *api, struct world *w, resource_strategy *of,
		  struct resources **ret, struct err *err);
void resources_free(struct resources *rs);
DEFINE_CLEANUP(struct resources *, resources_free)

/* Borrowed; NULL when it is not served. group "" = core. */
struct resource *resources_find(const struct resources *rs, const char *group, const char *version,
				const char *resource);
struct resource *resources_kind(const struct resources *rs, const char *group_version,
				const char *kind);
/* The collection of a group-resource in whichever version; NULL. Of group "" there are two more
 * that no request sees, in upstream's places. */
#define RESOURCES_SERVERS                                                      \
	"masterleases" /* Endpoints of one address, its key: the servers alive \
			*/
#define RESOURCES_RANGES "rangeallocations" /* what of a range is taken: "servicenodeports" */
struct collection *resources_objects(const struct resources *rs, const char *group,
				     const char *resource);
/* An object as it is now; namespace_ "" for cluster-scoped ones. Borrowed (cache_get). */
struct item *resources_get(const struct resources *rs, const char *group, const char *resource,
			   const char *namespace_, const char *name);
const struct api *resources_api(const struct resources *rs);
struct world *resources_world(const struct resources *rs);
/* Every served resource, in no order; negative from `each` ends it. */
int resources_each(const struct resources *rs, int (*each)(void *arg, struct resource *r),
		   void *arg);

/* ---- custom ones ---- */

/* A compiled CRD (api/custom.h) begins or goes on to be served: `kinds` are its served versions.
 * `stored` is the one that objects are written in. Groups that are new appear in discovery. The
 * kinds live until release(owner), which runs when the last request lets them go. */
struct resources_custom {
	const struct api_kind *const *kinds;
	size_t n;
	const struct api_kind *stored;
	void *owner;
	void (*release)(void *owner);
};
int resources_set_custom(struct resources *rs, const struct resources_custom *c, struct err *err);
/* No longer served; what is stored stays. */
void resources_remove_custom(struct resources *rs, const char *group, const char *resource);
/* Custom groups for discovery.h: borrowed until the next change. */
const struct api_group *const *resources_groups(const struct resources *rs, size_t *ret_n);
/* Grows with every change of what is served: for who keeps bytes of discovery and OpenAPI. */
uint64_t resources_generation(const struct resources *rs);
