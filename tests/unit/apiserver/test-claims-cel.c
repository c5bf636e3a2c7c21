/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions over claims and users: what they make, what they refuse. */
#include "../doc/doc-check.h"

#include "apiserver/auth/claims-cel.h"
#include "apiserver/strategy/strategy.h"
#include "doc/json.h"

#include <stdio.h>

struct fix {
	struct arena *a;
	struct claims_env env;
	const struct doc *claims;
	struct strategy_user u;
	struct err err;
};

static const char token[] =
	"{\"sub\":\"jo\",\"email\":\"jo@example.com\",\"email_verified\":true,\"roles\":\"a,b\","
	"\"teams\":[\"x\",\"\",\"y\"],\"n\":7,\"nested\":{\"k\":[\"v\"]},\"none\":null}";

static void begin(struct fix *f)
{
	static const char *const none[] = { NULL };
	struct doc *d;

	*f = (struct fix){ .a = arena_new("t", 16u << 20), .u = { .uid = "", .groups = none } };
	assert_int_equal(claims_env_new(f->a, &f->env, NULL), 0);
	assert_int_equal(json_read(f->a, slice_str(token), NULL, &d, NULL), 0);
	f->claims = d;
}

static struct claim_expr compiled(struct fix *f, const char *text, bool rule)
{
	struct claim_expr x = { .text = text, .message = "no way" };

	if (claims_compile(f->env.claims, rule, f->a, &x, &f->err) < 0)
		fail_msg("%s", f->err.msg);
	return x;
}

static const char *joined(struct fix *f, const char *const *v)
{
	const char *s = "";

	for (; *v; v++)
		s = arena_printf(f->a, "%s%s;", s, *v);
	return s;
}

static void users_are_made_of_claims(void **state)
{
	static const struct {
		const char *groups, *want; /* NULL: refused */
	} rows[] = {
		{ "claims.roles.split(',')", "a;b;" },
		{ "claims.teams", "x;y;" },
		{ "claims.teams.map(t, 'team:' + t)", "team:x;team:;team:y;" },
		{ "claims.sub", "jo;" },
		{ "''", "" },
		{ "null", "" },
		{ "claims.none", "" },
		{ "[]", "" },
		{ "claims.?nothing.orValue([])", "" },
		{ "claims.nested.k + ['w']", "v;w;" },
		{ "claims.n == 7 ? ['seven'] : []", "seven;" },
		{ "claims.n", NULL },
		{ "[claims.n]", NULL },
		{ "[b'x']", NULL },
		{ "claims", NULL },
		{ "claims.nothing", NULL },
		{ "['a\\u0000b']", NULL },
		{ "optional.of('x')", NULL },
	};
	struct fix f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct claim_exprs x = { 0 };
		int r;

		begin(&f);
		x.user = compiled(&f, "'u:' + claims.sub", false);
		x.uid = compiled(&f, "string(claims.n)", false);
		x.groups = compiled(&f, rows[i].groups, false);
		r = claims_map(&x, f.claims, f.a, &f.u, &f.err);
		if (r != (rows[i].want ? 0 : -ERR_UNAUTHORIZED))
			fail_msg("%s: %d %s", rows[i].groups, r, f.err.msg);
		assert_string_equal(f.u.name, "u:jo");
		if (rows[i].want) {
			assert_string_equal(joined(&f, f.u.groups), rows[i].want);
			assert_string_equal(f.u.uid, "7");
		}
		arena_free(f.a);
	}
}

static void names_and_uids_are_texts(void **state)
{
	static const struct {
		const char *name, *says;
	} rows[] = {
		{ "claims.n", "username claim expression: it must return a string" },
		{ "''", "empty username" },
		{ "claims.teams", "must return a string" },
		{ "'a\\u0000'", "must return a string" },
		{ "claims.nothing", "resulted in error: no such key: nothing" },
	};
	struct fix f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct claim_exprs x = { 0 };

		begin(&f);
		x.user = compiled(&f, rows[i].name, false);
		assert_int_equal(claims_map(&x, f.claims, f.a, &f.u, &f.err), -ERR_UNAUTHORIZED);
		if (!strstr(f.err.msg, rows[i].says))
			fail_msg("%s: %s", rows[i].name, f.err.msg);
		arena_free(f.a);
	}
}

static void extra_stands_beside_what_was_there(void **state)
{
	struct claim_expr v[2];
	struct claim_exprs x = { .extra = { v, 2 } };
	struct fix f;

	(void)state;
	begin(&f);
	v[0] = compiled(&f, "claims.teams", false);
	v[0].key = "example.com/teams";
	v[1] = compiled(&f, "''", false);
	v[1].key = "example.com/empty";
	f.u.extra = doc_new_object(f.a);
	doc_append_str(f.a, doc_set_array(f.a, (struct doc *)f.u.extra, "id"), "7");
	assert_int_equal(claims_map(&x, f.claims, f.a, &f.u, &f.err), 0);
	assert_int_equal(doc_len(f.u.extra), 2);
	assert_int_equal(doc_len(doc_get(f.u.extra, "example.com/teams")), 2);
	assert_non_null(doc_get(f.u.extra, "id"));
	arena_free(f.a);
}

static void rules_decide(void **state)
{
	static const char *const groups[] = { "x", NULL };
	static const struct {
		const char *text, *says;
		bool user;
	} rows[] = {
		{ "claims.email_verified == true", NULL, false },
		{ "claims.n < 7", "expression 'claims.n < 7' failed: no way", false },
		{ "type(claims.n) == double && claims.n == 7", NULL, false },
		{ "claims.n + 1 == 8", "no such overload", false },
		{ "claims.nothing == 1", "resulted in error: no such key", false },
		{ "user.username == 'jo' && user.groups == ['x'] && user.uid == ''", NULL, true },
		{ "!user.username.startsWith('system:')", NULL, true },
		{ "user.extra.size() == 0 && has(user.uid)", NULL, true },
		{ "'system:masters' in user.groups", "user info validation rule", true },
	};
	struct fix f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct claim_exprs x = { 0 };
		struct claim_expr e = { .text = rows[i].text, .message = "no way" };
		const struct claim_list l = { &e, 1 };
		int r;

		begin(&f);
		f.u.name = "jo";
		f.u.groups = groups;
		r = claims_compile(rows[i].user ? f.env.user : f.env.claims, true, f.a, &e, &f.err);
		if (r < 0)
			fail_msg("%s", f.err.msg);
		*(rows[i].user ? &x.user_rules : &x.rules) = l;
		r = claims_check(&x, f.claims, &f.u, f.a, &f.err);
		if (r != (rows[i].says ? -ERR_UNAUTHORIZED : 0) ||
		    (rows[i].says && !strstr(f.err.msg, rows[i].says)))
			fail_msg("%s: %d %s", rows[i].text, r, f.err.msg);
		arena_free(f.a);
	}
}

static void a_mail_has_to_be_verified(void **state)
{
	static const struct {
		const char *name, *rule, *extra;
		bool unverified;
	} rows[] = {
		{ "claims.email", NULL, NULL, true },
		{ "claims.sub", NULL, NULL, false },
		{ "claims.?email.orValue('x')", NULL, NULL, true },
		{ "has(claims.email) ? 'x' : 'y'", NULL, NULL, true },
		{ "[1].map(x, claims.email)[0]", NULL, NULL, true },
		{ "claims.email_verified ? claims.email : claims.sub", NULL, NULL, false },
		{ "claims.email", "claims.email_verified == true", NULL, false },
		{ "claims.email", "claims.?email_verified.orValue(false) == true", NULL, false },
		{ "claims.email", NULL, "string(claims.email_verified)", false },
		{ "claims.email", "claims.sub == 'x'", "claims.sub", true },
		{ "claims.nested.email", NULL, NULL, false },
	};
	struct fix f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct claim_expr rule, extra;
		struct claim_exprs x = { 0 };

		begin(&f);
		x.user = compiled(&f, rows[i].name, false);
		if (rows[i].rule) {
			rule = compiled(&f, rows[i].rule, true);
			x.rules = (struct claim_list){ &rule, 1 };
		}
		if (rows[i].extra) {
			extra = compiled(&f, rows[i].extra, false);
			x.extra = (struct claim_list){ &extra, 1 };
		}
		if (claims_email_unverified(&x) != rows[i].unverified)
			fail_msg("%s", rows[i].name);
		arena_free(f.a);
	}
}

static void what_does_not_compile_is_told(void **state)
{
	static const struct {
		const char *text, *says;
		bool rule;
	} rows[] = {
		{ "claims.", "Invalid value: \"claims.\": compilation failed: ERROR: <input>:1:8",
		  false },
		{ "user.name", "undeclared reference to 'user'", false },
		{ "'x'", "Invalid value: \"'x'\": must evaluate to bool", true },
		{ "claims.ok", "must evaluate to bool", true },
	};
	struct fix f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct claim_expr x = { .text = rows[i].text };

		begin(&f);
		assert_int_equal(claims_compile(f.env.claims, rows[i].rule, f.a, &x, &f.err),
				 -ERR_INVALID);
		if (!strstr(f.err.msg, rows[i].says))
			fail_msg("%s: %s", rows[i].text, f.err.msg);
		arena_free(f.a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_are_made_of_claims),
		cmocka_unit_test(names_and_uids_are_texts),
		cmocka_unit_test(extra_stands_beside_what_was_there),
		cmocka_unit_test(rules_decide),
		cmocka_unit_test(a_mail_has_to_be_verified),
		cmocka_unit_test(what_does_not_compile_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
