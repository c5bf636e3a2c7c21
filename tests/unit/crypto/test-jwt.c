/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens and key sets: the RFCs' examples, every scheme, rotation, and what must be refused. */
#include "base/arena.h"
#include "crypto-test.h"
#include "crypto/jwt.h"
#include "doc/json.h"

#define NOW 1800000000

struct env {
	struct arena *a;
	struct jwks *set;
};

static int set_up(void **state)
{
	struct env *e = calloc(1, sizeof(*e));

	e->a = arena_new("test", 16 << 20);
	e->set = jwks_new();
	*state = e;
	return 0;
}

static int tear_down(void **state)
{
	struct env *e = *state;

	arena_free(e->a);
	jwks_free(e->set);
	free(e);
	return 0;
}

static struct doc *json(struct env *e, const char *text)
{
	struct doc *d = NULL;
	struct err err = ERR_INIT;

	if (json_read(e->a, slice_str(arena_strdup(e->a, text)), NULL, &d, &err) < 0)
		fail_msg("%s", err.msg);
	return d;
}

static void must_read(struct env *e, const char *text)
{
	struct err err = ERR_INIT;

	if (jwks_read(e->set, slice_str(text), &err) < 0)
		fail_msg("%s", err.msg);
}

static const char *token(struct env *e, const char *kid, const char *claims)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(JWT_MAX * 2);
	struct err err = ERR_INIT;

	if (jwt_sign(e->set, kid, "JWT", json(e, claims), &out, &err) < 0)
		fail_msg("%s", err.msg);
	return arena_strdup(e->a, buf_str(&out));
}

static void add_key(struct env *e, enum key_type type, const char *kid, const char *alg)
{
	CLEANUP(key_unref) struct key *k = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(key_generate(type, 0, &k, &err), 0);
	assert_int_equal(jwks_add(e->set, k, kid, alg, &err), 0);
}

static void assert_refused(struct env *e, const char *text, struct jwt_check c, const char *why)
{
	struct jwt t;
	struct err err = ERR_INIT;

	c.now = c.now ? c.now : NOW;
	if (jwt_verify(e->set, slice_str(text), &c, e->a, &t, &err) >= 0)
		fail_msg("taken (for '%s'): %s", why, text);
	if (!strstr(err.msg, why))
		fail_msg("'%s' lacks '%s'", err.msg, why);
}

static struct jwt assert_taken(struct env *e, const char *text, struct jwt_check c)
{
	struct jwt t = { 0 };
	struct err err = ERR_INIT;

	c.now = c.now ? c.now : NOW;
	if (jwt_verify(e->set, slice_str(text), &c, e->a, &t, &err) < 0)
		fail_msg("%s", err.msg);
	return t;
}

/* ---- the RFCs' examples ---- */

static void the_rfcs_examples_verify(void **state)
{
	struct env *e = *state;
	struct slice payload;
	struct err err = ERR_INIT;
	struct jwt t;

	/* RFC 7515 A.1 */
	must_read(e, "{\"kty\":\"oct\",\"kid\":\"a1\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-"
		     "EstJQLr_T-"
		     "1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}");
	t = assert_taken(e,
			 "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
			 "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvb"
			 "S9pc19yb290Ijp0cn"
			 "VlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
			 (struct jwt_check){ .now = 1300819379, .iss = "joe" });
	assert_int_equal(t.exp, 1300819380);
	assert_true(doc_true(doc_get(t.claims, "http://example.com/is_root")));
	/* RFC 8037 A.4 */
	must_read(e, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
		     "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}");
	assert_string_equal(jwks_kid(e->set, 1), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
	assert_int_equal(
		jws_verify(e->set,
			   SLICE("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_"
				 "MGCjP0JzlnLWG1PPOt7-"
				 "09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_"
				 "MuM0KAg"),
			   e->a, &payload, &err),
		0);
	assert_true(slice_is(payload, "Example of Ed25519 signing"));
	/* RFC 7638 3.1 */
	must_read(
		e,
		"{\"kty\":\"RSA\",\"n\":"
		"\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zw"
		"u1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-"
		"5JsGY4Hc5n9yBXArwl93lqt7_"
		"RN5w6Cf0h4QyQ5v-65YGjQR0_"
		"FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpb"
		"ISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
		"kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\"}");
	assert_string_equal(jwks_kid(e->set, 2), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
	assert_null(jwks_skipped(e->set, 0));
}

static void every_scheme_signs_and_verifies(void **state)
{
	static const struct {
		const char *alg;
		enum key_type type;
	} rows[] = { { "RS256", KEY_RSA },    { "RS384", KEY_RSA },  { "RS512", KEY_RSA },
		     { "PS256", KEY_RSA },    { "PS384", KEY_RSA },  { "PS512", KEY_RSA },
		     { "ES256", KEY_P256 },   { "ES384", KEY_P384 }, { "ES512", KEY_P521 },
		     { "EdDSA", KEY_ED25519 } };
	struct env *e = *state;
	CLEANUP(buf_fini) struct buf text = BUF_INIT(JWKS_MAX);
	struct err err = ERR_INIT;
	const char *tokens[ARRAY_LEN(rows)];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		add_key(e, rows[i].type, rows[i].alg, rows[i].alg);
		tokens[i] = token(e, rows[i].alg, "{\"exp\":1900000000,\"sub\":\"s\"}");
		assert_string_equal(assert_taken(e, tokens[i], (struct jwt_check){ 0 }).alg,
				    rows[i].alg);
	}
	/* The public set, as another process reads it. */
	assert_int_equal(jwks_write(e->set, &text, &err), 0);
	assert_null(strstr(buf_str(&text), "\"d\""));
	jwks_free(e->set);
	e->set = jwks_new();
	must_read(e, buf_str(&text));
	assert_int_equal(jwks_len(e->set), ARRAY_LEN(rows));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_string_equal(assert_taken(e, tokens[i], (struct jwt_check){ 0 }).sub, "s");
		assert_int_equal(jwt_sign(e->set, rows[i].alg, NULL, json(e, "{}"), &text, &err),
				 -ERR_CONFLICT);
	}
}

static void secrets_sign_too(void **state)
{
	static const char *const algs[] = { "HS256", "HS384", "HS512" };
	struct env *e = *state;
	struct err err = ERR_INIT;
	char secret[64];

	memset(secret, 'k', sizeof(secret));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			jwks_add_secret(e->set, slice_of(secret, 64), algs[i], algs[i], &err), 0);
		(void)assert_taken(e, token(e, algs[i], "{\"exp\":1900000000}"),
				   (struct jwt_check){ 0 });
	}
	assert_int_equal(jwks_add_secret(e->set, slice_of(secret, 31), "x", "HS256", &err),
			 -ERR_INVALID);
	assert_int_equal(jwks_add_secret(e->set, slice_of(secret, 64), "x", "RS256", &err),
			 -ERR_UNSUPPORTED);
	assert_int_equal(jwks_add_secret(e->set, slice_of(secret, 64), "HS256", "HS256", &err),
			 -ERR_EXISTS);
}

/* ---- what must be refused ---- */

/* {"alg":"..."} and claims that never expire, signed with nothing. */
static const char *unsigned_token(struct env *e, const char *header)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(4096);
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *parts[] = { header, "{\"exp\":1900000000}" };

	for (int i = 0; i < 2; i++) {
		size_t n = strlen(parts[i]);
		unsigned bits = 0, k = 0;

		for (size_t j = 0; j < n; j++) {
			bits = bits << 8 | (unsigned char)parts[i][j];
			for (k += 8; k >= 6; k -= 6)
				(void)buf_addc(&out, digits[bits >> (k - 6) & 63]);
		}
		if (k)
			(void)buf_addc(&out, digits[bits << (6 - k) & 63]);
		(void)buf_addc(&out, '.');
	}
	return arena_strdup(e->a, buf_str(&out));
}

static void tricks_with_the_scheme_are_refused(void **state)
{
	struct env *e = *state;
	const char *good;
	char *other;

	add_key(e, KEY_RSA, "r", NULL);
	add_key(e, KEY_P256, "e", NULL);
	assert_refused(e, unsigned_token(e, "{\"alg\":\"none\"}"), (struct jwt_check){ 0 },
		       "not signed");
	assert_refused(e, unsigned_token(e, "{\"alg\":\"NoNe\"}"), (struct jwt_check){ 0 },
		       "not signed");
	assert_refused(e, unsigned_token(e, "{\"alg\":\"HS256\",\"kid\":\"r\"}"),
		       (struct jwt_check){ 0 }, "its scheme is not the one of its key (kid 'r')");
	assert_refused(e, unsigned_token(e, "{\"alg\":\"HS256\"}"), (struct jwt_check){ 0 },
		       "no key here fits its scheme");
	assert_refused(e, unsigned_token(e, "{\"alg\":\"PS256\",\"kid\":\"r\"}"),
		       (struct jwt_check){ 0 }, "its scheme is not the one of its key");
	assert_refused(e, unsigned_token(e, "{\"alg\":\"RS256\",\"kid\":\"r\"}"),
		       (struct jwt_check){ 0 }, "its signature is wrong");
	assert_refused(e, unsigned_token(e, "{\"alg\":\"ES256\",\"kid\":\"e\"}"),
		       (struct jwt_check){ 0 }, "its signature is wrong");
	assert_refused(e, unsigned_token(e, "{\"alg\":\"RS256\",\"kid\":\"z\"}"),
		       (struct jwt_check){ 0 }, "a key that is not known here (kid 'z')");
	assert_refused(e, unsigned_token(e, "{\"alg\":\"RS256\",\"crit\":[\"b64\"]}"),
		       (struct jwt_check){ 0 }, "critical headers");
	assert_refused(e, unsigned_token(e, "{\"alg\":\"RS256\",\"alg\":\"none\"}"),
		       (struct jwt_check){ 0 }, "token");
	assert_refused(e, unsigned_token(e, "{\"alg\":\"XX\"}"), (struct jwt_check){ 0 },
		       "'XX' is not supported");
	assert_refused(e, unsigned_token(e, "[]"), (struct jwt_check){ 0 }, "no object");
	assert_refused(e, unsigned_token(e, "{\"alg\":\"RS256\",\"kid\":7}"),
		       (struct jwt_check){ 0 }, "\"kid\" is no string");
	good = token(e, "e", "{\"exp\":1900000000}");
	(void)assert_taken(e, good, (struct jwt_check){ 0 });
	assert_refused(e, good,
		       (struct jwt_check){ .algs = (const char *const[]){ "RS256" }, .algs_n = 1 },
		       "ES256 is not allowed here");
	/* Every character counts, the bits behind the last byte too. */
	for (size_t i = 0; i < strlen(good); i += 5) {
		other = arena_strdup(e->a, good);
		other[i] = other[i] == 'A' ? 'B' : 'A';
		assert_refused(e, other, (struct jwt_check){ 0 }, "");
	}
	other = arena_strdup(e->a, good);
	other[strlen(other) - 1]++;
	assert_refused(e, other, (struct jwt_check){ 0 }, "");
}

static void texts_that_are_no_tokens_are_refused(void **state)
{
	static const char *const rows[] = { "",
					    ".",
					    "..",
					    "a.b",
					    "a.b.c.d",
					    "!!.e30.",
					    "e30.e30.e30",
					    "eyJhbGciOiJSUzI1NiJ9.e30=.e30",
					    " eyJhbGciOiJSUzI1NiJ9.e30.e30" };
	struct env *e = *state;
	char *large = calloc(1, JWT_MAX + 2);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_refused(e, rows[i], (struct jwt_check){ 0 }, "token: ");
	memset(large, 'a', JWT_MAX + 1);
	assert_refused(e, large, (struct jwt_check){ 0 }, "more than");
	free(large);
}

static void claims_are_checked(void **state)
{
	static const char *const auds[] = { "api", "other" };
	struct env *e = *state;
	struct {
		const char *claims;
		struct jwt_check c;
		const char *why; /* NULL = taken */
	} rows[] = {
		{ "{\"exp\":1800000001}", { 0 }, NULL },
		{ "{\"exp\":1800000000}", { 0 }, "it expired 0 seconds ago" },
		{ "{\"exp\":1799999990}", { .leeway = 11 }, NULL },
		{ "{\"exp\":1799999990}", { .leeway = 10 }, "it expired 10 seconds ago" },
		{ "{\"exp\":1800000001.5}", { 0 }, NULL },
		{ "{\"exp\":\"1900000000\"}", { 0 }, "\"exp\" is no number" },
		{ "{\"exp\":1e300}", { 0 }, "it has no end" },
		{ "{}", { 0 }, "it has no end" },
		{ "{}", { .exp_optional = true }, NULL },
		{ "{\"exp\":1900000000,\"nbf\":1800000000}", { 0 }, NULL },
		{ "{\"exp\":1900000000,\"nbf\":1800000001}", { 0 }, "not valid yet" },
		{ "{\"exp\":1900000000,\"nbf\":1800000001}", { .leeway = 1 }, NULL },
		{ "{\"exp\":1900000000,\"iat\":1800000001}", { 0 }, "issued in the future" },
		{ "{\"exp\":1900000000,\"iat\":1799999000}", { .age_max = 1000 }, NULL },
		{ "{\"exp\":1900000000,\"iat\":1799998999}", { .age_max = 1000 }, "too old" },
		{ "{\"exp\":1900000000}", { .age_max = 1000 }, "too old, or" },
		{ "{\"exp\":1900000000,\"iss\":\"a\"}", { .iss = "a" }, NULL },
		{ "{\"exp\":1900000000,\"iss\":\"b\"}",
		  { .iss = "a" },
		  "its issuer is 'b' and not 'a'" },
		{ "{\"exp\":1900000000}", { .iss = "a" }, "its issuer is '' and not 'a'" },
		{ "{\"exp\":1900000000,\"iss\":[]}", { .iss = "a" }, "\"iss\" is no string" },
		{ "{\"exp\":1900000000,\"aud\":\"api\"}", { .aud = auds, .aud_n = 2 }, NULL },
		{ "{\"exp\":1900000000,\"aud\":[\"x\",\"other\"]}",
		  { .aud = auds, .aud_n = 2 },
		  NULL },
		{ "{\"exp\":1900000000,\"aud\":[\"x\"]}",
		  { .aud = auds, .aud_n = 2 },
		  "another audience" },
		{ "{\"exp\":1900000000}", { .aud = auds, .aud_n = 2 }, "another audience" },
		{ "{\"exp\":1900000000}", { .typ = "jwt" }, NULL },
		{ "{\"exp\":1900000000}", { .typ = "at+jwt" }, "its type is not 'at+jwt'" },
	};

	add_key(e, KEY_ED25519, "k", NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *t = token(e, "k", rows[i].claims);

		if (rows[i].why)
			assert_refused(e, t, rows[i].c, rows[i].why);
		else
			(void)assert_taken(e, t, rows[i].c);
	}
}

/* ---- sets ---- */

static void one_bad_key_spoils_no_set(void **state)
{
	struct env *e = *state;

	must_read(e, "{\"keys\":["
		     "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"good\",\"x\":"
		     "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
		     "{\"kty\":\"other\",\"kid\":\"strange\"}, 5,"
		     "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"kid\":\"small\"},"
		     "{\"kty\":\"RSA\",\"n\":\"A!\",\"e\":\"AQAB\"},"
		     "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQAB\",\"y\":\"AQAB\"},"
		     "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
		     "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\",\"y\":"
		     "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\",\"kid\":\"offcurve\"},"
		     "{\"kty\":\"EC\",\"crv\":\"secp256k1\"},"
		     "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AA\"},"
		     "{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"},"
		     "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"enc\",\"x\":"
		     "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
		     "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"good\",\"x\":"
		     "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
		     "]}");
	assert_int_equal(jwks_len(e->set), 1);
	for (size_t i = 0; i < 11; i++)
		assert_non_null(jwks_skipped(e->set, i));
	assert_null(jwks_skipped(e->set, 11));
	assert_non_null(strstr(jwks_skipped(e->set, 0), "key 2 ('strange'): its type"));
	assert_non_null(strstr(jwks_skipped(e->set, 2), "17 bits"));
	assert_non_null(strstr(jwks_skipped(e->set, 10), "there is a key 'good' already"));
}

static void texts_that_are_no_sets_are_refused(void **state)
{
	static const char *const rows[] = {
		"", "[]", "5", "{}", "{\"keys\":{}}", "{\"keys\":[],\"keys\":[]}"
	};
	struct env *e = *state;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(jwks_read(e->set, slice_str(rows[i]), &err), -ERR_BAD_REQUEST);
		assert_says(&err, ERR_BAD_REQUEST, "key set: ");
	}
}

static void keys_are_rotated(void **state)
{
	struct env *e = *state;
	const char *old, *next;

	add_key(e, KEY_P256, "2026-01", NULL);
	old = token(e, "2026-01", "{\"exp\":1900000000}");
	add_key(e, KEY_P256, "2026-02", NULL);
	next = token(e, "2026-02", "{\"exp\":1900000000}");
	(void)assert_taken(e, old, (struct jwt_check){ 0 });
	assert_string_equal(assert_taken(e, next, (struct jwt_check){ 0 }).kid, "2026-02");
	assert_true(jwks_remove(e->set, "2026-01"));
	assert_false(jwks_remove(e->set, "2026-01"));
	assert_refused(e, old, (struct jwt_check){ 0 }, "not known here (kid '2026-01')");
	(void)assert_taken(e, next, (struct jwt_check){ 0 });
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_rfcs_examples_verify),
		TEST(every_scheme_signs_and_verifies),
		TEST(secrets_sign_too),
		TEST(tricks_with_the_scheme_are_refused),
		TEST(texts_that_are_no_tokens_are_refused),
		TEST(claims_are_checked),
		TEST(one_bad_key_spoils_no_set),
		TEST(texts_that_are_no_sets_are_refused),
		TEST(keys_are_rotated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
