/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolver against two name servers of ours in a network namespace: what never leaves, search,
 * caches, truncation, loss, forged answers, servers that fail. Time-outs are short where silence is
 * the case, and nothing measures time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns-stub.h"
#include "io/resolver-impl.h"

#include <arpa/inet.h>
#include <fcntl.h>

struct env {
	struct loop *loop;
	struct stub one, two;
	struct resolver *r;
	char dir[32], hosts[64], resolv[64];
	/* what came */
	unsigned calls, last;
	char got[512], name[DNS_TEXT_MAX];
	enum err_code code;
	char msg[1024];
	struct resolve *q;
	bool cancel;
	size_t rr_n;
	uint16_t rr_port;
};

static void put_file(const char *path, const char *text)
{
	struct err err = ERR_INIT;

	assert_int_equal(fd_replace_file(AT_FDCWD, path, text, strlen(text), 0600, &err), 0);
}

static int setup(void **state)
{
	struct env *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	assert_int_equal(loop_new(&e->loop, NULL), 0);
	stub_start(&e->one, e->loop, 0x7f000001);
	stub_start(&e->two, e->loop, 0x7f000002);
	(void)snprintf(e->dir, sizeof(e->dir), "/tmp/teu-resolver-XXXXXX");
	assert_non_null(mkdtemp(e->dir));
	(void)snprintf(e->hosts, sizeof(e->hosts), "%s/hosts", e->dir);
	(void)snprintf(e->resolv, sizeof(e->resolv), "%s/resolv.conf", e->dir);
	put_file(e->hosts, "127.0.0.1 localhost\n10.0.0.1 Known known.test # x\n"
			   "fd00::1 known.test\nnonsense line\n10.0.0.2 four.test\n");
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	struct env *e = *state;

	resolver_free(e->r);
	stub_stop(&e->one);
	stub_stop(&e->two);
	loop_free(e->loop);
	assert_int_equal(fd_remove_tree(AT_FDCWD, e->dir, NULL), 0);
	free(e);
	return 0;
}

/* timeout in ms: only where silence is part of the case */
static void start(struct env *e, const char *resolv, int timeout)
{
	struct resolver_conf c = { .hosts = e->hosts,
				   .resolv = e->resolv,
				   .cache_max = 8,
				   .timeout = timeout * NS_PER_MS };

	put_file(e->resolv, resolv);
	assert_int_equal(resolver_new(e->loop, &c, &e->r, NULL), 0);
}

#define ONE "nameserver 127.0.0.1\n"
#define BOTH ONE "nameserver 127.0.0.2\n"

static void on_result(void *arg, const struct resolve_result *res)
{
	struct env *e = arg;
	size_t n = strlen(e->got);
	char text[80];

	e->calls++;
	e->last += res->last;
	n += (size_t)snprintf(e->got + n, sizeof(e->got) - n, "%s%d:", n ? " " : "",
			      res->family == AF_INET ? 4 : 6);
	for (size_t i = 0; i < res->n && n < 400; i++)
		n += (size_t)snprintf(e->got + n, sizeof(e->got) - n, "%s%s", i ? "," : "",
				      ip_addr_text(&res->addrs[i], text, sizeof(text)));
	if (res->err) {
		e->code = res->err->code;
		(void)snprintf(e->msg, sizeof(e->msg), "%s", res->err->msg);
	}
	if (res->n)
		(void)snprintf(e->name, sizeof(e->name), "%s", res->name);
	e->rr_n = MAX(e->rr_n, res->n);
	if (e->cancel)
		resolve_cancel(e->q);
}

static void run(struct env *e)
{
	for (int i = 0; !e->last && !e->cancel && i < 100000; i++)
		assert_true(loop_step(e->loop, 20 * NS_PER_SEC, NULL) >= 0);
}

static const char *look(struct env *e, const char *name, unsigned families)
{
	struct err err = ERR_INIT;

	e->got[0] = e->msg[0] = e->name[0] = '\0';
	e->calls = e->last = 0;
	e->code = ERR_NONE;
	if (resolver_lookup(e->r, name, families, on_result, e, &e->q, &err) < 0) {
		e->code = err.code;
		(void)snprintf(e->msg, sizeof(e->msg), "%s", err.msg);
		return "refused";
	}
	assert_int_equal(e->calls, 0); /* never inside */
	run(e);
	assert_int_equal(e->last, 1);
	return e->got;
}

/* Both families came, in any order. */
static void assert_both(const char *got)
{
	assert_true(strcmp(got, "6:2001:db8::1 4:192.0.2.1") == 0 ||
		    strcmp(got, "4:192.0.2.1 6:2001:db8::1") == 0);
}

/* ---- what never leaves ---- */

static void numbers_and_localhost_never_leave(void **state)
{
	struct env *e = *state;

	start(e, ONE, 0);
	assert_string_equal(look(e, "192.0.2.7", RESOLVE_BOTH), "6: 4:192.0.2.7");
	assert_string_equal(look(e, "192.0.2.7", RESOLVE_V4), "4:192.0.2.7");
	assert_string_equal(look(e, "::1", RESOLVE_BOTH), "6:::1 4:");
	assert_string_equal(look(e, "[2001:db8::2]", RESOLVE_V6), "6:2001:db8::2");
	assert_string_equal(look(e, "192.0.2.7", RESOLVE_V6), "6:");
	assert_int_equal(e->code, ERR_NOT_FOUND);
	assert_string_equal(look(e, "localhost.", RESOLVE_BOTH), "6: 4:127.0.0.1");
	assert_string_equal(look(e, "a.LOCALHOST", RESOLVE_BOTH), "6:::1 4:127.0.0.1");
	assert_int_equal(e->one.asked + e->two.asked, 0);
}

static void the_hosts_file_comes_first(void **state)
{
	struct env *e = *state;

	start(e, ONE, 0);
	assert_string_equal(look(e, "KNOWN.test", RESOLVE_BOTH), "6:fd00::1 4:10.0.0.1");
	assert_string_equal(look(e, "known", RESOLVE_BOTH), "6: 4:10.0.0.1");
	assert_string_equal(look(e, "four.test.", RESOLVE_V4), "4:10.0.0.2");
	assert_string_equal(look(e, "four.test", RESOLVE_V6), "6:");
	assert_int_equal(e->code, ERR_NOT_FOUND);
	assert_int_equal(e->one.asked, 0);
	assert_int_equal(resolver_get_stats(e->r).hosts, 4);
}

static void what_is_no_name_is_refused(void **state)
{
	struct env *e = *state;

	start(e, ONE, 0);
	assert_string_equal(look(e, "", RESOLVE_BOTH), "refused");
	assert_string_equal(look(e, "a..b", RESOLVE_BOTH), "refused");
	assert_int_equal(e->code, ERR_INVALID);
	assert_string_equal(look(e,
				 "b\xc3\xbc"
				 "cher.test",
				 RESOLVE_BOTH),
			    "refused");
	assert_non_null(strstr(e->msg, "xn--"));
	assert_string_equal(look(e, "a b", RESOLVE_BOTH), "refused");
}

/* ---- DNS ---- */

static void both_families_are_asked_at_once(void **state)
{
	struct env *e = *state;

	start(e, BOTH, 0);
	assert_both(look(e, "ok.test", RESOLVE_BOTH));
	assert_string_equal(e->name, e->name); /* case is random */
	assert_int_equal(e->one.a, 1);
	assert_int_equal(e->one.aaaa, 1);
	assert_int_equal(e->two.asked, 0);
	look(e, "v4only.test", RESOLVE_BOTH);
	assert_non_null(strstr(e->got, "4:192.0.2.1"));
	assert_int_equal(e->code, ERR_NONE);
	assert_string_equal(look(e, "v4only.test", RESOLVE_V6), "6:");
	assert_int_equal(e->code, ERR_NOT_FOUND);
}

static void a_family_is_told_as_soon_as_it_is_there(void **state)
{
	struct env *e = *state;

	start(e, ONE, 0);
	e->one.v6_slow = true;
	e->got[0] = '\0';
	assert_int_equal(
		resolver_lookup(e->r, "slow6.test", RESOLVE_BOTH, on_result, e, &e->q, NULL), 0);
	while (!e->calls)
		assert_true(loop_step(e->loop, 20 * NS_PER_SEC, NULL) >= 0);
	assert_string_equal(e->got, "4:192.0.2.1");
	assert_int_equal(e->last, 0);
	stub_release(&e->one);
	run(e);
	assert_string_equal(e->got, "4:192.0.2.1 6:2001:db8::1");
}

static void the_search_list_follows_ndots(void **state)
{
	struct env *e = *state;

	start(e, ONE "search none none.x test\noptions ndots:2 timeout:9 attempts:1\n", 0);
	assert_both(look(e, "ok", RESOLVE_BOTH));
	/* none: "ok.none" and "ok.none.x" exist for this server: so the first is the answer */
	assert_true(strcasecmp(e->name, "ok.none") == 0);
	assert_string_equal(look(e, "none", RESOLVE_V4), "4:");
	assert_int_equal(e->code, ERR_NOT_FOUND);
	/* four candidates: three domains, then as it is */
	assert_int_equal(e->one.a, 1 + 4);
	assert_true(strcasecmp(e->one.last, "none") == 0);
	/* enough dots: as it is first */
	assert_string_equal(look(e, "none.a.b", RESOLVE_V4), "4:");
	assert_int_equal(e->one.a, 1 + 4 + 4);
	assert_true(strcasecmp(e->one.last, "none.a.b.test") == 0);
	/* rooted: no search */
	assert_string_equal(look(e, "none.", RESOLVE_V4), "4:");
	assert_int_equal(e->one.a, 1 + 4 + 4); /* cached */
}

static void aliases_are_followed_circles_are_not(void **state)
{
	struct env *e = *state;

	start(e, ONE, 0);
	assert_both(look(e, "alias.test", RESOLVE_BOTH));
	assert_string_equal(e->name, "ok.test");
	look(e, "circle.test", RESOLVE_V4);
	assert_int_equal(e->code, ERR_UNAVAILABLE);
	assert_non_null(strstr(e->msg, "CNAME records in a circle"));
}

static void cut_answers_are_asked_for_over_tcp(void **state)
{
	struct env *e = *state;

	start(e, ONE, 0);
	look(e, "big.test", RESOLVE_V4);
	assert_int_equal(e->code, ERR_NONE);
	assert_int_equal(e->rr_n, 60);
	assert_int_equal(e->one.asked_tcp, 1);
	assert_int_equal(resolver_get_stats(e->r).sent_tcp, 1);
}

static void use_vc_asks_over_tcp_only(void **state)
{
	struct env *e = *state;

	start(e, ONE "options use-vc\n", 0);
	assert_both(look(e, "ok.test", RESOLVE_BOTH));
	assert_int_equal(e->one.asked_tcp, 2);
	assert_int_equal(resolver_get_stats(e->r).sent_udp, 0);
}

static void forged_answers_are_not_looked_at(void **state)
{
	struct env *e = *state;

	start(e, ONE, 0);
	assert_string_equal(look(e, "spoof.test", RESOLVE_V4), "4:192.0.2.1");
	assert_int_equal(resolver_get_stats(e->r).spoofed, 4);
	/* letters that come back changed are a server's way, or a guess: TCP tells */
	assert_string_equal(look(e, "lower-case-of-many-letters.test", RESOLVE_V4), "4:192.0.2.1");
	assert_string_equal(look(e, "lower.abcdefghijklmnopqrstuvwxyz.test", RESOLVE_V4),
			    "4:192.0.2.1");
	assert_int_equal(e->one.asked_tcp, 1);
}

static void the_name_is_sent_in_random_case(void **state)
{
	struct env *e = *state;
	bool upper = false, lower = false;

	start(e, ONE, 0);
	look(e, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz.test", RESOLVE_V4);
	for (const char *p = e->one.last; *p; p++) {
		upper |= *p >= 'A' && *p <= 'Z';
		lower |= *p >= 'a' && *p <= 'z';
	}
	assert_true(upper && lower);
}

/* ---- servers that fail ---- */

static void a_lost_datagram_is_sent_again(void **state)
{
	struct env *e = *state;

	start(e, ONE "options attempts:3\n", 50);
	e->one.drop = 2;
	assert_string_equal(look(e, "ok.test", RESOLVE_V4), "4:192.0.2.1");
	assert_int_equal(e->one.a, 3);
	assert_int_equal(resolver_get_stats(e->r).timeouts, 2);
}

static void silence_is_a_timeout(void **state)
{
	struct env *e = *state;

	start(e, BOTH "search a b\n", 20);
	e->one.dead = e->two.dead = true;
	assert_string_equal(look(e, "ok.test", RESOLVE_V4), "4:");
	assert_int_equal(e->code, ERR_TIMEOUT);
	assert_non_null(strstr(e->msg, "resolve 'ok.test': "));
	/* two servers, two attempts, and no further candidates */
	assert_int_equal(e->one.asked, 2);
	assert_int_equal(e->two.asked, 2);
}

static void the_next_server_helps(void **state)
{
	struct env *e = *state;

	start(e, "nameserver 127.0.0.9\n" BOTH, 0);
	/* nobody listens at the first: the kernel says so at once */
	assert_string_equal(look(e, "ok.test", RESOLVE_V4), "4:192.0.2.1");
	assert_int_equal(e->one.asked, 1);
	look(e, "servfail.test", RESOLVE_V4);
	assert_int_equal(e->code, ERR_UNAVAILABLE);
	assert_non_null(strstr(e->msg, "connection refused") ? e->msg :
							       strstr(e->msg, "SERVFAIL") ?: strstr(e->msg, "refused"));
	assert_int_equal(e->two.asked, 2);
	look(e, "lame.test", RESOLVE_V4);
	assert_int_equal(e->code, ERR_UNAVAILABLE);
}

static void edns_is_sent_when_told_and_dropped_for_old_servers(void **state)
{
	struct env *e = *state;

	start(e, ONE "options edns0 trust-ad\n", 0);
	assert_string_equal(look(e, "ok.test", RESOLVE_V4), "4:192.0.2.1");
	assert_int_equal(e->one.edns, 1);
	assert_string_equal(look(e, "old.test", RESOLVE_V4), "4:192.0.2.1");
	assert_int_equal(e->one.edns, 2);
	assert_int_equal(e->one.asked, 3);
}

static void rotate_asks_them_in_turn(void **state)
{
	struct env *e = *state;

	start(e, BOTH "options rotate\n", 0);
	look(e, "ok.test", RESOLVE_V4);
	look(e, "ok2.test", RESOLVE_V4);
	assert_int_equal(e->one.asked, 1);
	assert_int_equal(e->two.asked, 1);
}

/* ---- cache ---- */

static void answers_and_failures_are_kept_by_ttl(void **state)
{
	struct env *e = *state;

	start(e, ONE, 0);
	for (int i = 0; i < 3; i++) {
		assert_both(look(e, "ok.test", RESOLVE_BOTH));
		look(e, "NONE.test", RESOLVE_V4);
		assert_int_equal(e->code, ERR_NOT_FOUND);
		look(e, "v4only.test", RESOLVE_V6);
	}
	assert_int_equal(e->one.asked, 4);
	assert_int_equal(resolver_get_stats(e->r).cache_hits, 8);
	/* the SOA says: do not keep */
	look(e, "brief.v4only.test", RESOLVE_V4);
	look(e, "servfail.test", RESOLVE_V4);
	e->one.asked = 0;
	look(e, "servfail.test", RESOLVE_V4);
	assert_true(e->one.asked > 0);
}

static void the_cache_is_bounded(void **state)
{
	struct env *e = *state;
	char name[32];

	start(e, ONE, 0);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof(name), "n%d.test", i);
		look(e, name, RESOLVE_V4);
		look(e, "n0.test", RESOLVE_V4); /* used often: it stays */
	}
	assert_int_equal(resolver_get_stats(e->r).cached, 8);
	assert_int_equal(e->one.asked, 20);
}

static void equal_questions_at_the_same_time_are_one(void **state)
{
	struct env *e = *state;
	struct resolve *q;

	start(e, ONE, 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(resolver_lookup(e->r, i % 2 ? "ok.test" : "OK.test", RESOLVE_V4,
						 on_result, e, &q, NULL),
				 0);
	while (e->last < 5)
		assert_true(loop_step(e->loop, 20 * NS_PER_SEC, NULL) >= 0);
	assert_int_equal(e->one.asked, 1);
	assert_int_equal(resolver_get_stats(e->r).joined, 4);
}

static void too_many_questions_are_refused(void **state)
{
	struct env *e = *state;
	struct resolver_conf c = { .hosts = e->hosts, .resolv = e->resolv, .running_max = 1 };

	put_file(e->resolv, ONE);
	assert_int_equal(resolver_new(e->loop, &c, &e->r, NULL), 0);
	e->one.dead = true;
	assert_int_equal(resolver_lookup(e->r, "a.test", RESOLVE_V4, on_result, e, &e->q, NULL), 0);
	assert_int_equal(resolver_lookup(e->r, "b.test", RESOLVE_V4, on_result, e, &e->q, NULL), 0);
	run(e);
	assert_int_equal(e->code, ERR_QUOTA);
}

static void files_are_read_again_when_they_change(void **state)
{
	struct env *e = *state;

	start(e, ONE, 0);
	assert_string_equal(look(e, "ok.test", RESOLVE_V4), "4:192.0.2.1");
	put_file(e->hosts, "10.9.9.9 ok.test\n");
	put_file(e->resolv, "nameserver 127.0.0.2\n# longer than before\n");
	e->r->checked -= 2 * NS_PER_SEC;
	assert_string_equal(look(e, "ok.test", RESOLVE_V4), "4:10.9.9.9");
	look(e, "ok2.test", RESOLVE_V4);
	assert_int_equal(e->two.asked, 1);
	assert_int_equal(resolver_get_stats(e->r).reloads, 2);
}

/* ---- records, cancelling ---- */

static void on_rr(void *arg, const struct dns_rr *rr, size_t n, struct err *err)
{
	struct env *e = arg;

	e->last++;
	e->code = err ? err->code : ERR_NONE;
	e->rr_n = n;
	if (n)
		e->rr_port = rr[0].port;
}

static void records_of_any_type_can_be_asked_for(void **state)
{
	struct env *e = *state;

	start(e, ONE "search test\n", 0);
	assert_int_equal(resolver_query(e->r, "_srv.test", DNS_SRV, on_rr, e, &e->q, NULL), 0);
	run(e);
	assert_int_equal(e->rr_n, 1);
	assert_int_equal(e->rr_port, 443);
	for (int i = 0; i < 2; i++) {
		e->last = 0;
		assert_int_equal(
			resolver_query(e->r, i ? "none" : "ok.test", DNS_MX, on_rr, e, &e->q, NULL),
			0);
		run(e);
		assert_int_equal(e->code, ERR_NOT_FOUND);
	}
}

static void a_cancelled_lookup_is_never_told(void **state)
{
	struct env *e = *state;
	struct resolve *q;

	start(e, ONE, 0);
	assert_int_equal(resolver_lookup(e->r, "127.0.0.1", RESOLVE_V4, on_result, e, &q, NULL), 0);
	resolve_cancel(q);
	assert_int_equal(resolver_lookup(e->r, "ok.test", RESOLVE_BOTH, on_result, e, &q, NULL), 0);
	assert_true(loop_step(e->loop, 0, NULL) >= 0);
	resolve_cancel(q);
	resolve_cancel(NULL);
	/* the question goes on, for the cache */
	while (resolver_get_stats(e->r).running)
		assert_true(loop_step(e->loop, 20 * NS_PER_SEC, NULL) >= 0);
	assert_int_equal(e->calls, 0);
	assert_int_equal(resolver_get_stats(e->r).cached, 2);
	/* from inside the first of two calls */
	e->cancel = true;
	assert_int_equal(resolver_lookup(e->r, "ok.test", RESOLVE_BOTH, on_result, e, &e->q, NULL),
			 0);
	while (!e->calls)
		assert_true(loop_step(e->loop, NS_PER_SEC, NULL) >= 0);
	assert_true(loop_step(e->loop, 0, NULL) >= 0);
	assert_int_equal(e->calls, 1);
	e->cancel = false;
	/* with the resolver itself */
	assert_int_equal(resolver_lookup(e->r, "ok9.test", RESOLVE_BOTH, on_result, e, &q, NULL),
			 0);
	assert_true(loop_step(e->loop, 0, NULL) >= 0);
}

/* ---- files, pure ---- */

static void resolv_conf_is_read_as_glibc_does(void **state)
{
	struct resolv_conf c;

	(void)state;
	resolv_conf_parse(SLICE("; comment\nnameserver 10.0.0.1 # x\nnameserver bad\n"
				"nameserver fe80::1%1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n"
				"domain x.test\nsearch a.test  b.test\t..\n"
				"options ndots:99 timeout:0 attempts:9 rotate no-aaaa unknown\n"
				"options use-vc ndots:x\nsortlist 1\nsearch"),
			  53, &c);
	assert_int_equal(c.servers_n, 3);
	assert_int_equal(((struct sockaddr_in6 *)&c.servers[1])->sin6_scope_id, 1);
	assert_int_equal(c.search_n, 0); /* the last one wins, and is empty */
	assert_int_equal(c.ndots, 15);
	assert_int_equal(c.timeout, NS_PER_SEC);
	assert_int_equal(c.attempts, 5);
	assert_true(c.rotate && c.no_aaaa && c.use_vc && !c.edns0);
	resolv_conf_fini(&c);
	resolv_conf_parse(SLICE("search a.test b.test"), 53, &c);
	assert_int_equal(c.search_n, 2);
	assert_string_equal(c.search[1], "b.test");
	assert_int_equal(c.servers_n, 1); /* 127.0.0.1 */
	assert_int_equal(c.ndots, 1);
	assert_int_equal(c.attempts, 2);
	resolv_conf_fini(&c);
}

static void addresses_are_read_and_written(void **state)
{
	static const char *const bad[] = { "",	    "1.2.3",	"1.2.3.4%1",	      "1::2::3",
					   "[1::2", "fe80::1%", "fe80::1%nosuchlink", "1.2.3.4 " };
	struct ip_addr ip;
	char text[80];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(ip_addr_parse(slice_str(bad[i]), &ip));
	assert_true(ip_addr_parse(SLICE("fe80::1%lo"), &ip));
	assert_string_equal(ip_addr_text(&ip, text, sizeof(text)), "fe80::1%1");
	assert_true(ip_addr_parse(SLICE("[::ffff:1.2.3.4]"), &ip));
	assert_int_equal(ip.family, AF_INET6);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(numbers_and_localhost_never_leave),
		CASE(the_hosts_file_comes_first),
		CASE(what_is_no_name_is_refused),
		CASE(both_families_are_asked_at_once),
		CASE(a_family_is_told_as_soon_as_it_is_there),
		CASE(the_search_list_follows_ndots),
		CASE(aliases_are_followed_circles_are_not),
		CASE(cut_answers_are_asked_for_over_tcp),
		CASE(use_vc_asks_over_tcp_only),
		CASE(forged_answers_are_not_looked_at),
		CASE(the_name_is_sent_in_random_case),
		CASE(a_lost_datagram_is_sent_again),
		CASE(silence_is_a_timeout),
		CASE(the_next_server_helps),
		CASE(edns_is_sent_when_told_and_dropped_for_old_servers),
		CASE(rotate_asks_them_in_turn),
		CASE(answers_and_failures_are_kept_by_ttl),
		CASE(the_cache_is_bounded),
		CASE(equal_questions_at_the_same_time_are_one),
		CASE(too_many_questions_are_refused),
		CASE(files_are_read_again_when_they_change),
		CASE(records_of_any_type_can_be_asked_for),
		CASE(a_cancelled_lookup_is_never_told),
		CASE(resolv_conf_is_read_as_glibc_does),
		CASE(addresses_are_read_and_written),
	};

	own_network();
	return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
