/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "base/str.h"

static void slices_compare_and_trim(void **state)
{
	assert_true(slice_eq(SLICE("ab"), slice_str("ab")));
	assert_true(slice_eq((struct slice){ 0 }, SLICE("")));
	assert_false(slice_eq(SLICE("ab"), SLICE("abc")));
	assert_true(slice_ieq(SLICE("AbZ"), SLICE("aBz")));
	assert_false(slice_ieq(SLICE("a["), SLICE("a{")));
	assert_true(slice_is(slice_trim(SLICE(" \t x y \t")), "x y"));
	assert_int_equal(slice_trim(SLICE("  ")).n, 0);
	assert_true(slice_starts(SLICE("abc"), SLICE("ab")));
	assert_false(slice_starts(SLICE("a"), SLICE("ab")));
	assert_true(slice_ends(SLICE("abc"), SLICE("bc")));
	assert_false(slice_ends(SLICE("c"), SLICE("bc")));
}

static void split_gives_every_part_and_then_nothing(void **state)
{
	struct slice rest = SLICE("a,,b,");

	assert_true(slice_is(slice_split(&rest, ','), "a"));
	assert_true(slice_is(slice_split(&rest, ','), ""));
	assert_true(slice_is(slice_split(&rest, ','), "b"));
	assert_non_null(rest.p);
	assert_true(slice_is(slice_split(&rest, ','), ""));
	assert_null(rest.p);
	assert_null(slice_split(&rest, ',').p);
}

static void numbers_read_whole_or_not_at_all(void **state)
{
	static const char *const bad[] = { "",
					   "-",
					   "+1",
					   " 1",
					   "1 ",
					   "1x",
					   "0x1",
					   "--1",
					   "9223372036854775808",
					   "-9223372036854775809",
					   "1e3" };
	struct err err = ERR_INIT;
	int64_t i;
	uint64_t u;
	uint32_t o;

	assert_ok(str_int64(SLICE("-9223372036854775808"), &i, &err));
	assert_true(i == INT64_MIN);
	assert_ok(str_int64(SLICE("9223372036854775807"), &i, &err));
	assert_true(i == INT64_MAX);
	assert_ok(str_uint64(SLICE("18446744073709551615"), &u, &err));
	assert_true(u == UINT64_MAX);
	assert_ok(str_octal(SLICE("0755"), &o, &err));
	assert_int_equal(o, 0755);
	for (size_t n = 0; n < ARRAY_LEN(bad); n++) {
		i = 42;
		assert_err(str_int64(slice_str(bad[n]), &i, &err), ERR_INVALID, bad[n]);
		assert_int_equal(i, 42);
	}
	assert_err(str_uint64(SLICE("18446744073709551616"), &u, &err), ERR_INVALID, "whole");
	assert_err(str_uint64(SLICE("-1"), &u, &err), ERR_INVALID, "'-1'");
	assert_err(str_octal(SLICE("8"), &o, &err), ERR_INVALID, "octal");
	assert_err(str_octal(SLICE("40000000000"), &o, &err), ERR_INVALID, "octal");
	assert_err(str_int64((struct slice){ 0 }, &i, &err), ERR_INVALID, "''");
}

static void copies_always_terminate(void **state)
{
	char d[4];

	assert_true(str_copy(d, sizeof(d), "abc"));
	assert_string_equal(d, "abc");
	assert_false(str_copy(d, sizeof(d), "abcd"));
	assert_string_equal(d, "abc");
	assert_false(str_copy(d, 1, "x"));
	assert_string_equal(d, "");
}

static void list_membership(void **state)
{
	static const char *const list[] = { "a", "b", NULL };

	assert_true(str_is_one_of("b", list));
	assert_false(str_is_one_of("c", list));
}

static void buffers_grow_and_stay_terminated(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(100000);

	assert_string_equal(buf_str(&b), "");
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_addf(&b, "%d,", i), 0);
	assert_int_equal(strlen(buf_str(&b)), b.n);
	assert_int_equal(b.n, 3890);
	buf_consume(&b, 4);
	assert_int_equal(strncmp(buf_str(&b), "2,3,", 4), 0);
	buf_consume(&b, b.n);
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_adds(&b, "x"), 0);
	assert_int_equal(buf_addc(&b, 'y'), 0);
	assert_true(slice_is(buf_slice(&b), "xy"));
}

static void a_full_buffer_latches(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(5);

	assert_int_equal(buf_adds(&b, "abc"), 0);
	assert_int_equal(buf_adds(&b, "def"), -ERR_QUOTA);
	assert_true(b.full);
	assert_string_equal(buf_str(&b), "abc");
	assert_int_equal(buf_addc(&b, 'd'), -ERR_QUOTA);
	assert_int_equal(buf_addf(&b, "%s", "d"), -ERR_QUOTA);
	assert_string_equal(buf_str(&b), "abc");
	assert_null(buf_room(&b, 1));
	buf_clear(&b);
	assert_int_equal(buf_addf(&b, "%s", "vwxyz"), 0);
	assert_string_equal(buf_str(&b), "vwxyz");
	assert_int_equal(buf_addf(&b, "%s", "!"), -ERR_QUOTA);
}

static void room_then_direct_write(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(SIZE_MAX);

	assert_non_null(buf_room(&b, 300));
	memset(b.p + b.n, 'z', 300);
	b.n += 300;
	assert_int_equal(buf_addc(&b, '!'), 0);
	assert_int_equal(b.p[300], '!');
	assert_null(buf_room(&b, SIZE_MAX - 10));
}

static void a_stolen_string_is_never_null(void **state)
{
	struct buf b = BUF_INIT(10);
	CLEANUP_FREE char *p = buf_steal(&b);
	char *q;

	assert_string_equal(p, "");
	buf_adds(&b, "abc");
	q = buf_steal(&b);
	assert_string_equal(q, "abc");
	assert_int_equal(b.n, 0);
	free(q);
}

static void sizes_for_people(void **state)
{
	char d[32];

	assert_string_equal(str_human_size(d, sizeof(d), 0), "0B");
	assert_string_equal(str_human_size(d, sizeof(d), 1023), "1023B");
	assert_string_equal(str_human_size(d, sizeof(d), 1536), "1.5KiB");
	assert_string_equal(str_human_size(d, sizeof(d), 3ull << 30), "3GiB");
	assert_string_equal(str_human_size(d, sizeof(d), UINT64_MAX), "16EiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_compare_and_trim),
		cmocka_unit_test(split_gives_every_part_and_then_nothing),
		cmocka_unit_test(numbers_read_whole_or_not_at_all),
		cmocka_unit_test(copies_always_terminate),
		cmocka_unit_test(list_membership),
		cmocka_unit_test(buffers_grow_and_stay_terminated),
		cmocka_unit_test(a_full_buffer_latches),
		cmocka_unit_test(room_then_direct_write),
		cmocka_unit_test(a_stolen_string_is_never_null),
		cmocka_unit_test(sizes_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
