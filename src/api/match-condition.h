/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Match conditions of admission webhooks: CEL over a request, with `authorizer` and
 * `authorizer.requestResource`, whose values are the caller's.
 *
 * Spec: Kubernetes 1.36, "Matching requests: matchConditions"; admission.k8s.io/v1.
 */
#pragma once

#include "base/str.h"

struct arena;
struct cel_env;
struct cel_prog;
struct cel_type;
struct cel_value;
struct doc;
struct err;

/* Places of the variables. */
enum {
	MATCH_VAR_OBJECT,
	MATCH_VAR_OLD,
	MATCH_VAR_REQUEST,
	MATCH_VAR_AUTHORIZER,	    /* CEL_T_AUTHORIZER */
	MATCH_VAR_REQUEST_RESOURCE, /* CEL_T_RESOURCE_CHECK */
	MATCH_VARS
};

#define MATCH_COST_MAX 2500000u /* of all conditions of one webhook, in CEL's units */

/* In the arena, for as long as what is compiled by it. */
int match_env_new(struct arena *a, struct cel_env **ret, struct err *err);
/* -ERR_INVALID in cel-go's words; it evaluates to a bool. */
int match_compile(const struct cel_env *env, struct slice text, struct arena *a,
		  const struct cel_prog **ret, struct err *err);
/* Values of the first three variables; documents outlive them. NULL: null. */
int match_values(const struct doc *obj, const struct doc *old, const struct doc *request,
		 struct arena *a, struct cel_value *ret, struct err *err);
