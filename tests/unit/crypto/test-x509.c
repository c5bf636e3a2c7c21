/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates made, read and judged; the reasons that a person reads. */
#include "base/fd.h"
#include "crypto-test.h"
#include "weak-certs.h"

#include <fcntl.h>

struct env {
	struct signer ca, sub, leaf;
	struct cert_pool *pool;
};

static int set_up(void **state)
{
	struct env *e = calloc(1, sizeof(*e));

	e->ca = make_ca("root", NULL);
	e->sub = make_ca("sub", &e->ca);
	e->leaf = make_leaf("leaf", LIST("a.example", "*.b.example"), &e->sub);
	e->pool = pool_of(&e->ca);
	*state = e;
	return 0;
}

static int tear_down(void **state)
{
	struct env *e = *state;

	signer_fini(&e->ca);
	signer_fini(&e->sub);
	signer_fini(&e->leaf);
	cert_pool_unref(e->pool);
	free(e);
	return 0;
}

static struct cert_check check_of(struct env *e, struct cert *const *chain, size_t n)
{
	return (struct cert_check){ .pool = e->pool, .chain = chain, .chain_n = n };
}

static void assert_good(const struct cert_check *c)
{
	struct err err = ERR_INIT;

	if (cert_verify(c, &err) < 0)
		fail_msg("%s", err.msg);
}

static void assert_bad(const struct cert_check *c, const char *why)
{
	struct err err = ERR_INIT;

	assert_int_equal(cert_verify(c, &err), -ERR_FORBIDDEN);
	assert_says(&err, ERR_FORBIDDEN, why);
}

/* ---- making and reading ---- */

static void what_was_asked_for_is_in_it(void **state)
{
	struct env *e = *state;
	struct cert_spec spec = {
		.names = { .cn = "system:node:n1",
			   .o = LIST("system:nodes", "more"),
			   .dns = LIST("n1.example"),
			   .ip = LIST("10.1.2.3", "2001:db8::7"),
			   .uri = LIST("spiffe://cluster/ns/a/sa/b"),
			   .email = LIST("a@example.org") },
		.not_before = 1700000000,
		.not_after = 1900000000,
		.usages = CERT_USE_SIGN | CERT_EXT_CLIENT,
		.serial = 0xabcdef,
	};
	struct signer s = sign_as(&spec, KEY_ED25519, &e->ca);
	const struct cert_info *i = cert_info(s.cert);
	CLEANUP(key_unref) struct key *k = NULL;
	struct err err = ERR_INIT;

	assert_string_equal(i->names.cn, "system:node:n1");
	assert_int_equal(i->names.o.n, 2);
	assert_string_equal(i->names.o.v[0], "system:nodes");
	assert_string_equal(i->names.o.v[1], "more");
	assert_string_equal(i->names.dns.v[0], "n1.example");
	assert_string_equal(i->names.ip.v[0], "10.1.2.3");
	assert_string_equal(i->names.ip.v[1], "2001:db8::7");
	assert_string_equal(i->names.uri.v[0], "spiffe://cluster/ns/a/sa/b");
	assert_string_equal(i->names.email.v[0], "a@example.org");
	assert_int_equal(i->not_before, 1700000000);
	assert_int_equal(i->not_after, 1900000000);
	assert_int_equal(i->usages, CERT_USE_SIGN | CERT_EXT_CLIENT);
	assert_string_equal(i->serial, "abcdef");
	assert_string_equal(i->issuer, "CN=root");
	assert_false(i->ca);
	assert_int_equal(strlen(i->fingerprint), 64);
	assert_int_equal(cert_key(s.cert, &k, &err), 0);
	assert_true(key_matches(k, s.key));
	assert_true(cert_is_for(s.cert, "10.1.2.3"));
	assert_true(cert_is_for(s.cert, "n1.example"));
	assert_false(cert_is_for(s.cert, "system:node:n1"));
	assert_true(cert_is_issued_by(s.cert, e->ca.cert));
	assert_false(cert_is_issued_by(s.cert, e->sub.cert));
	signer_fini(&s);
}

static void serials_are_not_guessed(void **state)
{
	struct env *e = *state;

	assert_string_not_equal(cert_info(e->ca.cert)->serial, cert_info(e->sub.cert)->serial);
	assert_true(strlen(cert_info(e->leaf.cert)->serial) >= 28);
	assert_true(cert_info(e->ca.cert)->ca);
	assert_int_equal(cert_info(e->ca.cert)->path_len, -1);
}

static void bundles_are_read_whole_or_not_at_all(void **state)
{
	struct env *e = *state;
	CLEANUP(buf_fini) struct buf text = BUF_INIT(1 << 20);
	struct cert *got[4] = { 0 };
	struct err err = ERR_INIT;
	size_t n = 0;

	(void)buf_adds(&text, "words before\n");
	assert_int_equal(cert_write_pem(e->leaf.cert, &text, &err), 0);
	assert_int_equal(key_write_pem(e->leaf.key, KEY_PRIVATE_PKCS8, &text, &err), 0);
	assert_int_equal(cert_write_pem(e->sub.cert, &text, &err), 0);
	assert_int_equal(cert_read(buf_slice(&text), got, 4, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_true(slice_eq(cert_der(got[1]), cert_der(e->sub.cert)));
	cert_unref(got[0]);
	cert_unref(got[1]);
	assert_int_equal(cert_read(buf_slice(&text), got, 1, &n, &err), -ERR_TOO_LARGE);
	assert_int_equal(cert_read(cert_der(e->leaf.cert), got, 1, &n, &err), 0);
	cert_unref(got[0]);
	assert_int_equal(cert_read(SLICE("no PEM"), got, 1, &n, &err), -ERR_NOT_FOUND);
	assert_int_equal(cert_read(SLICE("0\x03zzz"), got, 1, &n, &err), -ERR_BAD_REQUEST);
	(void)buf_adds(&text, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	assert_int_equal(cert_read(buf_slice(&text), got, 4, &n, &err), -ERR_BAD_REQUEST);
	assert_says(&err, ERR_BAD_REQUEST, "number 3");
}

/* Two that trust the same: one reads all of text at once, one when it is asked. */
static void read_both(struct slice text, struct cert_pool *ret[2])
{
	struct err err = ERR_INIT;
	unsigned char digest[2][32];

	ret[0] = cert_pool_new();
	ret[1] = cert_pool_new();
	assert_int_equal(cert_pool_add_pem(ret[0], text, &err), 0);
	assert_int_equal(cert_pool_add_bundle(ret[1], text, &err), 0);
	assert_int_equal(cert_pool_len(ret[0]), cert_pool_len(ret[1]));
	for (int i = 0; i < 2; i++)
		cert_pool_digest(ret[i], digest[i]);
	assert_memory_equal(digest[0], digest[1], 32);
}

/* What both say of it; they agree. */
static bool both_trust(struct cert_pool *pools[2], struct cert *const *chain, size_t n, int64_t at)
{
	struct err err[2] = { ERR_INIT, ERR_INIT };
	int r[2];

	for (int i = 0; i < 2; i++) {
		struct cert_check c = { .pool = pools[i], .chain = chain, .chain_n = n, .at = at };

		c.purpose = CERT_FOR_ANY;
		r[i] = cert_verify(&c, &err[i]);
	}
	assert_int_equal(r[0], r[1]);
	assert_string_equal(err[0].msg, err[1].msg);
	return r[0] == 0;
}

static void drop_both(struct cert_pool *pools[2])
{
	cert_pool_unref(pools[0]);
	cert_pool_unref(pools[1]);
}

static void a_bundle_trusts_as_if_read_at_once(void **state)
{
	struct env *e = *state;
	CLEANUP(buf_fini) struct buf text = BUF_INIT(1 << 20);
	struct cert *own[] = { e->leaf.cert, e->sub.cert }, *other[2];
	struct cert_pool *pools[2];
	struct err err = ERR_INIT;
	/* Same name, other key: the right one is found among them wherever it stands. */
	struct signer twin = make_ca(cert_info(e->ca.cert)->names.cn, NULL);
	struct signer far = make_ca("far", NULL), by_twin, by_far;

	by_twin = make_leaf("t", LIST("t.example"), &twin);
	by_far = make_leaf("f", LIST("f.example"), &far);
	assert_int_equal(cert_write_pem(twin.cert, &text, &err), 0);
	assert_int_equal(cert_write_pem(e->ca.cert, &text, &err), 0);
	read_both(buf_slice(&text), pools);
	assert_true(both_trust(pools, own, 2, 0));
	assert_false(both_trust(pools, own, 1, 0)); /* the link is missing */
	assert_true(both_trust(pools, &by_twin.cert, 1, 0));
	other[0] = by_far.cert;
	other[1] = far.cert;
	assert_false(both_trust(pools, other, 2, 0));
	for (int i = 0; i < 2; i++) /* one more, later */
		cert_pool_add(pools[i], far.cert);
	assert_true(both_trust(pools, other, 2, 0));
	drop_both(pools);
	signer_fini(&twin);
	signer_fini(&far);
	signer_fini(&by_twin);
	signer_fini(&by_far);
}

static void a_root_of_the_same_name_hides_none_of_a_bundle(void **state)
{
	struct env *e = *state;
	CLEANUP(buf_fini) struct buf text = BUF_INIT(1 << 20);
	struct cert *own[] = { e->leaf.cert, e->sub.cert };
	struct signer twin = make_ca(cert_info(e->ca.cert)->names.cn, NULL);
	struct cert_check c = { .chain = own, .chain_n = 2, .purpose = CERT_FOR_ANY };
	struct err err = ERR_INIT;

	assert_int_equal(cert_write_pem(e->ca.cert, &text, &err), 0);
	for (int before = 0; before < 2; before++) {
		c.pool = cert_pool_new();
		if (before)
			cert_pool_add(c.pool, twin.cert);
		assert_int_equal(cert_pool_add_bundle(c.pool, buf_slice(&text), &err), 0);
		if (!before)
			cert_pool_add(c.pool, twin.cert);
		assert_int_equal(cert_verify(&c, &err), 0);
		cert_pool_unref(c.pool);
	}
	signer_fini(&twin);
}

static void bad_bundles_are_refused(void **state)
{
	struct env *e = *state;
	CLEANUP(buf_fini) struct buf text = BUF_INIT(1 << 20);
	CLEANUP(cert_pool_unref) struct cert_pool *p = cert_pool_new();
	struct err err = ERR_INIT;

	assert_int_equal(cert_pool_add_bundle(p, SLICE("no PEM"), &err), -ERR_NOT_FOUND);
	assert_int_equal(cert_write_pem(e->ca.cert, &text, &err), 0);
	(void)buf_adds(&text, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	assert_int_equal(cert_pool_add_bundle(p, buf_slice(&text), &err), -ERR_BAD_REQUEST);
	assert_says(&err, ERR_BAD_REQUEST, "number 2");
	assert_int_equal(cert_pool_len(p), 0);
}

/* Each root that this machine has, alone, as both readers see it. */
static void the_machines_roots_are_all_trusted(void **state)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(4u << 20);
	struct cert **all = test_calloc(CERT_BUNDLE_MAX, sizeof(*all));
	struct cert_pool *pools[2];
	struct err err = ERR_INIT;
	size_t n = 0;

	if (fd_read_file(AT_FDCWD, "/etc/ssl/certs/ca-certificates.crt", &text, &err) < 0) {
		test_free(all);
		skip();
	}
	assert_int_equal(cert_read(buf_slice(&text), all, CERT_BUNDLE_MAX, &n, &err), 0);
	read_both(buf_slice(&text), pools);
	cert_pool_unref(pools[1]);
	assert_int_equal(cert_pool_system(&pools[1], &err), 0);
	assert_int_equal(cert_pool_len(pools[1]), n);
	for (size_t i = 0; i < n; i++) {
		(void)both_trust(pools, &all[i], 1, cert_info(all[i])->not_before + 1);
		cert_unref(all[i]);
	}
	drop_both(pools);
	test_free(all);
}

static void impossible_wishes_are_refused(void **state)
{
	struct env *e = *state;
	struct cert_spec spec = leaf_spec("x", LIST("x"));
	struct cert *c;
	struct err err = ERR_INIT;

	spec.not_after = spec.not_before;
	assert_int_equal(cert_make(&spec, e->leaf.key, e->ca.cert, e->ca.key, &c, &err),
			 -ERR_INVALID);
	spec.not_after += 10;
	assert_int_equal(cert_make(&spec, e->leaf.key, e->ca.cert, e->sub.key, &c, &err),
			 -ERR_INVALID);
	assert_says(&err, ERR_INVALID, "the issuer's key is not that of 'CN=root'");
	spec.names.ip = LIST("10.0.0.300");
	assert_int_equal(cert_make(&spec, e->leaf.key, e->ca.cert, e->ca.key, &c, &err),
			 -ERR_INVALID);
	assert_says(&err, ERR_INVALID, "'10.0.0.300' is no address");
	spec = leaf_spec("x", LIST("a b"));
	assert_int_equal(cert_make(&spec, e->leaf.key, e->ca.cert, e->ca.key, &c, &err),
			 -ERR_INVALID);
	spec = leaf_spec("x", LIST("x"));
	spec.permitted = LIST("a,excluded;DNS:b");
	assert_int_equal(cert_make(&spec, e->leaf.key, e->ca.cert, e->ca.key, &c, &err),
			 -ERR_INVALID);
}

static void requests_say_who_wants_what(void **state)
{
	struct env *e = *state;
	struct cert_names names = { .cn = "system:node:n2",
				    .o = LIST("system:nodes"),
				    .dns = LIST("n2"),
				    .ip = LIST("10.0.0.2") };
	CLEANUP(buf_fini) struct buf text = BUF_INIT(65536);
	CLEANUP(csr_free) struct csr *r = NULL;
	CLEANUP(cert_unref) struct cert *c = NULL;
	struct cert_spec spec;
	struct err err = ERR_INIT;
	char *p;

	assert_int_equal(csr_make(&names, e->leaf.key, &text, &err), 0);
	assert_int_equal(csr_read(buf_slice(&text), &r, &err), 0);
	assert_string_equal(csr_names(r)->cn, "system:node:n2");
	assert_string_equal(csr_names(r)->o.v[0], "system:nodes");
	assert_string_equal(csr_names(r)->ip.v[0], "10.0.0.2");
	assert_true(key_matches(csr_key(r), e->leaf.key));
	assert_false(csr_wants_ca(r));
	assert_int_equal(csr_usages(r), 0);
	spec = (struct cert_spec){ .names = *csr_names(r),
				   .not_before = now_s() - 10,
				   .not_after = now_s() + 1000,
				   .usages = CERT_USE_SIGN | CERT_EXT_CLIENT };
	assert_int_equal(cert_make(&spec, csr_key(r), e->ca.cert, e->ca.key, &c, &err), 0);
	assert_string_equal(cert_info(c)->names.dns.v[0], "n2");
	/* One bit of the signature. */
	p = text.p + text.n - 40;
	*p = *p == 'A' ? 'B' : 'A';
	csr_free(STEAL(r));
	assert_true(csr_read(buf_slice(&text), &r, &err) < 0);
	assert_true(csr_read(SLICE("rubbish"), &r, &err) < 0);
}

/* ---- verdicts ---- */

static void good_chains_verify_in_any_order(void **state)
{
	struct env *e = *state;
	struct cert *chain[] = { e->leaf.cert, e->ca.cert, e->sub.cert };
	struct cert_check c = check_of(e, chain, 3);

	c.purpose = CERT_FOR_SERVER;
	c.name = "a.example";
	assert_good(&c);
	c.name = "x.b.example";
	assert_good(&c);
	c.name = "x.y.b.example";
	assert_bad(&c, "is not for 'x.y.b.example', but for a.example, *.b.example");
	c.name = "leaf"; /* its common name */
	assert_bad(&c, "is not for 'leaf'");
	c.name = "10.0.0.1";
	assert_bad(&c, "is not for '10.0.0.1'");
}

static void what_is_missing_is_named(void **state)
{
	struct env *e = *state;
	struct signer other = make_ca("other", NULL);
	struct signer alone = make_leaf("alone", LIST("a"), NULL);
	struct cert *without[] = { e->leaf.cert }, *mixed[] = { e->leaf.cert, other.cert },
		    *self[] = { alone.cert }, *strange[] = { other.cert };
	struct cert_check c = check_of(e, without, 1);

	assert_bad(&c,
		   "'CN=leaf' is signed by 'CN=sub', which is not trusted here; trust that CA, or "
		   "show the intermediate certificates too");
	c = check_of(e, mixed, 2);
	assert_bad(&c, "the chain is broken: each certificate must be followed by its issuer's");
	c = check_of(e, self, 1);
	assert_bad(&c, "'CN=alone' is signed by itself and not trusted here");
	c = check_of(e, strange, 1);
	assert_bad(&c, "'CN=other' is signed by itself");
	c = check_of(e, NULL, 0);
	assert_bad(&c, "there is no certificate");
	signer_fini(&other);
	signer_fini(&alone);
}

static void times_are_told(void **state)
{
	struct env *e = *state;
	struct cert *chain[] = { e->leaf.cert, e->sub.cert };
	struct cert_check c = check_of(e, chain, 2);

	c.at = now_s() + 20 * DAY;
	assert_bad(&c, "'CN=leaf' expired on ");
	assert_bad(&c, "(10 days ago); it must be renewed");
	c.at = now_s() - 3 * DAY;
	assert_bad(&c, "is not valid before ");
	assert_bad(&c, "check the clocks");
}

static void purposes_are_kept_apart(void **state)
{
	struct env *e = *state;
	struct cert_spec spec = leaf_spec("client", LIST("a"));
	struct signer s;
	struct cert_check c;

	spec.usages = CERT_USE_SIGN | CERT_EXT_CLIENT;
	s = sign_as(&spec, KEY_P256, &e->ca);
	c = check_of(e, &s.cert, 1);
	c.purpose = CERT_FOR_CLIENT;
	assert_good(&c);
	c.purpose = CERT_FOR_SERVER;
	assert_bad(&c, "is not for the use of servers (its extended key usage lacks serverAuth)");
	signer_fini(&s);
}

static void only_a_ca_signs_and_within_its_bounds(void **state)
{
	struct env *e = *state;
	struct cert_spec spec = { .names = { .cn = "bounded" },
				  .ca = true,
				  .path_len = 0,
				  .not_before = now_s() - DAY,
				  .not_after = now_s() + DAY,
				  .permitted = LIST("example.org", "10.0.0.0/8"),
				  .excluded = LIST("bad.example.org") };
	struct signer bounded = sign_as(&spec, KEY_P256, &e->ca);
	struct signer by_leaf = make_leaf("x", LIST("x"), &e->leaf);
	struct signer good = make_leaf("good", LIST("a.example.org"), &bounded);
	struct signer outside = make_leaf("out", LIST("a.example.com"), &bounded);
	struct signer excluded = make_leaf("ex", LIST("a.bad.example.org"), &bounded);
	struct signer below = make_ca("below", &bounded),
		      deep = make_leaf("deep", LIST("d.example.org"), &below);
	struct {
		struct cert *chain[4];
		const char *why;
	} rows[] = {
		{ { good.cert, bounded.cert }, NULL },
		{ { outside.cert, bounded.cert }, "name constraints: not permitted" },
		{ { excluded.cert, bounded.cert }, "name constraints: excluded" },
		{ { deep.cert, below.cert, bounded.cert }, "path length" },
		{ { by_leaf.cert, e->leaf.cert, e->sub.cert }, "" },
	};

	for (size_t i = 0; i < 5; i++) {
		struct cert_check c = check_of(e, rows[i].chain, i < 3 ? 2 : 3);

		if (rows[i].why)
			assert_bad(&c, rows[i].why);
		else
			assert_good(&c);
	}
	signer_fini(&bounded);
	signer_fini(&by_leaf);
	signer_fini(&good);
	signer_fini(&outside);
	signer_fini(&excluded);
	signer_fini(&below);
	signer_fini(&deep);
}

static void weak_ones_are_refused(void **state)
{
	struct env *e = *state;
	CLEANUP(cert_unref) struct cert *weak = NULL;
	CLEANUP(cert_unref) struct cert *old = NULL;
	CLEANUP(key_unref) struct key *k = NULL;
	struct cert_check c;
	struct err err = ERR_INIT;

	assert_int_equal(cert_read_one(slice_str(weak_key_pem), &weak, &err), 0);
	assert_int_equal(cert_key(weak, &k, &err), -ERR_INVALID);
	assert_says(&err, ERR_INVALID, "an RSA key of 1024 bits is not taken");
	assert_int_equal(cert_pool_add_pem(e->pool, slice_str(weak_key_pem), &err), 0);
	assert_int_equal(cert_pool_add_pem(e->pool, slice_str(sha1_ca_pem), &err), 0);
	assert_int_equal(cert_pool_len(e->pool), 3);
	c = check_of(e, &weak, 1);
	assert_bad(&c, "has a key that is too weak");
	assert_int_equal(cert_read_one(slice_str(sha1_pem), &old, &err), 0);
	c = check_of(e, &old, 1);
	assert_bad(&c, "is signed with a hash that is too weak (MD5 or SHA-1)");
}

static void revocation_is_looked_up(void **state)
{
	struct env *e = *state;
	CLEANUP(buf_fini)
	struct buf crl = BUF_INIT(65536), empty = BUF_INIT(65536), old = BUF_INIT(65536);
	struct cert *chain[] = { e->leaf.cert, e->sub.cert };
	struct cert_check c = check_of(e, chain, 2);
	struct err err = ERR_INIT;
	unsigned char before[32], after[32];

	/* A list of the root alone: the sub CA has none, and revokes nothing. */
	assert_int_equal(crl_make(e->ca.cert, e->ca.key, LIST("1234"), now_s() + DAY, &empty, &err),
			 0);
	cert_pool_digest(e->pool, before);
	assert_int_equal(cert_pool_add_crl(e->pool, buf_slice(&empty), &err), 0);
	cert_pool_digest(e->pool, after);
	assert_memory_not_equal(before, after, 32);
	assert_good(&c);
	assert_int_equal(crl_make(e->sub.cert, e->sub.key,
				  LIST("1", cert_info(e->leaf.cert)->serial), now_s() + DAY, &crl,
				  &err),
			 0);
	assert_int_equal(cert_pool_add_crl(e->pool, buf_slice(&crl), &err), 0);
	assert_bad(&c, "'CN=leaf' has been revoked by its issuer");
	assert_int_equal(crl_make(e->sub.cert, e->ca.key, LIST("1"), now_s() + DAY, &crl, &err),
			 -ERR_INVALID);
	assert_int_equal(crl_make(e->sub.cert, e->sub.key, LIST("xyz"), now_s() + DAY, &crl, &err),
			 -ERR_INVALID);
	assert_int_equal(cert_pool_add_crl(e->pool, SLICE("rubbish"), &err), -ERR_NOT_FOUND);
	assert_int_equal(cert_pool_add_crl(e->pool, SLICE("0rubbish"), &err), -ERR_BAD_REQUEST);
	/* One past its next update. */
	cert_pool_unref(e->pool);
	e->pool = pool_of(&e->ca);
	assert_int_equal(crl_make(e->sub.cert, e->sub.key, LIST("1"), now_s() - DAY, &old, &err),
			 0);
	assert_int_equal(cert_pool_add_crl(e->pool, buf_slice(&old), &err), 0);
	c.pool = e->pool;
	assert_bad(&c, "past its next update");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_was_asked_for_is_in_it),
		TEST(serials_are_not_guessed),
		TEST(bundles_are_read_whole_or_not_at_all),
		TEST(a_bundle_trusts_as_if_read_at_once),
		TEST(a_root_of_the_same_name_hides_none_of_a_bundle),
		TEST(bad_bundles_are_refused),
		TEST(the_machines_roots_are_all_trusted),
		TEST(impossible_wishes_are_refused),
		TEST(requests_say_who_wants_what),
		TEST(good_chains_verify_in_any_order),
		TEST(what_is_missing_is_named),
		TEST(times_are_told),
		TEST(purposes_are_kept_apart),
		TEST(only_a_ca_signs_and_within_its_bounds),
		TEST(weak_ones_are_refused),
		TEST(revocation_is_looked_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
