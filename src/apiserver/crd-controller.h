/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows CustomResourceDefinitions: accepts their names, compiles and serves them, tells of it in
 * their conditions (NamesAccepted, Established, Terminating,
 * KubernetesAPIApprovalPolicyConformant), and removes all objects of one that is deleted before the
 * definition itself goes.
 *
 * Follows APIServices too: each group and version that is served here, built-in or of a definition,
 * gets a local one; local ones are Available. Of those of other servers the aggregator knows it.
 *
 * All on the loop's thread. What is written goes through the cache; a conflict shows as a change
 * and is looked at again.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>

struct aggregator;
struct crd_controller;
struct err;
struct loop;
struct resources;

/*
 * After world_start is done. What definitions there are with accepted names is served when this
 * returns; conditions are written later. Fails only with -ERR_NOT_FOUND when rs has no definitions.
 */
int crd_controller_start(struct resources *rs, struct loop *loop, struct crd_controller **ret,
			 struct err *err);
/* Borrowed until the end. */
void crd_controller_set_aggregator(struct crd_controller *c, struct aggregator *g);
/* Before resources_free and world_free; what is served stays served. NULL is fine. */
void crd_controller_stop(struct crd_controller *c);
DEFINE_CLEANUP(struct crd_controller *, crd_controller_stop)
/* Nothing is left to do: every definition is served or its conditions say why not, and all is
 * written. */
bool crd_controller_idle(const struct crd_controller *c);
