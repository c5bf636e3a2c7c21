/* SPDX-License-Identifier: Apache-2.0 */
/* DNS names and messages: bytes by hand, round trips, refusals with their reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"
#include "io/dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static int setup(void **state)
{
	*state = arena_new("test", 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	arena_free(*state);
	return 0;
}

static struct slice name_of(struct arena *a, const char *text)
{
	unsigned char *room = arena_alloc(a, DNS_NAME_MAX);
	struct err err = ERR_INIT;
	struct slice ret;

	if (dns_name_parse(slice_str(text), room, &ret, &err) < 0)
		fail_msg("%s", err.msg);
	return ret;
}

static void assert_name(struct slice name, const char *text)
{
	char room[DNS_TEXT_MAX];

	assert_string_equal(dns_name_text(name, room), text);
}

/* ---- names ---- */

static void names_go_from_text_to_wire_and_back(void **state)
{
	struct arena *a = *state;

	assert_true(slice_eq(name_of(a, "www.Example.com"), SLICE("\3www\7Example\3com\0")));
	assert_true(slice_eq(name_of(a, "a."), SLICE("\1a\0")));
	assert_true(slice_eq(name_of(a, "."), SLICE("\0")));
	assert_true(slice_eq(name_of(a, "a\\.b\\\\\\032.c"), SLICE("\5a.b\\ \1c\0")));
	assert_name(name_of(a, "www.Example.com."), "www.Example.com");
	assert_name(name_of(a, "."), ".");
	assert_name(SLICE("\4a.b\\\2\xff\1\0"), "a\\.b\\\\.\\255\\001");
}

static void names_that_are_none_are_refused_with_a_reason(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "it is empty" },
		{ "..", "a label is empty" },
		{ ".a", "a label is empty" },
		{ "a..b", "a label is empty" },
		{ "a\\", "bad escape" },
		{ "a\\25", "bad escape" },
		{ "a\\256", "bad escape" },
		{ "a123456789b123456789c123456789d123456789e123456789f123456789abcd", "63 bytes" },
	};
	unsigned char room[DNS_NAME_MAX];
	char text[300];
	struct slice ret;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(dns_name_parse(slice_str(cases[i].text), room, &ret, &err),
				 -ERR_INVALID);
		assert_non_null(strstr(err.msg, cases[i].why));
	}
	/* 127 labels of one letter are the longest name; 253 characters */
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? '.' : 'a';
	assert_int_equal(dns_name_parse(slice_of(text, 253), room, &ret, NULL), 0);
	assert_int_equal(ret.n, 255);
	assert_int_equal(dns_name_parse(slice_of(text, 254), room, &ret, NULL), 0);
	assert_int_equal(ret.n, 255);
	assert_int_equal(dns_name_parse(slice_of(text, 255), room, &ret, NULL), -ERR_INVALID);
	assert_int_equal(dns_name_parse(slice_of(text, 256), room, &ret, NULL), -ERR_INVALID);
}

static void names_compare_without_case_and_by_zone(void **state)
{
	struct arena *a = *state;
	struct slice zone = name_of(a, "Example.com");

	assert_true(dns_name_eq(zone, name_of(a, "eXAMPLE.COM")));
	assert_false(dns_name_eq(zone, name_of(a, "example.org")));
	assert_true(dns_name_within(name_of(a, "a.b.example.com"), zone));
	assert_true(dns_name_within(zone, zone));
	assert_true(dns_name_within(zone, SLICE("\0")));
	assert_false(dns_name_within(name_of(a, "notexample.com"), zone));
	assert_false(dns_name_within(name_of(a, "com"), zone));
	assert_int_equal(dns_name_labels(zone), 2);
	assert_int_equal(dns_name_labels(SLICE("\0")), 0);
	assert_name(dns_name_parent(zone), "com");
	assert_name(dns_name_parent(SLICE("\0")), ".");
}

static void addresses_have_reverse_names(void **state)
{
	static const unsigned char v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	unsigned char room[DNS_NAME_MAX];

	(void)state;
	assert_name(dns_name_reverse(AF_INET, "\x0a\x00\x01\xff", room), "255.1.0.10.in-addr.arpa");
	assert_name(dns_name_reverse(AF_INET6, v6, room),
		    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

static void codes_and_types_have_names(void **state)
{
	(void)state;
	assert_string_equal(dns_rcode_name(DNS_NXDOMAIN), "NXDOMAIN");
	assert_string_equal(dns_rcode_name(7), "unknown");
	assert_string_equal(dns_rcode_name(4000), "unknown");
	assert_string_equal(dns_type_name(DNS_AAAA), "AAAA");
	assert_string_equal(dns_type_name(999), "unknown");
	assert_int_equal(dns_type_parse(SLICE("srv")), DNS_SRV);
	assert_int_equal(dns_type_parse(SLICE("TYPE65")), 65);
	assert_int_equal(dns_type_parse(SLICE("TYPE65536")), 0);
	assert_int_equal(dns_type_parse(SLICE("nonsense")), 0);
}

/* ---- messages ---- */

#define HEAD(flags, qd, an, ns, ar) "\x12\x34" flags "\0" qd "\0" an "\0" ns "\0" ar
#define EXAMPLE "\7example\3com\0"

static void an_answer_is_read(void **state)
{
	static const char wire[] = HEAD("\x81\x80", "\1", "\3", "\0", "\1") EXAMPLE
		"\0\1\0\1"
		"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\6\3www\xc0\x0c"
		"\xc0\x29\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
		"\xc0\x29\0\x1c\0\1\xff\xff\xff\xff\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
		"\0\0\x29\x04\xd0\1\0\x80\0\0\4\0\x0a\0\0";
	struct err err = ERR_INIT;
	struct dns_msg m;

	if (dns_parse(*state, slice_of(wire, sizeof(wire) - 1), &m, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(m.id, 0x1234);
	assert_int_equal(m.flags, DNS_QR | DNS_RD | DNS_RA);
	assert_int_equal(m.rcode, 16);
	assert_int_equal(m.questions_n, 1);
	assert_name(m.questions[0].name, "example.com");
	assert_int_equal(m.rr_n[DNS_ANSWER], 3);
	assert_int_equal(m.rr_n[DNS_ADDITIONAL], 0);
	assert_name(m.rr[0][0].host, "www.example.com");
	assert_name(m.rr[0][1].name, "www.example.com");
	assert_int_equal(m.rr[0][1].ttl, 60);
	assert_true(slice_eq(m.rr[0][1].data, SLICE("\xc0\0\2\1")));
	assert_int_equal(m.rr[0][2].ttl, 0);
	assert_true(m.edns && m.dnssec_ok);
	assert_int_equal(m.udp_size, 1232);
	assert_int_equal(m.edns_options.n, 4);
}

static const struct {
	const char *bytes;
	size_t n;
	const char *why;
} broken[] = {
#define BROKEN(b, w)                \
	{                           \
		b, sizeof(b) - 1, w \
	}
	BROKEN("\x12\x34", "not 12 to 65,535 bytes"),
	BROKEN(HEAD("\0\0", "\1", "\0", "\0", "\0"), "more questions than bytes"),
	BROKEN(HEAD("\0\0", "\0", "\2", "\0", "\0") "\0\0\1\0\1\0\0\0\0\0\0", "more records"),
	BROKEN(HEAD("\0\0", "\1", "\0", "\0", "\0") "\xc0\x0c\0\1\0\1", "does not point back"),
	BROKEN(HEAD("\0\0", "\1", "\0", "\0", "\0") "\xc0\x0e\0\1\0\1", "does not point back"),
	BROKEN(HEAD("\0\0", "\1", "\0", "\0", "\0") "\1a\xc0\x0c\0\1\0\1", "does not point back"),
	BROKEN(HEAD("\0\0", "\1", "\0", "\0", "\0") "\x40"
						    "aaaa\0\1\0\1",
	       "unknown kind"),
	BROKEN(HEAD("\0\0", "\1", "\0", "\0", "\0") "\x80"
						    "aaaa\0\1\0\1",
	       "unknown kind"),
	BROKEN(HEAD("\0\0", "\1", "\0", "\0", "\0") "\x20"
						    "aaaa\0\1\0\1",
	       "a label beyond"),
	BROKEN(HEAD("\0\0", "\1", "\0", "\0", "\0") "\4aaaa\xc0", "a name beyond"),
	BROKEN(HEAD("\0\0", "\1", "\0", "\0", "\0") "\2aa\0\0\1", "a question beyond"),
	BROKEN(HEAD("\0\0", "\0", "\1", "\0", "\0") "\1a\0\0\1\0\1\0\0\0\0\0", "a record beyond"),
	BROKEN(HEAD("\0\0", "\0", "\1", "\0", "\0") "\0\0\1\0\1\0\0\0\0\0\4\1\2\3", "data beyond"),
	BROKEN(HEAD("\0\0", "\0", "\1", "\0", "\0") "\0\0\1\0\1\0\0\0\0\0\3\1\2\3", "not 4 bytes"),
	BROKEN(HEAD("\0\0", "\0", "\1", "\0", "\0") "\0\0\x1c\0\1\0\0\0\0\0\1\1", "not 16 bytes"),
	BROKEN(HEAD("\0\0", "\0", "\1", "\0", "\0") "\0\0\5\0\1\0\0\0\0\0\1\1", "a label beyond"),
	BROKEN(HEAD("\0\0", "\0", "\1", "\0", "\0") "\0\0\5\0\1\0\0\0\0\0\2\0\0",
	       "behind a record"),
	BROKEN(HEAD("\0\0", "\0", "\1", "\0", "\0") "\0\0\x0f\0\1\0\0\0\0\0\1\1", "cut off"),
	BROKEN(HEAD("\0\0", "\0", "\1", "\0", "\0") "\0\0\x21\0\1\0\0\0\0\0\5\1\1\1\1\1",
	       "cut off"),
	BROKEN(HEAD("\0\0", "\0", "\1", "\0", "\0") "\0\0\x10\0\1\0\0\0\0\0\2\2x",
	       "beyond its record"),
	BROKEN(HEAD("\0\0", "\0", "\1", "\0", "\0") "\0\0\x10\0\1\0\0\0\0\0\0", "without a text"),
	BROKEN(HEAD("\0\0", "\0", "\1", "\0", "\0") "\0\0\6\0\1\0\0\0\0\0\3\0\0\1", "wrong size"),
	BROKEN(HEAD("\0\0", "\0", "\1", "\0", "\0") "\0\0\x29\0\0\0\0\0\0\0\0", "wrong section"),
	BROKEN(HEAD("\0\0", "\0", "\0", "\0", "\2") "\0\0\x29\0\0\0\0\0\0\0\0"
						    "\0\0\x29\0\0\0\0\0\0\0\0",
	       "a second OPT"),
	BROKEN(HEAD("\0\0", "\0", "\0", "\0", "\1") "\1a\0\0\x29\0\0\0\0\0\0\0\0", "with a name"),
	BROKEN(HEAD("\0\0", "\0", "\0", "\0", "\0") "x", "behind the end"),
};

static void broken_messages_are_refused_with_a_reason(void **state)
{
	struct dns_msg m;

	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		struct err err = ERR_INIT;
		/* at its exact size, for the sanitizers */
		char *copy = malloc(broken[i].n);

		assert_non_null(copy);
		memcpy(copy, broken[i].bytes, broken[i].n);
		assert_int_equal(dns_parse(*state, slice_of(copy, broken[i].n), &m, &err),
				 -ERR_BAD_REQUEST);
		free(copy);
		if (!strstr(err.msg, broken[i].why))
			fail_msg("case %zu: %s", i, err.msg);
	}
}

static void a_name_cannot_grow_by_compression(void **state)
{
	unsigned char wire[600] = { 0x12, 0x34, 0, 0, 0, 2 };
	struct err err = ERR_INIT;
	struct dns_msg m;
	size_t n = 12;

	/* 200 bytes of labels, then a question of 60 more that points at them */
	for (int i = 0; i < 100; i++) {
		wire[n++] = 1;
		wire[n++] = 'a';
	}
	wire[n++] = 0;
	n += 4;
	wire[n++] = 60;
	n += 60;
	wire[n++] = 0xc0;
	wire[n++] = 12;
	n += 4;
	assert_int_equal(dns_parse(*state, slice_of((char *)wire, n), &m, &err), -ERR_BAD_REQUEST);
	assert_non_null(strstr(err.msg, "more than 255 bytes"));
}

static struct dns_rr *sample(struct arena *a, size_t *n)
{
	struct dns_rr *v = ARENA_ARRAY(a, struct dns_rr, 10);
	struct slice texts[] = { SLICE("v=1"), SLICE("") };
	struct slice *copy = arena_alloc(a, sizeof(texts));

	memcpy(copy, texts, sizeof(texts));
	*n = 10;
	for (size_t i = 0; i < *n; i++)
		v[i] = (struct dns_rr){ .name = name_of(a, "www.example.com"),
					.class_ = DNS_IN,
					.ttl = 300 };
	v[0].type = DNS_A;
	v[0].data = SLICE("\x7f\0\0\1");
	v[1].type = DNS_AAAA;
	v[1].data = SLICE("0123456789abcdef");
	v[2].type = DNS_CNAME;
	v[2].host = name_of(a, "b.example.com");
	v[3].type = DNS_MX;
	v[3].priority = 10;
	v[3].host = name_of(a, "mail.example.com");
	v[4].type = DNS_SRV;
	v[4].priority = 1;
	v[4].weight = 2;
	v[4].port = 443;
	v[4].host = name_of(a, "b.example.com");
	v[5].type = DNS_TXT;
	v[5].texts = copy;
	v[5].texts_n = 2;
	v[6].type = DNS_SOA;
	v[6].host = name_of(a, "ns.example.com");
	v[6].soa.mailbox = name_of(a, "root.example.com");
	v[6].soa.serial = 7;
	v[6].soa.minimum = 60;
	v[7].type = DNS_PTR;
	v[7].host = name_of(a, ".");
	v[8].type = DNS_NS;
	v[8].host = name_of(a, "a.a");
	v[9].type = 65;
	v[9].data = SLICE("\0\1\0");
	return v;
}

static void what_is_built_parses_to_the_same(void **state)
{
	struct arena *a = *state;
	unsigned char room[1024];
	struct err err = ERR_INIT;
	struct dns_build b;
	struct dns_msg m;
	size_t n;
	struct dns_rr *v = sample(a, &n);

	dns_build_init(&b, room, sizeof(room), 0xbeef, DNS_QR | DNS_AA);
	assert_true(dns_build_question(&b, name_of(a, "www.EXAMPLE.com"), DNS_ANY, DNS_IN));
	for (size_t i = 0; i < n; i++)
		assert_true(dns_build_rr(&b, (enum dns_section)(i / 4), &v[i]));
	assert_true(dns_build_opt(&b, 1232, DNS_BADVERS, true));
	/* compression: the zone is there once, and once more for SRV, whose host is never shortened
	 */
	assert_true(b.n < 330);
	if (dns_parse(a, dns_built(&b), &m, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(m.id, 0xbeef);
	assert_int_equal(m.rcode, DNS_BADVERS);
	assert_true(m.dnssec_ok);
	for (size_t i = 0; i < n; i++) {
		const struct dns_rr *rr = &m.rr[i / 4][i % 4];

		assert_true(dns_name_eq(rr->name, v[i].name));
		assert_true(dns_name_eq(rr->host, v[i].host));
		assert_int_equal(rr->type, v[i].type);
		assert_int_equal(rr->priority, v[i].priority);
		assert_int_equal(rr->port, v[i].port);
		assert_int_equal(rr->texts_n, v[i].texts_n);
		assert_int_equal(rr->soa.minimum, v[i].soa.minimum);
		if (v[i].data.n)
			assert_true(slice_eq(rr->data, v[i].data));
	}
	assert_true(dns_name_eq(m.rr[1][2].soa.mailbox, v[6].soa.mailbox));
}

static void what_does_not_fit_is_cut_with_tc(void **state)
{
	struct arena *a = *state;
	unsigned char room[512];
	size_t n, fits = 0;
	struct dns_rr *v = sample(a, &n);

	for (size_t max = 12; max < 300; max++) {
		struct err err = ERR_INIT;
		struct dns_build b;
		struct dns_msg m;
		size_t in = 0;
		bool all = true;

		dns_build_init(&b, room, max, 1, DNS_QR);
		if (!dns_build_question(&b, name_of(a, "x.y"), DNS_ANY, DNS_IN))
			assert_int_equal(b.n, 12);
		for (size_t i = 0; i < n && all; i++) {
			all = dns_build_rr(&b, DNS_ANSWER, &v[i]);
			in += all;
		}
		assert_true(b.n <= max && in >= fits);
		fits = in;
		assert_int_equal(dns_parse(a, dns_built(&b), &m, &err), 0);
		assert_int_equal(m.rr_n[DNS_ANSWER], in);
		assert_int_equal((m.flags & DNS_TC) != 0, !all);
	}
	assert_int_equal(fits, n);
}

static void names_past_14_bits_are_not_pointed_to(void **state)
{
	static unsigned char room[DNS_MESSAGE_MAX];
	struct arena *a = *state;
	char filler[255] = { 0 };
	struct slice text = slice_of(filler, sizeof(filler));
	struct dns_rr big = {
		.name = SLICE("\0"), .type = DNS_TXT, .class_ = DNS_IN, .texts = &text, .texts_n = 1
	};
	struct dns_rr rr = { .name = name_of(a, "late.example"),
			     .type = DNS_A,
			     .class_ = DNS_IN,
			     .data = SLICE("\1\2\3\4") };
	struct err err = ERR_INIT;
	struct dns_build b;
	struct dns_msg m;

	memset(filler, 'x', sizeof(filler));
	dns_build_init(&b, room, sizeof(room), 1, DNS_QR);
	while (b.n < 17000)
		assert_true(dns_build_rr(&b, DNS_ANSWER, &big));
	for (int i = 0; i < 3; i++)
		assert_true(dns_build_rr(&b, DNS_ADDITIONAL, &rr));
	assert_int_equal(dns_parse(a, dns_built(&b), &m, &err), 0);
	assert_name(m.rr[DNS_ADDITIONAL][2].name, "late.example");
}

static void a_full_arena_is_a_clean_error(void **state)
{
	unsigned char room[1024];
	struct arena *a = *state;
	struct err err = ERR_INIT;
	struct dns_build b;
	struct dns_msg m;
	size_t n;
	struct dns_rr *v = sample(a, &n);
	int r = -1;

	dns_build_init(&b, room, sizeof(room), 1, DNS_QR);
	for (size_t i = 0; i < n; i++)
		assert_true(dns_build_rr(&b, DNS_ANSWER, &v[i]));
	for (size_t max = 16; r < 0; max += 64) {
		CLEANUP(arena_free) struct arena *small = arena_new("small", max);

		r = dns_parse(small, dns_built(&b), &m, &err);
		assert_true(r == 0 || r == -ERR_QUOTA);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(names_go_from_text_to_wire_and_back),
		CASE(names_that_are_none_are_refused_with_a_reason),
		CASE(names_compare_without_case_and_by_zone),
		CASE(addresses_have_reverse_names),
		CASE(codes_and_types_have_names),
		CASE(an_answer_is_read),
		CASE(broken_messages_are_refused_with_a_reason),
		CASE(a_name_cannot_grow_by_compression),
		CASE(what_is_built_parses_to_the_same),
		CASE(what_does_not_fit_is_cut_with_tc),
		CASE(names_past_14_bits_are_not_pointed_to),
		CASE(a_full_arena_is_a_clean_error),
	};

	return cmocka_run_group_tests_name("dns", tests, NULL, NULL);
}
