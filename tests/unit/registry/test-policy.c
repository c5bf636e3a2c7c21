/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns, scopes, claims, rules, and tokens of our own. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "crypto/jwt.h"
#include "doc/json.h"
#include "registry/auth.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HASH_A "$2b$04$abcdefghijklmnopqrstuOEKQxZqYTbKjLl4nQnJ0kdJuVnLyhyqS"
#define HASH_B "$2b$04$abcdefghijklmnopqrstuO0000000000000000000000000000000"

static char dir[] = "/tmp/teu-test-policy-XXXXXX";

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	return fd_remove_tree(AT_FDCWD, dir, NULL);
}

static const char *file(const char *name, const char *text)
{
	static char path[4][128];
	static unsigned n;
	char *p = path[n++ % 4];

	(void)snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	assert_int_equal(fd_replace_file(AT_FDCWD, p, text, strlen(text), 0600, NULL), 0);
	return p;
}

static void patterns_match_within_and_across_slashes(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool fits;
	} v[] = {
		{ "a", "a", true },	     { "a", "ab", false },
		{ "a*", "a", true },	     { "a*", "abc", true },
		{ "a*", "a/b", false },	     { "a/**", "a/b/c", true },
		{ "a/**", "a", false },	     { "**", "", true },
		{ "**", "x/y", true },	     { "*/b", "a/b", true },
		{ "*/b", "a/c/b", false },   { "**/b", "a/c/b", true },
		{ "v?", "v1", true },	     { "v?", "v", false },
		{ "a?b", "a/b", false },     { "*a*b*c*", "xxaxbxc", true },
		{ "*a*b*c*", "cba", false }, { "", "", true },
		{ "", "x", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		if (glob_match(v[i].pattern, v[i].text) != v[i].fits)
			fail_msg("'%s' and '%s'", v[i].pattern, v[i].text);
}

static void scopes_are_read_or_dropped(void **state)
{
	static const struct {
		const char *text;
		const char *type, *name; /* NULL: dropped */
		unsigned actions;
	} v[] = {
		{ "repository:a/b:pull", "repository", "a/b", MAY_PULL },
		{ "repository:host:5000/b:pull,push", "repository", "host:5000/b",
		  MAY_PULL | MAY_PUSH },
		{ "repository(plugin):a:delete", "repository", "a", MAY_DELETE },
		{ "registry:catalog:*", "registry", "catalog", MAY_ALL },
		{ "repository:a:fly,pull,,", "repository", "a", MAY_PULL },
		{ "repository:a:", "repository", "a", 0 },
		{ "other:a:pull", NULL, NULL, 0 },
		{ "repository:a", NULL, NULL, 0 },
		{ "repository", NULL, NULL, 0 },
		{ ":", NULL, NULL, 0 },
		{ "", NULL, NULL, 0 },
	};
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 20);

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct scope s;
		bool ok = scope_parse(a, slice_str(v[i].text), &s);

		if (ok != (v[i].type != NULL) ||
		    (ok && (strcmp(s.type, v[i].type) != 0 || strcmp(s.name, v[i].name) != 0 ||
			    s.actions != v[i].actions)))
			fail_msg("'%s'", v[i].text);
	}
}

static void a_claim_grants_what_it_names(void **state)
{
	static const char text[] =
		"[{\"type\":\"repository\",\"name\":\"a\",\"actions\":[\"pull\"]},"
		"{\"type\":\"repository\",\"name\":\"a\",\"actions\":[\"push\",7,\"fly\"]},"
		"{\"type\":\"registry\",\"name\":\"catalog\",\"actions\":[\"*\"]},"
		"{\"type\":\"repository\",\"name\":7},3,{\"type\":\"repository\",\"name\":\"b\"}]";
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 20);
	struct doc *d;

	assert_int_equal(json_read(a, SLICE(text), NULL, &d, NULL), 0);
	assert_int_equal(token_access(d, "repository", "a"), MAY_PULL | MAY_PUSH);
	assert_int_equal(token_access(d, "repository", "b"), 0);
	assert_int_equal(token_access(d, "repository", "catalog"), 0);
	assert_int_equal(token_access(d, "registry", "catalog"), MAY_ALL);
	assert_int_equal(token_access(NULL, "registry", "catalog"), 0);
}

static void rules_add_up(void **state)
{
	const struct policy_files files = {
		.htpasswd = file("users", "a:" HASH_A "\n#\n\nb:" HASH_B "\n"),
		.config = file("conf",
			       "groups: {g: [b]}\n"
			       "rules:\n"
			       "- {repositories: ['x/**'], users: [a], actions: [pull]}\n"
			       "- {repositories: ['x/y'], groups: [g], actions: [push]}\n"
			       "- {repositories: ['x/y', z], users: ['*'], actions: [delete]}\n"
			       "- {repositories: [p], anonymous: true, actions: [pull]}\n"
			       "immutableTags: [{repositories: ['x/*'], tags: ['v*']}]\n"),
	};
	CLEANUP(policy_unref) struct policy *p = NULL;
	struct err err = ERR_INIT;
	const char *claimed[] = { "g" };
	const struct strs g = { claimed, 1 };

	if (policy_read(&files, &p, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(p->closed && p->ruled);
	assert_int_equal(policy_may(p, "a", NULL, "x/y"), MAY_PULL | MAY_DELETE);
	assert_int_equal(policy_may(p, "a", NULL, "x/q/r"), MAY_PULL);
	assert_int_equal(policy_may(p, "b", NULL, "x/y"), MAY_PUSH | MAY_DELETE);
	assert_int_equal(policy_may(p, "c", NULL, "x/y"), MAY_DELETE);
	assert_int_equal(policy_may(p, "c", &g, "x/y"), MAY_PUSH | MAY_DELETE);
	assert_int_equal(policy_may(p, NULL, NULL, "x/y"), 0);
	assert_int_equal(policy_may(p, NULL, NULL, "p"), MAY_PULL);
	assert_true(policy_immutable(p, "x/y", "v1"));
	assert_false(policy_immutable(p, "x/y", "w1"));
	assert_false(policy_immutable(p, "x/y/z", "v1"));
	assert_non_null(policy_account(p, "a", 1));
	assert_null(policy_account(p, "c", 1));
}

static void without_anything_all_is_open(void **state)
{
	const struct policy_files none = { 0 };
	const struct policy_files users = { .htpasswd = file("users", "a:" HASH_A) };
	CLEANUP(policy_unref) struct policy *p = NULL, *q = NULL;

	assert_int_equal(policy_read(&none, &p, NULL), 0);
	assert_false(p->closed);
	assert_int_equal(policy_may(p, NULL, NULL, "x"), MAY_ALL);
	assert_int_equal(policy_read(&users, &q, NULL), 0);
	assert_int_equal(policy_may(q, NULL, NULL, "x"), 0);
	assert_int_equal(policy_may(q, "a", NULL, "x"), MAY_ALL);
}

static void robots_expire(void **state)
{
	const struct policy_files files = {
		.config = file("conf", "robots:\n  r: {secret: \"" HASH_A
				       "\", expires: 2020-01-01T00:00:00Z}\n")
	};
	CLEANUP(policy_unref) struct policy *p = NULL;

	assert_int_equal(policy_read(&files, &p, NULL), 0);
	assert_non_null(policy_account(p, "r", 1577836799));
	assert_null(policy_account(p, "r", 1577836800));
}

static void our_tokens_are_ours_and_of_their_kind(void **state)
{
	const struct policy_files files = { .htpasswd = file("users", "a:" HASH_A) };
	const struct policy_files changed = { .htpasswd = file("users2", "a:" HASH_B) };
	CLEANUP(policy_unref) struct policy *p = NULL, *q = NULL;
	CLEANUP(tokens_free) struct tokens *t = NULL, *again = NULL, *other = NULL;
	CLEANUP(buf_fini) struct buf token = BUF_INIT(8192), refresh = BUF_INIT(8192);
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 20);
	struct token_grant grant = {
		.name = "a", .service = "s", .hash = HASH_A, .expires = INT64_MAX
	};
	const struct account *acc;
	struct err err = ERR_INIT;
	char path[160];
	struct stat st;
	struct who who;
	int64_t expires = 0;

	assert_int_equal(policy_read(&files, &p, NULL), 0);
	assert_int_equal(policy_read(&changed, &q, NULL), 0);
	assert_int_equal(tokens_new(dir, &t, NULL), 0);
	assert_int_equal(tokens_new(dir, &again, NULL), 0); /* the key that is there */
	(void)snprintf(path, sizeof(path), "%s/registry/token-key.pem", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(token_issue(t, a, &grant, false, &token, NULL), 0);
	assert_int_equal(token_issue(t, a, &grant, true, &refresh, NULL), 0);
	assert_int_equal(token_check(again, a, buf_slice(&token), "s", p, &who, &expires, NULL), 0);
	assert_string_equal(who.name, "a");
	assert_true(who.token && who.access && !doc_len(who.access));
	assert_true(expires > 1700000000);
	/* An access token ends with the password too. */
	assert_int_equal(token_check(t, a, buf_slice(&token), "s", q, &who, &expires, &err),
			 -ERR_UNAUTHORIZED);
	assert_non_null(strstr(err.msg, "changed"));
	assert_int_equal(token_check(t, a, buf_slice(&token), "other", p, &who, &expires, NULL),
			 -ERR_UNAUTHORIZED);
	assert_int_equal(token_check(t, a, buf_slice(&refresh), "s", p, &who, &expires, NULL),
			 -ERR_UNAUTHORIZED);
	assert_int_equal(token_refresh(t, a, buf_slice(&token), "s", p, &acc, NULL),
			 -ERR_UNAUTHORIZED);
	assert_int_equal(token_refresh(t, a, buf_slice(&refresh), "s", p, &acc, NULL), 0);
	assert_string_equal(acc->name, "a");
	assert_int_equal(token_refresh(t, a, buf_slice(&refresh), "s", q, &acc, &err),
			 -ERR_UNAUTHORIZED);
	assert_non_null(strstr(err.msg, "changed"));
	grant.expires = 1000; /* the account ended long ago */
	buf_clear(&token);
	assert_int_equal(token_issue(t, a, &grant, false, &token, NULL), 0);
	assert_int_equal(token_check(t, a, buf_slice(&token), "s", p, &who, &expires, NULL),
			 -ERR_UNAUTHORIZED);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(tokens_new(dir, &other, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "0600"));
	assert_int_equal(chmod(path, 0600), 0);
}

static void a_token_is_seen_again_until_it_ends(void **state)
{
	struct token_cache *k = token_cache_new();
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 20);
	int64_t now = clock_real() / NS_PER_SEC;
	struct token_entry *e;
	struct who who, put = { 0 };
	char text[16];

	for (int i = 0; i < 600; i++) { /* more than are kept */
		(void)snprintf(text, sizeof(text), "t%d", i);
		e = token_entry_new(slice_str(text));
		put.name = arena_strdup(token_entry_arena(e), text);
		assert_int_equal(token_cache_put(k, e, &put, now + 1000, 7, a, &who), 0);
		token_entry_free(e);
		assert_string_equal(who.name, text);
	}
	assert_false(token_cache_get(k, SLICE("t0"), 7, a, &who));
	assert_true(token_cache_get(k, SLICE("t599"), 7, a, &who));
	assert_string_equal(who.name, "t599");
	assert_false(token_cache_get(k, SLICE("t599"), 8, a, &put)); /* another policy */
	assert_false(token_cache_get(k, SLICE("t599"), 7, a, &put));
	e = token_entry_new(SLICE("old"));
	assert_int_equal(token_cache_put(k, e, &put, now - 1, 7, a, &put), 0);
	token_entry_free(e);
	assert_false(token_cache_get(k, SLICE("old"), 7, a, &put));
	token_cache_free(k);
	assert_string_equal(who.name, "t599"); /* the request's until its end */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_within_and_across_slashes),
		cmocka_unit_test(scopes_are_read_or_dropped),
		cmocka_unit_test(a_claim_grants_what_it_names),
		cmocka_unit_test(rules_add_up),
		cmocka_unit_test(without_anything_all_is_open),
		cmocka_unit_test(robots_expire),
		cmocka_unit_test(a_token_is_seen_again_until_it_ends),
		cmocka_unit_test(our_tokens_are_ours_and_of_their_kind),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
