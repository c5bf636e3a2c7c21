/* SPDX-License-Identifier: Apache-2.0 */
/* What needs no engine: version prefixes, filters, detach keys, durations. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "docker/private.h"

#include <stdio.h>

static void cut_ok(const char *path, const char *rest, unsigned minor)
{
	struct err err = ERR_INIT;
	const char *got;
	unsigned m;

	assert_int_equal(version_cut(path, &got, &m, &err), 0);
	assert_string_equal(got, rest);
	assert_int_equal(m, minor);
}

static void cut_fails(const char *path, const char *message)
{
	struct err err = ERR_INIT;
	const char *got;
	unsigned m;

	assert_int_equal(version_cut(path, &got, &m, &err), -ERR_BAD_REQUEST);
	assert_string_equal(err.msg, message);
}

static void a_version_prefix_is_cut_and_kept(void **state)
{
	(void)state;
	cut_ok("/v1.50/info", "/info", 50);
	cut_ok("/v1.24/containers/json", "/containers/json", 24);
	cut_ok("/info", "/info", 50);
	cut_ok("/_ping", "/_ping", 50);
	cut_ok("/", "/", 50);
}

static void a_path_that_only_begins_with_v_is_no_version(void **state)
{
	(void)state;
	cut_ok("/volumes", "/volumes", 50);
	cut_ok("/volumes/v1", "/volumes/v1", 50);
	cut_ok("/v1.x/info", "/v1.x/info", 50);
	cut_ok("/v/info", "/v/info", 50);
	cut_ok("/v1.50", "/v1.50", 50);
	cut_ok("/v1.22/info", "/info", 24); /* containers/image */
}

static void versions_out_of_range_are_told_in_dockers_words(void **state)
{
	(void)state;
	cut_fails("/v1.21/info",
		  "client version 1.21 is too old. Minimum supported API version is 1.24, please "
		  "upgrade your client to a newer version");
	cut_fails("/v1/info", "client version 1 is too old. Minimum supported API version is 1.24, "
			      "please upgrade your client to a newer version");
	cut_fails("/v1.99/info",
		  "client version 1.99 is too new. Maximum supported API version is 1.50");
	cut_fails("/v2.0/info",
		  "client version 2.0 is too new. Maximum supported API version is 1.50");
}

/* ---- filters ---- */

struct fixture {
	struct arena *a;
	struct call c;
	struct query_pair pair;
	struct filters f;
	struct err err;
};

static int parse(struct fixture *x, const char *text)
{
	static const char *const known[] = { "label", "name", "status", "dangling", NULL };

	*x = (struct fixture){ .a = arena_new("test", 1u << 20) };
	x->pair = (struct query_pair){ "filters", text };
	x->c = (struct call){ .a = x->a, .q = { &x->pair, 1 } };
	return filters_parse(&x->c, known, &x->f, &x->err);
}

static void both_encodings_of_filters_mean_the_same(void **state)
{
	static const char *const texts[] = { "{\"label\":{\"a=b\":true,\"c\":true}}",
					     "{\"label\":[\"a=b\",\"c\"]}" };
	struct str_pair v[] = { { "a", "b" }, { "c", "d" } };
	struct str_map both = { v, 2 }, one = { v, 1 };
	struct fixture x;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(parse(&x, texts[i]), 0);
		assert_int_equal(x.f.n, 2);
		assert_true(filters_labels(&x.f, "label", &both));
		assert_false(filters_labels(&x.f, "label", &one));
		arena_free(x.a);
	}
}

static void a_filter_value_of_false_is_none(void **state)
{
	struct fixture x;

	(void)state;
	assert_int_equal(parse(&x, "{\"status\":{\"exited\":false}}"), 0);
	assert_false(filters_has(&x.f, "status"));
	assert_true(filters_exact(&x.f, "status", "running"));
	arena_free(x.a);
}

static void unknown_and_malformed_filters_are_refused_by_name(void **state)
{
	struct fixture x;

	(void)state;
	assert_int_equal(parse(&x, "{\"bogus\":[\"x\"]}"), -ERR_BAD_REQUEST);
	assert_string_equal(x.err.msg, "invalid filter 'bogus'");
	arena_free(x.a);
	assert_int_equal(parse(&x, "{\"name\":7}"), -ERR_BAD_REQUEST);
	assert_non_null(strstr(x.err.msg, "invalid filter 'name'"));
	arena_free(x.a);
	assert_int_equal(parse(&x, "[]"), -ERR_BAD_REQUEST);
	assert_non_null(strstr(x.err.msg, "not a JSON object"));
	arena_free(x.a);
	assert_int_equal(parse(&x, "{\"dangling\":[\"maybe\"]}"), 0);
	assert_int_equal(filters_bool(&x.f, "dangling", 0, &x.err), -ERR_BAD_REQUEST);
	assert_string_equal(x.err.msg, "invalid filter 'dangling=[maybe]'");
	arena_free(x.a);
}

static void expressions_that_cost_without_bound_are_refused(void **state)
{
	static const char *const bad[] = { "((a{255}){255}){255}", "^(a*)*\\\\1$" };
	static const char *const good[] = { "^/web[0-9]+$", "a\\\\.b\\\\\\\\1" };
	char text[100];
	struct fixture x;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		(void)snprintf(text, sizeof(text), "{\"name\":[\"%s\"]}", bad[i]);
		assert_int_equal(parse(&x, text), -ERR_BAD_REQUEST);
		assert_non_null(strstr(x.err.msg, "not supported in expressions"));
		arena_free(x.a);
		(void)snprintf(text, sizeof(text), "{\"name\":[\"%s\"]}", good[i]);
		assert_int_equal(parse(&x, text), 0);
		arena_free(x.a);
	}
	assert_int_equal(parse(&x, "{\"label\":[\"a={1}\"]}"), 0);
	arena_free(x.a);
}

static void more_filters_than_the_bound_are_refused(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	struct fixture x;

	(void)state;
	buf_adds(&b, "{\"name\":[\"n\"");
	for (int i = 0; i < 2000; i++)
		buf_addf(&b, ",\"n%d\"", i);
	buf_adds(&b, "]}");
	assert_int_equal(parse(&x, buf_str(&b)), -ERR_BAD_REQUEST);
	assert_non_null(strstr(x.err.msg, "at most 1024"));
	arena_free(x.a);
}

static void names_match_as_parts_and_as_expressions(void **state)
{
	struct fixture x;

	(void)state;
	assert_int_equal(parse(&x, "{\"name\":[\"^/web[0-9]+$\"]}"), 0);
	assert_true(filters_match(&x.f, "name", "/web12"));
	assert_false(filters_match(&x.f, "name", "/web"));
	arena_free(x.a);
	assert_int_equal(parse(&x, "{\"name\":[\"eb\"]}"), 0);
	assert_true(filters_match(&x.f, "name", "/web"));
	assert_true(filters_match(&x.f, "status", "anything"));
	arena_free(x.a);
	assert_int_equal(parse(&x, "{\"name\":[\"a(\"]}"), 0);
	assert_false(filters_match(&x.f, "name", "/web"));
	arena_free(x.a);
}

/* ---- keys ---- */

static void detach_keys_become_bytes(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 4096);
	struct err err = ERR_INIT;
	struct slice k;

	(void)state;
	assert_int_equal(detach_keys_parse(a, NULL, &k, &err), 0);
	assert_true(slice_eq(k, slice_of("\x10\x11", 2)));
	assert_int_equal(detach_keys_parse(a, "a,ctrl-z,ctrl-@,ctrl-[,ctrl-_", &k, &err), 0);
	assert_true(slice_eq(k, slice_of("a\x1a\0\x1b\x1f", 5)));
}

static void detach_keys_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = { "ctrl-", "ctrl-1", "ab", "a,,b", "shift-a" };
	CLEANUP(arena_free) struct arena *a = arena_new("test", 4096);
	struct slice k;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(detach_keys_parse(a, bad[i], &k, &err), -ERR_BAD_REQUEST);
		assert_non_null(strstr(err.msg, "invalid detach keys"));
	}
}

/* ---- durations ---- */

static void durations_read_as_docker_prints_them(void **state)
{
	static const struct {
		int64_t s;
		const char *text;
	} rows[] = {
		{ 0, "Less than a second" }, { 1, "1 second" },	      { 59, "59 seconds" },
		{ 60, "About a minute" },    { 180, "3 minutes" },    { 3600, "About an hour" },
		{ 7200, "2 hours" },	     { 259200, "3 days" },    { 1814400, "3 weeks" },
		{ 7776000, "3 months" },     { 94608000, "3 years" },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		show_ago(rows[i].s * NS_PER_SEC, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_version_prefix_is_cut_and_kept),
		cmocka_unit_test(a_path_that_only_begins_with_v_is_no_version),
		cmocka_unit_test(versions_out_of_range_are_told_in_dockers_words),
		cmocka_unit_test(both_encodings_of_filters_mean_the_same),
		cmocka_unit_test(a_filter_value_of_false_is_none),
		cmocka_unit_test(unknown_and_malformed_filters_are_refused_by_name),
		cmocka_unit_test(more_filters_than_the_bound_are_refused),
		cmocka_unit_test(expressions_that_cost_without_bound_are_refused),
		cmocka_unit_test(names_match_as_parts_and_as_expressions),
		cmocka_unit_test(detach_keys_become_bytes),
		cmocka_unit_test(detach_keys_that_are_none_are_refused),
		cmocka_unit_test(durations_read_as_docker_prints_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
