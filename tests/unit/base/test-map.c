/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "base/map.h"

#include <stdio.h>

#define N 5000

static char keys[N][12];

static void fill(struct map *m)
{
	for (int i = 0; i < N; i++) {
		snprintf(keys[i], sizeof(keys[i]), "key-%d", i);
		assert_null(map_put(m, slice_str(keys[i]), keys[i]));
	}
}

static void what_was_put_is_found(void **state)
{
	CLEANUP(map_fini) struct map m = { 0 };

	assert_null(map_get(&m, SLICE("x")));
	assert_null(map_del(&m, SLICE("x")));
	fill(&m);
	assert_int_equal(map_count(&m), N);
	for (int i = 0; i < N; i++)
		assert_ptr_equal(map_get(&m, slice_str(keys[i])), keys[i]);
	assert_null(map_get(&m, SLICE("key-5000")));
}

static void put_replaces_and_returns_the_old(void **state)
{
	CLEANUP(map_fini) struct map m = { 0 };
	int a, b;

	assert_null(map_put(&m, SLICE("k"), &a));
	assert_ptr_equal(map_put(&m, SLICE("k"), &b), &a);
	assert_ptr_equal(map_get(&m, SLICE("k")), &b);
	assert_int_equal(map_count(&m), 1);
}

static void the_empty_key_is_a_key(void **state)
{
	CLEANUP(map_fini) struct map m = { 0 };
	int a;

	assert_null(map_put(&m, (struct slice){ 0 }, &a));
	assert_ptr_equal(map_get(&m, SLICE("")), &a);
	assert_ptr_equal(map_del(&m, (struct slice){ 0 }), &a);
	assert_null(map_get(&m, SLICE("")));
}

static void a_pair_is_the_key_of_both(void **state)
{
	CLEANUP(map_fini) struct map m = { 0 };
	static char longest[511 + 1], longer[512 + 1];
	int a, b;

	memset(longest, 'x', 511);
	longest[3] = '/';
	memset(longer, 'x', 512);
	longer[3] = '/';
	assert_null(map_put(&m, SLICE("a/b"), &a));
	assert_null(map_put(&m, slice_str(longest), &b));
	assert_null(map_put(&m, slice_str(longer), &b));
	assert_ptr_equal(map_get_pair(&m, "a", '/', "b"), &a);
	assert_null(map_get_pair(&m, "a", ' ', "b"));
	assert_null(map_get_pair(&m, "a/", '/', "b"));
	assert_ptr_equal(map_get_pair(&m, "xxx", '/', longest + 4), &b);
	assert_null(map_get_pair(&m, "xxx", '/', longer + 4));
	assert_null(map_get_pair(&m, "", '/', ""));
}

static void deletion_during_iteration_misses_nothing(void **state)
{
	CLEANUP(map_fini) struct map m = { 0 };
	struct slice key;
	size_t seen = 0;
	void *v;

	fill(&m);
	for (size_t i = 0; (v = map_next(&m, &i, &key)); seen++) {
		assert_ptr_equal(v, key.p);
		if (seen % 2)
			assert_ptr_equal(map_del(&m, key), v);
	}
	assert_int_equal(seen, N);
	assert_int_equal(map_count(&m), N / 2);
	seen = 0;
	for (size_t i = 0; (v = map_next(&m, &i, NULL)); seen++)
		assert_ptr_equal(map_get(&m, slice_str(v)), v);
	assert_int_equal(seen, N / 2);
}

static void churn_does_not_grow_the_table(void **state)
{
	CLEANUP(map_fini) struct map m = { 0 };

	fill(&m);
	for (int i = 0; i < N; i++)
		map_del(&m, slice_str(keys[i]));
	assert_int_equal(map_count(&m), 0);
	for (int i = 0; i < 20 * N; i++) {
		const char *k = keys[i % N];

		map_put(&m, slice_str(k), keys[i % N]);
		assert_ptr_equal(map_del(&m, slice_str(k)), keys[i % N]);
	}
	assert_true(m.cap <= 16384);
	assert_int_equal(map_count(&m), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_is_found),
		cmocka_unit_test(put_replaces_and_returns_the_old),
		cmocka_unit_test(the_empty_key_is_a_key),
		cmocka_unit_test(a_pair_is_the_key_of_both),
		cmocka_unit_test(deletion_during_iteration_misses_nothing),
		cmocka_unit_test(churn_does_not_grow_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
