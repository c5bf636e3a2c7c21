/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows StorageVersionMigrations (storagemigration.k8s.io/v1beta1) and does what they ask for:
 * objects of a resource that the store has in another form than a write would give them now (an
 * older version of a custom kind, another key of encryption at rest) are written again. What would
 * be the same bytes is not written, and no watcher hears of it.
 *
 *	(1) Of one resource one migration runs at a time: the oldest, then by name.
 *	(2) Conditions are upstream's. Running comes first, then status.resourceVersion, then
 *	    objects, then Succeeded or Failed, then Running is False.
 *	(3) A definition is told of it (StorageMigrating); when it has not changed since then,
 *	    success leaves the storage version alone in its status.storedVersions.
 *	(4) Nothing is kept in memory that matters: after a kill it goes on from what is stored.
 *
 * A write is a transaction of a few objects, each expected as it was looked at: a conflict has them
 * looked at again, a webhook or store that fails is tried again. All on the loop's thread.
 * Spec: KEP-4192; Kubernetes 1.36's storage-version-migrator-controller (for facts).
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>

struct err;
struct loop;
struct resources;
struct storage_migration;

#define MIGRATION_GROUP "storagemigration.k8s.io"
#define MIGRATION_RESOURCE "storageversionmigrations"

/* After world_start is done. -ERR_NOT_FOUND: the kind is not served. */
int storage_migration_start(struct resources *rs, struct loop *loop, struct storage_migration **ret,
			    struct err *err);
/* Before resources_free, when the world writes nothing any more; NULL is fine. */
void storage_migration_stop(struct storage_migration *g);
DEFINE_CLEANUP(struct storage_migration *, storage_migration_stop)
/* Nothing is under way, and nothing waits but for a change. */
bool storage_migration_idle(const struct storage_migration *g);
