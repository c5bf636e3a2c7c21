/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the rules of ClusterRoles that have an aggregationRule: those of all roles that one of its
 * selectors takes, in order of selectors and names, each once. What anybody else writes there goes
 * again. So a definition's own roles become part of admin, edit and view by a label.
 *
 * Follows the cache; a role is looked at again when it, or one that it gathers or gathered from,
 * has changed. One write at a time, by the field manager of upstream's controller.
 * Spec: Kubernetes' RBAC documentation, "Aggregated ClusterRoles".
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>

struct err;
struct loop;
struct rbac_aggregate;
struct resources;

/* After world_start is done. -ERR_NOT_FOUND: no ClusterRoles are served. */
int rbac_aggregate_start(struct resources *rs, struct loop *loop, struct rbac_aggregate **ret,
			 struct err *err);
/* Before world_free; a write that is under way ends by itself. NULL is fine. */
void rbac_aggregate_stop(struct rbac_aggregate *g);
DEFINE_CLEANUP(struct rbac_aggregate *, rbac_aggregate_stop)
/* Every role has the rules that it should have. */
bool rbac_aggregate_idle(const struct rbac_aggregate *g);
