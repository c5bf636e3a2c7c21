/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of src/network: the network object, its driver's row, addresses. */
#pragma once

#include "network/network.h"

#include <pthread.h>

#define NETWORK_MAX 4
#define NETWORK_NAME_MAX 64

/* Bits of the host part of a subnet; 1 = taken. Under the network's lock. */
struct ipam {
	uint8_t *taken;
	uint32_t base, size; /* first address (host order) and count of addresses */
	uint32_t next; /* where the search goes on: an address is not given out again at once */
};
/* Network, broadcast and gateway are taken from the start. ERR_INVALID for a prefix outside
 * of 16..30. */
int ipam_init(struct ipam *m, const struct rtnl_addr *subnet, const struct rtnl_addr *gateway,
	      struct err *err);
void ipam_fini(struct ipam *m);
int ipam_take(struct ipam *m, const struct in_addr *wanted, struct in_addr *ret, struct err *err);
void ipam_free(struct ipam *m, struct in_addr a);

struct network;

/* A driver is a row. NULL: nothing to do. up, down and attach run without the lock, take it
 * themselves. */
struct network_driver {
	const char *name;
	int (*up)(struct network *n, struct err *err);
	int (*down)(struct network *n, struct err *err);
	int (*attach)(struct network *n, const struct network_endpoint_spec *spec,
		      struct network_endpoint *ret, struct err *err);
	void (*detach)(struct network *n, const struct network_endpoint *ep);
};
extern const struct network_driver network_driver_bridge;

struct network {
	const struct network_driver *driver;
	char name[NETWORK_NAME_MAX], id[NETWORK_ID_LEN + 1], instance[NETWORK_INSTANCE_LEN + 1];
	uint32_t mtu;
	bool masquerade;
	struct rtnl_addr wish; /* subnet that the engine stored; family 0 = none */

	pthread_mutex_t lock; /* of all below */
	bool up, forwarding, forwarding_set;
	char bridge[IFNAMSIZ];
	int bridge_index;
	struct rtnl_addr subnet, gateway;
	struct ipam ipam;
};
