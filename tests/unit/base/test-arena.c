/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "base/arena.h"

#include <stdio.h>

static bool all_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static void memory_is_aligned_and_zeroed(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("t", 1 << 20);

	for (size_t n = 0; n < 300; n++) {
		char *p = arena_alloc(a, n);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		assert_true(all_zero(p, n));
		memset(p, 0xaa, n);
	}
}

static void empty_allocations_are_distinct(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("t", 1024);
	void *p = arena_alloc(a, 0), *q = arena_alloc(a, 0);

	assert_non_null(p);
	assert_ptr_not_equal(p, q);
}

static void memory_after_reset_and_reuse_is_zeroed_again(void **state)
{
	for (int round = 0; round < 4; round++) {
		CLEANUP(arena_free) struct arena *a = arena_new("t", 1 << 20);

		for (int i = 0; i < 3; i++) {
			char *p = arena_alloc(a, 3000);

			assert_true(all_zero(p, 3000));
			memset(p, 0x55, 3000);
			p = arena_alloc(a, 100000);
			assert_true(all_zero(p, 100000));
			memset(p, 0x55, 100000);
			arena_reset(a);
			assert_int_equal(arena_used(a), 0);
		}
	}
	arena_trim();
}

static void maximum_is_exact_and_latches(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("request", 100);
	struct err err = ERR_INIT;

	assert_non_null(arena_alloc_raw(a, 60, 1));
	assert_false(arena_exceeded(a));
	assert_null(arena_alloc_raw(a, 41, 1));
	assert_true(arena_exceeded(a));
	assert_non_null(arena_alloc_raw(a, 40, 1));
	assert_null(arena_alloc_raw(a, 1, 1));
	assert_int_equal(arena_used(a), 100);
	assert_err(arena_quota(a, &err), ERR_QUOTA, "request: more than 100 bytes needed");
	arena_reset(a);
	assert_false(arena_exceeded(a));
	assert_non_null(arena_alloc_raw(a, 100, 1));
}

static void maximum_holds_across_chunks(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("t", 300000);
	size_t n = 0;

	while (arena_alloc_raw(a, 1000, 1))
		n++;
	assert_int_equal(n, 300);
	assert_null(arena_alloc(a, SIZE_MAX));
	assert_null(arena_alloc(a, SIZE_MAX - 64));
}

static void overflowing_arrays_fail_as_past_the_maximum(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("t", 1000);

	assert_null(arena_alloc_array(a, SIZE_MAX / 2, 3));
	assert_true(arena_exceeded(a));
	assert_non_null(ARENA_ARRAY(a, int, 10));
}

static void last_allocation_grows_in_place(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("t", 1 << 20);
	char *p = arena_alloc(a, 100), *q;

	memset(p, 1, 100);
	q = arena_grow(a, p, 100, 5000);
	assert_true(all_zero(q + 100, 4900));
	assert_int_equal(q[99], 1);
#ifndef ARENA_ASAN
	assert_ptr_equal(p, q);
#endif
	memset(q, 2, 5000);
	q = arena_grow(a, q, 5000, 50);
	p = arena_alloc(a, 4000);
	assert_true(all_zero(p, 4000));
	assert_int_equal(q[49], 2);
	/* q is not the last any more: a copy. */
	p = arena_grow(a, q, 50, 200);
	assert_ptr_not_equal(p, q);
	assert_int_equal(p[49], 2);
	assert_true(all_zero(p + 50, 150));
	assert_null(arena_grow(a, p, 200, 2 << 20));
}

static void strings_are_copied(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("t", 100000);
	char big[1000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_string_equal(arena_strdup(a, "abc"), "abc");
	assert_string_equal(arena_strndup(a, "abcdef", 2), "ab");
	assert_string_equal(arena_strndup(a, NULL, 0), "");
	assert_string_equal(arena_printf(a, "%d-%s", 7, "x"), "7-x");
	assert_int_equal(strlen(arena_printf(a, "<%s>", big)), 1001);
	arena_fail_at(a, 1);
	assert_null(arena_printf(a, "<%s>", big));
}

static int order[4], calls;
static void note(void *arg)
{
	order[calls++] = (int)(intptr_t)arg;
}

static void deferred_calls_run_in_reverse_on_reset_and_free(void **state)
{
	struct arena *a = arena_new("t", 1000);

	calls = 0;
	assert_int_equal(arena_defer(a, note, (void *)1), 0);
	assert_int_equal(arena_defer(a, note, (void *)2), 0);
	arena_reset(a);
	assert_int_equal(calls, 2);
	assert_int_equal(order[0], 2);
	assert_int_equal(order[1], 1);
	assert_int_equal(arena_defer(a, note, (void *)3), 0);
	arena_fail_at(a, 1);
	assert_int_equal(arena_defer(a, note, (void *)4), -ERR_QUOTA);
	arena_free(a);
	assert_int_equal(calls, 3);
	assert_int_equal(order[2], 3);
	arena_free(NULL);
}

static void an_armed_fault_fails_the_nth_allocation_only(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("t", 10000);

	arena_fail_at(a, 3);
	assert_non_null(arena_alloc(a, 8));
	assert_non_null(arena_strdup(a, "x"));
	assert_null(arena_alloc(a, 8));
	assert_true(arena_exceeded(a));
	assert_non_null(arena_alloc(a, 8));
	arena_fail_at(a, 2);
	arena_fail_at(a, 0);
	assert_non_null(arena_alloc(a, 8));
	assert_non_null(arena_alloc(a, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_aligned_and_zeroed),
		cmocka_unit_test(empty_allocations_are_distinct),
		cmocka_unit_test(memory_after_reset_and_reuse_is_zeroed_again),
		cmocka_unit_test(maximum_is_exact_and_latches),
		cmocka_unit_test(maximum_holds_across_chunks),
		cmocka_unit_test(overflowing_arrays_fail_as_past_the_maximum),
		cmocka_unit_test(last_allocation_grows_in_place),
		cmocka_unit_test(strings_are_copied),
		cmocka_unit_test(deferred_calls_run_in_reverse_on_reset_and_free),
		cmocka_unit_test(an_armed_fault_fails_the_nth_allocation_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
