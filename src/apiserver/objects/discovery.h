/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Discovery: which groups, versions and resources a server has, as clients ask for it: /api, /apis
 * and below, and both in one piece as APIGroupDiscoveryList (apidiscovery.k8s.io/v2). Documents are
 * made of the tables; whoever serves them keeps their bytes.
 */
#pragma once

#include "api/api.h"
#include "base/str.h"

#include <stdint.h>

struct arena;
struct doc;
struct err;

/* What an APIService says of a group and version: its place among others, and, if it is another
 * server's, that it is there and what it has. */
struct discovery_service {
	const char *group, *version, *api_version;
	int64_t group_priority, version_priority;
	bool remote, stale;
	const char *openapi;	/* where its document is; NULL: it has none */
	struct slice swagger;	/* what it adds to /openapi/v2; empty: nothing */
	struct slice resources; /* list of APIResourceDiscovery as JSON; empty: not known */
};

/* The places of built-in versions; upstream's numbers. */
struct discovery_default {
	const char *group, *version;
	int group_priority, version_priority;
};
extern const struct discovery_default discovery_defaults[];
extern const size_t ndiscovery_defaults;
/* ... and of those of definitions. */
#define DISCOVERY_CUSTOM_GROUP 1000
#define DISCOVERY_CUSTOM_VERSION 100

/* A further group beside the built-in ones (of a CRD), in the order given. */
struct discovery {
	const struct api *api;
	const struct api_group *const *more;
	size_t nmore;
	const struct discovery_service *services; /* what has none stands where it is by default */
	size_t nservices;
	const char *address; /* "10.0.0.1:6443" */
};

/* /api: APIVersions. */
int discovery_core(const struct discovery *d, struct arena *a, struct doc *ret, struct err *err);
/* /apis: APIGroupList. */
int discovery_groups(const struct discovery *d, struct arena *a, struct doc *ret, struct err *err);
/* /apis/GROUP: APIGroup; -ERR_NOT_FOUND. */
int discovery_group(const struct discovery *d, const char *group, struct arena *a, struct doc *ret,
		    struct err *err);
/* /api/v1, /apis/GROUP/VERSION: APIResourceList; -ERR_NOT_FOUND. */
int discovery_resources(const struct discovery *d, const char *group_version, struct arena *a,
			struct doc *ret, struct err *err);
/* /api (core) or /apis as APIGroupDiscoveryList. */
int discovery_aggregated(const struct discovery *d, bool core, struct arena *a, struct doc *ret,
			 struct err *err);
