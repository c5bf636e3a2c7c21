/* SPDX-License-Identifier: Apache-2.0 */
/* Contents of hosts, hostname and resolv.conf, and the words of HostConfig.NetworkMode. */
#include "network/network.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

typedef int (*make_fn)(const struct network_files *f, struct buf *out, struct err *err);

static struct rtnl_addr ip, gateway, ip6;

static void expect(make_fn make, const struct network_files *f, const char *text)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	struct err err = ERR_INIT;

	if (make(f, &b, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(buf_str(&b), text);
}

static void expect_error(make_fn make, const struct network_files *f, enum err_code code,
			 const char *part)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	struct err err = ERR_INIT;

	assert_int_equal(make(f, &b, &err), -(int)code);
	assert_non_null(strstr(err.msg, part));
}

#define LOCAL                                         \
	"127.0.0.1\tlocalhost\n"                      \
	"::1\tlocalhost ip6-localhost ip6-loopback\n" \
	"fe00::\tip6-localnet\n"                      \
	"ff00::\tip6-mcastprefix\n"                   \
	"ff02::1\tip6-allnodes\n"                     \
	"ff02::2\tip6-allrouters\n"

static void hosts_has_local_names_extra_hosts_and_the_container(void **state)
{
	struct network_files f = { .hostname = "web", .addr = &ip, .gateway = &gateway };

	expect(network_hosts, &f, LOCAL "172.17.0.2\tweb\n");
	f.extra_hosts =
		LIST("db:10.0.0.1", "v6:fe80::1", "v6b=[::2]", "host.docker.internal:host-gateway");
	expect(network_hosts, &f,
	       LOCAL "10.0.0.1\tdb\nfe80::1\tv6\n::2\tv6b\n172.17.0.1\thost.docker.internal\n172."
		     "17.0.2\tweb\n");
	f.extra_hosts = NULL;
	f.domainname = "example.org";
	expect(network_hosts, &f, LOCAL "172.17.0.2\tweb.example.org web\n");
	f.domainname = NULL;
	f.hostname = "web.local";
	expect(network_hosts, &f, LOCAL "172.17.0.2\tweb.local web\n");
	f.addr = NULL;
	f.kind = NETWORK_KIND_NONE;
	expect(network_hosts, &f, LOCAL);
}

static void hosts_of_the_host_network_is_the_hosts_file(void **state)
{
	struct network_files f = { .kind = NETWORK_KIND_HOST,
				   .hostname = "web",
				   .host_hosts = SLICE("127.0.0.1 me"),
				   .extra_hosts = LIST("db:10.0.0.1") };

	expect(network_hosts, &f, "127.0.0.1 me\n10.0.0.1\tdb\n");
}

static void bad_extra_hosts_are_refused(void **state)
{
	struct network_files f = { .hostname = "web", .addr = &ip };

	f.extra_hosts = LIST("db");
	expect_error(network_hosts, &f, ERR_INVALID, "extra host 'db': invalid IP address");
	f.extra_hosts = LIST("db:10.0.0.0/8");
	expect_error(network_hosts, &f, ERR_INVALID, "invalid IP address");
	f.extra_hosts = LIST(":10.0.0.1");
	expect_error(network_hosts, &f, ERR_INVALID, "is empty");
	f.extra_hosts = LIST("a\nb:10.0.0.1");
	expect_error(network_hosts, &f, ERR_INVALID, "blanks");
	f.extra_hosts = LIST("gw:host-gateway");
	expect_error(network_hosts, &f, ERR_INVALID, "host-gateway needs a network with a gateway");
	f.extra_hosts = NULL;
	f.hostname = "we b";
	expect_error(network_hosts, &f, ERR_INVALID, "host name 'we b'");
	expect_error(network_hostname, &f, ERR_INVALID, "host name");
}

static void contents_are_bounded(void **state)
{
	struct network_files f = { .hostname = "web", .addr = &ip };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(100);
	struct err err = ERR_INIT;

	assert_int_equal(network_hosts(&f, &b, &err), -ERR_QUOTA);
	assert_non_null(strstr(err.msg, "/etc/hosts grows over 100 bytes"));
}

static void hostname_is_a_line(void **state)
{
	struct network_files f = { .hostname = "web" };

	expect(network_hostname, &f, "web\n");
}

static void resolv_conf_drops_servers_that_only_the_host_reaches(void **state)
{
	struct network_files f = { .addr = &ip };

	f.host_resolv = SLICE(
		"# c\nnameserver 127.0.0.53\nnameserver 10.0.0.53\nnameserver ::1\nnameserver "
		"fd00::1\n"
		"nameserver bogus\nsearch a.example b.example \noptions ndots:2 edns0\nnonsense\n");
	expect(network_resolv, &f,
	       "nameserver 10.0.0.53\nsearch a.example b.example\noptions ndots:2 edns0\n");
	f.addr = &ip6;
	expect(network_resolv, &f,
	       "nameserver 10.0.0.53\nnameserver fd00::1\nsearch a.example b.example\noptions "
	       "ndots:2 edns0\n");
}

static void resolv_conf_falls_back_to_public_servers(void **state)
{
	struct network_files f = { .addr = &ip };

	expect(network_resolv, &f, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
	f.host_resolv = SLICE("nameserver 127.0.0.1\ndomain x.org");
	expect(network_resolv, &f, "nameserver 8.8.8.8\nnameserver 8.8.4.4\nsearch x.org\n");
}

static void what_the_user_gives_replaces_the_hosts(void **state)
{
	struct network_files f = { .addr = &ip };

	f.host_resolv = SLICE("nameserver 10.0.0.53\nsearch host.example\noptions ndots:2\n");
	f.dns = LIST("1.1.1.1", "fd00::2");
	expect(network_resolv, &f,
	       "nameserver 1.1.1.1\nnameserver fd00::2\nsearch host.example\noptions ndots:2\n");
	f.dns_search = LIST("c1", "c2");
	f.dns_options = LIST("timeout:1", "rotate");
	expect(network_resolv, &f,
	       "nameserver 1.1.1.1\nnameserver fd00::2\nsearch c1 c2\noptions timeout:1 rotate\n");
	f.dns_search = LIST(".");
	f.dns_options = NULL;
	expect(network_resolv, &f, "nameserver 1.1.1.1\nnameserver fd00::2\noptions ndots:2\n");
	f.dns = LIST("dns.example");
	expect_error(network_resolv, &f, ERR_INVALID,
		     "DNS server 'dns.example' is not an IP address");
	f.dns = NULL;
	f.dns_search = LIST("a\nnameserver 6.6.6.6");
	expect_error(network_resolv, &f, ERR_INVALID, "search");
}

static void resolv_conf_of_the_host_network_is_the_hosts_unless_told(void **state)
{
	struct network_files f = { .kind = NETWORK_KIND_HOST,
				   .host_resolv = SLICE("nameserver 127.0.0.53\n# kept\n") };

	expect(network_resolv, &f, "nameserver 127.0.0.53\n# kept\n");
	f.dns = LIST("9.9.9.9");
	expect(network_resolv, &f, "nameserver 9.9.9.9\n");
}

static void network_modes_are_told_apart(void **state)
{
	static const struct {
		const char *text, *ref;
		enum network_kind kind;
	} cases[] = {
		{ "", "bridge", NETWORK_KIND_BRIDGE },
		{ "default", "bridge", NETWORK_KIND_BRIDGE },
		{ "bridge", "bridge", NETWORK_KIND_BRIDGE },
		{ "none", "none", NETWORK_KIND_NONE },
		{ "host", "host", NETWORK_KIND_HOST },
		{ "container:abc", "abc", NETWORK_KIND_CONTAINER },
		{ "mine", "mine", NETWORK_KIND_NAMED },
	};
	struct network_mode m;
	struct err err = ERR_INIT;

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(network_mode_parse(cases[i].text, &m, &err), 0);
		assert_int_equal(m.kind, cases[i].kind);
		assert_string_equal(m.ref, cases[i].ref);
	}
	assert_int_equal(network_mode_parse("container:", &m, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "names no container"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_has_local_names_extra_hosts_and_the_container),
		cmocka_unit_test(hosts_of_the_host_network_is_the_hosts_file),
		cmocka_unit_test(bad_extra_hosts_are_refused),
		cmocka_unit_test(contents_are_bounded),
		cmocka_unit_test(hostname_is_a_line),
		cmocka_unit_test(resolv_conf_drops_servers_that_only_the_host_reaches),
		cmocka_unit_test(resolv_conf_falls_back_to_public_servers),
		cmocka_unit_test(what_the_user_gives_replaces_the_hosts),
		cmocka_unit_test(resolv_conf_of_the_host_network_is_the_hosts_unless_told),
		cmocka_unit_test(network_modes_are_told_apart),
	};

	(void)rtnl_addr_parse("172.17.0.2/16", &ip, NULL);
	(void)rtnl_addr_parse("172.17.0.1/16", &gateway, NULL);
	(void)rtnl_addr_parse("fd00::9/64", &ip6, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
