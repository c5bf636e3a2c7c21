/* SPDX-License-Identifier: Apache-2.0 */
/* Quotas and retention rules: what they say, and what they choose. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "registry/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW (1000 * 24 * 3600 * NS_PER_SEC)
#define DAY (24 * 3600 * NS_PER_SEC)

static struct policy *policy_of(const char *text)
{
	char path[] = "/tmp/teu-bounds-XXXXXX";
	struct policy_files files = { .config = path };
	struct err err = ERR_INIT;
	struct policy *p = NULL;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	if (policy_read(&files, &p, &err) < 0)
		fail_msg("%s", err.msg);
	unlink(path);
	return p;
}

static void durations_and_bytes_are_read_or_refused(void **state)
{
	static const char *const bad[] = { "", "d", "-1d", "1.5d", "1y", "99999999999w", "soon" };
	static const char *const bad_bytes[] = { "", "M", "1.5M", "1Q", "-1", "99999999999999T" };
	struct err err = ERR_INIT;
	int64_t v;

	assert_int_equal(bounds_duration("30d", &v, &err), 0);
	assert_int_equal(v, 30 * DAY);
	assert_int_equal(bounds_duration("2w", &v, &err), 0);
	assert_int_equal(v, 14 * DAY);
	assert_int_equal(bounds_duration("90m", &v, &err), 0);
	assert_int_equal(v, 5400 * NS_PER_SEC);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(bounds_duration(bad[i], &v, &err), -ERR_INVALID);
	assert_int_equal(bounds_bytes("10Gi", &v, &err), 0);
	assert_int_equal(v, 10ll << 30);
	assert_int_equal(bounds_bytes("500M", &v, &err), 0);
	assert_int_equal(v, 500000000);
	assert_int_equal(bounds_bytes("7", &v, &err), 0);
	assert_int_equal(v, 7);
	for (size_t i = 0; i < ARRAY_LEN(bad_bytes); i++)
		assert_int_equal(bounds_bytes(bad_bytes[i], &v, &err), -ERR_INVALID);
}

static void limits_of_a_repository_are_those_that_fit(void **state)
{
	struct policy *p = policy_of("quotas:\n"
				     "- {repositories: [\"a/*\"], bytes: 10M}\n"
				     "- {prefix: a/, tags: 5}\n"
				     "- {prefix: \"\", manifests: 9}\n");
	struct content_limit v[BOUNDS_MAX];

	assert_int_equal(bounds_of(p, "a/b", v).n, 3);
	assert_true(!v[0].prefix && v[0].bytes == 10000000 && v[0].tags == -1);
	assert_string_equal(v[1].prefix, "a/");
	assert_int_equal(v[1].tags, 5);
	assert_int_equal(v[2].manifests, 9);
	assert_int_equal(bounds_of(p, "a/b/c", v).n, 2);
	assert_int_equal(bounds_of(p, "ab", v).n, 1);
	policy_unref(p);
}

/* The tags that stay, in order, one letter each. */
static const char *left(const char *conf, struct content_tag *v, size_t n)
{
	static char text[64];
	struct policy *p = policy_of(conf);
	size_t k = 0;

	bounds_choose(p, NOW, "app/x", v, n);
	for (size_t i = 0; i < n; i++)
		if (!v[i].drop)
			text[k++] = v[i].tag ? v[i].tag[0] : '-';
	text[k] = '\0';
	policy_unref(p);
	return text;
}

static void rules_choose_what_goes(void **state)
{
	struct content_tag v[] = {
		{ .tag = "a", .digest = "1", .pushed = NOW - 9 * DAY, .pulled = NOW - 1 * DAY },
		{ .tag = "b", .digest = "2", .pushed = NOW - 8 * DAY },
		{ .tag = "c", .digest = "3", .pushed = NOW - 7 * DAY, .referred = true },
		{ .tag = "d", .digest = "4", .pushed = NOW - 6 * DAY },
		{ .tag = "e", .digest = "5", .pushed = NOW - 5 * DAY },
		{ .tag = "s", .digest = "6", .pushed = NOW - 4 * DAY, .companion = true },
		{ .digest = "7", .pushed = NOW - 3 * DAY },
		{ .digest = "8", .pushed = NOW - 1 * DAY },
	};
	static const struct {
		const char *rules, *left;
	} rows[] = {
		{ "[]", "abcdes--" },
		{ "[{repositories: [other], keepLast: 0}]", "abcdes--" },
		{ "[{repositories: [\"app/*\"], keepLast: 0}]", "cs--" },
		{ "[{repositories: [\"**\"], keepLast: 0, signed: true}]", "s--" },
		{ "[{repositories: [\"**\"], keepLast: 2}]", "cdes--" },
		{ "[{repositories: [\"**\"], keepLastPulled: 1}]", "acs--" },
		{ "[{repositories: [\"**\"], pushedWithin: 6d}]", "cdes--" },
		{ "[{repositories: [\"**\"], pulledWithin: 2d}]", "acs--" },
		{ "[{repositories: [\"**\"], tags: [b, d], keepLast: 1}]", "acdes--" },
		{ "[{repositories: [\"**\"], untaggedAfter: 2d}]", "abcdes-" },
		/* What one rule keeps stays, whatever the other says. */
		{ "[{repositories: [\"**\"], keepLast: 1}, {repositories: [\"app/*\"], tags: [b], "
		  "keepLast: 1}]",
		  "bces--" },
	};
	char conf[1024];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got;

		(void)snprintf(conf, sizeof(conf), "retention: %s\n", rows[i].rules);
		got = left(conf, v, ARRAY_LEN(v));
		if (strcmp(got, rows[i].left) != 0)
			fail_msg("%s: '%s' are left, not '%s'", rows[i].rules, got, rows[i].left);
	}
	(void)snprintf(conf, sizeof(conf),
		       "immutableTags: [{repositories: [\"**\"], tags: [a]}]\nretention: %s\n",
		       rows[3].rules);
	assert_string_equal(left(conf, v, ARRAY_LEN(v)), "as--");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_and_bytes_are_read_or_refused),
		cmocka_unit_test(limits_of_a_repository_are_those_that_fit),
		cmocka_unit_test(rules_choose_what_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
