/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tables say, as OpenAPI: version 2 (/openapi/v2) and version 3 (/openapi/v3), with
 * upstream's extensions: x-kubernetes-group-version-kind, -list-type, -list-map-keys, -map-type,
 * -patch-strategy, -patch-merge-key, -unions. Version 3 also has the values of enums and those
 * defaults that upstream's types declare or cannot do without.
 */
#pragma once

#include "api/api.h"

struct doc;
struct err;

enum api_openapi { API_OPENAPI_V2, API_OPENAPI_V3 };

/* The schema of one type, as it stands under its name in `definitions` or `components.schemas`. */
int api_openapi_type(const struct api *api, const struct api_type *t, enum api_openapi v,
		     struct arena *a, struct doc *ret, struct err *err);
/* All types that `definitions` has: those of the tables and the scalars with names of their own
 * (Time, Quantity, IntOrString, RawExtension, JSON, ..., version.Info). */
int api_openapi_definitions(const struct api *api, enum api_openapi v, struct arena *a,
			    struct doc *ret, struct err *err);
/* The schema under its name, of a type or of such a scalar. -ERR_NOT_FOUND. */
int api_openapi_named(const struct api *api, const char *name, enum api_openapi v, struct arena *a,
		      struct doc *ret, struct err *err);
/* Names of those scalars; NULL past the last. */
const char *api_openapi_scalar(size_t i);
