/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nodes have to do with: a node's pods, what those refer to, the volumes that their claims are
 * bound to and the secrets of those. Kept from the caches of pods and persistent volumes, change by
 * change; a change that leaves a pod's spec as it was costs a hash of it.
 *
 * A question is answered from the node's side: as much work as the node has references (about a
 * thousand), however many pods use the object.
 */
#pragma once

#include "apiserver/auth/pod-refs.h"
#include "base/cleanup.h"

#include <stdbool.h>

struct err;
struct node_graph;
struct resources;
struct strategy_user;

/* Whose node a user is: NULL: of none; "": it is one, without a name. (User system:node:NAME in the
 * group system:nodes.) */
const char *node_of_user(const struct strategy_user *u);

/* After world_start is done. What is in the caches now is in it when this returns. */
int node_graph_new(struct resources *rs, struct node_graph **ret, struct err *err);
/* Before resources_free. */
void node_graph_free(struct node_graph *g);
DEFINE_CLEANUP(struct node_graph *, node_graph_free)

/* Is that pod bound to the node? */
bool node_graph_has_pod(const struct node_graph *g, const char *node, const char *ns,
			const char *name);
/* Does a pod of the node refer to it? Secrets also by way of claims and their volumes. */
bool node_graph_refers(const struct node_graph *g, const char *node, enum pod_ref what,
		       const char *ns, const char *name);
/* Is the persistent volume bound to a claim that a pod of the node uses? */
bool node_graph_has_volume(const struct node_graph *g, const char *node, const char *name);

struct node_graph_stats {
	size_t nodes, pods, names, volumes;
};
struct node_graph_stats node_graph_get_stats(const struct node_graph *g);
