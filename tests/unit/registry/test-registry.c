/* SPDX-License-Identifier: Apache-2.0 */
/* What a path names, ranges, and the cache of manifests. The endpoints are tested whole, in
 * tests/e2e/3100-distribution.py. */
#include "base/arena.h"
#include "registry/private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void a_path_names_a_place_whatever_the_repository_is_called(void **state)
{
	static const struct {
		const char *path;
		enum what what;
		const char *name, *ref;
	} v[] = {
		{ "/v2", WHAT_BASE, "", "" },
		{ "/v2/", WHAT_BASE, "", "" },
		{ "/v2/_catalog", WHAT_CATALOG, "", "" },
		{ "/v2/a/tags/list", WHAT_TAGS, "a", "" },
		{ "/v2/a/tags/list/tags/list", WHAT_TAGS, "a/tags/list", "" },
		{ "/v2/a/b/manifests/latest", WHAT_MANIFEST, "a/b", "latest" },
		{ "/v2/a/manifests/b/manifests/x", WHAT_MANIFEST, "a/manifests/b", "x" },
		{ "/v2/a/blobs/sha256:00", WHAT_BLOB, "a", "sha256:00" },
		{ "/v2/a/manifests/b/blobs/sha256:00", WHAT_BLOB, "a/manifests/b", "sha256:00" },
		{ "/v2/a/blobs/uploads", WHAT_UPLOADS, "a", "" },
		{ "/v2/a/blobs/uploads/", WHAT_UPLOADS, "a", "" },
		{ "/v2/a/blobs/uploads/77", WHAT_UPLOAD, "a", "77" },
		{ "/v2/a/referrers/sha256:00", WHAT_REFERRERS, "a", "sha256:00" },
		{ "/v2/a", WHAT_NONE, "", "" },
		{ "/v2x/a/tags/list", WHAT_NONE, "", "" },
		{ "/", WHAT_NONE, "", "" },
		{ "*", WHAT_NONE, "", "" },
	};
	struct place p;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		place_parse(v[i].path, &p);
		if (p.what != v[i].what || !slice_is(p.name, v[i].name) ||
		    !slice_is(p.ref, v[i].ref))
			fail_msg("'%s': %d '%.*s' '%.*s'", v[i].path, p.what, (int)p.name.n,
				 p.name.p ? p.name.p : "", (int)p.ref.n, p.ref.p ? p.ref.p : "");
	}
}

static void ranges_are_cut_to_the_size_or_refused(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
		int result;
		uint64_t from, n;
	} v[] = {
		{ "bytes=0-9", 100, 1, 0, 10 },
		{ "bytes=90-", 100, 1, 90, 10 },
		{ "bytes=-5", 100, 1, 95, 5 },
		{ "bytes=-500", 100, 1, 0, 100 },
		{ "bytes=50-999", 100, 1, 50, 50 },
		{ "bytes=100-", 100, -1, 0, 0 },
		{ "bytes=-0", 100, -1, 0, 0 },
		{ "bytes=0-", 0, -1, 0, 0 },
		{ "bytes=9-0", 100, 0, 0, 0 },
		{ "bytes=0-1,4-5", 100, 0, 0, 0 },
		{ "bytes=", 100, 0, 0, 0 },
		{ "bytes=a-b", 100, 0, 0, 0 },
		{ "lines=0-1", 100, 0, 0, 0 },
		{ "bytes=99999999999999999999-", 100, 0, 0, 0 },
		{ "", 100, 0, 0, 0 },
		{ "bytes= 1 - 2 ", 100, 1, 1, 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct range r = { 0 };

		if (range_parse(slice_str(v[i].text), v[i].size, &r) != v[i].result ||
		    (v[i].result == 1 && (r.from != v[i].from || r.n != v[i].n)))
			fail_msg("'%s': %llu %llu", v[i].text, (unsigned long long)r.from,
				 (unsigned long long)r.n);
	}
}

static struct content_manifest manifest(const char *bytes)
{
	struct content_manifest m = { .media = "a/b", .bytes = slice_str(bytes) };

	image_digest_of(bytes, strlen(bytes), m.digest);
	return m;
}

static void the_cache_is_bounded_and_forgets_the_oldest(void **state)
{
	struct cache *c = cache_new(8000);
	struct content_manifest m = manifest("one");
	struct cached *held, *hit;
	char name[16];

	assert_null(cache_find(c, "r", "t"));
	held = cache_put(c, "r", "t", &m);
	hit = cache_find(c, "r", "t");
	assert_ptr_equal(hit, held);
	cached_unref(hit);
	assert_null(cache_find(c, "r", "u"));
	assert_null(cache_find(c, "rt", ""));
	for (int i = 0; i < 50; i++) {
		(void)snprintf(name, sizeof(name), "t%d", i);
		cached_unref(cache_put(c, "r", name, &m));
	}
	assert_null(cache_find(c, "r", "t"));
	hit = cache_find(c, "r", "t49");
	assert_true(slice_is(hit->bytes, "one"));
	assert_string_equal(hit->media, "a/b");
	cache_clear(c);
	assert_null(cache_find(c, "r", "t49"));
	assert_true(slice_is(hit->bytes, "one")); /* ours until we let go of it */
	cached_unref(hit);
	cached_unref(held);
	cache_free(c);
}

static void a_newer_manifest_takes_the_place_of_the_older(void **state)
{
	struct cache *c = cache_new(8000);
	struct content_manifest one = manifest("one"), two = manifest("two");
	struct cached *hit;

	cached_unref(cache_put(c, "r", "t", &one));
	cached_unref(cache_put(c, "r", "t", &two));
	hit = cache_find(c, "r", "t");
	assert_true(slice_is(hit->bytes, "two"));
	cached_unref(hit);
	cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_names_a_place_whatever_the_repository_is_called),
		cmocka_unit_test(ranges_are_cut_to_the_size_or_refused),
		cmocka_unit_test(the_cache_is_bounded_and_forgets_the_oldest),
		cmocka_unit_test(a_newer_manifest_takes_the_place_of_the_older),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
