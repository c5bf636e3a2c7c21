/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes and times for people. The steps between the words are docker's, since scripts read them. */
#include "cli/human.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static const char *scaled(char dst[HUMAN_MAX], uint64_t bytes, double base, int digits,
			  const char *const *units, size_t n)
{
	double v = (double)bytes;
	size_t i = 0;

	while (v >= base && i + 1 < n) {
		v /= base;
		i++;
	}
	(void)snprintf(dst, HUMAN_MAX, "%.*g%s", digits, v, units[i]);
	return dst;
}

const char *human_size(char dst[HUMAN_MAX], uint64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };

	return scaled(dst, bytes, 1000, 3, units, ARRAY_LEN(units));
}

const char *human_memory(char dst[HUMAN_MAX], uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

	return scaled(dst, bytes, 1024, 4, units, ARRAY_LEN(units));
}

const char *human_duration(char dst[HUMAN_MAX], int64_t ns)
{
	int64_t s = ns / NS_PER_SEC, m = s / 60, h = (m + 30) / 60;
	/* From `limit` on, the unit is `hours` long. */
	static const struct {
		int64_t limit, hours;
		const char *name;
	} units[] = {
		{ 48, 1, "hours" },
		{ 24 * 7 * 2, 24, "days" },
		{ 24 * 30 * 2, 24 * 7, "weeks" },
		{ 24 * 365 * 2, 24 * 30, "months" },
		{ INT64_MAX, 24 * 365, "years" },
	};

	if (s < 1)
		(void)snprintf(dst, HUMAN_MAX, "Less than a second");
	else if (s < 60)
		(void)snprintf(dst, HUMAN_MAX, "%lld second%s", (long long)s, s == 1 ? "" : "s");
	else if (m < 60)
		m == 1 ? snprintf(dst, HUMAN_MAX, "About a minute")
		       : snprintf(dst, HUMAN_MAX, "%lld minutes", (long long)m);
	else if (h == 1)
		(void)snprintf(dst, HUMAN_MAX, "About an hour");
	else
		for (size_t i = 0; i < ARRAY_LEN(units); i++) {
			if (h >= units[i].limit)
				continue;
			(void)snprintf(dst, HUMAN_MAX, "%lld %s", (long long)(h / units[i].hours),
				       units[i].name);
			break;
		}
	return dst;
}

const char *human_stamp(char dst[HUMAN_MAX], int64_t real_ns)
{
	time_t t = (time_t)(real_ns / NS_PER_SEC);
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(dst, HUMAN_MAX, "%Y-%m-%d %H:%M:%S %z %Z", &tm))
		(void)snprintf(dst, HUMAN_MAX, "-");
	return dst;
}
