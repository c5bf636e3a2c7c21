/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which resources a server has, and which of them a word means: "po", "pods", "Pod",
 * "deployments.apps", "deployments.v1.apps".
 *
 * Aggregated discovery (apidiscovery.k8s.io/v2) is asked for; a server without it is asked group by
 * group. What was found is kept in one file a server for CATALOG_TIME.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct client;
struct doc;
struct err;

#define CATALOG_TIME (6 * 3600) /* seconds */

struct resource {
	const char *group, *version, *api_version; /* "apps", "v1", "apps/v1" */
	const char *name, *singular, *kind;	   /* "deployments", "deployment", "Deployment" */
	const char *const *shorts, *const *categories, *const *verbs, *const *subs;
	size_t nshorts, ncategories, nverbs, nsubs;
	bool namespaced;
	bool preferred; /* its first version in the order of the group */
};

struct catalog {
	const struct resource *v; /* groups in the server's order, versions the preferred first */
	size_t n;
	const char *const *versions; /* "v1", "apps/v1": what is served */
	size_t nversions;
	bool kept; /* it comes from the file: the server may have changed */
};

/* dir: where it is kept, NULL = nowhere. fresh: the server is asked in any case. */
int catalog_get(struct client *c, const char *dir, bool fresh, struct arena *a, struct catalog *ret,
		struct err *err);
/* Documents of /api and /apis as aggregated discovery has them; either may be NULL. */
int catalog_read(struct arena *a, const struct doc *core, const struct doc *groups,
		 struct catalog *ret, struct err *err);
/* NULL when no resource is meant. Names and singulars go before short names. */
const struct resource *catalog_find(const struct catalog *k, const char *word);
/* By kind; api_version NULL = the first that has it. */
const struct resource *catalog_kind(const struct catalog *k, const char *api_version,
				    const char *kind);
bool resource_has_verb(const struct resource *r, const char *verb);
bool resource_in(const struct resource *r, const char *category);
/* Appends the path of a collection, or of an object when name is not NULL: "/apis/apps/v1/
 * namespaces/x/deployments/y"; space NULL = all, or a resource that has none. */
int resource_path(const struct resource *r, const char *space, const char *name, struct buf *out);
