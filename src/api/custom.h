/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Custom kinds: a CustomResourceDefinition compiled to the same tables that built-in kinds have,
 * and what its schemas say beyond tables. Nobody branches on it: api_admit, api_check, typed.h,
 * apply.h take the types of custom kinds as any other.
 *
 *	struct api_kind -> custom -> struct api_custom	one version of a definition
 *	struct custom					the definition, counted, owns all of it
 *
 * Everything is constant after custom_compile and may be read by many threads; the count is not
 * atomic. Objects of custom kinds are JSON only, their members stand as they were sent behind kind,
 * apiVersion and metadata, zero values and nulls that the schema allows are kept.
 *
 * Versions differ in their names only, unless a webhook converts (custom_webhook): then each object
 * stays in the version that it was written in, and only the webhook makes another of it.
 *
 * Spec: apiextensions.k8s.io/v1; structural schemas.
 */
#pragma once

#include "api/api.h"
#include "api/object.h"
#include "api/openapi.h"
#include "base/cleanup.h"

struct arena;
struct check;
struct custom;
struct custom_column;
struct custom_schema;
struct doc;
struct err;
struct path;

/* Paths of /scale: ".spec.replicas". */
struct custom_scale {
	const char *spec_replicas, *status_replicas;
	const char *selector; /* NULL: none */
};

/* One version of a definition: kind->custom. */
struct api_custom {
	const struct custom *definition;
	const struct custom_schema *schema;  /* private */
	const struct custom_column *columns; /* private */
	const char *warning; /* for who uses a deprecated version ("foo.example.com/v1beta1 Foo is
				deprecated"); NULL */
	const struct custom_scale *scale; /* NULL: it has none */
	bool has_status;		  /* the status subresource */
	bool has_defaults;		  /* somewhere in its schema */
	bool served;
	uint32_t form; /* no other version of a definition, nor this one compiled again, has it */
};

#define CUSTOM_BYTES_MAX (16u << 20) /* what one definition may take in memory */

/*
 * All versions of a definition (a canonical document; strings are copied). Names are those of
 * status.acceptedNames where it has them, else of spec.names. `api` outlives the result.
 * -ERR_INVALID names what cannot be compiled: rules in CEL that are none, a webhook without one,
 * patterns that are none, schemas that are not structural; -ERR_QUOTA past CUSTOM_BYTES_MAX.
 */
int custom_compile(const struct api *api, const struct doc *crd, struct custom **ret,
		   struct err *err);
struct custom *custom_ref(struct custom *c);
void custom_unref(struct custom *c); /* NULL is fine */
DEFINE_CLEANUP(struct custom *, custom_unref)

/* The versions that are served, in the definition's order. */
const struct api_kind *const *custom_kinds(const struct custom *c, size_t *ret_n);
const struct api_kind *custom_stored(const struct custom *c); /* the one objects are written in */
/* spec.conversion.webhook of its definition, canonical; NULL: strategy None, or a built-in kind. */
const struct doc *custom_webhook(const struct api_kind *kind);
/* Any version, served or not; NULL: there is none of this name. */
const struct api_kind *custom_version(const struct custom *c, const char *version);

/* ---- tables, scale, OpenAPI: kind->custom is not NULL ---- */

/* Table.columnDefinitions: Name, then the version's columns (Age when it has none). */
int custom_columns(const struct api_kind *kind, struct arena *a, struct doc *ret, struct err *err);
/* The cells of an object, as long as the definitions. Dates become ages at `now` (seconds since
 * 1970) by `age`, which is columns_age. */
int custom_cells(const struct api_kind *kind, const struct doc *obj, int64_t now,
		 const char *(*age)(int64_t seconds, char *out, size_t n), struct arena *a,
		 struct doc *ret, struct err *err);

/* autoscaling/v1 Scale of an object. -ERR_NOT_FOUND: the kind has no scale; -ERR_SYSTEM in
 * upstream's words: the object has no spec.replicas. */
int custom_scale_get(const struct api_kind *kind, const struct doc *obj, struct arena *a,
		     struct doc *ret, struct err *err);
/* obj with the Scale's spec.replicas; its nodes may be changed. */
int custom_scale_set(const struct api_kind *kind, struct doc *obj, const struct doc *scale,
		     struct arena *a, struct err *err);

/*
 * The schema of the kind as upstream publishes it, under the name kind->type->definition
 * ("com.example.v1.Foo"). Version 2 leaves out what it cannot say. custom_openapi_list: of the
 * list, under kind->list->definition.
 */
int custom_openapi(const struct api_kind *kind, enum api_openapi v, struct arena *a,
		   struct doc *ret, struct err *err);
int custom_openapi_list(const struct api_kind *kind, enum api_openapi v, struct arena *a,
			struct doc *ret, struct err *err);

/* ---- called by others of this folder ---- */

/* api_admit for types with `custom` set: unknown members go (and to strays), metadata is coerced,
 * defaults are filled in. API_PARTIAL: no defaults, nulls stay. */
int custom_admit(const struct api_type *t, const struct doc *d, struct arena *a, unsigned flags,
		 struct api_strays *strays, struct doc *ret, struct err *err);
/* api_check's rules: the schema (what an update does not change may stay wrong), lists that are
 * sets or maps, embedded objects, scale, rules in CEL. sub: "" or "status". */
void custom_check(struct check *c, const struct doc *obj, const char *sub);
/* Formats of a definition's schemas that nobody knows, each once: upstream warns of them. */
void custom_unknown_formats(const struct doc *crd, void (*tell)(void *arg, struct slice format),
			    void *arg);
/* struct cache_form's `foreign` of custom kinds: an object that was stored in another version, as
 * the stored version has it; with a webhook, as its own version has it (custom_kind_of). */
int custom_foreign(void *arg, const struct api_kind *kind, struct slice bytes, struct buf *out,
		   struct err *err);
/* struct cache_form's `kind_of`: the version of the same definition that canonical bytes are in.
 * NULL: it is as `kind` says, or there is no webhook. */
const struct api_kind *custom_kind_of(const struct api_kind *kind, struct slice bytes);
/* struct cache_form's `fills`: has the kind defaults, which stored objects may lack? */
bool custom_fills(const struct api_kind *kind);
/* Of a definition that is checked: defaults that do not fit their schemas, patterns that are none.
 * at: the path of the schema. */
void custom_check_schema(struct check *c, const struct path *at, const struct doc *schema);
/* As well: rules in CEL that do not compile, cost too much, or that defaults break. `schema` is a
 * version's, and structural. */
void custom_check_rules(struct check *c, const struct path *at, const struct doc *schema);
