/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink, rtnetlink and nf_tables in a network namespace of the test's own. Needs root, else it is
 * skipped. */
#include "linux/nft.h"

#include "base/err.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct rtnl_addr addr(const char *s)
{
	struct rtnl_addr a = { 0 };

	assert_int_equal(rtnl_addr_parse(s, &a, NULL), 0);
	return a;
}

/* A namespace made without leaving ours. */
static int netns_new(void)
{
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	return fd;
}

static void commit_ok(struct nl *nl)
{
	struct err err = ERR_INIT;

	if (nl_commit(nl, &err) < 0)
		fail_msg("%s", err.msg);
}

static void open_ok(struct nl *nl)
{
	struct err err = ERR_INIT;

	if (nl_open(nl, NETLINK_ROUTE, &err) < 0)
		fail_msg("%s", err.msg);
}

struct seen {
	unsigned n, wanted;
	const char *name;
	struct rtnl_addr addr;
	struct rtnl_route route;
};

static int see_link(void *arg, const struct rtnl_link *l)
{
	struct seen *s = arg;

	s->n++;
	s->wanted += s->name && strcmp(l->name, s->name) == 0;
	return 0;
}

static int see_addr(void *arg, const struct rtnl_ifaddr *a)
{
	struct seen *s = arg;

	s->n++;
	s->wanted += a->addr.family == s->addr.family && a->addr.prefix == s->addr.prefix &&
		     memcmp(a->addr.bytes, s->addr.bytes, 4) == 0;
	return 0;
}

static int see_default(void *arg, const struct rtnl_route *r)
{
	struct seen *s = arg;

	if (r->dst.family == AF_INET && r->dst.prefix == 0 && r->table == RT_TABLE_MAIN) {
		s->route = *r;
		s->wanted++;
	}
	return 0;
}

static int stop_at_once(void *arg, const struct rtnl_link *l)
{
	(void)l;
	(*(unsigned *)arg)++;
	return 7;
}

/* ---- text ---- */

static void addresses_are_read_and_written(void **state)
{
	char text[RTNL_ADDR_TEXT];
	struct rtnl_addr a;
	struct err err = ERR_INIT;

	a = addr("172.17.0.1/16");
	assert_int_equal(a.family, AF_INET);
	assert_int_equal(a.prefix, 16);
	assert_string_equal(rtnl_addr_text(&a, true, text), "172.17.0.1/16");
	a = addr("fe80::1");
	assert_int_equal(a.prefix, 128);
	assert_string_equal(rtnl_addr_text(&a, false, text), "fe80::1");
	assert_int_equal(rtnl_addr_parse("172.17.0.1/33", &a, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "0..32"));
	assert_int_equal(rtnl_addr_parse("172.17.0", &a, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "'172.17.0' is not an IP address"));
	assert_int_equal(rtnl_addr_parse("1.2.3.4/x", &a, &err), -ERR_INVALID);
	assert_int_equal(rtnl_addr_parse("", &a, &err), -ERR_INVALID);
	assert_int_equal(
		rtnl_addr_parse("00000000000000000000000000000000000000000000000000001", &a, &err),
		-ERR_INVALID);
}

static void attributes_with_wrong_lengths_are_refused(void **state)
{
	struct {
		struct nlattr a;
		char v[8];
	} one = { { 8, 1 }, "abcd" };
	struct nl_attr t[4];
	char name[4];

	assert_int_equal(nl_parse(&one, 8, t, 4), 0);
	assert_int_equal(t[1].n, 4);
	nl_get_str(t[1], name, sizeof name);
	assert_string_equal(name, "abc"); /* cut, never over the end */
	assert_int_equal(nl_get_u32(t[2]), 0);
	one.a.nla_len = 3;
	assert_int_equal(nl_parse(&one, 8, t, 4), -1);
	one.a.nla_len = 9;
	assert_int_equal(nl_parse(&one, 8, t, 4), -1);
	one.a.nla_len = 8;
	assert_int_equal(nl_parse(&one, 7, t, 4), -1);
	one.a.nla_type = 1000; /* unknown: skipped */
	assert_int_equal(nl_parse(&one, 8, t, 4), 0);
	assert_null(t[1].p);
}

/* ---- links ---- */

static void bridge_and_veth_into_another_namespace_in_one_send(void **state)
{
	CLEANUP(nl_close) struct nl nl = { 0 }, inside = { 0 };
	const uint8_t mac[6] = { 2, 0x42, 1, 2, 3, 4 };
	struct rtnl_veth v = { .name = "v0", .peer_name = "eth0", .peer_mac = mac, .mtu = 1400 };
	struct rtnl_link br, l;
	struct timespec t0, t1;
	struct err err = ERR_INIT;

	open_ok(&nl);
	rtnl_put_bridge(&nl, "b0", mac, 0, false);
	commit_ok(&nl);
	assert_int_equal(rtnl_link_get(&nl, "b0", &br, &err), 0);
	assert_string_equal(br.kind, "bridge");
	assert_memory_equal(br.mac, mac, 6);
	assert_true(br.flags & IFF_UP);

	v.netns_fd = netns_new();
	v.master = br.index;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	rtnl_put_veth(&nl, &v);
	commit_ok(&nl);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	print_message("veth into a namespace: %ld us\n",
		      (t1.tv_sec - t0.tv_sec) * 1000000 + (t1.tv_nsec - t0.tv_nsec) / 1000);
	assert_int_equal(rtnl_link_get(&nl, "v0", &l, &err), 0);
	assert_int_equal(l.master, br.index);
	assert_int_equal(l.mtu, 1400);
	assert_string_equal(l.kind, "veth");

	assert_int_equal(nl_open_in(&inside, NETLINK_ROUTE, v.netns_fd, &err), 0);
	assert_int_equal(rtnl_link_get(&inside, "eth0", &l, &err), 0);
	assert_int_equal(l.index, 2);
	assert_memory_equal(l.mac, mac, 6);
	assert_int_equal(rtnl_link_get_index(&inside, 1, &l, &err), 0);
	assert_string_equal(l.name, "lo");
	/* The call came back to our own namespace. */
	assert_int_equal(rtnl_link_get(&nl, "b0", &br, &err), 0);
	close(v.netns_fd);
}

static void one_send_configures_all_of_a_namespace(void **state)
{
	CLEANUP(nl_close) struct nl nl = { 0 }, in = { 0 };
	struct rtnl_veth v = { .name = "v1", .peer_name = "eth0" };
	struct rtnl_addr a = addr("10.9.0.2/24"), gw = addr("10.9.0.1");
	struct rtnl_route def = { .dst = { .family = AF_INET }, .via = gw };
	struct seen s = { .addr = a };
	struct err err = ERR_INIT;

	v.netns_fd = netns_new();
	open_ok(&nl);
	rtnl_put_veth(&nl, &v);
	commit_ok(&nl);
	assert_int_equal(nl_open_in(&in, NETLINK_ROUTE, v.netns_fd, &err), 0);
	for (int twice = 0; twice < 2; twice++) { /* again changes nothing */
		rtnl_put_link_up(&in, 1);
		rtnl_put_addr(&in, 2, &a);
		rtnl_put_link_up(&in, 2);
		rtnl_put_route(&in, &def);
		commit_ok(&in);
	}
	assert_int_equal(rtnl_addr_list(&in, see_addr, &s, &err), 0);
	assert_int_equal(s.wanted, 1);
	assert_int_equal(rtnl_route_list(&in, see_default, &s, &err), 0);
	assert_int_equal(s.wanted, 2);
	assert_int_equal(s.route.index, 2);
	assert_memory_equal(s.route.via.bytes, gw.bytes, 4);
	s = (struct seen){ .name = "eth0" };
	assert_int_equal(rtnl_stats_list(v.netns_fd, see_link, &s, &err), 0);
	assert_int_equal(s.wanted, 1);
	close(v.netns_fd);
}

static void lo_comes_up_here_and_there(void **state)
{
	CLEANUP(nl_close) struct nl nl = { 0 };
	int ns = netns_new();
	struct rtnl_link l;

	assert_int_equal(rtnl_lo_up(ns, NULL), 0);
	assert_int_equal(nl_open_in(&nl, NETLINK_ROUTE, ns, NULL), 0);
	assert_int_equal(rtnl_link_get(&nl, "lo", &l, NULL), 0);
	assert_true(l.flags & IFF_UP);
	close(ns);
}

static void deleted_links_are_gone_and_deleting_again_is_fine(void **state)
{
	CLEANUP(nl_close) struct nl nl = { 0 };
	struct rtnl_link l;
	struct err err = ERR_INIT;

	open_ok(&nl);
	rtnl_put_bridge(&nl, "b1", NULL, 1400, false);
	commit_ok(&nl);
	assert_int_equal(rtnl_link_get(&nl, "b1", &l, &err), 0);
	assert_int_equal(l.mtu, 1400);
	rtnl_put_link_del(&nl, l.index);
	rtnl_put_link_del(&nl, l.index);
	commit_ok(&nl);
	assert_true(nl.req[1].tolerated);
	assert_int_equal(rtnl_link_get(&nl, "b1", &l, &err), -ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "find interface 'b1'"));
}

/* ---- errors ---- */

static void first_failure_of_a_batch_is_told_with_the_kernels_words(void **state)
{
	CLEANUP(nl_close) struct nl nl = { 0 };
	struct rtnl_addr a = addr("10.8.0.1/24");
	struct rtnl_route bad = { .dst = addr("10.77.0.0/16"), .via = addr("10.66.0.1") };
	struct err err = ERR_INIT;
	struct rtnl_link l;

	open_ok(&nl);
	rtnl_put_addr(&nl, 9999, &a);
	rtnl_put_route(&nl, &bad);
	assert_int_equal(nl_commit(&nl, &err), -ERR_NOT_FOUND);
	assert_int_equal(err.sys, ENODEV);
	assert_non_null(strstr(err.msg, "add address 10.8.0.1/24 to interface 9999"));
	rtnl_put_route(&nl, &bad);
	assert_true(nl_commit(&nl, &err) < 0);
	assert_int_equal(err.sys, ENETUNREACH);
	assert_non_null(strstr(err.msg, "add route to 10.77.0.0/16"));
	assert_non_null(strstr(err.msg, "the kernel says: Nexthop has invalid gateway"));
	rtnl_put_bridge(&nl, "lo", NULL, 0, false);
	assert_int_equal(nl_commit(&nl, &err), -ERR_EXISTS);
	rtnl_put_bridge(&nl, "lo", NULL, 0, true);
	commit_ok(&nl);
	/* The socket is still in step. */
	assert_int_equal(rtnl_link_get(&nl, "lo", &l, &err), 0);
	assert_int_equal(rtnl_link_get(&nl, "a-name-that-is-too-long", &l, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "longer than"));
}

static void too_much_at_once_is_refused_before_anything_is_sent(void **state)
{
	CLEANUP(nl_close) struct nl nl = { 0 };
	struct rtnl_link l;
	struct err err = ERR_INIT;

	open_ok(&nl);
	rtnl_put_bridge(&nl, "b2", NULL, 0, false);
	for (unsigned i = 0; i < NL_BATCH_MAX; i++)
		rtnl_put_link_up(&nl, 1);
	assert_int_equal(nl_commit(&nl, &err), -ERR_QUOTA);
	assert_non_null(strstr(err.msg, "at once"));
	assert_int_equal(rtnl_link_get(&nl, "b2", &l, &err), -ERR_NOT_FOUND);
	rtnl_put_bridge(&nl, "a-name-that-is-too-long", NULL, 0, false);
	assert_int_equal(nl_commit(&nl, &err), -ERR_QUOTA);
	commit_ok(&nl); /* nothing queued: nothing to do */
}

static void a_callback_can_end_a_list(void **state)
{
	CLEANUP(nl_close) struct nl nl = { 0 };
	unsigned n = 0;
	struct seen s = { .name = "lo" };

	open_ok(&nl);
	assert_int_equal(rtnl_link_list(&nl, stop_at_once, &n, NULL), 7);
	assert_int_equal(n, 1);
	assert_int_equal(rtnl_link_list(&nl, see_link, &s, NULL), 0);
	assert_int_equal(s.wanted, 1);
}

static void unknown_protocols_and_namespaces_fail_cleanly(void **state)
{
	CLEANUP(nl_close) struct nl nl = { 0 };
	struct err err = ERR_INIT;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(nl_open(&nl, 30, &err), -ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "protocol 30"));
	assert_int_equal(nl_open_in(&nl, NETLINK_ROUTE, fd, &err), -ERR_SYSTEM);
	assert_non_null(strstr(err.msg, "enter network namespace"));
	close(fd);
}

/* ---- nf_tables ---- */

/* What the nft program says of the table; false without that program. */
static bool nft_list(const char *table, char *text, size_t size)
{
	size_t n = 0;
	ssize_t got;
	int p[2], status = -1;
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(p[1], 1);
		execlp("nft", "nft", "list", "table", "ip", table, (char *)NULL);
		_exit(127);
	}
	close(p[1]);
	while (n < size - 1 && (got = read(p[0], text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0;
}

static void a_bridges_table_is_made_replaced_and_deleted(void **state)
{
	struct nft_bridge b = { .table = "teu-00000001",
				.bridge = "b0",
				.subnet = addr("172.17.0.0/16") };
	struct err err = ERR_INIT;
	char text[4096];

	assert_int_equal(nft_table_exists(b.table, &err), 0);
	for (int twice = 0; twice < 2; twice++)
		if (nft_bridge_set(&b, &err) < 0)
			fail_msg("%s", err.msg);
	assert_int_equal(nft_table_exists(b.table, &err), 1);
	if (nft_list(b.table, text, sizeof text)) {
		assert_non_null(
			strstr(text, "type nat hook postrouting priority srcnat; policy accept;"));
		assert_non_null(
			strstr(text, "ip saddr 172.17.0.0/16 oifname != \"b0\" masquerade"));
		assert_non_null(
			strstr(text, "type filter hook forward priority filter; policy accept;"));
		assert_non_null(strstr(text, "iifname \"b0\" accept"));
		assert_non_null(strstr(text, "oifname \"b0\" accept"));
		assert_null(strstr(strstr(text, "masquerade") + 1, "masquerade"));
	} else {
		print_message("no nft here: rules not read back\n");
	}
	assert_int_equal(nft_table_del(b.table, &err), 0);
	assert_int_equal(nft_table_exists(b.table, &err), 0);
	assert_int_equal(nft_table_del(b.table, &err), 0);
}

static void a_bad_table_is_refused(void **state)
{
	struct nft_bridge b = { .table = "teu", .bridge = "b0", .subnet = addr("fe80::/64") };
	struct err err = ERR_INIT;

	assert_int_equal(nft_bridge_set(&b, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "bad name or subnet"));
	b.subnet = addr("10.0.0.0/8");
	b.table = "a-name-of-more-than-thirty-one-chars";
	assert_int_equal(nft_bridge_set(&b, &err), -ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_written),
		cmocka_unit_test(attributes_with_wrong_lengths_are_refused),
		cmocka_unit_test(bridge_and_veth_into_another_namespace_in_one_send),
		cmocka_unit_test(one_send_configures_all_of_a_namespace),
		cmocka_unit_test(lo_comes_up_here_and_there),
		cmocka_unit_test(deleted_links_are_gone_and_deleting_again_is_fine),
		cmocka_unit_test(first_failure_of_a_batch_is_told_with_the_kernels_words),
		cmocka_unit_test(too_much_at_once_is_refused_before_anything_is_sent),
		cmocka_unit_test(a_callback_can_end_a_list),
		cmocka_unit_test(unknown_protocols_and_namespaces_fail_cleanly),
		cmocka_unit_test(a_bridges_table_is_made_replaced_and_deleted),
		cmocka_unit_test(a_bad_table_is_refused),
	};

	if (unshare(CLONE_NEWNET) < 0) {
		print_message("needs CAP_SYS_ADMIN for a network namespace\n");
		return 77; /* meson: skipped */
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
