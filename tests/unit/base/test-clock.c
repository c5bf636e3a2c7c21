/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

#define S(n) ((n)*NS_PER_SEC)

static void clocks_run_forward(void **state)
{
	int64_t a = clock_mono(), b = clock_mono();

	assert_true(a > 0 && b >= a);
	assert_true(clock_real() > S(1700000000));
}

static void text_is_as_go_prints_it(void **state)
{
	static const struct {
		int64_t ns;
		const char *nano, *full;
	} v[] = {
		{ 0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000000Z" },
		{ -1, "1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z" },
		{ S(1709164800), "2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000000Z" },
		{ S(951827696) + 120000000, "2000-02-29T12:34:56.12Z",
		  "2000-02-29T12:34:56.120000000Z" },
		{ S(4107542399), "2100-02-28T23:59:59Z", "2100-02-28T23:59:59.000000000Z" },
		{ S(4107542400), "2100-03-01T00:00:00Z", "2100-03-01T00:00:00.000000000Z" },
		{ INT64_MAX, "2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16.854775807Z" },
		{ INT64_MIN + 1, "1677-09-21T00:12:43.145224193Z",
		  "1677-09-21T00:12:43.145224193Z" },
		{ CLOCK_ZERO, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000000Z" },
	};
	char d[CLOCK_TEXT_MAX];
	struct err err;
	int64_t back;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		assert_string_equal(clock_rfc3339nano(d, v[i].ns), v[i].nano);
		assert_ok(clock_parse_rfc3339(slice_str(d), &back, &err));
		assert_true(back == v[i].ns);
		assert_string_equal(clock_rfc3339full(d, v[i].ns), v[i].full);
		assert_ok(clock_parse_rfc3339(slice_str(d), &back, &err));
		assert_true(back == v[i].ns);
	}
}

static void every_day_of_400_years_round_trips(void **state)
{
	char d[CLOCK_TEXT_MAX];
	int64_t back;

	for (int64_t day = -100000; day < 100000; day += 1) {
		clock_rfc3339nano(d, S(day * 86400));
		assert_int_equal(clock_parse_rfc3339(slice_str(d), &back, NULL), 0);
		assert_true(back == S(day * 86400));
	}
}

static void offsets_count_and_long_fractions_are_cut(void **state)
{
	struct err err;
	int64_t t;

	assert_ok(clock_parse_rfc3339(SLICE("1970-01-01T02:30:00+02:30"), &t, &err));
	assert_int_equal(t, 0);
	assert_ok(clock_parse_rfc3339(SLICE("1969-12-31T16:00:00.5-08:00"), &t, &err));
	assert_int_equal(t, 500000000);
	assert_ok(clock_parse_rfc3339(SLICE("1970-01-01T00:00:00.1234567899Z"), &t, &err));
	assert_int_equal(t, 123456789);
	assert_ok(clock_parse_rfc3339(SLICE("0001-01-01T00:00:00Z"), &t, &err));
	assert_true(t == CLOCK_ZERO);
}

static void broken_times_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"2026",
		"2026-01-01",
		"2026-01-01T00:00Z",
		"2026-01-01T00:00:00",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z",
		"2026-01-01T00:00:60Z",
		"2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00+24:00",
		"2026-01-01T00:00:00+0100",
		"2026-01-01 00:00:00Z",
		"2026-01-01T00:00:00Zx",
		"+026-01-01T00:00:00Z",
	};
	struct err err;
	int64_t t = 7;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(clock_parse_rfc3339(slice_str(bad[i]), &t, &err), ERR_INVALID,
			   "RFC 3339");
	assert_err(clock_parse_rfc3339(SLICE("9999-01-01T00:00:00Z"), &t, &err), ERR_INVALID,
		   "2262");
	assert_err(clock_parse_rfc3339(SLICE("1600-01-01T00:00:00Z"), &t, &err), ERR_INVALID,
		   "1678");
	assert_int_equal(t, 7);
}

static void durations_are_gos(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} v[] = {
		{ "0", 0 },
		{ "-0", 0 },
		{ "300ms", 300 * NS_PER_MS },
		{ "-1.5h", -S(5400) },
		{ "2h45m", S(9900) },
		{ "1h2m3.004005006s", S(3723) + 4005006 },
		{ ".5s", 500 * NS_PER_MS },
		{ "1.s", S(1) },
		{ "+5s", S(5) },
		{ "1us2ns", 1002 },
		{ "1\xc2\xb5s", 1000 },
		{ "1\xce\xbcs", 1000 },
		{ "0.3333333333333333333h", 1199999999999 },
		{ "9223372036854775807ns", INT64_MAX },
		{ "-9223372036854775808ns", INT64_MIN },
	};
	static const char *const bad[] = { "",	 "-",	"+",   "1",    "s",	".s", "1.2.3s",
					   "1d", "1 s", "1s ", "--1s", "1s-1s", "1S" };
	struct err err;
	int64_t d;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		assert_ok(clock_parse_duration(slice_str(v[i].text), &d, &err));
		if (d != v[i].ns)
			fail_msg("%s gave %lld", v[i].text, (long long)d);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(clock_parse_duration(slice_str(bad[i]), &d, &err), ERR_INVALID,
			   "duration");
	assert_err(clock_parse_duration(SLICE("9223372036854775808ns"), &d, &err), ERR_INVALID,
		   "292");
	assert_err(clock_parse_duration(SLICE("99999999999999999999h"), &d, &err), ERR_INVALID,
		   "duration");
	assert_err(clock_parse_duration(SLICE("9999999999h"), &d, &err), ERR_INVALID, "duration");
}

static void since_takes_stamps_dates_and_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} v[] = {
		{ "1700000000", S(1700000000) },
		{ "1700000000.5", S(1700000000) + 500 * NS_PER_MS },
		{ "-1", -S(1) },
		{ "1970-01-02", S(86400 - 3600) }, /* no zone: local, here UTC+1 */
		{ "1970-01-01T01", 0 },
		{ "1970-01-01T01:00", 0 },
		{ "1970-01-01T01:00:00.25", 250 * NS_PER_MS },
		{ "1970-01-02Z", S(86400) },
		{ "1970-01-01T01:00:00+01:00", 0 },
		{ "10m", S(1000 - 600) },
		{ "1h30m", S(1000 - 5400) },
	};
	static const char *const bad[] = { "",	    "yesterday",   "1970-13-01",    "1970-01-01T",
					   "1.2.3", "1700000000.", "99999999999999" };
	struct err err;
	int64_t t;

	setenv("TZ", "XYZ-1", 1);
	tzset();
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		assert_ok(clock_parse_when(slice_str(v[i].text), S(1000), &t, &err));
		if (t != v[i].ns)
			fail_msg("%s gave %lld", v[i].text, (long long)t);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(clock_parse_when(slice_str(bad[i]), 0, &t, &err), ERR_INVALID,
			   "duration");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_run_forward),
		cmocka_unit_test(text_is_as_go_prints_it),
		cmocka_unit_test(every_day_of_400_years_round_trips),
		cmocka_unit_test(offsets_count_and_long_fractions_are_cut),
		cmocka_unit_test(broken_times_are_refused),
		cmocka_unit_test(durations_are_gos),
		cmocka_unit_test(since_takes_stamps_dates_and_durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
