/* SPDX-License-Identifier: Apache-2.0 */
/* What upstreams, replication and webhooks decide by themselves. Their talk with others is tested
 * whole, in tests/e2e/3130-registry-through.py and 3140-registry-webhooks.py. */
#include "base/fd.h"
#include "db/db.h"
#include "registry/jobs.h"
#include "registry/replicate-priv.h"
#include "registry/through-priv.h"
#include "registry/webhook.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct strs strs_of(const char **v, size_t n)
{
	return (struct strs){ .v = v, .n = n };
}

static void the_longest_prefix_is_the_upstream(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 16);
	const struct hooks_upstream conf[] = { { .prefix = "" },
					       { .prefix = "hub" },
					       { .prefix = "hub/team" } };
	struct upstream v[] = { { .conf = &conf[0] },
				{ .conf = &conf[1], .hub = true },
				{ .conf = &conf[2] } };
	struct through t = { .v = v, .n = 3 };

	assert_ptr_equal(through_of(&t, "hub/x"), &v[1]);
	assert_ptr_equal(through_of(&t, "hub/team/x"), &v[2]);
	assert_ptr_equal(through_of(&t, "hub/teams"), &v[1]);
	assert_ptr_equal(through_of(&t, "hubs/x"), &v[0]);
	assert_string_equal(upstream_far_name(&v[1], a, "hub/busybox"), "library/busybox");
	assert_string_equal(upstream_far_name(&v[1], a, "hub/a/b"), "a/b");
	assert_string_equal(upstream_far_name(&v[2], a, "hub/team/x"), "x");
	assert_string_equal(upstream_far_name(&v[0], a, "a/b"), "a/b");
	t.v++;
	t.n--;
	assert_null(through_of(&t, "other"));
}

static void a_rate_limit_is_as_long_as_it_says_within_bounds(void **state)
{
	assert_int_equal(upstream_pause(0), 60 * NS_PER_SEC);
	assert_int_equal(upstream_pause(5 * NS_PER_SEC), 5 * NS_PER_SEC);
	assert_int_equal(upstream_pause(86400 * NS_PER_SEC), 3600 * NS_PER_SEC);
}

static void rules_rename_and_choose(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 16);
	const char *repos[] = { "team/**", "x" }, *tags[] = { "v*" };
	struct hooks_rule conf = { .repositories = strs_of(repos, 2),
				   .tags = strs_of(tags, 1),
				   .strip = "team/",
				   .add = "backup/" };
	struct rule k = { .conf = &conf };

	assert_string_equal(rule_far_name(&k, a, "team/a/b"), "backup/a/b");
	assert_string_equal(rule_near_name(&k, a, "team/c"), "backup/c");
	assert_null(rule_far_name(&k, a, "x")); /* has not what is to be taken away */
	assert_true(rule_wants(&k, "team/a", "v1"));
	assert_false(rule_wants(&k, "team/a", "latest"));
	assert_false(rule_wants(&k, "other", "v1"));
	assert_true(rule_wants(&k, "x", NULL)); /* without a tag: whoever is sent decides */
	conf.tags.n = 0;
	assert_true(rule_wants(&k, "team/a", "latest"));
	conf.strip = "team/a";
	conf.add = "";
	assert_null(rule_far_name(&k, a, "team/a"));   /* nothing is left */
	assert_null(rule_far_name(&k, a, "team/a/b")); /* "/b" is no name */
}

/* By openssl dgst -sha256 -hmac KEY of "1700000000.{}". */
#define MAC_NEW "29810abc729e7b7322b3ce2c7456a99bca762870c031aa43455fd67b43aab3c0"
#define MAC_OLD "2b5e6fc3cac3432cb8a3476c75510114966afb97256d20b9198872431b7ceca6"

static void both_secrets_sign_while_there_are_two(void **state)
{
	CLEANUP(buf_fini)
	struct buf one = BUF_INIT(1024), two = BUF_INIT(1024), no = BUF_INIT(1024);

	webhook_sign(&one, SLICE("new"), (struct slice){ 0 }, 1700000000, SLICE("{}"));
	assert_string_equal(buf_str(&one), "t=1700000000,v1=" MAC_NEW);
	webhook_sign(&two, SLICE("new"), SLICE("old"), 1700000000, SLICE("{}"));
	assert_string_equal(buf_str(&two), "t=1700000000,v1=" MAC_NEW ",v1=" MAC_OLD);
	webhook_sign(&no, (struct slice){ 0 }, SLICE("old"), 1700000000, SLICE("{}"));
	assert_int_equal(no.n, 0);
}

/* ---- what the cache gives up ---- */

static void ignore(void *ctx, const char *queue, const char *lane)
{
}

static int fill(void *ctx, struct db_conn *c, struct err *err)
{
	int r = 0;

	for (int64_t i = 1; i <= 5 && r >= 0; i++) /* r5 was wanted longest ago */
		r = db_exec(c, err,
			    "INSERT INTO kept VALUES ('r' || ?1, 'd', 100, 1000 - ?1 * 100)", "i",
			    i);
	return r;
}

static size_t choose(struct jobs *j, int64_t over, int64_t before, char out[64])
{
	struct keep_victim v[8];
	struct err err = ERR_INIT;
	size_t n;

	if (keep_choose(db_reader(jobs_db(j)), over, before, v, 4, &n, &err) < 0)
		fail_msg("%s", err.msg);
	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		(void)snprintf(out + strlen(out), 64 - strlen(out), "%s ", v[i].repo);
	return n;
}

static void what_was_not_wanted_for_longest_goes_first(void **state)
{
	char dir[] = "/tmp/teu-outward-XXXXXX", path[64], out[64];
	struct err err = ERR_INIT;
	struct loop *l = NULL;
	struct jobs *j = NULL;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/registry.db", dir);
	if (loop_new(&l, &err) < 0 || jobs_open(path, l, ignore, NULL, &j, &err) < 0 ||
	    db_write_wait(jobs_db(j), fill, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(choose(j, 0, 0, out), 0);
	assert_int_equal(choose(j, 1, 0, out), 1);
	assert_string_equal(out, "r5 ");
	assert_int_equal(choose(j, 250, 0, out), 3);
	assert_string_equal(out, "r5 r4 r3 ");
	assert_int_equal(choose(j, 0, 650, out), 2); /* by age alone */
	assert_string_equal(out, "r5 r4 ");
	assert_int_equal(choose(j, 1, 650, out), 2);
	assert_int_equal(choose(j, 10000, 0, out), 4); /* the rest is the next batch */
	jobs_close(j);
	loop_free(l);
	assert_int_equal(fd_remove_tree(AT_FDCWD, dir, NULL), 0);
}

/* ---- hours of collections ---- */

static void a_window_may_cross_midnight(void **state)
{
	static const struct {
		int from, to, minute;
		bool in;
	} v[] = {
		{ 0, 0, 700, true },	    { 60, 120, 60, true },    { 60, 120, 119, true },
		{ 60, 120, 120, false },    { 60, 120, 59, false },   { 1320, 330, 1320, true },
		{ 1320, 330, 0, true },	    { 1320, 330, 329, true }, { 1320, 330, 330, false },
		{ 1320, 330, 1319, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		assert_true(gc_in_window(v[i].from, v[i].to, v[i].minute) == v[i].in);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_prefix_is_the_upstream),
		cmocka_unit_test(a_rate_limit_is_as_long_as_it_says_within_bounds),
		cmocka_unit_test(rules_rename_and_choose),
		cmocka_unit_test(both_secrets_sign_while_there_are_two),
		cmocka_unit_test(what_was_not_wanted_for_longest_goes_first),
		cmocka_unit_test(a_window_may_cross_midnight),
	};

	return cmocka_run_group_tests_name("outward", tests, NULL, NULL);
}
