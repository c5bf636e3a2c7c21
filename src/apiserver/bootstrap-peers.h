/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to bootstrap: which servers share the store, by upstream's masterleases: each has a key
 * of its address, under a lease that it keeps alive; who dies goes with its lease.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct resources;
struct store;

struct peers;

/* address: ours; copied. ttl: s, of the lease. changed: another address came, or one went. */
struct peers *peers_new(struct resources *rs, struct store *store, const char *address, int64_t ttl,
			void (*changed)(void *arg), void *arg);
/* Our address is taken out (a write: world_writing) and nothing more is told; idempotent. */
void peers_leave(struct peers *p);
void peers_free(struct peers *p); /* NULL is fine; leaves */
DEFINE_CLEANUP(struct peers *, peers_free)

/* Addresses of all, ours always among them, in order of their text; in a, ended by NULL. NULL: a is
 * full. v6: 1 or 0: of this family only; -1: all. */
const char *const *peers_addresses(const struct peers *p, struct arena *a, int v6);
