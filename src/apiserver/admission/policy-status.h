/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the status of ValidatingAdmissionPolicies: observedGeneration, and what a check of their
 * expressions against the types of the kinds they are for found (upstream's controller
 * "validatingadmissionpolicy-status").
 *
 * Follows the cache; a policy is looked at when its generation is another than the observed one.
 * One write at a time. Spec: Kubernetes 1.36, "Validating Admission Policy", type checking.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>

struct err;
struct loop;
struct policy_status;
struct resources;

/* After world_start is done. -ERR_NOT_FOUND: no policies are served. */
int policy_status_start(struct resources *rs, struct loop *loop, struct policy_status **ret,
			struct err *err);
/* Before world_free; a write that is under way ends by itself. NULL is fine. */
void policy_status_stop(struct policy_status *g);
DEFINE_CLEANUP(struct policy_status *, policy_status_stop)
bool policy_status_idle(const struct policy_status *g);
