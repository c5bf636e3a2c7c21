/* SPDX-License-Identifier: Apache-2.0 */
/* AuthenticationConfigurations: what is refused and how it is named; who may be anonymous. (Tokens:
 * tests/e2e/6320-api-issuers.bats, with a real issuer.) */
#include "../doc/doc-check.h"

#include "apiserver/auth/authn-jwt.h"
#include "base/loop.h"

#include <stdio.h>

static struct loop *loop;
static struct authn_jwt *t;

static int begin(void **state)
{
	static const char *const accounts[] = { "https://own.example", NULL };
	struct authn_jwt_conf conf = { .accounts = accounts };

	(void)state;
	assert_int_equal(loop_new(&loop, NULL), 0);
	conf.loop = loop;
	return authn_jwt_new(&conf, &t, NULL);
}

static int end(void **state)
{
	(void)state;
	authn_jwt_free(t);
	loop_free(loop);
	return 0;
}

static int read_it(const char *rest, struct err *err)
{
	char text[8192];

	snprintf(text, sizeof(text),
		 "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n%s",
		 rest);
	*err = ERR_INIT;
	return authn_jwt_read(t, slice_str(text), err);
}

#define JWT "jwt: [{issuer: {url: 'https://a.example', audiences: [x]"
#define NAME "claimMappings: {username: {claim: sub, prefix: ''}"

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text, *want;
		enum err_code code;
	} rows[] = {
		{ "kind2: x", "unknown field \"kind2\"", ERR_INVALID },
		{ "jwt: 7", "jwt: must be a list", ERR_INVALID },
		{ "jwt: [{}]", "jwt[0].issuer.url: must be an https URL", ERR_INVALID },
		{ "jwt: [7]", "must be an object", ERR_INVALID },
		{ "jwt: [{issuer: {url: 'http://a.example'}}]",
		  "jwt[0].issuer.url: must be an https URL", ERR_INVALID },
		{ "jwt: [{issuer: {url: 'https://a.example?x'}}]",
		  "jwt[0].issuer.url: must be an https URL", ERR_INVALID },
		{ "jwt: [{issuer: {url: 'https://u@a.example'}}]",
		  "jwt[0].issuer.url: must not have a user in it", ERR_INVALID },
		{ "jwt: [{issuer: {url: 'https://own.example', audiences: [x]}}]",
		  "jwt[0].issuer.url: is the one of service accounts", ERR_INVALID },
		{ "jwt: [{issuer: {url: 'https://a.example'}}]",
		  "jwt[0].issuer.audiences: at least one is required", ERR_INVALID },
		{ "jwt: [{issuer: {url: 'https://a.example', audiences: [x, x]}}]",
		  "jwt[0].issuer.audiences: has an element", ERR_INVALID },
		{ "jwt: [{issuer: {url: 'https://a.example', audiences: [x, z]}}]",
		  "jwt[0].issuer.audienceMatchPolicy: must be MatchAny when", ERR_INVALID },
		{ JWT ", audienceMatchPolicy: All}}]",
		  "jwt[0].issuer.audienceMatchPolicy: must be MatchAny", ERR_INVALID },
		{ JWT ", discoveryURL: 'https://a.example'}}]",
		  "jwt[0].issuer.discoveryURL: must differ from url", ERR_INVALID },
		{ JWT ", certificateAuthority: nothing}}]", "jwt[0].issuer.certificateAuthority",
		  ERR_INVALID },
		{ JWT ", egressSelectorType: cluster}}]", "jwt[0].issuer.egressSelectorType",
		  ERR_UNSUPPORTED },
		{ JWT "}}]", "jwt[0].claimMappings.username: claim or expression is required",
		  ERR_INVALID },
		{ JWT "}, claimMappings: {username: {claim: sub}}}]",
		  "jwt[0].claimMappings.username: claim and prefix go together", ERR_INVALID },
		{ JWT "}, claimMappings: {username: {claim: sub, expression: x}}}]",
		  "jwt[0].claimMappings.username: claim and expression can't both", ERR_INVALID },
		{ JWT "}, claimMappings: {username: {prefix: a, expression: claims.sub}}}]",
		  "jwt[0].claimMappings.username: prefix may not be specified", ERR_INVALID },
		{ JWT "}, claimMappings: {username: {expression: x}}}]",
		  "jwt[0].claimMappings.username.expression: Invalid value: \"x\": compilation "
		  "failed: ERROR: <input>:1:1: undeclared reference to 'x'",
		  ERR_INVALID },
		{ JWT "}, claimMappings: {username: {expression: claims.email}}}]",
		  "claims.email_verified must be used in", ERR_INVALID },
		{ JWT "}, " NAME ", groups: {expression: x}}}]",
		  "jwt[0].claimMappings.groups.expression: Invalid value", ERR_INVALID },
		{ JWT "}, " NAME ", uid: {expression: x}}}]",
		  "jwt[0].claimMappings.uid.expression: Invalid value", ERR_INVALID },
		{ JWT "}, " NAME ", uid: {claim: x, prefix: pre}}}]", "unknown field \"prefix\"",
		  ERR_INVALID },
		{ JWT "}, " NAME ", extra: [{key: a/b, valueExpression: x}]}}]",
		  "jwt[0].claimMappings.extra[0].valueExpression: Invalid value", ERR_INVALID },
		{ JWT "}, " NAME ", extra: [{key: a/b}]}}]",
		  "jwt[0].claimMappings.extra[0].valueExpression: is required", ERR_INVALID },
		{ JWT "}, " NAME ", extra: [{key: ab, valueExpression: \"'x'\"}]}}]",
		  "jwt[0].claimMappings.extra[0].key: must be a domain-prefixed path",
		  ERR_INVALID },
		{ JWT "}, " NAME ", extra: [{key: a/B, valueExpression: \"'x'\"}]}}]",
		  "extra[0].key: must be lowercase", ERR_INVALID },
		{ JWT "}, " NAME ", extra: [{key: a.k8s.io/b, valueExpression: \"'x'\"}]}}]",
		  "extra[0].key: k8s.io, kubernetes.io and their subdomains", ERR_INVALID },
		{ JWT "}, " NAME ", extra: [{key: a/b, valueExpression: \"'x'\"}, {key: a/b, "
		      "valueExpression: \"'x'\"}]}}]",
		  "extra[1].key: is there twice", ERR_INVALID },
		{ JWT "}, " NAME "}, claimValidationRules: [{expression: x}]}]",
		  "jwt[0].claimValidationRules[0].expression: Invalid value", ERR_INVALID },
		{ JWT "}, " NAME "}, claimValidationRules: [{expression: claims.sub}]}]",
		  "jwt[0].claimValidationRules[0].expression: Invalid value: \"claims.sub\": must "
		  "evaluate to bool",
		  ERR_INVALID },
		{ JWT "}, " NAME "}, claimValidationRules: [{expression: 'true'}, {expression: "
		      "'true'}]}]",
		  "jwt[0].claimValidationRules[1].expression: is there twice", ERR_INVALID },
		{ JWT "}, " NAME "}, claimValidationRules: [{claim: a, expression: 'true'}]}]",
		  "claim and expression can't both be set", ERR_INVALID },
		{ JWT "}, " NAME "}, claimValidationRules: [{claim: a, message: b}]}]",
		  "message may not be specified when claim is set", ERR_INVALID },
		{ JWT "}, " NAME "}, claimValidationRules: [{expression: 'true', requiredValue: "
		      "x}]}]",
		  "requiredValue may not be specified", ERR_INVALID },
		{ JWT "}, " NAME "}, claimValidationRules: [{requiredValue: x}]}]",
		  "jwt[0].claimValidationRules[0]: claim or expression is required", ERR_INVALID },
		{ JWT "}, " NAME "}, userValidationRules: [{expression: x}]}]",
		  "jwt[0].userValidationRules[0].expression: Invalid value", ERR_INVALID },
		{ JWT "}, " NAME "}, userValidationRules: [{message: x}]}]",
		  "jwt[0].userValidationRules[0].expression: is required", ERR_INVALID },
		{ JWT "}, " NAME "}}, {issuer: {url: 'https://a.example', audiences: [x]}}]",
		  "jwt[1].issuer.url: is that of another one, too", ERR_INVALID },
		{ "anonymous: {enabled: false, conditions: [{path: /livez}]}",
		  "anonymous.conditions: must not be set", ERR_INVALID },
		{ "anonymous: {enabled: true, conditions: [{path: livez}]}",
		  "anonymous.conditions.path: must begin with a slash", ERR_INVALID },
		{ "anonymous: {enabled: true, conditions: 7}",
		  "anonymous.conditions: must be a list", ERR_INVALID },
		{ "anonymous: {enabled: 'true'}", "anonymous.enabled: must be true or false",
		  ERR_INVALID },
		{ "anonymous: [", "", ERR_INVALID },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r = read_it(rows[i].text, &err);

		if (r >= 0 || !strstr(err.msg, rows[i].want) ||
		    (*rows[i].want && err.code != rows[i].code))
			fail_msg("%s: %d '%s', not '%s'", rows[i].text, r, err.msg, rows[i].want);
		assert_int_equal(authn_jwt_issuers(t, NULL), 0);
	}
	err = ERR_INIT;
	assert_int_equal(authn_jwt_read(t, SLICE("apiVersion: v1\nkind: Pod\n"), &err),
			 -ERR_INVALID);
	assert_non_null(strstr(err.msg, "AuthenticationConfiguration"));
}

static void a_configuration_says_who_may_be_anonymous(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(authn_jwt_anonymous(t, "/livez"), -1);
	assert_int_equal(read_it("", &err), 0);
	assert_int_equal(authn_jwt_anonymous(t, "/livez"), -1);
	assert_int_equal(read_it("anonymous: {enabled: false}", &err), 0);
	assert_int_equal(authn_jwt_anonymous(t, "/livez"), 0);
	assert_int_equal(read_it("anonymous: {enabled: true}", &err), 0);
	assert_int_equal(authn_jwt_anonymous(t, "/api"), 1);
	assert_int_equal(
		read_it("anonymous: {enabled: true, conditions: [{path: /livez}, {path: /x}]}",
			&err),
		0);
	assert_int_equal(authn_jwt_anonymous(t, "/livez"), 1);
	assert_int_equal(authn_jwt_anonymous(t, "/livez/"), 0);
	assert_int_equal(authn_jwt_anonymous(t, "/x"), 1);
	assert_int_equal(authn_jwt_anonymous(t, "/api"), 0);
	/* what is broken leaves it */
	assert_true(read_it("anonymous: {enabled: true, conditions: [7]}", &err) < 0);
	assert_int_equal(authn_jwt_anonymous(t, "/api"), 0);
	assert_int_equal(authn_jwt_anonymous(t, "/x"), 1);
}

static void flags_that_are_wrong_are_named(void **state)
{
	static const char *const claims[] = { "=x", NULL }, *const algs[] = { "HS256", NULL };
	static const struct {
		struct authn_oidc o;
		const char *want;
	} rows[] = {
		{ { .issuer = "https://a.example" }, "--oidc-client-id" },
		{ { .issuer = "http://a.example", .client = "c" }, "--oidc-issuer-url" },
		{ { .issuer = "https://own.example", .client = "c" }, "--oidc-issuer-url" },
		{ { .issuer = "https://a.example", .client = "c", .required = claims },
		  "--oidc-required-claim" },
		{ { .issuer = "https://a.example", .client = "c", .algs = algs },
		  "--oidc-signing-algs" },
		{ { .issuer = "https://a.example", .client = "c", .ca = { "x", 1 } },
		  "--oidc-ca-file" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;

		assert_true(authn_jwt_set_flags(t, &rows[i].o, &err) < 0);
		if (!strstr(err.msg, rows[i].want))
			fail_msg("'%s', not '%s'", err.msg, rows[i].want);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_wrong_is_named),
		TEST(a_configuration_says_who_may_be_anonymous),
		TEST(flags_that_are_wrong_are_named),
	};

	return cmocka_run_group_tests_name("authn-jwt", tests, NULL, NULL);
}
