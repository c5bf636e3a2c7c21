/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption at rest: configurations that are right and wrong, which provider seals, bytes of
 * upstream, keys that come and go. */
#include "../doc/doc-check.h"

#include "apiserver/encryption.h"
#include "base/hash.h"

#include <stdio.h>

/* "/registry/GROUP:RESOURCE/..." for these tests. */
static bool name_of(void *arg, struct slice key, struct slice *group, struct slice *resource)
{
	struct slice rest = slice_of(key.p + 10, key.n - 10), all = slice_split(&rest, '/');

	*group = slice_split(&all, ':');
	*resource = all;
	return true;
}

/* All but those of the namespace "gone". */
static bool is_live(void *arg, struct slice key)
{
	return !slice_has_text(key, SLICE("/gone/"));
}

static const struct encryption_names names = { .fn = name_of, .live = is_live };

#define HEAD "kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1\nresources:\n"
/* 32, 16 and 24 bytes */
#define K32 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define K32B "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
#define K16 "MDEyMzQ1Njc4OWFiY2RlZg=="
#define K24 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"

static struct encryption *make(const char *text)
{
	struct encryption *e;
	struct err err = ERR_INIT;

	if (encryption_new(slice_str(text), "F", &e, &err) < 0)
		fail_msg("%s", err.msg);
	if (text)
		encryption_set_names(e, &names);
	return e;
}

static void assert_opens(struct encryption *e, const char *key, struct slice stored,
			 const char *want)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	bool used;

	if (encryption_open(e, slice_str(key), stored, &out, &used, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(used);
	assert_string_equal(buf_str(&out), want);
}

static void assert_stays_shut(struct encryption *e, const char *key, struct slice stored,
			      const char *says)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	bool used;

	assert_int_equal(encryption_open(e, slice_str(key), stored, &out, &used, &err),
			 -ERR_INVALID);
	if (!strstr(err.msg, says))
		fail_msg("'%s' does not hold '%s'", err.msg, says);
	assert_int_equal(out.n, 0);
}

/* What it is sealed as; "plain" when it is not. */
static const char *sealed_as(struct encryption *e, struct arena *a, const char *key)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 20);
	struct slice rest;
	bool used;

	assert_int_equal(
		encryption_seal(e, slice_str(key), SLICE("{\"hidden\":1}"), &out, &used, NULL), 0);
	if (!used) {
		assert_int_equal(out.n, 0);
		return "plain";
	}
	assert_false(slice_has_text(buf_slice(&out), SLICE("hidden")));
	assert_opens(e, key, buf_slice(&out), "{\"hidden\":1}");
	rest = buf_slice(&out);
	for (int i = 0; i < 5; i++)
		(void)slice_split(&rest, ':');
	return arena_strndup(a, out.p, (size_t)(rest.p - out.p));
}

static void each_provider_seals_under_upstreams_prefix(void **state)
{
	static const struct {
		const char *provider, *prefix;
	} rows[] = {
		{ "aesgcm: {keys: [{name: one, secret: " K32 "}]}", "k8s:enc:aesgcm:v1:one:" },
		{ "aesgcm: {keys: [{name: one, secret: " K24 "}]}", "k8s:enc:aesgcm:v1:one:" },
		{ "aesgcm: {keys: [{name: one, secret: " K16 "}]}", "k8s:enc:aesgcm:v1:one:" },
		{ "aescbc: {keys: [{name: k-2, secret: " K24 "}]}", "k8s:enc:aescbc:v1:k-2:" },
		{ "aescbc: {keys: [{name: k-2, secret: " K32 "}, {name: x, secret: " K16 "}]}",
		  "k8s:enc:aescbc:v1:k-2:" },
		{ "secretbox: {keys: [{name: \"3\", secret: " K32 "}]}",
		  "k8s:enc:secretbox:v1:3:" },
		{ "identity: {}", "plain" },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(encryption_free)
		struct encryption *e =
			make(arena_printf(a, HEAD "- resources: [secrets]\n  providers:\n  - %s\n",
					  rows[i].provider));

		assert_string_equal(sealed_as(e, a, "/registry/:secrets/ns/x"), rows[i].prefix);
		assert_string_equal(sealed_as(e, a, "/registry/:configmaps/ns/x"), "plain");
		assert_true(encryption_is_on(e));
	}
}

static void names_and_wildcards_find_their_rule(void **state)
{
	static const struct {
		const char *key, *prefix;
	} rows[] = {
		{ "/registry/:secrets/n/x", "k8s:enc:secretbox:v1:s:" },
		{ "/registry/:configmaps/n/x", "k8s:enc:secretbox:v1:core:" },
		{ "/registry/apps:deployments/n/x", "k8s:enc:secretbox:v1:apps:" },
		{ "/registry/batch:jobs/n/x", "k8s:enc:secretbox:v1:s:" },
		{ "/registry/batch:cronjobs/n/x", "k8s:enc:secretbox:v1:all:" },
		{ "/registry/example.org:foos/n/x", "k8s:enc:secretbox:v1:all:" },
		{ "/registry/coordination.k8s.io:leases/n/x", "plain" },
	};
#define BOX(name) "  providers: [{secretbox: {keys: [{name: " name ", secret: " K32 "}]}}]\n"
	struct arena *a = *state;
	CLEANUP(encryption_free)
	struct encryption *e = make(
		HEAD
		"- resources: [leases.coordination.k8s.io]\n  providers: [{identity: {}}]\n"
		"- resources: [secrets, jobs.batch]\n" BOX("s") "- resources: ['*.']\n" BOX(
			"core") "- resources: ['*.apps']\n" BOX("apps") "- resources: "
									"['*.*']\n" BOX("all"));

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(sealed_as(e, a, rows[i].key), rows[i].prefix);
}

static void what_is_sealed_goes_with_its_place(void **state)
{
	CLEANUP(encryption_free)
	struct encryption *e = make(HEAD "- resources: [secrets]\n  providers:\n  - aesgcm: {keys: "
					 "[{name: k, secret: " K32 "}]}\n");
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 20);
	bool used;

	assert_int_equal(encryption_seal(e, SLICE("/registry/:secrets/a/x"), SLICE("hello"), &out,
					 &used, NULL),
			 0);
	/* prefix, nonce, text, tag */
	assert_int_equal(out.n, strlen("k8s:enc:aesgcm:v1:k:") + 12 + 5 + 16);
	assert_opens(e, "/registry/:secrets/a/x", buf_slice(&out), "hello");
	/* copied to another name it does not open */
	assert_stays_shut(e, "/registry/:secrets/b/x", buf_slice(&out),
			  "'/registry/:secrets/b/x' is sealed with aesgcm:v1:k: it does not open");
	out.p[out.n - 1] ^= 1;
	assert_stays_shut(e, "/registry/:secrets/a/x", buf_slice(&out), "does not open");
	assert_stays_shut(e, "/registry/:secrets/a/x", SLICE("k8s:enc:aesgcm:v1:k:short"),
			  "does not open");
	assert_stays_shut(e, "/registry/:secrets/a/x", SLICE("k8s:enc:"), "no provider");
	assert_stays_shut(e, "/registry/:secrets/a/x", SLICE("k8s:enc:kms:v2:far:abc"),
			  "sealed with kms:v2:far: no provider");
}

static struct slice with_prefix(struct arena *a, const char *prefix, const char *hex)
{
	size_t n = strlen(prefix), more = strlen(hex) / 2;
	char *p = arena_alloc(a, n + more);

	memcpy(p, prefix, n);
	assert_int_equal(hex_decode(p + n, slice_str(hex)), 0);
	return slice_of(p, n + more);
}

/* "hello" with nonce and IV 0, 1, 2, ..., sealed by python's cryptography and by `openssl enc`. */
static void bytes_of_others_open(void **state)
{
	struct arena *a = *state;
	CLEANUP(encryption_free)
	struct encryption *e = make(HEAD "- resources: [secrets]\n  providers:\n  - aescbc: {keys: "
					 "[{name: k, secret: " K32 "}]}\n  - aesgcm: {keys: "
					 "[{name: k, secret: " K32 "}]}\n  - identity: {}\n");
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1000);
	bool used;

	assert_opens(e, "/registry/:secrets/a/x",
		     with_prefix(a, "k8s:enc:aescbc:v1:k:",
				 "000102030405060708090a0b0c0d0e0f"
				 "318352979b9857a57db4e1f94525ed0c"),
		     "hello");
	assert_opens(
		e, "/registry/:secrets/a/x",
		with_prefix(a, "k8s:enc:aesgcm:v1:k:",
			    "000102030405060708090a0b4580d710b6a3a564e87df4e227b982157c6c0bc461"),
		"hello");
	assert_int_equal(encryption_seal(e, SLICE("/registry/:secrets/a/x"),
					 SLICE("0123456789abcdef"), &out, &used, NULL),
			 0);
	/* a whole block of padding, as PKCS#7 has it */
	assert_int_equal(out.n, strlen("k8s:enc:aescbc:v1:k:") + 16 + 32);
}

static void keys_are_rotated_in_steps(void **state)
{
	struct arena *a = *state;
	CLEANUP(encryption_free)
	struct encryption *e =
		make(HEAD "- resources: [secrets]\n  providers:\n  - secretbox: {keys: "
			  "[{name: old, secret: " K32 "}]}\n");
	CLEANUP(buf_fini) struct buf old = BUF_INIT(1000);
	struct err err = ERR_INIT;
	bool used;

	assert_int_equal(
		encryption_seal(e, SLICE("/registry/:secrets/a/x"), SLICE("v"), &old, &used, NULL),
		0);
	assert_int_equal(
		encryption_reload(e,
				  SLICE(HEAD "- resources: [secrets]\n  providers:\n"
					     "  - secretbox: {keys: [{name: new, secret: " K32B
					     "}, {name: old, secret: " K32 "}]}\n"),
				  "F", &err),
		0);
	assert_string_equal(sealed_as(e, a, "/registry/:secrets/a/x"), "k8s:enc:secretbox:v1:new:");
	assert_opens(e, "/registry/:secrets/a/x", buf_slice(&old), "v");
	/* a reload that is wrong changes nothing */
	assert_int_equal(encryption_reload(e, SLICE("kind: x"), "F", &err), -ERR_INVALID);
	assert_opens(e, "/registry/:secrets/a/x", buf_slice(&old), "v");
	/* the same name with another secret, in a provider of its own */
	assert_int_equal(
		encryption_reload(e,
				  SLICE(HEAD "- resources: [secrets]\n  providers:\n"
					     "  - secretbox: {keys: [{name: old, secret: " K32B
					     "}]}\n  - secretbox: {keys: [{name: old, secret: " K32
					     "}]}\n"),
				  "F", &err),
		0);
	assert_opens(e, "/registry/:secrets/a/x", buf_slice(&old), "v");
	assert_int_equal(
		encryption_reload(e,
				  SLICE(HEAD "- resources: [secrets]\n  providers:\n"
					     "  - secretbox: {keys: [{name: new, secret: " K32B
					     "}]}\n"),
				  "F", &err),
		0);
	assert_stays_shut(e, "/registry/:secrets/a/x", buf_slice(&old),
			  "sealed with secretbox:v1:old: no provider");
	/* none at all: sealed values are not taken for objects */
	assert_int_equal(encryption_reload(e, (struct slice){ 0 }, NULL, &err), 0);
	assert_false(encryption_is_on(e));
	assert_stays_shut(e, "/registry/:secrets/a/x", buf_slice(&old), "no provider");
	assert_string_equal(sealed_as(e, a, "/registry/:secrets/a/x"), "plain");
}

static void what_is_sealed_otherwise_is_to_be_written_again(void **state)
{
	CLEANUP(encryption_free)
	struct encryption *e =
		make(HEAD "- resources: [secrets]\n  providers:\n  - secretbox: {keys: [{name: a, "
			  "secret: " K32 "}]}\n  - identity: {}\n");
	CLEANUP(buf_fini) struct buf sealed = BUF_INIT(1000);
	const struct slice key = SLICE("/registry/:secrets/a/x");
	bool used;

	/* read before there was a rule for it */
	assert_true(encryption_is_stale(e, key));
	assert_int_equal(encryption_open(e, key, SLICE("{}"), NULL, &used, NULL), 0);
	assert_true(encryption_is_stale(e, key));
	assert_int_equal(encryption_seal(e, key, SLICE("{}"), &sealed, &used, NULL), 0);
	assert_false(encryption_is_stale(e, key));
	assert_opens(e, key.p, buf_slice(&sealed), "{}");
	assert_false(encryption_is_stale(e, key));
	/* the same name with another secret in front */
	assert_int_equal(
		encryption_reload(e,
				  SLICE(HEAD "- resources: [secrets]\n  providers:\n"
					     "  - secretbox: {keys: [{name: a, secret: " K32B
					     "}]}\n  - secretbox: {keys: [{name: a, secret: " K32
					     "}]}\n"),
				  "F", NULL),
		0);
	assert_true(encryption_is_stale(e, key));
	assert_opens(e, key.p, buf_slice(&sealed), "{}");
	assert_true(encryption_is_stale(e, key));
	/* what no rule covers is as it should be; written then, it is plain */
	assert_int_equal(encryption_reload(e, (struct slice){ 0 }, NULL, NULL), 0);
	assert_false(encryption_is_stale(e, key));
	assert_int_equal(encryption_seal(e, key, SLICE("{}"), &sealed, &used, NULL), 0);
	assert_int_equal(
		encryption_reload(e,
				  SLICE(HEAD "- resources: [secrets]\n  providers:\n"
					     "  - secretbox: {keys: [{name: a, secret: " K32
					     "}]}\n"),
				  "F", NULL),
		0);
	assert_true(encryption_is_stale(e, key));
}

static void what_is_gone_is_forgotten(void **state)
{
	struct arena *a = *state;
	CLEANUP(encryption_free)
	struct encryption *e =
		make(HEAD "- resources: [secrets]\n  providers:\n  - secretbox: {keys: [{name: a, "
			  "secret: " K32 "}]}\n  - identity: {}\n");
	const struct slice here = SLICE("/registry/:secrets/here/x");
	const struct slice gone = SLICE("/registry/:secrets/gone/x");
	CLEANUP(buf_fini) struct buf sealed = BUF_INIT(1000);
	bool used;

	assert_int_equal(encryption_seal(e, here, SLICE("{}"), &sealed, &used, NULL), 0);
	assert_int_equal(encryption_seal(e, gone, SLICE("{}"), &sealed, &used, NULL), 0);
	assert_false(encryption_is_stale(e, gone));
	for (int i = 0; i < 10000; i++)
		assert_int_equal(
			encryption_open(
				e, slice_str(arena_printf(a, "/registry/:secrets/gone/x%d", i)),
				SLICE("{}"), NULL, &used, NULL),
			0);
	assert_false(encryption_is_stale(e, here));
	/* nothing is known of it any more: as if it was never sealed */
	assert_true(encryption_is_stale(e, gone));
}

static void what_is_plain_is_read_where_identity_stands(void **state)
{
	CLEANUP(encryption_free)
	struct encryption *e =
		make(HEAD "- resources: [secrets]\n  providers:\n  - secretbox: {keys: "
			  "[{name: k, secret: " K32 "}]}\n"
			  "- resources: [configmaps]\n  providers:\n  - secretbox: "
			  "{keys: [{name: k, secret: " K32 "}]}\n  - identity: {}\n");
	struct err err = ERR_INIT;
	bool used = true;

	assert_stays_shut(e, "/registry/:secrets/a/x", SLICE("{}"),
			  "is not sealed, and identity is not among the providers");
	assert_int_equal(encryption_open(e, SLICE("/registry/:configmaps/a/x"), SLICE("{}"), NULL,
					 &used, &err),
			 0);
	assert_false(used);
	assert_int_equal(
		encryption_open(e, SLICE("/registry/:pods/a/x"), SLICE("{}"), NULL, &used, &err),
		0);
	assert_false(used);
}

static void wrong_configurations_are_named(void **state)
{
#define R(resources) HEAD "- resources: " resources "\n  providers: [{identity: {}}]\n"
#define P(provider) HEAD "- resources: [secrets]\n  providers:\n  - " provider "\n"
	static const struct {
		const char *text, *says;
		enum err_code code;
	} rows[] = {
		{ "kind: Pod", "F': kind: must be EncryptionConfiguration", ERR_INVALID },
		{ "a: [", "encryption configuration 'F': line", ERR_BAD_REQUEST },
		{ HEAD, "resources: at least one", ERR_INVALID },
		{ HEAD "- resources: []\n  providers: [{identity: {}}]\n",
		  "resources[0].resources: at least one", ERR_INVALID },
		{ HEAD "- resources: [a]\n", "resources[0]: at least one provider", ERR_INVALID },
		{ HEAD "- resource: [a]\n", "resources[0]: unknown field \"resource\"",
		  ERR_INVALID },
		{ R("[Secrets]"), "resources[0].resources[0]: resource name should not",
		  ERR_INVALID },
		{ R("['*']"), "use '*.' to encrypt", ERR_INVALID },
		{ R("[a.events.k8s.io]"), "stored using the 'events' API group", ERR_INVALID },
		{ R("[a.extensions]"), "'extensions' group has been removed", ERR_INVALID },
		{ R("['a.*']"), "across groups is not supported", ERR_INVALID },
		{ R("[a, a]"), "resources[0].resources[1]: the same resource", ERR_INVALID },
		{ R("[a, '*.']"), "overlapping resources", ERR_INVALID },
		{ R("['*.*', a.b]"), "overlapping resources", ERR_INVALID },
		{ R("['*.apps']") "- resources: [deployments.apps]\n  providers: [{identity: "
				  "{}}]\n",
		  "resources[1].resources[0]: masked by the earlier rule \"*.apps\"", ERR_INVALID },
		{ P("{}"), "providers[0]: provider does not contain", ERR_INVALID },
		{ P("{identity: {}, aesgcm: {}}"), "more than one provider", ERR_INVALID },
		{ P("kms: {name: x}"), "providers[0]: kms is not supported", ERR_UNSUPPORTED },
		{ P("rot13: {}"), "unknown provider \"rot13\"", ERR_INVALID },
		{ P("identity: {x: 1}"), "identity: unknown field \"x\"", ERR_INVALID },
		{ P("aesgcm: {}"), "aesgcm: at least one keys", ERR_INVALID },
		{ P("aesgcm: {keys: [{secret: " K16 "}]}"), "keys[0]: name is a mandatory",
		  ERR_INVALID },
		{ P("aesgcm: {keys: [{name: k}]}"), "key \"k\": secret is a mandatory",
		  ERR_INVALID },
		{ P("aesgcm: {keys: [{name: k, secret: '%%%%'}]}"),
		  "aesgcm.keys[0]: key \"k\": secrets must be base64", ERR_INVALID },
		{ P("aesgcm: {keys: [{name: k, secret: c2VjcmV0}]}"),
		  "got 6, expected one of [16 24 32]", ERR_INVALID },
		{ P("secretbox: {keys: [{name: k, secret: " K16 "}]}"),
		  "got 16, expected one of [32]", ERR_INVALID },
		{ P("aescbc: {keys: [{name: k, secret: " K32 K32 "}]}"), "key \"k\": secret",
		  ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		struct encryption *e;

		assert_int_equal(encryption_new(slice_str(rows[i].text), "F", &e, &err),
				 -(int)rows[i].code);
		if (!strstr(err.msg, rows[i].says))
			fail_msg("'%s' does not hold '%s'", err.msg, rows[i].says);
		assert_null(strstr(err.msg, "c2VjcmV0"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_provider_seals_under_upstreams_prefix),
		CASE(names_and_wildcards_find_their_rule),
		CASE(what_is_sealed_goes_with_its_place),
		CASE(bytes_of_others_open),
		CASE(keys_are_rotated_in_steps),
		CASE(what_is_sealed_otherwise_is_to_be_written_again),
		CASE(what_is_gone_is_forgotten),
		CASE(what_is_plain_is_read_where_identity_stands),
		CASE(wrong_configurations_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
