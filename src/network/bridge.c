/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge driver: a bridge with the gateway's address, masquerade to the outside, one veth per
 * container.
 *
 * Invariants:
 * (1) A subnet is chosen and put on a bridge under a lock on the network namespace itself (flock on
 * its file), so that two engines starting together cannot choose the same one. (2) What is found is
 * believed: a bridge of our name keeps its address, whoever restarted. (3) A veth is never moved
 * and, but after a failed attach, never deleted: the kernel takes it away with the container's
 * namespace. ip_forward is written only when it is 0, only in the namespace we stand in, and
 * reported (forwarding_set).
 */
#include "network/private.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "linux/nft.h"
#include "linux/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define NAME_TRIES 16

/* ---- choice of the subnet ---- */

static uint32_t mask_of(uint8_t prefix)
{
	return prefix ? UINT32_MAX << (32 - prefix) : 0;
}

static bool overlaps(const struct rtnl_addr *a, const struct rtnl_addr *b)
{
	uint32_t mask = mask_of(MIN(a->prefix, b->prefix));

	return (ntohl(a->v4.s_addr) & mask) == (ntohl(b->v4.s_addr) & mask);
}

struct census {
	struct rtnl_addr candidate;
	int own; /* our bridge */
	bool clash;
	struct rtnl_addr found; /* IPv4 address of our bridge */
};

static int see_addr(void *arg, const struct rtnl_ifaddr *a)
{
	struct census *c = arg;

	if (a->addr.family != AF_INET)
		return 0;
	if (a->index == c->own)
		c->found = a->addr;
	else if (c->candidate.family && overlaps(&a->addr, &c->candidate))
		c->clash = true;
	return 0;
}

static int see_route(void *arg, const struct rtnl_route *r)
{
	struct census *c = arg;

	/* The default route leads everywhere and claims nothing; the bridge's own routes are ours.
	 */
	if (r->dst.family == AF_INET && r->dst.prefix > 0 && r->index != c->own &&
	    overlaps(&r->dst, &c->candidate))
		c->clash = true;
	return 0;
}

static int is_free(struct nl *nl, int own, const struct rtnl_addr *subnet, struct err *err)
{
	struct census c = { .candidate = *subnet, .own = own };
	int r = rtnl_addr_list(nl, see_addr, &c, err);

	if (r == 0)
		r = rtnl_route_list(nl, see_route, &c, err);
	return r < 0 ? r : !c.clash;
}

/* Docker's default pools: 172.17/16 to 172.31/16, then 192.168/16 in pieces of /20. */
static bool pool_at(unsigned i, struct rtnl_addr *ret)
{
	uint32_t net;

	*ret = (struct rtnl_addr){ .family = AF_INET, .prefix = i < 15 ? 16 : 20 };
	if (i >= 15 + 16)
		return false;
	net = i < 15 ? 0xac110000u + (i << 16) : 0xc0a80000u + ((i - 15) << 12);
	ret->v4.s_addr = htonl(net);
	return true;
}

static int subnet_choose(struct network *n, struct nl *nl, struct rtnl_addr *ret, struct err *err)
{
	int r = n->wish.family ? is_free(nl, n->bridge_index, &n->wish, err) : 0;

	if (r < 0)
		return r;
	if (r > 0) {
		*ret = n->wish;
		return 0;
	}
	for (unsigned i = 0; pool_at(i, ret); i++) {
		r = is_free(nl, n->bridge_index, ret, err);
		if (r < 0)
			return r;
		if (r > 0)
			return 0;
	}
	return err_set(err, ERR_QUOTA,
		       "no free subnet: 172.17.0.0/16 to 172.31.0.0/16 and 192.168.0.0/16 are all "
		       "in use by "
		       "addresses or routes of this host");
}

/* ---- up ---- */

static int forwarding_set(struct network *n, struct err *err)
{
	static const char path[] = "/proc/sys/net/ipv4/ip_forward";
	CLEANUP(fd_close) int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	char c = 0;

	if (fd < 0 || fd_read_full(fd, &c, 1) != 1)
		return err_sys(err, "read '%s'", path);
	n->forwarding = c != '0';
	if (n->forwarding)
		return 0;
	fd_close(fd);
	fd = sys_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
	/* Read-only inside of many containers: then it stays off, and network_info says so. */
	if (fd >= 0 && fd_write_all(fd, "1", 1) == 0)
		n->forwarding = n->forwarding_set = true;
	return 0;
}

static int bridge_link(struct network *n, struct nl *nl, struct err *err)
{
	uint64_t h = hash_stable(n->id, strlen(n->id));
	uint8_t mac[6] = {
		0x02, 0x42, (uint8_t)h, (uint8_t)(h >> 8), (uint8_t)(h >> 16), (uint8_t)(h >> 24)
	};
	struct rtnl_link link;
	int r;

	rtnl_put_bridge(nl, n->bridge, mac, n->mtu, true);
	r = nl_commit(nl, err);
	if (r == 0)
		r = rtnl_link_get(nl, n->bridge, &link, err);
	if (r < 0)
		return r;
	if (strcmp(link.kind, "bridge") != 0)
		return err_set(err, ERR_CONFLICT, "interface '%s' is there but is no bridge",
			       n->bridge);
	n->bridge_index = link.index;
	if (link.flags & IFF_UP)
		return 0;
	rtnl_put_link_up(nl, link.index);
	return nl_commit(nl, err);
}

/* keeps (2): the address that is there wins over the stored subnet, the pools come last. */
static int bridge_addr(struct network *n, struct nl *nl, struct err *err)
{
	struct census c = { .own = n->bridge_index };
	int r = rtnl_addr_list(nl, see_addr, &c, err);
	uint32_t net;

	if (r < 0)
		return r;
	if (c.found.family) {
		n->gateway = c.found;
		n->subnet = c.found;
	} else {
		r = subnet_choose(n, nl, &n->subnet, err);
		if (r < 0)
			return r;
		n->gateway = n->subnet;
	}
	net = ntohl(n->subnet.v4.s_addr) & mask_of(n->subnet.prefix);
	n->subnet.v4.s_addr = htonl(net);
	if (c.found.family)
		return 0;
	n->gateway.v4.s_addr = htonl(net + 1);
	rtnl_put_addr(nl, n->bridge_index, &n->gateway);
	return nl_commit(nl, err);
}

static int bridge_make(struct network *n, struct err *err)
{
	CLEANUP(nl_close) struct nl nl = { 0 };
	CLEANUP(fd_close) int ns = -1;
	int r;

	/* keeps (1) */
	ns = sys_openat(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC, 0);
	if (ns < 0 || flock(ns, LOCK_EX) < 0)
		return err_sys(err, "lock own network namespace");
	r = nl_open(&nl, NETLINK_ROUTE, err);
	if (r == 0)
		r = bridge_link(n, &nl, err);
	if (r == 0)
		r = bridge_addr(n, &nl, err);
	if (r == 0 && n->masquerade) {
		struct nft_bridge b = { .table = n->bridge,
					.bridge = n->bridge,
					.subnet = n->subnet };

		r = nft_bridge_set(&b, err);
	}
	if (r == 0)
		r = forwarding_set(n, err);
	return r;
}

static int bridge_down_locked(struct network *n, struct err *err)
{
	CLEANUP(nl_close) struct nl nl = { 0 };
	struct rtnl_link link;
	struct err local = ERR_INIT;
	int r;

	n->up = false;
	if (n->masquerade) {
		r = nft_table_del(n->bridge, err);
		if (r < 0)
			return r;
	}
	r = nl_open(&nl, NETLINK_ROUTE, err);
	if (r < 0)
		return r;
	r = rtnl_link_get(&nl, n->bridge, &link, &local);
	if (r == -ERR_NOT_FOUND)
		return 0;
	if (r < 0)
		return err_set(err, local.code, "%s", local.msg);
	rtnl_put_link_del(&nl, link.index);
	return nl_commit(&nl, err);
}

static int bridge_up_locked(struct network *n, struct err *err)
{
	struct ipam fresh = { 0 };
	bool same;
	int r;

	if (n->up)
		return 0;
	r = bridge_make(n, err);
	if (r == 0 && !n->ipam.taken)
		r = ipam_init(&n->ipam, &n->subnet, &n->gateway, err);
	if (r < 0) {
		/* Half a network is worse than none; a bridge with containers on it is kept. */
		if (!n->ipam.taken)
			(void)bridge_down_locked(n, NULL); /* the first error is the one to tell */
		return r;
	}
	/* Made anew after somebody deleted it, and on another subnet: old addresses mean nothing
	 * now. */
	same = n->ipam.base == ntohl(n->subnet.v4.s_addr) &&
	       n->ipam.size == 1u << (32 - n->subnet.prefix);
	if (!same) {
		r = ipam_init(&fresh, &n->subnet, &n->gateway, err);
		if (r < 0)
			return r;
		ipam_fini(&n->ipam);
		n->ipam = fresh;
	}
	n->up = true;
	return 0;
}

static int bridge_up(struct network *n, struct err *err)
{
	int r;

	pthread_mutex_lock(&n->lock);
	r = bridge_up_locked(n, err);
	pthread_mutex_unlock(&n->lock);
	return r;
}

static int bridge_down(struct network *n, struct err *err)
{
	int r;

	pthread_mutex_lock(&n->lock);
	r = bridge_down_locked(n, err);
	pthread_mutex_unlock(&n->lock);
	return r;
}

/* ---- attach ---- */

/* What of the network one attach needs, taken under the lock. */
struct plan {
	struct rtnl_addr addr, gateway;
	int bridge_index;
	uint8_t mac[6];
};

static int plan_make(struct network *n, const struct network_endpoint_spec *spec, struct plan *p,
		     struct err *err)
{
	struct in_addr a;
	int r;

	pthread_mutex_lock(&n->lock);
	r = bridge_up_locked(n, err);
	if (r == 0)
		r = ipam_take(&n->ipam, spec->wanted, &a, err);
	*p = (struct plan){ .gateway = n->gateway, .bridge_index = n->bridge_index };
	p->addr = n->subnet;
	pthread_mutex_unlock(&n->lock);
	if (r < 0)
		return r;
	p->addr.v4 = a;
	if (spec->mac) {
		memcpy(p->mac, spec->mac, sizeof p->mac);
	} else {
		p->mac[0] = 0x02;
		p->mac[1] = 0x42;
		memcpy(p->mac + 2, &a, 4);
	}
	return 0;
}

/* First send. The name can be taken by a veth that the kernel has not yet cleared away. */
static int veth_make(struct network *n, const struct network_endpoint_spec *spec, struct plan *p,
		     struct network_endpoint *ep, struct err *err)
{
	CLEANUP(nl_close) struct nl nl = { 0 };
	uint64_t h = hash_stable(spec->container, strlen(spec->container));
	int r = nl_open(&nl, NETLINK_ROUTE, err);

	for (unsigned i = 0; r == 0 && i < NAME_TRIES; i++) {
		struct err local = ERR_INIT;
		struct rtnl_veth v = {
			.name = ep->veth,
			.peer_name = ep->ifname,
			.peer_mac = p->mac,
			.mtu = n->mtu,
			.master = p->bridge_index,
			.netns_fd = spec->netns_fd,
		};

		(void)snprintf(ep->veth, sizeof ep->veth, "te%s%05x", n->instance,
			       (unsigned)((h + i) & 0xfffff));
		rtnl_put_veth(&nl, &v);
		r = nl_commit(&nl, &local);
		if (r == 0)
			return 0;
		if (local.sys != EEXIST) {
			if (err)
				*err = local;
			return r;
		}
		r = 0;
	}
	return r < 0 ? r
		     : err_set(err, ERR_EXISTS,
			       "no free name for its veth ('%s' and others are taken)", ep->veth);
}

/* All that is inside of the namespace: one question for the index, one send. */
static int inside_configure(const struct network_endpoint_spec *spec, const struct plan *p,
			    const struct network_endpoint *ep, struct err *err)
{
	CLEANUP(nl_close) struct nl nl = { 0 };
	struct rtnl_route out = { .dst = { .family = AF_INET }, .via = p->gateway };
	struct rtnl_link link;
	int r = nl_open_in(&nl, NETLINK_ROUTE, spec->netns_fd, err);

	if (r == 0)
		r = rtnl_link_get(&nl, ep->ifname, &link, err);
	if (r < 0)
		return r;
	rtnl_put_link_up(&nl, 1);
	rtnl_put_addr(&nl, link.index, &p->addr);
	rtnl_put_link_up(&nl, link.index);
	rtnl_put_route(&nl, &out);
	return nl_commit(&nl, err);
}

static void veth_drop(const struct network_endpoint *ep)
{
	CLEANUP(nl_close) struct nl nl = { 0 };
	struct rtnl_link link;

	/* On the way of an error that is told: nothing to add to it. */
	if (nl_open(&nl, NETLINK_ROUTE, NULL) < 0 || rtnl_link_get(&nl, ep->veth, &link, NULL) < 0)
		return;
	rtnl_put_link_del(&nl, link.index);
	(void)nl_commit(&nl, NULL);
}

static int attach_once(struct network *n, const struct network_endpoint_spec *spec,
		       struct network_endpoint *ep, struct err *err)
{
	struct plan p;
	int r = plan_make(n, spec, &p, err);

	if (r < 0)
		return r;
	r = veth_make(n, spec, &p, ep, err);
	if (r == 0) {
		r = inside_configure(spec, &p, ep, err);
		if (r < 0)
			veth_drop(ep);
	}
	if (r < 0) {
		network_ipam_free(n, p.addr.v4);
		return r;
	}
	ep->addr = p.addr;
	ep->gateway = p.gateway;
	memcpy(ep->mac, p.mac, sizeof ep->mac);
	return 0;
}

static int bridge_attach(struct network *n, const struct network_endpoint_spec *spec,
			 struct network_endpoint *ep, struct err *err)
{
	struct err local = ERR_INIT;
	int r;

	(void)str_copy(ep->ifname, sizeof ep->ifname, "eth0");
	r = attach_once(n, spec, ep, &local);
	if (r < 0 && (local.sys == ENODEV || local.sys == EINVAL)) {
		/* So the kernel says that the master is gone: somebody deleted the bridge behind
		 * our back. */
		pthread_mutex_lock(&n->lock);
		n->up = false;
		pthread_mutex_unlock(&n->lock);
		local = ERR_INIT;
		r = attach_once(n, spec, ep, &local);
	}
	if (r < 0 && err)
		*err = local;
	return r;
}

static void bridge_detach(struct network *n, const struct network_endpoint *ep)
{
	network_ipam_free(n, ep->addr.v4);
}

const struct network_driver network_driver_bridge = {
	.name = "bridge",
	.up = bridge_up,
	.down = bridge_down,
	.attach = bridge_attach,
	.detach = bridge_detach,
};
