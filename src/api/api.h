/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes' built-in kinds as tables: what the files of kinds/ say, compiled at build time to
 * numbers (no pointers: nothing is relocated in programs that never look) and put together here
 * when a role wants them. Custom kinds are compiled at run time to the same structs.
 *
 * Terms are upstream's: group "apps", version "v1", kind "Deployment", resource "deployments".
 * Everything is constant after api_load and may be read by many threads.
 */
#pragma once

#include "base/map.h"
#include "doc/schema.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct api_custom;
struct api_kind;
struct custom_schema;

/* What a word of the source says beyond the row of the schema. */
enum api_word {
	API_PLAIN,
	API_RAW,     /* any object: RawExtension */
	API_JSON,    /* any JSON: apiextensions' JSON */
	API_FIELDS,  /* FieldsV1 */
	API_OR_BOOL, /* JSONSchemaPropsOrBool, ... */
	API_OR_ARRAY,
	API_OR_STRINGS,
};
enum {
	API_REQUIRED = 1 << 0,	 /* in OpenAPI's `required`; presence is checked by validation */
	API_MAP_ATOMIC = 1 << 1, /* x-kubernetes-map-type: atomic on the field */
	API_LIST_TYPED = 1 << 2, /* the source names a list type (x-kubernetes-list-type) */
	API_POINTER = 1 << 3,	 /* Go has a pointer here: zero is a value, absent another */
	API_OMIT_ZERO = 1 << 4,	 /* a struct that is left out when it is zero */
	API_TYPE_META = 1 << 5,	 /* kind, apiVersion */
	API_MAP_GRANULAR = 1 << 6,
};

/* One for each row of a type's schema, in the same order. */
struct api_note {
	const char *doc;	     /* "" = none */
	const struct api_type *type; /* behind OBJECT, or the elements of a list or map; or NULL */
	const char *const *enums;    /* of a string or of a list's strings; NULL = any */
	uint8_t word;		     /* enum api_word, of the value or of each element */
	uint8_t flags;
};

/* One object type. */
struct api_type {
	struct schema schema;	/* schema.name is the type's name: "DeploymentSpec" */
	const char *definition; /* OpenAPI's: "io.k8s.api.apps.v1.DeploymentSpec" */
	const char *doc;
	const struct api_note *notes;
	const struct api_group *group;
	const char *unions;		    /* x-kubernetes-unions as JSON, or NULL */
	const struct custom_schema *custom; /* of a CRD's object (custom.h); NULL: built in */
	bool atomic;			    /* x-kubernetes-map-type: atomic on the type */
	uint8_t fix;			    /* private: its further defaults */
	bool hidden; /* has no name in OpenAPI: lies in others, or is a request's query */
};
static inline const struct api_type *api_type_of(const struct schema *s)
{
	return CONTAINER_OF(s, struct api_type, schema);
}
static inline const struct api_note *api_note_of(const struct api_type *t,
						 const struct schema_field *f)
{
	return &t->notes[f - t->schema.fields];
}

/* One group and version. */
struct api_group {
	const char *group, *version;	     /* "" = core */
	const char *api_version;	     /* "apps/v1", "v1" */
	const char *package;		     /* protobuf's */
	const char *gate;		     /* the feature that it needs; NULL: none (serve.h) */
	const struct api_kind *const *kinds; /* those that are served */
	size_t nkinds;
};

enum api_verb { /* in upstream's order of writing */
		API_CREATE = 1 << 0,
		API_DELETE = 1 << 1,
		API_DELETE_COLLECTION = 1 << 2,
		API_GET = 1 << 3,
		API_LIST = 1 << 4,
		API_PATCH = 1 << 5,
		API_UPDATE = 1 << 6,
		API_WATCH = 1 << 7,
};
/* "create", "deletecollection", ... of one bit. */
const char *api_verb_name(enum api_verb v);

struct api_sub {
	const char *name; /* "status" */
	uint16_t verbs;
	const char *group, *version, *kind; /* of its body: "autoscaling", "v1", "Scale" */
};

struct api_column {
	const char *name;
	bool wide; /* priority 1 */
};

struct api_kind {
	const struct api_group *group;
	const char *kind, *list_kind;			    /* "Pod", "PodList" */
	const char *resource, *singular;		    /* "pods", "pod" */
	const char *const *short_names, *const *categories; /* NULL-terminated */
	bool namespaced;
	bool off; /* not served (serve.h) */
	uint16_t verbs;
	const struct api_sub *subs;
	size_t nsubs;
	const struct api_column *columns;
	size_t ncolumns;
	const char *const *selectable; /* further field selectors: "spec.nodeName" */
	const struct api_type *type;
	const struct api_type *list;	 /* NULL: it cannot be listed */
	const struct api_custom *custom; /* of a CRD (custom.h); NULL: built in */
};
const struct api_sub *api_kind_sub(const struct api_kind *k, const char *name);

struct api {
	const struct api_group *groups;
	size_t ngroups;
	const struct api_type *types;
	size_t ntypes;
	const struct api_kind *kinds;
	size_t nkinds;
	struct map by_kind, by_resource, by_definition; /* private */
};

/* Puts the built-in tables together in `a`, served as upstream does by default (serve.h changes
 * it). -ERR_QUOTA when the arena is full. */
int api_load(struct arena *a, struct api *ret, struct err *err);
void api_fini(struct api *api); /* the arena stays */
DEFINE_CLEANUP_EMBEDDED(struct api, api_fini)

/* NULL when there is none; also those that are off. group_version: "apps/v1", "v1". */
const struct api_group *api_group(const struct api *api, const char *group_version);
const struct api_kind *api_kind(const struct api *api, const char *group_version, const char *kind);
const struct api_kind *api_resource(const struct api *api, const char *group_version,
				    const char *resource);
/* Has it a name in OpenAPI here? Not of hidden ones, nor of a feature that is off. */
static inline bool api_type_is_shown(const struct api_type *t)
{
	return !t->hidden && !(t->group->gate && t->group->nkinds == 0);
}
/* A type by OpenAPI's name, also of those that are no kinds (options, Status, Table). */
const struct api_type *api_definition(const struct api *api, const char *definition);
/* The group of what all groups share. */
#define API_META "meta/v1"
/* By group_version and name: "v1", "PodSpec". Kinds of the meta group are found under every
 * group_version, as upstream serves them: DeleteOptions, Status, WatchEvent, ... */
const struct api_type *api_type(const struct api *api, const char *group_version, const char *name);
