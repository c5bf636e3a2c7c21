/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which requests a webhook or an admission policy is meant for: rules, selectors, matchPolicy.
 *
 * Spec: admissionregistration.k8s.io/v1, RuleWithOperations, MatchResources.
 */
#pragma once

#include "api/selector.h"
#include "apiserver/objects/resource.h"

struct arena;
struct doc;

enum hook_op {
	HOOK_CREATE = 1 << 0,
	HOOK_UPDATE = 1 << 1,
	HOOK_DELETE = 1 << 2,
	HOOK_CONNECT = 1 << 3,
};
const char *hook_op_name(enum hook_op op); /* "CREATE" */

enum hook_scope { HOOK_ALL, HOOK_CLUSTER, HOOK_NAMESPACED };

struct hook_rule {
	unsigned ops; /* enum hook_op */
	enum hook_scope scope;
	/* NULL-terminated; names: of the objects, none means any. */
	const char *const *groups, *const *versions, *const *resources, *const *names;
};

/* Which requests are meant. */
struct hook_criteria {
	const struct hook_rule *rules, *excluded;
	size_t nrules, nexcluded;
	struct selector namespaces, objects;
	bool no_namespaces, no_objects; /* a selector that selects nothing */
	bool exact;			/* matchPolicy */
	bool any;			/* without rules: all that is asked about */
};
/* rules, exclude: lists of RuleWithOperations, NULL: none; d has namespaceSelector, objectSelector,
 * matchPolicy. */
int hook_criteria_read(const struct doc *d, const struct doc *rules, const struct doc *exclude,
		       struct arena *a, struct hook_criteria *ret, struct err *err);

/* What is asked about. */
struct hook_match {
	struct resources *rs;
	enum hook_op op;
	const struct resource *asked;
	const char *sub, *ns, *name;
	const struct doc *obj, *old;	   /* with metadata.labels; NULL: none */
	const struct resource *equals[16]; /* private: the same objects in other versions */
	size_t nequals;
	bool looked;
};
/*
 * Is it meant? Then *ret is the resource in whose version: the one asked for, or one that is the
 * same in another. Negative: the namespace of the request is not there (-ERR_NOT_FOUND), or cannot
 * be read.
 */
int hook_criteria_match(const struct hook_criteria *k, struct hook_match *m,
			const struct resource **ret, struct err *err);
/* Objects that nobody is ever asked about: those that say who is asked. */
bool hook_is_exempt(const struct api_kind *k);
