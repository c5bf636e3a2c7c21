/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission policies and their bindings, compiled. In the order of names.
 *
 * A policy or binding is compiled once for each of its revisions; a set only joins them, and finds
 * those that may concern a resource by its name. Sets and parts are constant, counted, and live as
 * long as a request is judged by them. Spec: admissionregistration.k8s.io/v1.
 */
#pragma once

#include "api/policy.h"
#include "apiserver/admission/admission-match.h"
#include "base/cleanup.h"

struct resources;

enum policy_action {
	POLICY_DENY = 1 << 0,
	POLICY_WARN = 1 << 1,
	POLICY_AUDITED = 1 << 2,
};

struct policy_binding {
	const char *name, *policy;
	bool everywhere; /* it has no matchResources */
	struct hook_criteria on;
	unsigned actions;	   /* enum policy_action */
	const char *const *listed; /* the same as the object has them, NULL-terminated */
	/* paramRef */
	bool has_ref, by_selector, no_params, deny_missing;
	const char *param_name, *param_ns; /* "" = none */
	struct selector params;
};

struct policy_condition {
	const char *name;
	struct policy_expr expr;
};

struct policy_check {
	struct policy_expr expr, words; /* words.text NULL: no messageExpression */
	const char *message, *reason;	/* "" = none; "Invalid" */
};

struct policy_note {
	const char *key;
	struct policy_expr expr;
};

struct policy_change {
	bool json; /* JSONPatch, else ApplyConfiguration */
	struct policy_expr expr;
};

struct policy {
	const char *name;
	struct hook_criteria on;
	const char *param_version, *param_kind; /* NULL: it takes none */
	bool fails_open;			/* failurePolicy Ignore */
	bool again;				/* reinvocationPolicy IfNeeded */
	struct policy_scope *scope;
	const struct policy_condition *conditions;
	const struct policy_check *checks;
	const struct policy_note *notes;
	const struct policy_change *changes;
	size_t nconditions, nchecks, nnotes, nchanges;
};

/* A policy with those of its bindings. */
struct policy_member {
	const struct policy *policy;
	const struct policy_binding *const *bindings;
	size_t nbindings;
};

struct policy_set;
void policy_set_unref(struct policy_set *s); /* NULL is fine */
DEFINE_CLEANUP(struct policy_set *, policy_set_unref)
size_t policy_set_size(const struct policy_set *s);
const struct policy_member *policy_set_at(const struct policy_set *s, size_t i);

/* Members whose rules name the resource, or all resources, in order. */
struct policy_walk {
	const struct policy_set *set;
	size_t named, named_end, any;
};
struct policy_walk policy_set_walk(const struct policy_set *s, const char *resource);
/* *ret_at: its place in the set. NULL: the end. */
const struct policy_member *policy_set_next(struct policy_walk *w, size_t *ret_at);

struct policy_configs;
struct policy_configs *policy_configs_new(struct resources *rs);
void policy_configs_free(struct policy_configs *c); /* NULL is fine */
/* As the objects are now; a reference. NULL: there are none. */
struct policy_set *policy_configs_get(struct policy_configs *c, bool mutating);

/* One policy of its object (canonical), in the arena. -ERR_INVALID, -ERR_QUOTA. */
int policy_of_object(const struct doc *obj, struct arena *a, struct policy *ret, struct err *err);
int policy_binding_of_object(const struct doc *obj, struct arena *a, struct policy_binding *ret,
			     struct err *err);
