/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.netDevices: interfaces of the host for the container. Spec:
 * config-linux.md#network-devices.
 *
 * Two netlink sockets, one in each namespace. A name that is taken in the container is refused
 * before the move, since the kernel would move first and fail then. The kernel drops the addresses
 * of what moves, so they are read before and given back after; a name with "%d" is the kernel's to
 * choose, so the interface is then found as the one that was not there before.
 */
#include "runtime/rt.h"

#include "base/fd.h"
#include "linux/ns.h"
#include "linux/rtnl.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define ADDRS_MAX 64
#define LINKS_MAX 1024

struct move {
	struct nl from, to;
	int netns;
	int index; /* of the link that moves, on the host; then in the container */
	struct rtnl_addr addrs[ADDRS_MAX];
	unsigned n_addrs;
	int before[LINKS_MAX];
	unsigned n_before;
	bool full;
};

/* Permanent and global ones alone: what the spec wants kept. */
static int keep_addr(void *arg, const struct nlmsghdr *h, const void *body, size_t n,
		     struct err *err)
{
	struct nl_attr t[IFA_FLAGS + 1], a;
	struct move *m = arg;
	struct ifaddrmsg im;
	struct rtnl_addr *to;

	(void)err;
	if (h->nlmsg_type != RTM_NEWADDR || n < sizeof(im))
		return 0;
	memcpy(&im, body, sizeof(im));
	if ((int)im.ifa_index != m->index || im.ifa_scope != RT_SCOPE_UNIVERSE ||
	    nl_parse((const char *)body + sizeof(im), n - sizeof(im), t, ARRAY_LEN(t)) < 0)
		return 0;
	if (!((t[IFA_FLAGS].p ? nl_get_u32(t[IFA_FLAGS]) : im.ifa_flags) & IFA_F_PERMANENT))
		return 0;
	a = t[IFA_LOCAL].p ? t[IFA_LOCAL] : t[IFA_ADDRESS];
	if (a.n != 4 && a.n != 16)
		return 0;
	if (m->n_addrs == ADDRS_MAX) {
		m->full = true;
		return 0;
	}
	to = &m->addrs[m->n_addrs++];
	*to = (struct rtnl_addr){ .family = im.ifa_family, .prefix = im.ifa_prefixlen };
	memcpy(to->bytes, a.p, a.n);
	return 0;
}

static int read_addrs(struct move *m, const char *name, struct err *err)
{
	struct ifaddrmsg h = { .ifa_family = AF_UNSPEC };
	struct nl_msg q = { RTM_GETADDR, NLM_F_DUMP, &h, sizeof(h), 0 };
	int r;

	m->n_addrs = 0;
	m->full = false;
	nl_begin(&m->from, &q, "list the addresses of '%s'", name);
	r = nl_query(&m->from, keep_addr, m, err);
	if (r >= 0 && m->full)
		r = err_set(err, ERR_TOO_LARGE, "more than %d addresses", ADDRS_MAX);
	return r;
}

static int remember(void *arg, const struct rtnl_link *l)
{
	struct move *m = arg;

	if (m->n_before == LINKS_MAX)
		m->full = true;
	else
		m->before[m->n_before++] = l->index;
	return 0;
}

static int find_new(void *arg, const struct rtnl_link *l)
{
	struct move *m = arg;

	for (unsigned i = 0; i < m->n_before; i++)
		if (m->before[i] == l->index)
			return 0;
	m->index = l->index;
	return 1;
}

static int change_ns(struct move *m, const char *name, const char *as, struct err *err)
{
	struct ifinfomsg h = { .ifi_family = AF_UNSPEC, .ifi_index = m->index };
	struct nl_msg q = { RTM_NEWLINK, NLM_F_ACK, &h, sizeof(h), 0 };
	struct rtnl_link there;
	int r;

	m->n_before = 0;
	r = rtnl_link_list(&m->to, remember, m, err);
	if (r >= 0 && m->full)
		r = err_set(err, ERR_TOO_LARGE, "more than %d interfaces in the container",
			    LINKS_MAX);
	if (r < 0)
		return r;
	if (!strchr(as, '%') && rtnl_link_get(&m->to, as, &there, NULL) == 0)
		return err_set(err, ERR_EXISTS, "the container has an interface '%s' already", as);
	nl_begin(&m->from, &q, "move interface '%s' into the container", name);
	nl_put_str(&m->from, IFLA_IFNAME, as);
	nl_put_u32(&m->from, IFLA_NET_NS_FD, (uint32_t)m->netns);
	r = nl_commit(&m->from, err);
	if (r < 0)
		return r;
	r = rtnl_link_list(&m->to, find_new, m, err);
	return r == 0 ? err_set(err, ERR_NOT_FOUND, "it is not in the container after its move")
		      : r;
}

static int move_one(struct move *m, const char *name, const char *as, struct err *err)
{
	struct rtnl_link l;
	int r;

	r = rtnl_link_get(&m->from, name, &l, err);
	if (r < 0)
		return r;
	m->index = l.index;
	r = read_addrs(m, name, err);
	if (r >= 0)
		r = change_ns(m, name, as && as[0] ? as : name, err);
	if (r < 0)
		return r;
	for (unsigned i = 0; r >= 0 && i < m->n_addrs; i++) {
		rtnl_put_addr(&m->to, m->index, &m->addrs[i]);
		if (i % 32 == 31) /* a batch has room for 48 */
			r = nl_commit(&m->to, err);
	}
	if (r < 0)
		return r;
	rtnl_put_link_up(&m->to, m->index);
	return nl_commit(&m->to, err);
}

int netdev_move(const struct conf *c, pid_t pid, struct err *err)
{
	struct move m = { .netns = -1, .from.fd = -1, .to.fd = -1 };
	CLEANUP(fd_close) int own = -1;
	int r;

	if (!c->lin.net_devices.n)
		return 0;
	r = ns_open_of(pid, NS_NET, &m.netns, err);
	if (r >= 0)
		r = ns_open_of(0, NS_NET, &own, err);
	if (r >= 0)
		r = ns_same(own, m.netns, err);
	if (r == 1)
		r = err_set(err, ERR_INVALID, "the container's network namespace is the host's");
	if (r >= 0)
		r = nl_open(&m.from, NETLINK_ROUTE, err);
	if (r >= 0)
		r = nl_open_in(&m.to, NETLINK_ROUTE, m.netns, err);
	for (size_t i = 0; r >= 0 && i < c->lin.net_devices.n; i++) {
		const char *name = c->lin.net_devices.v[i].key;

		r = move_one(&m, name, c->lin.net_devices.v[i].value.name, err);
		if (r < 0)
			(void)err_wrap(err, "'%s'", name);
	}
	nl_close(&m.from);
	nl_close(&m.to);
	fd_close(m.netns);
	return r < 0 ? err_wrap(err, "linux.netDevices") : 0;
}
