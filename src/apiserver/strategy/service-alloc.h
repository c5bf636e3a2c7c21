/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the strategies: which addresses and node ports Services have, and the choice of free
 * ones.
 *
 * What is stored is known from the caches (Services as they change, IPAddresses as they are); what
 * a request chose and did not write yet is known here, and ends with the request's arena. So two
 * requests never choose the same; the arena that chose may ask again and gets the same answer.
 *
 * Ranges: those given at the start, and those of ServiceCIDR objects that are Ready. As upstream
 * has it, the lower part of a range is for those who name an address or port, and is chosen from
 * only when the upper one is full.
 */
#pragma once

#include "apiserver/strategy/strategy-private.h"

struct service_alloc;

/* NULL: not started. */
struct service_alloc *service_alloc_of(const struct strategy_call *c);

/* The family of the first range; whether one has this family. */
bool service_alloc_primary_v6(const struct service_alloc *sa);
bool service_alloc_has(const struct service_alloc *sa, bool v6);

/* NULL: it is the call's now; else why not, in upstream's words. */
const char *service_alloc_take_ip(struct service_alloc *sa, struct strategy_call *c,
				  const struct strategy_ip *ip);
const char *service_alloc_take_port(struct service_alloc *sa, struct strategy_call *c,
				    int64_t port);
/* Any free one. */
const char *service_alloc_next_ip(struct service_alloc *sa, struct strategy_call *c, bool v6,
				  struct strategy_ip *ret);
const char *service_alloc_next_port(struct service_alloc *sa, struct strategy_call *c,
				    int64_t *ret);

/* ---- objects that go with a Service: service-address.c, service-ports.c ---- */

/* What other servers are told of its node ports, as `more`; obj and old as below. */
int service_write_ports(struct strategy_call *c, const struct doc *obj, const struct doc *old,
			struct err *err);

/* IPAddress objects of addresses that it gets, also of one that lost its object, and of those that
 * it gives up, as `more`. obj NULL: the Service is removed; old NULL: it is new. */
int service_write_addresses(struct strategy_call *c, const struct doc *obj, const struct doc *old,
			    struct err *err);
/* Removes an object, if it is there. */
void service_remove_with(struct strategy_call *c, const char *group, const char *resource,
			 const char *key);

/* ---- for tests, without caches ---- */

int service_alloc_new(struct resources *rs, struct slice cidrs, unsigned port_from,
		      unsigned port_to, struct service_alloc **ret, struct err *err);
void service_alloc_free(struct service_alloc *sa); /* NULL is fine */
DEFINE_CLEANUP(struct service_alloc *, service_alloc_free)
/* A Service is stored now (NULL: no longer) under this key. */
void service_alloc_seen(struct service_alloc *sa, struct slice key, const struct doc *service);
