/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes away the finalizers that protect claims, volumes and volume attributes classes in use
 * (upstream's controllers pvc-protection, pv-protection, vac-protection), and gives them to those
 * that are older than the admission plugin StorageObjectInUseProtection.
 *
 * What is decided is api/volume-protect.h's; here the cache is followed. It is at one revision of
 * the whole store: what was written before a deletion that is seen is seen, too.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>

struct err;
struct loop;
struct resources;
struct storage_protect;

/* After world_start is done. adds: the plugin is on; else finalizers are only taken away. */
int storage_protect_start(struct resources *rs, struct loop *loop, bool adds,
			  struct storage_protect **ret, struct err *err);
/* Before world_free; a write that is under way ends by itself. NULL is fine. */
void storage_protect_stop(struct storage_protect *g);
DEFINE_CLEANUP(struct storage_protect *, storage_protect_stop)
bool storage_protect_idle(const struct storage_protect *g);
