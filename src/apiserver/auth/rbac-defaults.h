/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roles and bindings that every cluster has: who is system:masters may do all, controllers,
 * scheduler, nodes and proxies what they need, users look at themselves and at discovery.
 *
 * They are made new where they are missing, and get back rules and subjects that they lack, unless
 * their annotation rbac.authorization.kubernetes.io/autoupdate says "false"; what was added stays.
 * Spec: Kubernetes' RBAC documentation, default roles and role bindings (1.36).
 */
#pragma once

#include <stddef.h>

struct arena;
struct doc;
struct err;

enum rbac_default_kind {
	RBAC_CLUSTER_ROLE,
	RBAC_CLUSTER_ROLE_BINDING,
	RBAC_ROLE,
	RBAC_ROLE_BINDING,
};
/* Their number, and the i-th as an object with kind, apiVersion and metadata (labels, annotations,
 * namespace), in the order in which they can be made. -ERR_QUOTA when the arena is full. */
size_t rbac_defaults_count(void);
int rbac_default(size_t i, struct arena *a, enum rbac_default_kind *ret_kind, struct doc *ret,
		 struct err *err);
/* *obj, the one that is there, with what it lacks of `want`. 1: it was changed; 0: nothing is
 * missing, or it is not to be touched. A binding whose roleRef differs is 2: to be made anew. */
int rbac_default_reconcile(const struct doc *want, struct doc *obj, struct arena *a);
