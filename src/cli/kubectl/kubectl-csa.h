/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to `kubectl apply --server-side`: objects that were applied on the client before. Which
 * managers of metadata.managedFields did that, and the list that hands their fields over.
 * Format: structured-merge-diff, FieldsV1 ("f:name", "k:{...}", "v:...", "." the field itself).
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>

struct arena;
struct doc;

/* Some manager of this operation ("Apply", "Update") owns the annotation of apply. */
bool csa_owns_note(const struct doc *obj, const char *operation);
/* metadata.managedFields when all that such managers had by "Update" is the manager's by "Apply".
 * 0: nothing is to be done; 1: *ret, in the arena, shares nodes of obj. */
int csa_upgrade(struct arena *a, const struct doc *obj, const char *manager, struct doc *ret);
