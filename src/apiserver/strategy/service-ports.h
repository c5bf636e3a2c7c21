/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to service-alloc: node ports among several servers. Upstream's RangeAllocation
 * servicenodeports has a bit for each port that is taken; it is written in the transaction of the
 * Service that takes or gives up one, guarded by what was looked at, so no two servers give out the
 * same. (Cluster IPs are safe by the guards of their IPAddress objects.)
 */
#pragma once

#include "apiserver/strategy/strategy-private.h"

struct service_ports;

/* in_use: how many Services have port from + i, by the caches; borrowed. NULL when no other server
 * shares the store. Begins to mend what is stored, now and every three minutes: a port without its
 * bit gets it; a bit without a Service goes when it was so for nine minutes. */
struct service_ports *service_ports_new(struct resources *rs, unsigned from, unsigned to,
					const uint16_t *in_use);
void service_ports_free(struct service_ports *sp); /* NULL is fine */
DEFINE_CLEANUP(struct service_ports *, service_ports_free)

/* NULL: ports can be given; else why not. */
const char *service_ports_why_not(struct service_ports *sp);
bool service_ports_has(struct service_ports *sp, int64_t port);
/* What goes with a write of a Service, as c->more: obj NULL, it is removed; old NULL, it is new. */
int service_ports_write(struct service_ports *sp, struct strategy_call *c, const struct doc *obj,
			const struct doc *old, struct err *err);
