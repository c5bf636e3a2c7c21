/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Container networks: what a container's network namespace is connected to.
 *
 * One struct network_set per engine holds its networks. Built in: "none", "host", "bridge".
 * Kernel-visible names carry the instance id (8 hex digits), and the subnet is picked free, so
 * several engines live in one namespace. Nothing is stored here: the engine keeps endpoints in its
 * database and takes their addresses again at restart. All calls are thread safe; attach is made
 * for a worker thread (it enters the namespace and comes back). Call it in the network namespace
 * that the networks live in.
 */
#pragma once

#include "linux/rtnl.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct buf;
struct err;
struct network;
struct network_set;

#define NETWORK_INSTANCE_LEN 8
#define NETWORK_ID_LEN 64

/* ---- what HostConfig.NetworkMode says ---- */

enum network_kind {
	NETWORK_KIND_BRIDGE,	/* "", "default", "bridge" */
	NETWORK_KIND_NONE,	/* an own namespace with lo only */
	NETWORK_KIND_HOST,	/* the engine's namespace */
	NETWORK_KIND_CONTAINER, /* "container:REF": the namespace of another container */
	NETWORK_KIND_NAMED	/* a user-defined network, looked up with network_find */
};

struct network_mode {
	enum network_kind kind;
	const char *ref; /* borrowed from the text: container or network; "bridge" for BRIDGE */
};
int network_mode_parse(const char *text, struct network_mode *ret, struct err *err);

/* ---- the networks of an engine ---- */

struct network_options {
	const char *instance; /* NETWORK_INSTANCE_LEN hex digits */
	const char *subnet;   /* what the engine stored for "bridge", e.g. "172.17.0.0/16", or NULL.
			       * Another one is   taken when something else uses it now */
	const char *bridge_id; /* stored network id (64 hex) or NULL: a new one */
	uint32_t mtu;	       /* 0 = 1500 */
	bool no_masquerade;    /* no nft table at all */
};

/* Touches nothing in the kernel. */
int network_set_new(const struct network_options *o, struct network_set **ret, struct err *err);
/* Frees memory; bridge and table stay, containers live on. */
void network_set_free(struct network_set *s);
DEFINE_CLEANUP(struct network_set *, network_set_free)

/* By name, full id, or unambiguous id prefix (as docker). ERR_NOT_FOUND "network 'x' not found". */
int network_find(struct network_set *s, const char *ref, struct network **ret, struct err *err);
struct network *network_at(struct network_set *s, unsigned i); /* NULL at the end */

/* A user-defined network. Every driver but the built-in ones' is refused by name today
 * (ERR_UNSUPPORTED). */
struct network_spec {
	const char *name, *driver, *subnet;
};
int network_create(struct network_set *s, const struct network_spec *spec, struct network **ret,
		   struct err *err);

struct network_info {
	const char *name, *id, *driver; /* borrowed from the network */
	const char *bridge;		/* interface name, "" if none */
	struct rtnl_addr subnet,
		gateway; /* family 0 before the first network_up, or if the driver has none */
	uint32_t mtu;
	bool up;
	bool forwarding; /* net.ipv4.ip_forward is 1; 0 and not writable: containers reach only the
			    host */
	bool forwarding_set; /* we wrote net.ipv4.ip_forward = 1 in this namespace, since it was 0
			      */
};
void network_info(struct network *n, struct network_info *ret);

/* Makes what is missing of bridge, address, nft table, forwarding; finds again what is there.
 * Idempotent, called by attach too. The first call costs some ms, later ones nothing. */
int network_up(struct network *n, struct err *err);
/* Removes bridge and table. Endpoints still attached lose their way out. ip_forward stays as it is.
 */
int network_down(struct network *n, struct err *err);

/* ---- addresses ---- */

/* Takes `wanted` (ERR_CONFLICT if taken, ERR_INVALID outside of the subnet) or, with NULL, the next
 * free one. ERR_QUOTA when the subnet is full. The network must be up. At restart the engine takes
 * what its database says. */
int network_ipam_take(struct network *n, const struct in_addr *wanted, struct in_addr *ret,
		      struct err *err);
void network_ipam_free(struct network *n, struct in_addr a); /* not taken: nothing happens */

/* ---- endpoints ---- */

struct network_endpoint_spec {
	const char *container; /* id, at least 12 hex digits: makes the veth's name and the endpoint
				  id */
	int netns_fd; /* ready namespace of the container: pooled or fresh; only lo in it so far */
	const struct in_addr *wanted; /* fixed address or NULL */
	const uint8_t *mac;	      /* or NULL: 02:42 and the address */
};

/* What inspect shows; plain values, copied into the engine's database. */
struct network_endpoint {
	char network_id[NETWORK_ID_LEN + 1];
	char endpoint_id[NETWORK_ID_LEN + 1];
	char ifname[IFNAMSIZ]; /* in the container: eth0 */
	char veth[IFNAMSIZ];   /* ours */
	struct rtnl_addr addr, gateway;
	uint8_t mac[6];
};

/* lo up, and what the driver gives: for bridge a veth with address and default route, in two
 * netlink sends and one question. On failure nothing is left but lo up. */
int network_attach(struct network *n, const struct network_endpoint_spec *spec,
		   struct network_endpoint *ret, struct err *err);
/* Gives the address back. The interface dies with the namespace, asynchronously: nothing is deleted
 * here. */
void network_detach(struct network *n, const struct network_endpoint *ep);

#define NETWORK_MAC_TEXT 18
const char *network_mac_text(const uint8_t mac[6], char dst[NETWORK_MAC_TEXT]);

/* ---- /etc/hosts, /etc/hostname, /etc/resolv.conf: contents only, the engine writes them ---- */

struct network_files {
	enum network_kind kind;
	const char *hostname, *domainname; /* domainname may be NULL */
	const struct rtnl_addr *addr;	   /* of the container, NULL without */
	const struct rtnl_addr *gateway;   /* what host-gateway stands for, NULL without */
	const char *const *extra_hosts;	   /* "name:ip", "name=ip", ip may be host-gateway;
					      NULL-terminated or NULL */
	const char *const *dns, *const *dns_search, *const *dns_options; /* the same */
	struct slice host_hosts;  /* kind HOST: the host's /etc/hosts, else unused */
	struct slice host_resolv; /* the host's /etc/resolv.conf, {NULL,0} if it has none */
};

int network_hosts(const struct network_files *f, struct buf *out, struct err *err);
int network_hostname(const struct network_files *f, struct buf *out, struct err *err);
/* Nameservers, search and options: ours if given, else the host's without loopback servers (and
 * without IPv6 ones when the container has no IPv6), else Google's as docker does. Kind HOST copies
 * the host's unless one is given. */
int network_resolv(const struct network_files *f, struct buf *out, struct err *err);
