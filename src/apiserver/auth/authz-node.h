/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nodes may do: each its own Node, Lease, CSINode and ResourceSlices; pods that are bound to
 * it, and what those refer to; beyond that the rules of the default role system:node. Others have
 * nothing from here. What a write may contain is the plugin NodeRestriction's to say.
 * Spec: Kubernetes' documentation, "Using Node Authorization" (with AuthorizeNodeWithSelectors).
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>

struct authz_attrs;
struct authz_node;
struct buf;
struct err;
struct resources;

/* After world_start is done. Keeps a node_graph. */
int authz_node_new(struct resources *rs, struct authz_node **ret, struct err *err);
void authz_node_free(struct authz_node *n);
DEFINE_CLEANUP(struct authz_node *, authz_node_free)

/* why (may be NULL): what is missing, appended; nothing when it is no node. */
bool authz_node_allows(const struct authz_node *n, const struct authz_attrs *at, struct buf *why);
