/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The expressions of an admission policy, compiled: what they see, what they must give.
 *
 *	policy_scope_new(a, POLICY_HAS_PARAMS | POLICY_HAS_VARIABLES, NULL, &scope, err)
 *	policy_variable(scope, "x", text)		each of those behind it sees variables.x
 *	policy_compile(scope, POLICY_VALIDATION, text)
 *
 * Objects are dyn, as upstream has them when requests are judged; with types (struct policy_types)
 * the same is a check of types. Spec: Kubernetes 1.36, "Validating Admission Policy", "Mutating
 * Admission Policy".
 */
#pragma once

#include "base/str.h"
#include "expr/cel.h"

struct arena;
struct err;

/* Places of the variables, in every scope. */
enum policy_var {
	POLICY_OBJECT,
	POLICY_OLD,
	POLICY_REQUEST,
	POLICY_NAMESPACE,
	POLICY_PARAMS,
	POLICY_AUTHORIZER,
	POLICY_ABOUT, /* authorizer.requestResource */
	POLICY_VARIABLES,
	POLICY_VARS,
};

enum policy_use {
	POLICY_ANY,   /* any type: variables, checks of types */
	POLICY_MATCH, /* bool; no variables */
	POLICY_VALIDATION,
	POLICY_MESSAGE, /* string; no authorizer */
	POLICY_AUDIT,	/* string or null */
	POLICY_APPLY,	/* Object */
	POLICY_JSON_PATCH,
	POLICY_USES,
};

enum { POLICY_HAS_PARAMS = 1, POLICY_HAS_VARIABLES = 2 };

struct policy_types {
	const struct cel_type *object, *params; /* NULL: dyn */
};

struct policy_expr {
	const char *text;
	const struct cel_prog *prog; /* NULL: there is none, or */
	const char *error;	     /* it is wrong: upstream's words */
};

struct policy_named {
	const char *name;
	struct policy_expr expr;
	const struct cel_type *seen; /* by the others */
};

struct policy_scope;
/* In the arena, as all that is compiled by it. -ERR_QUOTA. */
int policy_scope_new(struct arena *a, unsigned has, const struct policy_types *types,
		     struct policy_scope **ret, struct err *err);
/* What is wrong is in ->error; such a variable is of type dyn to the others. */
struct policy_expr policy_compile(struct policy_scope *s, enum policy_use use, struct slice text);
struct policy_expr policy_variable(struct policy_scope *s, const char *name, struct slice text);
/* Variables in the order they came; of equal names the last counts. */
const struct policy_named *policy_variables(const struct policy_scope *s, size_t *ret_n);
const struct policy_named *policy_find(const struct policy_scope *s, struct slice name);
