/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types of CEL of a kind's table, built in or custom: what a check of a policy's expressions knows
 * of object and params. What the table does not say, and what upstream's schemas say in two ways
 * (quantities, ports), is dyn.
 *
 * Spec: apiserver's cel/common, SchemaDeclType (for facts).
 */
#pragma once

#include "base/str.h"

struct api_kind;
struct api_type;
struct arena;
struct cel_type;
struct err;
struct policy_scope;
struct policy_types;
struct doc;

/* Made as it is asked for, in the arena of who asks; NULL past its maximum. */
const struct cel_type *type_cel(const struct api_type *t, struct arena *a);

#define TYPE_CEL_KINDS_MAX 10 /* that one policy is checked against */

/* A kind that a policy's rules name. */
struct type_cel_kind {
	const char *group, *version, *kind;
	const struct cel_type *type;
};
/*
 * status.typeChecking.expressionWarnings of a ValidatingAdmissionPolicy, an array in `a`: what its
 * validations have wrong about the types of these kinds, one warning an expression, in upstream's
 * words. params NULL: dyn. -ERR_QUOTA.
 */
int type_cel_warnings(const struct doc *policy, const struct type_cel_kind *kinds, size_t n,
		      const struct cel_type *params, struct arena *a, struct doc *ret,
		      struct err *err);
