/* SPDX-License-Identifier: Apache-2.0 */
/* What a lazy server is told, as bytes. */
#include "fixture.h"

#include "image/lazy.h"

static const struct image_limits limits = { .layer_max = 5, .ratio_free = 6, .ratio_max = 7 };

static struct lazy_conf early(void)
{
	static const char *const mirrors[] = { "https://mirror" };
	struct lazy_conf c = { .host = "host",
			       .repo = "repo",
			       .digest =
				       "sha256:"
				       "0123456789012345678901234567890123456789012345678901234567"
				       "890123",
			       .base = true,
			       .wait_s = 9,
			       .auth = { .username = "me", .password = "secret" },
			       .remotes = { .mirrors = mirrors, .nmirrors = 1 } };

	lazy_conf_early(&c, 4, &limits);
	return c;
}

static void it_is_read_as_it_was_written(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 20);
	const struct lazy_conf c = early();
	struct lazy_conf got;
	struct err err = ERR_INIT;
	struct buf b;

	assert_int_equal(lazy_conf_write(&c, &b, &err), 0);
	assert_int_equal(lazy_conf_read(a, buf_slice(&b), &got, &err), 0);
	assert_string_equal(got.digest, c.digest);
	assert_string_equal(got.auth.password, "secret");
	assert_string_equal(got.remotes.mirrors[0], "https://mirror");
	assert_true(got.base && got.early);
	assert_int_equal(got.size, 4);
	assert_int_equal(got.plain_max, 5);
	assert_int_equal(got.ratio_free, 6);
	assert_int_equal(got.ratio_max, 7);
	for (size_t n = 0; n < b.n; n++) {
		int r = lazy_conf_read(a, slice_of(b.p, n), &got, &err);

		/* Without its last fields it is one of an earlier version. */
		assert_int_equal(r, n == b.n - 32 ? 0 : -ERR_INVALID);
		assert_true(r < 0 || !got.early);
	}
	buf_fini(&b);
}

static void limits_of_nothing_are_refused(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1 << 20);
	struct lazy_conf c = early(), got;
	struct err err = ERR_INIT;
	struct buf b;

	c.ratio_max = 0;
	assert_int_equal(lazy_conf_write(&c, &b, &err), 0);
	assert_int_equal(lazy_conf_read(a, buf_slice(&b), &got, &err), -ERR_INVALID);
	assert_err(&err, ERR_INVALID, "its configuration is broken");
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_read_as_it_was_written),
		cmocka_unit_test(limits_of_nothing_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
