/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links, addresses and routes over rtnetlink.
 *
 * rtnl_put_* queue a request on a struct nl of NETLINK_ROUTE; nl_commit sends them all at once. The
 * rest asks and waits. Two rules that cost 20 ms each when broken: an interface is never moved to
 * another namespace (a veth peer is born inside it), and a veth is never deleted on a request path
 * (it dies with its namespace).
 */
#pragma once

#include "linux/netlink.h"

#include <net/if.h>
#include <netinet/in.h>

struct err;

/* An address with its prefix length; family AF_INET or AF_INET6, 0 = none. */
struct rtnl_addr {
	uint8_t family, prefix;
	union {
		struct in_addr v4;
		struct in6_addr v6;
		uint8_t bytes[16];
	};
};

struct rtnl_stats {
	uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
	uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};

struct rtnl_link {
	int index, master, peer; /* peer: IFLA_LINK, its index in the peer's namespace */
	unsigned flags;		 /* IFF_* */
	uint32_t mtu;
	char name[IFNAMSIZ];
	char kind[16]; /* "bridge", "veth", "" for hardware */
	uint8_t mac[6];
	struct rtnl_stats stats;
};

struct rtnl_ifaddr {
	int index;
	struct rtnl_addr addr;
};

struct rtnl_route {
	struct rtnl_addr dst; /* family always set; prefix 0 = default */
	struct rtnl_addr via; /* family 0 = on link */
	int index;
	uint32_t table;
	uint8_t type; /* RTN_* */
};

/* A pair in one message: ours attached and up, the peer born inside netns_fd. The kernel lets the
 * peer's index be chosen only together with ours, so it is found by name afterwards. */
struct rtnl_veth {
	const char *name, *peer_name;
	const uint8_t *mac, *peer_mac; /* 6 bytes, or NULL for the kernel's choice */
	uint32_t mtu;		       /* of both; 0 = kernel's */
	int master;		       /* ifindex of a bridge, or 0 */
	int netns_fd;		       /* of the peer; -1 = ours */
};

/* By name; ERR_NOT_FOUND when there is none. */
int rtnl_link_get(struct nl *nl, const char *name, struct rtnl_link *ret, struct err *err);
int rtnl_link_get_index(struct nl *nl, int index, struct rtnl_link *ret, struct err *err);
/* The callbacks return 0 to go on, anything else to end the list with it. */
int rtnl_link_list(struct nl *nl, int (*fn)(void *arg, const struct rtnl_link *l), void *arg,
		   struct err *err);
int rtnl_addr_list(struct nl *nl, int (*fn)(void *arg, const struct rtnl_ifaddr *a), void *arg,
		   struct err *err);
int rtnl_route_list(struct nl *nl, int (*fn)(void *arg, const struct rtnl_route *r), void *arg,
		    struct err *err);
/* Sum over all links of the namespace but lo, as docker's stats count; one dump. */
int rtnl_stats_list(int netns_fd, int (*fn)(void *arg, const struct rtnl_link *l), void *arg,
		    struct err *err);

/* tolerate EEXIST with `exist_ok`. mac may be NULL. Created up. */
void rtnl_put_bridge(struct nl *nl, const char *name, const uint8_t *mac, uint32_t mtu,
		     bool exist_ok);
void rtnl_put_veth(struct nl *nl, const struct rtnl_veth *v);
void rtnl_put_link_up(struct nl *nl, int index);
void rtnl_put_link_del(struct nl *nl, int index); /* absent is fine. Slow for a veth: see above */
void rtnl_put_addr(struct nl *nl, int index, const struct rtnl_addr *a); /* already there is fine */
void rtnl_put_route(struct nl *nl,
		    const struct rtnl_route *r); /* main table; already there is fine */

/* lo up in the namespace of netns_fd (-1 = the caller's). */
int rtnl_lo_up(int netns_fd, struct err *err);

/* "10.1.2.3/24", "fe80::1"; without a length it is the whole address. -ERR_INVALID names the text.
 */
int rtnl_addr_parse(const char *s, struct rtnl_addr *ret, struct err *err);
#define RTNL_ADDR_TEXT 64
const char *rtnl_addr_text(const struct rtnl_addr *a, bool with_prefix, char dst[RTNL_ADDR_TEXT]);
