/* SPDX-License-Identifier: Apache-2.0 */
/* Back-off, budgets, Retry-After and the circuit, with a clock and a seed of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/retry.h"

static void delays_grow_to_their_limit_within_the_jitter(void **state)
{
	struct retry_policy p = { .attempts_max = 12, .first = 100, .max = 1000 };
	struct backoff b;
	int64_t want = 100, d;

	(void)state;
	backoff_init(&b, &p, 7);
	for (int i = 0; i < 11; i++) {
		d = backoff_next(&b);
		assert_in_range(d, want * 80 / 100, want * 120 / 100);
		want = want * 2 > 1000 ? 1000 : want * 2;
	}
	assert_int_equal(backoff_next(&b), -1);
	backoff_reset(&b);
	assert_in_range(backoff_next(&b), 80, 120);
}

static void a_seed_gives_the_same_delays_and_others_differ(void **state)
{
	struct backoff a, b, c;
	bool differ = false;

	(void)state;
	backoff_init(&a, &(struct retry_policy){ .attempts_max = 20 }, 1);
	backoff_init(&b, &(struct retry_policy){ .attempts_max = 20 }, 1);
	backoff_init(&c, &(struct retry_policy){ .attempts_max = 20 }, 2);
	for (int i = 0; i < 19; i++) {
		int64_t d = backoff_next(&a);

		assert_int_equal(d, backoff_next(&b));
		differ |= d != backoff_next(&c);
	}
	assert_true(differ);
}

static void full_jitter_and_huge_delays_stay_in_range(void **state)
{
	struct retry_policy p = { .attempts_max = 100,
				  .first = INT64_MAX / 2,
				  .max = INT64_MAX / 2,
				  .factor_pct = 100000,
				  .jitter_pct = 100 };
	struct backoff b;

	(void)state;
	backoff_init(&b, &p, 3);
	for (int i = 0; i < 99; i++)
		assert_true(backoff_next(&b) >= 0);
	backoff_init(&b, &(struct retry_policy){ .attempts_max = 1 }, 3);
	assert_int_equal(backoff_next(&b), -1);
	backoff_init(&b, NULL, 0);
	assert_true(backoff_next(&b) > 0 && backoff_next(&b) > 0);
	assert_int_equal(backoff_next(&b), -1);
}

static void a_budget_is_a_part_of_the_requests(void **state)
{
	struct retry_budget b;
	unsigned taken = 0;

	(void)state;
	retry_budget_init(&b, 20, 5);
	while (retry_budget_take(&b))
		taken++;
	assert_int_equal(taken, 5);
	for (int i = 0; i < 1000; i++) {
		retry_budget_request(&b);
		taken += retry_budget_take(&b);
	}
	assert_int_equal(taken, 205);
	for (int i = 0; i < 1000; i++)
		retry_budget_request(&b);
	taken = 0;
	while (retry_budget_take(&b))
		taken++;
	assert_int_equal(taken, 5);
}

static void retry_after_reads_seconds_and_dates(void **state)
{
	const int64_t now = 784111777 * NS_PER_SEC; /* Sun, 06 Nov 1994 08:49:37 GMT */
	static const char *const dates[] = { "Sun, 06 Nov 1994 08:50:37 GMT",
					     "Sunday, 06-Nov-94 08:50:37 GMT",
					     "Sun Nov  6 08:50:37 1994" };
	static const char *const bad[] = { "",
					   "-1",
					   "1.5",
					   "soon",
					   "Sun, 06 Nov 1994 08:50:37",
					   "Sun, 32 Nov 1994 08:50:37 GMT",
					   "Sun, 06 Nox 1994 08:50:37 GMT",
					   "Sun, 06 Nov 1994 8:50:37 GMT",
					   "Sun, 06 Nov 1994 08:50:37 GMT x" };

	(void)state;
	assert_int_equal(retry_after(SLICE("0"), now), 0);
	assert_int_equal(retry_after(SLICE(" 120 "), now), 120 * NS_PER_SEC);
	assert_int_equal(retry_after(SLICE("99999999"), now), 86400 * NS_PER_SEC);
	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		assert_int_equal(retry_after(slice_str(dates[i]), now), 60 * NS_PER_SEC);
		assert_int_equal(retry_after(slice_str(dates[i]), now + 61 * NS_PER_SEC), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(retry_after(slice_str(bad[i]), now), -1);
}

static void a_circuit_opens_probes_and_closes(void **state)
{
	struct circuit c;
	int64_t now = 1000;

	(void)state;
	circuit_init(&c, 3, 100);
	for (int i = 0; i < 2; i++) {
		assert_true(circuit_allow(&c, now));
		circuit_done(&c, false, now);
	}
	circuit_done(&c, true, now); /* a success starts the count again */
	for (int i = 0; i < 3; i++) {
		assert_true(circuit_allow(&c, now));
		circuit_done(&c, false, now);
	}
	assert_true(circuit_is_open(&c));
	assert_false(circuit_allow(&c, now + 99));
	assert_true(circuit_allow(&c, now + 100));
	assert_false(circuit_allow(&c, now + 100)); /* one probe */
	circuit_done(&c, false, now + 100);
	assert_false(circuit_allow(&c, now + 299)); /* twice as long */
	assert_true(circuit_allow(&c, now + 300));
	circuit_cancel(&c);
	assert_true(circuit_allow(&c, now + 300));
	circuit_done(&c, true, now + 300);
	assert_false(circuit_is_open(&c));
	assert_true(circuit_allow(&c, now + 300) && circuit_allow(&c, now + 300));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays_grow_to_their_limit_within_the_jitter),
		cmocka_unit_test(a_seed_gives_the_same_delays_and_others_differ),
		cmocka_unit_test(full_jitter_and_huge_delays_stay_in_range),
		cmocka_unit_test(a_budget_is_a_part_of_the_requests),
		cmocka_unit_test(retry_after_reads_seconds_and_dates),
		cmocka_unit_test(a_circuit_opens_probes_and_closes),
	};

	return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
