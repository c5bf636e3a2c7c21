/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a Service is reached, for what this server asks itself (webhooks, other API servers): at
 * one of its ready endpoints, each of them as likely; one that has no EndpointSlices at all at its
 * cluster IP; one of type ExternalName at that name. Addresses that no user may have asked
 * (agent_proxyable) are none. On the loop's thread.
 */
#pragma once

#include "base/str.h"
#include "io/resolver.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;
struct resources;

struct service_endpoint {
	/* Set by the caller. */
	const char *ns, *name;
	uint16_t port; /* of the Service */
	/* What was found; texts in the arena. */
	bool exists, cluster, has_port; /* cluster: of type ClusterIP */
	const char *port_name;		/* of has_port: "" = none */
	const char *external;		/* ExternalName; NULL: another type */
	size_t slices, ready;		/* ready: addresses of that port */
	bool found;			/* ip, at */
	struct ip_addr ip;
	uint16_t at;
};
/* All of it; a Service or slice that cannot be read counts as none. */
void service_endpoint_look(struct resources *rs, struct arena *a, struct service_endpoint *e);
/* Why it is neither found nor external: -ERR_UNAVAILABLE in upstream's words. */
int service_endpoint_why(const struct service_endpoint *e, struct err *err);
