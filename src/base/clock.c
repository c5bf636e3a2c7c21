/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks and their text forms. The calendar is computed here (proleptic Gregorian, days since
 * 1970), because libc's goes through time zones and locks; only docker's zone-less `--since` needs
 * the local zone.
 */
#include "base/clock.h"

#include "base/err.h"

#include <stdio.h>
#include <time.h>

#define SECS_PER_DAY 86400LL
#define GO_YEAR_1 (-62135596800LL) /* 0001-01-01T00:00:00Z as unix seconds */

static int64_t clock_get(clockid_t id)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(id, &ts); /* cannot fail for these two clocks */
	return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

int64_t clock_mono(void)
{
	return clock_get(CLOCK_MONOTONIC);
}

int64_t clock_real(void)
{
	return clock_get(CLOCK_REALTIME);
}

struct date {
	int64_t year;
	unsigned month, day; /* from 1 */
};

/* Years start in March here, so that the leap day is the last of its year and months follow one
 * formula. */
static int64_t days_from_date(struct date d)
{
	int64_t y = d.year - (d.month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t in_era = y - era * 400;
	int64_t in_year = (153 * (int64_t)(d.month + (d.month > 2 ? -3u : 9u)) + 2) / 5 + d.day - 1;

	return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static struct date date_from_days(int64_t days)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t in_era = z - era * 146097;
	int64_t y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int64_t in_year = in_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * in_year + 2) / 153;
	struct date d;

	d.day = (unsigned)(in_year - (153 * m + 2) / 5 + 1);
	d.month = (unsigned)(m < 10 ? m + 3 : m - 9);
	d.year = y + era * 400 + (d.month <= 2);
	return d;
}

static char *put_digits(char *p, unsigned v, int n)
{
	for (int i = n - 1; i >= 0; i--, v /= 10)
		p[i] = (char)('0' + v % 10);
	return p + n;
}

static const char *format(char *dst, int64_t real_ns, bool all_digits)
{
	int64_t secs, days;
	unsigned ns, sod;
	struct date d;
	char *p = dst;

	if (real_ns == CLOCK_ZERO) {
		str_copy(dst, CLOCK_TEXT_MAX,
			 all_digits ? "0001-01-01T00:00:00.000000000Z" : "0001-01-01T00:00:00Z");
		return dst;
	}
	secs = real_ns / NS_PER_SEC - (real_ns % NS_PER_SEC < 0);
	ns = (unsigned)(real_ns % NS_PER_SEC + (real_ns % NS_PER_SEC < 0 ? NS_PER_SEC : 0));
	days = secs / SECS_PER_DAY - (secs % SECS_PER_DAY < 0);
	sod = (unsigned)(secs - days * SECS_PER_DAY);
	d = date_from_days(days);
	p = put_digits(p, (unsigned)d.year, 4);
	*p++ = '-';
	p = put_digits(p, d.month, 2);
	*p++ = '-';
	p = put_digits(p, d.day, 2);
	*p++ = 'T';
	p = put_digits(p, sod / 3600, 2);
	*p++ = ':';
	p = put_digits(p, sod / 60 % 60, 2);
	*p++ = ':';
	p = put_digits(p, sod % 60, 2);
	if (ns || all_digits) {
		*p++ = '.';
		p = put_digits(p, ns, 9);
		while (!all_digits && p[-1] == '0')
			p--;
	}
	*p++ = 'Z';
	*p = '\0';
	return dst;
}

const char *clock_rfc3339nano(char dst[CLOCK_TEXT_MAX], int64_t real_ns)
{
	return format(dst, real_ns, false);
}

const char *clock_rfc3339full(char dst[CLOCK_TEXT_MAX], int64_t real_ns)
{
	return format(dst, real_ns, true);
}

/* ---- reading ---- */

struct when {
	struct date date;
	unsigned hour, min, sec, ns;
	int64_t offset; /* seconds east of UTC */
	bool zone;	/* the text said which */
};

/* Takes exactly n digits off *s. */
static bool take_digits(struct slice *s, unsigned n, unsigned *ret)
{
	unsigned v = 0;

	if (s->n < n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s->p[i] - '0');
	}
	*s = slice_of(s->p + n, s->n - n);
	*ret = v;
	return true;
}

static bool take_char(struct slice *s, char c)
{
	if (!s->n || s->p[0] != c)
		return false;
	*s = slice_of(s->p + 1, s->n - 1);
	return true;
}

/* Digits after the dot as nanoseconds; more than nine are read and dropped, as Go does. */
static bool take_fraction(struct slice *s, unsigned *ret_ns)
{
	unsigned n = 0, v = 0, d;

	for (; take_digits(s, 1, &d); n++)
		if (n < 9)
			v = v * 10 + d;
	for (unsigned i = n; i < 9; i++)
		v *= 10;
	*ret_ns = v;
	return n > 0;
}

static unsigned month_days(struct date d)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = d.year % 4 == 0 && (d.year % 100 != 0 || d.year % 400 == 0);

	return days[d.month - 1] + (d.month == 2 && leap);
}

static bool take_date(struct slice *s, struct date *ret)
{
	unsigned y;

	if (!take_digits(s, 4, &y) || !take_char(s, '-') || !take_digits(s, 2, &ret->month) ||
	    !take_char(s, '-') || !take_digits(s, 2, &ret->day))
		return false;
	ret->year = y;
	return ret->month >= 1 && ret->month <= 12 && ret->day >= 1 && ret->day <= month_days(*ret);
}

static bool take_zone(struct slice *s, struct when *w)
{
	unsigned h, m;
	bool east;

	w->zone = true;
	if (take_char(s, 'Z') || take_char(s, 'z'))
		return true;
	east = s->n && s->p[0] == '+';
	if (!(take_char(s, '+') || take_char(s, '-')) || !take_digits(s, 2, &h) ||
	    !take_char(s, ':') || !take_digits(s, 2, &m) || h > 23 || m > 59)
		return false;
	w->offset = (int64_t)(h * 3600 + m * 60) * (east ? 1 : -1);
	return true;
}

/* `loose` allows what docker's --since does: the time cut after day, hour or minute, and no zone.
 */
static bool parse_date_time(struct slice s, bool loose, struct when *w)
{
	*w = (struct when){ 0 };
	if (!take_date(&s, &w->date))
		return false;
	if (take_char(&s, 'T') || take_char(&s, 't')) {
		if (!take_digits(&s, 2, &w->hour))
			return false;
		if (take_char(&s, ':')) {
			if (!take_digits(&s, 2, &w->min))
				return false;
			if (take_char(&s, ':')) {
				if (!take_digits(&s, 2, &w->sec))
					return false;
				if (take_char(&s, '.') && !take_fraction(&s, &w->ns))
					return false;
			} else if (!loose) {
				return false;
			}
		} else if (!loose) {
			return false;
		}
	} else if (!loose) {
		return false;
	}
	/* Second 60 is refused as Go does: unix time has no room for it. */
	if (w->hour > 23 || w->min > 59 || w->sec > 59)
		return false;
	if (s.n == 0)
		return loose;
	return take_zone(&s, w) && s.n == 0;
}

static int64_t when_seconds(const struct when *w)
{
	struct tm tm;

	if (w->zone)
		return days_from_date(w->date) * SECS_PER_DAY + w->hour * 3600 + w->min * 60 +
		       w->sec - w->offset;
	tm = (struct tm){ .tm_year = (int)w->date.year - 1900,
			  .tm_mon = (int)w->date.month - 1,
			  .tm_mday = (int)w->date.day,
			  .tm_hour = (int)w->hour,
			  .tm_min = (int)w->min,
			  .tm_sec = (int)w->sec,
			  .tm_isdst = -1 };
	return (int64_t)mktime(&tm);
}

static int bad_time(struct slice s, const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID, "'%.*s' is not %s", (int)MIN(s.n, (size_t)64),
		       s.p ? s.p : "", what);
}

static int when_ns(struct slice s, const struct when *w, int64_t *ret_ns, struct err *err)
{
	int64_t secs = when_seconds(w);
	__extension__ __int128 ns = (__int128)secs * NS_PER_SEC + w->ns;

	if (secs >= GO_YEAR_1 && w->date.year <= 1) {
		*ret_ns = CLOCK_ZERO;
		return 0;
	}
	if (ns > INT64_MAX || ns <= INT64_MIN)
		return bad_time(s, "a time between the years 1678 and 2262", err);
	*ret_ns = (int64_t)ns;
	return 0;
}

int clock_parse_rfc3339(struct slice s, int64_t *ret_ns, struct err *err)
{
	struct when w;

	if (!parse_date_time(s, false, &w))
		return bad_time(s, "an RFC 3339 time such as 2026-01-02T15:04:05Z", err);
	return when_ns(s, &w, ret_ns, err);
}

/* "1700000000", "1700000000.000000001", also negative. */
static bool parse_unix(struct slice s, int64_t *ret_ns)
{
	bool minus = take_char(&s, '-');
	struct slice whole = slice_split(&s, '.');
	uint64_t secs;
	unsigned ns = 0;
	int64_t v;

	if (str_uint64(whole, &secs, NULL) < 0 || secs > INT64_MAX)
		return false;
	if (s.p && (!take_fraction(&s, &ns) || s.n))
		return false;
	if (__builtin_mul_overflow((int64_t)secs, NS_PER_SEC, &v) ||
	    __builtin_add_overflow(v, (int64_t)ns, &v))
		return false;
	*ret_ns = minus ? -v : v;
	return true;
}

int clock_parse_when(struct slice s, int64_t now, int64_t *ret_ns, struct err *err)
{
	struct when w;
	int64_t back;

	if (parse_unix(s, ret_ns))
		return 0;
	if (parse_date_time(s, true, &w))
		return when_ns(s, &w, ret_ns, err);
	if (clock_parse_duration(s, &back, NULL) == 0 &&
	    !__builtin_sub_overflow(now, back, &back)) {
		*ret_ns = back;
		return 0;
	}
	return bad_time(
		s,
		"a time: give unix seconds, a date such as 2026-01-02T15:04:05Z or a duration "
		"such as 10m",
		err);
}

/* ---- durations ---- */

static int64_t take_unit(struct slice *s)
{
	static const struct {
		struct slice text;
		int64_t ns;
	} units[] = {
		{ SLICE("ns"), 1 },
		{ SLICE("us"), 1000 },
		{ SLICE("\xc2\xb5s"), 1000 }, /* micro sign */
		{ SLICE("\xce\xbcs"), 1000 }, /* Greek mu */
		{ SLICE("ms"), NS_PER_MS },
		{ SLICE("s"), NS_PER_SEC },
		{ SLICE("m"), 60 * NS_PER_SEC },
		{ SLICE("h"), 3600 * NS_PER_SEC },
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (slice_starts(*s, units[i].text)) {
			*s = slice_of(s->p + units[i].text.n, s->n - units[i].text.n);
			return units[i].ns;
		}
	return 0;
}

/* One "12.5h" off *s, added to *sum. False for a bad form or an overflow. */
static bool take_part(struct slice *s, uint64_t *sum)
{
	uint64_t whole = 0, frac = 0, scale = 1, unit, v;
	bool any = false;
	unsigned d;

	for (; take_digits(s, 1, &d); any = true)
		if (__builtin_mul_overflow(whole, 10u, &whole) ||
		    __builtin_add_overflow(whole, d, &whole))
			return false;
	if (take_char(s, '.'))
		for (; take_digits(s, 1, &d); any = true)
			/* Past 15 digits nothing below a nanosecond is left, even of an hour. */
			if (scale < 1000000000000000u) {
				frac = frac * 10 + d;
				scale *= 10;
			}
	unit = any ? (uint64_t)take_unit(s) : 0;
	if (!unit || __builtin_mul_overflow(whole, unit, &v) ||
	    __builtin_add_overflow(
		    v, (uint64_t)((__extension__(unsigned __int128) frac * unit) / scale), &v))
		return false;
	return !__builtin_add_overflow(*sum, v, sum);
}

int clock_parse_duration(struct slice text, int64_t *ret_ns, struct err *err)
{
	struct slice s = text;
	bool minus = take_char(&s, '-');
	uint64_t sum = 0;

	if (!minus)
		take_char(&s, '+');
	if (slice_is(s, "0")) {
		*ret_ns = 0;
		return 0;
	}
	if (!s.n)
		return bad_time(text, "a duration such as 300ms, 10s or 1h30m", err);
	while (s.n)
		if (!take_part(&s, &sum))
			return bad_time(text, "a duration such as 300ms, 10s or 1h30m", err);
	if (sum > (uint64_t)INT64_MAX + minus)
		return bad_time(text, "a duration below 292 years", err);
	*ret_ns = minus ? (int64_t)(0 - sum) : (int64_t)sum;
	return 0;
}
