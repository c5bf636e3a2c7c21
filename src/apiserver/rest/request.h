/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request to the API asks for: verb, resource, name, options; from method, path and query.
 * Nothing is looked up here: whether the resource exists is the caller's to find.
 *
 *	GET /api/v1/namespaces/n/pods?watch=1    watch pods in n
 *	GET /apis/apps/v1/deployments            list deployments of all namespaces
 *	PUT /api/v1/namespaces/n/pods/p/status   update pods/status n/p
 *	GET /livez                               no resource
 */
#pragma once

#include "api/selector.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;

enum api_request_verb {
	VERB_NONE,
	VERB_GET,
	VERB_LIST,
	VERB_WATCH,
	VERB_CREATE,
	VERB_UPDATE,
	VERB_PATCH,
	VERB_DELETE,
	VERB_DELETE_COLLECTION,
	VERB_OPTIONS, /* of proxies only */
};
/* "get", "deletecollection"; "" of VERB_NONE and, as upstream has it, of VERB_OPTIONS. */
const char *api_request_verb_name(enum api_request_verb v);

struct api_request {
	enum api_request_verb verb; /* VERB_NONE: no request for a resource */
	/* All NUL-terminated, in the arena; "" when absent. */
	const char *group, *version, *api_version; /* "", "v1", "v1"; "apps", "v1", "apps/v1" */
	const char *resource, *subresource;
	const char *namespace_, *name; /* decoded; the name that a field selector gives too */
	const char *rest; /* of proxies: behind the subresource, as it came: "/a//b/" */
	bool watch_path;  /* the old form /api/v1/watch/... */
};
/* method: upper case. path: decoded segments are checked: no empty, ".", ".." nor NUL ones
 * (-ERR_NOT_FOUND). A path outside of /api/V and /apis/G/V gives VERB_NONE and empty texts.
 * `watch`: the query says watch=1. */
int api_request_parse(const char *method, const char *path, bool watch, struct arena *a,
		      struct api_request *ret, struct err *err);

/* The kind of its options: "ListOptions", "PatchOptions". */
const char *api_query_kind(enum api_request_verb v);

enum api_match { MATCH_NONE, MATCH_EXACT, MATCH_NOT_OLDER };
enum api_validation { VALIDATION_WARN, VALIDATION_IGNORE, VALIDATION_STRICT };

/* The query of a request; what a verb does not take is ignored, as upstream does. */
struct api_query {
	bool watch, bookmarks, send_initial, send_initial_given, pretty, pretty_given, dry_run,
		force, force_given;
	int64_t limit;	      /* 0 = none */
	int64_t timeout;      /* seconds; 0 = none */
	int64_t request_time; /* "timeout=34s": ns the client waits; 0 = not told */
	/* DeleteOptions as a query has them. */
	bool has_grace;
	int64_t grace;
	int orphan; /* orphanDependents; -1 = not given */
	const char *propagation;
	const char *resource_version, *continue_, *field_manager; /* "" = none */
	const char *include_object;				  /* of a Table's rows; "" = none */
	enum api_match match;
	enum api_validation validation;
	struct selector labels, fields;
};
/*
 * -ERR_BAD_REQUEST: a value that is none of its kind; -ERR_INVALID with causes: values that do not
 * go together (resourceVersionMatch without resourceVersion, sendInitialEvents without
 * resourceVersionMatch, a dryRun that is not All, ...). query: encoded, without "?".
 */
int api_query_parse(struct slice query, enum api_request_verb verb, struct arena *a,
		    struct api_query *ret, struct err *err);
