/* SPDX-License-Identifier: Apache-2.0 */
/* The default bridge with real namespaces, each case in a network namespace of its own. Needs root,
 * else skipped. */
#include "network/network.h"

#include "base/err.h"
#include "linux/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define INSTANCE "0a1b2c3d"
#define CONTAINER "c0ffee0123456789"

static int netns_self(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int netns_new(void)
{
	int home = netns_self(), fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = netns_self();
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	return fd;
}

static struct network_set *set_new(const char *instance, const char *subnet)
{
	struct network_options o = { .instance = instance, .subnet = subnet };
	struct network_set *s = NULL;
	struct err err = ERR_INIT;

	if (network_set_new(&o, &s, &err) < 0)
		fail_msg("%s", err.msg);
	return s;
}

static struct network *bridge_of(struct network_set *s)
{
	struct network *n = NULL;

	assert_int_equal(network_find(s, "bridge", &n, NULL), 0);
	return n;
}

static struct network *bridge_up(struct network_set *s)
{
	struct network *n = bridge_of(s);
	struct err err = ERR_INIT;

	if (network_up(n, &err) < 0)
		fail_msg("%s", err.msg);
	return n;
}

static struct network_endpoint attach(struct network *n, const char *container, int ns)
{
	struct network_endpoint_spec spec = { .container = container, .netns_fd = ns };
	struct network_endpoint ep;
	struct err err = ERR_INIT;

	if (network_attach(n, &spec, &ep, &err) < 0)
		fail_msg("%s", err.msg);
	return ep;
}

static void expect_subnet(struct network *n, const char *subnet, const char *gateway)
{
	struct network_info i;
	char text[RTNL_ADDR_TEXT];

	network_info(n, &i);
	assert_string_equal(rtnl_addr_text(&i.subnet, true, text), subnet);
	assert_string_equal(rtnl_addr_text(&i.gateway, true, text), gateway);
	assert_true(i.up);
}

struct count {
	unsigned links, routes, addrs;
};

static int count_link(void *arg, const struct rtnl_link *l)
{
	(void)l;
	((struct count *)arg)->links++;
	return 0;
}

static int count_addr(void *arg, const struct rtnl_ifaddr *a)
{
	((struct count *)arg)->addrs += a->addr.family == AF_INET;
	return 0;
}

static int count_route(void *arg, const struct rtnl_route *r)
{
	((struct count *)arg)->routes += r->dst.family == AF_INET;
	return 0;
}

static struct count count_all(void)
{
	CLEANUP(nl_close) struct nl nl = { 0 };
	struct count c = { 0 };

	assert_int_equal(nl_open(&nl, NETLINK_ROUTE, NULL), 0);
	assert_int_equal(rtnl_link_list(&nl, count_link, &c, NULL), 0);
	assert_int_equal(rtnl_addr_list(&nl, count_addr, &c, NULL), 0);
	assert_int_equal(rtnl_route_list(&nl, count_route, &c, NULL), 0);
	return c;
}

/* UDP socket inside of a namespace. */
static int udp_in(int ns, const struct rtnl_addr *addr, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval patience = { .tv_sec = 5 };
	int home = netns_self(), fd;

	if (addr)
		sa.sin_addr = addr->v4;
	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	return fd;
}

/* Sends one datagram and gives back who the receiver saw. */
static struct in_addr talk(int from, int to, const struct rtnl_addr *addr, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr = addr->v4 };
	socklen_t len = sizeof sa;
	char text[8] = "";

	assert_int_equal(sendto(from, "hello", 5, 0, (struct sockaddr *)&sa, sizeof sa), 5);
	assert_int_equal(recvfrom(to, text, sizeof text, 0, (struct sockaddr *)&sa, &len), 5);
	assert_string_equal(text, "hello");
	return sa.sin_addr;
}

/* ---- cases ---- */

static int fresh_namespace(void **state)
{
	return unshare(CLONE_NEWNET) || rtnl_lo_up(-1, NULL);
}

static void two_containers_talk_over_the_bridge(void **state)
{
	CLEANUP(network_set_free) struct network_set *s = set_new(INSTANCE, NULL);
	struct network *n = bridge_of(s); /* attach brings it up */
	int a = netns_new(), b = netns_new(), ua, ub;
	struct network_endpoint ea, eb;
	struct timespec t0, t1;
	char text[RTNL_ADDR_TEXT];

	ea = attach(n, CONTAINER, a);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	eb = attach(n, "deadbeef01234567", b);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	print_message("attach: %ld us\n",
		      (t1.tv_sec - t0.tv_sec) * 1000000 + (t1.tv_nsec - t0.tv_nsec) / 1000);
	expect_subnet(n, "172.17.0.0/16", "172.17.0.1/16");
	assert_string_equal(rtnl_addr_text(&ea.addr, true, text), "172.17.0.2/16");
	assert_string_equal(rtnl_addr_text(&eb.addr, true, text), "172.17.0.3/16");
	assert_string_equal(network_mac_text(ea.mac, (char[NETWORK_MAC_TEXT]){ 0 }),
			    "02:42:ac:11:00:02");
	assert_string_equal(ea.ifname, "eth0");
	assert_int_equal(strncmp(ea.veth, "te" INSTANCE, 10), 0);
	assert_int_equal(strlen(ea.endpoint_id), NETWORK_ID_LEN);
	ua = udp_in(a, &ea.addr, 4000);
	ub = udp_in(b, &eb.addr, 4000);
	assert_int_equal(talk(ua, ub, &eb.addr, 4000).s_addr, ea.addr.v4.s_addr);
	assert_int_equal(talk(ub, ua, &ea.addr, 4000).s_addr, eb.addr.v4.s_addr);
	close(ua);
	close(ub);
	close(a);
	close(b);
	assert_int_equal(network_down(n, NULL), 0);
}

/* The outside: another namespace behind a second link of ours, without a route back to the
 * containers. */
static void packets_to_the_outside_are_masqueraded(void **state)
{
	CLEANUP(network_set_free) struct network_set *s = set_new(INSTANCE, NULL);
	CLEANUP(nl_close) struct nl nl = { 0 }, out = { 0 };
	struct rtnl_veth v = { .name = "up0", .peer_name = "far0" };
	struct rtnl_addr near, far;
	struct network *n = bridge_up(s);
	int c = netns_new(), uc, uf;
	struct network_endpoint ep = attach(n, CONTAINER, c);
	struct network_info info;
	struct rtnl_link l;

	(void)rtnl_addr_parse("10.55.0.1/24", &near, NULL);
	(void)rtnl_addr_parse("10.55.0.2/24", &far, NULL);
	v.netns_fd = netns_new();
	assert_int_equal(nl_open(&nl, NETLINK_ROUTE, NULL), 0);
	rtnl_put_veth(&nl, &v);
	assert_int_equal(nl_commit(&nl, NULL), 0);
	assert_int_equal(rtnl_link_get(&nl, "up0", &l, NULL), 0);
	rtnl_put_addr(&nl, l.index, &near);
	assert_int_equal(nl_commit(&nl, NULL), 0);
	assert_int_equal(nl_open_in(&out, NETLINK_ROUTE, v.netns_fd, NULL), 0);
	rtnl_put_addr(&out, 2, &far);
	rtnl_put_link_up(&out, 2);
	assert_int_equal(nl_commit(&out, NULL), 0);

	network_info(n, &info);
	assert_true(info.forwarding);
	uc = udp_in(c, &ep.addr, 4000);
	uf = udp_in(v.netns_fd, &far, 5000);
	assert_int_equal(talk(uc, uf, &far, 5000).s_addr, near.v4.s_addr);
	close(uc);
	close(uf);
	close(c);
	close(v.netns_fd);
}

static void teardown_leaves_no_link_table_or_route(void **state)
{
	CLEANUP(network_set_free) struct network_set *s = set_new(INSTANCE, NULL);
	struct count before = count_all(), after;
	struct network *n = bridge_up(s);
	struct network_info i;

	network_info(n, &i);
	assert_string_equal(i.bridge, "teu-" INSTANCE);
	assert_int_equal(nft_table_exists(i.bridge, NULL), 1);
	assert_true(count_all().links > before.links);
	assert_int_equal(network_down(n, NULL), 0);
	assert_int_equal(network_down(n, NULL), 0);
	after = count_all();
	assert_memory_equal(&before, &after, sizeof before);
	assert_int_equal(nft_table_exists(i.bridge, NULL), 0);
	network_info(n, &i);
	assert_false(i.up);
}

static void a_veth_dies_with_its_namespace(void **state)
{
	CLEANUP(network_set_free) struct network_set *s = set_new(INSTANCE, NULL);
	CLEANUP(nl_close) struct nl nl = { 0 };
	struct network *n = bridge_up(s);
	int c = netns_new();
	struct network_endpoint ep = attach(n, CONTAINER, c);
	struct timespec ms = { .tv_nsec = 10000000 };
	struct rtnl_link l;
	int r;

	network_detach(n, &ep);
	close(c);
	assert_int_equal(nl_open(&nl, NETLINK_ROUTE, NULL), 0);
	for (unsigned i = 0; (r = rtnl_link_get(&nl, ep.veth, &l, NULL)) == 0 && i < 500; i++)
		nanosleep(&ms, NULL); /* the kernel's worker; nothing tells its end but a monitor */
	assert_int_equal(r, -ERR_NOT_FOUND);
}

static void two_instances_live_side_by_side(void **state)
{
	CLEANUP(network_set_free) struct network_set *s = set_new(INSTANCE, NULL);
	CLEANUP(network_set_free) struct network_set *t = set_new("ffffffff", NULL);
	struct network *a = bridge_up(s), *b = bridge_up(t);
	int ca = netns_new(), cb = netns_new();
	struct network_endpoint ea = attach(a, CONTAINER, ca), eb = attach(b, CONTAINER, cb);
	struct network_info ia, ib;

	expect_subnet(a, "172.17.0.0/16", "172.17.0.1/16");
	expect_subnet(b, "172.18.0.0/16", "172.18.0.1/16");
	network_info(a, &ia);
	network_info(b, &ib);
	assert_string_not_equal(ia.bridge, ib.bridge);
	assert_string_not_equal(ia.id, ib.id);
	assert_string_not_equal(ea.veth, eb.veth);
	assert_int_equal(network_down(a, NULL), 0);
	/* The other one is untouched. */
	assert_int_equal(nft_table_exists(ib.bridge, NULL), 1);
	close(ca);
	close(cb);
}

static void a_restart_finds_everything_again(void **state)
{
	CLEANUP(network_set_free) struct network_set *blocker = set_new("11111111", NULL);
	struct network_set *s;
	struct network *n;
	struct network_info before, after;
	struct network_endpoint ep, second;
	char id[NETWORK_ID_LEN + 1];
	int a = netns_new(), b = netns_new(), ua, ub;
	struct in_addr got;
	struct err err = ERR_INIT;

	bridge_up(blocker); /* so that ours is not the first of the pool */
	s = set_new(INSTANCE, NULL);
	n = bridge_up(s);
	ep = attach(n, CONTAINER, a);
	network_info(n, &before);
	str_copy(id, sizeof id, before.id);
	network_set_free(s);

	s = set_new(INSTANCE, "172.31.0.0/16"); /* what is there wins over what was stored */
	n = bridge_up(s);
	expect_subnet(n, "172.18.0.0/16", "172.18.0.1/16");
	network_info(n, &after);
	assert_string_equal(after.id, id);
	/* The engine takes what its database says. */
	assert_int_equal(network_ipam_take(n, &ep.addr.v4, &got, &err), 0);
	assert_int_equal(network_ipam_take(n, &ep.addr.v4, &got, &err), -ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "network 'bridge': address 172.18.0.2 is already in use"));
	second = attach(n, "deadbeef01234567", b);
	ua = udp_in(a, &ep.addr, 4000);
	ub = udp_in(b, &second.addr, 4000);
	talk(ua, ub, &second.addr, 4000);
	close(ua);
	close(ub);
	close(a);
	close(b);
	network_set_free(s);
}

static void a_stored_subnet_is_used_when_free(void **state)
{
	CLEANUP(network_set_free) struct network_set *s = set_new(INSTANCE, "192.168.77.0/24");
	CLEANUP(network_set_free) struct network_set *t = set_new("ffffffff", "192.168.77.0/24");

	expect_subnet(bridge_up(s), "192.168.77.0/24", "192.168.77.1/24");
	expect_subnet(bridge_up(t), "172.17.0.0/16", "172.17.0.1/16");
}

static void subnets_in_use_by_routes_are_left_alone(void **state)
{
	CLEANUP(network_set_free) struct network_set *s = set_new(INSTANCE, NULL);
	CLEANUP(nl_close) struct nl nl = { 0 };
	struct rtnl_route r = { .index = 1 };

	(void)rtnl_addr_parse("172.16.0.0/12", &r.dst, NULL); /* all of docker's first pool */
	assert_int_equal(nl_open(&nl, NETLINK_ROUTE, NULL), 0);
	rtnl_put_route(&nl, &r);
	assert_int_equal(nl_commit(&nl, NULL), 0);
	expect_subnet(bridge_up(s), "192.168.0.0/20", "192.168.0.1/20");
}

static void a_full_host_is_told(void **state)
{
	CLEANUP(network_set_free) struct network_set *s = set_new(INSTANCE, NULL);
	CLEANUP(nl_close) struct nl nl = { 0 };
	struct rtnl_route a = { .index = 1 }, b = { .index = 1 };
	struct count before, after;
	struct err err = ERR_INIT;

	(void)rtnl_addr_parse("172.16.0.0/12", &a.dst, NULL);
	(void)rtnl_addr_parse("192.168.0.0/16", &b.dst, NULL);
	assert_int_equal(nl_open(&nl, NETLINK_ROUTE, NULL), 0);
	rtnl_put_route(&nl, &a);
	rtnl_put_route(&nl, &b);
	assert_int_equal(nl_commit(&nl, NULL), 0);
	before = count_all();
	assert_int_equal(network_up(bridge_of(s), &err), -ERR_QUOTA);
	assert_non_null(strstr(err.msg, "network 'bridge': no free subnet"));
	after = count_all();
	assert_memory_equal(&before, &after, sizeof before); /* nothing left behind */
}

static void a_deleted_bridge_is_made_anew(void **state)
{
	CLEANUP(network_set_free) struct network_set *s = set_new(INSTANCE, NULL);
	CLEANUP(nl_close) struct nl nl = { 0 };
	struct network *n = bridge_up(s);
	struct rtnl_link l;
	int c = netns_new();

	assert_int_equal(nl_open(&nl, NETLINK_ROUTE, NULL), 0);
	assert_int_equal(rtnl_link_get(&nl, "teu-" INSTANCE, &l, NULL), 0);
	rtnl_put_link_del(&nl, l.index);
	assert_int_equal(nl_commit(&nl, NULL), 0);
	attach(n, CONTAINER, c);
	assert_int_equal(rtnl_link_get(&nl, "teu-" INSTANCE, &l, NULL), 0);
	close(c);
}

static void addresses_run_out_and_come_back(void **state)
{
	CLEANUP(network_set_free) struct network_set *s = set_new(INSTANCE, "10.1.2.0/29");
	struct network *n = bridge_up(s);
	struct in_addr a[5], x;
	struct err err = ERR_INIT;

	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(network_ipam_take(n, NULL, &a[i], &err), 0);
		assert_int_equal(ntohl(a[i].s_addr), 0x0a010202 + i);
	}
	assert_int_equal(network_ipam_take(n, NULL, &x, &err), -ERR_QUOTA);
	assert_non_null(strstr(err.msg, "all 5"));
	network_ipam_free(n, a[2]);
	assert_int_equal(network_ipam_take(n, NULL, &x, &err), 0);
	assert_int_equal(x.s_addr, a[2].s_addr);
	/* The gateway and what is outside cannot be taken or freed. */
	x.s_addr = htonl(0x0a010201);
	network_ipam_free(n, x);
	assert_int_equal(network_ipam_take(n, &x, &x, &err), -ERR_CONFLICT);
	x.s_addr = htonl(0x0a010301);
	network_ipam_free(n, x);
	assert_int_equal(network_ipam_take(n, &x, &x, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "10.1.3.1 is not within"));
}

static void a_failed_attach_gives_everything_back(void **state)
{
	CLEANUP(network_set_free) struct network_set *s = set_new(INSTANCE, "10.1.2.0/29");
	struct network *n = bridge_up(s);
	struct network_endpoint_spec spec = { .container = CONTAINER };
	struct network_endpoint ep;
	struct count before = count_all(), after;
	struct err err = ERR_INIT;
	struct in_addr a;

	spec.netns_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(network_attach(n, &spec, &ep, &err) < 0);
	assert_non_null(
		strstr(err.msg, "connect container c0ffee012345 to network 'bridge': create veth"));
	after = count_all();
	assert_memory_equal(&before, &after, sizeof before);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(network_ipam_take(n, NULL, &a, &err), 0);
	close(spec.netns_fd);
}

static void the_same_container_can_be_attached_again_at_once(void **state)
{
	CLEANUP(network_set_free) struct network_set *s = set_new(INSTANCE, NULL);
	struct network *n = bridge_up(s);
	int a = netns_new(), b = netns_new();
	struct network_endpoint ea = attach(n, CONTAINER, a), eb = attach(n, CONTAINER, b);

	assert_string_not_equal(ea.veth, eb.veth); /* the old veth may still be there */
	close(a);
	close(b);
}

static void a_namespace_with_other_links_is_attached_too(void **state)
{
	CLEANUP(network_set_free) struct network_set *s = set_new(INSTANCE, NULL);
	CLEANUP(nl_close) struct nl nl = { 0 };
	struct network *n = bridge_up(s);
	int a = netns_new(), b = netns_new(), ua, ub;
	struct network_endpoint ea, eb;

	assert_int_equal(nl_open_in(&nl, NETLINK_ROUTE, a, NULL), 0);
	rtnl_put_bridge(&nl, "other", NULL, 0, false); /* takes index 2 */
	assert_int_equal(nl_commit(&nl, NULL), 0);
	ea = attach(n, CONTAINER, a);
	eb = attach(n, "deadbeef01234567", b);
	ua = udp_in(a, &ea.addr, 4000);
	ub = udp_in(b, &eb.addr, 4000);
	talk(ua, ub, &eb.addr, 4000);
	close(ua);
	close(ub);
	close(a);
	close(b);
}

struct worker {
	struct network *n;
	int ns[8], home;
	struct network_endpoint ep[8];
	unsigned id, failed;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	char name[32];

	(void)snprintf(name, sizeof name, "%016x", 0x1000 + w->id);
	for (unsigned i = 0; i < 8; i++) {
		struct network_endpoint_spec spec = { .container = name, .netns_fd = w->ns[i] };

		name[3] = (char)('a' + i % 6);
		w->failed += network_attach(w->n, &spec, &w->ep[i], NULL) < 0;
	}
	return NULL;
}

static void attach_is_safe_in_threads(void **state)
{
	CLEANUP(network_set_free) struct network_set *s = set_new(INSTANCE, NULL);
	struct worker w[3];
	pthread_t t[3];
	uint8_t seen[64] = { 0 };

	for (unsigned i = 0; i < 3; i++) {
		w[i] = (struct worker){ .n = bridge_of(s), .id = i };
		for (unsigned k = 0; k < 8; k++)
			w[i].ns[k] = netns_new();
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&t[i], NULL, work, &w[i]), 0);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(w[i].failed, 0);
		for (unsigned k = 0; k < 8; k++) {
			unsigned a = ntohl(w[i].ep[k].addr.v4.s_addr) & 63;

			assert_int_equal(seen[a]++, 0);
			close(w[i].ns[k]);
		}
	}
}

static void none_has_only_lo(void **state)
{
	CLEANUP(network_set_free) struct network_set *s = set_new(INSTANCE, NULL);
	struct network *n = NULL;
	struct network_endpoint ep;
	struct count c = { 0 };
	int ns = netns_new();

	assert_int_equal(network_find(s, "none", &n, NULL), 0);
	ep = attach(n, CONTAINER, ns);
	assert_int_equal(ep.addr.family, 0);
	assert_string_equal(ep.ifname, "");
	assert_int_equal(rtnl_stats_list(ns, count_link, &c, NULL), 0);
	assert_int_equal(c.links, 1);
	network_detach(n, &ep);
	close(ns);
}

static void networks_are_found_by_name_id_and_prefix(void **state)
{
	CLEANUP(network_set_free) struct network_set *s = set_new(INSTANCE, NULL);
	struct network_endpoint_spec spec = { .container = CONTAINER, .netns_fd = -1 };
	struct network_spec mine = { .name = "mine", .driver = "macvlan" };
	struct network_endpoint ep;
	struct network *n, *host = NULL, *none = NULL;
	struct network_info i;
	struct in_addr a;
	struct err err = ERR_INIT;

	for (unsigned k = 0; (n = network_at(s, k)); k++) {
		struct network *by_id = NULL;

		network_info(n, &i);
		assert_int_equal(network_find(s, i.id, &by_id, NULL), 0);
		assert_ptr_equal(by_id, n);
		assert_int_equal(network_find(s, slice_of(i.id, 12).p, &by_id, NULL), 0);
		assert_ptr_equal(by_id, n);
	}
	assert_int_equal(network_find(s, "mine", &n, &err), -ERR_NOT_FOUND);
	assert_string_equal(err.msg, "network 'mine' not found");
	assert_int_equal(network_find(s, "", &n, &err), -ERR_NOT_FOUND);
	assert_int_equal(network_create(s, &mine, &n, &err), -ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "driver 'macvlan'"));
	mine.name = "bridge";
	assert_int_equal(network_create(s, &mine, &n, &err), -ERR_CONFLICT);
	assert_int_equal(network_find(s, "host", &host, NULL), 0);
	assert_int_equal(network_attach(host, &spec, &ep, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "network 'host'"));
	assert_int_equal(network_find(s, "none", &none, NULL), 0);
	assert_int_equal(network_ipam_take(none, NULL, &a, &err), -ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "no addresses"));
}

static void bad_options_are_refused(void **state)
{
	static const struct {
		struct network_options o;
		const char *part;
	} cases[] = {
		{ { .instance = "xyz" }, "instance id 'xyz'" },
		{ { .instance = NULL }, "instance id ''" },
		{ { .instance = "ABCDEF01" }, "hex digits" },
		{ { .instance = INSTANCE, .subnet = "10.0.0.0/8" },
		  "subnet of network 'bridge': subnet '10.0.0.0/8'" },
		{ { .instance = INSTANCE, .subnet = "10.0.0.0/31" }, "/16 to /30" },
		{ { .instance = INSTANCE, .subnet = "fd00::/64" }, "IPv4" },
		{ { .instance = INSTANCE, .subnet = "bogus" }, "not an IP address" },
		{ { .instance = INSTANCE, .mtu = 10 }, "MTU 10" },
		{ { .instance = INSTANCE, .bridge_id = "abc" }, "network id 'abc'" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct network_set *s = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(network_set_new(&cases[i].o, &s, &err), -ERR_INVALID);
		assert_non_null(strstr(err.msg, cases[i].part));
		assert_null(s);
	}
}

#define CASE(f) cmocka_unit_test_setup(f, fresh_namespace)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(two_containers_talk_over_the_bridge),
		CASE(packets_to_the_outside_are_masqueraded),
		CASE(teardown_leaves_no_link_table_or_route),
		CASE(a_veth_dies_with_its_namespace),
		CASE(two_instances_live_side_by_side),
		CASE(a_restart_finds_everything_again),
		CASE(a_stored_subnet_is_used_when_free),
		CASE(subnets_in_use_by_routes_are_left_alone),
		CASE(a_full_host_is_told),
		CASE(a_deleted_bridge_is_made_anew),
		CASE(addresses_run_out_and_come_back),
		CASE(a_failed_attach_gives_everything_back),
		CASE(the_same_container_can_be_attached_again_at_once),
		CASE(a_namespace_with_other_links_is_attached_too),
		CASE(attach_is_safe_in_threads),
		CASE(none_has_only_lo),
		CASE(networks_are_found_by_name_id_and_prefix),
		CASE(bad_options_are_refused),
	};

	if (unshare(CLONE_NEWNET) < 0) {
		print_message("needs CAP_SYS_ADMIN for a network namespace\n");
		return 77; /* meson: skipped */
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
