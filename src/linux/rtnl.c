/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links, addresses, routes: how each is written as a netlink message and read from one.
 * Sizes from the kernel are checked before use; unknown attributes are skipped.
 */
#include "linux/rtnl.h"

#include "base/err.h"
#include "base/fd.h"
#include "linux/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* ---- text ---- */

int rtnl_addr_parse(const char *s, struct rtnl_addr *ret, struct err *err)
{
	const char *slash = strchr(s, '/');
	char host[INET6_ADDRSTRLEN] = "";
	struct rtnl_addr a = { 0 };
	uint64_t prefix;
	size_t n = slash ? (size_t)(slash - s) : strlen(s);

	if (n < sizeof host)
		memcpy(host, s, n);
	if (inet_pton(AF_INET, host, &a.v4) == 1)
		a.family = AF_INET;
	else if (inet_pton(AF_INET6, host, &a.v6) == 1)
		a.family = AF_INET6;
	else
		return err_set(err, ERR_INVALID, "'%s' is not an IP address", s);
	prefix = a.family == AF_INET ? 32 : 128;
	a.prefix = (uint8_t)prefix;
	if (slash) {
		uint64_t max = prefix;

		if (str_uint64(slice_str(slash + 1), &prefix, NULL) < 0 || prefix > max)
			return err_set(err, ERR_INVALID,
				       "'%s': the prefix length is not within 0..%u", s,
				       (unsigned)max);
		a.prefix = (uint8_t)prefix;
	}
	*ret = a;
	return 0;
}

const char *rtnl_addr_text(const struct rtnl_addr *a, bool with_prefix, char dst[RTNL_ADDR_TEXT])
{
	size_t n;

	dst[0] = '\0';
	if (a->family && !inet_ntop(a->family, a->bytes, dst, RTNL_ADDR_TEXT))
		dst[0] = '\0';
	n = strlen(dst);
	if (n && with_prefix)
		(void)snprintf(dst + n, RTNL_ADDR_TEXT - n, "/%u", a->prefix);
	return dst;
}

static size_t addr_size(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

/* ---- read ---- */

static void stats_read(struct nl_attr a, struct rtnl_stats *ret)
{
	struct rtnl_link_stats64 s = { 0 };

	/* The struct grew at its end over time. */
	memcpy(&s, a.p, MIN(a.n, sizeof s));
	*ret = (struct rtnl_stats){
		.rx_bytes = s.rx_bytes,
		.rx_packets = s.rx_packets,
		.rx_errors = s.rx_errors,
		.rx_dropped = s.rx_dropped,
		.tx_bytes = s.tx_bytes,
		.tx_packets = s.tx_packets,
		.tx_errors = s.tx_errors,
		.tx_dropped = s.tx_dropped,
	};
}

static int link_read(const void *body, size_t n, struct rtnl_link *ret)
{
	struct nl_attr t[IFLA_LINK_NETNSID + 1], info[IFLA_INFO_KIND + 1];
	struct ifinfomsg h;

	if (n < sizeof h)
		return -1;
	memcpy(&h, body, sizeof h);
	if (nl_parse((const char *)body + NLMSG_ALIGN(sizeof h), n - NLMSG_ALIGN(sizeof h), t,
		     ARRAY_LEN(t)) < 0)
		return -1;
	*ret = (struct rtnl_link){
		.index = h.ifi_index,
		.flags = h.ifi_flags,
		.master = (int)nl_get_u32(t[IFLA_MASTER]),
		.peer = (int)nl_get_u32(t[IFLA_LINK]),
		.mtu = nl_get_u32(t[IFLA_MTU]),
	};
	nl_get_str(t[IFLA_IFNAME], ret->name, sizeof ret->name);
	if (t[IFLA_ADDRESS].n == sizeof ret->mac)
		memcpy(ret->mac, t[IFLA_ADDRESS].p, sizeof ret->mac);
	if (t[IFLA_LINKINFO].p &&
	    nl_parse(t[IFLA_LINKINFO].p, t[IFLA_LINKINFO].n, info, ARRAY_LEN(info)) == 0)
		nl_get_str(info[IFLA_INFO_KIND], ret->kind, sizeof ret->kind);
	if (t[IFLA_STATS64].p)
		stats_read(t[IFLA_STATS64], &ret->stats);
	return 0;
}

static int malformed(const char *what, struct err *err)
{
	return err_set(err, ERR_SYSTEM, "netlink: malformed %s from the kernel", what);
}

struct link_call {
	struct rtnl_link *one;
	int (*fn)(void *arg, const struct rtnl_link *l);
	void *arg;
	bool found;
};

static int link_reply(void *arg, const struct nlmsghdr *h, const void *body, size_t n,
		      struct err *err)
{
	struct link_call *c = arg;
	struct rtnl_link l;

	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	if (link_read(body, n, &l) < 0)
		return malformed("link", err);
	c->found = true;
	if (c->one) {
		*c->one = l;
		return 0;
	}
	return c->fn(c->arg, &l);
}

static int link_get(struct nl *nl, const char *name, int index, struct rtnl_link *ret,
		    struct err *err)
{
	struct ifinfomsg h = { .ifi_family = AF_UNSPEC, .ifi_index = index };
	struct nl_msg m = { RTM_GETLINK, NLM_F_ACK, &h, sizeof h, 0 };
	struct link_call c = { .one = ret };
	int r;

	if (name && strlen(name) >= IFNAMSIZ)
		return err_set(err, ERR_INVALID, "'%s' is longer than an interface's name can be",
			       name);
	if (name) {
		nl_begin(nl, &m, "find interface '%s'", name);
		nl_put_str(nl, IFLA_IFNAME, name);
	} else {
		nl_begin(nl, &m, "find interface %d", index);
	}
	r = nl_query(nl, link_reply, &c, err);
	if (r == 0 && !c.found)
		return malformed("answer without a link", err);
	return r;
}

int rtnl_link_get(struct nl *nl, const char *name, struct rtnl_link *ret, struct err *err)
{
	return link_get(nl, name, 0, ret, err);
}

int rtnl_link_get_index(struct nl *nl, int index, struct rtnl_link *ret, struct err *err)
{
	return link_get(nl, NULL, index, ret, err);
}

int rtnl_link_list(struct nl *nl, int (*fn)(void *arg, const struct rtnl_link *l), void *arg,
		   struct err *err)
{
	struct ifinfomsg h = { .ifi_family = AF_UNSPEC };
	struct nl_msg m = { RTM_GETLINK, NLM_F_DUMP, &h, sizeof h, 0 };
	struct link_call c = { .fn = fn, .arg = arg };

	nl_begin(nl, &m, "list interfaces");
	return nl_query(nl, link_reply, &c, err);
}

int rtnl_stats_list(int netns_fd, int (*fn)(void *arg, const struct rtnl_link *l), void *arg,
		    struct err *err)
{
	CLEANUP(nl_close) struct nl nl = { 0 };
	int r = nl_open_in(&nl, NETLINK_ROUTE, netns_fd, err);

	return r < 0 ? r : rtnl_link_list(&nl, fn, arg, err);
}

struct addr_call {
	int (*fn)(void *arg, const struct rtnl_ifaddr *a);
	void *arg;
};

static int addr_reply(void *arg, const struct nlmsghdr *h, const void *body, size_t n,
		      struct err *err)
{
	const struct addr_call *c = arg;
	struct nl_attr t[IFA_LOCAL + 1], a;
	struct rtnl_ifaddr ret = { 0 };
	struct ifaddrmsg m;

	if (h->nlmsg_type != RTM_NEWADDR)
		return 0;
	if (n < sizeof m)
		return malformed("address", err);
	memcpy(&m, body, sizeof m);
	if (m.ifa_family != AF_INET && m.ifa_family != AF_INET6)
		return 0;
	if (nl_parse((const char *)body + sizeof m, n - sizeof m, t, ARRAY_LEN(t)) < 0)
		return malformed("address", err);
	/* Point to point links have the peer's address in IFA_ADDRESS. */
	a = t[IFA_LOCAL].p ? t[IFA_LOCAL] : t[IFA_ADDRESS];
	if (a.n != addr_size(m.ifa_family))
		return malformed("address", err);
	ret.index = (int)m.ifa_index;
	ret.addr.family = m.ifa_family;
	ret.addr.prefix = m.ifa_prefixlen;
	memcpy(ret.addr.bytes, a.p, a.n);
	return c->fn(c->arg, &ret);
}

int rtnl_addr_list(struct nl *nl, int (*fn)(void *arg, const struct rtnl_ifaddr *a), void *arg,
		   struct err *err)
{
	struct ifaddrmsg h = { .ifa_family = AF_UNSPEC };
	struct nl_msg m = { RTM_GETADDR, NLM_F_DUMP, &h, sizeof h, 0 };
	struct addr_call c = { fn, arg };

	nl_begin(nl, &m, "list addresses");
	return nl_query(nl, addr_reply, &c, err);
}

struct route_call {
	int (*fn)(void *arg, const struct rtnl_route *r);
	void *arg;
};

static int route_reply(void *arg, const struct nlmsghdr *h, const void *body, size_t n,
		       struct err *err)
{
	const struct route_call *c = arg;
	struct nl_attr t[RTA_TABLE + 1];
	struct rtnl_route ret = { 0 };
	struct rtmsg m;

	if (h->nlmsg_type != RTM_NEWROUTE)
		return 0;
	if (n < sizeof m)
		return malformed("route", err);
	memcpy(&m, body, sizeof m);
	if (m.rtm_family != AF_INET && m.rtm_family != AF_INET6)
		return 0;
	if (nl_parse((const char *)body + sizeof m, n - sizeof m, t, ARRAY_LEN(t)) < 0)
		return malformed("route", err);
	ret.dst.family = m.rtm_family;
	ret.dst.prefix = m.rtm_dst_len;
	if (t[RTA_DST].n == addr_size(m.rtm_family))
		memcpy(ret.dst.bytes, t[RTA_DST].p, t[RTA_DST].n);
	if (t[RTA_GATEWAY].n == addr_size(m.rtm_family)) {
		ret.via.family = m.rtm_family;
		ret.via.prefix = (uint8_t)(8 * addr_size(m.rtm_family));
		memcpy(ret.via.bytes, t[RTA_GATEWAY].p, t[RTA_GATEWAY].n);
	}
	ret.index = (int)nl_get_u32(t[RTA_OIF]);
	ret.table = t[RTA_TABLE].p ? nl_get_u32(t[RTA_TABLE]) : m.rtm_table;
	ret.type = m.rtm_type;
	return c->fn(c->arg, &ret);
}

int rtnl_route_list(struct nl *nl, int (*fn)(void *arg, const struct rtnl_route *r), void *arg,
		    struct err *err)
{
	struct rtmsg h = { .rtm_family = AF_UNSPEC };
	struct nl_msg m = { RTM_GETROUTE, NLM_F_DUMP, &h, sizeof h, 0 };
	struct route_call c = { fn, arg };

	nl_begin(nl, &m, "list routes");
	return nl_query(nl, route_reply, &c, err);
}

/* ---- write ---- */

static void put_name(struct nl *nl, const char *name)
{
	if (strlen(name) >= IFNAMSIZ)
		nl->failed = true; /* our own names only: none is that long */
	nl_put_str(nl, IFLA_IFNAME, name);
}

void rtnl_put_bridge(struct nl *nl, const char *name, const uint8_t *mac, uint32_t mtu,
		     bool exist_ok)
{
	struct ifinfomsg h = { .ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct nl_msg m = { RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &h, sizeof h,
			    exist_ok ? EEXIST : 0 };
	size_t info;

	nl_begin(nl, &m, "create bridge '%s'", name);
	put_name(nl, name);
	if (mac)
		nl_put(nl, IFLA_ADDRESS, mac, 6);
	if (mtu)
		nl_put_u32(nl, IFLA_MTU, mtu);
	info = nl_nest(nl, IFLA_LINKINFO);
	nl_put_str(nl, IFLA_INFO_KIND, "bridge");
	nl_nest_end(nl, info);
}

void rtnl_put_veth(struct nl *nl, const struct rtnl_veth *v)
{
	struct ifinfomsg h = { .ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct ifinfomsg peer = { .ifi_family = AF_UNSPEC };
	struct nl_msg m = { RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &h, sizeof h, 0 };
	size_t info, data, p;

	nl_begin(nl, &m, "create veth '%s'", v->name);
	put_name(nl, v->name);
	if (v->mac)
		nl_put(nl, IFLA_ADDRESS, v->mac, 6);
	if (v->mtu)
		nl_put_u32(nl, IFLA_MTU, v->mtu);
	if (v->master)
		nl_put_u32(nl, IFLA_MASTER, (uint32_t)v->master);
	info = nl_nest(nl, IFLA_LINKINFO);
	nl_put_str(nl, IFLA_INFO_KIND, "veth");
	data = nl_nest(nl, IFLA_INFO_DATA);
	p = nl_nest(nl, VETH_INFO_PEER);
	nl_put_raw(nl, &peer, sizeof peer);
	put_name(nl, v->peer_name);
	if (v->peer_mac)
		nl_put(nl, IFLA_ADDRESS, v->peer_mac, 6);
	if (v->mtu)
		nl_put_u32(nl, IFLA_MTU, v->mtu);
	if (v->netns_fd >= 0)
		nl_put_u32(nl, IFLA_NET_NS_FD, (uint32_t)v->netns_fd);
	nl_nest_end(nl, p);
	nl_nest_end(nl, data);
	nl_nest_end(nl, info);
}

void rtnl_put_link_up(struct nl *nl, int index)
{
	struct ifinfomsg h = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct nl_msg m = { RTM_NEWLINK, NLM_F_ACK, &h, sizeof h, 0 };

	nl_begin(nl, &m, "set interface %d up", index);
}

void rtnl_put_link_del(struct nl *nl, int index)
{
	struct ifinfomsg h = { .ifi_index = index };
	struct nl_msg m = { RTM_DELLINK, NLM_F_ACK, &h, sizeof h, ENODEV };

	nl_begin(nl, &m, "delete interface %d", index);
}

void rtnl_put_addr(struct nl *nl, int index, const struct rtnl_addr *a)
{
	struct ifaddrmsg h = {
		.ifa_family = a->family,
		.ifa_prefixlen = a->prefix,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = (unsigned)index,
	};
	struct nl_msg m = { RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &h, sizeof h,
			    EEXIST };
	char text[RTNL_ADDR_TEXT];

	nl_begin(nl, &m, "add address %s to interface %d", rtnl_addr_text(a, true, text), index);
	nl_put(nl, IFA_LOCAL, a->bytes, addr_size(a->family));
	nl_put(nl, IFA_ADDRESS, a->bytes, addr_size(a->family));
	if (a->family == AF_INET && a->prefix < 31) {
		uint32_t host = UINT32_MAX >> a->prefix;
		uint32_t broadcast = a->v4.s_addr | htonl(host);

		nl_put(nl, IFA_BROADCAST, &broadcast, sizeof broadcast);
	}
}

void rtnl_put_route(struct nl *nl, const struct rtnl_route *r)
{
	struct rtmsg h = {
		.rtm_family = r->dst.family,
		.rtm_dst_len = r->dst.prefix,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = r->via.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = r->type ? r->type : RTN_UNICAST,
	};
	struct nl_msg m = { RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &h, sizeof h,
			    EEXIST };
	char text[RTNL_ADDR_TEXT];

	nl_begin(nl, &m, "add route to %s",
		 r->dst.prefix ? rtnl_addr_text(&r->dst, true, text) : "default");
	if (r->dst.prefix)
		nl_put(nl, RTA_DST, r->dst.bytes, addr_size(r->dst.family));
	if (r->via.family)
		nl_put(nl, RTA_GATEWAY, r->via.bytes, addr_size(r->via.family));
	if (r->index)
		nl_put_u32(nl, RTA_OIF, (uint32_t)r->index);
}

/* Two calls instead of the dozen of a netlink conversation: every container pays for this. */
static int own_lo_up(struct err *err)
{
	struct ifreq rq = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	CLEANUP(fd_close) int fd = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || sys_ioctl(fd, SIOCSIFFLAGS, &rq) < 0)
		return err_sys(err, "set lo up");
	return 0;
}

int rtnl_lo_up(int netns_fd, struct err *err)
{
	CLEANUP(nl_close) struct nl nl = { 0 };
	int r;

	if (netns_fd < 0)
		return own_lo_up(err);
	r = nl_open_in(&nl, NETLINK_ROUTE, netns_fd, err);
	if (r < 0)
		return err_wrap(err, "set lo up");
	rtnl_put_link_up(&nl, 1); /* lo is the first interface of every namespace */
	return nl_commit(&nl, err);
}
